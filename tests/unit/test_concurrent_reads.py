"""What others read, by the hour: without our own runs, over all hours that a run touches."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport.planning import concurrent_reads
from dynoexport.planning.concurrent_reads import Hourly, OwnReading
from dynoexport.storage.manifests import Manifest, Reading

TEN = datetime(2026, 11, 20, 10, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def manifest(
    *,
    read: Reading,
    started: datetime | None = TEN,
    described: dict[str, object] | None = None,
    seconds: dict[str, float] | None = None,
) -> Manifest:
    return Manifest(
        table="Orders",
        format="csv",
        timestamp="2026-11-20T10:00",
        items=1,
        bytes=1,
        files=(),
        workflow_run_id="wr",
        started=started,
        reading=read,
        described=described or {},
        seconds=seconds or {},
    )


# --- the hours of a run ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("firing", "seconds", "hours"),
    [
        (TEN, 0, 1),
        (TEN, 3_600, 1),
        (TEN, 3_601, 2),
        (TEN + timedelta(minutes=30), 1_801, 2),
        (TEN + timedelta(minutes=59), 90, 2),
        (TEN, 3 * 86_400, 24),
    ],
)
def test_a_run_touches_hours_of_the_day(firing: datetime, seconds: float, hours: int) -> None:
    assert len(concurrent_reads.active_hours([firing], seconds)) == hours


def test_consumption_is_the_busiest_hour_of_a_run_and_the_mean_of_all() -> None:
    sums = {TEN: 3_600.0, TEN + HOUR: 36_000.0, TEN + 2 * HOUR: 3.6e9, TEN - DAY: 7_200.0}
    found = Hourly(sums, days=4).during([TEN], 2 * 3_600)
    assert (found.peak, found.mean, found.hours) == (10.0, (1 + 10 + 2) / 8, 2)


def test_a_run_over_midnight_touches_the_first_hours() -> None:
    late, early = TEN.replace(hour=23), TEN.replace(hour=0)
    found = Hourly({late: 3_600.0, early: 7_200.0}, days=1).during([late], 5_000)
    assert (found.peak, found.hours) == (2.0, 2)


def test_an_hour_without_reads_has_no_consumption() -> None:
    assert Hourly({TEN: 9.0}, days=14).during([TEN + 5 * HOUR], 60).peak == 0


def test_every_firing_of_a_schedule_is_considered() -> None:
    evening = TEN.replace(hour=20)
    found = Hourly({TEN: 3_600.0, evening: 36_000.0}, days=1).during([TEN, evening], 60)
    assert (found.peak, found.hours) == (10.0, 2)


# --- our own runs ---------------------------------------------------------------------------------
def test_reads_of_exports_are_not_reads_of_others() -> None:
    """By the part of the run that was in each hour."""
    sums = {TEN: 1_000.0, TEN + HOUR: 700.0}
    own = OwnReading(TEN + timedelta(minutes=45), seconds=3_600, units=800)
    assert Hourly(sums, 14).without([own]).sums == {TEN: 800.0, TEN + HOUR: 100.0}


@given(st.integers(0, 3_599), st.floats(0, 90_000), st.floats(0, 1e9), st.lists(st.floats(0, 1e9)))
def test_others_never_read_a_negative_number_of_units(
    second: int, seconds: float, units: float, sums: list[float]
) -> None:
    own = OwnReading(TEN + timedelta(seconds=second), seconds, units)
    found = Hourly(
        {TEN + n * HOUR: hourly_units for n, hourly_units in enumerate(sums)}, 1
    ).without([own, own])
    assert all(0 <= left <= before for left, before in zip(found.sums.values(), sums, strict=True))
    assert sum(units for _, units in own.by_hour()) == pytest.approx(units)


def test_what_a_run_has_read_is_in_its_manifest() -> None:
    read = Reading(reader="native", units=12.5, seconds=7.0)
    assert concurrent_reads.own_reading(manifest(read=read)) == OwnReading(TEN, 7.0, 12.5)


def test_uncounted_units_of_the_connector_are_those_of_one_scan() -> None:
    found = manifest(
        read=Reading(reader="connector", splits=3),
        described={"TableName": "Orders", "TableSizeBytes": 81_920},
        seconds={"read": 40.0},
    )
    assert concurrent_reads.own_reading(found) == OwnReading(TEN, 40.0, 10.0)


@pytest.mark.parametrize(
    "untold",
    [
        manifest(read=Reading(reader="export")),
        manifest(read=Reading(reader="native", units=1.0), started=None),
        manifest(read=Reading(reader="connector")),
    ],
    ids=["export", "no start", "an old one"],
)
def test_exports_without_reads_or_records_are_left_out(untold: Manifest) -> None:
    assert concurrent_reads.own_reading(untold) is None

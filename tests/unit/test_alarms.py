"""The alarm limits that follow from a schedule, unless the user sets others."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from dynoexport.operations import alarms

NOW = datetime(2026, 11, 26, 18, 30, tzinfo=timezone.utc)
DAILY, HOURLY, WEEKLY = "cron(0 10 * * ? *)", "cron(0 * * * ? *)", "cron(0 10 ? * MON *)"
WORKDAYS = "cron(0 10 ? * MON-FRI *)"


def derive_limits(given: dict[str, str], **own: str) -> dict[str, str]:
    return alarms.derive_limits(given, own, now=NOW)


@pytest.mark.parametrize(
    ("schedule", "hours", "minutes"),
    [(DAILY, "30", "240"), (HOURLY, "4", "60"), (WORKDAYS, "78", "240"), (WEEKLY, "0", "240")],
)
def test_a_new_export_gets_the_limits_of_its_schedule(
    schedule: str, hours: str, minutes: str
) -> None:
    """Half the timeout, or until the next run is due; its longest gap, that, and two hours."""
    assert derive_limits({"Schedule": schedule}) == {
        "MaxRunMinutes": minutes,
        "MaxSnapshotAgeHours": hours,
    }


def test_an_export_of_a_version_without_alarms_gets_them() -> None:
    """An older version has deployed it."""
    assert derive_limits({}, Schedule=DAILY, TimeoutMinutes="60")["MaxRunMinutes"] == "30"


def test_derived_limits_follow_a_changed_schedule() -> None:
    own = {"Schedule": DAILY, "MaxSnapshotAgeHours": "30", "MaxRunMinutes": "240"}
    assert derive_limits({"Schedule": HOURLY}, **own) == {
        "MaxRunMinutes": "60",
        "MaxSnapshotAgeHours": "4",
    }


@pytest.mark.parametrize("chosen", ["0", "48"])
def test_chosen_limits_stay(chosen: str) -> None:
    own = {"Schedule": DAILY, "MaxSnapshotAgeHours": chosen, "MaxRunMinutes": chosen}
    assert derive_limits({"Schedule": HOURLY}, **own) == {}


def test_an_alarm_that_fits_its_schedule_gives_no_warning() -> None:
    assert alarms.note(DAILY, 26, now=NOW) is None
    assert alarms.note(DAILY, 0, now=NOW) is None
    assert alarms.note("cron(0 10 1 1 ? 2027)", 0, now=NOW) is None


def test_an_alarm_that_goes_off_between_two_runs_is_reported() -> None:
    reported = alarms.note(WORKDAYS, 26, now=NOW)
    assert reported is not None
    assert "after 26 h without" in reported
    assert "3 d between" in reported


def test_a_schedule_that_no_alarm_can_watch_is_reported() -> None:
    reported = alarms.note(WEEKLY, 0, now=NOW)
    assert reported is not None
    assert "7 d between" in reported

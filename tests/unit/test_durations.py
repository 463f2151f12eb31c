"""Durations as people write and read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport import durations
from dynoexport.durations import DurationRefused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("40s", timedelta(seconds=40)),
        ("90m", timedelta(minutes=90)),
        ("26h", timedelta(hours=26)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
        ("0d", timedelta(0)),
        ("1.5h", timedelta(minutes=90)),
    ],
)
def test_a_number_with_a_unit_is_a_duration(text: str, expected: timedelta) -> None:
    assert durations.parse(text) == expected


@pytest.mark.parametrize("text", [" 26h ", "26 h", "26H"])
def test_spaces_and_capitals_do_not_matter(text: str) -> None:
    assert durations.parse(text) == timedelta(hours=26)


@pytest.mark.parametrize(
    "text", ["", "26", "h", "-1d", "1y", "1d 2h", "1.h", ".5h", "1e3s", "26h\n1d"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    """Also a bare number: nobody could tell its unit."""
    with pytest.raises(DurationRefused) as refused:
        durations.parse(text)
    assert refused.value.what == f"{text!r} is not a duration"
    assert refused.value.hint == "write for example 90m, 26h or 30d"
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("number", ["9" * 12, "9" * 400])
def test_a_duration_beyond_all_dates_is_refused(number: str) -> None:
    """More days than Python counts, and more than a float holds."""
    with pytest.raises(DurationRefused):
        durations.parse(f"{number}d")


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=59, milliseconds=900), "59s"),
        (timedelta(minutes=1), "1m"),
        (timedelta(minutes=59, seconds=59), "59m 59s"),
        (timedelta(hours=1), "1h"),
        (timedelta(hours=1, seconds=59), "1h"),
        (timedelta(hours=23, minutes=59), "23h 59m"),
        (timedelta(days=1), "1d"),
        (timedelta(days=1, minutes=59), "1d"),
        (timedelta(days=400, hours=2, minutes=5), "400d 2h"),
    ],
)
def test_an_age_is_told_in_two_units(age: timedelta, shown: str) -> None:
    """The larger one alone where the next smaller one is zero."""
    assert durations.ago(age) == shown


def test_a_clock_that_lags_makes_nothing_younger_than_now() -> None:
    assert durations.ago(timedelta(seconds=-5)) == "0s"


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=36_500)))
def test_what_is_shown_reads_back_as_the_age_rounded_down(age: timedelta) -> None:
    """By less than one of the smaller unit shown: an hour at the most."""
    parts = map(durations.parse, durations.ago(age).split())
    assert timedelta(0) <= age - sum(parts, timedelta(0)) < timedelta(hours=1)

"""Schedules as AWS Glue takes them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import partial

import pytest
from aws_croniter import AwsCroniter
from aws_croniter.exceptions import AwsCroniterExpressionError
from hypothesis import example, given
from hypothesis import strategies as st

from dynoexport import settings
from dynoexport.cloudformation.options import schedule as table_option
from dynoexport.errors import ScheduleRefused
from dynoexport.workflow import schedule

NOON = datetime(2026, 5, 6, 12, 0, tzinfo=timezone.utc)  # a Wednesday


def firings(expression: str, count: int = 3) -> list[str]:
    times = schedule.firings(expression, after=NOON, count=count)
    return [f"{time:%m-%d %H:%M}" for time in times]


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        (settings.DEFAULT_SCHEDULE, ["05-07 10:00", "05-08 10:00", "05-09 10:00"]),
        ("cron(15 12 * * ? *)", ["05-06 12:15", "05-07 12:15", "05-08 12:15"]),
        ("cron(0/20 13 * * ? *)", ["05-06 13:00", "05-06 13:20", "05-06 13:40"]),
        # 1 is Sunday, unlike Unix's cron, where it is Monday.
        ("cron(0 8 ? * 1 *)", ["05-10 08:00", "05-17 08:00", "05-24 08:00"]),
        ("cron(0 8 ? * MON-FRI *)", ["05-07 08:00", "05-08 08:00", "05-11 08:00"]),
        ("cron(0 8 L * ? *)", ["05-31 08:00", "06-30 08:00", "07-31 08:00"]),
        ("cron(10-50/10 13 * * ? *)", ["05-06 13:10", "05-06 13:20", "05-06 13:30"]),
        # The last day of the week is Saturday, the last Thursday of the month 5L.
        ("cron(0 10 ? * L *)", ["05-09 10:00", "05-16 10:00", "05-23 10:00"]),
        ("cron(0 10 ? * 5L *)", ["05-28 10:00", "06-25 10:00", "07-30 10:00"]),
        ("cron(0 10 ? * thul *)", ["05-28 10:00", "06-25 10:00", "07-30 10:00"]),
        ("cron(0 10 ? * 2/2 *)", ["05-08 10:00", "05-11 10:00", "05-13 10:00"]),
        ("cron(0 10 ? * FRI-MON *)", ["05-08 10:00", "05-09 10:00", "05-10 10:00"]),
        # 31 May and 15 August 2026 are a Sunday and a Saturday.
        ("cron(0 10 LW 5,8 ? *)", ["05-29 10:00", "08-31 10:00", "05-31 10:00"]),
        ("cron(0 10 15W 8 ? *)", ["08-14 10:00", "08-16 10:00", "08-15 10:00"]),
        ("cron(0 10 1W 8 ? *)", ["08-03 10:00", "08-02 10:00", "08-01 10:00"]),
        ("cron(0 10 L-2 5 ? 2026)", ["05-29 10:00"]),
        ("cron(0  8   *\t* ? *)", ["05-07 08:00", "05-08 08:00", "05-09 08:00"]),
        ("cron(0 8 1 JAN,feb ? *)", ["01-01 08:00", "02-01 08:00", "01-01 08:00"]),
        ("cron(0 8 29 2 ? *)", ["02-29 08:00", "02-29 08:00", "02-29 08:00"]),
        ("cron(0 8 1 1 ? 2027/2)", ["01-01 08:00", "01-01 08:00", "01-01 08:00"]),
    ],
)
def test_a_schedule_fires_when_aws_says(expression: str, times: list[str]) -> None:
    assert firings(expression) == times


def test_times_are_utc_in_every_time_zone() -> None:
    tokyo = timezone(timedelta(hours=9))
    (time,) = schedule.firings(settings.DEFAULT_SCHEDULE, after=NOON.astimezone(tokyo), count=1)
    assert (time.hour, time.utcoffset()) == (10, timedelta(0))


def test_a_schedule_that_ends_gives_fewer_times() -> None:
    assert schedule.firings("cron(0 10 7 5 ? 2026)", after=NOON, count=5) == [
        datetime(2026, 5, 7, 10, 0, tzinfo=timezone.utc)
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "every day",
        "rate(1 day)",
        "0 10 * * ? *",
        "cron(0 10 * * ?)",
        "cron(0 10 * * ? * *)",
        "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 10 32 * ? *)",
        "cron(0 10 ? * 8 *)",
        "cron(0 10 ? * 6#3 *)",
        "cron(0 10 ? * L-2 *)",
        "cron(0 10 ? * LW *)",
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(0 10 L,15 * ? *)",
        "cron(0 10 L-31 * ? *)",
        "cron(0 10 45W * ? *)",
        "cron(*/0 10 * * ? *)",
        "cron(*/JAN 10 * * ? *)",
        "cron(5- 10 * * ? *)",
        "cron(, 10 * * ? *)",
        "cron(0 10 * * ? 2030-2026)",
        "cron(0 10 * * ? 1969)",
        "cron(٣ 10 * * ? *)",
        "cron(0 10 *\u2028* ? *)",
    ],
)
def test_an_invalid_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleRefused, match="is not a Glue schedule") as refused:
        schedule.check(expression, now=NOON)
    assert "cron(0 10 * * ? *)" in refused.value.hint


def numbers(least: int, most: int) -> st.SearchStrategy[str]:
    """A list of values, ranges and steps of a field."""
    value = st.integers(least, most).map(str)
    part = st.just("*") | value | st.builds("{}-{}".format, value, value)
    element = part | st.builds("{}/{}".format, part, st.integers(1, most))
    return st.lists(element, min_size=1, max_size=3).map(",".join)


DAYS = st.just("L") | st.integers(1, 30).map("L-{}".format) | st.integers(1, 31).map("{}W".format)
WEEKDAYS = st.integers(1, 7).map("{}L".format)


@given(
    numbers(0, 59),
    numbers(0, 23),
    st.tuples(numbers(1, 31) | DAYS, st.just("?"))
    | st.tuples(st.just("?"), numbers(1, 7) | WEEKDAYS),
    numbers(1, 12),
)
def test_any_schedule_fires_as_a_second_parser_says(
    minutes: str, hours: str, days: tuple[str, str], months: str
) -> None:
    """aws-croniter reads EventBridge's expressions, and refuses some that Glue documents."""
    fields = f"{minutes} {hours} {days[0]} {months} {days[1]} *"
    found = schedule.firings(f"cron({fields})", after=NOON, count=20)
    try:
        theirs = AwsCroniter(fields).get_next(NOON, 20)
    except AwsCroniterExpressionError:
        return
    assert found == [time for time in theirs if time is not None]


@given(numbers(0, 59), st.sampled_from([" ", "  ", "\t"]))
@example("59-0", " ")
@example("059-00", " ")
@example("05-5", " ")
@example("5-05", " ")
@example("00-0", " ")
@example("0-59", " ")
@example("59-0/5", " ")
@example("5-5/3,7/60", " ")
def test_the_template_takes_every_schedule_that_the_command_takes(minutes: str, blank: str) -> None:
    expression = f"cron({blank.join([minutes, '10', '*', '*', '?', '*'])})"
    try:
        schedule.check(expression, now=NOON)
    except ScheduleRefused:
        return
    pattern = table_option.OPTION.fields[0].parameter.AllowedPattern
    assert re.fullmatch(pattern, expression)


@pytest.mark.parametrize(
    "expression",
    ["cron(* * * * ? *)", "cron(0/4 * * * ? *)", "cron(0,3 10 * * ? *)", "cron(0,58 * * * ? *)"],
)
def test_more_often_than_every_five_minutes_is_refused(expression: str) -> None:
    """This also holds if the short gap crosses the hour."""
    with pytest.raises(ScheduleRefused, match=r"fires every (1 minute|\d minutes):"):
        schedule.check(expression, now=NOON)


@pytest.mark.parametrize("expression", ["cron(0/5 * * * ? *)", "cron(0,55 * * * ? *)"])
def test_every_five_minutes_is_accepted(expression: str) -> None:
    schedule.check(expression, now=NOON)


@pytest.mark.parametrize("expression", ["cron(0 10 * * ? 2020)", "cron(0 10 30 2 ? *)"])
def test_a_schedule_that_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleRefused, match="never fires"):
        schedule.check(expression, now=NOON)


def test_a_schedule_that_fires_once_more_is_accepted() -> None:
    schedule.check("cron(0 10 7 5 ? 2026)", now=NOON)


# --- how often ------------------------------------------------------------------------------------
AFTER = datetime(2026, 1, 31, 9, 59, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("every", "runs"),
    [("hour", 730.5), ("day", 30.4375), ("week", 4.3482), ("cron(0/5 * * * ? *)", 8_766.0)],
)
def test_a_mean_month_has_so_many_runs(every: str, runs: float) -> None:
    assert schedule.runs_a_month(schedule.every(every), after=AFTER) == runs


def test_a_monthly_schedule_has_one_run_a_month() -> None:
    found = schedule.runs_a_month(schedule.every("month"), after=AFTER)
    assert found == pytest.approx(1, abs=0.001)


def test_a_rare_schedule_is_averaged_over_a_year() -> None:
    assert schedule.runs_a_month("cron(0 10 1 1 ? 2027)", after=AFTER) == 1 / 12
    assert schedule.runs_a_month("cron(0 10 1 1 ? 2030)", after=AFTER) == 0


def test_every_refuses_what_glue_refuses() -> None:
    with pytest.raises(ScheduleRefused, match="'decade' is not a Glue schedule"):
        schedule.every("decade")


def test_the_times_of_day_are_in_utc() -> None:
    (found,) = schedule.times_of_day("cron(30 22 * * ? *)", after=AFTER)
    assert (found.hour, found.minute, found.utcoffset()) == (22, 30, timedelta())
    assert found - AFTER < timedelta(days=1)
    workdays = schedule.times_of_day("cron(0 9,17 ? * MON-FRI *)", after=AFTER)
    assert sorted(time.hour for time in workdays) == [9, 17]
    assert len(schedule.times_of_day("cron(0/5 * * * ? *)", after=AFTER)) == 288
    ended = "cron(0 10 1 1 ? 2020)"
    assert schedule.times_of_day(ended, after=AFTER) == (AFTER,)


# --- how far apart --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("expression", "hours"),
    [
        ("cron(0 10 * * ? *)", (24, 24)),
        ("cron(0 9,17 ? * MON-FRI *)", (8, 64)),
        ("cron(0/5 9-17 ? * MON-FRI *)", (1 / 12, 63 + 1 / 12)),
        ("cron(0 10 1 * ? *)", (28 * 24, 31 * 24)),
    ],
)
def test_the_gaps_of_a_schedule_are_those_of_more_than_a_week(
    expression: str, hours: tuple[float, float]
) -> None:
    """The gap shows a weekend, and a February."""
    found = schedule.gaps(expression, now=NOON)
    assert found == tuple(timedelta(hours=hour) for hour in hours)


def test_a_schedule_that_fires_once_more_has_no_gaps() -> None:
    assert schedule.gaps("cron(0 10 1 1 ? 2027)", now=NOON) is None


def test_an_alarm_looks_back_seven_days_at_most() -> None:
    """One that fires every sixth day can be watched, a weekly one cannot."""
    sixth = partial(schedule.snapshot_age, "cron(0 10 ? * MON,TUE *)", now=NOON)
    assert sixth(run=timedelta(hours=4)) == timedelta(hours=150)
    assert sixth(run=timedelta(hours=40)) == timedelta(days=7)
    weekly = "cron(0 10 ? * MON *)"
    assert schedule.snapshot_age(weekly, run=timedelta(), now=NOON) is None


def test_a_run_is_late_after_half_its_timeout_but_never_at_once() -> None:
    late = partial(schedule.run_length, "cron(0 10 * * ? *)", now=NOON)
    assert late(timeout=timedelta(hours=4)) == timedelta(hours=2)
    assert late(timeout=timedelta(minutes=1)) == timedelta(minutes=1)
    assert late(timeout=timedelta(days=7)) == timedelta(days=1)


@pytest.mark.parametrize("longest", [timedelta(minutes=1), timedelta(hours=3, minutes=30)])
def test_a_slow_run_after_a_quick_one_is_not_an_alarm(longest: timedelta) -> None:
    """Their snapshots are further apart than their starts, by the time of the slow one."""
    age = schedule.snapshot_age("cron(0 10 * * ? *)", run=longest, now=NOON)
    assert age is not None
    assert age >= timedelta(days=1) + longest + timedelta(hours=2)

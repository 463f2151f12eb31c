"""Cron schedules of AWS Glue: six fields in UTC, at least five minutes apart."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING

from dynoexport import limits, settings
from dynoexport.errors import ScheduleRefused
from dynoexport.units import count
from dynoexport.workflow import cron

if TYPE_CHECKING:
    from dynoexport.workflow.cron import Cron

# How many firings are compared. Every pattern of minutes shows within one hour and the step
# over midnight within a day; 300 firings five minutes apart are more than a day.
_FIRINGS = 300
# A week of the densest schedule, 2,016 firings, and the step to the next one.
_FIRINGS_OF_A_WEEK = 2_100


def firings(schedule: str, *, after: datetime, count: int) -> list[datetime]:
    """The next ``count`` times, fewer if the schedule ends, at which the schedule fires.

    ``after`` is a time with a time zone; the answers are in UTC.

    Raises:
        ScheduleRefused: the cron expression is malformed.
    """
    return list(itertools.islice(_parse(schedule).after(after), count))


@lru_cache(maxsize=64)
def _parse(schedule: str) -> Cron:
    try:
        return cron.parse(schedule)
    except cron.NotCron as refused:
        raise ScheduleRefused(
            f"{schedule!r} is not a Glue schedule: {refused}",
            hint="write six fields in UTC, for example cron(0 10 * * ? *)",
        ) from None


@lru_cache(maxsize=64)
def gaps(schedule: str, *, now: datetime) -> tuple[timedelta, timedelta] | None:
    """The shortest and the longest time between two firings; None if there is no second one.

    Cached, because a deployment needs the gaps of one schedule several times.

    Raises:
        ScheduleRefused: the cron expression is malformed.
    """
    times = firings(schedule, after=now, count=_FIRINGS_OF_A_WEEK)
    between = [later - earlier for earlier, later in itertools.pairwise(times)]
    return (min(between), max(between)) if between else None


def snapshot_age(schedule: str, *, run: timedelta, now: datetime) -> timedelta | None:
    """The hours without a new snapshot after which something is wrong.

    A snapshot exists when its run ends. The snapshots of a quick run and a slow next run are
    further apart than the starts of the runs, by up to ``run``, the longest run that is not late.
    The age is at most what an alarm can cover.

    None if there is no second firing, or if no alarm can cover the time between two firings.

    Raises:
        ScheduleRefused: the cron expression is malformed.
    """
    extremes = gaps(schedule, now=now)
    if extremes is None:
        return None
    if _whole_hours(extremes[1]) + settings.SNAPSHOT_SLACK > limits.ALARM_WINDOW_MAX:
        return None
    age = _whole_hours(extremes[1] + run) + settings.SNAPSHOT_SLACK
    return min(age, limits.ALARM_WINDOW_MAX)


def _whole_hours(time: timedelta) -> timedelta:
    """Rounded up, because the alarm's period is an hour."""
    return timedelta(hours=-(-time // timedelta(hours=1)))


def run_length(schedule: str, *, timeout: timedelta, now: datetime) -> timedelta:
    """The time after which a run is late: half its timeout, or when the next run is due.

    Raises:
        ScheduleRefused: the cron expression is malformed.
    """
    extremes = gaps(schedule, now=now)
    half = max(timeout / 2, timedelta(minutes=1))
    return half if extremes is None else min(half, extremes[0])


def check(schedule: str, *, now: datetime | None = None) -> None:
    """Refuse a schedule that AWS Glue would refuse, or that never fires.

    Raises:
        ScheduleRefused: malformed, more often than every five minutes, or never.
    """
    # By the minute, so that a thousand templates of one schedule check it once.
    _check(schedule, (now or datetime.now(timezone.utc)).replace(second=0, microsecond=0))


@lru_cache(maxsize=64)
def _check(schedule: str, now: datetime) -> None:
    times = firings(schedule, after=now, count=_FIRINGS)
    if not times:
        raise ScheduleRefused(f"{schedule!r} never fires", hint="choose a date that exists")
    gaps = (later - earlier for earlier, later in itertools.pairwise(times))
    smallest = min(gaps, default=timedelta.max)
    if smallest < limits.GLUE_SCHEDULE_MIN_INTERVAL:
        raise ScheduleRefused(
            f"{schedule!r} fires every {count(smallest.seconds // 60, 'minute')}",
            hint="AWS Glue runs a schedule at most every five minutes",
        )


# What ``--every`` takes beside a cron expression.
EVERY = {
    "hour": "cron(0 * * * ? *)",
    "day": settings.DEFAULT_SCHEDULE,
    "week": "cron(0 10 ? * 1 *)",
    "month": "cron(0 10 1 * ? *)",
}
# Firings that are counted for a mean: more than two years of days.
_COUNTED = 800
_MONTH = timedelta(days=365.25 / 12)


def every(text: str) -> str:
    """The schedule of ``hour``, ``day``, ``week`` or ``month``, or of a ``cron(...)``.

    Raises:
        ScheduleRefused: it is neither.
    """
    if text not in EVERY and not text.startswith("cron("):
        raise ScheduleRefused(
            f"{text!r} is not a Glue schedule",
            hint=f"write {', '.join(EVERY)}, or six fields in UTC such as cron(0 10 * * ? *)",
        )
    schedule = EVERY.get(text, text)
    check(schedule)
    return schedule


def runs_a_month(schedule: str, *, after: datetime) -> float:
    """How often it fires in the mean month of a year, 365.25 / 12 days.

    >>> runs_a_month("cron(0 10 * * ? *)", after=datetime(2026, 1, 31, tzinfo=timezone.utc))
    30.4375
    """
    times = firings(schedule, after=after, count=_COUNTED)
    if len(times) < _COUNTED:
        year = [time for time in times if time - after <= 12 * _MONTH]
        return len(year) / 12
    return round((len(times) - 1) * (_MONTH / (times[-1] - times[0])), 4)


def times_of_day(schedule: str, *, after: datetime) -> tuple[datetime, ...]:
    """The next firing at each time of the day at which it fires, in UTC.

    ``after`` itself if it never does.
    """
    times = firings(schedule, after=after, count=_COUNTED)
    by_time = {(time.hour, time.minute): time for time in reversed(times)}
    return tuple(sorted(by_time.values())) or (after.astimezone(timezone.utc),)

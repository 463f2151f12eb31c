"""Cron expressions in the form that AWS Glue documents: six fields, in UTC.

https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html lists the values and
wildcards of each field. Ranges that wrap, ``L-3``, ``LW`` and ``6L`` are from Quartz, whose
wildcards Glue uses:
https://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html.
Glue's page has no ``#``.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# "six required fields, which are separated by white space"
_EXPRESSION = r"cron\([^ \t()]+(?:[ \t]+[^ \t()]+){5}\)"

_MONTH_NAMES = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_DAY_NAMES = "SUN MON TUE WED THU FRI SAT"
# 1 is Sunday.
_SATURDAY = 7
_ELEMENT = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]+))?")
_DAY = re.compile(r"L(?:-(?P<before>[0-9]{1,2}))?|LW|(?P<near>[0-9]{1,2})W")
_WEEKDAY = re.compile(r"(?P<last>[A-Z0-9]*)L")


class NotCron(ValueError):
    """A text that is not such an expression, and why."""


@dataclass(frozen=True)
class _Field:
    """A field with its values, and names for the first ones."""

    name: str
    least: int
    most: int
    takes: str
    names: str = ""
    wraps: bool = True

    def refusal(self, text: str) -> NotCron:
        return NotCron(f"the {self.name} is {text!r}, but takes {self.takes}")

    def number(self, word: str, text: str) -> int:
        """The value of a word of the field's text."""
        names = self.names.split()
        if word in names:
            return names.index(word) + 1
        if re.fullmatch(r"[0-9]{1,4}", word) and self.least <= int(word) <= self.most:
            return int(word)
        raise self.refusal(text)

    def values(self, text: str) -> frozenset[int]:
        """All values of a list of numbers, ranges and steps."""
        return frozenset(
            value for element in text.split(",") for value in self._element(element, text)
        )

    def _element(self, element: str, text: str) -> Sequence[int]:
        match = _ELEMENT.fullmatch(element)
        if match is None:
            raise self.refusal(text)
        first = self.least if match["first"] is None else self.number(match["first"], text)
        step = 1 if match["step"] is None else int(match["step"][:5])
        if not 1 <= step <= self.most:
            raise self.refusal(text)
        if match["last"] is not None:
            last = self.number(match["last"], text)
        else:
            # A single value with a step is a range up to the end.
            last = first if match["first"] and match["step"] is None else self.most
        if first <= last:
            return range(first, last + 1, step)
        if not self.wraps:
            raise self.refusal(text)
        return [*range(first, self.most + 1), *range(self.least, last + 1)][::step]


_MINUTE = _Field("minute", 0, 59, "0 to 59 and , - * /")
_HOUR = _Field("hour", 0, 23, "0 to 23 and , - * /")
_DAY_OF_MONTH = _Field("day of month", 1, 31, "1 to 31 and , - * ? / L W")
_MONTH = _Field("month", 1, 12, "1 to 12 or JAN to DEC and , - * /", _MONTH_NAMES)
_DAY_OF_WEEK = _Field("day of week", 1, 7, "1 to 7 or SUN to SAT and , - * ? / L", _DAY_NAMES)
_YEAR = _Field("year", 1970, 2199, "1970 to 2199 and , - * /", wraps=False)


@dataclass(frozen=True)
class Cron:
    """When an expression fires; ``days`` gives the days of a month of a year."""

    minutes: Sequence[int]
    hours: Sequence[int]
    days: Callable[[int, int], Sequence[int]]
    months: Sequence[int]
    years: Sequence[int]

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times after a moment, in UTC, to the last one."""
        moment = moment.astimezone(timezone.utc)
        for day in self._days_from(moment):
            for hour in self.hours:
                for minute in self.minutes:
                    time = day.replace(hour=hour, minute=minute)
                    if time > moment:
                        yield time

    def _days_from(self, moment: datetime) -> Iterator[datetime]:
        for year in self.years:
            for month in self.months:
                if (year, month) >= (moment.year, moment.month):
                    for day in self.days(year, month):
                        if (year, month, day) >= (moment.year, moment.month, moment.day):
                            yield datetime(year, month, day, tzinfo=timezone.utc)


def parse(schedule: str) -> Cron:
    """The times of ``cron(...)``.

    Raises:
        NotCron: AWS Glue does not document it.
    """
    if not re.fullmatch(_EXPRESSION, schedule):
        raise NotCron("it does not have six fields")
    fields = re.split(r"[ \t]+", schedule.removeprefix("cron(").removesuffix(")").upper())
    minute, hour, day, month, weekday, year = fields
    if (day == "?") is (weekday == "?"):
        raise NotCron("either the day of month or the day of week must be ?")
    return Cron(
        sorted(_MINUTE.values(minute)),
        sorted(_HOUR.values(hour)),
        _weekdays(weekday) if day == "?" else _days(day),
        sorted(_MONTH.values(month)),
        sorted(_YEAR.values(year)),
    )


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _weekday(year: int, month: int, day: int) -> int:
    """1 is Sunday, 7 is Saturday."""
    return (calendar.weekday(year, month, day) + 1) % 7 + 1


def _days(text: str) -> Callable[[int, int], Sequence[int]]:
    """The days of the month that its field names."""
    match = _DAY.fullmatch(text)
    if match is None:
        values = sorted(_DAY_OF_MONTH.values(text))
        return lambda year, month: values[: bisect_right(values, _length(year, month))]
    if match["near"] is not None:
        near = _DAY_OF_MONTH.number(match["near"], text)
        return lambda year, month: _nearest_workday(year, month, near)
    if text == "LW":
        return lambda year, month: _nearest_workday(year, month, _length(year, month))
    before = int(match["before"] or 0)
    if before >= _DAY_OF_MONTH.most:
        raise _DAY_OF_MONTH.refusal(text)
    return lambda year, month: [day for day in [_length(year, month) - before] if day > 0]


def _nearest_workday(year: int, month: int, day: int) -> Sequence[int]:
    """The day from Monday to Friday that is nearest in its month, if the month has this day."""
    length = _length(year, month)
    if day > length:
        return []
    return [
        next(
            candidate
            for candidate in (day, day - 1, day + 1, day - 2, day + 2)
            if 1 <= candidate <= length and 1 < _weekday(year, month, candidate) < _SATURDAY
        )
    ]


def _weekdays(text: str) -> Callable[[int, int], Sequence[int]]:
    """The days of the month on the weekdays that the other field names."""
    match = _WEEKDAY.fullmatch(text)
    if match is not None and match["last"]:
        last = _DAY_OF_WEEK.number(match["last"], text)
        return lambda year, month: [
            day
            for day in range(_length(year, month) - 6, _length(year, month) + 1)
            if _weekday(year, month, day) == last
        ]
    # "the last day of the ... week"
    values = frozenset({_SATURDAY}) if text == "L" else _DAY_OF_WEEK.values(text)
    return lambda year, month: [
        day for day in range(1, _length(year, month) + 1) if _weekday(year, month, day) in values
    ]

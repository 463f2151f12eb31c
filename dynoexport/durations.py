"""Durations as people write and read them: ``90m``, ``26h``, ``30d``."""

from __future__ import annotations

import re
from datetime import timedelta

from dynoexport.errors import DynoexportError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class DurationRefused(DynoexportError):
    """A text that is no duration."""

    exit_code = 2


def parse(text: str) -> timedelta:
    """The duration.

    >>> parse("26h")
    datetime.timedelta(days=1, seconds=7200)

    Raises:
        DurationRefused: it is not a number with one of the units s, m, h, d, w, or too large.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", text.lower())
    try:
        found = timedelta(**{_UNITS[match[2]]: float(match[1])}) if match else None
    except OverflowError:
        found = None
    if found is None:
        raise DurationRefused(
            f"{text!r} is not a duration", hint="write for example 90m, 26h or 30d"
        )
    return found


def ago(age: timedelta) -> str:
    """How long ago, in the two largest units that matter.

    >>> ago(timedelta(hours=26, minutes=5))
    '1d 2h'
    >>> ago(timedelta(seconds=40))
    '40s'
    """
    seconds = max(0, int(age.total_seconds()))
    for size, unit, smaller, small_unit in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // smaller
            return (
                f"{seconds // size}{unit} {rest}{small_unit}"
                if rest
                else f"{seconds // size}{unit}"
            )
    return f"{seconds}s"

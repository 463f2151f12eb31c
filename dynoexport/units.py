"""How sizes, counts, durations, rates and dollars are written for people, and durations read.

One rule for each quantity, used everywhere. None, an unknown value, is an empty text.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from dynoexport.errors import DynoexportError

_PARSED = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# Seconds of a unit and of the one below it, their names, and how many digits the second one has.
_PAIRS = ((_DAY, "d", _HOUR, "h", 1), (_HOUR, "h", _MINUTE, "min", 2), (_MINUTE, "min", 1, "s", 2))
_KIB = 1024
_THOUSAND, _DIGITS = 1_000, 4
_TEN_CENTS, _LEAST_DOLLARS = 0.1, 0.0001


class DurationRefused(DynoexportError):
    """A text that is not a duration."""

    exit_code = 2


def parse_duration(text: str) -> timedelta:
    """The duration.

    >>> parse_duration("26h")
    datetime.timedelta(days=1, seconds=7200)

    Raises:
        DurationRefused: it is not a number with one of the units s, m, h, d, w, or too large.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", text.lower())
    try:
        parsed = timedelta(**{_PARSED[match[2]]: float(match[1])}) if match else None
    except OverflowError:
        parsed = None
    if parsed is None:
        raise DurationRefused(
            f"{text!r} is not a duration", hint="write for example 90m, 26h or 30d"
        )
    return parsed


def as_argument(seconds: float) -> str:
    """A duration as ``parse_duration`` reads it.

    >>> as_argument(28_800), as_argument(90.5)
    ('480m', '90.5s')
    """
    return f"{seconds / 60:.0f}m" if seconds % 60 == 0 else f"{seconds:.12g}s"


def duration(value: float | timedelta | None) -> str:
    """A duration, or its seconds: tenths of a second below a minute, else its two largest units.

    The rest is dropped. A negative one, as from a clock that lags, is 0 s.

    >>> duration(0), duration(8.42), duration(45), duration(750), duration(11_100)
    ('0 s', '8.4 s', '45 s', '12 min 30 s', '3 h 05 min')
    >>> duration(timedelta(hours=26)), duration(timedelta(days=30)), duration(-5)
    ('1 d 2 h', '30 d', '0 s')
    """
    if value is None:
        return ""
    seconds = max(0.0, value.total_seconds() if isinstance(value, timedelta) else value)
    tenths, whole = round(seconds, 1), round(seconds)
    if tenths < _MINUTE:
        return f"{tenths:g} s"
    size, unit, smaller, small_unit, digits = next(pair for pair in _PAIRS if whole >= pair[0])
    rest = whole % size // smaller
    return f"{whole // size:,} {unit}" + (f" {rest:0{digits}d} {small_unit}" if rest else "")


def size(value: float | None) -> str:
    """Bytes in binary units.

    >>> size(0), size(1023), size(1536), size(1024**2 - 1), size(5_000 * 1024**5)
    ('0 B', '1,023 B', '1.5 KiB', '1.0 MiB', '5,000.0 PiB')
    """
    if value is None:
        return ""
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        digits = 0 if unit == "B" else 1
        if abs(round(amount, digits)) < _KIB:
            return f"{amount:,.{digits}f} {unit}"
        amount /= _KIB
    return f"{amount:,.1f} PiB"


def count(value: int | None, noun: str = "") -> str:
    """A whole number, and its noun in the plural where it needs it.

    >>> count(1200), count(0, "row"), count(1, "row"), count(1200, "row")
    ('1,200', '0 rows', '1 row', '1,200 rows')
    """
    if value is None:
        return ""
    return f"{value:,} {noun}{'' if value == 1 else 's'}" if noun else f"{value:,}"


def number(value: float | None) -> str:
    """A rate or a quantity: four digits, but never fewer than its whole part has.

    >>> number(0), number(0.0000019), number(33.333), number(268.435), number(1234.5)
    ('0', '0.0000019', '33.33', '268.4', '1,234')
    """
    if value is None:
        return ""
    rounded = float(value if abs(value) >= _THOUSAND else f"{value:.{_DIGITS}g}")
    if abs(rounded) >= _THOUSAND or rounded.is_integer():
        return f"{rounded:,.0f}"
    return f"{Decimal(repr(rounded)):f}"


def percent(part: float | None) -> str:
    """A part of a whole.

    >>> percent(0.375), percent(0.1), percent(0)
    ('37.5 %', '10 %', '0 %')
    """
    return "" if part is None else f"{number(part * 100)} %"


def dollars(value: float | None) -> str:
    """An amount in dollars and cents, and in parts of a cent below ten; a small one is never zero.

    >>> dollars(0), dollars(0.0005), dollars(0.022), dollars(0.17), dollars(1234.5), dollars(-2)
    ('$0.00', '$0.0005', '$0.022', '$0.17', '$1,234.50', '-$2.00')
    >>> dollars(0.000002)
    '<$0.0001'
    """
    if value is None:
        return ""
    amount, sign = abs(value), "-" if value < 0 else ""
    if 0 < amount < _LEAST_DOLLARS / 2:
        return f"{sign}<${_LEAST_DOLLARS}"
    if amount >= _TEN_CENTS:
        return f"{sign}${amount:,.2f}"
    whole, _, cents = f"{amount:.4f}".partition(".")
    return f"{sign}${whole}.{cents[:2]}{cents[2:].rstrip('0')}"


def price(value: float | None) -> str:
    """A price, or a round amount, in all its digits.

    >>> price(0.125), price(0.0004), price(0.5), price(5), price(30_000)
    ('$0.125', '$0.0004', '$0.50', '$5', '$30,000')
    """
    if value is None:
        return ""
    whole, _, part = f"{Decimal(repr(float(value))):,f}".partition(".")
    part = part.rstrip("0")
    return f"${whole}.{part:0<2}" if part else f"${whole}"

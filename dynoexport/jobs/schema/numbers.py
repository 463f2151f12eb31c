"""Numbers as DynamoDB writes them: up to 38 digits."""

from __future__ import annotations

import re
from decimal import Decimal

LONG = 2**63
LONG_DIGITS = 19
# https://docs.aws.amazon.com/athena/latest/ug/data-types.html
DECIMAL_DIGITS = 38


def number_shape(text: str) -> tuple[str, int, int]:
    """Its type, "N" for a 64-bit integer, else "X"; its digits before and after the point.

    >>> number_shape("-12.50"), number_shape("1E+3"), number_shape("1E-3")
    (('X', 2, 1), ('N', 4, 0), ('X', 0, 3))
    """
    if len(text) < LONG_DIGITS and text.isdigit():
        return "N", len(text.lstrip("0")), 0
    number = Decimal(text)
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{text} is not a finite number")  # noqa: TRY004 - its text is wrong
    significant = "".join(map(str, digits)).rstrip("0")
    if not significant:
        return "N", 0, 0
    exponent += len(digits) - len(significant)
    before, behind = max(len(significant) + exponent, 0), max(-exponent, 0)
    is_long = not behind and before <= LONG_DIGITS and -LONG <= int(number) < LONG
    return ("N" if is_long else "X"), before, behind


JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def json_number(text: str) -> str:
    """The number's exact text, or the same number as JSON can write it."""
    return text if JSON_NUMBER.fullmatch(text) else plain_number(text)


def plain_number(text: str) -> str:
    return format(Decimal(text), "f")


def parse_whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(Decimal(text))

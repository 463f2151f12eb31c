"""What Glue's connector may change of an attribute's values: "Three readers" in docs/types.md."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.formats import LINE_FORMATS
from dynoexport.jobs.schema.dynamodb_json import ELEMENTS
from dynoexport.jobs.schema.numbers import number_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dynoexport.jobs.schema.profile import Profile

LOST_DIGITS = "numbers of more than 15 digits"
LOST_ORDER = "sets"
LOST_ELEMENTS = "lists of other values than text"
LOST_NULLS = "nulls in lists"
LOST_COLUMN = "only nulls"
LOST_BYTES = "binary values"


def find_losses(items: Iterable[Mapping[str, Any]], fmt: str) -> dict[str, list[str]]:
    """The kinds of values that the connector may change, by attribute; without others.

    The items are in DynamoDB JSON. Keys of maps can be data, so values inside a map are named by
    the attribute alone.
    """
    kinds: dict[str, set[str]] = {}
    held: set[str] = set()
    for item in items:
        for name, value in item.items():
            kinds.setdefault(name, set()).update(value_losses(value, fmt))
            if "NULL" not in value:
                held.add(name)
    for name in set(kinds) - held:
        kinds[name].add(LOST_COLUMN)
    return {name: sorted(kinds[name]) for name in sorted(kinds) if kinds[name]}


def value_losses(value: Mapping[str, Any], fmt: str) -> Iterator[str]:
    """The kinds of losses of a value and of all values in it."""
    ((code, content),) = value.items()
    parts: Iterable[Mapping[str, Any]] = ()
    if code == "N" and not survives_double(content):
        yield LOST_DIGITS
    elif code == "B" and fmt not in LINE_FORMATS:
        yield LOST_BYTES
    elif code in ELEMENTS:
        yield LOST_ORDER
        parts = [{ELEMENTS[code]: element} for element in content]
    elif code == "L":
        yield from element_losses(content)
        parts = content
    elif code == "M":
        parts = content.values()
    for part in parts:
        yield from value_losses(part, fmt)


def element_losses(elements: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Elements of a list arrive as text, without nulls."""
    for element in elements:
        if "NULL" in element:
            yield LOST_NULLS
        elif "S" not in element:
            yield LOST_ELEMENTS


def survives_double(text: str) -> bool:
    """Whether the number is the same if it is no 64-bit integer and becomes a double.

    >>> survives_double("12.5"), survives_double("1E+100"), survives_double("0.1234567890123456789")
    (True, True, False)
    """
    kind, _, _ = number_shape(text)
    return kind == "N" or Decimal(repr(float(text))) == Decimal(text)


def count_doubles(profile: Profile) -> int:
    """How many numbers arrived as doubles, also in lists and maps."""
    parts = [profile.element, *profile.fields.values()]
    inside = sum(count_doubles(part) for part in parts if part is not None)
    return profile.counts.get("D", 0) + inside

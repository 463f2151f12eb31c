"""DynamoDB JSON: each value under the code of its type."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class WholeNumber(str):
    """The text of a whole number in plain JSON."""

    __slots__ = ()


class DoubleNumber(str):
    """The text of any other number in plain JSON."""

    __slots__ = ()


# The codes of plain JSON's scalars; "D" is a double, a type that DynamoDB does not have.
CODES = {WholeNumber: "N", DoubleNumber: "D", str: "S", bool: "BOOL"}


def to_dynamodb_json(value: object) -> dict[str, Any]:
    """A value of plain JSON in DynamoDB JSON."""
    if isinstance(value, list):
        return {"L": [to_dynamodb_json(element) for element in value]}
    if isinstance(value, dict):
        return {"M": {name: to_dynamodb_json(inner) for name, inner in value.items()}}
    if value is None:
        return {"NULL": True}
    # As str: Spark cannot send the two classes of text.
    return {CODES[type(value)]: str(value) if isinstance(value, str) else value}


# DynamoDB's types by group; one column can hold a group. For "D" and "X" see Profile.
GROUPS = {
    "S": "s",
    "N": "n",
    "X": "n",
    "D": "n",
    "BOOL": "bool",
    "B": "b",
    "L": "l",
    "M": "m",
}
ELEMENTS = {"SS": "S", "NS": "N", "BS": "B"}


def list_elements(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The elements of a list or a set; a set's are sorted, because DynamoDB returns any order."""
    ((code, content),) = value.items()
    if code == "L":
        return list(content)
    key = Decimal if code == "NS" else None
    return [{ELEMENTS[code]: element} for element in sorted(content, key=key)]


def type_group(value: Mapping[str, Any]) -> str:
    (code,) = value
    return "l" if code in ELEMENTS else GROUPS[code]

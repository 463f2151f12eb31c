"""Items from a file of JSON lines: plain JSON, or DynamoDB JSON as AWS's own tools write it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
_TYPE_CODES = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})
_KEY_TYPES = ("S", "N", "B")

Item = dict[str, Any]
"""An item in DynamoDB JSON: attribute name to ``{type code: value}``."""


class ItemsRefused(DynoexportError):
    """A file of items that DynamoDB would refuse."""


@dataclass(frozen=True)
class Key:
    """The key attributes of a table: a partition (HASH) key and perhaps a sort (RANGE) key."""

    hash: str
    range: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.hash,) if self.range is None else (self.hash, self.range)


def parse_key(text: str) -> Key:
    """``HASH`` or ``HASH:RANGE``.

    Raises:
        ItemsRefused: it has neither form.
    """
    match = re.fullmatch(r"([^:]+)(?::([^:]+))?", text)
    if match is None:
        raise ItemsRefused(f"{text!r} is not a key", hint="write HASH or HASH:RANGE")
    return Key(match[1], match[2])


def read(lines: Iterable[str], key: Key) -> Iterator[Item]:
    """The items of the lines, in DynamoDB JSON. Empty lines are skipped.

    Raises:
        ItemsRefused: names the first line that is no item, or lacks a key attribute.
    """
    types: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        item = _parse(line, number)
        for name in key.names:
            code = _key_type(item, name, number)
            if types.setdefault(name, code) != code:
                raise ItemsRefused(
                    f"line {number}: key attribute {name!r} is {code} here, {types[name]} before",
                    hint="a key attribute has one type in the whole table",
                )
        yield item


def key_types(items: Iterable[Item], key: Key) -> dict[str, str]:
    """Type code (S, N or B) of each key attribute; S for all if there are no items."""
    first = next(iter(items), None)
    return {name: "S" if first is None else next(iter(first[name])) for name in key.names}


def _key_type(item: Item, name: str, number: int) -> str:
    if name not in item:
        raise ItemsRefused(
            f"line {number}: the key attribute {name!r} is missing",
            hint=f"it has {', '.join(sorted(item)) or 'no attributes'}",
        )
    code = next(iter(item[name]))
    if code not in _KEY_TYPES:
        raise ItemsRefused(
            f"line {number}: the key attribute {name!r} is {code}",
            hint="a key attribute is a string (S), a number (N) or binary (B)",
        )
    return str(code)


def _parse(line: str, number: int) -> Item:
    try:
        # DynamoDB's numbers have 38 digits, floats have 15: keep the text exact.
        value = json.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise ItemsRefused(
            f"line {number} is not JSON: {error}", hint="write one item a line"
        ) from error
    if not isinstance(value, dict):
        raise ItemsRefused(f"line {number} is not a JSON object", hint="write one item a line")
    # DynamoDB's own exports wrap each item:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    if set(value) == {"Item"} and isinstance(value["Item"], dict):
        value = value["Item"]
    try:
        return _with_bytes(value) if _is_dynamodb_json(value) else _typed(value)
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ItemsRefused(
            f"line {number} is not an item: {error}", hint="see DynamoDB's data types"
        ) from error


def _is_dynamodb_json(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(
        isinstance(attribute, dict) and len(attribute) == 1 and set(attribute) <= _TYPE_CODES
        for attribute in value.values()
    )


def _typed(value: Mapping[str, Any]) -> Item:
    serializer = TypeSerializer()
    return {name: serializer.serialize(attribute) for name, attribute in value.items()}


def _with_bytes(value: Mapping[str, Any]) -> Item:
    """boto3 takes bytes where DynamoDB JSON has base64 text; the types are checked on the way."""
    item = {name: _decode(attribute) for name, attribute in value.items()}
    serializer, deserializer = TypeSerializer(), TypeDeserializer()
    for attribute in item.values():
        # Serializing refuses what deserializing accepts: a text that is not a number.
        serializer.serialize(deserializer.deserialize(cast("Any", attribute)))
    return item


def _decode(attribute: Mapping[str, Any]) -> dict[str, Any]:
    ((code, value),) = attribute.items()
    if code == "B":
        return {code: _bytes(value)}
    if code == "BS":
        return {code: [_bytes(element) for element in value]}
    if code == "L":
        return {code: [_decode(element) for element in value]}
    if code == "M":
        return {code: {name: _decode(element) for name, element in value.items()}}
    return {code: value}


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{text!r} is not base64") from error

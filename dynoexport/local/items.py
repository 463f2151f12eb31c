"""Items from a file of JSON lines: plain JSON, or DynamoDB JSON as AWS's own tools write it."""

from __future__ import annotations

import base64
import binascii
import codecs
import gzip
import io
import json
import re
import stat
import zlib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from dynoexport.errors import DynoexportError
from dynoexport.local.services import attribute_values, item_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
_TYPE_CODES = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})
_KEY_TYPES = ("S", "N", "B")
# "up to 32 levels deep", and items of at most 400 KB:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_LEVELS_MAX = 32
_ITEM_BYTES_MAX = 400 * 1024

_GZIP = b"\x1f\x8b"
# Byte order marks. Those of UTF-32 begin with those of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

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
    if match is None or match[1] == match[2]:
        raise ItemsRefused(f"{text!r} is not a key", hint="write HASH or HASH:RANGE")
    return Key(match[1], match[2])


def read_file(path: Path, key: Key) -> tuple[Item, ...]:
    """The items of a file in UTF-8, or in what its byte order mark says; it may be gzipped.

    Raises:
        ItemsRefused: the file cannot be read, or a line is not an item; the line is named.
    """
    return tuple(read(io.StringIO(_text(_read_bytes(path), path.name)), key))


def _read_bytes(path: Path) -> bytes:
    try:
        if stat.S_ISCHR(path.stat().st_mode):
            raise ItemsRefused(f"{path} is a device", hint="name a file with one item a line")
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        raise ItemsRefused(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}",
            hint="name a file with one item a line",
        ) from None


def _text(content: bytes, name: str) -> str:
    encoding = next((codec for mark, codec in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        number = content[: error.start].decode(encoding, "replace").count("\n") + 1
        shown = encoding.removesuffix("-sig").upper()
        raise ItemsRefused(
            f"line {number} of {name} is not {shown}", hint="save the file as UTF-8"
        ) from None


def read(lines: Iterable[str], key: Key) -> Iterator[Item]:
    """The items of the lines, in DynamoDB JSON. Empty lines are skipped.

    Raises:
        ItemsRefused: names the first line that is no item, lacks a key attribute, or has the key of
            another line.
    """
    types: dict[str, str] = {}
    numbers: dict[str, int] = {}
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
        _check_key(item, types, number)
        before = numbers.setdefault(repr([item[name] for name in key.names]), number)
        if before != number:
            raise ItemsRefused(
                f"line {number} has the key of line {before}",
                hint="a table has one item for each key: remove one, or name another --key",
            )
        yield item


def _check_key(item: Item, types: Mapping[str, str], number: int) -> None:
    fault = item_keys.fault(item_keys.extract_key(item, types), types)
    if fault is not None:
        raise ItemsRefused(f"line {number}: {fault}", hint="see DynamoDB's limits of keys")


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
    except RecursionError:
        raise _too_deep(number) from None
    if not isinstance(value, dict):
        raise ItemsRefused(f"line {number} is not a JSON object", hint="write one item a line")
    # DynamoDB's own exports wrap each item:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    if set(value) == {"Item"} and isinstance(value["Item"], dict):
        value = value["Item"]
    try:
        return _stored(_with_bytes(value) if _is_dynamodb_json(value) else _typed(value), number)
    except RecursionError:
        raise _too_deep(number) from None
    except attribute_values.InvalidValue as error:
        raise _not_an_item(number, error.said) from None
    except _NotItemError as error:
        raise _not_an_item(number, str(error)) from None
    except (TypeError, ValueError, AttributeError, ArithmeticError):
        # The text of these quotes the value.
        raise _not_an_item(number, "a value does not fit its type") from None


def _not_an_item(number: int, why: str) -> ItemsRefused:
    return ItemsRefused(f"line {number} is not an item: {why}", hint="see DynamoDB's data types")


class _NotItemError(Exception):
    """What is wrong with an item, without the value."""


def _too_deep(number: int) -> ItemsRefused:
    return ItemsRefused(
        f"line {number} is nested too deeply", hint=f"DynamoDB takes {_LEVELS_MAX} levels"
    )


def _stored(item: Item, number: int) -> Item:
    """The item as DynamoDB keeps it.

    Raises:
        ItemsRefused: it is nested too deeply, or too large.
        InvalidValue: DynamoDB refuses a value.
    """
    if any(_levels(value) > _LEVELS_MAX for value in item.values()):
        raise _too_deep(number)
    kept = {name: attribute_values.normalize(value) for name, value in item.items()}
    if sum(len(name.encode()) + _size(value) for name, value in kept.items()) > _ITEM_BYTES_MAX:
        raise ItemsRefused(f"line {number} is too large", hint="DynamoDB takes 400 KB an item")
    return kept


def _elements(value: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """What a list or a map contains; nothing for other types."""
    ((code, content),) = value.items()
    return content if code == "L" else content.values() if code == "M" else ()


def _levels(value: Mapping[str, Any]) -> int:
    nested = "L" in value or "M" in value
    return nested + max(map(_levels, _elements(value)), default=0)


def _size(value: Mapping[str, Any]) -> int:
    """Bytes that DynamoDB counts for a value.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    ((code, content),) = value.items()
    if code in ("S", "B"):
        return item_keys.byte_length(code, content)
    if code == "N":
        return attribute_values.number_size(content)
    if code in ("SS", "NS", "BS"):
        return sum(_size({code[0]: element}) for element in content)
    if code not in ("L", "M"):
        return 1
    names = sum(len(name.encode()) for name in content) if code == "M" else 0
    return 3 + names + sum(1 + _size(element) for element in _elements(value))


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
    if code in {"BOOL", "NULL"} and not isinstance(value, bool):
        raise _NotItemError(f"a {code} is not true or false")
    if code in {"SS", "NS", "BS", "L"} and not isinstance(value, list):
        raise _NotItemError(f"a {code} is not an array")
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
        raise _NotItemError("a B is not base64") from error

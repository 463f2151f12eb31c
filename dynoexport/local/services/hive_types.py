"""Column types between the catalog's Hive names, Arrow and Athena."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa

_TO_HIVE = {
    pa.string(): "string",
    pa.large_string(): "string",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.binary(): "binary",
    pa.large_binary(): "binary",
    pa.date32(): "date",
    pa.null(): "string",
}
_TO_ARROW = {
    "string": pa.string(),
    "varchar": pa.string(),
    "char": pa.string(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
_TO_ATHENA = {
    "string": "varchar",
    "int": "integer",
    "binary": "varbinary",
    "float": "real",
}
# As Athena returned them to the tests of PyAthena; other types have 0:
# https://github.com/laughingman7743/PyAthena/blob/master/tests/pyathena/test_cursor.py
_PRECISIONS = {
    "tinyint": 3,
    "smallint": 5,
    "integer": 10,
    "bigint": 19,
    "float": 17,
    "double": 17,
    "varchar": 2**31 - 1,
    "timestamp": 3,
    "timestamp with time zone": 3,
    "time": 3,
    "varbinary": 2**30,
}


def from_arrow(kind: pa.DataType) -> str:
    """The Hive name of an Arrow type: ``array<struct<a:bigint>>``."""
    if pa.types.is_struct(kind):
        fields = (f"{field.name.lower()}:{from_arrow(field.type)}" for field in kind)
        return f"struct<{','.join(fields)}>"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"array<{from_arrow(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{from_arrow(kind.key_type)},{from_arrow(kind.item_type)}>"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    # Types that Hive lacks, such as a time of day, can only be read as text.
    return _TO_HIVE.get(kind, "string")


def to_arrow(hive: str) -> pa.DataType:
    """The Arrow type of a Hive type name.

    A field's name is whatever stands before the colon, since keys of a DynamoDB map are free
    text and a crawler writes them as they are.

    Raises:
        ValueError: it is not the name of a type.
    """
    head, opened, inner = hive.strip().partition("<")
    head = head.lower()
    if not opened:
        return _plain(head)
    parts = _parts(inner.removesuffix(">")) if inner.endswith(">") else []
    if head == "struct" and parts:
        return pa.struct([_field(part) for part in parts])
    if head == "array" and len(parts) == 1:
        return pa.list_(to_arrow(parts[0]))
    if head == "map" and len(parts) == 2:  # noqa: PLR2004 - key and value
        return pa.map_(to_arrow(parts[0]), to_arrow(parts[1]))
    raise ValueError(f"no Hive type: {hive}")


def _plain(name: str) -> pa.DataType:
    head, _, arguments = name.partition("(")
    if head == "decimal":
        numbers = [int(number) for number in re.findall(r"\d+", arguments)]
        return pa.decimal128(*(numbers or [10, 0]))
    if head not in _TO_ARROW:
        raise ValueError(f"no Hive type: {name}")
    return _TO_ARROW[head]


def _field(part: str) -> pa.Field:
    name, _, kind = part.partition(":")
    return pa.field(name.strip().lower(), to_arrow(kind))


def _parts(inner: str) -> list[str]:
    """The parts between commas, without commas in inner brackets."""
    parts, depth = [""], 0
    for character in inner:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def to_athena(kind: pa.DataType) -> str:
    """The type's name in the metadata of Athena's results: the outermost of nested types."""
    name = re.sub(r"\(.*\)", "", view_type(kind))
    return "float" if name == "real" else name


def digits(kind: pa.DataType) -> tuple[int, int]:
    """Precision and scale in the metadata of Athena's results."""
    if pa.types.is_decimal(kind):
        return kind.precision, kind.scale
    return _PRECISIONS.get(to_athena(kind), 0), 0


def view_type(kind: pa.DataType) -> str:
    """The name of the type in the definition of a view: ``array(row("sku" varchar))``.

    Names of fields are quoted, as https://github.com/prestodb/presto/issues/18819 shows.
    """
    if pa.types.is_struct(kind):
        fields = (f'"{field.name}" {view_type(field.type)}' for field in kind)
        return f"row({','.join(fields)})"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"array({view_type(kind.value_type)})"
    if pa.types.is_map(kind):
        return f"map({view_type(kind.key_type)},{view_type(kind.item_type)})"
    if pa.types.is_timestamp(kind):
        return "timestamp(3)" if kind.tz is None else "timestamp(3) with time zone"
    name = from_arrow(kind)
    return _TO_ATHENA.get(name, name)


def text(value: Any) -> str | None:  # noqa: PLR0911 - a type each
    """A value as Athena prints it in a result; None for NULL.

    Arrays print as ``[a, b]``, rows and maps as ``{name=value}``:
    https://docs.aws.amazon.com/athena/latest/ug/querying-arrays.html
    Timestamps have milliseconds, without which PyAthena could not parse them:
    https://github.com/laughingman7743/PyAthena/blob/master/pyathena/converter.py
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        # The zone's name, as Trino prints it; ``tzname()`` would be the hour's, such as CET.
        zone = "" if value.tzinfo is None else f" {value.tzinfo}"
        return value.replace(tzinfo=None).isoformat(" ", "milliseconds") + zone
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_inner(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inner, value)) + "]"
    return value.hex(" ") if isinstance(value, bytes) else str(value)


def _inner(value: Any) -> str:
    return "null" if value is None else str(text(value))

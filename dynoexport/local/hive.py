"""Column types between the catalog's Hive names, Arrow and Athena."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from sqlglot import exp

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
    exp.DataType.Type.TINYINT: pa.int8(),
    exp.DataType.Type.SMALLINT: pa.int16(),
    exp.DataType.Type.INT: pa.int32(),
    exp.DataType.Type.BIGINT: pa.int64(),
    exp.DataType.Type.FLOAT: pa.float32(),
    exp.DataType.Type.DOUBLE: pa.float64(),
    exp.DataType.Type.BOOLEAN: pa.bool_(),
    exp.DataType.Type.BINARY: pa.binary(),
    exp.DataType.Type.DATE: pa.date32(),
    exp.DataType.Type.TIMESTAMP: pa.timestamp("us"),
}
_TO_ATHENA = {
    "string": "varchar",
    "int": "integer",
    "binary": "varbinary",
    "float": "real",
    "timestamp": "timestamp(3)",
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
    return _TO_HIVE[kind]


def to_arrow(hive: str) -> pa.DataType:
    """The Arrow type of a Hive name."""
    return _arrow(exp.DataType.build(hive, dialect="hive"))


def _arrow(kind: exp.DataType) -> pa.DataType:
    inner = kind.expressions
    if kind.this == exp.DataType.Type.STRUCT:
        return pa.struct([pa.field(field.name, _arrow(field.args["kind"])) for field in inner])
    if kind.this in {exp.DataType.Type.ARRAY, exp.DataType.Type.LIST}:
        return pa.list_(_arrow(inner[0]))
    if kind.this == exp.DataType.Type.MAP:
        return pa.map_(_arrow(inner[0]), _arrow(inner[1]))
    if kind.this == exp.DataType.Type.DECIMAL:
        precision, scale = (int(part.name) for part in inner)
        return pa.decimal128(precision, scale)
    return _TO_ARROW.get(kind.this, pa.string())


def to_athena(kind: pa.DataType) -> str:
    """The name that Athena gives the type in a result's metadata."""
    if pa.types.is_struct(kind):
        return "row"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "array"
    if pa.types.is_map(kind):
        return "map"
    if pa.types.is_decimal(kind):
        return "decimal"
    name = from_arrow(kind)
    return _TO_ATHENA.get(name, name)


def text(value: Any) -> str | None:
    """A value as Athena prints it in a result; None for NULL.

    Arrays print as ``[a, b]``, rows and maps as ``{name=value}``:
    https://docs.aws.amazon.com/athena/latest/ug/querying-arrays.html
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_inner(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        # Arrow gives a map as pairs.
        pairs = bool(value) and isinstance(value[0], tuple)
        return text(dict(value)) if pairs else "[" + ", ".join(map(_inner, value)) + "]"
    return value.hex(" ") if isinstance(value, bytes) else str(value)


def _inner(value: Any) -> str:
    return "null" if value is None else str(text(value))

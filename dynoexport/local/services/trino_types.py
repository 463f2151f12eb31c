"""Trino's types as Arrow's: which become which, and their names in Trino and in DuckDB.

A timestamp's unit is its precision. A timestamp with a zone has that zone in its type; DuckDB
has it as a timestamp of UTC. https://trino.io/docs/476/language/types.html
"""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa
from sqlglot import exp

from dynoexport.local.services.trino_syntax import fail, unsupported

# An Arrow type.
Type: TypeAlias = Any
UNKNOWN, BOOLEAN, VARCHAR, VARBINARY = pa.null(), pa.bool_(), pa.string(), pa.binary()
TINYINT, SMALLINT, INTEGER, BIGINT = pa.int8(), pa.int16(), pa.int32(), pa.int64()
REAL, DOUBLE, DATE = pa.float32(), pa.float64(), pa.date32()
TIMESTAMP = pa.timestamp("ms")
# Arrow's types that Trino's results never have stand for those that Arrow lacks.
JSON = pa.large_string()
DAYS, MONTHS = pa.duration("ms"), pa.month_day_nano_interval()

_NAMES = {
    UNKNOWN: "unknown",
    BOOLEAN: "boolean",
    VARCHAR: "varchar",
    VARBINARY: "varbinary",
    TINYINT: "tinyint",
    SMALLINT: "smallint",
    INTEGER: "integer",
    BIGINT: "bigint",
    REAL: "real",
    DOUBLE: "double",
    DATE: "date",
    JSON: "json",
    DAYS: "interval day to second",
    MONTHS: "interval year to month",
}
BY_NAME = {name: kind for kind, name in _NAMES.items()} | {"int": INTEGER, "timestamp": TIMESTAMP}
# What DuckDB calls otherwise.
_IN_DUCKDB = {
    UNKNOWN: "INTEGER",
    VARBINARY: "BLOB",
    JSON: "VARCHAR",
    DAYS: "BIGINT",
    MONTHS: "BIGINT",
}
INTEGERS = (TINYINT, SMALLINT, INTEGER, BIGINT)
_DIGITS = {TINYINT: 3, SMALLINT: 5, INTEGER: 10, BIGINT: 19}
DIGITS_MAX = 38
_UNITS = {"s": 0, "ms": 3, "us": 6}


def is_decimal(kind: Type) -> bool:
    return kind is not None and bool(pa.types.is_decimal(kind))


def is_timestamp(kind: Type) -> bool:
    return bool(pa.types.is_timestamp(kind))


def is_numeric(kind: Type) -> bool:
    return kind in INTEGERS or kind in {REAL, DOUBLE} or is_decimal(kind)


def as_decimal(kind: Type) -> Type:
    """The decimal that holds every number of the integer type."""
    return pa.decimal128(_DIGITS[kind], 0) if kind in INTEGERS else kind


def name(kind: Type) -> str:
    """Trino's name of the type."""
    if pa.types.is_list(kind):
        return f"array({name(kind.value_type)})"
    if pa.types.is_map(kind):
        return f"map({name(kind.key_type)}, {name(kind.item_type)})"
    if pa.types.is_struct(kind):
        return f"row({', '.join(f'{field.name} {name(field.type)}' for field in kind)})"
    if is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if is_timestamp(kind):
        return f"timestamp({_UNITS[kind.unit]})" + (" with time zone" if kind.tz else "")
    return _NAMES.get(kind, str(kind))


def in_duckdb(kind: Type) -> str:
    """DuckDB's name of the type."""
    if pa.types.is_list(kind):
        return f"{in_duckdb(kind.value_type)}[]"
    if pa.types.is_map(kind):
        return f"MAP({in_duckdb(kind.key_type)}, {in_duckdb(kind.item_type)})"
    if pa.types.is_struct(kind):
        fields = (f"{quoted(field.name)} {in_duckdb(field.type)}" for field in kind)
        return f"STRUCT({', '.join(fields)})"
    if is_timestamp(kind):
        return "TIMESTAMP"
    return _IN_DUCKDB.get(kind) or name(kind)


def quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def from_table(kind: Type) -> Type:
    """The type of a table's column: Athena reads timestamps with milliseconds."""
    if is_timestamp(kind):
        return TIMESTAMP
    if pa.types.is_list(kind):
        return pa.list_(from_table(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(from_table(kind.key_type), from_table(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, from_table(field.type)) for field in kind])
    return kind


def in_results(kind: Type) -> Type:
    """The Arrow type of a column of results."""
    if kind in {DAYS, MONTHS}:
        unsupported(f"a query whose result has the type {name(kind)}")
    if is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_list(kind):
        return pa.list_(in_results(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(in_results(kind.key_type), in_results(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, in_results(field.type)) for field in kind])
    return {JSON: VARCHAR, UNKNOWN: VARCHAR}.get(kind, kind)


def common(first: Type, second: Type) -> Type | None:  # noqa: PLR0911 - a rule each
    """The type that both become without a CAST; None if there is none.

    https://github.com/trinodb/trino/blob/476/core/trino-main/src/main/java/io/trino/type/TypeCoercion.java
    """
    if second in {first, UNKNOWN}:
        return first
    if first == UNKNOWN:
        return second
    if is_numeric(first) and is_numeric(second):
        return _common_number(first, second)
    if pa.types.is_list(first) and pa.types.is_list(second):
        inner = common(first.value_type, second.value_type)
        return None if inner is None else pa.list_(inner)
    if pa.types.is_map(first) and pa.types.is_map(second):
        key = common(first.key_type, second.key_type)
        item = common(first.item_type, second.item_type)
        return None if key is None or item is None else pa.map_(key, item)
    if pa.types.is_struct(first) and pa.types.is_struct(second):
        return _common_row(first, second)
    return _common_time(first, second)


def _common_number(first: Type, second: Type) -> Type:
    for kind in (DOUBLE, REAL):
        if kind in {first, second}:
            return kind
    if first in INTEGERS and second in INTEGERS:
        return max(first, second, key=INTEGERS.index)
    left, right = as_decimal(first), as_decimal(second)
    scale = max(left.scale, right.scale)
    whole = max(left.precision - left.scale, right.precision - right.scale)
    return pa.decimal128(min(DIGITS_MAX, whole + scale), scale)


def _common_row(first: Type, second: Type) -> Type | None:
    if first.num_fields != second.num_fields:
        return None
    fields = []
    for left, right in zip(first, second, strict=True):
        inner = common(left.type, right.type)
        if inner is None:
            return None
        fields.append(pa.field(left.name, inner))
    return pa.struct(fields)


def _common_time(first: Type, second: Type) -> Type | None:
    dates = DATE in {first, second}
    if dates and is_timestamp(second if first == DATE else first):
        return second if first == DATE else first
    if is_timestamp(first) and is_timestamp(second):
        unit = max(first.unit, second.unit, key=list(_UNITS).index)
        return pa.timestamp(unit, first.tz or second.tz)
    return None


def coerces(source: Type, target: Type) -> bool:
    return bool(common(source, target) == target)


_CAST_NAMES = {
    "BOOLEAN": BOOLEAN,
    "TINYINT": TINYINT,
    "SMALLINT": SMALLINT,
    "INT": INTEGER,
    "BIGINT": BIGINT,
    "FLOAT": REAL,
    "DOUBLE": DOUBLE,
    "DATE": DATE,
    "VARBINARY": VARBINARY,
    "JSON": JSON,
}


def from_tree(kind: exp.DataType) -> Type:  # noqa: PLR0911, RET503 - a type each; unsupported() raises
    """The type that a CAST names."""
    word = kind.this.name if hasattr(kind.this, "name") else str(kind.this)
    inner: list[Any] = list(kind.expressions)
    if word in _CAST_NAMES and not inner:
        return _CAST_NAMES[word]
    if word in {"VARCHAR", "TEXT"}:
        return VARCHAR
    if word == "DECIMAL":
        numbers = [int(part.this.name) for part in inner] or [DIGITS_MAX]
        if not 0 < numbers[0] <= DIGITS_MAX or (numbers[1:] or [0])[0] > numbers[0]:
            fail("INVALID_PARAMETER_USAGE", f"DECIMAL precision must be in range [1, 38]: {kind}")
        return pa.decimal128(numbers[0], (numbers[1:] or [0])[0])
    if word == "ARRAY" and len(inner) == 1:
        return pa.list_(from_tree(inner[0]))
    if word == "MAP" and len(inner) == 2:  # noqa: PLR2004 - key and value
        return pa.map_(from_tree(inner[0]), from_tree(inner[1]))
    if word == "STRUCT" and inner:
        return pa.struct([_row_field(number, part) for number, part in enumerate(inner)])
    if word in {"TIMESTAMP", "TIMESTAMPTZ"}:
        return _timestamp(kind, word)
    unsupported(f"the type {kind.sql(dialect='trino')}")


def _row_field(number: int, part: Any) -> pa.Field:
    if isinstance(part, exp.ColumnDef):
        return pa.field(part.name.lower(), from_tree(part.args["kind"]))
    return pa.field(f"field{number}", from_tree(part))


def _timestamp(kind: exp.DataType, word: str) -> Type:
    digits = int(kind.expressions[0].this.name) if kind.expressions else 3
    unit = {number: unit for unit, number in _UNITS.items()}.get(digits)
    if unit is None:
        unsupported(f"a timestamp of precision {digits}")
    return pa.timestamp(unit, "UTC" if word == "TIMESTAMPTZ" else None)

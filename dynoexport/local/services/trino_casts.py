"""CAST from one of Trino's types to another, in DuckDB's SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from dynoexport.local.services import trino_types as types
from dynoexport.local.services import trino_udfs
from dynoexport.local.services.trino_overloads import guarded
from dynoexport.local.services.trino_syntax import fail, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport.local.services.trino_types import Type

Functions = dict[str, "tuple[Callable[..., Any], list[str], str]"]
"""Functions in Python that the SQL calls, by name."""

_SHAPES = {"s": "%Y-%m-%d %H:%M:%S", "ms": "%Y-%m-%d %H:%M:%S.%g", "us": "%Y-%m-%d %H:%M:%S.%f"}


class Typed(NamedTuple):
    """An expression in DuckDB's SQL with its type in Trino."""

    sql: str
    kind: Type


def text(value: str) -> str:
    """A text as a literal."""
    return "'" + value.replace("'", "''") + "'"


def local(value: Typed) -> str:
    """A timestamp in its own zone."""
    zone = value.kind.tz
    return value.sql if zone in {None, "UTC"} else f"trino_local({value.sql}, {text(zone)})"


def coerced(value: Typed, kind: Type) -> str:
    """The value as a wider type."""
    same = types.in_duckdb(value.kind) == types.in_duckdb(kind)
    if same and value.kind != types.UNKNOWN:
        return value.sql
    return f"CAST({value.sql} AS {types.in_duckdb(kind)})"


def cast(  # noqa: PLR0911 - a group of types each
    value: Typed, kind: Type, functions: Functions
) -> str:
    """CAST(value AS kind), as Trino does it.

    https://github.com/trinodb/trino/tree/476/core/trino-main/src/main/java/io/trino/type
    """
    source = value.kind
    if source in {kind, types.UNKNOWN}:
        return coerced(value, kind)
    if types.JSON in {source, kind}:
        unsupported(f"CAST of {types.name(source)} to {types.name(kind)}")
    if pa.types.is_nested(source) or pa.types.is_nested(kind):
        return _nested(value, kind, functions)
    if source == types.VARCHAR:
        return _of_text(value, kind, functions)
    if kind == types.VARCHAR:
        return _to_text(value)
    if types.BOOLEAN in {source, kind}:
        return _boolean(value, kind)
    if types.is_numeric(source) and types.is_numeric(kind):
        return _number(value, kind)
    return _time(value, kind)


def _mismatch(source: Type, kind: Type) -> str:
    fail("TYPE_MISMATCH", f"Cannot cast {types.name(source)} to {types.name(kind)}")


def _of_text(  # noqa: PLR0911, RET503 - a type each; unsupported() raises
    value: Typed, kind: Type, functions: Functions
) -> str:
    sql, named = value.sql, types.in_duckdb(kind)
    if kind in types.INTEGERS:
        return f"CAST(trino_integer({sql}, {kind.bit_width}) AS {named})"
    if kind in {types.REAL, types.DOUBLE}:
        # A function in Python cannot give NaN.
        return (
            f"CAST(CASE WHEN {sql} IN ('NaN', 'Infinity', '-Infinity', '+Infinity') "
            f"THEN CAST({sql} AS DOUBLE) ELSE trino_double({sql}) END AS {named})"
        )
    if kind == types.BOOLEAN:
        return f"trino_boolean({sql})"
    if kind == types.DATE:
        return f"trino_date({sql})"
    if kind == types.VARBINARY:
        return f"encode({sql})"
    if types.is_decimal(kind):
        name = f"trino_decimal_{kind.precision}_{kind.scale}"
        function = trino_udfs.decimal_cast(kind.precision, kind.scale)
        functions[name] = (function, ["VARCHAR"], named)
        return f"{name}({sql})"
    if types.is_timestamp(kind) and kind.tz is None:
        return rounded(f"trino_timestamp({sql})", kind.unit)
    unsupported(f"CAST of varchar to {types.name(kind)}")


def rounded(sql: str, unit: str) -> str:
    """A timestamp with the precision of the unit."""
    micros = {"s": 1_000_000, "ms": 1_000}.get(unit)
    if micros is None:
        return sql
    steps = f"CAST(floor((epoch_us({sql}) + {micros // 2}) / {micros}.0) AS BIGINT)"
    return f"make_timestamp({steps} * {micros})"


def _to_text(value: Typed) -> str:
    sql, source = value
    if source in {types.DAYS, types.MONTHS, types.VARBINARY}:
        _mismatch(source, types.VARCHAR)
    if source == types.DOUBLE:
        return f"trino_double_text({sql})"
    if source == types.REAL:
        return f"trino_real_text({sql})"
    if types.is_timestamp(source):
        zone = f" || {text(' ' + source.tz)}" if source.tz else ""
        return f"(strftime({local(value)}, '{_SHAPES[source.unit]}'){zone})"
    return f"CAST({sql} AS VARCHAR)"


def _boolean(value: Typed, kind: Type) -> str:
    if kind == types.BOOLEAN and types.is_numeric(value.kind):
        return f"({value.sql} <> 0)"
    if types.is_numeric(kind):
        return f"CAST(CAST({value.sql} AS INTEGER) AS {types.in_duckdb(kind)})"
    _mismatch(value.kind, kind)
    raise AssertionError


def _number(value: Typed, kind: Type) -> str:
    fraction = value.kind in {types.REAL, types.DOUBLE} or types.is_decimal(value.kind)
    sql = f"round({value.sql})" if fraction and kind in types.INTEGERS else value.sql
    return f"CAST({sql} AS {types.in_duckdb(kind)})"


def _time(value: Typed, kind: Type) -> str:
    source = value.kind
    if types.is_timestamp(source) and kind == types.DATE:
        return f"CAST({local(value)} AS DATE)"
    if source == types.DATE and types.is_timestamp(kind) and kind.tz in {None, "UTC"}:
        return f"CAST({value.sql} AS TIMESTAMP)"
    if types.is_timestamp(source) and types.is_timestamp(kind):
        if source.tz is None or kind.tz is None:
            return rounded(local(value), kind.unit)
        return rounded(value.sql, kind.unit)
    _mismatch(source, kind)
    raise AssertionError


_names = iter(range(10**9))


def _nested(value: Typed, kind: Type, functions: Functions) -> str:
    source = value.kind
    if pa.types.is_list(source) and pa.types.is_list(kind):
        one = f"v{next(_names)}"
        inner = cast(Typed(one, source.value_type), kind.value_type, functions)
        return f"list_transform({value.sql}, lambda {one}: {inner})"
    if pa.types.is_struct(source) and pa.types.is_struct(kind):
        if source.num_fields != kind.num_fields:
            _mismatch(source, kind)
        fields = [
            f"{types.quoted(new.name)} := "
            + cast(Typed(field_of(value.sql, old.name), old.type), new.type, functions)
            for old, new in zip(source, kind, strict=True)
        ]
        return f"CASE WHEN {value.sql} IS NOT NULL THEN struct_pack({', '.join(fields)}) END"
    if types.coerces(source, kind):
        return coerced(value, kind)
    if pa.types.is_map(source) and pa.types.is_map(kind):
        unsupported(f"CAST of {types.name(source)} to {types.name(kind)}")
    return _mismatch(source, kind)


def field_of(sql: str, name: str) -> str:
    """A field of a row."""
    return f"struct_extract({sql}, {text(name)})"


def bounded(value: Typed, size: int, functions: Functions) -> str:
    """CAST(value AS varchar(size)): a text loses its end, another value must fit."""
    sql = cast(value, types.VARCHAR, functions)
    if value.kind in {types.VARCHAR, types.UNKNOWN}:
        return f"left({sql}, {size})"
    return guarded(
        f"length({sql}) > {size}",
        f"INVALID_CAST_ARGUMENT: Value cannot be represented as varchar({size})",
        sql,
    )

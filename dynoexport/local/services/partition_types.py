"""Partitions whose column types differ from the table's: coerced or refused, as by Trino.

Trino compares the types of columns of one name. It reads the files as the partition states them:
https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/HiveSplitManager.java
https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/util/HiveCoercionPolicy.java
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dynoexport.local.services import hive_types, trino_udfs
from dynoexport.local.services.trino_syntax import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def stored(
    table: Mapping[str, Any], partition: str, name: str, columns: Sequence[Mapping[str, str]]
) -> str:
    """The type to read the column's values as.

    Raises:
        QueryFailed: the partition's type is not coerced to the table's.
    """
    types = {column["Name"].lower(): column["Type"] for column in columns}
    kind = next(
        column["Type"] for column in table["StorageDescriptor"]["Columns"] if column["Name"] == name
    )
    own = types.get(name.lower(), kind)
    try:
        source, target = hive_types.to_arrow(own), hive_types.to_arrow(kind)
    except ValueError:
        # The table's type is refused when it is read.
        return str(kind)
    if source == target:
        return str(kind)
    if not can_coerce(source, target):
        raise QueryFailed(
            "HIVE_PARTITION_SCHEMA_MISMATCH: There is a mismatch between the table and partition "
            f"schemas. The types are incompatible and cannot be coerced. The column '{name}' in "
            f"table '{table['DatabaseName']}.{table['Name']}' is declared as type '{kind}', but "
            f"partition '{partition}' declared column '{name}' as type '{own}'."
        )
    return str(own)


def can_coerce(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether Trino coerces values of a partition's type to the table's."""
    if source == target:
        return True
    if pa.types.is_struct(source) and pa.types.is_struct(target):
        # Fields may come or go at the end.
        return all(
            old.name == new.name and can_coerce(old.type, new.type)
            for old, new in zip(source, target, strict=False)
        )
    if pa.types.is_list(source) and pa.types.is_list(target):
        return can_coerce(source.value_type, target.value_type)
    if pa.types.is_map(source) and pa.types.is_map(target):
        return can_coerce(source.key_type, target.key_type) and can_coerce(
            source.item_type, target.item_type
        )
    return _group(target) in _PRIMITIVE.get(_group(source), ())


def _group(kind: pa.DataType) -> str:
    return re.sub(r"\(.*|\[.*|128.*", "", str(kind))


# As a Trino 476 answered for each pair: tests/local_catalog/trino_partition_types.json.
_PRIMITIVE: dict[str, set[str]] = {
    "string": {
        *("int8", "int16", "int32", "int64", "float", "double", "bool", "timestamp", "date32")
    },
    "int8": {"string", "int16", "int32", "int64", "double", "decimal"},
    "int16": {"string", "int32", "int64", "double", "decimal"},
    "int32": {"string", "int64", "double", "decimal"},
    "int64": {"string", "double", "decimal"},
    "float": {"string", "double", "decimal"},
    "double": {"string", "float", "decimal"},
    "bool": {"string"},
    "decimal": {"string", "int8", "int16", "int32", "int64", "float", "double", "decimal"},
    "date32": {"string"},
    "timestamp": {"string", "date32"},
    "binary": {"string"},
}


def coerced(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in the table's types; a value that does not fit is null."""
    arrays = [
        column
        if column.type == field.type
        else pa.array(
            [_value(value, column.type, field.type) for value in column.to_pylist()], field.type
        )
        for column, field in zip(rows.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _value(value: Any, source: pa.DataType, target: pa.DataType) -> Any:
    if value is None or source == target:
        return value
    if pa.types.is_struct(target):
        return {
            new.name: _value(value[new.name], source.field(new.name).type, new.type)
            for new in target
            if source.get_field_index(new.name) >= 0
        }
    if pa.types.is_list(target):
        return [_value(one, source.value_type, target.value_type) for one in value]
    if pa.types.is_map(target):
        return [
            (
                _value(key, source.key_type, target.key_type),
                _value(item, source.item_type, target.item_type),
            )
            for key, item in value
        ]
    return _plain_value(value, source, target)


def _plain_value(value: Any, source: pa.DataType, target: pa.DataType) -> Any:
    try:
        if pa.types.is_string(target):
            return _text(value, source)
        if pa.types.is_string(source):
            return _of_text(value, target)
        if pa.types.is_decimal(target):
            exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
            unit = Decimal(1).scaleb(-target.scale)
            value = exact.quantize(unit, ROUND_HALF_UP, Context(prec=80))
        elif pa.types.is_integer(target):
            value = int(value)
        elif pa.types.is_floating(target):
            value = float(value)
        else:
            value = value.date()
        return pa.scalar(value, target).as_py()
    except (pa.ArrowException, ArithmeticError, ValueError, OverflowError):
        return None


_SMALL, _LARGE = 1e-3, 1e7


def _text(value: Any, source: pa.DataType) -> str:
    """A value as Java prints it."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        shown = str(np.float32(value)) if source == pa.float32() else repr(value)
        plain = not value or _SMALL <= abs(value) < _LARGE
        return shown if plain else trino_udfs.float_text(value, shown)
    if isinstance(value, dt.datetime):
        return (
            value.isoformat(" ").removesuffix("000").rstrip("0")
            if value.microsecond
            else (value.isoformat(" "))
        )
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def _of_text(value: str, target: pa.DataType) -> Any:
    if target == pa.bool_():
        if value.lower() not in _TRUTHS:
            raise QueryFailed(
                f"NOT_SUPPORTED: the endpoint does not read the text {value!r} as boolean"
            )
        return _TRUTHS[value.lower()]
    try:
        return pa.scalar(value).cast(target).as_py()
    except pa.ArrowException as error:
        if target == pa.date32():
            raise QueryFailed(f"GENERIC_INTERNAL_ERROR: Invalid date value: {value}") from error
        return None

"""Items as Arrow batches of the columns' types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.scan.buffer import dynamodb_items, without_nulls
from dynoexport.jobs.schema.arrow_profile import present_children
from dynoexport.jobs.schema.column_names import OTHER_ATTRIBUTES
from dynoexport.jobs.schema.dynamodb_json import ELEMENTS, GROUPS
from dynoexport.jobs.schema.numbers import DECIMAL_DIGITS
from dynoexport.jobs.schema.types import (
    ARRAY,
    BIGINT,
    BINARY,
    BOOLEAN,
    DECIMAL,
    DOUBLE,
    MAP,
    STRING,
    STRUCT,
)
from dynoexport.jobs.schema.values import nullable, spark_value
from dynoexport.jobs.write.rows import row_converter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.schema.types import Type


def arrow_type(kind: Type) -> pa.DataType:
    """``spark_type`` for Arrow."""
    pa = arrow()
    if kind.kind == ARRAY:
        return pa.list_(arrow_type(kind.elements))
    if kind.kind == STRUCT:
        return pa.struct([(field.name, arrow_type(field.type)) for field in kind.fields])
    if kind.kind == DECIMAL:
        return pa.decimal128(DECIMAL_DIGITS, kind.scale)
    return {
        BIGINT: pa.int64(),
        DOUBLE: pa.float64(),
        BOOLEAN: pa.bool_(),
        BINARY: pa.binary(),
        MAP: pa.map_(pa.string(), pa.string()),
    }.get(kind.kind, pa.string())


def arrow_values(kind: Type, values: pa.StructArray, group: str = "") -> pa.Array:
    """The values as an array of the type; with ``group``, only the values of this group."""
    pa = arrow()
    codes = {
        code: content
        for code, content in present_children(values)
        if code != "NULL" and group in {"", "l" if code in ELEMENTS else GROUPS[code]}
    }
    if not codes:
        return pa.nulls(len(values), arrow_type(kind))
    try:
        array = cast_directly(kind, codes)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # A number such as 1E+3, or a cast that this version does not know.
        array = None
    return cast_in_python(kind, codes) if array is None else array


def cast_directly(kind: Type, codes: Mapping[str, pa.Array]) -> pa.Array | None:
    """The values, if Arrow itself can cast them to the type; else None.

    Raises:
        ArrowInvalid, ArrowNotImplementedError: Arrow tried and could not.
    """
    pa = arrow()
    if kind.kind == STRING and codes.keys() <= {"S", "N", "B"}:
        return pa.compute.coalesce(*codes.values())
    if len(codes) > 1:
        return None
    ((code, content),) = codes.items()
    if kind.kind in {BIGINT, DECIMAL} and code == "N":
        return pa.compute.cast(content, arrow_type(kind))
    if (kind.kind, code) == (BOOLEAN, "BOOL"):
        return content
    if (kind.kind, code) == (ARRAY, "L"):
        return list_values(kind, content)
    return struct_values(kind, content) if (kind.kind, code) == (STRUCT, "M") else None


def list_values(kind: Type, lists: pa.ListArray) -> pa.ListArray:
    pa = arrow()
    elements, offsets = lists.values, lists.offsets
    if lists.null_count:
        # For a null list, from_arrays expects a null offset. The end of the last list is no list's.
        is_there = pa.concat_arrays([lists.is_valid(), offsets.slice(0, 1).is_valid()])
        offsets = pa.compute.if_else(is_there, offsets, pa.nulls(len(offsets), offsets.type))
    if pa.types.is_null(elements.type):
        typed_elements = pa.nulls(len(elements), arrow_type(kind.elements))
    else:
        typed_elements = arrow_values(kind.elements, elements)
    return pa.ListArray.from_arrays(offsets, typed_elements)


def struct_values(kind: Type, maps: pa.StructArray) -> pa.StructArray:
    pa = arrow()
    held = dict(present_children(maps))
    fields = [
        arrow_values(field.type, held[field.attribute])
        if field.attribute in held
        else pa.nulls(len(maps), arrow_type(field.type))
        for field in kind.fields
    ]
    validity = maps.is_valid().buffers()[1]
    return pa.Array.from_buffers(arrow_type(kind), len(maps), [validity], children=fields)


def cast_in_python(kind: Type, codes: Mapping[str, pa.Array]) -> pa.Array:
    """The values, each cast in Python as for Spark's rows."""
    convert = spark_value(kind, for_arrow=True)
    lists = [content.to_pylist() for content in codes.values()]
    converted = []
    for contents in zip(*lists):
        held = [(code, value) for code, value in zip(codes, contents) if value is not None]
        converted.append(convert({held[0][0]: without_nulls(held[0][1])}) if held else None)
    return arrow().array(converted, arrow_type(kind))


def record_batch(
    columns: Sequence[Column], batch: list[dict[str, Any]] | pa.StructArray
) -> pa.RecordBatch:
    """The record batch of the items that ``read_piece`` gives."""
    pa = arrow()
    names = [column.name for column in columns]
    if isinstance(batch, list) or any(column.group == OTHER_ATTRIBUTES for column in columns):
        apart = row_converter(columns)
        rows = [apart(item) for item in dynamodb_items(batch)]
        converts = [nullable(spark_value(column.type, for_arrow=True)) for column in columns]
        arrays = [
            pa.array([convert(row[place]) for row in rows], arrow_type(column.type))
            for place, (column, convert) in enumerate(zip(columns, converts))
        ]
        return pa.RecordBatch.from_arrays(arrays, names=names)
    held = dict(present_children(batch))
    arrays = [
        arrow_values(column.type, held[column.attribute], column.group)
        if column.items and column.attribute in held
        else pa.nulls(len(batch), arrow_type(column.type))
        for column in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=names)

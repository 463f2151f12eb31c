"""Convert items to rows, and to lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.schema.column_names import OTHER_ATTRIBUTES
from dynoexport.jobs.schema.dynamodb_json import type_group
from dynoexport.jobs.schema.values import (
    json_object,
    json_value,
    nullable,
    spark_type,
    spark_value,
    text_value,
)
from dynoexport.jobs.write.text import csv_line, xml_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pyspark.sql.types import StructType

    from dynoexport.jobs.schema.columns import Column


def row_converter(columns: Sequence[Column]) -> Callable[[Mapping[str, Any]], list[Any]]:
    """A function: an item to a value for each column, in DynamoDB JSON; None for no value."""
    own = frozenset(column.attribute for column in columns)

    def cell(column: Column, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if column.group == OTHER_ATTRIBUTES:
            others = {name: value for name, value in item.items() if name not in own}
            return {"M": others} if others else None
        value: Mapping[str, Any] | None = item.get(column.attribute)
        if value is None or "NULL" in value:
            return None
        if column.group and type_group(value) != column.group:
            return None
        return value

    def taken_apart(item: Mapping[str, Any]) -> list[Any]:
        return [cell(column, item) if column.items else None for column in columns]

    return taken_apart


def spark_row_converter(
    columns: Sequence[Column],
) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """A function that turns an item into a row of values for Spark."""
    apart = row_converter(columns)
    converts = [nullable(spark_value(column.type)) for column in columns]
    return lambda item: tuple(convert(value) for convert, value in zip(converts, apart(item)))


def line_converter(columns: Sequence[Column], fmt: str) -> Callable[[Mapping[str, Any]], str]:
    """A function that turns an item into its line of a json, csv or xml file."""
    apart = row_converter(columns)
    names = [column.name for column in columns]
    if fmt == "json":
        converts = [json_value(column.type) for column in columns]
        return lambda item: json_object(zip(names, converts, apart(item)))
    text = nullable(text_value)
    if fmt == "csv":
        return lambda item: csv_line(map(text, apart(item)))
    return lambda item: xml_item(names, map(text, apart(item)))


def convert_items(
    items: Iterable[Any], convert: Callable[[], Callable[[Any], Any]]
) -> Iterator[Any]:
    """Convert each item. Each partition makes its own converter: Spark cannot send closures."""
    return map(convert(), items)


def spark_schema(columns: Sequence[Column]) -> StructType:
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(column.name, spark_type(column.type)) for column in columns])

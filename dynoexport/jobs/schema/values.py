"""Values in DynamoDB JSON, converted for Spark, Arrow and JSON."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.schema.dynamodb_json import ELEMENTS, list_elements
from dynoexport.jobs.schema.numbers import (
    DECIMAL_DIGITS,
    json_number,
    parse_whole_number,
    plain_number,
)
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pyspark.sql.types import DataType

    from dynoexport.jobs.schema.types import Type


def json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def json_text(value: Mapping[str, Any]) -> str:
    """A value as JSON, with the attributes' own names, sorted."""
    ((code, content),) = value.items()
    if code in {"N", "D"}:
        return json_number(content)
    if code == "BOOL":
        return "true" if content else "false"
    if code == "NULL":
        return "null"
    if code == "M":
        fields = (f"{json_string(name)}:{json_text(content[name])}" for name in sorted(content))
        return f"{{{','.join(fields)}}}"
    if code == "L" or code in ELEMENTS:
        return f"[{','.join(map(json_text, list_elements(value)))}]"
    return json_string(content)


def plain_text(value: Mapping[str, Any]) -> str:
    """A value as text: scalars as they are, binary as base64, nested ones as JSON."""
    ((code, content),) = value.items()
    text: str = content if code in {"S", "N", "D", "B"} else json_text(value)
    return text


def text_value(value: Mapping[str, Any]) -> str | None:
    """A value as ``plain_text``; None for a null."""
    return None if "NULL" in value else plain_text(value)


def string_map(value: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: text_value(inner) for name, inner in value["M"].items()}


# For each scalar type, a function that turns a value into Spark's.
SPARK_VALUES: dict[str, Callable[[Any], Any]] = {
    BIGINT: lambda value: parse_whole_number(value["N"]),
    DECIMAL: lambda value: Decimal(value["N"]),
    DOUBLE: lambda value: float(value["D"] if "D" in value else value["N"]),
    BOOLEAN: lambda value: value["BOOL"],
    BINARY: lambda value: bytearray(base64.b64decode(value["B"])),
    STRING: text_value,
    MAP: string_map,
}


def spark_value(kind: Type, *, for_arrow: bool = False) -> Callable[[Any], Any]:
    """A function that turns a value into Spark's for the type, or into Arrow's."""
    if kind.kind == ARRAY:
        element = nullable(spark_value(kind.elements, for_arrow=for_arrow))
        return lambda value: [element(member) for member in list_elements(value)]
    if kind.kind == STRUCT:
        converts = [nullable(spark_value(field.type, for_arrow=for_arrow)) for field in kind.fields]
        fields = list(zip(kind.fields, converts))
        if for_arrow:
            return lambda value: {
                field.name: convert(value["M"].get(field.attribute)) for field, convert in fields
            }
        return lambda value: tuple(
            convert(value["M"].get(field.attribute)) for field, convert in fields
        )
    if kind.kind == MAP and for_arrow:
        return lambda value: list(string_map(value).items())
    return SPARK_VALUES[kind.kind]


def nullable(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None or "NULL" in value else convert(value)


def spark_type(kind: Type) -> DataType:
    from pyspark.sql import types as T  # noqa: N812 - its usual name

    if kind.kind == ARRAY:
        return T.ArrayType(spark_type(kind.elements))
    if kind.kind == STRUCT:
        return T.StructType(
            [T.StructField(field.name, spark_type(field.type)) for field in kind.fields]
        )
    if kind.kind == DECIMAL:
        return T.DecimalType(DECIMAL_DIGITS, kind.scale)
    return {
        BIGINT: T.LongType(),
        DOUBLE: T.DoubleType(),
        BOOLEAN: T.BooleanType(),
        BINARY: T.BinaryType(),
        MAP: T.MapType(T.StringType(), T.StringType()),
    }.get(kind.kind, T.StringType())


def json_value(kind: Type) -> Callable[[Any], str]:
    """A function that turns a value into JSON that the catalog's SerDe reads as the type."""
    if kind.kind == ARRAY:
        element = json_nullable(json_value(kind.elements))
        return lambda value: f"[{','.join(element(member) for member in list_elements(value))}]"
    if kind.kind == STRUCT:
        named = [(field.attribute, field.name, json_value(field.type)) for field in kind.fields]
        return lambda value: json_object(
            (name, convert, value["M"].get(attribute)) for attribute, name, convert in named
        )
    if kind.kind in {BIGINT, DECIMAL}:
        return lambda value: plain_number(value["N"])
    if kind.kind == MAP:
        return lambda value: json.dumps(string_map(value), ensure_ascii=False, sort_keys=True)
    if kind.kind in {STRING, BINARY}:
        return lambda value: json_string(plain_text(value))
    return json_text


def json_nullable(convert: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "null" if "NULL" in value else convert(value)


def json_object(fields: Iterable[tuple[str, Callable[[Any], str], Any]]) -> str:
    """An object of the fields (name, function for the value, value) that have a value."""
    held = (
        f"{json_string(name)}:{convert(value)}"
        for name, convert, value in fields
        if value is not None and "NULL" not in value
    )
    return f"{{{','.join(held)}}}"

"""Avro files from a DataFrame; pyspark comes without spark-avro."""

from __future__ import annotations

import tempfile
import uuid
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from pyspark.sql import types

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyspark.sql import DataFrame

_EXACT = Context(prec=38)
_CODECS = ("null", "snappy", "deflate")
# Writers of 1.8 know logical types, those of 1.7, Glue's default, write text in their place:
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-format-avro-home.html
_VERSIONS = ("1.7", "1.8")
_PRIMITIVES: dict[type[types.DataType], Any] = {
    types.StringType: "string",
    types.LongType: "long",
    types.IntegerType: "int",
    types.DoubleType: "double",
    types.BooleanType: "boolean",
    types.BinaryType: "bytes",
    types.DateType: {"type": "int", "logicalType": "date"},
    types.TimestampType: {"type": "long", "logicalType": "timestamp-micros"},
}


def write(frame: DataFrame, path: str, codec: str, version: str) -> None:
    """One file for each partition that has rows, under ``path`` (``s3://bucket/prefix/``).

    Raises:
        NotImplementedError: Glue does not write avro with that codec or version
            (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-format-avro-home.html).
    """
    for given, known in ((codec, _CODECS), (version, _VERSIONS)):
        if given not in known:
            raise NotImplementedError(f"Glue writes avro with {', '.join(known)}, not {given!r}")
    if version == "1.7":
        frame = frame.select(
            [frame[f"`{field.name}`"].cast(_as_text(field.dataType)) for field in frame.schema]
        )
    schema = record_schema(frame.schema, "topLevelRecord")
    url = urlsplit(path)
    bucket, prefix = url.netloc, url.path.strip("/")
    # One for the whole write: a task that is tried again replaces its file.
    unique = uuid.uuid4()

    def write_partition(number: int, rows: Iterable[types.Row]) -> Iterator[str]:
        import fastavro

        records = (_plain(row.asDict(True)) for row in rows)
        first = next(records, None)
        if first is None:
            return
        key = f"{prefix}/part-{number:05d}-{unique}.avro"
        with tempfile.TemporaryFile() as file:
            fastavro.writer(file, schema, _chain(first, records), codec=codec)
            file.seek(0)
            boto3.client("s3").upload_fileobj(file, bucket, key)
        yield key

    frame.rdd.mapPartitionsWithIndex(write_partition).count()


def _as_text(kind: types.DataType) -> types.DataType:
    """The type with text for every logical type."""
    if isinstance(kind, types.StructType):
        fields = [types.StructField(field.name, _as_text(field.dataType)) for field in kind.fields]
        return types.StructType(fields)
    if isinstance(kind, types.ArrayType):
        return types.ArrayType(_as_text(kind.elementType))
    if isinstance(kind, types.MapType):
        return types.MapType(types.StringType(), _as_text(kind.valueType))
    logical = (types.DecimalType, types.DateType, types.TimestampType)
    return types.StringType() if isinstance(kind, logical) else kind


def _plain(value: Any) -> Any:
    """The value with decimals in their shortest form.

    Spark sends them in engineering notation, 8E-14 as 80E-15. That has more digits after the point
    than the column, and fastavro refuses it.
    """
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(element) for element in value]
    return value.normalize(_EXACT) if isinstance(value, Decimal) else value


def _chain(first: dict[str, Any], rest: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield first
    yield from rest


def record_schema(struct: types.StructType, name: str) -> dict[str, Any]:
    """The Avro record of a struct; every field may be null, as Spark's fields may be.

    Its name is its path: a name that two records share would mean the first of them.
    """
    fields = [
        {"name": field.name, "type": ["null", _schema(field.dataType, f"{name}.{field.name}")]}
        for field in struct.fields
    ]
    return {"type": "record", "name": name, "fields": fields}


def _schema(data_type: types.DataType, name: str) -> Any:
    if isinstance(data_type, types.StructType):
        return record_schema(data_type, name)
    if isinstance(data_type, types.ArrayType):
        return {"type": "array", "items": ["null", _schema(data_type.elementType, name)]}
    if isinstance(data_type, types.MapType):
        return {"type": "map", "values": ["null", _schema(data_type.valueType, name)]}
    if isinstance(data_type, types.DecimalType):
        precision = {"precision": data_type.precision, "scale": data_type.scale}
        return {"type": "bytes", "logicalType": "decimal", **precision}
    return _PRIMITIVES[type(data_type)]

"""Data files: what their columns are, and their rows as the catalog's SerDe reads them."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

from dynoexport.local import hive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Columns = dict[str, str]
"""Hive types by lower-case column name, in order."""

_INT_MAX = 2**31


class BadData(Exception):
    """A file that its SerDe cannot read, in Athena's words."""


def classify(head: bytes) -> str:
    """The format of a file by its first bytes, as Glue's built-in classifiers go about it."""
    for magic, kind in ((b"PAR1", "parquet"), (b"ORC", "orc"), (b"Obj\x01", "avro")):
        if head.startswith(magic):
            return kind
    text = head.lstrip()
    if text.startswith(b"<"):
        return "xml"
    return "json" if text[:1] in (b"{", b"[") else "csv"


# --- schema -----------------------------------------------------------------------------------
def columns(kind: str, content: bytes) -> Columns:
    """The file's columns; csv's come from its header, as strings."""
    if kind == "csv":
        header = next(csv.reader(io.StringIO(content.decode())), [])
        return dict.fromkeys((name.lower() for name in header), "string")
    if kind == "xml":
        return {}
    if kind == "json":
        return _json_columns(content)
    schema = {"parquet": _parquet, "orc": _orc, "avro": _avro}[kind](content).schema
    return {field.name.lower(): hive.from_arrow(field.type) for field in schema}


def _parquet(content: bytes) -> pa.Table:
    return pa.parquet.read_table(pa.BufferReader(content))


def _orc(content: bytes) -> pa.Table:
    return pa.orc.ORCFile(pa.BufferReader(content)).read()


def _avro(content: bytes) -> pa.Table:
    return pa.Table.from_pylist(list(fastavro.reader(io.BytesIO(content))))


def _json_columns(content: bytes) -> Columns:
    found: dict[str, str] = {}
    for line in content.splitlines():
        for name, value in json.loads(line).items():
            kind = _json_type(value)
            key = name.lower()
            found[key] = merge(found[key], kind) if key in found else kind
    return found


def _json_type(value: Any) -> str:
    """Glue's names for JSON values; a whole number is an int while it fits one."""
    if value is None or isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if -_INT_MAX <= value < _INT_MAX else "bigint"
    if isinstance(value, float):
        return "double"
    if isinstance(value, list):
        kinds = [_json_type(each) for each in value] or ["string"]
        kind = kinds[0]
        for other in kinds[1:]:
            kind = merge(kind, other)
        return f"array<{kind}>"
    fields = (f"{name.lower()}:{_json_type(each)}" for name, each in value.items())
    return f"struct<{','.join(fields)}>"


_WIDER = ("int", "bigint", "double")


def merge(one: str, other: str) -> str:
    """The type that holds values of both; string where nothing else does."""
    if one == other:
        return one
    if one in _WIDER and other in _WIDER:
        return max(one, other, key=_WIDER.index)
    if one.startswith("struct<") and other.startswith("struct<"):
        left, right = hive.to_arrow(one), hive.to_arrow(other)
        fields = {field.name: hive.from_arrow(field.type) for field in left}
        for field in right:
            kind = hive.from_arrow(field.type)
            fields[field.name] = merge(fields[field.name], kind) if field.name in fields else kind
        return f"struct<{','.join(f'{name}:{kind}' for name, kind in fields.items())}>"
    return "string"


# --- rows ----------------------------------------------------------------------------------------
def rows(
    serde: Mapping[str, Any], table: Mapping[str, str], content: bytes, wanted: Columns
) -> pa.Table:
    """The file's rows in the wanted columns, read by the SerDe and never smarter than it.

    Raises:
        BadData: the SerDe would fail on the file.
    """
    schema = pa.schema([(name, hive.to_arrow(kind)) for name, kind in wanted.items()])
    library = serde["SerializationLibrary"].rpartition(".")[2]
    try:
        return _READERS[library](content, schema, serde.get("Parameters", {}), table)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
        raise BadData(f"HIVE_BAD_DATA: {error}") from error


def _by_name(read: Callable[[bytes], pa.Table]) -> Any:
    def reader(content: bytes, schema: pa.Schema, *_: object) -> pa.Table:
        found = read(content)
        names = {name.lower(): position for position, name in enumerate(found.column_names)}
        arrays = [
            found.column(names[field.name]).cast(field.type)
            if field.name in names
            else pa.nulls(len(found), field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(arrays, schema=schema)

    return reader


def _records(records: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    folded = [_fold(record) for record in records]
    return pa.Table.from_pylist(folded, schema=schema)


def _fold(value: Any) -> Any:
    """JSON keys and Avro fields in lower case, as the SerDes fold them."""
    if isinstance(value, dict):
        return {name.lower(): _fold(each) for name, each in value.items()}
    return [_fold(each) for each in value] if isinstance(value, list) else value


def _json_rows(content: bytes, schema: pa.Schema, *_: object) -> pa.Table:
    return _records(map(json.loads, content.splitlines()), schema)


def _avro_rows(content: bytes, schema: pa.Schema, *_: object) -> pa.Table:
    reader: Any = fastavro.reader(io.BytesIO(content))
    return _records(reader, schema)


def _lines(content: bytes, table: Mapping[str, str]) -> Iterator[str]:
    """Every line is a row, whatever is quoted; the header is passed over if the table says so."""
    lines = content.decode().removesuffix("\n").split("\n")
    yield from lines[int(table.get("skip.header.line.count", 0)) :]


def _open_csv(
    content: bytes, schema: pa.Schema, serde: Mapping[str, str], table: Mapping[str, str]
) -> pa.Table:
    """Rows as https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html describes them."""
    parse = csv.reader(
        _lines(content, table),
        delimiter=serde.get("separatorChar", ","),
        quotechar=serde.get("quoteChar", '"'),
        escapechar=serde.get("escapeChar", "\\"),
    )
    return _positions(parse, schema)


def _lazy_simple(
    content: bytes, schema: pa.Schema, serde: Mapping[str, str], table: Mapping[str, str]
) -> pa.Table:
    """Splits at every delimiter: quotes mean nothing to it."""
    delimiter = serde.get("field.delim", ",")
    return _positions((line.split(delimiter) for line in _lines(content, table)), schema)


def _positions(parsed: Iterable[list[str]], schema: pa.Schema) -> pa.Table:
    width = len(schema)
    records = [(row + [None] * width)[:width] for row in map(list, parsed)]
    table = pa.Table.from_pylist(
        [dict(zip(schema.names, record, strict=True)) for record in records],
        schema=pa.schema([(name, pa.string()) for name in schema.names]),
    )
    return table.cast(schema)


_READERS: dict[str, Any] = {
    "ParquetHiveSerDe": _by_name(_parquet),
    "OrcSerde": _by_name(_orc),
    "AvroSerDe": _avro_rows,
    "JsonSerDe": _json_rows,
    "OpenCSVSerde": _open_csv,
    "LazySimpleSerDe": _lazy_simple,
}

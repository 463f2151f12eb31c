"""Data files: their columns, and their rows as the catalog's SerDe reads them."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

from dynoexport.local.services import hive_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Columns = dict[str, str]
"""Hive types by lower-case column name, in order."""

_INT_MAX = 2**31


class BadData(Exception):
    """A file that its SerDe cannot read, in Athena's words."""


def classify(head: bytes) -> str:
    """The format of a file by its first bytes, as with Glue's built-in classifiers."""
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
    if kind == "avro":
        return _avro_columns(content)
    schema = {"parquet": _parquet, "orc": _orc}[kind](content).schema
    return {field.name.lower(): hive_types.from_arrow(field.type) for field in schema}


def _parquet(content: bytes) -> pa.Table:
    return pa.parquet.read_table(pa.BufferReader(content))


def _orc(content: bytes) -> pa.Table:
    return pa.orc.ORCFile(pa.BufferReader(content)).read()


_AVRO = {
    "null": "string",
    "string": "string",
    "enum": "string",
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "bytes": "binary",
    "fixed": "binary",
    "date": "date",
    "timestamp-millis": "timestamp",
    "timestamp-micros": "timestamp",
}


AVRO_LITERAL = "avro.schema.literal"


def avro_literal(content: bytes) -> str:
    """The schema that the file was written with, as the file holds it."""
    metadata: dict[str, str] = fastavro.reader(io.BytesIO(content)).metadata
    return metadata["avro.schema"]


def _avro_columns(content: bytes) -> Columns:
    """The columns of the writer's schema: a file may have no rows, and int is not bigint."""
    schema: Any = fastavro.reader(io.BytesIO(content)).writer_schema
    return {field["name"].lower(): _avro_type(field["type"]) for field in schema["fields"]}


def _avro_type(kind: Any) -> str:
    if isinstance(kind, list):
        others = [branch for branch in kind if branch != "null"]
        return _avro_type(others[0]) if len(others) == 1 else "string"
    if isinstance(kind, str):
        kind = {"type": kind}
    name = kind.get("logicalType", kind["type"])
    if name == "decimal":
        return f"decimal({kind['precision']},{kind.get('scale', 0)})"
    if name == "record":
        fields = (
            f"{field['name'].lower()}:{_avro_type(field['type'])}" for field in kind["fields"]
        )
        return f"struct<{','.join(fields)}>"
    if name == "array":
        return f"array<{_avro_type(kind['items'])}>"
    if name == "map":
        return f"map<string,{_avro_type(kind['values'])}>"
    return _AVRO.get(name) or _AVRO[kind["type"]]


def _json_columns(content: bytes) -> Columns:
    kinds: dict[str, str] = {}
    for item in _json_objects(content):
        for name, value in item.items():
            kind = _json_type(value)
            key = name.lower()
            kinds[key] = merge(kinds[key], kind) if key in kinds else kind
    return kinds


def _json_objects(
    content: bytes, build: Callable[[list[tuple[str, Any]]], Any] = dict
) -> Iterator[dict[str, Any]]:
    """The object of each line, built from its pairs.

    Raises:
        BadData: a line is not such an object, in the words of
            https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html
    """
    for line in content.splitlines():
        try:
            row = json.loads(line, parse_float=Decimal, object_pairs_hook=build)
        except ValueError as error:
            raise BadData(f"HIVE_CURSOR_ERROR: Row is not a valid JSON Object: {error}") from error
        if not isinstance(row, dict):
            raise BadData("HIVE_CURSOR_ERROR: Row is not a valid JSON Object")
        yield row


def _json_type(value: Any) -> str:
    """Glue's names for JSON values; a whole number is an int while it fits one."""
    if value is None or isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if -_INT_MAX <= value < _INT_MAX else "bigint"
    if isinstance(value, Decimal):
        return "double"
    if isinstance(value, list):
        kinds = [_json_type(element) for element in value] or ["string"]
        kind = kinds[0]
        for other in kinds[1:]:
            kind = merge(kind, other)
        return f"array<{kind}>"
    fields = (f"{name.lower()}:{_json_type(inner)}" for name, inner in value.items())
    return f"struct<{','.join(fields)}>"


_WIDER = ("int", "bigint", "double")


def merge(first: str, second: str) -> str:
    """The type for values of both, string in the last resort."""
    if first == second:
        return first
    if first in _WIDER and second in _WIDER:
        return max(first, second, key=_WIDER.index)
    if first.startswith("struct<") and second.startswith("struct<"):
        try:
            left, right = hive_types.to_arrow(first), hive_types.to_arrow(second)
        except ValueError:
            # Keys that no Hive type can name: {}, or a key with a bracket in it.
            return "string"
        fields = {field.name: hive_types.from_arrow(field.type) for field in left}
        for field in right:
            kind = hive_types.from_arrow(field.type)
            fields[field.name] = merge(fields[field.name], kind) if field.name in fields else kind
        return f"struct<{','.join(f'{name}:{kind}' for name, kind in fields.items())}>"
    return "string"


# --- rows ----------------------------------------------------------------------------------------
# What the libraries raise about a file that is broken, or holds what its column cannot.
_BROKEN = (pa.ArrowException, OSError, EOFError, ValueError, LookupError)


def rows(
    serde: Mapping[str, Any], table: Mapping[str, str], content: bytes, wanted: Columns
) -> pa.Table:
    """The file's rows in the wanted columns, with the limits of the SerDe.

    Raises:
        BadData: the SerDe would fail on the file, or the endpoint does not have it.
    """
    schema = pa.schema([(name, hive_types.to_arrow(kind)) for name, kind in wanted.items()])
    library = serde.get("SerializationLibrary", "")
    read = _READERS.get(library.rpartition(".")[2])
    if read is None:
        raise BadData(f"NOT_SUPPORTED: the endpoint does not read by the SerDe {library!r}")
    try:
        return read(content, schema, serde.get("Parameters", {}), table)
    except _BROKEN as error:
        raise BadData(f"HIVE_BAD_DATA: {error}") from error


# Columnar files.
def _parquet_rows(content: bytes, schema: pa.Schema, *_: object) -> pa.Table:
    """Columns by their names, as Athena reads parquet.

    https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html
    """
    table = _parquet(content)
    return _placed(table, schema, [name.lower() for name in table.column_names])


def _orc_rows(
    content: bytes, schema: pa.Schema, serde: Mapping[str, str], _: Mapping[str, str]
) -> pa.Table:
    """Columns by their positions, unless the SerDe is set to use names (same page)."""
    table = _orc(content)
    by_name = serde.get("orc.column.index.access", "true").lower() == "false"
    names = table.column_names if by_name else schema.names[: table.num_columns]
    return _placed(table, schema, [name.lower() for name in names])


def _placed(table: pa.Table, schema: pa.Schema, names: list[str]) -> pa.Table:
    """The schema's columns from the table, found by these names; null where one is missing."""
    places = {name: position for position, name in enumerate(names)}
    arrays = [
        _as_type(table.column(places[field.name]), field.type)
        if field.name in places
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _as_type(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    """The column as that type; fields of structs are found by name, in any case."""
    folded = _folded_type(column.type)
    if folded == kind:
        return pa.chunked_array([chunk.view(kind) for chunk in column.chunks], type=kind)
    if not pa.types.is_nested(kind):
        return column.cast(kind)
    reading = _Reading(text=str)
    return pa.array([_shaped(value, kind, reading) for value in column.to_pylist()], kind)


def _folded_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct(
            [
                field.with_name(field.name.lower()).with_type(_folded_type(field.type))
                for field in kind
            ]
        )
    if pa.types.is_list(kind):
        return pa.list_(_folded_type(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, _folded_type(kind.item_type))
    return kind


# Files of records.
@dataclass(frozen=True)
class _Reading:
    """How a SerDe reads a value in a column of text, and the name of a field."""

    text: Callable[[Any], Any] = lambda value: value
    name: Callable[[str], str] = str.lower


def _records(records: Iterable[Any], schema: pa.Schema, reading: _Reading = _Reading()) -> pa.Table:
    row = pa.struct(list(schema))
    shaped = [_shaped(record, row, reading) for record in records]
    return pa.Table.from_pylist(shaped, schema=schema)


def _shaped(value: Any, kind: pa.DataType, reading: _Reading) -> Any:
    """The value as a column of that type holds it."""
    if value is not None and pa.types.is_nested(kind):
        return _shaped_nested(value, kind, reading)
    if value is not None and pa.types.is_string(kind):
        return reading.text(value)
    if isinstance(value, (int, Decimal)) and pa.types.is_floating(kind):
        return float(value)
    return value


def _shaped_nested(value: Any, kind: pa.DataType, reading: _Reading) -> Any:
    if pa.types.is_map(kind):
        # Arrow gives a map as pairs.
        pairs = value if isinstance(value, list) else _fields(value).items()
        return [(key, _shaped(inner, kind.item_type, reading)) for key, inner in pairs]
    if pa.types.is_struct(kind):
        by_name = {reading.name(name): inner for name, inner in _fields(value).items()}
        return {field.name: _shaped(by_name.get(field.name), field.type, reading) for field in kind}
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no array")  # noqa: TRY004 - as of any wrong value
    return [_shaped(element, kind.value_type, reading) for element in value]


def _fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} has no fields")  # noqa: TRY004 - as of any wrong value
    return value


def _json_rows(
    content: bytes, schema: pa.Schema, serde: Mapping[str, str], _: Mapping[str, str]
) -> pa.Table:
    """Keys in any case unless the SerDe says otherwise; of equal keys the last value is kept.

    https://github.com/trinodb/trino/blob/476/lib/trino-hive-formats/src/main/java/io/trino/hive/formats/line/openxjson/OpenXJsonDeserializer.java
    """
    if serde.get("case.insensitive", "true").lower() == "false":
        return _records(_json_objects(content), schema, _Reading(_json_text, name=str))
    return _records(_json_objects(content, _folded), schema, _Reading(_json_text))


def _folded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object with the last value of the keys that differ by case only, under the first key."""
    names: dict[str, str] = {}
    for name, _ in pairs:
        names.setdefault(name.lower(), name)
    return {names[name.lower()]: value for name, value in pairs}


def _json_text(value: Any) -> str:
    """A value in a column of text: a text as it is, any other value as its JSON.

    As the SerDe does: https://github.com/rcongiu/Hive-JSON-Serde (JavaStringJsonObjectInspector)
    """
    return value if isinstance(value, str) else _json_dump(value)


def _json_dump(value: Any) -> str:
    """JSON with the exact text of numbers, which the json module does not write."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return f"[{','.join(map(_json_dump, value))}]"
    if isinstance(value, dict):
        fields = (f"{json.dumps(name)}:{_json_dump(inner)}" for name, inner in value.items())
        return f"{{{','.join(fields)}}}"
    return json.dumps(value, ensure_ascii=False)


def _avro_rows(
    content: bytes, schema: pa.Schema, serde: Mapping[str, str], table: Mapping[str, str]
) -> pa.Table:
    """Read by the catalog's schema literal, the table's first; without one, by the columns.

    Trino does so, with these messages, but only for columns that the query names:
    https://github.com/trinodb/trino/pull/30599
    """
    reader: Any = fastavro.reader(io.BytesIO(content))
    literal = table.get(AVRO_LITERAL, serde.get(AVRO_LITERAL))
    if literal is not None:
        wanted = _literal_fields(literal, schema.names)
        missing = _without_default(wanted, reader.writer_schema)
        if missing:
            raise BadData(
                "HIVE_CANNOT_OPEN_SPLIT: Avro type resolution error when initializing split: "
                f"missing required field {missing}"
            )
    return _records(reader, schema)


def _literal_fields(literal: str, names: list[str]) -> dict[str, Any]:
    """The literal's record with the fields of these names."""
    record: dict[str, Any] = json.loads(literal)
    fields = {field["name"]: field for field in record["fields"]}
    for name in names:
        if name not in fields:
            raise BadData(
                f"HIVE_CANNOT_OPEN_SPLIT: Unable to find column {name} in table Avro schema "
                f"{record['name']}"
            )
    return {**record, "fields": [fields[name] for name in names]}


def _without_default(wanted: Any, written: Any) -> str:
    """A field of a record, at any level, that the file lacks and for which there is no default."""
    wanted, written = _branch(wanted), _branch(written)
    for inner in ("items", "values"):
        if inner in wanted and inner in written:
            return _without_default(wanted[inner], written[inner])
    held = {field["name"]: field["type"] for field in written.get("fields", ())}
    for field in wanted.get("fields", ()) if held else ():
        held_name = next(
            (name for name in (field["name"], *field.get("aliases", ())) if name in held), None
        )
        if held_name is None and "default" not in field:
            return str(field["name"])
        missing = "" if held_name is None else _without_default(field["type"], held[held_name])
        if missing:
            return missing
    return ""


def _branch(kind: Any) -> dict[str, Any]:
    """The type without null; empty if it has no inner types."""
    others = [branch for branch in kind if branch != "null"] if isinstance(kind, list) else [kind]
    return others[0] if len(others) == 1 and isinstance(others[0], dict) else {}


# Files of lines.
def _lines(content: bytes, table: Mapping[str, str]) -> list[str]:
    """Every line is a row, whatever is quoted; the header is skipped if the table says so."""
    lines = re.split(r"\r\n|\r|\n", content.decode())
    if not lines[-1]:
        lines.pop()
    return lines[int(table.get("skip.header.line.count", 0)) :]


def _open_csv(
    content: bytes, schema: pa.Schema, serde: Mapping[str, str], table: Mapping[str, str]
) -> pa.Table:
    """Rows as https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html describes them."""
    separator = serde.get("separatorChar", ",")
    quote = serde.get("quoteChar", '"')
    escape = serde.get("escapeChar", "\\")
    parsed = (_unquoted(line, separator, quote, escape) for line in _lines(content, table))
    return _positions(parsed, schema)


def _unquoted(line: str, separator: str, quote: str, escape: str) -> list[str]:
    """The values of a line; a value whose quotes do not close in the line is lost.

    The csv module would go on in the next line, which Athena's SerDe does not see:
    https://github.com/trinodb/trino/blob/master/lib/trino-hive-formats/src/main/java/io/trino/hive/formats/line/csv/CsvDeserializer.java
    """
    values, value, quoted = [], "", False
    # An empty line has no first character.
    characters = iter(zip(line, [*line[1:], ""], strict=False))
    for character, following in characters:
        if (character == escape and following in {quote, escape}) or (
            character == quote == following and quoted
        ):
            value += following
            next(characters)
        elif character == quote:
            value += quote if value and following not in {"", separator} else ""
            quoted = not quoted
        elif character == separator and not quoted:
            values.append(value)
            value = ""
        elif character != escape:
            value += character
    return [*values, value] if line and not quoted else values


def _lazy_simple(
    content: bytes, schema: pa.Schema, serde: Mapping[str, str], table: Mapping[str, str]
) -> pa.Table:
    """Split at every delimiter: this SerDe ignores quotes."""
    delimiter = serde.get("field.delim", ",")
    return _positions((line.split(delimiter) for line in _lines(content, table)), schema)


def _positions(parsed: Iterable[list[str]], schema: pa.Schema) -> pa.Table:
    width = len(schema)
    records = [(row + [None] * width)[:width] for row in map(list[str | None], parsed)]
    arrays = [
        pa.array([record[column] for record in records], pa.string()) for column in range(width)
    ]
    return pa.Table.from_arrays(arrays, names=schema.names).cast(schema)


_READERS: dict[str, Any] = {
    "ParquetHiveSerDe": _parquet_rows,
    "OrcSerde": _orc_rows,
    "AvroSerDe": _avro_rows,
    "JsonSerDe": _json_rows,
    "OpenCSVSerde": _open_csv,
    "LazySimpleSerDe": _lazy_simple,
}

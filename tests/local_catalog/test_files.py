"""Data files: their format, their columns, and their rows as the SerDe reads them."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pytest
from catalog_lake import PARQUET_SERDE, avro, parquet

from dynoexport.local.services import files

OPEN_CSV = {"SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde"}
LAZY = {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"}
JSON = {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"}
PARQUET = {"SerializationLibrary": PARQUET_SERDE}
ORC = {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.orc.OrcSerde"}
AVRO = {"SerializationLibrary": "org.apache.hadoop.hive.serde2.avro.AvroSerDe"}
HEADER = {"skip.header.line.count": "1"}
REVIEW = "Harry is pretty brave, but Hermione"
STRINGS = {"user": "string", "review": "string", "stars": "string"}


def orc(*rows: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pa.orc.write_table(pa.Table.from_pylist(list(rows)), out)
    return out.getvalue()


def read(
    serde: dict[str, Any], content: bytes, wanted: files.Columns, **table: str
) -> list[dict[str, Any]]:
    return list(files.rows(serde, table, content, wanted).to_pylist())


# --- format ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("parquet", parquet({"a": 1})),
        ("orc", orc({"a": 1})),
        ("avro", avro({"a": "long"}, {"a": 1})),
        ("json", b'{"a": 1}\n'),
        ("json", b'\n  {"a": 1}\n'),
        ("xml", b"<?xml version='1.0'?><rows/>"),
        ("xml", b"<rows/>"),
        ("csv", b"a,b\n1,2\n"),
        ("csv", b'"a","b"\n'),
    ],
)
def test_first_bytes_determine_the_format(kind: str, content: bytes) -> None:
    assert files.classify(content[:64]) == kind


# --- columns -----------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "write"), [("parquet", parquet), ("orc", orc)])
def test_columnar_files_have_their_types(kind: str, write: Any) -> None:
    """Names in lower case, in the file's order, nested ones too."""
    content = write({"User": "Ada", "Stars": 4, "score": 0.5, "Lines": [{"Sku": "a"}]})
    assert list(files.columns(kind, content).items()) == [
        ("user", "string"),
        ("stars", "bigint"),
        ("score", "double"),
        ("lines", "array<struct<sku:string>>"),
    ]


def test_avro_has_its_types_in_its_schema() -> None:
    """The types do not follow the values: an int is no bigint, a map no struct."""
    fields = {"User": "string", "n": "int", "x": "float", "tags": {"type": "map", "values": "long"}}
    content = avro(fields, {"User": "Ada", "n": 1, "x": 0.5, "tags": {"k": 1}})
    assert files.columns("avro", content) == {
        "user": "string",
        "n": "int",
        "x": "float",
        "tags": "map<string,bigint>",
    }


def test_avro_nests_its_types() -> None:
    record = {"type": "record", "name": "line", "fields": [{"name": "Sku", "type": "string"}]}
    fields = {
        "lines": {"type": "array", "items": ["null", record]},
        "price": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}],
        "day": {"type": "int", "logicalType": "date"},
        "at": {"type": "long", "logicalType": "timestamp-micros"},
        "id": {"type": "string", "logicalType": "uuid"},
        "size": {"type": "enum", "name": "size", "symbols": ["S", "M"]},
        "any": ["long", "string"],
    }
    assert files.columns("avro", avro(fields)) == {
        "lines": "array<struct<sku:string>>",
        "price": "decimal(9,2)",
        "day": "date",
        "at": "timestamp",
        "id": "string",
        "size": "string",
        "any": "string",
    }


def test_an_avro_file_without_rows_still_has_columns() -> None:
    assert files.columns("avro", avro({"a": "string"})) == {"a": "string"}


def test_csv_columns_are_the_headers() -> None:
    """They are text. A comma in a quoted name does not split it."""
    assert files.columns("csv", b'User,"a, b"\n1,2\n') == {"user": "string", "a, b": "string"}


def test_json_columns_are_those_of_all_lines() -> None:
    """Whole numbers are an int while they fit one, and what differs is widened."""
    content = (
        b'{"User": "Ada", "n": 1, "m": 1, "flag": true}\n{"n": 3000000000, "m": 0.5, "l": []}\n'
    )
    assert files.columns("json", content) == {
        "user": "string",
        "n": "bigint",
        "m": "double",
        "flag": "boolean",
        "l": "array<string>",
    }


def test_json_structs_hold_the_fields_of_all_elements() -> None:
    content = b'{"lines": [{"Sku": "a"}, {"Sku": "b", "n": 1}]}\n'
    assert files.columns("json", content) == {"lines": "array<struct<sku:string,n:int>>"}


def test_xml_has_no_columns() -> None:
    assert files.columns("xml", b"<rows/>") == {}


# --- merging -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("boolean", "boolean", "boolean"),
        ("int", "bigint", "bigint"),
        ("int", "double", "double"),
        ("boolean", "int", "string"),
        ("array<int>", "string", "string"),
        ("array<int>", "array<string>", "string"),
        ("struct<a:int>", "struct<a:bigint,b:string>", "struct<a:bigint,b:string>"),
        ("struct<a-b:int>", "struct<a-b:bigint>", "struct<a-b:bigint>"),
        ("struct<a:struct<b:int>>", "struct<a:struct<c:int>>", "struct<a:struct<b:int,c:int>>"),
    ],
)
def test_merging_finds_the_type_that_holds_both(one: str, other: str, both: str) -> None:
    assert files.merge(one, other) == both


@pytest.mark.parametrize(("one", "other"), [("int", "double"), ("int", "string")])
def test_merging_does_not_depend_on_the_order(one: str, other: str) -> None:
    assert files.merge(one, other) == files.merge(other, one)


# --- csv ---------------------------------------------------------------------------------------
def test_open_csv_keeps_a_comma_inside_quotes() -> None:
    content = f'user,review,stars\nAdeline,"{REVIEW}",4\n'.encode()
    assert read(OPEN_CSV, content, STRINGS, **HEADER) == [
        {"user": "Adeline", "review": REVIEW, "stars": "4"}
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"Tri ""T"" stan"', 'Tri "T" stan'),
        ('"a\\\\b"', "a\\b"),
        ('"a\\\\nb"', "a\\nb"),
        ('""', ""),
        ("plain", "plain"),
        ('1"2"3', '1"2"3'),
        ('"[{""sku"": ""a""}, 1]"', '[{"sku": "a"}, 1]'),
        ('"žluťoučký"', "žluťoučký"),
    ],
)
def test_open_csv_gives_back_what_was_written(written: str, value: str) -> None:
    """Doubled quotes and doubled backslashes are one again."""
    rows = read(OPEN_CSV, f"x,{written}\n".encode(), {"a": "string", "b": "string"})
    assert rows == [{"a": "x", "b": value}]


def test_open_csv_reads_every_line_as_a_row() -> None:
    """It does not support line breaks inside values: a value with an open quote is lost.

    https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
    """
    rows = read(OPEN_CSV, b'x,"one\ntwo"\ny,z\n', {"a": "string", "b": "string"})
    assert rows == [{"a": "x", "b": None}, {"a": None, "b": None}, {"a": "y", "b": "z"}]


@pytest.mark.parametrize(("line", "value"), [(b"", None), (b'""', "")])
def test_open_csv_reads_an_empty_line_as_a_row(line: bytes, value: str | None) -> None:
    assert read(OPEN_CSV, b"a\nx\n" + line + b"\n", {"a": "string"}, **HEADER) == [
        {"a": "x"},
        {"a": value},
    ]


def test_open_csv_reads_a_value_of_any_length() -> None:
    """A DynamoDB item may have 400 KB."""
    value = "x" * 400_000
    assert read(OPEN_CSV, f'"{value}"\n'.encode(), {"a": "string"}) == [{"a": value}]


@pytest.mark.parametrize("serde", [OPEN_CSV, LAZY])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_may_end_as_on_any_system(serde: dict[str, Any], end: str) -> None:
    content = f"a,b{end}c,d{end}".encode()
    rows = read(serde, content, {"a": "string", "b": "string"})
    assert rows == [{"a": "a", "b": "b"}, {"a": "c", "b": "d"}]


def test_lazy_simple_splits_at_every_comma() -> None:
    """Adeline's review ends in the next column, and its quotes stay."""
    content = f'user,review,stars\nAdeline,"{REVIEW}",4\n'.encode()
    assert read(LAZY, content, STRINGS, **HEADER) == [
        {"user": "Adeline", "review": '"Harry is pretty brave', "stars": ' but Hermione"'}
    ]


@pytest.mark.parametrize("serde", [OPEN_CSV, LAZY])
def test_a_short_line_ends_in_nulls(serde: dict[str, Any]) -> None:
    assert read(serde, b"Ada\n", STRINGS) == [{"user": "Ada", "review": None, "stars": None}]


@pytest.mark.parametrize("serde", [OPEN_CSV, LAZY])
def test_the_last_line_needs_no_line_end(serde: dict[str, Any]) -> None:
    assert read(serde, b"a\n1\n2", {"a": "string"}, **HEADER) == [{"a": "1"}, {"a": "2"}]


@pytest.mark.parametrize("serde", [OPEN_CSV, LAZY])
def test_without_the_parameter_the_header_is_a_row(serde: dict[str, Any]) -> None:
    assert read(serde, b"a\n1\n", {"a": "string"}) == [{"a": "a"}, {"a": "1"}]


def test_csv_text_that_is_no_number_is_bad_data() -> None:
    with pytest.raises(files.BadData, match="HIVE_BAD_DATA"):
        read(OPEN_CSV, b"one\n", {"a": "bigint"})


# --- json --------------------------------------------------------------------------------------
def test_json_keys_are_found_in_any_case() -> None:
    """Nested ones too; a missing one is null."""
    wanted = {"user": "string", "line": "struct<unitprice:int>", "late": "string"}
    assert read(JSON, b'{"User": "Ada", "Line": {"UnitPrice": 7}}\n', wanted) == [
        {"user": "Ada", "line": {"unitprice": 7}, "late": None}
    ]


@pytest.mark.parametrize("line", ['{"a": ', "nonsense", "1", "[1]", "null", '"a"'])
def test_a_line_that_is_no_object_ends_the_reading(line: str) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html"""
    content = f'{{"a": 1}}\n{line}\n'.encode()
    with pytest.raises(files.BadData, match="HIVE_CURSOR_ERROR: Row is not a valid JSON Object"):
        read(JSON, content, {"a": "bigint"})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ('"one"', "bigint"),
        ('"x"', "array<string>"),
        ("[1]", "struct<a:int>"),
        ("1", "map<string,int>"),
    ],
)
def test_a_json_value_of_another_type_is_bad_data(value: str, kind: str) -> None:
    with pytest.raises(files.BadData, match="HIVE_BAD_DATA"):
        read(JSON, f'{{"a": {value}}}\n'.encode(), {"a": kind})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1", "1"),
        ("0.5", "0.5"),
        ("true", "true"),
        ('"x"', "x"),
        ('{"B": [1, "ž"]}', '{"B":[1,"ž"]}'),
        ("[]", "[]"),
        ("null", None),
    ],
)
def test_json_of_any_type_reads_as_text(value: str, text: str | None) -> None:
    """A column whose values differ in type is crawled as string, and can be queried.

    https://github.com/rcongiu/Hive-JSON-Serde (JavaStringJsonObjectInspector)
    """
    content = f'{{"a": {value}, "b": [{value}]}}\n'.encode()
    rows = read(JSON, content, {"a": "string", "b": "array<string>"})
    assert rows == [{"a": text, "b": [text]}]


def test_the_keys_of_a_json_map_keep_their_case() -> None:
    """Unlike names of fields, they are data."""
    content = b'{"M": {"Key": {"Field": 1}}}\n'
    rows = read(JSON, content, {"m": "map<string,struct<field:int>>"})
    assert rows == [{"m": [("Key", {"field": 1})]}]


def test_json_keys_that_differ_by_case_are_one_key_unless_the_serde_says_otherwise() -> None:
    content, kind = b'{"m": {"Aa": 1, "aA": 2, "b": 3}}', {"m": "map<string,bigint>"}
    exact = {**JSON, "Parameters": {"case.insensitive": "FALSE"}}
    assert read(JSON, content, kind) == [{"m": [("Aa", 2), ("b", 3)]}]
    assert read(exact, content, kind) == [{"m": [("Aa", 1), ("aA", 2), ("b", 3)]}]


def test_a_json_serde_that_regards_case_finds_no_column_of_another_case() -> None:
    exact = {**JSON, "Parameters": {"case.insensitive": "FALSE"}}
    assert read(exact, b'{"User": "x"}', {"user": "string"}) == [{"user": None}]


def test_what_is_crawled_from_mixed_json_can_be_read() -> None:
    content = b'{"a": 1, "l": []}\n{"a": "x", "l": [1]}\n'
    assert len(read(JSON, content, files.columns("json", content))) == 2


# --- parquet, orc, avro -------------------------------------------------------------------------
def by_name(serde: dict[str, Any]) -> dict[str, Any]:
    return {**serde, "Parameters": {"orc.column.index.access": "false"}}


@pytest.mark.parametrize(("serde", "write"), [(PARQUET, parquet), (by_name(ORC), orc)])
def test_columns_are_found_by_name(serde: dict[str, Any], write: Any) -> None:
    """Order and case do not matter. A column that the file lacks is null."""
    content = write({"Stars": 4, "User": "Ada", "unasked": 1})
    wanted = {"user": "string", "stars": "bigint", "late": "array<string>"}
    assert read(serde, content, wanted) == [{"user": "Ada", "stars": 4, "late": None}]


def test_columns_of_orc_are_found_by_position() -> None:
    """Names do not matter unless the SerDe is set to use them. Later columns are null."""
    content = orc({"a": "Ada", "b": 4})
    wanted = {"user": "string", "stars": "bigint", "late": "array<string>"}
    assert read(ORC, content, wanted) == [{"user": "Ada", "stars": 4, "late": None}]


def test_decimals_of_json_are_exact() -> None:
    """They never pass through a double, even inside nested values."""
    digits = "12345678901234567890123456789012345.678"
    content = f'{{"d": {digits}, "l": [{digits}], "s": {digits}, "m": {{"k": "v"}}}}'.encode()
    wanted = {
        "d": "decimal(38,3)",
        "l": "array<decimal(38,3)>",
        "s": "string",
        "m": "map<string,string>",
    }
    (row,) = read(JSON, content, wanted)
    assert row == {
        "d": Decimal(digits),
        "l": [Decimal(digits)],
        "s": digits,
        "m": [("k", "v")],
    }


@pytest.mark.parametrize(("serde", "write"), [(PARQUET, parquet), (ORC, orc)])
def test_nested_fields_are_found_in_any_case(serde: dict[str, Any], write: Any) -> None:
    """No value is lost or refused, and nulls stay nulls."""
    content = write({"Lines": [{"UnitPrice": 7, "In": {"Er": "x"}}, None]}, {"Lines": None})
    wanted = {"lines": "array<struct<in:struct<er:string>,unitprice:bigint,late:int>>"}
    assert read(serde, content, wanted) == [
        {"lines": [{"in": {"er": "x"}, "unitprice": 7, "late": None}, None]},
        {"lines": None},
    ]


def test_fields_inside_a_map_are_found_in_any_case() -> None:
    """The keys of the map keep their case."""
    values = pa.struct([("UnitPrice", pa.int64())])
    schema = pa.schema([("m", pa.map_(pa.string(), values))])
    content = parquet({"m": [("Key", {"UnitPrice": 7})]}, schema=schema)
    rows = read(PARQUET, content, {"m": "map<string,struct<unitprice:bigint>>"})
    assert rows == [{"m": [("Key", {"unitprice": 7})]}]


def test_a_nested_field_that_an_older_file_lacks_is_null() -> None:
    rows = read(PARQUET, parquet({"s": {"a": 1}}), {"s": "struct<a:bigint,b:string>"})
    assert rows == [{"s": {"a": 1, "b": None}}]


def test_a_parquet_value_of_another_type_is_bad_data() -> None:
    with pytest.raises(files.BadData, match="HIVE_BAD_DATA"):
        read(PARQUET, parquet({"a": "one"}), {"a": "bigint"})


ID, COUNT = {"name": "id", "type": "string"}, {"name": "n", "type": "long"}
OPTIONAL = {"name": "n", "type": ["null", "long"], "default": None}
ID_AND_N = {"id": "string", "n": "bigint"}


def literal(*fields: dict[str, Any]) -> dict[str, str]:
    return {"avro.schema.literal": json.dumps({"type": "record", "name": "item", "fields": fields})}


@pytest.mark.parametrize("place", ["table", "serde"])
def test_avro_is_read_by_the_catalogs_schema_before_its_columns(place: str) -> None:
    """A column that the schema lacks cannot be read, though the file has it."""
    content = avro({"id": "string", "n": "long"}, {"id": "a", "n": 1})
    serde = {**AVRO, "Parameters": literal(ID)} if place == "serde" else AVRO
    table = literal(ID) if place == "table" else {}
    with pytest.raises(files.BadData, match="Unable to find column n in table Avro schema"):
        files.rows(serde, table, content, ID_AND_N)


def test_additional_fields_of_the_catalogs_avro_schema_need_a_default() -> None:
    content = avro({"id": "string"}, {"id": "a"})
    with pytest.raises(files.BadData, match="HIVE_CANNOT_OPEN_SPLIT: Avro type resolution error"):
        files.rows(AVRO, literal(ID, COUNT), content, ID_AND_N)
    found = files.rows(AVRO, literal(ID, OPTIONAL), content, ID_AND_N)
    assert found.to_pylist() == [{"id": "a", "n": None}]


def test_the_avro_schema_of_a_table_overrides_that_of_its_serde() -> None:
    content = avro({"id": "string", "n": "long"}, {"id": "a", "n": 1})
    serde = {**AVRO, "Parameters": literal(ID)}
    found = files.rows(serde, literal(ID, COUNT), content, ID_AND_N)
    assert found.to_pylist() == [{"id": "a", "n": 1}]


def test_avro_fields_are_found_in_any_case() -> None:
    content = avro({"User": "string", "n": ["null", "long"]}, {"User": "Ada", "n": None})
    wanted = {"user": "string", "n": "bigint", "late": "string"}
    assert read(AVRO, content, wanted) == [{"user": "Ada", "n": None, "late": None}]


WHOLE = [
    (PARQUET, parquet({"a": "x" * 99})),
    (ORC, orc({"a": "x" * 99})),
    (AVRO, avro({"a": "string"}, {"a": "x" * 99})),
]


@pytest.mark.parametrize(("serde", "whole"), WHOLE)
def test_a_broken_file_is_bad_data(serde: dict[str, Any], whole: bytes) -> None:
    """Another format altogether, or one whose end is missing."""
    for content in (b"nothing of the kind", whole[:4], whole[: len(whole) // 2], whole[:-5]):
        with pytest.raises(files.BadData, match="HIVE_BAD_DATA"):
            read(serde, content, {"a": "string"})


@pytest.mark.parametrize("serde", [{}, {"SerializationLibrary": "com.example.RegexSerDe"}])
def test_a_serde_that_the_endpoint_lacks_is_named(serde: dict[str, Any]) -> None:
    name = serde.get("SerializationLibrary", "''")
    with pytest.raises(files.BadData, match=f"NOT_SUPPORTED.*{name}"):
        read(serde, b"1\n", {"a": "string"})

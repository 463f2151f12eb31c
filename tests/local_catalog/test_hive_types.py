"""Column types by their Hive, Arrow and Athena names, and values as Athena prints them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport.local.services import hive_types

PLAIN = st.sampled_from(
    [
        "string",
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "float",
        "double",
        "boolean",
        "binary",
        "date",
        "timestamp",
        "decimal(38,10)",
    ]
)
FIELD = st.from_regex(r"f_[a-z0-9_]{0,5}", fullmatch=True)


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    fields = st.dictionaries(FIELD, inner, min_size=1, max_size=3).map(
        lambda columns: ",".join(f"{name}:{kind}" for name, kind in columns.items())
    )
    return st.one_of(
        inner.map("array<{}>".format),
        inner.map("map<string,{}>".format),
        fields.map("struct<{}>".format),
    )


@given(st.recursive(PLAIN, nested, max_leaves=5))
def test_every_type_survives_arrow(name: str) -> None:
    assert hive_types.from_arrow(hive_types.to_arrow(name)) == name


@pytest.mark.parametrize("field", ["order", "group", "date", "timestamp", "end", "1st"])
def test_a_nested_field_may_be_called_by_a_reserved_word(field: str) -> None:
    """Keys of a DynamoDB map are free text."""
    name = f"struct<{field}:string>"
    assert hive_types.from_arrow(hive_types.to_arrow(name)) == name


@pytest.mark.parametrize("field", ["unit-price", "a b", "a.b", "a/b", "straße", "$"])
def test_a_nested_field_of_any_name_is_kept(field: str) -> None:
    """A crawler writes what it finds; the field is never lost."""
    name = f"struct<id:int,{field}:array<string>,last:decimal(3,1)>"
    assert hive_types.from_arrow(hive_types.to_arrow(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "strin",
        "struct<>",
        "struct<a>",
        "struct<a:b:int>",
        "struct<a:int,,b:int>",
        "struct<(:int,b:int>",
        "array<int",
        "array<int,int>",
        "map<string>",
        "list<int>",
    ],
)
def test_an_unknown_type_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no Hive type"):
        hive_types.to_arrow(name)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("varchar(10)", "string"),
        ("char(3)", "string"),
        ("integer", "int"),
        ("decimal", "decimal(10,0)"),
        (" STRUCT<UnitPrice: decimal(10, 2), b:int> ", "struct<unitprice:decimal(10,2),b:int>"),
    ],
)
def test_a_type_may_be_written_in_other_ways(name: str, written: str) -> None:
    assert hive_types.from_arrow(hive_types.to_arrow(name)) == written


def test_nested_field_names_are_lower_case() -> None:
    kind = pa.struct([pa.field("UnitPrice", pa.int64())])
    assert hive_types.from_arrow(kind) == "struct<unitprice:bigint>"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.large_string(), "string"),
        (pa.large_binary(), "binary"),
        (pa.large_list(pa.int32()), "array<int>"),
        (pa.timestamp("ns", tz="UTC"), "timestamp"),
        (pa.null(), "string"),
    ],
)
def test_arrow_has_more_types_than_hive(kind: pa.DataType, name: str) -> None:
    assert hive_types.from_arrow(kind) == name


@pytest.mark.parametrize(
    ("name", "athena"),
    [
        ("string", "varchar"),
        ("int", "integer"),
        ("bigint", "bigint"),
        ("float", "float"),
        ("double", "double"),
        ("boolean", "boolean"),
        ("binary", "varbinary"),
        ("date", "date"),
        ("timestamp", "timestamp"),
        ("decimal(38,10)", "decimal"),
        ("array<int>", "array"),
        ("map<string,int>", "map"),
        ("struct<a:int>", "row"),
    ],
)
def test_athena_has_its_own_names(name: str, athena: str) -> None:
    assert hive_types.to_athena(hive_types.to_arrow(name)) == athena


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("int", "integer"),
        ("timestamp", "timestamp(3)"),
        ("decimal(38,10)", "decimal(38,10)"),
        ("map<string,array<int>>", "map(varchar,array(integer))"),
        ("struct<unit-price:double,b:string>", 'row("unit-price" double,"b" varchar)'),
    ],
)
def test_view_has_types_in_full(name: str, view: str) -> None:
    assert hive_types.view_type(hive_types.to_arrow(name)) == view


def test_a_type_that_hive_lacks_is_text() -> None:
    """DuckDB has more types than the catalog, and a result may still hold them."""
    assert (hive_types.from_arrow(pa.time64("us")), hive_types.to_athena(pa.uint64())) == (
        "string",
        "varchar",
    )


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (None, None),
        ("", ""),
        ("null", "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (4.0, "4.0"),
        (Decimal("1.50"), "1.50"),
        (b"\x00\xff", "00 ff"),
        (dt.date(2026, 11, 23), "2026-11-23"),
        ([], "[]"),
        ([1, None, "x, y"], "[1, null, x, y]"),
        ([[True], []], "[[true], []]"),
        ({"a": None, "b": {"c": 1}}, "{a=null, b={c=1}}"),
        ({}, "{}"),
        ([{}], "[{}]"),
    ],
)
def test_values_print_as_athena_prints_them(value: object, printed: str | None) -> None:
    assert hive_types.text(value) == printed


@pytest.mark.parametrize(
    ("zone", "printed"),
    [
        (None, "2026-11-23 10:00:00.000"),
        (dt.timezone.utc, "2026-11-23 10:00:00.000 UTC"),
        (ZoneInfo("Europe/Berlin"), "2026-11-23 10:00:00.000 Europe/Berlin"),
    ],
)
def test_a_timestamp_prints_with_milliseconds(zone: dt.tzinfo | None, printed: str) -> None:
    """Always three digits; a client parses no other form."""
    assert hive_types.text(dt.datetime(2026, 11, 23, 10, tzinfo=zone)) == printed

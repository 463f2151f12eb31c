"""What the export job makes of values without Spark: profiles, types, columns, changes, JSON."""

from __future__ import annotations

import json
from decimal import Context, Decimal
from functools import reduce
from typing import Any

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from dynoexport.jobs.adoption import assign_attributes
from dynoexport.jobs.limits import VIEW_TEXT_MAX
from dynoexport.jobs.readers.items import parse_lines
from dynoexport.jobs.schema.catalog_types import parse_catalog_type
from dynoexport.jobs.schema.changes import changes_between, schema_warnings
from dynoexport.jobs.schema.columns import (
    Column,
    column_entry,
    parse_column,
    settle_columns,
    view_text_size,
)
from dynoexport.jobs.schema.numbers import number_shape
from dynoexport.jobs.schema.profile import ITEMS as JOB_ITEMS
from dynoexport.jobs.schema.profile import Profile, merge_profiles, profile_items
from dynoexport.jobs.schema.types import Field, Rules, Type, parse_shape, type_name, type_shape
from dynoexport.jobs.schema.values import json_text, spark_value, text_value
from dynoexport.jobs.view import shown_columns, view_sql
from dynoexport.jobs.write.rows import line_converter, spark_row_converter
from dynoexport.local.services import hive_types
from dynoexport.local.services.query import view_text

RULES = Rules("parquet", "string", "struct", 200)
Item = dict[str, dict[str, Any]]

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str) | st.sampled_from(
    ["0", "-0", "9223372036854775807", "9223372036854775808", "1E+125", "1E-130", "0.10"]
)
SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=3)),
    st.builds(lambda text: {"N": text}, NUMBERS),
    st.builds(lambda value: {"BOOL": value}, st.booleans()),
    st.just({"B": "AP8="}),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"NS": texts}, st.lists(NUMBERS, min_size=1, max_size=3)),
)
KEYS = st.text(alphabet="aAb.", min_size=1, max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.builds(lambda elements: {"L": elements}, st.lists(inner, max_size=3))
        | st.builds(lambda fields: {"M": fields}, st.dictionaries(KEYS, inner, max_size=4))
    ),
    max_leaves=8,
)
ITEMS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=8)


def profiles(items: list[Item], limit: int = 200) -> dict[str, Profile]:
    found = dict(profile_items(items, limit))
    found.pop(JOB_ITEMS)
    return {name: Profile.load(dumped) for name, dumped in found.items()}


def columns(
    *items: Item, history: tuple[Column, ...] = (), rules: Rules = RULES
) -> tuple[Column, ...]:
    return settle_columns(
        profiles(list(items), rules.max_struct_fields), history, rules, others=False
    )


def types(*items: Item, **options: Any) -> dict[str, str]:
    return {column.name: type_name(column.type) for column in columns(*items, **options)}


def view(settled: tuple[Column, ...]) -> dict[str, str]:
    return {column.view: column.name for column in settled if column.shown}


# --- profiles ---------------------------------------------------------------------------------
@settings(max_examples=examples(100))
@given(st.data(), ITEMS, st.integers(1, 4))
def test_neither_order_nor_parts_change_a_profile(
    data: st.DataObject, items: list[Item], limit: int
) -> None:
    """It is the same for all segments and partitions of the items."""
    whole = {name: profile.dump() for name, profile in profiles(items, limit).items()}
    shuffled = data.draw(st.permutations(items))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(items)), max_size=3)))
    parts = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(items)], strict=True)]
    dumped = [pair for part in parts for pair in profile_items(part, limit)]
    merged = dict(merge_profiles(dumped, limit))
    assert merged.pop(JOB_ITEMS)[0] == {"M": len(items)}
    assert merged == whole


@settings(max_examples=examples(100))
@given(ITEMS)
def test_columns_do_not_depend_on_the_order_of_items(items: list[Item]) -> None:
    assert columns(*items) == columns(*reversed(items))


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("0", ("N", 0, 0)),
        ("-0.00", ("N", 0, 0)),
        ("9223372036854775807", ("N", 19, 0)),
        ("-9223372036854775808", ("N", 19, 0)),
        ("9223372036854775808", ("X", 19, 0)),
        ("1E+3", ("N", 4, 0)),
        ("1E+125", ("X", 126, 0)),
        ("1E-130", ("X", 0, 130)),
        ("12.50", ("X", 2, 1)),
        ("-0.001", ("X", 0, 3)),
        ("99999999999999999999999999999999999999", ("X", 38, 0)),
    ],
)
def test_numbers_are_measured_without_their_padding(text: str, shape: tuple[str, int, int]) -> None:
    assert number_shape(text) == shape


# Decimal's own context rounds to 28 digits.
EXACT = Context(prec=200)


@settings(max_examples=examples(100))
@given(st.lists(NUMBERS, min_size=1, max_size=5))
def test_a_number_column_holds_every_number_exactly(numbers: list[str]) -> None:
    """A bigint if all are 64-bit integers, else the decimal with the smallest scale, else text."""
    settled = types(*({"n": {"N": text}} for text in numbers))["n"]
    values = [Decimal(text) for text in numbers]
    scales = [max(0, -value.normalize(EXACT).as_tuple().exponent) for value in values]
    if all(value == int(value) and -(2**63) <= value < 2**63 for value in values):
        assert settled == "bigint"
    elif max(scales) <= 38 and all(
        -(10 ** (38 - max(scales))) < value < 10 ** (38 - max(scales)) for value in values
    ):
        assert settled == f"decimal(38,{max(scales)})"
    else:
        assert settled == "string"


# --- types ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([{"NULL": True}], "string"),
        ([{"L": []}], "array<string>"),
        ([{"L": [{"L": []}]}, {"L": [{"L": [{"N": "1"}]}]}], "array<array<bigint>>"),
        ([{"SS": ["a"]}, {"L": [{"S": "b"}]}], "array<string>"),
        ([{"NS": ["1"]}, {"NS": ["0.5"]}], "array<decimal(38,1)>"),
        ([{"L": [{"N": "1"}, {"S": "a"}]}], "string"),
        ([{"L": [{"L": [{"N": "1"}, {"S": "a"}]}]}], "array<string>"),
        ([{"M": {}}], "map<string,string>"),
        ([{"M": {}}, {"M": {"b": {"N": "1"}, "A": {"B": "AA=="}}}], "struct<a:binary,b:bigint>"),
        ([{"M": {"x": {"N": "1"}}}, {"M": {"x": {"BOOL": True}}}], "struct<x:string>"),
        ([{"M": {"x": {"M": {}}}}], "struct<x:map<string,string>>"),
        ([{"N": "1"}, {"S": "a"}], "string"),
        ([{"BOOL": True}, {"NULL": True}], "boolean"),
        ([{"D": "1.5"}, {"N": "1"}], "double"),
    ],
)
def test_the_type_of_an_attribute(values: list[Any], kind: str) -> None:
    assert types(*({"x": value} for value in values)) == {"x": kind}


def test_a_map_of_too_many_keys_is_a_map() -> None:
    """This also holds if no single item has too many."""
    items: list[Item] = [{"m": {"M": {f"k{n}": {"N": "1"}}}} for n in range(4)]
    assert types(*items, rules=Rules("parquet", "string", "struct", 3)) == {
        "m": "map<string,string>"
    }
    assert types(*items[:3], rules=Rules("parquet", "string", "struct", 3)) == {
        "m": "struct<k0:bigint,k1:bigint,k2:bigint>"
    }
    assert types(*items, rules=Rules("parquet", "string", "map", 200)) == {
        "m": "map<string,string>"
    }


def test_conflicts_become_columns_with_that_setting() -> None:
    rules = Rules("parquet", "columns", "struct", 200)
    items: list[Item] = [{"Rating": value} for value in ({"N": "1"}, {"S": "a"}, {"M": {}})]
    settled = columns(*items, rules=rules)
    assert {column.name: type_name(column.type) for column in settled} == {
        "rating__m": "map<string,string>",
        "rating__n": "bigint",
        "rating__s": "string",
    }
    rows = [spark_row_converter(settled)(item) for item in items]
    assert rows == [(None, 1, None), (None, None, "a"), ({}, None, None)]


def test_a_type_with_a_name_too_long_for_the_catalog_is_text() -> None:
    wide = {"M": {f"{'k' * 235}{n}": {"N": "1"} for n in range(600)}}
    rules = Rules("parquet", "string", "struct", 10_000)
    assert types({"m": wide}, rules=rules) == {"m": "string"}


@settings(max_examples=examples(100))
@given(ITEMS, st.sampled_from(["string", "columns"]), st.sampled_from(["struct", "map"]))
def test_columns_survive_the_manifest(items: list[Item], conflicts: str, maps_as: str) -> None:
    settled = columns(*items, rules=Rules("json", conflicts, maps_as, 200))
    entries = json.loads(json.dumps([column_entry(column, "json") for column in settled]))
    assert tuple(map(parse_column, entries)) == settled
    for column in settled:
        assert parse_shape(type_shape(column.type)) == column.type


# --- names ------------------------------------------------------------------------------------
ONE: dict[str, Any] = {"N": "1"}


def test_names_that_collide_get_numbers_and_the_partition_keeps_its_own() -> None:
    settled = columns(dict.fromkeys(["rating", "RATING", "Rating", "snapshot_timestamp"], ONE))
    assert {column.attribute: column.name for column in settled} == {
        "rating": "rating",
        "RATING": "rating_2",
        "Rating": "rating_3",
        "snapshot_timestamp": "snapshot_timestamp_2",
    }


def test_a_name_once_given_is_kept() -> None:
    """The attribute that matches the plain name came later."""
    before = columns({"RATING": ONE})
    settled = columns({"RATING": ONE, "rating": ONE}, history=before)
    assert {column.attribute: column.name for column in settled} == {
        "RATING": "rating",
        "rating": "rating_2",
    }


def test_an_attribute_called_like_a_conflicts_column_gets_another_name() -> None:
    rules = Rules("parquet", "columns", "struct", 200)
    settled = columns({"a": ONE, "a__n": {"S": "x"}}, {"a": {"S": "x"}}, rules=rules)
    assert {(column.attribute, column.group): column.name for column in settled} == {
        ("a", "n"): "a__n_2",
        ("a", "s"): "a__s",
        ("a__n", ""): "a__n",
    }


@settings(max_examples=examples(100))
@given(ITEMS, ITEMS, ITEMS, st.sampled_from(["string", "columns"]))
def test_columns_are_only_ever_added_to(
    first: list[Item], second: list[Item], third: list[Item], conflicts: str
) -> None:
    """Positions, names and types stay. Only structs grow, behind their existing fields."""
    rules = Rules("parquet", conflicts, "struct", 3)
    history: tuple[Column, ...] = ()
    for items in (first, second, third):
        settled = columns(*items, history=history, rules=rules)
        names = [column.name for column in settled]
        assert len(set(names)) == len(names)
        assert names[: len(history)] == [column.name for column in history]
        for former, now in zip(history, settled, strict=False):
            assert grown(former.type, now.type)
            assert (former.attribute, former.group, former.view) == (
                now.attribute,
                now.group,
                now.view,
            )
        shown = [column for column in settled if column.shown]
        assert len({column.view for column in shown}) == len(
            {(column.attribute, column.group) for column in settled}
        )
        assert len(shown) == len({column.view for column in shown})
        history = settled


def grown(former: Type, now: Type) -> bool:
    if former.kind != now.kind or former.scale != now.scale:
        return False
    if former.element is not None and now.element is not None:
        return grown(former.element, now.element)
    pairs = list(zip(former.fields, now.fields, strict=False))
    return len(pairs) == len(former.fields) and all(
        (one.attribute, one.name) == (two.attribute, two.name) and grown(one.type, two.type)
        for one, two in pairs
    )


# --- from snapshot to snapshot ----------------------------------------------------------------
def snapshots(*tables: list[Item], rules: Rules = RULES) -> list[tuple[Column, ...]]:
    def follow(before: list[tuple[Column, ...]], items: list[Item]) -> list[tuple[Column, ...]]:
        history = before[-1] if before else ()
        return [*before, columns(*items, history=history, rules=rules)]

    return reduce(follow, tables, [])


def test_an_attribute_that_changes_its_type_gets_another_column_and_its_view_follows() -> None:
    first, second, third = snapshots([{"r": ONE}], [{"r": {"S": "a"}}], [{"r": ONE}])
    assert view(first) == {"r": "r"}
    assert view(second) == {"r": "r__string"}
    assert view(third) == {"r": "r"}
    assert [column.name for column in third] == ["r", "r__string"]
    assert spark_row_converter(second)({"r": {"S": "a"}}) == (None, "a")
    assert spark_row_converter(third)({"r": ONE}) == (1, None)


def test_whole_numbers_stay_in_a_decimal_column_that_holds_them() -> None:
    """Numbers that it does not hold get another column."""
    price: Item = {"p": {"N": "1.25"}}
    *_, third = snapshots([price], [{"p": ONE}], [{"p": {"N": "1.125"}}])
    assert view(snapshots([price], [{"p": ONE}])[-1]) == {"p": "p"}
    assert view(third) == {"p": "p__decimal_38_3"}
    large: Item = {"p": {"N": "1" * 37}}
    assert view(snapshots([price], [large])[-1]) == {"p": "p__decimal_38_0"}


def test_structs_get_new_fields_after_their_old_ones() -> None:
    *_, last = snapshots(
        [{"m": {"M": {"b": ONE}}}],
        [{"m": {"M": {"a": ONE, "b": ONE, "B": ONE}}}],
        [{"m": {"M": {}}}],
    )
    assert [type_name(column.type) for column in last] == ["struct<b:bigint,a:bigint,b_2:bigint>"]


def test_a_field_that_changes_its_type_changes_the_columns() -> None:
    _, last = snapshots([{"m": {"M": {"b": ONE}}}], [{"m": {"M": {"b": {"S": "x"}}}}])
    former, now = last
    assert (former.name, former.shown) == ("m", False)
    assert now.name.startswith("m__struct_")
    assert type_name(now.type) == "struct<b:string>"


def test_a_vanished_attribute_keeps_its_column_and_its_place() -> None:
    *_, last = snapshots([{"a": ONE, "c": ONE}], [{"b": ONE, "c": ONE}])
    assert [(column.name, column.items, column.shown) for column in last] == [
        ("a", 0, True),
        ("c", 1, True),
        ("b", 1, True),
    ]
    assert spark_row_converter(last)({"b": ONE, "c": ONE}) == (None, 1, 1)


def test_nulls_alone_change_no_type() -> None:
    _, last = snapshots([{"a": ONE}], [{"a": {"NULL": True}}])
    assert [(column.name, type_name(column.type)) for column in last] == [("a", "bigint")]


def test_text_formats_never_need_another_column() -> None:
    rules = Rules("csv", "string", "struct", 200)
    _, last = snapshots([{"a": ONE}], [{"a": {"S": "x"}}], rules=rules)
    assert view(last) == {"a": "a"}
    assert column_entry(last[0], "csv")["type"] == "string"


def changes_of(*tables: list[Item]) -> list[str]:
    *_, before, after = snapshots(*tables)
    return changes_between(before, after, profiles(tables[-1]))


def test_changes_are_listed_by_attribute() -> None:
    first: list[Item] = [{"rating": ONE, "size": ONE, "m": {"M": {"a": ONE}}}] * 4
    second: list[Item] = [{"rating": {"S": "x"}, "color": {"S": "red"}}] * 3 + [
        {"rating": ONE, "m": {"M": {"a": ONE, "b": ONE}}}
    ]
    assert changes_of(first, second) == [
        "color: new, string, 3 items",
        "m: struct<a:bigint> -> struct<a:bigint,b:bigint>",
        "rating: bigint -> string, 3 items",
        "size: gone, was bigint",
    ]
    assert changes_of(first, [{"rating": ONE, "size": {"N": "0.5"}, "m": {"M": {"a": ONE}}}]) == [
        "size: bigint -> decimal(38,1), 1 item"
    ]
    assert changes_of(first, first) == []


def test_the_first_snapshot_has_no_changes() -> None:
    (only,) = snapshots([{"a": ONE}])
    assert changes_between((), only, profiles([{"a": ONE}])) == []


def test_numbers_that_no_decimal_holds_get_a_warning_with_their_path() -> None:
    beyond: Item = {"n": {"N": "1E+125"}, "m": {"M": {"l": {"NS": ["1E+100", "0.5"]}}}}
    assert schema_warnings(profiles([beyond]), columns(beyond), others=False) == [
        "m.l[]: numbers that no decimal(38,s) holds, kept as text",
        "n: numbers that no decimal(38,s) holds, kept as text",
    ]
    assert types(beyond) == {"m": "struct<l:array<string>>", "n": "string"}


# --- more attributes than columns -------------------------------------------------------------
def test_attributes_without_a_column_are_in_other_attributes() -> None:
    settled = settle_columns(profiles([{"a": ONE}]), (), RULES, others=True)
    assert [(column.name, type_name(column.type)) for column in settled] == [
        ("a", "bigint"),
        ("other_attributes", "map<string,string>"),
    ]
    row = spark_row_converter(settled)
    assert row({"a": ONE, "b": {"S": "x"}, "c": {"L": [ONE]}}) == (1, {"b": "x", "c": "[1]"})
    assert row({"a": ONE}) == (1, None)
    again = settle_columns(profiles([{"a": ONE}]), settled, RULES, others=False)
    assert [column.name for column in again] == ["a", "other_attributes"]


# --- values as text and JSON ------------------------------------------------------------------
@settings(max_examples=examples(100))
@given(VALUES)
def test_json_is_json_with_exact_numbers(value: dict[str, Any]) -> None:
    text = json_text(value)
    assert "\n" not in text
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == plain(value)


def plain(value: dict[str, Any]) -> Any:
    ((code, content),) = value.items()
    if code == "M":
        return {name: plain(inner) for name, inner in content.items()}
    if code == "L":
        return [plain(element) for element in content]
    if code == "NS":
        return sorted(map(Decimal, content))
    if code == "NULL":
        return None
    return Decimal(content) if code == "N" else content


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"S": ""}, ""),
        ({"S": "NaN"}, "NaN"),
        ({"N": "-0.50"}, "-0.50"),
        ({"BOOL": False}, "false"),
        ({"B": "AP8="}, "AP8="),
        ({"NULL": True}, None),
        ({"SS": ["b", "a"]}, '["a","b"]'),
        ({"NS": ["10", "9"]}, "[9,10]"),
        ({"M": {"b": {"NULL": True}, "a": {"L": []}}}, '{"a":[],"b":null}'),
    ],
)
def test_values_as_text(value: dict[str, Any], text: str | None) -> None:
    assert text_value(value) == text


def test_fields_of_json_have_the_catalogs_names() -> None:
    item: Item = {"Print": {"M": {"Year-Of": {"N": "1997"}, "none": {"NULL": True}}}, "x": ONE}
    settled = columns(item)
    assert line_converter(settled, "json")(item) == '{"print":{"year_of":1997},"x":1}'


def test_the_connectors_plain_json_is_read() -> None:
    """Whole numbers and doubles have different types; nothing else has a type of its own."""
    line = '{"a": 1, "b": 1e+20, "c": [true, null, "x"], "d": {"e": 9223372036854775808}}'
    (item,) = parse_lines([line], "plain", lambda name: name != "z")
    assert item == {
        "a": {"N": "1"},
        "b": {"D": "1e+20"},
        "c": {"L": [{"BOOL": True}, {"NULL": True}, {"S": "x"}]},
        "d": {"M": {"e": {"N": "9223372036854775808"}}},
    }


def test_struct_values_are_in_the_order_of_the_fields() -> None:
    kind = Type("struct", fields=(Field("b", "b", Type("bigint")), Field("a", "a", Type("binary"))))
    value = {"M": {"a": {"B": "AP8="}, "b": ONE}}
    assert spark_value(kind)(value) == (1, b"\x00\xff")


# --- columns that another design has left in the catalog ------------------------------------------
@pytest.mark.parametrize(
    ("declared", "ours"),
    [
        ("int", "bigint"),
        ("float", "double"),
        ("decimal(10, 2)", "decimal(38,2)"),
        ("map<string,string>", "map<string,string>"),
        ("array<struct<a:int,b:array<string>>>", "array<struct<a:bigint,b:array<string>>>"),
    ],
)
def test_types_of_the_catalog_are_the_next_that_an_export_writes(declared: str, ours: str) -> None:
    assert type_name(parse_catalog_type(declared)) == ours


@pytest.mark.parametrize("declared", ["timestamp", "map<string,int>", "array<>", "struct<a>", ""])
def test_types_that_no_export_writes_are_refused(declared: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        parse_catalog_type(declared)


def test_an_attribute_belongs_to_one_old_column() -> None:
    """To the one that has its name, if another one has what this export would make of it."""
    names = ("first_name", "first name")
    old = [Column(name, name, "", "", Type("string")) for name in names]
    found = assign_attributes(old, profiles([{"First Name": {"S": "x"}}]))
    assert [column.attribute for column in found] == ["", "First Name"]


def test_old_columns_find_their_attributes_and_structs_their_keys() -> None:
    """By the names that a crawler or this export would give them; one without any waits."""
    kinds = {"gone": "string", "unit-price": "bigint", "print": "struct<pages:bigint,year:bigint>"}
    old = [Column(name, name, "", "", parse_catalog_type(kind)) for name, kind in kinds.items()]
    item: Item = {"Unit-Price": ONE, "Print": {"M": {"Pages": ONE}}}
    assigned = assign_attributes(old, profiles([item]))
    assert [column.attribute for column in assigned] == ["", "Unit-Price", "Print"]
    assert [field.attribute for field in assigned[2].type.fields] == ["Pages", "year"]
    settled = columns(item, history=assigned)
    assert [column.name for column in settled] == list(kinds)
    later = assign_attributes(settled, profiles([{**item, "Gone": {"S": "x"}}]))
    assert [column.attribute for column in later] == ["Gone", "Unit-Price", "Print"]


# --- the view's length ------------------------------------------------------------------------
def wide(count: int, start: int = 0) -> Item:
    """As many maps of 150 keys."""
    fields = {f"a_key_of_a_map_{number}": {"N": "1"} for number in range(150)}
    return {f"m{number:03}": {"M": fields} for number in range(start, start + count)}


def kinds(settled: tuple[Column, ...]) -> set[str]:
    return {column.type.kind for column in settled if column.shown}


def test_types_become_text_until_the_view_fits_into_the_catalog() -> None:
    """Otherwise every later run would fail."""
    assert kinds(columns(wide(20))) == {"struct"}
    settled = columns(wide(90))
    assert kinds(settled) == {"string"}
    assert view_text_size(settled, "parquet") <= VIEW_TEXT_MAX


def test_a_type_that_became_text_stays_in_its_column() -> None:
    """The next runs add no columns."""
    first = columns(wide(90))
    assert columns(wide(90), history=first) == first
    grown = columns(wide(90), history=columns(wide(40)))
    assert columns(wide(90), history=grown) == grown


def test_names_that_are_too_long_together_leave_the_rarest_without_a_column() -> None:
    """Glue takes no longer view: without this, the view job would fail in every run."""
    often = {f"often{number:03}{'n' * 232}": {"S": "x"} for number in range(500)}
    once = {f"once{number:03}{'n' * 233}": {"S": "x"} for number in range(500)}
    items = [{**often, **once}, often]
    settled = columns(*items)
    assert view_text_size(settled, "parquet") <= VIEW_TEXT_MAX
    attributes = {column.attribute for column in settled}
    assert set(often) <= attributes
    assert not set(once) <= attributes
    assert [column.view for column in settled if column.attribute == ""] == ["other_attributes"]
    (warning,) = schema_warnings(profiles(items), settled, others=False)
    assert warning == (
        "the names of all attributes together are too long for a view: the rarest are in "
        "other_attributes"
    )
    assert columns(*items, history=settled) == settled


def test_long_names_and_large_maps_keep_a_column_each() -> None:
    texts = {f"t{number:03}{'n' * 76}": {"S": "x"} for number in range(950)}
    settled = columns({**texts, **wide(50)})
    assert len(settled) == 1_000
    assert kinds(settled) == {"string"}
    assert view_text_size(settled, "parquet") <= VIEW_TEXT_MAX


@settings(max_examples=examples(100))
@given(ITEMS)
def test_the_views_text_is_never_longer_than_computed(items: list[Item]) -> None:
    settled = columns(*items)
    schema = [column_entry(column, "parquet") for column in settled]
    sql = view_sql("dynamodb_exports", "v", "t", shown_columns(schema), "2026-01-31T10:00")
    listed = [
        {"name": column["view"], "type": hive_types.view_type(hive_types.to_arrow(column["type"]))}
        for column in schema
        if column["shown"]
    ]
    text = view_text(sql, "dynamodb_exports", listed)
    assert len(text) <= view_text_size(settled, "parquet")


def test_existing_columns_keep_their_types_when_a_view_becomes_too_long() -> None:
    before = columns(wide(40))
    after = columns(wide(90), history=before)
    shown = {column.view: column.type.kind for column in after if column.shown}
    assert {shown[f"m{number:03}"] for number in range(40)} == {"struct"}
    assert {shown[f"m{number:03}"] for number in range(40, 90)} == {"string"}


def test_a_view_that_was_too_long_before_gets_shorter() -> None:
    too_long = tuple(
        Column(f"m{number:03}", f"m{number:03}", f"m{number:03}", "", columns(wide(1))[0].type)
        for number in range(90)
    )
    settled = columns(wide(90), history=too_long)
    assert kinds(settled) == {"string"}
    assert [column.name for column in settled[:90]] == [column.name for column in too_long]

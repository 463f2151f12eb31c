"""Troubles of real tables: each file of tests/corpus has one, with its expected schema."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import expected
import pytest
from lake import KEY
from test_rows import settled, wire

from dynoexport.jobs.schema.types import type_name

if TYPE_CHECKING:
    from lake import Lake

CORPUS = sorted(Path(__file__).parents[1].joinpath("corpus").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    """The case; binary, which JSON cannot hold, from base64."""
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    case["items"] = [
        {name: with_binary(value) for name, value in item.items()} for item in case["items"]
    ]
    return case


def with_binary(value: dict[str, Any]) -> dict[str, Any]:
    ((code, held),) = value.items()
    if code == "B":
        return {"B": base64.b64decode(held)}
    if code == "BS":
        return {"BS": [base64.b64decode(element) for element in held]}
    if code == "L":
        return {"L": [with_binary(element) for element in held]}
    if code == "M":
        return {"M": {name: with_binary(inner) for name, inner in held.items()}}
    return value


def rules_of(case: dict[str, Any]) -> expected.Rules:
    given = case.get("settings", {})
    return expected.Rules(
        given.get("TypeConflicts", "string"),
        given.get("MapsAs", "struct"),
        int(given.get("MaxStructFields", "200")),
    )


def schema(columns: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(column["name"], column["type"], column["attribute"]) for column in columns]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_oracle_agrees_with_the_corpus(path: Path) -> None:
    """Otherwise the generated tables would be compared with a wrong type map."""
    case = load(path)
    found = expected.columns(case["items"], rules_of(case))
    assert [(c.name, expected.hive(c.kind), c.attribute) for c in found] == schema(case["schema"])


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_job_settles_the_schema(path: Path) -> None:
    """The test runs without Spark: catalog and view would take seconds for each case."""
    case = load(path)
    rules = rules_of(case)
    given = (rules.type_conflicts, rules.maps_as, rules.max_struct_fields)
    lines = [{name: wire(value) for name, value in item.items()} for item in case["items"]]
    found = [
        (column.name, type_name(column.type), column.attribute)
        for column in settled(lines, "parquet", given)
    ]
    assert found == schema(case["schema"])


# Those that go all the way in every run of the tests; the others in `make test-deep`.
QUICK = {
    "binary",
    "empty_maps_and_lists",
    "names_that_differ_by_case",
    "names_that_no_column_can_have",
    "nesting_of_32_levels",
    "numbers_of_38_digits",
    "scalars_of_several_types_as_columns",
    "sets",
}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.deep)
        for path in CORPUS
    ],
)
def test_a_case_from_a_real_table(lake: Lake, path: Path) -> None:
    """Schema as written in the file; rows, catalog and comments as the document says."""
    case = load(path)
    table = lake.table("parquet", case["items"], **case.get("settings", {}))
    manifest = table.run()
    assert schema(manifest["schema"]) == schema(case["schema"])
    columns = expected.columns(case["items"], rules_of(case))
    rows = [expected.row(item, columns, "parquet") for item in table.scan()]
    assert {row[KEY]: row for row in table.view()} == {row[KEY]: row for row in rows}
    assert [(column["Name"], column["Type"]) for column in table.catalog()] == [
        (column["name"], column["type"]) for column in case["schema"]
    ]
    comments = [column["attribute"].replace("\n", "\ufffd") for column in case["schema"]]
    assert [column["Comment"] for column in table.catalog()] == comments


def test_json_keeps_keys_of_a_map_that_differ_by_case(lake: Lake) -> None:
    """This also holds for the earlier snapshot, whose partition the next crawl writes again."""
    case = load(CORPUS[0].with_name("map_keys_that_differ_by_case.json"))
    table = lake.table("json", case["items"], **case["settings"])
    older = table.run()["snapshot_timestamp"]
    table.run()
    links = [("URL", "1"), ("Url", "2"), ("url", "3")]
    assert [row["links"] for row in table.view()] == [links]
    assert [row["links"] for row in table.snapshot(older)] == [links]


def test_an_item_of_400_kb(lake: Lake) -> None:
    """It has the largest size that DynamoDB accepts, and a small one is beside it."""
    items = [{"id": {"S": "1"}, "t": {"S": "\u00e4" * 190_000}}, {"id": {"S": "2"}}]
    table = lake.table("orc", items)
    table.run()
    assert {row["id"]: row["t"] for row in table.view()} == {"1": "\u00e4" * 190_000, "2": None}


def test_more_attributes_than_columns(lake: Lake) -> None:
    """The rarest share a map; of equals the last by name."""
    many = {f"a{number:04}": {"N": "1"} for number in range(1_005)}
    items = [{"id": {"S": "1"}, **many}, {"id": {"S": "2"}, "a1004": {"N": "2"}}]
    table = lake.table("json", items)
    manifest = table.run()
    names = [column["name"] for column in manifest["schema"]]
    assert len(names) == 1_001
    assert names[-1] == "other_attributes"
    assert {"id", "a0997", "a1004"} <= set(names)
    first, second = sorted(table.view(), key=lambda row: row["id"])
    rest = [(f"a{number:04}", "1") for number in range(998, 1_004)]
    assert first["other_attributes"] == rest
    assert (second["other_attributes"], second["a1004"]) == (None, 2)
    assert manifest["warnings"] == [
        "more than 1,000 attributes: the rarest are in other_attributes"
    ]


def test_structs_with_paths_that_read_the_same(lake: Lake) -> None:
    """a.b_c and a_b.c are two records, each with its own types, in avro as elsewhere."""
    item = {
        "id": {"S": "1"},
        "a": {"M": {"b_c": {"M": {"x": {"N": "0.5"}}}}},
        "a_b": {"M": {"c": {"M": {"x": {"S": "text"}}}}},
    }
    table = lake.table("avro", [item])
    table.run()
    assert table.view() == [
        {"id": "1", "a": {"b_c": {"x": Decimal("0.5")}}, "a_b": {"c": {"x": "text"}}}
    ]


def test_decimals_with_many_zeros(lake: Lake) -> None:
    """They are as short and as long as possible, in avro, which writes them by their digits."""
    numbers = ["-0.00000000000008", "0.5", "0", "99999999999999999999999.1"]
    items = [{"id": {"S": str(i)}, "d": {"N": text}} for i, text in enumerate(numbers)]
    table = lake.table("avro", items)
    table.run()
    assert {row["id"]: row["d"] for row in table.view()} == {
        str(i): Decimal(text) for i, text in enumerate(numbers)
    }

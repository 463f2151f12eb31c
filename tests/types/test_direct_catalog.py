"""A catalog without a crawler has the entries that a crawl leads to, and the same rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from lake import DATABASE, QUERYABLE, Table

from dynoexport import naming
from dynoexport.jobs.avro_schema import AVRO_LITERAL

if TYPE_CHECKING:
    from lake import Lake

# What a crawler writes about itself, and what it has counted.
OF_CRAWLER = {
    "CrawlerSchemaDeserializerVersion",
    "CrawlerSchemaSerializerVersion",
    "objectCount",
    "sizeKey",
}
# Items of three runs: attributes come, go, and change their types; structs gain fields.
RUNS: tuple[list[dict[str, Any]], ...] = (
    [
        {
            "id": {"S": "1"},
            "Rating": {"N": "5"},
            "price": {"N": "1.50"},
            "text": {"S": 'a,"b"'},
            "print": {"M": {"Pages": {"N": "7"}}},
            "tags": {"SS": ["x", "y"]},
        },
        {"id": {"S": "2"}, "Rating": {"N": "4"}},
    ],
    [
        {"id": {"S": "1"}, "Rating": {"S": "good"}, "print": {"M": {"Year": {"N": "1997"}}}},
        {"id": {"S": "3"}, "Aaa": {"BOOL": True}},
    ],
    [{"id": {"S": "4"}, "Rating": {"N": "3"}, "bytes": {"B": b"12"}, "aab": {"N": "1"}}],
)


@dataclass
class DirectTable(Table):
    """An export without a crawler, while ``crawls`` is not set."""

    crawls: bool = False

    def crawl(self) -> None:
        if self.crawls:
            super().crawl()


def direct_table(lake: Lake, fmt: str, items: list[dict[str, Any]]) -> DirectTable:
    return DirectTable(lake, lake.table(fmt, items).name, fmt)


def entries(table: Table) -> list[dict[str, Any]]:
    """The table and its partitions in the catalog, without what a crawler says of itself."""
    glue, name = table.lake.glue, naming.snapshots_table(table.name, f"{table.format}_")
    found = glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]
    partitions = glue.get_partitions(DatabaseName=DATABASE, TableName=name)["Partitions"]
    partitions.sort(key=lambda partition: partition["Values"])
    own = [
        {key: found[key] for key in ("TableType", "PartitionKeys", "Parameters")},
        {**found["StorageDescriptor"], "Parameters": plain(found["StorageDescriptor"])},
        *({"of": each["Values"], **each.get("Parameters", {})} for each in partitions),
        *(of_partition(each["StorageDescriptor"]) for each in partitions),
    ]
    text = json.dumps(without_counts(own))
    # Two tables differ in their names, and their runs in their minutes.
    for number, partition in enumerate(partitions):
        text = text.replace(partition["Values"][0], f"snapshot {number}")
    read: list[dict[str, Any]] = json.loads(text.replace(table.name, "Table"))
    return read


def plain(holder: dict[str, Any]) -> dict[str, str]:
    """Its parameters without the schema of avro, which is read from the table's own first."""
    return {name: each for name, each in holder["Parameters"].items() if name != AVRO_LITERAL}


def of_partition(descriptor: dict[str, Any]) -> dict[str, Any]:
    """A partition's storage, without the comments of columns, which are shown for the table."""
    columns = [(column["Name"], column["Type"]) for column in descriptor["Columns"]]
    serde = {**descriptor["SerdeInfo"], "Parameters": plain(descriptor["SerdeInfo"])}
    return {**descriptor, "Columns": columns, "SerdeInfo": serde, "Parameters": plain(descriptor)}


def without_counts(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {key: without_counts(each) for key, each in entry.items() if key not in OF_CRAWLER}
    return [without_counts(each) for each in entry] if isinstance(entry, list) else entry


def names(table: Table) -> list[str]:
    return [column["Name"] for column in table.catalog()]


@pytest.mark.parametrize("fmt", QUERYABLE)
def test_catalog_without_a_crawler_is_what_a_crawl_leads_to(lake: Lake, fmt: str) -> None:
    """SerDe, parameters and columns of table and partitions, and the view's rows."""
    crawled, direct = lake.table(fmt, RUNS[0]), direct_table(lake, fmt, RUNS[0])
    for items in RUNS[:2]:
        rows = []
        for table in (crawled, direct):
            table.put(items)
            table.run()
            rows.append(table.view())
        assert rows[0] == rows[1]
        assert entries(crawled) == entries(direct)


@pytest.mark.parametrize("fmt", QUERYABLE)
def test_switching_on_a_table_with_history_loses_nothing(lake: Lake, fmt: str) -> None:
    """Both ways: no column changes its place, and every snapshot keeps its rows."""
    table = direct_table(lake, fmt, [])
    taken: dict[str, set[str]] = {}
    columns: list[str] = []
    for crawls, items in zip((False, True, False), RUNS, strict=True):
        table.crawls = crawls
        table.put(items)
        timestamp = table.run()["snapshot_timestamp"]
        assert names(table)[: len(columns)] == columns
        columns = names(table)
        taken[timestamp] = {item["id"]["S"] for item in items}
        assert {row["id"] for row in table.view()} == taken[timestamp]
        for former, ids in taken.items():
            assert {row["id"] for row in table.snapshot(former)} == ids


def test_snapshots_return_to_a_catalog_whose_table_was_deleted(lake: Lake) -> None:
    """As ``destroy`` leaves the data, and ``deploy`` makes the export anew."""
    table = direct_table(lake, "parquet", RUNS[0])
    first = table.run()["snapshot_timestamp"]
    before = [(row["id"], row["text"]) for row in table.snapshot(first)]
    name = naming.snapshots_table(table.name, "parquet_")
    lake.glue.delete_table(DatabaseName=DATABASE, Name=name)
    table.put(RUNS[1])
    table.run()
    assert [(row["id"], row["text"]) for row in table.snapshot(first)] == before

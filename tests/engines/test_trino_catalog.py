"""Trino 476 on a catalog that changes: drift, ORC's columns, real crawlers' tables, the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import comparer
import create_current_view
import pytest
from changing_items import ADDED, SNAPSHOTS, m, s
from lake import DATABASE
from real_crawler import CrawledTable
from trino_athena import RefusingAthena, TrinoAthena

from dynoexport import naming

if TYPE_CHECKING:
    from changing_items import Items
    from lake import Lake, Table
    from trino_server import Trino

JUDGE = "Trino 476"


def held(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without their nulls, also in structs, in order."""
    return sorted((without_nulls(row) for row in rows), key=lambda row: str(row["id"]))


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: without_nulls(value) if isinstance(value, dict) else value
        for name, value in row.items()
        if value not in (None, "")
    }


@dataclass
class JudgedTable(CrawledTable):
    """As a real crawler leaves it, with a view that Trino itself creates and replaces."""

    trino: Any = None

    def publish(self, run_id: str, athena: Any = None) -> None:
        super().publish(run_id, athena or TrinoAthena(self.trino))


def follow(table: Table, trino: Trino, snapshots: list[Items]) -> None:
    """Take the snapshots. After each one the view has its items, and older ones are unchanged."""
    taken: dict[str, list[dict[str, Any]]] = {}
    for items in snapshots:
        table.put(items)
        timestamp = table.run()["snapshot_timestamp"]
        assert comparer.differences(table.scan(), trino.view(table), table.format) == []
        check_parser(table, timestamp)
        for former, rows in taken.items():
            for reading in readings(table, trino, former):
                assert held(reading) == rows
        taken[timestamp] = held(trino.snapshot(table, timestamp))
        assert len(taken[timestamp]) == len(items)


def check_parser(table: Table, timestamp: str) -> None:
    """Our parser finds the snapshot in the view, whoever wrote its text."""
    name = naming.view(table.name, f"{table.format}_")
    view = table.lake.glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]
    assert create_current_view.shown_timestamp(view) == timestamp


def readings(table: Table, trino: Trino, timestamp: str) -> list[list[dict[str, Any]]]:
    """A snapshot's rows; of ORC by name and by position, since Athena's tables may ask for either.

    https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html
    """
    if table.format != "orc":
        return [trino.snapshot(table, timestamp)]
    ways = ("true", "false")
    return [trino.snapshot(table, timestamp, orc_use_column_names=way) for way in ways]


@pytest.mark.parametrize("fmt", ["avro", "csv", "json", "orc", "parquet"])
def test_every_snapshot_stays_readable_in_a_table_as_a_real_crawler_leaves_it(
    lake: Lake, trino: Trino, fmt: str
) -> None:
    """While attributes come, go, change and grow; Trino runs the view job's statement."""
    follow(JudgedTable(lake, lake.table(fmt, []).name, fmt, trino=trino), trino, SNAPSHOTS)


@dataclass
class UncrawledTable(JudgedTable):
    """The view job adds each snapshot to the catalog; a crawl comes before every ``every``-th."""

    every: int = 0
    runs: int = 0

    def crawl(self) -> None:
        self.runs += 1
        if self.every and self.runs % self.every == 0:
            super().crawl()


@pytest.mark.parametrize("every", [0, 2], ids=["direct", "switched"])
@pytest.mark.parametrize("fmt", ["avro", "csv", "json", "orc", "parquet"])
def test_every_snapshot_stays_readable_in_a_table_without_a_crawler(
    lake: Lake, trino: Trino, fmt: str, every: int
) -> None:
    """Also if a real crawler crawls it in between."""
    name = lake.table(fmt, []).name
    follow(UncrawledTable(lake, name, fmt, trino=trino, every=every), trino, SNAPSHOTS)


def test_a_column_is_added_to_avro_as_a_real_crawler_leaves_it(lake: Lake, trino: Trino) -> None:
    """A new column is the smallest change of a table."""
    follow(CrawledTable(lake, lake.table("avro", []).name, "avro"), trino, ADDED)


def test_every_snapshot_of_avro_stays_readable_as_the_endpoint_leaves_it(
    lake: Lake, trino: Trino
) -> None:
    follow(lake.table("avro", []), trino, SNAPSHOTS)


def test_a_refused_view_leaves_the_former_one_readable(lake: Lake, trino: Trino) -> None:
    """A struct has grown, and the view cannot be replaced."""
    table = lake.table("parquet", SNAPSHOTS[0])
    table.run()
    before = trino.view(table)
    table.put(SNAPSHOTS[1])
    run_id = lake.start_run()
    table.export(run_id)
    table.crawl()
    with pytest.raises(create_current_view.JobFailed, match="refused by the test"):
        table.publish(run_id, athena=RefusingAthena())
    assert trino.view(table) == before


def test_json_keeps_keys_that_differ_by_case(lake: Lake, trino: Trino) -> None:
    keys = {f"key{number}": s("x") for number in range(210)}
    items = [{"id": s("1"), "map": m(**keys, aB3=s("1"), Ab3=s("2"))}]
    table = lake.table("json", items)
    table.run()
    assert comparer.differences(items, trino.view(table), "json") == []


def test_the_header_of_csv_is_never_a_row(lake: Lake, trino: Trino) -> None:
    items = [{"id": s("1"), "text": s("a,b")}]
    table = HeaderlessTable(lake, lake.table("csv", items).name, "csv")
    table.run()
    assert comparer.differences(items, trino.view(table), "csv") == []


class HeaderlessTable(CrawledTable):
    """The crawler has not noticed the header."""

    def _parameters(self) -> dict[str, str]:
        return {**super()._parameters(), "skip.header.line.count": "0"}


@pytest.fixture(scope="module")
def only_column(lake: Lake) -> Table:
    """Csv with one column, which four of five items lack or have empty."""
    items = [{"id": s("2"), "only": s("x")}, {"id": s("4"), "only": s("")}]
    table = lake.table("csv", [*items, *({"id": s(key)} for key in "135")], Columns="only")
    table.run()
    return table


def test_trino_keeps_a_row_whose_only_column_is_empty(trino: Trino, only_column: Table) -> None:
    rows = [row["only"] for row in trino.view(only_column)]
    assert sorted(value or "" for value in rows) == ["", "", "", "", "x"]


def test_the_endpoint_reads_an_empty_only_column_as_trino_does(
    trino: Trino, only_column: Table
) -> None:
    expected = sorted(row["only"] or "" for row in trino.view(only_column))
    assert sorted(row["only"] or "" for row in only_column.view()) == expected

"""Trino 476 reads what the jobs have written, through table and view, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import comparer
import expected
import pytest
from hard_items import hard_items
from lake import QUERYABLE

if TYPE_CHECKING:
    from lake import Lake, Table
    from trino_server import Trino

JUDGE = "Trino 476"
READERS = ("native", "export", "connector")


@pytest.fixture(scope="module")
def tables(lake: Lake, trino: Trino) -> dict[str, Table]:
    """The hard items, in a DynamoDB table for each reader."""
    made = {reader: lake.table("parquet", hard_items(), ReadMode=reader) for reader in READERS}
    lake.dynamodb.update_continuous_backups(
        TableName=made["export"].name,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    return made


def delivered(items: list[dict[str, Any]], reader: str) -> list[dict[str, Any]]:
    """The items as the reader delivers them."""
    return [expected.through_connector(item) for item in items] if reader == "connector" else items


@pytest.mark.parametrize("fmt", QUERYABLE)
@pytest.mark.parametrize("reader", READERS)
def test_every_cell_equals_the_item(
    lake: Lake, trino: Trino, tables: dict[str, Table], reader: str, fmt: str
) -> None:
    """In the view and in the table of all snapshots, for items of every type."""
    table = lake.same_table(tables[reader], fmt, ReadMode=reader)
    manifest = table.run()
    items = delivered(table.scan(), reader)
    rows = trino.view(table)
    assert comparer.differences(items, rows, fmt) == []
    assert trino.snapshot(table, manifest["snapshot_timestamp"]) == rows

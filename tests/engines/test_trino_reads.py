"""Trino 476 reads what the jobs have written, through table and view, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake import Lake
    from trino_server import Trino

JUDGE = "Trino 476"


def test_trino_reads_the_current_view(lake: Lake, trino: Trino) -> None:
    table = lake.table("parquet", [{"id": {"S": "1"}, "n": {"N": "7"}}])
    table.run()
    assert trino.view(table) == [{"id": "1", "n": 7}]

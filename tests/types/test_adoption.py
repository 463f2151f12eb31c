"""Snapshots of the 2019 design and its catalog table stay readable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import create_current_view
import export_table
import pytest
from lake import BUCKET, DATABASE, QUERYABLE, ROLE
from old_design import OLD, OLD_ROW, old_file

from dynoexport import naming
from dynoexport.local.glue import crawler

if TYPE_CHECKING:
    from lake import Lake, Table

NEW_ITEM = {
    "id": {"S": "new"},
    "Author": {"S": "Tolkien"},
    "Color": {"S": "red"},
    "Rating": {"N": "5"},
    "Review": {"S": "Long, but"},
}
NEW_ROW = {"id": "new", "author": "Tolkien", "color": "red", "rating": 5, "review": "Long, but"}


def leave_old_snapshot(lake: Lake, table: Table) -> None:
    """Put the file, and create the table of a crawler without configuration."""
    prefix = naming.data_prefix(table.name, table.format)
    key = f"{prefix}snapshot_timestamp={OLD}/run-1-part-r-00000"
    lake.s3.put_object(Bucket=BUCKET, Key=key, Body=old_file(table.format))
    name = f"Old{table.name}{table.format}"
    lake.glue.create_crawler(
        Name=name,
        Role=ROLE,
        DatabaseName=DATABASE,
        TablePrefix=f"{table.format}_snapshots_",
        Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/{prefix}"}]},
    )
    crawler.crawl(name, glue=lake.glue, s3=lake.s3)


def expected(row: dict[str, Any], fmt: str) -> dict[str, Any]:
    """With all columns; csv knows text only, and what is missing in its older lines is null."""
    full = {name: row.get(name) for name in {**OLD_ROW, **NEW_ROW}}
    if fmt != "csv":
        return full
    missing = "" if row is NEW_ROW else None
    return {name: missing if value is None else str(value) for name, value in full.items()}


@pytest.mark.parametrize("fmt", QUERYABLE)
def test_old_and_new_rows_have_their_values_in_their_columns(lake: Lake, fmt: str) -> None:
    table = lake.table(fmt, [NEW_ITEM])
    leave_old_snapshot(lake, table)
    timestamp = table.run()["snapshot_timestamp"]
    assert [column["Name"] for column in table.catalog()] == [*OLD_ROW, "color"]
    assert table.view() == table.snapshot(timestamp) == [expected(NEW_ROW, fmt)]
    assert table.snapshot(OLD) == [expected(OLD_ROW, fmt)]
    table.put([NEW_ITEM, {"id": {"S": "z"}, "Size": {"N": "9"}}])
    table.run()
    assert {row["id"]: row["size"] for row in table.view()} == {
        "new": expected(NEW_ROW, fmt)["size"],
        "z": "9" if fmt == "csv" else 9,
    }
    assert table.snapshot(OLD) == [expected(OLD_ROW, fmt)]


def test_an_old_column_that_cannot_hold_the_values_gets_another_beside_it(lake: Lake) -> None:
    """The rule is the same as between snapshots of this export."""
    table = lake.table("orc", [{**NEW_ITEM, "Rating": {"S": "good"}}])
    leave_old_snapshot(lake, table)
    table.run()
    assert [(row["rating"], row["author"]) for row in table.view()] == [("good", "Tolkien")]
    assert [(row["rating"], row["author"]) for row in table.snapshot(OLD)] == [(4, "Rowling")]


def test_an_old_type_that_no_export_writes_is_refused_before_anything_is_written(
    lake: Lake,
) -> None:
    table = lake.table("orc", [NEW_ITEM])
    leave_old_snapshot(lake, table)
    entry = lake.glue.get_table(
        DatabaseName=DATABASE, Name=naming.snapshots_table(table.name, "orc_")
    )["Table"]
    entry["StorageDescriptor"]["Columns"][0]["Type"] = "timestamp"
    kept = ("Name", "Parameters", "PartitionKeys", "StorageDescriptor")
    lake.glue.update_table(DatabaseName=DATABASE, TableInput={key: entry[key] for key in kept})
    with pytest.raises(export_table.JobFailed, match=r"'rating' .+ has the type timestamp, which"):
        table.run()
    assert len(lake.keys(naming.data_prefix(table.name, "orc"))) == 1


def test_columns_of_another_design_are_never_permuted(lake: Lake) -> None:
    """A snapshot whose columns are in another order is not published, and nothing is altered."""
    table = lake.table("csv", [NEW_ITEM])
    table.run()
    key = f"{naming.data_prefix(table.name, 'csv')}snapshot_timestamp={OLD}/part-0"
    lake.s3.put_object(Bucket=BUCKET, Key=key, Body=old_file("csv"))
    entry = lake.glue.get_table(
        DatabaseName=DATABASE, Name=naming.snapshots_table(table.name, "csv_")
    )["Table"]
    entry["StorageDescriptor"]["Columns"].reverse()
    kept = ("Name", "Parameters", "PartitionKeys", "StorageDescriptor")
    lake.glue.update_table(DatabaseName=DATABASE, TableInput={key: entry[key] for key in kept})
    reversed_names = [column["Name"] for column in table.catalog()]
    with pytest.raises(
        create_current_view.JobFailed, match="deploy this export with a CatalogPrefix"
    ):
        table.run()
    assert [column["Name"] for column in table.catalog()][: len(reversed_names)] == reversed_names

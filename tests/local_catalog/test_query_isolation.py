"""A query on the endpoint reaches the catalog's tables, and nothing else of this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from catalog_lake import DATABASE, parquet

from dynoexport.local.services.query import view_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from catalog_lake import Lake

pytestmark = pytest.mark.endpoint

MARK = "only-this-computer"
# FILE stands for a csv file with the mark.
SOURCES = [
    "LATERAL read_text('FILE')",
    "LATERAL read_csv('FILE')",
    "LATERAL read_csv_auto('FILE') AS t(a)",
    "LATERAL read_blob('FILE')",
    "read_text('FILE')",
    "TABLE(read_text('FILE'))",
    "(SELECT * FROM read_text('FILE')) AS t",
    "(SELECT * FROM numbers, LATERAL read_text('FILE')) AS t",
    "LATERAL query('SELECT * FROM ''FILE''')",
    "LATERAL glob('FILE')",
    "LATERAL sniff_csv('FILE')",
    "LATERAL duckdb_settings()",
    "'FILE'",
    '"FILE"',
    # DuckDB gets names of WITH queries as they are, wherever they stand.
    '"FILE", (WITH "FILE" AS (SELECT 1 AS a) SELECT * FROM "FILE") AS t',
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secrets") / "passwords.csv"
    path.write_text(f"word\n{MARK}\n")
    return path


@pytest.fixture(scope="module", autouse=True)
def numbers(lake: Lake) -> Iterator[None]:
    lake.declare("numbers", {"n": "bigint"})
    lake.put("tables/numbers/part-0", parquet({"n": 7}))
    yield
    lake.glue.delete_table(DatabaseName=DATABASE, Name="numbers")


@pytest.mark.parametrize("source", SOURCES)
def test_query_reads_no_file(lake: Lake, file: Path, source: str) -> None:
    """This covers a file alone, and beside a table."""
    source = source.replace("FILE", str(file))
    for sql in (f"SELECT * FROM {source}", f"SELECT * FROM numbers, {source}"):
        assert MARK not in lake.reason(sql)


@pytest.mark.parametrize("source", SOURCES)
def test_view_reads_no_file(lake: Lake, file: Path, source: str) -> None:
    """This covers a view that Athena creates, and one that somebody wrote into the catalog."""
    sql = f"SELECT * FROM {source.replace('FILE', str(file))}"
    lake.reason(f"CREATE VIEW curious AS {sql}")
    assert MARK not in reason_of_stored_view(lake, sql)


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO 'OUT'",
        "COPY numbers FROM 'FILE'",
        "ATTACH 'OUT'",
        "EXPORT DATABASE 'OUT'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD 'FILE'",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CREATE TABLE t AS SELECT * FROM 'FILE'",
        "SELECT getenv('HOME')",
    ],
)
def test_statement_reaches_nothing_outside(lake: Lake, file: Path, statement: str) -> None:
    """This covers a query and a view."""
    out = file.parent / "out"
    sql = statement.replace("FILE", str(file)).replace("OUT", str(out))
    assert MARK not in lake.reason(sql)
    lake.reason(f"CREATE VIEW curious AS {sql}")
    assert MARK not in reason_of_stored_view(lake, sql)
    assert not out.exists()


def test_athenas_own_sources_of_rows_work(lake: Lake) -> None:
    sql = (
        "SELECT t.x, v.y, s.z FROM numbers CROSS JOIN UNNEST(ARRAY[1, 2]) AS t(x) "
        "CROSS JOIN (VALUES 3) AS v(y) CROSS JOIN LATERAL (SELECT n AS z) AS s ORDER BY x"
    )
    assert lake.rows(sql)[1:] == [["1", "3", "7"], ["2", "3", "7"]]


def reason_of_stored_view(lake: Lake, sql: str) -> str:
    """Why a query of a view with this text fails."""
    table: Any = {
        "Name": "curious",
        "TableType": "VIRTUAL_VIEW",
        "ViewOriginalText": view_text(sql, DATABASE, [{"name": "a", "type": "varchar"}]),
    }
    lake.glue.create_table(DatabaseName=DATABASE, TableInput=table)
    try:
        return lake.reason("SELECT * FROM curious")
    finally:
        lake.glue.delete_table(DatabaseName=DATABASE, Name="curious")

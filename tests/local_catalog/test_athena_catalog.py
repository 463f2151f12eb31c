"""Athena on the endpoint: what it says about the catalog, and prepared statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from catalog_lake import BUCKET, DATABASE, GROUP, parquet

if TYPE_CHECKING:
    from catalog_lake import Lake

pytestmark = pytest.mark.endpoint

FIRST, SECOND = "2026-11-22T10:00", "2026-11-23T10:00"


@pytest.fixture(scope="module")
def visits(lake: Lake) -> str:
    """A crawled table with two snapshots, and a view of it."""
    for stamp in (FIRST, SECOND):
        lake.snapshot("parquet/Visits", stamp, parquet({"n": 1, "who": "Ada"}))
    assert lake.crawl("parquet/Visits")["Status"] == "SUCCEEDED"
    lake.run("CREATE OR REPLACE VIEW visits_view AS SELECT n FROM snapshots_visits")
    return "snapshots_visits"


def execute(lake: Lake, sql: str, *parameters: str) -> str:
    started: Any = lake.athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": DATABASE},
        WorkGroup=GROUP,
        **({"ExecutionParameters": list(parameters)} if parameters else {}),
    )
    return str(started["QueryExecutionId"])


def answered(lake: Lake, sql: str, *parameters: str) -> list[list[str | None]]:
    execution = execute(lake, sql, *parameters)
    status = lake.ended(execution)["Status"]
    assert status["State"] == "SUCCEEDED", status
    result = lake.athena.get_query_results(QueryExecutionId=execution)["ResultSet"]
    return [[datum.get("VarCharValue") for datum in row["Data"]] for row in result["Rows"]]


def test_path_is_the_object_of_each_row(lake: Lake, visits: str) -> None:
    prefix = f"s3://{BUCKET}/parquet/Visits/snapshot_timestamp"
    assert lake.rows(f'SELECT "$path" FROM {visits} ORDER BY 1')[1:] == [
        [f"{prefix}={FIRST}/part-0"],
        [f"{prefix}={SECOND}/part-0"],
    ]


def test_path_is_no_column_of_a_star(lake: Lake, visits: str) -> None:
    sql = f"SELECT * FROM {visits} WHERE \"$path\" LIKE '%{FIRST}%'"
    assert lake.rows(sql) == [["n", "who", "snapshot_timestamp"], ["1", "Ada", FIRST]]


def test_partitions_of_a_table_are_a_table(lake: Lake, visits: str) -> None:
    sql = f'SELECT * FROM "{visits}$partitions" ORDER BY snapshot_timestamp'
    assert lake.rows(sql) == [["snapshot_timestamp"], [FIRST], [SECOND]]


@pytest.mark.parametrize("database", ["", f" IN {DATABASE}"])
def test_show_tables_lists_tables_and_views(lake: Lake, visits: str, database: str) -> None:
    assert answered(lake, f"SHOW TABLES{database} '*visits*'") == [[visits], ["visits_view"]]


def test_show_statements_describe_the_catalog(lake: Lake, visits: str) -> None:
    assert [DATABASE] in answered(lake, "SHOW DATABASES")
    assert answered(lake, f"SHOW SCHEMAS LIKE '{DATABASE[:-2]}*'") == [[DATABASE]]
    assert answered(lake, "SHOW VIEWS LIKE 'visits*'") == [["visits_view"]]
    columns = [["n"], ["who"], ["snapshot_timestamp"]]
    assert answered(lake, f"SHOW COLUMNS IN {DATABASE}.{visits}") == columns
    assert answered(lake, f"SHOW PARTITIONS {visits}") == [
        [f"snapshot_timestamp={FIRST}"],
        [f"snapshot_timestamp={SECOND}"],
    ]


def test_describe_lists_columns_and_partition_keys(lake: Lake, visits: str) -> None:
    rows = [row[:2] for row in answered(lake, f"DESCRIBE {visits}")]
    assert rows[:2] == [["n", "bigint"], ["who", "string"]]
    assert rows[-1] == ["snapshot_timestamp", "string"]


def test_information_schema_has_tables_and_columns(lake: Lake, visits: str) -> None:
    where = f"WHERE table_schema = '{DATABASE}' AND table_name = '{visits}'"
    assert lake.rows(f"SELECT table_type FROM information_schema.tables {where}")[1:] == [
        ["BASE TABLE"]
    ]
    sql = f"SELECT column_name, data_type FROM information_schema.columns {where} ORDER BY 1"
    assert lake.rows(sql)[1:] == [
        ["n", "bigint"],
        ["snapshot_timestamp", "varchar"],
        ["who", "varchar"],
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW FUNCTIONS",
        "SHOW CREATE TABLE snapshots_visits",
        "DESCRIBE FORMATTED snapshots_visits",
        "INSERT INTO snapshots_visits VALUES (1, 'x', 'y')",
        "CREATE TABLE copy AS SELECT 1 AS n",
        "CREATE SCHEMA IF NOT EXISTS s",
        "CREATE DATABASE s",
        "DROP SCHEMA s",
        "MSCK REPAIR TABLE snapshots_visits",
        "UNLOAD (SELECT 1 AS n) TO 's3://lake-tests/u/' WITH (format = 'JSON')",
        "DROP TABLE snapshots_visits",
        "DELETE FROM snapshots_visits",
        "EXPLAIN SELECT 1 AS n",
    ],
)
def test_statement_that_the_endpoint_lacks_is_refused_by_name(
    lake: Lake, visits: str, sql: str
) -> None:
    reason = lake.reason(sql)
    assert reason.startswith("NOT_SUPPORTED: ")
    words = sql.split()[: 2 if sql.startswith(("CREATE", "DROP")) else 1]
    assert " ".join(words) in reason
    assert visits in lake.tables()


def test_show_of_a_missing_table_names_it(lake: Lake) -> None:
    assert "thin_air' does not exist" in lake.reason("SHOW COLUMNS IN thin_air")
    assert "SCHEMA_NOT_FOUND" in lake.reason("SHOW TABLES IN thin_air")


# --- parameters --------------------------------------------------------------------------------
def test_parameters_stand_for_question_marks(lake: Lake) -> None:
    sql = "SELECT ? AS a, x FROM (VALUES 1, 2) t (x) WHERE x > ? AND '?' = '?'"
    assert answered(lake, sql, "'it''s'", "1") == [["a", "x"], ["it's", "2"]]


@pytest.mark.parametrize("parameters", [(), ("1", "2"), ("1 OR true",), ("(SELECT 1)",)])
def test_parameters_are_one_literal_for_each_question_mark(
    lake: Lake, parameters: tuple[str, ...]
) -> None:
    execution = execute(lake, "SELECT 1 AS n WHERE 1 = ?", *parameters)
    reason = lake.ended(execution)["Status"]["StateChangeReason"]
    assert reason.startswith("INVALID_PARAMETER_USAGE")


def test_prepared_statement_runs_with_its_parameters(lake: Lake) -> None:
    answered(lake, "PREPARE my_query FROM SELECT ? AS a, ? AS b")
    assert answered(lake, "EXECUTE my_query USING 'x, y', -1")[1:] == [["x, y", "-1"]]
    assert answered(lake, "EXECUTE my_query", "1", "2")[1:] == [["1", "2"]]
    kept = lake.athena.get_prepared_statement(StatementName="my_query", WorkGroup=GROUP)
    assert kept["PreparedStatement"]["QueryStatement"] == "SELECT ? AS a, ? AS b"
    answered(lake, "DEALLOCATE PREPARE my_query")
    assert "my_query" in lake.reason("EXECUTE my_query USING 1, 2")


def test_prepared_statement_of_the_api_runs(lake: Lake) -> None:
    lake.athena.create_prepared_statement(
        StatementName="by_api", WorkGroup=GROUP, QueryStatement="SELECT ? AS a"
    )
    assert answered(lake, "EXECUTE by_api USING 7") == [["a"], ["7"]]


def test_two_statements_are_refused(lake: Lake) -> None:
    try:
        execution = lake.start("SHOW TABLES; SHOW TABLES")
    except ClientError:
        return
    assert lake.ended(execution)["Status"]["State"] == "FAILED"

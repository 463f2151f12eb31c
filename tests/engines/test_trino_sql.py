"""The endpoint's Athena answers and prints as Trino 476 does, or refuses what Trino refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import record_trino_statements
import trino_statements
from comparer import same
from lake import DATABASE, GROUP, sorted_maps
from trino.exceptions import TrinoQueryError
from trino_server import TABLE_INPUT, plain

from dynoexport import naming
from dynoexport.aws import athena
from dynoexport.local.services import hive_types
from dynoexport.local.services.query import Engine, QueryFailed

if TYPE_CHECKING:
    from lake import Lake
    from trino_server import Trino

JUDGE = "Trino 476"
REFUSED = "refused"

AGREED = (
    "SELECT 1 AS n, 'a' AS t, true AS b, CAST(null AS varchar) AS x",
    "SELECT CAST('12345678901234567890.12' AS decimal(38,2)) AS n",
    "SELECT ARRAY[1, 2][1] AS n",
    "SELECT element_at(ARRAY[1, 2], 3) AS n",
    "SELECT concat('a', 'b') AS t",
    "SELECT count(*) AS n FROM (VALUES 1, 2) t (x)",
    "SELECT json_extract_scalar('{\"a\": \"x\"}', '$.a') AS t",
    'SELECT "order" FROM (SELECT 1 AS "order")',
)
# As field tests found them: DuckDB answers them otherwise.
DIFFERENT = (
    "SELECT x / 2 AS n FROM (VALUES 5) t (x)",
    "SELECT 1 / 0 AS n",
    "SELECT ARRAY[1, 2][3] AS n",
    "SELECT substr('abc', 0, 2) AS t",
    "SELECT json_extract_scalar('{\"a\": 1E3}', '$.a') AS t",
    "SELECT date_add('day', 1, DATE '2026-01-01') AS d",
    'SELECT order FROM (SELECT 1 AS "order")',
    "SELECT 1 = '1' AS b",
    "SELECT 'a' || 1 AS t",
    "SELECT '1'::bigint AS n",
    "SELECT * EXCLUDE (y) FROM (SELECT 1 AS x, 2 AS y)",
    "SELECT x, count(*) AS n FROM (VALUES 1) t (x) GROUP BY ALL",
    "FROM (SELECT 1 AS x) SELECT x",
    "SELECT 1 AS x WHERE x = 1",
    "SELECT 1 AS x LIMIT 1 OFFSET 0",
    "SELECT map_agg(k, v) AS m FROM (VALUES ('a', 1)) t (k, v)",
    "SELECT cardinality(MAP(ARRAY['a'], ARRAY[1])) AS n",
)


def of_trino(trino: Trino, sql: str) -> Any:
    try:
        rows = trino.query(sql, DATABASE).rows
    except TrinoQueryError:
        return REFUSED
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def of_endpoint(lake: Lake, sql: str) -> Any:
    try:
        found = Engine(lake.glue, lake.s3, DATABASE).run(sql)
    except QueryFailed:
        return REFUSED
    return [] if found is None else [sorted_maps(row) for row in found.to_pylist()]


@pytest.mark.parametrize("sql", [*AGREED, *DIFFERENT])
def test_the_endpoint_agrees_with_trino(lake: Lake, trino: Trino, sql: str) -> None:
    answers = of_trino(trino, sql), of_endpoint(lake, sql)
    if REFUSED in answers:
        assert answers == (REFUSED, REFUSED)
    else:
        assert same(*answers)


def test_trino_answers_as_recorded(trino: Trino) -> None:
    """record_trino_statements.py records the answers that the endpoint's own test compares."""
    recorded = trino_statements.recorded()
    assert [record_trino_statements.ask(trino, answer.sql) for answer in recorded] == recorded


# What a table may come to state for a column while its partition stays as it is.
COERCED = (
    ("n", "string"),
    ("n", "double"),
    ("n", "decimal(38,2)"),
    ("t", "bigint"),
    ("t", "boolean"),
    ("m", "struct<a:string>"),
)
# Whose types do not fit, or whose values are null.
REFUSED_OR_NULL = (
    ("n", "boolean"),
    ("t", "decimal(38,2)"),
    ("t", "array<string>"),
    ("l", "string"),
    ("l", "array<bigint>"),
    ("m", "string"),
    ("m", "struct<b:bigint>"),
    ("m", "map<string,string>"),
)


@pytest.fixture(scope="module")
def mixed(lake: Lake) -> dict[str, Any]:
    """The catalog's table of one item with a value of each kind."""
    item = {
        "id": {"S": "1"},
        "n": {"N": "1"},
        "t": {"S": "1"},
        "l": {"L": [{"S": "x"}]},
        "m": {"M": {"a": {"N": "1"}}},
        "map": {"M": {}},
        "maps": {"L": [{"M": {}}]},
    }
    table = lake.table("parquet", [item])
    table.run()
    name = naming.snapshots_table(table.name, "parquet_")
    described: dict[str, Any] = lake.glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]
    return described


def test_empty_maps_are_printed_as_maps(lake: Lake, trino: Trino, mixed: dict[str, Any]) -> None:
    sql = f'SELECT map, maps FROM "{mixed["Name"]}"'
    (row,) = trino.query(sql, DATABASE).rows
    query_id = athena.start(lake.athena, sql, work_group=GROUP, database=DATABASE)
    done = athena.wait(lake.athena, query_id, seconds=0.02)
    ((_, printed),) = athena.pages(lake.athena, done)
    assert (
        printed == [(hive_types.text(row["map"]), hive_types.text(row["maps"]))] == [("{}", "[{}]")]
    )


@pytest.mark.parametrize(
    "sql",
    [
        """SELECT id, "$path" AS p FROM "{0}" """,
        """SELECT count(*) AS n FROM "{0}" WHERE "$path" LIKE 's3://%.parquet' """,
        """SELECT * FROM "{0}$partitions" """,
        """SELECT count(*) AS n FROM "{0}$partitions" p JOIN "{0}" t
           ON p.snapshot_timestamp = t.snapshot_timestamp""",
        """SELECT table_schema, table_type FROM information_schema.tables
           WHERE table_schema = '{1}' AND table_name = '{0}' """,
        """SELECT * FROM information_schema.columns
           WHERE table_schema = '{1}' AND table_name = '{0}' ORDER BY ordinal_position""",
    ],
)
def test_what_a_table_has_besides_its_rows_is_that_of_trino(
    lake: Lake, trino: Trino, mixed: dict[str, Any], sql: str
) -> None:
    asked = sql.format(mixed["Name"], DATABASE).strip()
    found = of_endpoint(lake, asked)
    assert found not in ([], REFUSED)
    assert same(of_trino(trino, asked), found)


@pytest.mark.parametrize(("column", "stated"), [*COERCED, *REFUSED_OR_NULL])
def test_a_partition_of_another_type_is_coerced_or_refused_as_by_trino(
    lake: Lake, trino: Trino, mixed: dict[str, Any], column: str, stated: str
) -> None:
    restate(lake, mixed, {column: stated})
    sql = f'SELECT {column} FROM "{mixed["Name"]}"'
    try:
        wanted: Any = [plain(row[column]) for row in trino.query(sql, DATABASE).rows]
    except TrinoQueryError as error:
        wanted = error.error_name
    try:
        rows = Engine(lake.glue, lake.s3, DATABASE).run(sql)
        printed: Any = (
            [] if rows is None else [sorted_maps(row[column]) for row in rows.to_pylist()]
        )
    except QueryFailed as error:
        printed = str(error).partition(":")[0]
    assert same(wanted, printed)


def restate(lake: Lake, table: dict[str, Any], types: dict[str, str]) -> None:
    """Give columns of the table, but not of its partition, other types; the others theirs."""
    columns = [
        {**column, "Type": types.get(column["Name"], column["Type"])}
        for column in table["StorageDescriptor"]["Columns"]
    ]
    stated = {key: table[key] for key in TABLE_INPUT if key in table}
    stated["StorageDescriptor"] = {**table["StorageDescriptor"], "Columns": columns}
    lake.glue.update_table(DatabaseName=DATABASE, TableInput=stated)

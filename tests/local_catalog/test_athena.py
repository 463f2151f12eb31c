"""Athena on the endpoint: results, views and refusals, as a client sees them."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from catalog_lake import BUCKET, DATABASE, GROUP, parquet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog_lake import Lake

pytestmark = pytest.mark.endpoint

FIRST, SECOND = "2026-11-22T10:00", "2026-11-23T10:00"


@pytest.fixture(scope="module")
def orders(lake: Lake) -> str:
    """A crawled table with nested values and two snapshots."""
    line = pa.struct([("sku", pa.string()), ("n", pa.int64())])
    schema = pa.schema([("id", pa.int64()), ("who", pa.string()), ("lines", pa.list_(line))])
    lake.snapshot(
        "parquet/Orders", FIRST, parquet({"id": 1, "who": "Ada", "lines": []}, schema=schema)
    )
    later: list[dict[str, Any]] = [
        {"id": 2, "who": 'Tri, "T"', "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": None}]},
        {"id": 3, "who": None, "lines": []},
    ]
    lake.snapshot("parquet/Orders", SECOND, parquet(*later, schema=schema))
    assert lake.crawl("parquet/Orders")["Status"] == "SUCCEEDED"
    return "snapshots_orders"


@pytest.fixture
def numbers(lake: Lake) -> Iterator[str]:
    """A table of one number that a test may change."""
    lake.declare("numbers", {"n": "bigint", "m": "bigint"})
    lake.put("tables/numbers/part-0", parquet({"n": 7, "m": 8}))
    yield "numbers"
    lake.glue.delete_table(DatabaseName=DATABASE, Name="numbers")


def stored_view(lake: Lake, name: str) -> dict[str, Any]:
    text = lake.table(name)["ViewOriginalText"]
    assert text.startswith("/* Presto View: ")
    assert text.endswith(" */")
    found: dict[str, Any] = json.loads(
        base64.b64decode(text.removeprefix("/* Presto View: ").removesuffix(" */"))
    )
    return found


# --- results -----------------------------------------------------------------------------------
def test_the_first_row_of_a_result_is_its_header(lake: Lake, orders: str) -> None:
    """A NULL has no VarCharValue; nested values print as Athena prints them."""
    assert lake.rows(f"SELECT * FROM {orders} ORDER BY id") == [
        ["id", "who", "lines", "snapshot_timestamp"],
        ["1", "Ada", "[]", FIRST],
        ["2", 'Tri, "T"', "[{sku=a, n=1}, {sku=b, n=null}]", SECOND],
        ["3", None, "[]", SECOND],
    ]


def test_the_metadata_names_athenas_types(lake: Lake, orders: str) -> None:
    execution = lake.run(f"SELECT id, who, lines, lines[1] AS line FROM {orders} WHERE id = 2")
    result = lake.athena.get_query_results(QueryExecutionId=execution)["ResultSet"]
    info = result["ResultSetMetadata"]["ColumnInfo"]
    assert [(column["Name"], column["Type"]) for column in info] == [
        ("id", "bigint"),
        ("who", "varchar"),
        ("lines", "array"),
        ("line", "row"),
    ]


def test_every_type_can_be_read(lake: Lake) -> None:
    schema = pa.schema(
        [
            ("b", pa.bool_()),
            ("d", pa.decimal128(10, 2)),
            ("x", pa.binary()),
            ("m", pa.map_(pa.string(), pa.int64())),
            ("e", pa.map_(pa.string(), pa.int64())),
            ("l", pa.list_(pa.map_(pa.string(), pa.int64()))),
            ("f", pa.float64()),
            ("t", pa.timestamp("us")),
        ]
    )
    row = {
        "b": True,
        "d": Decimal("1.50"),
        "x": b"hi",
        "m": [("k", 1)],
        "e": [],
        "l": [[], [("k", 1)]],
        "f": 4.0,
        "t": dt.datetime(2026, 11, 23, 10),  # noqa: DTZ001 - a timestamp has no zone
    }
    lake.declare(
        "types",
        {
            "b": "boolean",
            "d": "decimal(10,2)",
            "x": "binary",
            "m": "map<string,bigint>",
            "e": "map<string,bigint>",
            "l": "array<map<string,bigint>>",
            "f": "double",
            "t": "timestamp",
        },
    )
    lake.put("tables/types/part-0", parquet(row, schema=schema))
    assert lake.rows("SELECT b, d, x, m, e, l, f, t FROM types")[1:] == [
        [
            *("true", "1.50", "68 69", "{k=1}", "{}", "[{}, {k=1}]"),
            *("4.0", "2026-11-23 10:00:00.000"),
        ]
    ]


def test_a_moment_of_a_zone_is_printed_with_its_name(lake: Lake) -> None:
    utc = "TIMESTAMP '2026-01-01 00:00:00.123 UTC'"
    assert lake.rows(f"SELECT {utc} AS a, {utc} AT TIME ZONE 'Europe/Berlin' AS b")[1:] == [
        ["2026-01-01 00:00:00.123 UTC", "2026-01-01 01:00:00.123 Europe/Berlin"]
    ]


def test_a_long_result_comes_in_pages(lake: Lake) -> None:
    """At most 1000 rows each, the header only on the first."""
    lake.declare("long", {"n": "bigint"})
    lake.put("tables/long/part-0", parquet(*({"n": n} for n in range(2500))))
    pages = lake.athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=lake.run("SELECT n FROM long ORDER BY n")
    )
    sizes, found = [], []
    for page in pages:
        rows = page["ResultSet"]["Rows"]
        sizes.append(len(rows))
        found += [row["Data"][0]["VarCharValue"] for row in rows]
    assert sizes == [1000, 1000, 501]
    assert found == ["n", *map(str, range(2500))]


def test_the_result_is_in_s3_as_csv(lake: Lake, orders: str) -> None:
    """Where the workgroup says, every value quoted, NULL empty."""
    execution = lake.run(f"SELECT id, who FROM {orders} ORDER BY id")
    location = lake.ended(execution)["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{BUCKET}/results/{execution}.csv"
    key = urlsplit(location).path.lstrip("/")
    text = lake.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    assert text.splitlines()[0] == '"id","who"'
    assert list(csv.reader(io.StringIO(text)))[1:] == [["1", "Ada"], ["2", 'Tri, "T"'], ["3", ""]]


def test_execution_has_its_times_and_bytes(lake: Lake, orders: str) -> None:
    found = lake.ended(lake.run(f"SELECT count(*) AS n FROM {orders}"))
    assert found["Status"]["CompletionDateTime"] >= found["Status"]["SubmissionDateTime"]
    assert found["Statistics"]["DataScannedInBytes"] > 0
    assert found["WorkGroup"] == GROUP


def test_two_columns_of_one_name_are_two_columns(lake: Lake) -> None:
    assert lake.rows("SELECT 1 AS a, 2 AS a")[1] == ["1", "2"]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 7, count(*)", ["_col0", "_col1"]),
        ("SELECT *, n + 1, (m) FROM numbers", ["n", "m", "_col2", "m"]),
        ("SELECT numbers.n, -m, m AS k FROM numbers", ["n", "_col1", "k"]),
        ("SELECT max(n) FROM numbers UNION ALL SELECT m AS k FROM numbers", ["_col0"]),
        ("WITH t AS (SELECT ARRAY[n] AS l FROM numbers) SELECT l[1], l FROM t", ["_col0", "l"]),
    ],
)
def test_a_column_without_a_name_gets_athenas(
    lake: Lake, numbers: str, sql: str, names: list[str]
) -> None:
    """Athena names it by its position in the result."""
    assert lake.rows(sql)[0] == names


def test_athenas_functions_run(lake: Lake, orders: str) -> None:
    """UNNEST, cardinality, a WITH query and a name with its database."""
    sql = (
        f'WITH late AS (SELECT * FROM "{DATABASE}"."{orders}" WHERE cardinality(lines) > 0) '
        "SELECT late.id, sku FROM late CROSS JOIN UNNEST(lines) AS t(sku, n) ORDER BY sku"
    )
    assert lake.rows(sql)[1:] == [["2", "a"], ["2", "b"]]


def test_names_may_be_reserved_words(lake: Lake) -> None:
    """They work with quotes, in queries and in views."""
    columns = ["order", "group", "user", "select", "1st"]
    quoted = ", ".join(f'"{name}"' for name in columns)
    lake.declare("table", dict.fromkeys(columns, "string"))
    lake.put("tables/table/part-0", parquet({name: name.upper() for name in columns}))
    expected = [columns, [name.upper() for name in columns]]
    assert lake.rows(f'SELECT {quoted} FROM "table" WHERE "order" = \'ORDER\'') == expected
    lake.run(f'CREATE OR REPLACE VIEW "end" AS SELECT {quoted} FROM "{DATABASE}"."table"')
    assert lake.rows('SELECT * FROM "end"') == expected


# --- views -------------------------------------------------------------------------------------
def test_a_view_is_stored_as_athena_stores_it(lake: Lake, orders: str) -> None:
    """A VIRTUAL_VIEW whose text says the query, where it was made, and its columns."""
    lake.run(f'CREATE OR REPLACE VIEW "{DATABASE}"."stored" AS SELECT "id", "who" FROM {orders}')
    table = lake.table("stored")
    assert table["TableType"] == "VIRTUAL_VIEW"
    assert table["Parameters"]["presto_view"] == "true"
    assert table["ViewExpandedText"] == "/* Presto View */"
    assert lake.columns("stored") == {"id": "bigint", "who": "string"}
    view = stored_view(lake, "stored")
    assert (view["catalog"], view["schema"]) == ("awsdatacatalog", DATABASE)
    assert '"who"' in view["originalSql"]
    assert view["columns"] == [
        {"name": "id", "type": "bigint"},
        {"name": "who", "type": "varchar"},
    ]


def test_stored_view_has_its_types_in_full(lake: Lake, orders: str) -> None:
    """A nested column's too, so that a change inside it can be seen."""
    lake.run(f"CREATE OR REPLACE VIEW nested AS SELECT lines FROM {orders}")
    (column,) = stored_view(lake, "nested")["columns"]
    assert column["type"] == 'array(row("sku" varchar,"n" bigint))'


def test_a_query_and_a_view_are_as_long_as_athena_and_the_catalog_take_them(lake: Lake) -> None:
    with pytest.raises(ClientError, match="less than or equal to 262144"):
        lake.start(f"SELECT 1 -- {'x' * 262_144}")
    columns = ", ".join(f'1 AS "{"n" * 100}{number}"' for number in range(2_000))
    assert "less than or equal to 409600" in lake.reason(f"CREATE VIEW wide AS SELECT {columns}")
    assert "wide" not in lake.tables()


def test_a_view_of_one_partition_sees_only_that(lake: Lake, orders: str) -> None:
    """After its replacement, it sees only the other."""
    for stamp, ids in ((FIRST, [["1"]]), (SECOND, [["2"], ["3"]])):
        lake.run(
            f'CREATE OR REPLACE VIEW "orders" AS SELECT "id", "snapshot_timestamp" FROM {orders} '
            f"WHERE \"snapshot_timestamp\" = '{stamp}'"
        )
        assert lake.rows("SELECT id FROM orders ORDER BY id")[1:] == ids


def test_a_view_can_read_a_view(lake: Lake, orders: str) -> None:
    lake.run(f"CREATE OR REPLACE VIEW lower AS SELECT id FROM {orders} WHERE id > 1")
    lake.run("CREATE OR REPLACE VIEW upper AS SELECT max(id) AS top FROM lower")
    assert lake.rows("SELECT * FROM upper") == [["top"], ["3"]]


def test_an_existing_view_is_not_created_again(lake: Lake) -> None:
    """Without OR REPLACE the existing view does not change."""
    lake.run("CREATE OR REPLACE VIEW once AS SELECT 1 AS a")
    assert "already exists" in lake.reason("CREATE VIEW once AS SELECT 2 AS a")
    assert lake.rows("SELECT * FROM once") == [["a"], ["1"]]


def test_a_view_does_not_replace_a_table(lake: Lake, numbers: str) -> None:
    lake.reason(f"CREATE OR REPLACE VIEW {numbers} AS SELECT 1 AS a")
    assert lake.table(numbers)["TableType"] == "EXTERNAL_TABLE"


def test_a_view_of_a_missing_table_is_not_created(lake: Lake) -> None:
    assert "TABLE_NOT_FOUND" in lake.reason("CREATE VIEW airy AS SELECT * FROM thin_air")
    assert "airy" not in lake.tables()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT 1 AS a, 2", "MISSING_COLUMN_NAME: .* position 2"),
        ("SELECT 1 AS a, 2 AS a", "DUPLICATE_COLUMN_NAME: .*'a'"),
    ],
)
def test_a_views_columns_have_names(lake: Lake, query: str, reason: str) -> None:
    assert re.match(reason, lake.reason(f"CREATE OR REPLACE VIEW nameless AS {query}"))
    assert "nameless" not in lake.tables()


def test_a_dropped_view_is_gone(lake: Lake) -> None:
    lake.run("CREATE OR REPLACE VIEW brief AS SELECT 1 AS a")
    lake.run("DROP VIEW brief")
    assert "brief" not in lake.tables()
    assert "brief" in lake.reason("DROP VIEW brief")
    lake.run("DROP VIEW IF EXISTS brief")


def test_drop_view_does_not_drop_a_table(lake: Lake, numbers: str) -> None:
    lake.reason(f"DROP VIEW {numbers}")
    lake.reason(f'DROP VIEW IF EXISTS "{DATABASE}"."{numbers}"')
    assert numbers in lake.tables()


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (
            {"n": "double", "m": "bigint"},
            "VIEW_IS_STALE: .*lake_tests.stale.* type double .*bigint",
        ),
        ({"m": "bigint"}, "INVALID_VIEW: .*lake_tests.stale.*: COLUMN_NOT_FOUND: "),
    ],
)
def test_a_view_whose_columns_changed_is_stale(
    lake: Lake, numbers: str, columns: dict[str, str], reason: str
) -> None:
    """A column has another type, or is gone. Creating the view again repairs it."""
    lake.run(f"CREATE OR REPLACE VIEW stale AS SELECT n FROM {numbers}")
    lake.declare(numbers, columns)
    assert re.match(reason, lake.reason("SELECT * FROM stale"))
    lake.run(f"CREATE OR REPLACE VIEW stale AS SELECT m FROM {numbers}")
    assert lake.rows("SELECT * FROM stale") == [["m"], ["8"]]


# --- refusals ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "sql", ["SELEC 1", "SELECT FROM WHERE", "SELECT (1", "SELECT * FROM numbers WHERE"]
)
def test_bad_sql_is_a_syntax_error(lake: Lake, numbers: str, sql: str) -> None:
    assert lake.reason(sql).startswith("SYNTAX_ERROR")


def test_two_statements_are_not_one(lake: Lake) -> None:
    """StartQueryExecution takes one statement; a second one is never silently ignored."""
    try:
        execution = lake.start("SELECT 1 AS a; SELECT 2 AS a")
    except ClientError:
        return
    assert lake.ended(execution)["Status"]["State"] == "FAILED"


def test_a_missing_table_is_named(lake: Lake) -> None:
    reason = lake.reason("SELECT * FROM not_there")
    assert reason.startswith("TABLE_NOT_FOUND")
    assert f"awsdatacatalog.{DATABASE}.not_there" in reason


def test_a_missing_column_is_named(lake: Lake, numbers: str) -> None:
    reason = lake.reason(f"SELECT nothing FROM {numbers}")
    assert reason.startswith("COLUMN_NOT_FOUND")
    assert "nothing" in reason


def test_a_file_that_the_serde_cannot_read_fails_the_query(lake: Lake) -> None:
    lake.declare("spoilt", {"n": "bigint"})
    lake.put("tables/spoilt/part-0", b"no parquet")
    assert "HIVE_" in lake.reason("SELECT * FROM spoilt")


def test_a_partition_that_the_query_excludes_is_not_read(lake: Lake) -> None:
    """So a view of one snapshot does not depend on the files of others."""
    lake.snapshot("parquet/Excludes", FIRST, parquet({"n": 1}))
    lake.snapshot("parquet/Excludes", SECOND, parquet({"n": 2}))
    assert lake.crawl("parquet/Excludes")["Status"] == "SUCCEEDED"
    lake.snapshot("parquet/Excludes", SECOND, b"no parquet")
    lake.run(
        "CREATE OR REPLACE VIEW excludes AS SELECT n FROM snapshots_excludes "
        f"WHERE snapshot_timestamp = '{FIRST}' AND n > 0"
    )
    assert lake.rows("SELECT * FROM excludes")[1:] == [["1"]]
    assert "HIVE_BAD_DATA" in lake.reason(
        "SELECT n FROM snapshots_excludes "
        f"WHERE snapshot_timestamp = '{FIRST}' OR snapshot_timestamp = '{SECOND}'"
    )


def test_a_serde_that_the_endpoint_lacks_fails_the_query(lake: Lake) -> None:
    """The error names the SerDe."""
    lake.declare("odd", {"n": "string"}, serde="org.apache.hadoop.hive.serde2.RegexSerDe")
    lake.put("tables/odd/part-0", b"1\n")
    assert "RegexSerDe" in lake.reason("SELECT * FROM odd")


def test_a_column_of_no_type_fails_the_query(lake: Lake) -> None:
    """https://github.com/aws/aws-cdk/issues/26935"""
    kind = "struct<name:string COMMENT 'The name',url:string>"
    lake.declare("typeless", {"n": kind})
    reason = lake.reason("SELECT * FROM typeless")
    assert reason.startswith("HIVE_INVALID_METADATA")
    assert reason.endswith(f"typeless' column 'n' has invalid data type: {kind}")


def test_whatever_goes_wrong_ends_the_query(lake: Lake) -> None:
    """A table without a place is no kind of failure that the endpoint knows."""
    lake.glue.create_table(DatabaseName=DATABASE, TableInput={"Name": "bare"})
    assert lake.reason("SELECT * FROM bare").startswith("GENERIC_INTERNAL_ERROR: KeyError")


def test_xml_cannot_be_queried(lake: Lake) -> None:
    lake.snapshot("xml/Orders_xml", FIRST, b"<?xml version='1.0'?><rows><row><n>1</n></row></rows>")
    assert lake.crawl("xml/Orders_xml")["Status"] == "SUCCEEDED"
    assert "HIVE_UNSUPPORTED_FORMAT" in lake.reason("SELECT * FROM snapshots_orders_xml")


def test_the_results_of_a_failed_query_are_refused(lake: Lake) -> None:
    execution = lake.start("SELECT * FROM not_there")
    lake.ended(execution)
    with pytest.raises(
        lake.athena.exceptions.InvalidRequestException,
        match="Final query state: FAILED",
    ):
        lake.athena.get_query_results(QueryExecutionId=execution)


def test_an_unknown_query_is_refused(lake: Lake) -> None:
    for ask in (lake.athena.get_query_execution, lake.athena.get_query_results):
        with pytest.raises(
            lake.athena.exceptions.InvalidRequestException, match="QueryExecution x was not found"
        ):
            ask(QueryExecutionId="x")


def test_without_an_output_location_a_query_is_refused(lake: Lake) -> None:
    lake.athena.create_work_group(Name="without-location", Configuration={})
    with pytest.raises(
        lake.athena.exceptions.InvalidRequestException, match="No output location provided"
    ):
        lake.athena.start_query_execution(QueryString="SELECT 1", WorkGroup="without-location")


def test_a_missing_workgroup_is_refused(lake: Lake) -> None:
    with pytest.raises(lake.athena.exceptions.InvalidRequestException):
        lake.athena.start_query_execution(
            QueryString="SELECT 1",
            WorkGroup="not-there",
            ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
        )


def test_the_endpoint_answers_after_failures(lake: Lake) -> None:
    for sql in ("SELEC 1", "SELECT * FROM not_there", "SELECT nothing", "DROP VIEW not_there"):
        lake.reason(sql)
    assert lake.rows("SELECT 1 AS a") == [["a"], ["1"]]


def test_metadata_has_the_digits_that_athena_returns(lake: Lake) -> None:
    """https://github.com/laughingman7743/PyAthena/blob/master/tests/pyathena/test_cursor.py"""
    sql = (
        "SELECT true AS a, CAST(1 AS tinyint) AS b, CAST(1 AS smallint) AS c, CAST(1 AS int) AS d, "
        "CAST(1 AS bigint) AS e, CAST(1 AS real) AS f, CAST(1 AS double) AS g, 'x' AS h, "
        "TIMESTAMP '2026-01-03 10:00:00' AS i, DATE '2026-01-03' AS j, ARRAY[1] AS k, "
        "CAST(1 AS decimal(10,1)) AS l"
    )
    result = lake.athena.get_query_results(QueryExecutionId=lake.run(sql))["ResultSet"]
    info = result["ResultSetMetadata"]["ColumnInfo"]
    assert [(column["Type"], column["Precision"], column["Scale"]) for column in info] == [
        ("boolean", 0, 0),
        ("tinyint", 3, 0),
        ("smallint", 5, 0),
        ("integer", 10, 0),
        ("bigint", 19, 0),
        ("float", 17, 0),
        ("double", 17, 0),
        ("varchar", 2147483647, 0),
        ("timestamp", 3, 0),
        ("date", 0, 0),
        ("array", 0, 0),
        ("decimal", 10, 1),
    ]

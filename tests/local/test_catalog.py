"""The endpoint's crawler and Athena: what a file holds, as its SerDe reads it."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from dynoexport import queries
from dynoexport.local import files, hive

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

BUCKET, DATABASE, GROUP = "catalog-tests", "catalog_tests", "catalog-tests"
CONFIGURATION = {
    "Version": 1.0,
    "Grouping": {
        "TableGroupingPolicy": "CombineCompatibleSchemas",
        "TableLevelConfiguration": 3,
    },
}
ADELINE = "Harry is pretty brave, but Hermione"
CSV = f'user,review,stars\nAdeline,"{ADELINE}",4\n"Tri ""T"" stan","a\\\\b",5\n'.encode()
COLUMNS = {"user": "string", "review": "string", "stars": "string"}
OPEN_CSV = {"SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde"}
LAZY = {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"}
HEADER = {"skip.header.line.count": "1"}


def parquet(*rows: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(list(rows)), out)
    return out.getvalue()


# --- files ----------------------------------------------------------------------------------------
def test_open_csv_understands_quotes_and_backslashes() -> None:
    """Commas, doubled quotes and doubled backslashes come back as they were."""
    rows = files.rows(OPEN_CSV, HEADER, CSV, COLUMNS).to_pylist()
    assert rows == [
        {"user": "Adeline", "review": ADELINE, "stars": "4"},
        {"user": 'Tri "T" stan', "review": "a\\b", "stars": "5"},
    ]


def test_the_last_csv_line_needs_no_line_end() -> None:
    """A file that ends without one loses no row."""
    whole = files.rows(OPEN_CSV, HEADER, CSV, COLUMNS)
    assert files.rows(OPEN_CSV, HEADER, CSV.rstrip(b"\n"), COLUMNS) == whole


def test_lazy_simple_splits_at_every_comma() -> None:
    """Values land in the wrong columns, as they do in Athena without a csv classifier."""
    row = files.rows(LAZY, HEADER, CSV, COLUMNS).to_pylist()[0]
    assert row["review"] == '"Harry is pretty brave'
    assert row["stars"] == ' but Hermione"'


def test_parquet_columns_are_found_by_name() -> None:
    """A column that an older file lacks is null; the order in the file does not matter."""
    serde = {"SerializationLibrary": "a.b.ParquetHiveSerDe"}
    content = parquet({"Stars": 4, "user": "Adeline"})
    wanted = {"user": "string", "stars": "bigint", "later": "string"}
    assert files.rows(serde, {}, content, wanted).to_pylist() == [
        {"user": "Adeline", "stars": 4, "later": None}
    ]


def test_a_malformed_json_line_is_bad_data() -> None:
    """Athena fails on it, and so does the endpoint."""
    serde = {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"}
    with pytest.raises(files.BadData, match="HIVE_BAD_DATA"):
        files.rows(serde, {}, b'{"a": 1}\n{"a": \n', {"a": "bigint"})


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("int", "bigint", "bigint"),
        ("bigint", "double", "double"),
        ("int", "string", "string"),
        ("struct<a:int>", "struct<b:string>", "struct<a:int,b:string>"),
        ("array<int>", "array<string>", "string"),
    ],
)
def test_types_merge_to_what_holds_both(one: str, other: str, both: str) -> None:
    """What nothing else holds is a string."""
    assert files.merge(one, other) == both


@pytest.mark.parametrize(
    "name",
    ["string", "bigint", "decimal(38,3)", "array<struct<a:bigint,b:string>>", "map<string,double>"],
)
def test_hive_names_survive_arrow(name: str) -> None:
    """There and back."""
    assert hive.from_arrow(hive.to_arrow(name)) == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (["a", None], "[a, null]"),
        ({"x": 1, "y": [2]}, "{x=1, y=[2]}"),
        ([("k", "v")], "{k=v}"),
    ],
)
def test_values_print_as_athena_prints_them(value: object, text: str | None) -> None:
    """Arrays in brackets, rows and maps in braces."""
    assert hive.text(value) == text


# --- the services -------------------------------------------------------------------------------
class Lake:
    """A bucket, a database, a workgroup and a role on the endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.s3 = endpoint.client("s3")
        self.glue = endpoint.client("glue")
        self.athena = endpoint.client("athena")
        self.s3.create_bucket(Bucket=BUCKET)
        self.glue.create_database(DatabaseInput={"Name": DATABASE})
        self.athena.create_work_group(
            Name=GROUP,
            Configuration={"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/results/"}},
        )
        iam = endpoint.client("iam")
        self.role = iam.create_role(RoleName="crawls", AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def crawl(self, folder: str, *, database: str = DATABASE, **more: Any) -> dict[str, Any]:
        """Crawl ``parquet/<folder>/`` and return the crawler as it is then."""
        name = f"crawl-{folder}"
        if name not in self.glue.list_crawlers()["CrawlerNames"]:
            self.glue.create_crawler(
                Name=name,
                Role=self.role,
                DatabaseName=database,
                TablePrefix="snapshots_",
                Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/parquet/{folder}/"}]},
                Configuration=json.dumps(CONFIGURATION),
                **more,
            )
        self.glue.start_crawler(Name=name)
        while (crawler := self.glue.get_crawler(Name=name)["Crawler"])["State"] != "READY":
            time.sleep(0.05)
        return dict(crawler)

    def columns(self, table: str) -> dict[str, str]:
        found = self.glue.get_table(DatabaseName=DATABASE, Name=table)["Table"]
        return {each["Name"]: each["Type"] for each in found["StorageDescriptor"]["Columns"]}

    def partitions(self, table: str) -> list[list[str]]:
        found = self.glue.get_partitions(DatabaseName=DATABASE, TableName=table)["Partitions"]
        return sorted(partition["Values"] for partition in found)

    def query(self, sql: str) -> list[dict[str, str | None]]:
        result = queries.run(self.athena, sql, work_group=GROUP, database=DATABASE, seconds=0.05)
        return list(queries.records(result))

    def refusal(self, sql: str) -> str:
        with pytest.raises(queries.QueryFailed) as failed:
            self.query(sql)
        return failed.value.hint


@pytest.fixture(scope="module")
def lake(endpoint: Endpoint) -> Lake:
    return Lake(endpoint)


def key(folder: str, minute: int, name: str = "part-0") -> str:
    return f"parquet/{folder}/snapshot_timestamp=2026-11-23T10:{minute:02d}/{name}"


@pytest.mark.endpoint
def test_crawls_follow_the_folders(lake: Lake) -> None:
    """Partitions come and go with them, new columns are added, old ones stay."""
    lake.put(key("My-Table.v2", 1), parquet({"User": "Ada", "n": 1}))
    lake.put(key("My-Table.v2", 1, "_SUCCESS"), b"x")
    assert lake.crawl("My-Table.v2")["LastCrawl"]["Status"] == "SUCCEEDED"
    assert lake.columns("snapshots_my_table_v2") == {"user": "string", "n": "bigint"}
    assert lake.partitions("snapshots_my_table_v2") == [["2026-11-23T10:01"]]

    lake.put(key("My-Table.v2", 2), parquet({"User": "Ada", "late": True}))
    lake.s3.delete_object(Bucket=BUCKET, Key=key("My-Table.v2", 1))
    lake.crawl("My-Table.v2")
    assert lake.columns("snapshots_my_table_v2") == {
        "user": "string",
        "n": "bigint",
        "late": "boolean",
    }
    assert lake.partitions("snapshots_my_table_v2") == [["2026-11-23T10:02"]]


@pytest.mark.endpoint
def test_nothing_to_crawl_is_a_success(lake: Lake) -> None:
    """No objects, no table."""
    assert lake.crawl("Nothing")["LastCrawl"]["Status"] == "SUCCEEDED"
    names = [table["Name"] for table in lake.glue.get_tables(DatabaseName=DATABASE)["TableList"]]
    assert "snapshots_nothing" not in names


@pytest.mark.endpoint
def test_a_crawl_without_its_database_fails_with_a_message(lake: Lake) -> None:
    """As GetCrawler tells it."""
    last = lake.crawl("Lost", database="not_there")["LastCrawl"]
    assert last["Status"] == "FAILED"
    assert "not_there" in last["ErrorMessage"]


@pytest.fixture(scope="module")
def orders(lake: Lake) -> str:
    """A table with two partitions, and a view of the later one."""
    lake.put(key("Orders", 1), parquet({"id": 1, "lines": [{"sku": "a"}]}))
    lake.put(
        key("Orders", 2), parquet(*({"id": 10 + n, "lines": [{"sku": "b"}]} for n in range(1500)))
    )
    lake.crawl("Orders")
    lake.query(
        'CREATE OR REPLACE VIEW "orders" AS SELECT "id", "lines" FROM "snapshots_orders" '
        "WHERE \"snapshot_timestamp\" = '2026-11-23T10:01'"
    )
    return "snapshots_orders"


@pytest.mark.endpoint
def test_results_come_in_pages(lake: Lake, orders: str) -> None:
    """More rows than a page holds, each once."""
    rows = lake.query(f"SELECT id FROM {orders} ORDER BY id")
    assert [row["id"] for row in rows] == ["1", *(str(10 + n) for n in range(1500))]


@pytest.mark.endpoint
def test_a_view_is_stored_as_athena_stores_it_and_sees_its_partition_only(
    lake: Lake, orders: str
) -> None:
    """A VIRTUAL_VIEW; the other partition's rows are not in it."""
    view = lake.glue.get_table(DatabaseName=DATABASE, Name="orders")["Table"]
    assert (view["TableType"], view["Parameters"]["presto_view"]) == ("VIRTUAL_VIEW", "true")
    assert view["ViewOriginalText"].startswith("/* Presto View: ")
    assert lake.query("SELECT * FROM orders") == [{"id": "1", "lines": "[{sku=a}]"}]


@pytest.mark.endpoint
@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELEC 1", "SYNTAX_ERROR"),
        (
            "SELECT * FROM nowhere",
            "TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.catalog_tests.nowhere'",
        ),
        ("SELECT nothing FROM orders", "COLUMN_NOT_FOUND"),
        ("CREATE VIEW orders AS SELECT 1 AS a", "ALREADY_EXISTS"),
    ],
)
def test_a_bad_query_fails_with_athenas_reason_and_the_endpoint_lives_on(
    lake: Lake, orders: str, sql: str, reason: str
) -> None:
    """The state is FAILED, the next query answers."""
    assert lake.refusal(sql).startswith(reason)
    assert lake.query("SELECT count(*) AS n FROM orders") == [{"n": "1"}]


@pytest.mark.endpoint
def test_a_view_whose_column_changed_its_type_is_stale(lake: Lake) -> None:
    """Athena asks to create it again."""
    lake.put(key("Stale", 1), parquet({"n": 1}))
    lake.crawl("Stale")
    lake.query("CREATE VIEW stale AS SELECT n FROM snapshots_stale")
    lake.put(key("Stale", 1), parquet({"n": "one"}))
    lake.crawl("Stale")
    assert "INVALID_VIEW" in lake.refusal("SELECT * FROM stale")
    lake.query("CREATE OR REPLACE VIEW stale AS SELECT n FROM snapshots_stale")
    assert lake.query("SELECT * FROM stale") == [{"n": "one"}]

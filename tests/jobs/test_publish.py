"""The view job: its SQL and its checks alone, then whole runs against AWS's own API."""

from __future__ import annotations

import base64
import dataclasses
import json
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import sqlglot
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st
from job_names import BUCKET, DATABASE, WORKFLOW, counted

from dynoexport.jobs.avro_schema import avro_literal
from dynoexport.jobs.catalog_entries import new_table
from dynoexport.jobs.catalog_update import (
    OPEN_CSV,
    check_order,
    column_comment,
    manifest_columns,
    partition_updates,
    storage,
    table_updates,
)
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.names import TIMESTAMP_FORMAT
from dynoexport.jobs.publish import main
from dynoexport.jobs.publish import run as job_run
from dynoexport.jobs.publish_clients import PublishClients
from dynoexport.jobs.publish_settings import VIEW_JOB_ARGUMENTS, PublishSettings
from dynoexport.jobs.published_manifest import check_files
from dynoexport.jobs.retention import expired_snapshots
from dynoexport.jobs.view import QueryTooSlow, shown_timestamp, view_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import SimpleNamespace

NOW = datetime(2026, 1, 31, 10, 0, 30, tzinfo=timezone.utc)
CURRENT, OLDER, NEWER = "2026-01-31T10:00", "2026-01-30T10:00", "2026-02-01T10:00"
DATA, MANIFESTS = "parquet/Reviews/", "manifests/parquet/Reviews/"
HOSTILE = st.text(alphabet="a\"'`;-. \n\\/*", min_size=1, max_size=8) | st.text(min_size=1)


def minutes(days: float) -> str:
    return (NOW - timedelta(days=days)).strftime(TIMESTAMP_FORMAT)


def stored_view(sql: str) -> dict[str, str]:
    """A view as Athena keeps it in the catalog."""
    stored = base64.b64encode(json.dumps({"originalSql": sql, "columns": []}).encode()).decode()
    return {"ViewOriginalText": f"/* Presto View: {stored} */"}


# --- SQL --------------------------------------------------------------------------------------
def test_the_view_lists_the_columns_of_one_snapshot() -> None:
    columns = {"user": "user", "rating": "rating__string"}
    sql = view_sql(DATABASE, "reviews", "snapshots_reviews", columns, CURRENT)
    assert sql == (
        'CREATE OR REPLACE VIEW "dynamodb_exports"."reviews" AS\n'
        'SELECT "user", "rating__string" AS "rating"\n'
        'FROM "dynamodb_exports"."snapshots_reviews"\n'
        "WHERE \"snapshot_timestamp\" = '2026-01-31T10:00'"
    )


@given(HOSTILE, HOSTILE, HOSTILE, st.dictionaries(HOSTILE, HOSTILE, min_size=1), HOSTILE)
def test_no_name_gets_out_of_its_quotes(
    database: str, view: str, table: str, columns: dict[str, str], timestamp: str
) -> None:
    """Another parser of Trino's SQL finds one statement, with the names as they were given."""
    (statement,) = sqlglot.parse(view_sql(database, view, table, columns, timestamp), "trino")
    assert statement is not None
    query = statement.expression
    source = query.find(sqlglot.exp.Table)
    assert (statement.this.db, statement.this.name) == (database, view)
    assert (source.db, source.name) == (database, table)
    assert {
        expression.alias_or_name: expression.unalias().name for expression in query.expressions
    } == columns
    assert query.args["where"].this.expression.this == timestamp


def test_the_view_names_the_snapshot_that_it_shows() -> None:
    sql = view_sql(DATABASE, "reviews", "snapshots_reviews", {"user": "user"}, CURRENT)
    assert shown_timestamp(stored_view(sql.split("AS\n", 1)[1])) == CURRENT


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM snapshots_reviews WHERE (snapshot_timestamp = '2026-01-31T10:00')",
        "SELECT a FROM t\nWHERE (\"snapshot_timestamp\" = '2026-01-31T10:00')\n",
    ],
)
def test_views_of_the_former_design_are_understood(sql: str) -> None:
    assert shown_timestamp(stored_view(sql)) == CURRENT


@pytest.mark.parametrize(
    "table",
    [
        None,
        {},
        {"ViewOriginalText": "SELECT 1"},
        # base64 of {} and of no JSON.
        {"ViewOriginalText": "/* Presto View: e30= */"},
        {"ViewOriginalText": "/* Presto View: AAAA */"},
        stored_view("SELECT 1"),
        stored_view(CURRENT),
    ],
)
def test_a_view_without_a_snapshot_in_its_sql_shows_no_snapshot(
    table: dict[str, str] | None,
) -> None:
    assert shown_timestamp(table) is None


# --- the manifest -----------------------------------------------------------------------------
FILES = {
    "files": [
        {"key": "a/part-0", "bytes": 10},
        {"key": "a/part-1", "bytes": 20, "etag": "e1"},
    ]
}
WHOLE = {"a/part-0": (10, "e0"), "a/part-1": (20, "e1")}


def test_a_complete_snapshot_passes_with_files_that_athena_ignores() -> None:
    check_files(FILES, {**WHOLE, "a/_SUCCESS": (0, "e3"), "a/.hidden": (3, "e4")})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"a/part-0": (10, "e0")}, "a/part-1 is missing"),
        ({**WHOLE, "a/part-1": (19, "e1")}, "a/part-1 has 19 bytes, but its manifest says 20"),
        ({**WHOLE, "a/part-1": (20, "e2")}, "a/part-1 has changed since the export job wrote it"),
        ({**WHOLE, "a/part-2": (30, "e2")}, "a/part-2 is not in the manifest"),
    ],
)
def test_an_incomplete_snapshot_is_refused_with_the_name_of_the_file(
    found: dict[str, tuple[int, str]], words: str
) -> None:
    with pytest.raises(JobFailed, match=words):
        check_files(FILES, found)


# --- what expires -----------------------------------------------------------------------------
def test_snapshots_expire_to_the_minute() -> None:
    snapshots = [minutes(7.001), minutes(7), minutes(6.999), minutes(40)]
    assert expired_snapshots(snapshots, [], NOW, 7) == [minutes(40), minutes(7.001), minutes(7)]


def test_the_shown_snapshot_never_expires() -> None:
    assert expired_snapshots([minutes(40), minutes(30)], [minutes(40)], NOW, 7) == [minutes(30)]


@given(st.sets(st.text(alphabet="0123456789-T:", max_size=17)), st.integers(1, 36_500))
def test_a_folder_that_is_not_a_snapshot_never_expires(names: set[str], days: int) -> None:
    for name in expired_snapshots(names, [], NOW, days):
        assert datetime.strptime(name, "%Y-%m-%dT%H:%M").isoformat()[:16] == name  # noqa: DTZ007


# --- whole runs -------------------------------------------------------------------------------
class Athena:
    """An Athena whose query goes through the given states, and makes the view if it succeeds."""

    def __init__(self, glue: Any, *states: str, reason: str = "") -> None:
        self._glue = glue
        self._states = iter(states or ("QUEUED", "RUNNING", "SUCCEEDED"))
        self._reason = reason
        self.queries: list[dict[str, Any]] = []
        self.stopped: list[str] = []

    def start_query_execution(self, **query: Any) -> dict[str, str]:
        self.queries.append(query)
        return {"QueryExecutionId": "q-1"}

    def get_query_execution(self, *, QueryExecutionId: str) -> dict[str, Any]:  # noqa: N803
        assert QueryExecutionId == "q-1"
        status = {"State": next(self._states)}
        if self._reason:
            status["StateChangeReason"] = self._reason
        return {"QueryExecution": {"Status": status}}

    def stop_query_execution(self, *, QueryExecutionId: str) -> None:  # noqa: N803
        self.stopped.append(QueryExecutionId)


def entry(name: str, kind: str, *, attribute: str = "") -> dict[str, Any]:
    """A column in the manifest."""
    return {"name": name, "type": kind, "attribute": attribute or name, "view": name, "shown": True}


@dataclasses.dataclass
class Publication:
    """One workflow run whose export and crawl are done."""

    aws: SimpleNamespace
    run_id: str
    slept: list[float] = dataclasses.field(default_factory=list)

    def export(self, timestamp: str, *, items: int = 2, run_id: str = "") -> None:
        """Put what the export job leaves in S3."""
        key = f"{DATA}snapshot_timestamp={timestamp}/part-0"
        manifest = {
            "table": "Reviews",
            "format": "parquet",
            "snapshot_timestamp": timestamp,
            "items": items,
            "files": [{"key": key, "bytes": 3}] if items else [],
            "schema": [entry("user", "string"), entry("n", "decimal(38,2)", attribute="N\no")],
            "workflow_run_id": run_id or self.run_id,
        }
        if items:
            self.aws.s3.put_object(Bucket=BUCKET, Key=key, Body=b"PAR")
        name, body = f"{MANIFESTS}{timestamp}.json", json.dumps(manifest).encode()
        self.aws.s3.put_object(Bucket=BUCKET, Key=name, Body=body)

    def crawl(self, *timestamps: str, location: str = DATA) -> None:
        """Create what the crawler creates in the catalog."""
        table = {
            "Name": "snapshots_reviews",
            "StorageDescriptor": {
                "Location": f"s3://{BUCKET}/{location}",
                "Columns": [{"Name": "user", "Type": "string"}, {"Name": "n", "Type": "bigint"}],
            },
            "PartitionKeys": [{"Name": "snapshot_timestamp", "Type": "string"}],
        }
        self.aws.glue.create_table(DatabaseName=DATABASE, TableInput=table)
        for timestamp in timestamps:
            self.register(timestamp, f"s3://{BUCKET}/{location}snapshot_timestamp={timestamp}/")

    def register(self, timestamp: str, location: str) -> None:
        """Add a partition."""
        self.aws.glue.create_partition(
            DatabaseName=DATABASE,
            TableName="snapshots_reviews",
            PartitionInput={"Values": [timestamp], "StorageDescriptor": {"Location": location}},
        )

    def show(self, timestamp: str) -> None:
        view = stored_view(
            f"SELECT 1 FROM snapshots_reviews WHERE \"snapshot_timestamp\" = '{timestamp}'"
        )
        self.aws.glue.create_table(DatabaseName=DATABASE, TableInput={"Name": "reviews", **view})

    def publish(
        self, athena: Athena | None = None, *, timestamp: str = CURRENT, **more: str
    ) -> Any:
        athena = athena or Athena(self.aws.glue)
        if timestamp:
            self.aws.glue.put_workflow_run_properties(
                Name=WORKFLOW, RunId=self.run_id, RunProperties={"SnapshotTimestamp": timestamp}
            )
        given = {
            "TableName": "Reviews",
            "OutputFormat": "parquet",
            "BucketName": BUCKET,
            "DatabaseName": DATABASE,
            "CatalogPrefix": "",
            "WorkGroup": "dynamodb-exports",
            "SnapshotRetentionDays": "0",
            "WORKFLOW_NAME": WORKFLOW,
            "WORKFLOW_RUN_ID": self.run_id,
            **more,
        }
        argv = [word for name, value in given.items() for word in (f"--{name}", value)]
        clients = PublishClients(athena, self.aws.glue, self.aws.s3, self.aws.cloudwatch)
        job_run(argv, clients, now=lambda: NOW, sleep=self.slept.append)
        return athena

    def partitions(self) -> list[str]:
        found = self.aws.glue.get_partitions(DatabaseName=DATABASE, TableName="snapshots_reviews")[
            "Partitions"
        ]
        return sorted(partition["Values"][0] for partition in found)


@pytest.fixture
def run(aws: SimpleNamespace) -> Publication:
    return Publication(aws, aws.glue.start_workflow_run(Name=WORKFLOW)["RunId"])


@pytest.mark.parametrize("table", ["-x", "-1.5", "--x"])
def test_a_table_may_begin_with_a_dash(run: Publication, table: str) -> None:
    """The manifest that is asked for has its name."""
    with pytest.raises(JobFailed, match=f"manifests/parquet/{table}/"):
        run.publish(TableName=table)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"items": 1}', b"[" * 100_000])
def test_an_invalid_manifest_is_refused_in_one_line(run: Publication, body: bytes) -> None:
    run.aws.s3.put_object(Bucket=BUCKET, Key=f"{MANIFESTS}{CURRENT}.json", Body=body)
    with pytest.raises(JobFailed, match="is not a valid manifest: delete it") as refused:
        run.publish()
    assert "\n" not in str(refused.value)


def test_a_run_publishes_its_own_snapshot(run: Publication) -> None:
    run.export(CURRENT)
    run.crawl(CURRENT)
    (query,) = run.publish().queries
    assert query == {
        "QueryString": view_sql(
            DATABASE,
            "reviews",
            "snapshots_reviews",
            {name: name for name in ("user", "n", "snapshot_timestamp")},
            CURRENT,
        ),
        "QueryExecutionContext": {"Database": DATABASE},
        "WorkGroup": "dynamodb-exports",
        "ResultConfiguration": {
            "OutputLocation": f"s3://{BUCKET}/athena-results/views/parquet/Reviews/"
        },
    }
    assert run.slept == [0.125, 0.25]


def test_a_published_snapshot_is_recorded_by_table_and_format(run: Publication) -> None:
    """The alarm on stale snapshots needs this datapoint."""
    run.export(CURRENT)
    run.crawl(CURRENT)
    run.publish()
    assert counted(run.aws.cloudwatch) == [{"Table": "Reviews", "Format": "parquet"}]


def test_a_snapshot_that_is_not_published_is_not_recorded_in_cloudwatch(run: Publication) -> None:
    run.crawl(CURRENT)
    with pytest.raises(JobFailed):
        run.publish()
    assert counted(run.aws.cloudwatch) == []


def test_a_snapshot_is_published_even_if_cloudwatch_refuses_its_metric(
    run: Publication, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has the reason; the alarm goes off."""
    run.export(CURRENT)
    run.crawl(CURRENT)
    nowhere = Config(connect_timeout=0.1, retries={"max_attempts": 0})
    run.aws.cloudwatch = boto3.client(
        "cloudwatch", endpoint_url="http://127.0.0.1:1", config=nowhere
    )
    run.publish()
    assert "cannot record this snapshot in CloudWatch: " in capsys.readouterr().out


def descriptors(aws: SimpleNamespace) -> list[dict[str, Any]]:
    """The storage descriptors of the table and its partitions."""
    where = {"DatabaseName": DATABASE, "TableName": "snapshots_reviews"}
    table = aws.glue.get_table(DatabaseName=DATABASE, Name="snapshots_reviews")["Table"]
    partitions = aws.glue.get_partitions(**where)["Partitions"]
    return [owner["StorageDescriptor"] for owner in (table, *partitions)]


def test_the_catalog_gets_the_columns_of_the_manifest(run: Publication) -> None:
    """Table and every partition, with the attributes' own names as far as comments hold them."""
    run.export(OLDER)
    run.export(CURRENT)
    run.crawl(OLDER, CURRENT)
    run.publish()
    stored = descriptors(run.aws)
    assert len(stored) == 3
    for descriptor in stored:
        assert descriptor["Columns"] == [
            {"Name": "user", "Type": "string", "Comment": "user"},
            {"Name": "n", "Type": "decimal(38,2)", "Comment": "N\ufffdo"},
        ]


def test_a_correct_catalog_is_not_written(
    run: Publication, capsys: pytest.CaptureFixture[str]
) -> None:
    run.export(CURRENT)
    run.crawl(CURRENT)
    run.publish()
    log = capsys.readouterr().out
    assert "updated the catalog table snapshots_reviews: 2 columns" in log
    assert "updated 1 partition of snapshots_reviews" in log
    run.publish()
    assert "updated" not in capsys.readouterr().out


def test_partitions_that_no_manifest_knows_stay_as_they_are(run: Publication) -> None:
    """This includes a partition of that name in another location."""
    run.export(OLDER)
    run.export(CURRENT)
    run.crawl(CURRENT, "2019-11-23T10:00")
    run.register(OLDER, "s3://elsewhere/")
    before = locations(run.aws)
    run.publish()
    after = locations(run.aws)
    own = f"s3://{BUCKET}/{DATA}snapshot_timestamp={CURRENT}/"
    assert [name for name in after if after[name] != before[name]] == [own]


def test_columns_of_snapshots_read_by_position_are_never_permuted() -> None:
    """Before anything is altered; a column that the crawler found afterwards does not matter."""
    columns = [{"Name": name, "Type": "string"} for name in ("author", "rating")]
    check(["author", "rating", "late"], columns)
    check(["author", "late", "rating"], columns)
    with pytest.raises(JobFailed, match=r"column 1 is 'rating', in this snapshot it is 'author'"):
        check(["rating", "author"], columns)


def check(names: list[str], columns: list[dict[str, str]]) -> None:
    table: Any = {"Name": "t", "StorageDescriptor": {"Columns": [{"Name": name} for name in names]}}
    settings = PublishSettings("T", "csv", BUCKET, DATABASE, "", "w", 0, CURRENT, "wr_1")
    check_order(table, columns, settings)


SHAPES: list[dict[str, Any]] = [
    {**entry("user", "string", attribute="User"), "shape": "string"},
    {**entry("n", "decimal(38,2)"), "shape": "decimal(38,2)"},
    {
        **entry("print", "array<struct<pages:bigint>>"),
        "shape": {"array": {"struct": [["Pages", "pages", "bigint"]]}},
    },
    {**entry("tags", "map<string,string>"), "shape": "map<string,string>"},
]


def test_avro_schema_has_a_null_default_for_every_field_at_every_level() -> None:
    schema = json.loads(avro_literal({"schema": SHAPES}))
    fields = {field["name"]: field for field in schema["fields"]}
    assert fields["user"]["aliases"] == ["User"]
    pages = fields["print"]["type"][1]["items"][1]["fields"]
    assert [field["name"] for field in pages] == ["pages"]
    for field in (*schema["fields"], *pages):
        assert (field["type"][0], field["default"]) == ("null", None)
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}
    assert fields["n"]["type"][1] == decimal
    assert fields["tags"]["type"][1] == {"type": "map", "values": ["null", "string"]}


def test_avro_schema_that_is_too_long_for_the_catalog_is_left_out() -> None:
    """Athena then reads by the columns."""
    long = [{**entry("a" * 240 + str(n), "string"), "shape": "string"} for n in range(2_000)]
    assert avro_literal({"schema": long}) == ""


def test_the_right_avro_schema_replaces_the_crawlers() -> None:
    """In the table; partitions, also those of older snapshots, have it or none."""
    crawled = {"Parameters": {"avro.schema.literal": "old", "kept": "yes"}}
    descriptor = {**crawled, "SerdeInfo": crawled, "Columns": []}
    table = {"Name": "t", **crawled, "StorageDescriptor": descriptor}
    partition = {"Values": [OLDER], **crawled, "StorageDescriptor": descriptor}
    right = {"kept": "yes", "avro.schema.literal": "right"}
    _, made = table_updates(table, [], "avro", "right") or ({}, {})
    assert made["Parameters"] == made["StorageDescriptor"]["SerdeInfo"]["Parameters"] == right
    _, entered = partition_updates(partition, [], "avro", "right") or ({}, {})
    assert "old" not in json.dumps(entered)
    assert table_updates(made, [], "avro", "right") is None
    again = {"Values": [OLDER], **entered["PartitionInput"]}
    assert partition_updates(again, [], "avro", "right") is None


class Unanswered(Athena):
    """An Athena that refuses the query, or does not report its state."""

    def start_query_execution(self, **query: Any) -> dict[str, str]:
        if "start" in self._reason:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "no"}}, "Start")
        return super().start_query_execution(**query)

    def get_query_execution(self, *, QueryExecutionId: str) -> dict[str, Any]:  # noqa: N803
        raise ClientError({"Error": {"Code": "Throttling", "Message": QueryExecutionId}}, "Get")


@pytest.mark.parametrize("end", ["FAILED", "CANCELLED", "slow", "at start", "unanswered"])
def test_a_view_that_is_not_replaced_keeps_the_columns_it_was_made_with(
    run: Publication, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    """The reason, whatever it is, stays the run's error."""
    run.export(OLDER)
    run.export(CURRENT)
    run.crawl(OLDER, CURRENT)
    run.show(OLDER)
    before = descriptors(run.aws)
    athena = Athena(run.aws.glue, *(["RUNNING"] * 1_000 if end == "slow" else [end]))
    if end in {"at start", "unanswered"}:
        athena = Unanswered(run.aws.glue, reason=end)
    with pytest.raises((JobFailed, ClientError), match=r"query q-1|Throttling"):
        run.publish(athena)
    assert descriptors(run.aws) == before
    assert athena.stopped == (["q-1"] if end in {"slow", "unanswered"} else [])
    assert "restoring the former columns of snapshots_reviews" in capsys.readouterr().out


def test_a_view_that_a_slow_query_replaced_keeps_its_columns(run: Publication) -> None:
    """Athena reports a failure, but the query has replaced the view."""
    run.export(CURRENT)
    run.crawl(CURRENT)
    before = descriptors(run.aws)
    run.show(CURRENT)
    with pytest.raises(JobFailed):
        run.publish(Athena(run.aws.glue, "CANCELLED"))
    assert descriptors(run.aws) != before


def test_a_failed_restore_does_not_hide_the_first_error(
    run: Publication, capsys: pytest.CaptureFixture[str]
) -> None:
    run.export(CURRENT)
    run.crawl(CURRENT)

    class Gone(Athena):
        def start_query_execution(self, **_: Any) -> dict[str, str]:
            run.aws.glue.delete_table(DatabaseName=DATABASE, Name="snapshots_reviews")
            raise JobFailed("the first error")

    with pytest.raises(JobFailed, match="the first error"):
        run.publish(Gone(run.aws.glue))
    assert "cannot restore the former columns of dynamodb_exports.snapshots_reviews: " in (
        capsys.readouterr().out
    )


@given(st.text(max_size=400))
@example("a" * 300)
@example("é" * 200)
@example("\N{GRINNING FACE}" * 100)
def test_a_comment_has_only_what_glue_accepts(attribute: str) -> None:
    found = column_comment(attribute)
    assert len(found.encode()) <= 255
    assert found.isprintable() or "\n" not in found


def locations(aws: SimpleNamespace) -> dict[str, dict[str, Any]]:
    """The partitions' descriptors by where they lie."""
    return {descriptor["Location"]: descriptor for descriptor in descriptors(aws)[1:]}


LAZY = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"


def test_csv_is_read_by_the_serde_that_understands_quotes() -> None:
    """Whatever the crawler chose; where the files lie does not change."""
    lazy = {
        "Location": f"s3://{BUCKET}/csv/Reviews/",
        "Columns": [{"Name": "n", "Type": "bigint"}],
        "SerdeInfo": {"SerializationLibrary": LAZY},
    }
    columns = [{"Name": "n", "Type": "string"}]
    mended = storage(lazy, columns, "csv")
    assert mended["SerdeInfo"]["SerializationLibrary"] == OPEN_CSV
    assert mended["SerdeInfo"]["Parameters"]["quoteChar"] == '"'
    assert (mended["Columns"], mended["Location"]) == (columns, lazy["Location"])
    assert storage(lazy, columns, "json")["SerdeInfo"] == lazy["SerdeInfo"]


def test_the_header_of_csv_is_skipped_whatever_the_crawler_found() -> None:
    """A crawler that takes the header for a row leaves the parameter out, or 0 in it."""
    crawled = {"Parameters": {"skip.header.line.count": "0"}}
    for parameters in ({}, crawled):
        table = {"Name": "t", **parameters, "StorageDescriptor": {"Columns": []}}
        _, wanted = table_updates(table, [], "csv", "") or ({}, {})
        assert wanted["Parameters"]["skip.header.line.count"] == "1"
        assert table_updates(wanted, [], "csv", "") is None


def test_json_keeps_the_case_of_keys_in_table_and_partitions() -> None:
    descriptor = {"Columns": [], "SerdeInfo": {"Parameters": {"paths": "id"}}}
    _, wanted = table_updates({"Name": "t", "StorageDescriptor": descriptor}, [], "json", "") or (
        {},
        {},
    )
    partition = {"Values": [OLDER], "StorageDescriptor": descriptor}
    _, entered = partition_updates(partition, [], "json", "") or ({}, {})
    for made in (wanted, entered["PartitionInput"]):
        parameters = made["StorageDescriptor"]["SerdeInfo"]["Parameters"]
        assert parameters == {"paths": "id", "case.insensitive": "FALSE"}


def test_json_of_another_design_is_still_read_in_any_case() -> None:
    """The crawler gives the table's SerDe to its partitions, whose names may have upper case."""
    table = {"Name": "t", "StorageDescriptor": {"Columns": []}}
    assert table_updates(table, [], "json", "", shared=True) is None


def test_a_run_replaces_an_older_snapshot(run: Publication) -> None:
    run.export(CURRENT)
    run.crawl(CURRENT)
    run.show(OLDER)
    assert len(run.publish().queries) == 1


def test_a_run_that_finishes_late_leaves_a_newer_snapshot(
    run: Publication, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run still succeeds."""
    run.export(CURRENT)
    run.crawl(CURRENT)
    run.show(NEWER)
    assert run.publish().queries == []
    assert f"already shows the newer snapshot {NEWER}" in capsys.readouterr().out


def test_a_run_that_finishes_late_leaves_the_columns_of_a_newer_snapshot(
    run: Publication,
) -> None:
    """The newer view selects columns that the older snapshot may not have."""
    run.export(CURRENT)
    run.crawl(CURRENT, NEWER)
    before = descriptors(run.aws)
    run.show(NEWER)
    run.publish()
    assert descriptors(run.aws) == before


def test_a_table_that_was_always_empty_gets_no_view(
    run: Publication, capsys: pytest.CaptureFixture[str]
) -> None:
    run.export(CURRENT, items=0)
    assert run.publish().queries == []
    assert "nothing to publish yet" in capsys.readouterr().out


def test_a_table_that_became_empty_gets_an_empty_view(run: Publication) -> None:
    """The view selects a partition that does not exist."""
    run.export(CURRENT, items=0)
    run.crawl(OLDER)
    (query,) = run.publish().queries
    assert f"= '{CURRENT}'" in query["QueryString"]


def test_a_run_without_a_snapshot_fails_with_the_next_step(run: Publication) -> None:
    with pytest.raises(JobFailed, match="must be the UTC minute that the export job sets"):
        run.publish(timestamp="")


def test_a_snapshot_without_manifest_is_not_published(run: Publication) -> None:
    run.crawl(CURRENT)
    with pytest.raises(JobFailed, match=f"{MANIFESTS}{CURRENT}.json is missing"):
        run.publish()


def test_a_snapshot_of_another_run_is_not_published(run: Publication) -> None:
    run.export(CURRENT, run_id="wr_other")
    run.crawl(CURRENT)
    with pytest.raises(JobFailed, match="belongs to run wr_other"):
        run.publish()


def test_a_snapshot_that_lost_a_file_is_not_published(run: Publication) -> None:
    run.export(CURRENT)
    run.crawl(CURRENT)
    key = f"{DATA}snapshot_timestamp={CURRENT}/part-0"
    run.aws.s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(JobFailed, match="part-0 is missing"):
        run.publish()


def test_a_snapshot_that_the_crawler_missed_is_added_and_published(
    run: Publication, capsys: pytest.CaptureFixture[str]
) -> None:
    """A crawler that has given a table up never adds another one."""
    run.export(CURRENT)
    run.crawl(OLDER)
    run.publish()
    assert run.partitions() == [OLDER, CURRENT]
    added = locations(run.aws)[f"s3://{BUCKET}/{DATA}snapshot_timestamp={CURRENT}/"]
    assert [column["Type"] for column in added["Columns"]] == ["string", "decimal(38,2)"]
    log = capsys.readouterr().out
    assert f"no crawler has added snapshot_timestamp={CURRENT} to snapshots_reviews" in log
    assert f"reviews shows {CURRENT}" in log


def test_a_catalog_without_a_crawler_gets_table_and_partition(
    run: Publication, capsys: pytest.CaptureFixture[str]
) -> None:
    run.export(CURRENT)
    assert len(run.publish().queries) == 1
    assert run.partitions() == [CURRENT]
    table, partition = descriptors(run.aws)
    assert table["Location"] == f"s3://{BUCKET}/{DATA}"
    assert partition == {**table, "Location": f"{table['Location']}snapshot_timestamp={CURRENT}/"}
    assert [column["Type"] for column in table["Columns"]] == ["string", "decimal(38,2)"]
    log = capsys.readouterr().out
    assert "no crawler has made the catalog table dynamodb_exports.snapshots_reviews" in log
    assert "updated" not in log


def test_a_catalog_without_a_crawler_gets_earlier_snapshots_that_it_lacks(
    run: Publication, put: Any
) -> None:
    """Those that are complete and ours, and have items."""
    for timestamp in (OLDER, CURRENT):
        run.export(timestamp)
    run.export(minutes(2), items=0)
    incomplete, foreign = minutes(3), minutes(4)
    put(*(f"{DATA}snapshot_timestamp={each}/part-0" for each in (incomplete, foreign)))
    put(claim(incomplete))
    theirs = {"table": "Orders", "format": "parquet", "snapshot_timestamp": foreign}
    put(f"{MANIFESTS}{foreign}.json", body=json.dumps(theirs).encode())
    run.publish()
    assert run.partitions() == [OLDER, CURRENT]
    run.publish()
    assert run.partitions() == [OLDER, CURRENT]


def test_a_catalog_entry_that_exists_already_is_fine(run: Publication) -> None:
    """The answer to the first request was lost."""
    run.export(CURRENT)
    events = run.aws.glue.meta.events
    lost = set()

    def lose(model: Any, **_: Any) -> None:
        if model.name not in lost:
            lost.add(model.name)
            exists = {"Error": {"Code": "AlreadyExistsException", "Message": "there is one"}}
            raise ClientError(exists, model.name)

    # After the call, as the second request that botocore makes by itself is answered.
    for operation in ("CreateTable", "CreatePartition"):
        events.register(f"after-call.glue.{operation}", lose)
    run.publish()
    for operation in ("CreateTable", "CreatePartition"):
        events.unregister(f"after-call.glue.{operation}", lose)
    assert lost == {"CreateTable", "CreatePartition"}
    assert run.partitions() == [CURRENT]


def test_a_view_that_is_not_made_leaves_a_catalog_that_the_next_run_completes(
    run: Publication,
) -> None:
    run.export(CURRENT)
    with pytest.raises(JobFailed, match="query q-1 FAILED"):
        run.publish(Athena(run.aws.glue, "FAILED"))
    run.export(NEWER)
    run.publish(timestamp=NEWER)
    assert run.partitions() == [CURRENT, NEWER]


@pytest.mark.parametrize("fmt", ["avro", "csv", "json", "orc", "parquet"])
def test_a_new_table_needs_no_update(fmt: str) -> None:
    """Its columns, SerDe and parameters are those that the view job sets."""
    settings = PublishSettings("My-T", fmt, BUCKET, DATABASE, "p_", "w", 0, CURRENT, "wr_1")
    manifest = {"schema": SHAPES}
    literal = avro_literal(manifest) if fmt == "avro" else ""
    table = new_table(settings, manifest)
    assert table["Name"] == "p_snapshots_my_t"
    assert table_updates(table, manifest_columns(manifest), fmt, literal) is None


def test_the_catalog_table_of_another_export_is_not_shown(run: Publication) -> None:
    run.export(CURRENT)
    run.crawl(CURRENT, location="csv/Reviews/")
    with pytest.raises(JobFailed, match="CatalogPrefix"):
        run.publish()


@pytest.mark.parametrize("kind", [JobFailed, QueryTooSlow])
def test_the_reason_survives_how_a_python_shell_job_raises_it(kind: type[Exception]) -> None:
    """The error is rebuilt from itself, even several times."""
    error = kind("first\nsecond")
    assert str(kind(kind(error))) == "first second"


def test_a_services_error_ends_the_job_as_one_of_ours(
    aws: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No error of botocore can be made from itself."""
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", aws.glue.meta.region_name)
    names = (*VIEW_JOB_ARGUMENTS, "WORKFLOW_NAME", "WORKFLOW_RUN_ID")
    with pytest.raises(JobFailed, match="EntityNotFoundException"):
        main([word for name in names for word in (f"--{name}", "x")])


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_failed_query_fails_with_athenas_reason_in_one_line(run: Publication, state: str) -> None:
    run.export(CURRENT)
    run.crawl(CURRENT)
    athena = Athena(run.aws.glue, "RUNNING", state, reason="line 1:8:\n Column 'n' not found")
    with pytest.raises(JobFailed) as failed:
        run.publish(athena)
    assert str(failed.value) == f"Athena query q-1 {state}: line 1:8: Column 'n' not found"


def test_a_query_that_is_too_long_for_athena_fails_with_the_next_step(run: Publication) -> None:
    """The names are so many and so long that no type shortens it enough."""
    run.export(CURRENT)
    run.crawl(CURRENT)
    key = f"{MANIFESTS}{CURRENT}.json"
    manifest = json.loads(run.aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    manifest["schema"] = [entry(f"{'n' * 240}{number}", "string") for number in range(1_100)]
    run.aws.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(manifest).encode())
    athena = Athena(run.aws.glue)
    with pytest.raises(JobFailed, match="characters, but Athena takes 262,144: deploy this"):
        run.publish(athena)
    assert athena.queries == []


def test_a_query_that_does_not_end_is_stopped(run: Publication) -> None:
    """It could otherwise replace the view of a later run."""
    run.export(CURRENT)
    run.crawl(CURRENT)
    athena = Athena(run.aws.glue, *["RUNNING"] * 1_000)
    with pytest.raises(JobFailed, match="was still RUNNING after 600 seconds"):
        run.publish(athena)
    assert (athena.stopped, sum(run.slept)) == (["q-1"], 600)


@pytest.mark.parametrize("days", ["-1", "abc", "", "1.5", "36501"])
def test_a_bad_retention_is_refused_before_anything_is_published(
    run: Publication, days: str
) -> None:
    run.export(CURRENT)
    run.crawl(CURRENT)
    athena = Athena(run.aws.glue)
    with pytest.raises(JobFailed, match=f"SnapshotRetentionDays is '{days}'"):
        run.publish(athena, SnapshotRetentionDays=days)
    assert athena.queries == []


@pytest.mark.parametrize("other", [stored_view("SELECT 1 FROM mine"), {}])
def test_what_somebody_else_has_under_the_name_of_the_view_stays(
    run: Publication, other: dict[str, str]
) -> None:
    """Another view, or a table: the run says so, and asks Athena for nothing."""
    run.export(CURRENT)
    run.crawl(CURRENT)
    table: Any = {"Name": "reviews", **other}
    run.aws.glue.create_table(DatabaseName=DATABASE, TableInput=table)
    with pytest.raises(JobFailed, match="reviews exists and is not the view of snapshots_reviews"):
        run.publish()


def test_a_partition_of_other_files_is_named(run: Publication) -> None:
    """The view would show them instead of the snapshot."""
    run.export(CURRENT)
    run.crawl()
    run.register(CURRENT, "s3://mine/moved/")
    with pytest.raises(JobFailed, match="lies at 's3://mine/moved/', not at s3://"):
        run.publish()


# --- retention --------------------------------------------------------------------------------
def test_retention_keeps_a_partition_of_other_files(run: Publication) -> None:
    run.export(minutes(8))
    run.export(CURRENT)
    run.crawl(CURRENT)
    run.register(minutes(8), "s3://mine/moved/")
    run.publish(SnapshotRetentionDays="7")
    found = run.aws.glue.get_partitions(DatabaseName=DATABASE, TableName="snapshots_reviews")
    assert {each["Values"][0] for each in found["Partitions"]} == {minutes(8), CURRENT}


def claim(timestamp: str) -> str:
    """The key by which a run takes the minute of its snapshot."""
    return f"{MANIFESTS}{timestamp}.claim"


def test_retention_deletes_only_what_dynoexport_wrote(
    run: Publication, put: Any, keys: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Snapshots of the former design, a renamed folder, one beside which lies no manifest of it."""
    run.export(CURRENT)
    old, renamed, broken, others = (minutes(days) for days in (2_000, 30, 20, 10))
    run.crawl(old, renamed, broken, others, CURRENT)
    files = [
        f"{DATA}snapshot_timestamp={timestamp}/part-0"
        for timestamp in (old, renamed, broken, others)
    ]
    put(*files)
    put(f"{MANIFESTS}{broken}.json", body=b"{")
    theirs = {"table": "Orders", "format": "parquet", "snapshot_timestamp": others}
    put(f"{MANIFESTS}{others}.json", body=json.dumps(theirs).encode())
    before = keys()
    run.publish(SnapshotRetentionDays="7")
    assert keys() == before
    assert run.partitions() == sorted([old, renamed, broken, others, CURRENT])
    log = capsys.readouterr().out
    for timestamp in (old, renamed, broken, others):
        assert f"kept the snapshot {timestamp}: dynoexport did not write it" in log


def test_without_retention_everything_is_kept(run: Publication, keys: Any) -> None:
    run.export(minutes(4_000))
    run.export(CURRENT)
    run.crawl(CURRENT)
    run.publish()
    assert len(keys()) == 4


def test_expired_snapshots_lose_manifest_partition_and_files(
    run: Publication, put: Any, keys: Any
) -> None:
    """So do leftovers of failed runs. Younger snapshots and other objects stay."""
    for days in (8, 6):
        run.export(minutes(days))
    run.export(minutes(9), items=0)
    run.export(CURRENT)
    run.crawl(minutes(8), minutes(6), CURRENT)
    half = [f"{DATA}snapshot_timestamp={minutes(days)}/part-0" for days in (7.5, 0.1)]
    put(*half, f"{DATA}snapshot_timestamp=backup/part-0", f"{MANIFESTS}README.txt")
    put(*(claim(minutes(days)) for days in (8, 7.5, 6, 0.1)))
    run.publish(SnapshotRetentionDays="7")
    assert keys() == sorted(
        [
            f"{MANIFESTS}README.txt",
            *(f"{MANIFESTS}{stamp}.json" for stamp in (minutes(6), CURRENT)),
            *(claim(stamp) for stamp in (minutes(6), minutes(0.1))),
            *(f"{DATA}snapshot_timestamp={stamp}/part-0" for stamp in (minutes(6), CURRENT)),
            f"{DATA}snapshot_timestamp=backup/part-0",
            half[1],
        ]
    )
    assert run.partitions() == [minutes(6), CURRENT]


def test_the_snapshot_that_is_shown_outlives_the_retention(run: Publication, keys: Any) -> None:
    """A clock may be wrong, or a run late."""
    old = minutes(30)
    run.export(old)
    run.crawl(old)
    run.publish(timestamp=old, SnapshotRetentionDays="7")
    assert len(keys()) == 2


def test_a_snapshot_of_many_files_is_deleted_completely(
    run: Publication, put: Any, put_many: Any, keys: Any
) -> None:
    """More than one page of a listing, and one call of a deletion, holds."""
    run.export(CURRENT)
    run.crawl(CURRENT, minutes(8))
    put(claim(minutes(8)))
    expired_prefix = f"{DATA}snapshot_timestamp={minutes(8)}/"
    put_many([f"{expired_prefix}part-{number:04}" for number in range(1_001)])
    run.publish(SnapshotRetentionDays="7")
    assert keys(DATA) == [f"{DATA}snapshot_timestamp={CURRENT}/part-0"]


@pytest.fixture
def broken_catalog(run: Publication) -> Iterator[None]:
    """A catalog that denies the deletion of every partition, as a policy may."""

    def deny(**_: Any) -> None:
        denied = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        raise ClientError(denied, "DeletePartition")

    events = run.aws.glue.meta.events
    events.register("before-call.glue.DeletePartition", deny)
    yield
    events.unregister("before-call.glue.DeletePartition", deny)


@pytest.mark.usefixtures("broken_catalog")
def test_retention_that_fails_leaves_no_half_snapshot_complete(
    run: Publication, put: Any, keys: Any
) -> None:
    """The manifest is deleted first, and the claim, which marks the snapshot as ours, last."""
    old = minutes(8)
    run.export(old)
    put(claim(old))
    run.export(CURRENT)
    run.crawl(old, CURRENT)
    with pytest.raises(ClientError):
        run.publish(SnapshotRetentionDays="7")
    assert keys(f"{MANIFESTS}{old}") == [claim(old)]
    assert keys(f"{DATA}snapshot_timestamp={old}") != []


@pytest.mark.usefixtures("broken_catalog")
def test_a_snapshot_without_a_claim_stays_ours_when_its_retention_fails(
    run: Publication, keys: Any
) -> None:
    """Runs of older versions left no claim. Its manifest is deleted last."""
    old = minutes(8)
    run.export(old)
    run.export(CURRENT)
    run.crawl(old, CURRENT)
    with pytest.raises(ClientError):
        run.publish(SnapshotRetentionDays="7")
    assert keys(f"{MANIFESTS}{old}") == [f"{MANIFESTS}{old}.json"]


def test_the_next_run_finishes_a_retention_that_failed(
    run: Publication, put: Any, keys: Any
) -> None:
    old = minutes(8)
    run.export(old)
    put(claim(old))
    run.export(CURRENT)
    run.crawl(old, CURRENT)
    run.aws.s3.delete_object(Bucket=BUCKET, Key=f"{MANIFESTS}{old}.json")
    run.publish(SnapshotRetentionDays="7")
    assert keys(f"{DATA}snapshot_timestamp={old}") == []
    assert keys(claim(old)) == []
    assert run.partitions() == [CURRENT]

"""Every parser of outside input: what it is given, how, and what it refuses with."""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import hostile
import job_arguments
import sqlglot
from botocore.exceptions import ClientError
from click.testing import CliRunner
from hypothesis import strategies as st
from sqlglot import exp

from dynoexport import cli, naming, units
from dynoexport.aws import athena, exports, workflow_runs
from dynoexport.aws import errors as aws_errors
from dynoexport.cloudformation import check, parameters
from dynoexport.errors import DynoexportError
from dynoexport.jobs.arguments import apply_overrides, parse_arguments
from dynoexport.jobs.attribute_names import parse_attribute_names
from dynoexport.jobs.catalog import check_owner
from dynoexport.jobs.catalog_update import manifest_columns
from dynoexport.jobs.failures import JobFailed, spark_cause
from dynoexport.jobs.history import known_columns
from dynoexport.jobs.manifest import read_manifest
from dynoexport.jobs.publish_settings import (
    VIEW_JOB_ARGUMENTS,
    VIEW_OVERRIDABLE,
    parse_publish_settings,
    run_timestamp,
)
from dynoexport.jobs.published_manifest import check_files, read_own_manifest
from dynoexport.jobs.readers.point_in_time import export_files
from dynoexport.jobs.scan.capacity import table_capacity
from dynoexport.jobs.scan.pages import BadPage, cut_page
from dynoexport.jobs.settings import EXPORT_JOB_ARGUMENTS, EXPORT_OVERRIDABLE, parse_settings
from dynoexport.jobs.snapshot_paths import snapshot_paths
from dynoexport.jobs.timestamps import is_timestamp
from dynoexport.jobs.view import shown_columns, shown_timestamp, view_sql
from dynoexport.jobs.write.counts import count_avro_rows
from dynoexport.local import items
from dynoexport.model import OutputFormat
from dynoexport.operations.query import statement
from dynoexport.planning import prices, table_facts
from dynoexport.storage import manifests, part_files
from dynoexport.workflow import schedule

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 1, 31, 10, 0, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Parser:
    """One parser; ``reads`` gives a value, or raises one of ``refuses`` with a line of text."""

    name: str
    inputs: st.SearchStrategy[Any]
    reads: Callable[[Any], object]
    refuses: tuple[type[Exception], ...] = (DynoexportError,)


# --- the world as the scripts see it --------------------------------------------------------------
def shelf(**objects: bytes) -> Any:
    """A client of an S3 bucket with a few objects."""
    return Shelf(**objects)


class Shelf:
    """An S3 bucket of a few objects."""

    def __init__(self, **objects: bytes) -> None:
        self._objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803, ARG002
        for ending, body in self._objects.items():
            if Key.endswith(ending.replace("__", ".")):
                return {"Body": io.BytesIO(body)}
        raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")

    def get_paginator(self, _: str) -> Any:
        key = "manifests/csv/Reviews/2026-01-31T10:00.json"
        contents = [{"Key": key, "Size": 3, "ETag": '"e"'}]
        return SimpleNamespace(paginate=lambda **_: [{"Contents": contents}])


ARGUMENTS = {**job_arguments.ARGUMENTS, "OutputFormat": "csv", "ReadMode": "native"}
VIEW_ARGUMENTS = {
    "JOB_NAME": "ReviewscsvCurrentView",
    "JOB_RUN_ID": "jr_1",
    "TableName": "Reviews",
    "OutputFormat": "csv",
    "BucketName": "exports",
    "DatabaseName": "dynamodb_exports",
    "CatalogPrefix": "",
    "WorkGroup": "dynamodb-exports",
    "SnapshotRetentionDays": "30",
    "WORKFLOW_NAME": "dynoexport-Reviews-csv",
    "WORKFLOW_RUN_ID": "wr_1",
}
PROPERTIES = {
    "TableName": "Reviews",
    "OutputFormat": "csv",
    "SnapshotTimestamp": "2026-01-31T10:00",
    "Splits": "4",
    "SnapshotRetentionDays": "30",
}
SETTINGS = parse_settings(ARGUMENTS)
VIEW_SETTINGS = parse_publish_settings(VIEW_ARGUMENTS, "2026-01-31T10:00")
PLACES = snapshot_paths(SETTINGS, "2026-01-31T10:00")
MANIFEST = {
    "version": 1,
    "table": "Reviews",
    "format": "csv",
    "snapshot_timestamp": "2026-01-31T10:00",
    "items": 2,
    "bytes": 3,
    "files": [{"key": "csv/Reviews/part-0", "bytes": 3, "etag": "e"}],
    "schema": [
        {
            "name": "user",
            "type": "string",
            "attribute": "User",
            "view": "user",
            "shown": True,
            "shape": "string",
        }
    ],
    "workflow_run_id": "wr_1",
    "started": "2026-01-31T10:00:00Z",
}
TABLE = {
    "Name": "snapshots_reviews",
    "TableType": "EXTERNAL_TABLE",
    "StorageDescriptor": {
        "Location": "s3://exports/csv/Reviews/",
        "Columns": [{"Name": "user", "Type": "string"}],
        "SerdeInfo": {"SerializationLibrary": "x"},
    },
    "PartitionKeys": [{"Name": "snapshot_timestamp", "Type": "string"}],
}
DESCRIBED: dict[str, Any] = {
    "ItemCount": 3,
    "TableSizeBytes": 400,
    "ProvisionedThroughput": {"ReadCapacityUnits": 5},
    "OnDemandThroughput": {"MaxReadRequestUnits": 9},
    "WarmThroughput": {"ReadUnitsPerSecond": 12},
}
SUMMARY = {"manifestFilesS3Key": "x/manifest-files.json", "itemCount": 2}
DATA_FILE = {"itemCount": 2, "md5Checksum": "x", "dataFileS3Key": "x/data/a.json.gz"}
SCAN = (
    b'{"Count":1,"Items":[{"id":{"S":"a"}}],"ScannedCount":1,"LastEvaluatedKey":{"id":{"S":"a"}}}'
)
RUN = {
    "Name": "w",
    "WorkflowRunId": "wr_1",
    "Status": "COMPLETED",
    "WorkflowRunProperties": {"SnapshotItems": "3"},
    "Statistics": {"TotalActions": 1},
    "Graph": {"Nodes": [], "Edges": []},
}
_SHIPPED = json.loads((Path(prices.__file__).parent / "prices.json").read_text())
PRICES = {"date": "2026-11-01", "regions": {"eu-west-1": _SHIPPED["regions"]["us-east-1"]}}
EXPORT = exports.DeployedExport("Reviews", OutputFormat.CSV, "", "stack", "workflow")
JOB_TAGS = {
    naming.TAG_TABLE: "Reviews",
    naming.TAG_FORMAT: "csv",
    naming.TAG_STACK: "s",
    naming.TAG_WORKFLOW: "w",
}
COMMANDS = ("names", "deploy", "run", "prune", "publish", "query", "snapshots", "status", "logs")


# --- how they are called --------------------------------------------------------------------------
def words(arguments: dict[str, str]) -> list[str]:
    return [word for pair in arguments.items() for word in (f"--{pair[0]}", pair[1])]


def of_export_job(properties: dict[str, str]) -> object:
    parsed = parse_arguments(words(ARGUMENTS), EXPORT_JOB_ARGUMENTS)
    return parse_settings(apply_overrides(parsed, properties, EXPORT_OVERRIDABLE))


def export_arguments(arguments: dict[str, str]) -> object:
    parsed = parse_arguments(words(arguments), EXPORT_JOB_ARGUMENTS)
    assert parsed == arguments
    return parse_settings(parsed)


def of_view_job(properties: dict[str, str]) -> object:
    parsed = parse_arguments(words(VIEW_ARGUMENTS), VIEW_JOB_ARGUMENTS)
    merged = apply_overrides(parsed, properties, VIEW_OVERRIDABLE)
    return parse_publish_settings(merged, run_timestamp(properties))


def view_arguments(arguments: dict[str, str]) -> object:
    parsed = parse_arguments(words(arguments), VIEW_JOB_ARGUMENTS)
    assert parsed == arguments
    return parse_publish_settings(parsed, "2026-01-31T10:00")


def published(body: bytes) -> object:
    """What the view job makes of a manifest, up to its SQL."""
    manifest = read_own_manifest(shelf(__json=body), VIEW_SETTINGS)
    check_files(manifest, {"csv/Reviews/part-0": (3, "e")})
    columns = shown_columns(manifest["schema"])
    manifest_columns(manifest)
    return view_sql("d", "v", "t", columns, "2026-01-31T10:00")


def exported(pair: tuple[bytes, bytes]) -> object:
    summary, files = pair
    digest = b"none"
    s3 = shelf(**{"manifest-files__json": files, "summary__json": summary, "__md5": digest})
    return export_files(s3, "exports", "x/summary.json")


def error_of(answer: dict[str, Any]) -> Any:
    return aws_errors.explain(ClientError(answer, "GetTable"))  # type: ignore[arg-type]


def in_file(content: bytes, read: Callable[[Path], object]) -> object:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return read(Path(file.name))


def rows_in(pair: tuple[OutputFormat, bytes]) -> object:
    fmt, content = pair
    return in_file(content, lambda path: part_files.count_items(path, fmt))


def command(arguments: list[str]) -> object:
    """The command without AWS; it prints what is wrong, and exits with 1 or 2."""
    env: dict[str, str | None] = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    env |= {"AWS_MAX_ATTEMPTS": "1", "AWS_REGION": "x-y-1"}
    env |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_PROFILE": None}
    done = CliRunner().invoke(cli.main, arguments, env=env)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in {0, 1, 2}
    assert "Traceback" not in done.output
    return done.exit_code


def names_are_quoted(name: str) -> object:
    """The statement says the same whatever is quoted in it."""
    found = sqlglot.parse(view_sql("d", "v", "t", {name: name}, name), read="athena")
    assert [type(expression).__name__ for expression in found] == ["Create"]
    assert found[0] is not None
    assert {literal.name for literal in found[0].find_all(exp.Literal)} == {name}
    return found


settings = hostile.texts_of


def numbers_in(value: Any) -> st.SearchStrategy[Any]:
    """Any number in its place, or in those of its members."""
    if not isinstance(value, dict):
        return st.integers(-1, 10**18)
    return st.fixed_dictionaries({}, optional={name: numbers_in(value[name]) for name in value})


def arguments(given: dict[str, str]) -> st.SearchStrategy[dict[str, str]]:
    """None of them with the name of another for a value: no table is called so (naming.check)."""
    return settings(given).filter(
        lambda some: not {f"--{name}" for name in some} & set(some.values())
    )


PACKAGE = (
    Parser("durations (--older-than, --stale)", hostile.texts, units.parse_duration),
    Parser("schedule (--schedule)", hostile.texts, lambda text: schedule.check(text, now=NOW)),
    Parser(
        "table name and catalog prefix",
        st.tuples(hostile.texts, st.sampled_from(OutputFormat), hostile.texts),
        lambda parts: naming.check(naming.Export(*parts)),
    ),
    Parser(
        "parameters (--set NAME=VALUE)",
        st.dictionaries(
            st.sampled_from(["Schedule", "Splits", "Where", "Columns", "GlueVersion"])
            | hostile.texts,
            hostile.texts,
            max_size=3,
        ),
        lambda given: check.check_parameters(parameters.table_groups(), given),
    ),
    Parser(
        "command line",
        st.tuples(st.sampled_from(COMMANDS), st.lists(hostile.texts, max_size=3)).map(
            lambda pair: [pair[0], *pair[1]]
        ),
        command,
    ),
    Parser(
        "items of a file",
        st.lists(hostile.as_json(hostile.documents), max_size=3),
        lambda lines: list(
            items.read([line.decode(errors="replace") for line in lines], items.Key("id"))
        ),
    ),
    Parser(
        "items in DynamoDB JSON",
        hostile.damaged(
            {"id": {"S": "a"}, "n": {"N": "1"}, "m": {"M": {"x": {"L": [{"B": "YQ=="}]}}}}
        ),
        lambda item: list(items.read([json.dumps(item)], items.Key("id"))),
    ),
    Parser("key (--key)", hostile.texts, items.parse_key),
    Parser(
        "manifest",
        hostile.as_json(hostile.damaged(MANIFEST) | hostile.values),
        lambda text: manifests.parse(text, where="s3://bucket/key"),
    ),
    Parser(
        "part files",
        st.tuples(st.sampled_from(OutputFormat), hostile.as_json(hostile.documents)),
        rows_in,
        (part_files.FileBroken,),
    ),
    Parser(
        "view in the catalog",
        st.fixed_dictionaries({"ViewOriginalText": hostile.texts})
        | hostile.damaged({"ViewOriginalText": "/* Presto View: e30= */"}).filter(
            lambda view: isinstance(view.get("ViewOriginalText", ""), str)
        ),
        shown_timestamp,
    ),
    Parser("names in SQL", hostile.texts, names_are_quoted),
    Parser(
        "SQL with placeholders",
        hostile.texts.map(lambda text: f"SELECT '{text}' FROM {{view}}"),
        lambda sql: statement(EXPORT, sql),
    ),
    Parser(
        "values of a result",
        st.tuples(hostile.texts, hostile.texts),
        lambda pair: athena.typed(*pair),
    ),
    Parser("tags of an export", settings(JOB_TAGS), exports.from_tags),
    Parser(
        "run properties of a run",
        st.dictionaries(st.sampled_from(["SnapshotItems", "SnapshotBytes"]), hostile.texts),
        lambda properties: (
            workflow_runs.from_response({**RUN, "WorkflowRunProperties": properties}).items
        ),
    ),
    Parser("region of the prices", hostile.texts, prices.load_prices),
    Parser(
        "file of prices (--prices)",
        hostile.as_json(hostile.damaged(PRICES) | hostile.values),
        lambda content: in_file(content, lambda path: prices.load_prices("eu-west-1", file=path)),
    ),
    Parser(
        "description of a table (--describe)",
        hostile.damaged({"Table": {"TableName": "Reviews", **DESCRIBED}}) | hostile.values,
        table_facts.parse_description,
    ),
    Parser(
        "errors of AWS",
        hostile.damaged(
            {"Error": {"Code": "AccessDenied", "Message": "x is not authorized"}}
        ).filter(
            lambda answer: (
                isinstance(answer.get("Error", {}), dict)
                and all(isinstance(value, str) for value in answer.get("Error", {}).values())
            )
        ),
        error_of,
    ),
)
SCRIPTS = (
    Parser(
        "arguments of the export job",
        arguments(ARGUMENTS),
        export_arguments,
        (JobFailed,),
    ),
    Parser(
        "run properties in the export job",
        settings(PROPERTIES),
        of_export_job,
        (JobFailed,),
    ),
    Parser(
        "arguments of the view job",
        arguments(VIEW_ARGUMENTS),
        view_arguments,
        (JobFailed,),
    ),
    Parser(
        "run properties in the view job",
        settings(PROPERTIES),
        of_view_job,
        (JobFailed,),
    ),
    Parser(
        "Columns and Exclude",
        hostile.texts,
        lambda text: parse_attribute_names({"Columns": text}, "Columns"),
        (JobFailed,),
    ),
    Parser("a snapshot's minute", hostile.texts, is_timestamp, ()),
    Parser(
        "DescribeTable",
        # botocore has seen to the types; what is missing and how large numbers are is open.
        st.fixed_dictionaries(
            {}, optional={name: numbers_in(DESCRIBED[name]) for name in DESCRIBED}
        ),
        lambda table: table_capacity(table, lambda: 1.0),
        (),
    ),
    Parser(
        "a page of a Scan",
        hostile.as_json(hostile.documents) | st.just(SCAN),
        cut_page,
        (BadPage,),
    ),
    Parser(
        "manifest in the export job",
        hostile.as_json(hostile.damaged(MANIFEST) | hostile.values),
        lambda body: read_manifest(shelf(__json=body), PLACES),
        (JobFailed,),
    ),
    Parser(
        "columns of the snapshot before",
        hostile.as_json(hostile.damaged(MANIFEST) | hostile.values),
        lambda body: known_columns(shelf(__json=body), SETTINGS),
        (JobFailed,),
    ),
    Parser(
        "manifest in the view job",
        hostile.as_json(hostile.damaged(MANIFEST) | hostile.values),
        published,
        (JobFailed,),
    ),
    Parser(
        "manifests of DynamoDB's export",
        st.tuples(
            hostile.as_json(hostile.damaged(SUMMARY)), hostile.as_json(hostile.damaged(DATA_FILE))
        ),
        exported,
        (JobFailed, ClientError),
    ),
    Parser(
        "view in the catalog, in the view job",
        st.fixed_dictionaries({"ViewOriginalText": hostile.texts})
        | st.builds(lambda value: {"ViewOriginalText": stored(value)}, hostile.values),
        shown_timestamp,
        (),
    ),
    Parser(
        "table of the catalog, in the view job",
        hostile.damaged(TABLE).filter(
            lambda table: (
                isinstance(table.get("StorageDescriptor", {}), dict)
                and isinstance(table.get("StorageDescriptor", {}).get("Location", ""), str)
                and "Name" in table
            )
        ),
        lambda table: check_owner(table, "d", "s3://exports/csv/Reviews/"),
        (JobFailed,),
    ),
    Parser(
        "avro file",
        st.binary(max_size=80) | hostile.as_json(hostile.values),
        lambda content: count_avro_rows(io.BytesIO(content).read),
        (JobFailed,),
    ),
    Parser(
        "errors of Spark",
        hostile.texts.map(lambda text: f"An error occurred\n: {text}\nCaused by: a.b: {text}"),
        lambda text: one_line(spark_cause(spark_error(text))),
        (),
    ),
)


def stored(value: Any) -> str:
    import base64

    return f"/* Presto View: {base64.b64encode(json.dumps(value).encode()).decode()} */"


def spark_error(text: str) -> Exception:
    kind = type("Py4JJavaError", (Exception,), {"__module__": "py4j.protocol"})
    error: Exception = kind(text)
    return error


def one_line(text: str | None) -> str:
    assert text
    assert len(text.splitlines()) == 1
    return text

"""Manifests: what the export job writes is read back, and nothing else counts as one."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from manifest_keys import documented, keys

from dynoexport import naming
from dynoexport.jobs.arguments import GLUE_ARGUMENTS
from dynoexport.jobs.checks import ReadPlan
from dynoexport.jobs.log import iso
from dynoexport.jobs.manifest import WriteResult, build_manifest
from dynoexport.jobs.scan.capacity import Capacity
from dynoexport.jobs.scan.skew import scan_report
from dynoexport.jobs.schema.columns import Column as job_Column
from dynoexport.jobs.schema.types import Type
from dynoexport.jobs.settings import EXPORT_JOB_ARGUMENTS, parse_settings
from dynoexport.storage import manifests
from dynoexport.storage.manifests import Column, File, Manifest, ManifestBroken, Reading

if TYPE_CHECKING:
    from dynoexport import Account

TIMESTAMP = "2026-01-31T10:00"
STARTED = datetime(2026, 1, 31, 10, 0, 30, tzinfo=timezone.utc)
FINISHED = datetime(2026, 1, 31, 10, 7, 5, tzinfo=timezone.utc)
LEAST: dict[str, Any] = {
    "table": "Reviews",
    "format": "csv",
    "snapshot_timestamp": TIMESTAMP,
    "items": 7,
    "bytes": 35,
    "files": [{"key": "a/part-0", "bytes": 10}, {"key": "a/part-1", "bytes": 25}],
    "workflow_run_id": "wr_1",
}


def written() -> dict[str, Any]:
    """A manifest by the functions of the job, so that neither side changes alone."""
    given = {"TableName": "Reviews", "OutputFormat": "csv", "ScriptsVersion": "v7"}
    given |= {"MaxConsumedReadThroughput": "0.25", "Splits": "0", "NumberOfWorkers": "3"}
    given |= {"WORKFLOW_RUN_ID": "wr_1", "Engine": "spark"}
    given |= {"ReadMode": "native", "TypeConflicts": "string", "MapsAs": "struct"}
    given |= {"MaxStructFields": "200", "Compression": "snappy", "Columns": "User,Rating"}
    given |= {"Exclude": "", "Where": "", "SourceRoleArn": "", "KmsKeyArn": ""}
    unused = dict.fromkeys((*EXPORT_JOB_ARGUMENTS, *GLUE_ARGUMENTS), "unused")
    settings = parse_settings({**unused, **given})
    files = (
        {"key": "a/part-0", "bytes": 10, "etag": "e0"},
        {"key": "a/part-1", "bytes": 25, "etag": "e1"},
    )
    columns = (
        job_Column("rating", "rating", "Rating", "", Type("bigint"), shown=False),
        job_Column("rating__string", "rating", "Rating", "string", Type("string"), items=7),
    )
    names = ("items", "bytes", "units", "seconds", "throttles")
    records = [
        {"segment": number, **dict(zip(names, (1, 50, units, seconds, throttles), strict=True))}
        for number, (units, seconds, throttles) in enumerate([(4.0, 0.5, 0)] * 6)
    ]
    records += [
        {"segment": 6, **dict(zip(names, (2, 90, 9.0, 1.5, 5), strict=True))},
        {"segment": 7, **dict(zip(names, (1, 50, 3.0, 0.4, 0), strict=True))},
    ]
    report = scan_report(records, 3.5, 10, Capacity(40, "provisioned"), 2)
    done = WriteResult(7, files, columns, 7, report=report)
    plan = ReadPlan({"TableSizeBytes": 350}, Capacity(40, "provisioned"), 8)
    run = {"GlueVersion": "5.1", "WorkerType": "G.2X", "NumberOfWorkers": 3}
    manifest: dict[str, Any] = build_manifest(settings, TIMESTAMP, done, plan, run)
    return {**manifest, "started": iso(STARTED), "finished": iso(FINISHED)}


def parsed(document: Any) -> Manifest:
    return manifests.parse(json.dumps(document), where="s3://bucket/key")


def test_what_the_export_job_writes_is_read() -> None:
    assert parsed(written()) == Manifest(
        table="Reviews",
        format="csv",
        timestamp=TIMESTAMP,
        items=7,
        bytes=35,
        files=(File("a/part-0", 10, "e0"), File("a/part-1", 25, "e1")),
        workflow_run_id="wr_1",
        # All columns of csv are text, whatever they hold.
        columns=(
            Column("rating", "string", "Rating", "rating", shown=False),
            Column("rating__string", "string", "Rating", "rating"),
        ),
        glue_version="5.1",
        scripts_version="v7",
        started=STARTED,
        finished=FINISHED,
        reading=Reading(
            reader="native",
            items=7,
            splits=8,
            resumed_splits=2,
            read_percent=0.25,
            capacity=40,
            rate=10,
            seconds=3.5,
            units=36.0,
            throttles=5,
            hottest=(9.0, 1.5),
        ),
        described={"TableSizeBytes": 350},
        worker_type="G.2X",
        number_of_workers=3,
        narrowed=True,
    )


def test_page_of_manifests_has_every_key_that_the_export_job_writes() -> None:
    job = {**written(), "seconds": {"spark": 1.5, "read": 3.5}}
    export = {"read": {"billed_bytes": 350}}
    losses, doubles = {"tags": ["sets"]}, {"price": 1200}
    connector = {"read": {"sampled_items": 9, "losses": losses, "doubles": doubles}}
    adopted = {"adopted": True}
    assert documented() == {
        key for manifest in (job, export, connector, adopted) for key in keys(manifest)
    }


def test_what_the_connector_may_have_changed_is_a_line_for_each_attribute() -> None:
    """Of the sample and of the numbers of all items; a terminal obeys no name."""
    read = {
        "reader": "connector",
        "losses": {"tags": ["sets"], "price": ["numbers of more than 15 digits"]},
        "doubles": {"price": 1200, "\x1b[31m": 1},
    }
    assert parsed({**LEAST, "read": read}).reading.loss_notes() == (
        "\\x1b[31m: 1 number arrived as doubles",
        "price: numbers of more than 15 digits, 1,200 numbers arrived as doubles",
        "tags: sets",
    )


@pytest.mark.parametrize("losses", [["tags"], {"tags": 1}, "tags"])
def test_a_manifest_whose_losses_are_not_lists_is_broken(losses: object) -> None:
    with pytest.raises(ManifestBroken):
        parsed({**LEAST, "read": {"losses": losses}})


def test_informational_keys_may_be_missing() -> None:
    """Other versions write other keys; a snapshot is complete without them."""
    found = parsed(LEAST)
    assert (found.glue_version, found.scripts_version) == ("", "")
    assert (found.started, found.finished) == (None, None)
    assert found.reading == Reading()
    assert (found.described, found.seconds, found.narrowed) == ({}, {}, False)


def test_older_manifests_have_no_etags() -> None:
    assert parsed(LEAST).files == (File("a/part-0", 10), File("a/part-1", 25))


def test_an_empty_table_has_a_manifest_without_files() -> None:
    assert parsed({**LEAST, "items": 0, "bytes": 0, "files": []}).files == ()


@pytest.mark.parametrize("missing", list(LEAST))
def test_required_keys_may_not_be_missing(missing: str) -> None:
    with pytest.raises(ManifestBroken, match=f"KeyError: '{missing}'"):
        parsed({key: value for key, value in LEAST.items() if key != missing})


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {**LEAST, "items": "many"},
        {**LEAST, "bytes": None},
        {**LEAST, "files": None},
        {**LEAST, "files": ["a/part-0"]},
        {**LEAST, "files": [{"key": "a/part-0"}]},
        {**LEAST, "started": "yesterday"},
        {**LEAST, "finished": 7},
        {**LEAST, "read": []},
        {**LEAST, "described": 7},
        {**LEAST, "selection": None},
    ],
)
def test_another_document_is_refused(document: Any) -> None:
    with pytest.raises(ManifestBroken):
        parsed(document)


@pytest.mark.parametrize("text", ["", "{", json.dumps(LEAST)[:-1], b"\xff\xfe"])
def test_invalid_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ManifestBroken):
        manifests.parse(text, where="s3://bucket/key")


def test_a_refusal_names_the_object_and_the_next_step() -> None:
    with pytest.raises(ManifestBroken) as refused:
        parsed([])
    assert refused.value.what.startswith("s3://bucket/key is not a manifest (TypeError: ")
    assert refused.value.hint == "delete it; its snapshot then becomes incomplete"


# --- in the bucket --------------------------------------------------------------------------------
def put(account: Account, body: bytes) -> str:
    """Put it in the manifest's place and return its URI."""
    key = naming.manifest_key("Reviews", "csv", TIMESTAMP)
    account.s3.create_bucket(
        Bucket=account.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    account.s3.put_object(Bucket=account.bucket, Key=key, Body=body)
    return f"s3://{account.bucket}/{key}"


def read(account: Account, table: str = "Reviews", fmt: str = "csv") -> Manifest | None:
    return manifests.read(account.s3, account.bucket, table, fmt, TIMESTAMP)


def test_a_manifest_is_found_by_table_format_and_minute(account: Account) -> None:
    put(account, json.dumps(LEAST).encode())
    assert read(account) == parsed(LEAST)


def test_the_manifest_of_another_format_or_table_is_not_read(account: Account) -> None:
    """This covers another format of the table, and a table with a longer name."""
    put(account, json.dumps(LEAST).encode())
    assert read(account, fmt="json") is None
    assert read(account, table="Review") is None


def test_something_else_in_its_place_is_named_by_its_uri(account: Account) -> None:
    uri = put(account, b"<html>")
    with pytest.raises(ManifestBroken, match=f"^{uri} is not a manifest"):
        read(account)

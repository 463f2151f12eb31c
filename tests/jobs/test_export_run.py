"""An attempt of the export job against AWS's own API: claims, checks, leftovers and manifests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import export_table
import pytest
from botocore.awsrequest import AWSResponse
from export_table import Clients, JobFailed
from job_arguments import ARGUMENTS
from job_names import BUCKET, DATABASE, WORKFLOW, counted
from moto.sts.models import AssumedRole, sts_backends

from dynoexport import settings

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 1, 31, 23, 59, 30, tzinfo=timezone.utc)
SNAPSHOT = "parquet/Reviews/snapshot_timestamp=2026-01-31T23:59/"
NEXT = "parquet/Reviews/snapshot_timestamp=2026-02-01T00:00/"
MANIFEST = "manifests/parquet/Reviews/2026-01-31T23:59.json"
TEMP = "glue-temp-dir/parquet/Reviews/"
CLAIM = "manifests/parquet/Reviews/2026-01-31T23:59.claim"
# Of what the fixture puts.
ETAG = hashlib.md5(b"PARQUE").hexdigest()


class Frame:
    """A DynamicFrame that records which fields to keep or to drop."""

    def __init__(self) -> None:
        self.selected: list[str] = []
        self.dropped: list[str] = []

    def select_fields(self, paths: list[str]) -> Frame:
        self.selected += paths
        return self

    def drop_fields(self, paths: list[str]) -> Frame:
        self.dropped += paths
        return self


class Connector:
    """A GlueContext whose DynamoDB source finds an empty table, or raises ``breaks``.

    It records its options: nothing else reaches Glue's own connector.
    """

    def __init__(self, *, breaks: Exception | None = None, leaves: Any = None) -> None:
        self.spark_session = None
        self.create_dynamic_frame = self
        self.write_dynamic_frame = self
        self.options: list[dict[str, Any]] = []
        self.frame = Frame()
        self._breaks = breaks
        self._leaves = leaves

    def from_options(self, **options: Any) -> Frame:
        self.options.append(options)
        if "frame" in options and self._leaves:
            self._leaves()
        if "frame" in options and self._breaks:
            raise self._breaks
        return self.frame


@dataclasses.dataclass
class Attempts:
    """Attempts of one workflow run after the other."""

    clients: Clients
    run_id: str
    arguments: dict[str, str]

    def attempt(self, context: Any = None, **arguments: str) -> Connector:
        connector = context or Connector()
        given = {**self.arguments, "WORKFLOW_RUN_ID": self.run_id, **arguments}
        argv = [word for name, value in given.items() for word in (f"--{name}", value)]
        export_table.export(argv, self.clients, lambda: connector, now=lambda: NOW)
        return connector

    def next_run(self) -> Attempts:
        answer = self.clients.glue.start_workflow_run(Name=WORKFLOW)
        return dataclasses.replace(self, run_id=answer["RunId"])

    @property
    def timestamp(self) -> str | None:
        run = self.clients.glue.get_workflow_run_properties(Name=WORKFLOW, RunId=self.run_id)
        return run["RunProperties"].get("SnapshotTimestamp")

    def put_timestamp(self, timestamp: str) -> None:
        self.clients.glue.put_workflow_run_properties(
            Name=WORKFLOW, RunId=self.run_id, RunProperties={"SnapshotTimestamp": timestamp}
        )

    def manifest(self, key: str = MANIFEST) -> dict[str, Any]:
        body = self.clients.s3.get_object(Bucket=BUCKET, Key=key)["Body"]
        manifest: dict[str, Any] = json.loads(body.read())
        return manifest


@pytest.fixture
def run(aws: SimpleNamespace) -> Attempts:
    aws.dynamodb.create_table(
        TableName="Reviews",
        KeySchema=[{"AttributeName": "User", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "User", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    arguments = {
        **ARGUMENTS,
        "OutputFormat": "parquet",
        "BucketName": BUCKET,
        "DatabaseName": DATABASE,
        "WorkerType": "G.1X",
        "NumberOfWorkers": "3",
        "JOB_NAME": "ReviewsExportToparquet",
        "WORKFLOW_NAME": WORKFLOW,
    }
    return Attempts(
        Clients(aws.dynamodb, aws.glue, aws.s3, aws.cloudwatch), "", arguments
    ).next_run()


# --- a run ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("fmt", "times"), [("xml", 1), ("parquet", 0)])
def test_the_export_job_records_only_snapshots_without_a_view_job(
    run: Attempts, fmt: str, times: int
) -> None:
    run.attempt(OutputFormat=fmt)
    assert counted(run.clients.cloudwatch) == [{"Table": "Reviews", "Format": fmt}] * times


def test_an_empty_table_gives_a_manifest_without_files(run: Attempts, keys: Any) -> None:
    run.attempt()
    manifest = run.manifest()
    manifest.pop("seconds")
    described = manifest.pop("described")
    assert (described["TableSizeBytes"], described["ItemCount"]) == (0, 0)
    assert described["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    assert manifest == {
        "version": 1,
        "table": "Reviews",
        "format": "parquet",
        "snapshot_timestamp": "2026-01-31T23:59",
        "items": 0,
        "bytes": 0,
        "files": [],
        "schema": [],
        "changes": [],
        "warnings": [],
        "replaced_characters": 0,
        "read": {
            "reader": "connector",
            "items": 0,
            "splits": 8,
            "read_percent": 0.25,
            "capacity": 40_000,
            "capacity_source": "on-demand, account quota",
            "rate": 10_000,
            "sampled_items": 0,
            "losses": {},
        },
        "selection": {"columns": [], "exclude": [], "where": ""},
        "types": {"type_conflicts": "string", "maps_as": "struct", "max_struct_fields": 200},
        "compression": "snappy",
        "started": "2026-01-31T23:59:30Z",
        "finished": "2026-01-31T23:59:30Z",
        "workflow_name": WORKFLOW,
        "workflow_run_id": run.run_id,
        "job_run_id": "jr_1",
        "scripts_version": "v7",
        "engine": "spark",
        "glue_version": "5.1",
        "worker_type": "G.1X",
        "number_of_workers": 3,
    }
    assert keys() == [CLAIM, MANIFEST]


def test_the_connector_notes_what_it_may_change_in_a_sample(
    run: Attempts, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log and the manifest have attributes and kinds of values, and no value."""
    item: Any = {"User": {"S": "Ada"}, "price": {"N": "98765432109876543210.12"}}
    run.clients.dynamodb.put_item(TableName="Reviews", Item={**item, "gone": {"SS": ["b"]}})
    run.attempt(Exclude="gone")
    read = run.manifest()["read"]
    assert (read["sampled_items"], read["losses"]) == (
        1,
        {"price": ["numbers of more than 15 digits"]},
    )
    log = capsys.readouterr().out
    assert "read a sample of 1 item with" in log
    assert "the connector may change 'price': numbers of more than 15 digits" in log
    assert "9876543" not in log


def test_a_role_that_may_not_scan_leaves_the_sample_out(
    run: Attempts, capsys: pytest.CaptureFixture[str]
) -> None:
    """The connector has credentials of its own."""
    answer = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
    run.clients.dynamodb.meta.events.register(
        "before-call.dynamodb.Scan", lambda **_: (AWSResponse("", 400, {}, None), answer)
    )
    run.attempt()
    assert "losses" not in run.manifest()["read"]
    assert "no sample was read: " in capsys.readouterr().out


def test_the_manifest_lists_the_steps_in_their_order(run: Attempts) -> None:
    """The table is empty, so the job writes no part file."""
    run.attempt()
    steps = run.manifest()["seconds"]
    assert list(steps) == ["spark", "read"]
    assert all(seconds >= 0 for seconds in steps.values())


def test_the_manifest_describes_the_table_without_times() -> None:
    """JSON has no times, and nothing depends on when the capacity changed."""
    throughput = {"ReadCapacityUnits": 70, "LastIncreaseDateTime": NOW}
    table = {"TableSizeBytes": 9, "TableName": "Reviews", "ProvisionedThroughput": throughput}
    plan = export_table.ReadPlan(table, export_table.table_capacity(table, lambda: 1))
    assert plan.described() == {
        "TableSizeBytes": 9,
        "ProvisionedThroughput": {"ReadCapacityUnits": 70},
    }


def test_the_table_is_read_once_with_the_runs_settings(run: Attempts) -> None:
    run.clients.glue.put_workflow_run_properties(
        Name=WORKFLOW, RunId=run.run_id, RunProperties={"MaxConsumedReadThroughput": "0.5"}
    )
    read, written = run.attempt().options
    assert read == {
        "connection_type": "dynamodb",
        "connection_options": {
            "dynamodb.input.tableName": "Reviews",
            "dynamodb.splits": "8",
            "dynamodb.throughput.read.percent": "0.5",
        },
    }
    assert written["connection_options"] == {"path": f"s3://{BUCKET}/{TEMP}{run.run_id}/"}


# --- another account's table ----------------------------------------------------------------------
READER = "arn:aws:iam::210987654321:role/reader"


def sessions() -> int:
    """How often the reader's role was assumed."""
    return len(sts_backends["210987654321"]["aws"].assumed_roles)


def test_glues_own_source_gets_the_role(run: Attempts) -> None:
    read, _ = run.attempt(SourceRoleArn=READER).options
    assert read["connection_options"]["dynamodb.sts.roleArn"] == READER


def test_the_table_of_the_roles_account_is_read(aws: SimpleNamespace) -> None:
    """The job reads as the role: this account has no such table."""
    client = export_table.table_client(READER)
    client.create_table(
        TableName="Theirs",
        KeySchema=[{"AttributeName": "User", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "User", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    described = client.describe_table(TableName="Theirs")["Table"]
    assert described["TableArn"] == "arn:aws:dynamodb:eu-west-1:210987654321:table/Theirs"
    assert aws.dynamodb.list_tables()["TableNames"] == []
    assert sessions() == 1


def test_credentials_are_renewed_before_they_expire(
    aws: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Botocore renews credentials that expire within ten minutes, here all of them."""
    soon = datetime.now(timezone.utc) + timedelta(minutes=9)
    expires = property(lambda _: soon, lambda *_: None)
    monkeypatch.setattr(AssumedRole, "expiration", expires, raising=False)
    client = export_table.table_client(READER)
    client.list_tables()
    client.list_tables()
    assert sessions() >= 3


def test_dynamodb_encrypts_with_the_key_if_there_is_one() -> None:
    settings = SimpleNamespace(kms_key="arn:aws:kms:eu-west-1:123456789012:key/k")
    assert export_table.export_encryption(settings) == {
        "S3SseAlgorithm": "KMS",
        "S3SseKmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/k",
    }
    assert export_table.export_encryption(SimpleNamespace(kms_key="")) == {}


# --- how much at a time ---------------------------------------------------------------------------
def test_splits_follow_the_workers_that_the_job_really_has(run: Attempts) -> None:
    """Whoever edits the job in the console leaves the arguments of its stack as they are."""
    run.clients.glue.create_job(
        Name="ReviewsExportToparquet",
        Role="arn:aws:iam::123456789012:role/x",
        Command={"Name": "glueetl", "ScriptLocation": "s3://x/y.py"},
        WorkerType="G.2X",
        NumberOfWorkers=6,
        GlueVersion="4.0",
    )
    job_run = run.clients.glue.start_job_run(JobName="ReviewsExportToparquet")["JobRunId"]
    known = run.clients.glue.get_job_run(JobName="ReviewsExportToparquet", RunId=job_run)["JobRun"]
    workers = known.get("NumberOfWorkers", 3)
    slots = export_table.GLUE_SLOTS[known.get("WorkerType", "G.1X")]
    run.attempt(JOB_RUN_ID=job_run)
    assert run.manifest()["read"]["splits"] == (workers - 1) * slots
    assert run.manifest()["glue_version"] == known["GlueVersion"]


def test_the_connector_never_writes_excluded_attributes(run: Attempts) -> None:
    """A dot in a name is part of it, in backticks."""
    assert run.attempt(Columns='User, first.name,"a,b"').frame.selected == [
        "`User`",
        "`first.name`",
        "`a,b`",
    ]
    assert run.next_run().attempt(Exclude="Email").frame.dropped == ["`Email`"]


def test_a_snapshot_of_nothing_keeps_the_columns(run: Attempts, put: Any) -> None:
    """The table is empty now. Earlier snapshots stay readable."""
    column = export_table.Column(
        "rating", "rating", "Rating", "", export_table.Type("bigint"), items=3
    )
    entry = export_table.column_entry(column, "parquet")
    before = json.dumps({"schema": [entry], "workflow_run_id": "wr_0"}).encode()
    put("manifests/parquet/Reviews/2026-01-30T10:00.json", body=before)
    run.attempt()
    assert run.manifest()["schema"] == [{**entry, "items": 0}]


def test_a_broken_manifest_is_named_before_anything_is_read(run: Attempts, put: Any) -> None:
    put("manifests/parquet/Reviews/2026-01-30T10:00.json", body=b"{}")
    connector = Connector()
    with pytest.raises(
        JobFailed, match=r"2026-01-30T10:00.json is not a valid manifest.* delete it"
    ):
        run.attempt(connector)
    assert connector.options == []


def test_an_export_without_recovery_fails_with_the_command_to_run(run: Attempts) -> None:
    with pytest.raises(JobFailed) as failed:
        run.attempt(ReadMode="export")
    command = "aws dynamodb update-continuous-backups --table-name Reviews"
    assert command in str(failed.value)
    assert run.timestamp is None


# --- which snapshot ---------------------------------------------------------------------------
def test_a_retry_takes_the_snapshot_of_the_failed_attempt(run: Attempts) -> None:
    with pytest.raises(RuntimeError):
        run.attempt(Connector(breaks=RuntimeError("out of memory")))
    assert run.timestamp == "2026-01-31T23:59"
    run.attempt()
    assert run.manifest()["workflow_run_id"] == run.run_id


@pytest.mark.parametrize("key", [f"{SNAPSHOT}part-0", MANIFEST])
def test_a_minute_that_another_run_owns_is_left_alone(
    run: Attempts, put: Any, keys: Any, key: str
) -> None:
    """The next free minute is taken, over the end of a month."""
    put(key, body=b'{"schema": []}')
    run.attempt()
    assert run.timestamp == "2026-02-01T00:00"
    next_one = "manifests/parquet/Reviews/2026-02-01T00:00"
    assert keys() == sorted([key, f"{next_one}.claim", f"{next_one}.json"])


def test_runs_in_one_minute_get_a_snapshot_each(run: Attempts) -> None:
    runs = [run, run.next_run(), run.next_run()]
    for other_run in runs:
        other_run.attempt()
    expected = ["2026-01-31T23:59", "2026-02-01T00:00", "2026-02-01T00:01"]
    assert [other_run.timestamp for other_run in runs] == expected


def test_runs_that_overlap_get_a_minute_each(run: Attempts, keys: Any) -> None:
    """Somebody has allowed several runs at once, and the first has written nothing yet."""
    other = run.next_run()
    run.attempt(Connector(leaves=other.attempt))
    assert [run.timestamp, other.timestamp] == ["2026-01-31T23:59", "2026-02-01T00:00"]
    assert run.manifest()["workflow_run_id"] == run.run_id
    assert keys(TEMP) == []


@pytest.mark.parametrize(
    ("owner", "timestamp"), [("wr_other", "2026-02-01T00:00"), ("", "2026-01-31T23:59")]
)
def test_a_minute_is_claimed_by_one_run(
    run: Attempts, put: Any, keys: Any, owner: str, timestamp: str
) -> None:
    """An attempt of this run may have died before it recorded the minute."""
    put(CLAIM, body=(owner or run.run_id).encode())
    run.attempt()
    assert run.timestamp == timestamp
    assert keys(CLAIM) == [CLAIM]
    assert keys(TEMP) == []


def give_up_before(run: Attempts, operation: str, besides: Callable[[], None]) -> None:
    """Delete the claim right before the next request for it, as another run may."""
    event, events = f"before-call.s3.{operation}", run.clients.s3.meta.events

    def give_up(params: dict[str, Any], **_: Any) -> None:
        if params["url"].endswith(".claim"):
            events.unregister(event, give_up)
            run.clients.s3.delete_object(Bucket=BUCKET, Key=CLAIM)
            besides()

    events.register(event, give_up)


@pytest.mark.parametrize("completed", [True, False])
def test_a_minute_that_is_released_between_two_checks_is_checked_again(
    run: Attempts, put: Any, keys: Any, completed: bool
) -> None:
    """Another run has it and completes its snapshot, and somebody deletes the claim."""
    put(CLAIM, body=b"wr_other")

    def complete() -> None:
        if completed:
            put(MANIFEST, body=b'{"schema": []}')

    give_up_before(run, "PutObject", complete)
    run.attempt()
    assert run.timestamp == ("2026-02-01T00:00" if completed else "2026-01-31T23:59")
    assert keys(TEMP) == []


def test_a_minute_that_is_released_during_the_claim_is_not_taken(
    run: Attempts, put: Any, keys: Any
) -> None:
    """Nothing shows which run had claimed it."""
    put(CLAIM, body=b"wr_other")

    give_up_before(run, "GetObject", lambda: None)
    run.attempt()
    assert run.timestamp == "2026-02-01T00:00"
    assert keys(TEMP) == []


def test_a_minute_before_the_newest_snapshot_is_not_taken_again(run: Attempts, aws: Any) -> None:
    """It is free after its snapshot was deleted, but the view would not return to it."""
    for either in (run, run.next_run()):
        either.attempt()
    aws.s3.delete_object(Bucket=BUCKET, Key=MANIFEST)
    after = run.next_run()
    after.attempt()
    assert after.timestamp == "2026-02-01T00:01"


def test_a_complete_snapshot_is_not_read_again(
    run: Attempts, put: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run.attempt()
    put(f"{TEMP}{run.run_id}/left")
    assert run.attempt().options == []
    assert "already complete" in capsys.readouterr().out


def test_a_complete_snapshot_that_lost_its_files_is_made_again(run: Attempts, put: Any) -> None:
    run.attempt()
    lost = {**run.manifest(), "files": [{"key": f"{SNAPSHOT}part-0", "bytes": 6, "etag": ETAG}]}
    put(MANIFEST, body=json.dumps(lost).encode())
    run.attempt()
    assert run.manifest()["files"] == []


def test_a_complete_snapshot_with_other_content_is_made_again(run: Attempts, put: Any) -> None:
    run.attempt()
    listed = {**run.manifest(), "files": [{"key": f"{SNAPSHOT}part-0", "bytes": 6, "etag": ETAG}]}
    put(MANIFEST, body=json.dumps(listed).encode())
    put(f"{SNAPSHOT}part-0", body=b"QUARPE")
    run.attempt()
    assert run.manifest()["files"] == []


def test_a_complete_snapshot_whose_manifest_has_no_etags_is_kept(run: Attempts, put: Any) -> None:
    """Earlier versions of the export job did not record them."""
    run.attempt()
    files = [{"key": f"{SNAPSHOT}part-0", "bytes": 6}]
    put(MANIFEST, body=json.dumps({**run.manifest(), "files": files}).encode())
    put(f"{SNAPSHOT}part-0", body=b"QUARPE")
    assert run.attempt().options == []
    assert run.manifest()["files"] == files


def test_a_resumed_run_never_changes_the_snapshot_of_the_former_run(run: Attempts) -> None:
    """It is a new run with the properties of the former one."""
    run.attempt()
    resumed = run.next_run()
    resumed.put_timestamp("2026-01-31T23:59")
    resumed.attempt()
    assert resumed.timestamp == "2026-02-01T00:00"
    assert run.manifest()["workflow_run_id"] == run.run_id


EMPTY: dict[str, Any] = {"items": 0, "bytes": 0, "files": []}


def test_a_manifest_of_another_run_is_never_overwritten(run: Attempts, put: Any) -> None:
    """This also holds when it appears while this run is reading."""
    other = json.dumps(
        {"workflow_run_id": "wr_other", "items": 0, "bytes": 0, "files": []}
    ).encode()
    slow = Connector(leaves=lambda: put(MANIFEST, body=other))
    with pytest.raises(JobFailed, match="another workflow run, wr_other, completed the snapshot"):
        run.attempt(slow)
    assert run.manifest()["workflow_run_id"] == "wr_other"


@pytest.mark.parametrize("edited", ["yesterday", "2026-1-1T1:1", "2026-01-31T23:59/../x"])
def test_an_edited_timestamp_is_refused(run: Attempts, edited: str) -> None:
    run.put_timestamp(edited)
    with pytest.raises(JobFailed, match="SnapshotTimestamp is"):
        run.attempt()


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"files": []}', b"[" * 100_000])
def test_an_invalid_manifest_is_refused_in_one_line(run: Attempts, put: Any, body: bytes) -> None:
    run.put_timestamp("2026-01-31T23:59")
    put(MANIFEST, body=body)
    with pytest.raises(JobFailed, match="is not a valid manifest: delete it") as refused:
        run.attempt()
    assert "\n" not in str(refused.value)


# --- what the run records ---------------------------------------------------------------------
def recorded(run: Attempts) -> dict[str, str]:
    """The figures of the snapshot that a list of runs shows without reading manifests."""
    answer = run.clients.glue.get_workflow_run_properties(Name=WORKFLOW, RunId=run.run_id)
    names = (settings.SNAPSHOT_ITEMS, settings.SNAPSHOT_BYTES)
    return {key: value for key, value in answer["RunProperties"].items() if key in names}


def test_the_run_records_what_it_exported(run: Attempts) -> None:
    """The property with the snapshot itself stays."""
    run.attempt()
    assert recorded(run) == {"SnapshotItems": "0", "SnapshotBytes": "0"}
    assert run.timestamp == "2026-01-31T23:59"


def test_a_retry_records_what_an_earlier_attempt_completed(run: Attempts, put: Any) -> None:
    """It was killed between manifest and run properties: the numbers are the manifest's."""
    run.attempt()
    files = [{"key": f"{SNAPSHOT}part-{number}", "bytes": 6, "etag": ETAG} for number in range(3)]
    put(*(file["key"] for file in files))
    whole = {**run.manifest(), "items": 12, "bytes": 18, "files": files}
    put(MANIFEST, body=json.dumps(whole).encode())
    assert run.attempt().options == []
    assert recorded(run) == {"SnapshotItems": "12", "SnapshotBytes": "18"}


def test_the_run_records_nothing_before_its_snapshot_is_complete(run: Attempts) -> None:
    with pytest.raises(RuntimeError):
        run.attempt(Connector(breaks=RuntimeError("out of memory")))
    assert recorded(run) == {}


def test_the_run_does_not_record_a_snapshot_of_another_run(run: Attempts, put: Any) -> None:
    other = json.dumps(
        {"workflow_run_id": "wr_other", "items": 0, "bytes": 0, "files": []}
    ).encode()
    with pytest.raises(JobFailed, match="another workflow run, wr_other, completed the snapshot"):
        run.attempt(Connector(leaves=lambda: put(MANIFEST, body=other)))
    assert recorded(run) == {}


# --- leftovers --------------------------------------------------------------------------------
def test_files_of_a_killed_attempt_are_deleted_first(
    run: Attempts, put: Any, put_many: Any, keys: Any
) -> None:
    """More than one page of a listing, and one call of a deletion, holds."""
    run.put_timestamp("2026-01-31T23:59")
    left = [f"{SNAPSHOT}part-{number:04}" for number in range(1_001)]
    put_many(left)
    put(CLAIM)
    put(f"{TEMP}{run.run_id}/run-1", f"{SNAPSHOT.rstrip('/')}_$folder$")
    put(f"{NEXT}part-0", f"{TEMP}wr_other/run-1")
    run.attempt()
    assert keys() == sorted([f"{TEMP}wr_other/run-1", CLAIM, MANIFEST, f"{NEXT}part-0"])


def test_a_snapshot_that_was_renamed_is_not_cleared(run: Attempts, put: Any, keys: Any) -> None:
    """Its manifest is another's, although this run has written it."""
    run.put_timestamp("2026-01-31T23:59")
    renamed = {**EMPTY, "workflow_run_id": run.run_id, "snapshot_timestamp": "2026-01-31T10:00"}
    put(MANIFEST, body=json.dumps(renamed).encode())
    put(f"{SNAPSHOT}part-0")
    with pytest.raises(export_table.JobFailed, match="is the manifest of another snapshot: put it"):
        run.attempt()
    assert keys() == sorted([MANIFEST, f"{SNAPSHOT}part-0"])


def test_a_minute_that_no_run_has_claimed_is_not_cleared(
    run: Attempts, put: Any, keys: Any
) -> None:
    """Somebody has set the run property to a folder of another design."""
    run.put_timestamp("2026-01-31T23:59")
    put(f"{SNAPSHOT}part-0")
    with pytest.raises(export_table.JobFailed, match="that dynoexport did not write"):
        run.attempt()
    assert keys() == [f"{SNAPSHOT}part-0"]


def test_a_failed_attempt_leaves_nothing_for_the_crawler(
    run: Attempts, put: Any, keys: Any
) -> None:
    """The minute is kept for a retry, or for the run that is resumed."""
    temp = f"{TEMP}{run.run_id}/run-1"
    with pytest.raises(RuntimeError, match="out of memory"):
        run.attempt(
            Connector(
                breaks=RuntimeError("out of memory"),
                leaves=lambda: put(temp, f"{SNAPSHOT}part-0"),
            )
        )
    assert keys() == [CLAIM]


def test_only_data_files_of_spark_are_kept(aws: SimpleNamespace, put: Any, keys: Any) -> None:
    put(f"{SNAPSHOT}part-00000.parquet", f"{SNAPSHOT}part-00001.parquet")
    put(f"{SNAPSHOT}part-00002.parquet", SNAPSHOT, body=b"")
    put(f"{SNAPSHOT}_SUCCESS", f"{SNAPSHOT}_temporary/0/part-00003", f"{SNAPSHOT}.hidden")
    kept = export_table.keep_part_files(aws.s3, BUCKET, SNAPSHOT)
    names = (f"{SNAPSHOT}part-00000.parquet", f"{SNAPSHOT}part-00001.parquet")
    assert kept == dict.fromkeys(names, (6, ETAG))
    assert keys() == list(kept)


# --- checks -----------------------------------------------------------------------------------
def test_a_table_that_is_missing_is_named(run: Attempts, keys: Any) -> None:
    run.clients.dynamodb.delete_table(TableName="Reviews")
    with pytest.raises(JobFailed, match="no DynamoDB table 'Reviews' in eu-west-1"):
        run.attempt()
    assert (run.timestamp, keys()) == (None, [])


def test_a_job_outside_a_workflow_run_says_what_to_start(run: Attempts) -> None:
    with pytest.raises(JobFailed, match="start a run of the workflow"):
        run.attempt(WORKFLOW_RUN_ID="")


@pytest.mark.parametrize("location", ["csv/Reviews/", "parquet/reviews/", ""])
def test_the_catalog_table_of_another_export_is_not_touched(run: Attempts, location: str) -> None:
    """Another format, or a table whose name folds to the same."""
    create_table(run.clients.glue, f"s3://{BUCKET}/{location}")
    connector = Connector()
    with pytest.raises(JobFailed, match="deploy this export with a CatalogPrefix"):
        run.attempt(connector)
    assert (run.timestamp, connector.options) == (None, [])


def test_the_catalog_table_of_this_export_is_accepted(run: Attempts) -> None:
    create_table(run.clients.glue, f"s3://{BUCKET}/parquet/Reviews")
    run.attempt()


def create_table(glue: Any, location: str) -> None:
    glue.create_table(
        DatabaseName=DATABASE,
        TableInput={"Name": "snapshots_reviews", "StorageDescriptor": {"Location": location}},
    )


NOT_ALLOWED = (
    "User: arn:aws:sts::123456789012:assumed-role/r/GlueJobRunnerSession is not authorized to "
    "perform: {action} on resource: {resource} because no identity-based policy allows it"
)
SCAN = NOT_ALLOWED.format(action="dynamodb:Scan", resource="arn:aws:dynamodb:::table/Reviews")
KEY = NOT_ALLOWED.format(action="kms:Decrypt", resource="arn:aws:kms:::key/k")
MODEL = "com.amazonaws.services.{service}.model.{error}"


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (
            "botocore.exceptions.ClientError",
            f"An error occurred (AccessDeniedException) when calling the Scan operation: {KEY}",
        ),
        (
            MODEL.format(service="dynamodbv2", error="AmazonDynamoDBException"),
            f"{SCAN} (Service: AmazonDynamoDBv2; Status Code: 400)",
        ),
        (
            "Caused by: java.nio.file.AccessDeniedException",
            f"s3://b/k: {MODEL.format(service='s3', error='AmazonS3Exception')}: Access Denied",
        ),
        (
            f"Caused by: {MODEL.format(service='dynamodbv2', error='ResourceNotFoundException')}",
            "Requested resource not found: Table: Reviews not found",
        ),
    ],
    ids=["key", "scan", "bucket", "table"],
)
def test_a_refused_read_fails_with_the_services_own_words(
    run: Attempts, raised: str, words: str
) -> None:
    """No page of Java, and no blame on the table for a fault of the bucket or a key."""
    java = RuntimeError(f"calling o1.\n: x.SparkException: Job\n{raised}: {words}\n\tat java.lang")
    with pytest.raises(JobFailed) as failed:
        run.attempt(Connector(breaks=java))
    assert str(failed.value) == f"cannot read the DynamoDB table 'Reviews': {words}"


def test_a_services_error_ends_the_export_job_as_one_of_ours(
    aws: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Spark it is a Python shell job, and no error of botocore can be made from itself."""
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", aws.glue.meta.region_name)
    names = (*settings.EXPORT_JOB_ARGUMENTS, "WORKFLOW_NAME", "WORKFLOW_RUN_ID")
    values = dict.fromkeys(names, "x") | {"SourceRoleArn": ""}
    with pytest.raises(JobFailed, match="EntityNotFoundException"):
        export_table.main([word for name, value in values.items() for word in (f"--{name}", value)])

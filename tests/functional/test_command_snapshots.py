"""Snapshots by the command: listed, published, verified, pruned, destroyed."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from command import Command, crawl, create_table, library, put_snapshot

import dynoexport
from dynoexport import naming
from dynoexport.model import OutputFormat
from dynoexport.presentation import json_output

if TYPE_CHECKING:
    from account import Account

    from dynoexport.local.context import Endpoint

OLD, MIDDLE, NEW = "2026-01-01T10:00", "2026-01-02T10:00", "2026-01-03T10:00"


@pytest.fixture(scope="module")
def command(account: Account) -> Command:
    """In an account with the common stack and this version's scripts."""
    found = Command(account.endpoint)
    dynoexport.init(library(account.endpoint))
    return found


def exported(endpoint: Endpoint) -> str:
    """A json export with three snapshots; the view shows the newest."""
    name, account = f"T{uuid.uuid4().hex}", library(endpoint)
    create_table(endpoint, name)
    dynoexport.deploy(account, name, fmt=OutputFormat.JSON)
    for number, timestamp in enumerate((OLD, MIDDLE, NEW), start=1):
        put_snapshot(endpoint, name, timestamp, [{"id": f"{n}"} for n in range(number)])
    crawl(endpoint, name)
    dynoexport.publish(account, name, NEW)
    return name


@pytest.fixture
def table(endpoint: Endpoint, command: Command) -> str:
    return exported(endpoint)


@pytest.fixture(scope="module")
def untouched(endpoint: Endpoint, command: Command) -> str:
    """An export for tests that change nothing."""
    return exported(endpoint)


def rows(command: Command, table: str) -> Any:
    return command.json("query", table)


def test_snapshots_lists_the_newest_first_with_figures_of_manifests(
    command: Command, untouched: str
) -> None:
    listed = command.json("snapshots", untouched)
    assert [
        (snapshot["snapshot"], snapshot["items"], snapshot["current"]) for snapshot in listed
    ] == [
        (NEW, 3, True),
        (MIDDLE, 2, False),
        (OLD, 1, False),
    ]
    assert list(listed[0]) == list(json_output.meanings("snapshot"))
    lines = command.ok("snapshots", untouched).splitlines()
    assert lines[0].split()[:3] == ["SNAPSHOT", "(UTC)", "STATE"]
    assert lines[1].split()[:4] == [NEW, "current", "3", "1"]


def test_what_the_connector_may_have_changed_is_listed_and_verified(
    endpoint: Endpoint, command: Command, table: str
) -> None:
    """Of the newest snapshot in a line; of the one that is verified, all."""
    read = {"reader": "connector", "losses": {"tags": ["sets"]}, "doubles": {"price": 2}}
    put_snapshot(endpoint, table, NEW, [{"id": "1"}], read=read)
    notes = ["price: 2 numbers arrived as doubles", "tags: sets"]
    listed = command("snapshots", table)
    assert listed.stderr.splitlines() == [
        f"The connector may have changed values of the snapshot {NEW}: {notes[0]}, and 1 more",
        f"  see all of them: dynoexport verify {table} {NEW}",
    ]
    assert [each["losses"] for each in command.json("snapshots", table)] == [notes, [], []]
    shown = command.ok("verify", table, NEW)
    assert [line.strip() for line in shown.splitlines() if "connector" in line] == [
        f"connector may have changed {note}" for note in notes
    ]
    assert command.json("verify", table, NEW)["losses"] == notes
    put_snapshot(endpoint, table, NEW, [{"id": "1"}])
    assert "connector" not in command("snapshots", table).stderr


def test_an_incomplete_snapshot_is_reported_and_never_published(
    endpoint: Endpoint, command: Command, table: str
) -> None:
    bucket = naming.bucket(endpoint.account, endpoint.region)
    endpoint.client("s3").delete_object(
        Bucket=bucket, Key=naming.manifest_key(table, "json", MIDDLE)
    )
    by_timestamp = {snapshot["snapshot"]: snapshot for snapshot in command.json("snapshots", table)}
    assert (by_timestamp[MIDDLE]["complete"], by_timestamp[MIDDLE]["items"]) == (False, None)
    done = command("publish", table, MIDDLE)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {table} has no complete snapshot {MIDDLE}\n")
    assert len(rows(command, table)) == 3


def test_publish_points_the_view_at_an_older_snapshot_and_back(
    command: Command, table: str
) -> None:
    done = command.json("publish", table, OLD)
    assert (done["before"], done["snapshot"], done["items"]) == (NEW, OLD, 1)
    assert list(done) == list(json_output.meanings("published"))
    assert len(rows(command, table)) == 1
    assert command.json("status", table)[0]["snapshot"] == OLD
    command.ok("publish", table, NEW)
    assert len(rows(command, table)) == 3


@pytest.mark.parametrize(
    ("snapshot", "shown"),
    [
        ("2026-01-09T10:00", "has no complete snapshot"),
        ("yesterday", "is not a snapshot"),
        ("../../etc", "is not a snapshot"),
    ],
)
def test_publish_refuses_a_name_that_is_not_a_snapshot(
    command: Command, untouched: str, snapshot: str, shown: str
) -> None:
    done = command("publish", untouched, snapshot)
    assert (done.returncode, done.stdout) == (1, "")
    assert shown in done.stderr
    assert "Traceback" not in done.stderr


def test_verify_accepts_a_whole_snapshot(command: Command, untouched: str) -> None:
    found = command.json("verify", untouched)
    assert (found["snapshot"], found["whole"], found["rows"], found["items"]) == (NEW, True, 3, 3)
    assert list(found) == list(json_output.meanings("verification"))
    older = command("verify", untouched, OLD)
    assert (older.returncode, older.stderr) == (0, "")
    assert "whole" in older.stdout


@pytest.mark.parametrize("fault", ["gone", "cut", "changed", "extra", "empty"])
def test_verify_names_each_fault_of_a_snapshot(
    endpoint: Endpoint, command: Command, table: str, fault: str
) -> None:
    s3, bucket = endpoint.client("s3"), naming.bucket(endpoint.account, endpoint.region)
    key = f"{naming.snapshot_prefix(table, 'json', NEW)}part-00000.json"
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    if fault == "gone":
        s3.delete_object(Bucket=bucket, Key=key)
        expected = [f"{key} is missing", "the files hold 0 items, the manifest has 3"]
    elif fault == "cut":
        s3.put_object(Bucket=bucket, Key=key, Body=body[:-4])
        expected = [
            f"{key} has {len(body) - 4} bytes, but its manifest says {len(body)}",
            f"{key} cannot be read: ",
            "the files hold 0 items, the manifest has 3",
        ]
    elif fault == "changed":
        s3.put_object(Bucket=bucket, Key=key, Body=b"".join(body.splitlines(keepends=True)[::-1]))
        expected = [f"{key} has changed since the export job wrote it"]
    elif fault == "extra":
        extra = key.replace("00000", "00001")
        s3.put_object(Bucket=bucket, Key=extra, Body=body)
        expected = [f"{extra} is not in the manifest"]
    else:
        s3.put_object(Bucket=bucket, Key=key, Body=b"\n" * len(body))
        expected = [
            f"{key} has changed since the export job wrote it",
            f"{key} cannot be read: ",
            "the files hold 0 items, the manifest has 3",
        ]
    done = command("verify", table, "--output", "json")
    faults = json.loads(done.stdout)["faults"]
    assert done.returncode == 1
    assert [shown.startswith(start) for shown, start in zip(faults, expected, strict=True)] == [
        True
    ] * len(expected), faults


def test_prune_shows_what_it_would_delete_and_asks(command: Command, untouched: str) -> None:
    done = command("prune", untouched, "--keep", "1")
    assert done.returncode == 2
    assert "add --yes" in done.stderr
    assert OLD in done.stderr
    assert len(command.json("snapshots", untouched)) == 3


def test_prune_keeps_the_newest_and_the_current(
    endpoint: Endpoint, command: Command, table: str
) -> None:
    command.ok("publish", table, OLD)
    done = command.json("prune", table, "--keep", "1", "--yes")
    assert [snapshot["snapshot"] for snapshot in done["snapshots"]] == [MIDDLE]
    assert list(done) == list(json_output.meanings("pruned"))
    left = [snapshot["snapshot"] for snapshot in command.json("snapshots", table)]
    assert left == [NEW, OLD]
    partitions = endpoint.client("glue").get_partitions(
        DatabaseName=naming.DATABASE, TableName=naming.snapshots_table(table)
    )["Partitions"]
    assert sorted(partition["Values"] for partition in partitions) == [[OLD], [NEW]]
    assert len(rows(command, table)) == 1


def test_prune_by_age_never_takes_the_current(command: Command, table: str) -> None:
    done = command.json("prune", table, "--older-than", "1d", "--yes")
    assert [snapshot["snapshot"] for snapshot in done["snapshots"]] == [OLD, MIDDLE]
    assert "Nothing to delete" in command.ok("prune", table, "--older-than", "1d", "--yes")


@pytest.mark.parametrize(
    "words",
    [[], ["--keep", "1", "--older-than", "1d"], ["--keep", "-1"], ["--older-than", "soon"]],
)
def test_prune_refuses_invalid_options(command: Command, untouched: str, words: list[str]) -> None:
    done = command("prune", untouched, *words, "--yes")
    assert done.returncode == 2
    assert len(command.json("snapshots", untouched)) == 3


def test_destroy_keeps_the_data(endpoint: Endpoint, command: Command, table: str) -> None:
    done = command.json("destroy", table, "--yes")
    assert list(done) == list(json_output.meanings("destroyed"))
    assert (done["data_deleted"], done["snapshots"], done["objects"]) == (False, 3, 6)
    assert done["catalog"] == [naming.view(table), naming.snapshots_table(table)]
    assert keys(endpoint, table) == 6
    gone = command("status", table)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert f"{table} is not exported" in gone.stderr
    assert table not in {export["table"] for export in command.json("status")}


def test_data_of_a_deleted_stack_can_be_destroyed_later(
    endpoint: Endpoint, command: Command, table: str
) -> None:
    command.ok("destroy", table, "--yes")
    assert command("destroy", table, "--yes").returncode == 1
    command.ok("destroy", table, "--data", "--yes")
    assert keys(endpoint, table) == 0
    assert command("destroy", table, "--data", "--yes").returncode == 1


def test_destroy_of_data_can_be_repeated_when_a_file_was_not_deleted(
    endpoint: Endpoint, command: Command, table: str
) -> None:
    """What says that it is ours is deleted last."""
    s3, bucket = endpoint.client("s3"), naming.bucket(endpoint.account, endpoint.region)
    s3.put_object(Bucket=bucket, Key=naming.claim_key(table, "json", NEW), Body=b"run")
    file = f"{naming.snapshot_prefix(table, 'json', NEW)}part-00000.json"
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{bucket}/{file}",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    failed = command("destroy", table, "--data", "--yes")
    s3.delete_bucket_policy(Bucket=bucket)
    assert failed.returncode == 1
    assert f"cannot delete s3://{bucket}/{file}" in failed.stderr
    command.ok("destroy", table, "--data", "--yes")
    assert all_keys(endpoint, table) == set()


def test_destroy_asks_before_anything(endpoint: Endpoint, command: Command, untouched: str) -> None:
    done = command("destroy", untouched, "--data")
    assert done.returncode == 2
    assert "ALL DATA in S3: 3 snapshots, 6 objects" in done.stderr
    assert keys(endpoint, untouched) == 6
    assert command.json("status", untouched)[0]["table"] == untouched


def test_the_next_deployment_has_the_kept_snapshots(command: Command, table: str) -> None:
    command.ok("destroy", table, "--yes")
    command.ok("deploy", table, "--format", "json", "--yes")
    assert len(command.json("snapshots", table)) == 3


def keys(endpoint: Endpoint, table: str) -> int:
    s3, bucket = endpoint.client("s3"), naming.bucket(endpoint.account, endpoint.region)
    prefixes = (naming.data_prefix(table, "json"), naming.manifest_prefix(table, "json"))
    return sum(s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] for prefix in prefixes)


# --- what dynoexport has not written --------------------------------------------------------------
FORMER, RENAMED = "2019-06-01T10:00", "2025-12-31T10:00"


@pytest.fixture
def shared(endpoint: Endpoint, table: str) -> str:
    """An export beside a snapshot of the former design and a renamed folder."""
    s3, bucket = endpoint.client("s3"), naming.bucket(endpoint.account, endpoint.region)
    for timestamp in (FORMER, RENAMED):
        prefix = naming.snapshot_prefix(table, "json", timestamp)
        for number in range(2):
            body = b'{"id": "old"}\n'
            s3.put_object(Bucket=bucket, Key=f"{prefix}run-{number}-part-r-00000", Body=body)
    broken = naming.manifest_key(table, "json", RENAMED)
    s3.put_object(Bucket=bucket, Key=broken, Body=b"{")
    return table


def all_keys(endpoint: Endpoint, table: str) -> set[str]:
    s3, bucket = endpoint.client("s3"), naming.bucket(endpoint.account, endpoint.region)
    prefixes = (naming.data_prefix(table, "json"), naming.manifest_prefix(table, "json"))
    pages = [s3.list_objects_v2(Bucket=bucket, Prefix=prefix) for prefix in prefixes]
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


def test_snapshots_lists_foreign_ones_with_their_true_size(command: Command, shared: str) -> None:
    found = {snapshot["snapshot"]: snapshot for snapshot in command.json("snapshots", shared)}
    for timestamp in (FORMER, RENAMED):
        figures = [found[timestamp][key] for key in ("foreign", "complete", "bytes", "files")]
        assert figures == [True, False, 28, 2]
    assert not found[NEW]["foreign"]
    lines = command.ok("snapshots", shared).splitlines()
    assert lines[-1].split()[:4] == [FORMER, "foreign", "2", "28"]


@pytest.mark.parametrize("rule", [("--keep", "0"), ("--older-than", "0d")])
def test_prune_never_deletes_foreign_snapshots(
    endpoint: Endpoint, command: Command, shared: str, rule: tuple[str, str]
) -> None:
    crawl(endpoint, shared)
    before = all_keys(endpoint, shared)
    done = command.json("prune", shared, *rule, "--yes")
    assert [snapshot["snapshot"] for snapshot in done["snapshots"]] == [OLD, MIDDLE]
    gone = before - all_keys(endpoint, shared)
    assert {key for key in gone if FORMER in key or RENAMED in key} == set()
    partitions = endpoint.client("glue").get_partitions(
        DatabaseName=naming.DATABASE, TableName=naming.snapshots_table(shared)
    )["Partitions"]
    assert sorted(partition["Values"] for partition in partitions) == [[FORMER], [RENAMED], [NEW]]


def test_destroy_with_data_keeps_foreign_objects(
    endpoint: Endpoint, command: Command, shared: str
) -> None:
    data, manifests = naming.data_prefix(shared, "json"), naming.manifest_prefix(shared, "json")
    folders = [naming.snapshot_prefix(shared, "json", timestamp) for timestamp in (FORMER, RENAMED)]
    bucket = naming.bucket(endpoint.account, endpoint.region)
    endpoint.client("s3").put_object(Bucket=bucket, Key=f"{data}notes.txt", Body=b"mine")
    done = command("destroy", shared, "--data", "--yes")
    assert done.returncode == 0
    assert "  ALL DATA in S3: 3 snapshots, 6 objects" in done.stderr
    shown = done.stderr.splitlines()
    for folder in folders:
        assert f"  {folder}  2 objects, 28 B" in shown
        assert f"  aws s3 rm --recursive s3://{bucket}/{folder}" in shown
    assert f"  aws s3 rm s3://{bucket}/{data}notes.txt" in shown
    assert all_keys(endpoint, shared) == {
        *(f"{folder}run-{number}-part-r-00000" for folder in folders for number in range(2)),
        f"{data}notes.txt",
        f"{manifests}{RENAMED}.json",
    }


# --- damaged snapshots ----------------------------------------------------------------------------
def damage(endpoint: Endpoint, table: str, how: str) -> str:
    """Do it to the current snapshot; the fault that it is."""
    s3, bucket = endpoint.client("s3"), naming.bucket(endpoint.account, endpoint.region)
    key = f"{naming.snapshot_prefix(table, 'json', NEW)}part-00000.json"
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    if how == "gone":
        s3.delete_object(Bucket=bucket, Key=key)
        return f"{key} is missing"
    if how == "cut":
        s3.put_object(Bucket=bucket, Key=key, Body=body[:-4])
        return f"{key} has {len(body) - 4} bytes, but its manifest says {len(body)}"
    if how == "changed":
        s3.put_object(Bucket=bucket, Key=key, Body=body[::-1])
        return f"{key} has changed since the export job wrote it"
    extra = key.replace("00000", "00001")
    s3.put_object(Bucket=bucket, Key=extra, Body=body)
    return f"{extra} is not in the manifest"


@pytest.mark.parametrize("how", ["gone", "cut", "changed", "extra"])
def test_status_and_snapshots_report_a_damaged_current_snapshot(
    endpoint: Endpoint, command: Command, table: str, how: str
) -> None:
    fault = damage(endpoint, table, how)
    newest, *others = command.json("snapshots", table)
    assert newest["faults"] == [fault]
    assert [snapshot["faults"] for snapshot in others] == [[], []]
    assert command.json("status", table)[0]["faults"] == [fault]
    listed = command("snapshots", table)
    assert f"The snapshot {NEW} is damaged: {fault}" in listed.stderr.splitlines()
    assert listed.stdout.splitlines()[1].startswith(f"{NEW}  current, damaged")
    shown = command("status", table)
    assert (shown.returncode, "damaged" in shown.stdout) == (0, True)
    line = f"The snapshot {NEW} of {table} (json) is damaged: {fault}"
    assert line in shown.stderr.splitlines()


def test_a_damaged_snapshot_is_stale_whatever_its_age(
    endpoint: Endpoint, command: Command, table: str
) -> None:
    assert command("status", table, "--stale", "36500d").returncode == 0
    damage(endpoint, table, "gone")
    done = command("status", table, "--stale", "36500d", "--output", "json")
    assert done.returncode == 3
    assert json.loads(done.stdout)[0]["stale"] is True


def test_doctor_names_a_damaged_snapshot(empty_region: Endpoint) -> None:
    command = Command(empty_region)
    dynoexport.init(library(empty_region))
    table = exported(empty_region)

    def snapshots() -> dict[str, str]:
        checks = json.loads(command("doctor", "--output", "json").stdout)
        (found,) = [check for check in checks if check["name"] == "snapshots"]
        return dict(found)

    assert snapshots()["state"] == "ok"
    fault = damage(empty_region, table, "gone")
    check = snapshots()
    assert check["state"] == "failed"
    assert check["detail"] == f"1 of 1 damaged: snapshot {NEW} of {table}: {fault}"
    assert check["hint"] == f"create a new one: dynoexport run {table} --format json"

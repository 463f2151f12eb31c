"""Every format gives the same rows, in sensible files, with no permission too few or too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from account import values, without_timestamp
from command import Command, crawl, put_snapshot
from roles import Usage

from dynoexport import naming
from dynoexport.aws import athena, workflow_runs
from dynoexport.cloudformation import permissions as reference
from dynoexport.model import CatalogUpdate, Engine, OutputFormat, ReadMode

if TYPE_CHECKING:
    from account import Account

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

KEY = ("User", "Book")
ADELINE = "Harry is pretty brave, but Hermione is the clear hero"
# Each reader in some format, so that one run of each shows every permission.
READERS = {
    "avro": ReadMode.NATIVE,
    "csv": ReadMode.EXPORT,
    "json": ReadMode.CONNECTOR,
    "orc": ReadMode.CONNECTOR,
    "parquet": ReadMode.NATIVE,
}
# Without Spark: with a Scan, and with DynamoDB's own export.
ENGINES = {"avro": Engine.PYTHON, "csv": Engine.PYTHON}
# One format without a crawler, so that its run shows every permission of the view job, too.
UPDATES = {"orc": CatalogUpdate.DIRECT}


@pytest.fixture(scope="module")
def usage(account: Account) -> Usage:
    """What the roles of this module's exports have been asked for."""
    return Usage(account)


def check_files(account: Account, table: str, fmt: str) -> None:
    """Two items make one part file that is not empty, no markers, and nothing temporary stays."""
    (manifest,) = account.manifests(table, fmt)
    found = account.keys(naming.data_prefix(table, fmt))
    assert {file["key"]: file["bytes"] for file in manifest["files"]} == found
    assert len(found) == 1
    assert min(found.values()) > 0
    assert account.keys(naming.temp_prefix(table, fmt)) == {}
    assert manifest["items"] == 2


@pytest.mark.parametrize("fmt", READERS)
def test_every_queryable_format_gives_the_same_rows(
    account: Account, usage: Usage, reviews: list[dict[str, Any]], fmt: str
) -> None:
    """A value with a comma stays in its column whatever the format."""
    table = f"Reviews-{fmt}"
    account.create_table(table, KEY, reviews)
    account.client("dynamodb").update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    update = UPDATES.get(fmt, CatalogUpdate.CRAWLER)
    account.deploy_table(
        table,
        fmt,
        ReadMode=READERS[fmt].value,
        Engine=ENGINES.get(fmt, Engine.SPARK).value,
        SnapshotRetentionDays="1",
        CatalogUpdate=update.value,
    )
    if fmt == "json":
        leave_old_snapshots(account, table)
    usage.watch(table, fmt)
    workflow_runs.require_success(account.run(table, fmt))
    rows = account.rows(f'SELECT * FROM "{naming.view(table)}"')
    assert without_timestamp(rows) == sorted(map(values, reviews), key=lambda row: row["user"])
    assert ADELINE in {row["review"] for row in rows}
    check_files(account, table, fmt)


def leave_old_snapshots(account: Account, table: str) -> None:
    """Two that the catalog knows: one for the retention, of the other somebody took the files."""
    for timestamp in ("2026-01-02T03:04", "2026-01-03T03:04"):
        put_snapshot(account.endpoint, table, timestamp, [{"user": "Somebody"}], schema=[])
    crawl(account.endpoint, table)
    prefixes = (
        naming.snapshot_prefix(table, "json", timestamp),
        naming.manifest_key(table, "json", timestamp),
    )
    for key in (key for prefix in prefixes for key in account.keys(prefix)):
        account.client("s3").delete_object(Bucket=account.bucket, Key=key)


def test_switching_the_crawler_off_and_on_keeps_every_snapshot(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    """In place: the workflow and its name stay, and each run has the nodes of its time."""
    account.create_table("Switched", KEY, reviews[:1])
    taken = []
    for update, kinds in (
        ("direct", ["JOB", "JOB"]),
        ("crawler", ["JOB", "CRAWLER", "JOB"]),
        ("direct", ["JOB", "JOB"]),
    ):
        account.deploy_table("Switched", ReadMode="native", CatalogUpdate=update)
        run = account.run("Switched")
        workflow_runs.require_success(run)
        assert [node.kind for node in run.nodes] == kinds
        taken.append(run.snapshot)
        new = {**reviews[1], "Book": {"S": f"after {run.snapshot}"}, f"A{len(taken)}": {"N": "1"}}
        account.client("dynamodb").put_item(TableName="Switched", Item=new)
    counted = account.rows(
        f"SELECT {naming.PARTITION_KEY} AS taken, count(*) AS items FROM snapshots_switched "
        "GROUP BY 1 ORDER BY 1"
    )
    assert [(row["taken"], row["items"]) for row in counted] == [
        (snapshot, f"{number}") for number, snapshot in enumerate(taken, start=1)
    ]
    rows = account.rows("SELECT * FROM switched")
    assert len(rows) == 3
    assert list(rows[0])[-3:] == ["a1", "a2", naming.PARTITION_KEY]


def test_xml_without_a_crawler_ends_after_the_export(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    account.create_table("Plain.xml", KEY, reviews)
    account.deploy_table("Plain.xml", "xml", CatalogUpdate="direct")
    run = account.run("Plain.xml", "xml")
    assert run.succeeded
    assert [node.name for node in run.nodes] == ["Plain.xmlExportToxml"]
    assert len(account.keys(naming.data_prefix("Plain.xml", "xml"))) == 1
    crawlers = account.listed("get_crawlers", "Crawlers[].Name")
    assert naming.crawler("Plain.xml", "xml") not in crawlers
    found = Command(account.endpoint)("logs", "Plain.xml", "--node", "crawl")
    assert found.returncode == 2
    assert "This workflow has no step 'crawl'." in found.stderr


def test_xml_ends_after_the_crawl(
    account: Account, usage: Usage, reviews: list[dict[str, Any]]
) -> None:
    """Athena cannot read xml: two nodes, no view, and the stack's outputs say so."""
    account.create_table("Reviews.xml", KEY, reviews)
    account.deploy_table("Reviews.xml", "xml")
    usage.watch("Reviews.xml", "xml")
    run = account.run("Reviews.xml", "xml")
    assert run.succeeded
    assert [node.name for node in run.nodes] == ["Reviews.xmlExportToxml", "Reviews.xmlxmlCrawler"]
    assert len(account.keys(naming.data_prefix("Reviews.xml", "xml"))) == 1
    refused = Command(account.endpoint)("run", "Reviews.xml", "--set", "SnapshotRetentionDays=3")
    assert refused.returncode == 2
    assert "dynoexport prune Reviews.xml --older-than 3d" in refused.stderr
    check_status_without_snapshots(Command(account.endpoint), "Reviews.xml")


def check_status_without_snapshots(command: Command, table: str) -> None:
    """The last run's snapshot was pruned: there is none, which is no damage."""
    command.ok("prune", table, "--keep", "0", "--yes")
    (found,) = command.json("status", table)
    assert (found["snapshot"], found["faults"]) == (None, [])


def test_a_run_without_one_permission_fails_by_its_name_and_publishes_nothing(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    """The run writes everything but the manifest, which the role may no longer write."""
    account.create_table("Denied", KEY, reviews)
    account.deploy_table("Denied", MaxRetries="0")
    usage = Usage(account)
    usage.watch("Denied", "parquet")
    usage.forbid("ExportRole", "WriteManifest", "s3:PutObject")
    run = account.run("Denied")
    assert [node.state for node in run.nodes] == ["FAILED", "WAITING", "WAITING"]
    assert "AccessDenied" in run.nodes[0].error
    assert "not authorized to perform: s3:PutObject on resource" in run.nodes[0].error
    assert account.manifests("Denied") == []
    (refused,) = usage.refused()
    assert refused[0] == "s3:PutObject"
    assert refused[1].startswith(
        f"arn:aws:s3:::{account.bucket}/{naming.manifest_prefix('Denied', 'parquet')}"
    )
    with pytest.raises(athena.QueryFailed, match="TABLE_NOT_FOUND"):
        account.rows("SELECT * FROM denied")


def test_a_view_job_that_may_not_add_the_snapshot_fails_by_the_permissions_name(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    """Where no crawler adds it; nothing is published."""
    account.create_table("Refused", KEY, reviews)
    account.deploy_table("Refused", ReadMode="native", MaxRetries="0", CatalogUpdate="direct")
    usage = Usage(account)
    usage.watch("Refused", "parquet")
    assert {title for title, _ in usage.roles} == {"ExportRole", "ViewRole"}
    usage.forbid("ViewRole", "KeepPartitions", "glue:CreatePartition")
    run = account.run("Refused")
    assert [node.state for node in run.nodes] == ["SUCCEEDED", "FAILED"]
    assert "not authorized to perform: glue:CreatePartition on resource" in run.nodes[1].error
    assert {action for action, _ in usage.refused()} == {"glue:CreatePartition"}
    with pytest.raises(athena.QueryFailed, match="TABLE_NOT_FOUND"):
        account.rows("SELECT * FROM refused")


def test_no_role_was_refused_anything(usage: Usage) -> None:
    """This covers all calls of the runs above."""
    usage.require({fmt.value for fmt in OutputFormat})
    assert usage.refused() == []


@pytest.mark.parametrize("role", reference.ROLES)
def test_every_permission_of_a_role_is_needed(usage: Usage, role: str) -> None:
    """But for what docs/permissions.md keeps with a reason, and no reason is out of date."""
    usage.require({fmt.value for fmt in OutputFormat})
    needless, kept = usage.needless(role), reference.kept(role)
    assert needless - kept == set()
    assert kept - needless == set()

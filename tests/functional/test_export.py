"""A table goes through the deployed templates, the real scripts and real Spark into Athena."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from account import values, without_timestamp

from dynoexport import assets, naming
from dynoexport.aws import workflow_runs

if TYPE_CHECKING:
    from account import Account

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

KEY = ("User", "Book")


def test_the_aws_command_alone_deploys_runs_and_queries(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    """Deploy, start the run, read its graph and query the view with nothing of ours in between."""
    account.create_table("Reviews", KEY, reviews)
    account.deploy_table("Reviews")
    name = "dynoexport-Reviews-parquet"
    run_id = account.aws("glue", "start-workflow-run", "--name", name)["RunId"]
    *_, _ = workflow_runs.watch(account.client("glue"), name, run_id, seconds=0.3)
    graph = account.aws(
        "glue", "get-workflow-run", "--name", name, "--run-id", run_id, "--include-graph"
    )["Run"]
    assert graph["Status"] == "COMPLETED"
    assert graph["Statistics"]["SucceededActions"] == 3
    nodes = {node["Name"]: node for node in graph["Graph"]["Nodes"]}
    assert nodes["ReviewsExportToparquet"]["JobDetails"]["JobRuns"][0]["JobRunState"] == "SUCCEEDED"
    assert nodes["ReviewsparquetCrawler"]["CrawlerDetails"]["Crawls"][0]["State"] == "SUCCEEDED"

    query = account.aws(
        "athena",
        "start-query-execution",
        "--work-group",
        naming.WORK_GROUP,
        "--query-execution-context",
        f"Database={naming.DATABASE}",
        "--query-string",
        "SELECT * FROM reviews",
    )["QueryExecutionId"]
    rows = account.rows("SELECT * FROM reviews")
    assert without_timestamp(rows) == sorted(map(values, reviews), key=lambda row: row["user"])
    assert account.aws("athena", "get-query-execution", "--query-execution-id", query)


def test_two_runs_make_two_partitions_and_the_view_shows_the_newer(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    """A second run in the same minute gets a snapshot of its own; a property changes one run."""
    account.create_table("Twice", KEY, reviews)
    account.deploy_table("Twice")
    workflow_runs.require_success(account.run("Twice", Splits="20"))
    account.client("dynamodb").delete_item(
        TableName="Twice", Key={name: reviews[0][name] for name in KEY}
    )
    workflow_runs.require_success(account.run("Twice"))
    older, newer = (manifest["snapshot_timestamp"] for manifest in account.manifests("Twice"))
    snapshots = account.rows(
        "SELECT snapshot_timestamp, count(*) AS items FROM snapshots_twice GROUP BY 1 ORDER BY 1"
    )
    assert snapshots == [
        {"snapshot_timestamp": older, "items": "2"},
        {"snapshot_timestamp": newer, "items": "1"},
    ]
    assert [manifest["read"]["splits"] for manifest in account.manifests("Twice")] == [20, 4]
    (row,) = account.rows("SELECT * FROM twice")
    assert (row["user"], row["snapshot_timestamp"]) == ("Adeline", newer)


def test_a_run_whose_retries_fail_leaves_the_view_unchanged(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    """The run is COMPLETED with a failed action, nothing was published, the error says why."""
    account.create_table("Gone", KEY, reviews)
    account.deploy_table("Gone", MaxRetries="0")
    workflow_runs.require_success(account.run("Gone"))
    before = account.rows("SELECT * FROM gone")
    account.client("dynamodb").delete_table(TableName="Gone")
    run = account.run("Gone")
    assert (run.status, run.statistics["FailedActions"]) == ("COMPLETED", 1)
    assert [node.state for node in run.nodes] == [
        "FAILED",
        workflow_runs.WAITING,
        workflow_runs.WAITING,
    ]
    assert "Gone" in run.nodes[0].error
    assert "\n" not in run.nodes[0].error
    assert account.rows("SELECT * FROM gone") == before
    assert len(account.manifests("Gone")) == 1


def test_a_table_that_was_emptied_gives_an_empty_view(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    """Its columns stay, its rows are gone."""
    account.create_table("Emptied", KEY, reviews[:1])
    account.deploy_table("Emptied")
    workflow_runs.require_success(account.run("Emptied"))
    account.client("dynamodb").delete_item(
        TableName="Emptied", Key={name: reviews[0][name] for name in KEY}
    )
    workflow_runs.require_success(account.run("Emptied"))
    assert account.rows("SELECT user, rating FROM emptied") == []
    assert account.rows("SELECT count(*) AS items FROM snapshots_emptied") == [{"items": "1"}]


def test_a_run_of_an_empty_table_succeeds_without_a_view(account: Account) -> None:
    """The first run of an empty table publishes nothing, and says so."""
    account.create_table("Empty", KEY, [])
    account.deploy_table("Empty")
    workflow_runs.require_success(account.run("Empty"))
    (manifest,) = account.manifests("Empty")
    assert (manifest["items"], manifest["files"]) == (0, [])


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"TableName": "Other"}, "TableName"),
        ({"MaxConsumedReadThroughput": "0.05"}, "MaxConsumedReadThroughput"),
        ({"Splits": "many"}, "Splits"),
    ],
)
def test_a_bad_run_property_is_refused_before_anything_is_read(
    account: Account, reviews: list[dict[str, Any]], properties: dict[str, str], words: str
) -> None:
    """The error is one line that names the property."""
    table = f"Bad-{words}"
    account.create_table(table, KEY, reviews)
    account.deploy_table(table, MaxRetries="0")
    run = account.run(table, **properties)
    assert run.nodes[0].state == "FAILED"
    assert words in run.nodes[0].error
    assert "\n" not in run.nodes[0].error
    assert account.keys(naming.data_prefix(table, "parquet")) == {}


# The export script with one fault: the first attempt dies when all data is written and the
# manifest is not. The marker shows the second attempt that it is the second; it lies where the
# job's role may write.
DIED = f"{naming.temp_prefix('Flaky', 'parquet')}died"
FLAKY = f"""
whole_put_manifest = put_manifest


def put_manifest(s3, places, manifest):
    if not exists(s3, places.bucket, "{DIED}"):
        s3.put_object(Bucket=places.bucket, Key="{DIED}", Body=b"once")
        raise RuntimeError("a worker was lost")
    whole_put_manifest(s3, places, manifest)


if __name__ == "__main__":"""


def test_a_retry_writes_the_same_snapshot_again(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    """The first attempt's files are cleared: one snapshot, no row twice."""
    export_script = assets.script(naming.EXPORT_SCRIPT)
    flaky = export_script.replace('\nif __name__ == "__main__":', FLAKY)
    assert flaky != export_script
    account.publish_script(naming.EXPORT_SCRIPT, flaky, version="flaky")
    view_script = assets.script(naming.VIEW_SCRIPT)
    account.publish_script(naming.VIEW_SCRIPT, view_script, version="flaky")
    account.create_table("Flaky", KEY, reviews)
    account.deploy_table("Flaky", MaxRetries="1", ScriptsVersion="flaky")
    run = account.run("Flaky")
    assert (run.nodes[0].state, len(run.nodes[0].attempts)) == ("SUCCEEDED", 2)
    assert run.succeeded
    (manifest,) = account.manifests("Flaky")
    keys = account.keys(naming.data_prefix("Flaky", "parquet"))
    assert {file["key"] for file in manifest["files"]} == set(keys)
    assert account.rows("SELECT count(*) AS items FROM snapshots_flaky") == [{"items": "2"}]
    assert manifest["scripts_version"] == "flaky"


def test_runs_do_not_overlap_and_can_be_stopped(
    account: Account, reviews: list[dict[str, Any]]
) -> None:
    """A second run ends in ERROR with Glue's words; the first is stopped and publishes nothing."""
    account.create_table("Once", KEY, reviews)
    account.deploy_table("Once")
    glue, name = account.client("glue"), naming.workflow("Once", "parquet", scheduled=False)
    first = glue.start_workflow_run(Name=name)["RunId"]
    second = account.run("Once")
    assert (second.status, second.error) == (
        "ERROR",
        f"Concurrent runs exceeded for workflow: {name}",
    )
    glue.stop_workflow_run(Name=name, RunId=first)
    *_, stopped = workflow_runs.watch(glue, name, first, seconds=0.3)
    assert stopped.status == "STOPPED"
    assert [node.state for node in stopped.nodes] == [
        "STOPPED",
        workflow_runs.WAITING,
        workflow_runs.WAITING,
    ]
    assert account.manifests("Once") == []

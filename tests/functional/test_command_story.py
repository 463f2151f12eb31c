"""From an empty account to rows and back, by the command alone, with real Spark."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from account import REVIEWS
from command import Command, consume, library, sleeping
from waiting_lines import without_waiting

import dynoexport
from dynoexport import naming, settings
from dynoexport.iam import caller_policies
from dynoexport.local import context
from dynoexport.presentation import json_output
from dynoexport.storage import manifests

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

# Runs of a few Spark tasks are enough here, and quicker than the default's 36.
SMALL = ("--set", "NumberOfWorkers=2")


@pytest.fixture(scope="module")
def empty() -> Iterator[Command]:
    """An endpoint of its own: an account in which there is nothing but a DynamoDB table."""
    started = [str(Path(sys.executable).with_name("dynoexport")), "local", "start", "--port", "0"]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        match = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert match is not None
        endpoint = context.connect(match[0])
        dynamodb = endpoint.client("dynamodb")
        dynamodb.create_table(
            TableName="Reviews",
            KeySchema=[
                {"AttributeName": "User", "KeyType": "HASH"},
                {"AttributeName": "Book", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "User", "AttributeType": "S"},
                {"AttributeName": "Book", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        for item in REVIEWS:
            dynamodb.put_item(TableName="Reviews", Item=item)
        yield Command(endpoint)
        process.terminate()


@pytest.fixture(scope="module")
def first_run(empty: Command) -> dict[str, Any]:
    """What ``run --wait`` prints after init and deploy."""
    assert "nothing is exported" in empty("status").stderr.lower()
    assert "run: dynoexport init" in empty("deploy", "Reviews", "--yes").stderr
    empty.ok("init", "--yes")
    empty.ok("deploy", "Reviews", "--format", "parquet", *SMALL, "--yes")
    found: dict[str, Any] = empty.json("run", "Reviews", "--wait")
    return found


def test_the_run_succeeded_and_reports_its_figures(first_run: dict[str, Any]) -> None:
    assert list(first_run) == list(json_output.meanings("run"))
    assert [list(node) for node in first_run["nodes"]] == [list(json_output.meanings("node"))] * 3
    assert (first_run["state"], first_run["items"]) == ("SUCCEEDED", 2)
    assert [node["kind"] for node in first_run["nodes"]] == ["job", "crawler", "job"]
    assert {node["state"] for node in first_run["nodes"]} == {"SUCCEEDED"}
    # Ten minutes of a crawler are billed at least, whatever the run took.
    assert 0.14 < first_run["cost_usd"] < 1


@pytest.mark.usefixtures("first_run")
def test_the_rows_come_as_a_table_and_in_every_format(empty: Command, tmp_path: Path) -> None:
    shown = empty.ok("query", "Reviews")
    assert "Harry Potter and the Philosopher's Stone" in shown
    assert shown.splitlines()[0].split()[:3] == ["author", "book", "rating"]
    rows = empty.json("query", "Reviews", "SELECT user, rating FROM {view} ORDER BY 1")
    assert rows == [{"user": "Adeline", "rating": 4}, {"user": "Tristan", "rating": 5}]
    assert empty.ok("query", "Reviews", "--output", "csv").splitlines()[0].startswith('"author"')
    target = tmp_path / "rows.parquet"
    empty.ok("query", "Reviews", "--output", "parquet", "--to", str(target))
    parquet = pytest.importorskip("pyarrow.parquet")
    assert sorted(parquet.read_table(target).column("rating").to_pylist()) == [4, 5]
    both = empty.json("query", "Reviews", "SELECT count(*) AS n FROM {snapshots}")
    assert both == [{"n": 2}]


@pytest.mark.usefixtures("first_run")
def test_a_refused_query_is_reported_in_a_line(empty: Command) -> None:
    done = empty("query", "Reviews", "SELECT nothing FROM {view}")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(r"Error: Athena query \S+ failed\n  .*nothing", done.stderr)


def test_status_runs_and_logs_show_the_run(empty: Command, first_run: dict[str, Any]) -> None:
    (status,) = empty.json("status")
    assert list(status) == list(json_output.meanings("status"))
    assert status["last_run"] == {key: first_run[key] for key in first_run if key != "nodes"}
    assert (status["items"], status["snapshot"]) == (2, first_run["snapshot"])
    assert (status["enabled"], status["next_run"]) == (False, None)
    (run,) = empty.json("runs", "Reviews")
    assert run == first_run
    done = empty("logs", "Reviews")
    assert f"snapshot {first_run['snapshot']} is complete: 2 items" in done.stdout
    assert "Running Start Crawl for Crawler ReviewsparquetCrawler" in done.stdout
    assert f"reviews shows {first_run['snapshot']} with 2 items" in done.stdout
    assert re.findall("==> (.*), attempt 1 <==", done.stderr) == [
        naming.export_job("Reviews", "parquet"),
        naming.crawler("Reviews", "parquet"),
        naming.view_job("Reviews", "parquet"),
    ]
    lines = empty.ok("logs", "Reviews", "--node", "publish", "--output", "json").splitlines()
    assert {json.loads(line)["node"] for line in lines} == {naming.view_job("Reviews", "parquet")}
    assert list(json.loads(lines[0])) == list(json_output.meanings("line"))


def test_a_run_is_compared_with_its_plan(empty: Command, first_run: dict[str, Any]) -> None:
    """The comparison uses the job's own records. Nothing here takes a minute to start."""
    (run,) = empty.json("runs", "Reviews", "--explain")
    assert list(run) == list(json_output.meanings("explained run"))
    assert {name: run[name] for name in first_run} == first_run
    assert run["plan_missing"] is None
    figures = {figure["name"]: figure for figure in run["figures"]}
    assert [list(figure) for figure in run["figures"]] == [
        list(json_output.meanings("figure"))
    ] * 11
    assert (figures["crawl"]["planned"], figures["crawl"]["off"]) == (60, True)
    assert figures["crawl"]["reasons"] == [
        "the plan assumes 1 min for the crawl, most of it for its start"
    ]
    shown = empty.ok("runs", "Reviews", "--explain")
    assert shown.splitlines()[0] == f"{first_run['run_id'][:15]}  SUCCEEDED, 2 items"
    assert "  - run, crawl: the plan assumes 1 min for the crawl" in shown


def test_the_connectors_read_units_come_from_cloudwatch(
    empty: Command, first_run: dict[str, Any]
) -> None:
    """The endpoint's DynamoDB does not report them; they are those of all readers."""

    def reported() -> Any:
        (run,) = empty.json("runs", "Reviews", "--explain")
        return next(figure["real"] for figure in run["figures"] if figure["name"] == "read units")

    assert reported() is None
    account = library(empty.endpoint)
    manifest = manifests.read(
        account.s3, account.bucket, "Reviews", "parquet", first_run["snapshot"]
    )
    assert manifest is not None
    assert manifest.started is not None
    for at in (manifest.started, manifest.started - timedelta(minutes=5)):
        consume(empty.endpoint, "Reviews", "ConsumedReadCapacityUnits", at, 7.5)
    assert reported() == 7.5


@pytest.mark.usefixtures("first_run")
def test_stale_has_its_own_exit_code(empty: Command) -> None:
    assert empty("status", "--stale", "1d").returncode == 0
    late = empty("status", "--stale", "0s")
    assert late.returncode == 3
    assert late.stderr == "1 of 1 stale: Reviews\n"
    assert json.loads(empty("status", "--stale", "0s", "--output", "json").stdout)[0]["stale"]
    assert empty("status", "--stale", "late").returncode == 2


@pytest.mark.usefixtures("first_run")
def test_verify_reads_parquet_again(empty: Command) -> None:
    found = empty.json("verify", "Reviews")
    assert (found["whole"], found["rows"], found["items"], found["table_items"]) == (True, 2, 2, 2)


@pytest.mark.usefixtures("first_run")
def test_the_schedule_goes_on_and_off_in_place_and_outlives_a_deployment(empty: Command) -> None:
    on = empty.json("enable", "Reviews")
    assert (on["schedule"], on["enabled"]) == (settings.DEFAULT_SCHEDULE, True)
    assert list(on) == list(json_output.meanings("schedule"))
    assert empty.json("status")[0]["next_run"] is not None
    assert len(empty.json("runs", "Reviews")) == 1
    (deployed,) = empty.json("deploy", "Reviews", "--set", "MaxRetries=0", "--yes")
    assert deployed["outcome"] == "updated"
    assert empty.json("status")[0]["enabled"]
    empty.ok("disable", "Reviews")
    assert not empty.json("status")[0]["enabled"]


@pytest.mark.usefixtures("first_run")
def test_ctrl_c_leaves_the_run_running_and_says_how_to_return(empty: Command) -> None:
    job = naming.export_job("Reviews", "parquet")
    with sleeping(empty.endpoint, job):
        with empty.start("run", "Reviews", "--wait") as waiting:
            assert waiting.stderr is not None
            until_run = takewhile(lambda line: "ReviewsExportToparquet" not in line, waiting.stderr)
            assert without_waiting("".join(until_run)) == ""
            waiting.send_signal(signal.SIGINT)
            reported = waiting.stderr.read()
            assert waiting.wait(timeout=60) == 130
        assert "Follow it again with: dynoexport watch Reviews" in reported
        refused = empty("run", "Reviews")
        assert refused.returncode == 1
        assert "a run of Reviews is active" in refused.stderr
        destroyed = empty("destroy", "Reviews", "--yes")
        assert "stop it with: dynoexport stop Reviews" in destroyed.stderr
        empty.ok("stop", "Reviews")
    ended = empty("watch", "Reviews", "--output", "json")
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["state"] == "STOPPED"


@pytest.mark.usefixtures("first_run")
def test_a_run_that_fails_shows_the_error_and_the_last_lines(empty: Command) -> None:
    """The table is gone when the schedule fires: the export job says so before it starts Spark."""
    dynamodb, glue = empty.endpoint.client("dynamodb"), empty.endpoint.client("glue")
    described = dynamodb.describe_table(TableName="Reviews")["Table"]
    dynamodb.delete_table(TableName="Reviews")
    (workflow,) = glue.list_workflows()["Workflows"]
    try:
        glue.start_workflow_run(Name=workflow)
        done = empty("watch", "Reviews")
    finally:
        dynamodb.create_table(
            TableName="Reviews",
            KeySchema=described["KeySchema"],
            AttributeDefinitions=described["AttributeDefinitions"],
            BillingMode="PAY_PER_REQUEST",
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Last lines of ReviewsExportToparquet:" in done.stderr
    assert done.stderr.splitlines()[-2:] == [
        "Error: ReviewsExportToparquet ended FAILED",
        (
            "  JobFailed: there is no DynamoDB table 'Reviews' in us-east-1: restore it, or "
            "destroy this export"
        ),
    ]
    assert empty.json("runs", "Reviews")[0]["state"] == "FAILED"


@pytest.mark.usefixtures("first_run")
def test_doctor_finds_nothing_wrong(empty: Command) -> None:
    found = empty.json("doctor")
    assert list(found[0]) == list(json_output.meanings("check"))
    assert {check["state"] for check in found if not check["name"].startswith("may ")} == {"ok"}
    # The endpoint's root user.
    unknown = {check["name"] for check in found if check["state"] == "unknown"}
    assert unknown == {f"may {purpose}" for purpose in caller_policies.PURPOSES}


def test_the_functions_return_what_the_command_prints(
    empty: Command, first_run: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in empty.endpoint.env.items():
        monkeypatch.setenv(name, value)
    account = dynoexport.connect()
    (status,) = dynoexport.status(account)
    assert (status.table, status.items, status.snapshot) == ("Reviews", 2, first_run["snapshot"])
    oldest = dynoexport.runs(account, "Reviews")[-1]
    assert oldest.run_id == first_run["run_id"]
    assert oldest.succeeded
    query = dynoexport.query(account, "Reviews", "SELECT user, rating FROM {view} ORDER BY 1")
    assert query.scanned_bytes > 0
    rows = list(dynoexport.rows(account, query))
    assert rows == [{"user": "Adeline", "rating": 4}, {"user": "Tristan", "rating": 5}]
    # A run that was stopped may have left another.
    current = [
        snapshot.timestamp
        for snapshot in dynoexport.snapshots(account, "Reviews")
        if snapshot.current
    ]
    assert current == [first_run["snapshot"]]

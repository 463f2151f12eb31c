"""Workflow runs: outcome, order, watching."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynoexport import settings
from dynoexport.aws import workflow_runs
from dynoexport.aws.workflow_runs import Attempt, Node, Run, RunFailed
from dynoexport.presentation import display

START = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)
SPARK = Attempt("glueetl", "SUCCEEDED", START, START + timedelta(seconds=61), dpu=2.0)
EXPORT = Node("Export", "JOB", (SPARK,))
CRAWL = Node(
    "Crawl",
    "CRAWLER",
    (Attempt("crawler", "SUCCEEDED", START, START + timedelta(seconds=5)),),
)
UNCRAWLED = replace(CRAWL, attempts=())
GOOD = Run("w", "wr_1", "COMPLETED", (EXPORT, CRAWL), {"FailedActions": 0}, {})


def ended(node: Node, state: str, error: str = "") -> Node:
    """The node with its only attempt in this state."""
    return replace(node, attempts=(replace(node.attempts[0], state=state, error=error),))


def job_run(**fields: object) -> dict[str, Any]:
    return {"JobRunState": "SUCCEEDED", "StartedOn": START, "Attempt": 0, **fields}


def response(status: str, *nodes: dict[str, Any], edges: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "Name": "w",
        "WorkflowRunId": "wr_1",
        "Status": status,
        "Statistics": {},
        "WorkflowRunProperties": {"Splits": "7"},
        "Graph": {
            "Nodes": list(nodes),
            "Edges": [{"SourceId": one, "DestinationId": two} for one, two in edges],
        },
    }


def test_a_completed_run_with_a_failed_job_did_not_succeed() -> None:
    """A status is not an outcome."""
    assert GOOD.succeeded
    assert not replace(GOOD, statistics={"FailedActions": 1}).succeeded
    assert not replace(GOOD, nodes=(EXPORT, ended(CRAWL, "FAILED"))).succeeded
    assert not replace(GOOD, nodes=(EXPORT, UNCRAWLED)).succeeded
    assert not replace(GOOD, status="STOPPED").succeeded


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (GOOD, "SUCCEEDED"),
        (replace(GOOD, nodes=(EXPORT, UNCRAWLED)), "FAILED"),
        (replace(GOOD, status="RUNNING", nodes=(EXPORT, UNCRAWLED)), "RUNNING"),
        (replace(GOOD, status="STOPPED"), "STOPPED"),
    ],
)
def test_the_outcome_is_distinguished_from_glues_status(run: Run, outcome: str) -> None:
    """COMPLETED says nothing about success; every other status stands for itself."""
    assert run.outcome == outcome


def test_a_run_reports_what_its_export_job_wrote() -> None:
    """From the run properties, which the job sets when its snapshot is complete."""
    assert (GOOD.snapshot, GOOD.items, GOOD.bytes) == (None, None, None)
    written = {
        settings.SNAPSHOT_TIMESTAMP: "2026-11-23T100000Z",
        settings.SNAPSHOT_ITEMS: "12",
        settings.SNAPSHOT_BYTES: "3456",
    }
    run = replace(GOOD, properties=written)
    assert (run.snapshot, run.items, run.bytes) == ("2026-11-23T100000Z", 12, 3456)


def test_dpu_seconds_are_what_glue_bills_or_else_capacity_times_seconds() -> None:
    """This covers all attempts, and a running one until now."""
    now = START + timedelta(seconds=100)
    billed = replace(SPARK, billed_dpu_seconds=130.0)
    going_on = replace(SPARK, started=START + timedelta(seconds=90), completed=None)
    node = replace(EXPORT, attempts=(billed, SPARK, going_on))
    assert node.dpu_seconds(now) == 130 + 2 * 61 + 2 * 10


def test_the_error_is_that_of_the_failing_node() -> None:
    """The error names the node and repeats its words."""
    failed = ended(EXPORT, "FAILED", "table Reviews does not exist")
    with pytest.raises(RunFailed) as caught:
        workflow_runs.require_success(replace(GOOD, nodes=(failed, UNCRAWLED)))
    assert str(caught.value) == "Export ended FAILED: table Reviews does not exist"


def test_a_run_that_stalls_names_what_never_started() -> None:
    """A trigger that did not fire leaves no error behind, so the waiting node is named."""
    with pytest.raises(RunFailed, match="ended COMPLETED: never started: Crawl"):
        workflow_runs.require_success(replace(GOOD, nodes=(EXPORT, UNCRAWLED)))


@pytest.mark.parametrize("nodes", [(replace(EXPORT, attempts=()), UNCRAWLED), ()])
def test_a_run_without_a_started_node_failed_and_says_what_to_do(nodes: tuple[Node, ...]) -> None:
    """As it may end on AWS while the schedule is off."""
    empty = replace(GOOD, nodes=nodes)
    assert (empty.succeeded, empty.outcome) == (False, "FAILED")
    with pytest.raises(RunFailed, match="Glue started nothing in it: if the schedule is off"):
        workflow_runs.require_success(empty)


def test_a_run_that_glue_did_not_start_says_why() -> None:
    """One run of a table at a time: the second ends in ERROR without a node."""
    refused = replace(GOOD, status="ERROR", nodes=(), error="Concurrent runs exceeded for w")
    with pytest.raises(RunFailed, match="ended ERROR: Concurrent runs exceeded for w"):
        workflow_runs.require_success(refused)


def test_nodes_stand_in_the_order_of_the_graph() -> None:
    """Whatever order the API lists them in, and without the triggers between them."""
    nodes = [
        {"UniqueId": "3", "Type": "CRAWLER", "Name": "crawl", "CrawlerDetails": {}},
        {"UniqueId": "2", "Type": "TRIGGER", "Name": "t", "TriggerDetails": {}},
        {"UniqueId": "1", "Type": "JOB", "Name": "export", "JobDetails": {}},
    ]
    run = workflow_runs.from_response(response("RUNNING", *nodes, edges=[("1", "2"), ("2", "3")]))
    assert [node.name for node in run.nodes] == ["export", "crawl"]
    assert run.properties == {"Splits": "7"}


def test_the_last_attempt_counts() -> None:
    """A retry that succeeded makes the node succeed; its time counts from the first attempt."""
    later = START + timedelta(minutes=2)
    attempts = [
        job_run(Attempt=1, StartedOn=later, CompletedOn=later + timedelta(seconds=30)),
        job_run(JobRunState="FAILED", ErrorMessage="lost a worker"),
    ]
    node = {"UniqueId": "1", "Type": "JOB", "Name": "j", "JobDetails": {"JobRuns": attempts}}
    (node_read,) = workflow_runs.from_response(response("COMPLETED", node, edges=[])).nodes
    assert (node_read.state, len(node_read.attempts), node_read.seconds) == ("SUCCEEDED", 2, 150.0)


class Glue:
    """Answers GetWorkflowRun with prepared responses, one after the other."""

    def __init__(self, *responses: dict[str, Any]) -> None:
        self.responses = list(responses)

    def get_workflow_run(self, **_: object) -> dict[str, Any]:
        return {"Run": self.responses.pop(0)}


def test_watch_yields_changes_and_ends_with_the_run() -> None:
    """A call without news yields nothing. There is no pause after the last call."""
    node = {"UniqueId": "1", "Type": "JOB", "Name": "j", "JobDetails": {}}
    states = ["RUNNING", "RUNNING", "COMPLETED"]
    glue = Glue(*(response(state, node, edges=[]) for state in states))
    pauses: list[float] = []
    looks = list(workflow_runs.watch(glue, "w", "wr_1", seconds=7, sleep=pauses.append))  # type: ignore[arg-type]
    assert [look.status for look in looks] == ["RUNNING", "COMPLETED"]
    assert pauses == [7, 7]


def test_plain_lines_report_each_change_once() -> None:
    """A node that did not change is not repeated."""
    running = replace(SPARK, completed=None, state="RUNNING")
    started = replace(GOOD, nodes=(replace(EXPORT, attempts=(running,)),))
    assert list(display.changes(None, started)) == ["  job Export RUNNING"]
    assert list(display.changes(started, started)) == []
    assert list(display.changes(started, GOOD)) == [
        "  job Export SUCCEEDED after 1 min 01 s",
        "  crawler Crawl SUCCEEDED after 5 s",
    ]

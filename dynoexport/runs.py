"""Workflow runs: start one, watch its nodes, and decide whether it did what it should.

Glue calls a run COMPLETED even when its jobs failed
(https://docs.aws.amazon.com/glue/latest/dg/running_monitoring_workflow.html), so the outcome
is decided here, in one place, from the run's status, its statistics and its nodes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from mypy_boto3_glue import GlueClient

# States in which a node or a run will not change any more.
FINAL_RUN_STATES = frozenset({"COMPLETED", "STOPPED", "ERROR"})
WAITING = "WAITING"


class RunFailed(DynoexportError):
    """A workflow run in which something did not succeed."""


@dataclass(frozen=True)
class Node:
    """A job or a crawler of a run; triggers are not shown, they only connect."""

    name: str
    kind: str
    state: str = WAITING
    attempts: int = 0
    started: datetime | None = None
    completed: datetime | None = None
    error: str = ""

    @property
    def seconds(self) -> float | None:
        """Wall-clock seconds from start to end, None while it has not ended."""
        if self.started is None or self.completed is None:
            return None
        return (self.completed - self.started).total_seconds()


@dataclass(frozen=True)
class Run:
    """One workflow run at one moment."""

    workflow: str
    run_id: str
    status: str
    nodes: tuple[Node, ...]
    statistics: Mapping[str, int]
    properties: Mapping[str, str]
    error: str = ""

    @property
    def finished(self) -> bool:
        return self.status in FINAL_RUN_STATES

    @property
    def failed_nodes(self) -> tuple[Node, ...]:
        return tuple(
            node for node in self.nodes if node.state not in {"SUCCEEDED", WAITING, "RUNNING"}
        )

    @property
    def succeeded(self) -> bool:
        """All nodes of the graph ran and succeeded."""
        return (
            self.status == "COMPLETED"
            and all(node.state == "SUCCEEDED" for node in self.nodes)
            and not any(
                self.statistics.get(kind)
                for kind in ("FailedActions", "TimeoutActions", "StoppedActions", "ErroredActions")
            )
        )


def from_response(response: Mapping[str, Any]) -> Run:
    """A run from what ``GetWorkflowRun(IncludeGraph=True)`` answers under ``Run``."""
    graph = response.get("Graph", {})
    nodes = [_node(node) for node in graph.get("Nodes", ()) if node["Type"] != "TRIGGER"]
    return Run(
        workflow=response["Name"],
        run_id=response["WorkflowRunId"],
        status=response["Status"],
        nodes=tuple(_in_order(nodes, graph)),
        statistics=response.get("Statistics", {}),
        properties=response.get("WorkflowRunProperties", {}),
        error=response.get("ErrorMessage", ""),
    )


def _node(node: Mapping[str, Any]) -> Node:
    if node["Type"] == "JOB":
        attempts = node.get("JobDetails", {}).get("JobRuns", [])
        state, error = "JobRunState", "ErrorMessage"
    else:
        attempts = node.get("CrawlerDetails", {}).get("Crawls", [])
        state, error = "State", "ErrorMessage"
    if not attempts:
        return Node(name=node["Name"], kind=node["Type"])
    # Glue does not promise an order of attempts.
    last = max(attempts, key=lambda attempt: (attempt.get("Attempt", 0), attempt["StartedOn"]))
    return Node(
        name=node["Name"],
        kind=node["Type"],
        state=last[state],
        attempts=len(attempts),
        started=min(attempt["StartedOn"] for attempt in attempts),
        completed=last.get("CompletedOn"),
        error=last.get(error, ""),
    )


def _in_order(nodes: list[Node], graph: Mapping[str, Any]) -> list[Node]:
    """Nodes in the order in which the graph's edges let them start."""
    names = {node["UniqueId"]: node["Name"] for node in graph.get("Nodes", ())}
    parents: dict[str, set[str]] = {}
    for edge in graph.get("Edges", ()):
        source, target = names[edge["SourceId"]], names[edge["DestinationId"]]
        parents.setdefault(target, set()).add(source)

    def depth(name: str, seen: frozenset[str] = frozenset()) -> int:
        above = parents.get(name, set()) - seen
        return 1 + max((depth(parent, seen | {name}) for parent in above), default=-1)

    return sorted(nodes, key=lambda node: depth(node.name))


def get(glue: GlueClient, workflow: str, run_id: str) -> Run:
    """The run as it is now."""
    return from_response(
        glue.get_workflow_run(Name=workflow, RunId=run_id, IncludeGraph=True)["Run"]
    )


def watch(
    glue: GlueClient,
    workflow: str,
    run_id: str,
    *,
    seconds: float = 5.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Run]:
    """Yield the run every time something in it changed, the finished run last.

    botocore has no waiters for Glue. ``seconds`` is the pause between two looks.
    """
    before: Run | None = None
    while True:
        run = get(glue, workflow, run_id)
        if run != before:
            yield run
        if run.finished:
            return
        before = run
        sleep(seconds)


def require_success(run: Run) -> None:
    """Refuse a finished run in which a node did not succeed.

    Raises:
        RunFailed: names the first node that failed, with its own words.
    """
    if run.succeeded:
        return
    for node in run.failed_nodes:
        raise RunFailed(
            f"{node.name} ended {node.state}",
            hint=node.error or "its CloudWatch log says more",
        )
    if run.error:
        raise RunFailed(f"workflow run {run.run_id} ended {run.status}", hint=run.error)
    waiting = ", ".join(node.name for node in run.nodes if node.state == WAITING)
    raise RunFailed(
        f"workflow run {run.run_id} ended {run.status}",
        hint=f"never started: {waiting}" if waiting else "see its nodes in the Glue console",
    )

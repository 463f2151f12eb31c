"""Workflow runs: read them, watch their nodes, and decide whether they succeeded.

Glue calls a run COMPLETED even when its jobs failed
(https://docs.aws.amazon.com/glue/latest/dg/running_monitoring_workflow.html), so the outcome
is decided here, in one place, from the run's status, its statistics and its nodes.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynoexport import settings
from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from mypy_boto3_glue import GlueClient

# States in which a run will not change any more.
FINAL_RUN_STATES = frozenset({"COMPLETED", "STOPPED", "ERROR"})
WAITING = "WAITING"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
_GOING_ON = frozenset({SUCCEEDED, WAITING, "STARTING", "RUNNING", "STOPPING"})
_BAD_ACTIONS = ("FailedActions", "TimeoutActions", "StoppedActions", "ErroredActions")

# DPU of a worker: https://docs.aws.amazon.com/glue/latest/dg/worker-types.html
_WORKER_DPU = {"G.025X": 0.25, "G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}
_SHORT_ID = len("wr_") + 12
_SHELL_LOGS = "/aws-glue/python-jobs"


class RunFailed(DynoexportError):
    """A workflow run in which something did not succeed."""


@dataclass(frozen=True)
class Attempt:
    """One attempt of a job, or one crawl. ``dpu`` is its capacity, 0 where Glue does not return it.

    Append ``/output`` or ``/error`` to ``log_group`` for a job; a crawl's is complete.
    """

    kind: str
    state: str
    started: datetime
    completed: datetime | None = None
    error: str = ""
    run_id: str = ""
    number: int = 0
    dpu: float = 0.0
    billed_dpu_seconds: float | None = None
    glue_version: str = ""
    execution_class: str = ""
    log_group: str = ""
    log_stream: str = ""

    def seconds(self, now: datetime) -> float:
        """Wall-clock seconds from its start to its end, or until now."""
        return max(0.0, ((self.completed or now) - self.started).total_seconds())

    def dpu_seconds(self, now: datetime) -> float:
        """The DPU-seconds that Glue returns, else capacity x seconds."""
        if self.billed_dpu_seconds is not None:
            return self.billed_dpu_seconds
        return self.dpu * self.seconds(now)


@dataclass(frozen=True)
class Node:
    """A job or a crawler of a run with its attempts, oldest first.

    Triggers are not shown, because they only connect nodes.
    """

    name: str
    kind: str
    attempts: tuple[Attempt, ...] = ()

    @property
    def state(self) -> str:
        return self.attempts[-1].state if self.attempts else WAITING

    @property
    def error(self) -> str:
        return self.attempts[-1].error if self.attempts else ""

    @property
    def started(self) -> datetime | None:
        return self.attempts[0].started if self.attempts else None

    @property
    def completed(self) -> datetime | None:
        return self.attempts[-1].completed if self.attempts else None

    @property
    def seconds(self) -> float | None:
        """Wall-clock seconds from start to end, None while it has not ended."""
        if self.started is None or self.completed is None:
            return None
        return (self.completed - self.started).total_seconds()

    def dpu_seconds(self, now: datetime) -> float:
        return sum(attempt.dpu_seconds(now) for attempt in self.attempts)


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
    started: datetime | None = None
    completed: datetime | None = None

    @property
    def short_id(self) -> str:
        """The beginning of its ID, enough to name it."""
        return self.run_id[:_SHORT_ID]

    @property
    def finished(self) -> bool:
        return self.status in FINAL_RUN_STATES

    @property
    def failed_nodes(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.state not in _GOING_ON)

    @property
    def succeeded(self) -> bool:
        """All nodes of the graph ran and succeeded."""
        total = self.statistics.get("TotalActions", 0)
        return (
            self.status == "COMPLETED"
            and all(node.state == SUCCEEDED for node in self.nodes)
            and not self.started_nothing
            and not any(self.statistics.get(kind) for kind in _BAD_ACTIONS)
            and self.statistics.get("SucceededActions", total) >= total
        )

    @property
    def started_nothing(self) -> bool:
        """It ended, and Glue never started a node of it."""
        return (
            self.status == "COMPLETED"
            and all(node.state == WAITING for node in self.nodes)
            and not any(self.statistics.get(kind) for kind in ("SucceededActions", *_BAD_ACTIONS))
        )

    @property
    def outcome(self) -> str:
        """Glue's status, but SUCCEEDED or FAILED for a run that is COMPLETED."""
        if self.status != "COMPLETED":
            return self.status
        return SUCCEEDED if self.succeeded else FAILED

    @property
    def snapshot(self) -> str | None:
        """The snapshot that the run writes, once its export job has chosen it."""
        return self.properties.get(settings.SNAPSHOT_TIMESTAMP)

    @property
    def items(self) -> int | None:
        """How many items it has exported, None before its snapshot is complete."""
        return _whole(self.properties.get(settings.SNAPSHOT_ITEMS))

    @property
    def bytes(self) -> int | None:
        """How many bytes they take in S3, None before its snapshot is complete."""
        return _whole(self.properties.get(settings.SNAPSHOT_BYTES))

    @property
    def seconds(self) -> float | None:
        if self.started is None or self.completed is None:
            return None
        return (self.completed - self.started).total_seconds()


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


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
        started=response.get("StartedOn"),
        completed=response.get("CompletedOn"),
    )


def _node(node: Mapping[str, Any]) -> Node:
    if node["Type"] == "JOB":
        attempts = [
            _job_attempt(job_run) for job_run in node.get("JobDetails", {}).get("JobRuns", [])
        ]
    else:
        crawls = node.get("CrawlerDetails", {}).get("Crawls", [])
        attempts = [_crawl(crawl) for crawl in crawls]
    # Glue does not promise an order of attempts.
    attempts.sort(key=lambda attempt: (attempt.number, attempt.started))
    return Node(name=node["Name"], kind=node["Type"], attempts=tuple(attempts))


def _job_attempt(run: Mapping[str, Any]) -> Attempt:
    group = run.get("LogGroupName", "")
    workers = run.get("NumberOfWorkers", 0) * _WORKER_DPU.get(run.get("WorkerType", ""), 0.0)
    return Attempt(
        # GetWorkflowRun does not name the job's command; its logs do.
        kind="pythonshell" if group.startswith(_SHELL_LOGS) else "glueetl",
        state=run["JobRunState"],
        started=run["StartedOn"],
        completed=run.get("CompletedOn"),
        error=run.get("ErrorMessage", ""),
        run_id=run.get("Id", ""),
        number=run.get("Attempt", 0),
        dpu=workers or run.get("MaxCapacity", 0.0),
        billed_dpu_seconds=run.get("DPUSeconds"),
        glue_version=run.get("GlueVersion", ""),
        execution_class=run.get("ExecutionClass", ""),
        log_group=group,
        log_stream=run.get("Id", ""),
    )


def _crawl(crawl: Mapping[str, Any]) -> Attempt:
    return Attempt(
        kind="crawler",
        state=crawl["State"],
        started=crawl["StartedOn"],
        completed=crawl.get("CompletedOn"),
        error=crawl.get("ErrorMessage", ""),
        log_group=crawl.get("LogGroup", ""),
        log_stream=crawl.get("LogStream", ""),
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


def history(
    glue: GlueClient, workflow: str, *, limit: int | None = None, nodes: bool = True
) -> list[Run]:
    """The workflow's runs, newest first, ``limit`` at most; without ``nodes`` a smaller answer.

    Glue does not document the order of its pages, so every page is read before the cut.
    """
    pages = glue.get_paginator("get_workflow_runs").paginate(Name=workflow, IncludeGraph=nodes)
    runs = [from_response(run) for page in pages for run in page["Runs"]]
    newest = sorted(
        runs, key=lambda run: run.started.timestamp() if run.started else 0.0, reverse=True
    )
    return list(itertools.islice(newest, limit))


def active(glue: GlueClient, workflow: str) -> list[Run]:
    """The workflow's runs that have not ended, newest first, without their nodes."""
    return [run for run in history(glue, workflow, nodes=False) if not run.finished]


def watch(
    glue: GlueClient,
    workflow: str,
    run_id: str,
    *,
    seconds: float = 5.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Run]:
    """Yield the run every time something in it changed, the finished run last.

    botocore has no waiters for Glue. ``seconds`` is the pause between two polls.
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
        RunFailed: names the first node that failed, with its own message.
    """
    if run.succeeded:
        return
    for node in run.failed_nodes:
        raise RunFailed(
            f"{node.name} ended {node.state}",
            hint=node.error or "see its log with: dynoexport logs TABLE",
        )
    if run.error:
        raise RunFailed(f"workflow run {run.run_id} ended {run.status}", hint=run.error)
    if run.started_nothing:
        raise RunFailed(
            f"workflow run {run.run_id} ended, but Glue started nothing in it",
            hint="if the schedule is off, switch it on and start another run: "
            "dynoexport enable TABLE",
        )
    waiting = ", ".join(node.name for node in run.nodes if node.state == WAITING)
    raise RunFailed(
        f"workflow run {run.run_id} ended {run.status}",
        hint=f"never started: {waiting}" if waiting else "see its nodes in the Glue console",
    )

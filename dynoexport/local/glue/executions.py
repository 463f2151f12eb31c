"""The nodes that a workflow run has started, and how the Glue API shows them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dynoexport.local.glue import workflows
from dynoexport.local.glue.workflows import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moto.glue.models import FakeWorkflowRun

    from dynoexport.local.glue.jobs import JobRun

Json = dict[str, Any]
# https://docs.aws.amazon.com/glue/latest/dg/crawler-running.html
LOG_GROUP = "/aws-glue/crawlers"


def now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class Crawl:
    """One run of a crawler."""

    crawler: str
    state: str = "RUNNING"
    error: str = ""
    started: datetime = field(default_factory=now)
    completed: datetime | None = None
    crawl_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    cancelled: bool = False

    def as_node(self) -> Json:
        """The crawl as a workflow's graph shows it."""
        node = {
            "State": self.state,
            "StartedOn": self.started,
            "CompletedOn": self.completed,
            "ErrorMessage": self.error or None,
            "LogGroup": LOG_GROUP,
            "LogStream": self.crawler,
        }
        return {key: value for key, value in node.items() if value is not None}

    def as_last(self) -> Json:
        """The crawl as GetCrawler shows it under LastCrawl."""
        answer = {
            "Status": self.state,
            "ErrorMessage": self.error or None,
            "LogGroup": LOG_GROUP,
            "LogStream": self.crawler,
            "MessagePrefix": self.crawl_id,
            "StartTime": self.started,
        }
        return {key: value for key, value in answer.items() if value is not None}

    def as_history(self) -> Json:
        """The crawl as ListCrawls answers it.

        https://docs.aws.amazon.com/glue/latest/webapi/API_CrawlerHistory.html
        """
        named = {"SUCCEEDED": "COMPLETED", "CANCELLED": "STOPPED"}
        answer = {
            "CrawlId": self.crawl_id,
            "State": named.get(self.state, self.state),
            "StartTime": self.started,
            "EndTime": self.completed,
            "ErrorMessage": self.error or None,
            "LogGroup": LOG_GROUP,
            "LogStream": self.crawler,
            "MessagePrefix": self.crawl_id,
        }
        return {key: value for key, value in answer.items() if value is not None}


@dataclass
class Execution:
    """One workflow run: the nodes that started, each with its attempts, and how they ended."""

    record: FakeWorkflowRun
    fired: set[str] = field(default_factory=set)
    jobs: dict[str, list[JobRun]] = field(default_factory=dict)
    crawls: dict[str, list[Crawl]] = field(default_factory=dict)
    results: dict[Node, str] = field(default_factory=dict)
    error: str = ""

    def refuse(self, message: str) -> None:
        """End a run that Glue accepts but does not start.

        https://docs.aws.amazon.com/glue/latest/webapi/API_WorkflowRun.html#Glue-Type-WorkflowRun-ErrorMessage
        """
        self.error = message
        self.record.status = "ERROR"
        self.record.completed_on = now()

    @property
    def running(self) -> bool:
        started = {Node("JOB", name) for name in self.jobs}
        started |= {Node("CRAWLER", name) for name in self.crawls}
        return bool(started - set(self.results))

    def as_dict(self, triggers: Iterable[Json]) -> Json:
        """The run as GetWorkflowRun answers it, with its graph."""
        graph = self._graph(triggers)
        states = [attempts[-1].state for attempts in self.jobs.values() if attempts]
        states += [crawls[-1].state for crawls in self.crawls.values()]
        nodes = sum(node["Type"] != "TRIGGER" for node in graph["Nodes"])
        statistics = workflows.statistics(states, nodes - len(states))
        answer = {**self.record.as_dict(), "Statistics": statistics, "Graph": graph}
        return {**answer, "ErrorMessage": self.error} if self.error else answer

    def _graph(self, triggers: Iterable[Json]) -> Json:
        return build_graph(triggers, self.jobs, self.crawls)


def build_graph(
    triggers: Iterable[Json],
    jobs: Mapping[str, list[JobRun]] | None = None,
    crawls: Mapping[str, list[Crawl]] | None = None,
) -> Json:
    """The graph that the triggers make, with the attempts of each node if it has run."""
    nodes: dict[str, Json] = {}
    edges: list[Json] = []

    def place(use: Json) -> str:
        shown = _node(use, jobs or {}, crawls or {})
        nodes[shown["UniqueId"]] = shown
        return str(shown["UniqueId"])

    for trigger in triggers:
        middle = f"TRIGGER-{trigger['Name']}"
        nodes[middle] = {
            "Type": "TRIGGER",
            "Name": trigger["Name"],
            "UniqueId": middle,
            "TriggerDetails": {"Trigger": trigger},
        }
        conditions = trigger.get("Predicate", {}).get("Conditions", [])
        edges += [
            {"SourceId": place(condition), "DestinationId": middle} for condition in conditions
        ]
        edges += [
            {"SourceId": middle, "DestinationId": place(action)} for action in trigger["Actions"]
        ]
    return {"Nodes": list(nodes.values()), "Edges": edges}


def _node(use: Json, jobs: Mapping[str, list[JobRun]], crawls: Mapping[str, list[Crawl]]) -> Json:
    node = workflows.read_node(use)
    shown: Json = {"Type": node.kind, "Name": node.name, "UniqueId": f"{node.kind}-{node.name}"}
    if node.kind == "JOB":
        attempts = [attempt.as_dict() for attempt in jobs.get(node.name, [])]
        return {**shown, "JobDetails": {"JobRuns": attempts}}
    shown_crawls = [crawl.as_node() for crawl in crawls.get(node.name, [])]
    return {**shown, "CrawlerDetails": {"Crawls": shown_crawls}}

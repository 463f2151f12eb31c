"""The next steps of a Glue workflow: pure functions on triggers as the Glue API gives them.

Nothing here knows how dynoexport builds its workflows. The endpoint reads only the deployed
triggers, so it shows if they are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Trigger = dict[str, Any]
Kind = Literal["JOB", "CRAWLER"]

START_TYPES = frozenset({"SCHEDULED", "ON_DEMAND", "EVENT"})
# https://docs.aws.amazon.com/glue/latest/webapi/API_Condition.html
FINAL_JOB_STATES = frozenset({"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR"})


@dataclass(frozen=True)
class Node:
    """A job or a crawler of a workflow."""

    kind: Kind
    name: str


def read_node(use: Mapping[str, Any]) -> Node:
    """The job or crawler of an action or a condition."""
    if use.get("JobName"):
        return Node("JOB", use["JobName"])
    return Node("CRAWLER", use["CrawlerName"])


def start_trigger(triggers: Iterable[Trigger]) -> Trigger | None:
    """The trigger that starts a workflow's runs."""
    return next((trigger for trigger in triggers if trigger["Type"] in START_TYPES), None)


def due(
    triggers: Iterable[Trigger], results: Mapping[Node, str], fired: frozenset[str]
) -> Iterator[Trigger]:
    """The conditional triggers that fire now.

    ``results`` has the final state of every node that ended in this run. A trigger fires once
    in a run, and only while it is activated.
    """
    for trigger in triggers:
        if trigger["Type"] != "CONDITIONAL" or trigger["Name"] in fired:
            continue
        if trigger["State"] == "ACTIVATED" and _holds(trigger["Predicate"], results):
            yield trigger


def followers(triggers: Iterable[Trigger], node: Node) -> Iterator[Node]:
    """What can start when the node has ended."""
    for trigger in triggers:
        conditions = trigger.get("Predicate", {}).get("Conditions", [])
        if node in map(read_node, conditions):
            yield from map(read_node, trigger["Actions"])


def _holds(predicate: Mapping[str, Any], results: Mapping[Node, str]) -> bool:
    outcomes = [
        results.get(read_node(condition)) == (condition.get("State") or condition.get("CrawlState"))
        for condition in predicate["Conditions"]
    ]
    return any(outcomes) if predicate.get("Logical") == "ANY" else all(outcomes)


def refusal(trigger: Trigger, others: Iterable[Trigger]) -> str | None:
    """The message with which CreateTrigger would refuse the trigger, or None.

    Sources: https://github.com/aws/aws-cdk/issues/34652 (logical operator),
    https://github.com/hashicorp/terraform-provider-aws/issues/39571 (predicate and action).
    CloudFormation shows "Workflow ... already has a starting trigger" for a second one.
    """
    if trigger["Type"] in START_TYPES and trigger.get("WorkflowName"):
        same = (other for other in others if other.get("WorkflowName") == trigger["WorkflowName"])
        if start_trigger(other for other in same if other["Name"] != trigger["Name"]):
            return f"Workflow {trigger['WorkflowName']} already has a starting trigger"
    conditions = trigger.get("Predicate", {}).get("Conditions", [])
    for condition in conditions:
        if not condition.get("LogicalOperator"):
            return "Logical operator cannot be null or empty"
        right, wrong = (
            ("State", "CrawlState") if condition.get("JobName") else ("CrawlState", "State")
        )
        if not condition.get(right) or condition.get(wrong):
            return f"{right} cannot be null or empty, and {wrong} cannot be set"
    watched = {condition.get("JobName") for condition in conditions} - {None}
    if watched & {action.get("JobName") for action in trigger.get("Actions", [])}:
        return "Job cannot be a Predicate and Action for Conditional Trigger."
    return None


def statistics(attempts: Iterable[str], waiting: int) -> dict[str, int]:
    """Counts of actions by state, from that of each started node; the rest waits for others."""
    keys = {
        "SUCCEEDED": "SucceededActions",
        "FAILED": "FailedActions",
        "STOPPED": "StoppedActions",
        "CANCELLED": "StoppedActions",
        "TIMEOUT": "TimeoutActions",
        "ERROR": "ErroredActions",
        "WAITING": "WaitingActions",
    }
    counts = {**dict.fromkeys([*keys.values(), "RunningActions"], 0), "WaitingActions": waiting}
    total = 0
    for state in attempts:
        counts[keys.get(state, "RunningActions")] += 1
        total += 1
    return {"TotalActions": total, **counts}

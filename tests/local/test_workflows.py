"""What fires next, what is refused, what is counted: triggers as the Glue API gives them."""

from __future__ import annotations

from typing import Any

import pytest

from dynoexport.local.glue import workflows
from dynoexport.local.glue.workflows import Node

EXPORT = Node("JOB", "export")
OTHER = Node("JOB", "other")
CRAWL = Node("CRAWLER", "crawl")

AFTER_EXPORT = {"LogicalOperator": "EQUALS", "JobName": "export", "State": "SUCCEEDED"}
AFTER_OTHER = {"LogicalOperator": "EQUALS", "JobName": "other", "State": "SUCCEEDED"}
AFTER_CRAWL = {"LogicalOperator": "EQUALS", "CrawlerName": "crawl", "CrawlState": "SUCCEEDED"}


def conditional(*conditions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    logical = fields.pop("Logical", "AND")
    return {
        "Name": "next",
        "Type": "CONDITIONAL",
        "State": "ACTIVATED",
        "WorkflowName": "w",
        "Predicate": {"Logical": logical, "Conditions": list(conditions)},
        "Actions": [{"JobName": "publish"}],
        **fields,
    }


def starting(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "SCHEDULED",
        "State": "ACTIVATED",
        "Schedule": "cron(0 10 * * ? *)",
        "WorkflowName": "w",
        "Actions": [{"JobName": "export"}],
        **fields,
    }


def fires(trigger: dict[str, Any], results: dict[Node, str], *fired: str) -> bool:
    return list(workflows.due([trigger], results, frozenset(fired))) == [trigger]


def test_a_trigger_waits_for_the_state_it_names() -> None:
    """Neither an unfinished node nor another outcome fires it."""
    assert not fires(conditional(AFTER_EXPORT), {})
    assert not fires(conditional(AFTER_EXPORT), {EXPORT: "FAILED"})
    assert fires(conditional(AFTER_EXPORT), {EXPORT: "SUCCEEDED"})


def test_a_trigger_can_wait_for_a_failure() -> None:
    """SUCCEEDED is a state like any other."""
    watching = conditional({**AFTER_EXPORT, "State": "FAILED"})
    assert fires(watching, {EXPORT: "FAILED"})
    assert not fires(watching, {EXPORT: "SUCCEEDED"})


def test_a_crawler_is_not_a_job_of_the_same_name() -> None:
    """A condition on a crawler looks at crawls alone."""
    assert fires(conditional(AFTER_CRAWL), {CRAWL: "SUCCEEDED"})
    assert not fires(conditional(AFTER_CRAWL), {Node("JOB", "crawl"): "SUCCEEDED"})


@pytest.mark.parametrize(("logical", "fired"), [("AND", False), ("ANY", True)])
def test_any_needs_one_condition_and_needs_all(logical: str, fired: bool) -> None:
    """With one of two conditions met, only ANY fires."""
    trigger = conditional(AFTER_EXPORT, AFTER_OTHER, Logical=logical)
    assert fires(trigger, {EXPORT: "SUCCEEDED", OTHER: "FAILED"}) is fired
    assert fires(trigger, {EXPORT: "SUCCEEDED", OTHER: "SUCCEEDED"})


@pytest.mark.parametrize("state", ["CREATED", "DEACTIVATED"])
def test_only_an_activated_trigger_fires(state: str) -> None:
    """One created without StartOnCreation, or stopped since, stays silent."""
    assert not fires(conditional(AFTER_EXPORT, State=state), {EXPORT: "SUCCEEDED"})


def test_a_trigger_fires_once_in_a_run() -> None:
    """The names that fired are left out."""
    assert not fires(conditional(AFTER_EXPORT), {EXPORT: "SUCCEEDED"}, "next")


def test_a_start_trigger_is_never_due() -> None:
    """It starts a run and takes no part in it."""
    assert not fires(starting("start"), {EXPORT: "SUCCEEDED"})


@pytest.mark.parametrize("kind", ["SCHEDULED", "ON_DEMAND", "EVENT"])
def test_the_start_trigger_is_the_one_without_a_predicate(kind: str) -> None:
    """Conditional triggers are passed over."""
    start = starting("start", Type=kind)
    assert workflows.start_trigger([conditional(AFTER_EXPORT), start]) == start
    assert workflows.start_trigger([conditional(AFTER_EXPORT)]) is None


def test_a_second_start_trigger_is_refused() -> None:
    """A workflow has one, whatever its type."""
    said = workflows.refusal(starting("two", Type="ON_DEMAND"), [starting("one")])
    assert said == "Workflow w already has a starting trigger"


def test_a_start_trigger_does_not_stand_in_its_own_way() -> None:
    """An update of it, another workflow's, and one of no workflow are allowed."""
    assert workflows.refusal(starting("one"), [starting("one")]) is None
    assert workflows.refusal(starting("two", WorkflowName="v"), [starting("one")]) is None
    assert workflows.refusal(starting("two", WorkflowName=""), [starting("one")]) is None


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"JobName": "export", "State": "SUCCEEDED"}, "Logical operator cannot be null or empty"),
        ({"LogicalOperator": "EQUALS", "JobName": "export"}, "State cannot be null"),
        ({"LogicalOperator": "EQUALS", "CrawlerName": "crawl"}, "CrawlState cannot be null"),
        ({**AFTER_EXPORT, "CrawlState": "SUCCEEDED"}, "CrawlState cannot be set"),
        ({**AFTER_CRAWL, "State": "SUCCEEDED"}, "State cannot be set"),
    ],
)
def test_a_condition_that_glue_would_refuse_is_refused(condition: Any, said: str) -> None:
    """Jobs have State, crawlers CrawlState, both a LogicalOperator."""
    assert said in str(workflows.refusal(conditional(condition), []))


def test_a_job_cannot_follow_itself() -> None:
    """One trigger cannot watch and start the same job."""
    looped = conditional(AFTER_EXPORT, Actions=[{"JobName": "export"}])
    assert "Predicate and Action" in str(workflows.refusal(looped, []))
    assert workflows.refusal(conditional(AFTER_EXPORT, AFTER_CRAWL), []) is None


def test_statistics_count_each_node_once_by_its_outcome() -> None:
    """A cancelled crawl is stopped. Each node that has not ended is running."""
    states = ["SUCCEEDED"] * 2 + ["FAILED", "STOPPED", "CANCELLED", "TIMEOUT", "ERROR", "RUNNING"]
    assert workflows.statistics(states, waiting=3) == {
        "TotalActions": 8,
        "SucceededActions": 2,
        "FailedActions": 1,
        "StoppedActions": 2,
        "TimeoutActions": 1,
        "ErroredActions": 1,
        "RunningActions": 1,
        "WaitingActions": 3,
    }

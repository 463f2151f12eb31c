"""Workflow graphs that AWS Glue would refuse, or accepts but could never run.

Glue and CloudFormation report these faults late: some when a trigger is created, some never.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dynoexport import limits
from dynoexport.errors import GraphRefused, ScheduleRefused
from dynoexport.workflow import schedule
from dynoexport.workflow.pipeline import (
    CONDITIONAL,
    CRAWL_STATES,
    EQUALS,
    JOB_STATES,
    ON_DEMAND,
    SCHEDULED,
    TRIGGER_TYPES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.workflow.pipeline import Action, Condition, Graph, Trigger


def check_graph(graph: Graph) -> None:
    """Refuse a graph that AWS Glue would refuse or that could never run to its end.

    If AWS has a message for the fault, the error uses it.

    Raises:
        GraphRefused: naming the trigger and the fault.
    """
    for trigger in graph.triggers:
        _check_references(graph, trigger)
        _check_type(trigger)
        _check_activation(trigger)
        for condition in trigger.conditions:
            _check_condition(trigger, condition)
        _check_actions(trigger)
    _check_start_triggers(graph)
    _check_circles(graph)


def _refuse(trigger: Trigger, what: str, hint: str) -> GraphRefused:
    return GraphRefused(f"{trigger.name}: {what}", hint=hint)


def _check_references(graph: Graph, trigger: Trigger) -> None:
    """Glue creates a trigger that names a missing job, but the trigger starts nothing."""
    if trigger.workflow not in graph.workflows:
        raise _refuse(
            trigger,
            f"workflow {trigger.workflow} is not in the template",
            "a trigger without a workflow does not belong to its runs",
        )
    uses: tuple[Action | Condition, ...] = (*trigger.actions, *trigger.conditions)
    for use in uses:
        if use.job is not None and use.job not in graph.jobs:
            raise _refuse(trigger, f"job {use.job} is not in the template", "correct its name")
        if use.crawler is not None and use.crawler not in graph.crawlers:
            raise _refuse(
                trigger, f"crawler {use.crawler} is not in the template", "correct its name"
            )


def _check_type(trigger: Trigger) -> None:
    if trigger.type not in TRIGGER_TYPES:
        raise _refuse(
            trigger,
            f"{trigger.type!r} is not a trigger type",
            f"choose one of {', '.join(TRIGGER_TYPES)}",
        )
    if trigger.type == CONDITIONAL and not trigger.conditions:
        raise _refuse(trigger, "a conditional trigger waits for nothing", "give it a predicate")
    if trigger.type == SCHEDULED:
        try:
            schedule.check(trigger.schedule or "")
        except ScheduleRefused as refused:
            raise _refuse(trigger, refused.what, refused.hint) from refused


def _check_activation(trigger: Trigger) -> None:
    """A conditional trigger that was not started with its creation never fires.

    https://docs.aws.amazon.com/glue/latest/webapi/API_CreateTrigger.html#Glue-CreateTrigger-request-StartOnCreation
    """
    if trigger.type == CONDITIONAL and trigger.start_on_creation is not True:
        raise _refuse(
            trigger,
            "would be created inactive and never fire",
            "set StartOnCreation to true on every trigger that does not start the workflow",
        )
    # "True is not supported for ON_DEMAND triggers" (same page).
    if trigger.type == ON_DEMAND and trigger.start_on_creation is not False:
        raise _refuse(
            trigger,
            "StartOnCreation: true is not supported for ON_DEMAND triggers",
            "leave StartOnCreation out",
        )


def _check_condition(trigger: Trigger, condition: Condition) -> None:
    if (condition.job is None) == (condition.crawler is None):
        raise _refuse(
            trigger, "a condition watches one job or one crawler", "set JobName or CrawlerName"
        )
    # The words of the service: https://github.com/aws/aws-cdk/issues/34652
    if condition.logical_operator is None:
        raise _refuse(
            trigger, "Logical operator cannot be null or empty", "set LogicalOperator: EQUALS"
        )
    if condition.logical_operator != EQUALS:
        raise _refuse(
            trigger,
            f"LogicalOperator {condition.logical_operator} is not known",
            "set LogicalOperator: EQUALS",
        )
    if condition.job is not None:
        _check_state(trigger, "job", JOB_STATES, condition.state, condition.crawl_state)
    else:
        _check_state(trigger, "crawler", CRAWL_STATES, condition.crawl_state, condition.state)


def _check_state(
    trigger: Trigger, node: str, states: tuple[str, ...], state: str | None, foreign: str | None
) -> None:
    """Check that only the right one of ``State`` and ``CrawlState`` is set.

    The service reports it only when the trigger is created. Its message for a crawler with a
    ``State``: https://github.com/aws/aws-cdk/issues/24575
    """
    right, wrong = ("State", "CrawlState") if node == "job" else ("CrawlState", "State")
    if state is None:
        raise _refuse(
            trigger,
            "State cannot be null or empty, choose from one of the following "
            f"{node} state: [{', '.join(states)}]",
            f"a condition on a {node} needs {right}",
        )
    if foreign is not None:
        raise _refuse(trigger, f"a condition on a {node} cannot have {wrong}", f"use {right} alone")
    if state not in states:
        raise _refuse(
            trigger,
            f"a trigger cannot listen for the {node} state {state}",
            f"choose one of {', '.join(states)}",
        )


def _check_actions(trigger: Trigger) -> None:
    for action in trigger.actions:
        if (action.job is None) == (action.crawler is None):
            raise _refuse(
                trigger, "an action starts one job or one crawler", "set JobName or CrawlerName"
            )
    if not trigger.actions:
        raise _refuse(trigger, "starts nothing", "give it an action")
    # The words of the service: https://github.com/hashicorp/terraform-provider-aws/issues/39571
    if {action.job for action in trigger.actions} & {
        condition.job for condition in trigger.conditions if condition.job is not None
    }:
        raise _refuse(
            trigger,
            "Job cannot be a Predicate and Action for Conditional Trigger.",
            "let the trigger start another job than it waits for",
        )
    crawlers = [action.crawler for action in trigger.actions if action.crawler is not None]
    if len(crawlers) > limits.GLUE_CRAWLERS_PER_TRIGGER:
        # https://docs.aws.amazon.com/glue/latest/dg/about-triggers.html
        raise _refuse(
            trigger,
            "Only two crawlers can be activated by a single trigger",
            "give one crawler several data stores instead",
        )


def _check_start_triggers(graph: Graph) -> None:
    """Every workflow has exactly one trigger that starts it."""
    starts = Counter(trigger.workflow for trigger in graph.triggers if trigger.type != CONDITIONAL)
    for workflow in sorted(graph.workflows):
        if starts[workflow] > 1:
            raise GraphRefused(
                f"Workflow {workflow} already has a starting trigger",
                hint="make all triggers but one conditional",
            )
        if starts[workflow] == 0:
            raise GraphRefused(
                f"workflow {workflow} has no starting trigger", hint="nothing could start its runs"
            )


def _check_circles(graph: Graph) -> None:
    """Refuse a graph whose run would start a node again and so never end."""
    edges = list(_edges(graph))
    reached = {(source, target) for source, target, _ in edges}
    while True:
        further = {(a, d) for a, b in reached for c, d in reached if b == c} - reached
        if not further:
            break
        reached |= further
    for source, target, trigger in edges:
        if (target, source) in reached or source == target:
            raise _refuse(
                trigger,
                f"circular trigger: {source[1]} starts again because of {target[1]}",
                "a workflow run must come to an end",
            )


_Node = tuple[str, str]


def _edges(graph: Graph) -> Iterator[tuple[_Node, _Node, Trigger]]:
    """What is watched, what it starts, and the trigger between; jobs and crawlers apart."""
    for trigger in graph.triggers:
        for condition in trigger.conditions:
            for action in trigger.actions:
                yield _node(condition), _node(action), trigger


def _node(use: Action | Condition) -> _Node:
    return ("job", use.job) if use.job is not None else ("crawler", use.crawler or "")

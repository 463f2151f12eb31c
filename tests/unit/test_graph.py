"""What AWS Glue would refuse is refused before a template is written, in AWS's words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynoexport import settings
from dynoexport.errors import GraphRefused
from dynoexport.workflow.graph import check_graph
from dynoexport.workflow.pipeline import (
    CRAWL_TRIGGER,
    CRAWLER,
    EXPORT_JOB,
    ON_DEMAND,
    PUBLISH_TRIGGER,
    START_TRIGGER,
    VIEW_JOB,
    Action,
    Condition,
    Graph,
    Trigger,
    crawl_succeeded,
    export_pipeline,
    job_succeeded,
)

PIPELINE = export_pipeline(default_schedule=settings.DEFAULT_SCHEDULE)


def changed(name: str, **change: object) -> Graph:
    """The pipeline with one trigger changed."""
    triggers = tuple(
        replace(trigger, **change) if trigger.name == name else trigger
        for trigger in PIPELINE.triggers
    )
    return replace(PIPELINE, triggers=triggers)


def added(*triggers: Trigger) -> Graph:
    return replace(PIPELINE, triggers=(*PIPELINE.triggers, *triggers))


def refusal(graph: Graph) -> str:
    with pytest.raises(GraphRefused) as refused:
        check_graph(graph)
    assert refused.value.hint
    return refused.value.what


def test_the_pipeline_is_accepted() -> None:
    check_graph(PIPELINE)


def test_the_pipeline_of_a_format_without_view_is_accepted() -> None:
    """As deployed for xml: no view job, and no trigger that starts it."""
    check_graph(replace(PIPELINE, jobs=frozenset({EXPORT_JOB}), triggers=PIPELINE.triggers[:2]))


def test_a_job_condition_needs_a_state() -> None:
    watching = replace(job_succeeded(EXPORT_JOB), state=None)
    assert refusal(changed(CRAWL_TRIGGER, conditions=(watching,))) == (
        "CrawlTrigger: State cannot be null or empty, choose from one of the following job "
        "state: [SUCCEEDED, STOPPED, FAILED, TIMEOUT]"
    )


def test_a_crawler_condition_needs_a_crawl_state() -> None:
    """The error has the service's words, even if the condition has a job's State instead."""
    for state in (None, "SUCCEEDED"):
        watching = replace(crawl_succeeded(CRAWLER), crawl_state=None, state=state)
        assert refusal(changed(PUBLISH_TRIGGER, conditions=(watching,))) == (
            "PublishTrigger: State cannot be null or empty, choose from one of the following "
            "crawler state: [SUCCEEDED, FAILED, CANCELLED]"
        )


def test_a_job_condition_has_no_crawl_state() -> None:
    watching = replace(job_succeeded(EXPORT_JOB), crawl_state="SUCCEEDED")
    assert refusal(changed(CRAWL_TRIGGER, conditions=(watching,))) == (
        "CrawlTrigger: a condition on a job cannot have CrawlState"
    )


def test_a_crawler_condition_has_no_job_state() -> None:
    watching = replace(crawl_succeeded(CRAWLER), state="SUCCEEDED")
    assert refusal(changed(PUBLISH_TRIGGER, conditions=(watching,))) == (
        "PublishTrigger: a condition on a crawler cannot have State"
    )


def test_a_state_must_be_one_that_triggers_can_listen_for() -> None:
    watching = replace(job_succeeded(EXPORT_JOB), state="RUNNING")
    assert refusal(changed(CRAWL_TRIGGER, conditions=(watching,))) == (
        "CrawlTrigger: a trigger cannot listen for the job state RUNNING"
    )


def test_a_condition_needs_a_logical_operator() -> None:
    watching = replace(crawl_succeeded(CRAWLER), logical_operator=None)
    assert refusal(changed(PUBLISH_TRIGGER, conditions=(watching,))) == (
        "PublishTrigger: Logical operator cannot be null or empty"
    )


def test_the_logical_operator_is_equals() -> None:
    watching = replace(crawl_succeeded(CRAWLER), logical_operator="NOT_EQUALS")
    assert refusal(changed(PUBLISH_TRIGGER, conditions=(watching,))) == (
        "PublishTrigger: LogicalOperator NOT_EQUALS is not known"
    )


def test_a_condition_watches_exactly_one_node() -> None:
    both = replace(job_succeeded(EXPORT_JOB), crawler=CRAWLER)
    for watching in (both, Condition(state="SUCCEEDED", logical_operator="EQUALS")):
        assert refusal(changed(CRAWL_TRIGGER, conditions=(watching,))) == (
            "CrawlTrigger: a condition watches one job or one crawler"
        )


def test_an_action_starts_exactly_one_node() -> None:
    for action in (Action(), Action(job=VIEW_JOB, crawler=CRAWLER)):
        assert refusal(changed(PUBLISH_TRIGGER, actions=(action,))) == (
            "PublishTrigger: an action starts one job or one crawler"
        )


def test_a_job_is_not_predicate_and_action_of_one_trigger() -> None:
    assert refusal(changed(CRAWL_TRIGGER, actions=(Action(job=EXPORT_JOB),))) == (
        "CrawlTrigger: Job cannot be a Predicate and Action for Conditional Trigger."
    )


def test_at_most_two_crawlers_a_trigger() -> None:
    names = ("One", "Two", "Three")
    graph = changed(CRAWL_TRIGGER, actions=tuple(Action(crawler=name) for name in names))
    graph = replace(graph, crawlers=frozenset({CRAWLER, *names}))
    assert refusal(graph) == (
        "CrawlTrigger: Only two crawlers can be activated by a single trigger"
    )


def test_two_crawlers_a_trigger_are_accepted() -> None:
    graph = changed(CRAWL_TRIGGER, actions=(Action(crawler=CRAWLER), Action(crawler="Other")))
    check_graph(replace(graph, crawlers=frozenset({CRAWLER, "Other"})))


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("every day", "is not a Glue schedule"),
        ("cron(0 10 * * ?)", "is not a Glue schedule"),
        ("cron(0 25 * * ? *)", "is not a Glue schedule"),
        ("cron(0/4 * * * ? *)", "fires every 4 minutes"),
        ("cron(58,0 * * * ? *)", "fires every 2 minutes"),
        (None, "is not a Glue schedule"),
    ],
)
def test_the_schedule_must_be_one_of_glue(schedule: str | None, reason: str) -> None:
    reported = refusal(changed(START_TRIGGER, schedule=schedule))
    assert reported.startswith("StartTrigger: ")
    assert reason in reported


def test_a_trigger_type_must_be_known() -> None:
    assert refusal(changed(START_TRIGGER, type="DAILY")) == (
        "StartTrigger: 'DAILY' is not a trigger type"
    )


def test_a_conditional_trigger_waits_for_something() -> None:
    assert refusal(changed(CRAWL_TRIGGER, conditions=())) == (
        "CrawlTrigger: a conditional trigger waits for nothing"
    )


def test_a_trigger_starts_something() -> None:
    assert refusal(changed(CRAWL_TRIGGER, actions=())) == "CrawlTrigger: starts nothing"


@pytest.mark.parametrize("flag", [False, None])
def test_a_conditional_trigger_is_active_from_its_creation(flag: bool | None) -> None:
    """Under every condition of the template: one that is only sometimes active is refused too."""
    assert refusal(changed(PUBLISH_TRIGGER, start_on_creation=flag)) == (
        "PublishTrigger: would be created inactive and never fire"
    )


@pytest.mark.parametrize("flag", [True, None])
def test_an_on_demand_trigger_is_not_started_on_creation(flag: bool | None) -> None:
    assert refusal(changed(START_TRIGGER, type=ON_DEMAND, start_on_creation=flag)) == (
        "StartTrigger: StartOnCreation: true is not supported for ON_DEMAND triggers"
    )


def test_an_on_demand_start_is_accepted() -> None:
    check_graph(changed(START_TRIGGER, type=ON_DEMAND, schedule=None, start_on_creation=False))


@pytest.mark.parametrize(
    ("graph", "reported"),
    [
        (
            changed(CRAWL_TRIGGER, conditions=(job_succeeded("Gone"),)),
            "CrawlTrigger: job Gone is not in the template",
        ),
        (
            changed(PUBLISH_TRIGGER, actions=(Action(job="Gone"),)),
            "PublishTrigger: job Gone is not in the template",
        ),
        (
            changed(CRAWL_TRIGGER, actions=(Action(crawler="Gone"),)),
            "CrawlTrigger: crawler Gone is not in the template",
        ),
        (
            changed(PUBLISH_TRIGGER, conditions=(crawl_succeeded("Gone"),)),
            "PublishTrigger: crawler Gone is not in the template",
        ),
        (
            changed(START_TRIGGER, workflow="Gone"),
            "StartTrigger: workflow Gone is not in the template",
        ),
        (
            changed(START_TRIGGER, workflow=None),
            "StartTrigger: workflow None is not in the template",
        ),
    ],
)
def test_every_reference_must_exist(graph: Graph, reported: str) -> None:
    assert refusal(graph) == reported


def test_a_workflow_has_one_start_trigger() -> None:
    second = replace(PIPELINE.triggers[0], name="Second")
    assert refusal(added(second)) == "Workflow Workflow already has a starting trigger"


def test_a_workflow_has_a_start_trigger() -> None:
    assert refusal(replace(PIPELINE, triggers=PIPELINE.triggers[1:])) == (
        "workflow Workflow has no starting trigger"
    )


def test_a_circle_of_triggers_is_refused() -> None:
    """The view job's success would start the export again, without an end."""
    back = replace(
        PIPELINE.triggers[2],
        name="Again",
        conditions=(job_succeeded(VIEW_JOB),),
        actions=(Action(job=EXPORT_JOB),),
    )
    assert "circular trigger" in refusal(added(back))


def test_a_crawler_that_starts_itself_is_refused() -> None:
    assert refusal(changed(PUBLISH_TRIGGER, actions=(Action(crawler=CRAWLER),))) == (
        "PublishTrigger: circular trigger: Crawler starts again because of Crawler"
    )


def test_two_ways_to_one_node_are_no_circle() -> None:
    """A diamond ends, so it is accepted."""
    other = replace(
        PIPELINE.triggers[2],
        name="Other",
        conditions=(job_succeeded(EXPORT_JOB),),
        actions=(Action(job=VIEW_JOB),),
    )
    check_graph(added(other))

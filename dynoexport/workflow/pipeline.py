"""The workflow as plain values: its nodes and their order.

``export_pipeline`` is the one description of export -> crawl -> publish, also without the crawl;
the template builder turns it into triggers. ``read_graph`` goes the other way, from a finished
template back to the same values, which ``dynoexport.workflow.graph`` checks: it checks what is
shipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynoexport.errors import GraphRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

# Logical IDs, which are also the nodes' names here.
WORKFLOW = "Workflow"
EXPORT_JOB = "ExportJob"
CRAWLER = "Crawler"
VIEW_JOB = "ViewJob"
START_TRIGGER = "StartTrigger"
CRAWL_TRIGGER = "CrawlTrigger"
PUBLISH_TRIGGER = "PublishTrigger"

SCHEDULED = "SCHEDULED"
CONDITIONAL = "CONDITIONAL"
ON_DEMAND = "ON_DEMAND"
EVENT = "EVENT"
TRIGGER_TYPES = (SCHEDULED, CONDITIONAL, ON_DEMAND, EVENT)

# The states that a trigger can listen for:
# https://docs.aws.amazon.com/glue/latest/webapi/API_Condition.html
JOB_STATES = ("SUCCEEDED", "STOPPED", "FAILED", "TIMEOUT")
CRAWL_STATES = ("SUCCEEDED", "FAILED", "CANCELLED")
SUCCEEDED = "SUCCEEDED"
EQUALS = "EQUALS"


@dataclass(frozen=True, kw_only=True)
class Action:
    """What a trigger starts: a job or a crawler, by logical ID."""

    job: str | None = None
    crawler: str | None = None


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a conditional trigger waits for.

    ``job_succeeded`` and ``crawl_succeeded`` make valid ones. Every field is optional, as it is
    in a template, so that a faulty template can be read.
    """

    job: str | None = None
    state: str | None = None
    crawler: str | None = None
    crawl_state: str | None = None
    logical_operator: str | None = None


def job_succeeded(job: str) -> Condition:
    """The condition that the job succeeded."""
    return Condition(job=job, state=SUCCEEDED, logical_operator=EQUALS)


def crawl_succeeded(crawler: str) -> Condition:
    """The condition that the crawl succeeded."""
    return Condition(crawler=crawler, crawl_state=SUCCEEDED, logical_operator=EQUALS)


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """An edge of the workflow's graph.

    ``start_on_creation`` is ``None`` if it depends on a condition of the template, as the start
    trigger's does.
    """

    name: str
    type: str
    actions: tuple[Action, ...]
    conditions: tuple[Condition, ...] = ()
    workflow: str | None = WORKFLOW
    schedule: str | None = None
    start_on_creation: bool | None = False


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes by logical ID, and the triggers between them."""

    workflows: frozenset[str] = frozenset({WORKFLOW})
    jobs: frozenset[str]
    crawlers: frozenset[str]
    triggers: tuple[Trigger, ...]


def export_pipeline(*, default_schedule: str, crawled: bool = True) -> Graph:
    """Export, then crawl, then publish, each only if the one before succeeded.

    Without a crawl, publish follows the export. For a format that Athena cannot read, the template
    leaves out ``PublishTrigger`` and ``ViewJob`` by a condition; the chain then ends before them.
    """
    start = Trigger(
        name=START_TRIGGER,
        type=SCHEDULED,
        actions=(Action(job=EXPORT_JOB),),
        schedule=default_schedule,
        start_on_creation=None,
    )
    crawl = Trigger(
        name=CRAWL_TRIGGER,
        type=CONDITIONAL,
        actions=(Action(crawler=CRAWLER),),
        conditions=(job_succeeded(EXPORT_JOB),),
        start_on_creation=True,
    )
    publish = Trigger(
        name=PUBLISH_TRIGGER,
        type=CONDITIONAL,
        actions=(Action(job=VIEW_JOB),),
        conditions=(crawl_succeeded(CRAWLER) if crawled else job_succeeded(EXPORT_JOB),),
        start_on_creation=True,
    )
    return Graph(
        jobs=frozenset({EXPORT_JOB, VIEW_JOB}),
        crawlers=frozenset({CRAWLER} if crawled else ()),
        triggers=(start, crawl, publish) if crawled else (start, publish),
    )


# --- reading a finished template ---------------------------------------------------------------
def read_graph(template: Mapping[str, Any], **conditions: bool) -> Graph:
    """The workflow of a CloudFormation template given as a dictionary.

    ``conditions`` are the template's conditions that decide about triggers, and whether they hold.
    A ``Ref`` to a parameter is read as the parameter's default, which is what gets deployed unless
    a user sets another value.

    Raises:
        GraphRefused: a value that the check needs is neither a literal nor a ``Ref``.
    """
    resources: Mapping[str, Mapping[str, Any]] = {
        name: item
        for name, item in template.get("Resources", {}).items()
        if conditions.get(item.get("Condition"), True)
    }
    parameters = template.get("Parameters", {})

    def named(kind: str) -> frozenset[str]:
        return frozenset(name for name, item in resources.items() if item["Type"] == kind)

    return Graph(
        workflows=named("AWS::Glue::Workflow"),
        jobs=named("AWS::Glue::Job"),
        crawlers=named("AWS::Glue::Crawler"),
        triggers=tuple(
            _read_trigger(name, _decided(item.get("Properties", {}), conditions), parameters)
            for name, item in resources.items()
            if item["Type"] == "AWS::Glue::Trigger"
        ),
    )


def _decided(value: Any, conditions: Mapping[str, bool]) -> Any:  # noqa: ANN401 - JSON
    """The value with the right branch of each ``Fn::If`` on these conditions."""
    match value:
        case {"Fn::If": [str(name), if_true, if_false]} if name in conditions:
            return _decided(if_true if conditions[name] else if_false, conditions)
        case dict():
            return {key: _decided(inner, conditions) for key, inner in value.items()}
        case list():
            return [_decided(inner, conditions) for inner in value]
    return value


def _read_trigger(
    name: str, properties: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Trigger:
    def read(value: object) -> str | None:
        return _text(value, parameters, where=name)

    return Trigger(
        name=name,
        type=read(properties.get("Type")) or "",
        workflow=read(properties.get("WorkflowName")),
        schedule=read(properties.get("Schedule")),
        start_on_creation=_flag(properties.get("StartOnCreation", False)),
        actions=tuple(
            Action(job=read(action.get("JobName")), crawler=read(action.get("CrawlerName")))
            for action in properties.get("Actions", [])
        ),
        conditions=tuple(
            Condition(
                job=read(condition.get("JobName")),
                state=read(condition.get("State")),
                crawler=read(condition.get("CrawlerName")),
                crawl_state=read(condition.get("CrawlState")),
                logical_operator=read(condition.get("LogicalOperator")),
            )
            for condition in properties.get("Predicate", {}).get("Conditions", [])
        ),
    )


def _text(value: object, parameters: Mapping[str, Any], *, where: str) -> str | None:
    match value:
        case None | str():
            return value
        case {"Ref": str(name)} if name in parameters:
            return str(parameters[name].get("Default", ""))
        case {"Ref": str(name)}:
            return name
        case _:
            raise GraphRefused(
                f"{where}: {value!r} cannot be checked", hint="write a literal value or a Ref"
            )


def _flag(value: object) -> bool | None:
    """``None`` if the flag depends on a condition of the template."""
    return value if isinstance(value, bool) else None

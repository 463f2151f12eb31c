"""Results for programs: what ``--output json`` prints.

A result whose keys are its own describes them in its fields (``model.described``). The records
here are for results whose JSON also needs the time, prices, or parts of other results: each entry
has its meaning and its value.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dynoexport.model import Key
from dynoexport.planning import alternatives
from dynoexport.planning import prices as price_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport.aws.workflow_runs import Node, Run
    from dynoexport.operations.logs import LogLine
    from dynoexport.operations.plan import Planned
    from dynoexport.operations.status import ExportStatus
    from dynoexport.planning.explain import Explanation, Figure
    from dynoexport.planning.prices import Prices

Json = dict[str, Any]
Source = TypeVar("Source")


# --- any result -----------------------------------------------------------------------------------
def keys(kind: type) -> dict[str, Key]:
    """What a class describes, by attribute, in the order of its JSON."""
    described: dict[str, Key] = {
        attribute.name: attribute.metadata["key"]
        for attribute in fields(kind)
        if "key" in attribute.metadata
    }
    order = list(described)
    for name, attribute in vars(kind).items():
        key = vars(attribute.fget).get("key") if isinstance(attribute, property) else None
        if isinstance(key, Key):
            order.insert(order.index(key.after) + 1, name)
            described[name] = key
    return {name: described[name] for name in order}


def to_json(value: object) -> Any:  # noqa: ANN401 - JSON
    """A result, or a part of one, as JSON has it; times in UTC."""
    if is_dataclass(value):
        return {
            key.name or name: to_json(getattr(value, name))
            for name, key in keys(type(value)).items()
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        # boto3 gives times in the zone of the machine.
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, list | tuple):
        return [to_json(element) for element in value]
    return value


@dataclass(frozen=True)
class Entry(Generic[Source]):
    """A key of a record: what it means, and its value from the record's source."""

    meaning: str
    value: Callable[[Source], object]


class Record(Generic[Source]):
    """The JSON of a source: its entries, and those of the record that it extends."""

    @classmethod
    def entries(cls) -> dict[str, Entry[Source]]:
        return {
            name: entry
            for base in reversed(cls.__mro__)
            for name, entry in vars(base).items()
            if isinstance(entry, Entry)
        }

    @classmethod
    def of(cls, source: Source) -> Json:
        return {name: to_json(entry.value(source)) for name, entry in cls.entries().items()}


# --- runs -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class NodeNow:
    """A node at a moment."""

    node: Node
    now: datetime


_node = Entry[NodeNow]


class NodeRecord(Record[NodeNow]):
    name = _node("name of the job or crawler", lambda at: at.node.name)
    kind = _node("job or crawler", lambda at: at.node.kind.lower())
    state = _node(
        "state of the last attempt as Glue names it, WAITING before the first",
        lambda at: at.node.state,
    )
    attempts = _node("number of attempts", lambda at: len(at.node.attempts))
    started = _node("start of the first attempt, or null", lambda at: at.node.started)
    completed = _node("end of the last attempt, or null", lambda at: at.node.completed)
    seconds = _node(
        "wall-clock seconds over all attempts, or null while it runs", lambda at: at.node.seconds
    )
    dpu_seconds = _node(
        "DPU-seconds of all attempts", lambda at: round(at.node.dpu_seconds(at.now), 1)
    )
    error = _node("message of the last attempt, or null", lambda at: at.node.error or None)


@dataclass(frozen=True)
class RunNow:
    """A run at a moment, with the prices of its region."""

    run: Run
    prices: Prices
    now: datetime


_run = Entry[RunNow]


class LastRunRecord(Record[RunNow]):
    run_id = _run("ID of the workflow run", lambda at: at.run.run_id)
    workflow = _run("name of the workflow", lambda at: at.run.workflow)
    state = _run(
        "RUNNING, STOPPING, SUCCEEDED, FAILED, STOPPED or ERROR (refused by Glue)",
        lambda at: at.run.outcome,
    )
    error = _run("Glue's message about the run, or null", lambda at: at.run.error or None)
    started = _run("start of the run, or null", lambda at: at.run.started)
    completed = _run("end of the run, or null while it runs", lambda at: at.run.completed)
    seconds = _run("wall-clock seconds from start to end, or null", lambda at: at.run.seconds)
    snapshot = _run(
        "snapshot that the run writes, or null until its export job has chosen it",
        lambda at: at.run.snapshot,
    )
    items = _run("exported items, or null before the snapshot is complete", lambda at: at.run.items)
    bytes = _run("size of its files in S3 in bytes, or null", lambda at: at.run.bytes)
    dpu_seconds = _run(
        "DPU-seconds of its jobs so far",
        lambda at: round(sum(node.dpu_seconds(at.now) for node in at.run.nodes), 1),
    )
    cost_usd = _run(
        "dollars for its jobs and crawl, at the prices of prices.json",
        lambda at: round(price_list.cost(at.run, at.prices, at.now), 4),
    )


class RunRecord(LastRunRecord):
    nodes = _run(
        "list of its jobs and crawlers, in the order of the workflow",
        lambda at: [NodeRecord.of(NodeNow(node, at.now)) for node in at.run.nodes],
    )


@dataclass(frozen=True)
class FigureNow:
    """A figure with the explanation of its run."""

    figure: Figure
    explanation: Explanation


_figure = Entry[FigureNow]


class FigureRecord(Record[FigureNow]):
    name = _figure(
        "run, export job, start, read, write, crawl, view job, read units, billed, files or "
        "Glue's cost",
        lambda of: of.figure.name,
    )
    unit = _figure("s, units, DPU-s, bytes or USD", lambda of: of.figure.unit)
    planned = _figure("planned value", lambda of: round(of.figure.planned, 4))
    real = _figure(
        "real value, or null if it was not recorded", lambda of: _rounded(of.figure.real, 4)
    )
    ratio = _figure("real / planned, or null", lambda of: _rounded(of.figure.ratio, 3))
    off = _figure(
        "whether the plan was off by more than two times, and by an amount that matters",
        lambda of: of.figure.off,
    )
    reasons = _figure(
        "list of possible reasons, each a sentence",
        lambda of: [
            reason.text for reason in of.explanation.reasons if of.figure.name in reason.figures
        ],
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


@dataclass(frozen=True)
class ExplainedNow(RunNow):
    """A run at a moment, with its explanation."""

    explanation: Explanation


_explained = Entry[ExplainedNow]


class ExplainedRunRecord(RunRecord):
    figures = _explained(
        "list of its figures beside those of the plan, empty without a plan",
        lambda at: [
            FigureRecord.of(FigureNow(figure, at.explanation)) for figure in at.explanation.figures
        ],
    )
    plan_missing = _explained(
        "why there is no plan for it, or null", lambda at: at.explanation.missing or None
    )


def run(result: Run, prices: Prices, now: datetime) -> Json:
    return RunRecord.of(RunNow(result, prices, now))


def explained_run(result: Explanation, prices: Prices, now: datetime) -> Json:
    return ExplainedRunRecord.of(ExplainedNow(result.run, prices, now, result))


# --- status ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class StatusNow:
    """A status at a moment. ``stale`` is None without ``--stale``."""

    status: ExportStatus
    prices: Prices
    now: datetime
    stale: bool | None


_status = Entry[StatusNow]


def _age_seconds(at: StatusNow) -> int | None:
    age = at.status.age(at.now)
    return None if age is None else round(age.total_seconds())


class StatusRecord(Record[StatusNow]):
    table = _status("DynamoDB table", lambda at: at.status.table)
    format = _status("file format of the export", lambda at: at.status.format.value)
    stack = _status("name of the stack", lambda at: at.status.stack)
    workflow = _status("name of the workflow", lambda at: at.status.workflow)
    last_run = _status(
        "the newest run without its nodes, or null",
        lambda at: (
            LastRunRecord.of(RunNow(at.status.last_run, at.prices, at.now))
            if at.status.last_run
            else None
        ),
    )
    snapshot = _status(
        "snapshot that the view shows; without a view the newest complete one; or null",
        lambda at: at.status.snapshot,
    )
    age_seconds = _status("age of that snapshot in seconds, or null", _age_seconds)
    stale = _status(
        "whether it is missing, damaged or older than --stale; null without that option",
        lambda at: at.stale,
    )
    items = _status("number of items in it, or null", lambda at: at.status.items)
    bytes = _status("size of its files in bytes, or null", lambda at: at.status.bytes)
    schedule = _status("cron expression in UTC", lambda at: at.status.schedule)
    enabled = _status("whether the schedule is on", lambda at: at.status.enabled)
    next_run = _status("time of the next scheduled run, or null", lambda at: at.status.next_run)
    faults = _status(
        "list of what is wrong with that snapshot's files, each a sentence",
        lambda at: at.status.faults,
    )


def status(result: ExportStatus, prices: Prices, now: datetime, *, stale: bool | None) -> Json:
    return StatusRecord.of(StatusNow(result, prices, now, stale))


# --- logs -----------------------------------------------------------------------------------------
_line: type[Entry[LogLine]] = Entry


class LineRecord(Record["LogLine"]):
    time = _line(
        "time of the line, with milliseconds",
        lambda line: line.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
    node = _line("name of the job or crawler", lambda line: line.node)
    kind = _line("job or crawler", lambda line: line.kind.lower())
    attempt = _line("number of the attempt, from 1", lambda line: line.attempt)
    message = _line("text of the line", lambda line: line.message)


# --- plan -----------------------------------------------------------------------------------------
_plan: type[Entry[Planned]] = Entry


class PlanRecord(Record["Planned"]):
    table = _plan("DynamoDB table", lambda plan: plan.table.name)
    region = _plan("region of the table", lambda plan: plan.table.region)
    bytes = _plan("its size in bytes, from DescribeTable", lambda plan: plan.table.bytes)
    items = _plan("its number of items, from DescribeTable", lambda plan: plan.table.items)
    on_demand = _plan("whether it is on-demand", lambda plan: plan.table.on_demand)
    capacity = _plan("read units a second that it can give", lambda plan: plan.table.capacity.units)
    capacity_source = _plan(
        "setting or quota that gives this capacity", lambda plan: plan.table.capacity.source
    )
    consumed_mean = _plan(
        "read units a second that others consume in the hours of a run, or null",
        lambda plan: plan.table.consumed.mean if plan.table.consumed else None,
    )
    consumed_peak = _plan(
        "the same in the busiest hour, or null",
        lambda plan: plan.table.consumed.peak if plan.table.consumed else None,
    )
    recovery = _plan(
        "whether point-in-time recovery is on, or null", lambda plan: plan.table.recovery
    )
    format = _plan("file format of the export", lambda plan: plan.estimate.job.format.value)
    read_mode = _plan("connector, native or export", lambda plan: plan.estimate.job.read_mode.value)
    catalog_update = _plan("crawler or direct", lambda plan: plan.estimate.job.catalog_update.value)
    engine = _plan("spark or python", lambda plan: plan.estimate.job.engine.value)
    glue_version = _plan(
        "Glue version of the Spark job", lambda plan: plan.estimate.job.glue_version.value
    )
    schedule = _plan("cron expression in UTC", lambda plan: plan.schedule)
    runs_a_month = _plan("runs in an average month", lambda plan: plan.estimate.runs_a_month)
    choices = _plan(
        "list of the recommended parameters of the table stack",
        lambda plan: plan.recommendation.choices,
    )
    command = _plan("command that deploys the job", lambda plan: " ".join(plan.command))
    auto_command = _plan(
        "command that deploys the cheapest reader, engine and catalog update, or null if these are "
        "the job's",
        lambda plan: " ".join(plan.auto_command) or None,
    )
    auto_run_usd = _plan(
        "dollars for a run of it, or null",
        lambda plan: plan.auto.estimate.run_dollars if plan.auto else None,
    )
    auto_month_usd = _plan(
        "dollars for a month of it, or null",
        lambda plan: plan.auto.estimate.month_dollars if plan.auto else None,
    )
    unmet = _plan(
        "list of the requests that no job meets, each a sentence",
        lambda plan: plan.recommendation.unmet,
    )
    harms = _plan(
        "list of warnings that the job takes capacity that others need, each a sentence",
        lambda plan: plan.recommendation.harms,
    )
    obstacles = _plan(
        "list of the reasons why its runs cannot work, each a sentence",
        lambda plan: [str(obstacle) for obstacle in plan.recommendation.obstacles],
    )
    read_units = _plan("read units of one run", lambda plan: plan.estimate.reading.units)
    allowed_rate = _plan(
        "read units a second that the read percentage allows",
        lambda plan: plan.estimate.reading.allowed,
    )
    rate = _plan("read units a second that the run reads", lambda plan: plan.estimate.reading.rate)
    bounds = _plan(
        "object: each bound of the rate, with its rate",
        lambda plan: {bound.name: bound.rate for bound in plan.estimate.reading.bounds},
    )
    segments = _plan("segments or splits of the table", lambda plan: plan.estimate.reading.segments)
    read_seconds = _plan("seconds of reading", lambda plan: plan.estimate.reading.seconds)
    write_seconds = _plan("seconds of writing", lambda plan: plan.estimate.writing_seconds)
    job_seconds = _plan(
        "seconds of the export job, with its start", lambda plan: plan.estimate.job_seconds
    )
    run_seconds = _plan("seconds of the whole workflow run", lambda plan: plan.estimate.run_seconds)
    dpu_seconds = _plan(
        "DPU-seconds that AWS bills for the export job", lambda plan: plan.estimate.dpu_seconds
    )
    files = _plan("part files of a snapshot", lambda plan: plan.estimate.files)
    output_bytes = _plan("size of these files in bytes", lambda plan: plan.estimate.output_bytes)
    costs = _plan("list of the lines of the bill", lambda plan: plan.estimate.costs)
    run_usd = _plan("dollars for a run", lambda plan: plan.estimate.run_dollars)
    month_usd = _plan(
        "dollars for a month: runs, storage and recovery, without queries",
        lambda plan: plan.estimate.month_dollars,
    )
    prices_date = _plan("date of the prices", lambda plan: plan.prices.date)
    prices_region = _plan("region of the prices", lambda plan: plan.prices.region)
    alternatives = _plan(
        "list of other ways to get the table's data", lambda plan: plan.alternatives
    )
    cheapest = _plan(
        "name of dynoexport's alternative that costs least in a month, or null",
        lambda plan: best.name if (best := alternatives.cheapest(plan.alternatives)) else None,
    )
    assumptions = _plan(
        "list of the assumptions behind the figures, each a sentence",
        lambda plan: plan.assumptions,
    )
    unknown = _plan(
        "list of the facts that could not be read, each a sentence", lambda plan: plan.unknown
    )

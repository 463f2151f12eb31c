"""Other ways to a table's data in S3, with their costs and results. Pure.

Labels are those of docs/plan.md, as in ``plan``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dynoexport import limits
from dynoexport.jobs.formats import BYTES_PER_JSON_BYTE
from dynoexport.model import CatalogUpdate, Engine, OutputFormat, ReadMode, derived, described
from dynoexport.planning import plan, sizing
from dynoexport.planning.cheapest_way import way
from dynoexport.planning.feasibility import refuse_size
from dynoexport.planning.plan import GB, MONTH_DAYS, Cost
from dynoexport.units import duration, percent

if TYPE_CHECKING:
    from dynoexport.planning.plan import Estimate, Job
    from dynoexport.planning.prices import Prices
    from dynoexport.planning.sizing import PlanRequest, Recommendation
    from dynoexport.planning.table_facts import TableFacts

# --- assumptions ----------------------------------------------------------------------------------
# The part of a table that changes in a day, if CloudWatch has no figures of writes.
CHANGED_A_DAY = 0.01
# Gzipped DynamoDB JSON, which names the type of every value, for each byte of the table.
EXPORT_STORED = 0.3

# --- the design of 2019, as its templates have it -------------------------------------------------
# The first design: ten DPU of Glue 0.9; dynamodb.splits is not set, which means 1. A state machine
# with four functions waits for the crawler in steps of a minute, for Athena in steps of 5 seconds:
# https://aws.amazon.com/blogs/big-data/how-to-export-an-amazon-dynamodb-table-to-amazon-s3-using-aws-step-functions-and-aws-glue/
FIRST_DESIGN_DPU = 10
FIRST_DESIGN_TRANSITIONS = 20
FIRST_DESIGN_INVOCATIONS = 8
# "Glue jobs start 10x faster" than these: https://aws.amazon.com/blogs/aws/aws-glue-version-2-0/
FIRST_DESIGN_START_SECONDS = 600


# The name of the way for small tables.
WITHOUT_SPARK = f"dynoexport, {ReadMode.NATIVE.value}, {Engine.PYTHON.value}"


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """One alternative, sized for the same table and schedule."""

    name: str = field(metadata=described("name of the alternative"))
    label: str = field(metadata=described("name under which docs/plan.md explains its cost"))
    gives: str = field(metadata=described("what you get"))
    runs_a_month: float = field(metadata=described("runs in an average month"))
    seconds: float | None = field(
        default=None,
        metadata=described("duration of a run in seconds, or null", name="run_seconds"),
    )
    at_least: bool = field(
        default=False,
        metadata=described("whether a cost is left out because AWS publishes no figure"),
    )
    own: bool = field(default=False, metadata=described("whether dynoexport does it"))
    gone: str | None = field(default=None, metadata=described("why it is not available, or null"))
    costs: tuple[Cost, ...] = field(metadata=described("list of the lines of the bill"))

    @property
    @derived("dollars for a run", after="seconds", name="run_usd")
    def run_dollars(self) -> float:
        return plan.total(self.costs, "run")

    @property
    @derived("dollars for a month", after="run_dollars", name="month_usd")
    def month_dollars(self) -> float:
        return self.runs_a_month * self.run_dollars + plan.total(self.costs, "month")

    @property
    @derived("dollars for the first export", after="month_dollars", name="once_usd")
    def once_dollars(self) -> float:
        return plan.total(self.costs, "once")


def alternatives(
    table: TableFacts, request: PlanRequest, prices: Prices, *, auto: Recommendation | None = None
) -> tuple[Alternative, ...]:
    """This project's readers, with Spark or without, and four other ways.

    ``auto``, what ``deploy --auto`` takes, is listed, too, unless it needs a crawler.
    """
    spark = replace(request, engine=Engine.SPARK)
    small = refuse_size(Engine.PYTHON, table.bytes) is None
    direct = replace(spark, read_mode=ReadMode.NATIVE, catalog_update=CatalogUpdate.DIRECT)
    own = (
        *(replace(spark, read_mode=reader) for reader in ReadMode),
        *([direct] if request.catalog_update is CatalogUpdate.CRAWLER else []),
        # What has a price of its own needs Spark.
        *([replace(direct, engine=Engine.PYTHON, priced={})] if small else []),
    )
    listed = [sizing.recommend(table, asked, prices) for asked in own]
    if auto is not None and not auto.estimate.job.crawled:
        known = [way(other.estimate.job) for other in listed]
        listed += [auto] if way(auto.estimate.job) not in known else []
    return (
        *map(_own, listed),
        _full_export(table, request, prices),
        _incremental_export(table, request, prices),
        _zero_etl(table, request, prices),
        _first_design(table, request, prices),
    )


def cheapest(ways: tuple[Alternative, ...]) -> Alternative | None:
    """The available way of dynoexport that costs least in a month; None if no run can work."""
    available = (way for way in ways if way.own and not way.gone)
    return min(available, key=lambda way: way.month_dollars, default=None)


def _own(recommendation: Recommendation) -> Alternative:
    job = recommendation.estimate.job
    reader = job.read_mode
    without = ", python" if job.is_python else "" if job.crawled else ", direct"
    left_out = [*(["Spark"] if job.is_python else []), *([] if job.crawled else ["crawler"])]
    rest = f", without {' and '.join(left_out)}" if left_out else ""
    fmt = recommendation.estimate.job.format
    loss = ", but numbers may become doubles" if reader is ReadMode.CONNECTOR else ""
    return Alternative(
        name=f"dynoexport, {reader.value}{without}",
        label="cost",
        gives=f"{_snapshots(fmt)}{loss}{rest}",
        costs=recommendation.estimate.costs,
        runs_a_month=recommendation.estimate.runs_a_month,
        seconds=recommendation.estimate.run_seconds,
        own=True,
        gone=next((obstacle.reason for obstacle in recommendation.obstacles), None),
    )


def _snapshots(fmt: OutputFormat) -> str:
    return f"snapshots as {fmt.value}{' and a view' if fmt.queryable else ''}"


# --- DynamoDB's own exports -----------------------------------------------------------------------
def changed_bytes_a_day(table: TableFacts) -> float:
    """What CloudWatch says is written in a day; else 1 % of the table."""
    return CHANGED_A_DAY * table.bytes if table.written is None else table.written


def _storage(table_bytes: float, copies: float, prices: Prices) -> Cost:
    stored = EXPORT_STORED * table_bytes * copies / GB
    return Cost("S3 storage", "storage", stored, "GB", prices.figures.s3_gb_month, "month")


def _kept(request: PlanRequest) -> float:
    job = plan.Job(retention_days=request.retention_days)
    return plan.snapshots_kept(job, request.runs_a_month)


def _full_export(table: TableFacts, request: PlanRequest, prices: Prices) -> Alternative:
    """ExportTableToPointInTime, FULL_EXPORT, at every run, and nothing else."""
    return Alternative(
        name="DynamoDB export, full",
        label="full",
        gives="DynamoDB JSON without a catalog table",
        costs=(
            *plan.read_costs(table, ReadMode.EXPORT, 0, prices),
            _storage(table.bytes, _kept(request), prices),
            *plan.recovery_costs(table, prices),
        ),
        runs_a_month=request.runs_a_month,
        seconds=plan.EXPORT_START_SECONDS + table.bytes / plan.EXPORT_BYTES,
    )


def _incremental_costs(
    table: TableFacts, runs_a_month: float, prices: Prices
) -> tuple[tuple[Cost, ...], float]:
    """Costs of a full export once, then of changes; and the number of exports a month.

    The period of an incremental export is at most a day.
    """
    days = limits.DYNAMODB_INCREMENTAL_EXPORT_MAX.total_seconds() / 86_400
    exports = max(runs_a_month, MONTH_DAYS / days)
    changed = changed_bytes_a_day(table) * MONTH_DAYS / exports
    figures = prices.figures
    costs = (
        Cost("export of changes", "changes", changed / GB, "GB", figures.incremental_export_gb),
        Cost("first export", "export", table.bytes / GB, "GB", figures.export_gb, "once"),
        *plan.recovery_costs(table, prices),
    )
    return costs, exports


def _incremental_export(table: TableFacts, request: PlanRequest, prices: Prices) -> Alternative:
    costs, exports = _incremental_costs(table, request.runs_a_month, prices)
    days = request.retention_days or MONTH_DAYS
    stored = table.bytes + changed_bytes_a_day(table) * days
    return Alternative(
        name="DynamoDB export, incremental",
        label="incremental",
        gives="DynamoDB JSON of changes, which you merge",
        costs=(*costs, _storage(stored, 1.0, prices)),
        runs_a_month=exports,
    )


# --- managed --------------------------------------------------------------------------------------
def _zero_etl(table: TableFacts, request: PlanRequest, prices: Prices) -> Alternative:
    """An integration of DynamoDB with a lakehouse in S3.

    It exports the table once and its changes at every refresh, and needs point-in-time recovery
    (https://docs.aws.amazon.com/glue/latest/dg/zero-etl-sources.html). AWS does not publish what
    Glue charges for writing to the target, so the real cost is higher.
    """
    costs, exports = _incremental_costs(table, request.runs_a_month, prices)
    stored = plan.estimate_output_bytes(table, OutputFormat.PARQUET) / GB
    price = prices.figures.s3_gb_month
    return Alternative(
        name="zero-ETL integration",
        label="zero-ETL",
        gives="one Iceberg table, kept up to date",
        costs=(*costs, Cost("S3 storage", "storage", stored, "GB", price, "month")),
        runs_a_month=exports,
        at_least=True,
    )


# --- the design that this project replaces --------------------------------------------------------
def _first_design(table: TableFacts, request: PlanRequest, prices: Prices) -> Alternative:
    """One task reads at the rate of one segment, while ten DPU are billed."""
    job = plan.Job(
        format=request.format,
        workers=limits.GLUE_WORKERS_MIN,
        splits=1,
        retention_days=request.retention_days,
    )
    reading = plan.estimate_reading(table, job)
    billed = max(reading.seconds, prices.first_glue_minimum_seconds)
    spark = FIRST_DESIGN_DPU * billed / 3600
    stored = plan.estimate_output_bytes(table, request.format) * _kept(request) / GB
    figures = prices.figures
    return Alternative(
        name="Step Functions + Lambda, 2019",
        label="2019",
        gives=_snapshots(request.format),
        costs=(
            Cost("export job", "spark", spark, "DPU-h", prices.dpu_hour("0.9")),
            plan.crawl_cost(prices),
            *plan.read_costs(table, ReadMode.CONNECTOR, reading.units, prices),
            Cost(
                "state transitions",
                "transitions",
                FIRST_DESIGN_TRANSITIONS / 1e3,
                "thousand",
                figures.thousand_state_transitions,
            ),
            Cost(
                "function calls",
                "calls",
                FIRST_DESIGN_INVOCATIONS / 1e6,
                "million",
                figures.million_lambda_requests,
            ),
            Cost("S3 storage", "storage", stored, "GB", figures.s3_gb_month, "month"),
        ),
        runs_a_month=request.runs_a_month,
        seconds=FIRST_DESIGN_START_SECONDS + reading.seconds + plan.CRAWL_SECONDS,
        gone="AWS no longer runs jobs on Glue 0.9",
    )


# --- assumptions of a plan ------------------------------------------------------------------------
def assumptions(estimate: Estimate) -> tuple[str, ...]:
    """What a plan's figures assume, because AWS does not publish it or it may differ."""
    job, table = estimate.job, estimate.table
    sentences = [
        _steps(job),
        _slots(job),
        _bytes(job.format),
        "keys are spread evenly; a key with a tenth of the table would make a run longer",
    ]
    if not table.on_demand:
        sentences.append("you already pay for provisioned capacity, and auto scaling adds none")
    if not job.retention_days:
        sentences.append(
            "all snapshots are kept: the storage is that of the first month, and it grows by the "
            "same amount every month"
        )
    if table.consumed is not None:
        sentences.append(
            "the reads of others leave out exports whose snapshots still exist, but include failed "
            "exports and exports whose snapshots were deleted"
        )
    if table.written is None:
        sentences.append(f"{percent(CHANGED_A_DAY)} of the table changes in a day")
    return tuple(sentences)


def _steps(job: Job) -> str:
    """The steps whose time does not depend on the table."""
    crawl = ["the crawl"] if job.crawled else []
    view = ["the view"] if job.format.queryable else []
    *before, last = ["the start", *crawl, *view]
    seconds = duration(plan.VIEW_SECONDS)
    if job.is_python:
        rest = f", {' and '.join([*before[1:], last])} {seconds}" if before else ""
        return f"the start takes {duration(job.start_seconds)}{rest}"
    return (
        f"{', '.join(before)} and {last} take {seconds} each"
        if before
        else f"{last} takes {seconds}"
    )


def _bytes(fmt: OutputFormat) -> str:
    return (
        f"an item takes as many bytes in JSON as in DynamoDB, and {fmt.value} takes "
        f"{BYTES_PER_JSON_BYTE[fmt.value]:g} times as many"
    )


def _slots(job: Job) -> str:
    reader, write = job.read_mode, job.transform_bytes
    if reader is ReadMode.EXPORT:
        return (
            f"DynamoDB exports {plan.EXPORT_BYTES / 1e6:g} MB a second after "
            f"{duration(plan.EXPORT_START_SECONDS)}; a task slot writes "
            f"{write / 1e6:g} MB a second"
        )
    native = reader is ReadMode.NATIVE
    read = job.slot_speed * (plan.NATIVE_SLOT_BYTES if native else plan.CONNECTOR_SLOT_BYTES)
    return f"a task slot reads {read / 1e6:g} MB and writes {write / 1e6:g} MB a second"

"""Time and cost of an export before it runs. Pure, by closed formulas.

Each formula has a label, under which docs/plan.md explains it and works it out by hand. Rates are
read units a second, times seconds, sizes bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynoexport import limits, settings
from dynoexport.jobs.formats import BYTES_PER_JSON_BYTE, DYNAMODB_JSON, PART_BYTES, files_for
from dynoexport.jobs.scan.buffer import PIECE_BYTES
from dynoexport.jobs.scan.rate_limit import RateLimiter
from dynoexport.jobs.scan.segments import SEGMENT_UNITS, STREAMS, segments_for
from dynoexport.model import (
    CatalogUpdate,
    Engine,
    GlueVersion,
    MaxCapacity,
    OutputFormat,
    ReadMode,
    WorkerType,
    derived,
    described,
)

if TYPE_CHECKING:
    from dynoexport.jobs.scan.capacity import Capacity
    from dynoexport.planning.prices import Prices
    from dynoexport.planning.table_facts import TableFacts

# --- assumptions: what AWS does not publish -------------------------------------------------------
# "There's about a minute of overhead for any Glue action":
# https://github.com/awslabs/amazon-dynamodb-tools/tree/main/tools/bulk_executor. AWS bills only a
# part of it; all of it is counted here.
START_SECONDS = 60
# AWS publishes nothing about the start of a Python shell job; users report 10 to 30 seconds.
PYTHON_START_SECONDS = 30
# A crawl of one new partition, and the start of a Python shell with its few calls.
CRAWL_SECONDS = 60
VIEW_SECONDS = 60
# Bytes that a task slot reads in a second. Glue's connector: 6.3 MB for a G.1X worker of four
# slots, the yardstick of awslabs' bulk executor. A native scan: half of what one core did with the
# narrow rows of docs/benchmarks.md (26 MB in 2.6 CPU seconds), because a vCPU is half a core.
CONNECTOR_SLOT_BYTES = 6_300_000 / 4
NATIVE_SLOT_BYTES = 5_000_000
# Bytes that a task slot settles, converts and writes in a second: likewise half of what a core did
# in transform.py of benchmarks/: 240 MB by two cores, in 16.5 s as pieces, and in 33.9 s as lines
# that become rows one by one. The files of an export take 1.35 times as long as pieces.
PIECES_SLOT_BYTES = 3_600_000
EXPORT_SLOT_BYTES = 2_650_000
LINES_SLOT_BYTES = 1_750_000
# The part of that in which the schema is settled. Both passes read the same and decode it.
SETTLING = 0.5
# The same without Spark, which is not on the way of the pieces: half of what a core did with the
# orders of benchmarks/transform.py, 32 MB in 1.7 CPU seconds.
PYTHON_SLOT_BYTES = 9_500_000
# The larger a table, the less Engine python saves: from here on Spark is faster at about its price.
PYTHON_TABLE_BYTES_MAX = 10 * 1024**3
# DynamoDB's own export: AWS publishes no speed.
EXPORT_START_SECONDS = 300
EXPORT_BYTES = 250_000_000
# Plain JSON has about as many bytes as DynamoDB counts for an item: names and values.
JSON_BYTES = 1.0

EXPORT_JOB = "export job"
MONTH_DAYS = 365.25 / 12
GB = 1024**3
TB = 1024**4


@dataclass(frozen=True, kw_only=True)
class Job:
    """The settings of an export that decide its time and cost.

    ``price`` is the key of the export job's price if that is not the Glue version's.
    """

    read_mode: ReadMode = settings.DEFAULT_READ_MODE
    format: OutputFormat = settings.DEFAULT_FORMAT
    engine: Engine = settings.DEFAULT_ENGINE
    max_capacity: MaxCapacity = settings.DEFAULT_MAX_CAPACITY
    glue_version: GlueVersion = settings.DEFAULT_GLUE_VERSION
    worker_type: WorkerType = settings.DEFAULT_WORKER_TYPE
    workers: int = settings.DEFAULT_NUMBER_OF_WORKERS
    splits: int = settings.DEFAULT_SPLITS
    read_percent: float = float(settings.DEFAULT_MAX_READ)
    retention_days: int = settings.DEFAULT_RETENTION_DAYS
    catalog_update: CatalogUpdate = settings.DEFAULT_CATALOG_UPDATE
    price: str = ""

    @property
    def crawled(self) -> bool:
        return self.catalog_update is CatalogUpdate.CRAWLER

    @property
    def is_python(self) -> bool:
        return self.engine is Engine.PYTHON

    @property
    def slots(self) -> int:
        """Task slots of one executor."""
        of_type = (
            limits.GLUE_2_SLOTS if self.glue_version is GlueVersion.V2_0 else limits.GLUE_SLOTS
        )
        return of_type.get(self.worker_type.value, limits.GLUE_SLOTS[self.worker_type.value])

    @property
    def tasks(self) -> int:
        """Task slots of all executors, where one worker is the driver; of Python, processes."""
        if self.is_python:
            return max(1, round(self._vcpus))
        return max(1, self.workers - 1) * self.slots

    @property
    def dpu(self) -> float:
        if self.is_python:
            return float(self.max_capacity.value)
        return self.workers * limits.GLUE_WORKER_DPU[self.worker_type.value]

    @property
    def _vcpus(self) -> float:
        """Those of a Python shell job."""
        return float(self.max_capacity.value) * limits.GLUE_DPU_VCPUS

    @property
    def slot_speed(self) -> float:
        """How fast a task slot is, as a part of a vCPU."""
        return min(1.0, self._vcpus) if self.is_python else 1.0

    @property
    def size(self) -> str:
        """What it runs on, in words."""
        if self.is_python:
            return f"{self.max_capacity.value} DPU"
        return f"{self.workers:,} {self.worker_type.value}"

    @property
    def start_seconds(self) -> float:
        return PYTHON_START_SECONDS if self.is_python else START_SECONDS

    @property
    def transform_bytes(self) -> float:
        """Bytes of the table that a task slot settles, converts and writes in a second."""
        if self.is_python:
            return PYTHON_SLOT_BYTES * self.slot_speed
        return {
            ReadMode.NATIVE: PIECES_SLOT_BYTES,
            ReadMode.EXPORT: EXPORT_SLOT_BYTES,
            ReadMode.CONNECTOR: LINES_SLOT_BYTES,
        }[self.read_mode]


# --- reading --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Bound:
    """A limit on the read units a second.

    ``limit``: the read percentage. ``table``: what others leave of its capacity.
    ``partitions``, ``segments``, ``workers``: what these can read.
    """

    name: str
    rate: float


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the table is read. DynamoDB's own export uses no units and has no bounds.

    Attributes:
        allowed: the read limit, the read percentage times ``capacity``.
        parallel: how many segments are read at once, on average.
    """

    units: float = 0.0
    capacity: Capacity
    allowed: float = 0.0
    bounds: tuple[Bound, ...] = ()
    segments: int = 0
    parallel: float = 0.0
    seconds: float

    @property
    def bound(self) -> Bound:
        """The lowest bound, which limits the rate; the first of equals."""
        return min(self.bounds, key=lambda bound: bound.rate, default=Bound("export", 0.0))

    @property
    def rate(self) -> float:
        return self.bound.rate


def units_for(table_bytes: int, segments: int) -> float:
    """Read units of one whole scan, eventually consistent: half a unit for 4 KB.

    The job reads the table once, with the connector, too: it writes the DynamicFrame as it comes,
    because ``toDF()`` would read twice (https://github.com/awslabs/amazon-dynamodb-tools/issues/81).
    An empty segment costs half a unit.
    """
    return max(math.ceil(table_bytes / (limits.DYNAMODB_READ_UNIT_BYTES / 2)), segments) / 2


def ramped_seconds(units: float, target: float, rate: float) -> float:
    """Seconds until so many units are read, while the job's limit rises to its target.

    It allows target x (0.1 + 0.1 t) in second t, at most ``rate``: all of it after nine seconds. In
    these nine seconds the job reads what it later reads in 4.95 seconds.
    """
    most = min(rate, target)
    risen_after = max(0.0, (most / target - RateLimiter.START) / RateLimiter.RISE)
    risen = target * (RateLimiter.START * risen_after + RateLimiter.RISE * risen_after**2 / 2)
    if units >= risen:
        return risen_after + (units - risen) / most
    return (
        math.sqrt(RateLimiter.START**2 + 2 * RateLimiter.RISE * units / target) - RateLimiter.START
    ) / RateLimiter.RISE


def estimate_reading(table: TableFacts, job: Job) -> Reading:
    """How the job reads the table."""
    capacity = table.assumed_by(job.read_mode)
    if job.read_mode is ReadMode.EXPORT:
        seconds = EXPORT_START_SECONDS + table.bytes / EXPORT_BYTES
        return Reading(capacity=table.capacity, seconds=seconds)
    allowed = job.read_percent * capacity.units
    native = job.read_mode is ReadMode.NATIVE
    if native:
        segments = job.splits or segments_for(table.bytes, allowed, job.tasks)
        parallel: float = min(segments, STREAMS * job.tasks)
        busy: float = min(segments, job.tasks)
        slot = job.slot_speed * NATIVE_SLOT_BYTES / limits.DYNAMODB_READ_UNIT_BYTES
    else:
        segments = job.splits or job.tasks
        # A slot reads one split after the other, in rounds that all take the same time.
        parallel = busy = segments / math.ceil(segments / job.tasks)
        slot = CONNECTOR_SLOT_BYTES / limits.DYNAMODB_READ_UNIT_BYTES
    target = allowed * RateLimiter.PACE if native else allowed
    bounds = (
        Bound("limit", target),
        Bound("table", _left_by_others(table)),
        Bound("partitions", float(table.partitions * limits.DYNAMODB_PARTITION_READ_UNITS)),
        Bound("segments", parallel * SEGMENT_UNITS),
        Bound("workers", busy * slot),
    )
    rate = min(bound.rate for bound in bounds)
    units = units_for(table.bytes, segments)
    return Reading(
        units=units,
        capacity=capacity,
        allowed=allowed,
        bounds=bounds,
        segments=segments,
        parallel=parallel,
        seconds=ramped_seconds(units, target, rate) if native else units / rate,
    )


def _left_by_others(table: TableFacts) -> float:
    """The table's capacity without what others consume; at least a twentieth."""
    units = table.capacity.units
    others = table.consumed.mean if table.consumed else 0.0
    return max(units - others, RateLimiter.FLOOR * units)


# --- writing --------------------------------------------------------------------------------------
def estimate_json_bytes(table: TableFacts) -> float:
    return table.bytes * JSON_BYTES


def estimate_output_bytes(table: TableFacts, fmt: OutputFormat) -> float:
    return estimate_json_bytes(table) * BYTES_PER_JSON_BYTE[fmt.value]


def count_files(table: TableFacts, fmt: OutputFormat) -> int:
    """How many part files of about 128 MB the snapshot has; none if the table is empty."""
    return files_for(estimate_json_bytes(table), fmt.value) if table.bytes else 0


def writing_seconds(table: TableFacts, job: Job) -> float:
    """Two passes over what was read: settle the schema, then convert and write.

    The first takes what was read in parts of 128 MB, the second has a task for each file. A pass
    takes as long as its rounds: the slots that the last one leaves idle do not shorten it.
    """
    files = count_files(table, job.format)
    if not files:
        return 0.0
    native = job.read_mode is ReadMode.NATIVE
    read = estimate_json_bytes(table) * (DYNAMODB_JSON if native else 1)
    settling = work_in_rounds(math.ceil(read / PART_BYTES), job.tasks)
    writing = work_in_rounds(files, job.tasks)
    return table.bytes / job.transform_bytes * (SETTLING * settling + (1 - SETTLING) * writing)


def work_in_rounds(tasks: int, slots: int) -> float:
    """The time of the work as a part of the time that one slot would need for all of it."""
    return math.ceil(tasks / slots) / tasks


# --- what it costs --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Cost:
    """One line of a bill: quantity x price."""

    name: str = field(metadata=described("what you pay for"))
    label: str = field(
        metadata=described("name under which docs/plan.md explains the quantity", name="formula")
    )
    quantity: float = field(metadata=described("amount"))
    unit: str = field(metadata=described("unit of the amount"))
    price: float = field(metadata=described("dollars for one unit", name="price_usd"))
    per: str = field(
        default="run", metadata=described("run, month, once, or query of the whole view")
    )

    @property
    @derived("quantity times price, in dollars", after="price", name="usd")
    def dollars(self) -> float:
        return self.quantity * self.price


def total(costs: tuple[Cost, ...], per: str) -> float:
    return sum(cost.dollars for cost in costs if cost.per == per)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The time and cost of one table and job."""

    table: TableFacts
    job: Job
    reading: Reading
    writing_seconds: float
    files: int
    output_bytes: float
    costs: tuple[Cost, ...]
    runs_a_month: float

    @property
    def job_seconds(self) -> float:
        """Start, read, write: what the export job takes."""
        return self.job.start_seconds + self.reading.seconds + self.writing_seconds

    @property
    def run_seconds(self) -> float:
        """The whole workflow run: job, crawl, view."""
        crawl = CRAWL_SECONDS if self.job.crawled else 0
        view = VIEW_SECONDS if self.job.format.queryable else 0
        return self.job_seconds + crawl + view

    @property
    def dpu_seconds(self) -> float:
        """The DPU-seconds that AWS bills for the export job."""
        return 3600 * next(cost.quantity for cost in self.costs if cost.name == EXPORT_JOB)

    @property
    def run_dollars(self) -> float:
        return total(self.costs, "run")

    @property
    def month_dollars(self) -> float:
        """All runs of a month, and monthly costs, without queries."""
        return self.runs_a_month * self.run_dollars + total(self.costs, "month")


def estimate(
    table: TableFacts, job: Job, prices: Prices, *, runs_a_month: float = MONTH_DAYS
) -> Estimate:
    """The time of one run, and the cost of a run and of a month."""
    reading = estimate_reading(table, job)
    writing = writing_seconds(table, job)
    seconds = job.start_seconds + reading.seconds + writing
    costs = (
        *_glue_costs(job, prices, seconds),
        *read_costs(table, job.read_mode, reading.units, prices),
        *_s3_costs(table, job, prices, reading.segments),
        *_month_costs(table, job, prices, runs_a_month),
    )
    return Estimate(
        table=table,
        job=job,
        reading=reading,
        writing_seconds=writing,
        files=count_files(table, job.format),
        output_bytes=estimate_output_bytes(table, job.format),
        costs=costs,
        runs_a_month=runs_a_month,
    )


def _glue_costs(job: Job, prices: Prices, seconds: float) -> tuple[Cost, ...]:
    """Each at least the minimum that AWS bills; https://aws.amazon.com/glue/pricing/."""
    least = prices.minimum_seconds
    if job.is_python:
        kind, label, price = "pythonshell", "python", prices.dpu_hour()
    else:
        kind, label = "glueetl", "spark"
        price = prices.dpu_hour(job.price, job.glue_version.value)
    billed = job.dpu * max(seconds, least[kind]) / 3600
    costs = [Cost(EXPORT_JOB, label, billed, "DPU-h", price)]
    if job.crawled:
        costs.append(crawl_cost(prices))
    if job.format.queryable:
        shell = limits.GLUE_SHELL_DPU * max(VIEW_SECONDS, least["pythonshell"]) / 3600
        costs.append(Cost("view job", "shell", shell, "DPU-h", prices.dpu_hour()))
    return tuple(costs)


def crawl_cost(prices: Prices) -> Cost:
    crawl = prices.crawler_dpu * max(CRAWL_SECONDS, prices.minimum_seconds["crawler"]) / 3600
    return Cost("crawl", "crawl", crawl, "DPU-h", prices.dpu_hour())


def read_costs(
    table: TableFacts, reader: ReadMode, units: float, prices: Prices
) -> tuple[Cost, ...]:
    """What DynamoDB charges for one read. Provisioned capacity is already paid for."""
    figures = prices.figures
    if reader is ReadMode.EXPORT:
        return (Cost("DynamoDB export", "export", table.bytes / GB, "GB", figures.export_gb),)
    million = (
        figures.million_read_requests_infrequent_access
        if table.infrequent_access
        else figures.million_read_requests
    )
    price = million if table.on_demand else 0.0
    return (Cost("read units", "reads", units / 1e6, "million", price),)


def _s3_costs(table: TableFacts, job: Job, prices: Prices, segments: int) -> tuple[Cost, ...]:
    """Requests: write what was read once and read it twice, then write files and own objects."""
    files = count_files(table, job.format)
    written, objects = 0, 0
    if job.read_mode is ReadMode.NATIVE:
        pieces = math.ceil(estimate_json_bytes(table) * DYNAMODB_JSON / PIECE_BYTES)
        objects = max(segments, pieces)
        # A record of each segment beside its pieces.
        written = objects + segments
    elif job.read_mode is ReadMode.CONNECTOR:
        written = segments
        objects = max(segments, math.ceil(estimate_json_bytes(table) / PART_BYTES))
    else:
        objects = math.ceil(estimate_json_bytes(table) / PART_BYTES)
    puts, gets = written + _FILE_PUTS * files + _OWN_PUTS, 2 * objects + files
    figures = prices.figures
    return (
        Cost("S3 writes", "puts", puts / 1e3, "thousand", figures.s3_thousand_puts),
        Cost("S3 reads", "gets", gets / 1e3, "thousand", figures.s3_thousand_gets),
    )


# A part file is a multipart upload: begin, one or two parts, complete. Own: manifest, markers.
_FILE_PUTS = 4
_OWN_PUTS = 10


def snapshots_kept(job: Job, runs_a_month: float) -> float:
    """The number of stored snapshots: those of the retention, or of a month if all are kept."""
    days = job.retention_days or MONTH_DAYS
    return max(1.0, runs_a_month * days / MONTH_DAYS)


def _month_costs(
    table: TableFacts, job: Job, prices: Prices, runs_a_month: float
) -> tuple[Cost, ...]:
    """Storage, recovery where this export alone needs it, and a query of the whole view."""
    figures = prices.figures
    output = estimate_output_bytes(table, job.format)
    stored = output * snapshots_kept(job, runs_a_month) / GB
    costs = [Cost("S3 storage", "storage", stored, "GB", figures.s3_gb_month, "month")]
    if job.read_mode is ReadMode.EXPORT:
        costs.extend(recovery_costs(table, prices))
    if job.format.queryable:
        scanned = max(output, limits.ATHENA_SCAN_MIN_BYTES) / TB
        costs.append(Cost("Athena, whole view", "query", scanned, "TB", figures.athena_tb, "query"))
    return tuple(costs)


def recovery_costs(table: TableFacts, prices: Prices) -> tuple[Cost, ...]:
    """Point-in-time recovery, if the export needs it and it is off."""
    if table.recovery:
        return ()
    price = prices.figures.recovery_gb_month
    return (Cost("point-in-time recovery", "recovery", table.bytes / GB, "GB", price, "month"),)

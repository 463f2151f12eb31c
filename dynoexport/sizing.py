"""The job that suits a table: worker type, workers, splits, read percentage, timeout. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dynoexport import limits, plan, settings
from dynoexport.model import GlueVersion, OutputFormat, ReadMode, WorkerType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dynoexport.plan import Estimate, Job
    from dynoexport.prices import Prices
    from dynoexport.table_facts import TableFacts

TIMEOUT_MINUTES = "TimeoutMinutes"

# What is read, or written, in a minute is fast enough: a job takes longer to start.
ENOUGH_SECONDS = 60
# More workers must be worth it: what brings less than 2 % does not count.
NEAR = 1.02
# Percentages are tried in steps of 5 %, and written with three digits.
STEP = 0.05
# A timeout is for what has gone wrong: twice the estimate, in quarters of an hour.
TIMEOUT_FACTOR = 2
TIMEOUT_STEP = 15
TIMEOUT_MIN = 30


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What somebody asks of a plan; None is for the plan to decide.

    Attributes:
        read_percent: MaxConsumedReadThroughput as it is to be.
        target_seconds: a run should take no longer.
        max_dollars: a run must not cost more.
    """

    read_mode: ReadMode = settings.DEFAULT_READ_MODE
    format: OutputFormat = settings.DEFAULT_FORMAT
    glue_version: GlueVersion = settings.DEFAULT_GLUE_VERSION
    retention_days: int = settings.DEFAULT_RETENTION_DAYS
    read_percent: float | None = None
    target_seconds: float | None = None
    max_dollars: float | None = None
    runs_a_month: float = plan.MONTH_DAYS


@dataclass(frozen=True)
class Choice:
    """A parameter of the table stack, its value, and one sentence why."""

    setting: str
    value: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The job for a table, with a reason for each of its settings.

    Attributes:
        unmet: a sentence for each wish that nothing fulfils, and why.
    """

    estimate: Estimate
    choices: tuple[Choice, ...]
    unmet: tuple[str, ...] = field(default=())

    @property
    def parameters(self) -> Mapping[str, str]:
        """As the table stack takes them."""
        return {each.setting: each.value for each in self.choices}


def recommend(table: TableFacts, wishes: Wishes, prices: Prices) -> Recommendation:
    """The smallest job that reads as fast as it may, or what the wishes ask for."""

    def of(job: Job) -> Estimate:
        return plan.estimate(table, job, prices, runs_a_month=wishes.runs_a_month)

    base = _base_job(table, wishes)
    found, unmet = of(_sized(table, base)), []
    if wishes.target_seconds is not None and found.run_seconds > wishes.target_seconds:
        faster = _fast_enough(table, wishes, base, wishes.target_seconds, of)
        if faster is None:
            found = _fastest(table, wishes, base, of)
            unmet.append(_too_slow(found, wishes.target_seconds))
        else:
            found = faster
    if wishes.max_dollars is not None and found.run_dollars > wishes.max_dollars:
        cheaper = _cheap_enough(found.job, wishes.max_dollars, of)
        found = cheaper or _cheapest(found.job, of)
        if cheaper is None:
            unmet.append(_too_dear(found, wishes.max_dollars))
        elif wishes.target_seconds is not None and found.run_seconds > wishes.target_seconds:
            unmet.append(_too_slow(found, wishes.target_seconds))
    return Recommendation(
        estimate=found, choices=tuple(_choices(table, wishes, found)), unmet=tuple(unmet)
    )


# --- how much may be read -------------------------------------------------------------------------
def least_percent(reader: ReadMode) -> float:
    """Below it the reader refuses; Glue's own takes no less than a tenth."""
    if reader is ReadMode.CONNECTOR:
        return limits.DYNAMODB_READ_PERCENT_MIN
    return limits.NATIVE_READ_PERCENT_MIN


def _free_share(table: TableFacts) -> float:
    """The part of the table's units that others leave in their busiest hour; a tenth at least."""
    if table.consumed is None:
        return 1.0
    return max(0.1, 1.0 - table.consumed.peak / table.capacity.units)


def _percent(table: TableFacts, reader: ReadMode, share: float) -> float:
    """The reader's percentage that is this share of what the table has.

    The connector takes it of 40,000 units for any on-demand table, whatever the table has.
    """
    wanted = share * table.capacity.units / table.assumed_by(reader).units
    return min(1.0, max(least_percent(reader), math.floor(wanted * 1000) / 1000))


def _base_job(table: TableFacts, wishes: Wishes) -> Job:
    share = min(float(settings.DEFAULT_MAX_READ), _free_share(table))
    percent = wishes.read_percent
    if percent is None:
        percent = _percent(table, wishes.read_mode, share)
    return plan.Job(
        read_mode=wishes.read_mode,
        format=wishes.format,
        glue_version=wishes.glue_version,
        worker_type=WorkerType.G_1X,
        workers=limits.GLUE_WORKERS_MIN,
        read_percent=percent,
        retention_days=wishes.retention_days,
    )


# --- how many workers -----------------------------------------------------------------------------
def _types(job: Job) -> Iterator[WorkerType]:
    """Worker types that the Glue version has, from the smallest on."""
    for each in WorkerType:
        small = each in {WorkerType.G_1X, WorkerType.G_2X}
        if small or job.glue_version.value not in limits.GLUE_VERSIONS_WITHOUT_LARGE_WORKERS:
            yield each


def _least_workers(job: Job, fits: Callable[[Job], bool]) -> Job | None:
    """The fewest workers that fit, if the most do; more workers fit whenever fewer do."""
    low, high = limits.GLUE_WORKERS_MIN, limits.GLUE_WORKERS_MAX
    if not fits(replace(job, workers=high)):
        return None
    while low < high:
        middle = (low + high) // 2
        if fits(replace(job, workers=middle)):
            high = middle
        else:
            low = middle + 1
    return replace(job, workers=high)


def _sized(table: TableFacts, base: Job) -> Job:
    """The smallest job that reads as fast as any; of an export: writes as fast as it waits."""
    if base.read_mode is ReadMode.EXPORT:
        waits = plan.reading_of(table, base).seconds

        def seconds(job: Job) -> float:
            return plan.writing_seconds(table, job)

        enough = max(ENOUGH_SECONDS, waits)
    else:

        def seconds(job: Job) -> float:
            return plan.reading_of(table, job).seconds

        enough = ENOUGH_SECONDS
    best = min(
        seconds(replace(base, worker_type=each, workers=limits.GLUE_WORKERS_MAX))
        for each in _types(base)
    )
    limit = max(enough, NEAR * best)
    found = (
        _least_workers(replace(base, worker_type=each), lambda job: seconds(job) <= limit)
        for each in _types(base)
    )
    # Rounds of splits may make the very best out of reach by a hair; the largest job is there.
    largest = replace(base, worker_type=list(_types(base))[-1], workers=limits.GLUE_WORKERS_MAX)
    return next((job for job in found if job is not None), largest)


# --- wishes ---------------------------------------------------------------------------------------
def _percents(table: TableFacts, wishes: Wishes, base: Job) -> Iterator[float]:
    """The percentages to try, from the one that is recommended up to all that others leave."""
    yield base.read_percent
    if wishes.read_percent is not None or wishes.read_mode is ReadMode.EXPORT:
        return
    for step in range(1, round(1 / STEP) + 1):
        percent = _percent(table, wishes.read_mode, min(step * STEP, _free_share(table)))
        if percent > base.read_percent:
            yield percent


def _fast_enough(
    table: TableFacts,
    wishes: Wishes,
    base: Job,
    target: float,
    of: Callable[[Job], Estimate],
) -> Estimate | None:
    """Of each percentage the smallest job that reaches it; the cheapest, or the first.

    More than the usual share is read for the sake of cost only where it is known what others need.
    """
    found = []
    for percent in _percents(table, wishes, base):
        for kind in _types(base):
            job = replace(base, read_percent=percent, worker_type=kind)
            least = _least_workers(job, lambda each: of(each).run_seconds <= target)
            if least is not None:
                found.append(of(least))
                break
    if table.consumed is None:
        return found[0] if found else None
    return min(found, key=lambda each: each.run_dollars, default=None)


def _fastest(
    table: TableFacts, wishes: Wishes, base: Job, of: Callable[[Job], Estimate]
) -> Estimate:
    """The fewest workers that are as fast as anything, at all that others leave."""
    percent = max(_percents(table, wishes, base))
    jobs = [replace(base, read_percent=percent, worker_type=each) for each in _types(base)]
    best = min(of(replace(job, workers=limits.GLUE_WORKERS_MAX)).run_seconds for job in jobs)
    found = (_least_workers(job, lambda each: of(each).run_seconds <= NEAR * best) for job in jobs)
    return of(next(job for job in found if job is not None))


def _cheap_enough(job: Job, most: float, of: Callable[[Job], Estimate]) -> Estimate | None:
    """As many of the workers as the money lasts for."""
    for workers in range(job.workers - 1, limits.GLUE_WORKERS_MIN - 1, -1):
        found = of(replace(job, workers=workers))
        if found.run_dollars <= most:
            return found
    return None


def _cheapest(job: Job, of: Callable[[Job], Estimate]) -> Estimate:
    numbers = range(limits.GLUE_WORKERS_MIN, job.workers + 1)
    found = (of(replace(job, workers=workers)) for workers in numbers)
    return min(found, key=lambda each: each.run_dollars)


# --- in words -------------------------------------------------------------------------------------
_BOUNDS = {
    "limit": "MaxConsumedReadThroughput",
    "table": "what the table has",
    "partitions": "what the table's partitions give",
    "segments": "what one segment gives",
    "workers": "the workers",
    "export": "DynamoDB's own export",
}


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return "a minute" if minutes == 1 else f"{minutes:,} minutes"


def _too_slow(found: Estimate, target: float) -> str:
    slower = "writing" if found.writing_seconds > found.reading.seconds else "reading"
    why = f"reading is bound by {_BOUNDS[found.reading.bound.name]}"
    if slower == "writing":
        why = f"writing takes {_minutes(found.writing_seconds)}"
    return (
        f"nothing that may be chosen takes {_minutes(target)}: at best a run takes "
        f"{_minutes(found.run_seconds)}, for {why}"
    )


def _too_dear(found: Estimate, most: float) -> str:
    return (
        f"no run costs as little as ${most:,.2f}: at least it costs ${found.run_dollars:,.2f}, "
        f"with {found.job.workers} workers"
    )


def timeout_minutes(job_seconds: float) -> int:
    """Twice the estimate in quarters of an hour, half an hour at least, a week at most."""
    wanted = math.ceil(TIMEOUT_FACTOR * job_seconds / 60 / TIMEOUT_STEP) * TIMEOUT_STEP
    return min(limits.GLUE_TIMEOUT_MAX_MINUTES, max(TIMEOUT_MIN, wanted))


def _choices(table: TableFacts, wishes: Wishes, found: Estimate) -> Iterator[Choice]:
    job = found.job
    yield Choice(settings.WORKER_TYPE, job.worker_type.value, _why_type(job))
    yield Choice(settings.NUMBER_OF_WORKERS, str(job.workers), _why_workers(found))
    yield Choice(settings.SPLITS, str(job.splits), _why_splits(found))
    yield Choice(settings.MAX_READ, f"{job.read_percent:g}", _why_percent(table, wishes, found))
    timeout = str(timeout_minutes(found.job_seconds))
    yield Choice(
        TIMEOUT_MINUTES,
        timeout,
        f"the job takes about {_minutes(found.job_seconds)}; what takes twice as long has failed",
    )


def _why_type(job: Job) -> str:
    if job.worker_type is WorkerType.G_1X:
        return "the smallest type: many small workers read as fast as few large ones"
    return f"{limits.GLUE_WORKERS_MAX} workers of a smaller type would not be enough"


def _why_workers(found: Estimate) -> str:
    reading, workers = found.reading, found.job.workers
    if found.job.read_mode is ReadMode.EXPORT:
        return "enough to write while DynamoDB takes as long to export"
    if workers == limits.GLUE_WORKERS_MIN:
        return f"the smallest job: its one executor reads the table in {_minutes(reading.seconds)}"
    executors = workers - 1
    return (
        f"{executors} executors read {reading.rate:,.0f} units a second, bound by "
        f"{_BOUNDS[reading.bound.name]}"
    )


def _why_splits(found: Estimate) -> str:
    if found.job.read_mode is ReadMode.EXPORT:
        return "an export is not read in splits"
    return f"0 has the job compute it from workers and table: {found.reading.segments:,} now"


def _why_percent(table: TableFacts, wishes: Wishes, found: Estimate) -> str:
    job, reading = found.job, found.reading
    if job.read_mode is ReadMode.EXPORT:
        return "an export takes no read units"
    of = f"{reading.allowed:,.0f} of {table.capacity.units:,.0f} units a second"
    if wishes.read_percent is not None:
        return f"as asked: {of} ({table.capacity.source})"
    if table.consumed is not None:
        left = max(0.0, table.capacity.units - table.consumed.peak)
        return f"{of} ({table.capacity.source}), of which others leave {left:,.0f}"
    return f"{of} ({table.capacity.source}); what others consume is not known"

"""The job that suits a table: worker type, workers, splits, read percentage, timeout. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dynoexport import limits, settings
from dynoexport.model import (
    CatalogUpdate,
    Engine,
    GlueVersion,
    MaxCapacity,
    OutputFormat,
    ReadMode,
    WorkerType,
    described,
)
from dynoexport.planning import plan
from dynoexport.planning.feasibility import Obstacle, find_obstacles, least_percent
from dynoexport.units import count, dollars, duration, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dynoexport.planning.plan import Estimate, Job
    from dynoexport.planning.prices import Prices
    from dynoexport.planning.table_facts import TableFacts

# A minute to read or write is fast enough: a job takes longer to start.
ENOUGH_SECONDS = 60
# More workers must be worth it: a gain of less than 2 % is not.
NEAR = 1.02
# Shares are tried in steps of 5 %.
STEP = 0.05
# The part of what others leave in their busiest hour that a run may use unless a target needs
# more: within the hour they may need twice its mean.
FREE_SHARE = 0.5
# A timeout ends what has gone wrong: three times the estimate, in quarters of an hour. A run is
# late at half of that (schedule.run_length), half as long again as was estimated.
TIMEOUT_FACTOR = 3
TIMEOUT_STEP = 15
TIMEOUT_MIN = 30


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What a user asks of a plan; the plan decides what is None.

    Attributes:
        target_seconds: a run should take no longer.
        max_dollars: a run must not cost more.
        gap_seconds: the shortest time between two runs; None if there is no second run.
        priced: other parameters of the table stack that change the price of the job.
        kept: parameters among reader, engine and catalog update that ``deploy --auto`` keeps.
        beside: other parameters of the table stack, whose rules may exclude an engine.
    """

    read_mode: ReadMode = settings.DEFAULT_READ_MODE
    format: OutputFormat = settings.DEFAULT_FORMAT
    engine: Engine = settings.DEFAULT_ENGINE
    glue_version: GlueVersion = settings.DEFAULT_GLUE_VERSION
    retention_days: int = settings.DEFAULT_RETENTION_DAYS
    catalog_update: CatalogUpdate = settings.DEFAULT_CATALOG_UPDATE
    read_percent: float | None = None
    max_capacity: MaxCapacity | None = None
    worker_type: WorkerType | None = None
    workers: int | None = None
    splits: int | None = None
    target_seconds: float | None = None
    max_dollars: float | None = None
    runs_a_month: float = plan.MONTH_DAYS
    gap_seconds: float | None = None
    priced: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A parameter of the table stack, its value, and one sentence why."""

    setting: str = field(metadata=described("parameter of the table stack"))
    value: str = field(metadata=described("its value, as the stack takes it"))
    reason: str = field(metadata=described("why, in a sentence"))


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The job for a table, with a reason for each of its settings.

    Attributes:
        unmet: a sentence for each request that no job meets, and why.
        harms: a sentence if the job takes capacity that others need, and which reader does not.
        obstacles: each reason why runs of the job cannot work.
    """

    estimate: Estimate
    choices: tuple[Choice, ...]
    unmet: tuple[str, ...] = ()
    harms: tuple[str, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def parameters(self) -> Mapping[str, str]:
        """The choices as parameters of the table stack."""
        return {choice.setting: choice.value for choice in self.choices}


def recommend(table: TableFacts, request: PlanRequest, prices: Prices) -> Recommendation:
    """The smallest job that reads as fast as allowed, or the job that meets the request."""
    search = _Search(table, request, prices)
    estimate, unmet = search.sized(), []
    target, most = request.target_seconds, request.max_dollars
    if target is not None and estimate.run_seconds > target:
        faster = search.fast_enough(target)
        estimate = faster or search.fastest()
    if most is not None and estimate.run_dollars > most:
        estimate = search.cheap_enough(estimate.job, most) or search.cheapest(estimate.job)
    if target is not None and estimate.run_seconds > target:
        unmet.append(_too_slow(estimate, target, most))
    if most is not None and estimate.run_dollars > most:
        unmet.append(_too_dear(estimate, most))
    return Recommendation(
        estimate=estimate,
        choices=tuple(_choices(table, request, estimate)),
        unmet=tuple(unmet),
        harms=tuple(_harms(table, request, estimate)),
        obstacles=tuple(find_obstacles(estimate, request.gap_seconds)),
    )


@dataclass(frozen=True)
class _Search:
    """Looks for jobs. More workers are never slower, so the fewest are found by halving."""

    table: TableFacts
    request: PlanRequest
    prices: Prices

    def estimate(self, job: Job) -> Estimate:
        return plan.estimate(self.table, job, self.prices, runs_a_month=self.request.runs_a_month)

    # --- what may be chosen -----------------------------------------------------------------------
    def percent(self, share: float, of_free: float) -> float:
        """The reader's percentage for this share of the table's capacity, or of what is free.

        The connector applies it to 40,000 units for every on-demand table.
        """
        reader = self.request.read_mode
        wanted = share * self.table.capacity.units
        if self.table.consumed is not None:
            wanted = min(wanted, of_free * _left(self.table))
        part = math.floor(wanted / self.table.assumed_by(reader).units * 1000) / 1000
        return min(1.0, max(least_percent(reader), part))

    def percents(self) -> list[float]:
        """The percentages to try, from the usual one to all that others leave."""
        if self.request.read_percent is not None:
            return [self.request.read_percent]
        usual = self.percent(float(settings.DEFAULT_MAX_READ), FREE_SHARE)
        steps = (self.percent(step * STEP, 1.0) for step in range(1, round(1 / STEP) + 1))
        return [usual, *sorted({step for step in steps if step > usual})]

    def types(self) -> Sequence[WorkerType]:
        """Worker types that no rule of the template refuses, from the smallest on."""
        # Imports troposphere, which takes a fifth of a second: not for --help.
        from dynoexport.cloudformation import options

        if self.request.worker_type is not None:
            return (self.request.worker_type,)
        given = {settings.GLUE_VERSION: self.request.glue_version.value, **self.request.priced}

        def is_refused(worker: WorkerType) -> bool:
            return any(options.broken_rules({**given, settings.WORKER_TYPE: worker.value}))

        return tuple(worker for worker in WorkerType if not is_refused(worker))

    def workers(self) -> tuple[int, int]:
        """The fewest and the most workers to try; a Python shell job has none."""
        if self.request.engine is Engine.PYTHON:
            return 1, 1
        if self.request.workers is not None:
            return self.request.workers, self.request.workers
        return limits.GLUE_WORKERS_MIN, limits.GLUE_WORKERS_MAX

    def jobs(self, percent: float) -> Iterator[Job]:
        """The largest job of each worker type, or of each capacity of a Python shell job."""
        from dynoexport.cloudformation import options

        price = options.price(self.request.priced)
        job = plan.Job(
            read_mode=self.request.read_mode,
            format=self.request.format,
            engine=self.request.engine,
            glue_version=self.request.glue_version,
            workers=self.workers()[1],
            splits=self.request.splits or 0,
            read_percent=percent,
            retention_days=self.request.retention_days,
            catalog_update=self.request.catalog_update,
            price=price.dpu_hour if price else "",
        )
        if job.is_python:
            asked = self.request.max_capacity
            for max_capacity in MaxCapacity if asked is None else (asked,):
                yield replace(job, max_capacity=max_capacity)
            return
        for worker_type in self.types():
            yield replace(job, worker_type=worker_type)

    # --- the search -------------------------------------------------------------------------------
    def least(self, job: Job, fits: Callable[[Job], bool]) -> Job | None:
        """The job with the fewest workers that fit, if the largest one fits."""
        low, high = self.workers()
        if not fits(replace(job, workers=high)):
            return None
        while low < high:
            middle = (low + high) // 2
            if fits(replace(job, workers=middle)):
                high = middle
            else:
                low = middle + 1
        return replace(job, workers=high)

    def smallest(
        self, percent: float, seconds: Callable[[Job], float], enough: float = 0.0
    ) -> Estimate:
        """The smallest job that takes at most ``enough`` seconds, or nearly the shortest time."""
        jobs = list(self.jobs(percent))
        limit = max(enough, NEAR * min(seconds(job) for job in jobs))
        fitting = (self.least(job, lambda smaller: seconds(smaller) <= limit) for job in jobs)
        return self.estimate(next(job for job in fitting if job is not None))

    def sized(self) -> Estimate:
        """A job that reads as fast as the table allows, or writes as fast as DynamoDB exports."""
        percent = self.percents()[0]
        if self.request.engine is Engine.PYTHON:
            # The smallest costs least. A larger one is faster, if the smallest cannot work.
            sizes = [self.estimate(job) for job in self.jobs(percent)]
            gap = self.request.gap_seconds
            return next((size for size in sizes if not any(find_obstacles(size, gap))), sizes[0])
        if self.request.read_mode is not ReadMode.EXPORT:
            return self.smallest(percent, self._reads, ENOUGH_SECONDS)
        waits = self._reads(next(self.jobs(percent)))
        return self.smallest(percent, self._writes, max(ENOUGH_SECONDS, waits))

    def _reads(self, job: Job) -> float:
        return plan.estimate_reading(self.table, job).seconds

    def _writes(self, job: Job) -> float:
        return plan.writing_seconds(self.table, job)

    def _runs(self, job: Job) -> float:
        return self.estimate(job).run_seconds

    def fast_enough(self, target: float) -> Estimate | None:
        """The cheapest of the smallest jobs that meet the target, one for each percentage.

        The first one if nothing shows what others need: a larger share would only save cost.
        """
        estimates = []
        for percent in self.percents():
            jobs = (
                self.least(job, lambda smaller: self._runs(smaller) <= target)
                for job in self.jobs(percent)
            )
            reached = next((job for job in jobs if job is not None), None)
            if reached is not None:
                estimates.append(self.estimate(reached))
        if self.table.consumed is None:
            return estimates[0] if estimates else None
        return min(estimates, key=lambda estimate: estimate.run_dollars, default=None)

    def fastest(self) -> Estimate:
        """The smallest job that is nearly the fastest, with all that others leave."""
        return self.smallest(self.percents()[-1], self._runs)

    def cheap_enough(self, job: Job, most: float) -> Estimate | None:
        """The most workers, or the largest capacity, that the money pays for."""
        estimates = (self.estimate(smaller) for smaller in reversed(self._fewer(job)))
        return next((estimate for estimate in estimates if estimate.run_dollars <= most), None)

    def cheapest(self, job: Job) -> Estimate:
        return min(map(self.estimate, self._fewer(job)), key=lambda estimate: estimate.run_dollars)

    def _fewer(self, job: Job) -> list[Job]:
        if job.is_python:
            smaller = self.jobs(job.read_percent)
            return [other for other in smaller if other.dpu <= job.dpu]
        return [
            replace(job, workers=workers) for workers in range(self.workers()[0], job.workers + 1)
        ]


# --- in words -------------------------------------------------------------------------------------
BOUNDS = {
    "limit": "the read percentage",
    "table": "the capacity that others leave",
    "partitions": "the table's partitions",
    "segments": "the speed of a segment",
    "workers": "the workers",
    "export": "DynamoDB's own export",
}


def _size(job: Job) -> str:
    return f"{job.dpu:g} DPU" if job.is_python else count(job.workers, "worker")


def _too_slow(estimate: Estimate, target: float, most: float | None) -> str:
    if most is not None and estimate.reading.bound.name == "workers":
        why = f"{dollars(most)} pays for {_size(estimate.job)}"
    elif estimate.writing_seconds > estimate.reading.seconds:
        why = f"writing alone takes {duration(estimate.writing_seconds)}"
    else:
        why = f"reading is limited by {BOUNDS[estimate.reading.bound.name]}"
    return (
        f"no job ends in {duration(target)}: the fastest takes {duration(estimate.run_seconds)}, "
        f"because {why}"
    )


def _too_dear(estimate: Estimate, most: float) -> str:
    return (
        f"no run costs {dollars(most)} or less: the cheapest costs "
        f"{dollars(estimate.run_dollars)}, with {_size(estimate.job)}"
    )


def _harms(table: TableFacts, request: PlanRequest, estimate: Estimate) -> Iterator[str]:
    """A sentence if the reader's lowest read limit is more than it should use.

    The lowest read limit of Glue's connector is 4,000 units a second for every on-demand table, and
    one unit a second for each split.
    """
    job, left = estimate.job, _left(table)
    if job.read_mode is ReadMode.EXPORT or request.read_percent is not None:
        return
    native = job.read_mode is ReadMode.NATIVE
    of_splits = 0.0 if native else estimate.reading.parallel * limits.CONNECTOR_SPLIT_READ_UNITS
    allowed = max(estimate.reading.allowed, of_splits)
    forced = allowed == of_splits or job.read_percent <= least_percent(job.read_mode)
    if forced and allowed > FREE_SHARE * left:
        instead = "export uses none" if native else "native uses as little as you allow"
        yield (
            f"the {job.read_mode.value} needs at least {number(allowed)} read units a second, but "
            f"{'the table has' if table.consumed is None else 'others leave'} {number(left)}; "
            f"--read-mode {instead}"
        )


def _left(table: TableFacts) -> float:
    """Units a second that others leave in their busiest hour, or all if that is not known."""
    others = table.consumed.peak if table.consumed else 0.0
    return max(0.0, table.capacity.units - others)


def timeout_minutes(job_seconds: float) -> int:
    """Three times the estimate in quarters of an hour, from half an hour to a week."""
    wanted = math.ceil(TIMEOUT_FACTOR * job_seconds / 60 / TIMEOUT_STEP) * TIMEOUT_STEP
    return min(limits.GLUE_TIMEOUT_MAX_MINUTES, max(TIMEOUT_MIN, wanted))


def _choices(table: TableFacts, request: PlanRequest, estimate: Estimate) -> Iterator[Choice]:
    job = estimate.job
    if job.is_python:
        yield Choice(settings.MAX_CAPACITY, job.max_capacity.value, _why_capacity(request, job))
    else:
        yield Choice(settings.WORKER_TYPE, job.worker_type.value, _why_type(request, job))
        yield Choice(settings.NUMBER_OF_WORKERS, str(job.workers), _why_workers(request, estimate))
    yield Choice(settings.SPLITS, str(job.splits), _why_splits(request, estimate))
    yield Choice(settings.MAX_READ, f"{job.read_percent:g}", _why_percent(table, request, estimate))
    timeout = timeout_minutes(estimate.job_seconds)
    yield Choice(settings.TIMEOUT_MINUTES, str(timeout), _why_timeout(timeout, estimate))
    for name, value in request.priced.items():
        yield Choice(name, value, "as asked")


def _why_type(request: PlanRequest, job: Job) -> str:
    if request.worker_type is not None:
        return "as asked"
    if job.worker_type is WorkerType.G_1X:
        return "the smallest, so that no slot stays idle"
    return f"{limits.GLUE_WORKERS_MAX} workers of a smaller type are not enough"


def _why_capacity(request: PlanRequest, job: Job) -> str:
    if request.max_capacity is not None:
        return "as asked"
    if job.max_capacity is settings.DEFAULT_MAX_CAPACITY:
        return "the smallest, which costs least"
    return f"the least that is fast enough: {job.tasks} processes read and write at the same time"


def _why_workers(request: PlanRequest, estimate: Estimate) -> str:
    reading, workers = estimate.reading, estimate.job.workers
    if request.workers is not None:
        return "as asked"
    if estimate.job.read_mode is ReadMode.EXPORT:
        return (
            f"they write in {duration(estimate.writing_seconds)}, no longer than DynamoDB exports"
        )
    if workers == limits.GLUE_WORKERS_MIN:
        return f"the smallest job: its one executor reads the table in {duration(reading.seconds)}"
    return (
        f"{count(workers - 1, 'executor')} read {number(reading.rate)} of the "
        f"{number(reading.allowed)} units a second that are allowed"
    )


def _why_splits(request: PlanRequest, estimate: Estimate) -> str:
    if estimate.job.read_mode is ReadMode.EXPORT:
        return "an export is not read in splits"
    if request.splits:
        return "as asked"
    return (
        f"the job computes it, {count(estimate.reading.segments)} for these workers and this table"
    )


def _why_percent(table: TableFacts, request: PlanRequest, estimate: Estimate) -> str:
    reading, capacity = estimate.reading, table.capacity
    if estimate.job.read_mode is ReadMode.EXPORT:
        return "an export uses no read units"
    of = f"{number(reading.allowed)} of {number(capacity.units)} units a second ({capacity.source})"
    if request.read_percent is not None:
        return f"as asked: {of}"
    if table.consumed is None:
        return f"{of}; what others read is not known"
    return f"{of}; others leave {number(_left(table))}"


def _why_timeout(timeout: int, estimate: Estimate) -> str:
    about = f"the job takes about {duration(estimate.job_seconds)}"
    if timeout == limits.GLUE_TIMEOUT_MAX_MINUTES:
        return f"the longest of AWS Glue; {about}"
    if timeout == TIMEOUT_MIN:
        return f"at least half an hour; {about}"
    return f"about three times the job's {duration(estimate.job_seconds)}"

"""A run's real figures against a plan made from the facts at its start. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynoexport.model import (
    CatalogUpdate,
    Engine,
    GlueVersion,
    MaxCapacity,
    OutputFormat,
    ReadMode,
    WorkerType,
)
from dynoexport.planning import plan, sizing, table_facts
from dynoexport.planning import prices as price_list
from dynoexport.planning.plan import Job
from dynoexport.planning.table_facts import DescriptionRefused
from dynoexport.units import count, duration, number, percent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from dynoexport.aws.workflow_runs import Node, Run
    from dynoexport.planning.plan import Estimate
    from dynoexport.planning.prices import Prices
    from dynoexport.storage.manifests import Manifest

# A plan is off if the real figure is more than so many times the planned one, or less than a part.
OFF = 2.0
# A smaller difference does not matter, by unit.
_NO_MATTER = {"s": 10, "units": 100, "DPU-s": 60, "bytes": 1024**2, "USD": 0.01}
# From when on a fact is a reason: the table has so many times the items, a segment so many times
# the mean of the units, a step takes this part of the time.
_CHANGED, _HOT, _MOST = 1.2, 4, 0.5

RUN, JOB, START, READ, WRITE = "run", "export job", "start", "read", "write"
CRAWL, VIEW, UNITS, BILLED = "crawl", "view job", "read units", "billed"
FILES, COST = "files", "Glue's cost"
# The figures that include others, and those that grow with the items.
_WHOLES, _BY_ITEM = (RUN, JOB, BILLED, COST), (READ, WRITE, UNITS, FILES)
_GLUE = ("spark", "crawl", "shell")
# What Spark takes for a step with next to no data.
_OVERHEAD_SECONDS = 60.0
_OVERHEAD = "with so little data, {step} is Spark's own time ({took}), which the plan leaves out"


@dataclass(frozen=True)
class Figure:
    """One figure, planned and real; None if it was not recorded."""

    name: str
    unit: str
    planned: float
    real: float | None

    @property
    def ratio(self) -> float | None:
        """The real figure divided by the planned one; None if one is missing or zero was planned.

        A plan that is shown as 0.0 s is zero.
        """
        nothing = 0.05 if self.unit == "s" else 0
        if self.real is None or self.planned <= nothing:
            return None
        return self.real / self.planned

    @property
    def off(self) -> bool:
        """Whether the plan was off by more than twice, and by something that matters."""
        if self.real is None or abs(self.real - self.planned) < _NO_MATTER[self.unit]:
            return False
        return self.ratio is None or not 1 / OFF <= self.ratio <= OFF


@dataclass(frozen=True)
class Reason:
    """A fact that may explain why figures are off."""

    figures: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Explanation:
    """A run, its plan, and possible reasons for the differences.

    ``missing`` says why there is no plan for it; then there are no figures.
    """

    run: Run
    figures: tuple[Figure, ...] = ()
    reasons: tuple[Reason, ...] = ()
    missing: str = ""


def explain_run(
    run: Run,
    manifest: Manifest | None,
    prices: Prices,
    *,
    region: str,
    now: datetime,
    counted: float | None = None,
) -> Explanation:
    """The run against its plan; a run without a complete snapshot has no plan.

    ``counted`` are the read units that CloudWatch counted during the read, by all readers.
    """
    if manifest is None or manifest.workflow_run_id != run.run_id or not run.nodes:
        return Explanation(run, missing="the run completed no snapshot")
    try:
        estimate = planned(
            manifest,
            prices,
            region=region,
            price=_execution_class(run),
            dpu=_capacity(run),
            catalog_update=_catalog_update(run),
        )
    except (DescriptionRefused, ValueError) as error:
        return Explanation(run, missing=f"its manifest is not enough for a plan: {error}")
    facts = _Facts(run, manifest, estimate, prices, now, counted)
    figures = tuple(facts.figures())
    return Explanation(run, figures, tuple(_reasons(facts, figures)))


def _reasons(facts: _Facts, figures: tuple[Figure, ...]) -> Iterator[Reason]:
    """A reason for every figure that is off, even if it is unknown."""
    wrong = [figure.name for figure in figures if figure.off]
    left = set(wrong)
    for cause in facts.causes():
        names = tuple(name for name in wrong if name in cause.figures)
        if names and (not cause.part or cause.part in wrong):
            left -= set(names)
            yield Reason(names, cause.text)
    if left:
        names = tuple(name for name in wrong if name in left)
        yield Reason(names, "the recorded facts do not show why")


def _execution_class(run: Run) -> str:
    attempts = (attempt for node in run.nodes for attempt in node.attempts)
    return next((attempt.execution_class for attempt in attempts if attempt.kind == "glueetl"), "")


def _capacity(run: Run) -> float:
    """The DPUs of the export job, which runs first."""
    return next((attempt.dpu for attempt in run.nodes[0].attempts), 0.0)


def _size(manifest: Manifest, dpu: float) -> dict[str, Any]:
    """The fields of a ``Job`` that say what it ran on.

    Raises:
        ValueError: the plan does not know such a job.
    """
    if manifest.engine == Engine.PYTHON.value:
        return {"engine": Engine.PYTHON, "max_capacity": MaxCapacity(f"{dpu:g}")}
    return {
        "glue_version": GlueVersion(manifest.glue_version),
        "worker_type": WorkerType(manifest.worker_type),
        "workers": manifest.number_of_workers,
    }


def _catalog_update(run: Run) -> CatalogUpdate:
    """What adds the run's snapshot to the catalog; the workflow's graph has a crawler, or not."""
    crawled = any(node.kind == "CRAWLER" for node in run.nodes)
    return CatalogUpdate.CRAWLER if crawled else CatalogUpdate.DIRECT


def planned(
    manifest: Manifest,
    prices: Prices,
    *,
    region: str = "",
    price: str = "",
    dpu: float = 0.0,
    catalog_update: CatalogUpdate = CatalogUpdate.CRAWLER,
) -> Estimate:
    """The plan of ``dynoexport plan`` for the table and the job as they were at the start.

    ``price`` is the key of the job's price where that is not the Glue version's, ``dpu`` the
    capacity of a Python shell job.

    Raises:
        DescriptionRefused: the manifest does not describe the table.
        ValueError: it has a worker type or a version that the plan does not know.
    """
    if not manifest.described:
        raise ValueError("older job scripts did not record the table")
    read = manifest.reading
    table = table_facts.parse_description({"TableName": manifest.table, **manifest.described})
    job = Job(
        read_mode=ReadMode(read.reader),
        format=OutputFormat(manifest.format),
        **_size(manifest, dpu),
        splits=read.splits or 0,
        read_percent=Job().read_percent if read.read_percent is None else read.read_percent,
        catalog_update=catalog_update,
        price=price,
    )
    # The quota belongs to the account, so DescribeTable has none; it is the last resort.
    facts = replace(table, region=region, quota=read.capacity or table.quota)
    return plan.estimate(facts, job, prices)


@dataclass(frozen=True)
class _Cause:
    """What may be a reason for these figures, if that part of the run is off, too."""

    figures: tuple[str, ...]
    text: str
    part: str = ""


@dataclass(frozen=True)
class _Facts:
    """All facts of a run."""

    run: Run
    manifest: Manifest
    plan: Estimate
    prices: Prices
    now: datetime
    counted: float | None

    @property
    def units(self) -> float | None:
        """Read units that the reader counted; Glue's connector does not, CloudWatch does."""
        own = self.manifest.reading.units
        return self.counted if own is None else own

    @property
    def exporting(self) -> Node:
        """The workflow's first node is the one that exports."""
        return self.run.nodes[0]

    def started_in(self) -> float | None:
        """From the start of the last attempt until Spark ran."""
        began, attempts = self.manifest.started, self.exporting.attempts
        if began is None or not attempts:
            return None
        before = max(0.0, (began - attempts[-1].started).total_seconds())
        return before + self.manifest.seconds.get("spark", 0.0)

    def figures(self) -> Iterator[Figure]:
        planned, steps = self.plan, self.manifest.seconds
        written = [steps[name] for name in ("schema", "files") if name in steps]
        yield Figure(RUN, "s", planned.run_seconds, self.run.seconds)
        yield Figure(JOB, "s", planned.job_seconds, self.exporting.seconds)
        yield Figure(START, "s", self.plan.job.start_seconds, self.started_in())
        yield Figure(READ, "s", planned.reading.seconds, steps.get("read"))
        yield Figure(WRITE, "s", planned.writing_seconds, sum(written) if written else None)
        for node in self.run.nodes[1:]:
            name, seconds = (
                (CRAWL, plan.CRAWL_SECONDS) if node.kind == "CRAWLER" else (VIEW, plan.VIEW_SECONDS)
            )
            yield Figure(name, "s", seconds, node.seconds)
        if planned.job.read_mode is not ReadMode.EXPORT:
            yield Figure(UNITS, "units", planned.reading.units, self.units)
        yield Figure(BILLED, "DPU-s", planned.dpu_seconds, self.billed())
        yield Figure(FILES, "bytes", planned.output_bytes, self.manifest.bytes)
        glue = sum(cost.dollars for cost in planned.costs if cost.label in _GLUE)
        yield Figure(COST, "USD", glue, price_list.cost(self.run, self.prices, self.now))

    def billed(self) -> float:
        attempts = self.exporting.attempts
        return sum(price_list.billed(attempt, self.prices, self.now) for attempt in attempts)

    def causes(self) -> Iterator[_Cause]:
        yield from self._attempts()
        yield from self._size()
        if self.counted is not None:
            text = "CloudWatch counts the read units of all readers of the table in these minutes"
            yield _Cause((UNITS,), text)
        yield from self._reading()
        yield from self._writing()
        yield from self._starting()

    def _attempts(self) -> Iterator[_Cause]:
        tries, read = len(self.exporting.attempts), self.manifest.reading
        if tries > 1:
            text = f"the export job took {tries} attempts; each one starts anew and is billed"
            yield _Cause(_WHOLES, text)
        if read.resumed_splits:
            already = f"{count(read.resumed_splits)} of {count(read.splits, 'segment')}"
            text = f"an earlier attempt had already read {already}"
            yield _Cause((*_WHOLES, READ), text)

    def _size(self) -> Iterator[_Cause]:
        counted, read = self.plan.table.items, self.manifest.reading.items
        if read is None or 1 / _CHANGED <= (read + 1) / (counted + 1) <= _CHANGED:
            return
        text = (
            f"the run read {count(read, 'item')}; DynamoDB, which counts about every six hours, "
            f"had counted {count(counted)}"
        )
        yield _Cause((*_WHOLES, *_BY_ITEM), text)

    def _reading(self) -> Iterator[_Cause]:
        reasons = [*self._throttled(), *self._skewed()]
        yield from (_Cause((READ, *_WHOLES), text, READ) for text in reasons)
        took = self.manifest.seconds.get("read")
        if reasons or not took:
            return
        if self._is_overhead(self.plan.reading.seconds, took):
            text = _OVERHEAD.format(step="reading", took=duration(took))
        elif self.plan.job.read_mode is ReadMode.EXPORT:
            text = "DynamoDB runs the export itself, and AWS does not publish its speed"
        else:
            units = self.plan.reading.units if self.units is None else self.units
            text = (
                f"the run read {number(units / took)} units a second; the plan assumes "
                f"{number(self.plan.reading.rate)}, limited by "
                f"{sizing.BOUNDS[self.plan.reading.bound.name]}"
            )
        yield _Cause((READ, *_WHOLES), text, READ)

    def _throttled(self) -> Iterator[str]:
        refused = self.manifest.reading.throttles
        if refused:
            yield (
                f"DynamoDB throttled {count(refused, 'request')}: others use the table, too, or a "
                "few partition keys hold much of it"
            )

    def _skewed(self) -> Iterator[str]:
        read = self.manifest.reading
        if not (read.hottest and read.units and read.seconds and read.splits):
            return
        units, seconds = read.hottest
        if units > _HOT * read.units / read.splits and seconds > _MOST * read.seconds:
            yield (
                f"one of {count(read.splits, 'segment')} had {percent(units / read.units)} of the "
                f"units and took {duration(seconds)} of {duration(read.seconds)}: a few partition "
                "keys hold much of the table"
            )

    def _is_overhead(self, planned_seconds: float, took: float) -> bool:
        """Whether Spark's stages explain a step that the plan takes for short."""
        return (
            not self.plan.job.is_python
            and planned_seconds < _NO_MATTER["s"]
            and took < _OVERHEAD_SECONDS
        )

    def _writing(self) -> Iterator[_Cause]:
        if self.manifest.narrowed:
            text = "Columns, Exclude or Where left out a part; the plan assumes the whole table"
            yield _Cause((FILES, WRITE), text)
            return
        size, steps = self.plan.table.bytes, self.manifest.seconds
        took = steps.get("schema", 0.0) + steps.get("files", 0.0)
        if self._is_overhead(self.plan.writing_seconds, took):
            text = _OVERHEAD.format(step="writing", took=duration(took))
            yield _Cause((WRITE, *_WHOLES), text, WRITE)
        if not size:
            return
        text = (
            f"the files take {number(self.manifest.bytes / size)} bytes per byte of the table; "
            f"the plan assumes {number(self.plan.output_bytes / size)}"
        )
        yield _Cause((FILES,), text)
        if took and self.plan.writing_seconds >= _NO_MATTER["s"]:
            text = (
                f"the run wrote {number(size / took / 1e6)} MB of the table a second; the plan "
                f"assumes {number(size / self.plan.writing_seconds / 1e6)}"
            )
            yield _Cause((WRITE, *_WHOLES), text, WRITE)

    def _starting(self) -> Iterator[_Cause]:
        took, whole = self.started_in(), self.exporting.seconds
        if took is not None and whole:
            text = (
                f"the start took {duration(took)} of the job's {duration(whole)}; the plan assumes "
                f"{duration(self.plan.job.start_seconds)} of {duration(self.plan.job_seconds)}"
            )
            yield _Cause((START, JOB, RUN), text, START)
        for name, seconds in ((CRAWL, plan.CRAWL_SECONDS), (VIEW, plan.VIEW_SECONDS)):
            text = f"the plan assumes {duration(seconds)} for the {name}, most of it for its start"
            yield _Cause((name, RUN), text, name)
        kind = "pythonshell" if self.plan.job.is_python else "glueetl"
        least = self.prices.minimum_seconds[kind]
        if whole and whole < least:
            yield _Cause((BILLED, COST), f"AWS bills at least {duration(least)} for a job")

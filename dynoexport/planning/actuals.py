"""A run's actual figures against the plan that the facts at its start would have given. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dynoexport.model import GlueVersion, OutputFormat, ReadMode, WorkerType
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
# Less than this between the two is no matter, by unit.
_NO_MATTER = {"s": 10, "units": 100, "DPU-s": 60, "bytes": 1024**2, "USD": 0.01}
# From when on a fact counts: the table has as many times the items, a segment as many times the
# mean of the units, something takes this part of the time.
_CHANGED, _HOT, _MOST = 1.2, 4, 0.5

RUN, JOB, START, READ, WRITE = "run", "export job", "start", "read", "write"
CRAWL, VIEW, UNITS, BILLED = "crawl", "view job", "read units", "billed"
FILES, COST = "files", "Glue's cost"
# What the others are parts of, and what is read and written by the item.
_WHOLES, _BY_ITEM = (RUN, JOB, BILLED, COST), (READ, WRITE, UNITS, FILES)
_GLUE = ("spark", "crawl", "shell")
_OVERHEAD = "of so little, {step} is Spark's own time, {took}, which the plan leaves out"


@dataclass(frozen=True)
class Figure:
    """One figure as it was planned and as it was; None where nobody told."""

    name: str
    unit: str
    planned: float
    real: float | None

    @property
    def ratio(self) -> float | None:
        """How many times the planned one the real one is; None if nothing was planned, or told.

        What is shown as 0.0 s is nothing.
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
    """Why figures may be off, told by a fact."""

    figures: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Explanation:
    """A run, what was planned for it, and why that may have been off.

    ``missing`` says why there is no plan for it; then there are no figures.
    """

    run: Run
    figures: tuple[Figure, ...] = ()
    reasons: tuple[Reason, ...] = ()
    missing: str = ""


def explain(
    run: Run,
    manifest: Manifest | None,
    prices: Prices,
    *,
    region: str,
    now: datetime,
    counted: float | None = None,
) -> Explanation:
    """The run against its plan; a run without a complete snapshot has none.

    ``counted`` are the read units that CloudWatch has for the time of reading, whoever read.
    """
    if manifest is None or manifest.workflow_run_id != run.run_id or not run.nodes:
        return Explanation(run, missing="it has completed no snapshot, which would tell the facts")
    try:
        estimate = planned(manifest, prices, region=region, price=_execution_class(run))
    except (DescriptionRefused, ValueError) as error:
        return Explanation(run, missing=f"no plan can be made of its manifest: {error}")
    facts = _Facts(run, manifest, estimate, prices, now, counted)
    figures = tuple(facts.figures())
    return Explanation(run, figures, tuple(_reasons(facts, figures)))


def _reasons(facts: _Facts, figures: tuple[Figure, ...]) -> Iterator[Reason]:
    """A reason for every figure that is off, if only that none is known."""
    wrong = [each.name for each in figures if each.off]
    left = set(wrong)
    for cause in facts.causes():
        names = tuple(name for name in wrong if name in cause.figures)
        if names and (not cause.part or cause.part in wrong):
            left -= set(names)
            yield Reason(names, cause.text)
    if left:
        names = tuple(name for name in wrong if name in left)
        yield Reason(names, "nothing that was recorded tells why")


def _execution_class(run: Run) -> str:
    attempts = (attempt for node in run.nodes for attempt in node.attempts)
    return next((each.execution_class for each in attempts if each.kind == "glueetl"), "")


def planned(manifest: Manifest, prices: Prices, *, region: str = "", price: str = "") -> Estimate:
    """What ``dynoexport plan`` would have said of the table and the job as they were at the start.

    ``price`` is the key of the job's price where that is not the Glue version's.

    Raises:
        DescriptionRefused: the manifest tells nothing of the table.
        ValueError: it names a worker type or a version that the plan does not know.
    """
    if not manifest.described:
        raise ValueError("older job scripts did not record what the table was")
    read = manifest.reading
    table = table_facts.facts_of({"TableName": manifest.table, **manifest.described})
    job = Job(
        read_mode=ReadMode(read.reader),
        format=OutputFormat(manifest.format),
        glue_version=GlueVersion(manifest.glue_version),
        worker_type=WorkerType(manifest.worker_type),
        workers=manifest.number_of_workers,
        splits=read.splits or 0,
        read_percent=Job().read_percent if read.read_percent is None else read.read_percent,
        price=price,
    )
    # The quota is the account's and not in what DescribeTable says; it counts where all else fails.
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
    """All that is known of a run."""

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
        yield Figure(START, "s", plan.START_SECONDS, self.started_in())
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
        glue = sum(each.dollars for each in planned.costs if each.label in _GLUE)
        yield Figure(COST, "USD", glue, price_list.cost(self.run, self.prices, self.now))

    def billed(self) -> float:
        attempts = self.exporting.attempts
        return sum(price_list.billed(each, self.prices, self.now) for each in attempts)

    def causes(self) -> Iterator[_Cause]:
        yield from self._attempts()
        yield from self._size()
        if self.counted is not None:
            text = "CloudWatch counts the read units of all who read the table in these minutes"
            yield _Cause((UNITS,), text)
        yield from self._reading()
        yield from self._writing()
        yield from self._starting()

    def _attempts(self) -> Iterator[_Cause]:
        tries, read = len(self.exporting.attempts), self.manifest.reading
        if tries > 1:
            text = f"the export job took {tries} attempts, each of which starts anew and is billed"
            yield _Cause(_WHOLES, text)
        if read.resumed_splits:
            already = f"{count(read.resumed_splits)} of {count(read.splits, 'segment')}"
            text = f"a former attempt had read {already}"
            yield _Cause((*_WHOLES, READ), text)

    def _size(self) -> Iterator[_Cause]:
        counted, read = self.plan.table.items, self.manifest.reading.items
        if read is None or 1 / _CHANGED <= (read + 1) / (counted + 1) <= _CHANGED:
            return
        text = (
            f"DynamoDB had counted {count(counted, 'item')}, which it does about every six hours, "
            f"and {count(read)} were read"
        )
        yield _Cause((*_WHOLES, *_BY_ITEM), text)

    def _reading(self) -> Iterator[_Cause]:
        found = [*self._throttled(), *self._skewed()]
        yield from (_Cause((READ, *_WHOLES), text, READ) for text in found)
        took = self.manifest.seconds.get("read")
        if found or not took:
            return
        if self.plan.reading.seconds < _NO_MATTER["s"]:
            text = _OVERHEAD.format(step="reading", took=duration(took))
        elif self.plan.job.read_mode is ReadMode.EXPORT:
            text = "DynamoDB exports by itself, and AWS publishes no speed to plan with"
        else:
            units = self.plan.reading.units if self.units is None else self.units
            text = (
                f"{number(units / took)} units a second were read, the plan takes "
                f"{number(self.plan.reading.rate)}, bound by "
                f"{sizing.BOUNDS[self.plan.reading.bound.name]}"
            )
        yield _Cause((READ, *_WHOLES), text, READ)

    def _throttled(self) -> Iterator[str]:
        refused = self.manifest.reading.throttles
        if refused:
            yield (
                f"DynamoDB refused {count(refused, 'request')}: others use the table, too, or a "
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

    def _writing(self) -> Iterator[_Cause]:
        if self.manifest.narrowed:
            text = "Columns, Exclude or Where left out a part, which the plan does not know"
            yield _Cause((FILES, WRITE), text)
            return
        size, steps = self.plan.table.bytes, self.manifest.seconds
        took = steps.get("schema", 0.0) + steps.get("files", 0.0)
        if self.plan.writing_seconds < _NO_MATTER["s"]:
            text = _OVERHEAD.format(step="writing", took=duration(took))
            yield _Cause((WRITE, *_WHOLES), text, WRITE)
        if not size:
            return
        text = (
            f"the files take {number(self.manifest.bytes / size)} bytes for each of the table, the "
            f"plan {number(self.plan.output_bytes / size)}"
        )
        yield _Cause((FILES,), text)
        if took and self.plan.writing_seconds >= _NO_MATTER["s"]:
            text = (
                f"{number(size / took / 1e6)} MB of the table were written a second, the plan "
                f"takes {number(size / self.plan.writing_seconds / 1e6)}"
            )
            yield _Cause((WRITE, *_WHOLES), text, WRITE)

    def _starting(self) -> Iterator[_Cause]:
        took, whole = self.started_in(), self.exporting.seconds
        if took is not None and whole:
            text = (
                f"the job had started after {duration(took)} of its {duration(whole)}, the plan "
                f"takes {duration(plan.START_SECONDS)} of {duration(self.plan.job_seconds)}"
            )
            yield _Cause((START, JOB, RUN), text, START)
        for name, seconds in ((CRAWL, plan.CRAWL_SECONDS), (VIEW, plan.VIEW_SECONDS)):
            text = f"the plan takes {duration(seconds)} for the {name}, most of it for its start"
            yield _Cause((name, RUN), text, name)
        least = self.prices.minimum_seconds["glueetl"]
        if whole and whole < least:
            yield _Cause((BILLED, COST), f"AWS bills at least {duration(least)} of a job")

"""A plan as a page: duration and cost against workers and read percentage, the bill, alternatives.

The page stands alone: no script, nothing that a browser would fetch. What it shows is computed here
and placed by ``charts``; ``plan.html`` only writes it down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING

from dynoexport import __version__, limits, units
from dynoexport.model import MaxCapacity, ReadMode
from dynoexport.planning import alternatives, cheapest_way, plan, sizing
from dynoexport.planning.feasibility import least_percent
from dynoexport.presentation import charts
from dynoexport.presentation.charts import COUNT, DOLLARS, PERCENT, SECONDS, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynoexport.operations.plan import Planned
    from dynoexport.planning.alternatives import Alternative
    from dynoexport.planning.plan import Estimate, Job
    from dynoexport.presentation.charts import LineChart, Unit

TEMPLATE = "plan.html"
# Read percentages that are drawn beside the recommended one, if they are not nearly the same.
_PERCENTS = (0.1, 0.25, 0.5, 1.0)
_NEARLY = 1.3
# Workers are drawn up to _MORE times the recommended number, and at least to _FEWEST: every number
# up to _ALL, then in steps of a tenth.
_MORE, _FEWEST, _ALL = 4, 16, 30
# A gain of less than 2 % is not faster.
_FASTER = 1.02


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart with its axes and a caption."""

    title: str
    x_title: str
    chart: LineChart
    caption: str


@dataclass(frozen=True)
class Bar:
    """An alternative with its bar's part of the width; None if it is longer than the chart."""

    way: Alternative
    part: float | None
    cheapest: bool


@dataclass(frozen=True, kw_only=True)
class View:
    """One table's part of the page."""

    planned: Planned
    estimate: Estimate
    knee: tuple[str, ...]
    figures: tuple[Figure, ...]
    bars: tuple[Bar, ...]
    auto_way: str


def page(plans: Sequence[Planned]) -> str:
    """The page of some plans, as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        duration=units.duration,
        dollars=units.dollars,
        price=units.price,
        number=units.number,
        size=units.size,
        count=units.count,
    )
    text = (resources.files("dynoexport.presentation") / TEMPLATE).read_text(encoding="utf-8")
    views = [view(planned) for planned in plans]
    return environment.from_string(text).render(
        views=views, bounds=sizing.BOUNDS, version=__version__
    )


def view(planned: Planned) -> View:
    """The charts of one table."""
    estimate = planned.estimate
    return View(
        planned=planned,
        estimate=estimate,
        knee=tuple(knee(planned)),
        figures=tuple(figures(planned)),
        bars=tuple(bars(planned.alternatives)),
        auto_way=cheapest_way.describe(planned.auto.estimate.job) if planned.auto else "",
    )


def _estimator(planned: Planned) -> Callable[[Job], Estimate]:
    runs = planned.estimate.runs_a_month
    return lambda job: plan.estimate(planned.table, job, planned.prices, runs_a_month=runs)


# --- where more workers stop helping --------------------------------------------------------------
def knee(planned: Planned) -> list[str]:
    """Sentences about the workers beyond which no more help, and about half and twice as many."""
    estimate, estimate_for = planned.estimate, _estimator(planned)
    job = estimate.job
    if job.is_python:
        sized = [estimate_for(replace(job, max_capacity=capacity)) for capacity in MaxCapacity]
        return ["; ".join(f"{other.job.size} takes {_taken(other)}" for other in sized) + "."]

    def with_workers(number: int) -> Estimate:
        return estimate_for(replace(job, workers=number))

    last = _fewest(lambda number: with_workers(number).run_seconds)
    if last == limits.GLUE_WORKERS_MIN:
        return [f"{last} workers, the fewest possible, are already as fast as more."]
    sentences = []
    if job.read_mode is not ReadMode.EXPORT:
        least = _fewest(lambda number: with_workers(number).reading.seconds)
        bound = with_workers(limits.GLUE_WORKERS_MAX).reading.bound
        sentences.append(
            f"From {units.count(least)} workers on, reading gets no faster: it is limited by "
            f"{sizing.BOUNDS[bound.name]}, at {units.number(bound.rate)} units a second."
        )
    sentences.append(
        f"From {units.count(last)} workers on, nothing gets faster; more workers only cost more."
    )
    compared = [f"{units.count(job.workers, 'worker')} take {_taken(estimate)}"]
    for words, number in (("half of them", job.workers // 2), ("twice as many", 2 * job.workers)):
        if limits.GLUE_WORKERS_MIN <= number <= limits.GLUE_WORKERS_MAX:
            compared.append(f"{words}, {units.count(number)}, {_taken(with_workers(number))}")
    return [*sentences, f"{'; '.join(compared)}."]


def _taken(estimate: Estimate) -> str:
    return f"{units.duration(estimate.run_seconds)} and {units.dollars(estimate.run_dollars)}"


def _fewest(seconds: Callable[[int], float]) -> int:
    """The fewest workers that are as fast as the most, within 2 %."""
    low, high = limits.GLUE_WORKERS_MIN, limits.GLUE_WORKERS_MAX
    enough = _FASTER * seconds(high)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if seconds(middle) <= enough else (middle + 1, high)
    return high


# --- charts ---------------------------------------------------------------------------------------
def figures(planned: Planned) -> list[Figure]:
    """Duration and cost against workers; against the read percentage, where there is one."""
    estimate = planned.estimate
    estimate_for = _estimator(planned)
    drawn = []
    if not estimate.job.is_python:
        drawn += [
            _figure(estimate, estimate_for, title, seconds_or_dollars, by_workers=True)
            for title, seconds_or_dollars in (("A run takes", SECONDS), ("A run costs", DOLLARS))
        ]
    if estimate.job.read_mode is not ReadMode.EXPORT:
        drawn += [
            _figure(estimate, estimate_for, title, seconds_or_dollars, by_workers=False)
            for title, seconds_or_dollars in (("A run takes", SECONDS), ("A run costs", DOLLARS))
        ]
    return drawn


def _figure(
    estimate: Estimate,
    estimate_for: Callable[[Job], Estimate],
    title: str,
    y: Unit,
    *,
    by_workers: bool,
) -> Figure:
    job, export = estimate.job, estimate.job.read_mode is ReadMode.EXPORT
    across = worker_numbers(job) if by_workers else percents(job, steps=True)
    lines = percents(job) if by_workers else few_sizes(job)
    if export:
        lines = [job.read_percent]

    def jobs(line: float) -> list[Job]:
        if by_workers:
            return [replace(job, read_percent=line, workers=int(number)) for number in across]
        sized = with_size(job, line)
        return [replace(sized, read_percent=share) for share in across]

    name = partial(_line_name, job, by_workers=by_workers, export=export)
    describe = partial(_describe_point, y=y, by_workers=by_workers)
    at = job.workers if by_workers else job.read_percent
    chart = charts.line_chart(
        [
            Series(
                name(line),
                tuple(
                    (x, _value(estimate_for(other), y))
                    for x, other in zip(across, jobs(line), strict=True)
                ),
            )
            for line in lines
        ],
        x=COUNT if by_workers else PERCENT,
        y=y,
        mark=(float(at), _value(estimate, y), _mark(estimate, y)),
        describe=describe,
    )
    return Figure(
        title=title,
        x_title=f"workers of {job.worker_type.value}" if by_workers else "read percentage",
        chart=chart,
        caption=_caption(job, by_workers=by_workers),
    )


def worker_numbers(job: Job) -> list[float]:
    """From the fewest to some times the recommended number, which is among them."""
    most = min(limits.GLUE_WORKERS_MAX, max(_FEWEST, _MORE * job.workers))
    numbers, number = {job.workers, most}, limits.GLUE_WORKERS_MIN
    while number < most:
        numbers.add(number)
        number = number + 1 if number < _ALL else round(number * 1.1)
    return [float(number) for number in sorted(numbers)]


def percents(job: Job, *, steps: bool = False) -> list[float]:
    """Read percentages that the reader takes: a few, or in steps; the recommended among them."""
    least = least_percent(job.read_mode)
    own = job.read_percent
    if steps:
        step = 1.1
        shares, share = {own, 1.0, least_drawn := max(least, min(0.05, own))}, least_drawn
        while share < 1:
            shares.add(round(share, 4))
            share *= step
        return sorted(shares)
    others = (other for other in _PERCENTS if not 1 / _NEARLY < other / own < _NEARLY)
    return sorted({own, *(other for other in others if other >= least)})


def few_sizes(job: Job) -> list[float]:
    """Workers: the fewest, the recommended, and twice and four times these. Else the DPUs."""
    if job.is_python:
        return [float(capacity.value) for capacity in MaxCapacity]
    most = limits.GLUE_WORKERS_MAX
    wished = {limits.GLUE_WORKERS_MIN, job.workers, 2 * job.workers, 4 * job.workers}
    return [float(number) for number in sorted(wished) if number <= most]


def with_size(job: Job, size: float) -> Job:
    """The job with so many workers, or DPUs."""
    if job.is_python:
        return replace(job, max_capacity=MaxCapacity(f"{size:g}"))
    return replace(job, workers=int(size))


def _value(estimate: Estimate, y: Unit) -> float:
    return estimate.run_seconds if y is SECONDS else estimate.run_dollars


def _line_name(job: Job, line: float, *, by_workers: bool, export: bool) -> str:
    if export:
        return ""
    if job.is_python:
        return f"{line:g} DPU"
    return units.percent(line) if by_workers else units.number(line)


def _describe_point(x: float, value: float, *, y: Unit, by_workers: bool) -> str:
    what = units.count(int(x), "worker") if by_workers else units.percent(x)
    figure = units.duration(value) if y is SECONDS else units.dollars(value)
    return f"{what}: {figure}"


def _mark(estimate: Estimate, y: Unit) -> str:
    figure = _describe_point(estimate.job.workers, _value(estimate, y), y=y, by_workers=True)
    if estimate.job.read_mode is ReadMode.EXPORT:
        return figure
    return figure.replace(":", f" at {units.percent(estimate.job.read_percent)}:")


def _caption(job: Job, *, by_workers: bool) -> str:
    if job.read_mode is ReadMode.EXPORT:
        return "DynamoDB exports the table; workers only write."
    if job.is_python:
        return "A line for each capacity."
    return f"A line for each {'read percentage' if by_workers else 'number of workers'}."


# --- alternatives ---------------------------------------------------------------------------------
def bars(ways: Sequence[Alternative]) -> list[Bar]:
    """Bars by the dollars of a month, those of dynoexport first; unavailable ones set no scale."""
    longest = max(way.month_dollars for way in ways if not way.gone) or 1.0
    best = alternatives.cheapest(tuple(ways))
    parts = ((way, way.month_dollars / longest) for way in ways)
    ordered = sorted(parts, key=lambda pair: (not pair[0].own, pair[1]))
    return [Bar(way, part if part <= 1 else None, way is best) for way, part in ordered]

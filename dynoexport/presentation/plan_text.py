"""A plan for people: 80 columns, the formula's label beside each figure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from dynoexport import units
from dynoexport.model import ReadMode
from dynoexport.planning import alternatives as ways
from dynoexport.planning import cheapest_way, sizing
from dynoexport.units import count, dollars, duration, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynoexport.operations.plan import Planned
    from dynoexport.planning.alternatives import Alternative
    from dynoexport.planning.plan import Cost, Estimate, Job
    from dynoexport.planning.sizing import Recommendation
    from dynoexport.planning.table_facts import TableFacts

WIDTH = 80
_LABEL = 18
_FIGURE = 16


# --- one table ------------------------------------------------------------------------------------
def page(planned: Planned) -> list[str]:
    """The whole plan of one table."""
    parts = (
        _title(planned.table, planned),
        _time(planned),
        _choices(planned),
        _bill(planned),
        _others(planned),
        _assumed(planned),
    )
    lines: list[str] = []
    for part in parts:
        lines.extend(["", *part] if lines else part)
    return [line.rstrip() for line in lines]


def _title(table: TableFacts, planned: Planned) -> Iterator[str]:
    mode = "on-demand" if table.on_demand else "provisioned"
    size = f"{units.size(table.bytes)}, {count(table.items, 'item')}"
    yield f"{table.name}: {size}, {mode}, {table.region}"
    job = planned.estimate.job
    crawl = "" if job.crawled else "no crawler, "
    runs_on = "Python shell" if job.is_python else f"Glue {job.glue_version.value}"
    yield (
        f"as {job.format.value}, read by {job.read_mode.value}, {crawl}{runs_on}, "
        f"{planned.schedule}"
    )


def _row(label: str, figure: str, formula: str, rest: str = "") -> str:
    return f"  {label:<{_LABEL}}{figure:>{_FIGURE}}  {f'[{formula}]':<10} {rest}"


def _time(planned: Planned) -> Iterator[str]:
    estimate = planned.estimate
    table, reading = planned.table, estimate.reading
    if estimate.job.read_mode is not ReadMode.EXPORT:
        yield _row("read units", number(reading.units), "units")
        yield _row(
            "read limit",
            number(reading.allowed),
            "limit",
            f"{estimate.job.read_percent:g} of {number(reading.capacity.units)} a second",
        )
        yield _row("read rate", number(reading.rate), "rate", _bound_by(estimate))
        yield _row("segments", count(reading.segments), "segments")
    yield _row("start", duration(estimate.job.start_seconds), "start")
    yield _row("read", duration(reading.seconds), "read")
    yield _row(
        "write", duration(estimate.writing_seconds), "write", count(estimate.job.tasks, "slot")
    )
    yield _row("the whole run", duration(estimate.run_seconds), "run", _after_export(estimate.job))
    yield _row("files", count(estimate.files), "files", units.size(estimate.output_bytes))
    yield _row("capacity", number(table.capacity.units), "capacity", table.capacity.source)
    if table.consumed is not None:
        mean, hours = table.consumed.mean, table.consumed.hours
        then = "at that hour" if hours == 1 else f"in these {hours} hours"
        others = f"{then}, {number(mean)} on average"
        yield _row("others read at most", number(table.consumed.peak), "others", others)


def _after_export(job: Job) -> str:
    """The steps that the run also has."""
    steps = [
        *(["crawl"] if job.crawled else []),
        *(["view"] if job.format.queryable else []),
    ]
    return f"with {' and '.join(steps)}" if steps else ""


def _bound_by(estimate: Estimate) -> str:
    return f"limited by {sizing.BOUNDS[estimate.reading.bound.name]}"


def _choices(planned: Planned) -> Iterator[str]:
    recommendation = planned.recommendation
    yield _heading(recommendation)
    width = max(len(choice.setting) for choice in recommendation.choices)
    for choice in recommendation.choices:
        head = f"  {choice.setting:<{width}}  {choice.value:>6}  "
        yield from _wrapped(head, choice.reason)
    if not (recommendation.harms or recommendation.obstacles):
        yield from _command(planned.command)
    for obstacle in recommendation.obstacles:
        yield from _wrapped("  cannot work: ", str(obstacle), indent=4)
    for sentence in recommendation.unmet:
        yield from _wrapped("  not met: ", sentence, indent=4)
    for sentence in recommendation.harms:
        yield from _wrapped("  warning: ", sentence, indent=4)
    yield from _auto(planned)


def _auto(planned: Planned) -> Iterator[str]:
    """What ``deploy --auto`` takes, if that is another way."""
    if planned.auto is None:
        return
    found = planned.auto.estimate
    figures = f"{duration(found.run_seconds)} and {dollars(found.run_dollars)} a run"
    yield f"deploy --auto takes {cheapest_way.describe(found.job)}: {figures}"
    yield from _command(planned.auto_command)


def _heading(recommendation: Recommendation) -> str:
    if recommendation.obstacles:
        return "Not recommended: its runs cannot work"
    if recommendation.harms:
        return "Not recommended: it takes capacity that others need"
    return "Recommended"


def _command(words: Sequence[str]) -> list[str]:
    """The command to paste, on several lines if it is long; options stay with their values."""
    lines = [f"  {words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + len(word) > WIDTH - len("  \\"):
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {word}"
    return lines


def _wrapped(head: str, text: str, *, indent: int | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * (len(head) if indent is None else indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _bill(planned: Planned) -> Iterator[str]:
    estimate = planned.estimate
    yield f"Cost in dollars, with the prices of {planned.prices.date} for {planned.prices.region}"
    for cost in estimate.costs:
        if cost.per == "run":
            yield _cost(cost)
    yield _sum("a run", estimate.run_dollars, "cost")
    for cost in estimate.costs:
        if cost.per == "month":
            yield _cost(cost)
    yield _sum(f"a month, {number(estimate.runs_a_month)} runs", estimate.month_dollars, "month")
    for cost in estimate.costs:
        if cost.per == "query":
            yield _cost(cost)


def _cost(cost: Cost) -> str:
    amount = f"{number(cost.quantity)} {cost.unit}"
    return (
        f"  {cost.name:<23}{amount:>18} x {units.price(cost.price):<8}{dollars(cost.dollars):>12}"
        f"  [{cost.label}]"
    )


def _sum(name: str, value: float, formula: str) -> str:
    return f"  {name:<52}{dollars(value):>12}  [{formula}]"


# --- beside it ------------------------------------------------------------------------------------
def _others(planned: Planned) -> Iterator[str]:
    yield f"{'Alternatives':<32}{'A RUN TAKES':>12}{'A RUN':>13}{'A MONTH':>14}"
    best = ways.cheapest(planned.alternatives)
    for way in planned.alternatives:
        if way.own:
            yield _way(way, is_best=way is best)
    yield "Other ways, without dynoexport"
    for way in planned.alternatives:
        if not way.own:
            yield _way(way, is_best=False)
    for way in planned.alternatives:
        once = f"{dollars(way.once_dollars)} for the first export" if way.once_dollars else ""
        least = "+ Glue's charge for writing, which AWS does not publish" if way.at_least else ""
        parts = "; ".join(part for part in (way.gives, once, least, way.gone) if part)
        yield from _wrapped(f"  {way.name} [{way.label}]: ", parts, indent=4)


def _way(way: Alternative, *, is_best: bool) -> str:
    taken = duration(way.seconds)
    mark = " cheapest" if is_best else ""
    least = "+" if way.at_least else " "
    return (
        f"  {way.name:<30}{taken:>12}{dollars(way.run_dollars):>12}{least}"
        f"{dollars(way.month_dollars):>13}{least}{mark}"
    )


def _assumed(planned: Planned) -> Iterator[str]:
    yield "Assumptions; docs/plan.md has the formulas and the sources of these figures"
    for sentence in planned.assumptions:
        yield from _wrapped("  - ", sentence)
    for sentence in planned.unknown:
        yield from _wrapped("  - not known: ", sentence, indent=4)


# --- several tables -------------------------------------------------------------------------------
COLUMNS = ("TABLE", "SIZE", "WORKERS", "READ", "RUN TAKES", "A RUN", "A MONTH", "CHEAPEST")


def summary(plans: Sequence[Planned]) -> list[tuple[str, ...]]:
    """One row for each table, and their sum."""
    rows = [_summed(planned) for planned in plans]
    estimates = [planned.estimate for planned in plans]
    cheapest = [ways.cheapest(planned.alternatives) for planned in plans]
    whole = (
        "all",
        units.size(sum(planned.table.bytes for planned in plans)),
        count(sum(estimate.job.workers for estimate in estimates)),
        "",
        "",
        dollars(sum(estimate.run_dollars for estimate in estimates)),
        dollars(sum(estimate.month_dollars for estimate in estimates)),
        dollars(sum(best.month_dollars for best in cheapest if best is not None)),
    )
    return [*rows, whole]


def _summed(planned: Planned) -> tuple[str, ...]:
    estimate = planned.estimate
    job = estimate.job
    best = ways.cheapest(planned.alternatives)
    return (
        planned.table.name,
        units.size(planned.table.bytes),
        job.size,
        f"{job.read_percent:g}",
        duration(estimate.run_seconds),
        dollars(estimate.run_dollars),
        dollars(estimate.month_dollars),
        f"{best.name.partition(', ')[2]} {dollars(best.month_dollars)}" if best else "-",
    )

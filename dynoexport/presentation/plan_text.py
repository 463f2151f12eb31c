"""A plan for people: 80 columns, the formula's label beside each figure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from dynoexport import units
from dynoexport.model import ReadMode
from dynoexport.planning import alternatives as ways
from dynoexport.planning import plan, sizing
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
    yield (
        f"as {job.format.value}, read by {job.read_mode.value}, {crawl}Glue "
        f"{job.glue_version.value}, {planned.schedule}"
    )


def _row(label: str, figure: str, formula: str, rest: str = "") -> str:
    return f"  {label:<{_LABEL}}{figure:>{_FIGURE}}  {f'[{formula}]':<10} {rest}"


def _time(planned: Planned) -> Iterator[str]:
    found = planned.estimate
    table, reading = planned.table, found.reading
    if found.job.read_mode is not ReadMode.EXPORT:
        yield _row("read units", number(reading.units), "units")
        yield _row(
            "read limit",
            number(reading.allowed),
            "limit",
            f"{found.job.read_percent:g} of {number(reading.capacity.units)} a second",
        )
        yield _row("read rate", number(reading.rate), "rate", _bound_by(found))
        yield _row("segments", count(reading.segments), "segments")
    yield _row("start", duration(plan.START_SECONDS), "start")
    yield _row("read", duration(reading.seconds), "read")
    yield _row("write", duration(found.writing_seconds), "write", count(found.job.tasks, "slot"))
    yield _row("the whole run", duration(found.run_seconds), "run", _after_export(found.job))
    yield _row("files", count(found.files), "files", units.size(found.output_bytes))
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


def _bound_by(found: Estimate) -> str:
    return f"limited by {sizing.BOUNDS[found.reading.bound.name]}"


def _choices(planned: Planned) -> Iterator[str]:
    found = planned.recommendation
    yield _heading(found)
    width = max(len(each.setting) for each in found.choices)
    for each in found.choices:
        head = f"  {each.setting:<{width}}  {each.value:>6}  "
        yield from _wrapped(head, each.reason)
    if not (found.harms or found.obstacles):
        yield from _command(planned.command)
    for sentence in found.obstacles:
        yield from _wrapped("  cannot work: ", sentence, indent=4)
    for sentence in found.unmet:
        yield from _wrapped("  not met: ", sentence, indent=4)
    for sentence in found.harms:
        yield from _wrapped("  warning: ", sentence, indent=4)


def _heading(found: Recommendation) -> str:
    if found.obstacles:
        return "Not recommended: its runs cannot work"
    if found.harms:
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
    found = planned.estimate
    yield f"Cost in dollars, with the prices of {planned.prices.date} for {planned.prices.region}"
    for each in found.costs:
        if each.per == "run":
            yield _cost(each)
    yield _sum("a run", found.run_dollars, "cost")
    for each in found.costs:
        if each.per == "month":
            yield _cost(each)
    yield _sum(f"a month, {number(found.runs_a_month)} runs", found.month_dollars, "month")
    for each in found.costs:
        if each.per == "query":
            yield _cost(each)


def _cost(each: Cost) -> str:
    amount = f"{number(each.quantity)} {each.unit}"
    return (
        f"  {each.name:<23}{amount:>18} x {units.price(each.price):<8}{dollars(each.dollars):>12}"
        f"  [{each.label}]"
    )


def _sum(name: str, value: float, formula: str) -> str:
    return f"  {name:<52}{dollars(value):>12}  [{formula}]"


# --- beside it ------------------------------------------------------------------------------------
def _others(planned: Planned) -> Iterator[str]:
    yield f"{'Alternatives':<32}{'A RUN TAKES':>12}{'A RUN':>13}{'A MONTH':>14}"
    best = ways.cheapest(planned.alternatives)
    for each in planned.alternatives:
        if each.own:
            yield _way(each, is_best=each is best)
    yield "Other ways, without dynoexport"
    for each in planned.alternatives:
        if not each.own:
            yield _way(each, is_best=False)
    for each in planned.alternatives:
        once = f"{dollars(each.once_dollars)} for the first export" if each.once_dollars else ""
        least = "+ Glue's charge for writing, which AWS does not publish" if each.at_least else ""
        parts = "; ".join(part for part in (each.gives, once, least, each.gone) if part)
        yield from _wrapped(f"  {each.name} [{each.label}]: ", parts, indent=4)


def _way(each: Alternative, *, is_best: bool) -> str:
    taken = duration(each.seconds)
    mark = " cheapest" if is_best else ""
    least = "+" if each.at_least else " "
    return (
        f"  {each.name:<30}{taken:>12}{dollars(each.run_dollars):>12}{least}"
        f"{dollars(each.month_dollars):>13}{least}{mark}"
    )


def _assumed(planned: Planned) -> Iterator[str]:
    yield "Assumptions; docs/plan.md has the formulas and the sources of these figures"
    for sentence in planned.assumptions:
        yield from _wrapped("  - ", sentence)
    for sentence in planned.unknown:
        yield from _wrapped("  - not known: ", sentence, indent=4)


# --- several tables -------------------------------------------------------------------------------
COLUMNS = ("TABLE", "SIZE", "WORKERS", "READ", "RUN TAKES", "A RUN", "A MONTH", "CHEAPEST")


def summary(found: Sequence[Planned]) -> list[tuple[str, ...]]:
    """One row for each table, and their sum."""
    rows = [_summed(each) for each in found]
    estimates = [each.estimate for each in found]
    cheapest = [ways.cheapest(each.alternatives) for each in found]
    whole = (
        "all",
        units.size(sum(each.table.bytes for each in found)),
        count(sum(each.job.workers for each in estimates)),
        "",
        "",
        dollars(sum(each.run_dollars for each in estimates)),
        dollars(sum(each.month_dollars for each in estimates)),
        dollars(sum(best.month_dollars for best in cheapest if best is not None)),
    )
    return [*rows, whole]


def _summed(planned: Planned) -> tuple[str, ...]:
    found = planned.estimate
    job = found.job
    best = ways.cheapest(planned.alternatives)
    return (
        planned.table.name,
        units.size(planned.table.bytes),
        f"{count(job.workers)} {job.worker_type.value}",
        f"{job.read_percent:g}",
        duration(found.run_seconds),
        dollars(found.run_dollars),
        dollars(found.month_dollars),
        f"{best.name.partition(', ')[2]} {dollars(best.month_dollars)}" if best else "-",
    )

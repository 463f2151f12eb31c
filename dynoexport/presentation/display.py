"""Output for people: workflow runs and rows, as rich renderables or as plain lines."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from dynoexport import units
from dynoexport.aws import workflow_runs
from dynoexport.planning.explain import OFF
from dynoexport.presentation.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynoexport.planning.explain import Explanation, Figure
    from dynoexport.storage.snapshot_store import Snapshot


_STATE_STYLES = {
    "SUCCEEDED": "green",
    "RUNNING": "cyan",
    "STARTING": "cyan",
    workflow_runs.WAITING: "dim",
}
_SHORT = {"SUCCEEDED": Text("ok", "green"), "FAILED": Text("FAILED", "bold red")}
# The columns of a run's tree: kind, name, state, attempt, elapsed, DPU-seconds, rows.
_NODE_COLUMNS, _NODE_NAME, _NODE_FIGURES = 7, 1, (4, 5)
# Wider than any table of rows; rich needs a number.
_WIDEST = 100_000
# Texts longer than this may wrap, and get at least so much room.
_WRAPPED = 20


def state_text(state: str) -> Text:
    """A state in its colour."""
    return Text(state, style=_STATE_STYLES.get(state, "bold red"))


# --- runs -----------------------------------------------------------------------------------------
def run_tree(run: workflow_runs.Run, now: datetime) -> Table:
    """A run and its nodes, one a line, in the order in which they start.

    On a narrow terminal only the names are cut.
    """
    whole = "" if run.started is None else units.duration(_elapsed(run.started, run.completed, now))
    rows: list[tuple[str | Text, ...]] = [
        ("run", _cut(run.short_id), state_text(run.outcome), "", whole, "", "")
    ]
    for number, node in enumerate(run.nodes):
        branch = "└" if number == len(run.nodes) - 1 else "├"
        rows.append((f"{branch} {node.kind.lower()}", *_node(run, node, number, now)))
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    for column in range(_NODE_COLUMNS):
        # As in print_listing.
        table.add_column(
            no_wrap=column != _NODE_NAME, justify="right" if column in _NODE_FIGURES else "left"
        )
    for row in rows:
        table.add_row(*row)
    return table


def _node(
    run: workflow_runs.Run, node: workflow_runs.Node, number: int, now: datetime
) -> tuple[str | Text, ...]:
    tries = len(node.attempts)
    attempt = Text(f"try {tries}" if tries > 1 else "", "yellow")
    if node.started is None:
        return _cut(node.name), state_text(node.state), attempt, "", "", ""
    elapsed = units.duration(_elapsed(node.started, node.completed, now))
    used = node.dpu_seconds(now)
    # The workflow's first node is the one that exports.
    rows = units.count(run.items, "row") if number == 0 else ""
    shown = f"{units.number(round(used, 1))} DPU-s" if used else ""
    return (
        _cut(node.name),
        state_text(node.state),
        attempt,
        Text(elapsed, "dim"),
        Text(shown, "dim"),
        rows,
    )


def _cut(text: str | Text) -> Text:
    """On one line, whatever room there is for it."""
    cell = Text(text) if isinstance(text, str) else text
    cell.no_wrap, cell.overflow = True, "ellipsis"
    return cell


def _elapsed(started: datetime, completed: datetime | None, now: datetime) -> float:
    return max(0.0, ((completed or now) - started).total_seconds())


def follow_run(updates: Iterator[workflow_runs.Run], console: Console) -> workflow_runs.Run:
    """Show a run until it ends, as a live tree or, without a terminal, with a line for each change.

    Returns the finished run.
    """
    return (
        _follow_live(updates, console) if console.is_terminal else _follow_lines(updates, console)
    )


def _follow_live(updates: Iterator[workflow_runs.Run], console: Console) -> workflow_runs.Run:
    update = next(updates)
    # The tree is drawn anew between two updates, so that the elapsed times move.
    with Live(
        console=console,
        get_renderable=lambda: run_tree(update, datetime.now(timezone.utc)),
        refresh_per_second=4,
    ):
        for changed in updates:
            update = changed
    return update


def _follow_lines(updates: Iterator[workflow_runs.Run], console: Console) -> workflow_runs.Run:
    before: workflow_runs.Run | None = None
    update = next(updates)
    while True:
        for line in changes(before, update):
            console.print(Text(line), soft_wrap=True)
        before, update = update, next(updates, update)
        if before is update:
            return update


def changes(before: workflow_runs.Run | None, after: workflow_runs.Run) -> Iterator[str]:
    """One plain line for each node whose state changed between two polls."""

    def progress(node: workflow_runs.Node) -> tuple[str, int]:
        return node.state, len(node.attempts)

    known = {node.name: progress(node) for node in before.nodes} if before else {}
    for node in after.nodes:
        if node.state == workflow_runs.WAITING or known.get(node.name) == progress(node):
            continue
        last = node.attempts[-1]
        took = ""
        if last.completed is not None:
            took = f" after {units.duration(last.seconds(last.completed))}"
        attempt = f" (attempt {len(node.attempts)})" if len(node.attempts) > 1 else ""
        error = f": {node.error}" if node.error else ""
        yield f"  {node.kind.lower()} {node.name} {node.state}{attempt}{took}{error}"


def last_run(run: workflow_runs.Run | None, now: datetime) -> Text:
    """A run's outcome and how long ago it ended, or began."""
    if run is None:
        return Text("never", "dim")
    ended = run.completed or run.started
    when = f" {units.duration(now - ended)} ago" if ended is not None and run.finished else ""
    shown = state_text(run.outcome)
    return shown if not when else Text.assemble(_SHORT.get(run.outcome, shown), when)


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print a run's figures beside the planned ones, then possible reasons for differences."""
    run = explanation.run
    items = "" if run.items is None else f", {units.count(run.items, 'item')}"
    console.print(
        Text.assemble((run.short_id, "bold"), "  ", state_text(run.outcome), items), soft_wrap=True
    )
    if explanation.missing:
        console.print(Text(f"  No plan: {explanation.missing}"), soft_wrap=True)
        return
    rows = [
        (
            f"  {figure.name}",
            _figure(figure, figure.planned),
            _figure(figure, figure.real),
            _times(figure),
        )
        for figure in explanation.figures
    ]
    columns = ("  FIGURE", "PLAN", "REAL", "REAL/PLAN")
    print_listing(console, columns, rows, right=columns[1:])
    if explanation.reasons:
        console.print(Text(f"  Off by more than {OFF:g} times, with possible reasons:"))
    for reason in explanation.reasons:
        line = printable(f"  - {', '.join(reason.figures)}: {reason.text}")
        console.print(Text(line), soft_wrap=True)


def _figure(figure: Figure, value: float | None) -> str:
    if value is None:
        return "not recorded"
    if figure.unit == "s":
        return units.duration(value)
    if figure.unit == "bytes":
        return units.size(value)
    if figure.unit == "USD":
        return units.dollars(value)
    return units.number(value) if figure.unit == "units" else f"{units.number(value)} {figure.unit}"


def _times(figure: Figure) -> Text:
    if figure.ratio is None:
        return Text("")
    return Text(f"{figure.ratio:.2f}", "yellow" if figure.off else "")


def snapshot_state(snapshot: Snapshot) -> Text:
    """``current``, ``complete``, ``incomplete``, ``foreign`` or ``writing``; and ``damaged``."""
    if snapshot.faults:
        return Text("current, damaged" if snapshot.current else "damaged", "bold red")
    if snapshot.current:
        return Text("current", "green")
    if snapshot.complete:
        return Text("complete")
    if snapshot.writing:
        return Text("writing", "cyan")
    return Text("foreign") if snapshot.foreign else Text("incomplete", "yellow")


# --- tables ---------------------------------------------------------------------------------------
def print_listing(
    console: Console,
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    right: Sequence[str] = (),
    elastic: str | None = None,
) -> None:
    """Print one line for each row, never more.

    On a terminal, the ``elastic`` column is cut if a row is too wide. Without a terminal nothing
    is cut. Columns named in ``right`` are aligned there.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for column in columns:
        # rich narrows first the columns that may wrap; a text that may not is cut instead.
        table.add_column(
            column, no_wrap=column != elastic, justify="right" if column in right else "left"
        )
    for row in rows:
        cells = [Text(printable(cell)) if isinstance(cell, str) else cell for cell in row]
        table.add_row(*(_cut(cell) for cell in cells))
    print_wide(console, table)


def print_wide(console: Console, table: Table) -> None:
    """Print a table that fits the terminal; without a terminal it has any width."""
    if console.is_terminal:
        console.print(table)
        return
    unlimited = console.options.update(max_width=_WIDEST)
    needed = Measurement.get(console, unlimited, table).maximum
    wide = Console(width=max(needed, console.width), color_system=None)
    with wide.capture() as captured:
        wide.print(table)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def print_rows(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
) -> None:
    """Print rows as a table whose long texts wrap; one value a line if even that is too wide.

    Without a terminal lines have any length.
    """
    natural = _rows_table(columns, rows, longest=_WIDEST)
    wrapped = _rows_table(columns, rows, longest=_WRAPPED)
    unlimited = console.options.update(max_width=_WIDEST)
    if not console.is_terminal:
        print_wide(console, natural)
    elif Measurement.get(console, unlimited, natural).maximum <= console.width:
        console.print(natural)
    elif Measurement.get(console, unlimited, wrapped).minimum <= console.width:
        console.print(wrapped)
    else:
        _print_records(console, columns, rows)


def _rows_table(
    columns: Sequence[str], rows: Sequence[Sequence[str | None]], *, longest: int
) -> Table:
    """A table in which only columns with texts longer than ``longest`` may wrap."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        width = max((len(row[number] or "null") for row in rows), default=0)
        keep = max(width, len(column)) <= longest
        table.add_column(column, no_wrap=keep, min_width=None if keep else longest)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _print_records(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
) -> None:
    label = max(map(len, columns), default=0)
    for number, row in enumerate(rows, start=1):
        console.print(Text(f"row {number}", "dim"))
        for column, value in zip(columns, row, strict=True):
            console.print(Text.assemble((f"  {column:<{label}}  ", "bold"), _cell(value)))


def _cell(value: str | None) -> Text:
    return Text("null", "dim") if value is None else Text(printable(value))

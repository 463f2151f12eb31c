"""What people see: workflow runs and rows, as rich renderables or as plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from dynoexport import workflow_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime


_STATE_STYLES = {
    "SUCCEEDED": "green",
    "RUNNING": "cyan",
    "STARTING": "cyan",
    workflow_runs.WAITING: "dim",
}


# More than any table of rows; rich wants a number.
_WIDEST = 100_000
# Texts longer than this may wrap, and get at least so much room.
_WRAPPED = 20


def _state(state: str) -> Text:
    return Text(state, style=_STATE_STYLES.get(state, "bold red"))


def seconds(value: float) -> str:
    """A duration as people say it: ``8.4 s``, ``2 min 05 s``.

    >>> seconds(125.4)
    '2 min 05 s'
    """
    if value < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def size(value: int) -> str:
    """Bytes as people say them, in binary units.

    >>> size(1536)
    '1.5 KiB'
    """
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:  # noqa: PLR2004 - binary units
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def run_table(run: workflow_runs.Run, now: datetime) -> Table:
    """The nodes of a run, one a line, in the order in which they start."""
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    for node in run.nodes:
        elapsed = ""
        if node.started is not None:
            elapsed = seconds(max(0.0, ((node.completed or now) - node.started).total_seconds()))
        attempts = f"attempt {len(node.attempts)}" if len(node.attempts) > 1 else ""
        table.add_row(
            node.kind.lower(), node.name, _state(node.state), Text(elapsed, "dim"), attempts
        )
    return table


def changes(before: workflow_runs.Run | None, after: workflow_runs.Run) -> Iterator[str]:
    """One plain line for each node whose state changed between two looks."""

    def look(node: workflow_runs.Node) -> tuple[str, int]:
        return node.state, len(node.attempts)

    known = {node.name: look(node) for node in before.nodes} if before else {}
    for node in after.nodes:
        if node.state == workflow_runs.WAITING or known.get(node.name) == look(node):
            continue
        took = "" if node.seconds is None else f" after {seconds(node.seconds)}"
        attempt = f" (attempt {len(node.attempts)})" if len(node.attempts) > 1 else ""
        error = f": {node.error}" if node.error else ""
        yield f"  {node.kind.lower()} {node.name} {node.state}{attempt}{took}{error}"


def print_rows(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
) -> None:
    """Rows as a table whose long texts wrap; one value a line where even that is too narrow.

    Without a terminal there is no width to keep to: lines are as long as they must be.
    """
    natural = _rows_table(columns, rows, longest=_WIDEST)
    wrapped = _rows_table(columns, rows, longest=_WRAPPED)
    unlimited = console.options.update(max_width=_WIDEST)
    if not console.is_terminal:
        needed = Measurement.get(console, unlimited, natural).maximum
        Console(file=console.file, width=max(needed, console.width)).print(natural)
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
    return Text("null", "dim") if value is None else Text(value)

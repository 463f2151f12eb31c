"""What people see."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone

import pytest
from rich.console import Console

from dynoexport import settings
from dynoexport.aws.workflow_runs import Attempt, Node, Run
from dynoexport.presentation import display

COLUMNS = ("user", "review")
ROWS = (("Adeline", "Harry is pretty brave, but Hermione is the clear hero"), ("Tristan", None))


def printed(*, terminal: bool, width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, color_system=None, width=width)
    display.print_rows(console, COLUMNS, ROWS)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(("terminal", "width"), [(True, 100), (False, 20)])
def test_a_row_is_a_line_where_there_is_room_or_no_terminal(*, terminal: bool, width: int) -> None:
    """A pipe gets whole values at any terminal width."""
    lines = printed(terminal=terminal, width=width)
    assert lines[0].split() == ["user", "review"]
    assert lines[2].split(maxsplit=1) == list(ROWS[0])
    assert lines[3].split() == ["Tristan", "null"]


def test_long_texts_wrap_in_their_column() -> None:
    """No line is wider than the terminal, no word is lost, short columns stay whole."""
    lines = printed(terminal=True, width=40)
    assert max(map(len, lines)) <= 40
    for word in str(ROWS[0][1]).split():
        assert any(word in line for line in lines)


def test_a_terminal_too_narrow_for_a_table_gets_a_value_a_line() -> None:
    """Each value beside the name of its column."""
    lines = printed(terminal=True, width=24)
    assert lines[0] == "row 1"
    assert lines[1].split() == ["user", "Adeline"]


def test_a_runs_tree_cuts_names_alone() -> None:
    """A table's name may have 255 characters; state, time and figures stay readable."""
    began = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)
    ended = began + timedelta(minutes=50)
    name = "A-rather-long-name-of-a-table.with-more-and-more-words-in-itExportToparquet"
    attempts = (
        Attempt("glueetl", "FAILED", began, ended, dpu=10),
        Attempt("glueetl", "SUCCEEDED", began, ended, dpu=10),
    )
    nodes = (Node(name, "JOB", attempts), Node("Crawl", "CRAWLER"))
    run = Run("w", "wr_1", "RUNNING", nodes, {}, {settings.SNAPSHOT_ITEMS: "12345678"})
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=80)
    console.print(display.run_tree(run, ended))
    first, export, crawl = (line.rstrip() for line in out.getvalue().splitlines())
    assert max(map(len, (first, export, crawl))) <= 80
    assert first.split() == ["run", "wr_1", "RUNNING"]
    assert export.startswith("├ job      A-rat")
    assert export.endswith("…  SUCCEEDED  try 2  50 min  60,000 DPU-s  12,345,678 rows")
    assert crawl.split() == ["└", "crawler", "Crawl", "WAITING"]


@pytest.mark.parametrize("length", [8, 100])
def test_a_listing_cuts_its_elastic_column_alone(length: int) -> None:
    """On a terminal; a pipe gets whole names."""
    columns, others = ("TABLE", "LAST RUN", "SNAPSHOT", "ITEMS"), ("ok 2h ago", "2h old", "1,234")
    shown = {}
    for terminal in (True, False):
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal, color_system=None, width=80)
        rows = [("A" * length, *others)]
        display.print_listing(console, columns, rows, right=("ITEMS",), elastic="TABLE")
        shown[terminal] = out.getvalue().splitlines()[1].rstrip()
    assert len(shown[True]) <= 80
    assert shown[True].endswith("  ok 2h ago  2h old    1,234")
    assert ("…" in shown[True]) == (length == 100)
    assert shown[False].split() == ["A" * length, *" ".join(others).split()]


def test_a_failed_attempt_shows_its_own_duration() -> None:
    started = datetime(2026, 1, 31, 10, tzinfo=timezone.utc)

    def attempt(number: int, since: float, seconds: float) -> Attempt:
        begin = started + timedelta(seconds=since)
        return Attempt(
            "glueetl", "FAILED", begin, begin + timedelta(seconds=seconds), number=number
        )

    node = Node("ReviewsExportTocsv", "JOB", (attempt(0, 0, 12.5), attempt(1, 20, 7.5)))
    run = Run("workflow", "wr_1", "RUNNING", (node,), {}, {})
    assert list(display.changes(None, run)) == [
        "  job ReviewsExportTocsv FAILED (attempt 2) after 7.5 s"
    ]

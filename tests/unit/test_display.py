"""What people see."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dynoexport import display

COLUMNS = ("user", "review")
ROWS = (("Adeline", "Harry is pretty brave, but Hermione is the clear hero"), ("Tristan", None))


def printed(*, terminal: bool, width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, color_system=None, width=width)
    display.print_rows(console, COLUMNS, ROWS)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(("terminal", "width"), [(True, 100), (False, 20)])
def test_a_row_is_a_line_where_there_is_room_or_no_terminal(*, terminal: bool, width: int) -> None:
    """A pipe gets whole values, whatever width a terminal would have."""
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


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (125.4, "2 min 05 s")]
)
def test_durations(value: float, text: str) -> None:
    """Seconds to a tenth below a minute, whole ones above."""
    assert display.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 1024**4, "5.0 TiB")]
)
def test_sizes(value: int, text: str) -> None:
    """Binary units."""
    assert display.size(value) == text

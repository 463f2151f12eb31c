"""docs/plan.md: its outputs are what the commands print, its sums are right."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from dynoexport.cli import main
from dynoexport.jobs.formats import BYTES_PER_JSON_BYTE
from dynoexport.planning import plan

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
FUNCTIONS = {"ceil": math.ceil, "floor": math.floor, "min": min, "max": max}


def outputs(page: str) -> dict[str, list[str]]:
    """Each plan of a described table that the page shows, and the lines of its output."""
    block = r"^ {4}\$ dynoexport plan --describe .*(?:\n(?: {4}.*|(?=\n {4})))*"
    found = {}
    for shown in re.findall(block, page, re.MULTILINE):
        command, *lines = (line[4:] for line in shown.splitlines())
        found[command.removeprefix("$ ")] = lines
    return found


def printed(command: str, *more: str) -> str:
    words = [word.replace("docs/", f"{ROOT}/docs/") for word in shlex.split(command)[1:]]
    done = CliRunner().invoke(main, [*words, *more], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


SHOWN = outputs(PAGE)


def test_two_tables_are_shown() -> None:
    assert [re.findall(r"examples/(\w+)", command) for command in SHOWN] == [["events"], ["orders"]]


@pytest.mark.parametrize("command", SHOWN, ids=lambda command: command.split("/")[-1][:6])
def test_an_output_is_what_the_command_prints(command: str) -> None:
    """Paste it anew if a formula, a price or the layout has changed."""
    assert printed(command).splitlines() == SHOWN[command]


def test_the_tour_shows_what_the_command_prints() -> None:
    tour = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    ((shown, lines),) = outputs(tour).items()
    command, _, most = shown.partition(" | head -")
    assert printed(command).splitlines()[: int(most)] == lines


# --- the sums -------------------------------------------------------------------------------------
def value(expression: str) -> float:
    plain = expression.replace(",", "") if "(" not in expression else _without_commas(expression)
    assert re.fullmatch(r"[-+*/(), .0-9a-z]+", plain), expression
    return float(eval(plain, {"__builtins__": {}}, FUNCTIONS))  # arithmetic, of our own page


def _without_commas(expression: str) -> str:
    """Commas between digits go, those between arguments stay."""
    return re.sub(r"(?<=\d),(?=\d{3})", "", expression)


SUM = re.compile(r"^- (?:\[(\w+)\]|[\w\-, ]+:) (.+?) = ([\d,]+(?:\.(\d+))?)", re.MULTILINE)


def sums() -> Iterator[tuple[int, str, str, float, int]]:
    """For each sum: its table, the label, the sum, its result and the number of decimals."""
    second = PAGE.index("## 50 GiB")
    for match in SUM.finditer(PAGE):
        label, expression, result, decimals = match.groups()
        table = int(match.start() > second)
        yield table, label, expression, value(result), len(decimals or "")


def near(shown: float, decimals: int) -> Any:
    """Compare within the rounding of the figures."""
    return pytest.approx(shown, rel=2e-4, abs=0.6 * 10**-decimals)


def test_every_sum_of_the_page_is_right() -> None:
    found = list(sums())
    assert len(found) == 43
    for _, label, expression, shown, decimals in found:
        assert value(expression) == near(shown, decimals), (label, expression)


def figures(command: str) -> dict[str, float]:
    """The figure that the command prints for each label."""
    (reported,) = json.loads(printed(command, "--output", "json"))
    of_bill = {cost["formula"]: cost["quantity"] for cost in reported["costs"]}
    return {
        **of_bill,
        "limit": reported["allowed_rate"],
        "segments": reported["segments"],
        "units": reported["read_units"],
        "rate": reported["rate"],
        "read": reported["read_seconds"],
        "files": reported["files"],
        "write": reported["write_seconds"],
        "run": reported["run_seconds"],
        "cost": reported["run_usd"],
        "month": reported["month_usd"],
    }


def test_every_figure_of_the_command_is_worked_out_by_hand() -> None:
    for number, command in enumerate(SHOWN):
        reported = figures(command)
        worked = {
            label: (shown, decimals)
            for table, label, _, shown, decimals in sums()
            if table == number and label
        }
        assert set(worked) == set(reported)
        for label, (shown, decimals) in worked.items():
            assert reported[label] == near(shown, decimals), label


def test_every_label_is_explained() -> None:
    labels = set(
        re.findall(r"\[([\w-]+)\]", "\n".join(line for lines in SHOWN.values() for line in lines))
    )
    explained = {
        label
        for row in re.findall(r"^\| ([\w, -]+) \|", PAGE, re.MULTILINE)
        for label in row.split(", ")
    }
    assert labels <= explained
    assert {"export", "recovery", "changes", "transitions", "calls", "others"} <= explained


def test_the_assumptions_of_the_page_are_those_of_the_code() -> None:
    for figure in (
        f"{plan.CONNECTOR_SLOT_BYTES / 1e6:g} MB a second",
        f"native {plan.NATIVE_SLOT_BYTES / 1e6:g} MB",
        f"{plan.PIECES_SLOT_BYTES / 1e6:g} MB a second",
        f"lines {plan.LINES_SLOT_BYTES / 1e6:g} MB",
        f"the files of an export {plan.EXPORT_SLOT_BYTES / 1e6:g} MB",
        f"{plan.EXPORT_BYTES / 1e6:g} MB a second after five minutes",
        ", ".join(f"{fmt} {part:g}" for fmt, part in BYTES_PER_JSON_BYTE.items()).replace(
            "avro 0.6", "avro 0.6 of these"
        ),
    ):
        assert figure in PAGE

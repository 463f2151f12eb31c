"""docs/comparison.md: each cell has a source, each amount is that of ``dynoexport plan``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dynoexport.cli import main
from dynoexport.planning.plan import GB
from dynoexport.planning.prices import load_prices

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
SIZES = ROOT / "docs" / "examples" / "sizes.json"
TOOLS = [
    "dynoexport",
    "zero-ETL",
    "DynamoDB export",
    "DCIE",
    "bulk executor",
    "Athena federation",
    "Fivetran",
    "Airbyte",
    "scylla-migrator",
]
READERS = ("native", "connector", "export")
# What AWS's own cost table of the sample says of its KMS key and its transitions.
DCIE_KEY = 1.01
DCIE_TRANSITIONS = 3 * 25
# AWS's price for one, as in prices.json.
TRANSITION = load_prices("us-east-1").figures.thousand_state_transitions / 1000
# Airbyte's price for a GB of a database, and the least that it charges in a month.
AIRBYTE_GB = 10.0
AIRBYTE_MONTH = 10.0


def section(title: str) -> list[list[str]]:
    """The cells of each line of the table below a heading, without the table's own heading."""
    text = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


TITLES = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
COMPARED = [title for title in TITLES if not title.startswith(("Cost", "What each"))]


@pytest.mark.parametrize("title", COMPARED)
def test_table_has_every_tool_with_a_source(title: str) -> None:
    lines = section(title)
    assert [tool for tool, _, _ in lines] == TOOLS
    for tool, answer, source in lines:
        assert answer, tool
        assert "](" in source, tool


def test_every_other_tool_does_something_better() -> None:
    lines = section("What each does better than dynoexport")
    assert [tool for tool, _, _ in lines] == TOOLS[1:]
    assert all(better and "](" in source for _, better, source in lines)


def test_every_cost_has_a_formula_with_a_source() -> None:
    for tool, *amounts_of_sizes, formula in section("Cost a month"):
        assert len(amounts_of_sizes) == 3, tool
        assert "](" in formula, tool


def planned() -> list[dict[str, Any]]:
    words = ("--describe", str(SIZES), "--read-mode", "native", "--output", "json")
    done = CliRunner().invoke(main, ["plan", *words])
    assert done.exit_code == 0, done.output
    return list(json.loads(done.stdout))


def amounts(plan: dict[str, Any]) -> dict[str, str]:
    """What the cost table says of one table, as far as it can be computed."""
    months = {alternative["name"]: alternative["month_usd"] for alternative in plan["alternatives"]}
    connector = next(
        alternative
        for alternative in plan["alternatives"]
        if alternative["name"].endswith("connector")
    )
    costs = {cost["formula"]: cost for cost in connector["costs"]}
    runs = plan["runs_a_month"]
    size = plan["bytes"] / GB
    reads = runs * costs["reads"]["usd"]
    spark = runs * costs["spark"]["usd"]
    transitions = DCIE_TRANSITIONS * runs * TRANSITION
    incremental = months["DynamoDB export, incremental"]
    stored = size * runs * costs["storage"]["price_usd"]
    full, changed = (max(AIRBYTE_MONTH, runs * part * size * AIRBYTE_GB) for part in (1, 0.01))
    return {
        **{f"dynoexport, {name}": f"${months[f'dynoexport, {name}']:,.2f}" for name in READERS},
        "zero-ETL": f"${months['zero-ETL integration']:,.2f} + compute",
        "DynamoDB export, full": f"${months['DynamoDB export, full']:,.2f}",
        "DynamoDB export, incremental": f"${incremental:,.2f}",
        "DCIE": f"${incremental + DCIE_KEY + transitions:,.2f}",
        "bulk executor, `sql`": f"${spark + reads + stored:,.2f}",
        "Athena federation": f"${reads:,.2f} + compute",
        "Airbyte Cloud, full refresh": f"${full + reads:,.2f}",
        "Airbyte Cloud, incremental": f"${changed + reads:,.2f}",
        "scylla-migrator": f"${reads:,.2f} + compute",
    }


def test_amounts_are_those_of_the_plan() -> None:
    shown = {tool: cells for tool, *cells, _ in section("Cost a month")}
    computed = [amounts(plan) for plan in planned()]
    assert {tool: cells for tool, cells in shown.items() if tool != "Fivetran"} == {
        tool: [table[tool] for table in computed] for tool in computed[0]
    }


def test_first_export_and_active_rows_are_those_of_the_plan() -> None:
    plans = planned()
    first = [
        next(
            alternative["once_usd"]
            for alternative in plan["alternatives"]
            if alternative["label"] == "zero-ETL"
        )
        for plan in plans
    ]
    assert "first export costs {}, {}, {}".format(*(f"${usd:.2f}" for usd in first)) in PAGE
    rows = [f"{0.01 * plan['items'] * plan['runs_a_month']:,.0f}" for plan in plans]
    assert "active rows: {}, {} and {}".format(*rows) in PAGE


def test_prices_are_as_old_as_the_page_says() -> None:
    """The page names the oldest date, as a plan does."""
    prices = json.loads((ROOT / "dynoexport" / "planning" / "prices.json").read_text())
    assert f"AWS's prices are of {prices['date']} or later" in PAGE
    assert "us-east-1" in PAGE

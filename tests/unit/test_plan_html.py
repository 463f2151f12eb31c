"""The page of a plan: it stands alone, is well-formed, escapes, and shows the plan's figures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from dynoexport import units
from dynoexport.cli import main
from dynoexport.model import OutputFormat, ReadMode
from dynoexport.operations import plan as operation
from dynoexport.planning import plan, sizing
from dynoexport.planning.sizing import PlanRequest
from dynoexport.presentation import plan_html

if TYPE_CHECKING:
    from dynoexport.operations.plan import Planned

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
EVENTS = (EXAMPLES / "events.json").read_text(encoding="utf-8")
ORDERS = (EXAMPLES / "orders.json").read_text(encoding="utf-8")
HOSTILE = '<script>alert("x")</script>&amp;'
VOID = {"meta", "br"}


def planned(text: str = EVENTS, **request: Any) -> Planned:
    (found,) = operation.plans_described(text, region="us-east-1", request=PlanRequest(**request))
    return found


PLANS = {
    "connector": planned(),
    "native": planned(ORDERS, read_mode=ReadMode.NATIVE, retention_days=30),
    "export": planned(read_mode=ReadMode.EXPORT),
    "xml": planned(ORDERS, format=OutputFormat.XML),
    "empty": planned(json.dumps({"TableName": "Empty"})),
    "tiny": planned(json.dumps({"TableName": "Tiny", "TableSizeBytes": 900, "ItemCount": 3})),
    "huge": planned(
        json.dumps({"TableName": "Huge", "TableSizeBytes": 100 * 1024**4, "ItemCount": 10**12})
    ),
    "unmet": planned(target_seconds=60.0),
}


class Page(HTMLParser):
    """The elements of a page. Unclosed or misplaced tags are errors."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


def drawings(text: str) -> list[ET.Element]:
    found = re.findall(r"<svg class=\"chart\".*?</svg>", text, re.DOTALL)
    return [ET.fromstring(chart) for chart in found]


PRICES = PLANS["connector"].prices


@cache
def page_of(name: str) -> str:
    return plan_html.page([PLANS[name]])


@pytest.mark.parametrize("name", PLANS)
def test_a_page_is_well_formed(name: str) -> None:
    page = Page(page_of(name))
    assert [tag for tag, _ in page.tags[:3]] == ["html", "head", "meta"]
    assert len(drawings(page_of(name))) == (2 if name == "export" else 4)


@pytest.mark.parametrize("name", PLANS)
def test_a_page_fetches_nothing_and_runs_nothing(name: str) -> None:
    page = Page(page_of(name))
    assert not {"script", "link", "img", "iframe", "object", "a"} & {tag for tag, _ in page.tags}
    attributes = [attribute for _, tag_attributes in page.tags for attribute in tag_attributes]
    assert not [
        attribute
        for attribute in attributes
        if attribute.startswith("on") or attribute in {"src", "href"}
    ]
    assert not re.search(r"https?:|@import|url\(", page_of(name))


@pytest.mark.parametrize("name", PLANS)
def test_a_page_shows_the_figures_of_the_plan(name: str) -> None:
    estimate, text = PLANS[name].recommendation.estimate, Page(page_of(name)).text
    assert f"A run takes {units.duration(estimate.run_seconds)}" in text
    assert f"A run costs {units.dollars(estimate.run_dollars)}" in text
    assert f"A month costs {units.dollars(estimate.month_dollars)}" in text
    assert f"{estimate.job.workers} \u00d7 {estimate.job.worker_type.value}" in text
    assert (
        f"{units.size(estimate.table.bytes)}, {units.count(estimate.table.items, 'item')}" in text
    )
    for cost in estimate.costs:
        dollars = units.dollars(cost.dollars)
        row = f"{cost.name} {units.number(cost.quantity)} {cost.unit} {units.price(cost.price)}"
        assert f"{row} {dollars} {cost.label}" in text
    for choice in PLANS[name].recommendation.choices:
        assert f"{choice.setting} {choice.value} {choice.reason}" in text
    for way in PLANS[name].alternatives:
        assert way.name in text
        assert units.dollars(way.month_dollars) in text
    for sentence in (*PLANS[name].assumptions, *PLANS[name].recommendation.unmet):
        assert sentence in text


@pytest.mark.parametrize("name", PLANS)
def test_every_point_of_a_chart_is_an_estimate(name: str) -> None:
    found = PLANS[name].recommendation.estimate
    of = plan_html.view(PLANS[name]).figures[0].chart
    drawn = {dot.text for line in of.lines for dot in line.dots}
    for workers in plan_html.worker_numbers(found.job):
        job = replace(found.job, workers=int(workers))
        reported = plan.estimate(found.table, job, PLANS[name].prices).run_seconds
        assert f"{workers:,g} workers: {units.duration(reported)}" in drawn


@pytest.mark.parametrize("name", PLANS)
def test_the_recommended_point_is_marked_in_every_chart(name: str) -> None:
    found = PLANS[name].recommendation.estimate
    time, dollars = units.duration(found.run_seconds), units.dollars(found.run_dollars)
    for number, figure in enumerate(plan_html.view(PLANS[name]).figures):
        chart, reported = figure.chart, dollars if number % 2 else time
        assert chart.mark.text.endswith(f": {reported}")
        dots = [(dot.x, dot.y) for line in chart.lines for dot in line.dots]
        assert (chart.mark.x, chart.mark.y) in dots


@pytest.mark.parametrize("name", PLANS)
def test_nothing_in_a_chart_leaves_it_or_lies_over_something_else(name: str) -> None:
    for figure in plan_html.view(PLANS[name]).figures:
        chart = figure.chart
        for line in chart.lines:
            assert all(chart.left <= dot.x <= chart.right for dot in line.dots)
            assert all(chart.top <= dot.y <= chart.bottom for dot in line.dots)
        names = sorted(line.label_y for line in chart.lines)
        assert all(below - above >= 12 for above, below in pairwise(names))
        # The room beside the chart: "1 h 20 min".
        assert all(len(tick.label) <= 10 for tick in chart.y.ticks)
        assert len(chart.x.ticks) >= 2
        assert len(chart.y.ticks) >= 2


def test_the_knee_is_where_the_bound_of_the_rate_is_reached() -> None:
    first, second, third = plan_html.knee(PLANS["connector"])
    (workers,) = re.findall(r"From ([\d,]+) workers on", first)
    estimate = PLANS["connector"].recommendation.estimate
    reading = plan.estimate_reading(estimate.table, replace(estimate.job, workers=int(workers)))
    assert reading.bound.name == "limit"
    fewer = plan.estimate_reading(estimate.table, replace(estimate.job, workers=int(workers) - 1))
    assert fewer.seconds > 1.02 * reading.seconds
    assert f"limited by {sizing.BOUNDS['limit']}, at 15,000 units a second" in first
    assert second.endswith("nothing gets faster; more workers only cost more.")
    for number in (estimate.job.workers, estimate.job.workers // 2, 2 * estimate.job.workers):
        other = plan.estimate(estimate.table, replace(estimate.job, workers=number), PRICES)
        time, dollars = units.duration(other.run_seconds), units.dollars(other.run_dollars)
        assert f"{time} and {dollars}" in third


def test_where_the_fewest_workers_are_enough_it_is_said_in_a_sentence() -> None:
    assert plan_html.knee(PLANS["tiny"]) == [
        "2 workers, the fewest possible, are already as fast as more."
    ]


def test_bars_are_as_long_as_a_month_costs_and_the_cheapest_is_first() -> None:
    """Those of dynoexport come before other ways."""
    found = plan_html.bars(PLANS["connector"].alternatives)
    lengths = [(not bar.way.own, bar.part) for bar in found if bar.part is not None]
    assert lengths == sorted(lengths)
    assert max(part for _, part in lengths) == 1
    assert [bar.cheapest for bar in found] == [True, *[False] * (len(found) - 1)]
    assert [bar.way.name for bar in found if bar.part is None] == ["Step Functions + Lambda, 2019"]


def test_what_a_file_describes_is_escaped() -> None:
    """This covers the table's name, its region and the schedule."""
    planned_tiny = PLANS["tiny"]
    table = replace(planned_tiny.table, name=HOSTILE, region=HOSTILE)
    estimate = replace(planned_tiny.recommendation.estimate, table=table)
    recommendation = replace(planned_tiny.recommendation, estimate=estimate)
    hostile = replace(
        planned_tiny,
        table=table,
        recommendation=recommendation,
        schedule=HOSTILE,
        unknown=(HOSTILE,),
    )
    text = plan_html.page([hostile])
    assert "<script" not in text
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(HOSTILE) >= 5


def test_several_tables_follow_one_another() -> None:
    page = Page(plan_html.page([PLANS["connector"], PLANS["native"]]))
    assert "Export plan of Events" in page.text
    assert "Export plan of Orders" in page.text
    assert [tag for tag, _ in page.tags].count("section") == 2


# --- the command ------------------------------------------------------------------------------
def test_the_command_writes_the_page_beside_its_answer(tmp_path: Path) -> None:
    target = tmp_path / "plan.html"
    described = str(EXAMPLES / "events.json")
    done = CliRunner().invoke(main, ["plan", "--describe", described, "--html", str(target)])
    assert done.exit_code == 0
    assert done.stdout.startswith("Events: 2.0 TiB")
    assert done.stderr == f"Wrote {target}\n"
    assert target.read_text(encoding="utf-8") == page_of("connector")


def test_a_page_that_cannot_be_written_is_reported_in_a_line(tmp_path: Path) -> None:
    target = tmp_path / "no" / "plan.html"
    described = str(EXAMPLES / "events.json")
    done = CliRunner().invoke(main, ["plan", "--describe", described, "--html", str(target)])
    assert done.exit_code == 1
    assert done.stderr == f"Error: cannot write {target}\n  No such file or directory\n"


def test_page_is_written_through_a_link(tmp_path: Path) -> None:
    """The link stays, and its file keeps its permissions."""
    target, link = tmp_path / "plan.html", tmp_path / "link"
    target.touch(mode=0o600)
    link.symlink_to(target)
    described = str(EXAMPLES / "events.json")
    done = CliRunner().invoke(main, ["plan", "--describe", described, "--html", str(link)])
    assert done.exit_code == 0
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_text(encoding="utf-8") == page_of("connector")


def test_page_on_a_full_disk_is_a_line() -> None:
    described = str(EXAMPLES / "events.json")
    done = CliRunner().invoke(main, ["plan", "--describe", described, "--html", "/dev/full"])
    assert done.exit_code == 1
    assert done.stderr == "Error: cannot write /dev/full\n  No space left on device\n"


def test_page_names_what_auto_takes() -> None:
    words = " ".join(" ".join(Page(plan_html.page([PLANS["tiny"]])).words).split())
    assert "takes native, python, direct: 1 min 30 s and $0.001 a run" in words
    assert "dynoexport deploy Tiny --auto --read-mode native" in words

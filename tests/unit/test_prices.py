"""What a run costs: figures with date and source, and AWS's rules for rounding up."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta, timezone
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynoexport.aws.workflow_runs import Attempt, Node, Run
from dynoexport.cloudformation import options
from dynoexport.model import GlueVersion
from dynoexport.planning import prices
from dynoexport.planning.prices import PricesRefused

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = resources.files("dynoexport.planning") / "prices.json"
START = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)
# Long after everything has ended.
LATER = START + timedelta(days=3)
# Pairwise distinct figures.
FIGURES = replace(
    prices.load_prices("us-east-1"),
    region="here",
    figures=replace(prices.load_prices("us-east-1").figures, dpu_hour={"default": 0.5, "6.0": 0.3}),
    minimum_seconds={"glueetl": 60, "pythonshell": 90, "crawler": 600},
    crawler_dpu=2.0,
)


def attempt(kind: str, seconds: float, *, dpu: float = 0.0, **more: Any) -> Attempt:
    return Attempt(kind, "SUCCEEDED", START, START + timedelta(seconds=seconds), dpu=dpu, **more)


def cost(*attempts: Attempt, now: datetime = LATER) -> float:
    """Dollars for a run of one node with these attempts."""
    run = Run("w", "wr_1", "COMPLETED", (Node("n", "JOB", attempts),), {}, {})
    return prices.cost(run, FIGURES, now)


def dollars(dpu: float, seconds: float, price: float) -> Any:
    return pytest.approx(dpu * seconds / 3600 * price)


# --- a job ----------------------------------------------------------------------------------------
def test_a_job_costs_its_capacity_for_its_time() -> None:
    assert cost(attempt("glueetl", 1_800, dpu=10)) == pytest.approx(2.5)


def test_what_glue_has_billed_counts_before_capacity() -> None:
    """An autoscaled job uses less than it might."""
    billed = attempt("glueetl", 1_800, dpu=10, billed_dpu_seconds=7_200.0)
    assert cost(billed) == dollars(1, 7_200, 0.5)


@pytest.mark.parametrize(("kind", "least"), [("glueetl", 60), ("pythonshell", 90)])
def test_a_job_costs_at_least_the_minimum_of_its_kind(kind: str, least: int) -> None:
    """The minimum applies to its whole capacity."""
    assert cost(attempt(kind, 5, dpu=3)) == dollars(3, least, 0.5)
    assert cost(attempt(kind, least + 1, dpu=3)) == dollars(3, least + 1, 0.5)


def test_a_spark_job_has_the_price_of_its_glue_version() -> None:
    assert cost(attempt("glueetl", 1_800, dpu=10, glue_version="6.0")) == dollars(10, 1_800, 0.3)
    assert cost(attempt("glueetl", 1_800, dpu=10, glue_version="4.0")) == dollars(10, 1_800, 0.5)


def test_a_shell_job_has_the_default_price_whatever_its_version() -> None:
    """The lower price is that of Spark."""
    shell = attempt("pythonshell", 1_800, dpu=0.0625, glue_version="6.0")
    assert cost(shell) == dollars(0.0625, 1_800, 0.5)


def test_a_running_job_has_the_cost_up_to_now() -> None:
    going_on = replace(attempt("glueetl", 0, dpu=2), completed=None)
    assert cost(going_on, now=START + timedelta(seconds=100)) == dollars(2, 100, 0.5)


# --- a crawl --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("seconds", "billed"), [(45, 600), (601, 601)])
def test_a_crawl_costs_ten_minutes_at_least(seconds: int, billed: int) -> None:
    """AWS does not publish its capacity; the plan uses the amounts of bills."""
    assert cost(attempt("crawler", seconds)) == dollars(2, billed, 0.5)


# --- a run ----------------------------------------------------------------------------------------
def test_every_attempt_is_billed() -> None:
    """This includes a failed attempt."""
    failed = replace(attempt("glueetl", 100, dpu=4), state="FAILED")
    assert cost(failed, attempt("glueetl", 200, dpu=4)) == dollars(4, 300, 0.5)


def test_a_run_costs_what_its_nodes_cost() -> None:
    job, crawl = attempt("glueetl", 100, dpu=4), attempt("crawler", 700)
    nodes = (Node("j", "JOB", (job,)), Node("c", "CRAWLER", (crawl,)), Node("v", "JOB"))
    run = Run("w", "wr_1", "RUNNING", nodes, {}, {})
    assert prices.cost(run, FIGURES, LATER) == pytest.approx(cost(job) + cost(crawl))


def test_a_run_that_has_not_begun_costs_nothing() -> None:
    assert cost() == 0


# --- the figures ----------------------------------------------------------------------------------
@pytest.fixture
def figures() -> dict[str, Any]:
    text = SHIPPED.read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_region_has_its_own_prices(figures: dict[str, Any]) -> None:
    for region, load_prices in figures["regions"].items():
        found = prices.load_prices(region)
        assert (found.region, asdict(found.figures)) == (region, load_prices)
        assert found.minimum_seconds == figures["minimum_seconds"]
        assert (found.date, found.crawler_dpu) == (figures["date"], figures["crawler_dpu"])


def test_an_unknown_region_says_whose_prices_it_has() -> None:
    found = prices.load_prices("mars-north-1")
    assert found == prices.load_prices("us-east-1")
    assert found.region == "us-east-1"


def test_every_version_of_glue_has_a_price(figures: dict[str, Any]) -> None:
    """No price belongs to a version or class that does not exist."""
    versions = {version.value for version in GlueVersion}
    classes = {price.dpu_hour for option in options.OPTIONS for price in option.prices.values()}
    for load_prices in figures["regions"].values():
        by_key = load_prices["dpu_hour"]
        assert set(by_key) - {"default"} <= versions | classes
        assert all(0 < price < 10 for price in by_key.values())
        assert "default" in by_key


def test_every_kind_of_attempt_has_a_minimum(figures: dict[str, Any]) -> None:
    assert set(figures["minimum_seconds"]) == {"glueetl", "pythonshell", "crawler"}


def test_the_figures_have_a_date_and_sources_at_aws(figures: dict[str, Any]) -> None:
    assert figures["currency"] == "USD"
    own = {name for load_prices in figures["regions"].values() for name in load_prices}
    beside = {"minimum_seconds", "first_glue_minimum_seconds", "crawler_dpu"}
    assert set(figures["sources"]) == own | beside
    sources = figures["sources"].values()
    assert all(
        re.match(r"https://([a-z]+\.)?aws\.amazon\.com/", source["page"]) for source in sources
    )
    assert all(date.fromisoformat(source["date"]) > date(2026, 1, 1) for source in sources)
    assert figures["date"] == min(source["date"] for source in sources)


def test_half_an_hour_of_ten_workers_in_north_virginia() -> None:
    """A bill, by the shipped figures: 10 DPU, 0.44 dollars an hour each, and a crawl of 600 s."""
    nodes = (
        Node("j", "JOB", (attempt("glueetl", 1_800, dpu=10, glue_version="5.1"),)),
        Node("c", "CRAWLER", (attempt("crawler", 60),)),
    )
    run = Run("w", "wr_1", "COMPLETED", nodes, {}, {})
    assert round(prices.cost(run, prices.load_prices("us-east-1"), LATER), 4) == 2.3467


# --- a file of one's own --------------------------------------------------------------------------
def own(path: Path, **changed: Any) -> Path:
    """The shipped figures as those of mars-north-1; ``a__b`` changes b in a, None takes it away."""
    shipped = json.loads(SHIPPED.read_text("utf-8"))
    content = {"date": "2026-11-20", "regions": {"mars-north-1": shipped["regions"]["us-east-1"]}}
    for name, value in changed.items():
        *groups, last = name.replace("region__", "regions__mars-north-1__").split("__")
        place: Any = content
        for group in groups:
            place = place[group]
        place[last] = value
        if value is None:
            del place[last]
    file = path / "own.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def test_a_file_adds_a_region(tmp_path: Path) -> None:
    found = prices.load_prices("mars-north-1", file=own(tmp_path, region__export_gb=0.7))
    assert (found.region, found.date, found.figures.export_gb) == (
        "mars-north-1",
        "2026-11-20",
        0.7,
    )
    assert found.minimum_seconds == prices.load_prices("us-east-1").minimum_seconds


def test_a_file_leaves_other_regions_as_they_are(tmp_path: Path) -> None:
    assert prices.load_prices("us-east-1", file=own(tmp_path)) == prices.load_prices("us-east-1")
    assert prices.load_prices("venus-1", file=own(tmp_path)).region == "us-east-1"


def test_the_shipped_prices_are_such_a_file(tmp_path: Path) -> None:
    file = tmp_path / "copy.json"
    file.write_text(SHIPPED.read_text("utf-8"), "utf-8")
    assert prices.load_prices("us-east-1", file=file) == prices.load_prices("us-east-1")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"date": None}, "date is None, not a day such as '2026-11-01'"),
        ({"date": "soon"}, "date is 'soon', not a day such as '2026-11-01'"),
        ({"date": 7}, "date is 7, not a day such as '2026-11-01'"),
        ({"currency": "EUR"}, "currency is 'EUR', not 'USD'"),
        ({"regions": None}, "regions is not a JSON object with a region"),
        ({"regions": {}}, "regions is not a JSON object with a region"),
        ({"regions": {"a": 3}}, "regions.a is not a JSON object"),
        ({"region__export_gb": None}, "regions.mars-north-1.export_gb is missing"),
        (
            {"region__export_gb": -1},
            "regions.mars-north-1.export_gb is -1, not a number of at least 0",
        ),
        (
            {"region__export_gb": "1"},
            "regions.mars-north-1.export_gb is '1', not a number of at least 0",
        ),
        (
            {"region__export_gb": True},
            "regions.mars-north-1.export_gb is True, not a number of at least 0",
        ),
        (
            {"region__export_gb": float("nan")},
            "regions.mars-north-1.export_gb is nan, not a number of at least 0",
        ),
        ({"region__gold": 3}, "regions.mars-north-1.gold is not a known price"),
        ({"region__dpu_hour": 3}, "regions.mars-north-1.dpu_hour is not a JSON object"),
        ({"region__dpu_hour": {}}, "regions.mars-north-1.dpu_hour.default is missing"),
        ({"minimum_seconds": {}}, "minimum_seconds.glueetl is missing"),
        ({"crawler_dpu": "two"}, "crawler_dpu is 'two', not a number of at least 0"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(
    tmp_path: Path, changed: dict[str, Any], why: str
) -> None:
    file = own(tmp_path, **changed)
    with pytest.raises(PricesRefused) as refused:
        prices.load_prices("us-east-1", file=file)
    assert refused.value.what == f"the prices in {file} are not valid: {why}"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"3", b"null"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "own.json"
    file.write_bytes(content)
    with pytest.raises(PricesRefused) as refused:
        prices.load_prices("us-east-1", file=file)
    assert "\n" not in refused.value.what


def test_a_file_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PricesRefused, match=r"cannot read the prices in .*: No such file"):
        prices.load_prices("us-east-1", file=tmp_path / "none.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = [
    "date",
    "currency",
    "minimum_seconds",
    "first_glue_minimum_seconds",
    "crawler_dpu",
    "regions",
    "region__dpu_hour",
    "region__athena_tb",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(NAMES), JSON)
def test_any_json_is_prices_or_refused(tmp_path: Path, name: str, value: Any) -> None:
    with suppress(PricesRefused):
        found = prices.load_prices("mars-north-1", file=own(tmp_path, **{name: value}))
        assert found.dpu_hour("5.1") >= 0
        assert found.figures.athena_tb >= 0
        assert found.minimum_seconds["crawler"] >= 0

"""What ``deploy --auto`` takes: the cheapest reader, engine and catalog update that can run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from test_plan import ORDERS, PRICES, TABLES

from dynoexport import OutputFormat, PlanRequest, ReadMode, parse_request, plans_described
from dynoexport.model import CatalogUpdate, Engine
from dynoexport.planning import cheapest_way
from dynoexport.planning.alternatives import alternatives
from dynoexport.planning.plan import Cost
from dynoexport.planning.sizing import Recommendation, recommend

if TYPE_CHECKING:
    from dynoexport.operations.plan import Planned
    from dynoexport.planning.table_facts import TableFacts

MB, GB = 1024**2, 1024**3
SLOW = {"ProvisionedThroughput": {"ReadCapacityUnits": 25}}
RECOVERY = {
    "ContinuousBackupsDescription": {
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}
    }
}


def planned(
    size: int, *, every: str = "day", table: Any = None, beside: Any = None, **asked: Any
) -> Planned:
    described = {"TableName": "Orders", "TableSizeBytes": size, **(table or {})}
    text = json.dumps({"Table": described, **(beside or {})})
    given = asked.pop("parameters", {})
    request = parse_request(given, PlanRequest(**asked))
    (found,) = plans_described(text, region="us-east-1", request=request, every=every)
    return found


def taken(found: Planned) -> str:
    chosen = found.auto or found.recommendation
    return cheapest_way.describe(chosen.estimate.job)


# --- what is cheapest -----------------------------------------------------------------------------
def test_small_table_needs_neither_spark_nor_crawler() -> None:
    found = planned(100 * MB)
    assert taken(found) == "native, python, direct"
    assert found.auto is not None
    assert found.auto.estimate.run_dollars < found.estimate.run_dollars / 10


def test_plan_keeps_the_defaults() -> None:
    job = planned(100 * MB).estimate.job
    assert cheapest_way.way(job) == cheapest_way.DEFAULT_WAY


def test_what_is_cheapest_already_has_no_other_way() -> None:
    way = {"ReadMode": "native", "Engine": "python", "CatalogUpdate": "direct"}
    found = planned(100 * MB, parameters=way)
    assert found.auto is None
    assert found.auto_command == ()


@given(TABLES)
def test_no_way_that_can_run_costs_less(table: TableFacts) -> None:
    """Among all that the rules allow, for any table; only losses may be avoided for a little."""
    requests = cheapest_way.possible_ways(PlanRequest(), table)
    found = [recommend(table, request, PRICES) for request in requests]
    works = [plan for plan in found if not (plan.obstacles or plan.harms)]
    best = cheapest_way.choose(found)
    assert (best is None) == (not works)
    if best is not None:
        least = min(plan.estimate.month_dollars for plan in works)
        assert best.estimate.month_dollars <= 1.02 * least + 0.01


def costing(reader: ReadMode, dollars: float) -> Recommendation:
    made = recommend(ORDERS, PlanRequest(read_mode=reader), PRICES)
    cost = Cost("all", "all", 1.0, "month", dollars, "month")
    return replace(made, estimate=replace(made.estimate, costs=(cost,)))


@pytest.mark.parametrize(
    ("connector", "native", "reader"),
    [
        (1.00, 1.00, ReadMode.NATIVE),
        (1.00, 1.01, ReadMode.NATIVE),
        (1.00, 2.00, ReadMode.CONNECTOR),
        (2.00, 1.00, ReadMode.NATIVE),
    ],
)
def test_connector_is_taken_only_if_it_saves_something(
    connector: float, native: float, reader: ReadMode
) -> None:
    plans = [costing(ReadMode.CONNECTOR, connector), costing(ReadMode.NATIVE, native)]
    best = cheapest_way.choose(plans)
    assert best is not None
    assert best.estimate.job.read_mode is reader


# --- what can run ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "asked",
    [
        {"size": 11 * GB},
        {"beside": {"Where": "rating > 3"}},
        {"parameters": {"ExecutionClass": "FLEX"}},
        {"parameters": {"NumberOfWorkers": "4"}},
        {"parameters": {"WorkerType": "G.2X"}},
        {"parameters": {"Engine": "spark"}},
    ],
    ids=["large", "predicate", "spare capacity", "workers", "worker type", "asked"],
)
def test_what_needs_spark_keeps_it(asked: dict[str, Any]) -> None:
    parameters, beside = asked.get("parameters", {}), asked.get("beside", {})
    request = parse_request(parameters, PlanRequest(beside=beside))
    text = json.dumps({"TableName": "Orders", "TableSizeBytes": asked.get("size", 100 * MB)})
    (found,) = plans_described(text, region="us-east-1", request=request)
    assert taken(found) == "native, spark, direct"


def test_table_that_has_outgrown_python_gets_spark() -> None:
    found = planned(11 * GB, read_mode=ReadMode.NATIVE, engine=Engine.PYTHON)
    assert found.recommendation.obstacles
    assert taken(found) == "native, spark, direct"


@pytest.mark.parametrize("fmt", list(OutputFormat))
def test_catalog_table_of_every_format_stays(fmt: OutputFormat) -> None:
    """Without a crawler, xml would have none."""
    update = "direct" if fmt.queryable else "crawler"
    found = planned(100 * MB, format=fmt)
    assert taken(found) == f"native, python, {update}"


@given(TABLES)
def test_what_auto_takes_is_listed_with_its_price(table: TableFacts) -> None:
    best = cheapest_way.choose(
        [recommend(table, way, PRICES) for way in cheapest_way.possible_ways(PlanRequest(), table)]
    )
    listed = alternatives(table, PlanRequest(), PRICES, auto=best)
    assert len({other.name for other in listed}) == len(listed)
    if best is not None:
        assert best.estimate.month_dollars in [other.month_dollars for other in listed if other.own]


def test_dynamodbs_export_is_taken_only_if_recovery_is_on() -> None:
    """Its reads are free, so it is the way for a table with little capacity."""
    assert planned(10 * GB, table=SLOW).auto is None
    assert taken(planned(10 * GB, table=SLOW, beside=RECOVERY)) == "export, python, direct"


@pytest.mark.parametrize(
    ("name", "value"), [("ReadMode", "connector"), ("CatalogUpdate", "crawler")]
)
def test_what_you_choose_stays(name: str, value: str) -> None:
    found = planned(100 * MB, parameters={name: value})
    chosen = found.auto or found.recommendation
    assert cheapest_way.way(chosen.estimate.job)[name] == value


def test_percentage_below_the_connectors_least_is_native() -> None:
    request = PlanRequest(read_percent=0.05)
    readers = {way.read_mode for way in cheapest_way.possible_ways(request, ORDERS)}
    assert readers == {ReadMode.NATIVE}


# --- what meets the target ------------------------------------------------------------------------
def test_cheapest_way_meets_the_target() -> None:
    found = planned(GB, target_seconds=600)
    assert found.auto is not None
    assert found.auto.estimate.run_seconds <= 600
    assert found.auto.parameters["MaxCapacity"] == "1"
    assert "--target-duration 10m" in found.auto_command


def test_target_that_needs_spark_gets_it() -> None:
    assert taken(planned(9 * GB, target_seconds=600)) == "native, spark, direct"


def test_maximum_cost_is_met_by_another_way() -> None:
    """The default job cannot be as cheap."""
    found = planned(100 * MB, max_dollars=0.01)
    assert found.recommendation.unmet
    assert taken(found) == "native, python, direct"
    assert "--max-cost 0.01" in found.auto_command


def test_maximum_cost_beats_the_target_without_spark() -> None:
    """As with workers: the smaller job, and the sentence that the target is missed."""
    way = {"ReadMode": "native", "Engine": "python", "CatalogUpdate": "direct"}
    small = planned(3 * MB, parameters=way).estimate
    fast = planned(3 * MB, parameters={**way, "MaxCapacity": "1"}).estimate
    most = (small.run_dollars + fast.run_dollars) / 2
    target = (small.run_seconds + fast.run_seconds) / 2
    found = planned(3 * MB, parameters=way, target_seconds=target, max_dollars=most)
    assert found.recommendation.parameters["MaxCapacity"] == "0.0625"
    (missed,) = found.recommendation.unmet
    assert missed.startswith("no job ends in ")
    assert missed.endswith("pays for 0.0625 DPU")


def test_runs_that_would_overlap_get_a_whole_dpu() -> None:
    way = {"ReadMode": "native", "Engine": "python", "CatalogUpdate": "direct"}
    daily, hourly = (planned(4 * GB, parameters=way, every=every) for every in ("day", "hour"))
    assert daily.recommendation.parameters["MaxCapacity"] == "0.0625"
    assert hourly.recommendation.parameters["MaxCapacity"] == "1"
    assert hourly.recommendation.obstacles == ()


# --- in words -------------------------------------------------------------------------------------
def test_each_replaced_part_has_its_line() -> None:
    found = planned(100 * MB).auto
    assert found is not None
    before = {**cheapest_way.DEFAULT_WAY, "CatalogUpdate": "direct"}
    changes = list(cheapest_way.explain_changes(before, found.estimate))
    assert [(choice.setting, choice.value) for choice in changes] == [
        ("ReadMode", "native"),
        ("Engine", "python"),
    ]
    assert changes[0].reason.startswith("instead of connector: the cheapest way costs about $0.0")
    assert changes[1].reason == "instead of spark"


def test_command_of_the_plan_names_the_whole_way() -> None:
    """Otherwise --auto would take another one."""
    words = planned(100 * MB).command
    assert {"--read-mode connector", "--engine spark", "--catalog-update crawler"} <= set(words)


def test_own_way_is_first() -> None:
    """So that a way that costs the same changes nothing."""
    request = PlanRequest(
        read_mode=ReadMode.NATIVE, engine=Engine.PYTHON, catalog_update=CatalogUpdate.DIRECT
    )
    assert cheapest_way.possible_ways(request, ORDERS)[0] == request

"""Other ways to a table's data: the bill of each in its cheapest form."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import pytest
from hypothesis import given
from test_plan import EVENTS, GB, ORDERS, PRICES, TABLES

from dynoexport.model import OutputFormat, ReadMode
from dynoexport.planning import alternatives as ways
from dynoexport.planning.alternatives import Alternative
from dynoexport.planning.plan import PYTHON_TABLE_BYTES_MAX, Cost
from dynoexport.planning.sizing import PlanRequest, recommend
from dynoexport.planning.table_facts import TableFacts

DAY = 30.4375


def found(table: TableFacts, **request: object) -> dict[str, Alternative]:
    listed = ways.alternatives(table, PlanRequest(**request), PRICES)  # type: ignore[arg-type]
    return {
        alternative.name.partition(", ")[2] or alternative.name: alternative
        for alternative in listed
    }


def bill(alternative: Alternative) -> dict[str, float]:
    return {cost.label: cost.dollars for cost in alternative.costs}


def test_our_readers_cost_what_their_plans_say() -> None:
    for reader in ReadMode:
        plan = recommend(ORDERS, PlanRequest(read_mode=reader), PRICES).estimate
        other = found(ORDERS)[reader.value]
        assert (other.run_dollars, other.month_dollars) == (plan.run_dollars, plan.month_dollars)
        assert other.seconds == plan.run_seconds


def test_a_full_export_is_paid_by_size_and_recovery_by_the_month() -> None:
    off, on = replace(ORDERS, recovery=False), replace(ORDERS, recovery=True)
    assert bill(found(off)["full"])["export"] == pytest.approx(50 * 0.1)
    assert bill(found(off)["full"])["recovery"] == pytest.approx(50 * 0.2)
    assert "recovery" not in bill(found(on)["full"])


def test_incremental_exports_cost_by_changed_bytes() -> None:
    assert bill(found(ORDERS)["incremental"])["changes"] == pytest.approx(0.5 * 0.1)
    written = replace(ORDERS, written=3.0 * GB)
    assert bill(found(written)["incremental"])["changes"] == pytest.approx(3 * 0.1)
    assert found(ORDERS)["incremental"].once_dollars == pytest.approx(50 * 0.1)


def test_an_incremental_period_is_at_most_a_day() -> None:
    weekly = found(ORDERS, runs_a_month=DAY / 7)["incremental"]
    assert weekly.runs_a_month == DAY
    hourly = found(ORDERS, runs_a_month=DAY * 24)["incremental"]
    assert bill(hourly)["changes"] == pytest.approx(0.5 * 0.1 / 24)


def test_zero_etl_is_reported_as_a_lower_bound() -> None:
    assert [name for name, alternative in found(ORDERS).items() if alternative.at_least] == [
        "zero-ETL integration"
    ]


def test_the_first_design_idles_nine_of_ten_dpu() -> None:
    """One split, one slot; ten DPU are billed all the while."""
    old = found(ORDERS)["2019"]
    seconds = 50 * GB / 8_192 / (6_300_000 / 4 / 8_192)
    assert bill(old)["spark"] == pytest.approx(10 * seconds / 3_600 * 0.44)


def test_the_first_design_was_billed_ten_minutes_at_least() -> None:
    old = found(TableFacts(name="A", bytes=1, provisioned_reads=5))["2019"]
    assert bill(old)["spark"] == pytest.approx(10 / 6 * 0.44)


def test_an_unavailable_way_is_never_the_cheapest() -> None:
    gone = Alternative(
        name="gone", label="", gives="", costs=(), runs_a_month=1, own=True, gone="it is gone"
    )
    paid = replace(gone, name="paid", costs=(Cost("a", "b", 1, "c", 1),), gone=None)
    assert ways.cheapest((gone, paid)) is paid
    assert ways.cheapest((gone,)) is None


def test_another_tool_is_never_the_cheapest() -> None:
    free = Alternative(name="free", label="", gives="", costs=(), runs_a_month=1)
    own = replace(free, name="own", costs=(Cost("a", "b", 1, "c", 1),), own=True)
    assert ways.cheapest((free, own)) is own


def test_the_assumptions_are_those_that_matter() -> None:
    def reported(table: TableFacts, **request: object) -> str:
        wished = PlanRequest(**request)  # type: ignore[arg-type]
        return " ".join(ways.assumptions(recommend(table, wished, PRICES).estimate))

    assert "auto scaling" in reported(ORDERS)
    assert "auto scaling" not in reported(EVENTS)
    assert "all snapshots are kept" in reported(EVENTS)
    assert "all snapshots are kept" not in reported(EVENTS, retention_days=9)
    assert "1 % of the table changes" in reported(EVENTS)
    assert "1 % of the table changes" not in reported(replace(EVENTS, written=5.0))
    assert "csv takes 0.85 times as many" in reported(EVENTS, format=OutputFormat.CSV)
    assert "DynamoDB exports 250 MB a second" in reported(EVENTS, read_mode=ReadMode.EXPORT)


@given(TABLES)
def test_every_way_has_a_finite_price(table: TableFacts) -> None:
    listed = ways.alternatives(table, PlanRequest(), PRICES)
    small = table.bytes <= PYTHON_TABLE_BYTES_MAX
    assert len({alternative.name for alternative in listed}) == 8 + small
    for alternative in listed:
        for value in (
            alternative.run_dollars,
            alternative.month_dollars,
            alternative.once_dollars,
            alternative.seconds or 0,
        ):
            assert isfinite(value)
            assert value >= 0

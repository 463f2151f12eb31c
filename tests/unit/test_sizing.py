"""The recommended job: small for small tables, never larger than needed, and as requested."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_plan import EVENTS, GB, MB, ORDERS, PRICES, TABLES

from dynoexport import limits, settings
from dynoexport.cloudformation import parameters as forms
from dynoexport.cloudformation.check import check_parameters
from dynoexport.model import GlueVersion, OutputFormat, ReadMode, WorkerType
from dynoexport.planning import plan
from dynoexport.planning.sizing import PlanRequest, Recommendation, recommend, timeout_minutes
from dynoexport.planning.table_facts import Consumption, TableFacts
from dynoexport.workflow import schedule

SMALL = TableFacts(name="Small", bytes=30 * MB, items=500)
AUTO = {
    settings.WORKER_TYPE,
    settings.NUMBER_OF_WORKERS,
    settings.SPLITS,
    settings.MAX_READ,
    settings.TIMEOUT_MINUTES,
}


def sized(table: TableFacts, **asked: object) -> Recommendation:
    return recommend(table, PlanRequest(**asked), PRICES)  # type: ignore[arg-type]


def reason(found: Recommendation, setting: str) -> str:
    return next(choice.reason for choice in found.choices if choice.setting == setting)


# --- without requests -----------------------------------------------------------------------------
@pytest.mark.parametrize("reader", ReadMode)
@pytest.mark.parametrize("table", [TableFacts(name="Empty"), SMALL, TableFacts(name="A", bytes=1)])
def test_a_small_table_gets_the_smallest_job(table: TableFacts, reader: ReadMode) -> None:
    job = sized(table, read_mode=reader).estimate.job
    assert (job.worker_type, job.workers) == (WorkerType.G_1X, 2)


@pytest.mark.parametrize("reader", [ReadMode.CONNECTOR, ReadMode.NATIVE])
def test_workers_saturate_what_may_be_read_and_no_more(reader: ReadMode) -> None:
    found = sized(EVENTS, read_mode=reader).estimate
    most = plan.estimate_reading(EVENTS, replace(found.job, workers=299)).seconds
    assert found.reading.seconds <= 1.02 * most
    fewer = replace(found.job, workers=found.job.workers - 1)
    assert plan.estimate_reading(EVENTS, fewer).seconds > 1.02 * most


def test_an_export_is_written_while_it_is_waited_for() -> None:
    found = sized(EVENTS, read_mode=ReadMode.EXPORT).estimate
    assert found.writing_seconds <= found.reading.seconds
    fewer = replace(found.job, workers=found.job.workers - 1)
    assert plan.writing_seconds(EVENTS, fewer) > found.reading.seconds


def test_larger_workers_come_where_299_small_ones_are_not_enough() -> None:
    huge = TableFacts(name="A", bytes=400_000 * GB, warm_reads=4_000_000)
    found = sized(huge, read_mode=ReadMode.NATIVE)
    assert found.estimate.job.worker_type is WorkerType.G_2X
    assert reason(found, "WorkerType") == "299 workers of a smaller type are not enough"
    old = sized(huge, read_mode=ReadMode.NATIVE, glue_version=GlueVersion.V2_0, read_percent=1.0)
    assert old.estimate.job.worker_type in {WorkerType.G_1X, WorkerType.G_2X}


def test_a_quarter_is_of_what_the_table_has() -> None:
    """Glue's connector takes its percentage of another value."""
    assert sized(EVENTS).parameters["MaxConsumedReadThroughput"] == "0.375"
    assert (
        sized(EVENTS, read_mode=ReadMode.NATIVE).parameters["MaxConsumedReadThroughput"] == "0.25"
    )
    cold = replace(EVENTS, warm_reads=12_000.0)
    assert sized(cold).parameters["MaxConsumedReadThroughput"] == "0.1"


def test_others_keep_what_they_need_in_their_busiest_hour() -> None:
    busy = replace(ORDERS, consumed=Consumption(mean=900, peak=1_700, days=14))
    found = sized(busy)
    assert found.parameters["MaxConsumedReadThroughput"] == "0.1"
    assert "; others leave 300" in reason(found, "MaxConsumedReadThroughput")
    native = sized(busy, read_mode=ReadMode.NATIVE)
    assert native.parameters["MaxConsumedReadThroughput"] == "0.075"
    assert native.harms == ()


@pytest.mark.parametrize("peak", [1_000, 1_999, 2_000, 2_400])
def test_a_job_takes_very_little_of_a_busy_table(peak: float) -> None:
    """It takes half of the rest, or the minimum, which is reported if nothing is left."""
    full = replace(ORDERS, consumed=Consumption(mean=900, peak=peak, days=14))
    found = sized(full, read_mode=ReadMode.NATIVE)
    left = max(0, 2_000 - peak)
    assert found.estimate.reading.allowed <= max(left / 2, 2)
    assert bool(found.harms) is (left < 4)
    if found.harms:
        assert found.harms[0].endswith("--read-mode export uses none")


def test_the_connector_takes_a_tenth_at_least() -> None:
    full = replace(ORDERS, consumed=Consumption(mean=1_999, peak=2_400, days=14))
    assert sized(full).parameters["MaxConsumedReadThroughput"] == "0.1"


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [(1, 30), (600, 30), (601, 45), (3_600, 180), (33_663, 1_695), (1e9, 10_080)],
)
def test_a_timeout_is_three_times_the_time(seconds: float, minutes: int) -> None:
    assert timeout_minutes(seconds) == minutes


@given(st.floats(1, 7 * 86_400 / 3))
def test_a_run_as_it_was_planned_is_not_late(seconds: float) -> None:
    """A run that takes half as long again is not late either."""
    late = schedule.run_length(
        "cron(0 10 1 * ? *)",
        timeout=timedelta(minutes=timeout_minutes(seconds)),
        now=datetime(2026, 11, 26, tzinfo=timezone.utc),
    )
    assert late.total_seconds() >= 1.5 * seconds


# --- others ---------------------------------------------------------------------------------------
LIMITED = TableFacts(name="Limited", bytes=10 * GB, maximum_reads=1_000.0)


def test_connector_that_takes_what_others_need_is_warned_of() -> None:
    """A tenth of 40,000 units a second, whatever an on-demand table has."""
    (harm,) = sized(LIMITED).harms
    assert harm == (
        "the connector needs at least 4,000 read units a second, but the table has 1,000; "
        "--read-mode native uses as little as you allow"
    )
    (harm,) = sized(LIMITED, target_seconds=1).harms
    busy = replace(LIMITED, maximum_reads=12_000, consumed=Consumption(5_000, 9_000, 14))
    (harm,) = sized(busy).harms
    assert "but others leave 3,000" in harm


def test_connector_reads_one_unit_a_second_in_each_split() -> None:
    """A quarter of six units is less than the four splits of one executor read."""
    tiny = TableFacts(name="Tiny", bytes=30 * MB, provisioned_reads=6)
    (harm,) = sized(tiny).harms
    assert "the connector needs at least 4 read units a second, but the table has 6" in harm
    assert sized(tiny, splits=1).harms == ()
    assert sized(tiny, read_mode=ReadMode.NATIVE).harms == ()


@pytest.mark.parametrize(
    ("table", "asked"),
    [
        (LIMITED, {"read_mode": ReadMode.NATIVE}),
        (LIMITED, {"read_mode": ReadMode.EXPORT}),
        (LIMITED, {"read_percent": 0.1}),
        (replace(LIMITED, maximum_reads=12_000), {}),
        (replace(LIMITED, maximum_reads=12_000, consumed=Consumption(1, 4_000, 14)), {}),
        (ORDERS, {}),
    ],
)
def test_a_harmless_job_has_no_warning(table: TableFacts, asked: dict[str, object]) -> None:
    assert sized(table, **asked).harms == ()


# --- with requests --------------------------------------------------------------------------------
def test_given_settings_are_kept() -> None:
    found = sized(EVENTS, worker_type=WorkerType.G_4X, workers=7, splits=1_234, read_percent=0.2)
    assert {**found.parameters, "TimeoutMinutes": ""} == {
        "WorkerType": "G.4X",
        "NumberOfWorkers": "7",
        "Splits": "1234",
        "MaxConsumedReadThroughput": "0.2",
        "TimeoutMinutes": "",
    }
    assert [choice.reason.startswith("as asked") for choice in found.choices] == [True] * 4 + [
        False
    ]


def test_a_target_is_reached_by_workers_before_the_table_is_read_harder() -> None:
    found = sized(EVENTS, target_seconds=6 * 3_600)
    assert found.estimate.run_seconds <= 6 * 3_600
    assert found.unmet == ()
    assert found.parameters["MaxConsumedReadThroughput"] == "0.375"
    fewer = replace(found.estimate.job, workers=found.estimate.job.workers - 1)
    assert plan.estimate(EVENTS, fewer, PRICES).run_seconds > 6 * 3_600


def test_a_target_that_no_small_worker_reaches_gets_larger_ones() -> None:
    large = TableFacts(name="A", bytes=450 * 10**9, items=450_000_000, maximum_reads=40_000.0)
    found = sized(large, read_mode=ReadMode.NATIVE, target_seconds=1_800)
    assert found.unmet == ()
    assert found.estimate.run_seconds <= 1_800
    assert found.estimate.job.worker_type is WorkerType.G_4X


def test_a_target_raises_the_percentage_where_workers_do_not_help() -> None:
    found = sized(ORDERS, target_seconds=2 * 3_600)
    assert found.estimate.run_seconds <= 2 * 3_600
    assert 0.25 < float(found.parameters["MaxConsumedReadThroughput"]) < 1


def test_the_cheapest_job_is_chosen_if_the_reads_of_others_are_known() -> None:
    quiet = replace(EVENTS, consumed=Consumption(mean=10, peak=20, days=14))
    blind, knowing = sized(EVENTS, target_seconds=20_000), sized(quiet, target_seconds=20_000)
    assert knowing.estimate.run_dollars < blind.estimate.run_dollars
    assert knowing.estimate.job.read_percent > blind.estimate.job.read_percent


def test_a_target_leaves_others_what_they_need() -> None:
    busy = replace(ORDERS, consumed=Consumption(mean=900, peak=1_400, days=14))
    found = sized(busy, target_seconds=60)
    assert float(found.parameters["MaxConsumedReadThroughput"]) <= 0.3
    (sentence,) = found.unmet
    assert "limited by the read percentage" in sentence


def test_an_unreachable_target_is_reported() -> None:
    (sentence,) = sized(SMALL, target_seconds=30).unmet
    assert sentence.startswith("no job ends in 30 s: the fastest takes 3 min")


def test_a_maximum_cost_reduces_the_workers() -> None:
    dear = sized(EVENTS, target_seconds=6 * 3_600)
    cheaper = sized(EVENTS, target_seconds=6 * 3_600, max_dollars=dear.estimate.run_dollars - 1)
    assert cheaper.estimate.run_dollars <= dear.estimate.run_dollars - 1
    assert cheaper.estimate.job.workers < dear.estimate.job.workers
    (sentence,) = cheaper.unmet
    assert sentence.startswith("no job ends in 6 h: ")


def test_an_unreachable_cost_is_reported_with_the_lowest() -> None:
    found = sized(EVENTS, max_dollars=1)
    (sentence,) = found.unmet
    assert sentence.startswith("no run costs $1.00 or less: the cheapest costs $")
    others = (
        plan.estimate(EVENTS, replace(found.estimate.job, workers=workers), PRICES).run_dollars
        for workers in range(2, found.estimate.job.workers)
    )
    assert all(found.estimate.run_dollars <= dollars for dollars in others)


# --- what must always hold ------------------------------------------------------------------------
WISHES = st.builds(
    PlanRequest,
    read_mode=st.sampled_from(ReadMode),
    format=st.sampled_from(OutputFormat),
    glue_version=st.sampled_from(GlueVersion),
    read_percent=st.none() | st.floats(0.1, 1.0),
    worker_type=st.none() | st.sampled_from([WorkerType.G_1X, WorkerType.G_2X]),
    workers=st.none() | st.integers(2, 299),
    splits=st.none() | st.integers(0, 1_000_000),
    target_seconds=st.none() | st.floats(1, 1e6),
    max_dollars=st.none() | st.floats(0, 1e4),
)


@given(TABLES, WISHES)
def test_every_recommendation_is_one_that_deploy_takes(
    table: TableFacts, asked: PlanRequest
) -> None:
    found = recommend(table, asked, PRICES)
    assert set(found.parameters) == AUTO
    check_parameters(forms.table_groups(), found.parameters)
    assert all(choice.reason and "\n" not in choice.reason for choice in found.choices)


@given(TABLES, WISHES)
def test_a_request_is_met_or_reported(table: TableFacts, asked: PlanRequest) -> None:
    found = recommend(table, asked, PRICES)
    late = asked.target_seconds is not None and found.estimate.run_seconds > asked.target_seconds
    dear = asked.max_dollars is not None and found.estimate.run_dollars > asked.max_dollars
    assert len(found.unmet) == late + dear


@given(TABLES)
def test_no_recommendation_is_slower_than_the_smallest_job(table: TableFacts) -> None:
    found = recommend(table, PlanRequest(), PRICES).estimate
    least = replace(found.job, worker_type=WorkerType.G_1X, workers=limits.GLUE_WORKERS_MIN)
    assert found.reading.seconds <= max(60, plan.estimate_reading(table, least).seconds)

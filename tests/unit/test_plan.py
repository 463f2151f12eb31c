"""The formulas: hand-computed values of the job script, and rules that always hold."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport import limits
from dynoexport.jobs.formats import files_for
from dynoexport.jobs.readers.connector import splits_for
from dynoexport.jobs.scan.rate_limit import RateLimiter
from dynoexport.model import GlueVersion, OutputFormat, ReadMode, WorkerType
from dynoexport.planning import plan, prices
from dynoexport.planning.plan import Job, estimate, estimate_reading
from dynoexport.planning.table_facts import Consumption, TableFacts

PRICES = prices.load_prices("us-east-1")
MB, GB, TB = 1024**2, 1024**3, 1024**4
EVENTS = TableFacts(name="Events", bytes=2 * TB, items=10**9, warm_reads=60_000)
ORDERS = TableFacts(name="Orders", bytes=50 * GB, items=10**7, provisioned_reads=2_000)


# --- the same as in the job -----------------------------------------------------------------------
@pytest.mark.parametrize("version", ["2.0", "5.1"])
@pytest.mark.parametrize("kind", ["G.1X", "G.2X"])
def test_splits_are_the_jobs(kind: str, version: str) -> None:
    job = Job(worker_type=WorkerType(kind), workers=7, glue_version=GlueVersion(version))
    assert estimate_reading(ORDERS, job).segments == splits_for(kind, 7, version)


@pytest.mark.parametrize("fmt", OutputFormat)
def test_files_are_the_jobs(fmt: OutputFormat) -> None:
    assert plan.count_files(ORDERS, fmt) == files_for(ORDERS.bytes, fmt.value)


# --- units ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("table_bytes", "segments", "units"),
    [(1, 1, 0.5), (4_096, 1, 0.5), (4_097, 1, 1.0), (8_192, 1, 1.0), (GB, 1, 131_072), (0, 36, 18)],
)
def test_half_a_unit_reads_4_kb_and_an_empty_segment_costs_as_much(
    table_bytes: int, segments: int, units: float
) -> None:
    assert plan.units_for(table_bytes, segments) == units


def test_the_connector_reads_the_table_once() -> None:
    """The job does not call toDF(), which would read it a second time."""
    by_connector = estimate_reading(EVENTS, Job(read_mode=ReadMode.CONNECTOR)).units
    assert (
        by_connector
        == estimate_reading(EVENTS, Job(read_mode=ReadMode.NATIVE)).units
        == 2 * TB / 8_192
    )


# --- the rate -------------------------------------------------------------------------------------
def bound(table: TableFacts, **job: object) -> tuple[str, float]:
    found = estimate_reading(table, Job(**job)).bound  # type: ignore[arg-type]
    return found.name, found.rate


NATIVE = {"read_mode": ReadMode.NATIVE}


def test_the_percentage_bounds_where_all_else_gives_more() -> None:
    assert bound(ORDERS, workers=10, read_percent=0.25) == ("limit", 500)
    assert bound(ORDERS, workers=10, read_percent=0.25, **NATIVE) == ("limit", 495)


def test_the_connector_takes_its_percentage_of_the_default_quota() -> None:
    assert estimate_reading(EVENTS, Job(read_percent=0.5)).allowed == 20_000
    assert estimate_reading(EVENTS, Job(read_percent=0.5, **NATIVE)).allowed == 30_000  # type: ignore[arg-type]


def test_the_capacity_that_others_consume_is_not_available() -> None:
    busy = replace(ORDERS, consumed=Consumption(mean=1_900, peak=1_990, days=14))
    assert bound(busy, workers=10, read_percent=0.25) == ("table", 100)
    busier = replace(ORDERS, consumed=Consumption(mean=2_500, peak=3_000, days=14))
    assert bound(busier, workers=10, read_percent=0.25) == ("table", 100)


def test_a_partition_allows_3000_units_a_second() -> None:
    small = TableFacts(name="A", bytes=GB, quota=400_000)
    assert bound(small, workers=299, read_percent=1.0) == ("partitions", 12_000)


def test_a_segment_allows_300_units_a_second() -> None:
    assert bound(ORDERS, workers=10, splits=1, read_percent=1.0)[0] == "workers"
    assert bound(ORDERS, workers=10, splits=2, read_percent=1.0, **NATIVE) == ("segments", 600)


def test_a_slot_reads_no_more_than_it_can() -> None:
    """6.3 MB a second for the four slots of a G.1X executor."""
    name, rate = bound(EVENTS, workers=2, read_percent=1.0)
    assert (name, rate) == ("workers", pytest.approx(6_300_000 / 8_192))


def test_splits_are_read_in_rounds() -> None:
    """Of nine splits on four slots, three rounds: as if three were read at once."""
    assert estimate_reading(ORDERS, Job(workers=2, splits=9)).parallel == 3


# --- times ----------------------------------------------------------------------------------------
def test_the_limit_rises_as_the_jobs_limit_does() -> None:
    """A scan with the job's own RateLimiter, unit by unit, takes the time of the formula."""
    for units in (30.0, 400.0, 5_000.0):
        limit, now = RateLimiter(100.0, 0.0), 0.0
        for _ in range(round(units)):
            now += limit.acquire(1.0, now)
        formula = plan.ramped_seconds(units, 100 * RateLimiter.PACE, 1e9)
        assert now == pytest.approx(formula, rel=0.05, abs=0.2)


def test_after_nine_seconds_all_is_read_at_the_full_rate() -> None:
    assert plan.ramped_seconds(495, 100, 1e9) == pytest.approx(9)
    assert plan.ramped_seconds(995, 100, 1e9) == pytest.approx(14)
    assert plan.ramped_seconds(995, 100, 50) == pytest.approx(4 + (995 - 120) / 50)


def test_a_table_of_one_file_is_written_by_one_slot() -> None:
    small = TableFacts(name="A", bytes=100 * MB)
    assert plan.writing_seconds(small, Job(workers=10)) == pytest.approx(100 * MB / 1_750_000)


def test_five_files_on_four_slots_are_two_rounds() -> None:
    """The last round leaves three slots idle; the schema is settled in rounds of its own."""
    table = TableFacts(name="A", bytes=10 * 128 * MB)
    assert plan.count_files(table, OutputFormat.PARQUET) == 5
    whole = table.bytes / 1_750_000
    expected = 0.5 * 3 / 10 * whole + 0.5 * 2 / 5 * whole
    assert plan.writing_seconds(table, Job(workers=2)) == pytest.approx(expected)


def test_xml_has_no_view_to_publish() -> None:
    run = estimate(ORDERS, Job(format=OutputFormat.XML), PRICES)
    assert run.run_seconds - run.job_seconds == plan.CRAWL_SECONDS
    assert not {"shell", "query"} & {cost.label for cost in run.costs}


def test_an_empty_table_still_has_a_run() -> None:
    run = estimate(TableFacts(name="Empty"), Job(workers=2), PRICES)
    assert (run.files, run.output_bytes, run.writing_seconds) == (0, 0, 0)
    assert run.job_seconds == pytest.approx(60, abs=1)
    assert run.run_dollars == pytest.approx(0.162, abs=0.001)


# --- costs ----------------------------------------------------------------------------------------
def lines(table: TableFacts, **job: object) -> dict[str, plan.Cost]:
    return {cost.label: cost for cost in estimate(table, Job(**job), PRICES).costs}  # type: ignore[arg-type]


def test_provisioned_reads_are_paid_for_already() -> None:
    assert lines(ORDERS)["reads"].dollars == 0
    assert lines(EVENTS)["reads"].dollars == pytest.approx(268.435456 * 0.125)


def test_infrequent_access_has_its_own_price() -> None:
    rare = replace(EVENTS, infrequent_access=True)
    assert lines(rare)["reads"].dollars == pytest.approx(268.435456 * 0.155)


def test_glue_6_has_its_own_price() -> None:
    assert lines(ORDERS, glue_version=GlueVersion.V6_0)["spark"].price == 0.308
    assert lines(ORDERS, glue_version=GlueVersion.V5_1)["spark"].price == 0.44


def test_a_short_job_is_billed_its_minimum() -> None:
    """It matters only if a start takes less than that."""
    longest = replace(
        PRICES, minimum_seconds={"glueetl": 7_200, "pythonshell": 3_600, "crawler": 1}
    )
    costs = {
        cost.label: cost for cost in estimate(TableFacts(name="A"), Job(workers=3), longest).costs
    }
    assert costs["spark"].quantity == 3 * 2
    assert costs["shell"].quantity == limits.GLUE_SHELL_DPU
    assert costs["crawl"].quantity == pytest.approx(2 * plan.CRAWL_SECONDS / 3_600)


def test_recovery_is_a_cost_of_the_export_that_needs_it() -> None:
    export = {"read_mode": ReadMode.EXPORT}
    off, on = replace(ORDERS, recovery=False), replace(ORDERS, recovery=True)
    assert lines(off, **export)["recovery"].dollars == pytest.approx(50 * 0.2)
    assert lines(ORDERS, **export)["recovery"].dollars == pytest.approx(50 * 0.2)
    assert "recovery" not in lines(on, **export)
    assert "recovery" not in lines(off)
    assert lines(on, **export)["export"].dollars == pytest.approx(50 * 0.1)


@pytest.mark.parametrize(
    ("days", "runs", "kept"), [(30, 30.4375, 30), (90, 4.0, 11.83), (7, 1.0, 1), (0, 100.0, 100)]
)
def test_snapshots_are_kept_for_their_retention(days: int, runs: float, kept: float) -> None:
    found = plan.snapshots_kept(Job(retention_days=days), runs)
    assert found == pytest.approx(kept, abs=0.01)


def test_a_month_has_its_runs_and_its_storage_but_no_queries() -> None:
    run = estimate(EVENTS, Job(), PRICES, runs_a_month=10)
    stored = next(cost.dollars for cost in run.costs if cost.label == "storage")
    assert run.month_dollars == pytest.approx(10 * run.run_dollars + stored)


def test_a_query_is_billed_for_at_least_ten_megabytes() -> None:
    assert lines(TableFacts(name="A", bytes=1))["query"].dollars == pytest.approx(10e6 / TB * 5)


# --- what must always hold ------------------------------------------------------------------------
SIZES = st.sampled_from([1, 100, 4_096, MB, 37 * MB, GB, 700 * GB, 3 * TB, 100 * TB])
RATES = st.sampled_from([0.0, 1.0, 5.0, 400.0, 3_000.0, 40_000.0, 1_000_000.0])
TABLES = st.builds(
    TableFacts,
    name=st.just("T"),
    bytes=st.just(0) | SIZES | st.integers(min_value=0, max_value=10**14),
    items=st.integers(min_value=0, max_value=10**11),
    provisioned_reads=RATES,
    maximum_reads=RATES,
    warm_reads=RATES,
    recovery=st.none() | st.booleans(),
    consumed=st.none() | st.builds(Consumption, st.floats(0, 1e6), st.floats(0, 1e6), st.just(14)),
)
JOBS = st.builds(
    Job,
    read_mode=st.sampled_from(ReadMode),
    format=st.sampled_from(OutputFormat),
    glue_version=st.sampled_from(GlueVersion),
    worker_type=st.sampled_from([WorkerType.G_1X, WorkerType.G_2X]),
    workers=st.integers(2, 299),
    splits=st.sampled_from([0, 0, 1, 7, 40, 1_000_000]),
    read_percent=st.floats(0.1, 1.0),
    retention_days=st.sampled_from([0, 1, 30, 36_500]),
)


@given(TABLES, JOBS)
def test_every_figure_is_finite_and_none_is_negative(table: TableFacts, job: Job) -> None:
    run = estimate(table, job, PRICES)
    reported = [
        run.run_seconds,
        run.writing_seconds,
        run.dpu_seconds,
        run.run_dollars,
        run.month_dollars,
    ]
    reported += [run.reading.units, run.reading.seconds, *(cost.dollars for cost in run.costs)]
    assert all(isfinite(figure) and figure >= 0 for figure in reported)
    assert run.run_seconds > run.job_seconds >= plan.START_SECONDS


def has_a_page_for_each_split(table: TableFacts) -> bool:
    """Empty splits cost half a unit each, which a table of a few units a second feels."""
    return table.bytes >= 299 * 8 * MB


@given(TABLES.filter(has_a_page_for_each_split), JOBS, st.integers(2, 299))
def test_more_workers_are_never_slower(table: TableFacts, job: Job, workers: int) -> None:
    few, many = sorted((job.workers, workers))
    slow = estimate(table, replace(job, workers=few), PRICES).run_seconds
    fast = estimate(table, replace(job, workers=many), PRICES).run_seconds
    assert fast <= slow * (1 + 1e-9)


@given(TABLES, JOBS, st.floats(0.1, 1.0))
def test_a_higher_percentage_is_never_slower(table: TableFacts, job: Job, percent: float) -> None:
    low, high = sorted((job.read_percent, percent))
    slow = estimate_reading(table, replace(job, read_percent=low)).seconds
    fast = estimate_reading(table, replace(job, read_percent=high)).seconds
    assert fast <= slow * (1 + 1e-9)


@given(TABLES, JOBS)
def test_a_larger_table_costs_no_less(table: TableFacts, job: Job) -> None:
    """The larger table has a multiple of the bytes, so that its files are no smaller."""
    larger = estimate(replace(table, bytes=2 * table.bytes), job, PRICES).run_dollars
    assert larger * (1 + 1e-9) >= estimate(table, job, PRICES).run_dollars

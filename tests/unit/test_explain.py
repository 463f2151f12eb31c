"""Runs against their plans: the plan by the facts of that time, and reasons for differences."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dynoexport.aws.workflow_runs import Attempt, Node, Run
from dynoexport.model import ReadMode, WorkerType
from dynoexport.planning import explain, plan, prices, table_facts
from dynoexport.planning.explain import Explanation, Figure
from dynoexport.planning.plan import Job
from dynoexport.presentation import display
from dynoexport.storage import manifests

if TYPE_CHECKING:
    from dynoexport.storage.manifests import Manifest

START = datetime(2026, 1, 31, 10, 0, tzinfo=timezone.utc)
PRICES = prices.load_prices("us-east-1")
GB = 1024**3
DESCRIBED = {
    "TableSizeBytes": 20 * GB,
    "ItemCount": 40_000_000,
    "ProvisionedThroughput": {"ReadCapacityUnits": 4_000},
}
JOB = Job(
    read_mode=ReadMode.NATIVE,
    worker_type=WorkerType.G_2X,
    workers=3,
    splits=500,
    read_percent=0.5,
)
PLANNED = plan.estimate(
    replace(table_facts.parse_description({"TableName": "Orders", **DESCRIBED})), JOB, PRICES
)


def document(**changes: Any) -> dict[str, Any]:
    """A manifest of a run that went as planned; ``read`` and others change parts of it."""
    units = PLANNED.reading.units
    read = {
        "reader": "native",
        "items": 40_000_000,
        "splits": 500,
        "resumed_splits": 0,
        "read_percent": 0.5,
        "capacity": 4_000,
        "capacity_source": "provisioned",
        "rate": 2_000,
        "seconds": PLANNED.reading.seconds,
        "units": units,
        "throttles": 0,
        "skew": {"hottest": [{"units": units / 500, "seconds": 12.0}]},
    }
    content = {
        "table": "Orders",
        "format": "parquet",
        "snapshot_timestamp": "2026-01-31T10:00",
        "items": 40_000_000,
        "bytes": round(PLANNED.output_bytes),
        "files": [],
        "workflow_run_id": "wr_1",
        "described": DESCRIBED,
        "glue_version": "5.1",
        "worker_type": "G.2X",
        "number_of_workers": 3,
        "started": "2026-01-31T10:00:40Z",
        "seconds": {
            "spark": 20.0,
            "read": PLANNED.reading.seconds,
            "schema": PLANNED.writing_seconds / 3,
            "files": PLANNED.writing_seconds * 2 / 3,
        },
        "read": read,
    }
    changed_read = {**read, **changes.pop("read", {})}
    seconds = {**content["seconds"], **changes.pop("seconds", {})}
    return {**content, "read": changed_read, "seconds": seconds, **changes}


def manifest(**changes: Any) -> Manifest:
    return manifests.parse(json.dumps(document(**changes)), where="here")


def run(seconds: float = PLANNED.job_seconds, attempts: int = 1) -> Run:
    """A run whose job took so long, in so many attempts, with crawl and view as planned."""
    attempt_length = timedelta(seconds=seconds / attempts)
    tries = tuple(
        Attempt("glueetl", "SUCCEEDED", START, START + attempt_length, number=number, dpu=6.0)
        for number in range(attempts)
    )
    tries = (*tries[:-1], replace(tries[-1], completed=START + attempt_length * attempts))
    after = START + timedelta(seconds=seconds)
    minute = timedelta(seconds=60)
    crawl = Attempt("crawler", "SUCCEEDED", after, after + minute)
    view = Attempt("pythonshell", "SUCCEEDED", after + minute, after + 2 * minute, dpu=0.0625)
    nodes = (Node("e", "JOB", tries), Node("c", "CRAWLER", (crawl,)), Node("v", "JOB", (view,)))
    ended = after + 2 * minute
    return Run("w", "wr_1", "COMPLETED", nodes, {}, {}, started=START, completed=ended)


def explained(which: Run, found: Manifest | None, *, counted: float | None = None) -> Explanation:
    return explain.explain_run(which, found, PRICES, region="us-east-1", now=START, counted=counted)


def off(explanation: Explanation) -> set[str]:
    return {figure.name for figure in explanation.figures if figure.off}


def reasons(explanation: Explanation) -> str:
    return "\n".join(reason.text for reason in explanation.reasons)


# --- the plan of that time --------------------------------------------------------------------
def test_a_run_without_a_crawler_is_compared_with_a_plan_without_one() -> None:
    whole = run()
    without = replace(whole, nodes=tuple(node for node in whole.nodes if node.kind == "JOB"))
    crawled, direct = (
        {figure.name: figure for figure in explained(compared, manifest()).figures}
        for compared in (whole, without)
    )
    assert set(crawled) - set(direct) == {"crawl"}
    assert crawled["run"].planned - direct["run"].planned == pytest.approx(60)
    assert direct["Glue's cost"].planned < crawled["Glue's cost"].planned
    assert direct["Glue's cost"].ratio == pytest.approx(1, abs=0.1)


def test_the_plan_is_for_the_table_and_the_job_at_the_start() -> None:
    found = explain.planned(manifest(), PRICES)
    assert found.job == JOB
    assert (found.table.bytes, found.table.capacity.units) == (20 * GB, 4_000)
    assert found.run_seconds == PLANNED.run_seconds


def units_of(explanation: Explanation) -> Figure:
    return next(figure for figure in explanation.figures if figure.name == "read units")


def test_cloudwatch_counts_what_the_connector_does_not() -> None:
    """CloudWatch counts all readers. The native reader counts its own units."""
    by_connector = manifest(read={"reader": "connector", "units": None})
    assert units_of(explained(run(), by_connector)).real is None
    found = explained(run(), by_connector, counted=5 * PLANNED.reading.units)
    assert units_of(found).ratio == pytest.approx(5, rel=0.1)
    assert "of all readers of the table in these minutes" in reasons(found)
    own = explained(run(), manifest(), counted=5 * PLANNED.reading.units)
    assert units_of(own).real == pytest.approx(PLANNED.reading.units)


def test_a_run_that_went_as_planned_needs_no_reason() -> None:
    explanation = explained(run(), manifest())
    assert {
        figure.name: round(figure.ratio or 0, 2) for figure in explanation.figures
    } == dict.fromkeys(
        (
            *("run", "export job", "start", "read", "write", "crawl", "view job", "read units"),
            *("billed", "files", "Glue's cost"),
        ),
        1,
    )
    assert (explanation.reasons, explanation.missing) == ((), "")


def test_the_quota_is_that_of_the_manifest() -> None:
    on_demand = {"TableSizeBytes": 7, "ItemCount": 3}
    found = manifest(described=on_demand, read={"capacity": 80_000.0})
    assert explain.planned(found, PRICES).table.capacity.units == 80_000


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (None, "the run completed no snapshot"),
        (manifest(workflow_run_id="wr_other"), "the run completed no snapshot"),
        (manifest(described={}), "older job scripts did not record the table"),
        (manifest(worker_type="R.1X"), "'R.1X' is not a valid WorkerType"),
        (manifest(described={"TableSizeBytes": "big"}), "TableSizeBytes is 'big'"),
    ],
)
def test_without_the_facts_there_is_no_plan(found: Manifest | None, missing: str) -> None:
    explanation = explained(run(), found)
    assert missing in explanation.missing
    assert explanation.figures == ()


# --- why it was off ---------------------------------------------------------------------------
SLOW = 4 * PLANNED.reading.seconds


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"read": {"items": 160_000_000}},
            "read 160,000,000 items; DynamoDB, which counts about every six hours, had counted 40,",
        ),
        ({"read": {"throttles": 5_000}}, "DynamoDB throttled 5,000 requests"),
        (
            {
                "read": {
                    "seconds": SLOW,
                    "skew": {"hottest": [{"units": 655_360.0, "seconds": 0.9 * SLOW}]},
                }
            },
            "one of 500 segments had 25 % of the units",
        ),
        (
            {"read": {"resumed_splits": 123}},
            "an earlier attempt had already read 123 of 500 segments",
        ),
        ({}, "read 242 units a second; the plan assumes 1,980, limited by the read"),
    ],
)
def test_a_slow_read_has_its_reason(changes: dict[str, Any], reason: str) -> None:
    read = changes.get("read", {})
    found = manifest(read=read, seconds={"read": SLOW})
    if not changes:
        found = manifest(seconds={"read": PLANNED.reading.units / 242})
    explanation = explained(run(SLOW + 400), found)
    assert "read" in off(explanation)
    assert reason in reasons(explanation)


def test_each_attempt_is_billed() -> None:
    explanation = explained(run(3 * PLANNED.job_seconds, attempts=3), manifest())
    assert {"run", "export job", "billed"} <= off(explanation)
    assert "took 3 attempts" in reasons(explanation)


def test_a_small_table_is_all_start_and_minimum() -> None:
    """The local endpoint shows this: nothing there takes a minute to start."""
    tiny = {"TableSizeBytes": 2_000, "ItemCount": 2, "BillingModeSummary": {}}
    changed = manifest(
        described=tiny,
        bytes=2_048,
        started="2026-01-31T10:00:01Z",
        read={"items": 2, "units": 4.0, "splits": 4, "capacity": 40_000.0},
        seconds={"spark": 4.0, "read": 1.0, "schema": 1.0, "files": 2.0},
    )
    explanation = explained(run(9.0), changed)
    assert off(explanation) == {"export job", "start"}
    assert "the start took 5 s of the job's 9 s; the plan assumes 1 min of 1 min" in reasons(
        explanation
    )


def test_most_of_a_short_step_is_spark_itself() -> None:
    tiny = {"TableSizeBytes": 0, "ItemCount": 2}
    changed = manifest(
        described=tiny,
        bytes=1_200,
        read={"items": 2, "units": 36.0, "splits": 36},
        seconds={"read": 28.8, "schema": 15.0, "files": 19.0},
    )
    shown = reasons(explained(run(90.0), changed))
    assert (
        "with so little data, reading is Spark's own time (28.8 s), which the plan leaves out"
        in shown
    )
    assert (
        "with so little data, writing is Spark's own time (34 s), which the plan leaves out"
        in shown
    )
    assert "the recorded facts" not in shown


def test_a_long_step_is_not_spark_itself() -> None:
    """Whatever the plan says; nor is a step of a job without Spark."""
    long = {"items": 20_000, "units": 100.0, "splits": 36}
    described = {"TableSizeBytes": 100_000, "ItemCount": 20_000}
    changed = manifest(
        described=described, read=long, seconds={"read": 146.0, "schema": 1.0, "files": 1.0}
    )
    shown = reasons(explained(run(200.0), changed))
    assert "Spark's own time" not in shown
    assert "the run read 0.6849 units a second" in shown


def test_a_selection_leaves_out_what_the_plan_counts() -> None:
    narrow = {"columns": ["Total"], "exclude": [], "where": ""}
    explanation = explained(run(), manifest(bytes=3 * 1024**2, selection=narrow))
    assert off(explanation) == {"files"}
    assert reasons(explanation).startswith("Columns, Exclude or Where left out a part")


def test_files_that_pack_better_are_reported_in_bytes() -> None:
    explanation = explained(run(), manifest(bytes=2 * GB))
    assert off(explanation) == {"files"}
    assert "the files take 0.1 bytes per byte of the table; the plan assumes 0.45" in reasons(
        explanation
    )


def test_an_export_of_dynamodb_has_no_read_units() -> None:
    read = {"reader": "export", "splits": None, "units": None}
    explanation = explained(run(), manifest(read=read, seconds={"read": 4_000.0}))
    assert "read units" not in {figure.name for figure in explanation.figures}
    assert "DynamoDB runs the export itself" in reasons(explanation)


@given(
    seconds=st.floats(1, 1e6),
    step=st.floats(0, 1e6),
    sizes=st.tuples(st.integers(0, 10**15), st.integers(0, 10**15)),
    read=st.fixed_dictionaries(
        {
            "reader": st.sampled_from([reader.value for reader in ReadMode]),
            "units": st.none() | st.floats(0, 1e12),
            "items": st.integers(0, 10**12),
            "throttles": st.integers(0, 10),
        }
    ),
)
def test_every_figure_that_is_off_has_a_reason_and_no_other(
    seconds: float, step: float, sizes: tuple[int, int], read: dict[str, Any]
) -> None:
    described = {**DESCRIBED, "TableSizeBytes": sizes[0]}
    found = manifest(bytes=sizes[1], described=described, read=read, seconds={"read": step})
    explanation = explained(run(seconds), found)
    shown = {name for reason in explanation.reasons for name in reason.figures}
    assert shown == off(explanation)


# --- a figure ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("planned", "real", "wrong"),
    [
        (100.0, 201.0, True),
        (100.0, 199.0, False),
        (100.0, 49.0, True),
        (100.0, 51.0, False),
        (2.0, 11.0, False),
        (0.0, 50.0, True),
        (100.0, None, False),
    ],
)
def test_a_plan_is_off_by_more_than_twice_if_it_matters(
    planned: float, real: float | None, wrong: bool
) -> None:
    """A difference of ten seconds does not matter."""
    assert Figure("read", "s", planned, real).off == wrong


def test_an_explanation_is_printed_with_its_reasons() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, color_system=None)
    display.print_explanation(console, explained(run(), manifest(bytes=2 * GB)))
    lines = out.getvalue().splitlines()
    assert lines[0] == "wr_1  SUCCEEDED"
    assert lines[1].split() == ["FIGURE", "PLAN", "REAL", "REAL/PLAN"]
    assert [line.split() for line in lines if line.startswith("  files")] == [
        ["files", "9.0", "GiB", "2.0", "GiB", "0.22"]
    ]
    assert lines[-1].startswith("  - files: the files take 0.1 bytes")


def test_a_run_without_a_plan_says_why() -> None:
    out = io.StringIO()
    display.print_explanation(Console(file=out, color_system=None), explained(run(), None))
    assert out.getvalue().splitlines()[1].startswith("  No plan: the run completed no snapshot")

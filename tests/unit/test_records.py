"""Results for programs: every key is documented, and the page of keys is the one in docs/."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from dynoexport.aws.workflow_runs import Attempt, Node, Run
from dynoexport.model import GlueVersion, OutputFormat, ReadMode
from dynoexport.operations.adopt import Adopted, AdoptedSnapshot, NotAdopted
from dynoexport.operations.deploy import Deployment
from dynoexport.operations.destroy import Foreign, Inventory
from dynoexport.operations.doctor import Check
from dynoexport.operations.init import Initialized
from dynoexport.operations.logs import LogLine
from dynoexport.operations.plan import Planned
from dynoexport.operations.run import Schedule
from dynoexport.operations.snapshots import Pruned, Published
from dynoexport.operations.status import ExportStatus
from dynoexport.operations.verify import Verification
from dynoexport.planning import prices
from dynoexport.planning.alternatives import Alternative
from dynoexport.planning.explain import Explanation, Figure, Reason
from dynoexport.planning.feasibility import Obstacle
from dynoexport.planning.plan import Bound, Cost, Estimate, Job, Reading
from dynoexport.planning.sizing import Choice, PlanRequest, Recommendation
from dynoexport.planning.table_facts import Consumption, TableFacts
from dynoexport.presentation import json_output
from dynoexport.presentation.json_output import KINDS, meanings
from dynoexport.presentation.records import (
    FigureNow,
    FigureRecord,
    Json,
    LineRecord,
    NodeNow,
    NodeRecord,
    PlanRecord,
    explained_run,
    run,
    status,
    to_json,
)
from dynoexport.storage.snapshot_store import Snapshot

ROOT = Path(__file__).parents[2]
START = datetime(2026, 1, 31, 10, 0, tzinfo=timezone.utc)
NOW = START + timedelta(minutes=30)
PRICES = prices.load_prices("us-east-1")
CSV = OutputFormat.CSV

ATTEMPT = Attempt("glueetl", "SUCCEEDED", START, START + timedelta(seconds=90), dpu=2.0)
NODE = Node("ReviewsExportTocsv", "JOB", (ATTEMPT,))
RUN = Run(
    workflow="w",
    run_id="wr_1",
    status="COMPLETED",
    nodes=(NODE,),
    statistics={},
    properties={
        "SnapshotTimestamp": "2026-01-31T10:00",
        "SnapshotItems": "12",
        "SnapshotBytes": "345",
    },
    started=START,
    completed=START + timedelta(seconds=95),
)
FIGURE = Figure("read", "s", 40.0, 130.0)
EXPLAINED = Explanation(
    RUN, (FIGURE,), (Reason(("read",), "it was slow"), Reason(("files",), "they were many"))
)
COST = Cost("export job", "spark", 2.0, "DPU-h", 0.5)
CHOICE = Choice("Splits", "7", "as asked")
ORDERS = TableFacts(
    name="Orders",
    region="here",
    bytes=8_192_000,
    items=40,
    provisioned_reads=70.0,
    recovery=True,
    consumed=Consumption(mean=3.0, peak=9.0, days=14),
)
ESTIMATE = Estimate(
    table=ORDERS,
    job=Job(format=CSV, read_mode=ReadMode.NATIVE, glue_version=GlueVersion.V6_0),
    reading=Reading(
        units=1_000.0,
        capacity=ORDERS.capacity,
        allowed=20.0,
        bounds=(Bound("limit", 20.0), Bound("workers", 15.0)),
        segments=5,
        seconds=300.0,
    ),
    writing_seconds=40.0,
    files=6,
    output_bytes=77.0,
    costs=(COST,),
    runs_a_month=2.0,
)
ALTERNATIVE = Alternative(
    label="full",
    name="another way",
    gives="something",
    costs=(COST,),
    runs_a_month=4.0,
    at_least=True,
    own=True,
)
PLANNED = Planned(
    table=ORDERS,
    schedule="cron(0 10 * * ? *)",
    request=PlanRequest(),
    prices=PRICES,
    recommendation=Recommendation(
        estimate=ESTIMATE,
        choices=(CHOICE,),
        unmet=("too slow",),
        harms=("too much",),
        obstacles=(Obstacle("too long", "wait"),),
    ),
    alternatives=(ALTERNATIVE,),
    unknown=("much",),
)
ADOPTED = AdoptedSnapshot("2019-11-23T10:00", 2, 345, 20)
REFUSED = NotAdopted("backup", "it has no files")
SNAPSHOT = Snapshot(
    "2026-01-31T10:00",
    complete=True,
    current=True,
    items=12,
    bytes=345,
    files=2,
    workflow_run_id="wr_1",
    faults=("a is missing",),
    losses=("tags: sets",),
)
STATUS = ExportStatus(
    table="Reviews",
    format=CSV,
    stack="s",
    workflow="w",
    last_run=RUN,
    snapshot="2026-01-31T10:00",
    items=12,
    bytes=345,
    schedule="cron(0 10 * * ? *)",
    enabled=True,
    next_run=START + timedelta(days=1),
    faults=("a is missing",),
)

# A record of each kind, with what it is to be.
MADE: dict[str, tuple[Json, Json]] = {
    "initialized": (
        to_json(Initialized("s", True, "b", "v7", ("scripts/v7/x.py",), ("b",))),
        {
            "stack": "s",
            "changed": True,
            "bucket": "b",
            "scripts_version": "v7",
            "uploaded": ["scripts/v7/x.py"],
            "imported": ["b"],
        },
    ),
    "deployment": (
        to_json(Deployment("Reviews", CSV, "s", "w", "created", ("a note",))),
        {
            "table": "Reviews",
            "format": "csv",
            "stack": "s",
            "workflow": "w",
            "outcome": "created",
            "notes": ["a note"],
        },
    ),
    "run": (
        run(RUN, PRICES, NOW),
        {
            "run_id": "wr_1",
            "workflow": "w",
            "state": "SUCCEEDED",
            "error": None,
            "started": "2026-01-31T10:00:00Z",
            "completed": "2026-01-31T10:01:35Z",
            "seconds": 95.0,
            "snapshot": "2026-01-31T10:00",
            "items": 12,
            "bytes": 345,
            "dpu_seconds": 180.0,
            "cost_usd": 0.022,
            "nodes": [NodeRecord.of(NodeNow(NODE, NOW))],
        },
    ),
    "explained run": (
        explained_run(EXPLAINED, PRICES, NOW),
        {
            **run(RUN, PRICES, NOW),
            "figures": [FigureRecord.of(FigureNow(FIGURE, EXPLAINED))],
            "plan_missing": None,
        },
    ),
    "figure": (
        FigureRecord.of(FigureNow(FIGURE, EXPLAINED)),
        {
            "name": "read",
            "unit": "s",
            "planned": 40.0,
            "real": 130.0,
            "ratio": 3.25,
            "off": True,
            "reasons": ["it was slow"],
        },
    ),
    "node": (
        NodeRecord.of(NodeNow(NODE, NOW)),
        {
            "name": "ReviewsExportTocsv",
            "kind": "job",
            "state": "SUCCEEDED",
            "attempts": 1,
            "started": "2026-01-31T10:00:00Z",
            "completed": "2026-01-31T10:01:30Z",
            "seconds": 90.0,
            "dpu_seconds": 180.0,
            "error": None,
        },
    ),
    "status": (
        status(STATUS, PRICES, NOW, stale=False),
        {
            "table": "Reviews",
            "format": "csv",
            "stack": "s",
            "workflow": "w",
            "last_run": {
                key: value for key, value in run(RUN, PRICES, NOW).items() if key != "nodes"
            },
            "snapshot": "2026-01-31T10:00",
            "age_seconds": 1_800,
            "stale": False,
            "items": 12,
            "bytes": 345,
            "schedule": "cron(0 10 * * ? *)",
            "enabled": True,
            "next_run": "2026-02-01T10:00:00Z",
            "faults": ["a is missing"],
        },
    ),
    "line": (
        LineRecord.of(LogLine(START, "ReviewsExportTocsv", "JOB", 2, "exporting")),
        {
            "time": "2026-01-31T10:00:00.000Z",
            "node": "ReviewsExportTocsv",
            "kind": "job",
            "attempt": 2,
            "message": "exporting",
        },
    ),
    "snapshot": (
        to_json(SNAPSHOT),
        {
            "snapshot": "2026-01-31T10:00",
            "complete": True,
            "current": True,
            "writing": False,
            "foreign": False,
            "items": 12,
            "bytes": 345,
            "files": 2,
            "run_id": "wr_1",
            "adopted": False,
            "faults": ["a is missing"],
            "losses": ["tags: sets"],
        },
    ),
    "published": (
        to_json(Published("Reviews", CSV, "d.reviews", "2026-01-31T10:00", None, 12)),
        {
            "table": "Reviews",
            "format": "csv",
            "view": "d.reviews",
            "snapshot": "2026-01-31T10:00",
            "before": None,
            "items": 12,
        },
    ),
    "pruned": (
        to_json(Pruned("Reviews", CSV, (SNAPSHOT,), 3)),
        {
            "table": "Reviews",
            "format": "csv",
            "snapshots": [to_json(SNAPSHOT)],
            "objects": 3,
        },
    ),
    "adopted": (
        to_json(Adopted("Reviews", CSV, (ADOPTED,), (REFUSED,))),
        {
            "table": "Reviews",
            "format": "csv",
            "snapshots": [to_json(ADOPTED)],
            "refused": [to_json(REFUSED)],
        },
    ),
    "adopted snapshot": (
        to_json(ADOPTED),
        {"snapshot": "2019-11-23T10:00", "items": 2, "bytes": 345, "files": 20},
    ),
    "not adopted": (to_json(REFUSED), {"folder": "backup", "reason": "it has no files"}),
    "schedule": (
        to_json(Schedule("Reviews", CSV, "cron(0 10 * * ? *)", enabled=True)),
        {
            "table": "Reviews",
            "format": "csv",
            "schedule": "cron(0 10 * * ? *)",
            "enabled": True,
        },
    ),
    "verification": (
        to_json(
            Verification(
                table="Reviews",
                format=CSV,
                snapshot="2026-01-31T10:00",
                current=True,
                files=2,
                bytes=345,
                items=12,
                rows=11,
                table_items=13,
                faults=("one is missing",),
                losses=("tags: sets",),
            )
        ),
        {
            "table": "Reviews",
            "format": "csv",
            "snapshot": "2026-01-31T10:00",
            "current": True,
            "whole": False,
            "faults": ["one is missing"],
            "files": 2,
            "bytes": 345,
            "items": 12,
            "rows": 11,
            "table_items": 13,
            "losses": ["tags: sets"],
        },
    ),
    "destroyed": (
        to_json(
            Inventory(
                table="Reviews",
                format=CSV,
                stack=None,
                catalog=("reviews",),
                data=True,
                snapshots=1,
                objects=3,
                bytes=345,
                foreign=(Foreign("csv/Reviews/a/", 2, 6),),
            )
        ),
        {
            "table": "Reviews",
            "format": "csv",
            "stack": None,
            "catalog": ["reviews"],
            "data_deleted": True,
            "snapshots": 1,
            "objects": 3,
            "bytes": 345,
            "foreign": [{"prefix": "csv/Reviews/a/", "objects": 2, "bytes": 6}],
        },
    ),
    "foreign": (
        to_json(Foreign("csv/Reviews/a/", 2, 6)),
        {"prefix": "csv/Reviews/a/", "objects": 2, "bytes": 6},
    ),
    "plan": (
        PlanRecord.of(PLANNED),
        {
            "table": "Orders",
            "region": "here",
            "bytes": 8_192_000,
            "items": 40,
            "on_demand": False,
            "capacity": 70.0,
            "capacity_source": "provisioned",
            "consumed_mean": 3.0,
            "consumed_peak": 9.0,
            "recovery": True,
            "format": "csv",
            "read_mode": "native",
            "catalog_update": "crawler",
            "engine": "spark",
            "glue_version": "6.0",
            "schedule": "cron(0 10 * * ? *)",
            "runs_a_month": 2.0,
            "choices": [to_json(CHOICE)],
            "command": "dynoexport deploy Orders --auto --format csv --read-mode native "
            "--set GlueVersion=6.0",
            "auto_command": None,
            "auto_run_usd": None,
            "auto_month_usd": None,
            "unmet": ["too slow"],
            "harms": ["too much"],
            "obstacles": ["too long; wait"],
            "read_units": 1_000.0,
            "allowed_rate": 20.0,
            "rate": 15.0,
            "bounds": {"limit": 20.0, "workers": 15.0},
            "segments": 5,
            "read_seconds": 300.0,
            "write_seconds": 40.0,
            "job_seconds": 400.0,
            "run_seconds": 520.0,
            "dpu_seconds": 7_200.0,
            "files": 6,
            "output_bytes": 77.0,
            "costs": [to_json(COST)],
            "run_usd": 1.0,
            "month_usd": 2.0,
            "prices_date": PRICES.date,
            "prices_region": "us-east-1",
            "alternatives": [to_json(ALTERNATIVE)],
            "cheapest": "another way",
            "assumptions": list(PLANNED.assumptions),
            "unknown": ["much"],
        },
    ),
    "choice": (
        to_json(CHOICE),
        {"setting": "Splits", "value": "7", "reason": "as asked"},
    ),
    "cost": (
        to_json(COST),
        {
            "name": "export job",
            "formula": "spark",
            "quantity": 2.0,
            "unit": "DPU-h",
            "price_usd": 0.5,
            "usd": 1.0,
            "per": "run",
        },
    ),
    "alternative": (
        to_json(ALTERNATIVE),
        {
            "name": "another way",
            "label": "full",
            "gives": "something",
            "runs_a_month": 4.0,
            "run_seconds": None,
            "run_usd": 1.0,
            "month_usd": 4.0,
            "once_usd": 0,
            "at_least": True,
            "own": True,
            "gone": None,
            "costs": [to_json(COST)],
        },
    ),
    "check": (
        to_json(Check("bucket", "failed", "there is none", "run: dynoexport init")),
        {
            "name": "bucket",
            "state": "failed",
            "detail": "there is none",
            "hint": "run: dynoexport init",
        },
    ),
}


# --- keys -----------------------------------------------------------------------------------------
def test_every_kind_has_its_example() -> None:
    assert set(MADE) == set(KINDS)


@pytest.mark.parametrize("kind", MADE)
def test_a_record_says_what_the_result_says(kind: str) -> None:
    made, expected = MADE[kind]
    assert list(made.items()) == list(expected.items())
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("kind", MADE)
def test_every_key_is_documented_in_its_order(kind: str) -> None:
    keys = meanings(kind)
    assert list(MADE[kind][0]) == list(keys)
    assert all(keys.values())


def test_the_run_within_a_status_lacks_its_nodes_alone() -> None:
    last = MADE["status"][0]["last_run"]
    assert [*last, "nodes"] == list(meanings("run"))


# --- values ---------------------------------------------------------------------------------------
def test_times_are_utc_whatever_the_zone_of_the_machine() -> None:
    """boto3 gives them in that zone."""
    tokyo = timezone(timedelta(hours=9))
    local = replace(RUN, started=START.astimezone(tokyo), completed=None, nodes=())
    assert run(local, PRICES, NOW)["started"] == "2026-01-31T10:00:00Z"


def test_what_is_not_known_yet_is_null() -> None:
    begun = Run("w", "wr_1", "RUNNING", (Node("n", "CRAWLER"),), {}, {})
    record = run(begun, PRICES, NOW)
    nulls = {"error", "started", "completed", "seconds", "snapshot", "items", "bytes"}
    assert {key for key, value in record.items() if value is None} == nulls
    (node,) = record["nodes"]
    assert (node["state"], node["kind"], node["attempts"]) == ("WAITING", "crawler", 0)
    assert {key for key, value in node.items() if value is None} == {
        "started",
        "completed",
        "seconds",
        "error",
    }


def test_an_export_that_never_ran_has_nulls_in_its_status() -> None:
    never = replace(STATUS, last_run=None, snapshot=None, next_run=None, items=None, bytes=None)
    found = status(never, PRICES, NOW, stale=None)
    nulls = {"last_run", "snapshot", "age_seconds", "stale", "items", "bytes", "next_run"}
    assert {key for key, value in found.items() if value is None} == nulls


def test_an_error_is_reported_in_the_words_of_glue() -> None:
    failed = replace(ATTEMPT, state="FAILED", error="out of memory")
    failing = replace(
        RUN, error="Concurrent runs exceeded", nodes=(replace(NODE, attempts=(failed,)),)
    )
    record = run(failing, PRICES, NOW)
    assert (record["error"], record["nodes"][0]["error"]) == (
        "Concurrent runs exceeded",
        "out of memory",
    )


# --- the page -------------------------------------------------------------------------------------
def test_the_page_in_docs_is_the_one_that_is_generated() -> None:
    """If this fails: python -m dynoexport.presentation.json_output > docs/json.md."""
    done = subprocess.run(
        [sys.executable, "-m", "dynoexport.presentation.json_output"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout == (ROOT / "docs" / "json.md").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_has_every_kind_with_its_commands_and_keys(kind: str) -> None:
    commands, _ = KINDS[kind]
    _, _, section = json_output.markdown().partition(f"\n## {kind}\n")
    section = section.partition("\n## ")[0]
    assert section.startswith(f"\n{commands}\n")
    for key, meaning in meanings(kind).items():
        assert f"| `{key}` | {meaning} |\n" in section

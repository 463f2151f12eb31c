"""ExecutionClass: the job's setting, the refused values, and the cost of a plan and a run."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from click.testing import CliRunner
from deployed import Deployed, parsed

from dynoexport.aws.workflow_runs import Attempt, Node, Run
from dynoexport.cli import main
from dynoexport.cloudformation import options
from dynoexport.model import ReadMode
from dynoexport.planning import prices, sizing, table_facts
from dynoexport.planning.sizing import PlanRequest

DESCRIBED = '{"Table": {"TableName": "Orders", "TableSizeBytes": 5000000000, "ItemCount": 9000000}}'


def planned(*words: str) -> dict[str, Any]:
    done = plan(*words, "--output", "json")
    assert done.exit_code == 0, done.stderr
    (found,) = json.loads(done.stdout)
    return dict(found)


def plan(*words: str) -> Any:
    given = ("plan", "--describe", "-", "--region", "us-east-1", *words)
    return CliRunner().invoke(main, given, input=DESCRIBED, catch_exceptions=False)


def price_of_the_job(found: dict[str, Any]) -> float:
    (line,) = (cost for cost in found["costs"] if cost["name"] == "export job")
    return float(line["price_usd"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [({"ExecutionClass": "FLEX"}, "FLEX"), ({"ExecutionClass": "STANDARD"}, None), ({}, None)],
)
def test_only_a_flex_job_names_its_class(given: dict[str, str], expected: str | None) -> None:
    stack = Deployed(
        parsed("table.yaml"), {"TableName": "Orders", "CommonStackName": "shared", **given}
    )
    assert stack.properties("ExportJob").get("ExecutionClass") == expected
    assert "ExecutionClass" not in stack.properties("ViewJob")


@pytest.mark.parametrize(
    "given", [{"GlueVersion": "2.0"}, {"WorkerType": "G.4X"}, {"WorkerType": "G.8X"}]
)
def test_flex_is_refused_where_glue_has_none(given: dict[str, str]) -> None:
    flex = {"ExecutionClass": "FLEX", **given}
    assert [rule.name for rule in options.broken_rules(flex)] == ["FlexWhereGlueHasIt"]
    words = [word for name, value in flex.items() for word in ("--set", f"{name}={value}")]
    done = plan(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "FLEX needs Glue 3.0 or later and workers of type G.1X or G.2X" in done.stderr


def test_a_plan_has_the_price_of_the_class() -> None:
    standard, flex = planned(), planned("--set", "ExecutionClass=FLEX")
    assert (price_of_the_job(standard), price_of_the_job(flex)) == (0.44, 0.29)
    assert flex["run_usd"] < standard["run_usd"]
    assert "--set ExecutionClass=FLEX" in flex["command"]
    assert any(sentence.startswith("a FLEX job waits") for sentence in flex["assumptions"])
    assert not any("FLEX" in sentence for sentence in standard["assumptions"])


def test_a_target_is_met_with_workers_that_flex_has() -> None:
    """The target exports a petabyte so fast that STANDARD takes larger workers."""
    table = {"TableName": "Orders", "TableSizeBytes": 10**15, "ItemCount": 10**12}
    facts = table_facts.parse_description({"Table": table})

    def recommended(**given: str) -> sizing.Recommendation:
        request = PlanRequest(target_seconds=4_150_000, read_mode=ReadMode.EXPORT, priced=given)
        return sizing.recommend(facts, request, prices.load_prices("us-east-1"))

    standard, flex = recommended(), recommended(ExecutionClass="FLEX")
    assert standard.parameters["WorkerType"] == "G.4X"
    assert standard.unmet == ()
    assert flex.parameters["WorkerType"] == "G.2X"
    assert flex.parameters["ExecutionClass"] == "FLEX"
    assert len(flex.unmet) == 1


@pytest.mark.parametrize(
    ("kind", "execution_class", "price"),
    [("glueetl", "FLEX", 0.29), ("glueetl", "STANDARD", 0.44), ("pythonshell", "FLEX", 0.44)],
)
def test_a_run_costs_what_its_class_costs(kind: str, execution_class: str, price: float) -> None:
    start = datetime(2026, 11, 23, 10, tzinfo=timezone.utc)
    end = start + timedelta(hours=1)
    attempt = Attempt(kind, "SUCCEEDED", start, end, dpu=2, execution_class=execution_class)
    run = Run("w", "wr_1", "COMPLETED", (Node("n", "JOB", (attempt,)),), {}, {})
    assert prices.cost(run, prices.load_prices("us-east-1"), end) == pytest.approx(2 * price)

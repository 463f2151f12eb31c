"""The acceptance run's report and comparison, without AWS."""

from __future__ import annotations

from datetime import date

import acceptance
import acceptance_names as names
import pytest
from acceptance_cells import differences
from acceptance_facts import FACTS, LISTENER, Finding, Outcome
from acceptance_names import CASES
from acceptance_report import Report, Step, text

from dynoexport import limits
from dynoexport.aws.athena import Result
from dynoexport.model import Engine, GlueVersion, OutputFormat, ReadMode

ITEMS = [
    {"id": {"S": "1"}, "price": {"N": "1.50"}, "tags": {"SS": ["b", "a"]}, "on": {"BOOL": True}},
    {"id": {"S": "2"}, "raw": {"B": b"\x00\xff"}, "print": {"M": {"pages": {"N": "7"}}}},
]
COLUMNS = ("id", "on", "price", "print", "raw", "tags")
TYPES = ("varchar", "boolean", "decimal(38,1)", "row", "varbinary", "array")
ROWS = (
    ("1", "true", "1.5", None, None, "[a, b]"),
    ("2", None, None, "{pages=7}", "00 ff", None),
)


def report() -> Report:
    return Report(day=date(2026, 12, 1), region="eu-west-1", is_aws=True, version="1.2.3")


# --- cells ----------------------------------------------------------------------------------------
def test_right_answer_has_no_differences() -> None:
    assert differences(ITEMS, Result("q", COLUMNS, TYPES, ROWS), "parquet") == []


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("column", range(len(COLUMNS)))
def test_a_wrong_cell_is_found(row: int, column: int) -> None:
    """Another value, no value, or one where there is none."""
    wrong = {"true": "false", "1.5": "1.6", "00 ff": "00 fe", None: "1"}
    rows = [list(row) for row in ROWS]
    before = rows[row][column]
    rows[row][column] = wrong.get(before, f"{before}x")
    if COLUMNS[column] in {"raw", "on"} and before is None:
        rows[row][column] = "00"
    answer = Result("q", COLUMNS, TYPES, tuple(map(tuple, rows)))
    assert differences(ITEMS, answer, "parquet")


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS + ROWS[:1], ()])
def test_missing_and_repeated_rows_are_found(rows: tuple[tuple[str | None, ...], ...]) -> None:
    assert differences(ITEMS, Result("q", COLUMNS, TYPES, rows), "parquet")


def test_a_missing_column_is_found() -> None:
    answer = Result("q", COLUMNS[:-1], TYPES[:-1], tuple(row[:-1] for row in ROWS))
    assert differences(ITEMS, answer, "parquet") == [
        "row 1 has no column tags",
        "row 2 has no column tags",
    ]


# --- report ---------------------------------------------------------------------------------------
def test_report_names_every_fact_with_its_result() -> None:
    done = report()
    done.steps.append(Step("run", passed=True, detail="2 items"))
    done.findings.append(Finding(LISTENER, Outcome.CONFIRMED, "Glue 5.1"))
    shown = text(done)
    assert all(fact.statement in shown and fact.source in shown for fact in FACTS)
    assert "| run | passed | 2 items |" in shown
    assert shown.count("| not reached |") == len(FACTS) - 1
    assert "passed. By the plan" in shown


def test_one_refutation_outweighs_confirmations() -> None:
    done = report()
    for outcome in (Outcome.CONFIRMED, Outcome.REFUTED, Outcome.CONFIRMED):
        done.findings.append(Finding(LISTENER, outcome, "a\nb | c"))
    assert done.finding(LISTENER).outcome is Outcome.REFUTED
    assert not done.passed
    assert "| refuted | a b \\| c |" in text(done)


@pytest.mark.parametrize(
    ("step", "left"),
    [(Step("run", passed=False, detail="it failed"), []), (Step("run", passed=True), ["a table"])],
)
def test_a_failed_step_and_what_is_left_fail_the_run(step: Step, left: list[str]) -> None:
    done = report()
    done.steps, done.left = [step], left
    assert not done.passed
    assert "failed. By the plan" in text(done)


def test_a_report_of_the_local_endpoint_says_so() -> None:
    done = report()
    done.is_aws = False
    done.findings.append(Finding(LISTENER, Outcome.CONFIRMED, ""))
    assert "on the local endpoint, not AWS" in text(done)
    assert "| confirmed (local) |" in text(done)


# --- what is tried --------------------------------------------------------------------------------
def test_each_format_reader_and_running_glue_version_has_an_export() -> None:
    assert {case.format for case in CASES} == set(OutputFormat)
    assert {case.reader for case in CASES} == set(ReadMode)
    assert {case.engine for case in CASES} == set(Engine)
    running = {version for version in GlueVersion if version.value not in limits.GLUE_END_OF_LIFE}
    assert {case.glue_version for case in CASES} == running


def test_acceptance_costs_at_most_eight_dollars() -> None:
    assert 0 < acceptance.cost(CASES, "us-east-1") <= acceptance.MOST_DOLLARS == 8


@pytest.mark.parametrize(
    "name",
    ["Reviews", "dynoexport-acceptance", "dynoexport-acceptance-x", "my-acceptance-0a1b2c3d-csv"],
)
def test_names_of_others_are_not_those_of_the_acceptance(name: str) -> None:
    assert not names.is_own(name)
    assert not names.is_own_key(f"parquet/{name}/part-0")
    assert not names.is_own_in_catalog(name.lower().replace("-", "_"))


def test_names_of_the_acceptance_are_found_again() -> None:
    table = names.table(names.new_run(), "csv")
    assert names.is_own(table)
    assert names.is_own_key(f"manifests/csv/{table}/2026-01-01T00:00.json")
    assert names.is_own_key(f"scripts/{names.scripts_version('0a1b2c3d')}/export_table.py")
    assert names.is_own_in_catalog(f"snapshots_{table.replace('-', '_')}")

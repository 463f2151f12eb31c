"""AWS fails in the middle of a command: one line with the next step, then a second try.

Normally a sample of the faults; make test-deep tries each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fault_table
import pytest
from aws_faults import FAULTS
from command_tree import COMMANDS
from command_ways import WAYS, WITHOUT_AWS, command_of

# Seconds: each trial has two tries of a command, some with an export of their own.
pytestmark = [pytest.mark.endpoint, pytest.mark.timeout(14_400)]

SCRIPT = Path(__file__).with_name("command_faults.py")
ALL = int(os.environ.get("DYNOEXPORT_INPUTS", "100")) >= 2000
# Of all faults at all calls.
SHARE = 1 if ALL else 0.02

# Calls without which a command still does what is asked, each with the reason.
NOT_NEEDED = {
    ("init", "s3.HeadBucket"): "looks for a bucket that a former stack left; CloudFormation would",
    ("init", "glue.GetDatabase"): "looks for a database that a former stack left, the same",
    ("deploy", "glue.GetJob"): "looks for a job of the same name; CloudFormation would",
    ("deploy", "glue.GetCrawler"): "looks for a crawler of the same name, the same",
    ("deploy", "dynamodb.Scan"): "looks for values that the connector may change, for a warning",
    ("deploy", "glue.GetDataCatalogEncryptionSettings"): "a policy of an older version lacks it",
    ("deploy", "cloudwatch.GetMetricStatistics"): "--auto prints what is not known",
    ("deploy", "dynamodb.DescribeContinuousBackups"): "--auto prints what is not known",
    ("run", "dynamodb.DescribeTable"): "who may not look at the table starts the run",
    ("run", "dynamodb.Scan"): "looks for values that the connector may change, for a warning",
    ("run", "glue.GetJob"): "has the reader, for the same warning",
    ("run", "glue.GetWorkflowRun"): "the run has started; its state is only shown",
    ("stop", "glue.GetWorkflowRun"): "the run is stopping; its state is only shown",
    ("verify", "s3.GetObject"): "s3transfer reads a part again",
    ("plan", "cloudwatch.GetMetricStatistics"): "prints what is not known",
    ("plan", "dynamodb.DescribeContinuousBackups"): "prints what is not known",
}
# It prints every fault as the finding of a check, and some checks only warn.
ONLY_CHECKS = {"doctor"}
# Where AWS had done what was asked before the fault, a second try has nothing to do. A query finds
# no view without a fault, too.
NOTHING_LEFT = {
    ("query", "glue.GetTable"): "Reviews has no view yet",
    ("stop", "glue.StopWorkflowRun"): "no run of Reviews is active",
    ("stop", "glue.GetWorkflowRun"): "no run of Reviews is active",
    ("destroy", "s3.DeleteObjects"): "Reviews is not exported",
    ("destroy", "glue.DeleteTable"): "Reviews is not exported",
}


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    """In a process of its own, which becomes an endpoint."""
    words = [sys.executable, "-W", "ignore", str(SCRIPT), str(SHARE)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def trials(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if "fault" in record]


def shown(trial: dict[str, Any]) -> str:
    lines = " | ".join(trial["lines"])
    return (
        f"{trial['way']}, {trial['call']}, {trial['fault']}: {trial['status']} {lines}; "
        f"again {trial['again']} {trial['said_again']}"
    )


def test_every_command_is_tried_or_calls_no_aws() -> None:
    tried = {command_of(way) for way in WAYS}
    assert sorted(tried | set(WITHOUT_AWS)) == sorted(map(" ".join, COMMANDS))
    assert not tried & set(WITHOUT_AWS)


def test_failed_call_is_one_error_with_its_next_step(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        errors = [line for line in trial["lines"] if line.startswith("Error: ")]
        text = "\n".join(trial["lines"])
        assert trial["status"] in {0, 1}, shown(trial)
        assert len(errors) == trial["status"], shown(trial)
        assert "Traceback" not in text, shown(trial)
        assert "unexpected" not in text, shown(trial)
        # The next step stands on the line after the error.
        assert not errors or not trial["lines"][-1].startswith("Error: "), shown(trial)


def test_error_names_the_call(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        if trial["status"] and command_of(trial["way"]) not in ONLY_CHECKS:
            assert trial["call"].rpartition(".")[2] in trial["result"], shown(trial)


def test_command_succeeds_only_without_a_call_that_it_does_not_need(
    trials: list[dict[str, Any]],
) -> None:
    for trial in trials:
        command = command_of(trial["way"])
        if not trial["status"] and command not in ONLY_CHECKS:
            assert (command, trial["call"]) in NOT_NEEDED, shown(trial)


def test_failed_command_leaves_no_change_set(trials: list[dict[str, Any]]) -> None:
    assert [shown(trial) for trial in trials if trial["left"]] == []


def test_second_try_succeeds_or_has_nothing_to_do(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        nothing = NOTHING_LEFT.get((command_of(trial["way"]), trial["call"]))
        assert not trial["again"] or (nothing and nothing in trial["said_again"]), shown(trial)


@pytest.mark.skipif(not ALL, reason="make test-deep tries all")
def test_every_call_fails_in_every_way(
    records: list[dict[str, Any]], trials: list[dict[str, Any]]
) -> None:
    called = {(record["way"], call) for record in records for call in record.get("calls", ())}
    tried = {(trial["way"], trial["call"], trial["fault"]) for trial in trials}
    assert {(*pair, fault) for pair in called for fault in FAULTS} == tried


# --- the committed table --------------------------------------------------------------------------
def rows() -> list[tuple[str, ...]]:
    return list(fault_table.read(fault_table.PAGE.read_text(encoding="utf-8")))


def test_table_has_the_calls_that_commands_make(records: list[dict[str, Any]]) -> None:
    called = {
        (command_of(record["way"]), in_the_table(call))
        for record in records
        for call in record.get("calls", ())
    }
    assert {(command, in_the_table(call)) for command, call, *_ in rows()} == called


def in_the_table(call: str) -> str:
    """With many exports, all catalog tables are listed in one call."""
    return "glue.GetTable" if call == "glue.GetTables" else call


def test_table_has_every_fault_of_every_call() -> None:
    pairs = {row[:2] for row in rows()}
    assert {row[:3] for row in rows()} == {(*pair, fault) for pair in pairs for fault in FAULTS}


def test_table_has_no_empty_cell() -> None:
    for row in rows():
        assert len(row) == 1 + len(fault_table.COLUMNS), row
        for cell in row:
            assert cell, row
            assert cell not in {"0:", "1:"}, row

"""AWS fails in the middle of a command: one line with the next step, then a second try."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_faults import FAULTS, SCENARIOS

# Minutes: each trial has an export of its own.
pytestmark = [pytest.mark.endpoint, pytest.mark.deep]

SCRIPT = Path(__file__).with_name("command_faults.py")
# Of all faults at all calls; DYNOEXPORT_INPUTS=2000, as for make test-deep, tries each.
SHARE = int(os.environ.get("DYNOEXPORT_INPUTS", "100")) / 2000


@pytest.fixture(scope="module")
def trials() -> list[dict[str, Any]]:
    """In a process of its own, which becomes an endpoint."""
    words = [sys.executable, "-W", "ignore", str(SCRIPT), str(SHARE)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def shown(trial: dict[str, Any]) -> str:
    lines = " | ".join(trial["lines"])
    return (
        f"{trial['command']}, {trial['call']}, {trial['fault']}: {trial['status']} {lines}; "
        f"again {trial['again']} {trial['said_again']}"
    )


def test_many_calls_of_many_commands_fail(trials: list[dict[str, Any]]) -> None:
    assert len({trial["command"] for trial in trials}) > len(SCENARIOS) / 2
    assert {trial["fault"] for trial in trials} == set(FAULTS)


def test_a_failed_call_is_one_error_with_its_next_step(trials: list[dict[str, Any]]) -> None:
    """Or no error, where the command does not need the response."""
    for trial in trials:
        errors = [line for line in trial["lines"] if line.startswith("Error: ")]
        text = "\n".join(trial["lines"])
        assert trial["status"] in {0, 1}, shown(trial)
        assert len(errors) == trial["status"], shown(trial)
        assert "Traceback" not in text, shown(trial)
        assert "unexpected" not in text, shown(trial)
        # The next step stands on the line after the error.
        assert not errors or not trial["lines"][-1].startswith("Error: "), shown(trial)


def test_a_second_try_succeeds(trials: list[dict[str, Any]]) -> None:
    assert [shown(trial) for trial in trials if trial["again"] != 0] == []

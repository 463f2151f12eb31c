"""Whatever happens during a run: one whole snapshot is shown, and the next run mends the rest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import schedules

if TYPE_CHECKING:
    from conftest import Harness

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]


def test_a_run_through_faults_keeps_every_promise(harness: Harness, seed: int) -> None:
    outcome = harness.ask(str(seed))
    again = f"reproduce it with: DYNOEXPORT_SEED={seed} .venv/bin/pytest tests/faults"
    assert not outcome["broken"], "\n".join(
        [*outcome["broken"], f"faults: {outcome['faults']}", again]
    )
    # A throttle that a task recovers from breaks no promise. It must have happened.
    assert outcome["run"] in {"SUCCEEDED", "FAILED"}


@pytest.mark.parametrize("number", range(len(schedules.WITHOUT_CRAWLER)))
def test_a_run_without_a_crawler_keeps_every_promise(harness: Harness, number: int) -> None:
    """The next run adds what this one could not add to the catalog."""
    outcome = harness.ask(f"direct {number}")
    assert not outcome["broken"], "\n".join(outcome["broken"])
    fault = schedules.WITHOUT_CRAWLER[number]
    assert outcome["injected"][fault.kind] >= 1
    assert outcome["run"] == ("SUCCEEDED" if fault.kind == schedules.LOST else "FAILED")


def test_a_seed_always_gives_the_same_schedule() -> None:
    assert schedules.draw(7) == schedules.draw(7)
    assert schedules.draw(7) != schedules.draw(7 + len(schedules.TURNS))
    assert dataclasses.is_dataclass(schedules.draw(7))


def test_every_kind_of_fault_is_drawn() -> None:
    drawn = [schedules.draw(seed) for seed in range(2 * len(schedules.TURNS))]
    assert {schedule.faults[0].kind for schedule in drawn} == set(schedules.KINDS)


@pytest.mark.deep
def test_a_hundred_thousand_items_are_read_once_under_thirty_percent_throttling(
    harness: Harness,
) -> None:
    found = harness.ask("items 100000")
    assert found["run"] == "SUCCEEDED", found["error"]
    assert found["throttles"] >= 100
    assert found["rows"] == found["expected"]

"""The closed formulas of the plan agree with a simulator that does not know them."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dynoexport.model import ReadMode, WorkerType

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import planning
from planning import GB, TB, Shape

SHAPES = planning.shapes()
TEN_PERCENT = 0.1
SHAPE = Shape(
    size=8 * GB,
    item_bytes=700,
    provisioned=3_500.0,
    warm=0.0,
    read_mode=ReadMode.NATIVE,
    worker_type=WorkerType.G_1X,
    workers=6,
    percent=0.6,
)


def test_the_grid_has_200_shapes_from_1_mb_to_100_tb() -> None:
    assert len(set(SHAPES)) == 200
    sizes = {shape.size for shape in SHAPES}
    assert (min(sizes), max(sizes)) == (1024**2, 100 * TB)


def test_the_formulas_are_within_10_percent_of_the_simulation() -> None:
    """Duration, reading, read units and what is billed; no shape asks for more than there is."""
    far = [
        (shape, name, beside)
        for shape in SHAPES
        for name, beside in planning.differences(shape).items()
        if abs(beside) > TEN_PERCENT
    ]
    assert far == []


@pytest.mark.parametrize("percent", [1.2, 1.5])
@pytest.mark.parametrize("read_mode", [ReadMode.NATIVE, ReadMode.CONNECTOR])
def test_a_limit_above_the_tables_capacity_is_no_faster(
    read_mode: ReadMode, percent: float
) -> None:
    """Requests are throttled, and the formula, which ignores retries, is a lower bound."""
    greedy = replace(SHAPE, read_mode=read_mode, percent=percent, size=40 * GB, workers=30)
    found = planning.simulate(greedy, seed=1)
    assert greedy.rate > greedy.provisioned
    # Five minutes of unused units are there at first.
    assert found.reading > 0.9 * (greedy.planned.reading.seconds - 300)


# --- what the simulator is worth --------------------------------------------------------------
def test_the_simulator_takes_constants_of_the_plan_and_no_formula() -> None:
    """The estimate that it is compared with is the exception."""
    source = Path(planning.__file__).read_text(encoding="utf-8")
    used = set(re.findall(r"\bplan\.(\w+)", source)) - {"estimate"}
    assert all(name.isupper() for name in used), used
    assert source.count("plan.estimate(") == 1


@pytest.mark.parametrize("read_mode", [ReadMode.NATIVE, ReadMode.CONNECTOR])
def test_a_coarse_world_takes_as_long_as_a_fine_one(
    monkeypatch: pytest.MonkeyPatch, read_mode: ReadMode
) -> None:
    shape = replace(SHAPE, read_mode=read_mode)
    coarse = planning.simulate(shape, seed=1)
    monkeypatch.setattr(planning, "STEPS_MIN", 100_000)
    fine = planning.simulate(shape, seed=1)
    assert fine.reading == pytest.approx(coarse.reading, rel=0.04)
    assert fine.units == pytest.approx(coarse.units, rel=0.02)


def test_each_seed_has_its_own_run() -> None:
    first, same, other = (planning.simulate(SHAPE, seed) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_more_executors_do_not_help_beyond_the_limit() -> None:
    enough, many = (planning.simulate(replace(SHAPE, workers=number), 1) for number in (6, 40))
    assert many.reading == pytest.approx(enough.reading, rel=0.03)
    assert many.billed > 3 * enough.billed

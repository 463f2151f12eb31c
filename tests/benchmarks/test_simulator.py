"""The simulator of benchmarks/limiter.py does what DynamoDB is documented to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import simulator
from simulator import Read, Sleep, Table, World, outcome

if TYPE_CHECKING:
    from simulator import Outcome, Reader

MB = 1024 * 1024


def greedy(segment: int) -> Reader:
    """Reads a segment as fast as possible."""
    page = yield Read(segment)
    while not page.last:
        page = yield Read(segment)


def paced(world: World, units: float) -> Reader:
    """Reads segment 0 at a fixed rate."""
    last = False
    while not last:
        page = yield Read(0, 80)
        yield Sleep(max(0.0, page.units / units - page.units / simulator.SEGMENT_UNITS - 0.01))
        last = page.last


def read(table: Table, segments: int, seed: int = 1) -> tuple[World, Outcome]:
    world = World(table, lambda _: 1_000, tasks=1, seed=seed)
    world.cut(segments)
    for segment in range(segments):
        world.spawn(greedy(segment))
    world.run()
    return world, outcome(world)


def test_units_are_half_of_each_started_4_kb_of_a_page() -> None:
    _, found = read(Table(10 * MB, item_bytes=1_024), 1)
    assert found.units == 10 * 128
    _, found = read(Table(1, item_bytes=1), 1)
    assert found.units == 0.5


def test_a_segment_gives_about_300_units_a_second() -> None:
    _, found = read(Table(100 * MB), 1)
    assert 250 < found.units / found.seconds < 320


def test_a_partition_gives_3_000_units_a_second_and_refuses_the_rest() -> None:
    world, found = read(Table(1_000 * MB), 30)
    assert world.throttles > 0
    assert 2_900 < found.units / found.seconds < 3_500


def test_a_provisioned_table_gives_its_burst_and_then_its_rate() -> None:
    """300 seconds of 10 units are 3,000."""
    world, found = read(Table(60 * MB, capacity=((0, 10),)), 4)
    assert world.throttles > 0
    assert found.units == pytest.approx(60 * 128, rel=0.01)
    assert found.seconds == pytest.approx((60 * 128 - 3_000) / 10, rel=0.1)


def test_a_hot_key_lies_in_one_segment_however_many_there_are() -> None:
    for segments in (10, 1_000):
        sizes = Table(10**9, hot=10**8).segment_bytes(segments)
        assert max(sizes) - min(sizes) == 10**8
        assert sum(sizes) == pytest.approx(10**9, rel=0.001)


def test_each_seed_has_its_own_run() -> None:
    first, same, other = (read(Table(20 * MB), 3, seed)[0].served for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_an_evenly_paced_reader_uses_all_and_exceeds_nothing() -> None:
    world = World(Table(60 * MB), lambda _: 100, tasks=1, seed=1)
    world.cut(1)
    world.spawn(paced(world, 100))
    world.run()
    found = outcome(world)
    assert found.over < 0.02
    assert found.used == pytest.approx(1, abs=0.02)
    assert found.tail == 0

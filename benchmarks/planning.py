"""The formulas of ``dynoexport.plan`` beside the simulator, over a grid of tables."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from limiter import Task
from simulator import PAGE_BYTES, SEGMENT_UNITS, Table, World

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import export_table as job

# So many steps makes each reader that the limit keeps busy, so that the last one of each is short.
STEPS_PER_READER, STEPS_MIN = 60, 800


class SlowLimit(job.Limit):
    """The job's limit in a coarse world: what it does in a second takes as many pages as there."""

    def __init__(self, target: float, coarse: float) -> None:
        super().__init__(target, 0.0)
        self.AHEAD = job.Limit.AHEAD * coarse
        self.SECONDS_BETWEEN_CUTS = job.Limit.SECONDS_BETWEEN_CUTS * coarse
        self.RISE_AFTER_THROTTLE = job.Limit.RISE_AFTER_THROTTLE / coarse


class SlowDispatcher(job.Dispatcher):
    """The job's dispatcher in a coarse world, where a turn is for many pages.

    Whoever asks gets a turn: in the job's own, who comes too early asks again, which changes the
    order of the pages and not their number.
    """

    def __init__(self, segments: list[int], limit: job.Limit, world: World, items: int) -> None:
        super().__init__(segments, limit, world.table.item_bytes)
        self.MOMENT = job.Dispatcher.MOMENT * world.coarse
        self._turn_items = items
        self._turn_units = items * world.table.item_bytes / job.UNIT_BYTES * world.coarse

    def turn(self, reader: str, now: float, *, hot: bool = False) -> job.Turn:
        del reader, hot
        return job.Turn(
            self._limit.lend(self._turn_units, now), self._turn_items, self._turn_units
        )


def items_a_page(table: Table, rate: float) -> int:
    """How many items the job asks for at that rate."""
    least, part = job.Dispatcher.PAGE_UNITS_MIN, job.Dispatcher.PAGE_SECONDS
    units = min(job.PAGE_UNITS, max(least, part * rate))
    return max(1, int(min(PAGE_BYTES, units * job.UNIT_BYTES) / table.item_bytes))


def read_natively(
    table: Table, rate: float, arrivals: list[float], splits: int, seed: int
) -> World:
    """The job's scan, its tasks' slots ready at their times; the world when it is over."""
    tasks = len(arrivals)
    items = items_a_page(table, rate)
    all_pages = math.ceil(table.size / table.item_bytes / items)
    segments = splits or job.segments_for(table.size, rate, tasks)
    busy = min(tasks * job.STREAMS, segments, rate / SEGMENT_UNITS + 1)
    steps = max(STEPS_MIN, STEPS_PER_READER * busy)
    segments = max(1, min(segments, round(steps), all_pages))
    turns = max(1, round(min(steps, all_pages) / segments))
    # A little more than it takes: a rest would be a turn of its own.
    coarse = max(1.0, 1.0001 * all_pages / segments / turns)
    world = World(table, lambda _: rate, tasks, seed, coarse=coarse)
    world.cut(segments)
    order = list(range(segments))
    world.chance.shuffle(order)
    deal = SlowDispatcher(order, SlowLimit(rate, coarse), world, items)
    for number, arrival in enumerate(arrivals[:segments]):
        task = Task(world, deal, str(number), math.inf)
        for stream in range(job.STREAMS):
            world.spawn(task.stream(f"{number}/{stream}"), arrival)
    world.run()
    return world

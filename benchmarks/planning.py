"""The formulas of ``dynoexport.planning.plan`` against the simulator, over a grid of tables.

The simulator does what DynamoDB, Glue and the job do, page by page and task by task. It uses none
of the formulas. Both use the constants of ``dynoexport.planning.plan`` for values that AWS does not
publish, such as the duration of a start.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common
from limiter import Cursor, Task
from rich.console import Console
from rich.table import Table as Grid
from simulator import (
    PAGE_BYTES,
    PARTITION_UNITS,
    SEGMENT_UNITS,
    Page,
    Read,
    Reader,
    Sleep,
    Table,
    World,
)

from dynoexport.jobs.formats import DYNAMODB_JSON, files_for
from dynoexport.jobs.limits import DYNAMODB_READ_UNIT_BYTES, DYNAMODB_TABLE_READ_UNITS
from dynoexport.jobs.scan.rate_limit import RateLimiter
from dynoexport.jobs.scan.scheduler import Grant, Scheduler
from dynoexport.jobs.scan.segments import PAGE_UNITS, SEGMENT_BYTES, STREAMS, segments_for
from dynoexport.jobs.scan.task import BACKOFF, BACKOFF_MAX
from dynoexport.model import ReadMode, WorkerType
from dynoexport.planning import plan, prices
from dynoexport.planning.plan import Estimate, Job
from dynoexport.planning.table_facts import TableFacts

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))


if TYPE_CHECKING:
    from collections.abc import Iterator

MB, GB, TB = 1024**2, 1024**3, 1024**4
# DynamoDB splits a larger partition.
PARTITION_BYTES = 10 * GB
# Slots of executors and DPU of workers, by worker type; as AWS publishes them.
SLOTS = {"G.1X": 4, "G.2X": 8}
DPU = {"G.1X": 1, "G.2X": 2}
# Executors start one after the other within a few seconds.
ARRIVAL_SECONDS = 3.0
# Steps of each reader that the limit keeps busy: enough to make its last step short.
STEPS_PER_READER, STEPS_MIN = 60, 800


# --- the job's scan -------------------------------------------------------------------------------
class SlowLimit(RateLimiter):
    """The job's limit in a coarse world: its intervals grow with its pages."""

    def __init__(self, target: float, coarse: float) -> None:
        super().__init__(target, 0.0)
        self.AHEAD = RateLimiter.AHEAD * coarse
        self.SECONDS_BETWEEN_CUTS = RateLimiter.SECONDS_BETWEEN_CUTS * coarse
        self.RISE_AFTER_THROTTLE = RateLimiter.RISE_AFTER_THROTTLE / coarse


class SlowDispatcher(Scheduler):
    """The job's dispatcher in a coarse world, where a turn is for many pages.

    Every request gets a turn. In the job, a request that comes too early is repeated, which changes
    the order of the pages and not their number.
    """

    def __init__(self, segments: list[int], limit: RateLimiter, world: World, items: int) -> None:
        super().__init__(segments, limit, world.table.item_bytes)
        self.MOMENT = Scheduler.MOMENT * world.coarse
        self._turn_items = items
        self._turn_units = items * world.table.item_bytes / DYNAMODB_READ_UNIT_BYTES * world.coarse

    def turn(self, reader: str, now: float, *, hot: bool = False) -> Grant:
        del reader, hot
        return Grant(self._limit.acquire(self._turn_units, now), self._turn_items, self._turn_units)


def items_a_page(table: Table, rate: float) -> int:
    """The number of items that the job requests at that rate."""
    least, part = Scheduler.PAGE_UNITS_MIN, Scheduler.PAGE_SECONDS
    units = min(PAGE_UNITS, max(least, part * rate))
    return max(1, int(min(PAGE_BYTES, units * DYNAMODB_READ_UNIT_BYTES) / table.item_bytes))


class Slot(Task):
    """A task that also decodes what it reads, on one slot."""

    def __init__(self, world: World, deal: Scheduler, name: str) -> None:
        super().__init__(world, deal, name, math.inf)
        self.free_at = 0.0

    def _step(self, cursor: Cursor, name: str) -> Reader:
        left = self.world.left(cursor.segment)
        yield from super()._step(cursor, name)
        yield Sleep(self.decoded(left - self.world.left(cursor.segment)))

    def decoded(self, read: int) -> float:
        """The seconds until these bytes are decoded too."""
        now = self.world.now
        self.free_at = max(now, self.free_at) + read / plan.NATIVE_SLOT_BYTES
        self.world.ended = max(self.world.ended, self.free_at)
        return self.free_at - now


def native(shape: Shape, seed: int) -> World:
    """Run the job's scan; return the world at its end."""
    table, rate, tasks = shape.world_table, shape.rate, shape.tasks
    items = items_a_page(table, rate)
    all_pages = math.ceil(table.size / table.item_bytes / items)
    segments = segments_for(table.size, rate, tasks)
    busy = min(tasks * STREAMS, segments, rate / SEGMENT_UNITS + 1)
    steps = max(STEPS_MIN, STEPS_PER_READER * busy)
    segments = min(segments, max(1, round(min(steps, all_pages))))
    turns = max(1, round(min(steps, all_pages) / segments))
    # A little more than needed: a remainder would take a turn of its own.
    coarse = 1.0001 * all_pages / segments / turns if all_pages > steps else 1.0
    world = World(table, lambda _: rate, tasks, seed, coarse=coarse)
    world.cut(segments)
    order = list(range(segments))
    world.chance.shuffle(order)
    deal = (
        SlowDispatcher(order, SlowLimit(rate, coarse), world, items)
        if coarse > 1
        else Scheduler(order, RateLimiter(rate, 0.0), table.item_bytes)
    )
    for number in range(min(tasks, segments)):
        task, arrival = Slot(world, deal, str(number)), world.chance.uniform(0, ARRIVAL_SECONDS)
        for stream in range(STREAMS):
            world.spawn(task.stream(f"{number}/{stream}"), arrival)
    world.run()
    return world


# --- Glue's connector -----------------------------------------------------------------------------
def connector(shape: Shape, seed: int) -> World:
    """A split for each slot, with its share of the limit. Each split reads page after page."""
    table, tasks = shape.world_table, shape.tasks
    share = shape.rate / tasks
    pages = math.ceil(table.size / tasks / PAGE_BYTES)
    coarse = max(1.0, 1.0001 * pages / max(STEPS_PER_READER, STEPS_MIN / tasks))
    world = World(table, lambda _: shape.rate, tasks, seed, coarse=coarse)
    world.cut(tasks)
    for split in range(tasks):
        # Without it, all splits of a coarse world would read their first pages in one moment.
        turn = (coarse - 1) * PAGE_UNITS / share * split / tasks
        world.spawn(_split(world, split, share), turn + world.chance.uniform(0, ARRIVAL_SECONDS))
    world.run()
    return world


def _split(world: World, split: int, share: float) -> Reader:
    """Reads, converts, and waits until its share allows the next page."""
    page, began, failures = Page(), world.now, 0
    while not page.last:
        left = world.left(split)
        page = yield Read(split)
        if page.throttled:
            failures += 1
            pause = min(BACKOFF_MAX, BACKOFF * 2**failures) * world.coarse
            yield Sleep(pause * world.chance.uniform(0.5, 1))
            continue
        failures //= 2
        converted = (left - world.left(split)) / plan.CONNECTOR_SLOT_BYTES
        ends = max(began + page.units / share, began + converted, world.now)
        world.ended = max(world.ended, ends)
        yield Sleep(ends - world.now)
        began = world.now


# --- the whole run --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Shape:
    """A table and a job. ``provisioned`` and ``warm`` are read units a second; one is 0."""

    size: int
    item_bytes: int
    provisioned: float
    warm: float
    read_mode: ReadMode
    worker_type: WorkerType
    workers: int
    percent: float

    @property
    def tasks(self) -> int:
        return (self.workers - 1) * SLOTS[self.worker_type.value]

    @property
    def rate(self) -> float:
        """The read limit of the job. The connector does not know an on-demand table's capacity."""
        if self.provisioned or self.read_mode is ReadMode.NATIVE:
            return self.percent * (self.provisioned or self.warm)
        return self.percent * DYNAMODB_TABLE_READ_UNITS

    @property
    def world_table(self) -> Table:
        partitions = 1 if self.provisioned else 4
        reads = self.provisioned or self.warm
        while self.size > partitions * PARTITION_BYTES or reads > partitions * PARTITION_UNITS:
            partitions += 1
        return Table(
            self.size,
            min(self.item_bytes, self.size),
            partitions,
            capacity=((0.0, self.provisioned),) if self.provisioned else (),
        )

    @property
    def planned(self) -> Estimate:
        """The estimate by the formulas."""
        table = TableFacts(
            name="T",
            bytes=self.size,
            items=math.ceil(self.size / self.item_bytes),
            provisioned_reads=self.provisioned,
            warm_reads=self.warm,
        )
        job = Job(
            read_mode=self.read_mode,
            worker_type=self.worker_type,
            workers=self.workers,
            read_percent=self.percent,
        )
        return plan.estimate(table, job, prices.load_prices("us-east-1"))


@dataclass(frozen=True)
class Simulated:
    """The result of a run: seconds, read units, billed DPU-seconds."""

    reading: float
    writing: float
    run: float
    units: float
    billed: float


def simulate(shape: Shape, seed: int) -> Simulated:
    """Start, read, write, crawl, publish the view."""
    is_native = shape.read_mode is ReadMode.NATIVE
    world = native(shape, seed) if is_native else connector(shape, seed)
    reading, writing = world.ended, sum(_passes(shape, world))
    seconds = plan.START_SECONDS + reading + writing
    minimum = prices.load_prices("us-east-1").minimum_seconds["glueetl"]
    return Simulated(
        reading=reading,
        writing=writing,
        run=seconds + plan.CRAWL_SECONDS + plan.VIEW_SECONDS,
        units=sum(units for _, units in world.served),
        billed=shape.workers * DPU[shape.worker_type.value] * max(seconds, minimum),
    )


def _passes(shape: Shape, world: World) -> Iterator[float]:
    """Seconds of the two passes over what was read."""
    is_native = shape.read_mode is ReadMode.NATIVE
    speed = plan.PIECES_SLOT_BYTES if is_native else plan.LINES_SLOT_BYTES
    read = shape.size * DYNAMODB_JSON if is_native else shape.size
    settled = math.ceil(read / SEGMENT_BYTES)
    files = files_for(shape.size, "parquet")
    for part, tasks in ((plan.SETTLING, settled), (1 - plan.SETTLING, files)):
        yield _makespan(world, shape.size * part / speed, tasks, shape.tasks)


def _makespan(world: World, work: float, tasks: int, slots: int) -> float:
    """Seconds until the slots, which take one task after the other, have done the work.

    Above a few thousand tasks, only a part is simulated and its time is scaled up.
    """
    done = min(tasks, max(slots * STEPS_PER_READER, STEPS_MIN))
    task_seconds, free = work / tasks, [0.0] * min(slots, done)
    for _ in range(done):
        heapq.heapreplace(free, free[0] + task_seconds * world.chance.uniform(0.9, 1.1))
    return max(free) * tasks / done


# --- the grid -------------------------------------------------------------------------------------
SIZES = (MB, 10 * MB, 100 * MB, GB, 10 * GB, 100 * GB, TB, 10 * TB, 50 * TB, 100 * TB)
# Provisioned read units a second, or the warm throughput of an on-demand table.
CAPACITIES = ((25.0, 0.0), (400.0, 0.0), (6_000.0, 0.0), (0.0, 12_000.0), (0.0, 40_000.0))
WORKERS = (2, 5, 20, 100)


def shapes() -> list[Shape]:
    """All 200: every size with every capacity and number of workers, the other values in turn."""
    turns = itertools.cycle(
        itertools.product(
            (0.25, 0.1, 0.5, 1.0), (200, 1_000, 20_000), (WorkerType.G_1X, WorkerType.G_2X)
        )
    )
    readers = itertools.cycle((ReadMode.CONNECTOR, ReadMode.NATIVE))
    grid = itertools.product(SIZES, CAPACITIES, WORKERS)
    return [_shape(*chosen, next(readers), *next(turns)) for chosen in grid]


def _shape(  # noqa: PLR0917 - in the order of the product
    size: int,
    capacity: tuple[float, float],
    workers: int,
    reader: ReadMode,
    percent: float,
    item_bytes: int,
    worker_type: WorkerType,
) -> Shape:
    provisioned, warm = capacity
    if warm:
        # Partitions that exist because of the size also serve reads; the quota is AWS's default.
        by_size = PARTITION_UNITS * math.ceil(size / PARTITION_BYTES)
        warm = min(DYNAMODB_TABLE_READ_UNITS, max(warm, by_size))
    # Glue's connector takes its percentage of 40,000 units for any on-demand table.
    if reader is ReadMode.CONNECTOR and warm:
        percent = min(percent, warm / DYNAMODB_TABLE_READ_UNITS)
    return Shape(size, item_bytes, provisioned, warm, reader, worker_type, workers, percent)


def differences(shape: Shape, seed: int = 1) -> dict[str, float]:
    """The relative difference of the formulas from the simulation; 0.1 is 10 % more."""
    simulated, planned = simulate(shape, seed), shape.planned
    # The formula does not round up the last page of each segment: half a unit in half of them.
    rounded = planned.reading.segments / 4
    # The seconds in which executors start belong to the start.
    slack = ARRIVAL_SECONDS + rounded / shape.rate
    return {
        "run": planned.run_seconds / simulated.run - 1,
        "reading": _beyond(planned.reading.seconds, simulated.reading, slack),
        "units": (planned.reading.units + rounded) / simulated.units - 1,
        "billed": planned.dpu_seconds / simulated.billed - 1,
    }


def _beyond(planned: float, actual: float, slack: float) -> float:
    """The relative difference beyond a few seconds."""
    beyond = max(0.0, abs(planned - actual) - slack)
    return math.copysign(beyond, planned - actual) / actual


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only every so many of the shapes")
    parser.add_argument("--beyond", type=float, default=0.0, help="show those that differ by more")
    parser.add_argument("--output", type=Path, help="write the figures here, as JSON")
    given = parser.parse_args()
    grid = Grid("table", "job", "read limit", "planned", "simulated", "differs")
    rows = []
    for shape in shapes()[:: given.every]:
        simulated, differs = simulate(shape, seed=1), differences(shape)
        rows.append(_row(shape, simulated, differs))
        if abs(differs["run"]) >= given.beyond:
            grid.add_row(*_grid_row(shape, simulated, differs))
    console = Console()
    console.print(grid)
    for name in differs:
        console.print(f"{name}: {max(abs(row[name]) for row in rows):.1%} at most")
    if given.output:
        common.write(given.output, "planning", {"shapes": len(rows), "rows": rows})


def _row(shape: Shape, simulated: Simulated, differs: dict[str, float]) -> dict[str, Any]:
    names = {"read_mode": shape.read_mode.value, "worker_type": shape.worker_type.value}
    return {**asdict(shape), **names, "seconds": simulated.run, **differs}


def _grid_row(shape: Shape, simulated: Simulated, differs: dict[str, float]) -> tuple[str, ...]:
    planned = shape.planned
    capacity = shape.provisioned or shape.warm
    kind = "provisioned" if shape.provisioned else "on-demand"
    return (
        f"{shape.size / GB:,.3f} GB, {capacity:,.0f} {kind}",
        f"{shape.workers} {shape.worker_type.value}, {shape.read_mode.value}",
        f"{shape.rate:,.0f}, limited by {planned.reading.bound.name}",
        f"{planned.reading.seconds:,.0f} + {planned.writing_seconds:,.0f} s",
        f"{simulated.reading:,.0f} + {simulated.writing:,.0f} s",
        ", ".join(f"{name} {value:+.1%}" for name, value in differs.items()),
    )


if __name__ == "__main__":
    main()

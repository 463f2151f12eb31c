"""How well the read limit is held, and used: the job's own dispatcher beside two others'.

Everything is simulated (benchmarks/simulator.py), with several seeds for each scenario. The models
of the others follow their sources. Where a source leaves room, its model takes the better choice.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import common
from rich.console import Console
from rich.table import Table as Grid
from simulator import Outcome, Page, Read, Reader, Sleep, Table, World, outcome

from dynoexport.jobs.scan.coordinator import CAPACITY_SECONDS
from dynoexport.jobs.scan.rate_limit import RateLimiter as job_RateLimiter
from dynoexport.jobs.scan.scheduler import Scheduler
from dynoexport.jobs.scan.segments import OPEN_SEGMENTS, STREAMS, hot_segment_units, segments_for
from dynoexport.jobs.scan.task import BACKOFF, BACKOFF_MAX

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))


GB = 1024**3
Contestant = Callable[[World], None]


# --- ours -----------------------------------------------------------------------------------------
def ours(world: World) -> None:
    """The job's RateLimiter and Scheduler. Its threads are readers that share open segments."""
    segments = segments_for(world.table.size, world.target(0), world.tasks)
    world.cut(segments)
    order = list(range(segments))
    world.chance.shuffle(order)
    limit = job_RateLimiter(world.target(0), 0.0)
    deal = Scheduler(order, limit, world.table.item_bytes)
    hot = hot_segment_units(world.table.size, segments)
    tasks = [Task(world, deal, str(number), hot) for number in range(min(world.tasks, segments))]
    for task in tasks:
        for stream in range(STREAMS):
            world.spawn(task.stream(f"{task.name}/{stream}"))
    world.spawn(_watch(world, deal, tasks))


@dataclass
class Cursor:
    """The position in an open segment."""

    segment: int
    ready_at: float = 0.0
    failures: int = 0
    units: float = 0.0


@dataclass
class Task:
    """The job's SegmentReader. Its threads are readers of the simulator."""

    world: World
    deal: Scheduler
    name: str
    hot_units: float
    opened: deque[Cursor] = field(default_factory=deque)
    at_work: int = 0
    ended: int = 0

    def stream(self, name: str) -> Reader:
        while True:
            cursor = self._next()
            if cursor is not None:
                yield from self._step(cursor, name)
            elif self.opened or self.at_work:
                yield Sleep(0.05 * self.world.coarse)
            else:
                self.ended += 1
                return

    def _next(self) -> Cursor | None:
        for cursor in self.opened:
            if cursor.ready_at <= self.world.now:
                self.opened.remove(cursor)
                return cursor
        if len(self.opened) + self.at_work < OPEN_SEGMENTS:
            segment = self.deal.take(self.name)
            return None if segment is None else Cursor(segment)
        return None

    def _step(self, cursor: Cursor, name: str) -> Reader:
        self.at_work += 1
        hot = cursor.units > self.hot_units
        turn = self.deal.turn(name, self.world.now, hot=hot)
        while not turn.lent:
            yield Sleep(turn.wait)
            turn = self.deal.turn(name, self.world.now, hot=hot)
        yield Sleep(turn.wait)
        page = yield Read(cursor.segment, turn.items or None)
        now = self.world.now
        if page.throttled:
            self.deal.throttled(turn.lent, None, now)
            cursor.failures += 1
            pause = min(BACKOFF_MAX, BACKOFF * 2**cursor.failures)
            cursor.ready_at = now + pause * self.world.chance.uniform(0.5, 1) * self.world.coarse
        else:
            self.deal.read(turn.lent, page.units, page.items, now)
            cursor.failures //= 2
            cursor.units += page.units
        if page.last:
            self.deal.done(cursor.segment)
        else:
            self.opened.append(cursor)
        self.at_work -= 1


def _watch(world: World, deal: Scheduler, tasks: list[Task]) -> Reader:
    """Asks for the table's capacity every few minutes."""
    asked = 0.0
    while any(task.ended < STREAMS for task in tasks):
        yield Sleep(1.0)
        if world.now - asked >= CAPACITY_SECONDS:
            asked = world.now
            deal.retarget(world.target(world.now), world.now)


# --- the EMR connector ----------------------------------------------------------------------------
# https://github.com/awslabs/emr-dynamodb-connector at 5d21d3b6, emr-dynamodb-hadoop
EMR_SEGMENT_BYTES, EMR_SEGMENT_IOPS, EMR_MAPPER_IOPS = GB, 100, 100
EMR_WINDOW, EMR_WORKERS, EMR_SMOOTH = 5.0, 30, 0.7
EMR_UNITS_MIN, EMR_UNITS_MAX = 1.0, 25.0


def emr(world: World) -> None:
    """AbstractDynamoDBInputFormat: a segment for each GB or 100 units, evenly spread over mappers.

    Each mapper reads the capacity once, when it starts (ReadIopsCalculator): the connector reads it
    again in writers only. Better than the source: the model does not round the target down.
    """
    target = world.target(0)
    segments = max(1, int(world.table.size / EMR_SEGMENT_BYTES), int(target / EMR_SEGMENT_IOPS))
    mappers = max(1, min(world.tasks, int(target / EMR_MAPPER_IOPS), segments))
    world.cut(segments)
    for mapper in range(mappers):
        own = list(range(mapper, segments, mappers))
        world.chance.shuffle(own)
        Mapper(world, own, max(1.0, target * len(own) / segments)).add_worker()


class Mapper:
    """AbstractReadManager, RateController and TokenBucket of one mapper, and its ReadWorkers."""

    def __init__(self, world: World, segments: list[int], target: float) -> None:
        self.world, self.target = world, target
        self.queue = deque(segments)
        self.left = len(segments)
        self.capacity = max(target * EMR_WINDOW, EMR_UNITS_MIN)
        self.tokens, self.filled = self.capacity, world.now
        self.item_bytes = float(world.table.item_bytes)
        self.workers = 0
        self.evaluated, self.units, self.requests, self.retries = world.now, 0.0, 0, 0

    def add_worker(self) -> None:
        if self.workers < EMR_WORKERS:
            self.workers += 1
            self.world.spawn(self._work())

    def _work(self) -> Reader:
        while self.left:
            if not self.queue:
                yield Sleep(self.world.chance.uniform(0.04, 0.12))
                continue
            segment = self.queue.popleft()
            permitted = self._acquire()
            if not permitted:
                self.queue.appendleft(segment)
                yield Sleep(self.world.chance.uniform(0.04, 0.12))
                continue
            limit = max(1, int(permitted * 8_192 / self.item_bytes))
            page, retries = yield from _retried(self.world, Read(segment, limit))
            self._report(permitted, page, retries)
            if page.last:
                self.left -= 1
            else:
                self.queue.append(segment)

    def _acquire(self) -> float:
        """TokenBucket.acquire: takes all whole units that are available, between 1 and 25."""
        now = self.world.now
        self.tokens = min(self.capacity, self.tokens + (now - self.filled) * self.target)
        self.filled = now
        available = float(int(min(EMR_UNITS_MAX, self.tokens)))
        if available < EMR_UNITS_MIN:
            return 0.0
        self.tokens -= available
        return available

    def _report(self, permitted: float, page: Page, retries: int) -> None:
        """AbstractReadManager.report: adds a worker every 5 s until the target is reached."""
        if page.items:
            seen = page.units * 8_192 / page.items
            self.item_bytes = EMR_SMOOTH * self.item_bytes + (1 - EMR_SMOOTH) * seen
        self.tokens = min(self.capacity, self.tokens + permitted - page.units)
        self.units, self.requests = self.units + page.units, self.requests + 1
        self.retries += retries
        passed = self.world.now - self.evaluated
        if passed < EMR_WINDOW:
            return
        if self.units / passed * 1.1 <= self.target and not self.retries:
            self.add_worker()
        self.evaluated, self.units, self.requests, self.retries = self.world.now, 0.0, 0, 0


def _retried(world: World, read: Read) -> Any:
    """DynamoDBFibonacciRetryer: repeats the request after growing pauses."""
    for retries, (pause, _) in enumerate(_fibonacci()):
        page = yield read
        if not page.throttled:
            return page, retries
        yield Sleep(0.05 * pause * world.chance.uniform(0.5, 1))
    raise AssertionError


def _fibonacci() -> Any:
    return itertools.accumulate(
        itertools.repeat(0), lambda pair, _: (pair[1], sum(pair)), initial=(1, 1)
    )


# --- Estuary --------------------------------------------------------------------------------------
# https://github.com/estuary/connectors at a9bf9533, source-dynamodb/backfill.go and pull.go
ESTUARY_SEGMENTS, ESTUARY_WORKERS, ESTUARY_LOW, ESTUARY_LOW_ITEMS = 100, 5, 100, 100


def estuary(world: World) -> None:
    """A queue of 100 segments. Five workers each read a page and put the segment back.

    Better than the source: the model's reads are eventually consistent (the source's are strongly
    consistent and cost twice as much), and the target is the configured limit.
    """
    world.cut(ESTUARY_SEGMENTS)
    queue = deque(range(ESTUARY_SEGMENTS))
    limiter = RateLimiter(world, world.target(0))
    limit = ESTUARY_LOW_ITEMS if world.target(0) <= ESTUARY_LOW else None
    for _ in range(ESTUARY_WORKERS):
        world.spawn(_backfill(world, queue, limiter, limit))


def _backfill(world: World, queue: deque[int], limiter: RateLimiter, limit: int | None) -> Reader:
    """backfillWorker: waits for as many units as its last page consumed."""
    expected = 1
    while queue:
        segment = queue.popleft()
        page = Page(throttled=True)
        while page.throttled:
            yield Sleep(limiter.wait(expected))
            page = yield Read(segment, limit)
            if page.throttled:
                # The SDK's own backoff.
                yield Sleep(world.chance.uniform(0, 1))
        if page.items:
            expected = int(page.units)
            limiter.burst = max(limiter.burst, expected)
        if not page.last:
            queue.append(segment)


class RateLimiter:
    """golang.org/x/time/rate: tokens at a rate, up to a burst. WaitN borrows from the future."""

    def __init__(self, world: World, rate: float) -> None:
        self.world, self.rate, self.burst = world, rate, 1
        self.tokens, self.at = 1.0, 0.0

    def wait(self, units: int) -> float:
        now = self.world.now
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        self.tokens -= units
        return max(0.0, -self.tokens / self.rate)


# --- scenarios ------------------------------------------------------------------------------------
CONTESTANTS: dict[str, Contestant] = {"dynoexport": ours, "EMR connector": emr, "Estuary": estuary}


@dataclass(frozen=True)
class Scenario:
    """A table, the allowed part of its capacity (or units a second), and the tasks."""

    name: str
    table: Table
    percent: float = 0.0
    rate: float = 0.0
    tasks: int = 36

    def target(self, now: float) -> float:
        return self.rate or self.percent * self.table.provisioned(now)


SCENARIOS = (
    Scenario("even, 1,000 units/s", Table(10 * GB, capacity=((0, 2_000),)), percent=0.5),
    Scenario(
        "a key as large as ten of our segments, 1,000 units/s",
        Table(10 * GB, hot=77 * 1024**2, capacity=((0, 2_000),)),
        percent=0.5,
    ),
    Scenario(
        "a key with 10 % of the table, 1,000 units/s",
        Table(10 * GB, hot=GB, capacity=((0, 2_000),)),
        percent=0.5,
    ),
    Scenario(
        "a key with 1 % of the table, 6,000 units/s",
        Table(60 * GB, partitions=8, hot=600 * 1024**2),
        rate=6_000,
    ),
    Scenario(
        "others take half of one of four partitions, 6,000 units/s",
        Table(60 * GB, partitions=4, others=(1_500,)),
        rate=6_000,
    ),
    Scenario(
        "capacity doubles after 5 min, halves after 15",
        Table(10 * GB, capacity=((0, 1_000), (330, 2_000), (930, 1_000))),
        percent=0.5,
    ),
    Scenario(
        "others take a third of what is provisioned",
        Table(30 * GB, partitions=2, capacity=((0, 3_000),), others=(500, 500)),
        percent=0.9,
    ),
    Scenario(
        "5 units provisioned, a quarter allowed", Table(8 * 1024**2, capacity=((0, 5),)), 0.25
    ),
    Scenario("20,000 units/s, 144 tasks", Table(100 * GB, partitions=20), rate=20_000, tasks=144),
)


def run(scenario: Scenario, contestant: Contestant, seed: int) -> Outcome:
    world = World(scenario.table, scenario.target, scenario.tasks, seed)
    contestant(world)
    world.run()
    return outcome(world)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=CONTESTANTS, help="this reader alone")
    parser.add_argument("--output", type=Path, help="write the figures here, as JSON")
    given = parser.parse_args()
    grid = Grid("scenario", "reader", "seconds", "over in any 10 s", "used", "tail", "throttles")
    rows = []
    for scenario in SCENARIOS:
        for name, contestant in CONTESTANTS.items():
            if given.only not in {None, name}:
                continue
            began = time.monotonic()
            outcomes = [run(scenario, contestant, seed) for seed in range(given.seeds)]
            row = _row(scenario.name, name, outcomes, time.monotonic() - began)
            rows.append(row)
            grid.add_row(
                scenario.name if name == "dynoexport" else "",
                name,
                f"{row['seconds']:,.0f}",
                f"{row['over_worst']:+.1%}",
                f"{row['used']:.1%}",
                f"{row['tail_worst']:.1%}",
                f"{row['throttles']:,.0f}",
            )
    Console().print(grid)
    if given.output:
        common.write(given.output, "limiter", {"seeds": given.seeds, "rows": rows})


def _row(scenario: str, reader: str, outcomes: list[Outcome], real: float) -> dict[str, Any]:
    """Medians over the seeds, but the worst value of each limit."""

    def median(name: str) -> float:
        return float(statistics.median(getattr(run_outcome, name) for run_outcome in outcomes))

    return {
        "scenario": scenario,
        "reader": reader,
        "seconds": median("seconds"),
        "over": median("over"),
        "over_worst": max(run_outcome.over for run_outcome in outcomes),
        "used": median("used"),
        "used_worst": min(run_outcome.used for run_outcome in outcomes),
        "tail": median("tail"),
        "tail_worst": max(run_outcome.tail for run_outcome in outcomes),
        "throttles": median("throttles"),
        "units": median("units"),
        "real_seconds": real,
    }


if __name__ == "__main__":
    main()

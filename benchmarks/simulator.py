"""A seeded discrete-event simulator of a parallel Scan under a read limit. No real time passes.

The table: partitions that give 3,000 read units a second each
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html) and,
if it is provisioned, a bucket for the whole table that holds up to 300 seconds of unused units
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html) and
is full at the start. A request is served while the buckets hold anything, and takes its whole cost.
Otherwise it is throttled after the latency of a request and costs nothing.

A reader is a generator: it yields ``Sleep`` or ``Read`` and receives the page that it reads.

Large tables are read coarsely: a ``Read`` stands for several pages that one reader reads in a row.
The mean throughput stays the same, and each moment of the world and of waiting readers is as many
times longer. So a hundred terabytes take as many steps as a gigabyte.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field

PAGE_BYTES = 1024 * 1024
PARTITION_UNITS = 3_000
BURST_SECONDS = 300
LATENCY = 0.010
# Read units a second of one segment: see SEGMENT_UNITS in scripts/export_table.py.
SEGMENT_UNITS = 300
WINDOW = 10.0
WARM_UP = 30.0


@dataclass(frozen=True)
class Sleep:
    """Do nothing for this number of seconds."""

    seconds: float


@dataclass(frozen=True)
class Read:
    """Read the next page of a segment: at most ``limit`` items, or a full page if it is None."""

    segment: int
    limit: int | None = None


@dataclass(frozen=True)
class Page:
    """The response: read units, items, whether the segment ends; or a throttle."""

    units: float = 0.0
    items: int = 0
    last: bool = False
    throttled: bool = False


Reader = Generator[Sleep | Read, Page, None]


@dataclass(frozen=True)
class Table:
    """The table that is read.

    Attributes:
        size: bytes of all items.
        item_bytes: bytes of one item.
        partitions: the number of partitions, over which the hash range is spread evenly.
        hot: bytes under one partition key, which all lie in one segment.
        capacity: (seconds, units): provisioned read units a second from a moment on; empty for an
            on-demand table.
        others: read units a second that other readers take from each partition.
    """

    size: int
    item_bytes: int = 1_000
    partitions: int = 1
    hot: int = 0
    capacity: tuple[tuple[float, float], ...] = ()
    others: tuple[float, ...] = ()

    def provisioned(self, now: float) -> float:
        """Provisioned read units a second at the moment; 0 for an on-demand table."""
        return next((units for since, units in reversed(self.capacity) if since <= now), 0.0)

    def segment_bytes(self, segments: int) -> list[int]:
        """The bytes of each segment; the hot key lies in the middle."""
        sizes = [round((self.size - self.hot) / segments)] * segments
        sizes[segments // 2] += self.hot
        return sizes


@dataclass
class Bucket:
    """Units that flow in at a rate, up to a capacity. One request may overdraw it."""

    rate: float
    capacity: float
    level: float
    at: float = 0.0

    def fill(self, now: float) -> None:
        self.level = min(self.capacity, self.level + self.rate * (now - self.at))
        self.at = now


class World:
    """The table while it is read, and the clock.

    Attributes:
        target: the read limit at a moment, in units a second.
        tasks: the number of tasks that the readers may use.
        coarse: the number of pages that a ``Read`` stands for.
        chance: the run's own randomness.
        served: (seconds, units) of all pages, in order.
        ended: the second in which the last page arrived.
    """

    def __init__(
        self,
        table: Table,
        target: Callable[[float], float],
        tasks: int,
        seed: int,
        *,
        coarse: float = 1.0,
    ) -> None:
        self.table, self.target, self.tasks, self.coarse = table, target, tasks, coarse
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.now = 0.0
        self.served: list[tuple[float, float]] = []
        self.throttles = 0
        self.ended = 0.0
        self._left: list[int] = []
        self._queue: list[tuple[float, int, Reader, Page | None]] = []
        self._order = itertools.count()
        others = [*table.others, *[0.0] * (table.partitions - len(table.others))]
        self._partitions = [
            Bucket(PARTITION_UNITS - units, PARTITION_UNITS * coarse, PARTITION_UNITS - units)
            for units in others
        ]
        first = table.provisioned(0)
        self._burst = BURST_SECONDS + (coarse if coarse > 1 else 0)
        self._whole = Bucket(first - sum(others), first * self._burst, first * self._burst)
        self._others = sum(others)

    def cut(self, segments: int) -> None:
        """Cut the table into this number of segments."""
        self._left = self.table.segment_bytes(segments)

    def left(self, segment: int) -> int:
        """The bytes of a segment that are still unread."""
        return self._left[segment]

    def clock(self) -> float:
        return self.now

    def spawn(self, reader: Reader, delay: float = 0.0) -> None:
        """Start a reader, now or later."""
        self._push(delay, reader, None)

    def _push(self, delay: float, reader: Reader, page: Page | None) -> None:
        heapq.heappush(self._queue, (self.now + delay, next(self._order), reader, page))

    def run(self) -> None:
        """Run until all readers have ended."""
        while self._queue:
            self.now, _, reader, page = heapq.heappop(self._queue)
            try:
                wish = next(reader) if page is None else reader.send(page)
            except StopIteration:
                continue
            if isinstance(wish, Sleep):
                self._push(wish.seconds, reader, Page())
            else:
                delay, answer = self._serve(wish)
                self._push(delay, reader, answer)

    def _serve(self, read: Read) -> tuple[float, Page]:
        jitter = self.chance.uniform(0.9, 1.1)
        place = read.segment * self.table.partitions // len(self._left)
        buckets = [self._partitions[place]]
        if self.table.capacity:
            units = self.table.provisioned(self.now)
            self._whole.fill(self.now)
            self._whole.rate, self._whole.capacity = units - self._others, units * self._burst
            buckets.append(self._whole)
        for bucket in buckets:
            bucket.fill(self.now)
        if min(bucket.level for bucket in buckets) <= 0:
            self.throttles += 1
            return LATENCY * jitter, Page(throttled=True)
        item = self.table.item_bytes
        page_bytes = PAGE_BYTES if read.limit is None else min(PAGE_BYTES, read.limit * item)
        taken = min(self._left[read.segment], math.ceil(page_bytes * self.coarse))
        self._left[read.segment] -= taken
        # The last of many pages is as full as the others: a remainder in each step would add up.
        pages = max(1.0, taken / page_bytes)
        units = pages * math.ceil(taken / pages / 4_096) / 2 or 0.5
        for bucket in buckets:
            bucket.level -= units
        self.served.append((self.now, units))
        page = Page(units, math.ceil(taken / item), last=self._left[read.segment] <= 0)
        took = (pages * LATENCY + units / SEGMENT_UNITS) * jitter
        self.ended = max(self.ended, self.now + took)
        return took, page


@dataclass(frozen=True)
class Outcome:
    """The figures of a run.

    Attributes:
        seconds: from the start to the last page.
        over: the highest excess over the limit in any 10 s; 0.02 is 2 %.
        used: the part of the limit that was used, from second 30 until 95 % was read.
        tail: the part of the run after the last 10 s in which at least half of the limit was used.
        throttles: the number of throttled requests.
        units: read units of the whole run.
    """

    seconds: float
    over: float
    used: float
    tail: float
    throttles: int
    units: float


@dataclass
class _Allowed:
    """The integral of the target, by steps of a tenth of a second."""

    target: Callable[[float], float]
    sums: list[float] = field(default_factory=lambda: [0.0])

    def between(self, begin: float, end: float) -> float:
        return self._until(end) - self._until(begin)

    def _until(self, moment: float) -> float:
        place = max(0.0, moment) * 10
        while len(self.sums) < place + 2:
            self.sums.append(self.sums[-1] + self.target((len(self.sums) - 1) / 10) / 10)
        whole = int(place)
        return self.sums[whole] + (self.sums[whole + 1] - self.sums[whole]) * (place - whole)


def outcome(world: World) -> Outcome:
    """The figures of the run."""
    served, allowed = world.served, _Allowed(world.target)
    total = sum(units for _, units in served)
    end = served[-1][0]
    return Outcome(
        seconds=end,
        over=_highest(served, world.target) - 1,
        used=_used(served, allowed, total),
        tail=1 - _last_busy(served, allowed, end) / end if end else 0.0,
        throttles=world.throttles,
        units=total,
    )


def _highest(served: Sequence[tuple[float, float]], target: Callable[[float], float]) -> float:
    """The highest use of the limit in any window that begins with a page."""
    allowed = _Allowed(target)
    begin, units, most = 0, 0.0, 0.0
    for moment, read_units in served:
        units += read_units
        while served[begin][0] < moment - WINDOW:
            units -= served[begin][1]
            begin += 1
        first = served[begin][0]
        most = max(most, units / allowed.between(first, first + WINDOW))
    return most


def _used(served: Iterable[tuple[float, float]], allowed: _Allowed, total: float) -> float:
    passed = read = 0.0
    last = WARM_UP
    for moment, units in served:
        passed += units
        if moment >= WARM_UP and passed <= 0.95 * total:
            read += units
            last = moment
    return read / allowed.between(WARM_UP, last) if last > WARM_UP else math.nan


def _last_busy(served: Sequence[tuple[float, float]], allowed: _Allowed, end: float) -> float:
    """The end of the last window in which at least half of the limit was used."""
    begin, units, last = 0, 0.0, 0.0
    for moment, read_units in served:
        units += read_units
        while served[begin][0] < moment - WINDOW:
            units -= served[begin][1]
            begin += 1
        if units >= 0.5 * allowed.between(max(0.0, moment - WINDOW), moment):
            last = moment
    return min(last, end)

"""Who reads which segment, and when."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport.jobs.limits import DYNAMODB_READ_UNIT_BYTES
from dynoexport.jobs.scan.segments import PAGE_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynoexport.jobs.scan.rate_limit import RateLimiter


@dataclass(frozen=True)
class Grant:
    """What a task may do: wait, then read a page of ``items`` items (0: a whole page).

    If ``lent`` is 0, the task asks again after the wait.
    """

    wait: float
    items: int
    lent: float


class Scheduler:
    """Deals segments and read units to all tasks of a Scan. It lives in the driver.

    A task asks for one segment after another, so a fast task reads more of them. The segments that
    a lost task had begun are dealt again.
    """

    # If this part of a moment's pages is refused, the whole table is at its limit. If fewer are, a
    # partition is hot, and only its segments wait.
    MOMENT = 2.0
    REFUSED = 0.5
    # One page may use this part of a second's units, so that no window is much over the limit. It
    # may always use PAGE_UNITS_MIN, because each page is rounded up to half a unit.
    PAGE_SECONDS = 0.1
    PAGE_UNITS_MIN = 2.0
    # A reader that must wait asks again after this part of the time until its turn.
    EARLY = 0.25

    def __init__(self, segments: Iterable[int], limit: RateLimiter, item_bytes: float) -> None:
        self._waiting = deque(segments)
        self._begun: dict[int, str] = {}
        self._limit = limit
        self._unit_items = DYNAMODB_READ_UNIT_BYTES / item_bytes if item_bytes else 1.0
        self._units = self._items = 0.0
        self._moment: deque[tuple[float, bool]] = deque()
        self._queued: set[str] = set()

    def take(self, task: str) -> int | None:
        """The next segment for the task; None if all are dealt."""
        if not self._waiting:
            return None
        segment = self._waiting.popleft()
        self._begun[segment] = task
        return segment

    def done(self, segment: int) -> None:
        self._begun.pop(segment, None)

    def lost(self, task: str) -> None:
        """Let other tasks read the segments that a lost task had begun."""
        segments = [segment for segment, reader in self._begun.items() if reader == task]
        self._queued = {reader for reader in self._queued if not reader.startswith(f"{task}/")}
        for segment in segments:
            del self._begun[segment]
        self._waiting.extendleft(segments)

    def turn(self, reader: str, now: float, *, hot: bool = False) -> Grant:
        """When the reader may read its next page, and how many items.

        A reader of a ``hot`` segment does not queue: at the end, the whole Scan waits for it.
        """
        rate = self._limit.rate(now)
        units = min(PAGE_UNITS, max(self.PAGE_UNITS_MIN, self.PAGE_SECONDS * rate))
        busy = self._limit.free_in(units, now)
        if busy and not hot:
            self._queued.add(reader)
            others = units * len(self._queued) / rate
            return Grant(busy + self.EARLY * others, 0, 0.0)
        self._queued.discard(reader)
        items = 0 if units == PAGE_UNITS else max(1, int(units * self._unit_items))
        return Grant(self._limit.acquire(units, now), items, units)

    def read(self, lent: float, units: float, items: int, now: float) -> None:
        """Record a page that was read."""
        self._limit.correct(lent, units, now)
        self._units += units
        self._items += items
        if self._units:
            self._unit_items = self._items / self._units
        self._note(now, refused=False)

    def throttled(self, lent: float, key_range: bool | None, now: float) -> None:
        """Record a refused page; ``key_range``: because of a hot partition, None for unknown."""
        self._limit.correct(lent, 0.0, now)
        self._note(now, refused=True)
        refused = sum(was_refused for _, was_refused in self._moment)
        if key_range is None:
            key_range = refused < self.REFUSED * len(self._moment)
        if not key_range:
            self._limit.throttled(now)

    def _note(self, now: float, *, refused: bool) -> None:
        self._moment.append((now, refused))
        while self._moment[0][0] < now - self.MOMENT:
            self._moment.popleft()

    def retarget(self, target: float, now: float) -> None:
        self._limit.retarget(target, now)

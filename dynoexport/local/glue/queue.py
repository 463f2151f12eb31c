"""The queue of job runs: this machine has room for some processes at a time, as AWS has quotas."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

# A Spark job takes about 600 MB. Jobs mostly wait for answers, so there are more than processors.
PLACES = max(4, 2 * (os.cpu_count() or 1))
# Seconds after which a run that waits looks whether it was stopped.
_PAUSE = 0.2


class Waits(Protocol):
    """A run that may be stopped while it waits."""

    state: str
    stopping: bool


class Queue:
    """Places for runs; what finds none waits, and the first that waits gets the next place."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: list[Waits] = []
        self._changed = threading.Condition()

    @contextmanager
    def place(self, run: Waits) -> Iterator[bool]:
        """A place until the block ends; false if the run was stopped while it waited.

        While it waits, its state is WAITING:
        https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
        """
        has_place = self._wait(run)
        try:
            yield has_place
        finally:
            if has_place:
                with self._changed:
                    self._free += 1
                    self._changed.notify_all()

    def _wait(self, run: Waits) -> bool:
        with self._changed:
            self._waiting.append(run)
            try:
                while not (self._free and self._waiting[0] is run):
                    run.state = "WAITING"
                    if run.stopping:
                        return False
                    self._changed.wait(_PAUSE)
                self._free -= 1
                return True
            finally:
                self._waiting.remove(run)
                self._changed.notify_all()


queue = Queue(PLACES)

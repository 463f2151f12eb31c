"""The clock: scheduled triggers start their workflows, and alarms go off."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dynoexport.workflow import schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


def due(
    triggers: Iterable[Mapping[str, Any]], *, after: datetime, until: datetime
) -> Iterator[str]:
    """Names of the workflows whose schedule fires in ``(after, until]``, in UTC."""
    for trigger in triggers:
        if trigger["Type"] != "SCHEDULED" or trigger["State"] != "ACTIVATED":
            continue
        times = schedule.firings(trigger["Schedule"], after=after, count=1)
        if times and times[0] <= until and trigger.get("WorkflowName"):
            yield trigger["WorkflowName"]


class Scheduler:
    """Checks the clock every few seconds, in a thread of its own.

    ``poll`` is called each time, after the workflows that are due have been started.
    """

    def __init__(
        self,
        triggers: Callable[[], Iterable[Mapping[str, Any]]],
        start: Callable[[str], None],
        *,
        poll: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        seconds: float = 2.0,
    ) -> None:
        self._triggers = triggers
        self._start = start
        self._poll = poll
        self._now = now
        self._seconds = seconds
        self._stopped = threading.Event()

    def run(self) -> None:
        """Start what is due until ``stop`` is called."""
        checked = self._now()
        while not self._stopped.wait(self._seconds):
            now = self._now()
            for workflow in due(self._triggers(), after=checked, until=now):
                self._start(workflow)
            self._poll()
            checked = now

    def stop(self) -> None:
        self._stopped.set()

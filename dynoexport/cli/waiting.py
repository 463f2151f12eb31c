"""What a command waits for, if it takes longer than people like to look at nothing.

On a terminal it is a live line. Without one it is a line, and another one each time it changes.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from dynoexport.cli import common
from dynoexport.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.status import Status
    from rich.text import Text

    Value = TypeVar("Value")

# Seconds without a line, after which people ask themselves whether anything happens.
PATIENCE = 2.0


class Wait:
    """Shows on stderr what a command waits for, once it has waited for some seconds."""

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = PATIENCE if seconds is None else seconds
        self._lock = threading.RLock()
        self._what = self._printed = ""
        self._begun = False
        self._timer: threading.Timer | None = None
        self._status: Status | None = None

    def show(self, what: str) -> None:
        """Wait for something else from now on."""
        with self._lock:
            self.stop()
            self._what = what
            self._timer = threading.Timer(self._seconds, self._begin)
            self._timer.daemon = True
            self._timer.start()

    def update(self, what: str) -> None:
        """Say more exactly what the command waits for: how far it is."""
        with self._lock:
            self._what = what
            if self._begun:
                self._show_now()

    def stop(self) -> None:
        """Wait for nothing: a question or a result comes next."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._status is not None:
                self._status.stop()
            self._timer = self._status = None
            self._begun = False

    def _begin(self) -> None:
        with self._lock:
            # It may have been stopped while this thread waited for the lock.
            if self._timer is not threading.current_thread():
                return
            self._begun = True
            self._show_now()

    def _show_now(self) -> None:
        console = common.err()
        if self._status is not None:
            self._status.update(_text(self._what))
        elif console.is_terminal:
            self._status = console.status(_text(self._what))
            self._status.start()
        elif self._what != self._printed:
            # In a log, the same line again says nothing new.
            common.echo_err(one_line(f"{self._what} ..."))
            self._printed = self._what


def _text(what: str) -> Text:
    from rich.text import Text

    return Text(one_line(what))


@contextmanager
def waiting(what: str, seconds: float | None = None) -> Iterator[Wait]:
    """Show what the command waits for; at the end, the live line vanishes."""
    wait = Wait(seconds)
    try:
        wait.show(what)
        yield wait
    finally:
        wait.stop()


def waiting_for_each(values: Iterable[Value], what: str) -> Iterator[Value]:
    """The values; show what the command waits for until each comes, not while it is used."""
    with waiting(what) as wait:
        for value in values:
            wait.stop()
            yield value
            wait.show(what)


@contextmanager
def returning(*lines: str, on_error: bool = False) -> Iterator[None]:
    """On Ctrl-C, print what goes on and how to return, and end.

    ``on_error`` prints it before an error, too.
    """
    try:
        yield
    except KeyboardInterrupt:
        common.echo_err("\n" + "\n".join(lines))
        click.get_current_context().exit(common.INTERRUPTED)
    except Exception:
        if on_error:
            common.echo_err("\n".join(lines))
        raise

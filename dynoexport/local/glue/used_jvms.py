"""The Java that has served a Spark job and can serve another one.

Spark starts in it in a tenth of the time, because it has loaded its classes and compiled its code.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from dynoexport.local.runtime import used_java

if TYPE_CHECKING:
    from pathlib import Path

# Each job leaves a megabyte: objects that its Python process had, and never released.
JOBS_MAX = 50
# py4j logs as an error that a Java has ended, also when Python later releases an object in it.
logging.getLogger("py4j").setLevel(logging.CRITICAL)
# By the root logger, it logs that a Java gave no answer, as after Ctrl-C while it is cleaned:
# https://github.com/py4j/py4j/blob/0.10.9.7/py4j-python/src/py4j/java_gateway.py
logging.getLogger().addFilter(lambda record: record.module != "java_gateway")
# Seconds; on a busy machine a new Java takes longer to start.
_PATIENCE = 10.0


class Jvm(Protocol):
    """The process of a Java."""

    @property
    def directory(self) -> Path:
        """What ``used_java`` finds it by."""

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""

    def close(self) -> None:
        """End it."""


J = TypeVar("J", bound=Jvm)


class UsedJvms(Generic[J]):
    """At most one Java, free of all that its jobs have left in it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._cleaning = 0
        self._free: J | None = None
        self._jobs: Counter[Path] = Counter()

    @property
    def is_cleaning(self) -> bool:
        """Whether one will soon be free."""
        with self._changed:
            return self._cleaning > 0 and self._free is None

    def clean(self, jvm: J) -> None:
        """Make it free, in the background, or end it if this fails or another one is free."""
        with self._changed:
            self._cleaning += 1
        threading.Thread(target=self._clean, args=(jvm,), daemon=True).start()

    def _clean(self, jvm: J) -> None:
        is_kept = False
        try:
            is_clean = self._count(jvm) < JOBS_MAX and jvm.is_alive and _forget(jvm)
            with self._changed:
                if is_clean and self._free is None:
                    self._free, is_kept = jvm, True
        finally:
            with self._changed:
                self._cleaning -= 1
                self._changed.notify_all()
            if not is_kept:
                self._end(jvm)

    def _count(self, jvm: J) -> int:
        with self._changed:
            self._jobs[jvm.directory] += 1
            return self._jobs[jvm.directory]

    def _end(self, jvm: J) -> None:
        with self._changed:
            self._jobs.pop(jvm.directory, None)
        jvm.close()

    def take(self) -> J | None:
        """The free one, if there is one or will be one soon."""
        with self._changed:
            self._changed.wait_for(lambda: self._free or not self._cleaning, timeout=_PATIENCE)
            jvm, self._free = self._free, None
        if jvm is not None and not jvm.is_alive:
            self._end(jvm)
            return None
        return jvm

    def empty(self) -> None:
        """End the free one, also one that is about to be free."""
        with self._changed:
            self._changed.wait_for(lambda: not self._cleaning, timeout=_PATIENCE)
            jvm, self._free = self._free, None
        if jvm is not None:
            self._end(jvm)


def _forget(jvm: Jvm) -> bool:
    from py4j.protocol import Py4JError

    try:
        is_clean: bool = used_java.forget(jvm.directory)
    except (OSError, Py4JError):
        return False
    return is_clean

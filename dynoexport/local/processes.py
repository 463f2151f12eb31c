"""The processes of jobs: one for each job, and one that waits for the next if asked.

Spark takes most of a short job's time to come up. A process that is started before its job knows
nothing of it: it has no credentials, serves one job, and ends with it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynoexport.local import java

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUNTIME = Path(__file__).parent / "runtime"
SPARK = "glueetl"


@dataclass(frozen=True)
class JobProcess:
    """A process that has been told nothing yet, or its job; with a directory that is its own."""

    kind: str
    process: subprocess.Popen[str]
    directory: Path

    def order(self, script: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Tell it what to run.

        Raises:
            BrokenPipeError: it has ended.
        """
        told = {"script": str(script), "arguments": arguments, "environment": environment}
        assert self.process.stdin is not None  # noqa: S101 - for mypy
        with self.process.stdin as stdin:
            stdin.write(json.dumps(told) + "\n")

    def kill(self) -> None:
        """End it and all that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Leave nothing of it."""
        self.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def start(kind: str) -> JobProcess:
    """A new process for a job of that kind; it knows nothing of the user's environment."""
    directory = Path(tempfile.mkdtemp(prefix="dynoexport-job-"))
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "PYTHONPATH": str(RUNTIME),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
    }
    if kind == SPARK:
        env |= java.environment()
    process = subprocess.Popen(
        [sys.executable, str(RUNTIME / "launch.py"), kind],
        env=env,
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # A group of its own: Spark's JVM and Python workers go with it.
        start_new_session=True,
    )
    return JobProcess(kind, process, directory)


class Reserve:
    """At most one process for Spark, waiting for its job."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: JobProcess | None = None

    def fill(self) -> None:
        """Start one unless there is one: a job is about to come."""
        with self._lock:
            self._waiting = self._alive() or start(SPARK)

    def take(self, kind: str) -> JobProcess:
        """A process for one job: the one that waits if there is one, else a new one."""
        found = None
        if kind == SPARK:
            with self._lock:
                found, self._waiting = self._alive(), None
        return found or start(kind)

    def empty(self) -> None:
        """End the one that waits."""
        with self._lock:
            if self._waiting is not None:
                self._waiting.close()
            self._waiting = None

    def _alive(self) -> JobProcess | None:
        found = self._waiting
        if found is not None and found.process.poll() is not None:
            found.close()
            return None
        return found


# One endpoint at a time in a process.
reserve = Reserve()

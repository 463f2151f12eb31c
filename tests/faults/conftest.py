"""The harness in a process of its own, one of each kind for a whole test session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import outcomes
import pytest
import schedules

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
# How many of the seeds 0, 1, ... are run, or which one alone.
SCHEDULES = int(os.environ.get("DYNOEXPORT_SCHEDULES", schedules.USUAL))
SEED = os.environ.get("DYNOEXPORT_SEED")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(SCHEDULES) if SEED is None else [int(SEED)])


class Harness:
    """Asks the process and reads its answers; what it prints goes to a file."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log
        assert self._read() == "ready"

    def ask(self, what: str) -> dict[str, Any]:
        begins = self._log.stat().st_size
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        answered: dict[str, Any] = json.loads(self._read())
        with self._log.open() as log:
            log.seek(begins)
            # Shown with a test that fails.
            print(log.read())
        # The figures are about schedules, which have other kinds.
        if not what.startswith(("lose ", "refuse ", "direct ")):
            outcomes.record(answered)
        return answered

    def _read(self) -> str:
        pipe: IO[str] | None = self._process.stdout
        assert pipe is not None
        line = pipe.readline().strip()
        assert line, self._log.read_text()[-10_000:]
        return line


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with started(tmp_path_factory.mktemp("faults") / "log") as found:
        yield found


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """One whose Spark has two executors, each in a process of its own."""
    # https://github.com/apache/spark/blob/v3.5.6/core/src/main/scala/org/apache/spark/SparkContext.scala
    with started(tmp_path_factory.mktemp("cluster") / "log", "local-cluster[2,1,1024]") as found:
        yield found


@contextmanager
def started(log: Path, *master: str) -> Iterator[Harness]:
    command = [sys.executable, "-W", "ignore", str(HERE / "harness.py"), *master]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=HERE.parents[1],
        ) as process,
    ):
        try:
            yield Harness(process, log)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            # Spark and the endpoint end in seconds, on a machine that others use in minutes.
            process.wait(timeout=600)

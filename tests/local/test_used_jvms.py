"""Which Java a later job gets, and which one ends."""

from __future__ import annotations

import socketserver
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import spark_script
import waiting

from dynoexport.local.glue import processes, used_jvms
from dynoexport.local.runtime import used_java

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of a job that starts Spark."""
    script = tmp_path_factory.mktemp("script") / "job.py"
    script.write_text("from pyspark import SparkContext\nSparkContext.getOrCreate()\n")
    return script


@pytest.fixture
def reserve() -> Iterator[processes.Reserve]:
    processes.begin()
    reserve = processes.Reserve()
    yield reserve
    reserve.empty()
    processes.end_all()


def run(job: processes.JobProcess, script: Path) -> processes.JobProcess:
    """Run the script to its end, and return its Java."""
    spark_script.run(job, script)
    assert job.jvm is not None
    return job.jvm


def ended(jvm: processes.JobProcess) -> bool:
    """It comes to its end, which is complete when its pipes are closed."""
    pipe = jvm.process.stdin
    assert pipe is not None
    return waiting.until(lambda: pipe.closed and not jvm.directory.exists(), seconds=180)


@pytest.mark.spark
def test_a_java_ends_after_its_last_job(
    reserve: processes.Reserve, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each job leaves in it does not add up."""
    monkeypatch.setattr(used_jvms, "JOBS_MAX", 2)
    used = []
    for _ in range(2):
        job = reserve.take(processes.SPARK)
        used.append(run(job, script))
        reserve.give_back(job)
    first, second = used
    assert first is second
    assert ended(first)


@pytest.mark.spark
def test_a_java_that_cannot_be_cleaned_ends(reserve: processes.Reserve, script: Path) -> None:
    """Here because what it had before the job is gone."""
    job = reserve.take(processes.SPARK)
    jvm = run(job, script)
    (jvm.directory / used_java.PROPERTIES).unlink()
    reserve.give_back(job)
    assert ended(jvm)


@pytest.mark.spark
def test_a_java_whose_job_could_not_start_ends(reserve: processes.Reserve) -> None:
    """Its Python process ends at any moment of the start of Spark."""
    job = reserve.take(processes.SPARK)
    jvm = job.jvm
    assert jvm is not None
    waiting.until((jvm.directory / used_java.PROPERTIES).exists, seconds=180)
    reserve.give_back(job)
    assert ended(jvm)


@pytest.mark.spark
def test_of_two_one_is_kept(reserve: processes.Reserve, script: Path) -> None:
    """The machine has no memory to spare."""
    jobs = [reserve.take(processes.SPARK) for _ in range(2)]
    jvms = [run(job, script) for job in jobs]
    for job in jobs:
        reserve.give_back(job)
    waiting.until(lambda: sum(jvm.is_alive for jvm in jvms) == 1, seconds=180)
    reserve.empty()
    assert all(map(ended, jvms))


class Dying(socketserver.StreamRequestHandler):
    """A Java that ends while it is asked for something."""

    def handle(self) -> None:
        # The secret first: https://github.com/py4j/py4j/blob/0.10.9.7/py4j-python/src/py4j/java_gateway.py
        self.rfile.readline(), self.rfile.readline()
        self.wfile.write(b"!yv\n")
        self.rfile.readline()


@dataclass(frozen=True)
class DyingJvm:
    directory: Path
    is_alive: bool = True
    closed: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self.closed.set()


def test_a_java_that_ends_while_it_is_cleaned_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As after Ctrl-C at that moment, which would show a traceback."""
    with socketserver.TCPServer(("127.0.0.1", 0), Dying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        secret = b"secret"
        connection = struct.pack(">ii", server.server_address[1], len(secret)) + secret
        (tmp_path / used_java.CONNECTION).write_bytes(connection)
        (tmp_path / used_java.WORK).mkdir()
        (tmp_path / used_java.DONE).touch()
        jvm = DyingJvm(tmp_path)
        used: used_jvms.UsedJvms[DyingJvm] = used_jvms.UsedJvms()
        used.clean(jvm)
        assert jvm.closed.wait(60)
        server.shutdown()
    assert used.take() is None
    assert caplog.records == []

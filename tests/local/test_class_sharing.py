"""The archive of Spark's classes: made once, used by later jobs, and never a reason to fail."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest
import spark_script
import waiting

from dynoexport.local.glue import class_sharing, processes
from dynoexport.local.runtime import class_archive, used_java

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Writes a file, and prints the archives that the job's Java has mapped.
REPORT = """
import os
from pyspark import SparkContext
from pyspark.sql import SparkSession
SparkSession.builder.getOrCreate().range(1).write.parquet(os.environ["TMPDIR"] + "/numbers")
java = SparkContext.getOrCreate()._jvm.java.lang.ProcessHandle.current().pid()
with open(f"/proc/{java}/maps") as mapped:
    print(*sorted({os.path.basename(line.split()[-1]) for line in mapped if ".jsa" in line}))
"""
# Stands for a Java: its archive is the list of classes.
JAVA = """#!/bin/sh
echo called >> "$HOME/../calls"
for word; do case "$word" in
    -XX:SharedClassListFile=*) list=${word#*=} ;;
    -XX:SharedArchiveFile=*) archive=${word#*=} ;;
esac; done
"""


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The directory of archives; the user has none yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dynoexport"


@pytest.fixture
def running() -> Iterator[None]:
    """Job processes may start."""
    processes.begin()
    yield
    processes.end_all()


def archives(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.jsa"))


def run(script: Path) -> tuple[str, str]:
    """A successful Spark job's output and errors; then its classes are shared."""
    job = processes.start(processes.SPARK)
    try:
        printed, errors = spark_script.run(job, script)
        assert job.jvm is not None
        errors += (job.jvm.directory / used_java.ERRORS).read_text()
        job.share_classes()
        return printed, errors
    finally:
        job.close()


@pytest.mark.spark
def test_the_second_job_uses_the_archive_and_a_damaged_one_breaks_no_job(
    running: None, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither shows in the job's log."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = tmp_path / "job.py"
    script.write_text(REPORT)
    _, errors_of_first = run(script)
    (archive,) = waiting.until(lambda: archives(cache), seconds=600)
    printed, errors = run(script)
    assert printed == archive.name
    assert len(errors.splitlines()) == len(errors_of_first.splitlines())
    with archive.open("r+b") as damaged:
        damaged.seek(archive.stat().st_size // 2)
        damaged.write(b"damaged" * 1000)
    printed, errors = run(script)
    assert archive.name not in printed
    assert len(errors.splitlines()) == len(errors_of_first.splitlines())


@pytest.mark.spark
def test_a_job_that_has_not_written_by_spark_makes_no_archive(
    running: None, cache: Path, tmp_path: Path
) -> None:
    """Its archive would lack most of the classes that other jobs load."""
    script = tmp_path / "job.py"
    script.write_text("from pyspark import SparkContext\nSparkContext.getOrCreate()\n")
    run(script)
    assert list(cache.iterdir()) == []


# --- a directory that others could write ----------------------------------------------------------
def test_archives_have_a_directory_that_only_the_user_can_open(cache: Path) -> None:
    assert class_sharing.environment() == {class_archive.CACHE: str(cache)}
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_directory_that_others_can_write_is_not_used(cache: Path, mode: int) -> None:
    cache.mkdir(parents=True)
    cache.chmod(mode)
    assert class_sharing.environment() == {}


def test_a_directory_of_another_user_is_not_used(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True, mode=0o700)
    another = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)
    assert class_sharing.environment() == {}


def test_a_link_to_another_directory_is_not_used(cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    cache.parent.mkdir()
    cache.symlink_to(other)
    assert class_sharing.environment() == {}


def test_without_a_cache_jobs_run_without_an_archive(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    assert class_sharing.environment() == {}


# --- how an archive is made -----------------------------------------------------------------------
class Maker:
    """Makes archives with a stand-in for Java, for jobs that have listed some classes."""

    def __init__(self, home: Path, cache: Path) -> None:
        self._home = home
        self._calls = cache.parent / "calls"
        (home / "bin").mkdir(parents=True)
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(cache),
            "JAVA_HOME": str(home),
            **class_sharing.environment(),
        }

    def java(self, then: str) -> None:
        java = self._home / "bin" / "java"
        java.write_text(JAVA + then)
        java.chmod(0o755)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, class_archive.__file__],
            env=self._env,
            stdin=subprocess.PIPE,
            text=True,
        )

    def make(self, classes: str = "java/lang/Object\n") -> None:
        with self.start() as process:
            process.communicate(classes)
        assert process.returncode == 0

    @property
    def calls(self) -> int:
        return len(self._calls.read_text().splitlines()) if self._calls.exists() else 0


@pytest.fixture
def maker(tmp_path: Path, cache: Path) -> Maker:
    maker = Maker(tmp_path / "java", cache)
    maker.java('cat "$list" > "$archive"\n')
    return maker


def test_an_archive_is_whole_and_private(maker: Maker, cache: Path) -> None:
    """Of a list whose end was cut, the whole lines are used."""
    maker.make("java/lang/Object\njava/lang/Str")
    (archive,) = cache.iterdir()
    assert archive.read_text() == "java/lang/Object\n"
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600


def test_an_archive_is_made_once(maker: Maker, cache: Path) -> None:
    maker.make()
    maker.make()
    assert maker.calls == 1
    assert len(archives(cache)) == 1


def test_of_two_endpoints_one_makes_the_archive(maker: Maker, cache: Path) -> None:
    """The other does not wait, and nobody sees an unfinished archive."""
    wait = 'for second in $(seq 60); do test -e "$HOME/../go" && break; sleep 1; done'
    maker.java(f'{wait}; cat "$list" > "$archive"\n')
    with maker.start() as first:
        assert first.stdin is not None
        first.stdin.write("java/lang/Object\n")
        first.stdin.close()
        waiting.until(lambda: maker.calls)
        maker.make()
        assert archives(cache) == []
        (cache.parent / "go").touch()
    assert maker.calls == 1
    assert len(archives(cache)) == 1


def test_a_java_that_cannot_make_an_archive_is_asked_once(maker: Maker) -> None:
    maker.java("exit 1\n")
    maker.make()
    maker.make()
    assert maker.calls == 1


def test_a_killed_java_is_asked_again(maker: Maker, cache: Path) -> None:
    maker.java("kill -KILL $$\n")
    maker.make()
    assert list(cache.iterdir()) == []
    maker.java('cat "$list" > "$archive"\n')
    maker.make()
    assert len(archives(cache)) == 1


def test_an_archive_that_was_cut_is_replaced(maker: Maker, cache: Path) -> None:
    """Java 17 crashes with one."""
    maker.make()
    (archive,) = archives(cache)
    archive.write_text("java")
    maker.make()
    assert [file.read_text() for file in archives(cache)] == ["java/lang/Object\n"]


def test_another_java_gets_an_archive_of_its_own(maker: Maker, cache: Path, tmp_path: Path) -> None:
    maker.make()
    (tmp_path / "java" / "release").write_text("JAVA_VERSION=18")
    maker.make()
    assert len(archives(cache)) == 2


def test_only_the_archives_used_last_are_kept(maker: Maker, cache: Path, tmp_path: Path) -> None:
    first = None
    for version in range(10):
        (tmp_path / "java" / "release").write_text("1" * (version + 1))
        maker.make()
        first = first or archives(cache)[0]
    assert first is not None
    assert len(archives(cache)) == 8
    assert not first.exists()

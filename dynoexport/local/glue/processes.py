"""The processes of jobs: one for each job, and perhaps one of each kind that waits for the next.

Most of a short job's time is the start of Spark, or of Python with boto3. A process that starts
before its job knows nothing of it: it has no credentials, serves one job, and ends with it. The
Java that runs Spark serves a job after the other (``used_java.py``).

When the endpoint ends, its jobs end. It kills the processes that it started. If it is killed
itself, each job process notices that its standard input was closed (``launch.py``), and the next
start removes the directories that are left.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dynoexport.errors import DynoexportError
from dynoexport.local.context import EndpointEnds
from dynoexport.local.glue import class_sharing, java
from dynoexport.local.glue.used_jvms import UsedJvms
from dynoexport.local.runtime import s3a, used_java

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RUNTIME = Path(__file__).parents[1] / "runtime"
# The kinds of jobs, by the names of their commands.
SPARK = "glueetl"
PYTHON_SHELL = "pythonshell"
# What a Spark job's process uses.
JAVA = "java"
_PREFIX = "dynoexport-job-"
# Locked while the process of its directory lives.
_LOCK = "lock"
# Spark's Python workers leave the group of their job; ``worker_daemon.py`` records their group.
_GROUP = "group-"
# A killed process ends at once, unless the machine is busy.
_PATIENCE = 10.0


class NoS3A(DynoexportError):
    """The directory does not have the jars of S3A."""


@dataclass(frozen=True)
class JobProcess:
    """A process that waits for its job or runs it, with a directory of its own."""

    kind: str
    process: subprocess.Popen[str]
    directory: Path
    lock: int
    environment: Mapping[str, str] = field(compare=False)
    jvm: JobProcess | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it runs, and its Java."""
        if self.process.poll() is not None or (self.directory / used_java.ENDED).exists():
            return False
        return self.jvm is None or self.jvm.is_alive

    def order(self, script: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Send it the job to run; its standard input stays open while the endpoint lives.

        Raises:
            BrokenPipeError: it has ended.
        """
        job = {"script": str(script), "arguments": arguments, "environment": environment}
        assert self.process.stdin is not None  # noqa: S101 - for mypy
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()

    def share_classes(self) -> None:
        """Let later jobs use the classes that its Java has listed, if there is no archive yet."""
        if self.jvm is not None:
            class_sharing.make(self.jvm.directory, self.jvm.environment)

    def stop(self) -> None:
        """End the job at once, with its Java, unless it has ended: another may use its Java."""
        _started.stop(self)

    def kill(self) -> list[int]:
        """End it and all that it started, without its Java; return the groups that were killed."""
        if self not in _started:
            # Another process may have this number now.
            return []
        # Its own group first: a process without a group of its own can then no longer get one.
        _signal(self.process.pid, signal.SIGKILL)
        others = [int(file.name.removeprefix(_GROUP)) for file in self.directory.glob(f"{_GROUP}*")]
        for group in others:
            _signal(group, signal.SIGKILL)
        return [self.process.pid, *others]

    def end(self) -> None:
        """End it, and remove its directory."""
        groups = self.kill()
        self.process.wait()
        deadline = time.monotonic() + _PATIENCE
        while any(map(group_runs, groups)) and time.monotonic() < deadline:
            time.sleep(0.01)
        shutil.rmtree(self.directory, ignore_errors=True)
        _started.forget(self)

    def close(self) -> None:
        """End it and its Java, and close their pipes."""
        self.release()
        if self.jvm is not None:
            self.jvm.close()

    def release(self) -> None:
        """End it and close its pipes, but not its Java."""
        self.end()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                # It may have ended before it read its job.
                with suppress(BrokenPipeError):
                    pipe.close()


def _signal(group: int, number: int) -> bool:
    """Send the signal to a process group; whether the group exists."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # macOS refuses if there are only zombies.
        return False
    return True


def group_runs(group: int) -> bool:
    """Whether a process of the group still runs.

    A process that has ended keeps its number until its parent asks for its status. For orphans
    this is the first process of the system, which may take seconds, or in a container never ask.
    """
    if not _signal(group, 0):
        return False
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: "pid (name) state ppid pgrp"
    processes = list(Path("/proc").glob("[0-9]*/stat"))
    return not processes or any(_is_running_in(group, file) for file in processes)


def _is_running_in(group: int, stat: Path) -> bool:
    with suppress(OSError):
        state, _, number = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
        return int(number) == group and state != "Z"
    return False


class Started:
    """The job processes of this process that are not closed."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._alive: set[JobProcess] = set()
        self._ended = False
        self._s3a_jars: Path | None = None

    def __contains__(self, process: JobProcess) -> bool:
        with self._lock:
            return process in self._alive

    def begin(self, s3a_jars: Path | None = None) -> None:
        """Allow processes to start, and remove what a killed endpoint left.

        Spark finds S3A in the directory ``s3a_jars``.

        Raises:
            NoS3A: the jars are missing.
        """
        if s3a_jars is not None and not list(s3a_jars.glob("hadoop-aws-*.jar")):
            raise NoS3A(
                f"{s3a_jars} has no hadoop-aws-*.jar",
                hint="put hadoop-aws there, with hadoop-client-api, hadoop-client-runtime and the "
                "AWS SDK's bundle",
            )
        self._ended, self._s3a_jars = False, s3a_jars
        sweep()

    def add(self, kind: str, jvm: JobProcess | None = None) -> JobProcess:
        """Start one, which uses a Java.

        Raises:
            EndpointEnds: the endpoint is ending.
        """
        with self._lock:
            if self._ended:
                raise EndpointEnds("the endpoint ends")
            process = _spawn(kind, self._s3a_jars, jvm)
            self._alive.add(process)
            return process

    def stop(self, job: JobProcess) -> None:
        # A job that has ended is forgotten before its Java serves another one.
        with self._lock:
            if job in self._alive:
                job.kill()
                if job.jvm is not None:
                    job.jvm.kill()

    def forget(self, process: JobProcess) -> None:
        with self._lock:
            if process in self._alive:
                self._alive.remove(process)
                os.close(process.lock)

    def end(self) -> None:
        """End all processes, including those that are starting."""
        with self._lock:
            self._ended = True
            alive = list(self._alive)
        for process in alive:
            process.kill()
        for process in alive:
            process.end()


# One endpoint at a time in a process.
_started = Started()
begin, end_all = _started.begin, _started.end


def sweep() -> None:
    """Remove the directories of processes whose endpoint was killed."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
            finally:
                os.close(descriptor)


def start(kind: str, jvm: JobProcess | None = None) -> JobProcess:
    """A new process for a job of that kind, without the user's environment.

    That of a Spark job uses ``jvm``, or else a new one.

    Raises:
        EndpointEnds: the endpoint is ending.
    """
    if kind == SPARK and jvm is None:
        jvm = start(JAVA)
    try:
        # In a thread of its own: Ctrl-C interrupts the main thread, perhaps after the start of the
        # process but before its entry in the list.
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(_started.add, kind, jvm).result()
    except BaseException:
        if jvm is not None:
            jvm.close()
        raise


def _own_directory() -> tuple[Path, int]:
    """A new directory and its lock, which is held."""
    while True:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        try:
            lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            # Without its lock no sweep would remove it.
            directory.rmdir()
            raise
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The sweep of another endpoint may have come before the lock.
        if os.fstat(lock).st_nlink:
            return directory, lock
        os.close(lock)


def _spawn(kind: str, s3a_jars: Path | None, jvm: JobProcess | None) -> JobProcess:
    directory, lock = _own_directory()
    try:
        env = _environment(kind, directory, s3a_jars)
        if jvm is not None:
            env[used_java.DIRECTORY] = str(jvm.directory)
        with _streams(kind, directory) as (output, errors):
            process = subprocess.Popen(
                [sys.executable, str(RUNTIME / "launch.py"), kind],
                env=env,
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
                text=True,
                errors="replace",
                # A group of its own: Java and Spark's Python workers go with it.
                start_new_session=True,
            )
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)
        raise
    return JobProcess(kind, process, directory, lock, env, jvm)


@contextmanager
def _streams(kind: str, directory: Path) -> Iterator[tuple[int | IO[bytes], int | IO[bytes]]]:
    """Where a process writes: pipes, or for Java files, which each job that it serves reads."""
    if kind != JAVA:
        yield subprocess.PIPE, subprocess.PIPE
        return
    output, errors = directory / used_java.OUTPUT, directory / used_java.ERRORS
    with output.open("ab") as written, errors.open("ab") as failed:
        yield written, failed


def _environment(kind: str, directory: Path, s3a_jars: Path | None) -> dict[str, str]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "DYNOEXPORT_JOB_DIRECTORY": str(directory),
        "PYTHONPATH": str(RUNTIME),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
    }
    if kind in {SPARK, JAVA}:
        env |= java.environment() | class_sharing.environment()
        if s3a_jars is not None:
            env[s3a.JARS] = str(s3a_jars.resolve())
    return env


class Reserve:
    """At most one process of each kind, waiting for its job, and one Java that waits for one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, JobProcess] = {}
        self._jvms: UsedJvms[JobProcess] = UsedJvms()

    def fill(self, kind: str) -> None:
        """Start a waiting process unless there is one: a job of that kind is about to come.

        One that cannot start, such as on a full disk, is no failure: the job will say so.
        """
        with self._lock, suppress(DynoexportError, OSError, RuntimeError):
            ready = self._pop(kind)
            # The job will get a Java that is about to be free.
            if ready is not None or kind != SPARK or not self._jvms.is_cleaning:
                self._waiting[kind] = ready or self._start(kind)

    def take(self, kind: str) -> JobProcess:
        """A process for one job: the waiting one, or a new one."""
        with self._lock:
            ready = self._pop(kind)
        return ready or self._start(kind)

    def give_back(self, job: JobProcess) -> None:
        """End a job's process; its Java, if it runs, serves a later job."""
        job.release()
        if job.jvm is not None:
            self._jvms.clean(job.jvm)

    def empty(self) -> None:
        """End the waiting processes."""
        with self._lock:
            for process in self._waiting.values():
                process.close()
            self._waiting.clear()
        self._jvms.empty()

    def _start(self, kind: str) -> JobProcess:
        return start(kind, self._jvms.take() if kind == SPARK else None)

    def _pop(self, kind: str) -> JobProcess | None:
        """The waiting process, if it still runs; it no longer waits here."""
        waiting = self._waiting.pop(kind, None)
        if waiting is not None and not waiting.is_alive:
            waiting.close()
            return None
        return waiting


# One endpoint at a time in a process.
reserve = Reserve()

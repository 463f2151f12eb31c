"""What the export job uses of Spark, without Spark: for Engine=python, a Python shell job.

Both engines run the same functions over the same partitions of values. Here they run one after the
other in this process or, on a job with several CPUs, in a process for each.
"""

from __future__ import annotations

import heapq
import multiprocessing
import os
import platform
import resource
from itertools import chain
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.failures import JobFailed, TaskFailed, describe_error
from dynoexport.jobs.log import counted, log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection

# As often as Spark tries a task (spark.task.maxFailures):
# https://spark.apache.org/docs/latest/configuration.html#scheduling
ATTEMPTS = 4


def attempt(rows: Callable[[], Iterable[Any]], attempts: int = ATTEMPTS) -> list[Any]:
    """The rows of a partition, computed again if that fails.

    Raises:
        Exception: it failed every time.
    """
    try:
        return list(rows())
    except JobFailed:
        raise
    except Exception as error:
        if attempts == 1:
            raise
        log(f"a task failed, and is tried again: {describe_error(error)}")
    return attempt(rows, attempts - 1)


class Partitions:
    """Values in partitions, with those methods of an RDD that the job uses."""

    def __init__(
        self, context: PythonContext, partitions: Sequence[Callable[[], Iterable[Any]]]
    ) -> None:
        self._context, self._partitions = context, partitions

    def mapPartitionsWithIndex(  # noqa: N802 - as in PySpark
        self, function: Callable[[int, Iterator[Any]], Iterable[Any]]
    ) -> Partitions:
        def bound(number: int, rows: Callable[[], Iterable[Any]]) -> Callable[[], Iterable[Any]]:
            return lambda: function(number, iter(rows()))

        mapped = [bound(number, rows) for number, rows in enumerate(self._partitions)]
        return Partitions(self._context, mapped)

    def mapPartitions(  # noqa: N802 - as in PySpark
        self, function: Callable[[Iterator[Any]], Iterable[Any]]
    ) -> Partitions:
        return self.mapPartitionsWithIndex(lambda _, rows: function(rows))

    def map(self, function: Callable[[Any], Any]) -> Partitions:
        return self.mapPartitions(lambda rows: map(function, rows))

    def filter(self, function: Callable[[Any], Any]) -> Partitions:
        return self.mapPartitions(lambda rows: filter(function, rows))

    def getNumPartitions(self) -> int:  # noqa: N802 - as in PySpark
        return len(self._partitions)

    def partitionBy(self, _parts: int) -> Partitions:  # noqa: N802 - as in PySpark
        """All values in one partition, which has those of every key together."""
        return Partitions(self._context, [self.collect])

    def collect(self) -> list[Any]:
        return list(chain.from_iterable(self._context.run(self._partitions)))

    def sum(self) -> Any:  # noqa: ANN401 - of the values' type
        return sum(self.collect())

    def take(self, number: int) -> list[Any]:
        return self.collect()[:number]

    def takeOrdered(  # noqa: N802 - as in PySpark
        self, number: int, key: Callable[[Any], Any]
    ) -> list[Any]:
        return heapq.nsmallest(number, self.collect(), key=key)


class PythonContext:
    """Runs partitions in this process, or in ``processes`` of its own if there are several CPUs."""

    def __init__(self, processes: int = 1) -> None:
        self.defaultParallelism = processes

    def getConf(self) -> dict[str, str]:  # noqa: N802 - as in PySpark
        return {"spark.driver.host": "127.0.0.1"}

    def parallelize(self, values: Iterable[Any], parts: int) -> Partitions:
        """The values in even partitions, in their order."""
        every = list(values)
        starts = [number * len(every) // parts for number in range(parts + 1)]
        chunks = [every[starts[number] : starts[number + 1]] for number in range(parts)]
        return Partitions(self, [chunk.copy for chunk in chunks])

    def run(self, partitions: Sequence[Callable[[], Iterable[Any]]]) -> list[list[Any]]:
        """The rows of each partition."""
        processes = min(self.defaultParallelism, len(partitions))
        if processes <= 1:
            return [attempt(rows) for rows in partitions]
        return run_in_processes(partitions, processes)


def run_in_processes(
    partitions: Sequence[Callable[[], Iterable[Any]]], processes: int
) -> list[list[Any]]:
    """The rows of each partition, in their order.

    Forked processes: what they run is not pickled, and a script has no module that they could
    import.

    Raises:
        TaskFailed: a partition failed every time.
        JobFailed: the job cannot go on, or a process ended before its time.
    """
    fork = multiprocessing.get_context("fork")
    receivers: list[Connection] = []
    started = []
    for first in range(processes):
        receiver, sender = fork.Pipe(duplex=False)
        own = partitions[first::processes]
        process = fork.Process(target=send_rows, args=(own, sender), daemon=True)
        process.start()
        sender.close()
        receivers.append(receiver)
        started.append(process)
    try:
        found: list[list[Any]] = [[] for _ in partitions]
        for first, receiver in enumerate(receivers):
            found[first::processes] = receive_rows(receiver)
    finally:
        for process in started:
            process.terminate()
            process.join()
    return found


def send_rows(partitions: Sequence[Callable[[], Iterable[Any]]], sender: Connection) -> None:
    """In the process: compute the partitions and send their rows, or the error."""
    try:
        sender.send((True, [attempt(rows) for rows in partitions]))
    except JobFailed as failed:
        sender.send((False, failed))
    except Exception as error:  # noqa: BLE001 - raised again by the job
        # Not the error itself: botocore's cannot be pickled.
        sender.send((False, TaskFailed(describe_error(error))))


def receive_rows(receiver: Connection) -> list[list[Any]]:
    """The rows of a process.

    Raises:
        TaskFailed, JobFailed: that of the process, or it ended without an answer.
    """
    try:
        has_rows, answer = receiver.recv()
    except EOFError:
        raise JobFailed(
            "a process of this job ended before its time, perhaps for lack of memory: "
            "deploy with Engine spark"
        ) from None
    if not has_rows:
        raise answer
    rows: list[list[Any]] = answer
    return rows


def available_processes() -> int:
    """How many CPUs the job has: one with 0.0625 DPU, four with 1 DPU."""
    return len(os.sched_getaffinity(0))


def describe_engine() -> str:
    """What the job runs on: AWS lists no versions of Python and pyarrow."""
    import boto3

    library = arrow()
    pyarrow = f", pyarrow {library.__version__}" if library is not None else ""
    python = platform.python_version()
    cpus = counted(available_processes(), "CPU")
    return f"Python {python}, boto3 {boto3.__version__}{pyarrow}, {cpus}"


def peak_memory_mb() -> int:
    """The most memory of this process, and of the largest of its own processes, in MiB."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) // 1024


class PythonSession:
    """In the place of a GlueContext, and of the SparkSession that it has."""

    def __init__(self) -> None:
        self.sparkContext = PythonContext(available_processes())
        self.spark_session = self

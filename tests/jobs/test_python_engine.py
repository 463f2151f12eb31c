"""What takes the place of Spark in a Python shell job."""

from __future__ import annotations

import os
import signal
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynoexport.jobs import python_engine
from dynoexport.jobs.failures import JobFailed, TaskFailed
from dynoexport.jobs.python_engine import ATTEMPTS, PythonContext, PythonSession

if TYPE_CHECKING:
    from collections.abc import Iterator

PROCESSES = [1, 3]


def parts_of(context: PythonContext, values: list[int], parts: int) -> list[list[int]]:
    partitions = context.parallelize(values, parts).mapPartitions(lambda rows: [list(rows)])
    return partitions.collect()


@settings(max_examples=30)
@given(values=st.lists(st.integers(), max_size=30), parts=st.integers(1, 12))
def test_partitions_are_even_and_keep_the_order(values: list[int], parts: int) -> None:
    """As Spark's: some may be empty, and their sizes differ by one at most."""
    found = parts_of(PythonContext(), values, parts)
    assert list(chain.from_iterable(found)) == values
    sizes = [len(part) for part in found]
    assert len(found) == parts
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("processes", PROCESSES)
def test_processes_return_what_one_process_returns(processes: int) -> None:
    context = PythonContext(processes)
    squares = context.parallelize(range(20), 7).map(lambda value: value * value)
    assert squares.collect() == [value * value for value in range(20)]
    assert squares.sum() == 2470
    assert squares.take(3) == [0, 1, 4]
    assert squares.filter(lambda value: value % 2).collect()[:2] == [1, 9]
    assert squares.takeOrdered(2, key=lambda value: -value) == [361, 324]
    assert squares.getNumPartitions() == 7
    numbered = context.parallelize("abc", 3).mapPartitionsWithIndex(
        lambda number, rows: [(number, *rows)]
    )
    assert numbered.collect() == [(0, "a"), (1, "b"), (2, "c")]


def test_all_values_of_a_key_are_in_one_partition() -> None:
    pairs = PythonContext(3).parallelize([("a", 1), ("b", 2), ("a", 3)], 3)

    def summed(rows: Iterator[tuple[str, int]]) -> list[tuple[str, int]]:
        totals: dict[str, int] = {}
        for name, number in rows:
            totals[name] = totals.get(name, 0) + number
        return sorted(totals.items())

    assert pairs.partitionBy(3).mapPartitions(summed).collect() == [("a", 4), ("b", 2)]


@pytest.mark.parametrize("processes", PROCESSES)
def test_processes_run_side_by_side_only_where_there_are_several(processes: int) -> None:
    pids = PythonContext(processes).parallelize(range(6), 6).map(lambda _: os.getpid()).collect()
    assert len(set(pids)) == processes
    assert (os.getpid() in pids) is (processes == 1)


def failing(left: list[int], error: Exception, rows: Iterator[Any]) -> list[Any]:
    """Fails as often as is left."""
    if left:
        left.pop()
        raise error
    return list(rows)


def test_a_task_is_tried_as_often_as_by_spark() -> None:
    values = PythonContext().parallelize([1], 1)
    often = [0] * (ATTEMPTS - 1)
    assert values.mapPartitions(partial(failing, often, OSError("reset"))).collect() == [1]
    often = [0] * ATTEMPTS
    with pytest.raises(OSError, match="reset"):
        values.mapPartitions(partial(failing, often, OSError("reset"))).collect()
    assert often == []


def test_what_the_job_cannot_mend_is_not_tried_again() -> None:
    left = [0, 0]
    with pytest.raises(JobFailed, match="start a new run"):
        PythonContext().parallelize([1], 1).mapPartitions(
            partial(failing, left, JobFailed("start a new run"))
        ).collect()
    assert left == [0]


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (JobFailed("a file is damaged: start a new run"), JobFailed, "a file is damaged"),
        (OSError("connection reset"), TaskFailed, "OSError: connection reset"),
        (ValueError("secret-4711"), TaskFailed, "ValueError in failing"),
    ],
)
def test_an_error_of_a_process_is_that_of_the_job(
    error: Exception, raised: type[Exception], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a value of an item, which its text may quote."""
    always = [0] * 100
    with pytest.raises(raised, match=said) as caught:
        PythonContext(2).parallelize([1, 2], 2).mapPartitions(
            partial(failing, always, error)
        ).collect()
    assert "4711" not in str(caught.value)
    assert "4711" not in "".join(capfd.readouterr())


def test_a_process_that_is_killed_fails_the_job() -> None:
    def die(_: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(JobFailed, match="ended before its time"):
        PythonContext(2).parallelize([1, 2], 2).map(die).collect()


def test_a_job_has_a_process_for_each_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_engine, "available_processes", lambda: 4)
    session = PythonSession()
    assert session.spark_session.sparkContext.defaultParallelism == 4
    assert session.sparkContext.getConf().get("spark.driver.host") == "127.0.0.1"

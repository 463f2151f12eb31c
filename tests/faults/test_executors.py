"""Lost workers and executors while a table is read: Spark tries again, and the run succeeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import schedules

if TYPE_CHECKING:
    from conftest import Harness

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

READERS = ("native", "connector")
# Of the upload of a file.
MOMENTS = ("before", "upload", "after")


def check(harness: Harness, kind: str, moment: str) -> None:
    outcome = harness.ask(f"lose {kind} {moment}")
    assert outcome["injected"] == {kind: 1}
    assert (outcome["run"], outcome["error"]) == ("SUCCEEDED", "")
    assert outcome["broken"] == []


@pytest.mark.parametrize("reader", READERS)
def test_a_run_that_loses_its_python_workers_reads_every_item(
    harness: Harness, reader: str
) -> None:
    """Late in a native scan: what lost tasks have finished is taken from S3, not missed."""
    check(harness, schedules.WORKER_KILLED, reader)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_loses_its_python_workers_writes_every_item_once(
    harness: Harness, moment: str
) -> None:
    """Nothing is seen twice, and no upload is left."""
    check(harness, schedules.WORKER_KILLED, moment)


@pytest.mark.deep
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", [schedules.WORKER_KILLED, schedules.EXECUTOR_KILLED])
def test_a_run_on_a_cluster_that_loses_a_process_reads_every_item(
    cluster: Harness, kind: str, reader: str
) -> None:
    check(cluster, kind, reader)


@pytest.mark.deep
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_on_a_cluster_that_loses_an_executor_writes_every_item_once(
    cluster: Harness, moment: str
) -> None:
    check(cluster, schedules.EXECUTOR_KILLED, moment)

"""Lost workers and executors, and refused uploads: a run has every item once, or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schedules

if TYPE_CHECKING:
    from conftest import Harness

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

READERS = ("native", "connector")
# Of the upload of a file.
MOMENTS = ("before", "upload", "after")
UPLOADING = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")


def one_of(cases: tuple[str, ...], usual: str) -> list[Any]:
    """The usual case; the others take long, and are for make test-deep."""
    return [case if case == usual else pytest.param(case, marks=pytest.mark.deep) for case in cases]


def check(harness: Harness, kind: str, moment: str) -> None:
    outcome = harness.ask(f"lose {kind} {moment}")
    assert outcome["injected"] == {kind: 1}
    assert (outcome["run"], outcome["error"]) == ("SUCCEEDED", "")
    assert outcome["broken"] == []


def check_refused(harness: Harness, kind: str, operation: str, run: str) -> None:
    """The harness looks for items that are seen twice, and for uploads that are left open."""
    outcome = harness.ask(f"refuse {kind} {operation}")
    assert outcome["injected"][kind] >= 3
    assert outcome["run"] == run, outcome["error"]
    assert outcome["broken"] == []


@pytest.mark.parametrize("operation", one_of(UPLOADING, "CompleteMultipartUpload"))
def test_a_run_whose_uploads_s3_slows_down_writes_every_item_once(
    harness: Harness, operation: str
) -> None:
    check_refused(harness, schedules.SLOW_DOWN, operation, "SUCCEEDED")


@pytest.mark.parametrize("operation", one_of(UPLOADING, "CompleteMultipartUpload"))
def test_a_run_whose_uploads_s3_refuses_fails_and_leaves_nothing(
    harness: Harness, operation: str
) -> None:
    check_refused(harness, schedules.OUTAGE, operation, "FAILED")


@pytest.mark.parametrize("reader", one_of(READERS, "native"))
def test_a_run_that_loses_its_python_workers_reads_every_item(
    harness: Harness, reader: str
) -> None:
    """Late in a native scan: what lost tasks have finished is taken from S3, not missed."""
    check(harness, schedules.WORKER_KILLED, reader)


@pytest.mark.parametrize("moment", one_of(MOMENTS, "upload"))
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


@pytest.mark.deep
@pytest.mark.parametrize("operation", UPLOADING)
@pytest.mark.parametrize(
    ("kind", "run"), [(schedules.SLOW_DOWN, "SUCCEEDED"), (schedules.OUTAGE, "FAILED")]
)
def test_a_run_on_a_cluster_whose_uploads_s3_refuses_keeps_every_promise(
    cluster: Harness, kind: str, run: str, operation: str
) -> None:
    check_refused(cluster, kind, operation, run)

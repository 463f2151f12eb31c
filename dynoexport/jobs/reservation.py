"""The minute that names the snapshot of a run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.log import counted, log
from dynoexport.jobs.manifest import read_manifest
from dynoexport.jobs.manifest_text import is_manifest_of
from dynoexport.jobs.names import SNAPSHOT_TIMESTAMP, TIMESTAMP_FORMAT
from dynoexport.jobs.s3 import clear, delete_objects, exists, list_files, read_object
from dynoexport.jobs.snapshot_paths import snapshot_paths
from dynoexport.jobs.snapshots import list_marks
from dynoexport.jobs.timestamps import is_timestamp, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.clients import Clients
    from dynoexport.jobs.settings import Settings
    from dynoexport.jobs.snapshot_paths import SnapshotPaths


def next_free_timestamp(now: datetime, newest: str | None, is_taken: Callable[[str], bool]) -> str:
    """The first free minute that is not before now and is after the newest snapshot.

    Runs that follow each other within a minute are ahead of the clock. Deleting a snapshot frees
    its minute, but the view would never go back to it.
    """
    before = None if newest is None else parse_timestamp(newest)
    minute = now if before is None else max(now, before + timedelta(minutes=1))
    while is_taken(minute.strftime(TIMESTAMP_FORMAT)):
        minute += timedelta(minutes=1)
    return minute.strftime(TIMESTAMP_FORMAT)


def reserve_timestamp(s3: S3Client, paths: SnapshotPaths, run_id: str) -> bool:
    """Claim the snapshot's minute for this run; False if another run has claimed it.

    S3 accepts only one of several conditional writes:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    def only_if_new(params: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - botocore's event
        # The boto3 of Glue up to 5.0 does not have this parameter.
        params["headers"]["If-None-Match"] = "*"

    event = "before-call.s3.PutObject"
    s3.meta.events.register(event, only_if_new)
    try:
        s3.put_object(Bucket=paths.bucket, Key=paths.claim, Body=run_id.encode())
    except ClientError as error:
        if error.response["Error"]["Code"] not in {
            "PreconditionFailed",
            "ConditionalRequestConflict",
        }:
            raise
    else:
        return True
    finally:
        s3.meta.events.unregister(event, only_if_new)
    # The claim is missing if somebody deleted it just now.
    return read_object(s3, paths.bucket, paths.claim) == run_id.encode()


def newest_snapshot(s3: S3Client, settings: Settings) -> str | None:
    """The newest snapshot that has a manifest; None without one."""
    marks = list_marks(s3, settings.bucket, settings.table, settings.format)
    return max(marks.complete, default=None)


def choose_timestamp(
    settings: Settings, properties: Mapping[str, str], clients: Clients, now: datetime
) -> str:
    """The snapshot's minute, recorded in the run: an earlier attempt's, else the next free one.

    A resumed workflow run is a new run
    (https://docs.aws.amazon.com/glue/latest/dg/resuming-workflow.html). If another run wrote the
    manifest of the recorded minute, it chooses a new minute. The claim stays, so that no other run
    takes a minute that a retry or a resumed run may need. It also shows that dynoexport wrote the
    snapshot, complete or not.

    Raises:
        JobFailed: somebody edited the run's property, and it is not a minute.
    """

    def is_used(paths: SnapshotPaths) -> bool:
        prefixes = (paths.snapshot, paths.manifest)
        return any(exists(clients.s3, paths.bucket, prefix) for prefix in prefixes)

    def is_taken(timestamp: str) -> bool:
        paths = snapshot_paths(settings, timestamp)
        if is_used(paths) or not reserve_timestamp(clients.s3, paths, settings.workflow_run_id):
            return True
        # The run that had the claim before may have completed the snapshot since.
        return is_used(paths)

    held = properties.get(SNAPSHOT_TIMESTAMP)
    if held:
        if not is_timestamp(held):
            raise JobFailed(
                f"the run property {SNAPSHOT_TIMESTAMP} is {held!r}, but must be a UTC minute such "
                "as 2026-01-31T10:00: start a new run"
            )
        paths = snapshot_paths(settings, held)
        manifest = read_manifest(clients.s3, paths)
        if manifest is None or manifest["workflow_run_id"] == settings.workflow_run_id:
            check_own(clients.s3, settings, held, manifest)
        if manifest is None:
            # The claim is deleted together with the files of a failed run.
            reserve_timestamp(clients.s3, paths, settings.workflow_run_id)
        if manifest is None or manifest["workflow_run_id"] == settings.workflow_run_id:
            return held
    timestamp = next_free_timestamp(now, newest_snapshot(clients.s3, settings), is_taken)
    clients.glue.put_workflow_run_properties(
        Name=settings.workflow_name,
        RunId=settings.workflow_run_id,
        RunProperties={SNAPSHOT_TIMESTAMP: timestamp},
    )
    return timestamp


def check_own(
    s3: S3Client, settings: Settings, timestamp: str, manifest: Mapping[str, Any] | None
) -> None:
    """Check that dynoexport wrote the snapshot's objects and its manifest, if there are any.

    Somebody may have set the run's property. A retry would delete the objects.

    Raises:
        JobFailed: there are some, no run has claimed the minute, and the manifest is not its own.
    """
    paths = snapshot_paths(settings, timestamp)
    if read_object(s3, paths.bucket, paths.claim) is not None:
        return
    if manifest is not None and not is_manifest_of(
        manifest, settings.table, settings.format, timestamp
    ):
        raise JobFailed(
            f"{paths.uri(paths.manifest)} is the manifest of another snapshot: put it back where "
            "it belongs, and start a new run"
        )
    if manifest is None and exists(s3, paths.bucket, paths.snapshot):
        raise JobFailed(
            f"the run property {SNAPSHOT_TIMESTAMP} names a folder that dynoexport did not write, "
            f"{paths.uri(paths.snapshot)}: start a new run"
        )


def find_completed(s3: S3Client, paths: SnapshotPaths) -> dict[str, Any] | None:
    """The manifest, if an earlier attempt completed the snapshot; else delete what it left.

    If the files do not match the manifest, this attempt writes the snapshot again.
    """
    manifest = read_manifest(s3, paths)
    if manifest is not None:
        present = list_files(s3, paths.bucket, paths.snapshot)
        # Older export jobs recorded no ETag.
        recorded = {
            file["key"]: (file["bytes"], file.get("etag") or present.get(file["key"], (0, ""))[1])
            for file in manifest["files"]
        }
        if recorded == present:
            return manifest
        delete_objects(s3, paths.bucket, [paths.manifest])
    cleared = clear(s3, paths.bucket, paths.snapshot)
    if cleared:
        log(f"deleted {counted(cleared, 'object')} of a failed attempt")
    return None

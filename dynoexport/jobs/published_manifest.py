"""The manifest and the files of the snapshot to publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.manifest_text import file_differences, is_manifest_of, parse_json_object
from dynoexport.jobs.names import manifest_key
from dynoexport.jobs.s3 import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.publish_settings import PublishSettings


def is_list_of(value: object, kinds: Mapping[str, type]) -> bool:
    """Whether it is a list of objects with members of these kinds."""
    return isinstance(value, list) and all(
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), kind) for key, kind in kinds.items())
        for entry in value
    )


COLUMN = {"name": str, "type": str, "attribute": str, "view": str, "shown": bool}


def is_publishable(content: Mapping[str, Any]) -> bool:
    """Whether it has the keys of a manifest that this job reads."""
    return (
        isinstance(content.get("workflow_run_id"), str)
        and isinstance(content.get("items"), int)
        and is_list_of(content.get("files"), {"key": str, "bytes": int})
        and is_list_of(content.get("schema"), COLUMN)
    )


def read_own_manifest(s3: S3Client, settings: PublishSettings) -> dict[str, Any]:
    """The manifest of the run's snapshot.

    Raises:
        JobFailed: it does not exist, is not its manifest, or another run has written it.
    """
    key = manifest_key(settings.table, settings.format, settings.timestamp)
    text = read_object(s3, settings.bucket, key)
    if text is None:
        raise JobFailed(
            f"the snapshot {settings.timestamp} is not complete, s3://{settings.bucket}/{key} is "
            "missing: start a new run"
        )
    manifest = parse_json_object(text)
    if manifest is None or not is_publishable(manifest):
        raise JobFailed(
            f"s3://{settings.bucket}/{key} is not a valid manifest: delete it, and start a new run"
        )
    if not is_manifest_of(manifest, settings.table, settings.format, settings.timestamp):
        raise JobFailed(
            f"s3://{settings.bucket}/{key} is the manifest of another snapshot: delete it, or put "
            "it back where it belongs, and start a new run"
        )
    if manifest["workflow_run_id"] != settings.workflow_run_id:
        raise JobFailed(
            f"the snapshot {settings.timestamp} belongs to run {manifest['workflow_run_id']}, not "
            f"to this run {settings.workflow_run_id}: start a new run of the workflow"
        )
    return manifest


def check_files(manifest: Mapping[str, Any], present: Mapping[str, tuple[int, str]]) -> None:
    """Compare the objects under the snapshot's prefix (bytes and ETag by key) with the manifest.

    Raises:
        JobFailed: a file is missing, has another size or content or should not be there.
    """
    for difference in file_differences(manifest["files"], present):
        raise JobFailed(
            f"the files of the snapshot do not match its manifest, {difference}: start a new run"
        )

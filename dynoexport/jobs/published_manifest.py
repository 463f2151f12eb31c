"""The manifest of the snapshot that is to be published, and its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.names import manifest_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.publish_settings import PublishSettings


def is_list_of(found: object, kinds: Mapping[str, type]) -> bool:
    """Whether it is a list of objects with members of these kinds."""
    return isinstance(found, list) and all(
        isinstance(each, dict)
        and all(isinstance(each.get(key), kind) for key, kind in kinds.items())
        for each in found
    )


COLUMN = {"name": str, "type": str, "attribute": str, "view": str, "shown": bool}


def is_publishable(found: object) -> bool:
    """Whether it has what is needed of a manifest here."""
    return (
        isinstance(found, dict)
        and isinstance(found.get("workflow_run_id"), str)
        and isinstance(found.get("items"), int)
        and is_list_of(found.get("files"), {"key": str, "bytes": int})
        and is_list_of(found.get("schema"), COLUMN)
    )


def read_own_manifest(s3: S3Client, settings: PublishSettings) -> dict[str, Any]:
    """The manifest of the run's snapshot.

    Raises:
        JobFailed: there is none, it is none, or another run has written it.
    """
    key = manifest_key(settings.table, settings.format, settings.timestamp)
    try:
        answer = s3.get_object(Bucket=settings.bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        message = f"the snapshot {settings.timestamp} is not complete: s3://{settings.bucket}/{key}"
        raise JobFailed(f"{message} is missing") from None
    try:
        manifest = json.loads(answer["Body"].read().decode())
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or not is_publishable(manifest):
        raise JobFailed(
            f"s3://{settings.bucket}/{key} is no manifest: delete it, and start a new run"
        )
    if manifest["workflow_run_id"] != settings.workflow_run_id:
        raise JobFailed(
            f"the snapshot {settings.timestamp} belongs to run {manifest['workflow_run_id']}, not "
            f"to this run {settings.workflow_run_id}: start a new run of the workflow"
        )
    return manifest


def check_files(manifest: Mapping[str, Any], found: Mapping[str, tuple[int, str]]) -> None:
    """Compare the objects under the snapshot's prefix (bytes and ETag by key) with the manifest.

    Raises:
        JobFailed: a file is missing, has another size or content or should not be there.
    """
    files = {file["key"]: file for file in manifest["files"]}
    for key, file in files.items():
        size, etag = found.get(key, (None, None))
        if size != file["bytes"]:
            state = "is missing" if size is None else f"has {size} bytes"
            raise JobFailed(f"the file {key} {state}, but its manifest says {file['bytes']} bytes")
        # An export job of before has not noted it.
        if etag != file.get("etag", etag):
            raise JobFailed(f"the file {key} is not what the export job has written")
    for key in found:
        # Athena reads whatever is there, but no hidden files:
        # https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
        if key not in files and not key.rsplit("/", 1)[-1].startswith((".", "_")):
            raise JobFailed(f"the file {key} is not in the manifest of its snapshot")

"""Which snapshots exist, which are complete, and which dynoexport wrote.

Jobs and commands decide by ``is_own`` what they may delete or change. Other folders may have the
same names: those of the Step Functions design, or one that somebody renamed. The manifests, and the
claims beside them, show which snapshots dynoexport wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.manifest_text import is_adopted, is_manifest_of, parse_json_object
from dynoexport.jobs.names import (
    PARTITION_KEY,
    claim_key,
    data_prefix,
    manifest_key,
    manifest_prefix,
    snapshot_prefix,
)
from dynoexport.jobs.s3 import list_directories, list_objects, read_object
from dynoexport.jobs.timestamps import is_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Marks:
    """The timestamps of an export's snapshots that have a manifest, and of those that have a claim.

    Only the text of a manifest shows whether dynoexport wrote it.
    """

    bucket: str
    table: str
    format: str
    complete: frozenset[str]
    claimed: frozenset[str]


def list_marks(s3: S3Client, bucket: str, table: str, fmt: str) -> Marks:
    """The marks of one export's snapshots."""
    return find_marks(list_objects(s3, bucket, manifest_prefix(table, fmt)), bucket, table, fmt)


def find_marks(keys: Iterable[str], bucket: str, table: str, fmt: str) -> Marks:
    """The marks among the keys."""
    prefix = manifest_prefix(table, fmt)
    below = [key for key in keys if key.startswith(prefix)]

    def stems(suffix: str) -> frozenset[str]:
        names = (key[len(prefix) : -len(suffix)] for key in below if key.endswith(suffix))
        return frozenset(filter(is_timestamp, names))

    return Marks(bucket, table, fmt, complete=stems(".json"), claimed=stems(".claim"))


def list_snapshots(s3: S3Client, marks: Marks) -> set[str]:
    """Every snapshot that has a manifest or a folder, complete or not, ours or not.

    A claim alone is not a snapshot: its run has written nothing yet, or left nothing else.
    """
    return list_folders(s3, marks) | marks.complete


def list_folders(s3: S3Client, marks: Marks) -> set[str]:
    """Every snapshot that has a folder, which one without items has not."""
    prefix = f"{data_prefix(marks.table, marks.format)}{PARTITION_KEY}="
    folders = (folder[len(prefix) : -1] for folder in list_directories(s3, marks.bucket, prefix))
    return set(filter(is_timestamp, folders))


def is_own(table: str, fmt: str, timestamp: str, *, claimed: bool, manifest: bytes | None) -> bool:
    """Whether dynoexport wrote the snapshot: a run has claimed it, or it has our manifest.

    A damaged manifest is ours if its table, format and timestamp match.
    """
    content = parse_json_object(manifest)
    return claimed or (content is not None and is_manifest_of(content, table, fmt, timestamp))


def is_own_snapshot(s3: S3Client, marks: Marks, timestamp: str) -> bool:
    """``is_own`` for a snapshot in S3; reads its manifest only if necessary."""
    table, fmt, claimed = marks.table, marks.format, timestamp in marks.claimed
    unread = claimed or timestamp not in marks.complete
    key = manifest_key(table, fmt, timestamp)
    manifest = None if unread else read_object(s3, marks.bucket, key)
    return is_own(table, fmt, timestamp, claimed=claimed, manifest=manifest)


def is_own_partition(s3: S3Client, partition: Mapping[str, Any], marks: Marks) -> bool:
    """Whether the partition holds a complete snapshot of this export that dynoexport wrote."""
    timestamp = partition["Values"][0]
    prefix = snapshot_prefix(marks.table, marks.format, timestamp)
    if timestamp not in marks.complete or not lies_at(partition, f"s3://{marks.bucket}/{prefix}"):
        return False
    return is_own_snapshot(s3, marks, timestamp)


def partition_location(partition: Mapping[str, Any]) -> str:
    """Where its files are; empty if it does not say so."""
    return str(partition.get("StorageDescriptor", {}).get("Location", ""))


def lies_at(partition: Mapping[str, Any], folder: str) -> bool:
    """Whether it has the files of the folder; else somebody has made it for other files."""
    return partition_location(partition).rstrip("/") == folder.rstrip("/")


def is_adopted_snapshot(s3: S3Client, marks: Marks, timestamp: str) -> bool:
    """Whether another design wrote the files of the complete snapshot. No run has claimed it."""
    if timestamp in marks.claimed:
        return False
    key = manifest_key(marks.table, marks.format, timestamp)
    return is_adopted(parse_json_object(read_object(s3, marks.bucket, key)) or {})


def deletion_marks(
    table: str, fmt: str, timestamp: str, *, claimed: bool
) -> tuple[list[str], list[str]]:
    """The marks to delete before a snapshot's files, and those to delete after them.

    The manifest goes first: from then on the snapshot is incomplete, whatever happens next. The
    claim goes last: while it exists, the snapshot is known as ours and can be deleted again. Older
    snapshots have no claim. They are known by their manifest, which goes last.
    """
    manifest, claim = manifest_key(table, fmt, timestamp), claim_key(table, fmt, timestamp)
    return ([manifest], [claim]) if claimed else ([], [manifest])

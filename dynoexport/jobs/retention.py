"""Delete snapshots that have expired."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dynoexport.jobs.log import log
from dynoexport.jobs.names import (
    PARTITION_KEY,
    claim_key,
    data_prefix,
    manifest_key,
    manifest_prefix,
    snapshot_prefix,
    snapshots_table,
)
from dynoexport.jobs.s3 import delete, list_directories, list_files
from dynoexport.jobs.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from datetime import datetime

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.publish_clients import PublishClients
    from dynoexport.jobs.publish_settings import PublishSettings


def expired_snapshots(
    timestamps: Iterable[str], keep: Iterable[str], now: datetime, days: int
) -> list[str]:
    """The snapshots older than so many days, oldest first, without those to keep.

    Whatever is no timestamp of this project is left alone.
    """
    before = now - timedelta(days=days)
    moments = {timestamp: parse_timestamp(timestamp) for timestamp in set(timestamps) - set(keep)}
    return sorted(each for each, moment in moments.items() if moment and moment < before)


def known_snapshots(s3: S3Client, settings: PublishSettings, marks: Iterable[str]) -> set[str]:
    """The timestamps of all snapshots: by manifest or claim, which are the marks, or directory."""
    manifests = manifest_prefix(settings.table, settings.format)
    data = f"{data_prefix(settings.table, settings.format)}{PARTITION_KEY}="
    directories = list_directories(s3, settings.bucket, data)
    marked = (key[len(manifests) :] for key in marks if key.endswith((".json", ".claim")))
    return {name.rpartition(".")[0] for name in marked} | {
        directory[len(data) : -1] for directory in directories
    }


def is_own_snapshot(
    s3: S3Client, settings: PublishSettings, timestamp: str, marks: Container[str]
) -> bool:
    """Whether dynoexport has written the snapshot: a run has claimed it, or it has our manifest.

    Other folders have the same names: those of the Step Functions design, or one that somebody
    has renamed. ``marks`` are the keys of all manifests and claims.
    """
    table, fmt = settings.table, settings.format
    if claim_key(table, fmt, timestamp) in marks:
        return True
    key = manifest_key(table, fmt, timestamp)
    if key not in marks:
        return False
    try:
        found = json.loads(s3.get_object(Bucket=settings.bucket, Key=key)["Body"].read().decode())
    except (ValueError, RecursionError):
        return False
    identity = {"table": table, "format": fmt, "snapshot_timestamp": timestamp}
    return isinstance(found, dict) and all(found.get(name) == identity[name] for name in identity)


def drop_partition(glue: GlueClient, settings: PublishSettings, timestamp: str) -> None:
    name = snapshots_table(settings.table, settings.catalog_prefix)
    try:
        glue.delete_partition(
            DatabaseName=settings.database, TableName=name, PartitionValues=[timestamp]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise


def drop_snapshot(clients: PublishClients, settings: PublishSettings, timestamp: str) -> None:
    """Delete manifest, partition, files and claim.

    The manifest first: from then on the snapshot is incomplete, whatever happens next. The claim
    last: as long as it is there, the next run finds the snapshot and goes on.
    """
    table, fmt = settings.table, settings.format
    delete(clients.s3, settings.bucket, [manifest_key(table, fmt, timestamp)])
    drop_partition(clients.glue, settings, timestamp)
    prefix = snapshot_prefix(table, fmt, timestamp)
    keys = list(list_files(clients.s3, settings.bucket, prefix))
    # EMRFS, s3:// of Glue up to 5.0, marks a directory by an object beside it.
    delete(clients.s3, settings.bucket, [*keys, prefix.rstrip("/") + "_$folder$"])
    delete(clients.s3, settings.bucket, [claim_key(table, fmt, timestamp)])
    log(f"deleted the expired snapshot {timestamp}: {len(keys):,} objects")


def apply_retention(
    clients: PublishClients, settings: PublishSettings, shown: str | None, now: datetime
) -> None:
    """Delete what has expired: whole snapshots and what failed runs have left."""
    if not settings.retention_days:
        log("no snapshot expires")
        return
    keep = {settings.timestamp, shown or settings.timestamp}
    prefix = manifest_prefix(settings.table, settings.format)
    marks = list_files(clients.s3, settings.bucket, prefix)
    known = known_snapshots(clients.s3, settings, marks)
    for timestamp in expired_snapshots(known, keep, now, settings.retention_days):
        if is_own_snapshot(clients.s3, settings, timestamp, marks):
            drop_snapshot(clients, settings, timestamp)
        else:
            log(f"kept the snapshot {timestamp}: dynoexport has not written it")
    log(f"every snapshot older than {settings.retention_days} days is gone, but for the one shown")

"""Delete snapshots that have expired."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dynoexport.jobs.log import counted, log
from dynoexport.jobs.names import PARTITION_KEY, snapshot_prefix, snapshots_table
from dynoexport.jobs.s3 import clear, delete_objects
from dynoexport.jobs.snapshots import (
    deletion_marks,
    is_own_snapshot,
    lies_at,
    list_marks,
    list_snapshots,
    partition_location,
)
from dynoexport.jobs.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mypy_boto3_glue import GlueClient

    from dynoexport.jobs.publish_clients import PublishClients
    from dynoexport.jobs.publish_settings import PublishSettings


def expired_snapshots(
    timestamps: Iterable[str], keep: Iterable[str], now: datetime, days: int
) -> list[str]:
    """The snapshots older than ``days``, oldest first, without those to keep.

    A name that is not a timestamp of this project is left out.
    """
    before = now - timedelta(days=days)
    moments = {timestamp: parse_timestamp(timestamp) for timestamp in set(timestamps) - set(keep)}
    return sorted(timestamp for timestamp, moment in moments.items() if moment and moment < before)


def drop_partition(glue: GlueClient, settings: PublishSettings, timestamp: str) -> None:
    """Delete the snapshot's partition, unless somebody has made it for other files."""
    name = snapshots_table(settings.table, settings.catalog_prefix)
    prefix = snapshot_prefix(settings.table, settings.format, timestamp)
    values = [timestamp]
    try:
        partition = glue.get_partition(
            DatabaseName=settings.database, TableName=name, PartitionValues=values
        )["Partition"]
        if not lies_at(partition, f"s3://{settings.bucket}/{prefix}"):
            log(
                f"kept the partition {PARTITION_KEY}={timestamp} of {name}: it lies at "
                f"{partition_location(partition)!r}"
            )
            return
        glue.delete_partition(
            DatabaseName=settings.database, TableName=name, PartitionValues=values
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise


def drop_snapshot(
    clients: PublishClients, settings: PublishSettings, timestamp: str, *, claimed: bool
) -> None:
    """Delete partition, files and marks; the next run continues a deletion that fails."""
    table, fmt = settings.table, settings.format
    first, last = deletion_marks(table, fmt, timestamp, claimed=claimed)
    delete_objects(clients.s3, settings.bucket, first)
    drop_partition(clients.glue, settings, timestamp)
    prefix = snapshot_prefix(table, fmt, timestamp)
    count = clear(clients.s3, settings.bucket, prefix)
    delete_objects(clients.s3, settings.bucket, last)
    log(f"deleted the expired snapshot {timestamp}: {counted(count, 'object')}")


def apply_retention(
    clients: PublishClients, settings: PublishSettings, shown: str | None, now: datetime
) -> None:
    """Delete what has expired: snapshots, and the files of failed runs."""
    if not settings.retention_days:
        log("no snapshot expires")
        return
    keep = {settings.timestamp, shown or settings.timestamp}
    marks = list_marks(clients.s3, settings.bucket, settings.table, settings.format)
    every = list_snapshots(clients.s3, marks) | marks.claimed
    for timestamp in expired_snapshots(every, keep, now, settings.retention_days):
        if is_own_snapshot(clients.s3, marks, timestamp):
            drop_snapshot(clients, settings, timestamp, claimed=timestamp in marks.claimed)
        else:
            log(f"kept the snapshot {timestamp}: dynoexport did not write it")
    log(
        f"no expired snapshot is left: SnapshotRetentionDays is {settings.retention_days}, and the "
        "snapshot that the view shows never expires"
    )

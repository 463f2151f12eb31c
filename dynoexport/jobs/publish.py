"""Publish a run's snapshot in Athena, then delete expired ones. Runs as a Glue Python shell job.

A run takes these steps:

1. Snapshot: take the snapshot of this run from the run's property SnapshotTimestamp.
2. Checks: this run wrote the manifest, and the files match it. If no crawler has made the catalog
   table or added the snapshot as a partition, do so, and add earlier snapshots that lack one.
3. Catalog: write the manifest's columns into the table and this export's partitions, whatever
   columns a crawler found. Leave other partitions unchanged. If the view cannot be replaced,
   restore the former columns.
4. View: CREATE OR REPLACE VIEW <database>.<table>, with all attributes of exactly this snapshot,
   unless the view already shows a newer one. Record it in CloudWatch (dynoexport/<table>,
   Snapshots).
5. Retention: delete manifest, partition and files of snapshots older than SnapshotRetentionDays,
   in this order. Never delete the snapshot that the view shows.

Python shell runs Python 3.9 with an old boto3 (1.21): plain calls only.
"""

from __future__ import annotations

import sys
import time
import traceback
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from dynoexport.jobs.arguments import apply_overrides, parse_arguments, run_properties
from dynoexport.jobs.catalog import get_table
from dynoexport.jobs.catalog_entries import complete_catalog
from dynoexport.jobs.catalog_update import plan_catalog, restore_catalog, write_catalog
from dynoexport.jobs.failures import JobFailed, describe_error, frames_without_values
from dynoexport.jobs.log import items_text, log
from dynoexport.jobs.metrics import METRIC_CONFIG, count_snapshot
from dynoexport.jobs.names import snapshot_prefix, snapshots_table, view
from dynoexport.jobs.publish_clients import PublishClients
from dynoexport.jobs.publish_settings import (
    VIEW_JOB_ARGUMENTS,
    VIEW_OVERRIDABLE,
    parse_publish_settings,
    run_timestamp,
)
from dynoexport.jobs.published_manifest import check_files, read_own_manifest
from dynoexport.jobs.retention import apply_retention
from dynoexport.jobs.s3 import list_files
from dynoexport.jobs.s3_client import s3_client
from dynoexport.jobs.view import (
    check_view,
    run_query,
    shown_columns,
    shown_timestamp,
    view_sql,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynoexport.jobs.publish_settings import PublishSettings


def publish(
    clients: PublishClients, settings: PublishSettings, sleep: Callable[[float], None]
) -> str | None:
    """Point the view at this run's snapshot; return the timestamp it shows, None without a view.

    Raises:
        JobFailed: the snapshot is not complete, its table or its view is not this export's, or the
            query failed.
    """
    name = snapshots_table(settings.table, settings.catalog_prefix)
    view_name = view(settings.table, settings.catalog_prefix)
    manifest = read_own_manifest(clients.s3, settings)
    prefix = snapshot_prefix(settings.table, settings.format, settings.timestamp)
    check_files(manifest, list_files(clients.s3, settings.bucket, prefix))
    table = complete_catalog(clients, settings, manifest)
    if table is None:
        log("the table has been empty in every run so far: there is nothing to publish yet")
        return None
    former_view = get_table(clients.glue, settings.database, view_name)
    check_view(former_view, view_name, settings)
    shown = shown_timestamp(former_view)
    if shown is not None and shown > settings.timestamp:
        # The columns stay, too: the view selects those that the newer snapshot added.
        log(f"{settings.database}.{view_name} already shows the newer snapshot {shown}: unchanged")
        return shown
    former, wanted = plan_catalog(clients, settings, table, manifest)
    columns = shown_columns(manifest["schema"])
    sql = view_sql(settings.database, view_name, name, columns, settings.timestamp)
    try:
        write_catalog(clients.glue, settings, name, wanted)
        run_query(clients.athena, sql, settings, sleep)
    except BaseException:
        restore_catalog(clients, settings, former)
        raise
    log(
        f"{settings.database}.{view_name} shows {settings.timestamp} with "
        f"{items_text(manifest['items'])} (before: {shown or 'nothing'})"
    )
    return settings.timestamp


def run(
    argv: Sequence[str],
    clients: PublishClients,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> None:
    """Publish the run's snapshot, then apply the retention.

    Raises:
        JobFailed: what is wrong and what to do, in one line.
    """
    arguments = parse_arguments(argv, VIEW_JOB_ARGUMENTS)
    properties = run_properties(clients.glue, arguments)
    values = apply_overrides(arguments, properties, VIEW_OVERRIDABLE)
    settings = parse_publish_settings(values, run_timestamp(properties))
    log(f"publishing snapshot {settings.timestamp} of {settings.table} as {settings.format}")
    shown = publish(clients, settings, sleep)
    count_snapshot(clients.cloudwatch, settings.table, settings.format)
    apply_retention(clients, settings, shown, now())


def main(argv: Sequence[str]) -> None:
    import boto3

    clients = PublishClients(
        athena=boto3.client("athena"),
        glue=boto3.client("glue"),
        s3=s3_client(),
        cloudwatch=boto3.client("cloudwatch", config=METRIC_CONFIG),
    )
    try:
        run(argv, clients, now=lambda: datetime.now(timezone.utc), sleep=time.sleep)
    except (JobFailed, ClientError, BotoCoreError) as error:
        log(f"failed: {error}")
        # The message says it all; a traceback would push it out of sight.
        sys.tracebacklimit = 0
        # Not the error itself: Glue calls type(error)(error), which fails for most errors.
        raise JobFailed(error) from None
    except Exception as error:  # noqa: BLE001 - the last door
        # Not the text of the error, which may quote what an item has.
        places = "".join(traceback.format_tb(error.__traceback__))
        print(frames_without_values(places), file=sys.stderr, flush=True)
        log(f"failed: unexpected {describe_error(error)}")
        raise JobFailed(f"unexpected {describe_error(error)}") from None


if __name__ == "__main__":
    main(sys.argv[1:])

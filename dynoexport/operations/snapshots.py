"""``snapshots``, ``publish`` and ``prune``: list, publish and delete snapshots."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dynoexport import naming
from dynoexport.aws import athena, exports, workflow_runs
from dynoexport.errors import DynoexportError
from dynoexport.jobs.s3 import list_files
from dynoexport.jobs.snapshots import lies_at, partition_location
from dynoexport.jobs.timestamps import parse_timestamp
from dynoexport.jobs.view import shown_columns, view_sql
from dynoexport.model import ExportResult, described
from dynoexport.storage import manifests, snapshot_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from dynoexport.aws.account import Account
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.model import OutputFormat
    from dynoexport.storage.manifests import Manifest
    from dynoexport.storage.snapshot_store import Snapshot


class SnapshotRefused(DynoexportError):
    """A snapshot that cannot be published: it does not exist, or it is damaged."""


@dataclass(frozen=True)
class Published(ExportResult):
    """What the view shows now, and what it showed before."""

    view: str = field(metadata=described("Athena view, as database.view"))
    snapshot: str = field(metadata=described("snapshot that the view shows now"))
    before: str | None = field(metadata=described("snapshot that the view showed before, or null"))
    items: int = field(metadata=described("number of items in the snapshot"))


@dataclass(frozen=True)
class Pruned(ExportResult):
    """The deleted snapshots, and the number of their objects."""

    snapshots: tuple[Snapshot, ...] = field(
        metadata=described("list of the deleted snapshots, as `snapshots` prints them")
    )
    objects: int = field(metadata=described("number of deleted S3 objects, without manifests"))


def being_written(account: Account, export: DeployedExport) -> set[str]:
    """The snapshots of runs that are active."""
    runs = workflow_runs.active(account.glue, export.workflow)
    return {run.snapshot for run in runs if run.snapshot}


def snapshots(
    account: Account, table: str, *, fmt: OutputFormat | None = None, limit: int | None = None
) -> list[Snapshot]:
    """The table's snapshots, newest first, at most ``limit`` of them, with their figures.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
    """
    export = exports.find_one(account, table, fmt)
    listed = snapshot_store.list_all(account, export, writing=being_written(account, export))
    return snapshot_store.with_figures(account, export, listed[:limit])


# --- publish --------------------------------------------------------------------------------------
def publish(
    account: Account, table: str, snapshot: str, *, fmt: OutputFormat | None = None
) -> Published:
    """Point the view at a complete snapshot, older or newer than the current one.

    The next run publishes its own snapshot again.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        SnapshotRefused: the snapshot does not exist, is damaged, or Athena cannot read it.
        QueryFailed: Athena did not make the view.
    """
    export = exports.find_one(account, table, fmt)
    if not export.format.queryable:
        raise SnapshotRefused(
            f"Athena cannot read {export.format.value}, so there is no view",
            hint="export the table in another format",
        )
    manifest = whole(account, export, snapshot)
    if snapshot_store.own_table(account, export) is None:
        raise SnapshotRefused(
            f"there is no catalog table {naming.DATABASE}.{export.snapshots_table} of this export",
            hint=f"a run creates it: dynoexport run {table}",
        )
    if not snapshot_store.may_replace_view(account, export):
        raise SnapshotRefused(
            f"{naming.DATABASE}.{export.view} exists and is not the view of "
            f"{export.snapshots_table}",
            hint=f"rename it, or: dynoexport deploy {table} --set CatalogPrefix=...",
        )
    if manifest.items:
        _check_partition(account, export, snapshot)
    before = snapshot_store.current_timestamp(account, export)
    if before != snapshot:
        newest = _newest(account, export)
        columns = shown_columns(map(asdict, (*newest.columns, *manifest.columns)))
        sql = view_sql(naming.DATABASE, export.view, export.snapshots_table, columns, snapshot)
        athena.run(
            account.athena,
            sql,
            work_group=naming.WORK_GROUP,
            database=naming.DATABASE,
            seconds=account.pause,
        )
    view = f"{naming.DATABASE}.{export.view}"
    return Published(table, export.format, view, snapshot, before, manifest.items)


def _newest(account: Account, export: DeployedExport) -> Manifest:
    """The manifest of the newest complete snapshot; there is one."""
    table, fmt = export.table, export.format.value
    timestamp = snapshot_store.complete_timestamps(account, table, fmt)[-1]
    manifest = manifests.read(account.s3, account.bucket, table, fmt, timestamp)
    if manifest is None:
        raise SnapshotRefused(f"the snapshot {timestamp} was deleted just now", hint="try again")
    return manifest


def whole(account: Account, export: DeployedExport, snapshot: str) -> Manifest:
    """The manifest of an undamaged snapshot.

    Raises:
        SnapshotRefused: it has no manifest, or a file is missing, changed or surplus.
    """
    if parse_timestamp(snapshot) is None:
        raise SnapshotRefused(
            f"{snapshot!r} is not a snapshot", hint="write a UTC minute, such as 2026-01-31T10:00"
        )
    table, fmt = export.table, export.format.value
    manifest = manifests.read(account.s3, account.bucket, table, fmt, snapshot)
    if manifest is None:
        raise SnapshotRefused(
            f"{table} has no complete snapshot {snapshot}",
            hint=f"see them with: dynoexport snapshots {table}",
        )
    prefix = naming.snapshot_prefix(table, fmt, snapshot)
    present = list_files(account.s3, account.bucket, prefix)
    faults = manifests.differences(manifest, present)
    if faults:
        raise SnapshotRefused(f"the snapshot {snapshot} is damaged", hint=faults[0])
    return manifest


def _check_partition(account: Account, export: DeployedExport, snapshot: str) -> None:
    try:
        answer = account.glue.get_partition(
            DatabaseName=naming.DATABASE,
            TableName=export.snapshots_table,
            PartitionValues=[snapshot],
        )
    except account.glue.exceptions.EntityNotFoundException:
        raise SnapshotRefused(
            f"the catalog has no partition for the snapshot {snapshot}",
            hint=f"a run adds it: dynoexport run {export.table}",
        ) from None
    prefix = naming.snapshot_prefix(export.table, export.format.value, snapshot)
    if not lies_at(answer["Partition"], f"s3://{account.bucket}/{prefix}"):
        raise SnapshotRefused(
            f"the catalog's partition for the snapshot {snapshot} lies at "
            f"{partition_location(answer['Partition'])!r}",
            hint=f"delete the partition of {naming.DATABASE}.{export.snapshots_table}; a run adds "
            f"the right one: dynoexport run {export.table}",
        )


# --- prune ----------------------------------------------------------------------------------------
def prune(
    account: Account,
    table: str,
    *,
    fmt: OutputFormat | None = None,
    keep: int | None = None,
    older_than: timedelta | None = None,
    approve: Callable[[Sequence[Snapshot]], bool] = lambda _: True,
    on_deleted: Callable[[str, int], None] = lambda _, __: None,
) -> Pruned:
    """Delete old snapshots, and what failed runs left; never the current one.

    Either the ``keep`` newest undamaged snapshots stay, or those that are not ``older_than``.
    Objects that dynoexport did not write always stay. ``approve`` gets what would be deleted.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        ValueError: neither or both of ``keep`` and ``older_than`` were given.
        DeleteFailed: an object cannot be deleted.
    """
    if (keep is None) == (older_than is None):
        raise ValueError("give either keep or older_than")
    export = exports.find_one(account, table, fmt)
    writing, now = being_written(account, export), datetime.now(timezone.utc)
    listed = snapshot_store.list_all(account, export, writing=writing)
    known = writing.union(snapshot.timestamp for snapshot in listed)
    listed += snapshot_store.list_lone_claims(account, export, known, now)
    # The manifest shows whether a snapshot is ours, its files whether it is undamaged.
    listed = snapshot_store.with_figures(account, export, listed)
    goes = snapshot_store.to_prune(listed, now, keep=keep, older_than=older_than)
    if not goes or not approve(goes):
        return Pruned(table, export.format, (), 0)
    objects = snapshot_store.delete(account, export, goes, on_deleted=on_deleted)
    return Pruned(table, export.format, tuple(goes), objects)

"""Snapshots in S3 and the catalog: list, examine, choose and delete them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dynoexport import naming
from dynoexport.aws.account import chunks, side_by_side
from dynoexport.errors import DynoexportError
from dynoexport.jobs.catalog import get_table, is_own_table
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.s3 import clear, delete_objects, list_files, read_object
from dynoexport.jobs.snapshots import (
    deletion_marks,
    is_own,
    lies_at,
    list_marks,
    list_snapshots,
)
from dynoexport.jobs.timestamps import parse_timestamp
from dynoexport.jobs.view import is_own_view, shown_timestamp
from dynoexport.model import derived, described
from dynoexport.storage import manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_glue.type_defs import PartitionTypeDef, TableTypeDef

    from dynoexport.aws.account import Account
    from dynoexport.aws.exports import DeployedExport

# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchDeletePartition.html
_PARTITIONS_PER_CALL = 25
# A run records its minute right after it has claimed it.
_CLAIM_IS_RECENT = timedelta(hours=1)


class DeleteFailed(DynoexportError):
    """An object that could not be deleted."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot. Without our manifest it is incomplete, and its items are unknown.

    Attributes:
        claimed: whether a run of ours has claimed its minute.
        own: whether dynoexport wrote it; None until ``examine`` has read its manifest.
    """

    timestamp: str = field(
        metadata=described("UTC minute that names the snapshot", name="snapshot")
    )
    complete: bool = field(metadata=described("whether it has a manifest"))
    current: bool = field(default=False, metadata=described("whether the view shows it"))
    writing: bool = field(default=False, metadata=described("whether a run is writing it"))
    claimed: bool = False
    own: bool | None = None
    items: int | None = field(
        default=None, metadata=described("number of items, or null if it is incomplete")
    )
    bytes: int | None = field(
        default=None, metadata=described("size of its files in bytes, or null")
    )
    files: int | None = field(default=None, metadata=described("number of files, or null"))
    workflow_run_id: str | None = field(
        default=None,
        metadata=described("ID of the workflow run that wrote it, or null", name="run_id"),
    )
    adopted: bool = field(
        default=False,
        metadata=described("whether another design wrote it, and `adopt` its manifest"),
    )
    faults: tuple[str, ...] = field(
        default=(),
        metadata=described(
            "list of differences between its files and its manifest, each a sentence"
        ),
    )
    losses: tuple[str, ...] = field(
        default=(),
        metadata=described(
            "list of attributes whose values the connector may have changed, each with the kinds"
        ),
    )

    @property
    @derived(
        "whether dynoexport did not write it; then dynoexport never deletes it", after="writing"
    )
    def foreign(self) -> bool:
        """Whether dynoexport did not write it.

        The Step Functions design has the same folders, and somebody may rename one.
        """
        has_mark = self.complete or self.claimed
        return not (self.writing or (has_mark if self.own is None else self.own))

    @property
    def taken(self) -> datetime | None:
        """The UTC minute that names it."""
        return parse_timestamp(self.timestamp)


# --- list -----------------------------------------------------------------------------------------
def complete_timestamps(account: Account, table: str, fmt: str) -> list[str]:
    """The complete snapshots, by their manifests, oldest first."""
    return sorted(list_marks(account.s3, account.bucket, table, fmt).complete)


def catalog_table(account: Account, name: str) -> TableTypeDef | None:
    """The table or view of the exports' database, None if there is none."""
    return get_table(account.glue, naming.DATABASE, name)


def own_table(account: Account, export: DeployedExport) -> TableTypeDef | None:
    """The catalog table of the export's snapshots; None if there is none, or it is another's."""
    table = catalog_table(account, export.snapshots_table)
    own = f"s3://{account.bucket}/{naming.data_prefix(export.table, export.format.value)}"
    return table if table is not None and is_own_table(table, own) else None


def partitions_by_timestamp(
    account: Account, export: DeployedExport
) -> dict[str, PartitionTypeDef]:
    """The table's partitions in the folders of the snapshots that they are named after."""
    pages = account.glue.get_paginator("get_partitions").paginate(
        DatabaseName=naming.DATABASE, TableName=export.snapshots_table
    )
    found = {
        partition["Values"][0]: partition for page in pages for partition in page["Partitions"]
    }
    data = f"s3://{account.bucket}/{naming.data_prefix(export.table, export.format.value)}"
    return {
        timestamp: partition
        for timestamp, partition in found.items()
        if lies_at(partition, f"{data}{naming.PARTITION_KEY}={timestamp}/")
    }


def may_replace_view(account: Account, export: DeployedExport) -> bool:
    """Whether nobody else has made a view or a table of that name."""
    entry = catalog_table(account, export.view)
    return entry is None or is_own_view(entry, export.snapshots_table)


def current_timestamp(account: Account, export: DeployedExport) -> str | None:
    """The snapshot that the view shows, None if there is no view."""
    if not export.format.queryable:
        return None
    return shown_timestamp(catalog_table(account, export.view))


def list_all(
    account: Account, export: DeployedExport, *, writing: Iterable[str] = ()
) -> list[Snapshot]:
    """Every snapshot without its figures, newest first; ``writing`` are those of active runs.

    A snapshot with an object in its manifest's place is complete; ``with_figures`` reads it.
    """
    table, fmt = export.table, export.format.value
    marks = list_marks(account.s3, account.bucket, table, fmt)
    every = list_snapshots(account.s3, marks)
    current, active = current_timestamp(account, export), set(writing)
    return [
        Snapshot(
            timestamp=timestamp,
            complete=timestamp in marks.complete,
            current=timestamp == current,
            writing=timestamp in active,
            claimed=timestamp in marks.claimed,
        )
        for timestamp in sorted(every, reverse=True)
    ]


def list_lone_claims(
    account: Account, export: DeployedExport, listed: Iterable[str], now: datetime
) -> list[Snapshot]:
    """The claims of snapshots that are not ``listed``, which have nothing else.

    Runs leave them that failed at once, and deletions that were interrupted. A recent claim may be
    of a run that has not recorded its minute yet, so it is left out.
    """
    marks = list_marks(account.s3, account.bucket, export.table, export.format.value)
    claims = [
        Snapshot(timestamp, complete=False, claimed=True)
        for timestamp in sorted(marks.claimed.difference(listed))
    ]
    return [claim for claim in claims if claim.taken and now - claim.taken > _CLAIM_IS_RECENT]


def with_figures(
    account: Account, export: DeployedExport, snapshots: Sequence[Snapshot]
) -> list[Snapshot]:
    """The snapshots with figures of their manifests and files: a read and a listing for each."""
    return side_by_side(lambda snapshot: examine(account, export, snapshot), snapshots)


def examine(account: Account, export: DeployedExport, snapshot: Snapshot) -> Snapshot:
    """The snapshot by its manifest and a listing of its files.

    A snapshot whose manifest is not ours is incomplete; its figures come from its files.
    """
    table, fmt, timestamp = export.table, export.format.value, snapshot.timestamp
    faults: list[str] = []
    manifest = body = None
    if snapshot.complete:
        key = naming.manifest_key(table, fmt, timestamp)
        body = read_object(account.s3, account.bucket, key)
    if body is not None:
        try:
            manifest = manifests.parse_own(body, account.bucket, table, fmt, timestamp)
        except manifests.ManifestBroken as error:
            faults.append(error.what)
    own = is_own(table, fmt, timestamp, claimed=snapshot.claimed, manifest=body)
    snapshot = replace(snapshot, own=own)
    prefix = naming.snapshot_prefix(table, fmt, timestamp)
    files = list_files(account.s3, account.bucket, prefix)
    if manifest is None:
        if not files and snapshot.current:
            faults.append(f"there are no files under {prefix}")
        size = sum(size for size, _ in files.values())
        return replace(snapshot, complete=False, bytes=size, files=len(files), faults=tuple(faults))
    return replace(
        snapshot,
        items=manifest.items,
        bytes=manifest.bytes,
        files=len(manifest.files),
        workflow_run_id=manifest.workflow_run_id or None,
        adopted=manifest.adopted,
        faults=tuple(manifests.differences(manifest, files)),
        losses=manifest.reading.loss_notes(),
    )


# --- choose what to delete ------------------------------------------------------------------------
def to_prune(
    snapshots: Sequence[Snapshot],
    now: datetime,
    *,
    keep: int | None = None,
    older_than: timedelta | None = None,
) -> list[Snapshot]:
    """The snapshots to delete, oldest first.

    The ``keep`` newest undamaged snapshots stay, or those that are not ``older_than``. Incomplete
    snapshots do not add to ``keep``. A damaged one stays as long as an older one stays. The current
    snapshot, one that a run is writing and one that dynoexport did not write always stay.
    """
    deletable = [
        snapshot
        for snapshot in snapshots
        if not (snapshot.current or snapshot.writing or snapshot.foreign)
    ]
    complete = [snapshot for snapshot in snapshots if snapshot.complete]
    whole = sorted(snapshot.timestamp for snapshot in complete if not snapshot.faults)
    # The oldest one to keep; "~" sorts after every timestamp.
    since = "" if keep is None or len(whole) < keep else [*whole, "~"][len(whole) - keep]
    kept = {snapshot.timestamp for snapshot in complete if snapshot.timestamp >= since}

    def goes(snapshot: Snapshot) -> bool:
        if older_than is not None:
            # Compares ages, because a date so long ago may be out of range.
            return snapshot.taken is not None and now - snapshot.taken > older_than
        return snapshot.timestamp not in kept

    return sorted(filter(goes, deletable), key=lambda snapshot: snapshot.timestamp)


# --- delete ---------------------------------------------------------------------------------------
def delete(
    account: Account,
    export: DeployedExport,
    snapshots: Sequence[Snapshot],
    *,
    on_deleted: Callable[[str, int], None] = lambda _, __: None,
) -> int:
    """Delete the snapshots, and return the number of their objects.

    If the deletion is interrupted, another one continues it. ``on_deleted`` is called with each
    snapshot and the number of its objects.

    Raises:
        DeleteFailed: an object cannot be deleted.
    """
    table, fmt = export.table, export.format.value
    marks = [
        deletion_marks(table, fmt, snapshot.timestamp, claimed=snapshot.claimed)
        for snapshot in snapshots
    ]
    delete_keys(account, [key for first, _ in marks for key in first])
    _drop_partitions(account, export, [snapshot.timestamp for snapshot in snapshots])
    total = 0
    for snapshot, (_, last) in zip(snapshots, marks, strict=True):
        prefix = naming.snapshot_prefix(table, fmt, snapshot.timestamp)
        with _as_delete_failed():
            count = clear(account.s3, account.bucket, prefix)
        delete_keys(account, last)
        total += count
        on_deleted(snapshot.timestamp, count)
    return total


def delete_keys(account: Account, names: Sequence[str]) -> None:
    """Delete the objects; a missing object is not an error.

    Raises:
        DeleteFailed: one of them cannot be deleted.
    """
    with _as_delete_failed():
        delete_objects(account.s3, account.bucket, names)


@contextmanager
def _as_delete_failed() -> Iterator[None]:
    """Turn a failure of the jobs' own functions into one of the command."""
    try:
        yield
    except JobFailed as error:
        raise DeleteFailed(
            str(error), hint="allow it in your policy and the bucket's, then repeat the command"
        ) from None


def _drop_partitions(account: Account, export: DeployedExport, timestamps: Sequence[str]) -> None:
    """Delete the snapshots' partitions, without those that somebody has made for other files."""
    if own_table(account, export) is None:
        return
    table = export.snapshots_table
    found = partitions_by_timestamp(account, export)
    own = [timestamp for timestamp in timestamps if timestamp in found]
    for group in chunks(own, _PARTITIONS_PER_CALL):
        partitions: list[Any] = [{"Values": [timestamp]} for timestamp in group]
        answer = account.glue.batch_delete_partition(
            DatabaseName=naming.DATABASE, TableName=table, PartitionsToDelete=partitions
        )
        for error in answer.get("Errors", ()):
            detail = error.get("ErrorDetail", {})
            # A snapshot without items never had one.
            if detail.get("ErrorCode") != "EntityNotFoundException":
                values = ", ".join(error.get("PartitionValues", ()))
                raise DeleteFailed(
                    f"cannot delete the partition {values} of {table}: "
                    f"{detail.get('ErrorMessage', 'Glue gave no reason')}",
                    hint="repeat the command; what is deleted stays deleted",
                )

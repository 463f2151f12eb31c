"""Snapshots in S3 and the catalog: what there is, what may go, and how it goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynoexport import manifests, naming
from dynoexport.aws import chunks, side_by_side
from dynoexport.errors import DynoexportError
from dynoexport.jobs.timestamps import parse_timestamp
from dynoexport.jobs.view import shown_timestamp
from dynoexport.manifests import File

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime, timedelta

    from mypy_boto3_glue.type_defs import TableTypeDef
    from mypy_boto3_s3 import S3Client

    from dynoexport.aws import Account
    from dynoexport.exports import DeployedExport

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
_OBJECTS_PER_CALL = 1000
# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchDeletePartition.html
_PARTITIONS_PER_CALL = 25


class DeleteFailed(DynoexportError):
    """An object that could not be deleted."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot. Without a manifest of ours it is incomplete, and its items are unknown.

    Attributes:
        current: whether the view shows it.
        writing: whether a run writes it now.
        claimed: whether a run of ours has claimed its minute.
        faults: how its files differ from its manifest.
    """

    timestamp: str
    complete: bool
    current: bool = False
    writing: bool = False
    claimed: bool = False
    items: int | None = None
    bytes: int | None = None
    files: int | None = None
    workflow_run_id: str | None = None
    faults: tuple[str, ...] = ()

    @property
    def foreign(self) -> bool:
        """Whether dynoexport has not written it: neither our manifest nor a claim is there.

        The Step Functions design has the same folders, and somebody may rename one.
        """
        return not (self.complete or self.claimed or self.writing)

    @property
    def taken(self) -> datetime | None:
        """The UTC minute that names it."""
        return parse_timestamp(self.timestamp)


# --- what there is --------------------------------------------------------------------------------
def files(s3: S3Client, bucket: str, prefix: str) -> dict[str, File]:
    """All objects under the prefix by key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {
        found["Key"]: File(found["Key"], found["Size"], found["ETag"].strip('"'))
        for page in pages
        for found in page.get("Contents", ())
    }


def keys(s3: S3Client, bucket: str, prefix: str) -> dict[str, int]:
    """All objects under the prefix, their bytes by key."""
    return {key: file.bytes for key, file in files(s3, bucket, prefix).items()}


def complete_timestamps(account: Account, table: str, fmt: str) -> list[str]:
    """The complete snapshots, by their manifests, oldest first."""
    return sorted(_marked_timestamps(account, table, fmt, ".json")[0])


def _marked_timestamps(account: Account, table: str, fmt: str, *suffixes: str) -> list[set[str]]:
    """The minutes that have an object with each suffix beside the manifests."""
    prefix = naming.manifest_prefix(table, fmt)
    names = [key[len(prefix) :] for key in keys(account.s3, account.bucket, prefix)]
    return [
        {
            stem
            for stem in (name.removesuffix(suffix) for name in names if name.endswith(suffix))
            if parse_timestamp(stem)
        }
        for suffix in suffixes
    ]


def _written_timestamps(account: Account, table: str, fmt: str) -> set[str]:
    """Snapshots of which there are files, complete or not."""
    prefix = f"{naming.data_prefix(table, fmt)}{naming.PARTITION_KEY}="
    pages = account.s3.get_paginator("list_objects_v2").paginate(
        Bucket=account.bucket, Prefix=prefix, Delimiter="/"
    )
    found = (each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ()))
    stems = (directory[len(prefix) : -1] for directory in found)
    return {stem for stem in stems if parse_timestamp(stem)}


def catalog_table(account: Account, name: str) -> TableTypeDef | None:
    """The table or view of the exports' database, None if there is none."""
    try:
        return account.glue.get_table(DatabaseName=naming.DATABASE, Name=name)["Table"]
    except account.glue.exceptions.EntityNotFoundException:
        return None


def current_timestamp(account: Account, export: DeployedExport) -> str | None:
    """The snapshot that the view shows, None if there is no view."""
    if not export.format.queryable:
        return None
    return shown_timestamp(catalog_table(account, export.view))


def list_all(
    account: Account, export: DeployedExport, *, writing: Iterable[str] = ()
) -> list[Snapshot]:
    """Every snapshot without its figures, newest first; ``writing`` are those of active runs.

    Complete is what has an object in its manifest's place; ``with_figures`` reads it.
    """
    table, fmt = export.table, export.format.value
    complete, claimed = _marked_timestamps(account, table, fmt, ".json", ".claim")
    current, active = current_timestamp(account, export), set(writing)
    every = complete | _written_timestamps(account, table, fmt)
    return [
        Snapshot(
            timestamp=each,
            complete=each in complete,
            current=each == current,
            writing=each in active,
            claimed=each in claimed,
        )
        for each in sorted(every, reverse=True)
    ]


def with_figures(
    account: Account, export: DeployedExport, snapshots: Sequence[Snapshot]
) -> list[Snapshot]:
    """The snapshots with what their manifests and files say: a read and a listing for each."""
    return side_by_side(lambda snapshot: examine(account, export, snapshot), snapshots)


def examine(account: Account, export: DeployedExport, snapshot: Snapshot) -> Snapshot:
    """The snapshot by its manifest and a listing of its files.

    One whose manifest is not ours is not complete; its figures are those of its files.
    """
    table, fmt, timestamp = export.table, export.format.value, snapshot.timestamp
    faults: list[str] = []
    manifest = None
    if snapshot.complete:
        try:
            manifest = manifests.read(account.s3, account.bucket, table, fmt, timestamp)
        except manifests.ManifestBroken as error:
            faults.append(error.what)
    prefix = naming.snapshot_prefix(table, fmt, timestamp)
    found = files(account.s3, account.bucket, prefix)
    if manifest is None:
        if not found and snapshot.current:
            faults.append(f"there are no files under {prefix}")
        size = sum(file.bytes for file in found.values())
        return replace(snapshot, complete=False, bytes=size, files=len(found), faults=tuple(faults))
    return replace(
        snapshot,
        items=manifest.items,
        bytes=manifest.bytes,
        files=len(manifest.files),
        workflow_run_id=manifest.workflow_run_id,
        faults=tuple(manifests.differences(manifest, found)),
    )


# --- what may go ----------------------------------------------------------------------------------
def to_prune(
    snapshots: Sequence[Snapshot],
    now: datetime,
    *,
    keep: int | None = None,
    older_than: timedelta | None = None,
) -> list[Snapshot]:
    """The snapshots that may go, oldest first.

    ``keep`` newest whole ones stay, or those that are not ``older_than``; of incomplete ones none
    is kept for its number. A damaged one stays as long as one behind it does. The current one, one
    that is being written and one that dynoexport has not written always stay.
    """
    deletable = [each for each in snapshots if not (each.current or each.writing or each.foreign)]
    complete = [each for each in snapshots if each.complete]
    whole = sorted(each.timestamp for each in complete if not each.faults)
    # From the oldest one to keep on; "~" is behind every timestamp.
    since = "" if keep is None or len(whole) < keep else [*whole, "~"][len(whole) - keep]
    kept = {each.timestamp for each in complete if each.timestamp >= since}

    def goes(snapshot: Snapshot) -> bool:
        if older_than is not None:
            # An age has no limits, as a date that long ago would have.
            return snapshot.taken is not None and now - snapshot.taken > older_than
        return snapshot.timestamp not in kept

    return sorted(filter(goes, deletable), key=lambda each: each.timestamp)


# --- how it goes ----------------------------------------------------------------------------------
def delete(
    account: Account,
    export: DeployedExport,
    timestamps: Sequence[str],
    *,
    on_deleted: Callable[[str, int], None] = lambda _, __: None,
) -> int:
    """Delete the snapshots; how many objects that were.

    Manifests first: from then on they are incomplete, whatever happens next. A claim last: as long
    as it is there, the snapshot is known as ours and can be deleted again. ``on_deleted`` is called
    with each snapshot and how many objects it had.

    Raises:
        DeleteFailed: an object cannot be deleted.
    """
    table, fmt = export.table, export.format.value
    delete_keys(account, [naming.manifest_key(table, fmt, each) for each in timestamps])
    _drop_partitions(account, export.snapshots_table, timestamps)
    total = 0
    for timestamp in timestamps:
        prefix = naming.snapshot_prefix(table, fmt, timestamp)
        found = list(keys(account.s3, account.bucket, prefix))
        # EMRFS, s3:// of Glue up to 5.0, marks a directory by an object beside it.
        delete_keys(account, [*found, prefix.rstrip("/") + "_$folder$"])
        delete_keys(account, [naming.claim_key(table, fmt, timestamp)])
        total += len(found)
        on_deleted(timestamp, len(found))
    return total


def delete_keys(account: Account, names: Sequence[str]) -> None:
    """Delete the objects; those that do not exist are no error.

    Raises:
        DeleteFailed: one of them cannot be deleted.
    """
    for some in chunks(list(names), _OBJECTS_PER_CALL):
        answer = account.s3.delete_objects(
            Bucket=account.bucket,
            Delete={"Objects": [{"Key": key} for key in some], "Quiet": True},
        )
        for error in answer.get("Errors", ()):
            raise DeleteFailed(
                f"cannot delete s3://{account.bucket}/{error.get('Key')}",
                hint=error.get("Message", ""),
            )


def _drop_partitions(account: Account, table: str, timestamps: Sequence[str]) -> None:
    if catalog_table(account, table) is None:
        return
    for some in chunks(list(timestamps), _PARTITIONS_PER_CALL):
        partitions: list[Any] = [{"Values": [timestamp]} for timestamp in some]
        answer = account.glue.batch_delete_partition(
            DatabaseName=naming.DATABASE, TableName=table, PartitionsToDelete=partitions
        )
        for error in answer.get("Errors", ()):
            detail = error.get("ErrorDetail", {})
            # A snapshot without items never had one.
            if detail.get("ErrorCode") != "EntityNotFoundException":
                raise DeleteFailed(
                    f"cannot delete the partition {error.get('PartitionValues')} of {table}",
                    hint=detail.get("ErrorMessage", ""),
                )

"""``verify``: compare a snapshot's files with its manifest and with DynamoDB's own count."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dynoexport import naming
from dynoexport.aws import exports
from dynoexport.aws.account import side_by_side
from dynoexport.jobs.s3 import list_files
from dynoexport.model import ExportResult, derived, described
from dynoexport.operations.snapshots import SnapshotRefused
from dynoexport.storage import manifests, part_files, snapshot_store
from dynoexport.units import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport.aws.account import Account
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.model import OutputFormat
    from dynoexport.storage.manifests import Manifest

# Each file is on the disk while it is read.
_FILES_AT_ONCE = 4


@dataclass(frozen=True)
class Verification(ExportResult):
    """The result of reading a snapshot again.

    DynamoDB counts ``table_items`` about every six hours.
    """

    snapshot: str = field(metadata=described("snapshot that was read"))
    current: bool = field(metadata=described("whether the view shows it"))
    faults: tuple[str, ...] = field(metadata=described("list of what is wrong, each a sentence"))
    files: int = field(metadata=described("number of files in the manifest"))
    bytes: int = field(metadata=described("size of these files in bytes"))
    items: int = field(metadata=described("number of items in the manifest"))
    rows: int = field(metadata=described("number of items read from the files"))
    table_items: int | None = field(
        metadata=described(
            "DynamoDB's own number of items, some hours old, or null if the table is gone"
        )
    )
    losses: tuple[str, ...] = field(
        default=(),
        metadata=described(
            "list of attributes whose values the connector may have changed, each with the kinds"
        ),
    )

    @property
    @derived("whether nothing is wrong", after="current")
    def whole(self) -> bool:
        return not self.faults


def verify(
    account: Account,
    table: str,
    *,
    fmt: OutputFormat | None = None,
    snapshot: str | None = None,
    on_file: Callable[[int, int], None] = lambda _, __: None,
) -> Verification:
    """Read every file of a snapshot again and compare it with its manifest.

    ``snapshot`` None is the current one, or the newest complete one where there is no view.
    ``on_file`` gets the number of files read so far and their total.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        SnapshotRefused: there is no such complete snapshot.
        ModuleNotFoundError: the format's reader is not installed: the extra ``files``.
    """
    export = exports.find_one(account, table, fmt)
    current = snapshot_store.current_timestamp(account, export)
    manifest = _manifest(account, export, snapshot or current)
    prefix = naming.snapshot_prefix(table, export.format.value, manifest.timestamp)
    present_objects = list_files(account.s3, account.bucket, prefix)
    faults = manifests.differences(manifest, present_objects)
    # An empty file holds no items: the design of 2019 wrote one for each partition without rows.
    present = [file.key for file in manifest.files if file.key in present_objects and file.bytes]
    done = [0]

    def read(key: str) -> int | str:
        counted = _read(account, export.format, key, adopted=manifest.adopted)
        done[0] += 1
        on_file(done[0], len(present))
        return counted

    counted = side_by_side(read, present, parallel=_FILES_AT_ONCE)
    rows = sum(number for number in counted if isinstance(number, int))
    faults += [fault for fault in counted if isinstance(fault, str)]
    if rows != manifest.items:
        faults.append(
            f"the files hold {count(rows, 'item')}, the manifest has {count(manifest.items)}"
        )
    # No crawler knows the xml of another design, and no query needs its partition.
    needs_partition = bool(manifest.items) and (export.format.queryable or not manifest.adopted)
    if needs_partition and not _in_catalog(account, export, manifest.timestamp):
        faults.append(f"the catalog has no partition {naming.PARTITION_KEY}={manifest.timestamp}")
    return Verification(
        table=table,
        format=export.format,
        snapshot=manifest.timestamp,
        current=manifest.timestamp == current,
        files=len(manifest.files),
        bytes=manifest.bytes,
        items=manifest.items,
        rows=rows,
        table_items=_table_items(account, table),
        faults=tuple(faults),
        losses=manifest.reading.loss_notes(),
    )


def _manifest(account: Account, export: DeployedExport, snapshot: str | None) -> Manifest:
    table, fmt = export.table, export.format.value
    if snapshot is None:
        complete = snapshot_store.complete_timestamps(account, table, fmt)
        if not complete:
            raise SnapshotRefused(
                f"{table} has no complete snapshot", hint=f"create one: dynoexport run {table}"
            )
        snapshot = complete[-1]
    manifest = manifests.read(account.s3, account.bucket, table, fmt, snapshot)
    if manifest is None:
        raise SnapshotRefused(
            f"{table} has no complete snapshot {snapshot}",
            hint=f"see them with: dynoexport snapshots {table}",
        )
    return manifest


def _read(account: Account, fmt: OutputFormat, key: str, *, adopted: bool) -> int | str:
    """How many rows the file holds, or what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="dynoexport-verify-") as directory:
        path = Path(directory) / "part"
        account.s3.download_file(account.bucket, key, str(path))
        try:
            return part_files.count_items(path, fmt, adopted=adopted)
        except part_files.FileBroken as error:
            return f"{key} cannot be read: {error}"


def _in_catalog(account: Account, export: DeployedExport, timestamp: str) -> bool:
    get = partial(
        account.glue.get_partition,
        DatabaseName=naming.DATABASE,
        TableName=export.snapshots_table,
    )
    try:
        get(PartitionValues=[timestamp])
    except account.glue.exceptions.EntityNotFoundException:
        return False
    return True


def _table_items(account: Account, table: str) -> int | None:
    try:
        return account.dynamodb.describe_table(TableName=table)["Table"].get("ItemCount")
    except account.dynamodb.exceptions.ResourceNotFoundException:
        return None

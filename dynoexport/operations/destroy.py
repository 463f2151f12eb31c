"""``destroy``: delete the stack, the catalog entries, and on request the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynoexport import naming
from dynoexport.aws import change_sets, exports, workflow_runs
from dynoexport.aws.change_sets import Declined, ignore
from dynoexport.jobs.catalog import is_own_table
from dynoexport.jobs.s3 import directory_marker, list_objects
from dynoexport.jobs.snapshots import (
    deletion_marks,
    find_marks,
    is_own_snapshot,
    list_marks,
)
from dynoexport.jobs.view import is_own_view
from dynoexport.model import ExportResult, OutputFormat, described
from dynoexport.operations.run import RunRefused
from dynoexport.storage import snapshot_store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from dynoexport.aws.account import Account
    from dynoexport.aws.change_sets import Event
    from dynoexport.aws.exports import DeployedExport


@dataclass(frozen=True)
class Foreign:
    """Objects under one key or folder of the export's data that dynoexport did not write."""

    prefix: str = field(metadata=described("key or folder"))
    objects: int = field(metadata=described("number of objects under it"))
    bytes: int = field(metadata=described("size of these objects in bytes"))


@dataclass(frozen=True)
class Inventory(ExportResult):
    """What ``destroy`` would delete, or did delete."""

    stack: str | None = field(
        metadata=described("stack that was deleted, or null if there was none")
    )
    catalog: tuple[str, ...] = field(
        metadata=described("list of the views and tables deleted from the Glue database")
    )
    data: bool = field(
        metadata=described("whether the snapshots were deleted, too", name="data_deleted")
    )
    snapshots: int = field(metadata=described("number of complete snapshots in S3"))
    objects: int = field(metadata=described("number of objects of the snapshots"))
    bytes: int = field(metadata=described("size of these objects in bytes"))
    foreign: tuple[Foreign, ...] = field(
        default=(),
        metadata=described(
            "list of objects that `--data` keeps, because dynoexport did not write them"
        ),
    )


def destroy(
    account: Account,
    table: str,
    *,
    fmt: OutputFormat | None = None,
    data: bool = False,
    approve: Callable[[Inventory], bool] = lambda _: True,
    on_event: Callable[[Event], None] = ignore,
) -> Inventory:
    """Delete an export: its stack, its entries in the catalog, and with ``data`` its snapshots.

    The DynamoDB table and objects that dynoexport did not write never change. If the stack is gone,
    the rest of the export is still found, so that an interrupted call can be repeated.
    ``approve`` gets what would be deleted.

    Raises:
        NotExported, AmbiguousExport: the table has no export or rest of one, or several.
        RunRefused: a run is active.
        Declined: ``approve`` said no.
        DeployFailed: the stack could not be deleted.
        DeleteFailed: an object cannot be deleted.
    """
    export = _find(account, table, fmt, data=data)
    if export.workflow:
        active = workflow_runs.active(account.glue, export.workflow)
        if active:
            raise RunRefused(
                f"a run of {table} is active: {active[0].run_id}",
                hint=f"wait for it, or stop it with: dynoexport stop {table}",
            )
    inventory, names = _inventory(account, export, data=data)
    if not approve(inventory):
        raise Declined("nothing was deleted")
    if inventory.stack is not None:
        change_sets.delete(
            account.cloudformation, inventory.stack, on_event=on_event, pause=account.pause
        )
    for name in inventory.catalog:
        account.glue.delete_table(DatabaseName=naming.DATABASE, Name=name)
    if data:
        for keys in names:
            snapshot_store.delete_keys(account, keys)
    return inventory


def _find(account: Account, table: str, fmt: OutputFormat | None, *, data: bool) -> DeployedExport:
    """The export, or what a deleted stack left of one."""
    try:
        return exports.find_one(account, table, fmt)
    except exports.NotExported:
        left = _all_rests(account, table, OutputFormat if fmt is None else (fmt,), data=data)
        if not left:
            raise
    formats = dict.fromkeys(rest.format.value for rest in left)
    if len(formats) > 1:
        shown = " and ".join(formats)
        raise exports.AmbiguousExport(
            f"exports of {table} as {shown} have left something", hint="choose one with --format"
        )
    return left[0]


def _all_rests(
    account: Account, table: str, formats: Iterable[OutputFormat], *, data: bool
) -> list[DeployedExport]:
    try:
        return [rest for fmt in formats for rest in _rests(account, table, fmt, data=data)]
    except account.s3.exceptions.NoSuchBucket:
        # There is no common stack.
        return []


def _rests(
    account: Account, table: str, fmt: OutputFormat, *, data: bool
) -> Iterator[DeployedExport]:
    """What a deleted stack left: a catalog table on the data, and with ``data`` objects.

    The Step Functions design has the same names, also of temporary files, which expire by
    themselves. So there must be a snapshot of dynoexport.
    """
    marks = list_marks(account.s3, account.bucket, table, fmt.value)
    own = any(
        is_own_snapshot(account.s3, marks, timestamp)
        for timestamp in marks.complete | marks.claimed
    )
    for prefix in (*_catalog_prefixes(account, table, fmt), ""):
        rest = exports.DeployedExport(table, fmt, prefix, stack="", workflow="")
        inventory = _inventory(account, rest, data=data)[0]
        if own and (inventory.catalog or (data and inventory.objects)):
            yield rest


def _catalog_prefixes(account: Account, table: str, fmt: OutputFormat) -> list[str]:
    """The prefixes of catalog tables of this export: they have its name and lie on its data."""
    ending = naming.snapshots_table(table)
    own = f"s3://{account.bucket}/{naming.data_prefix(table, fmt.value)}"
    pages = account.glue.get_paginator("get_tables").paginate(DatabaseName=naming.DATABASE)
    try:
        tables = [entry for page in pages for entry in page["TableList"]]
    except account.glue.exceptions.EntityNotFoundException:
        # There is no database.
        return []
    return [
        entry["Name"].removesuffix(ending)
        for entry in tables
        if entry["Name"].endswith(ending) and is_own_table(entry, own)
    ]


def _inventory(
    account: Account, export: DeployedExport, *, data: bool
) -> tuple[Inventory, tuple[list[str], ...]]:
    """What exists, and the keys that ``data`` would delete, in order."""
    sizes = {
        key: size
        for prefix in _prefixes(export)
        for key, size in list_objects(account.s3, account.bucket, prefix).items()
    }
    foreign = _foreign(account, export, sizes) if data else {}
    sizes = {key: size for key, size in sizes.items() if key not in foreign}
    stack = export.stack or None
    if stack is not None and change_sets.describe(account.cloudformation, stack) is None:
        stack = None
    inventory = Inventory(
        table=export.table,
        format=export.format,
        stack=stack,
        catalog=tuple(_own_catalog_names(account, export)),
        data=data,
        snapshots=_count_manifests(export, sizes),
        objects=len(sizes),
        bytes=sum(sizes.values()),
        foreign=_by_folder(export, foreign),
    )
    return inventory, _in_order(account, export, sizes)


def _in_order(
    account: Account, export: DeployedExport, keys: Collection[str]
) -> tuple[list[str], ...]:
    """The keys in the order of deletion: what shows that snapshots are ours goes last.

    One call deletes each key of a list, even if others fail.
    """
    table, fmt = export.table, export.format.value
    marks = find_marks(keys, account.bucket, table, fmt)
    pairs = [
        deletion_marks(table, fmt, timestamp, claimed=timestamp in marks.claimed)
        for timestamp in marks.complete | marks.claimed
    ]
    first = {key for before, _ in pairs for key in before if key in keys}
    last = {key for _, after in pairs for key in after if key in keys}
    return sorted(first), sorted(set(keys) - first - last), sorted(last)


def _count_manifests(export: DeployedExport, keys: Iterable[str]) -> int:
    prefix = naming.manifest_prefix(export.table, export.format.value)
    return sum(key.startswith(prefix) and key.endswith(".json") for key in keys)


def _foreign(account: Account, export: DeployedExport, sizes: Mapping[str, int]) -> dict[str, int]:
    """What dynoexport did not write: data outside our snapshots, and objects beside manifests.

    Temporary files are ours by their prefix.
    """
    table, fmt = export.table, export.format.value
    snapshots = snapshot_store.list_all(account, export)
    ours = {
        snapshot.timestamp
        for snapshot in snapshot_store.with_figures(account, export, snapshots)
        if not snapshot.foreign
    }
    # A run that left nothing else has left its claim.
    claimed = find_marks(sizes, account.bucket, table, fmt).claimed
    own = {
        *(naming.claim_key(table, fmt, timestamp) for timestamp in claimed),
        *(naming.manifest_key(table, fmt, timestamp) for timestamp in ours),
        *(directory_marker(naming.snapshot_prefix(table, fmt, timestamp)) for timestamp in ours),
    }
    folders = [naming.snapshot_prefix(table, fmt, timestamp) for timestamp in ours]
    below = (*folders, naming.temp_prefix(table, fmt))
    return {
        key: size for key, size in sizes.items() if key not in own and not key.startswith(below)
    }


def _by_folder(export: DeployedExport, sizes: Mapping[str, int]) -> tuple[Foreign, ...]:
    data = naming.data_prefix(export.table, export.format.value)
    groups: dict[str, list[int]] = {}
    for key, size in sorted(sizes.items()):
        folder, slash, _ = key.removeprefix(data).partition("/")
        name = f"{data}{folder}{slash}" if key.startswith(data) else key
        groups.setdefault(name, []).append(size)
    return tuple(Foreign(name, len(group), sum(group)) for name, group in groups.items())


def _prefixes(export: DeployedExport) -> tuple[str, ...]:
    table, fmt = export.table, export.format.value
    # The last: a native scan whose retries failed leaves temporary files.
    return (
        naming.manifest_prefix(table, fmt),
        naming.data_prefix(table, fmt),
        naming.temp_prefix(table, fmt),
    )


def _own_catalog_names(account: Account, export: DeployedExport) -> list[str]:
    """The view, then the table behind it, if the catalog has them and they belong to the export."""
    if snapshot_store.own_table(account, export) is None:
        return []
    view = snapshot_store.catalog_table(account, export.view)
    is_view = view is not None and is_own_view(view, export.snapshots_table)
    return [*([export.view] if is_view else []), export.snapshots_table]

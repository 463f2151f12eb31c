"""``destroy``: the stack, the catalog entries, and the data if that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport import change_sets, exports, naming, snapshot_store, workflow_runs
from dynoexport.change_sets import ignore
from dynoexport.operations.init import Declined
from dynoexport.operations.run import RunRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport.aws import Account
    from dynoexport.change_sets import Event
    from dynoexport.exports import DeployedExport
    from dynoexport.model import OutputFormat


@dataclass(frozen=True)
class Inventory:
    """What ``destroy`` would delete, or has deleted. ``stack`` is None if it is gone already."""

    table: str
    format: OutputFormat
    stack: str | None
    catalog: tuple[str, ...]
    data: bool
    snapshots: int
    objects: int
    bytes: int


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

    The DynamoDB table is not touched. With ``data`` also what is left of an export whose stack is
    gone can be deleted; ``fmt`` is needed then. ``approve`` is shown what would go.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
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
    found = _inventory(account, export, data=data)
    if not approve(found):
        raise Declined("nothing was deleted")
    if found.stack is not None:
        change_sets.delete(
            account.cloudformation, found.stack, on_event=on_event, pause=account.pause
        )
    for name in found.catalog:
        account.glue.delete_table(DatabaseName=naming.DATABASE, Name=name)
    if data:
        # Manifests first: a snapshot that is being deleted is not complete any more.
        for prefix in _prefixes(export):
            names = list(snapshot_store.keys(account.s3, account.bucket, prefix))
            snapshot_store.delete_keys(account, names)
    return found


def _find(account: Account, table: str, fmt: OutputFormat | None, *, data: bool) -> DeployedExport:
    try:
        return exports.find_one(account, table, fmt)
    except exports.NotExported:
        if not (data and fmt is not None):
            raise
        left = exports.DeployedExport(table, fmt, catalog_prefix="", stack="", workflow="")
        if not _inventory(account, left, data=True).objects:
            raise
        return left


def _inventory(account: Account, export: DeployedExport, *, data: bool) -> Inventory:
    sizes = {
        key: size
        for prefix in _prefixes(export)
        for key, size in snapshot_store.keys(account.s3, account.bucket, prefix).items()
    }
    stack = export.stack or None
    if stack is not None and change_sets.describe(account.cloudformation, stack) is None:
        stack = None
    manifests = naming.manifest_prefix(export.table, export.format.value)
    return Inventory(
        table=export.table,
        format=export.format,
        stack=stack,
        catalog=tuple(_own_catalog_names(account, export)),
        data=data,
        snapshots=sum(key.startswith(manifests) for key in sizes),
        objects=len(sizes),
        bytes=sum(sizes.values()),
    )


def _prefixes(export: DeployedExport) -> tuple[str, ...]:
    table, fmt = export.table, export.format.value
    # A native scan that failed for good has left what it had read.
    return (
        naming.manifest_prefix(table, fmt),
        naming.data_prefix(table, fmt),
        naming.temp_prefix(table, fmt),
    )


def _own_catalog_names(account: Account, export: DeployedExport) -> list[str]:
    """The view, then the table behind it, if the catalog has them and they are of this export."""
    table = snapshot_store.catalog_table(account, export.snapshots_table)
    data = naming.data_prefix(export.table, export.format.value)
    own = f"s3://{account.bucket}/{data}".rstrip("/")
    if table is None or table.get("StorageDescriptor", {}).get("Location", "").rstrip("/") != own:
        return []
    view = snapshot_store.catalog_table(account, export.view)
    is_view = view is not None and view.get("TableType") == "VIRTUAL_VIEW"
    return [*([export.view] if is_view else []), export.snapshots_table]

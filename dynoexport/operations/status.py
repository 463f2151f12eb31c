"""``status``: every export of an account, its last run, its snapshot and its next run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dynoexport import naming
from dynoexport.aws import exports, workflow_runs
from dynoexport.aws.account import side_by_side
from dynoexport.errors import ScheduleRefused
from dynoexport.jobs.timestamps import parse_timestamp
from dynoexport.jobs.view import shown_timestamp
from dynoexport.storage import snapshot_store
from dynoexport.storage.snapshot_store import Snapshot
from dynoexport.workflow import schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynoexport.aws.account import Account
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.aws.workflow_runs import Run
    from dynoexport.model import OutputFormat

# Up to so many views are read one by one; for more, all tables of the database are read.
_FEW = 20


@dataclass(frozen=True)
class ExportStatus:
    """One export at one moment.

    ``snapshot`` is the one that the view shows. Without a view (xml, or a table that was always
    empty) it is the newest complete one. ``faults`` lists how its files differ from its manifest.
    ``next_run`` is None while the schedule is off.
    """

    table: str
    format: OutputFormat
    stack: str
    workflow: str
    last_run: Run | None
    snapshot: str | None
    items: int | None
    bytes: int | None
    schedule: str
    enabled: bool
    next_run: datetime | None
    faults: tuple[str, ...] = ()

    def age(self, now: datetime) -> timedelta | None:
        """How old the snapshot is; None if there is none."""
        taken = parse_timestamp(self.snapshot) if self.snapshot else None
        return None if taken is None else now - taken

    def is_stale(self, now: datetime, limit: timedelta) -> bool:
        """Whether the snapshot is missing, damaged or older than the limit."""
        age = self.age(now)
        return bool(self.faults) or age is None or age > limit


def status(account: Account, *tables: str, now: datetime | None = None) -> list[ExportStatus]:
    """Every export of the account and region, or those of the tables, by name and format.

    Raises:
        NotExported: one of the tables is not exported.
    """
    described = exports.find_all_described(account, tables)
    shown = _shown(account, [export for export, _ in described])
    at = now or datetime.now(timezone.utc)

    def describe(pair: tuple[DeployedExport, Mapping[str, Any]]) -> ExportStatus:
        return _status(account, *pair, shown, at)

    return side_by_side(describe, described)


def _status(
    account: Account,
    export: DeployedExport,
    workflow: Mapping[str, Any],
    shown: Mapping[str, str],
    now: datetime,
) -> ExportStatus:
    last = workflow_runs.from_response(workflow["LastRun"]) if workflow.get("LastRun") else None
    snapshot = shown.get(export.view) if export.format.queryable else None
    if snapshot is None and last is not None:
        snapshot = _newest(account, export)
    shows = _examined(account, export, snapshot)
    trigger = _start_trigger(workflow, export.start_trigger)
    enabled = trigger.get("State") == "ACTIVATED"
    when = trigger.get("Schedule", "")
    return ExportStatus(
        table=export.table,
        format=export.format,
        stack=export.stack,
        workflow=export.workflow,
        last_run=last,
        snapshot=snapshot,
        items=shows.items,
        bytes=shows.bytes,
        schedule=when,
        enabled=enabled,
        next_run=_next(when, now) if enabled else None,
        faults=shows.faults,
    )


def _start_trigger(workflow: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    for node in workflow.get("Graph", {}).get("Nodes", ()):
        if node["Type"] == "TRIGGER" and node["Name"] == name:
            trigger: Mapping[str, Any] = node.get("TriggerDetails", {}).get("Trigger", {})
            return trigger
    return {}


@lru_cache(maxsize=4096)
def _next(expression: str, now: datetime) -> datetime | None:
    """Cached, because the exports of an account share few schedules."""
    try:
        times = schedule.firings(expression, after=now, count=1)
    except ScheduleRefused:
        return None
    return times[0] if times else None


# --- which snapshot, and its figures --------------------------------------------------------------
def _shown(account: Account, known: Sequence[DeployedExport]) -> dict[str, str]:
    """What each view shows, by the view's name."""
    wanted = [export.view for export in known if export.format.queryable]
    if len(wanted) <= _FEW:
        tables = side_by_side(lambda name: snapshot_store.catalog_table(account, name), wanted)
        views_found = [table for table in tables if table is not None]
    else:
        views_found = _every_table(account)
    published = {table["Name"]: shown_timestamp(table) for table in views_found}
    return {name: timestamp for name, timestamp in published.items() if timestamp is not None}


def _every_table(account: Account) -> list[Any]:
    pages = account.glue.get_paginator("get_tables").paginate(DatabaseName=naming.DATABASE)
    return [table for page in pages for table in page["TableList"]]


def _newest(account: Account, export: DeployedExport) -> str | None:
    """The newest complete snapshot; the last run's may have been deleted."""
    timestamps = snapshot_store.complete_timestamps(account, export.table, export.format.value)
    return timestamps[-1] if timestamps else None


def _examined(account: Account, export: DeployedExport, snapshot: str | None) -> Snapshot:
    """The snapshot by its manifest and its files: a read and a listing for each export."""
    if snapshot is None:
        return Snapshot("", complete=False)
    shown = Snapshot(snapshot, complete=True, current=True)
    return snapshot_store.examine(account, export, shown)

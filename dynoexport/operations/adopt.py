"""``adopt``: give snapshots of another design manifests, so that they are snapshots like others.

The files stay as they are. A snapshot's manifest is one PutObject, and nothing is written before
it: whoever repeats the command after a failure continues it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dynoexport import limits, naming
from dynoexport.aws import athena, exports
from dynoexport.aws.account import chunks, side_by_side
from dynoexport.errors import DynoexportError
from dynoexport.jobs.adoption import table_columns
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.retention import expired_snapshots
from dynoexport.jobs.s3 import list_files
from dynoexport.jobs.snapshots import is_adopted_snapshot, is_own_snapshot, list_marks
from dynoexport.jobs.view import sql_identifier, sql_literal
from dynoexport.model import ExportResult, OutputFormat, described
from dynoexport.operations.snapshots import being_written
from dynoexport.planning.plan import TB
from dynoexport.planning.prices import load_prices
from dynoexport.settings import RETENTION_DAYS
from dynoexport.storage import part_files, snapshot_store
from dynoexport.storage.adoption import (
    Candidate,
    Method,
    build_manifest,
    by_folder,
    count_in_file,
    count_method,
    in_order,
    reason_against,
    snapshot_name,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mypy_boto3_glue.type_defs import TableTypeDef

    from dynoexport.aws.account import Account
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.snapshots import Marks
    from dynoexport.storage.adoption import Files

# Each file is held on disk as a whole while it is read.
_FILES_AT_ONCE = 4
# A query of Athena has 262,144 characters; a timestamp takes 20 of them.
_SNAPSHOTS_PER_QUERY = 1_000
# What S3 answers if a key has an object already, or gets one at the same moment:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}


class AdoptionRefused(DynoexportError):
    """A snapshot, or a table, whose snapshots cannot be adopted."""


@dataclass(frozen=True)
class AdoptedSnapshot:
    """A snapshot that has a manifest now."""

    timestamp: str = field(
        metadata=described("UTC minute that names the snapshot", name="snapshot")
    )
    items: int = field(metadata=described("number of items"))
    bytes: int = field(metadata=described("size of its files in bytes"))
    files: int = field(metadata=described("number of files"))


@dataclass(frozen=True)
class NotAdopted:
    """A folder that cannot be adopted, and why."""

    folder: str = field(metadata=described("the snapshot, or the name of the folder"))
    reason: str = field(metadata=described("why it cannot be adopted, a sentence"))


@dataclass(frozen=True)
class AdoptionPlan:
    """What would be adopted, and what it means.

    Attributes:
        usd: what Athena bills at most to count rows; 0 without a query.
        downloads: bytes of the files that are read to count rows.
        retention_days: SnapshotRetentionDays of the view job; 0 keeps all snapshots.
        expired: the snapshots that the next run deletes, unless the view shows them.
    """

    candidates: tuple[Candidate, ...]
    refused: tuple[NotAdopted, ...]
    columns: tuple[Column, ...] = ()
    usd: float = 0.0
    downloads: int = 0
    retention_days: int = 0
    expired: tuple[str, ...] = ()


@dataclass(frozen=True)
class Adopted(ExportResult):
    """The adopted snapshots, and the folders that were left alone."""

    snapshots: tuple[AdoptedSnapshot, ...] = field(
        metadata=described("list of the adopted snapshots")
    )
    refused: tuple[NotAdopted, ...] = field(
        metadata=described("list of the folders that cannot be adopted")
    )


def adopt(
    account: Account,
    table: str,
    *snapshots: str,
    fmt: OutputFormat | None = None,
    approve: Callable[[AdoptionPlan], bool] = lambda _: True,
    on_adopted: Callable[[AdoptedSnapshot], None] = lambda _: None,
) -> Adopted:
    """Write manifests for the named snapshots, or for all that another design wrote.

    ``approve`` gets the plan before anything is counted or written. Adopted snapshots are like
    others: ``prune``, retention and ``destroy`` delete them, too.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        AdoptionRefused: a named snapshot, or the catalog table, cannot be adopted.
        QueryFailed: Athena did not count the rows.
    """
    export = exports.find_one(account, table, fmt)
    plan = _plan(account, export, snapshots)
    if not plan.candidates or not approve(plan):
        return Adopted(table, export.format, (), plan.refused)
    counted = _count_by_athena(account, export, plan.candidates)
    done: list[AdoptedSnapshot] = []
    refused = list(plan.refused)
    for candidate in plan.candidates:
        found = _try_to_adopt(account, export, candidate, plan.columns, counted)
        if isinstance(found, AdoptedSnapshot):
            done.append(found)
            on_adopted(found)
        elif snapshots:
            raise found
        else:
            refused.append(NotAdopted(candidate.timestamp, found.hint))
    return Adopted(table, export.format, tuple(done), tuple(refused))


# --- which ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Folders:
    """The folders of an export: its own, those to adopt with their files, and reasons against."""

    own: frozenset[str]
    listed: Mapping[str, Files]
    refused: Mapping[str, str]


def _plan(account: Account, export: DeployedExport, named: Sequence[str]) -> AdoptionPlan:
    folders = _judge_folders(account, export)
    wanted, refused = dict(folders.listed), dict(folders.refused)
    if named:
        _check_names(named, folders, export)
        wanted, refused = (
            {timestamp: wanted[timestamp] for timestamp in named if timestamp in wanted},
            {},
        )
    columns: tuple[Column, ...] = ()
    if wanted and export.format.queryable:
        columns, more = _judge_catalog(account, export, wanted)
        if named and more:
            raise _refusal(*next(iter(more.items())))
        refused |= more
    found = [
        Candidate(timestamp, files, count_method(export.format, files))
        for timestamp, files in sorted(wanted.items())
        if timestamp not in refused
    ]
    days = _retention_days(account, export) if found else 0
    now = datetime.now(timezone.utc)
    return AdoptionPlan(
        candidates=tuple(found),
        refused=tuple(NotAdopted(*refusal) for refusal in sorted(refused.items())),
        columns=columns,
        usd=_athena_usd(account, found),
        downloads=sum(candidate.bytes for candidate in found if candidate.method is Method.FILES),
        retention_days=days,
        expired=tuple(
            expired_snapshots((candidate.timestamp for candidate in found), (), now, days)
            if days
            else ()
        ),
    )


def _check_names(named: Sequence[str], folders: _Folders, export: DeployedExport) -> None:
    """Refuse what cannot be adopted; a snapshot that has a manifest of ours is right already."""
    for name in named:
        if name in folders.refused:
            raise _refusal(name, folders.refused[name])
        if name not in folders.listed and name not in folders.own:
            raise AdoptionRefused(
                f"{export.table} has no snapshot {name!r}",
                hint=f"see them with: dynoexport snapshots {export.table}",
            )


def _refusal(name: str, reason: str) -> AdoptionRefused:
    return AdoptionRefused(f"the snapshot {name} cannot be adopted", hint=reason)


def _judge_folders(account: Account, export: DeployedExport) -> _Folders:
    table, fmt = export.table, export.format.value
    data = naming.data_prefix(table, fmt)
    marks = list_marks(account.s3, account.bucket, table, fmt)
    own = {
        timestamp for timestamp in marks.complete if is_own_snapshot(account.s3, marks, timestamp)
    }
    written = (
        timestamp for timestamp in own if not is_adopted_snapshot(account.s3, marks, timestamp)
    )
    oldest, writing = min(written, default=None), being_written(account, export)
    listed, refused = {}, {}
    for folder, files in by_folder(list_files(account.s3, account.bucket, data), data).items():
        timestamp = snapshot_name(folder) or folder
        if timestamp in own:
            continue
        reason = _mark_against(marks, timestamp, writing) or reason_against(folder, files, oldest)
        if reason:
            refused[timestamp] = reason
        else:
            listed[timestamp] = visible(files)
    return _Folders(frozenset(own), listed, refused)


def _mark_against(marks: Marks, timestamp: str, writing: Collection[str]) -> str | None:
    """Why a mark beside the manifests forbids it; the snapshot is no complete one of ours."""
    if timestamp in writing:
        return "a run of this export is writing it"
    if timestamp in marks.claimed:
        return "a run of this export left it incomplete"
    if timestamp in marks.complete:
        key = naming.manifest_key(marks.table, marks.format, timestamp)
        return f"{key} is not its manifest: move that object away"
    return None


# --- the catalog ----------------------------------------------------------------------------------
def _judge_catalog(
    account: Account, export: DeployedExport, listed: Mapping[str, Files]
) -> tuple[tuple[Column, ...], dict[str, str]]:
    """The columns of the snapshots, and the reason against each that Athena would misread.

    Raises:
        AdoptionRefused: the catalog table is missing, or no export can keep its columns.
    """
    name = f"{naming.DATABASE}.{export.snapshots_table}"
    run = f"dynoexport run {export.table}"
    table = snapshot_store.own_table(account, export)
    if table is None:
        raise AdoptionRefused(
            f"there is no catalog table {name} of this export", hint=f"a run creates it: {run}"
        )
    try:
        columns = table_columns(table, naming.DATABASE, export.format.value)
    except JobFailed as error:
        raise AdoptionRefused(
            f"the snapshots of {name} cannot be adopted", hint=str(error)
        ) from None
    if export.format is OutputFormat.CSV and not _skips_header(table):
        raise AdoptionRefused(
            f"{name} shows the header of each csv file as a row", hint=f"a run mends it: {run}"
        )
    partitions = snapshot_store.partitions_by_timestamp(account, export)
    refused = {}
    for timestamp, files in listed.items():
        partition = partitions.get(timestamp)
        if partition is None and any(size for size, _ in files.values()):
            refused[timestamp] = f"the catalog has no partition for it; a run adds it: {run}"
        elif partition is not None and not in_order(partition, table, export.format):
            refused[timestamp] = (
                f"its columns are in another order than those of {name}, and Athena reads "
                f"{export.format.value} by position"
            )
    return columns, refused


def _skips_header(table: TableTypeDef) -> bool:
    return table.get("Parameters", {}).get("skip.header.line.count") == "1"


def _retention_days(account: Account, export: DeployedExport) -> int:
    """SnapshotRetentionDays of the view job; an xml export has none."""
    if not export.format.queryable:
        return 0
    job = naming.view_job(export.table, export.format.value)
    arguments = account.glue.get_job(JobName=job)["Job"].get("DefaultArguments", {})
    return int(arguments.get(f"--{RETENTION_DAYS}", 0))


# --- how many items -------------------------------------------------------------------------------
def _athena_usd(account: Account, candidates: Sequence[Candidate]) -> float:
    """What Athena bills at most: it reads only the footers of parquet and orc."""
    scanned = [candidate.bytes for candidate in candidates if candidate.method is Method.ATHENA]
    if not scanned:
        return 0.0
    billed = max(sum(scanned), limits.ATHENA_SCAN_MIN_BYTES)
    return billed / TB * load_prices(account.region).figures.athena_tb


def _count_by_athena(
    account: Account, export: DeployedExport, candidates: Sequence[Candidate]
) -> dict[str, int]:
    """The rows of each snapshot that Athena counts."""
    wanted = [candidate.timestamp for candidate in candidates if candidate.method is Method.ATHENA]
    table = f"{sql_identifier(naming.DATABASE)}.{sql_identifier(export.snapshots_table)}"
    key = sql_identifier(naming.PARTITION_KEY)
    counted = dict.fromkeys(wanted, 0)
    for some in chunks(wanted, _SNAPSHOTS_PER_QUERY):
        listed = ", ".join(map(sql_literal, some))
        found = f"FROM {table}\nWHERE {key} IN ({listed})"
        sql = f"SELECT {key}, count(*) {found}\nGROUP BY {key}"
        result = athena.run(
            account.athena,
            sql,
            work_group=naming.WORK_GROUP,
            database=naming.DATABASE,
            seconds=account.pause,
        )
        counted.update((str(timestamp), int(rows or 0)) for timestamp, rows in result.rows)
    return counted


# --- the manifest ---------------------------------------------------------------------------------
def _try_to_adopt(
    account: Account,
    export: DeployedExport,
    candidate: Candidate,
    columns: Sequence[Column],
    counted: Mapping[str, int],
) -> AdoptedSnapshot | AdoptionRefused:
    """The snapshot, or why it was left alone: the others can be adopted all the same."""
    try:
        return _adopt(account, export, candidate, columns, counted)
    except AdoptionRefused as error:
        return error


def _adopt(
    account: Account,
    export: DeployedExport,
    candidate: Candidate,
    columns: Sequence[Column],
    counted: Mapping[str, int],
) -> AdoptedSnapshot:
    """Count the snapshot's items and write its manifest.

    Raises:
        AdoptionRefused: a file is broken, or something changed in the meantime.
    """
    timestamp, fmt = candidate.timestamp, export.format
    items = counted.get(timestamp)
    if items is None:
        items = _count_items(account, fmt, candidate)
    prefix = naming.snapshot_prefix(export.table, fmt.value, timestamp)
    if visible(list_files(account.s3, account.bucket, prefix)) != candidate.files:
        raise _refusal(timestamp, "its files have changed while it was adopted: try again")
    manifest = build_manifest(export, candidate, items, columns)
    try:
        # Never in the place of another manifest.
        account.s3.put_object(
            Bucket=account.bucket,
            Key=naming.manifest_key(export.table, fmt.value, timestamp),
            Body=json.dumps(manifest, indent=2).encode(),
            ContentType="application/json",
            IfNoneMatch="*",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _TAKEN:
            raise
        raise _refusal(timestamp, "it got a manifest while it was adopted") from None
    return AdoptedSnapshot(timestamp, items, candidate.bytes, len(candidate.files))


def _count_items(account: Account, fmt: OutputFormat, candidate: Candidate) -> int:
    held = [(key, size) for key, (size, _) in candidate.files.items() if size]

    def count(file: tuple[str, int]) -> int:
        try:
            return count_in_file(account, fmt, *file, candidate.method)
        except part_files.FileBroken as error:
            raise _refusal(candidate.timestamp, f"{file[0]} cannot be read: {error}") from None

    return sum(side_by_side(count, held, parallel=_FILES_AT_ONCE))

"""Snapshots that another design wrote: which can be adopted, their rows, their manifests."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynoexport import naming
from dynoexport.jobs.catalog_update import POSITIONAL_FORMATS
from dynoexport.jobs.s3_file import open_object
from dynoexport.jobs.schema.columns import column_entry
from dynoexport.jobs.timestamps import is_timestamp
from dynoexport.model import OutputFormat
from dynoexport.storage import part_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_glue.type_defs import PartitionTypeDef, TableTypeDef

    from dynoexport.aws.account import Account
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.jobs.schema.columns import Column

    # Bytes and ETag by key.
    Files = Mapping[str, tuple[int, str]]

_FOLDER = f"{naming.PARTITION_KEY}="
# How the names of files begin that Athena does not read:
# https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
_HIDDEN = (".", "_")


class Method(str, Enum):
    """How the rows of a snapshot are counted."""

    NOTHING = "nothing"
    FOOTERS = "footers"
    ATHENA = "athena"
    FILES = "files"


@dataclass(frozen=True)
class Candidate:
    """A snapshot that can be adopted: its files as S3 lists them."""

    timestamp: str
    files: Mapping[str, tuple[int, str]]
    method: Method

    @property
    def bytes(self) -> int:
        return sum(size for size, _ in self.files.values())


# --- which ----------------------------------------------------------------------------------------
def snapshot_name(folder: str) -> str | None:
    """The timestamp of a folder of a snapshot; None if it is another folder."""
    timestamp = folder.removeprefix(_FOLDER)
    return timestamp if timestamp != folder and is_timestamp(timestamp) else None


def by_folder(
    files: Mapping[str, tuple[int, str]], prefix: str
) -> dict[str, dict[str, tuple[int, str]]]:
    """The files by the folder that they are in, one level below the prefix."""
    folders: dict[str, dict[str, tuple[int, str]]] = {}
    for key, file in files.items():
        name, slash, _ = key.removeprefix(prefix).partition("/")
        if slash:
            folders.setdefault(name, {})[key] = file
    return folders


def visible(files: Mapping[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
    """The files that Athena reads."""
    return {key: files[key] for key in files if not key.rsplit("/", 1)[-1].startswith(_HIDDEN)}


def reason_against(
    name: str, files: Mapping[str, tuple[int, str]], oldest: str | None
) -> str | None:
    """Why the folder is not a complete snapshot of another design; None if it is one.

    ``oldest`` is the first complete snapshot that a run of this export wrote.
    """
    timestamp = snapshot_name(name)
    if timestamp is None:
        return f"its name is not {_FOLDER} and a UTC minute, such as {_FOLDER}2026-01-31T10:00"
    if any("/_temporary/" in key for key in files):
        return "it has files of a job that did not end, under _temporary/"
    if not any(key[-1:] != "/" for key in visible(files)):
        return "it has no files"
    # The newest manifest decides the columns of the next run, so it must be one of a run.
    if oldest is not None and timestamp > oldest:
        return f"it is newer than the first snapshot of this export, {oldest}"
    return None


def in_order(partition: PartitionTypeDef, table: TableTypeDef, fmt: OutputFormat) -> bool:
    """Whether Athena finds the partition's values in the columns of the table."""
    if fmt.value not in POSITIONAL_FORMATS:
        return True
    names, own = (
        [column["Name"] for column in described.get("StorageDescriptor", {}).get("Columns", [])]
        for described in (table, partition)
    )
    return own == names[: len(own)]


# --- how many items -------------------------------------------------------------------------------
def count_method(fmt: OutputFormat, files: Mapping[str, tuple[int, str]]) -> Method:
    """How the rows are counted: by footers if possible, and else by Athena if it can."""
    if not any(size for size, _ in files.values()):
        return Method.NOTHING
    if not fmt.queryable:
        return Method.FILES
    has_footer = fmt in {OutputFormat.PARQUET, OutputFormat.ORC}
    if has_footer and importlib.util.find_spec("pyarrow") is not None:
        return Method.FOOTERS
    return Method.ATHENA


def count_in_file(account: Account, fmt: OutputFormat, key: str, size: int, method: Method) -> int:
    if method is Method.FOOTERS:
        file = open_object(account.s3, account.bucket, key, size)
        return part_files.count_by_footer(file, fmt)
    with tempfile.TemporaryDirectory(prefix="dynoexport-adopt-") as directory:
        path = Path(directory) / "part"
        account.s3.download_file(account.bucket, key, str(path))
        return part_files.count_items(path, fmt, adopted=True)


# --- the manifest ---------------------------------------------------------------------------------
def build_manifest(
    export: DeployedExport, candidate: Candidate, items: int, columns: Sequence[Column]
) -> dict[str, Any]:
    """What is known about a snapshot that another design wrote: no run, no reader."""
    fmt = export.format.value
    return {
        "version": 1,
        "adopted": True,
        "table": export.table,
        "format": fmt,
        "snapshot_timestamp": candidate.timestamp,
        "items": items,
        "bytes": candidate.bytes,
        "files": [
            {"key": key, "bytes": size, "etag": etag}
            for key, (size, etag) in sorted(candidate.files.items())
        ],
        "schema": [column_entry(column, fmt) for column in columns],
        "changes": [],
        "warnings": [],
        "workflow_run_id": "",
    }

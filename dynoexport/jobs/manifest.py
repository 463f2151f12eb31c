"""The manifest: the record of a complete snapshot, written last."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.formats import LINE_FORMATS
from dynoexport.jobs.manifest_text import parse_json_object
from dynoexport.jobs.s3 import read_object
from dynoexport.jobs.schema.columns import column_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.checks import ReadPlan
    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.settings import Settings
    from dynoexport.jobs.snapshot_paths import SnapshotPaths


def is_manifest(content: Mapping[str, Any]) -> bool:
    """Whether it has the keys of a manifest that this job reads."""
    return (
        isinstance(content.get("workflow_run_id"), str)
        and isinstance(content.get("items"), int)
        and isinstance(content.get("bytes"), int)
        and isinstance(content.get("files"), list)
        and all(
            isinstance(file, dict) and {"key", "bytes"} <= set(file) for file in content["files"]
        )
    )


def read_manifest(s3: S3Client, paths: SnapshotPaths) -> dict[str, Any] | None:
    """The manifest; None if it does not exist.

    Raises:
        JobFailed: it is not valid.
    """
    text = read_object(s3, paths.bucket, paths.manifest)
    if text is None:
        return None
    manifest = parse_json_object(text)
    if manifest is not None and is_manifest(manifest):
        return manifest
    raise JobFailed(
        f"s3://{paths.bucket}/{paths.manifest} is not a valid manifest: delete it, which makes its "
        "snapshot incomplete, and start a new run"
    )


def put_manifest(s3: S3Client, paths: SnapshotPaths, manifest: Mapping[str, Any]) -> None:
    """Mark the snapshot complete.

    Raises:
        JobFailed: another run has completed a snapshot of the same minute.
    """
    other = read_manifest(s3, paths)
    if other is not None and other["workflow_run_id"] != manifest["workflow_run_id"]:
        raise JobFailed(
            f"another workflow run, {other['workflow_run_id']}, completed the snapshot "
            f"{manifest['snapshot_timestamp']}: start a new run"
        )
    s3.put_object(
        Bucket=paths.bucket,
        Key=paths.manifest,
        Body=json.dumps(manifest, indent=2).encode(),
        ContentType="application/json",
    )


@dataclass(frozen=True)
class WriteResult:
    """What a snapshot holds; nothing for an empty table."""

    items: int = 0
    files: tuple[Mapping[str, Any], ...] = ()
    columns: tuple[Column, ...] = ()
    items_read: int = 0
    replaced_characters: int = 0
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)


def build_manifest(
    settings: Settings, timestamp: str, written: WriteResult, plan: ReadPlan, run: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest without its times; ``run`` has the workers that the job really has."""
    read: dict[str, Any] = {"reader": settings.reader, "items": written.items_read}
    if settings.reader != "export":
        read.update(
            splits=plan.splits,
            read_percent=settings.read_percent,
            capacity=plan.capacity.units,
            capacity_source=plan.capacity.source,
            rate=settings.read_percent * plan.capacity.units,
        )
    read.update(written.report)
    return {
        "version": 1,
        "table": settings.table,
        "format": settings.format,
        "snapshot_timestamp": timestamp,
        "items": written.items,
        "bytes": sum(file["bytes"] for file in written.files),
        "files": list(written.files),
        "schema": [column_entry(column, settings.format) for column in written.columns],
        "changes": list(written.changes),
        "warnings": list(written.warnings),
        "replaced_characters": written.replaced_characters,
        "read": read,
        "described": plan.described(),
        "selection": {
            "columns": list(settings.columns),
            "exclude": list(settings.exclude),
            "where": settings.where,
        },
        "types": {
            "type_conflicts": settings.type_conflicts,
            "maps_as": settings.maps_as,
            "max_struct_fields": settings.max_struct_fields,
        },
        "compression": None if settings.format in LINE_FORMATS else settings.compression,
        "workflow_name": settings.workflow_name,
        "workflow_run_id": settings.workflow_run_id,
        "job_run_id": settings.job_run_id,
        "scripts_version": settings.scripts_version,
        "engine": settings.engine,
        "glue_version": run["GlueVersion"],
        "worker_type": run["WorkerType"],
        "number_of_workers": run["NumberOfWorkers"],
    }

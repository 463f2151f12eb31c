"""The bucket and keys that one run writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport.jobs.names import claim_key, manifest_key, snapshot_prefix, temp_prefix

if TYPE_CHECKING:
    from dynoexport.jobs.settings import Settings


@dataclass(frozen=True)
class SnapshotPaths:
    """The bucket and keys that one run writes; ``claim`` names the run that has the minute."""

    bucket: str
    temp: str
    snapshot: str
    manifest: str
    claim: str = ""

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


def snapshot_paths(settings: Settings, timestamp: str) -> SnapshotPaths:
    table, fmt = settings.table, settings.format
    return SnapshotPaths(
        bucket=settings.bucket,
        temp=f"{temp_prefix(table, fmt)}{settings.workflow_run_id}/",
        snapshot=snapshot_prefix(table, fmt, timestamp),
        manifest=manifest_key(table, fmt, timestamp),
        claim=claim_key(table, fmt, timestamp),
    )

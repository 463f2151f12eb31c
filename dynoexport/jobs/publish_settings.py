"""The settings of the view job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.names import SNAPSHOT_TIMESTAMP
from dynoexport.jobs.timestamps import is_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

# Arguments of the deployed job. Glue adds its own.
VIEW_JOB_ARGUMENTS = (
    "TableName",
    "OutputFormat",
    "BucketName",
    "DatabaseName",
    "CatalogPrefix",
    "WorkGroup",
    "SnapshotRetentionDays",
)
VIEW_OVERRIDABLE = ("SnapshotRetentionDays",)
# A hundred years, so that dates in the past can still be computed.
RETENTION_DAYS_MAX = 36_500


@dataclass(frozen=True)
class PublishSettings:
    """What this run publishes; ``retention_days`` 0 keeps every snapshot."""

    table: str
    format: str
    bucket: str
    database: str
    catalog_prefix: str
    work_group: str
    retention_days: int
    timestamp: str
    workflow_run_id: str


def retention_days(text: str) -> int:
    """Days to keep a snapshot.

    Raises:
        JobFailed: it is not a whole number, or out of range.
    """
    try:
        days = int(text)
    except ValueError:
        days = -1
    if not 0 <= days <= RETENTION_DAYS_MAX:
        raise JobFailed(
            f"SnapshotRetentionDays is {text!r}, but must be a whole number from 0 (keep all) to "
            f"{RETENTION_DAYS_MAX}"
        )
    return days


def run_timestamp(properties: Mapping[str, str]) -> str:
    """The timestamp that the export job recorded in the run.

    Raises:
        JobFailed: it is missing, or somebody edited it.
    """
    timestamp = properties.get(SNAPSHOT_TIMESTAMP, "")
    if not is_timestamp(timestamp):
        raise JobFailed(
            f"the run property {SNAPSHOT_TIMESTAMP} is {timestamp!r}, but must be the UTC minute "
            "that the export job sets: start a new run"
        )
    return timestamp


def parse_publish_settings(values: Mapping[str, str], timestamp: str) -> PublishSettings:
    return PublishSettings(
        table=values["TableName"],
        format=values["OutputFormat"],
        bucket=values["BucketName"],
        database=values["DatabaseName"],
        catalog_prefix=values["CatalogPrefix"],
        work_group=values["WorkGroup"],
        retention_days=retention_days(values["SnapshotRetentionDays"]),
        timestamp=timestamp,
        workflow_run_id=values["WORKFLOW_RUN_ID"],
    )

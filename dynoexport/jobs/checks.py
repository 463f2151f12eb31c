"""What the export job checks before it reads anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dynoexport.jobs.catalog import check_owner, get_table
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.limits import DYNAMODB_TABLE_READ_UNITS
from dynoexport.jobs.log import log, number_text
from dynoexport.jobs.names import data_prefix, snapshots_table
from dynoexport.jobs.scan.account_quota import account_read_units
from dynoexport.jobs.scan.capacity import table_capacity
from dynoexport.jobs.scan.table_description import describe_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import TableTypeDef

    from dynoexport.jobs.scan.capacity import Capacity
    from dynoexport.jobs.settings import Settings

# For an on-demand table, Glue's connector knows only the default quota
# (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html).
CONNECTOR_ASSUMES: dict[str, Any] = {"OnDemandThroughput": {}, "WarmThroughput": {}}


def check_table(dynamodb: DynamoDBClient, settings: Settings) -> ReadPlan:
    """Check that the table exists; its description, and the read units a second that it has.

    Raises:
        JobFailed: the table does not exist.
    """
    try:
        table = describe_table(dynamodb, settings.table)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            region = dynamodb.meta.region_name
            raise JobFailed(
                f"there is no DynamoDB table {settings.table!r} in {region}: restore it, or "
                "destroy this export"
            ) from None
        raise
    if settings.reader == "connector":
        capacity = table_capacity({**table, **CONNECTOR_ASSUMES}, lambda: DYNAMODB_TABLE_READ_UNITS)
    else:
        capacity = table_capacity(table, partial(account_read_units, dynamodb))
    allowed = (
        f"this run may use {settings.read_percent:g} of its {number_text(capacity.units)} read "
        f"units a second ({capacity.source})"
    )
    if settings.reader == "export":
        allowed = "DynamoDB exports it without read units"
    log(
        f"the table has about {table.get('ItemCount', 0):,} items and "
        f"{table.get('TableSizeBytes', 0):,} bytes; {allowed}"
    )
    return ReadPlan(table, capacity)


def catalog_table(glue: GlueClient, settings: Settings) -> TableTypeDef | None:
    """The catalog table of the export's snapshots; None if it does not exist."""
    name = snapshots_table(settings.table, settings.catalog_prefix)
    return get_table(glue, settings.database, name)


def check_catalog(glue: GlueClient, settings: Settings) -> None:
    """Check that the catalog table, if it exists, belongs to this export.

    Raises:
        JobFailed: another table or format was exported under the same catalog name.
    """
    table = catalog_table(glue, settings)
    if table is not None:
        data = data_prefix(settings.table, settings.format)
        check_owner(table, settings.database, f"s3://{settings.bucket}/{data}")


def job_run(glue: GlueClient, settings: Settings) -> dict[str, Any]:
    """What this run of the job really has: WorkerType, NumberOfWorkers, GlueVersion.

    An edit of the job in the console changes its workers, but not the arguments that its stack
    set. Without the permission to read the job run, the arguments are used.
    """
    if settings.is_python:
        return {"WorkerType": "", "NumberOfWorkers": 0, "GlueVersion": ""}
    declared = {
        "WorkerType": settings.worker_type,
        "NumberOfWorkers": settings.number_of_workers,
        "GlueVersion": settings.glue_version,
    }
    try:
        run = glue.get_job_run(JobName=settings.job_name, RunId=settings.job_run_id)["JobRun"]
    except ClientError as error:
        log(f"cannot read this job run, so its workers are those of its arguments: {error}")
        return declared
    return {name: run.get(name) or declared[name] for name in declared}


# Everything that decides how long an export takes and what it costs.
DESCRIBED = (
    "TableSizeBytes",
    "ItemCount",
    "BillingModeSummary",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "WarmThroughput",
    "TableClassSummary",
)


def without_timestamps(content: Any) -> Any:  # noqa: ANN401 - JSON
    """Without the times of changes, which JSON cannot hold."""
    if isinstance(content, dict):
        return {name: value for name, value in content.items() if not isinstance(value, datetime)}
    return content


@dataclass(frozen=True)
class ReadPlan:
    """What to read.

    Attributes:
        table: DescribeTable's answer.
        capacity: the read units a second that the table has.
        splits: how many parts the connector reads.
    """

    table: Mapping[str, Any]
    capacity: Capacity
    splits: int = 1

    def described(self) -> dict[str, Any]:
        """The table's size and capacity at the start, as DescribeTable names them."""
        return {
            name: without_timestamps(self.table[name]) for name in DESCRIBED if name in self.table
        }

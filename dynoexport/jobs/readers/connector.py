"""Read the table with Glue's own DynamoDB source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.limits import DYNAMODB_SPLITS_MAX, GLUE_2_SLOTS, GLUE_SLOTS
from dynoexport.jobs.readers.read_result import ReadResult
from dynoexport.jobs.s3 import list_objects

if TYPE_CHECKING:
    from awsglue.context import GlueContext
    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.settings import Settings
    from dynoexport.jobs.snapshot_paths import SnapshotPaths


def splits_for(worker_type: str, number_of_workers: int, glue_version: str) -> int:
    """How many parts the connector reads: executors x task slots of each, at most 1,000,000.

    One of the workers is the driver, the others are executors. Slots of an executor:

        Glue 2.0         G.1X 8, G.2X 16
        Glue 3.0 and on  G.1X 4, G.2X 8, G.4X 16, G.8X 32

    Source: "dynamodb.splits" in
    https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html
    (for Glue 2.0 its edition of 2021). Glue's own default is 1, a read without parallelism.

    Raises:
        JobFailed: AWS publishes no slots for the worker type.
    """
    slots = GLUE_2_SLOTS if glue_version == "2.0" else GLUE_SLOTS
    if worker_type not in slots:
        raise JobFailed(
            f"Splits cannot be computed, because AWS does not publish the task slots of WorkerType "
            f"{worker_type!r} on Glue {glue_version}: set Splits, for example to 4 for each vCPU"
        )
    return max(1, min((number_of_workers - 1) * slots[worker_type], DYNAMODB_SPLITS_MAX))


def read_by_connector(
    glue_context: GlueContext, settings: Settings, splits: int, s3: S3Client, paths: SnapshotPaths
) -> ReadResult:
    """Read the table once with Glue's own DynamoDB source.

    The DynamicFrame is written unchanged. toDF() would scan the table a second time to find its
    schema, and double the bill (https://github.com/awslabs/amazon-dynamodb-tools/issues/81). The
    JSON writer needs no schema.
    """
    frame = glue_context.create_dynamic_frame.from_options(
        connection_type="dynamodb",
        connection_options={
            "dynamodb.input.tableName": settings.table,
            "dynamodb.splits": str(splits),
            "dynamodb.throughput.read.percent": str(settings.read_percent),
            **({"dynamodb.sts.roleArn": settings.source_role} if settings.source_role else {}),
        },
    )
    # Without backticks, a dot in an attribute's name would mean a field of a nested one.
    if settings.columns:
        frame = frame.select_fields([f"`{name}`" for name in settings.columns])
    if settings.exclude:
        frame = frame.drop_fields([f"`{name}`" for name in settings.exclude])
    path = paths.uri(paths.temp)
    glue_context.write_dynamic_frame.from_options(
        frame=frame, connection_type="s3", connection_options={"path": path}, format="json"
    )
    json_bytes = sum(list_objects(s3, paths.bucket, paths.temp).values())
    return ReadResult("plain", json_bytes, uri=path)

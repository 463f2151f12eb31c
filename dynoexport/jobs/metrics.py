"""The metric of published snapshots in CloudWatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dynoexport.jobs.log import log
from dynoexport.jobs.names import METRIC_FORMAT, METRIC_SNAPSHOTS, METRIC_TABLE, metric_namespace

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef

# From a VPC without a route to CloudWatch, a call gets no answer.
METRIC_CONFIG = Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 2})


def count_snapshot(cloudwatch: CloudWatchClient, table: str, fmt: str) -> None:
    """Add one to the metric. The alarm of a stale snapshot goes off without it.

    If CloudWatch refuses it, the run goes on, because the snapshot exists. The log has the reason,
    and the alarm goes off.
    """
    dimensions: list[DimensionTypeDef] = [
        {"Name": METRIC_TABLE, "Value": table},
        {"Name": METRIC_FORMAT, "Value": fmt},
    ]
    try:
        cloudwatch.put_metric_data(
            Namespace=metric_namespace(table),
            MetricData=[{"MetricName": METRIC_SNAPSHOTS, "Dimensions": dimensions, "Value": 1}],
        )
    except (BotoCoreError, ClientError) as error:
        log(f"cannot record this snapshot in CloudWatch: {error}")

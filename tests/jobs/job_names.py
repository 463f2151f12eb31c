"""Where the job scripts lie, and the names of the export that the tests run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[2] / "scripts"

BUCKET = "dynamodb-exports-123456789012-eu-west-1"
DATABASE = "dynamodb_exports"
WORKFLOW = "dynoexport-Reviews-parquet"


def counted(cloudwatch: Any) -> list[dict[str, str]]:
    """The dimensions of every snapshot in CloudWatch's metric."""
    found = cloudwatch.list_metrics(Namespace="dynoexport/Reviews", MetricName="Snapshots")
    return [
        {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
        for metric in found["Metrics"]
    ]

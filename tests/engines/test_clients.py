"""What users do, by the AWS SDKs of other languages, against the endpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import client_program
import clients_table
import judges
import pytest
from sdk_clients import PROGRAMS

from dynoexport import naming

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

JUDGE = "{sdk}"
ROOT = Path(__file__).parents[2]
TABLE, FORMAT = "Orders", "parquet"
ORDERS = 30
BUCKET = naming.bucket("123456789012", "us-east-1")
WORKFLOW = naming.workflow(TABLE, FORMAT, scheduled=False)

COMMON_OUTPUTS = {
    "BucketName": BUCKET,
    "DatabaseName": naming.DATABASE,
    "WorkGroup": naming.WORK_GROUP,
    "ViewWorkGroup": naming.VIEW_WORK_GROUP,
}
TABLE_OUTPUTS = {
    "WorkflowName": WORKFLOW,
    "ExportJobName": naming.export_job(TABLE, FORMAT),
    "CrawlerName": naming.crawler(TABLE, FORMAT),
    "ViewJobName": naming.view_job(TABLE, FORMAT),
    "DataLocation": f"s3://{BUCKET}/{naming.data_prefix(TABLE, FORMAT)}",
    "ManifestLocation": f"s3://{BUCKET}/{naming.manifest_prefix(TABLE, FORMAT)}",
}
RESOURCES = [
    *("CrawlTrigger", "Crawler", "CrawlerRole", "ExportJob", "ExportRole", "ExportRoleScansTable"),
    *("PublishTrigger", "StartTrigger", "ViewJob", "ViewRole", "Workflow"),
]
# Name, type in the catalog, type of the query.
COLUMNS = [
    ("orderid", "string", "varchar"),
    ("number", "bigint", "bigint"),
    ("price", "decimal(38,2)", "decimal"),
    ("paid", "boolean", "boolean"),
    ("tags", "array<string>", "array"),
    ("lines", "array<bigint>", "array"),
    ("customer", "struct<age:bigint,name:string>", "row"),
    ("photo", "binary", "varbinary"),
    ("note", "string", "varchar"),
]


def row(number: int) -> list[str | None]:
    """An order as Athena writes it."""
    paid = number % 2 == 0
    return [
        f"order-{number:02}",
        str(number),
        f"{number}.25",
        str(paid).lower(),
        "[gift, new]",
        f"[{number}, {number + 1}]",
        "{age=36, name=Zoë}",
        f"{number:02x} ff",
        "paid" if paid else None,
    ]


EXPECTED: dict[str, Any] = {
    "stacks": {
        "dynoexport-common": {"status": "CREATE_COMPLETE", "outputs": COMMON_OUTPUTS},
        "dynoexport-Orders-parquet": {"status": "CREATE_COMPLETE", "outputs": TABLE_OUTPUTS},
    },
    "resources": RESOURCES,
    "scripts": [["scripts/current/create_current_view.py"], ["scripts/current/export_table.py"]],
    "upload": 2 * 1024 * 1024,
    "unprocessed": 0,
    "scan": [20, 10],
    "run": {"status": "COMPLETED", "succeeded": 3, "failed": 0},
    "tables": [["orders"], ["snapshots_orders"]],
    "table": {
        "columns": sorted([name, kind] for name, kind, _ in COLUMNS),
        "partitionKeys": [[naming.PARTITION_KEY, "string"]],
    },
    "partitions": [1],
    "query": {
        "status": "SUCCEEDED",
        "reason": None,
        "columns": [[name, kind] for name, _, kind in COLUMNS],
        # The first row has the names.
        "rows": [[name for name, _, _ in COLUMNS], *map(row, range(1, ORDERS + 1))],
        "pages": [10, 10, 10, 1],
    },
    "metrics": {"Orders": ORDERS, "Snapshots": 1},
    "metricNames": ["Snapshots"],
    "errors": {
        "athena": "InvalidRequestException",
        "cloudformation": "ValidationError",
        "cloudwatch": "InvalidParameterValue",
        "dynamodb": "ResourceNotFoundException",
        "glue": "EntityNotFoundException",
        "s3": "NoSuchKey",
    },
    "deleted": "ValidationError",
}


@pytest.mark.parametrize("sdk", PROGRAMS)
def test_every_step_of_an_export_answers_as_expected(
    sdk: str, own_endpoint: Endpoint, tmp_path: Path
) -> None:
    assert list(clients_table.SDKS) == list(PROGRAMS)
    with judges.required(sdk):
        command = PROGRAMS[sdk](tmp_path)
    done = client_program.run(command, own_endpoint, ROOT, home=Path.home())
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    seen["tables"].sort()
    for stack in seen["stacks"].values():
        # Texts for people.
        stack["outputs"] = {
            name: value
            for name, value in stack["outputs"].items()
            if name not in {"View", "QueryNote"}
        }
    assert seen == EXPECTED

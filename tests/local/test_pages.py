"""Lists of the catalog and of CloudWatch come in pages, each entry once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

DATABASE = "pages"
DAYS = ("2026-11-01", "2026-11-02", "2026-11-03")


@pytest.fixture(scope="module")
def glue(endpoint: Endpoint) -> Any:
    """A database with three tables; one has three partitions."""
    client = endpoint.client("glue")
    for name in (DATABASE, f"{DATABASE}-2"):
        client.create_database(DatabaseInput={"Name": name})
    for name in ("a", "b", "c"):
        table = {"Name": name, "PartitionKeys": [{"Name": "day", "Type": "string"}]}
        client.create_table(DatabaseName=DATABASE, TableInput=table)
    for day in DAYS:
        client.create_partition(
            DatabaseName=DATABASE, TableName="a", PartitionInput={"Values": [day]}
        )
    return client


@pytest.mark.parametrize(
    ("operation", "call", "key", "entries"),
    [
        ("get_databases", {}, "DatabaseList", {"pages", "pages-2"}),
        ("get_tables", {"DatabaseName": DATABASE}, "TableList", {"a", "b", "c"}),
        ("get_partitions", {"DatabaseName": DATABASE, "TableName": "a"}, "Partitions", set(DAYS)),
    ],
)
def test_pages_are_as_long_as_the_call_asks(
    glue: Any, operation: str, call: dict[str, str], key: str, entries: set[str]
) -> None:
    paginator = glue.get_paginator(operation)
    pages = [page[key] for page in paginator.paginate(**call, PaginationConfig={"PageSize": 1})]
    assert {len(page) for page in pages} == {1}
    found = [entry.get("Name") or entry["Values"][0] for (entry,) in pages]
    assert len(found) == len(set(found))
    assert entries <= set(found)


def test_next_page_keeps_the_expression(glue: Any) -> None:
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=DATABASE,
        TableName="a",
        Expression="day >= '2026-11-02'",
        PaginationConfig={"PageSize": 1},
    )
    assert [page["Partitions"][0]["Values"] for page in pages] == [[DAYS[1]], [DAYS[2]]]


@pytest.mark.parametrize(
    "dimensions", [[], [{"Name": "Table", "Value": "Orders"}, {"Name": "Format", "Value": "orc"}]]
)
def test_metric_with_many_values_is_listed_once(
    endpoint: Endpoint, dimensions: list[dict[str, str]]
) -> None:
    cloudwatch = endpoint.client("cloudwatch")
    namespace, now = f"Pages{len(dimensions)}", datetime.now(timezone.utc)
    for minutes in range(3):
        datum = {"MetricName": "Orders", "Value": 1, "Timestamp": now - timedelta(minutes=minutes)}
        cloudwatch.put_metric_data(
            Namespace=namespace, MetricData=[{**datum, "Dimensions": dimensions}]
        )
    (metric,) = cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    assert metric["Dimensions"] == dimensions

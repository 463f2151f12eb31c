"""Whole workflow runs and ``dynoexport publish``, read by Trino 476."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import comparer
import pytest
from changing_items import SNAPSHOTS
from command import Command

from dynoexport import naming

if TYPE_CHECKING:
    from trino_server import Trino

    from dynoexport.local.context import Endpoint

JUDGE = "Trino 476"
TABLE = "Rollback"

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]


def put(dynamodb: Any, items: list[dict[str, Any]]) -> None:
    """Replace all items."""
    for item in dynamodb.scan(TableName=TABLE)["Items"]:
        dynamodb.delete_item(TableName=TABLE, Key={"id": item["id"]})
    for item in items:
        dynamodb.put_item(TableName=TABLE, Item=item)


def test_an_older_snapshot_is_published_again_and_then_the_newer_one(
    endpoint: Endpoint, trino: Trino
) -> None:
    """The view has the older items under the newer one's columns, and back."""
    command, dynamodb = Command(endpoint), endpoint.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    command.ok("init", "--yes")
    command.ok("deploy", TABLE, "--yes", "--read-mode", "native", "--set", "NumberOfWorkers=2")
    for items in SNAPSHOTS[:2]:
        put(dynamodb, items)
        command.ok("run", TABLE, "--wait")
    newer, older = (listed["snapshot"] for listed in command.json("snapshots", TABLE))
    view = naming.view(TABLE)
    for snapshot, items in ((older, SNAPSHOTS[0]), (newer, SNAPSHOTS[1])):
        command.ok("publish", TABLE, snapshot)
        rows = trino.view_named(view, naming.DATABASE)
        assert comparer.differences(items, rows, "parquet") == []

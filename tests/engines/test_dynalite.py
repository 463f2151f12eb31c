"""Exports of dynalite, another DynamoDB: 20,000 hard items, and a table by the command."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import comparer
import dynalite_server
import judges
import pytest
import started_endpoint
from command import Command
from glue_versions import VERSIONS, Jobs
from hard_items import hard_items
from lake import KEY, Lake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dynoexport.local.context import Endpoint

JUDGE = "dynalite"
ITEMS = 20_000
# BatchWriteItem takes 25 items.
BATCH = 25


@pytest.fixture(scope="module")
def with_dynalite(endpoint: Endpoint, prepared: int) -> Iterator[Endpoint]:
    """The endpoint, whose DynamoDB is dynalite."""
    with dynalite_server.serve() as url:
        yield replace(endpoint, dynamodb_endpoint_url=url)


def many_items() -> list[dict[str, Any]]:
    """The hard items again and again, each with a key and a number of its own."""
    items = itertools.islice(itertools.cycle(hard_items()), ITEMS)
    return [
        {**item, KEY: {"S": f"item {number}"}, "number": {"N": str(number)}}
        for number, item in enumerate(items)
    ]


def test_every_cell_of_20_000_items_equals_the_item(
    with_dynalite: Endpoint, tmp_path: Path
) -> None:
    lake = Lake(with_dynalite, None)
    table = lake.table("parquet", [])
    items = many_items()
    for start in range(0, ITEMS, BATCH):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]
        answer = lake.dynamodb.batch_write_item(RequestItems={table.name: requests})
        assert answer["UnprocessedItems"] == {}
    run_id = lake.start_run()
    words = table.export_words(run_id, Splits="7", MaxConsumedReadThroughput="1.0")
    with judges.required(JUDGE):
        (outcome,) = Jobs(with_dynalite, tmp_path).export(VERSIONS["5.1"], [words])
    assert outcome is None
    manifest = table.manifest_of_run(run_id)
    table.show(run_id, manifest)
    assert manifest["items"] == ITEMS
    # As dynalite gives them: it writes 1E+125 with all its zeros.
    assert comparer.differences(table.scan(), table.rows(manifest), "parquet") == []


def test_the_command_exports_a_table_of_dynalite() -> None:
    """From the first step to the rows, with a DynamoDB that the user runs."""
    with (
        dynalite_server.serve() as url,
        started_endpoint.start("--dynamodb-endpoint-url", url) as own,
    ):
        dynamodb = own.client("dynamodb")
        assert dynamodb.meta.endpoint_url == url
        dynamodb.create_table(
            TableName="Orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            ProvisionedThroughput={"ReadCapacityUnits": 100, "WriteCapacityUnits": 100},
        )
        for number in ("1", "2"):
            dynamodb.put_item(
                TableName="Orders", Item={"id": {"S": f"order {number}"}, "n": {"N": number}}
            )
        command = Command(own)
        command.ok("init", "--yes")
        options = ("--read-mode", "native", "--engine", "python", "--catalog-update", "direct")
        command.ok("deploy", "Orders", *options, "--yes")
        command.ok("run", "Orders", "--wait")
        rows = command.json("query", "Orders")
    assert sorted((row["id"], row["n"]) for row in rows) == [("order 1", 1), ("order 2", 2)]

"""Trino 476 runs every SQL statement that README, docs and help texts print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from command import Command, library
from printed_sql import printed, statements

from dynoexport import naming
from dynoexport.aws import exports
from dynoexport.local.demo import REVIEWS, REVIEWS_KEY
from dynoexport.operations.query import statement

if TYPE_CHECKING:
    from trino_server import Trino

    from dynoexport.aws.exports import DeployedExport
    from dynoexport.local.context import Endpoint

JUDGE = "Trino 476"
TABLE = "Reviews"
PRINTED = printed()
# As many as there were when this was written: extraction that finds fewer is broken.
LEAST = 4
# Statements that Athena knows and Trino does not, each with the reason.
ATHENA_ALONE: dict[str, str] = {}

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]


@pytest.fixture(scope="module")
def export(endpoint: Endpoint) -> DeployedExport:
    """README's table with its items, exported once."""
    command, dynamodb = Command(endpoint), endpoint.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": REVIEWS_KEY.hash, "KeyType": "HASH"},
            {"AttributeName": REVIEWS_KEY.range, "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in REVIEWS_KEY.names
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for item in REVIEWS:
        dynamodb.put_item(TableName=TABLE, Item=item)
    command.ok("init", "--yes")
    command.ok("deploy", TABLE, "--yes", "--read-mode", "native", "--set", "NumberOfWorkers=2")
    command.ok("run", TABLE, "--wait")
    return exports.find_one(library(endpoint), TABLE, None)


def test_every_statement_is_found() -> None:
    assert len(PRINTED) >= LEAST


@pytest.mark.parametrize(
    "text",
    [
        'dynoexport query Reviews "SELECT \\"order\\"\n    FROM {view}"',
        "aws athena start-query-execution --query-string 'SELECT \"order\" FROM {view}'",
        'Use `SELECT "order" FROM {view}`.',
        '```sql\nSELECT "order"\nFROM {view};\n```',
        '    SELECT "order"\n    FROM {view}\n\nText.',
    ],
)
def test_a_statement_is_found_in_each_way_of_printing_one(text: str) -> None:
    assert statements(text) == ['SELECT "order" FROM {view}']


def test_statements_of_a_block_are_separate() -> None:
    """Also one that has another in it."""
    text = "```sql\nSHOW TABLES;\nWITH x AS (\nSELECT 1 AS n\n)\nSELECT n FROM x\n```\nSELECT it."
    assert statements(text)[:2] == ["SHOW TABLES", "WITH x AS ( SELECT 1 AS n ) SELECT n FROM x"]


@pytest.mark.parametrize(
    "sql", sorted({sql for _, sql in PRINTED} - ATHENA_ALONE.keys()), ids=lambda sql: sql[:60]
)
def test_a_printed_statement_runs(trino: Trino, export: DeployedExport, sql: str) -> None:
    """With rows, as the page promises."""
    trino.own(export.view, naming.DATABASE)
    assert trino.query(statement(export, sql), naming.DATABASE).rows


def test_query_without_a_statement_runs(trino: Trino, export: DeployedExport) -> None:
    trino.own(export.view, naming.DATABASE)
    rows = trino.query(statement(export, None, 100), naming.DATABASE).rows
    assert {row["user"] for row in rows} == {"Adeline", "Tristan"}

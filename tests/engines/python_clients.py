"""The programs in tests/clients/python: an environment for each, and an account."""

from __future__ import annotations

import functools
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import artifacts
import aws_cli_client
import cdk_client
import client_program
import clients_table
import started_endpoint
from command import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from clients_table import Client

    from dynoexport.local.context import Endpoint

ORDERS = 30


@contextmanager
def exported() -> Iterator[Endpoint]:
    """An endpoint with a table, one snapshot of it and its view."""
    with started_endpoint.start() as endpoint:
        dynoexport = Command(endpoint)
        dynoexport.ok("init", "--yes")
        dynamodb = endpoint.client("dynamodb")
        dynamodb.create_table(
            TableName="Orders",
            KeySchema=[{"AttributeName": "OrderId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "OrderId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for number in range(1, ORDERS + 1):
            dynamodb.put_item(TableName="Orders", Item=order(number))
        cheap = ("--read-mode", "native", "--engine", "python", "--catalog-update", "direct")
        dynoexport.ok("deploy", "Orders", *cheap, "--yes")
        dynoexport.ok("run", "Orders", "--wait")
        yield endpoint


def order(number: int) -> dict[str, Any]:
    """One item, with most of DynamoDB's types."""
    paid = number % 2 == 0
    return {
        "OrderId": {"S": f"order-{number:02}"},
        "Number": {"N": str(number)},
        "Price": {"N": f"{number}.25"},
        "Paid": {"BOOL": paid},
        "Tags": {"SS": ["new", "gift"]},
        "Lines": {"L": [{"N": str(number)}, {"N": str(number + 1)}]},
        "Customer": {"M": {"name": {"S": "Zoë"}, "age": {"N": "36"}}},
        "Photo": {"B": bytes([number, 255])},
        **({"Note": {"S": "paid"}} if paid else {}),
    }


def answers(client: Client, endpoint: Endpoint, scratch: Path) -> dict[str, Any]:
    """What the client's program prints.

    Raises:
        UnavailableError: a package cannot be had.
    """
    python = artifacts.environment(client.requirements) / "bin" / "python"
    done = client_program.run([python, client.source], endpoint, scratch, home=scratch)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


RUNS: Mapping[str, Callable[[Endpoint, Path], dict[str, Any]]] = {
    **{name: functools.partial(answers, client) for name, client in clients_table.CLIENTS.items()},
    "AWS CLI v2": aws_cli_client.answers,
    "cdk": cdk_client.answers,
}

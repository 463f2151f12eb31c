"""What the local endpoint spends on putting and scanning items, beside moto's own server.

With ``--export`` it also exports the last table with the Python engine, as a user does.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from rich.console import Console
from rich.table import Table

from dynoexport.local import context

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
NAME, PAGE, BATCH = "Scanned", 400, 25
KEYS: dict[str, Any] = {
    "aws_access_key_id": "x",
    "aws_secret_access_key": "x",
    "region_name": "us-east-1",
}
EXPORT = ("--read-mode", "native", "--engine", "python", "--catalog-update", "direct")
TICKS = os.sysconf("SC_CLK_TCK")


class Server(NamedTuple):
    """A server with its process, and the environment that reaches it, if it is the endpoint."""

    dynamodb: Any
    process: int
    env: dict[str, str]

    def cpu(self) -> float:
        """The processor time so far, in seconds."""
        text = Path(f"/proc/{self.process}/stat").read_text(encoding="utf-8")
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS


@contextmanager
def serving(*words: str) -> Iterator[Server]:
    """The server, with an empty account."""
    with subprocess.Popen(
        [str(BIN / words[0]), *words[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        url = next(found[0] for line in lines if (found := re.search(r"http://[\d.]+:\d+", line)))
        if "moto_server" in words:
            yield Server(boto3.client("dynamodb", endpoint_url=url, **KEYS), process.pid, {})
        else:
            endpoint = context.connect(url)
            yield Server(endpoint.client("dynamodb"), process.pid, endpoint.env)
        process.terminate()


def item(number: int) -> dict[str, Any]:
    return {
        "id": {"S": f"{number:09}"},
        "name": {"S": "the name of it"},
        "number": {"N": str(number)},
        "tags": {"SS": ["a", "b"]},
        "more": {"M": {"x": {"N": "1"}, "y": {"BOOL": True}}},
    }


def put(server: Server, items: int) -> float:
    """Microseconds of the server's processor time for each item that is put."""
    key, kind = "id", "S"
    server.dynamodb.create_table(
        TableName=NAME,
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind}],
        BillingMode="PAY_PER_REQUEST",
    )
    before = server.cpu()
    for first in range(0, items, BATCH):
        numbers = range(first, min(first + BATCH, items))
        requests = [{"PutRequest": {"Item": item(number)}} for number in numbers]
        server.dynamodb.batch_write_item(RequestItems={NAME: requests})
    return (server.cpu() - before) * 1e6 / items


def scan(server: Server, items: int) -> float:
    """Microseconds of the server's processor time for each item that is read."""
    before = server.cpu()
    pages = server.dynamodb.get_paginator("scan").paginate(
        TableName=NAME, PaginationConfig={"PageSize": PAGE}
    )
    assert sum(page["Count"] for page in pages) == items
    return (server.cpu() - before) * 1e6 / items


def export(server: Server) -> float:
    """Seconds of ``run --wait``."""
    for words in (("init", "--yes"), ("deploy", NAME, *EXPORT, "--yes")):
        dynoexport(server, *words)
    began = time.monotonic()
    dynoexport(server, "run", NAME, "--wait")
    return time.monotonic() - began


def dynoexport(server: Server, *words: str) -> None:
    env = {**os.environ, **server.env}
    subprocess.run([str(BIN / "dynoexport"), *words], env=env, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[400, 4000, 20000])
    parser.add_argument("--of-peer", type=int, default=4000, help="most items for moto's server")
    parser.add_argument("--export", action="store_true")
    given = parser.parse_args()
    grid = Table("items", "server", "put, µs an item", "scan, µs an item", "export, s")
    for items in given.items:
        if items <= given.of_peer:
            with serving("moto_server", "-p", "0") as peer:
                grid.add_row(
                    str(items), "moto", f"{put(peer, items):.0f}", f"{scan(peer, items):.0f}"
                )
        with serving("dynoexport", "local", "start", "--port", "0") as ours:
            figures = [f"{put(ours, items):.0f}", f"{scan(ours, items):.0f}"]
            if given.export and items == given.items[-1]:
                figures.append(f"{export(ours):.0f}")
            grid.add_row(str(items), "endpoint", *figures)
    Console().print(grid)


if __name__ == "__main__":
    main()

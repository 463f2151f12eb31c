"""What ``dynoexport query`` writes: exact bytes for programs, harmless text for a terminal."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from command import COMMAND, Command, crawl, create_table, library, put_snapshot
from pyarrow import parquet

import dynoexport
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from pathlib import Path

    from account import Account

SNAPSHOT = "2026-01-03T10:00"
# Ends the title that it sets, colours what follows, and reverses the rest.
EVIL = "nice\x1b]0;owned\x07\x1b[31m\u202egnp.exe\x9b2J\u2066 price é\t1"
OBEYED = "\x1b\x07\u202e\x9b\u2066"


@pytest.fixture(scope="module")
def command(account: Account) -> Command:
    found = Command(account.endpoint)
    dynoexport.init(library(account.endpoint))
    return found


@pytest.fixture(scope="module")
def table(command: Command) -> str:
    """A json export with one item that a terminal would obey."""
    name, account = f"T{uuid.uuid4().hex}", library(command.endpoint)
    create_table(command.endpoint, name)
    dynoexport.deploy(account, name, fmt=OutputFormat.JSON)
    column = {"name": "text", "type": "string", "attribute": "text", "view": "text", "shown": True}
    put_snapshot(command.endpoint, name, SNAPSHOT, [{"text": EVIL}], schema=[column])
    crawl(command.endpoint, name)
    dynoexport.publish(account, name, SNAPSHOT)
    return name


def on_terminal(command: Command, *words: str) -> str:
    """What the command sends to a terminal."""
    ours, theirs = pty.openpty()
    size = {"COLUMNS": "200", "LINES": "50", "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(
        [COMMAND, *words],
        env={**command.env, **size},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        sent = b""
        try:
            while chunk := os.read(ours, 1 << 16):
                sent += chunk
        except OSError:
            # Linux reports EIO when the last writer has gone.
            pass
        finally:
            os.close(ours)
    assert process.returncode == 0, sent
    return sent.decode()


@pytest.mark.parametrize("output", ["text", "csv", "json"])
def test_terminal_gets_no_text_that_it_would_obey(
    command: Command, table: str, output: str
) -> None:
    shown = on_terminal(command, "query", table, "--output", output)
    # rich shows tables in bold.
    shown = shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert "price é" in shown
    assert not set(OBEYED) & set(shown)


def test_terminal_named_as_the_file_gets_no_text_that_it_would_obey(
    command: Command, table: str
) -> None:
    shown = on_terminal(command, "query", table, "--output", "csv", "--to", "/dev/stdout")
    assert "price é" in shown
    assert not set(OBEYED) & set(shown)


def test_pipe_and_file_get_exact_values(command: Command, table: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    command.ok("query", table, "--output", "csv", "--to", str(path))
    piped = command.ok("query", table, "--output", "csv")
    assert piped == path.read_text()
    (row,) = csv.DictReader(io.StringIO(piped))
    assert row["text"] == EVIL
    (record,) = json.loads(command.ok("query", table, "--output", "json"))
    assert record["text"] == EVIL


def test_parquet_has_the_digits_of_decimals(command: Command, table: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    sql = (
        "SELECT CAST(7.5 AS decimal(9,2)) AS price, CAST(1 AS decimal(38,0)) AS number, "
        "CAST(0.25 AS real) AS part, DATE '2026-01-03' AS day FROM {view}"
    )
    command.ok("query", table, sql, "--output", "parquet", "--to", str(path))
    written = parquet.read_table(path)
    assert written.schema.types == [
        pa.decimal128(9, 2),
        pa.decimal128(38, 0),
        pa.float32(),
        pa.date32(),
    ]
    assert written.to_pylist()[0]["price"] == Decimal("7.50")

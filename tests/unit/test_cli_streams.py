"""stdin, stdout and stderr that are closed, full, or in another encoding: one line, exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from waiting_lines import without_waiting

ROOT = Path(__file__).parents[2]
ORDERS = ROOT / "docs" / "examples" / "orders.json"
PLAN = f"plan --describe {ORDERS}"


def shell(words: str, streams: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell that redirects its streams."""
    program = f"exec {sys.executable} -m dynoexport {words} {streams}"
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    done = subprocess.run(
        ["/bin/sh", "-c", program],
        env={**os.environ, **nowhere, **keys, **env},
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    done.stderr = without_waiting(done.stderr)
    return done


@pytest.mark.parametrize("words", ["--help", "query --help", "--version", "names Orders", PLAN])
def test_full_disk_is_one_line(words: str) -> None:
    done = shell(words, "> /dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: the output cannot be written: No space left on device",
        "  free space, or write elsewhere",
    ]


@pytest.mark.parametrize(
    ("words", "streams", "code", "line"),
    [
        ("plan --describe -", "<&-", 1, "Error: the description is empty"),
        ("status", "<&- >&-", 1, "Error: GetResources failed: Could not connect to the endpoint"),
        (PLAN, ">&-", 0, ""),
        ("status", "<&- >&- 2>&-", 1, ""),
        ("status", "2>/dev/full", 1, ""),
    ],
)
def test_closed_stream_is_not_an_error(words: str, streams: str, code: int, line: str) -> None:
    done = shell(words, streams)
    assert done.returncode == code
    assert done.stderr.startswith(line)
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_encoding_without_some_letters_is_not_an_error(encoding: str) -> None:
    env = {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0"}
    named = shell("names 'Größe€\U0001f600'", **env)
    assert named.returncode == 1
    assert "is not a DynamoDB table name" in named.stderr
    assert "Traceback" not in named.stderr
    assert shell(PLAN, **env).returncode == 0


@pytest.mark.parametrize("words", ["plan --describe", f"{PLAN} --prices"])
def test_device_without_end_is_refused(words: str) -> None:
    done = shell(f"{words} /dev/zero")
    assert done.returncode in {1, 2}
    assert "Error: " in done.stderr
    assert "unexpected" not in done.stderr


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("localhost:4600", "AWS_ENDPOINT_URL"),
        ("http://", "AWS_ENDPOINT_URL_GLUE"),
        ("http://[::1", "AWS_ENDPOINT_URL"),
        ("http://[::1", "--endpoint-url"),
        ("ftp://host", "--endpoint-url"),
        ("http://host:x", "AWS_ENDPOINT_URL_GLUE"),
    ],
)
def test_an_invalid_endpoint_url_is_refused(url: str, where: str) -> None:
    option = f"--endpoint-url '{url}'" if where.startswith("--") else ""
    done = shell(f"query Orders {option}", **({} if option else {where: url}))
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {url!r} is not the URL of an endpoint\n")


@pytest.mark.parametrize(
    ("command", "name"),
    [("init", "''"), ("deploy Orders", "a" * 129), ("init", "9lives"), ("init", "'a b'")],
)
def test_name_that_no_stack_has_is_refused(command: str, name: str) -> None:
    done = shell(f"{command} --common-stack {name}")
    assert done.returncode == 2
    assert "a stack's name has 1 to 128 letters" in done.stderr

"""stdin, stdout and stderr that are closed, full, or in another encoding: one line, exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from command_tree import COMMANDS, usual
from waiting_lines import without_waiting

from dynoexport.cli import main

ROOT = Path(__file__).parents[2]
ORDERS = ROOT / "docs" / "examples" / "orders.json"
PLAN = f"plan --describe {ORDERS}"
NOBODY = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
}


def shell(words: str, streams: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a shell that redirects its streams."""
    program = f"exec {sys.executable} -m dynoexport {words} {streams}"
    done = subprocess.run(
        ["/bin/sh", "-c", program],
        env={**os.environ, **NOBODY, **env},
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


def test_refused_option_leaves_no_file_open() -> None:
    """Python reports on stderr a file that nobody has closed."""
    program = f"-X dev -W error -m dynoexport {PLAN} --output nonsense"
    done = subprocess.run(
        [sys.executable, *program.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: Invalid value for '--output'")
    assert "ResourceWarning" not in done.stderr


def test_no_option_opens_its_file_before_all_options_are_checked() -> None:
    """Click closes a file only if the command begins."""
    for path, command in COMMANDS.items():
        for parameter in command.params:
            assert not isinstance(parameter.type, click.File), (path, parameter.name)


# Parameters whose empty value means something, or is refused with the export's other settings.
MAY_BE_EMPTY = {
    ("deploy", "Columns"): "resets it",
    ("deploy", "Exclude"): "resets it",
    ("deploy", "Where"): "resets it",
    ("deploy", "schedule"): "no cron expression: refused with the other parameters",
    ("names", "catalog_prefix"): "there is no prefix",
    ("permissions", "boundary"): "the usual boundary",
    ("permissions", "key"): "there is no key",
}
NAMES = [
    (path, parameter)
    for path, command in COMMANDS.items()
    for parameter in command.params
    if isinstance(parameter.type, (click.types.StringParamType, click.Path))
    and (path[-1], parameter.name) not in MAY_BE_EMPTY
]


@pytest.mark.parametrize(
    ("path", "parameter"),
    NAMES,
    ids=[f"{' '.join(path)} {parameter.opts[0]}" for path, parameter in NAMES],
)
def test_empty_value_is_refused_before_anything_happens(
    path: tuple[str, ...],
    parameter: click.Parameter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It comes from a shell variable that is not set: --region "$REGION"."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, with_empty(path, parameter), env=NOBODY)
    assert done.exit_code in {1, 2}, done.output
    assert "Error: " in done.stderr
    assert "connect" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def with_empty(path: tuple[str, ...], empty: click.Parameter) -> list[str]:
    """The words of a command in which this parameter is empty."""
    words = [*path, empty.opts[0], ""] if isinstance(empty, click.Option) else list(path)
    arguments = [
        "" if parameter is empty else usual(parameter)
        for parameter in COMMANDS[path].params
        if isinstance(parameter, click.Argument) and (parameter.required or parameter is empty)
    ]
    return [*words, "--", *arguments]


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
    [
        ("init", "''"),
        ("doctor", "''"),
        ("deploy Orders", "a" * 129),
        ("init", "9lives"),
        ("init", "'a b'"),
    ],
)
def test_name_that_no_stack_has_is_refused(command: str, name: str) -> None:
    done = shell(f"{command} --common-stack {name}")
    assert done.returncode == 2
    assert "a stack's name has 1 to 128 letters" in done.stderr

"""Help texts are complete, and wrong usage ends in one line (tests/language has the words)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from dynoexport.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path, groups and their commands included."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


COMMANDS = dict(commands(main))  # type: ignore[arg-type]


def help_of(*words: str) -> str:
    return CliRunner().invoke(main, [*words, "--help"], prog_name="dynoexport").output


def test_no_line_of_a_list_of_commands_is_clipped() -> None:
    lists = [help_of(), help_of("local")]
    listed = [line for text in lists for line in text.partition("\nCommands:\n")[2].splitlines()]
    assert len(listed) == len(COMMANDS)
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_has_a_help_text_that_is_a_sentence(path: tuple[str, ...]) -> None:
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option):
            text = (parameter.help or "").partition("  [default")[0]
            assert re.fullmatch(r"[A-Z][a-z].*\.", text), parameter.name


# --- wrong usage ----------------------------------------------------------------------------------
def refused(*words: str) -> str:
    """What the command prints about wrong usage, its last line."""
    environment = {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    done = CliRunner().invoke(main, words, env=environment)
    assert (done.exit_code, done.stdout) == (2, "")
    return done.stderr


def test_permissions_names_its_missing_argument() -> None:
    text = refused("permissions")
    assert "Missing argument 'TASK'" in text
    assert "{" not in text


def test_an_empty_query_is_wrong_usage() -> None:
    line = refused("query", "Reviews", "  ").splitlines()[-1]
    assert line == "Error: The SQL is empty. Leave it out to print the rows of the view."


@pytest.mark.parametrize("url", ["foo", "localhost:4600"])
def test_an_endpoint_that_is_no_url_is_refused_in_a_line(url: str) -> None:
    assert refused("status", "--endpoint-url", url).splitlines() == [
        f"Error: {url!r} is not the URL of an endpoint",
        "  write it with its protocol, such as http://127.0.0.1:4600",
    ]

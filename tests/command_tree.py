"""Every command, from click's own tree: a new one is tested without a change in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dynoexport.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator


def leaves(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each command that is not a group, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        subcommand = command.get_command(context, name)
        assert subcommand is not None
        yield from leaves(subcommand, *path, name)


COMMANDS = dict(leaves(main))


def usual(parameter: click.Parameter) -> str:
    """A value that a required argument takes."""
    kind = parameter.type
    return str(kind.choices[0]) if isinstance(kind, click.Choice) else "Reviews"

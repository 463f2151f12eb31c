"""``--debug``: each AWS call on stderr, and the traceback of an unexpected error."""

from __future__ import annotations

from typing import Any

import click

from dynoexport import __version__

_DEBUG = "dynoexport.debug"


def is_on(context: click.Context) -> bool:
    """Whether the command line asks for it, before or after the command."""
    return bool(context.find_root().meta.get(_DEBUG))


def add_option(command: click.Command) -> click.Command:
    """The command with ``--debug``; a group gives it to its own commands, too."""
    if not any(parameter.name == "debug" for parameter in command.params):
        command.params.append(_option())
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            add_option(subcommand)
    return command


def _option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_switch_on,
        help="Log each AWS call to stderr; show tracebacks.",
    )


def _switch_on(context: click.Context, _: click.Parameter, value: Any) -> None:  # noqa: ANN401 - click's
    if not value or is_on(context):
        return
    # Not for --help: a start without logging takes 3 of 100 ms less.
    import logging
    import platform

    context.find_root().meta[_DEBUG] = True
    ours = logging.getLogger("dynoexport")
    if not ours.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
        ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    ours.propagate = False
    started = logging.getLogger(__name__)
    started.debug("dynoexport %s, Python %s", __version__, platform.python_version())

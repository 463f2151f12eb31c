"""The ``dynoexport`` command: parse, call one function, print.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 failed, 2 usage,
130 interrupted.
"""

from __future__ import annotations

import importlib

import click

from dynoexport import __version__
from dynoexport.errors import DynoexportError

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# Each command's module and the name in it. Imported when the command is asked for, and light
# even then: what is heavy is imported by the function that the command calls.
_COMMANDS = {
    "local": ("dynoexport.cli.local", "local"),
    "names": ("dynoexport.cli.names", "names"),
    "templates": ("dynoexport.cli.templates", "templates"),
}


class Dynoexport(click.Group):
    """Loads commands when they are needed, and tells faults in a line instead of a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DynoexportError as error:
            _tell(error.what, error.hint)
            ctx.exit(error.exit_code)
        except ModuleNotFoundError as error:
            if _is_ours(error):
                raise
            _tell(f"{error.name} is not installed", "pip install 'dynoexport[local]'")
            ctx.exit(DynoexportError.exit_code)
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(_INTERRUPTED)


def _tell(what: str, hint: str) -> None:
    click.echo(f"Error: {what}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)


def _is_ours(error: ModuleNotFoundError) -> bool:
    """Whether a module of this package is missing, which no extra would bring."""
    return (error.name or "").partition(".")[0] == __package__.partition(".")[0]


@click.command(cls=Dynoexport, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dynoexport")
def main() -> None:
    """DynamoDB tables in S3 and Athena, on a schedule, by AWS Glue Workflows alone."""

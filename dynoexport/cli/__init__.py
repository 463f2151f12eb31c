"""The ``dynoexport`` command: parse, call one function, print.

Results go to stdout, progress and errors to stderr.
"""

from __future__ import annotations

import errno
import importlib
import sys
import textwrap
import traceback
from typing import Any, NoReturn

import click

from dynoexport import __version__
from dynoexport.aws.errors import explain
from dynoexport.cli import debugging
from dynoexport.cli.common import INTERRUPTED, connection_options
from dynoexport.errors import DynoexportError, one_line

# Each command's module. It is imported when its command is needed, and even then it is light: the
# function that the command calls imports what is heavy.
_COMMANDS = {
    "adopt": "adopt",
    "completion": "completion",
    "deploy": "deploy",
    "destroy": "deploy",
    "disable": "run",
    "doctor": "doctor",
    "enable": "run",
    "init": "deploy",
    "local": "local",
    "logs": "run",
    "names": "names",
    "plan": "plan",
    "permissions": "permissions",
    "prune": "snapshots",
    "publish": "snapshots",
    "query": "query",
    "run": "run",
    "runs": "run",
    "snapshots": "snapshots",
    "status": "status",
    "stop": "run",
    "templates": "templates",
    "verify": "snapshots",
    "watch": "run",
}
# The extra that installs a missing module.
_EXTRAS = {"pyarrow": "files", "fastavro": "files"}
# A disk or a device is full. open_output names the file; here it is stdout or stderr.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Dynoexport(click.Group):
    """Loads commands when they are needed, and prints errors in a line, not as a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return debugging.add_option(command)

    def main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - click's signature
        """Run the command; click prints the help before it invokes anything."""
        try:
            return super().main(*args, **options)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            _echo_full(error)
            sys.exit(DynoexportError.exit_code)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            # click's own ways to end.
            raise
        except click.ClickException as error:
            # It quotes what was given, which may be anything. Final it is for types alone.
            error.message = one_line(error.message)  # type: ignore[misc]
            raise
        except DynoexportError as error:
            _echo_error(error.what, error.hint)
            ctx.exit(error.exit_code)
        except ModuleNotFoundError as error:
            if _is_ours(error):
                self._end_unexpectedly(ctx, error)
            extra = _EXTRAS.get(error.name or "", "local")
            hint = f"in the clone of dynoexport, run: pip install '.[{extra}]'"
            _echo_error(f"{error.name} is not installed", hint)
            ctx.exit(DynoexportError.exit_code)
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader has read enough: head, or a pager that was closed.
            sys.stdout = None
            ctx.exit(0)
        except Exception as error:  # noqa: BLE001 - the last door: no traceback for a user
            self._end(ctx, error)

    def _end(self, ctx: click.Context, error: Exception) -> NoReturn:
        """End with one line if the error comes from AWS, a full disk or a path."""
        explained = explain(error)
        if isinstance(error, OSError) and error.errno in _FULL:
            _echo_full(error)
        elif isinstance(error, OSError) and error.filename is not None:
            _echo_error(one_line(f"{error.filename}: {error.strerror}"), "name another path")
        elif explained is None:
            self._end_unexpectedly(ctx, error)
        else:
            _echo_error(explained.what, explained.hint)
            ctx.exit(explained.exit_code)
        ctx.exit(DynoexportError.exit_code)

    @staticmethod
    def _end_unexpectedly(ctx: click.Context, error: Exception) -> NoReturn:
        """End with one line, or with the places of the traceback if --debug is set.

        People send either to others. Neither has a value of an item, which the text of an error may
        quote.
        """
        from dynoexport.jobs.failures import describe_error

        said = one_line(f"unexpected {describe_error(error)}")
        if debugging.is_on(ctx):
            places = "".join(traceback.format_tb(error.__traceback__))
            click.echo(f"Traceback (most recent call last):\n{places}{said}", err=True)
        else:
            _echo_error(said, "run it again with --debug, and report the traceback")
        ctx.exit(DynoexportError.exit_code)


def _echo_full(error: OSError) -> None:
    _echo_error(f"the output cannot be written: {error.strerror}", "free space, or write elsewhere")


def _echo_error(what: str, hint: str) -> None:
    click.echo(f"Error: {what}", err=True)
    if hint:
        click.echo(textwrap.indent(hint, "  "), err=True)


def _is_ours(error: ModuleNotFoundError) -> bool:
    """Whether a module of this package is missing, which no extra installs."""
    return (error.name or "").partition(".")[0] == __package__.partition(".")[0]


def _print_help_all(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from dynoexport.cli import reference

        click.echo(reference.text())
        context.exit()


@click.command(cls=Dynoexport, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dynoexport")
@connection_options
@click.option(
    "--help-all",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_help_all,
    help="Show the help of every command and exit.",
)
def main(profile: str | None, region: str | None, endpoint_url: str | None) -> None:
    """Export DynamoDB tables to S3 and Athena on a schedule, with AWS Glue workflows.

    dynoexport uses the settings of the aws command: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL.
    You can write --profile, --region and --endpoint-url before or after the name of a command.

    \b
    First steps:
      dynoexport init
      dynoexport deploy Reviews --read-mode native --auto --enable
      dynoexport run Reviews --wait
      dynoexport query Reviews

    \b
    Exit codes:
      0    done
      1    failed
      2    wrong usage
      3    a snapshot is too old, missing or damaged (status --stale)
      130  interrupted by Ctrl-C
    """


debugging.add_option(main)

"""What commands share: where to work, how to answer, how to ask."""

from __future__ import annotations

import functools
import math
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import dynoexport
from dynoexport import limits, settings, units
from dynoexport.errors import DynoexportError
from dynoexport.model import OutputFormat
from dynoexport.presentation import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from click.shell_completion import CompletionItem
    from rich.console import Console

    from dynoexport import Account
EXIT_STALE = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells report it

_AWS = ("profile", "region", "endpoint_url")


# --- what is given --------------------------------------------------------------------------------
def _refuse_empty(value: object, param: click.Parameter | None, ctx: click.Context | None) -> None:
    """It comes from a shell variable that is not set, and would stand for something else."""
    if value == "":
        raise click.BadParameter("it is empty.", ctx, param)


class Text(click.types.StringParamType):
    """A name."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        _refuse_empty(value, param, ctx)
        text: str = super().convert(value, param, ctx)
        return text


class Folder(click.Path):
    """A folder; an empty path would be the current one."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, file_okay=False, path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        _refuse_empty(value, param, ctx)
        return super().convert(value, param, ctx)


def _stack_name(_: click.Context, param: click.Parameter, value: str) -> str:
    if len(value) > limits.STACK_NAME_MAX or not re.fullmatch(limits.STACK_NAME_PATTERN, value):
        raise click.BadParameter(
            f"a stack's name has 1 to {limits.STACK_NAME_MAX} letters, digits and hyphens, and "
            "begins with a letter",
            param=param,
        )
    return value


stack_option = click.option(
    "--common-stack",
    metavar="STACK",
    callback=_stack_name,
    default=settings.DEFAULT_COMMON_STACK,
    show_default=True,
    help="Use the common stack of this name.",
)


# --- where to work --------------------------------------------------------------------------------
def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--profile``, ``--region`` and ``--endpoint-url``; the command gets the account."""

    @aws_options_if_needed
    @functools.wraps(command)
    def with_account(connect: Callable[[], Account], **options: object) -> object:
        return command(account=connect(), **options)

    return with_account


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--profile``, ``--region`` and ``--endpoint-url``."""
    for option, metavar, text in (
        ("--endpoint-url", "URL", "Call AWS at this URL, such as the local endpoint."),
        ("--region", "REGION", "Work in this AWS region."),
        ("--profile", "NAME", "Use this profile of your AWS configuration."),
    ):
        command = click.option(option, type=Text(), metavar=metavar, help=text)(command)
    return command


def aws_options_if_needed(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same options; the command gets a function that connects."""

    @connection_options
    @functools.wraps(command)
    def with_connect(**options: object) -> object:
        own = {name: options.pop(name) for name in _AWS}
        connect = functools.partial(_connect, click.get_current_context(), own)
        return command(connect=connect, **options)

    return with_connect


def _connect(context: click.Context, own: Mapping[str, Any]) -> Account:
    """A command's own option overrides the one before the command's name."""
    root = context.find_root().params
    return dynoexport.connect(**{name: own[name] or root.get(name) for name in _AWS})


class TableName(Text):
    """A DynamoDB table; the shell completes those that are exported, or all."""

    name = "table"

    def __init__(self, *, exported: bool) -> None:
        self._exported = exported

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        # After TAB, nobody waits for ten attempts.
        os.environ.setdefault("AWS_MAX_ATTEMPTS", "1")
        try:
            # No context is current while a shell completes.
            names = self._names(_connect(ctx, {name: ctx.params.get(name) for name in _AWS}))
        except Exception:  # noqa: BLE001 - whatever is wrong, a shell must not be disturbed
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    def _names(self, account: Account) -> list[str]:
        from dynoexport.aws import exports

        if self._exported:
            return sorted({export.table for export in exports.find_all(account)})
        pages = account.dynamodb.get_paginator("list_tables").paginate()
        return [name for page in pages for name in page["TableNames"]]


def table_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """One exported table, and its format where it is exported in several."""
    command = format_option("Choose the export if the table has several.")(command)
    return click.argument("table", type=TableName(exported=True))(command)


def format_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--format``, as an ``OutputFormat`` or None."""
    return click.option(
        "--format",
        "fmt",
        type=click.Choice([fmt.value for fmt in OutputFormat]),
        callback=lambda _, __, value: OutputFormat(value) if value else None,
        help=help_text,
    )


def _finite(_: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """A number of dollars; click accepts nan as a number in every range."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value:g} is not a number of dollars", param=param)
    return value


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--target-duration``, which ``parse_seconds`` reads, and ``--max-cost``."""
    command = click.option(
        "--max-cost",
        metavar="USD",
        type=click.FloatRange(min=0),
        callback=_finite,
        help="Find a job whose runs cost at most this many dollars each.",
    )(command)
    return click.option(
        "--target-duration",
        metavar="TIME",
        help="Find a job whose runs take no longer, such as 30m.",
    )(command)


def parse_seconds(duration: str | None) -> float | None:
    """The seconds of a duration such as 30m; None stays None.

    Raises:
        DurationRefused: it is not a duration.
    """
    return None if duration is None else units.parse_duration(duration).total_seconds()


def _pairs(_: click.Context, param: click.Parameter, values: Iterable[str]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", param=param)
        pairs[name] = text
    return pairs


def set_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--set NAME=VALUE``, many times, as a dictionary ``settings``."""
    return click.option(
        "--set", "settings", multiple=True, metavar="NAME=VALUE", callback=_pairs, help=what
    )


# --- how to answer --------------------------------------------------------------------------------
def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--output``, as ``as_json``."""

    @click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Print text, or JSON (docs/json.md).",
    )
    @functools.wraps(command)
    def with_output(output: str, **options: object) -> object:
        return command(as_json=output == "json", **options)

    return with_output


def print_json(value: object) -> None:
    """The result on stdout."""
    click.echo(terminal.json_text(value, indent=2))


def out() -> Console:
    """Where results go. Colours only on a terminal, and not if NO_COLOR is set."""
    return _console(stderr=False)


def err() -> Console:
    """Where progress, questions and warnings go."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    class QuietConsole(Console):
        """Ends like every other output when its reader has read enough."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return QuietConsole(stderr=stderr, highlight=False)


def echo_err(text: str) -> None:
    """One line of progress, however long, on stderr."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    """A warning on stderr; its further lines say what to do."""
    echo_err(terminal.printable(f"Warning: {text}"))


def report_faults(subject: str, faults: Sequence[str]) -> None:
    """One line on how a snapshot's files differ from its manifest; nothing if they match."""
    if faults:
        more = f", and {units.count(len(faults) - 1)} more" if len(faults) > 1 else ""
        echo_err(terminal.printable(f"{subject} is damaged: {faults[0]}{more}"))


no_sample_option = click.option(
    "--no-sample",
    is_flag=True,
    help="Skip the look at one page of the table for values that the connector would change.",
)


# --- how to ask -----------------------------------------------------------------------------------
yes_option = click.option("--yes", is_flag=True, help="Skip confirmation.")


def confirm(question: str, *, yes: bool) -> bool:
    """Ask on stderr; without a terminal only ``yes`` confirms."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise NotConfirmed("this command asks for confirmation", hint="add --yes")
    try:
        return click.confirm(question, err=True)
    except click.Abort as aborted:
        # click raises it for Ctrl-C, and when the input has ended.
        if isinstance(aborted.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


class NotConfirmed(DynoexportError):
    """A question without a terminal to answer it."""

    exit_code = 2


def unwind_on_signals() -> None:
    """On SIGTERM, and when the terminal closes, stop what was started, as Ctrl-C does."""

    def unwind(number: int, _: object) -> None:
        # https://tldp.org/LDP/abs/html/exitcodes.html
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        # Under nohup the command goes on.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, unwind)

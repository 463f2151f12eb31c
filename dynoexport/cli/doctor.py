"""``dynoexport doctor``: what would keep an export from working."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import dynoexport
from dynoexport import units
from dynoexport.cli import common
from dynoexport.cli.waiting import waiting_for_each
from dynoexport.presentation import records

if TYPE_CHECKING:
    from rich.console import Console

    from dynoexport import Account, Check
_STATE_WIDTH, _NAME_WIDTH = len("warning"), len("may read CloudWatch Logs")
_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "unknown": "yellow"}


@click.command()
@common.stack_option
@common.output_option
@common.aws_options
def doctor(account: Account, *, common_stack: str, as_json: bool) -> None:
    """Check whether exports can run in this account and region.

    Checks your credentials, the common stack, your permissions, Lake Formation, the quotas of AWS
    Glue, and the exports: their versions, snapshots and alarms. Each check prints ok, warning,
    failed, or unknown if it could not be made, and the next step if there is one.

    Changes nothing. Exits 1 if a check fails, 0 if there are only warnings.

    \b
    Examples:
      dynoexport doctor
      dynoexport doctor --profile production --region eu-central-1
    """
    from dynoexport.operations.doctor import FAILED

    console = common.out()
    checks = []
    made = dynoexport.doctor(account, common_stack=common_stack)
    for check in waiting_for_each(made, "Making the next check"):
        checks.append(check)
        if not as_json:
            _print(console, check)
    if as_json:
        common.print_json(records.to_json(checks))
    failed = [check for check in checks if check.state == FAILED]
    if failed:
        common.echo_err(f"Error: {units.count(len(failed), 'check')} failed")
        common.echo_err("  each check has its next step; then run it again: dynoexport doctor")
        click.get_current_context().exit(1)


def _print(console: Console, check: Check) -> None:
    """A line for the finding, a second for the next step; on a terminal they wrap in their column.

    Each check is printed when it is done: the next may take a while.
    """
    from rich.table import Table
    from rich.text import Text

    from dynoexport.presentation import display

    row = Table.grid(padding=(0, 1))
    for width in (_STATE_WIDTH, _NAME_WIDTH, None):
        row.add_column(width=width)
    row.add_row(Text(check.state, _STYLES[check.state]), check.name, Text(check.detail))
    if check.hint:
        row.add_row("", "", Text(check.hint, "dim"))
    display.print_wide(console, row)

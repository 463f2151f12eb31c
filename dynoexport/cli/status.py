"""``dynoexport status``: all exports at a glance, and for a monitor."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

import dynoexport
from dynoexport import units
from dynoexport.cli import common
from dynoexport.cli.waiting import waiting
from dynoexport.presentation import records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from rich.text import Text

    from dynoexport import Account, ExportStatus


@click.command()
@click.argument("tables", metavar="[TABLE...]", nargs=-1, type=common.TableName(exported=True))
@click.option(
    "--stale",
    metavar="AGE",
    help="Exit 3 if a current snapshot is missing, damaged or older than this, such as 26h.",
)
@common.output_option
@common.aws_options
def status(account: Account, *, tables: tuple[str, ...], stale: str | None, as_json: bool) -> None:
    """Show all exports: last run, snapshot, next run.

    Finds exports by the tags of their stacks.

    \b
    Examples:
      dynoexport status
      dynoexport status Reviews Orders
      dynoexport status --stale 26h || echo "an export is late"
    """
    from dynoexport.planning import prices

    limit = units.parse_duration(stale) if stale is not None else None
    now = datetime.now(timezone.utc)
    with waiting("Reading the exports"):
        exports = dynoexport.status(account, *tables, now=now)
    if as_json:
        used = prices.load_prices(account.region)
        common.print_json(
            [
                records.status(
                    export, used, now, stale=None if limit is None else export.is_stale(now, limit)
                )
                for export in exports
            ]
        )
    elif exports:
        _print(exports, now, limit)
        for export in exports:
            common.report_faults(
                f"The snapshot {export.snapshot} of {export.table} ({export.format.value})",
                export.faults,
            )
    else:
        common.echo_err(f"Nothing is exported in {account.region}. Start with: dynoexport init")
    _exit_if_stale(exports, now, limit)


def _exit_if_stale(exports: Sequence[ExportStatus], now: datetime, limit: timedelta | None) -> None:
    late = [export.table for export in exports if limit is not None and export.is_stale(now, limit)]
    if late:
        shown = ", ".join(late[:5]) + (", ..." if len(late) > 5 else "")  # noqa: PLR2004 - a line
        common.echo_err(f"{len(late)} of {len(exports)} stale: {shown}")
        click.get_current_context().exit(common.EXIT_STALE)


def _print(exports: Sequence[ExportStatus], now: datetime, limit: timedelta | None) -> None:
    from dynoexport.presentation import display

    columns = ("TABLE", "FORMAT", "LAST RUN", "SNAPSHOT", "ITEMS", "SIZE", "NEXT RUN")
    rows = [_row(export, now, limit) for export in exports]
    display.print_listing(common.out(), columns, rows, right=("ITEMS", "SIZE"), elastic="TABLE")


def _row(export: ExportStatus, now: datetime, limit: timedelta | None) -> tuple[str | Text, ...]:
    from rich.text import Text

    from dynoexport.presentation import display

    age = export.age(now)
    late = bool(export.faults) or (limit is not None and export.is_stale(now, limit))
    shown = f"{units.duration(age)} old" if age is not None else "none"
    shown += ", damaged" if export.faults else ""
    upcoming = f"in {units.duration(export.next_run - now)}" if export.next_run else "off"
    if export.enabled and not export.next_run:
        upcoming = "never"
    return (
        export.table,
        export.format.value,
        display.last_run(export.last_run, now),
        Text(shown, "bold red" if late else ""),
        units.count(export.items),
        units.size(export.bytes),
        Text(upcoming, "" if export.next_run else "dim"),
    )

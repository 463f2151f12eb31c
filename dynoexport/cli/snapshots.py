"""``dynoexport snapshots``, ``publish``, ``prune``, ``verify``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

import dynoexport
from dynoexport import units
from dynoexport.cli import common
from dynoexport.presentation import records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynoexport import Account, OutputFormat, Snapshot, Verification


# --- snapshots ------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many, the newest first; 0 shows all.",
)
@common.output_option
@common.aws_options
def snapshots(
    account: Account, *, table: str, fmt: OutputFormat | None, limit: int, as_json: bool
) -> None:
    """Show a table's snapshots, the newest first.

    "current" is the one that the view shows. "incomplete" is what a failed run has left, "writing"
    what a run writes now. "damaged" is one whose files differ from its manifest. "foreign" is a
    folder that dynoexport has not written: prune and SnapshotRetentionDays leave it alone.

    \b
    Examples:
      dynoexport snapshots Reviews
      dynoexport snapshots Reviews --limit 0 --output json
    """
    found = dynoexport.snapshots(account, table, fmt=fmt, limit=limit or None)
    if as_json:
        common.print_json(records.to_json(found))
    elif found:
        _print(found)
        for each in found:
            common.report_faults(f"The snapshot {each.timestamp}", each.faults)
        if len(found) == limit:
            common.tell(f"The newest {limit}; --limit 0 shows all.")
    else:
        common.tell(f"{table} has no snapshot yet. Make one with: dynoexport run {table}")


def _print(found: Sequence[Snapshot]) -> None:
    from dynoexport.presentation import display

    now = datetime.now(timezone.utc)
    rows = [
        (
            each.timestamp,
            display.snapshot_state(each),
            units.count(each.items),
            units.count(each.files),
            units.size(each.bytes),
            units.duration(now - each.taken) if each.taken else "",
        )
        for each in found
    ]
    columns = ("SNAPSHOT (UTC)", "STATE", "ITEMS", "FILES", "SIZE", "AGE")
    display.print_listing(common.out(), columns, rows, right=("ITEMS", "FILES", "SIZE", "AGE"))


# --- publish --------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@click.argument("snapshot")
@common.output_option
@common.aws_options
def publish(
    account: Account, *, table: str, fmt: OutputFormat | None, snapshot: str, as_json: bool
) -> None:
    """Let the view show another complete snapshot, older or newer.

    The next run publishes its own snapshot again; 'dynoexport disable' keeps it from running.

    \b
    Example:
      dynoexport publish Reviews 2026-01-31T10:00
    """
    done = dynoexport.publish(account, table, snapshot, fmt=fmt)
    if as_json:
        common.print_json(records.to_json(done))
        return
    if done.before == done.snapshot:
        click.echo(f"{done.view} shows {done.snapshot} already")
    else:
        click.echo(f"{done.view} shows {done.snapshot} with {units.count(done.items, 'item')}")
        click.echo(f"It showed {done.before or 'nothing'} before")


# --- prune ----------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@click.option("--keep", type=click.IntRange(0), metavar="N", help="Keep the N newest whole ones.")
@click.option("--older-than", metavar="AGE", help="Delete those that are older, such as 30d.")
@common.yes_option
@common.output_option
@common.aws_options
def prune(
    account: Account,
    *,
    table: str,
    fmt: OutputFormat | None,
    keep: int | None,
    older_than: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete old snapshots, and what failed runs have left.

    Shows first what would go. The current snapshot never does, nor one that is being written, nor
    a folder that dynoexport has not written ("foreign" in 'dynoexport snapshots').

    \b
    Examples:
      dynoexport prune Reviews --keep 7
      dynoexport prune Reviews --older-than 30d --yes
    """
    if (keep is None) == (older_than is None):
        raise click.UsageError("Give either --keep or --older-than.")

    asked: list[bool] = []

    def approve(goes: Sequence[Snapshot]) -> bool:
        asked.append(_approve(goes, yes=yes))
        return asked[0]

    done = dynoexport.prune(
        account,
        table,
        fmt=fmt,
        keep=keep,
        older_than=units.parse_duration(older_than) if older_than else None,
        approve=approve,
        on_deleted=lambda name, number: common.tell(
            f"  deleted {name}, {units.count(number, 'object')}"
        ),
    )
    if as_json:
        common.print_json(records.to_json(done))
    elif not asked:
        click.echo("Nothing to delete")
    elif not asked[0]:
        click.echo("Nothing was deleted")
    else:
        gone = units.count(len(done.snapshots), "snapshot")
        click.echo(f"Deleted {gone} with {units.count(done.objects, 'object')}")


def _approve(goes: Sequence[Snapshot], *, yes: bool) -> bool:

    size = units.size(sum(each.bytes or 0 for each in goes))
    common.tell(f"{units.count(len(goes), 'snapshot')} with {size} to delete:")
    for each in goes:
        items = units.count(each.items or 0, "item") if each.complete else "incomplete"
        figures = f"{items}, {units.size(each.bytes or 0)}"
        common.tell(f"  {each.timestamp}  {figures}")
    return common.confirm("Delete them?", yes=yes)


# --- verify ---------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@click.argument("snapshot", required=False)
@common.output_option
@common.aws_options
def verify(
    account: Account, *, table: str, fmt: OutputFormat | None, snapshot: str | None, as_json: bool
) -> None:
    """Read every file of a snapshot again, against its manifest.

    Without SNAPSHOT the current one. Exits with 1 if anything is missing, and says what. Needs
    pip install 'dynoexport[files]' for Parquet, ORC and Avro.

    \b
    Examples:
      dynoexport verify Reviews
      dynoexport verify Reviews 2026-01-31T10:00
    """
    from rich.progress import Progress

    with Progress(console=common.err(), transient=True) as progress:
        task = progress.add_task("Reading files", total=None)
        done = dynoexport.verify(
            account,
            table,
            fmt=fmt,
            snapshot=snapshot,
            on_file=lambda number, of: progress.update(task, completed=number, total=of),
        )
    if as_json:
        common.print_json(records.to_json(done))
    else:
        _print_verification(done)
    if not done.whole:
        common.tell(f"Error: the snapshot {done.snapshot} of {table} is not whole")
        click.get_current_context().exit(1)


def _print_verification(done: Verification) -> None:
    from dynoexport.presentation import display

    current = ", current" if done.current else ""
    click.echo(f"{done.table} as {done.format.value}, snapshot {done.snapshot}{current}")
    files, size = units.count(done.files, "file"), units.size(done.bytes)
    click.echo(f"  manifest  {units.count(done.items, 'item')} in {files}, {size}")
    click.echo(f"  files     {units.count(done.rows, 'item')} read")
    if done.table_items is None:
        click.echo("  DynamoDB  the table is gone")
    else:
        click.echo(f"  DynamoDB  {units.count(done.table_items, 'item')}, as counted by AWS")
    for fault in done.faults:
        click.echo(f"  FAULT     {display.printable(fault)}")
    if done.whole:
        click.echo("  whole")

"""``dynoexport snapshots``, ``publish``, ``prune``, ``verify``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

import dynoexport
from dynoexport import units
from dynoexport.cli import common
from dynoexport.cli.waiting import Wait, returning, waiting
from dynoexport.presentation import records, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynoexport import Account, OutputFormat, Snapshot, Verification


# --- snapshots ------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="List at most this many; 0 lists all.",
)
@common.output_option
@common.aws_options
def snapshots(
    account: Account, *, table: str, fmt: OutputFormat | None, limit: int, as_json: bool
) -> None:
    """List a table's snapshots, newest first.

    \b
    States:
      current     the view shows it
      complete    not shown; you can publish it
      writing     a run is writing it
      incomplete  a failed run left it
      damaged     its files differ from its manifest
      foreign     dynoexport did not write it, and never deletes it

    \b
    Examples:
      dynoexport snapshots Reviews
      dynoexport snapshots Reviews --limit 0 --output json
    """
    with waiting("Reading the snapshots"):
        listed = dynoexport.snapshots(account, table, fmt=fmt, limit=limit or None)
    if as_json:
        common.print_json(records.to_json(listed))
    elif listed:
        _print(listed)
        for snapshot in listed:
            common.report_faults(f"The snapshot {snapshot.timestamp}", snapshot.faults)
        _report_losses(table, listed)
        if len(listed) == limit:
            common.echo_err(f"The newest {limit}; --limit 0 shows all.")
    else:
        common.echo_err(f"{table} has no snapshot yet. Create one with: dynoexport run {table}")


def _report_losses(table: str, listed: Sequence[Snapshot]) -> None:
    """In a line, what the connector may have changed in the newest complete snapshot."""
    newest = next((snapshot for snapshot in listed if snapshot.complete), None)
    if newest is None or not newest.losses:
        return
    more = f", and {units.count(len(newest.losses) - 1)} more" if len(newest.losses) > 1 else ""
    what = terminal.printable(newest.losses[0])
    common.echo_err(
        f"The connector may have changed values of the snapshot {newest.timestamp}: {what}{more}"
    )
    common.echo_err(f"  see all of them: dynoexport verify {table} {newest.timestamp}")


def _print(listed: Sequence[Snapshot]) -> None:
    from dynoexport.presentation import display

    now = datetime.now(timezone.utc)
    rows = [
        (
            snapshot.timestamp,
            display.snapshot_state(snapshot),
            units.count(snapshot.items),
            units.count(snapshot.files),
            units.size(snapshot.bytes),
            units.duration(now - snapshot.taken) if snapshot.taken else "",
        )
        for snapshot in listed
    ]
    columns = ("SNAPSHOT (UTC)", "STATE", "ITEMS", "FILES", "SIZE", "AGE")
    display.print_listing(common.out(), columns, rows, right=("ITEMS", "FILES", "SIZE", "AGE"))


# --- publish --------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@click.argument("snapshot", type=common.Text())
@common.output_option
@common.aws_options
def publish(
    account: Account, *, table: str, fmt: OutputFormat | None, snapshot: str, as_json: bool
) -> None:
    """Point the view at another complete snapshot.

    The snapshot can be older or newer than the current one. The next run publishes its own
    snapshot again. To keep this one, switch the schedule off with 'dynoexport disable'.

    \b
    Example:
      dynoexport publish Reviews 2026-01-31T10:00
    """
    with waiting("Waiting for Athena, which makes the view"):
        done = dynoexport.publish(account, table, snapshot, fmt=fmt)
    if as_json:
        common.print_json(records.to_json(done))
        return
    if done.before == done.snapshot:
        click.echo(f"{done.view} already shows {done.snapshot}")
    else:
        click.echo(f"{done.view} shows {done.snapshot} with {units.count(done.items, 'item')}")
        click.echo(f"It showed {done.before or 'nothing'} before")


# --- prune ----------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@click.option(
    "--keep", type=click.IntRange(0), metavar="N", help="Keep the N newest undamaged snapshots."
)
@click.option("--older-than", metavar="AGE", help="Delete snapshots older than this, such as 30d.")
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
    """Delete old snapshots, and what failed runs left behind.

    Give either --keep or --older-than.

    Lists the snapshots and asks first. Never deletes the current snapshot, one that a run is
    writing, or a folder that dynoexport did not write ("foreign" in 'dynoexport snapshots').

    \b
    Examples:
      dynoexport prune Reviews --keep 7
      dynoexport prune Reviews --older-than 30d --yes
    """
    if (keep is None) == (older_than is None):
        raise click.UsageError("Give either --keep or --older-than.")

    asked: list[bool] = []

    def approve(goes: Sequence[Snapshot]) -> bool:
        wait.stop()
        asked.append(_approve(goes, yes=yes))
        if asked[0]:
            wait.show(f"Deleting {units.count(len(goes), 'snapshot')}")
        return asked[0]

    again = "A deletion that has begun goes on. Repeat the command to delete the other snapshots."
    with returning(again), waiting("Checking the snapshots") as wait:
        done = dynoexport.prune(
            account,
            table,
            fmt=fmt,
            keep=keep,
            older_than=None if older_than is None else units.parse_duration(older_than),
            approve=approve,
            on_deleted=lambda name, number: common.echo_err(
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

    size = units.size(sum(snapshot.bytes or 0 for snapshot in goes))
    common.echo_err(f"{units.count(len(goes), 'snapshot')} with {size} to delete:")
    for snapshot in goes:
        items = units.count(snapshot.items or 0, "item") if snapshot.complete else "incomplete"
        figures = f"{items}, {units.size(snapshot.bytes or 0)}"
        common.echo_err(f"  {snapshot.timestamp}  {figures}")
    return common.confirm("Delete them?", yes=yes)


# --- verify ---------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@click.argument("snapshot", required=False, type=common.Text())
@common.output_option
@common.aws_options
def verify(
    account: Account, *, table: str, fmt: OutputFormat | None, snapshot: str | None, as_json: bool
) -> None:
    """Check every file of a snapshot against its manifest.

    Reads the files of SNAPSHOT, or of the current snapshot, and counts the items in them. Exits 1
    if something is missing or damaged, and says what.

    For parquet, orc and avro, first run in the clone of dynoexport: pip install '.[files]'

    \b
    Examples:
      dynoexport verify Reviews
      dynoexport verify Reviews 2026-01-31T10:00
    """
    with waiting("Reading the files of the snapshot") as wait:
        done = dynoexport.verify(
            account, table, fmt=fmt, snapshot=snapshot, on_file=show_files(wait)
        )
    if as_json:
        common.print_json(records.to_json(done))
    else:
        _print_verification(done)
    if not done.whole:
        common.echo_err(f"Error: the snapshot {done.snapshot} of {table} is damaged")
        common.echo_err(f"  create a new one: dynoexport run {table}")
        click.get_current_context().exit(1)


def show_files(wait: Wait) -> Callable[[int, int], None]:
    """Show how many files are read: on a terminal each, elsewhere each tenth of them."""
    live = common.err().is_terminal

    def show(number: int, of: int) -> None:
        if live or number * 10 // of > (number - 1) * 10 // of:
            wait.update(f"Read {units.count(number)} of {units.count(of, 'file')}")

    return show


def _print_verification(done: Verification) -> None:

    current = ", current" if done.current else ""
    click.echo(f"{done.table} as {done.format.value}, snapshot {done.snapshot}{current}")
    files, size = units.count(done.files, "file"), units.size(done.bytes)
    click.echo(f"  manifest  {units.count(done.items, 'item')} in {files}, {size}")
    click.echo(f"  files     {units.count(done.rows, 'item')} read")
    if done.table_items is None:
        click.echo("  DynamoDB  the table does not exist any more")
    else:
        click.echo(f"  DynamoDB  {units.count(done.table_items, 'item')}, as counted by AWS")
    for loss in done.losses:
        click.echo(f"  connector may have changed {terminal.printable(loss)}")
    for fault in done.faults:
        click.echo(f"  FAULT     {terminal.printable(fault)}")
    if done.whole:
        click.echo("  whole")

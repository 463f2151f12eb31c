"""``dynoexport adopt``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import dynoexport
from dynoexport import units
from dynoexport.cli import common
from dynoexport.cli.waiting import returning, waiting
from dynoexport.presentation import records, terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynoexport import Account, AdoptionPlan, NotAdopted, OutputFormat

_COUNTED = {
    "nothing": "no rows",
    "footers": "rows from the footers of its files",
    "athena": "rows by Athena",
    "files": "rows by reading its files",
}


@click.command()
@common.table_argument
@click.argument("snapshots", metavar="[SNAPSHOT]...", nargs=-1, type=common.Text())
@common.yes_option
@common.output_option
@common.aws_options
def adopt(
    account: Account,
    *,
    table: str,
    fmt: OutputFormat | None,
    snapshots: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Make snapshots of another design snapshots of this export.

    Takes each SNAPSHOT, or all that 'dynoexport snapshots' lists as foreign. Lists them with the
    price and asks first. Then counts their rows and writes their manifests. The files stay as
    they are.

    Adopted snapshots are like others: you can publish and verify them, and 'prune', 'destroy
    --data' and SnapshotRetentionDays delete them.

    \b
    Examples:
      dynoexport adopt Reviews
      dynoexport adopt Reviews 2019-11-23T10:00 --yes
    """
    asked: list[bool] = []
    shown: set[NotAdopted] = set()

    def approve(plan: AdoptionPlan) -> bool:
        wait.stop()
        shown.update(plan.refused)
        asked.append(_approve(plan, yes=yes))
        if asked[0]:
            wait.show(f"Counting rows of {units.count(len(plan.candidates), 'snapshot')}")
        return asked[0]

    again = f"Adopted snapshots stay. Adopt the others with: dynoexport adopt {table}"
    with returning(again), waiting("Listing snapshots of another design") as wait:
        done = dynoexport.adopt(
            account,
            table,
            *snapshots,
            fmt=fmt,
            approve=approve,
            on_adopted=lambda each: common.echo_err(
                f"  adopted {each.timestamp}, {units.count(each.items, 'item')}"
            ),
        )
    _echo_refused([snapshot for snapshot in done.refused if snapshot not in shown])
    if as_json:
        common.print_json(records.to_json(done))
    elif not asked:
        click.echo("Nothing to adopt")
    elif not done.snapshots:
        click.echo("Nothing was adopted")
    else:
        items = units.count(sum(snapshot.items for snapshot in done.snapshots), "item")
        click.echo(f"Adopted {units.count(len(done.snapshots), 'snapshot')} with {items}")
        click.echo(f"See them with: dynoexport snapshots {table}")


def _echo_refused(refused: Sequence[NotAdopted]) -> None:
    for snapshot in refused:
        common.echo_err(terminal.printable(f"Left alone: {snapshot.folder}: {snapshot.reason}"))


def _approve(plan: AdoptionPlan, *, yes: bool) -> bool:
    _echo_refused(plan.refused)
    size = units.size(sum(candidate.bytes for candidate in plan.candidates))
    number = units.count(len(plan.candidates), "snapshot")
    common.echo_err(f"{number} with {size} to adopt:")
    for candidate in plan.candidates:
        figures = f"{units.count(len(candidate.files), 'file')}, {units.size(candidate.bytes)}"
        counted = _COUNTED[candidate.method.value]
        common.echo_err(f"  {candidate.timestamp}  {figures}, {counted}")
    if plan.usd:
        common.echo_err(f"Athena counts rows for {units.dollars(plan.usd)} at most.")
    if plan.downloads:
        common.echo_err(f"This command reads {units.size(plan.downloads)} from S3 to count rows.")
    if plan.expired:
        gone = units.count(len(plan.expired), "adopted snapshot")
        common.echo_err(
            f"SnapshotRetentionDays is {plan.retention_days}: the next run deletes {gone}, the "
            f"newest of them {plan.expired[-1]}."
        )
    return common.confirm("Adopt them?", yes=yes)

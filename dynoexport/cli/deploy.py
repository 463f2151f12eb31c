"""``dynoexport init``, ``deploy`` and ``destroy``: stacks."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click

import dynoexport
from dynoexport import settings, units
from dynoexport.cli import common
from dynoexport.cli.waiting import Wait, returning, waiting
from dynoexport.model import CatalogUpdate, Compression, Engine, MapsAs, ReadMode, TypeConflicts
from dynoexport.presentation import records, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from enum import Enum

    from dynoexport import (
        Account,
        Change,
        ChangeSet,
        Event,
        Inventory,
        OutputFormat,
        SizingResult,
    )
_GOES_ON = (
    "A stack that CloudFormation has begun to change goes on. Repeat the command when it has ended."
)
_SIGNS = {"Add": "+", "Import": "<", "Modify": "~", "Remove": "-"}
_WILL_BE = {"CREATE": "created", "IMPORT": "created from what exists", "UPDATE": "changed"}
_DONE = {
    "CREATE": "created",
    "DELETE": "deleted",
    "IMPORT": "imported",
    "IMPORT_ROLLBACK": "released",
    "UPDATE": "updated",
}
_ROLLING_BACK = {f"{action}ROLLBACK_IN_PROGRESS" for action in ("", "UPDATE_", "IMPORT_")}


# --- options that are parameters ------------------------------------------------------------------
def _parameter_option(
    name: str, text: str, choices: type[Enum] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option for a parameter of the stack: ``--read-mode`` for ``ReadMode``."""
    flag = "--" + re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
    kind = click.STRING if choices is None else click.Choice([choice.value for choice in choices])
    return click.option(flag, name, type=kind, metavar=None if choices else "TEXT", help=text)


def _together(given: Mapping[str, str], options: Mapping[str, str | None]) -> dict[str, str]:
    """The parameters of --set and those that have an option of their own.

    Raises:
        click.UsageError: one is given in both ways.
    """
    named = {name: value for name, value in options.items() if value is not None}
    for name in sorted(set(named) & set(given)):
        raise click.UsageError(f"{name} is set twice, by its option and by --set. Leave one out.")
    return {**given, **named}


# --- what stacks do, for people -------------------------------------------------------------------
def _show(prepared: Sequence[ChangeSet], *, yes: bool) -> bool:
    """Print the change sets, with their changes if a question follows."""
    for change_set in prepared:
        resources = units.count(len(change_set.changes), "resource")
        verb = _WILL_BE[change_set.kind]
        common.echo_err(f"Stack {change_set.stack} will be {verb}: {resources}")
        if not yes:
            width = max((len(change.resource) for change in change_set.changes), default=0)
            for change in change_set.changes:
                common.echo_err(_line(change, width))
        if change_set.kind == "IMPORT":
            common.echo_err("Then it gets all other resources of the common stack.")
        for note in change_set.notes:
            common.echo_err(note)
    return common.confirm("Continue?", yes=yes)


def _line(change: Change, width: int) -> str:
    kind = change.type.removeprefix("AWS::")
    replaced = {"True": ", replaced", "Conditional": ", may be replaced"}.get(change.replaced, "")
    return f"  {_SIGNS.get(change.action, '?')} {change.resource:<{width}}  {kind}{replaced}"


def _approve(prepared: Sequence[ChangeSet], wait: Wait, *, yes: bool) -> bool:
    """Ask, and wait for the stacks after a yes."""
    wait.stop()
    if not _show(prepared, yes=yes):
        return False
    several = units.count(len(prepared), "stack")
    wait.show(f"Waiting for {several if len(prepared) > 1 else f'stack {prepared[0].stack}'}")
    return True


def _progress(*, several: bool) -> Callable[[Event], None]:
    """Print what is done and what failed, but not what only begins."""
    updated: set[tuple[str, str]] = set()

    def on_event(event: Event) -> None:
        action, _, state = event.status.rpartition("_")
        stack = f"{event.stack}: " if several else ""
        name = (
            event.resource
            if event.of_stack
            else f"{event.resource} ({_short_type_name(event.type)})"
        )
        if state == "FAILED" and not event.of_stack:
            common.echo_err(f"  {stack}failed   {name}: {event.reason}")
        elif event.of_stack and event.status in _ROLLING_BACK:
            common.echo_err(f"  {stack}rolling back")
        elif state == "COMPLETE" and not event.of_stack:
            verb = _DONE.get(action, "")
            place = (event.stack, event.resource)
            replaced = " (the old resource)" if action == "DELETE" and place in updated else ""
            updated.add(place)
            common.echo_err(f"  {stack}{verb:<8} {name}{replaced}")
        elif state == "SKIPPED":
            common.echo_err(f"  {stack}kept     {name}")

    return on_event


def _short_type_name(kind: str) -> str:
    return kind.removeprefix("AWS::")


# --- commands -------------------------------------------------------------------------------------
@click.command()
@common.stack_option
@common.set_option("Set a parameter of the common stack, such as NotificationEmail. Repeatable.")
@click.option(
    "--replace-bucket-policy",
    is_flag=True,
    help="Replace the policy of a bucket that exists before the common stack.",
)
@common.yes_option
@common.output_option
@common.aws_options
def init(
    account: Account,
    common_stack: str,
    settings: Mapping[str, str],
    *,
    replace_bucket_policy: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Create the common stack and upload the job scripts.

    All exports share the common stack: a bucket, a Glue database and two Athena workgroups. The
    command shows the change set first. The scripts go to the bucket under a hash of their
    contents, so the script of a running job never changes. Parameters you omit keep their current
    values.

    If the bucket or the database exists, because a common stack was deleted, the new stack takes
    it over with all its contents. The command lists what that changes before it asks. It stops if
    the bucket has a policy of its own. To replace that policy, add --replace-bucket-policy.

    \b
    Examples:
      dynoexport init
      dynoexport init --set NotificationEmail=data@example.com --yes
    """
    with returning(_GOES_ON), waiting("Preparing the change set") as wait:
        done = dynoexport.init(
            account,
            parameters=settings,
            common_stack=common_stack,
            replace_bucket_policy=replace_bucket_policy,
            approve=lambda prepared: _approve(prepared, wait, yes=yes),
            on_event=_progress(several=False),
        )
    if as_json:
        common.print_json(records.to_json(done))
        return
    for name in done.imported:
        click.echo(f"Imported {name}")
    click.echo(f"Stack {done.stack} {'deployed' if done.changed else 'unchanged'}")
    click.echo(f"Bucket {done.bucket}")
    scripts = "uploaded" if done.uploaded else "already uploaded"
    click.echo(f"Job scripts {done.scripts_version} {scripts}")


@click.command()
@click.argument(
    "tables", metavar="TABLE...", nargs=-1, required=True, type=common.TableName(exported=False)
)
@common.format_option("Export in this file format.  [default: the current one, else parquet]")
@click.option(
    "--schedule", metavar="CRON", help="Run at these times in UTC, such as 'cron(0 10 * * ? *)'."
)
@click.option("--enable/--disable", "enabled", default=None, help="Switch the schedule on or off.")
@_parameter_option(
    settings.READ_MODE,
    "Read the table with this reader; native and export are lossless.  [default: the current one, "
    "else connector]",
    ReadMode,
)
@_parameter_option(
    settings.ENGINE,
    "Run the export job with Spark, or as a Python shell job (python), which is far cheaper for "
    "small tables.  [default: the current one, else spark]",
    Engine,
)
@_parameter_option(
    settings.CATALOG_UPDATE,
    "Add snapshots to the catalog with a crawler, or without one (direct), which is cheaper.  "
    "[default: the current one, else crawler]",
    CatalogUpdate,
)
@_parameter_option(settings.COLUMNS, "Export only these attributes, such as User,Book.")
@_parameter_option(settings.EXCLUDE, "Export all attributes except these, such as Email,Phone.")
@_parameter_option(settings.WHERE, "Export only items that match this Spark SQL predicate.")
@_parameter_option(
    settings.TYPE_CONFLICTS,
    "Write an attribute that has several types as one text column (string), or as a column for "
    "each type (columns).",
    TypeConflicts,
)
@_parameter_option(settings.MAPS_AS, "Write maps as struct, or as map<string,string>.", MapsAs)
@_parameter_option(settings.COMPRESSION, "Compress avro, orc and parquet files.", Compression)
@common.set_option("Set a parameter of the stack (docs/parameters.md). Repeatable.")
@click.option(
    "--auto",
    is_flag=True,
    help="Take the cheapest reader, engine and catalog update, and size the job.",
)
@common.target_options
@common.no_sample_option
@common.stack_option
@common.yes_option
@common.output_option
@common.aws_options
def deploy(
    account: Account,
    *,
    tables: tuple[str, ...],
    fmt: OutputFormat | None,
    schedule: str | None,
    enabled: bool | None,
    settings: Mapping[str, str],
    auto: bool,
    target_duration: str | None,
    max_cost: float | None,
    no_sample: bool,
    common_stack: str,
    yes: bool,
    as_json: bool,
    **options: str | None,
) -> None:
    """Create or update exports of DynamoDB tables.

    Each export is a stack. The command checks everything before it changes the first stack: the
    tables exist, no two exports get the same table or view name in the Glue database, and AWS
    still runs the Glue version. Options you omit keep their current values. To empty a text, set
    it to ''. If nothing changes, the command succeeds. docs/types.md compares the readers, and
    explains how types, names and changing schemas are exported.

    --auto takes the reader, engine and catalog update that cost least in a month, and prints
    what it changes. What you name stays: --read-mode, --engine, --catalog-update. An existing
    export keeps its reader, because another one changes column types. Its engine and its catalog
    update may change. Where the connector costs about as much as a lossless reader, --auto takes
    the lossless one. It only takes what can run: Spark for a predicate, for FLEX, in a VPC and
    above 10 GiB. With --target-duration or --max-cost, it takes the cheapest job that meets them.

    --auto also chooses WorkerType and NumberOfWorkers, or MaxCapacity, and Splits,
    MaxConsumedReadThroughput and TimeoutMinutes from the table's size, its capacity and what
    others read. --set overrides a choice. --auto stops if the reader would need more than half
    of the read capacity that others leave: use --read-mode native or export then.

    If the reader is the connector, the command reads one page of the table, and warns of
    attributes whose values the connector may change. --no-sample skips that.

    \b
    Examples:
      dynoexport deploy Reviews --read-mode native
      dynoexport deploy Orders Customers --read-mode native --format csv --yes
      dynoexport deploy Reviews --schedule 'cron(30 2 * * ? *)' --enable
      dynoexport deploy Reviews --set NumberOfWorkers=4 --set MaxRetries=0
      dynoexport deploy Reviews --auto --target-duration 30m
      dynoexport deploy Reviews --auto --set MaxConsumedReadThroughput=0.5
      dynoexport deploy Reviews --read-mode native --engine python
      dynoexport deploy Users --read-mode native --exclude Email,Phone
      dynoexport deploy Orders --where 'total > 100' --compression zstd
    """
    if not auto and (target_duration, max_cost) != (None, None):
        raise click.UsageError("--target-duration and --max-cost need --auto.")
    with returning(_GOES_ON), waiting("Checking everything, and preparing the change sets") as wait:
        done = dynoexport.deploy(
            account,
            *tables,
            fmt=fmt,
            schedule=schedule,
            enabled=enabled,
            parameters=_together(settings, options),
            auto=auto,
            target_seconds=common.parse_seconds(target_duration),
            max_dollars=max_cost,
            sample=not no_sample,
            common_stack=common_stack,
            approve=lambda prepared: _approve(prepared, wait, yes=yes),
            on_event=_progress(several=len(tables) > 1),
            on_sized=_print_sizing,
            on_warning=common.warn,
        )
    if as_json:
        common.print_json(records.to_json(done))
        return
    for deployment in done:
        export = f"{deployment.table} ({deployment.format.value})"
        click.echo(f"{export}: stack {deployment.stack} {deployment.outcome}")
        for note in deployment.notes:
            common.echo_err(note)
    common.echo_err(f"Start a run with: dynoexport run {done[0].table} --wait")


def _print_sizing(sized: SizingResult) -> None:
    common.echo_err(f"{sized.table} gets the cheapest job that 'dynoexport plan' finds")
    for choice in sized.choices:
        common.echo_err(f"  {choice.setting}={choice.value}: {choice.reason}")
    for sentence in sized.unknown:
        common.echo_err(f"  not known: {sentence}")


@click.command()
@common.table_argument
@click.option("--data", is_flag=True, help="Delete all snapshots, too; asks for the table's name.")
@common.yes_option
@common.output_option
@common.aws_options
def destroy(
    account: Account,
    table: str,
    fmt: OutputFormat | None,
    *,
    data: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete an export: its stack, its view and its catalog table.

    The snapshots stay in the bucket. --data deletes them, too, after you type the table's name or
    give --yes. Objects that dynoexport did not write always stay; the command lists them and
    prints how to delete them. The DynamoDB table never changes. docs/command.md explains how to
    remove the common stack.

    If the command is interrupted, repeat it: it also deletes what a deleted stack left.

    \b
    Examples:
      dynoexport destroy Reviews
      dynoexport destroy Reviews --data
    """
    again = f"dynoexport destroy {table}{' --data' if data else ''}"
    with (
        returning(f"A deletion that has begun goes on. Finish it with: {again}"),
        waiting("Listing what the export has") as wait,
    ):
        done = dynoexport.destroy(
            account,
            table,
            fmt=fmt,
            data=data,
            approve=lambda inventory: _approve_destruction(inventory, wait, yes=yes),
            on_event=_progress(several=False),
        )
    if as_json:
        common.print_json(records.to_json(done))
        return
    click.echo(f"Deleted the export of {done.table} as {done.format.value}")
    if done.objects:
        kept = "deleted" if done.data else "kept"
        figures = f"{units.count(done.snapshots, 'snapshot')}, "
        click.echo(f"{figures}{units.count(done.objects, 'object')} {kept}")
    if done.foreign:
        common.echo_err("Kept, because dynoexport did not write it. Delete it with:")
    for folder in done.foreign:
        common.echo_err(f"  {_remove_command(account.bucket, folder.prefix)}")


def _remove_command(bucket: str, prefix: str) -> str:
    """The shell command that deletes the folder, or the one object."""
    recursive = ["--recursive"] if prefix.endswith("/") else []
    return shlex.join(["aws", "s3", "rm", *recursive, f"s3://{bucket}/{prefix}"])


def _approve_destruction(inventory: Inventory, wait: Wait, *, yes: bool) -> bool:
    wait.stop()
    _show_inventory(inventory)
    if not common.confirm("Continue?", yes=yes):
        return False
    if inventory.data and not yes:
        typed: str = click.prompt("Type the table's name to delete its snapshots", err=True)
        if typed != inventory.table:
            return False
    wait.show("Deleting the export" if inventory.stack is None else f"Deleting {inventory.stack}")
    return True


def _show_inventory(inventory: Inventory) -> None:
    common.echo_err("This deletes:")
    if inventory.stack is not None:
        common.echo_err(f"  the stack {inventory.stack}")
    for name in inventory.catalog:
        common.echo_err(f"  {name} from the Glue database")
    figures = (
        f"{units.count(inventory.snapshots, 'snapshot')}, "
        f"{units.count(inventory.objects, 'object')}, {units.size(inventory.bytes)}"
    )
    if inventory.data:
        common.echo_err(f"  ALL DATA in S3: {figures}")
        if inventory.foreign:
            common.echo_err("It keeps what dynoexport did not write:")
        for foreign in inventory.foreign:
            size = f"{units.count(foreign.objects, 'object')}, {units.size(foreign.bytes)}"
            common.echo_err(f"  {terminal.printable(foreign.prefix)}  {size}")
    elif inventory.objects:
        common.echo_err(f"It keeps the data in S3: {figures}")

"""``dynoexport run``, ``watch``, ``runs``, ``logs``, ``stop``, ``enable``, ``disable``."""

from __future__ import annotations

import itertools
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

import dynoexport
from dynoexport import naming, units
from dynoexport.cli import common
from dynoexport.cli.waiting import returning, waiting, waiting_for_each
from dynoexport.presentation import records, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from dynoexport import Account, LogLine, OutputFormat, Run
_TAIL = 15
_NO_RUN = "{table} has no run yet. Start one with: dynoexport run {table}"
_NODES = {"export": naming.export_job, "crawl": naming.crawler, "publish": naming.view_job}
_run_option = click.option(
    "--run",
    "run_id",
    type=common.Text(),
    metavar="ID",
    help="Choose a run by the beginning of its ID.  [default: newest]",
)


def _record(account: Account, run: Run) -> records.Json:
    from dynoexport.planning import prices

    return records.run(run, prices.load_prices(account.region), datetime.now(timezone.utc))


# --- run, watch -----------------------------------------------------------------------------------
@click.command()
@common.table_argument
@common.set_option(
    "Change MaxConsumedReadThroughput, Splits or SnapshotRetentionDays for this run. Repeatable."
)
@click.option("--wait", is_flag=True, help="Show the run until it ends; exit 1 if it fails.")
@common.no_sample_option
@common.output_option
@common.aws_options
def run(
    account: Account,
    *,
    table: str,
    fmt: OutputFormat | None,
    settings: Mapping[str, str],
    wait: bool,
    no_sample: bool,
    as_json: bool,
) -> None:
    """Start a run: export, crawl, publish the view.

    With --wait, Ctrl-C ends the display, and the run continues.

    If the reader is the connector, the command first reads one page of the table, and warns of
    attributes whose values the connector may change.

    \b
    Examples:
      dynoexport run Reviews
      dynoexport run Reviews --wait
      dynoexport run Reviews --set MaxConsumedReadThroughput=0.5
    """
    with waiting("Checking the export, and starting the run"):
        started = dynoexport.run(
            account,
            table,
            fmt=fmt,
            properties=settings,
            sample=not no_sample,
            on_warning=common.warn,
        )
    if wait:
        _follow(account, table, started, as_json=as_json)
    elif as_json:
        common.print_json(_record(account, started))
    else:
        click.echo(f"Run {started.short_id} of {table} has started")
        common.echo_err(f"Follow it with: dynoexport watch {table}")


@click.command()
@common.table_argument
@_run_option
@common.output_option
@common.aws_options
def watch(
    account: Account, *, table: str, fmt: OutputFormat | None, run_id: str | None, as_json: bool
) -> None:
    """Show a run until it ends.

    Exits 1 if the run fails. Ctrl-C ends the display, and the run continues.

    \b
    Examples:
      dynoexport watch Reviews
      dynoexport watch Reviews --run wr_3f9c
    """
    with waiting("Reading the run"):
        watched = dynoexport.find_run(account, table, fmt=fmt, run_id=run_id)
    _follow(account, table, watched, as_json=as_json)


def _follow(account: Account, table: str, started: Run, *, as_json: bool) -> None:
    from dynoexport.aws import workflow_runs
    from dynoexport.presentation import display

    console = common.err()
    goes_on = (
        f"The run continues. Follow it again with: dynoexport watch {table}",
        f"Stop it with: dynoexport stop {table}",
    )
    with returning(*goes_on, on_error=True):
        updates = dynoexport.watch(account, started)
        with waiting("Reading the run"):
            first = next(updates)
        ended = display.follow_run(itertools.chain([first], updates), console)
    if as_json:
        common.print_json(_record(account, ended))
    if not ended.succeeded:
        _show_failure(account, ended, console)
    workflow_runs.require_success(ended)
    if not as_json:
        took = units.duration(ended.seconds or 0)
        if ended.items is None:
            click.echo(f"Run {ended.short_id} succeeded in {took}")
        else:
            rows, size = units.count(ended.items, "item"), units.size(ended.bytes or 0)
            click.echo(f"Snapshot {ended.snapshot}: {rows}, {size} in {took}")


def _show_failure(account: Account, run: Run, console: Console) -> None:
    """Print the last lines of the failed node's log."""
    for node in run.failed_nodes[:1]:
        with waiting(f"Reading the log of {node.name}"):
            lines = dynoexport.tail_logs(account, run, node, lines=_TAIL)
        if lines:
            console.print(f"Last lines of {node.name}:", style="bold")
            for line in lines:
                common.echo_err(f"  {terminal.printable(line.message)}")


# --- runs -----------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="List at most this many, newest first.",
)
@click.option(
    "--explain", is_flag=True, help="Compare each run with its plan, and explain the differences."
)
@common.output_option
@common.aws_options
def runs(
    account: Account,
    *,
    table: str,
    fmt: OutputFormat | None,
    limit: int,
    explain: bool,
    as_json: bool,
) -> None:
    """List a table's runs: outcome, duration, items, cost.

    The cost covers AWS Glue only: jobs and crawl, at least the minimum that AWS bills. --explain
    compares each run with a plan for the table and the job as they were when the run began.

    \b
    Examples:
      dynoexport runs Reviews
      dynoexport runs Reviews --limit 5 --output json
      dynoexport runs Reviews --limit 1 --explain
    """
    if explain:
        _explain(account, table, fmt, limit=limit, as_json=as_json)
        return

    with waiting("Reading runs"):
        listed = dynoexport.runs(account, table, fmt=fmt, limit=limit)
    if as_json:
        common.print_json([_record(account, run) for run in listed])
        return
    if not listed:
        common.echo_err(_NO_RUN.format(table=table))
        return
    _print_runs(account, listed)


def _print_runs(account: Account, listed: list[Run]) -> None:
    from dynoexport.planning import prices
    from dynoexport.presentation import display

    used, now = prices.load_prices(account.region), datetime.now(timezone.utc)
    rows = [
        (
            f"{run.started.astimezone(timezone.utc):%Y-%m-%d %H:%M}" if run.started else "",
            display.state_text(run.outcome),
            units.duration(run.seconds),
            units.count(run.items),
            units.size(run.bytes),
            units.dollars(prices.cost(run, used, now)),
            run.short_id,
        )
        for run in listed
    ]
    columns = ("STARTED (UTC)", "STATE", "TOOK", "ITEMS", "SIZE", "COST", "RUN")
    display.print_listing(
        common.out(), columns, rows, right=("TOOK", "ITEMS", "SIZE", "COST"), elastic="RUN"
    )
    if used.region != account.region:
        common.echo_err(
            f"Prices for {account.region} are not known. The costs use those of {used.region}."
        )


def _explain(
    account: Account, table: str, fmt: OutputFormat | None, *, limit: int, as_json: bool
) -> None:
    from dynoexport.planning import prices
    from dynoexport.presentation import display

    with waiting("Reading runs and manifests"):
        explanations = dynoexport.explain(account, table, fmt=fmt, limit=limit)
    if as_json:
        used, now = prices.load_prices(account.region), datetime.now(timezone.utc)
        common.print_json(
            [records.explained_run(explanation, used, now) for explanation in explanations]
        )
        return
    if not explanations:
        common.echo_err(_NO_RUN.format(table=table))
    for number, explanation in enumerate(explanations):
        if number:
            click.echo()
        display.print_explanation(common.out(), explanation)


# --- logs -----------------------------------------------------------------------------------------
@click.command()
@common.table_argument
@_run_option
@click.option(
    "--node", type=click.Choice(list(_NODES)), help="Print the lines of one step.  [default: all]"
)
@click.option(
    "--attempt",
    type=click.IntRange(1),
    help="Print the lines of one attempt; 1 is the first.  [default: all]",
)
@click.option(
    "--errors",
    is_flag=True,
    help="Print stderr of the jobs instead of stdout; Spark logs there, too.",
)
@click.option("--follow", is_flag=True, help="Print new lines until the run ends.")
@click.option("--timestamps", is_flag=True, help="Begin each line with its time in UTC.")
@common.output_option
@common.aws_options
def logs(
    account: Account,
    *,
    table: str,
    fmt: OutputFormat | None,
    run_id: str | None,
    node: str | None,
    attempt: int | None,
    errors: bool,
    follow: bool,
    timestamps: bool,
    as_json: bool,
) -> None:
    """Print the logs of a run's jobs and crawler.

    \b
    Examples:
      dynoexport logs Reviews
      dynoexport logs Reviews --node export --errors
      dynoexport logs Reviews --follow
    """
    if follow and attempt is not None:
        raise click.UsageError("--follow shows all attempts: leave --attempt out.")
    with waiting("Reading the run"):
        run = dynoexport.find_run(account, table, fmt=fmt, run_id=run_id)
    # The names of the nodes contain the export's format.
    name = None if node is None else _node_name(run, table, node)
    lines = (
        dynoexport.follow_logs(account, run, node=name, errors=errors)
        if follow
        else dynoexport.logs(account, run, node=name, attempt=attempt, errors=errors)
    )
    again = f"Follow it again with: dynoexport logs {table} --run {run.short_id} --follow"
    with returning(again):
        what = "Waiting for log lines" if follow else "Reading the log"
        _print_lines(waiting_for_each(lines, what), timestamps=timestamps, as_json=as_json)


def _node_name(run: Run, table: str, step: str) -> str:
    from dynoexport.model import OutputFormat

    names = {_NODES[step](table, fmt.value) for fmt in OutputFormat}
    for node in run.nodes:
        if node.name in names:
            return node.name
    raise click.UsageError(f"This workflow has no step '{step}'.")


def _print_lines(lines: Iterator[LogLine], *, timestamps: bool, as_json: bool) -> None:
    before = None
    for line in lines:
        if as_json:
            click.echo(terminal.json_text(records.LineRecord.of(line)))
            continue
        if (line.node, line.attempt) != before:
            common.echo_err(f"==> {line.node}, attempt {line.attempt} <==")
            before = (line.node, line.attempt)
        time = f"{line.time:%Y-%m-%dT%H:%M:%SZ}  " if timestamps else ""
        click.echo(time + terminal.printable(line.message))
    if before is None and not as_json:
        common.echo_err("Nothing is logged yet.")


# --- stop, enable, disable ------------------------------------------------------------------------
@click.command()
@common.table_argument
@common.output_option
@common.aws_options
def stop(account: Account, *, table: str, fmt: OutputFormat | None, as_json: bool) -> None:
    """Stop the active run of a table.

    Jobs end at once; a crawl runs to its end. The view does not change.

    \b
    Example:
      dynoexport stop Reviews
    """
    with waiting("Stopping the run"):
        stopped = dynoexport.stop(account, table, fmt=fmt)
    if as_json:
        common.print_json([_record(account, run) for run in stopped])
        return
    for run in stopped:
        click.echo(f"Run {run.short_id} of {table} is stopping")


@click.command()
@common.table_argument
@common.output_option
@common.aws_options
def enable(account: Account, *, table: str, fmt: OutputFormat | None, as_json: bool) -> None:
    """Switch a table's schedule on.

    \b
    Example:
      dynoexport enable Reviews
    """
    _switch(account, table, fmt, enabled=True, as_json=as_json)


@click.command()
@common.table_argument
@common.output_option
@common.aws_options
def disable(account: Account, *, table: str, fmt: OutputFormat | None, as_json: bool) -> None:
    """Switch a table's schedule off.

    An active run continues. The alarm for missing snapshots is off until you enable the schedule.

    \b
    Example:
      dynoexport disable Reviews
    """
    _switch(account, table, fmt, enabled=False, as_json=as_json)


def _switch(
    account: Account, table: str, fmt: OutputFormat | None, *, enabled: bool, as_json: bool
) -> None:
    switch = dynoexport.enable if enabled else dynoexport.disable
    with waiting(f"Switching the schedule {'on' if enabled else 'off'}"):
        done = switch(account, table, fmt=fmt)
    if as_json:
        common.print_json(records.to_json(done))
        return
    click.echo(f"The schedule {done.schedule} of {table} is {'on' if enabled else 'off'}")

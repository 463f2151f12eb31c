"""``dynoexport plan``: time, cost and the right job, before anything runs."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

import dynoexport
from dynoexport import settings, units
from dynoexport.cli import common
from dynoexport.cli.waiting import waiting
from dynoexport.errors import DynoexportError, one_line
from dynoexport.model import CatalogUpdate, Engine, ReadMode
from dynoexport.presentation import records
from dynoexport.presentation.output_files import open_output
from dynoexport.settings import DEFAULT_FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynoexport import Account, OutputFormat, Planned


# Characters: a device has no end. Descriptions of all 2,500 tables of an account are shorter.
_LONGEST = 50_000_000


class NotMet(DynoexportError):
    """No job meets the request, or no run of the job can work."""


@click.command()
@click.argument("tables", metavar="[TABLE...]", nargs=-1, type=common.TableName(exported=False))
@common.format_option("Plan for this file format.  [default: parquet]")
@click.option(
    "--every",
    metavar="WHEN",
    default="day",
    show_default=True,
    help="Plan runs every hour, day, week, month or 'cron(...)'.",
)
@common.target_options
@click.option(
    "--read-mode",
    type=click.Choice([reader.value for reader in ReadMode]),
    help=f"Plan for this reader.  [default: {settings.DEFAULT_READ_MODE.value}]",
)
@click.option(
    "--engine",
    type=click.Choice([engine.value for engine in Engine]),
    help="Plan for a Spark job, or for a Python shell job.  [default: "
    f"{settings.DEFAULT_ENGINE.value}]",
)
@click.option(
    "--catalog-update",
    type=click.Choice([update.value for update in CatalogUpdate]),
    help="Plan with a crawler or without one (direct).  [default: "
    f"{settings.DEFAULT_CATALOG_UPDATE.value}]",
)
@common.set_option("Plan with this setting, such as SnapshotRetentionDays=90. Repeatable.")
@click.option(
    "--describe",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Read the JSON output of describe-table from FILE (- is stdin); do not call AWS.",
)
@click.option(
    "--prices",
    "prices_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Use the prices in FILE, which has the form of dynoexport/planning/prices.json.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write an HTML page with charts of time and cost to FILE.",
)
@common.output_option
@common.aws_options_if_needed
def plan(
    connect: Callable[[], Account],
    *,
    tables: tuple[str, ...],
    fmt: OutputFormat | None,
    every: str,
    target_duration: str | None,
    max_cost: float | None,
    read_mode: str | None,
    engine: str | None,
    catalog_update: str | None,
    settings: Mapping[str, str],
    describe: str | None,
    prices_file: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Estimate the time and cost of an export, and size its job.

    Reads DescribeTable, backups, quotas and CloudWatch as far as your permissions allow, and
    changes nothing. Every figure names its formula, which docs/plan.md explains. The plan also
    compares DynamoDB's own exports, zero-ETL and the Step Functions design of 2019. With
    --target-duration or --max-cost it looks for a job that meets them. If no job does, or if runs
    cannot end in time, it explains why and exits 1.

    The plan is for Spark, the connector and a crawler, or what you choose. If another reader,
    engine or catalog update costs less, the plan names what 'deploy --auto' takes.

    \b
    Examples:
      dynoexport plan Reviews
      dynoexport plan Orders --every hour --target-duration 30m
      dynoexport plan Orders Users --max-cost 5 --set SnapshotRetentionDays=90
      dynoexport plan --describe table.json
      dynoexport plan Orders Users --html plan.html
    """
    options = {"ReadMode": read_mode, "Engine": engine, "CatalogUpdate": catalog_update}
    named = {name: value for name, value in options.items() if value}
    asked = dynoexport.PlanRequest(
        format=fmt or DEFAULT_FORMAT,
        target_seconds=common.parse_seconds(target_duration),
        max_dollars=max_cost,
    )
    request = dynoexport.parse_request({**settings, **named}, asked)
    if describe is not None:
        # Opened here: click would leave the file open if it refused a later option.
        with click.open_file(describe, encoding="utf-8", errors="replace") as file:
            text = file.read(_LONGEST + 1)
        if len(text) > _LONGEST:
            raise click.UsageError(f"--describe reads at most {units.count(_LONGEST)} characters.")
        make = partial(dynoexport.plans_described, text, *tables, region=_region())
    elif tables:
        make = partial(dynoexport.plans, connect(), *tables)
    else:
        raise click.UsageError("Name a table, or describe one with --describe FILE.")
    with waiting("Reading what AWS knows about the tables"):
        plans = make(request=request, every=every, prices_file=prices_file)
    _warn(plans)
    if as_json:
        common.print_json([records.PlanRecord.of(planned) for planned in plans])
    else:
        _print(plans)
    if html is not None:
        _write_page(html, plans)
    _refuse_if_unmet(plans)


def _write_page(to: Path, plans: Sequence[Planned]) -> None:
    from dynoexport.presentation import plan_html

    page = plan_html.page(plans)
    with open_output(to) as file:
        file.write(page.encode())
    common.echo_err(one_line(f"Wrote {to}"))


def _region() -> str:
    """The region of a described table whose description has none."""
    from dynoexport.planning.prices import FALLBACK_REGION

    context = click.get_current_context()
    given = context.params.get("region") or context.find_root().params.get("region")
    return given or os.environ.get("AWS_REGION") or FALLBACK_REGION


def _warn(plans: Sequence[Planned]) -> None:
    """Warn once for each region whose own prices are not known."""
    for region in sorted({planned.table.region for planned in plans}):
        taken = next(planned.prices for planned in plans if planned.table.region == region)
        if region and region != taken.region:
            common.echo_err(
                f"Warning: prices for {region} are not known. The plan uses {taken.region}."
            )


def _print(plans: Sequence[Planned]) -> None:
    from dynoexport.presentation import display, plan_text

    if len(plans) == 1:
        for line in plan_text.page(plans[0]):
            click.echo(line)
        return
    display.print_listing(
        common.out(),
        plan_text.COLUMNS,
        plan_text.summary(plans),
        right=plan_text.COLUMNS[1:-1],
        elastic="TABLE",
    )
    for planned in plans:
        chosen = planned.recommendation
        for sentence in (*chosen.obstacles, *chosen.unmet, *chosen.harms):
            common.echo_err(f"{planned.table.name}: {sentence}")


def _refuse_if_unmet(plans: Sequence[Planned]) -> None:
    for planned in plans:
        for obstacle in planned.recommendation.obstacles:
            raise NotMet(f"{planned.table.name}: {obstacle.reason}", hint=obstacle.advice)
    late = [planned for planned in plans if planned.recommendation.unmet]
    if late:
        raise NotMet(
            f"{late[0].table.name}: {late[0].recommendation.unmet[0]}",
            hint="relax the target, or choose another --read-mode",
        )

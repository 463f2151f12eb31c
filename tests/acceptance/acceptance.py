"""The acceptance run: what only AWS can show, on a user's own account.

    make acceptance                     # on the account of the environment; asks first
    make acceptance ACCEPTANCE=--local  # on an endpoint of its own, which is no AWS
    make acceptance-clean               # removes what a killed run has left

It deploys an export for each format, reader and Glue version, runs each once on a table of hard
items, compares every cell through Athena, tries what users do later, removes everything, and
writes docs/acceptance/<date>.md.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import acceptance_cleanup as cleanup
import acceptance_names as names
import acceptance_steps as steps
import click
import started_endpoint
from acceptance_names import CASES, FURTHER_RUNS, RETRIED, Case
from acceptance_report import Report, text
from botocore.exceptions import BotoCoreError, ClientError

import dynoexport
from dynoexport import units
from dynoexport.aws import errors
from dynoexport.cli.common import INTERRUPTED
from dynoexport.errors import DynoexportError
from dynoexport.planning.sizing import PlanRequest

if TYPE_CHECKING:
    from dynoexport import Account

REPORTS = Path(__file__).parents[2] / "docs" / "acceptance"
MOST_DOLLARS = 8.0


_region = click.option("--region", metavar="REGION", help="Work in this AWS region.")
_endpoint = click.option("--endpoint-url", metavar="URL", help="Call AWS at this URL.")
_yes = click.option("--yes", is_flag=True, help="Skip confirmation.")


@click.group()
def main() -> None:
    """Try dynoexport on an AWS account, and remove everything again."""


@main.command()
@_region
@_endpoint
@click.option("--email", metavar="ADDRESS", help="Whom a new common stack notifies of failures.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([case.name for case in CASES]),
    help="Try only this export of the matrix (repeatable).",
)
@click.option("--local", is_flag=True, help="Start a local endpoint, and try it there.")
@_yes
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the report into this directory instead of docs/acceptance.",
)
def run(  # noqa: PLR0917 - click gives names
    region: str | None,
    endpoint_url: str | None,
    email: str | None,
    only: tuple[str, ...],
    local: bool,
    yes: bool,
    reports: Path | None,
) -> None:
    """Deploy, run, compare, remove, and write the report (for an endpoint, only on request)."""
    cases = tuple(case for case in CASES if case.name in only or not only)
    with started_endpoint.start() if local else nullcontext() as endpoint:
        if endpoint is not None:
            os.environ.update(endpoint.env)
            endpoint_url = endpoint.url
        account = dynoexport.connect(region=region, endpoint_url=endpoint_url)
        is_aws = endpoint_url is None and "AWS_ENDPOINT_URL" not in os.environ
        report = tried(account, cases, email=email, is_aws=is_aws, ask=not (yes or local))
    shown = text(report)
    if reports is None and not report.is_aws:
        click.echo(shown)
    else:
        target = (reports or REPORTS) / f"{report.day.isoformat()}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(shown, encoding="utf-8")
        click.echo(f"the report is {target}")
    passed = sum(step.passed is True for step in report.steps)
    click.echo(f"{passed} of {len(report.steps)} steps passed")
    sys.exit(0 if report.passed else 1)


def tried(
    account: Account, cases: tuple[Case, ...], *, email: str | None, is_aws: bool, ask: bool
) -> Report:
    """Try everything and remove it; return the report."""
    if left := cleanup.find(account).lines():
        raise click.ClickException(
            f"another acceptance run has {left[0]}; if it is not active, remove what it left "
            "with: make acceptance-clean"
        )
    name, dollars = names.new_run(), cost(cases, account.region)
    announce(account, name, cases, dollars)
    if dollars > MOST_DOLLARS:
        raise click.ClickException(f"more than {units.dollars(MOST_DOLLARS)}: not started")
    if ask:
        click.confirm("Go on?", abort=True)
    report = Report(
        day=datetime.now(timezone.utc).date(),
        region=account.region,
        is_aws=is_aws,
        version=dynoexport.__version__,
        dollars=dollars,
    )
    trial = steps.Trial(account, name, report, click.echo, cases, email)
    try:
        steps.tried(trial)
    finally:
        # Ctrl-C must not leave half of it; a second one ends the program.
        report.left = cleanup.remove(account, click.echo)
        for line in report.left:
            click.echo(f"left: {line}", err=True)
    return report


@main.command()
@_region
@_endpoint
@_yes
def clean(region: str | None, endpoint_url: str | None, *, yes: bool) -> None:
    """Remove everything that acceptance runs have left."""
    account = dynoexport.connect(region=region, endpoint_url=endpoint_url)
    leftovers = cleanup.find(account).lines()
    for line in leftovers:
        click.echo(line)
    if leftovers and not yes:
        click.echo("If somebody's acceptance run is active, it loses all this and fails.")
        click.confirm("Remove it?", abort=True)
    left = cleanup.remove(account, click.echo)
    if left:
        raise click.ClickException(f"left: {'; '.join(left)}")
    click.echo("nothing is left" if leftovers else "there was nothing to remove")


def announce(account: Account, name: str, cases: tuple[Case, ...], dollars: float) -> None:
    """Announce the run: who, where, what and what it costs."""
    click.echo(f"Identity   {account.caller}")
    click.echo(f"Region     {account.region}")
    click.echo(f"Creates    {len(cases) + 1} DynamoDB tables {names.table(name, '*')}, an export")
    click.echo("           of each, one queue, and the common stack where there is none:")
    for case in (*cases, RETRIED):
        click.echo(f"             {case}")
    click.echo(f"Runs       {len(cases) + FURTHER_RUNS} workflow runs, some 20 minutes")
    click.echo(f"Costs      at most {units.dollars(dollars)}; everything is removed afterwards")


def cost(cases: tuple[Case, ...], region: str) -> float:
    """Dollars for all runs: twice those of the plan, because it assumes short starts."""
    return 2 * sum(cost_of(case, region) for case in (*cases, *[RETRIED] * FURTHER_RUNS))


def cost_of(case: Case, region: str) -> float:
    """Dollars for one run of a case, by the plan of a tiny table."""
    described = {
        "Table": {
            "TableName": case.name,
            "TableArn": f"arn:aws:dynamodb:{region}:123456789012:table/{case.name}",
            "TableSizeBytes": 100_000,
            "ItemCount": 100,
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "TableStatus": "ACTIVE",
        }
    }
    request = replace(
        PlanRequest(),
        format=case.format,
        read_mode=case.reader,
        engine=case.engine,
        glue_version=case.glue_version,
        workers=int(steps.WORKERS),
    )
    (planned,) = dynoexport.plans_described(json.dumps(described), region=region, request=request)
    return planned.estimate.run_dollars


def guarded() -> None:
    """Run the command; errors are one line, Ctrl-C and SIGTERM remove everything first."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (DynoexportError, BotoCoreError, ClientError) as error:
        click.echo(f"Error: {errors.explain(error) or error}", err=True)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. What is left, if anything: make acceptance-clean", err=True)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    guarded()

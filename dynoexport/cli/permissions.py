"""``dynoexport permissions``: the IAM policies of people and pipelines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from dynoexport.cli import common

if TYPE_CHECKING:
    from dynoexport.aws import Account


@click.command()
@click.argument("purpose", type=click.Choice(["deploy", "destroy", "run", "query"]))
@click.option(
    "--boundary",
    metavar="ARN",
    default="",
    help="Permissions boundary that every role must have which is deployed.",
)
@common.aws_options
def permissions(account: Account, purpose: str, *, boundary: str) -> None:
    """Print the IAM policy for what somebody is to do, in this account and region.

    docs/permissions.md says what is in it and why.

    \b
    Examples:
      dynoexport permissions query > policy.json
      dynoexport permissions deploy --boundary arn:aws:iam::123456789012:policy/p
    """
    from dynoexport import callers

    at = callers.Installation(
        account=account.account_id,
        region=account.region,
        partition=account.partition,
        boundary=boundary,
    )
    click.echo(json.dumps(json.loads(callers.PURPOSES[purpose](at).to_json()), indent=2))

"""``dynoexport permissions``: the IAM policies of people and pipelines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from dynoexport.cli import common

if TYPE_CHECKING:
    from dynoexport.aws.account import Account


@click.command()
@click.argument(
    "purpose",
    metavar="TASK",
    type=click.Choice(["deploy", "destroy", "plan", "run", "publish", "query"]),
)
@click.option(
    "--boundary",
    metavar="ARN",
    default="",
    help="Allow only roles with this permissions boundary.",
)
@click.option(
    "--key",
    metavar="ARN",
    default="",
    help="Allow the KMS key of the common stack: 'init --set KmsKeyArn=ARN'.",
)
@common.aws_options
def permissions(account: Account, purpose: str, *, boundary: str, key: str) -> None:
    """Print the IAM policy that a task needs.

    The policy is for this account and region. docs/permissions.md lists every permission, and the
    reason for it.

    \b
    TASK is one of:
      deploy   init, deploy
      destroy  destroy; also needs the policy of deploy
      plan     plan
      run      run, watch, stop, enable, disable, status, runs, snapshots, logs
      publish  publish, verify, prune; also needs the policy of run
      query    query

    \b
    Examples:
      dynoexport permissions query > policy.json
      dynoexport permissions deploy --boundary arn:aws:iam::123456789012:policy/p
      dynoexport permissions query --key arn:aws:kms:us-east-1:123456789012:key/k
    """
    from dynoexport import settings
    from dynoexport.cloudformation import parameters
    from dynoexport.cloudformation.check import check_parameters
    from dynoexport.iam import caller_policies

    # As the stacks would refuse them.
    check_parameters(parameters.common_groups(), {settings.KMS_KEY_ARN: key})
    check_parameters(
        parameters.table_groups(),
        {settings.PERMISSIONS_BOUNDARY_ARN: boundary},
    )
    at = caller_policies.Installation(
        account=account.account_id,
        region=account.region,
        partition=account.partition,
        boundary=boundary,
        key=key,
    )
    click.echo(json.dumps(json.loads(caller_policies.PURPOSES[purpose](at).to_json()), indent=2))

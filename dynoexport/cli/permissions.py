"""``dynoexport permissions``: the IAM policies of people and pipelines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from dynoexport.cli import common
from dynoexport.cli.waiting import waiting

if TYPE_CHECKING:
    from dynoexport.aws.account import Account

_BOUNDARY_TASK = "boundary"


@click.command()
@click.argument(
    "purpose",
    metavar="TASK",
    type=click.Choice(
        [_BOUNDARY_TASK, "deploy", "import", "destroy", "plan", "run", "publish", "query"]
    ),
)
@click.option(
    "--boundary",
    metavar="ARN",
    default="",
    help="Allow only roles with this permissions boundary.  "
    "[default: the policy dynoexport-boundary]",
)
@click.option(
    "--no-boundary",
    is_flag=True,
    help="Allow roles without a boundary. Whoever deploys can then become administrator.",
)
@click.option(
    "--key",
    metavar="ARN",
    default="",
    help="Allow the KMS key of the common stack: 'init --set KmsKeyArn=ARN'.",
)
@common.aws_options
def permissions(
    account: Account, purpose: str, *, boundary: str, no_boundary: bool, key: str
) -> None:
    """Print the IAM policy that a task needs.

    The policy is for this account and region. docs/permissions.md lists every permission, and the
    reason for it.

    \b
    TASK is one of:
      boundary  the permissions boundary of the roles that deploy creates
      deploy    init, deploy
      import    init, if bucket or database exist; also needs the policy of deploy
      destroy   destroy; also needs the policy of deploy
      plan      plan
      run       run, watch, stop, enable, disable, status, runs, snapshots, logs
      publish   publish, verify, prune, adopt; also needs the policy of run
      query     query

    Whoever deploys writes policies into roles. A permissions boundary limits what these roles can
    do. Create it once, then deploy each export with it.

    \b
    Examples:
      dynoexport permissions boundary > boundary.json
      aws iam create-policy --policy-name dynoexport-boundary \\
          --policy-document file://boundary.json
      dynoexport permissions deploy > deploy.json
      dynoexport permissions query --key arn:aws:kms:us-east-1:123456789012:key/k
    """
    from dynoexport import naming, settings
    from dynoexport.cloudformation import parameters
    from dynoexport.cloudformation.boundary import boundary as boundary_policy
    from dynoexport.cloudformation.check import check_parameters
    from dynoexport.iam import tasks
    from dynoexport.iam.installation import Installation

    if boundary and no_boundary:
        raise click.UsageError("Give either --boundary or --no-boundary.")
    # Refuse what the stacks would refuse.
    check_parameters(parameters.common_groups(), {settings.KMS_KEY_ARN: key})
    check_parameters(
        parameters.table_groups(),
        {settings.PERMISSIONS_BOUNDARY_ARN: boundary},
    )
    with waiting("Reading the account's ID"):
        account_id = account.account_id
    usual = f"arn:{account.partition}:iam::{account_id}:policy/{naming.BOUNDARY}"
    at = Installation(
        account=account_id,
        region=account.region,
        partition=account.partition,
        boundary="" if no_boundary else boundary or usual,
        key=key,
    )
    make = {_BOUNDARY_TASK: boundary_policy, **tasks.TASKS}[purpose]
    click.echo(json.dumps(json.loads(make(at).to_json()), indent=2))
    if purpose == "deploy":
        _say_what_deployers_can_become(at.boundary, usual)


def _say_what_deployers_can_become(boundary: str, usual: str) -> None:
    if not boundary:
        common.echo_err(
            "Warning: whoever has this policy can become administrator of the account. They can "
            "write any\npermission into a dynoexport-* role, and trust themselves to use it. To "
            "prevent this, leave out\n--no-boundary."
        )
        return
    common.echo_err(f"This policy only allows roles with the permissions boundary {boundary}.")
    if boundary == usual:
        name = boundary.rpartition("/")[2]
        common.echo_err(
            "Create it once:\n"
            "  dynoexport permissions boundary > boundary.json\n"
            f"  aws iam create-policy --policy-name {name} --policy-document file://boundary.json"
        )
    common.echo_err(f"Deploy with it: --set PermissionsBoundaryArn={boundary}")

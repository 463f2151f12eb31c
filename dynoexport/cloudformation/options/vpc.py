"""A Glue connection through which jobs and crawler run inside a VPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import ec2, glue
from awacs.aws import Condition, ForAllValuesStringEquals
from troposphere import Equals, If, Not, NoValue, Ref
from troposphere import glue as glue_resources

from dynoexport import limits, settings
from dynoexport.cloudformation import context, form
from dynoexport.cloudformation.options import installation
from dynoexport.cloudformation.options.option import Grant, Option, for_each
from dynoexport.iam.statements import Scope, allow, policy

if TYPE_CHECKING:
    from awacs.aws import PolicyDocument

HAS_CONNECTION = "HasConnection"


def use_connection(scope: Scope) -> PolicyDocument:
    """What all three roles also need inside a VPC, where Glue creates network interfaces.

    As in AWSGlueServiceRole, but limited to this account and region where EC2 supports it:
    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSGlueServiceRole.html
    """
    interfaces = scope.arn("ec2", "network-interface/*")
    places = [scope.arn("ec2", f"{kind}/*") for kind in ("subnet", "security-group")]
    return policy(
        [
            allow(
                "ReadConnection",
                [glue.GetConnection],
                [scope.arn("glue", "catalog"), scope.arn("glue", f"connection/{scope.connection}")],
            ),
            # EC2's other Describe actions have no resource-level permissions:
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
            allow(
                "DescribeNetwork",
                [
                    ec2.DescribeNetworkInterfaces,
                    ec2.DescribeRouteTables,
                    ec2.DescribeSecurityGroups,
                    ec2.DescribeSubnets,
                    ec2.DescribeVpcEndpoints,
                ],
                ["*"],
            ),
            allow("DescribeVpc", [ec2.DescribeVpcAttribute], [scope.arn("ec2", "vpc/*")]),
            # The connection names subnet and security group; a policy cannot read it.
            allow("CreateInterfaces", [ec2.CreateNetworkInterface], [interfaces, *places]),
            allow("DeleteInterfaces", [ec2.DeleteNetworkInterface], [interfaces]),
            allow(
                "TagInterfaces",
                [ec2.CreateTags, ec2.DeleteTags],
                [interfaces],
                Condition(ForAllValuesStringEquals("aws:TagKeys", ["aws-glue-service-resource"])),
            ),
        ]
    )


_NAME = Ref(settings.CONNECTION_NAME)

OPTION = Option(
    group=installation.GROUP,
    fields=(
        form.text(
            settings.CONNECTION_NAME,
            "VPC connection",
            "Glue connection of type NETWORK that puts jobs and crawler into a VPC. Empty: none.",
            pattern=r"^[a-zA-Z0-9_.-]*$",
            constraint="must be empty or the name of a connection",
            default="",
            longest=limits.GLUE_NAME_MAX,
        ),
    ),
    conditions={HAS_CONNECTION: Not(Equals(_NAME, ""))},
    properties={
        **for_each(
            context.JOBS,
            {
                "Connections": If(
                    HAS_CONNECTION, glue_resources.ConnectionsList(Connections=[_NAME]), NoValue
                )
            },
        ),
        context.CRAWL_TARGET: {"ConnectionName": If(HAS_CONNECTION, _NAME, NoValue)},
    },
    grants=(
        Grant(
            name="RolesUseConnection",
            roles=context.ROLES,
            policy=use_connection,
            condition=HAS_CONNECTION,
            when="there is a `ConnectionName`",
            evidence="AWS's own policy for Glue allows the same; the local endpoint has no VPC.",
        ),
    ),
)

"""A permissions boundary for the roles."""

from __future__ import annotations

from troposphere import Equals, If, Not, NoValue, Ref

from dynoexport import settings
from dynoexport.cloudformation import context, form
from dynoexport.cloudformation.options import installation
from dynoexport.cloudformation.options.option import Option, for_each

HAS_BOUNDARY = "HasPermissionsBoundary"

OPTION = Option(
    group=installation.GROUP,
    fields=(
        form.text(
            settings.PERMISSIONS_BOUNDARY_ARN,
            "Permissions boundary",
            "ARN of the permissions boundary of every role. Empty: none.",
            pattern=r"^(arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[a-zA-Z0-9+=,.@_/-]+)?$",
            constraint="must be empty or the ARN of an IAM policy",
            default="",
            longest=2048,
        ),
    ),
    conditions={HAS_BOUNDARY: Not(Equals(Ref(settings.PERMISSIONS_BOUNDARY_ARN), ""))},
    properties=for_each(
        context.ROLES,
        {"PermissionsBoundary": If(HAS_BOUNDARY, Ref(settings.PERMISSIONS_BOUNDARY_ARN), NoValue)},
    ),
)

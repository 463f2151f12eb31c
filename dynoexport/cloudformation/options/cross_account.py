"""A table in another account, which the export job reads with a role there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import sts

from dynoexport import limits, settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.context import EXPORT_ROLE
from dynoexport.cloudformation.options import identity
from dynoexport.cloudformation.options.option import (
    Grant,
    Option,
    Rule,
    has,
    has_value,
    is_none_of,
)
from dynoexport.iam.statements import Scope, allow, policy
from dynoexport.model import ReadMode

if TYPE_CHECKING:
    from awacs.aws import PolicyDocument

HAS_SOURCE_ROLE = has(settings.SOURCE_ROLE)


def assume_source_role(scope: Scope) -> PolicyDocument:
    """What the export job also needs if the table is in another account."""
    return policy([allow("AssumeSourceRole", [sts.AssumeRole], [scope.text(scope.source_role)])])


OPTION = Option(
    group=identity.GROUP,
    fields=(
        form.text(
            settings.SOURCE_ROLE,
            "Role of the table's account",
            "ARN of a role in the table's account that may read the table. Empty: the table is in "
            "this account.",
            pattern=r"^(arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+)?$",
            constraint="must be empty or the ARN of a role",
            default="",
            longest=limits.ROLE_ARN_MAX,
        ),
    ),
    conditions=has_value(settings.SOURCE_ROLE),
    rules=(
        Rule(
            name="ForeignTableIsScanned",
            when=is_none_of(settings.SOURCE_ROLE, ""),
            must=(is_none_of(settings.READ_MODE, ReadMode.EXPORT.value),),
            reason="ReadMode export does not work with SourceRoleArn",
            remedy="choose native",
            hint="choose --read-mode native",
        ),
    ),
    grants=(
        Grant(
            name="AssumesRole",
            roles=(EXPORT_ROLE,),
            policy=assume_source_role,
            condition=HAS_SOURCE_ROLE,
            when="there is a `SourceRoleArn`",
            evidence="A test reads a table in another account with it.",
        ),
    ),
)

"""The table stack's roles, one for each node of the workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import Ref, Tags, iam

from dynoexport import policies
from dynoexport.stacks import context

if TYPE_CHECKING:
    from awacs.aws import PolicyDocument
    from troposphere import Template

EXPORT_ROLE = "ExportRole"
CRAWLER_ROLE = "CrawlerRole"
VIEW_ROLE = "ViewRole"


def add(template: Template) -> None:
    """The roles, each with its policy inline, so that nobody else can be given it."""
    _add_role(template, EXPORT_ROLE, policies.export_job(context.SCOPE))
    _add_role(template, CRAWLER_ROLE, policies.crawler(context.SCOPE))
    _add_role(template, VIEW_ROLE, policies.view_job(context.SCOPE), condition=context.IS_QUERYABLE)
    _add_key_policy(template, EXPORT_ROLE, condition=context.HAS_KEY)
    _add_key_policy(template, CRAWLER_ROLE, condition=context.HAS_KEY)
    _add_key_policy(template, VIEW_ROLE, condition=context.HAS_KEY_AND_VIEW)


def _add_role(
    template: Template, title: str, policy: PolicyDocument, *, condition: str | None = None
) -> None:
    options = {} if condition is None else {"Condition": condition}
    template.add_resource(
        iam.Role(
            title,
            AssumeRolePolicyDocument=policies.glue_trust(),
            Policies=[iam.Policy(PolicyName=title, PolicyDocument=policy)],
            Tags=Tags(**context.glue_tags()),
            **options,
        )
    )


def _add_key_policy(template: Template, role: str, *, condition: str) -> None:
    """Apart from the role's own policy, because a statement in a list cannot be conditional."""
    template.add_resource(
        iam.PolicyType(
            f"{role}UsesKey",
            Condition=condition,
            PolicyName="UseKmsKey",
            PolicyDocument=policies.kms_use(context.SCOPE),
            Roles=[Ref(role)],
        )
    )

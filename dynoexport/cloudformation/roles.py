"""The table stack's roles, one for each node of the workflow, and the grants of options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import If, NoValue, Ref, Tags, iam

from dynoexport.cloudformation import context, options
from dynoexport.cloudformation.options import catalog_update, identity
from dynoexport.iam import job_roles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from awacs.aws import PolicyDocument
    from troposphere import AWSHelperFn, Template

    from dynoexport.cloudformation.options.option import Grant
    from dynoexport.iam.statements import Scope


# What each role may always do.
POLICIES: Mapping[str, Callable[[Scope], PolicyDocument]] = {
    context.EXPORT_ROLE: job_roles.export_job,
    context.CRAWLER_ROLE: job_roles.crawler,
    context.VIEW_ROLE: job_roles.view_job,
}
# The roles that a stack may lack.
_CONDITIONS = {
    context.CRAWLER_ROLE: catalog_update.IS_CRAWLED,
    context.VIEW_ROLE: identity.IS_QUERYABLE,
}


def add(template: Template) -> None:
    """The roles, each with its policy inline, so that no other role can get it."""
    for role, policy in POLICIES.items():
        condition = {"Condition": _CONDITIONS[role]} if role in _CONDITIONS else {}
        _add_role(template, role, policy(context.SCOPE), **condition)
    for grant in options.GRANTS:
        _add_grant(template, grant)


def _add_role(template: Template, title: str, policy: PolicyDocument, **attributes: str) -> None:
    template.add_resource(
        iam.Role(
            title,
            AssumeRolePolicyDocument=job_roles.glue_trust(),
            Policies=[iam.Policy(PolicyName=title, PolicyDocument=policy)],
            Tags=Tags(**context.glue_tags()),
            **options.properties(title),
            **attributes,
        )
    )


def _add_grant(template: Template, grant: Grant) -> None:
    template.add_resource(
        iam.PolicyType(
            grant.title,
            Condition=grant.condition,
            PolicyName=grant.name,
            PolicyDocument=grant.policy(context.SCOPE),
            Roles=[_reference(role) for role in grant.roles],
        )
    )


def _reference(role: str) -> AWSHelperFn:
    """The role, or nothing if the stack does not have it."""
    if role in _CONDITIONS:
        return If(_CONDITIONS[role], Ref(role), NoValue)
    return Ref(role)

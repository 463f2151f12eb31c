"""The table stack's roles, one for each node of the workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import If, NoValue, Ref, Tags, iam

from dynoexport.cloudformation import context, parameters
from dynoexport.iam import job_roles

if TYPE_CHECKING:
    from awacs.aws import PolicyDocument
    from troposphere import Template

EXPORT_ROLE = "ExportRole"
CRAWLER_ROLE = "CrawlerRole"
VIEW_ROLE = "ViewRole"


def add(template: Template) -> None:
    """The roles, each with its policy inline, so that nobody else can be given it."""
    _add_role(template, EXPORT_ROLE, job_roles.export_job(context.SCOPE))
    _add_role(template, CRAWLER_ROLE, job_roles.crawler(context.SCOPE))
    _add_role(
        template, VIEW_ROLE, job_roles.view_job(context.SCOPE), condition=context.IS_QUERYABLE
    )
    scan, export = job_roles.scan_table(context.SCOPE), job_roles.export_table(context.SCOPE)
    _add_policy(template, EXPORT_ROLE, "ScansTable", scan, condition=context.IS_SCANNED)
    _add_policy(template, EXPORT_ROLE, "ExportsTable", export, condition=context.IS_EXPORTED)
    assume = job_roles.assume_source_role(context.SCOPE)
    _add_policy(template, EXPORT_ROLE, "AssumesRole", assume, condition=context.HAS_SOURCE_ROLE)
    decrypt = job_roles.use_table_key(context.SCOPE)
    _add_policy(template, EXPORT_ROLE, "DecryptsTable", decrypt, condition=context.HAS_TABLE_KEY)
    connect, use = job_roles.use_connection(context.SCOPE), job_roles.use_key(context.SCOPE)
    _add_common_policy(template, "UseConnection", connect, condition=context.HAS_CONNECTION)
    _add_common_policy(template, "UseKey", use, condition=context.HAS_KEY)
    encrypt = job_roles.write_with_key(context.SCOPE)
    _add_common_policy(
        template, "WriteWithKey", encrypt, condition=context.HAS_KEY, but=CRAWLER_ROLE
    )


def _add_role(
    template: Template, title: str, policy: PolicyDocument, *, condition: str | None = None
) -> None:
    options = {} if condition is None else {"Condition": condition}
    template.add_resource(
        iam.Role(
            title,
            AssumeRolePolicyDocument=job_roles.glue_trust(),
            PermissionsBoundary=If(
                context.HAS_BOUNDARY, Ref(parameters.PERMISSIONS_BOUNDARY_ARN), NoValue
            ),
            Policies=[iam.Policy(PolicyName=title, PolicyDocument=policy)],
            Tags=Tags(**context.glue_tags()),
            **options,
        )
    )


def _add_common_policy(
    template: Template, do: str, policy: PolicyDocument, *, condition: str, but: str = ""
) -> None:
    """What all nodes of the workflow need, or all but one, said once."""
    view_role = If(context.IS_QUERYABLE, Ref(VIEW_ROLE), NoValue)
    always = [Ref(role) for role in (EXPORT_ROLE, CRAWLER_ROLE) if role != but]
    template.add_resource(
        iam.PolicyType(
            f"Roles{do}",
            Condition=condition,
            PolicyName=f"Roles{do}",
            PolicyDocument=policy,
            Roles=[*always, view_role],
        )
    )


def _add_policy(
    template: Template, role: str, does: str, policy: PolicyDocument, *, condition: str
) -> None:
    """Apart from the role's own policy, because a statement in a list cannot be conditional."""
    template.add_resource(
        iam.PolicyType(
            f"{role}{does}",
            Condition=condition,
            PolicyName=does,
            PolicyDocument=policy,
            Roles=[Ref(role)],
        )
    )

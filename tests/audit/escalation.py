"""Whether a policy lets its holder get more permissions than it has.

The ways are those that researchers have found on AWS, and one of dynoexport's own: whoever writes a
job's script acts as the job.

https://github.com/RhinoSecurityLabs/AWS-IAM-Privilege-Escalation
https://pathfinding.cloud
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynoexport import naming
from dynoexport.cloudformation.boundary import boundary
from dynoexport.cloudformation.permissions import INSTALLATION, ROLES, plain
from dynoexport.iam import tasks
from dynoexport.local.iam.authorization import matches, matches_action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Statements = Sequence[Mapping[str, Any]]

PASS_ROLE, PASSED_TO = "iam:PassRole", "iam:PassedToService"
BOUNDARY = "iam:PermissionsBoundary"
SOURCE_ROLE = "<source role's ARN>"
# As the policies of roles and those of people name the bucket.
SCRIPTS = tuple(
    f"{bucket}/{naming.SCRIPTS_PREFIX}v1/{naming.EXPORT_SCRIPT}"
    for bucket in ("arn:aws:s3:::<bucket>", INSTALLATION.bucket)
)


@dataclass(frozen=True)
class Way:
    """Actions that together give more permissions.

    Attributes:
        passes_to: the service that gets the role which is passed.
        resources: the action has to be allowed on one of them; on any resource if empty.
    """

    actions: tuple[str, ...]
    passes_to: str = ""
    resources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        more = f" to {self.passes_to}" if self.passes_to else ""
        where = " on the scripts" if self.resources else ""
        return " and ".join(self.actions) + more + where


# --- the ways -------------------------------------------------------------------------------------
_IDENTITIES = (
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:CreateRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteUserPermissionsBoundary",
    "iam:DetachRolePolicy",
    "iam:PutGroupPolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
    "sts:AssumeRole",
)
# These change or enter what runs with a role already.
_RUNNING = (
    "codebuild:StartBuild",
    "codestar:CreateProject",
    "ec2-instance-connect:SendSSHPublicKey",
    "ec2:ModifyInstanceAttribute",
    "ecs:ExecuteCommand",
    "glue:UpdateDevEndpoint",
    "kms:CreateGrant",
    "kms:PutKeyPolicy",
    "lambda:AddPermission",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "sagemaker:CreatePresignedNotebookInstanceUrl",
    "ssm:SendCommand",
    "ssm:StartSession",
    "states:UpdateStateMachine",
)
_STARTS = (
    ("cloudformation:CreateChangeSet", "cloudformation.amazonaws.com"),
    ("cloudformation:CreateStack", "cloudformation.amazonaws.com"),
    ("cloudformation:UpdateStack", "cloudformation.amazonaws.com"),
    ("codebuild:CreateProject", "codebuild.amazonaws.com"),
    ("datapipeline:CreatePipeline", "datapipeline.amazonaws.com"),
    ("ec2:RunInstances", "ec2.amazonaws.com"),
    ("ecs:RunTask", "ecs-tasks.amazonaws.com"),
    ("events:PutTargets", "events.amazonaws.com"),
    ("glue:CreateCrawler", "glue.amazonaws.com"),
    ("glue:CreateDevEndpoint", "glue.amazonaws.com"),
    ("glue:CreateJob", "glue.amazonaws.com"),
    ("glue:CreateSession", "glue.amazonaws.com"),
    ("glue:UpdateCrawler", "glue.amazonaws.com"),
    ("glue:UpdateJob", "glue.amazonaws.com"),
    ("lambda:CreateFunction", "lambda.amazonaws.com"),
    ("sagemaker:CreateNotebookInstance", "sagemaker.amazonaws.com"),
    ("scheduler:CreateSchedule", "scheduler.amazonaws.com"),
    ("states:CreateStateMachine", "states.amazonaws.com"),
)
WAYS = (
    *(Way((action,)) for action in (*_IDENTITIES, *_RUNNING)),
    *(Way((PASS_ROLE, action), passes_to=service) for action, service in _STARTS),
    Way(("s3:PutObject",), resources=SCRIPTS),
)


# --- what keeps a way within bounds ---------------------------------------------------------------
def _is_bounded(statement: Mapping[str, Any]) -> bool:
    return BOUNDARY in statement.get("Condition", {}).get("ArnEquals", {})


def _is_about_exports(statement: Mapping[str, Any]) -> bool:
    return all(":role/dynoexport-" in each for each in statement["Resource"])


@dataclass(frozen=True)
class Limit:
    """Why a way that a policy has leads no further, and what its statements must have for it."""

    reason: str
    holds: Callable[[Mapping[str, Any]], bool]


_BOUNDED = Limit(
    "only with the permissions boundary, which no statement lets them remove", _is_bounded
)
_OURS = Limit("only roles of exports, which AWS Glue gets", _is_about_exports)
_TRUSTED = Limit("only roles of exports: at most what exports may do", _is_about_exports)
# A person with the policy of deploy publishes the scripts of exports: that is their task.
_SCRIPTS = Limit("scripts run with the roles of exports: at most what exports may do", bool)
DEPLOYER: Mapping[str, Limit] = {
    "iam:CreateRole": _BOUNDED,
    "iam:PutRolePolicy": _BOUNDED,
    "iam:PutRolePermissionsBoundary": _BOUNDED,
    "iam:UpdateAssumeRolePolicy": _TRUSTED,
    PASS_ROLE: _OURS,
    "s3:PutObject": _SCRIPTS,
}
_SOURCE = Limit(
    "only the role that SourceRoleArn names", lambda each: each["Resource"] == [SOURCE_ROLE]
)
_GRANTS_NOTHING = Limit("a boundary grants nothing, and who deploys publishes the scripts", bool)
LIMITS: Mapping[str, Mapping[str, Limit]] = {
    "boundary": {"s3:PutObject": _GRANTS_NOTHING},
    "ExportRole": {"sts:AssumeRole": _SOURCE},
    "deploy": DEPLOYER,
    "all tasks together": DEPLOYER,
}


@dataclass(frozen=True)
class Finding:
    """A way that a holder has. Without a limit it leads further than the policy."""

    holder: str
    way: Way
    limit: str | None


# --- the analysis ---------------------------------------------------------------------------------
def holders() -> dict[str, Statements]:
    """The statements of each role with all its options, and of each policy of people."""
    roles = {role: list(_statements(documents.values())) for role, documents in ROLES.items()}
    people = {
        purpose: list(_statements([make(INSTALLATION)])) for purpose, make in tasks.TASKS.items()
    }
    together = [statement for statements in people.values() for statement in statements]
    limits = list(_statements([boundary(INSTALLATION)]))
    return {**roles, "boundary": limits, **people, "all tasks together": together}


def _statements(documents: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        yield from plain(document)["Statement"]


def findings(holder: str, statements: Statements) -> Iterator[Finding]:
    """Each way that the statements allow."""
    for way in WAYS:
        used = [_allowing(statements, way, action) for action in way.actions]
        if all(used):
            yield Finding(holder, way, _limit(holder, way, used))


def _allowing(statements: Statements, way: Way, action: str) -> list[Mapping[str, Any]]:
    """The statements that allow the action for this way."""
    return [
        statement
        for statement in statements
        if statement["Effect"] == "Allow"
        and any(matches_action(pattern, action) for pattern in statement["Action"])
        and _is_on(statement, way.resources)
        and (action != PASS_ROLE or way.passes_to in _services(statement, way.passes_to))
    ]


def _is_on(statement: Mapping[str, Any], resources: Sequence[str]) -> bool:
    return not resources or any(
        matches(pattern, resource) for pattern in statement["Resource"] for resource in resources
    )


def _services(statement: Mapping[str, Any], every: str) -> list[str]:
    """The services to which the statement lets a role pass; without a condition any."""
    found = statement.get("Condition", {}).get("StringEquals", {}).get(PASSED_TO, every)
    return [found] if isinstance(found, str) else list(found)


def _limit(holder: str, way: Way, used: Sequence[Statements]) -> str | None:
    """Why it leads no further; None if it does.

    One action within bounds is enough: the way needs all of them.
    """
    for action, statements in zip(way.actions, used, strict=True):
        limit = LIMITS.get(holder, {}).get(action)
        if limit is not None and all(map(limit.holds, statements)):
            return limit.reason
    return None


def analysis() -> dict[str, list[Finding]]:
    """The ways of each holder."""
    return {holder: list(findings(holder, found)) for holder, found in holders().items()}


def unlimited(found: Mapping[str, Sequence[Finding]]) -> list[Finding]:
    """The ways that lead further than the policy that has them."""
    return [each for several in found.values() for each in several if each.limit is None]


def table(found: Mapping[str, Sequence[Finding]]) -> str:
    """The analysis as Markdown."""
    rows = ["| role or policy | more permissions | ways that stay within bounds |\n|---|---|---|\n"]
    for holder, several in found.items():
        reasons: dict[str, list[str]] = {}
        for each in several:
            reasons.setdefault(each.limit or "**no limit**", []).append(f"`{each.way.name}`")
        cells = "<br>".join(f"{', '.join(ways)}: {reason}" for reason, ways in reasons.items())
        verdict = "yes" if unlimited({holder: several}) else "no"
        rows.append(f"| {holder} | {verdict} | {cells or 'none'} |\n")
    return "".join(rows)

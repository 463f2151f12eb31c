"""The permissions boundary: what a role of any export may do at most.

Whoever may write policies into roles can write any permission into them. A boundary takes effect
beside the role's policies, and only what both allow is allowed:
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import kms
from awacs.aws import Action, Condition, PolicyDocument, Statement, StringEquals, StringLike

from dynoexport import naming
from dynoexport.cloudformation.permissions import ROLES, plain
from dynoexport.iam.statements import allow, policy

if TYPE_CHECKING:
    from dynoexport.iam.installation import Installation

# With it a role could become any other role that trusts its account.
_WITHHELD = "sts"
_ANYWHERE = ["*"]


def boundary(at: Installation) -> PolicyDocument:
    """Every action of the jobs' roles, on the resources of exports of any table, and no more."""
    return policy(
        [
            *(
                allow(f"{service.capitalize()}OfExports", _actions(service), resources)
                for service, resources in _resources(at).items()
            ),
            allow("WithoutResource", _actions(on_resources=False), _ANYWHERE),
            allow("PublishMetrics", _actions("cloudwatch", on_resources=False), _ANYWHERE, _OURS),
            *_use_keys(at),
        ]
    )


_OURS = Condition(StringLike("cloudwatch:namespace", ["Glue", f"{naming.METRIC_NAMESPACES}*"]))


def _resources(at: Installation) -> dict[str, list[str]]:
    """The resources of exports of any table, by service."""
    more = ("database/default", "job/*", "workflow/*", "connection/*")
    network = ("vpc/*", "subnet/*", "security-group/*", "network-interface/*")
    return {
        "s3": [at.bucket, f"{at.bucket}/*"],
        "glue": [*at.tables, *at.arns("glue", *more)],
        "athena": at.arns("athena", f"workgroup/{naming.VIEW_WORK_GROUP}"),
        "logs": at.arns("logs", "log-group:/aws-glue/*"),
        "dynamodb": at.arns("dynamodb", "table/*", "table/*/export/*"),
        "ec2": at.arns("ec2", *network),
    }


def _use_keys(at: Installation) -> list[Statement]:
    """Any key through DynamoDB and through the Data Catalog, and the key of the common stack.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    keys = at.arns("kms", "key/*")
    return [
        allow("DecryptTables", [kms.Decrypt], keys, _through(at, "dynamodb")),
        allow("UseCatalogKey", _actions("kms"), keys, _through(at, "glue")),
        *([allow("UseKey", _actions("kms"), [at.key])] if at.key else []),
    ]


def _through(at: Installation, service: str) -> Condition:
    return Condition(StringEquals("kms:ViaService", f"{service}.{at.region}.{at.services}"))


def _actions(service: str = "", *, on_resources: bool = True) -> list[Action]:
    """The actions of the jobs' roles with resources or without, of one service or of all others."""
    texts = {
        action
        for documents in ROLES.values()
        for document in documents.values()
        for statement in plain(document)["Statement"]
        if (statement["Resource"] != _ANYWHERE) == on_resources
        for action in statement["Action"]
    }
    actions = [Action(*text.split(":")) for text in sorted(texts)]
    if service:
        return [action for action in actions if action.prefix == service]
    return [action for action in actions if action.prefix not in {_WITHHELD, "cloudwatch"}]

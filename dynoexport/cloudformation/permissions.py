"""Every permission, and why it is there: ``docs/permissions.md``.

A run on the local endpoint shows what a role needs. ``KEPT`` lists each permission that no run
needed, with its reason. Tests compare ``KEPT`` with the recorded runs.
"""

from __future__ import annotations

import itertools
import re
import sys
from typing import TYPE_CHECKING, Any

from troposphere import Sub, encode_to_dict

from dynoexport.cloudformation import options, roles
from dynoexport.iam import reasons, statements, tasks
from dynoexport.iam.installation import Installation
from dynoexport.iam.reasons import Kept
from dynoexport.iam.statements import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from awacs.aws import PolicyDocument

# One export with placeholders for its names.
SCOPE = Scope(
    table="<table>",
    format="<format>",
    catalog_prefix="<prefix>",
    workflow="<workflow>",
    scripts_version="<version>",
    connection="<connection>",
    source_role="<source role's ARN>",
    table_key="<table's key>",
    catalog_key="<catalog's key>",
    names={"Bucket": "<bucket>", "Database": "<database>", "WorkGroup": "<workgroup>"},
    imports={"KmsKey": Sub("${KmsKey}")},
)
_OPEN = {
    "AWS::Partition": "aws",
    "AWS::Region": "<region>",
    "AWS::AccountId": "<account>",
    "AWS::URLSuffix": "amazonaws.com",
    "KmsKey": "<key>",
}
INSTALLATION = Installation(account="<account>", region="<region>", boundary="<boundary's ARN>")

EXPORT, CRAWLER, VIEW = roles.POLICIES
# Each role's policies, by the names that they have in it.
ROLES: Mapping[str, Mapping[str, PolicyDocument]] = {
    role: {
        role: policy(SCOPE),
        **{grant.name: grant.policy(SCOPE) for grant in options.GRANTS if role in grant.roles},
    }
    for role, policy in roles.POLICIES.items()
}
# The policies that a role does not always have.
_GRANTS = {grant.name: grant for grant in options.GRANTS}


def _object(key: str) -> str:
    return f"arn:aws:s3:::<bucket>/{key}"


_ATHENA = "https://docs.aws.amazon.com/athena/latest/ug/querying-iam.html"
_FINE_GRAINED = (
    "https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html"
)
_CRAWLS = "https://docs.aws.amazon.com/glue/latest/dg/crawler-schema-changes-prevent.html"
_GLUE = "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSGlueServiceRole.html"
_LOCATES = "AWS Glue looks up the bucket's region; AWS's own policy for Glue roles allows it."
_ROLLS_BACK = "CloudFormation needs it to update the resource, or to roll back its creation."
_HANDLERS = (
    "https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html"
)
_LISTS = "Athena lists the folder of its results."
_RESULTS = "Athena reads and writes results in parts."
_OTHERS_HAVE = (
    "Lists of permissions that work in other accounts have it. Trino creates a view without it."
)
_RESULT_ACTIONS = ("s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_ABORTS = "The job removes what lost tasks have uploaded; recorded runs lost none."
_PARTS = "Hadoop's S3 clients list the parts of a large file; recorded runs had no such files."

KEPT: tuple[Kept, ...] = (
    Kept(EXPORT, "LocateBucket", _LOCATES, _GLUE, ("s3:GetBucketLocation",)),
    Kept(
        EXPORT,
        "ListBucket",
        "Hadoop's S3 clients check whether the parents of a key are directories.",
        reasons.HADOOP,
        tuple(statements.probes(SCOPE.temp)),
    ),
    Kept(
        EXPORT,
        "WriteTemp",
        "Glue up to 5.0 marks new directories with empty objects.",
        reasons.MARKERS,
        tuple(map(_object, statements.markers(SCOPE.temp))),
    ),
    Kept(
        EXPORT,
        "WriteSnapshot",
        _ABORTS,
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html",
        ("s3:AbortMultipartUpload",),
    ),
    Kept(
        EXPORT,
        "WriteTemp",
        _PARTS,
        reasons.HADOOP,
        ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    ),
    Kept(
        EXPORT,
        "WriteManifest",
        "A retry deletes the manifest of an attempt whose files were changed or deleted.",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html",
        ("s3:DeleteObject",),
    ),
    Kept(
        EXPORT,
        "WriteMetrics",
        "Glue publishes the job's metrics with its role; the local endpoint does not.",
        _GLUE,
        ("Glue",),
    ),
    Kept(CRAWLER, "LocateBucket", _LOCATES, _GLUE),
    Kept(
        CRAWLER,
        "WriteCatalog",
        "A crawler of AWS works in batches, the local endpoint's one by one.",
        _GLUE,
        (
            "glue:GetDatabases",
            "glue:GetTables",
            "glue:GetTableVersion",
            "glue:GetTableVersions",
            "glue:GetPartition",
            "glue:BatchGetPartition",
            "glue:BatchCreatePartition",
            "glue:BatchUpdatePartition",
            "glue:BatchDeletePartition",
        ),
    ),
    Kept(
        CRAWLER,
        "WriteCatalog",
        "DeleteBehavior is DELETE_FROM_DATABASE: the crawler deletes a table without data.",
        _CRAWLS,
        (
            "glue:DeleteTable",
            "glue:BatchDeleteTable",
            "glue:DeleteTableVersion",
            "glue:BatchDeleteTableVersion",
        ),
    ),
    Kept(VIEW, "ListBucket", _LISTS, _ATHENA, (f"{SCOPE.view_results}*",)),
    Kept(
        VIEW,
        "Query",
        "A view job that waited too long stops its query.",
        "https://docs.aws.amazon.com/athena/latest/APIReference/API_StopQueryExecution.html",
        ("athena:StopQueryExecution",),
    ),
    Kept(VIEW, "WriteResults", _RESULTS, _ATHENA, _RESULT_ACTIONS),
    Kept(VIEW, "ReadDatabase", _OTHERS_HAVE, _FINE_GRAINED, ("glue:GetDatabases",)),
    Kept(
        VIEW,
        "WriteView",
        _OTHERS_HAVE,
        _FINE_GRAINED,
        ("glue:GetTableVersion", "glue:GetTableVersions"),
    ),
    Kept(
        "deploy",
        "PublishScripts",
        "CloudFormation reads a template of more than 51,200 bytes from the bucket, with the "
        "caller's permissions; the templates of this version are smaller.",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html",
        ("s3:GetObject",),
    ),
    *(
        Kept("deploy", sid, _ROLLS_BACK, _HANDLERS, actions)
        for sid, actions in {
            "WithoutResource": ("glue:UpdateClassifier",),
            "Bucket": ("s3:DeleteBucketPolicy", "s3:DeleteBucket"),
            "Database": ("glue:UpdateDatabase", "glue:DeleteDatabase"),
            "WorkGroup": ("athena:DeleteWorkGroup",),
        }.items()
    ),
    Kept(
        "deploy",
        "ReadAccount",
        reasons.COLD_TABLE,
        reasons.WARM_THROUGHPUT,
        ("dynamodb:DescribeLimits",),
    ),
    Kept(
        "plan",
        "ReadAccount",
        reasons.COLD_TABLE,
        reasons.WARM_THROUGHPUT,
        ("dynamodb:DescribeLimits",),
    ),
    Kept(
        "run",
        "CountUnits",
        "`runs --explain` reads it for the connector, which does not count its read units.",
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html",
    ),
    Kept(
        "run",
        "ReadCatalog",
        "`status` lists the tables if there are many exports, and gets them one by one if few.",
        "https://docs.aws.amazon.com/glue/latest/webapi/API_GetTables.html",
        ("glue:GetTables",),
    ),
    Kept("publish", "WriteResults", _RESULTS, _ATHENA, _RESULT_ACTIONS),
    Kept("publish", "ListBucket", _LISTS, _ATHENA),
    Kept(
        "publish",
        "PublishView",
        "A query of `adopt` names partitions.",
        _FINE_GRAINED,
        ("glue:BatchGetPartition",),
    ),
    Kept("query", "WriteResults", _RESULTS, _ATHENA, _RESULT_ACTIONS),
    Kept("query", "ListBucket", _LISTS, _ATHENA, ("athena-results/*",)),
    Kept(
        "query",
        "ReadCatalog",
        "A query that names partitions reads only these.",
        _FINE_GRAINED,
        ("glue:GetPartition", "glue:BatchGetPartition"),
    ),
    *(kept for grant in options.GRANTS for kept in grant.kept),
)


# --- policies as plain values ---------------------------------------------------------------------
def plain(document: PolicyDocument) -> dict[str, Any]:
    """The policy with readable names in place of CloudFormation's functions."""
    readable: dict[str, Any] = _readable(encode_to_dict(document))
    return readable


def _readable(value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, list):
        return [_readable(element) for element in value]
    if isinstance(value, str):
        return re.sub(r"\$\{([^}]+)\}", lambda match: _OPEN[match[1]], value)
    if isinstance(value, dict):
        if set(value) == {"Fn::Sub"}:
            return _readable(value["Fn::Sub"])
        return {key: _readable(inner) for key, inner in value.items()}
    return value


def kept(holder: str, *, with_key: bool = False) -> set[tuple[str, str]]:
    """Statement and value of the entries of ``KEPT`` for a role or purpose."""
    return {
        (entry.sid, value)
        for entry in KEPT
        if (entry.holder, entry.with_key) == (holder, with_key)
        for value in entry.values or _all_values(holder, entry.sid)
    }


def allowed(holder: str) -> set[tuple[str, str]]:
    """Statement and value of everything that a role or purpose may do."""
    return {
        (statement["Sid"], value)
        for statement in _statements(holder)
        for value in _values(statement)
    }


def _all_values(holder: str, sid: str) -> list[str]:
    (statement,) = (candidate for candidate in _statements(holder) if candidate["Sid"] == sid)
    return _values(statement)


def _statements(holder: str) -> Iterator[dict[str, Any]]:
    documents = ROLES[holder].values() if holder in ROLES else [tasks.TASKS[holder](INSTALLATION)]
    for document in documents:
        yield from plain(document)["Statement"]


def _values(statement: Mapping[str, Any]) -> list[str]:
    texts: list[str] = [*statement["Action"], *statement["Resource"]]
    for keys in statement.get("Condition", {}).values():
        for values in keys.values():
            texts += [values] if isinstance(values, str) else values
    return texts


# --- for people -----------------------------------------------------------------------------------
_INTRODUCTION = """\
# Permissions

Generated by `python -m dynoexport.cloudformation.permissions > docs/permissions.md`.

Least privilege: a recorded run needed every permission, or a list "Kept" below gives the reason for
it. Tests run exports in every format and with every reader on the local endpoint, which enforces
IAM and records each call. They also run the commands with the policies of people below.

Each role trusts AWS Glue only, and only for this account where Glue sends `aws:SourceAccount`. With
`CatalogUpdate=direct` there is no CrawlerRole, and for xml there is no ViewRole.
"""
_PEOPLE = """\

## People and pipelines

`dynoexport permissions deploy` (or `import`, `destroy`, `plan`, `run`, `publish`, `query`) prints
the policy for your account and region. Each fits into one managed policy of IAM. `--key ARN` adds
the statement `UseKey`: `kms:Decrypt` to read and `kms:GenerateDataKey` to write, on the key of the
common stack and only through S3.

`doctor` checks more than any of these policies allows, and reports each check that is denied.
"""
_BOUNDARY = """\

Whoever deploys writes policies into roles. So the policy only allows roles with a permissions
boundary, which limits what these roles can do. Create it once, and deploy with it:

    dynoexport permissions boundary > boundary.json
    aws iam create-policy --policy-name dynoexport-boundary --policy-document file://boundary.json
    dynoexport permissions deploy > deploy.json
    dynoexport deploy Reviews --read-mode native \\
        --set PermissionsBoundaryArn=arn:aws:iam::123456789012:policy/dynoexport-boundary

The boundary has every action of the roles above, on the bucket, the database and the workgroup of
exports, and on any table. If exports use `SourceRoleArn`, add `sts:AssumeRole` on that role. For a
KMS key, print it with `--key ARN`. `--boundary ARN` names a boundary of your own.

With `--no-boundary` whoever has the policy can become administrator of the account: they can write
any permission into a `dynoexport-*` role, and trust themselves to use it.
"""
_PURPOSES = {
    "deploy": "`init` and `deploy`. CloudFormation calls every service with the permissions of the "
    "person who deploys. `dynamodb:Scan` is for the page of a table that shows what the connector "
    "may change. Without it, `deploy` leaves this out.",
    "import": "`init`, in addition to `deploy`, if the bucket or the Glue database exists before "
    "the common stack. CloudFormation reads all properties of the bucket.",
    "destroy": "`destroy`, in addition to `deploy`. To forbid `destroy --data`, leave out the "
    "statement `DestroyData`.",
    "plan": "`plan`. The command reports what it could not read, and plans without it.",
    "run": "`run`, `watch`, `stop`, `enable`, `disable`, `status`, `runs`, `snapshots` and `logs`. "
    "It does not allow reading items, so `run` leaves out the page that shows what the connector "
    "may change. Add `dynamodb:Scan` on the table to see it, or give `--no-sample`.",
    "publish": "`publish`, `verify`, `prune` and `adopt`, in addition to `run`.",
    "query": "`query`, and Athena's calls for it.",
}


def markdown() -> str:
    """The page's text."""
    parts = [_INTRODUCTION]
    for role, documents in ROLES.items():
        parts.append(f"\n## {role}\n")
        by_condition = itertools.groupby(documents.items(), lambda entry: _when(entry[0]))
        for condition, group in by_condition:
            matching = dict(group)
            when = f"If {condition}:\n\n" if condition else ""
            parts.append(f"\n{when}{_table(*matching.values())}")
            granted = (_GRANTS[name].evidence for name in matching if name in _GRANTS)
            parts.extend(f"\n{note}\n" for note in dict.fromkeys(granted) if note)
        parts.append(_kept_list(role))
    parts.append(_PEOPLE)
    for purpose, words in _PURPOSES.items():
        boundary = _BOUNDARY if purpose == "deploy" else ""
        table = _table(tasks.TASKS[purpose](INSTALLATION))
        parts.append(f"\n### {purpose}\n\n{words}\n{boundary}\n{table}{_kept_list(purpose)}")
    return "".join(parts)


def _when(name: str) -> str:
    """The condition for the policy in words; empty if the role always has it."""
    return _GRANTS[name].when if name in _GRANTS else ""


def _table(*documents: PolicyDocument) -> str:
    rows = [
        f"| {statement['Sid']} | {_cell(statement['Action'])} | {_cell(_resources(statement))} |\n"
        for document in documents
        for statement in plain(document)["Statement"]
    ]
    return "| Statement | Actions | On |\n|---|---|---|\n" + "".join(rows)


def _resources(statement: Mapping[str, Any]) -> list[str]:
    conditions = [
        f"{key} {'like' if operator.endswith('Like') else 'is'} {value}"
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return [*statement["Resource"], *conditions]


def _cell(values: list[str]) -> str:
    return "<br>".join(f"`{value}`" for value in values)


def _kept_list(holder: str) -> str:
    lines = []
    for entry in KEPT:
        if entry.holder == holder:
            values = ", ".join(f"`{value}`" for value in entry.values)
            subject = f"{entry.sid}: {values}" if values else entry.sid
            lines.append(f"- {subject}. {entry.reason} ([source]({entry.source}))\n")
    return "\nKept:\n\n" + "".join(lines) if lines else ""


if __name__ == "__main__":
    sys.stdout.write(markdown())

"""A bucket and a database that exist before the common stack: how a template describes them. Pure.

CloudFormation takes a resource over by a change set of type IMPORT. Its template has only the
imported resources, and describes each as it is: "import operations don't allow new resource
creations, resource deletions, or changes to property configurations".
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html
An update to the whole template then changes what differs, and gives it back if it fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import encode_to_dict

from dynoexport import naming, settings
from dynoexport.cloudformation import common

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Json = dict[str, Any]

# The stack has this description until it has the rest of the common stack.
DESCRIPTION = (
    "dynoexport: the bucket and the Glue database that existed. 'dynoexport init' adds the rest of "
    "the common stack."
)
# Unlike RetainExceptOnCreate it keeps a resource whatever the stack goes through.
_KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
_S3_KEY = "AES256"


@dataclass(frozen=True, kw_only=True)
class ExistingBucket:
    """A bucket as S3 describes it; what it does not have is None or empty.

    Attributes:
        rules: of its lifecycle, as the template of a stack has them.
        encryption: the rule of its default encryption, as S3 describes it.
        ownership: who owns the objects, such as ``ObjectWriter``.
        public_access_block: S3's four settings.
        policy: the bucket policy.
    """

    name: str
    rules: Sequence[Json] = ()
    encryption: Mapping[str, Any] | None = None
    ownership: str = ""
    public_access_block: Mapping[str, bool] | None = None
    policy: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Existing:
    """What exists of the resources that outlive a common stack."""

    bucket: ExistingBucket | None = None
    has_database: bool = False


# --- the template of the import -------------------------------------------------------------------
def import_template(existing: Existing, account: str) -> str:
    """The template that a new stack is created with.

    It has no outputs: "As part of the import operation, you cannot modify or add [Outputs]",
    https://github.com/awslabs/aws-security-assessment-solution/issues/6
    """
    resources: Json = {}
    if existing.bucket is not None:
        resources[common.BUCKET] = _resource("AWS::S3::Bucket", _bucket(existing.bucket))
        if existing.bucket.policy is not None:
            # "The bucket policy already exists on bucket" fails an update that would create one:
            # https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1068
            policy = {"Bucket": existing.bucket.name, "PolicyDocument": existing.bucket.policy}
            resources[common.BUCKET_POLICY] = _resource("AWS::S3::BucketPolicy", policy)
    if existing.has_database:
        resources[common.DATABASE] = _resource("AWS::Glue::Database", _database(account))
    return json.dumps(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": DESCRIPTION,
            "Resources": resources,
        }
    )


def _resource(kind: str, properties: Json) -> Json:
    return {"Type": kind, **_KEPT, "Properties": properties}


def _database(account: str) -> Json:
    """The properties of the whole template, so that no update changes the database."""
    properties = _wanted(common.DATABASE)
    return {**properties, "CatalogId": account}


def _bucket(bucket: ExistingBucket) -> Json:
    properties: Json = {"BucketName": bucket.name}
    if bucket.encryption:
        rule = {
            "ServerSideEncryptionByDefault": bucket.encryption[
                "ApplyServerSideEncryptionByDefault"
            ],
            "BucketKeyEnabled": bool(bucket.encryption.get("BucketKeyEnabled")),
        }
        properties["BucketEncryption"] = {"ServerSideEncryptionConfiguration": [rule]}
    if bucket.rules:
        properties["LifecycleConfiguration"] = {"Rules": list(bucket.rules)}
    if bucket.ownership:
        properties["OwnershipControls"] = {"Rules": [{"ObjectOwnership": bucket.ownership}]}
    if bucket.public_access_block is not None:
        properties["PublicAccessBlockConfiguration"] = dict(bucket.public_access_block)
    return properties


def _wanted(resource: str) -> Json:
    """The properties of a resource of the common stack."""
    properties: Json = encode_to_dict(common.build().resources[resource])["Properties"]
    return properties


def lifecycle_rule(rule: Mapping[str, Any]) -> Json:
    """A lifecycle rule of S3's API, as the template of a stack has it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html
    """
    expiration = rule.get("Expiration", {})
    values = {
        "Id": rule.get("ID"),
        "Status": rule["Status"],
        **_filter(rule),
        "ExpirationInDays": expiration.get("Days"),
        "ExpirationDate": _text(expiration.get("Date")),
        "ExpiredObjectDeleteMarker": expiration.get("ExpiredObjectDeleteMarker"),
        "AbortIncompleteMultipartUpload": rule.get("AbortIncompleteMultipartUpload"),
        "NoncurrentVersionExpiration": rule.get("NoncurrentVersionExpiration"),
        "Transitions": [_transition(one) for one in rule.get("Transitions", [])],
        "NoncurrentVersionTransitions": [
            _transition(one) for one in rule.get("NoncurrentVersionTransitions", [])
        ],
    }
    return {key: value for key, value in values.items() if value not in (None, "", [])}


def _filter(rule: Mapping[str, Any]) -> Json:
    """What the rule applies to. The API has it in several forms, a template in one."""
    where = rule.get("Filter", {})
    where = {**where, **where.get("And", {})}
    tags = where.get("Tags", [where["Tag"]] if "Tag" in where else [])
    sizes = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")
    return {
        "Prefix": where.get("Prefix", rule.get("Prefix")),
        "TagFilters": [dict(tag) for tag in tags],
        **{name: str(where[name]) for name in sizes if name in where},
    }


def _transition(transition: Mapping[str, Any]) -> Json:
    names = {"Days": "TransitionInDays", "NoncurrentDays": "TransitionInDays"}
    names["Date"] = "TransitionDate"
    return {
        names.get(key, key): _text(value) if key == "Date" else value
        for key, value in transition.items()
    }


def _text(date: Any) -> str | None:  # noqa: ANN401 - a datetime, as botocore has it, or nothing
    return None if date is None else f"{date:%Y-%m-%dT%H:%M:%SZ}"


# --- what the update to the whole template changes ------------------------------------------------
def foreign_statements(bucket: ExistingBucket) -> list[str]:
    """The statements of the bucket policy that the common stack's policy does not have.

    It denies every request without TLS; such a statement may be narrower, and is not lost.
    """
    statements = (bucket.policy or {}).get("Statement", [])
    if isinstance(statements, dict):
        statements = [statements]
    return [
        f"statement {statement.get('Sid') or number}"
        for number, statement in enumerate(statements, start=1)
        if not _denies_without_tls(statement)
    ]


def _denies_without_tls(statement: Mapping[str, Any]) -> bool:
    without_tls = {"bool": {"aws:securetransport": "false"}}
    condition = json.loads(json.dumps(statement.get("Condition", {})).lower())
    for values in condition.values():
        for key, value in values.items():
            (values[key],) = value if isinstance(value, list) and len(value) == 1 else (value,)
            values[key] = str(values[key]).lower()
    return statement.get("Effect") == "Deny" and condition == without_tls


def effects(bucket: ExistingBucket, key: str) -> list[str]:
    """What the whole template changes on the bucket, a line each.

    ``key`` is the ARN of the KMS key that the common stack gets; empty: S3's own encryption.
    """
    return [
        *(f"deletes {name} of the bucket policy" for name in foreign_statements(bucket)),
        *_lost_rules(bucket.rules, _wanted(common.BUCKET)["LifecycleConfiguration"]["Rules"]),
        *_expiring(bucket.rules, _wanted(common.BUCKET)["LifecycleConfiguration"]["Rules"]),
        *_other_encryption(bucket, key),
        *_less_access(bucket),
    ]


def _lost_rules(rules: Sequence[Json], wanted: Sequence[Json]) -> Iterator[str]:
    """A lifecycle configuration is replaced as a whole."""
    ours = {rule["Id"]: rule for rule in wanted}
    for number, rule in enumerate(rules, start=1):
        name = rule.get("Id")
        if rule in wanted:
            continue
        yield (
            f"replaces the lifecycle rule {name}"
            if name in ours
            else f"deletes the lifecycle rule {name or number}"
        )


def _expiring(rules: Sequence[Json], wanted: Sequence[Json]) -> Iterator[str]:
    """The objects that rules of the common stack delete, whoever has written them."""
    for rule in wanted:
        if "ExpirationInDays" in rule and rule not in rules:
            yield (
                f"deletes objects under {rule['Prefix']} when they are "
                f"{rule['ExpirationInDays']} days old"
            )


def _other_encryption(bucket: ExistingBucket, key: str) -> Iterator[str]:
    default = (bucket.encryption or {}).get("ApplyServerSideEncryptionByDefault", {})
    # S3 encrypts every new object, with its own key if there is no other:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
    algorithm = default.get("SSEAlgorithm", _S3_KEY)
    former = "" if algorithm == _S3_KEY else default.get("KMSMasterKeyID", "aws/s3")
    if former == key:
        return
    if key:
        yield f"encrypts new objects with the KMS key {key}"
    else:
        yield (
            f"encrypts new objects with S3's own key, no longer with the KMS key {former}; "
            f"--set {settings.KMS_KEY_ARN}=ARN keeps it"
        )


def _less_access(bucket: ExistingBucket) -> Iterator[str]:
    if bucket.ownership != "BucketOwnerEnforced":
        yield "ends all access that an ACL of the bucket or of an object grants"
    block = bucket.public_access_block or {}
    names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    if not all(block.get(name) for name in names):
        yield "blocks public access"


def notes(existing: Existing | None, key: str) -> tuple[str, ...]:
    """What to know before the common stack takes it over, a line each."""
    if existing is None:
        return ()
    changes = [] if existing.bucket is None else effects(existing.bucket, key)
    return (
        "All objects, tables and views stay.",
        *(f"The common stack {change}." for change in changes),
    )


def identifiers(account: str, region: str) -> Mapping[str, Mapping[str, str]]:
    """What can identify a resource, by type.

    The registry's schemas name BucketName, Bucket and DatabaseName; CloudFormation's answer to
    GetTemplateSummary decides, as for ``cdk import``:
    https://github.com/aws/aws-cdk-cli/blob/main/packages/@aws-cdk/toolkit-lib/lib/api/resource-import/importer.ts
    """
    bucket = naming.bucket(account, region)
    return {
        "AWS::S3::Bucket": {"BucketName": bucket},
        "AWS::S3::BucketPolicy": {"Bucket": bucket},
        "AWS::Glue::Database": {"DatabaseName": naming.DATABASE, "CatalogId": account},
    }


def identify(known: Mapping[str, str], alternatives: Sequence[str]) -> Mapping[str, str] | None:
    """The identifier that CloudFormation asks for; None if it asks for what is not known.

    Each alternative has one property, or several with commas between them.
    """
    for alternative in alternatives:
        names = [name.strip() for name in alternative.split(",")]
        if set(names) <= set(known):
            return {name: known[name] for name in names}
    return None

"""The permissions of a deployer agree with the registry's schemas, as cfn-lint carries them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from dynoexport.local.cloudformation import handlers
from dynoexport.local.cloudformation.handlers import (
    CREATE,
    DELETE,
    HANDLERS,
    IMPORT,
    UPDATE,
    Step,
)
from dynoexport.local.iam.api_actions import Place, UnknownOperation

HERE = Place("123456789012", "eu-west-3")
SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas" / "resources"

# What the schemas have for properties that no template here sets.
_TAGS_ONLY = {"s3:TagResource", "s3:UntagResource"}
_ROLES = {"iam:PassRole", "iam:GetRole"}
LEFT_OUT: dict[str, set[str]] = {
    # Spark workgroups, Identity Center and results that Athena itself keeps.
    "AWS::Athena::WorkGroup": {
        "iam:PassRole",
        "iam:CreateServiceLinkedRole",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:AbortMultipartUpload",
        "s3:PutObject",
        "s3:ListMultipartUploadParts",
        "kms:Decrypt",
        "kms:GenerateDataKey",
    },
    # A target with a role of its own; a topic is a target by its policy.
    "AWS::Events::Rule": {"iam:PassRole"},
    # Databases of other accounts and of connections.
    "AWS::Glue::Database": {
        "glue:PassConnection",
        "glue:CreateConnection",
        "glue:UpdateConnection",
        "glue:DeleteConnection",
        "glue:GetConnection",
    },
    # Policies of users and groups.
    "AWS::IAM::Policy": {
        f"iam:{verb}{whose}Policy"
        for verb in ("Get", "Put", "Delete")
        for whose in ("User", "Group")
    },
    # Descriptions, and taking a boundary away.
    "AWS::IAM::Role": {
        "iam:UpdateRoleDescription",
        "iam:DeleteRolePermissionsBoundary",
    },
    # Delivery logs with a role, and data protection.
    "AWS::SNS::Topic": {*_ROLES, "sns:PutDataProtectionPolicy"},
}
# A bucket's handlers name an action for each of its properties; those that are set are named.
SET_BY_THE_TEMPLATE = {
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketOwnershipControls",
}


def schemas() -> dict[str, dict[str, Any]]:
    found = {}
    for path in SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        if schema.get("typeName") in HANDLERS:
            # The CDK's metadata has none.
            found[schema["typeName"]] = schema.get("handlers", {})
    return found


KNOWN = schemas()
OURS = [
    (kind, event, getattr(HANDLERS[kind], event).split())
    for kind in HANDLERS
    for event in (CREATE, "read", UPDATE, DELETE)
    if getattr(HANDLERS[kind], event)
]


@pytest.mark.parametrize(("kind", "event", "actions"), OURS)
def test_every_action_is_one_of_its_handlers(kind: str, event: str, actions: list[str]) -> None:
    assert set(actions) <= set(KNOWN[kind][event]["permissions"])


@pytest.mark.parametrize(
    ("kind", "event", "actions"), [case for case in OURS if case[0] != "AWS::S3::Bucket"]
)
def test_omitted_actions_belong_to_properties_that_no_template_sets(
    kind: str, event: str, actions: list[str]
) -> None:
    left = set(KNOWN[kind][event]["permissions"]) - set(actions)
    assert left <= LEFT_OUT.get(kind, set())


def test_a_bucket_needs_the_actions_of_its_own_properties() -> None:
    needed = {
        request.action
        for request in handlers.needs(
            Step("AWS::S3::Bucket", CREATE, {"BucketName": "b"}, "b"), HERE
        )
    }
    assert needed == {"s3:CreateBucket", "s3:ListBucket", *SET_BY_THE_TEMPLATE}


def test_an_import_reads_all_properties_of_a_bucket() -> None:
    step = Step("AWS::S3::Bucket", IMPORT, {"BucketName": "b"}, "b")
    needed = {request.action for request in handlers.needs(step, HERE)}
    assert needed == set(KNOWN["AWS::S3::Bucket"]["read"]["permissions"])


def test_a_role_is_made_with_its_boundary_and_passed_by_those_who_use_it() -> None:
    arn = "arn:aws:iam::123456789012:policy/b"
    step = Step("AWS::IAM::Role", CREATE, {"PermissionsBoundary": arn}, "the-role", boundary=arn)
    made = {request.action: request for request in handlers.needs(step, HERE)}
    assert made["iam:CreateRole"].resource == "arn:aws:iam::123456789012:role/the-role"
    assert made["iam:CreateRole"].context == {"iam:PermissionsBoundary": arn}
    assert made["iam:GetRole"].context == {}
    role = {"Name": "j", "Role": "arn:aws:iam::123456789012:role/the-role"}
    used = {
        request.action: request
        for request in handlers.needs(Step("AWS::Glue::Job", CREATE, role, "j"), HERE)
    }
    assert used["iam:PassRole"].resource == role["Role"]
    assert used["iam:PassRole"].context == {"iam:PassedToService": "glue.amazonaws.com"}
    assert used["glue:CreateJob"].resource == "arn:aws:glue:eu-west-3:123456789012:job/j"


def test_a_type_without_an_entry_is_refused() -> None:
    with pytest.raises(UnknownOperation, match="AWS::EC2::Instance"):
        list(handlers.needs(Step("AWS::EC2::Instance", CREATE, {}, "i"), HERE))

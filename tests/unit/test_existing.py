"""A bucket and a database that exist: the template that imports them, and what changes on them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from deployed import parsed

from dynoexport.cloudformation import existing
from dynoexport.cloudformation.existing import Existing, ExistingBucket

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/k"
BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
)
OURS = parsed("common.yaml")["Resources"]
RULES = OURS["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
LOST_KEY = (
    "encrypts new objects with S3's own key, no longer with the KMS key {}; --set KmsKeyArn=ARN "
    "keeps it"
)
# What a deleted common stack leaves.
KEPT = ExistingBucket(
    name="b",
    rules=RULES,
    encryption={
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": False,
    },
    ownership="BucketOwnerEnforced",
    public_access_block=BLOCKED,
)


def encrypted(key: str | None) -> ExistingBucket:
    default = {"SSEAlgorithm": "aws:kms", **({"KMSMasterKeyID": key} if key else {})}
    return replace(KEPT, encryption={"ApplyServerSideEncryptionByDefault": default})


def statement(**changes: Any) -> dict[str, Any]:
    denied: dict[str, Any] = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::b/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {**denied, **changes}


# --- the template ---------------------------------------------------------------------------------
def template(found: Existing) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(existing.import_template(found, ACCOUNT))
    return made


def test_a_template_of_an_import_has_only_what_exists() -> None:
    """Under the names that the common stack has for it; nothing of it is ever deleted."""
    guarded = replace(KEPT, policy={"Statement": [statement()]})
    whole = template(Existing(bucket=guarded, has_database=True))
    assert set(whole) == {"AWSTemplateFormatVersion", "Description", "Resources"}
    assert {name: resource["Type"] for name, resource in whole["Resources"].items()} == {
        name: OURS[name]["Type"] for name in ("Bucket", "BucketPolicy", "Database")
    }
    assert {resource["DeletionPolicy"] for resource in whole["Resources"].values()} == {"Retain"}
    assert list(template(Existing(bucket=KEPT))["Resources"]) == ["Bucket"]
    assert list(template(Existing(has_database=True))["Resources"]) == ["Database"]


def test_a_template_of_an_import_describes_the_bucket_as_it_is() -> None:
    policy = {"Statement": [statement(Sid="Mine")]}
    resources = template(Existing(bucket=replace(encrypted(KEY), policy=policy)))["Resources"]
    assert resources["Bucket"]["Properties"] == {
        "BucketName": "b",
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {
                    "ServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": KEY,
                    },
                    "BucketKeyEnabled": False,
                }
            ]
        },
        "LifecycleConfiguration": {"Rules": RULES},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": BLOCKED,
    }
    assert resources["BucketPolicy"]["Properties"] == {"Bucket": "b", "PolicyDocument": policy}
    bare = template(Existing(bucket=ExistingBucket(name="b")))["Resources"]
    assert bare["Bucket"]["Properties"] == {"BucketName": "b"}


def test_no_update_changes_an_imported_database() -> None:
    """Its template has the properties of the common stack, whatever the database has."""
    properties = template(Existing(has_database=True))["Resources"]["Database"]["Properties"]
    assert properties == {**OURS["Database"]["Properties"], "CatalogId": ACCOUNT}


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({"Filter": {"Prefix": "a/"}}, {"Prefix": "a/"}),
        ({"Prefix": "a/"}, {"Prefix": "a/"}),
        ({"Filter": {}}, {}),
        ({"Filter": {"Prefix": ""}}, {}),
        (
            {"Filter": {"Tag": {"Key": "k", "Value": "v"}}},
            {"TagFilters": [{"Key": "k", "Value": "v"}]},
        ),
        (
            {
                "Filter": {
                    "And": {
                        "Prefix": "a/",
                        "Tags": [{"Key": "k", "Value": "v"}],
                        "ObjectSizeGreaterThan": 5,
                        "ObjectSizeLessThan": 9,
                    }
                }
            },
            {
                "Prefix": "a/",
                "TagFilters": [{"Key": "k", "Value": "v"}],
                "ObjectSizeGreaterThan": "5",
                "ObjectSizeLessThan": "9",
            },
        ),
        ({"Expiration": {"Days": 3}}, {"ExpirationInDays": 3}),
        (
            {"Expiration": {"Date": datetime(2027, 1, 2, tzinfo=timezone.utc)}},
            {"ExpirationDate": "2027-01-02T00:00:00Z"},
        ),
        (
            {"Expiration": {"ExpiredObjectDeleteMarker": False}},
            {"ExpiredObjectDeleteMarker": False},
        ),
        (
            {"Transitions": [{"Days": 0, "StorageClass": "GLACIER"}]},
            {"Transitions": [{"TransitionInDays": 0, "StorageClass": "GLACIER"}]},
        ),
        (
            {
                "NoncurrentVersionTransitions": [
                    {"NoncurrentDays": 4, "StorageClass": "X", "NewerNoncurrentVersions": 2}
                ],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 8},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 6},
            },
            {
                "NoncurrentVersionTransitions": [
                    {"TransitionInDays": 4, "StorageClass": "X", "NewerNoncurrentVersions": 2}
                ],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 8},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 6},
            },
        ),
    ],
)
def test_a_lifecycle_rule_is_the_same_in_a_template(
    rule: dict[str, Any], wanted: dict[str, Any]
) -> None:
    found = existing.lifecycle_rule({"ID": "r", "Status": "Enabled", **rule})
    assert found == {"Id": "r", "Status": "Enabled", **wanted}


# --- what changes ---------------------------------------------------------------------------------
def test_nothing_changes_on_a_bucket_that_a_common_stack_left() -> None:
    assert existing.effects(KEPT, "") == []
    assert existing.notes(Existing(bucket=KEPT), "") == ("All objects, tables and views stay.",)
    assert existing.notes(None, "") == ()


def test_each_lifecycle_rule_that_goes_has_a_line() -> None:
    other = {"Id": "archive", "Status": "Enabled", "ExpirationInDays": 1}
    changed = {**RULES[0], "Status": "Disabled"}
    unnamed = {"Status": "Enabled", "ExpirationInDays": 2}
    found = existing.effects(replace(KEPT, rules=[other, changed, *RULES[1:], unnamed]), "")
    assert found == [
        "deletes the lifecycle rule archive",
        f"replaces the lifecycle rule {RULES[0]['Id']}",
        "deletes the lifecycle rule 5",
    ]


def test_each_folder_whose_objects_expire_from_now_on_has_a_line() -> None:
    """Somebody else may have objects there."""
    assert existing.effects(replace(KEPT, rules=RULES[:2]), "") == [
        "deletes objects under athena-results/ when they are 30 days old"
    ]
    assert existing.effects(replace(KEPT, rules=[]), "") == [
        "deletes objects under glue-temp-dir/ when they are 14 days old",
        "deletes objects under athena-results/ when they are 30 days old",
    ]


@pytest.mark.parametrize(
    ("bucket", "key", "wanted"),
    [
        (encrypted(KEY), KEY, []),
        (replace(KEPT, encryption=None), "", []),
        (KEPT, KEY, [f"encrypts new objects with the KMS key {KEY}"]),
        (
            encrypted(KEY),
            "",
            [LOST_KEY.format(KEY)],
        ),
        (
            encrypted(None),
            "",
            [LOST_KEY.format("aws/s3")],
        ),
    ],
)
def test_another_key_for_new_objects_has_a_line(
    bucket: ExistingBucket, key: str, wanted: list[str]
) -> None:
    assert existing.effects(bucket, key) == wanted


def test_access_that_ends_has_a_line() -> None:
    acls = "ends all access that an ACL of the bucket or of an object grants"
    assert existing.effects(replace(KEPT, ownership=""), "") == [acls]
    assert existing.effects(replace(KEPT, ownership="ObjectWriter"), "") == [acls]
    for block in (None, {**BLOCKED, "BlockPublicPolicy": False}):
        found = existing.effects(replace(KEPT, public_access_block=block), "")
        assert found == ["blocks public access"]


@pytest.mark.parametrize(
    "ours",
    [
        statement(),
        statement(Action=["s3:GetObject"], Principal={"AWS": "*"}),
        statement(Condition={"Bool": {"aws:SecureTransport": ["false"]}}),
        statement(Condition={"bool": {"AWS:SecureTransport": False}}),
    ],
)
def test_a_policy_against_requests_without_tls_is_not_lost(ours: dict[str, Any]) -> None:
    assert existing.foreign_statements(replace(KEPT, policy={"Statement": [ours]})) == []
    assert existing.foreign_statements(replace(KEPT, policy={"Statement": ours})) == []


def test_every_other_statement_of_a_policy_is_somebody_elses() -> None:
    address = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    others = [
        statement(Sid="Readers", Effect="Allow"),
        statement(Condition={**statement()["Condition"], **address}),
        {key: value for key, value in statement().items() if key != "Condition"},
        statement(Condition={"Bool": {"aws:SecureTransport": "true"}}),
        statement(Condition={"Bool": {"aws:SecureTransport": ["false", "true"]}}),
    ]
    bucket = replace(KEPT, policy={"Statement": others})
    names = ["statement Readers", *(f"statement {number}" for number in (2, 3, 4, 5))]
    assert existing.foreign_statements(bucket) == names
    assert existing.effects(bucket, "") == [
        f"deletes {name} of the bucket policy" for name in names
    ]


# --- how CloudFormation identifies it -------------------------------------------------------------
@pytest.mark.parametrize(
    ("alternatives", "wanted"),
    [
        (["DatabaseName"], {"DatabaseName": "dynamodb_exports"}),
        (["CatalogId,DatabaseName"], {"CatalogId": ACCOUNT, "DatabaseName": "dynamodb_exports"}),
        (["Arn", "DatabaseName"], {"DatabaseName": "dynamodb_exports"}),
        (["Arn"], None),
        ([], None),
    ],
)
def test_a_resource_is_identified_as_cloudformation_asks(
    alternatives: list[str], wanted: dict[str, str] | None
) -> None:
    known = existing.identifiers(ACCOUNT, "eu-west-3")["AWS::Glue::Database"]
    assert existing.identify(known, alternatives) == wanted

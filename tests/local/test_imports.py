"""Change sets of type IMPORT on the endpoint: existing resources become part of a stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cfnlint
import pytest
from botocore.exceptions import ClientError
from cloud import bucket, changes, workflow

from dynoexport.local.cloudformation.imports import IDENTIFIERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloud import Cloud

SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas" / "resources"


def kept(name: str, **fields: Any) -> dict[str, Any]:
    return bucket(name, DeletionPolicy="Retain", **fields)


def database(name: str, **fields: Any) -> dict[str, Any]:
    properties = {"CatalogId": {"Ref": "AWS::AccountId"}, "DatabaseInput": {"Name": name}}
    return {"Type": "AWS::Glue::Database", "Properties": properties, "DeletionPolicy": "Retain"} | (
        fields
    )


def policy_of(name: str, sid: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{name}/*",
            }
        ],
    }


def bucket_policy(name: str, sid: str, **fields: Any) -> dict[str, Any]:
    properties = {"Bucket": name, "PolicyDocument": policy_of(name, sid)}
    return {"Type": "AWS::S3::BucketPolicy", "Properties": properties, **fields}


def named(name: str) -> dict[str, str]:
    return {"BucketName": name}


@pytest.fixture
def existing(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[str]:
    """A bucket that no stack has, with an object."""
    name = request.node.name.replace("_", "-").replace("[", "-").rstrip("]")[:60].strip("-")
    cloud.s3.create_bucket(Bucket=name)
    cloud.s3.put_object(Bucket=name, Key="data", Body=b"kept")
    yield name
    cloud.s3.delete_object(Bucket=name, Key="data")
    cloud.s3.delete_bucket(Bucket=name)


def content(cloud: Cloud, name: str) -> bytes:
    return bytes(cloud.s3.get_object(Bucket=name, Key="data")["Body"].read())


def test_identifiers_are_those_of_the_registry() -> None:
    known = {}
    for path in SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        known[schema.get("typeName")] = schema.get("primaryIdentifier")
    assert {kind: [f"/properties/{name}"] for kind, name in IDENTIFIERS.items()} == {
        kind: known[kind] for kind in IDENTIFIERS
    }


@pytest.mark.endpoint
def test_a_new_stack_is_created_from_existing_resources(cloud: Cloud, existing: str) -> None:
    """The stack has them afterwards; they are as they were."""
    cloud.glue.create_database(DatabaseInput={"Name": "taken", "Description": "mine"})
    resources = {"Data": kept(existing), "Lake": database("taken")}
    plan = cloud.plan(
        "taken-over",
        resources,
        kind="IMPORT",
        imported={"Data": named(existing), "Lake": {"DatabaseName": "taken"}},
    )
    assert changes(plan) == [("Import", "Data", None), ("Import", "Lake", None)]
    assert plan["Changes"][0]["ResourceChange"]["PhysicalResourceId"] == existing
    assert cloud.status("taken-over") == "REVIEW_IN_PROGRESS"
    assert cloud.execute(plan) == "IMPORT_COMPLETE"
    assert cloud.events("taken-over", since="REVIEW_IN_PROGRESS") == [
        "stack IMPORT_IN_PROGRESS",
        "Data IMPORT_IN_PROGRESS",
        "Data IMPORT_COMPLETE",
        "Lake IMPORT_IN_PROGRESS",
        "Lake IMPORT_COMPLETE",
        "stack IMPORT_COMPLETE",
    ]
    found = cloud.api.describe_stack_resources(StackName="taken-over")["StackResources"]
    assert [resource["PhysicalResourceId"] for resource in found] == [existing, "taken"]
    assert content(cloud, existing) == b"kept"
    assert cloud.glue.get_database(Name="taken")["Database"]["Description"] == "mine"
    cloud.glue.delete_database(Name="taken")


@pytest.mark.endpoint
def test_an_imported_bucket_is_updated_and_released_like_others(
    cloud: Cloud, existing: str
) -> None:
    cloud.execute(
        cloud.plan(
            "released",
            {"Data": kept(existing)},
            kind="IMPORT",
            imported={"Data": named(existing)},
        )
    )
    rule = {"Id": "old", "Status": "Enabled", "Prefix": "tmp/", "ExpirationInDays": 3}
    blocked = {"BlockPublicAcls": True, "BlockPublicPolicy": True}
    after = kept(existing)
    after["Properties"] |= {
        "LifecycleConfiguration": {"Rules": [rule]},
        "PublicAccessBlockConfiguration": blocked,
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    }
    assert cloud.deploy("released", {"Data": after, "Flow": workflow("released")}) == (
        "UPDATE_COMPLETE"
    )
    (found,) = cloud.s3.get_bucket_lifecycle_configuration(Bucket=existing)["Rules"]
    assert (found["ID"], found["Filter"], found["Expiration"]) == (
        "old",
        {"Prefix": "tmp/"},
        {"Days": 3},
    )
    block = cloud.s3.get_public_access_block(Bucket=existing)["PublicAccessBlockConfiguration"]
    assert (block["BlockPublicAcls"], block["BlockPublicPolicy"]) == (True, True)
    controls = cloud.s3.get_bucket_ownership_controls(Bucket=existing)["OwnershipControls"]
    assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    cloud.api.delete_stack(StackName="released")
    cloud.stacks.remove("released")
    assert content(cloud, existing) == b"kept"


@pytest.mark.endpoint
def test_a_failed_update_gives_an_imported_bucket_its_own_rules_back(
    cloud: Cloud, existing: str
) -> None:
    """The template of the import describes them."""
    before, after = kept(existing), kept(existing)
    for properties, rule in ((before["Properties"], "mine"), (after["Properties"], "other")):
        properties["LifecycleConfiguration"] = {
            "Rules": [{"Id": rule, "Status": "Enabled", "ExpirationInDays": 9}]
        }
    cloud.s3.put_bucket_lifecycle_configuration(
        Bucket=existing,
        LifecycleConfiguration={
            "Rules": [{"ID": "mine", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 9}}]
        },
    )
    cloud.execute(
        cloud.plan("regained", {"Data": before}, kind="IMPORT", imported={"Data": named(existing)})
    )
    cloud.glue.create_database(DatabaseInput={"Name": "rival"})
    rival = database("rival", DependsOn="Data")
    assert cloud.deploy("regained", {"Data": after, "Rival": rival}) == "UPDATE_ROLLBACK_COMPLETE"
    cloud.glue.delete_database(Name="rival")
    (found,) = cloud.s3.get_bucket_lifecycle_configuration(Bucket=existing)["Rules"]
    assert found["ID"] == "mine"


@pytest.mark.endpoint
def test_a_bucket_policy_that_exists_is_imported_before_it_is_replaced(
    cloud: Cloud, existing: str
) -> None:
    cloud.s3.put_bucket_policy(Bucket=existing, Policy=json.dumps(policy_of(existing, "Mine")))
    resources = {"Data": kept(existing)}
    cloud.execute(
        cloud.plan("guarded", resources, kind="IMPORT", imported={"Data": named(existing)})
    )
    other = bucket_policy(existing, "Other", DeletionPolicy="Retain")
    assert cloud.deploy("guarded", {**resources, "Policy": other}) == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.reasons("guarded")[0][2].startswith("The bucket policy already exists on bucket")
    assert "Mine" in cloud.s3.get_bucket_policy(Bucket=existing)["Policy"]

    mine = bucket_policy(existing, "Mine", DeletionPolicy="Retain")
    plan = cloud.plan(
        "guarded",
        {**resources, "Policy": mine},
        kind="IMPORT",
        imported={"Policy": {"Bucket": existing}},
    )
    assert cloud.execute(plan) == "IMPORT_COMPLETE"
    assert cloud.deploy("guarded", {**resources, "Policy": other}) == "UPDATE_COMPLETE"
    assert "Other" in cloud.s3.get_bucket_policy(Bucket=existing)["Policy"]


@pytest.mark.endpoint
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"resource": bucket("b")},
            r"The following resources to import \[Data\] must have DeletionPolicy attribute",
        ),
        ({"more": {"Outputs": {"Name": {"Value": "x"}}}}, r"cannot modify or add \[Outputs\]"),
        ({"others": {"Flow": workflow("extra")}}, r"You have modified resources \[Flow\]"),
        ({"imported": {"Data": {"Arn": "b"}}}, r"identified by \[BucketName\], not by \[Arn\]"),
        ({"imported": {"Data": named("b"), "Gone": named("b")}}, "Gone .* is not in the template"),
        ({"imported": {}}, "ResourcesToImport is missing or empty"),
        (
            {"resource": {**workflow("w"), "DeletionPolicy": "Retain"}},
            r"ResourceTypes \[AWS::Glue::Workflow\] are not supported for Import",
        ),
    ],
)
def test_an_import_that_does_more_is_refused(cloud: Cloud, change: Any, said: str) -> None:
    """Nothing is left."""
    resources = {"Data": change.get("resource", kept("b")), **change.get("others", {})}
    imported = change.get("imported", {"Data": named("b")})
    with pytest.raises(ClientError, match=said) as caught:
        cloud.plan(
            "too-much", resources, kind="IMPORT", imported=imported, **change.get("more", {})
        )
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="does not exist"):
        cloud.describe("too-much")


@pytest.mark.endpoint
def test_an_import_changes_no_resource_of_its_stack(cloud: Cloud, existing: str) -> None:
    cloud.deploy("steady", {"Flow": workflow("steady", Description="before")})
    resources = {"Flow": workflow("steady", Description="after"), "Data": kept(existing)}
    with pytest.raises(ClientError, match=r"You have modified resources \[Flow\]"):
        cloud.plan("steady", resources, kind="IMPORT", imported={"Data": named(existing)})
    assert cloud.status("steady") == "CREATE_COMPLETE"


@pytest.mark.endpoint
def test_a_resource_of_another_stack_is_not_imported(cloud: Cloud, existing: str) -> None:
    resources, imported = {"Data": kept(existing)}, {"Data": named(existing)}
    cloud.execute(cloud.plan("first-owner", resources, kind="IMPORT", imported=imported))
    plan = cloud.plan("second-owner", resources, kind="IMPORT", imported=imported)
    assert (plan["Status"], plan["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    owner = cloud.describe("first-owner")["StackId"]
    assert plan["StatusReason"] == f"{existing} already exists in stack {owner}"


@pytest.mark.endpoint
def test_a_resource_that_does_not_exist_fails_the_change_set(cloud: Cloud) -> None:
    plan = cloud.plan(
        "no-such", {"Data": kept("no-such")}, kind="IMPORT", imported={"Data": named("no-such")}
    )
    assert plan["Status"] == "FAILED"
    assert plan["StatusReason"].endswith("with identifier no-such does not exist")


@pytest.mark.endpoint
def test_an_import_that_fails_is_rolled_back(cloud: Cloud, existing: str) -> None:
    """The bucket stays, and belongs to no stack."""
    cloud.glue.create_database(DatabaseInput={"Name": "vanishes"})
    resources = {"Data": kept(existing), "Lake": database("vanishes")}
    imported = {"Data": named(existing), "Lake": {"DatabaseName": "vanishes"}}
    plan = cloud.plan("vain", resources, kind="IMPORT", imported=imported)
    cloud.glue.delete_database(Name="vanishes")
    assert cloud.execute(plan) == "IMPORT_ROLLBACK_COMPLETE"
    assert cloud.events("vain", since="REVIEW_IN_PROGRESS") == [
        "stack IMPORT_IN_PROGRESS",
        "Data IMPORT_IN_PROGRESS",
        "Data IMPORT_COMPLETE",
        "Lake IMPORT_IN_PROGRESS",
        "Lake IMPORT_FAILED",
        "stack IMPORT_ROLLBACK_IN_PROGRESS",
        "stack IMPORT_ROLLBACK_COMPLETE",
    ]
    cloud.api.delete_stack(StackName="vain")
    cloud.stacks.remove("vain")
    assert content(cloud, existing) == b"kept"
    again = cloud.plan(
        "again", {"Data": resources["Data"]}, kind="IMPORT", imported={"Data": named(existing)}
    )
    assert cloud.execute(again) == "IMPORT_COMPLETE"


@pytest.mark.endpoint
def test_a_template_summary_says_how_to_identify_resources(cloud: Cloud) -> None:
    body = json.dumps({"Resources": {"Data": kept("b"), "Lake": database("d")}})
    summary = cloud.api.get_template_summary(TemplateBody=body)["ResourceIdentifierSummaries"]
    assert {entry["ResourceType"]: entry["ResourceIdentifiers"] for entry in summary} == {
        "AWS::S3::Bucket": ["BucketName"],
        "AWS::Glue::Database": ["DatabaseName"],
    }

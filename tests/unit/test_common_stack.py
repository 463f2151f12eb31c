"""What the common stack creates, read from the template that is shipped."""

from __future__ import annotations

import re
from typing import Any

import pytest
from deployed import IMPORTS, KEY, Deployed, parsed

from dynoexport.naming import Exports

COMMON = parsed("common.yaml")


def common(**parameters: str) -> Deployed:
    return Deployed(COMMON, parameters)


def test_all_of_the_common_stacks_parameters_are_optional() -> None:
    assert all("Default" in parameter for parameter in COMMON["Parameters"].values())


def test_the_data_outlives_the_stack() -> None:
    """Unless its creation failed: then `init` can be repeated."""
    for key in ("Bucket", "Database"):
        resource = COMMON["Resources"][key]
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resource["UpdateReplacePolicy"] == "Retain"


def test_the_bucket_has_the_baselines_name_and_is_closed() -> None:
    bucket = common().properties("Bucket")
    assert bucket["BucketName"] == "dynamodb-exports-123456789012-cn-north-1"
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_the_lifecycle_rules_delete_only_temporary_files() -> None:
    rules = {
        rule["Id"]: rule
        for rule in common().properties("Bucket")["LifecycleConfiguration"]["Rules"]
    }
    expiring = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for rule in rules.values()
        if "ExpirationInDays" in rule
    }
    assert expiring == {"glue-temp-dir/": 14, "athena-results/": 30}
    assert rules["AbortStaleUploads"]["AbortIncompleteMultipartUpload"] == {
        "DaysAfterInitiation": 7
    }
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}


def test_the_bucket_is_encrypted_with_and_without_a_key() -> None:
    def rule(**parameters: str) -> dict[str, Any]:
        encryption = common(**parameters).properties("Bucket")["BucketEncryption"]
        (encryption_rule,) = encryption["ServerSideEncryptionConfiguration"]
        return dict(encryption_rule)

    assert rule() == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert rule(KmsKeyArn=KEY) == {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
    }


def test_the_bucket_refuses_plain_http() -> None:
    (statement,) = common().properties("BucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", ["s3:*"])
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    arn = "arn:aws-cn:s3:::dynamodb-exports-123456789012-cn-north-1"
    assert statement["Resource"] == [arn, f"{arn}/*"]


def test_the_workgroup_enforces_its_encrypted_result_location() -> None:
    for parameters, encryption in (
        ({}, {"EncryptionOption": "SSE_S3"}),
        ({"KmsKeyArn": KEY}, {"EncryptionOption": "SSE_KMS", "KmsKey": KEY}),
    ):
        group = common(**parameters).properties("WorkGroup")
        configuration = group["WorkGroupConfiguration"]
        assert configuration["EnforceWorkGroupConfiguration"] is True
        assert configuration["ResultConfiguration"] == {
            "OutputLocation": ("s3://dynamodb-exports-123456789012-cn-north-1/athena-results/"),
            "EncryptionConfiguration": encryption,
        }


def test_database_and_workgroup_have_their_fixed_names() -> None:
    database = common().properties("Database")
    assert database["DatabaseInput"]["Name"] == "dynamodb_exports"
    assert common().properties("WorkGroup")["Name"] == "dynamodb-exports"


def test_workgroup_of_view_jobs_lets_each_job_choose_where_its_results_go() -> None:
    """Its role decides which prefix that can be."""
    group = common().properties("ViewWorkGroup")
    assert group["Name"] == "dynamodb-exports-views"
    assert group["WorkGroupConfiguration"] == {
        "EnforceWorkGroupConfiguration": False,
        "PublishCloudWatchMetricsEnabled": True,
    }


def test_a_security_configuration_exists_only_with_a_key() -> None:
    kind = "AWS::Glue::SecurityConfiguration"
    assert not common().of_type(kind)
    deployed = common(KmsKeyArn=KEY)
    (name,) = deployed.of_type(kind)
    encryption = deployed.properties(name)["EncryptionConfiguration"]
    assert encryption["S3Encryptions"] == [{"S3EncryptionMode": "SSE-KMS", "KmsKeyArn": KEY}]
    assert encryption["CloudWatchEncryption"]["KmsKeyArn"] == KEY


def test_a_topic_exists_only_with_an_address() -> None:
    assert not common().of_type("AWS::SNS::Topic")
    deployed = common(NotificationEmail="a@b.example", KmsKeyArn=KEY)
    topic = deployed.properties("Topic")
    assert topic["Subscription"] == [{"Endpoint": "a@b.example", "Protocol": "email"}]
    assert topic["KmsMasterKeyId"] == KEY
    assert "KmsMasterKeyId" not in common(NotificationEmail="a@b.example").properties("Topic")


def test_eventbridge_may_publish_without_a_condition_that_it_could_never_meet() -> None:
    deployed = common(NotificationEmail="a@b.example")
    statement, _ = deployed.properties("TopicPolicy")["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == ["sns:Publish"]
    assert statement["Resource"] == ["Topic"]
    assert "Condition" not in statement


def test_alarms_of_this_account_may_publish() -> None:
    deployed = common(NotificationEmail="a@b.example")
    _, statement = deployed.properties("TopicPolicy")["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Action"] == ["sns:Publish"]
    assert statement["Resource"] == ["Topic"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_what_table_stacks_import_is_exported_under_the_same_name() -> None:
    deployed = common(NotificationEmail="a@b.example", KmsKeyArn=KEY)
    exported = {deployed.resolve(output["Export"]["Name"]) for output in COMMON["Outputs"].values()}
    names = Exports("shared")
    assert exported == {
        names.bucket,
        names.database,
        names.work_group,
        names.view_work_group,
        names.security_configuration,
        names.kms_key_arn,
        names.topic_arn,
    }
    assert exported == set(IMPORTS)


@pytest.mark.parametrize(
    ("parameter", "accepted", "refused"),
    [
        ("NotificationEmail", ["", "a@b.example"], ["a@b", "a b@c.example", "nobody"]),
        ("KmsKeyArn", ["", KEY], ["alias/mine", KEY.replace(":key/", ":alias/"), "key"]),
    ],
)
def test_optional_parameters_may_be_empty_but_not_wrong(
    parameter: str, accepted: list[str], refused: list[str]
) -> None:
    pattern = COMMON["Parameters"][parameter]["AllowedPattern"]
    assert all(re.search(pattern, value) for value in accepted)
    assert not any(re.search(pattern, value) for value in refused)

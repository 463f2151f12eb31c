"""DynamoDB's own exports on the endpoint, in the layout that AWS documents."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint
BUCKET, TABLE = "table-exports", "Exported"


@pytest.fixture(scope="module")
def dynamodb(endpoint: Endpoint) -> Any:
    """A table of five items, with recovery, and a bucket."""
    endpoint.client("s3").create_bucket(Bucket=BUCKET)
    client = endpoint.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(5):
        item = {"id": {"S": f"{number}"}, "b": {"B": b"\x00\xff"}, "n": {"NS": ["1", "2.5"]}}
        client.put_item(TableName=TABLE, Item=item)
    client.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    return client


def export(dynamodb: Any, table: str = TABLE, **options: str) -> dict[str, Any]:
    """Export to the end; the description."""
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    given = {"S3Bucket": BUCKET, "S3Prefix": "some/where", **options}
    description = dynamodb.export_table_to_point_in_time(TableArn=arn, **given)["ExportDescription"]
    while description["ExportStatus"] == "IN_PROGRESS":
        time.sleep(0.02)
        answer = dynamodb.describe_export(ExportArn=description["ExportArn"])
        description = answer["ExportDescription"]
    return dict(description)


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def test_an_export_consists_of_manifests_and_data(endpoint: Endpoint, dynamodb: Any) -> None:
    """Every checksum is right, every item is there once, and an empty partition has a file."""
    s3 = endpoint.client("s3")

    def read(key: str) -> bytes:
        return bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    done = export(dynamodb)
    arn = dynamodb.describe_table(TableName=TABLE)["Table"]["TableArn"]
    assert done["ExportStatus"] == "COMPLETED"
    assert done["ExportArn"].startswith(f"{arn}/export/")
    assert done["ItemCount"] == 5
    summary_key = done["ExportManifest"]
    root = f"some/where/AWSDynamoDB/{done['ExportArn'].rpartition('/')[2]}/"
    assert summary_key == f"{root}manifest-summary.json"
    summary = json.loads(read(summary_key))
    assert read(f"{root}manifest-summary.md5").decode() == md5(read(summary_key))
    files_key = summary["manifestFilesS3Key"]
    assert read(f"{root}manifest-files.md5").decode() == md5(read(files_key))
    files = [json.loads(line) for line in read(files_key).splitlines()]
    assert sum(file["itemCount"] for file in files) == summary["itemCount"] == 5
    assert 0 in {file["itemCount"] for file in files}
    items = []
    for file in files:
        content = read(file["dataFileS3Key"])
        assert file["md5Checksum"] == md5(content)
        assert file["dataFileS3Key"].startswith(f"{root}data/")
        lines = gzip.decompress(content).splitlines()
        assert len(lines) == file["itemCount"]
        items += [json.loads(line)["Item"] for line in lines]
    assert sorted(item["id"]["S"] for item in items) == list("01234")
    assert {item["b"]["B"] for item in items} == {"AP8="}
    assert all(sorted(item["n"]["NS"]) == ["1", "2.5"] for item in items)


def test_an_exports_files_have_the_names_of_aws(endpoint: Endpoint, dynamodb: Any) -> None:
    """As seen on AWS: https://github.com/scylladb/scylladb/blob/master/test/alternator/test_export.py."""
    root = export(dynamodb)["ExportManifest"].rpartition("/")[0]
    objects = endpoint.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"{root}/")["Contents"]
    names = {entry["Key"].removeprefix(f"{root}/"): entry["Size"] for entry in objects}
    assert [name for name in names if not name.startswith("data/")] == [
        "_started",
        "manifest-files.json",
        "manifest-files.md5",
        "manifest-summary.json",
        "manifest-summary.md5",
    ]
    assert (names["manifest-files.md5"], names["manifest-summary.md5"]) == (24, 24)


def test_a_request_with_a_used_token_returns_the_same_export(dynamodb: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html"""
    first, again, other = (export(dynamodb, ClientToken=token) for token in ("a", "a", "b"))
    assert first["ExportArn"] == again["ExportArn"] != other["ExportArn"]


def test_prefix_and_token_are_optional(dynamodb: Any) -> None:
    """boto3 and the aws command make a token of their own, other clients may send none."""
    dynamodb.meta.events.register(
        "before-call.dynamodb.ExportTableToPointInTime", _without_token, unique_id="token"
    )
    try:
        arn = dynamodb.describe_table(TableName=TABLE)["Table"]["TableArn"]
        asked = {"TableArn": arn, "S3Bucket": BUCKET}
        exports = [
            dynamodb.export_table_to_point_in_time(**asked)["ExportDescription"] for _ in range(2)
        ]
    finally:
        dynamodb.meta.events.unregister(
            "before-call.dynamodb.ExportTableToPointInTime", unique_id="token"
        )
    assert exports[0]["ExportArn"] != exports[1]["ExportArn"]
    assert "S3Prefix" not in exports[0]


def _without_token(params: Any, **_: Any) -> None:
    body = json.loads(params["body"])
    del body["ClientToken"]
    params["body"] = json.dumps(body).encode()


def test_exports_are_listed_in_pages_of_a_table_or_of_all(dynamodb: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListExports.html"""
    made = [export(dynamodb)["ExportArn"] for _ in range(2)]
    arn = dynamodb.describe_table(TableName=TABLE)["Table"]["TableArn"]

    def listed(**asked: Any) -> list[str]:
        found, page = [], dynamodb.list_exports(**asked)
        while "NextToken" in page:
            found += page["ExportSummaries"]
            page = dynamodb.list_exports(**asked, NextToken=page["NextToken"])
        return [entry["ExportArn"] for entry in (*found, *page["ExportSummaries"])]

    every = listed()
    assert set(made) <= set(every)
    assert listed(MaxResults=1) == every
    assert listed(TableArn=arn) == [found for found in every if found.startswith(f"{arn}/")]
    assert listed(TableArn=f"{arn}x") == []
    assert len(dynamodb.list_exports(MaxResults=1)["ExportSummaries"]) == 1
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.list_exports(NextToken="unknown")


def test_a_deleted_table_is_deleting(dynamodb: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html"""
    dynamodb.create_table(
        TableName="Deleted",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    answer = dynamodb.delete_table(TableName="Deleted")["TableDescription"]
    assert (answer["TableName"], answer["TableStatus"]) == ("Deleted", "DELETING")


def test_a_table_without_recovery_is_refused(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="NotExported",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(ClientError, match="PointInTimeRecoveryUnavailableException"):
        export(dynamodb, "NotExported")


def test_a_missing_bucket_fails_the_export(dynamodb: Any) -> None:
    failed = export(dynamodb, S3Bucket="no-such-bucket-here")
    assert (failed["ExportStatus"], failed["FailureCode"]) == ("FAILED", "S3NoSuchBucket")

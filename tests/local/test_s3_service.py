"""S3 on the endpoint: what it refuses, and what it sums up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from dynoexport.local.context import ROOT_ACCESS_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

BUCKET = "a-bucket-of-frankfurt"


@pytest.fixture(scope="module", autouse=True)
def bucket(endpoint: Endpoint) -> Iterator[None]:
    s3 = replace(endpoint, region="eu-central-1").client("s3")
    place = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    s3.put_object(Bucket=BUCKET, Key="key", Body=b"body")
    yield
    s3.delete_object(Bucket=BUCKET, Key="key")
    s3.delete_bucket(Bucket=BUCKET)


def answer(endpoint: Endpoint, method: str, path: str, region: str) -> AWSResponse:
    """The response to a request that is signed for the region, without a client that retries."""
    asked = AWSRequest(method=method, url=f"{endpoint.url}/{path}", data=b"")
    S3SigV4Auth(Credentials(ROOT_ACCESS_KEY, endpoint.secret), "s3", region).add_auth(asked)
    return URLLib3Session().send(asked.prepare())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{BUCKET}/key"),
        ("HEAD", f"{BUCKET}/key"),
        ("PUT", f"{BUCKET}/other"),
        ("DELETE", f"{BUCKET}/key"),
        ("GET", f"{BUCKET}?list-type=2"),
        ("HEAD", BUCKET),
    ],
)
def test_another_region_is_refused_with_the_right_one(
    endpoint: Endpoint, method: str, path: str
) -> None:
    answered = answer(endpoint, method, path, "us-east-2")
    assert answered.status_code == 400
    assert answered.headers["x-amz-bucket-region"] == "eu-central-1"
    if method != "HEAD":
        assert "<Code>AuthorizationHeaderMalformed</Code>" in answered.text
        assert "the region 'us-east-2' is wrong; expecting 'eu-central-1'" in answered.text
    assert answer(endpoint, "GET", f"{BUCKET}/key", "eu-central-1").content == b"body"


def test_the_location_of_a_bucket_is_readable_from_any_region(endpoint: Endpoint) -> None:
    found = answer(endpoint, "GET", f"{BUCKET}?location", "us-east-2")
    assert (found.status_code, "eu-central-1" in found.text) == (200, True)


def test_a_missing_bucket_has_no_region(endpoint: Endpoint) -> None:
    assert answer(endpoint, "GET", "no-such-bucket-anywhere/key", "us-east-2").status_code == 404


def test_boto3_finds_the_region_by_itself(endpoint: Endpoint) -> None:
    s3 = replace(endpoint, region="us-east-2").client("s3")
    assert s3.get_object(Bucket=BUCKET, Key="key")["Body"].read() == b"body"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"{BUCKET}/key?partNumber=1&uploadId=gone"),
        ("DELETE", f"{BUCKET}/key?uploadId=gone"),
        ("GET", f"{BUCKET}/key?uploadId=gone"),
    ],
)
def test_an_upload_that_does_not_exist_is_refused(
    endpoint: Endpoint, method: str, path: str
) -> None:
    found = answer(endpoint, method, path, "eu-central-1")
    assert found.status_code == 404
    assert "<Code>NoSuchUpload</Code>" in found.text


def test_the_checksum_of_a_copy_is_that_of_its_content(endpoint: Endpoint) -> None:
    """The source was uploaded in parts; boto3 checks what it reads."""
    s3 = replace(endpoint, region="eu-central-1").client("s3")
    target = {"Bucket": BUCKET, "Key": "parts"}
    upload = s3.create_multipart_upload(**target, ChecksumAlgorithm="CRC32")["UploadId"]
    part = s3.upload_part(
        **target, UploadId=upload, PartNumber=1, Body=b"one part", ChecksumAlgorithm="CRC32"
    )
    parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]
    s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=target)
    assert s3.get_object(Bucket=BUCKET, Key="copy")["Body"].read() == b"one part"
    for key in ("parts", "copy"):
        s3.delete_object(Bucket=BUCKET, Key=key)

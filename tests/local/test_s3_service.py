"""S3 on the endpoint: what it refuses, and what it sums up."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from dynoexport.local.context import ROOT_ACCESS_KEY
from dynoexport.local.services import checksums

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


# --- checksums ------------------------------------------------------------------------------------
def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _crc32(body: bytes) -> bytes:
    return zlib.crc32(body).to_bytes(4, "big")


# As Amazon's own library computes them, awscrt 0.38.1.
CRC32C = {b"abc": "364b3fb7", b"xyz": "25236885", b"123456789": "e3069283"}
CRC64NVME = {
    b"abc": "05e5cabb3fc1faeb",
    b"xyz": "74766e483f20266c",
    b"123456789": "ae8b14860a799888",
}
DIGESTS = {
    "ChecksumCRC32C": lambda body: bytes.fromhex(CRC32C[body]),
    "ChecksumCRC64NVME": lambda body: bytes.fromhex(CRC64NVME[body]),
    "ContentMD5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "ChecksumCRC32": _crc32,
    "ChecksumSHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "ChecksumSHA256": lambda body: hashlib.sha256(body).digest(),
}


@pytest.fixture
def s3(endpoint: Endpoint) -> Any:
    return replace(endpoint, region="eu-central-1").client("s3")


@pytest.mark.parametrize(("algorithm", "values"), [("CRC32C", CRC32C), ("CRC64NVME", CRC64NVME)])
def test_checksums_are_those_of_amazons_library(algorithm: str, values: dict[bytes, str]) -> None:
    for body, digest in values.items():
        assert checksums.compute(body, algorithm) == base64.b64encode(bytes.fromhex(digest))


@pytest.mark.parametrize("checksum", DIGESTS)
@pytest.mark.parametrize("stated", ["right", "wrong", "invalid"])
def test_a_body_is_stored_if_it_has_the_stated_checksum(
    s3: Any, checksum: str, stated: str
) -> None:
    """An object and a part alike."""
    text = {
        "right": _text(DIGESTS[checksum](b"abc")),
        "wrong": _text(DIGESTS[checksum](b"xyz")),
        "invalid": "AAA=",
    }[stated]
    target = {"Bucket": BUCKET, "Key": "summed"}
    upload = s3.create_multipart_upload(**target)["UploadId"]

    def put() -> None:
        s3.put_object(**target, Body=b"abc", **{checksum: text})

    def upload_part() -> None:
        part = {"UploadId": upload, "PartNumber": 1, "Body": b"abc"}
        s3.upload_part(**target, **part, **{checksum: text})

    def stored() -> tuple[int, int]:
        objects = s3.list_objects_v2(Bucket=BUCKET, Prefix="summed").get("Contents", [])
        parts = s3.list_parts(**target, UploadId=upload).get("Parts", [])
        return len(objects), len(parts)

    try:
        for store in (put, upload_part):
            if stated == "right":
                store()
                continue
            with pytest.raises(ClientError) as caught:
                store()
            error = caught.value.response
            expected = "BadDigest" if stated == "wrong" else "InvalidDigest"
            assert error["Error"]["Code"] == expected
            assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert stored() == ((1, 1) if stated == "right" else (0, 0))
    finally:
        s3.abort_multipart_upload(**target, UploadId=upload)
        s3.delete_object(**target)


def test_a_checksum_after_the_body_is_checked(endpoint: Endpoint, s3: Any) -> None:
    """boto3 sends it so by default when the body is a stream."""
    s3.put_object(Bucket=BUCKET, Key="streamed", Body=io.BytesIO(b"abc"))
    s3.delete_object(Bucket=BUCKET, Key="streamed")
    for digest, status in ((_crc32(b"abc"), 200), (_crc32(b"xyz"), 400)):
        body = f"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:{_text(digest)}\r\n\r\n".encode()
        headers = {
            "x-amz-decoded-content-length": "3",
            "x-amz-trailer": "x-amz-checksum-crc32",
            "content-encoding": "aws-chunked",
        }
        asked = AWSRequest("PUT", f"{endpoint.url}/{BUCKET}/streamed", headers=headers, data=body)
        asked.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
        keys = Credentials(ROOT_ACCESS_KEY, endpoint.secret)
        S3SigV4Auth(keys, "s3", "eu-central-1").add_auth(asked)
        answered = URLLib3Session().send(asked.prepare())
        assert (answered.status_code, "BadDigest" in answered.text) == (status, status == 400)
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix="streamed")["KeyCount"]
        assert found == int(status == 200)
        s3.delete_object(Bucket=BUCKET, Key="streamed")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC64NVME"])
@pytest.mark.parametrize("named", [True, False])
def test_an_object_and_its_copy_have_the_stated_checksum_of_the_whole(
    s3: Any, algorithm: str, named: bool
) -> None:
    """Whether or not a header names the algorithm."""

    def unnamed(request: Any, **_: Any) -> None:
        del request.headers["x-amz-sdk-checksum-algorithm"]

    if not named:
        s3.meta.events.register("before-sign.s3.PutObject", unnamed)
    member = f"Checksum{algorithm}"
    target = {"Bucket": BUCKET, "Key": "whole"}
    expected = (_text(DIGESTS[member](b"abc")), "FULL_OBJECT")
    asked = {"ChecksumAlgorithm": algorithm, member: expected[0]}
    put = s3.put_object(**target, Body=b"abc", **asked)
    assert (put.get(member), put.get("ChecksumType")) == expected
    s3.copy_object(Bucket=BUCKET, Key="copied", CopySource=target)
    for key in ("whole", "copied"):
        found = s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        assert (found.get(member), found.get("ChecksumType")) == expected
        s3.delete_object(Bucket=BUCKET, Key=key)


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT", None])
def test_a_completed_upload_has_the_checksum_of_its_kind(s3: Any, kind: str | None) -> None:
    """Of the checksums of its parts, with their number, or of the whole; none unless asked for."""
    target = {"Bucket": BUCKET, "Key": "completed"}
    asked = {"ChecksumAlgorithm": "CRC32", "ChecksumType": kind} if kind else {}
    upload = s3.create_multipart_upload(**target, **asked)["UploadId"]
    bodies = [b"x" * 5 * 1024 * 1024, b"end"]
    parts = []
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(**target, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    answer = s3.complete_multipart_upload(
        **target, UploadId=upload, MultipartUpload={"Parts": parts}
    )
    expected = {
        "COMPOSITE": f"{_text(_crc32(b''.join(map(_crc32, bodies))))}-2",
        "FULL_OBJECT": _text(_crc32(b"".join(bodies))),
        None: None,
    }[kind]
    assert (answer.get("ChecksumCRC32"), answer.get("ChecksumType")) == (expected, kind)
    found = s3.get_object(**target, ChecksumMode="ENABLED")
    assert found["Body"].read() == b"".join(bodies)
    for answered in (found, s3.head_object(**target, ChecksumMode="ENABLED")):
        assert (answered.get("ChecksumCRC32"), answered.get("ChecksumType")) == (expected, kind)
    s3.delete_object(**target)

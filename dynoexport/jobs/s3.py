"""Objects in S3: list, read, delete."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.log import log
from dynoexport.jobs.s3_client import s3_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef


def list_files(s3: S3Client, bucket: str, prefix: str) -> dict[str, tuple[int, str]]:
    """All objects under the prefix: bytes and ETag by key. An ETag changes with the content.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {
        entry["Key"]: (entry["Size"], entry["ETag"].strip('"'))
        for page in pages
        for entry in page.get("Contents", [])
    }


def list_objects(s3: S3Client, bucket: str, prefix: str) -> dict[str, int]:
    """All objects under the prefix: bytes by key."""
    return {key: size for key, (size, _) in list_files(s3, bucket, prefix).items()}


def read_object(s3: S3Client, bucket: str, key: str) -> bytes | None:
    """The object's content; None if it does not exist."""
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        # For a missing key, S3 answers NoSuchKey to callers that may list the bucket, and
        # AccessDenied to others: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        # AWS does not document whether the permission to list some prefixes is enough.
        if code == "NoSuchKey" or (code == "AccessDenied" and not exists(s3, bucket, key)):
            return None
        raise


def exists(s3: S3Client, bucket: str, prefix: str) -> bool:
    return s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"] > 0


def delete_objects(s3: S3Client, bucket: str, keys: Sequence[str]) -> None:
    """Delete the objects; DeleteObjects takes 1,000 keys a call and reports errors by key.

    Raises:
        JobFailed: S3 refuses to delete one of them.
    """
    for start in range(0, len(keys), 1000):
        chunk: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys[start : start + 1000]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": chunk, "Quiet": True})
        for error in answer.get("Errors", []):
            raise JobFailed(f"cannot delete s3://{bucket}/{error['Key']}: {error['Message']}")


def directory_marker(prefix: str) -> str:
    """The object that marks a directory in EMRFS, the s3:// of Glue up to 5.0."""
    return prefix.rstrip("/") + "_$folder$"


def clear(s3: S3Client, bucket: str, prefix: str) -> int:
    """Delete everything under the prefix; the number of objects."""
    keys = list(list_objects(s3, bucket, prefix))
    delete_objects(s3, bucket, [*keys, directory_marker(prefix)])
    return len(keys)


def clear_if_possible(s3: S3Client, bucket: str, prefix: str) -> None:
    """Clear after a failure without hiding it: a retry deletes what stays, or it expires."""
    try:
        clear(s3, bucket, prefix)
    except (ClientError, JobFailed) as error:
        log(f"left s3://{bucket}/{prefix}, which could not be deleted: {error}")


def keep_part_files(s3: S3Client, bucket: str, prefix: str) -> dict[str, tuple[int, str]]:
    """Delete everything under the prefix that is not data; bytes and ETag of the rest, by key.

    Spark writes a file for its first partition even without rows. A committer may leave _SUCCESS,
    _temporary or the empty marker of a directory.
    """
    listed = list_files(s3, bucket, prefix)
    hidden = re.compile(r"(^|/)[_.]")
    waste = [key for key in listed if not listed[key][0] or hidden.search(key[len(prefix) :])]
    delete_objects(s3, bucket, [*waste, directory_marker(prefix)])
    return {key: listed[key] for key in sorted(set(listed) - set(waste))}


def get_text(keys: Iterable[str], bucket: str, region: str) -> Iterator[str]:
    s3 = s3_client(region)
    for key in keys:
        yield s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def list_directories(s3: S3Client, bucket: str, prefix: str) -> Iterator[str]:
    """The prefixes one level below the prefix, each with its "/"."""
    pages = s3.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        for entry in page.get("CommonPrefixes", []):
            yield entry["Prefix"]

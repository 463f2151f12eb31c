"""Clients of S3 for jobs: how often they try again, and what they say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.log import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

# While S3 spreads a busy prefix over more servers, it answers SlowDown:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
# botocore waits up to 1, 2, 4, 8, 16, 20 and 20 seconds before these tries. By itself it has two or
# four, as its version has it:
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html
RETRIES_MAX = 7


def s3_client(region: str | None = None) -> S3Client:
    """A client with more patience than boto3's. Each executor needs its own: Spark sends none."""
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "max_attempts": RETRIES_MAX})
    return boto3.client("s3", region_name=region, config=config)


def log_retries(answer: Mapping[str, Any], what: str) -> None:
    """Say in the job's log that S3 took something only after some tries."""
    retries = answer["ResponseMetadata"].get("RetryAttempts", 0)
    if retries:
        log(f"S3 took {what} in attempt {retries + 1}")

"""The AWS clients of the view job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class PublishClients:
    """A client for each service that the view job calls."""

    athena: AthenaClient
    glue: GlueClient
    s3: S3Client
    cloudwatch: CloudWatchClient

"""The AWS clients of the export job."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient


class RoleProvider(CredentialProvider):
    """Credentials of a role, renewed before they expire."""

    METHOD = "sts-assume-role"

    def __init__(self, sts: STSClient, role: str) -> None:
        super().__init__()
        self._sts, self._role = sts, role

    def load(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(
            self._assume(), refresh_using=self._assume, method=self.METHOD
        )

    def _assume(self) -> dict[str, str]:
        answer = self._sts.assume_role(RoleArn=self._role, RoleSessionName="dynoexport")
        credentials = answer["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }


def table_client(role: str, **options: Any) -> DynamoDBClient:  # noqa: ANN401 - boto3's
    """A client with the credentials of the role, or of the job if no role is given.

    The role's credentials are renewed before they expire. They last an hour at most, because the
    job is a role itself:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
    """
    import boto3

    if not role:
        return boto3.client("dynamodb", **options)
    from botocore.session import get_session

    # A VPC can have only the regional endpoint:
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html
    os.environ.setdefault("AWS_STS_REGIONAL_ENDPOINTS", "regional")
    sts = boto3.client("sts", region_name=options.get("region_name"))
    session = get_session()
    resolver = CredentialResolver([RoleProvider(sts, role)])
    session.register_component("credential_provider", resolver)
    return boto3.Session(botocore_session=session).client("dynamodb", **options)


@dataclass(frozen=True)
class Clients:
    """The export job's clients; Spark has its own."""

    dynamodb: DynamoDBClient
    glue: GlueClient
    s3: S3Client
    cloudwatch: CloudWatchClient

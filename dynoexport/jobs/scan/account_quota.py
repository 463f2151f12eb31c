"""The account's quota of read units for one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dynoexport.jobs.limits import DYNAMODB_TABLE_READ_UNITS
from dynoexport.jobs.log import log

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def account_read_units(dynamodb: DynamoDBClient) -> float:
    """Read units a second; AWS's default quota if the role may not read the account's."""
    try:
        return dynamodb.describe_limits()["TableMaxReadCapacityUnits"]
    except ClientError as error:
        default = DYNAMODB_TABLE_READ_UNITS
        log(f"cannot read the account's quota, so it is AWS's default, {default:,}: {error}")
        return default

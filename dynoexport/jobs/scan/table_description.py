"""What DynamoDB says of a table, with any boto3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Members of DescribeTable's answer that an older boto3 drops. The one of Glue 5.0 (1.34.131) does
# not know WarmThroughput, older ones know neither.
# https://github.com/boto/botocore/blob/develop/CHANGELOG.rst
UNKNOWN_TO_OLD_BOTO3 = ("OnDemandThroughput", "WarmThroughput")


def describe_table(dynamodb: DynamoDBClient, name: str) -> dict[str, Any]:
    """DescribeTable's answer, with the members that this boto3 does not know."""
    bodies: list[bytes] = []

    def keep(http_response: Any, **_: Any) -> None:  # noqa: ANN401 - botocore's event
        bodies.append(http_response.content)

    event = "after-call.dynamodb.DescribeTable"
    dynamodb.meta.events.register(event, keep)
    try:
        table: dict[str, Any] = dict(dynamodb.describe_table(TableName=name)["Table"])
    finally:
        dynamodb.meta.events.unregister(event, keep)
    whole = json.loads(bodies[-1].decode()).get("Table", {}) if bodies else {}
    return {**{key: whole[key] for key in UNKNOWN_TO_OLD_BOTO3 if key in whole}, **table}

"""Glue's DynamoDB source: a parallel Scan.

It loses what Glue's source may lose of types: sets arrive as arrays, elements of lists as text,
numbers as long or double and never as decimal, binary as base64 text, NULL not at all. Some of that
was seen with Glue's DataFrame connector (awslabs/amazon-dynamodb-tools #184 and #221); the
connector's own code base loses nothing. tests/engines/test_emr_connector.py compares both.
"""

from __future__ import annotations

import base64
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html
SPLITS_MAX = 1_000_000
READ_PERCENT_MIN, READ_PERCENT_MAX, READ_PERCENT_DEFAULT = 0.1, 1.5, 0.5
ON_DEMAND_RCU = 40_000
# An eventually consistent read of 4 KiB costs half a unit:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
BYTES_PER_RCU = 8192
_LONG = 2**63
_TASKS_IN_TURN = 2
_ITEMS_OF_A_TASK = 100


@dataclass(frozen=True)
class Source:
    """The options of the job; ``rate`` is the read units a second that one segment may use."""

    table: str
    splits: int
    read_percent: float
    role: str = ""
    rate: float = math.inf


def parse(options: Mapping[str, str]) -> Source:
    """The connection options, refused as the connector refuses them.

    Raises:
        ValueError: an option is missing or out of its range.
    """
    table = options.get("dynamodb.input.tableName")
    if not table:
        raise ValueError("dynamodb.input.tableName is missing")
    percent = float(options.get("dynamodb.throughput.read.percent", READ_PERCENT_DEFAULT))
    if not READ_PERCENT_MIN <= percent <= READ_PERCENT_MAX:
        raise ValueError(f"dynamodb.throughput.read.percent {percent} is not in 0.1 to 1.5")
    splits = int(options.get("dynamodb.splits", 1))
    if not 1 <= splits <= SPLITS_MAX:
        raise ValueError(f"dynamodb.splits {splits} is not in 1 to {SPLITS_MAX}")
    role = options.get("dynamodb.sts.roleArn", "")
    return Source(table=table, splits=splits, read_percent=percent, role=role)


def make_client(source: Source) -> Any:
    """A DynamoDB client for the account of the table."""
    import boto3

    if not source.role:
        return boto3.client("dynamodb")
    answer = boto3.client("sts").assume_role(RoleArn=source.role, RoleSessionName="glue")
    credentials = answer["Credentials"]
    return boto3.client(
        "dynamodb",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def allowed_rate(source: Source, table: Mapping[str, Any]) -> float:
    """Read units a second for each segment; the connector takes 40,000 for an on-demand table.

    They are whole numbers, and at least one, as in the code base. So with more splits than allowed
    units, a read uses more units than allowed.
    https://github.com/awslabs/emr-dynamodb-connector/blob/master/emr-dynamodb-hadoop/src/main/java/org/apache/hadoop/dynamodb/read/ReadIopsCalculator.java
    """
    provisioned = table.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0)
    share = math.floor(source.read_percent * (provisioned or ON_DEMAND_RCU))
    return max(share // source.splits, 1)


def tasks(source: Source, table: Mapping[str, Any], parallelism: int) -> int:
    """How many tasks scan the segments, where so many can run at a time.

    The connector has a task for each segment. Glue runs dozens of them at a time. Here few run at
    a time, and a task without items takes as long as one with a hundred.
    """
    items: int = table.get("ItemCount", 0)
    return min(source.splits, max(parallelism * _TASKS_IN_TURN, items // _ITEMS_OF_A_TASK))


def scan(
    client: Any, source: Source, segment: int, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[dict[str, Any]]:
    """The segment's items as Glue's records, no faster than the source allows."""
    pages = client.get_paginator("scan").paginate(
        TableName=source.table, Segment=segment, TotalSegments=source.splits
    )
    for page in pages:
        items = page["Items"]
        yield from map(record, items)
        units = sum(len(json.dumps(item, default=str)) for item in items) / BYTES_PER_RCU
        if "LastEvaluatedKey" in page:
            sleep(units / source.rate)


def record(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The item as Glue's source delivers it."""
    return {name: _value(value) for name, value in item.items() if "NULL" not in value}


def _value(attribute: Mapping[str, Any]) -> Any:
    ((code, value),) = attribute.items()
    if code in _SCALARS:
        return _SCALARS[code](value)
    if code in _SETS:
        return [_SETS[code](element) for element in value]
    if code == "L":
        return [_text(_value(element)) for element in value if "NULL" not in element]
    return value


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _number(text: str) -> int | float:
    try:
        number = int(text)
    except ValueError:
        return float(text)
    return number if -_LONG <= number < _LONG else float(text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_SCALARS: dict[str, Callable[[Any], Any]] = {"N": _number, "B": _base64, "M": record}
_SETS: dict[str, Callable[[Any], Any]] = {"NS": _number, "BS": _base64}

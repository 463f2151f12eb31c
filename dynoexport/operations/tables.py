"""What DynamoDB says of a table."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from dynoexport.errors import DynoexportError
from dynoexport.units import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynoexport.aws.account import Account


class NoTable(DynoexportError):
    """A DynamoDB table that does not exist."""


def describe(account: Account, table: str) -> Mapping[str, Any]:
    """DescribeTable's answer.

    Raises:
        NoTable: there is no such table; the hint names one that is spelled like it.
    """
    try:
        found: Mapping[str, Any] = account.dynamodb.describe_table(TableName=table)
    except account.dynamodb.exceptions.ResourceNotFoundException:
        pages = account.dynamodb.get_paginator("list_tables").paginate()
        there = [name for page in pages for name in page["TableNames"]]
        near = difflib.get_close_matches(table, there, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {count(len(there), 'table')}"
        raise NoTable(
            f"there is no DynamoDB table {table} in {account.region}", hint=hint
        ) from None
    return found


def recovers(account: Account, table: str) -> bool:
    """Whether point-in-time recovery is on, which DynamoDB's own exports need."""
    answer = account.dynamodb.describe_continuous_backups(TableName=table)
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"

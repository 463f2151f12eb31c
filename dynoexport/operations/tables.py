"""What DynamoDB knows about a table."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from dynoexport.errors import DynoexportError
from dynoexport.units import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynoexport.aws.account import Account


# How many tables an error names.
_FEW = 3


class NoTable(DynoexportError):
    """A DynamoDB table that does not exist."""


def describe(account: Account, table: str) -> Mapping[str, Any]:
    """DescribeTable's answer.

    Raises:
        NoTable: there is no such table; the hint names a similar one, or the few that exist.
    """
    try:
        answer: Mapping[str, Any] = account.dynamodb.describe_table(TableName=table)
    except account.dynamodb.exceptions.ResourceNotFoundException:
        pages = account.dynamodb.get_paginator("list_tables").paginate()
        there = [name for page in pages for name in page["TableNames"]]
        near = difflib.get_close_matches(table, there, n=1)
        hint = f"did you mean {near[0]}?" if near else _existing(there)
        raise NoTable(
            f"there is no DynamoDB table {table} in {account.region}", hint=hint
        ) from None
    return answer


def _existing(names: Sequence[str]) -> str:
    """The tables by name if they are few, else their number."""
    if not names:
        return "there are no tables; check --region and --profile"
    if len(names) > _FEW:
        return f"there are {count(len(names), 'table')}; list them with: aws dynamodb list-tables"
    return f"the only table is {names[0]}" if len(names) == 1 else f"there are {', '.join(names)}"


def recovers(account: Account, table: str) -> bool:
    """Whether point-in-time recovery is on, which DynamoDB's own exports need."""
    answer = account.dynamodb.describe_continuous_backups(TableName=table)
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return recovery.get("PointInTimeRecoveryStatus") == "ENABLED"

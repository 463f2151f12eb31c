"""Facts about a DynamoDB table before a run, from DescribeTable's answer. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynoexport import limits
from dynoexport.errors import DynoexportError
from dynoexport.jobs.scan.capacity import ACCOUNT_QUOTA, Capacity, choose_capacity
from dynoexport.model import ReadMode

# Larger than any table; figures from a larger one might not be finite.
_HIGHEST = 1e18


# States in which nobody can read a table, and what to do; {table} is its name:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
_UNREADABLE = {
    "CREATING": "wait until it is ready: aws dynamodb wait table-exists --table-name {table}",
    "DELETING": "choose a table that stays",
    "INACCESSIBLE_ENCRYPTION_CREDENTIALS": "let DynamoDB use the table's KMS key again",
    "ARCHIVING": "when it is archived, restore it from its backup",
    "ARCHIVED": "restore it from its backup",
}


class DescriptionRefused(DynoexportError):
    """A text that is not a description of a table."""


class TableRefused(DynoexportError):
    """A table that nobody can read in its state."""


@dataclass(frozen=True)
class Consumption:
    """Read units a second that others consumed in the hours of the day of an export.

    ``mean`` over the days, ``peak`` the busiest hour's mean, ``hours`` the number of hours a day.
    """

    mean: float
    peak: float
    days: int
    hours: int = 1


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """A table as AWS describes it; unknown values are None, unset ones 0.

    Attributes:
        state: TableStatus.
        bytes: TableSizeBytes without indexes, which DynamoDB counts every six hours.
        quota: read units a second that the account allows one on-demand table.
        recovery: whether point-in-time recovery is on.
        written: bytes that are written to the table in a day, rounded up to 1 KB an item.
    """

    name: str
    region: str = ""
    state: str = "ACTIVE"
    bytes: int = 0
    items: int = 0
    provisioned_reads: float = 0.0
    provisioned_writes: float = 0.0
    maximum_reads: float = 0.0
    warm_reads: float = 0.0
    warm_writes: float = 0.0
    quota: float = limits.DYNAMODB_TABLE_READ_UNITS
    infrequent_access: bool = False
    recovery: bool | None = None
    consumed: Consumption | None = None
    written: float | None = None

    @property
    def on_demand(self) -> bool:
        """Whether reads are billed by the request, not by the hour."""
        return not self.provisioned_reads

    @property
    def item_bytes(self) -> float:
        return self.bytes / self.items if self.items else 0.0

    @property
    def capacity(self) -> Capacity:
        """The table's capacity, as the job chooses it (docs/reading.md)."""
        return choose_capacity(
            provisioned=self.provisioned_reads,
            maximum=self.maximum_reads,
            warm=self.warm_reads,
            account=lambda: self.quota,
        )

    def assumed_by(self, reader: ReadMode) -> Capacity:
        """The capacity to which the reader applies the read percentage.

        For an on-demand table Glue's connector uses the default quota:
        https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html.
        """
        if reader is ReadMode.CONNECTOR and self.on_demand:
            return Capacity(limits.DYNAMODB_TABLE_READ_UNITS, ACCOUNT_QUOTA)
        return self.capacity

    @property
    def partitions(self) -> int:
        """The least number of partitions, by size and by throughput.

            max(bytes / 10 GB, read units / 3,000, write units / 1,000)

        A new on-demand table has four
        (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html,
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.Partitions.html).
        """
        reads = self.warm_reads if self.on_demand else self.provisioned_reads
        writes = self.warm_writes if self.on_demand else self.provisioned_writes
        return max(
            limits.DYNAMODB_NEW_ON_DEMAND_PARTITIONS if self.on_demand else 1,
            math.ceil(self.bytes / limits.DYNAMODB_PARTITION_BYTES),
            math.ceil(reads / limits.DYNAMODB_PARTITION_READ_UNITS),
            math.ceil(writes / limits.DYNAMODB_PARTITION_WRITE_UNITS),
        )


def check_state(table: TableFacts) -> None:
    """Refuse a table that no run can read.

    Raises:
        TableRefused: it is being created or deleted, is archived, or its key cannot be used.
    """
    if table.state in _UNREADABLE:
        raise TableRefused(
            f"table {table.name} is {table.state}",
            hint=_UNREADABLE[table.state].format(table=table.name),
        )


# --- parse AWS's answers --------------------------------------------------------------------------
def parse_description(answer: object) -> TableFacts:
    """The table of an answer of DescribeTable, with or without its ``Table``.

    A missing key is unset: answers of older tools and of other endpoints have fewer keys. An answer
    of DescribeContinuousBackups may be merged into it.

    Raises:
        DescriptionRefused: it is not such an answer.
    """
    table = answer.get("Table", answer) if isinstance(answer, Mapping) else answer
    if not isinstance(table, Mapping):
        raise _refused("it is not a JSON object")
    name = table.get("TableName")
    if name is None:
        raise _refused("TableName is missing")
    if not isinstance(name, str) or not re.fullmatch(limits.DYNAMODB_TABLE_NAME_PATTERN, name):
        raise _refused(f"TableName is {name!r}, which is not a table name")
    given = _group(table, "ProvisionedThroughput")
    warm = _group(table, "WarmThroughput")
    return TableFacts(
        name=name,
        region=_region(table.get("TableArn")),
        state=str(table.get("TableStatus") or "ACTIVE"),
        bytes=int(_number(table, "TableSizeBytes")),
        items=int(_number(table, "ItemCount")),
        provisioned_reads=_number(given, "ReadCapacityUnits"),
        provisioned_writes=_number(given, "WriteCapacityUnits"),
        # DynamoDB returns -1 for no maximum.
        maximum_reads=max(
            0.0, _number(_group(table, "OnDemandThroughput"), "MaxReadRequestUnits", least=-1)
        ),
        warm_reads=_number(warm, "ReadUnitsPerSecond"),
        warm_writes=_number(warm, "WriteUnitsPerSecond"),
        infrequent_access=_group(table, "TableClassSummary").get("TableClass")
        == "STANDARD_INFREQUENT_ACCESS",
        recovery=_recovery(answer) if isinstance(answer, Mapping) else None,
    )


def _recovery(answer: Mapping[str, Any]) -> bool | None:
    backups = _group(answer, "ContinuousBackupsDescription")
    status = _group(backups, "PointInTimeRecoveryDescription").get("PointInTimeRecoveryStatus")
    return None if status is None else status == "ENABLED"


def _region(arn: object) -> str:
    """The region of an ARN; empty if it is not an ARN."""
    match = re.match(r"arn:[a-z-]+:dynamodb:([a-z0-9-]+):", arn) if isinstance(arn, str) else None
    return match[1] if match else ""


def _group(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    group = table.get(name)
    if group is None:
        return {}
    if not isinstance(group, Mapping):
        raise _refused(f"{name} is not a JSON object")
    return group


def _number(values: Mapping[str, Any], name: str, *, least: float = 0) -> float:
    value = values.get(name)
    if value is None:
        return 0.0
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not least <= value < _HIGHEST
    ):
        raise _refused(f"{name} is {value!r}, not a number of at least {least:g}")
    return float(value)


def _refused(why: str) -> DescriptionRefused:
    return DescriptionRefused(
        f"this is not the output of describe-table: {why}",
        hint="write one with: aws dynamodb describe-table --table-name TABLE > table.json",
    )

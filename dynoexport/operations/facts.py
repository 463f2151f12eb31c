"""What AWS knows about a table before it is exported, as far as the caller's permissions allow."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from dynoexport import limits
from dynoexport.aws import errors as aws_errors
from dynoexport.aws.account import side_by_side
from dynoexport.jobs.scan.capacity import ACCOUNT_QUOTA
from dynoexport.jobs.timestamps import parse_timestamp
from dynoexport.model import OutputFormat, ReadMode
from dynoexport.operations import tables
from dynoexport.planning import concurrent_reads, table_facts
from dynoexport.planning.concurrent_reads import Hourly
from dynoexport.storage import manifests, snapshot_store
from dynoexport.storage.manifests import ManifestBroken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dynoexport.aws.account import Account
    from dynoexport.planning.concurrent_reads import OwnReading
    from dynoexport.planning.table_facts import TableFacts
    from dynoexport.storage.manifests import Manifest

_Answer = TypeVar("_Answer")

# How many days of CloudWatch metrics are read.
DAYS = 14
_READ_UNITS = "ConsumedReadCapacityUnits"
# How long CloudWatch keeps periods of one minute and of five; it keeps hours for over a year:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
_KEPT = ((timedelta(days=15), timedelta(minutes=1)), (timedelta(days=63), timedelta(minutes=5)))
# A run that began earlier may have read during these days, too.
_LONGEST_RUN = timedelta(minutes=limits.GLUE_TIMEOUT_MAX_MINUTES)
# A written unit is up to 1 KB:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
_WRITE_UNIT_BYTES = 1024


@dataclass(frozen=True)
class TableContext:
    """A table, and what could not be found out about it.

    Attributes:
        read: what others read from it, by the hour; None if that is not known.
        unknown: a sentence for each thing that could not be read.
    """

    facts: TableFacts
    read: Hourly | None = None
    unknown: tuple[str, ...] = ()

    def during(self, firings: Iterable[datetime], seconds: float) -> TableFacts:
        """The table with what others read while runs that begin at ``firings`` last."""
        if self.read is None:
            return self.facts
        return replace(self.facts, consumed=self.read.during(firings, seconds))


def read_table_context(account: Account, name: str, *, now: datetime) -> TableContext:
    """What AWS knows about a table, as far as the caller's permissions allow.

    Raises:
        NoTable: DynamoDB has no such table.
    """
    answer = tables.describe(account, name)
    facts = replace(table_facts.parse_description(answer), region=account.region)
    created = answer["Table"].get("CreationDateTime")
    unknown: list[str] = []

    def ask(what: str, question: Callable[[], _Answer | None]) -> _Answer | None:
        return _if_permitted(what, question, unknown)

    if facts.capacity.source == ACCOUNT_QUOTA:
        quota = ask("the account's quota for a table", lambda: _quota(account))
        facts = replace(facts, quota=quota or facts.quota)
    recovery = ask("whether point-in-time recovery is on", lambda: tables.recovers(account, name))
    read = ask("what others read of the table", lambda: _read(account, name, created, now))
    if read is not None:
        own = ask(
            "which reads came from its exports, so all are taken as reads of others",
            lambda: _own_readings(account, name, now - timedelta(days=DAYS) - _LONGEST_RUN),
        )
        read = read.without(own or ())
    written = ask("how much is written to it", lambda: _written(account, name, created, now))
    return TableContext(replace(facts, recovery=recovery, written=written), read, tuple(unknown))


def _if_permitted(
    what: str, question: Callable[[], _Answer | None], unknown: list[str]
) -> _Answer | None:
    """The answer; None, and a sentence in ``unknown``, if AWS refuses it or has none."""
    from botocore.exceptions import ClientError

    try:
        answer = question()
    except ClientError as error:
        explained = aws_errors.explain(error)
        unknown.append(f"{what}: {explained.what if explained else error}")
        return None
    if answer is None:
        unknown.append(f"{what}: CloudWatch has no figures for the last {DAYS} days")
    return answer


def _quota(account: Account) -> float:
    return float(account.dynamodb.describe_limits()["TableMaxReadCapacityUnits"])


# --- what is read and written ---------------------------------------------------------------------
def _days(created: datetime | None, sums: Mapping[datetime, float], now: datetime) -> int:
    """On how many of the last days the table existed, including the first.

    A restored table is younger than the metrics under its name.
    """
    if created is None:
        return DAYS
    return max(1, min(DAYS, (now - min([created, *sums])).days + 1))


def _sums(
    account: Account, name: str, metric: str, window: tuple[datetime, datetime], period: timedelta
) -> list[tuple[datetime, float]]:
    """Sums of a metric of the table by the period; periods without any are left out.

    The periods begin at the start of the window:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
    """
    answer: Mapping[str, Any] = account.cloudwatch.get_metric_statistics(
        Namespace="AWS/DynamoDB",
        MetricName=metric,
        Dimensions=[{"Name": "TableName", "Value": name}],
        StartTime=window[0],
        EndTime=window[1],
        Period=int(period.total_seconds()),
        Statistics=["Sum"],
    )
    return [
        (datapoint["Timestamp"].astimezone(timezone.utc), datapoint["Sum"])
        for datapoint in answer["Datapoints"]
    ]


def _hourly(account: Account, name: str, metric: str, now: datetime) -> dict[datetime, float]:
    """Sums of a metric by the hour in the last days; hours without data are left out."""
    hour = concurrent_reads.on_the_hour(now)
    sums: defaultdict[datetime, float] = defaultdict(float)
    window = (hour - timedelta(days=DAYS), hour)
    for at, units in _sums(account, name, metric, window, concurrent_reads.HOUR):
        sums[concurrent_reads.on_the_hour(at)] += units
    return sums


def _read(account: Account, name: str, created: datetime | None, now: datetime) -> Hourly | None:
    sums = _hourly(account, name, _READ_UNITS, now)
    return Hourly(sums, _days(created, sums, now)) if sums else None


def _written(account: Account, name: str, created: datetime | None, now: datetime) -> float | None:
    """Bytes that are written in a day."""
    sums = _hourly(account, name, "ConsumedWriteCapacityUnits", now)
    if not sums:
        return None
    return sum(sums.values()) * _WRITE_UNIT_BYTES / _days(created, sums, now)


def _own_readings(account: Account, name: str, since: datetime) -> list[OwnReading]:
    """What the exports of the table read since then, from the manifests of their snapshots."""
    try:
        taken = [
            (fmt.value, timestamp)
            for fmt in OutputFormat
            for timestamp in snapshot_store.complete_timestamps(account, name, fmt.value)
            if (moment := parse_timestamp(timestamp)) is not None and moment >= since
        ]
    except account.s3.exceptions.NoSuchBucket:
        return []
    readings = side_by_side(lambda snapshot: _own_reading(account, name, *snapshot), taken)
    return [reading for reading in readings if reading is not None]


def _own_reading(account: Account, name: str, fmt: str, timestamp: str) -> OwnReading | None:
    try:
        manifest = manifests.read(account.s3, account.bucket, name, fmt, timestamp)
    except ManifestBroken:
        return None
    return None if manifest is None else concurrent_reads.own_reading(manifest)


# --- what a run has read --------------------------------------------------------------------------
def counted_units(account: Account, manifest: Manifest, *, now: datetime) -> float | None:
    """Read units that CloudWatch counted for the table during the read, by all readers.

    None if the reader counts them itself or uses none, if CloudWatch has no datapoints, and if the
    caller lacks the permission.
    """
    from botocore.exceptions import ClientError

    seconds = manifest.seconds.get("read")
    unknown = manifest.reading.reader == ReadMode.CONNECTOR.value and manifest.reading.units is None
    if manifest.started is None or seconds is None or not unknown:
        return None
    age = now - manifest.started
    period = next((length for kept, length in _KEPT if age < kept), concurrent_reads.HOUR)
    ended = manifest.started + timedelta(seconds=seconds)
    window = (_begin(manifest.started, period), _begin(ended, period) + period)
    try:
        sums = _sums(account, manifest.table, _READ_UNITS, window, period)
    except ClientError as error:
        if not aws_errors.is_denied(error):
            raise
        return None
    return sum(units for _, units in sums) if sums else None


def _begin(moment: datetime, period: timedelta) -> datetime:
    """The beginning of the period that contains the moment."""
    return moment - (moment - datetime.min.replace(tzinfo=timezone.utc)) % period

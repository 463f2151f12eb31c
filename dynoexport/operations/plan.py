"""``plan``: how long an export takes, what it costs, and which job suits it, before it runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from dynoexport import alternatives, aws_errors, prices, schedule, settings, sizing, table_facts
from dynoexport.aws import side_by_side
from dynoexport.errors import DynoexportError
from dynoexport.model import GlueVersion, ReadMode, WorkerType
from dynoexport.operations import tables
from dynoexport.sizing import Wishes
from dynoexport.stacks import parameters as forms
from dynoexport.stacks.check import ParameterRefused, check_parameters
from dynoexport.table_facts import Consumption, DescriptionRefused, TableFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dynoexport.alternatives import Alternative
    from dynoexport.aws import Account
    from dynoexport.prices import Prices
    from dynoexport.sizing import Recommendation

_Answer = TypeVar("_Answer")

NO_WISHES = Wishes()
# How long CloudWatch is looked back, in the hour at which the schedule fires.
DAYS = 14
_HOUR = 3600
# A written unit is up to 1 KB:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
_WRITE_UNIT_BYTES = 1024
# The parameters of the table stack that a plan can be made with.
SETTINGS = (
    settings.READ_MODE,
    settings.GLUE_VERSION,
    settings.RETENTION_DAYS,
    settings.MAX_READ,
    settings.WORKER_TYPE,
    settings.NUMBER_OF_WORKERS,
    settings.SPLITS,
)


class NotDescribed(DynoexportError):
    """A table that is not among those that were described."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The plan of one table.

    Attributes:
        unknown: a sentence for each thing that could not be asked, and what is taken for it.
    """

    table: TableFacts
    schedule: str
    prices: Prices
    recommendation: Recommendation
    alternatives: tuple[Alternative, ...]
    unknown: tuple[str, ...] = ()

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the figures rest on, and nobody publishes."""
        return alternatives.assumptions(self.recommendation.estimate)


@dataclass(frozen=True)
class Known:
    """A table, and what could not be found out about it."""

    facts: TableFacts
    unknown: tuple[str, ...] = ()


# --- wishes ---------------------------------------------------------------------------------------
def wishes_of(parameters: Mapping[str, str], wishes: Wishes = NO_WISHES) -> Wishes:
    """The wishes with what parameters of the table stack say.

    Raises:
        ParameterRefused: the stack has no such parameter, it does not take that value, or a plan
            does not depend on it.
    """
    check_parameters(forms.table_groups(settings.DEFAULT_GLUE_VERSION), parameters)
    for name in sorted(set(parameters) - set(SETTINGS)):
        raise ParameterRefused(
            f"a plan does not depend on {name}", hint=f"it does on {', '.join(SETTINGS)}"
        )
    kinds: dict[str, tuple[str, Callable[[str], object]]] = {
        settings.READ_MODE: ("read_mode", ReadMode),
        settings.GLUE_VERSION: ("glue_version", GlueVersion),
        settings.RETENTION_DAYS: ("retention_days", int),
        settings.MAX_READ: ("read_percent", float),
        settings.WORKER_TYPE: ("worker_type", WorkerType),
        settings.NUMBER_OF_WORKERS: ("workers", int),
        settings.SPLITS: ("splits", int),
    }
    given = {
        field: kind(parameters[name]) for name, (field, kind) in kinds.items() if name in parameters
    }
    found: Wishes = replace(wishes, **given)  # type: ignore[arg-type]
    least = sizing.least_percent(found.read_mode)
    if found.read_percent is not None and found.read_percent < least:
        raise ParameterRefused(
            f"{settings.MAX_READ} is {found.read_percent:g}",
            hint=f"the {found.read_mode.value} takes no less than {least:g}",
        )
    return found


# --- plans ----------------------------------------------------------------------------------------
def plans(
    account: Account,
    *names: str,
    wishes: Wishes = NO_WISHES,
    every: str = "day",
    prices_file: Path | None = None,
    now: datetime | None = None,
) -> list[Planned]:
    """The plans of DynamoDB tables; nothing is changed, nothing of a table is read.

    What the caller may not ask, consumption or backups, is told as unknown. ``every`` is hour,
    day, week, month or a ``cron(...)``.

    Raises:
        NoTable: DynamoDB has no such table.
        ScheduleRefused: the schedule is none.
        PricesRefused: the file of prices has not their form.
    """
    at, cron = now or datetime.now(timezone.utc), schedule.every(every)
    found = prices.of_region(account.region, file=prices_file)
    hour = schedule.next_hour(cron, after=at)

    def one(name: str) -> Planned:
        return _planned(known(account, name, hour=hour, now=at), wishes, cron, found, at)

    return side_by_side(one, dict.fromkeys(names))


def recommendation(
    account: Account,
    name: str,
    *,
    wishes: Wishes,
    every: str,
    now: datetime | None = None,
) -> Recommendation:
    """The job that suits a table, as its plan has it."""
    (found,) = plans(account, name, wishes=wishes, every=every, now=now)
    return found.recommendation


def plans_described(
    text: str,
    *names: str,
    region: str,
    wishes: Wishes = NO_WISHES,
    every: str = "day",
    prices_file: Path | None = None,
    now: datetime | None = None,
) -> list[Planned]:
    """The plans of tables that somebody has described, without AWS.

    ``text`` holds answers of DescribeTable, one after the other or in a list. ``names`` are those
    that are wanted, all without any. ``region`` counts where an answer does not tell its own.

    Raises:
        DescriptionRefused: something in the text is no such answer.
        NotDescribed: a table that is wanted is not among them.
    """
    at, cron = now or datetime.now(timezone.utc), schedule.every(every)
    answers = (table_facts.facts_of(each) for each in _documents(text))
    described = {each.name: replace(each, region=each.region or region) for each in answers}
    for name in names:
        if name not in described:
            raise NotDescribed(
                f"{name} is not described", hint=f"there are: {', '.join(sorted(described))}"
            )
    wanted = [each for name, each in described.items() if name in names or not names]
    return [
        _planned(
            Known(each, _unknown(each)),
            wishes,
            cron,
            prices.of_region(each.region, file=prices_file),
            at,
        )
        for each in wanted
    ]


def _unknown(table: TableFacts) -> tuple[str, ...]:
    """What no answer of DescribeTable tells."""
    found = ["what others read of the table, and how much is written: it was described by a file"]
    if table.recovery is None:
        found.append("whether point-in-time recovery is on: it is taken to be off")
    return tuple(found)


def _planned(table: Known, wishes: Wishes, cron: str, found: Prices, now: datetime) -> Planned:
    of_schedule = replace(wishes, runs_a_month=schedule.runs_a_month(cron, after=now))
    return Planned(
        table=table.facts,
        schedule=cron,
        prices=found,
        recommendation=sizing.recommend(table.facts, of_schedule, found),
        alternatives=alternatives.alternatives(table.facts, of_schedule, found),
        unknown=table.unknown,
    )


def _documents(text: str) -> Sequence[object]:
    """The JSON values in a text, one after the other; those of a list that is alone."""
    decoder, found = json.JSONDecoder(), []
    rest = text.strip()
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError) as error:
            raise DescriptionRefused(
                f"the description is not JSON: {str(error).splitlines()[0]}",
                hint="write one with: aws dynamodb describe-table --table-name TABLE > table.json",
            ) from None
        found.append(value)
        rest = rest[end:].lstrip()
    listed = found[0] if len(found) == 1 and isinstance(found[0], list) else found
    if not listed:
        raise DescriptionRefused(
            "nothing is described",
            hint="write one with: aws dynamodb describe-table --table-name TABLE > table.json",
        )
    return listed


# --- what is asked of AWS -------------------------------------------------------------------------
def known(account: Account, name: str, *, hour: int, now: datetime) -> Known:
    """What AWS tells of a table, as far as the caller may ask.

    Raises:
        NoTable: DynamoDB has no such table.
    """
    facts = replace(table_facts.facts_of(tables.describe(account, name)), region=account.region)
    unknown: list[str] = []

    def ask(what: str, question: Callable[[], _Answer | None]) -> _Answer | None:
        return _if_permitted(what, question, unknown)

    if facts.capacity.source == table_facts.ACCOUNT_QUOTA:
        quota = ask("the account's quota for a table", lambda: _quota(account))
        facts = replace(facts, quota=quota or facts.quota)
    recovery = ask("whether point-in-time recovery is on", lambda: tables.recovers(account, name))
    consumed = ask(
        "what others read of the table", lambda: _consumed(account, name, hour=hour, now=now)
    )
    written = ask("how much is written to it", lambda: _written(account, name, now=now))
    return Known(
        replace(facts, recovery=recovery, consumed=consumed, written=written), tuple(unknown)
    )


def _if_permitted(
    what: str, question: Callable[[], _Answer | None], unknown: list[str]
) -> _Answer | None:
    """The answer; None, and a word about it, if AWS refuses it or has none."""
    from botocore.exceptions import ClientError

    try:
        found = question()
    except ClientError as error:
        explained = aws_errors.explain(error)
        unknown.append(f"{what}: {explained.what if explained else error}")
        return None
    if found is None:
        unknown.append(f"{what}: CloudWatch has no figures of the last {DAYS} days")
    return found


def _quota(account: Account) -> float:
    return float(account.dynamodb.describe_limits()["TableMaxReadCapacityUnits"])


def _hourly(account: Account, name: str, metric: str, *, now: datetime) -> dict[datetime, float]:
    """Sums of a metric by the hour, those of the last days; hours without any are left out.

    CloudWatch counts its periods from the start that it is given, which is on the hour here:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    answer: Mapping[str, Any] = account.cloudwatch.get_metric_statistics(
        Namespace="AWS/DynamoDB",
        MetricName=metric,
        Dimensions=[{"Name": "TableName", "Value": name}],
        StartTime=hour - timedelta(days=DAYS),
        EndTime=hour,
        Period=_HOUR,
        Statistics=["Sum"],
    )
    return {
        each["Timestamp"].astimezone(timezone.utc): each["Sum"] for each in answer["Datapoints"]
    }


def _consumed(account: Account, name: str, *, hour: int, now: datetime) -> Consumption | None:
    """Read units a second at that hour of each day; None if CloudWatch knows nothing at all."""
    sums = _hourly(account, name, "ConsumedReadCapacityUnits", now=now)
    rates = [units / _HOUR for at, units in sums.items() if at.hour == hour]
    return Consumption(sum(rates) / DAYS, max(rates, default=0.0), DAYS) if sums else None


def _written(account: Account, name: str, *, now: datetime) -> float | None:
    sums = _hourly(account, name, "ConsumedWriteCapacityUnits", now=now)
    return sum(sums.values()) * _WRITE_UNIT_BYTES / DAYS if sums else None

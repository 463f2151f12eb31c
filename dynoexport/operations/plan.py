"""``plan``: how long an export takes, what it costs, and which job suits it, before it runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dynoexport import settings, units
from dynoexport.aws.account import side_by_side
from dynoexport.cloudformation import options
from dynoexport.cloudformation import parameters as forms
from dynoexport.cloudformation.check import ParameterRefused, check_parameters
from dynoexport.errors import DynoexportError
from dynoexport.model import (
    CatalogUpdate,
    Engine,
    GlueVersion,
    MaxCapacity,
    ReadMode,
    WorkerType,
)
from dynoexport.operations.facts import TableContext, read_table_context
from dynoexport.planning import (
    alternatives,
    cheapest_way,
    concurrent_reads,
    prices,
    sizing,
    table_facts,
)
from dynoexport.planning.feasibility import refuse_percent
from dynoexport.planning.sizing import PlanRequest
from dynoexport.planning.table_facts import DescriptionRefused, TableFacts
from dynoexport.workflow import schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dynoexport.aws.account import Account
    from dynoexport.planning.alternatives import Alternative
    from dynoexport.planning.plan import Estimate
    from dynoexport.planning.prices import Prices
    from dynoexport.planning.sizing import Recommendation

EMPTY_REQUEST = PlanRequest()
# Parameters of the table stack that a plan depends on, by field of the request and type.
_REQUEST_FIELDS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    settings.READ_MODE: ("read_mode", ReadMode),
    settings.ENGINE: ("engine", Engine),
    settings.MAX_CAPACITY: ("max_capacity", MaxCapacity),
    settings.GLUE_VERSION: ("glue_version", GlueVersion),
    settings.RETENTION_DAYS: ("retention_days", int),
    settings.CATALOG_UPDATE: ("catalog_update", CatalogUpdate),
    settings.MAX_READ: ("read_percent", float),
    settings.WORKER_TYPE: ("worker_type", WorkerType),
    settings.NUMBER_OF_WORKERS: ("workers", int),
    settings.SPLITS: ("splits", int),
}
SETTINGS = (*_REQUEST_FIELDS, *options.PRICED)
_WAY_OPTIONS = {
    settings.READ_MODE: "--read-mode",
    settings.ENGINE: "--engine",
    settings.CATALOG_UPDATE: "--catalog-update",
}


class NotDescribed(DynoexportError):
    """A table that the description does not contain."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The plan of one table.

    Attributes:
        auto: what ``deploy --auto`` takes, if that is another reader, engine or catalog update.
        unknown: a sentence for each thing that could not be read, and what the plan assumes.
    """

    table: TableFacts
    schedule: str
    request: PlanRequest
    prices: Prices
    recommendation: Recommendation
    alternatives: tuple[Alternative, ...]
    auto: Recommendation | None = None
    unknown: tuple[str, ...] = ()

    @property
    def estimate(self) -> Estimate:
        """What the recommended job takes and costs."""
        return self.recommendation.estimate

    @property
    def command(self) -> tuple[str, ...]:
        """The command that deploys the job, word by word; an option and its value are one word."""
        return self._command(self.recommendation, names_way=self.auto is not None)

    @property
    def auto_command(self) -> tuple[str, ...]:
        """The command that deploys ``auto``; empty if that is the recommended job."""
        return () if self.auto is None else self._command(self.auto, names_way=False)

    def _command(self, chosen: Recommendation, *, names_way: bool) -> tuple[str, ...]:
        """The reader is always named: --auto keeps that of an existing export."""
        job, defaults = chosen.estimate.job, PlanRequest()
        words = ["dynoexport deploy", self.table.name, "--auto"]
        if job.format is not defaults.format:
            words.append(f"--format {job.format.value}")
        for name, value in cheapest_way.way(job).items():
            if names_way or name == settings.READ_MODE or name in self.request.kept:
                words.append(f"{_WAY_OPTIONS[name]} {value}")
        if self.request.target_seconds is not None:
            words.append(f"--target-duration {units.as_argument(self.request.target_seconds)}")
        if self.request.max_dollars is not None:
            words.append(f"--max-cost {self.request.max_dollars:.12g}")
        if self.schedule != settings.DEFAULT_SCHEDULE:
            words.append(f"--schedule '{self.schedule}'")
        if job.glue_version is not defaults.glue_version:
            words.append(f"--set {settings.GLUE_VERSION}={job.glue_version.value}")
        if job.retention_days != defaults.retention_days:
            words.append(f"--set {settings.RETENTION_DAYS}={job.retention_days}")
        words += [
            f"--set {choice.setting}={choice.value}"
            for choice in chosen.choices
            if self._is_asked(choice.setting)
        ]
        return tuple(words)

    def _is_asked(self, setting: str) -> bool:
        """Whether the plan was made for a value of it."""
        if setting in self.request.priced:
            return True
        return (
            setting in _REQUEST_FIELDS
            and getattr(self.request, _REQUEST_FIELDS[setting][0]) is not None
        )

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the figures assume, because AWS does not publish or measure it."""
        price = options.price(self.request.priced)
        sentences = alternatives.assumptions(self.estimate)
        return (*sentences, price.assumption) if price else sentences


# --- request --------------------------------------------------------------------------------------
def parse_request(
    parameters: Mapping[str, str], request: PlanRequest = EMPTY_REQUEST
) -> PlanRequest:
    """The request with the given parameters of the table stack.

    Raises:
        ParameterRefused: the stack has no such parameter, it does not take that value, or a plan
            does not depend on it.
    """
    check_parameters(forms.table_groups(), parameters)
    for name in sorted(set(parameters) - set(SETTINGS)):
        raise ParameterRefused(
            f"a plan does not depend on {name}", hint=f"it depends on {', '.join(SETTINGS)}"
        )
    kept = request.kept | (set(parameters) & set(cheapest_way.DEFAULT_WAY))
    parsed = replace(_read_request(parameters, request), kept=kept)
    for rule in options.broken_rules({settings.OUTPUT_FORMAT: parsed.format.value, **parameters}):
        raise ParameterRefused(rule.reason, hint=rule.advice(parameters))
    refusal = refuse_percent(parsed.read_mode, parsed.read_percent or 1)
    if refusal is not None:
        raise ParameterRefused(f"{settings.MAX_READ} is {parsed.read_percent:g}", hint=refusal)
    return parsed


def _read_request(parameters: Mapping[str, str], request: PlanRequest) -> PlanRequest:
    given = {
        field: kind(parameters[name])
        for name, (field, kind) in _REQUEST_FIELDS.items()
        if name in parameters
    }
    priced = {name: parameters[name] for name in options.PRICED if name in parameters}
    return replace(request, priced=priced, **given)  # type: ignore[arg-type]


def parse_auto_request(
    parameters: Mapping[str, str], request: PlanRequest, facts: TableFacts
) -> PlanRequest:
    """The request of ``deploy --auto``, by its own way or the first that the rules allow.

    Only what ``request.kept`` names is kept.

    Raises:
        ParameterRefused: no way is possible.
    """
    ways = cheapest_way.possible_ways(_read_request(parameters, request), facts)
    return ways[0] if ways else replace(parse_request(parameters, request), kept=request.kept)


# --- plans ----------------------------------------------------------------------------------------
def plans(
    account: Account,
    *names: str,
    request: PlanRequest = EMPTY_REQUEST,
    every: str = "day",
    prices_file: Path | None = None,
    is_scheduled: bool = True,
    now: datetime | None = None,
) -> list[Planned]:
    """The plans of DynamoDB tables; nothing changes, and no item is read.

    Facts that the caller may not read, such as consumption or backups, become ``unknown``.
    ``every`` is hour, day, week, month or a ``cron(...)``. If the schedule is off, not
    ``is_scheduled``, runs cannot overlap.

    Raises:
        NoTable: DynamoDB has no such table.
        TableRefused: a table is in a state in which nobody can read it.
        ScheduleRefused: the schedule is not valid.
        PricesRefused: the price file is not valid.
    """
    at = now or datetime.now(timezone.utc)
    when = _when(every, at)
    if not is_scheduled:
        when = replace(when, gap_seconds=None)
    price_list = prices.load_prices(account.region, file=prices_file)

    def plan_table(name: str) -> Planned:
        return _planned(read_table_context(account, name, now=at), request, when, price_list)

    return side_by_side(plan_table, dict.fromkeys(names))


def plans_described(
    text: str,
    *names: str,
    region: str,
    request: PlanRequest = EMPTY_REQUEST,
    every: str = "day",
    prices_file: Path | None = None,
    now: datetime | None = None,
) -> list[Planned]:
    """The plans of described tables, without AWS.

    ``text`` holds answers of DescribeTable, one after the other or in a list. ``names`` selects
    tables, none selects all. ``region`` is used for an answer without a region.

    Raises:
        DescriptionRefused: a part of the text is not such an answer.
        NotDescribed: the text does not describe a selected table.
        TableRefused: a selected table is in a state in which nobody can read it.
    """
    when = _when(every, now or datetime.now(timezone.utc))
    answers = (table_facts.parse_description(document) for document in _documents(text))
    described = {table.name: replace(table, region=table.region or region) for table in answers}
    for name in names:
        if name not in described:
            raise NotDescribed(
                f"{name} is not described",
                hint=f"the file describes: {', '.join(sorted(described))}",
            )
    wanted = [table for name, table in described.items() if name in names or not names]
    return [
        _planned(
            TableContext(table, unknown=_unknown(table)),
            request,
            when,
            prices.load_prices(table.region, file=prices_file),
        )
        for table in wanted
    ]


def plan_facts(facts: TableFacts, request: PlanRequest, every: str) -> Planned:
    """The plan of a table by DescribeTable alone, without what others read and write."""
    when = _when(every, datetime.now(timezone.utc))
    table = TableContext(facts, unknown=_unknown(facts))
    return _planned(table, request, when, prices.load_prices(facts.region))


def _unknown(table: TableFacts) -> tuple[str, ...]:
    """What an answer of DescribeTable does not contain."""
    unknown = ["what others read from the table and write to it, because a file describes it"]
    if table.recovery is None:
        unknown.append("whether point-in-time recovery is on; the plan assumes it is off")
    return tuple(unknown)


@dataclass(frozen=True)
class _When:
    """A schedule: how often it fires in a month, the next time of each time of the day, the gap.

    ``gap_seconds`` is the shortest time between two runs; None if it does not fire twice.
    """

    cron: str
    runs_a_month: float
    firings: tuple[datetime, ...]
    gap_seconds: float | None


def _when(every: str, now: datetime) -> _When:
    cron = schedule.every(every)
    gaps = schedule.gaps(cron, now=now)
    return _When(
        cron,
        schedule.runs_a_month(cron, after=now),
        schedule.times_of_day(cron, after=now),
        gaps[0].total_seconds() if gaps else None,
    )


def _planned(table: TableContext, request: PlanRequest, when: _When, price_list: Prices) -> Planned:
    table_facts.check_state(table.facts)
    of_schedule = replace(request, runs_a_month=when.runs_a_month, gap_seconds=when.gap_seconds)
    facts, recommendation = _recommended(table, of_schedule, price_list, when.firings)
    ways = cheapest_way.possible_ways(of_schedule, table.facts)
    found = [_recommended(table, way, price_list, when.firings)[1] for way in ways]
    best = cheapest_way.choose(found)
    is_other = best is not None and cheapest_way.way(best.estimate.job) != cheapest_way.way(request)
    return Planned(
        table=facts,
        schedule=when.cron,
        request=request,
        prices=price_list,
        recommendation=recommendation,
        alternatives=alternatives.alternatives(facts, of_schedule, price_list, auto=best),
        auto=best if is_other else None,
        unknown=table.unknown,
    )


def _recommended(
    table: TableContext, request: PlanRequest, price_list: Prices, firings: Sequence[datetime]
) -> tuple[TableFacts, Recommendation]:
    """The job, and the table with what others read in the hours of its runs.

    Others may leave less capacity in later hours. Then the run is longer and covers more hours.
    """
    seconds = 0.0
    while True:
        facts = table.during(firings, seconds)
        recommendation = sizing.recommend(facts, request, price_list)
        longer = recommendation.estimate.run_seconds
        if concurrent_reads.active_hours(firings, longer) <= concurrent_reads.active_hours(
            firings, seconds
        ):
            return facts, recommendation
        seconds = longer


def _documents(text: str) -> Sequence[object]:
    """The JSON values in a text, one after the other; of a single list, its members."""
    decoder, values = json.JSONDecoder(), []
    rest = text.strip()
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError) as error:
            raise DescriptionRefused(
                f"the description is not JSON: {str(error).splitlines()[0]}",
                hint="write one with: aws dynamodb describe-table --table-name TABLE > table.json",
            ) from None
        values.append(value)
        rest = rest[end:].lstrip()
    listed = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    if not listed:
        raise DescriptionRefused(
            "the description is empty",
            hint="write one with: aws dynamodb describe-table --table-name TABLE > table.json",
        )
    return listed

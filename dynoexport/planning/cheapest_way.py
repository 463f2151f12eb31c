"""The way that ``deploy --auto`` takes: the cheapest reader, engine and catalog update. Pure."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, TypeVar

from dynoexport import settings
from dynoexport.model import CatalogUpdate, Engine, ReadMode
from dynoexport.planning import sizing
from dynoexport.planning.feasibility import refuse_percent
from dynoexport.units import dollars, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dynoexport.planning.plan import Estimate, Job
    from dynoexport.planning.sizing import Choice, PlanRequest, Recommendation
    from dynoexport.planning.table_facts import TableFacts

Kind = TypeVar("Kind")
# A way, by parameter of the table stack, with the default of each.
DEFAULT_WAY = {
    settings.READ_MODE: settings.DEFAULT_READ_MODE.value,
    settings.ENGINE: settings.DEFAULT_ENGINE.value,
    settings.CATALOG_UPDATE: settings.DEFAULT_CATALOG_UPDATE.value,
}
# In dollars a month: the connector, which may change values, has to save more.
_CENT = 0.01


def way(chosen: Job | PlanRequest) -> dict[str, str]:
    """The reader, engine and catalog update, as parameters of the table stack."""
    return {
        settings.READ_MODE: chosen.read_mode.value,
        settings.ENGINE: chosen.engine.value,
        settings.CATALOG_UPDATE: chosen.catalog_update.value,
    }


def describe(chosen: Job) -> str:
    """The way in a few words, such as native, python, direct."""
    return ", ".join(way(chosen).values())


def possible_ways(request: PlanRequest, table: TableFacts) -> list[PlanRequest]:
    """The request by every way that the stack's rules allow; its own way is first.

    What ``request.kept`` names stays. Who sets workers keeps the engine, because a Python shell job
    has none. xml keeps the catalog update: without a crawler it has no catalog table.
    """
    kept = set(request.kept)
    if request.workers is not None or request.worker_type is not None:
        kept.add(settings.ENGINE)
    if not request.format.queryable:
        kept.add(settings.CATALOG_UPDATE)
    ways = product(
        _first(request.read_mode, () if settings.READ_MODE in kept else ReadMode),
        _first(request.engine, () if settings.ENGINE in kept else Engine),
        _first(request.catalog_update, () if settings.CATALOG_UPDATE in kept else CatalogUpdate),
    )
    requests = (
        replace(request, read_mode=reader, engine=engine, catalog_update=update)
        for reader, engine, update in ways
    )
    return [asked for asked in requests if _is_possible(asked, table)]


def _first(own: Kind, others: Iterable[Kind]) -> list[Kind]:
    return list(dict.fromkeys((own, *others)))


def _is_possible(request: PlanRequest, table: TableFacts) -> bool:
    # Imports troposphere, which takes a fifth of a second: not for --help.
    from dynoexport.cloudformation import options

    if refuse_percent(request.read_mode, request.read_percent or 1) is not None:
        return False
    is_chosen = settings.READ_MODE not in request.kept
    if is_chosen and request.read_mode is ReadMode.EXPORT and not table.recovery:
        return False
    parameters = {
        **request.beside,
        **request.priced,
        settings.OUTPUT_FORMAT: request.format.value,
        **way(request),
    }
    return not any(options.broken_rules(parameters))


def choose(recommendations: Sequence[Recommendation]) -> Recommendation | None:
    """The one that costs least in a month and meets the request; None if none does.

    The first of equals. A lossless reader goes before the connector if it costs about the same.
    """
    works = [job for job in recommendations if _works(job)]
    if not works:
        return None
    most = sizing.NEAR * min(map(_month, works)) + _CENT
    lossless = [job for job in works if not _is_lossy(job) and _month(job) <= most]
    return min(lossless or works, key=_month)


def _works(found: Recommendation) -> bool:
    return not (found.obstacles or found.harms or found.unmet)


def _month(found: Recommendation) -> float:
    return found.estimate.month_dollars


def _is_lossy(found: Recommendation) -> bool:
    return found.estimate.job.read_mode is ReadMode.CONNECTOR


def explain_changes(before: Mapping[str, str], found: Estimate) -> Iterator[Choice]:
    """What replaces a part of the way ``before``; the first has the price."""
    price = (
        f": the cheapest way costs about {dollars(found.run_dollars)} a run, which takes about "
        f"{duration(found.run_seconds)}"
    )
    for name, value in way(found.job).items():
        if value != before[name]:
            yield sizing.Choice(name, value, f"instead of {before[name]}{price}")
            price = ""

"""The cheaper way for a small table: without Spark and without a crawler."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from dynoexport import settings
from dynoexport.model import ReadMode
from dynoexport.operations import plan as planning
from dynoexport.planning import alternatives, table_facts
from dynoexport.planning.sizing import PlanRequest
from dynoexport.units import dollars

if TYPE_CHECKING:
    from dynoexport.operations.plan import Planned
    from dynoexport.operations.targets import Target

# A run of a larger table takes much longer without Spark.
SMALL_BYTES = 1024**3
# In dollars a month. For less, nobody wants to read a line.
LEAST_SAVING = 1.0
# What a plan would choose otherwise.
_DEFAULTS = {
    settings.WORKER_TYPE: settings.DEFAULT_WORKER_TYPE.value,
    settings.NUMBER_OF_WORKERS: str(settings.DEFAULT_NUMBER_OF_WORKERS),
    settings.MAX_READ: settings.DEFAULT_MAX_READ,
    settings.MAX_CAPACITY: settings.DEFAULT_MAX_CAPACITY.value,
}


def savings_note(target: Target, region: str) -> str | None:
    """The sentence about the export that was deployed; None if it costs little already.

    Nor is there one about a table in another account, which nobody described.
    """
    if not target.described or target.value(settings.WHERE):
        return None
    facts = table_facts.parse_description(target.described)
    deployed = {**_DEFAULTS, **target.parameters}
    given = {name: deployed[name] for name in planning.SETTINGS if name in deployed}
    request = planning.parse_request(given, PlanRequest(format=target.format))
    return find_saving(planning.plan_facts(replace(facts, region=region), request, target.schedule))


def find_saving(planned: Planned) -> str | None:
    """What a small table saves in a month without Spark and crawler, and the command for it."""
    table, now = planned.table, planned.estimate
    if table.bytes > SMALL_BYTES:
        return None
    way = next(way for way in planned.alternatives if way.name == alternatives.WITHOUT_SPARK)
    saved = now.month_dollars - way.month_dollars
    if saved < LEAST_SAVING or way.gone:
        return None
    options = "--engine python --catalog-update direct"
    if now.job.read_mode is ReadMode.CONNECTOR:
        options = f"--read-mode native {options}"
    return (
        f"{table.name} is small: without Spark and crawler, a run costs about "
        f"{dollars(way.run_dollars)} instead of {dollars(now.run_dollars)}, which saves "
        f"{dollars(saved)} a month: dynoexport deploy {shlex.quote(table.name)} {options}"
    )

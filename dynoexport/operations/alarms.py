"""The alarms of an export: what its schedule makes of them, and the one that misses snapshots.

The stack makes that one. It goes off when nothing was counted for too long, so that its clock has
to be started when the schedule is switched on, and its voice taken when that is switched off.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dynoexport import naming, settings, units
from dynoexport.workflow import schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynoexport.aws.account import Account
    from dynoexport.operations.targets import Target


# --- what follows from the schedule ---------------------------------------------------------------
def undecided(given: Mapping[str, str], own: Mapping[str, str], *, now: datetime) -> dict[str, str]:
    """The limits that follow from the schedule, but for those that somebody has decided.

    ``own`` are the parameters of the stack, ``given`` those that it is to get. What the stack has
    and what does not follow from its schedule, somebody has decided.
    """
    after, before = _derived({**own, **given}, now), _derived(own, now)
    return {name: after[name] for name in after if own.get(name, before[name]) == before[name]}


def with_limits(target: Target, given: Mapping[str, str]) -> Target:
    """The target with the limits that follow from its schedule and nobody has given."""
    wanted = {name: value for name, value in target.stack.parameters.items() if value is not None}
    found = undecided(wanted, target.own, now=datetime.now(timezone.utc))
    return target.with_parameters(
        {name: value for name, value in found.items() if name not in given}
    )


def _derived(values: Mapping[str, str], now: datetime) -> dict[str, str]:
    when = values.get(settings.SCHEDULE, settings.DEFAULT_SCHEDULE)
    minutes = float(values.get(settings.TIMEOUT_MINUTES, settings.DEFAULT_TIMEOUT_MINUTES))
    late = schedule.run_length(when, timeout=timedelta(minutes=minutes), now=now)
    age = schedule.snapshot_age(when, run=late, now=now) or timedelta()
    return {
        settings.MAX_RUN_MINUTES: str(late // timedelta(minutes=1)),
        settings.MAX_SNAPSHOT_AGE_HOURS: str(age // timedelta(hours=1)),
    }


def note(when: str, hours: float, *, now: datetime) -> str | None:
    """What the owner of a schedule should know of its alarm, which looks back so many hours."""
    between = schedule.gaps(when, now=now)
    if between is None:
        return None
    longest = units.duration(between[1])
    if hours and timedelta(hours=hours) <= between[1]:
        return (
            f"the alarm goes off after {units.number(hours)} h without a "
            f"snapshot, and the schedule leaves {longest} between two"
        )
    if not hours and schedule.snapshot_age(when, run=timedelta(), now=now) is None:
        return (
            f"no alarm can look back over the {longest} between two runs; look yourself: "
            "dynoexport status --stale"
        )
    return None


def notes(target: Target) -> tuple[str, ...]:
    """The same of a target."""
    hours = float(target.value(settings.MAX_SNAPSHOT_AGE_HOURS, "0"))
    found = note(target.schedule, hours, now=datetime.now(timezone.utc))
    return () if found is None else (f"{target.table}: {found}",)


# --- the alarm ------------------------------------------------------------------------------------
def starts_to_watch(target: Target, *, trigger_is_on: bool | None) -> bool:
    """Whether an alarm will miss snapshots that did not before."""

    def watches(hours: str) -> bool:
        return float(hours) > 0

    after = watches(target.value(settings.MAX_SNAPSHOT_AGE_HOURS, "0")) and target.is_scheduled
    before = watches(target.own.get(settings.MAX_SNAPSHOT_AGE_HOURS, "0")) and trigger_is_on
    return after and not before


def start_clock(account: Account, table: str, fmt: str) -> None:
    """Count from now on, by a value that is no snapshot."""
    account.cloudwatch.put_metric_data(
        Namespace=naming.METRIC_NAMESPACE,
        MetricData=[
            {
                "MetricName": naming.METRIC_SNAPSHOTS,
                "Dimensions": [
                    {"Name": naming.METRIC_TABLE, "Value": table},
                    {"Name": naming.METRIC_FORMAT, "Value": fmt},
                ],
                "Value": 0,
            }
        ],
    )


def give_voice(account: Account, table: str, fmt: str, *, speaks: bool) -> None:
    """Let the alarm tell its topic, from a new start of its clock on, or no more.

    An export without an alarm is left as it is.
    """
    name = naming.snapshot_alarm(table, fmt)
    found = account.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if not found or found[0].get("ActionsEnabled") == speaks:
        return
    if speaks:
        start_clock(account, table, fmt)
        account.cloudwatch.enable_alarm_actions(AlarmNames=[name])
    else:
        account.cloudwatch.disable_alarm_actions(AlarmNames=[name])

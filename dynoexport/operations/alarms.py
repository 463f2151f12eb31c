"""The alarms of an export: limits derived from its schedule, and the missing-snapshot alarm.

The stack creates that alarm. It goes off when CloudWatch has no datapoint for too long. So a
datapoint of zero is published when the schedule is switched on, and the alarm's actions are
disabled when it is switched off.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from dynoexport import naming, settings, units
from dynoexport.errors import DynoexportError
from dynoexport.workflow import schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynoexport.aws.account import Account
    from dynoexport.operations.targets import Target


# What notifies the common stack's topic, each with the value that switches it off.
OFF = {
    settings.NOTIFY_ON_FAILURE: "false",
    settings.MAX_RUN_MINUTES: "0",
    settings.MAX_SNAPSHOT_AGE_HOURS: "0",
}


def switched_on(parameters: Mapping[str, str]) -> list[str]:
    """The parameters of a table stack by which it notifies the topic."""
    return [name for name, off in OFF.items() if parameters.get(name, off) != off]


# --- what follows from the schedule ---------------------------------------------------------------
def derive_limits(
    given: Mapping[str, str], own: Mapping[str, str], *, now: datetime
) -> dict[str, str]:
    """The limits that follow from the schedule, except those that a user has set.

    ``own`` are the current parameters of the stack, ``given`` its new ones. A
    current value that does not follow from the current schedule was set by a user.
    """
    after, before = _derived({**own, **given}, now), _derived(own, now)
    return {name: after[name] for name in after if own.get(name, before[name]) == before[name]}


def with_limits(target: Target, given: Mapping[str, str]) -> Target:
    """The target with the limits that follow from its schedule, except the given ones."""
    wanted = {name: value for name, value in target.stack.parameters.items() if value is not None}
    derived = derive_limits(wanted, target.own, now=datetime.now(timezone.utc))
    return target.with_parameters(
        {name: value for name, value in derived.items() if name not in given}
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
    """A warning if the alarm, which looks back for ``hours``, does not suit the schedule."""
    between = schedule.gaps(when, now=now)
    if between is None:
        return None
    longest = units.duration(between[1])
    if hours and timedelta(hours=hours) <= between[1]:
        return (
            f"the alarm goes off after {units.number(hours)} h without a snapshot, but the "
            f"schedule leaves {longest} between two. Set a higher MaxSnapshotAgeHours."
        )
    if not hours and schedule.snapshot_age(when, run=timedelta(), now=now) is None:
        return (
            f"no alarm can cover the {longest} between two runs. Check with: "
            "dynoexport status --stale AGE"
        )
    return None


def notes(target: Target) -> tuple[str, ...]:
    """The ``note`` for a target, if there is one."""
    hours = float(target.value(settings.MAX_SNAPSHOT_AGE_HOURS, "0"))
    text = note(target.schedule, hours, now=datetime.now(timezone.utc))
    return () if text is None else (f"{target.table}: {text}",)


# --- the alarm ------------------------------------------------------------------------------------
def starts_to_watch(target: Target, *, trigger_is_on: bool | None) -> bool:
    """Whether the missing-snapshot alarm becomes active with this deployment."""

    def watches(hours: str) -> bool:
        return float(hours) > 0

    after = watches(target.value(settings.MAX_SNAPSHOT_AGE_HOURS, "0")) and target.is_scheduled
    before = watches(target.own.get(settings.MAX_SNAPSHOT_AGE_HOURS, "0")) and trigger_is_on
    return after and not before


def moves(account: Account, table: str, fmt: str) -> bool:
    """Whether the alarm still watches the namespace of a former version."""
    answer = account.cloudwatch.describe_alarms(AlarmNames=[naming.snapshot_alarm(table, fmt)])
    return any(_is_former(alarm, table) for alarm in answer["MetricAlarms"])


def _is_former(alarm: Mapping[str, Any], table: str) -> bool:
    return bool(alarm["Namespace"] != naming.metric_namespace(table))


def publish_zero_datapoint(account: Account, table: str, fmt: str) -> None:
    """Publish a datapoint of zero snapshots, from which the alarm measures its time."""
    account.cloudwatch.put_metric_data(
        Namespace=naming.metric_namespace(table),
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


def set_alarm_actions_enabled(account: Account, table: str, fmt: str, *, enabled: bool) -> None:
    """Enable the alarm's actions, after a new datapoint of zero, or disable them.

    An export without an alarm does not change.
    """
    name = naming.snapshot_alarm(table, fmt)
    existing = account.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if not existing or existing[0].get("ActionsEnabled") == enabled:
        return
    if enabled:
        if _is_former(existing[0], table):
            raise DynoexportError(
                f"the alarm of {table} as {fmt} is of a former version",
                hint=f"deploy the export again: dynoexport deploy {table} --format {fmt}",
            )
        publish_zero_datapoint(account, table, fmt)
        account.cloudwatch.enable_alarm_actions(AlarmNames=[name])
    else:
        account.cloudwatch.disable_alarm_actions(AlarmNames=[name])

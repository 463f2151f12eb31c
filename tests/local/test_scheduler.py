"""The workflows that a look at the clock starts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dynoexport.local.glue import scheduler
from dynoexport.local.glue.scheduler import Scheduler

TEN = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)


def trigger(**fields: Any) -> dict[str, Any]:
    return {
        "Type": "SCHEDULED",
        "State": "ACTIVATED",
        "Schedule": "cron(0 10 * * ? *)",
        "WorkflowName": "daily",
        **fields,
    }


def due(after: datetime, until: datetime, **fields: Any) -> list[str]:
    return list(scheduler.due([trigger(**fields)], after=after, until=until))


def test_a_schedule_fires_between_two_polls() -> None:
    """The workflow is named once its minute has come."""
    assert due(TEN - SECOND, TEN + SECOND) == ["daily"]
    assert due(TEN - 2 * SECOND, TEN - SECOND) == []


def test_a_firing_belongs_to_one_interval_alone() -> None:
    """Two looks that meet at the minute itself start one run."""
    assert due(TEN - SECOND, TEN) == ["daily"]
    assert due(TEN, TEN + SECOND) == []


def test_a_schedule_is_in_utc() -> None:
    """A clock of another zone gives the same answer."""
    berlin = timezone(timedelta(hours=1))
    assert due((TEN - SECOND).astimezone(berlin), TEN.astimezone(berlin)) == ["daily"]


def test_days_are_those_of_aws_cron() -> None:
    """23 November 2026 is a Monday."""
    assert due(TEN - SECOND, TEN, Schedule="cron(0 10 ? * MON *)") == ["daily"]
    assert due(TEN - SECOND, TEN, Schedule="cron(0 10 ? * TUE *)") == []


@pytest.mark.parametrize(
    "fields",
    [
        {"State": "CREATED"},
        {"State": "DEACTIVATED"},
        {"Type": "ON_DEMAND", "Schedule": ""},
        {"WorkflowName": ""},
    ],
)
def test_only_an_active_schedule_of_a_workflow_starts_it(fields: Any) -> None:
    """Off, on demand, or without a workflow."""
    assert due(TEN - SECOND, TEN, **fields) == []


def test_a_stopped_scheduler_ends() -> None:
    """``run`` returns without a look at the clock."""
    stopped = Scheduler(list, pytest.fail, seconds=60)
    stopped.stop()
    stopped.run()

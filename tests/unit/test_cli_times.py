"""Times for people are in UTC, as the column says, wherever the command runs."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from dynoexport import naming
from dynoexport.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport import Account


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """boto3 gives times in the zone of the machine, here nine hours before UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_runs_are_listed_with_their_start_in_utc(account: Account) -> None:
    workflow = naming.workflow("Reviews", "csv", scheduled=False)
    account.glue.create_workflow(Name=workflow)
    account.glue.create_job(
        Name=naming.export_job("Reviews", "csv"),
        Role="arn:aws:iam::123456789012:role/x",
        Command={"Name": "glueetl", "ScriptLocation": "s3://x/y.py"},
        Tags={
            naming.TAG_TABLE: "Reviews",
            naming.TAG_FORMAT: "csv",
            naming.TAG_STACK: "a-stack",
            naming.TAG_WORKFLOW: workflow,
        },
    )
    account.glue.start_workflow_run(Name=workflow)
    done = CliRunner().invoke(main, ["--region", "eu-west-1", "runs", "Reviews"])
    header, row = done.stdout.splitlines()
    assert header.startswith("STARTED (UTC)")
    shown = datetime.strptime(row[:16], "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)
    assert timedelta(0) <= datetime.now(timezone.utc) - shown < timedelta(minutes=10)

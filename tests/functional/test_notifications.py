"""Each of the three alarms goes off on the endpoint, is over after a good run, and can be off."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from command import Command, create_table
from subscriber import Mailbox
from waiting import until

from dynoexport import naming

if TYPE_CHECKING:
    from conftest import Clock

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

MISSING_NOTHING = "MaxSnapshotAgeHours=0"
OFF = ("NotifyOnFailure=false", "MaxRunMinutes=0", MISSING_NOTHING)


class Desk:
    """Where the common stack's topic is read: a queue that subscribes to it, for one table."""

    def __init__(self, endpoint: Endpoint, clock: Clock, table: str) -> None:
        self.endpoint, self.clock, self.table = endpoint, clock, table
        self.command = Command(endpoint)
        self.glue = endpoint.client("glue")
        self.alarm = naming.snapshot_alarm(table, "parquet")
        self.mailbox = Mailbox(endpoint, table)
        create_table(endpoint, table)

    def deploy(self, *settings: str, enabled: bool = True) -> str:
        words = [word for setting in settings for word in ("--set", setting)]
        switch = "--enable" if enabled else "--disable"
        return self.command.ok("deploy", self.table, switch, "--yes", *words)

    def subscribe(self) -> None:
        outputs = self.endpoint.client("cloudformation").describe_stacks(
            StackName="dynoexport-common"
        )["Stacks"][0]["Outputs"]
        (topic,) = [
            output["OutputValue"] for output in outputs if output["OutputKey"] == "TopicArn"
        ]
        self.mailbox.subscribe(topic)

    def fails(self, script: str) -> None:
        """Make the export job do this from now on."""
        job = self.glue.get_job(JobName=naming.export_job(self.table, "parquet"))["Job"]
        bucket = naming.bucket(self.endpoint.account, self.endpoint.region)
        key = f"scripts/{self.table}.py"
        self.endpoint.client("s3").put_object(Bucket=bucket, Key=key, Body=script.encode())
        command = {"Name": "pythonshell", "ScriptLocation": f"s3://{bucket}/{key}"}
        update = {key: job[key] for key in ("Role", "NotificationProperty") if key in job}
        # Its role may read the script of the stack alone.
        update["Role"] = "everything"
        self.glue.update_job(JobName=job["Name"], JobUpdate={**update, "Command": command})

    def inbox(self) -> list[dict[str, Any]]:
        """What was sent about this table since the last poll."""
        reported = [message["Message"] for message in self.mailbox.receive()]
        return [json.loads(message) for message in reported if f"{self.table} " in message]

    def wait_for(self, state: str) -> None:
        """Until the alarm is in the state."""
        client = self.endpoint.client("cloudwatch")

        def there() -> bool:
            found = client.describe_alarms(AlarmNames=[self.alarm])["MetricAlarms"]
            return bool(found) and found[0]["StateValue"] == state

        until(there)


@pytest.fixture(scope="module")
def account(clocked: tuple[Endpoint, Clock]) -> tuple[Endpoint, Clock]:
    """A common stack with a topic, and a role for scripts outside the stack."""
    endpoint, _ = clocked
    Command(endpoint).ok("init", "--yes", "--set", "NotificationEmail=ada@example.org")
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "glue.amazonaws.com"},
    }
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam = endpoint.client("iam")
    iam.create_role(
        RoleName="everything",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName="everything", PolicyName="all", PolicyDocument=document)
    return clocked


def desk(account: tuple[Endpoint, Clock], table: str, *settings: str, **options: bool) -> Desk:
    """An export that is deployed as a user does it, and hears of itself from the beginning."""
    opened = Desk(*account, table)
    opened.subscribe()
    opened.deploy(*settings, **options)
    if MISSING_NOTHING not in settings and options.get("enabled", True):
        # Every alarm with actions reports its first state.
        (reported,) = until(opened.inbox)
        assert reported["NewStateValue"] == "OK"
    return opened


# --- failed -------------------------------------------------------------------------------------
def test_a_failed_run_is_notified(account: tuple[Endpoint, Clock]) -> None:
    """With its error, by a stack that was deployed without a word about alarms."""
    tea = desk(account, "FailedTea")
    tea.fails("raise ValueError('no tea')")
    tea.command("run", "FailedTea", "--wait")
    (reported,) = until(tea.inbox)
    assert reported["export"] == "FailedTea as parquet"
    assert (reported["name"], reported["state"]) == ("FailedTeaExportToparquet", "FAILED")
    assert "ValueError: no tea" in reported["message"]


def test_a_failed_run_is_not_notified_when_that_is_off(account: tuple[Endpoint, Clock]) -> None:
    tea = desk(account, "QuietTea", *OFF)
    tea.fails("raise ValueError('no tea')")
    tea.command("run", "QuietTea", "--wait")
    assert tea.inbox() == []


# --- too long -----------------------------------------------------------------------------------
def running(desk: Desk) -> str:
    """The ID of a job run that does not end by itself."""
    desk.fails("import time; time.sleep(600)")
    name = naming.export_job(desk.table, "parquet")
    run = str(desk.glue.start_job_run(JobName=name)["JobRunId"])
    states = ("RUNNING",)
    until(lambda: desk.glue.get_job_run(JobName=name, RunId=run)["JobRun"]["JobRunState"] in states)
    return run


def end(desk: Desk, run: str) -> None:
    name = naming.export_job(desk.table, "parquet")
    desk.glue.batch_stop_job_run(JobName=name, JobRunIds=[run])


def test_a_job_that_runs_too_long_is_notified_once(account: tuple[Endpoint, Clock]) -> None:
    tea = desk(account, "LateTea", "MaxRunMinutes=30")
    run = running(tea)
    tea.clock.forward(minutes=29)
    time.sleep(3)
    assert tea.inbox() == []
    tea.clock.forward(minutes=1)
    (reported,) = until(tea.inbox)
    assert reported == {
        "export": "LateTea as parquet",
        "message": "has run for more than 30 minutes",
        "name": "LateTeaExportToparquet",
        "state": "RUNNING",
        "run": run,
    }
    tea.clock.forward(minutes=31)
    time.sleep(3)
    assert tea.inbox() == []
    end(tea, run)


def test_a_job_may_run_for_long_when_that_is_off(account: tuple[Endpoint, Clock]) -> None:
    tea = desk(account, "PatientTea", *OFF)
    run = running(tea)
    tea.clock.forward(hours=23)
    time.sleep(3)
    assert tea.inbox() == []
    end(tea, run)


# --- no snapshot --------------------------------------------------------------------------------
def test_a_schedule_without_snapshots_is_notified_until_a_good_run(
    account: tuple[Endpoint, Clock],
) -> None:
    """Somebody has stopped the trigger by hand; no event reports what does not happen."""
    tea = desk(account, "StaleTea", "NumberOfWorkers=2")
    trigger = f"{naming.workflow('StaleTea', 'parquet', scheduled=True)}-start"
    tea.glue.stop_trigger(Name=trigger)
    tea.clock.forward(hours=29)
    time.sleep(3)
    assert tea.inbox() == []
    tea.clock.forward(hours=1)
    (reported,) = until(tea.inbox)
    assert (reported["AlarmName"], reported["NewStateValue"]) == (tea.alarm, "ALARM")
    assert reported["AlarmDescription"] == "No new snapshot of StaleTea as parquet for 30 hours"
    alarms = {check["name"]: check for check in tea.command.json("doctor")}["alarms"]
    assert alarms["state"] == "warning"
    assert reported["AlarmDescription"] in alarms["detail"]
    tea.command.ok("run", "StaleTea", "--wait")
    changes = [
        (message.get("OldStateValue"), message.get("NewStateValue")) for message in until(tea.inbox)
    ]
    assert changes == [("ALARM", "OK")]


def test_a_schedule_that_is_off_misses_no_snapshot(account: tuple[Endpoint, Clock]) -> None:
    """Switched off by the stack, then by the command; switched on, it counts from there."""
    tea = desk(account, "RestingTea", enabled=False)
    tea.wait_for("ALARM")
    assert tea.inbox() == []
    tea.command.ok("enable", "RestingTea")
    (reported,) = until(tea.inbox)
    assert reported["NewStateValue"] == "OK"
    tea.command.ok("disable", "RestingTea")
    tea.clock.forward(hours=31)
    tea.wait_for("ALARM")
    assert tea.inbox() == []


def test_an_export_without_the_alarm_misses_no_snapshot(account: tuple[Endpoint, Clock]) -> None:
    tea = desk(account, "CarefreeTea", *OFF)
    cloudwatch = tea.endpoint.client("cloudwatch")
    assert cloudwatch.describe_alarms(AlarmNames=[tea.alarm])["MetricAlarms"] == []
    tea.command.ok("disable", "CarefreeTea")
    tea.command.ok("enable", "CarefreeTea")


def test_an_export_that_is_destroyed_leaves_no_alarm(account: tuple[Endpoint, Clock]) -> None:
    tea = desk(account, "GoneTea")
    tea.command.ok("destroy", "GoneTea", "--yes")
    cloudwatch = tea.endpoint.client("cloudwatch")
    assert cloudwatch.describe_alarms(AlarmNames=[tea.alarm])["MetricAlarms"] == []


# --- what deploy makes of it --------------------------------------------------------------------
def test_deploying_again_leaves_a_schedule_that_was_switched_off_silent(
    account: tuple[Endpoint, Clock],
) -> None:
    """The stack's parameter still says that it is on."""
    tea = desk(account, "AgainTea")
    tea.command.ok("disable", "AgainTea")
    tea.command.ok("deploy", "AgainTea", "--set", "MaxSnapshotAgeHours=30", "--yes")
    cloudwatch = tea.endpoint.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[tea.alarm])["MetricAlarms"]
    assert (alarm["EvaluationPeriods"], alarm["ActionsEnabled"]) == (30, False)


def test_deploy_names_a_schedule_that_no_alarm_can_watch(
    account: tuple[Endpoint, Clock],
) -> None:
    create_table(account[0], "WeeklyTea")
    done = Command(account[0])(
        "deploy", "WeeklyTea", "--schedule", "cron(0 10 ? * MON *)", "--enable", "--yes"
    )
    assert done.returncode == 0, done.stderr
    assert "WeeklyTea: no alarm can cover the 7 d between two runs" in done.stderr

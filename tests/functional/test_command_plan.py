"""``plan`` and ``deploy --auto`` on the endpoint, and where the caller may ask for less."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from command import Command, Quiet, consume, create_table, library, put_snapshot, serving

import dynoexport
from dynoexport.aws import change_sets
from dynoexport.presentation import json_output

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from account import Account

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

AUTO = {
    "WorkerType": "G.1X",
    "NumberOfWorkers": "2",
    "Splits": "0",
    "MaxConsumedReadThroughput": "0.1",
    "TimeoutMinutes": "30",
}
CHEAPEST = {"ReadMode": "native", "Engine": "python", "CatalogUpdate": "direct"}
SMALLEST = {
    "MaxCapacity": "0.0625",
    "Splits": "0",
    "MaxConsumedReadThroughput": "0.25",
    "TimeoutMinutes": "30",
}


@pytest.fixture(scope="module")
def command(account: Account) -> Command:
    """In an account with the common stack and this version's scripts."""
    dynoexport.init(library(account.endpoint))
    return Command(account.endpoint)


@pytest.fixture
def table(endpoint: Endpoint) -> str:
    name = f"T{uuid.uuid4().hex}"
    create_table(endpoint, name)
    return name


# --- plan -----------------------------------------------------------------------------------------
def test_a_plan_shows_time_job_and_cost(command: Command, table: str) -> None:
    shown = command.ok("plan", table)
    assert shown.startswith(f"{table}: 0 B, 0 items, on-demand, us-east-1\n")
    assert "\nRecommended\n" in shown
    assert f"\n  dynoexport deploy {table} --auto \\\n    --read-mode connector" in shown
    assert "\ndeploy --auto takes native, python, direct: " in shown
    assert "[spark]" in shown


def test_a_plan_for_programs_has_the_documented_keys(command: Command, table: str) -> None:
    (shown,) = command.json("plan", table)
    assert set(shown) == set(json_output.meanings("plan"))
    for kind, documents in (
        ("choice", shown["choices"]),
        ("cost", shown["costs"]),
        ("alternative", shown["alternatives"]),
    ):
        assert all(set(planned) == set(json_output.meanings(kind)) for planned in documents)
    assert {choice["setting"]: choice["value"] for choice in shown["choices"]} == AUTO


def test_what_others_read_at_that_hour_is_taken_from_cloudwatch(
    command: Command, table: str
) -> None:
    """Mean over all days, peak of one; other hours do not count, what is written counts always."""
    now = datetime.now(timezone.utc)
    fires = now.replace(hour=10, minute=5) - timedelta(days=2)
    oldest = fires - timedelta(days=3)
    for at, units in ((fires, 7_200), (oldest, 72_000)):
        consume(command.endpoint, table, "ConsumedReadCapacityUnits", at, units)
    consume(
        command.endpoint, table, "ConsumedReadCapacityUnits", fires - timedelta(hours=4), 9_000_000
    )
    consume(command.endpoint, table, "ConsumedWriteCapacityUnits", fires, 14 * 1024 * 1024)
    days = (now - oldest.replace(minute=0)).days + 1
    written = (now - fires.replace(minute=0)).days + 1
    (shown,) = command.json("plan", table)
    assert shown["consumed_peak"] == 20
    assert shown["consumed_mean"] == pytest.approx(22 / days)
    changes = next(
        alternative
        for alternative in shown["alternatives"]
        if alternative["name"].endswith("incremental")
    )
    assert changes["costs"][0]["quantity"] == pytest.approx(14 / written)
    assert shown["unknown"] == []


def test_reads_of_exports_are_not_reads_of_others(command: Command, table: str) -> None:
    """By the manifest of its snapshot; otherwise a second plan would see less room."""
    now = datetime.now(timezone.utc)
    fires = now.replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=1)
    at = fires + timedelta(minutes=5)
    consume(command.endpoint, table, "ConsumedReadCapacityUnits", at, 9_000)
    read = {"reader": "native", "units": 7_200, "seconds": 60.0}
    started = f"{fires:%Y-%m-%dT%H:%M:%SZ}"
    put_snapshot(
        command.endpoint,
        table,
        f"{fires:%Y-%m-%dT%H:%M}",
        [{"id": "1"}],
        read=read,
        started=started,
    )
    (shown,) = command.json("plan", table)
    assert shown["consumed_peak"] == pytest.approx(0.5)


def test_every_firing_of_a_schedule_is_considered(command: Command, table: str) -> None:
    """Not the next one alone, which would depend on when somebody plans."""
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    for hour in range(24):
        units = 3_600 * (900 if hour == 20 else 10)
        at = yesterday.replace(hour=hour, minute=0)
        consume(command.endpoint, table, "ConsumedReadCapacityUnits", at, units)
    for every, peak in (("hour", 900), ("day", 10), ("cron(0 8,20 ? * MON *)", 900)):
        assert command.json("plan", table, "--every", every)[0]["consumed_peak"] == peak


def test_all_hours_of_a_long_run_are_considered(command: Command, table: str) -> None:
    """A schedule shortly before the hour, so that others begin during the run."""
    now = datetime.now(timezone.utc)
    for hour, units in ((10, 3_600), (11, 36_000), (12, 3_600_000)):
        at = now.replace(hour=hour, minute=5) - timedelta(days=1)
        consume(command.endpoint, table, "ConsumedReadCapacityUnits", at, units)
    (shown,) = command.json("plan", table, "--every", "cron(58 10 * * ? *)")
    assert shown["consumed_peak"] == 10
    assert "in these 2 hours" in command.ok("plan", table, "--every", "cron(58 10 * * ? *)")


def test_missing_metrics_are_reported(command: Command, table: str) -> None:
    (shown,) = command.json("plan", table)
    assert (shown["consumed_mean"], shown["consumed_peak"]) == (None, None)
    assert shown["unknown"] == [
        "what others read of the table: CloudWatch has no figures for the last 14 days",
        "how much is written to it: CloudWatch has no figures for the last 14 days",
    ]


def test_a_plan_shows_whether_recovery_is_on(command: Command, table: str) -> None:
    assert command.json("plan", table)[0]["recovery"] is False
    command.endpoint.client("dynamodb").update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    assert command.json("plan", table)[0]["recovery"] is True


def test_several_tables_have_a_line_each_and_a_sum(command: Command, endpoint: Endpoint) -> None:
    names = [f"T{uuid.uuid4().hex}" for _ in range(2)]
    for name in names:
        create_table(endpoint, name)
    head, *rows = command.ok("plan", *names).splitlines()
    assert head.split()[:3] == ["TABLE", "SIZE", "WORKERS"]
    assert [row.split()[0] for row in rows] == [*names, "all"]
    assert [planned["table"] for planned in command.json("plan", *names)] == names


def test_a_missing_table_is_reported(command: Command, table: str) -> None:
    done = command("plan", f"{table}x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"Error: there is no DynamoDB table {table}x in us-east-1",
        f"  did you mean {table}?",
    ]


def test_an_unreachable_target_is_a_failure(command: Command, table: str) -> None:
    done = command("plan", table, "--target-duration", "1m")
    assert done.returncode == 1
    assert "not met: no job ends in 1 min" in done.stdout
    assert done.stderr.startswith(f"Error: {table}: no job ends in 1 min")


def test_a_program_plans_without_the_command(command: Command, table: str) -> None:
    (found,) = dynoexport.plans(library(command.endpoint), table, every="hour")
    assert found.recommendation.parameters == AUTO
    assert found.recommendation.estimate.runs_a_month == 730.5


# --- with fewer permissions -----------------------------------------------------------------------
@contextmanager
def describing_only() -> Iterator[str]:
    """An AWS that answers DescribeTable and denies everything else."""

    class Denying(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - as http.server calls it
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            action = self.headers["X-Amz-Target"].split(".")[-1]
            status, answer = 400, self.denied(action)
            if action == "DescribeTable":
                status, answer = 200, {"Table": {"TableName": asked["TableName"]}}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def denied(self, action: str) -> dict[str, Any]:
            service = "cloudwatch" if "Metric" in action else "dynamodb"
            message = f"User: arn:me is not authorized to perform: {service}:{action}"
            return {"__type": "AccessDeniedException", "message": message}

    with serving(Denying) as url:
        yield url


def test_denied_facts_are_reported_as_unknown(command: Command) -> None:
    with describing_only() as url:
        (shown,) = command.json("plan", "Orders", "--endpoint-url", url)
    lacks = "access denied: arn:me lacks"
    assert shown["unknown"] == [
        f"the account's quota for a table: {lacks} dynamodb:DescribeLimits",
        f"whether point-in-time recovery is on: {lacks} dynamodb:DescribeContinuousBackups",
        f"what others read of the table: {lacks} cloudwatch:GetMetricStatistics",
        f"how much is written to it: {lacks} cloudwatch:GetMetricStatistics",
    ]
    assert (shown["recovery"], shown["consumed_peak"], shown["capacity"]) == (
        None,
        None,
        40_000,
    )


# --- deploy --auto --------------------------------------------------------------------------------
def parameters(command: Command, table: str) -> dict[str, str]:
    client = library(command.endpoint).cloudformation
    stack = change_sets.describe(client, f"dynoexport-{table}-parquet")
    assert stack is not None
    return change_sets.read_parameters(stack)


def chosen(command: Command, table: str, names: Iterable[str]) -> dict[str, str]:
    found = parameters(command, table)
    return {name: found[name] for name in names}


def test_auto_deploys_the_cheapest_way_and_its_runs_succeed(command: Command, table: str) -> None:
    command.endpoint.client("dynamodb").put_item(TableName=table, Item={"id": {"S": "1"}})
    done = command("deploy", table, "--auto", "--yes")
    assert done.returncode == 0, done.stderr
    assert chosen(command, table, CHEAPEST) == CHEAPEST
    assert chosen(command, table, SMALLEST) == SMALLEST
    head, *reasons = done.stderr.splitlines()[:8]
    assert head == f"{table} gets the cheapest job that 'dynoexport plan' finds"
    assert [line.strip().split("=")[0] for line in reasons] == [*CHEAPEST, *SMALLEST]
    assert "is small" not in done.stderr
    assert ": 1 item, " in command.ok("run", table, "--wait")
    assert command.json("query", table)[0]["id"] == "1"


def test_auto_keeps_spark_for_a_predicate(command: Command, table: str) -> None:
    command.ok("deploy", table, "--auto", "--where", "id <> ''", "--yes")
    assert chosen(command, table, CHEAPEST) == {**CHEAPEST, "Engine": "spark"}


def test_auto_keeps_spark_in_a_vpc(command: Command, table: str) -> None:
    """A Python shell job may not reach PyPI there."""
    place = {"SubnetId": "subnet-1", "SecurityGroupIdList": ["sg-1"], "AvailabilityZone": "a"}
    command.endpoint.client("glue").create_connection(
        ConnectionInput={
            "Name": "inside",
            "ConnectionType": "NETWORK",
            "ConnectionProperties": {},
            "PhysicalConnectionRequirements": place,
        }
    )
    command.ok("deploy", table, "--auto", "--set", "ConnectionName=inside", "--yes")
    assert chosen(command, table, CHEAPEST) == {**CHEAPEST, "Engine": "spark"}


def test_auto_keeps_what_is_given(command: Command, table: str) -> None:
    way = {"ReadMode": "connector", "Engine": "spark", "CatalogUpdate": "crawler"}
    words = ("--read-mode", "connector", "--engine", "spark", "--catalog-update", "crawler")
    command.ok("deploy", table, "--auto", *words, "--yes")
    assert chosen(command, table, way) == way
    assert chosen(command, table, AUTO) == AUTO


def test_auto_chooses_the_reader_that_the_given_engine_needs(command: Command, table: str) -> None:
    command.ok("deploy", table, "--auto", "--engine", "python", "--yes")
    assert chosen(command, table, CHEAPEST) == CHEAPEST


def test_auto_prints_what_it_changes_of_an_export(command: Command, table: str) -> None:
    """Engine and catalog update, which change no column; not the reader."""
    command.ok("deploy", table, "--read-mode", "native", "--yes")
    done = command("deploy", table, "--auto", "--yes")
    assert "  Engine=python: instead of spark: the cheapest way costs about $0.001" in done.stderr
    assert "  CatalogUpdate=direct: instead of crawler\n" in done.stderr
    assert "ReadMode" not in done.stderr
    assert chosen(command, table, CHEAPEST) == CHEAPEST
    assert "instead of" not in command("deploy", table, "--auto", "--yes").stderr


def test_auto_keeps_the_connector_of_an_export(command: Command, table: str) -> None:
    command.ok("deploy", table, "--yes")
    command.ok("deploy", table, "--auto", "--yes")
    kept = {"ReadMode": "connector", "Engine": "spark", "CatalogUpdate": "direct"}
    assert chosen(command, table, kept) == kept


def test_auto_meets_a_target_or_refuses(command: Command, table: str) -> None:
    refused = command("deploy", table, "--auto", "--target-duration", "1m", "--yes")
    assert refused.returncode == 2
    assert f"Error: {table}: no job ends in 1 min" in refused.stderr
    without = command("deploy", table, "--max-cost", "1", "--yes")
    assert "--target-duration and --max-cost need --auto" in without.stderr
    assert command("status", table).returncode == 1
    command.ok("deploy", table, "--auto", "--target-duration", "10m", "--max-cost", "1", "--yes")


def busy(endpoint: Endpoint) -> str:
    """Others read nearly all that is provisioned."""
    name = f"T{uuid.uuid4().hex}"
    throughput = {"ReadCapacityUnits": 1_000, "WriteCapacityUnits": 5}
    create_table(endpoint, name, ProvisionedThroughput=throughput)
    fires = datetime.now(timezone.utc).replace(hour=10, minute=5) - timedelta(days=1)
    consume(endpoint, name, "ConsumedReadCapacityUnits", fires, 900 * 3_600)
    return name


def test_auto_uses_only_capacity_that_others_leave(command: Command) -> None:
    """A tenth of the table is the connector's least, native has no such."""
    table = busy(command.endpoint)
    shown = command.ok("plan", table)
    assert "Not recommended: it takes capacity that others need" in shown
    assert shown.count(f"dynoexport deploy {table}") == 1
    assert "deploy --auto takes native, python, direct: " in shown
    assert "warning: the connector needs at least 100 read units a second" in shown
    assert command.json("plan", table)[0]["harms"]
    done = command("deploy", table, "--auto", "--read-mode", "connector", "--yes")
    assert done.returncode == 2
    assert "but others leave 100; --read-mode native" in done.stderr
    command.ok("deploy", table, "--auto", "--yes")
    values = parameters(command, table)
    assert (values["ReadMode"], values["MaxConsumedReadThroughput"]) == ("native", "0.05")


def test_auto_reports_what_it_could_not_read(command: Command, table: str) -> None:
    done = command("deploy", table, "--auto", "--yes")
    assert "  not known: what others read of the table: CloudWatch has no figures" in done.stderr


def test_set_overrides_the_plan(command: Command, table: str) -> None:
    words = ("--set", "NumberOfWorkers=5", "--set", "TimeoutMinutes=77", "--read-mode", "native")
    done = command("deploy", table, "--auto", "--yes", *words)
    assert done.returncode == 0, done.stderr
    found = parameters(command, table)
    chosen = {"NumberOfWorkers": "5", "TimeoutMinutes": "77", "ReadMode": "native"}
    assert {name: found[name] for name in chosen} == chosen
    assert found["MaxConsumedReadThroughput"] == "0.25"
    assert "NumberOfWorkers=" not in done.stderr


def test_auto_follows_the_reader_that_the_stack_has(command: Command, table: str) -> None:
    command.ok("deploy", table, "--read-mode", "native", "--yes")
    command.ok("deploy", table, "--auto", "--yes")
    found = parameters(command, table)
    assert (found["ReadMode"], found["MaxConsumedReadThroughput"]) == ("native", "0.25")


def test_without_auto_nothing_is_chosen(command: Command, table: str) -> None:
    command.ok("deploy", table, "--yes")
    assert parameters(command, table)["NumberOfWorkers"] == "10"


def test_auto_refuses_runs_that_overlap(command: Command, table: str) -> None:
    often = ("--schedule", "cron(0/5 * * * ? *)", "--read-mode", "export")
    done = command("deploy", table, "--auto", *often, "--enable", "--yes")
    assert done.returncode == 2
    assert f"Error: {table}: runs overlap: a run takes " in done.stderr
    assert "dynoexport deploy" not in done.stdout
    assert command("status", table).returncode == 1


def test_deploy_and_run_keep_the_bounds_of_the_reader(command: Command, table: str) -> None:
    """Also where the stack has the percentage already, and only the reader changes."""
    low = ("--set", "MaxConsumedReadThroughput=0.05")
    line = f"Error: {table}: MaxConsumedReadThroughput is 0.05, but the connector reader needs"
    assert command("deploy", table, *low, "--yes").stderr.startswith(line)
    command.ok("deploy", table, "--read-mode", "native", *low, "--yes")
    assert command("deploy", table, "--read-mode", "connector", "--yes").stderr.startswith(line)
    lower = command("run", table, "--set", "MaxConsumedReadThroughput=0.0005")
    assert (lower.returncode, "from 0.001 to 1.5" in lower.stderr) == (2, True)
    command.ok(
        "deploy", table, "--read-mode", "connector", "--set", "MaxConsumedReadThroughput=1", "--yes"
    )
    refused = command("run", table, *low)
    assert refused.returncode == 2
    assert "the connector reader needs at least 0.1" in refused.stderr
    assert command.json("runs", table) == []

"""The acceptance run on the local endpoint, and what is left when it is killed: nothing."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import outcomes
import pytest
import started_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

HERE = Path(__file__).parent
# Lines of output after which the program is killed, and seconds more.
KILLS = [(line, random.Random(line).uniform(0, 8)) for line in range(9, 19)]
# The line that begins the import of what a deleted common stack keeps, which takes about a second.
IMPORT_LINE = "import what a deleted common stack keeps"
IMPORT_KILLS = [random.Random(number).uniform(0, 1) for number in range(6)]
CSV = ("run", "--yes", "--only", "csv")
EMAIL = ("--email", "owner@example.org")


@pytest.fixture(scope="module")
def empty() -> Iterator[Endpoint]:
    """An account in which there is nothing."""
    with started_endpoint.start() as endpoint:
        yield endpoint


def start(endpoint: Endpoint, *words: str) -> subprocess.Popen[str]:
    paths = [HERE.parent, *(HERE.parent / name for name in ("types", "engines"))]
    return subprocess.Popen(
        [sys.executable, str(HERE / "acceptance.py"), *words, "--endpoint-url", endpoint.url],
        env={**endpoint.env, "PYTHONPATH": ":".join(map(str, paths)), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def inventory(endpoint: Endpoint) -> dict[str, list[Any]]:
    """Everything in the account that a run can create, asked for by kind and not by name."""
    glue, logs = endpoint.client("glue"), endpoint.client("logs")
    streams = [
        (group["logGroupName"], stream["logStreamName"])
        for group in logs.describe_log_groups()["logGroups"]
        for stream in logs.describe_log_streams(logGroupName=group["logGroupName"])["logStreams"]
    ]
    found = {
        "stacks": endpoint.client("cloudformation").describe_stacks()["Stacks"],
        "tables": endpoint.client("dynamodb").list_tables()["TableNames"],
        "buckets": endpoint.client("s3").list_buckets()["Buckets"],
        "roles": endpoint.client("iam").list_roles()["Roles"],
        "databases": glue.get_databases()["DatabaseList"],
        "jobs": glue.list_jobs()["JobNames"],
        "crawlers": glue.list_crawlers()["CrawlerNames"],
        "triggers": glue.list_triggers()["TriggerNames"],
        "workflows": glue.list_workflows()["Workflows"],
        "topics": endpoint.client("sns").list_topics()["Topics"],
        "subscriptions": endpoint.client("sns").list_subscriptions()["Subscriptions"],
        "queues": endpoint.client("sqs").list_queues().get("QueueUrls", []),
        "rules": endpoint.client("events").list_rules()["Rules"],
        "alarms": endpoint.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "log streams": streams,
    }
    return {name: things for name, things in found.items() if things}


def test_every_step_passes_and_nothing_is_left(empty: Endpoint, tmp_path: Path) -> None:
    before = inventory(empty)
    with start(empty, *CSV, *EMAIL, "--reports", str(tmp_path)) as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output
    (report,) = tmp_path.iterdir()
    shown = report.read_text()
    assert "passed. By the plan" in shown
    assert "| failed |" not in shown
    assert "Nothing is left." in shown
    assert inventory(empty) == before


def test_a_declined_run_creates_nothing(empty: Endpoint) -> None:
    before = inventory(empty)
    with start(empty, "run") as process:
        output, _ = process.communicate("n\n")
    assert process.returncode == 130
    assert "Costs      at most" in output
    assert inventory(empty) == before


@pytest.mark.deep
@pytest.mark.parametrize(("lines", "seconds"), KILLS)
def test_a_killed_run_is_removed(empty: Endpoint, lines: int, seconds: float) -> None:
    """SIGKILL after so many lines of output and some seconds; clean removes all there is."""
    before = inventory(empty)
    with start(empty, *CSV, *EMAIL) as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        kill(process, seconds)
    clean(empty)
    assert inventory(empty) == before
    outcomes.record({"kills": {"acceptance run": 1}})


@pytest.mark.deep
@pytest.mark.parametrize("seconds", IMPORT_KILLS)
def test_a_run_that_is_killed_at_its_import_is_removed(empty: Endpoint, seconds: float) -> None:
    """There, bucket and database have no stack. With an email address, a run imports nothing."""
    before = inventory(empty)
    with start(empty, *CSV) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != IMPORT_LINE:
            assert process.poll() is None
        kill(process, seconds)
    clean(empty)
    assert inventory(empty) == before
    outcomes.record({"kills": {"acceptance run": 1}})


def kill(process: subprocess.Popen[str], seconds: float) -> None:
    assert process.stdout is not None
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.stdout.read()
    assert process.wait() == -signal.SIGKILL


def clean(endpoint: Endpoint) -> None:
    with start(endpoint, "clean", "--yes") as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output

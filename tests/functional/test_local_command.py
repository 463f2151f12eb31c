"""``dynoexport local`` as a process, as a user starts it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import started_endpoint
import waiting
from waiting_lines import without_waiting

import dynoexport
from dynoexport.local import context

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.endpoint

DYNOEXPORT = str(Path(sys.executable).with_name("dynoexport"))


def started_below(directory: Path) -> set[int]:
    """Processes that have the directory in their environment, as all have that a job starts.

    A job works in a temporary directory, which these tests put below their own.
    """
    numbers = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{directory}/".encode() in (process / "environ").read_bytes():
                numbers.add(int(process.name))
        except OSError:
            continue
    return numbers


@contextlib.contextmanager
def serving(**environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """An endpoint of its own on a free port, and its address."""
    process = subprocess.Popen(
        [DYNOEXPORT, "local", "start", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert match is not None, line
    try:
        yield process, match[0]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def served() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """An endpoint of its own on a free port."""
    with serving() as started:
        yield started


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_endpoint_serves_until_a_signal_stops_it(
    served: tuple[subprocess.Popen[str], str], sent: signal.Signals
) -> None:
    """It answers any AWS client, and a signal ends it without a traceback."""
    process, url = served
    assert context.connect(url).client("s3").list_buckets()["Buckets"] == []
    process.send_signal(sent)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    # It ended by itself.
    assert process.returncode >= 0


def signal_thread(process: subprocess.Popen[str], sent: signal.Signals) -> None:
    """Hand the signal to another thread than the main one, as the system does now and then."""
    threads = sorted(int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir())
    number = {"x86_64": 234, "aarch64": 131}[platform.machine()]
    tgkill = partial(ctypes.CDLL(None).syscall, number, process.pid)
    others = (thread for thread in threads if thread != process.pid)
    # A thread that served a request may have ended since.
    if all(tgkill(other, int(sent)) for other in others):
        pytest.fail("tgkill(2) failed")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems choose the thread themselves")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_endpoint_stops_whichever_thread_gets_the_signal(
    served: tuple[subprocess.Popen[str], str], sent: signal.Signals
) -> None:
    process, url = served
    context.connect(url).client("s3").list_buckets()
    signal_thread(process, sent)
    _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors
    # It ended by itself.
    assert process.returncode >= 0


def accelerating(directory: Path) -> Path:
    """Settings of a user whose requests would go to AWS whatever the endpoint is."""
    config = directory / "config"
    config.write_text("[default]\ns3 =\n    use_accelerate_endpoint = true\n")
    return config


def test_env_lets_another_shell_use_the_endpoint(
    served: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    """A shell that evaluates it sends every AWS client to the endpoint, with its credentials."""
    url = served[1]
    aws = Path(sys.executable).with_name("aws")
    port = url.rpartition(":")[2]
    shell = f'eval "$({DYNOEXPORT} local env --port {port})" && {aws} s3 mb s3://own && env'
    # Of a shell that is signed in to AWS, behind a proxy.
    before = {
        **os.environ,
        "AWS_CONFIG_FILE": str(accelerating(tmp_path)),
        "AWS_PROFILE": "prod",
        "AWS_DEFAULT_PROFILE": "prod",
        "AWS_SESSION_TOKEN": "of a session",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "intranet",
    }
    printed = subprocess.run(
        ["bash", "-c", shell], env=before, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert f"AWS_ENDPOINT_URL={url}" in printed
    assert "AWS_REGION=us-east-1" in printed
    assert "NO_PROXY=intranet,127.0.0.1" in printed
    assert [
        bucket["Name"] for bucket in context.connect(url).client("s3").list_buckets()["Buckets"]
    ] == ["own"]


def test_env_names_the_dynamodb_that_the_endpoint_reads(served: tuple[Any, str]) -> None:
    """A DynamoDB of the user's own, here the one of another endpoint with the same credentials."""
    with started_endpoint.start("--dynamodb-endpoint-url", served[1]) as reading:
        port = reading.url.rpartition(":")[2]
        printed = subprocess.run(
            [DYNOEXPORT, "local", "env", "--port", port], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    assert f"export AWS_ENDPOINT_URL_DYNAMODB={served[1]}" in printed


def test_endpoint_knows_nothing_of_the_shell(tmp_path: Path) -> None:
    """Its own clients read neither a profile nor a setting of the user's, and use no proxy."""
    misleading = {
        "AWS_CONFIG_FILE": str(accelerating(tmp_path)),
        "AWS_PROFILE": "prod",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [DYNOEXPORT, "local", "demo", "--engine", "python"],
        env={**os.environ, **misleading},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Tristan" in done.stdout


def test_env_of_a_port_without_endpoint_is_one_line() -> None:
    """Nothing to evaluate, and what to do."""
    done = subprocess.run(
        [DYNOEXPORT, "local", "env", "--port", "4711"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert without_waiting(done.stderr).splitlines()[0] == "Error: no endpoint runs on port 4711"
    assert "Traceback" not in done.stderr


def test_taken_port_is_reported_in_one_line(served: tuple[subprocess.Popen[str], str]) -> None:
    """No traceback, exit status 1, and what to do."""
    port = served[1].rpartition(":")[2]
    second = subprocess.run(
        [DYNOEXPORT, "local", "start", "--port", port],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert second.returncode == 1
    assert without_waiting(second.stderr).splitlines()[0] == f"Error: port {port} is in use"


def test_a_directory_without_s3a_is_refused_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [DYNOEXPORT, "local", "start", "--port", "0", "--s3a-jars", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        without_waiting(done.stderr).splitlines()[0] == f"Error: {tmp_path} has no hadoop-aws-*.jar"
    )
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_items_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The line is named, nothing is served."""
    items = tmp_path / "orders.jsonl"
    items.write_text('{"id": "a"}\nnonsense\n')
    done = subprocess.run(
        [DYNOEXPORT, "local", "demo", "--items", str(items), "--key", "id"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert without_waiting(done.stderr).startswith("Error: line 2 is not JSON")
    assert done.stdout == ""


@pytest.mark.spark
def test_the_demo_shows_a_table_of_ones_own_and_leaves_nothing_running(tmp_path: Path) -> None:
    """DynamoDB JSON and plain JSON, plain lines when piped, rows by the view."""
    items = tmp_path / "my orders.jsonl"
    items.write_text(
        '{"Customer": "Ada", "Order": 7, "Lines": [{"sku": "a,b", "n": 2}]}\n'
        '{"Customer": {"S": "Bob"}, "Order": {"N": "8"}}\n'
    )
    command = [DYNOEXPORT, "local", "demo", "--format", "csv"]
    done = subprocess.run(
        [*command, "--items", str(items), "--key", "Customer:Order"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "job my-ordersExportTocsv SUCCEEDED" in done.stdout
    assert "\x1b" not in done.stdout
    header, rows = _table(done.stdout)
    assert [row[header.index("customer")] for row in rows] == ["Ada", "Bob"]
    assert rows[0][header.index("order")] == "7"
    assert "a,b" in rows[0][header.index("lines")]
    assert started_below(tmp_path) == set()


def _table(printed: str) -> tuple[list[str], list[list[str]]]:
    lines = printed.splitlines()
    rule = next(number for number, line in enumerate(lines) if line.startswith("──"))
    cells = [re.split(r" {2,}", line.strip()) for line in lines[rule - 1 :]]
    return cells[0], sorted(row for row in cells[2:4])


@pytest.mark.spark
def test_ctrl_c_stops_the_demo_and_all_it_started(tmp_path: Path) -> None:
    """Interrupted while Spark runs: exit status 130, no traceback, no process left."""
    demo = subprocess.Popen(
        [DYNOEXPORT, "local", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)},
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "RUNNING" in line:
            break
    # The job is a process of its own now; Spark's Java comes up within it.
    while not started_below(tmp_path):
        time.sleep(0.1)
    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "Traceback" not in errors
    assert started_below(tmp_path) == set()


def signal_demo(directory: Path, sent: signal.Signals, seconds: float) -> tuple[int, str]:
    """Exit status and errors of a demo that gets the signal after so many seconds."""
    demo = subprocess.Popen(
        [DYNOEXPORT, "local", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(directory)},
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        demo.wait(seconds)
    demo.send_signal(sent)
    _, errors = demo.communicate(timeout=120)
    return demo.returncode, errors


PACKAGE = str(Path(dynoexport.__file__).parent)


def random_moments(number: int) -> list[float]:
    """Seconds until a signal is sent: a demo starts, runs its jobs and ends in about as many."""
    return [round(random.uniform(0, 12), 2) for _ in range(number)]


@pytest.mark.spark
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("number", [1, pytest.param(20, marks=pytest.mark.deep)])
def test_signal_leaves_nothing_of_the_demo(
    tmp_path: Path, sent: signal.Signals, number: int
) -> None:
    """No process, no directory, no traceback, whenever it comes."""
    for seconds in random_moments(number):
        code, errors = signal_demo(tmp_path, sent, seconds)
        ending = (sent.name, seconds, code, errors)
        # Python itself starts with a traceback if it is interrupted before our code runs.
        starting = seconds < 2 and PACKAGE not in errors
        assert starting or "Traceback" not in errors, ending
        if sent is signal.SIGKILL:
            # Nobody is left to wait for them: they notice.
            waiting.until(lambda: not started_below(tmp_path))
            subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "from dynoexport.local.glue import processes; processes.begin()",
                ],
                env={**os.environ, "TMPDIR": str(tmp_path)},
                check=True,
            )
        assert started_below(tmp_path) == set(), ending
        assert list(tmp_path.glob("dynoexport-job-*")) == [], ending


def start_sleeping_job(url: str) -> None:
    """Start a job that never ends, and wait until its script runs."""
    client = context.connect(url).client
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "glue.amazonaws.com"},
    }
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    documents = [
        json.dumps({"Version": "2012-10-17", "Statement": [one]}) for one in (trust, allowed)
    ]
    client("iam").create_role(RoleName="sleeper", AssumeRolePolicyDocument=documents[0])
    client("iam").put_role_policy(RoleName="sleeper", PolicyName="all", PolicyDocument=documents[1])
    client("s3").create_bucket(Bucket="sleeping")
    # It starts a process of its own, and ignores what it can.
    script = """
import signal, subprocess, sys, time
import boto3
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
boto3.client("s3").put_object(Bucket="sleeping", Key="asleep")
time.sleep(600)
"""
    client("s3").put_object(Bucket="sleeping", Key="sleep.py", Body=script.encode())
    command = {"Name": "pythonshell", "ScriptLocation": "s3://sleeping/sleep.py"}
    client("glue").create_job(Name="sleep", Role="sleeper", Command=command)
    client("glue").start_job_run(JobName="sleep")
    waiting.until(
        lambda: client("s3").list_objects_v2(Bucket="sleeping", Prefix="asleep")["KeyCount"]
    )


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_signal_leaves_nothing_of_a_running_job(tmp_path: Path, sent: signal.Signals) -> None:
    """No process, no directory, no traceback."""
    with serving(TMPDIR=str(tmp_path)) as (process, url):
        start_sleeping_job(url)
        assert len(started_below(tmp_path)) >= 2
        process.send_signal(sent)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    if sent is signal.SIGKILL:
        # Nobody is left to wait for them: they notice.
        waiting.until(lambda: not started_below(tmp_path), seconds=60)
    assert started_below(tmp_path) == set()
    assert list(tmp_path.glob("dynoexport-job-*")) == []

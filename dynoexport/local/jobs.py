"""Job runs: the deployed script in a process of its own, with its role's credentials."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from dynoexport.local import identities, java
from dynoexport.local.identities import RoleRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dynoexport.local.context import Endpoint

RUNTIME = Path(__file__).parent / "runtime"

# https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging-enable.html
_LOG_GROUPS = {"glueetl": "/aws-glue/jobs", "pythonshell": "/aws-glue/python-jobs"}
# PutLogEvents takes 10,000 events and 1 MiB a call.
_LOG_BATCH = 1000


@dataclass
class JobRun:
    """One attempt of one run of a job."""

    run_id: str
    job_name: str
    definition: dict[str, Any]
    arguments: dict[str, str]
    attempt: int = 0
    previous_run_id: str | None = None
    trigger_name: str | None = None
    state: str = "STARTING"
    error: str = ""
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    completed: datetime | None = None
    process: subprocess.Popen[str] | None = None
    stopping: bool = False

    @property
    def kind(self) -> str:
        return str(self.definition["Command"]["Name"])

    @property
    def log_group(self) -> str:
        return _LOG_GROUPS[self.kind]

    @property
    def seconds(self) -> int:
        end = self.completed or datetime.now(timezone.utc)
        return round((end - self.started).total_seconds())

    def as_dict(self) -> dict[str, Any]:
        """The run as GetJobRun answers it."""
        found: dict[str, Any] = {
            "Id": self.run_id,
            "Attempt": self.attempt,
            "JobName": self.job_name,
            "TriggerName": self.trigger_name,
            "PreviousRunId": self.previous_run_id,
            "StartedOn": self.started,
            "LastModifiedOn": self.completed or self.started,
            "CompletedOn": self.completed,
            "JobRunState": self.state,
            "Arguments": self.arguments,
            "ErrorMessage": self.error or None,
            "ExecutionTime": self.seconds,
            "Timeout": int(self.definition.get("Timeout", 2880)),
            "LogGroupName": self.log_group,
            "PredecessorRuns": [],
        }
        for key in ("WorkerType", "NumberOfWorkers", "MaxCapacity", "GlueVersion"):
            found[key] = self.definition.get(key)
        return {key: value for key, value in found.items() if value is not None}


def execute(endpoint: Endpoint, run: JobRun) -> None:
    """Run the script to its end; the outcome is the run's ``state`` and ``error``."""
    run.state = "RUNNING"
    with tempfile.TemporaryDirectory(prefix="dynoexport-job-") as directory:
        try:
            command, env = _prepare(endpoint, run, Path(directory))
        except RoleRefused as error:
            _finish(run, "FAILED", f"LAUNCH ERROR | {error.what}")
            return
        except (BotoCoreError, ClientError, KeyError) as error:
            _finish(run, "FAILED", f"LAUNCH ERROR | {error}")
            return
        _supervise(endpoint, run, command, env, directory)


def role_arn(endpoint: Endpoint, role: str) -> str:
    """The ARN of a role that a job or a crawler names; both may do it by its name alone."""
    return role if role.startswith("arn:") else f"arn:aws:iam::{endpoint.account}:role/{role}"


def assume(endpoint: Endpoint, role: str, session: str, *, source: str) -> dict[str, str]:
    """The credentials with which Glue acts for a job or a crawler, ``source``.

    Raises:
        RoleRefused: the role does not trust Glue in this account.
    """
    here = f"arn:aws:glue:{endpoint.region}:{endpoint.account}"
    return identities.assume_for_service(
        endpoint,
        role_arn(endpoint, role),
        session,
        service="glue.amazonaws.com",
        source=f"{here}:{source}",
    )


def _prepare(endpoint: Endpoint, run: JobRun, directory: Path) -> tuple[list[str], dict[str, str]]:
    credentials = assume(
        endpoint, run.definition["Role"], "GlueJobRunnerSession", source=f"job/{run.job_name}"
    )
    location = urlsplit(run.definition["Command"]["ScriptLocation"])
    script = directory / Path(location.path).name
    endpoint.client("s3", credentials).download_file(
        location.netloc, location.path.lstrip("/"), str(script)
    )
    buckets = endpoint.client("s3").list_buckets()["Buckets"]
    env = {
        **endpoint.env,
        **credentials,
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "PYTHONPATH": str(RUNTIME),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "DYNOEXPORT_BUCKETS": ",".join(bucket["Name"] for bucket in buckets),
    }
    if run.kind == "glueetl":
        env |= java.environment(directory)
    words = [word for key, value in run.arguments.items() for word in (key, value)]
    launch = str(RUNTIME / "launch.py")
    return [sys.executable, launch, run.kind, str(script), *words], env


def _supervise(
    endpoint: Endpoint, run: JobRun, command: list[str], env: dict[str, str], directory: str
) -> None:
    run.process = subprocess.Popen(
        command,
        env=env,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # A group of its own: Spark's JVM and Python workers go with it.
        start_new_session=True,
    )
    if run.stopping:
        # It was stopped while there was no process yet to be killed.
        kill(run)
    output, errors = (
        Log(endpoint, f"{run.log_group}/{channel}", run.run_id, env)
        for channel in ("output", "error")
    )
    readers = [
        threading.Thread(target=output.follow, args=(run.process.stdout,), daemon=True),
        threading.Thread(target=errors.follow, args=(run.process.stderr,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        code = run.process.wait(timeout=float(run.definition.get("Timeout", 2880)) * 60)
    except subprocess.TimeoutExpired:
        kill(run)
        run.process.wait()
        _finish(run, "TIMEOUT", "Job run timed out")
        return
    finally:
        for reader in readers:
            reader.join(timeout=10)
        output.flush()
        errors.flush()
    if run.stopping:
        _finish(run, "STOPPED", "")
    elif code == 0:
        _finish(run, "SUCCEEDED", "")
    else:
        _finish(run, "FAILED", error_message(errors.lines, code))


def _finish(run: JobRun, state: str, error: str) -> None:
    run.error = error
    run.completed = datetime.now(timezone.utc)
    run.state = state


def refuse(run: JobRun, reason: str) -> None:
    """End a run that cannot be launched."""
    _finish(run, "FAILED", f"LAUNCH ERROR | {reason}")


def kill(run: JobRun) -> None:
    """End the process and all that it started."""
    import signal

    if run.process is not None and run.process.poll() is None:
        os.killpg(run.process.pid, signal.SIGKILL)


def error_message(lines: Iterable[str], code: int) -> str:
    """What Glue shows of a script that failed: its exception's last line.

    Of a script that left by ``sys.exit`` it knows the code only:
    https://github.com/awslabs/aws-glue-libs/issues/221
    """
    for line in reversed(list(lines)):
        match = re.match(
            r"(?:[\w.]*\.)?(\w*(?:Error|Exception|Failed|Exit|Interrupt)\w*)(: .*)?$", line
        )
        if match:
            return f"{match[1]}{match[2] or ''}"
    return f"Command failed with exit code {code}"


class Log:
    """One stream of CloudWatch Logs, written as the job prints, with its role's credentials.

    A role that may not write logs has none, and runs.
    """

    def __init__(
        self, endpoint: Endpoint, group: str, stream: str, credentials: Mapping[str, str]
    ) -> None:
        self._client = endpoint.client("logs", credentials)
        self._group = group
        self._stream = stream
        self._pending: list[dict[str, Any]] = []
        self._denied = False
        self.lines: list[str] = []
        self._lock = threading.Lock()
        self._create(self._client.create_log_group)
        self._create(self._client.create_log_stream, logStreamName=stream)

    def _create(self, create: Callable[..., object], **options: str) -> None:
        try:
            create(logGroupName=self._group, **options)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code != "ResourceAlreadyExistsException":
                self._denied = True

    def follow(self, pipe: TextIO) -> None:
        """Take every line until the other side closes the pipe, then close this side."""
        with pipe:
            for line in pipe:
                self.write(line.rstrip("\n"))

    def write(self, text: str) -> None:
        """Add one line."""
        self.lines.append(text)
        with self._lock:
            self._pending.append({"timestamp": int(time.time() * 1000), "message": text or " "})
        self.flush()

    def flush(self) -> None:
        with self._lock:
            while self._pending:
                batch, self._pending = self._pending[:_LOG_BATCH], self._pending[_LOG_BATCH:]
                if self._denied:
                    continue
                try:
                    self._client.put_log_events(
                        logGroupName=self._group, logStreamName=self._stream, logEvents=batch
                    )
                except ClientError:
                    self._denied = True

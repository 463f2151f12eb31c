"""Job runs: the deployed script in a process of its own, with its role's credentials."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from dynoexport import limits
from dynoexport.errors import DynoexportError
from dynoexport.local import context
from dynoexport.local.glue import late_imports, processes
from dynoexport.local.glue.queue import queue
from dynoexport.local.iam import identities
from dynoexport.local.runtime import used_java

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dynoexport.local.context import Endpoint
    from dynoexport.local.glue.processes import JobProcess

# https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging-enable.html
_LOG_GROUPS = {"glueetl": "/aws-glue/jobs", "pythonshell": "/aws-glue/python-jobs"}
# PutLogEvents takes 10,000 events and 1 MiB a call.
_LOG_BATCH = 1000
# How often what Java has written becomes part of its job's log.
_COPY_SECONDS = 0.2
# What a run copies from its job.
_FROM_THE_JOB = ("WorkerType", "NumberOfWorkers", "GlueVersion", "ExecutionClass")
# "The default is 10 DPUs": https://docs.aws.amazon.com/glue/latest/webapi/API_Job.html
_SPARK_DPU = 10.0


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
    # When it got its process.
    began: datetime | None = None
    completed: datetime | None = None
    process: JobProcess | None = None
    stopping: bool = False

    def stop(self) -> None:
        """End the run's process, or prevent it from starting."""
        self.stopping = True
        if self.process is not None:
            self.process.stop()

    @property
    def kind(self) -> str:
        return str(self.definition["Command"]["Name"])

    @property
    def log_group(self) -> str:
        return _LOG_GROUPS[self.kind]

    @property
    def seconds(self) -> int:
        """The time for which it used its process."""
        if self.began is None:
            return 0
        end = self.completed or datetime.now(timezone.utc)
        return round((end - self.began).total_seconds())

    def as_dict(self) -> dict[str, Any]:
        """The run as GetJobRun answers it."""
        answer: dict[str, Any] = {
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
            "MaxCapacity": capacity(self.definition),
            "AllocatedCapacity": int(capacity(self.definition)),
            "LogGroupName": self.log_group,
            "PredecessorRuns": [],
        }
        for key in _FROM_THE_JOB:
            answer[key] = self.definition.get(key)
        return {key: value for key, value in answer.items() if value is not None}


def capacity(definition: Mapping[str, Any]) -> float:
    """The DPUs of a job: what it states, that of its workers, or the default of its kind.

    GetJob answers 10.0 for ten workers of type G.1X:
    https://docs.aws.amazon.com/cli/latest/reference/glue/get-job-run.html#examples
    """
    stated = float(definition.get("MaxCapacity") or definition.get("AllocatedCapacity") or 0)
    if stated:
        return stated
    worker_type, workers = definition.get("WorkerType"), definition.get("NumberOfWorkers")
    if worker_type and workers:
        # Types that dynoexport does not use are taken for the smallest one.
        return float(limits.GLUE_WORKER_DPU.get(worker_type, 1) * int(workers))
    is_shell = definition["Command"]["Name"] == processes.PYTHON_SHELL
    return limits.GLUE_SHELL_DPU if is_shell else _SPARK_DPU


def execute(endpoint: Endpoint, run: JobRun) -> None:
    """Run the script to its end; the outcome is the run's ``state`` and ``error``.

    It waits until the machine has room for its process.
    """
    with queue.place(run) as has_place:
        if not has_place:
            _finish(run, "STOPPED", "")
            return
        run.state, run.began = "RUNNING", datetime.now(timezone.utc)
        try:
            _run(endpoint, run)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the run has ended
            if run.completed is None:
                refuse(run, one_line(error))


def _run(endpoint: Endpoint, run: JobRun) -> None:
    process = run.process = processes.reserve.take(run.kind)
    try:
        script, environment = _prepare(endpoint, run, process.directory)
        # If it has ended already, its exit code is the result.
        with suppress(BrokenPipeError):
            process.order(script, _words(run), environment)
        context.in_background(late_imports.run)
        _supervise(endpoint, run, process, environment)
        if run.state == "SUCCEEDED":
            process.share_classes()
    finally:
        processes.reserve.give_back(process)


def one_line(error: Exception) -> str:
    """The reason of an error, which may quote several lines, such as the page of a proxy."""
    return error.what if isinstance(error, DynoexportError) else " ".join(str(error).split())


def role_arn(endpoint: Endpoint, role: str) -> str:
    """The ARN of the role of a job or a crawler; both may give its name alone."""
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


def _prepare(endpoint: Endpoint, run: JobRun, directory: Path) -> tuple[Path, dict[str, str]]:
    """The script, and the environment that lets it act as the job's role."""
    credentials = assume(
        endpoint, run.definition["Role"], "GlueJobRunnerSession", source=f"job/{run.job_name}"
    )
    location = urlsplit(run.definition["Command"]["ScriptLocation"])
    script = directory / Path(location.path).name
    endpoint.client("s3", credentials).download_file(
        location.netloc, location.path.lstrip("/"), str(script)
    )
    buckets = endpoint.client("s3").list_buckets()["Buckets"]
    return script, {
        **endpoint.env,
        **credentials,
        "DYNOEXPORT_BUCKETS": ",".join(bucket["Name"] for bucket in buckets),
    }


def _words(run: JobRun) -> list[str]:
    return [word for key, value in run.arguments.items() for word in (key, value)]


def _supervise(
    endpoint: Endpoint, run: JobRun, job: JobProcess, environment: Mapping[str, str]
) -> None:
    if run.stopping:
        # It was stopped before it had a process.
        job.stop()
    process = job.process
    output, errors = (
        Log(endpoint, f"{run.log_group}/{channel}", run.run_id, environment)
        for channel in ("output", "error")
    )
    readers = [
        threading.Thread(target=output.follow, args=(process.stdout,), daemon=True),
        threading.Thread(target=errors.follow, args=(process.stderr,), daemon=True),
    ]
    ended = threading.Event()
    if job.jvm is not None:
        for log, name in ((output, used_java.OUTPUT), (errors, used_java.ERRORS)):
            file = job.jvm.directory / name
            readers.append(threading.Thread(target=log.copy, args=(file, ended), daemon=True))
    for reader in readers:
        reader.start()
    too_long = threading.Event()

    def time_out() -> None:
        too_long.set()
        job.stop()

    # Popen's own timeout looks for the end of the process in steps of a twentieth of a second.
    timer = threading.Timer(float(run.definition.get("Timeout", 2880)) * 60, time_out)
    timer.daemon = True
    timer.start()
    try:
        code = process.wait()
    finally:
        timer.cancel()
        # What it has started goes with it.
        job.kill()
        ended.set()
        for reader in readers:
            reader.join(timeout=10)
        output.flush()
        errors.flush()
    if too_long.is_set():
        _finish(run, "TIMEOUT", "Job run timed out")
    elif run.stopping:
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


def error_message(lines: Iterable[str], code: int) -> str:
    """The error message that Glue shows for a failed script: its exception's last line.

    For a script that called ``sys.exit`` it has the exit code only:
    https://github.com/awslabs/aws-glue-libs/issues/221
    """
    # boto3 makes exceptions of the services' own codes, which need not end in Error: AccessDenied.
    names = r"\w*(?:Error|Exception|Failed|Exit|Interrupt)\w*|(?<=botocore\.errorfactory\.)\w+"
    for line in reversed(list(lines)):
        match = re.match(rf"(?:[\w.]*\.)?({names})(: .*)?$", line)
        if match:
            return f"{match[1]}{match[2] or ''}"
    return f"Command failed with exit code {code}"


class Log:
    """One stream of CloudWatch Logs, written as the job prints, with its role's credentials.

    Without permission to write logs the job still runs.
    """

    def __init__(
        self, endpoint: Endpoint, group: str, stream: str, credentials: Mapping[str, str]
    ) -> None:
        self._client = endpoint.client("logs", credentials)
        self._group = group
        self._stream = stream
        self._pending: list[dict[str, Any]] = []
        self._denied = False
        # What the script has written.
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
        """Write every line until the other side closes the pipe, then close this side."""
        with pipe:
            for line in pipe:
                self.lines.append(line.rstrip("\n"))
                self.write(self.lines[-1])

    def copy(self, file: Path, ended: threading.Event) -> None:
        """Write every line of a file that grows until the event."""
        rest = ""
        with file.open(errors="replace") as growing:
            while not ended.wait(_COPY_SECONDS):
                *lines, rest = f"{rest}{growing.read()}".split("\n")
                for line in lines:
                    self.write(line)
            for line in f"{rest}{growing.read()}".splitlines():
                self.write(line)

    def write(self, text: str) -> None:
        """Add one line."""
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

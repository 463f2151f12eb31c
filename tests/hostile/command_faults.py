"""Each AWS call of each command fails once in each way; then the command is tried again.

    python tests/hostile/command_faults.py [SHARE [WAY ...]]

SHARE is the part of the faults that is tried, drawn from a seed; 0 only lists the calls. A WAY is
a key of WAYS, such as "deploy again".

Runs an endpoint in this process and calls the command as its users do, by its words. A line of
JSON for each way's calls and for each trial goes to standard output.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import random
import re
import sys
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.loaders
import botocore.session
import pytest
import urllib3
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from click.testing import CliRunner

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "functional")]
import command as functional

from dynoexport import naming
from dynoexport import settings as names
from dynoexport.cli import main
from dynoexport.local import cbor, server
from dynoexport.local.glue import jobs, processes
from dynoexport.settings import DEFAULT_COMMON_STACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dynoexport.local.context import Endpoint

# Codes as JSON services, others and S3 write them, and the status.
SERVICE_FAULTS = {
    "throttled": ("ThrottlingException", "Throttling", "SlowDown", 400),
    "denied": ("AccessDeniedException", "AccessDenied", "AccessDenied", 403),
    "server error": ("InternalServerError", "InternalFailure", "InternalError", 500),
    "expired": ("ExpiredTokenException", "ExpiredToken", "ExpiredToken", 400),
}
# "answer lost": AWS does what is asked, and the answer does not arrive in time.
# "connection closed": before the call is sent, or in the middle of an object.
# "no answer": a success with a text that no service sends.
FAULTS = (*SERVICE_FAULTS, "answer lost", "connection closed", "no answer")
# A call that is repeated fails in these ways in its last place, too.
LATE_FAULTS = ("throttled", "answer lost")
SNAPSHOTS = ("2026-01-01T10:00", "2026-01-02T10:00")
_SENT = "this call was made to fail"


@dataclass(frozen=True)
class Trial:
    """A command, its call that failed, and what it did.

    Attributes:
        way: the words after which it was called, a key of WAYS.
        status: exit status of the try with the fault.
        lines: what it printed to standard error.
        result: the first line of its result, or its error.
        left: change sets and empty stacks that it left.
        again: exit status of the second try.
        said_again: the first line of its result, or its error.
    """

    way: str
    call: str
    fault: str
    status: int
    lines: tuple[str, ...]
    result: str
    left: tuple[str, ...]
    again: int
    said_again: str


# --- faults ---------------------------------------------------------------------------------------
class Raw(io.BytesIO):
    """The body of an answer, as urllib3 gives it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


class Cut(Raw):
    """A body whose connection closes in the middle."""

    def read(self, *_: object, **__: object) -> bytes:
        raise urllib3.exceptions.ProtocolError("Connection broken: InvalidChunkLength")


class Injector:
    """Lets one call of the command fail, or only writes down which calls there are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin()

    def begin(self, call: str = "", number: int = 0, fault: str = "") -> None:
        """Start a command whose ``number``-th call of that name fails."""
        self.calls: Counter[str] = Counter()
        self._call, self._number, self._fault = call, number, fault
        self.hit = False

    def before_send(self, client: Any, request: Any, event_name: str) -> AWSResponse | None:
        name = ".".join(event_name.split(".")[1:])
        with self._lock:
            self.calls[name] += 1
            if (name, self.calls[name]) != (self._call, self._number):
                return None
            self.hit = True
        return self._fail(client, name.rpartition(".")[2], request)

    def _fail(self, client: Any, operation: str, request: Any) -> AWSResponse:
        service = client.meta.service_model
        if self._fault == "answer lost":
            URLLib3Session().send(request)
            raise ReadTimeoutError(endpoint_url=request.url)
        if self._fault == "connection closed":
            if not service.operation_model(operation).has_streaming_output:
                raise ConnectionClosedError(endpoint_url=request.url)
            sent = URLLib3Session().send(request)
            return AWSResponse(request.url, sent.status_code, sent.headers, Cut())  # type: ignore[arg-type]
        if self._fault == "no answer":
            headers, body, status = {"Content-Type": "text/plain"}, b"OK", 200
        else:
            headers, body, status = answer(service.resolved_protocol, *SERVICE_FAULTS[self._fault])
        return AWSResponse(request.url, status, HeadersDict(headers), Raw(body))  # type: ignore[arg-type]


def answer(
    protocol: str, of_json: str, of_query: str, of_s3: str, status: int
) -> tuple[dict[str, str], bytes, int]:
    """Headers, body and status with which a service of that protocol refuses a call."""
    if protocol == "rest-xml":
        body = f"<Error><Code>{of_s3}</Code><Message>{_SENT}</Message></Error>".encode()
        return {"Content-Type": "application/xml"}, body, 503 if of_s3 == "SlowDown" else status
    if protocol == "smithy-rpc-v2-cbor":
        refusal = cbor.refusal(of_json, _SENT, status)
        return dict(refusal.headers), refusal.get_data(), status
    if protocol == "query":
        error = f"<Error><Code>{of_query}</Code><Message>{_SENT}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>".encode()
        return {"Content-Type": "text/xml"}, body, status
    body = json.dumps({"__type": of_json, "message": _SENT}).encode()
    return {"Content-Type": "application/x-amz-json-1.1"}, body, status


class Jobs:
    """Jobs without processes: they succeed at once, or wait until they are stopped."""

    def __init__(self) -> None:
        self.wait = False

    def execute(self, _: Endpoint, run: jobs.JobRun) -> None:
        run.state = "RUNNING"
        while self.wait and not run.stopping:
            threading.Event().wait(0.02)
        run.completed = datetime.now(timezone.utc)
        run.state = "STOPPED" if run.stopping else "SUCCEEDED"


@contextmanager
def hooked(injector: Injector, stand_in: Jobs) -> Iterator[None]:
    """Every client of the command, and no other one, asks the injector before it sends."""
    create = botocore.session.Session.create_client

    @functools.wraps(create)
    def create_client(session: Any, *args: Any, **options: Any) -> Any:
        client = create(session, *args, **options)
        if "dynoexport/" in (getattr(options.get("config"), "user_agent_extra", None) or ""):
            client.meta.events.register_first(
                "before-send", functools.partial(_ask, injector, client)
            )
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session.Session, "create_client", create_client)
        # Each command has a session of its own, which would read the services' models again.
        loader = functools.cache(botocore.loaders.create_loader)
        patch.setattr(botocore.session, "create_loader", loader)
        patch.setattr(processes.reserve, "fill", lambda: None)
        patch.setattr(jobs, "execute", stand_in.execute)
        yield


def _ask(injector: Injector, client: Any, request: Any, event_name: str, **_: Any) -> Any:
    return injector.before_send(client, request, event_name)


# --- what is there before each trial --------------------------------------------------------------
class Stage:
    """An account with the common stack, and as many exports as are asked for."""

    def __init__(self, endpoint: Endpoint, injector: Injector, stand_in: Jobs) -> None:
        self.endpoint, self.injector, self.jobs = endpoint, injector, stand_in
        self._numbers = itertools.count()
        self.env = {
            **endpoint.env,
            "AWS_MAX_ATTEMPTS": "1",
            "PATH": os.environ["PATH"],
            "COLUMNS": "1000",
        }

    def run(self, *words: str) -> Any:
        return CliRunner().invoke(main, list(words), env=self.env)

    def ok(self, *words: str) -> None:
        done = self.run(*words)
        assert done.exit_code == 0, (words, done.output)

    # --- the states in which commands begin -------------------------------------------------------
    def bare(self) -> str:
        """No common stack, and nothing that one leaves."""
        cloudformation, s3 = self.endpoint.client("cloudformation"), self.endpoint.client("s3")
        bucket = functional.exports_bucket(self.endpoint)
        with suppress(ClientError):
            for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
                s3.delete_object(Bucket=bucket, Key=entry["Key"])
        cloudformation.delete_stack(StackName=DEFAULT_COMMON_STACK)
        with suppress(ClientError):
            s3.delete_bucket(Bucket=bucket)
        with suppress(ClientError):
            self.endpoint.client("glue").delete_database(Name=naming.DATABASE)
        return ""

    def initialized(self) -> str:
        """The common stack, with a topic, so that exports have alarms."""
        self.jobs.wait = False
        if not self._has_common_stack():
            self.ok("init", "--set", "NotificationEmail=a@example.com", "--yes")
        return ""

    def _has_common_stack(self) -> bool:
        try:
            self.endpoint.client("cloudformation").describe_stacks(StackName=DEFAULT_COMMON_STACK)
        except ClientError:
            return False
        return True

    def table(self) -> str:
        """A new table."""
        self.initialized()
        name = f"Faults{next(self._numbers)}"
        functional.create_table(self.endpoint, name)
        return name

    def exported(self) -> str:
        """A new export without a run."""
        name = self.table()
        self.ok("deploy", name, "--format", "json", "--yes")
        return name

    def with_snapshots(self) -> str:
        """A new export with two snapshots. The view shows the newer one."""
        name = self.exported()
        for snapshot in SNAPSHOTS:
            self._put_snapshot(name, snapshot)
        functional.crawl(self.endpoint, name)
        self.ok("publish", name, SNAPSHOTS[-1])
        return name

    def _put_snapshot(self, name: str, snapshot: str) -> None:
        schema = [{"name": "id", "type": "string", "attribute": "id", "view": "id", "shown": True}]
        functional.put_snapshot(self.endpoint, name, snapshot, [{"id": "1"}], schema=schema)

    def destroyable(self) -> str:
        """A new export with a snapshot, its catalog table and its view."""
        name = self.exported()
        self._put_snapshot(name, SNAPSHOTS[0])
        bucket, prefix = functional.exports_bucket(self.endpoint), naming.data_prefix(name, "json")
        described = {"Columns": [], "Location": f"s3://{bucket}/{prefix}"}
        tables = (
            {"Name": naming.snapshots_table(name), "StorageDescriptor": described},
            {"Name": naming.view(name), "TableType": "VIRTUAL_VIEW"},
        )
        for table in tables:
            self.endpoint.client("glue").create_table(
                DatabaseName=naming.DATABASE, TableInput=table
            )
        return name

    def with_old_snapshot(self) -> str:
        """A new export beside a snapshot of another design that the crawler has found."""
        name = self.exported()
        s3, bucket = self.endpoint.client("s3"), functional.exports_bucket(self.endpoint)
        key = f"json/{name}/snapshot_timestamp={SNAPSHOTS[0]}/run-1-part-r-00000"
        s3.put_object(Bucket=bucket, Key=key, Body=b'{"id": "1"}\n')
        functional.crawl(self.endpoint, name)
        return name

    def with_run(self) -> str:
        """A new export with a run that has ended, with a line in its log and a snapshot."""
        name = self.exported()
        glue, logs = self.endpoint.client("glue"), self.endpoint.client("logs")
        self.ok("run", name, "--wait")
        workflow = naming.workflow(name, "json", scheduled=False)
        (run,) = glue.get_workflow_runs(Name=workflow)["Runs"]
        self._put_snapshot(name, SNAPSHOTS[0])
        properties = {names.SNAPSHOT_TIMESTAMP: SNAPSHOTS[0], names.SNAPSHOT_ITEMS: "1"}
        glue.put_workflow_run_properties(
            Name=workflow, RunId=run["WorkflowRunId"], RunProperties=properties
        )
        (job_run,) = glue.get_job_runs(JobName=naming.export_job(name, "json"))["JobRuns"]
        group = f"{job_run['LogGroupName']}/output"
        with suppress(ClientError):
            logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=job_run["Id"])
        event = {"timestamp": int(job_run["StartedOn"].timestamp() * 1000), "message": "A line"}
        logs.put_log_events(logGroupName=group, logStreamName=job_run["Id"], logEvents=[event])
        return name

    def unfinished(self) -> Iterator[str]:
        """The stacks that only wait for a change set, and the change sets that nobody executed."""
        cloudformation = self.endpoint.client("cloudformation")
        stacks = cloudformation.list_stacks()["StackSummaries"]
        for stack in stacks:
            if stack["StackStatus"] == "DELETE_COMPLETE":
                continue
            if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
                yield f"stack {plain(stack['StackName'])}"
            for change_set in cloudformation.list_change_sets(StackName=stack["StackName"])[
                "Summaries"
            ]:
                if change_set["ExecutionStatus"] == "AVAILABLE":
                    yield f"change set of {plain(stack['StackName'])}"

    # --- what takes a state back ------------------------------------------------------------------
    def disabled(self, name: str) -> None:
        self.ok("disable", name)

    def enabled(self, name: str) -> None:
        self.ok("enable", name)

    def newest_published(self, name: str) -> None:
        self.ok("publish", name, SNAPSHOTS[-1])

    def not_adopted(self, name: str) -> None:
        self._delete(naming.manifest_key(name, "json", SNAPSHOTS[0]))

    def not_pruned(self, name: str) -> None:
        self._put_snapshot(name, SNAPSHOTS[0])
        functional.crawl(self.endpoint, name)

    def _delete(self, key: str) -> None:
        bucket = functional.exports_bucket(self.endpoint)
        self.endpoint.client("s3").delete_object(Bucket=bucket, Key=key)

    def running(self, name: str) -> None:
        """One active run."""
        self.ended(name)
        self.jobs.wait = True
        self.ok("run", name)

    def ended(self, name: str) -> None:
        """No active run."""
        self.jobs.wait = False
        glue, workflow = (
            self.endpoint.client("glue"),
            naming.workflow(name, "json", scheduled=False),
        )
        final = {"COMPLETED", "STOPPED", "ERROR"}
        while {run["Status"] for run in glue.get_workflow_runs(Name=workflow)["Runs"]} - final:
            threading.Event().wait(0.05)


# --- what is tried --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Way:
    """How a command is called.

    Attributes:
        before: the state in which it begins.
        words: {} is the table, and {n} is another number each time.
        back: what takes the state back, so that the export can be used again. None makes a new one.
        between: what must have ended before the second try.
    """

    before: Callable[[Stage], str]
    words: str
    back: Callable[[Stage, str], None] | None = None
    between: Callable[[Stage, str], None] | None = None


def nothing(_: Stage, __: str) -> None:
    """The command changes nothing."""


# A way's name begins with its command. A later way of the same command tries only further calls.
WAYS: dict[str, Way] = {
    "init": Way(Stage.bare, "init --yes"),
    "init again": Way(
        Stage.initialized, "init --set NotificationEmail=a{n}@example.com --yes", nothing
    ),
    "deploy": Way(Stage.table, "deploy {} --yes"),
    "deploy --auto": Way(Stage.table, "deploy {} --auto --read-mode native --yes"),
    "deploy again": Way(
        Stage.exported, "deploy {} --set SnapshotRetentionDays={n} --enable --yes", Stage.disabled
    ),
    "enable": Way(Stage.exported, "enable {}", Stage.disabled),
    "disable": Way(Stage.exported, "disable {}", Stage.enabled),
    "run --wait": Way(Stage.exported, "run {} --wait", Stage.ended, Stage.ended),
    "run": Way(
        Stage.exported, "run {} --set MaxConsumedReadThroughput=0.5", Stage.ended, Stage.ended
    ),
    "watch": Way(Stage.with_run, "watch {}", nothing),
    "stop": Way(Stage.exported, "stop {}", Stage.running),
    "runs": Way(Stage.with_run, "runs {}", nothing),
    "runs --explain": Way(Stage.with_run, "runs {} --explain", nothing),
    "logs": Way(Stage.with_run, "logs {}", nothing),
    "logs --follow": Way(Stage.with_run, "logs {} --follow", nothing),
    "status": Way(Stage.with_snapshots, "status {}", nothing),
    "snapshots": Way(Stage.with_snapshots, "snapshots {}", nothing),
    "publish": Way(Stage.with_snapshots, f"publish {{}} {SNAPSHOTS[0]}", Stage.newest_published),
    "adopt": Way(Stage.with_old_snapshot, "adopt {} --yes", Stage.not_adopted),
    "prune": Way(Stage.with_snapshots, "prune {} --keep 1 --yes", Stage.not_pruned),
    "verify": Way(Stage.with_snapshots, "verify {}", nothing),
    "query": Way(Stage.with_snapshots, "query {}", nothing),
    "query --output csv": Way(Stage.with_snapshots, "query {} --output csv", nothing),
    "query without view": Way(Stage.exported, "query {}", nothing),
    "plan": Way(Stage.table, "plan {}", nothing),
    "plan of an export": Way(Stage.exported, "plan {}", nothing),
    "doctor": Way(Stage.with_snapshots, "doctor", nothing),
    "permissions": Way(Stage.initialized, "permissions run", nothing),
    "destroy --data": Way(Stage.destroyable, "destroy {} --data --yes"),
    "destroy": Way(Stage.destroyable, "destroy {} --yes"),
}
# Ways that fail without a fault, too.
FAIL_ANYWAY = {"query without view"}
# Commands that call no AWS, each with the reason.
WITHOUT_AWS = {
    "completion": "prints a script; the shell's own completion swallows every error",
    "names": "computes names",
    "templates": "writes files",
    "local start": "is the endpoint",
    "local env": "asks the local endpoint alone, with one request that is not of AWS",
    "local demo": "calls only the endpoint that it starts in its own process",
}


def command_of(way: str) -> str:
    """The command of a way's name.

    >>> command_of("destroy --data")
    'destroy'
    """
    return way.partition(" ")[0]


class Trials:
    """All trials of some ways, on one endpoint."""

    def __init__(self, stage: Stage, share: float) -> None:
        self._stage, self._share, self._chance = stage, share, random.Random(0)
        self._known: dict[str, set[str]] = {}
        self._count = itertools.count(1)
        self._table = ""

    def of(self, name: str) -> Iterator[dict[str, Any]]:
        """The calls of a way without a fault, then each call with each fault."""
        way = WAYS[name]
        words = self._begin(way, anew=True)
        self._stage.injector.begin()
        done = self._stage.run(*words)
        assert (done.exit_code == 0) != (name in FAIL_ANYWAY), (name, done.output)
        counted = dict(self._stage.injector.calls)
        known = self._known.setdefault(command_of(name), set())
        new = sorted(set(counted) - known)
        known.update(new)
        yield {"way": name, "calls": new, "result": result(done), "again": done.exit_code}
        for call, fault in itertools.product(new, FAULTS):
            # A call that is repeated, as a poll, fails in its first and in its last place.
            for number in sorted({1, counted[call] if fault in LATE_FAULTS else 1}):
                if self._chance.random() < self._share:
                    # There may be fewer polls than before.
                    trial = self._try(name, call, number, fault) or self._try(name, call, 2, fault)
                    if trial is not None:
                        yield asdict(trial)

    def _begin(self, way: Way, *, anew: bool = False) -> list[str]:
        """Set the stage; the words of the command."""
        if way.back is None or anew:
            self._table = way.before(self._stage)
        if way.back is not None:
            way.back(self._stage, self._table)
        return way.words.format(self._table, n=next(self._count)).split()

    def _try(self, name: str, call: str, number: int, fault: str) -> Trial | None:
        way, injector = WAYS[name], self._stage.injector
        words = self._begin(way)
        injector.begin(call, number, fault)
        first = self._stage.run(*words)
        reached = injector.hit
        changes_stacks = command_of(name) in {"init", "deploy"}
        left = tuple(self._stage.unfinished()) if changes_stacks else ()
        injector.begin()
        if not reached:
            return None
        if way.between is not None:
            way.between(self._stage, self._table)
        second = self._stage.run(*words)
        return Trial(
            name,
            call,
            fault,
            first.exit_code,
            tuple(map(plain, first.stderr.splitlines())),
            result(first, call.rpartition(".")[2]),
            left,
            second.exit_code,
            result(second),
        )


def result(done: Any, operation: str = "") -> str:
    """The first line of what a command printed, better one with the operation; or its error."""
    if done.exit_code:
        lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    else:
        lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
        lines = [line for line in lines if operation in line] or lines
    return plain(lines[0]) if lines else ""


def plain(line: str) -> str:
    """The line with the same words in place of what differs from run to run."""
    line = re.sub(r"Faults\d+", "Reviews", line)
    line = re.sub(r"faults\d+", "reviews", line)
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:4600", line)
    line = re.sub(r"\bwr_[0-9a-f]+", "wr_3f9c", line)
    line = re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[0-9a-f]{12,64}\b", "ID", line)
    line = re.sub(r"\d+(\.\d+)? (ms|s)\b", "1 s", line)
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-01-02 10:00", line)
    return re.sub(r" {2,}", "  ", line).rstrip()


def try_all(share: float, chosen: Sequence[str]) -> None:
    injector, stand_in = Injector(), Jobs()
    with server.serve(port=0) as endpoint, hooked(injector, stand_in):
        trials = Trials(Stage(endpoint, injector, stand_in), share)
        for name in chosen:
            for record in trials.of(name):
                sys.stdout.write(json.dumps(record) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    part, *ways = sys.argv[1:] or ["1"]
    try_all(float(part), ways or list(WAYS))

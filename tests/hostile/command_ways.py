"""How each command is called, and what is there before."""

from __future__ import annotations

import itertools
import os
import re
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from click.testing import CliRunner

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "functional")]
import command as functional

from dynoexport import naming
from dynoexport import settings as names
from dynoexport.cli import main
from dynoexport.local.services.query import view_text
from dynoexport.settings import DEFAULT_COMMON_STACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aws_faults import Injector, Jobs

    from dynoexport.local.context import Endpoint

SNAPSHOTS = ("2026-01-01T10:00", "2026-01-02T10:00")


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
        select = f"SELECT * FROM {naming.snapshots_table(name)}"
        tables = (
            {"Name": naming.snapshots_table(name), "StorageDescriptor": described},
            {
                "Name": naming.view(name),
                "TableType": "VIRTUAL_VIEW",
                "ViewOriginalText": view_text(select, naming.DATABASE, []),
            },
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

"""Runs schedules of faults, one after another, and reports which promises did not hold.

In a process of its own, because it is endpoint, proxy and Spark's driver:

    python tests/faults/harness.py [MASTER]

reads a seed a line from stdin, or ``items N``, ``direct N``, ``lose KIND READER`` or ``refuse KIND
OPERATION``, and answers each on a line of stdout, as JSON. MASTER is Spark's, such as
local-cluster[2,1,1024] for executors in processes of their own.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import schedules
import warm
from schedules import Fault, Schedule
from stage import Deployed, Items, Stage, open_stage, rows_of

from dynoexport import naming
from dynoexport.errors import DynoexportError
from dynoexport.operations import snapshots as snapshotting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynoexport.aws import workflow_runs
    from dynoexport.local.glue.jobs import JobRun


@dataclass
class Outcome:
    """What became of a schedule; ``broken`` are the promises that did not hold."""

    seed: int
    target: str
    faults: list[dict[str, Any]]
    injected: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    run: str = ""
    error: str = ""
    notified: bool = False
    alarmed: bool = False
    again: str = ""
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)


# What a failed run's error says of each kind.
NETWORK = r"[Cc]onnection|[Cc]onnect to|endpoint URL|response stream|IncompleteRead|[Rr]ead timeout"
CAUSES = {
    schedules.THROTTLE: r"Throttl|ThroughputExceeded",
    schedules.SLOW_DOWN: r"SlowDown|\(503\)",
    schedules.INTERNAL: r"Internal\w*|\(500\)",
    schedules.RESET: NETWORK,
    schedules.LOST: NETWORK,
    schedules.TRUNCATED: rf"{NETWORK}|damaged|Premature EOF|not well-formed|parse",
    schedules.DELAY: r"(?!)",
    schedules.OUTAGE: r"Internal\w*|\(500\)",
    schedules.CUT_OFF: NETWORK,
    # The JVM may know no more than that.
    schedules.WORKER_KILLED: r"[Ww]orker|Connection reset|Broken pipe",
    schedules.EXECUTOR_KILLED: r"[Ee]xecutor",
    schedules.TABLE_GONE: r"ResourceNotFound|there is no DynamoDB table|TableNotFound",
    schedules.ITEMS_CHANGE: r"(?!)",
    schedules.PART_CORRUPTED: r"part-\S+ |\.\w+ is not|not a \w+ file|[Cc]orrupt|Snappy|Orc|magic",
    schedules.PART_DELETED: r"is missing",
    schedules.PART_ADDED: r"is not in the manifest",
    schedules.CRAWLER_FAILS: r"AccessDenied|\(403\)",
    schedules.CRAWLER_BUSY: r"has already started",
    schedules.TABLE_LOCKED: r"ConcurrentModification",
    schedules.QUERY_CANCELLED: r"CANCELLED",
    schedules.OVERLAP: r"Concurrent runs exceeded",
    schedules.UNGUARDED: r"already started",
    schedules.JOB_KILLED: r"exit code -9",
    schedules.DISK_FULL: r"File too large|No space|disk",
}
GARBAGE = b"\x00garbage"


class Trial:
    """One schedule on the stage."""

    def __init__(self, stage: Stage, schedule: Schedule) -> None:
        self.stage, self.schedule = stage, schedule
        self.chance = random.Random(schedule.seed)
        self.deployed: Deployed = stage.export_of(schedule.target)
        self.outcome = Outcome(
            schedule.seed, schedule.target.table, [asdict(fault) for fault in schedule.faults]
        )
        self.run_id = ""
        self.others: list[str] = []
        self.touched: set[str] = set()
        self.killed = False
        stage.injector.events = {
            schedules.WORKER_KILLED: lambda _: self._kill_all(stage.runner.workers()),
            schedules.EXECUTOR_KILLED: lambda _: self._kill_all(stage.runner.executors()[:1]),
            schedules.TABLE_GONE: lambda _: self.deployed.delete_table(),
            schedules.ITEMS_CHANGE: lambda _: self._change_items(),
            schedules.PART_CORRUPTED: lambda _: self._each_part(self._corrupt),
            schedules.PART_DELETED: lambda _: self._each_part(self._delete),
            schedules.PART_ADDED: lambda _: self._add_part(),
            schedules.CRAWLER_BUSY: lambda _: self._keep_crawler_busy(),
            schedules.QUERY_CANCELLED: lambda _: self._cancel_query(),
            schedules.OVERLAP: lambda _: self.others.append(self.deployed.start()),
            schedules.UNGUARDED: lambda _: self.others.append(self.deployed.start()),
            schedules.JOB_KILLED: lambda _: self._to_process(self._kill),
            schedules.DISK_FULL: lambda _: self._to_process(self._fill_disk),
        }

    # --- what the events do ----------------------------------------------------------------------
    def _kill_all(self, processes: Iterable[int]) -> None:
        self.killed = True
        for pid in processes:
            os.kill(pid, signal.SIGKILL)

    def _change_items(self) -> None:
        before = dict(self.deployed.items)
        self.deployed.change(self.chance)
        self.touched = {
            key
            for key in {*before, *self.deployed.items}
            if before.get(key) != self.deployed.items.get(key)
        }

    def _each_part(self, change: Callable[[str], None]) -> None:
        timestamp = self.deployed.property_of(self.run_id, "SnapshotTimestamp")
        for key in self.deployed.parts(timestamp or "")[:1]:
            change(key)

    def _corrupt(self, key: str) -> None:
        """Other content of the same size, so that only the content shows the change."""
        bucket = self.stage.account.bucket
        content = self.deployed.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        content = (GARBAGE * len(content))[: len(content)]
        self.deployed.s3.put_object(Bucket=bucket, Key=key, Body=content)

    def _delete(self, key: str) -> None:
        self.deployed.s3.delete_object(Bucket=self.stage.account.bucket, Key=key)

    def _add_part(self) -> None:
        """What a task that was given up for dead has still written."""
        timestamp = self.deployed.property_of(self.run_id, "SnapshotTimestamp")
        bucket = self.stage.account.bucket
        for key in self.deployed.parts(timestamp or "")[:1]:
            twin = key.replace("part-", "part-1")
            self.deployed.s3.copy({"Bucket": bucket, "Key": key}, bucket, twin)

    def _keep_crawler_busy(self) -> None:
        name = naming.crawler(self.schedule.target.table, self.schedule.target.format)
        self.stage.proxy.crawls.clear()
        self.deployed.glue.start_crawler(Name=name)

    def _cancel_query(self) -> None:
        for query in self.deployed.queries():
            self.deployed.athena.stop_query_execution(QueryExecutionId=query)

    def _to_process(self, do: Callable[[JobRun], None]) -> None:
        """Do it to the job that runs, or to the next one."""

        def soon() -> None:
            for _ in range(600):
                for run in self.stage.job_processes():
                    do(run)
                    return
                time.sleep(0.05)

        threading.Thread(target=soon, daemon=True).start()

    def _kill(self, run: JobRun) -> None:
        assert run.process is not None
        run.process.kill()

    def _fill_disk(self, run: JobRun) -> None:
        """No file of the job's processes may grow: what a full disk does, without a disk."""
        assert run.process is not None
        for pid in warm.descendants(run.process.process.pid, warm.parents()):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))

    # --- the trial -------------------------------------------------------------------------------
    def run(self) -> Outcome:
        began = time.monotonic()
        deployed, injector, outcome = self.deployed, self.stage.injector, self.outcome
        old = dict(deployed.items)
        deployed.change(self.chance)
        self.stage.runner.in_processes = self.schedule.in_processes
        kinds = {fault.kind for fault in self.schedule.faults}
        forbid = self.stage.lift_limits(deployed) if schedules.UNGUARDED in kinds else None
        injector.begin(self.schedule.seed, self.schedule.faults)
        self.messages_before = len(self.stage.messages())
        try:
            self.run_id = deployed.start(self.schedule.splits)
            run = deployed.ended(self.run_id)
            for other in list(self.others):
                deployed.ended(other)
        finally:
            outcome.injected, outcome.calls = dict(injector.injected), injector.calls
            self.stage.calm()
            if forbid is not None:
                forbid()
        deployed.settle()
        if self.killed:
            self.stage.runner.refresh()
        outcome.run = run.outcome
        outcome.error = error_of(run)
        self._check_view(old, run)
        self._check_snapshots()
        self._check_error(run)
        self._check_others()
        self._check_again()
        outcome.seconds = round(time.monotonic() - began, 2)
        return outcome

    def _promise(self, holds: bool, what: str) -> None:
        if not holds:
            self.outcome.broken.append(what)

    def _check_view(self, old: Items, run: workflow_runs.Run) -> None:
        """The view shows one complete snapshot: the old one or, after a success, the new one."""
        timestamps, rows = self.deployed.view()
        self._promise(len(timestamps) == 1, f"the view shows the snapshots {sorted(timestamps)}")
        others = [self.deployed.look(other) for other in self.others]
        new = {any_run.snapshot for any_run in (run, *others)}
        if any(any_run.succeeded for any_run in (run, *others)):
            newest = max(any_run.snapshot or "" for any_run in (run, *others) if any_run.succeeded)
            self._promise(
                timestamps == {newest}, f"{newest} was published, the view shows {timestamps}"
            )
        if timestamps <= new:
            self._check_rows(rows, self.deployed.items, self.touched, "the view's new snapshot")
        else:
            self._check_rows(rows, old, set(), "the view's old snapshot")

    def _check_rows(
        self, rows: list[tuple[str, str, str]], items: Items, touched: set[str], what: str
    ) -> None:
        keys = [row[0] for row in rows]
        self._promise(len(keys) == len(set(keys)), f"{what} shows items twice")
        expected = [row for row in rows_of(items) if row[0] not in touched]
        rest = [row for row in rows if row[0] not in touched]
        self._promise(
            rest == expected,
            f"{what} has {len(rest)} of {len(expected)} items, "
            f"{len(set(rest) - set(expected))} of them wrong",
        )

    def _check_snapshots(self) -> None:
        """What is listed as complete can be published, or is refused for what was done to it."""
        sabotaged = any(fault.kind in schedules.OF_PART_FILES for fault in self.schedule.faults)
        for snapshot in self.deployed.snapshots():
            if not snapshot.complete:
                self._promise(not snapshot.current, "the view shows an incomplete snapshot")
                continue
            try:
                snapshotting.whole(self.stage.account, self.deployed.export, snapshot.timestamp)
            except DynoexportError as error:
                self._promise(sabotaged, f"{snapshot.timestamp} counts as complete, but {error}")
                self._promise(not snapshot.current, f"the view shows what is not whole: {error}")

    def _check_error(self, run: workflow_runs.Run) -> None:
        if run.succeeded:
            return
        error = self.outcome.error
        self._promise(bool(error), "the failed run has no error")
        self._promise("\n" not in error, "the error has several lines")
        causes = [CAUSES[kind] for kind in self.outcome.injected]
        named = any(re.search(cause, error) for cause in causes)
        self._promise(named, f"the error does not name the cause: {error}")
        messages = self.stage.messages()[self.messages_before :]
        names = [node.name for node in run.failed_nodes if node.state != "ERROR"]
        self.outcome.notified = any(name in text for text in messages for name in names)
        if names:
            self._promise(self.outcome.notified, f"no message names {names}, but: {messages}")
            return
        # Glue sends no event for a node that it could not start, but the alarm goes off.
        self.outcome.alarmed = self.stage.misses(self.deployed.table, self.deployed.target.format)
        self._promise(self.outcome.alarmed, "no alarm goes off for the stale snapshot")

    def _check_others(self) -> None:
        for other in self.others:
            run = self.deployed.look(other)
            if not run.succeeded:
                causes = "|".join(CAUSES[kind] for kind in self.outcome.injected)
                self._promise(
                    bool(re.search(causes, error_of(run))),
                    f"the second run's error does not name the cause: {error_of(run)}",
                )

    def _check_again(self) -> None:
        """A run without faults succeeds, whatever was left behind, with exactly what there is."""
        self.deployed.see_to_table()
        run = self.deployed.run()
        self.outcome.again = run.outcome
        self._promise(run.succeeded, f"the next run fails: {error_of(run)}")
        timestamps, rows = self.deployed.view()
        self._promise(
            timestamps == {run.snapshot}, f"after the next run the view shows {sorted(timestamps)}"
        )
        self._check_rows(rows, self.deployed.items, set(), "after the next run the view")
        shown = [snapshot.timestamp for snapshot in self.deployed.snapshots() if snapshot.current]
        self._promise(shown == [run.snapshot], f"dynoexport snapshots shows {shown} as current")
        self.deployed.prune()
        left = [snapshot for snapshot in self.deployed.snapshots() if not snapshot.current]
        self._promise(not left, f"prune leaves {left}")
        uploads = self.deployed.s3.list_multipart_uploads(Bucket=self.stage.account.bucket)
        self._promise(not uploads.get("Uploads"), "an upload is left open")


def error_of(run: workflow_runs.Run) -> str:
    """The error of the node that failed, else that of the run."""
    errors = [f"{node.name} {node.state}: {node.error}" for node in run.failed_nodes]
    return "; ".join(errors) or run.error


@dataclass
class Throttled:
    """An export of many items, while DynamoDB refuses three calls in ten."""

    items: int
    run: str = ""
    error: str = ""
    throttles: int = 0
    seconds: float = 0.0
    rows: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)


def export_throttled(stage: Stage, items: int) -> Throttled:
    """Export so many items through the native reader; what came of them.

    In so many segments that there are hundreds of calls: items as small as these fill few pages.
    """
    began = time.monotonic()
    deployed = Deployed(stage, schedules.Target("parquet", "native", 1), "Throttled")
    deployed.create_table({})
    deployed.fill(items)
    deployed.deploy()
    fault = Fault(schedules.THROTTLE, service="dynamodb", probability=0.3, most=0)
    stage.injector.begin(items, (fault,))
    run = deployed.run(splits="500")
    throttled = Throttled(items, run.outcome, error_of(run))
    throttled.throttles = stage.injector.injected[schedules.THROTTLE]
    stage.calm()
    throttled.rows = deployed.sums() if run.succeeded else {}
    whole = items * (items - 1) // 2
    throttled.expected = {"rows": items, "ids": items, "least": 0, "most": items - 1, "sum": whole}
    throttled.seconds = round(time.monotonic() - began, 2)
    return throttled


def tried(stage: Stage, schedule: Schedule) -> Outcome:
    """The outcome of the schedule, also if the trial itself breaks."""
    print(f"=== {schedule}", flush=True)
    try:
        outcome = Trial(stage, schedule).run()
    except Exception as error:  # noqa: BLE001 - the next schedule has its own chance
        sys.tracebacklimit = 1000
        traceback.print_exc()
        outcome = Outcome(schedule.seed, schedule.target.table, [])
        outcome.broken.append(f"the trial broke: {type(error).__name__}: {error}")
    if outcome.broken:
        print("\n".join(f"!!! {broken}" for broken in outcome.broken), flush=True)
        stage.recover(schedule.target)
    return outcome


def answered(stage: Stage, question: str) -> Outcome | Throttled:
    """What came of a line of stdin."""
    about, _, last = question.rpartition(" ")
    if about == "items":
        return export_throttled(stage, int(last))
    if about == "direct":
        return tried(stage, schedules.without_crawler(int(last)))
    if about.startswith("refuse "):
        return tried(stage, schedules.refusing(about.removeprefix("refuse "), last))
    if about:
        return tried(stage, schedules.losing(about.removeprefix("lose "), last))
    return tried(stage, schedules.draw(int(last)))


def main(master: str = "") -> None:
    # What jobs print goes to stderr: stdout is for outcomes.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with open_stage(master) as stage:
        answers.write("ready\n")
        for line in sys.stdin:
            answers.write(json.dumps(asdict(answered(stage, line.strip()))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

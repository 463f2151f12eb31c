"""Job runs wait for their place in a queue, as Glue's runs wait for resources."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from waiting import until

from dynoexport.local.glue.queue import PLACES, Queue

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

NAME = "queued"
SCRIPT = b"import time; time.sleep(600)"


@dataclass
class Run:
    """A run that keeps its place until it may end."""

    name: str
    state: str = "STARTING"
    stopping: bool = False

    def __post_init__(self) -> None:
        self.may_end = threading.Event()

    def go(self, queue: Queue, began: list[str]) -> threading.Thread:
        def work() -> None:
            with queue.place(self) as has_place:
                if has_place:
                    self.state = "RUNNING"
                    began.append(self.name)
                    self.may_end.wait(60)
            self.state = "ENDED"

        thread = threading.Thread(target=work)
        thread.start()
        return thread


def test_the_first_that_waits_gets_the_next_place() -> None:
    """One that was stopped while it waited never has one."""
    queue, began = Queue(1), list[str]()
    runs = [Run(name) for name in "abcd"]
    threads = []
    for run, state in zip(runs, ("RUNNING", "WAITING", "WAITING", "WAITING"), strict=True):
        threads.append(run.go(queue, began))
        until(lambda run=run, state=state: run.state == state)
    runs[1].stopping = True
    until(lambda: runs[1].state == "ENDED")
    assert [run.state for run in runs] == ["RUNNING", "ENDED", "WAITING", "WAITING"]
    for run in runs:
        run.may_end.set()
    for thread in threads:
        thread.join()
    assert began == ["a", "c", "d"]


class Jobs:
    """Runs of a job that sleeps."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.glue = endpoint.client("glue")
        s3, iam = endpoint.client("s3"), endpoint.client("iam")
        s3.create_bucket(Bucket=NAME)
        s3.put_object(Bucket=NAME, Key="sleep.py", Body=SCRIPT)
        service = {"Service": "glue.amazonaws.com"}
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": service}
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=policy(trust))
        iam.put_role_policy(RoleName=NAME, PolicyName=NAME, PolicyDocument=policy(everything))
        self.glue.create_job(
            Name=NAME,
            Role=NAME,
            Command={"Name": "pythonshell", "ScriptLocation": f"s3://{NAME}/sleep.py"},
            ExecutionProperty={"MaxConcurrentRuns": PLACES + 2},
        )

    def start(self) -> str:
        return str(self.glue.start_job_run(JobName=NAME)["JobRunId"])

    def stop(self, runs: list[str]) -> None:
        self.glue.batch_stop_job_run(JobName=NAME, JobRunIds=runs)

    def look(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.glue.get_job_run(JobName=NAME, RunId=run)["JobRun"]
        return found

    def states(self, runs: list[str]) -> Counter[str]:
        return Counter(self.look(run)["JobRunState"] for run in runs)


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.endpoint
def test_more_runs_than_places_wait(endpoint: Endpoint) -> None:
    """A run that was stopped while it waited has used no time."""
    jobs = Jobs(endpoint)
    runs = [jobs.start() for _ in range(PLACES + 2)]
    until(lambda: jobs.states(runs) == {"RUNNING": PLACES, "WAITING": 2})
    waiting = [run for run in runs if jobs.look(run)["JobRunState"] == "WAITING"]
    jobs.stop(waiting[:1])
    until(lambda: jobs.look(waiting[0])["JobRunState"] == "STOPPED")
    assert jobs.look(waiting[0])["ExecutionTime"] == 0
    jobs.stop([run for run in runs if run not in waiting])
    until(lambda: jobs.look(waiting[1])["JobRunState"] == "RUNNING")
    jobs.stop(waiting)
    until(lambda: jobs.states(runs) == {"STOPPED": len(runs)})

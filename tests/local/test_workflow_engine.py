"""The endpoint runs workflows: tiny Python jobs and crawlers, seen through the Glue API."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import waiting
from botocore.exceptions import ClientError
from moto.glue.utils import Action

from dynoexport.local import context
from dynoexport.local.glue import engine, jobs, processes

if TYPE_CHECKING:
    from pathlib import Path

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

BUCKET = "engine-scripts"
ROLE = "engine-role"
GLUE = "glue.amazonaws.com"
PASS = "pass"
FAIL = "raise ValueError('broken')"
SLEEP = "import time; time.sleep(600)"
# Fails in its first attempt.
FAIL_ONCE = """
import sys, boto3
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
run = {"Name": given["--WORKFLOW_NAME"], "RunId": given["--WORKFLOW_RUN_ID"]}
glue = boto3.client("glue")
tried = "tried" in glue.get_workflow_run_properties(**run)["RunProperties"]
glue.put_workflow_run_properties(**run, RunProperties={"tried": "once"})
assert tried, "too early"
"""
ADD_PROPERTY = """
import sys, boto3
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
run = {"Name": given["--WORKFLOW_NAME"], "RunId": given["--WORKFLOW_RUN_ID"]}
glue = boto3.client("glue")
seen = glue.get_workflow_run_properties(**run)["RunProperties"]
glue.put_workflow_run_properties(**run, RunProperties={"seen": ",".join(sorted(seen.values()))})
"""
CRAWLER_LOGS = "/aws-glue/crawlers"
SUCCEEDED = ("SUCCEEDED",)


until = partial(waiting.until, seconds=120)


class Flow:
    """A workflow of its own, and what it is made of, all under its name."""

    def __init__(self, endpoint: Endpoint, role: str) -> None:
        self.name = f"flow-{uuid.uuid4().hex[:12]}"
        self.role = role
        self.glue = endpoint.client("glue")
        self.logs = endpoint.client("logs")
        self.s3 = endpoint.client("s3")

    # --- made of --------------------------------------------------------------------------------
    def workflow(self, **options: Any) -> None:
        self.glue.create_workflow(Name=self.name, **options)

    def job(self, name: str, script: str, **options: Any) -> str:
        key = f"{self.name}/{name}.py"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=script.encode())
        location = options.pop("Location", f"s3://{BUCKET}/{key}")
        command = {"Name": "pythonshell", "ScriptLocation": location}
        options = {"Role": self.role, "Command": command, **options}
        self.glue.create_job(Name=f"{self.name}-{name}", **options)
        return f"{self.name}-{name}"

    def jobs(self, **scripts: str) -> None:
        for name, script in scripts.items():
            self.job(name, script)

    def crawler(self, name: str, *, database: bool = True) -> str:
        """A crawler of one JSON file; it fails without its database."""
        prefix = f"{self.name}/{name}-data"
        self.s3.put_object(Bucket=BUCKET, Key=f"{prefix}/part.json", Body=b'{"a": 1}\n')
        if database:
            self.glue.create_database(DatabaseInput={"Name": self.name})
        self.glue.create_crawler(
            Name=f"{self.name}-{name}",
            Role=self.role,
            DatabaseName=self.name,
            Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/{prefix}/"}]},
        )
        return f"{self.name}-{name}"

    def start(self, *names: str, **options: Any) -> str:
        """The start trigger."""
        actions = [{"JobName": f"{self.name}-{name}"} for name in names]
        options = {"Type": "ON_DEMAND", "Actions": actions, **options}
        name = f"{self.name}-start"
        self.glue.create_trigger(Name=name, WorkflowName=self.name, **options)
        return name

    def then(
        self, name: str, *, after: dict[str, str], logical: str = "AND", **options: Any
    ) -> str:
        """A trigger of a job when others, by name, are in a state."""
        conditions = [
            {"LogicalOperator": "EQUALS", "JobName": f"{self.name}-{other}", "State": state}
            for other, state in after.items()
        ]
        trigger = f"{self.name}-then-{name}"
        options = {"Actions": [{"JobName": f"{self.name}-{name}"}], **options}
        self.glue.create_trigger(
            Name=trigger,
            WorkflowName=self.name,
            Type="CONDITIONAL",
            StartOnCreation=True,
            **{"Predicate": {"Logical": logical, "Conditions": conditions}, **options},
        )
        return trigger

    # --- runs -----------------------------------------------------------------------------------
    def begin(self, **properties: str) -> str:
        """Start a run; its ID."""
        answer = self.glue.start_workflow_run(Name=self.name, RunProperties=properties)
        return str(answer["RunId"])

    def look(self, run: str, *, graph: bool = True) -> dict[str, Any]:
        answer = self.glue.get_workflow_run(Name=self.name, RunId=run, IncludeGraph=graph)
        found: dict[str, Any] = answer["Run"]
        return found

    def end(self, run: str) -> dict[str, Any]:
        """The run when it has ended."""
        until(lambda: self.look(run)["Status"] not in {"RUNNING", "STOPPING"})
        return self.look(run)

    def run(self, **properties: str) -> dict[str, Any]:
        """Run it to its end."""
        return self.end(self.begin(**properties))

    def attempts(self, run: dict[str, Any], name: str) -> list[dict[str, Any]]:
        """A job's attempts in a run, oldest first."""
        (node,) = [
            candidate
            for candidate in run["Graph"]["Nodes"]
            if candidate["Name"] == f"{self.name}-{name}"
        ]
        found: list[dict[str, Any]] = node["JobDetails"]["JobRuns"]
        return found

    def states(self, run: dict[str, Any]) -> dict[str, tuple[str, ...]]:
        """The states of each job's attempts, of the jobs that were started."""
        names = [
            node["Name"].removeprefix(f"{self.name}-")
            for node in run["Graph"]["Nodes"]
            if node["Type"] == "JOB" and node["JobDetails"]["JobRuns"]
        ]
        return {
            name: tuple(attempt["JobRunState"] for attempt in self.attempts(run, name))
            for name in names
        }

    def wait_for(self, run: str, name: str, state: str) -> None:
        """Until the job's last attempt is in a state."""
        until(lambda: self.states(self.look(run)).get(name, ("",))[-1] == state)

    def lines(self, group: str, stream: str) -> list[str]:
        events = self.logs.get_log_events(
            logGroupName=group, logStreamName=stream, startFromHead=True
        )["events"]
        return [event["message"] for event in events]


@pytest.fixture(scope="module")
def role(endpoint: Endpoint) -> str:
    """A role that may do everything; with it comes the bucket for scripts."""
    iam = endpoint.client("iam")
    endpoint.client("s3").create_bucket(Bucket=BUCKET)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": GLUE}}
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    created = iam.create_role(
        RoleName=ROLE,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=ROLE, PolicyName="all", PolicyDocument=document)
    return str(created["Role"]["Arn"])


@pytest.fixture
def flow(endpoint: Endpoint, role: str) -> Flow:
    """A workflow, made by the test that needs it with options."""
    return Flow(endpoint, role)


# --- what follows what --------------------------------------------------------------------------
def test_jobs_follow_one_another_by_success(flow: Flow) -> None:
    """Each starts when the one before has ended, by its trigger's name."""
    flow.workflow()
    flow.jobs(one=PASS, two=PASS, three=PASS)
    flow.start("one")
    flow.then("two", after={"one": "SUCCEEDED"})
    last = flow.then("three", after={"two": "SUCCEEDED"})
    run = flow.run()
    assert run["Status"] == "COMPLETED"
    assert flow.states(run) == {"one": SUCCEEDED, "two": SUCCEEDED, "three": SUCCEEDED}
    ((one,), (two,), (three,)) = (flow.attempts(run, name) for name in ("one", "two", "three"))
    assert one["CompletedOn"] <= two["StartedOn"]
    assert two["CompletedOn"] <= three["StartedOn"]
    assert three["TriggerName"] == last
    assert run["Statistics"]["TotalActions"] == run["Statistics"]["SucceededActions"] == 3
    assert "ErrorMessage" not in run


@pytest.mark.parametrize(
    ("script", "state", "followed"),
    [(PASS, "SUCCEEDED", False), (FAIL, "FAILED", True)],
)
def test_a_condition_on_failure_fires_on_failure_alone(
    flow: Flow, script: str, state: str, followed: bool
) -> None:
    """The run is completed either way. Nodes that did not start are waiting."""
    flow.workflow()
    flow.jobs(first=script, rescue=PASS)
    flow.start("first")
    flow.then("rescue", after={"first": "FAILED"})
    run = flow.run()
    assert run["Status"] == "COMPLETED"
    assert flow.states(run) == {"first": (state,)} | ({"rescue": SUCCEEDED} if followed else {})
    assert run["Statistics"]["FailedActions"] == int(followed)
    assert run["Statistics"]["WaitingActions"] == int(not followed)


@pytest.mark.parametrize(
    ("logical", "scripts", "followed"),
    [
        ("AND", (PASS, PASS), True),
        ("AND", (PASS, FAIL), False),
        ("ANY", (PASS, PASS), True),
        ("ANY", (FAIL, PASS), True),
    ],
)
def test_and_needs_both_jobs_and_any_needs_one(
    flow: Flow, logical: str, scripts: tuple[str, str], followed: bool
) -> None:
    """It fires once in a run, however many conditions hold."""
    flow.workflow()
    flow.jobs(one=scripts[0], two=scripts[1], both=PASS)
    flow.start("one", "two")
    flow.then("both", after={"one": "SUCCEEDED", "two": "SUCCEEDED"}, logical=logical)
    run = flow.run()
    assert flow.states(run).get("both") == (SUCCEEDED if followed else None)
    ends = [flow.attempts(run, name)[0]["CompletedOn"] for name in ("one", "two")]
    if followed and logical == "AND":
        assert flow.attempts(run, "both")[0]["StartedOn"] >= max(ends)


def test_a_job_follows_a_crawler(flow: Flow) -> None:
    flow.workflow()
    crawler = flow.crawler("crawl")
    flow.job("next", PASS)
    flow.start(Actions=[{"CrawlerName": crawler}])
    condition = {
        "LogicalOperator": "EQUALS",
        "CrawlerName": crawler,
        "CrawlState": "SUCCEEDED",
    }
    flow.then("next", after={}, Predicate={"Logical": "AND", "Conditions": [condition]})
    run = flow.run()
    assert flow.states(run) == {"next": SUCCEEDED}
    (node,) = [candidate for candidate in run["Graph"]["Nodes"] if candidate["Type"] == "CRAWLER"]
    ((crawl),) = node["CrawlerDetails"]["Crawls"]
    assert (crawl["State"], crawl["LogStream"]) == ("SUCCEEDED", crawler)


def test_a_trigger_that_is_not_activated_stays_silent(flow: Flow) -> None:
    flow.workflow()
    flow.jobs(one=PASS, two=PASS)
    flow.start("one")
    flow.glue.stop_trigger(Name=flow.then("two", after={"one": "SUCCEEDED"}))
    assert flow.states(flow.run()) == {"one": SUCCEEDED}


def test_an_action_has_arguments_of_its_own(flow: Flow) -> None:
    """They replace the job's defaults."""
    flow.workflow()
    job = flow.job(
        "one", "import sys; print(sys.argv[1:])", DefaultArguments={"--a": "job", "--b": "job"}
    )
    flow.start(Actions=[{"JobName": job, "Arguments": {"--b": "trigger"}}])
    run = flow.run()
    ((attempt),) = flow.attempts(run, "one")
    assert attempt["Arguments"]["--a"] == "job"
    assert attempt["Arguments"]["--b"] == "trigger"
    (line,) = flow.lines("/aws-glue/python-jobs/output", attempt["Id"])
    assert "'--a', 'job', '--b', 'trigger'" in line
    assert f"'--WORKFLOW_RUN_ID', '{run['WorkflowRunId']}'" in line


# --- attempts -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("script", "retries", "states"),
    [
        (FAIL, 2, ("FAILED", "FAILED", "FAILED")),
        (FAIL_ONCE, 2, ("FAILED", "SUCCEEDED")),
    ],
    ids=["in-vain", "once"],
)
def test_a_failed_job_is_tried_again(
    flow: Flow, script: str, retries: int, states: tuple[str, ...]
) -> None:
    """Under the first run's ID and a number; conditions look at the last attempt."""
    flow.workflow()
    job = flow.job("one", script, MaxRetries=retries)
    flow.job("next", PASS)
    flow.start("one")
    flow.then("next", after={"one": states[-1]})
    run = flow.run()
    assert flow.states(run) == {"one": states, "next": SUCCEEDED}
    attempts = flow.attempts(run, "one")
    ids = [attempt["Id"] for attempt in attempts]
    assert ids[1:] == [f"{ids[0]}_attempt_{number}" for number in range(1, len(states))]
    assert [attempt["Attempt"] for attempt in attempts] == list(range(len(states)))
    assert [attempt.get("PreviousRunId") for attempt in attempts] == [None, *ids[:-1]]
    listed = flow.glue.get_job_runs(JobName=job)["JobRuns"]
    assert [listed_run["Id"] for listed_run in listed] == ids[::-1]
    for attempt in attempts:
        errors = flow.lines("/aws-glue/python-jobs/error", attempt["Id"])
        assert bool(errors) is (attempt["JobRunState"] == "FAILED")


def test_a_job_beyond_its_timeout_is_not_tried_again(
    endpoint: Endpoint, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test sets the timeout itself: Glue's API takes whole minutes."""
    # An endpoint that has ended in this process lets no more jobs start.
    processes.begin()
    monkeypatch.setattr(context, "endpoint", lambda *_: endpoint)
    script = f"{flow.name}/slow.py"
    flow.s3.put_object(Bucket=BUCKET, Key=script, Body=SLEEP.encode())
    backend = engine.LocalGlueBackend(endpoint.region, endpoint.account)
    command = {"Name": "pythonshell", "ScriptLocation": f"s3://{BUCKET}/{script}"}
    options = {"Role": flow.role, "Command": command, "MaxRetries": 2, "Timeout": 0.02}
    backend.put_job("slow", options)
    backend.create_workflow("slow", None, None, None, None)
    backend.create_trigger(
        name="start",
        workflow_name="slow",
        trigger_type="ON_DEMAND",
        schedule="",
        predicate=None,
        actions=[Action({"JobName": "slow"})],
        description="",
        start_on_creation=False,
        tags={},
        event_batching_condition={},
    )
    run = backend.start_workflow_run("slow", None)
    until(lambda: backend.get_workflow_run("slow", run)["Status"] == "COMPLETED")
    run_record = backend.get_workflow_run("slow", run)
    assert run_record["Statistics"]["TimeoutActions"] == 1
    ((attempt,), _) = backend.get_job_runs("slow")
    assert (attempt.state, attempt.error) == ("TIMEOUT", "Job run timed out")


@pytest.mark.parametrize(
    "location",
    [
        f"s3://{BUCKET}/missing.py",
        f"s3://{BUCKET}",
        f"s3://{BUCKET}/folder/..",
        f"s3://{BUCKET}/{'x' * 300}.py",
    ],
    ids=["missing", "bucket", "dots", "long"],
)
def test_a_job_without_a_script_has_failed(flow: Flow, location: str) -> None:
    """It is tried again, as after any failure."""
    flow.workflow()
    flow.job("one", PASS, Location=location, MaxRetries=1)
    flow.start("one")
    run = flow.run()
    assert flow.states(run) == {"one": ("FAILED", "FAILED")}
    for attempt in flow.attempts(run, "one"):
        assert attempt["ErrorMessage"].startswith("LAUNCH ERROR")


def test_a_job_whose_process_cannot_start_has_failed(
    endpoint: Endpoint, flow: Flow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The job is created all the same; each of its runs has the reason."""
    processes.begin()
    processes.reserve.empty()
    monkeypatch.setattr(context, "endpoint", lambda *_: endpoint)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "unmounted"))
    backend = engine.LocalGlueBackend(endpoint.region, endpoint.account)
    command = {"Name": "pythonshell", "ScriptLocation": f"s3://{BUCKET}/any.py"}
    backend.put_job("roomless", {"Role": flow.role, "Command": command})
    run = backend.get_job_run("roomless", backend.start_job_run("roomless", None))
    until(lambda: run.completed)
    assert run.state == "FAILED"
    assert run.error.startswith("LAUNCH ERROR | [Errno 2] No such file or directory")


def test_a_job_whose_script_finds_no_space_has_failed(
    endpoint: Endpoint, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process ends, and its directory goes; the next run has a process of its own."""
    processes.begin()
    processes.reserve.empty()
    used: list[Path] = []

    def fill(_: Endpoint, __: jobs.JobRun, directory: Path) -> NoReturn:
        used.append(directory)
        (directory / "half.py").write_text("pri")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(context, "endpoint", lambda *_: endpoint)
    monkeypatch.setattr(jobs, "_prepare", fill)
    backend = engine.LocalGlueBackend(endpoint.region, endpoint.account)
    command = {"Name": "pythonshell", "ScriptLocation": f"s3://{BUCKET}/any.py"}
    backend.put_job("full", {"Role": flow.role, "Command": command, "MaxRetries": 0})
    for _ in range(2):
        run = backend.get_job_run("full", backend.start_job_run("full", None))
        until(lambda run=run: run.completed)
        assert run.state == "FAILED"
        assert run.error == "LAUNCH ERROR | [Errno 28] No space left on device"
    assert len(set(used)) == 2
    until(lambda: not any(directory.exists() for directory in used))
    runs, _ = backend.get_job_runs("full")
    assert [run.process.process.poll() is None for run in runs] == [False, False]


@pytest.mark.parametrize(
    ("options", "capacity"),
    [
        ({"WorkerType": "G.1X", "NumberOfWorkers": 2}, 2.0),
        ({"WorkerType": "G.2X", "NumberOfWorkers": 3}, 6.0),
        ({}, 10.0),
        ({"Kind": "pythonshell"}, 0.0625),
        ({"Kind": "pythonshell", "MaxCapacity": 1.0}, 1.0),
    ],
)
def test_a_job_and_its_runs_have_their_capacity(
    flow: Flow, options: dict[str, Any], capacity: float
) -> None:
    """In DPUs, as Glue derives it from workers, or its default."""
    kind = options.pop("Kind", "glueetl")
    command = {"Name": kind, "ScriptLocation": f"s3://{BUCKET}/missing.py"}
    name = flow.job("sized", PASS, Command=command, **options)
    run = flow.glue.start_job_run(JobName=name)["JobRunId"]
    flow.glue.batch_stop_job_run(JobName=name, JobRunIds=[run])
    for described in (
        flow.glue.get_job(JobName=name)["Job"],
        flow.glue.get_job_run(JobName=name, RunId=run)["JobRun"],
    ):
        assert described["MaxCapacity"] == capacity
        assert described["AllocatedCapacity"] == int(capacity)


def test_crawls_are_listed(flow: Flow) -> None:
    """Newest first, each with its log and its end."""
    crawler = flow.crawler("listed")
    assert flow.glue.list_crawls(CrawlerName=crawler)["Crawls"] == []

    def crawl() -> list[dict[str, Any]]:
        flow.glue.start_crawler(Name=crawler)
        until(lambda: flow.glue.get_crawler(Name=crawler)["Crawler"]["State"] == "READY")
        crawls: list[dict[str, Any]] = flow.glue.list_crawls(CrawlerName=crawler)["Crawls"]
        return crawls

    (first,) = crawl()
    assert (first["State"], first["LogGroup"]) == ("COMPLETED", CRAWLER_LOGS)
    assert (first["LogStream"], first["MessagePrefix"]) == (crawler, first["CrawlId"])
    assert first["StartTime"] <= first["EndTime"]
    flow.glue.delete_database(Name=flow.name)
    failed, again = crawl()
    assert (failed["State"], again) == ("FAILED", first)
    assert failed["ErrorMessage"]
    with pytest.raises(flow.glue.exceptions.EntityNotFoundException):
        flow.glue.list_crawls(CrawlerName="no-such-crawler")


def test_a_job_may_name_its_role_without_an_arn(flow: Flow) -> None:
    flow.workflow()
    flow.job("one", PASS, Role=ROLE)
    flow.start("one")
    assert flow.states(flow.run()) == {"one": SUCCEEDED}


@pytest.mark.parametrize("kind", ["JobName", "CrawlerName"])
def test_a_missing_node_is_an_error_of_its_run(flow: Flow, kind: str) -> None:
    """The run ends, the other actions run."""
    flow.workflow()
    job = flow.job("there", PASS)
    flow.start(Actions=[{kind: f"{flow.name}-missing"}, {"JobName": job}])
    run = flow.run()
    assert run["Status"] == "COMPLETED"
    assert run["Statistics"]["ErroredActions"] == run["Statistics"]["SucceededActions"] == 1


def test_a_job_that_runs_already_is_an_error_of_the_run(flow: Flow) -> None:
    """A job has one run at a time unless it allows more."""
    flow.workflow()
    job = flow.job("busy", SLEEP)
    flow.start("busy")
    outside = flow.glue.start_job_run(JobName=job)["JobRunId"]
    run = flow.run()
    (attempt,) = flow.attempts(run, "busy")
    assert attempt["JobRunState"] == "ERROR"
    assert attempt["ErrorMessage"] == f"Concurrent runs exceeded for {job}"
    assert run["Statistics"]["ErroredActions"] == 1
    flow.glue.batch_stop_job_run(JobName=job, JobRunIds=[outside])
    ended = until(
        lambda: (
            job_run
            if (job_run := flow.glue.get_job_run(JobName=job, RunId=outside)["JobRun"])[
                "JobRunState"
            ]
            == "STOPPED"
            else None
        )
    )
    assert "ErrorMessage" not in ended


# --- runs ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("running", [True, False], ids=["running", "at-once"])
def test_a_stopped_run_kills_its_job(flow: Flow, running: bool) -> None:
    """Glue neither retries nor continues it. A run can be stopped once."""
    flow.workflow()
    flow.job("long", SLEEP, MaxRetries=1)
    flow.job("next", PASS)
    flow.start("long")
    flow.then("next", after={"long": "STOPPED"})
    run = flow.begin()
    if running:
        flow.wait_for(run, "long", "RUNNING")
    flow.glue.stop_workflow_run(Name=flow.name, RunId=run)
    ended = flow.end(run)
    assert ended["Status"] == "STOPPED"
    assert flow.states(ended) == {"long": ("STOPPED",)}
    assert ended["Statistics"]["StoppedActions"] == 1
    with pytest.raises(ClientError, match="not running"):
        flow.glue.stop_workflow_run(Name=flow.name, RunId=run)


def test_a_run_beyond_the_allowed_ones_is_an_error(flow: Flow) -> None:
    """It starts nothing. The next run starts after the first has ended."""
    flow.workflow(MaxConcurrentRuns=1)
    flow.job("long", SLEEP)
    flow.start("long")
    first = flow.begin()
    refused = flow.look(flow.begin())
    assert refused["Status"] == "ERROR"
    assert refused["ErrorMessage"] == f"Concurrent runs exceeded for workflow: {flow.name}"
    assert refused["CompletedOn"] >= refused["StartedOn"]
    assert flow.states(refused) == {}
    assert flow.look(first)["Status"] == "RUNNING"
    flow.glue.stop_workflow_run(Name=flow.name, RunId=first)
    flow.end(first)
    third = flow.begin()
    assert flow.look(third)["Status"] == "RUNNING"
    flow.glue.stop_workflow_run(Name=flow.name, RunId=third)
    assert flow.end(third)["PreviousRunId"] == refused["WorkflowRunId"]


def test_a_job_sees_and_changes_the_properties_of_its_run(flow: Flow) -> None:
    """The run's own values override the workflow's defaults, which do not change."""
    defaults = {"kept": "default", "replaced": "default"}
    flow.workflow(DefaultRunProperties=defaults)
    flow.job("one", ADD_PROPERTY)
    flow.start("one")
    run = flow.run(replaced="given")
    expected = {"kept": "default", "replaced": "given", "seen": "default,given"}
    assert flow.states(run) == {"one": SUCCEEDED}
    assert run["WorkflowRunProperties"] == expected
    asked = flow.glue.get_workflow_run_properties(Name=flow.name, RunId=run["WorkflowRunId"])
    assert asked["RunProperties"] == expected
    workflow = flow.glue.get_workflow(Name=flow.name)["Workflow"]
    assert workflow["DefaultRunProperties"] == defaults


def test_runs_are_listed_page_by_page_newest_first(flow: Flow) -> None:
    """With their graphs when asked for."""
    flow.workflow()
    flow.job("one", PASS)
    flow.start("one")
    started = [flow.run()["WorkflowRunId"] for _ in range(3)]

    def page(**options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = flow.glue.get_workflow_runs(
            Name=flow.name, MaxResults=2, **options
        )
        return answer

    first = page()
    second = page(NextToken=first["NextToken"])
    assert [run["WorkflowRunId"] for run in first["Runs"]] == started[:0:-1]
    assert [run["WorkflowRunId"] for run in second["Runs"]] == started[:1]
    assert "NextToken" not in second
    assert first["Runs"][0]["PreviousRunId"] == started[1]
    assert all("Graph" not in run for run in first["Runs"])
    with_graph = page(IncludeGraph=True)["Runs"]
    assert [flow.states(run) for run in with_graph] == [{"one": SUCCEEDED}] * 2
    counts = {run["Statistics"]["SucceededActions"] for run in first["Runs"]}
    assert counts == {1}
    everything = flow.glue.get_workflow_runs(Name=flow.name)
    assert len(everything["Runs"]) == 3
    assert "Graph" in flow.look(started[0], graph=True)
    assert "Graph" not in flow.look(started[0], graph=False)


@pytest.mark.parametrize("asked", ["start_workflow_run", "get_workflow_runs", "get_workflow"])
def test_a_workflow_that_does_not_exist_is_not_found(flow: Flow, asked: str) -> None:
    with pytest.raises(flow.glue.exceptions.EntityNotFoundException):
        getattr(flow.glue, asked)(Name=flow.name)


# --- workflows ----------------------------------------------------------------------------------
def test_workflows_are_described_together(flow: Flow) -> None:
    """Missing ones are listed by name; the last run has no graph."""
    flow.workflow(Description="described")
    flow.job("one", PASS)
    flow.start("one")
    missing = f"{flow.name}-missing"
    (workflow,) = flow.glue.batch_get_workflows(Names=[flow.name])["Workflows"]
    assert "LastRun" not in workflow
    run = flow.run()
    answer = flow.glue.batch_get_workflows(Names=[missing, flow.name])
    assert answer["MissingWorkflows"] == [missing]
    (workflow,) = answer["Workflows"]
    assert (workflow["Name"], workflow["Description"]) == (flow.name, "described")
    last = workflow["LastRun"]
    assert (last["WorkflowRunId"], last["Status"]) == (run["WorkflowRunId"], "COMPLETED")
    assert last["Statistics"]["SucceededActions"] == 1
    assert "Graph" not in workflow
    assert "Graph" not in last


def test_a_workflow_shows_its_graph_when_asked_for(flow: Flow) -> None:
    """Triggers with schedule and state, edges between them and their jobs."""
    flow.workflow()
    flow.jobs(one=PASS, two=PASS)
    daily = "cron(0 10 * * ? *)"
    begin = flow.start("one", Type="SCHEDULED", Schedule=daily)
    after = flow.then("two", after={"one": "SUCCEEDED"})
    (workflow,) = flow.glue.batch_get_workflows(Names=[flow.name], IncludeGraph=True)["Workflows"]
    nodes = {node["Name"]: node for node in workflow["Graph"]["Nodes"]}
    assert set(nodes) == {begin, after, f"{flow.name}-one", f"{flow.name}-two"}
    triggers = {name: nodes[name]["TriggerDetails"]["Trigger"] for name in (begin, after)}
    assert (triggers[begin]["Schedule"], triggers[begin]["State"]) == (daily, "CREATED")
    assert (triggers[after]["Type"], triggers[after]["State"]) == ("CONDITIONAL", "ACTIVATED")
    names = {node["UniqueId"]: node["Name"] for node in nodes.values()}
    edges = workflow["Graph"]["Edges"]
    assert {(names[edge["SourceId"]], names[edge["DestinationId"]]) for edge in edges} == {
        (begin, f"{flow.name}-one"),
        (f"{flow.name}-one", after),
        (after, f"{flow.name}-two"),
    }
    flow.glue.start_trigger(Name=begin)
    (workflow,) = flow.glue.batch_get_workflows(Names=[flow.name], IncludeGraph=True)["Workflows"]
    states = {
        node["Name"]: node["TriggerDetails"]["Trigger"]["State"]
        for node in workflow["Graph"]["Nodes"]
        if node["Type"] == "TRIGGER"
    }
    assert states[begin] == "ACTIVATED"
    flow.glue.delete_trigger(Name=begin)


# --- logs ---------------------------------------------------------------------------------------
def test_output_and_errors_of_a_job_are_logged_apart(flow: Flow) -> None:
    """Under the ID of the run; the last line of an exception is the run's message."""
    flow.workflow()
    flow.job("loud", f"import sys; print('said'); print('warned', file=sys.stderr); {FAIL}")
    flow.start("loud")
    (attempt,) = flow.attempts(flow.run(), "loud")
    assert attempt["ErrorMessage"] == "ValueError: broken"
    assert attempt["LogGroupName"] == "/aws-glue/python-jobs"
    assert flow.lines("/aws-glue/python-jobs/output", attempt["Id"]) == ["said"]
    errors = flow.lines("/aws-glue/python-jobs/error", attempt["Id"])
    assert (errors[0], errors[-1]) == ("warned", "ValueError: broken")


@pytest.mark.parametrize("succeeding", [True, False], ids=["succeeded", "failed"])
def test_a_crawl_logs_under_its_crawler(flow: Flow, succeeding: bool) -> None:
    """Each line begins with the crawl's ID, by which its lines are found among the others'."""
    crawler = flow.crawler("crawl", database=succeeding)
    crawls = []
    for _ in range(2 if succeeding else 1):
        flow.glue.start_crawler(Name=crawler)
        until(lambda: flow.glue.get_crawler(Name=crawler)["Crawler"]["State"] == "READY")
        crawls.append(flow.glue.get_crawler(Name=crawler)["Crawler"]["LastCrawl"])
    assert {crawl["Status"] for crawl in crawls} == {"SUCCEEDED" if succeeding else "FAILED"}
    assert {crawl["LogGroup"] for crawl in crawls} == {CRAWLER_LOGS}
    assert {crawl["LogStream"] for crawl in crawls} == {crawler}
    assert len({crawl["MessagePrefix"] for crawl in crawls}) == len(crawls)
    lines = flow.lines(CRAWLER_LOGS, crawler)
    for crawl in crawls:
        own = [line for line in lines if line.startswith(f"[{crawl['MessagePrefix']}] ")]
        assert len(own) == len(lines) / len(crawls)
        errors = [line for line in own if " ERROR : " in line]
        assert bool(errors) is not succeeding
        assert all(line.endswith(crawl["ErrorMessage"]) for line in errors)

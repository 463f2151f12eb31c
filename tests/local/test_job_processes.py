"""One process for each job: what it knows, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import waiting

from dynoexport.local import context
from dynoexport.local.glue import processes
from dynoexport.local.runtime import used_java

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

BUCKET = ROLE = "job-processes"
# What the script, one of its workers and its Java find in their environments.
REPORT = """
import json, os
from pyspark import SparkContext
spark = SparkContext.getOrCreate()
worker = spark.parallelize([0], 1).map(lambda _: dict(os.environ)).first()
java = spark._jvm.java.lang.System
java.err.println("java of " + os.getcwd())
print(json.dumps({"script": dict(os.environ), "worker": worker, "java": dict(java.getenv())}))
"""
SETTINGS = """
from pyspark import SparkContext
spark = SparkContext.getOrCreate()
print(spark.getConf().get("spark.dynoexport.one"), spark.getConf().get("spark.dynoexport.two"))
print(spark._jsc.hadoopConfiguration().get("fs.s3a.endpoint.region"))
"""
# A task that ends its worker at all tries but the last that Glue gives it.
RETRY = """
import os, signal
from pyspark import SparkContext, TaskContext
def attempt(_):
    number = TaskContext.get().attemptNumber()
    if number < 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
print(SparkContext.getOrCreate().parallelize([0], 1).map(attempt).first())
"""
# Where clients of the script and of a worker call; a boto3 that ignores the variables stands for
# one that does not know them.
CALL = """
from pyspark import SparkContext
def endpoint(_):
    import boto3, os
    os.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    return boto3.client("s3").meta.endpoint_url
spark = SparkContext.getOrCreate()
print(endpoint(0), spark.parallelize([0], 1).map(endpoint).first())
"""
# A job has one file.
IMPORT = """
from pyspark import SparkContext
def found(_):
    try:
        import dynoexport.jobs.names
    except ImportError:
        return False
    return True
spark = SparkContext.getOrCreate()
print(found(0), spark.parallelize([0], 1).map(found).first())
"""
HANG = """
import os, time
from pyspark import SparkContext
spark = SparkContext.getOrCreate()
print(os.environ["HOME"], spark._jvm.java.lang.System.getenv("HOME"))
spark.parallelize([0], 1).map(lambda _: time.sleep(600)).collect()
"""


until = partial(waiting.until, seconds=180)


def environments(directory: Path | str) -> dict[int, str]:
    """By process, the environments that name the directory, as those of all its job's do."""
    running = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"HOME={directory}\0" in environment:
            running[int(process.name)] = environment
    return running


def java_in(directory: Path) -> list[int]:
    """The numbers of the processes of Java that belong to a directory."""
    return [
        number
        for number in environments(directory)
        if "SparkSubmit" in Path(f"/proc/{number}/cmdline").read_text()
    ]


def java_of(job: processes.JobProcess) -> int | None:
    """The number of its Java's process."""
    assert job.jvm is not None
    return next(iter(java_in(job.jvm.directory)), None)


def of_java(job: processes.JobProcess) -> dict[int, str]:
    assert job.jvm is not None
    return environments(job.jvm.directory)


# --- the process that waits -----------------------------------------------------------------------
@pytest.fixture
def reserve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[processes.Reserve]:
    """A reserve of an endpoint whose user has credentials and a secret."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SECRET_OF_THE_USER"):
        monkeypatch.setenv(name, f"the user's {name}")
    # An endpoint that has ended in this process lets no more jobs start.
    processes.begin()
    reserve = processes.Reserve()
    yield reserve
    reserve.empty()


def test_a_process_that_waits_has_no_credentials(reserve: processes.Reserve) -> None:
    """Neither it nor its Java has the credentials of the user or of a role."""
    reserve.fill(processes.SPARK)
    waiting = reserve.take(processes.SPARK)
    try:
        until(lambda: java_of(waiting))
        values = [*environments(waiting.directory).values(), *of_java(waiting).values()]
        assert len(values) >= 3
        for environment in values:
            assert "AWS_" not in environment
            assert "the user's" not in environment
    finally:
        waiting.close()


def test_a_process_that_cannot_start_leaves_no_directory(
    reserve: processes.Reserve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The reserve stays empty; whoever needs the process gets the error."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    reserve.fill(processes.PYTHON_SHELL)
    with pytest.raises(FileNotFoundError, match="no-python"):
        reserve.take(processes.PYTHON_SHELL)
    assert list(tmp_path.iterdir()) == []


def test_one_process_waits_at_most_and_for_one_job(reserve: processes.Reserve) -> None:
    """One job takes it. The next job, and each other kind of job, gets a new one."""
    reserve.fill(processes.SPARK)
    reserve.fill(processes.SPARK)
    kinds = [processes.PYTHON_SHELL, processes.SPARK, processes.SPARK]
    taken = [reserve.take(kind) for kind in kinds]
    try:
        assert [job.kind for job in taken] == kinds
        assert len({job.process.pid for job in taken}) == 3
        assert len({job.directory for job in taken}) == 3
    finally:
        for job in taken:
            job.close()


def test_a_process_whose_java_was_killed_is_replaced(
    reserve: processes.Reserve, tmp_path: Path
) -> None:
    """The job gets one that lives, and both directories are gone."""
    reserve.fill(processes.SPARK)
    first = list(tmp_path.iterdir())
    java = until(lambda: [number for place in first for number in java_in(place)])
    os.kill(java[0], signal.SIGKILL)
    until(lambda: any((place / used_java.ENDED).exists() for place in first))
    second = reserve.take(processes.SPARK)
    try:
        assert second.is_alive
        assert not [place for place in first if place.exists()]
    finally:
        second.close()


def test_an_emptied_reserve_leaves_nothing() -> None:
    """No process, no Java, no directory."""
    waiting = processes.start(processes.SPARK)
    until(lambda: java_of(waiting))
    waiting.close()
    until(lambda: environments(waiting.directory) == of_java(waiting) == {})
    assert waiting.jvm is not None
    assert not waiting.directory.exists()
    assert not waiting.jvm.directory.exists()


def test_a_process_ends_with_its_endpoint() -> None:
    """This holds however the endpoint ended, even before there is a job: the pipe closes."""
    waiting = processes.start(processes.SPARK)
    try:
        until(lambda: java_of(waiting))
        assert waiting.jvm is not None
        for process in (waiting.process, waiting.jvm.process):
            assert process.stdin is not None
            process.stdin.close()
        until(lambda: environments(waiting.directory) == of_java(waiting) == {})
    finally:
        waiting.close()


ENDPOINT_WITH_A_JOB = """
import sys, time
from pathlib import Path
from dynoexport.local import context
from dynoexport.local.glue import processes
from dynoexport.local.runtime import used_java
job = processes.start("pythonshell")
job.order(Path(sys.argv[1]), [], {})
print(job.directory, flush=True)
time.sleep(600)
"""


def test_a_job_ends_with_its_endpoint(tmp_path: Path) -> None:
    """Killed, so that it could end nothing itself; the next start removes what is left."""
    script = tmp_path / "job.py"
    script.write_text("import time\nprint('runs', flush=True)\ntime.sleep(600)\n")
    endpoint = subprocess.Popen(
        [sys.executable, "-c", ENDPOINT_WITH_A_JOB, str(script)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert endpoint.stdout is not None
    directory = Path(endpoint.stdout.readline().strip())
    until(lambda: environments(directory))
    endpoint.kill()
    endpoint.communicate()
    until(lambda: environments(directory) == {})
    processes.sweep()
    assert not directory.exists()


def test_a_start_removes_the_directories_of_a_killed_endpoint(
    reserve: processes.Reserve, tmp_path: Path
) -> None:
    """It leaves those of a running endpoint alone."""
    reserve.fill(processes.SPARK)
    alive = set(tmp_path.iterdir())
    assert len(alive) == 2
    left = tmp_path / "dynoexport-job-left"
    left.mkdir()
    (left / "lock").touch()
    processes.sweep()
    assert set(tmp_path.iterdir()) == alive


def test_background_work_ends_with_its_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends silently: a traceback in a thread is an error here."""
    monkeypatch.setattr(context, "_running", [])
    reached = []

    def work() -> None:
        reached.append("before")
        context.endpoint()
        reached.append("after")

    context.in_background(work).join()
    assert reached == ["before"]


def test_no_process_starts_while_the_endpoint_ends(tmp_path: Path) -> None:
    """Existing processes end; a late thread gets none."""
    code = """
from dynoexport.local import context
from dynoexport.local.glue import processes
from dynoexport.local.runtime import used_java
job = processes.start("pythonshell")
processes.end_all()
assert not job.directory.exists()
assert job.process.poll() is not None
try:
    processes.start("pythonshell")
except context.EndpointEnds:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("refused\n", "")
    assert list(tmp_path.iterdir()) == []


# --- Spark jobs on the endpoint -------------------------------------------------------------------
def allow(**statement: Any) -> str:
    whole = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    return json.dumps(whole)


class Jobs:
    """Spark jobs of scripts."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.glue = endpoint.client("glue")
        self.logs = endpoint.client("logs")
        self.s3 = endpoint.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        iam = endpoint.client("iam")
        glue = {"Action": "sts:AssumeRole", "Principal": {"Service": "glue.amazonaws.com"}}
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=allow(**glue))
        everything = allow(Action="*", Resource="*")
        iam.put_role_policy(RoleName=ROLE, PolicyName="all", PolicyDocument=everything)

    def create(self, name: str, script: str, kind: str = "glueetl", **arguments: str) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=f"{name}.py", Body=script.encode())
        self.glue.create_job(
            Name=name,
            Role=ROLE,
            Command={"Name": kind, "ScriptLocation": f"s3://{BUCKET}/{name}.py"},
            DefaultArguments={f"--{key}": value for key, value in arguments.items()},
            ExecutionProperty={"MaxConcurrentRuns": 2},
        )

    def start(self, name: str) -> str:
        return str(self.glue.start_job_run(JobName=name)["JobRunId"])

    def state(self, name: str, run: str) -> str:
        return str(self.glue.get_job_run(JobName=name, RunId=run)["JobRun"]["JobRunState"])

    def ended(self, name: str, run: str) -> str:
        return str(until(lambda: state if (state := self.state(name, run)) in ENDED else None))

    def printed(self, run: str, channel: str = "output") -> list[str]:
        try:
            answer = self.logs.get_log_events(
                logGroupName=f"/aws-glue/jobs/{channel}", logStreamName=run
            )
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in answer["events"]]


ENDED = {"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT"}


@pytest.fixture(scope="module")
def jobs(endpoint: Endpoint) -> Jobs:
    return Jobs(endpoint)


def credentials(environment: dict[str, str]) -> tuple[str, str, str]:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    key, secret, token = (environment[name] for name in names)
    return key, secret, token


@pytest.mark.endpoint
@pytest.mark.spark
def test_jobs_side_by_side_share_nothing(jobs: Jobs) -> None:
    """Each has its role's session in script and workers, a Java and a log of its own.

    One of the two used the waiting process, the other a new one.
    """
    jobs.create("report", REPORT)
    runs = [jobs.start("report") for _ in range(2)]
    assert [jobs.ended("report", run) for run in runs] == ["SUCCEEDED", "SUCCEEDED"]
    printed = [json.loads(jobs.printed(run)[-1]) for run in runs]
    for run, of_run in zip(runs, printed, strict=True):
        assert credentials(of_run["script"]) == credentials(of_run["worker"])
        assert not [name for name in of_run["java"] if name.startswith("AWS_")]
        assert all("SECRET_OF_THE_USER" not in environment for environment in of_run.values())
        assert of_run["script"]["HOME"] == of_run["worker"]["HOME"] != of_run["java"]["HOME"]
        java = [line for line in jobs.printed(run, "error") if line.startswith("java of ")]
        assert java == [f"java of {of_run['java']['HOME']}/{used_java.WORK}"]
    for left, right in zip(
        *(credentials(environment["script"]) for environment in printed), strict=True
    ):
        assert left != right
    assert printed[0]["java"]["HOME"] != printed[1]["java"]["HOME"]
    until(lambda: not any(environments(of_run["script"]["HOME"]) for of_run in printed))
    # One Java waits for the next job.
    until(lambda: sum(bool(environments(of_run["java"]["HOME"])) for of_run in printed) <= 1)


# Leaves in Java what a job can leave there.
LEAVE = """
import os
from pyspark import SparkContext
from pyspark.sql import SparkSession
SparkContext.setSystemProperty("spark.dynoexport.left", "here")
SparkContext.setSystemProperty("spark.sql.shuffle.partitions", "77")
spark = SparkSession.builder.getOrCreate()
spark.range(2).createGlobalTempView("left")
spark.range(2).write.saveAsTable("left")
with open("left.txt", "w") as file:
    file.write("a line")
spark.read.text("left.txt").coalesce(1).write.text("left")
path = spark._jvm.org.apache.hadoop.fs.Path("s3://job-processes/")
path.getFileSystem(spark._jsc.hadoopConfiguration()).exists(path)
java = spark._jvm.java.lang
java.System.err.println("java knows " + os.environ["AWS_ACCESS_KEY_ID"])
getattr(java.System.out, "print")("java ends without a line break")
print(java.System.getenv("HOME"), os.environ["AWS_ACCESS_KEY_ID"], flush=True)
"""
FIND = """
import os
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
java = spark._jvm.java.lang
print(java.System.getenv("HOME"))
# Without those of Spark itself.
names = [name for name in os.listdir() if not name.startswith(("spark-", "blockmgr-"))]
print(spark.conf.get("spark.sql.shuffle.partitions"), names)
print(spark.sql("show tables in global_temp").count(), spark.sql("show tables").count())
print(java.System.getProperties().toString().replace("\\n", " "))
spark.range(2).write.saveAsTable("left")
"""


@pytest.mark.endpoint
@pytest.mark.spark
@pytest.mark.parametrize(
    ("name", "end", "state"),
    [
        ("good", "", "SUCCEEDED"),
        ("exit", "raise SystemExit(1)", "FAILED"),
        ("error", "spark.sql('no sql')", "FAILED"),
    ],
)
def test_a_later_job_finds_nothing_in_the_java_of_a_former_one(
    jobs: Jobs, name: str, end: str, state: str
) -> None:
    """One Java serves both; no view, table, file, setting or credential of the first is in it."""
    leave, find = f"leave-{name}", f"find-{name}"
    jobs.create(leave, LEAVE + end)
    jobs.create(find, FIND)
    first = jobs.start(leave)
    assert jobs.ended(leave, first) == state
    printed = jobs.printed(first)
    assert "java ends without a line break" in printed
    (java, key) = next(line.split() for line in printed if line.startswith("/"))
    assert f"java knows {key}" in jobs.printed(first, "error")
    # However slow the machine is: it is free when its log is empty.
    until(lambda: (Path(java) / used_java.ERRORS).read_bytes() == b"")
    second = jobs.start(find)
    assert jobs.ended(find, second) == "SUCCEEDED"
    same_java, settings, tables, properties = jobs.printed(second)
    assert same_java == java
    assert settings == "4 []"
    assert tables == "0 0"
    assert "spark.dynoexport.left" not in properties
    assert "spark.executorEnv.AWS_ACCESS_KEY_ID" in properties
    assert key not in properties
    assert not [line for line in jobs.printed(second, "error") if "java knows" in line]


KEEP = """
import os, sys, threading, time
from pyspark import SparkContext
spark = SparkContext.getOrCreate()
java = spark._jvm
print(java.java.lang.ProcessHandle.current().pid(), flush=True)
"""
SLEEP = """
sleep = spark.parallelize([0], 1).map(lambda _: time.sleep(600))
threading.Thread(target=sleep.collect, daemon=True).start()
while not spark.statusTracker().getActiveJobsIds():
    time.sleep(0.05)
"""


@pytest.mark.endpoint
@pytest.mark.spark
@pytest.mark.parametrize(
    "end",
    [
        'spark.setLogLevel("OFF")',
        'spark.setLogLevel("INFO")',
        'java.java.util.TimeZone.setDefault(java.java.util.TimeZone.getTimeZone("Asia/Tokyo"))',
        "spark._gateway.new_array(java.long, 50_000_000)",
        "os._exit(0)",
        SLEEP,
    ],
    ids=["no log", "more log", "time zone", "memory", "no end of the script", "running task"],
)
def test_a_java_that_is_not_as_before_serves_no_other_job(jobs: Jobs, end: str) -> None:
    """What cannot be put back would be there for all later jobs."""
    name = f"keep-{len(end)}"
    jobs.create(name, f"{KEEP}{end}\n")
    run = jobs.start(name)
    assert jobs.ended(name, run) == "SUCCEEDED", jobs.printed(run, "error")
    number = jobs.printed(run)[0]
    until(lambda: not Path(f"/proc/{number}").exists())


@pytest.mark.endpoint
@pytest.mark.spark
def test_an_old_boto3_calls_the_endpoint(endpoint: Endpoint, jobs: Jobs) -> None:
    """In the script and in Spark's workers."""
    jobs.create("call", CALL)
    run = jobs.start("call")
    assert jobs.ended("call", run) == "SUCCEEDED"
    assert jobs.printed(run)[-1] == f"{endpoint.url} {endpoint.url}"


ODD = """
class Odd(Exception):
    def __init__(self, what, code):
        super().__init__(what)
raise Odd("reason", 1)
"""


@pytest.mark.endpoint
def test_a_python_shell_job_raises_its_error_made_from_itself(jobs: Jobs) -> None:
    """As in Glue, where an error that cannot be rebuilt from itself hides its reason."""
    jobs.create("odd", ODD, kind="pythonshell")
    run = jobs.start("odd")
    assert jobs.ended("odd", run) == "FAILED"
    error = jobs.glue.get_job_run(JobName="odd", RunId=run)["JobRun"]["ErrorMessage"]
    assert "missing 1 required positional argument: 'code'" in error


@pytest.mark.endpoint
@pytest.mark.spark
def test_a_job_cannot_import_the_package(jobs: Jobs) -> None:
    """As in Glue: every job that runs here proves that its script stands alone."""
    jobs.create("import", IMPORT)
    run = jobs.start("import")
    assert jobs.ended("import", run) == "SUCCEEDED"
    assert jobs.printed(run)[-1] == "False False"


@pytest.mark.endpoint
@pytest.mark.spark
def test_a_stopped_spark_job_leaves_nothing(jobs: Jobs) -> None:
    """Script, Java and workers end, and their directory is gone."""
    jobs.create("hang", HANG)
    run = jobs.start("hang")
    homes = until(lambda: jobs.printed(run))[0].split()
    until(lambda: all(len(environments(home)) >= 2 for home in homes))
    jobs.glue.batch_stop_job_run(JobName="hang", JobRunIds=[run])
    assert jobs.ended("hang", run) == "STOPPED"
    for home in homes:
        until(lambda home=home: environments(home) == {} and not Path(home).exists())


@pytest.mark.endpoint
@pytest.mark.spark
def test_a_task_has_four_tries_as_on_glue(jobs: Jobs) -> None:
    """A lost Python worker fails no job, unless it is lost four times."""
    jobs.create("retry", RETRY)
    run = jobs.start("retry")
    assert jobs.ended("retry", run) == "SUCCEEDED"
    assert jobs.printed(run) == ["3"]


@pytest.mark.endpoint
@pytest.mark.spark
def test_a_jobs_conf_sets_spark_as_on_glue(jobs: Jobs) -> None:
    """One argument holds several settings, separated by --conf."""
    region = "spark.hadoop.fs.s3a.endpoint.region=eu-west-1"
    both = "spark.dynoexport.one=a=1 --conf spark.dynoexport.two=b"
    jobs.create("settings", SETTINGS, conf=f"{region} --conf {both}")
    run = jobs.start("settings")
    assert jobs.ended("settings", run) == "SUCCEEDED"
    assert jobs.printed(run) == ["a=1 b", "eu-west-1"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_group_of_ended_processes_does_not_run() -> None:
    """In a container, the first process may never ask for the status of orphans."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        assert processes.group_runs(process.pid)
        process.kill()
        # Its status is not asked for: it keeps its number and its group.
        until(lambda: not processes.group_runs(process.pid))
        os.killpg(process.pid, 0)

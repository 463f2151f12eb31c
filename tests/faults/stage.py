"""Where the faults happen: deployed exports on an endpoint behind the proxy, and their tables."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import schedules
from moto.dynamodb.models import dynamodb_backends
from moto.glue.models import glue_backends
from moto.sns.models import sns_backends
from proxy import Injector, Proxy
from warm import Runner, endpoints_of

from dynoexport import naming
from dynoexport.aws import exports, workflow_runs
from dynoexport.aws.account import Account
from dynoexport.jobs.s3 import list_objects
from dynoexport.local import context, server
from dynoexport.local.services.query import Engine
from dynoexport.model import OutputFormat
from dynoexport.operations import deploy as deploying
from dynoexport.operations import init as initializing
from dynoexport.operations import snapshots as snapshotting
from dynoexport.storage import manifests, snapshot_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schedules import Target

    from dynoexport.local.context import Endpoint
    from dynoexport.local.glue.jobs import JobRun

ITEMS = 40
Items = dict[str, tuple[str, str]]


class Clock:
    """The endpoint's, which can be put forward; jobs have the machine's."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(timezone.utc) + self.ahead


@contextmanager
def open_stage(master: str) -> Iterator[Stage]:
    """Jobs run in one Spark with that master, by default that of the endpoint."""
    clock = Clock()
    with server.serve(port=0, now=clock.now) as endpoint:
        stage = Stage(endpoint, clock, master)
        yield stage
        stage.runner.spark.stop()


class Stage:
    def __init__(self, endpoint: Endpoint, clock: Clock, master: str) -> None:
        self.endpoint, self.clock = endpoint, clock
        self.injector = Injector()
        self.proxy = Proxy(endpoint.url, self.injector)
        session = boto3.Session(
            endpoint.env["AWS_ACCESS_KEY_ID"], endpoint.secret, region_name=endpoint.region
        )
        self.account = Account(session, endpoint.region, endpoint.url)
        initializing.init(self.account, parameters={"NotificationEmail": "owner@example.org"})
        places = endpoints_of(self.proxy, endpoint)
        # What the endpoint asks of itself goes through the proxy, too.
        context.set_endpoint(places[schedules.ENGINE])
        self.runner = Runner(places, self.account.bucket, master)
        self.deployed: dict[Target, Deployed] = {}
        self.runner.ended = lambda _: self.injector.stop(schedules.CUT_OFF)

    def job_processes(self) -> list[JobRun]:
        """The job runs that have a process now."""
        runs = [run for job_runs in self._glue().runs_of_jobs.values() for run in job_runs]
        return [run for run in runs if run.process and run.process.process.poll() is None]

    def has_ended(self, run_id: str) -> bool:
        return self._glue().executions[run_id].record.completed_on is not None

    def _glue(self) -> Any:
        return glue_backends[self.endpoint.account][self.endpoint.region]

    def messages(self) -> list[str]:
        """What the topic's subscribers were sent, oldest first."""
        topics = sns_backends[self.endpoint.account][self.endpoint.region].topics.values()
        return [sent[1] for topic in topics for sent in topic.sent_notifications]

    def misses(self, table: str, fmt: str, seconds: float = 60) -> bool:
        """Whether the alarm of the stale snapshot goes off when its time has come."""
        name, cloudwatch = naming.snapshot_alarm(table, fmt), self.account.cloudwatch
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        self.clock.ahead += timedelta(hours=alarm["EvaluationPeriods"] + 1)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
            if alarm["StateValue"] == "ALARM":
                return any(name in text and '"ALARM"' in text for text in self.messages())
            time.sleep(0.2)
        return False

    def calm(self) -> None:
        """Stop all faults."""
        self.injector.begin(0, ())
        self.proxy.crawls.set()
        self.runner.in_processes = False

    def recover(self, target: Target) -> None:
        """Clean up after a broken trial: run once without faults."""
        self.calm()
        deployed = self.deployed.get(target)
        if deployed is not None:
            deployed.see_to_table()
            deployed.settle()
            if not deployed.run().succeeded:
                # It has ended; the next seed of it reports that.
                print(f"!!! {target.table} does not recover", flush=True)

    def lift_limits(self, deployed: Deployed) -> Callable[[], None]:
        """Allow several runs at once, as an owner can in the console; what forbids them again."""
        glue, name = self._glue(), deployed.workflow
        jobs = [glue.get_job(job_name) for job_name in deployed.jobs]
        glue.workflows[name].max_concurrent_runs = 3
        for job in jobs:
            job.execution_property["MaxConcurrentRuns"] = 3

        def forbid() -> None:
            glue.workflows[name].max_concurrent_runs = 1
            for job in jobs:
                job.execution_property["MaxConcurrentRuns"] = 1

        return forbid

    def export_of(self, target: Target) -> Deployed:
        """The export, deployed when it is first asked for, with one snapshot."""
        if target not in self.deployed:
            deployed = Deployed(self, target)
            deployed.create_table(deployed.items)
            deployed.deploy()
            workflow_runs.require_success(deployed.run())
            self.deployed[target] = deployed
        return self.deployed[target]


class Deployed:
    """A table with its export."""

    def __init__(self, stage: Stage, target: Target, table: str = "") -> None:
        self.stage, self.account, self.target = stage, stage.account, target
        self.table = table or target.table
        self.dynamodb = stage.endpoint.client("dynamodb")
        self.glue = stage.endpoint.client("glue")
        self.s3 = stage.endpoint.client("s3")
        self.athena = stage.endpoint.client("athena")
        self.chance = random.Random(self.table)
        self.made = 0
        self.items: Items = {}
        self.add(ITEMS)

    @property
    def jobs(self) -> tuple[str, str]:
        table, fmt = self.table, self.target.format
        return naming.export_job(table, fmt), naming.view_job(table, fmt)

    # --- the table -------------------------------------------------------------------------------
    def add(self, count: int) -> None:
        for _ in range(count):
            self.items[f"order-{self.made:05}"] = ("1", f'a "note", number {self.made}')
            self.made += 1

    def fill(self, count: int) -> None:
        """Put many small items straight into moto: API calls would take minutes."""
        region = self.stage.endpoint.region
        table = dynamodb_backends[self.stage.endpoint.account][region].tables[self.table]
        for number in range(count):
            table.put_item({"id": {"S": f"item-{number:07}"}, "n": {"N": str(number)}})

    def create_table(self, items: Items) -> None:
        self.dynamodb.create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.dynamodb.update_continuous_backups(
            TableName=self.table,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        puts = [{"PutRequest": {"Item": item_of(key, *items[key])}} for key in items]
        self._write(puts)

    def _write(self, requests: list[dict[str, Any]]) -> None:
        for start in range(0, len(requests), 25):
            some = requests[start : start + 25]
            self.dynamodb.batch_write_item(RequestItems={self.table: some})

    def change(self, chance: random.Random, changed: int = 6, gone: int = 2, new: int = 3) -> None:
        """Other versions of some items, some less, some more."""
        before = dict(self.items)
        for key in chance.sample(sorted(self.items), changed):
            version, note = self.items[key]
            self.items[key] = (str(int(version) + 1), note)
        for key in chance.sample(sorted(self.items), gone):
            del self.items[key]
        self.add(new)
        put = [key for key in self.items if self.items[key] != before.get(key)]
        deleted = [key for key in before if key not in self.items]
        self._write(
            [{"PutRequest": {"Item": item_of(key, *self.items[key])}} for key in put]
            + [{"DeleteRequest": {"Key": {"id": {"S": key}}}} for key in deleted]
        )

    def delete_table(self) -> None:
        self.dynamodb.delete_table(TableName=self.table)

    def see_to_table(self) -> None:
        """Create the table again if it was deleted, as its owner would."""
        with suppress(self.dynamodb.exceptions.ResourceInUseException):
            self.create_table(self.items)

    # --- the export ------------------------------------------------------------------------------
    def deploy(self) -> None:
        parameters = {
            "ReadMode": self.target.reader,
            "CatalogUpdate": self.target.update,
            "Engine": self.target.engine,
            "MaxRetries": str(self.target.retries),
            "NotifyOnFailure": "true",
            "NumberOfWorkers": "2",
            "MaxConsumedReadThroughput": "1.0",
        }
        (done,) = deploying.deploy(
            self.account,
            self.table,
            fmt=OutputFormat(self.target.format),
            enabled=True,
            parameters=parameters,
        )
        self.workflow = done.workflow
        # The alarm speaks, and no run starts but those of the trials.
        self.glue.stop_trigger(Name=naming.start_trigger(self.workflow))
        self.export = exports.find_one(self.account, self.table)

    def start(self, splits: str = schedules.SPLITS) -> str:
        answer = self.glue.start_workflow_run(Name=self.workflow, RunProperties={"Splits": splits})
        return str(answer["RunId"])

    def look(self, run_id: str) -> workflow_runs.Run:
        return workflow_runs.get(self.glue, self.workflow, run_id)

    def ended(self, run_id: str, seconds: float = 900) -> workflow_runs.Run:
        """The run when it has ended; looked at where the endpoint keeps it, for that costs nothing.

        Raises:
            TimeoutError: it does not.
        """
        until = time.monotonic() + seconds
        while not self.stage.has_ended(run_id):
            if time.monotonic() > until:
                raise TimeoutError(f"the run {run_id} has not ended after {seconds} s")
            time.sleep(0.02)
        return self.look(run_id)

    def run(self, splits: str = schedules.SPLITS) -> workflow_runs.Run:
        return self.ended(self.start(splits))

    def settle(self) -> None:
        """Wait for what a failed run has left running: a crawl."""
        if self.target.update != "crawler":
            return
        name = naming.crawler(self.table, self.target.format)
        while self.glue.get_crawler(Name=name)["Crawler"]["State"] != "READY":
            time.sleep(0.05)

    def queries(self) -> list[str]:
        """The queries that run."""
        found = self.athena.list_query_executions(WorkGroup=naming.VIEW_WORK_GROUP)
        return list(found["QueryExecutionIds"])

    # --- what is there ---------------------------------------------------------------------------
    def _rows(self, sql: str) -> list[dict[str, Any]]:
        found = Engine(self.glue, self.s3, naming.DATABASE).run(sql)
        assert found is not None
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows

    def view(self) -> tuple[set[str], list[tuple[str, str, str]]]:
        """The snapshots whose rows the view shows, and its rows."""
        rows = self._rows(f'SELECT * FROM "{self.export.view}"')
        return {row[naming.PARTITION_KEY] for row in rows}, sorted(map(plain, rows))

    def sums(self) -> dict[str, int]:
        """What proves that every item of ``fill`` is there once."""
        (row,) = self._rows(
            'SELECT count(*) AS "rows", count(DISTINCT id) AS ids, min(n) AS least, '
            f'max(n) AS most, sum(n) AS "sum" FROM "{self.export.view}"'
        )
        return {name: int(value) for name, value in row.items()}

    def rows_of(self, timestamp: str) -> list[tuple[str, str, str]]:
        """The rows of a snapshot in the table of all."""
        where = f"WHERE {naming.PARTITION_KEY} = '{timestamp}'"
        return sorted(
            map(plain, self._rows(f'SELECT * FROM "{self.export.snapshots_table}" {where}'))
        )

    def snapshots(self) -> list[snapshot_store.Snapshot]:
        """As ``dynoexport snapshots`` shows them."""
        return snapshotting.snapshots(self.account, self.table)

    def manifest(self, timestamp: str) -> manifests.Manifest | None:
        table, fmt = self.table, self.target.format
        return manifests.read(self.s3, self.account.bucket, table, fmt, timestamp)

    def keys(self, prefix: str) -> dict[str, int]:
        return list_objects(self.s3, self.account.bucket, prefix)

    def parts(self, timestamp: str) -> list[str]:
        prefix = naming.snapshot_prefix(self.table, self.target.format, timestamp)
        return sorted(self.keys(prefix))

    def prune(self) -> None:
        snapshotting.prune(self.account, self.table, keep=1)

    def property_of(self, run_id: str, name: str) -> str | None:
        answer = self.glue.get_workflow_run_properties(Name=self.workflow, RunId=run_id)
        found: str | None = answer["RunProperties"].get(name)
        return found


def item_of(key: str, version: str, note: str) -> dict[str, Any]:
    return {"id": {"S": key}, "version": {"N": version}, "note": {"S": note}}


def rows_of(items: Items) -> list[tuple[str, str, str]]:
    return sorted((key, *value) for key, value in items.items())


def plain(row: dict[str, Any]) -> tuple[str, str, str]:
    return str(row["id"]), str(row["version"]), str(row["note"])

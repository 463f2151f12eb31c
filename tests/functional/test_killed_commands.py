"""SIGKILL at each call to AWS: the same command ends it right, and nothing foreign changes.

Every killed process is a real one, and so is the signal: see ``killing.py``. The endpoint is real
as well, with its Athena and CloudFormation. No Spark runs: the tests write the snapshots.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import killing
import outcomes
import pytest
import started_endpoint
from command import crawl, create_table, exports_bucket, library, put_snapshot
from killing import COMMAND, KILLED, VIEW_JOB
from old_design import OLD, old_file

import dynoexport
from dynoexport import OutputFormat, naming
from dynoexport.jobs.catalog_update import TABLE_INPUT
from dynoexport.jobs.s3 import list_files
from dynoexport.jobs.snapshots import find_marks
from dynoexport.jobs.view import shown_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from killing import Ended, Killer

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

TABLE, FMT, WORKFLOW = "Killed", "json", "a-workflow-without-jobs"
STACK = naming.table_stack(TABLE, FMT)
DATA, MANIFESTS = naming.data_prefix(TABLE, FMT), naming.manifest_prefix(TABLE, FMT)
ADOPTED, OLDER = "2019-11-21T10:00", "2019-11-22T10:00"
CLAIMED, BEFORE_CLAIMS, HALF, CLAIM_ONLY, RENAMED, CURRENT, NEW = (
    f"2026-01-0{day}T10:00" for day in range(1, 8)
)
# Below these prefixes are the scripts, and results of queries, which expire by themselves.
ELSEWHERE = (naming.SCRIPTS_PREFIX, naming.ATHENA_RESULTS_PREFIX)
ITEMS = [{"id": "a", "rating": 1.5}, {"id": "b", "rating": 2.5}]
FOREIGN = [
    f"{DATA}notes.txt",
    f"{DATA}backup/part-0",
    f"{DATA}snapshot_timestamp={CURRENT}-copy/part-0",
    f"{DATA}snapshot_timestamp={RENAMED}/part-0",
    f"{DATA}snapshot_timestamp={OLDER}/run-1-part-r-00000",
    f"{DATA}snapshot_timestamp={OLD}/run-1-part-r-00000",
    f"json/Killed2/snapshot_timestamp={CLAIMED}/part-0",
    f"csv/{TABLE}/snapshot_timestamp={CLAIMED}/part-0",
    f"manifests/csv/{TABLE}/{CLAIMED}.json",
    f"{MANIFESTS}{RENAMED}.json",
    f"{MANIFESTS}{CLAIMED}.json.bak",
    f"{MANIFESTS}README.json",
    "mine.txt",
]


@dataclass(frozen=True)
class State:
    """What lies in the bucket, the catalog and CloudFormation."""

    objects: dict[str, tuple[int, str]]
    catalog: dict[str, tuple[dict[str, Any], dict[str, Any]]]
    stacks: list[str]

    @property
    def shown(self) -> str | None:
        view: Any = self.catalog.get(naming.view(TABLE), (None, {}))[0]
        return shown_timestamp(view)

    @property
    def foreign(self) -> dict[str, tuple[int, str] | None]:
        return {key: self.objects.get(key) for key in FOREIGN}


@dataclass
class World:
    """An export with snapshots of every kind, and what others keep beside it."""

    endpoint: Endpoint
    run_id: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    first: State = field(default_factory=lambda: State({}, {}, []))

    def client(self, service: str) -> Any:
        return self.endpoint.client(service)

    @property
    def bucket(self) -> str:
        return exports_bucket(self.endpoint)

    def make(self) -> None:
        """Put everything there, with the crawler and ``publish`` of the export itself."""
        account, glue = library(self.endpoint), self.client("glue")
        dynoexport.init(account)
        create_table(self.endpoint, TABLE)
        dynoexport.deploy(account, TABLE, fmt=OutputFormat.JSON)
        glue.create_workflow(Name=WORKFLOW)
        self.run_id = glue.start_workflow_run(Name=WORKFLOW)["RunId"]
        glue.put_workflow_run_properties(
            Name=WORKFLOW, RunId=self.run_id, RunProperties={"SnapshotTimestamp": NEW}
        )
        columns = [column("id", "string"), column("rating", "double")]
        for timestamp in (CLAIMED, BEFORE_CLAIMS, CURRENT):
            put_snapshot(self.endpoint, TABLE, timestamp, ITEMS, schema=columns)
        put_snapshot(self.endpoint, TABLE, ADOPTED, ITEMS, schema=columns, adopted=True)
        for timestamp in (OLDER, OLD):
            self.put(f"{naming.snapshot_prefix(TABLE, FMT, timestamp)}run-1-part-r-00000", FMT)
        crawl(self.endpoint, TABLE)
        dynoexport.publish(account, TABLE, CURRENT)
        for timestamp in (CLAIMED, HALF, CLAIM_ONLY, CURRENT, NEW):
            self.put(naming.claim_key(TABLE, FMT, timestamp))
        for number in range(2):
            self.put(f"{naming.snapshot_prefix(TABLE, FMT, HALF)}part-{number}")
        # The new snapshot has a column of another type, and one more.
        wider = [column("id", "string"), column("rating", "decimal(38,18)"), column("n", "bigint")]
        put_snapshot(self.endpoint, TABLE, NEW, ITEMS, schema=wider, workflow_run_id=self.run_id)
        for key in FOREIGN:
            if "part-r" not in key:
                self.put(key)
        where = {"Location": "s3://mine/"}
        glue.create_table(
            DatabaseName=naming.DATABASE,
            TableInput={"Name": "mine", "StorageDescriptor": where},
        )
        self.first = self.state()
        s3 = self.client("s3")
        for key in self.first.objects:
            self.bodies[key] = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def put(self, key: str, fmt: str = "") -> None:
        body = old_file(fmt) if fmt else b"seven b"
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    def state(self) -> State:
        found = list_files(self.client("s3"), self.bucket, "")
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        return State(
            {key: value for key, value in found.items() if not key.startswith(ELSEWHERE)},
            self.catalog(),
            sorted(pages.search("Stacks[].StackName")),
        )

    def catalog(self) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Tables and views, each with its partitions."""
        glue, where = self.client("glue"), {"DatabaseName": naming.DATABASE}
        kept = (*TABLE_INPUT, "ViewOriginalText", "ViewExpandedText")
        return {
            table["Name"]: (
                {key: table[key] for key in kept if key in table},
                {
                    partition["Values"][0]: {
                        key: partition[key]
                        for key in ("Values", "StorageDescriptor", "Parameters")
                        if key in partition
                    }
                    for partition in glue.get_partitions(**where, TableName=table["Name"])[
                        "Partitions"
                    ]
                },
            )
            for table in glue.get_tables(**where)["TableList"]
        }

    def restore(self) -> None:
        """Put back what a command has changed."""
        found, s3 = self.state(), self.client("s3")
        for key in found.objects.keys() - self.first.objects.keys():
            s3.delete_object(Bucket=self.bucket, Key=key)
        for key, value in self.first.objects.items():
            if found.objects.get(key) != value:
                s3.put_object(Bucket=self.bucket, Key=key, Body=self.bodies[key])
        if STACK not in found.stacks:
            dynoexport.deploy(library(self.endpoint), TABLE, fmt=OutputFormat.JSON)
        glue, where = self.client("glue"), {"DatabaseName": naming.DATABASE}
        for name in found.catalog:
            if found.catalog[name] != self.first.catalog.get(name):
                glue.delete_table(**where, Name=name)
        for name, (table, partitions) in self.first.catalog.items():
            if found.catalog.get(name) != (table, partitions):
                glue.create_table(**where, TableInput=table)
                glue.batch_create_partition(
                    **where, TableName=name, PartitionInputList=list(partitions.values())
                )
        assert self.state() == self.first

    def job_arguments(self) -> list[str]:
        """Those of the view job of this run; every snapshot but the new one has expired."""
        values = {
            "TableName": TABLE,
            "OutputFormat": FMT,
            "BucketName": self.bucket,
            "DatabaseName": naming.DATABASE,
            "CatalogPrefix": "",
            "WorkGroup": naming.WORK_GROUP,
            "SnapshotRetentionDays": "1",
            "WORKFLOW_NAME": WORKFLOW,
            "WORKFLOW_RUN_ID": self.run_id,
        }
        return [word for name, value in values.items() for word in (f"--{name}", value)]


def column(name: str, kind: str) -> dict[str, Any]:
    """A column in a manifest."""
    return {"name": name, "type": kind, "attribute": name, "view": name, "shown": True}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with started_endpoint.start() as endpoint:
        made = World(endpoint)
        made.make()
        yield made


@pytest.fixture(scope="module")
def killer(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with killing.killer(world.endpoint.env, tmp_path_factory.mktemp("killed")) as started:
        yield started


# --- what the commands lead to when nothing kills them --------------------------------------------
DESTROY = "destroy --data"
COMMANDS = {
    "adopt": ("adopt", TABLE, "--yes"),
    "prune": ("prune", TABLE, "--keep", "1", "--yes"),
    DESTROY: ("destroy", TABLE, "--data", "--yes"),
}
OPERATIONS = (*COMMANDS, VIEW_JOB)
# The snapshots with a manifest of ours afterwards, and what the view shows.
COMPLETE = {
    "adopt": {ADOPTED, OLDER, OLD, CLAIMED, BEFORE_CLAIMS, CURRENT, NEW},
    "prune": {CURRENT, NEW},
    DESTROY: set(),
    VIEW_JOB: {NEW},
}
SHOWN = {"adopt": CURRENT, "prune": CURRENT, DESTROY: None, VIEW_JOB: NEW}


@dataclass
class Trial:
    """One operation, killed again and again."""

    world: World
    killer: Killer
    name: str

    def run(self, place: int = 0) -> Ended:
        if self.name == VIEW_JOB:
            return self.killer.run(VIEW_JOB, *self.world.job_arguments(), place=place)
        return self.killer.run(COMMAND, *COMMANDS[self.name], place=place)

    def undisturbed(self) -> tuple[State, Ended]:
        """The state that it leads to by itself."""
        self.world.restore()
        ended = self.run()
        assert ended.code == 0, ended.output
        state = self.world.state()
        marks = find_marks(state.objects.keys() - set(FOREIGN), self.world.bucket, TABLE, FMT)
        assert marks.complete == COMPLETE[self.name]
        assert self.name == "adopt" or marks.claimed <= marks.complete
        assert state.shown == SHOWN[self.name]
        assert state.foreign == self.world.first.foreign
        assert (STACK in state.stacks) == (self.name != DESTROY)
        return state, ended

    def killed(self, place: int, wanted: State) -> bool:
        """Kill it at the place, and repeat it. False if it ended before."""
        self.world.restore()
        killed = self.run(place)
        if killed.code != KILLED:
            assert killed.code == 0, killed.output
            return False
        between, first = self.world.state(), self.world.first
        where = f"{self.name}, killed at {place}: {killed.calls[-1]}\n{killed.output}"
        assert between.foreign == first.foreign, where
        assert between.catalog["mine"] == first.catalog["mine"], where
        assert between.shown in {first.shown, wanted.shown}, where
        again = self.run()
        done = self.name == DESTROY and between == wanted
        assert again.code == int(done), f"{where}\n{again.output}"
        assert not done or f"{TABLE} is not exported" in again.output, f"{where}\n{again.output}"
        assert self.world.state() == wanted, f"{where}\n{again.output}"
        return True


@pytest.mark.parametrize("name", OPERATIONS)
def test_repeating_a_killed_command_completes_it(world: World, killer: Killer, name: str) -> None:
    """Killed when the first of its changes has been carried out."""
    trial = Trial(world, killer, name)
    wanted, ended = trial.undisturbed()
    changes = (".PutObject", ".DeleteObjects", ".CreatePartition", ".DeleteStack")
    place = next(
        number
        for number, call in enumerate(ended.calls, 1)
        if call.startswith("response") and call.endswith(changes)
    )
    assert trial.killed(place, wanted)


@pytest.mark.deep
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_command_may_be_killed_at_any_call(world: World, killer: Killer, name: str) -> None:
    """Before each request is sent, and after it has been carried out."""
    trial = Trial(world, killer, name)
    wanted, ended = trial.undisturbed()
    kills = 0
    for place in itertools.count(1):
        if not trial.killed(place, wanted):
            break
        kills += 1
    outcomes.record({"kills": {name: kills}})
    assert kills >= len(ended.calls) / 2

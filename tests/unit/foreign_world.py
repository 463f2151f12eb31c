"""A bucket and a database, as they may lie there: what dynoexport wrote, and what it did not.

A state is made and read straight in moto. Only the operation under test calls AWS: 30 calls for
each state around it would take most of the time.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from moto.athena.models import athena_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.glue.models import FakePartition, FakeTable, FakeWorkflow, glue_backends
from moto.s3.models import s3_backends
from snapshot_bucket import EXPORT, Store, stored_view

from dynoexport import naming
from dynoexport.jobs.catalog_update import TABLE_INPUT
from dynoexport.jobs.names import SNAPSHOT_TIMESTAMP
from dynoexport.jobs.s3 import directory_marker
from dynoexport.jobs.schema.columns import Column, column_entry
from dynoexport.jobs.schema.types import STRING, Type
from dynoexport.jobs.view import view_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynoexport import Account

TABLE, FMT = EXPORT.table, EXPORT.format.value
TIMESTAMPS = [f"2026-01-{day:02}T10:00" for day in range(1, 6)]
OTHER = TIMESTAMPS[-1]
DATA = naming.data_prefix(TABLE, FMT)
TEMP = naming.temp_prefix(TABLE, FMT)
# The workflow of the run that the jobs belong to.
RUNS = "runs"
COLUMNS = ["user", "book"]
SPREAD = [
    f"{DATA}notes.txt",
    f"{DATA}backup/part-0",
    f"{DATA}snapshot_timestamp={TIMESTAMPS[0]}-copy/part-0",
    f"{DATA}snapshot_timestamp=backup/part-0",
    f"{DATA}day={TIMESTAMPS[0]}/part-0",
    f"csv/Reviews2/snapshot_timestamp={TIMESTAMPS[0]}/part-0",
    f"csv/reviews/snapshot_timestamp={TIMESTAMPS[0]}/part-0",
    f"json/Reviews/snapshot_timestamp={TIMESTAMPS[0]}/part-0",
    f"manifests/json/Reviews/{TIMESTAMPS[0]}.json",
    f"manifests/csv/Reviews2/{TIMESTAMPS[0]}.claim",
    f"manifests/csv/Reviews/{TIMESTAMPS[0]}.json.bak",
    "manifests/csv/Reviews/README.json",
    "manifests/csv/Reviews/notes.claim",
    "athena-results/q.csv",
    "scripts/v1/export_table.py",
    "glue-temp-dir/json/Reviews/x",
    "glue-temp-dir/csv/Reviews2/x",
    "glue-temp-dir/csv/Reviews",
    "mine.txt",
]


def run_of(timestamp: str) -> str:
    """The workflow run that has written the snapshot."""
    return f"run of {timestamp}"


def manifest(timestamp: str, **changes: Any) -> bytes:
    """A manifest of ours; a change to None leaves the entry out."""
    columns = [
        column_entry(Column(name, view=name, attribute=name, group="", type=Type(STRING)), FMT)
        for name in COLUMNS
    ]
    content = {
        "table": TABLE,
        "format": FMT,
        "snapshot_timestamp": timestamp,
        "items": 1,
        "bytes": 7,
        "files": [{"key": f"{naming.snapshot_prefix(TABLE, FMT, timestamp)}part-0", "bytes": 7}],
        "schema": columns,
        "workflow_run_id": run_of(timestamp),
        **changes,
    }
    return json.dumps({key: value for key, value in content.items() if value is not None}).encode()


def renamed(timestamp: str) -> bytes:
    """The manifest of the snapshot that has been renamed to this one."""
    return manifest(f"{timestamp[:-1]}7", workflow_run_id=run_of(timestamp))


# How a snapshot may lie there: whether it is ours, its claim, its manifest, its files.
KINDS: dict[str, tuple[bool, bool, Callable[[str], bytes] | None, int]] = {
    "complete": (True, True, manifest, 1),
    "complete, before claims": (True, False, manifest, 1),
    "half written": (True, True, None, 2),
    "claimed only": (True, True, None, 0),
    "without its files": (True, False, manifest, 0),
    "manifest without items": (True, False, lambda timestamp: manifest(timestamp, items=None), 1),
    "adopted": (
        True,
        False,
        lambda timestamp: manifest(timestamp, adopted=True, workflow_run_id=""),
        1,
    ),
    "claimed, with a broken manifest": (True, True, lambda _: b"{", 1),
    "of another design": (False, False, None, 2),
    "with a broken manifest": (False, False, lambda _: b"[" * 9, 1),
    "with another table's manifest": (
        False,
        False,
        lambda timestamp: manifest(timestamp, table="T"),
        1,
    ),
    "renamed": (False, False, renamed, 1),
    "nothing": (False, False, None, 0),
}
# Where the partition of a snapshot may lie, if there is one.
PLACES = ["", "in its folder", "elsewhere", "nowhere"]
VIEWS = ["", "ours", "somebody's", "somebody's table"]


@dataclass(frozen=True)
class State:
    """What is generated."""

    kinds: Mapping[str, str]
    spread: list[str]
    elsewhere: str
    partitions: Mapping[str, str]
    columns: list[str]
    view: str
    deployed: bool


def by_timestamp(*values: str) -> Mapping[str, str]:
    return dict(zip(TIMESTAMPS, values, strict=True))


ANY, PLACE = st.sampled_from(list(KINDS)), st.sampled_from(PLACES)
STATES = st.builds(
    State,
    kinds=st.builds(by_timestamp, *[ANY] * 4, st.just("complete") | ANY),
    spread=st.lists(st.sampled_from(SPREAD), unique=True),
    elsewhere=st.sampled_from(["", "s3://elsewhere/csv/Reviews/"]),
    partitions=st.builds(by_timestamp, *[PLACE] * 5),
    columns=st.permutations(COLUMNS),
    view=st.sampled_from(VIEWS),
    deployed=st.booleans(),
)


def described(location: str, columns: list[str]) -> dict[str, Any]:
    return {
        "Location": location,
        "Columns": [{"Name": name, "Type": "string"} for name in columns],
    }


def view_entries() -> dict[str, dict[str, Any]]:
    """What may have the name of the view."""
    ours = view_sql(
        naming.DATABASE, EXPORT.view, EXPORT.snapshots_table, {"user": "user"}, TIMESTAMPS[1]
    )
    return {
        "ours": stored_view(ours.partition(" AS\n")[2]),
        "somebody's": stored_view("SELECT * FROM mine WHERE snapshot_timestamp = '2026'"),
        "somebody's table": {"StorageDescriptor": described("s3://mine/view/", ["a"])},
    }


@dataclass(frozen=True)
class Entries:
    """Tables and views of the catalog by name, and the partitions of each by timestamp."""

    tables: dict[str, Any]
    partitions: dict[str, dict[str, Any]]


@dataclass
class World:
    """An account with one export among other things."""

    account: Account
    ours: set[str] = field(default_factory=set)
    # What ``prepare`` has put into Glue: jobs, workflows and tags.
    _deployed: tuple[Any, Any, Any] = ({}, {}, {})
    _run: Any = None

    # --- make -------------------------------------------------------------------------------------
    def prepare(self) -> None:
        """What all states have: the workgroup, the DynamoDB table and the export's jobs."""
        self.account.athena.create_work_group(Name=naming.WORK_GROUP)
        self.account.dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "user", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "user", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        workflow = naming.workflow(TABLE, FMT, scheduled=False)
        tags = {
            naming.TAG_TABLE: TABLE,
            naming.TAG_FORMAT: FMT,
            naming.TAG_STACK: "a-stack",
            naming.TAG_WORKFLOW: workflow,
        }
        self.account.glue.create_workflow(Name=workflow)
        for name, own in ((naming.export_job, tags), (naming.view_job, {})):
            self.account.glue.create_job(
                Name=name(TABLE, FMT), Role="r", Command={"Name": "glueetl"}, Tags=own
            )
        self._deployed = (self._glue.jobs, self._glue.workflows, self._glue.tagger.tags)
        self._glue.workflows = {}
        self.account.glue.create_workflow(Name=RUNS)
        self.account.glue.start_workflow_run(Name=RUNS)
        (self._run,) = self._glue.workflows[RUNS].runs.values()
        self._run.run_id = run_of(OTHER)

    def make(self, state: State) -> None:
        """Remove what an earlier state has left, and put this one there."""
        self._objects.clear()
        self._tables.clear()
        self._athena.executions.clear()
        self.ours.clear()
        kept = copy.copy(self._deployed) if state.deployed else ({}, {}, {})
        self._glue.jobs, self._glue.workflows, self._glue.tagger.tags = map(dict, kept)
        self._run.properties = {SNAPSHOT_TIMESTAMP: OTHER}
        runs = FakeWorkflow(RUNS, None, None, None, None)
        runs.runs[self._run.run_id] = self._run
        self._glue.workflows[RUNS] = runs
        store = Store(self.account)
        for timestamp, kind in state.kinds.items():
            self._put_snapshot(store, timestamp, kind)
        own = [f"{TEMP}{run_of(timestamp)}/items/part-0" for timestamp in TIMESTAMPS[-2:]]
        store.put(*own, *state.spread, "mine.txt")
        self.ours.update(own)
        location = state.elsewhere or f"s3://{self.account.bucket}/{DATA}"
        self._put_catalog(state, location)

    def _put_snapshot(self, store: Store, timestamp: str, kind: str) -> None:
        own, claimed, text, files = KINDS[kind]
        keys = []
        if claimed:
            keys.append(naming.claim_key(TABLE, FMT, timestamp))
            store.put(keys[-1], body=run_of(timestamp).encode())
        if text is not None:
            keys.append(naming.manifest_key(TABLE, FMT, timestamp))
            store.put(keys[-1], body=text(timestamp))
        prefix = naming.snapshot_prefix(TABLE, FMT, timestamp)
        below = [f"{prefix}part-{number}" for number in range(files)]
        # EMRFS marks directories, whoever writes them.
        keys += [*below, *([directory_marker(prefix)] if files > 1 else [])]
        store.put(*keys[len(keys) - len(below) - (files > 1) :])
        if own:
            self.ours.update(keys)

    def _put_catalog(self, state: State, location: str) -> None:
        """The table of that name, on its data or elsewhere, what has the view's name, and more."""
        for name, uri in ((EXPORT.snapshots_table, location), ("mine", "s3://mine/")):
            self._put_table(
                name,
                StorageDescriptor=described(uri, state.columns),
                Parameters={"skip.header.line.count": "1"},
            )
            for timestamp, place in state.partitions.items():
                folder = uri if place == "in its folder" else "s3://mine/moved/"
                where = described(f"{folder}{naming.PARTITION_KEY}={timestamp}/", state.columns)
                if place == "nowhere":
                    del where["Location"]
                entry = {"Values": [timestamp], "StorageDescriptor": where}
                if place:
                    partition = FakePartition(naming.DATABASE, name, entry)
                    self._tables[name].partitions[str([timestamp])] = partition
        if state.view:
            self._put_table(EXPORT.view, **view_entries()[state.view])

    def _put_table(self, name: str, **entry: Any) -> None:
        made = FakeTable(naming.DATABASE, name, {"Name": name, **entry}, DEFAULT_ACCOUNT_ID)
        self._tables[name] = made

    # --- read -------------------------------------------------------------------------------------
    def objects(self) -> dict[str, tuple[int, str]]:
        """Bytes and ETag by key."""
        return {key: (found.size, found.etag) for key, found in self._objects.items()}

    def entries(self) -> Entries:
        """What the catalog has, without dates and versions."""
        tables, partitions = {}, {}
        for name, table in self._tables.items():
            # The last one is the table as it is now.
            entry = list(table.versions.values())[-1]
            kept = (*TABLE_INPUT, "ViewOriginalText")
            tables[name] = copy.deepcopy({key: entry[key] for key in kept if key in entry})
            partitions[name] = {
                partition.values[0]: copy.deepcopy(
                    (
                        partition.partition_input.get("StorageDescriptor"),
                        partition.partition_input.get("Parameters", {}),
                    )
                )
                for partition in table.partitions.values()
            }
        return Entries(tables, partitions)

    def statements(self) -> list[str]:
        """What Athena was asked for."""
        return [execution.query for execution in self._athena.executions.values()]

    # --- moto -------------------------------------------------------------------------------------
    @property
    def _objects(self) -> Any:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[self.account.bucket].keys

    @property
    def _glue(self) -> Any:
        return glue_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]

    @property
    def _athena(self) -> Any:
        return athena_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"]

    @property
    def _tables(self) -> Any:
        return self._glue.databases[naming.DATABASE].tables

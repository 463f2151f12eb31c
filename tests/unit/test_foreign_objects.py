"""Whatever lies in the bucket and the database: no operation changes what dynoexport did not write.

Each example fills a bucket with snapshots of ours and of others, complete, damaged, half written or
half deleted, and with everything that may lie beside them. Then it runs one operation.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.athena.models import athena_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.glue.models import glue_backends
from moto.s3.models import s3_backends
from snapshot_bucket import EXPORT, Store

import dynoexport
from dynoexport import AdoptionRefused, naming
from dynoexport.aws.exports import AmbiguousExport, NotExported
from dynoexport.jobs.catalog_update import TABLE_INPUT
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.publish import publish
from dynoexport.jobs.publish_settings import PublishSettings
from dynoexport.jobs.retention import apply_retention
from dynoexport.jobs.s3 import list_files
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport import Account

EXAMPLES = int(os.environ.get("DYNOEXPORT_INPUTS", "10"))
TABLE, FMT = EXPORT.table, EXPORT.format.value
TIMESTAMPS = [f"2026-01-{day:02}T10:00" for day in range(1, 6)]
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
DATA = naming.data_prefix(TABLE, FMT)
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
    "mine.txt",
]


def manifest(timestamp: str, **changes: Any) -> bytes:
    """A manifest of ours; a change to None leaves the entry out."""
    columns = [
        {"name": name, "type": "string", "attribute": name, "view": name, "shown": True}
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
        "workflow_run_id": f"run of {timestamp}",
        **changes,
    }
    return json.dumps({key: value for key, value in content.items() if value is not None}).encode()


# How a snapshot may lie there: whether it is ours, its claim, its manifest, its files.
OTHER = TIMESTAMPS[-1]
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
    "renamed": (False, False, lambda timestamp: manifest(f"{timestamp[:-1]}7"), 1),
    "nothing": (False, False, None, 0),
}
ANY = st.sampled_from(list(KINDS))
# Those that the view job refuses to publish, and why, in the words of its error.
REFUSED = {
    "half written": f"manifests/csv/Reviews/{OTHER}.json is missing",
    "claimed only": f"manifests/csv/Reviews/{OTHER}.json is missing",
    "without its files": f"snapshot_timestamp={OTHER}/part-0 is missing",
    "manifest without items": f"{OTHER}.json is not a valid manifest",
    "adopted": f"the snapshot {OTHER} belongs to run ",
    "claimed, with a broken manifest": f"{OTHER}.json is not a valid manifest",
    "of another design": f"manifests/csv/Reviews/{OTHER}.json is missing",
    "with a broken manifest": f"{OTHER}.json is not a valid manifest",
    "with another table's manifest": f"{OTHER}.json is the manifest of another snapshot",
    "renamed": f"{OTHER}.json is the manifest of another snapshot",
    "nothing": f"manifests/csv/Reviews/{OTHER}.json is missing",
}


PUBLISHED, ORDER = "published", "their column 1 is 'book', in this snapshot it is 'user'"


def refusal(kind: str, elsewhere: str) -> str:
    """Why the view job refuses to publish: the snapshot, the table or its columns."""
    return REFUSED.get(kind) or elsewhere or ORDER


@dataclass(frozen=True)
class World:
    """An account with one export among other things."""

    account: Account
    ours: set[str] = field(default_factory=set)

    def snapshot(self, timestamp: str, kind: str) -> None:
        own, claimed, text, files = KINDS[kind]
        store, keys = Store(self.account), []
        if claimed:
            keys.append(naming.claim_key(TABLE, FMT, timestamp))
            store.put(keys[-1])
        if text is not None:
            keys.append(naming.manifest_key(TABLE, FMT, timestamp))
            store.put(keys[-1], body=text(timestamp))
        prefix = naming.snapshot_prefix(TABLE, FMT, timestamp)
        keys += [f"{prefix}part-{number}" for number in range(files)]
        store.put(*keys[len(keys) - files :])
        if own:
            self.ours.update(keys)

    def catalog(self, location: str, partitions: list[str], columns: list[str]) -> None:
        """The table of that name, on its data or elsewhere, and tables of others."""
        glue = self.account.glue
        for name, uri in ((EXPORT.snapshots_table, location), ("mine", "s3://mine/")):
            glue.create_table(
                DatabaseName=naming.DATABASE,
                TableInput={
                    "Name": name,
                    "StorageDescriptor": described(uri, columns),
                    "Parameters": {"skip.header.line.count": "1"},
                },
            )
            folders = {
                partition: f"{uri}{naming.PARTITION_KEY}={partition}/" for partition in partitions
            }
            inputs: Any = [
                {"Values": [partition], "StorageDescriptor": described(folder, columns)}
                for partition, folder in folders.items()
            ]
            glue.batch_create_partition(
                DatabaseName=naming.DATABASE, TableName=name, PartitionInputList=inputs
            )

    def deploy(self) -> None:
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

    def objects(self) -> dict[str, tuple[int, str]]:
        return list_files(self.account.s3, self.account.bucket, "")

    def entries(self) -> dict[str, Any]:
        """Tables, each with its partitions."""
        glue, where = self.account.glue, {"DatabaseName": naming.DATABASE}
        return {
            table["Name"]: (
                {key: table[key] for key in TABLE_INPUT if key in table},
                {
                    partition["Values"][0]: (
                        partition["StorageDescriptor"],
                        partition.get("Parameters", {}),
                    )
                    for partition in glue.get_partitions(**where, TableName=table["Name"])[
                        "Partitions"
                    ]
                },
            )
            for table in glue.get_tables(**where)["TableList"]
        }


def described(location: str, columns: list[str]) -> Any:
    return {
        "Location": location,
        "Columns": [{"Name": name, "Type": "string"} for name in columns],
    }


def empty(store: Store) -> None:
    """Empty moto directly: a new account for each example would take seconds."""
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[store.account.bucket].keys.clear()
    glue_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].reset()
    store.account.glue.create_database(DatabaseInput={"Name": naming.DATABASE})
    athena_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].reset()
    store.account.athena.create_work_group(Name=naming.WORK_GROUP)


def retain(account: Account) -> None:
    """Delete expired snapshots as the view job does."""
    apply_retention(*job(account, "2026-06-01T00:00"), None, NOW)


def publish_newest(account: Account) -> str:
    """Publish the last snapshot as the view job of its run does, then delete expired ones."""
    clients, run = job(account, OTHER)
    try:
        shown = publish(clients, run, lambda _: None)
    except JobFailed as error:
        return str(error)
    apply_retention(clients, run, shown, NOW)
    return PUBLISHED


def job(account: Account, timestamp: str) -> tuple[Any, PublishSettings]:
    """The clients and settings of the view job in the run of the snapshot."""
    run = PublishSettings(
        table=TABLE,
        format=FMT,
        bucket=account.bucket,
        database=naming.DATABASE,
        catalog_prefix="",
        work_group=naming.WORK_GROUP,
        retention_days=1,
        timestamp=timestamp,
        workflow_run_id=f"run of {timestamp}",
    )
    return SimpleNamespace(athena=account.athena, glue=account.glue, s3=account.s3), run


def adopt(account: Account) -> None:
    """What was in its place stays; a snapshot that is adopted gets a manifest beside it."""
    with suppress(AdoptionRefused):
        dynoexport.adopt(account, TABLE)


OPERATIONS: dict[str, Callable[[Account], object]] = {
    "prune, keep none": lambda account: dynoexport.prune(account, TABLE, keep=0),
    "prune, keep one": lambda account: dynoexport.prune(account, TABLE, keep=1),
    "prune by age": lambda account: dynoexport.prune(account, TABLE, older_than=timedelta(0)),
    "retention": retain,
    "publish": publish_newest,
    "adopt": adopt,
    "destroy": lambda account: dynoexport.destroy(account, TABLE),
    "destroy with data": lambda account: dynoexport.destroy(account, TABLE, data=True),
    "destroy with data by format": lambda account: dynoexport.destroy(
        account, TABLE, fmt=OutputFormat.CSV, data=True
    ),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_changes_what_dynoexport_did_not_write(store: Store, operation: str) -> None:
    """And ``destroy --data`` and ``prune --keep 0`` leave nothing else."""
    account = store.account

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(
        kinds=st.tuples(*[ANY] * 4, st.just("complete") | ANY),
        spread=st.lists(st.sampled_from(SPREAD), unique=True),
        elsewhere=st.sampled_from(["", "s3://elsewhere/csv/Reviews/"]),
        partitions=st.lists(st.sampled_from(TIMESTAMPS), unique=True),
        columns=st.permutations(COLUMNS),
        deployed=st.booleans(),
    )
    def check(
        kinds: tuple[str, ...],
        spread: list[str],
        elsewhere: str,
        partitions: list[str],
        columns: list[str],
        *,
        deployed: bool,
    ) -> None:
        world = World(account)
        empty(store)
        for timestamp, kind in zip(TIMESTAMPS, kinds, strict=True):
            world.snapshot(timestamp, kind)
        store.put(*spread, "mine.txt")
        world.catalog(elsewhere or f"s3://{account.bucket}/{DATA}", partitions, columns)
        if deployed:
            world.deploy()
        objects, entries = world.objects(), world.entries()
        foreign = {key: value for key, value in objects.items() if key not in world.ours}
        try:
            outcome = OPERATIONS[operation](account)
        except (AmbiguousExport, NotExported):
            assert (world.objects(), world.entries()) == (objects, entries)
            return
        after = world.objects()
        assert {key: after.get(key) for key in foreign} == foreign
        assert world.entries()["mine"] == entries["mine"]
        # Before retention, the view job has refused such a table.
        if elsewhere and operation != "retention":
            assert world.entries() == entries
        elif not elsewhere and "destroy" not in operation:
            others = {t for t, kind in zip(TIMESTAMPS, kinds, strict=True) if not KINDS[kind][0]}
            before, left = (
                {t: found[EXPORT.snapshots_table][1].get(t) for t in others}
                for found in (entries, world.entries())
            )
            assert left == before
        if operation == "adopt":
            assert {key: after[key] for key in objects} == objects
        if operation == "publish" and outcome != PUBLISHED:
            assert refusal(kinds[-1], elsewhere) in str(outcome)
            assert after == objects
        if "data" in operation or operation == "prune, keep none":
            assert after.keys() == foreign.keys()

    check()

"""``adopt``: which folders become snapshots of an export, and what becomes of the others."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from old_design import OLD, OLD_ROW, old_file

import dynoexport
from dynoexport import AdoptionRefused, naming
from dynoexport.jobs.history import known_columns
from dynoexport.jobs.publish_settings import PublishSettings
from dynoexport.jobs.retention import apply_retention
from dynoexport.jobs.s3 import list_files
from dynoexport.model import OutputFormat
from dynoexport.storage.adoption import Method, count_method, reason_against

if TYPE_CHECKING:
    from collections.abc import Sequence

    from snapshot_bucket import Store

    from dynoexport import Account, AdoptionPlan

TABLE = "Reviews"
OLDER = "2019-11-22T10:00"
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


class Export:
    """A deployed export beside folders of the design of 2019, in moto."""

    def __init__(self, store: Store, fmt: str = "parquet", *, retention: int = 0) -> None:
        self.store, self.account, self.fmt = store, store.account, fmt
        glue, workflow = self.account.glue, naming.workflow(TABLE, fmt, scheduled=False)
        tags = {
            naming.TAG_TABLE: TABLE,
            naming.TAG_FORMAT: fmt,
            naming.TAG_STACK: "a-stack",
            naming.TAG_WORKFLOW: workflow,
        }
        command: Any = {"Name": "glueetl"}
        glue.create_workflow(Name=workflow)
        glue.create_job(Name=naming.export_job(TABLE, fmt), Role="r", Command=command, Tags=tags)
        glue.create_job(
            Name=naming.view_job(TABLE, fmt),
            Role="r",
            Command=command,
            DefaultArguments={"--SnapshotRetentionDays": str(retention)},
        )

    def folder(self, timestamp: str) -> str:
        return naming.snapshot_prefix(TABLE, self.fmt, timestamp)

    def leave(self, *timestamps: str) -> None:
        """Old snapshots: two part files, and an empty one as for a partition without rows."""
        for timestamp in timestamps:
            names = [f"{self.folder(timestamp)}run-1-part-r-{number}" for number in range(3)]
            self.store.put(*names[:2], body=old_file(self.fmt))
            self.store.put(names[2], body=b"")

    def crawl(self, *timestamps: str, names: Sequence[str] = tuple(OLD_ROW), **more: Any) -> None:
        """The catalog table, and its partitions with ``names`` as their columns."""
        glue, name = self.account.glue, naming.snapshots_table(TABLE)
        data = f"s3://{self.account.bucket}/{naming.data_prefix(TABLE, self.fmt)}"
        kinds = {
            key: "string" if isinstance(value, str) else "int" for key, value in OLD_ROW.items()
        }
        columns: list[Any] = [{"Name": key, "Type": kind} for key, kind in kinds.items()]
        glue.create_table(
            DatabaseName=naming.DATABASE,
            TableInput={
                "Name": name,
                "StorageDescriptor": {"Location": data, "Columns": columns},
                "PartitionKeys": [{"Name": naming.PARTITION_KEY, "Type": "string"}],
                **more,
            },
        )
        own: list[Any] = [{"Name": each, "Type": "string"} for each in names]
        inputs: list[Any] = [
            {
                "Values": [each],
                "StorageDescriptor": {
                    "Location": f"s3://{self.account.bucket}/{self.folder(each)}",
                    "Columns": own,
                },
            }
            for each in timestamps
        ]
        glue.batch_create_partition(
            DatabaseName=naming.DATABASE, TableName=name, PartitionInputList=inputs
        )

    def run_wrote(self, timestamp: str, *, claimed: bool = True, **changes: Any) -> None:
        """A snapshot that a run of the export has written."""
        key = f"{self.folder(timestamp)}part-0"
        manifest = {
            "table": TABLE,
            "format": self.fmt,
            "snapshot_timestamp": timestamp,
            "items": 1,
            "bytes": 7,
            "files": [{"key": key, "bytes": 7}],
            "workflow_run_id": "wr",
            **changes,
        }
        self.store.put(key)
        if claimed:
            self.store.put(naming.claim_key(TABLE, self.fmt, timestamp))
        self.store.put(
            naming.manifest_key(TABLE, self.fmt, timestamp), body=json.dumps(manifest).encode()
        )

    def manifest(self, timestamp: str) -> dict[str, Any]:
        key = naming.manifest_key(TABLE, self.fmt, timestamp)
        body = self.account.s3.get_object(Bucket=self.account.bucket, Key=key)["Body"].read()
        found: dict[str, Any] = json.loads(body)
        return found

    def adopt(self, *snapshots: str, **more: Any) -> dynoexport.Adopted:
        return dynoexport.adopt(self.account, TABLE, *snapshots, **more)

    def refused(self) -> dict[str, str]:
        return {each.folder: each.reason for each in self.adopt().refused}

    def data(self) -> dict[str, tuple[int, str]]:
        return list_files(self.account.s3, self.account.bucket, f"{self.fmt}/")


@pytest.mark.parametrize("fmt", ["orc", "parquet", "xml"])
def test_an_adopted_snapshot_is_one_like_others(store: Store, fmt: str) -> None:
    export = Export(store, fmt)
    export.leave(OLD)
    if fmt != "xml":
        export.crawl(OLD)
    before = export.data()
    (adopted,) = export.adopt().snapshots
    assert (adopted.timestamp, adopted.items, adopted.files) == (OLD, 2, 3)
    assert export.data() == before
    (snapshot,) = dynoexport.snapshots(export.account, TABLE)
    assert (snapshot.complete, snapshot.foreign, snapshot.adopted) == (True, False, True)
    assert (snapshot.items, snapshot.workflow_run_id, snapshot.faults) == (2, None, ())
    done = dynoexport.verify(export.account, TABLE, snapshot=OLD)
    assert (done.rows, done.faults) == (2, ())
    pruned = dynoexport.prune(export.account, TABLE, keep=0)
    assert [each.timestamp for each in pruned.snapshots] == [OLD]
    assert export.data() == {}
    assert store.keys("manifests/") == set()


def test_manifest_has_the_columns_of_the_catalog_and_the_etags_of_the_listing(
    store: Store,
) -> None:
    export = Export(store)
    export.leave(OLD)
    export.crawl(OLD)
    export.adopt()
    manifest = export.manifest(OLD)
    assert [each["name"] for each in manifest["schema"]] == list(OLD_ROW)
    assert {each["key"]: (each["bytes"], each["etag"]) for each in manifest["files"]} == (
        export.data()
    )
    assert manifest["adopted"] is True
    # The next run keeps these columns.
    settings: Any = SimpleNamespace(bucket=export.account.bucket, table=TABLE, format="parquet")
    found = known_columns(export.account.s3, settings)
    assert [(each.name, each.attribute) for each in found] == [(name, "") for name in OLD_ROW]


def test_nothing_is_counted_or_written_before_it_is_approved(store: Store) -> None:
    export = Export(store, retention=30)
    export.leave(OLDER, OLD)
    export.crawl(OLDER, OLD)
    store.put(f"{naming.data_prefix(TABLE, 'parquet')}backup/part-0")
    plans: list[AdoptionPlan] = []
    done = export.adopt(approve=plans.append)
    (plan,) = plans
    assert [each.timestamp for each in plan.candidates] == [OLDER, OLD]
    assert (plan.usd, plan.retention_days, plan.expired) == (0.0, 30, (OLDER, OLD))
    assert [each.folder for each in plan.refused] == ["backup"]
    assert done.snapshots == ()
    assert store.keys("manifests/") == set()


def test_what_athena_scans_has_its_price_in_the_plan(store: Store) -> None:
    """At least 10 MB at $5 a TiB."""
    export = Export(store, "json")
    export.leave(OLD)
    export.crawl(OLD)
    plans: list[AdoptionPlan] = []
    export.adopt(approve=plans.append)
    assert plans[0].usd == pytest.approx(10e6 / 1024**4 * 5)


@pytest.mark.parametrize(
    ("fmt", "size", "method"),
    [
        ("parquet", 1, Method.FOOTERS),
        ("orc", 1, Method.FOOTERS),
        ("csv", 1, Method.ATHENA),
        ("json", 1, Method.ATHENA),
        ("avro", 1, Method.ATHENA),
        ("xml", 1, Method.FILES),
        ("csv", 0, Method.NOTHING),
    ],
)
def test_rows_are_counted_where_it_costs_least(fmt: str, size: int, method: Method) -> None:
    assert count_method(OutputFormat(fmt), {"a": (size, "e")}) is method


def test_a_snapshot_of_empty_files_has_no_items_and_needs_no_partition(store: Store) -> None:
    export = Export(store)
    store.put(f"{export.folder(OLD)}part-0", body=b"")
    export.crawl()
    (adopted,) = export.adopt().snapshots
    assert adopted.items == 0


# --- what is left alone ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("folder", "keys", "reason"),
    [
        ("backup", ["part-0"], "its name is not snapshot_timestamp= and a UTC minute"),
        ("snapshot_timestamp=backup", ["part-0"], "its name is not"),
        (f"snapshot_timestamp={OLD}-copy", ["part-0"], "its name is not"),
        (OLD, ["part-0"], "its name is not"),
        (f"snapshot_timestamp={OLD}", ["_SUCCESS", ".part-0.crc"], "it has no files"),
        (f"snapshot_timestamp={OLD}", [""], "it has no files"),
        (f"snapshot_timestamp={OLD}", ["_temporary/0/part-0", "part-0"], "did not end"),
    ],
)
def test_other_folders_are_refused_with_the_reason(
    folder: str, keys: list[str], reason: str
) -> None:
    files = {f"csv/Reviews/{folder}/{key}": (1, "e") for key in keys}
    assert reason in str(reason_against(folder, files, None))


def test_snapshots_after_the_first_one_of_the_export_are_refused(store: Store) -> None:
    """The newest manifest decides the columns of the next run."""
    export = Export(store)
    export.leave(OLDER, "2026-05-05T10:00")
    export.crawl(OLDER, "2026-05-05T10:00")
    export.run_wrote("2026-05-04T10:00", claimed=False)
    done = export.adopt()
    assert [each.timestamp for each in done.snapshots] == [OLDER]
    assert [(each.folder, each.reason) for each in done.refused] == [
        (
            "2026-05-05T10:00",
            "it is newer than the first snapshot of this export, 2026-05-04T10:00",
        )
    ]
    # An adopted snapshot is no snapshot of a run.
    export.leave(OLD)
    export.account.glue.create_partition(
        DatabaseName=naming.DATABASE,
        TableName=naming.snapshots_table(TABLE),
        PartitionInput={
            "Values": [OLD],
            "StorageDescriptor": {"Location": f"s3://{store.account.bucket}/{export.folder(OLD)}"},
        },
    )
    assert [each.timestamp for each in export.adopt().snapshots] == [OLD]


def test_what_a_run_left_and_what_has_another_manifest_is_refused(store: Store) -> None:
    export = Export(store)
    export.leave(OLDER, OLD)
    export.crawl(OLDER, OLD)
    store.put(naming.claim_key(TABLE, "parquet", OLDER))
    store.put(naming.manifest_key(TABLE, "parquet", OLD), body=b"{}")
    refused = export.refused()
    assert refused[OLDER] == "a run of this export left it incomplete"
    assert refused[OLD].endswith("is not its manifest: move that object away")


def test_a_snapshot_that_athena_does_not_find_is_refused(store: Store) -> None:
    export = Export(store)
    export.leave(OLDER, OLD)
    export.crawl(OLD)
    assert export.refused() == {
        OLDER: "the catalog has no partition for it; a run adds it: dynoexport run Reviews"
    }


@pytest.mark.parametrize("fmt", ["csv", "orc"])
def test_columns_in_another_order_are_refused_where_athena_reads_by_position(
    store: Store, fmt: str
) -> None:
    export = Export(store, fmt)
    export.leave(OLD)
    parameters = {"Parameters": {"skip.header.line.count": "1"}}
    export.crawl(OLD, names=list(OLD_ROW)[::-1], **parameters)
    assert "another order" in export.refused()[OLD]
    assert store.keys("manifests/") == set()


def test_csv_whose_header_athena_shows_is_refused(store: Store) -> None:
    export = Export(store, "csv")
    export.leave(OLD)
    export.crawl(OLD)
    with pytest.raises(AdoptionRefused, match="shows the header of each csv file as a row"):
        export.adopt()


def test_a_broken_file_leaves_its_snapshot_alone_and_not_the_others(store: Store) -> None:
    export = Export(store)
    export.leave(OLDER, OLD)
    export.crawl(OLDER, OLD)
    store.put(f"{export.folder(OLDER)}run-1-part-r-0", body=b"PAR1 no footer")
    done = export.adopt()
    assert [each.timestamp for each in done.snapshots] == [OLD]
    assert "run-1-part-r-0 cannot be read" in done.refused[0].reason
    with pytest.raises(AdoptionRefused, match=f"the snapshot {OLDER} cannot be adopted"):
        export.adopt(OLDER)


def test_only_the_named_snapshots_are_adopted(store: Store) -> None:
    export = Export(store)
    export.leave(OLDER, OLD)
    export.crawl(OLDER, OLD)
    for name in ("2019-01-01T10:00", "backup"):
        with pytest.raises(AdoptionRefused, match=f"Reviews has no snapshot '{name}'"):
            export.adopt(OLDER, name)
    assert store.keys("manifests/") == set()
    assert [each.timestamp for each in export.adopt(OLDER).snapshots] == [OLDER]


# --- again, and afterwards ------------------------------------------------------------------------
class Killed(BaseException):
    """As the process ends."""


def test_repeating_it_ends_right_wherever_it_was_killed(store: Store) -> None:
    """After each call to S3 and Glue."""
    account, wanted = store.account, [OLDER, OLD]
    export = Export(store)
    export.leave(*wanted)
    export.crawl(*wanted)
    files, calls = export.data(), 0

    def kill_at(place: int) -> bool:
        """Whether it ended before that call."""
        seen = 0

        def die(**_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == place:
                raise Killed

        clients = (account.s3, account.glue)
        for client in clients:
            client.meta.events.register("before-call.*", die)
        try:
            export.adopt()
        except Killed:
            return False
        finally:
            for client in clients:
                client.meta.events.unregister("before-call.*", die)
        return True

    while not kill_at(calls := calls + 1):
        assert export.data() == files
        # Once more, also with names: those that have a manifest are right already.
        export.adopt(*wanted)
        found = dynoexport.snapshots(account, TABLE)
        assert [(each.timestamp, each.items, each.faults) for each in found] == [
            (OLD, 2, ()),
            (OLDER, 2, ()),
        ]
        store_keys = [naming.manifest_key(TABLE, "parquet", each) for each in wanted]
        for key in store_keys:
            account.s3.delete_object(Bucket=account.bucket, Key=key)
    assert calls > 10


def test_a_manifest_that_comes_in_between_is_never_replaced(store: Store) -> None:
    export = Export(store)
    export.leave(OLD)
    export.crawl(OLD)
    key = naming.manifest_key(TABLE, "parquet", OLD)

    def approve(_: AdoptionPlan) -> bool:
        store.put(key, body=b"of another")
        return True

    done = export.adopt(approve=approve)
    assert [each.reason for each in done.refused] == ["it got a manifest while it was adopted"]
    body = export.account.s3.get_object(Bucket=export.account.bucket, Key=key)["Body"].read()
    assert body == b"of another"


def test_files_that_change_in_between_leave_it_alone(store: Store) -> None:
    export = Export(store)
    export.leave(OLD)
    export.crawl(OLD)

    def approve(_: AdoptionPlan) -> bool:
        store.put(f"{export.folder(OLD)}late")
        return True

    done = export.adopt(approve=approve)
    assert [each.reason for each in done.refused] == [
        "its files have changed while it was adopted: try again"
    ]
    assert store.keys("manifests/") == set()


def retain(account: Account, days: int, now: datetime) -> None:
    settings = PublishSettings(
        TABLE, "parquet", account.bucket, naming.DATABASE, "", "w", days, "2026-06-01T00:00", "wr"
    )
    clients: Any = SimpleNamespace(glue=account.glue, s3=account.s3)
    apply_retention(clients, settings, None, now)


def test_retention_deletes_an_adopted_snapshot_when_its_rule_says_and_not_before(
    store: Store,
) -> None:
    export = Export(store)
    export.leave(OLD)
    export.crawl(OLD)
    export.adopt()
    files = export.data()
    taken = datetime(2019, 11, 23, 10, tzinfo=timezone.utc)
    retain(export.account, 30, taken + timedelta(days=30))
    assert export.data() == files
    retain(export.account, 0, NOW)
    assert export.data() == files
    retain(export.account, 30, taken + timedelta(days=30, minutes=1))
    assert export.data() == {}

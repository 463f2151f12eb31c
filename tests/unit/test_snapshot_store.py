"""Snapshots in S3 and the catalog: the list, and the deletion of those that may go."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.stub import Stubber
from snapshot_bucket import EXPORT, NEWER, NEWEST, OLDER, OLDEST, Store

from dynoexport import naming
from dynoexport.jobs.s3 import list_objects
from dynoexport.jobs.snapshots import is_own_snapshot, list_marks
from dynoexport.model import OutputFormat
from dynoexport.storage import snapshot_store
from dynoexport.storage.snapshot_store import DeleteFailed, Snapshot

NOW = datetime(2026, 1, 22, 10, 5, tzinfo=timezone.utc)
# What lies beside the snapshots of Reviews as csv, and is not one of them.
NEIGHBOURS = (
    f"csv/Reviews/snapshot_timestamp={OLDER}-copy/part-0",
    f"csv/Reviews/snapshot_timestamp={OLDER}_$folder$x",
    f"csv/Reviews/{OLDER}/part-0",
    "csv/Reviews/snapshot_timestamp=backup/part-0",
    f"csv/Reviews2/snapshot_timestamp={OLDER}/part-0",
    f"csv/reviews/snapshot_timestamp={OLDER}/part-0",
    f"json/Reviews/snapshot_timestamp={OLDER}/part-0",
    f"manifests/csv/Reviews/{OLDER}",
    f"manifests/csv/Reviews/{OLDER}.json.bak",
    "manifests/csv/Reviews/README.json",
    f"manifests/csv/Reviews2/{OLDER}.json",
    f"manifests/json/Reviews/{OLDER}.json",
)


# --- what there is --------------------------------------------------------------------------------
def test_every_page_of_a_listing_is_read(store: Store) -> None:
    """A page holds 1,000 objects."""
    store.put(*(f"x/{number:04}" for number in range(1_001)), "y/0000")
    found = list_objects(store.account.s3, store.account.bucket, "x/")
    assert found == {f"x/{number:04}": 7 for number in range(1_001)}


def test_a_snapshot_is_complete_by_its_manifest(store: Store) -> None:
    store.whole(OLDER)
    store.half(NEWER)
    found = {snapshot.timestamp: snapshot.complete for snapshot in store.list_all()}
    assert found == {OLDER: True, NEWER: False}


def test_a_manifest_without_files_is_the_snapshot_of_an_empty_table(store: Store) -> None:
    store.whole(OLDER, items=0, files=0)
    assert store.list_all() == [Snapshot(OLDER, complete=True, claimed=True)]


def test_the_newest_snapshot_comes_first(store: Store) -> None:
    store.whole(NEWER, OLDEST)
    store.half(NEWEST, OLDER)
    assert [snapshot.timestamp for snapshot in store.list_all()] == [NEWEST, NEWER, OLDER, OLDEST]


def test_neighbours_are_no_snapshots(store: Store) -> None:
    """Other tables, other formats, and names that are no minute."""
    store.put(*NEIGHBOURS)
    assert store.list_all() == []


def test_complete_snapshots_come_oldest_first(store: Store) -> None:
    store.whole(NEWER, OLDEST)
    store.half(NEWEST)
    store.put(*NEIGHBOURS)
    found = snapshot_store.complete_timestamps(store.account, "Reviews", "csv")
    assert found == [OLDEST, NEWER]


def test_current_is_what_the_view_shows(store: Store) -> None:
    """It need not be the newest one: a user can publish an older one."""
    store.whole(OLDER, NEWER)
    store.show(OLDER)
    assert [snapshot.timestamp for snapshot in store.list_all() if snapshot.current] == [OLDER]


def test_without_a_view_nothing_is_current(store: Store) -> None:
    store.whole(OLDER)
    assert snapshot_store.current_timestamp(store.account, EXPORT) is None
    assert not store.list_all()[0].current


def test_a_format_without_views_shows_nothing(store: Store) -> None:
    """A view of that name belongs to another format of the table."""
    store.show(OLDER)
    xml = replace(EXPORT, format=OutputFormat.XML)
    assert snapshot_store.current_timestamp(store.account, EXPORT) == OLDER
    assert snapshot_store.current_timestamp(store.account, xml) is None


def test_what_an_active_run_writes_is_marked(store: Store) -> None:
    store.half(OLDER, NEWER)
    found = store.list_all(writing=[NEWER])
    assert [(snapshot.timestamp, snapshot.writing) for snapshot in found] == [
        (NEWER, True),
        (OLDER, False),
    ]


def test_a_snapshot_is_taken_at_the_utc_minute_that_names_it() -> None:
    assert Snapshot(NEWEST, complete=True).taken == NOW.replace(minute=0)


# --- with figures ---------------------------------------------------------------------------------
def with_figures(store: Store, *snapshots: Snapshot) -> list[Snapshot]:
    return snapshot_store.with_figures(store.account, EXPORT, snapshots)


def test_figures_are_those_of_the_manifest(store: Store) -> None:
    store.whole(OLDER, items=12, files=2)
    listed = Snapshot(OLDER, complete=True, current=True, writing=True)
    assert with_figures(store, listed) == [
        replace(listed, own=True, items=12, bytes=14, files=2, workflow_run_id=f"run of {OLDER}")
    ]


def test_an_incomplete_snapshot_has_the_figures_of_its_files(store: Store) -> None:
    store.half(OLDER, files=2)
    (found,) = with_figures(store, *store.list_all())
    assert (found.items, found.bytes, found.files) == (None, 14, 2)


# --- whose it is ----------------------------------------------------------------------------------
def test_a_folder_without_manifest_and_claim_is_foreign_and_has_its_true_size(store: Store) -> None:
    store.foreign(OLDER, files=3)
    store.half(NEWER)
    newer, older = with_figures(store, *store.list_all())
    assert (newer.foreign, older.foreign) == (False, True)
    assert (older.complete, older.items, older.bytes, older.files) == (False, None, 21, 3)


def test_a_manifest_without_a_claim_makes_a_snapshot_ours(store: Store) -> None:
    """Runs of older versions left no claim."""
    store.whole(OLDER)
    snapshot_store.delete_keys(store.account, [naming.claim_key("Reviews", "csv", OLDER)])
    (found,) = with_figures(store, *store.list_all())
    assert (found.foreign, found.complete, found.faults) == (False, True, ())


OTHERS = {"table": "Orders", "format": "csv", "snapshot_timestamp": OLDER}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"[]",
        b"{}",
        json.dumps(
            {**OTHERS, "items": 1, "bytes": 7, "files": [], "workflow_run_id": "wr"}
        ).encode(),
    ],
    ids=["empty", "broken", "nested", "list", "object", "another table's"],
)
def test_a_foreign_manifest_makes_no_snapshot_ours(store: Store, body: bytes) -> None:
    store.foreign(OLDER)
    store.put(naming.manifest_key("Reviews", "csv", OLDER), body=body)
    (found,) = with_figures(store, *store.list_all())
    assert (found.foreign, found.complete, found.bytes) == (True, False, 7)
    assert snapshot_store.to_prune([found], NOW, keep=0) == []


# --- whether it is whole --------------------------------------------------------------------------
def file(number: int, timestamp: str = OLDER) -> str:
    return f"csv/Reviews/snapshot_timestamp={timestamp}/part-{number:04}"


def faults(store: Store) -> tuple[str, ...]:
    (found,) = with_figures(store, *store.list_all())
    return found.faults


def test_a_snapshot_whose_files_are_those_of_its_manifest_has_no_faults(store: Store) -> None:
    store.whole(OLDER, files=2)
    store.put(file(0).replace("part-0000", "_SUCCESS"))
    assert faults(store) == ()


def test_a_snapshot_says_how_its_files_differ_from_its_manifest(store: Store) -> None:
    store.whole(OLDER, files=3)
    store.put(file(7))
    store.put(file(1), body=b"other")
    snapshot_store.delete_keys(store.account, [file(0)])
    assert faults(store) == (
        f"{file(0)} is missing",
        f"{file(1)} has 5 bytes, but its manifest says 7",
        f"{file(7)} is not in the manifest",
    )


def test_a_current_snapshot_without_any_file_or_manifest_is_damaged(store: Store) -> None:
    store.show(OLDER)
    shown = Snapshot(OLDER, complete=True, current=True)
    found = snapshot_store.examine(store.account, EXPORT, shown)
    assert found.faults == (f"there are no files under csv/Reviews/snapshot_timestamp={OLDER}/",)


def test_figures_keep_the_order_of_the_snapshots(store: Store) -> None:
    """The program reads them in parallel."""
    stamps = [f"2026-01-01T00:{minute:02}" for minute in range(40)]
    for number, stamp in enumerate(stamps):
        store.whole(stamp, items=number)
    found = with_figures(store, *(Snapshot(timestamp, complete=True) for timestamp in stamps))
    assert [snapshot.items for snapshot in found] == list(range(40))


def test_a_manifest_deleted_since_the_listing_leaves_the_snapshot_incomplete(store: Store) -> None:
    """A retry that clears the files of an earlier attempt does this."""
    store.foreign(OLDER)
    listed = Snapshot(OLDER, complete=True, current=True, writing=True)
    expected = replace(listed, complete=False, own=False, bytes=7, files=1)
    assert with_figures(store, listed) == [expected]


# --- what may go ----------------------------------------------------------------------------------
WHOLE = [Snapshot(timestamp, complete=True) for timestamp in (NEWEST, NEWER, OLDER, OLDEST)]


def pruned(*snapshots: Snapshot, **rule: Any) -> list[str]:
    found = snapshot_store.to_prune(snapshots, NOW, **rule)
    return [snapshot.timestamp for snapshot in found]


def test_the_newest_are_kept_and_the_oldest_go_first() -> None:
    assert pruned(*WHOLE, keep=2) == [OLDEST, OLDER]
    assert pruned(*WHOLE, keep=9) == []


def test_an_incomplete_snapshot_is_not_kept_for_its_number() -> None:
    """Nobody can read it: it neither counts nor stays."""
    newest, *others = WHOLE
    half = replace(newest, complete=False, claimed=True)
    assert pruned(half, *others, keep=2) == [OLDEST, NEWEST]


def test_a_damaged_snapshot_does_not_count_among_those_to_keep() -> None:
    """Else the last whole one would go for its sake; it stays with what is older than it."""
    newest, *others = WHOLE
    damaged = replace(newest, faults=("a file is missing",))
    assert pruned(damaged, *others, keep=2) == [OLDEST]
    assert pruned(damaged, *others, keep=4) == []
    assert pruned(damaged, *others, keep=0) == [OLDEST, OLDER, NEWER, NEWEST]


def test_a_foreign_snapshot_always_stays() -> None:
    foreign = [replace(snapshot, complete=False) for snapshot in WHOLE]
    assert pruned(*foreign, keep=0) == []
    assert pruned(*foreign, older_than=timedelta(0)) == []


def test_older_snapshots_are_deleted_complete_or_not() -> None:
    age = NOW - datetime(2026, 1, 8, 10, 0, tzinfo=timezone.utc)
    newest, newer, older, oldest = WHOLE
    snapshots = (newest, newer, older, replace(oldest, complete=False, claimed=True))
    assert pruned(*snapshots, older_than=age) == [OLDEST]
    assert pruned(*snapshots, older_than=age - timedelta(seconds=1)) == [OLDEST, OLDER]


def test_an_age_before_all_dates_keeps_everything() -> None:
    assert pruned(*WHOLE, older_than=timedelta(weeks=1_000_000)) == []


def test_the_current_snapshot_always_stays() -> None:
    *others, oldest = WHOLE
    current = replace(oldest, current=True)
    assert pruned(*others, current, keep=0) == [OLDER, NEWER, NEWEST]
    assert pruned(current, older_than=timedelta(0)) == []


def test_a_snapshot_that_is_being_written_always_stays() -> None:
    writing = Snapshot(OLDEST, complete=False, writing=True)
    assert pruned(writing, keep=0) == []
    assert pruned(writing, older_than=timedelta(0)) == []


def test_without_a_rule_only_incomplete_snapshots_are_deleted() -> None:
    newest, newer, *_ = WHOLE
    assert pruned(newest, replace(newer, complete=False, claimed=True)) == [NEWER]


# --- how it goes ----------------------------------------------------------------------------------
def test_deleting_a_snapshot_takes_its_manifest_files_and_partition(store: Store) -> None:
    store.whole(OLDER, files=2)
    store.put(f"csv/Reviews/snapshot_timestamp={OLDER}_$folder$")
    store.crawl(OLDER)
    assert store.delete(OLDER) == 2
    assert store.keys() == set()
    assert store.partitions() == set()


def test_deleting_never_touches_the_neighbours(store: Store) -> None:
    store.put(*NEIGHBOURS)
    store.whole(OLDEST, OLDER, NEWER)
    store.crawl(OLDEST, OLDER, NEWER)
    before = store.keys()
    store.delete(OLDER)
    assert before - store.keys() == {
        f"csv/Reviews/snapshot_timestamp={OLDER}/part-0000",
        f"manifests/csv/Reviews/{OLDER}.json",
        f"manifests/csv/Reviews/{OLDER}.claim",
    }
    assert store.partitions() == {OLDEST, NEWER}


def test_a_partition_of_other_files_stays(store: Store) -> None:
    """Somebody has pointed it elsewhere; its snapshot goes all the same."""
    store.whole(OLDER, NEWER)
    store.crawl(NEWER)
    location: Any = {"Location": "s3://mine/moved/"}
    store.account.glue.create_partition(
        DatabaseName=naming.DATABASE,
        TableName=EXPORT.snapshots_table,
        PartitionInput={"Values": [OLDER], "StorageDescriptor": location},
    )
    store.delete(OLDER, NEWER)
    assert (store.keys(), store.partitions()) == (set(), {OLDER})


def test_a_snapshot_of_many_files_is_deleted_completely(store: Store) -> None:
    """S3 takes 1,000 keys a call."""
    store.whole(OLDER, files=1_001)
    store.whole(NEWER)
    sizes = store.sizes("s3.DeleteObjects", lambda asked: asked["Delete"]["Objects"])
    assert store.delete(OLDER) == 1_001
    assert max(sizes) == 1_000
    assert store.keys(f"csv/Reviews/snapshot_timestamp={OLDER}") == set()
    assert [snapshot.timestamp for snapshot in store.list_all()] == [NEWER]


def test_many_snapshots_go_together(store: Store) -> None:
    """Glue takes 25 partitions a call; so does the listing here."""
    stamps = [f"2026-01-01T00:{minute:02}" for minute in range(26)]
    store.whole(*stamps)
    store.crawl(*stamps, NEWER)
    sizes = store.sizes("glue.BatchDeletePartition", lambda asked: asked["PartitionsToDelete"])
    store.delete(*stamps)
    assert (store.keys(), store.partitions()) == (set(), {NEWER})
    assert sizes == [25, 1]


def test_each_deleted_snapshot_is_reported_with_its_objects(store: Store) -> None:
    store.whole(OLDER, files=2)
    store.whole(NEWER, files=3)
    reported: list[tuple[str, int]] = []
    store.delete(OLDER, NEWER, on_deleted=lambda *deleted: reported.append(deleted))
    assert reported == [(OLDER, 2), (NEWER, 3)]


def test_a_snapshot_that_was_never_crawled_can_go(store: Store) -> None:
    """It is of an empty table, with other partitions in the catalog or without a catalog table."""
    store.whole(OLDER, NEWER)
    store.delete(OLDER)
    store.crawl(NEWEST)
    store.delete(NEWER)
    assert (store.keys(), store.partitions()) == (set(), {NEWEST})


def test_a_file_that_cannot_be_deleted_is_named(store: Store) -> None:
    """The response is a success, and each key has its own error."""
    store.whole(OLDER)
    key = f"csv/Reviews/snapshot_timestamp={OLDER}/part-0000"
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{store.account.bucket}/csv/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    # moto answers with a text, which the account refuses.
    store.account.session.client("s3").put_bucket_policy(Bucket=store.account.bucket, Policy=policy)
    with pytest.raises(DeleteFailed) as failed:
        store.delete(OLDER)
    assert failed.value.what == f"cannot delete s3://{store.account.bucket}/{key}: Access Denied"


def deny_partitions(store: Store) -> Stubber:
    """A catalog whose partitions cannot be deleted, which moto lacks."""
    stub = Stubber(store.account.glue)
    location = f"s3://{store.account.bucket}/csv/Reviews/"
    table = {"Name": EXPORT.snapshots_table, "StorageDescriptor": {"Location": location}}
    stub.add_response("get_table", {"Table": table})
    folder = {"Location": f"{location}snapshot_timestamp={OLDER}/"}
    partition = {"Values": [OLDER], "StorageDescriptor": folder}
    stub.add_response("get_partitions", {"Partitions": [partition]})
    detail = {"ErrorCode": "AccessDeniedException", "ErrorMessage": "no permission"}
    stub.add_response(
        "batch_delete_partition",
        {"Errors": [{"PartitionValues": [OLDER], "ErrorDetail": detail}]},
    )
    return stub


def test_a_partition_that_cannot_be_deleted_is_named(store: Store) -> None:
    store.whole(OLDER)
    with deny_partitions(store), pytest.raises(DeleteFailed) as failed:
        store.delete(OLDER)
    assert failed.value.what == (
        f"cannot delete the partition {OLDER} of {EXPORT.snapshots_table}: no permission"
    )
    assert failed.value.hint == "repeat the command; what is deleted stays deleted"


def test_a_deletion_that_breaks_off_leaves_no_half_snapshot_complete(store: Store) -> None:
    """The manifest goes first; the claim, by which it is ours and is deleted again, last."""
    store.whole(OLDER)
    with deny_partitions(store), pytest.raises(DeleteFailed):
        store.delete(OLDER)
    assert store.list_all() == [Snapshot(OLDER, complete=False, claimed=True)]
    store.delete(OLDER)
    assert store.list_all() == []


def test_a_snapshot_without_a_claim_stays_ours_when_its_deletion_breaks_off(store: Store) -> None:
    """As runs before the claims were kept have left it: its manifest goes last."""
    store.whole(OLDER)
    snapshot_store.delete_keys(store.account, [naming.claim_key("Reviews", "csv", OLDER)])
    with deny_partitions(store), pytest.raises(DeleteFailed):
        store.delete(OLDER)
    (left,) = with_figures(store, *store.list_all())
    assert not left.foreign
    store.delete(OLDER)
    assert store.keys() == set()


def test_a_claim_is_left_over_if_it_has_nothing_else_and_is_not_recent(store: Store) -> None:
    """NEWEST is five minutes old: its run may not have recorded it yet."""
    store.put(*(naming.claim_key("Reviews", "csv", each) for each in (OLDEST, OLDER, NEWEST)))
    listed = snapshot_store.list_lone_claims(store.account, EXPORT, {OLDER}, NOW)
    assert listed == [Snapshot(OLDEST, complete=False, claimed=True)]
    assert store.delete(OLDEST) == 0
    assert store.keys() == {naming.claim_key("Reviews", "csv", each) for each in (OLDER, NEWEST)}


def test_keys_that_do_not_exist_are_no_error(store: Store) -> None:
    store.put("a", "c")
    snapshot_store.delete_keys(store.account, ["a", "b"])
    assert store.keys() == {"c"}


# --- what is ours ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "own"), [({"items": None}, True), ({"files": 7}, True), ({"table": "T"}, False)]
)
def test_jobs_and_commands_agree_on_what_is_ours(
    store: Store, change: dict[str, Any], *, own: bool
) -> None:
    """A damaged manifest is ours by table, format and timestamp."""
    manifest = {"table": "Reviews", "format": "csv", "snapshot_timestamp": OLDER, **change}
    key = naming.manifest_key("Reviews", "csv", OLDER)
    store.put(key, body=json.dumps(manifest).encode())
    store.foreign(OLDER)
    marks = list_marks(store.account.s3, store.account.bucket, "Reviews", "csv")
    assert is_own_snapshot(store.account.s3, marks, OLDER) is own
    (snapshot,) = snapshot_store.with_figures(store.account, EXPORT, store.list_all())
    assert (snapshot.foreign, snapshot.complete, len(snapshot.faults)) == (not own, False, 1)
    assert pruned(snapshot, keep=0) == ([OLDER] if own else [])


def test_partitions_of_a_table_on_other_data_stay(store: Store) -> None:
    """The catalog's name is in lower case, and another export may have it."""
    store.whole(OLDER)
    store.crawl(OLDER)
    store.account.glue.update_table(
        DatabaseName=naming.DATABASE,
        TableInput={
            "Name": EXPORT.snapshots_table,
            "StorageDescriptor": {"Location": f"s3://{store.account.bucket}/json/Reviews/"},
        },
    )
    store.delete(OLDER)
    assert (store.partitions(), store.keys()) == ({OLDER}, set())

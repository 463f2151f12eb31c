"""``destroy`` can be repeated, wherever it was interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from snapshot_bucket import EXPORT, NEWEST, OLDER, Store, stored_view

import dynoexport
from dynoexport import naming
from dynoexport.aws.exports import AmbiguousExport, NotExported
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from dynoexport import Account

TABLE, FOREIGN = EXPORT.table, "2019-04-01T10:00"


def leave(store: Store, prefix: str = "") -> None:
    """Put what a deleted stack leaves: snapshots, temporary files, catalog entries."""
    store.whole(OLDER, NEWEST)
    store.foreign(FOREIGN)
    store.put("glue-temp-dir/csv/Reviews/left")
    location = f"s3://{store.account.bucket}/csv/Reviews/"
    for name, more in (
        (f"{prefix}{EXPORT.snapshots_table}", {"StorageDescriptor": {"Location": location}}),
        (f"{prefix}{EXPORT.view}", stored_view(f"SELECT * FROM {prefix}snapshots_reviews")),
    ):
        table: Any = {"Name": name, **more}
        store.account.glue.create_table(DatabaseName=naming.DATABASE, TableInput=table)


def entries(account: Account) -> set[str]:
    found = account.glue.get_tables(DatabaseName=naming.DATABASE)["TableList"]
    return {table["Name"] for table in found}


@pytest.mark.parametrize("prefix", ["", "shop_"])
def test_rest_of_a_deleted_stack_is_found_by_what_is_left(store: Store, prefix: str) -> None:
    """The same command finds it, with any CatalogPrefix."""
    leave(store, prefix)
    done = dynoexport.destroy(store.account, TABLE, data=True)
    assert (done.format, done.stack, done.snapshots) == (OutputFormat.CSV, None, 2)
    assert done.catalog == (f"{prefix}reviews", f"{prefix}snapshots_reviews")
    assert entries(store.account) == set()
    assert store.keys() == {f"{naming.snapshot_prefix(TABLE, 'csv', FOREIGN)}part-0000"}
    with pytest.raises(NotExported):
        dynoexport.destroy(store.account, TABLE, data=True)


def test_catalog_of_another_design_stays(store: Store) -> None:
    """The Step Functions design has the same folders and names, and no manifests."""
    leave(store)
    for key in list(store.keys()):
        if key.startswith(("manifests/", "glue-temp-dir/")):
            store.account.s3.delete_object(Bucket=store.account.bucket, Key=key)
    for data in (False, True):
        with pytest.raises(NotExported):
            dynoexport.destroy(store.account, TABLE, data=data)
    assert entries(store.account) == {"reviews", "snapshots_reviews"}


def test_without_data_only_catalog_entries_are_deleted(store: Store) -> None:
    leave(store)
    before = store.keys()
    dynoexport.destroy(store.account, TABLE)
    assert (entries(store.account), store.keys()) == (set(), before)
    with pytest.raises(NotExported):
        dynoexport.destroy(store.account, TABLE)


@pytest.mark.parametrize(
    "gone",
    [
        ["glue", "reviews"],
        ["glue", "reviews", "snapshots_reviews"],
        ["s3", f"manifests/csv/Reviews/{OLDER}.json", f"manifests/csv/Reviews/{NEWEST}.json"],
        ["s3", "glue-temp-dir/csv/Reviews/left"],
    ],
)
def test_interrupted_call_is_completed(store: Store, gone: list[str]) -> None:
    """It does not matter what is already deleted."""
    leave(store)
    service, *names = gone
    for name in names:
        if service == "glue":
            store.account.glue.delete_table(DatabaseName=naming.DATABASE, Name=name)
        else:
            store.account.s3.delete_object(Bucket=store.account.bucket, Key=name)
    dynoexport.destroy(store.account, TABLE, data=True)
    assert entries(store.account) == set()
    assert store.keys() == {f"{naming.snapshot_prefix(TABLE, 'csv', FOREIGN)}part-0000"}


def test_only_a_claim_is_found(store: Store) -> None:
    """It is deleted last."""
    store.put(naming.claim_key(TABLE, "csv", NEWEST))
    dynoexport.destroy(store.account, TABLE, data=True)
    assert store.keys() == set()


def test_rests_of_two_formats_need_a_format(store: Store) -> None:
    leave(store)
    store.put(naming.claim_key(TABLE, "json", NEWEST))
    with pytest.raises(AmbiguousExport, match="as csv and json have left something"):
        dynoexport.destroy(store.account, TABLE, data=True)
    dynoexport.destroy(store.account, TABLE, fmt=OutputFormat.JSON, data=True)
    assert naming.claim_key(TABLE, "csv", NEWEST) in store.keys("manifests/")


def test_catalog_tables_on_other_data_are_left(store: Store) -> None:
    """One has the export's name and other data, the other has its data and another name."""
    bucket = store.account.bucket
    for name, location in (
        ("snapshots_reviews", f"s3://{bucket}/json/Reviews/"),
        ("old_snapshots_reviews", "s3://elsewhere/csv/Reviews/"),
        ("mine", f"s3://{bucket}/csv/Reviews/"),
    ):
        store.account.glue.create_table(
            DatabaseName=naming.DATABASE,
            TableInput={"Name": name, "StorageDescriptor": {"Location": location}},
        )
    with pytest.raises(NotExported):
        dynoexport.destroy(store.account, TABLE, fmt=OutputFormat.CSV, data=True)
    assert len(entries(store.account)) == 3


@pytest.mark.parametrize("other", [stored_view("SELECT * FROM mine"), {}])
def test_what_somebody_else_has_under_the_name_of_the_view_stays(
    store: Store, other: dict[str, str]
) -> None:
    """Another view, or a table."""
    leave(store)
    table: Any = {"Name": EXPORT.view, **other}
    store.account.glue.update_table(DatabaseName=naming.DATABASE, TableInput=table)
    assert dynoexport.destroy(store.account, TABLE, data=True).catalog == (EXPORT.snapshots_table,)
    assert entries(store.account) == {EXPORT.view}


def test_foreign_data_alone_is_not_a_rest(store: Store) -> None:
    store.foreign(FOREIGN)
    with pytest.raises(NotExported):
        dynoexport.destroy(store.account, TABLE, data=True)


def test_account_without_exports_has_no_rest(account: Account) -> None:
    """Neither bucket nor database."""
    with pytest.raises(NotExported):
        dynoexport.destroy(account, TABLE, data=True)

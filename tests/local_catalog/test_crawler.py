"""Crawls on the endpoint: what they find in a path, and what they write into the catalog."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from catalog_lake import BUCKET, DATABASE, PARQUET_SERDE, avro, parquet

if TYPE_CHECKING:
    from catalog_lake import Lake

pytestmark = pytest.mark.endpoint

FIRST, SECOND, THIRD = "2026-11-21T10:00", "2026-11-22T10:00", "2026-11-23T10:00"
CSV = b'User,Review\nAdeline,"brave, but"\n'


def succeed(lake: Lake, folder: str, **options: object) -> None:
    last = lake.crawl(folder, **options)
    assert last["Status"] == "SUCCEEDED", last


def test_a_folder_of_snapshots_becomes_one_table(lake: Lake) -> None:
    """Prefix and folder in lower case; '.' and '-' become '_'."""
    lake.snapshot("parquet/My-Table.v2", FIRST, parquet({"User": "Ada", "Stars": 4}))
    succeed(lake, "parquet/My-Table.v2")
    table = lake.table("snapshots_my_table_v2")
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"]["classification"] == "parquet"
    assert table["PartitionKeys"] == [{"Name": "snapshot_timestamp", "Type": "string"}]
    assert lake.columns("snapshots_my_table_v2") == {"user": "string", "stars": "bigint"}
    descriptor = table["StorageDescriptor"]
    assert descriptor["Location"] == f"s3://{BUCKET}/parquet/My-Table.v2/"
    assert descriptor["SerdeInfo"]["SerializationLibrary"] == PARQUET_SERDE


@pytest.mark.parametrize("written", [FIRST, FIRST.replace(":", "%3A")])
def test_a_partition_has_its_folders_value(lake: Lake, written: str) -> None:
    """Hive escapes a ':'. Both spellings mean the same value."""
    folder = "parquet/Escaped" if "%" in written else "parquet/Plain"
    table = "snapshots_escaped" if "%" in written else "snapshots_plain"
    lake.snapshot(folder, written, parquet({"User": "Ada"}))
    succeed(lake, folder)
    (partition,) = lake.glue.get_partitions(DatabaseName=DATABASE, TableName=table)["Partitions"]
    descriptor = partition["StorageDescriptor"]
    assert partition["Values"] == [FIRST]
    assert descriptor["Location"] == f"s3://{BUCKET}/{folder}/snapshot_timestamp={written}/"
    assert descriptor["Columns"] == lake.table(table)["StorageDescriptor"]["Columns"]


def test_a_second_crawl_adds_the_new_partition(lake: Lake) -> None:
    lake.snapshot("parquet/Grows", FIRST, parquet({"n": 1}))
    succeed(lake, "parquet/Grows")
    lake.snapshot("parquet/Grows", SECOND, parquet({"n": 2}))
    succeed(lake, "parquet/Grows")
    assert lake.partitions("snapshots_grows") == [FIRST, SECOND]
    assert lake.rows("SELECT n FROM snapshots_grows ORDER BY n")[1:] == [["1"], ["2"]]


LOOSE = [
    ("notes.txt", b"mine"),
    ("old.parquet", parquet({"n": "9", "theirs": 1})),
    ("backup/part-0", parquet({"n": 9})),
    ("day=2019-01-01/part-0", parquet({"n": 9})),
]


@pytest.mark.parametrize(("name", "content"), LOOSE)
def test_objects_outside_the_partitions_are_ignored(lake: Lake, name: str, content: bytes) -> None:
    """Before the first crawl and later: Athena reads the partitions of a partitioned table."""
    folder = f"parquet/Loose_{LOOSE.index((name, content))}"
    table = f"snapshots_{folder.rpartition('/')[2].lower()}"
    snapshots = [
        lake.snapshot(folder, timestamp, parquet({"n": 1})) for timestamp in (FIRST, SECOND)
    ]
    lake.put(f"{folder}/{name}", content)
    for _ in range(2):
        succeed(lake, folder)
        assert lake.columns(table) == {"n": "bigint"}
        assert lake.partitions(table) == [FIRST, SECOND]
        assert lake.rows(f"SELECT * FROM {table} ORDER BY 2")[1:] == [["1", FIRST], ["1", SECOND]]
    for key in snapshots:
        lake.delete(key)
    succeed(lake, folder)
    if "=" not in name:
        assert lake.partitions(table) == []
        assert lake.rows(f"SELECT * FROM {table}")[1:] == []


def test_a_second_crawl_removes_the_partition_whose_folder_is_gone(lake: Lake) -> None:
    gone = lake.snapshot("parquet/Shrinks", FIRST, parquet({"n": 1}))
    lake.snapshot("parquet/Shrinks", SECOND, parquet({"n": 2}))
    succeed(lake, "parquet/Shrinks")
    lake.delete(gone)
    succeed(lake, "parquet/Shrinks")
    assert lake.partitions("snapshots_shrinks") == [SECOND]


def test_when_the_last_folder_is_gone_no_partition_stays(lake: Lake) -> None:
    """DELETE_FROM_DATABASE: the catalog shows nothing that is not in S3.

    The table may stay, empty; a later snapshot finds its columns there.
    """
    gone = lake.snapshot("parquet/Vanishes", FIRST, parquet({"n": 1}))
    succeed(lake, "parquet/Vanishes")
    lake.delete(gone)
    succeed(lake, "parquet/Vanishes")
    assert lake.partitions("snapshots_vanishes") == []
    assert lake.rows("SELECT count(*) AS n FROM snapshots_vanishes")[1:] == [["0"]]


def test_a_new_column_joins_and_an_old_one_stays(lake: Lake) -> None:
    """MergeNewColumns, also when the snapshot that had the old column is gone."""
    gone = lake.snapshot("parquet/Merges", FIRST, parquet({"a": 1, "Old": "x"}))
    succeed(lake, "parquet/Merges")
    lake.delete(gone)
    lake.snapshot("parquet/Merges", SECOND, parquet({"a": 1, "New": [True]}))
    succeed(lake, "parquet/Merges")
    assert lake.columns("snapshots_merges") == {
        "a": "bigint",
        "old": "string",
        "new": "array<boolean>",
    }


def test_a_column_keeps_its_type_whatever_is_found_later(lake: Lake) -> None:
    """MergeNewColumns: otherwise each crawl would make a view of the older snapshot stale."""
    lake.snapshot("json/Keeps", FIRST, b'{"n": 3000000000}\n')
    succeed(lake, "json/Keeps")
    lake.delete(f"json/Keeps/snapshot_timestamp={FIRST}/part-0")
    lake.snapshot("json/Keeps", SECOND, b'{"n": 1, "m": 2}\n')
    succeed(lake, "json/Keeps")
    assert lake.columns("snapshots_keeps") == {"n": "bigint", "m": "int"}


def test_a_table_keeps_its_format_whatever_is_found_later(lake: Lake) -> None:
    """Otherwise one damaged file would make all older snapshots unreadable."""
    lake.snapshot("parquet/Formats", FIRST, parquet({"n": 1}))
    succeed(lake, "parquet/Formats")
    lake.snapshot("parquet/Formats", SECOND, b"garbage, as it happens\n")
    succeed(lake, "parquet/Formats")
    found = lake.rows(f"SELECT n FROM snapshots_formats WHERE snapshot_timestamp = '{FIRST}'")
    assert found == [["n"], ["1"]]


def test_every_partition_inherits_the_tables_columns(lake: Lake) -> None:
    """InheritFromTable: an older partition gets a later column, too."""
    lake.snapshot("parquet/Inherits", FIRST, parquet({"a": 1}))
    lake.snapshot("parquet/Inherits", SECOND, parquet({"a": 1, "b": "x"}))
    succeed(lake, "parquet/Inherits")
    answer = lake.glue.get_partitions(DatabaseName=DATABASE, TableName="snapshots_inherits")
    names = [
        [column["Name"] for column in partition["StorageDescriptor"]["Columns"]]
        for partition in answer["Partitions"]
    ]
    assert names == [["a", "b"], ["a", "b"]]


def test_avro_schema_is_in_table_and_partitions_and_stays(lake: Lake) -> None:
    """A later crawl adds the column to the table and leaves the schema unchanged."""
    first = avro({"id": "string"}, {"id": "a"})
    lake.snapshot("avro/Literal", FIRST, first)
    succeed(lake, "avro/Literal")
    former = literals(lake, "snapshots_literal")
    assert [json.loads(schema)["fields"][0]["name"] for schema in former] == ["id"] * 5
    lake.snapshot("avro/Literal", SECOND, avro({"id": "string", "n": "long"}, {"id": "b", "n": 1}))
    succeed(lake, "avro/Literal")
    assert lake.columns("snapshots_literal") == {"id": "string", "n": "bigint"}
    assert set(literals(lake, "snapshots_literal")) == set(former)


def literals(lake: Lake, name: str) -> list[str]:
    """The avro schemas of a table and of its partitions, wherever they stand."""
    partitions = lake.glue.get_partitions(DatabaseName=DATABASE, TableName=name)["Partitions"]
    entries = [lake.table(name), *partitions]
    holders = [
        holder
        for entry in entries
        for descriptor in [entry["StorageDescriptor"]]
        for holder in (entry, descriptor, descriptor["SerdeInfo"])
    ]
    schemas = [holder.get("Parameters", {}).get("avro.schema.literal", "") for holder in holders]
    return list(filter(None, schemas))


def test_different_snapshots_are_still_one_table(lake: Lake) -> None:
    """TableLevelConfiguration keeps the path one table whatever the data."""
    lake.snapshot("json/Unlike", FIRST, b'{"a": 1}\n')
    lake.snapshot("json/Unlike", SECOND, b'{"b": "x"}\n')
    lake.snapshot("json/Unlike", THIRD, b'{"a": "x", "c": {"d": 1}}\n')
    before = lake.tables()
    succeed(lake, "json/Unlike")
    assert lake.tables() - before == {"snapshots_unlike"}
    assert lake.columns("snapshots_unlike") == {"a": "string", "b": "string", "c": "struct<d:int>"}


def test_files_that_hive_ignores_are_ignored(lake: Lake) -> None:
    """Names that begin with '_' or '.', and empty ones."""
    lake.snapshot("parquet/Hidden", FIRST, parquet({"n": 1}))
    lake.snapshot("parquet/Hidden", FIRST, b"not parquet", name="_SUCCESS")
    lake.snapshot("parquet/Hidden", FIRST, b"not parquet", name=".part-0.crc")
    lake.snapshot("parquet/Hidden", FIRST, b"", name="part-1")
    lake.put("parquet/Hidden/_temporary/0/part-0", b"not parquet")
    succeed(lake, "parquet/Hidden")
    assert lake.columns("snapshots_hidden") == {"n": "bigint"}
    assert lake.partitions("snapshots_hidden") == [FIRST]


def test_a_folder_with_a_longer_name_is_another_table(lake: Lake) -> None:
    lake.snapshot("parquet/Short", FIRST, parquet({"n": 1}))
    lake.snapshot("parquet/ShortAndMore", FIRST, parquet({"other": 1}))
    succeed(lake, "parquet/Short")
    assert lake.columns("snapshots_short") == {"n": "bigint"}


# --- csv ---------------------------------------------------------------------------------------
def test_csv_is_split_at_every_comma_unless_a_classifier_quotes(lake: Lake) -> None:
    lake.snapshot("csv/Unquoted", FIRST, CSV)
    succeed(lake, "csv/Unquoted")
    table = lake.table("snapshots_unquoted")
    library = table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
    assert library.endswith("LazySimpleSerDe")
    assert table["Parameters"]["skip.header.line.count"] == "1"
    assert lake.columns("snapshots_unquoted") == {"user": "string", "review": "string"}


def test_a_classifier_with_a_quote_symbol_has_the_serde_that_quotes(lake: Lake) -> None:
    lake.glue.create_classifier(
        CsvClassifier={
            "Name": "quoted",
            "Delimiter": ",",
            "QuoteSymbol": '"',
            "ContainsHeader": "PRESENT",
        }
    )
    lake.snapshot("csv/Quoted", FIRST, CSV)
    succeed(lake, "csv/Quoted", Classifiers=["quoted"])
    serde = lake.table("snapshots_quoted")["StorageDescriptor"]["SerdeInfo"]
    assert serde["SerializationLibrary"].endswith("OpenCSVSerde")
    assert serde["Parameters"]["quoteChar"] == '"'
    assert lake.rows("SELECT user, review FROM snapshots_quoted") == [
        ["user", "review"],
        ["Adeline", "brave, but"],
    ]


# --- nothing to find, and failures ----------------------------------------------------------------
def test_an_empty_target_succeeds_and_makes_nothing(lake: Lake) -> None:
    before = lake.tables()
    succeed(lake, "parquet/Empty")
    assert lake.tables() == before


def test_a_missing_database_fails_the_crawl_by_name(lake: Lake) -> None:
    lake.snapshot("parquet/Homeless", FIRST, parquet({"n": 1}))
    last = lake.crawl("parquet/Homeless", DatabaseName="not_there")
    assert last["Status"] == "FAILED"
    assert "not_there" in last["ErrorMessage"]


def test_a_missing_bucket_fails_the_crawl(lake: Lake) -> None:
    targets = {"S3Targets": [{"Path": "s3://no-such-bucket-anywhere/parquet/T/"}]}
    last = lake.crawl("parquet/T", name="no-bucket", Targets=targets)
    assert last["Status"] == "FAILED"
    assert last["ErrorMessage"]


def test_a_broken_file_fails_the_crawl_and_the_next_one_may_succeed(lake: Lake) -> None:
    lake.snapshot("json/Broken", FIRST, b'{"a": \n')
    last = lake.crawl("json/Broken")
    assert last["Status"] == "FAILED"
    assert last["ErrorMessage"]
    lake.snapshot("json/Broken", FIRST, b'{"a": 1}\n')
    succeed(lake, "json/Broken")


def test_a_missing_crawler_is_refused(lake: Lake) -> None:
    with pytest.raises(lake.glue.exceptions.EntityNotFoundException):
        lake.glue.start_crawler(Name="nobody")

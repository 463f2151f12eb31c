"""What real Spark makes of items: rows under columns' names, and part files in every format."""

from __future__ import annotations

import csv
import dataclasses
import gc
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import export_table
import fastavro
import pyarrow.orc
import pyarrow.parquet
import pytest
from job_names import BUCKET
from py4j.protocol import Py4JJavaError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.spark,
    # pyspark 3.5 leaves the socket over which it has fetched rows to the garbage collector.
    pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"),
]

ADELINE = {
    "User": "Adeline",
    "Book": "Harry Potter and the Sorcerer's Stone",
    "Rating": 4,
    "Review": 'Harry is "pretty" brave,\r\nbut Hermione \\o/ is the clear hero\x07',
    "Tags": ["wizard", "school"],
    "Print": {"Pages": 309, "Year-Of": 1997},
}
TRISTAN = {"User": "Tristan", "Book": "", "Rating": 5, "Print": {"Pages": 223}}
FILES = ["avro", "csv", "json", "orc", "parquet", "xml"]


@dataclasses.dataclass(frozen=True)
class Local(export_table.Places):
    """The places of a run on this disk, under names with a colon, as in S3."""

    root: str = ""

    def uri(self, key: str) -> str:
        return f"file://{self.root}/{self.bucket}/{key}"

    def files(self) -> list[Path]:
        """The part files; the .crc files beside them are Hadoop's, on local disks only."""
        found = Path(self.root, self.bucket, self.snapshot).iterdir()
        return sorted(file for file in found if not file.name.startswith("."))


@pytest.fixture(autouse=True)
def _collect_sockets() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def places(tmp_path: Path) -> Local:
    return Local(
        bucket="bucket",
        temp="glue-temp-dir/json/Reviews/wr_1/",
        snapshot=export_table.snapshot_prefix("Reviews", "json", "2026-01-31T10:00"),
        manifest="",
        root=str(tmp_path),
    )


def dump(item: dict[str, Any]) -> str:
    """As Glue writes an item. Spark 4 hands on the very text of what it finds no one type for."""
    return json.dumps(item, separators=(",", ":"))


@pytest.fixture
def read(spark: Any, places: Local) -> Any:
    """Reads items as the job reads those that the DynamoDB source has written."""

    def read(*items: dict[str, Any] | str) -> Any:
        directory = Path(places.root, places.bucket, places.temp)
        directory.mkdir(parents=True)
        lines = [item if isinstance(item, str) else dump(item) for item in items]
        (directory / "run-1-part-r-00000").write_text("\n".join(lines) + "\n")
        (directory / "run-1-part-r-00001").write_text("")
        return export_table.read_items(spark, places.uri(places.temp))

    return read


@dataclasses.dataclass(frozen=True)
class WithoutGlue:
    """What of the GlueContext is used for every format but avro."""

    spark_session: Any


def write(spark: Any, rows: Any, fmt: str, places: Local) -> None:
    if fmt in export_table.TEXT_FORMATS:
        rows = export_table.text_lines(spark, export_table.as_text(rows), fmt)
    else:
        rows = export_table.with_fields_named(rows)
    context = WithoutGlue(spark)
    export_table.write_files(context, rows, fmt, places.uri(places.snapshot))


# --- items to rows ----------------------------------------------------------------------------
def test_hostile_attribute_names_each_become_a_column(read: Any) -> None:
    """Names that differ by case only, dots, backticks, unicode and the partition's own name."""
    item = {
        "Rating": 1,
        "rating": 2,
        "RATING": 3,
        "first.name": 4,
        "`tick`": 5,
        "größe": 6,
        "2nd": 7,
        "snapshot_timestamp": 8,
        "a b, c;{}()\n\t=": 9,
    }
    (row,) = export_table.with_columns_named(read(item)).collect()
    assert row.asDict() == {
        "rating": 2,
        "rating_2": 3,
        "rating_3": 1,
        "first_name": 4,
        "_tick_": 5,
        "gr__e": 6,
        "_2nd": 7,
        "snapshot_timestamp_2": 8,
        "a_b__c________": 9,
    }


def test_fields_of_structs_are_named_by_the_same_rule(read: Any) -> None:
    """At any depth, through arrays; values stay with their fields."""
    items = read({"M": {"A-b": 1, "a.B": {"X y": [{"Deep One": 2, "deep one": 3}]}}})
    rows = export_table.with_fields_named(export_table.with_columns_named(items))
    (row,) = rows.collect()
    assert row.asDict(recursive=True) == {
        "m": {"a_b": 1, "a_b_2": {"x_y": [{"deep_one": 2, "deep_one_2": 3}]}}
    }


def test_an_attribute_with_several_types_becomes_text(read: Any) -> None:
    rows = read({"x": 1}, {"x": "one"}, {"x": {"one": 1}}, {"x": True})
    assert [row.x for row in rows.collect()] == ["1", "one", '{"one":1}', "true"]


def test_an_attribute_that_is_only_null_is_text(read: Any) -> None:
    """Spark would refuse a column without a type in Parquet."""
    assert dict(read({"x": 1, "y": None}).dtypes) == {"x": "bigint", "y": "string"}


def test_broken_json_fails_the_run(read: Any) -> None:
    """A row of nulls in place of an item would be a silent loss."""
    with pytest.raises(Py4JJavaError, match="Malformed records"):
        read({"x": 1}, '{"x": 2').collect()


def test_nested_values_as_text_keep_their_attributes_names(read: Any) -> None:
    (row,) = export_table.as_text(read({"N": {"Year-Of": [1, 2]}, "L": ["a"], "F": 0.5})).collect()
    assert row.asDict() == {"N": '{"Year-Of":[1,2]}', "L": '["a"]', "F": "0.5"}


def test_binary_as_text_is_base64(spark: Any) -> None:
    rows = spark.createDataFrame([(bytearray(b"\x00\xff"),)], "b binary")
    assert export_table.as_text(rows).first().b == "AP8="


def test_the_schema_names_the_attribute_behind_each_column(read: Any) -> None:
    items = read(ADELINE)
    rows = export_table.with_fields_named(export_table.with_columns_named(items))
    assert export_table.schema_of(items.columns, rows)[1] == {
        "name": "print",
        "type": "struct<pages:bigint,year_of:bigint>",
        "attribute": "Print",
    }


# --- rows to files ----------------------------------------------------------------------------
@pytest.mark.parametrize("fmt", [fmt for fmt in FILES if fmt != "avro"])
def test_files_are_counted_row_by_row(spark: Any, read: Any, places: Local, fmt: str) -> None:
    """In two files with two and one rows, under a path with a colon, without any marker."""
    rows = export_table.with_columns_named(read(ADELINE, TRISTAN, TRISTAN))
    write(spark, rows.where("rating = 5").coalesce(1), fmt, places)
    write(spark, rows.where("rating = 4").coalesce(1), fmt, places)
    assert len(places.files()) == 2
    assert all(file.name.startswith("part-") for file in places.files())
    keys = [file.name for file in places.files()]
    assert export_table.count_rows(spark, None, fmt, places, keys) == 3


def test_an_empty_partition_makes_no_document(spark: Any, read: Any, places: Local) -> None:
    """Four partitions, one row: one file has lines, any other is empty and will be deleted."""
    rows = export_table.with_columns_named(read(TRISTAN)).repartition(4)
    write(spark, rows, "xml", places)
    texts = [file.read_text() for file in places.files()]
    assert len([text for text in texts if text]) == 1


def test_csv_has_a_header_in_the_catalogs_order_in_every_file(
    spark: Any, read: Any, places: Local
) -> None:
    rows = export_table.with_columns_named(read(ADELINE, TRISTAN))
    write(spark, rows.where("rating = 4").coalesce(1), "csv", places)
    write(spark, rows.where("rating = 5").coalesce(1), "csv", places)
    found = {}
    for file in places.files():
        with file.open(newline="") as text:
            header, row = csv.reader(text, strict=True)
        assert header == rows.columns
        found[row[2]] = dict(zip(header, row, strict=True))
    assert found["4"] == {
        "book": "Harry Potter and the Sorcerer's Stone",
        "print": '{"Pages":309,"Year-Of":1997}',
        "rating": "4",
        "review": 'Harry is "pretty" brave,\\\\r\\\\nbut Hermione \\\\o/ is the clear hero\x07',
        "tags": '["wizard","school"]',
        "user": "Adeline",
    }
    assert (found["5"]["book"], found["5"]["tags"]) == ("", "")


def test_xml_is_a_document_of_items(spark: Any, read: Any, places: Local) -> None:
    rows = export_table.with_columns_named(read(ADELINE, TRISTAN)).coalesce(1)
    write(spark, rows, "xml", places)
    (file,) = places.files()
    root = ET.fromstring(file.read_bytes())
    adeline, tristan = ({field.tag: field.text for field in item} for item in root)
    assert root.tag == "items"
    assert adeline["review"] == ADELINE["Review"].replace("\x07", "\ufffd")
    assert adeline["print"] == '{"Pages":309,"Year-Of":1997}'
    assert tristan == {"book": None, "print": '{"Pages":223}', "rating": "5", "user": "Tristan"}
    assert export_table.count_replaced(export_table.as_text(rows)) == 1


def test_json_is_one_item_a_line(spark: Any, read: Any, places: Local) -> None:
    write(spark, export_table.with_columns_named(read(ADELINE)).coalesce(1), "json", places)
    (file,) = places.files()
    (line,) = file.read_text().splitlines()
    assert json.loads(line) == {
        "user": "Adeline",
        "book": ADELINE["Book"],
        "rating": 4,
        "review": ADELINE["Review"],
        "tags": ["wizard", "school"],
        "print": {"pages": 309, "year_of": 1997},
    }


@pytest.mark.parametrize(
    ("fmt", "read_file"),
    [("parquet", pyarrow.parquet.read_table), ("orc", pyarrow.orc.read_table)],
)
def test_parquet_and_orc_keep_types(
    spark: Any, read: Any, places: Local, fmt: str, read_file: Any
) -> None:
    write(spark, export_table.with_columns_named(read(ADELINE, TRISTAN)).coalesce(1), fmt, places)
    (file,) = places.files()
    table = read_file(file)
    adeline, tristan = table.to_pylist()
    assert adeline["review"] == ADELINE["Review"]
    assert adeline["print"] == {"pages": 309, "year_of": 1997}
    assert tristan["print"] == {"pages": 223, "year_of": None}
    assert tristan["tags"] is None
    assert str(table.schema.field("rating").type) == "int64"


def test_avro_files_are_counted_by_the_executors(spark: Any, aws: Any, put: Any) -> None:
    """Plain Spark has no reader for them: the blocks are counted, straight from S3."""
    schema = {"type": "record", "name": "x", "fields": [{"name": "n", "type": "long"}]}
    prefix = "avro/Reviews/snapshot_timestamp=2026-01-31T10:00/"
    written = {f"{prefix}part-{rows}": rows for rows in (1, 700, 2_000)}
    for key, rows in written.items():
        file = io.BytesIO()
        fastavro.writer(file, schema, [{"n": number} for number in range(rows)], sync_interval=99)
        put(key, body=file.getvalue())
    places = export_table.Places(BUCKET, "", prefix, "")
    assert export_table.count_rows(spark, aws.s3, "avro", places, list(written)) == 2_701

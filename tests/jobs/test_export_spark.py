"""What real Spark makes of items: rows under columns' names, and part files in every format."""

from __future__ import annotations

import csv
import dataclasses
import functools
import gc
import gzip
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import export_table
import fastavro
import pyarrow.orc
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_arguments import ARGUMENTS
from job_names import BUCKET, DATABASE
from py4j.protocol import Py4JJavaError

from dynoexport.cloudformation import predicate

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.spark,
    # pyspark 3.5 leaves the socket over which it has fetched rows to the garbage collector.
    pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"),
]

ADELINE = {
    "User": {"S": "Adeline"},
    "Book": {"S": "Harry Potter and the Sorcerer's Stone"},
    "Rating": {"N": "4"},
    "Review": {"S": 'Harry is "pretty" brave,\r\nbut Hermione \\o/ is the clear hero\x07'},
    "Tags": {"L": [{"S": "wizard"}, {"S": "school"}]},
    "Print": {"M": {"Pages": {"N": "309"}, "Year-Of": {"N": "1997"}}},
}
TRISTAN = {
    "User": {"S": "Tristan"},
    "Book": {"S": ""},
    "Rating": {"N": "5"},
    "Print": {"M": {"Pages": {"N": "223"}}},
}
SETTINGS = {
    **ARGUMENTS,
    "OutputFormat": "parquet",
    "BucketName": BUCKET,
    "DatabaseName": DATABASE,
    "MaxConsumedReadThroughput": "1.0",
    "WorkerType": "G.1X",
    "NumberOfWorkers": "2",
    "ReadMode": "native",
    "JOB_NAME": "",
    "JOB_RUN_ID": "",
    "WORKFLOW_NAME": "",
}


@dataclasses.dataclass(frozen=True)
class Downloads(export_table.SnapshotPaths):
    """The places of a run, whose part files can be fetched to this disk."""

    s3: Any = None
    directory: Path = Path()

    def files(self) -> list[Path]:
        keys = sorted(export_table.list_objects(self.s3, self.bucket, self.snapshot))
        paths = [self.directory / key.rpartition("/")[2] for key in keys]
        for key, path in zip(keys, paths, strict=True):
            self.s3.download_file(self.bucket, key, str(path))
        return paths


@pytest.fixture(autouse=True)
def _collect_sockets() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def places(aws: Any, tmp_path: Path) -> Downloads:
    return Downloads(
        bucket=BUCKET,
        temp="glue-temp-dir/json/Reviews/wr_1/",
        snapshot=export_table.snapshot_prefix("Reviews", "json", "2026-01-31T10:00"),
        manifest="",
        s3=aws.s3,
        directory=tmp_path,
    )


@dataclasses.dataclass(frozen=True)
class WithoutGlue:
    """The part of the GlueContext that every format but avro uses."""

    spark_session: Any


@pytest.fixture
def export(spark: Any, places: Downloads, put: Any) -> Any:
    """Writes items as the job writes those that a reader has left: ``export(items, **settings)``.

    Each item lies in a file of its own, so that there are as many partitions.
    """

    def export(*items: dict[str, Any], **arguments: str) -> export_table.WriteResult:
        for number, item in enumerate(items):
            text = item if isinstance(item, str) else json.dumps(item)
            line = f'{{"Item":{text}}}\n'.encode()
            put(f"{places.temp}part-{number}", body=gzip.compress(line))
        settings = export_table.parse_settings({**SETTINGS, **arguments})
        pieces = tuple(
            {"key": f"{places.temp}part-{number}", "json_bytes": export_table.SEGMENT_BYTES}
            for number in range(len(items))
        )
        lines = export_table.ReadResult("export", 1, pieces=pieces)
        export_table.check_predicate(spark, settings.where)
        return export_table.write_snapshot(
            WithoutGlue(spark),
            settings,
            places.s3,
            places,
            lines,
            steps=export_table.Steps(),
        )

    return export


# --- rows to files ----------------------------------------------------------------------------
@pytest.mark.parametrize("fmt", ["csv", "json", "orc", "parquet", "xml"])
def test_written_files_are_counted_and_listed(export: Any, places: Downloads, fmt: str) -> None:
    """Under a path with a colon, without any marker."""
    written = export(ADELINE, TRISTAN, TRISTAN, OutputFormat=fmt)
    assert (written.items, written.items_read) == (3, 3)
    (file,) = places.files()
    assert file.name.startswith("part-")
    key = f"{places.snapshot}{file.name}"
    etag = places.s3.head_object(Bucket=BUCKET, Key=key)["ETag"].strip('"')
    assert written.files == ({"key": key, "bytes": file.stat().st_size, "etag": etag},)


def test_missing_rows_fail_the_run(export: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_table, "keep_part_files", lambda *_: {})
    with pytest.raises(export_table.JobFailed, match="the files have 0 rows, not 2"):
        export(ADELINE, TRISTAN)


def test_broken_json_fails_the_run(export: Any) -> None:
    """A row of nulls in place of an item would be a silent loss."""
    with pytest.raises(Py4JJavaError, match="JSONDecodeError"):
        export(ADELINE, '{"User": {"S": "x"')


def test_every_part_is_a_document_of_its_own_and_none_is_empty(
    spark: Any, export: Any, places: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A csv file has its header in the catalog's order in each; a part without items is no file."""
    monkeypatch.setattr(export_table, "files_for", lambda *_: 4)
    spark.conf.set("spark.sql.files.openCostInBytes", 128 << 20)
    written = export(ADELINE, TRISTAN, OutputFormat="csv", Where="rating > 3")
    spark.conf.unset("spark.sql.files.openCostInBytes")
    names = [column.name for column in written.columns]
    assert len(written.files) == len(places.files()) == 2
    for file in places.files():
        with file.open(newline="") as text:
            header, row = csv.reader(text, strict=True)
        assert header == names == ["book", "print", "rating", "review", "tags", "user"]
        assert len(row) == len(names)


def test_csv_values_are_quoted_and_escaped(export: Any, places: Downloads) -> None:
    export(ADELINE, OutputFormat="csv")
    (file,) = places.files()
    with file.open(newline="") as text:
        (row,) = csv.DictReader(text, strict=True)
    assert row == {
        "book": "Harry Potter and the Sorcerer's Stone",
        "print": '{"Pages":309,"Year-Of":1997}',
        "rating": "4",
        "review": 'Harry is "pretty" brave,\\\\\\r\\\\\\nbut Hermione \\\\o/ is the clear hero\x07',
        "tags": '["wizard","school"]',
        "user": "Adeline",
    }


def test_xml_is_a_document_of_items(export: Any, places: Downloads) -> None:
    written = export(ADELINE, TRISTAN, OutputFormat="xml")
    (file,) = places.files()
    root = ET.fromstring(file.read_bytes())
    items = ({field.tag: field.text for field in item} for item in root)
    adeline, tristan = sorted(items, key=lambda item: item["user"])
    assert root.tag == "items"
    assert adeline["review"] == ADELINE["Review"]["S"].replace("\x07", "\ufffd")
    assert adeline["print"] == '{"Pages":309,"Year-Of":1997}'
    assert tristan == {"book": None, "print": '{"Pages":223}', "rating": "5", "user": "Tristan"}
    assert written.replaced_characters == 1


def test_json_is_one_item_a_line(export: Any, places: Downloads) -> None:
    export(ADELINE, OutputFormat="json")
    (file,) = places.files()
    (line,) = file.read_text().splitlines()
    assert json.loads(line) == {
        "user": "Adeline",
        "book": ADELINE["Book"]["S"],
        "rating": 4,
        "review": ADELINE["Review"]["S"],
        "tags": ["wizard", "school"],
        "print": {"pages": 309, "year_of": 1997},
    }


@pytest.mark.parametrize(
    ("fmt", "read_file"),
    [("parquet", pyarrow.parquet.read_table), ("orc", pyarrow.orc.read_table)],
)
def test_parquet_and_orc_keep_types(
    export: Any, places: Downloads, fmt: str, read_file: Any
) -> None:
    export(ADELINE, TRISTAN, OutputFormat=fmt)
    (file,) = places.files()
    table = read_file(file)
    adeline, tristan = sorted(table.to_pylist(), key=lambda row: row["user"])
    assert adeline["review"] == ADELINE["Review"]["S"]
    assert adeline["print"] == {"pages": 309, "year_of": 1997}
    assert tristan["print"] == {"pages": 223, "year_of": None}
    assert tristan["tags"] is None
    assert str(table.schema.field("rating").type) == "int64"


@pytest.mark.parametrize(
    ("compression", "codec"), [("snappy", "SNAPPY"), ("zstd", "ZSTD"), ("gzip", "GZIP")]
)
def test_parquet_is_compressed_as_asked(
    export: Any, places: Downloads, compression: str, codec: str
) -> None:
    export(ADELINE, Compression=compression)
    (file,) = places.files()
    chunk = pyarrow.parquet.read_metadata(file).row_group(0).column(0)
    assert chunk.compression == codec


@pytest.mark.parametrize(
    ("compression", "codec"), [("snappy", "snappy"), ("zstd", "zstd"), ("gzip", "zlib")]
)
def test_orc_is_compressed_as_asked(
    export: Any, places: Downloads, compression: str, codec: str
) -> None:
    export(ADELINE, OutputFormat="orc", Compression=compression)
    (file,) = places.files()
    assert pyarrow.orc.ORCFile(file).compression.lower() == codec


# --- less than everything ---------------------------------------------------------------------
@pytest.mark.parametrize("fmt", ["csv", "json", "orc", "parquet", "xml"])
@pytest.mark.parametrize(
    ("where", "items"),
    [("Rating >= 5", 1), ("print.pages = 309 OR user LIKE 'T%'", 2), ("rating > 5", 0)],
)
def test_a_predicate_leaves_items_out(export: Any, fmt: str, where: str, items: int) -> None:
    """The columns are still those of all items."""
    written = export(ADELINE, TRISTAN, OutputFormat=fmt, Where=where)
    assert (written.items, written.items_read, len(written.columns)) == (items, 2, 6)
    assert bool(written.files) == bool(items)


@pytest.mark.parametrize("where", ["rating >", "'; DROP TABLE x", "a b c d", "SELECT 1; x"])
def test_an_invalid_predicate_is_refused_in_one_line(spark: Any, where: str) -> None:
    with pytest.raises(export_table.JobFailed, match="Where is not a Spark SQL predicate") as bad:
        export_table.check_predicate(spark, where)
    assert "\n" not in str(bad.value)


PREDICATES = st.text(max_size=30) | st.lists(
    st.sampled_from(("a", "'", "(", ")", "--", "/*", ";", "\n", "NOT", "IN", "1", "`", "=", "$")),
    max_size=9,
).map(" ".join)


@settings(max_examples=200)
@given(PREDICATES | st.text("ar'\"`\\()[];*/- =1", max_size=12).map("a = ".__add__))
def test_predicate_that_deploy_refuses_is_refused_by_spark(spark: Any, where: str) -> None:
    try:
        predicate.check_predicate(where)
    except predicate.PredicateRefused:
        with pytest.raises(export_table.JobFailed):
            export_table.check_predicate(spark, where.strip())


@settings(max_examples=200)
@given(PREDICATES)
def test_any_predicate_is_accepted_or_refused_in_one_line(spark: Any, where: str) -> None:
    try:
        export_table.check_predicate(spark, where)
    except export_table.JobFailed as refused:
        assert len(str(refused).splitlines()) == 1  # noqa: PT017


def test_a_failure_in_a_worker_is_logged_in_one_line(spark: Any) -> None:
    """Its exception, not the pages of Java around it, and no value."""

    def fail(_: int) -> None:
        raise ValueError("of the worker")

    with pytest.raises(Exception, match="of the worker") as failed:
        spark.sparkContext.parallelize([1]).foreach(fail)
    assert export_table.spark_cause(failed.value) == "ValueError"


def test_a_task_that_fails_on_an_item_quotes_no_value(spark: Any) -> None:
    """Neither in its error nor in what Spark logs of it."""

    def read_numbers(parse: Any, lines: Any) -> Any:
        for item in parse(lines):
            yield int(item["n"]["S"])

    lines = ['{"Item": {"n": {"S": "ada@example.org"}}}', '{"Item": ada@example.org']
    for line in lines:
        parse = functools.partial(export_table.parse_lines, dialect="export", selected=bool)
        task = functools.partial(
            export_table.run_without_values, functools.partial(read_numbers, parse)
        )
        with pytest.raises(Exception, match="JobFailed") as failed:
            spark.sparkContext.parallelize([line], 1).mapPartitions(task).collect()
        assert "ada@example.org" not in str(failed.value)
        cause = export_table.spark_cause(failed.value)
        assert cause is not None
        assert "Error in " in cause
        assert ", line " in cause


@pytest.mark.parametrize("fault", [ValueError, KeyError, UnicodeError])
def test_a_job_that_fails_unexpectedly_quotes_no_value(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], fault: type[Exception]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault("ada@example.org")

    monkeypatch.setattr(export_table, "parse_arguments", fail)
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    with pytest.raises(export_table.JobFailed) as failed:
        export_table.main([])
    assert str(failed.value).startswith(f"unexpected {fault.__name__} in fail, line ")
    assert failed.value.__suppress_context__
    out, err = capfd.readouterr()
    assert "ada@example.org" not in out + err
    assert str(failed.value) in out
    assert ", in main" in err


def test_a_failure_in_java_is_logged_with_its_cause(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(Exception, match="taken") as failed:
        spark.createDataFrame([(1,)], "n int").write.parquet(f"file:{tmp_path}/taken/below")
    cause = export_table.spark_cause(failed.value)
    assert cause is not None
    assert "taken" in cause
    assert len(cause.splitlines()) == 1


def test_an_error_of_our_own_is_not_an_error_of_spark() -> None:
    assert export_table.spark_cause(ValueError("ours")) is None


@pytest.mark.parametrize("where", ["nosuch = 1", "rating + 1", "print.nosuch = 1"])
def test_a_predicate_that_does_not_fit_is_refused_in_one_line(export: Any, where: str) -> None:
    with pytest.raises(export_table.JobFailed, match="Where cannot be applied") as bad:
        export(ADELINE, Where=where)
    assert "\n" not in str(bad.value)


@pytest.mark.parametrize("fmt", ["csv", "parquet"])
def test_a_predicate_that_fails_on_a_value_fails_in_one_line_without_it(
    spark: Any, export: Any, capsys: pytest.CaptureFixture[str], fmt: str
) -> None:
    """Glue 6.0 has ANSI mode on. An item's value never reaches a log."""
    spark.conf.set("spark.sql.ansi.enabled", "true")
    try:
        with pytest.raises(export_table.JobFailed, match=r"Where fails on an item: \[CAST_") as bad:
            export(ADELINE, OutputFormat=fmt, Where="CAST(user AS INT) > 1")
    finally:
        spark.conf.unset("spark.sql.ansi.enabled")
    assert "\n" not in str(bad.value)
    assert "Adeline" not in str(bad.value) + capsys.readouterr().out


# --- counting avro ----------------------------------------------------------------------------
def test_avro_files_are_counted_by_the_executors(spark: Any, aws: Any, put: Any) -> None:
    """Plain Spark has no reader for them: the executors count the blocks in S3."""
    schema = {"type": "record", "name": "x", "fields": [{"name": "n", "type": "long"}]}
    prefix = "avro/Reviews/snapshot_timestamp=2026-01-31T10:00/"
    written = {f"{prefix}part-{rows}": rows for rows in (1, 700, 2_000)}
    for key, rows in written.items():
        file = io.BytesIO()
        fastavro.writer(file, schema, [{"n": number} for number in range(rows)], sync_interval=99)
        put(key, body=file.getvalue())
    places = export_table.SnapshotPaths(BUCKET, "", prefix, "")
    assert export_table.count_written_rows(spark, aws.s3, "avro", places, list(written)) == 2_701


# --- a retry of a scan ------------------------------------------------------------------------
@pytest.fixture
def scanned(spark: Any, aws: Any) -> Any:
    """Reads a table of 30 items by its tasks, as an attempt of the job: the lines."""
    aws.dynamodb.create_table(
        TableName="Reviews",
        KeySchema=[{"AttributeName": "User", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "User", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(30):
        aws.dynamodb.put_item(TableName="Reviews", Item={"User": {"S": str(number)}})
    clients = export_table.Clients(aws.dynamodb, aws.glue, aws.s3, aws.cloudwatch)
    places = export_table.SnapshotPaths(BUCKET, "glue-temp-dir/parquet/Reviews/run/", "", "")

    def scanned(**arguments: str) -> Any:
        given = {**SETTINGS, "BucketName": BUCKET, "Splits": "5", **arguments}
        settings = export_table.parse_settings(given)
        plan = export_table.check_table(aws.dynamodb, settings)
        return export_table.read_by_scan(spark, settings, plan, clients, places)

    return scanned


def test_a_retry_reads_only_the_segments_that_are_missing(
    scanned: Any, aws: Any, keys: Any
) -> None:
    first = scanned()
    finished = "glue-temp-dir/parquet/Reviews/run/finished"
    assert keys(finished) == [f"{finished}/{segment}.json" for segment in range(5)]
    aws.s3.delete_object(Bucket=BUCKET, Key=f"{finished}/3.json")
    second = scanned()
    assert (first.report["resumed_splits"], second.report["resumed_splits"]) == (0, 4)
    kept = {piece["key"] for piece in first.pieces} & {piece["key"] for piece in second.pieces}
    assert {key.split("/")[-1][0] for key in kept} == {"0", "1", "2", "4"}
    assert users(second) == list(range(30))


def users(result: Any) -> list[int]:
    """The keys of the items that were read, in order."""
    groups = export_table.group_pieces(result.pieces, 2)
    items = export_table.piece_items(groups, BUCKET, "eu-west-1")
    return sorted(int(item["User"]["S"]) for item in items)


class LosingTasks:
    """Runs the tasks of a Scan and loses the results of some segments.

    For segments in ``unfinished`` it also loses the record, as if it had never been written.
    """

    def __init__(self, s3: Any, returned: set[int], unfinished: set[int], rounds: int) -> None:
        self._run = export_table.run_scan_tasks
        self._s3, self._returned, self._unfinished = s3, returned, unfinished
        self._rounds = rounds
        self.read: list[list[int]] = []

    def __call__(self, spark: Any, scan: Any, tasks: int) -> Any:
        found = self._run(spark, scan, tasks)
        self.read.append(sorted(found))
        if len(self.read) > self._rounds:
            return found
        for segment in self._unfinished:
            key = export_table.record_key(scan.prefix, segment)
            self._s3.delete_object(Bucket=BUCKET, Key=key)
        return {segment: found[segment] for segment in self._returned}


def test_finished_segments_of_lost_tasks_are_kept_and_the_others_dealt_again(
    scanned: Any, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = LosingTasks(aws.s3, returned={0, 2}, unfinished={3}, rounds=1)
    monkeypatch.setattr(export_table, "run_scan_tasks", tasks)
    result = scanned()
    assert tasks.read == [[0, 1, 2, 3, 4], [3]]
    assert users(result) == list(range(30))
    assert result.report["resumed_splits"] == 0


def test_a_scan_without_results_fails_in_one_line(
    scanned: Any, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends: segments are dealt again while that helps."""
    tasks = LosingTasks(aws.s3, returned=set(), unfinished=set(range(5)), rounds=9)
    monkeypatch.setattr(export_table, "run_scan_tasks", tasks)
    with pytest.raises(export_table.JobFailed, match="5 segments were not read: start a new run"):
        scanned()
    assert len(tasks.read) == 1


@pytest.mark.parametrize("changed", [{"Exclude": "Email"}, {"Columns": "User"}])
def test_a_retry_with_another_selection_reads_everything_again(
    scanned: Any, changed: dict[str, str]
) -> None:
    scanned()
    assert scanned(**changed).report["resumed_splits"] == 0


def test_the_report_lists_the_hottest_segments(scanned: Any) -> None:
    report = scanned().report
    assert report["splits"] == 5
    assert (report["capacity"], report["capacity_source"]) == (12_000, "on-demand, warm throughput")
    assert len(report["skew"]["hottest"]) == 5
    assert set(report["skew"]["segments"]) == {"items", "bytes", "units", "seconds"}
    most = report["skew"]["segments"]["items"]["max"]
    assert most == max(segment["items"] for segment in report["skew"]["hottest"])
    assert sum(segment["items"] for segment in report["skew"]["hottest"]) == 30

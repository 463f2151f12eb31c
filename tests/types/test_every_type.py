"""Generated tables go out in every format and come back through catalog and view, item by item."""

from __future__ import annotations

import io
import os
import re
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import expected
import fastavro
import pytest
import tables
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lake import QUERYABLE
from manifest_keys import documented, keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lake import Lake, Table

# How many generated tables: `make test-deep` asks for 500, in parts that can run side by side.
# There ten of them share a DynamoDB table, under attributes of their own, and so a run's time.
TABLES = int(os.environ.get("DYNOEXPORT_TABLES", "1"))
DEEP = "DYNOEXPORT_TABLES" in os.environ
PARTS, AT_ONCE = (10, 10) if DEEP else (1, 1)

generated = settings(
    max_examples=-(-TABLES // (PARTS * AT_ONCE)),
    deadline=None,
    derandomize=not DEEP,
    print_blob=True,
    # No shrinking, for an export takes seconds; test_rows.py shrinks what needs no Spark.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def check(table: Table, rules: expected.Rules, **settings: str) -> dict[str, Any]:
    """Export and compare with what boto3 scans; the manifest."""
    manifest = table.run(**settings)
    items = table.scan()
    if settings.get("ReadMode") == "connector":
        items = [expected.through_connector(item) for item in items]
    columns = expected.columns(items, rules)
    schema = [
        (column["name"], column["type"], column["attribute"]) for column in manifest["schema"]
    ]
    kind = "text" if table.format == "xml" else table.format
    assert schema == [
        (column.name, expected.hive(column.kind, kind), column.attribute) for column in columns
    ]
    rows = [expected.row(item, columns, kind) for item in items]
    assert by_id(table.rows(manifest)) == by_id(rows)
    assert manifest["items"] == len(items)
    assert set(keys(manifest)) <= documented()
    return manifest


def by_engine(manifest: dict[str, Any]) -> dict[str, Any]:
    """What both engines must write alike: all but names, sizes, times, and what they ran on."""
    alike = ("items", "schema", "warnings", "replaced_characters", "types", "compression", "format")
    return {key: manifest[key] for key in alike}


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in rows}


rules_drawn = st.builds(
    expected.Rules,
    type_conflicts=st.sampled_from(["string", "columns"]),
    maps_as=st.sampled_from(["struct", "struct", "map"]),
    max_struct_fields=st.sampled_from([2, 200]),
)


@pytest.mark.parametrize("_part", range(PARTS))
@generated
@given(items=tables.side_by_side(AT_ONCE), rules=rules_drawn, data=st.data())
def test_nothing_is_lost(
    lake: Lake, _part: int, items: list[tables.Item], rules: expected.Rules, data: st.DataObject
) -> None:
    """With ``native`` in each format and by each engine, in 1 or 7 segments.

    With ``connector`` except its losses.
    """
    table = lake.table("parquet", items)
    given = {
        "TypeConflicts": rules.type_conflicts,
        "MapsAs": rules.maps_as,
        "MaxStructFields": str(rules.max_struct_fields),
    }
    for fmt in (*QUERYABLE, "xml"):
        splits = data.draw(st.sampled_from(["1", "7"]), label=f"splits of {fmt}")
        same = lake.same_table(table, fmt)
        spark = check(same, rules, Splits=splits, **given)
        python = check(same, rules, Engine="python", Splits=splits, **given)
        assert by_engine(python) == by_engine(spark)
    fmt = data.draw(st.sampled_from(QUERYABLE), label="format of the connector")
    lossy = lake.same_table(lake.table(fmt, items), fmt)
    check(lossy, rules, ReadMode="connector", Splits="7", **given)


HOSTILE: list[tables.Item] = [
    {"id": {"S": "1"}, "n": {"N": "1"}, "mix": {"N": "1E+125"}, "b": {"BS": [b"", b"\xff"]}},
    {"id": {"S": "2"}, "n": {"N": "0.5"}, "mix": {"M": {"x": {"NULL": True}}}},
    {"id": {"S": "3"}, "l": {"L": [{"M": {"k": {"S": "\n"}}}]}, "s": {"S": 'a,"b\\'}},
    *({"id": {"S": str(number)}, "Email": {"S": "x@y.z"}} for number in range(4, 30)),
]


def with_recovery(lake: Lake, table: Table) -> Table:
    lake.dynamodb.update_continuous_backups(
        TableName=table.name,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    return table


@pytest.mark.parametrize("engine", ["spark", "python"])
@pytest.mark.parametrize("fmt", ["parquet", "json"])
def test_native_and_export_give_the_same(lake: Lake, fmt: str, engine: str) -> None:
    """Schema and rows are equal for any order of the items."""
    table = with_recovery(lake, lake.table(fmt, HOSTILE))
    native = check(table, expected.Rules(), ReadMode="native", Splits="7")
    rows = by_id(table.snapshot(native["snapshot_timestamp"]))
    exported = check(table, expected.Rules(), ReadMode="export", Engine=engine)
    assert exported["schema"] == native["schema"]
    assert by_id(table.snapshot(exported["snapshot_timestamp"])) == rows
    assert (native["read"]["reader"], exported["read"]["reader"]) == ("native", "export")


def test_an_export_of_an_empty_table_is_empty(lake: Lake) -> None:
    table = with_recovery(lake, lake.table("parquet", []))
    manifest = table.run(ReadMode="export")
    assert (manifest["items"], manifest["files"], manifest["schema"]) == (0, [], [])


def exports(lake: Lake, table: Table) -> int:
    """How many exports were requested; DynamoDB bills each."""
    arn = lake.dynamodb.describe_table(TableName=table.name)["Table"]["TableArn"]
    return len(lake.dynamodb.list_exports(TableArn=arn)["ExportSummaries"])


@contextmanager
def outage(client: Any, event: str, key: str = "") -> Iterator[None]:
    """Calls break off at that event of botocore's, for objects that the key is part of."""

    def break_off(params: Any = None, **_: Any) -> None:
        if key in (params or {}).get("Key", ""):
            raise ConnectionError("an outage")

    client.meta.events.register(event, break_off)
    try:
        with pytest.raises(ConnectionError, match="an outage"):
            yield
    finally:
        client.meta.events.unregister(event, break_off)


@pytest.mark.parametrize(
    ("service", "event", "key"),
    [
        ("dynamodb", "after-call.dynamodb.ExportTableToPointInTime", ""),
        ("dynamodb", "provide-client-params.dynamodb.DescribeExport", ""),
        ("s3", "provide-client-params.s3.GetObject", "manifest-summary"),
        ("s3", "provide-client-params.s3.GetObject", "manifest-files"),
        ("s3", "provide-client-params.s3.PutObject", "manifests/"),
    ],
)
def test_a_retry_uses_the_export_that_was_paid_for(
    lake: Lake, service: str, event: str, key: str
) -> None:
    table = with_recovery(lake, lake.table("parquet", HOSTILE))
    run = lake.start_run()
    with outage(getattr(lake, service), event, key):
        table.export(run, ReadMode="export")
    assert table.export(run, ReadMode="export")["items"] == len(HOSTILE)
    assert exports(lake, table) == 1
    assert lake.keys(f"glue-temp-dir/parquet/{table.name}/") == {}


def test_a_retry_of_the_writing_uses_the_export(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    import export_table

    def broken(*_: object, **__: object) -> None:
        raise ConnectionError("an outage")

    table = with_recovery(lake, lake.table("parquet", HOSTILE))
    run = lake.start_run()
    with monkeypatch.context() as patch:
        patch.setattr(export_table, "write_parts", broken)
        with pytest.raises(ConnectionError):
            table.export(run, ReadMode="export")
    assert table.export(run, ReadMode="export")["items"] == len(HOSTILE)
    assert exports(lake, table) == 1


def test_an_export_without_checksums_is_read_without_verification(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import export_table

    table = with_recovery(lake, lake.table("parquet", HOSTILE))
    wait = export_table.wait_for_export

    def without(*arguments: Any) -> Any:
        done = wait(*arguments)
        root = done["ExportManifest"].rpartition("/")[0]
        for key in lake.keys(f"{root}/manifest-"):
            if not key.endswith(".json"):
                lake.s3.delete_object(Bucket=lake.bucket, Key=key)
        return done

    monkeypatch.setattr(export_table, "wait_for_export", without)
    assert table.run(ReadMode="export")["items"] == len(HOSTILE)
    assert capsys.readouterr().out.count("is read without verification") == 2


@pytest.mark.parametrize("harm", ["data", "manifest-files", "manifest-summary"])
@pytest.mark.parametrize("ending", [".md5", ".checksum"])
def test_an_export_that_was_tampered_with_is_refused(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, harm: str, ending: str
) -> None:
    """Every checksum is compared, also under its documented name; nothing of it stays."""
    import export_table

    table = with_recovery(lake, lake.table("parquet", HOSTILE))
    wait = export_table.wait_for_export

    def tampered(*arguments: Any) -> Any:
        done = wait(*arguments)
        root = done["ExportManifest"].rpartition("/")[0]
        for file in ("manifest-summary", "manifest-files"):
            body = lake.content(f"{root}/{file}.md5")
            lake.s3.delete_object(Bucket=lake.bucket, Key=f"{root}/{file}.md5")
            lake.s3.put_object(Bucket=lake.bucket, Key=f"{root}/{file}{ending}", Body=body)
        keys = lake.keys(f"{root}/{harm}")
        key = next(key for key in keys if key.endswith((".json", ".gz")) and keys[key] > 30)
        lake.s3.put_object(Bucket=lake.bucket, Key=key, Body=b"other\n")
        return done

    monkeypatch.setattr(export_table, "wait_for_export", tampered)
    with pytest.raises(export_table.JobFailed, match="does not match"):
        table.run(ReadMode="export")
    assert lake.keys(f"parquet/{table.name}/") == {}
    left = lake.keys(f"glue-temp-dir/parquet/{table.name}/")
    assert [key for key in left if not key.endswith(".claim")] == []


# --- a Glue whose pyarrow is too old --------------------------------------------------------------
# Of Glue 3.0: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
PYARROW_OF_GLUE_3 = "5.0.0"
NESTED: list[tables.Item] = [
    *HOSTILE,
    {"id": {"S": "m"}, "m": {"M": {"a": {"S": "x"}, "d": {"N": "-7.50"}, "b": {"B": b"\x00\xfe"}}}},
    {"id": {"S": "d"}, "d": {"N": "-12345678901234567890.12345678901234567"}, "k": {"N": "8E-14"}},
    {"id": {"S": "s"}, "ns": {"NS": ["3", "-0.25"]}, "ss": {"SS": ["b", "a"]}, "z": {"B": b""}},
]


@pytest.mark.parametrize("fmt", ["parquet", "orc", "avro"])
def test_spark_and_glue_write_the_same_where_glue_has_no_usable_pyarrow(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, fmt: str
) -> None:
    """Rows, columns and warnings, with a predicate too; Spark names its files otherwise."""
    table = lake.table(fmt, NESTED)
    own = check(table, expected.Rules(), ReadMode="native")
    before = by_id(table.view())
    # The driver alone decides who writes.
    monkeypatch.setattr("pyarrow.__version__", PYARROW_OF_GLUE_3)
    for where in ({}, {"Where": "id IS NOT NULL"}):
        foreign = check(table, expected.Rules(), ReadMode="native", **where)
        assert by_id(table.view()) == before
        assert by_engine(foreign) == by_engine(own)
        names = [file["key"].rpartition("/")[2] for file in foreign["files"]]
        assert names
        assert all(re.match(r"part-\d{5}-", name) for name in names)


def test_glues_avro_writer_keeps_decimals_sets_and_binary(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the file itself: version 1.7, Glue's default, would write decimals as text."""
    table = lake.table("avro", NESTED)
    monkeypatch.setattr("pyarrow.__version__", PYARROW_OF_GLUE_3)
    (content,) = table.contents(table.run(ReadMode="native"))
    reader = fastavro.reader(io.BytesIO(content))
    types = {entry["name"]: entry["type"][1] for entry in reader.writer_schema["fields"]}
    assert reader.writer_schema["name"] == "topLevelRecord"
    assert types["d"]["logicalType"] == types["k"]["logicalType"] == "decimal"
    rows = {row["id"]: row for row in reader}
    assert rows["d"]["d"] == Decimal("-12345678901234567890.12345678901234567")
    assert rows["d"]["k"] == Decimal("8E-14")
    assert rows["1"]["b"] == [b"", b"\xff"]
    assert (rows["s"]["ss"], rows["s"]["z"]) == (["a", "b"], b"")
    assert sorted(rows["s"]["ns"]) == [Decimal("-0.25"), Decimal(3)]
    assert rows["m"]["m"] == {"a": "x", "b": b"\x00\xfe", "d": Decimal("-7.5")}


def test_the_connector_counts_numbers_that_arrive_as_doubles(lake: Lake) -> None:
    """In all items, beside what the sample before has shown; the native reader has neither."""
    items = [
        {"id": {"S": "1"}, "price": {"N": "12345678901234567890.12"}, "n": {"N": "1"}},
        {"id": {"S": "2"}, "price": {"N": "0.5"}, "m": {"M": {"x": {"N": "1.5"}}}},
    ]
    table = lake.table("json", items)
    read = table.run(ReadMode="connector")["read"]
    assert read["doubles"] == {"m": 1, "price": 2}
    assert (read["sampled_items"], read["losses"]) == (
        2,
        {"price": ["numbers of more than 15 digits"]},
    )
    assert not {"doubles", "losses"} & set(table.run(ReadMode="native")["read"])


# --- less than everything ---------------------------------------------------------------------
SECRET = "ada@example.org"


@pytest.mark.parametrize("reader", ["connector", "native"])
@pytest.mark.parametrize("settings", [{"Exclude": "Email, e.mail"}, {"Columns": 'id,"n"'}])
def test_excluded_attributes_are_never_in_the_bucket(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, reader: str, settings: dict[str, str]
) -> None:
    """This covers the snapshot and the temporary files of the readers."""
    import export_table

    items = [{"id": {"S": "1"}, "n": {"N": "1"}, "Email": {"S": SECRET}, "e.mail": {"S": SECRET}}]
    table = lake.table("json", items)
    seen: list[bytes] = []
    read = export_table.read_table

    def watched(*arguments: Any) -> Any:
        lines = read(*arguments)
        seen.extend(lake.content(key) for key in lake.keys("glue-temp-dir/"))
        return lines

    monkeypatch.setattr(export_table, "read_table", watched)
    manifest = table.run(ReadMode=reader, **settings)
    assert seen
    assert not any(SECRET.encode() in text for text in (*seen, *table.contents(manifest)))
    assert [column["name"] for column in manifest["schema"]] == ["id", "n"]
    assert table.view() == [{"id": "1", "n": 1}]
    chosen = manifest["selection"]
    assert chosen["exclude"] == (["Email", "e.mail"] if "Exclude" in settings else [])
    assert chosen["columns"] == (["id", "n"] if "Columns" in settings else [])


@pytest.mark.parametrize("reader", ["connector", "native", "export"])
def test_name_in_quotes_keeps_its_blanks(lake: Lake, reader: str) -> None:
    items = [{"id": {"S": "1"}, " Email": {"S": SECRET}, "Email": {"S": "shown"}}]
    table = with_recovery(lake, lake.table("json", items))
    manifest = table.run(ReadMode=reader, Exclude='" Email"')
    assert not any(SECRET.encode() in text for text in table.contents(manifest))
    assert table.view() == [{"id": "1", "email": "shown"}]


@pytest.mark.parametrize(
    ("reader", "settings", "names"),
    [
        ("connector", {"Columns": 'id," Email"'}, ["Columns names ' Email'"]),
        ("native", {"Columns": "id,n,Emial"}, ["Columns names 'Emial'"]),
        ("native", {"Exclude": '" Email",Email,e.mail,rare'}, ["Exclude names ' Email'"]),
        ("native", {"Exclude": "email,Email", "OutputFormat": "json"}, ["Exclude names 'email'"]),
        ("export", {"Exclude": "email,Email,rare"}, ["Exclude names 'email'"]),
        ("export", {"Columns": "id,rare"}, []),
    ],
)
def test_a_name_that_no_item_has_is_a_warning(
    lake: Lake,
    capsys: pytest.CaptureFixture[str],
    reader: str,
    settings: dict[str, str],
    names: list[str],
) -> None:
    """The warning is in log and manifest. One item with the name prevents it."""
    rest = {"Email": {"S": SECRET}, "e.mail": {"NULL": True}}
    items = [{"id": {"S": f"{number}"}, "n": {"N": "1"}, **rest} for number in range(20)]
    fmt = settings.pop("OutputFormat", "parquet")
    table = with_recovery(lake, lake.table(fmt, [*items, {"id": {"S": "x"}, "rare": {"L": []}}]))
    manifest = table.run(ReadMode=reader, **settings)
    assert manifest["warnings"] == [f"{name}, which no item has" for name in names]
    log = capsys.readouterr().out
    assert all(warning in log for warning in manifest["warnings"])
    assert "email" not in {column["name"] for column in manifest["schema"]}


@pytest.mark.parametrize("fmt", ["parquet", "csv"])
def test_a_predicate_is_true_for_what_is_exported(lake: Lake, fmt: str) -> None:
    """It uses the names of the view, and the manifest records it."""
    items = [{"id": {"S": str(n)}, "Ra.ting": {"N": str(n)}} for n in range(10)]
    table = lake.table(fmt, items)
    manifest = table.run(Where="ra_ting >= 7 AND id <> '8'")
    assert sorted(row["id"] for row in table.view()) == ["7", "9"]
    assert (manifest["items"], manifest["read"]["items"]) == (2, 10)
    assert manifest["selection"]["where"] == "ra_ting >= 7 AND id <> '8'"


def test_a_bad_predicate_fails_before_anything_is_read(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    import export_table

    def unread(*_: object) -> None:
        raise AssertionError("the table was read")

    monkeypatch.setattr(export_table, "read_table", unread)
    table = lake.table("parquet", HOSTILE)
    with pytest.raises(export_table.JobFailed, match="Where is not a Spark SQL predicate"):
        table.run(Where="rating >")


@pytest.mark.parametrize("compression", ["snappy", "gzip"])
def test_avro_is_compressed_as_asked_and_read(lake: Lake, compression: str) -> None:
    table = lake.table("avro", HOSTILE)
    manifest = check(table, expected.Rules(), Compression=compression)
    codec = {"snappy": b"snappy", "gzip": b"deflate"}[compression]
    assert all(codec in content[:4000] for content in table.contents(manifest))
    assert manifest["compression"] == compression

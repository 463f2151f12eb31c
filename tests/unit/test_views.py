"""The SQL of a view, and the snapshot that it shows."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport import naming
from dynoexport.jobs.timestamps import parse_timestamp
from dynoexport.jobs.view import shown_columns, shown_timestamp, view_sql

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableTypeDef

CURRENT = "2026-01-31T10:00"
HOSTILE = st.text(alphabet="a\"'`;-. \n\\/*", min_size=1, max_size=8) | st.text(min_size=1)
MINUTES = st.datetimes(min_value=datetime(1900, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.strftime(naming.TIMESTAMP_FORMAT)
)


def kept(document: Any) -> TableTypeDef:
    """A view as the catalog keeps it: a comment around base64 of JSON."""
    stored = base64.b64encode(json.dumps(document).encode()).decode()
    return {"Name": "reviews", "ViewOriginalText": f"/* Presto View: {stored} */"}


def view_of(sql: str) -> TableTypeDef:
    """What Athena stores of ``CREATE OR REPLACE VIEW ... AS <sql>``."""
    return kept({"originalSql": sql, "catalog": "awsdatacatalog", "columns": []})


# --- what it writes -------------------------------------------------------------------------------
def test_the_view_lists_the_columns_of_one_snapshot() -> None:
    columns = {"user": "user", "rating": "rating__string"}
    sql = view_sql(naming.DATABASE, "reviews", "snapshots_reviews", columns, CURRENT)
    assert sql == (
        'CREATE OR REPLACE VIEW "dynamodb_exports"."reviews" AS\n'
        'SELECT "user", "rating__string" AS "rating"\n'
        'FROM "dynamodb_exports"."snapshots_reviews"\n'
        "WHERE \"snapshot_timestamp\" = '2026-01-31T10:00'"
    )


def column(name: str, view: str = "", *, shown: bool = True) -> dict[str, Any]:
    return {"name": name, "view": view or name, "shown": shown}


def test_the_columns_are_those_shown_with_the_partitions_last() -> None:
    columns = [column("user"), column("n", shown=False), column("n__string", "n")]
    shown = shown_columns(columns)
    assert list(shown.items()) == [
        ("user", "user"),
        ("n", "n__string"),
        ("snapshot_timestamp", "snapshot_timestamp"),
    ]


def test_an_attribute_whose_type_went_back_shows_the_column_that_is_shown() -> None:
    columns = [column("n"), column("n__string", "n", shown=False)]
    assert shown_columns(columns)["n"] == "n"


def test_the_view_of_an_older_snapshot_keeps_the_columns_of_the_newest() -> None:
    """They have the types of its own time, and nulls in later columns."""
    older = [column("user"), column("n")]
    newest = [column("user"), column("n", shown=False), column("n__string", "n"), column("color")]
    assert shown_columns([*newest, *older]) == {
        "user": "user",
        "n": "n",
        "color": "color",
        "snapshot_timestamp": "snapshot_timestamp",
    }


# --- what it reads back ---------------------------------------------------------------------------
@given(MINUTES, st.dictionaries(HOSTILE, HOSTILE, min_size=1))
def test_what_the_view_job_wrote_is_read_back(timestamp: str, columns: dict[str, str]) -> None:
    """This holds even for columns whose names look like the condition."""
    sql = view_sql(naming.DATABASE, "reviews", "snapshots_reviews", columns, timestamp)
    view = view_of(sql.split(" AS\n", 1)[1])
    assert shown_timestamp(view) == timestamp


def test_a_column_that_reads_like_the_condition_is_not_taken_for_it() -> None:
    """The condition stands last."""
    name = "snapshot_timestamp = '2020-01-01T00:00'"
    sql = view_sql(naming.DATABASE, "reviews", "snapshots_reviews", {name: name}, CURRENT)
    assert shown_timestamp(view_of(sql)) == CURRENT


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM snapshots_reviews WHERE (snapshot_timestamp = '2026-01-31T10:00')",
        "SELECT a FROM t\nWHERE (\"snapshot_timestamp\"='2026-01-31T10:00')\n",
    ],
)
def test_views_of_the_former_design_are_understood(sql: str) -> None:
    assert shown_timestamp(view_of(sql)) == CURRENT


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        f"SELECT '{CURRENT}'",
        f"SELECT a FROM t WHERE other_timestamp = '{CURRENT}'",
        "SELECT a FROM t WHERE snapshot_timestamp = 'yesterday'",
        "SELECT a FROM t WHERE snapshot_timestamp = '2026-1-31T10:0'",
    ],
)
def test_a_view_without_a_snapshot_in_its_text_shows_none(sql: str) -> None:
    """Somebody created it by hand, under our name."""
    assert shown_timestamp(view_of(sql)) is None


@pytest.mark.parametrize(
    "view",
    [
        None,
        {"Name": "reviews"},
        {"Name": "reviews", "ViewOriginalText": f"SELECT '{CURRENT}'"},
        {"Name": "reviews", "ViewOriginalText": "/* Presto View: AAA */"},
        {"Name": "reviews", "ViewOriginalText": "/* Presto View: //// */"},
        kept({"columns": []}),
        kept({"originalSql": None}),
        kept([1]),
    ],
)
def test_a_view_that_athena_did_not_write_shows_none(view: TableTypeDef | None) -> None:
    """A table, a Spark view or a broken view does not end a list of snapshots."""
    assert shown_timestamp(view) is None


# --- the minute that names a snapshot -------------------------------------------------------------
def test_a_snapshot_is_named_by_its_utc_minute() -> None:
    assert parse_timestamp(CURRENT) == datetime(2026, 1, 31, 10, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "backup",
        "2026-01-31",
        "2026-1-31T10:0",
        "2026-02-30T10:00",
        f"{CURRENT}:00",
        f"{CURRENT} ",
    ],
)
def test_no_other_name_is_a_snapshot(name: str) -> None:
    assert parse_timestamp(name) is None

"""Athena queries: waiting, pages, and their values in Python and JSON."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from dynoexport.aws import athena as queries
from dynoexport.aws.athena import Column, Execution, QueryFailed, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_athena import AthenaClient

    from dynoexport import Account

SELECT = Execution("q-1", 0, 0, "s3://results/q-1.csv", has_header=True)


@pytest.fixture
def athena(account: Account) -> AthenaClient:
    return account.athena


@pytest.fixture
def script(athena: AthenaClient) -> Iterator[Stubber]:
    """Athena with scripted responses: moto's has no states, failures or pages."""
    with Stubber(athena) as stub:
        yield stub
        stub.assert_no_pending_responses()


def column(name: str, kind: str, **more: int) -> dict[str, Any]:
    return {"Name": name, "Type": kind, **more}


def data(*values: str | None) -> dict[str, Any]:
    """A row: Athena returns nothing for a NULL."""
    return {"Data": [{} if value is None else {"VarCharValue": value} for value in values]}


COLUMNS = [column("user", "varchar"), column("price", "decimal", Precision=9, Scale=2)]


def answers(script: Stubber, *pages: list[dict[str, Any]], columns: Any = COLUMNS) -> None:
    """The answers to all calls for the rows of q-1."""
    for number, rows in enumerate(pages):
        asked = {"QueryExecutionId": "q-1", "MaxResults": 1000}
        if number:
            asked["NextToken"] = f"page {number}"
        more = {"NextToken": f"page {number + 1}"} if number + 1 < len(pages) else {}
        found = {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": columns}}
        script.add_response("get_query_results", {"ResultSet": found, **more}, asked)


def is_in(script: Stubber, state: str, reason: str = "", **more: Any) -> None:
    """The response that q-1 is in this state."""
    reported = {"State": state, **({"StateChangeReason": reason} if reason else {})}
    answer = {"QueryExecution": {"QueryExecutionId": "q-1", "Status": reported, **more}}
    script.add_response("get_query_execution", answer, {"QueryExecutionId": "q-1"})


# --- start ----------------------------------------------------------------------------------------
def test_a_query_runs_in_its_workgroup_and_database(athena: AthenaClient) -> None:
    athena.create_work_group(Name="group")
    query = queries.start(athena, "SELECT 1", work_group="group", database="lake")
    found = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
    assert (found["Query"], found["WorkGroup"]) == ("SELECT 1", "group")
    assert found["QueryExecutionContext"]["Database"] == "lake"


def test_a_query_that_athena_refuses_at_once_says_why(
    athena: AthenaClient, script: Stubber
) -> None:
    code, said = "InvalidRequestException", "line 1:1: mismatched input 'SELEKT'"
    script.add_client_error("start_query_execution", code, said)
    with pytest.raises(QueryFailed) as failed:
        queries.start(athena, "SELEKT 1", work_group="group", database="lake")
    assert (failed.value.what, failed.value.hint) == ("Athena refused the query", said)


# --- wait -----------------------------------------------------------------------------------------
def test_a_query_is_waited_for(athena: AthenaClient, script: Stubber) -> None:
    """There is a pause after each call except the last."""
    for state in ("QUEUED", "RUNNING", "SUCCEEDED"):
        is_in(script, state)
    pauses: list[float] = []
    queries.wait(athena, "q-1", seconds=7, sleep=pauses.append)
    assert pauses == [7, 7]


def test_an_execution_is_what_athena_says_of_it(athena: AthenaClient, script: Stubber) -> None:
    is_in(
        script,
        "SUCCEEDED",
        Statistics={"DataScannedInBytes": 12, "TotalExecutionTimeInMillis": 345},
        ResultConfiguration={"OutputLocation": "s3://results/q-1.csv"},
        StatementType="DML",
    )
    expected = Execution("q-1", 12, 345, "s3://results/q-1.csv", has_header=True)
    assert queries.wait(athena, "q-1") == expected


def test_missing_statistics_are_zero(athena: AthenaClient, script: Stubber) -> None:
    is_in(script, "SUCCEEDED")
    assert queries.wait(athena, "q-1") == Execution("q-1", 0, 0, "", has_header=True)


@pytest.mark.parametrize(
    ("statement", "has_header"), [("DML", True), ("DDL", False), ("UTILITY", False)]
)
def test_only_rows_of_data_have_a_header(
    athena: AthenaClient, script: Stubber, statement: str, *, has_header: bool
) -> None:
    """The first row of SHOW TABLES is a table."""
    is_in(script, "SUCCEEDED", StatementType=statement)
    assert queries.wait(athena, "q-1").has_header is has_header


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_query_that_does_not_succeed_says_why_in_one_line(
    athena: AthenaClient, script: Stubber, state: str
) -> None:
    is_in(script, state, "COLUMN_NOT_FOUND:\n line 1:8")
    with pytest.raises(QueryFailed) as failed:
        queries.wait(athena, "q-1")
    assert failed.value.what == f"Athena query q-1 {state.lower()}"
    assert failed.value.hint == "COLUMN_NOT_FOUND: line 1:8"


def test_a_failure_without_a_reason_is_reported_as_such(
    athena: AthenaClient, script: Stubber
) -> None:
    is_in(script, "CANCELLED")
    with pytest.raises(QueryFailed) as failed:
        queries.wait(athena, "q-1")
    assert failed.value.hint == "Athena gave no reason"


# --- rows -----------------------------------------------------------------------------------------
def test_rows_come_page_by_page_with_the_columns(athena: AthenaClient, script: Stubber) -> None:
    """The header is the first row of the first page alone."""
    first = [data("user", "price"), data("Ada", "1.50")]
    answers(script, first, [data("Bob", None), data("user", "price")])
    columns = (Column("user", "varchar"), Column("price", "decimal(9,2)"))
    assert list(queries.pages(athena, SELECT)) == [
        (columns, [("Ada", "1.50")]),
        (columns, [("Bob", None), ("user", "price")]),
    ]


def test_a_null_is_none_and_the_empty_text_is_not(athena: AthenaClient, script: Stubber) -> None:
    answers(script, [data("user", "price"), data("", None)])
    ((_, rows),) = queries.pages(athena, SELECT)
    assert rows == [("", None)]


def test_without_a_header_the_first_row_is_data(athena: AthenaClient, script: Stubber) -> None:
    answers(script, [data("reviews")], columns=[column("tab_name", "string")])
    show = Execution("q-1", 0, 0, "", has_header=False)
    assert list(queries.pages(athena, show)) == [((Column("tab_name", "string"),), [("reviews",)])]


def test_a_statement_without_columns_has_a_page_without_rows(
    athena: AthenaClient, script: Stubber
) -> None:
    script.add_response("get_query_results", {"ResultSet": {"Rows": [], "ResultSetMetadata": {}}})
    assert list(queries.pages(athena, SELECT)) == [((), [])]


def test_a_decimal_without_digits_is_the_widest(athena: AthenaClient, script: Stubber) -> None:
    answers(script, [], columns=[column("n", "decimal")])
    ((columns, _),) = queries.pages(athena, SELECT)
    assert columns == (Column("n", "decimal(38,0)"),)


def test_a_run_has_the_rows_of_all_pages(athena: AthenaClient, script: Stubber) -> None:
    script.add_response("start_query_execution", {"QueryExecutionId": "q-1"})
    is_in(script, "QUEUED")
    is_in(script, "SUCCEEDED")
    answers(script, [data("user", "price"), data("Ada", "1.50")], [data("Bob", None)])
    pauses: list[float] = []
    result = queries.run(
        athena, "SELECT", work_group="g", database="d", seconds=7, sleep=pauses.append
    )
    assert result == Result(
        query_id="q-1",
        columns=("user", "price"),
        types=("varchar", "decimal(9,2)"),
        rows=(("Ada", "1.50"), ("Bob", None)),
    )
    assert pauses == [7]


def test_a_statement_without_rows_returns_no_rows(athena: AthenaClient, script: Stubber) -> None:
    script.add_response("start_query_execution", {"QueryExecutionId": "q-1"})
    is_in(script, "SUCCEEDED", StatementType="DDL")
    answers(script, [], columns=[])
    result = queries.run(athena, "DROP VIEW x", work_group="g", database="d")
    assert result == Result("q-1", columns=(), types=(), rows=())


def test_records_are_rows_by_column() -> None:
    result = Result("q-1", ("a", "b"), ("varchar", "varchar"), (("1", None), ("2", "x")))
    assert list(queries.records(result)) == [{"a": "1", "b": None}, {"a": "2", "b": "x"}]


# --- values ---------------------------------------------------------------------------------------
VALUES = [
    ("tinyint", "-1", -1, -1),
    ("smallint", "7", 7, 7),
    ("integer", "7", 7, 7),
    ("bigint", "9223372036854775807", 2**63 - 1, 2**63 - 1),
    ("float", "0.5", 0.5, 0.5),
    ("real", "0.5", 0.5, 0.5),
    ("double", "1.0E10", 1e10, 1e10),
    ("double", "Infinity", float("inf"), "Infinity"),
    ("double", "-Infinity", float("-inf"), "-Infinity"),
    ("boolean", "true", True, True),
    ("boolean", "false", False, False),
    ("decimal(38,2)", "0.10", Decimal("0.10"), "0.10"),
    ("decimal(38,0)", "9" * 38, Decimal("9" * 38), "9" * 38),
    ("date", "2026-01-31", date(2026, 1, 31), "2026-01-31"),
    (
        "timestamp",
        "2026-01-31 10:00:30.250",
        datetime(2026, 1, 31, 10, 0, 30, 250_000),  # noqa: DTZ001 - Athena's has no time zone
        "2026-01-31 10:00:30.250",
    ),
    ("varchar", "007", "007", "007"),
    ("varchar(3)", "", "", ""),
    ("array", "[1, 2]", "[1, 2]", "[1, 2]"),
    ("row", "{a=1}", "{a=1}", "{a=1}"),
    ("timestamp with time zone", "2026-01-31 10:00 UTC", *["2026-01-31 10:00 UTC"] * 2),
]


@pytest.mark.parametrize(("kind", "text", "expected"), [case[:3] for case in VALUES])
def test_a_value_has_pythons_type(kind: str, text: str, expected: object) -> None:
    """A type without an equivalent stays as Athena prints it."""
    found = queries.typed(kind, text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("kind", "text", "expected"), [(*case[:2], case[3]) for case in VALUES])
def test_a_plain_value_loses_nothing_in_json(kind: str, text: str, expected: object) -> None:
    """JSON has no decimals, no dates and no infinity."""
    found = queries.plain(kind, text)
    assert found == expected
    assert type(found) is type(expected)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_not_a_number_is_text_in_json() -> None:
    assert queries.plain("double", "NaN") == "NaN"
    assert queries.typed("double", "NaN") != queries.typed("double", "NaN")


@pytest.mark.parametrize("kind", ["bigint", "double", "boolean", "decimal(9,2)", "date", "varchar"])
def test_null_of_every_type_becomes_none(kind: str) -> None:
    assert queries.typed(kind, None) is None
    assert queries.plain(kind, None) is None

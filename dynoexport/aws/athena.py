"""Athena queries: run one, wait for it, read its rows."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_athena import AthenaClient

# https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
_ROWS_PER_PAGE = 1000


class QueryFailed(DynoexportError):
    """A query that Athena did not finish, with Athena's reason."""


@dataclass(frozen=True)
class Execution:
    """A query that succeeded. ``output`` is the S3 URI of its result file."""

    query_id: str
    scanned_bytes: int
    milliseconds: int
    output: str
    has_header: bool


@dataclass(frozen=True)
class Column:
    """A column of a result with its type as Athena names it, ``decimal(38,2)`` for example."""

    name: str
    type: str


@dataclass(frozen=True)
class Result:
    """The rows of one query; a NULL is None, everything else is text as Athena prints it."""

    query_id: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


def start(athena: AthenaClient, sql: str, *, work_group: str, database: str) -> str:
    """Start a query and return its ID.

    Raises:
        QueryFailed: Athena refused it at once.
    """
    try:
        return athena.start_query_execution(
            QueryString=sql,
            WorkGroup=work_group,
            QueryExecutionContext={"Database": database},
        )["QueryExecutionId"]
    except athena.exceptions.InvalidRequestException as error:
        message = error.response.get("Error", {}).get("Message", str(error))
        raise QueryFailed("Athena refused the query", hint=message) from error


def wait(
    athena: AthenaClient,
    query_id: str,
    *,
    seconds: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Execution:
    """Wait until the query has succeeded. ``seconds`` is the pause between two polls.

    Raises:
        QueryFailed: Athena failed or cancelled the query.
    """
    while True:
        execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        status = execution["Status"]
        if status["State"] == "SUCCEEDED":
            break
        if status["State"] in {"FAILED", "CANCELLED"}:
            raise QueryFailed(
                f"Athena query {query_id} {status['State'].lower()}",
                hint=" ".join(status.get("StateChangeReason", "Athena gave no reason").split()),
            )
        sleep(seconds)
    statistics = execution.get("Statistics", {})
    return Execution(
        query_id=query_id,
        scanned_bytes=statistics.get("DataScannedInBytes", 0),
        milliseconds=statistics.get("TotalExecutionTimeInMillis", 0),
        output=execution.get("ResultConfiguration", {}).get("OutputLocation", ""),
        # The first row of a SELECT's result is the header:
        # https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
        has_header=execution.get("StatementType", "DML") == "DML",
    )


def pages(
    athena: AthenaClient, execution: Execution
) -> Iterator[tuple[tuple[Column, ...], list[tuple[str | None, ...]]]]:
    """The columns, and the rows of each page, at most 1,000. There is at least one page."""
    answers = athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=execution.query_id, PaginationConfig={"PageSize": _ROWS_PER_PAGE}
    )
    columns: tuple[Column, ...] = ()
    for number, page in enumerate(answers):
        result = page["ResultSet"]
        rows = [
            tuple(value.get("VarCharValue") for value in row.get("Data", ()))
            for row in result["Rows"]
        ]
        if number == 0:
            info = result["ResultSetMetadata"].get("ColumnInfo", ())
            columns = tuple(Column(column["Name"], _type(column)) for column in info)
            if execution.has_header:
                rows = rows[1:]
        yield columns, rows


def _type(info: object) -> str:
    """Athena returns a decimal's digits beside its type."""
    column: dict[str, object] = dict(info)  # type: ignore[call-overload]
    if column["Type"] == "decimal":
        return f"decimal({column.get('Precision', 38)},{column.get('Scale', 0)})"
    return str(column["Type"])


def run(
    athena: AthenaClient,
    sql: str,
    *,
    work_group: str,
    database: str,
    seconds: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Run ``sql`` and return all its rows. ``seconds`` is the pause between two polls.

    Raises:
        QueryFailed: Athena refused, failed or cancelled the query.
    """
    query_id = start(athena, sql, work_group=work_group, database=database)
    execution = wait(athena, query_id, seconds=seconds, sleep=sleep)
    all_pages = list(pages(athena, execution))
    columns = all_pages[0][0]
    return Result(
        query_id=query_id,
        columns=tuple(column.name for column in columns),
        types=tuple(column.type for column in columns),
        rows=tuple(row for _, rows in all_pages for row in rows),
    )


def records(result: Result) -> Iterator[dict[str, str | None]]:
    """The rows as dictionaries by column name."""
    for row in result.rows:
        yield dict(zip(result.columns, row, strict=True))


# --- values ---------------------------------------------------------------------------------------
_READERS: Mapping[str, Callable[[str], object]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "boolean": "true".__eq__,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}


def typed(kind: str, value: str | None) -> object:
    """The value in Python's type for Athena's; text if there is no such type, or it is not one."""
    if value is None:
        return None
    try:
        return _READERS.get(kind.partition("(")[0], str)(value)
    except (ValueError, ArithmeticError):
        return value


def plain(kind: str, value: str | None) -> object:
    """The value as JSON holds it without loss: decimals, dates and infinite numbers as text."""
    converted = typed(kind, value)
    if isinstance(converted, float) and not math.isfinite(converted):
        return value
    return value if isinstance(converted, (Decimal, date)) else converted

"""Athena queries: run one, wait for it, read its rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_athena import AthenaClient


class QueryFailed(DynoexportError):
    """A query that Athena did not finish, with Athena's reason."""


@dataclass(frozen=True)
class Result:
    """The rows of one query; a NULL is None, everything else is text as Athena prints it."""

    query_id: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


def run(
    athena: AthenaClient,
    sql: str,
    *,
    work_group: str,
    database: str,
    seconds: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Run ``sql`` and return its rows. ``seconds`` is the pause between two looks.

    Raises:
        QueryFailed: Athena refused, failed or cancelled the query.
    """
    query_id = athena.start_query_execution(
        QueryString=sql,
        WorkGroup=work_group,
        QueryExecutionContext={"Database": database},
    )["QueryExecutionId"]
    _wait(athena, query_id, seconds=seconds, sleep=sleep)
    return _result(athena, query_id)


def _wait(
    athena: AthenaClient, query_id: str, *, seconds: float, sleep: Callable[[float], None]
) -> None:
    while True:
        status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return
        if status["State"] in {"FAILED", "CANCELLED"}:
            raise QueryFailed(
                f"Athena query {query_id} {status['State'].lower()}",
                hint=status.get("StateChangeReason", "Athena gave no reason"),
            )
        sleep(seconds)


def _result(athena: AthenaClient, query_id: str) -> Result:
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id)
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    rows: list[tuple[str | None, ...]] = []
    for number, page in enumerate(pages):
        result = page["ResultSet"]
        found = [
            tuple(value.get("VarCharValue") for value in row.get("Data", ()))
            for row in result["Rows"]
        ]
        if number == 0:
            info = result["ResultSetMetadata"]["ColumnInfo"]
            columns = tuple(column["Name"] for column in info)
            types = tuple(column["Type"] for column in info)
            # Of a SELECT the first row of the first page is the header:
            # https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
            found = found[1:]
        rows.extend(found)
    return Result(query_id=query_id, columns=columns, types=types, rows=tuple(rows))


def records(result: Result) -> Iterator[dict[str, str | None]]:
    """The rows as dictionaries by column name."""
    for row in result.rows:
        yield dict(zip(result.columns, row, strict=True))

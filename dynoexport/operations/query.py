"""``query``: rows of a table's current snapshot, or of any SQL about its snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynoexport import naming
from dynoexport.aws import athena, exports
from dynoexport.jobs.view import sql_identifier
from dynoexport.operations.snapshots import SnapshotRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynoexport.aws.account import Account
    from dynoexport.aws.athena import Execution
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.model import OutputFormat

VIEW, SNAPSHOTS = "{view}", "{snapshots}"
_EVERYTHING = "SELECT * FROM {view}"


def query(
    account: Account,
    table: str,
    sql: str | None = None,
    *,
    fmt: OutputFormat | None = None,
    limit: int | None = None,
    on_started: Callable[[str], None] = lambda _: None,
) -> Execution:
    """Run a query and wait for it; its rows are read page by page from what it answers.

    In ``sql`` ``{view}`` stands for the view of the current snapshot and ``{snapshots}`` for the
    table of all of them. Without ``sql`` it is every row of the view, or ``limit`` of them.
    ``on_started`` is told Athena's ID of the query, with which it can be stopped.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        SnapshotRefused: Athena cannot read the export's format.
        QueryFailed: Athena refused, failed or cancelled the query.
    """
    export = exports.find_one(account, table, fmt)
    if not export.format.queryable:
        raise SnapshotRefused(
            f"Athena cannot read {export.format.value}", hint="export the table in another format"
        )
    text = statement(export, sql, limit)
    query_id = athena.start(
        account.athena, text, work_group=naming.WORK_GROUP, database=naming.DATABASE
    )
    on_started(query_id)
    return athena.wait(account.athena, query_id, seconds=min(account.pause, 1.0))


def rows(account: Account, execution: Execution) -> Iterator[dict[str, object]]:
    """The query's rows by column name, read page by page, values in Python's types for Athena's.

    Numbers, decimals, booleans, dates and timestamps are read; everything else is Athena's text.
    """
    for columns, page in athena.pages(account.athena, execution):
        for row in page:
            yield {
                column.name: athena.typed(column.type, value)
                for column, value in zip(columns, row, strict=True)
            }


def statement(export: DeployedExport, sql: str | None, limit: int | None = None) -> str:
    """The SQL with its placeholders replaced by quoted names."""
    text = sql if sql is not None else _EVERYTHING
    if sql is None and limit is not None:
        text += f" LIMIT {limit}"
    # Not by str.format: SQL has braces of its own.
    return text.replace(VIEW, _qualified(export.view)).replace(
        SNAPSHOTS, _qualified(export.snapshots_table)
    )


def _qualified(name: str) -> str:
    """A catalog name with its database, quoted."""
    return f"{sql_identifier(naming.DATABASE)}.{sql_identifier(name)}"

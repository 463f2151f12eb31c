"""``query``: rows of a table's current snapshot, or of any SQL about its snapshots."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dynoexport import naming
from dynoexport.aws import athena, exports
from dynoexport.errors import DynoexportError
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
# Quoted texts and comments, in which braces are SQL's own; and what looks like a placeholder.
_PLACEHOLDER = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|(\{\s*[A-Za-z_]\w*\s*\})", re.DOTALL
)


class PlaceholderRefused(DynoexportError):
    """SQL with a placeholder that does not exist."""

    exit_code = 2


def query(
    account: Account,
    table: str,
    sql: str | None = None,
    *,
    fmt: OutputFormat | None = None,
    limit: int | None = None,
    on_started: Callable[[str], None] = lambda _: None,
) -> Execution:
    """Run a query and wait for it; ``rows`` reads its rows page by page.

    In ``sql`` ``{view}`` stands for the view of the current snapshot and ``{snapshots}`` for the
    table of all of them. Without ``sql`` it is every row of the view, or ``limit`` of them.
    ``on_started`` gets Athena's ID of the query, which can stop it.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        SnapshotRefused: Athena cannot read the export's format.
        PlaceholderRefused: the SQL has an unknown placeholder.
        QueryFailed: Athena refused, failed or cancelled the query, or there is no view yet.
    """
    export = exports.find_one(account, table, fmt)
    if not export.format.queryable:
        raise SnapshotRefused(
            f"Athena cannot read {export.format.value}", hint="export the table in another format"
        )
    text = statement(export, sql, limit)
    try:
        query_id = athena.start(
            account.athena, text, work_group=naming.WORK_GROUP, database=naming.DATABASE
        )
        on_started(query_id)
        return athena.wait(account.athena, query_id, seconds=min(account.pause, 1.0))
    except athena.QueryFailed as failed:
        if _has_view(account, export):
            raise
        raise athena.QueryFailed(
            f"{table} has no view yet: no run has published a snapshot with items ({failed.hint})",
            hint=f"see its snapshots and their items with: dynoexport snapshots {table}",
        ) from None


def _has_view(account: Account, export: DeployedExport) -> bool:
    """Whether the view is in the catalog; a run that exports no items does not make it."""
    try:
        account.glue.get_table(DatabaseName=naming.DATABASE, Name=export.view)
    except account.glue.exceptions.EntityNotFoundException:
        return False
    return True


def rows(account: Account, execution: Execution) -> Iterator[dict[str, object]]:
    """The query's rows by column name, read page by page, with values of Python's types.

    Numbers, decimals, booleans, dates and timestamps are parsed; everything else is Athena's text.
    """
    for columns, page in athena.pages(account.athena, execution):
        for row in page:
            yield {
                column.name: athena.typed(column.type, value)
                for column, value in zip(columns, row, strict=True)
            }


def statement(export: DeployedExport, sql: str | None, limit: int | None = None) -> str:
    """The SQL with quoted names in place of its placeholders.

    Raises:
        PlaceholderRefused: it has an unknown one.
    """
    text = sql if sql is not None else _EVERYTHING
    if sql is None and limit is not None:
        text += f" LIMIT {limit}"
    for match in _PLACEHOLDER.finditer(text):
        if match[1] and match[1] not in {VIEW, SNAPSHOTS}:
            raise PlaceholderRefused(
                f"the SQL has an unknown placeholder {match[1]}",
                hint=f"write {VIEW} for the current view, {SNAPSHOTS} for the table of snapshots",
            )
    # Not by str.format: SQL has braces of its own.
    return text.replace(VIEW, _qualified(export.view)).replace(
        SNAPSHOTS, _qualified(export.snapshots_table)
    )


def _qualified(name: str) -> str:
    """A catalog name with its database, quoted."""
    return f"{sql_identifier(naming.DATABASE)}.{sql_identifier(name)}"

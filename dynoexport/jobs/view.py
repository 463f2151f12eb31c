"""The Athena view: its SQL, what it shows, and the query that replaces it."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.limits import ATHENA_QUERY_MAX
from dynoexport.jobs.log import log
from dynoexport.jobs.names import PARTITION_KEY, snapshots_table, view_results_prefix
from dynoexport.jobs.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue.type_defs import TableTypeDef

    from dynoexport.jobs.publish_settings import PublishSettings

# Replacing a view reads no data; this is time enough to wait in a busy workgroup's queue.
QUERY_SECONDS_MAX = 600
QUERY_SECONDS_BETWEEN = 2
# Each further pause is twice as long: the query has mostly ended within a second.
_FIRST_PAUSE = 0.125


class QueryTooSlow(JobFailed):
    """A query that has not ended in time."""


def stored_sql(entry: Mapping[str, Any]) -> str:
    """The SQL of a view of Athena; empty for any other entry of the catalog.

    The catalog keeps it as a comment around base64 of JSON, with the SQL in originalSql.
    """
    text = entry.get("ViewOriginalText") or ""
    stored = re.match(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/", text)
    if stored is None:
        return ""
    try:
        return str(json.loads(base64.b64decode(stored[1]).decode())["originalSql"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def is_own_view(entry: Mapping[str, Any], table: str) -> bool:
    """Whether the catalog's entry is a view of this table of snapshots, whoever has edited it.

    Another view, or a table, of the same name is somebody else's.
    """
    name = rf'"?{re.escape(table)}"?'
    source = rf'\bFROM\s+(?:"?[^\s".]+"?\.)?{name}(?:\s|$)'
    return re.search(source, stored_sql(entry), re.IGNORECASE) is not None


def check_view(entry: Mapping[str, Any] | None, view_name: str, settings: PublishSettings) -> None:
    """Check that the view of that name, if there is one, is this export's.

    Raises:
        JobFailed: somebody else has made it.
    """
    table = snapshots_table(settings.table, settings.catalog_prefix)
    if entry is not None and not is_own_view(entry, table):
        raise JobFailed(
            f"{settings.database}.{view_name} exists and is not the view of {table}: rename it, or "
            "deploy this export with a CatalogPrefix"
        )


def shown_timestamp(table: TableTypeDef | None) -> str | None:
    """The timestamp of the snapshot that the view shows; None without a view or a snapshot."""
    sql = stored_sql(table or {})
    timestamps = re.findall(rf'"?{PARTITION_KEY}"?\s*=\s*\'([^\']*)\'', sql)
    return timestamps[-1] if timestamps and parse_timestamp(timestamps[-1]) else None


def sql_identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def sql_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def shown_columns(schema: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The table's columns by their names in the view, with the partition's column last.

    ``schema`` is a manifest's. The view of an older snapshot starts with the columns of the newest
    one, so that no query loses a column. Each attribute has the type of the last entry for it.
    """
    shown = {column["view"]: column["name"] for column in schema if column["shown"]}
    return {**shown, PARTITION_KEY: PARTITION_KEY}


def select_item(view_column: str, column: str) -> str:
    if view_column == column:
        return sql_identifier(column)
    return f"{sql_identifier(column)} AS {sql_identifier(view_column)}"


def view_sql(
    database: str, view_name: str, table: str, columns: Mapping[str, str], timestamp: str
) -> str:
    """The statement that points the view at one snapshot, with ``shown_columns``.

    It lists the columns: a view of ``*`` is stale as soon as one of them changes its type.
    """
    listed = ", ".join(select_item(name, column) for name, column in columns.items())
    return (
        f"CREATE OR REPLACE VIEW {sql_identifier(database)}.{sql_identifier(view_name)} AS\n"
        f"SELECT {listed}\n"
        f"FROM {sql_identifier(database)}.{sql_identifier(table)}\n"
        f"WHERE {sql_identifier(PARTITION_KEY)} = {sql_literal(timestamp)}"
    )


def run_query(
    athena: AthenaClient, sql: str, settings: PublishSettings, sleep: Callable[[float], None]
) -> None:
    """Run the statement in the workgroup, and wait for its end, ten minutes at most.

    Raises:
        JobFailed: it is too long, it failed, with Athena's reason, or it took too long.
    """
    if len(sql) > ATHENA_QUERY_MAX:
        raise JobFailed(
            f"the view's query has {len(sql):,} characters, but Athena takes {ATHENA_QUERY_MAX:,}: "
            "deploy this export with Columns or Exclude, so that it has fewer attributes"
        )
    results = view_results_prefix(settings.table, settings.format)
    query = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": settings.database},
        WorkGroup=settings.work_group,
        ResultConfiguration={"OutputLocation": f"s3://{settings.bucket}/{results}"},
    )["QueryExecutionId"]
    try:
        wait_for_query(athena, query, sleep)
    except (BotoCoreError, ClientError, QueryTooSlow):
        # If it went on, it could still replace the view, perhaps after a later run.
        stop_query(athena, query)
        raise


def wait_for_query(athena: AthenaClient, query: str, sleep: Callable[[float], None]) -> None:
    """Wait until the query succeeds.

    Raises:
        JobFailed: it failed, with Athena's reason.
        QueryTooSlow: it is still queued or running.
    """
    waited, pause = 0.0, _FIRST_PAUSE
    while waited < QUERY_SECONDS_MAX:
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return
        if status["State"] in {"FAILED", "CANCELLED"}:
            reason = status.get("StateChangeReason", "Athena gives no reason")
            raise JobFailed(f"Athena query {query} {status['State']}: {' '.join(reason.split())}")
        sleep(pause)
        waited += pause
        pause = min(2 * pause, QUERY_SECONDS_BETWEEN, QUERY_SECONDS_MAX - waited)
    raise QueryTooSlow(
        f"Athena query {query} was still {status['State']} after {QUERY_SECONDS_MAX} seconds and "
        "was stopped: start a new run"
    )


def stop_query(athena: AthenaClient, query: str) -> None:
    """Stop it if possible: the reason why it is stopped matters more."""
    try:
        athena.stop_query_execution(QueryExecutionId=query)
    except (BotoCoreError, ClientError) as error:
        log(f"cannot stop the Athena query {query}: {error}")

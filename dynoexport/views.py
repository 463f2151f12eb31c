"""The Athena view of a table's current snapshot: the SQL that makes it, and what it shows.

The view job alone decides in a workflow run what the view shows; it is one file inside Glue and
repeats what stands here. A test holds the two together.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dynoexport import naming

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_glue.type_defs import TableTypeDef

    from dynoexport.manifests import Column


def identifier(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL quotes it."""
    return "'" + text.replace("'", "''") + "'"


def moment(timestamp: str) -> datetime | None:
    """The UTC minute that a snapshot is named by, None if it is no such name."""
    try:
        found = datetime.strptime(timestamp, naming.TIMESTAMP_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    # strptime takes "2026-1-1T1:1" too, which would sort and read as another snapshot.
    return found if found.strftime(naming.TIMESTAMP_FORMAT) == timestamp else None


def qualified(name: str) -> str:
    """A catalog name with its database, quoted."""
    return f"{identifier(naming.DATABASE)}.{identifier(name)}"


def shown_columns(newest: Sequence[Column], snapshot: Sequence[Column]) -> dict[str, str]:
    """The view's columns: by their names in the view those in the table, the partition's last.

    The view of an older snapshot keeps the columns of the newest one, so that no query loses a
    column; each attribute has the type that it had in that snapshot.
    """
    shown = {column.view: column.name for column in (*newest, *snapshot) if column.shown}
    return {**shown, naming.PARTITION_KEY: naming.PARTITION_KEY}


def _selected(view_column: str, column: str) -> str:
    if view_column == column:
        return identifier(column)
    return f"{identifier(column)} AS {identifier(view_column)}"


def create_sql(view: str, table: str, columns: Mapping[str, str], timestamp: str) -> str:
    """The statement that makes the view show one snapshot, with ``shown_columns``.

    The columns are listed: a view of ``*`` is stale as soon as one of them changes its type.
    """
    listed = ", ".join(_selected(name, column) for name, column in columns.items())
    return (
        f"CREATE OR REPLACE VIEW {qualified(view)} AS\n"
        f"SELECT {listed}\n"
        f"FROM {qualified(table)}\n"
        f"WHERE {identifier(naming.PARTITION_KEY)} = {literal(timestamp)}"
    )


def shown_by(view: TableTypeDef | None) -> str | None:
    """The snapshot that the view shows; None if there is no view, or none that tells.

    The catalog keeps a view as a comment around base64 of JSON, with its SQL in originalSql:
    https://docs.aws.amazon.com/athena/latest/ug/views-console.html
    """
    text = view.get("ViewOriginalText", "") if view is not None else ""
    stored = re.match(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/", text)
    if stored is None:
        return None
    try:
        sql = str(json.loads(base64.b64decode(stored[1]).decode())["originalSql"])
    except (ValueError, KeyError, TypeError):
        return None
    timestamps: list[str] = re.findall(rf'"?{naming.PARTITION_KEY}"?\s*=\s*\'([^\']*)\'', sql)
    return timestamps[-1] if timestamps and moment(timestamps[-1]) else None

"""The Athena view of a table's current snapshot: the SQL that makes it, and what it shows.

The view job alone decides in a workflow run what the view shows. Its module has the SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynoexport import naming
from dynoexport.jobs.view import sql_identifier, view_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynoexport.manifests import Column


def qualified(name: str) -> str:
    """A catalog name with its database, quoted."""
    return f"{sql_identifier(naming.DATABASE)}.{sql_identifier(name)}"


def shown_columns(newest: Sequence[Column], snapshot: Sequence[Column]) -> dict[str, str]:
    """The view's columns: by their names in the view those in the table, the partition's last.

    The view of an older snapshot keeps the columns of the newest one, so that no query loses a
    column; each attribute has the type that it had in that snapshot.
    """
    shown = {column.view: column.name for column in (*newest, *snapshot) if column.shown}
    return {**shown, naming.PARTITION_KEY: naming.PARTITION_KEY}


def create_sql(view: str, table: str, columns: Mapping[str, str], timestamp: str) -> str:
    """The statement that makes the view show one snapshot, with ``shown_columns``."""
    return view_sql(naming.DATABASE, view, table, columns, timestamp)

"""What Athena says about the catalog: SHOW, DESCRIBE, ``"table$partitions"``, information_schema.

https://docs.aws.amazon.com/athena/latest/ug/ddl-reference.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dynoexport.local.services import hive_types, trino_types, view_texts
from dynoexport.local.services.trino_syntax import QueryFailed, fail, unsupported
from dynoexport.local.services.view_texts import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_glue import GlueClient

PARTITIONS = "$partitions"
# GetQueryResults has no row of column names for these statements:
# https://docs.aws.amazon.com/athena/latest/APIReference/API_ResultSet.html
HEADLESS = {b"headless": b"true"}
_NAME = r"[`\"]?([\w$-]+)[`\"]?"
_TABLE = rf"(?:{_NAME}\s*\.\s*)?{_NAME}"
_LIKE = r"(?:\s+(?:LIKE\s+)?'([^']*)')?"


class Catalog:
    """The catalog, for statements and tables that describe it."""

    def __init__(self, glue: GlueClient, database: str) -> None:
        self._glue = glue
        self._database = database

    def run(self, sql: str) -> pa.Table | None:  # noqa: RET503 - unsupported() raises
        """The rows of a SHOW or DESCRIBE; None for another statement.

        Raises:
            QueryFailed: it is one that the endpoint does not run, or there is no such table.
        """
        text = sql.strip().rstrip(";").rstrip()
        if not re.match(r"(SHOW|DESCRIBE|DESC)\b", text, re.IGNORECASE):
            return None
        for pattern, answer in self._statements().items():
            found = re.fullmatch(pattern, text, re.IGNORECASE)
            if found is not None:
                return answer(*found.groups())
        words = " ".join(text.split()[:3]).upper()
        unsupported(f"this statement: {words}")

    def _statements(self) -> dict[str, Callable[..., pa.Table]]:
        return {
            rf"SHOW\s+(?:DATABASES|SCHEMAS){_LIKE}": self._show_databases,
            rf"SHOW\s+TABLES(?:\s+(?:IN|FROM)\s+{_NAME})?{_LIKE}": self._show_tables,
            rf"SHOW\s+VIEWS(?:\s+(?:IN|FROM)\s+{_NAME})?{_LIKE}": self._show_views,
            rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_TABLE}": self._show_columns,
            rf"SHOW\s+CREATE\s+VIEW\s+{_TABLE}": self._show_create_view,
            rf"SHOW\s+PARTITIONS\s+{_TABLE}": self._show_partitions,
            rf"(?:DESCRIBE|DESC)\s+(?!EXTENDED\b|FORMATTED\b){_TABLE}": self._describe,
        }

    # --- statements ----------------------------------------------------------------------------
    def _show_databases(self, like: str | None) -> pa.Table:
        return _listed("database_name", filter(_matcher(like), self.databases()))

    def _show_tables(self, database: str | None, like: str | None) -> pa.Table:
        names = (table["Name"] for table in self.tables(database or self._database))
        return _listed("tab_name", filter(_matcher(like), names))

    def _show_views(self, database: str | None, like: str | None) -> pa.Table:
        tables = self.tables(database or self._database)
        names = (table["Name"] for table in tables if table.get("TableType") == "VIRTUAL_VIEW")
        return _listed("views", filter(_matcher(like), names))

    def _show_columns(self, database: str | None, name: str) -> pa.Table:
        table = self._known(database, name)
        return _listed("field", (column["Name"] for column in _columns(table)))

    def _show_partitions(self, database: str | None, name: str) -> pa.Table:
        table = self._known(database, name)
        keys = [key["Name"] for key in table.get("PartitionKeys", [])]
        if not keys:
            raise QueryFailed(f"FAILED: SemanticException Table {name} is not a partitioned table")
        rows = (
            "/".join(f"{key}={value}" for key, value in zip(keys, values, strict=True))
            for values in self._values(table)
        )
        return _listed("partition", rows)

    def _show_create_view(self, database: str | None, name: str) -> pa.Table:
        """A view's definition, one line in each row.

        https://docs.aws.amazon.com/athena/latest/ug/show-create-view.html
        """
        view = self._known(database, name)
        if view.get("TableType") != "VIRTUAL_VIEW":
            raise QueryFailed(f"FAILED: SemanticException {name} is not a view")
        sql = view_texts.view_definition(view["ViewOriginalText"])["originalSql"]
        text = f"CREATE VIEW {view['DatabaseName']}.{view['Name']} AS\n{sql}"
        return _listed("Create View", text.splitlines())

    def _describe(self, database: str | None, name: str) -> pa.Table:
        table = self._known(database, name)
        rows = [_described(column) for column in _columns(table)]
        keys = [_described(key) for key in table.get("PartitionKeys", [])]
        if keys:
            title = ["# Partition Information", "", ""]
            rows += [["", "", ""], title, ["# col_name", "data_type", "comment"], *keys]
        names = ["col_name", "data_type", "comment"]
        columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
        return pa.table(columns, names=names).replace_schema_metadata(HEADLESS)

    # --- tables ----------------------------------------------------------------------------------
    def partitions(self, table: Mapping[str, Any]) -> pa.Table:
        """The rows of ``"table$partitions"``."""
        keys = [key["Name"] for key in table.get("PartitionKeys", [])]
        values = list(self._values(table))
        columns = [
            pa.array([one[place] for one in values], pa.string()) for place in range(len(keys))
        ]
        return pa.table(columns, names=keys)

    def information_schema(self, name: str) -> pa.Table:
        """The rows of a table of information_schema."""
        names, rows = {
            "schemata": (["catalog_name", "schema_name"], self._schemata),
            "tables": (
                ["table_catalog", "table_schema", "table_name", "table_type"],
                self._all_tables,
            ),
            "columns": (
                [
                    *("table_catalog", "table_schema", "table_name", "column_name"),
                    *("ordinal_position", "column_default", "is_nullable", "data_type"),
                ],
                self._all_columns,
            ),
        }.get(name, ([], None))
        if rows is None:
            unsupported(f"information_schema.{name}")
        listed = list(rows())
        kinds = [pa.int64() if one == "ordinal_position" else pa.string() for one in names]
        columns = [
            pa.array([row[place] for row in listed], kind) for place, kind in enumerate(kinds)
        ]
        return pa.table(columns, names=names)

    def _schemata(self) -> Iterator[list[Any]]:
        yield from ([CATALOG, name] for name in ("information_schema", *self.databases()))

    def _all_tables(self) -> Iterator[list[Any]]:
        for database in self.databases():
            for table in self.tables(database):
                kind = "VIEW" if table.get("TableType") == "VIRTUAL_VIEW" else "BASE TABLE"
                yield [CATALOG, database, table["Name"], kind]

    def _all_columns(self) -> Iterator[list[Any]]:
        for database in self.databases():
            for table in self.tables(database):
                for place, column in enumerate(_columns(table), start=1):
                    own = [CATALOG, database, table["Name"], column["Name"], place, None, "YES"]
                    yield [*own, _trino_name(column["Type"])]

    # --- the catalog -----------------------------------------------------------------------------
    def databases(self) -> list[str]:
        pages = self._glue.get_paginator("get_databases").paginate()
        return sorted(database["Name"] for page in pages for database in page["DatabaseList"])

    def tables(self, database: str) -> list[Any]:
        """The tables of a database, by name."""
        try:
            pages = list(
                self._glue.get_paginator("get_tables").paginate(DatabaseName=database.lower())
            )
        except self._glue.exceptions.EntityNotFoundException:
            fail("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist")
        found = [table for page in pages for table in page["TableList"]]
        return sorted(found, key=lambda table: str(table["Name"]))

    def _known(self, database: str | None, name: str) -> Any:
        where = (database or self._database).lower()
        try:
            return self._glue.get_table(DatabaseName=where, Name=name.lower())["Table"]
        except self._glue.exceptions.EntityNotFoundException:
            fail("TABLE_NOT_FOUND", f"Table '{CATALOG}.{where}.{name}' does not exist")

    def _values(self, table: Mapping[str, Any]) -> Iterator[list[str]]:
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=table["DatabaseName"], TableName=table["Name"]
        )
        yield from (part["Values"] for page in pages for part in page["Partitions"])


def _columns(table: Mapping[str, Any]) -> list[Any]:
    return [*table.get("StorageDescriptor", {}).get("Columns", []), *table.get("PartitionKeys", [])]


def _described(column: Mapping[str, Any]) -> list[str]:
    return [column["Name"], column.get("Type", "string"), column.get("Comment", "")]


def _trino_name(kind: str) -> str:
    try:
        return trino_types.name(trino_types.from_table(hive_types.to_arrow(kind)))
    except ValueError:
        return kind


def _listed(name: str, values: Any) -> pa.Table:
    return pa.table({name: pa.array(list(values), pa.string())}).replace_schema_metadata(HEADLESS)


def _matcher(like: str | None) -> Callable[[str], bool]:
    """A pattern of Hive: ``*`` is any text, ``|`` separates choices."""
    pattern = re.escape((like or "*").lower()).replace(r"\*", ".*").replace(r"\|", "|")
    return lambda name: re.fullmatch(pattern, name) is not None

"""One Athena statement against the catalog: views are stored, queries run on DuckDB.

``trino_sql`` writes Athena's SQL anew for DuckDB. Tables are read as their SerDe reads them
(``files``), so that DuckDB's own readers cannot be cleverer than Athena.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from dynoexport.jobs.limits import VIEW_TEXT_MAX
from dynoexport.local.services import hive_types, trino_types, trino_udfs
from dynoexport.local.services.catalog_statements import PARTITIONS, Catalog
from dynoexport.local.services.table_rows import PATH, TableRows, fixed_values
from dynoexport.local.services.trino_scope import Column, Relation
from dynoexport.local.services.trino_sql import Queries, Query
from dynoexport.local.services.trino_syntax import (
    QueryFailed,
    parse,
    query_text,
    unsupported,
    without_first_comments,
)
from dynoexport.local.services.view_texts import CATALOG, view_definition, view_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

    from dynoexport.local.services.trino_casts import Functions

__all__ = ["Engine", "QueryFailed", "view_text"]

_STALE, _BECAUSE = "VIEW_IS_STALE: line 1:1: View", "is stale or in invalid state:"
# Athena's statements that sqlglot does not read as Athena does.
_NOT_RUN = {"ALTER", "EXPLAIN", "INSERT", "MERGE", "MSCK", "OPTIMIZE", "UNLOAD", "UPDATE", "VACUUM"}
# A query reads tables of the catalog, and nothing of this computer: no files, no extensions, no
# variables of Python. https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
_LOCKED: dict[str, Any] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    # DuckDB allows files in its own directory for temporary ones.
    "temp_directory": "",
    "lock_configuration": True,
}


def _parse_query(sql: str) -> Any:
    """The query of a stored view, which anybody who may write the catalog can change."""
    query = parse(sql)
    if not isinstance(query, exp.Query):
        raise QueryFailed("SYNTAX_ERROR: line 1:1: mismatched input. Expecting: <query>")
    return query


def _require_names(names: list[str | None]) -> None:
    """Refuse a view's query if its columns have no names of their own."""
    for position, name in enumerate(names, start=1):
        if name is None:
            raise QueryFailed(
                f"MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {position}"
            )
    for name in names:
        if names.count(name) > 1:
            raise QueryFailed(
                f"DUPLICATE_COLUMN_NAME: line 1:1: Column name '{name}' specified more than once"
            )


def _same(first: str, second: str) -> bool:
    """Whether two views' types are one, however their fields are quoted and spaced."""
    return first.replace('"', "").replace(", ", ",") == second.replace('"', "").replace(", ", ",")


def _fold(name: str) -> str:
    return name.lower()


# --- running it ----------------------------------------------------------------------------------
class Engine:
    """Runs one statement against the catalog, with DuckDB over the objects in S3."""

    def __init__(self, glue: GlueClient, s3: S3Client, database: str) -> None:
        self._glue = glue
        self._database = database
        self._rows = TableRows(glue, s3)
        self._catalog = Catalog(glue, database)
        self._duckdb = duckdb.connect(":memory:", config=_LOCKED)
        self._functions: Functions = {}
        self._known_functions: set[str] = set()
        self._registered = 0

    @property
    def bytes_scanned(self) -> int:
        """The bytes of the objects that the statement has read."""
        return self._rows.bytes_scanned

    def run(self, sql: str) -> pa.Table | None:  # noqa: RET503 - unsupported() raises
        """The rows of a query; None for a statement without rows.

        Raises:
            QueryFailed: with Athena's reason.
        """
        sql = without_first_comments(sql)
        shown = self._catalog.run(sql)
        if shown is not None:
            return shown
        word = next(iter(sql.split(maxsplit=1)), "").upper()
        if word in _NOT_RUN:
            unsupported(f"this statement: {word}")
        statement = parse(sql)
        if isinstance(statement, exp.Create) and statement.args.get("kind") == "VIEW":
            self._create_view(statement, sql)
            return None
        if isinstance(statement, exp.Drop) and statement.args.get("kind") == "VIEW":
            self._drop_view(statement)
            return None
        if isinstance(statement, (exp.Query, exp.Values)):
            return self._fetch(self._translated(statement, self._database))
        kind = statement.args.get("kind") if isinstance(statement, (exp.Create, exp.Drop)) else None
        unsupported(f"this statement: {word} {kind or ''}".rstrip())

    def _translated(self, query: Any, database: str) -> Query:
        """The query in DuckDB's SQL."""
        with_path = any(column.name == PATH for column in query.find_all(exp.Column))
        queries = Queries(lambda table: self._source(table, database, with_path=with_path))
        translated = queries.query(query)
        self._functions.update(queries.expressions.functions)
        return translated

    def _fetch(self, query: Query) -> pa.Table:
        kinds = [trino_types.in_results(output.kind) for output in query.outputs]
        try:
            rows = self._bound(query).to_arrow_table()
        except duckdb.Error as error:
            raise QueryFailed(_reason(error)) from error
        columns = [_as_kind(*pair) for pair in zip(rows.columns, kinds, strict=True)]
        names = [output.name for output in query.outputs]
        titles = [f"_col{place}" if name is None else name for place, name in enumerate(names)]
        return pa.Table.from_arrays(columns, names=titles)

    def _bound(self, query: Query) -> duckdb.DuckDBPyRelation:
        """The query, which DuckDB has checked and not run."""
        for name in set(re.findall(r"\btrino_\w+", query.sql)):
            function = trino_udfs.FUNCTIONS.get(name) or self._functions.get(name)
            if function is not None and name not in self._known_functions:
                self._known_functions.add(name)
                python, takes, gives = function
                connection: Any = self._duckdb
                connection.create_function(
                    name, _with_nulls(python), takes, gives, null_handling="special"
                )
        try:
            return self._duckdb.sql(query.sql)
        except duckdb.Error as error:
            raise QueryFailed(_reason(error)) from error

    def _source(self, node: exp.Table, database: str, *, with_path: bool) -> tuple[str, Relation]:
        """DuckDB's name of the table, or the view's query, and the columns."""
        database, name = _fold(node.db) or database, _fold(node.name)
        if node.catalog and _fold(node.catalog) != CATALOG:
            raise QueryFailed(
                f"CATALOG_NOT_FOUND: line 1:1: Catalog '{node.catalog}' does not exist"
            )
        if database == "information_schema":
            rows = self._catalog.information_schema(name)
            return self._stored(rows), Relation(name, _columns(rows.schema), database)
        entry = self._table(database, name.removesuffix(PARTITIONS))
        if entry is None:
            raise QueryFailed(
                f"TABLE_NOT_FOUND: line 1:1: Table '{CATALOG}.{database}.{name}' does not exist"
            )
        if name.endswith(PARTITIONS):
            rows = self._catalog.partitions(entry)
            return self._stored(rows), Relation(name, _columns(rows.schema), database)
        if entry.get("TableType") == "VIRTUAL_VIEW":
            query = self._expanded(entry, name)
            columns = [Column(output.name or "", "", output.kind) for output in query.outputs]
            return f"({query.sql})", Relation(name, columns, database)
        rows = self._rows.of(entry, database, fixed_values(node))
        if not with_path:
            rows = rows.drop_columns([PATH])
        return self._stored(rows), Relation(name, _columns(rows.schema), database)

    def _stored(self, rows: pa.Table) -> str:
        """DuckDB's own copy of the rows; its name."""
        self._registered += 1
        own = f"t{self._registered}"
        named = rows.rename_columns([f"c{place}" for place in range(rows.num_columns)])
        self._duckdb.register(f"a_{own}", named)
        self._duckdb.execute(f"CREATE TABLE {own} AS SELECT * FROM a_{own}")  # noqa: S608 - a number
        return own

    def _expanded(self, entry: Mapping[str, Any], name: str) -> Query:
        """The view's query, if it still has the columns that the view was made with.

        In Athena's words, as these show:
        https://github.com/aws-solutions-library-samples/cloud-intelligence-dashboards-framework/issues/585
        https://github.com/aws-solutions-library-samples/cloud-intelligence-dashboards-data-collection/issues/391
        """
        view = view_definition(entry["ViewOriginalText"])
        named = f"'{CATALOG}.{view['schema']}.{name}'"
        try:
            query = self._translated(_parse_query(view["originalSql"]), view["schema"])
        except QueryFailed as error:
            if str(error).startswith("HIVE_"):
                raise
            raise QueryFailed(
                f"INVALID_VIEW: line 1:1: Failed analyzing stored view {named}: {error}"
            ) from error
        now = _described(query)
        stored = [(column["name"], column["type"]) for column in view["columns"]]
        if len(now) != len(stored):
            raise QueryFailed(f"{_STALE} {named} {_BECAUSE} its query has {len(now)} columns")
        for position, (column, former) in enumerate(zip(now, stored, strict=True)):
            if column[0] != former[0] or not _same(column[1], former[1]):
                raise QueryFailed(
                    f"{_STALE} {named} {_BECAUSE} column [{column[0]}] of type {column[1]} "
                    f"projected from query view at position {position} cannot be coerced to "
                    f"column [{former[0]}] of type {former[1]} stored in view definition"
                )
        return query

    def _create_view(self, statement: exp.Create, sql: str) -> None:
        target = statement.this.find(exp.Table)
        database, name = _fold(target.db) or self._database, _fold(target.name)
        self._rows.reads = False
        query = self._translated(statement.expression, self._database)
        self._bound(query)
        _require_names([output.name for output in query.outputs])
        known = self._table(database, name)
        if known is not None and not statement.args.get("replace"):
            raise QueryFailed(f"ALREADY_EXISTS: line 1:1: View already exists: '{database}.{name}'")
        if known is not None and known.get("TableType") != "VIRTUAL_VIEW":
            raise QueryFailed(f"TABLE_ALREADY_EXISTS: '{database}.{name}' is not a view")
        columns = [{"name": column, "type": kind} for column, kind in _described(query)]
        text = view_text(query_text(sql), self._database, columns)
        if len(text) > VIEW_TEXT_MAX:
            raise QueryFailed(
                "1 validation error detected: Value at 'table.viewOriginalText' failed to satisfy "
                f"constraint: Member must have length less than or equal to {VIEW_TEXT_MAX}"
            )
        table: Any = {
            "Name": name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "ViewOriginalText": text,
            "ViewExpandedText": "/* Presto View */",
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [
                    {
                        "Name": output.name,
                        "Type": hive_types.from_arrow(trino_types.in_results(output.kind)),
                    }
                    for output in query.outputs
                ],
                "SerdeInfo": {},
            },
        }
        write = self._glue.create_table if known is None else self._glue.update_table
        write(DatabaseName=database, TableInput=table)

    def _drop_view(self, statement: exp.Drop) -> None:
        # sqlglot keeps the name under `this` until version 29, under `tables` from 30 on.
        target: Any = statement.find(exp.Table)
        database, name = _fold(target.db) or self._database, _fold(target.name)
        existing = self._table(database, name)
        if existing is not None and existing.get("TableType") != "VIRTUAL_VIEW":
            raise QueryFailed(
                f"GENERIC_USER_ERROR: line 1:1: View '{CATALOG}.{database}.{name}' does not "
                "exist, but a table with that name exists"
            )
        if existing is not None:
            self._glue.delete_table(DatabaseName=database, Name=name)
        elif not statement.args.get("exists"):
            raise QueryFailed(f"TABLE_NOT_FOUND: line 1:1: View '{database}.{name}' does not exist")

    def _table(self, database: str, name: str) -> Any:
        try:
            return self._glue.get_table(DatabaseName=database, Name=name)["Table"]
        except self._glue.exceptions.EntityNotFoundException:
            return None


def _columns(schema: pa.Schema) -> list[Column]:
    return [
        Column(field.name, "", trino_types.from_table(field.type), hidden=field.name == PATH)
        for field in schema
    ]


def _described(query: Query) -> list[tuple[str, str]]:
    """The query's columns as a view's definition has them."""
    return [
        (output.name or "", hive_types.view_type(trino_types.in_results(output.kind)))
        for output in query.outputs
    ]


def _as_kind(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    """The column as its type in Trino, which can be narrower than DuckDB's."""
    if pa.types.is_timestamp(kind) and kind.tz:
        # DuckDB has it as a time of UTC.
        return column.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")).cast(kind)
    if column.type == kind:
        return column
    if not pa.types.is_nested(kind):
        return column.cast(kind)
    return pa.array(column.to_pylist(), kind)


def _with_nulls(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, null for a null; DuckDB counts its parameters."""

    @functools.wraps(function)
    def strict(*values: Any) -> Any:
        return None if None in values else function(*values)

    return strict


# Of the failing casts of trino_functions.guarded, and of trino_udfs.Failure.
_NAMED_ERROR = re.compile(
    r"Could not convert string '([A-Z][A-Z0-9_]+: .*)' to BOOL|: Failure: ([A-Z][A-Z0-9_]+: .*)"
)


# Parts of DuckDB's words, and Trino's name for the error; the first that fits.
_NAMES = (
    ("cannot be nested", "NESTED_AGGREGATION"),
    (
        "HAVING clause cannot contain window|contain window function calls|in window definitions",
        "NESTED_WINDOW",
    ),
    ("clause cannot contain", "EXPRESSION_NOT_SCALAR"),
    ("GROUP BY|aggregate", "EXPRESSION_NOT_AGGREGATE"),
    ("Type INT.*out of range", "NUMERIC_VALUE_OUT_OF_RANGE"),
)


def _reason(error: duckdb.Error) -> str:
    """DuckDB's error under Athena's name for it."""
    words = str(error).splitlines()[0]
    named = _NAMED_ERROR.search(words)
    if named is not None:
        return str(named[1] or named[2])
    for pattern, name in _NAMES:
        if re.search(pattern, words):
            return f"{name}: line 1:1: {words}"
    kinds: dict[type, str] = {
        duckdb.ConversionException: "INVALID_CAST_ARGUMENT",
        duckdb.OutOfRangeException: "NUMERIC_VALUE_OUT_OF_RANGE",
    }
    return f"{kinds.get(type(error), 'NOT_SUPPORTED')}: line 1:1: {words}"

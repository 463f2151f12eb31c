"""One Athena statement against the catalog: views are stored, queries run on DuckDB.

Athena's SQL is parsed and written anew for DuckDB by sqlglot. Tables are read as their SerDe
reads them (``files``), so that DuckDB's own readers cannot be cleverer than Athena.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from dynoexport.jobs.limits import VIEW_TEXT_MAX
from dynoexport.local.services import files, hive_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

CATALOG = "awsdatacatalog"
_STALE, _BECAUSE = "VIEW_IS_STALE: line 1:1: View", "is stale or in invalid state:"
# Stands for a generated name until the columns of a * are numbered.
_UNNAMED = "_col?"
_VIEW_HEAD, _VIEW_TAIL = "/* Presto View: ", " */"
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


class QueryFailed(Exception):
    """A query that fails, with the reason that Athena gives."""


# --- reading SQL -------------------------------------------------------------------------------
def parse(sql: str) -> Any:
    """The statement.

    Raises:
        QueryFailed: it is not one that Athena would parse.
    """
    try:
        return sqlglot.parse_one(sql, read="athena")
    except sqlglot.errors.SqlglotError as error:
        problem: dict[str, Any] = next(iter(getattr(error, "errors", ())), {})
        where = f"line {problem.get('line', 1)}:{problem.get('col', 1)}"
        raise QueryFailed(
            f"SYNTAX_ERROR: {where}: {problem.get('description', 'mismatched input')}"
        ) from error


def _parse_query(sql: str) -> Any:
    """The query of a stored view, which anybody who may write the catalog can change."""
    query = parse(sql)
    if not isinstance(query, exp.Query):
        raise QueryFailed("SYNTAX_ERROR: line 1:1: mismatched input. Expecting: <query>")
    return query


def view_text(original_sql: str, database: str, columns: list[dict[str, str]]) -> str:
    """A view's ViewOriginalText, as Athena writes it."""
    view = {
        "originalSql": original_sql,
        "catalog": CATALOG,
        "schema": database,
        "columns": columns,
    }
    encoded = base64.b64encode(json.dumps(view).encode()).decode()
    return f"{_VIEW_HEAD}{encoded}{_VIEW_TAIL}"


def view_definition(text: str) -> dict[str, Any]:
    """The view's definition, from what ``view_text`` wrote."""
    encoded = text[len(_VIEW_HEAD) : -len(_VIEW_TAIL)]
    definition: dict[str, Any] = json.loads(base64.b64decode(encoded))
    return definition


def _named(query: Any) -> Any:
    """The query with a placeholder for each column name that Athena would generate."""
    for column in filter(_nameless, query.selects):
        column.replace(exp.alias_(column.copy(), _UNNAMED, quoted=True))
    return query


def _nameless(column: Any) -> bool:
    return not isinstance(column.unnest(), (exp.Alias, exp.Column, exp.Dot, exp.Star))


def _require_names(query: Any, names: list[str]) -> None:
    """Refuse a view's query if its columns have no names of their own."""
    for position, column in enumerate(query.selects, start=1):
        if _nameless(column):
            raise QueryFailed(
                f"MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {position}"
            )
    for name in names:
        if names.count(name) > 1:
            raise QueryFailed(
                f"DUPLICATE_COLUMN_NAME: line 1:1: Column name '{name}' specified more than once"
            )


def _fixed(table: exp.Table) -> dict[str, str]:
    """The table's columns that the outer query compares with a text: WHERE column = 'text'."""
    select = table.find_ancestor(exp.Select)
    alone = isinstance(table.parent, exp.From) and table.parent.parent is select
    if select is None or not alone or select.args.get("joins") or not select.args.get("where"):
        return {}
    condition = select.args["where"].this
    parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
    pairs = [(part.left, part.right) for part in parts if isinstance(part, exp.EQ)]
    return {
        _fold(column.name): text.name
        for column, text in pairs
        if isinstance(column, exp.Column) and isinstance(text, exp.Literal) and text.is_string
    }


def _check_sources(query: Any) -> None:
    """Refuse functions of DuckDB in place of a table; Athena's are UNNEST and TABLE(...).

    Raises:
        QueryFailed: a source of rows is neither a table, a subquery, VALUES nor UNNEST.
    """
    for source in query.find_all(exp.Table, exp.Lateral):
        if not isinstance(source.this, (exp.Identifier, exp.Subquery, exp.Unnest)):
            raise QueryFailed(
                "NOT_SUPPORTED: line 1:1: the endpoint has no table functions: "
                f"{source.this.sql(dialect='athena')}"
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
        self._s3 = s3
        self._database = database
        self._duckdb = duckdb.connect(":memory:", config=_LOCKED)
        self._reads = True
        self.bytes_scanned = 0

    def run(self, sql: str) -> pa.Table | None:
        """The rows of a query; None for a statement without rows.

        Raises:
            QueryFailed: with Athena's reason.
        """
        statement = parse(sql)
        if isinstance(statement, exp.Create) and statement.args.get("kind") == "VIEW":
            self._create_view(statement)
            return None
        if isinstance(statement, exp.Drop) and statement.args.get("kind") == "VIEW":
            self._drop_view(statement)
            return None
        if isinstance(statement, exp.Query):
            return self._select(statement)
        raise QueryFailed(
            f"NOT_SUPPORTED: the endpoint does not run: {sql.split(maxsplit=1)[0].upper()}"
        )

    def _select(self, query: Any) -> pa.Table:
        rows = self._rows_of(self._resolve(_named(query.copy()), self._database))
        return rows.rename_columns(
            [
                f"_col{position}" if name == _UNNAMED else name
                for position, name in enumerate(rows.column_names)
            ]
        )

    def _rows_of(self, resolved: Any) -> pa.Table:
        try:
            return self._duckdb.sql(resolved.sql(dialect="duckdb")).to_arrow_table()
        except duckdb.Error as error:
            raise QueryFailed(_reason(error)) from error

    def _resolve(self, query: Any, database: str) -> Any:
        """The query with each table replaced by its rows and each view by its query."""
        _check_sources(query)
        inner = {_fold(cte.alias) for cte in query.find_all(exp.CTE)}
        for table in list(query.find_all(exp.Table)):
            if not table.db and _fold(table.name) in inner:
                continue
            source = self._source(table, _fold(table.db) or database)
            alias = table.alias or table.name
            replacement = exp.alias_(source, exp.to_identifier(alias, quoted=True), table=True)
            if table is query:
                return replacement
            table.replace(replacement)
        return query

    def _source(self, table: exp.Table, database: str) -> exp.Expression:
        name = _fold(table.name)
        try:
            entry: Any = self._glue.get_table(DatabaseName=database, Name=name)["Table"]
        except self._glue.exceptions.EntityNotFoundException as error:
            raise QueryFailed(
                f"TABLE_NOT_FOUND: line 1:1: Table '{CATALOG}.{database}.{name}' does not exist"
            ) from error
        if entry.get("TableType") == "VIRTUAL_VIEW":
            return self._expand(entry, name)
        registered = f"t{len(self._duckdb.sql('SHOW TABLES').fetchall())}_{name}"
        self._duckdb.register(registered, self._rows(entry, database, _fixed(table)))
        self._duckdb.execute(
            f'CREATE TABLE "_{registered}" AS SELECT * FROM "{registered}"'  # noqa: S608 - folded
        )
        return exp.to_table(f'"_{registered}"', dialect="duckdb")

    def _expand(self, entry: Mapping[str, Any], name: str) -> exp.Expression:
        """The view's query, if it still has the columns that the view was made with.

        In Athena's words, as these show:
        https://github.com/aws-solutions-library-samples/cloud-intelligence-dashboards-framework/issues/585
        https://github.com/aws-solutions-library-samples/cloud-intelligence-dashboards-data-collection/issues/391
        """
        view = view_definition(entry["ViewOriginalText"])
        named = f"'{CATALOG}.{view['schema']}.{name}'"
        try:
            resolved = self._resolve(_parse_query(view["originalSql"]), view["schema"])
            fields = list(self._rows_of(resolved).schema)
        except QueryFailed as error:
            if str(error).startswith("HIVE_"):
                raise
            raise QueryFailed(
                f"INVALID_VIEW: line 1:1: Failed analyzing stored view {named}: {error}"
            ) from error
        now = [(field.name, hive_types.view_type(field.type)) for field in fields]
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
        return exp.Subquery(this=resolved)

    def _rows(self, table: Mapping[str, Any], database: str, fixed: Mapping[str, str]) -> pa.Table:
        """The rows of the table, without the partitions that the query excludes.

        https://docs.aws.amazon.com/athena/latest/ug/partitions.html
        """
        descriptor = table["StorageDescriptor"]
        wanted = {column["Name"]: column["Type"] for column in descriptor["Columns"]}
        keys = [key["Name"] for key in table.get("PartitionKeys", [])]
        schema = pa.schema(
            [(column, _type(table, column, kind)) for column, kind in wanted.items()]
            + [(key, pa.string()) for key in keys]
        )
        parts = [schema.empty_table()]
        for values, part in self._parts(table, database) if self._reads else ():
            if any(fixed.get(key, value) != value for key, value in zip(keys, values, strict=True)):
                continue
            for content in self._contents(part["Location"]):
                rows = self._read(table, part, content, wanted)
                for key, value in zip(keys, values, strict=True):
                    rows = rows.append_column(key, pa.array([value] * len(rows), pa.string()))
                parts.append(rows.cast(schema))
        return pa.concat_tables(parts)

    def _read(
        self, table: Mapping[str, Any], part: Mapping[str, Any], content: bytes, wanted: Any
    ) -> pa.Table:
        if table["Parameters"].get("classification") == "xml":
            raise QueryFailed("HIVE_UNSUPPORTED_FORMAT: Unable to create input format")
        serde, columns = part["SerdeInfo"], wanted
        if serde.get("SerializationLibrary", "").endswith(".AvroSerDe"):
            serde, columns = _avro_part(table["StorageDescriptor"], part, wanted)
        try:
            rows = files.rows(serde, table["Parameters"], content, columns)
        except files.BadData as error:
            raise QueryFailed(str(error)) from error
        for name in wanted.keys() - columns.keys():
            kind = _type(table, name, wanted[name])
            rows = rows.append_column(name, pa.nulls(len(rows), kind))
        return rows.select(list(wanted))

    def _parts(
        self, table: Mapping[str, Any], database: str
    ) -> Iterator[tuple[list[str], Mapping[str, Any]]]:
        """The registered partitions, or the table itself if it has none."""
        if not table.get("PartitionKeys"):
            yield [], table["StorageDescriptor"]
            return
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=database, TableName=table["Name"]
        )
        for page in pages:
            for partition in page["Partitions"]:
                yield partition["Values"], partition["StorageDescriptor"]

    def _contents(self, location: str) -> Iterator[bytes]:
        url = urlsplit(location)
        prefix = url.path.lstrip("/")
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=url.netloc, Prefix=prefix)
        for entry in (entry for page in pages for entry in page.get("Contents", ())):
            name = entry["Key"].rpartition("/")[2]
            if entry["Size"] and not name.startswith(("_", ".")):
                self.bytes_scanned += entry["Size"]
                yield self._s3.get_object(Bucket=url.netloc, Key=entry["Key"])["Body"].read()

    def _create_view(self, statement: exp.Create) -> None:
        target = statement.this.find(exp.Table)
        database, name = _fold(target.db) or self._database, _fold(target.name)
        query = statement.expression
        # A view needs only the columns of the tables that it reads.
        self._reads = False
        schema = self._select(query).schema
        _require_names(query, schema.names)
        known = self._table(database, name)
        if known is not None and not statement.args.get("replace"):
            raise QueryFailed(f"ALREADY_EXISTS: line 1:1: View already exists: '{database}.{name}'")
        if known is not None and known.get("TableType") != "VIRTUAL_VIEW":
            raise QueryFailed(f"TABLE_ALREADY_EXISTS: '{database}.{name}' is not a view")
        columns = [
            {"name": field.name, "type": hive_types.view_type(field.type)} for field in schema
        ]
        text = view_text(query.sql(dialect="athena"), database, columns)
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
                    {"Name": field.name, "Type": hive_types.from_arrow(field.type)}
                    for field in schema
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


def _avro_part(
    table: Mapping[str, Any], part: Mapping[str, Any], wanted: files.Columns
) -> tuple[dict[str, Any], files.Columns]:
    """The SerDe of a partition, and the columns to read from it.

    For avro the parameters of the table's SerDe win over the partition's, and columns that the
    partition lacks are null: https://github.com/trinodb/trino/pull/14463, and HiveSplitManager
    of https://github.com/trinodb/trino.
    """
    own, tables = (entry["SerdeInfo"].get("Parameters", {}) for entry in (part, table))
    declared = {column["Name"] for column in part["Columns"]}
    columns = {name: kind for name, kind in wanted.items() if name in declared}
    return {**part["SerdeInfo"], "Parameters": {**own, **tables}}, columns


def _type(table: Mapping[str, Any], column: str, kind: str) -> pa.DataType:
    try:
        return hive_types.to_arrow(kind)
    except ValueError as error:
        # https://github.com/aws/aws-cdk/issues/26935
        raise QueryFailed(
            f"HIVE_INVALID_METADATA: Glue table '{table['DatabaseName']}.{table['Name']}' column "
            f"'{column}' has invalid data type: {kind}"
        ) from error


def _reason(error: duckdb.Error) -> str:
    """DuckDB's error under Athena's name for it."""
    words = str(error).splitlines()[0]
    kinds: dict[type, str] = {
        duckdb.BinderException: "COLUMN_NOT_FOUND",
        duckdb.ConversionException: "INVALID_CAST_ARGUMENT",
        duckdb.CatalogException: "FUNCTION_NOT_FOUND",
    }
    return f"{kinds.get(type(error), 'SYNTAX_ERROR')}: line 1:1: {words}"

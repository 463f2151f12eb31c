"""The rows of the catalog's tables, as Athena reads them from the objects in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
from sqlglot import exp

from dynoexport.local.services import files, hive_types, partition_types
from dynoexport.local.services.trino_syntax import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

PATH = "$path"


def fixed_values(table: exp.Table) -> dict[str, str]:
    """The table's columns that the outer query compares with a text: WHERE column = 'text'."""
    select = table.find_ancestor(exp.Select)
    alone = isinstance(table.parent, exp.From) and table.parent.parent is select
    if select is None or not alone or select.args.get("joins") or not select.args.get("where"):
        return {}
    condition = select.args["where"].this
    parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
    pairs = [(part.left, part.right) for part in parts if isinstance(part, exp.EQ)]
    return {
        column.name.lower(): text.name
        for column, text in pairs
        if isinstance(column, exp.Column) and isinstance(text, exp.Literal) and text.is_string
    }


class TableRows:
    """Reads tables; counts the bytes."""

    def __init__(self, glue: GlueClient, s3: S3Client) -> None:
        self._glue = glue
        self._s3 = s3
        # A view's creation needs the columns of the tables alone.
        self.reads = True
        self.bytes_scanned = 0

    def of(self, table: Mapping[str, Any], database: str, fixed: Mapping[str, str]) -> pa.Table:
        """The rows with their partition and path, without the partitions that the query excludes.

        https://docs.aws.amazon.com/athena/latest/ug/partitions.html
        """
        columns = table["StorageDescriptor"]["Columns"]
        wanted = {column["Name"]: column["Type"] for column in columns}
        keys = {key["Name"]: key.get("Type", "string") for key in table.get("PartitionKeys", [])}
        data = pa.schema([(name, _type(table, name, kind)) for name, kind in wanted.items()])
        own = [(name, _type(table, name, kind)) for name, kind in keys.items()]
        schema = pa.schema([*data, *own, (PATH, pa.string())])
        parts = [schema.empty_table()]
        for values, part in self.parts(table, database) if self.reads else ():
            stated = dict(zip(keys, values, strict=True))
            if any(fixed.get(key, value) != value for key, value in stated.items()):
                continue
            read_as = _read_as(table, part, stated) if keys else wanted
            for path, content in self._contents(part["Location"]):
                rows = partition_types.coerced(self._read(table, part, content, read_as), data)
                for name, kind in own:
                    one = _key_value(name, stated[name], kind)
                    rows = rows.append_column(name, pa.array([one] * len(rows), kind))
                rows = rows.append_column(PATH, pa.array([path] * len(rows), pa.string()))
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

    def parts(
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

    def _contents(self, location: str) -> Iterator[tuple[str, bytes]]:
        url = urlsplit(location)
        prefix = url.path.lstrip("/")
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=url.netloc, Prefix=prefix)
        for entry in (entry for page in pages for entry in page.get("Contents", ())):
            name = entry["Key"].rpartition("/")[2]
            if entry["Size"] and not name.startswith(("_", ".")):
                self.bytes_scanned += entry["Size"]
                content = self._s3.get_object(Bucket=url.netloc, Key=entry["Key"])["Body"].read()
                yield f"s3://{url.netloc}/{entry['Key']}", content


def _read_as(
    table: Mapping[str, Any], part: Mapping[str, Any], values: Mapping[str, str]
) -> dict[str, str]:
    """The types to read the partition's files as: its own, where the table's differ."""
    names = [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
    shown = "/".join(f"{key}={value}" for key, value in values.items())
    return {
        name: partition_types.stored(table, shown, name, part.get("Columns") or [])
        for name in names
    }


def _key_value(name: str, value: str, kind: pa.DataType) -> Any:
    try:
        return pa.scalar(value).cast(kind).as_py()
    except pa.ArrowException as error:
        raise QueryFailed(
            f"HIVE_INVALID_PARTITION_VALUE: Invalid partition value '{value}' for partition key: "
            f"{name}"
        ) from error


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

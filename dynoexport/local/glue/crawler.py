"""Crawls: what a Glue crawler finds under an S3 path, and puts into the catalog."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from botocore.exceptions import ClientError

from dynoexport.errors import DynoexportError
from dynoexport.local.services import files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import TableTypeDef
    from mypy_boto3_s3 import S3Client

_HIVE = "org.apache.hadoop.hive"
_TEXT = (
    "org.apache.hadoop.mapred.TextInputFormat",
    f"{_HIVE}.ql.io.HiveIgnoreKeyTextOutputFormat",
)
# Input format, output format and SerDe that the crawler writes for each format.
_FORMATS: dict[str, tuple[str, str, str]] = {
    "parquet": (
        f"{_HIVE}.ql.io.parquet.MapredParquetInputFormat",
        f"{_HIVE}.ql.io.parquet.MapredParquetOutputFormat",
        f"{_HIVE}.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "orc": (
        f"{_HIVE}.ql.io.orc.OrcInputFormat",
        f"{_HIVE}.ql.io.orc.OrcOutputFormat",
        f"{_HIVE}.ql.io.orc.OrcSerde",
    ),
    "avro": (
        f"{_HIVE}.ql.io.avro.AvroContainerInputFormat",
        f"{_HIVE}.ql.io.avro.AvroContainerOutputFormat",
        f"{_HIVE}.serde2.avro.AvroSerDe",
    ),
    "json": (*_TEXT, "org.openx.data.jsonserde.JsonSerDe"),
    "csv": (*_TEXT, f"{_HIVE}.serde2.lazy.LazySimpleSerDe"),
    "xml": (*_TEXT, ""),
}
_OPEN_CSV = f"{_HIVE}.serde2.OpenCSVSerde"


class CrawlFailed(DynoexportError):
    """A crawl that failed, with the message that GetCrawler shows."""


@dataclass(frozen=True)
class Partition:
    """One folder of data: its key values, its location, its columns."""

    values: tuple[str, ...]
    location: str
    columns: files.Columns


@dataclass(frozen=True)
class CrawledTable:
    """One table that the crawler found under a target."""

    name: str
    location: str
    format: str
    keys: tuple[str, ...]
    columns: files.Columns
    partitions: tuple[Partition, ...]
    objects: int
    bytes: int
    comments: Mapping[str, str] = field(default_factory=dict)
    avro_literal: str = ""


@dataclass(frozen=True)
class CrawlSummary:
    """What a crawl changed in the catalog; names of tables, values of partitions."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    partitions_added: tuple[tuple[str, ...], ...] = ()
    partitions_deleted: tuple[tuple[str, ...], ...] = ()


def crawl(
    name: str, *, glue: GlueClient, s3: S3Client, service: GlueClient | None = None
) -> CrawlSummary:
    """Run the crawler of that name once, with its role's clients.

    ``service`` reads the crawler's own definition, for which its role needs no permission.

    Raises:
        CrawlFailed: a bucket or the database is missing, or access is denied.
    """
    service = service or glue
    try:
        definition = service.get_crawler(Name=name)["Crawler"]
        glue.get_database(Name=definition["DatabaseName"])
        classifier = _classifier(definition, service)
        summaries = [
            _crawl_target(definition, target["Path"], classifier, glue, s3)
            for target in definition["Targets"].get("S3Targets", [])
        ]
    except ClientError as error:
        raise CrawlFailed(str(error)) from error
    return CrawlSummary(
        created=tuple(table for summary in summaries for table in summary.created),
        updated=tuple(table for summary in summaries for table in summary.updated),
        partitions_added=tuple(
            values for summary in summaries for values in summary.partitions_added
        ),
        partitions_deleted=tuple(
            values for summary in summaries for values in summary.partitions_deleted
        ),
    )


def _crawl_target(
    definition: Mapping[str, Any],
    path: str,
    classifier: Mapping[str, Any],
    glue: GlueClient,
    s3: S3Client,
) -> CrawlSummary:
    url = urlsplit(path)
    root = _table_root(definition, url.netloc, url.path.strip("/"))
    name = table_name(definition.get("TablePrefix", ""), root.rpartition("/")[2])
    crawled = _find(s3, url.netloc, root, name)
    known = _known(glue, definition["DatabaseName"], name)
    partitioned = known is not None and known.get("PartitionKeys")
    # A table keeps its partition keys, whatever else lies beside its partitions.
    if crawled is None or (partitioned and not crawled.keys):
        return _forget(glue, definition["DatabaseName"], name)
    serde = _serde(crawled.format, classifier)
    return _register(glue, definition["DatabaseName"], crawled, serde)


def _table_root(definition: Mapping[str, Any], bucket: str, prefix: str) -> str:
    """The prefix that is one table: TableLevelConfiguration counts from the bucket as level 1.

    https://docs.aws.amazon.com/glue/latest/dg/crawler-table-level.html
    Without it the endpoint takes the target's own path.
    """
    configuration = json.loads(definition.get("Configuration") or "{}")
    level = configuration.get("Grouping", {}).get("TableLevelConfiguration")
    parts = prefix.split("/")
    if level is not None and int(level) != len(parts) + 1:
        raise CrawlFailed(
            f"TableLevelConfiguration {level} is not the level of s3://{bucket}/{prefix}/",
            hint="the endpoint makes one table of each target",
        )
    return prefix


# --- reading S3 --------------------------------------------------------------------------------
def table_name(prefix: str, folder: str) -> str:
    """The crawler's prefix and the folder in lower case, ``_`` for what a name cannot have."""
    return prefix + re.sub(r"[^a-z0-9_]", "_", folder.lower())


def _find(s3: S3Client, bucket: str, root: str, name: str) -> CrawledTable | None:
    folders: dict[str, list[Any]] = defaultdict(list)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{root}/"):
        for entry in page.get("Contents", ()):
            path = entry["Key"][len(root) + 1 :]
            # Hive ignores these:
            # https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
            if entry["Size"] and not re.search(r"(^|/)[_.]", path):
                folders[path.rpartition("/")[0]].append(entry)
    if not folders:
        return None
    kind, partitions = "", []
    keys, folders = _partition_folders(folders)
    merged: files.Columns = {}
    literal = ""
    for folder, entries in sorted(folders.items()):
        pairs = _pairs(folder)
        kind, columns, literal = _columns(s3, bucket, entries)
        merged = _merge(merged, columns)
        location = f"s3://{bucket}/{root}/{folder}/"
        values = tuple(unquote(value) for _, value in pairs)
        partitions.append(Partition(values, location, columns))
    everything = [entry for entries in folders.values() for entry in entries]
    return CrawledTable(
        name=name,
        location=f"s3://{bucket}/{root}/",
        format=kind,
        keys=keys,
        columns={name: kind for name, kind in merged.items() if name not in keys},
        partitions=tuple(partitions) if keys else (),
        objects=len(everything),
        bytes=sum(entry["Size"] for entry in everything),
        avro_literal=literal,
    )


def _pairs(folder: str) -> list[list[str]]:
    """Key and value of each partition folder in the path."""
    return [part.split("=", 1) for part in folder.split("/") if "=" in part]


def _partition_folders(
    folders: Mapping[str, list[Any]],
) -> tuple[tuple[str, ...], dict[str, list[Any]]]:
    """The partition keys of most folders, and the folders that have them.

    Objects elsewhere belong to no partition, so that Athena never reads them.
    https://docs.aws.amazon.com/glue/latest/dg/crawler-s3-folder-table-partition.html
    """
    keys = {folder: tuple(key.lower() for key, _ in _pairs(folder)) for folder in sorted(folders)}
    commonest = Counter(filter(None, keys.values())).most_common(1)
    usual = commonest[0][0] if commonest else ()
    return usual, {folder: folders[folder] for folder in folders if keys[folder] == usual}


def _columns(s3: S3Client, bucket: str, entries: list[Any]) -> tuple[str, files.Columns, str]:
    """Format and columns of the files; for avro, also the schema in the last file."""
    kind, columns, literal = "", files.Columns(), ""
    for entry in entries:
        content = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        kind = files.classify(content[:64])
        columns = _merge(columns, files.columns(kind, content))
        literal = files.avro_literal(content) if kind == "avro" else ""
    return kind, columns, literal


def _merge(first: files.Columns, second: files.Columns) -> files.Columns:
    """Columns of both; the order of the first."""
    merged = dict(first)
    for name, kind in second.items():
        merged[name] = files.merge(merged[name], kind) if name in merged else kind
    return merged


# --- writing the catalog -----------------------------------------------------------------------
def _classifier(definition: Mapping[str, Any], glue: GlueClient) -> Mapping[str, Any]:
    for name in definition.get("Classifiers") or ():
        classifier: Mapping[str, Any] = glue.get_classifier(Name=name)["Classifier"]
        if "CsvClassifier" in classifier:
            return dict(classifier["CsvClassifier"])
    return {}


def _serde(kind: str, classifier: Mapping[str, Any]) -> dict[str, Any]:
    """The SerDe; for csv it is OpenCSVSerDe only if a classifier has a quote symbol."""
    library = _FORMATS[kind][2]
    if kind == "csv" and classifier.get("QuoteSymbol"):
        parameters = {
            "separatorChar": classifier.get("Delimiter", ","),
            "quoteChar": classifier["QuoteSymbol"],
            "escapeChar": "\\",
        }
        return {"SerializationLibrary": _OPEN_CSV, "Parameters": parameters}
    parameters = {"field.delim": ","} if kind == "csv" else {"serialization.format": "1"}
    # Athena does not read xml.
    return {"SerializationLibrary": library, "Parameters": parameters} if library else {}


def _table_parameters(crawled: CrawledTable) -> dict[str, str]:
    """The table's parameters, as real crawlers write them.

    For avro, and the place of its literal: https://github.com/datahub-project/datahub
    (metadata-ingestion/tests/unit/glue/test_glue_source_stubs.py); for csv:
    https://docs.aws.amazon.com/athena/latest/ug/schema-csv.html
    """
    parameters = {
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        "classification": crawled.format,
        "typeOfData": "file",
        "compressionType": "none",
        "objectCount": str(crawled.objects),
        "sizeKey": str(crawled.bytes),
    }
    if crawled.format == "csv":
        parameters |= {"areColumnsQuoted": "false", "columnsOrdered": "true", "delimiter": ","}
        parameters["skip.header.line.count"] = "1"
    return parameters | _avro_parameters(crawled)


def _avro_parameters(crawled: CrawledTable) -> dict[str, str]:
    is_avro = crawled.format == "avro" and crawled.avro_literal
    return {files.AVRO_LITERAL: crawled.avro_literal} if is_avro else {}


def _descriptor(crawled: CrawledTable, serde: dict[str, Any], location: str) -> dict[str, Any]:
    input_format, output_format, _ = _FORMATS[crawled.format]
    if crawled.format == "avro":
        serde = {
            **serde,
            "Parameters": {**serde.get("Parameters", {}), **_avro_parameters(crawled)},
        }
    return {
        "Columns": [_column(crawled, name) for name in crawled.columns],
        "Location": location,
        "InputFormat": input_format,
        "OutputFormat": output_format,
        "SerdeInfo": serde,
        "Parameters": _table_parameters(crawled),
    }


def _column(crawled: CrawledTable, name: str) -> dict[str, str]:
    """The column as the catalog keeps it, with its comment."""
    column = {"Name": name, "Type": crawled.columns[name]}
    return {**column, "Comment": crawled.comments[name]} if name in crawled.comments else column


def _known(glue: GlueClient, database: str, table: str) -> TableTypeDef | None:
    try:
        return glue.get_table(DatabaseName=database, Name=table)["Table"]
    except glue.exceptions.EntityNotFoundException:
        return None


def _forget(glue: GlueClient, database: str, table: str) -> CrawlSummary:
    """Delete the partitions of a table without data; the table stays, with its columns."""
    if _known(glue, database, table) is None:
        return CrawlSummary()
    gone = _partitions(glue, database, table)
    _delete_partitions(glue, database, table, gone)
    return CrawlSummary(partitions_deleted=tuple(sorted(gone)))


def _partitions(glue: GlueClient, database: str, table: str) -> set[tuple[str, ...]]:
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=table)
    return {tuple(partition["Values"]) for page in pages for partition in page["Partitions"]}


def _delete_partitions(
    glue: GlueClient, database: str, table: str, gone: set[tuple[str, ...]]
) -> None:
    for values in sorted(gone):
        with suppress(glue.exceptions.EntityNotFoundException):
            glue.delete_partition(
                DatabaseName=database, TableName=table, PartitionValues=list(values)
            )


def _register(
    glue: GlueClient, database: str, crawled: CrawledTable, serde: dict[str, Any]
) -> CrawlSummary:
    known = _known(glue, database, crawled.name)
    if known is not None:
        crawled = _merged(known, crawled)
        serde = dict(known["StorageDescriptor"].get("SerdeInfo", serde))
    table_input: Any = {
        "Name": crawled.name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": _table_parameters(crawled),
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in crawled.keys],
        "StorageDescriptor": _descriptor(crawled, serde, crawled.location),
    }
    # The table exists if an earlier attempt made it and its answer was lost.
    try:
        write = glue.create_table if known is None else glue.update_table
        write(DatabaseName=database, TableInput=table_input)
    except glue.exceptions.AlreadyExistsException:
        glue.update_table(DatabaseName=database, TableInput=table_input)
    added, deleted = _register_partitions(glue, database, crawled, serde)
    names = (crawled.name,)
    return CrawlSummary(
        created=names if known is None else (),
        updated=() if known is None else names,
        partitions_added=added,
        partitions_deleted=deleted,
    )


def _merged(known: TableTypeDef, crawled: CrawledTable) -> CrawledTable:
    """The new definition of an existing table: columns are added, nothing else changes.

    MergeNewColumns keeps the existing columns, their types, and the format:
    https://docs.aws.amazon.com/glue/latest/dg/crawler-schema-changes-prevent.html
    """
    columns = known["StorageDescriptor"].get("Columns", [])
    parameters = known.get("Parameters", {})
    former = {column["Name"]: column.get("Type", "") for column in columns}
    return replace(
        crawled,
        columns={**former, **crawled.columns, **former},
        comments={column["Name"]: column["Comment"] for column in columns if "Comment" in column},
        format=parameters.get("classification", crawled.format),
        # Existing parameters stay; missing ones are written again.
        avro_literal=parameters.get(files.AVRO_LITERAL, crawled.avro_literal),
    )


def _register_partitions(
    glue: GlueClient, database: str, crawled: CrawledTable, serde: dict[str, Any]
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Add, refresh and delete partitions; each inherits the table's columns."""
    known = _partitions(glue, database, crawled.name)
    where: Any = {"DatabaseName": database, "TableName": crawled.name}
    for partition in crawled.partitions:
        values = list(partition.values)
        stated: Any = {
            "Values": values,
            "StorageDescriptor": _descriptor(crawled, serde, partition.location),
            "Parameters": {},
        }
        try:
            if partition.values not in known:
                glue.create_partition(**where, PartitionInput=stated)
                continue
        except glue.exceptions.AlreadyExistsException:
            pass
        glue.update_partition(**where, PartitionValueList=values, PartitionInput=stated)
    present = {partition.values for partition in crawled.partitions}
    _delete_partitions(glue, database, crawled.name, known - present)
    return tuple(sorted(present - known)), tuple(sorted(known - present))

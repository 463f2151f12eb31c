"""The catalog's table and partitions of snapshots that no crawler has added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from dynoexport.jobs.avro_schema import avro_literal
from dynoexport.jobs.catalog import check_owner, get_table
from dynoexport.jobs.catalog_update import (
    CSV_TABLE_PARAMETERS,
    OPEN_CSV,
    OPEN_CSV_PARAMETERS,
    manifest_columns,
    table_updates,
)
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.log import log
from dynoexport.jobs.names import PARTITION_KEY, data_prefix, snapshot_prefix, snapshots_table
from dynoexport.jobs.snapshots import (
    is_own_snapshot,
    lies_at,
    list_folders,
    list_marks,
    partition_location,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import PartitionInputTypeDef, TableInputTypeDef, TableTypeDef

    from dynoexport.jobs.publish_clients import PublishClients
    from dynoexport.jobs.publish_settings import PublishSettings

HIVE = "org.apache.hadoop.hive"
TEXT_FILES = (
    "org.apache.hadoop.mapred.TextInputFormat",
    f"{HIVE}.ql.io.HiveIgnoreKeyTextOutputFormat",
)
# Input format, output format and SerDe of each format, as a crawler writes them:
# https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html
FILE_CLASSES: dict[str, tuple[str, str, str]] = {
    "avro": (
        f"{HIVE}.ql.io.avro.AvroContainerInputFormat",
        f"{HIVE}.ql.io.avro.AvroContainerOutputFormat",
        f"{HIVE}.serde2.avro.AvroSerDe",
    ),
    "csv": (*TEXT_FILES, OPEN_CSV),
    "json": (*TEXT_FILES, "org.openx.data.jsonserde.JsonSerDe"),
    "orc": (
        f"{HIVE}.ql.io.orc.OrcInputFormat",
        f"{HIVE}.ql.io.orc.OrcOutputFormat",
        f"{HIVE}.ql.io.orc.OrcSerde",
    ),
    "parquet": (
        f"{HIVE}.ql.io.parquet.MapredParquetInputFormat",
        f"{HIVE}.ql.io.parquet.MapredParquetOutputFormat",
        f"{HIVE}.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
}
# What a crawler also writes about csv:
# https://docs.aws.amazon.com/glue/latest/dg/table-properties-crawler.html
CSV_PARAMETERS = {
    "areColumnsQuoted": "false",
    "columnsOrdered": "true",
    "delimiter": ",",
    **CSV_TABLE_PARAMETERS,
}


def new_table(settings: PublishSettings, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The input of CreateTable: the table that a crawl and the view job's update lead to.

    Without the crawler's own parameters: its version, and what it counted. Glue's own jobs read
    the classification. Athena needs the table's type:
    https://docs.aws.amazon.com/athena/latest/ug/glue-best-practices.html
    """
    fmt = settings.format
    input_format, output_format, serde = FILE_CLASSES[fmt]
    parameters = {
        "classification": fmt,
        "compressionType": "none",
        "typeOfData": "file",
        **(CSV_PARAMETERS if fmt == "csv" else {}),
    }
    bare = {
        "Name": table_name(settings),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": [{"Name": PARTITION_KEY, "Type": "string"}],
        "StorageDescriptor": {
            "Location": data_uri(settings),
            "InputFormat": input_format,
            "OutputFormat": output_format,
            "SerdeInfo": {
                "SerializationLibrary": serde,
                "Parameters": (
                    OPEN_CSV_PARAMETERS if fmt == "csv" else {"serialization.format": "1"}
                ),
            },
            "Parameters": parameters,
        },
    }
    literal = avro_literal(manifest) if fmt == "avro" else ""
    _, complete = table_updates(bare, manifest_columns(manifest), fmt, literal) or (bare, bare)
    return complete


def complete_catalog(
    clients: PublishClients, settings: PublishSettings, manifest: Mapping[str, Any]
) -> TableTypeDef | None:
    """The table of all snapshots, which then has this run's as a partition.

    None if it does not exist, because no snapshot has had an item yet.

    Raises:
        JobFailed: another table or format was exported under the same catalog name, or the
            partition is somebody else's.
    """
    table = get_table(clients.glue, settings.database, table_name(settings))
    if table is None and manifest["items"]:
        table = create_table(clients.glue, settings, manifest)
    if table is not None:
        check_owner(table, settings.database, data_uri(settings))
        if manifest["items"] and not has_partition(clients.glue, settings):
            add_partitions(clients, settings, table)
    return table


def table_name(settings: PublishSettings) -> str:
    return snapshots_table(settings.table, settings.catalog_prefix)


def data_uri(settings: PublishSettings) -> str:
    """Where the export's snapshots are."""
    return f"s3://{settings.bucket}/{data_prefix(settings.table, settings.format)}"


def create_unless_exists(create: Callable[[], object]) -> None:
    """Create an entry of the catalog. It exists if the answer to an earlier request was lost."""
    try:
        create()
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise


def create_table(
    glue: GlueClient, settings: PublishSettings, manifest: Mapping[str, Any]
) -> TableTypeDef:
    """The table of all snapshots, with the columns of the manifest."""
    table = cast("TableInputTypeDef", new_table(settings, manifest))
    name = table["Name"]
    log(f"no crawler has made the catalog table {settings.database}.{name}: making it")
    create_unless_exists(
        lambda: glue.create_table(DatabaseName=settings.database, TableInput=table)
    )
    return glue.get_table(DatabaseName=settings.database, Name=name)["Table"]


def has_partition(glue: GlueClient, settings: PublishSettings) -> bool:
    """Whether the catalog has this run's snapshot.

    Raises:
        JobFailed: its partition has other files.
    """
    try:
        answer = glue.get_partition(
            DatabaseName=settings.database,
            TableName=table_name(settings),
            PartitionValues=[settings.timestamp],
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        return False
    own = f"{data_uri(settings)}{PARTITION_KEY}={settings.timestamp}/"
    if not lies_at(answer["Partition"], own):
        raise JobFailed(
            f"the partition {PARTITION_KEY}={settings.timestamp} of {settings.database}."
            f"{table_name(settings)} lies at {partition_location(answer['Partition'])!r}, not at "
            f"{own}: delete the partition, and start a new run"
        )
    return True


def missing_snapshots(
    clients: PublishClients, settings: PublishSettings, table: TableTypeDef
) -> list[str]:
    """The complete snapshots of this export that the catalog lacks, this run's last.

    Others are missing if their run's view job failed, or if the table was deleted and made anew.
    This run's is last, so that none is left out if a retry finds this one. A snapshot without
    items has no folder and needs no partition.
    """
    pages = clients.glue.get_paginator("get_partitions").paginate(
        DatabaseName=settings.database, TableName=table["Name"]
    )
    known = {partition["Values"][0] for page in pages for partition in page["Partitions"]}
    marks = list_marks(clients.s3, settings.bucket, settings.table, settings.format)
    unknown = (marks.complete & list_folders(clients.s3, marks)) - known
    own = [timestamp for timestamp in unknown if is_own_snapshot(clients.s3, marks, timestamp)]
    return sorted(own, key=lambda timestamp: (timestamp == settings.timestamp, timestamp))


def add_partitions(clients: PublishClients, settings: PublishSettings, table: TableTypeDef) -> None:
    """Add the missing snapshots, read as the table is; the catalog's update follows.

    No crawler adds them if the export has none. A crawl can succeed and still give the table up, as
    every later crawl does ("Cannot merge new columns"), or make a table beside one that it did not
    make itself:
    https://github.com/awslabs/cloud-intelligence-dashboards-data-collection/issues/463
    https://repost.aws/questions/QUE8_NL01HRv6zDY0ISt0sHg/crawler-can-not-find-the-table
    """
    for timestamp in missing_snapshots(clients, settings, table):
        log(f"no crawler has added {PARTITION_KEY}={timestamp} to {table['Name']}: adding it")
        add_partition(clients.glue, settings, table, timestamp)


def add_partition(
    glue: GlueClient, settings: PublishSettings, table: TableTypeDef, timestamp: str
) -> None:
    prefix = snapshot_prefix(settings.table, settings.format, timestamp)
    descriptor = {**table["StorageDescriptor"], "Location": f"s3://{settings.bucket}/{prefix}"}
    values = {"Values": [timestamp], "StorageDescriptor": descriptor, "Parameters": {}}
    partition = cast("PartitionInputTypeDef", values)
    create_unless_exists(
        lambda: glue.create_partition(
            DatabaseName=settings.database, TableName=table["Name"], PartitionInput=partition
        )
    )

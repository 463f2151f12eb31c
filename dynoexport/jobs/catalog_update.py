"""Put the columns of a manifest into the catalog, or take them back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from dynoexport.jobs.avro_schema import avro_literal, with_literal, without_literal
from dynoexport.jobs.catalog import get_table
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.log import log
from dynoexport.jobs.names import snapshots_table, view
from dynoexport.jobs.snapshots import is_own_partition, list_marks
from dynoexport.jobs.view import shown_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import (
        BatchUpdatePartitionRequestEntryTypeDef,
        TableInputTypeDef,
        TableTypeDef,
    )

    from dynoexport.jobs.publish_clients import PublishClients
    from dynoexport.jobs.publish_settings import PublishSettings

# Of csv's SerDes the one that understands quotes; it knows strings only.
# https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
OPEN_CSV_PARAMETERS = {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\\"}
# Athena reads their columns by position:
# https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html
POSITIONAL_FORMATS = ("csv", "orc")
# What of GetTable's answer UpdateTable takes back:
# https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
TABLE_INPUT = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchUpdatePartition.html
PARTITIONS_A_CALL = 100


# What a column's comment may hold, and how many bytes of it:
# https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
COMMENT_CANNOT_HOLD = re.compile("[^\\t\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
COMMENT_BYTES_MAX = 255


def column_comment(attribute: str) -> str:
    """The attribute's own name, as far as a comment can hold it."""
    text = COMMENT_CANNOT_HOLD.sub("\ufffd", attribute)
    return text.encode()[:COMMENT_BYTES_MAX].decode(errors="ignore")


def manifest_columns(manifest: Mapping[str, Any]) -> list[dict[str, str]]:
    """The columns of the snapshots' table, as the catalog keeps them."""
    return [
        {"Name": each["name"], "Type": each["type"], "Comment": column_comment(each["attribute"])}
        for each in manifest["schema"]
    ]


def storage(
    descriptor: Mapping[str, Any], columns: Sequence[Any], fmt: str, literal: str = ""
) -> dict[str, Any]:
    """The storage with the columns; csv read by the SerDe that understands quotes.

    The classifier's quote symbol asks the crawler for it, but CloudFormation cannot set the
    classifier's Serde, and a value with a comma in a table of LazySimpleSerDe lands in the wrong
    columns without any error.
    """
    mended = dict(without_literal(descriptor, literal), Columns=columns)
    serde = mended.get("SerdeInfo")
    if serde is not None:
        mended["SerdeInfo"] = without_literal(serde, literal)
    if fmt == "csv" and (serde or {}).get("SerializationLibrary") != OPEN_CSV:
        mended["SerdeInfo"] = {"SerializationLibrary": OPEN_CSV, "Parameters": OPEN_CSV_PARAMETERS}
    return mended


def without_comments(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    """What of a partition's storage matters: Athena shows the comments of the table only."""
    columns = [(column["Name"], column["Type"]) for column in descriptor.get("Columns", [])]
    return dict(descriptor, Columns=columns)


@dataclass(frozen=True)
class CatalogUpdate:
    """What UpdateTable and BatchUpdatePartition take: the table, if it changes, and partitions."""

    table: Mapping[str, Any] | None
    partitions: tuple[Mapping[str, Any], ...]


def table_updates(
    table: Mapping[str, Any], columns: Sequence[Any], fmt: str, literal: str
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The table's input as it is and as it becomes; None if it is right."""
    former = {key: table[key] for key in TABLE_INPUT if key in table}
    descriptor = storage(table["StorageDescriptor"], columns, fmt, literal)
    if literal:
        descriptor["SerdeInfo"] = with_literal(descriptor.get("SerdeInfo", {}), literal)
    wanted = {
        **with_literal(without_literal(former, literal), literal),
        "StorageDescriptor": descriptor,
    }
    return None if wanted == former else (former, wanted)


def partition_updates(
    partition: Mapping[str, Any], columns: Sequence[Any], fmt: str, literal: str
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The partition's entry as it is and as it becomes; None if it is right."""
    values, descriptor = partition["Values"], partition["StorageDescriptor"]
    former = {
        "Values": values,
        "Parameters": partition.get("Parameters", {}),
        "StorageDescriptor": descriptor,
    }
    wanted = {
        **without_literal(former, literal),
        "StorageDescriptor": storage(descriptor, columns, fmt, literal),
    }
    same_storage = without_comments(wanted["StorageDescriptor"]) == without_comments(descriptor)
    if same_storage and wanted["Parameters"] == former["Parameters"]:
        return None
    before, after = (
        {"PartitionValueList": values, "PartitionInput": each} for each in (former, wanted)
    )
    return before, after


def check_order(
    table: TableTypeDef, columns: Sequence[Mapping[str, str]], settings: PublishSettings
) -> None:
    """See that the files of others, which go by the table's columns, can still be read.

    What the table has and the manifest has not was found by the crawler after the export.

    Raises:
        JobFailed: their values would move to other columns.
    """
    names = [column["Name"] for column in columns]
    former = [column["Name"] for column in table["StorageDescriptor"].get("Columns", [])]
    for position, name in enumerate(former):
        if name not in names:
            return
        if names[position] != name:
            raise JobFailed(
                f"the catalog table {settings.database}.{table['Name']} has snapshots that this "
                f"export has not written, with {name!r} as column {position + 1}, where this "
                f"snapshot has {names[position]!r}: deploy this export with a CatalogPrefix"
            )


def plan_catalog(
    clients: PublishClients,
    settings: PublishSettings,
    table: TableTypeDef,
    manifest: Mapping[str, Any],
) -> tuple[CatalogUpdate, CatalogUpdate]:
    """What puts the manifest's columns into the catalog, after what takes them back.

    The crawler guesses them from files: of json it makes doubles of decimals, of csv what it
    likes. In the manifest columns are only ever added, so older partitions stay readable.

    Raises:
        JobFailed: others' snapshots would become unreadable.
    """
    columns, fmt = manifest_columns(manifest), settings.format
    literal = avro_literal(manifest) if fmt == "avro" else ""
    marks = list_marks(clients.s3, settings.bucket, settings.table, settings.format)
    pages = clients.glue.get_paginator("get_partitions").paginate(
        DatabaseName=settings.database, TableName=table["Name"]
    )
    partitions = [partition for page in pages for partition in page["Partitions"]]
    own = [partition for partition in partitions if is_own_partition(partition, marks)]
    if fmt in POSITIONAL_FORMATS and len(own) < len(partitions):
        check_order(table, columns, settings)
    tables = table_updates(table, columns, fmt, literal) or (None, None)
    updates = [partition_updates(partition, columns, fmt, literal) for partition in own]
    changed = [update for update in updates if update is not None]
    before, after = (
        CatalogUpdate(tables[side], tuple(update[side] for update in changed)) for side in (0, 1)
    )
    return before, after


def write_catalog(
    glue: GlueClient, settings: PublishSettings, name: str, update: CatalogUpdate
) -> None:
    """Update the table and its partitions.

    Raises:
        JobFailed: Glue does not take a partition.
    """
    if update.table is not None:
        # Of GetTable's answer only what UpdateTable takes back: TABLE_INPUT.
        table_input = cast("TableInputTypeDef", update.table)
        glue.update_table(DatabaseName=settings.database, TableInput=table_input)
        count = len(update.table["StorageDescriptor"].get("Columns", []))
        log(f"updated the catalog table {name}: {count:,} columns")
    entries = cast("Sequence[BatchUpdatePartitionRequestEntryTypeDef]", update.partitions)
    for start in range(0, len(entries), PARTITIONS_A_CALL):
        answer = glue.batch_update_partition(
            DatabaseName=settings.database,
            TableName=name,
            Entries=entries[start : start + PARTITIONS_A_CALL],
        )
        for error in answer.get("Errors", []):
            raise JobFailed(
                f"Glue does not update the partition {error['PartitionValueList'][0]} of {name}: "
                f"{error['ErrorDetail']['ErrorMessage']}"
            )
    if update.partitions:
        log(f"updated its partitions: {len(update.partitions):,}")


def restore_catalog(
    clients: PublishClients, settings: PublishSettings, former: CatalogUpdate
) -> None:
    """Give the catalog its former columns, as far as possible: the former view needs them.

    A view whose columns have other types now is stale, for every query. If the view shows this
    snapshot all the same, because its query was slow and not refused, it needs the new ones.
    """
    name = snapshots_table(settings.table, settings.catalog_prefix)
    view_name = view(settings.table, settings.catalog_prefix)
    try:
        shown = shown_timestamp(get_table(clients.glue, settings.database, view_name))
        if shown != settings.timestamp:
            log("the view was not replaced: the catalog gets its former columns again")
            write_catalog(clients.glue, settings, name, former)
    except (JobFailed, BotoCoreError, ClientError) as error:
        log(f"cannot restore the former columns of {settings.database}.{name}: {error}")

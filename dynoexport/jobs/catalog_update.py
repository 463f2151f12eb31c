"""Write the columns of a manifest into the catalog, or restore the former ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from dynoexport.jobs.avro_schema import AVRO_LITERAL, avro_literal, without_literal
from dynoexport.jobs.catalog import get_table
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.log import counted, log
from dynoexport.jobs.names import snapshots_table, view
from dynoexport.jobs.snapshots import is_adopted_snapshot, is_own_partition, list_marks
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

# The csv SerDe that understands quotes; it knows strings only.
# https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
OPEN_CSV_PARAMETERS = {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\\"}
# Every part file begins with its names: "Ignore headers" on the same page.
CSV_TABLE_PARAMETERS = {"skip.header.line.count": "1"}
# By default the json SerDe makes one key of a map's keys that differ by case only. The names of
# columns and fields are in lower case in the files.
# https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html
JSON_PARAMETERS = {"case.insensitive": "FALSE"}
# Athena reads their columns by position:
# https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html
POSITIONAL_FORMATS = ("csv", "orc")
# The parts of GetTable's answer that UpdateTable accepts:
# https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
TABLE_INPUT = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchUpdatePartition.html
PARTITIONS_A_CALL = 100


# The characters that a column's comment cannot hold, and its longest length in bytes:
# https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
COMMENT_CANNOT_HOLD = re.compile("[^\\t\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
COMMENT_BYTES_MAX = 255


def column_comment(attribute: str) -> str:
    """The attribute's own name, as well as a comment can hold it."""
    text = COMMENT_CANNOT_HOLD.sub("\ufffd", attribute)
    return text.encode()[:COMMENT_BYTES_MAX].decode(errors="ignore")


def manifest_columns(manifest: Mapping[str, Any]) -> list[dict[str, str]]:
    """The columns of the snapshots' table, as the catalog keeps them."""
    return [
        {
            "Name": column["name"],
            "Type": column["type"],
            "Comment": column_comment(column["attribute"]),
        }
        for column in manifest["schema"]
    ]


def with_parameters(holder: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """The table, partition or SerDe with these parameters, too."""
    if not parameters:
        return dict(holder)
    return {**holder, "Parameters": {**holder.get("Parameters", {}), **parameters}}


def storage(
    descriptor: Mapping[str, Any], columns: Sequence[Any], fmt: str, literal: str = ""
) -> dict[str, Any]:
    """The storage descriptor with the columns; csv gets the SerDe that understands quotes.

    CloudFormation cannot set the classifier's Serde. In a table of LazySimpleSerDe, a value with
    a comma lands in the wrong columns without any error.
    """
    mended = dict(without_literal(descriptor, literal), Columns=columns)
    serde = mended.get("SerdeInfo")
    if serde is not None:
        mended["SerdeInfo"] = without_literal(serde, literal)
    if fmt == "csv" and (serde or {}).get("SerializationLibrary") != OPEN_CSV:
        mended["SerdeInfo"] = {"SerializationLibrary": OPEN_CSV, "Parameters": OPEN_CSV_PARAMETERS}
    return mended


def without_comments(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    """A partition's storage without comments: Athena shows only those of the table."""
    columns = [(column["Name"], column["Type"]) for column in descriptor.get("Columns", [])]
    return dict(descriptor, Columns=columns)


@dataclass(frozen=True)
class CatalogUpdate:
    """The input of UpdateTable, if the table changes, and of BatchUpdatePartition."""

    table: Mapping[str, Any] | None
    partitions: tuple[Mapping[str, Any], ...]


def with_serde_parameters(
    descriptor: Mapping[str, Any], parameters: Mapping[str, str]
) -> dict[str, Any]:
    """The storage descriptor whose SerDe has these parameters, too."""
    if not parameters:
        return dict(descriptor)
    serde = with_parameters(descriptor.get("SerdeInfo", {}), parameters)
    return {**descriptor, "SerdeInfo": serde}


def table_updates(
    table: Mapping[str, Any],
    columns: Sequence[Any],
    fmt: str,
    literal: str,
    *,
    shared: bool = False,
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The table's input as it is and as it becomes; None if it is right.

    ``shared``: the table has partitions of another design. The crawler writes the table's SerDe
    into them, and their json keeps the attributes' own names.
    """
    former = {key: table[key] for key in TABLE_INPUT if key in table}
    literals = {AVRO_LITERAL: literal} if literal else {}
    of_serde = JSON_PARAMETERS if fmt == "json" and not shared else literals
    descriptor = storage(table["StorageDescriptor"], columns, fmt, literal)
    own = {**literals, **(CSV_TABLE_PARAMETERS if fmt == "csv" else {})}
    wanted = {
        **with_parameters(without_literal(former, literal), own),
        "StorageDescriptor": with_serde_parameters(descriptor, of_serde),
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
    stored = storage(descriptor, columns, fmt, literal)
    of_serde = JSON_PARAMETERS if fmt == "json" else {}
    wanted = {
        **without_literal(former, literal),
        "StorageDescriptor": with_serde_parameters(stored, of_serde),
    }
    same_storage = without_comments(wanted["StorageDescriptor"]) == without_comments(descriptor)
    if same_storage and wanted["Parameters"] == former["Parameters"]:
        return None
    before, after = (
        {"PartitionValueList": values, "PartitionInput": entry} for entry in (former, wanted)
    )
    return before, after


def check_order(
    table: TableTypeDef, columns: Sequence[Mapping[str, str]], settings: PublishSettings
) -> None:
    """Check that snapshots of another design, read by the table's columns, stay readable.

    The crawler found the columns that the table has and the manifest lacks after the export.

    Raises:
        JobFailed: the values of those snapshots would move to other columns.
    """
    names = [column["Name"] for column in columns]
    former = [column["Name"] for column in table["StorageDescriptor"].get("Columns", [])]
    for position, name in enumerate(former):
        if name not in names:
            return
        if names[position] != name:
            raise JobFailed(
                f"the catalog table {settings.database}.{table['Name']} has snapshots that this "
                f"export did not write; their column {position + 1} is {name!r}, in this snapshot "
                f"it is {names[position]!r}: deploy this export with a CatalogPrefix"
            )


def plan_catalog(
    clients: PublishClients,
    settings: PublishSettings,
    table: TableTypeDef,
    manifest: Mapping[str, Any],
) -> tuple[CatalogUpdate, CatalogUpdate]:
    """The update that restores the catalog, and the one that writes the manifest's columns.

    The crawler guesses columns from files: it reads json decimals as doubles, and guesses csv
    types. A manifest only ever adds columns, so older partitions stay readable.

    Raises:
        JobFailed: snapshots of another design would become unreadable.
    """
    columns, fmt = manifest_columns(manifest), settings.format
    literal = avro_literal(manifest) if fmt == "avro" else ""
    marks = list_marks(clients.s3, settings.bucket, settings.table, settings.format)
    pages = clients.glue.get_paginator("get_partitions").paginate(
        DatabaseName=settings.database, TableName=table["Name"]
    )
    partitions = [partition for page in pages for partition in page["Partitions"]]
    own = [partition for partition in partitions if is_own_partition(clients.s3, partition, marks)]
    adopted = [
        partition
        for partition in own
        if is_adopted_snapshot(clients.s3, marks, partition["Values"][0])
    ]
    shared = len(own) - len(adopted) < len(partitions)
    if fmt != "csv":
        # The files of an adopted snapshot are as the other design wrote them: the crawler of that
        # design has described them. Only its csv partitions do not understand quotes.
        own = [partition for partition in own if partition not in adopted]
    if fmt in POSITIONAL_FORMATS and shared:
        check_order(table, columns, settings)
    tables = table_updates(table, columns, fmt, literal, shared=shared) or (None, None)
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
        JobFailed: Glue refuses a partition.
    """
    if update.table is not None:
        # The type stubs do not know that TABLE_INPUT lists only what UpdateTable accepts.
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
                f"Glue refuses to update partition {error['PartitionValueList'][0]} of {name}: "
                f"{error['ErrorDetail']['ErrorMessage']}"
            )
    if update.partitions:
        log(f"updated {counted(len(update.partitions), 'partition')} of {name}")


def restore_catalog(
    clients: PublishClients, settings: PublishSettings, former: CatalogUpdate
) -> None:
    """Restore the former columns of the catalog if possible: the former view needs them.

    Athena refuses every query of a view whose columns changed their types. The view may show
    this snapshot all the same, because its query was only slow. Then it needs the new columns.
    """
    name = snapshots_table(settings.table, settings.catalog_prefix)
    view_name = view(settings.table, settings.catalog_prefix)
    try:
        shown = shown_timestamp(get_table(clients.glue, settings.database, view_name))
        if shown != settings.timestamp:
            log(f"the view was not replaced: restoring the former columns of {name}")
            write_catalog(clients.glue, settings, name, former)
    except (JobFailed, BotoCoreError, ClientError) as error:
        log(f"cannot restore the former columns of {settings.database}.{name}: {error}")

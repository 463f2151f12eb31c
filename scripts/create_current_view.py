"""Show a run's snapshot in Athena, then delete expired ones. Runs as a Python shell job of Glue.

What a run does, in this order:

1. Snapshot: the run's property SnapshotTimestamp names the snapshot that this run has exported.
2. Checks: its manifest is of this run, its files are those of the manifest, and the crawler has
   added it to the catalog as a partition.
3. Catalog: the columns of the table and of this export's partitions are those of the manifest,
   whatever the crawler made of the files. Other partitions stay as they are. If the view cannot be
   replaced, the former columns come back.
4. View: CREATE OR REPLACE VIEW <database>.<table>, all attributes of exactly this snapshot, unless
   the view already shows a newer one. CloudWatch counts it (dynoexport, Snapshots).
5. Retention: snapshots older than SnapshotRetentionDays lose manifest, partition and files, in
   this order; the one that is shown never does, nor does one that dynoexport has not written.

One file on its own. Python shell runs Python 3.9 with an old boto3 (1.21): plain calls only.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import re
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import TableTypeDef
    from mypy_boto3_s3 import S3Client

# Arguments of the deployed job; Glue adds its own, of which the second list is used.
JOB_ARGUMENTS = (
    "TableName",
    "OutputFormat",
    "BucketName",
    "DatabaseName",
    "CatalogPrefix",
    "WorkGroup",
    "SnapshotRetentionDays",
)
GLUE_ARGUMENTS = ("WORKFLOW_NAME", "WORKFLOW_RUN_ID")
IDENTITY = ("TableName", "OutputFormat")
OVERRIDABLE = ("SnapshotRetentionDays",)
SNAPSHOT_TIMESTAMP = "SnapshotTimestamp"

METRIC_NAMESPACE, METRIC_SNAPSHOTS = "dynoexport", "Snapshots"

PARTITION_KEY = "snapshot_timestamp"
TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M"
RETENTION_DAYS_MAX = 36_500

# Of csv's SerDes the one that understands quotes; it knows strings only.
# https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
OPEN_CSV_PARAMETERS = {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\\"}
# Trino reads avro by this parameter before it looks at the columns: by the table's own, else by
# that of the table's SerDe, else by that of the partition's:
# https://github.com/trinodb/trino/pull/30599, https://github.com/trinodb/trino/pull/14463
# A crawler keeps it as it was, or writes a file's own schema, which has no defaults. Either is
# wrong for some snapshot: "Unable to find column", "Avro type resolution error". So every
# publication gives the table a schema that fits all files. Athena's page asks for one:
# https://docs.aws.amazon.com/athena/latest/ug/avro-serde.html
# A value has at most so many bytes (https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html);
# without it the schema is made of the columns.
AVRO_LITERAL, PARAMETER_MAX = "avro.schema.literal", 512_000
AVRO_SCALARS = {
    "string": "string",
    "bigint": "long",
    "double": "double",
    "boolean": "boolean",
    "binary": "bytes",
    "map<string,string>": {"type": "map", "values": ["null", "string"]},
}
# Athena reads their columns by position:
# https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html
POSITIONAL_FORMATS = ("csv", "orc")
# What of GetTable's answer UpdateTable takes back:
# https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
TABLE_INPUT = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")

# Replacing a view reads no data; this is time enough to wait in a busy workgroup's queue.
QUERY_SECONDS_MAX = 600
QUERY_SECONDS_BETWEEN = 2
# A VPC without a way to CloudWatch drops what is sent there.
METRIC_CONFIG = Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 2})


class PublishFailed(Exception):
    """Something the owner of the export can mend, told in one line.

    Raised and not exited with: of an exception Glue shows the message as the run's error, of
    sys.exit only "Command failed with exit code"
    (https://github.com/awslabs/aws-glue-libs/issues/221).
    """

    def __init__(self, message: str) -> None:
        # What is named in it may hold line breaks.
        super().__init__(" ".join(message.splitlines()))


class QueryTooSlow(PublishFailed):
    """A query that neither succeeds nor fails in time."""


def log(message: str) -> None:
    # Flushed, so that CloudWatch shows the line when it happens and not when the job ends.
    print(f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}  {message}", flush=True)


# --- settings -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Settings:
    """What this run is to publish; ``retention_days`` 0 keeps every snapshot."""

    table: str
    format: str
    bucket: str
    database: str
    catalog_prefix: str
    work_group: str
    retention_days: int
    timestamp: str
    workflow_run_id: str


def parse_arguments(argv: Sequence[str]) -> dict[str, str]:
    """The arguments by name; those of Glue that were not given are empty, others are ignored."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in JOB_ARGUMENTS:
        # An empty value may arrive as no value, or not at all.
        may_be_empty = name == "CatalogPrefix"
        parser.add_argument(f"--{name}", nargs="?", const="", default="", required=not may_be_empty)
    for name in GLUE_ARGUMENTS:
        parser.add_argument(f"--{name}", default="")
    known, _ = parser.parse_known_args(joined(argv))
    return vars(known)


def joined(argv: Sequence[str]) -> list[str]:
    """The arguments with each value joined to its name.

    Glue gives them as two words, and a table may begin with "-" as options do.
    """
    names = {f"--{name}" for name in (*JOB_ARGUMENTS, *GLUE_ARGUMENTS)}
    words: list[str] = []
    for word in argv:
        if words and words[-1] in names and word not in names:
            words[-1] = f"{words[-1]}={word}"
        else:
            words.append(word)
    return words


def run_properties(glue: GlueClient, arguments: Mapping[str, str]) -> dict[str, str]:
    """The properties of the workflow run that started this job.

    Raises:
        PublishFailed: it was not started by a workflow run.
    """
    if not arguments["WORKFLOW_RUN_ID"]:
        raise PublishFailed("this job runs inside its workflow only: start a run of the workflow")
    name, run_id = arguments["WORKFLOW_NAME"], arguments["WORKFLOW_RUN_ID"]
    return glue.get_workflow_run_properties(Name=name, RunId=run_id)["RunProperties"]


def merge(arguments: Mapping[str, str], properties: Mapping[str, str]) -> dict[str, str]:
    """The arguments with what this run overrides.

    Raises:
        PublishFailed: the run names another table or format than this job was deployed for.
    """
    for name in IDENTITY:
        if properties.get(name, arguments[name]) != arguments[name]:
            raise PublishFailed(
                f"the run property {name} is {properties[name]!r}, but this job publishes "
                f"{arguments[name]!r}: start the workflow of that export instead"
            )
    return {**arguments, **{name: properties[name] for name in OVERRIDABLE if name in properties}}


def retention_days(text: str) -> int:
    """Days to keep a snapshot.

    Raises:
        PublishFailed: it is no whole number from 0 on.
    """
    try:
        days = int(text)
    except ValueError:
        days = -1
    if not 0 <= days <= RETENTION_DAYS_MAX:
        raise PublishFailed(
            f"SnapshotRetentionDays is {text!r}, allowed is a whole number from 0 (keep all) to "
            f"{RETENTION_DAYS_MAX}"
        )
    return days


def moment_of(timestamp: str) -> datetime | None:
    """The snapshot's minute, None if the text is none as this project writes it."""
    try:
        moment = datetime.strptime(timestamp, TIMESTAMP_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    # strptime takes "2026-1-1T1:1" too, which would sort and read as another snapshot.
    return moment if moment.strftime(TIMESTAMP_FORMAT) == timestamp else None


def snapshot_of_run(properties: Mapping[str, str]) -> str:
    """The timestamp that the export job has noted in the run.

    Raises:
        PublishFailed: it has not, or somebody has edited it.
    """
    timestamp = properties.get(SNAPSHOT_TIMESTAMP, "")
    if moment_of(timestamp) is None:
        raise PublishFailed(
            f"the run property {SNAPSHOT_TIMESTAMP} is {timestamp!r} and not a UTC minute: the "
            "export job of this run has to set it"
        )
    return timestamp


def settings_of(values: Mapping[str, str], timestamp: str) -> Settings:
    return Settings(
        table=values["TableName"],
        format=values["OutputFormat"],
        bucket=values["BucketName"],
        database=values["DatabaseName"],
        catalog_prefix=values["CatalogPrefix"],
        work_group=values["WorkGroup"],
        retention_days=retention_days(values["SnapshotRetentionDays"]),
        timestamp=timestamp,
        workflow_run_id=values["WORKFLOW_RUN_ID"],
    )


# --- names and keys, as in dynoexport.naming: this file runs alone inside Glue --------------------
def fold(table: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", table.lower())


def snapshots_table(table: str, prefix: str = "") -> str:
    return f"{prefix}snapshots_{fold(table)}"


def view(table: str, prefix: str = "") -> str:
    return f"{prefix}{fold(table)}"


def data_prefix(table: str, fmt: str) -> str:
    return f"{fmt}/{table}/"


def snapshot_prefix(table: str, fmt: str, timestamp: str) -> str:
    return f"{data_prefix(table, fmt)}{PARTITION_KEY}={timestamp}/"


def manifest_prefix(table: str, fmt: str) -> str:
    return f"manifests/{fmt}/{table}/"


def manifest_key(table: str, fmt: str, timestamp: str) -> str:
    return f"{manifest_prefix(table, fmt)}{timestamp}.json"


def claim_key(table: str, fmt: str, timestamp: str) -> str:
    return f"{manifest_prefix(table, fmt)}{timestamp}.claim"


# --- objects in S3 --------------------------------------------------------------------------------
def list_objects(s3: S3Client, bucket: str, prefix: str) -> dict[str, tuple[int, str]]:
    """All objects under the prefix: by key their bytes, and the ETag, which is of their content.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {
        found["Key"]: (found["Size"], found["ETag"].strip('"'))
        for page in pages
        for found in page.get("Contents", [])
    }


def list_directories(s3: S3Client, bucket: str, prefix: str) -> Iterator[str]:
    """The prefixes one level below the prefix, each with its "/"."""
    pages = s3.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        for found in page.get("CommonPrefixes", []):
            yield found["Prefix"]


def delete(s3: S3Client, bucket: str, keys: Sequence[str]) -> None:
    """Delete the objects; DeleteObjects takes 1,000 keys a call and reports errors by key.

    Raises:
        PublishFailed: one of them cannot be deleted.
    """
    for start in range(0, len(keys), 1000):
        chunk = [{"Key": key} for key in keys[start : start + 1000]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": chunk, "Quiet": True})
        for error in answer.get("Errors", []):
            raise PublishFailed(f"cannot delete s3://{bucket}/{error['Key']}: {error['Message']}")


# --- the snapshot is whole ------------------------------------------------------------------------
def is_list_of(found: object, kinds: Mapping[str, type]) -> bool:
    """Whether it is a list of objects with members of these kinds."""
    return isinstance(found, list) and all(
        isinstance(each, dict)
        and all(isinstance(each.get(key), kind) for key, kind in kinds.items())
        for each in found
    )


COLUMN = {"name": str, "type": str, "attribute": str, "view": str, "shown": bool}


def is_manifest(found: object) -> bool:
    """Whether it has what is needed of a manifest here."""
    return (
        isinstance(found, dict)
        and isinstance(found.get("workflow_run_id"), str)
        and isinstance(found.get("items"), int)
        and is_list_of(found.get("files"), {"key": str, "bytes": int})
        and is_list_of(found.get("schema"), COLUMN)
    )


def read_manifest(s3: S3Client, settings: Settings) -> dict[str, Any]:
    """The manifest of the run's snapshot.

    Raises:
        PublishFailed: there is none, it is none, or another run has written it.
    """
    key = manifest_key(settings.table, settings.format, settings.timestamp)
    try:
        answer = s3.get_object(Bucket=settings.bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        message = f"the snapshot {settings.timestamp} is not complete: s3://{settings.bucket}/{key}"
        raise PublishFailed(f"{message} is missing") from None
    try:
        manifest = json.loads(answer["Body"].read().decode())
    except (ValueError, RecursionError):
        manifest = None
    if not is_manifest(manifest):
        raise PublishFailed(
            f"s3://{settings.bucket}/{key} is no manifest: delete it, and start a new run"
        )
    if manifest["workflow_run_id"] != settings.workflow_run_id:
        raise PublishFailed(
            f"the snapshot {settings.timestamp} belongs to run {manifest['workflow_run_id']}, not "
            f"to this run {settings.workflow_run_id}: start a new run of the workflow"
        )
    return manifest


def check_files(manifest: Mapping[str, Any], found: Mapping[str, tuple[int, str]]) -> None:
    """Compare the objects under the snapshot's prefix (bytes and ETag by key) with the manifest.

    Raises:
        PublishFailed: a file is missing, has another size or content or should not be there.
    """
    files = {file["key"]: file for file in manifest["files"]}
    for key, file in files.items():
        size, etag = found.get(key, (None, None))
        if size != file["bytes"]:
            state = "is missing" if size is None else f"has {size} bytes"
            raise PublishFailed(
                f"the file {key} {state}, but its manifest says {file['bytes']} bytes"
            )
        # An export job of before has not noted it.
        if etag != file.get("etag", etag):
            raise PublishFailed(f"the file {key} is not what the export job has written")
    for key in found:
        # Athena reads whatever is there, but no hidden files:
        # https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
        if key not in files and not key.rsplit("/", 1)[-1].startswith((".", "_")):
            raise PublishFailed(f"the file {key} is not in the manifest of its snapshot")


# --- the catalog ----------------------------------------------------------------------------------
def get_table(glue: GlueClient, database: str, name: str) -> TableTypeDef | None:
    """The catalog's table or view, None if there is none."""
    try:
        return glue.get_table(DatabaseName=database, Name=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise


def check_owner(table: TableTypeDef, settings: Settings) -> None:
    """See that the catalog table is that of this export.

    Raises:
        PublishFailed: another table or format was exported under the same catalog name.
    """
    location = table.get("StorageDescriptor", {}).get("Location", "")
    own = f"s3://{settings.bucket}/{data_prefix(settings.table, settings.format)}"
    if location.rstrip("/") != own.rstrip("/"):
        raise PublishFailed(
            f"the catalog table {settings.database}.{table['Name']} belongs to {location!r}, not "
            f"to {own}: deploy this export with a CatalogPrefix"
        )


def check_partition(glue: GlueClient, settings: Settings) -> None:
    """See that the crawler has found the snapshot.

    Raises:
        PublishFailed: it has not.
    """
    name = snapshots_table(settings.table, settings.catalog_prefix)
    try:
        glue.get_partition(
            DatabaseName=settings.database, TableName=name, PartitionValues=[settings.timestamp]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        raise PublishFailed(
            f"the crawler has not added {PARTITION_KEY}={settings.timestamp} to the catalog table "
            f"{settings.database}.{name}"
        ) from None


def shown_by(table: TableTypeDef | None) -> str | None:
    """The timestamp that the view shows; None if there is no view, or none that tells.

    The catalog keeps a view as a comment around base64 of JSON, with its SQL in originalSql.
    """
    text = (table or {}).get("ViewOriginalText", "")
    stored = re.match(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/", text)
    if stored is None:
        return None
    try:
        sql = str(json.loads(base64.b64decode(stored[1]).decode())["originalSql"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    timestamps = re.findall(rf'"?{PARTITION_KEY}"?\s*=\s*\'([^\']*)\'', sql)
    return timestamps[-1] if timestamps and moment_of(timestamps[-1]) else None


# --- the catalog's columns ------------------------------------------------------------------------
# What a column's comment may hold, and how many bytes of it:
# https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
COMMENT_CANNOT_HOLD = re.compile("[^\\t\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
COMMENT_BYTES_MAX = 255
# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchUpdatePartition.html
PARTITIONS_A_CALL = 100


def comment(attribute: str) -> str:
    """The attribute's own name, as far as a comment can hold it."""
    text = COMMENT_CANNOT_HOLD.sub("\ufffd", attribute)
    return text.encode()[:COMMENT_BYTES_MAX].decode(errors="ignore")


def columns_of(manifest: Mapping[str, Any]) -> list[dict[str, str]]:
    """The columns of the snapshots' table, as the catalog keeps them."""
    return [
        {"Name": each["name"], "Type": each["type"], "Comment": comment(each["attribute"])}
        for each in manifest["schema"]
    ]


def avro_type(shape: str | Mapping[str, Any], numbers: Iterator[int]) -> list[Any]:
    """A column's shape in the manifest as an avro type that may be null, at every level.

    ``numbers`` give records their names.
    """
    if not isinstance(shape, str):
        ((kind, inner),) = shape.items()
        if kind == "array":
            return ["null", {"type": "array", "items": avro_type(inner, numbers)}]
        record = {"type": "record", "name": f"record_{next(numbers)}"}
        fields = [avro_field(name, field, numbers) for _, name, field in inner]
        return ["null", {**record, "fields": fields}]
    if shape.startswith("decimal"):
        precision, scale = map(int, re.findall(r"\d+", shape))
        decimal = {"type": "bytes", "logicalType": "decimal"}
        return ["null", {**decimal, "precision": precision, "scale": scale}]
    return ["null", AVRO_SCALARS[shape]]


def avro_field(name: str, shape: str | Mapping[str, Any], numbers: Iterator[int]) -> dict[str, Any]:
    return {"name": name, "type": avro_type(shape, numbers), "default": None}


def avro_literal(manifest: Mapping[str, Any]) -> str:
    """The schema by which every snapshot can be read; empty if it is too long for the catalog.

    Files of the former design have the attributes' own names: Avro finds them by aliases.
    """
    numbers, fields = itertools.count(), []
    for each in manifest["schema"]:
        name, attribute = each["name"], each["attribute"]
        field = avro_field(name, each.get("shape", each["type"]), numbers)
        if attribute != name == attribute.lower() and re.fullmatch(
            r"[A-Za-z_]\w*", attribute, re.ASCII
        ):
            field["aliases"] = [attribute]
        fields.append(field)
    text = json.dumps({"type": "record", "name": "item", "fields": fields}, separators=(",", ":"))
    return text if len(text) <= PARAMETER_MAX else ""


def without_literal(holder: Mapping[str, Any], right: str) -> dict[str, Any]:
    """What has parameters, without an avro schema but the right one."""
    parameters = holder.get("Parameters", {})
    if parameters.get(AVRO_LITERAL, right) == right:
        return dict(holder)
    kept = {name: value for name, value in parameters.items() if name != AVRO_LITERAL}
    return {**holder, "Parameters": kept}


def with_literal(holder: Mapping[str, Any], literal: str) -> dict[str, Any]:
    """What has parameters, with the avro schema if there is one."""
    if not literal:
        return dict(holder)
    return {**holder, "Parameters": {**holder.get("Parameters", {}), AVRO_LITERAL: literal}}


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


def complete_snapshots(s3: S3Client, settings: Settings) -> set[str]:
    """The timestamps of the snapshots that have a manifest."""
    prefix = manifest_prefix(settings.table, settings.format)
    keys = list_objects(s3, settings.bucket, prefix)
    return {key[len(prefix) : -len(".json")] for key in keys if key.endswith(".json")}


def is_own(partition: Mapping[str, Any], settings: Settings, complete: set[str]) -> bool:
    """Whether this export has written the partition's files; others stay as they are."""
    timestamp = partition["Values"][0]
    prefix = snapshot_prefix(settings.table, settings.format, timestamp)
    location = partition["StorageDescriptor"].get("Location", "")
    return timestamp in complete and location.rstrip(
        "/"
    ) == f"s3://{settings.bucket}/{prefix}".rstrip("/")


def check_order(
    table: TableTypeDef, columns: Sequence[Mapping[str, str]], settings: Settings
) -> None:
    """See that the files of others, which go by the table's columns, can still be read.

    What the table has and the manifest has not was found by the crawler after the export.

    Raises:
        PublishFailed: their values would move to other columns.
    """
    names = [column["Name"] for column in columns]
    former = [column["Name"] for column in table["StorageDescriptor"].get("Columns", [])]
    for position, name in enumerate(former):
        if name not in names:
            return
        if names[position] != name:
            raise PublishFailed(
                f"the catalog table {settings.database}.{table['Name']} has snapshots that this "
                f"export has not written, with {name!r} as column {position + 1}, where this "
                f"snapshot has {names[position]!r}: deploy this export with a CatalogPrefix"
            )


def plan_catalog(
    clients: Clients, settings: Settings, table: TableTypeDef, manifest: Mapping[str, Any]
) -> tuple[CatalogUpdate, CatalogUpdate]:
    """What puts the manifest's columns into the catalog, after what takes them back.

    The crawler guesses them from files: of json it makes doubles of decimals, of csv what it
    likes. In the manifest columns are only ever added, so older partitions stay readable.

    Raises:
        PublishFailed: others' snapshots would become unreadable.
    """
    columns, fmt = columns_of(manifest), settings.format
    literal = avro_literal(manifest) if fmt == "avro" else ""
    complete = complete_snapshots(clients.s3, settings)
    where = {"DatabaseName": settings.database, "TableName": table["Name"]}
    pages = clients.glue.get_paginator("get_partitions").paginate(**where)
    partitions = [partition for page in pages for partition in page["Partitions"]]
    own = [partition for partition in partitions if is_own(partition, settings, complete)]
    if fmt in POSITIONAL_FORMATS and len(own) < len(partitions):
        check_order(table, columns, settings)
    tables = table_updates(table, columns, fmt, literal) or (None, None)
    updates = [partition_updates(partition, columns, fmt, literal) for partition in own]
    changed = [update for update in updates if update is not None]
    before, after = (
        CatalogUpdate(tables[side], tuple(update[side] for update in changed)) for side in (0, 1)
    )
    return before, after


def write_catalog(glue: GlueClient, settings: Settings, name: str, update: CatalogUpdate) -> None:
    """Update the table and its partitions.

    Raises:
        PublishFailed: Glue does not take a partition.
    """
    if update.table is not None:
        glue.update_table(DatabaseName=settings.database, TableInput=update.table)
        count = len(update.table["StorageDescriptor"].get("Columns", []))
        log(f"updated the catalog table {name}: {count:,} columns")
    where = {"DatabaseName": settings.database, "TableName": name}
    for start in range(0, len(update.partitions), PARTITIONS_A_CALL):
        chunk = update.partitions[start : start + PARTITIONS_A_CALL]
        answer = glue.batch_update_partition(Entries=chunk, **where)
        for error in answer.get("Errors", []):
            raise PublishFailed(
                f"Glue does not update the partition {error['PartitionValueList'][0]} of {name}: "
                f"{error['ErrorDetail']['ErrorMessage']}"
            )
    if update.partitions:
        log(f"updated its partitions: {len(update.partitions):,}")


def restore_catalog(clients: Clients, settings: Settings, former: CatalogUpdate) -> None:
    """Give the catalog its former columns, as far as possible: the former view needs them.

    A view whose columns have other types now is stale, for every query. If the view shows this
    snapshot all the same, because its query was slow and not refused, it needs the new ones.
    """
    name = snapshots_table(settings.table, settings.catalog_prefix)
    view_name = view(settings.table, settings.catalog_prefix)
    try:
        shown = shown_by(get_table(clients.glue, settings.database, view_name))
        if shown != settings.timestamp:
            log("the view was not replaced: the catalog gets its former columns again")
            write_catalog(clients.glue, settings, name, former)
    except (PublishFailed, BotoCoreError, ClientError) as error:
        log(f"cannot restore the former columns of {settings.database}.{name}: {error}")


# --- the view -------------------------------------------------------------------------------------
def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def shown_columns(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The view's columns: by their names in the view those in the table, the partition's last."""
    shown = {each["view"]: each["name"] for each in manifest["schema"] if each["shown"]}
    return {**shown, PARTITION_KEY: PARTITION_KEY}


def selected(view_column: str, column: str) -> str:
    if view_column == column:
        return identifier(column)
    return f"{identifier(column)} AS {identifier(view_column)}"


def view_sql(
    database: str, view_name: str, table: str, columns: Mapping[str, str], timestamp: str
) -> str:
    """The statement that makes the view show one snapshot, with ``shown_columns``.

    The columns are listed: a view of ``*`` is stale as soon as one of them changes its type.
    """
    listed = ", ".join(selected(name, column) for name, column in columns.items())
    return (
        f"CREATE OR REPLACE VIEW {identifier(database)}.{identifier(view_name)} AS\n"
        f"SELECT {listed}\n"
        f"FROM {identifier(database)}.{identifier(table)}\n"
        f"WHERE {identifier(PARTITION_KEY)} = {literal(timestamp)}"
    )


def run_query(
    athena: AthenaClient, sql: str, settings: Settings, sleep: Callable[[float], None]
) -> None:
    """Run the statement in the workgroup and wait for its end, ten minutes at most.

    Raises:
        PublishFailed: Athena's reason why it failed, or that it took too long.
    """
    query = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": settings.database},
        WorkGroup=settings.work_group,
    )["QueryExecutionId"]
    try:
        wait_for_query(athena, query, sleep)
    except (BotoCoreError, ClientError, QueryTooSlow):
        # Left alone, it could still replace the view, of a later run perhaps.
        stop_query(athena, query)
        raise


def wait_for_query(athena: AthenaClient, query: str, sleep: Callable[[float], None]) -> None:
    """Wait until the query has succeeded.

    Raises:
        PublishFailed: Athena's reason why it failed.
        QueryTooSlow: it still waits or runs.
    """
    for _ in range(QUERY_SECONDS_MAX // QUERY_SECONDS_BETWEEN):
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return
        if status["State"] in {"FAILED", "CANCELLED"}:
            reason = status.get("StateChangeReason", "Athena gives no reason")
            raise PublishFailed(f"query {query} {status['State']}: {' '.join(reason.split())}")
        sleep(QUERY_SECONDS_BETWEEN)
    raise QueryTooSlow(
        f"query {query} was {status['State']} for {QUERY_SECONDS_MAX} seconds and was stopped"
    )


def stop_query(athena: AthenaClient, query: str) -> None:
    """Stop it, as far as possible: why it is stopped matters more."""
    try:
        athena.stop_query_execution(QueryExecutionId=query)
    except (BotoCoreError, ClientError) as error:
        log(f"cannot stop the query {query}: {error}")


def publish(clients: Clients, settings: Settings, sleep: Callable[[float], None]) -> str | None:
    """Let the view show this run's snapshot; the timestamp that it shows then, None without view.

    Raises:
        PublishFailed: the snapshot is not whole or not in the catalog, or the query failed.
    """
    name = snapshots_table(settings.table, settings.catalog_prefix)
    view_name = view(settings.table, settings.catalog_prefix)
    table = get_table(clients.glue, settings.database, name)
    if table is not None:
        check_owner(table, settings)
    manifest = read_manifest(clients.s3, settings)
    prefix = snapshot_prefix(settings.table, settings.format, settings.timestamp)
    check_files(manifest, list_objects(clients.s3, settings.bucket, prefix))
    if manifest["items"]:
        check_partition(clients.glue, settings)
    elif table is None:
        log("the table is empty and was always: there is nothing to show yet, and no view")
        return None
    shown = shown_by(get_table(clients.glue, settings.database, view_name))
    if shown is not None and shown > settings.timestamp:
        # Nor are the columns touched: those that the newer snapshot added are selected by it.
        log(f"{settings.database}.{view_name} shows {shown}, which is newer: left as it is")
        return shown
    former, wanted = plan_catalog(clients, settings, table, manifest)
    sql = view_sql(settings.database, view_name, name, shown_columns(manifest), settings.timestamp)
    try:
        write_catalog(clients.glue, settings, name, wanted)
        run_query(clients.athena, sql, settings, sleep)
    except BaseException:
        restore_catalog(clients, settings, former)
        raise
    log(
        f"{settings.database}.{view_name} shows {settings.timestamp} with {manifest['items']:,} "
        f"items (before: {shown or 'nothing'})"
    )
    return settings.timestamp


# --- retention ------------------------------------------------------------------------------------
def expired(timestamps: Iterable[str], keep: Iterable[str], now: datetime, days: int) -> list[str]:
    """The snapshots older than so many days, oldest first, without those to keep.

    Whatever is no timestamp of this project is left alone.
    """
    before = now - timedelta(days=days)
    moments = {timestamp: moment_of(timestamp) for timestamp in set(timestamps) - set(keep)}
    return sorted(each for each, moment in moments.items() if moment and moment < before)


def known_snapshots(s3: S3Client, settings: Settings, marks: Iterable[str]) -> set[str]:
    """The timestamps of all snapshots: by manifest or claim, which are the marks, or directory."""
    manifests = manifest_prefix(settings.table, settings.format)
    data = f"{data_prefix(settings.table, settings.format)}{PARTITION_KEY}="
    directories = list_directories(s3, settings.bucket, data)
    marked = (key[len(manifests) :] for key in marks if key.endswith((".json", ".claim")))
    return {name.rpartition(".")[0] for name in marked} | {
        directory[len(data) : -1] for directory in directories
    }


def is_ours(s3: S3Client, settings: Settings, timestamp: str, marks: Container[str]) -> bool:
    """Whether dynoexport has written the snapshot: a run has claimed it, or it has our manifest.

    Other folders have the same names: those of the Step Functions design, or one that somebody
    has renamed. ``marks`` are the keys of all manifests and claims.
    """
    table, fmt = settings.table, settings.format
    if claim_key(table, fmt, timestamp) in marks:
        return True
    key = manifest_key(table, fmt, timestamp)
    if key not in marks:
        return False
    try:
        found = json.loads(s3.get_object(Bucket=settings.bucket, Key=key)["Body"].read().decode())
    except (ValueError, RecursionError):
        return False
    identity = {"table": table, "format": fmt, "snapshot_timestamp": timestamp}
    return isinstance(found, dict) and all(found.get(name) == identity[name] for name in identity)


def drop_partition(glue: GlueClient, settings: Settings, timestamp: str) -> None:
    name = snapshots_table(settings.table, settings.catalog_prefix)
    try:
        glue.delete_partition(
            DatabaseName=settings.database, TableName=name, PartitionValues=[timestamp]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise


def drop_snapshot(clients: Clients, settings: Settings, timestamp: str) -> None:
    """Delete manifest, partition, files and claim.

    The manifest first: from then on the snapshot is incomplete, whatever happens next. The claim
    last: as long as it is there, the next run finds the snapshot and goes on.
    """
    table, fmt = settings.table, settings.format
    delete(clients.s3, settings.bucket, [manifest_key(table, fmt, timestamp)])
    drop_partition(clients.glue, settings, timestamp)
    prefix = snapshot_prefix(table, fmt, timestamp)
    keys = list(list_objects(clients.s3, settings.bucket, prefix))
    # EMRFS, s3:// of Glue up to 5.0, marks a directory by an object beside it.
    delete(clients.s3, settings.bucket, [*keys, prefix.rstrip("/") + "_$folder$"])
    delete(clients.s3, settings.bucket, [claim_key(table, fmt, timestamp)])
    log(f"deleted the expired snapshot {timestamp}: {len(keys):,} objects")


def apply_retention(clients: Clients, settings: Settings, shown: str | None, now: datetime) -> None:
    """Delete what has expired: whole snapshots and what failed runs have left."""
    if not settings.retention_days:
        log("no snapshot expires")
        return
    keep = {settings.timestamp, shown or settings.timestamp}
    prefix = manifest_prefix(settings.table, settings.format)
    marks = list_objects(clients.s3, settings.bucket, prefix)
    known = known_snapshots(clients.s3, settings, marks)
    for timestamp in expired(known, keep, now, settings.retention_days):
        if is_ours(clients.s3, settings, timestamp, marks):
            drop_snapshot(clients, settings, timestamp)
        else:
            log(f"kept the snapshot {timestamp}: dynoexport has not written it")
    log(f"every snapshot older than {settings.retention_days} days is gone, but for the one shown")


def count_snapshot(cloudwatch: CloudWatchClient, settings: Settings) -> None:
    """Count the snapshot, of which the alarm expects one from time to time.

    It is there whether it is counted or not, so that this fails no run: the log tells why, and
    the alarm goes off.
    """
    dimensions = {"Table": settings.table, "Format": settings.format}
    told = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    try:
        cloudwatch.put_metric_data(
            Namespace=METRIC_NAMESPACE,
            MetricData=[{"MetricName": METRIC_SNAPSHOTS, "Dimensions": told, "Value": 1}],
        )
    except (BotoCoreError, ClientError) as error:
        log(f"CloudWatch does not count this snapshot: {error}")


# --- a whole run ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Clients:
    """The doors to AWS."""

    athena: AthenaClient
    glue: GlueClient
    s3: S3Client
    cloudwatch: CloudWatchClient


def run(
    argv: Sequence[str],
    clients: Clients,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> None:
    """Publish the run's snapshot, then apply the retention.

    Raises:
        PublishFailed: what is wrong and can be mended, in one line.
    """
    arguments = parse_arguments(argv)
    properties = run_properties(clients.glue, arguments)
    settings = settings_of(merge(arguments, properties), snapshot_of_run(properties))
    log(f"publishing snapshot {settings.timestamp} of {settings.table} as {settings.format}")
    shown = publish(clients, settings, sleep)
    count_snapshot(clients.cloudwatch, settings)
    apply_retention(clients, settings, shown, now())


def main(argv: Sequence[str]) -> None:
    import boto3

    plain = (boto3.client(service) for service in ("athena", "glue", "s3"))
    clients = Clients(*plain, boto3.client("cloudwatch", config=METRIC_CONFIG))
    try:
        run(argv, clients, now=lambda: datetime.now(timezone.utc), sleep=time.sleep)
    except (PublishFailed, ClientError, BotoCoreError) as error:
        log(f"failed: {error}")
        # The message says it all; a traceback would push it out of sight.
        sys.tracebacklimit = 0
        raise


if __name__ == "__main__":
    main(sys.argv[1:])

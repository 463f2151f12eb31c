"""Copy a DynamoDB table to S3 as one complete snapshot. Runs as a Glue Spark job of a workflow.

What a run does, in this order:

1. Settings: the job's arguments, overridden by the workflow run's properties of the same name.
2. Snapshot: the UTC minute that names it is chosen once and kept in the run's properties
   (SnapshotTimestamp), so that a retry of this job writes the same snapshot again.
3. Read: the table is scanned once, by Glue's DynamoDB source, into temporary JSON files.
4. Write: s3://<bucket>/<format>/<table>/snapshot_timestamp=<YYYY-MM-DDTHH:MM>/; then the rows in
   the files are counted and compared with the items that were read.
5. Manifest: manifests/<format>/<table>/<timestamp>.json is written last. A snapshot without a
   manifest is not complete and is never published. The run's properties then tell items and bytes.

One file on its own, valid from Python 3.7 (Glue 2.0, Spark 2.4) to 3.13 (Glue 6.0, Spark 4.1).
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from awsglue.context import GlueContext
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructField

# Arguments of the deployed job; Glue adds its own, of which the second list is used.
JOB_ARGUMENTS = (
    "TableName",
    "OutputFormat",
    "BucketName",
    "DatabaseName",
    "CatalogPrefix",
    "ScriptsVersion",
    "MaxConsumedReadThroughput",
    "Splits",
    "WorkerType",
    "NumberOfWorkers",
    "GlueVersion",
)
GLUE_ARGUMENTS = ("JOB_NAME", "JOB_RUN_ID", "WORKFLOW_NAME", "WORKFLOW_RUN_ID")
IDENTITY = ("TableName", "OutputFormat")
OVERRIDABLE = ("MaxConsumedReadThroughput", "Splits")
SNAPSHOT_TIMESTAMP = "SnapshotTimestamp"
SNAPSHOT_ITEMS, SNAPSHOT_BYTES = "SnapshotItems", "SnapshotBytes"

FORMATS = ("avro", "csv", "json", "orc", "parquet", "xml")
# Written line by line: Spark's csv writer cannot quote a backslash, its xml writer came with 4.0.
TEXT_FORMATS = ("csv", "xml")
PARTITION_KEY = "snapshot_timestamp"
TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M"

# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html
SPLITS_MAX = 1_000_000
READ_PERCENT_MIN, READ_PERCENT_MAX = 0.1, 1.5
ON_DEMAND_UNITS = 40_000

# Task slots of an executor: see splits_for.
SLOTS_OF_GLUE_2 = {"G.1X": 8, "G.2X": 16}
SLOTS = {"G.1X": 4, "G.2X": 8, "G.4X": 16, "G.8X": 32}

PART_BYTES = 128 * 1024 * 1024
# Bytes of a format for each byte of the temporary JSON lines, measured on 200,000 orders of ten
# values and a nested list. Nothing but the size of the part files depends on them.
BYTES_PER_JSON_BYTE = {
    "avro": 0.6,
    "csv": 0.85,
    "json": 1.0,
    "orc": 0.4,
    "parquet": 0.45,
    "xml": 1.2,
}


class ExportFailed(Exception):
    """Something the owner of the export can mend, told in one line.

    Raised and not exited with: of an exception Glue shows the message as the run's error, of
    sys.exit only "Command failed with exit code"
    (https://github.com/awslabs/aws-glue-libs/issues/221).
    """


# --- what happens, for CloudWatch -----------------------------------------------------------------
def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def log(message: str) -> None:
    # Flushed, so that CloudWatch shows the line when it happens and not when the job ends.
    print(f"{iso(datetime.now(timezone.utc))}  {message}", flush=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    log(f"{what} in {time.monotonic() - began:.1f} s")


# --- settings -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Settings:
    """What this run is to do; ``splits`` 0 means computed."""

    table: str
    format: str
    bucket: str
    database: str
    catalog_prefix: str
    scripts_version: str
    read_percent: float
    splits: int
    worker_type: str
    number_of_workers: int
    glue_version: str
    job_name: str
    job_run_id: str
    workflow_name: str
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
    known, _ = parser.parse_known_args(list(argv))
    return vars(known)


def run_properties(glue: GlueClient, arguments: Mapping[str, str]) -> dict[str, str]:
    """The properties of the workflow run that started this job.

    Raises:
        ExportFailed: it was not started by a workflow run.
    """
    if not arguments["WORKFLOW_RUN_ID"]:
        raise ExportFailed("this job runs inside its workflow only: start a run of the workflow")
    name, run_id = arguments["WORKFLOW_NAME"], arguments["WORKFLOW_RUN_ID"]
    return glue.get_workflow_run_properties(Name=name, RunId=run_id)["RunProperties"]


def merge(arguments: Mapping[str, str], properties: Mapping[str, str]) -> dict[str, str]:
    """The arguments with what this run overrides.

    Raises:
        ExportFailed: the run names another table or format than this job was deployed for.
    """
    for name in IDENTITY:
        if properties.get(name, arguments[name]) != arguments[name]:
            raise ExportFailed(
                f"the run property {name} is {properties[name]!r}, but this job exports "
                f"{arguments[name]!r}: start the workflow of that export instead"
            )
    return {**arguments, **{name: properties[name] for name in OVERRIDABLE if name in properties}}


def number(values: Mapping[str, str], name: str, low: float, high: float, kind: type) -> float:
    """The setting as a number of the kind, from ``low`` to ``high``.

    Raises:
        ExportFailed: it is none; the message names the setting, its value and what is allowed.
    """
    try:
        value = kind(values[name])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        what = "a whole number" if kind is int else "a number"
        raise ExportFailed(f"{name} is {values[name]!r}, allowed is {what} from {low} to {high}")
    return value


def settings_of(values: Mapping[str, str]) -> Settings:
    """Typed settings.

    Raises:
        ExportFailed: one of them is not allowed.
    """
    fmt = values["OutputFormat"]
    if fmt not in FORMATS:
        raise ExportFailed(f"OutputFormat is {fmt!r}, allowed are {', '.join(FORMATS)}")
    return Settings(
        table=values["TableName"],
        format=fmt,
        bucket=values["BucketName"],
        database=values["DatabaseName"],
        catalog_prefix=values["CatalogPrefix"],
        scripts_version=values["ScriptsVersion"],
        read_percent=number(
            values, "MaxConsumedReadThroughput", READ_PERCENT_MIN, READ_PERCENT_MAX, float
        ),
        splits=int(number(values, "Splits", 0, SPLITS_MAX, int)),
        worker_type=values["WorkerType"],
        number_of_workers=int(number(values, "NumberOfWorkers", 2, SPLITS_MAX, int)),
        glue_version=values["GlueVersion"],
        job_name=values["JOB_NAME"],
        job_run_id=values["JOB_RUN_ID"],
        workflow_name=values["WORKFLOW_NAME"],
        workflow_run_id=values["WORKFLOW_RUN_ID"],
    )


# --- names and keys, as in dynoexport.naming: this file runs alone inside Glue --------------------
def fold(table: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", table.lower())


def snapshots_table(table: str, prefix: str = "") -> str:
    return f"{prefix}snapshots_{fold(table)}"


def data_prefix(table: str, fmt: str) -> str:
    return f"{fmt}/{table}/"


def snapshot_prefix(table: str, fmt: str, timestamp: str) -> str:
    return f"{data_prefix(table, fmt)}{PARTITION_KEY}={timestamp}/"


def manifest_key(table: str, fmt: str, timestamp: str) -> str:
    return f"manifests/{fmt}/{table}/{timestamp}.json"


def temp_prefix(table: str, fmt: str) -> str:
    return f"glue-temp-dir/{fmt}/{table}/"


@dataclass(frozen=True)
class Places:
    """Where one run writes: a bucket, and keys in it."""

    bucket: str
    temp: str
    snapshot: str
    manifest: str

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


def places_of(settings: Settings, timestamp: str) -> Places:
    table, fmt = settings.table, settings.format
    return Places(
        bucket=settings.bucket,
        temp=f"{temp_prefix(table, fmt)}{settings.workflow_run_id}/",
        snapshot=snapshot_prefix(table, fmt, timestamp),
        manifest=manifest_key(table, fmt, timestamp),
    )


# --- objects in S3 --------------------------------------------------------------------------------
def list_objects(s3: S3Client, bucket: str, prefix: str) -> dict[str, int]:
    """All objects under the prefix, their bytes by key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", [])}


def exists(s3: S3Client, bucket: str, prefix: str) -> bool:
    return s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"] > 0


def delete(s3: S3Client, bucket: str, keys: Sequence[str]) -> None:
    """Delete the objects; DeleteObjects takes 1,000 keys a call and reports errors by key.

    Raises:
        ExportFailed: one of them cannot be deleted.
    """
    for start in range(0, len(keys), 1000):
        chunk = [{"Key": key} for key in keys[start : start + 1000]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": chunk, "Quiet": True})
        for error in answer.get("Errors", []):
            raise ExportFailed(f"cannot delete s3://{bucket}/{error['Key']}: {error['Message']}")


def directory_marker(prefix: str) -> str:
    """The object beside a prefix by which EMRFS, s3:// of Glue up to 5.1, marks a directory."""
    return prefix.rstrip("/") + "_$folder$"


def clear(s3: S3Client, bucket: str, prefix: str) -> int:
    """Delete everything under the prefix; how many objects there were."""
    keys = list(list_objects(s3, bucket, prefix))
    delete(s3, bucket, [*keys, directory_marker(prefix)])
    return len(keys)


def clear_if_possible(s3: S3Client, bucket: str, prefix: str) -> None:
    """Clear on the way out, without hiding why: what stays is cleared by a retry or expires."""
    try:
        clear(s3, bucket, prefix)
    except (ClientError, ExportFailed) as error:
        log(f"left behind: s3://{bucket}/{prefix} ({error})")


def keep_part_files(s3: S3Client, bucket: str, prefix: str) -> dict[str, int]:
    """Delete what is no data under the prefix; the bytes by key of what is.

    Spark writes a file for its first partition even if that has no rows, and a committer may
    leave _SUCCESS, _temporary or the empty marker of a directory.
    """
    found = list_objects(s3, bucket, prefix)
    hidden = re.compile(r"(^|/)[_.]")
    waste = [key for key in found if not found[key] or hidden.search(key[len(prefix) :])]
    delete(s3, bucket, [*waste, directory_marker(prefix)])
    return {key: found[key] for key in sorted(set(found) - set(waste))}


def read_manifest(s3: S3Client, places: Places) -> dict[str, Any] | None:
    """The manifest, None if there is none."""
    try:
        answer = s3.get_object(Bucket=places.bucket, Key=places.manifest)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return json.loads(answer["Body"].read().decode())


def put_manifest(s3: S3Client, places: Places, manifest: Mapping[str, Any]) -> None:
    """Mark the snapshot complete.

    Raises:
        ExportFailed: another run has completed a snapshot of that minute meanwhile.
    """
    other = read_manifest(s3, places)
    if other is not None and other["workflow_run_id"] != manifest["workflow_run_id"]:
        raise ExportFailed(
            f"the snapshot {manifest['snapshot_timestamp']} was completed by another workflow run, "
            f"{other['workflow_run_id']}: start a new run"
        )
    s3.put_object(
        Bucket=places.bucket,
        Key=places.manifest,
        Body=json.dumps(manifest, indent=2).encode(),
        ContentType="application/json",
    )


# --- which snapshot -------------------------------------------------------------------------------
def free_minute(now: datetime, is_taken: Callable[[str], bool]) -> str:
    """The first minute from now on that names no snapshot yet."""
    minute = now
    while is_taken(minute.strftime(TIMESTAMP_FORMAT)):
        minute += timedelta(minutes=1)
    return minute.strftime(TIMESTAMP_FORMAT)


def is_timestamp(text: str) -> bool:
    try:
        moment = datetime.strptime(text, TIMESTAMP_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return False
    # strptime takes "2026-1-1T1:1" too, which would sort and read as another snapshot.
    return moment.strftime(TIMESTAMP_FORMAT) == text


def claim_timestamp(
    settings: Settings, properties: Mapping[str, str], clients: Clients, now: datetime
) -> str:
    """The snapshot's minute: a former attempt's, else the next that is free, noted in the run.

    A resumed workflow run is a new run
    (https://docs.aws.amazon.com/glue/latest/dg/resuming-workflow.html): a minute whose manifest
    another run has written is left to that run.

    Raises:
        ExportFailed: the run's property was edited to something that is no minute.
    """

    def is_taken(timestamp: str) -> bool:
        places = places_of(settings, timestamp)
        prefixes = (places.snapshot, places.manifest)
        return any(exists(clients.s3, places.bucket, prefix) for prefix in prefixes)

    held = properties.get(SNAPSHOT_TIMESTAMP)
    if held:
        if not is_timestamp(held):
            raise ExportFailed(
                f"the run property {SNAPSHOT_TIMESTAMP} is {held!r}, allowed is a UTC minute such "
                "as 2026-01-31T10:00"
            )
        manifest = read_manifest(clients.s3, places_of(settings, held))
        if manifest is None or manifest["workflow_run_id"] == settings.workflow_run_id:
            return held
    timestamp = free_minute(now, is_taken)
    clients.glue.put_workflow_run_properties(
        Name=settings.workflow_name,
        RunId=settings.workflow_run_id,
        RunProperties={SNAPSHOT_TIMESTAMP: timestamp},
    )
    return timestamp


def completed_before(s3: S3Client, places: Places) -> dict[str, Any] | None:
    """The manifest, if a former attempt of this run has finished the snapshot; else it is cleared.

    The files are compared with the manifest: whatever became of them, a retry mends it.
    """
    manifest = read_manifest(s3, places)
    if manifest is not None:
        files = {file["key"]: file["bytes"] for file in manifest["files"]}
        if files == list_objects(s3, places.bucket, places.snapshot):
            return manifest
        delete(s3, places.bucket, [places.manifest])
    cleared = clear(s3, places.bucket, places.snapshot)
    if cleared:
        log(f"cleared {cleared:,} objects that a failed attempt had left")
    return None


def tell_run(glue: GlueClient, settings: Settings, manifest: Mapping[str, Any]) -> None:
    """Note in the run what it has exported, for whoever lists runs without reading manifests."""
    told = {SNAPSHOT_ITEMS: str(manifest["items"]), SNAPSHOT_BYTES: str(manifest["bytes"])}
    glue.put_workflow_run_properties(
        Name=settings.workflow_name, RunId=settings.workflow_run_id, RunProperties=told
    )


# --- checks before anything is read ---------------------------------------------------------------
def check_table(dynamodb: DynamoDBClient, settings: Settings) -> None:
    """See that the table is there, and say what the read percentage is a part of.

    Raises:
        ExportFailed: there is no such table.
    """
    try:
        table = dynamodb.describe_table(TableName=settings.table)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            region = dynamodb.meta.region_name
            message = f"there is no DynamoDB table {settings.table!r} in {region}"
            raise ExportFailed(message) from None
        raise
    provisioned = table.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0)
    units = f"{provisioned:,} provisioned" if provisioned else f"{ON_DEMAND_UNITS:,} (on demand)"
    log(
        f"the table has about {table.get('ItemCount', 0):,} items and "
        f"{table.get('TableSizeBytes', 0):,} bytes; it is read with {settings.read_percent:g} of "
        f"{units} read units a second"
    )


def check_owner(glue: GlueClient, settings: Settings) -> None:
    """See that the catalog table, if there is one, is that of this export.

    Raises:
        ExportFailed: another table or format was exported under the same catalog name.
    """
    name = snapshots_table(settings.table, settings.catalog_prefix)
    try:
        table = glue.get_table(DatabaseName=settings.database, Name=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return
        raise
    location = table.get("StorageDescriptor", {}).get("Location", "")
    own = f"s3://{settings.bucket}/{data_prefix(settings.table, settings.format)}"
    if location.rstrip("/") != own.rstrip("/"):
        raise ExportFailed(
            f"the catalog table {settings.database}.{name} belongs to {location!r}, not to {own}: "
            "deploy this export with a CatalogPrefix"
        )


# --- read -----------------------------------------------------------------------------------------
def splits_for(worker_type: str, number_of_workers: int, glue_version: str) -> int:
    """How many parts the table is read in: executors x task slots of each, at most 1,000,000.

    One of the workers is the driver, the others are executors. Slots of an executor:

        Glue 2.0         G.1X 8, G.2X 16
        Glue 3.0 and on  G.1X 4, G.2X 8, G.4X 16, G.8X 32

    Source: "dynamodb.splits" in
    https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html
    (for Glue 2.0 its edition of 2021). Glue's own default is 1, a read without parallelism.

    Raises:
        ExportFailed: AWS publishes no slots for the worker type.
    """
    slots = SLOTS_OF_GLUE_2 if glue_version == "2.0" else SLOTS
    if worker_type not in slots:
        raise ExportFailed(
            f"Splits cannot be computed: the task slots of WorkerType {worker_type!r} on Glue "
            f"{glue_version} are not published; set Splits, for example to 4 for each vCPU"
        )
    return max(1, min((number_of_workers - 1) * slots[worker_type], SPLITS_MAX))


def job_run(glue: GlueClient, settings: Settings) -> dict[str, Any]:
    """What this run of the job really has: WorkerType, NumberOfWorkers, GlueVersion.

    Asked for, because whoever edits the job in the console changes its workers, but not the
    arguments its stack has given it. Without the permission the arguments are believed.
    """
    told = {
        "WorkerType": settings.worker_type,
        "NumberOfWorkers": settings.number_of_workers,
        "GlueVersion": settings.glue_version,
    }
    try:
        run = glue.get_job_run(JobName=settings.job_name, RunId=settings.job_run_id)["JobRun"]
    except ClientError as error:
        log(f"taking the workers from the job's arguments: {error}")
        return told
    return {name: run.get(name) or told[name] for name in told}


def read_table(glue_context: GlueContext, settings: Settings, splits: int, path: str) -> None:
    """Scan the table, once, into JSON lines under ``path``.

    The DynamicFrame is written as it comes. toDF() would scan the table a second time to learn
    its schema and double the bill (https://github.com/awslabs/amazon-dynamodb-tools/issues/81);
    the JSON writer needs no schema.

    Raises:
        ExportFailed: the job's role may not scan the table, or it is gone.
    """
    try:
        frame = glue_context.create_dynamic_frame.from_options(
            connection_type="dynamodb",
            connection_options={
                "dynamodb.input.tableName": settings.table,
                "dynamodb.splits": str(splits),
                "dynamodb.throughput.read.percent": str(settings.read_percent),
            },
        )
        glue_context.write_dynamic_frame.from_options(
            frame=frame, connection_type="s3", connection_options={"path": path}, format="json"
        )
    except Exception as error:
        # Spark wraps what an executor met in a page of Java; the cause is one word in it.
        cause = re.search(r"AccessDenied\w*|ResourceNotFound\w*", str(error))
        if cause is None:
            raise
        message = f"cannot scan the DynamoDB table {settings.table!r}: {cause.group()}"
        raise ExportFailed(message) from None


def read_items(spark: SparkSession, path: str) -> DataFrame:
    """The items in the JSON lines under ``path``, a column for each attribute."""
    # "Rating" and "rating" are two attributes.
    spark.conf.set("spark.sql.caseSensitive", "true")
    return spark.read.json(path, mode="FAILFAST")


# --- columns --------------------------------------------------------------------------------------
# Glue's catalog takes 255 bytes (https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html);
# the rest is room for the number behind a name that collides.
COLUMN_NAME_MAX = 240


def fold_column(attribute: str) -> str:
    """The attribute's name as Athena and every format can hold it.

    Lower case, as Athena folds it; Avro allows letters, digits and "_", and no digit first.

    >>> fold_column("2nd Author.Name")
    '_2nd_author_name'
    """
    name = re.sub(r"[^a-z0-9_]", "_", attribute.lower())[:COLUMN_NAME_MAX]
    return name if re.match(r"[a-z_]", name) else f"_{name}"


def column_names(attributes: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Columns by attribute; of names that collide, the one that needs no folding is kept.

    The others get a number in the order of their names, whatever order they come in.

    >>> sorted(column_names(["Rating", "rating", "RATING"]).items())
    [('RATING', 'rating_2'), ('Rating', 'rating_3'), ('rating', 'rating')]
    """
    names: dict[str, str] = {}
    taken = set(reserved)
    for attribute in sorted(attributes, key=lambda each: (fold_column(each) != each, each)):
        folded = fold_column(attribute)
        name, count = folded, 1
        while name in taken:
            count += 1
            name = f"{folded}_{count}"
        taken.add(name)
        names[attribute] = name
    return names


def folded_type(kind: DataType) -> DataType:
    """The Spark type with the names of all nested fields folded."""
    from pyspark.sql.types import ArrayType, MapType, StructField, StructType

    if isinstance(kind, StructType):
        names = column_names(kind.names)
        return StructType(
            [
                StructField(names[field.name], folded_type(field.dataType), field.nullable)
                for field in kind.fields
            ]
        )
    if isinstance(kind, ArrayType):
        return ArrayType(folded_type(kind.elementType), kind.containsNull)
    if isinstance(kind, MapType):
        return MapType(kind.keyType, folded_type(kind.valueType), kind.valueContainsNull)
    return kind


def with_columns_named(items: DataFrame) -> DataFrame:
    """The items under the columns' names; the partition's name stays free."""
    names = column_names(items.columns, reserved=[PARTITION_KEY])
    # By position: an attribute's name may hold anything, dots and backticks too.
    return items.toDF(*[names[attribute] for attribute in items.columns])


def with_fields_named(rows: DataFrame) -> DataFrame:
    """The rows with the names of nested fields folded; a cast of a struct goes by position."""
    from pyspark.sql import functions as F  # noqa: N812 - its usual name

    fields = rows.schema.fields
    casts = [F.col(field.name).cast(folded_type(field.dataType)) for field in fields]
    return rows.select(casts).toDF(*rows.columns)


def as_text(rows: DataFrame) -> DataFrame:
    """Every value as text: nested ones as JSON with the attributes' own names, binary as base64."""
    from pyspark.sql import functions as F  # noqa: N812 - its usual name
    from pyspark.sql.types import ArrayType, BinaryType, MapType, StructType

    def text(field: StructField) -> Column:
        column = F.col(field.name)
        if isinstance(field.dataType, (ArrayType, MapType, StructType)):
            column = F.to_json(column)
        elif isinstance(field.dataType, BinaryType):
            column = F.base64(column)
        else:
            column = column.cast("string")
        return column.alias(field.name)

    return rows.select([text(field) for field in rows.schema.fields])


# --- csv and xml, line by line --------------------------------------------------------------------
CSV_QUOTED = re.compile(r'^$|^\s|\s$|[,"\\]')
XML_CANNOT_HOLD = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]"
XML_CANNOT_HOLD_RE = re.compile(XML_CANNOT_HOLD)
# As references, line breaks keep an item on one line and survive the parser's normalizing.
XML_REFERENCES = {"\r": "&#13;", "\n": "&#10;"}


def csv_value(value: str | None) -> str:
    r"""A value so that Athena's csv SerDe gives it back; null is nothing, the empty text is "".

    OpenCSVSerDe reads line by line, un-escapes a doubled backslash inside quotes only, and drops
    a single one (https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html). So a backslash is
    doubled and the value quoted, and a line break becomes the two characters \n.
    """
    if value is None:
        return ""
    value = value.replace("\\", "\\\\").replace("\n", "\\\\n").replace("\r", "\\\\r")
    if CSV_QUOTED.search(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_line(values: Iterable[str | None]) -> str:
    return ",".join(map(csv_value, values))


def xml_item(names: Sequence[str], values: Iterable[str | None]) -> str:
    """One item on one line; an attribute that the item lacks has no element."""
    held = [
        (name, escape(XML_CANNOT_HOLD_RE.sub("\ufffd", value), XML_REFERENCES))
        for name, value in zip(names, values)
        if value is not None
    ]
    return f"<item>{''.join(f'<{name}>{text}</{name}>' for name, text in held)}</item>"


def framed(
    rows: Iterable[Any], line: Callable[[Any], str], first: Sequence[str], last: Sequence[str]
) -> Iterator[str]:
    """The lines of one part file; none for a partition without rows."""
    started = False
    for row in rows:
        if not started:
            yield from first
            started = True
        yield line(row)
    if started:
        yield from last


def text_lines(spark: SparkSession, texts: DataFrame, fmt: str) -> DataFrame:
    """The lines of csv or xml files, each partition a document of its own."""
    names = texts.columns
    if fmt == "csv":
        document = partial(framed, line=csv_line, first=[csv_line(names)], last=[])
    else:
        first = ['<?xml version="1.0" encoding="UTF-8"?>', "<items>"]
        line = partial(xml_item, names)
        document = partial(framed, line=line, first=first, last=["</items>"])
    return spark.createDataFrame(texts.rdd.mapPartitions(document), "string")


def count_replaced(texts: DataFrame) -> int:
    """How many characters XML cannot hold."""
    from pyspark.sql import functions as F  # noqa: N812 - its usual name

    counts = [
        F.sum(F.length(name) - F.length(F.regexp_replace(name, XML_CANNOT_HOLD, "")))
        for name in texts.columns
    ]
    return sum(count or 0 for count in texts.agg(*counts).first())


# --- write ----------------------------------------------------------------------------------------
def files_for(json_bytes: int, fmt: str) -> int:
    """How many part files of about 128 MB so many bytes of JSON lines become in the format."""
    return max(1, math.ceil(json_bytes * BYTES_PER_JSON_BYTE[fmt] / PART_BYTES))


def write_files(glue_context: GlueContext, rows: DataFrame, fmt: str, path: str) -> None:
    """Write the rows, one file a partition.

    The directory's name holds a colon, and Hadoop takes "a:b" for a relative URI wherever it
    lists the parent, globs or overwrites (HADOOP-14217). "append" does none of it; the directory
    is empty.
    """
    if fmt == "avro":
        # Not plain Spark: Glue does not promise the spark-avro package.
        from awsglue.dynamicframe import DynamicFrame

        frame = DynamicFrame.fromDF(rows, glue_context, "items")
        glue_context.write_dynamic_frame.from_options(
            frame=frame, connection_type="s3", connection_options={"path": path}, format="avro"
        )
        return
    no_marker = ("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    writer = rows.write.mode("append").option(*no_marker)
    if fmt in {"orc", "parquet"}:
        # Spark's default for ORC became zstd in 4.0; the same files on every Glue version.
        writer = writer.option("compression", "snappy")
    writer.format("text" if fmt in TEXT_FORMATS else fmt).save(path)


# --- count what was written -----------------------------------------------------------------------
def avro_long(read: Callable[[int], bytes]) -> int | None:
    """The next number, zig-zag coded in groups of seven bits; None at the end of the file."""
    goes_on = 0x80
    value = shift = 0
    byte = read(1)
    while byte and byte[0] & goes_on:
        value |= (byte[0] - goes_on) << shift
        shift += 7
        byte = read(1)
    if not byte:
        return None
    value |= byte[0] << shift
    return (value >> 1) ^ -(value & 1)


def avro_rows(read: Callable[[int], bytes]) -> int:
    """How many records an Avro container file has, from the headers of its blocks.

    https://avro.apache.org/docs/current/specification/#object-container-files
    """
    magic, sync = 4, 16
    read(magic)
    for pairs in iter(partial(avro_long, read), 0):
        if pairs < 0:
            avro_long(read)  # the size in bytes of these pairs
        for _ in range(2 * abs(pairs)):
            read(avro_long(read))
    read(sync)
    rows = 0
    for count in iter(partial(avro_long, read), None):
        rows += count
        read(avro_long(read) + sync)
    return rows


def avro_rows_of(key: str, bucket: str, region: str) -> int:
    # On an executor, where no client can be sent.
    import boto3

    body = boto3.client("s3", region_name=region).get_object(Bucket=bucket, Key=key)["Body"]
    return avro_rows(body.read)


def count_rows(
    spark: SparkSession, s3: S3Client, fmt: str, places: Places, keys: Sequence[str]
) -> int:
    """The rows in the files of the snapshot, read back from S3."""
    from pyspark.sql import functions as F  # noqa: N812 - its usual name

    path = places.uri(places.snapshot)
    if fmt == "avro":
        count = partial(avro_rows_of, bucket=places.bucket, region=s3.meta.region_name)
        return spark.sparkContext.parallelize(keys, len(keys)).map(count).sum()
    if fmt in {"orc", "parquet"}:
        return spark.read.format(fmt).load(path).count()
    lines = spark.read.text(path)
    if fmt == "xml":
        return lines.where(F.col("value").startswith("<item>")).count()
    headers = len(keys) if fmt == "csv" else 0
    return lines.count() - headers


# --- a whole run ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Clients:
    """The doors to AWS beside Spark."""

    dynamodb: DynamoDBClient
    glue: GlueClient
    s3: S3Client


@dataclass(frozen=True)
class Written:
    """What a snapshot holds; of an empty table nothing."""

    items: int = 0
    files: tuple[tuple[str, int], ...] = ()
    schema: tuple[dict[str, str], ...] = ()
    replaced_characters: int = 0


def schema_of(attributes: Sequence[str], rows: DataFrame) -> tuple[dict[str, str], ...]:
    """The columns for the manifest: name, Spark type, and the attribute behind it."""
    return tuple(
        {"name": field.name, "type": field.dataType.simpleString(), "attribute": attribute}
        for attribute, field in zip(attributes, rows.schema.fields)
    )


def write_snapshot(glue_context: GlueContext, fmt: str, s3: S3Client, places: Places) -> Written:
    """Turn the temporary JSON lines into the files of the snapshot.

    Raises:
        ExportFailed: the files do not hold as many rows as items were read.
    """
    spark = glue_context.spark_session
    json_bytes = sum(list_objects(s3, places.bucket, places.temp).values())
    if not json_bytes:
        return Written()
    read = spark.read.text(places.uri(places.temp)).count()
    log(f"{read:,} items, {json_bytes:,} bytes of JSON")
    items = read_items(spark, places.uri(places.temp))
    named = with_columns_named(items)
    typed = with_fields_named(named)
    rows = as_text(named) if fmt in TEXT_FORMATS else typed
    # coalesce, not repartition: Spark reads the JSON in even parts of at most 128 MB, so that
    # joining them makes even files without sending every row over the network.
    rows = rows.coalesce(files_for(json_bytes, fmt))
    with timed("wrote the files"):
        out = text_lines(spark, rows, fmt) if fmt in TEXT_FORMATS else rows
        write_files(glue_context, out, fmt, places.uri(places.snapshot))
    files = keep_part_files(s3, places.bucket, places.snapshot)
    written = count_rows(spark, s3, fmt, places, list(files))
    if written != read:
        raise ExportFailed(f"{read:,} items were read, but {written:,} were written")
    replaced = count_replaced(rows) if fmt == "xml" else 0
    if replaced:
        log(f"replaced {replaced:,} characters that XML cannot hold")
    return Written(written, tuple(files.items()), schema_of(items.columns, typed), replaced)


def manifest_of(
    settings: Settings, timestamp: str, written: Written, splits: int, glue_version: str
) -> dict[str, Any]:
    """What marks the snapshot complete, but for its times."""
    return {
        "version": 1,
        "table": settings.table,
        "format": settings.format,
        "snapshot_timestamp": timestamp,
        "items": written.items,
        "bytes": sum(size for _, size in written.files),
        "files": [{"key": key, "bytes": size} for key, size in written.files],
        "schema": list(written.schema),
        "replaced_characters": written.replaced_characters,
        "read": {"reader": "connector", "splits": splits, "read_percent": settings.read_percent},
        "workflow_name": settings.workflow_name,
        "workflow_run_id": settings.workflow_run_id,
        "job_run_id": settings.job_run_id,
        "scripts_version": settings.scripts_version,
        "glue_version": glue_version,
    }


def read_and_write(
    settings: Settings,
    clients: Clients,
    start_glue: Callable[[], GlueContext],
    places: Places,
    splits: int,
) -> Written:
    """From the table to the files; a failure leaves none.

    Otherwise the next run's crawler would take half a snapshot for a partition.
    """
    try:
        glue_context = start_glue()
        with timed(f"read the table in {splits:,} splits"):
            read_table(glue_context, settings, splits, places.uri(places.temp))
        return write_snapshot(glue_context, settings.format, clients.s3, places)
    except BaseException:
        clear_if_possible(clients.s3, places.bucket, places.snapshot)
        raise
    finally:
        clear_if_possible(clients.s3, places.bucket, places.temp)


def export(
    argv: Sequence[str],
    clients: Clients,
    start_glue: Callable[[], GlueContext],
    now: Callable[[], datetime],
) -> None:
    """One attempt of a run: settings, snapshot, read, write, manifest.

    Raises:
        ExportFailed: what is wrong and can be mended, in one line.
    """
    arguments = parse_arguments(argv)
    properties = run_properties(clients.glue, arguments)
    settings = settings_of(merge(arguments, properties))
    log(f"exporting {settings.table} as {settings.format} for run {settings.workflow_run_id}")
    check_table(clients.dynamodb, settings)
    check_owner(clients.glue, settings)
    started = now()
    timestamp = claim_timestamp(settings, properties, clients, started)
    places = places_of(settings, timestamp)
    clear(clients.s3, places.bucket, places.temp)
    finished = completed_before(clients.s3, places)
    if finished is not None:
        log(f"the snapshot {timestamp} is complete already: nothing to do")
        tell_run(clients.glue, settings, finished)
        return
    run = job_run(clients.glue, settings)
    workers = (run["WorkerType"], run["NumberOfWorkers"], run["GlueVersion"])
    splits = settings.splits or splits_for(*workers)
    written = read_and_write(settings, clients, start_glue, places, splits)
    manifest = manifest_of(settings, timestamp, written, splits, run["GlueVersion"])
    manifest.update(started=iso(started), finished=iso(now()))
    put_manifest(clients.s3, places, manifest)
    tell_run(clients.glue, settings, manifest)
    log(
        f"snapshot {timestamp} is complete: {written.items:,} items in {len(written.files):,} "
        f"files of {manifest['bytes']:,} bytes under {places.uri(places.snapshot)}"
    )


def main(argv: Sequence[str]) -> None:
    import boto3

    def start_glue() -> GlueContext:
        from awsglue.context import GlueContext
        from pyspark import SparkContext

        return GlueContext(SparkContext.getOrCreate())

    clients = Clients(*(boto3.client(service) for service in ("dynamodb", "glue", "s3")))
    try:
        export(argv, clients, start_glue, now=lambda: datetime.now(timezone.utc))
    except (ExportFailed, ClientError) as error:
        log(f"failed: {error}")
        # The message says it all; a traceback would push it out of sight.
        sys.tracebacklimit = 0
        raise


if __name__ == "__main__":
    main(sys.argv[1:])

"""Publish a run's snapshot in Athena, then delete expired ones. Runs as a Glue Python shell job.

A run takes these steps:

1. Snapshot: take the snapshot of this run from the run's property SnapshotTimestamp.
2. Checks: this run wrote the manifest, and the files match it. If no crawler has made the catalog
   table or added the snapshot as a partition, do so, and add earlier snapshots that lack one.
3. Catalog: write the manifest's columns into the table and this export's partitions, whatever
   columns a crawler found. Leave other partitions unchanged. If the view cannot be replaced,
   restore the former columns.
4. View: CREATE OR REPLACE VIEW <database>.<table>, with all attributes of exactly this snapshot,
   unless the view already shows a newer one. Record it in CloudWatch (dynoexport/<table>,
   Snapshots).
5. Retention: delete manifest, partition and files of snapshots older than SnapshotRetentionDays,
   in this order. Never delete the snapshot that the view shows.

Python shell runs Python 3.9 with an old boto3 (1.21): plain calls only.
"""

# Built by `dynoexport templates` from dynoexport/jobs/publish.py and the modules it imports.
# Change those modules, not this file.

from __future__ import annotations

import argparse
import base64
import itertools
import json
import math
import re
import sys
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import (
        BatchUpdatePartitionRequestEntryTypeDef,
        PartitionInputTypeDef,
        TableInputTypeDef,
        TableTypeDef,
    )
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef


# --- dynoexport/jobs/failures.py ------------------------------------------------------------------
class JobFailed(Exception):
    """What failed, why, and what to do, in one line.

    Glue shows the message of an exception as the run's error. For sys.exit it shows only
    "Command failed with exit code"
    (https://github.com/awslabs/aws-glue-libs/issues/221).
    """

    def __init__(self, message: object) -> None:
        # A name in it may contain line breaks. A Python shell job raises type(error)(error):
        # https://github.com/aws-samples/amazon-deequ-glue/issues/5
        super().__init__(" ".join(str(message).splitlines()))


class TaskFailed(Exception):
    """What a task says of its error: nothing that quotes a value of an item."""


MESSAGE_MAX = 300


def first_line(error: Exception) -> str:
    """What an exception of Spark says, without the Java around it."""
    text = str(getattr(error, "desc", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Before 3.3, Spark lists every word that it knows.
    return lines[0][:MESSAGE_MAX] if lines else type(error).__name__


# Errors whose text the job, AWS, the network or the file system wrote. Any other text may quote a
# value of an item.
QUOTE_NOTHING = (JobFailed, TaskFailed, ImportError, MemoryError, OSError)
# By name: the command imports this module, and its --help does not wait for botocore.
AWS_QUOTES_NOTHING = {"BotoCoreError", "ClientError"}
AWS_QUOTES_PARAMETERS = {"ParamValidationError"}
# The same by the names that a text has.
NAMES_QUOTE_NOTHING = re.compile(
    r"([\w.]+\.)?JobFailed|botocore\.[\w.]*(?<!ParamValidationError)|MemoryError"
    r"|urllib3\.exceptions\.\w+"
    r"|(OS|IO|Connection\w*|BrokenPipe|FileNotFound|Permission|Timeout|Import|ModuleNotFound)Error"
    r"|(java\.(io|net|nio)|org\.apache\.hadoop|com\.amazonaws|software\.amazon)\.[\w.$]+"
    r"|java\.lang\.OutOfMemoryError"
)
SPARK_EXCEPTION = "org.apache.spark.SparkException"
# How Spark 3.3 and later name what is wrong with SQL: [DIVIDE_BY_ZERO] Division by zero. The rest
# of the message may quote the item's value.
ERROR_CLASS = re.compile(r"\[[A-Z][A-Z_0-9.]+\]")
EXCEPTION = re.compile(
    r"((?:[a-z_][\w$]*\.)+[A-Z][\w$]*|[A-Z]\w*(?:Error|Exception|Failed|Failure))(?:: (.*))?"
)
FRAME = re.compile(r"\s*(at |File \"|\.\.\. \d+ more)|Traceback \(most recent call last\):$")


def quotes_nothing(error: BaseException) -> bool:
    """Whether the error's text has no value of an item."""
    kinds = {
        kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "botocore.exceptions"
    }
    by_aws = bool(kinds & AWS_QUOTES_NOTHING) and not kinds & AWS_QUOTES_PARAMETERS
    # botocore hands some of urllib3's on: an answer that ends too early, read in chunks.
    by_network = type(error).__module__ == "urllib3.exceptions"
    return by_aws or by_network or isinstance(error, QUOTE_NOTHING)


def describe_error(error: BaseException) -> str:
    """What the error is, without a value of an item that its text may quote."""
    if quotes_nothing(error):
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def without_values(said: str) -> str:
    """The exception in a text, without a value of an item that its message may quote."""
    found = EXCEPTION.fullmatch(said)
    if found is None:
        known = ERROR_CLASS.match(said)
        return known.group() if known else "an error"
    name, message = found.group(1), found.group(2) or ""
    if NAMES_QUOTE_NOTHING.fullmatch(name):
        return said
    known = ERROR_CLASS.match(message)
    if known:
        return f"{name}: {known.group()}"
    if name == SPARK_EXCEPTION:
        # It says which task failed, and then quotes the error of the task.
        return re.sub(rf"{EXCEPTION.pattern}.*", r"\1", said[len(name) + 2 :]) or name
    return name


def frames_without_values(text: str) -> str:
    """The places in tracebacks of Python and Java, and the exceptions without their values."""
    kept = []
    for line in text.splitlines():
        said = line.removeprefix("Caused by: ")
        if FRAME.match(line):
            kept.append(line)
        elif EXCEPTION.fullmatch(said):
            kept.append(line[: len(line) - len(said)] + without_values(said))
    return "\n".join(kept)


def run_without_values(function: Callable[..., Iterator[Any]], *values: object) -> Iterator[Any]:
    """The function's results; its errors quote no value of an item.

    Spark logs the error of a task before the job sees it.

    Raises:
        JobFailed: in place of an error whose text may quote a value.
    """
    try:
        yield from function(*values)
    except Exception as error:
        if quotes_nothing(error):
            raise
        raise JobFailed(describe_error(error)) from None


def spark_cause(error: Exception) -> str | None:
    """The cause of an error of Spark, in one line without values; None if it is not Spark's.

    An error in a Python worker has it in the last line of its traceback. Any other has it in the
    last Java cause with a message.
    """
    if not type(error).__module__.startswith(("py4j.", "pyspark.")):
        return None
    text = str(error)
    worker = text.rpartition("Traceback (most recent call last):\n")[2]
    said = re.findall(r"^(\w[\w.]*(?:: .*)?)$", worker, re.MULTILINE)
    causes = re.findall(r"^(?:Caused by)?: (\S+: .*)$", text, re.MULTILINE)
    cause = said[0] if worker != text and said else (causes or [first_line(error)])[-1]
    return " ".join(without_values(cause).split())[:MESSAGE_MAX]


# --- dynoexport/jobs/names.py ---------------------------------------------------------------------
# Prefixes in the bucket.
MANIFESTS_PREFIX = "manifests/"
TEMP_PREFIX = "glue-temp-dir/"
ATHENA_RESULTS_PREFIX = "athena-results/"

# In the catalog.
SNAPSHOTS_PREFIX = "snapshots_"
PARTITION_KEY = "snapshot_timestamp"
# A snapshot's name: the UTC minute of its run.
TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M"

# Properties of a workflow run. The first two must equal the job's arguments.
IDENTITY = ("TableName", "OutputFormat")
SNAPSHOT_TIMESTAMP = "SnapshotTimestamp"
SNAPSHOT_ITEMS, SNAPSHOT_BYTES = "SnapshotItems", "SnapshotBytes"

# The metric counts the snapshots that runs published.
METRIC_NAMESPACES = "dynoexport/"
METRIC_SNAPSHOTS = "Snapshots"
METRIC_TABLE, METRIC_FORMAT = "Table", "Format"


def metric_namespace(table: str) -> str:
    """Each table has its own: a policy can limit a namespace, but not a metric or a dimension."""
    return f"{METRIC_NAMESPACES}{table}"


def fold(table: str) -> str:
    """The name as Athena and the Glue crawler write it: lower case, ``.`` and ``-`` as ``_``.

    >>> fold("My-Orders.v2")
    'my_orders_v2'
    """
    return re.sub(r"[^a-z0-9_]", "_", table.lower())


def snapshots_table(table: str, prefix: str = "") -> str:
    """The catalog table that holds all snapshots, one partition each."""
    return f"{prefix}{SNAPSHOTS_PREFIX}{fold(table)}"


def view(table: str, prefix: str = "") -> str:
    """The Athena view of the published snapshot."""
    return f"{prefix}{fold(table)}"


def data_prefix(table: str, fmt: str) -> str:
    return f"{fmt}/{table}/"


def snapshot_prefix(table: str, fmt: str, timestamp: str) -> str:
    return f"{data_prefix(table, fmt)}{PARTITION_KEY}={timestamp}/"


def manifest_prefix(table: str, fmt: str) -> str:
    return f"{MANIFESTS_PREFIX}{fmt}/{table}/"


def manifest_key(table: str, fmt: str, timestamp: str) -> str:
    return f"{manifest_prefix(table, fmt)}{timestamp}.json"


def claim_key(table: str, fmt: str, timestamp: str) -> str:
    """The run's claim on the minute of its snapshot, complete or not.

    It lies beside the manifests, where no lifecycle rule deletes it: it outlives a failed run's
    files.
    """
    return f"{manifest_prefix(table, fmt)}{timestamp}.claim"


def view_results_prefix(table: str, fmt: str) -> str:
    """Where Athena writes the results of this export's view job, apart from all other results."""
    return f"{ATHENA_RESULTS_PREFIX}views/{fmt}/{table}/"


def temp_prefix(table: str, fmt: str) -> str:
    return f"{TEMP_PREFIX}{fmt}/{table}/"


# --- dynoexport/jobs/avro_schema.py ---------------------------------------------------------------
# Trino reads avro by this parameter before it looks at the columns: by the table's own, else by
# the one of the table's SerDe, else by the one of the partition's:
# https://github.com/trinodb/trino/pull/30599, https://github.com/trinodb/trino/pull/14463
# A crawler keeps it, or writes a file's own schema, which has no defaults. Either is wrong for
# some snapshot: "Unable to find column", "Avro type resolution error". So each time the view job
# publishes, it gives the table a schema that fits all files. Athena's page requires one:
# https://docs.aws.amazon.com/athena/latest/ug/avro-serde.html
# The catalog limits a parameter's length
# (https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html). Without the parameter,
# Athena derives the schema from the columns.
AVRO_LITERAL, PARAMETER_MAX = "avro.schema.literal", 512_000
AVRO_SCALARS = {
    "string": "string",
    "bigint": "long",
    "double": "double",
    "boolean": "boolean",
    "binary": "bytes",
    "map<string,string>": {"type": "map", "values": ["null", "string"]},
}


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
    """The schema that reads every snapshot; empty if it is too long for the catalog.

    Files of the former design have the attributes' own names: Avro finds them by aliases.
    """
    numbers, fields = itertools.count(), []
    for column in manifest["schema"]:
        name, attribute = column["name"], column["attribute"]
        field = avro_field(name, column.get("shape", column["type"]), numbers)
        if attribute != name == attribute.lower() and re.fullmatch(
            r"[A-Za-z_]\w*", attribute, re.ASCII
        ):
            field["aliases"] = [attribute]
        fields.append(field)
    text = json.dumps({"type": "record", "name": "item", "fields": fields}, separators=(",", ":"))
    return text if len(text) <= PARAMETER_MAX else ""


def without_literal(holder: Mapping[str, Any], right: str) -> dict[str, Any]:
    """The table, partition or SerDe without any avro schema but the right one."""
    parameters = holder.get("Parameters", {})
    if parameters.get(AVRO_LITERAL, right) == right:
        return dict(holder)
    kept = {name: value for name, value in parameters.items() if name != AVRO_LITERAL}
    return {**holder, "Parameters": kept}


# --- dynoexport/jobs/log.py -----------------------------------------------------------------------
def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def log(message: str) -> None:
    # Flushed, so that CloudWatch shows the line at once and not only when the job ends.
    print(f"{iso(datetime.now(timezone.utc))}  {message}", flush=True)


class Steps:
    """How many seconds each step of an attempt took, for the log and the manifest."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str, done: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[step] = round(time.monotonic() - began, 3)
        log(f"{done} in {self.seconds[step]:.1f} s")


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def number_text(value: float) -> str:
    """A rate or a quantity, with two decimals at most: 12,000 or 0.25."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def items_text(count: int) -> str:
    return counted(count, "item")


# --- dynoexport/jobs/limits.py --------------------------------------------------------------------
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html
DYNAMODB_SPLITS_MAX = 1_000_000
DYNAMODB_READ_PERCENT_MIN, DYNAMODB_READ_PERCENT_MAX = 0.1, 1.5
# The other readers go down to what the template allows.
NATIVE_READ_PERCENT_MIN = 0.001

# An eventually consistent read uses half a unit for each 4 KB, and a page of a Scan is rounded up:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
DYNAMODB_READ_UNIT_BYTES = 8_192
# Read units a second for one table, unless the account's quota L-CF0CBE56 has another value:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
DYNAMODB_TABLE_READ_UNITS = 40_000

# A query's text, and the text of a view in the catalog:
# https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
# https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
ATHENA_QUERY_MAX = 262_144
VIEW_TEXT_MAX = 409_600

# Task slots of an executor, "dynamodb.splits" in
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html
# (for Glue 2.0 its edition of 2021).
GLUE_SLOTS = {"G.1X": 4, "G.2X": 8, "G.4X": 16, "G.8X": 32}
GLUE_2_SLOTS = {"G.1X": 8, "G.2X": 16}

# ORC's and Parquet's zstd came with Spark 3.2 and 3.3: https://issues.apache.org/jira/browse/SPARK-33978
GLUE_VERSIONS_WITHOUT_ZSTD = ("2.0", "3.0")


# --- dynoexport/jobs/manifest_text.py -------------------------------------------------------------
def parse_json_object(text: bytes | None) -> dict[str, Any] | None:
    """The JSON object; None if the text is missing, or is not an object."""
    try:
        content = None if text is None else json.loads(text.decode())
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def is_manifest_of(content: Mapping[str, Any], table: str, fmt: str, timestamp: str) -> bool:
    """Whether it is the manifest of this snapshot of this export."""
    identity = {"table": table, "format": fmt, "snapshot_timestamp": timestamp}
    return all(content.get(name) == identity[name] for name in identity)


def is_adopted(found: Mapping[str, Any]) -> bool:
    """Whether it is the manifest of a snapshot that another design wrote."""
    return found.get("adopted") is True


def file_differences(
    files: Iterable[Mapping[str, Any]], present: Mapping[str, tuple[int, str]]
) -> Iterator[str]:
    """Each difference between the objects under a snapshot's prefix and its manifest.

    ``present`` has bytes and ETag by key. Manifests of older versions have no ETag.
    """
    listed = {file["key"]: file for file in files}
    for key, file in listed.items():
        size, etag = present.get(key, (None, None))
        if size is None:
            yield f"{key} is missing"
        elif size != file["bytes"]:
            yield f"{key} has {size:,} bytes, but its manifest says {file['bytes']:,}"
        elif etag != (file.get("etag") or etag):
            yield f"{key} has changed since the export job wrote it"
    for key in present:
        # Athena reads every file that is not hidden:
        # https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
        if key not in listed and not key.rsplit("/", 1)[-1].startswith((".", "_")):
            yield f"{key} is not in the manifest"


# --- dynoexport/jobs/publish_clients.py -----------------------------------------------------------
@dataclass(frozen=True)
class PublishClients:
    """A client for each service that the view job calls."""

    athena: AthenaClient
    glue: GlueClient
    s3: S3Client
    cloudwatch: CloudWatchClient


# --- dynoexport/jobs/catalog.py -------------------------------------------------------------------
def get_table(glue: GlueClient, database: str, name: str) -> TableTypeDef | None:
    """The catalog's table or view; None if it does not exist."""
    try:
        return glue.get_table(DatabaseName=database, Name=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise


def is_own_table(table: TableTypeDef, own: str) -> bool:
    """Whether the catalog table belongs to the export whose data is under the URI ``own``."""
    location = table.get("StorageDescriptor", {}).get("Location", "")
    return location.rstrip("/") == own.rstrip("/")


def check_owner(table: TableTypeDef, database: str, own: str) -> None:
    """Check that the catalog table belongs to this export, whose data is under the URI ``own``.

    Raises:
        JobFailed: another table or format was exported under the same catalog name.
    """
    if not is_own_table(table, own):
        location = table.get("StorageDescriptor", {}).get("Location", "")
        raise JobFailed(
            f"the catalog table {database}.{table['Name']} belongs to {location!r}, not "
            f"to {own}: deploy this export with a CatalogPrefix"
        )


# --- dynoexport/jobs/arguments.py -----------------------------------------------------------------
GLUE_ARGUMENTS = ("JOB_NAME", "JOB_RUN_ID", "WORKFLOW_NAME", "WORKFLOW_RUN_ID")
# A deployment may leave these empty.
MAY_BE_EMPTY = ("CatalogPrefix", "Columns", "Exclude", "Where", "SourceRoleArn", "KmsKeyArn")


def parse_arguments(argv: Sequence[str], declared: Sequence[str]) -> dict[str, str]:
    """The declared arguments and Glue's own, by name.

    Arguments that are neither are ignored. Glue's own are empty if they are missing.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in declared:
        # An empty value may arrive as no value, or not at all.
        required = name not in MAY_BE_EMPTY
        parser.add_argument(f"--{name}", nargs="?", const="", default="", required=required)
    for name in GLUE_ARGUMENTS:
        parser.add_argument(f"--{name}", default="")
    known, _ = parser.parse_known_args(join_flag_values(argv, (*declared, *GLUE_ARGUMENTS)))
    return vars(known)


def join_flag_values(argv: Sequence[str], names: Iterable[str]) -> list[str]:
    """The words with each value joined to its argument's name.

    Glue passes them as two words, and a table or a predicate may begin with "-" like an option.
    """
    flags = {f"--{name}" for name in names}
    words: list[str] = []
    for word in argv:
        if words and words[-1] in flags and word not in flags:
            words[-1] = f"{words[-1]}={word}"
        else:
            words.append(word)
    return words


def run_properties(glue: GlueClient, arguments: Mapping[str, str]) -> dict[str, str]:
    """The properties of the workflow run that started this job.

    Raises:
        JobFailed: no workflow run started it.
    """
    if not arguments["WORKFLOW_RUN_ID"]:
        raise JobFailed("this job runs only inside its workflow: start a run of the workflow")
    name, run_id = arguments["WORKFLOW_NAME"], arguments["WORKFLOW_RUN_ID"]
    return glue.get_workflow_run_properties(Name=name, RunId=run_id)["RunProperties"]


def apply_overrides(
    arguments: Mapping[str, str], properties: Mapping[str, str], overridable: Iterable[str]
) -> dict[str, str]:
    """The arguments, replaced by the run's properties where a run may override them.

    Raises:
        JobFailed: the run names another table or format than this job was deployed for.
    """
    for name in IDENTITY:
        if properties.get(name, arguments[name]) != arguments[name]:
            raise JobFailed(
                f"the run property {name} is {properties[name]!r}, but this job exports "
                f"{arguments[name]!r}: start the workflow that exports {properties[name]!r}"
            )
    return {
        **arguments,
        **{name: properties[name] for name in overridable if name in properties},
    }


def parse_number(
    values: Mapping[str, str], name: str, low: float, high: float, kind: Callable[[str], float]
) -> float:
    """The setting as a number of the kind, from ``low`` to ``high``.

    Raises:
        JobFailed: it is not such a number.
    """
    try:
        value = kind(values[name])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        what = "a whole number" if kind is int else "a number"
        raise JobFailed(f"{name} is {values[name]!r}, but must be {what} from {low} to {high}")
    return value


def parse_choice(values: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    """The setting, one of the allowed ones.

    Raises:
        JobFailed: it has another value.
    """
    if values[name] not in allowed:
        raise JobFailed(f"{name} is {values[name]!r}, but must be one of {', '.join(allowed)}")
    return values[name]


# --- dynoexport/jobs/timestamps.py ----------------------------------------------------------------
def parse_timestamp(text: str) -> datetime | None:
    """The minute; None if the text is not exactly as this project writes it.

    >>> parse_timestamp("2026-01-31T10:00")
    datetime.datetime(2026, 1, 31, 10, 0, tzinfo=datetime.timezone.utc)
    >>> parse_timestamp("2026-1-31T10:00") is None
    True
    """
    try:
        moment = datetime.strptime(text, TIMESTAMP_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    # strptime also accepts "2026-1-1T1:1", which would be sorted and read as another snapshot.
    return moment if moment.strftime(TIMESTAMP_FORMAT) == text else None


def is_timestamp(text: str) -> bool:
    """Whether the text names a snapshot."""
    return parse_timestamp(text) is not None


# --- dynoexport/jobs/metrics.py -------------------------------------------------------------------
# From a VPC without a route to CloudWatch, a call gets no answer.
METRIC_CONFIG = Config(connect_timeout=5, read_timeout=5, retries={"max_attempts": 2})


def count_snapshot(cloudwatch: CloudWatchClient, table: str, fmt: str) -> None:
    """Add one to the metric. The alarm of a stale snapshot goes off without it.

    If CloudWatch refuses it, the run goes on, because the snapshot exists. The log has the reason,
    and the alarm goes off.
    """
    dimensions: list[DimensionTypeDef] = [
        {"Name": METRIC_TABLE, "Value": table},
        {"Name": METRIC_FORMAT, "Value": fmt},
    ]
    try:
        cloudwatch.put_metric_data(
            Namespace=metric_namespace(table),
            MetricData=[{"MetricName": METRIC_SNAPSHOTS, "Dimensions": dimensions, "Value": 1}],
        )
    except (BotoCoreError, ClientError) as error:
        log(f"cannot record this snapshot in CloudWatch: {error}")


# --- dynoexport/jobs/s3_client.py -----------------------------------------------------------------
# While S3 spreads a busy prefix over more servers, it answers SlowDown:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
# botocore waits up to 1, 2, 4, 8, 16, 20 and 20 seconds before these tries. By itself it has two or
# four, as its version has it:
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html
RETRIES_MAX = 7


def s3_client(region: str | None = None) -> S3Client:
    """A client with more patience than boto3's. Each executor needs its own: Spark sends none."""
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "max_attempts": RETRIES_MAX})
    return boto3.client("s3", region_name=region, config=config)


def log_retries(answer: Mapping[str, Any], what: str) -> None:
    """Say in the job's log that S3 took something only after some tries."""
    retries = answer["ResponseMetadata"].get("RetryAttempts", 0)
    if retries:
        log(f"S3 took {what} in attempt {retries + 1}")


# --- dynoexport/jobs/publish_settings.py ----------------------------------------------------------
# Arguments of the deployed job. Glue adds its own.
VIEW_JOB_ARGUMENTS = (
    "TableName",
    "OutputFormat",
    "BucketName",
    "DatabaseName",
    "CatalogPrefix",
    "WorkGroup",
    "SnapshotRetentionDays",
)
VIEW_OVERRIDABLE = ("SnapshotRetentionDays",)
# A hundred years, so that dates in the past can still be computed.
RETENTION_DAYS_MAX = 36_500


@dataclass(frozen=True)
class PublishSettings:
    """What this run publishes; ``retention_days`` 0 keeps every snapshot."""

    table: str
    format: str
    bucket: str
    database: str
    catalog_prefix: str
    work_group: str
    retention_days: int
    timestamp: str
    workflow_run_id: str


def retention_days(text: str) -> int:
    """Days to keep a snapshot.

    Raises:
        JobFailed: it is not a whole number, or out of range.
    """
    try:
        days = int(text)
    except ValueError:
        days = -1
    if not 0 <= days <= RETENTION_DAYS_MAX:
        raise JobFailed(
            f"SnapshotRetentionDays is {text!r}, but must be a whole number from 0 (keep all) to "
            f"{RETENTION_DAYS_MAX}"
        )
    return days


def run_timestamp(properties: Mapping[str, str]) -> str:
    """The timestamp that the export job recorded in the run.

    Raises:
        JobFailed: it is missing, or somebody edited it.
    """
    timestamp = properties.get(SNAPSHOT_TIMESTAMP, "")
    if not is_timestamp(timestamp):
        raise JobFailed(
            f"the run property {SNAPSHOT_TIMESTAMP} is {timestamp!r}, but must be the UTC minute "
            "that the export job sets: start a new run"
        )
    return timestamp


def parse_publish_settings(values: Mapping[str, str], timestamp: str) -> PublishSettings:
    return PublishSettings(
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


# --- dynoexport/jobs/view.py ----------------------------------------------------------------------
# Replacing a view reads no data; this is time enough to wait in a busy workgroup's queue.
QUERY_SECONDS_MAX = 600
QUERY_SECONDS_BETWEEN = 2
# Each further pause is twice as long: the query has mostly ended within a second.
_FIRST_PAUSE = 0.125


class QueryTooSlow(JobFailed):
    """A query that has not ended in time."""


def stored_sql(entry: Mapping[str, Any]) -> str:
    """The SQL of a view of Athena; empty for any other entry of the catalog.

    The catalog keeps it as a comment around base64 of JSON, with the SQL in originalSql.
    """
    text = entry.get("ViewOriginalText") or ""
    stored = re.match(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/", text)
    if stored is None:
        return ""
    try:
        return str(json.loads(base64.b64decode(stored[1]).decode())["originalSql"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def is_own_view(entry: Mapping[str, Any], table: str) -> bool:
    """Whether the catalog's entry is a view of this table of snapshots, whoever has edited it.

    Another view, or a table, of the same name is somebody else's.
    """
    name = rf'"?{re.escape(table)}"?'
    source = rf'\bFROM\s+(?:"?[^\s".]+"?\.)?{name}(?:\s|$)'
    return re.search(source, stored_sql(entry), re.IGNORECASE) is not None


def check_view(entry: Mapping[str, Any] | None, view_name: str, settings: PublishSettings) -> None:
    """Check that the view of that name, if there is one, is this export's.

    Raises:
        JobFailed: somebody else has made it.
    """
    table = snapshots_table(settings.table, settings.catalog_prefix)
    if entry is not None and not is_own_view(entry, table):
        raise JobFailed(
            f"{settings.database}.{view_name} exists and is not the view of {table}: rename it, or "
            "deploy this export with a CatalogPrefix"
        )


def shown_timestamp(table: TableTypeDef | None) -> str | None:
    """The timestamp of the snapshot that the view shows; None without a view or a snapshot."""
    sql = stored_sql(table or {})
    timestamps = re.findall(rf'"?{PARTITION_KEY}"?\s*=\s*\'([^\']*)\'', sql)
    return timestamps[-1] if timestamps and parse_timestamp(timestamps[-1]) else None


def sql_identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def sql_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def shown_columns(schema: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The table's columns by their names in the view, with the partition's column last.

    ``schema`` is a manifest's. The view of an older snapshot starts with the columns of the newest
    one, so that no query loses a column. Each attribute has the type of the last entry for it.
    """
    shown = {column["view"]: column["name"] for column in schema if column["shown"]}
    return {**shown, PARTITION_KEY: PARTITION_KEY}


def select_item(view_column: str, column: str) -> str:
    if view_column == column:
        return sql_identifier(column)
    return f"{sql_identifier(column)} AS {sql_identifier(view_column)}"


def view_sql(
    database: str, view_name: str, table: str, columns: Mapping[str, str], timestamp: str
) -> str:
    """The statement that points the view at one snapshot, with ``shown_columns``.

    It lists the columns: a view of ``*`` is stale as soon as one of them changes its type.
    """
    listed = ", ".join(select_item(name, column) for name, column in columns.items())
    return (
        f"CREATE OR REPLACE VIEW {sql_identifier(database)}.{sql_identifier(view_name)} AS\n"
        f"SELECT {listed}\n"
        f"FROM {sql_identifier(database)}.{sql_identifier(table)}\n"
        f"WHERE {sql_identifier(PARTITION_KEY)} = {sql_literal(timestamp)}"
    )


def run_query(
    athena: AthenaClient, sql: str, settings: PublishSettings, sleep: Callable[[float], None]
) -> None:
    """Run the statement in the workgroup, and wait for its end, ten minutes at most.

    Raises:
        JobFailed: it is too long, it failed, with Athena's reason, or it took too long.
    """
    if len(sql) > ATHENA_QUERY_MAX:
        raise JobFailed(
            f"the view's query has {len(sql):,} characters, but Athena takes {ATHENA_QUERY_MAX:,}: "
            "deploy this export with Columns or Exclude, so that it has fewer attributes"
        )
    results = view_results_prefix(settings.table, settings.format)
    query = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": settings.database},
        WorkGroup=settings.work_group,
        ResultConfiguration={"OutputLocation": f"s3://{settings.bucket}/{results}"},
    )["QueryExecutionId"]
    try:
        wait_for_query(athena, query, sleep)
    except (BotoCoreError, ClientError, QueryTooSlow):
        # If it went on, it could still replace the view, perhaps after a later run.
        stop_query(athena, query)
        raise


def wait_for_query(athena: AthenaClient, query: str, sleep: Callable[[float], None]) -> None:
    """Wait until the query succeeds.

    Raises:
        JobFailed: it failed, with Athena's reason.
        QueryTooSlow: it is still queued or running.
    """
    waited, pause = 0.0, _FIRST_PAUSE
    while waited < QUERY_SECONDS_MAX:
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return
        if status["State"] in {"FAILED", "CANCELLED"}:
            reason = status.get("StateChangeReason", "Athena gives no reason")
            raise JobFailed(f"Athena query {query} {status['State']}: {' '.join(reason.split())}")
        sleep(pause)
        waited += pause
        pause = min(2 * pause, QUERY_SECONDS_BETWEEN, QUERY_SECONDS_MAX - waited)
    raise QueryTooSlow(
        f"Athena query {query} was still {status['State']} after {QUERY_SECONDS_MAX} seconds and "
        "was stopped: start a new run"
    )


def stop_query(athena: AthenaClient, query: str) -> None:
    """Stop it if possible: the reason why it is stopped matters more."""
    try:
        athena.stop_query_execution(QueryExecutionId=query)
    except (BotoCoreError, ClientError) as error:
        log(f"cannot stop the Athena query {query}: {error}")


# --- dynoexport/jobs/s3.py ------------------------------------------------------------------------
def list_files(s3: S3Client, bucket: str, prefix: str) -> dict[str, tuple[int, str]]:
    """All objects under the prefix: bytes and ETag by key. An ETag changes with the content.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {
        entry["Key"]: (entry["Size"], entry["ETag"].strip('"'))
        for page in pages
        for entry in page.get("Contents", [])
    }


def list_objects(s3: S3Client, bucket: str, prefix: str) -> dict[str, int]:
    """All objects under the prefix: bytes by key."""
    return {key: size for key, (size, _) in list_files(s3, bucket, prefix).items()}


def read_object(s3: S3Client, bucket: str, key: str) -> bytes | None:
    """The object's content; None if it does not exist."""
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        # For a missing key, S3 answers NoSuchKey to callers that may list the bucket, and
        # AccessDenied to others: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        # AWS does not document whether the permission to list some prefixes is enough.
        if code == "NoSuchKey" or (code == "AccessDenied" and not exists(s3, bucket, key)):
            return None
        raise


def exists(s3: S3Client, bucket: str, prefix: str) -> bool:
    return s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"] > 0


def delete_objects(s3: S3Client, bucket: str, keys: Sequence[str]) -> None:
    """Delete the objects; DeleteObjects takes 1,000 keys a call and reports errors by key.

    Raises:
        JobFailed: S3 refuses to delete one of them.
    """
    for start in range(0, len(keys), 1000):
        chunk: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys[start : start + 1000]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": chunk, "Quiet": True})
        for error in answer.get("Errors", []):
            raise JobFailed(f"cannot delete s3://{bucket}/{error['Key']}: {error['Message']}")


def directory_marker(prefix: str) -> str:
    """The object that marks a directory in EMRFS, the s3:// of Glue up to 5.0."""
    return prefix.rstrip("/") + "_$folder$"


def clear(s3: S3Client, bucket: str, prefix: str) -> int:
    """Delete everything under the prefix; the number of objects."""
    keys = list(list_objects(s3, bucket, prefix))
    delete_objects(s3, bucket, [*keys, directory_marker(prefix)])
    return len(keys)


def clear_if_possible(s3: S3Client, bucket: str, prefix: str) -> None:
    """Clear after a failure without hiding it: a retry deletes what stays, or it expires."""
    try:
        clear(s3, bucket, prefix)
    except (ClientError, JobFailed) as error:
        log(f"left s3://{bucket}/{prefix}, which could not be deleted: {error}")


def keep_part_files(s3: S3Client, bucket: str, prefix: str) -> dict[str, tuple[int, str]]:
    """Delete everything under the prefix that is not data; bytes and ETag of the rest, by key.

    Spark writes a file for its first partition even without rows. A committer may leave _SUCCESS,
    _temporary or the empty marker of a directory.
    """
    listed = list_files(s3, bucket, prefix)
    hidden = re.compile(r"(^|/)[_.]")
    waste = [key for key in listed if not listed[key][0] or hidden.search(key[len(prefix) :])]
    delete_objects(s3, bucket, [*waste, directory_marker(prefix)])
    return {key: listed[key] for key in sorted(set(listed) - set(waste))}


def get_text(keys: Iterable[str], bucket: str, region: str) -> Iterator[str]:
    s3 = s3_client(region)
    for key in keys:
        yield s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def list_directories(s3: S3Client, bucket: str, prefix: str) -> Iterator[str]:
    """The prefixes one level below the prefix, each with its "/"."""
    pages = s3.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        for entry in page.get("CommonPrefixes", []):
            yield entry["Prefix"]


# --- dynoexport/jobs/published_manifest.py --------------------------------------------------------
def is_list_of(value: object, kinds: Mapping[str, type]) -> bool:
    """Whether it is a list of objects with members of these kinds."""
    return isinstance(value, list) and all(
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), kind) for key, kind in kinds.items())
        for entry in value
    )


COLUMN = {"name": str, "type": str, "attribute": str, "view": str, "shown": bool}


def is_publishable(content: Mapping[str, Any]) -> bool:
    """Whether it has the keys of a manifest that this job reads."""
    return (
        isinstance(content.get("workflow_run_id"), str)
        and isinstance(content.get("items"), int)
        and is_list_of(content.get("files"), {"key": str, "bytes": int})
        and is_list_of(content.get("schema"), COLUMN)
    )


def read_own_manifest(s3: S3Client, settings: PublishSettings) -> dict[str, Any]:
    """The manifest of the run's snapshot.

    Raises:
        JobFailed: it does not exist, is not its manifest, or another run has written it.
    """
    key = manifest_key(settings.table, settings.format, settings.timestamp)
    text = read_object(s3, settings.bucket, key)
    if text is None:
        raise JobFailed(
            f"the snapshot {settings.timestamp} is not complete, s3://{settings.bucket}/{key} is "
            "missing: start a new run"
        )
    manifest = parse_json_object(text)
    if manifest is None or not is_publishable(manifest):
        raise JobFailed(
            f"s3://{settings.bucket}/{key} is not a valid manifest: delete it, and start a new run"
        )
    if not is_manifest_of(manifest, settings.table, settings.format, settings.timestamp):
        raise JobFailed(
            f"s3://{settings.bucket}/{key} is the manifest of another snapshot: delete it, or put "
            "it back where it belongs, and start a new run"
        )
    if manifest["workflow_run_id"] != settings.workflow_run_id:
        raise JobFailed(
            f"the snapshot {settings.timestamp} belongs to run {manifest['workflow_run_id']}, not "
            f"to this run {settings.workflow_run_id}: start a new run of the workflow"
        )
    return manifest


def check_files(manifest: Mapping[str, Any], present: Mapping[str, tuple[int, str]]) -> None:
    """Compare the objects under the snapshot's prefix (bytes and ETag by key) with the manifest.

    Raises:
        JobFailed: a file is missing, has another size or content or should not be there.
    """
    for difference in file_differences(manifest["files"], present):
        raise JobFailed(
            f"the files of the snapshot do not match its manifest, {difference}: start a new run"
        )


# --- dynoexport/jobs/snapshots.py -----------------------------------------------------------------
@dataclass(frozen=True)
class Marks:
    """The timestamps of an export's snapshots that have a manifest, and of those that have a claim.

    Only the text of a manifest shows whether dynoexport wrote it.
    """

    bucket: str
    table: str
    format: str
    complete: frozenset[str]
    claimed: frozenset[str]


def list_marks(s3: S3Client, bucket: str, table: str, fmt: str) -> Marks:
    """The marks of one export's snapshots."""
    return find_marks(list_objects(s3, bucket, manifest_prefix(table, fmt)), bucket, table, fmt)


def find_marks(keys: Iterable[str], bucket: str, table: str, fmt: str) -> Marks:
    """The marks among the keys."""
    prefix = manifest_prefix(table, fmt)
    below = [key for key in keys if key.startswith(prefix)]

    def stems(suffix: str) -> frozenset[str]:
        names = (key[len(prefix) : -len(suffix)] for key in below if key.endswith(suffix))
        return frozenset(filter(is_timestamp, names))

    return Marks(bucket, table, fmt, complete=stems(".json"), claimed=stems(".claim"))


def list_snapshots(s3: S3Client, marks: Marks) -> set[str]:
    """Every snapshot that has a manifest or a folder, complete or not, ours or not.

    A claim alone is not a snapshot: its run has written nothing yet, or left nothing else.
    """
    return list_folders(s3, marks) | marks.complete


def list_folders(s3: S3Client, marks: Marks) -> set[str]:
    """Every snapshot that has a folder, which one without items has not."""
    prefix = f"{data_prefix(marks.table, marks.format)}{PARTITION_KEY}="
    folders = (folder[len(prefix) : -1] for folder in list_directories(s3, marks.bucket, prefix))
    return set(filter(is_timestamp, folders))


def is_own(table: str, fmt: str, timestamp: str, *, claimed: bool, manifest: bytes | None) -> bool:
    """Whether dynoexport wrote the snapshot: a run has claimed it, or it has our manifest.

    A damaged manifest is ours if its table, format and timestamp match.
    """
    content = parse_json_object(manifest)
    return claimed or (content is not None and is_manifest_of(content, table, fmt, timestamp))


def is_own_snapshot(s3: S3Client, marks: Marks, timestamp: str) -> bool:
    """``is_own`` for a snapshot in S3; reads its manifest only if necessary."""
    table, fmt, claimed = marks.table, marks.format, timestamp in marks.claimed
    unread = claimed or timestamp not in marks.complete
    key = manifest_key(table, fmt, timestamp)
    manifest = None if unread else read_object(s3, marks.bucket, key)
    return is_own(table, fmt, timestamp, claimed=claimed, manifest=manifest)


def is_own_partition(s3: S3Client, partition: Mapping[str, Any], marks: Marks) -> bool:
    """Whether the partition holds a complete snapshot of this export that dynoexport wrote."""
    timestamp = partition["Values"][0]
    prefix = snapshot_prefix(marks.table, marks.format, timestamp)
    if timestamp not in marks.complete or not lies_at(partition, f"s3://{marks.bucket}/{prefix}"):
        return False
    return is_own_snapshot(s3, marks, timestamp)


def partition_location(partition: Mapping[str, Any]) -> str:
    """Where its files are; empty if it does not say so."""
    return str(partition.get("StorageDescriptor", {}).get("Location", ""))


def lies_at(partition: Mapping[str, Any], folder: str) -> bool:
    """Whether it has the files of the folder; else somebody has made it for other files."""
    return partition_location(partition).rstrip("/") == folder.rstrip("/")


def is_adopted_snapshot(s3: S3Client, marks: Marks, timestamp: str) -> bool:
    """Whether another design wrote the files of the complete snapshot. No run has claimed it."""
    if timestamp in marks.claimed:
        return False
    key = manifest_key(marks.table, marks.format, timestamp)
    return is_adopted(parse_json_object(read_object(s3, marks.bucket, key)) or {})


def deletion_marks(
    table: str, fmt: str, timestamp: str, *, claimed: bool
) -> tuple[list[str], list[str]]:
    """The marks to delete before a snapshot's files, and those to delete after them.

    The manifest goes first: from then on the snapshot is incomplete, whatever happens next. The
    claim goes last: while it exists, the snapshot is known as ours and can be deleted again. Older
    snapshots have no claim. They are known by their manifest, which goes last.
    """
    manifest, claim = manifest_key(table, fmt, timestamp), claim_key(table, fmt, timestamp)
    return ([manifest], [claim]) if claimed else ([], [manifest])


# --- dynoexport/jobs/catalog_update.py ------------------------------------------------------------
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


# --- dynoexport/jobs/retention.py -----------------------------------------------------------------
def expired_snapshots(
    timestamps: Iterable[str], keep: Iterable[str], now: datetime, days: int
) -> list[str]:
    """The snapshots older than ``days``, oldest first, without those to keep.

    A name that is not a timestamp of this project is left out.
    """
    before = now - timedelta(days=days)
    moments = {timestamp: parse_timestamp(timestamp) for timestamp in set(timestamps) - set(keep)}
    return sorted(timestamp for timestamp, moment in moments.items() if moment and moment < before)


def drop_partition(glue: GlueClient, settings: PublishSettings, timestamp: str) -> None:
    """Delete the snapshot's partition, unless somebody has made it for other files."""
    name = snapshots_table(settings.table, settings.catalog_prefix)
    prefix = snapshot_prefix(settings.table, settings.format, timestamp)
    values = [timestamp]
    try:
        partition = glue.get_partition(
            DatabaseName=settings.database, TableName=name, PartitionValues=values
        )["Partition"]
        if not lies_at(partition, f"s3://{settings.bucket}/{prefix}"):
            log(
                f"kept the partition {PARTITION_KEY}={timestamp} of {name}: it lies at "
                f"{partition_location(partition)!r}"
            )
            return
        glue.delete_partition(
            DatabaseName=settings.database, TableName=name, PartitionValues=values
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise


def drop_snapshot(
    clients: PublishClients, settings: PublishSettings, timestamp: str, *, claimed: bool
) -> None:
    """Delete partition, files and marks; the next run continues a deletion that fails."""
    table, fmt = settings.table, settings.format
    first, last = deletion_marks(table, fmt, timestamp, claimed=claimed)
    delete_objects(clients.s3, settings.bucket, first)
    drop_partition(clients.glue, settings, timestamp)
    prefix = snapshot_prefix(table, fmt, timestamp)
    count = clear(clients.s3, settings.bucket, prefix)
    delete_objects(clients.s3, settings.bucket, last)
    log(f"deleted the expired snapshot {timestamp}: {counted(count, 'object')}")


def apply_retention(
    clients: PublishClients, settings: PublishSettings, shown: str | None, now: datetime
) -> None:
    """Delete what has expired: snapshots, and the files of failed runs."""
    if not settings.retention_days:
        log("no snapshot expires")
        return
    keep = {settings.timestamp, shown or settings.timestamp}
    marks = list_marks(clients.s3, settings.bucket, settings.table, settings.format)
    every = list_snapshots(clients.s3, marks) | marks.claimed
    for timestamp in expired_snapshots(every, keep, now, settings.retention_days):
        if is_own_snapshot(clients.s3, marks, timestamp):
            drop_snapshot(clients, settings, timestamp, claimed=timestamp in marks.claimed)
        else:
            log(f"kept the snapshot {timestamp}: dynoexport did not write it")
    log(
        f"no expired snapshot is left: SnapshotRetentionDays is {settings.retention_days}, and the "
        "snapshot that the view shows never expires"
    )


# --- dynoexport/jobs/catalog_entries.py -----------------------------------------------------------
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


# --- dynoexport/jobs/publish.py -------------------------------------------------------------------
def publish(
    clients: PublishClients, settings: PublishSettings, sleep: Callable[[float], None]
) -> str | None:
    """Point the view at this run's snapshot; return the timestamp it shows, None without a view.

    Raises:
        JobFailed: the snapshot is not complete, its table or its view is not this export's, or the
            query failed.
    """
    name = snapshots_table(settings.table, settings.catalog_prefix)
    view_name = view(settings.table, settings.catalog_prefix)
    manifest = read_own_manifest(clients.s3, settings)
    prefix = snapshot_prefix(settings.table, settings.format, settings.timestamp)
    check_files(manifest, list_files(clients.s3, settings.bucket, prefix))
    table = complete_catalog(clients, settings, manifest)
    if table is None:
        log("the table has been empty in every run so far: there is nothing to publish yet")
        return None
    former_view = get_table(clients.glue, settings.database, view_name)
    check_view(former_view, view_name, settings)
    shown = shown_timestamp(former_view)
    if shown is not None and shown > settings.timestamp:
        # The columns stay, too: the view selects those that the newer snapshot added.
        log(f"{settings.database}.{view_name} already shows the newer snapshot {shown}: unchanged")
        return shown
    former, wanted = plan_catalog(clients, settings, table, manifest)
    columns = shown_columns(manifest["schema"])
    sql = view_sql(settings.database, view_name, name, columns, settings.timestamp)
    try:
        write_catalog(clients.glue, settings, name, wanted)
        run_query(clients.athena, sql, settings, sleep)
    except BaseException:
        restore_catalog(clients, settings, former)
        raise
    log(
        f"{settings.database}.{view_name} shows {settings.timestamp} with "
        f"{items_text(manifest['items'])} (before: {shown or 'nothing'})"
    )
    return settings.timestamp


def run(
    argv: Sequence[str],
    clients: PublishClients,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> None:
    """Publish the run's snapshot, then apply the retention.

    Raises:
        JobFailed: what is wrong and what to do, in one line.
    """
    arguments = parse_arguments(argv, VIEW_JOB_ARGUMENTS)
    properties = run_properties(clients.glue, arguments)
    values = apply_overrides(arguments, properties, VIEW_OVERRIDABLE)
    settings = parse_publish_settings(values, run_timestamp(properties))
    log(f"publishing snapshot {settings.timestamp} of {settings.table} as {settings.format}")
    shown = publish(clients, settings, sleep)
    count_snapshot(clients.cloudwatch, settings.table, settings.format)
    apply_retention(clients, settings, shown, now())


def main(argv: Sequence[str]) -> None:
    import boto3

    clients = PublishClients(
        athena=boto3.client("athena"),
        glue=boto3.client("glue"),
        s3=s3_client(),
        cloudwatch=boto3.client("cloudwatch", config=METRIC_CONFIG),
    )
    try:
        run(argv, clients, now=lambda: datetime.now(timezone.utc), sleep=time.sleep)
    except (JobFailed, ClientError, BotoCoreError) as error:
        log(f"failed: {error}")
        # The message says it all; a traceback would push it out of sight.
        sys.tracebacklimit = 0
        # Not the error itself: Glue calls type(error)(error), which fails for most errors.
        raise JobFailed(error) from None
    except Exception as error:  # noqa: BLE001 - the last door
        # Not the text of the error, which may quote what an item has.
        places = "".join(traceback.format_tb(error.__traceback__))
        print(frames_without_values(places), file=sys.stderr, flush=True)
        log(f"failed: unexpected {describe_error(error)}")
        raise JobFailed(f"unexpected {describe_error(error)}") from None


if __name__ == "__main__":
    main(sys.argv[1:])

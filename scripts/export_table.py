"""Copy a DynamoDB table to S3 as one complete snapshot. Runs as a job of a Glue workflow.

Engine spark is a Glue Spark job. Engine python is a Python shell job, for small tables.

A run takes these steps:

1. Settings: take the job's arguments, overridden by the workflow run's properties of the same name.
2. Snapshot: choose the UTC minute that names it once, and keep it in the run's properties
   (SnapshotTimestamp), so that a retry of this job writes the same snapshot again.
3. Read: read the table once, with the reader that ReadMode names, into temporary files.
4. Schema: find out in one pass over these what every attribute holds. This and the columns of
   earlier snapshots decide the columns of this one (docs/types.md).
5. Write: s3://<bucket>/<format>/<table>/snapshot_timestamp=<YYYY-MM-DDTHH:MM>/. Then count the rows
   in the files and compare them with the items that were read.
6. Manifest: write manifests/<format>/<table>/<timestamp>.json last. A snapshot without a manifest
   is not complete and is never published. Then record items and bytes in the run's properties.
   xml has no view, so record the snapshot in CloudWatch now (dynoexport/<table>, Snapshots).
"""

# Built by `dynoexport templates` from dynoexport/jobs/export.py and the modules it imports.
# Change those modules, not this file.

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import heapq
import io
import itertools
import json
import math
import multiprocessing
import os
import platform
import random
import re
import resource
import socket
import struct
import sys
import threading
import time
import traceback
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from itertools import chain, islice
from multiprocessing.connection import Client, Listener, answer_challenge, deliver_challenge
from typing import TYPE_CHECKING, Any, cast
from xml.sax.saxutils import escape

from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection

    import pyarrow as pa
    from awsglue.context import GlueContext
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ExportDescriptionTypeDef
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import TableTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef
    from mypy_boto3_sts import STSClient
    from pyspark import RDD
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType


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


# --- dynoexport/jobs/formats.py -------------------------------------------------------------------
FORMATS = ("avro", "csv", "json", "orc", "parquet", "xml")
# Formats that hold text only. Spark's csv writer cannot quote a backslash, its json writer has no
# exact numbers, and its xml writer came with 4.0.
TEXT_FORMATS = ("csv", "xml")
# The job writes these line by line. Spark and Glue write the others.
LINE_FORMATS = ("csv", "json", "xml")
COLUMNAR_FORMATS = ("orc", "parquet")
# What the formats call each compression. Parquet's and ORC's zstd came with Spark 3.2 and 3.3
# (https://issues.apache.org/jira/browse/SPARK-33978, https://issues.apache.org/jira/browse/SPARK-34503);
# Glue writes avro with snappy and deflate
# (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-format-avro-home.html).
CODECS: dict[str, dict[str, str]] = {
    "snappy": {},
    "zstd": {},
    "gzip": {"avro": "deflate", "orc": "zlib"},
}
PART_BYTES = 128 * 1024 * 1024
# Bytes of a format for each byte of the temporary JSON lines, measured on 200,000 orders of ten
# values and a nested list. They only decide the size of the part files.
BYTES_PER_JSON_BYTE = {
    "avro": 0.6,
    "csv": 0.85,
    "json": 1.0,
    "orc": 0.4,
    "parquet": 0.45,
    "xml": 1.2,
}
# Measured on the demo's reviews and on orders of ten values and a nested list: 1.5 and 1.6 bytes of
# DynamoDB JSON, which names the type of every value, for each byte of plain JSON.
DYNAMODB_JSON = 1.5


def files_for(json_bytes: float, fmt: str) -> int:
    """How many part files of about 128 MB the JSON lines become in the format."""
    return max(1, math.ceil(json_bytes * BYTES_PER_JSON_BYTE[fmt] / PART_BYTES))


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


# --- dynoexport/jobs/schema/column_names.py -------------------------------------------------------
# Glue's catalog takes 255 bytes (https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html);
# the rest is room for the number after a name that collides.
COLUMN_NAME_MAX = 240
# As many names of full length as CREATE VIEW may list: a query has at most 262,144 bytes
# (https://docs.aws.amazon.com/athena/latest/ug/service-limits.html).
MAX_COLUMNS = 1_000
OTHER_ATTRIBUTES = "other_attributes"


def fold_column(attribute: str) -> str:
    """The attribute's name as Athena and every format can hold it.

    Lower case, as Athena folds it; Avro allows letters, digits and "_", and no digit first.

    >>> fold_column("2nd Author.Name")
    '_2nd_author_name'
    """
    name = re.sub(r"[^a-z0-9_]", "_", attribute.lower())[:COLUMN_NAME_MAX]
    return name if re.match(r"[a-z_]", name) else f"_{name}"


def free_name(name: str, taken: set[str]) -> str:
    """The name, if necessary with the first number that makes it free; adds it to ``taken``."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free


def column_names(attributes: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Columns by attribute. If names collide, the one that needs no folding stays.

    The others get a number in the order of their names, whatever order they come in.

    >>> sorted(column_names(["Rating", "rating", "RATING"]).items())
    [('RATING', 'rating_2'), ('Rating', 'rating_3'), ('rating', 'rating')]
    """
    taken = set(reserved)
    ordered = sorted(
        attributes, key=lambda attribute: (fold_column(attribute) != attribute, attribute)
    )
    return {attribute: free_name(fold_column(attribute), taken) for attribute in ordered}


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


# --- dynoexport/jobs/scan/capacity.py -------------------------------------------------------------
# The source of the capacity if the table itself has none.
ACCOUNT_QUOTA = "on-demand, account quota"


@dataclass(frozen=True)
class Capacity:
    """The read units a second that a table has, and the source of this number."""

    units: float
    source: str


def choose_capacity(
    *, provisioned: float, maximum: float, warm: float, account: Callable[[], float]
) -> Capacity:
    """The capacity that the read percentage refers to, in read units a second. 0 means unknown.

    The provisioned capacity. For an on-demand table, the first one known of: the maximum that its
    owner set, its warm throughput, the account's quota for one table
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html).
    """
    if provisioned:
        return Capacity(provisioned, "provisioned")
    if maximum > 0:
        return Capacity(maximum, "on-demand maximum")
    if warm:
        return Capacity(warm, "on-demand, warm throughput")
    return Capacity(account(), ACCOUNT_QUOTA)


def table_capacity(table: Mapping[str, Any], account: Callable[[], float]) -> Capacity:
    """``choose_capacity`` from DescribeTable's answer."""
    return choose_capacity(
        provisioned=table.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0),
        # DynamoDB answers -1 for no maximum.
        maximum=table.get("OnDemandThroughput", {}).get("MaxReadRequestUnits", -1),
        warm=table.get("WarmThroughput", {}).get("ReadUnitsPerSecond", 0),
        account=account,
    )


# --- dynoexport/jobs/scan/table_description.py ----------------------------------------------------
# Members of DescribeTable's answer that an older boto3 drops. The one of Glue 5.0 (1.34.131) does
# not know WarmThroughput, older ones know neither.
# https://github.com/boto/botocore/blob/develop/CHANGELOG.rst
UNKNOWN_TO_OLD_BOTO3 = ("OnDemandThroughput", "WarmThroughput")


def describe_table(dynamodb: DynamoDBClient, name: str) -> dict[str, Any]:
    """DescribeTable's answer, with the members that this boto3 does not know."""
    bodies: list[bytes] = []

    def keep(http_response: Any, **_: Any) -> None:  # noqa: ANN401 - botocore's event
        bodies.append(http_response.content)

    event = "after-call.dynamodb.DescribeTable"
    dynamodb.meta.events.register(event, keep)
    try:
        table: dict[str, Any] = dict(dynamodb.describe_table(TableName=name)["Table"])
    finally:
        dynamodb.meta.events.unregister(event, keep)
    whole = json.loads(bodies[-1].decode()).get("Table", {}) if bodies else {}
    return {**{key: whole[key] for key in UNKNOWN_TO_OLD_BOTO3 if key in whole}, **table}


# --- dynoexport/jobs/clients.py -------------------------------------------------------------------
class RoleProvider(CredentialProvider):
    """Credentials of a role, renewed before they expire."""

    METHOD = "sts-assume-role"

    def __init__(self, sts: STSClient, role: str) -> None:
        super().__init__()
        self._sts, self._role = sts, role

    def load(self) -> RefreshableCredentials:
        return RefreshableCredentials.create_from_metadata(
            self._assume(), refresh_using=self._assume, method=self.METHOD
        )

    def _assume(self) -> dict[str, str]:
        answer = self._sts.assume_role(RoleArn=self._role, RoleSessionName="dynoexport")
        credentials = answer["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }


def table_client(role: str, **options: Any) -> DynamoDBClient:  # noqa: ANN401 - boto3's
    """A client with the credentials of the role, or of the job if no role is given.

    The role's credentials are renewed before they expire. They last an hour at most, because the
    job is a role itself:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
    """
    import boto3

    if not role:
        return boto3.client("dynamodb", **options)
    from botocore.session import get_session

    # A VPC can have only the regional endpoint:
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html
    os.environ.setdefault("AWS_STS_REGIONAL_ENDPOINTS", "regional")
    sts = boto3.client("sts", region_name=options.get("region_name"))
    session = get_session()
    resolver = CredentialResolver([RoleProvider(sts, role)])
    session.register_component("credential_provider", resolver)
    return boto3.Session(botocore_session=session).client("dynamodb", **options)


@dataclass(frozen=True)
class Clients:
    """The export job's clients; Spark has its own."""

    dynamodb: DynamoDBClient
    glue: GlueClient
    s3: S3Client
    cloudwatch: CloudWatchClient


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


# --- dynoexport/jobs/readers/read_result.py -------------------------------------------------------
@dataclass(frozen=True)
class ReadResult:
    """Items that were read, as files in S3.

    Attributes:
        dialect: the format of the files. "plain": lines of JSON, from the connector. "export":
            lines of DynamoDB JSON, each item in a wrapper. "pieces": the pieces of a Scan.
        uri: the directory of the connector's files.
        json_bytes: about how many bytes the items have as plain JSON; 0 without items.
        pieces: the pieces of a Scan, in the order of its segments, or the files of an export.
        report: how the table was read, for the manifest.
        left_out: the attributes that a Scan found and left out.
    """

    dialect: str
    json_bytes: int
    uri: str = ""
    pieces: tuple[Mapping[str, Any], ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()


# --- dynoexport/jobs/schema/dynamodb_json.py ------------------------------------------------------
class WholeNumber(str):
    """The text of a whole number in plain JSON."""

    __slots__ = ()


class DoubleNumber(str):
    """The text of any other number in plain JSON."""

    __slots__ = ()


# The codes of plain JSON's scalars; "D" is a double, a type that DynamoDB does not have.
CODES = {WholeNumber: "N", DoubleNumber: "D", str: "S", bool: "BOOL"}


def to_dynamodb_json(value: object) -> dict[str, Any]:
    """A value of plain JSON in DynamoDB JSON."""
    if isinstance(value, list):
        return {"L": [to_dynamodb_json(element) for element in value]}
    if isinstance(value, dict):
        return {"M": {name: to_dynamodb_json(inner) for name, inner in value.items()}}
    if value is None:
        return {"NULL": True}
    # As str: Spark cannot send the two classes of text.
    return {CODES[type(value)]: str(value) if isinstance(value, str) else value}


# DynamoDB's types by group; one column can hold a group. For "D" and "X" see Profile.
GROUPS = {
    "S": "s",
    "N": "n",
    "X": "n",
    "D": "n",
    "BOOL": "bool",
    "B": "b",
    "L": "l",
    "M": "m",
}
ELEMENTS = {"SS": "S", "NS": "N", "BS": "B"}


def list_elements(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The elements of a list or a set; a set's are sorted, because DynamoDB returns any order."""
    ((code, content),) = value.items()
    if code == "L":
        return list(content)
    key = Decimal if code == "NS" else None
    return [{ELEMENTS[code]: element} for element in sorted(content, key=key)]


def type_group(value: Mapping[str, Any]) -> str:
    (code,) = value
    return "l" if code in ELEMENTS else GROUPS[code]


# --- dynoexport/jobs/scan/rate_limit.py -----------------------------------------------------------
class RateLimiter:
    """One read limit for all tasks: it lends read units, at a rate, before they are used.

    A loan says how long to wait. Units do not add up while nobody asks, so that no burst follows a
    pause. Units are lent only a moment ahead: unused units of a page are lent again at once, and
    two loans for one moment would be a burst. A throttle cuts the rate. At the start and after a
    throttle, it rises slowly.

    All times are seconds of one clock, all rates read units a second.
    """

    # The part of the target to use, because requests arrive less evenly than they are sent.
    PACE = 0.99
    AHEAD = 0.1
    START = 0.1
    RISE = 0.1
    RISE_AFTER_THROTTLE = 0.02
    CUT = 0.8
    FLOOR = 0.05
    SECONDS_BETWEEN_CUTS = 1.0
    # How much of the reading before a lower target is made up for, at most.
    OWED_SECONDS = 10.0

    def __init__(self, target: float, now: float) -> None:
        self.target, self._looked = target, now
        self._level, self._since, self._rise = self.START, now, self.RISE
        self._free_at = now

    def rate(self, now: float) -> float:
        return self.target * min(1.0, self._level + self._rise * (now - self._since))

    def free_in(self, units: float, now: float) -> float:
        """Seconds until such a loan is possible; 0 if it is possible now.

        One loan that lasts longer than a moment may be made ahead.
        """
        ahead = max(self.AHEAD, units / self.rate(now))
        return max(0.0, self._free_at - ahead - now)

    def acquire(self, units: float, now: float) -> float:
        """Lend units; the seconds to wait before using them."""
        begins = max(now, self._free_at)
        self._free_at = begins + units / (self.PACE * self.rate(begins))
        return begins - now

    def correct(self, lent: float, used: float, now: float) -> None:
        """Take back units that were not used, or delay the next loans for units beyond the loan."""
        self._free_at = max(now, self._free_at + (used - lent) / (self.PACE * self.rate(now)))

    def retarget(self, target: float, now: float) -> None:
        """Set the target that the table's capacity allows now; the rate rises to it slowly.

        A lower target may be as old as the last call. What was lent beyond it since then is owed:
        no unit is lent until the target has made up for it.
        """
        owed = (self.rate(now) - target) * min(now - self._looked, self.OWED_SECONDS)
        self._looked = now
        if target == self.target:
            return
        if owed > 0:
            self._free_at = max(now, self._free_at) + owed / (self.PACE * target)
        level = self.rate(now) / target
        self.target = target
        self._level, self._since = min(1.0, level), now

    def throttled(self, now: float) -> None:
        """Cut the rate, because the table refused a page; at most once a second."""
        is_new = now - self._since < self.SECONDS_BETWEEN_CUTS
        if self._rise == self.RISE_AFTER_THROTTLE and is_new:
            return
        level = self.rate(now) / self.target
        self._level, self._since = max(self.FLOOR, level * self.CUT), now
        self._rise = self.RISE_AFTER_THROTTLE


# --- dynoexport/jobs/scan/specification.py --------------------------------------------------------
@dataclass(frozen=True)
class ScanSpecification:
    """The specification of a segmented Scan, for every task.

    Attributes:
        table: the table's name.
        region: the table's region.
        segments: how many segments the table has.
        columns: the only attributes to request; empty for all.
        selected: whether to export an attribute.
        whole: whether everything that DynamoDB sends is exported.
        columnar: whether to keep the items as Arrow batches.
        hot_units: the read units from which on a segment goes before others.
        bucket: the bucket of the pieces.
        prefix: the prefix of their keys.
        address: the coordinator's address.
        role: the role that reads a table of another account; empty for this account.
    """

    table: str
    region: str
    segments: int
    columns: tuple[str, ...]
    selected: Callable[[str], bool]
    whole: bool
    columnar: bool
    hot_units: float
    bucket: str
    prefix: str
    address: tuple[str, int, bytes]
    role: str = ""


# --- dynoexport/jobs/s3_file.py -------------------------------------------------------------------
# Bytes of one request: most footers are smaller.
READ_AT_ONCE = 64 * 1024


class S3File(io.RawIOBase):
    """An object that is read in ranges."""

    def __init__(self, s3: S3Client, bucket: str, key: str, size: int) -> None:
        super().__init__()
        self._s3, self._bucket, self._key, self._size = s3, bucket, key, size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        wanted = f"bytes={self._at}-{end - 1}"
        answer = self._s3.get_object(Bucket=self._bucket, Key=self._key, Range=wanted)
        content = answer["Body"].read()
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def open_object(s3: S3Client, bucket: str, key: str, size: int | None = None) -> io.BufferedReader:
    """The object as a file; its size is looked up unless it is given."""
    if size is None:
        size = s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
    return io.BufferedReader(S3File(s3, bucket, key, size), READ_AT_ONCE)


# --- dynoexport/jobs/scan/connections.py ----------------------------------------------------------
# A task proves within milliseconds that it knows the key. A stranger, such as a port scanner, may
# send nothing or rubbish. STRANGERS_MAX of them may be connected at once. When more come, the
# oldest one is disconnected after STRANGER_SECONDS.
HANDSHAKE_SECONDS = 10.0
STRANGERS_MAX = 256
STRANGER_SECONDS = 1.0
# Seconds until a silent connection is probed, seconds between further probes, and how many probes
# may stay without an answer.
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}
# How long sent data may stay unacknowledged, in milliseconds.
UNACKNOWLEDGED_MAX = 90_000


def duplicate_socket(connection: Connection) -> socket.socket:
    """A second handle of the connection's socket; closing it leaves the connection open."""
    return socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)


def set_timeouts(connection: Connection, seconds: float) -> None:
    """End a wait for the other side with an OSError after ``seconds``; 0 means never."""
    whole = int(seconds)
    limit = struct.pack("ll", whole, int((seconds - whole) * 1e6))
    with duplicate_socket(connection) as handle:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def enable_keepalive(connection: Connection) -> None:
    """Let the system notice within two minutes that the other side's host is gone.

    https://man7.org/linux/man-pages/man7/tcp.7.html
    """
    options = {**KEEPALIVE, "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MAX}
    with duplicate_socket(connection) as handle:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            # Not every system has all of them.
            if hasattr(socket, name):
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class PendingConnections:
    """Connections that have not yet proved that they know the key: few at a time."""

    def __init__(self) -> None:
        self._since: dict[Connection, float] = {}
        self._changed = threading.Condition()

    def add(self, connection: Connection) -> None:
        """Wait, for a moment at most, until there is room for one more."""
        with self._changed:
            while len(self._since) >= STRANGERS_MAX:
                oldest, since = next(iter(self._since.items()))
                patience = since + STRANGER_SECONDS - time.monotonic()
                if patience <= 0:
                    self._hang_up(oldest)
                else:
                    self._changed.wait(patience)
            self._since[connection] = time.monotonic()

    def remove(self, connection: Connection) -> None:
        with self._changed:
            self._since.pop(connection, None)
            self._changed.notify_all()

    def _hang_up(self, connection: Connection) -> None:
        """Shut it down, so that its thread wakes and closes it."""
        del self._since[connection]
        with suppress(OSError), duplicate_socket(connection) as handle:
            handle.shutdown(socket.SHUT_RDWR)


# --- dynoexport/jobs/schema/numbers.py ------------------------------------------------------------
LONG = 2**63
LONG_DIGITS = 19
# https://docs.aws.amazon.com/athena/latest/ug/data-types.html
DECIMAL_DIGITS = 38


def number_shape(text: str) -> tuple[str, int, int]:
    """Its type, "N" for a 64-bit integer, else "X"; its digits before and after the point.

    >>> number_shape("-12.50"), number_shape("1E+3"), number_shape("1E-3")
    (('X', 2, 1), ('N', 4, 0), ('X', 0, 3))
    """
    if len(text) < LONG_DIGITS and text.isdigit():
        return "N", len(text.lstrip("0")), 0
    number = Decimal(text)
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{text} is not a finite number")  # noqa: TRY004 - its text is wrong
    significant = "".join(map(str, digits)).rstrip("0")
    if not significant:
        return "N", 0, 0
    exponent += len(digits) - len(significant)
    before, behind = max(len(significant) + exponent, 0), max(-exponent, 0)
    is_long = not behind and before <= LONG_DIGITS and -LONG <= int(number) < LONG
    return ("N" if is_long else "X"), before, behind


JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def json_number(text: str) -> str:
    """The number's exact text, or the same number as JSON can write it."""
    return text if JSON_NUMBER.fullmatch(text) else plain_number(text)


def plain_number(text: str) -> str:
    return format(Decimal(text), "f")


def parse_whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(Decimal(text))


# --- dynoexport/jobs/write/text.py ----------------------------------------------------------------
CSV_QUOTED = re.compile(r'^$|^\s|\s$|[,"\\]')
XML_CANNOT_HOLD = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]")
# Replaces each such character until they are counted; then no other one is left.
XML_REPLACED = "\x00"
# As references, line breaks keep an item on one line, and parsers do not normalize them.
XML_REFERENCES = {"\r": "&#13;", "\n": "&#10;"}


def csv_value(value: str | None) -> str:
    r"""A value as Athena's csv SerDe reads it back; null is nothing, the empty text is "".

    OpenCSVSerDe reads line by line, unescapes a doubled backslash only inside quotes, and drops a
    single one (https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html). So a backslash is
    doubled, and its value quoted. A line break becomes \\\n, which the SerDe reads as the two
    characters \n. It reads the same for the text \n, which is \\n in the file: only the file keeps
    the difference.
    """
    if value is None:
        return ""
    value = value.replace("\\", "\\\\").replace("\n", "\\\\\\n").replace("\r", "\\\\\\r")
    if CSV_QUOTED.search(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_line(values: Iterable[str | None]) -> str:
    # Readers disagree about an empty line: a row, or none.
    return ",".join(map(csv_value, values)) or '""'


def xml_item(names: Sequence[str], values: Iterable[str | None]) -> str:
    """One item on one line; an attribute that the item lacks has no element."""
    held = [
        (name, escape(XML_CANNOT_HOLD.sub(XML_REPLACED, value), XML_REFERENCES))
        for name, value in zip(names, values)
        if value is not None
    ]
    return f"<item>{''.join(f'<{name}>{text}</{name}>' for name, text in held)}</item>"


def frame(names: Sequence[str], fmt: str) -> tuple[list[str], list[str]]:
    """The lines before and after the items of a file."""
    if fmt == "csv":
        return [csv_line(names)], []
    if fmt == "xml":
        return ['<?xml version="1.0" encoding="UTF-8"?>', "<items>"], ["</items>"]
    return [], []


# --- dynoexport/jobs/attribute_names.py -----------------------------------------------------------
# A name up to its comma. Text in double quotes is the name, exactly; a quote in it is doubled.
# Spaces around a name without quotes are not part of it.
LISTED_NAME = re.compile(r'\s*(?:"((?:[^"]|"")+)"\s*|((?!\s*")[^,]*)),')
# A line break would end a parameter.
LINE_BREAK = re.compile(r"[\r\n]")


class NamesRefused(Exception):
    """The text is not a list of attributes, or lists none; with what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason = reason
        self.remedy = remedy


def split_names(text: str) -> tuple[str, ...]:
    """The attributes that the text lists, separated by commas, each once; none if it is empty.

    >>> split_names('User," Email","a, b"')
    ('User', ' Email', 'a, b')

    Raises:
        NamesRefused: it is not such a list, or it names no attribute, which must not mean all.
    """
    if not text.strip():
        return ()
    names: list[str] = []
    rest = f"{text},"
    while rest:
        match = None if LINE_BREAK.search(rest) else LISTED_NAME.match(rest)
        if match is None:
            raise NamesRefused(
                "which is not a list of attributes",
                "separate names by commas, and put double quotes around a name with a comma, a "
                "quote, or spaces at its ends",
            )
        quoted, plain = match.groups()
        names.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        rest = rest[match.end() :]
    if not any(names):
        raise NamesRefused("which names no attribute", "leave it empty to export all")
    return tuple(dict.fromkeys(name for name in names if name))


def parse_attribute_names(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The attributes that the setting lists.

    Raises:
        JobFailed: it is not such a list, or it names no attribute.
    """
    try:
        return split_names(values[name])
    except NamesRefused as refused:
        message = f"{name} is {values[name]!r}, {refused.reason}: {refused.remedy}"
        raise JobFailed(message) from None


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


# --- dynoexport/jobs/readers/refusals.py ----------------------------------------------------------
@contextmanager
def explaining_refusals(settings: Settings) -> Iterator[None]:
    """Turn a failure that the owner of the export can fix into one line.

    Raises:
        JobFailed: the table is gone, or the job's role may not read it, write its items, or use a
            key for either.
    """
    try:
        yield
    except JobFailed:
        raise
    except Exception as error:
        cause = find_refusal(str(error))
        if cause is None:
            raise
        message = f"cannot read the DynamoDB table {settings.table!r}: {cause}"
        raise JobFailed(message) from None


def find_refusal(text: str) -> str | None:
    """The service's own words for what it refuses or cannot find.

    Spark wraps an executor's error in a page of Java. One line of it has these words.
    """
    for line in text.splitlines():
        if re.search(r"AccessDenied|Access Denied|ResourceNotFound|not authorized to", line):
            # The exception's class comes before the words.
            return re.sub(r"^(Caused by: )?[\w.$]+: ", "", line.strip())[:500]
    return None


# --- dynoexport/jobs/arrow_library.py -------------------------------------------------------------
# Arrow reads JSON into columns without an object for each value. Glue ships it
# (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html); versions
# 7, 10, 12 and 26 were tried. Without it, the items stay the JSON that DynamoDB sent, and Spark
# writes the files.
PYARROW_MIN = 7


def arrow() -> Any:  # noqa: ANN401 - pyarrow carries no types
    """pyarrow; None if Glue has no usable version."""
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.json
    except ImportError:
        return None
    return pa if int(pa.__version__.split(".")[0]) >= PYARROW_MIN else None


def check_library(settings: Settings) -> None:
    """Check that a Python shell job has the library that writes its files.

    Of the analytics libraries, AWS lists awswrangler 2.15.1, which needs pyarrow
    (https://docs.aws.amazon.com/glue/latest/dg/add-job-python.html,
    https://github.com/aws/aws-sdk-pandas/blob/2.15.1/pyproject.toml).

    Raises:
        JobFailed: it is missing or too old.
    """
    if settings.is_python and settings.format not in LINE_FORMATS and arrow() is None:
        raise JobFailed(
            f"Engine python needs pyarrow {PYARROW_MIN} or later for {settings.format}: in a VPC "
            "without a way to PyPI, put its wheel into the bucket and name it in the job's "
            "--extra-py-files, or choose Engine spark"
        )


def takes_arrow(settings: Settings) -> bool:
    """Whether the items are read as columns, because the format has them."""
    return settings.format in COLUMNAR_FORMATS and arrow() is not None


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


# --- dynoexport/jobs/snapshot_paths.py ------------------------------------------------------------
@dataclass(frozen=True)
class SnapshotPaths:
    """The bucket and keys that one run writes; ``claim`` names the run that has the minute."""

    bucket: str
    temp: str
    snapshot: str
    manifest: str
    claim: str = ""

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


def snapshot_paths(settings: Settings, timestamp: str) -> SnapshotPaths:
    table, fmt = settings.table, settings.format
    return SnapshotPaths(
        bucket=settings.bucket,
        temp=f"{temp_prefix(table, fmt)}{settings.workflow_run_id}/",
        snapshot=snapshot_prefix(table, fmt, timestamp),
        manifest=manifest_key(table, fmt, timestamp),
        claim=claim_key(table, fmt, timestamp),
    )


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


# --- dynoexport/jobs/scan/segments.py -------------------------------------------------------------
# A page has at most 1 MB (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html);
# half a unit reads up to 4 KB, eventually consistent
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
PAGE_BYTES = 1024 * 1024
PAGE_UNITS = PAGE_BYTES // DYNAMODB_READ_UNIT_BYTES
# The read units a second of one segment, whatever the table has. The bulk executor's authors
# measured them
# (https://github.com/awslabs/amazon-dynamodb-tools/tree/main/bulk_executor).
SEGMENT_UNITS = 300
SEGMENT_BYTES = 128 * 1024 * 1024
# The worst case is a segment that is HOT times as large as the others and begins last. It is read
# alone, at SEGMENT_UNITS, for this part of the whole time.
TAIL = 0.025
HOT = 10
# How many pages a task requests at once.
STREAMS = 4
# How many segments a task may have begun: throttled ones wait while others are read.
OPEN_SEGMENTS = 2 * STREAMS
# A segment goes before the others once so many times the mean, and so many pages, are read of it.
HOT_MEANS, HOT_PAGES = 2, 2


def segments_for(table_bytes: int, rate: float, tasks: int) -> int:
    """The number of segments of a Scan: 1 to 1,000,000.

    The largest of these numbers, but no segment smaller than a page:

        a few for every task       STREAMS x tasks
        a short tail               HOT x rate / (SEGMENT_UNITS x TAIL)
        a bounded loss by a retry  bytes / SEGMENT_BYTES

    The tail: the whole Scan takes bytes / (rate x UNIT_BYTES). A segment of ``HOT`` times the mean
    takes HOT x bytes / segments / (SEGMENT_UNITS x UNIT_BYTES). Their ratio must be ``TAIL``.
    DynamoDB's limit: TotalSegments in
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html.

    Args:
        table_bytes: the table's size. DynamoDB updates it every six hours; 0 may mean unknown.
        rate: the read limit, in read units a second.
        tasks: how many tasks read at once.
    """
    wished = max(
        STREAMS * tasks,
        math.ceil(HOT * rate / (SEGMENT_UNITS * TAIL)),
        math.ceil(table_bytes / SEGMENT_BYTES),
    )
    pages = math.ceil(table_bytes / PAGE_BYTES) or tasks
    return max(1, min(wished, pages, DYNAMODB_SPLITS_MAX))


def hot_segment_units(table_bytes: int, segments: int) -> float:
    """The read units from which on a segment is hot; infinite if the table's size is unknown."""
    mean = table_bytes / DYNAMODB_READ_UNIT_BYTES / segments
    return max(HOT_MEANS * mean, HOT_PAGES * PAGE_UNITS) if table_bytes else math.inf


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


# --- dynoexport/jobs/scan/account_quota.py --------------------------------------------------------
def account_read_units(dynamodb: DynamoDBClient) -> float:
    """Read units a second; AWS's default quota if the role may not read the account's."""
    try:
        return dynamodb.describe_limits()["TableMaxReadCapacityUnits"]
    except ClientError as error:
        default = DYNAMODB_TABLE_READ_UNITS
        log(f"cannot read the account's quota, so it is AWS's default, {default:,}: {error}")
        return default


# --- dynoexport/jobs/scan/skew.py -----------------------------------------------------------------
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
MEASURES = ("items", "bytes", "units", "seconds")
HOTTEST = 5


def scan_report(
    records: Sequence[Mapping[str, Any]],
    seconds: float,
    rate: float,
    capacity: Capacity,
    resumed_segments: int,
) -> dict[str, Any]:
    """How the segments were read, for the manifest: totals, quantiles, and the hottest ones.

    ``bytes`` are DynamoDB JSON, ``units`` are read units, ``rate`` is the read limit a second. A
    quantile is the least value that this part of the segments does not exceed.
    """
    names = ("segment", *MEASURES, "throttles")
    hottest = sorted(records, key=lambda record: (-record["units"], -record["seconds"]))[:HOTTEST]
    return {
        "splits": len(records),
        "resumed_splits": resumed_segments,
        "capacity": capacity.units,
        "capacity_source": capacity.source,
        "rate": rate,
        "seconds": round(seconds, 3),
        "units": round(sum(record["units"] for record in records), 1),
        "throttles": sum(record["throttles"] for record in records),
        "skew": {
            "segments": {
                name: quantiles([record[name] for record in records]) for name in MEASURES
            },
            "hottest": [{name: record[name] for name in names} for record in hottest],
        },
    }


def quantiles(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        name: ordered[max(0, min(last, math.ceil(part * len(ordered)) - 1))]
        for name, part in QUANTILES.items()
    }


def log_skew(report: Mapping[str, Any]) -> None:
    log(
        f"used {report['units']:,.1f} read units in {report['seconds']:,.1f} s; the read limit "
        f"was {number_text(report['rate'])} a second; "
        f"{counted(report['throttles'], 'request')} throttled"
    )
    if report["splits"] == 1:
        return
    segments, hottest = report["skew"]["segments"], report["skew"]["hottest"][0]
    log(
        f"half of the segments had at most {items_text(segments['items']['p50'])} and took at most "
        f"{segments['seconds']['p50']:,.1f} s; 99 % had at most "
        f"{items_text(segments['items']['p99'])} and took at most "
        f"{segments['seconds']['p99']:,.1f} s; the hottest segment, {hottest['segment']}, had "
        f"{items_text(hottest['items'])}, used {hottest['units']:,.1f} read units and took "
        f"{hottest['seconds']:,.1f} s"
    )


# --- dynoexport/jobs/scan/coordinator.py ----------------------------------------------------------
# With what the limiter makes up for, a run stays near a lower limit in any ten seconds. The call
# costs nothing; an account may make 2,500 such calls a second:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-control-plane.html
CAPACITY_SECONDS = 5


class CoordinatorServer:
    """Answers the tasks' questions to the scheduler, over TCP, in threads of the driver.

    Spark itself needs every port between driver and executors
    (https://docs.aws.amazon.com/glue/latest/dg/setup-vpc-for-glue-access.html). A client proves by
    HMAC that it knows the run's key. Messages are JSON and hold no data of the table.
    """

    def __init__(self, scheduler: Scheduler, host: str) -> None:
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._key = os.urandom(32)
        self._strangers = PendingConnections()
        # Without the key: accept() would wait for one stranger's proof while all others wait.
        self._listener = Listener((host, 0), backlog=1024)

    @property
    def address(self) -> tuple[str, int, bytes]:
        host, port = self._listener.address
        return host, port, self._key

    def open(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._listener.close()

    def watch(self, target: Callable[[], float], every: float = CAPACITY_SECONDS) -> None:
        """Update the read limit every ``every`` seconds: autoscaling may have changed it."""

        def watching() -> None:
            while not self._closed.wait(every):
                try:
                    rate = target()
                except ClientError as error:
                    log(f"cannot read the table's capacity, so the read limit stays: {error}")
                    continue
                with self._lock:
                    self._scheduler.retarget(rate, time.monotonic())

        threading.Thread(target=watching, daemon=True).start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection = self._listener.accept()
            except OSError:
                # Closed, or the other side has gone already.
                continue
            self._strangers.add(connection)
            threading.Thread(target=self._meet, args=(connection,), daemon=True).start()

    def _meet(self, connection: Connection) -> None:
        """Serve the connection if it proves that it knows the key."""
        with closing(connection):
            try:
                set_timeouts(connection, HANDSHAKE_SECONDS)
                deliver_challenge(connection, self._key)
                answer_challenge(connection, self._key)
                set_timeouts(connection, 0)
                enable_keepalive(connection)
            except Exception:  # noqa: BLE001 - a stranger may send anything
                return
            finally:
                self._strangers.remove(connection)
            self._serve(connection)

    def _serve(self, connection: Connection) -> None:
        task = os.urandom(8).hex()
        try:
            while True:
                question = json.loads(connection.recv_bytes().decode())
                connection.send_bytes(json.dumps(self._answer(task, **question)).encode())
        except (OSError, EOFError, ValueError):
            # Gone, or damaged.
            return
        finally:
            with self._lock:
                self._scheduler.lost(task)

    def _answer(self, task: str, about: str, **details: Any) -> Any:  # noqa: ANN401 - JSON
        now = time.monotonic()
        with self._lock:
            if about == "take":
                return self._scheduler.take(task)
            if about == "done":
                return self._scheduler.done(**details)
            if about == "turn":
                turn = self._scheduler.turn(f"{task}/{details['stream']}", now, hot=details["hot"])
                return [turn.wait, turn.items, turn.lent]
            if about == "read":
                return self._scheduler.read(**details, now=now)
            return self._scheduler.throttled(**details, now=now)


class CoordinatorClient:
    """A task's connection to the coordinator; its threads share it."""

    def __init__(self, address: tuple[str, int, bytes]) -> None:
        host, port, key = address
        self._connection = Client((host, port), authkey=key)
        enable_keepalive(self._connection)
        self._lock = threading.Lock()

    def ask(self, about: str, **details: float | bool | None) -> Any:  # noqa: ANN401 - JSON
        with self._lock:
            self._connection.send_bytes(json.dumps({"about": about, **details}).encode())
            return json.loads(self._connection.recv_bytes().decode())

    def close(self) -> None:
        self._connection.close()


# --- dynoexport/jobs/schema/connector_losses.py ---------------------------------------------------
LOST_DIGITS = "numbers of more than 15 digits"
LOST_ORDER = "sets"
LOST_ELEMENTS = "lists of other values than text"
LOST_NULLS = "nulls in lists"
LOST_COLUMN = "only nulls"
LOST_BYTES = "binary values"


def find_losses(items: Iterable[Mapping[str, Any]], fmt: str) -> dict[str, list[str]]:
    """The kinds of values that the connector may change, by attribute; without others.

    The items are in DynamoDB JSON. Keys of maps can be data, so values inside a map are named by
    the attribute alone.
    """
    kinds: dict[str, set[str]] = {}
    held: set[str] = set()
    for item in items:
        for name, value in item.items():
            kinds.setdefault(name, set()).update(value_losses(value, fmt))
            if "NULL" not in value:
                held.add(name)
    for name in set(kinds) - held:
        kinds[name].add(LOST_COLUMN)
    return {name: sorted(kinds[name]) for name in sorted(kinds) if kinds[name]}


def value_losses(value: Mapping[str, Any], fmt: str) -> Iterator[str]:
    """The kinds of losses of a value and of all values in it."""
    ((code, content),) = value.items()
    parts: Iterable[Mapping[str, Any]] = ()
    if code == "N" and not survives_double(content):
        yield LOST_DIGITS
    elif code == "B" and fmt not in LINE_FORMATS:
        yield LOST_BYTES
    elif code in ELEMENTS:
        yield LOST_ORDER
        parts = [{ELEMENTS[code]: element} for element in content]
    elif code == "L":
        yield from element_losses(content)
        parts = content
    elif code == "M":
        parts = content.values()
    for part in parts:
        yield from value_losses(part, fmt)


def element_losses(elements: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Elements of a list arrive as text, without nulls."""
    for element in elements:
        if "NULL" in element:
            yield LOST_NULLS
        elif "S" not in element:
            yield LOST_ELEMENTS


def survives_double(text: str) -> bool:
    """Whether the number is the same if it is no 64-bit integer and becomes a double.

    >>> survives_double("12.5"), survives_double("1E+100"), survives_double("0.1234567890123456789")
    (True, True, False)
    """
    kind, _, _ = number_shape(text)
    return kind == "N" or Decimal(repr(float(text))) == Decimal(text)


def count_doubles(profile: Profile) -> int:
    """How many numbers arrived as doubles, also in lists and maps."""
    parts = [profile.element, *profile.fields.values()]
    inside = sum(count_doubles(part) for part in parts if part is not None)
    return profile.counts.get("D", 0) + inside


# --- dynoexport/jobs/schema/profile.py ------------------------------------------------------------
class Profile:
    """A summary of all values of an attribute, of a list's elements or of a map's field.

    Merging is commutative and associative: neither the order of the items nor their partitions
    change the result. A profile has a bounded size: it drops the fields of a map that has more
    different keys than the limit.

    Attributes:
        counts: the number of values by type: DynamoDB's codes, but "L" also for sets, "X" for
            numbers that are not 64-bit integers, and "D" for the connector's doubles.
        digits: the most digits before the point of any number.
        scale: the most digits after it.
        element: the profile of the elements of all lists and sets.
        fields: the profiles of the fields of all maps, by name.
        many: whether the maps have more different keys than the limit; then ``fields`` is empty.
    """

    __slots__ = ("counts", "digits", "element", "fields", "many", "scale")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.digits = 0
        self.scale = 0
        self.element: Profile | None = None
        self.fields: dict[str, Profile] = {}
        self.many = False

    def add(self, value: Mapping[str, Any], limit: int) -> None:
        """Add a value; ``limit`` is how many different keys the maps may have."""
        for code, content in value.items():
            kind = code
            if code == "N":
                kind, digits, scale = number_shape(content)
                self.digits = max(self.digits, digits)
                self.scale = max(self.scale, scale)
            elif code == "L" or code in ELEMENTS:
                kind = "L"
                self._add_elements(code, content, limit)
            elif code == "M" and not self.many:
                self._add_fields(content, limit)
            self.counts[kind] = self.counts.get(kind, 0) + 1

    def _add_elements(self, code: str, content: Sequence[Any], limit: int) -> None:
        if self.element is None:
            self.element = Profile()
        for value in content:
            self.element.add(value if code == "L" else {ELEMENTS[code]: value}, limit)

    def _add_fields(self, content: Mapping[str, Any], limit: int) -> None:
        for name, value in content.items():
            if name not in self.fields:
                self.fields[name] = Profile()
            self.fields[name].add(value, limit)
        self.bound(limit)

    def bound(self, limit: int) -> None:
        if len(self.fields) > limit:
            self.many, self.fields = True, {}

    def merge(self, other: Profile, limit: int) -> Profile:
        """Add the other profile to this one; returns this one."""
        for kind, count in other.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        self.digits = max(self.digits, other.digits)
        self.scale = max(self.scale, other.scale)
        if self.element is None or other.element is None:
            self.element = self.element or other.element
        else:
            self.element.merge(other.element, limit)
        self.many = self.many or other.many
        if self.many:
            self.fields = {}
            return self
        for name, theirs in other.fields.items():
            own = self.fields.get(name)
            self.fields[name] = theirs if own is None else own.merge(theirs, limit)
        self.bound(limit)
        return self

    def dump(self) -> tuple[Any, ...]:
        """The profile as plain values: Spark cannot send a class of the script up to Python 3.7."""
        element = None if self.element is None else self.element.dump()
        fields = {name: profile.dump() for name, profile in self.fields.items()}
        return self.counts, self.digits, self.scale, element, fields, self.many

    @classmethod
    def load(cls, dumped: tuple[Any, ...]) -> Profile:
        """The profile that ``dump`` turned into plain values."""
        profile = cls()
        profile.counts, profile.digits, profile.scale, element, fields, profile.many = dumped
        profile.element = None if element is None else cls.load(element)
        profile.fields = {name: cls.load(inner) for name, inner in fields.items()}
        return profile

    def groups(self) -> set[str]:
        """The groups of types that occur, without nulls."""
        return {GROUPS[kind] for kind in self.counts if kind in GROUPS}

    def only(self, group: str) -> Profile:
        """The profile of the values of one group."""
        part = Profile()
        part.counts = {
            kind: number for kind, number in self.counts.items() if GROUPS.get(kind) == group
        }
        for name in ("digits", "scale", "element", "fields", "many"):
            setattr(part, name, getattr(self, name))
        return part

    def values(self) -> int:
        """How many values there are, without nulls."""
        return sum(count for kind, count in self.counts.items() if kind in GROUPS)

    def exact(self) -> bool:
        """Whether one decimal type holds all numbers."""
        return self.digits + self.scale <= DECIMAL_DIGITS


# The number of items is stored beside the profiles under this name, which no attribute has.
ITEMS = ""


def profile_items(
    items: Iterable[Mapping[str, Any]], limit: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The profiles of the items' attributes, and the number of items under ``ITEMS``."""
    profiles: dict[str, Profile] = {}
    number = update_profiles(profiles, items, limit)
    return dump_profiles(profiles, number)


def update_profiles(
    profiles: dict[str, Profile], items: Iterable[Mapping[str, Any]], limit: int
) -> int:
    """Add the items to the profiles; the number of items."""
    number = 0
    for item in items:
        number += 1
        for name, value in item.items():
            if name not in profiles:
                profiles[name] = Profile()
            profiles[name].add(value, limit)
    return number


def dump_profiles(
    profiles: Mapping[str, Profile], number: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The profiles as plain values, and the number of items."""
    counted = Profile()
    counted.counts["M"] = number
    yield ITEMS, counted.dump()
    for name, profile in profiles.items():
        yield name, profile.dump()


def merge_profiles(
    dumps: Iterable[tuple[str, tuple[Any, ...]]], limit: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """One profile for each attribute."""
    profiles: dict[str, Profile] = {}
    for name, dumped in dumps:
        profile = Profile.load(dumped)
        profiles[name] = profiles[name].merge(profile, limit) if name in profiles else profile
    return ((name, profile.dump()) for name, profile in profiles.items())


def profile_rank(pair: tuple[str, tuple[Any, ...]], known: frozenset[str]) -> tuple[bool, int, str]:
    """A sort key: known attributes, then those that most items have, then by name."""
    name, (counts, *_) = pair
    return name not in known, -sum(counts.values()), name


# --- dynoexport/jobs/python_engine.py -------------------------------------------------------------
# As often as Spark tries a task (spark.task.maxFailures):
# https://spark.apache.org/docs/latest/configuration.html#scheduling
ATTEMPTS = 4


def attempt(rows: Callable[[], Iterable[Any]], attempts: int = ATTEMPTS) -> list[Any]:
    """The rows of a partition, computed again if that fails.

    Raises:
        Exception: it failed every time.
    """
    try:
        return list(rows())
    except JobFailed:
        raise
    except Exception as error:
        if attempts == 1:
            raise
        log(f"a task failed, and is tried again: {describe_error(error)}")
    return attempt(rows, attempts - 1)


class Partitions:
    """Values in partitions, with those methods of an RDD that the job uses."""

    def __init__(
        self, context: PythonContext, partitions: Sequence[Callable[[], Iterable[Any]]]
    ) -> None:
        self._context, self._partitions = context, partitions

    def mapPartitionsWithIndex(  # noqa: N802 - as in PySpark
        self, function: Callable[[int, Iterator[Any]], Iterable[Any]]
    ) -> Partitions:
        def bound(number: int, rows: Callable[[], Iterable[Any]]) -> Callable[[], Iterable[Any]]:
            return lambda: function(number, iter(rows()))

        mapped = [bound(number, rows) for number, rows in enumerate(self._partitions)]
        return Partitions(self._context, mapped)

    def mapPartitions(  # noqa: N802 - as in PySpark
        self, function: Callable[[Iterator[Any]], Iterable[Any]]
    ) -> Partitions:
        return self.mapPartitionsWithIndex(lambda _, rows: function(rows))

    def map(self, function: Callable[[Any], Any]) -> Partitions:
        return self.mapPartitions(lambda rows: map(function, rows))

    def filter(self, function: Callable[[Any], Any]) -> Partitions:
        return self.mapPartitions(lambda rows: filter(function, rows))

    def getNumPartitions(self) -> int:  # noqa: N802 - as in PySpark
        return len(self._partitions)

    def partitionBy(self, _parts: int) -> Partitions:  # noqa: N802 - as in PySpark
        """All values in one partition, which has those of every key together."""
        return Partitions(self._context, [self.collect])

    def collect(self) -> list[Any]:
        return list(chain.from_iterable(self._context.run(self._partitions)))

    def sum(self) -> Any:  # noqa: ANN401 - of the values' type
        return sum(self.collect())

    def take(self, number: int) -> list[Any]:
        return self.collect()[:number]

    def takeOrdered(  # noqa: N802 - as in PySpark
        self, number: int, key: Callable[[Any], Any]
    ) -> list[Any]:
        return heapq.nsmallest(number, self.collect(), key=key)


class PythonContext:
    """Runs partitions in this process, or in ``processes`` of its own if there are several CPUs."""

    def __init__(self, processes: int = 1) -> None:
        self.defaultParallelism = processes

    def getConf(self) -> dict[str, str]:  # noqa: N802 - as in PySpark
        return {"spark.driver.host": "127.0.0.1"}

    def parallelize(self, values: Iterable[Any], parts: int) -> Partitions:
        """The values in even partitions, in their order."""
        every = list(values)
        starts = [number * len(every) // parts for number in range(parts + 1)]
        chunks = [every[starts[number] : starts[number + 1]] for number in range(parts)]
        return Partitions(self, [chunk.copy for chunk in chunks])

    def run(self, partitions: Sequence[Callable[[], Iterable[Any]]]) -> list[list[Any]]:
        """The rows of each partition."""
        processes = min(self.defaultParallelism, len(partitions))
        if processes <= 1:
            return [attempt(rows) for rows in partitions]
        return run_in_processes(partitions, processes)


def run_in_processes(
    partitions: Sequence[Callable[[], Iterable[Any]]], processes: int
) -> list[list[Any]]:
    """The rows of each partition, in their order.

    Forked processes: what they run is not pickled, and a script has no module that they could
    import.

    Raises:
        TaskFailed: a partition failed every time.
        JobFailed: the job cannot go on, or a process ended before its time.
    """
    fork = multiprocessing.get_context("fork")
    receivers: list[Connection] = []
    started = []
    for first in range(processes):
        receiver, sender = fork.Pipe(duplex=False)
        own = partitions[first::processes]
        process = fork.Process(target=send_rows, args=(own, sender), daemon=True)
        process.start()
        sender.close()
        receivers.append(receiver)
        started.append(process)
    try:
        found: list[list[Any]] = [[] for _ in partitions]
        for first, receiver in enumerate(receivers):
            found[first::processes] = receive_rows(receiver)
    finally:
        for process in started:
            process.terminate()
            process.join()
    return found


def send_rows(partitions: Sequence[Callable[[], Iterable[Any]]], sender: Connection) -> None:
    """In the process: compute the partitions and send their rows, or the error."""
    try:
        sender.send((True, [attempt(rows) for rows in partitions]))
    except JobFailed as failed:
        sender.send((False, failed))
    except Exception as error:  # noqa: BLE001 - raised again by the job
        # Not the error itself: botocore's cannot be pickled.
        sender.send((False, TaskFailed(describe_error(error))))


def receive_rows(receiver: Connection) -> list[list[Any]]:
    """The rows of a process.

    Raises:
        TaskFailed, JobFailed: that of the process, or it ended without an answer.
    """
    try:
        has_rows, answer = receiver.recv()
    except EOFError:
        raise JobFailed(
            "a process of this job ended before its time, perhaps for lack of memory: "
            "deploy with Engine spark"
        ) from None
    if not has_rows:
        raise answer
    rows: list[list[Any]] = answer
    return rows


def available_processes() -> int:
    """How many CPUs the job has: one with 0.0625 DPU, four with 1 DPU."""
    return len(os.sched_getaffinity(0))


def describe_engine() -> str:
    """What the job runs on: AWS lists no versions of Python and pyarrow."""
    import boto3

    library = arrow()
    pyarrow = f", pyarrow {library.__version__}" if library is not None else ""
    python = platform.python_version()
    cpus = counted(available_processes(), "CPU")
    return f"Python {python}, boto3 {boto3.__version__}{pyarrow}, {cpus}"


def peak_memory_mb() -> int:
    """The most memory of this process, and of the largest of its own processes, in MiB."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) // 1024


class PythonSession:
    """In the place of a GlueContext, and of the SparkSession that it has."""

    def __init__(self) -> None:
        self.sparkContext = PythonContext(available_processes())
        self.spark_session = self


# --- dynoexport/jobs/scan/decode.py ---------------------------------------------------------------
# Every column of a batch has a place for every item. With many attributes that few items have, JSON
# is smaller.
WIDE = 1_000
# So is it with more places in one batch, which are about 8 bytes each.
PLACES = 4_000_000
# Arrow's streams take 64 levels
# (https://arrow.apache.org/docs/cpp/api/ipc.html, max_recursion_depth).
DEPTH_MAX = 60
# What is around the items in the lines that Arrow reads: of a Scan's pages, and of an export.
PAGE, WRAPPER = "Items", "Item"
# Of an export, as much as a page has.
SAMPLE_BYTES = 1024 * 1024


class Decoder:
    """Turns pages of items into Arrow batches, or keeps them as JSON where that is better."""

    def __init__(self, selected: Callable[[str], bool], *, columnar: bool, whole: bool) -> None:
        self._selected, self._columnar, self._whole = selected, columnar, whole
        # The type of the items before, so that it need not be inferred again.
        self._known: pa.DataType | None = None
        # One thread finds it out, and the others wait: each would infer the same.
        self._first = threading.Lock()
        # The attributes that items have, but that are not selected.
        self.left_out: set[str] = set()

    def decode(self, pages: Sequence[bytes], items: int) -> pa.RecordBatch | bytes:
        """A batch of one column, ``item``; or the pages, one a line."""
        batch = self._decode(pages, PAGE, items)
        if batch is not None and batch.num_rows == items:
            return batch
        return b"".join(self._selected_page(page) for page in pages)

    def decode_lines(self, text: bytes) -> pa.RecordBatch | list[dict[str, Any]]:
        """The same for whole lines of DynamoDB's export; or the items.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
        """
        cut = text.find(b"\n", SAMPLE_BYTES) + 1
        parts = [part for part in (text[:cut], text[cut:]) if part]
        items = text.count(b"\n")
        batch = self._decode(parts, WRAPPER, items)
        if batch is not None and batch.num_rows == items:
            return batch
        return self._select(parsed(parts, WRAPPER))

    def _decode(self, parts: Sequence[bytes], column: str, items: int) -> pa.RecordBatch | None:
        with self._first if self._is_unknown() else nullcontext():
            return self._batch(parts, column, items) if self._columnar else None

    def _is_unknown(self) -> bool:
        return self._columnar and self._known is None

    def _selected_page(self, page: bytes) -> bytes:
        if self._whole and b"\n" not in page:
            return page + b"\n"
        kept = self._select(json.loads(page.decode()))
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def _select(self, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        self._note_left_out({name for item in items for name in item})
        return [
            {name: value for name, value in item.items() if self._selected(name)} for item in items
        ]

    def _note_left_out(self, names: Iterable[str]) -> None:
        self.left_out.update([name for name in names if not self._selected(name)])

    def _batch(self, parts: Sequence[bytes], column: str, items: int) -> pa.RecordBatch | None:
        """The batch; None if Arrow cannot hold the items, or only with much memory."""
        pa = arrow()
        try:
            found = None
            if self._known is None:
                # Mostly, a page has all that the others have.
                found = self._learn(parts[:1], column)
            # Another thread may change it.
            known = self._known
            if known is None or not self._columnar or items * count_leaves(known) > PLACES:
                return None
            if found is None or len(parts) > 1:
                found = read_familiar(parts, column, known)
                found = self._learn(parts, column) if found is None else found
            if found is None or not self._columnar or found.null_count:
                return None
            self._note_left_out([field.name for field in found.type])
            return select_attributes(found, self._selected)
        except pa.ArrowException as error:
            # Its message may quote an item's value.
            log(f"keeping items as JSON, because Arrow cannot hold them: {type(error).__name__}")
            return None

    def _learn(self, parts: Sequence[bytes], column: str) -> pa.StructArray | None:
        """The items, whose type is the known one from now on; None if it is too wide."""
        items = parsed(parts, column)
        # Before Arrow makes room for each of them in each item.
        fields = fields_in(items)
        self._columnar = fields <= WIDE
        if not self._columnar or len(items) * fields > PLACES:
            return None
        found = read_new(parts, column, self._known)
        self._known = found.type
        width, depth = count_leaves(found.type), nesting_depth(found.type)
        self._columnar = width <= WIDE and depth <= DEPTH_MAX
        return found


def fields_in(values: Iterable[object]) -> int:
    """How many different attributes, type codes and fields the values have, at every depth."""
    held: dict[str, list[object]] = {}
    for value in values:
        for name, content in value.items() if isinstance(value, dict) else ():
            contents = held.setdefault(name, [])
            contents.extend(content if isinstance(content, list) else [content])
    return len(held) + sum(map(fields_in, held.values()))


def lines_of(parts: Sequence[bytes], column: str) -> bytes:
    """What Arrow reads: ``{"Items": [...]}`` for each page, the lines of an export as they are."""
    if column == WRAPPER:
        return b"".join(parts)
    return b"".join(b'{"%b":%b}\n' % (column.encode(), page) for page in parts)


def parsed(parts: Sequence[bytes], column: str) -> list[dict[str, Any]]:
    """The items, read by Python."""
    if column == WRAPPER:
        texts = b"".join(parts).decode().split("\n")
        return [json.loads(text)[WRAPPER] for text in texts if text]
    return [item for page in parts for item in json.loads(page.decode())]


def read_familiar(parts: Sequence[bytes], column: str, known: pa.DataType) -> pa.StructArray | None:
    """The items, if all parts of them are of the known type: Arrow has read nothing else."""
    pa = arrow()
    try:
        return read_items(parts, column, known, "error")
    except pa.ArrowInvalid:
        return None


def read_new(parts: Sequence[bytes], column: str, known: pa.DataType | None) -> pa.StructArray:
    """The items, of the known type with what is new in them."""
    before = None if known is None else storable_type(known)
    items = read_items(parts, column, before, "infer")
    if not has_timestamps(items.type):
        return items
    # They are ordinary strings.
    return read_items(parts, column, storable_type(items.type), "infer")


def read_items(
    parts: Sequence[bytes], column: str, known: pa.DataType | None, unexpected: str
) -> pa.StructArray:
    """The items, an array of structs; ``known`` is their type."""
    pa = arrow()
    text = lines_of(parts, column)
    kind = known if known is None or column == WRAPPER else pa.list_(known)
    schema = None if kind is None else pa.schema([(column, kind)])
    table = pa.json.read_json(
        pa.BufferReader(text),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pa.json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior=unexpected
        ),
    )
    chunks = table.column(column).chunks
    return pa.concat_arrays(chunks if column == WRAPPER else [chunk.flatten() for chunk in chunks])


def storable_type(kind: pa.DataType) -> pa.DataType | None:
    """The type with strings for timestamps, and without parts of unknown type; None if all are."""
    pa = arrow()
    if pa.types.is_struct(kind):
        fields = [(field.name, storable_type(field.type)) for field in kind]
        return pa.struct([(name, plain) for name, plain in fields if plain is not None])
    if pa.types.is_list(kind):
        element = storable_type(kind.value_type)
        return None if element is None else pa.list_(element)
    if pa.types.is_null(kind):
        return None
    return pa.string() if pa.types.is_timestamp(kind) else kind


def has_timestamps(kind: pa.DataType) -> bool:
    types = arrow().types
    if types.is_struct(kind):
        return any(has_timestamps(field.type) for field in kind)
    if types.is_list(kind):
        return has_timestamps(kind.value_type)
    return bool(types.is_timestamp(kind))


def count_leaves(kind: pa.DataType) -> int:
    """How many columns of scalars the type has."""
    types = arrow().types
    if types.is_struct(kind):
        return sum(count_leaves(field.type) for field in kind)
    return count_leaves(kind.value_type) if types.is_list(kind) else 1


def nesting_depth(kind: pa.DataType) -> int:
    """How deeply the type is nested; 1 for a scalar."""
    types = arrow().types
    if types.is_struct(kind):
        return 1 + max((nesting_depth(field.type) for field in kind), default=0)
    return 1 + nesting_depth(kind.value_type) if types.is_list(kind) else 1


def select_attributes(
    items: pa.StructArray, selected: Callable[[str], bool]
) -> pa.RecordBatch | None:
    """A batch of the items with the selected attributes; None if no attribute is selected."""
    pa = arrow()
    kept = [
        (field, array) for field, array in zip(items.type, items.flatten()) if selected(field.name)
    ]
    if not kept:
        return None
    item = pa.StructArray.from_arrays(
        [array for _, array in kept], fields=[field for field, _ in kept]
    )
    return pa.RecordBatch.from_arrays([item], names=["item"])


# --- dynoexport/jobs/settings.py ------------------------------------------------------------------
# Arguments of the deployed job. Glue adds its own.
EXPORT_JOB_ARGUMENTS = (
    "TableName",
    "OutputFormat",
    "BucketName",
    "DatabaseName",
    "CatalogPrefix",
    "ScriptsVersion",
    "MaxConsumedReadThroughput",
    "Splits",
    "Engine",
    "WorkerType",
    "NumberOfWorkers",
    "GlueVersion",
    "ReadMode",
    "Columns",
    "Exclude",
    "Where",
    "TypeConflicts",
    "MapsAs",
    "MaxStructFields",
    "Compression",
    "SourceRoleArn",
    "KmsKeyArn",
)
EXPORT_OVERRIDABLE = ("MaxConsumedReadThroughput", "Splits")
READERS = ("connector", "native", "export")
ENGINES = ("spark", "python")
# A struct's type is one text in the catalog. The catalog limits its length.
MAX_STRUCT_FIELDS_MAX = 10_000


@dataclass(frozen=True)
class Settings:
    """The settings of this run; ``splits`` 0 means computed."""

    table: str
    format: str
    bucket: str
    database: str
    catalog_prefix: str
    scripts_version: str
    read_percent: float
    splits: int
    engine: str
    worker_type: str
    number_of_workers: int
    glue_version: str
    reader: str
    columns: tuple[str, ...]
    exclude: tuple[str, ...]
    where: str
    type_conflicts: str
    maps_as: str
    max_struct_fields: int
    compression: str
    source_role: str
    kms_key: str
    job_name: str
    job_run_id: str
    workflow_name: str
    workflow_run_id: str

    @property
    def is_python(self) -> bool:
        """Whether a Python shell job runs it, without Spark."""
        return self.engine == "python"


def check_together(settings: Settings) -> None:
    """Check that the settings can be combined.

    Raises:
        JobFailed: two of them cannot.
    """
    if settings.columns and settings.exclude:
        raise JobFailed("Columns and Exclude are both set: leave one of them empty")
    if settings.is_python and settings.reader == "connector":
        raise JobFailed("Engine python has no ReadMode connector: choose native or export")
    if settings.is_python and settings.where:
        raise JobFailed("Where needs Spark: choose Engine spark, or leave Where empty")
    if settings.source_role and settings.reader == "export":
        raise JobFailed("ReadMode export takes no SourceRoleArn: choose native")
    if settings.compression == "zstd" and settings.format == "avro":
        raise JobFailed("Glue cannot write avro with Compression zstd: choose snappy or gzip")
    if settings.compression == "zstd" and settings.glue_version in GLUE_VERSIONS_WITHOUT_ZSTD:
        raise JobFailed(
            f"Compression zstd needs Glue 4.0 or later, but this job runs on Glue "
            f"{settings.glue_version}: choose snappy or gzip"
        )


def parse_settings(values: Mapping[str, str]) -> Settings:
    """Typed settings.

    Raises:
        JobFailed: one of them is not allowed.
    """
    reader = parse_choice(values, "ReadMode", READERS)
    least = DYNAMODB_READ_PERCENT_MIN if reader == "connector" else NATIVE_READ_PERCENT_MIN
    settings = Settings(
        table=values["TableName"],
        format=parse_choice(values, "OutputFormat", FORMATS),
        bucket=values["BucketName"],
        database=values["DatabaseName"],
        catalog_prefix=values["CatalogPrefix"],
        scripts_version=values["ScriptsVersion"],
        read_percent=parse_number(
            values, "MaxConsumedReadThroughput", least, DYNAMODB_READ_PERCENT_MAX, float
        ),
        splits=int(parse_number(values, "Splits", 0, DYNAMODB_SPLITS_MAX, int)),
        engine=parse_choice(values, "Engine", ENGINES),
        worker_type=values["WorkerType"],
        number_of_workers=int(parse_number(values, "NumberOfWorkers", 2, DYNAMODB_SPLITS_MAX, int)),
        glue_version=values["GlueVersion"],
        reader=reader,
        columns=parse_attribute_names(values, "Columns"),
        exclude=parse_attribute_names(values, "Exclude"),
        where=values["Where"].strip(),
        type_conflicts=parse_choice(values, "TypeConflicts", ("string", "columns")),
        maps_as=parse_choice(values, "MapsAs", ("struct", "map")),
        max_struct_fields=int(
            parse_number(values, "MaxStructFields", 1, MAX_STRUCT_FIELDS_MAX, int)
        ),
        compression=parse_choice(values, "Compression", tuple(CODECS)),
        source_role=values["SourceRoleArn"].strip(),
        kms_key=values["KmsKeyArn"].strip(),
        job_name=values["JOB_NAME"],
        job_run_id=values["JOB_RUN_ID"],
        workflow_name=values["WORKFLOW_NAME"],
        workflow_run_id=values["WORKFLOW_RUN_ID"],
    )
    check_together(settings)
    return settings


def attribute_filter(columns: Iterable[str], exclude: Iterable[str]) -> Callable[[str], bool]:
    """A function that says whether to export an attribute."""
    wanted, unwanted = frozenset(columns), frozenset(exclude)

    def selected(attribute: str) -> bool:
        return attribute not in unwanted and (not wanted or attribute in wanted)

    return selected


# --- dynoexport/jobs/scan/pages.py ----------------------------------------------------------------
ENVELOPE = frozenset(("ConsumedCapacity", "Count", "Items", "LastEvaluatedKey", "ScannedCount"))
ITEMS_BEGIN = b'"Items":['
CUTS_TRIED = 4


def cut_page(body: bytes) -> tuple[bytes, bytes]:
    """Cut the items out of a Scan's answer: their JSON array, and the rest with an empty array.

    The items are not parsed. The array ends where the text around it is a valid answer by itself.
    Quotes are escaped in the names and values of the rest, so no other place can match.

    Raises:
        BadPage: it is not an answer of Scan.
    """
    begin = body.find(ITEMS_BEGIN) + len(ITEMS_BEGIN) - 1
    end = len(body)
    for _ in range(CUTS_TRIED):
        end = body.rfind(b"]", begin, end)
        if begin < len(ITEMS_BEGIN) or end < 0:
            break
        rest = b"%b[]%b" % (body[:begin], body[end + 1 :])
        if is_envelope(rest):
            return body[begin : end + 1], rest
    try:
        answer = json.loads(body.decode())
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise BadPage("a page of the Scan is not a JSON object")
    items = json.dumps(answer.pop("Items", []), ensure_ascii=False, separators=(",", ":"))
    return items.encode(), json.dumps({**answer, "Items": []}).encode()


def is_envelope(text: bytes) -> bool:
    try:
        content = json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and ENVELOPE.issuperset(content)


class RawBody(io.BytesIO):
    """A body as botocore expects it from urllib3."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


class PageReader:
    """Scans page by page, and leaves the items as DynamoDB sent them.

    botocore signs the requests and parses everything but the items. Parsing the items would take
    95 % of a core's time (docs/benchmarks.md). A handler of botocore's event before-send can answer
    a request.
    """

    def __init__(self, scan: ScanSpecification) -> None:
        # On an executor: Spark cannot send a client.
        from botocore.httpsession import URLLib3Session

        self._scan = scan
        # Like botocore's own clients: without it, a request waits 40 ms for an acknowledgment.
        # botocore's type stubs expect text here.
        at_once: Any = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        self._session = URLLib3Session(max_pool_connections=STREAMS, socket_options=at_once)
        self._answers = threading.local()
        # No retries here: a throttled segment waits while others are read.
        config = Config(retries={"max_attempts": 0}, max_pool_connections=STREAMS)
        self._client = table_client(scan.role, region_name=scan.region, config=config)
        # The stubs do not know that a handler of before-send may answer the request.
        answering: Any = self._send
        self._client.meta.events.register("before-send.dynamodb.Scan", answering)

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        from botocore.awsrequest import AWSResponse

        answer = self._session.send(request)
        if answer.status_code != OK:
            return answer
        body = answer.content
        length = answer.headers.get("content-length", len(body))
        checksum = answer.headers.pop("x-amz-crc32", zlib.crc32(body))
        if int(length) != len(body) or int(checksum) != zlib.crc32(body):
            raise BadPage("a page of the Scan was damaged in transit")
        self._answers.items, rest = cut_page(body)
        # urllib3's and botocore's headers are both mappings, but have two types in the stubs.
        headers: Any = answer.headers
        return AWSResponse(answer.url, answer.status_code, headers, RawBody(rest))

    def read(self, segment: int, start: Mapping[str, Any] | None, items: int) -> Page:
        """The page after ``start``, with at most ``items`` items; 0 for a whole page."""
        asked: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
        if items:
            asked["Limit"] = items
        if self._scan.columns:
            names = {f"#{number}": name for number, name in enumerate(self._scan.columns)}
            asked["ExpressionAttributeNames"] = names
            asked["ProjectionExpression"] = ",".join(names)
        answer = self._client.scan(
            TableName=self._scan.table,
            Segment=segment,
            TotalSegments=self._scan.segments,
            ReturnConsumedCapacity="TOTAL",
            **asked,
        )
        return Page(
            body=self._answers.items,
            items=answer["Count"],
            units=answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0),
            next=answer.get("LastEvaluatedKey"),
        )


@dataclass(frozen=True)
class Page:
    """A page: its items as a JSON array, their number, read units, and the next page's start."""

    body: bytes
    items: int
    units: float
    next: Mapping[str, Any] | None


class BadPage(Exception):
    """A page that was damaged in transit."""


# More failures in a row on one segment end the task. Throttles never do.
FAILURES_MAX = 12
OK = 200
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
THROTTLES = frozenset(
    ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException")
)
TRANSIENT = frozenset(("InternalServerError", "ServiceUnavailable", "500", "502", "503", "504"))


# --- dynoexport/jobs/scan/scheduler.py ------------------------------------------------------------
@dataclass(frozen=True)
class Grant:
    """What a task may do: wait, then read a page of ``items`` items (0: a whole page).

    If ``lent`` is 0, the task asks again after the wait.
    """

    wait: float
    items: int
    lent: float


class Scheduler:
    """Deals segments and read units to all tasks of a Scan. It lives in the driver.

    A task asks for one segment after another, so a fast task reads more of them. The segments that
    a lost task had begun are dealt again.
    """

    # If this part of a moment's pages is refused, the whole table is at its limit. If fewer are, a
    # partition is hot, and only its segments wait.
    MOMENT = 2.0
    REFUSED = 0.5
    # One page may use this part of a second's units, so that no window is much over the limit. It
    # may always use PAGE_UNITS_MIN, because each page is rounded up to half a unit.
    PAGE_SECONDS = 0.1
    PAGE_UNITS_MIN = 2.0
    # A reader that must wait asks again after this part of the time until its turn.
    EARLY = 0.25

    def __init__(self, segments: Iterable[int], limit: RateLimiter, item_bytes: float) -> None:
        self._waiting = deque(segments)
        self._begun: dict[int, str] = {}
        self._limit = limit
        self._unit_items = DYNAMODB_READ_UNIT_BYTES / item_bytes if item_bytes else 1.0
        self._units = self._items = 0.0
        self._moment: deque[tuple[float, bool]] = deque()
        self._queued: set[str] = set()

    def take(self, task: str) -> int | None:
        """The next segment for the task; None if all are dealt."""
        if not self._waiting:
            return None
        segment = self._waiting.popleft()
        self._begun[segment] = task
        return segment

    def done(self, segment: int) -> None:
        self._begun.pop(segment, None)

    def lost(self, task: str) -> None:
        """Let other tasks read the segments that a lost task had begun."""
        segments = [segment for segment, reader in self._begun.items() if reader == task]
        self._queued = {reader for reader in self._queued if not reader.startswith(f"{task}/")}
        for segment in segments:
            del self._begun[segment]
        self._waiting.extendleft(segments)

    def turn(self, reader: str, now: float, *, hot: bool = False) -> Grant:
        """When the reader may read its next page, and how many items.

        A reader of a ``hot`` segment does not queue: at the end, the whole Scan waits for it.
        """
        rate = self._limit.rate(now)
        units = min(PAGE_UNITS, max(self.PAGE_UNITS_MIN, self.PAGE_SECONDS * rate))
        busy = self._limit.free_in(units, now)
        if busy and not hot:
            self._queued.add(reader)
            others = units * len(self._queued) / rate
            return Grant(busy + self.EARLY * others, 0, 0.0)
        self._queued.discard(reader)
        items = 0 if units == PAGE_UNITS else max(1, int(units * self._unit_items))
        return Grant(self._limit.acquire(units, now), items, units)

    def read(self, lent: float, units: float, items: int, now: float) -> None:
        """Record a page that was read."""
        self._limit.correct(lent, units, now)
        self._units += units
        self._items += items
        if self._units:
            self._unit_items = self._items / self._units
        self._note(now, refused=False)

    def throttled(self, lent: float, key_range: bool | None, now: float) -> None:
        """Record a refused page; ``key_range``: because of a hot partition, None for unknown."""
        self._limit.correct(lent, 0.0, now)
        self._note(now, refused=True)
        refused = sum(was_refused for _, was_refused in self._moment)
        if key_range is None:
            key_range = refused < self.REFUSED * len(self._moment)
        if not key_range:
            self._limit.throttled(now)

    def _note(self, now: float, *, refused: bool) -> None:
        self._moment.append((now, refused))
        while self._moment[0][0] < now - self.MOMENT:
            self._moment.popleft()

    def retarget(self, target: float, now: float) -> None:
        self._limit.retarget(target, now)


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


# --- dynoexport/jobs/scan/buffer.py ---------------------------------------------------------------
# A batch is decoded in memory at once. A piece is an object in S3.
BATCH_BYTES = 4 * 1024 * 1024
PIECE_BYTES = 16 * 1024 * 1024
ARROW, JSON = "arrow", "jsonl"
# The dialect of a Scan's files.
PIECES = "pieces"


def piece_location(settings: Settings) -> dict[str, str]:
    """Where executors find the pieces."""
    import boto3

    return {"bucket": settings.bucket, "region": boto3.session.Session().region_name}


def record_key(prefix: str, segment: int) -> str:
    return f"{prefix}finished/{segment}.json"


class SegmentBuffer:
    """The items of a segment on their way to S3.

    No key is used twice: readers use only the pieces in a segment's record, not those of an
    earlier try.
    """

    def __init__(
        self, scan: ScanSpecification, segment: int, decoder: Decoder, s3: S3Client
    ) -> None:
        self._bucket, self._s3, self._decoder = scan.bucket, s3, decoder
        self._stem = f"{scan.prefix}pieces/{segment}-{os.urandom(4).hex()}"
        self._bodies: list[bytes] = []
        self._bytes = self._items = 0
        self._file: ArrowFile | JsonFile | None = None
        self._done: list[dict[str, Any]] = []

    def add(self, body: bytes, items: int) -> None:
        """Add a page's items, a JSON array."""
        if not items:
            return
        self._bodies.append(body)
        self._items += items
        self._bytes += len(body)
        if self._bytes >= BATCH_BYTES:
            self._decode()

    def finish(self) -> list[dict[str, Any]]:
        """The pieces of the segment: key, kind, JSON bytes."""
        if self._bodies:
            self._decode()
        self._put()
        return self._done

    def _decode(self) -> None:
        decoded = self._decoder.decode(self._bodies, self._items)
        kind = JsonFile if isinstance(decoded, bytes) else ArrowFile
        if not isinstance(self._file, kind):
            self._put()
            self._file = kind()
        self._file.add(decoded, self._bytes)
        self._bodies, self._bytes, self._items = [], 0, 0
        if self._file.size() >= PIECE_BYTES:
            self._put()

    def _put(self) -> None:
        if self._file is None:
            return
        key = f"{self._stem}-{len(self._done)}.{self._file.kind}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=self._file.content())
        self._done.append(
            {"key": key, "kind": self._file.kind, "json_bytes": self._file.json_bytes}
        )
        self._file = None


class JsonFile:
    """Pages of items, each a JSON array on a line."""

    kind = JSON

    def __init__(self) -> None:
        self._pages: list[bytes] = []
        self.json_bytes = 0

    def add(self, pages: bytes, json_bytes: int) -> None:
        self._pages.append(pages)
        self.json_bytes += json_bytes

    def size(self) -> int:
        return self.json_bytes

    def content(self) -> bytes:
        return b"".join(self._pages)


class ArrowFile:
    """Batches of items as Arrow streams, a new one whenever their schema changes."""

    kind = ARROW

    def __init__(self) -> None:
        self._sink = arrow().BufferOutputStream()
        self._stream: pa.RecordBatchStreamWriter | None = None
        self._schema: pa.Schema | None = None
        self.json_bytes = 0

    def add(self, batch: pa.RecordBatch, json_bytes: int) -> None:
        if self._stream is None or batch.schema != self._schema:
            self._end()
            ipc = arrow().ipc
            options = ipc.IpcWriteOptions(compression="zstd")
            self._schema = batch.schema
            self._stream = ipc.new_stream(self._sink, self._schema, options=options)
        self._stream.write_batch(batch)
        self.json_bytes += json_bytes

    def size(self) -> int:
        return int(self._sink.tell())

    def content(self) -> bytes:
        self._end()
        return bytes(self._sink.getvalue().to_pybytes())

    def _end(self) -> None:
        if self._stream is not None:
            self._stream.close()


def read_piece(
    piece: Mapping[str, Any], bucket: str, s3: S3Client
) -> Iterator[list[dict[str, Any]] | pa.StructArray]:
    """The piece's items: an array for each batch of an Arrow piece, a list for each JSON page."""
    content = s3.get_object(Bucket=bucket, Key=piece["key"])["Body"].read()
    if piece["kind"] == JSON:
        yield from (json.loads(page) for page in content.decode().split("\n") if page)
        return
    pa = arrow()
    source = pa.BufferReader(content)
    while source.tell() < len(content):
        for batch in pa.ipc.open_stream(source):
            yield batch.column(0)


def read_pieces(
    groups: Iterable[str], bucket: str, region: str
) -> Iterator[list[dict[str, Any]] | pa.StructArray]:
    """``read_piece`` for every piece in the groups."""
    s3 = s3_client(region)
    for group in groups:
        for piece in json.loads(group):
            yield from read_piece(piece, bucket, s3)


def dynamodb_items(batch: list[dict[str, Any]] | pa.StructArray) -> list[dict[str, Any]]:
    """The items that ``read_piece`` gives, in DynamoDB JSON."""
    return batch if isinstance(batch, list) else [without_nulls(item) for item in batch.to_pylist()]


def without_nulls(value: object) -> Any:  # noqa: ANN401 - JSON
    """An Arrow value in DynamoDB JSON: Arrow has a null for everything that is missing."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(element) for element in value] if isinstance(value, list) else value


def piece_items(groups: Iterable[str], bucket: str, region: str) -> Iterator[dict[str, Any]]:
    for batch in read_pieces(groups, bucket, region):
        yield from dynamodb_items(batch)


def group_pieces(pieces: Sequence[Mapping[str, Any]], parts: int) -> list[str]:
    """The pieces in at most ``parts`` groups of about equal size, in their order, as JSON."""
    whole = sum(piece["json_bytes"] for piece in pieces)
    groups: list[list[Mapping[str, Any]]] = [[] for _ in range(parts)]
    passed = 0
    for piece in pieces:
        middle = passed + piece["json_bytes"] / 2
        groups[min(parts - 1, int(middle * parts / whole))].append(piece)
        passed += piece["json_bytes"]
    return [json.dumps(group) for group in groups if group]


# --- dynoexport/jobs/write/counts.py --------------------------------------------------------------
# No object in S3 is larger: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
AVRO_BYTES_MAX = 50 * 1024**4
# Of each file: a header, or the frame of a document.
LINES_AROUND = {fmt: sum(map(len, frame((), fmt))) for fmt in LINE_FORMATS}
AVRO_BROKEN = "a part file is not a complete Avro file: start a new run"


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


def avro_size(read: Callable[[int], bytes]) -> int:
    """The next number, which says how many bytes follow.

    Raises:
        JobFailed: the file ends too early, or is not an Avro file.
    """
    size = avro_long(read)
    if size is None or not 0 <= size <= AVRO_BYTES_MAX:
        raise JobFailed(AVRO_BROKEN)
    return size


def count_avro_rows(read: Callable[[int], bytes]) -> int:
    """How many records an Avro container file has, from the headers of its blocks.

    https://avro.apache.org/docs/current/specification/#object-container-files

    Raises:
        JobFailed: the file ends too early, or is not an Avro file.
    """
    magic, sync = 4, 16
    read(magic)
    for pairs in iter(partial(avro_long, read), 0):
        if pairs is None:
            raise JobFailed(AVRO_BROKEN)
        if pairs < 0:
            avro_size(read)  # in bytes, of these pairs
        for _ in range(2 * abs(pairs)):
            read(avro_size(read))
    read(sync)
    rows = 0
    for count in iter(partial(avro_long, read), None):
        rows += count
        read(avro_size(read) + sync)
    return rows


def count_lines(chunks: Iterable[bytes], fmt: str) -> int:
    """The items in the lines of a file; an item is one line."""
    lines = 0
    for chunk in chunks:
        lines += chunk.count(b"\n")
    return lines - LINES_AROUND[fmt]


def count_rows(key: str, fmt: str, bucket: str, region: str) -> int:
    """The rows of one file, as it is in S3."""
    s3 = s3_client(region)
    if fmt == "parquet":
        import pyarrow.parquet

        return int(pyarrow.parquet.ParquetFile(open_object(s3, bucket, key)).metadata.num_rows)
    if fmt == "orc":
        import pyarrow.orc

        return int(pyarrow.orc.ORCFile(open_object(s3, bucket, key)).nrows)
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    return count_avro_rows(body.read) if fmt == "avro" else count_lines(body.iter_chunks(), fmt)


def count_written_rows(
    spark: SparkSession, s3: S3Client, fmt: str, paths: SnapshotPaths, keys: Sequence[str]
) -> int:
    """The rows in the files of the snapshot, counted in S3."""
    if fmt in COLUMNAR_FORMATS and arrow() is None:
        return spark.read.format(fmt).load(paths.uri(paths.snapshot)).count()
    count = partial(count_rows, fmt=fmt, bucket=paths.bucket, region=s3.meta.region_name)
    return spark.sparkContext.parallelize(keys, len(keys)).map(count).sum()


# --- dynoexport/jobs/checks.py --------------------------------------------------------------------
# For an on-demand table, Glue's connector knows only the default quota
# (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html).
CONNECTOR_ASSUMES: dict[str, Any] = {"OnDemandThroughput": {}, "WarmThroughput": {}}


def check_table(dynamodb: DynamoDBClient, settings: Settings) -> ReadPlan:
    """Check that the table exists; its description, and the read units a second that it has.

    Raises:
        JobFailed: the table does not exist.
    """
    try:
        table = describe_table(dynamodb, settings.table)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            region = dynamodb.meta.region_name
            raise JobFailed(
                f"there is no DynamoDB table {settings.table!r} in {region}: restore it, or "
                "destroy this export"
            ) from None
        raise
    if settings.reader == "connector":
        capacity = table_capacity({**table, **CONNECTOR_ASSUMES}, lambda: DYNAMODB_TABLE_READ_UNITS)
    else:
        capacity = table_capacity(table, partial(account_read_units, dynamodb))
    allowed = (
        f"this run may use {settings.read_percent:g} of its {number_text(capacity.units)} read "
        f"units a second ({capacity.source})"
    )
    if settings.reader == "export":
        allowed = "DynamoDB exports it without read units"
    log(
        f"the table has about {table.get('ItemCount', 0):,} items and "
        f"{table.get('TableSizeBytes', 0):,} bytes; {allowed}"
    )
    return ReadPlan(table, capacity)


def catalog_table(glue: GlueClient, settings: Settings) -> TableTypeDef | None:
    """The catalog table of the export's snapshots; None if it does not exist."""
    name = snapshots_table(settings.table, settings.catalog_prefix)
    return get_table(glue, settings.database, name)


def check_catalog(glue: GlueClient, settings: Settings) -> None:
    """Check that the catalog table, if it exists, belongs to this export.

    Raises:
        JobFailed: another table or format was exported under the same catalog name.
    """
    table = catalog_table(glue, settings)
    if table is not None:
        data = data_prefix(settings.table, settings.format)
        check_owner(table, settings.database, f"s3://{settings.bucket}/{data}")


def job_run(glue: GlueClient, settings: Settings) -> dict[str, Any]:
    """What this run of the job really has: WorkerType, NumberOfWorkers, GlueVersion.

    An edit of the job in the console changes its workers, but not the arguments that its stack
    set. Without the permission to read the job run, the arguments are used.
    """
    if settings.is_python:
        return {"WorkerType": "", "NumberOfWorkers": 0, "GlueVersion": ""}
    declared = {
        "WorkerType": settings.worker_type,
        "NumberOfWorkers": settings.number_of_workers,
        "GlueVersion": settings.glue_version,
    }
    try:
        run = glue.get_job_run(JobName=settings.job_name, RunId=settings.job_run_id)["JobRun"]
    except ClientError as error:
        log(f"cannot read this job run, so its workers are those of its arguments: {error}")
        return declared
    return {name: run.get(name) or declared[name] for name in declared}


# Everything that decides how long an export takes and what it costs.
DESCRIBED = (
    "TableSizeBytes",
    "ItemCount",
    "BillingModeSummary",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "WarmThroughput",
    "TableClassSummary",
)


def without_timestamps(content: Any) -> Any:  # noqa: ANN401 - JSON
    """Without the times of changes, which JSON cannot hold."""
    if isinstance(content, dict):
        return {name: value for name, value in content.items() if not isinstance(value, datetime)}
    return content


@dataclass(frozen=True)
class ReadPlan:
    """What to read.

    Attributes:
        table: DescribeTable's answer.
        capacity: the read units a second that the table has.
        splits: how many parts the connector reads.
    """

    table: Mapping[str, Any]
    capacity: Capacity
    splits: int = 1

    def described(self) -> dict[str, Any]:
        """The table's size and capacity at the start, as DescribeTable names them."""
        return {
            name: without_timestamps(self.table[name]) for name in DESCRIBED if name in self.table
        }


# --- dynoexport/jobs/schema/arrow_profile.py ------------------------------------------------------
def present_children(values: pa.StructArray) -> Iterator[tuple[str, pa.Array]]:
    """The parts of an array of structs that have a value: values by type, or fields by name."""
    for struct_field, content in zip(values.type, values.flatten()):
        if content.null_count < len(content):
            yield struct_field.name, content


def update_profile(profile: Profile, values: pa.StructArray, limit: int) -> None:
    """``Profile.add`` for an array of values."""
    for code, content in present_children(values):
        count = len(content) - content.null_count
        if code == "N":
            update_numbers(profile, content)
            continue
        kind = "L" if code in ELEMENTS else code
        profile.counts[kind] = profile.counts.get(kind, 0) + count
        if kind == "L":
            update_elements(profile, code, content.flatten(), limit)
        elif kind == "M" and not profile.many:
            for name, inner in present_children(content):
                update_profile(profile.fields.setdefault(name, Profile()), inner, limit)
            profile.bound(limit)


def update_elements(profile: Profile, code: str, elements: pa.Array, limit: int) -> None:
    if profile.element is None:
        profile.element = Profile()
    if code == "NS":
        update_numbers(profile.element, elements)
    elif code in ELEMENTS:
        counts, kind = profile.element.counts, ELEMENTS[code]
        counts[kind] = counts.get(kind, 0) + len(elements)
    elif not arrow().types.is_null(elements.type):
        update_profile(profile.element, elements, limit)


# The form of all numbers in DynamoDB but very large and very small ones.
NUMBER = r"^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]*[1-9])?$"


def update_numbers(profile: Profile, texts: pa.StringArray) -> None:
    pa = arrow()
    pc = pa.compute
    texts = texts.drop_null()
    if not len(texts):
        return
    ends = whole_ends(texts)
    if ends is None:
        usual = pc.match_substring_regex(texts, NUMBER)
        update_fractions(profile, texts.filter(usual))
        for text in texts.filter(pc.invert(usual)).to_pylist():
            profile.add({"N": text}, 0)
        return
    profile.counts["N"] = profile.counts.get("N", 0) + len(texts)
    digits = max(len(str(abs(end)).lstrip("0")) for end in ends.values())
    profile.digits = max(profile.digits, digits)


def whole_ends(texts: pa.StringArray) -> dict[str, int] | None:
    """The least and the greatest number; None if one is not a whole number of 64 bits."""
    pa = arrow()
    pc = pa.compute
    # For each text that it refuses, Arrow's cast writes a message: 50 times the cost of a number.
    if pc.any(pc.match_substring(texts, ".")).as_py():
        return None
    try:
        ends: dict[str, int] = pc.min_max(pc.cast(texts, pa.int64())).as_py()
    except pa.ArrowInvalid:
        return None
    return ends


def update_fractions(profile: Profile, texts: pa.StringArray) -> None:
    """Numbers of the usual form: digits and scale from the position of the point.

    Without a number of Python's: for each, Arrow imports pandas, half a second in each worker.
    """
    pa = arrow()
    pc = pa.compute
    if not len(texts):
        return
    texts = pc.ascii_ltrim(texts, characters="-")
    length, has_point = pc.binary_length(texts), pc.match_substring(texts, ".")
    is_whole = pc.invert(has_point)
    before = pc.if_else(has_point, pc.find_substring(texts, "."), length)
    behind = pc.subtract(pc.subtract(length, before), pc.cast(has_point, pa.int32()))
    before = pc.subtract(before, pc.cast(pc.starts_with(texts, "0"), pa.int32()))
    profile.digits = max(profile.digits, pc.max(before).as_py())
    profile.scale = max(profile.scale, pc.max(behind).as_py())
    whole = pc.sum(is_whole).as_py()
    for kind, count in (("N", whole), ("X", len(texts) - whole)):
        if count:
            profile.counts[kind] = profile.counts.get(kind, 0) + count


def profile_groups(
    groups: Iterable[str], read: Callable[[Iterable[str]], Iterable[Any]], limit: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """``profile_items`` for the batches that ``read`` finds in groups of pieces."""
    return profile_batches(read(groups), limit)


def profile_batches(
    batches: Iterable[list[dict[str, Any]] | pa.StructArray], limit: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """``profile_items`` for what ``read_piece`` gives."""
    profiles: dict[str, Profile] = {}
    number = 0
    for batch in batches:
        number += len(batch)
        if isinstance(batch, list):
            update_profiles(profiles, batch, limit)
            continue
        for name, values in present_children(batch):
            update_profile(profiles.setdefault(name, Profile()), values, limit)
    return dump_profiles(profiles, number)


# --- dynoexport/jobs/schema/types.py --------------------------------------------------------------
# Kinds of types by the catalog's names; UNKNOWN has only nulls and empty lists so far.
STRING, BIGINT, DOUBLE, DECIMAL = "string", "bigint", "double", "decimal"
BOOLEAN, BINARY, ARRAY, STRUCT, MAP, UNKNOWN = (
    "boolean",
    "binary",
    "array",
    "struct",
    "map",
    "unknown",
)
SCALARS = {"s": STRING, "bool": BOOLEAN, "b": BINARY}
# https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
TYPE_NAME_MAX = 131_072


@dataclass(frozen=True)
class Type:
    """The type of a column, an element or a field.

    ``digits`` are the most digits before the point so far; they are not part of the type. A struct
    without fields has only the value ``{}`` so far.
    """

    kind: str
    scale: int = 0
    digits: int = field(default=0, compare=False)
    element: Type | None = None
    fields: tuple[Field, ...] = ()

    @property
    def elements(self) -> Type:
        """The type of an array's elements.

        Raises:
            TypeError: it is not an array.
        """
        if self.element is None:
            raise TypeError(f"{self.kind} has no elements")
        return self.element


@dataclass(frozen=True)
class Field:
    """A field of a struct: the map's own key, and its name in the catalog."""

    attribute: str
    name: str
    type: Type


@dataclass(frozen=True)
class Rules:
    """The settings that decide the types of columns."""

    format: str
    type_conflicts: str
    maps_as: str
    max_struct_fields: int


def infer_type(profile: Profile, rules: Rules) -> Type:
    """The type that holds all values of a profile: see the tables in docs/types.md."""
    groups = profile.groups()
    if len(groups) != 1:
        return Type(STRING if groups else UNKNOWN)
    (group,) = groups
    if group == "n":
        return number_type(profile)
    if group == "l":
        return list_type(profile, rules)
    return struct_type(profile, rules) if group == "m" else Type(SCALARS[group])


def list_type(profile: Profile, rules: Rules) -> Type:
    element = Profile() if profile.element is None else profile.element
    if len(element.groups()) > 1:
        return Type(STRING)
    return Type(ARRAY, element=infer_type(element, rules))


def struct_type(profile: Profile, rules: Rules) -> Type:
    if profile.many or rules.maps_as == MAP:
        return Type(MAP)
    names = column_names(profile.fields)
    fields = (
        Field(attribute, name, infer_type(profile.fields[attribute], rules))
        for attribute, name in names.items()
    )
    return Type(STRUCT, fields=tuple(sorted(fields, key=field_name)))


def number_type(profile: Profile) -> Type:
    if "D" in profile.counts:
        return Type(DOUBLE)
    if "X" not in profile.counts:
        return Type(BIGINT, digits=profile.digits)
    if profile.exact():
        return Type(DECIMAL, scale=profile.scale, digits=profile.digits)
    return Type(STRING)


def inexact_numbers(profile: Profile, path: str) -> Iterator[str]:
    """The paths of numbers that no decimal type holds."""
    if profile.groups() == {"n"} and "X" in profile.counts and not profile.exact():
        yield path
    if profile.element is not None:
        yield from inexact_numbers(profile.element, f"{path}[]")
    for name, inner in sorted(profile.fields.items()):
        yield from inexact_numbers(inner, f"{path}.{name}")


def resolve_unknown(kind: Type) -> Type:
    """The type with a default in place of every unknown part."""
    if kind.kind == UNKNOWN:
        return Type(STRING)
    if kind.kind == ARRAY:
        return replace(kind, element=resolve_unknown(kind.elements))
    if kind.kind == STRUCT:
        if not kind.fields:
            return Type(MAP)
        fields = tuple(
            replace(struct_field, type=resolve_unknown(struct_field.type))
            for struct_field in kind.fields
        )
        return replace(kind, fields=fields)
    return kind


def type_name(kind: Type, fmt: str = "") -> str:
    """The type's name in the catalog, for files of the format.

    In json, binary stays base64. The csv SerDe knows strings only.
    """
    if fmt in TEXT_FORMATS or (fmt == "json" and kind.kind == BINARY):
        return STRING
    if kind.kind == DECIMAL:
        return f"decimal({DECIMAL_DIGITS},{kind.scale})"
    if kind.kind == ARRAY:
        return f"array<{type_name(kind.elements, fmt)}>"
    if kind.kind == STRUCT:
        fields = ",".join(
            f"{struct_field.name}:{type_name(struct_field.type, fmt)}"
            for struct_field in kind.fields
        )
        return f"struct<{fields}>"
    return "map<string,string>" if kind.kind == MAP else kind.kind


def type_shape(kind: Type) -> str | dict[str, Any]:
    """The type for the manifest, with the names that keys have in DynamoDB."""
    if kind.kind == ARRAY:
        return {ARRAY: type_shape(kind.elements)}
    if kind.kind == STRUCT:
        return {
            STRUCT: [
                [struct_field.attribute, struct_field.name, type_shape(struct_field.type)]
                for struct_field in kind.fields
            ]
        }
    return type_name(kind)


def parse_shape(shape: str | Mapping[str, Any]) -> Type:
    """The type of a shape that ``type_shape`` wrote."""
    if not isinstance(shape, str):
        ((kind, inner),) = shape.items()
        if kind == ARRAY:
            return Type(ARRAY, element=parse_shape(inner))
        return Type(
            STRUCT,
            fields=tuple(
                Field(attribute, name, parse_shape(inner_shape))
                for attribute, name, inner_shape in inner
            ),
        )
    decimal = re.match(r"decimal\(\d+,(\d+)\)$", shape)
    if decimal:
        return Type(DECIMAL, scale=int(decimal[1]))
    return Type(MAP if shape.startswith(MAP) else shape)


def widen_type(known: Type, found: Type) -> Type | None:
    """The type that holds both ``known`` and ``found``; None if there is no such type."""
    if found.kind == UNKNOWN or (is_empty_map(found) and known.kind in {STRUCT, MAP}):
        return known
    if known.kind == DECIMAL and found.kind in {BIGINT, DECIMAL}:
        fits = found.scale <= known.scale and found.digits + known.scale <= DECIMAL_DIGITS
        return known if fits else None
    if known.kind != found.kind:
        return None
    if known.kind == ARRAY:
        element = widen_type(known.elements, found.elements)
        return None if element is None else replace(known, element=element)
    return add_fields(known, found.fields) if known.kind == STRUCT else known


def is_empty_map(kind: Type) -> bool:
    return kind.kind == STRUCT and not kind.fields


def add_fields(struct: Type, found: Iterable[Field]) -> Type | None:
    """The struct with the missing fields after its own; None if a field has another type."""
    fields = {struct_field.attribute: struct_field for struct_field in struct.fields}
    new = []
    for struct_field in found:
        known = fields.get(struct_field.attribute)
        if known is None:
            new.append(struct_field)
            continue
        kind = widen_type(known.type, struct_field.type)
        if kind is None:
            return None
        fields[struct_field.attribute] = replace(known, type=kind)
    taken = [struct_field.name for struct_field in fields.values()]
    names = column_names([struct_field.attribute for struct_field in new], reserved=taken)
    more = sorted(
        (replace(struct_field, name=names[struct_field.attribute]) for struct_field in new),
        key=field_name,
    )
    return replace(struct, fields=(*fields.values(), *more))


def field_name(struct_field: Field) -> str:
    return struct_field.name


# --- dynoexport/jobs/readers/sample.py ------------------------------------------------------------
# A page has at most 1 MB, which costs 128 read units:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
SAMPLE_ITEMS = 100


@dataclass(frozen=True)
class Sample:
    """What a page of the table shows.

    Attributes:
        units: the read units that it consumed.
        losses: the kinds of values that the connector may change, by attribute.
    """

    items: int
    units: float
    losses: Mapping[str, Sequence[str]]


def sample_table(
    dynamodb: DynamoDBClient, table: str, fmt: str, selected: Callable[[str], bool]
) -> Sample:
    """Read one page of the table; of its items, the selected attributes."""
    page = dynamodb.scan(TableName=table, Limit=SAMPLE_ITEMS, ReturnConsumedCapacity="TOTAL")
    items = [
        {name: value for name, value in item.items() if selected(name)} for item in page["Items"]
    ]
    units = page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
    return Sample(len(items), units, find_losses(items, fmt))


def sample_report(dynamodb: DynamoDBClient, settings: Settings) -> dict[str, Any]:
    """What a sample shows, for the manifest. The job's role may Scan, as the connector does.

    A role in the table's account may allow less: then there is no sample.
    """
    selected = attribute_filter(settings.columns, settings.exclude)
    try:
        found = sample_table(dynamodb, settings.table, settings.format, selected)
    except (ClientError, BotoCoreError) as error:
        log(f"no sample was read: {error}")
        return {}
    log(f"read a sample of {items_text(found.items)} with {number_text(found.units)} read units")
    for name, kinds in found.losses.items():
        log(f"the connector may change {name!r}: {', '.join(kinds)}")
    return {"sampled_items": found.items, "losses": dict(found.losses)}


# --- dynoexport/jobs/readers/connector.py ---------------------------------------------------------
def splits_for(worker_type: str, number_of_workers: int, glue_version: str) -> int:
    """How many parts the connector reads: executors x task slots of each, at most 1,000,000.

    One of the workers is the driver, the others are executors. Slots of an executor:

        Glue 2.0         G.1X 8, G.2X 16
        Glue 3.0 and on  G.1X 4, G.2X 8, G.4X 16, G.8X 32

    Source: "dynamodb.splits" in
    https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html
    (for Glue 2.0 its edition of 2021). Glue's own default is 1, a read without parallelism.

    Raises:
        JobFailed: AWS publishes no slots for the worker type.
    """
    slots = GLUE_2_SLOTS if glue_version == "2.0" else GLUE_SLOTS
    if worker_type not in slots:
        raise JobFailed(
            f"Splits cannot be computed, because AWS does not publish the task slots of WorkerType "
            f"{worker_type!r} on Glue {glue_version}: set Splits, for example to 4 for each vCPU"
        )
    return max(1, min((number_of_workers - 1) * slots[worker_type], DYNAMODB_SPLITS_MAX))


def read_by_connector(
    glue_context: GlueContext, settings: Settings, splits: int, s3: S3Client, paths: SnapshotPaths
) -> ReadResult:
    """Read the table once with Glue's own DynamoDB source.

    The DynamicFrame is written unchanged. toDF() would scan the table a second time to find its
    schema, and double the bill (https://github.com/awslabs/amazon-dynamodb-tools/issues/81). The
    JSON writer needs no schema.
    """
    frame = glue_context.create_dynamic_frame.from_options(
        connection_type="dynamodb",
        connection_options={
            "dynamodb.input.tableName": settings.table,
            "dynamodb.splits": str(splits),
            "dynamodb.throughput.read.percent": str(settings.read_percent),
            **({"dynamodb.sts.roleArn": settings.source_role} if settings.source_role else {}),
        },
    )
    # Without backticks, a dot in an attribute's name would mean a field of a nested one.
    if settings.columns:
        frame = frame.select_fields([f"`{name}`" for name in settings.columns])
    if settings.exclude:
        frame = frame.drop_fields([f"`{name}`" for name in settings.exclude])
    path = paths.uri(paths.temp)
    glue_context.write_dynamic_frame.from_options(
        frame=frame, connection_type="s3", connection_options={"path": path}, format="json"
    )
    json_bytes = sum(list_objects(s3, paths.bucket, paths.temp).values())
    return ReadResult("plain", json_bytes, uri=path)


# --- dynoexport/jobs/readers/point_in_time.py -----------------------------------------------------
def base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


EXPORT_SECONDS_BETWEEN = 20
MD5_TEXT = re.compile(r"[0-9a-f]{32}|[A-Za-z0-9+/]{22}==")


def check_recovery(dynamodb: DynamoDBClient, settings: Settings) -> None:
    """Check that DynamoDB can export the table by itself.

    Raises:
        JobFailed: point-in-time recovery is off.
    """
    answer = dynamodb.describe_continuous_backups(TableName=settings.table)
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise JobFailed(
            f"ReadMode export needs point-in-time recovery, which is off for {settings.table}; "
            f"turn it on: aws dynamodb update-continuous-backups --table-name {settings.table} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        )


def read_by_export(
    spark: SparkSession,
    settings: Settings,
    clients: Clients,
    paths: SnapshotPaths,
    sleep: Callable[[float], None] = time.sleep,
) -> ReadResult:
    """Have DynamoDB export the table to the temporary prefix, and check its files.

    Raises:
        JobFailed: the export failed, or a file does not match the export's manifest.
    """
    arn = request_export(settings, clients, paths)
    try:
        done = wait_for_export(clients.dynamodb, arn, sleep)
        files = export_files(clients.s3, paths.bucket, done["ExportManifest"])
        check_export_files(spark, files, paths.bucket, clients.s3.meta.region_name)
    except JobFailed:
        # A retry must not use the files of an export that failed.
        clear_if_possible(clients.s3, paths.bucket, paths.temp)
        raise
    billed = done.get("BilledSizeBytes", 0)
    return ReadResult(
        "export",
        billed or len(files),
        pieces=tuple(export_pieces(files, billed)),
        report={"billed_bytes": billed},
    )


def export_pieces(files: Sequence[Mapping[str, Any]], billed: int) -> Iterator[dict[str, Any]]:
    """The files as pieces: key, and about how many bytes of JSON its items are."""
    items = sum(file["items"] for file in files)
    for file in files:
        yield {"key": file["key"], "json_bytes": max(1, billed * file["items"] // items)}


def request_export(settings: Settings, clients: Clients, paths: SnapshotPaths) -> str:
    """The ARN of the run's export. It is billed once: a retry uses the one that exists.

    The note in S3 holds the client token first, then the ARN. If a request
    with the same token follows within eight hours, DynamoDB returns the first export.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
    """
    table = clients.dynamodb.describe_table(TableName=settings.table)["Table"]
    request: dict[str, Any] = {
        "TableArn": table["TableArn"],
        "S3Bucket": paths.bucket,
        "S3Prefix": paths.temp.rstrip("/"),
        "ExportFormat": "DYNAMODB_JSON",
        **export_encryption(settings),
    }
    wanted = {"table_id": table.get("TableId", ""), "request": request}
    note = read_export_note(clients.s3, paths)
    if {name: note.get(name) for name in wanted} != wanted:
        clear(clients.s3, paths.bucket, paths.temp)
        note = {**wanted, "token": os.urandom(16).hex()}
        write_export_note(clients.s3, paths, note)
    if "arn" in note:
        log(f"continuing with the export of an earlier attempt: {note['arn']}")
        return str(note["arn"])
    answer = clients.dynamodb.export_table_to_point_in_time(**request, ClientToken=note["token"])
    arn = answer["ExportDescription"]["ExportArn"]
    write_export_note(clients.s3, paths, {**note, "arn": arn})
    log(f"DynamoDB is exporting the table to {paths.uri(paths.temp)}: {arn}")
    return arn


def export_note_key(paths: SnapshotPaths) -> str:
    return f"{paths.temp}export.json"


def read_export_note(s3: S3Client, paths: SnapshotPaths) -> dict[str, Any]:
    """The note of an earlier attempt about its export; empty without one."""
    return parse_json_object(read_object(s3, paths.bucket, export_note_key(paths))) or {}


def write_export_note(s3: S3Client, paths: SnapshotPaths, note: Mapping[str, Any]) -> None:
    body = json.dumps(note).encode()
    s3.put_object(Bucket=paths.bucket, Key=export_note_key(paths), Body=body)


def export_encryption(settings: Settings) -> dict[str, Any]:
    """The bucket's KMS key, if it has one. By default, DynamoDB encrypts with S3's own key.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    """
    if not settings.kms_key:
        return {}
    return {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": settings.kms_key}


def wait_for_export(
    dynamodb: DynamoDBClient, arn: str, sleep: Callable[[float], None]
) -> ExportDescriptionTypeDef:
    """Wait until the export ends; return its description.

    Raises:
        JobFailed: the export failed, with DynamoDB's reason.
    """
    pause = 1.0
    while True:
        export = dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
        if export["ExportStatus"] == "COMPLETED":
            return export
        if export["ExportStatus"] == "FAILED":
            reason = export.get("FailureMessage") or export.get("FailureCode") or "no reason given"
            raise JobFailed(f"DynamoDB's export {arn} failed: {reason}")
        sleep(pause)
        pause = min(2 * pause, EXPORT_SECONDS_BETWEEN)


def export_files(s3: S3Client, bucket: str, summary_key: str) -> list[dict[str, Any]]:
    """Key, MD5 and number of items of the data files that have some, from the two manifests.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html

    Raises:
        JobFailed: a manifest does not match its checksum, or they contradict each other.
    """
    try:
        summary = json.loads(read_verified(s3, bucket, summary_key))
        lines = read_verified(s3, bucket, str(summary["manifestFilesS3Key"])).splitlines()
        files = [json.loads(line) for line in lines if line.strip()]
        listed = [
            (int(file["itemCount"]), str(file["dataFileS3Key"]), str(file["md5Checksum"]))
            for file in files
        ]
        stated = int(summary["itemCount"])
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise JobFailed(
            f"s3://{bucket}/{summary_key} or the file list that it names is not a valid manifest "
            f"of an export ({type(error).__name__}): start a new run"
        ) from None
    counted = sum(items for items, _, _ in listed)
    if counted != stated:
        raise JobFailed(
            f"the manifest of DynamoDB's export says {stated:,} items, but its files have "
            f"{counted:,}: start a new run"
        )
    return [{"key": key, "md5": md5, "items": items} for items, key, md5 in listed if items > 0]


def read_verified(s3: S3Client, bucket: str, key: str) -> str:
    """A manifest of the export, compared with the checksum beside it, if one exists.

    Raises:
        JobFailed: it is missing, or does not match its checksum.
    """
    content = read_object(s3, bucket, key)
    if content is None:
        raise JobFailed(f"s3://{bucket}/{key} is missing: start a new run")
    md5 = hashlib.md5(content)  # noqa: S324 - DynamoDB's checksum
    stated = stated_md5(s3, bucket, key)
    if stated is None:
        log(f"s3://{bucket}/{key} has no checksum file: it is read without verification")
    elif stated not in {md5.hexdigest(), base64_text(md5.digest())}:
        raise JobFailed(f"s3://{bucket}/{key} does not match its checksum: start a new run")
    return content.decode()


def stated_md5(s3: S3Client, bucket: str, key: str) -> str | None:
    """The MD5 that the export wrote beside its manifest; None without one.

    AWS writes ``manifest-summary.md5``
    (https://github.com/scylladb/scylladb/blob/master/test/alternator/test_export.py), but its page
    names ``manifest-summary.checksum``
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html).
    """
    for ending in (".md5", ".checksum"):
        try:
            beside = s3.get_object(Bucket=bucket, Key=key[: -len(".json")] + ending)["Body"].read()
        except ClientError as error:
            # For a missing key, S3 answers AccessDenied to a caller that may not list the bucket.
            if error.response["Error"]["Code"] not in {"NoSuchKey", "AccessDenied"}:
                raise
            continue
        stated = beside.decode(errors="replace").strip()
        if MD5_TEXT.fullmatch(stated):
            return stated
    return None


def check_export_files(
    spark: SparkSession, files: Sequence[Mapping[str, Any]], bucket: str, region: str
) -> None:
    """Compare the data files with the export's manifest.

    Raises:
        JobFailed: one does not match its checksum.
    """
    check = partial(check_export_file, bucket=bucket, region=region)
    wrong = spark.sparkContext.parallelize(files, max(1, len(files))).map(check).filter(bool)
    for complaint in wrong.take(1):
        raise JobFailed(complaint)


def check_export_file(file: Mapping[str, Any], bucket: str, region: str) -> str:
    """What is wrong with a data file; empty if it matches the manifest."""
    key = file["key"]
    body = s3_client(region).get_object(Bucket=bucket, Key=key)["Body"]
    md5 = hashlib.md5()  # noqa: S324 - DynamoDB's checksum
    for chunk in iter(partial(body.read, 1 << 20), b""):
        md5.update(chunk)
    if base64_text(md5.digest()) == file["md5"]:
        return ""
    return (
        f"s3://{bucket}/{key} does not match its checksum in DynamoDB's manifest: start a new run"
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


# --- dynoexport/jobs/write/upload.py --------------------------------------------------------------
# A part file of the usual size has two of them. S3 takes at least 5 MiB, but for the last one, and
# at most 10,000 of them:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
UPLOAD_PART_BYTES = 64 * 1024 * 1024
# Each waits for S3, not for the processor.
COMPLETIONS_AT_ONCE = 16


@dataclass(frozen=True)
class UploadedFile:
    """A file whose parts are in S3; ``replaced`` are the characters that XML cannot hold."""

    key: str
    upload_id: str
    parts: tuple[Mapping[str, Any], ...]
    bytes: int
    rows: int
    replaced: int = 0

    def to_dict(self) -> dict[str, Any]:
        # dataclasses.asdict finds no fields in a worker, to which Spark sends classes by value:
        # https://github.com/cloudpipe/cloudpickle/issues/386
        return dict(vars(self))


class PartUpload:
    """A writable binary file that becomes the parts of one object."""

    def __init__(self, s3: S3Client, bucket: str, key: str) -> None:
        self._s3, self._bucket, self._key = s3, bucket, key
        self._checks = checksum_options(s3)
        answer = s3.create_multipart_upload(Bucket=bucket, Key=key, **self._checks)
        log_retries(answer, f"the upload of {key}")
        self._upload_id = answer["UploadId"]
        self._pending = bytearray()
        self._parts: list[dict[str, Any]] = []
        self._bytes = 0
        # pyarrow looks at it before it writes.
        self.closed = False

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:  # noqa: ANN401 - bytes, or a buffer of pyarrow
        view = memoryview(content)
        self._pending += view
        self._bytes += view.nbytes
        if len(self._pending) >= UPLOAD_PART_BYTES:
            self._send()
        return view.nbytes

    def tell(self) -> int:
        return self._bytes

    def flush(self) -> None:
        """Nothing: a part that is too small would be refused."""

    def close(self) -> None:
        """Nothing: ``finish`` sends the rest, and only a writer that succeeded calls it."""

    def finish(self, rows: int, replaced: int = 0) -> UploadedFile:
        """Send the rest. The object still does not exist."""
        if self._pending or not self._parts:
            self._send()
        self.closed = True
        parts = tuple(self._parts)
        return UploadedFile(self._key, self._upload_id, parts, self._bytes, rows, replaced)

    def abort(self) -> None:
        """Remove what was uploaded, if S3 lets us: the driver or the bucket's rule does it else."""
        self.closed = True
        try:
            self._s3.abort_multipart_upload(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload_id
            )
        except ClientError as error:
            log(f"left an upload of {self._key}: {error}")

    def _send(self) -> None:
        # botocore takes it as it is; its types know only bytes.
        body: Any = self._pending
        self._pending = bytearray()
        number = len(self._parts) + 1
        options: dict[str, Any] = dict(self._checks)
        if not options:
            options["ContentMD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()  # noqa: S324 - what S3 checks
        answer = self._s3.upload_part(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=body,
            **options,
        )
        log_retries(answer, f"part {number} of {self._key}")
        part = {"PartNumber": number, "ETag": answer["ETag"]}
        # "The complete request must include the checksum for each part."
        # https://github.com/aws/aws-sdk-go-v2/issues/2847
        if "ChecksumCRC32" in answer:
            part["ChecksumCRC32"] = answer["ChecksumCRC32"]
        self._parts.append(part)


def checksum_options(s3: S3Client) -> dict[str, Any]:
    """How S3 checks a part; nothing where boto3 is older than this, and a part has its MD5."""
    shape = s3.meta.service_model.operation_model("UploadPart").input_shape
    known = shape is not None and "ChecksumAlgorithm" in shape.members
    return {"ChecksumAlgorithm": "CRC32"} if known else {}


def complete_upload(s3: S3Client, bucket: str, file: UploadedFile) -> None:
    """Make the file visible."""
    parts: list[Any] = [dict(part) for part in file.parts]
    try:
        answer = s3.complete_multipart_upload(
            Bucket=bucket,
            Key=file.key,
            UploadId=file.upload_id,
            MultipartUpload={"Parts": parts},
        )
        log_retries(answer, f"the end of {file.key}")
    except ClientError as error:
        # S3 also answers so if the upload is complete, as after an answer that was lost:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        # No other upload has this key.
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
        if list_objects(s3, bucket, file.key).get(file.key) != file.bytes:
            raise


def complete_uploads(s3: S3Client, bucket: str, files: Sequence[UploadedFile]) -> None:
    """Make the files visible.

    Raises:
        ClientError: S3 refuses one of them.
    """
    with ThreadPoolExecutor(COMPLETIONS_AT_ONCE) as executor:
        # Only who takes the results sees what was raised.
        list(executor.map(partial(complete_upload, s3, bucket), files))


def list_uploads(s3: S3Client, bucket: str, prefix: str) -> list[tuple[str, str]]:
    """Key and ID of every upload under the prefix that is not complete."""
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    return [
        (upload["Key"], upload["UploadId"]) for page in pages for upload in page.get("Uploads", [])
    ]


def abort_uploads(s3: S3Client, bucket: str, prefix: str) -> None:
    """Remove what lost tasks have uploaded under the prefix.

    A failure only leaves it to the bucket's rule, which removes it within days.
    """
    try:
        left = list_uploads(s3, bucket, prefix)
        for key, upload_id in left:
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except ClientError as error:
        log(f"left uploads under s3://{bucket}/{prefix}: {error}")
        return
    if left:
        log(f"removed {counted(len(left), 'upload')} of lost tasks")


# --- dynoexport/jobs/readers/export_files.py ------------------------------------------------------
def open_exported(groups: Iterable[str], bucket: str, region: str) -> Iterator[gzip.GzipFile]:
    """Each file in the groups of pieces."""
    s3 = s3_client(region)
    for group in groups:
        for piece in json.loads(group):
            yield gzip.GzipFile(fileobj=s3.get_object(Bucket=bucket, Key=piece["key"])["Body"])


def export_lines(groups: Iterable[str], bucket: str, region: str) -> Iterator[str]:
    """The lines of the files."""
    for file in open_exported(groups, bucket, region):
        yield from io.TextIOWrapper(file, encoding="utf-8", newline="\n")


def export_batches(
    groups: Iterable[str],
    bucket: str,
    region: str,
    selected: Callable[[str], bool],
    blanked: Collection[str] = (),
) -> Iterator[list[dict[str, Any]] | pa.StructArray]:
    """The selected attributes of the items in the files, in batches as ``read_pieces`` has them.

    A ``blanked`` attribute becomes a null, which only says that the item has it.
    """
    decoder = Decoder(lambda name: name in blanked or selected(name), columnar=True, whole=False)
    for file in open_exported(groups, bucket, region):
        for lines in whole_lines(file):
            batch = decoder.decode_lines(lines)
            if isinstance(batch, list):
                yield [blank_item(item, blanked) for item in batch]
            else:
                yield blank_array(batch.column(0), blanked)


def whole_lines(file: gzip.GzipFile) -> Iterator[bytes]:
    """The lines of the file, about ``BATCH_BYTES`` of them at once."""
    for start in iter(lambda: file.read(BATCH_BYTES), b""):
        text = start + file.readline()
        yield text if text.endswith(b"\n") else text + b"\n"


def blank_item(item: dict[str, Any], blanked: Collection[str]) -> dict[str, Any]:
    """The item with a null in the place of each blanked value."""
    return {name: {"NULL": True} if name in blanked else value for name, value in item.items()}


def blank_array(items: pa.StructArray, blanked: Collection[str]) -> pa.StructArray:
    """``blank_item`` for an array of items."""
    if not any(field.name in blanked for field in items.type):
        return items
    pa = arrow()
    arrays = [
        presence(array) if field.name in blanked else array
        for field, array in zip(items.type, items.flatten())
    ]
    fields = [pa.field(field.name, array.type) for field, array in zip(items.type, arrays)]
    return pa.StructArray.from_arrays(arrays, fields=fields)


def presence(values: pa.Array) -> pa.StructArray:
    """A null of DynamoDB's for each value."""
    pa = arrow()
    there = values.is_valid()
    kind = pa.struct([("NULL", pa.bool_())])
    return pa.Array.from_buffers(kind, len(there), [there.buffers()[1]], children=[there])


# --- dynoexport/jobs/scan/task.py -----------------------------------------------------------------
# Seconds that a segment waits after failures in a row, at first and at most.
BACKOFF, BACKOFF_MAX = 0.05, 30.0


class Cursor:
    """How far a segment has been read."""

    def __init__(self, segment: int, pieces: SegmentBuffer) -> None:
        self.segment = segment
        self.pieces = pieces
        self.start: Mapping[str, Any] | None = None
        self.ready_at = self.began = time.monotonic()
        self.failures = 0
        self.record: dict[str, Any] = {
            "segment": segment,
            "items": 0,
            "bytes": 0,
            "units": 0.0,
            "throttles": 0,
        }

    def add(self, page: Page) -> None:
        self.pieces.add(page.body, page.items)
        self.record["items"] += page.items
        self.record["bytes"] += len(page.body)
        self.record["units"] += page.units
        # Not 0: a segment that was throttled a moment ago is soon throttled again.
        self.start, self.failures = page.next, self.failures // 2

    def postpone(self) -> None:
        """Wait longer after each failure in a row, up to half a minute."""
        self.failures += 1
        pause = min(BACKOFF_MAX, BACKOFF * 2**self.failures)
        self.ready_at = time.monotonic() + pause * random.uniform(0.5, 1)  # noqa: S311 - no secret


def scan_task(scan: ScanSpecification, tasks: Iterable[int]) -> Iterator[str]:
    """Read segments until all are dealt; their records as JSON."""
    for _ in tasks:
        coordinator = CoordinatorClient(scan.address)
        try:
            first = coordinator.ask("take")
            records = [] if first is None else segment_reader(scan, coordinator, first).run()
        finally:
            coordinator.close()
        yield from map(json.dumps, records)


def segment_reader(
    scan: ScanSpecification, coordinator: CoordinatorClient, first: int
) -> SegmentReader:
    s3 = s3_client(scan.region)
    return SegmentReader(scan, coordinator, first, PageReader(scan), s3)


class SegmentReader:
    """Reads some segments in turn, page by page, in a few threads that wait for the network."""

    def __init__(
        self,
        scan: ScanSpecification,
        coordinator: CoordinatorClient,
        first: int,
        pages: PageReader,
        s3: S3Client,
    ) -> None:
        self._scan, self._coordinator = scan, coordinator
        self._pages, self._s3 = pages, s3
        self._decoder = Decoder(scan.selected, columnar=scan.columnar, whole=scan.whole)
        self._lock = threading.Condition()
        self._stop = threading.Event()
        self._open = deque([self._begin(first)])
        self._at_work = 0
        self._all_dealt = False
        self._records: list[dict[str, Any]] = []
        self._error: BaseException | None = None

    def run(self) -> list[dict[str, Any]]:
        """Read the segments; a record for each.

        Raises:
            ClientError: DynamoDB or S3 refused a call.
        """
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(STREAMS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error
        return self._records

    def _work(self) -> None:
        try:
            while True:
                cursor = self._next()
                if cursor is None:
                    return
                is_done = self._step(cursor)
                with self._lock:
                    self._at_work -= 1
                    if not is_done:
                        self._open.append(cursor)
                    self._lock.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again by the task's own thread
            with self._lock:
                self._error = self._error or error
                self._stop.set()
                self._lock.notify_all()

    def _next(self) -> Cursor | None:
        """The next segment to read: one that need not wait, else a new one; None at the end."""
        with self._lock:
            while self._error is None:
                now = time.monotonic()
                for cursor in self._open:
                    if cursor.ready_at <= now:
                        self._open.remove(cursor)
                        self._at_work += 1
                        return cursor
                if not self._all_dealt and len(self._open) + self._at_work < OPEN_SEGMENTS:
                    segment = self._coordinator.ask("take")
                    self._all_dealt = segment is None
                    if segment is not None:
                        self._at_work += 1
                        return self._begin(segment)
                elif not self._open and not self._at_work:
                    return None
                else:
                    soonest = min((cursor.ready_at for cursor in self._open), default=now + 60)
                    self._lock.wait(max(0.0, soonest - now))
            return None

    def _begin(self, segment: int) -> Cursor:
        return Cursor(segment, SegmentBuffer(self._scan, segment, self._decoder, self._s3))

    def _step(self, cursor: Cursor) -> bool:
        """Read one page of the segment; True if it was the last."""
        lent, hot = 0.0, cursor.record["units"] > self._scan.hot_units
        while not lent:
            wait, items, lent = self._coordinator.ask("turn", stream=threading.get_ident(), hot=hot)
            if self._stop.wait(wait):
                return False
        try:
            page = self._pages.read(cursor.segment, cursor.start, items)
        except ClientError as error:
            self._refused(cursor, lent, error)
            return False
        except (BotoCoreError, HTTPClientError, BadPage):
            self._coordinator.ask("read", lent=lent, units=0.0, items=0)
            cursor.postpone()
            if cursor.failures > FAILURES_MAX:
                raise
            return False
        self._coordinator.ask("read", lent=lent, units=page.units, items=page.items)
        cursor.add(page)
        if page.next:
            return False
        self._finish(cursor)
        return True

    def _refused(self, cursor: Cursor, lent: float, error: ClientError) -> None:
        """Try the segment again later, if that may help."""
        code = error.response["Error"]["Code"]
        if code in THROTTLES:
            reasons = json.dumps(error.response.get("ThrottlingReasons", []))
            key_range = "KeyRange" in reasons if "Exceeded" in reasons else None
            self._coordinator.ask("throttled", lent=lent, key_range=key_range)
            cursor.record["throttles"] += 1
            cursor.postpone()
            return
        self._coordinator.ask("read", lent=lent, units=0.0, items=0)
        cursor.postpone()
        if code not in TRANSIENT or cursor.failures > FAILURES_MAX:
            raise error

    def _finish(self, cursor: Cursor) -> None:
        """Record the segment as read: a retry of the job does not read it again."""
        record = {**cursor.record, "seconds": round(time.monotonic() - cursor.began, 3)}
        record["pieces"] = cursor.pieces.finish()
        record["left_out"] = sorted(self._decoder.left_out)
        self._s3.put_object(
            Bucket=self._scan.bucket,
            Key=record_key(self._scan.prefix, cursor.segment),
            Body=json.dumps(record).encode(),
        )
        self._coordinator.ask("done", segment=cursor.segment)
        with self._lock:
            self._records.append(record)


# --- dynoexport/jobs/schema/catalog_types.py ------------------------------------------------------
# Numbers as a crawler, Glue's own writers or a person may have declared them.
CATALOG_SCALARS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), BIGINT),
    **dict.fromkeys(("float", "double"), DOUBLE),
    **{kind: kind for kind in (STRING, BOOLEAN, BINARY)},
    "map<string,string>": MAP,
}


def parse_catalog_type(name: str) -> Type:
    """The type of a column in the catalog; a field's key in DynamoDB is assumed to be its name.

    Raises:
        ValueError: no export writes this type.
    """
    inner = name.partition("<")[2][:-1]
    if name in CATALOG_SCALARS:
        return Type(CATALOG_SCALARS[name])
    if name.startswith("decimal("):
        return parse_shape(name.replace(" ", ""))
    if name.startswith("array<"):
        return Type(ARRAY, element=parse_catalog_type(inner))
    if name.startswith("struct<"):
        pairs = [part.partition(":") for part in split_fields(inner)]
        return Type(
            STRUCT,
            fields=tuple(Field(key, key, parse_catalog_type(kind)) for key, _, kind in pairs),
        )
    raise ValueError(name)


def split_fields(inner: str) -> list[str]:
    """The parts between commas, except commas within brackets."""
    parts, depth = [""], 0
    for character in inner:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


# --- dynoexport/jobs/schema/changes.py ------------------------------------------------------------
# The codes of the values that a column of the type has always held.
HELD = {
    STRING: {"S"},
    BIGINT: {"N"},
    DOUBLE: {"N", "X", "D"},
    DECIMAL: {"N", "X"},
    BOOLEAN: {"BOOL"},
    BINARY: {"B"},
    ARRAY: {"L"},
    STRUCT: {"M"},
    MAP: {"M"},
}
CHANGE_TEXT_MAX = 200


def visible_columns(columns: Iterable[Column]) -> dict[str, Column]:
    return {column.view: column for column in columns if column.shown and column.items}


def changes_between(
    before: Sequence[Column], after: Sequence[Column], profiles: Mapping[str, Profile]
) -> list[str]:
    """A line for each changed attribute, such as "rating: bigint -> string, 3 items"."""
    if not before:
        return []
    old, new = visible_columns(before), visible_columns(after)
    changes = {
        name: f"gone, was {short_type_name(old[name].type)}" for name in old if name not in new
    }
    for name, column in new.items():
        if name not in old:
            changes[name] = f"new, {short_type_name(column.type)}, {items_text(column.items)}"
        elif old[name].type != column.type:
            count = count_mismatches(profiles.get(column.attribute, Profile()), old[name].type)
            more = f", {items_text(count)}" if count else ""
            changes[name] = (
                f"{short_type_name(old[name].type)} -> {short_type_name(column.type)}{more}"
            )
    return [f"{name}: {changes[name]}" for name in sorted(changes)]


def count_mismatches(profile: Profile, kind: Type) -> int:
    """How many values have another type than those that a column of the type has always held."""
    held = HELD[kind.kind]
    return sum(
        number for code, number in profile.counts.items() if code in GROUPS and code not in held
    )


def short_type_name(kind: Type) -> str:
    name = type_name(kind)
    return name if len(name) <= CHANGE_TEXT_MAX else f"{name[: CHANGE_TEXT_MAX - 3]}..."


def schema_warnings(
    profiles: Mapping[str, Profile], columns: Sequence[Column], *, others: bool
) -> list[str]:
    """A line for each thing that a reader of the snapshot should know.

    ``others``: there are more attributes than columns are allowed.
    """
    paths = [path for name in sorted(profiles) for path in inexact_numbers(profiles[name], name)]
    warnings = [f"{path}: numbers that no decimal(38,s) holds, kept as text" for path in paths]
    if others:
        warnings.append(
            f"more than {MAX_COLUMNS:,} attributes: the rarest are in {OTHER_ATTRIBUTES}"
        )
    elif any(column.group == OTHER_ATTRIBUTES and column.items for column in columns):
        warnings.append(
            "the names of all attributes together are too long for a view: the rarest are in "
            f"{OTHER_ATTRIBUTES}"
        )
    return warnings


# --- dynoexport/jobs/schema/columns.py ------------------------------------------------------------
@dataclass(frozen=True)
class Column:
    """A column of the files and of the catalog's table.

    Attributes:
        name: its name in files and catalog.
        view: its name in the view; all columns of an attribute, one for each type, share it.
        attribute: its name in DynamoDB.
        group: with TypeConflicts=columns, the group of values that it holds; "" for all of them.
        type: its type.
        shown: whether the view shows it; if not, another one of the attribute is shown.
        items: how many items of this snapshot have a value in it; for ``OTHER_ATTRIBUTES`` 1 if
            there are any.
    """

    name: str
    view: str
    attribute: str
    group: str
    type: Type
    shown: bool = True
    items: int = 0


@dataclass(frozen=True)
class FoundColumn:
    """Values of this snapshot that belong in one column."""

    attribute: str
    group: str
    type: Type
    items: int

    @property
    def key(self) -> tuple[str, str]:
        return self.attribute, self.group


def find_columns(attribute: str, profile: Profile, rules: Rules) -> list[FoundColumn]:
    """The columns that an attribute needs."""
    groups = profile.groups()
    if rules.type_conflicts != "columns" or len(groups) <= 1:
        return [FoundColumn(attribute, "", infer_type(profile, rules), profile.values())]
    parts = [(group, profile.only(group)) for group in sorted(groups)]
    return [
        FoundColumn(attribute, group, infer_type(part, rules), part.values())
        for group, part in parts
    ]


# The catalog has a view's text in base64 of JSON: its query, and each column's name and type.
# Beside these, a column has quotes, names of keys and AS; a field has quotes and a blank.
VIEW_TEXT_AROUND, COLUMN_AROUND, FIELD_AROUND = 1_000, 80, 8
# A type that is shorter than this makes no view too long.
SHORT_TYPE = 256


def view_text_size(columns: Iterable[Column], fmt: str) -> int:
    """How many characters the view's text in the catalog has at most."""
    size = VIEW_TEXT_AROUND
    for column in columns:
        if column.shown:
            kind = type_name(column.type, fmt)
            fields = 1 + kind.count(":")
            # In the query, which renames some columns, and in the list of columns.
            names = len({column.name, column.view}) + 1
            longest = max(len(column.name.encode()), len(column.view.encode()))
            size += names * longest + COLUMN_AROUND + len(kind.encode()) + FIELD_AROUND * fields
    return size * 4 // 3


@dataclass(frozen=True)
class TypeBounds:
    """How long the name of a column's type may be; with ``keep``, existing types may be longer."""

    longest: int = TYPE_NAME_MAX
    keep: bool = False

    def allow(self, kind: Type, former: Type | None = None) -> bool:
        return len(type_name(kind)) <= self.longest or (self.keep and kind == former)


def narrower_bounds(columns: Iterable[Column]) -> Iterator[TypeBounds]:
    """Bounds that make more and more types text: new and changed ones first, then all."""
    longest = max((len(type_name(column.type)) for column in columns), default=0)
    for keep in (True, False):
        bound = longest // 2
        while bound >= SHORT_TYPE:
            yield TypeBounds(bound, keep)
            bound //= 2


def settle_columns(
    profiles: Mapping[str, Profile], history: Sequence[Column], rules: Rules, *, others: bool
) -> tuple[Column, ...]:
    """The columns of this snapshot: the existing ones in their order, then new ones by name.

    Positions and types never change, so that every SerDe can read the files of older snapshots,
    by names or by positions. If the view would be too long for the catalog, the longest types
    become text. If even that is too long, the rarest new attributes get no column of their own.
    ``others``: some attributes have none anyway.
    """

    def settle(bounds: TypeBounds) -> tuple[Column, ...]:
        return settle_within(bounds, profiles, history, rules, others=others)

    whole = settle(TypeBounds())
    if view_text_size(whole, rules.format) <= VIEW_TEXT_MAX:
        return whole
    attempts = map(settle, narrower_bounds(whole))
    fitting = (
        attempt for attempt in attempts if view_text_size(attempt, rules.format) <= VIEW_TEXT_MAX
    )
    return next(fitting, None) or settle_fewer(profiles, history, rules, others=others)


def settle_fewer(
    profiles: Mapping[str, Profile], history: Sequence[Column], rules: Rules, *, others: bool
) -> tuple[Column, ...]:
    """As many columns as the view has room for, those of the most frequent attributes first.

    The names themselves are too long for all. Existing columns stay.
    """
    known = {column.attribute for column in history}
    new = sorted(set(profiles) - known, key=lambda name: (-profiles[name].values(), name))

    def settle(kept: int) -> tuple[Column, ...]:
        own = known.union(new[:kept])
        within = {name: profile for name, profile in profiles.items() if name in own}
        left = others or kept < len(new)
        return settle_within(TypeBounds(SHORT_TYPE), within, history, rules, others=left)

    least, most = 0, len(new)
    while least < most:
        middle = (least + most + 1) // 2
        if view_text_size(settle(middle), rules.format) <= VIEW_TEXT_MAX:
            least = middle
        else:
            most = middle - 1
    return settle(least)


def settle_within(
    bounds: TypeBounds,
    profiles: Mapping[str, Profile],
    history: Sequence[Column],
    rules: Rules,
    *,
    others: bool,
) -> tuple[Column, ...]:
    """The columns whose types are within the bounds."""
    candidates = [
        candidate
        for name in sorted(profiles)
        for candidate in find_columns(name, profiles[name], rules)
    ]
    if others or any(column.group == OTHER_ATTRIBUTES for column in history):
        candidates.append(FoundColumn("", OTHER_ATTRIBUTES, Type(MAP), int(others)))
    views = view_names(candidates, history)
    columns = {column.name: replace(column, items=0) for column in history}
    taken = {PARTITION_KEY, *columns, *views.values()}
    new: list[Column] = []
    for candidate in candidates:
        known = [
            column
            for column in columns.values()
            if (column.attribute, column.group) == candidate.key
        ]
        column = fit_column(candidate, known, rules, bounds)
        if column is None and is_too_long(candidate, known, bounds):
            text = replace(candidate, type=Type(STRING))
            column = fit_column(text, known, rules, bounds)
            column = column or new_column(text, known, views[candidate.key], taken)
        column = column or new_column(candidate, known, views[candidate.key], taken)
        for former in known:
            columns[former.name] = replace(former, shown=False)
        if column.name in columns:
            columns[column.name] = column
        else:
            new.append(column)
    return (*columns.values(), *sorted(new, key=lambda column: column.name))


def fit_column(
    found: FoundColumn, known: Sequence[Column], rules: Rules, bounds: TypeBounds
) -> Column | None:
    """The column of the attribute that can hold the values; the shown one is tried first."""
    for column in sorted(known, key=lambda candidate: not candidate.shown):
        kind = (
            resolve_unknown(found.type)
            if rules.format in TEXT_FORMATS
            else widen_type(column.type, found.type)
        )
        kind = None if kind is None else resolve_unknown(kind)
        if kind is not None and bounds.allow(kind, column.type):
            return replace(column, type=kind, shown=True, items=found.items)
    return None


def is_too_long(found: FoundColumn, known: Sequence[Column], bounds: TypeBounds) -> bool:
    """Whether its type is too long, or that of an existing column with its values.

    Then it becomes text, in one column for all runs.
    """
    kinds = [found.type, *(widen_type(column.type, found.type) for column in known)]
    return any(kind is not None and not bounds.allow(resolve_unknown(kind)) for kind in kinds)


def new_column(found: FoundColumn, known: Sequence[Column], view: str, taken: set[str]) -> Column:
    """A column for the values; if the attribute already has another one, its name has the type."""
    kind = resolve_unknown(found.type)
    name = view
    if known:
        name = free_name(with_suffix(view, type_word(kind)), taken)
    return Column(name, view, found.attribute, found.group, kind, items=found.items)


def with_suffix(name: str, word: str) -> str:
    return f"{name[: COLUMN_NAME_MAX - len(word) - 2]}__{word}"


def type_word(kind: Type) -> str:
    """The type in a column's name: ``string``, ``decimal_38_2``, ``struct_5f0c61a2``."""
    if kind.kind in {ARRAY, STRUCT}:
        digest = hashlib.sha256(json.dumps(type_shape(kind)).encode()).hexdigest()
        return f"{kind.kind}_{digest[:8]}"
    return re.sub(r"\W+", "_", type_name(kind)).strip("_")


def view_names(
    found: Iterable[FoundColumn], history: Sequence[Column]
) -> dict[tuple[str, str], str]:
    """Each column's name in the view, by attribute and group; a name never changes."""
    names = {(column.attribute, column.group): column.view for column in history}
    taken = {PARTITION_KEY, OTHER_ATTRIBUTES, *names.values(), *(column.name for column in history)}
    known = {column.attribute for column in history}
    missing = [candidate for candidate in found if candidate.key not in names]
    new = [candidate.attribute for candidate in missing if candidate.attribute not in known | {""}]
    bases = column_names(set(new), reserved=taken)
    taken |= set(bases.values())
    for candidate in missing:
        base = bases.get(candidate.attribute, fold_column(candidate.attribute))
        if candidate.group == OTHER_ATTRIBUTES:
            names[candidate.key] = OTHER_ATTRIBUTES
        elif candidate.group:
            names[candidate.key] = free_name(with_suffix(base, candidate.group), taken)
        else:
            names[candidate.key] = base if candidate.attribute in bases else free_name(base, taken)
    return names


def column_entry(column: Column, fmt: str) -> dict[str, Any]:
    """A column for the manifest; ``type`` is the catalog's."""
    entry = {
        "name": column.name,
        "type": type_name(column.type, fmt),
        "attribute": column.attribute,
        "view": column.view,
        "shown": column.shown,
        "items": column.items,
        "shape": type_shape(column.type),
    }
    return {**entry, "group": column.group} if column.group else entry


def parse_column(entry: Mapping[str, Any]) -> Column:
    """The column of an entry that ``column_entry`` wrote."""
    return Column(
        name=entry["name"],
        view=entry["view"],
        attribute=entry["attribute"],
        group=entry.get("group", ""),
        type=parse_shape(entry["shape"]),
        shown=entry["shown"],
        items=entry["items"],
    )


def type_rules(settings: Settings) -> Rules:
    return Rules(
        format=settings.format,
        type_conflicts=settings.type_conflicts,
        maps_as=settings.maps_as,
        max_struct_fields=settings.max_struct_fields,
    )


# --- dynoexport/jobs/schema/values.py -------------------------------------------------------------
def json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def json_text(value: Mapping[str, Any]) -> str:
    """A value as JSON, with the attributes' own names, sorted."""
    ((code, content),) = value.items()
    if code in {"N", "D"}:
        return json_number(content)
    if code == "BOOL":
        return "true" if content else "false"
    if code == "NULL":
        return "null"
    if code == "M":
        fields = (f"{json_string(name)}:{json_text(content[name])}" for name in sorted(content))
        return f"{{{','.join(fields)}}}"
    if code == "L" or code in ELEMENTS:
        return f"[{','.join(map(json_text, list_elements(value)))}]"
    return json_string(content)


def plain_text(value: Mapping[str, Any]) -> str:
    """A value as text: scalars as they are, binary as base64, nested ones as JSON."""
    ((code, content),) = value.items()
    text: str = content if code in {"S", "N", "D", "B"} else json_text(value)
    return text


def text_value(value: Mapping[str, Any]) -> str | None:
    """A value as ``plain_text``; None for a null."""
    return None if "NULL" in value else plain_text(value)


def string_map(value: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: text_value(inner) for name, inner in value["M"].items()}


# For each scalar type, a function that turns a value into Spark's.
SPARK_VALUES: dict[str, Callable[[Any], Any]] = {
    BIGINT: lambda value: parse_whole_number(value["N"]),
    DECIMAL: lambda value: Decimal(value["N"]),
    DOUBLE: lambda value: float(value["D"] if "D" in value else value["N"]),
    BOOLEAN: lambda value: value["BOOL"],
    BINARY: lambda value: bytearray(base64.b64decode(value["B"])),
    STRING: text_value,
    MAP: string_map,
}


def spark_value(kind: Type, *, for_arrow: bool = False) -> Callable[[Any], Any]:
    """A function that turns a value into Spark's for the type, or into Arrow's."""
    if kind.kind == ARRAY:
        element = nullable(spark_value(kind.elements, for_arrow=for_arrow))
        return lambda value: [element(member) for member in list_elements(value)]
    if kind.kind == STRUCT:
        converts = [nullable(spark_value(field.type, for_arrow=for_arrow)) for field in kind.fields]
        fields = list(zip(kind.fields, converts))
        if for_arrow:
            return lambda value: {
                field.name: convert(value["M"].get(field.attribute)) for field, convert in fields
            }
        return lambda value: tuple(
            convert(value["M"].get(field.attribute)) for field, convert in fields
        )
    if kind.kind == MAP and for_arrow:
        return lambda value: list(string_map(value).items())
    return SPARK_VALUES[kind.kind]


def nullable(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None or "NULL" in value else convert(value)


def spark_type(kind: Type) -> DataType:
    from pyspark.sql import types as T  # noqa: N812 - its usual name

    if kind.kind == ARRAY:
        return T.ArrayType(spark_type(kind.elements))
    if kind.kind == STRUCT:
        return T.StructType(
            [T.StructField(field.name, spark_type(field.type)) for field in kind.fields]
        )
    if kind.kind == DECIMAL:
        return T.DecimalType(DECIMAL_DIGITS, kind.scale)
    return {
        BIGINT: T.LongType(),
        DOUBLE: T.DoubleType(),
        BOOLEAN: T.BooleanType(),
        BINARY: T.BinaryType(),
        MAP: T.MapType(T.StringType(), T.StringType()),
    }.get(kind.kind, T.StringType())


def json_value(kind: Type) -> Callable[[Any], str]:
    """A function that turns a value into JSON that the catalog's SerDe reads as the type."""
    if kind.kind == ARRAY:
        element = json_nullable(json_value(kind.elements))
        return lambda value: f"[{','.join(element(member) for member in list_elements(value))}]"
    if kind.kind == STRUCT:
        named = [(field.attribute, field.name, json_value(field.type)) for field in kind.fields]
        return lambda value: json_object(
            (name, convert, value["M"].get(attribute)) for attribute, name, convert in named
        )
    if kind.kind in {BIGINT, DECIMAL}:
        return lambda value: plain_number(value["N"])
    if kind.kind == MAP:
        return lambda value: json.dumps(string_map(value), ensure_ascii=False, sort_keys=True)
    if kind.kind in {STRING, BINARY}:
        return lambda value: json_string(plain_text(value))
    return json_text


def json_nullable(convert: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "null" if "NULL" in value else convert(value)


def json_object(fields: Iterable[tuple[str, Callable[[Any], str], Any]]) -> str:
    """An object of the fields (name, function for the value, value) that have a value."""
    held = (
        f"{json_string(name)}:{convert(value)}"
        for name, convert, value in fields
        if value is not None and "NULL" not in value
    )
    return f"{{{','.join(held)}}}"


# --- dynoexport/jobs/readers/items.py -------------------------------------------------------------
def parse_lines(
    lines: Iterable[str],
    dialect: str,
    selected: Callable[[str], bool],
    blanked: Iterable[str] = (),
) -> Iterator[dict[str, Any]]:
    """The items of the lines, in DynamoDB JSON, with the selected attributes.

    A ``blanked`` attribute becomes a null, which only says that the item has it.
    """
    blanks = frozenset(blanked)
    for line in lines:
        if dialect == "plain":
            plain = json.loads(line, parse_int=WholeNumber, parse_float=DoubleNumber)
            item = {name: to_dynamodb_json(value) for name, value in plain.items()}
        else:
            item = json.loads(line)[WRAPPER]
        kept = {name: value for name, value in item.items() if name in blanks or selected(name)}
        yield blank_item(kept, blanks)


def item_rdd(
    spark: SparkSession,
    result: ReadResult,
    settings: Settings,
    parts: int | None = None,
    *,
    blanked: Iterable[str] = (),
) -> RDD[dict[str, Any]]:
    """All items that were read, in ``parts`` partitions; by default in parts of at most 128 MB."""
    if result.dialect == PIECES:
        read = partial(piece_items, **piece_location(settings))
        return piece_rdd(spark, result, parts).mapPartitions(partial(run_without_values, read))
    selected = attribute_filter(settings.columns, settings.exclude)
    parse = partial(parse_lines, dialect=result.dialect, selected=selected, blanked=blanked)
    if result.dialect == "plain":
        texts = spark.read.text(result.uri)
        texts = texts if parts is None else texts.coalesce(parts)
        lines = texts.rdd.map(lambda row: row[0])
    else:
        read_lines = partial(export_lines, **piece_location(settings))
        groups = piece_rdd(spark, result, parts)
        lines = groups.mapPartitions(partial(run_without_values, read_lines))
    return lines.mapPartitions(partial(run_without_values, parse))


def piece_rdd(spark: SparkSession, result: ReadResult, parts: int | None) -> RDD[str]:
    """Groups of the pieces, one in each partition."""
    whole = sum(piece["json_bytes"] for piece in result.pieces)
    groups = group_pieces(result.pieces, parts or max(1, math.ceil(whole / SEGMENT_BYTES)))
    return spark.sparkContext.parallelize(groups, len(groups))


def batch_reader(
    result: ReadResult, settings: Settings, *, blanked: Iterable[str] = ()
) -> Callable[[Iterable[str]], Iterator[Any]] | None:
    """How a task reads the batches in groups of pieces; None where there are only single items.

    ``blanked`` is as in ``parse_lines``; what a Scan did not select is not in its pieces.
    """
    location = piece_location(settings)
    if result.dialect == PIECES:
        return partial(read_pieces, **location)
    if result.dialect == "export" and takes_arrow(settings):
        selected = attribute_filter(settings.columns, settings.exclude)
        return partial(export_batches, **location, selected=selected, blanked=tuple(blanked))
    return None


# --- dynoexport/jobs/readers/native.py ------------------------------------------------------------
def read_by_scan(
    spark: SparkSession, settings: Settings, plan: ReadPlan, clients: Clients, paths: SnapshotPaths
) -> ReadResult:
    """Read the table once with a segmented Scan; a retry reads only the missing segments.

    Raises:
        JobFailed: a segment is missing at the end.
    """
    # Some of the executors that Glue promised may not have started yet.
    promised = 0 if settings.splits else plan.splits
    slots = max(spark.sparkContext.defaultParallelism, promised)
    rate = settings.read_percent * plan.capacity.units
    fresh = segments_for(plan.table.get("TableSizeBytes", 0), rate, slots)
    course = scan_fingerprint(settings, plan.table, settings.splits or fresh)
    segments, before = load_progress(spark, clients.s3, paths, course)
    began = time.monotonic()
    records = dict(before)
    while len(records) < segments:
        finished = scan_missing(
            spark,
            settings,
            plan,
            clients,
            paths,
            records=records,
            segments=segments,
            rate=rate,
            slots=slots,
        )
        if not finished:
            raise JobFailed(f"{segments - len(records):,} segments were not read: start a new run")
        records.update(finished)
    ordered = [records[segment] for segment in range(segments)]
    report = scan_report(ordered, time.monotonic() - began, rate, plan.capacity, len(before))
    log_skew(report)
    pieces = tuple(piece for record in ordered for piece in record["pieces"])
    plain = math.ceil(sum(piece["json_bytes"] for piece in pieces) / DYNAMODB_JSON)
    # An older script did not record them.
    left_out = frozenset(name for record in ordered for name in record.get("left_out", ()))
    return ReadResult(PIECES, plain, pieces=pieces, report=report, left_out=left_out)


def scan_missing(
    spark: SparkSession,
    settings: Settings,
    plan: ReadPlan,
    clients: Clients,
    paths: SnapshotPaths,
    *,
    records: Mapping[int, Mapping[str, Any]],
    segments: int,
    rate: float,
    slots: int,
) -> dict[int, dict[str, Any]]:
    """Deal the segments without a record to tasks; return the records of those that were read.

    A lost task returns nothing, but its records are in S3. A segment that it had begun is still
    missing if no other task was left to read it.
    """
    missing = segments - len(records)
    coordinator = CoordinatorServer(
        new_scheduler(plan.table, segments, records, rate), driver_host(spark)
    )
    with closing(coordinator):
        coordinator.open()
        coordinator.watch(partial(allowed_rate, clients.dynamodb, settings, plan.capacity.units))
        region = clients.s3.meta.region_name
        scan = scan_specification(
            settings, plan, paths, region, segments=segments, address=coordinator.address
        )
        tasks = min(slots, missing)
        of_all = f" of {segments:,}" if records else ""
        log(f"reading {counted(missing, 'segment')}{of_all} with {counted(tasks, 'task')}")
        finished = run_scan_tasks(spark, scan, tasks)
    if len(finished) < missing:
        lost = set(range(segments)).difference(records, finished)
        keys = [record_key(paths.temp, segment) for segment in sorted(lost)]
        there = list_objects(clients.s3, paths.bucket, f"{paths.temp}finished/")
        finished.update(
            read_records(spark, clients.s3, paths, [key for key in keys if key in there])
        )
    return finished


def driver_host(spark: SparkSession) -> str:
    return str(spark.sparkContext.getConf().get("spark.driver.host"))


def new_scheduler(
    table: Mapping[str, Any], segments: int, finished: Iterable[int], rate: float
) -> Scheduler:
    """A scheduler that deals the unfinished segments in a shuffled order.

    Neighbouring segments lie in one partition, which gives at most 3,000 read units a second
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html).
    """
    missing = sorted(set(range(segments)).difference(finished))
    random.Random(segments).shuffle(missing)  # noqa: S311 - no secret
    item_bytes = table.get("TableSizeBytes", 0) / max(1, table.get("ItemCount", 0))
    return Scheduler(missing, RateLimiter(rate, time.monotonic()), item_bytes)


def scan_specification(
    settings: Settings,
    plan: ReadPlan,
    paths: SnapshotPaths,
    region: str,
    *,
    segments: int,
    address: tuple[str, int, bytes],
) -> ScanSpecification:
    table_bytes = plan.table.get("TableSizeBytes", 0)
    return ScanSpecification(
        table=settings.table,
        region=region,
        segments=segments,
        columns=settings.columns,
        selected=attribute_filter(settings.columns, settings.exclude),
        whole=not settings.exclude,
        columnar=takes_arrow(settings),
        hot_units=hot_segment_units(table_bytes, segments),
        bucket=paths.bucket,
        prefix=paths.temp,
        address=address,
        role=settings.source_role,
    )


def run_scan_tasks(
    spark: SparkSession, scan: ScanSpecification, tasks: int
) -> dict[int, dict[str, Any]]:
    """The records of the segments that the tasks read, by segment."""
    numbers = spark.sparkContext.parallelize(range(tasks), tasks)
    scan_quietly = partial(run_without_values, partial(scan_task, scan))
    answers = map(json.loads, numbers.mapPartitions(scan_quietly).collect())
    return {record["segment"]: record for record in answers}


def allowed_rate(dynamodb: DynamoDBClient, settings: Settings, first: float) -> float:
    """The current read limit, in read units a second.

    A table with neither capacity nor a maximum keeps its first one: the account's quota may be
    asked for about once a minute only.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html
    """
    capacity = table_capacity(describe_table(dynamodb, settings.table), lambda: first)
    return settings.read_percent * capacity.units


def scan_fingerprint(settings: Settings, table: Mapping[str, Any], segments: int) -> dict[str, Any]:
    """What an earlier attempt must have in common with this one, so that this one continues it."""
    return {
        "table_id": table.get("TableId", ""),
        "columns": list(settings.columns),
        "exclude": list(settings.exclude),
        "columnar": takes_arrow(settings),
        "segments": segments,
    }


def read_records(
    spark: SparkSession, s3: S3Client, paths: SnapshotPaths, keys: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """The records of finished segments, by segment."""
    get = partial(get_text, bucket=paths.bucket, region=s3.meta.region_name)
    parts = max(1, min(len(keys), spark.sparkContext.defaultParallelism))
    texts = spark.sparkContext.parallelize(keys, parts).mapPartitions(get).collect()
    return {record["segment"]: record for record in map(json.loads, texts)}


def load_progress(
    spark: SparkSession, s3: S3Client, paths: SnapshotPaths, course: Mapping[str, Any]
) -> tuple[int, dict[int, dict[str, Any]]]:
    """How many segments there are, and the records of those that an earlier attempt finished."""
    key = f"{paths.temp}scan.json"
    objects = list_objects(s3, paths.bucket, paths.temp)
    if key in objects:
        former = json.loads(s3.get_object(Bucket=paths.bucket, Key=key)["Body"].read().decode())
        if former == {**course, "segments": former.get("segments")}:
            keys = [
                object_key
                for object_key in objects
                if object_key.startswith(f"{paths.temp}finished/")
            ]
            records = read_records(spark, s3, paths, keys)
            if records:
                log(f"an earlier attempt has read {counted(len(records), 'segment')}")
            return former["segments"], records
    clear(s3, paths.bucket, paths.temp)
    s3.put_object(Bucket=paths.bucket, Key=key, Body=json.dumps(course).encode())
    return course["segments"], {}


# --- dynoexport/jobs/adoption.py ------------------------------------------------------------------
def adopted_columns(clients: Clients, settings: Settings) -> tuple[Column, ...]:
    """The columns of a catalog table whose snapshots another design wrote; empty without one.

    Athena reads csv and orc by position, and the older files are in the order of this table. So
    its columns keep their positions, like the columns of a manifest. ``assign_attributes`` finds
    the attribute of each column once the table is read.

    Raises:
        JobFailed: a column has a type that no export writes.
    """
    if not exists(clients.s3, settings.bucket, data_prefix(settings.table, settings.format)):
        return ()
    table = catalog_table(clients.glue, settings)
    return () if table is None else table_columns(table, settings.database, settings.format)


def table_columns(table: TableTypeDef, database: str, fmt: str) -> tuple[Column, ...]:
    """The columns of the catalog table, without the attributes behind them.

    Raises:
        JobFailed: a column has a type that no export writes.
    """
    columns = []
    for column in table.get("StorageDescriptor", {}).get("Columns", []):
        name, declared = column["Name"], column.get("Type", STRING).lower()
        try:
            kind = Type(STRING) if fmt in TEXT_FORMATS else parse_catalog_type(declared)
        except ValueError:
            raise JobFailed(
                f"column {name!r} of the catalog table {database}.{table['Name']} has the "
                f"type {declared}, which no export writes: deploy this export with a CatalogPrefix"
            ) from None
        columns.append(Column(name, name, "", "", kind))
    return tuple(columns)


def assign_attributes(
    history: Sequence[Column], profiles: Mapping[str, Profile]
) -> tuple[Column, ...]:
    """The columns; each one without an attribute gets the attribute of its name, if one exists.

    A crawler writes the attribute's name in lower case. An export writes the name that every
    format can hold. An attribute belongs to one column: the one with the more similar name.
    """
    taken = {column.attribute for column in history}
    waiting = {column.name for column in history if not column.attribute and not column.group}
    attributes: dict[str, str] = {}
    for names in (
        {attribute.lower(): attribute for attribute in sorted(set(profiles) - taken)},
        {name: attribute for attribute, name in column_names(set(profiles) - taken).items()},
    ):
        free = set(profiles) - taken - set(attributes.values())
        candidates = {name: attribute for name, attribute in names.items() if attribute in free}
        attributes.update(
            (name, candidates[name]) for name in waiting & candidates.keys() - attributes.keys()
        )

    def with_attribute(column: Column) -> Column:
        attribute = attributes.get(column.name)
        if attribute is None or column.attribute or column.group:
            return column
        kind = assign_keys(column.type, profiles[attribute])
        return replace(column, attribute=attribute, type=kind)

    return tuple(map(with_attribute, history))


def assign_keys(kind: Type, profile: Profile) -> Type:
    """The type with the maps' own keys in DynamoDB, where the catalog has only their names."""
    if kind.kind == ARRAY and profile.element is not None:
        return replace(kind, element=assign_keys(kind.elements, profile.element))
    if kind.kind != STRUCT:
        return kind
    keys = {name: key for key, name in column_names(profile.fields).items()}

    def with_key(struct_field: Field) -> Field:
        key = keys.get(struct_field.name)
        if key is None:
            return struct_field
        return replace(
            struct_field, attribute=key, type=assign_keys(struct_field.type, profile.fields[key])
        )

    return replace(kind, fields=tuple(map(with_key, kind.fields)))


# --- dynoexport/jobs/manifest.py ------------------------------------------------------------------
def is_manifest(content: Mapping[str, Any]) -> bool:
    """Whether it has the keys of a manifest that this job reads."""
    return (
        isinstance(content.get("workflow_run_id"), str)
        and isinstance(content.get("items"), int)
        and isinstance(content.get("bytes"), int)
        and isinstance(content.get("files"), list)
        and all(
            isinstance(file, dict) and {"key", "bytes"} <= set(file) for file in content["files"]
        )
    )


def read_manifest(s3: S3Client, paths: SnapshotPaths) -> dict[str, Any] | None:
    """The manifest; None if it does not exist.

    Raises:
        JobFailed: it is not valid.
    """
    text = read_object(s3, paths.bucket, paths.manifest)
    if text is None:
        return None
    manifest = parse_json_object(text)
    if manifest is not None and is_manifest(manifest):
        return manifest
    raise JobFailed(
        f"s3://{paths.bucket}/{paths.manifest} is not a valid manifest: delete it, which makes its "
        "snapshot incomplete, and start a new run"
    )


def put_manifest(s3: S3Client, paths: SnapshotPaths, manifest: Mapping[str, Any]) -> None:
    """Mark the snapshot complete.

    Raises:
        JobFailed: another run has completed a snapshot of the same minute.
    """
    other = read_manifest(s3, paths)
    if other is not None and other["workflow_run_id"] != manifest["workflow_run_id"]:
        raise JobFailed(
            f"another workflow run, {other['workflow_run_id']}, completed the snapshot "
            f"{manifest['snapshot_timestamp']}: start a new run"
        )
    s3.put_object(
        Bucket=paths.bucket,
        Key=paths.manifest,
        Body=json.dumps(manifest, indent=2).encode(),
        ContentType="application/json",
    )


@dataclass(frozen=True)
class WriteResult:
    """What a snapshot holds; nothing for an empty table."""

    items: int = 0
    files: tuple[Mapping[str, Any], ...] = ()
    columns: tuple[Column, ...] = ()
    items_read: int = 0
    replaced_characters: int = 0
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)


def build_manifest(
    settings: Settings, timestamp: str, written: WriteResult, plan: ReadPlan, run: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest without its times; ``run`` has the workers that the job really has."""
    read: dict[str, Any] = {"reader": settings.reader, "items": written.items_read}
    if settings.reader != "export":
        read.update(
            splits=plan.splits,
            read_percent=settings.read_percent,
            capacity=plan.capacity.units,
            capacity_source=plan.capacity.source,
            rate=settings.read_percent * plan.capacity.units,
        )
    read.update(written.report)
    return {
        "version": 1,
        "table": settings.table,
        "format": settings.format,
        "snapshot_timestamp": timestamp,
        "items": written.items,
        "bytes": sum(file["bytes"] for file in written.files),
        "files": list(written.files),
        "schema": [column_entry(column, settings.format) for column in written.columns],
        "changes": list(written.changes),
        "warnings": list(written.warnings),
        "replaced_characters": written.replaced_characters,
        "read": read,
        "described": plan.described(),
        "selection": {
            "columns": list(settings.columns),
            "exclude": list(settings.exclude),
            "where": settings.where,
        },
        "types": {
            "type_conflicts": settings.type_conflicts,
            "maps_as": settings.maps_as,
            "max_struct_fields": settings.max_struct_fields,
        },
        "compression": None if settings.format in LINE_FORMATS else settings.compression,
        "workflow_name": settings.workflow_name,
        "workflow_run_id": settings.workflow_run_id,
        "job_run_id": settings.job_run_id,
        "scripts_version": settings.scripts_version,
        "engine": settings.engine,
        "glue_version": run["GlueVersion"],
        "worker_type": run["WorkerType"],
        "number_of_workers": run["NumberOfWorkers"],
    }


# --- dynoexport/jobs/write/rows.py ----------------------------------------------------------------
def row_converter(columns: Sequence[Column]) -> Callable[[Mapping[str, Any]], list[Any]]:
    """A function: an item to a value for each column, in DynamoDB JSON; None for no value."""
    own = frozenset(column.attribute for column in columns)

    def cell(column: Column, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if column.group == OTHER_ATTRIBUTES:
            others = {name: value for name, value in item.items() if name not in own}
            return {"M": others} if others else None
        value: Mapping[str, Any] | None = item.get(column.attribute)
        if value is None or "NULL" in value:
            return None
        if column.group and type_group(value) != column.group:
            return None
        return value

    def taken_apart(item: Mapping[str, Any]) -> list[Any]:
        return [cell(column, item) if column.items else None for column in columns]

    return taken_apart


def spark_row_converter(
    columns: Sequence[Column],
) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """A function that turns an item into a row of values for Spark."""
    apart = row_converter(columns)
    converts = [nullable(spark_value(column.type)) for column in columns]
    return lambda item: tuple(convert(value) for convert, value in zip(converts, apart(item)))


def line_converter(columns: Sequence[Column], fmt: str) -> Callable[[Mapping[str, Any]], str]:
    """A function that turns an item into its line of a json, csv or xml file."""
    apart = row_converter(columns)
    names = [column.name for column in columns]
    if fmt == "json":
        converts = [json_value(column.type) for column in columns]
        return lambda item: json_object(zip(names, converts, apart(item)))
    text = nullable(text_value)
    if fmt == "csv":
        return lambda item: csv_line(map(text, apart(item)))
    return lambda item: xml_item(names, map(text, apart(item)))


def convert_items(
    items: Iterable[Any], convert: Callable[[], Callable[[Any], Any]]
) -> Iterator[Any]:
    """Convert each item. Each partition makes its own converter: Spark cannot send closures."""
    return map(convert(), items)


def spark_schema(columns: Sequence[Column]) -> StructType:
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(column.name, spark_type(column.type)) for column in columns])


# --- dynoexport/jobs/profiling.py -----------------------------------------------------------------
PROFILE_PARTS_MAX = 200


def profile_partitions(
    spark: SparkSession, result: ReadResult, settings: Settings, limit: int
) -> RDD[tuple[str, tuple[Any, ...]]]:
    """The profiles of each partition's items."""
    # Whether items have an excluded attribute is known only before it is dropped.
    read = batch_reader(result, settings, blanked=settings.exclude)
    if read is not None:
        profile_read = partial(profile_groups, read=read, limit=limit)
        groups = piece_rdd(spark, result, None)
        return groups.mapPartitions(partial(run_without_values, profile_read))
    items = item_rdd(spark, result, settings, blanked=settings.exclude)
    profile = partial(profile_items, limit=limit)
    return items.mapPartitions(partial(run_without_values, profile))


def profile_all(
    dumps: RDD[tuple[str, tuple[Any, ...]]],
    known: Iterable[str],
    limit: int,
    blanked: Iterable[str] = (),
) -> tuple[int, dict[str, Profile], bool]:
    """How many items there are, the attributes' profiles, and whether more attributes exist.

    One pass in the executors. The driver gets the profiles of the ``known`` attributes, of others
    up to ``MAX_COLUMNS``, and of the ``blanked`` ones, however many attributes the items have.
    """
    own = frozenset(known)
    room = max(0, MAX_COLUMNS - len(own))
    parts = min(dumps.getNumPartitions(), PROFILE_PARTS_MAX)
    merge = partial(merge_profiles, limit=limit)
    merged = dumps.partitionBy(parts).mapPartitions(partial(run_without_values, merge))
    first = own | {ITEMS, *blanked}
    # pyspark's type stubs do not know that tuples have an order.
    by_rank: Callable[[Any], Any] = partial(profile_rank, known=first)
    ranked = merged.takeOrdered(len(first) + room + 1, key=by_rank)
    kept = dict(pair for pair in ranked if pair[0] in first)
    others = [pair for pair in ranked if pair[0] not in first]
    number = kept.pop(ITEMS)[0]["M"]
    profiles = {**kept, **dict(others[:room])}
    loaded = {name: Profile.load(dumped) for name, dumped in profiles.items()}
    return number, loaded, len(others) > room


# --- dynoexport/jobs/reservation.py ---------------------------------------------------------------
def next_free_timestamp(now: datetime, newest: str | None, is_taken: Callable[[str], bool]) -> str:
    """The first free minute that is not before now and is after the newest snapshot.

    Runs that follow each other within a minute are ahead of the clock. Deleting a snapshot frees
    its minute, but the view would never go back to it.
    """
    before = None if newest is None else parse_timestamp(newest)
    minute = now if before is None else max(now, before + timedelta(minutes=1))
    while is_taken(minute.strftime(TIMESTAMP_FORMAT)):
        minute += timedelta(minutes=1)
    return minute.strftime(TIMESTAMP_FORMAT)


def reserve_timestamp(s3: S3Client, paths: SnapshotPaths, run_id: str) -> bool:
    """Claim the snapshot's minute for this run; False if another run has claimed it.

    S3 accepts only one of several conditional writes:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """

    def only_if_new(params: dict[str, Any], **_: Any) -> None:  # noqa: ANN401 - botocore's event
        # The boto3 of Glue up to 5.0 does not have this parameter.
        params["headers"]["If-None-Match"] = "*"

    event = "before-call.s3.PutObject"
    s3.meta.events.register(event, only_if_new)
    try:
        s3.put_object(Bucket=paths.bucket, Key=paths.claim, Body=run_id.encode())
    except ClientError as error:
        if error.response["Error"]["Code"] not in {
            "PreconditionFailed",
            "ConditionalRequestConflict",
        }:
            raise
    else:
        return True
    finally:
        s3.meta.events.unregister(event, only_if_new)
    # The claim is missing if somebody deleted it just now.
    return read_object(s3, paths.bucket, paths.claim) == run_id.encode()


def newest_snapshot(s3: S3Client, settings: Settings) -> str | None:
    """The newest snapshot that has a manifest; None without one."""
    marks = list_marks(s3, settings.bucket, settings.table, settings.format)
    return max(marks.complete, default=None)


def choose_timestamp(
    settings: Settings, properties: Mapping[str, str], clients: Clients, now: datetime
) -> str:
    """The snapshot's minute, recorded in the run: an earlier attempt's, else the next free one.

    A resumed workflow run is a new run
    (https://docs.aws.amazon.com/glue/latest/dg/resuming-workflow.html). If another run wrote the
    manifest of the recorded minute, it chooses a new minute. The claim stays, so that no other run
    takes a minute that a retry or a resumed run may need. It also shows that dynoexport wrote the
    snapshot, complete or not.

    Raises:
        JobFailed: somebody edited the run's property, and it is not a minute.
    """

    def is_used(paths: SnapshotPaths) -> bool:
        prefixes = (paths.snapshot, paths.manifest)
        return any(exists(clients.s3, paths.bucket, prefix) for prefix in prefixes)

    def is_taken(timestamp: str) -> bool:
        paths = snapshot_paths(settings, timestamp)
        if is_used(paths) or not reserve_timestamp(clients.s3, paths, settings.workflow_run_id):
            return True
        # The run that had the claim before may have completed the snapshot since.
        return is_used(paths)

    held = properties.get(SNAPSHOT_TIMESTAMP)
    if held:
        if not is_timestamp(held):
            raise JobFailed(
                f"the run property {SNAPSHOT_TIMESTAMP} is {held!r}, but must be a UTC minute such "
                "as 2026-01-31T10:00: start a new run"
            )
        paths = snapshot_paths(settings, held)
        manifest = read_manifest(clients.s3, paths)
        if manifest is None or manifest["workflow_run_id"] == settings.workflow_run_id:
            check_own(clients.s3, settings, held, manifest)
        if manifest is None:
            # The claim is deleted together with the files of a failed run.
            reserve_timestamp(clients.s3, paths, settings.workflow_run_id)
        if manifest is None or manifest["workflow_run_id"] == settings.workflow_run_id:
            return held
    timestamp = next_free_timestamp(now, newest_snapshot(clients.s3, settings), is_taken)
    clients.glue.put_workflow_run_properties(
        Name=settings.workflow_name,
        RunId=settings.workflow_run_id,
        RunProperties={SNAPSHOT_TIMESTAMP: timestamp},
    )
    return timestamp


def check_own(
    s3: S3Client, settings: Settings, timestamp: str, manifest: Mapping[str, Any] | None
) -> None:
    """Check that dynoexport wrote the snapshot's objects and its manifest, if there are any.

    Somebody may have set the run's property. A retry would delete the objects.

    Raises:
        JobFailed: there are some, no run has claimed the minute, and the manifest is not its own.
    """
    paths = snapshot_paths(settings, timestamp)
    if read_object(s3, paths.bucket, paths.claim) is not None:
        return
    if manifest is not None and not is_manifest_of(
        manifest, settings.table, settings.format, timestamp
    ):
        raise JobFailed(
            f"{paths.uri(paths.manifest)} is the manifest of another snapshot: put it back where "
            "it belongs, and start a new run"
        )
    if manifest is None and exists(s3, paths.bucket, paths.snapshot):
        raise JobFailed(
            f"the run property {SNAPSHOT_TIMESTAMP} names a folder that dynoexport did not write, "
            f"{paths.uri(paths.snapshot)}: start a new run"
        )


def find_completed(s3: S3Client, paths: SnapshotPaths) -> dict[str, Any] | None:
    """The manifest, if an earlier attempt completed the snapshot; else delete what it left.

    If the files do not match the manifest, this attempt writes the snapshot again.
    """
    manifest = read_manifest(s3, paths)
    if manifest is not None:
        present = list_files(s3, paths.bucket, paths.snapshot)
        # Older export jobs recorded no ETag.
        recorded = {
            file["key"]: (file["bytes"], file.get("etag") or present.get(file["key"], (0, ""))[1])
            for file in manifest["files"]
        }
        if recorded == present:
            return manifest
        delete_objects(s3, paths.bucket, [paths.manifest])
    cleared = clear(s3, paths.bucket, paths.snapshot)
    if cleared:
        log(f"deleted {counted(cleared, 'object')} of a failed attempt")
    return None


# --- dynoexport/jobs/write/arrow.py ---------------------------------------------------------------
def arrow_type(kind: Type) -> pa.DataType:
    """``spark_type`` for Arrow."""
    pa = arrow()
    if kind.kind == ARRAY:
        return pa.list_(arrow_type(kind.elements))
    if kind.kind == STRUCT:
        return pa.struct([(field.name, arrow_type(field.type)) for field in kind.fields])
    if kind.kind == DECIMAL:
        return pa.decimal128(DECIMAL_DIGITS, kind.scale)
    return {
        BIGINT: pa.int64(),
        DOUBLE: pa.float64(),
        BOOLEAN: pa.bool_(),
        BINARY: pa.binary(),
        MAP: pa.map_(pa.string(), pa.string()),
    }.get(kind.kind, pa.string())


def arrow_values(kind: Type, values: pa.StructArray, group: str = "") -> pa.Array:
    """The values as an array of the type; with ``group``, only the values of this group."""
    pa = arrow()
    codes = {
        code: content
        for code, content in present_children(values)
        if code != "NULL" and group in {"", "l" if code in ELEMENTS else GROUPS[code]}
    }
    if not codes:
        return pa.nulls(len(values), arrow_type(kind))
    try:
        array = cast_directly(kind, codes)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # A number such as 1E+3, or a cast that this version does not know.
        array = None
    return cast_in_python(kind, codes) if array is None else array


def cast_directly(kind: Type, codes: Mapping[str, pa.Array]) -> pa.Array | None:
    """The values, if Arrow itself can cast them to the type; else None.

    Raises:
        ArrowInvalid, ArrowNotImplementedError: Arrow tried and could not.
    """
    pa = arrow()
    if kind.kind == STRING and codes.keys() <= {"S", "N", "B"}:
        return pa.compute.coalesce(*codes.values())
    if len(codes) > 1:
        return None
    ((code, content),) = codes.items()
    if kind.kind in {BIGINT, DECIMAL} and code == "N":
        return pa.compute.cast(content, arrow_type(kind))
    if (kind.kind, code) == (BOOLEAN, "BOOL"):
        return content
    if (kind.kind, code) == (ARRAY, "L"):
        return list_values(kind, content)
    return struct_values(kind, content) if (kind.kind, code) == (STRUCT, "M") else None


def list_values(kind: Type, lists: pa.ListArray) -> pa.ListArray:
    pa = arrow()
    elements, offsets = lists.values, lists.offsets
    if lists.null_count:
        # For a null list, from_arrays expects a null offset. The end of the last list is no list's.
        is_there = pa.concat_arrays([lists.is_valid(), offsets.slice(0, 1).is_valid()])
        offsets = pa.compute.if_else(is_there, offsets, pa.nulls(len(offsets), offsets.type))
    if pa.types.is_null(elements.type):
        typed_elements = pa.nulls(len(elements), arrow_type(kind.elements))
    else:
        typed_elements = arrow_values(kind.elements, elements)
    return pa.ListArray.from_arrays(offsets, typed_elements)


def struct_values(kind: Type, maps: pa.StructArray) -> pa.StructArray:
    pa = arrow()
    held = dict(present_children(maps))
    fields = [
        arrow_values(field.type, held[field.attribute])
        if field.attribute in held
        else pa.nulls(len(maps), arrow_type(field.type))
        for field in kind.fields
    ]
    validity = maps.is_valid().buffers()[1]
    return pa.Array.from_buffers(arrow_type(kind), len(maps), [validity], children=fields)


def cast_in_python(kind: Type, codes: Mapping[str, pa.Array]) -> pa.Array:
    """The values, each cast in Python as for Spark's rows."""
    convert = spark_value(kind, for_arrow=True)
    lists = [content.to_pylist() for content in codes.values()]
    converted = []
    for contents in zip(*lists):
        held = [(code, value) for code, value in zip(codes, contents) if value is not None]
        converted.append(convert({held[0][0]: without_nulls(held[0][1])}) if held else None)
    return arrow().array(converted, arrow_type(kind))


def record_batch(
    columns: Sequence[Column], batch: list[dict[str, Any]] | pa.StructArray
) -> pa.RecordBatch:
    """The record batch of the items that ``read_piece`` gives."""
    pa = arrow()
    names = [column.name for column in columns]
    if isinstance(batch, list) or any(column.group == OTHER_ATTRIBUTES for column in columns):
        apart = row_converter(columns)
        rows = [apart(item) for item in dynamodb_items(batch)]
        converts = [nullable(spark_value(column.type, for_arrow=True)) for column in columns]
        arrays = [
            pa.array([convert(row[place]) for row in rows], arrow_type(column.type))
            for place, (column, convert) in enumerate(zip(columns, converts))
        ]
        return pa.RecordBatch.from_arrays(arrays, names=names)
    held = dict(present_children(batch))
    arrays = [
        arrow_values(column.type, held[column.attribute], column.group)
        if column.items and column.attribute in held
        else pa.nulls(len(batch), arrow_type(column.type))
        for column in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=names)


# --- dynoexport/jobs/write/avro.py ----------------------------------------------------------------
# Bytes before compression that become one block.
AVRO_BLOCK_BYTES = 256 * 1024
MAGIC = b"Obj\x01"
# The place of each type in the union of it and null.
NULL, VALUE = b"\x00", b"\x02"


def encode_long(number: int) -> bytes:
    """A number, zig-zag coded in groups of seven bits, the lowest first."""
    rest = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def encode_bytes(content: bytes) -> bytes:
    return encode_long(len(content)) + content


def encode_text(text: str) -> bytes:
    return encode_bytes(text.encode())


def encode_decimal(number: Decimal, scale: int) -> bytes:
    """The digits without their point as a signed number, the highest byte first."""
    # In whole numbers: Python's decimals would round to 28 digits.
    sign, digits, exponent = number.as_tuple()
    shift = int(exponent) + scale
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    # What lies behind the scale are zeros: the scale is that of the attribute's longest number.
    unscaled = unscaled * 10**shift if shift >= 0 else unscaled // 10**-shift
    return encode_bytes(unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True))


def encode_map(value: Mapping[str, Any]) -> bytes:
    texts = string_map(value)
    held = (
        encode_text(name) + (NULL if text is None else VALUE + encode_text(text))
        for name, text in texts.items()
    )
    return (encode_long(len(texts)) + b"".join(held) if texts else b"") + NULL


AVRO_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    BIGINT: lambda value: encode_long(parse_whole_number(value["N"])),
    DOUBLE: lambda value: struct.pack("<d", float(value["D"] if "D" in value else value["N"])),
    BOOLEAN: lambda value: b"\x01" if value["BOOL"] else b"\x00",
    BINARY: lambda value: encode_bytes(base64.b64decode(value["B"])),
    MAP: encode_map,
}


def avro_encoder(kind: Type) -> Callable[[Any], bytes]:
    """What encodes a value in DynamoDB JSON, or None, as the union of null and the type."""
    encode = value_encoder(kind)
    return lambda value: NULL if value is None or "NULL" in value else VALUE + encode(value)


def value_encoder(kind: Type) -> Callable[[Any], bytes]:
    if kind.kind == DECIMAL:
        return lambda value: encode_decimal(Decimal(value["N"]), kind.scale)
    if kind.kind == ARRAY:
        element = avro_encoder(kind.elements)
        return lambda value: encode_array(list(map(element, list_elements(value))))
    if kind.kind == STRUCT:
        fields = [(field.attribute, avro_encoder(field.type)) for field in kind.fields]
        return lambda value: b"".join(encode(value["M"].get(name)) for name, encode in fields)
    return AVRO_ENCODERS.get(kind.kind, lambda value: encode_text(text_value(value) or ""))


def encode_array(elements: Sequence[bytes]) -> bytes:
    """One block of elements, and the empty one that ends an array."""
    return (encode_long(len(elements)) + b"".join(elements) if elements else b"") + NULL


def avro_schema_text(columns: Sequence[Column]) -> str:
    """The schema of a file; every value may be null."""
    numbers = itertools.count()
    entries = [column_entry(column, "avro") for column in columns]
    fields = [
        avro_field(entry["name"], entry.get("shape", entry["type"]), numbers) for entry in entries
    ]
    return json.dumps({"type": "record", "name": "item", "fields": fields})


def compress_block(content: bytes, codec: str) -> bytes:
    """A block as the codec has it: deflate without zlib's header, snappy with a checksum."""
    if codec == "deflate":
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return compressor.compress(content) + compressor.flush()
    packed: bytes = arrow().compress(content, codec="snappy", asbytes=True)
    return packed + struct.pack(">I", zlib.crc32(content))


class AvroFile:
    """An avro file; nothing is uploaded before there is a row."""

    def __init__(
        self, columns: Sequence[Column], codec: str, open_file: Callable[[], PartUpload]
    ) -> None:
        self._columns, self._codec, self._open_file = columns, codec, open_file
        self._apart = row_converter(columns)
        self._encoders = [avro_encoder(column.type) for column in columns]
        self._file: PartUpload | None = None
        self._sync = os.urandom(16)
        self._rows: list[bytes] = []
        self._bytes = 0
        self.rows = 0

    def write(self, item: Mapping[str, Any]) -> None:
        values = self._apart(item)
        row = b"".join(encode(value) for encode, value in zip(self._encoders, values))
        self._rows.append(row)
        self._bytes += len(row)
        self.rows += 1
        if self._bytes >= AVRO_BLOCK_BYTES:
            self._write_block()

    def close(self) -> None:
        if self._rows:
            self._write_block()

    def _write_block(self) -> None:
        if self._file is None:
            self._file = self._open_file()
            self._file.write(self._header())
        content = compress_block(b"".join(self._rows), self._codec)
        self._file.write(encode_long(len(self._rows)) + encode_bytes(content) + self._sync)
        self._rows, self._bytes = [], 0

    def _header(self) -> bytes:
        metadata = {"avro.schema": avro_schema_text(self._columns), "avro.codec": self._codec}
        pairs = b"".join(encode_text(name) + encode_text(text) for name, text in metadata.items())
        return MAGIC + encode_long(len(metadata)) + pairs + NULL + self._sync


# --- dynoexport/jobs/write/lines.py ---------------------------------------------------------------
# About how many characters are encoded at once: an item has at most 400 KB.
CHARACTERS_AT_ONCE = 1_000_000


class LineFile:
    """A file of text, which is a whole document; nothing is uploaded before there is a line.

    Attributes:
        replaced: how many characters XML could not hold.
    """

    def __init__(
        self, columns: Sequence[Column], fmt: str, open_file: Callable[[], PartUpload]
    ) -> None:
        self._first, self._last = frame([column.name for column in columns], fmt)
        self._is_xml = fmt == "xml"
        self._line = line_converter(columns, fmt)
        self._open_file = open_file
        self._file: PartUpload | None = None
        self._lines: list[str] = []
        self._characters = 0
        self.rows = self.replaced = 0

    def write(self, item: Mapping[str, Any]) -> None:
        line = self._line(item)
        self._lines.append(line)
        self._characters += len(line)
        self.rows += 1
        if self._characters >= CHARACTERS_AT_ONCE:
            self._write_lines()

    def close(self) -> None:
        if self.rows:
            self._lines += self._last
            self._write_lines()

    def _write_lines(self) -> None:
        if self._file is None:
            self._file = self._open_file()
            self._lines[:0] = self._first
        text = "".join(f"{line}\n" for line in self._lines)
        if self._is_xml:
            self.replaced += text.count(XML_REPLACED)
            text = text.replace(XML_REPLACED, "\ufffd")
        self._file.write(text.encode())
        self._lines, self._characters = [], 0


# --- dynoexport/jobs/write/predicate.py -----------------------------------------------------------
# The column of a typed row that holds its item.
ITEM = "_item"


def check_predicate(spark: SparkSession, where: str) -> None:
    """Check the predicate's syntax before anything is read.

    Raises:
        JobFailed: Spark cannot parse it.
    """
    if not where:
        return
    try:
        # PySpark has no public function for the parser alone.
        spark._jsparkSession.sessionState().sqlParser().parseExpression(where)  # noqa: SLF001
    except Exception as error:  # noqa: BLE001 - each version of Spark has its own
        raise JobFailed(f"Where is not a Spark SQL predicate: {first_line(error)}") from None


def filter_rows(rows: DataFrame, columns: Sequence[Column], where: str) -> DataFrame:
    """The rows for which the predicate is true; it uses the view's column names.

    Raises:
        JobFailed: it names a column that does not exist, or is not a predicate.
    """
    names = [
        column.view if column.shown else f"_former_{position}"
        for position, column in enumerate(columns)
    ]
    further = rows.columns[len(columns) :]
    try:
        return rows.toDF(*names, *further).where(where).toDF(*rows.columns)
    except Exception as error:  # noqa: BLE001 - each version of Spark has its own
        raise JobFailed(f"Where cannot be applied: {first_line(error)}") from None


@contextmanager
def explaining_predicate() -> Iterator[None]:
    """Explain a predicate that fails on a value, possible in ANSI SQL, the default of Glue 6.0.

    Raises:
        JobFailed: it does.
    """
    try:
        yield
    except Exception as error:
        reason = ERROR_CLASS.search(str(error))
        if reason is None:
            raise
        raise JobFailed(f"Where fails on an item: {reason.group()}: change the predicate") from None


def filter_items(
    spark: SparkSession, items: RDD[dict[str, Any]], columns: Sequence[Column], where: str
) -> RDD[dict[str, Any]]:
    """The items for which the predicate is true.

    Spark decides it on a row of the columns' types, beside which the item stays as it is.
    """
    convert = partial(convert_items, convert=partial(row_and_item, columns))
    rows = items.mapPartitions(partial(run_without_values, convert))
    schema = spark_schema(columns).add(ITEM, "string")
    frame = spark.createDataFrame(rows, schema, verifySchema=False)
    chosen = filter_rows(frame, columns, where).select(ITEM)
    return chosen.rdd.map(lambda row: json.loads(row[0]))


def row_and_item(columns: Sequence[Column]) -> Callable[[Any], tuple[Any, ...]]:
    row = spark_row_converter(columns)
    return lambda item: (*row(item), json.dumps(item))


# --- dynoexport/jobs/snapshot_schema.py -----------------------------------------------------------
@dataclass(frozen=True)
class SnapshotSchema:
    """The schema of a snapshot.

    Attributes:
        items: how many items were read.
        columns: in the order of the files.
        changes: a line for each attribute that changed since the snapshot before.
        warnings: a line for each thing that a reader of the snapshot should know.
        doubles: how many numbers of an attribute arrived as doubles, from the connector.
    """

    items: int
    columns: tuple[Column, ...]
    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    doubles: Mapping[str, int]


def settle_schema(
    spark: SparkSession, settings: Settings, result: ReadResult, history: Sequence[Column]
) -> SnapshotSchema:
    """One pass over the items; ``history`` are the columns of the snapshot before."""
    rules = type_rules(settings)
    limit, blanked = rules.max_struct_fields, settings.exclude
    known = {column.attribute for column in history if column.attribute}
    dumps = profile_partitions(spark, result, settings, limit)
    items, profiles, others = profile_all(dumps, known, limit, blanked)
    held = {*profiles, *result.left_out}
    profiles = {name: profile for name, profile in profiles.items() if name not in blanked}
    columns = settle_columns(profiles, assign_attributes(history, profiles), rules, others=others)
    warnings = [
        *schema_warnings(profiles, columns, others=others),
        *unknown_name_warnings(settings, result, held),
    ]
    changes = changes_between(history, columns, profiles)
    doubles = {name: count_doubles(profiles[name]) for name in sorted(profiles)}
    doubles = {name: number for name, number in doubles.items() if number}
    return SnapshotSchema(items, columns, tuple(changes), tuple(warnings), doubles)


def unknown_name_warnings(settings: Settings, result: ReadResult, held: Iterable[str]) -> list[str]:
    """A warning for each name in Columns or Exclude that no item has: it may be misspelled.

    Glue's connector does not report what it dropped.
    """
    exclude = () if result.dialect == "plain" else settings.exclude
    return [
        f"{setting} names {name!r}, which no item has"
        for setting, names in (("Columns", settings.columns), ("Exclude", exclude))
        for name in names
        if name not in set(held)
    ]


# --- dynoexport/jobs/history.py -------------------------------------------------------------------
def known_columns(s3: S3Client, settings: Settings) -> tuple[Column, ...]:
    """The columns of the newest complete snapshot; empty without a snapshot.

    Raises:
        JobFailed: its manifest is not valid.
    """
    timestamp = newest_snapshot(s3, settings)
    if timestamp is None:
        return ()
    newest = manifest_key(settings.table, settings.format, timestamp)
    body = s3.get_object(Bucket=settings.bucket, Key=newest)["Body"].read()
    try:
        return tuple(parse_column(entry) for entry in json.loads(body.decode())["schema"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise JobFailed(
            f"s3://{settings.bucket}/{newest} is not a valid manifest ({type(error).__name__}: "
            f"{error}): delete it, which makes its snapshot incomplete, and start a new run"
        ) from None


# --- dynoexport/jobs/write/columnar.py ------------------------------------------------------------
# Bytes in memory that become one row group or stripe.
ROW_GROUP_BYTES = 64 * 1024 * 1024


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    return arrow().schema([(column.name, arrow_type(column.type)) for column in columns])


class ColumnarFile:
    """A parquet or orc file; nothing is uploaded before there is a row."""

    def __init__(
        self, columns: Sequence[Column], fmt: str, codec: str, open_file: Callable[[], PartUpload]
    ) -> None:
        self._schema, self._format, self._codec = arrow_schema(columns), fmt, codec
        self._open_file = open_file
        self._writer: Any = None
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        self._batches.append(batch)
        self._bytes += batch.nbytes
        self.rows += batch.num_rows
        if self._bytes >= ROW_GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        if self._batches:
            self._write_group()
        if self._writer is not None:
            self._writer.close()

    def _write_group(self) -> None:
        if self._writer is None:
            make = parquet_writer if self._format == "parquet" else orc_writer
            self._writer = make(self._open_file(), self._schema, self._codec)
        table = arrow().Table.from_batches(self._batches, schema=self._schema)
        if self._format == "parquet":
            # Else pyarrow begins a new row group after a number of rows.
            self._writer.write_table(table, row_group_size=len(table))
        else:
            self._writer.write(table)
        self._batches, self._bytes = [], 0


def parquet_writer(file: PartUpload, schema: pa.Schema, codec: str) -> Any:  # noqa: ANN401
    import pyarrow.parquet

    # Lists as the format's specification names them, which is not every version's default:
    # https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists
    return pyarrow.parquet.ParquetWriter(
        file, schema, compression=codec, use_compliant_nested_type=True
    )


def orc_writer(file: PartUpload, schema: pa.Schema, codec: str) -> Any:  # noqa: ANN401, ARG001
    import pyarrow.orc

    # Without a compression, it writes none.
    return pyarrow.orc.ORCWriter(file, compression=codec, stripe_size=ROW_GROUP_BYTES)


# --- dynoexport/jobs/write/parts.py ---------------------------------------------------------------
# Items that become one Arrow batch where they do not come in batches; each has at most 400 KB.
ITEMS_PER_BATCH = 500


@dataclass(frozen=True)
class FilePlan:
    """What a task must know of the files; ``stem`` is the start of their keys."""

    columns: tuple[Column, ...]
    format: str
    codec: str
    bucket: str
    region: str
    stem: str

    def key(self, number: int) -> str:
        """As Spark names its files, so that readers know format and compression."""
        compressed = "" if self.format in LINE_FORMATS else f".{self.codec}"
        return f"{self.stem}-{number:05d}{compressed}.{self.format}"


def can_write_parts(settings: Settings) -> bool:
    """Whether tasks can write the files; else Spark does."""
    return settings.format in LINE_FORMATS or arrow() is not None


def file_plan(
    settings: Settings, columns: Sequence[Column], paths: SnapshotPaths, region: str
) -> FilePlan:
    codec = CODECS[settings.compression].get(settings.format, settings.compression)
    return FilePlan(
        tuple(columns),
        settings.format,
        codec,
        paths.bucket,
        region,
        f"{paths.snapshot}part-{os.urandom(4).hex()}",
    )


def batches_of_items(items: Iterable[dict[str, Any]], columns: Sequence[Column]) -> Iterator[Any]:
    """The items as record batches."""
    return (record_batch(columns, chunk) for chunk in chunks_of(items))


def chunks_of(items: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The items in lists that become one record batch each."""
    rest = iter(items)
    return iter(lambda: list(islice(rest, ITEMS_PER_BATCH)), [])


def write_part(number: int, contents: Iterable[Any], plan: FilePlan) -> Iterator[str]:
    """Upload one file of the contents: record batches, or items.

    Its ``UploadedFile`` as JSON; nothing without rows.
    """
    s3 = s3_client(plan.region)
    opened: list[PartUpload] = []

    def open_file() -> PartUpload:
        opened.append(PartUpload(s3, plan.bucket, plan.key(number)))
        return opened[0]

    file: Any
    if plan.format in COLUMNAR_FORMATS:
        file = ColumnarFile(plan.columns, plan.format, plan.codec, open_file)
    elif plan.format == "avro":
        file = AvroFile(plan.columns, plan.codec, open_file)
    else:
        file = LineFile(plan.columns, plan.format, open_file)
    try:
        for content in contents:
            file.write(content)
        file.close()
        done = [upload.finish(file.rows, getattr(file, "replaced", 0)) for upload in opened]
    except BaseException:
        for upload in opened:
            upload.abort()
        raise
    return map(json.dumps, [uploaded.to_dict() for uploaded in done])


def write_batches(
    number: int,
    groups: Iterable[str],
    plan: FilePlan,
    read: Callable[[Iterable[str]], Iterable[Any]],
) -> Iterator[str]:
    """The batches that ``read`` finds in the groups as one columnar file."""
    parts = (chunks_of(batch) if isinstance(batch, list) else [batch] for batch in read(groups))
    chunks = chain.from_iterable(parts)
    return write_part(number, (record_batch(plan.columns, chunk) for chunk in chunks), plan)


def write_item_batches(number: int, items: Iterable[Any], plan: FilePlan) -> Iterator[str]:
    return write_part(number, batches_of_items(items, plan.columns), plan)


def write_parts(
    spark: SparkSession,
    settings: Settings,
    result: ReadResult,
    columns: Sequence[Column],
    paths: SnapshotPaths,
    *,
    s3: S3Client,
) -> list[UploadedFile]:
    """Upload the files in tasks, and complete the uploads of those that succeeded."""
    plan = file_plan(settings, columns, paths, s3.meta.region_name)
    parts = files_for(result.json_bytes, settings.format)
    contents: RDD[Any]
    read = batch_reader(result, settings)
    if plan.format in COLUMNAR_FORMATS and read is not None and not settings.where:
        task = partial(write_batches, plan=plan, read=read)
        contents = piece_rdd(spark, result, parts)
    else:
        is_columnar = plan.format in COLUMNAR_FORMATS
        task = partial(write_item_batches if is_columnar else write_part, plan=plan)
        contents = item_rdd(spark, result, settings, parts)
        if settings.where:
            contents = filter_items(spark, contents, columns, settings.where)
    # What an attempt that was lost has uploaded.
    abort_uploads(s3, paths.bucket, paths.snapshot)
    with explaining_predicate():
        write_quietly = partial(run_without_values, task)
        texts = contents.mapPartitionsWithIndex(write_quietly).collect()
    files = [UploadedFile(**json.loads(text)) for text in texts]
    complete_uploads(s3, paths.bucket, files)
    abort_uploads(s3, paths.bucket, paths.snapshot)
    replaced = sum(file.replaced for file in files)
    if replaced:
        log(f"replaced {replaced:,} characters that XML cannot hold")
    return files


# --- dynoexport/jobs/write/files.py ---------------------------------------------------------------
def write_items(
    glue_context: GlueContext,
    settings: Settings,
    result: ReadResult,
    columns: Sequence[Column],
    paths: SnapshotPaths,
    *,
    s3: S3Client,
) -> tuple[int | None, int]:
    """Write the files.

    Returns how many items match the predicate, None without one, and how many characters XML
    could not hold.
    """
    spark = glue_context.spark_session
    if can_write_parts(settings):
        files = write_parts(spark, settings, result, columns, paths, s3=s3)
        kept = sum(file.rows for file in files) if settings.where else None
        return kept, sum(file.replaced for file in files)
    rows = typed_rows(spark, result, columns, settings)
    kept = None
    if settings.where:
        rows = filter_rows(rows, columns, settings.where)
        with explaining_predicate():
            kept = rows.count()
    # A columnar file without rows would become an empty partition.
    if kept != 0:
        write_files(glue_context, rows, settings, paths.uri(paths.snapshot))
    return kept, 0


# --- where Glue has no usable pyarrow, Spark and Glue write --------------------------------------
def typed_rows(
    spark: SparkSession, result: ReadResult, columns: Sequence[Column], settings: Settings
) -> DataFrame:
    """The items as rows of the columns' types."""
    # coalesce, not repartition: Spark reads lines in even parts of at most 128 MB. Joining them
    # makes even files without sending every row over the network.
    parts = files_for(result.json_bytes, settings.format)
    items = item_rdd(spark, result, settings, parts)
    convert = partial(convert_items, convert=partial(spark_row_converter, columns))
    rows = items.mapPartitions(partial(run_without_values, convert))
    return spark.createDataFrame(rows, spark_schema(columns), verifySchema=False)


def write_files(glue_context: GlueContext, rows: DataFrame, settings: Settings, path: str) -> None:
    """Write the rows, one file for each partition.

    The directory's name contains a colon. When Hadoop lists the parent, globs or overwrites, it
    takes "a:b" for a relative URI (HADOOP-14217). "append" does none of these, and the directory
    is empty.
    """
    fmt = settings.format
    codec = CODECS[settings.compression].get(fmt, settings.compression)
    if fmt == "avro":
        # Not plain Spark: Glue does not promise the spark-avro package.
        from awsglue.dynamicframe import DynamicFrame

        frame = DynamicFrame.fromDF(rows, glue_context, "items")
        glue_context.write_dynamic_frame.from_options(
            frame=frame,
            connection_type="s3",
            connection_options={"path": path, "compression": codec},
            format="avro",
            # In version 1.7, Glue's default, decimals are strings:
            # https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-format-avro-home.html
            format_options={"version": "1.8"},
        )
        return
    no_marker = ("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    writer = rows.write.mode("append").option(*no_marker).option("compression", codec)
    writer.format(fmt).save(path)


# --- dynoexport/jobs/export.py --------------------------------------------------------------------
def record_snapshot(glue: GlueClient, settings: Settings, manifest: Mapping[str, Any]) -> None:
    """Record in the run what it exported, so that runs can be listed without manifests."""
    properties = {SNAPSHOT_ITEMS: str(manifest["items"]), SNAPSHOT_BYTES: str(manifest["bytes"])}
    glue.put_workflow_run_properties(
        Name=settings.workflow_name, RunId=settings.workflow_run_id, RunProperties=properties
    )


def write_snapshot(
    glue_context: GlueContext,
    settings: Settings,
    s3: S3Client,
    paths: SnapshotPaths,
    result: ReadResult,
    *,
    steps: Steps,
    history: Sequence[Column] = (),
) -> WriteResult:
    """Turn the lines that were read into the files of the snapshot.

    ``history`` are the columns of the snapshot before.

    Raises:
        JobFailed: the files have more or fewer rows than the items to write.
    """
    if not result.json_bytes:
        columns = tuple(replace(column, items=0) for column in history)
        return WriteResult(columns=columns, report=result.report)
    spark = glue_context.spark_session
    with steps.timed("schema", "settled the schema"):
        schema = settle_schema(spark, settings, result, history)
    log(f"{schema.items:,} items, {len(schema.columns):,} columns")
    for line in (*schema.changes, *schema.warnings):
        log(line)
    for name, number in schema.doubles.items():
        log(f"{name}: {counted(number, 'number')} arrived as doubles, which keep about 15 digits")
    with steps.timed("files", "wrote the items"):
        written, replaced = write_items(
            glue_context, settings, result, schema.columns, paths, s3=s3
        )
    files = keep_part_files(s3, paths.bucket, paths.snapshot)
    listed = [{"key": key, "bytes": size, "etag": etag} for key, (size, etag) in files.items()]
    rows = count_written_rows(spark, s3, settings.format, paths, list(files)) if files else 0
    expected = schema.items if written is None else written
    if rows != expected:
        raise JobFailed(f"the files have {rows:,} rows, not {expected:,}: start a new run")
    return WriteResult(
        items=rows,
        files=tuple(listed),
        columns=schema.columns,
        items_read=schema.items,
        replaced_characters=replaced,
        changes=schema.changes,
        warnings=schema.warnings,
        report={**result.report, **({"doubles": schema.doubles} if schema.doubles else {})},
    )


def read_table(
    glue_context: GlueContext,
    settings: Settings,
    clients: Clients,
    paths: SnapshotPaths,
    plan: ReadPlan,
) -> ReadResult:
    """Read the table once, with the reader of the settings.

    Raises:
        JobFailed: it cannot be read.
    """
    spark = glue_context.spark_session
    with explaining_refusals(settings):
        if settings.reader == "export":
            return read_by_export(spark, settings, clients, paths)
        if settings.reader == "native":
            return read_by_scan(spark, settings, plan, clients, paths)
        report = sample_report(clients.dynamodb, settings)
        result = read_by_connector(glue_context, settings, plan.splits, clients.s3, paths)
        return replace(result, report=report)


def read_and_write(
    settings: Settings,
    clients: Clients,
    start_glue: Callable[[], GlueContext],
    paths: SnapshotPaths,
    plan: ReadPlan,
    *,
    steps: Steps,
) -> WriteResult:
    """From the table to the files; a failure deletes them.

    Otherwise the next run's crawler would add half a snapshot as a partition.
    """
    history = known_columns(clients.s3, settings) or adopted_columns(clients, settings)
    try:
        with steps.timed("spark", f"started {settings.engine.capitalize()}"):
            glue_context = start_engine(settings, start_glue)
        check_predicate(glue_context.spark_session, settings.where)
        how = f" in {plan.splits:,} splits" if settings.reader == "connector" else ""
        with steps.timed("read", f"read the table with ReadMode {settings.reader}{how}"):
            result = read_table(glue_context, settings, clients, paths, plan)
        written = write_snapshot(
            glue_context, settings, clients.s3, paths, result, steps=steps, history=history
        )
    except BaseException:
        abort_uploads(clients.s3, paths.bucket, paths.snapshot)
        clear_if_possible(clients.s3, paths.bucket, paths.snapshot)
        # A retry continues with what a Scan read or DynamoDB exported. Without a retry it expires.
        if settings.reader == "connector":
            clear_if_possible(clients.s3, paths.bucket, paths.temp)
        raise
    return written


def report_snapshot(clients: Clients, settings: Settings, manifest: Mapping[str, Any]) -> None:
    """Record the snapshot in the run, and in CloudWatch if no view job publishes it."""
    record_snapshot(clients.glue, settings, manifest)
    if settings.format == "xml":
        count_snapshot(clients.cloudwatch, settings.table, settings.format)


def default_splits(settings: Settings, run: Mapping[str, Any]) -> int:
    """How many parts are read at the same time; ``run`` has the workers that the job has."""
    if settings.reader == "export":
        return 1
    if settings.is_python:
        return available_processes()
    return splits_for(run["WorkerType"], run["NumberOfWorkers"], run["GlueVersion"])


def start_engine(settings: Settings, start_glue: Callable[[], GlueContext]) -> GlueContext:
    """Spark, or what takes its place."""
    if not settings.is_python:
        return start_glue()
    return cast("GlueContext", PythonSession())


def export(
    argv: Sequence[str],
    clients: Clients,
    start_glue: Callable[[], GlueContext],
    now: Callable[[], datetime],
) -> None:
    """One attempt of a run: settings, snapshot, read, write, manifest.

    Raises:
        JobFailed: what is wrong and what to do, in one line.
    """
    arguments = parse_arguments(argv, EXPORT_JOB_ARGUMENTS)
    properties = run_properties(clients.glue, arguments)
    settings = parse_settings(apply_overrides(arguments, properties, EXPORT_OVERRIDABLE))
    log(f"exporting {settings.table} as {settings.format} for run {settings.workflow_run_id}")
    if settings.is_python:
        log(describe_engine())
    check_library(settings)
    plan = check_table(clients.dynamodb, settings)
    if settings.reader == "export":
        check_recovery(clients.dynamodb, settings)
    check_catalog(clients.glue, settings)
    started = now()
    timestamp = choose_timestamp(settings, properties, clients, started)
    paths = snapshot_paths(settings, timestamp)
    if settings.reader == "connector":
        clear(clients.s3, paths.bucket, paths.temp)
    finished = find_completed(clients.s3, paths)
    if finished is not None:
        log(f"snapshot {timestamp} is already complete: nothing to do")
        clear_if_possible(clients.s3, paths.bucket, paths.temp)
        report_snapshot(clients, settings, finished)
        return
    run = job_run(clients.glue, settings)
    plan = replace(plan, splits=settings.splits or default_splits(settings, run))
    steps = Steps()
    written = read_and_write(settings, clients, start_glue, paths, plan, steps=steps)
    manifest = build_manifest(settings, timestamp, written, plan, run)
    manifest.update(started=iso(started), finished=iso(now()), seconds=steps.seconds)
    put_manifest(clients.s3, paths, manifest)
    # Only a run without a manifest needs these files: from now on no retry reads or exports again.
    clear_if_possible(clients.s3, paths.bucket, paths.temp)
    report_snapshot(clients, settings, manifest)
    log(
        f"snapshot {timestamp} is complete: {items_text(written.items)} in "
        f"{counted(len(written.files), 'file')}, {manifest['bytes']:,} bytes, under "
        f"{paths.uri(paths.snapshot)}"
    )
    if settings.is_python:
        log(f"the largest process had {peak_memory_mb():,} MiB of memory")


def main(argv: Sequence[str]) -> None:
    import boto3

    def start_glue() -> GlueContext:
        from awsglue.context import GlueContext
        from pyspark import SparkContext

        return GlueContext(SparkContext.getOrCreate())

    try:
        clients = Clients(
            dynamodb=table_client(parse_arguments(argv, EXPORT_JOB_ARGUMENTS)["SourceRoleArn"]),
            glue=boto3.client("glue"),
            s3=s3_client(),
            cloudwatch=boto3.client("cloudwatch", config=METRIC_CONFIG),
        )
        export(argv, clients, start_glue, now=lambda: datetime.now(timezone.utc))
    except (JobFailed, ClientError, BotoCoreError) as error:
        log(f"failed: {error}")
        # The message says it all; a traceback would push it out of sight.
        sys.tracebacklimit = 0
        # Not the error itself: for a Python shell job, Glue calls type(error)(error), which fails
        # for most errors.
        raise JobFailed(error) from None
    except Exception as error:  # noqa: BLE001 - what it says may quote an item
        cause = spark_cause(error)
        said = f"unexpected {describe_error(error)}" if cause is None else f"Spark failed: {cause}"
        # Not the text of the error, which may quote a value of an item.
        places = "".join(traceback.format_tb(error.__traceback__))
        print(frames_without_values(f"{places}\n{error}"), file=sys.stderr, flush=True)
        log(f"failed: {said}")
        sys.tracebacklimit = 0
        raise JobFailed(said) from None


if __name__ == "__main__":
    main(sys.argv[1:])

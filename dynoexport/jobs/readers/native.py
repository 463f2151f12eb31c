"""Read the table with a segmented Scan in the executors."""

from __future__ import annotations

import json
import math
import random
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import takes_arrow
from dynoexport.jobs.failures import JobFailed, run_without_values
from dynoexport.jobs.formats import DYNAMODB_JSON
from dynoexport.jobs.log import counted, log
from dynoexport.jobs.readers.read_result import ReadResult
from dynoexport.jobs.s3 import clear, get_text, list_objects
from dynoexport.jobs.scan.buffer import PIECES, record_key
from dynoexport.jobs.scan.capacity import table_capacity
from dynoexport.jobs.scan.coordinator import CoordinatorServer
from dynoexport.jobs.scan.rate_limit import RateLimiter
from dynoexport.jobs.scan.scheduler import Scheduler
from dynoexport.jobs.scan.segments import hot_segment_units, segments_for
from dynoexport.jobs.scan.skew import log_skew, scan_report
from dynoexport.jobs.scan.specification import ScanSpecification
from dynoexport.jobs.scan.table_description import describe_table
from dynoexport.jobs.scan.task import scan_task
from dynoexport.jobs.settings import attribute_filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

    from dynoexport.jobs.checks import ReadPlan
    from dynoexport.jobs.clients import Clients
    from dynoexport.jobs.settings import Settings
    from dynoexport.jobs.snapshot_paths import SnapshotPaths


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

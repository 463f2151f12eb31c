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

from __future__ import annotations

import sys
import traceback
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from dynoexport.jobs.adoption import adopted_columns
from dynoexport.jobs.arguments import apply_overrides, parse_arguments, run_properties
from dynoexport.jobs.arrow_library import check_library
from dynoexport.jobs.checks import check_catalog, check_table, job_run
from dynoexport.jobs.clients import Clients, table_client
from dynoexport.jobs.failures import (
    JobFailed,
    describe_error,
    frames_without_values,
    spark_cause,
)
from dynoexport.jobs.history import known_columns
from dynoexport.jobs.log import Steps, counted, iso, items_text, log
from dynoexport.jobs.manifest import WriteResult, build_manifest, put_manifest
from dynoexport.jobs.metrics import METRIC_CONFIG, count_snapshot
from dynoexport.jobs.names import SNAPSHOT_BYTES, SNAPSHOT_ITEMS
from dynoexport.jobs.python_engine import (
    PythonSession,
    available_processes,
    describe_engine,
    peak_memory_mb,
)
from dynoexport.jobs.readers.connector import read_by_connector, splits_for
from dynoexport.jobs.readers.native import read_by_scan
from dynoexport.jobs.readers.point_in_time import check_recovery, read_by_export
from dynoexport.jobs.readers.refusals import explaining_refusals
from dynoexport.jobs.readers.sample import sample_report
from dynoexport.jobs.reservation import choose_timestamp, find_completed
from dynoexport.jobs.s3 import clear, clear_if_possible, keep_part_files
from dynoexport.jobs.s3_client import s3_client
from dynoexport.jobs.settings import EXPORT_JOB_ARGUMENTS, EXPORT_OVERRIDABLE, parse_settings
from dynoexport.jobs.snapshot_paths import snapshot_paths
from dynoexport.jobs.snapshot_schema import settle_schema
from dynoexport.jobs.write.counts import count_written_rows
from dynoexport.jobs.write.files import write_items
from dynoexport.jobs.write.predicate import check_predicate
from dynoexport.jobs.write.upload import abort_uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awsglue.context import GlueContext
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.checks import ReadPlan
    from dynoexport.jobs.readers.read_result import ReadResult
    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.settings import Settings
    from dynoexport.jobs.snapshot_paths import SnapshotPaths


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

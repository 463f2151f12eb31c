"""Write the part files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dynoexport.jobs.failures import run_without_values
from dynoexport.jobs.formats import CODECS, files_for
from dynoexport.jobs.readers.items import item_rdd
from dynoexport.jobs.write.parts import can_write_parts, write_parts
from dynoexport.jobs.write.predicate import explaining_predicate, filter_rows
from dynoexport.jobs.write.rows import convert_items, spark_row_converter, spark_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsglue.context import GlueContext
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import DataFrame, SparkSession

    from dynoexport.jobs.readers.read_result import ReadResult
    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.settings import Settings
    from dynoexport.jobs.snapshot_paths import SnapshotPaths


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

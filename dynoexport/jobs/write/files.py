"""Write the part files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import takes_arrow
from dynoexport.jobs.failures import first_line, run_without_values
from dynoexport.jobs.formats import CODECS, LINE_FORMATS, files_for
from dynoexport.jobs.log import log
from dynoexport.jobs.readers.items import item_rdd, piece_rdd
from dynoexport.jobs.scan.buffer import PIECES, piece_location
from dynoexport.jobs.write.arrow import record_batches
from dynoexport.jobs.write.predicate import count_matching, filter_rows
from dynoexport.jobs.write.rows import (
    convert_items,
    line_converter,
    row_and_line_converter,
    spark_row_converter,
    spark_schema,
)
from dynoexport.jobs.write.text import count_replaced, document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awsglue.context import GlueContext
    from pyspark import RDD
    from pyspark.sql import DataFrame, SparkSession

    from dynoexport.jobs.readers.read_result import ReadResult
    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.settings import Settings
    from dynoexport.jobs.snapshot_paths import SnapshotPaths

# The column of a typed row that holds its line in a file of text.
LINE = "_line"


def typed_rows(
    spark: SparkSession,
    result: ReadResult,
    columns: Sequence[Column],
    settings: Settings,
    parts: int,
) -> DataFrame:
    """The items as rows of the columns' types."""
    schema = spark_schema(columns)
    if result.dialect == PIECES and takes_arrow(settings):
        groups = spark.createDataFrame(piece_rdd(spark, result, parts), "string")
        convert = partial(record_batches, columns=columns, **piece_location(settings))
        try:
            return groups.mapInArrow(partial(run_without_values, convert), schema)
        except (NotImplementedError, ImportError) as error:
            # Spark checks this by its own rules when it plans: 3.3 does not accept nested structs,
            # and each version refuses libraries that are too old.
            # https://github.com/apache/spark/blob/v3.3.0/python/pyspark/sql/udf.py
            log(f"writing rows, because this Spark accepts no Arrow batches: {first_line(error)}")
    items = item_rdd(spark, result, settings, parts)
    convert_rows = partial(convert_items, convert=partial(spark_row_converter, columns))
    rows = items.mapPartitions(partial(run_without_values, convert_rows))
    return spark.createDataFrame(rows, schema, verifySchema=False)


def item_lines(
    spark: SparkSession, items: RDD[dict[str, Any]], columns: Sequence[Column], settings: Settings
) -> RDD[str]:
    """The items to write as lines of a json, csv or xml file."""
    line = partial(line_converter, columns, settings.format)
    if not settings.where:
        convert = partial(convert_items, convert=line)
        return items.mapPartitions(partial(run_without_values, convert))
    convert = partial(convert_items, convert=partial(row_and_line_converter, columns, line))
    rows = items.mapPartitions(partial(run_without_values, convert))
    schema = spark_schema(columns).add(LINE, "string")
    frame = spark.createDataFrame(rows, schema, verifySchema=False)
    return filter_rows(frame, columns, settings.where).select(LINE).rdd.map(lambda row: row[0])


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
            # Of version 1.7, Glue's default, decimals are strings:
            # https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-format-avro-home.html
            format_options={"version": "1.8"},
        )
        return
    no_marker = ("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    writer = rows.write.mode("append").option(*no_marker)
    if fmt in {"orc", "parquet"}:
        writer = writer.option("compression", codec)
    writer.format(fmt if fmt in {"orc", "parquet"} else "text").save(path)


def write_items(
    glue_context: GlueContext,
    settings: Settings,
    result: ReadResult,
    columns: Sequence[Column],
    paths: SnapshotPaths,
) -> tuple[int | None, int]:
    """Write the files.

    Returns how many items match the predicate, None without one, and how many characters XML
    could not hold.
    """
    spark = glue_context.spark_session
    # coalesce, not repartition: Spark reads lines in even parts of at most 128 MB. Joining them
    # makes even files without sending every row over the network.
    parts = files_for(result.json_bytes, settings.format)
    path = paths.uri(paths.snapshot)
    replaced = 0
    if settings.format in LINE_FORMATS:
        items = item_rdd(spark, result, settings, parts)
        texts = item_lines(spark, items, columns, settings)
        kept = count_matching(texts) if settings.where else None
        replaced = count_replaced(texts) if settings.format == "xml" else 0
        if replaced:
            log(f"replaced {replaced:,} characters that XML cannot hold")
        names = [column.name for column in columns]
        finish = partial(document, names=names, fmt=settings.format)
        rows = spark.createDataFrame(
            texts.mapPartitions(partial(run_without_values, finish)), "string"
        )
    else:
        rows = typed_rows(spark, result, columns, settings, parts)
        rows = filter_rows(rows, columns, settings.where) if settings.where else rows
        kept = count_matching(rows) if settings.where else None
    # A columnar file without rows would become an empty partition.
    if kept != 0:
        write_files(glue_context, rows, settings, path)
    return kept, replaced

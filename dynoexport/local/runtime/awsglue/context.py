"""GlueContext: readers and writers by connection type."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from awsglue import avro_writer, dynamodb_source
from awsglue.dynamicframe import DynamicFrame
from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pyspark import RDD, SparkContext


class GlueContext:
    """Glue's sources and sinks; it refuses by name what the endpoint lacks."""

    def __init__(self, sparkContext: SparkContext) -> None:  # noqa: N803 - Glue's name
        self.spark_session = SparkSession(sparkContext)
        self.create_dynamic_frame = _Reader(self)
        self.write_dynamic_frame = _Writer(self)


class _Reader:
    def __init__(self, glue_ctx: GlueContext) -> None:
        self._glue_ctx = glue_ctx

    def from_options(
        self, connection_type: str, connection_options: Mapping[str, str], **_: object
    ) -> DynamicFrame:
        """A frame that scans a DynamoDB table whenever its records are needed."""
        if connection_type != "dynamodb":
            raise NotImplementedError(
                f"the local endpoint has no Glue source {connection_type!r}, only 'dynamodb'"
            )
        asked = dynamodb_source.parse(connection_options)
        table = dynamodb_source.make_client(asked).describe_table(TableName=asked.table)["Table"]
        source = dataclasses.replace(asked, rate=dynamodb_source.allowed_rate(asked, table))
        context = self._glue_ctx.spark_session.sparkContext
        tasks = dynamodb_source.tasks(source, table, context.defaultParallelism)

        def records() -> RDD[dict[str, Any]]:
            segments = context.parallelize(range(source.splits), tasks)
            return segments.mapPartitions(lambda part: _scan_all(source, part))

        return DynamicFrame(self._glue_ctx, records)


def _scan_all(source: dynamodb_source.Source, segments: Iterable[int]) -> Iterator[dict[str, Any]]:
    for segment in segments:
        yield from dynamodb_source.scan(_client(source), source, segment)


@lru_cache(maxsize=1)
def _client(source: dynamodb_source.Source) -> Any:
    """A client, cached: making one takes longer than a short scan."""
    return dynamodb_source.make_client(source)


class _Writer:
    def __init__(self, glue_ctx: GlueContext) -> None:
        self._glue_ctx = glue_ctx

    def from_options(
        self,
        frame: DynamicFrame,
        connection_type: str,
        connection_options: Mapping[str, str],
        format: str,  # noqa: A002 - Glue's name
        format_options: Mapping[str, str] | None = None,
        **_: object,
    ) -> DynamicFrame:
        """Add the frame's records as files under ``connection_options["path"]``."""
        if connection_type != "s3":
            raise NotImplementedError(
                f"the local endpoint has no Glue sink {connection_type!r}, only 's3'"
            )
        path = connection_options["path"]
        if format == "json":
            rows = frame.json_lines().map(lambda line: (line,))
            lines = self._glue_ctx.spark_session.createDataFrame(rows, "value string")
            lines.write.mode("append").text(path)
        elif format == "avro":
            codec = connection_options.get("compression", "null")
            version = (format_options or {}).get("version", "1.7")
            avro_writer.write(frame.toDF(), path, codec, version)
        else:
            raise NotImplementedError(
                f"the local endpoint writes DynamicFrames as 'json' and 'avro', not as {format!r}"
            )
        return frame

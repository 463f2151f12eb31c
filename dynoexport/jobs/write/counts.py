"""Count the rows in the files that were written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dynoexport.jobs.failures import JobFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

    from dynoexport.jobs.snapshot_paths import SnapshotPaths

# No object in S3 is larger: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
AVRO_BYTES_MAX = 50 * 1024**4
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


def count_avro_object(key: str, bucket: str, region: str) -> int:
    # On an executor: Spark cannot send a client.
    import boto3

    body = boto3.client("s3", region_name=region).get_object(Bucket=bucket, Key=key)["Body"]
    return count_avro_rows(body.read)


def count_written_rows(
    spark: SparkSession, s3: S3Client, fmt: str, paths: SnapshotPaths, keys: Sequence[str]
) -> int:
    """The rows in the files of the snapshot, read back from S3."""
    from pyspark.sql import functions as F  # noqa: N812 - its usual name

    path = paths.uri(paths.snapshot)
    if fmt == "avro":
        count = partial(count_avro_object, bucket=paths.bucket, region=s3.meta.region_name)
        return spark.sparkContext.parallelize(keys, len(keys)).map(count).sum()
    if fmt in {"orc", "parquet"}:
        return spark.read.format(fmt).load(path).count()
    lines = spark.read.text(path)
    if fmt == "xml":
        return lines.where(F.col("value").startswith("<item>")).count()
    headers = len(keys) if fmt == "csv" else 0
    return lines.count() - headers

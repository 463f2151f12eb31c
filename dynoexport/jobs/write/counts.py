"""Count the rows in the files that were written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.formats import COLUMNAR_FORMATS, LINE_FORMATS
from dynoexport.jobs.s3_client import s3_client
from dynoexport.jobs.s3_file import open_object
from dynoexport.jobs.write.text import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

    from dynoexport.jobs.snapshot_paths import SnapshotPaths

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

"""Write the files of a snapshot: tasks upload them, the driver makes them visible."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.failures import run_without_values
from dynoexport.jobs.formats import CODECS, COLUMNAR_FORMATS, LINE_FORMATS, files_for
from dynoexport.jobs.log import log
from dynoexport.jobs.readers.items import batch_reader, item_rdd, piece_rdd
from dynoexport.jobs.s3_client import s3_client
from dynoexport.jobs.write.arrow import record_batch
from dynoexport.jobs.write.avro import AvroFile
from dynoexport.jobs.write.columnar import ColumnarFile
from dynoexport.jobs.write.lines import LineFile
from dynoexport.jobs.write.predicate import explaining_predicate, filter_items
from dynoexport.jobs.write.upload import (
    PartUpload,
    UploadedFile,
    abort_uploads,
    complete_uploads,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy_boto3_s3 import S3Client
    from pyspark import RDD
    from pyspark.sql import SparkSession

    from dynoexport.jobs.readers.read_result import ReadResult
    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.settings import Settings
    from dynoexport.jobs.snapshot_paths import SnapshotPaths

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

"""The items in a reader's files, in DynamoDB JSON."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import takes_arrow
from dynoexport.jobs.failures import run_without_values
from dynoexport.jobs.readers.export_files import blank_item, export_batches, export_lines
from dynoexport.jobs.scan.buffer import (
    PIECES,
    group_pieces,
    piece_items,
    piece_location,
    read_pieces,
)
from dynoexport.jobs.scan.decode import WRAPPER
from dynoexport.jobs.scan.segments import SEGMENT_BYTES
from dynoexport.jobs.schema.dynamodb_json import DoubleNumber, WholeNumber, to_dynamodb_json
from dynoexport.jobs.settings import attribute_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pyspark import RDD
    from pyspark.sql import SparkSession

    from dynoexport.jobs.readers.read_result import ReadResult
    from dynoexport.jobs.settings import Settings


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

"""One pass over all items in the executors: what each attribute holds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.failures import run_without_values
from dynoexport.jobs.readers.items import batch_reader, item_rdd, piece_rdd
from dynoexport.jobs.schema.arrow_profile import profile_groups
from dynoexport.jobs.schema.column_names import MAX_COLUMNS
from dynoexport.jobs.schema.profile import (
    ITEMS,
    Profile,
    merge_profiles,
    profile_items,
    profile_rank,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyspark import RDD
    from pyspark.sql import SparkSession

    from dynoexport.jobs.readers.read_result import ReadResult
    from dynoexport.jobs.settings import Settings

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

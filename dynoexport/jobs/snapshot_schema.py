"""The columns of a snapshot, from what its items hold and what earlier snapshots had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport.jobs.adoption import assign_attributes
from dynoexport.jobs.profiling import profile_all, profile_partitions
from dynoexport.jobs.schema.changes import changes_between, schema_warnings
from dynoexport.jobs.schema.columns import settle_columns, type_rules
from dynoexport.jobs.schema.connector_losses import count_doubles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql import SparkSession

    from dynoexport.jobs.readers.read_result import ReadResult
    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.settings import Settings


@dataclass(frozen=True)
class SnapshotSchema:
    """The schema of a snapshot.

    Attributes:
        items: how many items were read.
        columns: in the order of the files.
        changes: a line for each attribute that changed since the snapshot before.
        warnings: a line for each thing that a reader of the snapshot should know.
        doubles: how many numbers of an attribute arrived as doubles, from the connector.
    """

    items: int
    columns: tuple[Column, ...]
    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    doubles: Mapping[str, int]


def settle_schema(
    spark: SparkSession, settings: Settings, result: ReadResult, history: Sequence[Column]
) -> SnapshotSchema:
    """One pass over the items; ``history`` are the columns of the snapshot before."""
    rules = type_rules(settings)
    limit, blanked = rules.max_struct_fields, settings.exclude
    known = {column.attribute for column in history if column.attribute}
    dumps = profile_partitions(spark, result, settings, limit)
    items, profiles, others = profile_all(dumps, known, limit, blanked)
    held = {*profiles, *result.left_out}
    profiles = {name: profile for name, profile in profiles.items() if name not in blanked}
    columns = settle_columns(profiles, assign_attributes(history, profiles), rules, others=others)
    warnings = [
        *schema_warnings(profiles, columns, others=others),
        *unknown_name_warnings(settings, result, held),
    ]
    changes = changes_between(history, columns, profiles)
    doubles = {name: count_doubles(profiles[name]) for name in sorted(profiles)}
    doubles = {name: number for name, number in doubles.items() if number}
    return SnapshotSchema(items, columns, tuple(changes), tuple(warnings), doubles)


def unknown_name_warnings(settings: Settings, result: ReadResult, held: Iterable[str]) -> list[str]:
    """A warning for each name in Columns or Exclude that no item has: it may be misspelled.

    Glue's connector does not report what it dropped.
    """
    exclude = () if result.dialect == "plain" else settings.exclude
    return [
        f"{setting} names {name!r}, which no item has"
        for setting, names in (("Columns", settings.columns), ("Exclude", exclude))
        for name in names
        if name not in set(held)
    ]

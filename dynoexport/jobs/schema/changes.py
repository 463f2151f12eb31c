"""The changes since the snapshot before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynoexport.jobs.log import items_text
from dynoexport.jobs.schema.column_names import MAX_COLUMNS, OTHER_ATTRIBUTES
from dynoexport.jobs.schema.dynamodb_json import GROUPS
from dynoexport.jobs.schema.profile import Profile
from dynoexport.jobs.schema.types import (
    ARRAY,
    BIGINT,
    BINARY,
    BOOLEAN,
    DECIMAL,
    DOUBLE,
    MAP,
    STRING,
    STRUCT,
    inexact_numbers,
    type_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.schema.types import Type

# The codes of the values that a column of the type has always held.
HELD = {
    STRING: {"S"},
    BIGINT: {"N"},
    DOUBLE: {"N", "X", "D"},
    DECIMAL: {"N", "X"},
    BOOLEAN: {"BOOL"},
    BINARY: {"B"},
    ARRAY: {"L"},
    STRUCT: {"M"},
    MAP: {"M"},
}
CHANGE_TEXT_MAX = 200


def visible_columns(columns: Iterable[Column]) -> dict[str, Column]:
    return {column.view: column for column in columns if column.shown and column.items}


def changes_between(
    before: Sequence[Column], after: Sequence[Column], profiles: Mapping[str, Profile]
) -> list[str]:
    """A line for each changed attribute, such as "rating: bigint -> string, 3 items"."""
    if not before:
        return []
    old, new = visible_columns(before), visible_columns(after)
    changes = {
        name: f"gone, was {short_type_name(old[name].type)}" for name in old if name not in new
    }
    for name, column in new.items():
        if name not in old:
            changes[name] = f"new, {short_type_name(column.type)}, {items_text(column.items)}"
        elif old[name].type != column.type:
            count = count_mismatches(profiles.get(column.attribute, Profile()), old[name].type)
            more = f", {items_text(count)}" if count else ""
            changes[name] = (
                f"{short_type_name(old[name].type)} -> {short_type_name(column.type)}{more}"
            )
    return [f"{name}: {changes[name]}" for name in sorted(changes)]


def count_mismatches(profile: Profile, kind: Type) -> int:
    """How many values have another type than those that a column of the type has always held."""
    held = HELD[kind.kind]
    return sum(
        number for code, number in profile.counts.items() if code in GROUPS and code not in held
    )


def short_type_name(kind: Type) -> str:
    name = type_name(kind)
    return name if len(name) <= CHANGE_TEXT_MAX else f"{name[: CHANGE_TEXT_MAX - 3]}..."


def schema_warnings(
    profiles: Mapping[str, Profile], columns: Sequence[Column], *, others: bool
) -> list[str]:
    """A line for each thing that a reader of the snapshot should know.

    ``others``: there are more attributes than columns are allowed.
    """
    paths = [path for name in sorted(profiles) for path in inexact_numbers(profiles[name], name)]
    warnings = [f"{path}: numbers that no decimal(38,s) holds, kept as text" for path in paths]
    if others:
        warnings.append(
            f"more than {MAX_COLUMNS:,} attributes: the rarest are in {OTHER_ATTRIBUTES}"
        )
    elif any(column.group == OTHER_ATTRIBUTES and column.items for column in columns):
        warnings.append(
            "the names of all attributes together are too long for a view: the rarest are in "
            f"{OTHER_ATTRIBUTES}"
        )
    return warnings

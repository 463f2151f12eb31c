"""The columns of a snapshot."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.formats import TEXT_FORMATS
from dynoexport.jobs.limits import VIEW_TEXT_MAX
from dynoexport.jobs.names import PARTITION_KEY
from dynoexport.jobs.schema.column_names import (
    COLUMN_NAME_MAX,
    OTHER_ATTRIBUTES,
    column_names,
    fold_column,
    free_name,
)
from dynoexport.jobs.schema.types import (
    ARRAY,
    MAP,
    STRING,
    STRUCT,
    TYPE_NAME_MAX,
    Rules,
    Type,
    infer_type,
    parse_shape,
    resolve_unknown,
    type_name,
    type_shape,
    widen_type,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dynoexport.jobs.schema.profile import Profile
    from dynoexport.jobs.settings import Settings


@dataclass(frozen=True)
class Column:
    """A column of the files and of the catalog's table.

    Attributes:
        name: its name in files and catalog.
        view: its name in the view; all columns of an attribute, one for each type, share it.
        attribute: its name in DynamoDB.
        group: with TypeConflicts=columns, the group of values that it holds; "" for all of them.
        type: its type.
        shown: whether the view shows it; if not, another one of the attribute is shown.
        items: how many items of this snapshot have a value in it; for ``OTHER_ATTRIBUTES`` 1 if
            there are any.
    """

    name: str
    view: str
    attribute: str
    group: str
    type: Type
    shown: bool = True
    items: int = 0


@dataclass(frozen=True)
class FoundColumn:
    """Values of this snapshot that belong in one column."""

    attribute: str
    group: str
    type: Type
    items: int

    @property
    def key(self) -> tuple[str, str]:
        return self.attribute, self.group


def find_columns(attribute: str, profile: Profile, rules: Rules) -> list[FoundColumn]:
    """The columns that an attribute needs."""
    groups = profile.groups()
    if rules.type_conflicts != "columns" or len(groups) <= 1:
        return [FoundColumn(attribute, "", infer_type(profile, rules), profile.values())]
    parts = [(group, profile.only(group)) for group in sorted(groups)]
    return [
        FoundColumn(attribute, group, infer_type(part, rules), part.values())
        for group, part in parts
    ]


# The catalog has a view's text in base64 of JSON: its query, and each column's name and type.
# Beside these, a column has quotes, names of keys and AS; a field has quotes and a blank.
VIEW_TEXT_AROUND, COLUMN_AROUND, FIELD_AROUND = 1_000, 80, 8
# A type that is shorter than this makes no view too long.
SHORT_TYPE = 256


def view_text_size(columns: Iterable[Column], fmt: str) -> int:
    """How many characters the view's text in the catalog has at most."""
    size = VIEW_TEXT_AROUND
    for column in columns:
        if column.shown:
            kind = type_name(column.type, fmt)
            fields = 1 + kind.count(":")
            # In the query, which renames some columns, and in the list of columns.
            names = len({column.name, column.view}) + 1
            longest = max(len(column.name.encode()), len(column.view.encode()))
            size += names * longest + COLUMN_AROUND + len(kind.encode()) + FIELD_AROUND * fields
    return size * 4 // 3


@dataclass(frozen=True)
class TypeBounds:
    """How long the name of a column's type may be; with ``keep``, existing types may be longer."""

    longest: int = TYPE_NAME_MAX
    keep: bool = False

    def allow(self, kind: Type, former: Type | None = None) -> bool:
        return len(type_name(kind)) <= self.longest or (self.keep and kind == former)


def narrower_bounds(columns: Iterable[Column]) -> Iterator[TypeBounds]:
    """Bounds that make more and more types text: new and changed ones first, then all."""
    longest = max((len(type_name(column.type)) for column in columns), default=0)
    for keep in (True, False):
        bound = longest // 2
        while bound >= SHORT_TYPE:
            yield TypeBounds(bound, keep)
            bound //= 2


def settle_columns(
    profiles: Mapping[str, Profile], history: Sequence[Column], rules: Rules, *, others: bool
) -> tuple[Column, ...]:
    """The columns of this snapshot: the existing ones in their order, then new ones by name.

    Positions and types never change, so that every SerDe can read the files of older snapshots,
    by names or by positions. If the view would be too long for the catalog, the longest types
    become text. If even that is too long, the rarest new attributes get no column of their own.
    ``others``: some attributes have none anyway.
    """

    def settle(bounds: TypeBounds) -> tuple[Column, ...]:
        return settle_within(bounds, profiles, history, rules, others=others)

    whole = settle(TypeBounds())
    if view_text_size(whole, rules.format) <= VIEW_TEXT_MAX:
        return whole
    attempts = map(settle, narrower_bounds(whole))
    fitting = (
        attempt for attempt in attempts if view_text_size(attempt, rules.format) <= VIEW_TEXT_MAX
    )
    return next(fitting, None) or settle_fewer(profiles, history, rules, others=others)


def settle_fewer(
    profiles: Mapping[str, Profile], history: Sequence[Column], rules: Rules, *, others: bool
) -> tuple[Column, ...]:
    """As many columns as the view has room for, those of the most frequent attributes first.

    The names themselves are too long for all. Existing columns stay.
    """
    known = {column.attribute for column in history}
    new = sorted(set(profiles) - known, key=lambda name: (-profiles[name].values(), name))

    def settle(kept: int) -> tuple[Column, ...]:
        own = known.union(new[:kept])
        within = {name: profile for name, profile in profiles.items() if name in own}
        left = others or kept < len(new)
        return settle_within(TypeBounds(SHORT_TYPE), within, history, rules, others=left)

    least, most = 0, len(new)
    while least < most:
        middle = (least + most + 1) // 2
        if view_text_size(settle(middle), rules.format) <= VIEW_TEXT_MAX:
            least = middle
        else:
            most = middle - 1
    return settle(least)


def settle_within(
    bounds: TypeBounds,
    profiles: Mapping[str, Profile],
    history: Sequence[Column],
    rules: Rules,
    *,
    others: bool,
) -> tuple[Column, ...]:
    """The columns whose types are within the bounds."""
    candidates = [
        candidate
        for name in sorted(profiles)
        for candidate in find_columns(name, profiles[name], rules)
    ]
    if others or any(column.group == OTHER_ATTRIBUTES for column in history):
        candidates.append(FoundColumn("", OTHER_ATTRIBUTES, Type(MAP), int(others)))
    views = view_names(candidates, history)
    columns = {column.name: replace(column, items=0) for column in history}
    taken = {PARTITION_KEY, *columns, *views.values()}
    new: list[Column] = []
    for candidate in candidates:
        known = [
            column
            for column in columns.values()
            if (column.attribute, column.group) == candidate.key
        ]
        column = fit_column(candidate, known, rules, bounds)
        if column is None and is_too_long(candidate, known, bounds):
            text = replace(candidate, type=Type(STRING))
            column = fit_column(text, known, rules, bounds)
            column = column or new_column(text, known, views[candidate.key], taken)
        column = column or new_column(candidate, known, views[candidate.key], taken)
        for former in known:
            columns[former.name] = replace(former, shown=False)
        if column.name in columns:
            columns[column.name] = column
        else:
            new.append(column)
    return (*columns.values(), *sorted(new, key=lambda column: column.name))


def fit_column(
    found: FoundColumn, known: Sequence[Column], rules: Rules, bounds: TypeBounds
) -> Column | None:
    """The column of the attribute that can hold the values; the shown one is tried first."""
    for column in sorted(known, key=lambda candidate: not candidate.shown):
        kind = (
            resolve_unknown(found.type)
            if rules.format in TEXT_FORMATS
            else widen_type(column.type, found.type)
        )
        kind = None if kind is None else resolve_unknown(kind)
        if kind is not None and bounds.allow(kind, column.type):
            return replace(column, type=kind, shown=True, items=found.items)
    return None


def is_too_long(found: FoundColumn, known: Sequence[Column], bounds: TypeBounds) -> bool:
    """Whether its type is too long, or that of an existing column with its values.

    Then it becomes text, in one column for all runs.
    """
    kinds = [found.type, *(widen_type(column.type, found.type) for column in known)]
    return any(kind is not None and not bounds.allow(resolve_unknown(kind)) for kind in kinds)


def new_column(found: FoundColumn, known: Sequence[Column], view: str, taken: set[str]) -> Column:
    """A column for the values; if the attribute already has another one, its name has the type."""
    kind = resolve_unknown(found.type)
    name = view
    if known:
        name = free_name(with_suffix(view, type_word(kind)), taken)
    return Column(name, view, found.attribute, found.group, kind, items=found.items)


def with_suffix(name: str, word: str) -> str:
    return f"{name[: COLUMN_NAME_MAX - len(word) - 2]}__{word}"


def type_word(kind: Type) -> str:
    """The type in a column's name: ``string``, ``decimal_38_2``, ``struct_5f0c61a2``."""
    if kind.kind in {ARRAY, STRUCT}:
        digest = hashlib.sha256(json.dumps(type_shape(kind)).encode()).hexdigest()
        return f"{kind.kind}_{digest[:8]}"
    return re.sub(r"\W+", "_", type_name(kind)).strip("_")


def view_names(
    found: Iterable[FoundColumn], history: Sequence[Column]
) -> dict[tuple[str, str], str]:
    """Each column's name in the view, by attribute and group; a name never changes."""
    names = {(column.attribute, column.group): column.view for column in history}
    taken = {PARTITION_KEY, OTHER_ATTRIBUTES, *names.values(), *(column.name for column in history)}
    known = {column.attribute for column in history}
    missing = [candidate for candidate in found if candidate.key not in names]
    new = [candidate.attribute for candidate in missing if candidate.attribute not in known | {""}]
    bases = column_names(set(new), reserved=taken)
    taken |= set(bases.values())
    for candidate in missing:
        base = bases.get(candidate.attribute, fold_column(candidate.attribute))
        if candidate.group == OTHER_ATTRIBUTES:
            names[candidate.key] = OTHER_ATTRIBUTES
        elif candidate.group:
            names[candidate.key] = free_name(with_suffix(base, candidate.group), taken)
        else:
            names[candidate.key] = base if candidate.attribute in bases else free_name(base, taken)
    return names


def column_entry(column: Column, fmt: str) -> dict[str, Any]:
    """A column for the manifest; ``type`` is the catalog's."""
    entry = {
        "name": column.name,
        "type": type_name(column.type, fmt),
        "attribute": column.attribute,
        "view": column.view,
        "shown": column.shown,
        "items": column.items,
        "shape": type_shape(column.type),
    }
    return {**entry, "group": column.group} if column.group else entry


def parse_column(entry: Mapping[str, Any]) -> Column:
    """The column of an entry that ``column_entry`` wrote."""
    return Column(
        name=entry["name"],
        view=entry["view"],
        attribute=entry["attribute"],
        group=entry.get("group", ""),
        type=parse_shape(entry["shape"]),
        shown=entry["shown"],
        items=entry["items"],
    )


def type_rules(settings: Settings) -> Rules:
    return Rules(
        format=settings.format,
        type_conflicts=settings.type_conflicts,
        maps_as=settings.maps_as,
        max_struct_fields=settings.max_struct_fields,
    )

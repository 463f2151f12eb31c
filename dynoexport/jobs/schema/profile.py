"""A summary of all values of an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.schema.dynamodb_json import ELEMENTS, GROUPS
from dynoexport.jobs.schema.numbers import DECIMAL_DIGITS, number_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


class Profile:
    """A summary of all values of an attribute, of a list's elements or of a map's field.

    Merging is commutative and associative: neither the order of the items nor their partitions
    change the result. A profile has a bounded size: it drops the fields of a map that has more
    different keys than the limit.

    Attributes:
        counts: the number of values by type: DynamoDB's codes, but "L" also for sets, "X" for
            numbers that are not 64-bit integers, and "D" for the connector's doubles.
        digits: the most digits before the point of any number.
        scale: the most digits after it.
        element: the profile of the elements of all lists and sets.
        fields: the profiles of the fields of all maps, by name.
        many: whether the maps have more different keys than the limit; then ``fields`` is empty.
    """

    __slots__ = ("counts", "digits", "element", "fields", "many", "scale")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.digits = 0
        self.scale = 0
        self.element: Profile | None = None
        self.fields: dict[str, Profile] = {}
        self.many = False

    def add(self, value: Mapping[str, Any], limit: int) -> None:
        """Add a value; ``limit`` is how many different keys the maps may have."""
        for code, content in value.items():
            kind = code
            if code == "N":
                kind, digits, scale = number_shape(content)
                self.digits = max(self.digits, digits)
                self.scale = max(self.scale, scale)
            elif code == "L" or code in ELEMENTS:
                kind = "L"
                self._add_elements(code, content, limit)
            elif code == "M" and not self.many:
                self._add_fields(content, limit)
            self.counts[kind] = self.counts.get(kind, 0) + 1

    def _add_elements(self, code: str, content: Sequence[Any], limit: int) -> None:
        if self.element is None:
            self.element = Profile()
        for value in content:
            self.element.add(value if code == "L" else {ELEMENTS[code]: value}, limit)

    def _add_fields(self, content: Mapping[str, Any], limit: int) -> None:
        for name, value in content.items():
            if name not in self.fields:
                self.fields[name] = Profile()
            self.fields[name].add(value, limit)
        self.bound(limit)

    def bound(self, limit: int) -> None:
        if len(self.fields) > limit:
            self.many, self.fields = True, {}

    def merge(self, other: Profile, limit: int) -> Profile:
        """Add the other profile to this one; returns this one."""
        for kind, count in other.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        self.digits = max(self.digits, other.digits)
        self.scale = max(self.scale, other.scale)
        if self.element is None or other.element is None:
            self.element = self.element or other.element
        else:
            self.element.merge(other.element, limit)
        self.many = self.many or other.many
        if self.many:
            self.fields = {}
            return self
        for name, theirs in other.fields.items():
            own = self.fields.get(name)
            self.fields[name] = theirs if own is None else own.merge(theirs, limit)
        self.bound(limit)
        return self

    def dump(self) -> tuple[Any, ...]:
        """The profile as plain values: Spark cannot send a class of the script up to Python 3.7."""
        element = None if self.element is None else self.element.dump()
        fields = {name: profile.dump() for name, profile in self.fields.items()}
        return self.counts, self.digits, self.scale, element, fields, self.many

    @classmethod
    def load(cls, dumped: tuple[Any, ...]) -> Profile:
        """The profile that ``dump`` turned into plain values."""
        profile = cls()
        profile.counts, profile.digits, profile.scale, element, fields, profile.many = dumped
        profile.element = None if element is None else cls.load(element)
        profile.fields = {name: cls.load(inner) for name, inner in fields.items()}
        return profile

    def groups(self) -> set[str]:
        """The groups of types that occur, without nulls."""
        return {GROUPS[kind] for kind in self.counts if kind in GROUPS}

    def only(self, group: str) -> Profile:
        """The profile of the values of one group."""
        part = Profile()
        part.counts = {
            kind: number for kind, number in self.counts.items() if GROUPS.get(kind) == group
        }
        for name in ("digits", "scale", "element", "fields", "many"):
            setattr(part, name, getattr(self, name))
        return part

    def values(self) -> int:
        """How many values there are, without nulls."""
        return sum(count for kind, count in self.counts.items() if kind in GROUPS)

    def exact(self) -> bool:
        """Whether one decimal type holds all numbers."""
        return self.digits + self.scale <= DECIMAL_DIGITS


# The number of items is stored beside the profiles under this name, which no attribute has.
ITEMS = ""


def profile_items(
    items: Iterable[Mapping[str, Any]], limit: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The profiles of the items' attributes, and the number of items under ``ITEMS``."""
    profiles: dict[str, Profile] = {}
    number = update_profiles(profiles, items, limit)
    return dump_profiles(profiles, number)


def update_profiles(
    profiles: dict[str, Profile], items: Iterable[Mapping[str, Any]], limit: int
) -> int:
    """Add the items to the profiles; the number of items."""
    number = 0
    for item in items:
        number += 1
        for name, value in item.items():
            if name not in profiles:
                profiles[name] = Profile()
            profiles[name].add(value, limit)
    return number


def dump_profiles(
    profiles: Mapping[str, Profile], number: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The profiles as plain values, and the number of items."""
    counted = Profile()
    counted.counts["M"] = number
    yield ITEMS, counted.dump()
    for name, profile in profiles.items():
        yield name, profile.dump()


def merge_profiles(
    dumps: Iterable[tuple[str, tuple[Any, ...]]], limit: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """One profile for each attribute."""
    profiles: dict[str, Profile] = {}
    for name, dumped in dumps:
        profile = Profile.load(dumped)
        profiles[name] = profiles[name].merge(profile, limit) if name in profiles else profile
    return ((name, profile.dump()) for name, profile in profiles.items())


def profile_rank(pair: tuple[str, tuple[Any, ...]], known: frozenset[str]) -> tuple[bool, int, str]:
    """A sort key: known attributes, then those that most items have, then by name."""
    name, (counts, *_) = pair
    return name not in known, -sum(counts.values()), name

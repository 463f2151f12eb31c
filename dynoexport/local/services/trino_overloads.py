"""Which of Trino's functions a call means, by the types of its arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from dynoexport.local.services import trino_types as types
from dynoexport.local.services.trino_functions import AGGREGATE, SCALAR, WINDOW
from dynoexport.local.services.trino_syntax import fail, unsupported

if TYPE_CHECKING:
    from dynoexport.local.services.trino_types import Type

_LINE = re.compile(r"(\w+)\((.*?)\) (\S+|map\(.*?\)) = (.*)")
_GUARD = re.compile(r"\[(.*?) \| (.*?)\] (.*)")
_ANY = {"T", "K", "V"}


@dataclass(frozen=True)
class Overload:
    """A function with the types that it takes."""

    kind: str
    takes: tuple[str, ...]
    gives: str
    sql: str

    def bind(self, given: list[Type]) -> tuple[int, list[Type], Type] | None:
        """How many arguments it casts, their types, and its result's; None if it does not fit."""
        takes = self.takes
        if takes and takes[-1].endswith("..."):
            last = takes[-1].removesuffix("...")
            takes = (*takes[:-1], *[last] * max(1, len(given) - len(takes) + 1))
        if len(takes) != len(given):
            return None
        bound: dict[str, Type] = {}
        # Twice, since a later argument can widen the type of an earlier one.
        for _ in range(2):
            if not all(_match(take, kind, bound) for take, kind in zip(takes, given, strict=True)):
                return None
        wanted = [_put(take, kind, bound) for take, kind in zip(takes, given, strict=True)]
        casts = sum(kind != want for kind, want in zip(given, wanted, strict=True))
        return casts, wanted, _put(self.gives, types.UNKNOWN, bound)


def _split(inner: str) -> list[str]:
    """The patterns between commas, without commas in inner brackets."""
    found, depth = [""], 0
    for character in inner:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            found.append("")
        else:
            found[-1] += character
    return [part.strip() for part in found if part.strip()]


def _inner(pattern: str) -> tuple[str, list[str]]:
    head, _, rest = pattern.partition("(")
    return head, _split(rest.removesuffix(")"))


def _match(  # noqa: PLR0911 - a pattern each
    pattern: str, kind: Type, bound: dict[str, Type]
) -> bool:
    head, inner = _inner(pattern)
    if head == "array":
        if kind == types.UNKNOWN:
            return _match(inner[0], kind, bound)
        return bool(pa.types.is_list(kind)) and _match(inner[0], kind.value_type, bound)
    if head == "map":
        kinds = (
            (kind.key_type, kind.item_type)
            if pa.types.is_map(kind)
            else (kind, kind)
            if kind == types.UNKNOWN
            else None
        )
        return kinds is not None and all(
            _match(part, one, bound) for part, one in zip(inner, kinds, strict=True)
        )
    if pattern in _ANY or (pattern in {"I", "F", "D"} and _is_a(pattern, kind)):
        together = types.common(bound.get(pattern, types.UNKNOWN), kind)
        if together is not None:
            bound[pattern] = together
        return together is not None
    if pattern in {"I", "F", "D"}:
        return False
    if pattern == "timestamp":
        return types.is_timestamp(kind) or kind == types.UNKNOWN
    return (pattern == "utc" and types.is_timestamp(kind)) or types.coerces(kind, _plain(pattern))


def _is_a(pattern: str, kind: Type) -> bool:
    if pattern == "D":
        return types.is_decimal(kind)
    return kind in ((types.REAL, types.DOUBLE) if pattern == "F" else types.INTEGERS)


def _plain(pattern: str) -> Type:
    return pa.timestamp("ms", "UTC") if pattern == "utc" else types.BY_NAME[pattern]


def _put(pattern: str, kind: Type, bound: dict[str, Type]) -> Type:
    head, inner = _inner(pattern)
    if head == "array":
        return pa.list_(_put(inner[0], types.UNKNOWN, bound))
    if head == "map":
        return pa.map_(*(_put(part, types.UNKNOWN, bound) for part in inner))
    if pattern in {*_ANY, "I", "F", "D"}:
        return bound.get(pattern, types.UNKNOWN)
    if pattern in {"timestamp", "utc"} and types.is_timestamp(kind):
        return kind
    return _plain(pattern)


def guarded(condition: str, error: str, sql: str) -> str:
    """The SQL, which fails with the error on the condition.

    A failing cast, since DuckDB's TRY takes no error().
    """
    words = error.replace("'", "''")
    failing = f"CASE WHEN {condition} THEN CAST('{words}' AS BOOLEAN) ELSE false END"
    return f"CASE WHEN {failing} THEN NULL ELSE {sql} END"


def _sql(text: str) -> str:
    guard = _GUARD.fullmatch(text)
    return f"({guarded(guard[1], guard[2], _sql(guard[3]))})" if guard else text


@cache
def _overloads() -> dict[str, list[Overload]]:
    found: dict[str, list[Overload]] = {}
    tables = {"scalar": SCALAR, "aggregate": AGGREGATE, "window": WINDOW}
    for kind, table in tables.items():
        for line in table.strip().replace("\n    ", " ").splitlines():
            name, takes, gives, sql = _LINE.fullmatch(line).groups()  # type: ignore[union-attr]
            overload = Overload(kind, tuple(_split(takes)), gives, _sql(sql))
            found.setdefault(name, []).append(overload)
    return found


def kind_of(name: str) -> str:
    """Whether it is a scalar, aggregate or window function."""
    overloads = _overloads().get(name)
    if overloads is None:
        unsupported(f"the function {name}")
    return overloads[0].kind


def find(name: str, given: list[Type]) -> tuple[Overload, list[Type], Type]:
    """The overload for arguments of these types, the types that they are cast to, and its own.

    Raises:
        QueryFailed: no overload fits.
    """
    kind_of(name)
    if name == "map" and not given:
        unsupported("MAP() without arguments")
    fitting = [
        (overload, bound)
        for overload in _overloads()[name]
        if (bound := overload.bind(given)) is not None
    ]
    if not fitting:
        shown = ", ".join(map(types.name, given))
        fail("FUNCTION_NOT_FOUND", f"Unexpected parameters ({shown}) for function {name}")
    overload, (_, wanted, gives) = min(fitting, key=lambda found: found[1][0])
    return overload, wanted, gives

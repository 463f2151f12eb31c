"""The names that a query of Athena can use, and who translates its expressions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dynoexport.local.services.trino_casts import Typed
from dynoexport.local.services.trino_syntax import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport.local.services import trino_types as types
    from dynoexport.local.services.trino_casts import Functions


@dataclass(frozen=True)
class Column:
    """A column of a relation; a hidden one is no part of a ``*``."""

    name: str
    sql: str
    kind: types.Type
    hidden: bool = False


@dataclass(frozen=True)
class Relation:
    """What a query reads under one name."""

    name: str
    columns: list[Column]
    database: str = ""


@dataclass
class Scope:
    """The names that an expression can use."""

    relations: list[Relation] = field(default_factory=list)
    parent: Scope | None = None
    outputs: dict[str, list[Typed]] = field(default_factory=dict)
    arguments: dict[str, Typed] = field(default_factory=dict)

    def with_arguments(self, arguments: dict[str, Typed]) -> Scope:
        """The same names, and arguments of a lambda."""
        return Scope(self.relations, self.parent, self.outputs, {**self.arguments, **arguments})

    def find(self, parts: list[str]) -> tuple[Typed, list[str]] | None:
        """What the dotted name names, and the fields that are left; None if there is nothing."""
        names = [part.lower() for part in parts]
        if names[0] in self.arguments:
            return self.arguments[names[0]], names[1:]
        if len(names) == 1 and names[0] in self.outputs:
            return _only(self.outputs[names[0]], names[0]), []
        for start in (2, 1, 0):
            found = [
                Typed(column.sql, column.kind)
                for relation in self.relations
                if names[:start] == [relation.database, relation.name][2 - start :]
                for column in relation.columns
                if len(names) > start and column.name.lower() == names[start]
            ]
            if found:
                return _only(found, names[start]), names[start + 1 :]
        return None if self.parent is None else self.parent.find(parts)


def _only(found: list[Typed], name: str) -> Typed:
    if len(set(found)) > 1:
        fail("AMBIGUOUS_NAME", f"Column '{name}' is ambiguous")
    return found[0]


class Translator(Protocol):
    """What the parts of an expression need of its translation."""

    functions: Functions

    @property
    def subquery(self) -> Callable[[Any, Scope], tuple[str, list[types.Type]]]:
        """Translates a query in an expression."""

    def fresh(self, letter: str) -> str:
        """A name that nothing else has."""

    def typed(self, node: Any, scope: Scope) -> Typed:
        """The expression."""

    def condition(self, node: Any, scope: Scope, clause: str) -> str:
        """A condition, which must be a boolean."""

    def cast(self, value: Typed, kind: types.Type) -> str:
        """The value in another type."""

    def row(self, parts: list[Any], scope: Scope) -> Typed:
        """A row, whose fields have no names."""

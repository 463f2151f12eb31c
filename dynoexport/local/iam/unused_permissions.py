"""Unused permissions: a policy compared with the calls that were recorded under it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dynoexport.local.iam.authorization import ALLOW, Policies, decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dynoexport.local.iam.authorization import Request, Statement, Test

ACTION, RESOURCE, CONDITION = "action", "resource", "condition"


@dataclass(frozen=True)
class Element:
    """One action, resource or condition value of a statement, by its place in the statement.

    The place, not the text, because the role of another table has the same statement with other
    names.
    """

    policy: str
    sid: str
    kind: str
    place: int


def elements(statements: Iterable[Statement]) -> list[Element]:
    """Each element of the statements."""
    return [
        Element(statement.policy, statement.sid, kind, place)
        for statement in statements
        for kind, values in _values(statement).items()
        for place in range(len(values))
    ]


def text(statements: Iterable[Statement], element: Element) -> str:
    """The text of the element."""
    return next(
        _values(statement)[element.kind][element.place]
        for statement in statements
        if (statement.policy, statement.sid) == (element.policy, element.sid)
    )


def needless(statements: Sequence[Statement], calls: Iterable[Request]) -> list[Element]:
    """Each element whose removal would leave every call allowed.

    Each on its own: if two elements allow the same, both are listed, and one must stay.
    """
    allowed = [call for call in calls if decide(call, Policies(tuple(statements))).allowed]
    unneeded = []
    for position, statement in enumerate(statements):
        if statement.effect != ALLOW:
            continue
        others = Policies((*statements[:position], *statements[position + 1 :]))
        # Only calls that no other statement allows depend on this one.
        depending = [
            call for call in allowed if statement.covers(call) and not decide(call, others).allowed
        ]
        unneeded += [
            element
            for element in elements([statement])
            if all(_covers(_without(statement, element), call) for call in depending)
        ]
    return unneeded


def _values(statement: Statement) -> dict[str, tuple[str, ...]]:
    conditions = tuple(value for test in statement.tests for value in test.values)
    return {ACTION: statement.actions, RESOURCE: statement.resources, CONDITION: conditions}


def _without(statement: Statement, element: Element) -> Statement | None:
    """The statement without the element; None if it becomes empty."""
    kept = [
        value
        for place, value in enumerate(_values(statement)[element.kind])
        if place != element.place
    ]
    if element.kind == ACTION:
        return replace(statement, actions=tuple(kept)) if kept else None
    if element.kind == RESOURCE:
        return replace(statement, resources=tuple(kept)) if kept else None
    tests = tuple(_tests_without(statement.tests, element.place))
    return replace(statement, tests=tests) if all(test.values for test in tests) else None


def _tests_without(tests: Iterable[Test], place: int) -> Iterator[Test]:
    start = 0
    for test in tests:
        own = place - start
        values = tuple(value for at, value in enumerate(test.values) if at != own)
        yield replace(test, values=values)
        start += len(test.values)


def _covers(statement: Statement | None, call: Request) -> bool:
    return statement is not None and statement.covers(call)

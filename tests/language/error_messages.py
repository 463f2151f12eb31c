"""The errors that the package can raise, read from its source."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dynoexport
from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
# Any value in an f-string.
VALUE = "VALUE"
# What is no literal: another function writes it.
ELSEWHERE = "ELSEWHERE"
# They import what only the processes of jobs have.
_NOT_IMPORTED = "dynoexport.local.runtime"


@dataclass(frozen=True)
class Message:
    """An error where it is made: its class, what is wrong, and the next step.

    A part that is not a literal in this place is ``ELSEWHERE``, a missing next step is empty.
    """

    place: str
    kind: str
    what: str
    hint: str


def error_classes() -> set[str]:
    """The names of all classes of errors for people."""
    for module in pkgutil.walk_packages(dynoexport.__path__, "dynoexport."):
        if not module.name.startswith(_NOT_IMPORTED):
            importlib.import_module(module.name)
    return {kind.__name__ for kind in _with_subclasses(DynoexportError)}


def _with_subclasses(kind: type[DynoexportError]) -> Iterator[type[DynoexportError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _with_subclasses(below)


def messages() -> list[Message]:
    """Each error that a module makes, by the call of its class."""
    kinds = error_classes()
    found: list[Message] = []
    for path in sorted((ROOT / "dynoexport").rglob("*.py")):
        place, source = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        # Most modules make none; to look at all their nodes takes seconds.
        if not any(kind in source for kind in kinds):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and _name(node.func) in kinds:
                found.extend(_messages(f"{place}:{node.lineno}", node))
    return found


def _messages(place: str, call: ast.Call) -> Iterator[Message]:
    hints = [keyword.value for keyword in call.keywords if keyword.arg == "hint"]
    for what in _texts(call.args[0]):
        for hint in _texts(hints[0]) if hints else [""]:
            yield Message(place, _name(call.func), what, hint)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _texts(node: ast.expr) -> list[str]:
    """What the expression may be, with ``VALUE`` for each value."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [left + right for left in _texts(node.left) for right in _texts(node.right)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(_part(part) for part in node.values)]
    return [ELSEWHERE]


def _part(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else VALUE

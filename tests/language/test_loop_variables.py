"""A loop variable names the thing that it holds: rule 8 of "Words" in CONTRIBUTING.md."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FOLDERS = ("dynoexport", "scripts", "benchmarks")
MEANINGLESS = frozenset({"each", "found"})


def loop_variables(tree: ast.AST) -> Iterator[ast.Name]:
    """The names that loops and comprehensions assign."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            yield from (name for name in ast.walk(node.target) if isinstance(name, ast.Name))


def test_loop_variables_name_the_thing() -> None:
    meaningless = [
        f"{path.relative_to(ROOT)}:{variable.lineno}: {variable.id}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for variable in loop_variables(ast.parse(path.read_text(encoding="utf-8")))
        if variable.id in MEANINGLESS
    ]
    assert meaningless == []

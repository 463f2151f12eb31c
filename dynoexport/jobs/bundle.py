"""Build the Glue scripts from the modules of ``dynoexport.jobs``: one self-contained file per job.

A module has, in this order: a docstring, imports, one ``if TYPE_CHECKING:`` block of imports, and
definitions. A script has the docstring of its job's module, every import once, and then the
definitions of each module, after those of the modules that it imports. A ruler with the module's
path stands above each part: a line number in a Glue traceback leads to its source.
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
import textwrap
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PACKAGE = "dynoexport.jobs"
# The job's own module, by the name of its script.
JOBS = {"create_current_view.py": "publish", "export_table.py": "export"}
COMMAND = "dynoexport templates"
WIDTH = 100
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
# The body begins at the first line at the margin that is no import, closing bracket or comment.
BODY = re.compile(r"^(?!import |from |if TYPE_CHECKING:|[)#\s]).", re.MULTILINE)
# Lines at the margin that have one meaning wherever they stand. Any other is left to the parser.
PLAIN = re.compile(r"(?:def|class) (\w+)\b.*|(\w+(?:, \w+)*)(?:: [^=]+)? = (?!\w+ = ).*|[@)\]}].*")
UNPLAIN = re.compile(r"\'\'\'|\"\"\"|;|:=|\\$")
OWN_IMPORT = re.compile(r"\bimport\b.*\bdynoexport\b|\bfrom\s+(?:dynoexport\b|\.)")


class BundleError(Exception):
    """Modules that cannot become one file. The message names file, line and reason."""


@dataclass(frozen=True)
class Import:
    """``import module as alias``, or ``from module import name as alias``."""

    module: str
    name: str = ""
    alias: str = ""
    types_only: bool = False

    @property
    def is_own(self) -> bool:
        """Whether it is a module of this package."""
        return self.module.startswith(f"{PACKAGE}.")

    @property
    def bound(self) -> str:
        """The name that the import binds."""
        return self.alias or self.name or self.module.partition(".")[0]

    @property
    def kind(self) -> int:
        """Constants come first, then classes, then functions, as in isort."""
        return 0 if self.name.isupper() else 1 if self.name[:1].isupper() else 2

    def __str__(self) -> str:
        imported = self.name or self.module
        return f"{imported} as {self.alias}" if self.alias else imported


@dataclass(frozen=True)
class Module:
    """A module's parts.

    Attributes:
        path: of its file, in the checkout.
        docstring: its text, with quotes.
        imports: each imported name.
        body: the text of its definitions.
        lines: the line of each name that it defines at the top level.
    """

    path: str
    docstring: str
    imports: tuple[Import, ...]
    body: str
    lines: Mapping[str, int]

    def own_imports(self, *, types_only: bool) -> set[str]:
        """The own modules that it imports; ``types_only`` adds those for annotations only."""
        return {
            imported.module
            for imported in self.imports
            if imported.is_own and types_only >= imported.types_only
        }


def scripts() -> dict[str, str]:
    """The text of each script of this package, by its file name."""
    folder = Path(__file__).parents[2]
    return {script: build(folder, script) for script in JOBS}


def build(folder: Path, script: str) -> str:
    """The text of a script.

    Args:
        folder: the folder that holds the package ``dynoexport``.
        script: the script's file name.

    Raises:
        BundleError: two modules define one name, or a module has something that one file cannot
            reproduce.
    """
    job = f"{PACKAGE}.{JOBS[script]}"
    modules = in_order(folder, job)
    check_names(list(modules.values()))
    head = [modules[job].docstring, _notice(job), "from __future__ import annotations"]
    imports = [
        imported
        for module in modules.values()
        for imported in module.imports
        if not imported.is_own
    ]
    parts = [f"{ruler(module.path)}\n{module.body}" for module in modules.values()]
    return "\n\n".join([*head, _imports(imports) + "\n", "\n\n".join(parts)])


def in_order(folder: Path, job: str) -> dict[str, Module]:
    """The modules that the job needs, each after those that it imports.

    Raises:
        BundleError: modules import each other.
    """
    modules: dict[str, Module] = {}
    missing = {job}
    while missing:
        modules.update({name: parse(folder, name) for name in missing})
        needed = {
            path for module in modules.values() for path in module.own_imports(types_only=True)
        }
        missing = needed - modules.keys()
    order = TopologicalSorter(
        {name: sorted(modules[name].own_imports(types_only=False)) for name in sorted(modules)}
    )
    try:
        return {name: modules[name] for name in order.static_order()}
    except CycleError as error:
        raise BundleError(f"circular import: {' -> '.join(error.args[1])}") from None


def parse(folder: Path, name: str) -> Module:
    """The module of that dotted name.

    Raises:
        BundleError: it has something that one file cannot reproduce.
    """
    path = "/".join(name.split(".")) + ".py"
    try:
        text = (folder / path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BundleError(f"{path} does not exist, but a module imports it") from None
    return _parse(path, text, is_job=name in {f"{PACKAGE}.{job}" for job in JOBS.values()})


@lru_cache(maxsize=128)
def _parse(path: str, text: str, *, is_job: bool) -> Module:
    """Cached, because both scripts have most modules of the smaller one."""
    tree = _tree(path, text)
    if ast.get_docstring(tree) is None:
        raise BundleError(f"{path}:1: begin the module with a docstring")
    first, *rest = tree.body
    header = [first, *_header(rest)]
    body = tree.body[len(header) :]
    if body and body[0].lineno == header[-1].end_lineno:
        raise BundleError(f"{path}:{body[0].lineno}: put each statement on a line of its own")
    # As Python counts lines: str.splitlines() splits at further characters.
    lines = text.split("\n")
    start = header[-1].end_lineno or 0
    names = _plain_names(lines, start)
    if names is None:
        body = _parsed(path, text).body[len(header) :]
        _check_body(path, body, is_job=is_job)
        names = {defined: node.lineno for node in body for defined in _defined(node)}
    return Module(
        path=path,
        docstring="\n".join(lines[first.lineno - 1 : first.end_lineno]),
        imports=tuple(imported for node in header[1:] for imported in _imported(path, node)),
        body="\n".join(lines[start:]).strip("\n") + "\n",
        lines=names,
    )


def _tree(path: str, text: str) -> ast.Module:
    """The docstring and the imports, or more. A parser takes eight times as long for the rest."""
    end = text.find('"""', 3)
    body = BODY.search(text, end + 3) if text.startswith('"""') and end > 0 else None
    try:
        return ast.parse(text[: body.start()] if body else text, path)
    except SyntaxError:
        return _parsed(path, text)


def _parsed(path: str, text: str) -> ast.Module:
    try:
        return ast.parse(text, path)
    except SyntaxError as error:
        raise BundleError(f"{path}:{error.lineno}: {error.msg}") from None


def _plain_names(lines: Sequence[str], start: int) -> dict[str, int] | None:
    """The line of each name that is defined after the line ``start``.

    Nothing where lines at the margin do not show it: the parser judges.
    """
    names = {}
    for number, line in enumerate(lines[start:], start + 1):
        if "import" in line and OWN_IMPORT.search(line):
            return None
        if not line or line[0] in " #":
            continue
        plain = PLAIN.fullmatch(line)
        defined = (plain[1] or plain[2] or "").split(", ") if plain else []
        if plain is None or UNPLAIN.search(line) or any(map(keyword.iskeyword, defined)):
            return None
        names.update(dict.fromkeys(filter(None, defined), number))
    return names


def check_names(modules: Sequence[Module]) -> None:
    """Check that each top-level name of the script has one meaning.

    Raises:
        BundleError: two modules define it, or one defines what another imports.
    """
    places: dict[str, str] = {}
    for module in modules:
        for name, line in module.lines.items():
            here = f"{module.path}:{line}"
            if name in places:
                raise BundleError(f"{here}: {name} is also defined in {places[name]}: rename one")
            places[name] = here
    imported: dict[str, Import] = {}
    importers: dict[str, str] = {}
    for module in modules:
        for binding in (candidate for candidate in module.imports if not candidate.is_own):
            if binding.bound in places:
                here = places[binding.bound]
                raise BundleError(f"{here}: {binding.bound} is also imported in {module.path}")
            former = imported.setdefault(binding.bound, binding)
            importer = importers.setdefault(binding.bound, module.path)
            # `import a.b` and `import a.c` both bind a.
            named = former.name or former.alias or binding.name or binding.alias
            if named and (former.module, former.name) != (binding.module, binding.name):
                raise BundleError(
                    f"{module.path}: {binding.bound} comes from {binding.module} here, but from "
                    f"{former.module} in {importer}: import one"
                )


def ruler(path: str) -> str:
    """The comment above a module's part."""
    return f"# --- {path} ".ljust(WIDTH, "-")


def _notice(job: str) -> str:
    source = job.replace(".", "/") + ".py"
    return (
        f"# Built by `{COMMAND}` from {source} and the modules it imports.\n"
        "# Change those modules, not this file."
    )


def _header(nodes: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The imports before all definitions."""
    for node in nodes:
        if not isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_type_checking(node):
            return
        yield node


def _is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _imported(path: str, node: ast.stmt, *, types_only: bool = False) -> Iterator[Import]:
    if isinstance(node, ast.If):
        for statement in node.body:
            yield from _imported(path, statement, types_only=True)
        return
    here = f"{path}:{node.lineno}"
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        raise BundleError(f"{here}: put only imports under TYPE_CHECKING")
    for alias in node.names:
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        name = alias.name if isinstance(node, ast.ImportFrom) else ""
        _check_import(here, module, name, alias.asname, getattr(node, "level", 0))
        if module != "__future__":
            yield Import(module, name, alias.asname or "", types_only)


def _check_import(here: str, module: str, name: str, alias: str | None, level: int) -> None:
    is_own = module == "dynoexport" or module.startswith("dynoexport.")
    if level or name == "*":
        raise BundleError(f"{here}: import each name by its module's full name")
    if is_own and (not module.startswith(f"{PACKAGE}.") or not name):
        wanted = f"{module}.{name}" if name else module
        raise BundleError(f"{here}: {wanted}: import only names of {PACKAGE} modules")
    if is_own and alias:
        raise BundleError(f"{here}: {alias}: import {name} without an alias")


def _check_body(path: str, body: Sequence[ast.stmt], *, is_job: bool) -> None:
    """Check that the body has only listable definitions, and imports only in functions."""
    for node in _statements_in(body):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "dynoexport"]
        else:
            continue
        if node in body or any(name.partition(".")[0] == "dynoexport" for name in names):
            raise BundleError(f"{path}:{node.lineno}: put imports at the top of the module")
    for node in body:
        is_main = isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        if not (isinstance(node, DEFINITIONS) or (is_job and is_main)):
            raise BundleError(
                f"{path}:{node.lineno}: put only functions, classes and assignments at the top "
                "level of a module"
            )


def _statements_in(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The statements and those within them, without expressions, which are far more."""
    for node in nodes:
        yield node
        yield from _statements_in(
            child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)
        )


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [
            name.id
            for target in targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        ]
    return []


def _imports(imports: Sequence[Import]) -> str:
    """All imports, each once; those for annotations only under TYPE_CHECKING."""
    at_run = {
        replace(imported, types_only=False) for imported in imports if not imported.types_only
    }
    for_types = {replace(imported, types_only=False) for imported in imports} - at_run
    text = _statements(at_run, WIDTH)
    if for_types:
        indent = "    "
        block = textwrap.indent(_statements(for_types, WIDTH - len(indent)), indent)
        text += f"\n\nif TYPE_CHECKING:\n{block}"
    return text


def _statements(imports: Iterable[Import], width: int) -> str:
    """The import statements in isort's order: Python's own modules, then the others."""
    sections: dict[bool, list[Import]] = {True: [], False: []}
    for imported in imports:
        sections[imported.module.partition(".")[0] in sys.stdlib_module_names].append(imported)
    texts = ["\n".join(_section(section, width)) for section in sections.values() if section]
    return "\n\n".join(texts)


def _section(imports: Iterable[Import], width: int) -> Iterator[str]:
    members = defaultdict(list)
    for imported in sorted(imports, key=lambda imported: (imported.kind, str(imported))):
        members[imported.module].append(imported)
    for module in sorted(members):
        yield from (f"import {imported}" for imported in members[module] if not imported.name)
    for module in sorted(members):
        names = [str(imported) for imported in members[module] if imported.name]
        line = f"from {module} import {', '.join(names)}"
        if len(line) > width:
            line = f"from {module} import (\n    " + ",\n    ".join(names) + ",\n)"
        if names:
            yield line

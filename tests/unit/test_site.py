"""The documentation site: its navigation reaches everything, and every link of a page resolves."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import mypy.api
import pytest
import yaml
from markdown_it import MarkdownIt

import dynoexport
from dynoexport.cloudformation import parameters as forms
from dynoexport.cloudformation.check import check_parameters
from dynoexport.operations.run import check_properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
LLMS = DOCS / "llms.txt"


def load_outside_pages() -> dict[str, str]:
    """The files outside docs/ that the site shows, with its page for each."""
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.PAGES)


OUTSIDE = load_outside_pages()
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", *(ROOT / source for source in OUTSIDE)]


def pages_of(entries: list[Any]) -> Iterator[str]:
    """The pages of the navigation, in its order."""
    for entry in entries:
        (target,) = entry.values()
        if isinstance(target, str):
            yield target
        else:
            yield from pages_of(target)


NAVIGATION = list(pages_of(SITE["nav"]))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- links ----------------------------------------------------------------------------------------
@cache
def tokens(path: Path) -> list[Token]:
    parser = MarkdownIt("commonmark").enable("table")
    return parser.parse(path.read_text(encoding="utf-8"))


def links(path: Path) -> Iterator[str]:
    for token in tokens(path):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield str(target)


def slug(heading: str) -> str:
    """The anchor that GitHub and MkDocs make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def anchors(path: Path) -> set[str]:
    """The anchors of the page's headings; equal ones get a number."""
    found: list[str] = []
    for token, after in zip(tokens(path), tokens(path)[1:], strict=False):
        if token.type == "heading_open":
            text = "".join(child.content for child in after.children or ())
            found.append(slug(text))
    numbered = {f"{name}-{number}" for name in found for number in range(1, found.count(name))}
    return {*found, *numbered}


def broken(path: Path) -> list[str]:
    """The links of a page that lead nowhere; those to other hosts are not followed."""
    targets = []
    for link in links(path):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and unquote(anchor) not in anchors(target)):
            targets.append(link)
    return targets


@pytest.mark.parametrize("path", [*PAGES, LLMS], ids=relative)
def test_every_link_of_a_page_resolves(path: Path) -> None:
    assert broken(path) == []


def test_link_to_a_missing_file_or_anchor_is_found(tmp_path: Path) -> None:
    page = DOCS / "types.md"
    assert "three-readers" in anchors(page)
    assert "typeconflicts-several-types-in-one-attribute" in anchors(page)
    wrong = tmp_path / "page.md"
    wrong.write_text("# A\n[a](#a) [b](#b) `[c](c.md)` [d](d.md) [e](https://example.com/e)\n")
    assert broken(wrong) == ["#b", "d.md"]


# --- navigation -----------------------------------------------------------------------------------
def test_navigation_reaches_every_page_once() -> None:
    own = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    assert sorted(NAVIGATION) == sorted([*own, *OUTSIDE.values()])


def test_navigation_reaches_the_pages_of_commands_parameters_and_functions() -> None:
    """Other tests compare the first two pages with the commands and the parameters."""
    assert {"commands.md", "parameters.md", "json.md", "api.md"} <= set(NAVIGATION)


def test_api_page_has_every_public_name_once() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: dynoexport\.(\w+)$", text, re.MULTILINE)) == dynoexport.__all__


def test_llms_txt_lists_every_page_of_docs_once() -> None:
    listed = list(links(LLMS))
    own = [page for page in NAVIGATION if (DOCS / page).exists() and page != "index.md"]
    assert sorted(listed) == sorted(own)


def test_llms_txt_has_the_parts_of_its_form() -> None:
    """https://llmstxt.org: a title, a quoted summary, and lists of links under headings."""
    text = LLMS.read_text(encoding="utf-8")
    assert re.match(r"# dynoexport\n\n> ", text)
    for section in text.split("\n## ")[1:]:
        lines = section.splitlines()[2:]
        assert [line for line in lines if not re.match(r"- \[.+\]\(.+\): .+|$", line)] == []


# --- what pages print -----------------------------------------------------------------------------
def set_options(path: Path) -> Iterator[tuple[str, str, str]]:
    """Command, name and value of each ``--set NAME=VALUE`` of a page."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for command, rest in re.findall(r"dynoexport (\w+)([^`\n]*)", joined):
        for name, value in re.findall(r"--set '?(\w+)=([^\s'`]*)", rest):
            yield command, name, value


def check_setting(command: str, name: str, value: str) -> None:
    """Refuse a setting as the command does; a value that a page shortens is not compared."""
    if command == "run":
        check_properties({name: value})
        return
    groups = forms.common_groups() if command == "init" else forms.table_groups()
    if value.endswith("..."):
        assert name in {field.parameter.title for group in groups for field in group.fields}
    else:
        check_parameters(groups, {name: value})


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_every_setting_that_a_page_shows_is_accepted(path: Path) -> None:
    for command, name, value in set_options(path):
        if name != "NAME":
            check_setting(command, name, value)


@pytest.mark.parametrize(
    "setting",
    ["run Reviews --set MaxRetries=2", "deploy Reviews --set Splits=-1", "init --set Splits=4"],
)
def test_setting_that_a_command_refuses_is_found(tmp_path: Path, setting: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"    dynoexport {setting}\n")
    (found,) = set_options(page)
    with pytest.raises(dynoexport.DynoexportError):
        check_setting(*found)


FENCE = re.compile(r"(```|~~~)\s*python")


def python_of(path: Path) -> str:
    """The page's blocks of Python, as one program."""
    blocks = (token for token in tokens(path) if (token.type, token.info) == ("fence", "python"))
    return "\n".join(block.content for block in blocks)


def type_errors(program: str, path: Path) -> str:
    path.write_text(program, encoding="utf-8")
    printed, errors, status = mypy.api.run(["--config-file", str(ROOT / "setup.cfg"), str(path)])
    return f"{printed}{errors}" if status else ""


# Whatever is collected, only these pages are parsed for it.
MAYBE_PYTHON = [page for page in PAGES if FENCE.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", [page for page in MAYBE_PYTHON if python_of(page)], ids=relative)
def test_python_of_a_page_has_no_type_error(path: Path, tmp_path: Path) -> None:
    """Each name exists, and each function takes its arguments."""
    assert type_errors(python_of(path), tmp_path / "program.py") == ""


def test_argument_that_does_not_exist_is_found(tmp_path: Path) -> None:
    program = "import dynoexport\n\ndynoexport.connect(regions='us-east-1')\n"
    assert "regions" in type_errors(program, tmp_path / "program.py")

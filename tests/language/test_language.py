"""What people read is in plain words: banned_phrases.yaml has what is not, and what to write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import pytest
import yaml
from click.testing import CliRunner

from dynoexport.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PHRASES = Path(__file__).with_name("banned_phrases.yaml")
FOLDERS = ("", ".github", "benchmarks", "docs", "dynoexport", "tests")
# scripts/ and templates/ are built from dynoexport/.
KINDS = {".cfg", ".go", ".html", ".java", ".js", ".md", ".py", ".toml", ".txt", ".yml"}
# This folder quotes what it refuses.
SKIPPED = {".venv", "node_modules", "__pycache__", "language"}

# Delete an entry as soon as its file is clean. This list shall become empty.
NOT_YET_CLEAN: frozenset[str] = frozenset()


class Phrase(NamedTuple):
    """A phrase that a text must not have, and what to write."""

    pattern: re.Pattern[str]
    write: str


def phrases() -> list[Phrase]:
    entries = yaml.safe_load(PHRASES.read_text(encoding="utf-8"))
    return [
        Phrase(re.compile(entry["phrase"].replace(" ", r"\s"), re.IGNORECASE), entry["write"])
        for entry in entries
    ]


def join_lines(text: str) -> str:
    """Each line break with its comment sign, quotes and indentation as one character."""
    return re.sub(r"""[ \t]*["']?[ \t]*\n[ \t]*(?:(?:\#|//|\*|>|f?["'])[ \t]*)*""", "\n", text)


def find_phrases(name: str, text: str) -> list[str]:
    """A line for each banned phrase: where it stands, and what to write."""
    joined = join_lines(text)
    return [
        f'{name}:{joined.count(chr(10), 0, match.start()) + 1}: "{match[0]}": write {phrase.write}'
        for phrase in PATTERNS
        for match in phrase.pattern.finditer(joined)
    ]


def files(folder: str) -> Iterator[Path]:
    top = ROOT / folder
    for path in sorted(top.rglob("*") if folder else top.glob("*")):
        skipped = SKIPPED & set(path.relative_to(ROOT).parts)
        if path.is_file() and not skipped and (path.suffix in KINDS or path.name == "Makefile"):
            yield path


def commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, the groups' among them."""
    yield words
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, (*words, name))


PATTERNS = phrases()
COMMANDS = list(commands(main))


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_have_no_banned_phrase(folder: str) -> None:
    found = [
        line
        for path in files(folder)
        if (name := path.relative_to(ROOT).as_posix()) not in NOT_YET_CLEAN
        for line in find_phrases(name, path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_no_banned_phrase(words: tuple[str, ...]) -> None:
    name = " ".join(["dynoexport", *words, "--help"])
    shown = CliRunner().invoke(main, [*words, "--help"])
    assert shown.exit_code == 0
    if name not in NOT_YET_CLEAN:
        found = find_phrases(name, shown.output)
        assert not found, "\n".join(found)


def test_every_phrase_has_a_better_word_and_a_reason() -> None:
    for entry in yaml.safe_load(PHRASES.read_text(encoding="utf-8")):
        assert set(entry) == {"phrase", "write", "why"}
        assert all(isinstance(value, str) and value for value in entry.values())


@pytest.mark.parametrize(
    "text",
    [
        'print("what of "\n    "which")',
        "# nothing but\n# meanwhile",
        "def test_told_once() -> None:",
        "`AWS_REGION` count",
    ],
)
def test_phrase_is_found_across_lines_and_in_names(text: str) -> None:
    assert find_phrases("text", text)


@pytest.mark.parametrize("text", ["None if there is none", "if value is None:", "a storyteller"])
def test_plain_text_passes(text: str) -> None:
    assert find_phrases("text", text) == []

"""The SQL statements that README, docs and help texts print."""

from __future__ import annotations

import re
from pathlib import Path

from command import commands

from dynoexport import cli

ROOT = Path(__file__).parents[2]
FIRST_WORDS = (
    "ALTER|CREATE|DELETE|DESCRIBE|DROP|EXPLAIN|INSERT|MERGE|MSCK|SELECT|SHOW|UNLOAD|UPDATE|WITH"
)
# As in ``dynoexport query Reviews "SELECT ..."``, ``--query-string 'SELECT ...'`` or a sentence.
QUOTED = re.compile(rf"""(["'`])\s*((?:{FIRST_WORDS})\s(?:\\.|(?!\1)[^\\])*)\1""", re.DOTALL)
# As in a block of code: until an empty line, a semicolon or the end of the block.
LINES = re.compile(rf"^[ \t]*((?:{FIRST_WORDS})\s(?:(?!```|\n\s*\n)[^;])+)", re.MULTILINE)
# The name of a kind of statements in a sentence, such as CREATE [OR REPLACE] VIEW.
KIND = re.compile(r"[A-Z\[\] ]+")


def statements(text: str) -> list[str]:
    """Every statement between quotation marks and on lines of its own, with its blanks folded."""
    quoted = [match[1].replace('\\"', '"') for match in QUOTED.findall(text)]
    on_lines = LINES.findall(QUOTED.sub("", text))
    named = [sql for sql in quoted if not KIND.fullmatch(sql)]
    return [" ".join(sql.split()) for sql in (*named, *on_lines)]


def pages() -> dict[str, str]:
    """README and docs by their paths."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}


def help_texts() -> dict[str, str]:
    """What ``--help`` prints, by command."""
    from click.testing import CliRunner

    run = CliRunner(env={"COLUMNS": "80"})
    return {
        " ".join(("dynoexport", *words)): run.invoke(cli.main, [*words, "--help"]).output
        for words in commands()
    }


def printed() -> list[tuple[str, str]]:
    """Every statement with the place that prints it."""
    texts = {**pages(), **help_texts()}
    return [(place, sql) for place, text in texts.items() for sql in statements(text)]

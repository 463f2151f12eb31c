"""README and docs: commands and options exist, figures are those of ``dynoexport plan``."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dynoexport import units
from dynoexport.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.*")),
]
SMALL = str(ROOT / "docs" / "examples" / "reviews.json")
LARGE = str(ROOT / "docs" / "examples" / "events.json")


def shown_commands(text: str) -> list[str]:
    """Each ``dynoexport ...`` between backticks, and in blocks of code with its further lines."""
    joined = text.replace("\\\n", " ")
    inline = re.findall(r"`(dynoexport [^`\n]+)`", joined)
    blocks = re.findall(r"^ {4,}(?:\$ )?(dynoexport .*?)(?:\s{2,}#.*)?$", joined, re.MULTILINE)
    return [*inline, *blocks]


def unknown_words(command: str) -> list[str]:
    """The options that the command does not have, or the command itself."""
    subcommand: click.Command = main
    words = shlex.split(command.partition(" | ")[0].replace("> ", ""))[1:]
    while words and isinstance(subcommand, click.Group) and not words[0].startswith("-"):
        name = words.pop(0)
        below = subcommand.get_command(click.Context(subcommand), name)
        if below is None:
            return [name]
        subcommand = below
    options = {
        name
        for parameter in subcommand.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    given = [word.partition("=")[0] for word in words if word.startswith("--")]
    return [word for word in given if word not in options | {"--help"}]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_command_has_every_option_that_a_page_shows(page: Path) -> None:
    for command in shown_commands(page.read_text(encoding="utf-8")):
        assert unknown_words(command) == [], command


def test_command_in_a_list_is_found() -> None:
    page = "1. Deploy:\n\n        dynoexport deploy Reviews \\\n            --enabled  # on\n"
    assert [unknown_words(command) for command in shown_commands(page)] == [["--enabled"]]


def test_option_that_does_not_exist_is_found() -> None:
    assert unknown_words("dynoexport deploy Reviews --enabled") == ["--enabled"]
    assert unknown_words("dynoexport deplay Reviews") == ["deplay"]


def plan(file: str, *words: str) -> dict[str, Any]:
    words = ("--describe", file, "--read-mode", "native", "--output", "json", *words)
    done = CliRunner().invoke(main, ["plan", *words])
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    return dict(found)


def cost(planned: dict[str, Any], formula: str) -> float:
    return next(entry["usd"] for entry in planned["costs"] if entry["formula"] == formula)


def test_readme_prices_are_those_of_the_plan() -> None:
    small, large = plan(SMALL), plan(LARGE)
    took = units.duration(small["run_seconds"])
    assert f"| one run | ${small['run_usd']:.2f}, in {took} |" in README
    assert f"| daily runs, a month | ${small['month_usd']:.2f} |" in README
    hourly = plan(SMALL, "--every", "hour")
    assert f"| hourly runs (`--every hour`), a month | ${hourly['month_usd']:.2f} |" in README
    assert f"small run: ${cost(small, 'crawl'):.2f}," in README
    text = " ".join(README.split())
    assert f"each further month costs ${cost(small, 'storage'):.2f} more." in text
    takes = units.duration(large["run_seconds"])
    assert f"table of 2 TiB costs ${large['run_usd']:.2f} a run (`native`, {takes})." in text


def test_readme_compares_with_the_prices_of_the_plan() -> None:
    small = plan(SMALL)
    month = {
        alternative["label"]: f"${alternative['month_usd']:.2f}"
        for alternative in small["alternatives"]
    }
    reads = f"${cost(small, 'reads') * small['runs_a_month']:.2f} of daily scans"
    row = (
        f"| 1 GiB, a month | ${small['month_usd']:.2f} "
        f"| {month['full']}; changes only: {month['incremental']} "
        f"| {month['zero-ETL']} and Glue's compute | {reads}, and Lambda | {reads}, and a machine |"
    )
    assert row in README


def test_prices_of_the_page_for_small_tables_are_those_of_the_plan() -> None:
    page = (ROOT / "docs" / "howto" / "small-table.md").read_text(encoding="utf-8")
    small, weekly = plan(SMALL), plan(SMALL, "--every", "week")
    ten, flex = (
        plan(SMALL, "--set", given) for given in ("NumberOfWorkers=10", "ExecutionClass=FLEX")
    )
    crawl, run = cost(small, "crawl"), small["run_usd"]
    text = " ".join(page.split())
    assert f"the crawler: ${crawl:.2f} of ${run:.2f} for each run." in text
    months = (weekly["month_usd"], small["month_usd"])
    assert "cost ${:.2f} in the first month, daily runs ${:.2f}.".format(*months) in text
    assert f"a run then costs ${run:.2f}, not ${ten['run_usd']:.2f}." in text
    assert f"A run then costs ${flex['run_usd']:.2f}, and may start later" in text
    direct = plan(SMALL, "--catalog-update", "direct")
    assert f"A run then costs ${direct['run_usd']:.2f}, and is a minute shorter." in text
    assert f"Daily runs cost ${direct['month_usd']:.2f} in the first month." in text
    assert small["run_seconds"] - direct["run_seconds"] == 60
    without = ("--engine", "python", "--catalog-update", "direct")
    least, sizes = plan(SMALL, *without), str(SMALL).replace("reviews", "sizes")
    assert f"a run then costs ${least['run_usd']:.2f}, not ${run:.2f}. The reads" in text
    assert f"The reads are ${cost(least, 'reads'):.2f} of it." in text
    assert f"one cost ${least['month_usd']:.2f} in the first month." in text
    assert f"one of 1 GiB {least['run_seconds'] / 60:.0f} minutes." in text
    tiny = [plan(sizes, "Small", *given) for given in (without, ())]
    costs = "${:.4f}, not ${:.2f}.".format(*(planned["run_usd"] for planned in tiny))
    assert f"For a table of 100 MiB it costs {costs}" in text
    assert f"crawler](docs/howto/small-table.md): ${least['run_usd']:.2f} a run." in README


def test_readme_is_at_most_900_words() -> None:
    assert len(README.split()) <= 900


# --- pages in Japanese ----------------------------------------------------------------------------
TRANSLATIONS = {"README.md": "README.ja.md", "docs/tutorial.md": "docs/tutorial.ja.md"}
translated = pytest.mark.parametrize(("page", "translation"), TRANSLATIONS.items())


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def code_blocks(text: str) -> list[str]:
    """The indented lines that a reader copies, each block as one text."""
    return re.findall(r"(?:^ {4}.*\n)+", text, re.MULTILINE)


def heading_levels(text: str) -> list[int]:
    return [len(level) for level in re.findall(r"^(#+) ", text, re.MULTILINE)]


def names_in_tables(text: str) -> list[list[str]]:
    """The code between backticks of each line of a table."""
    return [
        sorted(re.findall(r"`[^`]+`", line)) for line in re.findall(r"^\|.*", text, re.MULTILINE)
    ]


def test_every_japanese_page_is_compared() -> None:
    found = [*ROOT.glob("*.ja.md"), *(ROOT / "docs").rglob("*.ja.md")]
    assert {path.relative_to(ROOT).as_posix() for path in found} == set(TRANSLATIONS.values())


@translated
def test_japanese_page_has_the_same_commands_and_outputs(page: str, translation: str) -> None:
    assert code_blocks(text_of(page))
    assert code_blocks(text_of(translation)) == code_blocks(text_of(page))


@translated
def test_japanese_page_has_the_same_sections(page: str, translation: str) -> None:
    assert heading_levels(text_of(translation)) == heading_levels(text_of(page))


@translated
def test_japanese_tables_name_the_same_things(page: str, translation: str) -> None:
    assert names_in_tables(text_of(translation)) == names_in_tables(text_of(page))


def test_page_in_other_words_is_found() -> None:
    assert code_blocks("a\n\n    b\n    c\n\nd\n    e\n") == ["    b\n    c\n", "    e\n"]
    assert heading_levels("# a\n\n    # b\n\n## c\n") == [1, 2]
    assert names_in_tables("| `b` and `a` | c |\n|---|---|\n") == [["`a`", "`b`"], []]

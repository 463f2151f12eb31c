"""The pages of commands and parameters are generated, and fresh."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from deployed import parsed

from dynoexport.cli import main
from dynoexport.cli import reference as commands
from dynoexport.cloudformation import reference

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "parameters.md"
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")


def test_the_page_is_what_is_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.markdown()


def test_every_parameter_is_on_the_page() -> None:
    rows = [line.split("`")[1] for line in reference.markdown().splitlines() if "| `" in line]
    templates = (parsed("common.yaml"), parsed("table.yaml"))
    assert sorted(rows) == sorted(name for template in templates for name in template["Parameters"])


def test_text_of_a_parameter_has_no_emphasis() -> None:
    """Markdown takes an underscore between two quotation marks for its beginning or end."""
    assert re.findall(r"(?<!\\)_", re.sub(r"`[^`]*`|\]\([^)]*\)", "", reference.markdown())) == []


# --- commands -------------------------------------------------------------------------------------
def section(name: str) -> str:
    return COMMANDS.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def test_commands_page_is_what_is_generated() -> None:
    assert commands.markdown() == COMMANDS


@pytest.mark.parametrize("context", commands.contexts(), ids=lambda context: context.command_path)
def test_section_of_a_command_has_its_summary_arguments_and_options(context: click.Context) -> None:
    text = section(context.command_path)
    assert (context.command.help or "").split("\n")[0].strip() in text
    usage = text.partition("```text\n")[2].partition("\n")[0]
    for parameter in context.command.params:
        if isinstance(parameter, click.Argument):
            assert parameter.make_metavar(context) in usage
        else:
            names = (*parameter.opts, *parameter.secondary_opts)
            assert all(re.search(rf"`[^`\n]*{name}\b", text) for name in names), names


def test_help_all_prints_the_help_of_every_command() -> None:
    done = CliRunner().invoke(main, ["--help-all"], prog_name="dynoexport")
    assert done.exit_code == 0
    for context in commands.contexts():
        words = context.command_path.split()[1:]
        shown = CliRunner().invoke(main, [*words, "--help"], prog_name="dynoexport")
        assert shown.output in f"{done.output}\n"

"""The parameters' page is generated, and fresh."""

from __future__ import annotations

from pathlib import Path

from deployed import parsed

from dynoexport.cloudformation import reference

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"


def test_the_page_is_what_is_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.markdown()


def test_every_parameter_is_on_the_page() -> None:
    rows = [line.split("`")[1] for line in reference.markdown().splitlines() if "| `" in line]
    templates = (parsed("common.yaml"), parsed("table.yaml"))
    assert sorted(rows) == sorted(name for each in templates for name in each["Parameters"])

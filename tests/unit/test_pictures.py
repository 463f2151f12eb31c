"""The pictures of README and docs: they are for light and dark pages, and show what exists."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dynoexport import naming, settings

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = sorted(path.name for path in DOCS.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
TIMES = ("2026-01-30T10:00", "2026-01-31T10:00")


def names(picture: str) -> list[str]:
    """What the picture writes as code."""
    drawing = ET.parse(DOCS / picture)
    return [text.text or "" for text in drawing.iter(f"{SVG}text") if text.get("class") == "mono"]


@pytest.mark.parametrize("picture", PICTURES)
def test_picture_has_colors_for_dark_pages(picture: str) -> None:
    style = next(ET.parse(DOCS / picture).iter(f"{SVG}style"))
    assert "(prefers-color-scheme: dark)" in str(style.text)


def test_picture_of_a_plan_is_the_page_of_today() -> None:
    """Draw it anew with: python docs/plan_picture.py > docs/plan.svg."""
    script = DOCS / "plan_picture.py"
    drawn = subprocess.run([sys.executable, script], capture_output=True, check=True, timeout=120)
    assert (DOCS / "plan.svg").read_bytes() == drawn.stdout


def test_picture_of_the_layout_has_the_names_of_an_export() -> None:
    database, table, fmt = naming.DATABASE, "Reviews", "parquet"
    assert names("layout.svg") == [
        naming.bucket("<account>", "<region>"),
        *(naming.snapshot_prefix(table, fmt, time) for time in TIMES),
        *(naming.manifest_key(table, fmt, time) for time in TIMES),
        f"{database}.{naming.snapshots_table(table)}",
        *(f"{naming.PARTITION_KEY} = {time}" for time in TIMES),
        f"{database}.{naming.view(table)}",
    ]


def test_picture_of_the_workflow_has_the_names_of_an_export() -> None:
    assert names("workflow.svg") == [
        settings.DEFAULT_SCHEDULE,
        "Reviews",
        naming.data_prefix("Reviews", "parquet"),
        naming.snapshots_table("Reviews"),
        naming.view("Reviews"),
    ]

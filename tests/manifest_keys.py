"""The keys of manifests: those that docs/manifests.md lists, and those that a manifest has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "docs" / "manifests.md"
# Their meaning describes what is inside.
WHOLE = {
    "described",
    "read.doubles",
    "read.losses",
    "read.skew.hottest",
    "read.skew.segments",
    "schema.shape",
    "seconds",
}


def documented() -> set[str]:
    """The names in the first cell of each line of the page's tables."""
    cells = re.findall(r"^\| (`.+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def keys(found: Any, prefix: str = "") -> Iterator[str]:
    """The keys of a JSON object with those of the objects inside it, as ``files.bytes``.

    An object that has no own meaning, such as ``selection``, is only its keys.
    """
    for name, value in found.items():
        inner = value if isinstance(value, list) else [value]
        objects = [each for each in inner if isinstance(each, dict)]
        path = f"{prefix}{name}"
        if path in WHOLE or not objects:
            yield path
            continue
        if isinstance(value, list):
            yield path
        for each in objects:
            yield from keys(each, f"{path}.")

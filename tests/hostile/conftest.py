"""Counts the inputs: those of parsers are figures of docs/reliability.md."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import outcomes
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))


@pytest.fixture(scope="session")
def inputs() -> Iterator[Counter[str]]:
    """How many inputs each parser was given, and how many of them it refused."""
    counted: Counter[str] = Counter()
    yield counted
    outcomes.record({"inputs": counted})


@pytest.fixture(scope="session")
def lines_called() -> Iterator[Counter[str]]:
    """How many lines each command was called with."""
    counted: Counter[str] = Counter()
    yield counted
    outcomes.record({"lines": counted})

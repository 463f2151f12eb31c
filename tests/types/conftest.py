"""One Spark and one lake for each module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import lake_fixtures
from lake_fixtures import collect_sockets, lake, prepared  # noqa: F401 - fixtures

if TYPE_CHECKING:
    import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only here: the hook is called with the items of every directory."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            lake_fixtures.mark(item)

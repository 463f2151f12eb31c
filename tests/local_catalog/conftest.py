"""One lake on the session's endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from catalog_lake import Lake

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint


@pytest.fixture(scope="session")
def lake(endpoint: Endpoint) -> Lake:
    return Lake(endpoint)

"""The endpoint, one for a whole test session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint


def pytest_configure() -> None:
    """Some tests use moto alone, others the endpoint: in one process moto has one setting."""
    from dynoexport.local import server

    server.install()


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Endpoint]:
    """An AWS endpoint on a free port, in this process."""
    from dynoexport.local import server

    with server.serve(port=0) as endpoint:
        yield endpoint

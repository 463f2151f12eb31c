"""Judges that cannot run: each says so in one line, which is a failure in CI."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnavailableError(Exception):
    """A part that a judge needs cannot be had here; the message says which and why."""


@contextmanager
def required(judge: str) -> Iterator[None]:
    """Skip the judge's tests if a part of it cannot be had; in CI, fail them."""
    try:
        yield
    except UnavailableError as error:
        reason = f"{judge} cannot run: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)

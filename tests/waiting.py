"""Waiting in tests, for a condition that becomes true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def until(condition: Callable[[], Any], *, seconds: float = 240) -> Any:
    """Wait until the condition is true and return its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("it never came true")

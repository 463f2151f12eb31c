"""Log lines for CloudWatch, and the time that each step takes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def log(message: str) -> None:
    # Flushed, so that CloudWatch shows the line at once and not only when the job ends.
    print(f"{iso(datetime.now(timezone.utc))}  {message}", flush=True)


class Steps:
    """How many seconds each step of an attempt took, for the log and the manifest."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str, done: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[step] = round(time.monotonic() - began, 3)
        log(f"{done} in {self.seconds[step]:.1f} s")


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def number_text(value: float) -> str:
    """A rate or a quantity, with two decimals at most: 12,000 or 0.25."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def items_text(count: int) -> str:
    return counted(count, "item")

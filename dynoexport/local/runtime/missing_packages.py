"""Hide packages that AWS Glue does not have: a job that imports one fails here, too."""

from __future__ import annotations

import sys


def hide() -> None:
    """Make ``import dynoexport`` fail in this process and in those that it forks.

    https://docs.python.org/3/reference/import.html#the-module-cache
    """
    sys.modules["dynoexport"] = None  # type: ignore[assignment]

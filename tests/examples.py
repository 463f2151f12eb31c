"""How many generated examples a test tries: all in ``make test-deep``, a part in other runs."""

from __future__ import annotations

import os

ALL = "DYNOEXPORT_EXAMPLES" in os.environ
# One of so many examples is tried when not all are.
PARTS = 5


def examples(number: int) -> int:
    """This many where all are wanted, a fifth of them elsewhere."""
    return number if ALL else number // PARTS

"""How many generated examples a test tries: all in ``make test-deep``, a part in other runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Thing = TypeVar("Thing")

ALL = "DYNOEXPORT_EXAMPLES" in os.environ
# One of so many examples is tried when not all are.
PARTS = 5


def examples(number: int) -> int:
    """This many where all are wanted, a fifth of them elsewhere."""
    return number if ALL else number // PARTS


def some(things: Sequence[Thing], parts: int) -> Sequence[Thing]:
    """All things where all are wanted, every ``parts``-th elsewhere."""
    return things if ALL else things[::parts]

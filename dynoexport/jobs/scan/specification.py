"""What every task of a Scan needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class ScanSpecification:
    """What every task of a segmented Scan needs to know.

    Attributes:
        table: which it reads.
        region: where that is.
        segments: into how many parts the table is cut.
        columns: the only attributes to ask for; none for all.
        selected: whether an attribute is to be exported.
        whole: whether what DynamoDB sends is all to be exported.
        columnar: whether the items are wanted as Arrow batches.
        hot_units: from how many read units on a segment goes before others.
        bucket: where the pieces go.
        prefix: of their keys.
        address: of the scheduler's coordinator.
        role: of another account, by which the table is read; empty in this one.
    """

    table: str
    region: str
    segments: int
    columns: tuple[str, ...]
    selected: Callable[[str], bool]
    whole: bool
    columnar: bool
    hot_units: float
    bucket: str
    prefix: str
    address: tuple[str, int, bytes]
    role: str = ""

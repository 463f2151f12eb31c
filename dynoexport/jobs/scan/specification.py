"""The specification of a Scan, for its tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class ScanSpecification:
    """The specification of a segmented Scan, for every task.

    Attributes:
        table: the table's name.
        region: the table's region.
        segments: how many segments the table has.
        columns: the only attributes to request; empty for all.
        selected: whether to export an attribute.
        whole: whether everything that DynamoDB sends is exported.
        columnar: whether to keep the items as Arrow batches.
        hot_units: the read units from which on a segment goes before others.
        bucket: the bucket of the pieces.
        prefix: the prefix of their keys.
        address: the coordinator's address.
        role: the role that reads a table of another account; empty for this account.
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

"""The result of a reader: files in S3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ReadResult:
    """Items that were read, as files in S3.

    Attributes:
        dialect: the format of the files. "plain": lines of JSON, from the connector. "export":
            lines of DynamoDB JSON, each item in a wrapper. "pieces": the pieces of a Scan.
        uri: the directory of the connector's files.
        json_bytes: about how many bytes the items have as plain JSON; 0 without items.
        pieces: the pieces of a Scan, in the order of its segments, or the files of an export.
        report: how the table was read, for the manifest.
        left_out: the attributes that a Scan found and left out.
    """

    dialect: str
    json_bytes: int
    uri: str = ""
    pieces: tuple[Mapping[str, Any], ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()

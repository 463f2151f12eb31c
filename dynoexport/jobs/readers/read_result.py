"""What a reader leaves: files in S3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ReadResult:
    """Items that were read, as files in S3.

    Attributes:
        uris: the files, or the directory that holds them.
        dialect: what a line is: "plain" JSON from the connector, or an item in DynamoDB JSON in
            the wrapper of an "export". "pieces" are no lines, but what a Scan left.
        json_bytes: about how many bytes the items have as plain JSON; 0 if there is none.
        pieces: of a Scan, in the order of its segments.
        report: how the table was read, for the manifest.
        left_out: of a Scan, the attributes that it has met and left out.
    """

    uris: tuple[str, ...]
    dialect: str
    json_bytes: int
    pieces: tuple[Mapping[str, Any], ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()

"""Why a permission is allowed that no recorded run has needed."""

from __future__ import annotations

from dataclasses import dataclass

COLD_TABLE = "Asked of an on-demand table of which DynamoDB tells no warm throughput."
WARM_THROUGHPUT = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html"
)


@dataclass(frozen=True)
class Kept:
    """What no recorded run has needed, and why it is allowed all the same.

    ``holder`` is a role or a purpose. Without ``values`` it is all of the statement. ``with_key``
    is for what only those have who use a KMS key.
    """

    holder: str
    sid: str
    reason: str
    source: str
    values: tuple[str, ...] = ()
    with_key: bool = False

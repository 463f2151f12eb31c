"""Why a permission is allowed although no recorded run needed it."""

from __future__ import annotations

from dataclasses import dataclass

COLD_TABLE = "Needed for an on-demand table if DynamoDB returns no warm throughput."
WARM_THROUGHPUT = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html"
)
HADOOP = "https://hadoop.apache.org/docs/current/hadoop-aws/tools/hadoop-aws/assumed_roles.html"
MARKERS = "https://repost.aws/knowledge-center/emr-s3-empty-files"


@dataclass(frozen=True)
class Kept:
    """A permission that no recorded run needed, and why it is allowed.

    ``holder`` is a role or a purpose. Without ``values`` it is the whole statement. ``with_key``
    marks permissions that exist only with a KMS key.
    """

    holder: str
    sid: str
    reason: str
    source: str
    values: tuple[str, ...] = ()
    with_key: bool = False

"""Into how many segments a table is cut."""

from __future__ import annotations

import math

from dynoexport.jobs.limits import DYNAMODB_READ_UNIT_BYTES, DYNAMODB_SPLITS_MAX

# A page has at most 1 MB (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html);
# half a unit reads up to 4 KB, eventually consistent
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
PAGE_BYTES = 1024 * 1024
PAGE_UNITS = PAGE_BYTES // DYNAMODB_READ_UNIT_BYTES
# What one segment gives, whatever the table has, measured by the bulk executor's authors
# (https://github.com/awslabs/amazon-dynamodb-tools/tree/main/bulk_executor).
SEGMENT_UNITS = 300
SEGMENT_BYTES = 128 * 1024 * 1024
# A segment that is ten times as large as the others and is begun last reads on alone, at
# SEGMENT_UNITS, for this part of the whole time.
TAIL = 0.025
HOT = 10
# How many pages a task asks for at once; how many segments it may have begun, for those that are
# throttled stand aside.
STREAMS = 4
# A segment of which so many times the mean is read, and so many pages, goes before the others.
HOT_MEANS, HOT_PAGES = 2, 2
OPEN_SEGMENTS = 2 * STREAMS


def segments_for(table_bytes: int, rate: float, tasks: int) -> int:
    """Into how many segments a Scan is cut: 1 to 1,000,000.

    As many as each of these asks for, but none smaller than a page:

        for every task a few       STREAMS x tasks
        a short tail               HOT x rate / (SEGMENT_UNITS x TAIL)
        a bounded loss by a retry  bytes / SEGMENT_BYTES

    The tail: the whole Scan takes bytes / (rate x UNIT_BYTES), a segment of ``HOT`` times the mean
    takes HOT x bytes / segments / (SEGMENT_UNITS x UNIT_BYTES); their ratio is to be ``TAIL``.
    DynamoDB's limit: TotalSegments in
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html.

    Args:
        table_bytes: the table's size; DynamoDB counts it every six hours, 0 may be unknown.
        rate: the read units a second that are allowed.
        tasks: how many read at once.
    """
    wished = max(
        STREAMS * tasks,
        math.ceil(HOT * rate / (SEGMENT_UNITS * TAIL)),
        math.ceil(table_bytes / SEGMENT_BYTES),
    )
    pages = math.ceil(table_bytes / PAGE_BYTES) or tasks
    return max(1, min(wished, pages, DYNAMODB_SPLITS_MAX))


def hot_segment_units(table_bytes: int, segments: int) -> float:
    """From how many read units on a segment counts as hot; never if the table's size is unknown."""
    mean = table_bytes / DYNAMODB_READ_UNIT_BYTES / segments
    return max(HOT_MEANS * mean, HOT_PAGES * PAGE_UNITS) if table_bytes else math.inf

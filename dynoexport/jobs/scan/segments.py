"""The number of segments of a table."""

from __future__ import annotations

import math

from dynoexport.jobs.limits import DYNAMODB_READ_UNIT_BYTES, DYNAMODB_SPLITS_MAX

# A page has at most 1 MB (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html);
# half a unit reads up to 4 KB, eventually consistent
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
PAGE_BYTES = 1024 * 1024
PAGE_UNITS = PAGE_BYTES // DYNAMODB_READ_UNIT_BYTES
# The read units a second of one segment, whatever the table has. The bulk executor's authors
# measured them
# (https://github.com/awslabs/amazon-dynamodb-tools/tree/main/bulk_executor).
SEGMENT_UNITS = 300
SEGMENT_BYTES = 128 * 1024 * 1024
# The worst case is a segment that is HOT times as large as the others and begins last. It is read
# alone, at SEGMENT_UNITS, for this part of the whole time.
TAIL = 0.025
HOT = 10
# How many pages a task requests at once.
STREAMS = 4
# How many segments a task may have begun: throttled ones wait while others are read.
OPEN_SEGMENTS = 2 * STREAMS
# A segment goes before the others once so many times the mean, and so many pages, are read of it.
HOT_MEANS, HOT_PAGES = 2, 2


def segments_for(table_bytes: int, rate: float, tasks: int) -> int:
    """The number of segments of a Scan: 1 to 1,000,000.

    The largest of these numbers, but no segment smaller than a page:

        a few for every task       STREAMS x tasks
        a short tail               HOT x rate / (SEGMENT_UNITS x TAIL)
        a bounded loss by a retry  bytes / SEGMENT_BYTES

    The tail: the whole Scan takes bytes / (rate x UNIT_BYTES). A segment of ``HOT`` times the mean
    takes HOT x bytes / segments / (SEGMENT_UNITS x UNIT_BYTES). Their ratio must be ``TAIL``.
    DynamoDB's limit: TotalSegments in
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html.

    Args:
        table_bytes: the table's size. DynamoDB updates it every six hours; 0 may mean unknown.
        rate: the read limit, in read units a second.
        tasks: how many tasks read at once.
    """
    wished = max(
        STREAMS * tasks,
        math.ceil(HOT * rate / (SEGMENT_UNITS * TAIL)),
        math.ceil(table_bytes / SEGMENT_BYTES),
    )
    pages = math.ceil(table_bytes / PAGE_BYTES) or tasks
    return max(1, min(wished, pages, DYNAMODB_SPLITS_MAX))


def hot_segment_units(table_bytes: int, segments: int) -> float:
    """The read units from which on a segment is hot; infinite if the table's size is unknown."""
    mean = table_bytes / DYNAMODB_READ_UNIT_BYTES / segments
    return max(HOT_MEANS * mean, HOT_PAGES * PAGE_UNITS) if table_bytes else math.inf

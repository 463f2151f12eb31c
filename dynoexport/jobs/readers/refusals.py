"""AWS's refusal of a reader's call, in one line."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dynoexport.jobs.failures import JobFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.jobs.settings import Settings


@contextmanager
def explaining_refusals(settings: Settings) -> Iterator[None]:
    """Turn a failure that the owner of the export can fix into one line.

    Raises:
        JobFailed: the table is gone, or the job's role may not read it, write its items, or use a
            key for either.
    """
    try:
        yield
    except JobFailed:
        raise
    except Exception as error:
        cause = find_refusal(str(error))
        if cause is None:
            raise
        message = f"cannot read the DynamoDB table {settings.table!r}: {cause}"
        raise JobFailed(message) from None


def find_refusal(text: str) -> str | None:
    """The service's own words for what it refuses or cannot find.

    Spark wraps an executor's error in a page of Java. One line of it has these words.
    """
    for line in text.splitlines():
        if re.search(r"AccessDenied|Access Denied|ResourceNotFound|not authorized to", line):
            # The exception's class comes before the words.
            return re.sub(r"^(Caused by: )?[\w.$]+: ", "", line.strip())[:500]
    return None

"""What AWS refuses to a reader, in one line."""

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
    """Tell in one line what of a reader's failure the owner of the export can mend.

    Raises:
        JobFailed: the job's role may not read the table, or not write what it has read, or use
            no key for either; or the table is gone.
    """
    try:
        yield
    except JobFailed:
        raise
    except Exception as error:
        cause = find_refusal(str(error))
        if cause is None:
            raise
        message = f"reading the DynamoDB table {settings.table!r} failed: {cause}"
        raise JobFailed(message) from None


def find_refusal(text: str) -> str | None:
    """The service's own words for what it refuses, or does not have.

    Spark wraps what an executor met in a page of Java, of which this is one line.
    """
    for line in text.splitlines():
        if re.search(r"AccessDenied|Access Denied|ResourceNotFound|not authorized to", line):
            # Before the words stands the exception's class.
            return re.sub(r"^(Caused by: )?[\w.$]+: ", "", line.strip())[:500]
    return None

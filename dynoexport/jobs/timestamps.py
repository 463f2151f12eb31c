"""The UTC minute that names a snapshot."""

from __future__ import annotations

from datetime import datetime, timezone

from dynoexport.jobs.names import TIMESTAMP_FORMAT


def parse_timestamp(text: str) -> datetime | None:
    """The minute; None if the text is not exactly as this project writes it.

    >>> parse_timestamp("2026-01-31T10:00")
    datetime.datetime(2026, 1, 31, 10, 0, tzinfo=datetime.timezone.utc)
    >>> parse_timestamp("2026-1-31T10:00") is None
    True
    """
    try:
        moment = datetime.strptime(text, TIMESTAMP_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    # strptime also accepts "2026-1-1T1:1", which would be sorted and read as another snapshot.
    return moment if moment.strftime(TIMESTAMP_FORMAT) == text else None


def is_timestamp(text: str) -> bool:
    """Whether the text names a snapshot."""
    return parse_timestamp(text) is not None

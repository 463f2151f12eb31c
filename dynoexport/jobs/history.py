"""The columns of the newest complete snapshot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.names import manifest_key
from dynoexport.jobs.reservation import newest_snapshot
from dynoexport.jobs.schema.columns import parse_column

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.settings import Settings


def known_columns(s3: S3Client, settings: Settings) -> tuple[Column, ...]:
    """The columns of the newest complete snapshot; empty without a snapshot.

    Raises:
        JobFailed: its manifest is not valid.
    """
    timestamp = newest_snapshot(s3, settings)
    if timestamp is None:
        return ()
    newest = manifest_key(settings.table, settings.format, timestamp)
    body = s3.get_object(Bucket=settings.bucket, Key=newest)["Body"].read()
    try:
        return tuple(parse_column(entry) for entry in json.loads(body.decode())["schema"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise JobFailed(
            f"s3://{settings.bucket}/{newest} is not a valid manifest ({type(error).__name__}: "
            f"{error}): delete it, which makes its snapshot incomplete, and start a new run"
        ) from None

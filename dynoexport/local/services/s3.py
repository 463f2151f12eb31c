"""S3 knows in which region a bucket is; moto takes requests that are signed for any."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from flask import request
from moto.s3.models import s3_backends
from werkzeug.wrappers import Response

from dynoexport.local import context
from dynoexport.local.iam.authentication_middleware import SCOPE

if TYPE_CHECKING:
    from flask import Flask


def guard(app: Flask) -> None:
    """Refuse a request that is signed for another region than the bucket's."""
    app.before_request(_check_region)


def _check_region() -> Response | None:
    """Answer as S3 does; the whole answer is in https://github.com/s3fs-fuse/s3fs-fuse/issues/227.

    GetBucketLocation is allowed from any region: clients find the bucket's region with it.
    """
    bucket = request.path.strip("/").partition("/")[0]
    signed = request.environ[SCOPE].region
    expected = _region(bucket)
    if expected in {None, signed} or "location" in request.args or request.method == "OPTIONS":
        return None
    message = (
        f"The authorization header is malformed; the region '{escape(signed)}' is wrong; "
        f"expecting '{expected}'"
    )
    body = (
        f"<Error><Code>AuthorizationHeaderMalformed</Code><Message>{message}</Message>"
        f"<Region>{expected}</Region></Error>"
    )
    headers = {"x-amz-bucket-region": str(expected)}
    return Response(body, 400, headers, mimetype="application/xml")


def _region(bucket: str) -> str | None:
    """None if there is no such bucket."""
    partitions = s3_backends[context.ACCOUNT].values()
    matching = (backend.buckets[bucket] for backend in partitions if bucket in backend.buckets)
    return next((str(match.region_name) for match in matching), None)

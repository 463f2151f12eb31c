"""What S3 does and moto does not: it refuses requests, and sums up what it copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from flask import request
from moto.s3.models import S3Backend, s3_backends
from moto.s3.utils import compute_checksum
from werkzeug.wrappers import Response

from dynoexport.local import context
from dynoexport.local.iam.authentication_middleware import SCOPE

if TYPE_CHECKING:
    from flask import Flask
    from moto.s3.models import FakeBucket, FakeKey

_copy_object = S3Backend.copy_object


def install() -> None:
    S3Backend.copy_object = _copy_as_whole  # type: ignore[method-assign, assignment]


def _copy_as_whole(
    backend: S3Backend, source: FakeKey, bucket: str, key: str, **options: Any
) -> None:
    """Copy an object; the checksum of the copy is that of its content.

    Moto keeps the checksum of the source, which of an upload in parts is made of theirs. Clients
    check it against the content:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    _copy_object(backend, source, bucket, key, **options)
    copy = backend.get_object(bucket, key)
    if copy is not None and copy.checksum_value:
        checksum = compute_checksum(copy.value, str(copy.checksum_algorithm))
        copy.checksum_value = checksum.decode()


def guard(app: Flask) -> None:
    """Refuse a request for another region, or for an upload that does not exist."""
    app.before_request(_check_region)
    app.before_request(_check_upload)


def _check_region() -> Response | None:
    """Answer as S3 does; the whole answer is in https://github.com/s3fs-fuse/s3fs-fuse/issues/227.

    GetBucketLocation is allowed from any region: clients find the bucket's region with it.
    """
    bucket = _bucket()
    signed = request.environ[SCOPE].region
    expected = bucket and str(bucket.region_name)
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


def _check_upload() -> Response | None:
    """Answer as S3 does for an upload that was completed, aborted, or never begun.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
    """
    upload = request.args.get("uploadId")
    bucket = _bucket()
    if upload is None or bucket is None or upload in bucket.multiparts:
        return None
    body = (
        "<Error><Code>NoSuchUpload</Code><Message>The specified upload does not exist. The upload "
        "ID may be invalid, or the upload may have been aborted or completed.</Message>"
        f"<UploadId>{escape(upload)}</UploadId></Error>"
    )
    return Response(body, 404, mimetype="application/xml")


def _bucket() -> FakeBucket | None:
    """The request's bucket; None if it does not exist."""
    name = request.path.strip("/").partition("/")[0]
    partitions = s3_backends[context.ACCOUNT].values()
    matching = (backend.buckets[name] for backend in partitions if name in backend.buckets)
    return next(matching, None)

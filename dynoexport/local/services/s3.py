"""What S3 does and moto does not: it refuses requests, and checks and sums up what it stores."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from flask import request
from moto.s3.exceptions import S3ClientError
from moto.s3.models import S3Backend, s3_backends
from moto.s3.responses import S3Response
from werkzeug.wrappers import Response

from dynoexport.local import context
from dynoexport.local.iam.authentication_middleware import SCOPE
from dynoexport.local.services import checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from moto.s3.models import FakeBucket, FakeKey

_copy_object = S3Backend.copy_object
_post: Any = S3Response._key_response_post
_head_object: Any = S3Response.head_object
_put_object, _upload_part = S3Response.put_object, S3Response.upload_part
# A checksum that the client sends after the body of an upload in chunks is in the last bytes:
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
_TRAILERS = 1024
_WHOLE, _CHECKSUM = "FULL_OBJECT", "x-amz-checksum-"


def install() -> None:
    """Make moto use the code below. Call it before the first request."""
    checksums.install()
    S3Backend.copy_object = _copy_as_whole  # type: ignore[method-assign, assignment]
    S3Response._key_response_post = _with_checksum  # type: ignore[method-assign, assignment]
    for name, store in (("put_object", _put_with_checksum), ("upload_part", _upload_part)):
        setattr(S3Response, name, _checked(store))
    S3Response.head_object = _head_with_type  # type: ignore[method-assign, assignment]


def _checked(store: Callable[[S3Response], Any]) -> Callable[[S3Response], Any]:
    """Store the body only if it has the checksums that the request states.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """

    @functools.wraps(store)
    def check_and_store(response: S3Response) -> Any:
        body: bytes = response.body or b""
        for name, stated, length in _stated(response):
            # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
            if not _is_digest(stated, length):
                raise S3ClientError("InvalidDigest", f"The {name} you specified is not valid.")
            if stated != _digest(name, body):
                # https://github.com/aws/aws-sdk-ruby/issues/3322
                raise S3ClientError(
                    "BadDigest", f"The {name} you specified did not match the calculated checksum."
                )
        return store(response)

    return check_and_store


def _stated(response: S3Response) -> Iterator[tuple[str, str, int]]:
    """The checksums of headers and trailers: their names, values and lengths in bytes."""
    if "content-md5" in response.headers:
        yield "Content-MD5", response.headers["content-md5"], 16
    trailers = response.raw_body[-_TRAILERS:] if "x-amz-trailer" in response.headers else b""
    for algorithm, length in checksums.LENGTHS.items():
        header = f"{_CHECKSUM}{algorithm.lower()}"
        sent = re.findall(rf"\r\n{header}:([^\r\n]*)".encode(), trailers)
        stated = response.headers.get(header) or (sent[-1].decode().strip() if sent else None)
        if stated is not None:
            yield algorithm, stated, length


def _is_digest(text: str, length: int) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == length
    except binascii.Error:
        return False


def _digest(name: str, body: bytes) -> str:
    if name == "Content-MD5":
        return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return checksums.compute(body, name).decode()


def _put_with_checksum(response: S3Response) -> Any:
    """Store an object with the checksum that the request states, which is of the whole object.

    Moto keeps one only if another header names its algorithm, and none has a type.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    """
    status, headers, text = _put_object(response)
    stored = response.backend.get_object(response.bucket_name, response.parse_key_name())
    sums = [(name, digest) for name, digest, _ in _stated(response) if name in checksums.LENGTHS]
    if stored is not None and not stored.checksum_value and sums:
        stored.checksum_algorithm, stored.checksum_value = sums[0]
        headers[f"{_CHECKSUM}{sums[0][0].lower()}"] = sums[0][1]
    if stored is not None and stored.checksum_value:
        headers[f"{_CHECKSUM}type"] = stored.checksum_type = _WHOLE
    return status, headers, text


def _head_with_type(response: S3Response, *call: Any, **named: Any) -> Any:
    """HeadObject names the kind of the checksum as GetObject does.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    status, headers, text = _head_object(response, *call, **named)
    names = [name for name in headers if name.removeprefix(_CHECKSUM).upper() in checksums.LENGTHS]
    bucket, query, key = (*call, *named.values())[:3]
    version = query.get("versionId", [None])[0]
    stored = response.backend.get_object(bucket, key, version_id=version) if names else None
    if stored is not None and stored.checksum_type:
        headers[f"{_CHECKSUM}type"] = stored.checksum_type
        if stored.checksum_type == "COMPOSITE":
            headers[names[0]] = f"{stored.checksum_value}-{stored.checksum_parts}"
    return status, headers, text


def _with_checksum(response: S3Response, *call: Any) -> Any:
    """The answer; to CompleteMultipartUpload with the checksum that the upload was created with.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
    """
    status, headers, text = _post(response, *call)
    *_, bucket, query, key = call
    stored = response.backend.get_object(bucket, key) if query.get("uploadId") else None
    if status == HTTPStatus.OK and stored is not None and stored.checksum_algorithm:
        parts = f"-{stored.checksum_parts}" if stored.checksum_type == "COMPOSITE" else ""
        element = f"Checksum{stored.checksum_algorithm}"
        checksum = (
            f"<{element}>{stored.checksum_value}{parts}</{element}>"
            f"<ChecksumType>{stored.checksum_type}</ChecksumType>"
        )
        end = "</CompleteMultipartUploadResult>"
        text = text.replace(end, f"{checksum}{end}")
    return status, headers, text


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
        checksum = checksums.compute(copy.value, str(copy.checksum_algorithm))
        copy.checksum_value, copy.checksum_type = checksum.decode(), _WHOLE


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

"""Files on their way to S3, which nobody sees before the job's driver completes them.

Athena and the crawler read every object under a table's prefix. So a task only uploads the parts
of a file; the driver completes the uploads of the tasks that succeeded. What a lost task uploads
late stays invisible.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dynoexport.jobs.log import counted, log
from dynoexport.jobs.s3 import list_objects
from dynoexport.jobs.s3_client import log_retries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_s3 import S3Client

# A part file of the usual size has two of them. S3 takes at least 5 MiB, but for the last one, and
# at most 10,000 of them:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
UPLOAD_PART_BYTES = 64 * 1024 * 1024
# Each waits for S3, not for the processor.
COMPLETIONS_AT_ONCE = 16


@dataclass(frozen=True)
class UploadedFile:
    """A file whose parts are in S3; ``replaced`` are the characters that XML cannot hold."""

    key: str
    upload_id: str
    parts: tuple[Mapping[str, Any], ...]
    bytes: int
    rows: int
    replaced: int = 0

    def to_dict(self) -> dict[str, Any]:
        # dataclasses.asdict finds no fields in a worker, to which Spark sends classes by value:
        # https://github.com/cloudpipe/cloudpickle/issues/386
        return dict(vars(self))


class PartUpload:
    """A writable binary file that becomes the parts of one object."""

    def __init__(self, s3: S3Client, bucket: str, key: str) -> None:
        self._s3, self._bucket, self._key = s3, bucket, key
        self._checks = checksum_options(s3)
        answer = s3.create_multipart_upload(Bucket=bucket, Key=key, **self._checks)
        log_retries(answer, f"the upload of {key}")
        self._upload_id = answer["UploadId"]
        self._pending = bytearray()
        self._parts: list[dict[str, Any]] = []
        self._bytes = 0
        # pyarrow looks at it before it writes.
        self.closed = False

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:  # noqa: ANN401 - bytes, or a buffer of pyarrow
        view = memoryview(content)
        self._pending += view
        self._bytes += view.nbytes
        if len(self._pending) >= UPLOAD_PART_BYTES:
            self._send()
        return view.nbytes

    def tell(self) -> int:
        return self._bytes

    def flush(self) -> None:
        """Nothing: a part that is too small would be refused."""

    def close(self) -> None:
        """Nothing: ``finish`` sends the rest, and only a writer that succeeded calls it."""

    def finish(self, rows: int, replaced: int = 0) -> UploadedFile:
        """Send the rest. The object still does not exist."""
        if self._pending or not self._parts:
            self._send()
        self.closed = True
        parts = tuple(self._parts)
        return UploadedFile(self._key, self._upload_id, parts, self._bytes, rows, replaced)

    def abort(self) -> None:
        """Remove what was uploaded, if S3 lets us: the driver or the bucket's rule does it else."""
        self.closed = True
        try:
            self._s3.abort_multipart_upload(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload_id
            )
        except ClientError as error:
            log(f"left an upload of {self._key}: {error}")

    def _send(self) -> None:
        # botocore takes it as it is; its types know only bytes.
        body: Any = self._pending
        self._pending = bytearray()
        number = len(self._parts) + 1
        options: dict[str, Any] = dict(self._checks)
        if not options:
            options["ContentMD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()  # noqa: S324 - what S3 checks
        answer = self._s3.upload_part(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=body,
            **options,
        )
        log_retries(answer, f"part {number} of {self._key}")
        part = {"PartNumber": number, "ETag": answer["ETag"]}
        # "The complete request must include the checksum for each part."
        # https://github.com/aws/aws-sdk-go-v2/issues/2847
        if "ChecksumCRC32" in answer:
            part["ChecksumCRC32"] = answer["ChecksumCRC32"]
        self._parts.append(part)


def checksum_options(s3: S3Client) -> dict[str, Any]:
    """How S3 checks a part; nothing where boto3 is older than this, and a part has its MD5."""
    shape = s3.meta.service_model.operation_model("UploadPart").input_shape
    known = shape is not None and "ChecksumAlgorithm" in shape.members
    return {"ChecksumAlgorithm": "CRC32"} if known else {}


def complete_upload(s3: S3Client, bucket: str, file: UploadedFile) -> None:
    """Make the file visible."""
    parts: list[Any] = [dict(part) for part in file.parts]
    try:
        answer = s3.complete_multipart_upload(
            Bucket=bucket,
            Key=file.key,
            UploadId=file.upload_id,
            MultipartUpload={"Parts": parts},
        )
        log_retries(answer, f"the end of {file.key}")
    except ClientError as error:
        # S3 also answers so if the upload is complete, as after an answer that was lost:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        # No other upload has this key.
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
        if list_objects(s3, bucket, file.key).get(file.key) != file.bytes:
            raise


def complete_uploads(s3: S3Client, bucket: str, files: Sequence[UploadedFile]) -> None:
    """Make the files visible.

    Raises:
        ClientError: S3 refuses one of them.
    """
    with ThreadPoolExecutor(COMPLETIONS_AT_ONCE) as executor:
        # Only who takes the results sees what was raised.
        list(executor.map(partial(complete_upload, s3, bucket), files))


def list_uploads(s3: S3Client, bucket: str, prefix: str) -> list[tuple[str, str]]:
    """Key and ID of every upload under the prefix that is not complete."""
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    return [
        (upload["Key"], upload["UploadId"]) for page in pages for upload in page.get("Uploads", [])
    ]


def abort_uploads(s3: S3Client, bucket: str, prefix: str) -> None:
    """Remove what lost tasks have uploaded under the prefix.

    A failure only leaves it to the bucket's rule, which removes it within days.
    """
    try:
        left = list_uploads(s3, bucket, prefix)
        for key, upload_id in left:
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    except ClientError as error:
        log(f"left uploads under s3://{bucket}/{prefix}: {error}")
        return
    if left:
        log(f"removed {counted(len(left), 'upload')} of lost tasks")

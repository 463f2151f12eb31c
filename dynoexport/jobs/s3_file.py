"""An object in S3 as a file that is read where it is asked for, such as at its footer."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Bytes of one request: most footers are smaller.
READ_AT_ONCE = 64 * 1024


class S3File(io.RawIOBase):
    """An object that is read in ranges."""

    def __init__(self, s3: S3Client, bucket: str, key: str, size: int) -> None:
        super().__init__()
        self._s3, self._bucket, self._key, self._size = s3, bucket, key, size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        wanted = f"bytes={self._at}-{end - 1}"
        answer = self._s3.get_object(Bucket=self._bucket, Key=self._key, Range=wanted)
        content = answer["Body"].read()
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def open_object(s3: S3Client, bucket: str, key: str, size: int | None = None) -> io.BufferedReader:
    """The object as a file; its size is looked up unless it is given."""
    if size is None:
        size = s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
    return io.BufferedReader(S3File(s3, bucket, key, size), READ_AT_ONCE)

"""The items of a segment on their way to S3, and back."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.s3_client import s3_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.scan.decode import Decoder
    from dynoexport.jobs.scan.specification import ScanSpecification
    from dynoexport.jobs.settings import Settings

# A batch is decoded in memory at once. A piece is an object in S3.
BATCH_BYTES = 4 * 1024 * 1024
PIECE_BYTES = 16 * 1024 * 1024
ARROW, JSON = "arrow", "jsonl"
# The dialect of a Scan's files.
PIECES = "pieces"


def piece_location(settings: Settings) -> dict[str, str]:
    """Where executors find the pieces."""
    import boto3

    return {"bucket": settings.bucket, "region": boto3.session.Session().region_name}


def record_key(prefix: str, segment: int) -> str:
    return f"{prefix}finished/{segment}.json"


class SegmentBuffer:
    """The items of a segment on their way to S3.

    No key is used twice: readers use only the pieces in a segment's record, not those of an
    earlier try.
    """

    def __init__(
        self, scan: ScanSpecification, segment: int, decoder: Decoder, s3: S3Client
    ) -> None:
        self._bucket, self._s3, self._decoder = scan.bucket, s3, decoder
        self._stem = f"{scan.prefix}pieces/{segment}-{os.urandom(4).hex()}"
        self._bodies: list[bytes] = []
        self._bytes = self._items = 0
        self._file: ArrowFile | JsonFile | None = None
        self._done: list[dict[str, Any]] = []

    def add(self, body: bytes, items: int) -> None:
        """Add a page's items, a JSON array."""
        if not items:
            return
        self._bodies.append(body)
        self._items += items
        self._bytes += len(body)
        if self._bytes >= BATCH_BYTES:
            self._decode()

    def finish(self) -> list[dict[str, Any]]:
        """The pieces of the segment: key, kind, JSON bytes."""
        if self._bodies:
            self._decode()
        self._put()
        return self._done

    def _decode(self) -> None:
        decoded = self._decoder.decode(self._bodies, self._items)
        kind = JsonFile if isinstance(decoded, bytes) else ArrowFile
        if not isinstance(self._file, kind):
            self._put()
            self._file = kind()
        self._file.add(decoded, self._bytes)
        self._bodies, self._bytes, self._items = [], 0, 0
        if self._file.size() >= PIECE_BYTES:
            self._put()

    def _put(self) -> None:
        if self._file is None:
            return
        key = f"{self._stem}-{len(self._done)}.{self._file.kind}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=self._file.content())
        self._done.append(
            {"key": key, "kind": self._file.kind, "json_bytes": self._file.json_bytes}
        )
        self._file = None


class JsonFile:
    """Pages of items, each a JSON array on a line."""

    kind = JSON

    def __init__(self) -> None:
        self._pages: list[bytes] = []
        self.json_bytes = 0

    def add(self, pages: bytes, json_bytes: int) -> None:
        self._pages.append(pages)
        self.json_bytes += json_bytes

    def size(self) -> int:
        return self.json_bytes

    def content(self) -> bytes:
        return b"".join(self._pages)


class ArrowFile:
    """Batches of items as Arrow streams, a new one whenever their schema changes."""

    kind = ARROW

    def __init__(self) -> None:
        self._sink = arrow().BufferOutputStream()
        self._stream: pa.RecordBatchStreamWriter | None = None
        self._schema: pa.Schema | None = None
        self.json_bytes = 0

    def add(self, batch: pa.RecordBatch, json_bytes: int) -> None:
        if self._stream is None or batch.schema != self._schema:
            self._end()
            ipc = arrow().ipc
            options = ipc.IpcWriteOptions(compression="zstd")
            self._schema = batch.schema
            self._stream = ipc.new_stream(self._sink, self._schema, options=options)
        self._stream.write_batch(batch)
        self.json_bytes += json_bytes

    def size(self) -> int:
        return int(self._sink.tell())

    def content(self) -> bytes:
        self._end()
        return bytes(self._sink.getvalue().to_pybytes())

    def _end(self) -> None:
        if self._stream is not None:
            self._stream.close()


def read_piece(
    piece: Mapping[str, Any], bucket: str, s3: S3Client
) -> Iterator[list[dict[str, Any]] | pa.StructArray]:
    """The piece's items: an array for each batch of an Arrow piece, a list for each JSON page."""
    content = s3.get_object(Bucket=bucket, Key=piece["key"])["Body"].read()
    if piece["kind"] == JSON:
        yield from (json.loads(page) for page in content.decode().split("\n") if page)
        return
    pa = arrow()
    source = pa.BufferReader(content)
    while source.tell() < len(content):
        for batch in pa.ipc.open_stream(source):
            yield batch.column(0)


def read_pieces(
    groups: Iterable[str], bucket: str, region: str
) -> Iterator[list[dict[str, Any]] | pa.StructArray]:
    """``read_piece`` for every piece in the groups."""
    s3 = s3_client(region)
    for group in groups:
        for piece in json.loads(group):
            yield from read_piece(piece, bucket, s3)


def dynamodb_items(batch: list[dict[str, Any]] | pa.StructArray) -> list[dict[str, Any]]:
    """The items that ``read_piece`` gives, in DynamoDB JSON."""
    return batch if isinstance(batch, list) else [without_nulls(item) for item in batch.to_pylist()]


def without_nulls(value: object) -> Any:  # noqa: ANN401 - JSON
    """An Arrow value in DynamoDB JSON: Arrow has a null for everything that is missing."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(element) for element in value] if isinstance(value, list) else value


def piece_items(groups: Iterable[str], bucket: str, region: str) -> Iterator[dict[str, Any]]:
    for batch in read_pieces(groups, bucket, region):
        yield from dynamodb_items(batch)


def group_pieces(pieces: Sequence[Mapping[str, Any]], parts: int) -> list[str]:
    """The pieces in at most ``parts`` groups of about equal size, in their order, as JSON."""
    whole = sum(piece["json_bytes"] for piece in pieces)
    groups: list[list[Mapping[str, Any]]] = [[] for _ in range(parts)]
    passed = 0
    for piece in pieces:
        middle = passed + piece["json_bytes"] / 2
        groups[min(parts - 1, int(middle * parts / whole))].append(piece)
        passed += piece["json_bytes"]
    return [json.dumps(group) for group in groups if group]

"""The files of DynamoDB's export: lines of DynamoDB JSON, compressed with gzip."""

from __future__ import annotations

import gzip
import io
import json
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.s3_client import s3_client
from dynoexport.jobs.scan.buffer import BATCH_BYTES
from dynoexport.jobs.scan.decode import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    import pyarrow as pa


def open_exported(groups: Iterable[str], bucket: str, region: str) -> Iterator[gzip.GzipFile]:
    """Each file in the groups of pieces."""
    s3 = s3_client(region)
    for group in groups:
        for piece in json.loads(group):
            yield gzip.GzipFile(fileobj=s3.get_object(Bucket=bucket, Key=piece["key"])["Body"])


def export_lines(groups: Iterable[str], bucket: str, region: str) -> Iterator[str]:
    """The lines of the files."""
    for file in open_exported(groups, bucket, region):
        yield from io.TextIOWrapper(file, encoding="utf-8", newline="\n")


def export_batches(
    groups: Iterable[str],
    bucket: str,
    region: str,
    selected: Callable[[str], bool],
    blanked: Collection[str] = (),
) -> Iterator[list[dict[str, Any]] | pa.StructArray]:
    """The selected attributes of the items in the files, in batches as ``read_pieces`` has them.

    A ``blanked`` attribute becomes a null, which only says that the item has it.
    """
    decoder = Decoder(lambda name: name in blanked or selected(name), columnar=True, whole=False)
    for file in open_exported(groups, bucket, region):
        for lines in whole_lines(file):
            batch = decoder.decode_lines(lines)
            if isinstance(batch, list):
                yield [blank_item(item, blanked) for item in batch]
            else:
                yield blank_array(batch.column(0), blanked)


def whole_lines(file: gzip.GzipFile) -> Iterator[bytes]:
    """The lines of the file, about ``BATCH_BYTES`` of them at once."""
    for start in iter(lambda: file.read(BATCH_BYTES), b""):
        text = start + file.readline()
        yield text if text.endswith(b"\n") else text + b"\n"


def blank_item(item: dict[str, Any], blanked: Collection[str]) -> dict[str, Any]:
    """The item with a null in the place of each blanked value."""
    return {name: {"NULL": True} if name in blanked else value for name, value in item.items()}


def blank_array(items: pa.StructArray, blanked: Collection[str]) -> pa.StructArray:
    """``blank_item`` for an array of items."""
    if not any(field.name in blanked for field in items.type):
        return items
    pa = arrow()
    arrays = [
        presence(array) if field.name in blanked else array
        for field, array in zip(items.type, items.flatten())
    ]
    fields = [pa.field(field.name, array.type) for field, array in zip(items.type, arrays)]
    return pa.StructArray.from_arrays(arrays, fields=fields)


def presence(values: pa.Array) -> pa.StructArray:
    """A null of DynamoDB's for each value."""
    pa = arrow()
    there = values.is_valid()
    kind = pa.struct([("NULL", pa.bool_())])
    return pa.Array.from_buffers(kind, len(there), [there.buffers()[1]], children=[there])

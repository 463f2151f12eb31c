"""What decoding costs: pages of DynamoDB JSON as Arrow batches, by the settings of Arrow's reader.

This is the part of the export job that takes most of its own processor time, alone, in one thread.
Each way decodes the same pages, in turns. The job's own way is the first one.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import common
import pages_server
import pyarrow as pa
import pyarrow.json
from rich.console import Console
from rich.table import Table as Grid

from dynoexport.jobs.scan import decode
from dynoexport.jobs.scan.buffer import BATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAGE_ITEMS = 1_000
# What an attribute's value may be.
CODES = {
    **dict.fromkeys(("S", "N", "B"), pa.string()),
    **dict.fromkeys(("BOOL", "NULL"), pa.bool_()),
    **dict.fromkeys(("SS", "NS", "BS"), pa.list_(pa.string())),
}

Pages = list[list[bytes]]


def pages_of(data: str, items: int, batch_bytes: int) -> Pages:
    """The pages, as JSON arrays, in batches of at least this many bytes."""
    every = list(pages_server.items_of(data, items))
    batches: Pages = [[]]
    for start in range(0, items, PAGE_ITEMS):
        if sum(map(len, batches[-1])) >= batch_bytes:
            batches.append([])
        page = every[start : start + PAGE_ITEMS]
        batches[-1].append(json.dumps(page, separators=(",", ":")).encode())
    return batches


def by_the_job(batches: Pages) -> None:
    decoder = decode.Decoder(bool, columnar=True, whole=True)
    for pages in batches:
        decoder.decode(pages, len(pages) * PAGE_ITEMS)


def anew(batches: Pages) -> None:
    """The type is inferred for each batch."""
    for pages in batches:
        decode.Decoder(bool, columnar=True, whole=True).decode(pages, len(pages) * PAGE_ITEMS)


def parse(text: bytes, fields: Sequence[Any], **options: Any) -> None:
    """Arrow's reader alone, with given fields of a line."""
    pa.json.read_json(
        pa.BufferReader(text),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pa.json.ParseOptions(explicit_schema=pa.schema(fields), **options),
    )


def read(batches: Pages, kind: pa.DataType, **options: Any) -> None:
    for pages in batches:
        parse(decode.lines_of(pages, decode.PAGE), [("Items", pa.list_(kind))], **options)


def without_list(batches: Pages, kind: pa.DataType) -> None:
    """Each item on a line of its own, as if a page had them so: what the list around them costs."""
    for lines in batches:
        parse(b"\n".join(lines), list(kind))


def by_python(batches: Pages) -> None:
    """Python's parser alone, without any column."""
    for pages in batches:
        for page in pages:
            json.loads(page)


def known_type(batches: Pages) -> pa.DataType:
    kind = decode.storable_type(decode.read_items(batches[0], decode.PAGE, None, "infer").type)
    assert kind is not None
    return kind


def with_every_code(kind: pa.DataType) -> pa.DataType:
    """The type with all types that each attribute could have, as a fixed schema would have it."""
    if pa.types.is_struct(kind):
        fields = {field.name: with_every_code(field.type) for field in kind}
        if set(fields) & {"S", "N", "BOOL", "M", "L"}:
            fields = {**CODES, **fields}
        return pa.struct(list(fields.items()))
    return pa.list_(with_every_code(kind.value_type)) if pa.types.is_list(kind) else kind


def ways(data: str, items: int) -> dict[str, Callable[[], None]]:
    pages = pages_of(data, items, BATCH_BYTES)
    lines = [[line for page in batch for line in as_lines(page)] for batch in pages]
    kind = known_type(pages)
    return {
        "the job: batches of 4 MiB, the type kept": partial(by_the_job, pages),
        "the job, batches of 1 MiB": partial(by_the_job, pages_of(data, items, 2**20)),
        "the job, batches of 16 MiB": partial(by_the_job, pages_of(data, items, 2**24)),
        "the job, the type inferred for each batch": partial(anew, pages),
        "Arrow's reader, the type given": partial(read, pages, kind),
        "the same, other fields are an error": partial(
            read, pages, kind, unexpected_field_behavior="error"
        ),
        "the same, every type of each attribute given": partial(read, pages, with_every_code(kind)),
        "the same, an item a line instead of a list": partial(without_list, lines, kind),
        "Python's json alone": partial(by_python, pages),
    }


def as_lines(page: bytes) -> Sequence[bytes]:
    return [json.dumps(item, separators=(",", ":")).encode() for item in json.loads(page)]


def processor_time(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    grid = Grid(title="CPU, µs an item, least of the rounds")
    for column in ("way", *pages_server.DATA):
        grid.add_column(column)
    found = {}
    for data in pages_server.DATA:
        timed = {
            name: partial(processor_time, way) for name, way in ways(data, given.items).items()
        }
        found[data] = common.alternating(timed, given.rounds)
    for name in next(iter(found.values())):
        figures = (min(found[data][name]) / given.items * 1e6 for data in found)
        grid.add_row(name, *(f"{figure:.1f}" for figure in figures))
    Console(width=120).print(grid)


if __name__ == "__main__":
    main()

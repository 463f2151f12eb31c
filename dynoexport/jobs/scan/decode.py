"""Pages of items as Arrow batches."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.log import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

# Every column of a batch has a place for every item. With many attributes that few items have, JSON
# is smaller.
WIDE = 1_000
# So is it with more places in one batch, which are about 8 bytes each.
PLACES = 4_000_000
# Arrow's streams take 64 levels
# (https://arrow.apache.org/docs/cpp/api/ipc.html, max_recursion_depth).
DEPTH_MAX = 60
# What is around the items in the lines that Arrow reads: of a Scan's pages, and of an export.
PAGE, WRAPPER = "Items", "Item"
# Of an export, as much as a page has.
SAMPLE_BYTES = 1024 * 1024


class Decoder:
    """Turns pages of items into Arrow batches, or keeps them as JSON where that is better."""

    def __init__(self, selected: Callable[[str], bool], *, columnar: bool, whole: bool) -> None:
        self._selected, self._columnar, self._whole = selected, columnar, whole
        # The type of the items before, so that it need not be inferred again.
        self._known: pa.DataType | None = None
        # One thread finds it out, and the others wait: each would infer the same.
        self._first = threading.Lock()
        # The attributes that items have, but that are not selected.
        self.left_out: set[str] = set()

    def decode(self, pages: Sequence[bytes], items: int) -> pa.RecordBatch | bytes:
        """A batch of one column, ``item``; or the pages, one a line."""
        batch = self._decode(pages, PAGE, items)
        if batch is not None and batch.num_rows == items:
            return batch
        return b"".join(self._selected_page(page) for page in pages)

    def decode_lines(self, text: bytes) -> pa.RecordBatch | list[dict[str, Any]]:
        """The same for whole lines of DynamoDB's export; or the items.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
        """
        cut = text.find(b"\n", SAMPLE_BYTES) + 1
        parts = [part for part in (text[:cut], text[cut:]) if part]
        items = text.count(b"\n")
        batch = self._decode(parts, WRAPPER, items)
        if batch is not None and batch.num_rows == items:
            return batch
        return self._select(parsed(parts, WRAPPER))

    def _decode(self, parts: Sequence[bytes], column: str, items: int) -> pa.RecordBatch | None:
        with self._first if self._is_unknown() else nullcontext():
            return self._batch(parts, column, items) if self._columnar else None

    def _is_unknown(self) -> bool:
        return self._columnar and self._known is None

    def _selected_page(self, page: bytes) -> bytes:
        if self._whole and b"\n" not in page:
            return page + b"\n"
        kept = self._select(json.loads(page.decode()))
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def _select(self, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        self._note_left_out({name for item in items for name in item})
        return [
            {name: value for name, value in item.items() if self._selected(name)} for item in items
        ]

    def _note_left_out(self, names: Iterable[str]) -> None:
        self.left_out.update([name for name in names if not self._selected(name)])

    def _batch(self, parts: Sequence[bytes], column: str, items: int) -> pa.RecordBatch | None:
        """The batch; None if Arrow cannot hold the items, or only with much memory."""
        pa = arrow()
        try:
            found = None
            if self._known is None:
                # Mostly, a page has all that the others have.
                found = self._learn(parts[:1], column)
            # Another thread may change it.
            known = self._known
            if known is None or not self._columnar or items * count_leaves(known) > PLACES:
                return None
            if found is None or len(parts) > 1:
                found = read_familiar(parts, column, known)
                found = self._learn(parts, column) if found is None else found
            if found is None or not self._columnar or found.null_count:
                return None
            self._note_left_out([field.name for field in found.type])
            return select_attributes(found, self._selected)
        except pa.ArrowException as error:
            # Its message may quote an item's value.
            log(f"keeping items as JSON, because Arrow cannot hold them: {type(error).__name__}")
            return None

    def _learn(self, parts: Sequence[bytes], column: str) -> pa.StructArray | None:
        """The items, whose type is the known one from now on; None if it is too wide."""
        items = parsed(parts, column)
        # Before Arrow makes room for each of them in each item.
        fields = fields_in(items)
        self._columnar = fields <= WIDE
        if not self._columnar or len(items) * fields > PLACES:
            return None
        found = read_new(parts, column, self._known)
        self._known = found.type
        width, depth = count_leaves(found.type), nesting_depth(found.type)
        self._columnar = width <= WIDE and depth <= DEPTH_MAX
        return found


def fields_in(values: Iterable[object]) -> int:
    """How many different attributes, type codes and fields the values have, at every depth."""
    held: dict[str, list[object]] = {}
    for value in values:
        for name, content in value.items() if isinstance(value, dict) else ():
            contents = held.setdefault(name, [])
            contents.extend(content if isinstance(content, list) else [content])
    return len(held) + sum(map(fields_in, held.values()))


def lines_of(parts: Sequence[bytes], column: str) -> bytes:
    """What Arrow reads: ``{"Items": [...]}`` for each page, the lines of an export as they are."""
    if column == WRAPPER:
        return b"".join(parts)
    return b"".join(b'{"%b":%b}\n' % (column.encode(), page) for page in parts)


def parsed(parts: Sequence[bytes], column: str) -> list[dict[str, Any]]:
    """The items, read by Python."""
    if column == WRAPPER:
        texts = b"".join(parts).decode().split("\n")
        return [json.loads(text)[WRAPPER] for text in texts if text]
    return [item for page in parts for item in json.loads(page.decode())]


def read_familiar(parts: Sequence[bytes], column: str, known: pa.DataType) -> pa.StructArray | None:
    """The items, if all parts of them are of the known type: Arrow has read nothing else."""
    pa = arrow()
    try:
        return read_items(parts, column, known, "error")
    except pa.ArrowInvalid:
        return None


def read_new(parts: Sequence[bytes], column: str, known: pa.DataType | None) -> pa.StructArray:
    """The items, of the known type with what is new in them."""
    before = None if known is None else storable_type(known)
    items = read_items(parts, column, before, "infer")
    if not has_timestamps(items.type):
        return items
    # They are ordinary strings.
    return read_items(parts, column, storable_type(items.type), "infer")


def read_items(
    parts: Sequence[bytes], column: str, known: pa.DataType | None, unexpected: str
) -> pa.StructArray:
    """The items, an array of structs; ``known`` is their type."""
    pa = arrow()
    text = lines_of(parts, column)
    kind = known if known is None or column == WRAPPER else pa.list_(known)
    schema = None if kind is None else pa.schema([(column, kind)])
    table = pa.json.read_json(
        pa.BufferReader(text),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pa.json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior=unexpected
        ),
    )
    chunks = table.column(column).chunks
    return pa.concat_arrays(chunks if column == WRAPPER else [chunk.flatten() for chunk in chunks])


def storable_type(kind: pa.DataType) -> pa.DataType | None:
    """The type with strings for timestamps, and without parts of unknown type; None if all are."""
    pa = arrow()
    if pa.types.is_struct(kind):
        fields = [(field.name, storable_type(field.type)) for field in kind]
        return pa.struct([(name, plain) for name, plain in fields if plain is not None])
    if pa.types.is_list(kind):
        element = storable_type(kind.value_type)
        return None if element is None else pa.list_(element)
    if pa.types.is_null(kind):
        return None
    return pa.string() if pa.types.is_timestamp(kind) else kind


def has_timestamps(kind: pa.DataType) -> bool:
    types = arrow().types
    if types.is_struct(kind):
        return any(has_timestamps(field.type) for field in kind)
    if types.is_list(kind):
        return has_timestamps(kind.value_type)
    return bool(types.is_timestamp(kind))


def count_leaves(kind: pa.DataType) -> int:
    """How many columns of scalars the type has."""
    types = arrow().types
    if types.is_struct(kind):
        return sum(count_leaves(field.type) for field in kind)
    return count_leaves(kind.value_type) if types.is_list(kind) else 1


def nesting_depth(kind: pa.DataType) -> int:
    """How deeply the type is nested; 1 for a scalar."""
    types = arrow().types
    if types.is_struct(kind):
        return 1 + max((nesting_depth(field.type) for field in kind), default=0)
    return 1 + nesting_depth(kind.value_type) if types.is_list(kind) else 1


def select_attributes(
    items: pa.StructArray, selected: Callable[[str], bool]
) -> pa.RecordBatch | None:
    """A batch of the items with the selected attributes; None if no attribute is selected."""
    pa = arrow()
    kept = [
        (field, array) for field, array in zip(items.type, items.flatten()) if selected(field.name)
    ]
    if not kept:
        return None
    item = pa.StructArray.from_arrays(
        [array for _, array in kept], fields=[field for field, _ in kept]
    )
    return pa.RecordBatch.from_arrays([item], names=["item"])

"""Arrow's decoding of a Scan's pages equals the decoding of single items."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import tables
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_rows import RULES, wire

from dynoexport.jobs.scan.buffer import ArrowFile, dynamodb_items
from dynoexport.jobs.scan.decode import Decoder
from dynoexport.jobs.schema.arrow_profile import profile_batches
from dynoexport.jobs.schema.columns import settle_columns
from dynoexport.jobs.schema.profile import ITEMS, Profile, profile_items
from dynoexport.jobs.schema.types import Rules, Type
from dynoexport.jobs.write.arrow import arrow_type, record_batch
from dynoexport.jobs.write.rows import spark_row_converter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# A whole number, fractions, a list that one item lacks, a map.
SIMPLE = (
    '[{"n":{"N":"7"},"f":{"N":"-0.25"},"l":{"L":[{"N":"1.5"}]},"m":{"M":{"a":{"S":"x"}}}},'
    '{"n":{"N":"8"},"f":{"N":"12"}}]'
)


def page(items: list[tables.Item]) -> bytes:
    held = [{name: wire(value) for name, value in item.items()} for item in items]
    return json.dumps(held, ensure_ascii=False, separators=(",", ":")).encode()


def everything(_: str) -> bool:
    return True


def parts(items: list[tables.Item], cuts: list[int]) -> Iterator[list[tables.Item]]:
    """The items between the cuts."""
    ends = sorted({min(cut, len(items)) for cut in cuts} | {len(items)})
    for begin, end in zip([0, *ends], ends, strict=False):
        if begin < end:
            yield items[begin:end]


def decoded(items: list[tables.Item], cuts: list[int]) -> list[Any]:
    """The items as read from the pieces of a Scan, decoded in batches that end at the cuts."""
    decoder = Decoder(everything, columnar=True, whole=True)
    file = None
    batches: list[Any] = []
    for part in parts(items, cuts):
        batch = decoder.decode([page([item]) for item in part], len(part))
        if isinstance(batch, bytes):
            batches.extend(json.loads(line) for line in batch.decode().splitlines() if line)
            continue
        file = file or ArrowFile()
        file.add(batch, 1)
    if file is not None:
        source = pa.BufferReader(file.content())
        while source.tell() < source.size():
            batches.extend(batch.column(0) for batch in pa.ipc.open_stream(source))
    return batches


def decoded_lines(items: list[tables.Item], cuts: list[int]) -> list[Any]:
    """The items as read from the lines of an export, decoded in batches that end at the cuts."""
    decoder = Decoder(everything, columnar=True, whole=False)
    batches = [
        decoder.decode_lines(b"".join(b'{"Item":%b}\n' % page([item])[1:-1] for item in part))
        for part in parts(items, cuts)
    ]
    return [batch if isinstance(batch, list) else batch.column(0) for batch in batches]


def known(pairs: Any) -> dict[str, Any]:
    return {name: ordered(dumped) for name, dumped in pairs}


def ordered(dumped: Any) -> Any:
    """A dumped profile in a fixed order."""
    if dumped is None:
        return None
    counts, digits, scale, element, fields, many = dumped
    inner = {name: ordered(value) for name, value in fields.items()}
    return counts, digits, scale, ordered(element), inner, many


@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    items=tables.side_by_side(3),
    rules=RULES,
    cuts=st.lists(st.integers(0, 12), max_size=3),
    decode=st.sampled_from([decoded, decoded_lines]),
)
def test_batches_hold_what_the_items_hold(
    items: list[tables.Item],
    rules: tuple[str, str, int],
    cuts: list[int],
    decode: Callable[[list[tables.Item], list[int]], list[Any]],
) -> None:
    """Profiles, rows, and the items themselves, wherever the batches end."""
    plain = json.loads(page(items))
    limit = rules[2]
    batches = decode(items, cuts)
    assert [item for batch in batches for item in dynamodb_items(batch)] == plain
    dumps = dict(profile_batches(batches, limit))
    assert known(dumps.items()) == known(profile_items(plain, limit))
    del dumps[ITEMS]
    profiles = {name: Profile.load(dumped) for name, dumped in dumps.items()}
    columns = settle_columns(profiles, (), Rules("parquet", *rules), others=False)
    to_row = spark_row_converter(columns)
    schema = pa.schema([pa.field(column.name, arrow_type(column.type)) for column in columns])
    rows = [row for batch in batches for row in rows_of(record_batch(columns, batch), schema)]
    assert rows == [as_arrow(row, columns) for row in map(to_row, plain)]


def rows_of(batch: pa.RecordBatch, schema: pa.Schema) -> list[dict[str, Any]]:
    assert batch.schema.equals(schema)
    batch.validate(full=True)
    return [as_sorted(row) for row in batch.to_pylist()]


def as_sorted(value: Any) -> Any:
    """A value of Arrow with its maps, lists of pairs, in the order of their keys."""
    if isinstance(value, dict):
        return {name: as_sorted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        is_map = bool(value) and all(isinstance(element, tuple) for element in value)
        return sorted(value) if is_map else [as_sorted(element) for element in value]
    return value


def as_arrow(row: tuple[Any, ...], columns: Any) -> dict[str, Any]:
    """A row for Spark as Arrow gives it back."""
    return {
        column.name: shown(value, column.type) for column, value in zip(columns, row, strict=True)
    }


def shown(value: Any, kind: Type) -> Any:
    if value is None:
        return None
    if kind.kind == "array":
        return [shown(element, kind.element) for element in value]
    if kind.kind == "struct":
        return {
            field.name: shown(inner, field.type)
            for field, inner in zip(kind.fields, value, strict=True)
        }
    if kind.kind == "map":
        return sorted(value.items())
    return bytes(value) if kind.kind == "binary" else value


def test_texts_that_look_like_moments_stay_texts_in_every_thread() -> None:
    """The first batches of a task are decoded side by side, when nothing is known yet."""
    body = page([{"id": {"S": str(number)}, "at": {"S": "2026-01-01"}} for number in range(2_000)])
    for _ in range(10):
        decoder = Decoder(everything, columnar=True, whole=True)
        with ThreadPoolExecutor(8) as threads:
            batches = list(threads.map(lambda _: decoder.decode([body], 2_000), range(8)))  # noqa: B023
        types = {batch.column(0).type.field("at").type.field("S").type for batch in batches}
        assert types == {pa.string()}


def test_plain_batches_need_no_pandas(tmp_path: Path) -> None:
    """Arrow imports it for single values of Python, and each worker would wait for it."""
    (tmp_path / "pandas.py").write_text("raise SystemExit('pandas is imported')\n")
    script = f"""
import json
from test_batches import *
plain = json.loads({SIMPLE!r})
item_columns = settle_columns(
    {{name: Profile.load(dumped) for name, dumped in profile_items(plain, 9) if name != ITEMS}},
    (), Rules("parquet", "string", "struct", 9), others=False
)
batch = Decoder(everything, columnar=True, whole=True).decode([json.dumps(plain).encode()], 2)
assert len(dict(profile_batches([batch.column(0)], 9))) == 5
assert record_batch(item_columns, batch.column(0)).num_rows == 2
"""
    path = os.pathsep.join([str(tmp_path), *sys.path])
    words = [sys.executable, "-c", script]
    done = subprocess.run(
        words, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

"""Avro files of the job, as fastavro reads them."""

from __future__ import annotations

import base64
import io
import json
from decimal import Decimal
from typing import Any

import export_table
import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
DIGITS = st.integers(-(10**38) + 1, 10**38 - 1)


class Memory(io.BytesIO):
    """A file of this process."""


def scalar(kind: str, **options: Any) -> export_table.Type:
    return export_table.Type(kind, **options)


def column(name: str, kind: export_table.Type) -> export_table.Column:
    return export_table.Column(
        name=name, view=name, attribute=name, group="", type=kind, shown=True, items=1
    )


def read(
    columns: list[export_table.Column], items: list[dict[str, Any]], codec: str = "snappy"
) -> list[dict[str, Any]]:
    memory = Memory()
    file = export_table.AvroFile(columns, codec, lambda: memory)
    for item in items:
        file.write(item)
    file.close()
    assert file.rows == len(items)
    assert export_table.count_avro_rows(io.BytesIO(memory.getvalue()).read) == len(items)
    memory.seek(0)
    return [dict(row) for row in fastavro.reader(memory)]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_whole_numbers(numbers: list[int]) -> None:
    columns = [column("n", scalar(export_table.BIGINT))]
    rows = read(columns, [{"n": {"N": str(number)}} for number in numbers])
    assert [row["n"] for row in rows] == numbers


@given(st.lists(DIGITS, min_size=1), st.integers(0, 38))
def test_decimals(numbers: list[int], scale: int) -> None:
    """All 38 digits, with any of them behind the point."""
    # Decimals that are made of text keep all digits; arithmetic would round to 28.
    values = [Decimal(f"{number}E-{scale}") for number in numbers]
    columns = [column("n", scalar(export_table.DECIMAL, scale=scale))]
    rows = read(columns, [{"n": {"N": format(value, "f")}} for value in values])
    assert [row["n"] for row in rows] == values


@given(st.lists(TEXTS, min_size=1), st.lists(st.binary(max_size=20), min_size=1))
def test_texts_and_bytes(texts: list[str], contents: list[bytes]) -> None:
    columns = [
        column("s", scalar(export_table.STRING)),
        column("b", scalar(export_table.BINARY)),
    ]
    pairs = [(text, content) for text in texts for content in contents[:3]]
    items = [
        {"s": {"S": text}, "b": {"B": base64.b64encode(content).decode()}}
        for text, content in pairs
    ]
    assert [(row["s"], row["b"]) for row in read(columns, items)] == pairs


@given(st.dictionaries(TEXTS, TEXTS, max_size=3), st.lists(st.none() | TEXTS, max_size=4))
def test_maps_and_arrays(values: dict[str, str], elements: list[str | None]) -> None:
    text = scalar(export_table.STRING)
    columns = [
        column("m", scalar(export_table.MAP)),
        column("l", scalar(export_table.ARRAY, element=text)),
    ]
    item = {
        "m": {"M": {name: {"S": value} for name, value in values.items()}},
        "l": {"L": [{"NULL": True} if e is None else {"S": e} for e in elements]},
    }
    assert read(columns, [item]) == [{"m": values, "l": elements}]


def test_structs_with_what_they_lack() -> None:
    number, flag = scalar(export_table.BIGINT), scalar(export_table.BOOLEAN)
    fields = (
        export_table.Field("A b", "a_b", number),
        export_table.Field("c", "c", flag),
    )
    columns = [column("m", scalar(export_table.STRUCT, fields=fields))]
    items: list[dict[str, Any]] = [
        {"m": {"M": {"A b": {"N": "1"}}}},
        {"m": {"M": {"c": {"BOOL": False}}}},
        {"m": {"NULL": True}},
        {},
    ]
    assert [row["m"] for row in read(columns, items)] == [
        {"a_b": 1, "c": None},
        {"a_b": None, "c": False},
        None,
        None,
    ]


@pytest.mark.parametrize("codec", ["snappy", "deflate"])
def test_many_rows_become_several_blocks(codec: str) -> None:
    columns = [column("s", scalar(export_table.STRING))]
    texts = [f"{number:01000}" for number in range(2_000)]
    rows = read(columns, [{"s": {"S": text}} for text in texts], codec)
    assert [row["s"] for row in rows] == texts


def test_the_schema_is_that_of_every_file_of_the_table() -> None:
    """The view job gives the table a schema that must read the file."""
    columns = [column("n", scalar(export_table.DECIMAL, scale=2))]
    (field,) = json.loads(export_table.avro_schema_text(columns))["fields"]
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}
    assert field == {"name": "n", "type": ["null", decimal], "default": None}

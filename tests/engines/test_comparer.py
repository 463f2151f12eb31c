"""The comparer reports every wrong cell, and nothing else."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import comparer
import expected
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

JUDGE = "comparer"

ITEMS: list[expected.Item] = [
    {
        "id": {"S": "1"},
        "n": {"N": "12345678901234567890.12"},
        "whole": {"N": "1"},
        "yes": {"BOOL": True},
        "empty": {"S": ""},
        "text": {"S": "1"},
        "blob": {"B": b"AA=="},
        "list": {"L": [{"S": "a"}, {"NULL": True}, {"S": "b"}]},
        "struct": {"M": {"a": {"N": "1"}, "b": {"L": [{"S": "x"}]}}},
    },
    {"id": {"S": "2"}, "n": {"N": "0.1"}},
]


def truth() -> list[dict[str, Any]]:
    columns = expected.columns(ITEMS, expected.Rules())
    return [expected.row(item, columns, "parquet") for item in ITEMS]


def change(name: str, value: Any, row: int = 0) -> Callable[[list[dict[str, Any]]], None]:
    return lambda rows: rows[row].__setitem__(name, value)


LIES = {
    "a row is missing": lambda rows: rows.pop(),
    "a row is there twice": lambda rows: rows.append(copy.deepcopy(rows[0])),
    "a row too many": lambda rows: rows.append({**rows[0], "id": "3"}),
    "two rows are exchanged": lambda rows: rows.__setitem__(
        slice(None), [{**rows[0], "id": "2"}, {**rows[1], "id": "1"}]
    ),
    "a column is missing": lambda rows: rows[0].pop("text"),
    "a column too many": change("other", "x"),
    "the last digit of a number": change("n", Decimal("12345678901234567890.13")),
    "a number was a double": change("n", 12345678901234567890.12),
    "almost a tenth": change("n", 0.1, row=1),
    "true as 1": change("yes", 1),
    "1 as true": change("whole", True),
    "a number as text": change("whole", "1"),
    "text as a number": change("text", 1),
    "empty as null": change("empty", None),
    "null as empty": change("empty", "", row=1),
    "null as 0": change("whole", 0, row=1),
    "binary as its base64": change("blob", "AA=="),
    "binary decoded": change("blob", b"\x00"),
    "a list in another order": change("list", ["b", None, "a"]),
    "a list without its null": change("list", ["a", "b"]),
    "a list as text": change("list", '["a",null,"b"]'),
    "a list as null": change("list", None),
    "a field of a struct": change("struct", {"a": 2, "b": ["x"]}),
    "a field of a struct is missing": change("struct", {"b": ["x"]}),
    "a struct inside is deeper": change("struct", {"a": 1, "b": [["x"]]}),
    "a struct as a map": change("struct", [("a", "1"), ("b", '["x"]')]),
}


def test_equal_rows_have_no_difference() -> None:
    assert comparer.differences(ITEMS, truth(), "parquet") == []


@pytest.mark.parametrize("lie", LIES)
def test_a_planted_lie_is_named(lie: str) -> None:
    rows = truth()
    LIES[lie](rows)
    assert comparer.differences(ITEMS, rows, "parquet")


def test_every_cell_is_compared() -> None:
    """Whatever single cell is replaced, exactly that one is named."""
    for number, row in enumerate(truth()):
        for name in row.keys() - {"id"}:
            rows = truth()
            rows[number][name] = [[["a lie"]]]
            (fault,) = comparer.differences(ITEMS, rows, "parquet")
            assert fault.startswith(f"row {row['id']}, {name}: ")

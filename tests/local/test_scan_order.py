"""Scan returns the items of a table in one order, whatever is put and deleted between its pages."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from dynoexport.local.services import scan_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moto.dynamodb.models.dynamo_type import Item

Key = dict[str, dict[str, Any]]

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "S": st.sampled_from(["a", "b", "Z", "é", "\U0001f600", "\uffff", "ab"]),
    "N": st.sampled_from(["1", "-2", "10", "9.5", "1E+30", "1" * 38, "1" * 37 + "2"]),
    "B": st.sampled_from([b"a", b"\x00", b"\xff\x01", b"ab"]),
}
SEGMENTS = [(None, None), (0, 1), *((segment, 3) for segment in range(3)), (399, 400)]


def make(types: str) -> Table:
    """A table with keys of these types, that moto alone answers for."""
    names = dict(zip(("pk", "sk"), types, strict=False))
    return Table(
        table_name="Ordered",
        account_id="123456789012",
        region="eu-west-1",
        schema=[
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        attr=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],
        billing_mode="PAY_PER_REQUEST",
    )


def keys(items: Iterable[Item]) -> list[tuple[DynamoType, DynamoType | None]]:
    return [(item.hash_key, item.range_key) for item in items]


def apply(table: Table, step: str, key: Key) -> None:
    if step == "put":
        scan_order.put_item(table, {**key, "v": {"S": "x"}})
    else:
        hash_key, *range_key = (DynamoType(value) for value in key.values())
        scan_order.delete_item(table, hash_key, range_key[0] if range_key else None)


@pytest.mark.parametrize("types", ["S", "N", "B", "SN", "NB", "BS"])
@settings(max_examples=40)
@given(data=st.data())
def test_pages_are_those_of_the_whole_walk(types: str, data: st.DataObject) -> None:
    """Moto's own Scan, which sorts the table for each page, answers the same."""
    names = ("pk", "sk")[: len(types)]
    key = st.fixed_dictionaries(
        {
            name: VALUES[kind].map(lambda value, kind=kind: {kind: value})
            for name, kind in zip(names, types, strict=True)
        }
    )
    table = make(types)
    for step, touched in data.draw(
        st.lists(st.tuples(st.sampled_from(["put", "put", "delete"]), key), max_size=25)
    ):
        apply(table, step, touched)
        start = data.draw(st.none() | key)
        # Moto cannot divide a table with binary partition keys.
        segments = data.draw(st.sampled_from(SEGMENTS[: 1 if types[0] == "B" else None]))
        limit = data.draw(st.integers(1, 4))
        expected, _, _ = Table.scan(table, {}, limit, start, segments=segments)
        found = islice(scan_order.items(table, start, segments), limit)
        assert keys(found) == keys(expected)


def test_a_refused_put_leaves_no_place() -> None:
    table = make("S")
    assert list(scan_order.items(table, None, (None, None))) == []
    with pytest.raises(Exception, match="ConditionalCheckFailed"):
        scan_order.put_item(table, {"pk": {"S": "a"}}, condition_expression="attribute_exists(pk)")
    scan_order.put_item(table, {"pk": {"S": "a"}})
    assert len(list(scan_order.items(table, None, (None, None)))) == 1


def test_a_page_costs_what_it_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many items precede it or follow it: only the first page of all walks the table."""
    table = make("S")
    for number in range(1_000):
        scan_order.put_item(table, {"pk": {"S": f"{number:03}"}})
    first = list(islice(scan_order.items(table, None, (None, None)), 4))
    walks, reads = Mock(wraps=table.all_items), Mock(wraps=table.get_item)
    monkeypatch.setattr(table, "all_items", walks)
    monkeypatch.setattr(table, "get_item", reads)
    for start in (first[-1].hash_key.value, "500", "994"):
        page = islice(scan_order.items(table, {"pk": {"S": start}}, (None, None)), 4)
        assert [int(item.hash_key.value) for item in page] == [
            int(start) + step for step in range(1, 5)
        ]
        # A new item does not make the next page walk the table.
        scan_order.put_item(table, {"pk": {"S": f"{start}-"}})
        scan_order.delete_item(table, DynamoType({"S": f"{start}-"}), None)
    assert walks.call_count == 0
    # Each page reads its 4 items; moto looks for an item that it puts or deletes.
    assert reads.call_count <= 3 * (4 + 2)

"""The order in which Scan returns the items of a table, kept between its pages.

moto sorts the whole table for each page, and walks it up to the start of the page.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from hashlib import md5
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Segments = tuple[int | None, int | None]


class _Key:
    """The key of an item with what sorts it."""

    __slots__ = ("hash_key", "range_key", "rank")

    def __init__(self, hash_key: DynamoType, range_key: DynamoType | None) -> None:
        self.hash_key, self.range_key = hash_key, range_key
        self.rank = tuple(key.cast_value for key in (hash_key, range_key) if key is not None)

    def __lt__(self, other: _Key) -> bool:
        return self.rank < other.rank


class ScanOrder:
    """The keys of a table in order: of all items, and of the segments that were asked for."""

    def __init__(self, table: Table) -> None:
        keys = (_Key(item.hash_key, item.range_key) for item in table.all_items())
        self._all: list[_Key] = sorted(keys)
        # By the number of segments, then by segment.
        self._segments: dict[int, dict[int, list[_Key]]] = {}

    def after(self, start: _Key | None, segments: Segments) -> Iterator[_Key]:
        """The keys of the segment behind this one, or all its keys."""
        segment, total = segments
        keys = self._all
        if segment is not None and total is not None:
            keys = self._divided(total).get(segment, [])
        place = 0 if start is None else bisect_right(keys, start)
        while place < len(keys):
            yield keys[place]
            place += 1

    def add(self, key: _Key) -> None:
        """Give the key its place, unless it has one."""
        place = bisect_left(self._all, key)
        if place == len(self._all) or key < self._all[place]:
            for keys in self._lists(key):
                insort(keys, key)

    def remove(self, key: _Key) -> None:
        for keys in self._lists(key):
            del keys[bisect_left(keys, key)]

    def _lists(self, key: _Key) -> Iterator[list[_Key]]:
        yield self._all
        for total, divided in self._segments.items():
            yield divided[segment_of(key.hash_key, total)]

    def _divided(self, total: int) -> dict[int, list[_Key]]:
        if total not in self._segments:
            divided: dict[int, list[_Key]] = defaultdict(list)
            for key in self._all:
                divided[segment_of(key.hash_key, total)].append(key)
            self._segments[total] = divided
        return self._segments[total]


_ORDERS: WeakKeyDictionary[Table, ScanOrder] = WeakKeyDictionary()


def items(table: Table, start: Mapping[str, Any] | None, segments: Segments) -> Iterator[Item]:
    """The table's items of the segment behind this key, in order.

    The first call for a table sorts it; a later one costs what it returns.
    """
    if (order := _ORDERS.get(table)) is None:
        order = _ORDERS[table] = ScanOrder(table)
    for key in order.after(_key(table, start) if start else None, segments):
        if (item := table.get_item(key.hash_key, key.range_key)) is not None:
            yield item


_PUT, _DELETE = Table.put_item, Table.delete_item


def put_item(table: Table, attributes: dict[str, Any], *conditions: Any, **options: Any) -> Item:
    """Moto's ``put_item``; a new key gets its place."""
    item = _PUT(table, attributes, *conditions, **options)
    if order := _ORDERS.get(table):
        order.add(_Key(item.hash_key, item.range_key))
    return item


def delete_item(table: Table, hash_key: DynamoType, range_key: DynamoType | None) -> Item | None:
    """Moto's ``delete_item``; the key loses its place."""
    item = _DELETE(table, hash_key, range_key)
    if item and (order := _ORDERS.get(table)):
        order.remove(_Key(item.hash_key, item.range_key))
    return item


def segment_of(hash_key: DynamoType, total: int) -> int:
    """The segment, of so many, that has the items with this partition key; it is moto's.

    Works for binary keys, too, which moto reads as text.
    """
    value = hash_key.value
    text = value.hex() if isinstance(value, bytes) else value
    return md5(text.encode(), usedforsecurity=False).digest()[0] % total


def is_within_segment(item: Item, segments: Segments) -> bool:
    """Whether the item is in the segment."""
    segment, total = segments
    return segment is None or total is None or segment_of(item.hash_key, total) == segment


def _key(table: Table, attributes: Mapping[str, Any]) -> _Key:
    hash_key, *range_key = (
        DynamoType(attributes[name])
        for name in (table.hash_key_attr, table.range_key_attr)
        if name is not None
    )
    return _Key(hash_key, range_key[0] if range_key else None)

"""Moto's DynamoDB with AWS's refusals, sizes and charges."""

from __future__ import annotations

import math
from collections import Counter
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import xform_name
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import get_service_model
from moto.dynamodb.exceptions import (
    ItemSizeTooLarge,
    MockValidationException,
    SerializationException,
)
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import RESULT_SIZE_LIMIT, Table
from moto.dynamodb.models.utilities import bytesize
from moto.dynamodb.responses import DynamoHandler

from dynoexport.local.services import (
    attribute_values,
    item_keys,
    legacy_filters,
    request_checks,
    scan_order,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from moto.core.model import StructureShape
    from moto.core.responses import ActionResult

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_ITEM_BYTES = 400 * 1024
_BATCH_WRITES = 25
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html. A
# read that finds nothing costs the minimum:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
_READ_UNIT_BYTES, _WRITE_UNIT_BYTES = 4096, 1024

_PAGES = ("Query", "Scan")
_READS = ("BatchGetItem", "GetItem")
_WRITES = ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")
_OTHERS = (
    "BatchExecuteStatement",
    "ExecuteStatement",
    "ExecuteTransaction",
    "TransactGetItems",
    "TransactWriteItems",
)


def install() -> None:
    """Make moto's DynamoDB answer as AWS does."""
    for operation, answer in _ANSWERS.items():
        setattr(DynamoHandler, xform_name(operation), _judged(operation, answer))
    for owner, name, replacement in (
        (Table, "scan", _scan),
        (Table, "query", _query),
        (DynamoType, "size", _size),
        (DynamoType, "__add__", _add),
        (DynamoType, "__sub__", _subtract),
        (LimitedSizeDict, "__setitem__", _set_attribute),
        (BaseJSONSerializer, "_serialize_type_structure", _serialize_structure),
        (Item, "is_within_segment", scan_order.is_within_segment),
        (Table, "put_item", scan_order.put_item),
        (Table, "delete_item", scan_order.delete_item),
        (Item, "update_with_attribute_updates", _update_attributes),
        (DynamoHandler, "delete_table", _delete_table),
    ):
        setattr(owner, name, replacement)


_delete: Any = DynamoHandler.delete_table


def _delete_table(self: DynamoHandler) -> ActionResult:
    """The table as it is after the request; it is gone at once.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html
    """
    answer: ActionResult = _delete(self)
    description: Any = answer.result
    description["TableDescription"]["TableStatus"] = "DELETING"
    return answer


_ANSWERS: dict[str, Callable[[DynamoHandler], ActionResult]] = {
    operation: getattr(DynamoHandler, xform_name(operation))
    for operation in (*_PAGES, *_READS, *_WRITES, *_OTHERS)
}


def _judged(
    operation: str, answer: Callable[[DynamoHandler], ActionResult]
) -> Callable[[DynamoHandler], ActionResult]:
    """The operation with DynamoDB's checks before it and its charges after it."""
    shape = get_service_model("dynamodb").operation_model(operation).input_shape

    @wraps(answer)
    def judge(self: DynamoHandler) -> ActionResult:
        try:
            request = request_checks.check(shape, self.body)
        except request_checks.Refused as error:
            raise MockValidationException(str(error)) from error
        except request_checks.Malformed as error:
            raise SerializationException(str(error)) from error
        self.body = self.params = request
        if operation == "UpdateItem":
            # An update without changes creates the item, but fails inside moto.
            request.setdefault("AttributeUpdates", {})
        if operation in _OTHERS:
            return answer(self)
        if operation in _PAGES:
            _check_page(self, operation)
            _page_filter.set(legacy_filters.pop(request))
            return _charge_page(self, answer)
        pieces = list(_pieces(self))
        _check_pieces(operation, pieces)
        return _charge_items(self, operation, answer, pieces)

    return judge


# --- refusals -------------------------------------------------------------------------------------
class _Piece(NamedTuple):
    """One item that a request reads or writes; ``item`` is its key at least."""

    table: Table
    item: dict[str, Any]
    is_put: bool = False
    is_consistent: bool = False

    @property
    def key(self) -> dict[str, Any]:
        return item_keys.extract_key(self.item, _schema(self.table))


def _refuse(fault: str | None) -> None:
    if fault:
        raise MockValidationException(fault)


def _schema(table: Table, index: str | None = None) -> dict[str, str]:
    """The key attributes of the table and of its index, with their types."""
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table.attr}
    names = [*table.table_key_attrs]
    if index is not None:
        names += [element["AttributeName"] for element in table.get_index(index, True).schema]
    return {name: types[name] for name in names}


def _pieces(handler: DynamoHandler) -> Iterator[_Piece]:
    request, get_table = handler.body, handler.dynamodb_backend.get_table
    if "RequestItems" not in request:
        item, is_put = (request["Item"], True) if "Item" in request else (request["Key"], False)
        is_consistent = request.get("ConsistentRead", False)
        yield _Piece(get_table(request["TableName"]), item, is_put, is_consistent)
        return
    for name, asked in request["RequestItems"].items():
        table = get_table(name)
        if "Keys" in asked:
            is_consistent = asked.get("ConsistentRead", False)
            yield from (_Piece(table, key, is_consistent=is_consistent) for key in asked["Keys"])
            continue
        for write in asked:
            if "PutRequest" in write:
                yield _Piece(table, write["PutRequest"]["Item"], is_put=True)
            elif "DeleteRequest" in write:
                yield _Piece(table, write["DeleteRequest"]["Key"])
            else:
                _refuse(request_checks.NO_WRITE)


def _check_pieces(operation: str, pieces: list[_Piece]) -> None:
    is_batch = operation.startswith("Batch")
    if operation == "BatchWriteItem" and len(pieces) > _BATCH_WRITES:
        _refuse("Too many items requested for the BatchWriteItem call")
    for piece in pieces:
        schema = _schema(piece.table)
        # PutItem names the attribute that does not fit; moto has those texts.
        if not piece.is_put or is_batch or item_keys.fits(piece.key, schema):
            _refuse(item_keys.fault(piece.key if piece.is_put else piece.item, schema))
        if piece.is_put and _item_size(piece.item) > _ITEM_BYTES:
            _refuse("Item size has exceeded the maximum allowed size")
    seen = [(piece.table.name, piece.key) for piece in pieces]
    if any(key in seen[:place] for place, key in enumerate(seen)):
        _refuse(item_keys.DUPLICATES)


def _check_page(handler: DynamoHandler, operation: str) -> None:
    request = handler.body
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if segment is not None and total is not None and segment >= total:
        _refuse(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    start = request.get("ExclusiveStartKey")
    if start is None:
        return
    table = handler.dynamodb_backend.get_table(request["TableName"])
    index = request.get("IndexName")
    _refuse(item_keys.start_fault(start, _schema(table, index), operation, index))
    hash_key = DynamoType(start[table.hash_key_attr])
    if None not in (segment, total) and scan_order.segment_of(hash_key, total) != segment:
        _refuse(
            f"{item_keys.INVALID_START}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey "
            f"with correct Segment. TotalSegments: {total} Segment: {segment}"
        )


# --- charges --------------------------------------------------------------------------------------
# Bytes of the items that the page has evaluated, before filter and projection.
_page_bytes: ContextVar[int] = ContextVar("page_bytes")
# Whether an item passes the page's ScanFilter or QueryFilter.
_page_filter: ContextVar[Callable[[Item], bool]] = ContextVar("page_filter")


def _charge_page(
    handler: DynamoHandler, answer: Callable[[DynamoHandler], ActionResult]
) -> ActionResult:
    """A page costs the sum of its items, rounded up once."""
    result = answer(handler)
    request = handler.body
    units = _read_units(_page_bytes.get(), request.get("ConsistentRead", False))
    table = handler.dynamodb_backend.get_table(request["TableName"])
    charged = _consumed(request, {request["TableName"]: units}, table, request.get("IndexName"))
    return _with_capacity(result, charged[0] if charged else None)


def _charge_items(
    handler: DynamoHandler,
    operation: str,
    answer: Callable[[DynamoHandler], ActionResult],
    pieces: list[_Piece],
) -> ActionResult:
    """Each item is rounded up; a write costs the larger of the item before and after it."""
    if handler.body.get("ReturnConsumedCapacity", "NONE") == "NONE":
        pieces = []
    before = [_held_bytes(piece) for piece in pieces]
    result = answer(handler)
    units: Counter[str] = Counter()
    for piece, held in zip(pieces, before, strict=True):
        if operation in _READS:
            units[piece.table.name] += _read_units(held, piece.is_consistent)  # type: ignore[assignment]
        else:
            units[piece.table.name] += _units(max(held, _held_bytes(piece)), _WRITE_UNIT_BYTES)
    charged = _consumed(handler.body, units)
    if operation.startswith("Batch"):
        return _with_capacity(result, charged)
    return _with_capacity(result, charged[0] if charged else None)


def _held_bytes(piece: _Piece) -> int:
    if not item_keys.fits(piece.key, _schema(piece.table)):
        return 0
    range_key = piece.table.range_key_attr
    item = piece.table.get_item(
        DynamoType(piece.item[piece.table.hash_key_attr]),
        DynamoType(piece.item[range_key]) if range_key else None,
    )
    return item.size() if item else 0


def _units(size: int, unit: int) -> int:
    return max(1, math.ceil(size / unit))


def _read_units(size: int, is_consistent: bool) -> float:
    return _units(size, _READ_UNIT_BYTES) * (1.0 if is_consistent else 0.5)


def _consumed(
    request: Mapping[str, Any],
    units: Mapping[str, float],
    table: Table | None = None,
    index: str | None = None,
) -> list[dict[str, Any]]:
    """ConsumedCapacity of each table, if the request asks for it."""
    asked = request.get("ReturnConsumedCapacity", "NONE")
    if asked == "NONE":
        return []
    charged: list[dict[str, Any]] = []
    for name, number in units.items():
        capacity: dict[str, Any] = {"TableName": name, "CapacityUnits": float(number)}
        if asked == "INDEXES":
            capacity["Table"] = {"CapacityUnits": 0.0 if index else float(number)}
        if asked == "INDEXES" and index and table:
            is_local = any(local_index.name == index for local_index in table.indexes)
            kind = "LocalSecondaryIndexes" if is_local else "GlobalSecondaryIndexes"
            capacity[kind] = {index: {"CapacityUnits": float(number)}}
        charged.append(capacity)
    return charged


def _with_capacity(result: ActionResult, capacity: Any) -> ActionResult:
    body: Any = result.result
    body.pop("ConsumedCapacity", None)
    if capacity:
        body["ConsumedCapacity"] = capacity
    return result


_SCAN, _QUERY = Table.scan, Table.query


def _scan(  # noqa: PLR0917 - moto's signature
    self: Table,
    filters: dict[str, Any],
    limit: int,
    exclusive_start_key: dict[str, Any],
    filter_expression: Any = None,
    index_name: str | None = None,
    consistent_read: bool = False,
    projection_expression: list[list[str]] | None = None,
    segments: Any = (None, None),
) -> tuple[list[Item], int, dict[str, Any] | None]:
    if index_name is not None:
        place = (filters, limit, exclusive_start_key)
        page = _SCAN(self, *place, None, index_name, consistent_read, None, segments)
    else:
        page = _scan_page(self, limit, exclusive_start_key, segments)
    return _evaluate(page, filter_expression, projection_expression)


def _scan_page(
    table: Table, limit: int | None, start: Mapping[str, Any] | None, segments: Any
) -> tuple[list[Item], int, dict[str, Any] | None]:
    """As moto's ``scan`` does it, which walks the table up to the page and copies its items."""
    page: list[Item] = []
    size = 0
    for item in scan_order.items(table, start, segments):
        size += item.size()
        if len(page) == limit or size > RESULT_SIZE_LIMIT:
            return page, len(page), table._get_last_evaluated_key(page[-1], None)
        page.append(item)
    return page, len(page), None


def _query(  # noqa: PLR0917 - moto's signature
    self: Table,
    hash_key: DynamoType | None,
    range_comparison: str | None,
    range_objs: list[DynamoType],
    limit: int,
    exclusive_start_key: dict[str, Any],
    scan_index_forward: bool,
    projection_expressions: list[list[str]] | None,
    index_name: str | None = None,
    consistent_read: bool = False,
    filter_expression: Any = None,
    **conditions: Any,
) -> tuple[list[Item], int, dict[str, Any] | None]:
    if index_name is None and hash_key is not None:
        _check_conditions(self, hash_key, range_objs, exclusive_start_key)
    key = (hash_key, range_comparison, range_objs)
    place = (limit, exclusive_start_key, scan_index_forward)
    page = _QUERY(self, *key, *place, None, index_name, consistent_read, None, **conditions)
    return _evaluate(page, filter_expression, projection_expressions)


def _check_conditions(
    table: Table,
    hash_key: DynamoType,
    range_keys: list[DynamoType],
    start: Mapping[str, Any] | None,
) -> None:
    if hash_key.type != table.hash_key_type or any(
        key.type != table.range_key_type for key in range_keys
    ):
        _refuse(
            "One or more parameter values were invalid: Condition parameter type does not match "
            "schema type"
        )
    if start and DynamoType(start[table.hash_key_attr]) != hash_key:
        _refuse(item_keys.OUTSIDE_QUERY)


def _evaluate(
    page: tuple[list[Item], int, dict[str, Any] | None],
    filter_expression: Any,
    projection: list[list[str]] | None,
) -> tuple[list[Item], int, dict[str, Any] | None]:
    """The page that moto has read, with its bytes noted, filtered and projected as moto does."""
    items, scanned, last = page
    _page_bytes.set(sum(item.size() for item in items))
    items = [item for item in items if _page_filter.get()(item)]
    if filter_expression is not None:
        items = [item for item in items if filter_expression.expr(item)]
    if projection:
        items = [item.project(projection) for item in items]
    return items, scanned, last


# --- sizes and sums -------------------------------------------------------------------------------
def _size(self: DynamoType) -> int:
    """Bytes as DynamoDB documents them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    if self.is_number():
        return attribute_values.number_size(self.value)
    size = 3 if self.is_list() or self.is_map() else 0
    if self.is_set():
        size += sum(DynamoType({self.type[0]: element}).size() for element in self.value)
    elif self.is_list():
        size += sum(1 + element.size() for element in self.value)
    elif self.is_map():
        size += sum(1 + bytesize(name) + member.size() for name, member in self.value.items())
    else:
        size += item_keys.byte_length(self.type, self.value) if self.type in ("S", "B") else 1
    return size


def _item_size(item: Mapping[str, Any]) -> int:
    return sum(bytesize(name) + DynamoType(value).size() for name, value in item.items())


def _set_attribute(self: LimitedSizeDict, name: str, value: DynamoType) -> None:
    """Set an attribute without moto's own size limit, which also adds the replaced value."""
    others = sum(bytesize(key) + held.size() for key, held in self.items() if key != name)
    if others + bytesize(name) + value.size() > _ITEM_BYTES:
        raise ItemSizeTooLarge
    dict.__setitem__(self, name, value)


_ADD, _SUBTRACT = DynamoType.__add__, DynamoType.__sub__


def _add(self: DynamoType, other: DynamoType) -> DynamoType:
    """With all digits; Python's decimals have 28."""
    if not (self.is_number() and other.is_number()):
        return _ADD(self, other)
    try:
        return DynamoType({"N": attribute_values.add(self.value, other.value)})
    except attribute_values.InvalidValue as error:
        raise MockValidationException(str(error)) from error


def _subtract(self: DynamoType, other: DynamoType) -> DynamoType:
    if not (self.is_number() and other.is_number()):
        return _SUBTRACT(self, other)
    return self + DynamoType({"N": attribute_values.negate(other.value)})


_UPDATE = Item.update_with_attribute_updates


def _update_attributes(self: Item, attribute_updates: Mapping[str, Any]) -> None:
    """Update attributes in their own types; moto turns most into text and adds with 28 digits."""
    others = {}
    for name, update in attribute_updates.items():
        action, value = update.get("Action", "PUT"), update.get("Value", {})
        if action == "PUT":
            self.attrs[name] = DynamoType(value)
        elif action == "ADD" and "N" in value:
            self.attrs[name] = self.attrs.get(name, DynamoType({"N": "0"})) + DynamoType(value)
        else:
            others[name] = update
    _UPDATE(self, others)


# --- answers --------------------------------------------------------------------------------------
_SERIALIZE_STRUCTURE = BaseJSONSerializer._serialize_type_structure


def _serialize_structure(
    self: BaseJSONSerializer, serialized: Any, value: Any, shape: StructureShape, key: str
) -> None:
    """Serialize an attribute value at once; moto looks for ten members of each under many names."""
    if shape.name == "AttributeValue" and self.service_model.service_name.startswith("dynamodb"):
        serialized[key] = attribute_values.to_json(value)
    else:
        _SERIALIZE_STRUCTURE(self, serialized, value, shape, key)

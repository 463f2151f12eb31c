"""Requests to DynamoDB, each with what AWS answers: its refusal, or the value that comes back.

The answers are recorded from dynalite, whose author took them from AWS. Where dynalite is known to
differ, the case has the answer that AWS documents, dynalite's own, and the source.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynoexport.local.context import Endpoint

PLAIN, SORTED, NAMED, BINARY = "CasesPlain", "CasesSorted", "CasesNamed", "CasesBinary"
TABLES = {
    PLAIN: {"id": "S"},
    SORTED: {"id": "S", "n": "N"},
    NAMED: {"id": "S", "r": "S"},
    BINARY: {"id": "B"},
}

MANY_ITEMS = 30
INDEX = {
    "IndexName": "by-r",
    "KeySchema": [{"AttributeName": "r", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


@dataclass(frozen=True)
class Case:
    """``expected`` is AWS's answer; ``of_dynalite`` is dynalite's, if it differs (see ``why``)."""

    name: str
    ask: Callable[[Any], Any]
    expected: Any
    of_dynalite: Any = None
    why: str = ""


def connect(endpoint: Endpoint, url: str | None = None) -> Any:
    """A client that sends any request: boto3 refuses some of them by itself."""
    return boto3.client(
        "dynamodb",
        endpoint_url=url or endpoint.url,
        region_name=endpoint.region,
        aws_access_key_id=endpoint.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=endpoint.env["AWS_SECRET_ACCESS_KEY"],
        config=Config(parameter_validation=False, retries={"max_attempts": 0}),
    )


def create_tables(db: Any) -> None:
    for name, key in TABLES.items():
        db.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": attribute, "KeyType": kind}
                for attribute, kind in zip(key, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[
                {"AttributeName": attribute, "AttributeType": code}
                for attribute, code in key.items()
            ],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [INDEX]} if name == NAMED else {}),
        )
    for place in range(MANY_ITEMS):
        db.put_item(TableName=PLAIN, Item={"id": text(f"item {place}")})
        db.put_item(TableName=BINARY, Item={"id": {"B": b"\xff" + bytes([place])}})


def delete_tables(db: Any) -> None:
    for name in TABLES:
        db.delete_table(TableName=name)


def verdict(case: Case, db: Any) -> Any:
    """What the call returns, or its error message without the values in it."""
    try:
        return case.ask(db)
    except ClientError as error:
        message = error.response["Error"]["Message"]
        message = re.sub(r"Value '[^']*' at", "Value at", message)
        return f"{error.response['Error']['Code']}: {message}"


def text(value: str) -> dict[str, str]:
    return {"S": value}


def number(value: str) -> dict[str, str]:
    return {"N": value}


def refused(message: str) -> str:
    return f"ValidationException: {message}"


def broken(place: str, rule: str) -> str:
    constraint = f"failed to satisfy constraint: Member must {rule}"
    return refused(f"1 validation error detected: Value at '{place}' {constraint}")


# --- ways to write a value ------------------------------------------------------------------------
KEY = {"id": text("x")}


def stored(db: Any) -> Any:
    return db.get_item(TableName=PLAIN, Key=KEY, ConsistentRead=True)["Item"]["v"]


def put(value: Any) -> Callable[[Any], Any]:
    def ask(db: Any) -> Any:
        db.put_item(TableName=PLAIN, Item={**KEY, "v": value})
        return stored(db)

    return ask


def change(db: Any, expression: str, value: Any) -> None:
    db.update_item(
        TableName=PLAIN,
        Key=KEY,
        UpdateExpression=expression,
        ExpressionAttributeValues={":v": value},
    )


def update(value: Any) -> Callable[[Any], Any]:
    def ask(db: Any) -> Any:
        change(db, "SET v = :v", value)
        return stored(db)

    return ask


def update_attribute(value: Any) -> Callable[[Any], Any]:
    def ask(db: Any) -> Any:
        updates = {"v": {"Action": "PUT", "Value": value}}
        db.update_item(TableName=PLAIN, Key=KEY, AttributeUpdates=updates)
        return stored(db)

    return ask


def put_in_batch(value: Any) -> Callable[[Any], Any]:
    def ask(db: Any) -> Any:
        write = {"PutRequest": {"Item": {**KEY, "v": value}}}
        db.batch_write_item(RequestItems={PLAIN: [write]})
        return stored(db)

    return ask


WAYS = (put, update, update_attribute, put_in_batch)


def by(way: Callable[..., Any], error: str) -> str:
    """Errors of values in expressions say where the value stands."""
    if way is update:
        return refused(f"ExpressionAttributeValues contains invalid value: {error} for key :v")
    return refused(error)


# --- numbers --------------------------------------------------------------------------------------
PI = "3.1415926535897932384626433832795028841"
MANY = "123456789012345678901234567890123456789"
NUMERIC = "The parameter cannot be converted to a numeric value"
STORE = "Attempting to store"
OVERFLOW = f"Number overflow. {STORE} a number with magnitude larger than supported range"
UNDERFLOW = f"Number underflow. {STORE} a number with magnitude smaller than supported range"
TOO_MANY = f"{STORE} more than 38 significant digits in a Number"

NORMAL_FORMS = {
    "0227.00": "227",
    "-0": "0",
    "0.0": "0",
    "-0.00": "0",
    "0e1000": "0",
    ".123": "0.123",
    "-.5": "-0.5",
    "1.": "1",
    "0001.23": "1.23",
    "0.10": "0.1",
    "100": "100",
    "1e+5": "100000",
    "-17.4E37": "-174" + 36 * "0",
    "120e-1": "12",
    PI: PI,
    f"-{PI}": f"-{PI}",
    f"{PI}0000": PI,
    f"000{PI}": PI,
    MANY[:-1]: MANY[:-1],
    f"{MANY[:-1]}e30": MANY[:-1] + 30 * "0",
    "1" + 50 * "0": "1" + 50 * "0",
    "1.0" + 50 * "0": "1",
    "1E+125": "1" + 125 * "0",
    "9." + 37 * "9" + "E+125": 38 * "9" + 88 * "0",
    "-9." + 37 * "9" + "E+125": "-" + 38 * "9" + 88 * "0",
    "1E-130": "0." + 129 * "0" + "1",
    "-1E-130": "-0." + 129 * "0" + "1",
    "12E-130": "0." + 128 * "0" + "12",
}
NO_NUMBERS = {
    "1E126": OVERFLOW,
    "-1E126": OVERFLOW,
    "11E125": OVERFLOW,
    "1E1000000000": OVERFLOW,
    "1E-131": UNDERFLOW,
    "-1E-131": UNDERFLOW,
    "0.9E-130": UNDERFLOW,
    MANY: TOO_MANY,
    f"{PI}9": TOO_MANY,
    f"{MANY}E30": TOO_MANY,
    "": NUMERIC,
    **{
        typed: f"{NUMERIC}: {typed}"
        for typed in ("x", "NaN", "-Infinity", "0x10", "1_0", "٣", "1e", ".", "--1", " 1", "1 ")
    },
}
PLUS = Case(
    "number +3",
    put(number("+3")),
    number("3"),
    refused(f"{NUMERIC}: +3"),
    "AWS takes it: scylladb's test/alternator/test_number.py, which its authors run against AWS",
)


def numbers() -> Iterator[Case]:
    for typed, normal in NORMAL_FORMS.items():
        yield Case(f"number {typed}", put(number(typed)), number(normal))
    for typed, error in NO_NUMBERS.items():
        yield Case(f"number {typed!r}", put(number(typed)), refused(error))
    yield PLUS
    nested: dict[str, Callable[[str], dict[str, Any]]] = {
        "number": number,
        "list": lambda typed: {"L": [number("1"), number(typed)]},
        "map": lambda typed: {"M": {"N": {"L": [number(typed)]}}},
        "set": lambda typed: {"NS": [typed]},
    }
    for way in WAYS:
        for where, value in nested.items():
            name = f"{way.__name__} {where}"
            yield Case(f"{name} 0227.00", way(value("0227.00")), value("227"))
            for typed in ("1E126", "1E-131", MANY, "x"):
                expected = by(way, NO_NUMBERS[typed])
                yield Case(f"{name} {typed}", way(value(typed)), expected)


def add_to_attribute(first: str, second: str) -> Callable[[Any], Any]:
    def ask(db: Any) -> Any:
        put(number(first))(db)
        updates = {"v": {"Action": "ADD", "Value": number(second)}}
        db.update_item(TableName=PLAIN, Key=KEY, AttributeUpdates=updates)
        return stored(db)

    return ask


def calculate(first: str, expression: str, second: str) -> Callable[[Any], Any]:
    def ask(db: Any) -> Any:
        put(number(first))(db)
        change(db, expression, number(second))
        return stored(db)

    return ask


def sums() -> Iterator[Case]:
    plus, minus, add = "SET v = v + :v", "SET v = v - :v", "ADD v :v"
    for first, expression, second, result in (
        ("1", plus, "2", "3"),
        ("1", minus, "2", "-1"),
        ("0.1", plus, "0.9", "1"),
        ("0.1", add, "0.9", "1"),
        (MANY[:-1], plus, "1", "12345678901234567890123456789012345679"),
        (MANY[:-1], minus, "1", "12345678901234567890123456789012345677"),
        (MANY[:-1], add, "0.0", MANY[:-1]),
        ("1E125", minus, "1E125", "0"),
        ("1E125", add, "1E125", "2" + 125 * "0"),
    ):
        yield Case(
            f"{first} {expression} {second}",
            calculate(first, expression, second),
            number(result),
        )
    sum_of_many = add_to_attribute(MANY[:-1], "1.0")
    yield Case("ADD to an attribute", sum_of_many, number("12345678901234567890123456789012345679"))
    why = (
        "dynalite does not check sums: scylladb's test/alternator/test_number.py says what AWS does"
    )
    for first, expression, second, unchecked in (
        ("9E125", plus, "9E125", "18" + 125 * "0"),
        ("9E125", add, "9E125", "18" + 125 * "0"),
        ("1E50", plus, "1", "1" + 49 * "0" + "1"),
        ("1E50", minus, "1", 50 * "9"),
    ):
        yield Case(
            f"{first} {expression} {second}",
            calculate(first, expression, second),
            refused(OVERFLOW),
            number(unchecked),
            why,
        )


# --- other values ---------------------------------------------------------------------------------
INVALID = "One or more parameter values were invalid:"
ONE_TYPE = "must contain exactly one of the supported datatypes"
REFUSED_VALUES: list[tuple[dict[str, Any], str]] = [
    ({"SS": ["a", "a"]}, f"{INVALID} Input collection [a, a] contains duplicates."),
    ({"NS": ["1", "1.0"]}, "Input collection contains duplicates"),
    (
        {"BS": [b"a", b"a"]},
        f"{INVALID} Input collection [YQ==, YQ==]of type BS contains duplicates.",
    ),
    ({"SS": []}, f"{INVALID} An string set  may not be empty"),
    ({"NS": []}, f"{INVALID} An number set  may not be empty"),
    ({"BS": []}, f"{INVALID} Binary sets should not be empty"),
    ({"L": [{"SS": []}]}, f"{INVALID} An string set  may not be empty"),
    ({"M": {"a": {"NS": ["1", "1"]}}}, "Input collection contains duplicates"),
    ({"NULL": False}, f"{INVALID} Null attribute value types must have the value of true"),
    ({}, f"Supplied AttributeValue is empty, {ONE_TYPE}"),
    (
        {"S": "a", "N": "1"},
        f"Supplied AttributeValue has more than one datatypes set, {ONE_TYPE}",
    ),
]
KEPT_VALUES: list[dict[str, Any]] = [
    {"S": ""},
    {"B": b""},
    {"SS": [""]},
    {"BS": [b""]},
    {"M": {}},
    {"L": []},
    {"NULL": True},
    {"BOOL": False},
    {"SS": ["a", "b"]},
    {"M": {"N": {"S": "not a number"}}},
]
WRONG_TYPES: dict[str, tuple[dict[str, Any], str]] = {
    "number": ({"N": 1}, "NUMBER_VALUE cannot be converted to String"),
    "set of numbers": ({"NS": [1]}, "NUMBER_VALUE cannot be converted to String"),
    "set of maps": ({"SS": [{}]}, "Start of structure or map found where not expected"),
}


def other_values() -> Iterator[Case]:
    for way in WAYS:
        for value, error in REFUSED_VALUES:
            yield Case(f"{way.__name__} {value}", way(value), by(way, error))
        for value in KEPT_VALUES:
            yield Case(f"{way.__name__} {value}", way(value), value)
    for name, (wrong, error) in WRONG_TYPES.items():
        yield Case(f"another JSON type in a {name}", put(wrong), f"SerializationException: {error}")


def sizes() -> Iterator[Case]:
    largest = 400 * 1024 - len("id" + "x" + "v")
    for way in (put, update, put_in_batch):
        for code, byte in (("S", "a"), ("B", b"a")):
            value, larger = {code: byte * largest}, {code: byte * (largest + 1)}
            yield Case(f"{way.__name__} 400 KB {code}", way(value), value)
            limit = "has exceeded the maximum allowed size"
            error = f"Item size{' to update' if way is update else ''} {limit}"
            yield Case(f"{way.__name__} over 400 KB {code}", way(larger), refused(error))


# --- keys -----------------------------------------------------------------------------------------
MISMATCH = "The provided key element does not match the schema"
START = "The provided starting key is invalid"
NO_EMPTY_KEY = (
    "The AttributeValue for a key attribute cannot contain an empty string value. Key: id"
)
EMPTY_KEY = f"One or more parameter values are not valid. {NO_EMPTY_KEY}"
LONG_KEY = f"{INVALID} Size of hashkey has exceeded the maximum size limit of2048 bytes"


def call(operation: str, **parameters: Any) -> Callable[[Any], Any]:
    """The answer without its metadata."""

    def ask(db: Any) -> Any:
        answer = getattr(db, operation)(**parameters)
        del answer["ResponseMetadata"]
        return answer

    return ask


def wrong_keys() -> Iterator[Case]:
    """Keys in every operation that has one."""
    of_a = {
        "KeyConditionExpression": "id = :i",
        "ExpressionAttributeValues": {":i": text("a")},
    }
    asks: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
        "GetItem": lambda key: call("get_item", TableName=PLAIN, Key=key),
        "DeleteItem": lambda key: call("delete_item", TableName=PLAIN, Key=key),
        "UpdateItem": lambda key: call("update_item", TableName=PLAIN, Key=key),
        "BatchGetItem": lambda key: call("batch_get_item", RequestItems={PLAIN: {"Keys": [key]}}),
        "BatchWriteItem": lambda key: call(
            "batch_write_item", RequestItems={PLAIN: [{"DeleteRequest": {"Key": key}}]}
        ),
        "Scan": lambda key: call("scan", TableName=PLAIN, ExclusiveStartKey=key),
        "Query": lambda key: call("query", TableName=PLAIN, ExclusiveStartKey=key, **of_a),
    }
    keys: list[tuple[str, dict[str, Any], str]] = [
        ("no key", {}, MISMATCH),
        ("key of another type", {"id": number("1")}, MISMATCH),
        ("key and more", {"id": text("a"), "v": text("b")}, MISMATCH),
        ("key of another name", {"v": text("b")}, MISMATCH),
        ("empty key", {"id": text("")}, EMPTY_KEY),
        ("key of 2,049 bytes", {"id": text("k" * 2049)}, LONG_KEY),
    ]
    for operation, ask in asks.items():
        for name, key, error in keys:
            prefix = f"{START}: " if operation == "Scan" else ""
            if operation == "Query" and error == MISMATCH and name != "key of another type":
                # A start key of another name or number of attributes.
                expected = refused(START)
            else:
                expected = refused(prefix + error)
            case = f"{operation} with {name}"
            if name != "empty key":
                yield Case(case, ask(key), expected)
                continue
            older = refused(f"{prefix}{INVALID} {NO_EMPTY_KEY}")
            yield Case(case, ask(key), expected, older, "an older text of AWS: moto has the newer")


def wrong_items() -> Iterator[Case]:
    for name, item, error, error_in_batch in (
        ("no key", {}, f"{INVALID} Missing the key id in the item", MISMATCH),
        (
            "a key of another type",
            {"id": number("1")},
            f"{INVALID} Type mismatch for key id expected: S actual: N",
            MISMATCH,
        ),
        ("an empty key", {"id": text("")}, EMPTY_KEY, EMPTY_KEY),
        ("a key of 2,049 bytes", {"id": text("k" * 2049)}, LONG_KEY, LONG_KEY),
    ):
        yield Case(
            f"PutItem with {name}", call("put_item", TableName=PLAIN, Item=item), refused(error)
        )
        write = {"PutRequest": {"Item": item}}
        yield Case(
            f"BatchWriteItem of an item with {name}",
            call("batch_write_item", RequestItems={PLAIN: [write]}),
            refused(error_in_batch),
        )
    item = {"id": text("k" * 2048), "r": text("r" * 1024)}
    yield Case("the longest keys", call("put_item", TableName=NAMED, Item=item), {})
    too_long = {**item, "r": text("r" * 1025)}
    error = f"{INVALID} Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
    for operation, name in (("put_item", "Item"), ("get_item", "Key")):
        yield Case(
            f"{operation} with a sort key of 1,025 bytes",
            call(operation, TableName=NAMED, **{name: too_long}),
            refused(error),
        )
    yield Case(
        "an empty binary key",
        call("put_item", TableName=BINARY, Item={"id": {"B": b""}}),
        refused(EMPTY_KEY.replace("string", "binary")),
    )
    for parameter in ("Key", "TableName"):
        given = {"Key": KEY, "TableName": PLAIN}
        del given[parameter]
        place = parameter[0].lower() + parameter[1:]
        yield Case(
            f"GetItem without {parameter}",
            call("get_item", **given),
            refused(
                f"1 validation error detected: Value null at '{place}' failed to satisfy "
                "constraint: Member must not be null"
            ),
        )


# --- batches --------------------------------------------------------------------------------------
DUPLICATES = "Provided list of item keys contains duplicates"


def write(place: int, **attributes: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"id": text(f"item {place}"), **attributes}}}


def delete(place: int) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"id": text(f"item {place}")}}}


def left(**requests: Any) -> Callable[[Any], Any]:
    return lambda db: db.batch_write_item(RequestItems=requests)["UnprocessedItems"]


def batch_writes() -> Iterator[Case]:
    lengths = (
        "Map value must satisfy constraint: [Member must have length less than or equal to 25, "
        "Member must have length greater than or equal to 1]"
    )
    wrong_length = refused(
        "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: "
        f"{lengths}"
    )
    yield Case("a batch of 25", left(**{PLAIN: [write(n) for n in range(25)]}), {})
    yield Case("a batch of 26", left(**{PLAIN: [write(n) for n in range(26)]}), wrong_length)
    yield Case("a batch of none", left(**{PLAIN: []}), wrong_length)
    yield Case(
        "a batch without tables",
        left(),
        broken("requestItems", "have length greater than or equal to 1"),
    )
    two_tables = {
        PLAIN: [write(n) for n in range(13)],
        NAMED: [write(n, r=text("1")) for n in range(13)],
    }
    yield Case(
        "a batch of 26 in two tables",
        left(**two_tables),
        refused("Too many items requested for the BatchWriteItem call"),
        {},
        "AWS: up to 25 item put or delete operations, API_BatchWriteItem.html",
    )
    for name, writes in (
        ("the same item twice", [write(1), write(1)]),
        ("two items of a key", [write(1), write(1, v=text("2"))]),
        ("a put and a delete of a key", [write(1), delete(1)]),
        ("two deletes of a key", [delete(1), delete(1)]),
    ):
        yield Case(f"a batch of {name}", left(**{PLAIN: writes}), refused(DUPLICATES))
    keys = [{"id": text("1"), "n": number(typed)} for typed in ("1", "1.0")]
    deletes = [{"DeleteRequest": {"Key": key}} for key in keys]
    yield Case("deletes of 1 and 1.0", left(**{SORTED: deletes}), refused(DUPLICATES))
    yield Case(
        "a batch with an empty write",
        left(**{PLAIN: [{}]}),
        refused(f"Supplied AttributeValue has more than one datatypes set, {ONE_TYPE}"),
    )
    yield Case(
        "a batch for no table",
        left(Nowhere=[write(1)]),
        "ResourceNotFoundException: Requested resource not found",
    )


def batch_reads() -> Iterator[Case]:
    def found(table: str, keys: list[Any]) -> Callable[[Any], Any]:
        asked = {table: {"Keys": keys}}
        return lambda db: db.batch_get_item(RequestItems=asked)["Responses"]

    keys = [{"id": text(f"nothing {place}")} for place in range(101)]
    place = f"requestItems.{PLAIN}.member.keys"
    yield Case("a read of 100", found(PLAIN, keys[:100]), {PLAIN: []})
    yield Case(
        "a read of 101",
        found(PLAIN, keys),
        broken(place, "have length less than or equal to 100"),
    )
    yield Case(
        "a read of none", found(PLAIN, []), broken(place, "have length greater than or equal to 1")
    )
    yield Case("a read of a key twice", found(PLAIN, [KEY, KEY]), refused(DUPLICATES))
    same = [{"id": text("1"), "n": number(typed)} for typed in ("1", "1.0")]
    yield Case("a read of 1 and 1.0", found(SORTED, same), refused(DUPLICATES))


# --- pages ----------------------------------------------------------------------------------------
def in_another_segment(db: Any) -> Any:
    page = db.scan(TableName=PLAIN, Segment=0, TotalSegments=4, Limit=1)
    start = page["LastEvaluatedKey"]
    return db.scan(TableName=PLAIN, Segment=1, TotalSegments=4, ExclusiveStartKey=start)


def missed_in_segments(table: str) -> Callable[[Any], Any]:
    """Keys that are read twice or not at all, when each segment is read page by page."""

    def ask(db: Any) -> Any:
        seen = []
        for segment in range(4):
            asked: dict[str, Any] = {"Segment": segment, "TotalSegments": 4, "Limit": 2}
            while True:
                page = db.scan(TableName=table, **asked)
                seen += [str(item["id"]) for item in page["Items"]]
                if "LastEvaluatedKey" not in page:
                    break
                asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        whole = [str(item["id"]) for item in db.scan(TableName=table)["Items"]]
        assert len(whole) >= MANY_ITEMS
        return Counter(seen) - Counter(whole), Counter(whole) - Counter(seen)

    return ask


def segments() -> Iterator[Case]:
    zero_based = "The Segment parameter is zero-based and must be less than parameter TotalSegments"
    at_least, at_most = "have value greater than or equal to", "have value less than or equal to"
    without = "The {} parameter is required but was not present in the request when {} is present"

    def counted(**parameters: Any) -> Callable[[Any], Any]:
        return lambda db: db.scan(TableName=NAMED, Select="COUNT", **parameters)["Count"]

    for segment, total in ((1, 1), (2, 1)):
        yield Case(
            f"segment {segment} of {total}",
            counted(Segment=segment, TotalSegments=total),
            refused(f"{zero_based}: Segment: {segment} is not less than TotalSegments: {total}"),
        )
    yield Case(
        "segment 0 of 0",
        counted(Segment=0, TotalSegments=0),
        broken("totalSegments", f"{at_least} 1"),
    )
    yield Case(
        "segment -1", counted(Segment=-1, TotalSegments=2), broken("segment", f"{at_least} 0")
    )
    yield Case(
        "segment 0 of 1,000,001",
        counted(Segment=0, TotalSegments=1_000_001),
        broken("totalSegments", f"{at_most} 1000000"),
        lambda answer: isinstance(answer, int),
        "AWS: a maximum value of 1000000, API_Scan.html",
    )
    yield Case(
        "a segment of no number",
        counted(Segment=1),
        refused(without.format("TotalSegments", "Segment parameter")),
    )
    yield Case(
        "segment 0 of no number",
        counted(Segment=0),
        refused(without.format("TotalSegments", "Segment parameter")),
        lambda answer: isinstance(answer, int),
        "AWS: who specifies Segment must also specify TotalSegments, API_Scan.html",
    )
    yield Case(
        "a number without segment",
        counted(TotalSegments=2),
        refused(without.format("Segment", "parameter TotalSegments")),
    )
    yield Case(
        "a start key of another segment",
        in_another_segment,
        refused(
            f"{START}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct "
            "Segment. TotalSegments: 4 Segment: 1"
        ),
    )
    for table in (PLAIN, BINARY):
        yield Case(f"pages of segments of {table}", missed_in_segments(table), ({}, {}))


def starts_and_limits() -> Iterator[Case]:
    of_a = {
        "TableName": SORTED,
        "KeyConditionExpression": "id = :i",
        "ExpressionAttributeValues": {":i": text("a")},
    }
    for limit in (0, -1):
        error = broken("limit", "have value greater than or equal to 1")
        yield Case(f"Scan with limit {limit}", call("scan", TableName=PLAIN, Limit=limit), error)
        yield Case(f"Query with limit {limit}", call("query", **of_a, Limit=limit), error)
    starts: list[tuple[str, dict[str, Any], str, str]] = [
        ("of the partition key", {"id": text("a")}, f"{START}: {MISMATCH}", START),
        ("of the sort key", {"n": number("1")}, f"{START}: {MISMATCH}", START),
        (
            "with a string as number",
            {"id": text("a"), "n": text("1")},
            f"{START}: {MISMATCH}",
            MISMATCH,
        ),
        ("with 1E126", {"id": text("a"), "n": number("1E126")}, OVERFLOW, OVERFLOW),
        ("with 39 digits", {"id": text("a"), "n": number(MANY)}, TOO_MANY, TOO_MANY),
    ]
    for name, start, of_scan, of_query in starts:
        scan = call("scan", TableName=SORTED, ExclusiveStartKey=start)
        yield Case(f"Scan from a key {name}", scan, refused(of_scan))
        query = call("query", **of_a, ExclusiveStartKey=start)
        yield Case(f"Query from a key {name}", query, refused(of_query))
    elsewhere = {"id": text("b"), "n": number("1")}
    outside = "The provided starting key is outside query boundaries based on provided conditions"
    query = call("query", **of_a, ExclusiveStartKey=elsewhere)
    yield Case("Query from a key of another partition", query, refused(outside))
    wrong = refused(f"{INVALID} Condition parameter type does not match schema type")
    for name, condition, value in (
        ("partition", "id = :v", number("1")),
        ("sort", "id = :i AND n > :v", text("1")),
    ):
        values = {":v": value} | ({":i": text("a")} if ":i" in condition else {})
        query = call(
            "query",
            TableName=SORTED,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
        )
        yield Case(f"Query with a {name} key of another type", query, wrong)
    for operation, expression in (
        ("query", {"KeyConditionExpression": "id = :i AND n > :v"}),
        ("scan", {"FilterExpression": "id = :i AND n > :v"}),
    ):
        values = {":i": text("a"), ":v": number("1E126")}
        asked = call(operation, TableName=SORTED, ExpressionAttributeValues=values, **expression)
        yield Case(f"{operation} with 1E126", asked, by(update, OVERFLOW))


# --- capacity -------------------------------------------------------------------------------------
LONG_READS = "AWS: one unit for each 4 KB, half of it if eventually consistent"
NO_CONSISTENT_SCAN = f"{LONG_READS}; dynalite's Scan does not know ConsistentRead"
NOTHING_FOUND = "AWS: who finds nothing pays the least that such a read costs, API_Query.html"


def put_long_items(db: Any, sizes: tuple[int, ...]) -> None:
    """Replace all items by items of these sizes in bytes."""
    for item in db.scan(TableName=SORTED, ProjectionExpression="id, n")["Items"]:
        db.delete_item(TableName=SORTED, Key=item)
    for place, size in enumerate(sizes):
        named = len("id" + "a" + "n" + "v") + (1 if place == 0 else 2)
        item = {"id": text("a"), "n": number(str(place)), "v": text("v" * (size - named))}
        db.put_item(TableName=SORTED, Item=item)


def cost(operation: str, sizes: tuple[int, ...], **parameters: Any) -> Callable[[Any], Any]:
    def ask(db: Any) -> Any:
        put_long_items(db, sizes)
        asked = {"TableName": SORTED, "ReturnConsumedCapacity": "TOTAL", **parameters}
        if operation == "query":
            asked["KeyConditionExpression"] = "id = :i"
            asked["ExpressionAttributeValues"] = {":i": text("a")}
        if operation == "get_item":
            asked["Key"] = {"id": text("a"), "n": number("0")}
        capacity = getattr(db, operation)(**asked)["ConsumedCapacity"]
        assert capacity.pop("TableName") == SORTED
        return capacity.pop("CapacityUnits"), capacity

    return ask


def reads() -> Iterator[Case]:
    for items, units in (
        ((), 1),
        ((100,), 1),
        ((4096,), 1),
        ((4097,), 2),
        ((1000, 1000, 1000), 1),
        ((3000,) * 5, 4),
        ((300_000,) * 3, 220),
    ):
        for operation in ("scan", "query"):
            for is_consistent in (False, True):
                case = Case(
                    f"{operation} of {items}{' consistent' if is_consistent else ''}",
                    cost(operation, items, ConsistentRead=is_consistent),
                    (units if is_consistent else units / 2, {}),
                )
                if not items:
                    case = replace(case, of_dynalite=(0, {}), why=NOTHING_FOUND)
                elif operation == "scan" and is_consistent:
                    case = replace(case, of_dynalite=(units / 2, {}), why=NO_CONSISTENT_SCAN)
                yield case
    for size, units in ((100, 1), (4096, 1), (4097, 2), (300_000, 74)):
        for is_consistent in (False, True):
            yield Case(
                f"get_item of {size}{' consistent' if is_consistent else ''}",
                cost("get_item", (size,), ConsistentRead=is_consistent),
                ((units if is_consistent else units / 2), {}),
            )
    yield Case("get_item of nothing", cost("get_item", ()), (0.5, {}))
    three = (300_000,) * 3
    yield Case("a page of one item", cost("scan", three, Limit=1), (37, {}))
    yield Case("a projected page", cost("scan", three, ProjectionExpression="id"), (110, {}))
    nothing = {"FilterExpression": "attribute_exists(w)"}
    yield Case("a filtered page", cost("scan", three, **nothing), (110, {}))
    without = {"ScanFilter": {"v": {"ComparisonOperator": "NULL"}}}
    yield Case("a page with a ScanFilter", cost("scan", three, **without), (110, {}))
    indexes = {"ReturnConsumedCapacity": "INDEXES"}
    yield Case(
        "a page with its table",
        cost("scan", (100,), **indexes),
        (0.5, {"Table": {"CapacityUnits": 0.5}}),
    )


def indexes() -> Iterator[Case]:
    def ask_index(operation: str, **parameters: Any) -> Callable[[Any], Any]:
        def ask(db: Any) -> Any:
            item = {"id": text("a"), "r": text("indexed"), "v": text("v" * 5000)}
            db.put_item(TableName=NAMED, Item=item)
            asked = {"TableName": NAMED, "IndexName": "by-r", **parameters}
            if operation == "query":
                asked["KeyConditionExpression"] = "r = :r"
                asked["ExpressionAttributeValues"] = {":r": text("indexed")}
            return getattr(db, operation)(**asked).get("ConsumedCapacity")

        return ask

    start = {"id": text("a"), "r": text("indexed")}
    units = {"CapacityUnits": 1}
    table = {"TableName": NAMED, **units, "Table": {"CapacityUnits": 0}}
    capacity = {**table, "GlobalSecondaryIndexes": {"by-r": units}}
    query = ask_index("query", ReturnConsumedCapacity="INDEXES")
    yield Case("a page of an index", query, capacity)
    yield Case("an index from a key", ask_index("scan", ExclusiveStartKey=start), None)
    for key in ({"id": text("a")}, {"r": text("indexed")}, {**start, "v": text("b")}):
        for operation in ("scan", "query"):
            asked = ask_index(operation, ExclusiveStartKey=key)
            yield Case(f"{operation} of an index from {[*key]}", asked, refused(START))


def charged(operation: str, **parameters: Any) -> Callable[[Any], Any]:
    def ask(db: Any) -> Any:
        answer = getattr(db, operation)(ReturnConsumedCapacity="TOTAL", **parameters)
        return answer["ConsumedCapacity"]

    return ask


def batches_and_writes() -> Iterator[Case]:
    plain = {"TableName": PLAIN}
    key = {"id": text("charged")}
    long = {**key, "v": text("v" * (1024 - len("id" + "charged" + "v")))}
    longer = {**key, "v": text("v" * 4000)}
    for name, item, units in (
        ("1 KB", long, 1),
        ("more than 1 KB", {**long, "w": text("")}, 2),
        ("4,000 bytes", longer, 4),
        ("less than before", key, 4),
    ):
        asked = charged("put_item", **plain, Item=item)
        yield Case(f"a put of {name}", asked, {**plain, "CapacityUnits": units})
    change = {
        "UpdateExpression": "SET v = :v",
        "ExpressionAttributeValues": {":v": longer["v"]},
    }
    asked = charged("update_item", **plain, Key=key, **change)
    yield Case("an update to 4,000 bytes", asked, {**plain, "CapacityUnits": 4})
    asked = charged("delete_item", **plain, Key=key)
    yield Case("a delete of 4,000 bytes", asked, {**plain, "CapacityUnits": 4})
    yield Case("a delete of nothing", asked, {**plain, "CapacityUnits": 1})
    writes = {PLAIN: [{"PutRequest": {"Item": longer}}, delete(99)]}
    asked = charged("batch_write_item", RequestItems=writes)
    yield Case("a batch of writes", asked, [{**plain, "CapacityUnits": 5}])
    for is_consistent, units in ((False, 1), (True, 2)):
        keys = {"Keys": [key, {"id": text("nothing")}], "ConsistentRead": is_consistent}
        asked = charged("batch_get_item", RequestItems={PLAIN: keys})
        name = f"a batch of reads{' consistent' if is_consistent else ''}"
        yield Case(name, asked, [{**plain, "CapacityUnits": units}])
    yield Case("an update that changes nothing", call("update_item", **plain, Key=key), {})
    for operation, request in (
        ("update_item", {**plain, "Key": key}),
        ("batch_get_item", {"RequestItems": {PLAIN: {"Keys": [key]}}}),
        ("batch_write_item", {"RequestItems": {PLAIN: [delete(99)]}}),
    ):
        name = f"{operation} without asking for capacity"
        yield Case(name, has_capacity(operation, request), False)


def has_capacity(operation: str, request: dict[str, Any]) -> Callable[[Any], Any]:
    return lambda db: "ConsumedCapacity" in getattr(db, operation)(**request)


CASES = [
    case
    for group in (
        numbers,
        sums,
        other_values,
        sizes,
        wrong_keys,
        wrong_items,
        batch_writes,
        batch_reads,
        segments,
        starts_and_limits,
        reads,
        indexes,
        batches_and_writes,
    )
    for case in group()
]

"""The stand-in for Glue's DynamoDB source: its refusals, its losses, its speed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from dynoexport.local.runtime.awsglue import dynamodb_source
from dynoexport.local.runtime.awsglue.dynamodb_source import Source, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint


def options(**given: str) -> dict[str, str]:
    return {"dynamodb.input.tableName": "Reviews", **given}


def test_the_options_are_read() -> None:
    """Names as Glue's documentation gives them."""
    given = options(**{"dynamodb.splits": "7", "dynamodb.throughput.read.percent": "0.25"})
    assert dynamodb_source.parse(given) == Source("Reviews", 7, 0.25)


def test_the_defaults_are_those_of_glue() -> None:
    """Half of the capacity, in one segment."""
    assert dynamodb_source.parse(options()) == Source("Reviews", 1, 0.5)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "dynamodb.input.tableName is missing"),
        (options(**{"dynamodb.throughput.read.percent": "0.09"}), "0.09 is not in 0.1 to 1.5"),
        (options(**{"dynamodb.throughput.read.percent": "1.6"}), "1.6 is not in 0.1 to 1.5"),
        (options(**{"dynamodb.splits": "0"}), "splits 0 is not in 1 to 1000000"),
        (options(**{"dynamodb.splits": "1000001"}), "splits 1000001 is not in 1 to 1000000"),
    ],
)
def test_options_that_the_connector_refuses_are_refused(given: dict[str, str], said: str) -> None:
    """Each with the option's name and range."""
    with pytest.raises(ValueError, match=said):
        dynamodb_source.parse(given)


def test_the_segments_share_the_allowed_rate() -> None:
    """A quarter of 100 units over five segments; 40,000 units where nothing is provisioned."""
    source = Source("Reviews", 5, 0.25)
    provisioned = {"ProvisionedThroughput": {"ReadCapacityUnits": 100}}
    on_demand = {"ProvisionedThroughput": {"ReadCapacityUnits": 0}}
    assert dynamodb_source.allowed_rate(source, provisioned) == 5
    assert dynamodb_source.allowed_rate(source, on_demand) == 2000
    assert dynamodb_source.allowed_rate(source, {}) == 2000


@pytest.mark.parametrize(
    ("splits", "items", "tasks"), [(36, 2, 4), (36, 900, 9), (36, 10**6, 36), (3, 2, 3)]
)
def test_a_small_table_is_scanned_by_few_tasks(splits: int, items: int, tasks: int) -> None:
    """Two for each that can run at a time, or one for a hundred items; never more than segments."""
    source = Source("Reviews", splits, 0.25)
    assert dynamodb_source.tasks(source, {"ItemCount": items}, parallelism=2) == tasks


@pytest.mark.parametrize(("units", "splits", "rate"), [(5, 1, 2), (5, 4, 1), (37, 4, 4)])
def test_a_segment_may_read_whole_units_and_one_at_least(
    units: int, splits: int, rate: int
) -> None:
    """As the connector's code base computes them: tests/engines/test_emr_connector.py."""
    table = {"ProvisionedThroughput": {"ReadCapacityUnits": units}}
    assert dynamodb_source.allowed_rate(Source("Reviews", splits, 0.5), table) == rate


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("-3", -3),
        (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)),
        (str(2**63), 9.223372036854776e18),
        ("2.5", 2.5),
        ("3.14159265358979323846", math.pi),
    ],
)
def test_numbers_are_long_or_double(text: str, number: float) -> None:
    """What is beyond a double's 17 digits is lost, as with the real source."""
    found = record({"n": {"N": text}})["n"]
    assert (found, type(found)) == (number, type(number))


def test_null_does_not_arrive() -> None:
    """This holds at every depth."""
    item = {"gone": {"NULL": True}, "map": {"M": {"gone": {"NULL": True}, "kept": {"S": "x"}}}}
    assert record(item) == {"map": {"kept": "x"}}


def test_sets_arrive_as_arrays() -> None:
    """This covers sets of text and of numbers."""
    item = {"words": {"SS": ["a", "b"]}, "numbers": {"NS": ["1", "2.5"]}}
    assert record(item) == {"words": ["a", "b"], "numbers": [1, 2.5]}


def test_the_elements_of_a_list_arrive_as_text() -> None:
    """Numbers, truth values and maps too."""
    elements: list[dict[str, Any]] = [
        {"S": "a"},
        {"N": "1"},
        {"BOOL": True},
        {"M": {"k": {"N": "2"}}},
        {"NULL": True},
    ]
    assert record({"list": {"L": elements}}) == {"list": ["a", "1", "true", '{"k": 2}']}


def test_text_and_truth_arrive_as_they_are_and_binary_as_base64() -> None:
    """An empty text is a text; binary is base64 in sets and lists, too."""
    raw = b"\x00\xff"
    item: dict[str, Any] = {
        "s": {"S": ""},
        "b": {"BOOL": False},
        "raw": {"B": raw},
        "set": {"BS": [raw]},
        "list": {"L": [{"B": raw}, {"L": [{"B": raw}]}]},
    }
    assert record(item) == {
        "s": "",
        "b": False,
        "raw": "AP8=",
        "set": ["AP8="],
        "list": ["AP8=", '["AP8="]'],
    }


@pytest.fixture(scope="module")
def table(endpoint: Endpoint) -> Iterator[str]:
    """A table whose 40 items of 40 KB do not fit one page of a Scan."""
    client = endpoint.client("dynamodb")
    client.create_table(
        TableName="Segments",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(40):
        item = {"id": {"S": f"item-{number}"}, "text": {"S": "x" * 40_000}}
        client.put_item(TableName="Segments", Item=item)
    yield "Segments"
    client.delete_table(TableName="Segments")


@pytest.mark.endpoint
@pytest.mark.parametrize("splits", [1, 3, 7])
def test_the_segments_together_are_the_table(endpoint: Endpoint, table: str, splits: int) -> None:
    """Every item in exactly one segment."""
    source = Source(table, splits, 0.5)
    client = endpoint.client("dynamodb")
    found = [
        item["id"]
        for segment in range(splits)
        for item in dynamodb_source.scan(client, source, segment)
    ]
    assert sorted(found) == sorted(f"item-{number}" for number in range(40))


@pytest.mark.endpoint
def test_a_scan_waits_for_the_units_that_a_page_cost(endpoint: Endpoint, table: str) -> None:
    """A page of 1 MB costs about 128 units: at 64 a second, the next one is two seconds later."""
    pauses: list[float] = []
    source = Source(table, 1, 0.5, rate=64)
    items = list(dynamodb_source.scan(endpoint.client("dynamodb"), source, 0, sleep=pauses.append))
    assert len(items) == 40
    assert pauses == [pytest.approx(2, rel=0.1)]

"""Our stand-in for Glue's DynamoDB connector, judged by the connector's own code base.

The code base is AWS's emr-dynamodb-connector, in a Spark of Glue 5.1 on the endpoint. Glue's layer
above it, the DynamicFrame, is not public: what the stand-in loses beyond the code base is listed
here, each with its reason, and docs/types.md says "may".
"""

from __future__ import annotations

import base64
import json
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import artifacts
import expected
import judges
import pytest
import tables
from glue_versions import HERE, VERSIONS, Jobs
from hard_items import hard_items
from hypothesis import Phase, given, settings
from lake import Lake
from recorder import Recorder

from dynoexport.local.runtime.awsglue import dynamodb_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recorder import Call

    from dynoexport.local.context import Endpoint

JUDGE = "emr-dynamodb-hadoop 4.16.0"
SDK_OF_CODE_BASE, SDK_OF_STAND_IN = "aws-sdk-java", "Boto3"
SPLITS = (1, 7)
# Java 17 hides what the code base needs to write binary.
GLUE = replace(VERSIONS["5.1"], java="11")
# So that as many tasks start as there are splits, or five, which is what it takes for its cluster.
MANY_UNITS = {"dynamodb.throughput.read": "40000"}

# Nobody has shown what Glue's DynamicFrame does. Its newer DataFrame connector was tried:
# https://github.com/awslabs/amazon-dynamodb-tools/issues/184
SEEN = "seen of Glue's DataFrame connector"
ASSUMED = "assumed; no account has shown it"
# A value, what the stand-in makes of it, and why it is not what the code base hands over.
LOST = (
    ({"N": "12345678901234567890.12"}, 12345678901234567000.0, f"a double: {SEEN}"),
    ({"N": "0.1234567890123456789"}, 0.12345678901234568, f"a double: {SEEN}"),
    ({"N": "9223372036854775808"}, 9223372036854776000.0, f"a double: {ASSUMED}"),
    ({"N": "1E+125"}, 1e125, f"a double: {ASSUMED}"),
    ({"NULL": True}, None, f"no attribute: {ASSUMED}"),
    ({"M": {"a": {"NULL": True}}}, {}, f"no field: {ASSUMED}"),
    ({"L": [{"NULL": True}, {"S": "x"}]}, ["x"], f"no element: {ASSUMED}; a null there"),
    ({"L": [{"N": "9"}, {"BOOL": True}]}, ["9", "true"], f"elements are text: {SEEN}"),
    ({"L": [{"M": {"a": {"N": "1"}}}]}, ['{"a": 1}'], f"elements are text: {SEEN}"),
    ({"B": b"\x00\xff"}, "AP8=", f"base64 text: {ASSUMED}"),
    ({"BS": [b"\x00"]}, ["AA=="], f"an array of base64 text: {ASSUMED}"),
    ({"SS": ["b", "a"]}, ["b", "a"], f"an array: {SEEN}; unsorted, as the code base has it"),
    ({"NS": ["10", "9"]}, [10, 9], f"an array: {SEEN}; of numbers: {ASSUMED}"),
)
KEPT = (
    ({"S": ""}, ""),
    ({"S": "\u2028\x00"}, "\u2028\x00"),
    ({"N": "-9223372036854775808"}, -9223372036854775808),
    ({"BOOL": False}, False),
    ({"M": {}}, {}),
    ({"M": {"a": {"M": {"b": {"S": "x"}}}}}, {"a": {"b": "x"}}),
    ({"L": []}, []),
    ({"L": [{"S": "x"}]}, ["x"]),
)
# What the code base asks for in a Scan and the stand-in does not, and why that may differ.
OF_CODE_BASE_ALONE = {
    "Limit": "pages of 25 read units keep its rate even; a page of 1 MB costs the same units",
    "ReturnConsumedCapacity": "the stand-in computes units from the items",
}
# Tables of tests/types/tables.py.
GENERATED = 100
# Of pages: ten items of 20 KB cost the 25 units of a page.
LONG, LONG_ITEMS, PAGE_UNITS = 20_480, 120, 25
# Of provisioned tables, and of one on demand.
UNITS = (0, 5, 37, 1000)
RATES = [(units, splits) for units in UNITS for splits in (1, 4, 30)]


@dataclass(frozen=True)
class Readings:
    """What both have read of the corpus by splits, the calls for it, and the allowed rates.

    ``stored`` are the items as boto3 reads them.
    """

    stored: list[dict[str, Any]]
    items: dict[int, list[dict[str, Any]]]
    records: dict[int, list[dict[str, Any]]]
    calls: list[Call]
    long_table: str
    rates: dict[tuple[int, int], int]

    def scans(self, sdk: str, splits: int) -> list[Call]:
        """The Scans of the corpus in so many segments."""
        return [
            call
            for call in self.calls
            if (call.sdk, call.operation) == (sdk, "Scan")
            and call.request["TotalSegments"] == splits
            and call.request["TableName"] != self.long_table
        ]

    def pages(self, sdk: str) -> list[int]:
        """The items of each page of the table with long items."""
        long = [call for call in self.calls if call.request["TableName"] == self.long_table]
        return [
            len(call.answer["Items"])
            for call in long
            if (call.sdk, call.operation) == (sdk, "Scan")
        ]


def corpus() -> list[dict[str, Any]]:
    """The hard items, the same generated ones each time, and one for each value listed above."""
    values = [value for value, *_ in (*LOST, *KEPT)]
    return [
        *hard_items(),
        *generated_items(),
        *({"id": {"S": f"value {number}"}, "v": value} for number, value in enumerate(values)),
    ]


def generated_items() -> list[dict[str, Any]]:
    generated: list[dict[str, Any]] = []

    @settings(max_examples=GENERATED, derandomize=True, database=None, phases=[Phase.generate])
    @given(tables.tables())
    def collect(items: list[tables.Item]) -> None:
        start = len(generated)
        for number, item in enumerate(items, start):
            generated.append({**item, "id": {"S": f"generated {number}"}})

    collect()
    return generated


@pytest.fixture(scope="module")
def recorder(endpoint: Endpoint) -> Iterator[Recorder]:
    started = Recorder(endpoint.url)
    yield started
    started.close()


@pytest.fixture(scope="module")
def readings(
    endpoint: Endpoint,
    prepared: int,
    recorder: Recorder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Readings:
    """Everything at once, because Spark takes long to start."""
    directory = tmp_path_factory.mktemp("connector")
    lake = Lake(endpoint, None)
    whole = lake.table("", corpus())
    table = whole.name
    long_items = [
        {"id": {"S": f"{number:03}"}, "text": {"S": "x" * (LONG - 9)}}
        for number in range(LONG_ITEMS)
    ]
    long_table = lake.table("", long_items).name
    rated = {units: table_with_units(lake, units) for units in UNITS}
    orders = [
        *(reading(directory, "items", table, splits) for splits in SPLITS),
        *(reading(directory, "records", table, splits) for splits in SPLITS),
        order(directory, "items", long_table, "long", {"dynamodb.item.average.size": str(LONG)}),
        order(directory, "records", long_table, "long", {}),
        *(
            order(directory, "rate", rated[units], f"{units}-{splits}", {}, segments=splits)
            for units, splits in RATES
        ),
    ]
    recorded = replace(endpoint, dynamodb_endpoint_url=recorder.url)
    with judges.required(JUDGE):
        jars = sorted(artifacts.part("emr-dynamodb-hadoop", copy_all).glob("*.jar"))
        Jobs(recorded, directory).in_spark(GLUE, HERE / "connector_batch.py", orders, jars)
    return Readings(
        stored=whole.scan(),
        items={n: [as_item(line) for line in lines(directory / f"items-{n}")] for n in SPLITS},
        records={
            n: [json.loads(line) for line in lines(directory / f"records-{n}")] for n in SPLITS
        },
        calls=recorder.calls,
        long_table=long_table,
        rates={
            (units, splits): int((directory / f"rate-{units}-{splits}").read_text())
            for units, splits in RATES
        },
    )


def reading(directory: Path, task: str, table: str, splits: int) -> dict[str, Any]:
    settings = {"dynamodb.splits": str(splits)}
    if task == "items":
        settings = {"dynamodb.scan.segments": str(splits), **MANY_UNITS}
    return order(directory, task, table, str(splits), settings)


def order(
    directory: Path, task: str, table: str, name: str, settings: dict[str, str], **more: Any
) -> dict[str, Any]:
    path = str(directory / f"{task}-{name}")
    return {"task": task, "table": table, "path": path, "settings": settings, **more}


def table_with_units(lake: Lake, units: int) -> str:
    """An empty table with so many read units; on demand if they are 0."""
    provisioned = {"ReadCapacityUnits": units, "WriteCapacityUnits": 1}
    mode = {"ProvisionedThroughput": provisioned} if units else {"BillingMode": "PAY_PER_REQUEST"}
    lake.dynamodb.create_table(
        TableName=f"Units{units}",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        **mode,
    )
    return f"Units{units}"


def copy_all(files: list[Path], directory: Path) -> None:
    for file in files:
        shutil.copy(file, directory)


def lines(directory: Path) -> list[str]:
    """The lines of a text file in parts; only a line feed ends one."""
    parts = [path.read_text(encoding="utf-8") for path in sorted(directory.glob("part-*"))]
    return [line for part in parts for line in part.split("\n") if line]


OF_GSON = {"s": "S", "n": "N", "b": "B", "bOOL": "BOOL", "nULLValue": "NULL"}
OF_GSON |= {"sS": "SS", "nS": "NS", "bS": "BS", "l": "L", "m": "M"}


def as_item(line: str) -> dict[str, Any]:
    """The item as boto3 has it."""
    return {name: as_value(value) for name, value in json.loads(line).items()}


def as_value(given: dict[str, Any]) -> dict[str, Any]:
    ((name, value),) = given.items()
    code = OF_GSON[name]
    if code == "B":
        return {code: base64.b64decode(value)}
    if code == "BS":
        return {code: [base64.b64decode(element) for element in value]}
    if code == "L":
        return {code: [as_value(element) for element in value]}
    if code == "M":
        return {code: {key: as_value(inner) for key, inner in value.items()}}
    return {code: value}


def by_id(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: json.dumps(item["id"]))


# --- items ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("splits", SPLITS)
def test_the_code_base_returns_every_value_exactly(readings: Readings, splits: int) -> None:
    """38 digits, NULLs inside lists, empty values, and sets in DynamoDB's own order."""
    assert by_id(readings.items[splits]) == by_id(readings.stored)


@pytest.mark.parametrize("splits", SPLITS)
def test_the_stand_in_loses_what_is_listed_and_no_more(readings: Readings, splits: int) -> None:
    """tests/types/expected.py has the list as code."""
    wanted = [
        {name: expected.plain(value) for name, value in expected.through_connector(item).items()}
        for item in readings.stored
    ]
    assert by_id(readings.records[splits]) == by_id(wanted)


def test_the_stand_in_changes_each_value_as_listed(readings: Readings) -> None:
    wanted = {f"value {number}": made for number, (_, made, *_) in enumerate((*LOST, *KEPT))}
    found = {
        record["id"]: record.get("v")
        for record in readings.records[1]
        if record["id"].startswith("value ")
    }
    assert {name: repr(value) for name, value in found.items()} == {
        name: repr(value) for name, value in wanted.items()
    }


# --- requests -------------------------------------------------------------------------------------
@pytest.mark.parametrize("splits", SPLITS)
def test_both_request_the_same_segments(readings: Readings, splits: int) -> None:
    """Each once, in the same words but for those that are listed."""
    asked = {
        sdk: [call.request for call in readings.scans(sdk, splits)]
        for sdk in (SDK_OF_CODE_BASE, SDK_OF_STAND_IN)
    }
    for requests in asked.values():
        assert sorted(request["Segment"] for request in requests) == [*range(splits)]
    stated = [{word for request in requests for word in request} for requests in asked.values()]
    assert stated[0] - stated[1] == OF_CODE_BASE_ALONE.keys()
    assert stated[1] - stated[0] == set()


def test_the_code_base_reads_in_smaller_pages(readings: Readings) -> None:
    """Of 25 read units, where a page of the stand-in holds 1 MB; both read each item once."""
    code_base, stand_in = (readings.pages(sdk) for sdk in (SDK_OF_CODE_BASE, SDK_OF_STAND_IN))
    assert sum(code_base) == sum(stand_in) == LONG_ITEMS
    assert code_base[0] * LONG == PAGE_UNITS * dynamodb_source.BYTES_PER_RCU
    assert len(code_base) > len(stand_in)


def test_no_page_of_the_code_base_costs_more_than_25_units(readings: Readings) -> None:
    """It learns the size of items from the units that each page has cost."""
    pages = readings.pages(SDK_OF_CODE_BASE)
    assert max(pages) * LONG <= PAGE_UNITS * dynamodb_source.BYTES_PER_RCU


def test_the_code_base_describes_the_table_for_each_task(readings: Readings) -> None:
    """The stand-in does so once for each read; its answer is the same."""
    found = Counter(call.sdk for call in readings.calls if call.operation == "DescribeTable")
    assert found[SDK_OF_CODE_BASE] > found[SDK_OF_STAND_IN] == len(SPLITS) + 1


def test_both_allow_a_segment_the_same_rate(endpoint: Endpoint, readings: Readings) -> None:
    """Whole read units a second, and never less than one."""
    dynamodb = endpoint.client("dynamodb")
    allowed = {}
    for units, splits in RATES:
        options = {"dynamodb.input.tableName": f"Units{units}", "dynamodb.splits": str(splits)}
        table = dynamodb.describe_table(TableName=f"Units{units}")["Table"]
        source = dynamodb_source.parse(options)
        allowed[units, splits] = dynamodb_source.allowed_rate(source, table)
    assert allowed == readings.rates

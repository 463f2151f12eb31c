"""Facts about a table from DescribeTable's response, even if values are missing or wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport.jobs.checks import CONNECTOR_ASSUMES
from dynoexport.jobs.scan.capacity import table_capacity
from dynoexport.model import ReadMode
from dynoexport.planning.table_facts import (
    Capacity,
    Consumption,
    DescriptionRefused,
    TableFacts,
    parse_description,
)

GB = 1024**3
WHOLE = {
    "TableName": "Orders",
    "TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders",
    "TableSizeBytes": 4_711,
    "ItemCount": 13,
    "ProvisionedThroughput": {"ReadCapacityUnits": 70, "WriteCapacityUnits": 30},
    "OnDemandThroughput": {"MaxReadRequestUnits": 900, "MaxWriteRequestUnits": 800},
    "WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000},
    "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
}


def test_every_figure_is_taken_from_its_place() -> None:
    assert parse_description({"Table": WHOLE}) == TableFacts(
        name="Orders",
        region="eu-west-1",
        bytes=4_711,
        items=13,
        provisioned_reads=70,
        provisioned_writes=30,
        maximum_reads=900,
        warm_reads=12_000,
        warm_writes=4_000,
        infrequent_access=True,
    )


def test_the_answer_may_come_without_its_envelope() -> None:
    assert parse_description(WHOLE) == parse_description({"Table": WHOLE})


def test_missing_values_are_unset() -> None:
    assert parse_description({"TableName": "Bare"}) == TableFacts(name="Bare")
    assert parse_description({"TableName": "Bare", "OnDemandThroughput": None}) == TableFacts(
        name="Bare"
    )


@pytest.mark.parametrize("arn", [None, 3, "", "arn:aws", "arn:aws:dynamodb:\x1b[31m:1:table/A"])
def test_an_invalid_arn_has_no_region(arn: object) -> None:
    assert parse_description({"TableName": "Bare", "TableArn": arn}).region == ""


def test_minus_one_is_no_maximum() -> None:
    """DynamoDB reports a removed maximum as -1."""
    table = {"TableName": "Free", "OnDemandThroughput": {"MaxReadRequestUnits": -1}}
    assert parse_description(table).maximum_reads == 0


@pytest.mark.parametrize(("status", "on"), [("ENABLED", True), ("DISABLED", False)])
def test_recovery_is_reported_by_an_answer_that_is_merged(status: str, *, on: bool) -> None:
    recovery = {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status}}
    assert (
        parse_description({"Table": WHOLE, "ContinuousBackupsDescription": recovery}).recovery is on
    )
    assert parse_description({"Table": WHOLE}).recovery is None


def test_the_keys_are_those_of_aws() -> None:
    """Each key is in the service's own model, so that none is misspelt."""
    shape = (
        botocore.session.get_session().get_service_model("dynamodb").shape_for("TableDescription")
    )
    for name, value in WHOLE.items():
        assert name in shape.members
        if isinstance(value, dict):
            assert set(value) <= set(shape.members[name].members)


# --- what it can give -----------------------------------------------------------------------------
TABLES: tuple[dict[str, Any], ...] = (
    WHOLE,
    {**WHOLE, "ProvisionedThroughput": {"ReadCapacityUnits": 0}},
    {**WHOLE, "ProvisionedThroughput": {}, "OnDemandThroughput": {"MaxReadRequestUnits": -1}},
    {"TableName": "Bare"},
)


@pytest.mark.parametrize("table", TABLES)
def test_capacity_is_what_the_job_takes(table: dict[str, Any]) -> None:
    ours, theirs = parse_description(table).capacity, table_capacity(table, lambda: 40_000)
    assert (ours.units, ours.source) == (theirs.units, theirs.source)


@pytest.mark.parametrize("table", TABLES)
def test_the_connector_takes_what_the_job_says_it_takes(table: dict[str, Any]) -> None:
    ours = parse_description(table).assumed_by(ReadMode.CONNECTOR)
    theirs = table_capacity({**table, **CONNECTOR_ASSUMES}, lambda: 40_000)
    assert (ours.units, ours.source) == (theirs.units, theirs.source)
    assert parse_description(table).assumed_by(ReadMode.NATIVE) == parse_description(table).capacity


def test_the_quota_is_the_accounts() -> None:
    assert TableFacts(name="A", quota=77).capacity == Capacity(77, "on-demand, account quota")


@pytest.mark.parametrize(
    ("table", "partitions"),
    [
        (TableFacts(name="A"), 4),
        (TableFacts(name="A", provisioned_reads=5), 1),
        (TableFacts(name="A", provisioned_reads=5, bytes=10 * GB), 1),
        (TableFacts(name="A", provisioned_reads=5, bytes=10 * GB + 1), 2),
        (TableFacts(name="A", provisioned_reads=9_001), 4),
        (TableFacts(name="A", provisioned_reads=5, provisioned_writes=6_001), 7),
        (TableFacts(name="A", warm_reads=15_000), 5),
        (TableFacts(name="A", warm_writes=5_001), 6),
    ],
)
def test_partitions_follow_size_and_throughput(table: TableFacts, partitions: int) -> None:
    assert table.partitions == partitions


def test_consumption_is_mean_and_peak() -> None:
    assert Consumption(mean=1.5, peak=7.0, days=14).peak == 7.0


# --- what is no answer ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "it is not a JSON object"),
        ([], "it is not a JSON object"),
        ({"Table": 3}, "it is not a JSON object"),
        ({}, "TableName is missing"),
        ({"TableName": ""}, "TableName is '', which is not a table name"),
        ({"TableName": 3}, "TableName is 3, which is not a table name"),
        ({"TableName": "\x1b[31mred"}, r"TableName is '\x1b[31mred', which is not a table name"),
        (
            {"TableName": "Abc", "TableSizeBytes": "7"},
            "TableSizeBytes is '7', not a number of at least 0",
        ),
        ({"TableName": "Abc", "ItemCount": -3}, "ItemCount is -3, not a number of at least 0"),
        ({"TableName": "Abc", "ItemCount": True}, "ItemCount is True, not a number of at least 0"),
        ({"TableName": "Abc", "WarmThroughput": 4}, "WarmThroughput is not a JSON object"),
    ],
)
def test_an_invalid_answer_is_refused_in_a_line(answer: object, why: str) -> None:
    with pytest.raises(DescriptionRefused) as refused:
        parse_description(answer)
    assert refused.value.what == f"this is not the output of describe-table: {why}"
    assert "aws dynamodb describe-table" in refused.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(WHOLE)), JSON))
def test_any_json_is_a_table_or_refused(changed: dict[str, Any]) -> None:
    with suppress(DescriptionRefused):
        found = parse_description({**WHOLE, **changed})
        assert 0 <= found.bytes < 1e18
        assert found.capacity.units > 0
        assert found.partitions >= 1


def test_a_number_beyond_all_tables_is_refused() -> None:
    huge = json.loads('{"TableName": "Abc", "TableSizeBytes": 1' + "0" * 400 + "}")
    with pytest.raises(DescriptionRefused):
        parse_description(huge)

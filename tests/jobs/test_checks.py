"""What the export job learns about a table, with any boto3 version of Glue."""

from __future__ import annotations

import io
import json
from typing import Any

import botocore.loaders
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from job_arguments import ARGUMENTS

from dynoexport.jobs.checks import check_table
from dynoexport.jobs.log import number_text
from dynoexport.jobs.scan.capacity import table_capacity
from dynoexport.jobs.scan.table_description import describe_table
from dynoexport.jobs.settings import parse_settings

ANSWER = {
    "Table": {
        "TableName": "Orders",
        "ItemCount": 7,
        "OnDemandThroughput": {"MaxReadRequestUnits": -1},
        "WarmThroughput": {"ReadUnitsPerSecond": 12_000},
    }
}


class Body(io.BytesIO):
    """What urllib3 hands to botocore."""

    def stream(self) -> list[bytes]:
        return [self.read()]


def client(*unknown: str, answer: Any = ANSWER) -> Any:
    """A client that lacks members of DescribeTable's answer, as older ones do."""
    session = botocore.session.Session()
    # Of its own: the sessions of all other tests share theirs.
    loader = botocore.loaders.create_loader()
    session.register_component("data_loader", loader)
    model = loader.load_service_model("dynamodb", "service-2")
    for name in unknown:
        del model["shapes"]["TableDescription"]["members"][name]
    made = session.create_client(
        "dynamodb", "eu-west-3", aws_access_key_id="key", aws_secret_access_key="secret"
    )

    def send(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, {}, Body(json.dumps(answer).encode()))

    made.meta.events.register("before-send.dynamodb.DescribeTable", send)
    return made


@pytest.mark.parametrize(
    "unknown", [(), ("WarmThroughput",), ("WarmThroughput", "OnDemandThroughput")]
)
def test_warm_throughput_is_read_with_any_boto3(unknown: tuple[str, ...]) -> None:
    """Glue 5.0 and older: botocore drops what its model lacks."""
    table = describe_table(client(*unknown), "Orders")
    assert table["ItemCount"] == 7
    assert table["OnDemandThroughput"] == {"MaxReadRequestUnits": -1}
    found = table_capacity(table, lambda: 40_000)
    assert (found.units, found.source) == (12_000, "on-demand, warm throughput")


@pytest.mark.parametrize(
    ("value", "text"),
    [(10_000, "10,000"), (1_000_000.0, "1,000,000"), (0.25, "0.25"), (33.333, "33.33"), (0, "0")],
)
def test_rate_in_the_log_has_all_its_digits(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(("units", "printed"), [(10_000, "10,000"), (1_000_000, "1,000,000")])
def test_the_log_says_what_the_run_may_use(
    units: int, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All digits, without an exponent."""
    throughput = {"ReadCapacityUnits": units, "WriteCapacityUnits": 1}
    table = {"TableName": "Reviews", "ProvisionedThroughput": throughput}
    check_table(client(answer={"Table": table}), parse_settings(ARGUMENTS))
    line = capsys.readouterr().out
    assert f"may use 0.25 of its {printed} read units a second (provisioned)" in line

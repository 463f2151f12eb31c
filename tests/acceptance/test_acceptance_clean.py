"""``make acceptance-clean`` asks: the run whose tables it finds may be active."""

from __future__ import annotations

import acceptance
import acceptance_names as names
import boto3
import pytest
from click.testing import CliRunner
from moto import mock_aws

REGION = "eu-west-1"


def table_of_a_run() -> str:
    name = names.table(names.new_run(), "csv")
    boto3.client("dynamodb", REGION).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": names.TAG, "Value": ""}],
    )
    return name


@mock_aws
@pytest.mark.parametrize("answer", ["n\n", ""])
def test_clean_removes_nothing_without_a_yes(answer: str) -> None:
    name = table_of_a_run()
    done = CliRunner().invoke(acceptance.main, ["clean", "--region", REGION], input=answer)
    assert done.exit_code == 1
    assert f"DynamoDB table {name}" in done.output
    assert "If somebody's acceptance run is active" in done.output
    assert boto3.client("dynamodb", REGION).list_tables()["TableNames"] == [name]

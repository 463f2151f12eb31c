"""The endpoint's DynamoDB takes, returns and charges what AWS does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dynamodb_cases
import pytest
from botocore.exceptions import ClientError
from dynamodb_cases import CASES, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint


@pytest.fixture(scope="module")
def dynamodb(endpoint: Endpoint) -> Iterator[Any]:
    client = dynamodb_cases.connect(endpoint)
    dynamodb_cases.create_tables(client)
    yield client
    dynamodb_cases.delete_tables(client)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_endpoint_answers_as_aws(dynamodb: Any, case: Case) -> None:
    """`make test-engines` holds dynalite to the same answers."""
    assert dynamodb_cases.verdict(case, dynamodb) == case.expected


def test_numbers_of_transactions_have_their_normal_form(dynamodb: Any) -> None:
    item = {**dynamodb_cases.KEY, "v": {"N": "0227.00"}}
    put = {"Put": {"TableName": dynamodb_cases.PLAIN, "Item": item}}
    dynamodb.transact_write_items(TransactItems=[put])
    assert dynamodb_cases.stored(dynamodb) == {"N": "227"}


def test_a_number_out_of_range_refuses_its_transaction(dynamodb: Any) -> None:
    item = {**dynamodb_cases.KEY, "v": {"N": "1E126"}}
    put = {"Put": {"TableName": dynamodb_cases.PLAIN, "Item": item}}
    with pytest.raises(ClientError, match=dynamodb_cases.OVERFLOW):
        dynamodb.transact_write_items(TransactItems=[put])

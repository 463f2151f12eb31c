"""dynalite, another DynamoDB, judges what the endpoint's DynamoDB takes, returns and charges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dynalite_server
import dynamodb_cases
import pytest
from dynamodb_cases import CASES, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

JUDGE = "dynalite"


@pytest.fixture(scope="module")
def dynalite(endpoint: Endpoint) -> Iterator[Any]:
    with dynalite_server.serve() as url:
        client = dynamodb_cases.connect(endpoint, url)
        dynamodb_cases.create_tables(client)
        yield client


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_dynalite_answers_as_recorded(dynalite: Any, case: Case) -> None:
    """tests/local/test_dynamodb_cases.py holds the endpoint to the same answers."""
    found = dynamodb_cases.verdict(case, dynalite)
    if not case.why:
        assert found == case.expected
    elif callable(case.of_dynalite):
        assert case.of_dynalite(found)
    else:
        assert found == case.of_dynalite != case.expected

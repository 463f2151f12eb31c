"""The endpoint refuses at once, by name, what it does not support."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("service-quotas", "list_services"),  # JSON
        ("cloudformation", "describe_account_limits"),  # Query
    ],
)
def test_unknown_action_is_refused_by_name_and_not_tried_again(
    endpoint: Endpoint, service: str, operation: str
) -> None:
    with pytest.raises(ClientError, match="not on the local endpoint") as caught:
        getattr(endpoint.client(service), operation)()
    answer = caught.value.response
    assert answer["Error"]["Code"] == "NotImplementedException"
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize("service", ["dynamodb", "sts", "s3", "glue"])
def test_a_region_that_does_not_exist_is_refused_in_a_line(
    endpoint: Endpoint, service: str
) -> None:
    calls = {"dynamodb": "list_tables", "sts": "get_caller_identity", "s3": "list_buckets"}
    client = replace(endpoint, region="xx-foo-1").client(service)
    with pytest.raises(ClientError, match="valid region, not 'xx-foo-1'") as caught:
        getattr(client, calls.get(service, "get_databases"))()
    answer = caught.value.response["ResponseMetadata"]
    assert (answer["HTTPStatusCode"], answer["RetryAttempts"]) == (403, 0)

"""A table's stack now and after a deployment: which value and which key it uses."""

from __future__ import annotations

from typing import Any

import pytest

from dynoexport.aws import change_sets
from dynoexport.model import OutputFormat
from dynoexport.operations.targets import Target, with_table_key

OWN_KEY = "arn:aws:kms:eu-west-1:123456789012:key/k"


def target(status: str = "UPDATE_COMPLETE", **given: str | None) -> Target:
    """The target of a stack with one parameter."""
    known = {
        "StackStatus": status,
        "StackName": "s",
        "Parameters": [{"ParameterKey": "Splits", "ParameterValue": "7"}],
    }
    return Target("Orders", OutputFormat.CSV, change_sets.Stack("s", "", given), known, None)


def test_a_given_value_overrides_the_stacks_value_and_the_default() -> None:
    assert target(Splits="9").value("Splits", "0") == "9"
    assert target(Splits=None).value("Splits", "0") == "7"
    assert target().value("Splits", "0") == "7"
    assert target().value("MaxRetries", "1") == "1"


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"])
def test_a_stack_that_was_never_created_has_no_parameters(status: str) -> None:
    """Otherwise those of a failed attempt would affect the next one."""
    assert target(status).value("Splits", "0") == "0"


def described(**encryption: str) -> dict[str, Any]:
    return {"Table": {"SSEDescription": encryption} if encryption else {}}


@pytest.mark.parametrize(
    ("answer", "given", "key"),
    [
        (described(KMSMasterKeyArn=OWN_KEY, SSEType="KMS"), {}, OWN_KEY),
        (described(), {}, ""),
        ({}, {}, ""),
        (described(KMSMasterKeyArn=OWN_KEY), {"TableKeyArn": "another"}, "another"),
    ],
    ids=["own key", "DynamoDB's", "no description", "given"],
)
def test_the_tables_key_is_found_unless_one_is_given(
    answer: dict[str, Any], given: dict[str, str], key: str
) -> None:
    """A key that the table no longer has is removed, too."""
    found = with_table_key(target(**given), answer, given)
    assert found.value("TableKeyArn", "none") == key

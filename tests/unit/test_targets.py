"""A table's stack as it is and as it is to be: which value counts, whose key is taken."""

from __future__ import annotations

from typing import Any

import pytest

from dynoexport.aws import change_sets
from dynoexport.model import OutputFormat
from dynoexport.operations.targets import Target, with_table_key

OWN_KEY = "arn:aws:kms:eu-west-1:123456789012:key/k"


def target(status: str = "UPDATE_COMPLETE", **given: str | None) -> Target:
    """Of a stack that has one parameter."""
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
    """Those of the attempt that failed would decide about the next."""
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
    """A key that the table has no more goes, too."""
    found = with_table_key(target(**given), answer, given)
    assert found.value("TableKeyArn", "none") == key

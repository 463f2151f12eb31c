"""A table's stack now and after a deployment: which value and which key it uses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dynoexport.aws import change_sets
from dynoexport.model import OutputFormat
from dynoexport.operations.catalog_key import find_key, look_up, with_catalog_key
from dynoexport.operations.targets import Target, with_table_key

if TYPE_CHECKING:
    from dynoexport import Account

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
    found = with_table_key(replace(target(**given), described=answer), given)
    assert found.value("TableKeyArn", "none") == key


@pytest.mark.parametrize(
    ("at_rest", "key"),
    [
        ({}, ""),
        ({"CatalogEncryptionMode": "DISABLED", "SseAwsKmsKeyId": OWN_KEY}, ""),
        ({"CatalogEncryptionMode": "SSE-KMS"}, ""),
        ({"CatalogEncryptionMode": "SSE-KMS", "SseAwsKmsKeyId": "alias/aws/glue"}, ""),
        ({"CatalogEncryptionMode": "SSE-KMS", "SseAwsKmsKeyId": OWN_KEY}, OWN_KEY),
        ({"CatalogEncryptionMode": "SSE-KMS-WITH-SERVICE-ROLE", "SseAwsKmsKeyId": OWN_KEY}, ""),
    ],
    ids=["never", "off", "Glue's", "Glue's by alias", "own key", "used by Glue's role"],
)
def test_callers_need_a_key_of_the_account_that_they_use_themselves(
    at_rest: dict[str, str], key: str
) -> None:
    assert find_key(at_rest) == key


@pytest.mark.parametrize(
    ("known", "key"),
    [(OWN_KEY, OWN_KEY), ("k", OWN_KEY), ("alias/mine", "alias/mine")],
    ids=["ARN", "ID", "alias"],
)
def test_the_catalogs_key_is_found_by_its_arn(account: Account, known: str, key: str) -> None:
    at_rest: Any = {"CatalogEncryptionMode": "SSE-KMS", "SseAwsKmsKeyId": known}
    account.glue.put_data_catalog_encryption_settings(
        DataCatalogEncryptionSettings={"EncryptionAtRest": at_rest}
    )
    assert look_up(account) == key


@pytest.mark.parametrize(
    ("found", "given", "key"),
    [(OWN_KEY, {}, OWN_KEY), ("", {}, "none"), (OWN_KEY, {"CatalogKeyArn": ""}, "")],
    ids=["found", "not found", "given"],
)
def test_the_catalogs_key_is_set_unless_one_is_given(
    found: str, given: dict[str, str], key: str
) -> None:
    """Without one the stack keeps its own, for what a former key has encrypted."""
    assert with_catalog_key(target(**given), found, given).value("CatalogKeyArn", "none") == key

"""The warning before a run: what the connector may change in a page of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse

from dynoexport.jobs.readers.sample import Sample
from dynoexport.model import OutputFormat
from dynoexport.operations.sampling import connector_warning, warning_text

if TYPE_CHECKING:
    from dynoexport import Account

SECRET = "ada@example.org"
ITEM: dict[str, Any] = {
    "id": {"S": SECRET},
    "price": {"N": "12345678901234567890.12"},
    "tags": {"SS": [SECRET, "b"]},
    "\x1b[31mred": {"L": [{"NULL": True}]},
}
ROLE = "arn:aws:iam::210987654321:role/r"


@pytest.fixture
def scans(account: Account) -> list[dict[str, Any]]:
    """The Scans of a table Orders that has the item."""
    account.dynamodb.create_table(
        TableName="Orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    account.dynamodb.put_item(TableName="Orders", Item=ITEM)
    found: list[dict[str, Any]] = []
    account.dynamodb.meta.events.register(
        "provide-client-params.dynamodb.Scan", lambda params, **_: found.append(params)
    )
    return found


def warning(account: Account, **parameters: str) -> str:
    return connector_warning(account, "Orders", OutputFormat.CSV, parameters)


def test_it_names_attributes_and_kinds_and_what_keeps_them(
    account: Account, scans: list[dict[str, Any]]
) -> None:
    """One page; neither a value of an item nor what a terminal would obey."""
    what, hint = warning(account).split("\n")
    assert what.startswith(
        "the connector may change \\x1b[31mred (nulls in lists), price (numbers of more than 15 "
        "digits), tags (sets), as a sample of 1 item of Orders shows ("
    )
    assert what.endswith("read units)")
    assert hint == "  keep them: dynoexport deploy Orders --format csv --read-mode native"
    assert SECRET not in what
    assert [(each["Limit"], each["ReturnConsumedCapacity"]) for each in scans] == [(100, "TOTAL")]


@pytest.mark.parametrize(
    "parameters",
    [{"ReadMode": "native"}, {"ReadMode": "export"}, {"SourceRoleArn": ROLE}],
    ids=lambda parameters: next(iter(parameters)),
)
def test_another_reader_and_another_account_read_no_page(
    account: Account, scans: list[dict[str, Any]], parameters: dict[str, str]
) -> None:
    assert (warning(account, **parameters), scans) == ("", [])


@pytest.mark.usefixtures("scans")
def test_attributes_that_are_not_exported_are_not_named(account: Account) -> None:
    assert warning(account, Columns="id") == ""
    shown = warning(account, Exclude="price,tags")
    assert "price" not in shown
    assert "nulls in lists" in shown


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ProvisionedThroughputExceededException", "Unknown"]
)
@pytest.mark.usefixtures("scans")
def test_a_refused_page_is_no_warning_and_no_error(account: Account, code: str) -> None:
    answer = {"Error": {"Code": code, "Message": "no"}}
    account.dynamodb.meta.events.register(
        "before-call.dynamodb.Scan", lambda **_: (AWSResponse("", 400, {}, None), answer)
    )
    assert warning(account) == ""


@pytest.mark.usefixtures("scans")
def test_an_empty_table_is_no_warning(account: Account) -> None:
    account.dynamodb.delete_item(TableName="Orders", Key={"id": ITEM["id"]})
    assert warning(account) == ""


def test_it_names_five_attributes_and_the_number_of_the_others() -> None:
    losses = {f"a{number}": ["sets"] for number in range(7)}
    shown = warning_text("Orders", OutputFormat.ORC, Sample(100, 12.5, losses))
    assert "a4 (sets), 2 more attributes, as a sample of 100 items" in shown
    assert "(12.5 read units)" in shown

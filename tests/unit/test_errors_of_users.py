"""Mistakes of a user, each refused with the next step, before AWS is asked to do anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynoexport.aws.exports import DeployedExport
from dynoexport.model import OutputFormat
from dynoexport.operations import tables
from dynoexport.operations.query import PlaceholderRefused, statement

if TYPE_CHECKING:
    from dynoexport import Account

REVIEWS = DeployedExport("Reviews", OutputFormat.CSV, "", "stack", "workflow")


@pytest.mark.parametrize("placeholder", ["{veiw}", "{ view }", "{VIEW}", "{Snapshot}"])
def test_an_unknown_placeholder_is_refused(placeholder: str) -> None:
    with pytest.raises(PlaceholderRefused) as refused:
        statement(REVIEWS, f"SELECT * FROM {placeholder}")
    assert refused.value.what == f"the SQL has an unknown placeholder {placeholder}"
    assert "{view}" in refused.value.hint


@pytest.mark.parametrize(
    "condition",
    ["a = '{veiw}'", "a = 'it''s {veiw}'", '"{veiw}" = 1', "true -- {veiw}", "true /* {veiw} */"],
)
def test_braces_in_texts_and_comments_are_sql(condition: str) -> None:
    text = statement(REVIEWS, f"SELECT * FROM {{view}} WHERE {condition}")
    assert text.endswith(f" WHERE {condition}")


def test_a_repetition_of_a_row_pattern_is_sql() -> None:
    assert statement(REVIEWS, "PATTERN (A{2,3})") == "PATTERN (A{2,3})"


@pytest.mark.parametrize(
    ("existing", "hint"),
    [
        ((), "there are no tables; check --region and --profile"),
        (("Orders",), "the only table is Orders"),
        (("Beds", "Orders", "Users"), "there are Beds, Orders, Users"),
        (
            ("Beds", "Orders", "Tea", "Users"),
            "there are 4 tables; list them with: aws dynamodb list-tables",
        ),
        (("Reviewz",), "did you mean Reviewz?"),
    ],
)
def test_a_missing_table_is_refused_with_those_that_exist(
    account: Account, existing: tuple[str, ...], hint: str
) -> None:
    for name in existing:
        account.dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    with pytest.raises(tables.NoTable) as refused:
        tables.describe(account, "Reviews")
    assert refused.value.what == "there is no DynamoDB table Reviews in eu-west-1"
    assert refused.value.hint == hint

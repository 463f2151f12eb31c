"""``dynoexport adopt``: snapshots of the design of 2019 on the endpoint, with its Athena."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import pytest
from account import REVIEWS, values, without_timestamp
from command import Command, create_table, exports_bucket, library
from old_design import OLD, old_file

import dynoexport
from dynoexport import naming
from dynoexport.presentation import json_output

if TYPE_CHECKING:
    from account import Account

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

_numbers = itertools.count()
KEY = ("User", "Book")
# As Glue's csv writer quotes: the comma is inside of the quotes.
OLD_CSV = (
    "Rating,Review,Book,Author,User\n"
    '4,"Harry is pretty brave, but Hermione is the clear hero",Sorcerer,J.K.Rowling,Adeline\n'
    "5,A thrilling journey,Philosopher,J.K.Rowling,Tristan\n"
)
OLD_ROWS = [
    {
        "rating": "4",
        "review": "Harry is pretty brave, but Hermione is the clear hero",
        "book": "Sorcerer",
        "author": "J.K.Rowling",
        "user": "Adeline",
    },
    {
        "rating": "5",
        "review": "A thrilling journey",
        "book": "Philosopher",
        "author": "J.K.Rowling",
        "user": "Tristan",
    },
]


@pytest.fixture(scope="module")
def command(account: Account) -> Command:
    """In an account with the common stack and this version's scripts."""
    found = Command(account.endpoint)
    dynoexport.init(library(account.endpoint))
    return found


def leave_old_snapshot(endpoint: Endpoint, table: str, fmt: str, body: bytes) -> None:
    """A part file and empty ones, and what a crawler without any configuration makes of them."""
    s3, glue, bucket = endpoint.client("s3"), endpoint.client("glue"), exports_bucket(endpoint)
    prefix = naming.snapshot_prefix(table, fmt, OLD)
    for number, content in enumerate((body, b"", b"")):
        s3.put_object(Bucket=bucket, Key=f"{prefix}run-1-part-r-0000{number}", Body=content)
    role = endpoint.client("iam").create_role(
        RoleName=f"old-{table}",
        AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
        '"Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}]}',
    )["Role"]
    endpoint.client("iam").put_role_policy(
        RoleName=f"old-{table}",
        PolicyName="all",
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", '
        '"Action": "*", "Resource": "*"}]}',
    )
    name = f"Old{table}{fmt}"
    glue.create_crawler(
        Name=name,
        Role=role["Arn"],
        DatabaseName=naming.DATABASE,
        TablePrefix="snapshots_",
        Targets={
            "S3Targets": [{"Path": f"s3://{bucket}/{naming.data_prefix(table, fmt)}"}],
        },
    )
    glue.start_crawler(Name=name)
    while (crawler := glue.get_crawler(Name=name)["Crawler"])["State"] != "READY":
        time.sleep(0.1)
    assert crawler["LastCrawl"]["Status"] == "SUCCEEDED"


@pytest.mark.parametrize("fmt", ["avro", "csv", "json"])
def test_athena_counts_the_rows_of_an_old_snapshot(
    endpoint: Endpoint, command: Command, fmt: str
) -> None:
    table = f"Adopted{next(_numbers)}"
    create_table(endpoint, table)
    command.ok("deploy", table, "--format", fmt, "--yes")
    leave_old_snapshot(endpoint, table, fmt, old_file(fmt))
    asked = command("adopt", table)
    assert asked.returncode == 2
    assert "add --yes" in asked.stderr
    assert f"  {OLD}  3 files, " in asked.stderr
    assert "Athena counts rows for <$0.0001 at most." in asked.stderr
    assert [each["foreign"] for each in command.json("snapshots", table)] == [True]

    done = command.json("adopt", table, "--yes")
    assert list(done) == list(json_output.meanings("adopted"))
    assert [(each["snapshot"], each["items"]) for each in done["snapshots"]] == [(OLD, 1)]
    assert command.ok("adopt", table, "--yes") == "Nothing to adopt\n"
    found = command.json("verify", table, OLD)
    assert (found["rows"], found["whole"]) == (1, True)
    command.ok("publish", table, OLD)
    assert command.json("status", table)[0]["snapshot"] == OLD
    (row,) = command.json("query", table)
    assert (row["review"], row["author"]) == ("Brave", "Rowling")


def test_a_folder_with_another_name_is_named_and_left_alone(
    endpoint: Endpoint, command: Command
) -> None:
    table = f"Adopted{next(_numbers)}"
    create_table(endpoint, table)
    command.ok("deploy", table, "--format", "json", "--yes")
    key = f"{naming.data_prefix(table, 'json')}backup/part-0"
    endpoint.client("s3").put_object(Bucket=exports_bucket(endpoint), Key=key, Body=b"{}")
    done = command("adopt", table, "--yes")
    assert (done.returncode, done.stdout) == (0, "Nothing to adopt\n")
    assert done.stderr.startswith("Left alone: backup: its name is not snapshot_timestamp=")
    named = command("adopt", table, "backup", "--yes")
    assert named.returncode == 1
    assert named.stderr.startswith("Error: the snapshot backup cannot be adopted\n")


@pytest.mark.spark
def test_csv_that_the_old_crawler_broke_is_right_after_the_next_run(
    account: Account, command: Command, reviews: list[dict[str, Any]]
) -> None:
    """The old crawler split values at their commas. The files were right all the time."""
    table = f"Adopted{next(_numbers)}"
    account.create_table(table, KEY, reviews)
    leave_old_snapshot(account.endpoint, table, "csv", OLD_CSV.encode())
    sql = f"SELECT * FROM \"{naming.snapshots_table(table)}\" WHERE snapshot_timestamp = '{OLD}'"
    broken = account.rows(sql)
    assert sorted(row["review"] for row in broken) == [
        '"Harry is pretty brave',
        OLD_ROWS[1]["review"],
    ]

    command.ok("deploy", table, "--format", "csv", "--set", "NumberOfWorkers=2", "--yes")
    (adopted,) = command.json("adopt", table, "--yes")["snapshots"]
    assert adopted["items"] == 2
    command.ok("run", table, "--wait")
    assert without_timestamp(account.rows(sql)) == OLD_ROWS
    view = f'SELECT * FROM "{naming.view(table)}"'
    assert without_timestamp(account.rows(view)) == without_timestamp(list(map(values, REVIEWS)))
    command.ok("publish", table, OLD)
    assert without_timestamp(account.rows(view)) == OLD_ROWS
    assert command.json("verify", table, OLD)["whole"]

"""Every format gives the same rows, in sensible files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from account import values, without_timestamp

from dynoexport import naming, workflow_runs

if TYPE_CHECKING:
    from account import Account

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

KEY = ("User", "Book")
ADELINE = "Harry is pretty brave, but Hermione is the clear hero"


def check_files(account: Account, table: str, fmt: str) -> None:
    """Two items make one part file that is not empty, no markers, and nothing temporary stays."""
    (manifest,) = account.manifests(table, fmt)
    found = account.keys(naming.data_prefix(table, fmt))
    assert {file["key"]: file["bytes"] for file in manifest["files"]} == found
    assert len(found) == 1
    assert min(found.values()) > 0
    assert account.keys(naming.temp_prefix(table, fmt)) == {}
    assert manifest["items"] == 2


@pytest.mark.parametrize("fmt", ["avro", "csv", "json", "orc"])
def test_every_queryable_format_gives_the_same_rows(
    account: Account, reviews: list[dict[str, Any]], fmt: str
) -> None:
    """A value with a comma stays in its column whatever the format."""
    table = f"Reviews-{fmt}"
    account.create_table(table, KEY, reviews)
    account.deploy_table(table, fmt)
    workflow_runs.require_success(account.run(table, fmt))
    rows = account.rows(f'SELECT * FROM "{naming.view(table)}"')
    assert without_timestamp(rows) == sorted(map(values, reviews), key=lambda row: row["user"])
    assert ADELINE in {row["review"] for row in rows}
    check_files(account, table, fmt)


def test_xml_ends_after_the_crawl(account: Account, reviews: list[dict[str, Any]]) -> None:
    """Athena cannot read xml: two nodes, no view, and the stack's outputs say so."""
    account.create_table("Reviews.xml", KEY, reviews)
    account.deploy_table("Reviews.xml", "xml")
    run = account.run("Reviews.xml", "xml")
    assert run.succeeded
    assert [node.name for node in run.nodes] == ["Reviews.xmlExportToxml", "Reviews.xmlxmlCrawler"]
    assert len(account.keys(naming.data_prefix("Reviews.xml", "xml"))) == 1

"""Every name and key of the project, and the names that are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport import limits, naming
from dynoexport.errors import NameRefused
from dynoexport.model import OutputFormat
from dynoexport.naming import Export

TABLES = st.from_regex(rf"\A{limits.DYNAMODB_TABLE_NAME_PATTERN}\Z")
FITTING = TABLES.filter(
    lambda name: len(name) <= naming.table_name_max() and not name.startswith("--")
)
FORMATS = st.sampled_from(OutputFormat)


def test_names_of_the_design_it_replaces_are_kept() -> None:
    """They are an interface: users' queries and dashboards keep working."""
    assert naming.bucket("123", "eu-west-1") == "dynamodb-exports-123-eu-west-1"
    assert naming.DATABASE == "dynamodb_exports"
    assert naming.export_job("Reviews", "csv") == "ReviewsExportTocsv"
    assert naming.crawler("Reviews", "csv") == "ReviewscsvCrawler"
    assert naming.snapshots_table("My-Reviews") == "snapshots_my_reviews"
    assert naming.view("My-Reviews") == "my_reviews"
    assert naming.snapshot_prefix("Reviews", "csv", "2026-01-02T03:04") == (
        "csv/Reviews/snapshot_timestamp=2026-01-02T03:04/"
    )


def test_every_name_of_an_export_has_its_key() -> None:
    """What ``names --output json`` prints, by which a program finds a name."""
    found = Export("Reviews", OutputFormat.CSV).names()
    assert list(found) == [
        "workflow (scheduled)",
        "workflow",
        "start trigger",
        "crawl trigger",
        "export job",
        "crawler",
        "snapshots table",
        "alarm",
        "classifier",
        "publish trigger",
        "view job",
        "view",
    ]
    assert set(Export("Reviews", OutputFormat.XML).names()) == set(list(found)[:8])


def test_manifests_are_outside_the_data_folder() -> None:
    """The crawler would take it for a file of the table."""
    key = naming.manifest_key("Reviews", "json", "2026-01-02T03:04")
    assert key == "manifests/json/Reviews/2026-01-02T03:04.json"
    assert not key.startswith(naming.data_prefix("Reviews", "json"))


@given(TABLES, FORMATS)
def test_no_prefix_of_a_table_contains_another_tables(table: str, fmt: OutputFormat) -> None:
    """Reviews must not see Reviews2: every prefix ends in a slash."""
    for prefix in (naming.data_prefix, naming.manifest_prefix, naming.temp_prefix):
        own = prefix(table, fmt.value)
        assert own.endswith("/")
        assert not prefix(f"{table}2", fmt.value).startswith(own)


@given(TABLES)
def test_a_folded_name_is_one_that_athena_takes_unchanged(table: str) -> None:
    folded = naming.fold(table)
    assert re.fullmatch(r"[a-z0-9_]+", folded)
    assert naming.fold(folded) == folded
    assert len(folded) == len(table)


@given(FITTING, FORMATS)
def test_every_name_of_an_accepted_table_fits(table: str, fmt: OutputFormat) -> None:
    export = Export(table, fmt, catalog_prefix="x" * naming.CATALOG_PREFIX_MAX)
    naming.check(export)
    assert max(map(len, export.names().values())) <= limits.GLUE_NAME_MAX


def test_one_character_more_would_not_fit() -> None:
    """The limit is the largest possible, so no name is refused without need."""
    table = "T" * (naming.table_name_max() + 1)
    exports = [Export(table, fmt, "x" * naming.CATALOG_PREFIX_MAX) for fmt in OutputFormat]
    names = [name for export in exports for name in export.names().values()]
    assert max(map(len, names)) == limits.GLUE_NAME_MAX + 1
    with pytest.raises(NameRefused, match="names fit only up to"):
        naming.check(exports[0])


@given(FITTING, FORMATS)
def test_the_names_of_one_export_are_distinct(table: str, fmt: OutputFormat) -> None:
    names = list(Export(table, fmt).names().values())
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("table", "fmt"), [("a", "csv"), ("has space", "csv"), ("", "csv"), ("a/b/c", "csv")]
)
def test_an_invalid_table_name_is_refused(table: str, fmt: str) -> None:
    with pytest.raises(NameRefused, match="is not a DynamoDB table name"):
        naming.check(Export(table, OutputFormat(fmt)))


@pytest.mark.parametrize("table", ["--TableName", "--x", "---"])
def test_a_table_that_looks_like_an_option_is_refused(table: str) -> None:
    with pytest.raises(NameRefused, match="looks like an option"):
        naming.check(Export(table, OutputFormat.CSV))


def test_a_table_may_begin_with_one_dash() -> None:
    naming.check(Export("-x-", OutputFormat.CSV))


@pytest.mark.parametrize("prefix", ["1a", "A", "a-b", "x" * (naming.CATALOG_PREFIX_MAX + 1)])
def test_a_malformed_catalog_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(NameRefused, match="cannot begin a catalog name"):
        naming.check(Export("Reviews", OutputFormat.CSV, prefix))


@pytest.mark.parametrize(
    "pair",
    [
        (Export("Orders", OutputFormat.CSV), Export("orders", OutputFormat.CSV)),
        (Export("a.b", OutputFormat.CSV), Export("a-b", OutputFormat.CSV)),
        (Export("Orders", OutputFormat.CSV), Export("Orders", OutputFormat.ORC)),
        (Export("Orders", OutputFormat.XML), Export("Orders", OutputFormat.ORC)),
        # A view that would be the other's table.
        (Export("snapshots_orders", OutputFormat.CSV), Export("Orders", OutputFormat.CSV)),
        (Export("b_Orders", OutputFormat.CSV), Export("Orders", OutputFormat.CSV, "b_")),
    ],
)
def test_exports_that_would_own_one_name_are_refused(pair: tuple[Export, Export]) -> None:
    for exports in (pair, pair[::-1]):
        with pytest.raises(NameRefused, match="would both own the catalog name") as refused:
            naming.check_all(exports)
        assert "CatalogPrefix" in refused.value.hint


def test_exports_kept_apart_by_a_prefix_are_accepted() -> None:
    naming.check_all(
        [
            Export("Orders", OutputFormat.CSV),
            Export("Orders", OutputFormat.ORC, "orc_"),
            Export("Items", OutputFormat.CSV),
        ]
    )


def test_naming_an_export_twice_is_no_collision() -> None:
    export = Export("Orders", OutputFormat.CSV)
    naming.check_all([export, export])


@given(TABLES, FORMATS)
def test_a_stacks_name_is_one_that_cloudformation_takes(table: str, fmt: OutputFormat) -> None:
    assert re.fullmatch(limits.STACK_NAME_PATTERN, naming.table_stack(table, fmt.value))


def test_the_state_of_the_schedule_is_in_the_workflows_name() -> None:
    on, off = (
        naming.workflow("Reviews", "csv", scheduled=scheduled) for scheduled in (True, False)
    )
    assert on != off
    assert naming.start_trigger(on) != naming.start_trigger(off)

"""CatalogUpdate: the stack without a crawler, its workflow, its names, and its price."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from click.testing import CliRunner
from deployed import Deployed, parsed

from dynoexport import naming, settings
from dynoexport.cli import main
from dynoexport.local.cloudformation.stack_changes import dependencies
from dynoexport.model import CatalogUpdate, OutputFormat
from dynoexport.naming import Export
from dynoexport.planning import prices
from dynoexport.workflow.graph import check_graph
from dynoexport.workflow.pipeline import export_pipeline, read_graph

TABLE = parsed("table.yaml")
NOTIFIED = {"NotifyOnFailure": "true", "MaxRunMinutes": "33", "MaxSnapshotAgeHours": "26"}
SECURED = {"UseKmsKey": "true", "ConnectionName": "inside"}
OF_CRAWL = {"CrawlTrigger", "Crawler", "CrawlerRole", "CrawlFailedRule"}
GIB = 1024**3


def stack(update: str, fmt: str = "parquet", **parameters: str) -> Deployed:
    given = {"TableName": "Orders", "CommonStackName": "shared", **NOTIFIED, **SECURED}
    return Deployed(TABLE, {**given, "OutputFormat": fmt, "CatalogUpdate": update, **parameters})


# --- the template ---------------------------------------------------------------------------------
def test_crawler_is_the_default() -> None:
    assert TABLE["Parameters"]["CatalogUpdate"]["Default"] == "crawler"


@pytest.mark.parametrize("fmt", [fmt.value for fmt in OutputFormat])
def test_direct_leaves_out_the_crawl_and_nothing_else(fmt: str) -> None:
    crawled, direct = (stack(update, fmt).section("Resources") for update in ("crawler", "direct"))
    classifier = {"CsvClassifier"} if fmt == "csv" else set()
    assert set(crawled) - set(direct) == OF_CRAWL | classifier
    assert set(direct) - set(crawled) == set()
    changed = {name for name in direct if direct[name] != crawled[name]}
    assert changed == {"RolesUseKey", "RolesUseConnection"} | (
        set() if fmt == "xml" else {"PublishTrigger"}
    )


def test_direct_names_nothing_of_the_crawl() -> None:
    """Neither a reference to what is not there, nor an alarm about it."""
    text = json.dumps({each: stack("direct").section(each) for each in ("Resources", "Outputs")})
    assert not [name for name in (*OF_CRAWL, "CsvClassifier") if f'"{name}' in text]
    assert "OrdersparquetCrawler" not in text
    assert "CrawlerName" not in stack("direct").outputs()


def test_view_job_follows_the_export_without_a_crawler() -> None:
    publish = stack("direct").properties("PublishTrigger")
    assert publish["Predicate"] == {
        "Logical": "AND",
        "Conditions": [
            {"JobName": "OrdersExportToparquet", "State": "SUCCEEDED", "LogicalOperator": "EQUALS"}
        ],
    }
    assert publish["Description"] == "Publishes the view when the export has succeeded"
    assert publish["StartOnCreation"] is True


def test_xml_ends_after_the_export_without_a_crawler() -> None:
    direct = stack("direct", "xml")
    assert direct.of_type("AWS::Glue::Trigger") == ["StartTrigger"]
    assert direct.of_type("AWS::Glue::Job") == ["ExportJob"]
    assert direct.of_type("AWS::IAM::Role") == ["ExportRole"]
    assert "Athena cannot read xml" in direct.outputs()["QueryNote"]


@pytest.mark.parametrize("policy", ["RolesUseKey", "RolesUseConnection"])
def test_shared_policies_belong_to_the_roles_that_exist(policy: str) -> None:
    assert stack("crawler").properties(policy)["Roles"] == ["ExportRole", "CrawlerRole", "ViewRole"]
    assert stack("direct").properties(policy)["Roles"] == ["ExportRole", "ViewRole"]


def test_no_resource_depends_on_one_that_a_condition_may_leave_out() -> None:
    """CloudFormation would then leave it out, too."""
    resources = TABLE["Resources"]
    stated = {name: each["DependsOn"] for name, each in resources.items() if "DependsOn" in each}
    assert [name for name, other in stated.items() if "Condition" in resources[other]] == []


@pytest.mark.parametrize("update", ["crawler", "direct"])
def test_triggers_are_created_one_after_the_other(update: str) -> None:
    """Otherwise they race for the workflow."""
    conditions = {"IsCrawled": update == "crawler", "IsQueryable": True}
    graph = read_graph(TABLE, **conditions)
    names = [trigger.name for trigger in graph.triggers]
    resources = TABLE["Resources"]
    for before, name in itertools.pairwise(names):
        assert before in dependencies(resources[name], frozenset(names))


# --- the graph ------------------------------------------------------------------------------------
@pytest.mark.parametrize("crawled", [True, False])
@pytest.mark.parametrize("queryable", [True, False])
def test_every_workflow_of_the_template_can_run_to_its_end(crawled: bool, queryable: bool) -> None:
    graph = read_graph(TABLE, IsCrawled=crawled, IsQueryable=queryable)
    check_graph(graph)
    assert bool(graph.crawlers) is crawled
    assert len(graph.jobs) == 1 + queryable


def test_pipeline_without_a_crawl_has_a_trigger_less() -> None:
    crawled, direct = (
        export_pipeline(default_schedule=settings.DEFAULT_SCHEDULE, crawled=crawled)
        for crawled in (True, False)
    )
    assert len(crawled.triggers) - len(direct.triggers) == 1
    assert crawled.jobs == direct.jobs
    assert direct.crawlers == frozenset()
    check_graph(direct)


# --- names ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("fmt", OutputFormat)
def test_names_of_an_export_are_those_that_its_stack_creates(fmt: OutputFormat) -> None:
    names = Export("Orders", fmt, catalog_update=CatalogUpdate.DIRECT).names()
    scheduled = stack("direct", fmt.value, ScheduleState="ENABLED")
    resources = scheduled.section("Resources").values()
    created = {each["Properties"]["Name"] for each in resources if "Name" in each["Properties"]}
    assert created <= set(names.values())
    assert not {"crawler", "crawl trigger", "classifier"} & set(names)
    assert ("snapshots table" in names) is fmt.queryable


def test_names_command_takes_the_parameter() -> None:
    words = ("names", "Orders", "--format", "csv", "--catalog-update", "direct")
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert naming.crawler("Orders", "csv") not in done.stdout
    assert naming.view_job("Orders", "csv") in done.stdout


# --- plan -----------------------------------------------------------------------------------------
def plan(*words: str, table_bytes: int = GIB) -> Any:
    described = {
        "TableName": "Orders",
        "TableSizeBytes": table_bytes,
        "ItemCount": 9,
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    }
    text = json.dumps({"Table": described})
    given = ("plan", "--describe", "-", "--region", "us-east-1", *words)
    done = CliRunner().invoke(main, given, input=text, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def planned(*words: str, table_bytes: int = GIB) -> dict[str, Any]:
    (found,) = json.loads(plan(*words, "--output", "json", table_bytes=table_bytes))
    return dict(found)


DIRECT = ("--catalog-update", "direct")


def test_plan_without_a_crawl_is_cheaper_and_shorter() -> None:
    crawled, direct = planned(), planned(*DIRECT)
    price = prices.load_prices("us-east-1")
    crawl = price.crawler_dpu * price.minimum_seconds["crawler"] / 3600 * price.dpu_hour()
    assert crawled["run_usd"] - direct["run_usd"] == pytest.approx(crawl)
    assert crawled["run_seconds"] - direct["run_seconds"] == pytest.approx(60)
    labels = [{cost["formula"] for cost in found["costs"]} for found in (crawled, direct)]
    assert labels[0] - labels[1] == {"crawl"}
    assert (crawled["catalog_update"], direct["catalog_update"]) == ("crawler", "direct")


def test_plan_of_a_hundred_megabytes_shows_what_the_crawl_costs() -> None:
    """Most of the run's price."""
    size = 100_000_000
    words = ("--read-mode", "native")
    crawled, direct = (planned(*words, *more, table_bytes=size) for more in ((), DIRECT))
    assert crawled["run_usd"] > 0.16
    assert direct["run_usd"] < 0.05


def test_plan_without_a_crawl_says_so() -> None:
    crawled, direct = plan(), plan(*DIRECT)
    assert "with crawl and view" in crawled
    assert "with view" in direct
    assert "crawl and" not in direct
    assert "no crawler, Glue" in direct
    assert "the start and the view take 1 min each" in direct
    assert "the start takes 1 min" in plan(*DIRECT, "--format", "xml")
    assert "[crawl]" not in direct


def test_command_of_a_plan_deploys_what_was_planned() -> None:
    assert "--catalog-update direct" in planned(*DIRECT)["command"]
    assert "--catalog-update crawler" in planned()["command"]


def test_plan_compares_other_readers_without_a_crawl_too() -> None:
    """The same export with another reader, not another export."""
    for way in planned(*DIRECT)["alternatives"]:
        crawls = [cost for cost in way["costs"] if cost["formula"] == "crawl"]
        assert bool(crawls) is (way["label"] == "2019"), way["name"]

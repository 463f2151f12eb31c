"""The description of the workflow and the emitted template are the same graph."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from deployed import parsed

from dynoexport import settings
from dynoexport.cloudformation import common, render, table
from dynoexport.errors import GraphRefused
from dynoexport.workflow.graph import check_graph
from dynoexport.workflow.pipeline import export_pipeline, read_graph

TABLE = parsed("table.yaml")


def altered(trigger: str, **properties: Any) -> dict[str, Any]:
    """The table template with properties of one trigger replaced."""
    template = copy.deepcopy(TABLE)
    template["Resources"][trigger]["Properties"] |= properties
    return template


@pytest.mark.parametrize("crawled", [True, False])
def test_the_template_says_what_the_description_says(crawled: bool) -> None:
    """Read back from the file that is shipped."""
    described = export_pipeline(default_schedule=settings.DEFAULT_SCHEDULE, crawled=crawled)
    assert read_graph(TABLE, IsCrawled=crawled) == described


def test_the_shipped_template_is_accepted() -> None:
    check_graph(read_graph(TABLE, IsCrawled=True))


def test_a_fault_in_the_graph_without_a_crawl_is_found() -> None:
    """Whatever the parameters' defaults are."""
    template = table.build()
    template.resources["PublishTrigger"].Actions[0].JobName = "Gone"
    with pytest.raises(GraphRefused, match="PublishTrigger: job Gone is not in the template"):
        render.text(template, fmt=render.Format.YAML, command="test")
    template = table.build()
    (either,) = template.resources["PublishTrigger"].Predicate.Conditions
    either.data["Fn::If"][2].LogicalOperator = "NOT_EQUALS"
    with pytest.raises(GraphRefused, match="LogicalOperator NOT_EQUALS is not known"):
        render.text(template, fmt=render.Format.YAML, command="test")


def test_a_fault_in_the_product_is_found() -> None:
    """The check reads the template, not the description behind it."""
    conditions = [{"JobName": {"Ref": "ExportJob"}, "State": "SUCCEEDED"}]
    template = altered("CrawlTrigger", Predicate={"Conditions": conditions})
    with pytest.raises(GraphRefused, match="Logical operator cannot be null or empty"):
        check_graph(read_graph(template, IsCrawled=True))


def test_a_schedule_is_read_through_its_parameter() -> None:
    template = copy.deepcopy(TABLE)
    template["Parameters"]["Schedule"]["Default"] = "cron(* * * * ? *)"
    with pytest.raises(GraphRefused, match=r"StartTrigger: .* fires every 1 minute"):
        check_graph(read_graph(template, IsCrawled=True))


def test_a_value_that_cannot_be_read_is_not_taken_on_trust() -> None:
    template = altered("CrawlTrigger", Type={"Fn::Sub": "CONDITIONAL"})
    with pytest.raises(GraphRefused, match=r"CrawlTrigger: .* cannot be checked"):
        read_graph(template)


def test_the_check_runs_before_a_template_is_rendered() -> None:
    """A trigger that would never fire never becomes a file."""
    template = table.build()
    template.resources["CrawlTrigger"].StartOnCreation = False
    with pytest.raises(GraphRefused, match="CrawlTrigger: would be created inactive"):
        render.text(template, fmt=render.Format.YAML, command="test")


def test_the_common_stack_has_no_workflow() -> None:
    graph = read_graph(common.build().to_dict())
    assert (graph.workflows, graph.triggers) == (frozenset(), ())

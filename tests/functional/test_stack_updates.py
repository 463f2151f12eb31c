"""What changes on a stack update really takes effect."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from command import Command, create_table, library

import dynoexport
from dynoexport import assets, naming
from dynoexport.aws.change_sets import DeployFailed, Stack, deploy
from dynoexport.model import OutputFormat
from dynoexport.operations.checks import check_free
from dynoexport.operations.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

    from account import Account

pytestmark = pytest.mark.endpoint


def triggers(account: Account, table: str) -> dict[str, dict[str, Any]]:
    """The table's triggers by name."""
    pages = account.client("glue").get_paginator("get_triggers").paginate()
    found = [trigger for page in pages for trigger in page["Triggers"]]
    return {trigger["Name"]: trigger for trigger in found if f"-{table}-" in trigger["Name"]}


def test_a_schedule_is_off_until_asked_for(account: Account) -> None:
    """The start trigger is created inactive, the conditional ones active."""
    account.deploy_table("Off")
    name = naming.workflow("Off", "parquet", scheduled=False)
    states = {key: trigger["State"] for key, trigger in triggers(account, "Off").items()}
    assert states == {
        naming.start_trigger(name): "CREATED",
        naming.crawl_trigger(name): "ACTIVATED",
        naming.publish_trigger(name): "ACTIVATED",
    }


def test_of_two_deployments_at_once_one_creates_the_stack(account: Account) -> None:
    """The other says in one line what runs, or finds nothing left to do."""
    create_table(account.endpoint, "AtOnce")
    dynoexport.init(library(account.endpoint))

    def deploy_once(_: int) -> str:
        try:
            (deployed,) = dynoexport.deploy(library(account.endpoint), "AtOnce")
        except DeployFailed as error:
            return str(error)
        return str(deployed.outcome)

    with ThreadPoolExecutor(2) as executor:
        outcomes = list(executor.map(deploy_once, range(2)))
    assert "created" in outcomes
    (other,) = [outcome for outcome in outcomes if outcome != "created"]
    assert re.fullmatch(
        r"unchanged|stack \S+ is CREATE_IN_PROGRESS: wait until it has finished"
        r"|another deployment has changed stack \S+: repeat the command",
        other,
    )
    stack = naming.table_stack("AtOnce", "parquet")
    found = account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert [entry["StackStatus"] for entry in found] == ["CREATE_COMPLETE"]


def test_jobs_that_another_deployment_has_created_since_are_no_strangers(
    account: Account,
) -> None:
    """No one is advised to delete them: the stack was not there when this deployment looked."""
    account.deploy_table("SinceThen")
    stack = Stack(naming.table_stack("SinceThen", "parquet"), template="")
    target = Target("SinceThen", OutputFormat.PARQUET, stack, known=None, before=None)
    check_free(library(account.endpoint), target)


def test_switching_the_schedule_on_and_off_takes_effect(account: Account) -> None:
    """The workflow is replaced with its triggers; nothing of the other state is left."""
    account.deploy_table("Switch")
    on = naming.workflow("Switch", "parquet", scheduled=True)
    off = naming.workflow("Switch", "parquet", scheduled=False)
    account.deploy_table("Switch", ScheduleState="ENABLED")
    current = triggers(account, "Switch")
    assert {trigger["WorkflowName"] for trigger in current.values()} == {on}
    assert current[naming.start_trigger(on)]["State"] == "ACTIVATED"
    assert off not in account.listed("list_workflows", "Workflows[]")

    account.deploy_table("Switch", ScheduleState="DISABLED")
    current = triggers(account, "Switch")
    assert {trigger["WorkflowName"] for trigger in current.values()} == {off}
    assert current[naming.start_trigger(off)]["State"] == "CREATED"
    assert on not in account.listed("list_workflows", "Workflows[]")


def test_a_changed_schedule_takes_effect_without_a_new_workflow(account: Account) -> None:
    """An active trigger gets its new time in place and stays active."""
    on = naming.workflow("Time", "parquet", scheduled=True)
    for schedule in ("cron(0 10 * * ? *)", "cron(30 4 ? * MON *)"):
        account.deploy_table("Time", ScheduleState="ENABLED", Schedule=schedule)
        trigger = triggers(account, "Time")[naming.start_trigger(on)]
        assert (trigger["Schedule"], trigger["State"]) == (schedule, "ACTIVATED")


def test_switching_the_crawler_off_and_on_takes_effect(account: Account) -> None:
    """In place: the other triggers stay active, and the crawler goes with its trigger and role."""
    name = naming.workflow("Crawls", "csv", scheduled=False)
    crawl, publish = naming.crawl_trigger(name), naming.publish_trigger(name)
    account.deploy_table("Crawls", "csv")
    before = triggers(account, "Crawls")
    account.deploy_table("Crawls", "csv", CatalogUpdate="direct")
    found = triggers(account, "Crawls")
    assert set(before) - set(found) == {crawl}
    (watched,) = found[publish]["Predicate"]["Conditions"]
    assert (watched["JobName"], watched["State"]) == ("CrawlsExportTocsv", "SUCCEEDED")
    assert found[publish]["State"] == "ACTIVATED"
    assert naming.crawler("Crawls", "csv") not in account.listed("get_crawlers", "Crawlers[].Name")
    account.deploy_table("Crawls", "csv", CatalogUpdate="crawler")
    assert triggers(account, "Crawls") == before
    assert naming.crawler("Crawls", "csv") in account.listed("get_crawlers", "Crawlers[].Name")


def test_deploy_switches_the_crawler_off_by_its_option(account: Account) -> None:
    """And keeps it off until it is asked for again."""
    create_table(account.endpoint, "Option")
    dynoexport.init(library(account.endpoint))
    command = Command(account.endpoint)
    command.ok("deploy", "Option", "--read-mode", "native", "--catalog-update", "direct", "--yes")
    command.ok("deploy", "Option", "--set", "NumberOfWorkers=2", "--auto", "--yes")
    assert naming.crawl_trigger(naming.workflow("Option", "parquet", scheduled=False)) not in (
        triggers(account, "Option")
    )
    refused = command("deploy", "Option", "--catalog-update", "none", "--yes")
    assert refused.returncode == 2
    assert "'crawler', 'direct'" in refused.stderr


def test_a_changed_job_setting_takes_effect(account: Account) -> None:
    """The job and the workflow's default run properties follow the parameter."""
    account.deploy_table("Tuned", Splits="7")
    account.deploy_table("Tuned", Splits="9", TimeoutMinutes="33")
    glue = account.client("glue")
    job = glue.get_job(JobName="TunedExportToparquet")["Job"]
    assert (job["DefaultArguments"]["--Splits"], job["Timeout"]) == ("9", 33)
    workflow = glue.get_workflow(Name=naming.workflow("Tuned", "parquet", scheduled=False))
    assert workflow["Workflow"]["DefaultRunProperties"]["Splits"] == "9"


def test_deploying_the_same_again_is_a_success(account: Account) -> None:
    """No changes, no failure."""
    stack = Stack("deployed-again", assets.template("table.yaml"), {"TableName": "Same-Table"})
    first = deploy(account.client("cloudformation"), stack, pause=0.2)
    assert deploy(account.client("cloudformation"), stack, pause=0.2) == first


def padded() -> str:
    """The table's template, too long to be given without a bucket."""
    comment = f"# {'x' * 98}\n"
    return assets.template("table.yaml") + comment * 100


def test_deploy_puts_a_template_that_is_too_long_into_the_bucket(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = padded()
    # The common stack's stays as it is.
    whole = assets.template
    monkeypatch.setattr(assets, "template", lambda name: text if "table" in name else whole(name))
    create_table(account.endpoint, "Padded")
    dynoexport.init(library(account.endpoint))
    (done,) = dynoexport.deploy(library(account.endpoint), "Padded")
    assert done.outcome == "created"
    assert list(account.keys(naming.TEMPLATES_PREFIX)) == [naming.template_key(text)]
    (again,) = dynoexport.deploy(library(account.endpoint), "Padded")
    assert again.outcome == "unchanged"


def test_the_aws_command_deploys_a_template_that_is_too_long_from_a_bucket(
    account: Account, tmp_path: Path
) -> None:
    file = tmp_path / "table.yaml"
    file.write_text(padded())
    account.aws(
        "cloudformation",
        "deploy",
        "--stack-name",
        "long",
        "--template-file",
        str(file),
        "--s3-bucket",
        account.bucket,
        "--capabilities",
        "CAPABILITY_IAM",
        "--parameter-overrides",
        "TableName=Long",
    )
    assert triggers(account, "Long") != {}


def test_a_failed_deployment_names_the_resource_and_the_reason(account: Account) -> None:
    """A type that the endpoint does not know fails the stack instead of creating nothing."""
    template = '{"Resources": {"Cup": {"Type": "AWS::Tea::Cup", "Properties": {}}}}'
    with pytest.raises(DeployFailed, match="AWS::Tea::Cup"):
        deploy(account.client("cloudformation"), Stack("tea", template), pause=0.2)


def test_deleting_a_table_stack_leaves_its_data(account: Account) -> None:
    """The bucket and what is in it belong to the user."""
    account.deploy_table("Leaving")
    account.client("s3").put_object(
        Bucket=account.bucket, Key=naming.data_prefix("Leaving", "parquet") + "x", Body=b"x"
    )
    account.aws("cloudformation", "delete-stack", "--stack-name", "dynoexport-Leaving-parquet")
    account.aws(
        "cloudformation",
        "wait",
        "stack-delete-complete",
        "--stack-name",
        "dynoexport-Leaving-parquet",
    )
    assert triggers(account, "Leaving") == {}
    assert "LeavingExportToparquet" not in account.listed("list_jobs", "JobNames[]")
    assert len(account.keys(naming.data_prefix("Leaving", "parquet"))) == 1

"""The exports of an account: all of them by their tags, one of them by its names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from dynoexport import naming
from dynoexport.aws import exports
from dynoexport.aws.exports import AmbiguousExport, DeployedExport, NotExported
from dynoexport.errors import NameRefused
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from dynoexport import Account

CSV, JSON, PARQUET = OutputFormat.CSV, OutputFormat.JSON, OutputFormat.PARQUET


def tags_of(export: DeployedExport) -> dict[str, str]:
    """As the table stack tags the export job."""
    return {
        naming.TAG_TABLE: export.table,
        naming.TAG_FORMAT: export.format.value,
        naming.TAG_CATALOG_PREFIX: export.catalog_prefix,
        naming.TAG_STACK: export.stack,
        naming.TAG_WORKFLOW: export.workflow,
    }


@dataclass(frozen=True)
class Deployments:
    """What is deployed in an account, by hand and not by a stack."""

    account: Account

    def job(self, name: str, tags: dict[str, str]) -> None:
        self.account.glue.create_job(
            Name=name,
            Role="arn:aws:iam::123456789012:role/x",
            Command={"Name": "glueetl", "ScriptLocation": "s3://x/y.py"},
            Tags=tags,
        )

    def deploy(
        self, table: str, fmt: OutputFormat = PARQUET, *, scheduled: bool = False, prefix: str = ""
    ) -> DeployedExport:
        """Create its workflow, and its jobs with their tags."""
        workflow = naming.workflow(table, fmt.value, scheduled=scheduled)
        export = DeployedExport(table, fmt, prefix, f"stack-of-{table}", workflow)
        tags = tags_of(export)
        self.account.glue.create_workflow(Name=workflow)
        self.job(naming.export_job(table, fmt.value), tags)
        shared = {key: tags[key] for key in (naming.TAG_TABLE, naming.TAG_FORMAT)}
        self.job(naming.view_job(table, fmt.value), shared)
        return export

    def find_all(self, *tables: str) -> list[DeployedExport]:
        return exports.find_all(self.account, tables)

    def find(self, table: str) -> list[DeployedExport]:
        return exports.find(self.account, table)

    def find_one(self, table: str, fmt: OutputFormat | None = None) -> DeployedExport:
        return exports.find_one(self.account, table, fmt)


@pytest.fixture
def here(account: Account) -> Deployments:
    return Deployments(account)


def sizes(account: Account, operation: str, member: str) -> list[int]:
    """Keeps how long the list of each call of Glue is, from now on."""
    found: list[int] = []
    account.glue.meta.events.register(
        f"provide-client-params.glue.{operation}",
        lambda params, **_: found.append(len(params[member])),
    )
    return found


# --- tags -----------------------------------------------------------------------------------------
REVIEWS = DeployedExport("My-Orders.v2", CSV, "shop_", "a-stack", "a-workflow")


def test_an_export_is_what_its_tags_say() -> None:
    assert exports.from_tags(tags_of(REVIEWS)) == REVIEWS


def test_an_export_without_a_prefix_may_lack_its_tag() -> None:
    """An empty tag may be missing."""
    tags = tags_of(REVIEWS)
    del tags[naming.TAG_CATALOG_PREFIX]
    found = exports.from_tags(tags)
    assert found is not None
    assert found.catalog_prefix == ""


@pytest.mark.parametrize(
    "missing", [naming.TAG_TABLE, naming.TAG_FORMAT, naming.TAG_STACK, naming.TAG_WORKFLOW]
)
def test_incomplete_tags_are_not_an_export(missing: str) -> None:
    tags = tags_of(REVIEWS)
    del tags[missing]
    assert exports.from_tags(tags) is None


def test_a_format_of_another_version_is_no_export() -> None:
    assert exports.from_tags({**tags_of(REVIEWS), naming.TAG_FORMAT: "toml"}) is None


def test_an_export_has_its_view_table_and_trigger_names() -> None:
    assert REVIEWS.view == "shop_my_orders_v2"
    assert REVIEWS.snapshots_table == "shop_snapshots_my_orders_v2"
    assert REVIEWS.start_trigger == "a-workflow-start"
    assert REVIEWS.export == naming.Export("My-Orders.v2", CSV, "shop_")


# --- all of them ----------------------------------------------------------------------------------
def test_exports_come_by_table_and_format(here: Deployments) -> None:
    """Each export is listed once, even if other resources of it have the tags."""
    second, first = here.deploy("Reviews", PARQUET), here.deploy("Reviews", CSV, scheduled=True)
    other = here.deploy("Authors", PARQUET, prefix="shop_")
    assert here.find_all() == [other, first, second]


def test_more_exports_than_a_page_holds_are_all_found(here: Deployments) -> None:
    """The tagging service returns 100 a page, Glue takes 25 workflows a call."""
    asked = sizes(here.account, "BatchGetWorkflows", "Names")
    deployed = [here.deploy(f"Table{number:03}") for number in range(101)]
    assert here.find_all() == deployed
    assert (sum(asked), max(asked)) == (101, 25)


def test_foreign_jobs_are_no_exports(here: Deployments) -> None:
    """They have no tags, other tags, or only some of ours."""
    ours = here.deploy("Reviews")
    here.job("untagged", {})
    here.job("theirs", {"workflow": "x", "team": "y"})
    here.job("half", {naming.TAG_WORKFLOW: ours.workflow})
    assert here.find_all() == [ours]


def test_only_jobs_describe_exports(here: Deployments) -> None:
    """This holds even if other resources have the same tags."""
    ours = here.deploy("Reviews")
    location: Any = {"LocationConstraint": "eu-west-1"}
    here.account.s3.create_bucket(Bucket="tagged", CreateBucketConfiguration=location)
    tags: Any = [{"Key": key, "Value": value} for key, value in tags_of(ours).items() if value]
    here.account.s3.put_bucket_tagging(Bucket="tagged", Tagging={"TagSet": tags})
    assert here.find_all() == [ours]


def test_an_export_that_was_just_deleted_is_left_out(here: Deployments) -> None:
    """The tagging service still returns it."""
    gone, ours = here.deploy("Gone"), here.deploy("Reviews")
    here.account.glue.delete_workflow(Name=gone.workflow)
    assert here.find_all() == [ours]


def test_an_account_without_exports_has_none(here: Deployments) -> None:
    assert here.find_all() == []


def test_tables_choose_among_the_exports(here: Deployments) -> None:
    """All formats of each."""
    reviews = [here.deploy("Reviews", CSV), here.deploy("Reviews", JSON)]
    here.deploy("Reviews2", CSV)
    authors = here.deploy("Authors")
    assert here.find_all("Reviews") == reviews
    assert here.find_all("Authors", "Reviews") == [authors, *reviews]


def test_an_export_that_was_just_deployed_is_found_by_name(
    here: Deployments,
) -> None:
    """The tagging service lists a new stack only after some seconds."""
    ours = here.deploy("Reviews")
    with Stubber(here.account.tagging) as late:
        asked = {"TagFilters": [{"Key": naming.TAG_WORKFLOW}], "ResourceTypeFilters": ["glue:job"]}
        nothing: dict[str, Any] = {"ResourceTagMappingList": []}
        late.add_response("get_resources", nothing, {**asked, "ResourcesPerPage": 100})
        assert here.find_all("Reviews") == [ours]


def test_a_table_without_an_export_is_named(here: Deployments) -> None:
    here.deploy("Reviews")
    with pytest.raises(NotExported, match=r"^Authors is not exported in eu-west-1"):
        here.find_all("Reviews", "Authors")


def test_an_export_comes_with_its_workflow_and_its_graph(here: Deployments) -> None:
    """It has the schedule and the last run; moto has no graphs."""
    ours = here.deploy("Reviews")
    reported = {"Name": ours.workflow, "Graph": {"Nodes": [], "Edges": []}}
    with Stubber(here.account.glue) as glue:
        asked = {"Names": [ours.workflow], "IncludeGraph": True}
        glue.add_response("batch_get_workflows", {"Workflows": [reported]}, asked)
        assert exports.find_all_described(here.account) == [(ours, reported)]


# --- one of them ----------------------------------------------------------------------------------
@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("fmt", OutputFormat)
def test_an_export_is_found_by_the_names_of_its_table(
    here: Deployments, fmt: OutputFormat, *, scheduled: bool
) -> None:
    """Without the tagging service: as soon as it is deployed."""
    ours = here.deploy("Reviews", fmt, scheduled=scheduled, prefix="shop_")
    here.deploy("Reviews2", fmt)
    assert here.find("Reviews") == [ours]
    assert here.find_one("Reviews") == ours


def test_a_table_in_two_formats_needs_one_named(here: Deployments) -> None:
    here.deploy("Reviews", PARQUET)
    here.deploy("Reviews", CSV)
    with pytest.raises(AmbiguousExport) as refused:
        here.find_one("Reviews")
    assert refused.value.what == "Reviews is exported as csv and parquet"
    assert refused.value.hint == "choose one with --format"
    assert refused.value.exit_code == 2


def test_a_named_format_chooses_among_several(here: Deployments) -> None:
    here.deploy("Reviews", PARQUET)
    csv = here.deploy("Reviews", CSV)
    assert here.find_one("Reviews", CSV) == csv


def test_a_format_that_is_not_exported_is_distinguished_from_those_that_are(
    here: Deployments,
) -> None:
    here.deploy("Reviews", PARQUET)
    here.deploy("Reviews", CSV)
    with pytest.raises(NotExported) as refused:
        here.find_one("Reviews", JSON)
    assert refused.value.what == "Reviews is exported as csv and parquet, not as json"
    assert refused.value.hint == "deploy it with: dynoexport deploy Reviews --format json"


def test_a_table_that_is_not_exported_says_how_to_deploy_it(here: Deployments) -> None:
    with pytest.raises(NotExported) as refused:
        here.find("Reviews")
    assert refused.value.what == "Reviews is not exported in eu-west-1"
    assert refused.value.hint == "deploy it with: dynoexport deploy Reviews"


def test_similar_name_of_an_export_is_offered(here: Deployments) -> None:
    here.deploy("Reviews")
    with pytest.raises(NotExported) as refused:
        here.find("Review")
    assert refused.value.hint == "did you mean Reviews?"


def test_a_caller_that_may_not_list_exports_gets_the_plain_hint(here: Deployments) -> None:
    here.deploy("Reviews")
    with Stubber(here.account.tagging) as refusing:
        refusing.add_client_error("get_resources", "AccessDeniedException")
        with pytest.raises(NotExported, match=r"deploy it with: dynoexport deploy Review$"):
            here.find("Review")


def test_a_foreign_workflow_is_not_an_export(here: Deployments) -> None:
    """It has a name of ours, but its job has no tags."""
    here.account.glue.create_workflow(Name=naming.workflow("Reviews", "csv", scheduled=False))
    here.job(naming.export_job("Reviews", "csv"), {})
    with pytest.raises(NotExported):
        here.find("Reviews")


def test_a_workflow_without_its_job_is_not_an_export(here: Deployments) -> None:
    """A stack that is being deleted, or could not be: what is left of it is no fault of AWS."""
    workflow = naming.workflow("Reviews", "csv", scheduled=False)
    with Stubber(here.account.glue) as glue:
        glue.add_response("batch_get_workflows", {"Workflows": [{"Name": workflow}]})
        glue.add_client_error("get_tags", "EntityNotFoundException")
        with pytest.raises(NotExported):
            here.find("Reviews")


def test_a_name_that_no_table_has_is_refused_before_aws_is_asked(here: Deployments) -> None:
    with Stubber(here.account.glue), pytest.raises(NameRefused):
        here.find("no spaces")


def test_workflows_that_do_not_exist_are_missing_from_the_answer(here: Deployments) -> None:
    ours = here.deploy("Reviews")
    assert list(exports.workflows(here.account, [ours.workflow, "gone"])) == [ours.workflow]

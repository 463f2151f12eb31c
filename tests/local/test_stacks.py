"""CloudFormation on the endpoint: refusals, order, replacement, rollback."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from dynoexport.local import stack_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

DAILY = "cron(0 10 * * ? *)"
WEEKLY = "cron(30 4 ? * MON *)"


class Cloud:
    """Stacks by change sets, as `aws cloudformation deploy` makes them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.api = endpoint.client("cloudformation")
        self.glue = endpoint.client("glue")
        self.s3 = endpoint.client("s3")
        self.stacks: set[str] = set()
        self._numbers = itertools.count()

    def deploy(self, stack: str, resources: Any, **template: Any) -> str:
        """Deploy; the status the stack ends in."""
        parameters = template.pop("given", {})
        self.api.create_change_set(
            StackName=stack,
            ChangeSetName=f"change-{next(self._numbers)}",
            ChangeSetType="UPDATE" if stack in self.stacks else "CREATE",
            TemplateBody=json.dumps({"Resources": resources, **template}),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
        self.api.execute_change_set(
            StackName=stack, ChangeSetName=f"change-{next(self._numbers) - 1}"
        )
        self.stacks.add(stack)
        return str(self.api.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    def reasons(self, stack: str) -> list[tuple[str, str, str]]:
        """What failed: logical ID, status, reason."""
        events = self.api.describe_stack_events(StackName=stack)["StackEvents"]
        return [
            (event["LogicalResourceId"], event["ResourceStatus"], event["ResourceStatusReason"])
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        ]

    def triggers(self, workflow: str) -> dict[str, dict[str, Any]]:
        found = self.glue.get_triggers()["Triggers"]
        return {each["Name"]: each for each in found if each.get("WorkflowName") == workflow}

    def workflows(self) -> list[str]:
        found: list[str] = self.glue.list_workflows()["Workflows"]
        return found


@pytest.fixture
def cloud(endpoint: Endpoint) -> Iterator[Cloud]:
    """CloudFormation; the stacks of a test go with it."""
    cloud = Cloud(endpoint)
    yield cloud
    for stack in cloud.stacks:
        cloud.api.delete_stack(StackName=stack)


def workflow(name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Glue::Workflow", "Properties": {"Name": name, **properties}}


def start(name: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Glue::Trigger",
        "Properties": {
            "Name": name,
            "Type": "SCHEDULED",
            "Schedule": DAILY,
            "WorkflowName": {"Ref": "Flow"},
            "StartOnCreation": False,
            "Actions": [{"JobName": "export"}],
            **properties,
        },
    }


def bucket(name: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}, **fields}


# --- refusals before anything is created --------------------------------------------------------
@pytest.mark.endpoint
def test_an_unknown_resource_type_is_refused_by_name(cloud: Cloud) -> None:
    """Nothing else of the template is created."""
    resources = {"Flow": workflow("unknown"), "Odd": {"Type": "AWS::Glue::DevEndpoint"}}
    with pytest.raises(ClientError, match=r"Unrecognized.*\[AWS::Glue::DevEndpoint\]") as caught:
        cloud.deploy("unknown", resources)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert "unknown" not in cloud.workflows()


@pytest.mark.endpoint
@pytest.mark.parametrize(
    ("constraint", "value", "said"),
    [
        ({"AllowedValues": ["csv", "xml"]}, "pdf", r"be one of AllowedValues \[csv, xml\]"),
        ({"AllowedPattern": "[a-z]+"}, "a1", r"match pattern \[a-z\]\+"),
        ({"MinLength": 3}, "ab", "length"),
        ({"MaxLength": 3}, "abcd", "length"),
        ({"Type": "Number"}, "many", "be a number"),
        ({"Type": "Number", "MinValue": 0.5, "MaxValue": 2}, "2.5", "from 0.5 to 2"),
        ({"AllowedPattern": "x", "ConstraintDescription": "be an x"}, "y", "'P' must be an x"),
    ],
)
def test_a_parameter_outside_its_constraints_is_refused(
    cloud: Cloud, constraint: Any, value: str, said: str
) -> None:
    """By name, with the constraint or its description."""
    parameters = {"P": {"Type": "String", **constraint}}
    flow = {"Flow": workflow("constrained")}
    with pytest.raises(ClientError, match=said):
        cloud.deploy("constrained", flow, Parameters=parameters, given={"P": value})


# --- one start trigger a workflow ---------------------------------------------------------------
@pytest.mark.endpoint
def test_a_second_start_trigger_fails_the_stack(cloud: Cloud) -> None:
    """The stack rolls back: neither trigger nor workflow is left."""
    resources = {"Flow": workflow("two-starts"), "One": start("one"), "Two": start("two")}
    assert cloud.deploy("two-starts", resources) == "ROLLBACK_COMPLETE"
    ((logical, status, reason),) = cloud.reasons("two-starts")
    assert (logical, status) == ("Two", "CREATE_FAILED")
    assert "Workflow two-starts already has a starting trigger" in reason
    assert cloud.triggers("two-starts") == {}
    assert "two-starts" not in cloud.workflows()


@pytest.mark.endpoint
def test_a_start_trigger_cannot_be_replaced_within_its_workflow(cloud: Cloud) -> None:
    """Its successor is created before it goes, and Glue refuses the second one."""
    flow = workflow("renamed")
    cloud.deploy("renamed", {"Flow": flow, "Start": start("old")})
    status = cloud.deploy("renamed", {"Flow": flow, "Start": start("new", Schedule=WEEKLY)})
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "already has a starting trigger" in cloud.reasons("renamed")[0][2]
    found = cloud.triggers("renamed")
    assert {name: each["Schedule"] for name, each in found.items()} == {"old": DAILY}


@pytest.mark.endpoint
def test_a_start_trigger_is_replaced_with_its_workflow(cloud: Cloud) -> None:
    """The new pair stands before the old one goes, and the old one does go."""
    for name in ("flow-a", "flow-b"):
        status = cloud.deploy("moved", {"Flow": workflow(name), "Start": start(f"{name}-start")})
        assert status.endswith("E_COMPLETE")
        assert "ROLLBACK" not in status
    assert list(cloud.triggers("flow-b")) == ["flow-b-start"]
    assert cloud.triggers("flow-a") == {}
    assert "flow-a" not in cloud.workflows()


# --- updates in place ---------------------------------------------------------------------------
@pytest.mark.endpoint
def test_start_on_creation_alone_changes_nothing_on_an_update(cloud: Cloud) -> None:
    """CloudFormation looks at it when it creates the trigger."""
    flow = workflow("late")
    cloud.deploy("late", {"Flow": flow, "Start": start("late-start")})
    status = cloud.deploy(
        "late", {"Flow": flow, "Start": start("late-start", StartOnCreation=True)}
    )
    assert status == "UPDATE_COMPLETE"
    assert cloud.triggers("late")["late-start"]["State"] == "CREATED"


@pytest.mark.endpoint
def test_a_trigger_changes_in_place_and_stays_active(cloud: Cloud) -> None:
    """Schedule, description and actions take effect."""
    flow = workflow("tuned")
    cloud.deploy("tuned", {"Flow": flow, "Start": start("tuned-start", StartOnCreation=True)})
    changed = start(
        "tuned-start",
        StartOnCreation=True,
        Schedule=WEEKLY,
        Description="on Mondays",
        Actions=[{"JobName": "other"}],
    )
    assert cloud.deploy("tuned", {"Flow": flow, "Start": changed}) == "UPDATE_COMPLETE"
    found = cloud.triggers("tuned")["tuned-start"]
    assert (found["State"], found["Schedule"]) == ("ACTIVATED", WEEKLY)
    assert (found["Description"], found["Actions"][0]["JobName"]) == ("on Mondays", "other")


@pytest.mark.endpoint
def test_a_parameter_inside_sub_changes_what_it_is_part_of(cloud: Cloud) -> None:
    """The same template with another parameter is an update."""
    parameters = {"Size": {"Type": "String"}}
    flow = workflow("sized", Description={"Fn::Sub": "size ${Size}"})
    for size in ("small", "large"):
        cloud.deploy("sized", {"Flow": flow}, Parameters=parameters, given={"Size": size})
    assert cloud.glue.get_workflow(Name="sized")["Workflow"]["Description"] == "size large"


@pytest.mark.endpoint
def test_a_failed_update_undoes_what_it_had_already_changed(cloud: Cloud) -> None:
    """A resource before the failing one has its former properties again."""
    cloud.deploy("undone", {"Flow": workflow("undone", Description="before"), "One": start("u1")})
    resources = {
        "Flow": workflow("undone", Description="after"),
        "One": start("u1"),
        "Two": start("u2"),
    }
    assert cloud.deploy("undone", resources) == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.glue.get_workflow(Name="undone")["Workflow"]["Description"] == "before"
    assert list(cloud.triggers("undone")) == ["u1"]


# --- deletions ----------------------------------------------------------------------------------
@pytest.mark.endpoint
def test_what_left_the_template_is_deleted_unless_retained(cloud: Cloud) -> None:
    """DeletionPolicy Retain keeps a resource that the stack no longer has."""
    flow = {"Flow": workflow("kept")}
    kept = bucket("retained-on-update", DeletionPolicy="Retain")
    cloud.deploy("kept", {**flow, "Kept": kept, "Gone": bucket("gone-on-update")})
    assert cloud.deploy("kept", flow) == "UPDATE_COMPLETE"
    names = {found["Name"] for found in cloud.s3.list_buckets()["Buckets"]}
    assert "retained-on-update" in names
    assert "gone-on-update" not in names
    cloud.s3.delete_bucket(Bucket="retained-on-update")


@pytest.mark.endpoint
def test_a_retained_bucket_outlives_its_stack(cloud: Cloud) -> None:
    """The others go with it."""
    kept = bucket("retained-on-delete", DeletionPolicy="Retain")
    cloud.deploy("outlived", {"Kept": kept, "Gone": bucket("gone-on-delete")})
    cloud.api.delete_stack(StackName="outlived")
    names = {found["Name"] for found in cloud.s3.list_buckets()["Buckets"]}
    assert "retained-on-delete" in names
    assert "gone-on-delete" not in names
    cloud.s3.delete_bucket(Bucket="retained-on-delete")


# --- order, without a stack ---------------------------------------------------------------------
NAMES = frozenset({"A", "B", "C"})


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "A"},
        {"Fn::GetAtt": ["A", "Arn"]},
        {"Fn::GetAtt": "A.Arn"},
        {"Fn::Sub": "x-${A}"},
        {"Fn::Sub": "x-${A.Arn}"},
        {"Fn::Sub": ["${Name}", {"Name": {"Ref": "A"}}]},
        {"Fn::Join": ["-", ["x", {"Ref": "A"}]]},
    ],
)
def test_a_resource_depends_on_what_it_names(value: Any) -> None:
    """By each of the functions that name one, at any depth."""
    resource = {"Type": "T", "Properties": {"Deep": [{"Inside": value}]}}
    assert stack_changes.dependencies(resource, NAMES) == {"A"}


def test_parameters_and_literals_are_no_dependencies() -> None:
    """A pseudo parameter, another name, an escaped ${!A}."""
    texts = ["${AWS::Region}", "${Other}", "${!A}"]
    inside = [{"Ref": "AWS::Region"}, *({"Fn::Sub": text} for text in texts)]
    resource = {"Type": "T", "Properties": {"Inside": inside}}
    assert stack_changes.dependencies(resource, NAMES) == set()


@pytest.mark.parametrize("stated", ["A", ["A", "B"]])
def test_depends_on_is_one_name_or_a_list(stated: Any) -> None:
    """With or without properties."""
    assert stack_changes.dependencies({"Type": "T", "DependsOn": stated}, NAMES) == set(stated)


def test_each_resource_stands_after_what_it_needs() -> None:
    """Whatever the template's order; what is free keeps it."""
    resources = {
        "C": {"Type": "T", "Properties": {"Needs": {"Ref": "B"}}},
        "B": {"Type": "T", "DependsOn": "A"},
        "A": {"Type": "T"},
        "Z": {"Type": "T"},
    }
    assert stack_changes.in_order(resources) == ["A", "B", "C", "Z"]

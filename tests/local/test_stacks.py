"""CloudFormation on the endpoint: refusals, order, replacement, rollback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from cloud import DAILY, WEEKLY, bucket, changes, start, workflow

from dynoexport.local.cloudformation import stack_changes

if TYPE_CHECKING:
    from cloud import Cloud


def given_name() -> dict[str, Any]:
    """A template's parameters: one that has no default."""
    return {"Name": {"Type": "String"}}


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
    """The error names it, with the constraint or its description."""
    parameters = {"P": {"Type": "String", **constraint}}
    flow = {"Flow": workflow("constrained")}
    with pytest.raises(ClientError, match=said):
        cloud.deploy("constrained", flow, Parameters=parameters, given={"P": value})


@pytest.mark.endpoint
def test_a_parameter_without_a_value_is_refused(cloud: Cloud) -> None:
    """No stack in review is left."""
    with pytest.raises(ClientError, match=r"Parameters: \[Name\] must have values"):
        cloud.plan("valueless", {"Flow": workflow("valueless")}, Parameters=given_name())
    with pytest.raises(ClientError, match="does not exist"):
        cloud.describe("valueless")


# --- change sets --------------------------------------------------------------------------------
@pytest.mark.endpoint
def test_change_set_lists_its_changes_in_order(cloud: Cloud) -> None:
    """Each resource after what it needs, removals last and in reverse, nothing done so far."""
    before = {
        "GoneToo": workflow("planned-gone-too", Description={"Ref": "Gone"}),
        "Gone": bucket("planned-gone"),
        "Start": start("planned-start"),
        "Flow": workflow("planned"),
        "Same": bucket("planned-same"),
        "Moved": bucket("planned-old"),
    }
    cloud.deploy("planned", before)
    after = {
        "Start": start("planned-start", Schedule=WEEKLY),
        "Flow": workflow("planned", Description={"Ref": "Moved"}),
        "Same": bucket("planned-same"),
        "New": bucket("planned-new", DependsOn="Moved"),
        "Moved": bucket("planned-moved"),
    }
    plan = cloud.plan("planned", after)
    assert (plan["Status"], plan["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert changes(plan) == [
        ("Modify", "Moved", "True"),
        ("Modify", "Flow", "False"),
        ("Modify", "Start", "False"),
        ("Add", "New", None),
        ("Remove", "GoneToo", None),
        ("Remove", "Gone", None),
    ]
    assert cloud.triggers("planned")["planned-start"]["Schedule"] == DAILY
    assert cloud.execute(plan) == "UPDATE_COMPLETE"
    assert cloud.triggers("planned")["planned-start"]["Schedule"] == WEEKLY


@pytest.mark.endpoint
@pytest.mark.parametrize(
    ("properties", "replaced"),
    [
        ({"Name": "other-start"}, "True"),
        ({"Type": "ON_DEMAND"}, "True"),
        ({"WorkflowName": "another"}, "True"),
        ({"Schedule": WEEKLY}, "False"),
        ({"Actions": [{"JobName": "other"}]}, "False"),
    ],
)
def test_a_property_replaces_a_trigger_or_changes_it(
    cloud: Cloud, properties: dict[str, Any], replaced: str
) -> None:
    """As AWS documents it for each."""
    flow = workflow("judged")
    cloud.deploy("judged", {"Flow": flow, "Start": start("judged-start")})
    changed = start("judged-start")
    changed["Properties"].update(properties)
    plan = cloud.plan("judged", {"Flow": flow, "Start": changed})
    assert changes(plan) == [("Modify", "Start", replaced)]


@pytest.mark.endpoint
def test_a_condition_decides_what_is_added_and_removed(cloud: Cloud) -> None:
    """A resource whose condition is false is no part of the stack."""
    resources = {
        "Flow": workflow("conditional"),
        "Extra": bucket("conditional-extra", Condition="Asked"),
    }
    template = {
        "Parameters": {"Ask": {"Type": "String", "Default": "no"}},
        "Conditions": {"Asked": {"Fn::Equals": [{"Ref": "Ask"}, "yes"]}},
    }
    plan = cloud.plan("conditional", resources, **template)
    assert changes(plan) == [("Add", "Flow", None)]
    cloud.execute(plan)
    for value, action in (("yes", "Add"), ("no", "Remove")):
        plan = cloud.plan("conditional", resources, given={"Ask": value}, **template)
        assert changes(plan) == [(action, "Extra", None)]
        cloud.execute(plan)
        assert ("conditional-extra" in cloud.buckets()) is (value == "yes")


@pytest.mark.endpoint
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"Ref": "Name"}, {"Ref": "Name"}),
        ({"Fn::Sub": "${Name}"}, {"Ref": "Name"}),
        ("unchanged", {"Fn::Join": ["", ["un", "changed"]]}),
    ],
)
def test_an_update_without_effect_is_a_failed_change_set(
    cloud: Cloud, first: Any, then: Any
) -> None:
    """This holds for equal templates and for equal results. It cannot be executed."""
    options: dict[str, Any] = {"Parameters": given_name(), "given": {"Name": "unchanged"}}
    cloud.deploy("unchanged", {"Flow": workflow(first)}, **options)
    plan = cloud.plan("unchanged", {"Flow": workflow(then)}, **options)
    assert (plan["Status"], plan["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "didn't contain changes" in plan["StatusReason"]
    assert plan["Changes"] == []
    with pytest.raises(ClientError, match=r"cannot be executed.*\[FAILED\]"):
        cloud.execute(plan)
    assert cloud.status("unchanged") == "CREATE_COMPLETE"


@pytest.mark.endpoint
def test_an_output_alone_is_a_change(cloud: Cloud) -> None:
    flow = {"Flow": workflow("output")}
    cloud.deploy("output", flow, Outputs={"Out": {"Value": "before"}})
    assert cloud.deploy("output", flow, Outputs={"Out": {"Value": "after"}}) == "UPDATE_COMPLETE"
    assert cloud.describe("output")["Outputs"] == [{"OutputKey": "Out", "OutputValue": "after"}]


@pytest.mark.endpoint
def test_a_change_set_is_executed_once(cloud: Cloud) -> None:
    plan = cloud.plan("once", {"Flow": workflow("once")})
    cloud.execute(plan)
    with pytest.raises(ClientError, match="cannot be executed") as caught:
        cloud.execute(plan)
    assert caught.value.response["Error"]["Code"] == "InvalidChangeSetStatus"


@pytest.mark.endpoint
def test_stacks_may_have_change_sets_of_one_name(cloud: Cloud) -> None:
    """Each is described and deleted within its stack."""
    for stack in ("named-one", "named-two"):
        cloud.stacks.append(stack)
        cloud.api.create_change_set(
            StackName=stack,
            ChangeSetName="same",
            ChangeSetType="CREATE",
            TemplateBody=json.dumps({"Resources": {"Flow": workflow(stack)}}),
        )
    change_set = cloud.api.describe_change_set(StackName="named-one", ChangeSetName="same")
    assert change_set["StackName"] == "named-one"
    cloud.api.delete_change_set(StackName="named-two", ChangeSetName="same")
    cloud.api.describe_change_set(StackName="named-one", ChangeSetName="same")
    with pytest.raises(cloud.api.exceptions.ChangeSetNotFoundException):
        cloud.api.describe_change_set(StackName="named-two", ChangeSetName="same")


@pytest.mark.endpoint
def test_a_stack_under_review_takes_the_next_change_set(cloud: Cloud) -> None:
    """There is one stack of the name, and it becomes what the executed change set says.

    https://github.com/aws/aws-cdk/pull/7731
    """
    first = cloud.plan("reviewed", {"Flow": workflow("review-one")})
    assert cloud.status("reviewed") == "REVIEW_IN_PROGRESS"
    second = cloud.plan("reviewed", {"Flow": workflow("review-two")}, kind="CREATE")
    # Other tests of this endpoint have left more stacks than a page holds.
    stacks = cloud.api.get_paginator("describe_stacks").paginate().search("Stacks")
    ids = [stack["StackId"] for stack in stacks if stack["StackName"] == "reviewed"]
    assert ids == [second["StackId"]] == [first["StackId"]]
    assert cloud.execute(second) == "CREATE_COMPLETE"
    assert "review-two" in cloud.workflows()
    assert "review-one" not in cloud.workflows()


@pytest.mark.endpoint
def test_an_existing_stack_cannot_be_created(cloud: Cloud) -> None:
    flow = {"Flow": workflow("existing")}
    cloud.deploy("existing", flow)
    with pytest.raises(ClientError, match="already exists") as caught:
        cloud.plan("existing", flow, kind="CREATE")
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert cloud.status("existing") == "CREATE_COMPLETE"


@pytest.mark.endpoint
def test_a_stack_that_does_not_exist_cannot_be_updated(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="does not exist"):
        cloud.plan("missing", {"Flow": workflow("missing")}, kind="UPDATE")


# --- creation, and its failure ------------------------------------------------------------------
@pytest.mark.endpoint
def test_events_list_each_resource_newest_first(cloud: Cloud) -> None:
    """In progress, then complete, between the stack's own two."""
    resources = {"Start": start("evented-start"), "Flow": workflow("evented")}
    cloud.deploy("evented", resources)
    assert cloud.events("evented", since="REVIEW_IN_PROGRESS") == [
        "stack CREATE_IN_PROGRESS",
        "Flow CREATE_IN_PROGRESS",
        "Flow CREATE_COMPLETE",
        "Start CREATE_IN_PROGRESS",
        "Start CREATE_COMPLETE",
        "stack CREATE_COMPLETE",
    ]
    events = cloud.api.describe_stack_events(StackName="evented")["StackEvents"]
    times = [event["Timestamp"] for event in events]
    assert times == sorted(times, reverse=True)
    assert len({event["EventId"] for event in events}) == len(events)
    assert events[1]["ResourceType"] == "AWS::Glue::Trigger"
    assert events[1]["PhysicalResourceId"] == "evented-start"


@pytest.mark.endpoint
def test_a_failed_creation_is_rolled_back(cloud: Cloud) -> None:
    """Resources go in reverse order. Those never created are not listed, retained ones stay.

    Resources with RetainExceptOnCreate go too.
    """
    cloud.deploy("obstacle", {"Bucket": bucket("obstacle")})
    resources = {
        "Flow": workflow("failing"),
        "Start": start("failing-start"),
        "Kept": bucket("failing-kept", DeletionPolicy="Retain"),
        "New": bucket("failing-new", DeletionPolicy="RetainExceptOnCreate"),
        "Taken": bucket("obstacle", DependsOn="New"),
        "Never": bucket("failing-never"),
    }
    assert cloud.deploy("failing", resources) == "ROLLBACK_COMPLETE"
    assert cloud.events("failing", since="CREATE_IN_PROGRESS")[-11:] == [
        "Taken CREATE_IN_PROGRESS",
        "Taken CREATE_FAILED",
        "stack ROLLBACK_IN_PROGRESS",
        "New DELETE_IN_PROGRESS",
        "New DELETE_COMPLETE",
        "Kept DELETE_SKIPPED",
        "Start DELETE_IN_PROGRESS",
        "Start DELETE_COMPLETE",
        "Flow DELETE_IN_PROGRESS",
        "Flow DELETE_COMPLETE",
        "stack ROLLBACK_COMPLETE",
    ]
    ((logical, status, reason),) = cloud.reasons("failing")
    assert (logical, status) == ("Taken", "CREATE_FAILED")
    assert "bucket name is not available" in reason
    assert cloud.api.list_stack_resources(StackName="failing")["StackResourceSummaries"] == []
    assert "failing" not in cloud.workflows()
    assert {"failing-kept", "obstacle"} <= cloud.buckets()
    assert "failing-never" not in cloud.buckets()
    cloud.s3.delete_bucket(Bucket="failing-kept")


@pytest.mark.endpoint
def test_a_stack_whose_creation_failed_can_only_be_deleted(cloud: Cloud) -> None:
    """Its name is free again afterwards."""
    taken = {"One": workflow("doomed"), "Two": workflow("doomed")}
    assert cloud.deploy("doomed", taken) == "ROLLBACK_COMPLETE"
    flow = {"Flow": workflow("doomed")}
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        cloud.plan("doomed", flow, kind="UPDATE")
    with pytest.raises(ClientError, match="already exists"):
        cloud.plan("doomed", flow, kind="CREATE")
    cloud.api.delete_stack(StackName="doomed")
    assert cloud.execute(cloud.plan("doomed", flow, kind="CREATE")) == "CREATE_COMPLETE"


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
    """CloudFormation creates the successor first, and Glue refuses a second one."""
    flow = workflow("renamed")
    cloud.deploy("renamed", {"Flow": flow, "Start": start("old")})
    status = cloud.deploy("renamed", {"Flow": flow, "Start": start("new", Schedule=WEEKLY)})
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "already has a starting trigger" in cloud.reasons("renamed")[0][2]
    found = cloud.triggers("renamed")
    assert {name: trigger["Schedule"] for name, trigger in found.items()} == {"old": DAILY}


@pytest.mark.endpoint
def test_a_start_trigger_is_replaced_with_its_workflow(cloud: Cloud) -> None:
    """The new pair is created before the old one goes."""
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
    """CloudFormation reads it only when it creates the trigger."""
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
    trigger = cloud.triggers("tuned")["tuned-start"]
    assert (trigger["State"], trigger["Schedule"]) == ("ACTIVATED", WEEKLY)
    assert (trigger["Description"], trigger["Actions"][0]["JobName"]) == ("on Mondays", "other")


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
    """A resource updated before the failing one gets its former properties back."""
    cloud.deploy("undone", {"Flow": workflow("undone", Description="before"), "One": start("u1")})
    resources = {
        "Flow": workflow("undone", Description="after"),
        "One": start("u1"),
        "Two": start("u2"),
    }
    assert cloud.deploy("undone", resources) == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.glue.get_workflow(Name="undone")["Workflow"]["Description"] == "before"
    assert list(cloud.triggers("undone")) == ["u1"]


@pytest.mark.endpoint
def test_a_failed_update_gives_replaced_resources_their_place_back(cloud: Cloud) -> None:
    """The successor goes. Resources that the update did not reach are not touched."""
    before = {
        "Flow": workflow("stayed", Description="first"),
        "Start": start("stayed-start"),
        "Last": workflow("stayed-last"),
        "Left": workflow("stayed-left"),
    }
    cloud.deploy("stayed", before)
    after = {
        "Flow": workflow("successor", Description="second"),
        "New": bucket("stayed-new"),
        "Taken": workflow("stayed"),
        "Start": {**start("successor-start"), "DependsOn": "Taken"},
        "Last": workflow("stayed-last"),
    }
    assert cloud.deploy("stayed", after) == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.events("stayed", since="UPDATE_IN_PROGRESS") == [
        "Flow UPDATE_IN_PROGRESS",
        "Flow UPDATE_COMPLETE",
        "New CREATE_IN_PROGRESS",
        "New CREATE_COMPLETE",
        "Taken CREATE_IN_PROGRESS",
        "Taken CREATE_FAILED",
        "stack UPDATE_ROLLBACK_IN_PROGRESS",
        "Flow UPDATE_IN_PROGRESS",
        "Flow UPDATE_COMPLETE",
        "Start UPDATE_IN_PROGRESS",
        "Start UPDATE_COMPLETE",
        "New DELETE_IN_PROGRESS",
        "New DELETE_COMPLETE",
        "Flow DELETE_IN_PROGRESS",
        "Flow DELETE_COMPLETE",
        "stack UPDATE_ROLLBACK_COMPLETE",
    ]
    assert {"stayed", "stayed-last", "stayed-left"} <= set(cloud.workflows())
    assert "successor" not in cloud.workflows()
    assert cloud.glue.get_workflow(Name="stayed")["Workflow"]["Description"] == "first"
    assert list(cloud.triggers("stayed")) == ["stayed-start"]
    assert cloud.deploy("stayed", {"Flow": before["Flow"]}) == "UPDATE_COMPLETE"
    assert cloud.triggers("stayed") == {}


@pytest.mark.endpoint
def test_parameter_that_left_the_template_is_no_longer_listed(cloud: Cloud) -> None:
    options = {"Parameters": given_name(), "given": {"Name": "left"}}
    cloud.deploy("left", {"Flow": workflow({"Ref": "Name"})}, **options)
    assert cloud.describe("left")["Parameters"] == [
        {"ParameterKey": "Name", "ParameterValue": "left"}
    ]
    cloud.deploy("left", {"Flow": workflow("left", Description="literal")})
    assert cloud.describe("left").get("Parameters", []) == []


@pytest.mark.endpoint
@pytest.mark.parametrize(
    ("kind", "default", "text"),
    [
        ("Number", 0.5, "0.5"),
        ("Number", 7, "7"),
        ("String", True, "true"),
        ("String", "0010", "0010"),
        ("CommaDelimitedList", "a,b", "a,b"),
    ],
)
def test_previous_values_stay_what_they_were(
    cloud: Cloud, kind: str, default: Any, text: str
) -> None:
    """This holds over several updates."""
    parameters = {"P": {"Type": kind, "Default": default}}
    read = {"Fn::Join": [",", {"Ref": "P"}]} if "List" in kind else {"Fn::Sub": "${P}"}
    for number in range(3):
        cloud.deploy(
            "kept-value",
            {"Flow": workflow("kept-value", Description=f"{number}")},
            Parameters=parameters,
            given={"P": None} if number else {},
            Outputs={"Value": {"Value": read}},
        )
        assert cloud.describe("kept-value")["Outputs"][0]["OutputValue"] == text


@pytest.mark.endpoint
def test_a_new_stack_has_no_previous_values(cloud: Cloud) -> None:
    """In the words of AWS: https://github.com/mapbox/cfn-config/issues/182"""
    with pytest.raises(ClientError, match="Cannot specify UsePreviousValue on Parameters when"):
        cloud.plan(
            "new-value",
            {"Flow": workflow("new-value")},
            Parameters={"P": {"Type": "String", "Default": "x"}},
            given={"P": None},
        )


@pytest.mark.endpoint
def test_a_parameter_that_the_stack_lacks_has_no_previous_value(cloud: Cloud) -> None:
    """In the words of AWS: https://github.com/rackerlabs/ebs_snapper/issues/56"""
    cloud.deploy("late-value", {"Flow": workflow("late-value")})
    with pytest.raises(ClientError, match="for a parameter key not in the previous template"):
        cloud.plan(
            "late-value",
            {"Flow": workflow("late-value")},
            Parameters={"P": {"Type": "String", "Default": "x"}},
            given={"P": None},
        )


# --- deletions ----------------------------------------------------------------------------------
@pytest.mark.endpoint
def test_a_removed_resource_is_deleted_unless_retained(cloud: Cloud) -> None:
    """DeletionPolicy Retain keeps a resource that the stack no longer has."""
    flow = {"Flow": workflow("kept")}
    kept = bucket("retained-on-update", DeletionPolicy="Retain")
    cloud.deploy("kept", {**flow, "Kept": kept, "Gone": bucket("gone-on-update")})
    assert cloud.deploy("kept", flow) == "UPDATE_COMPLETE"
    assert "retained-on-update" in cloud.buckets()
    assert "gone-on-update" not in cloud.buckets()
    cloud.s3.delete_bucket(Bucket="retained-on-update")


@pytest.mark.endpoint
@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate"])
def test_a_retained_bucket_outlives_its_stack(cloud: Cloud, policy: str) -> None:
    """The other resources go with it."""
    kept = bucket("retained-on-delete", DeletionPolicy=policy)
    cloud.deploy("outlived", {"Kept": kept, "Gone": bucket("gone-on-delete")})
    cloud.api.delete_stack(StackName="outlived")
    assert "retained-on-delete" in cloud.buckets()
    assert "gone-on-delete" not in cloud.buckets()
    cloud.s3.delete_bucket(Bucket="retained-on-delete")


@pytest.mark.endpoint
def test_a_stack_is_deleted_in_reverse(cloud: Cloud) -> None:
    """A retained resource is listed as skipped."""
    resources = {
        "Start": start("reversed-start"),
        "Kept": bucket("reversed-kept", DeletionPolicy="Retain", DependsOn="Flow"),
        "Flow": workflow("reversed"),
        "Last": bucket("reversed-last"),
    }
    cloud.deploy("reversed", resources)
    stack = cloud.describe("reversed")["StackId"]
    cloud.api.delete_stack(StackName="reversed")
    assert cloud.events(stack, since="CREATE_COMPLETE") == [
        "stack DELETE_IN_PROGRESS",
        "Last DELETE_IN_PROGRESS",
        "Last DELETE_COMPLETE",
        "Kept DELETE_SKIPPED",
        "Start DELETE_IN_PROGRESS",
        "Start DELETE_COMPLETE",
        "Flow DELETE_IN_PROGRESS",
        "Flow DELETE_COMPLETE",
        "stack DELETE_COMPLETE",
    ]
    cloud.s3.delete_bucket(Bucket="reversed-kept")


@pytest.mark.endpoint
def test_a_deleted_stack_is_known_by_its_id_alone(cloud: Cloud) -> None:
    """As DELETE_COMPLETE, with its events, beside a new stack of the same name."""
    flow = {"Flow": workflow("forgotten")}
    cloud.deploy("forgotten", flow)
    stack = cloud.describe("forgotten")["StackId"]
    cloud.api.delete_stack(StackName="forgotten")
    assert cloud.status(stack) == "DELETE_COMPLETE"
    assert cloud.events(stack, since="DELETE_IN_PROGRESS")[-1] == "stack DELETE_COMPLETE"
    for ask in (cloud.api.describe_stacks, cloud.api.describe_stack_events):
        with pytest.raises(ClientError, match="does not exist"):
            ask(StackName="forgotten")
    cloud.stacks.remove("forgotten")
    cloud.deploy("forgotten", flow)
    assert cloud.status("forgotten") == "CREATE_COMPLETE"
    assert cloud.status(stack) == "DELETE_COMPLETE"


@pytest.mark.endpoint
def test_deleting_a_missing_stack_is_not_an_error(cloud: Cloud) -> None:
    cloud.api.delete_stack(StackName="never-there")


@pytest.mark.endpoint
@pytest.mark.parametrize("named", ["shared-flow", {"Fn::Sub": "${Name}-flow"}])
def test_a_stack_is_not_deleted_while_another_imports_from_it(cloud: Cloud, named: Any) -> None:
    """After the importing stack is gone, it can be deleted."""
    output = {"Flow": {"Value": {"Ref": "Flow"}, "Export": {"Name": "shared-flow"}}}
    cloud.deploy("exporter", {"Flow": workflow("shared")}, Outputs=output)
    importer = workflow("importing", Description={"Fn::ImportValue": named})
    options = {"Parameters": given_name(), "given": {"Name": "shared"}}
    assert cloud.deploy("importer", {"Flow": importer}, **options) == "CREATE_COMPLETE"
    assert cloud.glue.get_workflow(Name="importing")["Workflow"]["Description"] == "shared"

    said = "Export shared-flow cannot be deleted as it is in use by importer"
    with pytest.raises(ClientError, match=said):
        cloud.api.delete_stack(StackName="exporter")
    assert cloud.status("exporter") == "CREATE_COMPLETE"
    assert "shared" in cloud.workflows()

    exporter = cloud.describe("exporter")["StackId"]
    for stack in ("importer", "exporter"):
        cloud.api.delete_stack(StackName=stack)
    assert cloud.status(exporter) == "DELETE_COMPLETE"
    assert not {"shared", "importing"} & set(cloud.workflows())
    exports = cloud.api.list_exports()["Exports"]
    assert "shared-flow" not in {export["Name"] for export in exports}


@pytest.mark.endpoint
def test_a_failed_deletion_can_be_tried_again(cloud: Cloud) -> None:
    """The stack still has the resource that it could not delete, and those after it."""
    resources = {"Flow": workflow("full"), "Full": bucket("full", DependsOn="Flow")}
    cloud.deploy("full", resources)
    stack = cloud.describe("full")["StackId"]
    cloud.s3.put_object(Bucket="full", Key="object", Body=b"")
    cloud.api.delete_stack(StackName="full")
    assert cloud.status("full") == "DELETE_FAILED"
    assert cloud.reasons("full")[1:] == [
        ("Full", "DELETE_FAILED", "The bucket you tried to delete is not empty")
    ]
    assert "full" in cloud.workflows()
    cloud.s3.delete_object(Bucket="full", Key="object")
    cloud.api.delete_stack(StackName="full")
    assert cloud.status(stack) == "DELETE_COMPLETE"
    assert "full" not in cloud.workflows()
    assert "full" not in cloud.buckets()


@pytest.mark.endpoint
def test_a_resource_that_is_already_gone_is_deleted(cloud: Cloud) -> None:
    cloud.deploy("emptied", {"Flow": workflow("emptied"), "Bucket": bucket("emptied")})
    stack = cloud.describe("emptied")["StackId"]
    cloud.glue.delete_workflow(Name="emptied")
    cloud.s3.delete_bucket(Bucket="emptied")
    cloud.api.delete_stack(StackName="emptied")
    assert cloud.status(stack) == "DELETE_COMPLETE"


@pytest.mark.endpoint
def test_an_update_succeeds_though_it_leaves_something_behind(cloud: Cloud) -> None:
    """A resource that left the template and could not be deleted leaves the stack."""
    flow = {"Flow": workflow("behind")}
    cloud.deploy("behind", {**flow, "Full": bucket("behind")})
    cloud.s3.put_object(Bucket="behind", Key="object", Body=b"")
    assert cloud.deploy("behind", flow) == "UPDATE_COMPLETE"
    assert [(logical, status) for logical, status, _ in cloud.reasons("behind")] == [
        ("Full", "DELETE_FAILED")
    ]
    assert "behind" in cloud.buckets()
    cloud.s3.delete_object(Bucket="behind", Key="object")
    cloud.s3.delete_bucket(Bucket="behind")


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
    """This covers each function that names a resource, at any depth."""
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


def test_each_resource_follows_the_resources_that_it_needs() -> None:
    """The template's order does not matter; independent resources keep it."""
    resources = {
        "C": {"Type": "T", "Properties": {"Needs": {"Ref": "B"}}},
        "B": {"Type": "T", "DependsOn": "A"},
        "A": {"Type": "T"},
        "Z": {"Type": "T"},
    }
    assert stack_changes.in_order(resources) == ["A", "B", "C", "Z"]


@pytest.mark.endpoint
def test_resource_whose_condition_is_false_is_not_listed(cloud: Cloud) -> None:
    resources = {"Flow": workflow("half"), "No": bucket("half-no", Condition="Never")}
    conditions = {"Never": {"Fn::Equals": ["a", "b"]}}
    assert cloud.deploy("half", resources, Conditions=conditions) == "CREATE_COMPLETE"
    described = cloud.api.describe_stack_resources(StackName="half")["StackResources"]
    listed = cloud.api.list_stack_resources(StackName="half")["StackResourceSummaries"]
    for change_set in (described, listed):
        assert [resource["LogicalResourceId"] for resource in change_set] == ["Flow"]


@pytest.mark.endpoint
def test_list_does_not_have_what_a_condition_leaves_out(cloud: Cloud) -> None:
    """A stack that is created, and one that is updated."""
    job = {"Fn::If": ["Sometimes", {"JobName": "sometimes"}, {"Ref": "AWS::NoValue"}]}
    actions = [{"JobName": "always"}, job]
    resources = {"Flow": workflow("listed"), "Start": start("listed-start", Actions=actions)}
    for value in ("b", "a", "b"):
        conditions = {"Sometimes": {"Fn::Equals": ["a", value]}}
        cloud.deploy("listed", resources, Conditions=conditions)
        found = cloud.triggers("listed")["listed-start"]["Actions"]
        jobs = ["always", "sometimes"] if value == "a" else ["always"]
        assert [action["JobName"] for action in found] == jobs


@pytest.mark.endpoint
def test_a_new_bucket_has_what_its_template_says(cloud: Cloud) -> None:
    """Rules, blocks and a policy, as an imported or a changed bucket has."""
    rule = {"Id": "old", "Status": "Enabled", "Prefix": "tmp/", "ExpirationInDays": 3}
    blocked = dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    data = bucket("equipped")
    data["Properties"] |= {
        "LifecycleConfiguration": {"Rules": [rule]},
        "PublicAccessBlockConfiguration": blocked,
    }
    allowed = {
        "Sid": "Read",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "s3:GetObject",
        "Resource": {"Fn::Sub": "${Data.Arn}/*"},
    }
    # The endpoint has no TLS, and leaves this out.
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": {"Fn::Sub": "${Data.Arn}/*"},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    document = {"Version": "2012-10-17", "Statement": [allowed, denied]}
    policy = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {"Bucket": {"Ref": "Data"}, "PolicyDocument": document},
    }
    assert cloud.create("equipped", {"Policy": policy, "Data": data}) == "CREATE_COMPLETE"
    (found,) = cloud.s3.get_bucket_lifecycle_configuration(Bucket="equipped")["Rules"]
    assert found == {
        "ID": "old",
        "Status": "Enabled",
        "Filter": {"Prefix": "tmp/"},
        "Expiration": {"Days": 3},
    }
    block = cloud.s3.get_public_access_block(Bucket="equipped")
    assert block["PublicAccessBlockConfiguration"] == blocked
    stored = json.loads(cloud.s3.get_bucket_policy(Bucket="equipped")["Policy"])
    assert stored["Statement"] == [{**allowed, "Resource": "arn:aws:s3:::equipped/*"}]

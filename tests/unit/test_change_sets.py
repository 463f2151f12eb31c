"""Stacks: what would change, doing it while reporting events, and why it failed in plain words."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from dynoexport.aws import change_sets, failed_imports, several_stacks
from dynoexport.aws.change_sets import (
    Change,
    ChangeSet,
    DeployFailed,
    Event,
    NoStack,
    Stack,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ResourceToImportTypeDef

    from dynoexport import Account

START = datetime(2026, 1, 31, 10, 0, tzinfo=timezone.utc)
OF_STACK = "AWS::CloudFormation::Stack"
QUEUE, TOPIC = "AWS::SQS::Queue", "AWS::SNS::Topic"
SET = ChangeSet("a", "set-1", "CREATE", ())
UPDATE = ChangeSet("a", "set-1", "UPDATE", ())


@pytest.fixture
def aws(account: Account) -> CloudFormationClient:
    """CloudFormation as moto has it: whatever is deployed succeeds at once."""
    return account.cloudformation


@pytest.fixture
def script(aws: CloudFormationClient) -> Iterator[Stubber]:
    """CloudFormation with scripted responses, for those that moto never gives."""
    with Stubber(aws) as stub:
        yield stub
        stub.assert_no_pending_responses()


# --- by moto: what succeeds -----------------------------------------------------------------------
def template(resources: dict[str, Any], **parameters: str) -> str:
    return json.dumps(
        {
            "Parameters": {
                name: {"Type": "String", "Default": value} for name, value in parameters.items()
            },
            "Resources": resources,
            "Outputs": {f"{name}Ref": {"Value": {"Ref": name}} for name in resources},
        }
    )


def queue(name: Any) -> dict[str, Any]:
    return {"Type": QUEUE, "Properties": {"QueueName": name}}


def topic(name: Any) -> dict[str, Any]:
    return {"Type": TOPIC, "Properties": {"TopicName": name}}


ONE = template({"One": queue("one")})


def deploy(aws: CloudFormationClient, text: str, **more: Any) -> dict[str, str]:
    return change_sets.deploy(aws, Stack("a", text, **more), pause=0)


def physical(aws: CloudFormationClient, resource: str) -> str:
    """What the stack has made for a resource of its template."""
    found = aws.describe_stack_resource(StackName="a", LogicalResourceId=resource)
    return found["StackResourceDetail"]["PhysicalResourceId"]


def test_a_new_stack_is_created(aws: CloudFormationClient) -> None:
    deploy(aws, ONE)
    stack = change_sets.describe(aws, "a")
    assert stack is not None
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert physical(aws, "One").endswith("/one")


def test_a_stack_has_the_given_tags_and_parameters(aws: CloudFormationClient) -> None:
    text = template({"One": queue({"Ref": "Name"})}, Name="unset")
    deploy(aws, text, parameters={"Name": "given"}, tags={"team": "shop"})
    stack = change_sets.describe(aws, "a")
    assert stack is not None
    assert change_sets.read_parameters(stack) == {"Name": "given"}
    assert stack["Tags"] == [{"Key": "team", "Value": "shop"}]


def test_a_stack_without_parameters_has_none() -> None:
    assert change_sets.read_parameters({"StackName": "a"}) == {}


def test_a_change_set_says_what_it_would_do(aws: CloudFormationClient) -> None:
    deploy(aws, template({"One": queue("one"), "Two": topic("two")}))
    wanted = Stack("a", template({"One": queue("uno"), "Three": topic("three")}))
    change_set = change_sets.prepare(aws, wanted, pause=0)
    assert change_set is not None
    assert (change_set.stack, change_set.kind) == ("a", "UPDATE")
    assert {(entry.action, entry.resource, entry.type) for entry in change_set.changes} == {
        ("Modify", "One", QUEUE),
        ("Remove", "Two", TOPIC),
        ("Add", "Three", TOPIC),
    }


def test_a_change_set_alone_changes_nothing(aws: CloudFormationClient) -> None:
    """A stack that waits for its review does not exist yet."""
    assert change_sets.prepare(aws, Stack("a", ONE), pause=0) is not None
    assert change_sets.describe(aws, "a") is None
    with pytest.raises(NoStack, match="there is no stack a"):
        change_sets.outputs(aws, "a")


def test_a_stack_without_changes_is_a_success(aws: CloudFormationClient) -> None:
    """It returns its outputs as usual."""
    aws.create_stack(StackName="a", TemplateBody=ONE)
    assert change_sets.prepare(aws, Stack("a", ONE), pause=0) is None
    assert deploy(aws, ONE) == {"OneRef": physical(aws, "One")}


def test_a_declined_creation_leaves_no_empty_stack(aws: CloudFormationClient) -> None:
    change_set = change_sets.prepare(aws, Stack("a", ONE), pause=0)
    assert change_set is not None
    change_sets.discard(aws, change_set)
    with pytest.raises(ClientError, match="does not exist"):
        aws.describe_stacks(StackName="a")


def test_a_declined_update_leaves_the_stack(aws: CloudFormationClient) -> None:
    deploy(aws, ONE)
    change_set = change_sets.prepare(aws, Stack("a", template({"Uno": queue("uno")})), pause=0)
    assert change_set is not None
    change_sets.discard(aws, change_set)
    assert change_sets.describe(aws, "a") is not None
    waiting = aws.list_change_sets(StackName="a")["Summaries"]
    assert change_set.name not in {summary["ChangeSetName"] for summary in waiting}


def test_a_deleted_stack_is_gone(aws: CloudFormationClient) -> None:
    deploy(aws, ONE)
    change_sets.delete(aws, "a", pause=0)
    assert change_sets.describe(aws, "a") is None


def test_a_missing_stack_cannot_be_deleted(aws: CloudFormationClient) -> None:
    with pytest.raises(NoStack, match="there is no stack a"):
        change_sets.delete(aws, "a", pause=0)


# --- by script: change sets -----------------------------------------------------------------------
def is_in(script: Stubber, status: str) -> None:
    """The answer that the stack is in this state."""
    stack = {"StackName": "a", "StackId": "id", "StackStatus": status, "CreationTime": START}
    script.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "a"})


def is_missing(script: Stubber) -> None:
    message = "Stack with id a does not exist"
    script.add_client_error("describe_stacks", "ValidationError", message)


def creates(script: Stubber, kind: str, *parameters: dict[str, Any]) -> None:
    """The response to the creation of a change set, which must be of this type."""
    asked = {"StackName": "a", "ChangeSetName": ANY, "ChangeSetType": kind, "TemplateBody": "{}"}
    asked |= {"Capabilities": ["CAPABILITY_IAM"], "Parameters": list(parameters), "Tags": []}
    script.add_response("create_change_set", {"Id": "arn:x", "StackId": "id"}, asked)


def change(action: str, resource: str, **more: str) -> dict[str, Any]:
    reported = {"Action": action, "LogicalResourceId": resource, "ResourceType": QUEUE, **more}
    return {"Type": "Resource", "ResourceChange": reported}


def fails(script: Stubber, reason: str) -> None:
    """The responses for a failed change set: its status, and its reason."""
    script.add_response("describe_change_set", {"Status": "FAILED", "StatusReason": reason})
    script.add_response("delete_change_set", {}, {"StackName": "a", "ChangeSetName": ANY})


def prepare(aws: CloudFormationClient) -> ChangeSet | None:
    return change_sets.prepare(aws, Stack("a", "{}"), pause=0)


def test_changes_are_read_from_every_page(aws: CloudFormationClient, script: Stubber) -> None:
    """They show whether a resource is replaced, which moto does not report."""
    is_in(script, "CREATE_COMPLETE")
    creates(script, "UPDATE")
    script.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"})
    first = [change("Add", "One"), change("Modify", "Two", Replacement="True")]
    script.add_response("describe_change_set", {"Changes": first, "NextToken": "more"})
    script.add_response(
        "describe_change_set",
        {"Changes": [change("Remove", "Three")]},
        {"StackName": "a", "ChangeSetName": ANY, "NextToken": "more"},
    )
    change_set = prepare(aws)
    assert change_set is not None
    assert change_set.changes == (
        Change("Add", "One", QUEUE),
        Change("Modify", "Two", QUEUE, replaced="True"),
        Change("Remove", "Three", QUEUE),
    )


def test_a_parameter_without_a_new_value_keeps_its_value(
    aws: CloudFormationClient, script: Stubber
) -> None:
    """It does not get the template's default. Moto keeps the value in any case."""
    is_in(script, "UPDATE_COMPLETE")
    kept = {"ParameterKey": "Kept", "UsePreviousValue": True}
    given = {"ParameterKey": "Given", "ParameterValue": "7"}
    creates(script, "UPDATE", kept, given)
    fails(script, "No updates are to be performed.")
    stack = Stack("a", "{}", {"Kept": None, "Given": "7"})
    assert change_sets.prepare(aws, stack, pause=0) is None


@pytest.mark.parametrize("status", [None, "REVIEW_IN_PROGRESS"])
def test_a_new_stack_has_no_previous_values_to_keep(
    aws: CloudFormationClient, script: Stubber, status: str | None
) -> None:
    """CloudFormation refuses UsePreviousValue there; the template's defaults apply."""
    is_in(script, status) if status else is_missing(script)
    creates(script, "CREATE", {"ParameterKey": "Given", "ParameterValue": "7"})
    script.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"})
    script.add_response("describe_change_set", {"Changes": []})
    stack = Stack("a", "{}", {"Kept": None, "Given": "7"})
    assert change_sets.prepare(aws, stack, pause=0) is not None


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information.",
        "No updates are to be performed.",
    ],
)
def test_a_change_set_without_changes_is_not_a_failure(
    aws: CloudFormationClient, script: Stubber, reason: str
) -> None:
    """CloudFormation fails such a change set, and leaves it until it is deleted."""
    is_in(script, "UPDATE_COMPLETE")
    creates(script, "UPDATE")
    fails(script, reason)
    assert prepare(aws) is None


def test_a_change_set_that_fails_says_why(aws: CloudFormationClient, script: Stubber) -> None:
    """The empty stack that was created for it is deleted, too."""
    is_missing(script)
    creates(script, "CREATE")
    fails(script, "No export named x found.")
    is_in(script, "REVIEW_IN_PROGRESS")
    script.add_response("delete_stack", {}, {"StackName": "a"})
    with pytest.raises(DeployFailed) as failed:
        prepare(aws)
    assert failed.value.what == "the change set of stack a failed"
    assert failed.value.hint == "No export named x found."


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
def test_stack_that_somebody_else_has_created_stays(
    aws: CloudFormationClient, script: Stubber, status: str
) -> None:
    """Between the change set and the answer to the question."""
    script.add_response("delete_change_set", {}, {"StackName": "a", "ChangeSetName": "new"})
    is_in(script, status)
    change_sets.discard(aws, ChangeSet("a", "new", "CREATE", ()))


def test_throttled_wait_leaves_no_change_set_and_no_empty_stack(
    aws: CloudFormationClient, script: Stubber
) -> None:
    """The error is that of the call."""
    is_missing(script)
    creates(script, "CREATE")
    script.add_client_error("describe_change_set", "Throttling", "Rate exceeded")
    script.add_response("delete_change_set", {}, {"StackName": "a", "ChangeSetName": ANY})
    is_in(script, "REVIEW_IN_PROGRESS")
    script.add_response("delete_stack", {}, {"StackName": "a"})
    with pytest.raises(ClientError, match=r"Throttling.*DescribeChangeSet"):
        prepare(aws)


def test_refused_execution_leaves_no_change_set(aws: CloudFormationClient, script: Stubber) -> None:
    script.add_response("describe_stack_events", {"StackEvents": []})
    script.add_client_error("execute_change_set", "AccessDenied", "no")
    script.add_response("delete_change_set", {}, {"StackName": "a", "ChangeSetName": "new"})
    with pytest.raises(ClientError, match=r"AccessDenied.*ExecuteChangeSet"):
        change_sets.execute(aws, ChangeSet("a", "new", "UPDATE", ()), pause=0)


def answering(account: Account, operation: str, answer: dict[str, Any]) -> None:
    """CloudFormation gives the same answer to every such call."""
    account.cloudformation.meta.events.register(
        f"before-call.cloudformation.{operation}",
        lambda **_: (AWSResponse("", 200, {}, None), answer),  # type: ignore[arg-type]
    )


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts this process, which ignores it as a worker of pytest-xdist."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_does_not_wait_for_the_stacks(account: Account) -> None:
    """Other threads follow them; only the main one gets the signal."""
    answering(account, "DescribeStackEvents", {"StackEvents": []})
    answering(account, "ExecuteChangeSet", {})
    polls: list[str] = []

    def poll(**_: object) -> None:
        polls.append("poll")
        if len(polls) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    account.cloudformation.meta.events.register_first(
        "before-call.cloudformation.DescribeStackEvents", poll
    )
    stacks = [Stack("a", ONE), Stack("b", template({"Two": queue("two")}))]
    with pytest.raises(KeyboardInterrupt):
        several_stacks.apply(account, stacks, approve=lambda _: True, on_event=change_sets.ignore)


def test_aws_failure_of_one_stack_leaves_no_change_set_of_another(account: Account) -> None:
    def refuse(params: dict[str, Any], **_: object) -> Any:
        if params["body"]["StackName"] != "b":
            return None
        error = {"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}
        return AWSResponse("", 400, {}, None), error  # type: ignore[arg-type]

    cloudformation = account.cloudformation
    cloudformation.meta.events.register("before-call.cloudformation.CreateChangeSet", refuse)
    stacks = [Stack("a", ONE), Stack("b", template({"Two": queue("two")}))]
    with pytest.raises(ClientError, match="Throttling"):
        several_stacks.apply(account, stacks, approve=lambda _: True, on_event=change_sets.ignore)
    left = cloudformation.list_stacks()["StackSummaries"]
    assert [stack for stack in left if stack["StackStatus"] == "REVIEW_IN_PROGRESS"] == []


def test_a_refused_template_is_reported_in_the_words_of_cloudformation(
    aws: CloudFormationClient, script: Stubber
) -> None:
    is_missing(script)
    script.add_client_error("create_change_set", "ValidationError", "Template format error")
    with pytest.raises(DeployFailed) as failed:
        prepare(aws)
    assert str(failed.value) == "CloudFormation refused stack a: Template format error"


def test_other_refusals_are_not_taken_for_the_templates_fault(
    aws: CloudFormationClient, script: Stubber
) -> None:
    is_missing(script)
    script.add_client_error("create_change_set", "AccessDenied", "no")
    with pytest.raises(ClientError, match="AccessDenied"):
        prepare(aws)


def test_a_stack_that_cannot_be_described_is_not_taken_for_missing(
    aws: CloudFormationClient, script: Stubber
) -> None:
    script.add_client_error("describe_stacks", "AccessDenied", "no")
    with pytest.raises(ClientError, match="AccessDenied"):
        change_sets.describe(aws, "a")


NEVER_CREATED = ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"]
CAN_BE_UPDATED = [
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_FAILED",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
]


@pytest.mark.parametrize("status", ["REVIEW_IN_PROGRESS", *NEVER_CREATED, *CAN_BE_UPDATED])
def test_a_stack_is_created_where_there_never_was_one(
    aws: CloudFormationClient, script: Stubber, status: str
) -> None:
    """A stack whose creation failed is only a name, and is deleted first."""
    is_in(script, status)
    if status in NEVER_CREATED:
        is_in(script, status)
        reports(script, [])
        script.add_response("delete_stack", {}, {"StackName": "id"})
        reports(script, [event(1, "a", "DELETE_COMPLETE")])
    creates(script, "UPDATE" if status in CAN_BE_UPDATED else "CREATE")
    script.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"})
    script.add_response("describe_change_set", {"Changes": []})
    change_set = prepare(aws)
    assert change_set is not None
    assert change_set.kind == ("UPDATE" if status in CAN_BE_UPDATED else "CREATE")


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("CREATE_IN_PROGRESS", "wait until it has finished"),
        ("UPDATE_IN_PROGRESS", "wait until it has finished"),
        ("ROLLBACK_IN_PROGRESS", "wait until it has finished"),
        ("DELETE_IN_PROGRESS", "wait until it has finished"),
        ("UPDATE_ROLLBACK_FAILED", "repair it in the CloudFormation console first"),
        ("IMPORT_ROLLBACK_FAILED", "repair it in the CloudFormation console first"),
        ("DELETE_FAILED", "delete it first: aws cloudformation delete-stack --stack-name a"),
    ],
)
def test_a_stack_that_cannot_be_changed_now_says_so(
    aws: CloudFormationClient, script: Stubber, status: str, hint: str
) -> None:
    is_in(script, status)
    with pytest.raises(DeployFailed) as failed:
        prepare(aws)
    assert (failed.value.what, failed.value.hint) == (f"stack a is {status}", hint)


@pytest.mark.parametrize("code", ["ChangeSetNotFound", "InvalidChangeSetStatus", "ValidationError"])
def test_a_change_set_that_another_deployment_overtakes_says_what_runs(
    aws: CloudFormationClient, script: Stubber, code: str
) -> None:
    reports(script, [])
    script.add_client_error("execute_change_set", code, "refused")
    script.add_response("delete_change_set", {}, {"StackName": "a", "ChangeSetName": "set-1"})
    is_in(script, "CREATE_IN_PROGRESS")
    is_in(script, "CREATE_IN_PROGRESS")
    with pytest.raises(DeployFailed) as failed:
        change_sets.execute(aws, SET, pause=0)
    assert str(failed.value) == "stack a is CREATE_IN_PROGRESS: wait until it has finished"


def test_a_change_set_that_another_deployment_has_deleted_says_so(
    aws: CloudFormationClient, script: Stubber
) -> None:
    reports(script, [])
    script.add_client_error("execute_change_set", "ChangeSetNotFound", "it does not exist")
    script.add_response("delete_change_set", {}, {"StackName": "a", "ChangeSetName": "set-1"})
    is_in(script, "CREATE_COMPLETE")
    is_in(script, "CREATE_COMPLETE")
    with pytest.raises(DeployFailed) as failed:
        change_sets.execute(aws, SET, pause=0)
    assert str(failed.value) == "another deployment has changed stack a: repeat the command"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        ("CREATE_IN_PROGRESS", "stack a is CREATE_IN_PROGRESS: wait until it has finished"),
        ("CREATE_COMPLETE", "another deployment has changed stack a: repeat the command"),
    ],
)
def test_a_stack_that_another_deployment_creates_first_says_so(
    aws: CloudFormationClient, script: Stubber, status: str, refusal: str
) -> None:
    is_missing(script)
    script.add_client_error("create_change_set", "ValidationError", "it already exists")
    script.add_response("delete_change_set", {}, {"StackName": "a", "ChangeSetName": ANY})
    is_in(script, status)
    is_in(script, status)
    with pytest.raises(DeployFailed) as failed:
        prepare(aws)
    assert str(failed.value) == refusal


# --- by script: events ----------------------------------------------------------------------------
def event(number: int, resource: str, status: str, reason: str = "") -> dict[str, Any]:
    """An event of stack ``a``, or of one of its resources."""
    return {
        "StackId": "id",
        "EventId": f"event-{number}",
        "StackName": "a",
        "LogicalResourceId": resource,
        "ResourceType": OF_STACK if resource in {"a", "Nested"} else QUEUE,
        "Timestamp": START + timedelta(seconds=number),
        "ResourceStatus": status,
        **({"ResourceStatusReason": reason} if reason else {}),
    }


def reports(script: Stubber, *pages: list[dict[str, Any]], stack: str | None = None) -> None:
    """The answers to one look at the events: pages, newest first."""
    for number, page in enumerate(pages):
        asked = {"StackName": stack or ANY, **({"NextToken": ANY} if number else {})}
        more = {"NextToken": f"page {number + 2}"} if number + 1 < len(pages) else {}
        script.add_response("describe_stack_events", {"StackEvents": page, **more}, asked)


def execute(aws: CloudFormationClient, change_set: ChangeSet = SET) -> list[Event]:
    """Execute it and return the reported events."""
    reported: list[Event] = []
    change_sets.execute(aws, change_set, on_event=reported.append, pause=0)
    return reported


def is_executed(script: Stubber, *before: dict[str, Any]) -> None:
    """The responses up to the execution, after the events ``before``."""
    reports(script, list(before), stack="a")
    asked = {"StackName": "a", "ChangeSetName": "set-1"}
    script.add_response("execute_change_set", {}, asked)


def failure(aws: CloudFormationClient, change_set: ChangeSet = SET) -> tuple[str, str]:
    with pytest.raises(DeployFailed) as failed:
        execute(aws, change_set)
    return failed.value.what, failed.value.hint


def test_each_event_is_reported_once_and_in_its_order(
    aws: CloudFormationClient, script: Stubber
) -> None:
    """This covers all calls and pages from the execution to the stack's end."""
    old = event(0, "a", "REVIEW_IN_PROGRESS")
    events = [
        event(1, "a", "CREATE_IN_PROGRESS"),
        event(2, "One", "CREATE_IN_PROGRESS"),
        event(3, "One", "CREATE_COMPLETE"),
        event(4, "a", "CREATE_COMPLETE"),
    ]
    is_executed(script, old)
    reports(script, [old])
    reports(script, [events[1]], [events[0], old])
    reports(script, list(reversed(events)))
    reported = execute(aws)
    assert [(stack_event.resource, stack_event.status) for stack_event in reported] == [
        (described["LogicalResourceId"], described["ResourceStatus"]) for described in events
    ]
    assert reported[1] == Event("a", "One", QUEUE, "CREATE_IN_PROGRESS", "", events[1]["Timestamp"])


def test_pages_that_were_reported_before_are_not_read_again(
    aws: CloudFormationClient, script: Stubber
) -> None:
    """An old stack has thousands of events; a call ends at the first known one."""
    old = event(0, "a", "UPDATE_COMPLETE")
    is_executed(script, old)
    answer = {"StackEvents": [event(1, "a", "UPDATE_COMPLETE"), old], "NextToken": "years"}
    script.add_response("describe_stack_events", answer)
    assert len(execute(aws, UPDATE)) == 1


def test_the_end_of_a_nested_stack_is_not_the_end(
    aws: CloudFormationClient, script: Stubber
) -> None:
    is_executed(script)
    reports(script, [event(1, "Nested", "CREATE_COMPLETE")])
    reports(script, [event(2, "a", "CREATE_COMPLETE"), event(1, "Nested", "CREATE_COMPLETE")])
    assert [stack_event.of_stack for stack_event in execute(aws)] == [False, True]


def test_the_end_of_a_resource_of_the_stacks_name_is_not_the_end(
    aws: CloudFormationClient, script: Stubber
) -> None:
    resource = {**event(1, "a", "CREATE_COMPLETE"), "ResourceType": QUEUE}
    is_executed(script)
    reports(script, [resource])
    reports(script, [event(2, "a", "CREATE_COMPLETE"), resource])
    assert [stack_event.of_stack for stack_event in execute(aws)] == [False, True]


def test_there_is_a_pause_between_two_polls(aws: CloudFormationClient, script: Stubber) -> None:
    is_executed(script)
    reports(script, [])
    reports(script, [event(1, "a", "CREATE_COMPLETE")])
    began = time.monotonic()
    change_sets.execute(aws, SET, pause=0.1)
    assert time.monotonic() - began >= 0.1


def test_cleaning_up_is_not_the_end(aws: CloudFormationClient, script: Stubber) -> None:
    is_executed(script)
    cleaning = event(1, "a", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    reports(script, [cleaning])
    reports(script, [event(2, "a", "UPDATE_COMPLETE"), cleaning])
    assert len(execute(aws, UPDATE)) == 2


def test_a_rollback_is_reported_with_the_reason_of_the_first_failure(
    aws: CloudFormationClient, script: Stubber
) -> None:
    """Later failures are only cancellations, and the stack lists names without reasons."""
    cancelled = "Resource creation cancelled"
    events = [
        event(1, "a", "CREATE_IN_PROGRESS"),
        event(2, "One", "CREATE_FAILED", "Queue one already exists"),
        event(3, "Two", "CREATE_FAILED", cancelled),
        event(4, "a", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed: [One, Two]"),
        event(5, "a", "ROLLBACK_COMPLETE"),
    ]
    is_executed(script)
    reports(script, list(reversed(events)))
    assert failure(aws) == ("stack a could not be created", "One: Queue one already exists")


def test_a_failure_is_remembered_from_poll_to_poll(
    aws: CloudFormationClient, script: Stubber
) -> None:
    first = event(1, "One", "UPDATE_FAILED", "not permitted")
    is_executed(script)
    reports(script, [first])
    reports(script, [event(2, "a", "UPDATE_ROLLBACK_COMPLETE"), first])
    assert failure(aws, UPDATE) == ("stack a could not be updated", "One: not permitted")


def test_a_failure_of_an_earlier_deployment_is_ignored(
    aws: CloudFormationClient, script: Stubber
) -> None:
    old = event(1, "One", "UPDATE_FAILED", "long mended")
    is_executed(script, old)
    reports(script, [event(2, "a", "UPDATE_ROLLBACK_COMPLETE", "cancelled by ada"), old])
    assert failure(aws, UPDATE) == ("stack a could not be updated", "cancelled by ada")


def test_a_failure_without_a_reason_still_names_its_resource(
    aws: CloudFormationClient, script: Stubber
) -> None:
    is_executed(script)
    reports(script, [event(2, "a", "ROLLBACK_COMPLETE"), event(1, "One", "CREATE_FAILED")])
    assert failure(aws)[1] == "One: no reason given"


def test_a_rollback_without_any_reason_says_where_to_look(
    aws: CloudFormationClient, script: Stubber
) -> None:
    is_executed(script)
    reports(script, [event(1, "a", "ROLLBACK_COMPLETE")])
    assert failure(aws)[1] == "see its events in the CloudFormation console"


# --- by script: deletion --------------------------------------------------------------------------
def is_deleted(script: Stubber, *before: dict[str, Any]) -> None:
    """The answers up to the deletion; by the ID, for a deleted stack has no name any more."""
    is_in(script, "CREATE_COMPLETE")
    reports(script, list(before), stack="id")
    script.add_response("delete_stack", {}, {"StackName": "id"})


def test_a_deletion_is_followed_by_the_stacks_id(
    aws: CloudFormationClient, script: Stubber
) -> None:
    reported: list[Event] = []
    is_deleted(script)
    reports(script, [event(1, "a", "DELETE_COMPLETE")], stack="id")
    change_sets.delete(aws, "a", on_event=reported.append, pause=0)
    assert [stack_event.status for stack_event in reported] == ["DELETE_COMPLETE"]


def test_a_deletion_that_fails_names_the_resource(
    aws: CloudFormationClient, script: Stubber
) -> None:
    """Not the one of the deletion that failed before."""
    old = event(1, "One", "DELETE_FAILED", "mended")
    is_deleted(script, old)
    failed = event(2, "Two", "DELETE_FAILED", "The bucket is not empty")
    reports(script, [event(3, "a", "DELETE_FAILED", "failed to delete: [Two]"), failed, old])
    with pytest.raises(DeployFailed) as refused:
        change_sets.delete(aws, "a", pause=0)
    assert str(refused.value) == "stack a could not be deleted: Two: The bucket is not empty"


def test_a_stack_that_others_need_cannot_be_deleted(
    aws: CloudFormationClient, script: Stubber
) -> None:
    is_in(script, "CREATE_COMPLETE")
    reports(script, [])
    reason = "Export a-BucketName cannot be deleted as it is in use by b"
    script.add_client_error("delete_stack", "ValidationError", reason)
    with pytest.raises(DeployFailed) as refused:
        change_sets.delete(aws, "a", pause=0)
    assert str(refused.value) == f"stack a cannot be deleted: {reason}"


def test_other_refusals_of_a_deletion_are_passed_on(
    aws: CloudFormationClient, script: Stubber
) -> None:
    is_in(script, "CREATE_COMPLETE")
    reports(script, [])
    script.add_client_error("delete_stack", "AccessDenied", "no")
    with pytest.raises(ClientError, match="AccessDenied"):
        change_sets.delete(aws, "a", pause=0)


# --- imports --------------------------------------------------------------------------------------
IMPORT = ChangeSet("a", "set-1", "IMPORT", ())
EXISTING: ResourceToImportTypeDef = {
    "LogicalResourceId": "One",
    "ResourceType": QUEUE,
    "ResourceIdentifier": {"QueueUrl": "q"},
}


def test_a_stack_with_imports_is_created_from_them(
    aws: CloudFormationClient, script: Stubber
) -> None:
    asked = {
        "StackName": "a",
        "ChangeSetName": ANY,
        "ChangeSetType": "IMPORT",
        "TemplateBody": "{}",
    }
    asked["ResourcesToImport"] = [EXISTING]
    is_missing(script)
    script.add_response(
        "create_change_set",
        {"Id": "arn:x", "StackId": "id"},
        {**asked, "Capabilities": ["CAPABILITY_IAM"], "Parameters": [], "Tags": []},
    )
    script.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"})
    change = {"Action": "Import", "LogicalResourceId": "One", "ResourceType": QUEUE}
    script.add_response("describe_change_set", {"Changes": [{"ResourceChange": change}]})
    made = change_sets.prepare(aws, Stack("a", "{}", imports=[EXISTING], notes=("mind",)))
    assert made is not None
    assert (made.kind, made.changes, made.notes) == (
        "IMPORT",
        (Change("Import", "One", QUEUE),),
        ("mind",),
    )


@pytest.mark.parametrize("last", ["IMPORT_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_failed_import_is_reported_with_the_first_reason(
    aws: CloudFormationClient, script: Stubber, last: str
) -> None:
    """In whatever state its new stack is then."""
    before = event(0, "a", "REVIEW_IN_PROGRESS")
    is_executed(script, before)
    failed = event(1, "One", "IMPORT_FAILED", "there is no such queue")
    rolling = event(2, "a", "IMPORT_ROLLBACK_IN_PROGRESS")
    reports(script, [event(3, "a", last), rolling, failed, before])
    with pytest.raises(DeployFailed) as caught:
        execute(aws, IMPORT)
    assert str(caught.value) == "stack a could not be created: One: there is no such queue"


@pytest.mark.parametrize(
    ("states", "removed"),
    [
        (["REVIEW_IN_PROGRESS", "IMPORT_IN_PROGRESS", "IMPORT_ROLLBACK_COMPLETE"], True),
        (["REVIEW_IN_PROGRESS", "CREATE_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"], False),
        (["REVIEW_IN_PROGRESS", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"], False),
        # Older events are gone after 90 days.
        (["IMPORT_IN_PROGRESS", "IMPORT_ROLLBACK_COMPLETE"], False),
    ],
)
def test_only_a_stack_that_never_had_resources_is_removed(
    aws: CloudFormationClient, script: Stubber, states: list[str], removed: bool
) -> None:
    own = {"PhysicalResourceId": "id"}
    events = [{**event(number, "a", state), **own} for number, state in enumerate(states)]
    reports(script, events[::-1])
    if removed:
        is_in(script, "IMPORT_ROLLBACK_COMPLETE")
        reports(script, events[::-1])
        script.add_response("delete_stack", {}, {"StackName": "id"})
        reports(script, [event(9, "a", "DELETE_COMPLETE"), *events[::-1]])
    stack = {"StackName": "a", "StackId": "id", "StackStatus": "IMPORT_ROLLBACK_COMPLETE"}
    assert failed_imports.remove(aws, stack, pause=0) is removed


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "IMPORT_COMPLETE"])
def test_a_stack_in_another_state_is_no_failed_import(
    aws: CloudFormationClient, status: str
) -> None:
    stack = {"StackName": "a", "StackId": "id", "StackStatus": status}
    assert failed_imports.remove(aws, stack) is False

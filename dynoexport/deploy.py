"""Stacks: create or update one through a change set, and say in plain words why it failed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import ChangeSetTypeType
    from mypy_boto3_cloudformation.type_defs import WaiterConfigTypeDef

# CloudFormation says this, and fails the change set, when there is nothing to do:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-view.html
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class DeployFailed(DynoexportError):
    """A stack that could not be created or updated, with the reason of the first resource."""


@dataclass(frozen=True)
class Stack:
    """What to deploy: a name, a template's text and its parameters."""

    name: str
    template: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def deploy(
    cloudformation: CloudFormationClient, stack: Stack, *, poll_seconds: int = 5
) -> dict[str, str]:
    """Create or update the stack and return its outputs; a stack without changes is a success.

    Raises:
        DeployFailed: the change set or a resource failed; a failed update is rolled back.
    """
    kind: ChangeSetTypeType = "UPDATE" if _exists(cloudformation, stack.name) else "CREATE"
    change_set = f"dynoexport-{uuid.uuid4().hex}"
    if _prepare(cloudformation, stack, kind, change_set, poll_seconds):
        _execute(cloudformation, stack.name, kind, change_set, poll_seconds)
    return outputs(cloudformation, stack.name)


def outputs(cloudformation: CloudFormationClient, name: str) -> dict[str, str]:
    """The stack's outputs by key."""
    described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _exists(cloudformation: CloudFormationClient, name: str) -> bool:
    try:
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return False
        raise
    return status != "REVIEW_IN_PROGRESS"


def _prepare(
    cloudformation: CloudFormationClient,
    stack: Stack,
    kind: ChangeSetTypeType,
    change_set: str,
    poll_seconds: int,
) -> bool:
    """Whether there is a change set to execute."""
    from botocore.exceptions import WaiterError

    _create_change_set(cloudformation, stack, kind, change_set)
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            StackName=stack.name, ChangeSetName=change_set, WaiterConfig={"Delay": poll_seconds}
        )
    except WaiterError as error:
        described = cloudformation.describe_change_set(
            StackName=stack.name, ChangeSetName=change_set
        )
        reason = described.get("StatusReason", str(error))
        cloudformation.delete_change_set(StackName=stack.name, ChangeSetName=change_set)
        if any(words in reason for words in _NO_CHANGES):
            return False
        raise DeployFailed(f"the change set of stack {stack.name} failed", hint=reason) from error
    return True


def _create_change_set(
    cloudformation: CloudFormationClient, stack: Stack, kind: ChangeSetTypeType, change_set: str
) -> None:
    from botocore.exceptions import ClientError

    try:
        cloudformation.create_change_set(
            StackName=stack.name,
            ChangeSetName=change_set,
            ChangeSetType=kind,
            TemplateBody=stack.template,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in stack.parameters.items()
            ],
            Tags=[{"Key": key, "Value": value} for key, value in stack.tags.items()],
        )
    except ClientError as error:
        # What is wrong with a template or a parameter is told at once, not by the change set.
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        reason = error.response["Error"]["Message"]
        raise DeployFailed(f"stack {stack.name} is refused", hint=reason) from error


def _execute(
    cloudformation: CloudFormationClient,
    name: str,
    kind: ChangeSetTypeType,
    change_set: str,
    poll_seconds: int,
) -> None:
    from botocore.exceptions import WaiterError

    cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)
    config: WaiterConfigTypeDef = {"Delay": poll_seconds}
    try:
        if kind == "CREATE":
            cloudformation.get_waiter("stack_create_complete").wait(
                StackName=name, WaiterConfig=config
            )
        else:
            cloudformation.get_waiter("stack_update_complete").wait(
                StackName=name, WaiterConfig=config
            )
    except WaiterError as error:
        raise DeployFailed(
            f"stack {name} could not be deployed", hint=_first_failure(cloudformation, name)
        ) from error


def _first_failure(cloudformation: CloudFormationClient, name: str) -> str:
    """The reason of the resource that failed first; those after it were only cancelled.

    Events come newest first. The stack's own ``..._IN_PROGRESS`` event opened this deployment;
    what lies before it are failures of earlier ones.
    """
    reason = "its events in the CloudFormation console say more"
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    for event in (event for page in pages for event in page["StackEvents"]):
        status = event.get("ResourceStatus", "")
        if status.endswith("_FAILED"):
            words = event.get("ResourceStatusReason", "no reason given")
            reason = f"{event['LogicalResourceId']}: {words}"
        opened = status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}
        if opened and event.get("PhysicalResourceId") == event["StackId"]:
            break
    return reason

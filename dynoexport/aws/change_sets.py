"""Stacks: prepare a change set, execute it and follow its events, and why it failed."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.literals import ChangeSetTypeType
    from mypy_boto3_cloudformation.type_defs import (
        ParameterTypeDef,
        ResourceToImportTypeDef,
        StackEventTypeDef,
    )


# CloudFormation says this, and fails the change set, when there is nothing to do:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-view.html
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
# A stack that was never created: it must be deleted before its name can be used.
_ONLY_A_NAME = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
_LIST = "'aws cloudformation list-stacks' shows those that exist"
# What AWS answers for a change set whose stack another one changes.
_OVERTAKEN = frozenset({"ChangeSetNotFound", "InvalidChangeSetStatus", "ValidationError"})
_REVIEWED = "REVIEW_IN_PROGRESS"
_DONE = {"CREATE": "created", "IMPORT": "created", "UPDATE": "updated", "DELETE": "deleted"}


def is_only_a_name(stack: Mapping[str, Any]) -> bool:
    """Whether the stack was never created, so that its parameters mean nothing."""
    return stack["StackStatus"] in _ONLY_A_NAME


class DeployFailed(DynoexportError):
    """A stack that could not be created, updated or deleted, with the first resource's reason."""


class Declined(DynoexportError):
    """The user declined the changes; nothing was changed."""


class NoStack(DynoexportError):
    """A stack that does not exist."""


@dataclass(frozen=True)
class Stack:
    """What to deploy: a name, a template's text and its parameters.

    A parameter whose value is None keeps its current value; a new stack takes the template's
    default. A template that is too long for a request has a URL in S3. A stack with ``imports`` is
    new, and its template has only these. ``notes`` are for whoever approves.
    """

    name: str
    template: str
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    template_url: str = ""
    imports: Sequence[ResourceToImportTypeDef] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What a change set would do to one resource: ``Add``, ``Import``, ``Modify`` or ``Remove``.

    ``replaced`` is whether a modified resource is made anew: ``True``, ``False``, ``Conditional``.
    """

    action: str
    resource: str
    type: str
    replaced: str = "False"


@dataclass(frozen=True)
class ChangeSet:
    """A change set that waits to be executed. ``notes`` say what else to know before."""

    stack: str
    name: str
    kind: ChangeSetTypeType
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """What happened to one resource of a stack, or to the stack itself."""

    stack: str
    resource: str
    type: str
    status: str
    reason: str
    time: datetime

    @property
    def of_stack(self) -> bool:
        return self.type == "AWS::CloudFormation::Stack" and self.resource == self.stack


def ignore(_: object) -> None:
    """A callback that does nothing with an event."""


# --- read stacks ----------------------------------------------------------------------------------
def describe(cloudformation: CloudFormationClient, name: str) -> Mapping[str, Any] | None:
    """The stack as CloudFormation describes it; None if it was never created."""
    stack = _describe(cloudformation, name)
    return None if stack is None or stack["StackStatus"] == _REVIEWED else stack


def _describe(cloudformation: CloudFormationClient, name: str) -> Mapping[str, Any] | None:
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def outputs(cloudformation: CloudFormationClient, name: str) -> dict[str, str]:
    """The stack's outputs by key.

    Raises:
        NoStack: there is no such stack.
    """
    stack = describe(cloudformation, name)
    if stack is None:
        raise NoStack(f"there is no stack {name}", hint=_LIST)
    return read_outputs(stack)


def read_outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    """The outputs of a described stack; one that was never created has none."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def read_parameters(stack: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a described stack."""
    return {
        parameter["ParameterKey"]: parameter["ParameterValue"]
        for parameter in stack.get("Parameters", ())
    }


# --- plan -----------------------------------------------------------------------------------------
def prepare(
    cloudformation: CloudFormationClient,
    stack: Stack,
    *,
    pause: float = 3.0,
    sleep: Callable[[float], None] = time.sleep,
) -> ChangeSet | None:
    """Make a change set and wait for it; None if there is nothing to change.

    ``pause`` is the seconds between two polls.

    Raises:
        DeployFailed: the template or a parameter is refused, or the stack is in a state in which
            it cannot be changed.
    """
    kind = _kind(cloudformation, stack.name, pause, sleep)
    if stack.imports:
        kind = "IMPORT"
    change_set = ChangeSet(stack.name, f"dynoexport-{uuid.uuid4().hex}", kind, (), stack.notes)
    with (
        _explained_by_another(cloudformation, change_set),
        _discarded_on_failure(cloudformation, change_set),
    ):
        _create(cloudformation, stack, kind, change_set.name)
        reason = _wait(cloudformation, change_set, pause, sleep)
        if reason is None:
            changes = tuple(_changes(cloudformation, stack.name, change_set.name))
            return replace(change_set, changes=changes)
        if not any(words in reason for words in _NO_CHANGES):
            raise DeployFailed(f"the change set of stack {stack.name} failed", hint=reason)
    discard(cloudformation, change_set)
    return None


@contextmanager
def _discarded_on_failure(
    cloudformation: CloudFormationClient, change_set: ChangeSet
) -> Iterator[None]:
    """If AWS fails, or the user interrupts, leave no change set and no empty stack."""
    try:
        yield
    except BaseException:
        # The first error is the one to report.
        with suppress(Exception):
            discard(cloudformation, change_set)
        raise


@contextmanager
def _explained_by_another(
    cloudformation: CloudFormationClient, change_set: ChangeSet
) -> Iterator[None]:
    """If AWS refuses a change because another deployment changes the stack, say so.

    AWS deletes the change sets of a stack when it executes another one:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
    And a stack that was to be created exists only if another one has created it since.

    Raises:
        DeployFailed: the stack is in progress, or was until now.
    """
    from botocore.exceptions import ClientError

    try:
        yield
    except (ClientError, DeployFailed) as error:
        refusal = error if isinstance(error, ClientError) else error.__cause__
        code = refusal.response["Error"]["Code"] if isinstance(refusal, ClientError) else ""
        if code not in _OVERTAKEN:
            raise
        stack, name = None, change_set.stack
        # The first error is the one to report.
        with suppress(Exception):
            stack = describe(cloudformation, name)
        status = stack["StackStatus"] if stack else ""
        if status.endswith("_IN_PROGRESS"):
            raise _in_progress(name, status) from error
        if stack and (code == "ChangeSetNotFound" or change_set.kind == "CREATE"):
            raise DeployFailed(
                f"another deployment has changed stack {name}", hint="repeat the command"
            ) from error
        raise


def _in_progress(name: str, status: str) -> DeployFailed:
    return DeployFailed(f"stack {name} is {status}", hint="wait until it has finished")


def _wait(
    cloudformation: CloudFormationClient,
    change_set: ChangeSet,
    pause: float,
    sleep: Callable[[float], None],
) -> str | None:
    """Wait until the change set can be executed; the reason if it never can.

    botocore's waiter hides which call failed.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html
    """
    while True:
        described = cloudformation.describe_change_set(
            StackName=change_set.stack, ChangeSetName=change_set.name
        )
        status = described["Status"]
        if status == "CREATE_COMPLETE":
            return None
        if status not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
            return described.get("StatusReason", f"it is {status}")
        sleep(pause)


def _kind(
    cloudformation: CloudFormationClient,
    name: str,
    pause: float,
    sleep: Callable[[float], None],
) -> ChangeSetTypeType:
    """Whether the stack is to be created or updated.

    Raises:
        DeployFailed: its state allows neither.
    """
    stack = describe(cloudformation, name)
    if stack is None:
        return "CREATE"
    status = stack["StackStatus"]
    if is_only_a_name(stack):
        delete(cloudformation, name, pause=pause, sleep=sleep)
        return "CREATE"
    if status.endswith("_IN_PROGRESS"):
        raise _in_progress(name, status)
    # What each state allows:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    if status == "DELETE_FAILED":
        again = f"aws cloudformation delete-stack --stack-name {name}"
        raise DeployFailed(f"stack {name} is {status}", hint=f"delete it first: {again}")
    if status in {"UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED"}:
        raise DeployFailed(
            f"stack {name} is {status}", hint="repair it in the CloudFormation console first"
        )
    return "UPDATE"


def _create(
    cloudformation: CloudFormationClient, stack: Stack, kind: ChangeSetTypeType, name: str
) -> None:
    from botocore.exceptions import ClientError

    def parameter(key: str, value: str | None) -> ParameterTypeDef:
        if value is None:
            return {"ParameterKey": key, "UsePreviousValue": True}
        return {"ParameterKey": key, "ParameterValue": value}

    # A new stack has no former values; AWS refuses "Cannot specify UsePreviousValue on Parameters
    # when ChangeSetType is CREATE" (https://github.com/mapbox/cfn-config/issues/182).
    parameters = {
        key: value
        for key, value in stack.parameters.items()
        if kind != "CREATE" or value is not None
    }
    template: dict[str, Any] = {"TemplateBody": stack.template}
    if stack.template_url:
        template = {"TemplateURL": stack.template_url}
    if stack.imports:
        template["ResourcesToImport"] = stack.imports
    try:
        cloudformation.create_change_set(
            StackName=stack.name,
            ChangeSetName=name,
            ChangeSetType=kind,
            **template,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[parameter(key, value) for key, value in parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in stack.tags.items()],
        )
    except ClientError as error:
        # A fault in the template or a parameter is an error here, not in the change set.
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        reason = error.response["Error"]["Message"]
        raise DeployFailed(f"CloudFormation refused stack {stack.name}", hint=reason) from error


def _changes(cloudformation: CloudFormationClient, stack: str, name: str) -> Iterator[Change]:
    pages = cloudformation.get_paginator("describe_change_set").paginate(
        StackName=stack, ChangeSetName=name
    )
    for change in (entry["ResourceChange"] for page in pages for entry in page.get("Changes", ())):
        yield Change(
            action=change["Action"],
            resource=change["LogicalResourceId"],
            type=change["ResourceType"],
            replaced=change.get("Replacement", "False"),
        )


def discard(cloudformation: CloudFormationClient, change_set: ChangeSet) -> None:
    """Delete an unwanted change set, and the empty stack that was created for its review.

    Somebody else may have created the stack since: it stays.
    """
    cloudformation.delete_change_set(StackName=change_set.stack, ChangeSetName=change_set.name)
    if change_set.kind not in {"CREATE", "IMPORT"}:
        return
    stack = _describe(cloudformation, change_set.stack)
    if stack is not None and stack["StackStatus"] == _REVIEWED:
        cloudformation.delete_stack(StackName=change_set.stack)


# --- do -------------------------------------------------------------------------------------------
def execute(
    cloudformation: CloudFormationClient,
    change_set: ChangeSet,
    *,
    on_event: Callable[[Event], None] = ignore,
    pause: float = 3.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Execute a change set and wait until the stack is done.

    Raises:
        DeployFailed: a resource failed; all changes are rolled back.
    """
    with (
        _explained_by_another(cloudformation, change_set),
        _discarded_on_failure(cloudformation, change_set),
    ):
        seen = {event["EventId"] for event in events(cloudformation, change_set.stack)}
        cloudformation.execute_change_set(StackName=change_set.stack, ChangeSetName=change_set.name)
    _follow(
        cloudformation,
        change_set.stack,
        wanted=f"{change_set.kind}_COMPLETE",
        seen=seen,
        on_event=on_event,
        pause=pause,
        sleep=sleep,
    )


def delete(
    cloudformation: CloudFormationClient,
    name: str,
    *,
    on_event: Callable[[Event], None] = ignore,
    pause: float = 3.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Delete a stack and wait until it is gone.

    Raises:
        NoStack: there is none of that name.
        DeployFailed: a resource could not be deleted, or another stack needs it.
    """
    from botocore.exceptions import ClientError

    stack = describe(cloudformation, name)
    if stack is None:
        raise NoStack(f"there is no stack {name}", hint=_LIST)
    # A deleted stack is found by its ID alone.
    stack_id = stack["StackId"]
    seen = {event["EventId"] for event in events(cloudformation, stack_id)}
    try:
        cloudformation.delete_stack(StackName=stack_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        reason = error.response["Error"]["Message"]
        raise DeployFailed(f"stack {name} cannot be deleted", hint=reason) from error
    _follow(
        cloudformation,
        stack_id,
        wanted="DELETE_COMPLETE",
        seen=seen,
        on_event=on_event,
        pause=pause,
        sleep=sleep,
    )


def events(cloudformation: CloudFormationClient, stack: str) -> Iterator[StackEventTypeDef]:
    """The stack's events, newest first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    for page in pages:
        yield from page["StackEvents"]


def _follow(
    cloudformation: CloudFormationClient,
    stack: str,
    *,
    wanted: str,
    seen: set[str],
    on_event: Callable[[Event], None],
    pause: float,
    sleep: Callable[[float], None],
) -> None:
    """Report events until the stack's own last one.

    botocore's waiters report nothing until the end.

    Raises:
        DeployFailed: the stack ended in another state, for the reason of the first failure.
    """
    failure = ""
    while True:
        for event in _new_events(cloudformation, stack, seen):
            on_event(event)
            if event.status.endswith("_FAILED") and not failure:
                failure = f"{event.resource}: {event.reason or 'no reason given'}"
            # A new stack may be back in review after a failed import: AWS does not document it.
            ended = event.status == _REVIEWED or not event.status.endswith("_IN_PROGRESS")
            if event.of_stack and ended:
                if event.status == wanted:
                    return
                verb = _DONE[wanted.partition("_")[0]]
                raise DeployFailed(
                    f"stack {event.stack} could not be {verb}",
                    hint=failure or event.reason or "see its events in the CloudFormation console",
                )
        sleep(pause)


def _new_events(
    cloudformation: CloudFormationClient, stack: str, seen: set[str]
) -> Iterator[Event]:
    """The events since the last poll, oldest first."""
    fresh = []
    for event in events(cloudformation, stack):
        if event["EventId"] in seen:
            break
        fresh.append(event)
    for event in reversed(fresh):
        seen.add(event["EventId"])
        status = event.get("ResourceStatus", "")
        yield Event(
            stack=event["StackName"],
            resource=event.get("LogicalResourceId", ""),
            type=event.get("ResourceType", ""),
            status=status,
            reason=event.get("ResourceStatusReason", ""),
            time=event["Timestamp"],
        )


def deploy(
    cloudformation: CloudFormationClient,
    stack: Stack,
    *,
    on_event: Callable[[Event], None] = ignore,
    pause: float = 3.0,
) -> dict[str, str]:
    """Create or update the stack and return its outputs; a stack without changes is a success.

    Raises:
        DeployFailed: the change set or a resource failed; a failed update is rolled back.
    """
    change_set = prepare(cloudformation, stack, pause=pause)
    if change_set is not None:
        execute(cloudformation, change_set, on_event=on_event, pause=pause)
    return outputs(cloudformation, stack.name)

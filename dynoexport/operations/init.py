"""``init``: the common stack, and the job scripts that table stacks run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynoexport import assets, naming, settings
from dynoexport.aws import change_sets
from dynoexport.aws.account import side_by_side
from dynoexport.aws.change_sets import DeployFailed, ignore
from dynoexport.cloudformation import parameters as forms
from dynoexport.cloudformation.check import check_parameters
from dynoexport.errors import DynoexportError
from dynoexport.model import described

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynoexport.aws.account import Account
    from dynoexport.aws.change_sets import ChangeSet, Event

# CloudFormation throttles callers that change many stacks at once.
_STACKS_AT_ONCE = 4


class Declined(DynoexportError):
    """The user declined the changes; nothing was changed."""


@dataclass(frozen=True)
class Initialized:
    """What ``init`` did."""

    stack: str = field(metadata=described("name of the common stack"))
    changed: bool = field(metadata=described("whether the stack was created or updated"))
    bucket: str = field(metadata=described("bucket of all exports"))
    scripts_version: str = field(
        metadata=described("hash of the job scripts, and their folder in the bucket")
    )
    uploaded: tuple[str, ...] = field(metadata=described("list of the keys of uploaded scripts"))


def init(
    account: Account,
    *,
    parameters: Mapping[str, str] | None = None,
    common_stack: str = settings.DEFAULT_COMMON_STACK,
    approve: Callable[[Sequence[ChangeSet]], bool] = lambda _: True,
    on_event: Callable[[Event], None] = ignore,
) -> Initialized:
    """Create or update the common stack, then upload the job scripts under their version.

    Parameters you omit keep their current values. ``approve`` gets the change set before it is
    executed.

    Raises:
        ParameterRefused: a parameter does not exist or does not take that value.
        Declined: ``approve`` said no.
        DeployFailed: the stack could not be created or updated.
    """
    given = dict(parameters or {})
    check_parameters(forms.common_groups(), given)
    known = change_sets.describe(account.cloudformation, common_stack)
    if known:
        _check_owner(known)
    kept = dict.fromkeys(change_sets.read_parameters(known)) if known else {}
    stack = change_sets.Stack(common_stack, assets.template("common.yaml"), {**kept, **given})
    changed = apply(account, [stack], approve=approve, on_event=on_event)
    bucket = change_sets.outputs(account.cloudformation, common_stack)["BucketName"]
    return Initialized(
        stack=common_stack,
        changed=bool(changed),
        bucket=bucket,
        scripts_version=assets.scripts_version(),
        uploaded=tuple(publish_scripts(account, bucket)),
    )


def _check_owner(stack: Mapping[str, Any]) -> None:
    """Check that the stack is a common stack: an update would delete the resources of another.

    Raises:
        DeployFailed: it is not.
    """
    # One that never was, or that is being created, has no outputs yet.
    settled = stack["StackStatus"].endswith("_COMPLETE") and not change_sets.is_only_a_name(stack)
    if settled and "BucketName" not in change_sets.read_outputs(stack):
        raise DeployFailed(
            f"the stack {stack['StackName']} is not a common stack of dynoexport",
            hint="choose another name with --common-stack",
        )


def apply(
    account: Account,
    stacks: Sequence[change_sets.Stack],
    *,
    approve: Callable[[Sequence[ChangeSet]], bool],
    on_event: Callable[[Event], None],
) -> list[str]:
    """Change all stacks, or none if ``approve`` says no; return the names of those that changed.

    Raises:
        Declined: ``approve`` said no.
        DeployFailed: a stack could not be changed. The others are, and the message names all.
    """
    prepared = _prepare(account, stacks)
    if prepared:
        _ask(account, prepared, approve)

    def execute(change_set: ChangeSet) -> DeployFailed | None:
        try:
            change_sets.execute(
                account.cloudformation, change_set, on_event=on_event, pause=account.pause
            )
        except DeployFailed as error:
            return error
        return None

    outcomes = side_by_side(execute, prepared, parallel=_STACKS_AT_ONCE)
    _raise_any([error for error in outcomes if error is not None], of=len(prepared))
    return [change_set.stack for change_set in prepared]


def _ask(
    account: Account, prepared: Sequence[ChangeSet], approve: Callable[[Sequence[ChangeSet]], bool]
) -> None:
    """Discard the change sets if the answer is no or the user interrupts."""
    approved = False
    try:
        approved = approve(prepared)
    finally:
        if not approved:
            for change_set in prepared:
                change_sets.discard(account.cloudformation, change_set)
    if not approved:
        raise Declined("nothing was changed")


def _prepare(account: Account, stacks: Sequence[change_sets.Stack]) -> list[ChangeSet]:
    """The change sets of the stacks that change; if one is refused, all are discarded."""

    def prepare(stack: change_sets.Stack) -> ChangeSet | DeployFailed | None:
        try:
            return change_sets.prepare(account.cloudformation, stack, pause=account.pause)
        except DeployFailed as error:
            return error

    outcomes = side_by_side(prepare, stacks, parallel=_STACKS_AT_ONCE)
    prepared = [each for each in outcomes if isinstance(each, change_sets.ChangeSet)]
    refused = [each for each in outcomes if isinstance(each, DeployFailed)]
    if refused:
        for change_set in prepared:
            change_sets.discard(account.cloudformation, change_set)
        _raise_any(refused, of=len(stacks))
    return prepared


def _raise_any(failures: Sequence[DeployFailed], *, of: int) -> None:
    if len(failures) > 1:
        raise DeployFailed(
            f"{len(failures)} of {of} stacks could not be deployed",
            hint="\n  ".join(map(str, failures)),
        )
    if failures:
        raise failures[0]


def publish_scripts(account: Account, bucket: str) -> list[str]:
    """Upload the job scripts that the bucket does not have yet, and return their keys.

    A key contains the hash of the scripts, so an object is never overwritten.
    """
    version = assets.scripts_version()
    prefix = naming.script_key("", version)
    pages = account.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    there = {found["Key"] for page in pages for found in page.get("Contents", ())}
    uploaded = []
    for script in assets.scripts():
        key = naming.script_key(script, version)
        if key not in there:
            account.s3.put_object(Bucket=bucket, Key=key, Body=assets.script(script).encode())
            uploaded.append(key)
    return uploaded

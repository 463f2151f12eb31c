"""``init``: the common stack, and the job scripts that table stacks run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynoexport import assets, naming, settings
from dynoexport.aws import change_sets, exports, failed_imports
from dynoexport.aws.change_sets import DeployFailed, ignore
from dynoexport.aws.several_stacks import apply
from dynoexport.cloudformation import existing as existing_resources
from dynoexport.cloudformation import parameters as forms
from dynoexport.cloudformation.check import check_parameters
from dynoexport.model import described
from dynoexport.operations import alarms, imports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynoexport.aws.account import Account
    from dynoexport.aws.change_sets import ChangeSet, Event


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
    imported: tuple[str, ...] = field(
        default=(), metadata=described("list of what existed and is now part of the stack")
    )


def init(
    account: Account,
    *,
    parameters: Mapping[str, str] | None = None,
    common_stack: str = settings.DEFAULT_COMMON_STACK,
    replace_bucket_policy: bool = False,
    approve: Callable[[Sequence[ChangeSet]], bool] = lambda _: True,
    on_event: Callable[[Event], None] = ignore,
) -> Initialized:
    """Create or update the common stack, then upload the job scripts under their version.

    A bucket and a Glue database that exist under their names become part of a new stack, with all
    they contain. If the bucket's policy has statements of somebody else, this needs
    ``replace_bucket_policy``. Parameters you omit keep their current values. ``approve`` gets the
    change set before it is executed, and only the first one of an import.

    Raises:
        ParameterRefused: a parameter does not exist or does not take that value.
        Declined: ``approve`` said no.
        DeployFailed: the stack could not be created or updated.
    """
    given = dict(parameters or {})
    check_parameters(forms.common_groups(), given)
    known = change_sets.describe(account.cloudformation, common_stack)
    # An interrupted command may have left it.
    if failed_imports.remove(account.cloudformation, known, pause=account.pause):
        known = None
    if known:
        _check_owner(known)
        _check_key(account, known, given)
        _check_topic(account, known, given)
    is_new = known is None or change_sets.is_only_a_name(known)
    existing = None
    if known is None or is_new or imports.is_unfinished(known):
        existing = imports.find(account, common_stack, replace_policy=replace_bucket_policy)
    notes = existing_resources.notes(existing, given.get(settings.KMS_KEY_ARN, ""))
    imported: tuple[str, ...] = ()
    if existing is not None and is_new:
        imported = imports.import_into(
            account, common_stack, existing, notes=notes, approve=approve, on_event=on_event
        )
    kept = dict.fromkeys(change_sets.read_parameters(known)) if known and not imported else {}
    stack = change_sets.Stack(
        common_stack, assets.template("common.yaml"), {**kept, **given}, notes=notes
    )
    # The import was approved with all that follows.
    approve_rest = (lambda _: True) if imported else approve
    changed = apply(account, [stack], approve=approve_rest, on_event=on_event)
    bucket = change_sets.outputs(account.cloudformation, common_stack)["BucketName"]
    return Initialized(
        stack=common_stack,
        changed=bool(changed),
        bucket=bucket,
        scripts_version=assets.scripts_version(),
        uploaded=tuple(publish_scripts(account, bucket)),
        imported=imported,
    )


def _check_owner(stack: Mapping[str, Any]) -> None:
    """Check that the stack is a common stack: an update would delete the resources of another.

    Raises:
        DeployFailed: it is not.
    """
    # A stack that was never created, or is being created, has no outputs yet.
    settled = stack["StackStatus"].endswith("_COMPLETE") and not (
        change_sets.is_only_a_name(stack) or imports.is_unfinished(stack)
    )
    if settled and "BucketName" not in change_sets.read_outputs(stack):
        raise DeployFailed(
            f"the stack {stack['StackName']} is not a common stack of dynoexport",
            hint="choose another name with --common-stack",
        )


def _check_key(account: Account, stack: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Check that no export uses the key, if it is to change.

    Table stacks import it: CloudFormation would refuse at the end, after it changed the bucket.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html

    Raises:
        DeployFailed: one does.
    """
    former = change_sets.read_outputs(stack).get(settings.KMS_KEY_ARN, "")
    if not former or given.get(settings.KMS_KEY_ARN, former) == former:
        return
    using = [f"{export.table} as {export.format.value}" for export in exports.find_all(account)]
    if using:
        raise DeployFailed(
            f"{settings.KMS_KEY_ARN} cannot change while there are exports: {', '.join(using)}",
            hint="destroy them first; their snapshots stay encrypted with the former key",
        )


def _check_topic(account: Account, stack: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Check that no export notifies the topic, if it is to go; table stacks import it, too.

    Raises:
        DeployFailed: one does.
    """
    has_topic = "TopicArn" in change_sets.read_outputs(stack)
    if not has_topic or given.get(settings.NOTIFICATION_EMAIL) != "":
        return
    using = [
        f"{export.table} as {export.format.value}"
        for export in exports.find_all(account)
        if alarms.switched_on(_parameters(account, export.stack))
    ]
    if using:
        raise DeployFailed(
            f"{settings.NOTIFICATION_EMAIL} cannot be removed while exports notify: "
            f"{', '.join(using)}",
            hint="name another address, or first deploy them with "
            + " ".join(f"--set {name}={off}" for name, off in alarms.OFF.items()),
        )


def _parameters(account: Account, stack: str) -> dict[str, str]:
    found = change_sets.describe(account.cloudformation, stack)
    return change_sets.read_parameters(found) if found else {}


def publish_scripts(account: Account, bucket: str) -> list[str]:
    """Upload the job scripts that the bucket does not have yet, and return their keys.

    A key contains the hash of the scripts, so an object is never overwritten.
    """
    version = assets.scripts_version()
    prefix = naming.script_key("", version)
    pages = account.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    there = {entry["Key"] for page in pages for entry in page.get("Contents", ())}
    uploaded = []
    for script in assets.scripts():
        key = naming.script_key(script, version)
        if key not in there:
            account.s3.put_object(Bucket=bucket, Key=key, Body=assets.script(script).encode())
            uploaded.append(key)
    return uploaded

"""A bucket and a Glue database that exist become part of the common stack.

A deleted common stack leaves both with their data, and the design of 2019 has used the same names.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from dynoexport import naming
from dynoexport.aws import change_sets, failed_imports, several_stacks
from dynoexport.aws.change_sets import DeployFailed, Stack
from dynoexport.aws.errors import explain, is_denied
from dynoexport.cloudformation import existing as templates
from dynoexport.cloudformation.existing import Existing, ExistingBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_cloudformation.type_defs import ResourceToImportTypeDef

    from dynoexport.aws.account import Account
    from dynoexport.aws.change_sets import ChangeSet, Event

# What S3 answers if a bucket does not have that configuration.
_LACKING = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)


def is_unfinished(stack: Mapping[str, Any]) -> bool:
    """Whether the stack has only what was imported: the rest of the common stack is missing."""
    return bool(stack.get("Description") == templates.DESCRIPTION)


def find(account: Account, stack: str, *, replace_policy: bool) -> Existing | None:
    """What exists of the bucket and the database; None if neither does.

    Raises:
        DeployFailed: the stack can neither create nor import it, or the bucket's policy has
            statements of somebody else and is not to be replaced.
    """
    bucket, has_database = _find_bucket(account, stack), _find_database(account, stack)
    if bucket is None and not has_database:
        return None
    if bucket is not None and not replace_policy:
        _check_policy(bucket)
    return Existing(bucket=bucket, has_database=has_database)


def _refuse(stack: str, obstacle: str) -> DeployFailed:
    return DeployFailed(
        f"stack {stack} cannot be created, because there already is the {obstacle}",
        hint="use another region or account, or delete it if it is yours",
    )


def _find_bucket(account: Account, stack: str) -> ExistingBucket | None:
    from botocore.exceptions import ClientError

    name = account.bucket
    try:
        answer: Any = account.s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.account_id)
    except ClientError as error:
        # It does not exist, is another account's, or the caller may not see it: CloudFormation
        # decides.
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == HTTPStatus.FORBIDDEN and _find_database(account, stack):
            raise _refuse(
                stack,
                f"Glue database {naming.DATABASE}, and the bucket {name} is of another account "
                "or you may not read it",
            ) from None
        return None
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    region = answer.get("BucketRegion") or headers.get("x-amz-bucket-region", account.region)
    if region != account.region:
        raise _refuse(stack, f"bucket {name} in the region {region}")
    with _readable():
        return _describe_bucket(account)


def _find_database(account: Account, stack: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        database = account.glue.get_database(Name=naming.DATABASE)["Database"]
    except ClientError:
        # It does not exist, or the caller may not see it: then CloudFormation decides.
        return False
    # The answer for a link to a database describes its target:
    # https://docs.aws.amazon.com/lake-formation/latest/dg/resource-links-glue-apis.html
    catalog = database.get("CatalogId", account.account_id)
    if catalog != account.account_id or "TargetDatabase" in database:
        raise _refuse(stack, f"Glue database {naming.DATABASE}, a link to another database")
    return True


@contextmanager
def _readable() -> Iterator[None]:
    """Name the policy that an import needs in addition.

    Raises:
        DeployFailed: the caller may not read what the import needs.
    """
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if not is_denied(error):
            raise
        denied = explain(error)
        raise DeployFailed(
            f"what exists cannot be imported: {denied.what if denied else error}",
            hint="attach the policy that 'dynoexport permissions import' prints",
        ) from error


def _describe_bucket(account: Account) -> ExistingBucket:
    """The bucket with all that the common stack would change."""
    s3, name = account.s3, account.bucket
    lifecycle = _ask(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name))
    encryption = _ask(lambda: s3.get_bucket_encryption(Bucket=name))
    ownership = _ask(lambda: s3.get_bucket_ownership_controls(Bucket=name))
    block = _ask(lambda: s3.get_public_access_block(Bucket=name))
    policy = _ask(lambda: s3.get_bucket_policy(Bucket=name))
    return ExistingBucket(
        name=name,
        rules=[templates.lifecycle_rule(rule) for rule in lifecycle.get("Rules", ())],
        encryption=encryption["ServerSideEncryptionConfiguration"]["Rules"][0]
        if encryption
        else None,
        ownership=ownership["OwnershipControls"]["Rules"][0]["ObjectOwnership"]
        if ownership
        else "",
        public_access_block=block.get("PublicAccessBlockConfiguration"),
        policy=json.loads(policy["Policy"]) if policy else None,
    )


def _ask(call: Callable[[], Any]) -> Mapping[str, Any]:
    """The answer; empty if the bucket does not have it."""
    from botocore.exceptions import ClientError

    try:
        return call()  # type: ignore[no-any-return]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _LACKING:
            raise
        return {}


def _check_policy(bucket: ExistingBucket) -> None:
    """Check that no statement of somebody else is lost unasked.

    Raises:
        DeployFailed: the bucket policy has one.
    """
    foreign = templates.foreign_statements(bucket)
    if foreign:
        raise DeployFailed(
            f"the bucket {bucket.name} has a policy that the common stack would replace: "
            f"{', '.join(foreign)}",
            hint=f"save it with 'aws s3api get-bucket-policy --bucket {bucket.name}', then add "
            "--replace-bucket-policy",
        )


def import_into(
    account: Account,
    stack: str,
    existing: Existing,
    *,
    notes: tuple[str, ...],
    approve: Callable[[Sequence[ChangeSet]], bool],
    on_event: Callable[[Event], None],
) -> tuple[str, ...]:
    """Create the stack from what exists, and return the names of what it has then.

    Raises:
        Declined: ``approve`` said no.
        DeployFailed: CloudFormation cannot import it. The stack is gone, what exists is unchanged.
    """
    template = templates.import_template(existing, account.account_id)
    imported = _identify(account, template)
    made = Stack(stack, template, imports=imported, notes=notes)
    try:
        several_stacks.apply(account, [made], approve=approve, on_event=on_event)
    except DeployFailed as error:
        # The failure is the error to report.
        with suppress(Exception):
            failed = change_sets.describe(account.cloudformation, stack)
            failed_imports.remove(account.cloudformation, failed, pause=account.pause)
        raise _explain(error) from error
    names = (next(iter(resource["ResourceIdentifier"].values())) for resource in imported)
    # A bucket and its policy have one name.
    return tuple(dict.fromkeys(names))


def _identify(account: Account, template: str) -> list[ResourceToImportTypeDef]:
    """How CloudFormation identifies the template's resources.

    Raises:
        DeployFailed: it cannot import one of them.
    """
    with _readable():
        answer = account.cloudformation.get_template_summary(TemplateBody=template)
    asked = {
        entry["ResourceType"]: entry["ResourceIdentifiers"]
        for entry in answer.get("ResourceIdentifierSummaries", ())
    }
    known = templates.identifiers(account.account_id, account.region)
    found: list[ResourceToImportTypeDef] = []
    for name, resource in json.loads(template)["Resources"].items():
        kind = resource["Type"]
        identifier = templates.identify(known[kind], asked.get(kind, ()))
        if identifier is None:
            raise DeployFailed(
                f"CloudFormation does not import {kind} in {account.region}",
                hint="delete the resource if it is empty, or use another region",
            )
        found.append(
            {
                "LogicalResourceId": name,
                "ResourceType": kind,
                "ResourceIdentifier": identifier,
            }
        )
    return found


def _explain(error: DeployFailed) -> DeployFailed:
    """The next step if another stack has the resource.

    "does not belong to another stack in the same Region" is a condition of imports:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html
    """
    match = re.search(r"(\S+) already exists in stack \S*?:stack/([^/\s]+)", error.hint)
    if match is None:
        return error
    return DeployFailed(
        f"{match[1]} belongs to the stack {match[2]}",
        hint=f"if that is a common stack, use it with --common-stack {match[2]}; if not, give the "
        "resource the DeletionPolicy Retain there, delete that stack and run init again",
    )

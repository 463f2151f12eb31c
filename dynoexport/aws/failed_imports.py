"""What CloudFormation leaves of a stack whose creation from existing resources failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.aws import change_sets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation import CloudFormationClient

# The states of a stack that has never had a resource. AWS does not document in which one it is
# after the import: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_NEVER_CREATED = frozenset(
    {
        "REVIEW_IN_PROGRESS",
        "IMPORT_IN_PROGRESS",
        "IMPORT_ROLLBACK_IN_PROGRESS",
        "IMPORT_ROLLBACK_COMPLETE",
        "IMPORT_ROLLBACK_FAILED",
    }
)


def remove(
    cloudformation: CloudFormationClient, stack: Mapping[str, Any] | None, *, pause: float = 3.0
) -> bool:
    """Delete the described stack if it is what a failed import left; whether it was.

    A stack that has had resources has other events, or none of its beginning.
    """
    if stack is None or not stack["StackStatus"].startswith("IMPORT_ROLLBACK_"):
        return False
    name = stack["StackName"]
    own = {
        event.get("ResourceStatus", "")
        for event in change_sets.events(cloudformation, name)
        if event.get("PhysicalResourceId") == stack["StackId"]
    }
    if "REVIEW_IN_PROGRESS" not in own or not own <= _NEVER_CREATED:
        return False
    change_sets.delete(cloudformation, name, pause=pause)
    return True

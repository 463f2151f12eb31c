"""The IAM policies of all tasks of people, with that of an import, which is done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import cloudformation, s3
from awacs.aws import Action, PolicyDocument

from dynoexport.iam import caller_policies
from dynoexport.iam.statements import allow, policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport.iam.installation import Installation


def import_existing(at: Installation) -> PolicyDocument:
    """What ``init`` needs in addition to ``deploy`` if the bucket or the database exists.

    CloudFormation reads an imported bucket with all its properties: the read handler in the
    registry's schema of AWS::S3::Bucket lists these actions.
    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
    """
    return policy(
        [
            # A template in the request belongs to no stack:
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
            allow("IdentifyResources", [cloudformation.GetTemplateSummary], ["*"]),
            allow(
                "ReadBucket",
                [
                    s3.GetAccelerateConfiguration,
                    s3.GetAnalyticsConfiguration,
                    Action("s3", "GetBucketAbac"),
                    s3.GetBucketCORS,
                    s3.GetBucketLogging,
                    Action("s3", "GetBucketMetadataTableConfiguration"),
                    s3.GetBucketNotification,
                    s3.GetBucketObjectLockConfiguration,
                    s3.GetBucketOwnershipControls,
                    s3.GetBucketPublicAccessBlock,
                    s3.GetBucketTagging,
                    s3.GetBucketVersioning,
                    s3.GetBucketWebsite,
                    s3.GetEncryptionConfiguration,
                    s3.GetIntelligentTieringConfiguration,
                    s3.GetInventoryConfiguration,
                    s3.GetLifecycleConfiguration,
                    s3.GetMetricsConfiguration,
                    s3.GetReplicationConfiguration,
                    Action("s3", "ListTagsForResource"),
                ],
                [at.bucket],
            ),
        ]
    )


# `doctor` checks those in PURPOSES.
TASKS: dict[str, Callable[[Installation], PolicyDocument]] = {
    **caller_policies.PURPOSES,
    "import": import_existing,
}

"""The policy of whoever deploys: CloudFormation acts with the caller's permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import (
    athena,
    cloudformation,
    cloudwatch,
    dynamodb,
    events,
    glue,
    iam,
    kms,
    lakeformation,
    s3,
    sns,
    tag,
)
from awacs.aws import ArnEquals, Condition, PolicyDocument, Statement, StringEquals

from dynoexport import naming
from dynoexport.iam.installation import (
    OURS,
    publish_datapoints,
    read_tables,
    snapshot_alarms,
    use_key,
)
from dynoexport.iam.statements import allow, policy

if TYPE_CHECKING:
    from dynoexport.iam.installation import Installation


def deploy(at: Installation) -> PolicyDocument:
    """``init`` and ``deploy``: CloudFormation acts with the caller's permissions."""
    return policy(
        [
            allow(
                "Stacks",
                [
                    cloudformation.CreateChangeSet,
                    cloudformation.DescribeChangeSet,
                    cloudformation.ExecuteChangeSet,
                    cloudformation.DeleteChangeSet,
                    cloudformation.DescribeStacks,
                    cloudformation.DescribeStackEvents,
                    cloudformation.DeleteStack,
                ],
                at.arns("cloudformation", f"stack/{OURS}/*"),
            ),
            *_roles(at),
            *_glue(at),
            *_shared(at),
            *_notifications(at),
            *_look(at),
            *use_key(at, kms.GenerateDataKey, kms.Decrypt),
        ]
    )


def _roles(at: Installation) -> list[Statement]:
    """Roles of exports only, with the boundary if there is one, for AWS Glue only."""
    roles = at.arns("iam", f"role/{OURS}")
    bounded = Condition(ArnEquals("iam:PermissionsBoundary", at.boundary))
    to_glue = Condition(StringEquals("iam:PassedToService", "glue.amazonaws.com"))
    grant = [
        iam.CreateRole,
        iam.PutRolePolicy,
        iam.DeleteRolePolicy,
        iam.PutRolePermissionsBoundary,
    ]
    if not at.boundary:
        # Whoever must set a boundary must not remove one.
        grant.append(iam.DeleteRolePermissionsBoundary)
    return [
        allow("GrantRoles", grant, roles, bounded if at.boundary else None),
        allow(
            "KeepRoles",
            [
                iam.GetRole,
                iam.GetRolePolicy,
                iam.ListRolePolicies,
                iam.ListAttachedRolePolicies,
                iam.UpdateRole,
                iam.UpdateAssumeRolePolicy,
                iam.DeleteRole,
                iam.TagRole,
                iam.UntagRole,
            ],
            roles,
        ),
        allow("PassRoles", [iam.PassRole], roles, to_glue),
    ]


def _glue(at: Installation) -> list[Statement]:
    return [
        _workflows(at),
        _nodes(at),
        # A stack can name a connection, and the command checks that it exists.
        allow(
            "ReadConnection",
            [glue.GetConnection],
            at.arns("glue", "catalog", "connection/*"),
        ),
        # These actions have no resource-level permissions:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsglue.html
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslakeformation.html
        # CloudFormation asks Lake Formation about a database.
        allow(
            "WithoutResource",
            [
                glue.CreateCrawler,
                glue.CreateClassifier,
                glue.GetClassifier,
                glue.UpdateClassifier,
                glue.DeleteClassifier,
                glue.CreateSecurityConfiguration,
                glue.GetSecurityConfiguration,
                glue.DeleteSecurityConfiguration,
                sns.Unsubscribe,
                lakeformation.ListResources,
                lakeformation.DescribeResource,
                lakeformation.DescribeLakeFormationIdentityCenterConfiguration,
            ],
            ["*"],
        ),
    ]


def _workflows(at: Installation) -> Statement:
    return allow(
        "Workflows",
        [
            glue.CreateWorkflow,
            glue.GetWorkflow,
            glue.BatchGetWorkflows,
            glue.UpdateWorkflow,
            glue.DeleteWorkflow,
            glue.CreateTrigger,
            glue.GetTrigger,
            glue.UpdateTrigger,
            glue.StartTrigger,
            glue.StopTrigger,
            glue.DeleteTrigger,
            *_GLUE_TAGS,
        ],
        at.arns("glue", f"workflow/{OURS}", f"trigger/{OURS}"),
    )


def _nodes(at: Installation) -> Statement:
    """Names of jobs and crawlers begin with any table's name, and end with our suffixes."""
    return allow(
        "Nodes",
        [
            glue.CreateJob,
            glue.GetJob,
            glue.UpdateJob,
            glue.DeleteJob,
            glue.GetCrawler,
            glue.UpdateCrawler,
            glue.StopCrawler,
            glue.DeleteCrawler,
            *_GLUE_TAGS,
        ],
        at.arns(
            "glue",
            f"job/{naming.export_job('*', '*')}",
            f"job/{naming.view_job('*', '')}",
            f"crawler/{naming.crawler('*', '')}",
        ),
    )


_GLUE_TAGS = (glue.GetTags, glue.TagResource, glue.UntagResource)


def _shared(at: Installation) -> list[Statement]:
    """What the common stack has: bucket, scripts, database, workgroup."""
    return [
        allow(
            "Bucket",
            [
                s3.CreateBucket,
                s3.ListBucket,
                s3.PutEncryptionConfiguration,
                s3.PutLifecycleConfiguration,
                s3.PutBucketPublicAccessBlock,
                s3.PutBucketOwnershipControls,
                s3.GetBucketPolicy,
                s3.PutBucketPolicy,
                s3.DeleteBucketPolicy,
                # CloudFormation deletes the empty bucket of an `init` that failed.
                s3.DeleteBucket,
            ],
            [at.bucket],
        ),
        # CloudFormation reads the object of TemplateURL with the caller's permissions.
        allow("PublishScripts", [s3.PutObject, s3.GetObject], at.objects(naming.SCRIPTS_PREFIX)),
        # `deploy` looks up the catalog's KMS key for the roles.
        # CloudFormation also deletes the database of an `init` that failed. This needs its
        # tables and functions, too; one pattern for all keeps the policy small enough:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsglue.html
        allow(
            "Database",
            [
                glue.CreateDatabase,
                glue.GetDatabase,
                glue.UpdateDatabase,
                glue.DeleteDatabase,
                glue.GetDataCatalogEncryptionSettings,
            ],
            at.arns("glue", "catalog", f"*/{naming.DATABASE}*"),
        ),
        allow(
            "WorkGroup",
            [
                athena.CreateWorkGroup,
                athena.GetWorkGroup,
                athena.UpdateWorkGroup,
                athena.DeleteWorkGroup,
                athena.ListTagsForResource,
                athena.TagResource,
                athena.UntagResource,
            ],
            # Both workgroups, and others whose names begin like that: with both names the policy
            # would be too long.
            at.arns("athena", f"workgroup/{naming.WORK_GROUP}*"),
        ),
    ]


def _notifications(at: Installation) -> list[Statement]:
    """The topic, and the alarms and rules that publish to it."""
    return [
        allow(
            "Topic",
            [
                sns.CreateTopic,
                sns.GetTopicAttributes,
                sns.SetTopicAttributes,
                sns.DeleteTopic,
                sns.Subscribe,
                sns.ListSubscriptionsByTopic,
                sns.GetDataProtectionPolicy,
                sns.ListTagsForResource,
                sns.TagResource,
                sns.UntagResource,
            ],
            at.arns("sns", OURS),
        ),
        allow(
            "Alarms",
            [
                cloudwatch.PutMetricAlarm,
                cloudwatch.DescribeAlarms,
                cloudwatch.EnableAlarmActions,
                cloudwatch.DisableAlarmActions,
                cloudwatch.DeleteAlarms,
                cloudwatch.ListTagsForResource,
                cloudwatch.TagResource,
                cloudwatch.UntagResource,
            ],
            [snapshot_alarms(at)],
        ),
        publish_datapoints(),
        allow(
            "Rules",
            [
                events.PutRule,
                events.DescribeRule,
                events.DeleteRule,
                events.PutTargets,
                events.RemoveTargets,
                events.ListTargetsByRule,
                events.ListTagsForResource,
                events.TagResource,
                events.UntagResource,
            ],
            at.arns("events", f"rule/{OURS}"),
        ),
    ]


def _look(at: Installation) -> list[Statement]:
    """What the command reads before it changes anything, with ``--auto`` for a plan."""
    return [
        # It has no resource-level permissions:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
        # A page of the table shows what the connector would change. Whoever deploys can read every
        # table in any case, by a role of their own.
        *read_tables(at, tag.GetResources, tables=(dynamodb.Scan,)),
    ]

"""IAM policies of people and pipelines: what deploying, running and querying exports needs.

Plain ARNs of one account and region, because these policies are attached by hand and belong to no
stack. A test deploys, runs and queries under each policy; no call is denied and no permission is
unused.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    logs,
    s3,
    sns,
    tag,
)
from awacs.aws import (
    Action,
    ArnEquals,
    Condition,
    PolicyDocument,
    Statement,
    StringEquals,
    StringLike,
)

from dynoexport import naming
from dynoexport.iam.statements import (
    ANY_QUERYS_DATABASE,
    QUERY,
    READ,
    WRITE_PARTS,
    allow,
    list_keys,
    policy,
)
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable

# The command's stacks begin with it, and so do all names that CloudFormation makes for them.
_OURS = "dynoexport-*"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where exports are: an account and region.

    Attributes:
        boundary: ARN of the permissions boundary that roles of exports must have; empty: none.
        key: ARN of the KMS key that the common stack was given; empty: none.
    """

    account: str
    region: str
    partition: str = "aws"
    boundary: str = ""
    key: str = ""

    def arn(self, service: str, resource: str) -> str:
        region = "" if service == "iam" else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"

    def arns(self, service: str, *resources: str) -> list[str]:
        return [self.arn(service, resource) for resource in resources]

    @property
    def bucket(self) -> str:
        return f"arn:{self.partition}:s3:::{naming.bucket(self.account, self.region)}"

    def objects(self, *prefixes: str) -> list[str]:
        return [f"{self.bucket}/{prefix}*" for prefix in prefixes]

    @property
    def catalog(self) -> list[str]:
        return self.arns("glue", "catalog", f"database/{naming.DATABASE}")

    @property
    def tables(self) -> list[str]:
        return [*self.catalog, self.arn("glue", f"table/{naming.DATABASE}/*")]

    @property
    def services(self) -> str:
        """The domain in the names of AWS's services."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"


_DATA = tuple(f"{fmt.value}/" for fmt in OutputFormat)


# --- deploy ---------------------------------------------------------------------------------------
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
                at.arns("cloudformation", f"stack/{_OURS}/*"),
            ),
            *_roles(at),
            *_glue(at),
            *_shared(at),
            *_notifications(at),
            *_look(at),
            *_use_key(at, kms.GenerateDataKey, kms.Decrypt),
        ]
    )


def _use_key(at: Installation, *actions: Action) -> list[Statement]:
    """The installation's key, through S3 only; empty without a key.

    A write in parts needs Decrypt, too:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    if not at.key:
        return []
    by_s3 = Condition(StringEquals("kms:ViaService", f"s3.{at.region}.{at.services}"))
    return [allow("UseKey", actions, [at.key], by_s3)]


def _roles(at: Installation) -> list[Statement]:
    """Roles of exports only, with the boundary if there is one, for AWS Glue only."""
    roles = at.arns("iam", f"role/{_OURS}")
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
        at.arns("glue", f"workflow/{_OURS}", f"trigger/{_OURS}"),
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
            at.arns("sns", _OURS),
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
            [_snapshot_alarms(at)],
        ),
        _publish_datapoints(),
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
            at.arns("events", f"rule/{_OURS}"),
        ),
    ]


def _snapshot_alarms(at: Installation) -> str:
    return at.arn("cloudwatch", f"alarm:{naming.snapshot_alarm('*', '*')}")


def _publish_datapoints() -> Statement:
    """A new alarm needs a datapoint; a policy can limit only its namespace."""
    ours = Condition(StringLike("cloudwatch:namespace", f"{naming.METRIC_NAMESPACES}*"))
    return allow("ZeroDatapoint", [cloudwatch.PutMetricData], ["*"], ours)


def _look(at: Installation) -> list[Statement]:
    """What the command reads before it changes anything, with ``--auto`` for a plan."""
    return [
        # It has no resource-level permissions:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
        # A page of the table shows what the connector would change. Whoever deploys can read every
        # table in any case, by a role of their own.
        *_plan(at, tag.GetResources, tables=(dynamodb.Scan,)),
    ]


# --- plan -----------------------------------------------------------------------------------------
def plan(at: Installation) -> PolicyDocument:
    """``plan``: describe tables, and read what others and earlier exports consumed."""
    return policy(
        [
            *_plan(at),
            _list(at, naming.MANIFESTS_PREFIX),
            *_use_key(at, kms.Decrypt),
        ]
    )


def _plan(at: Installation, *more: Action, tables: tuple[Action, ...] = ()) -> list[Statement]:
    """``more`` are actions without resources, ``tables`` those on tables.

    Statements of their own would be longer.
    """
    return [
        allow(
            "ReadTables",
            [dynamodb.DescribeTable, dynamodb.DescribeContinuousBackups, *tables],
            at.arns("dynamodb", "table/*"),
        ),
        # These actions have no resource-level permissions:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
        allow(
            "ReadAccount",
            [dynamodb.ListTables, dynamodb.DescribeLimits, cloudwatch.GetMetricStatistics, *more],
            ["*"],
        ),
        _read_manifests(at),
    ]


def _read_manifests(at: Installation) -> Statement:
    return allow("ReadManifests", [s3.GetObject], at.objects(naming.MANIFESTS_PREFIX))


# --- destroy --------------------------------------------------------------------------------------
def destroy(at: Installation) -> PolicyDocument:
    """What ``destroy`` also needs; a pipeline that only deploys does not."""
    temporary = (naming.MANIFESTS_PREFIX, naming.TEMP_PREFIX)
    return policy(
        [
            allow("LookForRuns", [glue.GetWorkflowRuns], at.arns("glue", f"workflow/{_OURS}")),
            # If a stack is gone, the tables lead to the rest of its export.
            allow(
                "DestroyCatalogEntries",
                [glue.GetTable, glue.GetTables, glue.DeleteTable],
                at.tables,
            ),
            allow("DestroyData", [s3.DeleteObject], at.objects(*_DATA, *temporary)),
        ]
    )


# --- run ------------------------------------------------------------------------------------------
def run(at: Installation) -> PolicyDocument:
    """Runs and their results: ``run`` to ``stop``, ``status``, ``snapshots``, ``logs``."""
    return policy(
        [
            *_find(at),
            # Neither has resource-level permissions:
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
            allow("ListExports", [tag.GetResources], ["*"]),
            allow("CountUnits", [cloudwatch.GetMetricStatistics], ["*"]),
            # The views show which snapshot is current.
            allow("ReadCatalog", [glue.GetTable, glue.GetTables], at.tables),
            # The reader decides which read percentages a run can set.
            allow(
                "ReadReader",
                [glue.GetJob],
                at.arns("glue", f"job/{naming.export_job('*', '*')}"),
            ),
            # `run` refuses a table that nobody can read; `verify` shows its number of items.
            allow("ReadTables", [dynamodb.DescribeTable], at.arns("dynamodb", "table/*")),
            allow(
                "Runs",
                [
                    glue.StartWorkflowRun,
                    glue.StopWorkflowRun,
                    glue.GetWorkflowRun,
                    glue.GetWorkflowRuns,
                    glue.GetTrigger,
                    glue.StartTrigger,
                    glue.StopTrigger,
                ],
                at.arns("glue", f"workflow/{_OURS}", f"trigger/{_OURS}"),
            ),
            allow(
                "Alarms",
                [
                    cloudwatch.DescribeAlarms,
                    cloudwatch.EnableAlarmActions,
                    cloudwatch.DisableAlarmActions,
                ],
                [_snapshot_alarms(at)],
            ),
            _publish_datapoints(),
            _read_manifests(at),
            _list(at, naming.MANIFESTS_PREFIX, *_DATA),
            *_use_key(at, kms.Decrypt),
            allow("ReadLogs", [logs.FilterLogEvents], at.arns("logs", "log-group:/aws-glue/*")),
        ]
    )


def _find(at: Installation) -> list[Statement]:
    """Find an export by its names, and read the tags of its job."""
    return [
        allow("FindExports", [glue.BatchGetWorkflows], at.arns("glue", f"workflow/{_OURS}")),
        allow("ReadTags", [glue.GetTags], at.arns("glue", f"job/{naming.export_job('*', '*')}")),
    ]


def _list(at: Installation, *prefixes: str) -> Statement:
    return list_keys(at.bucket, [f"{prefix}*" for prefix in prefixes])


# --- query ----------------------------------------------------------------------------------------
def query(at: Installation) -> PolicyDocument:
    """``query``: Athena acts with the caller's permissions.

    https://docs.aws.amazon.com/athena/latest/ug/querying-iam.html
    """
    return policy(
        [
            *_find(at),
            *_query(at),
            allow(
                "ReadCatalog",
                [glue.GetTable, glue.GetPartition, glue.GetPartitions, glue.BatchGetPartition],
                at.tables,
            ),
            allow("ReadSnapshots", READ, at.objects(*_DATA)),
            _list(at, *_DATA, naming.ATHENA_RESULTS_PREFIX),
            *_use_key(at, kms.GenerateDataKey, kms.Decrypt),
        ]
    )


def _query(at: Installation) -> list[Statement]:
    """A query in the workgroup, and its results."""
    return [
        allow(
            "Query",
            [*QUERY, athena.GetQueryResults],
            at.arns("athena", f"workgroup/{naming.WORK_GROUP}"),
        ),
        allow(
            "ReadDatabases",
            [glue.GetDatabase],
            [*at.catalog, at.arn("glue", ANY_QUERYS_DATABASE)],
        ),
        allow("WriteResults", WRITE_PARTS, at.objects(naming.ATHENA_RESULTS_PREFIX)),
        allow("LocateBucket", [s3.GetBucketLocation], [at.bucket]),
    ]


# --- publish --------------------------------------------------------------------------------------
def publish(at: Installation) -> PolicyDocument:
    """What ``publish``, ``verify``, ``prune`` and ``adopt`` need in addition to ``run``."""
    return policy(
        [
            *_query(at),
            allow(
                "PublishView",
                [
                    glue.CreateTable,
                    glue.UpdateTable,
                    glue.GetPartition,
                    glue.GetPartitions,
                    glue.BatchGetPartition,
                    glue.BatchDeletePartition,
                ],
                at.tables,
            ),
            # The view job deletes adopted snapshots after so many days.
            allow(
                "ReadRetention",
                [glue.GetJob],
                at.arns("glue", f"job/{naming.view_job('*', '')}"),
            ),
            allow("AdoptSnapshots", [s3.PutObject], at.objects(naming.MANIFESTS_PREFIX)),
            allow("ReadSnapshots", READ, at.objects(*_DATA)),
            allow(
                "DeleteSnapshots", [s3.DeleteObject], at.objects(*_DATA, naming.MANIFESTS_PREFIX)
            ),
            _list(at, naming.ATHENA_RESULTS_PREFIX),
            *_use_key(at, kms.GenerateDataKey),
        ]
    )


PURPOSES: dict[str, Callable[[Installation], PolicyDocument]] = {
    "deploy": deploy,
    "destroy": destroy,
    "plan": plan,
    "run": run,
    "publish": publish,
    "query": query,
}

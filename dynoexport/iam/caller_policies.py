"""IAM policies of people and pipelines: what deploying, running and querying exports needs.

Plain ARNs of one account and region, because these policies are attached by hand and belong to no
stack. A test deploys, runs and queries under each policy; no call is denied and no permission is
unused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import (
    athena,
    cloudwatch,
    dynamodb,
    glue,
    kms,
    logs,
    s3,
    tag,
)

from dynoexport import naming
from dynoexport.iam.deployer_policy import deploy
from dynoexport.iam.installation import (
    OURS,
    publish_datapoints,
    read_manifests,
    read_tables,
    snapshot_alarms,
    use_key,
)
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

    from awacs.aws import (
        PolicyDocument,
        Statement,
    )

    from dynoexport.iam.installation import Installation

_DATA = tuple(f"{fmt.value}/" for fmt in OutputFormat)


# --- plan -----------------------------------------------------------------------------------------
def plan(at: Installation) -> PolicyDocument:
    """``plan``: describe tables, and read what others and earlier exports consumed."""
    return policy(
        [
            *read_tables(at),
            _list(at, naming.MANIFESTS_PREFIX),
            *use_key(at, kms.Decrypt),
        ]
    )


# --- destroy --------------------------------------------------------------------------------------
def destroy(at: Installation) -> PolicyDocument:
    """What ``destroy`` also needs; a pipeline that only deploys does not."""
    temporary = (naming.MANIFESTS_PREFIX, naming.TEMP_PREFIX)
    return policy(
        [
            allow("LookForRuns", [glue.GetWorkflowRuns], at.arns("glue", f"workflow/{OURS}")),
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
                at.arns("glue", f"workflow/{OURS}", f"trigger/{OURS}"),
            ),
            allow(
                "Alarms",
                [
                    cloudwatch.DescribeAlarms,
                    cloudwatch.EnableAlarmActions,
                    cloudwatch.DisableAlarmActions,
                ],
                [snapshot_alarms(at)],
            ),
            publish_datapoints(),
            read_manifests(at),
            _list(at, naming.MANIFESTS_PREFIX, *_DATA),
            *use_key(at, kms.Decrypt),
            allow("ReadLogs", [logs.FilterLogEvents], at.arns("logs", "log-group:/aws-glue/*")),
        ]
    )


def _find(at: Installation) -> list[Statement]:
    """Find an export by its names, and read the tags of its job."""
    return [
        allow("FindExports", [glue.BatchGetWorkflows], at.arns("glue", f"workflow/{OURS}")),
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
            *use_key(at, kms.GenerateDataKey, kms.Decrypt),
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
            *use_key(at, kms.GenerateDataKey),
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

"""IAM policies: each role may do what its one node of the workflow does, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import glue, s3, sns, sts
from awacs.aws import (
    Action,
    Allow,
    AWSPrincipal,
    Bool,
    Condition,
    Deny,
    PolicyDocument,
    Principal,
    Statement,
    StringEquals,
    StringEqualsIfExists,
)
from troposphere import AccountId, Sub

from dynoexport import naming
from dynoexport.iam.statements import (
    ANY_QUERYS_DATABASE,
    QUERY,
    READ,
    REGION,
    WRITE,
    WRITE_PARTS,
    Scope,
    allow,
    catalog,
    list_bucket,
    list_keys,
    locate_bucket,
    markers,
    policy,
    probes,
    read_script,
    use_run_properties,
    write_logs,
    write_metrics,
)

if TYPE_CHECKING:
    from troposphere import AWSHelperFn


# --- who may use the roles ---------------------------------------------------------------------
def glue_trust() -> PolicyDocument:
    """AWS Glue may assume the role, for this account only.

    Without the condition, another account could make Glue use it (the "confused deputy"):
    https://docs.aws.amazon.com/glue/latest/dg/cross-service-confused-deputy-prevention.html
    AWS documents the key for jobs only. The role must also work where Glue does not send it.
    """
    return policy(
        [
            Statement(
                Effect=Allow,
                Principal=Principal("Service", "glue.amazonaws.com"),
                Action=[sts.AssumeRole],
                Condition=Condition(StringEqualsIfExists("aws:SourceAccount", AccountId)),
            )
        ]
    )


# --- the three nodes of the workflow -----------------------------------------------------------
def export_job(scope: Scope) -> PolicyDocument:
    """Read the table, write snapshot, manifest and temporary files, keep the run's properties."""
    return policy(
        [
            read_script(scope, naming.EXPORT_SCRIPT),
            locate_bucket(scope, s3.ListBucketMultipartUploads),
            list_bucket(scope, [scope.data, scope.manifests, scope.temp], *probes(scope.temp)),
            allow("WriteSnapshot", [*WRITE, s3.DeleteObject], scope.objects(f"{scope.data}*")),
            # Spark itself writes temporary files, those of the connector, on every version of Glue.
            allow(
                "WriteTemp",
                [*WRITE_PARTS, s3.DeleteObject],
                scope.objects(f"{scope.temp}*", *markers(scope.temp)),
            ),
            allow(
                "WriteManifest",
                [s3.GetObject, s3.PutObject, s3.DeleteObject],
                scope.objects(f"{scope.manifests}*"),
            ),
            allow(
                "ReadOwnRun",
                [glue.GetJobRun],
                [scope.arn("glue", f"job/{naming.export_job(scope.table, scope.format)}")],
            ),
            use_run_properties(
                scope, [glue.GetWorkflowRunProperties, glue.PutWorkflowRunProperties]
            ),
            allow("ReadCatalog", [glue.GetTable], catalog(scope, naming.SNAPSHOTS_PREFIX)),
            # Of a Spark job, and of a Python shell job.
            write_logs(scope, "/aws-glue/jobs/*", "/aws-glue/python-jobs/*"),
            # xml has no view job, so the export job publishes the snapshot metric.
            write_metrics("Glue", scope.text(naming.metric_namespace(scope.table))),
        ]
    )


def spark_writer(scope: Scope) -> PolicyDocument:
    """Write the snapshot with Spark, whose S3 clients look for directories and mark new ones."""
    return policy(
        [
            list_keys(scope.bucket(), [scope.text(key) for key in probes(scope.data)]),
            allow(
                "WriteSnapshot",
                [s3.GetObject, s3.PutObject, s3.ListMultipartUploadParts, s3.DeleteObject],
                scope.objects(f"{scope.data}*", *markers(scope.data)),
            ),
        ]
    )


def crawler(scope: Scope) -> PolicyDocument:
    """Read the snapshots, and keep their table and its partitions in the catalog."""
    return policy(
        [
            locate_bucket(scope),
            list_bucket(scope, [scope.data]),
            allow("ReadSnapshots", READ, scope.objects(f"{scope.data}*")),
            allow(
                "WriteCatalog",
                [
                    glue.GetDatabase,
                    glue.GetDatabases,
                    glue.GetTable,
                    glue.GetTables,
                    glue.GetTableVersion,
                    glue.GetTableVersions,
                    glue.CreateTable,
                    glue.UpdateTable,
                    glue.DeleteTable,
                    glue.BatchDeleteTable,
                    glue.DeleteTableVersion,
                    glue.BatchDeleteTableVersion,
                    glue.GetPartition,
                    glue.GetPartitions,
                    glue.BatchGetPartition,
                    glue.CreatePartition,
                    glue.BatchCreatePartition,
                    glue.UpdatePartition,
                    glue.BatchUpdatePartition,
                    glue.DeletePartition,
                    glue.BatchDeletePartition,
                ],
                catalog(scope, naming.SNAPSHOTS_PREFIX),
            ),
            write_logs(scope, "/aws-glue/crawlers*"),
        ]
    )


def view_job(scope: Scope) -> PolicyDocument:
    """Publish the view with a query in the workgroup, and delete expired snapshots."""
    return policy(
        [
            read_script(scope, naming.VIEW_SCRIPT),
            locate_bucket(scope),
            list_bucket(scope, [scope.data, scope.manifests, scope.view_results]),
            allow("ReadManifests", READ, scope.objects(f"{scope.manifests}*")),
            allow(
                "DeleteExpiredSnapshots",
                [s3.DeleteObject],
                scope.objects(f"{scope.data}*", f"{scope.manifests}*"),
            ),
            *_publish_view(scope),
            allow(
                "KeepPartitions",
                [
                    glue.GetPartition,
                    glue.GetPartitions,
                    glue.CreatePartition,
                    glue.BatchUpdatePartition,
                    glue.DeletePartition,
                ],
                catalog(scope, naming.SNAPSHOTS_PREFIX),
            ),
            use_run_properties(scope, [glue.GetWorkflowRunProperties]),
            write_logs(scope, "/aws-glue/python-jobs/*"),
            write_metrics(scope.text(naming.metric_namespace(scope.table))),
        ]
    )


def _publish_view(scope: Scope) -> list[Statement]:
    """CREATE OR REPLACE VIEW: Athena acts with the caller's permissions.

    https://docs.aws.amazon.com/athena/latest/ug/querying-iam.html
    AWS lists GetDatabase, GetTable and CreateTable for CREATE TABLE, and nothing for views. Trino,
    Athena's engine, gets the table, then creates or updates it. GetDatabases, GetTableVersion and
    GetTableVersions are in lists that work for others, and read only. What those lists have to
    delete tables and versions is left out: no view needs it.
    https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/TrinoViewHiveMetastore.java
    """
    return [
        allow("WriteResults", WRITE_PARTS, scope.objects(f"{scope.view_results}*")),
        allow("Query", QUERY, [scope.arn("athena", "workgroup/${WorkGroup}")]),
        allow(
            "ReadDatabase",
            [glue.GetDatabase, glue.GetDatabases],
            [
                scope.arn("glue", "catalog"),
                scope.arn("glue", ANY_QUERYS_DATABASE),
                scope.arn("glue", "database/${Database}"),
            ],
        ),
        # Also for the table of all snapshots, which no crawler may have made.
        allow(
            "WriteView",
            [
                glue.GetTable,
                glue.CreateTable,
                glue.UpdateTable,
                glue.GetTableVersion,
                glue.GetTableVersions,
            ],
            catalog(scope, ""),
        ),
    ]


# --- policies of resources in the common stack --------------------------------------------------
def tls_only(bucket: AWSHelperFn) -> PolicyDocument:
    """Deny every request without TLS."""
    arn = s3.ARN("${Bucket}", region=REGION).data
    return policy(
        [
            Statement(
                Sid="DenyWithoutTLS",
                Effect=Deny,
                Principal=AWSPrincipal("*"),
                Action=[Action("s3", "*")],
                Resource=[Sub(arn, Bucket=bucket), Sub(f"{arn}/*", Bucket=bucket)],
                Condition=Condition(Bool("aws:SecureTransport", "false")),
            )
        ]
    )


def services_publish(topic: AWSHelperFn) -> PolicyDocument:
    """EventBridge may publish to the topic, and CloudWatch for alarms of this account.

    The statement for EventBridge has no condition on the account: EventBridge sends no context to
    compare, so a condition would silently lose every notification. "You can't use Condition blocks
    in Amazon SNS topic policies for EventBridge",
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    CloudWatch sends it:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    return policy(
        [
            _publish("PublishEvents", "events.amazonaws.com", topic),
            _publish(
                "PublishAlarms",
                "cloudwatch.amazonaws.com",
                topic,
                Condition=Condition(StringEquals("aws:SourceAccount", AccountId)),
            ),
        ]
    )


def _publish(sid: str, service: str, topic: AWSHelperFn, **condition: Condition) -> Statement:
    return Statement(
        Sid=sid,
        Effect=Allow,
        Principal=Principal("Service", service),
        Action=[sns.Publish],
        Resource=[topic],
        **condition,
    )

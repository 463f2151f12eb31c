"""How the export job reads the table, and the permissions for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import dynamodb, s3
from troposphere import Condition, Equals, Not, Or, Ref

from dynoexport import settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.context import EXPORT_ROLE
from dynoexport.cloudformation.options import cross_account
from dynoexport.cloudformation.options.option import Grant, Option
from dynoexport.iam import reasons
from dynoexport.iam.reasons import Kept
from dynoexport.iam.statements import Scope, allow, policy
from dynoexport.model import ReadMode

if TYPE_CHECKING:
    from awacs.aws import PolicyDocument

GROUP = "Reader, selection and types"
IS_SCANNED = "IsScanned"
IS_EXPORTED = "IsExportedByDynamoDB"


def scan_table(scope: Scope) -> PolicyDocument:
    """What the export job also needs if it reads a table of this account itself."""
    table = scope.arn("dynamodb", f"table/{scope.table}")
    return policy(
        [
            allow("ScanTable", [dynamodb.DescribeTable, dynamodb.Scan], [table]),
            # The account's quota, which limits an on-demand table; it belongs to no resource:
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
            allow("ReadQuota", [dynamodb.DescribeLimits], ["*"]),
        ]
    )


def export_table(scope: Scope) -> PolicyDocument:
    """What the export job also needs if DynamoDB exports the table.

    DynamoDB writes with the caller's permissions:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html
    """
    table = f"table/{scope.table}"
    return policy(
        [
            allow(
                "ExportTable",
                [
                    dynamodb.DescribeContinuousBackups,
                    dynamodb.DescribeTable,
                    dynamodb.ExportTableToPointInTime,
                ],
                [scope.arn("dynamodb", table)],
            ),
            allow(
                "DescribeExport",
                [dynamodb.DescribeExport],
                [scope.arn("dynamodb", f"{table}/export/*")],
            ),
            # In addition to what the job may write there anyway.
            allow("WriteExport", [s3.PutObjectAcl], scope.objects(f"{scope.temp}*")),
        ]
    )


_IS_EXPORTED = Equals(Ref(settings.READ_MODE), ReadMode.EXPORT.value)

OPTION = Option(
    group=GROUP,
    fields=(
        form.choice(
            settings.READ_MODE,
            "Reader",
            "connector: AWS Glue's own source, which may lose types. native: a lossless Scan. "
            "export: DynamoDB's own export, which is lossless, uses no read capacity and needs "
            "point-in-time recovery.",
            choices=ReadMode,
            default=settings.DEFAULT_READ_MODE,
        ),
    ),
    conditions={
        IS_EXPORTED: _IS_EXPORTED,
        IS_SCANNED: Not(Or(_IS_EXPORTED, Condition(cross_account.HAS_SOURCE_ROLE))),
    },
    grants=(
        Grant(
            name="ScansTable",
            roles=(EXPORT_ROLE,),
            policy=scan_table,
            condition=IS_SCANNED,
            when="`ReadMode` is `connector` or `native`, without a `SourceRoleArn`",
            kept=(Kept(EXPORT_ROLE, "ReadQuota", reasons.COLD_TABLE, reasons.WARM_THROUGHPUT),),
        ),
        Grant(
            name="ExportsTable",
            roles=(EXPORT_ROLE,),
            policy=export_table,
            condition=IS_EXPORTED,
            when="`ReadMode` is `export`",
            kept=(
                Kept(
                    EXPORT_ROLE,
                    "WriteExport",
                    "DynamoDB sets the ACL of its exported objects; the local endpoint does not.",
                    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html",
                ),
            ),
        ),
    ),
)

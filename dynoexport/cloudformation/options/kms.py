"""KMS keys: the common stack's key encrypts what is written, the table's key is for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awacs import glue, kms, logs
from awacs.aws import Condition, StringEquals
from troposphere import Equals, If, Not, NoValue, Ref

from dynoexport import settings
from dynoexport.cloudformation import context, form
from dynoexport.cloudformation.context import EXPORT_ROLE, ROLES, VIEW_ROLE
from dynoexport.cloudformation.options import installation
from dynoexport.cloudformation.options.option import Grant, Option, for_each
from dynoexport.iam.reasons import Kept
from dynoexport.iam.statements import REGION, Scope, allow, policy
from dynoexport.workflow import pipeline

if TYPE_CHECKING:
    from awacs.aws import PolicyDocument

HAS_KEY = "HasKmsKey"
HAS_TABLE_KEY = "HasTableKey"

_SETTING_UP = "https://docs.aws.amazon.com/glue/latest/dg/set-up-encryption.html"
_BY_A_KEY = "Tests export with KMS keys; the local endpoint checks IAM as S3 and DynamoDB do."
_LOGS = "Glue encrypts the logs with its role; the local endpoint does not encrypt them."
_ENCRYPT = ("kms:Encrypt",)
_ENCRYPTS = "AWS documents it for jobs that write encrypted data; S3 never needed it in tests."


def use_key(scope: Scope) -> PolicyDocument:
    """What each of the three roles also needs if bucket and logs are encrypted with a key.

    The crawler only reads:
    https://docs.aws.amazon.com/glue/latest/dg/define-crawler-configure-security-settings.html
    """
    return policy(
        [
            allow("DecryptWithKey", [kms.Decrypt], [scope.imports["KmsKey"]]),
            # Glue encrypts the log groups as the job or the crawler (_SETTING_UP).
            allow(
                "EncryptLogs",
                [logs.AssociateKmsKey],
                [scope.arn("logs", "log-group:/aws-glue/*")],
            ),
            # GetSecurityConfiguration has no resource-level permissions:
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsglue.html
            allow("ReadSecurityConfiguration", [glue.GetSecurityConfiguration], ["*"]),
        ]
    )


def write_with_key(scope: Scope) -> PolicyDocument:
    """What the two jobs also need to write into an encrypted bucket (_SETTING_UP)."""
    return policy(
        [allow("EncryptWithKey", [kms.Encrypt, kms.GenerateDataKey], [scope.imports["KmsKey"]])]
    )


def use_table_key(scope: Scope) -> PolicyDocument:
    """What the export job also needs if the table is encrypted with a key of the account.

    DynamoDB decrypts with the reader's permissions, and the grant works only through DynamoDB:
    https://repost.aws/knowledge-center/dynamodb-access-denied-exception
    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    by_dynamodb = Condition(
        StringEquals("kms:ViaService", scope.text(f"dynamodb.{REGION}.${{AWS::URLSuffix}}"))
    )
    return policy(
        [allow("DecryptTable", [kms.Decrypt], [scope.text(scope.table_key)], by_dynamodb)]
    )


_SECURITY_CONFIGURATION = If(HAS_KEY, context.SECURITY_CONFIGURATION, NoValue)

OPTION = Option(
    group=installation.GROUP,
    fields=(
        form.switch(
            settings.USE_KMS_KEY,
            "Use the KMS key",
            "Whether the jobs use the common stack's KMS key. Set true if the common stack has a "
            "KmsKeyArn, else false.",
        ),
        form.key(
            settings.TABLE_KEY_ARN,
            "KMS key of the table",
            "ARN of the KMS key that encrypts the DynamoDB table. Empty: DynamoDB's own key.",
        ),
    ),
    conditions={
        HAS_KEY: Equals(Ref(settings.USE_KMS_KEY), "true"),
        HAS_TABLE_KEY: Not(Equals(Ref(settings.TABLE_KEY_ARN), "")),
    },
    arguments={settings.KMS_KEY_ARN: If(HAS_KEY, context.KMS_KEY, NoValue)},
    properties={
        **for_each(context.JOBS, {"SecurityConfiguration": _SECURITY_CONFIGURATION}),
        pipeline.CRAWLER: {"CrawlerSecurityConfiguration": _SECURITY_CONFIGURATION},
    },
    grants=(
        Grant(
            name="DecryptsTable",
            roles=(EXPORT_ROLE,),
            policy=use_table_key,
            condition=HAS_TABLE_KEY,
            when="there is a `TableKeyArn`",
            evidence=_BY_A_KEY,
        ),
        Grant(
            name="RolesUseKey",
            roles=ROLES,
            policy=use_key,
            condition=HAS_KEY,
            when="`UseKmsKey` is `true`",
            evidence=_BY_A_KEY,
            kept=tuple(
                Kept(role, statement, _LOGS, _SETTING_UP, with_key=True)
                for role in ROLES
                for statement in ("EncryptLogs", "ReadSecurityConfiguration")
            ),
        ),
        Grant(
            name="RolesWriteWithKey",
            roles=(EXPORT_ROLE, VIEW_ROLE),
            policy=write_with_key,
            condition=HAS_KEY,
            when="`UseKmsKey` is `true`",
            evidence=_BY_A_KEY,
            kept=tuple(
                Kept(role, "EncryptWithKey", _ENCRYPTS, _SETTING_UP, _ENCRYPT, with_key=True)
                for role in (EXPORT_ROLE, VIEW_ROLE)
            ),
        ),
    ),
)

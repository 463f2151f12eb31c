"""What every part of the table stack speaks of: its names, conditions, imports and tags.

Physical names are functions of ``dynoexport.naming`` called with ``${TableName}`` and
``${OutputFormat}``, which ``Fn::Sub`` fills in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import Equals, ImportValue, Not, Or, Ref, Sub

from dynoexport import naming, settings
from dynoexport.cloudformation import parameters
from dynoexport.iam.statements import Scope
from dynoexport.model import OutputFormat, ReadMode, ScheduleState
from dynoexport.workflow import pipeline

if TYPE_CHECKING:
    from troposphere import Template

TABLE = f"${{{settings.TABLE_NAME}}}"
FORMAT = f"${{{settings.OUTPUT_FORMAT}}}"

IS_SCHEDULED = "IsScheduled"
IS_QUERYABLE = "IsQueryable"
IS_NOT_QUERYABLE = "IsNotQueryable"
IS_CSV = "IsCsv"
IS_SCANNED = "IsScanned"
IS_EXPORTED = "IsExportedByDynamoDB"
HAS_NOTIFICATION = "HasNotification"
HAS_RUN_LIMIT = "HasRunLimit"
HAS_AGE_LIMIT = "HasAgeLimit"
HAS_BOUNDARY = "HasPermissionsBoundary"
HAS_KEY = "HasKmsKey"
HAS_TABLE_KEY = "HasTableKey"
HAS_SOURCE_ROLE = "HasSourceRole"
HAS_CONNECTION = "HasConnection"

# An ImportValue cannot be conditional, the use of one can: Fn::If evaluates one branch only.
_EXPORTS = naming.Exports(f"${{{parameters.COMMON_STACK_NAME}}}")
BUCKET = ImportValue(Sub(_EXPORTS.bucket))
DATABASE = ImportValue(Sub(_EXPORTS.database))
WORK_GROUP = ImportValue(Sub(_EXPORTS.work_group))
SECURITY_CONFIGURATION = ImportValue(Sub(_EXPORTS.security_configuration))
KMS_KEY = ImportValue(Sub(_EXPORTS.kms_key_arn))
TOPIC = ImportValue(Sub(_EXPORTS.topic_arn))

SCOPE = Scope(
    table=TABLE,
    format=FORMAT,
    catalog_prefix=f"${{{settings.CATALOG_PREFIX}}}",
    workflow=f"${{{pipeline.WORKFLOW}}}",
    scripts_version=f"${{{settings.SCRIPTS_VERSION}}}",
    connection=f"${{{parameters.CONNECTION_NAME}}}",
    source_role=f"${{{settings.SOURCE_ROLE}}}",
    table_key=f"${{{parameters.TABLE_KEY_ARN}}}",
    # As the common stack names them; an import in each ARN would be too long for a template.
    names={
        "Bucket": naming.bucket("${AWS::AccountId}", "${AWS::Region}"),
        "Database": naming.DATABASE,
        "WorkGroup": naming.WORK_GROUP,
    },
    imports={"KmsKey": KMS_KEY},
)


def add_conditions(template: Template) -> None:
    """CloudFormation's conditions cannot import values, hence the switches among the parameters."""
    is_xml = Equals(Ref(settings.OUTPUT_FORMAT), OutputFormat.XML.value)
    template.add_condition(
        IS_SCHEDULED, Equals(Ref(parameters.SCHEDULE_STATE), ScheduleState.ENABLED.value)
    )
    template.add_condition(IS_QUERYABLE, Not(is_xml))
    template.add_condition(IS_NOT_QUERYABLE, is_xml)
    template.add_condition(IS_CSV, Equals(Ref(settings.OUTPUT_FORMAT), OutputFormat.CSV.value))
    is_exported = Equals(Ref(settings.READ_MODE), ReadMode.EXPORT.value)
    template.add_condition(IS_EXPORTED, is_exported)
    is_foreign = Not(Equals(Ref(settings.SOURCE_ROLE), ""))
    template.add_condition(HAS_SOURCE_ROLE, is_foreign)
    template.add_condition(IS_SCANNED, Not(Or(is_exported, is_foreign)))
    template.add_condition(HAS_CONNECTION, Not(Equals(Ref(parameters.CONNECTION_NAME), "")))
    template.add_condition(HAS_NOTIFICATION, Equals(Ref(parameters.NOTIFY_ON_FAILURE), "true"))
    template.add_condition(HAS_RUN_LIMIT, Not(Equals(Ref(parameters.MAX_RUN_MINUTES), "0")))
    template.add_condition(HAS_AGE_LIMIT, Not(Equals(Ref(parameters.MAX_SNAPSHOT_AGE_HOURS), "0")))
    template.add_condition(HAS_BOUNDARY, Not(Equals(Ref(parameters.PERMISSIONS_BOUNDARY_ARN), "")))
    template.add_condition(HAS_TABLE_KEY, Not(Equals(Ref(parameters.TABLE_KEY_ARN), "")))
    template.add_condition(HAS_KEY, Equals(Ref(parameters.USE_KMS_KEY), "true"))


def glue_tags() -> dict[str, object]:
    """The tags by which an export is found again, in Glue's form.

    A stack's own tags need no mention: CloudFormation puts them on every resource that has any.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
    """
    return {
        naming.TAG_TABLE: Ref(settings.TABLE_NAME),
        naming.TAG_FORMAT: Ref(settings.OUTPUT_FORMAT),
    }


def record_tags() -> dict[str, object]:
    """The tags of the export job, from which an export is known without asking its stack."""
    return {
        **glue_tags(),
        naming.TAG_CATALOG_PREFIX: Ref(settings.CATALOG_PREFIX),
        naming.TAG_STACK: Ref("AWS::StackName"),
        naming.TAG_WORKFLOW: Ref(pipeline.WORKFLOW),
    }

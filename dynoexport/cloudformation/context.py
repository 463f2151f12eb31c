"""What every part of the table stack uses: its names, nodes, imports and tags.

Physical names are functions of ``dynoexport.naming`` called with ``${TableName}`` and
``${OutputFormat}``, which ``Fn::Sub`` fills in.
"""

from __future__ import annotations

from troposphere import ImportValue, Ref, Sub

from dynoexport import naming, settings
from dynoexport.iam.statements import Scope
from dynoexport.workflow import pipeline

TABLE = f"${{{settings.TABLE_NAME}}}"
FORMAT = f"${{{settings.OUTPUT_FORMAT}}}"

# What options add to, beside the nodes and triggers of the pipeline. A crawler's target is a part
# of the crawler.
JOBS = (pipeline.EXPORT_JOB, pipeline.VIEW_JOB)
CRAWL_TARGET = "CrawlTarget"
EXPORT_ROLE = "ExportRole"
CRAWLER_ROLE = "CrawlerRole"
VIEW_ROLE = "ViewRole"
ROLES = (EXPORT_ROLE, CRAWLER_ROLE, VIEW_ROLE)

# An ImportValue cannot be conditional, but its use can: Fn::If evaluates one branch only.
_EXPORTS = naming.Exports(f"${{{settings.COMMON_STACK_NAME}}}")
BUCKET = ImportValue(Sub(_EXPORTS.bucket))
DATABASE = ImportValue(Sub(_EXPORTS.database))
VIEW_WORK_GROUP = ImportValue(Sub(_EXPORTS.view_work_group))
SECURITY_CONFIGURATION = ImportValue(Sub(_EXPORTS.security_configuration))
KMS_KEY = ImportValue(Sub(_EXPORTS.kms_key_arn))
TOPIC = ImportValue(Sub(_EXPORTS.topic_arn))

SCOPE = Scope(
    table=TABLE,
    format=FORMAT,
    catalog_prefix=f"${{{settings.CATALOG_PREFIX}}}",
    workflow=f"${{{pipeline.WORKFLOW}}}",
    scripts_version=f"${{{settings.SCRIPTS_VERSION}}}",
    connection=f"${{{settings.CONNECTION_NAME}}}",
    source_role=f"${{{settings.SOURCE_ROLE}}}",
    table_key=f"${{{settings.TABLE_KEY_ARN}}}",
    catalog_key=f"${{{settings.CATALOG_KEY_ARN}}}",
    # The names that the common stack gives. An import in each ARN would make the template too long.
    names={
        "Bucket": naming.bucket("${AWS::AccountId}", "${AWS::Region}"),
        "Database": naming.DATABASE,
        "WorkGroup": naming.VIEW_WORK_GROUP,
    },
    imports={"KmsKey": KMS_KEY},
)


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
    """The tags of the export job, which describe an export without a call to CloudFormation."""
    return {
        **glue_tags(),
        naming.TAG_CATALOG_PREFIX: Ref(settings.CATALOG_PREFIX),
        naming.TAG_STACK: Ref("AWS::StackName"),
        naming.TAG_WORKFLOW: Ref(pipeline.WORKFLOW),
    }

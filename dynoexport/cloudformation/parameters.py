"""The templates' parameters: the form that a user fills in, and what it refuses.

Names and defaults are those of ``dynoexport.settings``, limits those of ``dynoexport.limits``.
"""

from __future__ import annotations

from datetime import timedelta

from dynoexport import limits, naming, settings
from dynoexport.cloudformation import form
from dynoexport.model import (
    Compression,
    GlueVersion,
    MapsAs,
    OutputFormat,
    ReadMode,
    ScheduleState,
    TypeConflicts,
    WorkerType,
)

COMMON_STACK_NAME = "CommonStackName"
SCHEDULE = "Schedule"
SCHEDULE_STATE = "ScheduleState"
MAX_RETRIES = "MaxRetries"
TIMEOUT_MINUTES = settings.TIMEOUT_MINUTES
NOTIFY_ON_FAILURE = "NotifyOnFailure"
MAX_RUN_MINUTES = "MaxRunMinutes"
MAX_SNAPSHOT_AGE_HOURS = "MaxSnapshotAgeHours"
USE_KMS_KEY = "UseKmsKey"
PERMISSIONS_BOUNDARY_ARN = "PermissionsBoundaryArn"
NOTIFICATION_EMAIL = "NotificationEmail"
KMS_KEY_ARN = settings.KMS_KEY_ARN
TABLE_KEY_ARN = "TableKeyArn"
CONNECTION_NAME = "ConnectionName"

# They would name no attribute and export all. dynoexport.selection knows the whole rule of a list.
_NOT_COMMAS_ALONE = "(?! *,[ ,]*$)"

_KEY_PATTERN = r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+)?$"
_KEY_CONSTRAINT = "must be empty or the ARN of a KMS key (not of an alias)"

# The part of AWS Glue's rule that a pattern can tell: six fields, and no minute field that fires
# every minute or in steps or ranges under five minutes. dynoexport.schedule knows the whole rule.
SCHEDULE_PATTERN = r"^cron\((?!\* |[0-9*]+/[1-4] )[0-9*/,]+( [^ ()]+){5}\)$"


# --- the table stack's form ----------------------------------------------------------------------
def table_groups(glue_version: GlueVersion) -> tuple[form.Group, ...]:
    """The table stack's parameters; ``glue_version`` is the default of ``GlueVersion``."""
    return (
        form.Group("What to export", _what()),
        form.Group("What of it, and as what", _what_of_it()),
        form.Group("When", _when()),
        form.Group("How fast", _how_fast(glue_version)),
        form.Group("What to keep, and when it fails", _what_to_keep()),
        form.Group("Where it belongs", _where()),
    )


def _what() -> tuple[form.Field, ...]:
    return (
        form.text(
            settings.TABLE_NAME,
            "DynamoDB table",
            "Name of the DynamoDB table, in this region.",
            pattern=r"^[a-zA-Z0-9_.-]+$",
            constraint=f"must have {limits.DYNAMODB_TABLE_NAME_MIN} to {naming.table_name_max()} "
            "letters, digits, '_', '.' or '-'",
            shortest=limits.DYNAMODB_TABLE_NAME_MIN,
            longest=naming.table_name_max(),
        ),
        form.choice(
            settings.OUTPUT_FORMAT,
            "File format",
            "Format of the files in S3. Athena reads all of them but xml.",
            choices=OutputFormat,
            default=settings.DEFAULT_FORMAT,
        ),
        form.text(
            settings.CATALOG_PREFIX,
            "Prefix of the catalog names",
            "Put before the names of table and view in the Glue database. Needed only if two "
            "exports would get the same names: a table in two formats, or tables that differ only "
            "in case or in '.', '-' and '_'.",
            pattern=f"^{naming.CATALOG_PREFIX_PATTERN}$",
            constraint=f"must be empty, or at most {naming.CATALOG_PREFIX_MAX} of a-z, 0-9 and "
            "'_', beginning with a letter or '_'",
            default="",
            longest=naming.CATALOG_PREFIX_MAX,
        ),
        form.text(
            settings.SOURCE_ROLE,
            "Role of the table's account",
            "Role of another account by which to read the table there. Empty: it is in this one.",
            pattern=r"^(arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+)?$",
            constraint="must be empty or the ARN of a role",
            default="",
            longest=limits.ROLE_ARN_MAX,
        ),
    )


def _what_of_it() -> tuple[form.Field, ...]:
    return (
        form.choice(
            settings.READ_MODE,
            "Reader",
            "connector: Glue's own source, which loses some types. native: a Scan that loses "
            "nothing. export: DynamoDB's point-in-time export, which takes no read capacity and "
            "needs point-in-time recovery.",
            choices=ReadMode,
            default=settings.DEFAULT_READ_MODE,
        ),
        _selection(
            settings.COLUMNS,
            "Only these attributes",
            "Attributes to export, separated by commas, as DynamoDB writes them. Empty: all.",
            but=_NOT_COMMAS_ALONE,
        ),
        _selection(
            settings.EXCLUDE,
            "All but these attributes",
            "Attributes not to export, separated by commas. Not together with Columns.",
            but=_NOT_COMMAS_ALONE,
        ),
        _selection(
            settings.WHERE,
            "Only items for which",
            "A Spark SQL predicate over the columns of the view, such as rating >= 4. Empty: all.",
        ),
        form.choice(
            settings.TYPE_CONFLICTS,
            "Attributes of several types",
            "string: one column of text. columns: a column for each type, such as rating__n and "
            "rating__s.",
            choices=TypeConflicts,
            default=settings.DEFAULT_TYPE_CONFLICTS,
        ),
        form.choice(
            settings.MAPS_AS,
            "Maps as",
            "struct: a field for each key. map: map<string,string>.",
            choices=MapsAs,
            default=settings.DEFAULT_MAPS_AS,
        ),
        form.number(
            settings.MAX_STRUCT_FIELDS,
            "Most fields of a struct",
            "Maps with more different keys become map<string,string>.",
            least=1,
            most=settings.MAX_STRUCT_FIELDS_MAX,
            default=settings.DEFAULT_MAX_STRUCT_FIELDS,
        ),
        form.choice(
            settings.COMPRESSION,
            "Compression",
            "Of avro, orc and parquet; csv, json and xml are not compressed. zstd needs Glue 4.0 "
            "and is not for avro.",
            choices=Compression,
            default=settings.DEFAULT_COMPRESSION,
        ),
    )


def _selection(name: str, label: str, description: str, *, but: str = "") -> form.Field:
    """One line; ``but`` is a lookahead at what it must not be."""
    return form.text(
        name,
        label,
        description,
        pattern=rf"^{but}[^\r\n]*$",
        constraint=f"must be one line of at most {settings.SELECTION_MAX} characters"
        + (", and not commas alone" if but else ""),
        default="",
        longest=settings.SELECTION_MAX,
    )


def _when() -> tuple[form.Field, ...]:
    return (
        form.text(
            SCHEDULE,
            "Schedule (UTC)",
            "Minutes, hours, day of month, month, day of week (1 = SUN), year; in UTC.",
            pattern=SCHEDULE_PATTERN,
            constraint="must be a Glue schedule of six fields, at most every five minutes, for "
            "example cron(0 10 * * ? *)",
            default=settings.DEFAULT_SCHEDULE,
            shortest=len("cron(* * * * ? *)"),
            longest=limits.GLUE_NAME_MAX,
        ),
        form.choice(
            SCHEDULE_STATE,
            "Schedule on or off",
            "Whether the schedule starts runs. Runs can be started by hand in either case. "
            "Changing it replaces the workflow, under a name that tells the state.",
            choices=ScheduleState,
            default=settings.DEFAULT_SCHEDULE_STATE,
        ),
    )


def _how_fast(glue_version: GlueVersion) -> tuple[form.Field, ...]:
    return (
        form.number(
            settings.MAX_READ,
            "Share of the read capacity",
            "Share of the table's read capacity that an export may use. Glue's own connector "
            f"takes no less than {limits.DYNAMODB_READ_PERCENT_MIN}.",
            least=0.001,
            most=1.0,
            default=settings.DEFAULT_MAX_READ,
        ),
        form.number(
            settings.SPLITS,
            "Parallel reads",
            "In how many segments the table is read; 0 computes it.",
            least=0,
            most=limits.DYNAMODB_SPLITS_MAX,
            default=settings.DEFAULT_SPLITS,
        ),
        form.choice(
            settings.WORKER_TYPE,
            "Worker type",
            "Type of the export job's workers.",
            choices=WorkerType,
            default=settings.DEFAULT_WORKER_TYPE,
        ),
        form.number(
            settings.NUMBER_OF_WORKERS,
            "Number of workers",
            "Workers of the export job; one of them coordinates the others.",
            least=limits.GLUE_WORKERS_MIN,
            most=limits.GLUE_WORKERS_MAX,
            default=settings.DEFAULT_NUMBER_OF_WORKERS,
        ),
        form.choice(
            settings.GLUE_VERSION,
            "Glue version",
            "Glue version of the export job. AWS runs 3.0 and later.",
            choices=GlueVersion,
            default=glue_version,
        ),
    )


def _what_to_keep() -> tuple[form.Field, ...]:
    return (
        form.number(
            settings.RETENTION_DAYS,
            "Keep snapshots for (days)",
            "Older snapshots are deleted after a run, the current one never; 0 keeps all. Not for "
            "xml, which has no view job to do it.",
            least=0,
            most=settings.RETENTION_DAYS_MAX,
            default=settings.DEFAULT_RETENTION_DAYS,
        ),
        form.number(
            MAX_RETRIES,
            "Retries",
            "How often a failed job is tried again before its run has failed.",
            least=0,
            most=settings.MAX_RETRIES_MAX,
            default=settings.DEFAULT_MAX_RETRIES,
        ),
        form.number(
            TIMEOUT_MINUTES,
            "Timeout (minutes)",
            "After how many minutes a job's attempt is stopped.",
            least=1,
            most=limits.GLUE_TIMEOUT_MAX_MINUTES,
            default=settings.DEFAULT_TIMEOUT_MINUTES,
        ),
        form.switch(
            NOTIFY_ON_FAILURE,
            "Notify when it fails",
            "Whether a failed or timed-out job or crawl is told to the common stack's topic, which "
            "has one if it was given a NotificationEmail. So with the next two.",
        ),
        form.number(
            MAX_RUN_MINUTES,
            "Notify when it runs (minutes)",
            "Tell of a job that has run for so long and still runs; 0: never.",
            least=0,
            most=limits.GLUE_TIMEOUT_MAX_MINUTES,
            default=settings.DEFAULT_MAX_RUN_MINUTES,
        ),
        form.number(
            MAX_SNAPSHOT_AGE_HOURS,
            "Notify without a new snapshot (hours)",
            "Tell when no snapshot was published for so long while the schedule is on; 0: never.",
            least=0,
            most=limits.ALARM_WINDOW_MAX // timedelta(hours=1),
            default=settings.DEFAULT_MAX_SNAPSHOT_AGE_HOURS,
        ),
    )


def _where() -> tuple[form.Field, ...]:
    return (
        form.text(
            COMMON_STACK_NAME,
            "Common stack",
            "Name of the stack that was deployed from common.yaml.",
            pattern=f"^{limits.STACK_NAME_PATTERN}$",
            constraint="must be the name of a stack: letters, digits and '-'",
            default=settings.DEFAULT_COMMON_STACK,
            shortest=1,
            longest=limits.STACK_NAME_MAX,
        ),
        form.switch(
            USE_KMS_KEY,
            "Use the KMS key",
            "Whether the jobs use the common stack's KMS key. true if and only if the common stack "
            "has been given a KmsKeyArn.",
        ),
        form.text(
            TABLE_KEY_ARN,
            "KMS key of the table",
            "ARN of the KMS key with which the DynamoDB table is encrypted. Empty: DynamoDB's own.",
            pattern=_KEY_PATTERN,
            constraint=_KEY_CONSTRAINT,
            default="",
            longest=2048,
        ),
        form.text(
            PERMISSIONS_BOUNDARY_ARN,
            "Permissions boundary",
            "ARN of a policy beyond which the roles get no permission. Empty: none.",
            pattern=r"^(arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[a-zA-Z0-9+=,.@_/-]+)?$",
            constraint="must be empty or the ARN of an IAM policy",
            default="",
            longest=2048,
        ),
        form.text(
            settings.SCRIPTS_VERSION,
            "Version of the scripts",
            "Folder of the job scripts below scripts/ in the bucket.",
            pattern=r"^[a-zA-Z0-9._-]+$",
            constraint="must be 1 to 64 letters, digits, '.', '_' or '-'",
            default=settings.DEFAULT_SCRIPTS_VERSION,
            shortest=1,
            longest=64,
        ),
        form.text(
            CONNECTION_NAME,
            "VPC connection",
            "Glue connection of type NETWORK by which jobs and crawler run inside a VPC. Empty: "
            "none.",
            pattern=r"^[a-zA-Z0-9_.-]*$",
            constraint="must be empty or the name of a connection",
            default="",
            longest=limits.GLUE_NAME_MAX,
        ),
    )


# --- the common stack's form ----------------------------------------------------------------------
def common_groups() -> tuple[form.Group, ...]:
    """The common stack's parameters, all optional."""
    email = form.text(
        NOTIFICATION_EMAIL,
        "E-mail for failures",
        "Where failed exports are told; AWS sends a message first in which to confirm the "
        "subscription. Empty: no topic.",
        pattern=r"^([^\s@]+@[^\s@]+\.[^\s@]+)?$",
        constraint="must be empty or an e-mail address",
        default="",
        longest=254,
    )
    key = form.text(
        KMS_KEY_ARN,
        "KMS key",
        "ARN of a KMS key of this region that encrypts bucket, logs, query results and topic. Its "
        "policy must let CloudWatch Logs (logs.<region>.amazonaws.com) and, for notifications, "
        "events.amazonaws.com and cloudwatch.amazonaws.com use it: docs/security.md. Empty: S3's "
        "own encryption.",
        pattern=_KEY_PATTERN,
        constraint=_KEY_CONSTRAINT,
        default="",
        longest=2048,
    )
    return (form.Group("Notifications", (email,)), form.Group("Encryption", (key,)))

"""What a user can set: names and defaults, shared by templates, job scripts, CLI and tests.

A setting keeps its name all the way: template parameter ``Splits``, job argument ``--Splits``,
workflow run property ``Splits``. Glue up to 5.1 resolves argument names by prefix
(https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-crawler-pyspark-extensions-get-resolved-options.html),
so no name here may be a prefix of another.
"""

from __future__ import annotations

from datetime import timedelta

from dynoexport.jobs.names import IDENTITY, SNAPSHOT_BYTES, SNAPSHOT_ITEMS, SNAPSHOT_TIMESTAMP
from dynoexport.jobs.publish_settings import (
    RETENTION_DAYS_MAX,
    VIEW_JOB_ARGUMENTS,
    VIEW_OVERRIDABLE,
)
from dynoexport.jobs.settings import (
    EXPORT_JOB_ARGUMENTS,
    EXPORT_OVERRIDABLE,
    MAX_STRUCT_FIELDS_MAX,
)
from dynoexport.model import (
    CatalogUpdate,
    Compression,
    Engine,
    GlueVersion,
    MapsAs,
    MaxCapacity,
    OutputFormat,
    ReadMode,
    ScheduleState,
    TypeConflicts,
    WorkerType,
)

# Imported, so that this module has every setting.
__all__ = [
    "EXPORT_JOB_ARGUMENTS",
    "MAX_STRUCT_FIELDS_MAX",
    "RETENTION_DAYS_MAX",
    "SNAPSHOT_BYTES",
    "SNAPSHOT_ITEMS",
    "SNAPSHOT_TIMESTAMP",
    "VIEW_JOB_ARGUMENTS",
]

# --- settings that name what is exported; a run cannot change them -------------------------
TABLE_NAME = "TableName"
OUTPUT_FORMAT = "OutputFormat"
BUCKET_NAME = "BucketName"
DATABASE_NAME = "DatabaseName"
CATALOG_PREFIX = "CatalogPrefix"
WORK_GROUP = "WorkGroup"
SCRIPTS_VERSION = "ScriptsVersion"

# --- settings that a run may override by a run property of the same name --------------------
MAX_READ = "MaxConsumedReadThroughput"
SPLITS = "Splits"
RETENTION_DAYS = "SnapshotRetentionDays"

# --- of the stacks alone ----------------------------------------------------------------------
COMMON_STACK_NAME = "CommonStackName"
CATALOG_UPDATE = "CatalogUpdate"
SCHEDULE = "Schedule"
SCHEDULE_STATE = "ScheduleState"
MAX_RETRIES = "MaxRetries"
TIMEOUT_MINUTES = "TimeoutMinutes"
NOTIFY_ON_FAILURE = "NotifyOnFailure"
MAX_RUN_MINUTES = "MaxRunMinutes"
MAX_SNAPSHOT_AGE_HOURS = "MaxSnapshotAgeHours"
NOTIFICATION_EMAIL = "NotificationEmail"
USE_KMS_KEY = "UseKmsKey"
TABLE_KEY_ARN = "TableKeyArn"
CATALOG_KEY_ARN = "CatalogKeyArn"
PERMISSIONS_BOUNDARY_ARN = "PermissionsBoundaryArn"
CONNECTION_NAME = "ConnectionName"

# --- what the deployed export job is, so that it can size its splits -------------------------
ENGINE = "Engine"
MAX_CAPACITY = "MaxCapacity"
WORKER_TYPE = "WorkerType"
NUMBER_OF_WORKERS = "NumberOfWorkers"
GLUE_VERSION = "GlueVersion"

# --- selection, reader and types (docs/types.md) ----------------------------------------------
READ_MODE = "ReadMode"
COLUMNS = "Columns"
EXCLUDE = "Exclude"
WHERE = "Where"
TYPE_CONFLICTS = "TypeConflicts"
MAPS_AS = "MapsAs"
MAX_STRUCT_FIELDS = "MaxStructFields"
COMPRESSION = "Compression"

# --- the table's account, and the key for DynamoDB's own export ------------------------------
SOURCE_ROLE = "SourceRoleArn"
KMS_KEY_ARN = "KmsKeyArn"

# A run's properties: what it exports, and what it overrides.
OVERRIDABLE_RUN_PROPERTIES = (*EXPORT_OVERRIDABLE, *VIEW_OVERRIDABLE)
RUN_PROPERTIES = (*IDENTITY, *OVERRIDABLE_RUN_PROPERTIES)

# --- defaults ---------------------------------------------------------------------------------
DEFAULT_COMMON_STACK = "dynoexport-common"
DEFAULT_FORMAT = OutputFormat.PARQUET
DEFAULT_CATALOG_UPDATE = CatalogUpdate.CRAWLER
DEFAULT_MAX_READ = "0.25"
#                   ┌ minute  ┌ day of month
#                   │ ┌ hour  │ ┌ month
#                   │ │       │ │ ┌ day of week (1 = SUN)
#                   │ │       │ │ │ ┌ year
DEFAULT_SCHEDULE = "cron(0 10 * * ? *)"
DEFAULT_SCHEDULE_STATE = ScheduleState.DISABLED
# 5.1 and not 6.0, although 6.0 is cheaper by the hour: AWS does not name the DynamoDB source of
# DynamicFrames for 6.0 yet (https://docs.aws.amazon.com/glue/latest/dg/release-notes.html).
DEFAULT_GLUE_VERSION = GlueVersion.V5_1
DEFAULT_ENGINE = Engine.SPARK
DEFAULT_MAX_CAPACITY = MaxCapacity.SIXTEENTH
DEFAULT_WORKER_TYPE = WorkerType.G_1X
DEFAULT_NUMBER_OF_WORKERS = 10
DEFAULT_SPLITS = 0
DEFAULT_MAX_RETRIES = 1
DEFAULT_TIMEOUT_MINUTES = 480
DEFAULT_RETENTION_DAYS = 0
# 0 is off: without a topic there is no notification.
DEFAULT_MAX_RUN_MINUTES = 0
DEFAULT_MAX_SNAPSHOT_AGE_HOURS = 0
DEFAULT_SCRIPTS_VERSION = "current"
DEFAULT_READ_MODE = ReadMode.CONNECTOR
DEFAULT_TYPE_CONFLICTS = TypeConflicts.STRING
DEFAULT_MAPS_AS = MapsAs.STRUCT
DEFAULT_MAX_STRUCT_FIELDS = 200
DEFAULT_COMPRESSION = Compression.SNAPPY

# --- ours, where AWS sets no limit ------------------------------------------------------------
# A fault that remains after ten attempts is permanent.
MAX_RETRIES_MAX = 10
# Lists of attributes and a predicate; CloudFormation takes 4,096 characters a value.
SELECTION_MAX = 2_048
# How long the bucket keeps what only a run needs. A run takes at most a week, the longest timeout,
# and its retries follow at once.
STALE_UPLOAD_DAYS = 7
TEMP_FILES_DAYS = 14
QUERY_RESULTS_DAYS = 30
# How late a snapshot may be before the alarm goes off.
SNAPSHOT_SLACK = timedelta(hours=2)

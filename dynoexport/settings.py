"""What a user can set: names and defaults, shared by templates, job scripts, CLI and tests.

A setting keeps its name all the way: template parameter ``Splits``, job argument ``--Splits``,
workflow run property ``Splits``. Glue up to 5.1 resolves argument names by prefix
(https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-crawler-pyspark-extensions-get-resolved-options.html),
so no name here may be a prefix of another.
"""

from __future__ import annotations

from datetime import timedelta

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

# --- of the stack alone, but chosen by a plan -------------------------------------------------
TIMEOUT_MINUTES = "TimeoutMinutes"

# --- what the deployed export job is, so that it can size its splits -------------------------
WORKER_TYPE = "WorkerType"
NUMBER_OF_WORKERS = "NumberOfWorkers"
GLUE_VERSION = "GlueVersion"

# --- what of the table is exported, and how (docs/types.md) ----------------------------------
READ_MODE = "ReadMode"
COLUMNS = "Columns"
EXCLUDE = "Exclude"
WHERE = "Where"
TYPE_CONFLICTS = "TypeConflicts"
MAPS_AS = "MapsAs"
MAX_STRUCT_FIELDS = "MaxStructFields"
COMPRESSION = "Compression"

# --- whose table it is, and with what key DynamoDB encrypts what it exports ------------------
SOURCE_ROLE = "SourceRoleArn"
KMS_KEY_ARN = "KmsKeyArn"

# --- decided by the export job, once in a workflow run, and kept in the run's properties -----
SNAPSHOT_TIMESTAMP = "SnapshotTimestamp"
# Told by the export job when its snapshot is complete.
SNAPSHOT_ITEMS = "SnapshotItems"
SNAPSHOT_BYTES = "SnapshotBytes"

EXPORT_JOB_ARGUMENTS = (
    TABLE_NAME,
    OUTPUT_FORMAT,
    BUCKET_NAME,
    DATABASE_NAME,
    CATALOG_PREFIX,
    SCRIPTS_VERSION,
    MAX_READ,
    SPLITS,
    WORKER_TYPE,
    NUMBER_OF_WORKERS,
    GLUE_VERSION,
    READ_MODE,
    COLUMNS,
    EXCLUDE,
    WHERE,
    TYPE_CONFLICTS,
    MAPS_AS,
    MAX_STRUCT_FIELDS,
    COMPRESSION,
    SOURCE_ROLE,
    KMS_KEY_ARN,
)
VIEW_JOB_ARGUMENTS = (
    TABLE_NAME,
    OUTPUT_FORMAT,
    BUCKET_NAME,
    DATABASE_NAME,
    CATALOG_PREFIX,
    WORK_GROUP,
    RETENTION_DAYS,
)
RUN_PROPERTIES = (TABLE_NAME, OUTPUT_FORMAT, MAX_READ, SPLITS, RETENTION_DAYS)
OVERRIDABLE_RUN_PROPERTIES = (MAX_READ, SPLITS, RETENTION_DAYS)

# --- defaults ---------------------------------------------------------------------------------
DEFAULT_COMMON_STACK = "dynoexport-common"
DEFAULT_FORMAT = OutputFormat.PARQUET
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
DEFAULT_WORKER_TYPE = WorkerType.G_1X
DEFAULT_NUMBER_OF_WORKERS = 10
DEFAULT_SPLITS = 0
DEFAULT_MAX_RETRIES = 1
DEFAULT_TIMEOUT_MINUTES = 480
DEFAULT_RETENTION_DAYS = 0
# 0 is off: without a topic nobody could be told.
DEFAULT_MAX_RUN_MINUTES = 0
DEFAULT_MAX_SNAPSHOT_AGE_HOURS = 0
DEFAULT_SCRIPTS_VERSION = "current"
DEFAULT_READ_MODE = ReadMode.CONNECTOR
DEFAULT_TYPE_CONFLICTS = TypeConflicts.STRING
DEFAULT_MAPS_AS = MapsAs.STRUCT
DEFAULT_MAX_STRUCT_FIELDS = 200
DEFAULT_COMPRESSION = Compression.SNAPPY

# --- ours, where AWS sets no limit ------------------------------------------------------------
# A fault that ten attempts do not mend is none of the kind that goes away.
MAX_RETRIES_MAX = 10
# A struct's type is one text in the catalog, which has an end.
MAX_STRUCT_FIELDS_MAX = 10_000
# Lists of attributes and a predicate; CloudFormation takes 4,096 characters a value.
SELECTION_MAX = 2_048
# A hundred years, so that dates in the past can still be computed.
RETENTION_DAYS_MAX = 36_500
# How long the bucket keeps what only a run needs. A run takes a week at the most (the longest
# timeout), its retries follow at once.
STALE_UPLOAD_DAYS = 7
TEMP_FILES_DAYS = 14
QUERY_RESULTS_DAYS = 30
# How much later than its schedule says a snapshot may come before the alarm goes off.
SNAPSHOT_SLACK = timedelta(hours=2)

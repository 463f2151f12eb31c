"""Limits that AWS sets, each with its source."""

from __future__ import annotations

from datetime import date, timedelta

from dynoexport.jobs.limits import (
    DYNAMODB_READ_PERCENT_MAX,
    DYNAMODB_READ_PERCENT_MIN,
    DYNAMODB_READ_UNIT_BYTES,
    DYNAMODB_SPLITS_MAX,
    DYNAMODB_TABLE_READ_UNITS,
    GLUE_2_SLOTS,
    GLUE_SLOTS,
    GLUE_VERSIONS_WITHOUT_ZSTD,
    NATIVE_READ_PERCENT_MIN,
)

# Imported, so that this module has every limit.
__all__ = [
    "DYNAMODB_READ_PERCENT_MAX",
    "DYNAMODB_READ_PERCENT_MIN",
    "DYNAMODB_READ_UNIT_BYTES",
    "DYNAMODB_SPLITS_MAX",
    "DYNAMODB_TABLE_READ_UNITS",
    "GLUE_2_SLOTS",
    "GLUE_SLOTS",
    "GLUE_VERSIONS_WITHOUT_ZSTD",
    "NATIVE_READ_PERCENT_MIN",
]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
DYNAMODB_TABLE_NAME_PATTERN = r"[a-zA-Z0-9_.-]{3,255}"
DYNAMODB_TABLE_NAME_MIN = 3

# Names of jobs, crawlers, classifiers, triggers, workflows and catalog tables:
# https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html (and its siblings)
GLUE_NAME_MAX = 255

# https://docs.aws.amazon.com/glue/latest/webapi/API_CreateWorkflow.html, TooManyNodes is 100;
# "Maximum number of crawlers in a trigger's actions": glue/latest/dg/aws-glue-api-jobs-trigger.html
GLUE_CRAWLERS_PER_TRIGGER = 2

# "you can't schedule a job more often than every 5 minutes":
# https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html
GLUE_SCHEDULE_MIN_INTERVAL = timedelta(minutes=5)

# The CloudFormation resource schema does not say so, CreateJob does:
# https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html
GLUE_WORKERS_MIN = 2
GLUE_WORKERS_MAX = 299

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
TEMPLATE_BODY_MAX_BYTES = 51_200
TEMPLATE_URL_MAX_BYTES = 1_048_576

# https://docs.aws.amazon.com/glue/latest/dg/glue-version-support-policy.html
GLUE_END_OF_LIFE = {"2.0": date(2026, 4, 1)}

# "Jobs must have timeout values less than 7 days or 10080 minutes":
# https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html
GLUE_TIMEOUT_MAX_MINUTES = 10_080

# "G.4X ... available only for AWS Glue version 3.0 or later" (likewise G.8X):
# https://docs.aws.amazon.com/glue/latest/dg/worker-types.html
GLUE_VERSIONS_WITHOUT_LARGE_WORKERS = ("2.0",)

# Their pyarrow is too old for the job's own writer, so Spark writes the files:
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
GLUE_VERSIONS_WHERE_SPARK_WRITES = ("2.0", "3.0")

# AssumeRole's RoleArn: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
ROLE_ARN_MAX = 2_048

# "An alarm's total current evaluation period can be no longer than seven days":
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
ALARM_WINDOW_MAX = timedelta(days=7)

# "You can write deflate, snappy, and xz archives containing Avro files":
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-format-avro-home.html
FORMATS_WITHOUT_ZSTD = ("avro",)

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-using-console-create-stack.html
STACK_NAME_PATTERN = r"[a-zA-Z][-a-zA-Z0-9]*"
STACK_NAME_MAX = 128

# Default quotas of an account and region, by what they count:
# https://docs.aws.amazon.com/general/latest/gr/glue.html
GLUE_QUOTAS = {"workflows": 1_000, "triggers": 1_000, "jobs": 2_000}

# Glue's connector reads at least one unit a second in each split, whatever its read percentage:
# https://github.com/awslabs/emr-dynamodb-connector/blob/master/emr-dynamodb-hadoop/src/main/java/org/apache/hadoop/dynamodb/read/ReadIopsCalculator.java
CONNECTOR_SPLIT_READ_UNITS = 1

# "Partition: up to 3,000 read units and 1,000 write units a second", 10 GB:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
DYNAMODB_PARTITION_READ_UNITS = 3_000
DYNAMODB_PARTITION_WRITE_UNITS = 1_000
DYNAMODB_PARTITION_BYTES = 10 * 1024**3
# A new on-demand table is ready for 4,000 write and 12,000 read units a second:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
DYNAMODB_NEW_ON_DEMAND_PARTITIONS = 4

# What one worker is billed as: https://docs.aws.amazon.com/glue/latest/dg/worker-types.html
GLUE_WORKER_DPU = {"G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}
# The smallest capacity of a Python shell job:
# https://docs.aws.amazon.com/glue/latest/dg/add-job-python.html
GLUE_SHELL_DPU = 0.0625
# "1 DPU is equivalent to 4 vCPU and 16 GB of memory": https://aws.amazon.com/glue/pricing/
GLUE_DPU_VCPUS = 4
# "An export period for which you want to export changed data, from 15 minutes up to 24 hours":
# https://aws.amazon.com/blogs/database/introducing-incremental-export-from-amazon-dynamodb-to-amazon-s3/
DYNAMODB_INCREMENTAL_EXPORT_MAX = timedelta(hours=24)

# Athena bills at least 10 MB a query: https://aws.amazon.com/athena/pricing/
ATHENA_SCAN_MIN_BYTES = 10 * 1000**2

# Characters of a managed policy without white space:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
IAM_MANAGED_POLICY_MAX = 6_144

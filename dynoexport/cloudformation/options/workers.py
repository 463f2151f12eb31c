"""What the export job runs on: workers and Glue version."""

from __future__ import annotations

from dynoexport import limits, settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.context import EXPORT_ROLE
from dynoexport.cloudformation.options import read_limit
from dynoexport.cloudformation.options.option import Grant, Option, Rule, is_one_of
from dynoexport.iam import job_roles, reasons
from dynoexport.model import GlueVersion, WorkerType

IS_WRITTEN_BY_SPARK = "IsWrittenBySpark"

# The types that every Glue version and execution class has.
SMALL = (WorkerType.G_1X.value, WorkerType.G_2X.value)

OPTION = Option(
    group=read_limit.GROUP,
    fields=(
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
            "Workers of the export job; one of them is the driver.",
            least=limits.GLUE_WORKERS_MIN,
            most=limits.GLUE_WORKERS_MAX,
            default=settings.DEFAULT_NUMBER_OF_WORKERS,
        ),
        form.choice(
            settings.GLUE_VERSION,
            "Glue version",
            "Glue version of the export job, 3.0 or later: AWS no longer runs 2.0. zstd and fast "
            "native reads need 4.0 or later. 6.0 costs less, but AWS does not list the connector "
            "for it.",
            choices=GlueVersion,
            default=settings.DEFAULT_GLUE_VERSION,
        ),
    ),
    conditions={
        IS_WRITTEN_BY_SPARK: is_one_of(
            settings.GLUE_VERSION, *limits.GLUE_VERSIONS_WHERE_SPARK_WRITES
        ).to_function()
    },
    grants=(
        Grant(
            name="WritesBySpark",
            roles=(EXPORT_ROLE,),
            policy=job_roles.spark_writer,
            condition=IS_WRITTEN_BY_SPARK,
            when=f"`GlueVersion` is {' or '.join(limits.GLUE_VERSIONS_WHERE_SPARK_WRITES)}",
            evidence=f"Spark's S3 clients look for directories ([source]({reasons.HADOOP})) and "
            f"mark new ones with empty objects ([source]({reasons.MARKERS})). The local endpoint "
            "has no such clients.",
        ),
    ),
    rules=tuple(
        Rule(
            name=f"WorkersOfGlue{version.replace('.', '')}",
            when=is_one_of(settings.GLUE_VERSION, version),
            must=(is_one_of(settings.WORKER_TYPE, *SMALL),),
            reason=f"Glue {version} only has workers of type {' and '.join(SMALL)}",
            remedy="choose one of them",
        )
        for version in limits.GLUE_VERSIONS_WITHOUT_LARGE_WORKERS
    ),
)

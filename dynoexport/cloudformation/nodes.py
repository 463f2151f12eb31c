"""What the workflow runs: the export job, the crawler and the view job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from troposphere import GetAtt, If, NoValue, Ref, Sub, glue

from dynoexport import limits, naming, settings
from dynoexport.cloudformation import context, options
from dynoexport.cloudformation.options import catalog_update, identity
from dynoexport.cloudformation.options.engine import IS_PYTHON, for_spark
from dynoexport.cloudformation.options.option import has
from dynoexport.jobs.arguments import MAY_BE_EMPTY
from dynoexport.workflow import pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from troposphere import AWSHelperFn, Template

CLASSIFIER = "CsvClassifier"

# Arguments that Glue itself understands; it treats the first two as switches that are on when
# they are there. Continuous logging serves 4.0 and older, later versions always have it.
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
_SPARK_ARGUMENTS = {
    "--enable-metrics": for_spark("true"),
    "--enable-continuous-log-filter": for_spark("true"),
    "--enable-continuous-cloudwatch-log": for_spark("true"),
    "--job-bookmark-option": for_spark("job-bookmark-disable"),
    # s3:// is EMRFS up to Glue 5.0, which knows its region, and Hadoop's S3A from 5.1 on, which
    # uses us-east-2 unless the region is set. The region also gives the endpoints of other
    # partitions. In older versions nothing reads this setting.
    # https://docs.aws.amazon.com/glue/latest/dg/migrating-version-51.html
    # https://hadoop.apache.org/docs/r3.4.1/hadoop-aws/tools/hadoop-aws/connecting.html
    "--conf": for_spark(Sub("spark.hadoop.fs.s3a.endpoint.region=${AWS::Region}")),
}
# The only version in which new Python shell jobs can be created:
# https://docs.aws.amazon.com/glue/latest/dg/add-job-python.html
_SHELL_PYTHON = "3.9"
# The set of libraries that has boto3 in it (same page); Glue's console writes the name without
# dashes, too.
_LIBRARY_SET = {"library-set": "analytics"}
_LANGUAGE = {"--job-language": "python"}
# AWS's list of these libraries does not name pyarrow, which awswrangler 2.15.1 needs. Where it is
# there, pip finds the requirement satisfied.
# https://github.com/aws/aws-sdk-pandas/blob/2.15.1/pyproject.toml
_PYTHON_ARGUMENTS = {
    **_LIBRARY_SET,
    "--additional-python-modules": "pyarrow==7.0.0",
}

# How to treat a partition whose schema differs from the table's, and which folder is a table.
# Without this, snapshots whose schemas differ could not be queried together, and odd paths would
# become tables.
# The bucket is level 1, the format 2, the table 3.
# https://docs.aws.amazon.com/glue/latest/dg/crawler-configuration.html
_CRAWLER_CONFIGURATION = {
    "Version": 1.0,
    "CrawlerOutput": {
        "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
        "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
    },
    "Grouping": {
        "TableGroupingPolicy": "CombineCompatibleSchemas",
        "TableLevelConfiguration": 3,
    },
}


def add(template: Template) -> None:
    """Add the nodes; each runs once at a time, like the workflow itself."""
    _add_export_job(template)
    _add_classifier(template)
    _add_crawler(template)
    _add_view_job(template)


def _add_export_job(template: Template) -> None:
    temp = context.SCOPE.text(f"s3://${{Bucket}}/{context.SCOPE.temp}")
    template.add_resource(
        glue.Job(
            pipeline.EXPORT_JOB,
            Name=Sub(naming.export_job(context.TABLE, context.FORMAT)),
            Description=Sub(f"Exports the DynamoDB table {context.TABLE} as {context.FORMAT}"),
            Role=GetAtt(context.EXPORT_ROLE, "Arn"),
            Command=glue.JobCommand(
                Name=If(IS_PYTHON, "pythonshell", "glueetl"),
                PythonVersion=If(IS_PYTHON, _SHELL_PYTHON, "3"),
                ScriptLocation=_script_location(naming.EXPORT_SCRIPT),
            ),
            DefaultArguments={
                **_LANGUAGE,
                **_SPARK_ARGUMENTS,
                **{
                    name: If(IS_PYTHON, value, NoValue) for name, value in _PYTHON_ARGUMENTS.items()
                },
                "--TempDir": temp,
                **_arguments(settings.EXPORT_JOB_ARGUMENTS),
            },
            ExecutionProperty=_one_run_at_a_time(),
            Tags=context.record_tags(),
            **options.properties(pipeline.EXPORT_JOB),
        )
    )


def _add_view_job(template: Template) -> None:
    template.add_resource(
        glue.Job(
            pipeline.VIEW_JOB,
            Condition=identity.IS_QUERYABLE,
            Name=Sub(naming.view_job(context.TABLE, context.FORMAT)),
            Description=Sub(f"Publishes the newest snapshot of {context.TABLE} in Athena"),
            Role=GetAtt(context.VIEW_ROLE, "Arn"),
            Command=glue.JobCommand(
                Name="pythonshell",
                PythonVersion=_SHELL_PYTHON,
                ScriptLocation=_script_location(naming.VIEW_SCRIPT),
            ),
            DefaultArguments={
                **_LANGUAGE,
                **_LIBRARY_SET,
                **_arguments(settings.VIEW_JOB_ARGUMENTS),
            },
            MaxCapacity=limits.GLUE_SHELL_DPU,
            ExecutionProperty=_one_run_at_a_time(),
            Tags=context.glue_tags(),
            **options.properties(pipeline.VIEW_JOB),
        )
    )


def _one_run_at_a_time() -> glue.ExecutionProperty:
    return glue.ExecutionProperty(MaxConcurrentRuns=1)


def _arguments(names: Iterable[str]) -> dict[str, AWSHelperFn]:
    """The job's arguments: imported, an option's, or the parameter of the same name.

    An empty one is not passed, because AWS does not document what Glue does with it.
    """
    values = {
        settings.BUCKET_NAME: context.BUCKET,
        settings.DATABASE_NAME: context.DATABASE,
        settings.WORK_GROUP: context.VIEW_WORK_GROUP,
        **options.arguments(),
    }
    passed = {
        name: If(has(name), Ref(name), NoValue) if name in MAY_BE_EMPTY else Ref(name)
        for name in names
    }
    return {f"--{name}": values.get(name) or passed[name] for name in names}


def _script_location(script: str) -> Sub:
    key = naming.script_key(script, context.SCOPE.scripts_version)
    return context.SCOPE.text(f"s3://${{Bucket}}/{key}")


def _add_classifier(template: Template) -> None:
    """For csv: it sets quoting and header, so that a comma in a value does not begin a new column.

    CloudFormation cannot name the SerDe (its type lacks the API's ``Serde``); Glue chooses
    OpenCSVSerDe for a classifier with a quote symbol:
    https://docs.aws.amazon.com/glue/latest/dg/custom-classifier.html
    """
    template.add_resource(
        glue.Classifier(
            CLASSIFIER,
            Condition=catalog_update.IS_CRAWLED_CSV,
            CsvClassifier=glue.CsvClassifier(
                Name=Sub(naming.csv_classifier(context.TABLE, context.FORMAT)),
                ContainsHeader="PRESENT",
                Delimiter=",",
                QuoteSymbol='"',
                # A table of one attribute is a table.
                AllowSingleColumn=True,
                # Leading and trailing spaces belong to a value.
                DisableValueTrimming=True,
            ),
        )
    )


def _add_crawler(template: Template) -> None:
    data = naming.data_prefix(context.TABLE, context.FORMAT)
    template.add_resource(
        glue.Crawler(
            pipeline.CRAWLER,
            Condition=catalog_update.IS_CRAWLED,
            Name=Sub(naming.crawler(context.TABLE, context.FORMAT)),
            Description=Sub(f"Adds snapshots of {context.TABLE} to the Glue Data Catalog"),
            Role=GetAtt(context.CRAWLER_ROLE, "Arn"),
            DatabaseName=context.DATABASE,
            TablePrefix=Sub(f"${{{settings.CATALOG_PREFIX}}}{naming.SNAPSHOTS_PREFIX}"),
            Targets=glue.Targets(
                S3Targets=[
                    glue.S3Target(
                        Path=context.SCOPE.text(f"s3://${{Bucket}}/{data}"),
                        **options.properties(context.CRAWL_TARGET),
                    )
                ]
            ),
            Classifiers=If(identity.IS_CSV, [Ref(CLASSIFIER)], NoValue),
            Configuration=json.dumps(_CRAWLER_CONFIGURATION, separators=(",", ":")),
            SchemaChangePolicy=glue.SchemaChangePolicy(
                UpdateBehavior="UPDATE_IN_DATABASE", DeleteBehavior="DELETE_FROM_DATABASE"
            ),
            Tags=context.glue_tags(),
            **options.properties(pipeline.CRAWLER),
        )
    )

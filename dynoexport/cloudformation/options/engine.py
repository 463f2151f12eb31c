"""What runs the export job: Glue Spark, or a Python shell job for small tables.

https://docs.aws.amazon.com/glue/latest/dg/add-job-python.html
"""

from __future__ import annotations

from troposphere import Equals, If, NoValue, Ref

from dynoexport import settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options import execution_class, read_limit
from dynoexport.cloudformation.options.option import Option, Rule, is_one_of
from dynoexport.model import Engine, MaxCapacity, ReadMode
from dynoexport.workflow import pipeline

IS_PYTHON = "IsPython"
_PYTHON = Engine.PYTHON.value


def for_spark(value: object) -> If:
    """The value for a Spark job; nothing for a Python shell job."""
    return If(IS_PYTHON, NoValue, value)


OPTION = Option(
    group=read_limit.GROUP,
    fields=(
        form.choice(
            settings.ENGINE,
            "Engine",
            "What runs the export job. spark: a Glue Spark job. python: a Python shell job, for "
            "small tables at a fraction of the price.",
            choices=Engine,
            default=settings.DEFAULT_ENGINE,
        ),
        form.choice(
            settings.MAX_CAPACITY,
            "DPUs of a Python shell job",
            "With Engine python, the DPUs of the export job.",
            choices=MaxCapacity,
            default=settings.DEFAULT_MAX_CAPACITY,
        ),
    ),
    conditions={IS_PYTHON: Equals(Ref(settings.ENGINE), _PYTHON)},
    rules=(
        Rule(
            name="PythonReads",
            when=is_one_of(settings.ENGINE, _PYTHON),
            must=(
                is_one_of(settings.READ_MODE, ReadMode.NATIVE.value, ReadMode.EXPORT.value),
                is_one_of(settings.WHERE, ""),
                is_one_of(
                    execution_class.EXECUTION_CLASS,
                    execution_class.ExecutionClass.STANDARD.value,
                ),
            ),
            reason=(
                "Engine python needs ReadMode native or export, no Where, and ExecutionClass "
                "STANDARD"
            ),
            remedy="change these, or choose spark",
        ),
    ),
    # MaxCapacity excludes worker type and number, and a Python shell job has no GlueVersion:
    # https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html
    properties={
        pipeline.EXPORT_JOB: {
            "GlueVersion": for_spark(Ref(settings.GLUE_VERSION)),
            "WorkerType": for_spark(Ref(settings.WORKER_TYPE)),
            "NumberOfWorkers": for_spark(Ref(settings.NUMBER_OF_WORKERS)),
            "MaxCapacity": If(IS_PYTHON, Ref(settings.MAX_CAPACITY), NoValue),
        }
    },
)

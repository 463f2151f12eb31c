"""AWS Glue's flexible execution: cheaper, on spare capacity, for runs that can wait.

https://docs.aws.amazon.com/glue/latest/dg/add-job.html (job details, "Flex execution")
"""

from __future__ import annotations

from enum import Enum

from troposphere import Equals, If, NoValue, Ref

from dynoexport import settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options import read_limit, workers
from dynoexport.cloudformation.options.option import Option, Price, Rule, is_none_of, is_one_of
from dynoexport.model import GlueVersion
from dynoexport.workflow import pipeline

EXECUTION_CLASS = "ExecutionClass"
IS_FLEX = "IsFlex"


class ExecutionClass(str, Enum):
    """As CreateJob names them."""

    STANDARD = "STANDARD"
    FLEX = "FLEX"


_TOO_OLD = (GlueVersion.V2_0.value,)
_FLEX = ExecutionClass.FLEX.value

OPTION = Option(
    group=read_limit.GROUP,
    fields=(
        form.choice(
            EXECUTION_CLASS,
            "Execution class",
            "FLEX runs the export job on spare capacity and costs about a third less. A run may "
            "start later and may lose workers. FLEX needs Glue 3.0 or later and workers of type "
            "G.1X or G.2X.",
            choices=ExecutionClass,
            default=ExecutionClass.STANDARD,
        ),
    ),
    conditions={IS_FLEX: Equals(Ref(EXECUTION_CLASS), _FLEX)},
    # "Only jobs with Glue version 3.0 and above and command type glueetl will be allowed to set
    # ExecutionClass to FLEX": https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html
    # "G.1X or G.2X worker types": https://aws.amazon.com/glue/pricing/
    rules=(
        Rule(
            name="FlexWhereGlueHasIt",
            when=is_one_of(EXECUTION_CLASS, _FLEX),
            must=(
                is_none_of(settings.GLUE_VERSION, *_TOO_OLD),
                is_one_of(settings.WORKER_TYPE, *workers.SMALL),
            ),
            reason="FLEX needs Glue 3.0 or later and workers of type G.1X or G.2X",
            remedy="change one of them, or choose STANDARD",
        ),
    ),
    properties={pipeline.EXPORT_JOB: {"ExecutionClass": If(IS_FLEX, _FLEX, NoValue)}},
    prices={
        _FLEX: Price(
            _FLEX,
            "a FLEX job waits for spare capacity and takes longer when it loses workers; the times "
            "are those of a STANDARD job",
        )
    },
)

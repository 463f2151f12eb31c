"""How many times a job is retried, and when an attempt is stopped."""

from __future__ import annotations

from troposphere import Ref

from dynoexport import limits, settings
from dynoexport.cloudformation import context, form
from dynoexport.cloudformation.options import retention
from dynoexport.cloudformation.options.option import Option, for_each

OPTION = Option(
    group=retention.GROUP,
    fields=(
        form.number(
            settings.MAX_RETRIES,
            "Retries",
            "How many times a failed job is retried before the run fails.",
            least=0,
            most=settings.MAX_RETRIES_MAX,
            default=settings.DEFAULT_MAX_RETRIES,
        ),
        form.number(
            settings.TIMEOUT_MINUTES,
            "Timeout (minutes)",
            "Minutes after which AWS Glue stops an attempt of a job.",
            least=1,
            most=limits.GLUE_TIMEOUT_MAX_MINUTES,
            default=settings.DEFAULT_TIMEOUT_MINUTES,
        ),
    ),
    properties=for_each(
        context.JOBS,
        {"MaxRetries": Ref(settings.MAX_RETRIES), "Timeout": Ref(settings.TIMEOUT_MINUTES)},
    ),
)

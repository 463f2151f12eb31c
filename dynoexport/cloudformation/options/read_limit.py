"""How much of the table's read capacity a run may use, and in how many segments it reads."""

from __future__ import annotations

from dynoexport import limits, settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options.option import Option

GROUP = "Speed and workers"

OPTION = Option(
    group=GROUP,
    fields=(
        form.number(
            settings.MAX_READ,
            "Share of the read capacity",
            "Share of the table's read capacity that a run may use. AWS Glue's connector needs "
            f"at least {limits.DYNAMODB_READ_PERCENT_MIN}.",
            least=0.001,
            most=1.0,
            default=settings.DEFAULT_MAX_READ,
        ),
        form.number(
            settings.SPLITS,
            "Parallel reads",
            "Number of segments into which the job divides the table; 0: the job computes it.",
            least=0,
            most=limits.DYNAMODB_SPLITS_MAX,
            default=settings.DEFAULT_SPLITS,
        ),
    ),
)

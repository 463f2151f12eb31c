"""When the workflow starts by itself, and whether it does."""

from __future__ import annotations

from troposphere import Equals, If, Ref, Sub

from dynoexport import limits, naming, settings
from dynoexport.cloudformation import context, form
from dynoexport.cloudformation.options.option import Option
from dynoexport.model import ScheduleState
from dynoexport.workflow import pipeline

IS_SCHEDULED = "IsScheduled"

# The part of AWS Glue's rule that a pattern can express: six fields, and minutes that are not *, a
# range of several minutes, or steps under five minutes. It refuses nothing that workflow.schedule
# accepts, such as 05-5, one minute, and 59-0, the last and the first of an hour; that module has
# the whole rule.
_SEVERAL = r"(?!0*59-0+[ \t])0*((?!0)[0-9]+|0)-(?!0*\1[ \t])[0-9]+[ \t]"
_TOO_OFTEN = rf"\*[ \t]|[0-9*]/[1-4][ \t]|{_SEVERAL}"
_PATTERN = rf"^cron\((?!{_TOO_OFTEN})[0-9*/,-]+([ \t]+[^ \t()]+){{5}}\)$"


def _workflow_name(*, scheduled: bool) -> Sub:
    return Sub(naming.workflow(context.TABLE, context.FORMAT, scheduled=scheduled))


OPTION = Option(
    group="Schedule",
    fields=(
        form.text(
            settings.SCHEDULE,
            "Schedule (UTC)",
            "When runs start, in UTC: minutes, hours, day of month, month, day of week (1 = SUN), "
            "year.",
            pattern=_PATTERN,
            constraint="must be a Glue schedule of six fields, at most every five minutes, for "
            "example cron(0 10 * * ? *)",
            default=settings.DEFAULT_SCHEDULE,
            shortest=len("cron(* * * * ? *)"),
            longest=limits.GLUE_NAME_MAX,
        ),
        form.choice(
            settings.SCHEDULE_STATE,
            "Schedule on or off",
            "Whether the schedule starts runs. You can start a run by hand in either case. "
            "A change replaces the workflow; its name shows the state.",
            choices=ScheduleState,
            default=settings.DEFAULT_SCHEDULE_STATE,
        ),
    ),
    conditions={IS_SCHEDULED: Equals(Ref(settings.SCHEDULE_STATE), ScheduleState.ENABLED.value)},
    properties={
        pipeline.WORKFLOW: {
            "Name": If(
                IS_SCHEDULED, _workflow_name(scheduled=True), _workflow_name(scheduled=False)
            )
        },
        pipeline.START_TRIGGER: {
            "Schedule": Ref(settings.SCHEDULE),
            "StartOnCreation": If(IS_SCHEDULED, True, False),
        },
    },
)

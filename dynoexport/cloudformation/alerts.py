"""What tells the common stack's topic of an export that fails, takes long, or does not happen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from troposphere import If, Ref, Sub, cloudwatch, events

from dynoexport import naming
from dynoexport.cloudformation import context, parameters

if TYPE_CHECKING:
    from troposphere import Template

JOB_RULE = "JobFailedRule"
CRAWL_RULE = "CrawlFailedRule"
LATE_RULE = "JobLateRule"
SNAPSHOT_ALARM = "SnapshotAlarm"

_EXPORT = f"{context.TABLE} as {context.FORMAT}"
_HOUR = 3600


def add(template: Template) -> None:
    """Three alarms, each with its switch."""
    _add_failures(template)
    _add_delays(template)
    _add_snapshot_alarm(template)


def _add_failures(template: Template) -> None:
    """One rule for jobs and one for crawls, because the details of their events differ.

    Workflows emit no events, their jobs and crawlers do:
    https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html
    """
    table, fmt = context.TABLE, context.FORMAT
    _add_rule(
        template,
        JOB_RULE,
        condition=context.HAS_NOTIFICATION,
        detail_type="Glue Job State Change",
        detail={"jobName": _jobs(), "state": ["FAILED", "TIMEOUT"]},
        paths={
            "name": "$.detail.jobName",
            "state": "$.detail.state",
            "message": "$.detail.message",
            "run": "$.detail.jobRunId",
        },
    )
    _add_rule(
        template,
        CRAWL_RULE,
        condition=context.HAS_NOTIFICATION,
        detail_type="Glue Crawler State Change",
        detail={"crawlerName": [Sub(naming.crawler(table, fmt))], "state": ["Failed"]},
        paths={
            "name": "$.detail.crawlerName",
            "state": "$.detail.state",
            # The other message says "Crawler Failed" and no more.
            "message": "$.detail.errorMessage",
            "log": "$.detail.cloudWatchLogLink",
        },
    )


def _add_delays(template: Template) -> None:
    """Glue tells once of each state in which a job is when its NotifyDelayAfter is over.

    Of crawls it tells nothing of the kind; one that never ends publishes no snapshot.
    https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html
    """
    _add_rule(
        template,
        LATE_RULE,
        condition=context.HAS_RUN_LIMIT,
        detail_type="Glue Job Run Status",
        detail={"jobName": _jobs()},
        paths={
            "name": "$.detail.jobName",
            "state": "$.detail.state",
            "run": "$.detail.jobRunId",
        },
        message=f"runs for more than ${{{parameters.MAX_RUN_MINUTES}}} minutes",
    )


def _jobs() -> list[Sub]:
    table, fmt = context.TABLE, context.FORMAT
    return [Sub(naming.export_job(table, fmt)), Sub(naming.view_job(table, fmt))]


def _add_rule(
    template: Template,
    title: str,
    *,
    condition: str,
    detail_type: str,
    detail: dict[str, object],
    paths: dict[str, str],
    message: str | None = None,
) -> None:
    template.add_resource(
        events.Rule(
            title,
            Condition=condition,
            EventPattern={
                "source": ["aws.glue"],
                "detail-type": [detail_type],
                "detail": detail,
            },
            State="ENABLED",
            Targets=[
                events.Target(
                    Id="Topic",
                    Arn=context.TOPIC,
                    InputTransformer=events.InputTransformer(
                        InputPathsMap=paths, InputTemplate=_message(list(paths), message)
                    ),
                )
            ],
        )
    )


def _message(values: list[str], message: str | None) -> Sub:
    """A JSON object of the event's values; unquoted, so that EventBridge quotes and escapes them.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    told = {"export": _EXPORT} if message is None else {"export": _EXPORT, "message": message}
    members = [f'"{name}": {json.dumps(text)}' for name, text in told.items()]
    return Sub("{" + ", ".join([*members, *(f'"{value}": <{value}>' for value in values)]) + "}")


def _add_snapshot_alarm(template: Template) -> None:
    """Goes off when nothing was counted for so many hours.

    It is there while the schedule is off, without a voice: ``dynoexport enable`` gives it one
    without a change of the stack. Every value counted is good, 0 too, so that what is missing
    breaches and nothing else does. CloudWatch may look at some hours more than it is told to, and
    is late then, never early:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    limit = parameters.MAX_SNAPSHOT_AGE_HOURS
    dimensions = {naming.METRIC_TABLE: context.TABLE, naming.METRIC_FORMAT: context.FORMAT}
    template.add_resource(
        cloudwatch.Alarm(
            SNAPSHOT_ALARM,
            Condition=context.HAS_AGE_LIMIT,
            AlarmName=Sub(naming.snapshot_alarm(context.TABLE, context.FORMAT)),
            AlarmDescription=Sub(f"No new snapshot of {_EXPORT} for ${{{limit}}} hours"),
            ActionsEnabled=If(context.IS_SCHEDULED, True, False),
            AlarmActions=[context.TOPIC],
            OKActions=[context.TOPIC],
            Namespace=naming.METRIC_NAMESPACE,
            MetricName=naming.METRIC_SNAPSHOTS,
            Dimensions=[
                cloudwatch.MetricDimension(Name=name, Value=Sub(value))
                for name, value in dimensions.items()
            ],
            Statistic="SampleCount",
            ComparisonOperator="LessThanThreshold",
            Threshold=1,
            Period=_HOUR,
            EvaluationPeriods=Ref(limit),
            TreatMissingData="breaching",
        )
    )

"""Notifications about an export that fails, runs too long, or makes no new snapshot."""

from __future__ import annotations

import json
from datetime import timedelta

from troposphere import (
    And,
    AWSHelperFn,
    Condition,
    Equals,
    If,
    Not,
    NoValue,
    Ref,
    Sub,
    cloudwatch,
    events,
    glue,
)

from dynoexport import limits, naming, settings
from dynoexport.cloudformation import context, form
from dynoexport.cloudformation.options import catalog_update, retention, schedule
from dynoexport.cloudformation.options.option import Option, for_each

JOB_RULE = "JobFailedRule"
CRAWL_RULE = "CrawlFailedRule"
LATE_RULE = "JobLateRule"
SNAPSHOT_ALARM = "SnapshotAlarm"
HAS_NOTIFICATION = "HasNotification"
HAS_CRAWL_NOTIFICATION = "HasCrawlNotification"
HAS_RUN_LIMIT = "HasRunLimit"
HAS_AGE_LIMIT = "HasAgeLimit"

_EXPORT = f"{context.TABLE} as {context.FORMAT}"
_JOBS = [Sub(name(context.TABLE, context.FORMAT)) for name in (naming.export_job, naming.view_job)]
_HOUR = 3600


def _failures() -> tuple[events.Rule, events.Rule]:
    """One rule for jobs and one for crawls, because the details of their events differ.

    Workflows emit no events, their jobs and crawlers do:
    https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html
    """
    jobs = _rule(
        JOB_RULE,
        condition=HAS_NOTIFICATION,
        detail_type="Glue Job State Change",
        detail={"jobName": _JOBS, "state": ["FAILED", "TIMEOUT"]},
        paths={
            "name": "$.detail.jobName",
            "state": "$.detail.state",
            "message": "$.detail.message",
            "run": "$.detail.jobRunId",
        },
    )
    crawler = Sub(naming.crawler(context.TABLE, context.FORMAT))
    crawls = _rule(
        CRAWL_RULE,
        condition=HAS_CRAWL_NOTIFICATION,
        detail_type="Glue Crawler State Change",
        detail={"crawlerName": [crawler], "state": ["Failed"]},
        paths={
            "name": "$.detail.crawlerName",
            "state": "$.detail.state",
            # The event's own message is only "Crawler Failed".
            "message": "$.detail.errorMessage",
            "log": "$.detail.cloudWatchLogLink",
        },
    )
    return jobs, crawls


def _delay() -> events.Rule:
    """Glue sends one event for each state of a job that runs longer than its NotifyDelayAfter.

    It sends no such event for crawls; a crawl that never ends publishes no snapshot.
    https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html
    """
    return _rule(
        LATE_RULE,
        condition=HAS_RUN_LIMIT,
        detail_type="Glue Job Run Status",
        detail={"jobName": _JOBS},
        paths={
            "name": "$.detail.jobName",
            "state": "$.detail.state",
            "run": "$.detail.jobRunId",
        },
        message=f"has run for more than ${{{settings.MAX_RUN_MINUTES}}} minutes",
    )


def _rule(
    title: str,
    *,
    condition: str,
    detail_type: str,
    detail: dict[str, object],
    paths: dict[str, str],
    message: str | None = None,
) -> events.Rule:
    return events.Rule(
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


def _message(values: list[str], message: str | None) -> Sub:
    """A JSON object of the event's values; unquoted, so that EventBridge quotes and escapes them.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    fixed = {"export": _EXPORT} if message is None else {"export": _EXPORT, "message": message}
    members = [f'"{name}": {json.dumps(text)}' for name, text in fixed.items()]
    return Sub("{" + ", ".join([*members, *(f'"{value}": <{value}>' for value in values)]) + "}")


def _snapshot_alarm() -> cloudwatch.Alarm:
    """Goes off when there was no datapoint for the hours of its parameter.

    While the schedule is off, its actions are disabled: ``dynoexport enable`` enables them without
    a change of the stack. Every datapoint is good, even 0, so only missing data breaches.
    CloudWatch may evaluate some hours more than it is set to. Then the alarm is late, never early:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    limit = settings.MAX_SNAPSHOT_AGE_HOURS
    dimensions = {naming.METRIC_TABLE: context.TABLE, naming.METRIC_FORMAT: context.FORMAT}
    return cloudwatch.Alarm(
        SNAPSHOT_ALARM,
        Condition=HAS_AGE_LIMIT,
        AlarmName=Sub(naming.snapshot_alarm(context.TABLE, context.FORMAT)),
        AlarmDescription=Sub(f"No new snapshot of {_EXPORT} for ${{{limit}}} hours"),
        ActionsEnabled=If(schedule.IS_SCHEDULED, True, False),
        AlarmActions=[context.TOPIC],
        OKActions=[context.TOPIC],
        Namespace=Sub(naming.metric_namespace(context.TABLE)),
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


def _is_on(parameter: str, off: str) -> AWSHelperFn:
    return Not(Equals(Ref(parameter), off))


OPTION = Option(
    group=retention.GROUP,
    fields=(
        form.switch(
            settings.NOTIFY_ON_FAILURE,
            "Notify when it fails",
            "Whether to notify the common stack's topic when a job or crawl fails or times out. "
            "This, MaxRunMinutes and MaxSnapshotAgeHours need a common stack with a "
            "NotificationEmail.",
        ),
        form.number(
            settings.MAX_RUN_MINUTES,
            "Notify when it runs (minutes)",
            "Notify when a job runs longer than this many minutes; 0: never.",
            least=0,
            most=limits.GLUE_TIMEOUT_MAX_MINUTES,
            default=settings.DEFAULT_MAX_RUN_MINUTES,
        ),
        form.number(
            settings.MAX_SNAPSHOT_AGE_HOURS,
            "Notify without a new snapshot (hours)",
            "Notify when the schedule is on and no snapshot was published for this many hours; "
            "0: never.",
            least=0,
            most=limits.ALARM_WINDOW_MAX // timedelta(hours=1),
            default=settings.DEFAULT_MAX_SNAPSHOT_AGE_HOURS,
        ),
    ),
    conditions={
        HAS_NOTIFICATION: Equals(Ref(settings.NOTIFY_ON_FAILURE), "true"),
        HAS_CRAWL_NOTIFICATION: And(
            Condition(HAS_NOTIFICATION), Condition(catalog_update.IS_CRAWLED)
        ),
        HAS_RUN_LIMIT: _is_on(settings.MAX_RUN_MINUTES, "0"),
        HAS_AGE_LIMIT: _is_on(settings.MAX_SNAPSHOT_AGE_HOURS, "0"),
    },
    properties=for_each(
        context.JOBS,
        {
            "NotificationProperty": If(
                HAS_RUN_LIMIT,
                glue.NotificationProperty(NotifyDelayAfter=Ref(settings.MAX_RUN_MINUTES)),
                NoValue,
            )
        },
    ),
    resources=(*_failures(), _delay(), _snapshot_alarm()),
)

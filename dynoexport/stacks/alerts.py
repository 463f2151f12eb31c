"""Rules that tell the common stack's topic of a job or crawl of this workflow that failed.

Workflows emit no events, their jobs and crawlers do, in two shapes:
https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from troposphere import Sub, events

from dynoexport import naming
from dynoexport.stacks import context

if TYPE_CHECKING:
    from troposphere import Template

JOB_RULE = "JobFailedRule"
CRAWL_RULE = "CrawlFailedRule"


def add(template: Template) -> None:
    """One rule for jobs and one for crawls, because the details of their events differ."""
    table, fmt = context.TABLE, context.FORMAT
    _add_rule(
        template,
        JOB_RULE,
        detail_type="Glue Job State Change",
        detail={
            "jobName": [Sub(naming.export_job(table, fmt)), Sub(naming.view_job(table, fmt))],
            "state": ["FAILED", "TIMEOUT"],
        },
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


def _add_rule(
    template: Template,
    title: str,
    *,
    detail_type: str,
    detail: dict[str, object],
    paths: dict[str, str],
) -> None:
    template.add_resource(
        events.Rule(
            title,
            Condition=context.HAS_NOTIFICATION,
            Description=Sub(
                f"Tells of failures in the export of {context.TABLE} as {context.FORMAT}"
            ),
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
                        InputPathsMap=paths, InputTemplate=_message(list(paths))
                    ),
                )
            ],
        )
    )


def _message(values: list[str]) -> Sub:
    """A JSON object of the event's values; unquoted, so that EventBridge quotes and escapes them.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    export = json.dumps(f"{context.TABLE} as {context.FORMAT}")
    members = [f'"export": {export}', *(f'"{value}": <{value}>' for value in values)]
    return Sub("{" + ", ".join(members) + "}")

"""EventBridge on the endpoint: events of Glue reach the targets of the deployed rules.

moto keeps rules and matches patterns. It delivers to no topic, does not check whether a rule
is enabled, and fills templates without the quotes that EventBridge adds. The events' shapes:
https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html
"""

from __future__ import annotations

import copy
import json
import logging
import re
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from moto.events import models
from moto.events.exceptions import ValidationException
from moto.utilities.arns import parse_arn

from dynoexport.local import context
from dynoexport.local.services import notifications

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynoexport.local.glue.executions import Crawl
    from dynoexport.local.glue.jobs import JobRun

Json = dict[str, Any]

_log = logging.getLogger(__name__)

_SERVICE = "events.amazonaws.com"
_DELIVERED_BY_MOTO = frozenset({"events", "logs", "sqs"})
_STRING_OR_PLACE = re.compile(r'"(?:[^"\\]|\\.)*"|<(?P<name>[\w.-]+)>')
_PLACE = re.compile(r"<([\w.-]+)>")
# "Events are generated for SUCCEEDED, FAILED, TIMEOUT, and STOPPED":
# https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html
_SEVERITIES = {"SUCCEEDED": "INFO", "STOPPED": "INFO", "TIMEOUT": "WARN", "FAILED": "ERROR"}
_CRAWL_STATES = {"RUNNING": "Started", "SUCCEEDED": "Succeeded", "FAILED": "Failed"}


# --- the events of Glue ---------------------------------------------------------------------
def job_ended(run: JobRun) -> None:
    """An attempt of a job has ended."""
    if run.state not in _SEVERITIES:
        return
    messages = {
        "SUCCEEDED": "Job run succeeded",
        "STOPPED": "Job run stopped",
        "TIMEOUT": "Job run timed out",
        "FAILED": f"JobName:{run.job_name} and JobRunId:{run.run_id} failed to execute with "
        f"exception {run.error}",
    }
    detail = {
        "jobName": run.job_name,
        "severity": _SEVERITIES[run.state],
        "state": run.state,
        "jobRunId": run.run_id,
        "message": messages[run.state],
    }
    emit("Glue Job State Change", detail)


def job_delayed(run: JobRun, *, minutes: int) -> None:
    """An attempt runs for longer than its ``NotifyDelayAfter``."""
    detail = {
        "jobName": run.job_name,
        "severity": "INFO",
        "notificationCondition": {"NotifyDelayAfter": float(minutes)},
        "state": run.state,
        "jobRunId": run.run_id,
        "message": f"JobName {run.job_name} and JobRunId {run.run_id} is in {run.state} state",
        "startedOn": f"{run.started:%Y-%m-%dT%H:%M:%SZ}",
    }
    emit("Glue Job Run Status", detail)


def crawl_changed(crawl: Crawl) -> None:
    """A crawl has started or ended; Glue sends no event for a cancelled one."""
    if crawl.state not in _CRAWL_STATES:
        return
    state = _CRAWL_STATES[crawl.state]
    endpoint = context.endpoint()
    detail = {
        "accountId": endpoint.account,
        "crawlerName": crawl.crawler,
        "state": state,
        "message": f"Crawler {state}",
        "cloudWatchLogLink": "https://console.aws.amazon.com/cloudwatch/home?region="
        f"{endpoint.region}#logEventViewer:group=/aws-glue/crawlers;stream={crawl.crawler}",
    }
    if crawl.state == "FAILED":
        detail["errorMessage"] = crawl.error
    emit("Glue Crawler State Change", detail)


# --- the targets of an event -------------------------------------------------------------------
def emit(detail_type: str, detail: Json) -> None:
    """Send the event to every rule of the account's default bus."""
    endpoint = context.endpoint()
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "aws.glue",
        "account": endpoint.account,
        # As moto keeps it; targets get it as text.
        "time": endpoint.now().timestamp(),
        "region": endpoint.region,
        "resources": [],
        "detail": detail,
    }
    bus = models.events_backends[endpoint.account][endpoint.region].event_buses["default"]
    for rule in list(bus.rules.values()):
        try:
            rule.send_to_targets({**event, "ingestion-time": event["time"]})  # type: ignore[typeddict-item]
        except Exception:  # noqa: BLE001 - what a target does with it is nothing to Glue
            _log.warning("the rule %s could not deliver", rule.name, exc_info=True)


class LocalRule(models.Rule):
    """A rule that can be disabled and can have topics as targets."""

    def put_targets(self, targets: list[Json]) -> None:
        for target in targets:
            service = parse_arn(target["Arn"]).service
            if service not in {"sns", *_DELIVERED_BY_MOTO}:
                raise ValidationException(f"The endpoint delivers no events to {service}")
        super().put_targets(targets)

    def send_to_targets(self, original_event: Any, transform_input: bool = True) -> None:
        if self.state != "ENABLED" or not self.event_pattern.matches_event(original_event):
            return
        time = datetime.fromtimestamp(original_event["time"], timezone.utc)
        sent = {**original_event, "time": f"{time:%Y-%m-%dT%H:%M:%SZ}"}
        others = copy.copy(self)
        others.targets = []
        for target in self.targets:
            if parse_arn(target["Arn"]).service == "sns":
                message = build_input(target, sent)
                notifications.publish(target["Arn"], message, service=_SERVICE)
            else:
                others.targets.append(target)
        super(LocalRule, others).send_to_targets(original_event, transform_input)


def build_input(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The text that a target receives: its constant, its part of the event, or its template."""
    if "Input" in target:
        return str(target["Input"])
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        paths = transformer.get("InputPathsMap", {})
        values = {name: _at(path, event) for name, path in paths.items()}
        return fill(transformer["InputTemplate"], values)
    visible = {key: value for key, value in event.items() if key != "ingestion-time"}
    return json.dumps(_at(target.get("InputPath", "$"), visible))


def fill(template: str, values: Mapping[str, Any]) -> str:
    """The template with values in place of its placeholders.

    In a JSON template, a placeholder becomes a JSON value; inside quotes, it becomes text.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    is_json = template.lstrip().startswith("{")

    def text(name: str) -> str:
        value = values.get(name, "")
        return value if isinstance(value, str) else json.dumps(value)

    def put(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return _PLACE.sub(lambda place: json.dumps(text(place[1]))[1:-1], match[0])
        return json.dumps(values.get(name, "")) if is_json else text(name)

    return _STRING_OR_PLACE.sub(put, template)


def _at(path: str, event: Any) -> Any:
    """The value at a path such as ``$.detail.state``; empty text without one."""
    for name in path.removeprefix("$").split(".")[1:]:
        event = event.get(name, "") if isinstance(event, dict) else ""
    return event


def install() -> None:
    """Make moto use the code above. Call it before the first request."""
    models.Rule = LocalRule  # type: ignore[misc]

"""CloudWatch on the endpoint: metric alarms go off and notify their topics.

moto keeps alarms and data, but never compares them. How AWS does it:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import json
import operator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from moto.cloudwatch import models, urls
from moto.cloudwatch.exceptions import ValidationError

from dynoexport.local import context
from dynoexport.local.services import notifications

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Json = dict[str, Any]

OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"

_SERVICE = "cloudwatch.amazonaws.com"
_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Sum": sum,
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}


@dataclass(frozen=True, kw_only=True)
class Watch:
    """The comparison of an alarm; ``missing`` is how it treats a period without data."""

    statistic: str
    comparison: str
    threshold: float
    period: timedelta
    periods: int
    datapoints: int
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        return _COMPARISONS[self.comparison](value, self.threshold)


def evaluate(
    watch: Watch, samples: Iterable[tuple[datetime, float]], *, now: datetime, before: str
) -> str:
    """The alarm state for the samples of the periods that end now.

    AWS evaluates some more periods. Where data is missing, it uses the real data of these first, so
    it may be some periods later than this function:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    by_period: dict[int, list[float]] = {}
    for at, value in samples:
        if at <= now:
            by_period.setdefault((now - at) // watch.period, []).append(value)
    points = [by_period[index] for index in range(watch.periods) if index in by_period]
    breaching = sum(watch.breaches(_STATISTICS[watch.statistic](values)) for values in points)
    missing = watch.periods - len(points)
    if missing == watch.periods and watch.missing in {"ignore", "missing"}:
        return before if watch.missing == "ignore" else UNKNOWN
    if watch.missing == "breaching":
        breaching += missing
    return ALARM if breaching >= watch.datapoints else OK


class LocalCloudWatchBackend(models.CloudWatchBackend):
    """Evaluates the alarms that the templates can make."""

    @property
    def _url_module(self) -> Any:
        """The service's URLs, which moto expects in a module next to the backend's."""
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def put_metric_alarm(self, **options: Any) -> models.Alarm:  # type: ignore[override]
        """Create an alarm, or change one, which keeps its state.

        Raises:
            ValidationError: the endpoint cannot evaluate such an alarm.
        """
        if options.get("statistic") not in _STATISTICS or options.get("rule"):
            raise ValidationError("The endpoint has alarms of one metric's statistic only")
        if options["comparison_operator"] not in _COMPARISONS:
            raise ValidationError(f"The endpoint knows no {options['comparison_operator']}")
        _check_window(int(options["period"]), int(options["evaluation_periods"]))
        known = self.alarms.get(options["name"])
        alarm = super().put_metric_alarm(**options)
        alarm.state_value = UNKNOWN if known is None else known.state_value
        return alarm

    def put_metric_data(self, namespace: str, metric_data: list[Json]) -> None:
        """Put data, with the time of the endpoint's clock."""
        now = context.endpoint().now().replace(tzinfo=None)
        stamped = [{"Timestamp": now, **datum} for datum in metric_data]
        super().put_metric_data(namespace, stamped)

    def get_filtered_metrics(self, *filters: Any) -> list[models.MetricDatumBase]:
        """Each metric once; moto repeats one with two dimensions, or none, for each datum.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Metric
        """
        metrics = super().get_filtered_metrics(*filters)
        return list({_identity(metric): metric for metric in metrics}.values())

    def evaluate_alarms(self) -> None:
        """Evaluate every alarm, and notify the topics of those whose state has changed."""
        now = context.endpoint().now()
        for alarm in list(self.alarms.values()):
            before = alarm.state_value
            state = evaluate(_watch(alarm), self._samples(alarm), now=now, before=before)
            if state != before:
                alarm.update_state(_reason(alarm, state), "{}", state)
                if alarm.actions_enabled:
                    _notify(alarm, before, now)

    def _samples(self, alarm: models.Alarm) -> list[tuple[datetime, float]]:
        wanted = {dimension.name: dimension.value for dimension in alarm.dimensions}
        return [
            (_aware(datum.timestamp), datum.value)
            for datum in list(self.metric_data)
            if isinstance(datum, models.MetricDatum)
            and (datum.namespace, datum.name) == (alarm.namespace, alarm.metric_name)
            and {dimension.name: dimension.value for dimension in datum.dimensions} == wanted
        ]


def _identity(metric: models.MetricDatumBase) -> tuple[Any, ...]:
    dimensions = frozenset((dimension.name, dimension.value) for dimension in metric.dimensions)
    return metric.namespace, metric.name, dimensions


def _check_window(period: int, periods: int) -> None:
    """Refuse an evaluation window as PutMetricAlarm does.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    most = timedelta(days=7) if period >= timedelta(hours=1).total_seconds() else timedelta(days=1)
    if periods < 1 or timedelta(seconds=period * periods) > most:
        raise ValidationError(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be "
            "<= 86400, or 604800 with a Period of an hour or more)"
        )


def _watch(alarm: models.Alarm) -> Watch:
    periods = int(alarm.evaluation_periods)
    return Watch(
        statistic=alarm.statistic,
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        period=timedelta(seconds=int(alarm.period)),
        periods=periods,
        datapoints=int(alarm.datapoints_to_alarm or periods),
        missing=alarm.treat_missing_data or "missing",
    )


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def _reason(alarm: models.Alarm, state: str) -> str:
    which = {OK: "not crossed", ALARM: "crossed", UNKNOWN: "unknown"}[state]
    return (
        f"Threshold {which}: {alarm.statistic} of {alarm.metric_name} {alarm.comparison_operator} "
        f"{float(alarm.threshold)} for {alarm.evaluation_periods} periods"
    )


def _notify(alarm: models.Alarm, before: str, now: datetime) -> None:
    """Publish the notification in AWS's form.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    endpoint = context.endpoint()
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": endpoint.account,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": f"{now:%Y-%m-%dT%H:%M:%S.000+0000}",
        "Region": endpoint.region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
    }
    actions = {
        OK: alarm.ok_actions,
        ALARM: alarm.alarm_actions,
        UNKNOWN: alarm.insufficient_data_actions,
    }
    for topic in actions[alarm.state_value]:
        notifications.publish(
            topic,
            json.dumps(message),
            service=_SERVICE,
            # The policy that a new topic has compares the owner.
            context={
                "aws:SourceAccount": endpoint.account,
                "aws:SourceOwner": endpoint.account,
                "aws:SourceArn": alarm.alarm_arn,
            },
            subject=f'{alarm.state_value}: "{alarm.name}" in {endpoint.region}'[:100],
        )


def install() -> None:
    """Make moto use the code above. Call it before the first request."""
    models.cloudwatch_backends.backend = LocalCloudWatchBackend

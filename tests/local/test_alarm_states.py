"""Alarms on the endpoint go off by its clock, and notify their topics of every change."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from subscriber import Mailbox
from waiting import until

from dynoexport.local.services import alarms
from dynoexport.local.services.alarms import ALARM, OK, UNKNOWN, Watch

if TYPE_CHECKING:
    from conftest import Clock

    from dynoexport.local.context import Endpoint

NOW = datetime(2026, 11, 26, 18, 30, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def watch(**changes: Any) -> Watch:
    """A watch for a sample in three hours, as the table stack has one."""
    given = {
        "statistic": "SampleCount",
        "comparison": "LessThanThreshold",
        "threshold": 1,
        "period": HOUR,
        "periods": 3,
        "datapoints": 3,
        "missing": "breaching",
        **changes,
    }
    return Watch(**given)


def state(*hours: float, before: str = OK, value: float = 1, **changes: Any) -> str:
    """The state after samples so many hours ago."""
    samples = [(NOW - HOUR * ago, value) for ago in hours]
    return alarms.evaluate(watch(**changes), samples, now=NOW, before=before)


# --- what follows from the data -------------------------------------------------------------------
@given(st.lists(st.floats(-10, 100)))
def test_an_alarm_goes_off_without_a_sample_in_all_its_periods(hours: list[float]) -> None:
    """A sample in the future does not help."""
    samples = [NOW - HOUR * ago for ago in hours]
    fresh = any(NOW - 3 * HOUR < at <= NOW for at in samples)
    assert state(*hours) == (OK if fresh else ALARM)


def test_a_sample_of_zero_is_a_sample() -> None:
    assert state(1, value=0) == OK


def test_enough_breaching_periods_go_off() -> None:
    """Two of three."""
    sums = {"statistic": "Sum", "comparison": "GreaterThanThreshold", "missing": "notBreaching"}
    assert state(0.5, 1.5, 2.5, value=7, threshold=6, datapoints=2, **sums) == ALARM
    assert state(0.5, value=7, threshold=6, datapoints=2, **sums) == OK
    assert state(0.5, 1.5, value=7, threshold=7, datapoints=2, **sums) == OK
    assert state(0.5, 0.6, 1.5, 1.6, value=7, threshold=13, datapoints=2, **sums) == ALARM


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("breaching", ALARM), ("notBreaching", OK), ("ignore", "kept"), ("missing", UNKNOWN)],
)
def test_missing_data_is_treated_as_the_alarm_states(missing: str, expected: str) -> None:
    assert state(missing=missing, before="kept") == expected


# --- on the endpoint ------------------------------------------------------------------------------
class Tower:
    """An alarm for a sample in three hours, its topic and a subscriber."""

    def __init__(self, endpoint: Endpoint, clock: Clock, name: str) -> None:
        self.endpoint, self.clock, self.name = endpoint, clock, name
        self.cloudwatch = endpoint.client("cloudwatch")
        self.topic = endpoint.client("sns").create_topic(Name=name)["TopicArn"]
        self.mailbox = Mailbox(endpoint, name)
        self.mailbox.subscribe(self.topic)

    def alarm(self, **changes: Any) -> None:
        given = {
            "Namespace": "tower",
            "MetricName": self.name,
            "Statistic": "SampleCount",
            "ComparisonOperator": "LessThanThreshold",
            "Threshold": 1,
            "Period": 3600,
            "EvaluationPeriods": 3,
            "TreatMissingData": "breaching",
            "AlarmActions": [self.topic],
            "OKActions": [self.topic],
            **changes,
        }
        self.cloudwatch.put_metric_alarm(AlarmName=self.name, **given)

    def put(self) -> None:
        data = [{"MetricName": self.name, "Value": 1}]
        self.cloudwatch.put_metric_data(Namespace="tower", MetricData=data)

    def wait_for(self, state: str) -> None:
        """Until the alarm is in the state."""
        until(lambda: self.state == state)

    @property
    def state(self) -> str:
        answer = self.cloudwatch.describe_alarms(AlarmNames=[self.name])
        return str(answer["MetricAlarms"][0]["StateValue"])


@pytest.fixture
def tower(clocked: tuple[Endpoint, Clock]) -> Tower:
    return Tower(*clocked, f"tower-{uuid.uuid4().hex[:12]}")


@pytest.mark.endpoint
def test_alarm_notifies_its_topic_when_it_goes_off_and_when_it_is_over(tower: Tower) -> None:
    """In AWS's words, with a subject for a mailbox."""
    tower.put()
    tower.alarm(AlarmDescription="nobody came")
    tower.wait_for(OK)
    tower.clock.forward(hours=3.5)
    tower.wait_for(ALARM)
    tower.put()
    tower.wait_for(OK)
    received = tower.mailbox.collect(least=3)
    messages = [json.loads(message["Message"]) for message in received]
    assert [(message["OldStateValue"], message["NewStateValue"]) for message in messages] == [
        (UNKNOWN, OK),
        (OK, ALARM),
        (ALARM, OK),
    ]
    assert received[1]["Subject"] == f'ALARM: "{tower.name}" in us-east-1'
    assert messages[1]["AlarmDescription"] == "nobody came"


@pytest.mark.endpoint
def test_an_alarm_without_actions_changes_its_state_in_silence(tower: Tower) -> None:
    """After it gets an action, it reports the next change."""
    tower.alarm()
    tower.cloudwatch.disable_alarm_actions(AlarmNames=[tower.name])
    tower.mailbox.receive()
    tower.put()
    tower.wait_for(OK)
    assert tower.mailbox.receive() == []
    tower.cloudwatch.enable_alarm_actions(AlarmNames=[tower.name])
    tower.clock.forward(hours=4)
    tower.wait_for(ALARM)
    (mail,) = tower.mailbox.collect(least=1)
    assert mail["Subject"].startswith("ALARM")


@pytest.mark.endpoint
def test_an_alarm_that_is_changed_keeps_its_state(tower: Tower) -> None:
    tower.alarm()
    tower.wait_for(ALARM)
    tower.alarm(TreatMissingData="ignore")
    assert tower.state == ALARM


@pytest.mark.endpoint
def test_a_topic_may_refuse_alarms_of_other_accounts(tower: Tower) -> None:
    """The topic of the common stack refuses them by this condition."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": tower.topic,
        "Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}},
    }
    tower.endpoint.client("sns").set_topic_attributes(
        TopicArn=tower.topic,
        AttributeName="Policy",
        AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    witness = tower.endpoint.client("sns").create_topic(Name=f"{tower.name}-witness")["TopicArn"]
    witnesses = Mailbox(tower.endpoint, f"{tower.name}-witness")
    witnesses.subscribe(witness)
    tower.alarm(AlarmActions=[tower.topic, witness])
    assert len(witnesses.collect(least=1)) == 1
    assert tower.mailbox.receive() == []


@pytest.mark.endpoint
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Period": 3600, "EvaluationPeriods": 169}, "EvaluationPeriods"),
        ({"Period": 1800, "EvaluationPeriods": 49}, "EvaluationPeriods"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "knows no GreaterThanUpperThreshold"),
    ],
)
def test_an_impossible_alarm_is_refused(tower: Tower, changes: dict[str, Any], words: str) -> None:
    """AWS refuses its window, the endpoint what it does not evaluate."""
    with pytest.raises(ClientError, match=words):
        tower.alarm(**changes)
    tower.alarm(Period=3600, EvaluationPeriods=168)

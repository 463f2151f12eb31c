"""Events of Glue on the endpoint reach the targets of rules, as the policies allow."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from subscriber import Mailbox
from waiting import until

from dynoexport.local.glue import events
from dynoexport.local.iam.authorization import Request
from dynoexport.local.services import notifications

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

EVENTS = "events.amazonaws.com"
TOPIC = "arn:aws:sns:us-east-1:123456789012:notified"


# --- templates ------------------------------------------------------------------------------------
def test_a_placeholder_outside_quotes_becomes_a_json_value() -> None:
    """Quotes in it are escaped, numbers stay numbers."""
    filled = events.fill('{"name": <name>, "n": <n>}', {"name": 'a "b"', "n": 7})
    assert json.loads(filled) == {"name": 'a "b"', "n": 7}


def test_a_placeholder_inside_quotes_becomes_part_of_the_text() -> None:
    """The object stays JSON whatever the value is."""
    filled = events.fill('{"text": "<name> is <state>"}', {"name": 'a\n"b"', "state": "c"})
    assert json.loads(filled) == {"text": 'a\n"b" is c'}


def test_a_placeholder_without_a_value_is_empty() -> None:
    assert json.loads(events.fill('{"text": <gone>}', {})) == {"text": ""}
    assert events.fill("<name> is <gone>", {"name": "a"}) == "a is "


def test_a_target_receives_its_own_input() -> None:
    """A constant, a part of the event, or all of it."""
    event = {"source": "aws.glue", "detail": {"state": "FAILED"}, "ingestion-time": 0}
    assert events.build_input({"Input": "late"}, event) == "late"
    assert events.build_input({"InputPath": "$.detail"}, event) == '{"state": "FAILED"}'
    assert json.loads(events.build_input({}, event)) == {
        "source": "aws.glue",
        "detail": {"state": "FAILED"},
    }


# --- policies of resources ------------------------------------------------------------------------
def statement(**changes: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": EVENTS},
        "Action": "sns:Publish",
        "Resource": TOPIC,
        **changes,
    }


def allowed(*statements: dict[str, Any], **context: str) -> bool:
    known = {key.replace("_", ":"): value for key, value in context.items()}
    return notifications.allows(
        json.dumps({"Statement": list(statements)}),
        service=EVENTS,
        request=Request("sns:Publish", TOPIC, known),
    )


def test_a_policy_allows_what_it_names() -> None:
    assert allowed(statement())
    assert allowed(statement(Action=["SNS:*"], Resource="*", Principal="*"))


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": {"Service": "cloudwatch.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": "sns:Subscribe"},
        {"Resource": f"{TOPIC}-2"},
    ],
)
def test_a_policy_allows_nothing_else(changes: dict[str, Any]) -> None:
    """It refuses another principal, action or resource."""
    assert not allowed(statement(**changes))


def test_a_denial_wins() -> None:
    assert not allowed(statement(), statement(Effect="Deny"))


def test_a_condition_needs_the_context_that_it_compares() -> None:
    """EventBridge sends no context, so a condition loses its messages."""
    condition = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert allowed(statement(Condition=condition), AWS_SourceAccount="123456789012")
    assert not allowed(statement(Condition=condition), AWS_SourceAccount="210987654321")
    assert not allowed(statement(Condition=condition))


def test_an_unknown_operator_never_holds() -> None:
    condition = {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}
    assert not allowed(statement(Condition=condition), aws_CurrentTime="2026-01-01T00:00:00Z")


# --- on the endpoint ------------------------------------------------------------------------------
class Office:
    """A topic with a subscriber, a rule that sends it every event, and tiny jobs."""

    def __init__(self, endpoint: Endpoint, role: str, key: str = "") -> None:
        self.endpoint = endpoint
        self.role = role
        self.name = f"office-{uuid.uuid4().hex[:12]}"
        options = {"Attributes": {"KmsMasterKeyId": key}} if key else {}
        self.topic = endpoint.client("sns").create_topic(Name=self.name, **options)["TopicArn"]
        self.mailbox = Mailbox(endpoint, self.name)
        self.mailbox.subscribe(self.topic, raw=True)
        self.let(statement(Resource=self.topic))

    def let(self, *statements: dict[str, Any]) -> None:
        self.endpoint.client("sns").set_topic_attributes(
            TopicArn=self.topic,
            AttributeName="Policy",
            AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
        )

    def rule(self, detail: dict[str, Any], *, state: str = "ENABLED", **target: Any) -> None:
        client = self.endpoint.client("events")
        pattern = {"source": ["aws.glue"], "detail": detail}
        client.put_rule(Name=self.name, EventPattern=json.dumps(pattern), State=state)
        client.put_targets(Rule=self.name, Targets=[{"Id": "Topic", "Arn": self.topic, **target}])

    def run(self, script: str, **options: Any) -> dict[str, Any]:
        """Run a job to its end."""
        glue, s3 = self.endpoint.client("glue"), self.endpoint.client("s3")
        s3.put_object(Bucket="office-scripts", Key=self.name, Body=script.encode())
        command = {"Name": "pythonshell", "ScriptLocation": f"s3://office-scripts/{self.name}"}
        glue.create_job(Name=self.name, Role=self.role, Command=command, **options)
        witness = self._witness()
        run_id = glue.start_job_run(JobName=self.name)["JobRunId"]

        def ended() -> Any:
            run = glue.get_job_run(JobName=self.name, RunId=run_id)["JobRun"]
            return run if "CompletedOn" in run and run["JobRunState"] != "RUNNING" else None

        event: dict[str, Any] = until(ended)
        until(witness.receive)
        return event

    def _witness(self) -> Mailbox:
        """A queue that hears of the job's end after every other rule has."""
        client, name = self.endpoint.client("events"), f"{self.name}-witness"
        witness = Mailbox(self.endpoint, name)
        pattern = {"source": ["aws.glue"], "detail": {"jobName": [self.name]}}
        client.put_rule(Name=name, EventPattern=json.dumps(pattern))
        client.put_targets(Rule=name, Targets=[{"Id": "Queue", "Arn": witness.arn}])
        return witness

    def crawl(self) -> None:
        """Start a crawl that fails for want of its database."""
        glue = self.endpoint.client("glue")
        targets = {"S3Targets": [{"Path": f"s3://office-scripts/{self.name}/"}]}
        glue.create_crawler(Name=self.name, Role=self.role, DatabaseName=self.name, Targets=targets)
        glue.start_crawler(Name=self.name)
        until(lambda: glue.get_crawler(Name=self.name)["Crawler"]["State"] == "READY")

    def inbox(self, *, least: int = 0) -> list[Any]:
        """What the subscriber has received; waits for ``least`` messages."""
        return self.mailbox.collect(least=least)


@pytest.fixture(scope="module")
def role(endpoint: Endpoint) -> str:
    """A role that may do everything; with it comes the bucket for scripts."""
    iam = endpoint.client("iam")
    endpoint.client("s3").create_bucket(Bucket="office-scripts")
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "glue.amazonaws.com"},
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    created = iam.create_role(
        RoleName="office-role",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_role_policy(RoleName="office-role", PolicyName="all", PolicyDocument=document)
    return str(created["Role"]["Arn"])


@pytest.fixture
def office(endpoint: Endpoint, role: str) -> Office:
    return Office(endpoint, role)


@pytest.mark.endpoint
def test_failed_job_reaches_the_topic_of_a_rule(office: Office) -> None:
    """In the shape that Glue's events have, with the script's own error."""
    office.rule({"jobName": [office.name], "state": ["FAILED"]})
    run = office.run("raise ValueError('broken')")
    (event,) = office.inbox(least=1)
    assert event["detail-type"] == "Glue Job State Change"
    assert event["account"] == office.endpoint.account
    assert "ValueError: broken" in event["detail"].pop("message")
    assert event["detail"] == {
        "jobName": office.name,
        "jobRunId": run["Id"],
        "severity": "ERROR",
        "state": "FAILED",
    }


@pytest.mark.endpoint
def test_every_failed_attempt_has_an_event(office: Office) -> None:
    """For Glue each attempt is a job run."""
    office.rule({"jobName": [office.name]}, InputPath="$.detail.jobRunId")
    first = office.run("raise ValueError('broken')", MaxRetries=1)["Id"]
    assert sorted(office.inbox(least=2)) == [first, f"{first}_attempt_1"]


@pytest.mark.endpoint
def test_failed_crawl_has_an_event_with_its_reason(office: Office) -> None:
    office.rule({"crawlerName": [office.name], "state": ["Failed"]}, InputPath="$.detail")
    office.crawl()
    (detail,) = office.inbox(least=1)
    assert detail["message"] == "Crawler Failed"
    assert office.name in detail["errorMessage"]
    assert detail["cloudWatchLogLink"].endswith(f"stream={office.name}")


@pytest.mark.endpoint
def test_event_that_no_rule_matches_reaches_no_target(office: Office) -> None:
    office.rule({"jobName": [office.name], "state": ["FAILED"]})
    assert office.run("pass")["JobRunState"] == "SUCCEEDED"
    assert office.inbox() == []


@pytest.mark.endpoint
def test_disabled_rule_sends_nothing(office: Office) -> None:
    office.rule({"jobName": [office.name]}, state="DISABLED")
    office.run("pass")
    assert office.inbox() == []


@pytest.mark.endpoint
def test_a_topic_that_does_not_let_eventbridge_publish_receives_nothing(office: Office) -> None:
    """The run itself ends as usual."""
    office.let(statement(Resource=office.topic, Principal={"Service": "sns.amazonaws.com"}))
    office.rule({"jobName": [office.name]})
    assert office.run("pass")["JobRunState"] == "SUCCEEDED"
    assert office.inbox() == []


@pytest.mark.endpoint
@pytest.mark.parametrize("lets", [True, False])
def test_an_encrypted_topic_receives_what_its_key_lets_through(
    endpoint: Endpoint, role: str, lets: bool
) -> None:
    """The key's policy must let EventBridge use it, besides the topic's."""
    use = statement(Action=["kms:Decrypt", "kms:GenerateDataKey*"], Resource="*")
    policy = {"Version": "2012-10-17", "Statement": [use]}
    options = {"Policy": json.dumps(policy)} if lets else {}
    key = endpoint.client("kms").create_key(**options)["KeyMetadata"]["Arn"]
    office = Office(endpoint, role, key)
    office.rule({"jobName": [office.name]}, InputPath="$.detail.state")
    office.run("pass")
    assert office.inbox(least=int(lets)) == ["SUCCEEDED"] * int(lets)


@pytest.mark.endpoint
def test_a_target_of_another_kind_is_refused_by_name(office: Office) -> None:
    """When the rule is made, not when the event comes."""
    client = office.endpoint.client("events")
    office.rule({"jobName": [office.name]})
    function = "arn:aws:lambda:us-east-1:123456789012:function:notify"
    with pytest.raises(ClientError, match="delivers no events to lambda"):
        client.put_targets(Rule=office.name, Targets=[{"Id": "2", "Arn": function}])


@pytest.mark.endpoint
def test_a_queue_can_be_the_target_itself(office: Office) -> None:
    """Moto delivers this event."""
    office.rule({"jobName": [office.name], "state": ["SUCCEEDED"]}, Arn=office.mailbox.arn)
    office.run("pass")
    (event,) = office.inbox(least=1)
    assert event["detail"]["jobName"] == office.name

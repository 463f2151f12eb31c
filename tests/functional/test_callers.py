"""People and pipelines can do their part with the policies of docs/permissions.md, and no less."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from command import Command, consume, crawl, create_table, put_snapshot, sleeping
from roles import allowed, recorded

from dynoexport import naming
from dynoexport.cloudformation import permissions as reference
from dynoexport.iam import caller_policies
from dynoexport.local.iam import authorization, unused_permissions
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport.local.context import Endpoint
    from dynoexport.local.iam.unused_permissions import Element

pytestmark = pytest.mark.endpoint

TABLE = "People.Orders"
OLD = "2026-01-02T03:04"
BUCKET = reference.INSTALLATION.bucket
FORMAT = re.compile(rf"\b({'|'.join(fmt.value for fmt in OutputFormat)})/")
SMALL = ("--set", "NumberOfWorkers=2")


def key_in(endpoint: Endpoint) -> str:
    """The key of an installation."""
    key = "1234abcd-12ab-34cd-56ef-1234567890ab"
    return f"arn:aws:kms:{endpoint.region}:{endpoint.account}:key/{key}"


class Person:
    """An IAM user with what ``dynoexport permissions`` prints for one or several purposes."""

    def __init__(self, endpoint: Endpoint, *purposes: str, boundary: str = "") -> None:
        self.name, self.endpoint = f"may-{'-and-'.join(purposes)}", endpoint
        root, given = Command(endpoint), ("--key", key_in(endpoint))
        given += ("--boundary", boundary) if boundary else ()
        self.policies = {purpose: root.ok("permissions", purpose, *given) for purpose in purposes}
        self.bucket = f"arn:aws:s3:::{naming.bucket(endpoint.account, endpoint.region)}"
        iam = endpoint.client("iam")
        iam.create_user(UserName=self.name)
        for purpose, text in self.policies.items():
            made = iam.create_policy(PolicyName=f"{self.name}-{purpose}", PolicyDocument=text)
            iam.attach_user_policy(UserName=self.name, PolicyArn=made["Policy"]["Arn"])
        key = iam.create_access_key(UserName=self.name)["AccessKey"]
        keys = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
        self.command = Command(endpoint, keys)
        self.athena = endpoint.client("athena", keys)

    def unused(self, *purposes: str) -> set[tuple[str, str]]:
        """Statement and value of all that was not needed, whatever the format.

        Of the purposes, of all without any; what one of the others allows is not needed either.
        """
        statements = [
            statement
            for purpose, text in self.policies.items()
            for statement in authorization.statements(purpose, text)
        ]
        calls = allowed(recorded(self.endpoint, {self.name}))
        needless = set(unused_permissions.needless(statements, calls))
        asked = purposes or tuple(self.policies)

        def shown(element: Element) -> tuple[str, str]:
            text = unused_permissions.text(statements, element).replace(self.bucket, BUCKET)
            return element.sid, FORMAT.sub("<format>/", text)

        every = [
            element
            for element in unused_permissions.elements(statements)
            if element.policy in asked
        ]
        needed = {shown(element) for element in every if element not in needless}
        return {shown(element) for element in every} - needed

    def refused(self) -> list[tuple[str, str]]:
        return [
            (decision["action"], decision["resource"])
            for decision in recorded(self.endpoint, {self.name})
            if not decision["allowed"]
        ]


@pytest.fixture(scope="module")
def there(new_region: Callable[[], Endpoint]) -> Endpoint:
    """A region of the account in which there is nothing but a table."""
    found = new_region()
    create_table(found, TABLE)
    found.client("dynamodb").update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    return found


@pytest.fixture(scope="module")
def boundary(there: Endpoint) -> str:
    """What ``dynoexport permissions boundary`` prints."""
    answer = there.client("iam").create_policy(
        PolicyName=naming.BOUNDARY,
        PolicyDocument=Command(there).ok("permissions", "boundary", "--key", key_in(there)),
    )
    return str(answer["Policy"]["Arn"])


def was_read(endpoint: Endpoint, table: str) -> str:
    """A table that was read, as CloudWatch knows, by an export among others."""
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    consume(endpoint, table, "ConsumedReadCapacityUnits", yesterday, 50)
    timestamp = f"{yesterday:%Y-%m-%dT%H:%M}"
    put_snapshot(endpoint, table, timestamp, [{"id": "1"}])
    return timestamp


def test_deploying_needs_exactly_its_policy(there: Endpoint, boundary: str) -> None:
    """Through init, deploy, changes of both stacks, and destroy with the data."""
    person, root = Person(there, "deploy", "destroy", boundary=boundary), Command(there)
    do = person.command
    bounded = ("--set", f"PermissionsBoundaryArn={boundary}")
    notified = ("--set", "NotificationEmail=a@example.com", "--set", f"KmsKeyArn={key_in(there)}")
    do.ok("init", *notified, "--yes")

    # Asked and not answered: nothing is left behind.
    assert do("deploy", TABLE, *bounded).returncode == 2
    assert "did you mean" in do("deploy", TABLE[:-1], "--yes").stderr
    unbounded = do("deploy", TABLE, "--yes")
    assert unbounded.returncode == 1
    assert "iam:CreateRole" in unbounded.stderr
    assert {action for action, _ in person.refused()} == {"iam:CreateRole"}

    csv = ("--format", "csv", *SMALL, *bounded)
    do.ok("deploy", TABLE, *csv, "--read-mode", "export", "--enable", "--yes")
    later = ("--schedule", "cron(5 4 * * ? *)", "--set", "CatalogPrefix=p_")
    do.ok("deploy", TABLE, "--read-mode", "native", *later, "--yes")
    outside = do("deploy", TABLE, "--set", "ConnectionName=inside", "--yes")
    assert "there is no Glue connection inside" in outside.stderr
    was_read(there, TABLE)
    do.ok("deploy", TABLE, "--auto", "--yes")
    root.ok("disable", TABLE)
    do.ok("deploy", TABLE, "--enable", "--set", "Splits=7", "--yes")
    do.ok("deploy", TABLE, "--disable", "--set", "NotifyOnFailure=false", "--yes")
    do.ok("deploy", TABLE, "--set", "ScheduleState=ENABLED", "--yes")
    do.ok("destroy", TABLE, "--yes")

    do.ok("deploy", TABLE, "--format", "json", *SMALL, *bounded, "--yes")
    put_snapshot(there, TABLE, OLD, [{"id": "1"}])
    crawl(there, TABLE)
    do.ok("destroy", TABLE, "--data", "--yes")
    for fmt in OutputFormat:
        # What a killed run leaves, and an object of somebody else.
        left = (
            naming.claim_key(TABLE, fmt.value, OLD),
            f"{naming.temp_prefix(TABLE, fmt.value)}left",
            f"{naming.data_prefix(TABLE, fmt.value)}left",
        )
        for key in left:
            there.client("s3").put_object(
                Bucket=naming.bucket(there.account, there.region), Key=key, Body=b"x"
            )
        do.ok("destroy", TABLE, "--format", fmt.value, "--data", "--yes")
    do.ok("init", "--set", "KmsKeyArn=", "--yes")
    do.ok("init", "--set", "NotificationEmail=", "--yes")
    assert {action for action, _ in person.refused()} == {"iam:CreateRole"}
    assert person.unused() == reference.kept("deploy") | reference.kept("destroy")


def test_importing_needs_exactly_its_policy(empty_region: Endpoint) -> None:
    """In addition to that of deploy, which is not enough."""
    elsewhere = empty_region
    root, bucket = Command(elsewhere), naming.bucket(elsewhere.account, elsewhere.region)
    root.ok("init", "--yes")
    elsewhere.client("cloudformation").delete_stack(StackName="dynoexport-common")
    only = Person(elsewhere, "deploy").command("init", "--yes")
    assert (only.returncode, only.stdout) == (1, "")
    what, cure = only.stderr.splitlines()
    assert "lacks s3:GetLifecycleConfiguration" in what
    assert cure == "  attach the policy that 'dynoexport permissions import' prints"
    person = Person(elsewhere, "deploy", "import")
    found = person.command.json("init", "--yes")
    assert found["imported"] == [bucket, naming.DATABASE]
    assert person.refused() == []
    assert person.unused("import") == reference.kept("import")


@pytest.fixture(scope="module")
def exported(there: Endpoint) -> str:
    """A table with an export that has a snapshot, without any run."""
    root, name = Command(there), "People.Books"
    create_table(there, name)
    notified = ("--set", "NotificationEmail=b@example.com", "--set", f"KmsKeyArn={key_in(there)}")
    root.ok("init", *notified, "--yes")
    root.ok("deploy", name, "--format", "json", *SMALL, "--enable", "--yes")
    put_snapshot(there, name, OLD, [{"id": "1"}])
    crawl(there, name)
    root.ok("publish", name, OLD)
    return name


def test_running_needs_exactly_its_policy(there: Endpoint, exported: str) -> None:
    person = Person(there, "run")
    do = person.command
    do.ok("disable", exported)
    do.ok("enable", exported)
    with sleeping(there, naming.export_job(exported, "json")):
        run = do.json("run", exported, "--set", "MaxConsumedReadThroughput=0.5")["run_id"]
        do.ok("runs", exported)
        do.ok("stop", exported)
    do("watch", exported)
    do("logs", exported, "--run", run)
    do.ok("status")
    do.ok("snapshots", exported)
    assert do("query", exported).returncode == 1
    # Who runs exports may not read items: the sample of the table is left out.
    denied = {action for action, _ in person.refused()}
    assert denied == {"athena:StartQueryExecution", "dynamodb:Scan"}
    assert person.unused() == reference.kept("run")


def test_planning_needs_exactly_its_policy(there: Endpoint, exported: str) -> None:
    was_read(there, exported)
    person = Person(there, "plan")
    do = person.command
    (reported,) = do.json("plan", exported)
    assert reported["unknown"] == [
        "how much is written to it: CloudWatch has no figures for the last 14 days"
    ]
    assert f"did you mean {exported}?" in do("plan", exported[:-1]).stderr
    assert do("deploy", exported, "--yes").returncode == 1
    assert {action for action, _ in person.refused()} == {"cloudformation:DescribeStacks"}
    assert person.unused() == reference.kept("plan")


def test_doctor_says_who_may_do_what(there: Endpoint, exported: str) -> None:
    """By the same policies, which are limited to resources and conditions."""
    person = Person(there, "query", "plan")
    asking = ["iam:SimulatePrincipalPolicy", "glue:List*", "athena:List*", "logs:Describe*"]
    statement = {"Effect": "Allow", "Action": asking, "Resource": "*"}
    there.client("iam").put_user_policy(
        UserName=person.name,
        PolicyName="ask",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    done = person.command("doctor", "--output", "json")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert {
        name for name in caller_policies.PURPOSES if checks[f"may {name}"]["state"] == "ok"
    } == {
        "query",
        "plan",
    }
    lacking = checks["may publish"]
    assert lacking["state"] == "warning"
    assert (
        "lacks glue:BatchDeletePartition, glue:CreateTable, glue:GetJob, glue:UpdateTable"
        in lacking["detail"]
    )
    assert lacking["hint"] == "attach the policy that 'dynoexport permissions publish' prints"
    assert checks["may read CloudFormation"]["state"] == "failed"


def test_querying_needs_exactly_its_policy(there: Endpoint, exported: str) -> None:
    """Ctrl-C of a query stops it, and so does one of a publication."""
    person = Person(there, "query")
    assert person.command.json("query", exported) == [{naming.PARTITION_KEY: OLD}]
    started = person.athena.start_query_execution(
        QueryString="SELECT 1 AS one", WorkGroup=naming.WORK_GROUP
    )
    person.athena.stop_query_execution(QueryExecutionId=started["QueryExecutionId"])
    assert person.command("run", exported).returncode == 1
    assert {action for action, _ in person.refused()} == {"glue:GetWorkflowRuns"}
    assert person.unused() == reference.kept("query")


def test_publishing_needs_exactly_its_policy(there: Endpoint, exported: str) -> None:
    newer = was_read(there, exported)
    crawl(there, exported)
    person = Person(there, "run", "publish")
    do = person.command
    do.ok("publish", exported, newer)
    there.client("glue").delete_table(DatabaseName=naming.DATABASE, Name=naming.view(exported))
    do.ok("publish", exported, newer)
    started = person.athena.start_query_execution(
        QueryString="SELECT 1 AS one", WorkGroup=naming.WORK_GROUP
    )
    person.athena.stop_query_execution(QueryExecutionId=started["QueryExecutionId"])
    do.ok("verify", exported)
    do.ok("prune", exported, "--keep", "1", "--yes")
    assert [snapshot["snapshot"] for snapshot in do.json("snapshots", exported)] == [newer]
    there.client("s3").put_object(
        Bucket=naming.bucket(there.account, there.region),
        Key=f"{naming.snapshot_prefix(exported, 'json', OLD)}run-1-part-r-00000",
        Body=b'{"id": "1"}\n',
    )
    crawl(there, exported)
    do.ok("adopt", exported, "--yes")
    assert do("destroy", exported, "--yes").returncode == 1
    assert {action for action, _ in person.refused()} == {"s3:ListBucket"}
    assert person.unused("publish") == reference.kept("publish")

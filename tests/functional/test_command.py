"""The command on the endpoint where no run is needed: deploying, listing, completing, showing."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from command import COMMAND, Command, commands, create_table, library, put_snapshot

import dynoexport
from dynoexport import assets, cli, naming
from dynoexport.aws.change_sets import DeployFailed, Stack, deploy
from dynoexport.model import OutputFormat
from dynoexport.operations.run import RunRefused
from dynoexport.planning.table_facts import TableRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from account import Account

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint


@pytest.fixture(scope="module")
def command(account: Account) -> Command:
    """In an account with the common stack and this version's scripts."""
    found = Command(account.endpoint)
    dynoexport.init(library(account.endpoint))
    return found


@pytest.fixture
def table(endpoint: Endpoint) -> str:
    """A DynamoDB table that nothing exports."""
    name = f"T{uuid.uuid4().hex}"
    create_table(endpoint, name)
    return name


def stacks(endpoint: Endpoint) -> set[str]:
    pages = endpoint.client("cloudformation").get_paginator("list_stacks").paginate()
    found = (summary for page in pages for summary in page["StackSummaries"])
    return {
        summary["StackName"] for summary in found if summary["StackStatus"] != "DELETE_COMPLETE"
    }


@pytest.fixture
def there(empty_region: Endpoint) -> Command:
    """The command in another region of the account, in which there is nothing."""
    return Command(empty_region)


# --- init and deploy ------------------------------------------------------------------------------
def test_init_needs_an_answer_to_its_question(there: Command) -> None:
    """Without a terminal, init shows what it would do and does nothing."""
    done = there("init")
    assert (done.returncode, done.stdout) == (2, "")
    assert "  + Bucket         S3::Bucket\n" in done.stderr
    assert done.stderr.endswith("Error: this command asks for confirmation\n  add --yes\n")
    assert there("deploy", "T", "--yes").stderr.splitlines()[1] == "  run: dynoexport init"


def test_a_second_init_changes_nothing(there: Command) -> None:
    first, second = there.json("init", "--yes"), there.json("init")
    assert (first["changed"], second["changed"]) == (True, False)
    assert (len(first["uploaded"]), second["uploaded"]) == (2, [])
    assert first["scripts_version"] == second["scripts_version"]


RETENTION = "SnapshotRetentionDays"
NO_ZSTD = "zstd needs Glue 4.0 or later and does not work with avro"


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("--set", "GlueVersion=2.0"), (1, "AWS has run no jobs on Glue 2.0 since 2026-04-01")),
        (("--set", "GlueVersion=7.0"), (2, "GlueVersion is '7.0'")),
        (("--set", "MaxConsumedReadThroughput=1.5"), (2, "MaxConsumedReadThroughput is '1.5'")),
        (("--set", "WorkerTyp=G.1X"), (2, "there is no parameter WorkerTyp")),
        (("--set", "TableName=Other"), (2, "TableName cannot be set as a parameter")),
        (("--schedule", "cron(0 25 * * ? *)"), (2, "cron(0 25 * * ? *)")),
        (("--columns", "a", "--exclude", "b"), (2, "Columns and Exclude cannot be used together")),
        (("--where", "a'; DROP"), (2, "Where is not a Spark SQL predicate: ' is not closed")),
        (("--set", "Where=(a"), (2, "Where is not a Spark SQL predicate: a ) is missing")),
        (("--columns", ",,,"), (2, "Columns is ',,,'")),
        (("--exclude", '" Email'), (2, "Exclude is '\" Email', which is not a list of attributes")),
        (("--compression", "zstd", "--set", "GlueVersion=3.0"), (2, NO_ZSTD)),
        (("--compression", "zstd", "--format", "avro"), (2, NO_ZSTD)),
        (("--format", "xml", "--set", f"{RETENTION}=30"), (2, "xml has no view job")),
        (("--read-mode", "export"), (1, "has no point-in-time recovery")),
    ],
)
def test_invalid_settings_are_refused_before_a_stack_is_created(
    command: Command,
    endpoint: Endpoint,
    table: str,
    words: tuple[str, ...],
    refusal: tuple[int, str],
) -> None:
    done = command("deploy", table, "--yes", *words)
    code, reported = refusal
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    what, cure = done.stderr.splitlines()
    assert what.startswith("Error: ")
    assert reported in what
    assert cure.startswith("  ")
    assert naming.table_stack(table, "parquet") not in stacks(endpoint)


def test_query_without_a_view_says_why(command: Command, table: str) -> None:
    """As after runs of a table that was always empty."""
    command.ok("deploy", table, "--yes")
    for sql in ((), ("SELECT count(*) FROM {snapshots}",)):
        done = command("query", table, *sql)
        assert (done.returncode, done.stdout) == (1, "")
        what, cure = done.stderr.splitlines()[-2:]
        assert what.startswith(f"Error: {table} has no view yet: no run has published a snapshot")
        assert cure == f"  see its snapshots and their items with: dynoexport snapshots {table}"
    assert f"did you mean {table}?" in command("query", table[:-1]).stderr


def test_an_option_and_its_parameter_are_not_given_both(command: Command, table: str) -> None:
    done = command("deploy", table, "--where", "a = 1", "--set", "Where=b = 2")
    assert done.returncode == 2
    assert done.stderr.endswith(
        "Error: Where is set twice, by its option and by --set. Leave one out.\n"
    )


def test_options_of_the_export_are_kept_until_they_are_reset(
    command: Command, endpoint: Endpoint, table: str
) -> None:
    """A new value is checked together with the stack's current values."""

    def parameters() -> dict[str, str]:
        stack = naming.table_stack(table, "parquet")
        answer = endpoint.client("cloudformation").describe_stacks(StackName=stack)
        described = answer["Stacks"][0]["Parameters"]
        return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described}

    where = "rating >= 4 AND user <> 'a, b'"
    command.ok("deploy", table, "--yes", "--columns", "User,Book", "--where", where)
    assert (parameters()["Columns"], parameters()["Where"]) == ("User,Book", where)
    done = command("deploy", table, "--yes", "--exclude", "Email")
    assert done.returncode == 2
    assert "reset one of them: --columns '' or --exclude ''" in done.stderr
    command.ok("deploy", table, "--yes", "--columns", "", "--exclude", "Email")
    assert (parameters()["Columns"], parameters()["Exclude"]) == ("", "Email")
    assert parameters()["Where"] == where


def test_an_export_by_dynamodb_needs_recovery_only(
    command: Command, endpoint: Endpoint, table: str
) -> None:
    """The command in the error message is the missing step."""
    refused = command("deploy", table, "--yes", "--read-mode", "export").stderr
    hint = refused.splitlines()[1].removeprefix("  turn it on: ").split()
    assert hint[:3] == ["aws", "dynamodb", "update-continuous-backups"]
    endpoint.client("dynamodb").update_continuous_backups(
        TableName=hint[hint.index("--table-name") + 1],
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    command.ok("deploy", table, "--yes", "--read-mode", "export")


def test_a_missing_table_stops_the_deployment_of_all(
    command: Command, endpoint: Endpoint, table: str
) -> None:
    """One misspelt name does not leave half of the tables deployed."""
    done = command("deploy", table, f"{table}x", "--yes")
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: there is no DynamoDB table {table}x in us-east-1\n  did you mean {table}?\n"
    )
    assert naming.table_stack(table, "parquet") not in stacks(endpoint)


def test_tables_whose_names_collide_are_not_deployed_side_by_side(
    command: Command, endpoint: Endpoint, table: str
) -> None:
    """Athena folds names; the second export would overwrite the view of the first."""
    other = table.lower()
    create_table(endpoint, other)
    dynoexport.deploy(library(endpoint), table, fmt=OutputFormat.JSON)
    done = command("deploy", other, "--format", "json", "--yes")
    assert done.returncode == 1
    assert "would both own" in done.stderr
    assert naming.table_stack(other, "json") not in stacks(endpoint)
    command.ok("deploy", other, "--format", "json", "--yes", "--set", "CatalogPrefix=second_")


def test_several_tables_are_deployed_at_once_and_again_without_changes(
    command: Command, endpoint: Endpoint, table: str
) -> None:
    other = f"{table}2"
    create_table(endpoint, other)
    first = command.ok("deploy", table, other, "--format", "csv", "--yes").splitlines()
    assert first == [
        f"{name} (csv): stack dynoexport-{name}-csv created" for name in (table, other)
    ]
    again = command("deploy", table, other)
    assert again.returncode == 0
    assert again.stdout == "".join(
        f"{name} (csv): stack dynoexport-{name}-csv unchanged\n" for name in (table, other)
    )


def test_deploy_finds_the_key_of_the_catalog_or_asks_for_it(there: Command) -> None:
    """An alias does not name the key; without permission to look, the stack keeps what it has."""
    there.ok("init", "--yes")
    create_table(there.endpoint, "Orders")
    glue, region = there.endpoint.client("glue"), there.endpoint.region
    key = f"arn:aws:kms:{region}:123456789012:key/k"

    def deployed(named: str, *words: str) -> tuple[str, str]:
        at_rest: Any = {"CatalogEncryptionMode": "SSE-KMS", "SseAwsKmsKeyId": named}
        glue.put_data_catalog_encryption_settings(
            DataCatalogEncryptionSettings={"EncryptionAtRest": at_rest}
        )
        done = there("deploy", "Orders", "--yes", *words)
        assert done.returncode == 0, done.stderr
        stack = there.endpoint.client("cloudformation").describe_stacks(
            StackName=naming.table_stack("Orders", "parquet")
        )["Stacks"][0]
        found = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
        return found["CatalogKeyArn"], done.stderr

    found, warned = deployed("alias/mine")
    assert found == ""
    assert warned.splitlines()[0] == (
        "Warning: alias/mine encrypts the Data Catalog: allow the roles to use its key with "
        "--set CatalogKeyArn=ARN, which names the key and not the alias"
    )
    assert deployed(key)[0] == key
    assert deployed("alias/aws/glue")[0] == key
    assert deployed(key, "--set", "CatalogKeyArn=")[0] == ""
    account = library(there.endpoint)
    refusal = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
    account.glue.meta.events.register(
        "before-call.glue.GetDataCatalogEncryptionSettings",
        lambda **_: (AWSResponse("", 400, {}, None), refusal),
    )
    assert [each.outcome for each in dynoexport.deploy(account, "Orders")] == ["unchanged"]


LOSSY = {"id": {"S": "1"}, "price": {"N": "12345678901234567890.12"}, "tags": {"SS": ["b", "a"]}}


def test_deploy_and_run_warn_of_what_the_connector_may_change(
    command: Command, endpoint: Endpoint, table: str
) -> None:
    """On stderr, without a value; the command that it names ends the warning."""
    endpoint.client("dynamodb").put_item(TableName=table, Item=LOSSY)
    deployed = command("deploy", table, "--yes", "--format", "json", "--output", "json")
    assert (deployed.returncode, len(json.loads(deployed.stdout))) == (0, 1)
    started = command("run", table)
    assert started.returncode == 0
    for done in (deployed, started):
        (what,) = re.findall(r"^Warning: (.*)", done.stderr, re.MULTILINE)
        named = "price (numbers of more than 15 digits), tags (sets), as a sample of 1 item of"
        assert what.startswith(f"the connector may change {named} {table} shows (")
        (remedy,) = re.findall(r"^  keep them: dynoexport (.*)", done.stderr, re.MULTILINE)
        assert "12345678" not in done.stdout + done.stderr
    command("stop", table)
    assert "Warning" not in command("deploy", table, "--yes", "--no-sample").stderr
    kept = command(*remedy.split(), "--yes")
    assert (kept.returncode, "Warning" in kept.stderr) == (0, False)


def test_a_run_that_glue_refuses_while_the_schedule_is_off_says_what_to_do(
    command: Command, table: str
) -> None:
    """AWS does not document whether it does; with the schedule on, the error is Glue's own."""
    command.ok("deploy", table, "--yes")
    account = library(command.endpoint)
    answer = {"Error": {"Code": "InvalidInputException", "Message": "No active start trigger"}}
    account.glue.meta.events.register(
        "before-call.glue.StartWorkflowRun",
        lambda **_: (AWSResponse("", 400, {}, None), answer),
    )
    with pytest.raises(RunRefused) as refused:
        dynoexport.run(account, table)
    assert refused.value.what == (
        f"Glue refuses a run of {table} while its schedule is off: No active start trigger"
    )
    assert refused.value.hint == (
        f"switch it on first: dynoexport enable {table}; after the run: dynoexport disable {table}"
    )
    dynoexport.enable(account, table)
    with pytest.raises(ClientError, match="No active start trigger"):
        dynoexport.run(account, table)


def test_run_of_a_table_that_is_gone_is_refused(command: Command, table: str) -> None:
    command.ok("deploy", table, "--yes")
    command.endpoint.client("dynamodb").delete_table(TableName=table)
    done = command("run", table)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"Error: there is no DynamoDB table {table} in {command.endpoint.region}",
        f"  restore it, or remove its export: dynoexport destroy {table}",
    ]
    assert command.json("runs", table) == []


def test_table_that_nobody_can_read_is_refused(command: Command, table: str) -> None:
    command.ok("deploy", table, "--yes")
    account = library(command.endpoint)

    def delete(parsed: dict[str, Any], **_: object) -> None:
        parsed["Table"]["TableStatus"] = "DELETING"

    account.dynamodb.meta.events.register("after-call.dynamodb.DescribeTable", delete)
    for refuses in (dynoexport.run, dynoexport.deploy, dynoexport.plans):
        with pytest.raises(TableRefused, match=f"table {table} is DELETING"):
            refuses(account, table)
    assert command.json("runs", table) == []


@pytest.mark.parametrize(("code", "starts"), [("AccessDeniedException", True), ("Other", False)])
def test_run_starts_if_the_caller_may_not_look_at_the_table(
    command: Command, table: str, code: str, starts: bool
) -> None:
    command.ok("deploy", table, "--yes")
    account = library(command.endpoint)
    answer = {"Error": {"Code": code, "Message": "refused"}}
    account.dynamodb.meta.events.register(
        "before-call.dynamodb.DescribeTable", lambda **_: (AWSResponse("", 400, {}, None), answer)
    )
    with contextlib.nullcontext() if starts else pytest.raises(ClientError, match="refused"):
        dynoexport.run(account, table)
    assert bool(command.json("runs", table)) is starts


def test_a_rollback_says_its_reason(command: Command, endpoint: Endpoint, table: str) -> None:
    """The resource that failed with its own words, not the list of what was cancelled then."""
    taken = naming.workflow(table, "parquet", scheduled=True)
    for name in (taken, naming.workflow(table, "parquet", scheduled=False)):
        with contextlib.suppress(endpoint.client("glue").exceptions.AlreadyExistsException):
            endpoint.client("glue").create_workflow(Name=name)
    done = command("deploy", table, "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    what, reason = done.stderr.splitlines()[-2:]
    assert what.startswith(f"Error: stack {naming.table_stack(table, 'parquet')}")
    assert "Workflow" in reason
    assert "already exists" in reason


@pytest.fixture(scope="module")
def rolled_back(new_region: Callable[[], Endpoint]) -> tuple[Command, str]:
    """A region whose common stack could not be created, and what was in its way."""
    there = Command(new_region())
    bucket = naming.bucket(there.endpoint.account, there.endpoint.region)
    region = {"LocationConstraint": there.endpoint.region}
    there.endpoint.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=region)
    email = {"NotificationEmail": "a@example.org"}
    common = Stack("dynoexport-common", assets.template("common.yaml"), email)
    with pytest.raises(DeployFailed, match="could not be created"):
        deploy(there.endpoint.client("cloudformation"), common, pause=0.2)
    return there, bucket


NEEDS_COMMON_STACK = [
    "Error: the common stack dynoexport-common is ROLLBACK_COMPLETE",
    "  run: dynoexport init",
]


def test_deploy_after_a_failed_init_asks_for_another_init(
    rolled_back: tuple[Command, str],
) -> None:
    there, _ = rolled_back
    create_table(there.endpoint, "Orders")
    for words in (("deploy", "Orders", "--yes"), ("deploy", "Orders", "--auto", "--yes")):
        done = there(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == NEEDS_COMMON_STACK


@pytest.mark.parametrize(
    "words",
    [
        "run Orders",
        "query Orders",
        "status",
        "status Orders",
        "snapshots Orders",
        "prune Orders --keep 1",
        "verify Orders",
        "publish Orders 2026-01-31T10:00",
        "runs Orders",
        "logs Orders",
        "stop Orders",
        "enable Orders",
        "destroy Orders --yes",
        "destroy Orders --data --format csv --yes",
        "plan Orders",
        "doctor",
    ],
)
def test_no_command_prints_a_traceback_after_a_failed_init(
    rolled_back: tuple[Command, str], words: str
) -> None:
    there, _ = rolled_back
    done = there(*words.split())
    assert done.returncode in {0, 1}
    assert "Traceback" not in done.stderr
    assert "KeyError" not in done.stderr


def test_doctor_asks_for_another_init_after_a_failed_one(rolled_back: tuple[Command, str]) -> None:
    there, _ = rolled_back
    checks = json.loads(there("doctor", "--output", "json").stdout)
    found = {check["name"]: (check["state"], check["hint"]) for check in checks}
    assert found["common stack"] == ("failed", "run: dynoexport init")


def test_init_is_repeated_after_a_failed_one(rolled_back: tuple[Command, str]) -> None:
    """The bucket that was in the way becomes part of the stack."""
    there, bucket = rolled_back
    again = there.json("init", "--yes")
    assert (again["changed"], again["imported"]) == (True, [bucket])
    assert there.json("init", "--yes")["changed"] is False


def test_another_key_replaces_the_security_configuration_until_an_export_uses_it(
    there: Command,
) -> None:
    """The table stacks have imported the key."""
    kms, glue = there.endpoint.client("kms"), there.endpoint.client("glue")
    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(3)]
    for key in keys[:2]:
        there.ok("init", "--yes", "--set", f"KmsKeyArn={key}")
    (configuration,) = glue.get_security_configurations()["SecurityConfigurations"]
    assert configuration["Name"] == f"dynamodb-exports-{keys[1].rpartition('/')[2]}"
    create_table(there.endpoint, "Orders")
    there.ok("deploy", "Orders", "--yes")
    done = there("init", "--yes", "--set", f"KmsKeyArn={keys[2]}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "Error: KmsKeyArn cannot change while there are exports: Orders as parquet",
        "  destroy them first; their snapshots stay encrypted with the former key",
    ]
    removed = there("init", "--yes", "--set", "KmsKeyArn=")
    assert removed.stderr.startswith("Error: KmsKeyArn cannot change while there are exports: ")
    there.ok("init", "--yes")


def test_init_that_fails_half_way_leaves_nothing_in_the_way(there: Command) -> None:
    """Neither the bucket nor the database stays, and the obstacle is named."""
    glue, s3 = there.endpoint.client("glue"), there.endpoint.client("s3")
    key = there.endpoint.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = f"dynamodb-exports-{key.rpartition('/')[2]}"
    glue.create_security_configuration(Name=name, EncryptionConfiguration={})
    done = there("init", "--yes", "--set", f"KmsKeyArn={key}")
    assert (done.returncode, done.stdout) == (1, "")
    assert name in done.stderr
    assert "already exists" in done.stderr
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert naming.bucket(there.endpoint.account, there.endpoint.region) not in buckets
    assert glue.get_databases()["DatabaseList"] == []
    glue.delete_security_configuration(Name=name)
    there.ok("init", "--yes", "--set", f"KmsKeyArn={key}")


def test_deploy_refuses_names_that_somebody_else_has_given(command: Command, table: str) -> None:
    """Before a stack is created, which would be rolled back."""
    glue = command.endpoint.client("glue")
    job = naming.view_job(table, "parquet")
    glue.create_job(Name=job, Role="theirs", Command={"Name": "pythonshell"})
    done = command("deploy", table, "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"Error: {table}: there already is a Glue job {job}, which is not of an export",
        "  delete it, because this export needs its name",
    ]
    assert naming.table_stack(table, "parquet") not in stacks(command.endpoint)
    glue.delete_job(JobName=job)
    command.ok("deploy", table, "--yes")


def test_topic_stays_while_an_export_notifies_it(there: Command) -> None:
    """CloudFormation would refuse at the end: the table stack has imported its ARN."""
    there.ok("init", "--yes", "--set", "NotificationEmail=data@example.org")
    create_table(there.endpoint, "Orders")
    there.ok("deploy", "Orders", "--yes")
    done = there("init", "--yes", "--set", "NotificationEmail=")
    assert (done.returncode, done.stdout) == (1, "")
    error, hint = done.stderr.splitlines()
    assert error == (
        "Error: NotificationEmail cannot be removed while exports notify: Orders as parquet"
    )
    off = re.findall(r"--set \S+=\S+", hint)
    there.ok("init", "--yes", "--set", "NotificationEmail=other@example.org")
    there.ok("deploy", "Orders", "--yes", *" ".join(off).split())
    there.ok("init", "--yes", "--set", "NotificationEmail=")


def test_init_refuses_a_stack_of_somebody_else(endpoint: Endpoint, command: Command) -> None:
    """It would replace everything in it."""
    cloudformation = endpoint.client("cloudformation")
    topic = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "theirs"}}}
    body = json.dumps({"Resources": topic})
    cloudformation.create_stack(StackName="theirs", TemplateBody=body)
    done = command("init", "--common-stack", "theirs", "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "Error: the stack theirs is not a common stack of dynoexport",
        "  choose another name with --common-stack",
    ]
    resources = cloudformation.list_stack_resources(StackName="theirs")["StackResourceSummaries"]
    assert [resource["LogicalResourceId"] for resource in resources] == ["Topic"]


# --- listings -------------------------------------------------------------------------------------
def test_status_lists_more_exports_than_a_page_of_tags_holds(empty_region: Endpoint) -> None:
    """The tagging service answers 100 resources at a time, Glue 25 workflows."""
    there = empty_region
    glue = there.client("glue")
    glue.create_database(DatabaseInput={"Name": naming.DATABASE})
    there.client("s3").create_bucket(
        Bucket=naming.bucket(there.account, there.region),
        CreateBucketConfiguration={"LocationConstraint": there.region},
    )

    def add(number: int) -> None:
        name = f"Table{number:03}"
        workflow = naming.workflow(name, "json", scheduled=False)
        glue.create_workflow(Name=workflow)
        glue.create_job(
            Name=naming.export_job(name, "json"),
            Role="none",
            Command={"Name": "glueetl"},
            Tags={
                naming.TAG_TABLE: name,
                naming.TAG_FORMAT: "json",
                naming.TAG_STACK: "none",
                naming.TAG_WORKFLOW: workflow,
            },
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(120)))
    lines = Command(there).ok("status").splitlines()
    assert lines[0].split()[:2] == ["TABLE", "FORMAT"]
    assert [line.split()[0] for line in lines[1:]] == [f"Table{n:03}" for n in range(120)]
    late = Command(there)("status", "--stale", "26h")
    assert late.returncode == 3
    assert late.stderr.startswith("120 of 120 stale: Table000, Table001, ")


def test_more_snapshots_than_a_page_of_s3_holds(
    command: Command, endpoint: Endpoint, table: str
) -> None:
    dynoexport.deploy(library(endpoint), table, fmt=OutputFormat.JSON)
    times = [f"2026-{1 + n // 600:02}-{1 + n // 60 % 10:02}T10:{n % 60:02}" for n in range(1050)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda timestamp: put_snapshot(endpoint, table, timestamp, []), times))
    listed = command.json("snapshots", table, "--limit", "0")
    assert [snapshot["snapshot"] for snapshot in listed] == sorted(times, reverse=True)
    pruned = command.json("prune", table, "--keep", "1045", "--yes")
    assert [snapshot["snapshot"] for snapshot in pruned["snapshots"]] == sorted(times)[:5]
    left = command.json("snapshots", table, "--limit", "0")
    assert [snapshot["snapshot"] for snapshot in left] == sorted(times, reverse=True)[:1045]


def test_stop_without_an_active_run_is_refused(
    command: Command, endpoint: Endpoint, table: str
) -> None:
    dynoexport.deploy(library(endpoint), table)
    done = command("stop", table)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Error: no run of {table} is active",
        f"  see its runs with: dynoexport runs {table}",
    ]
    assert command.json("runs", table) == []
    assert "no run yet" in command("logs", table).stderr


# --- a shell --------------------------------------------------------------------------------------
def completed(command: Command, *words: str) -> list[str]:
    line = " ".join(("dynoexport", *words))
    asking = {
        "_DYNOEXPORT_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words)),
    }
    done = replace(command, extra=asking)()
    assert done.stderr == ""
    return [word.partition(",")[2] for word in done.stdout.split()]


def test_the_shell_completes_commands_and_tables(
    command: Command, endpoint: Endpoint, table: str
) -> None:
    """Tables of DynamoDB where one is deployed, exported ones everywhere else."""
    assert completed(command, "sna") == ["snapshots"]
    assert completed(command, "deploy", table[:-1]) == [table]
    assert completed(command, "runs", table[:-1]) == []
    dynoexport.deploy(library(endpoint), table)
    assert completed(command, "runs", table[:-1]) == [table]


def test_completion_is_silent_where_there_is_no_account(command: Command) -> None:
    nowhere = replace(command.endpoint, url="http://127.0.0.1:9")
    assert completed(Command(nowhere), "runs", "T") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_printed(command: Command, shell: str) -> None:
    assert "_DYNOEXPORT_COMPLETE" in command.ok("completion", shell)


# --- what is seen ---------------------------------------------------------------------------------
def on_a_terminal(command: Command, *words: str, **env: str) -> str:
    """What a terminal of 80 columns gets."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    process = subprocess.Popen(
        [COMMAND, *words],
        env={**command.env, "TERM": "xterm-256color", "LANG": "C.UTF-8", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed = b""
    with contextlib.suppress(OSError):  # Linux ends a closed terminal with an error
        while block := os.read(ours, 65536):
            printed += block
    os.close(ours)
    process.wait(timeout=60)
    return printed.decode().replace("\r\n", "\n")


# NO_COLOR is about colours: https://no-color.org
BOLD_AND_DIM = {"\x1b[0m", "\x1b[1m", "\x1b[2m"}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def shown(command: Command, endpoint: Endpoint) -> str:
    """An export with a long name and a snapshot, for listings that have a row."""
    name = f"A-rather-long-name-of-a-table.{uuid.uuid4().hex}"
    create_table(endpoint, name)
    dynoexport.deploy(library(endpoint), name, fmt=OutputFormat.JSON)
    put_snapshot(endpoint, name, "2026-01-01T10:00", [{"id": "1"}])
    return name


@pytest.mark.parametrize("words", [("status",), ("snapshots",), ("doctor",), ("verify",)])
def test_nothing_wraps_at_80_columns(command: Command, shown: str, words: tuple[str, ...]) -> None:
    named = () if words == ("doctor",) else (shown,)
    lines = ESCAPE.sub("", on_a_terminal(command, *words, *named)).splitlines()
    assert lines
    own = [line for line in lines if shown not in line]  # a name is never cut into two
    assert max(map(len, own)) <= 80, own


def test_colours_are_for_terminals_that_want_them(command: Command, shown: str) -> None:
    """The line that a slow answer shows moves the cursor, which is no colour."""
    assert STYLE.search(on_a_terminal(command, "status", shown))
    plain = on_a_terminal(command, "status", shown, NO_COLOR="1")
    assert set(STYLE.findall(plain)) <= BOLD_AND_DIM
    assert "\x1b" not in command.ok("status", shown)


@pytest.mark.parametrize("path", [*commands()], ids=" ".join)
def test_help_has_examples_and_fits(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    monkeypatch.setenv("COLUMNS", "80")
    text = CliRunner().invoke(cli.main, [*path, "--help"]).output
    assert max(map(len, text.splitlines())) <= 80
    assert "\b" not in text
    assert "\\b" not in text
    assert re.search(r"Example|First steps", text) or path == ("local",)

"""A key of the user's own, a table of another account, a VPC: with the policies of the docs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from account import REVIEWS, Account
from command import Command, create_table
from roles import Usage
from subscriber import Mailbox
from waiting import until

from dynoexport import naming
from dynoexport.cloudformation import permissions as reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Clock

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
KEY_POLICY, TRUST, READER = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
FOREIGN = "210987654321"


def create_reviews(dynamodb: Any, *, recovery: bool = False) -> None:
    dynamodb.create_table(
        TableName="Reviews",
        KeySchema=[
            {"AttributeName": "User", "KeyType": "HASH"},
            {"AttributeName": "Book", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("User", "Book")
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for item in REVIEWS:
        dynamodb.put_item(TableName="Reviews", Item=item)
    if recovery:
        dynamodb.update_continuous_backups(
            TableName="Reviews",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )


# --- a key ----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def key(clocked: tuple[Endpoint, Clock]) -> str:
    """The ARN of a key with the policy of the page."""
    created = clocked[0].client("kms").create_key(Policy=KEY_POLICY)
    return str(created["KeyMetadata"]["Arn"])


@pytest.fixture(scope="module")
def command(clocked: tuple[Endpoint, Clock], key: str) -> Command:
    """An account whose common stack has the key and a topic."""
    command = Command(clocked[0])
    command.ok(
        "init", "--yes", "--set", "NotificationEmail=ada@example.org", "--set", f"KmsKeyArn={key}"
    )
    return command


@pytest.fixture(scope="module")
def exported(command: Command) -> Command:
    """Reviews was exported, and the view was queried."""
    create_reviews(command.endpoint.client("dynamodb"), recovery=True)
    command.ok("deploy", "Reviews", "--read-mode", "export", "--yes", "--set", "NumberOfWorkers=2")
    command.ok("run", "Reviews", "--wait")
    assert len(command.json("query", "Reviews")) == len(REVIEWS)
    return command


def test_every_object_is_encrypted_with_the_key(exported: Command, key: str) -> None:
    """Scripts, snapshot, manifest and query results."""
    s3 = exported.endpoint.client("s3")
    bucket = naming.bucket(exported.endpoint.account, exported.endpoint.region)
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    folders = {object_key.split("/")[0] for object_key in keys}
    assert {"scripts", "parquet", "manifests", "athena-results"} <= folders
    for object_key in keys:
        head = s3.head_object(Bucket=bucket, Key=object_key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key), object_key


def test_dynamodb_exports_with_the_key(exported: Command, key: str) -> None:
    """Its files are gone when the snapshot is there; it would have taken S3's own."""
    dynamodb = exported.endpoint.client("dynamodb")
    table = dynamodb.describe_table(TableName="Reviews")["Table"]["TableArn"]
    (summary,) = dynamodb.list_exports(TableArn=table)["ExportSummaries"]
    found = dynamodb.describe_export(ExportArn=summary["ExportArn"])["ExportDescription"]
    assert (found["S3SseAlgorithm"], found["S3SseKmsKeyId"]) == ("KMS", key)


def test_jobs_and_crawler_encrypt_logs_and_files_with_the_key(exported: Command, key: str) -> None:
    glue = exported.endpoint.client("glue")
    jobs = [
        glue.get_job(JobName=job("Reviews", "parquet"))["Job"]
        for job in (naming.export_job, naming.view_job)
    ]
    crawler = glue.get_crawler(Name=naming.crawler("Reviews", "parquet"))["Crawler"]
    used = {job["SecurityConfiguration"] for job in jobs}
    name = naming.security_configuration(key.rpartition("/")[2])
    assert used == {crawler["CrawlerSecurityConfiguration"]} == {name}
    configuration = glue.get_security_configuration(Name=name)
    encryption = configuration["SecurityConfiguration"]["EncryptionConfiguration"]
    assert encryption["S3Encryption"] == [{"S3EncryptionMode": "SSE-KMS", "KmsKeyArn": key}]
    assert encryption["CloudWatchEncryption"] == {
        "CloudWatchEncryptionMode": "SSE-KMS",
        "KmsKeyArn": key,
    }


def test_query_results_are_encrypted_whatever_a_client_asks_for(
    exported: Command, key: str
) -> None:
    group = exported.endpoint.client("athena").get_work_group(WorkGroup=naming.WORK_GROUP)
    configuration = group["WorkGroup"]["Configuration"]
    assert configuration["ResultConfiguration"]["EncryptionConfiguration"] == {
        "EncryptionOption": "SSE_KMS",
        "KmsKey": key,
    }
    assert configuration["EnforceWorkGroupConfiguration"] is True


@pytest.fixture(scope="module")
def encrypted(command: Command) -> Usage:
    """Roles by which a table was scanned that has a key of its own, with an encrypted catalog."""
    endpoint = command.endpoint
    catalogs = endpoint.client("kms").create_key()["KeyMetadata"]["Arn"]
    at_rest: Any = {"CatalogEncryptionMode": "SSE-KMS", "SseAwsKmsKeyId": catalogs}
    endpoint.client("glue").put_data_catalog_encryption_settings(
        DataCatalogEncryptionSettings={"EncryptionAtRest": at_rest}
    )
    own = endpoint.client("kms").create_key()["KeyMetadata"]["Arn"]
    encryption = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": own}
    create_table(endpoint, "Secrets", SSESpecification=encryption)
    endpoint.client("dynamodb").put_item(TableName="Secrets", Item={"id": {"S": "1"}})
    command.ok("deploy", "Secrets", "--read-mode", "native", "--yes", "--set", "NumberOfWorkers=2")
    usage = Usage(Account(endpoint))
    usage.watch("Secrets", "parquet")
    command.ok("run", "Secrets", "--wait")
    return usage


@pytest.mark.parametrize("role", reference.ROLES)
def test_every_permission_on_a_key_is_needed(encrypted: Usage, role: str) -> None:
    """But for what docs/permissions.md keeps with a reason."""
    of_keys = {
        "DecryptTable",
        "DecryptWithKey",
        "EncryptWithKey",
        "EncryptLogs",
        "ReadSecurityConfiguration",
        "UseCatalogKey",
    }
    assert encrypted.refused() == []
    needless = {element for element in encrypted.needless(role) if element[0] in of_keys}
    assert needless == reference.kept(role, with_key=True)


def test_a_run_that_may_not_use_the_tables_key_says_so(encrypted: Usage, command: Command) -> None:
    """As after a change of the key."""
    command.ok("deploy", "Secrets", "--yes", "--set", "TableKeyArn=", "--set", "MaxRetries=0")
    done = command("run", "Secrets", "--wait")
    assert done.returncode == 1
    assert "cannot read the DynamoDB table 'Secrets'" in done.stderr
    assert "not authorized to perform: kms:Decrypt on resource: arn:aws:kms:" in done.stderr


def test_doctor_names_exports_that_may_not_use_the_key_of_the_catalog(
    exported: Command, encrypted: Usage
) -> None:
    """Of two, one was deployed as if there were no key."""
    exported.ok("deploy", "Reviews", "--yes", "--set", "CatalogKeyArn=")

    def looked() -> dict[str, str]:
        checks = json.loads(exported("doctor", "--output", "json").stdout)
        (found,) = [check for check in checks if check["name"] == "Data Catalog"]
        return dict(found)

    before = looked()
    assert before["state"] == "warning"
    assert before["detail"].startswith("1 of 2 exports may not use its KMS key arn:aws:kms:")
    assert before["hint"] == "deploy them again: dynoexport deploy Reviews"
    exported.ok("deploy", "Reviews", "--yes")
    after = looked()
    assert (after["state"], after["hint"]) == ("ok", "")
    assert after["detail"].endswith("; 2 exports may use it")


def test_auto_exports_with_the_keys_and_without_spark_and_crawler(command: Command) -> None:
    """Roles of an encrypted export, one less than with a crawler, may do all that a run needs."""
    own = command.endpoint.client("kms").create_key()["KeyMetadata"]["Arn"]
    encryption = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": own}
    create_table(command.endpoint, "Cheap", SSESpecification=encryption)
    command.endpoint.client("dynamodb").put_item(TableName="Cheap", Item={"id": {"S": "1"}})
    assert "Engine=python" in command("deploy", "Cheap", "--auto", "--yes").stderr
    usage = Usage(Account(command.endpoint))
    usage.watch("Cheap", "parquet")
    command.ok("run", "Cheap", "--wait")
    assert usage.refused() == []
    assert len(command.json("query", "Cheap")) == 1


def test_failures_and_alarms_pass_the_encrypted_topic(
    clocked: tuple[Endpoint, Clock], exported: Command, key: str
) -> None:
    """By the statements of the key's policy for EventBridge and CloudWatch."""
    endpoint, clock = clocked
    sns = endpoint.client("sns")
    (topic,) = [entry["TopicArn"] for entry in sns.list_topics()["Topics"]]
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"] == key
    mailbox = Mailbox(endpoint, "reported")
    mailbox.subscribe(topic)

    heard: set[str] = set()

    def hears(state: str) -> bool:
        messages = [json.loads(message["Message"]) for message in mailbox.receive()]
        heard.update(message[name] for message in messages for name in kinds if name in message)
        return state in heard

    kinds = ("state", "NewStateValue")
    exported.ok("enable", "Reviews")
    glue = endpoint.client("glue")
    # Outside of its workflow the job fails at once.
    glue.start_job_run(JobName=naming.view_job("Reviews", "parquet"))
    until(lambda: hears("FAILED"))
    glue.stop_trigger(Name=f"{naming.workflow('Reviews', 'parquet', scheduled=False)}-start")
    clock.forward(hours=31)
    until(lambda: hears("ALARM"))


# --- another account ------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def foreign(clocked: tuple[Endpoint, Clock]) -> Callable[[str], Any]:
    """Clients of another account's owner."""

    def client(service: str) -> Any:
        import boto3

        endpoint = clocked[0]
        session = boto3.Session(
            endpoint.env["AWS_ACCESS_KEY_ID"], endpoint.secret, region_name=endpoint.region
        )
        made = session.client(service, endpoint_url=endpoint.url)
        made.meta.events.register(
            "before-call.*", lambda params, **_: params["headers"].update(account)
        )
        return made

    account = {"x-moto-account-id": FOREIGN}
    return client


@pytest.mark.parametrize(("reader", "fmt"), [("native", "csv"), ("connector", "json")])
def test_a_table_of_another_account_is_read_by_its_role(
    command: Command, foreign: Callable[[str], Any], reader: str, fmt: str
) -> None:
    """There is no table of that name in the account of the export."""
    table = f"Orders{reader}"
    dynamodb, iam = foreign("dynamodb"), foreign("iam")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(7):
        dynamodb.put_item(TableName=table, Item={"id": {"S": f"{number}"}})
    role = iam.create_role(
        RoleName=table,
        AssumeRolePolicyDocument=TRUST.replace("Reviews-parquet", f"{table}-{fmt}"),
    )["Role"]["Arn"]
    reading = READER.replace("Reviews", table)
    iam.put_role_policy(RoleName=table, PolicyName="read", PolicyDocument=reading)
    words = ("--format", fmt, "--read-mode", reader, "--yes", "--set", "NumberOfWorkers=2")
    command.ok("deploy", table, *words, "--set", f"SourceRoleArn={role}")
    command.ok("run", table, "--wait")
    assert command.json("status", table)[0]["items"] == 7


def test_the_export_reader_is_refused_for_another_accounts_table(command: Command) -> None:
    role = f"arn:aws:iam::{FOREIGN}:role/reader"
    words = ("--read-mode", "export", "--set", f"SourceRoleArn={role}", "--yes")
    done = command("deploy", "Elsewhere", *words)
    assert done.returncode == 2
    assert "Elsewhere: ReadMode export does not work with SourceRoleArn" in done.stderr


# --- a VPC ----------------------------------------------------------------------------------------
def test_an_export_uses_its_connection(command: Command) -> None:
    """Jobs and crawler name it; on a laptop there is no VPC to go into."""
    endpoint = command.endpoint
    create_table(endpoint, "Inside")
    glue = endpoint.client("glue")
    glue.create_connection(
        ConnectionInput={
            "Name": "inside",
            "ConnectionType": "NETWORK",
            "ConnectionProperties": {},
            "PhysicalConnectionRequirements": {
                "SubnetId": "subnet-1",
                "SecurityGroupIdList": ["sg-1"],
                "AvailabilityZone": f"{endpoint.region}a",
            },
        }
    )
    words = ("--yes", "--set", "ConnectionName=inside", "--set", "NumberOfWorkers=2")
    command.ok("deploy", "Inside", *words)
    job = glue.get_job(JobName=naming.export_job("Inside", "parquet"))["Job"]
    assert job["Connections"] == {"Connections": ["inside"]}
    command.ok("run", "Inside", "--wait")


def test_a_connection_that_does_not_exist_is_refused_before_a_stack_is_made(
    command: Command,
) -> None:
    create_table(command.endpoint, "Outside")
    done = command("deploy", "Outside", "--yes", "--set", "ConnectionName=nowhere")
    assert done.returncode == 2
    assert "Outside: there is no Glue connection nowhere" in done.stderr

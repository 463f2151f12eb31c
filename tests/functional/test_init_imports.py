"""``init`` in an account that has the bucket or the Glue database already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import killing
import pytest
from command import Command, create_table
from killing import COMMAND, KILLED

from dynoexport import naming
from dynoexport.cloudformation.existing import DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from killing import Killer

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

STACK, TABLE = "dynoexport-common", "Orders"
ARCHIVE = {
    "ID": "archive",
    "Status": "Enabled",
    "Filter": {"Prefix": "old/"},
    "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
}


@dataclass(frozen=True)
class Region:
    """A region of the account, with what exists in it before the common stack."""

    endpoint: Endpoint

    @property
    def command(self) -> Command:
        return Command(self.endpoint)

    @property
    def bucket(self) -> str:
        return naming.bucket(self.endpoint.account, self.endpoint.region)

    def client(self, service: str) -> Any:
        return self.endpoint.client(service)

    def make_bucket(self) -> None:
        """With an object and a lifecycle rule."""
        s3 = self.client("s3")
        where = {"LocationConstraint": self.endpoint.region}
        s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration=where)
        s3.put_object(Bucket=self.bucket, Key="old/data", Body=b"kept")
        s3.put_bucket_lifecycle_configuration(
            Bucket=self.bucket, LifecycleConfiguration={"Rules": [ARCHIVE]}
        )

    def make_database(self) -> None:
        """With a table, and a description that is not ours."""
        glue = self.client("glue")
        described = {"Name": naming.DATABASE, "Description": "mine", "LocationUri": "s3://mine/"}
        glue.create_database(DatabaseInput=described)
        glue.create_table(
            DatabaseName=naming.DATABASE,
            TableInput={"Name": "mine", "StorageDescriptor": {"Location": "s3://mine/t/"}},
        )

    def guard(self, sid: str = "Readers") -> None:
        """Give the bucket a policy of somebody else."""
        statement = {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{self.endpoint.account}:root"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self.bucket}/*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client("s3").put_bucket_policy(Bucket=self.bucket, Policy=policy)

    def stacks(self) -> dict[str, str]:
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        found = pages.search("Stacks")
        return {stack["StackName"]: stack["StackStatus"] for stack in found}

    def rules(self) -> list[str]:
        answer = self.client("s3").get_bucket_lifecycle_configuration(Bucket=self.bucket)
        return [rule["ID"] for rule in answer["Rules"]]

    def kept(self) -> bool:
        """Whether object, table and database are what they were."""
        body = self.client("s3").get_object(Bucket=self.bucket, Key="old/data")["Body"].read()
        glue = self.client("glue")
        database = glue.get_database(Name=naming.DATABASE)["Database"]
        tables = glue.get_tables(DatabaseName=naming.DATABASE)["TableList"]
        return bool(
            body == b"kept"
            and (database["Description"], database["LocationUri"]) == ("mine", "s3://mine/")
            and "mine" in {table["Name"] for table in tables}
        )


OUR_RULES = ["AbortStaleUploads", "ExpireTemporaryFiles", "ExpireQueryResults"]
PREFIX = "Stack dynoexport-common will be created from what exists"


@pytest.fixture
def region(empty_region: Endpoint) -> Region:
    return Region(empty_region)


def test_the_next_common_stack_has_all_that_a_deleted_one_kept(region: Region) -> None:
    """With exports, snapshots and tables. It is deleted like the first one."""
    do, cloudformation = region.command, region.client("cloudformation")
    do.ok("init", "--yes")
    create_table(region.endpoint, TABLE)
    item = {"id": {"S": "1"}, "total": {"N": "7"}}
    region.client("dynamodb").put_item(TableName=TABLE, Item=item)
    cheap = ("--read-mode", "native", "--engine", "python", "--catalog-update", "direct")
    do.ok("deploy", TABLE, *cheap, "--format", "json", "--yes")
    do.ok("run", TABLE, "--wait")
    (old,) = do.json("snapshots", TABLE)
    glue, mine = region.client("glue"), {"Name": "mine", "StorageDescriptor": {"Location": "s3:"}}
    glue.create_table(DatabaseName=naming.DATABASE, TableInput=mine)
    cloudformation.delete_stack(StackName=naming.table_stack(TABLE, "json"))
    cloudformation.delete_stack(StackName=STACK)
    assert region.stacks() == {}

    done = do("init", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:3] == [
        f"Imported {region.bucket}",
        f"Imported {naming.DATABASE}",
        f"Stack {STACK} deployed",
    ]
    assert done.stderr.splitlines()[:4] == [
        f"{PREFIX}: 2 resources",
        "Then it gets all other resources of the common stack.",
        "All objects, tables and views stay.",
        "  imported Bucket (S3::Bucket)",
    ]
    assert region.rules() == OUR_RULES
    assert do.json("init", "--yes")["changed"] is False

    do.ok("deploy", TABLE, *cheap, "--format", "json", "--yes")
    do.ok("run", TABLE, "--wait")
    found = do.json("snapshots", TABLE)
    assert [snapshot["current"] for snapshot in found] == [True, False]
    assert found[1] == {**old, "current": False}
    assert do.json("verify", TABLE, old["snapshot"])["whole"] is True
    assert glue.get_table(DatabaseName=naming.DATABASE, Name="mine")
    do.ok("destroy", TABLE, "--yes")
    cloudformation.delete_stack(StackName=STACK)
    assert region.stacks() == {}
    assert region.client("s3").head_bucket(Bucket=region.bucket)
    assert do.json("init", "--yes")["imported"] == [region.bucket, naming.DATABASE]


def test_what_an_import_changes_is_shown_before_it_begins(region: Region) -> None:
    """The bucket gets the settings of the common stack, the database stays as it is."""
    region.make_bucket()
    region.make_database()
    asked = region.command("init")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr.splitlines() == [
        f"{PREFIX}: 2 resources",
        "  < Bucket    S3::Bucket",
        "  < Database  Glue::Database",
        "Then it gets all other resources of the common stack.",
        "All objects, tables and views stay.",
        "The common stack deletes the lifecycle rule archive.",
        "The common stack deletes objects under glue-temp-dir/ when they are 14 days old.",
        "The common stack deletes objects under athena-results/ when they are 30 days old.",
        "The common stack ends all access that an ACL of the bucket or of an object grants.",
        "The common stack blocks public access.",
        "Error: this command asks for confirmation",
        "  add --yes",
    ]
    assert region.stacks() == {}
    assert region.rules() == ["archive"]

    done = region.command.json("init", "--yes")
    assert (done["changed"], done["imported"]) == (True, [region.bucket, naming.DATABASE])
    assert region.rules() == OUR_RULES
    s3 = region.client("s3")
    block = s3.get_public_access_block(Bucket=region.bucket)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    assert region.kept()


def test_a_bucket_policy_of_somebody_else_is_replaced_only_if_asked_for(region: Region) -> None:
    region.make_bucket()
    region.guard()
    refused = region.command("init", "--yes")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines() == [
        (
            f"Error: the bucket {region.bucket} has a policy that the common stack would replace: "
            "statement Readers"
        ),
        (
            f"  save it with 'aws s3api get-bucket-policy --bucket {region.bucket}', then add "
            "--replace-bucket-policy"
        ),
    ]
    assert region.stacks() == {}
    done = region.command("init", "--yes", "--replace-bucket-policy")
    assert done.returncode == 0, done.stderr
    assert "The common stack deletes statement Readers of the bucket policy." in done.stderr
    # The endpoint keeps no statement about TLS.
    with pytest.raises(Exception, match="NoSuchBucketPolicy"):
        region.client("s3").get_bucket_policy(Bucket=region.bucket)


def test_a_failed_update_leaves_what_was_imported_as_it_was(region: Region) -> None:
    """The next ``init`` goes on where it failed."""
    region.make_bucket()
    region.make_database()
    region.guard()
    athena = region.client("athena")
    athena.create_work_group(Name=naming.WORK_GROUP)
    words = ("init", "--yes", "--replace-bucket-policy")
    failed = region.command(*words)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-2] == f"Error: stack {STACK} could not be updated"
    assert region.stacks() == {STACK: "UPDATE_ROLLBACK_COMPLETE"}
    assert region.rules() == ["archive"]
    policy = region.client("s3").get_bucket_policy(Bucket=region.bucket)["Policy"]
    assert "Readers" in policy
    assert region.kept()

    checks = json.loads(region.command("doctor", "--output", "json").stdout)
    found = {check["name"]: (check["state"], check["hint"]) for check in checks}
    assert found["common stack"] == ("failed", "run: dynoexport init")
    create_table(region.endpoint, TABLE)
    assert "run: dynoexport init" in region.command("deploy", TABLE, "--yes").stderr
    athena.delete_work_group(WorkGroup=naming.WORK_GROUP)
    again = region.command(*words)
    assert again.returncode == 0, again.stderr
    assert "The common stack deletes the lifecycle rule archive." in again.stderr
    assert region.rules() == OUR_RULES
    assert region.kept()


def test_a_bucket_of_another_stack_is_not_imported(region: Region) -> None:
    """The error names the stack."""
    do = region.command
    do.ok("init", "--yes", "--common-stack", "dynoexport-other")
    done = do("init", "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"Error: {region.bucket} belongs to the stack dynoexport-other",
        (
            "  if that is a common stack, use it with --common-stack dynoexport-other; if not, "
            "give the resource the DeletionPolicy Retain there, delete that stack and run init "
            "again"
        ),
    ]
    assert list(region.stacks()) == ["dynoexport-other"]


def test_a_link_to_another_database_is_not_imported(region: Region) -> None:
    target = {"CatalogId": "210987654321", "DatabaseName": "theirs"}
    link = {"Name": naming.DATABASE, "TargetDatabase": target}
    region.client("glue").create_database(DatabaseInput=link)
    done = region.command("init", "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == (
        f"Error: stack {STACK} cannot be created, because there already is the Glue database "
        f"{naming.DATABASE}, a link to another database"
    )
    assert region.stacks() == {}


def test_what_a_failed_import_left_is_removed(region: Region) -> None:
    """An interrupted command may leave it."""
    region.make_database()
    cloudformation = region.client("cloudformation")
    resource = {
        "Type": "AWS::Glue::Database",
        "DeletionPolicy": "Retain",
        "Properties": {"CatalogId": "123456789012", "DatabaseInput": {"Name": naming.DATABASE}},
    }
    cloudformation.create_change_set(
        StackName=STACK,
        ChangeSetName="fails",
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps({"Resources": {"Database": resource}}),
        ResourcesToImport=[
            {
                "LogicalResourceId": "Database",
                "ResourceType": "AWS::Glue::Database",
                "ResourceIdentifier": {"DatabaseName": naming.DATABASE},
            }
        ],
    )
    glue = region.client("glue")
    glue.delete_table(DatabaseName=naming.DATABASE, Name="mine")
    glue.delete_database(Name=naming.DATABASE)
    cloudformation.execute_change_set(StackName=STACK, ChangeSetName="fails")
    assert region.stacks() == {STACK: "IMPORT_ROLLBACK_COMPLETE"}
    done = region.command.json("init", "--yes")
    assert (done["changed"], done["imported"]) == (True, [])
    assert region.stacks() == {STACK: "CREATE_COMPLETE"}


def test_a_bucket_in_another_region_is_refused(
    region: Region, new_region: Callable[[], Endpoint]
) -> None:
    elsewhere = new_region()
    where = {"LocationConstraint": elsewhere.region}
    elsewhere.client("s3").create_bucket(Bucket=region.bucket, CreateBucketConfiguration=where)
    done = region.command("init", "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == (
        f"Error: stack {STACK} cannot be created, because there already is the bucket "
        f"{region.bucket} in the region {elsewhere.region}"
    )
    assert region.stacks() == {}


def test_a_failed_import_leaves_no_stack(region: Region) -> None:
    """CloudFormation may not read one of the bucket's settings; nothing is changed."""
    region.make_bucket()
    region.make_database()
    root, iam = region.command, region.client("iam")
    iam.create_user(UserName="half-blind")
    for task in ("deploy", "import"):
        policy = json.loads(root.ok("permissions", task))
        for statement in policy["Statement"]:
            statement["Action"] = [
                action for action in statement["Action"] if action != "s3:GetBucketWebsite"
            ]
        made = iam.create_policy(PolicyName=f"half-blind-{task}", PolicyDocument=json.dumps(policy))
        iam.attach_user_policy(UserName="half-blind", PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName="half-blind")["AccessKey"]
    keys = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    done = Command(region.endpoint, keys)("init", "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-2] == f"Error: stack {STACK} could not be created"
    assert "s3:GetBucketWebsite" in done.stderr.splitlines()[-1]
    assert region.stacks() == {}
    assert region.rules() == ["archive"]
    assert region.kept()


# --- kills ----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def killed(
    new_region: Callable[[], Endpoint], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Region, Killer]]:
    region = Region(new_region())
    region.make_bucket()
    region.make_database()
    with killing.killer(region.endpoint.env, tmp_path_factory.mktemp("killed")) as started:
        yield region, started


def restore(region: Region) -> None:
    """Without the stack, and with the bucket's own rules."""
    region.client("cloudformation").delete_stack(StackName=STACK)
    region.client("s3").put_bucket_lifecycle_configuration(
        Bucket=region.bucket, LifecycleConfiguration={"Rules": [ARCHIVE]}
    )


@pytest.mark.parametrize("operation", ["CreateChangeSet", "ExecuteChangeSet"])
@pytest.mark.parametrize("step", [0, 1])
def test_repeating_a_killed_import_completes_it(
    killed: tuple[Region, Killer], operation: str, step: int
) -> None:
    """Killed after one of its steps was carried out: of the import, or of the update."""
    region, killer = killed
    restore(region)
    whole = killer.run(COMMAND, "init", "--yes")
    assert whole.code == 0, whole.output
    places = [
        number
        for number, call in enumerate(whole.calls, 1)
        if call.startswith("response") and call.endswith(f".{operation}")
    ]
    restore(region)
    dead = killer.run(COMMAND, "init", "--yes", place=places[step])
    assert dead.code == KILLED
    assert region.kept()
    again = killer.run(COMMAND, "init", "--yes")
    assert again.code == 0, again.output
    assert region.rules() == OUR_RULES
    assert region.kept()
    (stack,) = region.client("cloudformation").describe_stacks()["Stacks"]
    assert stack["Description"] != DESCRIPTION
    assert {output["OutputKey"] for output in stack["Outputs"]} >= {"BucketName", "WorkGroup"}

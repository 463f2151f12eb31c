"""Roles and users are limited to what their policies allow, seen through the services' APIs."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

ACCOUNT, ELSEWHERE = "123456789012", "210987654321"
BUCKET, DATABASE = "permissions-bucket", "permissions"
GLUE = "glue.amazonaws.com"
RESULTS = f"s3://{BUCKET}/results/"
Statement = dict[str, Any]


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def deny(*actions: str, on: str = "*") -> Statement:
    return {"Effect": "Deny", "Action": list(actions), "Resource": on}


def trust(principal: dict[str, str], *, account: str | None = ACCOUNT) -> Statement:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    condition = {"StringEquals": {"aws:SourceAccount": account}}
    return statement if account is None else {**statement, "Condition": condition}


BY_GLUE = trust({"Service": GLUE})
BY_ROOT = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, account=None)
EVERYTHING = allow("*")


class Iam:
    """Roles of the test's own, and their sessions."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.iam = endpoint.client("iam")
        self.name = f"t{uuid.uuid4().hex[:12]}"

    def role(self, *granted: Statement, trusted: Statement = BY_GLUE, **options: str) -> str:
        """A role's ARN."""
        name = f"{self.name}-{uuid.uuid4().hex[:4]}"
        made = self.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=document(trusted), **options
        )
        if granted:
            self.iam.put_role_policy(
                RoleName=name, PolicyName="granted", PolicyDocument=document(*granted)
            )
        return str(made["Role"]["Arn"])

    def session(self, *granted: Statement, **options: str) -> Callable[[str], Any]:
        """What makes clients of a session of such a role."""
        credentials = self.endpoint.assume(self.role(*granted, **options), "session")
        return lambda service: self.endpoint.client(service, credentials)

    def policy(self, *statements: Statement) -> str:
        """A managed policy's ARN."""
        made = self.iam.create_policy(
            PolicyName=f"{self.name}-{uuid.uuid4().hex[:4]}", PolicyDocument=document(*statements)
        )
        return str(made["Policy"]["Arn"])


@pytest.fixture(scope="module")
def prepared(endpoint: Endpoint) -> None:
    s3 = endpoint.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key in ("mine/a", "mine/b", "theirs/c"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    endpoint.client("glue").create_database(DatabaseInput={"Name": DATABASE})


@pytest.fixture
def iam(endpoint: Endpoint, prepared: None) -> Iam:
    return Iam(endpoint)


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """Code and message of the error with which a call ends."""
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


# --- refusals, in AWS's words -------------------------------------------------------------------
def test_a_denial_names_action_and_resource(iam: Iam) -> None:
    session = iam.session(allow("glue:GetDatabase"))
    role = session("sts").get_caller_identity()["Arn"]
    assert session("glue").get_database(Name=DATABASE)["Database"]["Name"] == DATABASE
    code, message = refusal(lambda: session("glue").get_table(DatabaseName=DATABASE, Name="t"))
    assert code == "AccessDeniedException"
    assert message == (
        f"User: {role} is not authorized to perform: glue:GetTable on resource: "
        f"arn:aws:glue:us-east-1:{ACCOUNT}:catalog because no identity-based policy allows the "
        "glue:GetTable action"
    )
    assert f":assumed-role/{iam.name}" in role


def test_a_table_needs_permission_on_catalog_database_and_table(iam: Iam) -> None:
    arn = f"arn:aws:glue:us-east-1:{ACCOUNT}"
    session = iam.session(
        allow("glue:GetTable", on=f"{arn}:catalog"), allow("glue:GetTable", on=f"{arn}:database/*")
    )
    _, message = refusal(lambda: session("glue").get_table(DatabaseName=DATABASE, Name="t"))
    assert f"on resource: {arn}:table/{DATABASE}/t because" in message


def test_s3_denies_in_its_own_form(iam: Iam) -> None:
    s3 = iam.session(allow("s3:GetObject", on=f"arn:aws:s3:::{BUCKET}/mine/*"))("s3")
    assert s3.get_object(Bucket=BUCKET, Key="mine/a")["ContentLength"] == 1
    code, message = refusal(lambda: s3.get_object(Bucket=BUCKET, Key="theirs/c"))
    assert code == "AccessDenied"
    assert f's3:GetObject on resource: "arn:aws:s3:::{BUCKET}/theirs/c" because' in message
    assert refusal(lambda: s3.head_object(Bucket=BUCKET, Key="theirs/c"))[0] == "403"


TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:topic"
METRIC = {"Namespace": "Mine", "MetricData": [{"MetricName": "m", "Value": 1.0}]}


@pytest.mark.parametrize(
    ("service", "operation", "options", "code"),
    [
        ("iam", "get_role", {"RoleName": "x"}, "AccessDenied"),
        ("sns", "publish", {"TopicArn": TOPIC, "Message": "m"}, "AuthorizationError"),
        ("cloudformation", "describe_stacks", {"StackName": "x"}, "AccessDenied"),
        ("dynamodb", "scan", {"TableName": "x"}, "AccessDeniedException"),
        ("cloudwatch", "put_metric_data", METRIC, "AccessDeniedException"),
    ],
)
def test_each_service_refuses_with_its_own_code(
    iam: Iam, service: str, operation: str, options: dict[str, Any], code: str
) -> None:
    client = iam.session()(service)
    assert refusal(lambda: getattr(client, operation)(**options))[0] == code


def test_an_operation_without_an_entry_is_refused_by_name(iam: Iam) -> None:
    """This holds whatever the role may do: otherwise the call would be allowed by default."""
    code, message = refusal(lambda: iam.session(EVERYTHING)("glue").get_dev_endpoints())
    assert code == "AccessDeniedException"
    assert "does not know what glue:GetDevEndpoints needs" in message


def test_metrics_are_allowed_by_their_namespace(iam: Iam) -> None:
    """CloudWatch lets a policy limit nothing else."""
    condition = {"StringEquals": {"cloudwatch:namespace": "Glue"}}
    cloudwatch = iam.session(allow("cloudwatch:PutMetricData", Condition=condition))("cloudwatch")
    cloudwatch.put_metric_data(**{**METRIC, "Namespace": "Glue"})
    _, message = refusal(lambda: cloudwatch.put_metric_data(**METRIC))
    assert "cloudwatch:PutMetricData on resource: *" in message


# --- S3 -----------------------------------------------------------------------------------------
def test_a_listing_is_allowed_for_its_prefix(iam: Iam) -> None:
    condition = {"StringLike": {"s3:prefix": ["mine/*"]}}
    s3 = iam.session(allow("s3:ListBucket", Condition=condition))("s3")
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="mine/")["KeyCount"] == 2
    for options in ({}, {"Prefix": ""}, {"Prefix": "theirs/"}):
        denied = refusal(lambda options=options: s3.list_objects_v2(Bucket=BUCKET, **options))
        assert denied[0] == "AccessDenied"


def test_missing_key_is_denied_to_a_caller_that_may_not_list(iam: Iam) -> None:
    reading = allow("s3:GetObject")
    s3 = iam.session(reading)("s3")
    assert refusal(lambda: s3.head_object(Bucket=BUCKET, Key="mine/none"))[0] == "403"
    listing = allow("s3:ListBucket", Condition={"StringLike": {"s3:prefix": "mine/*"}})
    s3 = iam.session(reading, listing)("s3")
    assert refusal(lambda: s3.head_object(Bucket=BUCKET, Key="mine/none"))[0] == "404"


def test_delete_objects_deletes_only_allowed_keys(iam: Iam) -> None:
    root = iam.endpoint.client("s3")
    for key in ("batch/mine", "batch/theirs"):
        root.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    s3 = iam.session(allow("s3:DeleteObject", on=f"arn:aws:s3:::{BUCKET}/batch/m*"))("s3")
    keys = [{"Key": "batch/mine"}, {"Key": "batch/theirs"}]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})
    assert [(error["Key"], error["Code"]) for error in answer["Errors"]] == [
        ("batch/theirs", "AccessDenied")
    ]
    left = root.list_objects_v2(Bucket=BUCKET, Prefix="batch/")["Contents"]
    assert [entry["Key"] for entry in left] == ["batch/theirs"]


def test_a_copy_needs_to_read_its_source(iam: Iam) -> None:
    s3 = iam.session(allow("s3:PutObject"))("s3")
    source = {"Bucket": BUCKET, "Key": "theirs/c"}
    _, message = refusal(lambda: s3.copy_object(Bucket=BUCKET, Key="mine/d", CopySource=source))
    assert f's3:GetObject on resource: "arn:aws:s3:::{BUCKET}/theirs/c"' in message


def test_a_copy_reads_its_source_by_the_name_that_the_header_encodes(iam: Iam) -> None:
    """Clients encode "=" and ":", which the keys of snapshots have."""
    key = "snapshot_timestamp=2026-01-02T03:04/part"
    iam.endpoint.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")
    mine = f"arn:aws:s3:::{BUCKET}"
    reads = allow("s3:GetObject", on=f"{mine}/snapshot_timestamp=*")
    s3 = iam.session(reads, allow("s3:PutObject", on=f"{mine}/copy"))("s3")
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": key})


# --- keys ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def key(endpoint: Endpoint) -> str:
    return str(endpoint.client("kms").create_key()["KeyMetadata"]["Arn"])


@pytest.fixture(scope="module")
def locked(endpoint: Endpoint, key: str) -> str:
    """A bucket that encrypts with the key, and has an object that is."""
    s3, name = endpoint.client("s3"), "locked-bucket"
    s3.create_bucket(Bucket=name)
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    s3.put_object(Bucket=name, Key="a", Body=b"x")
    return name


VIA_S3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (lambda s3, locked: s3.get_object(Bucket=locked, Key="a"), "kms:Decrypt"),
        (lambda s3, locked: s3.put_object(Bucket=locked, Key="b"), "kms:GenerateDataKey"),
        (
            lambda s3, locked: s3.create_multipart_upload(Bucket=locked, Key="b"),
            "kms:GenerateDataKey",
        ),
        (
            lambda s3, locked: s3.copy_object(
                Bucket=BUCKET, Key="d", CopySource={"Bucket": locked, "Key": "a"}
            ),
            "kms:Decrypt",
        ),
    ],
    ids=["get", "put", "upload", "copy"],
)
def test_encrypted_objects_need_permission_on_the_key(
    iam: Iam, locked: str, key: str, call: Callable[[Any, str], object], action: str
) -> None:
    """This holds for calls to S3. Other objects need no permission on a key."""
    bare = iam.session(allow("s3:*"))("s3")
    _, message = refusal(lambda: call(bare, locked))
    assert f"is not authorized to perform: {action} on resource: {key} because" in message
    elsewhere = {"StringEquals": {"kms:ViaService": "sqs.us-east-1.amazonaws.com"}}
    wrong = iam.session(allow("s3:*"), allow("kms:*", on=key, Condition=elsewhere))("s3")
    refusal(lambda: call(wrong, locked))
    call(iam.session(allow("s3:*"), allow("kms:*", on=key, Condition=VIA_S3))("s3"), locked)
    bare.put_object(Bucket=locked, Key="plain", ServerSideEncryption="AES256")
    assert bare.get_object(Bucket=locked, Key="plain")["ContentLength"] == 0


@pytest.fixture
def encrypt_catalog(endpoint: Endpoint, key: str) -> Iterator[Callable[[str], None]]:
    """Encrypts the catalog, which has a database, in a mode; in the end in none."""
    glue, role = endpoint.client("glue"), "arn:aws:iam::123456789012:role/of-glue"
    glue.create_database(DatabaseInput={"Name": "sealed"})

    def encrypt(mode: str) -> None:
        at_rest: Any = {"CatalogEncryptionMode": mode, "SseAwsKmsKeyId": key}
        with_role = {"CatalogEncryptionServiceRole": role} if "ROLE" in mode else {}
        glue.put_data_catalog_encryption_settings(
            DataCatalogEncryptionSettings={"EncryptionAtRest": {**at_rest, **with_role}}
        )

    yield encrypt
    encrypt("DISABLED")
    glue.delete_database(Name="sealed")


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (lambda glue: glue.get_tables(DatabaseName="sealed"), "kms:Decrypt"),
        (
            lambda glue: glue.create_table(
                DatabaseName="sealed", TableInput={"Name": uuid.uuid4().hex}
            ),
            "kms:GenerateDataKey",
        ),
    ],
    ids=["read", "write"],
)
def test_an_encrypted_catalog_is_for_those_who_may_use_its_key(
    iam: Iam,
    key: str,
    encrypt_catalog: Callable[[str], None],
    call: Callable[[Any], object],
    action: str,
) -> None:
    """Not if a role of Glue uses the key in their place."""
    bare = iam.session(allow("glue:*"))("glue")
    encrypt_catalog("SSE-KMS")
    _, message = refusal(lambda: call(bare))
    assert f"is not authorized to perform: {action} on resource: {key} because" in message
    call(iam.session(allow("glue:*"), allow(action, on=key))("glue"))
    encrypt_catalog("SSE-KMS-WITH-SERVICE-ROLE")
    call(bare)


def test_a_table_with_an_aws_managed_key_is_read_without_permission_on_the_key(
    iam: Iam, endpoint: Endpoint, key: str
) -> None:
    root = endpoint.client("dynamodb")
    for name, given in (("Managed", {}), ("Mine", {"KMSMasterKeyId": key})):
        root.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            SSESpecification={"Enabled": True, "SSEType": "KMS", **given},
        )
    reader = iam.session(allow("dynamodb:Scan"))("dynamodb")
    assert reader.scan(TableName="Managed")["Count"] == 0
    _, message = refusal(lambda: reader.scan(TableName="Mine"))
    assert f"kms:Decrypt on resource: {key}" in message


# --- what stands against a grant ----------------------------------------------------------------
def test_an_explicit_deny_wins(iam: Iam) -> None:
    s3 = iam.session(EVERYTHING, deny("s3:Get*", on=f"arn:aws:s3:::{BUCKET}/theirs/*"))("s3")
    assert s3.get_object(Bucket=BUCKET, Key="mine/a")["ContentLength"] == 1
    _, message = refusal(lambda: s3.get_object(Bucket=BUCKET, Key="theirs/c"))
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_a_permissions_boundary_limits_what_is_granted_and_grants_nothing(iam: Iam) -> None:
    boundary = iam.policy(allow("glue:*"), deny("glue:GetTable"))
    glue = iam.session(EVERYTHING, PermissionsBoundary=boundary)
    assert glue("glue").get_database(Name=DATABASE)["Database"]["Name"] == DATABASE
    _, message = refusal(lambda: glue("s3").list_buckets())
    assert "because no permissions boundary allows the s3:ListAllMyBuckets action" in message
    _, message = refusal(lambda: glue("glue").get_table(DatabaseName=DATABASE, Name="t"))
    assert message.endswith("with an explicit deny in a permissions boundary")
    bare = iam.session(PermissionsBoundary=boundary)("glue")
    _, message = refusal(lambda: bare.get_database(Name=DATABASE))
    assert "because no identity-based policy allows" in message


def test_a_changed_policy_applies_from_the_next_call_on(iam: Iam) -> None:
    role = iam.role()
    glue = iam.endpoint.client("glue", iam.endpoint.assume(role, "session"))
    assert refusal(lambda: glue.get_database(Name=DATABASE))[0] == "AccessDeniedException"
    iam.iam.put_role_policy(
        RoleName=role.rpartition("/")[2], PolicyName="p", PolicyDocument=document(EVERYTHING)
    )
    assert glue.get_database(Name=DATABASE)["Database"]["Name"] == DATABASE


def test_a_session_outlives_its_role_with_no_permission(iam: Iam) -> None:
    role = iam.role()
    glue = iam.endpoint.client("glue", iam.endpoint.assume(role, "session"))
    iam.iam.delete_role(RoleName=role.rpartition("/")[2])
    assert refusal(lambda: glue.get_database(Name=DATABASE))[0] == "AccessDeniedException"


# --- who is limited -----------------------------------------------------------------------------
def test_a_user_is_limited_and_root_is_not(iam: Iam) -> None:
    iam.iam.create_user(UserName=iam.name)
    iam.iam.attach_user_policy(UserName=iam.name, PolicyArn=iam.policy(allow("glue:GetDatabase")))
    key = iam.iam.create_access_key(UserName=iam.name)["AccessKey"]
    names = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    theirs, root = (iam.endpoint.client("glue", caller) for caller in (names, None))
    assert theirs.get_database(Name=DATABASE)["Database"]["Name"] == DATABASE
    assert DATABASE in {database["Name"] for database in root.get_databases()["DatabaseList"]}
    _, message = refusal(lambda: theirs.get_table(DatabaseName=DATABASE, Name="t"))
    assert message.startswith(f"User: arn:aws:iam::{ACCOUNT}:user/{iam.name} is not authorized")


def test_root_assumes_no_role_that_does_not_exist(iam: Iam) -> None:
    """It fails with the role's name, not later with a session that may do nothing."""
    sts = iam.endpoint.client("sts")
    missing = f"arn:aws:iam::{ACCOUNT}:role/no-such-role"
    for refused in (missing, "arn:aws:iam::999999999999:role/other", "not an arn at all ......"):
        code, message = refusal(
            lambda refused=refused: sts.assume_role(RoleArn=refused, RoleSessionName="next")
        )
        assert (code, refused in message) == ("AccessDenied", True)
    assert sts.assume_role(RoleArn=iam.role(), RoleSessionName="next")["Credentials"]


def test_a_role_assumes_another_if_it_may_and_is_trusted(iam: Iam) -> None:
    """Within one account, trust in the account needs a grant and trust in the role needs none."""
    caller = iam.role()
    mine = iam.endpoint.assume(caller, "mine")
    sts = iam.endpoint.client("sts", mine)
    by_account, by_glue = iam.role(trusted=BY_ROOT), iam.role(trusted=BY_GLUE)
    by_name = iam.role(trusted=trust({"AWS": caller}, account=None))
    assert sts.assume_role(RoleArn=by_name, RoleSessionName="next")["Credentials"]
    for refused in (by_account, by_glue):
        code, message = refusal(
            lambda refused=refused: sts.assume_role(RoleArn=refused, RoleSessionName="next")
        )
        assert code == "AccessDenied"
        assert f"sts:AssumeRole on resource: {refused}" in message
    iam.iam.put_role_policy(
        RoleName=caller.rpartition("/")[2],
        PolicyName="p",
        PolicyDocument=document(allow("sts:AssumeRole", on=by_account)),
    )
    assert sts.assume_role(RoleArn=by_account, RoleSessionName="next")["Credentials"]


# --- services that act as the caller ------------------------------------------------------------
def test_creating_a_job_needs_permission_to_pass_its_role(iam: Iam) -> None:
    role = iam.role()
    job = {
        "Name": iam.name,
        "Role": role,
        "Command": {"Name": "pythonshell", "ScriptLocation": f"s3://{BUCKET}/x.py"},
    }
    glue = iam.session(allow("glue:CreateJob"))("glue")
    _, message = refusal(lambda: glue.create_job(**job))
    assert f"iam:PassRole on resource: {role} because" in message
    to_glue = {"StringEquals": {"iam:PassedToService": GLUE}}
    passing = allow("iam:PassRole", on=role, Condition=to_glue)
    glue = iam.session(allow("glue:CreateJob"), passing)("glue")
    assert glue.create_job(**job)["Name"] == iam.name


def query(session: Callable[[str], Any], sql: str) -> dict[str, Any]:
    """How a query ended."""
    athena = session("athena")
    started = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": DATABASE},
        ResultConfiguration={"OutputLocation": RESULTS},
    )["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"]
        if status["State"] not in {"QUEUED", "RUNNING"}:
            return dict(status)
        time.sleep(0.05)


def test_athena_acts_with_the_permissions_of_its_caller(iam: Iam) -> None:
    """It needs those for the catalog and the results. A caller cannot see another's query."""
    granted = [allow("athena:*"), allow("s3:GetBucketLocation"), allow("glue:GetDatabase")]
    failed = query(iam.session(*granted), "SELECT 1 AS one")
    assert failed["State"] == "FAILED"
    assert "Insufficient permissions to execute the query" in failed["StateChangeReason"]
    assert "s3:PutObject" in failed["StateChangeReason"]
    granted.append(allow("s3:PutObject", on=f"arn:aws:s3:::{BUCKET}/results/*"))
    assert query(iam.session(*granted), "SELECT 1 AS one")["State"] == "SUCCEEDED"
    failed = query(iam.session(*granted), "SELECT * FROM t")
    assert "glue:GetTable" in failed["StateChangeReason"]


def test_dynamodb_exports_with_the_permissions_of_its_caller(iam: Iam) -> None:
    dynamodb = iam.endpoint.client("dynamodb")
    table = dynamodb.create_table(
        TableName=iam.name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]["TableArn"]
    dynamodb.update_continuous_backups(
        TableName=iam.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )

    def outcome(*granted: Statement) -> Any:
        export = iam.session(allow("dynamodb:*"), *granted)("dynamodb")
        arn = export.export_table_to_point_in_time(
            TableArn=table, S3Bucket=BUCKET, S3Prefix="exported"
        )["ExportDescription"]["ExportArn"]
        while True:
            description = export.describe_export(ExportArn=arn)["ExportDescription"]
            if description["ExportStatus"] != "IN_PROGRESS":
                return description
            time.sleep(0.05)

    failed = outcome()
    assert failed["ExportStatus"] == "FAILED"
    assert "s3:PutObject" in failed["FailureMessage"]
    assert outcome(allow("s3:PutObject"))["ExportStatus"] == "COMPLETED"


# --- jobs and crawlers under their roles --------------------------------------------------------
class Glue:
    """One job of one line, or a crawler, under a role."""

    def __init__(self, iam: Iam) -> None:
        self.iam, self.client = iam, iam.endpoint.client("glue")
        self.s3 = iam.endpoint.client("s3")

    def job(self, role: str, script: str) -> dict[str, Any]:
        """How its run ended."""
        key = f"scripts/{self.iam.name}.py"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=script.encode())
        command = {"Name": "pythonshell", "ScriptLocation": f"s3://{BUCKET}/{key}"}
        name = self.client.create_job(Name=self.iam.name, Role=role, Command=command)["Name"]
        run = self.client.start_job_run(JobName=name)["JobRunId"]
        while True:
            job_run = self.client.get_job_run(JobName=name, RunId=run)["JobRun"]
            if job_run["JobRunState"] not in {"STARTING", "RUNNING", "WAITING"}:
                return dict(job_run)
            time.sleep(0.1)

    def crawl(self, role: str) -> dict[str, Any]:
        """How its crawl ended."""
        name = self.iam.name
        self.s3.put_object(Bucket=BUCKET, Key=f"crawled/{name}/part", Body=b'{"a": 1}\n')
        self.client.create_crawler(
            Name=name,
            Role=role,
            DatabaseName=DATABASE,
            Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/crawled/{name}/"}]},
        )
        self.client.start_crawler(Name=name)
        while self.client.get_crawler(Name=name)["Crawler"]["State"] != "READY":
            time.sleep(0.1)
        last_crawl: dict[str, Any] = self.client.get_crawler(Name=name)["Crawler"]["LastCrawl"]
        return last_crawl


@pytest.fixture
def glue(iam: Iam) -> Glue:
    return Glue(iam)


def call(words: str) -> str:
    """A script that makes the call; of boto3's own errors Glue shows no more than a TypeError."""
    return f"""
import boto3
from botocore.exceptions import ClientError
try:
    boto3.client({words}
except ClientError as error:
    raise RuntimeError(str(error))
"""


READS = call('"glue").get_database(Name="permissions")')
READ_SCRIPT = allow("s3:GetObject", "s3:ListBucket")


def test_a_job_runs_with_the_permissions_of_its_role(iam: Iam, glue: Glue) -> None:
    run = glue.job(iam.role(READ_SCRIPT), READS)
    assert run["JobRunState"] == "FAILED"
    assert "(AccessDeniedException) when calling the GetDatabase" in run["ErrorMessage"]
    assert "assumed-role/" in run["ErrorMessage"]


def test_a_job_that_may_not_write_an_object_fails_by_that_code(iam: Iam, glue: Glue) -> None:
    writes = call('"s3").put_object(Bucket="permissions-bucket", Key="k")')
    run = glue.job(iam.role(READ_SCRIPT), writes)
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"].startswith("RuntimeError: An error occurred (AccessDenied)")
    assert "not authorized to perform: s3:PutObject" in run["ErrorMessage"]


@pytest.mark.parametrize(
    "trusted",
    [
        trust({"Service": "lambda.amazonaws.com"}),
        trust({"Service": GLUE}, account=ELSEWHERE),
        BY_ROOT,
    ],
    ids=["another service", "another account", "people"],
)
def test_glue_uses_no_role_that_does_not_trust_it(iam: Iam, glue: Glue, trusted: Statement) -> None:
    role = iam.role(EVERYTHING, trusted=trusted)
    words = f"Service is unable to assume provided role {role}. Please verify role's TrustPolicy"
    run = glue.job(role, READS)
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", f"LAUNCH ERROR | {words}")
    crawl = glue.crawl(role)
    assert (crawl["Status"], crawl["ErrorMessage"]) == ("FAILED", words)


def test_a_crawler_runs_with_the_permissions_of_its_role(iam: Iam, glue: Glue) -> None:
    """It reads its own definition and classifiers as Glue; data and catalog as the role."""
    crawl = glue.crawl(iam.role(READ_SCRIPT, allow("glue:GetDatabase", "glue:GetTable")))
    assert crawl["Status"] == "FAILED"
    assert "glue:CreateTable" in crawl["ErrorMessage"]


def test_a_job_without_a_log_runs(iam: Iam, glue: Glue) -> None:
    """As on AWS, where its output is lost."""
    run = glue.job(iam.role(READ_SCRIPT, allow("glue:GetDatabase")), f"{READS}print('done')")
    assert run["JobRunState"] == "SUCCEEDED"
    streams = iam.endpoint.client("logs").describe_log_groups(
        logGroupNamePrefix="/aws-glue/python-jobs/output"
    )["logGroups"]
    names = [
        stream["logStreamName"]
        for group in streams
        for stream in iam.endpoint.client("logs").describe_log_streams(
            logGroupName=group["logGroupName"]
        )["logStreams"]
    ]
    assert run["Id"] not in names


# --- the record ---------------------------------------------------------------------------------
def recorded(endpoint: Endpoint, role: str) -> Iterator[dict[str, Any]]:
    return (decision for decision in endpoint.authorizations() if decision["holder"] == role)


def test_each_decision_is_recorded_with_its_answer(iam: Iam) -> None:
    role = iam.role(allow("s3:ListBucket", Sid="List"))
    s3 = iam.endpoint.client("s3", iam.endpoint.assume(role, "session"))
    for _ in range(2):
        s3.list_objects_v2(Bucket=BUCKET, Prefix="mine/")
    refusal(lambda: s3.get_object(Bucket=BUCKET, Key="mine/a"))
    caller = f"{role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/session"
    asked = {"caller": caller, "holder": role}
    assert list(recorded(iam.endpoint, role)) == [
        {
            **asked,
            "action": "s3:ListBucket",
            "resource": f"arn:aws:s3:::{BUCKET}",
            "context": {"s3:prefix": "mine/"},
            "allowed": True,
            "policy": "granted",
            "sid": "List",
            "calls": 2,
        },
        {
            **asked,
            "action": "s3:GetObject",
            "resource": f"arn:aws:s3:::{BUCKET}/mine/a",
            "context": {},
            "allowed": False,
            "policy": "",
            "sid": "",
            "calls": 1,
        },
    ]


# --- asked beforehand ---------------------------------------------------------------------------
def test_the_simulator_decides_as_the_calls_are_decided(iam: Iam) -> None:
    names = {"StringEquals": {"cloudwatch:namespace": "mine"}}
    role = iam.role(
        allow("s3:GetObject", on=f"arn:aws:s3:::{BUCKET}/mine/*"),
        allow("cloudwatch:PutMetricData", Condition=names),
        deny("glue:*"),
    )

    def decision(action: str, resource: str = "*", namespace: str = "") -> str:
        entry = {
            "ContextKeyName": "cloudwatch:namespace",
            "ContextKeyValues": [namespace],
            "ContextKeyType": "string",
        }
        (result,) = iam.iam.simulate_principal_policy(
            PolicySourceArn=role,
            ActionNames=[action],
            ResourceArns=[resource],
            ContextEntries=[entry] if namespace else [],
        )["EvaluationResults"]
        assert (result["EvalActionName"], result["EvalResourceName"]) == (action, resource)
        return str(result["EvalDecision"])

    assert decision("s3:GetObject", f"arn:aws:s3:::{BUCKET}/mine/a") == "allowed"
    assert decision("s3:GetObject") == "implicitDeny"
    assert decision("cloudwatch:PutMetricData", namespace="mine") == "allowed"
    assert decision("cloudwatch:PutMetricData") == "implicitDeny"
    assert decision("glue:GetJob") == "explicitDeny"


def test_the_simulator_refuses_a_role_that_does_not_exist(iam: Iam) -> None:
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    code, message = refusal(
        lambda: iam.iam.simulate_principal_policy(
            PolicySourceArn=gone, ActionNames=["s3:GetObject"]
        )
    )
    assert (code, gone in message) == ("NoSuchEntity", True)


# --- calls that name two operations ---------------------------------------------------------------
AMZ_JSON = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("service", "target", "query", "kind", "body"),
    [
        ("glue", "AWSGlue.ListJobs", "?Action=CreateJob", AMZ_JSON, "{}"),
        ("cloudformation", "X.DescribeStacks", "", FORM, "Action=DeleteStack&StackName=none"),
        ("cloudformation", "", "?Action=DescribeStacks", FORM, "Action=DeleteStack&StackName=none"),
        ("cloudformation", "", "?StackName=a", FORM, "Action=DescribeStacks&StackName=b"),
        ("sts", "X.GetCallerIdentity", "", FORM, "Action=AssumeRole"),
    ],
)
def test_a_call_that_names_two_operations_is_refused(
    iam: Iam, *, service: str, target: str, query: str, kind: str, body: str
) -> None:
    """Otherwise the policies would decide about one, and the service would do the other."""
    granted = allow("glue:ListJobs", "cloudformation:DescribeStacks")
    keys = iam.endpoint.assume(iam.role(granted), "session")
    credentials = Credentials(
        keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"]
    )
    headers = {"Content-Type": kind, **({"X-Amz-Target": target} if target else {})}
    call = AWSRequest("POST", f"{iam.endpoint.url}/{query}", headers=headers, data=body)
    SigV4Auth(credentials, service, iam.endpoint.region).add_auth(call)
    answer = URLLib3Session().send(call.prepare())
    assert answer.status_code in {400, 403}
    assert "AccessDenied" in answer.text
    assert "names several operations" in answer.text

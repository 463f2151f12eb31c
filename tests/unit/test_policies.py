"""Each role reaches its own table, prefixes and catalog entries, and nothing else.

The policies are read from the shipped template, resolved in a partition that is not the default.
"""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import pytest
from deployed import Deployed, parsed

from dynoexport import naming

TABLE = parsed("table.yaml")
ROLES = ("ExportRole", "CrawlerRole", "ViewRole")
AT = "arn:aws-cn"
HERE = "cn-north-1:123456789012"


def deployed(**parameters: str) -> Deployed:
    given = {"TableName": "Orders", "OutputFormat": "orc", "CommonStackName": "shared"}
    return Deployed(TABLE, {**given, **parameters})


def statements(role: str, **parameters: str) -> list[dict[str, Any]]:
    """The statements of the role's own policy, and of those that conditions add."""
    stack = deployed(**parameters)
    added = (stack.properties(name) for name in stack.of_type("AWS::IAM::Policy"))
    documents = [policy["PolicyDocument"] for policy in stack.properties(role)["Policies"]]
    documents += [policy["PolicyDocument"] for policy in added if role in policy["Roles"]]
    return [statement for document in documents for statement in document["Statement"]]


def may(
    role: str,
    action: str,
    resource: str,
    *,
    reader: str = "native",
    glue: str = "5.1",
    **context: str,
) -> bool:
    """Whether the role's policy allows the action, by IAM's rules for patterns."""
    return any(
        statement["Effect"] == "Allow"
        and any(fnmatch.fnmatchcase(action, pattern) for pattern in statement["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        and all(
            any(fnmatch.fnmatchcase(context.get(key, ""), pattern) for pattern in as_list(patterns))
            for keys in statement.get("Condition", {}).values()
            for key, patterns in keys.items()
        )
        for statement in statements(role, ReadMode=reader, GlueVersion=glue)
    )


def as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def key(name: str) -> str:
    return f"{AT}:s3:::dynamodb-exports-123456789012-cn-north-1/{name}"


def listing(prefix: str) -> dict[str, str]:
    return {"s3:prefix": prefix}


DATA = naming.snapshot_prefix("Orders", "orc", "2026-01-02T03:04")
MANIFEST = naming.manifest_key("Orders", "orc", "2026-01-02T03:04")
TEMP = naming.temp_prefix("Orders", "orc")
RESULTS = naming.view_results_prefix("Orders", "orc")
WORKFLOW = naming.workflow("Orders", "orc", scheduled=False)
BUCKET = f"{AT}:s3:::dynamodb-exports-123456789012-cn-north-1"


@pytest.mark.parametrize("role", ROLES)
def test_only_glue_for_this_account_may_use_the_role(role: str) -> None:
    (statement,) = deployed().properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "glue.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole"]
    assert statement["Condition"] == {"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}}


@pytest.mark.parametrize("role", ROLES)
def test_no_policy_is_shared_or_managed(role: str) -> None:
    """Nobody can attach an inline policy to another role."""
    assert "ManagedPolicyArns" not in deployed().properties(role)


@pytest.mark.parametrize("role", ROLES)
def test_no_action_is_a_pattern(role: str) -> None:
    for statement in statements(role):
        assert not [action for action in statement["Action"] if "*" in action]


def test_only_metrics_and_the_quota_are_allowed_on_every_resource() -> None:
    """Neither knows resources; CloudWatch's namespace limits the one, reading the other."""
    wild = {
        (role, *statement["Action"]): statement.get("Condition")
        for role in ROLES
        for statement in statements(role)
        if "*" in statement["Resource"]
    }
    assert wild == {
        ("ExportRole", "cloudwatch:PutMetricData"): {
            "StringEquals": {"cloudwatch:namespace": ["Glue", "dynoexport/Orders"]}
        },
        ("ViewRole", "cloudwatch:PutMetricData"): {
            "StringEquals": {"cloudwatch:namespace": ["dynoexport/Orders"]}
        },
        ("ExportRole", "dynamodb:DescribeLimits"): None,
    }


@pytest.mark.parametrize("role", ["ExportRole", "ViewRole"])
def test_no_role_hides_that_another_table_has_no_new_snapshot(role: str) -> None:
    """A datapoint in the other table's metric would hide it."""
    for table, allowed in (("Orders", True), ("Orders2", False)):
        namespace = {"cloudwatch:namespace": naming.metric_namespace(table)}
        assert may(role, "cloudwatch:PutMetricData", "*", **namespace) is allowed


@pytest.mark.parametrize("action", ["dynamodb:DescribeTable", "dynamodb:Scan"])
def test_only_the_export_job_reads_only_this_table(action: str) -> None:
    own, other = (f"{AT}:dynamodb:{HERE}:table/{name}" for name in ("Orders", "Orders2"))
    assert may("ExportRole", action, own)
    assert not may("ExportRole", action, other)
    assert not may("ExportRole", "dynamodb:PutItem", own)
    assert not any(may(role, action, own) for role in ("CrawlerRole", "ViewRole"))


@pytest.mark.parametrize("reader", ["connector", "native", "export"])
def test_the_table_is_scanned_or_exported_and_never_both(reader: str) -> None:
    own, other = (f"{AT}:dynamodb:{HERE}:table/{name}" for name in ("Orders", "Orders2"))
    exported = reader == "export"
    assert may("ExportRole", "dynamodb:Scan", own, reader=reader) is not exported
    for action in ("DescribeContinuousBackups", "ExportTableToPointInTime"):
        assert may("ExportRole", f"dynamodb:{action}", own, reader=reader) is exported
        assert not may("ExportRole", f"dynamodb:{action}", other, reader=reader)
    arn = f"{own}/export/01693685827463-2d8752fd"
    assert may("ExportRole", "dynamodb:DescribeExport", arn, reader=reader) is exported
    for action in ("s3:PutObjectAcl", "s3:AbortMultipartUpload"):
        assert may("ExportRole", action, key(TEMP + "run/data/x.gz"), reader=reader) or not exported
    assert not may("ExportRole", "s3:PutObjectAcl", key(DATA + "part-0"), reader=reader)


def test_the_view_job_may_mend_every_partition_of_its_table() -> None:
    catalog = [f"{AT}:glue:{HERE}:catalog", f"{AT}:glue:{HERE}:database/dynamodb_exports"]
    for action in ("glue:GetPartitions", "glue:CreatePartition", "glue:BatchUpdatePartition"):
        for resource in (*catalog, f"{AT}:glue:{HERE}:table/dynamodb_exports/snapshots_orders"):
            assert may("ViewRole", action, resource)


def test_the_export_job_writes_its_own_prefixes() -> None:
    for name in (DATA + "part-0.orc", TEMP + "run/x.json"):
        assert may("ExportRole", "s3:PutObject", key(name))
        assert may("ExportRole", "s3:DeleteObject", key(name))
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert may("ExportRole", action, key(MANIFEST))
    for name in (
        naming.snapshot_prefix("Orders2", "orc", "2026-01-02T03:04") + "part-0.orc",
        naming.snapshot_prefix("Orders", "csv", "2026-01-02T03:04") + "part-0.csv",
        naming.manifest_key("Orders2", "orc", "2026-01-02T03:04"),
        naming.script_key(naming.EXPORT_SCRIPT, "current"),
        naming.ATHENA_RESULTS_PREFIX + "x",
    ):
        assert not may("ExportRole", "s3:PutObject", key(name)), name
        assert not may("ExportRole", "s3:DeleteObject", key(name)), name


def test_spark_may_finish_and_abort_its_own_uploads_in_parts() -> None:
    """The magic committer of Glue 5.1 and later lists the open uploads of a failed job.

    The job's own uploads, those of the snapshot, need no list of their parts.
    """
    assert may("ExportRole", "s3:ListBucketMultipartUploads", BUCKET)
    for action in ("s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"):
        assert may("ExportRole", action, key(TEMP + "part-0"))
        assert may("ExportRole", action, key(DATA + "part-0.orc"), glue="3.0")
        assert not may("ExportRole", action, key("orc/Orders2/part-0.orc"), glue="3.0")
    assert may("ExportRole", "s3:AbortMultipartUpload", key(DATA + "part-0.orc"))
    assert not may("ExportRole", "s3:ListMultipartUploadParts", key(DATA + "part-0.orc"))


@pytest.mark.parametrize(
    ("glue", "marked"), [("2.0", True), ("3.0", True), ("4.0", False), ("5.1", False)]
)
def test_spark_may_mark_the_directories_it_makes(glue: str, *, marked: bool) -> None:
    """EMRFS puts an empty object beside each new directory, up to the root.

    Spark writes the connector's temporary files, and only on old versions of Glue the snapshot.
    """
    for marker, expected in (
        ("glue-temp-dir/orc_$folder$", True),
        ("orc_$folder$", marked),
        ("orc/Orders_$folder$", marked),
        ("orc/Orders2_$folder$", False),
    ):
        assert may("ExportRole", "s3:PutObject", key(marker), glue=glue) == expected, marker
        listed = may("ExportRole", "s3:ListBucket", BUCKET, glue=glue, **listing(marker))
        assert listed == expected, marker


@pytest.mark.parametrize(
    ("role", "own"),
    [
        ("ExportRole", [DATA, MANIFEST, TEMP, "glue-temp-dir", "orc/Orders/"]),
        ("CrawlerRole", [DATA, "orc/Orders/"]),
        ("ViewRole", [DATA, MANIFEST, RESULTS]),
    ],
)
def test_each_role_lists_its_own_prefixes(role: str, own: list[str]) -> None:
    for prefix in own:
        assert may(role, "s3:ListBucket", BUCKET, **listing(prefix)), prefix
    for prefix in ("", "scripts/", "orc/Orders2/", "csv/Orders/", "manifests/"):
        assert not may(role, "s3:ListBucket", BUCKET, **listing(prefix)), prefix


def test_each_job_reads_its_own_script_of_its_own_version() -> None:
    for role, own, other in (
        ("ExportRole", naming.EXPORT_SCRIPT, naming.VIEW_SCRIPT),
        ("ViewRole", naming.VIEW_SCRIPT, naming.EXPORT_SCRIPT),
    ):
        assert may(role, "s3:GetObject", key(naming.script_key(own, "current")))
        assert not may(role, "s3:GetObject", key(naming.script_key(own, "v2")))
        assert not may(role, "s3:GetObject", key(naming.script_key(other, "current")))


def test_the_crawler_reads_snapshots_and_writes_no_object() -> None:
    assert may("CrawlerRole", "s3:GetObject", key(DATA + "part-0.orc"))
    assert not may("CrawlerRole", "s3:GetObject", key(MANIFEST))
    writing = {"s3:PutObject", "s3:DeleteObject"}
    assert not [
        statement for statement in statements("CrawlerRole") if writing & set(statement["Action"])
    ]


def test_the_view_job_deletes_snapshots_but_writes_results_only() -> None:
    assert may("ViewRole", "s3:DeleteObject", key(DATA + "part-0.orc"))
    assert may("ViewRole", "s3:DeleteObject", key(MANIFEST))
    for action in ("s3:GetObject", "s3:PutObject"):
        assert may("ViewRole", action, key(f"{RESULTS}q.txt"))
        assert not may("ViewRole", action, key("athena-results/q.txt"))
        assert not may("ViewRole", action, key("athena-results/views/orc/Orders2/q.txt"))
    assert not may("ViewRole", "s3:PutObject", key(DATA + "part-0.orc"))
    assert not may("ViewRole", "s3:DeleteObject", key("athena-results/q.txt"))


def test_the_view_job_queries_in_the_workgroup_only() -> None:
    groups = ("dynamodb-exports-views", "dynamodb-exports", "primary")
    own, *others = (f"{AT}:athena:{HERE}:workgroup/{name}" for name in groups)
    assert may("ViewRole", "athena:StartQueryExecution", own)
    assert not any(may("ViewRole", "athena:StartQueryExecution", other) for other in others)


@pytest.mark.parametrize(
    ("role", "allowed", "refused"),
    [
        ("ExportRole", ["GetTable"], ["CreateTable", "UpdateTable", "DeleteTable"]),
        (
            "CrawlerRole",
            [
                *("GetDatabases", "GetTable", "CreateTable", "BatchCreatePartition"),
                *("GetTableVersions", "DeleteTableVersion", "BatchDeleteTable"),
            ],
            ["DeleteDatabase"],
        ),
        ("ViewRole", ["GetTable", "DeletePartition"], ["DeleteTable", "DeleteDatabase"]),
    ],
)
def test_the_catalog_is_open_for_dynamodb_exportss_tables_only(
    role: str, allowed: list[str], refused: list[str]
) -> None:
    """Catalog, database and table must each be allowed, and only one database is."""
    table = f"{AT}:glue:{HERE}:table/dynamodb_exports/snapshots_orders"
    chain = [f"{AT}:glue:{HERE}:catalog", f"{AT}:glue:{HERE}:database/dynamodb_exports", table]
    for action in allowed:
        assert all(may(role, f"glue:{action}", resource) for resource in chain), action
        assert not may(role, f"glue:{action}", table.replace("dynamodb_exports", "other")), action
    for action in refused:
        assert not any(may(role, f"glue:{action}", resource) for resource in chain), action


def test_only_the_view_job_writes_beside_the_snapshots() -> None:
    view = f"{AT}:glue:{HERE}:table/dynamodb_exports/orders"
    assert may("ViewRole", "glue:CreateTable", view)
    assert not may("CrawlerRole", "glue:CreateTable", view)
    assert not may("ViewRole", "glue:DeletePartition", view)


def test_a_catalog_prefix_narrows_the_catalog_to_this_export() -> None:
    patterns = {
        resource.rpartition("/")[2]
        for role in ROLES
        for statement in statements(role, CatalogPrefix="shop_")
        for resource in statement["Resource"]
        if ":table/dynamodb_exports/" in resource
    }
    assert patterns == {"shop_*", "shop_snapshots_*"}


def test_run_properties_of_this_workflow_only() -> None:
    own, other = (f"{AT}:glue:{HERE}:workflow/{name}" for name in (WORKFLOW, f"{WORKFLOW}2"))
    for role in ("ExportRole", "ViewRole"):
        assert may(role, "glue:GetWorkflowRunProperties", own)
        assert not may(role, "glue:GetWorkflowRunProperties", other)
    assert may("ExportRole", "glue:PutWorkflowRunProperties", own)
    assert not may("ViewRole", "glue:PutWorkflowRunProperties", own)
    scheduled = statements("ExportRole", ScheduleState="ENABLED")
    names = [
        resource
        for statement in scheduled
        for resource in statement["Resource"]
        if ":workflow/" in resource
    ]
    assert names == [f"{own}-scheduled"]


@pytest.mark.parametrize("role", ROLES)
def test_logs_of_glue_only(role: str) -> None:
    groups = {
        re.sub(r".*log-group:", "", resource)
        for statement in statements(role)
        if "logs:PutLogEvents" in statement["Action"]
        for resource in statement["Resource"]
    }
    # The export job is a Spark job or a Python shell job.
    assert len(groups) == (2 if role == "ExportRole" else 1)
    assert all(group.startswith("/aws-glue/") for group in groups)


# --- another account's table, a VPC ---------------------------------------------------------------
READER = "arn:aws-cn:iam::210987654321:role/reader"


def test_a_table_of_another_account_is_read_by_its_role_alone() -> None:
    """The job itself may then read no table."""
    found = statements("ExportRole", ReadMode="native", SourceRoleArn=READER)
    (assume,) = [statement for statement in found if "sts:AssumeRole" in statement["Action"]]
    assert assume["Resource"] == [READER]
    assert not [statement for statement in found if "dynamodb:" in "".join(statement["Action"])]


def test_no_role_may_be_assumed_for_a_table_of_this_account() -> None:
    assert not may("ExportRole", "sts:AssumeRole", READER)


@pytest.mark.parametrize("role", ROLES)
def test_a_network_interface_is_made_only_for_a_connection(role: str) -> None:
    """And only that connection can be read; what EC2 can limit is limited to this account."""
    without = json.dumps(statements(role))
    assert "ec2:" not in without
    assert "glue:GetConnection" not in without
    found = statements(role, ConnectionName="inside")
    allowed = {action: statement for statement in found for action in statement["Action"]}
    assert allowed["glue:GetConnection"]["Resource"] == [
        f"{AT}:glue:{HERE}:catalog",
        f"{AT}:glue:{HERE}:connection/inside",
    ]
    for action in ("CreateNetworkInterface", "DeleteNetworkInterface", "CreateTags", "DeleteTags"):
        resources = allowed[f"ec2:{action}"]["Resource"]
        assert all(resource.startswith(f"{AT}:ec2:{HERE}:") for resource in resources)
    assert allowed["ec2:CreateTags"]["Condition"] == {
        "ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}
    }


def test_only_questions_about_the_network_are_allowed_on_every_resource() -> None:
    """Permissions of exports without a VPC are the exception."""
    found = statements("CrawlerRole", ConnectionName="inside")
    wild = {
        action
        for statement in found
        if "*" in statement["Resource"]
        for action in statement["Action"]
    }
    assert all(action.startswith("ec2:Describe") for action in wild)


def test_the_key_may_be_used_only_if_there_is_one() -> None:
    """This covers all roles; xml has no view job."""
    assert "RolesUseKey" not in deployed().section("Resources")
    xml = deployed(UseKmsKey="true", OutputFormat="xml")
    assert xml.properties("RolesUseKey")["Roles"] == ["ExportRole", "CrawlerRole"]
    assert xml.properties("RolesWriteWithKey")["Roles"] == ["ExportRole"]
    stack = deployed(UseKmsKey="true")
    properties = stack.properties("RolesUseKey")
    assert properties["Roles"] == list(ROLES)
    use = properties["PolicyDocument"]["Statement"][0]
    assert use["Action"] == ["kms:Decrypt"]
    assert use["Resource"] == ["arn:aws-cn:kms:cn-north-1:123456789012:key/k"]


def test_the_crawler_encrypts_nothing() -> None:
    properties = deployed(UseKmsKey="true").properties("RolesWriteWithKey")
    assert properties["Roles"] == ["ExportRole", "ViewRole"]
    (write,) = properties["PolicyDocument"]["Statement"]
    assert write["Action"] == ["kms:Encrypt", "kms:GenerateDataKey"]
    assert write["Resource"] == ["arn:aws-cn:kms:cn-north-1:123456789012:key/k"]


def test_the_catalogs_key_may_be_used_by_all_roles_if_there_is_one() -> None:
    assert "RolesUseCatalogKey" not in deployed().section("Resources")
    key = "arn:aws-cn:kms:cn-north-1:123456789012:key/of-the-catalog"
    properties = deployed(CatalogKeyArn=key).properties("RolesUseCatalogKey")
    assert properties["Roles"] == list(ROLES)
    (use,) = properties["PolicyDocument"]["Statement"]
    assert use["Action"] == ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
    assert use["Resource"] == [key]


def test_the_tables_own_key_is_used_by_dynamodb_alone_for_the_export_job_alone() -> None:
    assert "ExportRoleDecryptsTable" not in deployed().section("Resources")
    key = "arn:aws-cn:kms:cn-north-1:123456789012:key/of-the-table"
    properties = deployed(TableKeyArn=key).properties("ExportRoleDecryptsTable")
    assert properties["Roles"] == ["ExportRole"]
    (decrypt,) = properties["PolicyDocument"]["Statement"]
    assert (decrypt["Action"], decrypt["Resource"]) == (["kms:Decrypt"], [key])
    via = decrypt["Condition"]["StringEquals"]["kms:ViaService"]
    assert via == "dynamodb.cn-north-1.amazonaws.com.cn"

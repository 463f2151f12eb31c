"""Trino 476 creates and replaces a view with the permissions of the view job's role."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from account import Account
from command import Command, crawl, create_table, put_snapshot
from roles import Usage, recorded

from dynoexport import naming
from dynoexport.jobs.view import view_sql

if TYPE_CHECKING:
    from trino_server import Trino

    from dynoexport.local.context import Endpoint

JUDGE = "Trino 476"
TABLE, USER, CATALOG = "Permitted", "view-job", "permitted"
SNAPSHOTS = ("2026-01-01T10:00", "2026-01-02T10:00")

pytestmark = pytest.mark.endpoint


@pytest.fixture(scope="module")
def exported(endpoint: Endpoint) -> Usage:
    """The deployed roles of an export whose two snapshots a crawler knows, and no view yet."""
    command = Command(endpoint)
    command.ok("init", "--yes")
    create_table(endpoint, TABLE)
    command.ok("deploy", TABLE, "--yes", "--format", "json", "--set", "NumberOfWorkers=2")
    for timestamp in SNAPSHOTS:
        put_snapshot(endpoint, TABLE, timestamp, [{"id": "1"}])
    crawl(endpoint, TABLE)
    usage = Usage(Account(endpoint))
    usage.watch(TABLE, "json")
    return usage


@pytest.fixture(scope="module")
def permitted(exported: Usage, endpoint: Endpoint, trino: Trino) -> str:
    """A catalog of Trino's that may do what the view's role may."""
    iam = endpoint.client("iam")
    (role,) = (name for title, name in exported.roles if title == "ViewRole")
    iam.create_user(UserName=USER)
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        iam.put_user_policy(UserName=USER, PolicyName=name, PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    trino.add_catalog(CATALOG, key["AccessKeyId"], key["SecretAccessKey"])
    return CATALOG


def asked(endpoint: Endpoint) -> list[dict[str, Any]]:
    return list(recorded(endpoint, {USER}))


def test_a_view_is_created_and_replaced_with_the_view_roles_permissions(
    endpoint: Endpoint, trino: Trino, permitted: str
) -> None:
    """And Trino asks for nothing else: neither for versions of tables nor for deletions."""
    for timestamp in SNAPSHOTS:
        columns = {"id": "id", naming.PARTITION_KEY: naming.PARTITION_KEY}
        statement = view_sql(
            naming.DATABASE,
            naming.view(TABLE),
            naming.snapshots_table(TABLE),
            columns,
            timestamp,
        )
        trino.query(statement, naming.DATABASE, catalog=permitted)
    calls = asked(endpoint)
    assert [call for call in calls if not call["allowed"]] == []
    assert {call["action"] for call in calls} <= {
        "glue:GetDatabase",
        "glue:GetTable",
        "glue:CreateTable",
        "glue:UpdateTable",
    }
    assert {"glue:CreateTable", "glue:UpdateTable"} <= {call["action"] for call in calls}
    glue = endpoint.client("glue")
    view = glue.get_table(DatabaseName=naming.DATABASE, Name=naming.view(TABLE))["Table"]
    assert view["TableType"] == "VIRTUAL_VIEW"

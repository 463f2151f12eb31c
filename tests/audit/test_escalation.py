"""No role and no policy lets its holder get more permissions, and the analysis finds who could."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import escalation
import pytest
from escalation import WAYS, Finding, Way

from dynoexport.cloudformation.permissions import INSTALLATION, plain
from dynoexport.iam import caller_policies, tasks


def allow(action: str, resource: str = "*", **condition: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Action": [action], "Resource": [resource]}
    return {**found, "Condition": condition} if condition else found


def ways(holder: str, *statements: dict[str, Any]) -> list[tuple[str, bool]]:
    """The ways of the statements, and whether a limit keeps each within bounds."""
    found = escalation.findings(holder, statements)
    return [(each.way.name, each.limit is not None) for each in found]


def test_no_role_and_no_policy_gives_more_permissions() -> None:
    assert escalation.unlimited(escalation.analysis()) == []


def test_roles_of_jobs_have_no_way_but_to_the_source_role() -> None:
    found = escalation.analysis()
    assert [each.way.name for each in found["ExportRole"]] == ["sts:AssumeRole"]
    assert [found[each] for each in ("CrawlerRole", "ViewRole")] == [[], []]


def test_role_within_the_boundary_can_change_no_permission() -> None:
    """It is for any prefix of the bucket, because a policy has no room for all of them."""
    found = escalation.analysis()["boundary"]
    assert [each.way.name for each in found] == ["s3:PutObject on the scripts"]


def test_only_who_deploys_has_a_way_among_people() -> None:
    found = escalation.analysis()
    assert {each for each in tasks.TASKS if found[each]} == {"deploy"}


def test_who_deploys_without_a_boundary_is_found() -> None:
    policy = caller_policies.deploy(replace(INSTALLATION, boundary=""))
    found = list(escalation.findings("deploy", plain(policy)["Statement"]))
    unlimited = {each.way.name for each in escalation.unlimited({"deploy": found})}
    assert {"iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePermissionsBoundary"} <= unlimited


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_way_is_found(way: Way) -> None:
    """In a policy of its own, in one that allows everything, and not if an action is missing."""
    own = [allow(action) for action in way.actions]
    assert (way.name, False) in ways("a role", *own)
    assert (way.name, False) in ways("a role", allow("*"))
    assert (way.name, False) in ways("a role", *(allow(f"{each[:-2]}*") for each in way.actions))
    for missing in own:
        assert way.name not in dict(ways("a role", *(each for each in own if each != missing)))


def test_role_that_is_passed_to_another_service_only_is_no_way() -> None:
    to_glue = {"StringEquals": {"iam:PassedToService": "glue.amazonaws.com"}}
    passing = allow("iam:PassRole", "arn:aws:iam::<account>:role/x", **to_glue)
    found = dict(ways("a role", passing, allow("lambda:CreateFunction"), allow("glue:CreateJob")))
    assert found == {"iam:PassRole and glue:CreateJob to glue.amazonaws.com": False}


def test_limit_holds_only_if_every_statement_keeps_to_it() -> None:
    bounded = allow("iam:PutRolePolicy", ArnEquals={"iam:PermissionsBoundary": "b"})
    assert ways("deploy", bounded) == [("iam:PutRolePolicy", True)]
    assert ways("deploy", bounded, allow("iam:PutRolePolicy")) == [("iam:PutRolePolicy", False)]
    assert ways("run", bounded) == [("iam:PutRolePolicy", False)]


def test_statement_that_writes_elsewhere_writes_no_script() -> None:
    assert ways("a role", allow("s3:PutObject", "arn:aws:s3:::<bucket>/csv/T/*")) == []
    assert ways("a role", allow("s3:PutObject", "arn:aws:s3:::<bucket>/*")) == [
        ("s3:PutObject on the scripts", False)
    ]


def test_table_names_who_gets_more() -> None:
    found = {"a role": [Finding("a role", Way(("iam:PutRolePolicy",)), None)], "another": []}
    assert escalation.table(found).splitlines()[2:] == [
        "| a role | yes | `iam:PutRolePolicy`: **no limit** |",
        "| another | no | none |",
    ]

"""Policies decide as IAM does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport.local.iam import authorization
from dynoexport.local.iam.authorization import NotUnderstood, Policies, Request, decide, statements

ARN = "arn:aws:s3:::bucket/key"
READ = Request("s3:GetObject", ARN)


def policy(*parts: dict[str, Any]) -> tuple[authorization.Statement, ...]:
    return statements("p", json.dumps({"Statement": list(parts)}))


def statement(effect: str = "Allow", **parts: Any) -> dict[str, Any]:
    rest = {} if "NotAction" in parts else {"Action": "s3:GetObject"}
    rest |= {} if "NotResource" in parts else {"Resource": ARN}
    return {"Effect": effect, **rest, **parts}


def allowed(*parts: dict[str, Any], request: Request = READ) -> bool:
    return decide(request, Policies(policy(*parts))).allowed


# --- what a statement covers --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("parts", "covered"),
    [
        ({}, True),
        ({"Action": "S3:getobject"}, True),
        ({"Action": "s3:Get*"}, True),
        ({"Action": "s3:GetObjec?"}, True),
        ({"Action": "s3:Put*"}, False),
        ({"Action": ["s3:Put*", "*"]}, True),
        ({"NotAction": "s3:Put*"}, True),
        ({"NotAction": "s3:*"}, False),
        ({"Resource": "*"}, True),
        ({"Resource": "arn:aws:s3:::bucket/*"}, True),
        ({"Resource": "arn:aws:s3:::Bucket/*"}, False),
        ({"Resource": "arn:aws:s3:::bucket"}, False),
        ({"Resource": "arn:*:s3:*:*:bucket/key"}, True),
        ({"Resource": "arn:aws:*"}, False),
        ({"NotResource": "arn:aws:s3:::bucket/*"}, False),
        ({"NotResource": "arn:aws:s3:::other/*"}, True),
    ],
)
def test_actions_match_without_case_and_resources_part_by_part(
    parts: dict[str, Any], covered: bool
) -> None:
    assert allowed(statement(**parts)) is covered


@pytest.mark.parametrize(
    ("operator", "wanted", "given_", "outcome"),
    [
        ("StringEquals", "a*", "a*", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringLike", "a*", "ab", True),
        ("StringNotEquals", ["a", "b"], "a", False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", None, True),
        ("StringNotLike", "a*", "ab", False),
        ("ArnLike", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/r", True),
        ("ArnNotLike", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/r", False),
        ("Bool", False, "false", True),
        ("Bool", "false", None, False),
        ("Null", "true", None, True),
        ("Null", "true", "a", False),
        ("Null", False, "a", True),
        ("ForAllValues:StringEquals", ["a", "b"], "a", True),
        ("ForAllValues:StringEquals", ["a", "b"], "c", False),
        ("ForAllValues:StringEquals", "a", None, True),
        ("ForAnyValue:StringEquals", "a", None, False),
        ("NumericLessThan", "10", "9", True),
        ("NumericGreaterThanEquals", "10", "9", False),
    ],
)
def test_conditions_compare_by_their_operator(
    operator: str, wanted: Any, given_: str | None, outcome: bool
) -> None:
    context = {} if given_ is None else {"my:Key": given_}
    request = Request(READ.action, READ.resource, context)
    condition = {operator: {"My:key": wanted}}
    assert allowed(statement(Condition=condition), request=request) is outcome


def test_all_lines_of_a_condition_must_hold() -> None:
    condition = {"StringEquals": {"my:a": "1", "my:b": "2"}}
    half, whole = ({"my:a": "1"}, {"my:a": "1", "my:b": "2"})
    for context, outcome in ((half, False), (whole, True)):
        request = Request(READ.action, READ.resource, context)
        assert allowed(statement(Condition=condition), request=request) is outcome


@pytest.mark.parametrize(
    "parts",
    [
        {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
        {"Resource": "arn:aws:s3:::bucket/${aws:username}"},
        {"NotPrincipal": {"AWS": "*"}},
    ],
)
def test_an_unknown_element_is_an_error(parts: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        policy(statement(**parts))


# --- deciding ------------------------------------------------------------------------------------
GRANT, REFUSE = statement(Sid="Grant"), statement("Deny", Sid="Refuse")


def test_decision_names_its_statement() -> None:
    found = decide(READ, Policies(policy(GRANT)))
    assert found.statement is not None
    assert (found.allowed, found.statement.sid) == (True, "Grant")
    found = decide(READ, Policies(policy(GRANT, REFUSE)))
    assert found.statement is not None
    assert (found.allowed, found.statement.sid) == (False, "Refuse")


@pytest.mark.parametrize(
    ("identity", "limit", "reason"),
    [
        ((), None, "because no identity-based policy allows the s3:GetObject action"),
        ((REFUSE,), None, "with an explicit deny in an identity-based policy"),
        ((GRANT,), (), "because no permissions boundary allows the s3:GetObject action"),
        ((GRANT,), (GRANT, REFUSE), "with an explicit deny in a permissions boundary"),
        ((), (GRANT,), "because no identity-based policy allows the s3:GetObject action"),
    ],
)
def test_a_refusal_has_aws_reason(
    identity: tuple[dict[str, Any], ...], limit: tuple[dict[str, Any], ...] | None, reason: str
) -> None:
    limits = () if limit is None else (("permissions boundary", policy(*limit)),)
    assert decide(READ, Policies(policy(*identity), limits)).reason == reason


PATTERNS = st.sampled_from(["*", ARN, "arn:aws:s3:::bucket/*", "arn:aws:s3:::other/*"])
ACTIONS = st.sampled_from(["*", "s3:*", "s3:GetObject", "s3:Put*"])
STATEMENTS = st.builds(
    lambda effect, action, resource: statement(effect, Action=action, Resource=resource),
    st.sampled_from(["Allow", "Deny"]),
    ACTIONS,
    PATTERNS,
)
POLICIES = st.lists(STATEMENTS, max_size=6)


@given(POLICIES, st.randoms())
def test_the_order_of_statements_does_not_matter(parts: list[dict[str, Any]], random: Any) -> None:
    shuffled = random.sample(parts, len(parts))
    assert allowed(*parts) is allowed(*shuffled)


@given(POLICIES, STATEMENTS)
def test_another_deny_never_allows_more(parts: list[dict[str, Any]], more: dict[str, Any]) -> None:
    assert not allowed(*parts, {**more, "Effect": "Deny"}) or allowed(*parts)


@given(POLICIES, POLICIES)
def test_a_boundary_is_an_intersection(
    identity: list[dict[str, Any]], boundary: list[dict[str, Any]]
) -> None:
    limits = (("permissions boundary", policy(*boundary)),)
    both = allowed(*identity) and allowed(*boundary)
    assert decide(READ, Policies(policy(*identity), limits)).allowed is both


# --- trust ---------------------------------------------------------------------------------------
ASSUME = Request("sts:AssumeRole", "arn:aws:iam::1:role/r", {"aws:SourceAccount": "1"})
GLUE = ("Service", "glue.amazonaws.com")


def trust(effect: str = "Allow", principal: Any = None, **parts: Any) -> dict[str, Any]:
    named = principal or {"Service": "glue.amazonaws.com"}
    return {"Effect": effect, "Action": "sts:AssumeRole", "Principal": named, **parts}


@pytest.mark.parametrize(
    ("parts", "trusted"),
    [
        ([trust()], True),
        ([trust(principal={"Service": ["x", "glue.amazonaws.com"]})], True),
        ([trust(principal="*")], True),
        ([trust(principal={"AWS": "1"})], False),
        ([trust(), trust("Deny")], False),
        ([trust(Action="sts:TagSession")], False),
        ([trust(Condition={"StringEquals": {"aws:SourceAccount": "1"}})], True),
        ([trust(Condition={"StringEquals": {"aws:SourceAccount": "2"}})], False),
        ([], False),
    ],
)
def test_a_role_trusts_whom_its_policy_names(parts: list[dict[str, Any]], trusted: bool) -> None:
    assert (authorization.trusts(policy(*parts), [GLUE], ASSUME) is not None) is trusted


def test_the_narrowest_trusted_name_is_returned() -> None:
    """Whether a caller needs a grant of its own depends on it."""
    names = [("AWS", "arn:aws:iam::1:role/caller"), ("AWS", "arn:aws:iam::1:root")]
    by_account = policy(trust(principal={"AWS": names[1][1]}))
    by_role = policy(trust(principal={"AWS": names[1][1]}), trust(principal={"AWS": names[0][1]}))
    assert authorization.trusts(by_account, names, ASSUME) == names[1]
    assert authorization.trusts(by_role, names, ASSUME) == names[0]

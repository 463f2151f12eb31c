"""The statements of a policy that nobody needed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynoexport.local.iam import unused_permissions
from dynoexport.local.iam.authorization import Policies, Request, Statement, decide, statements

ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
KEYS = ("arn:aws:s3:::b/a", "arn:aws:s3:::b/b", "arn:aws:s3:::b/*")


def policy(*parts: dict[str, Any]) -> tuple[Statement, ...]:
    return statements("p", json.dumps({"Statement": list(parts)}))


def allow(sid: str, actions: list[str], resources: list[str], **more: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources, **more}


def needless(parts: tuple[Statement, ...], *calls: Request) -> set[tuple[str, str]]:
    return {
        (element.sid, unused_permissions.text(parts, element))
        for element in unused_permissions.needless(parts, calls)
    }


def test_actions_and_resources_without_a_call_are_listed() -> None:
    parts = policy(allow("Read", [*ACTIONS[:2]], [*KEYS[:2]]))
    assert needless(parts, Request(ACTIONS[0], KEYS[0])) == {
        ("Read", ACTIONS[1]),
        ("Read", KEYS[1]),
    }


def test_values_of_a_condition_without_a_call_are_listed() -> None:
    listing = {"StringLike": {"s3:prefix": ["a/*", "b/*"]}}
    parts = policy(allow("List", ["s3:ListBucket"], ["arn:aws:s3:::b"], Condition=listing))
    call = Request("s3:ListBucket", "arn:aws:s3:::b", {"s3:prefix": "b/c"})
    assert needless(parts, call) == {("List", "a/*")}


def test_two_statements_that_allow_the_same_are_both_listed() -> None:
    parts = policy(allow("One", [ACTIONS[0]], [KEYS[0]]), allow("Two", [ACTIONS[0]], [KEYS[2]]))
    assert {sid for sid, _ in needless(parts, Request(ACTIONS[0], KEYS[0]))} == {"One", "Two"}
    other = Request(ACTIONS[0], KEYS[1])
    assert {sid for sid, _ in needless(parts, Request(ACTIONS[0], KEYS[0]), other)} == {"One"}


def test_without_calls_nothing_is_needed() -> None:
    parts = policy(allow("Read", list(ACTIONS), list(KEYS)))
    assert {text for _, text in needless(parts)} == {*ACTIONS, *KEYS}


def test_a_denial_is_no_permission() -> None:
    parts = policy({**allow("No", [ACTIONS[0]], ["*"]), "Effect": "Deny"})
    assert needless(parts) == set()


STATEMENTS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(ACTIONS), min_size=1, unique=True),
        st.lists(st.sampled_from(KEYS), min_size=1, unique=True),
    ),
    min_size=1,
    max_size=4,
)
CALLS = st.lists(
    st.builds(Request, st.sampled_from(ACTIONS), st.sampled_from(KEYS[:2])), max_size=6
)


@given(STATEMENTS, CALLS)
def test_only_a_needless_element_can_be_removed_without_a_denial(
    drawn: list[tuple[list[str], list[str]]], calls: list[Request]
) -> None:
    raw = [allow(f"S{number}", *shape) for number, shape in enumerate(drawn)]
    parts = policy(*raw)
    before = [call for call in calls if decide(call, Policies(parts)).allowed]
    unused = unused_permissions.needless(parts, calls)
    for element in unused_permissions.elements(parts):
        left = [dict(raw_statement) for raw_statement in raw]
        key = element.kind.capitalize()
        statement = left[int(element.sid[1:])]
        statement[key] = [
            value for place, value in enumerate(statement[key]) if place != element.place
        ]
        smaller = policy(*left)
        refused = [call for call in before if not decide(call, Policies(smaller)).allowed]
        assert (not refused) is (element in unused)

"""Decide as IAM does whether policies allow a request. Pure, on plain values.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

It is written here because no library does it: policyuniverse, policy-sentry, py-iam-expand and
parliament describe and check policies, iam-simulate evaluates them in JavaScript, and moto's own
enforcement looks at neither resources nor conditions (moto/iam/access_control.py says so). What
is not understood here is an error, never a permission.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ALLOW, DENY = "Allow", "Deny"
# arn:partition:service:region:account:resource, and the resource may have colons of its own.
_ARN_PARTS = 6


class NotUnderstood(ValueError):
    """A policy with an element that is not evaluated here."""


@dataclass(frozen=True)
class Request:
    """One action on one resource, with its condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Test:
    """One line of a condition: an operator, a key, and its values; one must match."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """One statement of a policy; ``not_actions`` and ``not_resources`` invert the lists."""

    policy: str
    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    tests: tuple[Test, ...] = ()
    principals: tuple[tuple[str, str], ...] = ()
    not_actions: bool = False
    not_resources: bool = False

    def covers(self, request: Request) -> bool:
        """Whether the statement applies to the request."""
        return (
            any(matches_action(pattern, request.action) for pattern in self.actions)
            is not self.not_actions
            and any(matches_arn(pattern, request.resource) for pattern in self.resources)
            is not self.not_resources
            and all(holds(test, request.context) for test in self.tests)
        )


@dataclass(frozen=True)
class Decision:
    """The decision, the statement behind it if there is one, and AWS's reason for a denial."""

    allowed: bool
    statement: Statement | None = None
    reason: str = ""


# --- reading policies ----------------------------------------------------------------------------
@lru_cache(maxsize=1024)
def statements(policy: str, text: str) -> tuple[Statement, ...]:
    """The statements of a policy's JSON text; ``policy`` is its name in messages.

    Raises:
        NotUnderstood: it has an element or a condition that is not decided here.
    """
    return tuple(
        _statement(policy, statement) for statement in _list(json.loads(text)["Statement"])
    )


def _statement(policy: str, raw: Mapping[str, Any]) -> Statement:
    if "NotPrincipal" in raw:
        raise NotUnderstood(f"{policy} has a NotPrincipal")
    resources = _texts(raw.get("Resource", raw.get("NotResource", "*")))
    if any("${" in resource for resource in resources):
        raise NotUnderstood(f"{policy} has a policy variable")
    return Statement(
        policy=policy,
        sid=raw.get("Sid", ""),
        effect=raw["Effect"],
        actions=_texts(raw.get("Action", raw.get("NotAction", ()))),
        resources=resources,
        tests=tuple(_tests(policy, raw.get("Condition", {}))),
        principals=tuple(_principals(raw.get("Principal", {}))),
        not_actions="NotAction" in raw,
        not_resources="NotResource" in raw,
    )


def _tests(policy: str, condition: Mapping[str, Mapping[str, Any]]) -> Iterable[Test]:
    for operator, keys in condition.items():
        if _bare(operator) not in _OPERATORS:
            raise NotUnderstood(f"{policy} has a condition with {operator}")
        for key, values in keys.items():
            yield Test(operator, key.lower(), _texts(values))


def _principals(raw: Any) -> Iterable[tuple[str, str]]:
    named = {"AWS": raw} if isinstance(raw, str) else raw
    for kind, names in named.items():
        yield from ((kind, name) for name in _texts(names))


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(
        str(element).lower() if isinstance(element, bool) else str(element)
        for element in _list(value)
    )


# --- matching ------------------------------------------------------------------------------------
@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """``*`` for any characters, ``?`` for one."""
    parts = (
        ".*" if character == "*" else "." if character == "?" else re.escape(character)
        for character in text
    )
    return re.compile("".join(parts), re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None


def matches_action(pattern: str, action: str) -> bool:
    """Actions are compared without case."""
    return matches(pattern.lower(), action.lower())


def matches_arn(pattern: str, resource: str) -> bool:
    """Compare part by part, so that no wildcard matches the ARN's own colons; with case.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    if pattern == "*":
        return True
    wanted, given = (arn.split(":", _ARN_PARTS - 1) for arn in (pattern, resource))
    return len(wanted) == len(given) and all(map(matches, wanted, given))


def _same_bool(pattern: str, value: str) -> bool:
    return pattern.lower() == value.lower()


def _same_text(pattern: str, value: str) -> bool:
    return pattern == value


def _same_number(pattern: str, value: str) -> bool:
    return float(pattern) == float(value)


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _same_text,
    "StringEqualsIgnoreCase": _same_bool,
    "StringLike": matches,
    "ArnEquals": matches_arn,
    "ArnLike": matches_arn,
    "Bool": _same_bool,
    "NumericEquals": _same_number,
    "NumericLessThan": lambda pattern, value: float(value) < float(pattern),
    "NumericLessThanEquals": lambda pattern, value: float(value) <= float(pattern),
    "NumericGreaterThan": lambda pattern, value: float(value) > float(pattern),
    "NumericGreaterThanEquals": lambda pattern, value: float(value) >= float(pattern),
}
_NEGATIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}
_OPERATORS = {*_POSITIVE, *_NEGATIVE, "Null"}


# Requests here have one value for each key, so these two differ only where the key is missing.
_FOR_ALL, _FOR_ANY = "ForAllValues:", "ForAnyValue:"


def _bare(operator: str) -> str:
    return operator.removeprefix(_FOR_ALL).removeprefix(_FOR_ANY).removesuffix("IfExists")


def holds(test: Test, context: Mapping[str, str]) -> bool:
    """Whether a line of a condition is true; keys are compared without case.

    If the request lacks the key, only negated operators, ``...IfExists`` and ``ForAllValues:``
    are true.
    """
    value = next((value for key, value in context.items() if key.lower() == test.key), None)
    operator = _bare(test.operator)
    if operator == "Null":
        return (value is None) is (test.values == ("true",))
    if value is None:
        optional = test.operator.endswith("IfExists") or test.operator.startswith(_FOR_ALL)
        return operator in _NEGATIVE or optional
    compare = _POSITIVE[_NEGATIVE.get(operator, operator)]
    return any(compare(wanted, value) for wanted in test.values) is (operator not in _NEGATIVE)


# --- deciding ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Policies:
    """The policies of one caller: what is granted, and the limits of what is granted.

    ``limits`` has the statements of a permissions boundary and of a session policy, by their
    names in a refusal.
    """

    identity: tuple[Statement, ...]
    limits: tuple[tuple[str, tuple[Statement, ...]], ...] = ()


def decide(request: Request, policies: Policies) -> Decision:
    """Deny if a statement denies; allow if a grant and every limit allow.

    The words are those of
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    kinds = (("identity-based policy", policies.identity), *policies.limits)
    for kind, statements in kinds:
        for statement in statements:
            if statement.effect == DENY and statement.covers(request):
                return Decision(False, statement, f"with an explicit deny in {_article(kind)}")
    allowing = None
    for kind, statements in kinds:
        covering = next(
            (
                statement
                for statement in statements
                if statement.effect == ALLOW and statement.covers(request)
            ),
            None,
        )
        if covering is None:
            return Decision(False, None, f"because no {kind} allows the {request.action} action")
        allowing = allowing or covering
    return Decision(True, allowing)


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def trusts(
    trust: Iterable[Statement], principals: Iterable[tuple[str, str]], request: Request
) -> tuple[str, str] | None:
    """The principal that may assume the role according to its trust policy, or None.

    ``principals`` are the caller's names from the narrowest on: its role before its account.
    """
    known = list(trust)

    def named(statement: Statement, principal: tuple[str, str]) -> bool:
        return principal in statement.principals or ("AWS", "*") in statement.principals

    candidates = list(principals)
    for statement in known:
        about = statement.covers(request) and any(named(statement, name) for name in candidates)
        if statement.effect == DENY and about:
            return None
    for principal in candidates:
        for statement in known:
            if (
                statement.effect == ALLOW
                and named(statement, principal)
                and statement.covers(request)
            ):
                return principal
    return None

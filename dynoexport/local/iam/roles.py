"""AWS::IAM::Role of a stack: updates, which moto does not complete.

moto keeps the policies of a stack as Python values, which IAM's API cannot return. Its update of a
stack changes neither policies, trust policy nor boundary.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.models import Role, iam_backends
from moto.utilities.utils import get_partition

Json = dict[str, Any]


def text(document: Any) -> str:
    """A policy as IAM keeps it."""
    return document if isinstance(document, str) else json.dumps(document, default=str)


def _put_policy(role: Role, policy_name: str, policy_json: Any) -> None:
    role.policies[policy_name] = text(policy_json)


def _update(
    original_resource: Role,
    cloudformation_json: Json,
    account_id: str,
    region_name: str,
    **_: Any,
) -> Role:
    """Update in place; policies that other resources of the stack added stay."""
    backend = iam_backends[account_id][get_partition(region_name)]
    properties, role = cloudformation_json["Properties"], original_resource
    wanted = {
        policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", ())
    }
    added = {
        policy.policy_name
        for policy in backend.inline_policies.values()
        if role.name in (policy.role_names or ())
    }
    for name in set(role.policies) - set(wanted) - added:
        role.delete_policy(name)
    for name, document in wanted.items():
        role.put_policy(name, document)
    role.assume_role_policy_document = text(properties["AssumeRolePolicyDocument"])
    role.permissions_boundary_arn = properties.get("PermissionsBoundary")
    role.description = properties.get("Description", "")
    return role


def install() -> None:
    """Make moto use the code above. Call it before the first request."""
    replaced: Any = Role
    replaced.put_policy = _put_policy
    replaced.update_from_cloudformation_json = staticmethod(_update)

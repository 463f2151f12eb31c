"""AWS::IAM::Role of a stack: what moto does not complete; and the policies of AWS.

moto keeps the policies of a stack as Python values, which IAM's API cannot return, and attaches no
managed policies. Its update of a stack changes neither policies, trust policy nor boundary.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import IAMException
from moto.iam.models import (
    AWSManagedPolicy,
    IAMBackend,
    ManagedPolicy,
    Role,
    iam_backends,
)
from moto.utilities.utils import get_partition

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]
# The endpoint's account is in this one.
_PARTITION = "aws"


def text(document: Any) -> str:
    """A policy as IAM keeps it."""
    return document if isinstance(document, str) else json.dumps(document, default=str)


def _put_policy(role: Role, policy_name: str, policy_json: Any) -> None:
    role.policies[policy_name] = text(policy_json)


_create, _delete = Role.create_from_cloudformation_json, Role.delete_from_cloudformation_json


def _created(_: type, name: str, resource: Json, *place: Any, **named: Any) -> Role:
    role = _create(name, resource, *place, **named)
    try:
        _attach(role, resource["Properties"])
    except IAMException:
        # The stack does not know it, so its rollback would leave it.
        iam_backends[role.account_id][role.partition].delete_role(role.name)
        raise
    return role


def _attach(role: Role, properties: Json, former: Sequence[str] = ()) -> None:
    """Attach the managed policies of the stack, and detach those that it had before."""
    backend = iam_backends[role.account_id][role.partition]
    wanted = properties.get("ManagedPolicyArns", [])
    role.stack_policies = wanted  # type: ignore[attr-defined]
    for arn in wanted:
        backend.attach_role_policy(arn, role.name)
    for arn in ({*former} - {*wanted}) & {*role.managed_policies}:
        backend.detach_role_policy(arn, role.name)


def _deleted(_: type, name: str, resource: Json, account: str, region: str) -> None:
    """Detach the stack's managed policies and delete the role; others keep it from being deleted.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
    """
    role = iam_backends[account][get_partition(region)].get_role(name)
    _attach(role, {}, vars(role).get("stack_policies", ()))
    _delete(name, resource, account, region)


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
    _attach(role, properties, vars(role).get("stack_policies", ()))
    role.assume_role_policy_document = text(properties["AssumeRolePolicyDocument"])
    role.permissions_boundary_arn = properties.get("PermissionsBoundary")
    role.description = properties.get("Description", "")
    return role


class _AwsPolicy(AWSManagedPolicy):
    """A policy of AWS. There are 1,582, and few are read: most know only their ARN."""

    def __init__(self, name: str, account: str, data: Json) -> None:
        self.name, self.path, self.partition = name, data["Path"], _PARTITION
        self._rest = account, data

    def __getattr__(self, attribute: str) -> Any:
        with _completing:
            rest = vars(self).pop("_rest", None)
            if rest is not None:
                account, data = rest
                complete = AWSManagedPolicy.from_data(self.name, account, _PARTITION, data)
                vars(self).update(vars(complete))
        try:
            return vars(self)[attribute]
        except KeyError:
            raise AttributeError(attribute) from None


_completing = threading.Lock()


def _aws_policies(self: IAMBackend) -> list[ManagedPolicy]:
    """AWS's policies, for one of moto's six partitions: each takes a twentieth of a second."""
    if self.region_name != _PARTITION:
        return []
    policies: dict[str, Json] = json.loads(aws_managed_policies_data)
    policy: Any = _AwsPolicy
    return [policy(name, self.account_id, data) for name, data in policies.items()]


def install() -> None:
    """Make moto use the code above, and know AWS's policies. Call it before the first request."""
    IAMBackend._init_aws_policies = _aws_policies  # type: ignore[method-assign]
    replaced: Any = Role
    replaced.put_policy = _put_policy
    replaced.create_from_cloudformation_json = classmethod(_created)
    replaced.delete_from_cloudformation_json = classmethod(_deleted)
    replaced.update_from_cloudformation_json = staticmethod(_update)

"""Callers, and their policies in the endpoint's own IAM.

Sessions of roles and users with access keys are limited. The endpoint's own credentials are the
account's root, who may do everything; there are no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from dynoexport.errors import DynoexportError
from dynoexport.local import context
from dynoexport.local.iam import authorization, roles
from dynoexport.local.iam.authentication import Secret
from dynoexport.local.iam.authorization import Policies, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dynoexport.local.context import Endpoint

_PARTITION = "aws"
_BOUNDARY, _SESSION = "permissions boundary", "session policy"


class RoleRefused(DynoexportError):
    """A role whose trust policy refuses the caller."""


@dataclass(frozen=True)
class Caller:
    """A limited caller; ``holder`` is the role or user that has the policies."""

    arn: str
    account: str
    holder: str
    credentials: Mapping[str, str]
    session_policy: str = ""

    @property
    def is_role(self) -> bool:
        return ":role/" in self.holder

    @property
    def principals(self) -> list[tuple[str, str]]:
        """The names that a trust policy may have for the caller, narrowest first."""
        root = f"arn:{_PARTITION}:iam::{self.account}:root"
        return [("AWS", name) for name in (self.arn, self.holder, self.account, root)]


def caller(access_key: str) -> Caller | None:
    """The limited caller with this access key; None for root, and if there is no such key."""
    for account, sessions in list(sts_backends.items()):
        session = sessions[_PARTITION].get_assumed_role_from_access_key(access_key)
        if session is not None:
            keys = (session.access_key_id, session.secret_access_key, session.session_token)
            holder = session.role_arn
            return Caller(session.arn, account, holder, _environment(*keys), session.policy or "")
    for account, backends in list(iam_backends.items()):
        for user in list(backends[_PARTITION].users.values()):
            for key in user.access_keys:
                if key.access_key_id == access_key and key.status == "Active":
                    environment = _environment(access_key, key.secret_access_key)
                    return Caller(user.arn, account, user.arn, environment)
    return None


def secret(access_key: str) -> Secret | None:
    """The secret of this access key; None if there is no such key."""
    if access_key == context.ROOT_ACCESS_KEY:
        return Secret(context.endpoint().secret)
    owner = caller(access_key)
    if owner is None:
        return None
    keys = owner.credentials
    return Secret(keys["AWS_SECRET_ACCESS_KEY"], keys.get("AWS_SESSION_TOKEN", ""))


def holder(arn: str) -> Caller | None:
    """The role or user with this ARN, as the holder of policies, or None."""
    candidate = Caller(arn, arn.split(":")[4], arn, {})
    backend = iam_backends[candidate.account][_PARTITION]
    try:
        _role(arn) if candidate.is_role else _user(backend, arn)
    except NotFoundException:
        return None
    return candidate


def _environment(access_key: str, secret_key: str, token: str = "") -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    return {**keys, "AWS_SESSION_TOKEN": token} if token else keys


def policies(caller: Caller) -> Policies:
    """The caller's current policies; they may have changed since the call before."""
    backend = iam_backends[caller.account][_PARTITION]
    try:
        holder = _role(caller.holder) if caller.is_role else _user(backend, caller.holder)
    except NotFoundException:
        # A session outlives its role, without any permission.
        return Policies(())
    groups = [] if caller.is_role else backend.get_groups_for_user(holder.name)
    granted = tuple(statement for owner in (holder, *groups) for statement in _granted(owner))
    limits = []
    bounded_by = getattr(holder, "permissions_boundary_arn", None)
    if bounded_by:
        limits.append((_BOUNDARY, _managed(backend.get_policy(bounded_by))))
    if caller.session_policy:
        statements = authorization.statements(_SESSION, caller.session_policy)
        limits.append((_SESSION, statements))
    return Policies(granted, tuple(limits))


def boundary(role: str) -> str:
    """The ARN of a role's permissions boundary, by the role's name; empty if it has none."""
    known = iam_backends[context.ACCOUNT][_PARTITION].roles.values()
    match = next((candidate for candidate in known if candidate.name == role), None)
    return (match.permissions_boundary_arn or "") if match else ""


def _granted(owner: Any) -> Iterator[authorization.Statement]:
    inline: Any = owner.policies
    documents = inline.items() if isinstance(inline, dict) else inline
    for name, text in list(documents):
        yield from authorization.statements(name, text)
    for policy in list(owner.managed_policies.values()):
        yield from _managed(policy)


def _managed(policy: Any) -> tuple[authorization.Statement, ...]:
    default = next(version for version in policy.versions if version.is_default)
    return authorization.statements(policy.name, default.document)


def _role(arn: str) -> Any:
    return iam_backends[arn.split(":")[4]][_PARTITION].get_role_by_arn(arn)


def _user(backend: Any, arn: str) -> Any:
    return backend.get_user(arn.rpartition("/")[2])


# --- assuming roles ------------------------------------------------------------------------------
def has_role(arn: str) -> bool:
    """Whether there is a role of that ARN."""
    try:
        _role(arn)
    except (IndexError, NotFoundException):
        return False
    return True


def trusted(role_arn: str, request: Request, principals: list[tuple[str, str]]) -> Any:
    """The principal that the role's trust policy names, or None."""
    try:
        trust = _role(role_arn).assume_role_policy_document
    except NotFoundException:
        return None
    return authorization.trusts(_trust(trust), principals, request)


def _trust(document: Any) -> tuple[authorization.Statement, ...]:
    return authorization.statements("trust policy", roles.text(document))


def assume_for_service(
    endpoint: Endpoint, role_arn: str, session: str, *, service: str, source: str
) -> dict[str, str]:
    """The credentials with which a service acts for ``source``, the resource that has the role.

    Raises:
        RoleRefused: the role does not exist, or does not trust the service or this account.
    """
    known = {"aws:SourceAccount": endpoint.account, "aws:SourceArn": source}
    request = Request("sts:AssumeRole", role_arn, known)
    iam = endpoint.client("iam")
    refused = RoleRefused(
        f"Service is unable to assume provided role {role_arn}. Please verify role's TrustPolicy",
        hint=f"it must let {service} assume it, for account {endpoint.account}",
    )
    try:
        role = iam.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
    except iam.exceptions.NoSuchEntityException as error:
        raise refused from error
    trust = _trust(role["AssumeRolePolicyDocument"])
    if authorization.trusts(trust, [("Service", service)], request) is None:
        raise refused
    return endpoint.assume(role_arn, session)

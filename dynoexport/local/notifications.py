"""SNS on the endpoint, for services: moto delivers what is published, AWS first asks two policies.

A service publishes as itself. The topic's policy must let it, and if the topic is encrypted, so
must the key's; otherwise the message is lost and nobody is told:
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
"""

from __future__ import annotations

import json
import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from moto.kms.models import kms_backends
from moto.sns.models import sns_backends
from moto.utilities.arns import parse_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

_log = logging.getLogger(__name__)


def allows(
    policy: Json, *, service: str, action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """Whether the resource's policy lets the service do it; ``context`` is what AWS tells of it.

    Of the ways to write a condition these are known: StringEquals, StringLike, ArnEquals and
    ArnLike. Another one never holds.
    """
    told = {key.lower(): value for key, value in context.items()}
    effects = {
        statement["Effect"]
        for statement in _list(policy["Statement"])
        if _names(statement.get("Principal"), service)
        and _any_like(statement.get("Action"), action)
        and _any_like(statement.get("Resource"), resource)
        and all(
            _holds(operator, key, values, told)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    }
    return effects == {"Allow"}


def _names(principal: Any, service: str) -> bool:
    if isinstance(principal, dict):
        return service in _list(principal.get("Service")) or "*" in _list(principal.get("AWS"))
    return bool(principal == "*")


def _any_like(patterns: Any, value: str) -> bool:
    # Actions are compared without case, and there are no two ARNs that differ in case alone.
    return any(fnmatchcase(value.lower(), pattern.lower()) for pattern in _list(patterns))


def _holds(operator: str, key: str, values: Any, told: Mapping[str, str]) -> bool:
    value = told.get(key.lower())
    if value is None:
        return False
    if operator == "StringEquals":
        return value in _list(values)
    if operator in {"StringLike", "ArnLike", "ArnEquals"}:
        return any(fnmatchcase(value, pattern) for pattern in _list(values))
    return False


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def publish(
    topic_arn: str,
    message: str,
    *,
    service: str,
    context: Mapping[str, str] | None = None,
    subject: str | None = None,
) -> bool:
    """Publish as the service does; False if there is no such topic or a policy says no."""
    arn = parse_arn(topic_arn)
    topic = sns_backends[arn.account][arn.region].topics.get(topic_arn)
    if topic is None:
        return False
    asked: Json = {"service": service, "context": context or {}}
    if not allows(json.loads(topic.policy), action="sns:Publish", resource=topic_arn, **asked):
        _log.warning("the policy of %s does not let %s publish", topic_arn, service)
        return False
    if topic.kms_master_key_id and not _may_use(topic.kms_master_key_id, arn.region, **asked):
        _log.warning("the policy of %s does not let %s use it", topic.kms_master_key_id, service)
        return False
    try:
        topic.publish(message, subject=subject)
    except Exception:  # noqa: BLE001 - a subscriber that is gone is nothing to the service
        _log.warning("%s could not tell a subscriber", topic_arn, exc_info=True)
    return True


def _may_use(key_arn: str, region: str, **asked: Any) -> bool:
    """The key that AWS manages for SNS lets nobody else in; it has no ARN here."""
    if not key_arn.startswith("arn:"):
        return False
    arn = parse_arn(key_arn)
    key = kms_backends[arn.account][region].keys.get(arn.resource_id)
    return key is not None and all(
        allows(json.loads(key.policy), action=action, resource=key_arn, **asked)
        for action in ("kms:GenerateDataKey", "kms:Decrypt")
    )

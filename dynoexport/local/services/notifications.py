"""SNS for the endpoint's services: check two policies, as AWS does, before moto delivers.

A service publishes as itself. The topic's policy must let it, and if the topic is encrypted, so
must the key's; otherwise the message is lost without an error:
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from moto.kms.models import kms_backends
from moto.sns.models import sns_backends
from moto.utilities.arns import parse_arn

from dynoexport.local.iam import authorization
from dynoexport.local.iam.authorization import NotUnderstood, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)


def allows(policy: str, *, service: str, request: Request) -> bool:
    """Whether the policy of the resource allows the service.

    A policy that cannot be evaluated here allows nothing.
    """
    try:
        statements = authorization.statements("resource policy", policy)
    except NotUnderstood:
        return False
    return authorization.trusts(statements, [("Service", service)], request) is not None


def publish(
    topic_arn: str,
    message: str,
    *,
    service: str,
    context: Mapping[str, str] | None = None,
    subject: str | None = None,
) -> bool:
    """Publish as the service; False if the topic is missing or a policy denies."""
    arn = parse_arn(topic_arn)
    topic = sns_backends[arn.account][arn.region].topics.get(topic_arn)
    if topic is None:
        return False
    request = Request("sns:Publish", topic_arn, context or {})
    if not allows(topic.policy, service=service, request=request):
        _log.warning("the policy of %s does not let %s publish", topic_arn, service)
        return False
    if topic.kms_master_key_id and not _may_use(
        topic.kms_master_key_id, arn.region, service, request.context
    ):
        _log.warning("the policy of %s does not let %s use it", topic.kms_master_key_id, service)
        return False
    try:
        topic.publish(message, subject=subject)
    except Exception:  # noqa: BLE001 - a subscriber that is gone is nothing to the service
        _log.warning("a subscriber of %s could not be notified", topic_arn, exc_info=True)
    return True


def _may_use(key_arn: str, region: str, service: str, context: Mapping[str, str]) -> bool:
    """Whether the service may use the key; nobody may use AWS's own key, which has no ARN here."""
    if not key_arn.startswith("arn:"):
        return False
    arn = parse_arn(key_arn)
    key = kms_backends[arn.account][region].keys.get(arn.resource_id)
    return key is not None and all(
        allows(key.policy, service=service, request=Request(action, key_arn, context))
        for action in ("kms:GenerateDataKey", "kms:Decrypt")
    )

"""The KMS key of the account's Data Catalog, which roles need to use an encrypted catalog.

https://docs.aws.amazon.com/glue/latest/dg/encrypt-glue-data-catalog.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynoexport.aws.account import Account
    from dynoexport.operations.targets import Target

# In the other mode, Glue uses the key with a role of its own, so that callers need no permission:
# https://docs.aws.amazon.com/glue/latest/webapi/API_EncryptionAtRest.html
_CALLERS_USE_IT = "SSE-KMS"
# Its policy lets everybody use it who may use Glue:
# https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk
_MANAGED = "alias/aws/glue"


def find_key(at_rest: Mapping[str, Any]) -> str:
    """The key that callers of the catalog need, by its ARN, ID or alias; empty if they need none.

    >>> find_key({"CatalogEncryptionMode": "SSE-KMS", "SseAwsKmsKeyId": "alias/mine"})
    'alias/mine'
    >>> find_key({"CatalogEncryptionMode": "SSE-KMS-WITH-SERVICE-ROLE", "SseAwsKmsKeyId": "k"})
    ''
    """
    key = str(at_rest.get("SseAwsKmsKeyId") or "")
    if at_rest.get("CatalogEncryptionMode") != _CALLERS_USE_IT or key.endswith(_MANAGED):
        return ""
    return key


def look_up(account: Account) -> str:
    """The key that callers of the account's catalog need: an ARN, or an alias; empty for none."""
    answer = account.glue.get_data_catalog_encryption_settings()
    key = find_key(answer["DataCatalogEncryptionSettings"].get("EncryptionAtRest", {}))
    if not key or ":" in key or key.startswith("alias/"):
        return key
    return f"arn:{account.partition}:kms:{account.region}:{account.account_id}:key/{key}"


def with_catalog_key(target: Target, key: str, given: Mapping[str, str]) -> Target:
    """The target with the key of the catalog, unless one is given.

    Without a key it keeps its own: what a former key encrypted stays encrypted with it.
    """
    if not key or settings.CATALOG_KEY_ARN in given:
        return target
    return target.with_parameters({settings.CATALOG_KEY_ARN: key})


def is_alias(key: str) -> bool:
    """Whether it is an alias, which no policy can name as the resource of a key."""
    return "alias/" in key

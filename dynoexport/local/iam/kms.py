"""KMS permissions: S3, DynamoDB and the Data Catalog use keys with the caller's permissions.

The key's own policy is not evaluated. It is assumed to leave the decision to IAM, as the policy in
docs/security.md does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import dynamodb_backends
from moto.glue.models import glue_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from dynoexport.local import context
from dynoexport.local.iam import api_actions
from dynoexport.local.iam.authorization import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dynoexport.local.iam.api_actions import Place

# IAM does not decide about AWS's own key of a service:
# https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-cmk
_MANAGED = "alias/aws/"
_GENERATE, _DECRYPT = "kms:GenerateDataKey", "kms:Decrypt"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
# A multipart upload needs both, because S3 reads the parts before it joins them:
# https://repost.aws/knowledge-center/s3-large-file-encryption-kms-key
_WRITES = {
    "s3:PutObject": (_GENERATE,),
    "s3:CopyObject": (_GENERATE,),
    "s3:CreateMultipartUpload": (_GENERATE, _DECRYPT),
}
_READS = {"s3:GetObject", "dynamodb:Scan", "dynamodb:Query", "dynamodb:GetItem"}
# Whoever uses an encrypted catalog also needs kms:Encrypt by AWS's page, which does not say for
# what: https://docs.aws.amazon.com/glue/latest/dg/encrypt-glue-data-catalog.html
_READS_CATALOG = {
    "glue:GetDatabase",
    "glue:GetTable",
    "glue:GetTables",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:BatchGetPartition",
}
_WRITES_CATALOG = {
    "glue:CreateTable",
    "glue:UpdateTable",
    "glue:CreatePartition",
    "glue:BatchCreatePartition",
    "glue:UpdatePartition",
    "glue:BatchUpdatePartition",
}


def needs(operation: str, parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    """The KMS permissions that a call also needs."""
    service = operation.partition(":")[0]
    for action in _WRITES.get(operation, ()):
        yield from _uses(action, _key_for_writing(parameters, place), place, service)
    if operation in _READS:
        key_of = _key_of_object if service == "s3" else _key_of_table
        yield from _uses(_DECRYPT, key_of(parameters, place), place, service)
    if operation in _READS_CATALOG:
        yield from _uses(_DECRYPT, _key_of_catalog(place), place, service)
    if operation in _WRITES_CATALOG:
        yield from _uses(_GENERATE, _key_of_catalog(place), place, service)
    if operation == "s3:CopyObject":
        bucket, _, name = api_actions.copied(parameters).partition("/")
        key = _key_of_object({"Bucket": bucket, "Key": name}, place)
        yield from _uses(_DECRYPT, key, place, service)


def _uses(action: str, key: str, place: Place, service: str) -> Iterator[Request]:
    if key:
        yield use(action, key, place, service)


def use(action: str, key: str, place: Place, service: str) -> Request:
    """The permission to use a key through a service."""
    via = {"kms:ViaService": f"{service}.{place.region}.amazonaws.com"}
    return Request(action, place.arn("kms", key), via)


def _key_for_writing(parameters: Mapping[str, Any], place: Place) -> str:
    """The requested key, or the key of the bucket's default encryption."""
    if parameters.get("ServerSideEncryption"):
        return str(parameters.get("SSEKMSKeyId") or "")
    bucket = _bucket(parameters, place)
    rule = ((bucket and bucket.encryption) or {}).get("Rule", {})
    return str(rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") or "")


def _key_of_object(parameters: Mapping[str, Any], place: Place) -> str:
    bucket = _bucket(parameters, place)
    stored: Any = bucket.keys.get(parameters["Key"]) if bucket else None
    encrypted = stored is not None and stored.encryption == "aws:kms"
    return str(stored.kms_key_id or "") if encrypted else ""


def _bucket(parameters: Mapping[str, Any], place: Place) -> Any:
    return s3_backends[context.ACCOUNT][place.partition].buckets.get(parameters["Bucket"])


def _key_of_table(parameters: Mapping[str, Any], place: Place) -> str:
    tables = dynamodb_backends[place.account][place.region].tables
    name = str(parameters["TableName"]).rpartition("/")[2]
    encryption = getattr(tables.get(name), "sse_specification", None) or {}
    key = str(encryption.get("KMSMasterKeyId") or "") if encryption.get("Enabled") else ""
    return "" if _is_managed(key, place) else key


def _key_of_catalog(place: Place) -> str:
    """The key with which callers use the catalog; Glue's service role uses it in their place.

    https://docs.aws.amazon.com/glue/latest/webapi/API_EncryptionAtRest.html
    """
    backend = glue_backends[place.account][place.region]
    settings = backend.get_data_catalog_encryption_settings(None)["DataCatalogEncryptionSettings"]
    at_rest = settings["EncryptionAtRest"]
    key = str(at_rest.get("SseAwsKmsKeyId") or "")
    by_caller = at_rest.get("CatalogEncryptionMode") == "SSE-KMS"
    return key if by_caller and not _is_managed(key, place) else ""


def _is_managed(key: str, place: Place) -> bool:
    known = kms_backends[place.account][place.region].keys.get(key.rpartition("/")[2])
    return known is not None and any(alias.startswith(_MANAGED) for alias in known.aliases)

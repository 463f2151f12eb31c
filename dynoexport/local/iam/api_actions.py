"""The permissions that an AWS API call needs: actions, and the ARNs of their resources.

From the service authorization reference, which a test compares this with:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from dynoexport.local.iam.authorization import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Signing names and moto's names of services whose actions have another prefix.
PREFIXES = {"resourcegroupstaggingapi": "tag"}
_GLOBAL = {"iam", "sts"}

_CATALOG = ("catalog", "database/{DatabaseName}")
_TABLE = (*_CATALOG, "table/{DatabaseName}/{TableName}")
_KEY = ("{Bucket}/{Key}",)
_STACK = ("stack/{StackName}/*",)
_GROUP = ("workgroup/{WorkGroup|primary}",)
_LOG_GROUP = ("log-group:{logGroupName}",)
_LOG_STREAM = ("log-group:{logGroupName}:log-stream:{logStreamName}",)
_ROLE = ("role/{RoleName}",)
_ANY = ("*",)
_DATA_CATALOG = ("datacatalog/{CatalogName}",)

# Resources by operation; ``{A.B}`` is a parameter of the call, ``{A|b}`` is b if A is missing.
# A table also needs permission for the database and the catalog that contain it:
# https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
OPERATIONS: dict[str, tuple[str, ...]] = {
    # --- the catalog
    "glue:GetDatabase": ("catalog", "database/{Name}"),
    "glue:GetTable": (*_CATALOG, "table/{DatabaseName}/{Name}"),
    "glue:GetTables": (*_CATALOG, "table/{DatabaseName}/*"),
    "glue:CreateTable": (*_CATALOG, "table/{DatabaseName}/{TableInput.Name}"),
    "glue:UpdateTable": (*_CATALOG, "table/{DatabaseName}/{TableInput.Name}"),
    "glue:DeleteTable": (*_CATALOG, "table/{DatabaseName}/{Name}"),
    "glue:GetDataCatalogEncryptionSettings": ("catalog",),
    "glue:GetPartition": _TABLE,
    "glue:GetPartitions": _TABLE,
    "glue:BatchGetPartition": _TABLE,
    "glue:CreatePartition": _TABLE,
    "glue:BatchCreatePartition": _TABLE,
    "glue:UpdatePartition": _TABLE,
    "glue:BatchUpdatePartition": _TABLE,
    "glue:DeletePartition": _TABLE,
    "glue:BatchDeletePartition": _TABLE,
    # --- jobs, crawlers, workflows
    "glue:CreateJob": ("job/{Name}",),
    "glue:UpdateJob": ("job/{JobName}",),
    "glue:GetJob": ("job/{JobName}",),
    "glue:GetJobRun": ("job/{JobName}",),
    "glue:GetJobRuns": ("job/{JobName}",),
    "glue:StartJobRun": ("job/{JobName}",),
    "glue:BatchStopJobRun": ("job/{JobName}",),
    "glue:ListJobs": _ANY,
    "glue:CreateCrawler": _ANY,
    "glue:UpdateCrawler": ("crawler/{Name}",),
    "glue:GetCrawler": ("crawler/{Name}",),
    "glue:StartCrawler": ("crawler/{Name}",),
    "glue:StopCrawler": ("crawler/{Name}",),
    "glue:ListCrawlers": _ANY,
    "glue:GetClassifier": _ANY,
    "glue:GetTrigger": ("trigger/{Name}",),
    "glue:StartTrigger": ("trigger/{Name}",),
    "glue:StopTrigger": ("trigger/{Name}",),
    "glue:ListTriggers": _ANY,
    "glue:GetWorkflow": ("workflow/{Name}",),
    "glue:BatchGetWorkflows": ("workflow/{Names}",),
    "glue:GetWorkflowRun": ("workflow/{Name}",),
    "glue:GetWorkflowRuns": ("workflow/{Name}",),
    "glue:GetWorkflowRunProperties": ("workflow/{Name}",),
    "glue:PutWorkflowRunProperties": ("workflow/{Name}",),
    "glue:StartWorkflowRun": ("workflow/{Name}",),
    "glue:StopWorkflowRun": ("workflow/{Name}",),
    "glue:ListWorkflows": _ANY,
    "glue:GetTags": ("{ResourceArn}",),
    "glue:GetSecurityConfiguration": _ANY,
    # --- S3, where an operation and its action have different names
    "s3:ListBuckets": _ANY,
    "s3:HeadBucket": ("{Bucket}",),
    "s3:GetBucketLocation": ("{Bucket}",),
    "s3:GetBucketPolicy": ("{Bucket}",),
    "s3:GetBucketLifecycleConfiguration": ("{Bucket}",),
    "s3:GetBucketEncryption": ("{Bucket}",),
    "s3:GetPublicAccessBlock": ("{Bucket}",),
    "s3:GetBucketOwnershipControls": ("{Bucket}",),
    "s3:ListObjects": ("{Bucket}",),
    "s3:ListObjectsV2": ("{Bucket}",),
    "s3:ListMultipartUploads": ("{Bucket}",),
    "s3:HeadObject": _KEY,
    "s3:GetObject": _KEY,
    "s3:PutObject": _KEY,
    "s3:PutObjectAcl": _KEY,
    "s3:CopyObject": _KEY,
    "s3:CreateMultipartUpload": _KEY,
    "s3:UploadPart": _KEY,
    "s3:UploadPartCopy": _KEY,
    "s3:CompleteMultipartUpload": _KEY,
    "s3:AbortMultipartUpload": _KEY,
    "s3:ListParts": _KEY,
    "s3:DeleteObject": _KEY,
    "s3:DeleteObjects": ("{Bucket}/{Delete.Objects.Key}",),
    # --- DynamoDB
    "dynamodb:DescribeTable": ("table/{TableName}",),
    "dynamodb:DescribeContinuousBackups": ("table/{TableName}",),
    "dynamodb:Scan": ("table/{TableName}",),
    "dynamodb:Query": ("table/{TableName}",),
    "dynamodb:GetItem": ("table/{TableName}",),
    "dynamodb:PutItem": ("table/{TableName}",),
    "dynamodb:ExportTableToPointInTime": ("{TableArn}",),
    "dynamodb:DescribeExport": ("{ExportArn}",),
    "dynamodb:DescribeLimits": _ANY,
    "dynamodb:ListTables": _ANY,
    # --- Athena; a query's ID says nothing of its workgroup, so the caller adds that
    "athena:StartQueryExecution": _GROUP,
    "athena:GetQueryExecution": _GROUP,
    "athena:GetQueryResults": _GROUP,
    "athena:StopQueryExecution": _GROUP,
    "athena:GetWorkGroup": _GROUP,
    "athena:ListWorkGroups": _ANY,
    "athena:ListDataCatalogs": _ANY,
    "athena:GetDataCatalog": ("datacatalog/{Name}",),
    "athena:ListDatabases": _DATA_CATALOG,
    "athena:GetDatabase": _DATA_CATALOG,
    "athena:ListTableMetadata": _DATA_CATALOG,
    "athena:GetTableMetadata": _DATA_CATALOG,
    # --- CloudWatch and its logs
    "logs:CreateLogGroup": _LOG_GROUP,
    "logs:CreateLogStream": _LOG_STREAM,
    "logs:DescribeLogGroups": _ANY,
    "logs:PutLogEvents": _LOG_STREAM,
    "logs:FilterLogEvents": _LOG_GROUP,
    "logs:AssociateKmsKey": _LOG_GROUP,
    "cloudwatch:PutMetricData": _ANY,
    "cloudwatch:GetMetricData": _ANY,
    "cloudwatch:GetMetricStatistics": _ANY,
    "cloudwatch:DescribeAlarms": ("alarm:{AlarmNames|*}",),
    "cloudwatch:EnableAlarmActions": ("alarm:{AlarmNames}",),
    "cloudwatch:DisableAlarmActions": ("alarm:{AlarmNames}",),
    "glue:GetConnection": ("catalog", "connection/{Name}"),
    # --- keys, topics, roles
    "kms:Encrypt": ("{KeyId}",),
    "kms:Decrypt": ("{KeyId}",),
    "kms:GenerateDataKey": ("{KeyId}",),
    "kms:DescribeKey": ("{KeyId}",),
    "sns:Publish": ("{TopicArn}",),
    "sts:AssumeRole": ("{RoleArn}",),
    "iam:GetRole": _ROLE,
    "iam:SimulatePrincipalPolicy": ("{PolicySourceArn}",),
    # --- CloudFormation; what a stack's resources need stands in ``handlers``
    "cloudformation:CreateChangeSet": _STACK,
    "cloudformation:DescribeChangeSet": _STACK,
    "cloudformation:ExecuteChangeSet": _STACK,
    "cloudformation:DeleteChangeSet": _STACK,
    "cloudformation:DescribeStacks": ("stack/{StackName|*}/*",),
    "cloudformation:DescribeStackEvents": _STACK,
    "cloudformation:DeleteStack": _STACK,
    "cloudformation:GetTemplateSummary": _ANY,
    "cloudformation:ListStacks": _ANY,
    # --- what ``doctor`` and the list of exports ask
    "tag:GetResources": _ANY,
    "lakeformation:GetDataLakeSettings": _ANY,
    "servicequotas:ListServiceQuotas": _ANY,
}

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ACTIONS = {
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:DeleteObjects": "s3:DeleteObject",
}
# Condition keys of an operation, each with the parameter that has its value.
CONDITIONS = {
    "s3:ListObjects": {"s3:prefix": "Prefix"},
    "s3:ListObjectsV2": {"s3:prefix": "Prefix"},
    "cloudwatch:PutMetricData": {"cloudwatch:namespace": "Namespace"},
    "sts:AssumeRole": {"sts:ExternalId": "ExternalId", "sts:RoleSessionName": "RoleSessionName"},
}
# A caller that gives a role to Glue needs permission to pass it.
_PASSING = {
    "glue:CreateJob": "Role",
    "glue:UpdateJob": "JobUpdate.Role",
    "glue:CreateCrawler": "Role",
    "glue:UpdateCrawler": "Role",
}


class UnknownOperation(LookupError):
    """An operation that is not listed here with the actions it needs."""


@dataclass(frozen=True)
class Place:
    """Partition, region and account of a call: the beginning of its resources' ARNs."""

    account: str
    region: str
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        if resource == "*" or resource.startswith("arn:"):
            return resource
        account, region = self.account, self.region
        if service in _GLOBAL:
            region = ""
        if service == "s3":
            account = region = ""
        return f"arn:{self.partition}:{service}:{region}:{account}:{resource}"


def needs(operation: str, parameters: Mapping[str, Any], place: Place) -> list[Request]:
    """Every action that a call needs, with the resources and conditions of each.

    Raises:
        UnknownOperation: the operation has no entry here.
    """
    if operation not in OPERATIONS:
        raise UnknownOperation(operation)
    service = operation.partition(":")[0]
    context = {
        key: str(value)
        for key, name in CONDITIONS.get(operation, {}).items()
        if (value := next(_values(parameters, name), None)) is not None
    }
    requests = [
        Request(ACTIONS.get(operation, operation), place.arn(service, resource), context)
        for template in OPERATIONS[operation]
        for resource in filled(template, parameters)
    ]
    return [*requests, *_besides(operation, parameters, place)]


def _besides(operation: str, parameters: Mapping[str, Any], place: Place) -> Iterator[Request]:
    if operation in {"s3:CopyObject", "s3:UploadPartCopy"}:
        yield Request("s3:GetObject", place.arn("s3", copied(parameters)))
    if operation.startswith("cloudformation:") and parameters.get("TemplateURL"):
        bucket, key = object_of_url(str(parameters["TemplateURL"]))
        yield Request("s3:GetObject", place.arn("s3", f"{bucket}/{key}"))
    for role in _values(parameters, _PASSING.get(operation, "")):
        yield pass_role(str(role), place)


def object_of_url(url: str) -> tuple[str, str]:
    """Bucket and key of an object's URL, in path style or with the bucket in the host's name.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html

    >>> object_of_url("https://s3.eu-west-1.amazonaws.com/b/a/t.yaml")
    ('b', 'a/t.yaml')
    >>> object_of_url("https://b.s3.amazonaws.com/a/t.yaml")
    ('b', 'a/t.yaml')
    >>> object_of_url("http://127.0.0.1:4600/b/a/t.yaml")
    ('b', 'a/t.yaml')
    """
    parts = urlsplit(url)
    path = unquote(parts.path).lstrip("/")
    match = re.match(r"(.+)\.(?:s3[.-].*amazonaws\.com|localhost)", parts.hostname or "")
    if match is not None:
        return match[1], path
    bucket, _, key = path.partition("/")
    return bucket, key


def copied(parameters: Mapping[str, Any]) -> str:
    """Bucket and key of the source of a copy, with a slash between them.

    The header is encoded as URLs are:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html#API_CopyObject_RequestSyntax
    """
    return unquote(str(parameters["CopySource"]).partition("?versionId=")[0]).lstrip("/")


def pass_role(role: str, place: Place, service: str = "glue.amazonaws.com") -> Request:
    """The permission to pass a role to a service; ``role`` is an ARN or a name."""
    arn = role if role.startswith("arn:") else place.arn("iam", f"role/{role}")
    return Request("iam:PassRole", arn, {"iam:PassedToService": service})


def filled(template: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """The template with the call's values, one text for each combination of them."""
    names = re.findall(r"\{([^{}]+)\}", template)
    choices = []
    for name in names:
        path, _, default = name.partition("|")
        choices.append([str(choice) for choice in _values(parameters, path)] or [default])
    for values in itertools.product(*choices):
        whole = next((choice for choice in values if choice.startswith("arn:")), None)
        text = template
        for name, value in zip(names, values, strict=True):
            text = text.replace(f"{{{name}}}", value, 1)
        yield whole or text


def _values(parameters: Any, path: str) -> Iterator[Any]:
    """The values at a path like ``Delete.Objects.Key``; a list gives each of its members."""
    if isinstance(parameters, list):
        for element in parameters:
            yield from _values(element, path)
    elif not path:
        if not isinstance(parameters, dict):
            yield parameters
    elif isinstance(parameters, dict):
        head, _, rest = path.partition(".")
        if parameters.get(head) is not None:
            yield from _values(parameters[head], rest)

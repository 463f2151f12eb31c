"""The calls that CloudFormation makes with the permissions of the deployer.

Without a service role CloudFormation calls every service with the deployer's permissions:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html
The registry's schema of each type lists these calls for each handler, and a
test compares this with the schemas that cfn-lint carries:
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
After a resource is created or changed, CloudFormation reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynoexport.local.iam import api_actions
from dynoexport.local.iam.authorization import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dynoexport.local.iam.api_actions import Place

CREATE, UPDATE, DELETE, IMPORT = "create", "update", "delete", "import"


@dataclass(frozen=True)
class Handlers:
    """The handlers of one resource type: their actions, and the resources of these actions.

    An action in ``only_with`` is needed only if the resource has that property. An import reads the
    resource: a bucket with all its properties, whatever the template has.
    """

    resources: tuple[str, ...]
    create: str
    read: str
    update: str
    delete: str
    only_with: Mapping[str, str]
    imported: str = ""

    def actions(self, event: str) -> list[str]:
        read = self.read if event in {CREATE, UPDATE} else ""
        by_event = {
            CREATE: self.create,
            UPDATE: self.update,
            DELETE: self.delete,
            IMPORT: self.imported or self.read,
        }
        return [*by_event[event].split(), *read.split()]


def _handlers(
    *resources: str,
    create: str,
    delete: str,
    read: str = "",
    update: str = "",
    only_with: Mapping[str, str] | None = None,
    imported: str = "",
) -> Handlers:
    return Handlers(resources, create, read, update, delete, only_with or {}, imported)


_CHANGE_TAGS = "glue:TagResource glue:UntagResource"
_LAKE_FORMATION = (
    "lakeformation:ListResources lakeformation:DescribeResource "
    "lakeformation:DescribeLakeFormationIdentityCenterConfiguration"
)
HANDLERS: dict[str, Handlers] = {
    "AWS::Glue::Workflow": _handlers(
        "workflow/{Name}",
        create="glue:GetWorkflow glue:CreateWorkflow glue:TagResource glue:GetTags",
        read="glue:GetWorkflow glue:GetTags",
        update=f"glue:GetWorkflow glue:UpdateWorkflow glue:GetTags {_CHANGE_TAGS}",
        delete="glue:GetWorkflow glue:DeleteWorkflow",
    ),
    "AWS::Glue::Trigger": _handlers(
        "trigger/{Name}",
        create="glue:CreateTrigger glue:GetTrigger glue:TagResource",
        read="glue:GetTrigger glue:GetTags",
        update=f"glue:UpdateTrigger {_CHANGE_TAGS}",
        delete="glue:DeleteTrigger glue:GetTrigger",
    ),
    "AWS::Glue::Job": _handlers(
        "job/{Name}",
        create="iam:GetRole iam:PassRole glue:CreateJob glue:GetJob glue:TagResource",
        read="glue:GetJob glue:GetTags",
        update=f"iam:GetRole iam:PassRole glue:UpdateJob {_CHANGE_TAGS}",
        delete="glue:DeleteJob glue:GetJob glue:UntagResource",
    ),
    "AWS::Glue::Crawler": _handlers(
        "crawler/{Name}",
        create="glue:CreateCrawler glue:GetCrawler glue:TagResource iam:PassRole",
        read="glue:GetCrawler glue:GetTags iam:PassRole",
        update=f"glue:UpdateCrawler iam:PassRole {_CHANGE_TAGS}",
        delete="glue:DeleteCrawler glue:GetCrawler glue:StopCrawler iam:PassRole",
    ),
    "AWS::Glue::Classifier": _handlers(
        "*",
        create="glue:CreateClassifier glue:GetClassifier",
        read="glue:GetClassifier",
        update="glue:UpdateClassifier glue:GetClassifier",
        delete="glue:DeleteClassifier",
    ),
    "AWS::Glue::SecurityConfiguration": _handlers(
        "*",
        create="glue:CreateSecurityConfiguration glue:GetSecurityConfiguration",
        read="glue:GetSecurityConfiguration",
        delete="glue:DeleteSecurityConfiguration",
    ),
    "AWS::Glue::Database": _handlers(
        "catalog",
        "database/{DatabaseInput.Name}",
        create=f"glue:CreateDatabase glue:GetDatabase {_LAKE_FORMATION}",
        read=f"glue:GetDatabase {_LAKE_FORMATION}",
        update=f"glue:UpdateDatabase {_LAKE_FORMATION}",
        delete=f"glue:DeleteDatabase glue:GetDatabase {_LAKE_FORMATION}",
    ),
    "AWS::Athena::WorkGroup": _handlers(
        "workgroup/{Name}",
        create="athena:CreateWorkGroup athena:TagResource",
        read="athena:GetWorkGroup athena:ListTagsForResource",
        update="athena:UpdateWorkGroup athena:TagResource athena:UntagResource",
        delete="athena:DeleteWorkGroup athena:GetWorkGroup athena:UntagResource",
    ),
    "AWS::S3::Bucket": _handlers(
        "{BucketName}",
        create="s3:CreateBucket s3:ListBucket s3:PutEncryptionConfiguration "
        "s3:PutLifecycleConfiguration s3:PutBucketPublicAccessBlock s3:PutBucketOwnershipControls "
        "s3:PutBucketTagging",
        update="s3:ListBucket s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration "
        "s3:PutBucketPublicAccessBlock s3:PutBucketOwnershipControls s3:PutBucketTagging",
        delete="s3:DeleteBucket s3:ListBucket",
        imported="s3:GetAccelerateConfiguration s3:GetLifecycleConfiguration "
        "s3:GetBucketPublicAccessBlock s3:GetAnalyticsConfiguration s3:GetBucketCORS "
        "s3:GetEncryptionConfiguration s3:GetInventoryConfiguration s3:GetBucketLogging "
        "s3:GetMetricsConfiguration s3:GetBucketNotification s3:GetBucketVersioning "
        "s3:GetReplicationConfiguration s3:GetBucketWebsite s3:GetBucketObjectLockConfiguration "
        "s3:GetBucketTagging s3:ListTagsForResource s3:GetBucketAbac s3:GetBucketOwnershipControls "
        "s3:GetIntelligentTieringConfiguration s3:GetBucketMetadataTableConfiguration "
        "s3:ListBucket",
        only_with={"s3:PutBucketTagging": "Tags"},
    ),
    "AWS::S3::BucketPolicy": _handlers(
        "{Bucket}",
        create="s3:GetBucketPolicy s3:PutBucketPolicy",
        read="s3:GetBucketPolicy",
        update="s3:GetBucketPolicy s3:PutBucketPolicy",
        delete="s3:GetBucketPolicy s3:DeleteBucketPolicy",
    ),
    "AWS::SNS::Topic": _handlers(
        "{PhysicalId}",
        create="sns:CreateTopic sns:TagResource sns:Subscribe sns:GetTopicAttributes",
        read="sns:GetTopicAttributes sns:ListTagsForResource sns:ListSubscriptionsByTopic "
        "sns:GetDataProtectionPolicy",
        update="sns:SetTopicAttributes sns:TagResource sns:UntagResource sns:Subscribe "
        "sns:Unsubscribe sns:GetTopicAttributes sns:ListTagsForResource "
        "sns:ListSubscriptionsByTopic sns:GetDataProtectionPolicy",
        delete="sns:GetTopicAttributes sns:DeleteTopic",
    ),
    "AWS::SNS::TopicPolicy": _handlers(
        "{Topics}",
        create="sns:SetTopicAttributes",
        update="sns:SetTopicAttributes",
        delete="sns:SetTopicAttributes",
    ),
    "AWS::IAM::Role": _handlers(
        "role/{PhysicalId}",
        create="iam:CreateRole iam:PutRolePolicy iam:AttachRolePolicy iam:GetRolePolicy "
        "iam:TagRole iam:UntagRole iam:GetRole",
        read="iam:GetRole iam:ListAttachedRolePolicies iam:ListRolePolicies iam:GetRolePolicy",
        update="iam:UpdateRole iam:UpdateAssumeRolePolicy iam:PutRolePolicy iam:DeleteRolePolicy "
        "iam:PutRolePermissionsBoundary iam:AttachRolePolicy iam:DetachRolePolicy iam:TagRole "
        "iam:UntagRole",
        delete="iam:DeleteRole iam:DetachRolePolicy iam:DeleteRolePolicy iam:GetRole "
        "iam:ListAttachedRolePolicies "
        "iam:ListRolePolicies iam:TagRole iam:UntagRole",
        only_with={
            "iam:PutRolePermissionsBoundary": "PermissionsBoundary",
            "iam:AttachRolePolicy": "ManagedPolicyArns",
            "iam:DetachRolePolicy": "ManagedPolicyArns",
        },
    ),
    "AWS::IAM::Policy": _handlers(
        "role/{Roles}",
        create="iam:GetRolePolicy iam:PutRolePolicy",
        update="iam:PutRolePolicy iam:DeleteRolePolicy",
        delete="iam:DeleteRolePolicy",
    ),
    "AWS::CloudWatch::Alarm": _handlers(
        "alarm:{AlarmName}",
        create="cloudwatch:PutMetricAlarm cloudwatch:DescribeAlarms cloudwatch:TagResource "
        "cloudwatch:ListTagsForResource",
        read="cloudwatch:DescribeAlarms cloudwatch:ListTagsForResource",
        update="cloudwatch:PutMetricAlarm cloudwatch:DescribeAlarms cloudwatch:TagResource "
        "cloudwatch:UntagResource cloudwatch:ListTagsForResource",
        delete="cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms",
    ),
    # It creates nothing.
    "AWS::CDK::Metadata": _handlers("*", create="", delete=""),
    "AWS::Events::Rule": _handlers(
        "rule/{PhysicalId}",
        create="events:DescribeRule events:PutRule events:PutTargets events:TagResource",
        read="events:DescribeRule events:ListTargetsByRule events:ListTagsForResource",
        update="events:DescribeRule events:PutRule events:RemoveTargets events:PutTargets "
        "events:TagResource events:UntagResource",
        delete="events:DescribeRule events:DeleteRule events:RemoveTargets "
        "events:ListTargetsByRule",
    ),
}

# What AWS checks without naming a resource:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsglue.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
_WITHOUT_RESOURCE = {"glue:CreateCrawler", "sns:Unsubscribe"}
# Actions for which a policy can require the boundary of the role:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
_ABOUT_BOUNDARY = {
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
}


@dataclass(frozen=True)
class Step:
    """One step of a deployment; ``boundary`` is that of the role that it creates or changes."""

    kind: str
    event: str
    properties: Mapping[str, Any]
    physical_id: str
    boundary: str = ""


def needs(step: Step, place: Place) -> Iterator[Request]:
    """The permissions that the deployer needs for the step.

    Raises:
        UnknownOperation: the type has no entry here.
    """
    known = HANDLERS.get(step.kind)
    if known is None:
        raise api_actions.UnknownOperation(step.kind)
    for action in dict.fromkeys(known.actions(step.event)):
        needed = known.only_with.get(action)
        if needed is None or needed in step.properties:
            yield from _requests(action, known, step, place)


def _requests(action: str, known: Handlers, step: Step, place: Place) -> Iterator[Request]:
    service = action.partition(":")[0]
    passed = str(step.properties.get("Role", ""))
    if action == "iam:PassRole":
        yield api_actions.pass_role(passed, place)
    elif action == "iam:GetRole" and passed:
        yield Request(action, api_actions.pass_role(passed, place).resource)
    elif service == "lakeformation" or action in _WITHOUT_RESOURCE:
        yield Request(action, "*")
    else:
        bound = bool(step.boundary) and action in _ABOUT_BOUNDARY
        context = {"iam:PermissionsBoundary": step.boundary} if bound else {}
        parameters = {**step.properties, "PhysicalId": step.physical_id}
        for template in known.resources:
            for resource in api_actions.filled(template, parameters):
                yield Request(action, place.arn(service, resource), context)

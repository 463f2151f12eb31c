"""The CloudFormation resource types that moto does not have, or has in part.

For each property, AWS documents whether a change replaces the resource ("Update requires"):
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Glue.html
moto finds the classes by ``CloudFormationModel.__subclasses__()``, so each has it as a direct base.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from moto.athena.models import athena_backends
from moto.cloudformation.exceptions import ValidationError
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.core.utils import camelcase_to_underscores as snake
from moto.glue.models import glue_backends
from moto.glue.utils import Action, Predicate
from moto.s3.models import FakeBucket, s3_backends
from moto.sns.models import sns_backends
from moto.utilities.utils import get_partition

if TYPE_CHECKING:
    from typing_extensions import Self

    from dynoexport.local.glue.engine import LocalGlueBackend

Json = dict[str, Any]


class _Resource:
    """A resource with a name, properties, and a backend that does the work."""

    TYPE: ClassVar[str]
    NAME: ClassVar[str] = "Name"
    REPLACED_BY: ClassVar[tuple[str, ...]] = ()

    def __init__(self, name: str, properties: Json, account: str, region: str) -> None:
        self.physical_resource_id = name
        self.properties = properties
        self.account = account
        self.region = region

    @property
    def glue(self) -> LocalGlueBackend:
        backend: Any = glue_backends[self.account][self.region]
        return backend  # type: ignore[no-any-return]

    def create(self) -> None:
        raise NotImplementedError

    def change(self) -> None:
        raise NotImplementedError

    def remove(self) -> None:
        raise NotImplementedError

    # --- moto's interface -----------------------------------------------------------------------
    @classmethod
    def cloudformation_name_type(cls) -> str:
        return cls.NAME

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether Fn::GetAtt finds the attribute; these types have no attributes."""
        return False

    def is_created(self) -> bool:
        return True

    def exists(self) -> bool:
        """Whether the service has it already, so that a stack can import it."""
        raise NotImplementedError

    @classmethod
    def find_existing(cls, name: str, properties: Json, account: str, region: str) -> Self | None:
        """The resource as part of a stack that imports it; None if it does not exist."""
        found = cls(name, properties, account, region)
        return found if found.exists() else None

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> Self:
        resource = cls(resource_name, cloudformation_json["Properties"], account_id, region_name)
        resource.create()
        return resource

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Self,
        new_resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
    ) -> Self:
        """Change the resource, or create another one; the stack deletes the old one at its end."""
        wanted: Json = cloudformation_json["Properties"]
        named = cls.NAME and cls.NAME in wanted
        replacing = any(
            wanted.get(name) != original_resource.properties.get(name) for name in cls.REPLACED_BY
        ) or (named and new_resource_name != original_resource.physical_resource_id)
        if replacing:
            return cls.create_from_cloudformation_json(
                new_resource_name, cloudformation_json, account_id, region_name
            )
        original_resource.properties = wanted
        original_resource.change()
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Called by moto with the stack's account and region, which are the resource's own."""
        self.remove()

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Json, account_id: str, region_name: str
    ) -> None:
        """A deletion by name."""
        cls(resource_name, cloudformation_json["Properties"], account_id, region_name).remove()


class Workflow(_Resource, CloudFormationModel):
    TYPE = "AWS::Glue::Workflow"

    def create(self) -> None:
        self.glue.create_workflow(
            self.physical_resource_id,
            self.properties.get("DefaultRunProperties"),
            self.properties.get("Description"),
            self.properties.get("MaxConcurrentRuns"),
            self.properties.get("Tags"),
        )

    def change(self) -> None:
        self.glue.update_workflow(
            self.physical_resource_id,
            self.properties.get("DefaultRunProperties"),
            self.properties.get("Description"),
            self.properties.get("MaxConcurrentRuns"),
        )

    def remove(self) -> None:
        self.glue.delete_workflow(self.physical_resource_id)


class Trigger(_Resource, CloudFormationModel):
    """CloudFormation activates a trigger when it creates it, and never afterwards.

    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1474
    """

    TYPE = "AWS::Glue::Trigger"
    REPLACED_BY = ("Type", "WorkflowName")

    def create(self) -> None:
        predicate = self.properties.get("Predicate")
        self.glue.create_trigger(
            name=self.physical_resource_id,
            workflow_name=self.properties.get("WorkflowName", ""),
            trigger_type=self.properties["Type"],
            schedule=self.properties.get("Schedule", ""),
            predicate=Predicate(predicate) if predicate else None,
            actions=[Action(action) for action in self.properties["Actions"]],
            description=self.properties.get("Description", ""),
            start_on_creation=bool(self.properties.get("StartOnCreation", False)),
            tags=self.properties.get("Tags", {}),
            event_batching_condition=self.properties.get("EventBatchingCondition", {}),
        )

    def change(self) -> None:
        keys = ("Description", "Schedule", "Actions", "Predicate")
        self.glue.update_trigger(
            self.physical_resource_id,
            {key: self.properties[key] for key in keys if key in self.properties},
        )

    def remove(self) -> None:
        self.glue.delete_trigger(self.physical_resource_id)


class Job(_Resource, CloudFormationModel):
    TYPE = "AWS::Glue::Job"

    def _options(self) -> Json:
        return {key: value for key, value in self.properties.items() if key != "Name"}

    def create(self) -> None:
        self.glue.add_job(self.physical_resource_id, self._options())

    def change(self) -> None:
        self.glue.put_job(self.physical_resource_id, self._options())

    def remove(self) -> None:
        self.glue.delete_job(self.physical_resource_id)


class Crawler(_Resource, CloudFormationModel):
    TYPE = "AWS::Glue::Crawler"

    def create(self) -> None:
        self.glue.add_crawler(self.physical_resource_id, self.properties)

    def change(self) -> None:
        self.glue.put_crawler(self.physical_resource_id, self.properties)

    def remove(self) -> None:
        self.glue.delete_crawler(self.physical_resource_id)


class Classifier(_Resource, CloudFormationModel):
    TYPE = "AWS::Glue::Classifier"
    NAME = ""

    def create(self) -> None:
        self.physical_resource_id = self.glue.add_classifier(self.properties)

    def change(self) -> None:
        self.physical_resource_id = self.glue.put_classifier(self.properties)

    def remove(self) -> None:
        self.glue.delete_classifier(self.physical_resource_id)


class Database(_Resource, CloudFormationModel):
    TYPE = "AWS::Glue::Database"
    NAME = ""

    def _input(self) -> Json:
        return dict(self.properties["DatabaseInput"])

    def create(self) -> None:
        self.physical_resource_id = self._input()["Name"]
        self.glue.create_database(self.physical_resource_id, self._input(), None)

    def exists(self) -> bool:
        self.glue.get_database(self.physical_resource_id)
        return True

    def change(self) -> None:
        self.glue.update_database(self.physical_resource_id, self._input())

    def remove(self) -> None:
        self.glue.delete_database(self.physical_resource_id)


class SecurityConfiguration(_Resource, CloudFormationModel):
    TYPE = "AWS::Glue::SecurityConfiguration"
    REPLACED_BY = ("EncryptionConfiguration",)

    def create(self) -> None:
        # CloudFormation and the API name it differently.
        named = {"S3Encryptions": "S3Encryption"}
        encryption = self.properties["EncryptionConfiguration"]
        configuration = {named.get(key, key): value for key, value in encryption.items()}
        self.glue.create_security_configuration(self.physical_resource_id, configuration)

    def change(self) -> None:
        """Nothing: a change of any property replaces it."""

    def remove(self) -> None:
        self.glue.delete_security_configuration(self.physical_resource_id)


class WorkGroup(_Resource, CloudFormationModel):
    TYPE = "AWS::Athena::WorkGroup"

    @property
    def _athena(self) -> Any:
        return athena_backends[self.account][self.region]

    def create(self) -> None:
        if self.physical_resource_id in self._athena.work_groups:
            # moto replaces it.
            raise ValidationError(message="WorkGroup is already created")
        self._athena.create_work_group(
            self.physical_resource_id,
            self.properties.get("WorkGroupConfiguration", {}),
            self.properties.get("Description", ""),
            [],
        )

    def change(self) -> None:
        group = self._athena.work_groups[self.physical_resource_id]
        group.configuration = self.properties.get("WorkGroupConfiguration", {})
        group.description = self.properties.get("Description", "")

    def remove(self) -> None:
        self._athena.delete_work_group(self.physical_resource_id)


class BucketPolicy(_Resource, CloudFormationModel):
    """The statements of a bucket policy that can be enforced here.

    moto applies a bucket's policy without looking at conditions, and the endpoint speaks plain
    HTTP on loopback: a statement that denies requests without TLS would deny all requests.
    """

    TYPE = "AWS::S3::BucketPolicy"
    NAME = ""
    REPLACED_BY = ("Bucket",)

    @property
    def _s3(self) -> Any:
        return s3_backends[self.account][get_partition(self.region)]

    def create(self) -> None:
        self.physical_resource_id = self.properties["Bucket"]
        if self.exists():
            # https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1068
            raise ValidationError(
                message=f"The bucket policy already exists on bucket {self.physical_resource_id}."
            )
        self._put()

    def exists(self) -> bool:
        return bool(self._s3.get_bucket_policy(self.physical_resource_id))

    def change(self) -> None:
        self._put()

    def _put(self) -> None:
        document = self.properties["PolicyDocument"]
        kept = [statement for statement in document["Statement"] if not _is_about_tls(statement)]
        if kept:
            policy = json.dumps({**document, "Statement": kept}).encode()
            self._s3.put_bucket_policy(self.physical_resource_id, policy)
        else:
            self._s3.delete_bucket_policy(self.physical_resource_id)

    def remove(self) -> None:
        self._s3.delete_bucket_policy(self.physical_resource_id)


def _is_about_tls(statement: Json) -> bool:
    tested = statement.get("Condition", {}).get("Bool", {})
    return "aws:SecureTransport" in tested


class TopicPolicy(_Resource, CloudFormationModel):
    TYPE = "AWS::SNS::TopicPolicy"
    NAME = ""

    def create(self) -> None:
        for topic in self.properties["Topics"]:
            sns_backends[self.account][self.region].set_topic_attribute(
                topic, "policy", json.dumps(self.properties["PolicyDocument"])
            )

    def change(self) -> None:
        self.create()

    def remove(self) -> None:
        """Nothing: the stack deletes the topic with its policy."""


class CdkMetadata(_Resource, CloudFormationModel):
    """What the CDK adds to each template: it creates nothing.

    https://docs.aws.amazon.com/cdk/v2/guide/usage-data.html
    """

    TYPE = "AWS::CDK::Metadata"
    NAME = ""

    def create(self) -> None:
        """Nothing."""

    def change(self) -> None:
        """Nothing."""

    def remove(self) -> None:
        """Nothing."""


class Alarm(_Resource, CloudFormationModel):
    TYPE = "AWS::CloudWatch::Alarm"
    NAME = "AlarmName"

    def create(self) -> None:
        properties = {**self.properties}
        properties.pop("AlarmName", None)
        named = {_ALARM_OPTIONS.get(key, snake(key)): value for key, value in properties.items()}
        given: Json = {**dict.fromkeys(_ALARM_REQUIRED), **_ALARM_LISTS, **named}
        self._cloudwatch.put_metric_alarm(name=self.physical_resource_id, **given)

    def change(self) -> None:
        self.create()

    def remove(self) -> None:
        self._cloudwatch.delete_alarms([self.physical_resource_id])

    @property
    def _cloudwatch(self) -> Any:
        return cloudwatch_backends[self.account][self.region]


# Options for which moto has another name than AWS, and options that moto requires.
_ALARM_OPTIONS = {"AlarmDescription": "description", "OKActions": "ok_actions"}
_ALARM_REQUIRED = ("description", "namespace", "metric_name", "statistic", "period")
_ALARM_LISTS: Json = {"dimensions": [], "alarm_actions": []}


# --- buckets --------------------------------------------------------------------------------------
def _apply(bucket: FakeBucket, properties: Json) -> None:
    """Give the bucket the properties that moto leaves out, and take away those that a stack set.

    CloudFormation leaves alone what neither the former template nor the new one has.
    """
    s3, name = s3_backends[bucket.account_id][get_partition(bucket.region_name)], bucket.name
    former = vars(bucket).get("stack_properties", {})
    bucket.stack_properties = properties  # type: ignore[attr-defined]
    gone = set(former) - set(properties)
    if "LifecycleConfiguration" in properties:
        rules = properties["LifecycleConfiguration"]["Rules"]
        s3.put_bucket_lifecycle_configuration(name, [_rule_of_api(rule) for rule in rules])
    elif "LifecycleConfiguration" in gone:
        s3.delete_bucket_lifecycle(name)
    if "PublicAccessBlockConfiguration" in properties:
        block = properties["PublicAccessBlockConfiguration"]
        s3.put_public_access_block(name, {key: str(block[key]).lower() for key in block})
    elif "PublicAccessBlockConfiguration" in gone:
        s3.delete_public_access_block(name)
    if "OwnershipControls" in properties:
        (rule,) = properties["OwnershipControls"]["Rules"]
        s3.put_bucket_ownership_controls(name, rule["ObjectOwnership"])
    elif "OwnershipControls" in gone:
        s3.delete_bucket_ownership_controls(name)
    if "BucketEncryption" in gone:
        s3.delete_bucket_encryption(name)


def _rule_of_api(rule: Json) -> Json:
    """The lifecycle rule as PutBucketLifecycleConfiguration takes it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
    """
    tags = rule.get("TagFilters", [])
    prefix = {"Prefix": rule["Prefix"]} if "Prefix" in rule else {}
    where: Json = {"And": {**prefix, "Tag": tags}} if tags else prefix
    made: Json = {"ID": rule.get("Id"), "Status": rule["Status"], "Filter": where}
    ends = {
        "Days": rule.get("ExpirationInDays"),
        "Date": rule.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
    }
    expiration = {key: value for key, value in ends.items() if value is not None}
    if expiration:
        made["Expiration"] = expiration
    for key in ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"):
        if key in rule:
            made[key] = rule[key]
    renamed = {"TransitionInDays": "Days", "TransitionDate": "Date"}
    made["Transition"] = [
        {renamed.get(key, key): value for key, value in transition.items()}
        for transition in rule.get("Transitions", [])
    ]
    return made


_create_bucket = FakeBucket.create_from_cloudformation_json
_update_bucket = FakeBucket.update_from_cloudformation_json


def _created_bucket(_: type, name: str, resource: Json, *place: Any, **named: Any) -> FakeBucket:
    bucket = _create_bucket(name, resource, *place, **named)
    _apply(bucket, resource.get("Properties", {}))
    return bucket


def _updated_bucket(_: type, original_resource: Any, *given: Any, **named: Any) -> FakeBucket:
    bucket = _update_bucket(original_resource, *given, **named)
    _apply(bucket, named["cloudformation_json"].get("Properties", {}))
    return bucket


def _existing_bucket(
    _: type, name: str, properties: Json, account: str, region: str
) -> FakeBucket | None:
    bucket = s3_backends[account][get_partition(region)].buckets.get(name)
    if bucket is None or bucket.region_name != region:
        return None
    if properties:
        bucket.stack_properties = properties  # type: ignore[attr-defined]
    return bucket


def install() -> None:
    """Make moto's buckets take what a template has; importing this module adds the other types."""
    for name, method in {
        "create_from_cloudformation_json": _created_bucket,
        "update_from_cloudformation_json": _updated_bucket,
        "find_existing": _existing_bucket,
    }.items():
        setattr(FakeBucket, name, classmethod(method))  # type: ignore[arg-type]

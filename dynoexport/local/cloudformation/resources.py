"""The CloudFormation resource types of Glue and Athena, which moto does not have.

For each property, AWS documents whether a change replaces the resource ("Update requires"):
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Glue.html
moto finds the classes by ``CloudFormationModel.__subclasses__()``, so each has it as a direct base.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from moto.athena.models import athena_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.core.utils import camelcase_to_underscores as snake
from moto.glue.models import glue_backends
from moto.glue.utils import Action, Predicate
from moto.s3.models import s3_backends
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
        self.glue.put_job(self.physical_resource_id, self._options())

    def change(self) -> None:
        self.glue.put_job(self.physical_resource_id, self._options())

    def remove(self) -> None:
        self.glue.delete_job(self.physical_resource_id)


class Crawler(_Resource, CloudFormationModel):
    TYPE = "AWS::Glue::Crawler"

    def create(self) -> None:
        self.glue.put_crawler(self.physical_resource_id, self.properties)

    def change(self) -> None:
        self.glue.put_crawler(self.physical_resource_id, self.properties)

    def remove(self) -> None:
        self.glue.delete_crawler(self.physical_resource_id)


class Classifier(_Resource, CloudFormationModel):
    TYPE = "AWS::Glue::Classifier"
    NAME = ""

    def create(self) -> None:
        self.physical_resource_id = self.glue.put_classifier(self.properties)

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
        document = self.properties["PolicyDocument"]
        kept = [statement for statement in document["Statement"] if not _is_about_tls(statement)]
        if kept:
            policy = json.dumps({**document, "Statement": kept}).encode()
            self._s3.put_bucket_policy(self.physical_resource_id, policy)

    def change(self) -> None:
        self.create()

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


def install() -> None:
    """Nothing to do: importing this module has made the types known."""

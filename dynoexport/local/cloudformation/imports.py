"""Import existing resources into a stack, as change sets of type IMPORT do.

What CloudFormation checks, and the states of an import:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html
AWS does not document which refusals are errors of CreateChangeSet and which fail the change set, or
in which state a new stack is after its import failed. Here a fault in the template is an error, a
resource that cannot be imported fails the change set, and a new stack ends in
IMPORT_ROLLBACK_COMPLETE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.core.exceptions import JsonRESTError, ServiceException

from dynoexport.local.cloudformation import stack_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moto.cloudformation.models import Stack

Json = dict[str, Any]

# The property that identifies a resource: the primary identifier in the registry's schema, which a
# test reads from cfn-lint. https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/resource-identifier.html
# Other types can be imported on AWS only.
IDENTIFIERS = {
    "AWS::Glue::Database": "DatabaseName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::S3::BucketPolicy": "Bucket",
}


def summaries(resources: Mapping[str, Json]) -> list[Json]:
    """How to identify the template's resources, as GetTemplateSummary answers.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceIdentifierSummary.html
    """
    kinds = dict.fromkeys(resource["Type"] for resource in resources.values())
    return [
        {
            "ResourceType": kind,
            "LogicalResourceIds": [name for name in resources if resources[name]["Type"] == kind],
            "ResourceIdentifiers": [IDENTIFIERS[kind]],
        }
        for kind in kinds
        if kind in IDENTIFIERS
    ]


def check_request(template: Json, imported: Iterable[Json]) -> dict[str, str]:
    """The physical IDs of the resources to import, by their logical IDs.

    Raises:
        ValidationError: one is not in the template, or is not identified as its type requires.
    """
    resources, identified = template["Resources"], {}
    for asked in imported:
        name, kind = asked["LogicalResourceId"], asked["ResourceType"]
        if resources.get(name, {}).get("Type") != kind:
            raise ValidationError(message=f"Resource {name} of type {kind} is not in the template")
        if kind not in IDENTIFIERS:
            raise ValidationError(
                message=f"ResourceTypes [{kind}] are not supported for Import operation"
            )
        identifier = asked["ResourceIdentifier"]
        if set(identifier) != {IDENTIFIERS[kind]}:
            raise ValidationError(
                message=f"Resource {name} is identified by [{IDENTIFIERS[kind]}], "
                f"not by [{', '.join(identifier)}]"
            )
        identified[name] = identifier[IDENTIFIERS[kind]]
    if not identified:
        raise ValidationError(message="ResourcesToImport is missing or empty")
    return identified


def check_template(
    stack: Stack, template: Json, parameters: Mapping[str, Any], identified: Mapping[str, str]
) -> None:
    """Refuse a template that does more than import, with AWS's messages.

    https://github.com/aws-quickstart/quickstart-awx/issues/38
    https://github.com/awslabs/aws-security-assessment-solution/issues/6

    Raises:
        ValidationError: a resource has no DeletionPolicy, or other resources or outputs change.
    """
    lacking = [name for name in identified if "DeletionPolicy" not in template["Resources"][name]]
    if lacking:
        raise ValidationError(
            message=f"The following resources to import [{', '.join(lacking)}] must have "
            "DeletionPolicy attribute specified in the template."
        )
    if (template.get("Outputs") or {}) != ((stack.template_dict or {}).get("Outputs") or {}):
        raise ValidationError(
            message="As part of the import operation, you cannot modify or add [Outputs]"
        )
    changes = stack_changes.planned(stack, template, parameters)
    changed = [change["LogicalResourceId"] for change in changes]
    others = [name for name in changed if name not in identified]
    if others:
        raise ValidationError(
            message=f"You have modified resources [{', '.join(others)}] in your template that are "
            "not being imported. Update, create or delete operations cannot be executed during "
            "import operations."
        )


def planned(template: Json, identified: Mapping[str, str]) -> list[Json]:
    """The change set's ``ResourceChange`` entries.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
    """
    return [
        {
            "Action": "Import",
            "LogicalResourceId": name,
            "PhysicalResourceId": physical_id,
            "ResourceType": template["Resources"][name]["Type"],
        }
        for name, physical_id in identified.items()
    ]


def obstacle(
    stacks: Iterable[Stack],
    template: Json,
    identified: Mapping[str, str],
    account: str,
    region: str,
) -> str:
    """Why a resource cannot be imported; empty if all can.

    "The resource to import exists" and "does not belong to another stack in the same Region".
    """
    owners = list(stacks)
    for name, physical_id in identified.items():
        kind = template["Resources"][name]["Type"]
        for stack in owners:
            if _has(stack, kind, physical_id):
                return f"{physical_id} already exists in stack {stack.stack_id}"
        if find(kind, physical_id, {}, account, region) is None:
            return f"Resource {name} of type {kind} with identifier {physical_id} does not exist"
    return ""


def _has(stack: Stack, kind: str, physical_id: str) -> bool:
    existing = stack.resource_map._parsed_resources
    return any(
        resource.get("Type") == kind
        and getattr(existing.get(name), "physical_resource_id", None) == physical_id
        for name, resource in stack.resource_map._resource_json_map.items()
    )


def find(kind: str, physical_id: str, properties: Json, account: str, region: str) -> Any | None:
    """The existing resource with the properties of its template; None if it does not exist."""
    model: Any = parsing.resource_class_from_type(kind)
    try:
        return model.find_existing(physical_id, properties, account, region)
    except (JsonRESTError, ServiceException):
        return None

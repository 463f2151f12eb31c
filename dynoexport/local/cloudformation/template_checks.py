"""Checks that CloudFormation makes before it creates or updates anything. Pure.

CreateStack, UpdateStack and change sets of both types are checked alike.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import CloudFormationError, ValidationError

from dynoexport import limits
from dynoexport.local import unused_services

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Json = dict[str, Any]

# IAM's resources, and the property that gives one a custom name:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_IAM_NAMES = {
    "AWS::IAM::AccessKey": None,
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": None,
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserToGroupAddition": None,
}
_STUMBLES = (
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
    re.error,
    yaml.YAMLError,
)
_IAM, _NAMED_IAM = "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"


def check_body(body: str) -> None:
    """Refuse a body that is too long for a call.

    Raises:
        ValidationError: it is.
    """
    check_length(body, "templateBody", limits.TEMPLATE_BODY_MAX_BYTES)


def check_length(text: str, name: str, most: int) -> None:
    """Refuse a text of more bytes.

    Raises:
        ValidationError: it has more.
    """
    if len(text.encode()) > most:
        # https://github.com/aws/aws-extensions-for-dotnet-cli/issues/50
        raise ValidationError(
            message=f"1 validation error detected: Value at '{name}' failed to satisfy "
            f"constraint: Member must have length less than or equal to {most}"
        )


@contextmanager
def template_errors() -> Iterator[None]:
    """Refuse a template whose structure makes a check or moto fail."""
    try:
        yield
    except _STUMBLES as error:
        raise ValidationError(
            message=f"Template format error: {type(error).__name__}: {error}"
        ) from error


def check_capabilities(template: Json, given: Iterable[str]) -> None:
    """Refuse to create IAM resources unless the caller acknowledges them.

    Raises:
        CloudFormationError: a capability is missing.
    """
    resources = _iam_resources(template)
    needed = _needed_capability(resources)
    if resources and not {needed, _NAMED_IAM} & set(given):
        # https://github.com/envato/stack_master/issues/138
        raise CloudFormationError(
            "InsufficientCapabilitiesException", f"Requires capabilities : [{needed}]"
        )


def _iam_resources(template: Json) -> list[Json]:
    resources = template.get("Resources", {}).values()
    return [resource for resource in resources if resource["Type"] in _IAM_NAMES]


def _needed_capability(iam_resources: Iterable[Json]) -> str:
    named = any(
        _IAM_NAMES[resource["Type"]] in resource.get("Properties", {}) for resource in iam_resources
    )
    return _NAMED_IAM if named else _IAM


def summary(template: Json) -> Json:
    """What ValidateTemplate answers for a template that it accepts.

    It checks the structure; an unused parameter is no fault:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ValidateTemplate.html

    Raises:
        ValidationError: a resource's type is unknown, or something refers to what is not there.
    """
    _check_types(template)
    _check_references(template)
    resources = _iam_resources(template)
    answer: Json = {
        "Description": template.get("Description"),
        "Parameters": [
            {
                "ParameterKey": name,
                "DefaultValue": defaults(template).get(name),
                "NoEcho": bool(parameter.get("NoEcho", False)),
                "Description": parameter.get("Description"),
            }
            for name, parameter in template.get("Parameters", {}).items()
        ],
    }
    if resources:
        kinds = ", ".join(sorted({resource["Type"] for resource in resources}))
        answer["Capabilities"] = [_needed_capability(resources)]
        # https://github.com/aws/aws-cli/issues/4838
        answer["CapabilitiesReason"] = f"The following resource(s) require capabilities: [{kinds}]"
    return answer


def _check_references(template: Json) -> None:
    known = {*template.get("Parameters", {}), *template["Resources"]}
    for block in ("Resources", "Outputs"):
        named = set(_referred(template.get(block, {})))
        missing = sorted(name for name in named - known if not name.startswith("AWS::"))
        if missing:
            # https://github.com/ownstats/ownstats/issues/3
            raise ValidationError(
                message=f"Template format error: Unresolved resource dependencies "
                f"[{', '.join(missing)}] in the {block} block of the template"
            )


def _referred(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for element in value:
            yield from _referred(element)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner[0]
            else:
                yield from _referred(inner)


def check_template(template: Json, given: Mapping[str, Any]) -> None:
    """Refuse what CloudFormation refuses, with its message.

    Raises:
        ValidationError: an unknown resource type, a parameter that the template lacks, one without
            a value or outside its constraints, or a violated rule.
    """
    _check_types(template)
    parameters = template.get("Parameters", {})
    surplus = [name for name in given if name not in parameters]
    if surplus:
        # https://github.com/aws-samples/amazon-ec2-image-builder-samples/issues/18
        raise ValidationError(
            message=f"Parameters: [{', '.join(surplus)}] do not exist in the template"
        )
    missing = [name for name in parameters if name not in {**defaults(template), **given}]
    if missing:
        raise ValidationError(message=f"Parameters: [{', '.join(missing)}] must have values")
    for name, parameter in parameters.items():
        value = given.get(name, parameter.get("Default"))
        _check_parameter(name, parameter, parameter_text(value))
    _check_rules(template, {**defaults(template), **given})


def _check_types(template: Json) -> None:
    kinds = {resource["Type"] for resource in template.get("Resources", {}).values()}
    unknown = _unknown(kinds)
    if unknown:
        # Those of other services are known as well, although no stack can have them.
        unused_services.import_all()
        for types in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
            types.cache_clear()
        unknown = _unknown(kinds)
    if unknown:
        raise ValidationError(
            message=f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]"
        )


def _unknown(kinds: set[str]) -> list[str]:
    return sorted(kinds - set(parsing.get_model_map()) - set(parsing.NULL_MODELS))


def defaults(template: Json) -> dict[str, str]:
    """The parameters' defaults as text."""
    return {
        name: parameter_text(parameter["Default"])
        for name, parameter in template.get("Parameters", {}).items()
        if "Default" in parameter
    }


def parameter_text(value: Any) -> str:
    """The parameter as text, as CloudFormation keeps it; YAML and moto turn it into other types."""
    if isinstance(value, list):
        return ",".join(parameter_text(element) for element in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_parameter(name: str, parameter: Json, value: str) -> None:
    description = parameter.get("ConstraintDescription")

    def refuse(rule: str) -> ValidationError:
        return ValidationError(message=f"Parameter '{name}' must {description or rule}")

    is_list = parameter["Type"] == "CommaDelimitedList" or parameter["Type"].startswith("List<")
    values = value.split(",") if is_list else [value]
    allowed = [parameter_text(choice) for choice in parameter.get("AllowedValues", values)]
    if not set(values) <= set(allowed):
        raise refuse(f"be one of AllowedValues [{', '.join(allowed)}]")
    if "AllowedPattern" in parameter and not re.fullmatch(parameter["AllowedPattern"], value):
        raise refuse(f"match pattern {parameter['AllowedPattern']}")
    if (
        not int(parameter.get("MinLength", 0))
        <= len(value)
        <= int(parameter.get("MaxLength", len(value)))
    ):
        raise refuse("have a length that is allowed")
    if parameter["Type"] == "Number":
        _check_number(parameter, value, refuse)


def _check_number(parameter: Json, value: str, refuse: Any) -> None:
    try:
        number = float(value)
    except ValueError:
        raise refuse("be a number") from None
    low, high = parameter.get("MinValue", number), parameter.get("MaxValue", number)
    if not float(low) <= number <= float(high):
        raise refuse(f"be a number from {low} to {high}")


def _check_rules(template: Json, parameters: Mapping[str, str]) -> None:
    """Rules compare parameters with each other.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
    """
    for name, rule in template.get("Rules", {}).items():
        if "RuleCondition" in rule and not _holds(rule["RuleCondition"], parameters):
            continue
        for assertion in rule["Assertions"]:
            if not _holds(assertion["Assert"], parameters):
                # AWS does not document its words around the description.
                raise ValidationError(
                    message=assertion.get("AssertDescription", f"Rule {name} is violated")
                )


def _holds(condition: Json, parameters: Mapping[str, str]) -> bool:
    ((function, operands),) = condition.items()
    if function == "Fn::Not":
        return not _holds(operands[0], parameters)
    if function == "Fn::And":
        return all(_holds(operand, parameters) for operand in operands)
    if function == "Fn::Or":
        return any(_holds(operand, parameters) for operand in operands)
    if function == "Fn::Equals":
        first, second = (_value(operand, parameters) for operand in operands)
        return first == second
    if function == "Fn::Contains":
        values, value = operands
        return _value(value, parameters) in [_value(operand, parameters) for operand in values]
    raise ValidationError(message=f"not on the local endpoint: {function} in a rule")


def _value(operand: Any, parameters: Mapping[str, str]) -> str:
    """The text, or the value of the parameter that it refers to."""
    if isinstance(operand, dict):
        name = operand.get("Ref", "")
        if name not in parameters:
            raise ValidationError(message=f"not on the local endpoint: {operand} in a rule")
        return parameters[name]
    return parameter_text(operand)

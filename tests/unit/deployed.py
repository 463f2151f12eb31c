"""A template as CloudFormation would see it once parameters are given: intrinsics resolved.

It resolves only what the templates use. Anything else is an error, so that no test passes on an
unresolved value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import cfn_flip

from dynoexport import assets

if TYPE_CHECKING:
    from collections.abc import Callable

NO_VALUE = object()

KEY = "arn:aws-cn:kms:cn-north-1:123456789012:key/k"

# What the common stack exports, in a partition, region and account unlike any default.
IMPORTS = {
    "shared-BucketName": "dynamodb-exports-123456789012-cn-north-1",
    "shared-DatabaseName": "dynamodb_exports",
    "shared-WorkGroup": "dynamodb-exports",
    "shared-ViewWorkGroup": "dynamodb-exports-views",
    "shared-SecurityConfiguration": "the-security-configuration",
    "shared-KmsKeyArn": KEY,
    "shared-TopicArn": "arn:aws-cn:sns:cn-north-1:123456789012:the-topic",
}
PSEUDO = {
    "AWS::Partition": "aws-cn",
    "AWS::Region": "cn-north-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "shared",
    "AWS::URLSuffix": "amazonaws.com.cn",
    "AWS::NoValue": NO_VALUE,
}


def parsed(name: str) -> dict[str, Any]:
    """The template on disk, short-form intrinsics spelled out."""
    found: dict[str, Any] = json.loads(_as_json(name))
    return found


@cache
def _as_json(name: str) -> str:
    """Kept as text, so that nobody changes what the next one gets."""
    written: str = cfn_flip.to_json(assets.template(name))
    return written


@dataclass
class Deployed:
    """The resources and outputs that a template makes of the given parameters."""

    template: dict[str, Any]
    parameters: dict[str, str]
    imports: dict[str, str] = field(default_factory=lambda: dict(IMPORTS))

    def __post_init__(self) -> None:
        defaults = {
            name: str(parameter["Default"])
            for name, parameter in self.template["Parameters"].items()
            if "Default" in parameter
        }
        self.values: dict[str, Any] = {**PSEUDO, **defaults, **self.parameters}

    def holds(self, condition: str) -> bool:
        return bool(self.resolve(self.template["Conditions"][condition]))

    def section(self, name: str) -> dict[str, Any]:
        """The section's members whose conditions hold, resolved."""
        return {
            key: self.resolve(item)
            for key, item in self.template[name].items()
            if "Condition" not in item or self.holds(item["Condition"])
        }

    def properties(self, logical_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.section("Resources")[logical_id]["Properties"]
        return found

    def outputs(self) -> dict[str, Any]:
        return {key: output["Value"] for key, output in self.section("Outputs").items()}

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [element for element in map(self.resolve, value) if element is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, argument),) = value.items()
            if key in {"Ref", "Condition"} or key.startswith("Fn::"):
                return self._call(key.removeprefix("Fn::"), argument)
        members = ((key, self.resolve(inner)) for key, inner in value.items() if key != "Condition")
        kept = {key: inner for key, inner in members if inner is not NO_VALUE}
        if isinstance(value.get("Condition"), dict):  # IAM's, not CloudFormation's
            kept["Condition"] = self.resolve(value["Condition"])
        if "Effect" in kept:  # a statement, whose single values IAM reads as lists of one
            for name in {"Action", "Resource"} & kept.keys():
                kept[name] = kept[name] if isinstance(kept[name], list) else [kept[name]]
        return kept

    def _call(self, function: str, argument: Any) -> Any:
        functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.holds,
            "Sub": self._sub,
            "Select": lambda operands: self.resolve(operands[1])[int(operands[0])],
            "Split": lambda operands: self.resolve(operands[1]).split(operands[0]),
            "If": lambda operands: self.resolve(
                operands[1] if self.holds(operands[0]) else operands[2]
            ),
            "Equals": lambda operands: self.resolve(operands[0]) == self.resolve(operands[1]),
            "Not": lambda operands: not self.resolve(operands[0]),
            "And": lambda operands: all(map(self.resolve, operands)),
            "Or": lambda operands: any(map(self.resolve, operands)),
            "ImportValue": lambda operand: self.imports[self.resolve(operand)],
            "GetAtt": lambda operand: (
                f"{operand[0]}.{operand[1]}" if isinstance(operand, list) else operand
            ),
        }
        return functions[function](argument)

    def _ref(self, name: str) -> Any:
        """A parameter's value, or a resource's name: its ``Name`` where it has one."""
        if name in self.values:
            return self.values[name]
        properties = self.template["Resources"][name]["Properties"]
        holder = properties.get("CsvClassifier", properties)
        for key in ("Name", "BucketName"):
            if key in holder:
                return self.resolve(holder[key])
        return name

    def _sub(self, argument: Any) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})

        def value(found: re.Match[str]) -> str:
            name = found[1]
            return str(self.resolve(names[name]) if name in names else self._ref(name))

        return re.sub(r"\$\{([^!}]+)\}", value, text)

    def of_type(self, kind: str) -> list[str]:
        return [
            key for key, resource in self.section("Resources").items() if resource["Type"] == kind
        ]

"""Parameters as a form: fields with a label, a constraint and its explanation, in groups."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from troposphere import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from enum import Enum

    from troposphere import Template


@dataclass(frozen=True)
class Field:
    """One line of the form: the question a person reads, and the parameter behind it."""

    label: str
    parameter: Parameter

    @property
    def is_called_as_labelled(self) -> bool:
        """Whether the label only repeats the name, which the console shows without a label."""
        name = str(self.parameter.title)
        return self.label.replace(" ", "").lower() == name.lower()


@dataclass(frozen=True)
class Group:
    """Fields that belong together, under a heading."""

    label: str
    fields: tuple[Field, ...]


def add_to(template: Template, groups: Sequence[Group]) -> None:
    """Add the parameters, and the console form that shows them in this order."""
    for group in groups:
        for field in group.fields:
            template.add_parameter(field.parameter)
    template.set_metadata(
        {
            "AWS::CloudFormation::Interface": {
                "ParameterGroups": [
                    {
                        "Label": {"default": group.label},
                        "Parameters": [field.parameter.title for field in group.fields],
                    }
                    for group in groups
                ],
                "ParameterLabels": {
                    field.parameter.title: {"default": field.label}
                    for group in groups
                    for field in group.fields
                    if not field.is_called_as_labelled
                },
            }
        }
    )


def refusal(parameter: Parameter, value: str) -> str | None:
    """Why CloudFormation would not take the value, None if it would."""
    options = parameter.properties
    allowed = options.get("AllowedValues", [value])
    pattern = options.get("AllowedPattern")
    fits = value in allowed and (pattern is None or re.fullmatch(pattern, value) is not None)
    if options["Type"] == "Number":
        # Not whatever float() takes: 1_000, inf, spaces around it.
        fits = re.fullmatch(r"-?[0-9]*\.?[0-9]+", value) is not None
        fits = fits and options["MinValue"] <= float(value) <= options["MaxValue"]
    elif "MaxLength" in options:
        fits = fits and options.get("MinLength", 0) <= len(value) <= options["MaxLength"]
    return None if fits else str(options["ConstraintDescription"])


# --- kinds of fields ------------------------------------------------------------------------------
def choice(
    name: str, label: str, description: str, *, choices: Iterable[Enum], default: Enum
) -> Field:
    values = [str(choice.value) for choice in choices]
    return Field(
        label,
        Parameter(
            name,
            Type="String",
            Description=description,
            AllowedValues=values,
            Default=default.value,
            ConstraintDescription=f"must be one of {', '.join(values)}",
        ),
    )


def switch(name: str, label: str, description: str) -> Field:
    return Field(
        label,
        Parameter(
            name,
            Type="String",
            Description=description,
            AllowedValues=["false", "true"],
            Default="false",
            ConstraintDescription="must be true or false",
        ),
    )


def text(
    name: str,
    label: str,
    description: str,
    *,
    pattern: str,
    constraint: str,
    default: str | None = None,
    longest: int,
    shortest: int = 0,
) -> Field:
    options: dict[str, object] = {} if default is None else {"Default": default}
    if shortest:
        options["MinLength"] = shortest
    return Field(
        label,
        Parameter(
            name,
            Type="String",
            Description=description,
            AllowedPattern=pattern,
            MaxLength=longest,
            ConstraintDescription=constraint,
            **options,
        ),
    )


def key(name: str, label: str, description: str) -> Field:
    """The ARN of a KMS key, or nothing."""
    return text(
        name,
        label,
        description,
        pattern=r"^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+)?$",
        constraint="must be empty or the ARN of a KMS key, not of an alias",
        default="",
        longest=2048,
    )


def number(
    name: str,
    label: str,
    description: str,
    *,
    least: float,
    most: float,
    default: str | int,
) -> Field:
    return Field(
        label,
        Parameter(
            name,
            Type="Number",
            Description=description,
            MinValue=least,
            MaxValue=most,
            Default=default,
            ConstraintDescription=f"must be {least} to {most}",
        ),
    )

"""What both templates have in common, read from the files that are shipped."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from deployed import parsed

TEMPLATES = pytest.mark.parametrize(
    "template", [parsed("common.yaml"), parsed("table.yaml")], ids=["common", "table"]
)


@TEMPLATES
def test_no_service_but_those_promised(template: dict[str, Any]) -> None:
    """No state machine, no function, no custom resource."""
    kinds = {resource["Type"].split("::")[1] for resource in template["Resources"].values()}
    assert kinds <= {"Glue", "IAM", "S3", "SNS", "Athena", "Events", "CloudWatch"}
    assert not re.search("stepfunctions|lambda", json.dumps(template), re.IGNORECASE)


@TEMPLATES
def test_every_parameter_explains_itself_and_its_constraint(template: dict[str, Any]) -> None:
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"], name
        assert parameter["ConstraintDescription"], name
        constraints = {"AllowedValues", "AllowedPattern", "MinValue", "MaxValue"} & set(parameter)
        assert constraints, name


# A label would say the same; the console shows the name of a parameter that has none.
WITHOUT_LABEL = {
    "CatalogUpdate",
    "Compression",
    "Engine",
    "ExecutionClass",
    "GlueVersion",
    "MapsAs",
    "NumberOfWorkers",
    "WorkerType",
}


@TEMPLATES
def test_every_parameter_is_in_the_form_once_with_a_label(template: dict[str, Any]) -> None:
    form = template["Metadata"]["AWS::CloudFormation::Interface"]
    shown = [name for group in form["ParameterGroups"] for name in group["Parameters"]]
    named = WITHOUT_LABEL & set(shown)
    assert sorted(shown) == sorted(template["Parameters"])
    assert sorted(shown) == sorted([*form["ParameterLabels"], *named])
    assert all(group["Label"]["default"] for group in form["ParameterGroups"])


@TEMPLATES
def test_every_default_satisfies_its_constraint(template: dict[str, Any]) -> None:
    for name, parameter in template["Parameters"].items():
        if "Default" not in parameter:
            continue
        default = str(parameter["Default"])
        assert default in parameter.get("AllowedValues", [default]), name
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), default), name
        if parameter["Type"] == "Number":
            assert parameter["MinValue"] <= float(default) <= parameter["MaxValue"], name


@TEMPLATES
def test_every_output_is_described(template: dict[str, Any]) -> None:
    assert template["Outputs"]
    assert all(output["Description"] for output in template["Outputs"].values())


@TEMPLATES
def test_arns_name_no_partition_region_or_account(template: dict[str, Any]) -> None:
    """So that the same file deploys in aws-cn and aws-us-gov."""
    resources = json.dumps({**template["Resources"], **template["Outputs"]})
    assert not re.search(r"arn:aws|\d{12}|us-[a-z]+-\d", resources)

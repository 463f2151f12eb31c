"""Parameters are checked before any AWS call, by the rules of the shipped templates."""

from __future__ import annotations

from typing import Any

import pytest
from deployed import parsed

from dynoexport import limits, naming
from dynoexport.cloudformation import form
from dynoexport.cloudformation.check import ParameterRefused, check_parameters
from dynoexport.cloudformation.parameters import common_groups, table_groups
from dynoexport.errors import ScheduleRefused

TABLE = table_groups()
COMMON = common_groups()
PARAMETERS = {
    field.parameter.title: field.parameter for group in (*TABLE, *COMMON) for field in group.fields
}
TEMPLATES = {**parsed("table.yaml")["Parameters"], **parsed("common.yaml")["Parameters"]}

# For each parameter: values that are fine, and values that are not.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "TableName": (
        ["abc", "My-Orders.v2", "T" * naming.table_name_max()],
        ["", "ab", "no spaces", "größe", "T" * (naming.table_name_max() + 1), "Reviews\n"],
    ),
    "OutputFormat": (["csv", "parquet"], ["CSV", "cs", "csv ", ""]),
    "CatalogPrefix": (["", "a", "_1_b"], ["1a", "A", "a-b", "a" * (naming.CATALOG_PREFIX_MAX + 1)]),
    "CatalogUpdate": (["crawler", "direct"], ["", "Direct", "none"]),
    "Schedule": (
        ["cron(0 10 * * ? *)", "cron(0/15 * ? * MON-FRI *)"],
        ["", "rate(1 day)", "cron(0 10 * * ?)", "cron(* 10 * * ? *)", "cron(0/4 * * * ? *)"],
    ),
    "ScheduleState": (["ENABLED", "DISABLED"], ["enabled", "on"]),
    "MaxConsumedReadThroughput": (
        ["0.001", ".25", "1", "1.0"],
        ["0", "1.01", "-0.1", "nan", ".", ""],
    ),
    "Splits": (["0", "1000000"], ["-1", "1000001", "many", "1_000", " 7", "7\n", "\u0667", "inf"]),
    "WorkerType": (["G.1X", "G.8X"], ["G.025X", "Standard"]),
    "NumberOfWorkers": (["2", "299"], ["1", "300"]),
    "GlueVersion": (["2.0", "5.1", "6.0"], ["1.0", "5", "7.0"]),
    "ReadMode": (["connector", "native", "export"], ["scan", ""]),
    "Columns": (
        ["", " ", 'User,"a,b",größe', "a,,", "x" * 2048],
        ["a\nb", "x" * 2049, ",,,", " , "],
    ),
    "Exclude": (["", "Email", '" Email"', '","'], ["a\rb", "x" * 2049, ","]),
    "Where": (["", "rating >= 4 AND user LIKE '%a'"], ["a\n= 1", "x" * 2049]),
    "TypeConflicts": (["string", "columns"], ["text"]),
    "MapsAs": (["struct", "map"], ["json"]),
    "MaxStructFields": (["1", "10000"], ["0", "10001"]),
    "Engine": (["spark", "python"], ["Spark", "ray", ""]),
    "MaxCapacity": (["0.0625", "1"], ["0.5", "1.0", ""]),
    "ExecutionClass": (["STANDARD", "FLEX"], ["flex", "SPOT", ""]),
    "Compression": (["snappy", "zstd", "gzip"], ["lzo", ""]),
    "SnapshotRetentionDays": (["0", "36500"], ["-1", "36501"]),
    "MaxRetries": (["0", "10"], ["-1", "11"]),
    "TimeoutMinutes": (["1", "10080"], ["0", "10081"]),
    "MaxRunMinutes": (["0", "10080"], ["-1", "10081"]),
    "MaxSnapshotAgeHours": (["0", "168"], ["-1", "169"]),
    "NotifyOnFailure": (["true", "false"], ["True", "yes"]),
    "SourceRoleArn": (
        ["", "arn:aws:iam::123456789012:role/path/of-a.role"],
        ["reader", "arn:aws:iam::123456789012:user/ada", "arn:aws:iam::123456789012:role/*"],
    ),
    "PermissionsBoundaryArn": (
        ["", "arn:aws:iam::123456789012:policy/a/b+c", "arn:aws:iam::aws:policy/PowerUserAccess"],
        ["limits", "arn:aws:iam::123456789012:role/r", "arn:aws:iam::123456789012:policy/*"],
    ),
    "ConnectionName": (["", "inside_vpc-1"], ["a b", "a/b", "*", "c" * 256]),
    "CommonStackName": (["dynoexport-common", "a"], ["", "1a", "a_b", "a" * 129]),
    "UseKmsKey": (["true", "false"], ["TRUE", ""]),
    "ScriptsVersion": (["current", "v2.0_a-b"], ["", "a/b", "a" * 65]),
    "NotificationEmail": (["", "ada@example.org"], ["ada", "ada@example", "a b@example.org"]),
    "TableKeyArn": (
        ["", "arn:aws:kms:eu-west-1:123456789012:key/1-a"],
        ["arn:aws:kms:eu-west-1:123456789012:alias/aws/dynamodb", "mine"],
    ),
    "CatalogKeyArn": (
        ["", "arn:aws:kms:eu-west-1:123456789012:key/1-a"],
        ["arn:aws:kms:eu-west-1:123456789012:alias/aws/glue", "*"],
    ),
    "KmsKeyArn": (
        ["", "arn:aws-cn:kms:cn-north-1:123456789012:key/1-a"],
        ["arn:aws:kms:eu-west-1:123456789012:alias/mine", "1-a"],
    ),
}


def groups_of(name: str) -> Any:
    """The form that has the parameter."""
    return TABLE if any(name == f.parameter.title for g in TABLE for f in g.fields) else COMMON


def test_every_parameter_has_its_cases() -> None:
    assert set(CASES) == set(PARAMETERS) == set(TEMPLATES)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (fine, _) in CASES.items() for value in fine]
)
def test_a_value_that_fits_is_taken(name: str, value: str) -> None:
    check_parameters(groups_of(name), {name: value})


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (_, bad) in CASES.items() for value in bad]
)
def test_a_value_that_does_not_fit_is_refused_in_the_words_of_the_template(
    name: str, value: str
) -> None:
    """The command and CloudFormation's console show the same words."""
    assert form.refusal(PARAMETERS[name], value) == TEMPLATES[name]["ConstraintDescription"]


@pytest.mark.parametrize("name", [name for name in CASES if "Default" in TEMPLATES[name]])
def test_the_default_of_a_parameter_fits(name: str) -> None:
    assert form.refusal(PARAMETERS[name], str(TEMPLATES[name]["Default"])) is None


# --- what is said ---------------------------------------------------------------------------------
def test_a_refused_value_is_named_with_what_the_parameter_takes() -> None:
    with pytest.raises(ParameterRefused) as refused:
        check_parameters(TABLE, {"Splits": "7", "NumberOfWorkers": "1"})
    assert refused.value.what == "NumberOfWorkers is '1'"
    assert refused.value.hint == (
        f"it must be {limits.GLUE_WORKERS_MIN} to {limits.GLUE_WORKERS_MAX}"
    )
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("splits", "Splits"),
        ("NumberOfWorker", "NumberOfWorkers"),
        ("Timeout", "TimeoutMinutes"),
        ("Throughput", "MaxConsumedReadThroughput"),
    ],
)
def test_a_parameter_that_does_not_exist_is_guessed(name: str, near: str) -> None:
    with pytest.raises(ParameterRefused) as refused:
        check_parameters(TABLE, {name: "7"})
    assert refused.value.what == f"there is no parameter {name}"
    assert refused.value.hint == f"did you mean {near}?"


def test_without_a_guess_all_parameters_are_listed() -> None:
    """Those of this template, not those of the other one."""
    with pytest.raises(ParameterRefused) as refused:
        check_parameters(COMMON, {"xyz": "7"})
    assert refused.value.hint == "the parameters are KmsKeyArn, NotificationEmail"


def test_a_parameter_of_the_other_stack_is_refused() -> None:
    with pytest.raises(ParameterRefused, match="there is no parameter KmsKeyArn"):
        check_parameters(TABLE, {"KmsKeyArn": ""})


def test_a_schedule_that_never_fires_is_refused_beyond_the_pattern() -> None:
    """The template cannot decide it, dynoexport.workflow.schedule can."""
    never = "cron(0 10 30 2 ? *)"
    assert form.refusal(PARAMETERS["Schedule"], never) is None
    with pytest.raises(ScheduleRefused):
        check_parameters(TABLE, {"Schedule": never})


def test_nothing_given_is_nothing_refused() -> None:
    check_parameters(TABLE, {})

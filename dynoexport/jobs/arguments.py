"""The arguments that Glue passes to a job, and what a run overrides."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.names import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mypy_boto3_glue import GlueClient

GLUE_ARGUMENTS = ("JOB_NAME", "JOB_RUN_ID", "WORKFLOW_NAME", "WORKFLOW_RUN_ID")
# A deployment may leave these empty.
MAY_BE_EMPTY = ("CatalogPrefix", "Columns", "Exclude", "Where", "SourceRoleArn", "KmsKeyArn")


def parse_arguments(argv: Sequence[str], declared: Sequence[str]) -> dict[str, str]:
    """The declared arguments and Glue's own, by name.

    Arguments that are neither are ignored. Glue's own are empty if they are missing.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in declared:
        # An empty value may arrive as no value, or not at all.
        required = name not in MAY_BE_EMPTY
        parser.add_argument(f"--{name}", nargs="?", const="", default="", required=required)
    for name in GLUE_ARGUMENTS:
        parser.add_argument(f"--{name}", default="")
    known, _ = parser.parse_known_args(join_flag_values(argv, (*declared, *GLUE_ARGUMENTS)))
    return vars(known)


def join_flag_values(argv: Sequence[str], names: Iterable[str]) -> list[str]:
    """The words with each value joined to its argument's name.

    Glue passes them as two words, and a table or a predicate may begin with "-" like an option.
    """
    flags = {f"--{name}" for name in names}
    words: list[str] = []
    for word in argv:
        if words and words[-1] in flags and word not in flags:
            words[-1] = f"{words[-1]}={word}"
        else:
            words.append(word)
    return words


def run_properties(glue: GlueClient, arguments: Mapping[str, str]) -> dict[str, str]:
    """The properties of the workflow run that started this job.

    Raises:
        JobFailed: no workflow run started it.
    """
    if not arguments["WORKFLOW_RUN_ID"]:
        raise JobFailed("this job runs only inside its workflow: start a run of the workflow")
    name, run_id = arguments["WORKFLOW_NAME"], arguments["WORKFLOW_RUN_ID"]
    return glue.get_workflow_run_properties(Name=name, RunId=run_id)["RunProperties"]


def apply_overrides(
    arguments: Mapping[str, str], properties: Mapping[str, str], overridable: Iterable[str]
) -> dict[str, str]:
    """The arguments, replaced by the run's properties where a run may override them.

    Raises:
        JobFailed: the run names another table or format than this job was deployed for.
    """
    for name in IDENTITY:
        if properties.get(name, arguments[name]) != arguments[name]:
            raise JobFailed(
                f"the run property {name} is {properties[name]!r}, but this job exports "
                f"{arguments[name]!r}: start the workflow that exports {properties[name]!r}"
            )
    return {
        **arguments,
        **{name: properties[name] for name in overridable if name in properties},
    }


def parse_number(
    values: Mapping[str, str], name: str, low: float, high: float, kind: Callable[[str], float]
) -> float:
    """The setting as a number of the kind, from ``low`` to ``high``.

    Raises:
        JobFailed: it is not such a number.
    """
    try:
        value = kind(values[name])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        what = "a whole number" if kind is int else "a number"
        raise JobFailed(f"{name} is {values[name]!r}, but must be {what} from {low} to {high}")
    return value


def parse_choice(values: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    """The setting, one of the allowed ones.

    Raises:
        JobFailed: it has another value.
    """
    if values[name] not in allowed:
        raise JobFailed(f"{name} is {values[name]!r}, but must be one of {', '.join(allowed)}")
    return values[name]

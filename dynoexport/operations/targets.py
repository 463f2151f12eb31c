"""Targets of a deployment: a table's stack as it is, and as it will be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dynoexport import assets, naming, settings
from dynoexport.aws import change_sets
from dynoexport.cloudformation import parameters as forms
from dynoexport.model import ScheduleState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynoexport.aws.account import Account
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.model import OutputFormat


@dataclass(frozen=True)
class Target:
    """A table's stack as it is and as it will be.

    ``described`` is DescribeTable's answer; empty for a table in another account.
    """

    table: str
    format: OutputFormat
    stack: change_sets.Stack
    known: Mapping[str, Any] | None
    before: DeployedExport | None
    described: Mapping[str, Any] = field(default_factory=dict)

    @property
    def own(self) -> Mapping[str, str]:
        """The current parameters of the stack; empty if there is no stack."""
        return _own(self.known)

    def value(self, name: str, default: str = "") -> str:
        """A parameter as it will be: the given value, the current one, or the default."""
        given = self.stack.parameters.get(name)
        return self.own.get(name, default) if given is None else given

    @property
    def parameters(self) -> Mapping[str, str]:
        """All parameters as they will be, except those with their default."""
        return {name: self.value(name) for name in {**self.own, **self.stack.parameters}}

    @property
    def export(self) -> naming.Export:
        return naming.Export(self.table, self.format, self.value(settings.CATALOG_PREFIX))

    @property
    def schedule(self) -> str:
        return self.value(settings.SCHEDULE, settings.DEFAULT_SCHEDULE)

    @property
    def is_scheduled(self) -> bool:
        state = self.value(settings.SCHEDULE_STATE, settings.DEFAULT_SCHEDULE_STATE.value)
        return state == ScheduleState.ENABLED.value

    def with_parameters(self, values: Mapping[str, str]) -> Target:
        """The target with these parameters, too."""
        stack = replace(self.stack, parameters={**self.stack.parameters, **values})
        return replace(self, stack=stack)


def resolve_target(
    account: Account,
    export: naming.Export,
    given: Mapping[str, str],
    common: Mapping[str, str],
    known: Sequence[DeployedExport],
) -> Target:
    """The stack of an export: the stack of a ``known`` export, else the one with its name.

    Raises:
        DeployFailed: that stack belongs to something else.
    """
    before = next((candidate for candidate in known if is_of(candidate, export)), None)
    name = before.stack if before else naming.table_stack(export.table, export.format.value)
    stack = change_sets.describe(account.cloudformation, name)
    if stack is not None:
        _check_owner(stack, export)
    values = _parameters(export, given, common, stack)
    wanted = change_sets.Stack(name, assets.template("table.yaml"), values)
    return Target(export.table, export.format, wanted, stack, before)


def with_table_key(target: Target, given: Mapping[str, str]) -> Target:
    """The target with the KMS key of the table, unless a key is given.

    DescribeTable also names the AWS managed key of the account. That key needs no permission, and
    a grant on it does no harm.
    """
    if settings.TABLE_KEY_ARN in given:
        return target
    encryption = target.described.get("Table", {}).get("SSEDescription", {})
    return target.with_parameters({settings.TABLE_KEY_ARN: encryption.get("KMSMasterKeyArn", "")})


def is_of(deployed: DeployedExport, export: naming.Export) -> bool:
    return (deployed.table, deployed.format) == (export.table, export.format)


def _own(stack: Mapping[str, Any] | None) -> dict[str, str]:
    if stack is None or change_sets.is_only_a_name(stack):
        return {}
    return change_sets.read_parameters(stack)


def _check_owner(stack: Mapping[str, Any], export: naming.Export) -> None:
    own = change_sets.read_parameters(stack)
    theirs = (own.get(settings.TABLE_NAME), own.get(settings.OUTPUT_FORMAT))
    wanted = (export.table, export.format.value)
    if theirs != wanted and not change_sets.is_only_a_name(stack):
        raise change_sets.DeployFailed(
            f"stack {stack['StackName']} does not belong to {export.table} ({export.format.value})",
            hint="delete it, because this export needs its name",
        )


def _parameters(
    export: naming.Export,
    given: Mapping[str, str],
    common: Mapping[str, str],
    stack: Mapping[str, Any] | None,
) -> dict[str, str | None]:
    """Current values, then those that follow from the common stack, then the given ones."""
    groups = forms.table_groups()
    existing = {field.parameter.title for group in groups for field in group.fields}
    own = _own(stack)
    kept: dict[str, str | None] = {name: None for name in own if name in existing}
    if not own:
        kept[settings.NOTIFY_ON_FAILURE] = "true" if "TopicArn" in common else "false"
    return {
        **kept,
        settings.TABLE_NAME: export.table,
        settings.OUTPUT_FORMAT: export.format.value,
        settings.COMMON_STACK_NAME: common[settings.COMMON_STACK_NAME],
        settings.SCRIPTS_VERSION: common[settings.SCRIPTS_VERSION],
        settings.USE_KMS_KEY: "true" if "KmsKeyArn" in common else "false",
        **given,
    }

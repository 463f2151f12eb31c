"""``deploy``: the stack of each table, checked before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from dynoexport import assets, change_sets, exports, limits, naming, settings
from dynoexport.change_sets import ignore
from dynoexport.errors import DynoexportError
from dynoexport.model import Compression, OutputFormat, ReadMode, ScheduleState
from dynoexport.operations import alarms
from dynoexport.operations import plan as planning
from dynoexport.operations import tables as tables_of
from dynoexport.operations.init import apply
from dynoexport.sizing import Wishes
from dynoexport.stacks import parameters as forms
from dynoexport.stacks.check import ParameterRefused, check_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynoexport.aws import Account
    from dynoexport.change_sets import ChangeSet, Event
    from dynoexport.exports import DeployedExport
    from dynoexport.sizing import Choice

# What an argument of its own decides.
_DECIDED = frozenset({settings.TABLE_NAME, settings.OUTPUT_FORMAT, forms.COMMON_STACK_NAME})


class NotInitialized(DynoexportError):
    """The common stack or the job scripts are not there yet."""


class GlueVersionEnded(DynoexportError):
    """A Glue version on which AWS runs no jobs any more."""


class SettingsRefused(DynoexportError):
    """Parameters that exclude each other; the template's rules say the same."""

    exit_code = 2


class NoRecovery(DynoexportError):
    """A table that DynamoDB cannot export, for want of point-in-time recovery."""


@dataclass(frozen=True)
class Deployment:
    """What became of one table's stack: ``created``, ``updated`` or ``unchanged``.

    ``notes`` are what its owner should know, a sentence each.
    """

    table: str
    format: OutputFormat
    stack: str
    workflow: str
    outcome: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Target:
    """A table's stack as it is and as it is to be."""

    table: str
    format: OutputFormat
    stack: change_sets.Stack
    known: Mapping[str, Any] | None
    before: DeployedExport | None

    @property
    def own(self) -> Mapping[str, str]:
        """The parameters that the stack has; none if there is no stack."""
        return change_sets.parameters_of(self.known) if self.known else {}

    def with_parameters(self, values: Mapping[str, str]) -> _Target:
        """The target with these parameters besides."""
        stack = replace(self.stack, parameters={**self.stack.parameters, **values})
        return replace(self, stack=stack)


def deploy(
    account: Account,
    *tables: str,
    fmt: OutputFormat | None = None,
    schedule: str | None = None,
    enabled: bool | None = None,
    parameters: Mapping[str, str] | None = None,
    auto: bool = False,
    common_stack: str = settings.DEFAULT_COMMON_STACK,
    approve: Callable[[Sequence[ChangeSet]], bool] = lambda _: True,
    on_event: Callable[[Event], None] = ignore,
    on_choices: Callable[[str, Sequence[Choice]], None] = lambda _, __: None,
) -> list[Deployment]:
    """Create or update the stack of each table.

    What is not given keeps the value that the stack has, the template's default in a new one.
    Everything is checked for all tables before the first stack is touched. ``fmt`` None is the
    format in which a table is exported already, parquet if it is not. ``enabled`` None leaves
    the schedule's trigger as it is, whatever the stack's parameter says. ``auto`` sizes each job as
    ``plan`` recommends it, but for what is given; ``on_choices`` is told what was chosen, and why.

    Raises:
        ParameterRefused, ScheduleRefused: a parameter does not exist or take that value.
        NoTable: DynamoDB has no such table.
        NameRefused: a name cannot work, or another export owns it.
        GlueVersionEnded: AWS runs no jobs on that Glue version any more.
        SettingsRefused: two parameters exclude each other, or nobody could be told.
        NoRecovery: ReadMode is export, and the table has no point-in-time recovery.
        NotInitialized: ``init`` comes first.
        Declined: ``approve`` said no.
        DeployFailed: a stack could not be created or updated, with the first resource's reason.
    """
    given = _given(schedule, enabled, parameters)
    check_parameters(forms.table_groups(settings.DEFAULT_GLUE_VERSION), given)
    _check_glue_version(given.get(settings.GLUE_VERSION), datetime.now(timezone.utc).date())
    common = _common(account, common_stack)
    known = exports.find_all(account)
    wanted = [
        naming.Export(table, _format(table, fmt, known), given.get(settings.CATALOG_PREFIX, ""))
        for table in dict.fromkeys(tables)
    ]
    for export in wanted:
        naming.check(export)
    targets = [_target(account, export, given, common, known) for export in wanted]
    for target in targets:
        _check_table(account, target, auto=auto)
    if auto:
        targets = [_sized(account, target, given, on_choices) for target in targets]
    if "TopicArn" in common:
        targets = [_alarmed(target, given) for target in targets]
    _check_names(targets, known)
    for target in targets:
        _check_settings(account, target)
        _check_connection(account, target)
        _check_topic(target, common)
    triggers = {target.table: _trigger_is_on(account, target.before) for target in targets}
    starting = [
        each
        for each in targets
        if _is_watched(each) and not (triggers[each.table] and _was_watched(each))
    ]

    def approve_and_start_clocks(prepared: Sequence[ChangeSet]) -> bool:
        # An alarm that finds no snapshot goes off as soon as it is there.
        approved = approve(prepared)
        for each in starting if approved else ():
            alarms.start_clock(account, each.table, each.format.value)
        return approved

    changed = apply(
        account,
        [target.stack for target in targets],
        approve=approve_and_start_clocks,
        on_event=on_event,
    )
    done = [_deployment(account, target, changed, common) for target in targets]
    for deployment in done:
        _settle_trigger(account, deployment, triggers[deployment.table], enabled)
    return done


# --- parameters -----------------------------------------------------------------------------------
def _given(
    schedule: str | None, enabled: bool | None, parameters: Mapping[str, str] | None
) -> dict[str, str]:
    given = dict(parameters or {})
    for name in sorted(_DECIDED & set(given)):
        raise ParameterRefused(f"{name} is not set as a parameter", hint="it has its own option")
    if schedule is not None:
        given[forms.SCHEDULE] = schedule
    if enabled is not None:
        state = ScheduleState.ENABLED if enabled else ScheduleState.DISABLED
        given[forms.SCHEDULE_STATE] = state.value
    return given


def _check_glue_version(version: str | None, today: date) -> None:
    end = limits.GLUE_END_OF_LIFE.get(version or "")
    if end is not None and end <= today:
        raise GlueVersionEnded(
            f"AWS runs no jobs on Glue {version} since {end.isoformat()}",
            hint=f"leave GlueVersion out, which means {settings.DEFAULT_GLUE_VERSION.value}",
        )


def _common(account: Account, stack: str) -> dict[str, str]:
    """The common stack's outputs.

    Raises:
        NotInitialized: there is none, or the scripts of this version are not in its bucket.
    """
    try:
        common = change_sets.outputs(account.cloudformation, stack)
    except change_sets.NoStack:
        raise NotInitialized(
            f"there is no stack {stack} in {account.region}", hint="run first: dynoexport init"
        ) from None
    version = assets.scripts_version()
    prefix = naming.script_key("", version)
    found = account.s3.list_objects_v2(Bucket=common["BucketName"], Prefix=prefix)
    if found["KeyCount"] < len(assets.scripts()):
        raise NotInitialized(
            f"the job scripts of this version, {version}, are not in the bucket",
            hint="publish them: dynoexport init",
        )
    return {**common, forms.COMMON_STACK_NAME: stack, settings.SCRIPTS_VERSION: version}


def _format(table: str, fmt: OutputFormat | None, known: Sequence[DeployedExport]) -> OutputFormat:
    if fmt is not None:
        return fmt
    formats = [export.format for export in known if export.table == table]
    if len(formats) > 1:
        shown = " and ".join(each.value for each in formats)
        raise exports.AmbiguousExport(f"{table} is exported as {shown}", hint="add --format")
    return formats[0] if formats else settings.DEFAULT_FORMAT


# --- what the tables' stacks are to be ------------------------------------------------------------
def _check_table(account: Account, target: _Target, *, auto: bool) -> None:
    """See that the table is there, unless it is another account's.

    That one is seen by its role alone, which trusts the job's.
    """
    if not _value(target, settings.SOURCE_ROLE, ""):
        tables_of.describe(account, target.table)
    elif auto:
        raise SettingsRefused(
            f"{target.table}: --auto cannot see a table of another account",
            hint="plan it there, and give NumberOfWorkers and the others yourself",
        )


def _target(
    account: Account,
    export: naming.Export,
    given: Mapping[str, str],
    common: Mapping[str, str],
    known: Sequence[DeployedExport],
) -> _Target:
    before = next((each for each in known if _same(each, export)), None)
    name = before.stack if before else naming.table_stack(export.table, export.format.value)
    stack = change_sets.describe(account.cloudformation, name)
    if stack is not None:
        _check_owner(stack, export)
    values = _parameters(export, given, common, stack)
    wanted = change_sets.Stack(name, assets.template("table.yaml"), values)
    return _Target(export.table, export.format, wanted, stack, before)


def _same(one: DeployedExport, other: naming.Export) -> bool:
    return (one.table, one.format) == (other.table, other.format)


def _check_owner(stack: Mapping[str, Any], export: naming.Export) -> None:
    own = change_sets.parameters_of(stack)
    theirs = (own.get(settings.TABLE_NAME), own.get(settings.OUTPUT_FORMAT))
    if stack["StackStatus"] != "ROLLBACK_COMPLETE" and theirs != (
        export.table,
        export.format.value,
    ):
        raise change_sets.DeployFailed(
            f"the stack {stack['StackName']} is not that of {export.table} ({export.format.value})",
            hint="delete or rename it: its name is the one this export needs",
        )


def _parameters(
    export: naming.Export,
    given: Mapping[str, str],
    common: Mapping[str, str],
    stack: Mapping[str, Any] | None,
) -> dict[str, str | None]:
    """Kept values, then those that follow from the common stack, then those that were given."""
    groups = forms.table_groups(settings.DEFAULT_GLUE_VERSION)
    existing = {field.parameter.title for group in groups for field in group.fields}
    there = stack is not None and stack["StackStatus"] != "ROLLBACK_COMPLETE"
    own = change_sets.parameters_of(stack) if stack is not None and there else {}
    kept: dict[str, str | None] = {name: None for name in own if name in existing}
    if not there:
        kept[forms.NOTIFY_ON_FAILURE] = "true" if "TopicArn" in common else "false"
    return {
        **kept,
        settings.TABLE_NAME: export.table,
        settings.OUTPUT_FORMAT: export.format.value,
        forms.COMMON_STACK_NAME: common[forms.COMMON_STACK_NAME],
        settings.SCRIPTS_VERSION: common[settings.SCRIPTS_VERSION],
        forms.USE_KMS_KEY: "true" if "KmsKeyArn" in common else "false",
        **given,
    }


def _sized(
    account: Account,
    target: _Target,
    given: Mapping[str, str],
    on_choices: Callable[[str, Sequence[Choice]], None],
) -> _Target:
    """The target with the parameters that a plan recommends and nobody has given."""
    of_stack = {
        name: _value(target, name, default)
        for name, default in (
            (settings.READ_MODE, settings.DEFAULT_READ_MODE.value),
            (settings.GLUE_VERSION, settings.DEFAULT_GLUE_VERSION.value),
        )
    }
    asked = {name: given[name] for name in planning.SETTINGS if name in given}
    wishes = planning.wishes_of({**of_stack, **asked}, Wishes(format=target.format))
    found = planning.recommendation(
        account,
        target.table,
        wishes=wishes,
        every=_value(target, forms.SCHEDULE, settings.DEFAULT_SCHEDULE),
    )
    chosen = [each for each in found.choices if each.setting not in given]
    on_choices(target.table, chosen)
    return target.with_parameters({each.setting: each.value for each in chosen})


def _alarmed(target: _Target, given: Mapping[str, str]) -> _Target:
    """The target with the limits that follow from its schedule and nobody has given."""
    wanted = {name: value for name, value in target.stack.parameters.items() if value is not None}
    found = alarms.undecided(wanted, target.own, now=datetime.now(timezone.utc))
    return target.with_parameters(
        {name: value for name, value in found.items() if name not in given}
    )


def _check_names(targets: Sequence[_Target], known: Sequence[DeployedExport]) -> None:
    """Refuse targets that would own a catalog name of each other or of another export."""
    wanted = [naming.Export(target.table, target.format, _prefix(target)) for target in targets]
    others = [export.export for export in known if not any(_same(export, each) for each in wanted)]
    naming.check_all([*others, *wanted])


def _prefix(target: _Target) -> str:
    return _value(target, settings.CATALOG_PREFIX, "")


def _value(target: _Target, name: str, default: str) -> str:
    """The parameter that the stack will have: the one given, the one that it has, the default."""
    given = target.stack.parameters.get(name)
    if given is not None:
        return given
    return target.own.get(name, default)


def _check_settings(account: Account, target: _Target) -> None:
    """Refuse what the export job would refuse, after its minutes of starting.

    Raises:
        SettingsRefused: two parameters exclude each other.
        NoRecovery: DynamoDB cannot export the table.
    """
    if _value(target, settings.COLUMNS, "") and _value(target, settings.EXCLUDE, ""):
        raise SettingsRefused(
            f"{target.table}: Columns and Exclude are both set",
            hint="reset one of them: --columns '' or --exclude ''",
        )
    version = _value(target, settings.GLUE_VERSION, settings.DEFAULT_GLUE_VERSION.value)
    compression = _value(target, settings.COMPRESSION, settings.DEFAULT_COMPRESSION.value)
    if compression == Compression.ZSTD.value:
        without = version in limits.GLUE_VERSIONS_WITHOUT_ZSTD
        if without or target.format.value in limits.FORMATS_WITHOUT_ZSTD:
            where = f"Glue {version}" if without else target.format.value
            raise SettingsRefused(
                f"{target.table}: {where} has no zstd", hint="choose --compression snappy or gzip"
            )
    if _value(target, settings.READ_MODE, "") == ReadMode.EXPORT.value:
        if _value(target, settings.SOURCE_ROLE, ""):
            raise SettingsRefused(
                f"{target.table}: ReadMode export takes no SourceRoleArn",
                hint="choose --read-mode native",
            )
        _check_recovery(account, target.table)


def _check_connection(account: Account, target: _Target) -> None:
    name = _value(target, forms.CONNECTION_NAME, "")
    if not name:
        return
    try:
        account.glue.get_connection(Name=name, HidePassword=True)
    except account.glue.exceptions.EntityNotFoundException:
        raise SettingsRefused(
            f"{target.table}: there is no Glue connection {name} in {account.region}",
            hint="create it, of type NETWORK, or reset it: --set ConnectionName=",
        ) from None


def _is_watched(target: _Target) -> bool:
    """Whether an alarm will miss snapshots."""
    limit = _value(target, forms.MAX_SNAPSHOT_AGE_HOURS, "0")
    state = _value(target, forms.SCHEDULE_STATE, settings.DEFAULT_SCHEDULE_STATE.value)
    return float(limit) > 0 and state == ScheduleState.ENABLED.value


def _was_watched(target: _Target) -> bool:
    return float(target.own.get(forms.MAX_SNAPSHOT_AGE_HOURS, 0)) > 0


def _check_topic(target: _Target, common: Mapping[str, str]) -> None:
    """Refuse alarms that nobody would hear, which CloudFormation refuses less plainly."""
    switches = (forms.NOTIFY_ON_FAILURE, forms.MAX_RUN_MINUTES, forms.MAX_SNAPSHOT_AGE_HOURS)
    on = [name for name in switches if _value(target, name, "0") not in {"0", "false"}]
    if on and "TopicArn" not in common:
        raise SettingsRefused(
            f"{target.table}: {on[0]} needs a topic, and the common stack has none",
            hint="give it one: dynoexport init --set NotificationEmail=...",
        )


def _check_recovery(account: Account, table: str) -> None:
    if not tables_of.recovers(account, table):
        raise NoRecovery(
            f"{table} has no point-in-time recovery, which ReadMode export needs",
            hint=f"aws dynamodb update-continuous-backups --table-name {table} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
        )


# --- afterwards -----------------------------------------------------------------------------------
def _deployment(
    account: Account, target: _Target, changed: Sequence[str], common: Mapping[str, str]
) -> Deployment:
    outcome = "unchanged"
    if target.stack.name in changed:
        outcome = "updated" if target.known else "created"
    outputs = change_sets.outputs(account.cloudformation, target.stack.name)
    return Deployment(
        target.table,
        target.format,
        target.stack.name,
        outputs["WorkflowName"],
        outcome,
        _notes(target) if "TopicArn" in common else (),
    )


def _notes(target: _Target) -> tuple[str, ...]:
    when = _value(target, forms.SCHEDULE, settings.DEFAULT_SCHEDULE)
    hours = _value(target, forms.MAX_SNAPSHOT_AGE_HOURS, "0")
    note = alarms.note(when, float(hours), now=datetime.now(timezone.utc))
    return () if note is None else (f"{target.table}: {note}",)


def _trigger_is_on(account: Account, export: DeployedExport | None) -> bool | None:
    """Whether the schedule's trigger is active; None if there is none."""
    if export is None:
        return None
    try:
        trigger = account.glue.get_trigger(Name=export.start_trigger)["Trigger"]
    except account.glue.exceptions.EntityNotFoundException:
        return None
    return trigger.get("State") == "ACTIVATED"


def _settle_trigger(
    account: Account,
    deployment: Deployment,
    before: bool | None,
    wanted: bool | None,
) -> None:
    """Leave the schedule as it was, or as it is wanted now.

    A stack's parameter decides about a new trigger only; ``enable`` and ``disable`` have changed
    an old one since.
    """
    state = wanted if wanted is not None else before
    if state is None:
        return
    fmt = deployment.format.value
    alarms.give_voice(account, deployment.table, fmt, speaks=state)
    name = naming.start_trigger(deployment.workflow)
    is_on = account.glue.get_trigger(Name=name)["Trigger"].get("State") == "ACTIVATED"
    if state and not is_on:
        account.glue.start_trigger(Name=name)
    elif is_on and not state:
        account.glue.stop_trigger(Name=name)

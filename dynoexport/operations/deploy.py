"""``deploy``: create or update the stack of each table, after every check."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dynoexport import assets, limits, naming, settings
from dynoexport.aws import change_sets, exports
from dynoexport.aws.change_sets import ignore
from dynoexport.aws.errors import is_denied
from dynoexport.aws.several_stacks import apply
from dynoexport.cloudformation import options
from dynoexport.cloudformation import parameters as forms
from dynoexport.cloudformation.check import ParameterRefused, check_parameters
from dynoexport.errors import DynoexportError
from dynoexport.model import ExportResult, OutputFormat, ScheduleState, described
from dynoexport.operations import alarms, catalog_key, checks
from dynoexport.operations import plan as planning
from dynoexport.operations.catalog_key import with_catalog_key
from dynoexport.operations.sampling import connector_warning
from dynoexport.operations.savings import savings_note
from dynoexport.operations.targets import Target, resolve_target, with_table_key
from dynoexport.planning import cheapest_way, table_facts
from dynoexport.planning.sizing import PlanRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynoexport.aws.account import Account
    from dynoexport.aws.change_sets import ChangeSet, Event
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.planning.sizing import Choice

# Parameters that have an argument of their own.
_DECIDED = {
    settings.TABLE_NAME: "name the table as an argument",
    settings.OUTPUT_FORMAT: "use --format",
    settings.COMMON_STACK_NAME: "use --common-stack",
}

# Parameters that --auto chooses anew in every deploy.
_SIZES = frozenset(
    {
        settings.WORKER_TYPE,
        settings.NUMBER_OF_WORKERS,
        settings.MAX_CAPACITY,
        settings.SPLITS,
        settings.MAX_READ,
        settings.TIMEOUT_MINUTES,
    }
)


class NotInitialized(DynoexportError):
    """The common stack or the job scripts do not exist yet."""


@dataclass(frozen=True)
class Deployment(ExportResult):
    """The result for one table's stack."""

    stack: str = field(metadata=described("name of the stack"))
    workflow: str = field(metadata=described("name of the workflow"))
    outcome: str = field(metadata=described("created, updated or unchanged"))
    notes: tuple[str, ...] = field(
        default=(),
        metadata=described("list of notes about the export's alarms and cost, each a sentence"),
    )


@dataclass(frozen=True)
class SizingResult:
    """What a plan chose for a table's job, and what it could not find out.

    Attributes:
        unknown: a sentence for each thing that could not be read.
    """

    table: str
    choices: tuple[Choice, ...]
    unknown: tuple[str, ...] = ()


def deploy(
    account: Account,
    *tables: str,
    fmt: OutputFormat | None = None,
    schedule: str | None = None,
    enabled: bool | None = None,
    parameters: Mapping[str, str] | None = None,
    auto: bool = False,
    target_seconds: float | None = None,
    max_dollars: float | None = None,
    sample: bool = True,
    common_stack: str = settings.DEFAULT_COMMON_STACK,
    approve: Callable[[Sequence[ChangeSet]], bool] = lambda _: True,
    on_event: Callable[[Event], None] = ignore,
    on_sized: Callable[[SizingResult], None] = lambda _: None,
    on_warning: Callable[[str], None] = ignore,
) -> list[Deployment]:
    """Create or update the stack of each table.

    Parameters you omit keep their current values; a new stack takes the template's defaults.
    Everything is checked for all tables before the first stack changes. ``fmt`` None is the
    current format of the export, or parquet. ``enabled`` None leaves the schedule's trigger as it
    is, whatever the stack's parameter says. ``auto`` takes the cheapest reader, engine and catalog
    update, and sizes each job, except what is given. An existing export keeps its reader. A run
    takes at most ``target_seconds`` and costs at most ``max_dollars``. ``on_sized`` is called with
    each choice and its reason. ``sample`` reads a page of each table whose reader is the connector;
    ``on_warning`` is called with what that may change.

    Raises:
        ParameterRefused, ScheduleRefused: a parameter does not exist or take that value.
        NoTable: DynamoDB has no such table.
        TableRefused: a table is in a state in which nobody can read it.
        NameRefused: a name cannot work, another export owns it, or a job or crawler has it.
        GlueVersionEnded: AWS no longer runs jobs on that Glue version.
        SettingsRefused: two parameters exclude each other, an alarm has no topic, the reader needs
            a higher read percentage, or ``auto`` plans runs that cannot work, miss the target or
            take capacity that others need.
        NoRecovery: ReadMode is export, and the table has no point-in-time recovery.
        NotInitialized: run ``init`` first.
        Declined: ``approve`` said no.
        DeployFailed: a stack could not be created or updated, with the first resource's reason.
    """
    given = _given(schedule, enabled, parameters)
    common = _common(account, common_stack)
    targets = _targets(account, tables, fmt, given, common)
    key = _catalog_key(account, given, on_warning)
    targets = [with_catalog_key(target, key, given) for target in targets]
    if auto:
        asked = PlanRequest(target_seconds=target_seconds, max_dollars=max_dollars)
        targets = [_sized(account, target, given, asked, on_sized) for target in targets]
    if "TopicArn" in common:
        targets = [alarms.with_limits(target, given) for target in targets]
    for target in targets:
        checks.check_size(target)
        checks.check_settings(account, target)
        checks.check_connection(account, target)
        checks.check_topic(target, common)
    for target in targets if sample else ():
        warning = connector_warning(account, target.table, target.format, target.parameters)
        if warning:
            on_warning(warning)
    triggers = {target.table: _trigger_is_on(account, target.before) for target in targets}
    changed = apply(
        account,
        [_with_place(account, target.stack, common["BucketName"]) for target in targets],
        approve=_then_publish_datapoints(account, targets, triggers, approve),
        on_event=on_event,
    )
    done = [_deployment(account, target, changed, common) for target in targets]
    for deployment in done:
        _settle_trigger(account, deployment, triggers[deployment.table], enabled)
    return done


def _with_place(account: Account, stack: change_sets.Stack, bucket: str) -> change_sets.Stack:
    """The stack; a template that is too long for a request is uploaded to the bucket.

    Its URL is made as ``aws cloudformation deploy --s3-bucket`` makes it:
    https://github.com/aws/aws-cli/blob/develop/awscli/customizations/s3uploader.py
    """
    body = stack.template.encode()
    if len(body) <= limits.TEMPLATE_BODY_MAX_BYTES:
        return stack
    key = naming.template_key(stack.template)
    account.s3.put_object(Bucket=bucket, Key=key, Body=body)
    return replace(stack, template_url=f"{account.s3.meta.endpoint_url}/{bucket}/{key}")


def _then_publish_datapoints(
    account: Account,
    targets: Sequence[Target],
    triggers: Mapping[str, bool | None],
    approve: Callable[[Sequence[ChangeSet]], bool],
) -> Callable[[Sequence[ChangeSet]], bool]:
    """Approve, and publish a datapoint for each new alarm; without one it goes off at once."""

    def approved(prepared: Sequence[ChangeSet]) -> bool:
        if not approve(prepared):
            return False
        for target in targets:
            starts = alarms.starts_to_watch(target, trigger_is_on=triggers[target.table])
            if starts or alarms.moves(account, target.table, target.format.value):
                alarms.publish_zero_datapoint(account, target.table, target.format.value)
        return True

    return approved


# --- parameters -----------------------------------------------------------------------------------
def _given(
    schedule: str | None, enabled: bool | None, parameters: Mapping[str, str] | None
) -> dict[str, str]:
    given = dict(parameters or {})
    for name in sorted(set(_DECIDED) & set(given)):
        raise ParameterRefused(f"{name} cannot be set as a parameter", hint=_DECIDED[name])
    if schedule is not None:
        given[settings.SCHEDULE] = schedule
    if enabled is not None:
        state = ScheduleState.ENABLED if enabled else ScheduleState.DISABLED
        given[settings.SCHEDULE_STATE] = state.value
    check_parameters(forms.table_groups(), given)
    checks.check_glue_version(
        given.get(settings.GLUE_VERSION), today=datetime.now(timezone.utc).date()
    )
    return given


def _common(account: Account, stack: str) -> dict[str, str]:
    """The common stack's outputs.

    Raises:
        NotInitialized: there is none, it has no outputs in its state, or the scripts of this
            version are not in its bucket.
    """
    existing = change_sets.describe(account.cloudformation, stack)
    if existing is None:
        raise NotInitialized(
            f"there is no stack {stack} in {account.region}", hint="run: dynoexport init"
        )
    common = change_sets.read_outputs(existing)
    status = existing["StackStatus"]
    if "BucketName" not in common or status.startswith("DELETE_"):
        wait = status.endswith("_IN_PROGRESS")
        raise NotInitialized(
            f"the common stack {stack} is {status}",
            hint="wait until it has finished" if wait else "run: dynoexport init",
        )
    version = assets.scripts_version()
    prefix = naming.script_key("", version)
    there = account.s3.list_objects_v2(Bucket=common["BucketName"], Prefix=prefix)
    if there["KeyCount"] < len(assets.scripts()):
        raise NotInitialized(
            f"the job scripts of this version, {version}, are not in the bucket",
            hint="upload them: dynoexport init",
        )
    return {**common, settings.COMMON_STACK_NAME: stack, settings.SCRIPTS_VERSION: version}


def _format(table: str, fmt: OutputFormat | None, known: Sequence[DeployedExport]) -> OutputFormat:
    if fmt is not None:
        return fmt
    formats = [export.format for export in known if export.table == table]
    if len(formats) > 1:
        shown = " and ".join(known_format.value for known_format in formats)
        raise exports.AmbiguousExport(
            f"{table} is exported as {shown}", hint="choose one with --format"
        )
    return formats[0] if formats else settings.DEFAULT_FORMAT


# --- what the tables' stacks will be --------------------------------------------------------------
def _targets(
    account: Account,
    tables: Sequence[str],
    fmt: OutputFormat | None,
    given: Mapping[str, str],
    common: Mapping[str, str],
) -> list[Target]:
    known = exports.find_all(account)
    prefix = given.get(settings.CATALOG_PREFIX, "")
    wanted = [
        naming.Export(table, _format(table, fmt, known), prefix) for table in dict.fromkeys(tables)
    ]
    for export in wanted:
        naming.check(export)
    targets = [resolve_target(account, export, given, common, known) for export in wanted]
    targets = [replace(target, described=checks.check_table(account, target)) for target in targets]
    checks.check_names(targets, known)
    for target in targets:
        checks.check_free(account, target)
    return [with_table_key(target, given) for target in targets]


def _catalog_key(
    account: Account, given: Mapping[str, str], on_warning: Callable[[str], None]
) -> str:
    """The key of the Data Catalog for the roles; empty without one, or if the caller may not look.

    A policy of an older version does not allow the look.
    """
    from botocore.exceptions import ClientError

    if settings.CATALOG_KEY_ARN in given:
        return ""
    try:
        key = catalog_key.look_up(account)
    except ClientError as error:
        if not is_denied(error):
            raise
        return ""
    if not catalog_key.is_alias(key):
        return key
    on_warning(
        f"{key} encrypts the Data Catalog: allow the roles to use its key with "
        f"--set {settings.CATALOG_KEY_ARN}=ARN, which names the key and not the alias"
    )
    return ""


def _sized(
    account: Account,
    target: Target,
    given: Mapping[str, str],
    asked: PlanRequest,
    on_sized: Callable[[SizingResult], None],
) -> Target:
    """The target with the cheapest way and the sizes that a plan recommends; given ones stay.

    Raises:
        SettingsRefused: the plan cannot read the table, its runs cannot work, miss the target, or
            would take capacity that others need.
    """
    checks.check_in_account(target)
    (planned,) = planning.plans(
        account,
        target.table,
        request=_auto_request(target, given, asked),
        every=target.schedule,
        is_scheduled=target.is_scheduled,
    )
    found = planned.auto or planned.recommendation
    checks.check_recommendation(target, found)
    sizes = [choice for choice in found.choices if choice.setting not in given]
    chosen = (*cheapest_way.explain_changes(_way(target), found.estimate), *sizes)
    on_sized(SizingResult(target.table, chosen, planned.unknown))
    return target.with_parameters({choice.setting: choice.value for choice in chosen})


def _way(target: Target) -> dict[str, str]:
    """Reader, engine and catalog update before --auto chooses."""
    return {name: target.value(name, default) for name, default in cheapest_way.DEFAULT_WAY.items()}


def _auto_request(target: Target, given: Mapping[str, str], asked: PlanRequest) -> PlanRequest:
    """What --auto asks of a plan.

    It keeps what is given. It keeps the reader of an existing export, because another one changes
    types of columns, and the engine in a VPC, where a Python shell job may not reach PyPI
    (docs/howto/small-table.md).
    """
    kept = set(given) & set(cheapest_way.DEFAULT_WAY)
    if target.own:
        kept.add(settings.READ_MODE)
    if target.value(settings.CONNECTION_NAME):
        kept.add(settings.ENGINE)
    version = target.value(settings.GLUE_VERSION, settings.DEFAULT_GLUE_VERSION.value)
    of_stack = {**_way(target), settings.GLUE_VERSION: version}
    of_stack |= {name: target.own[name] for name in options.PRICED if name in target.own}
    of_stack |= {name: given[name] for name in planning.SETTINGS if name in given}
    beside = {
        name: value
        for name, value in target.parameters.items()
        if name in given or name not in _SIZES
    }
    request = replace(asked, format=target.format, kept=frozenset(kept), beside=beside)
    facts = table_facts.parse_description(target.described)
    return planning.parse_auto_request(of_stack, request, facts)


# --- afterwards -----------------------------------------------------------------------------------
def _deployment(
    account: Account, target: Target, changed: Sequence[str], common: Mapping[str, str]
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
        (
            *(alarms.notes(target) if "TopicArn" in common else ()),
            *filter(None, [savings_note(target, account.region)]),
        ),
    )


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
    """Keep the schedule's state, or set the wanted one.

    A stack's parameter only sets the state of a new trigger; ``enable`` and ``disable`` may have
    changed it since.
    """
    state = wanted if wanted is not None else before
    if state is None:
        return
    fmt = deployment.format.value
    alarms.set_alarm_actions_enabled(account, deployment.table, fmt, enabled=state)
    name = naming.start_trigger(deployment.workflow)
    is_on = account.glue.get_trigger(Name=name)["Trigger"].get("State") == "ACTIVATED"
    if state and not is_on:
        account.glue.start_trigger(Name=name)
    elif is_on and not state:
        account.glue.stop_trigger(Name=name)

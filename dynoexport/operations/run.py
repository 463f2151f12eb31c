"""``run``, ``watch``, ``runs``, ``stop``, ``enable``, ``disable``: a table's workflow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dynoexport import limits, naming, settings
from dynoexport.aws import exports, workflow_runs
from dynoexport.aws.account import NotAws, side_by_side
from dynoexport.aws.change_sets import ignore
from dynoexport.aws.errors import is_denied
from dynoexport.cloudformation import options
from dynoexport.errors import DynoexportError
from dynoexport.model import ExportResult, ReadMode, described
from dynoexport.operations import alarms, facts
from dynoexport.operations.sampling import connector_warning
from dynoexport.planning import prices, table_facts
from dynoexport.planning.explain import explain_run
from dynoexport.planning.feasibility import refuse_percent
from dynoexport.storage import manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dynoexport.aws.account import Account
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.aws.workflow_runs import Run
    from dynoexport.model import OutputFormat
    from dynoexport.planning.explain import Explanation


class PropertyRefused(DynoexportError):
    """A setting that a run cannot override, or a value that it does not take."""

    exit_code = 2


class RunRefused(DynoexportError):
    """A run that cannot be started, found or stopped."""


@dataclass(frozen=True)
class Schedule(ExportResult):
    """A table's schedule, as it is now."""

    schedule: str = field(metadata=described("cron expression in UTC"))
    enabled: bool = field(metadata=described("whether the schedule is on"))


# What the job scripts take, in the order low, high, kind. A reader may need a higher percentage.
_BOUNDS: Mapping[str, tuple[float, float, type]] = {
    settings.MAX_READ: (
        limits.NATIVE_READ_PERCENT_MIN,
        limits.DYNAMODB_READ_PERCENT_MAX,
        float,
    ),
    settings.SPLITS: (0, limits.DYNAMODB_SPLITS_MAX, int),
    settings.RETENTION_DAYS: (0, settings.RETENTION_DAYS_MAX, int),
}


def check_properties(properties: Mapping[str, str]) -> None:
    """Refuse run properties that the job scripts would refuse, before a run starts.

    Raises:
        PropertyRefused: naming the property and what it takes.
    """
    for name, value in properties.items():
        if name not in _BOUNDS:
            raise PropertyRefused(
                f"a run cannot override {name}",
                hint=f"it can override {', '.join(sorted(_BOUNDS))}; dynoexport deploy sets others",
            )
        low, high, kind = _BOUNDS[name]
        try:
            fits = low <= kind(value) <= high
        except ValueError:
            fits = False
        if not fits:
            what = "a whole number" if kind is int else "a number"
            raise PropertyRefused(
                f"{name} is {value!r}", hint=f"it must be {what} from {low} to {high}"
            )


def _job_arguments(account: Account, export: DeployedExport, *, needed: bool) -> dict[str, str]:
    """The arguments of the export's job; those that are empty are missing.

    None at all if AWS refuses to show the job and no check needs them.
    """
    from botocore.exceptions import ClientError

    try:
        answer = account.glue.get_job(JobName=naming.export_job(export.table, export.format.value))
    except ClientError:
        if needed:
            raise
        return {}
    job = answer["Job"]
    return {
        name.removeprefix("--"): value for name, value in job.get("DefaultArguments", {}).items()
    }


def _check_table(account: Account, export: DeployedExport, arguments: Mapping[str, str]) -> None:
    """Refuse a run of a table that its job cannot read, before the job is paid for.

    Only the job's own role can look at a table in another account. A caller who may not look,
    such as one with the policy of a former version, starts the run.

    Raises:
        RunRefused: there is no such table.
        TableRefused: it is in a state in which nobody can read it.
    """
    from botocore.exceptions import ClientError

    if arguments.get(settings.SOURCE_ROLE):
        return
    try:
        answer = account.dynamodb.describe_table(TableName=export.table)
    except account.dynamodb.exceptions.ResourceNotFoundException:
        raise RunRefused(
            f"there is no DynamoDB table {export.table} in {account.region}",
            hint=f"restore it, or remove its export: dynoexport destroy {export.table}",
        ) from None
    except ClientError as error:
        if not is_denied(error):
            raise
        return
    table_facts.check_state(table_facts.parse_description(answer))


def _check_reader(arguments: Mapping[str, str], percent: str) -> None:
    """Refuse a read percentage that the reader of the export's job does not take."""
    reader = arguments.get(settings.READ_MODE, settings.DEFAULT_READ_MODE)
    refusal = refuse_percent(ReadMode(reader), float(percent))
    if refusal is not None:
        raise PropertyRefused(f"{settings.MAX_READ} is {percent!r}", hint=refusal)


def run(
    account: Account,
    table: str,
    *,
    fmt: OutputFormat | None = None,
    properties: Mapping[str, str] | None = None,
    sample: bool = True,
    on_warning: Callable[[str], None] = ignore,
) -> Run:
    """Start a run of the table's workflow, and return it.

    ``properties`` are settings of this run alone. ``watch`` follows it to its end. ``sample`` reads
    a page of the table if the reader is the connector; ``on_warning`` is called with what that may
    change.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        PropertyRefused: a property does not exist or take that value.
        RunRefused: another run is active; only one at a time may read the table. Or the table does
            not exist, or Glue refuses a run while the schedule is off.
        TableRefused: the table is in a state in which nobody can read it.
    """
    given = dict(properties or {})
    check_properties(given)
    export = exports.find_one(account, table, fmt)
    identity = {settings.TABLE_NAME: table, settings.OUTPUT_FORMAT: export.format.value}
    for rule in options.broken_rules({**identity, **given}):
        raise PropertyRefused(rule.reason, hint=rule.advice({**identity, **given}))
    active = workflow_runs.active(account.glue, export.workflow)
    if active:
        raise RunRefused(
            f"a run of {table} is active: {active[0].short_id}",
            hint=f"follow it with: dynoexport watch {table}",
        )
    arguments = _job_arguments(account, export, needed=settings.MAX_READ in given)
    if settings.MAX_READ in given:
        _check_reader(arguments, given[settings.MAX_READ])
    if arguments:
        _check_table(account, export, arguments)
        warning = connector_warning(account, table, export.format, arguments) if sample else ""
        if warning:
            on_warning(warning)
    run_id = _start(account, export, given)
    return _updated(account, workflow_runs.Run(export.workflow, run_id, "RUNNING", (), {}, given))


def _updated(account: Account, run: Run) -> Run:
    """The run as it is now; as it is known if AWS fails, because what was asked is done."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return workflow_runs.get(account.glue, run.workflow, run.run_id)
    except (ClientError, BotoCoreError, NotAws):
        return run


# How Glue refuses to start a workflow that it knows:
# https://docs.aws.amazon.com/glue/latest/webapi/API_StartWorkflowRun.html
_NOT_STARTED = {"EntityNotFoundException", "IllegalWorkflowStateException", "InvalidInputException"}


def _start(account: Account, export: DeployedExport, properties: Mapping[str, str]) -> str:
    """Start a run; its ID.

    AWS documents runs by hand for start triggers of type ON_DEMAND, and says nothing about a
    scheduled one that is not active. The start trigger is scheduled in either case, because
    ``enable`` could not switch an on-demand trigger on: it fires at once.
    https://docs.aws.amazon.com/glue/latest/dg/running_monitoring_workflow.html
    https://docs.aws.amazon.com/glue/latest/dg/activate-triggers.html

    Raises:
        RunRefused: Glue refuses it while the schedule is off.
    """
    from botocore.exceptions import ClientError

    try:
        answer = account.glue.start_workflow_run(Name=export.workflow, RunProperties=properties)
    except ClientError as error:
        refusal = error.response["Error"]
        if refusal["Code"] not in _NOT_STARTED or _is_scheduled(account, export):
            raise
        table = export.table
        raise RunRefused(
            f"Glue refuses a run of {table} while its schedule is off: {refusal['Message']}",
            hint=f"switch it on first: dynoexport enable {table}; after the run: "
            f"dynoexport disable {table}",
        ) from None
    return answer["RunId"]


def _is_scheduled(account: Account, export: DeployedExport) -> bool:
    trigger = account.glue.get_trigger(Name=export.start_trigger)["Trigger"]
    return trigger.get("State") == "ACTIVATED"


def find_run(
    account: Account, table: str, *, fmt: OutputFormat | None = None, run_id: str | None = None
) -> Run:
    """The run of that ID, or the newest one; the beginning of an ID is enough.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        RunRefused: there is no such run, or several IDs begin like that.
    """
    export = exports.find_one(account, table, fmt)
    known = workflow_runs.history(account.glue, export.workflow, nodes=False)
    if run_id is not None:
        known = [candidate for candidate in known if candidate.run_id.startswith(run_id)]
        if len(known) > 1:
            raise RunRefused(f"{len(known)} runs begin with {run_id}", hint="give more of the ID")
    if not known:
        which = f"no run {run_id}" if run_id else "no run yet"
        raise RunRefused(f"{table} has {which}", hint=f"see them with: dynoexport runs {table}")
    return workflow_runs.get(account.glue, export.workflow, known[0].run_id)


def watch(account: Account, run: Run) -> Iterator[Run]:
    """The run each time something in it has changed, the finished run last."""
    return workflow_runs.watch(account.glue, run.workflow, run.run_id, seconds=account.pause)


def runs(
    account: Account, table: str, *, fmt: OutputFormat | None = None, limit: int | None = None
) -> list[Run]:
    """The table's runs, newest first.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
    """
    export = exports.find_one(account, table, fmt)
    return workflow_runs.history(account.glue, export.workflow, limit=limit)


def explain(
    account: Account, table: str, *, fmt: OutputFormat | None = None, limit: int | None = None
) -> list[Explanation]:
    """The table's runs, newest first, each with a plan made from the facts of its manifest.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        ManifestBroken: an object in a manifest's place is not a manifest.
    """
    export = exports.find_one(account, table, fmt)
    used, now = prices.load_prices(account.region), datetime.now(timezone.utc)

    def explained(past: Run) -> Explanation:
        fmt, snapshot = export.format.value, past.snapshot
        manifest = (
            manifests.read(account.s3, account.bucket, table, fmt, snapshot) if snapshot else None
        )
        counted = facts.counted_units(account, manifest, now=now) if manifest else None
        return explain_run(past, manifest, used, region=account.region, now=now, counted=counted)

    history = workflow_runs.history(account.glue, export.workflow, limit=limit)
    return side_by_side(explained, history)


def stop(account: Account, table: str, *, fmt: OutputFormat | None = None) -> list[Run]:
    """Stop every active run of the table, and return these runs.

    Glue ends jobs at once, but a crawl runs to its end. The view does not change.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
        RunRefused: no run is active.
    """
    export = exports.find_one(account, table, fmt)
    active = workflow_runs.active(account.glue, export.workflow)
    if not active:
        raise RunRefused(
            f"no run of {table} is active", hint=f"see its runs with: dynoexport runs {table}"
        )
    for active_run in active:
        account.glue.stop_workflow_run(Name=export.workflow, RunId=active_run.run_id)
    return [_updated(account, replace(active_run, status="STOPPING")) for active_run in active]


def enable(account: Account, table: str, *, fmt: OutputFormat | None = None) -> Schedule:
    """Switch the table's schedule on, at once and in place.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
    """
    return _switch(account, exports.find_one(account, table, fmt), enabled=True)


def disable(account: Account, table: str, *, fmt: OutputFormat | None = None) -> Schedule:
    """Switch the table's schedule off, at once and in place; an active run continues.

    Raises:
        NotExported, AmbiguousExport: the table has no export, or several.
    """
    return _switch(account, exports.find_one(account, table, fmt), enabled=False)


def _switch(account: Account, export: DeployedExport, *, enabled: bool) -> Schedule:
    """Switch the trigger itself: the stack would replace the workflow and lose its run history."""
    # The alarm first: if the caller may not change it, nothing has changed.
    alarms.set_alarm_actions_enabled(account, export.table, export.format.value, enabled=enabled)
    name = export.start_trigger
    trigger = account.glue.get_trigger(Name=name)["Trigger"]
    if enabled and trigger.get("State") != "ACTIVATED":
        account.glue.start_trigger(Name=name)
    if not enabled and trigger.get("State") == "ACTIVATED":
        account.glue.stop_trigger(Name=name)
    return Schedule(export.table, export.format, trigger.get("Schedule", ""), enabled)

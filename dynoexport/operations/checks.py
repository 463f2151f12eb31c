"""Checks before a stack changes. The template has some of them as rules, with less plain errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport import limits, naming, settings
from dynoexport.aws import change_sets
from dynoexport.aws.errors import is_denied
from dynoexport.cloudformation import options, predicate, selection
from dynoexport.errors import DynoexportError, NameRefused
from dynoexport.model import Engine, ReadMode
from dynoexport.operations import alarms, tables
from dynoexport.operations.targets import is_of
from dynoexport.planning import table_facts
from dynoexport.planning.feasibility import find_obstacles, refuse_percent, refuse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from dynoexport.aws.account import Account
    from dynoexport.aws.exports import DeployedExport
    from dynoexport.operations.targets import Target
    from dynoexport.planning.sizing import Recommendation


class GlueVersionEnded(DynoexportError):
    """A Glue version on which AWS no longer runs jobs."""


class SettingsRefused(DynoexportError):
    """Parameters that exclude each other; the template's rules say the same."""

    exit_code = 2


class NoRecovery(DynoexportError):
    """A table that DynamoDB cannot export, because point-in-time recovery is off."""


def check_glue_version(version: str | None, today: date) -> None:
    """Refuse a Glue version on which AWS no longer runs jobs; None is the default one.

    Raises:
        GlueVersionEnded: AWS no longer runs jobs on it.
    """
    end = limits.GLUE_END_OF_LIFE.get(version or "")
    if end is not None and end <= today:
        raise GlueVersionEnded(
            f"AWS has run no jobs on Glue {version} since {end.isoformat()}",
            hint=f"leave GlueVersion out to use {settings.DEFAULT_GLUE_VERSION.value}",
        )


def check_table(account: Account, target: Target) -> Mapping[str, Any]:
    """DescribeTable's answer; empty for a table in another account.

    Only the role in that account can read it, and that role trusts the job's role.

    Raises:
        NoTable: there is no such table.
        TableRefused: it is in a state in which nobody can read it.
    """
    if target.value(settings.SOURCE_ROLE):
        return {}
    answer = tables.describe(account, target.table)
    facts = table_facts.parse_description(answer)
    table_facts.check_state(facts)
    return answer


def check_size(target: Target) -> None:
    """Check that the table is not too large for the engine; DescribeTable's answer says it.

    Raises:
        SettingsRefused: it is.
    """
    if not target.described:
        return
    engine = Engine(target.value(settings.ENGINE, settings.DEFAULT_ENGINE.value))
    refusal = refuse_size(engine, table_facts.parse_description(target.described).bytes)
    if refusal is not None:
        raise SettingsRefused(f"{target.table}: {refusal.reason}", hint=refusal.advice)


def check_in_account(target: Target) -> None:
    """Refuse to plan a table in another account.

    Raises:
        SettingsRefused: it is.
    """
    if target.value(settings.SOURCE_ROLE):
        raise SettingsRefused(
            f"{target.table}: --auto cannot plan a table in another account",
            hint="plan it in that account, then set NumberOfWorkers and the others with --set",
        )


def check_recommendation(target: Target, recommendation: Recommendation) -> None:
    """Refuse a job whose runs cannot work, miss the target, or take capacity that others need.

    Raises:
        SettingsRefused: it is such a job.
    """
    # A schedule that is off starts no second run.
    obstacles = (
        recommendation.obstacles
        if target.is_scheduled
        else find_obstacles(recommendation.estimate, None)
    )
    for obstacle in obstacles:
        raise SettingsRefused(f"{target.table}: {obstacle.reason}", hint=obstacle.advice)
    for sentence in recommendation.unmet:
        raise SettingsRefused(
            f"{target.table}: {sentence}",
            hint="relax the target, or choose another --read-mode",
        )
    for harm in recommendation.harms:
        raise SettingsRefused(
            f"{target.table}: {harm}",
            hint=f"choose another reader, or set the share yourself: --set {settings.MAX_READ}=...",
        )


def check_names(targets: Sequence[Target], known: Sequence[DeployedExport]) -> None:
    """Refuse targets that would own a catalog name of each other or of another export.

    Raises:
        NameRefused: one would.
    """
    wanted = [target.export for target in targets]
    others = [export.export for export in known if not any(is_of(export, new) for new in wanted)]
    naming.check_all([*others, *wanted])


def check_free(account: Account, target: Target) -> None:
    """Refuse a new export if its jobs or its crawler exist already.

    The stack would be rolled back. Whoever may not look finds out then.

    Raises:
        NameRefused: one exists.
    """
    if target.known is not None:
        return
    glue, names = account.glue, (target.table, target.format.value)
    looks: dict[str, Callable[[], object]] = {
        f"job {(job := naming.export_job(*names))}": lambda: glue.get_job(JobName=job),
        f"job {(view := naming.view_job(*names))}": lambda: glue.get_job(JobName=view),
        f"crawler {(crawler := naming.crawler(*names))}": lambda: glue.get_crawler(Name=crawler),
    }
    for what, look in looks.items():
        if _exists(look):
            if change_sets.describe(account.cloudformation, target.stack.name) is not None:
                # Another deployment has created the stack since: its change set says so.
                return
            raise NameRefused(
                f"{target.table}: there already is a Glue {what}, which is not of an export",
                hint="delete it, because this export needs its name",
            )


def _exists(look: Callable[[], object]) -> bool:
    from botocore.exceptions import ClientError

    try:
        look()
    except ClientError as error:
        if is_denied(error) or error.response["Error"]["Code"] == "EntityNotFoundException":
            return False
        raise
    return True


def check_settings(account: Account, target: Target) -> None:
    """Refuse what the export job would refuse after minutes of starting, or would ignore.

    Raises:
        SettingsRefused: two parameters exclude each other, the reader needs a higher read
            percentage, or a list of attributes or the predicate is not valid.
        NoRecovery: DynamoDB cannot export the table.
    """
    for name in (settings.COLUMNS, settings.EXCLUDE):
        _check_selection(target, name)
    _check_where(target)
    reader = ReadMode(target.value(settings.READ_MODE, settings.DEFAULT_READ_MODE.value))
    percent = target.value(settings.MAX_READ, settings.DEFAULT_MAX_READ)
    refusal = refuse_percent(reader, float(percent))
    if refusal is not None:
        raise SettingsRefused(
            f"{target.table}: {settings.MAX_READ} is {percent}, but {refusal}",
            hint="set more, or choose another reader: --read-mode native",
        )
    for rule in options.broken_rules(target.parameters):
        raise SettingsRefused(f"{target.table}: {rule.reason}", hint=rule.advice(target.parameters))
    if target.value(settings.READ_MODE) == ReadMode.EXPORT.value:
        _check_recovery(account, target.table)


def _check_selection(target: Target, name: str) -> None:
    try:
        selection.parse_names(target.value(name))
    except selection.SelectionRefused as error:
        what = f"{target.table}: {name} is {error.what}"
        raise SettingsRefused(what, hint=error.hint) from None


def _check_where(target: Target) -> None:
    try:
        predicate.check_predicate(target.value(settings.WHERE))
    except predicate.PredicateRefused as error:
        raise SettingsRefused(f"{target.table}: {error.what}", hint=error.hint) from None


def check_connection(account: Account, target: Target) -> None:
    """Check that the Glue connection exists; without it no job starts.

    Raises:
        SettingsRefused: it does not exist.
    """
    name = target.value(settings.CONNECTION_NAME)
    if not name:
        return
    try:
        account.glue.get_connection(Name=name, HidePassword=True)
    except account.glue.exceptions.EntityNotFoundException:
        raise SettingsRefused(
            f"{target.table}: there is no Glue connection {name} in {account.region}",
            hint="create it with type NETWORK, or use none: --set ConnectionName=",
        ) from None


def check_topic(target: Target, common: Mapping[str, str]) -> None:
    """Refuse alarms without a topic; CloudFormation's own error is less plain.

    Raises:
        SettingsRefused: an alarm is on, and the common stack has no topic.
    """
    on = alarms.switched_on(target.parameters)
    if on and "TopicArn" not in common:
        raise SettingsRefused(
            f"{target.table}: {on[0]} needs a topic, and the common stack has none",
            hint="create one: dynoexport init --set NotificationEmail=...",
        )


def _check_recovery(account: Account, table: str) -> None:
    if not tables.recovers(account, table):
        raise NoRecovery(
            f"{table} has no point-in-time recovery, which ReadMode export needs",
            hint=f"turn it on: aws dynamodb update-continuous-backups --table-name {table} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
        )

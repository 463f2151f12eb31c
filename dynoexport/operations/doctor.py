"""``doctor``: whether this machine, these credentials and this account can run exports."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any

from dynoexport import __version__, assets, limits, naming, settings
from dynoexport.aws import change_sets, exports
from dynoexport.aws import errors as aws_errors
from dynoexport.aws.account import NotAws, side_by_side
from dynoexport.errors import DynoexportError
from dynoexport.iam import caller_policies
from dynoexport.iam.installation import Installation
from dynoexport.model import described
from dynoexport.operations import catalog_key
from dynoexport.operations.status import status
from dynoexport.units import count
from dynoexport.workflow import pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_iam import IAMClient

    from dynoexport.aws.account import Account

OK, WARNING, FAILED, UNKNOWN = "ok", "warning", "failed", "unknown"


@dataclass(frozen=True)
class Check:
    """One check, and what to do about it."""

    name: str = field(metadata=described("name of the check"))
    state: str = field(metadata=described("ok, warning, failed, or unknown: not checked"))
    detail: str = field(metadata=described("what the check found"))
    hint: str = field(default="", metadata=described("what to do, or empty"))


def doctor(
    account: Account, *, common_stack: str = settings.DEFAULT_COMMON_STACK
) -> Iterator[Check]:
    """Every check in turn; without credentials only those that need none.

    Nothing changes. A check that the caller is not allowed to make is a warning or a failure.
    """
    yield _versions()
    credentials = _guarded("credentials", lambda: _credentials(account))
    yield credentials
    yield _region(account)
    if credentials.state == FAILED:
        return
    yield _guarded("common stack", lambda: _common_stack(account, common_stack))
    yield _guarded("bucket and scripts", lambda: _bucket(account))
    for name, call in _reads(account).items():
        yield _guarded(f"may read {name}", partial(_may_read, call))
    for purpose in caller_policies.PURPOSES:
        yield _guarded(f"may {purpose}", partial(_may, account, purpose), WARNING)
    yield _guarded("Lake Formation", lambda: _lake_formation(account), WARNING)
    yield _guarded("Data Catalog", lambda: _catalog_key(account), WARNING)
    quotas = _quotas(account)
    for kind in quotas:
        yield _guarded(f"quota of {kind}", partial(_quota, account, kind, quotas), WARNING)
    yield _guarded("exports", lambda: _exports(account))
    yield _guarded("snapshots", lambda: _snapshots(account), WARNING)
    yield _guarded("alarms", lambda: _alarms(account), WARNING)


def _guarded(name: str, check: Callable[[], tuple[str, str, str]], bad: str = FAILED) -> Check:
    """The check, or why it could not be made, in one line."""
    try:
        return Check(name, *check())
    except DynoexportError as error:
        return Check(name, bad, error.what, error.hint)
    except Exception as error:
        explained = aws_errors.explain(error)
        if explained is None:
            raise
        return Check(name, bad, explained.what, explained.hint)


# --- the machine ----------------------------------------------------------------------------------
def _versions() -> Check:
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in ("boto3", "troposphere"))
    return Check(
        "versions", OK, f"dynoexport {__version__}, Python {platform.python_version()}, {libraries}"
    )


def _credentials(account: Account) -> tuple[str, str, str]:
    return OK, f"{account.caller}", ""


def _region(account: Account) -> Check:
    known = account.session.get_available_regions("glue", account.partition)
    if account.region in known:
        return Check("region", OK, account.region)
    return Check(
        "region",
        WARNING,
        f"this boto3 does not know AWS Glue in {account.region}",
        "check the spelling, or install a newer boto3",
    )


# What each state means:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_USABLE = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}


# --- what init creates ----------------------------------------------------------------------------
def _common_stack(account: Account, name: str) -> tuple[str, str, str]:
    stack = change_sets.describe(account.cloudformation, name)
    if stack is None:
        return FAILED, f"there is no stack {name}", "run: dynoexport init"
    state = stack["StackStatus"]
    if change_sets.is_only_a_name(stack):
        return FAILED, f"{name} is {state}", "run: dynoexport init"
    outputs = {output["OutputKey"] for output in stack.get("Outputs", ())}
    if state in _USABLE and "BucketName" not in outputs:
        return FAILED, f"{name} is {state} and lacks its outputs", "run: dynoexport init"
    if state not in _USABLE:
        return FAILED, f"{name} is {state}", "see its events in the CloudFormation console"
    if "TopicArn" in outputs:
        return OK, f"{name} is {state} and sends notifications by email", ""
    hint = "get notifications: dynoexport init --set NotificationEmail=..."
    return OK, f"{name} is {state} and sends no notifications", hint


def _bucket(account: Account) -> tuple[str, str, str]:
    version = assets.scripts_version()
    prefix = naming.script_key("", version)
    try:
        answer = account.s3.list_objects_v2(Bucket=account.bucket, Prefix=prefix)
    except account.s3.exceptions.NoSuchBucket:
        return FAILED, f"there is no bucket {account.bucket}", "run: dynoexport init"
    if answer["KeyCount"] < len(assets.scripts()):
        return (
            WARNING,
            f"the job scripts of this version, {version}, are not in {account.bucket}",
            "run: dynoexport init",
        )
    return OK, f"{account.bucket} has the job scripts {version}", ""


# --- permissions ----------------------------------------------------------------------------------
def _reads(account: Account) -> Mapping[str, Callable[[], object]]:
    return {
        "CloudFormation": lambda: account.cloudformation.list_stacks(
            StackStatusFilter=["CREATE_COMPLETE"]
        ),
        "DynamoDB": lambda: account.dynamodb.list_tables(Limit=1),
        "Glue": lambda: account.glue.list_workflows(MaxResults=1),
        "Athena": lambda: account.athena.list_work_groups(MaxResults=1),
        "CloudWatch Logs": lambda: account.logs.describe_log_groups(limit=1),
        "tags": lambda: account.tagging.get_resources(ResourcesPerPage=1),
    }


def _may_read(call: Callable[[], object]) -> tuple[str, str, str]:
    call()
    return OK, "", ""


def _may(account: Account, purpose: str) -> tuple[str, str, str]:
    """Ask IAM's own simulator, which evaluates the principal's policies.

    It leaves out resource policies and the organization's service control policies:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
    """
    principal = _principal(account.caller)
    if principal is None:
        return UNKNOWN, "IAM cannot simulate the policies of this caller", ""
    at = Installation(
        account=account.account_id, region=account.region, partition=account.partition
    )
    statements = json.loads(caller_policies.PURPOSES[purpose](at).to_json())["Statement"]
    ask = partial(_simulated, account.client("iam"), principal)
    results = [
        decision
        for decisions in side_by_side(ask, statements, parallel=4)
        for decision in decisions
    ]
    missing = sorted({action for action, allowed in results if not allowed})
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        return (
            WARNING,
            f"{principal} lacks {', '.join(missing[:_SHOWN])}{more}",
            f"attach the policy that 'dynoexport permissions {purpose}' prints",
        )
    return OK, f"{len({action for action, _ in results})} actions", ""


# How many missing actions are named.
_SHOWN = 4


def _simulated(
    iam: IAMClient, principal: str, statement: Mapping[str, Any]
) -> list[tuple[str, bool]]:
    """Each action of a statement on its resources under its conditions, and whether it is allowed.

    The simulator takes no patterns, so each pattern becomes a name that matches it.
    """
    context: list[Any] = [
        {"ContextKeyName": key, "ContextKeyValues": [_example(value)], "ContextKeyType": "string"}
        for keys in statement.get("Condition", {}).values()
        for key, values in keys.items()
        for value in ([values] if isinstance(values, str) else values)[:1]
    ]
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=principal,
        ActionNames=statement["Action"],
        ResourceArns=[
            resource if resource == "*" else _example(resource)
            for resource in statement["Resource"]
        ],
        ContextEntries=context,
    )
    return [
        (result["EvalActionName"], result["EvalDecision"] == "allowed")
        for page in pages
        for result in page["EvaluationResults"]
    ]


def _example(pattern: str) -> str:
    """A name that matches the pattern.

    >>> _example("arn:aws:iam::123456789012:role/dynoexport-*")
    'arn:aws:iam::123456789012:role/dynoexport-x'
    """
    return pattern.replace("*", "x")


def _principal(caller: str) -> str | None:
    """The user or role whose policies apply; None for the root of an account.

    >>> _principal("arn:aws:sts::123456789012:assumed-role/Admin/me")
    'arn:aws:iam::123456789012:role/Admin'
    """
    match = re.fullmatch(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/.+", caller)
    if match:
        return f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}"
    return caller if ":iam:" in caller and not caller.endswith(":root") else None


# --- the account ----------------------------------------------------------------------------------
def _lake_formation(account: Account) -> tuple[str, str, str]:
    """Whether IAM alone controls access to new catalog tables, the default of new accounts.

    https://docs.aws.amazon.com/lake-formation/latest/dg/change-settings.html
    """
    answer = account.client("lakeformation").get_data_lake_settings()
    defaults = answer["DataLakeSettings"].get("CreateTableDefaultPermissions", [])
    principals = {
        grant.get("Principal", {}).get("DataLakePrincipalIdentifier") for grant in defaults
    }
    if "IAM_ALLOWED_PRINCIPALS" in principals:
        return OK, "new tables use IAM access control only", ""
    hint = (
        f"grant the roles of the exports CREATE_TABLE on the database {naming.DATABASE}, and "
        "analysts SELECT on its tables"
    )
    return WARNING, "Lake Formation controls access to new catalog tables", hint


def _catalog_key(account: Account) -> tuple[str, str, str]:
    """Whether the roles of all exports may use the key that encrypts the Data Catalog."""
    key = catalog_key.look_up(account)
    if not key:
        return OK, "no KMS key of yours encrypts it", ""
    found = exports.find_all(account)
    describe = partial(change_sets.describe, account.cloudformation)
    stacks = side_by_side(describe, [export.stack for export in found])
    granted = [
        change_sets.read_parameters(stack or {}).get(settings.CATALOG_KEY_ARN, "")
        for stack in stacks
    ]
    by_alias = catalog_key.is_alias(key)
    lacking = [
        export.table
        for export, own in zip(found, granted, strict=True)
        if not own or (own != key and not by_alias)
    ]
    if not lacking:
        return OK, f"encrypted with {key}; {count(len(found), 'export')} may use it", ""
    named = f" --set {settings.CATALOG_KEY_ARN}=ARN" if by_alias else ""
    return (
        WARNING,
        f"{len(lacking)} of {len(found)} exports may not use its KMS key {key}",
        f"deploy them again: dynoexport deploy {' '.join(lacking[:_SHOWN])}{named}",
    )


def _quota(account: Account, kind: str, quotas: Mapping[str, int]) -> tuple[str, str, str]:
    pages = account.glue.get_paginator(f"list_{kind}").paginate()  # type: ignore[call-overload]
    members = {"workflows": "Workflows", "triggers": "TriggerNames", "jobs": "JobNames"}
    used = sum(len(page[members[kind]]) for page in pages)
    return quota_finding(kind, used, quotas[kind])


def quota_finding(kind: str, used: int, allowed: int) -> tuple[str, str, str]:
    """State, detail and hint of the check of a quota.

    Args:
        kind: workflows, triggers or jobs.
        used: how many of them the account has.
        allowed: how many it may have.
    """
    left = max(0, allowed - used)
    room, without_crawler = (left // _needed(kind, crawled=crawled) for crawled in (True, False))
    detail = f"{count(used)} of {count(allowed)} used, room for {count(room, 'export')}"
    if without_crawler > room:
        detail += f", or {count(without_crawler)} without a crawler"
    increase = "request an increase in the Service Quotas console, AWS Glue"
    if without_crawler < 1:
        return FAILED, detail, increase
    if room < 1:
        return WARNING, detail, f"deploy with --catalog-update direct, or {increase}"
    return OK, detail, ""


def _needed(kind: str, *, crawled: bool) -> int:
    """How many workflows, triggers or jobs an export has."""
    graph = pipeline.export_pipeline(default_schedule="", crawled=crawled)
    return {
        "workflows": len(graph.workflows),
        "triggers": len(graph.triggers),
        "jobs": len(graph.jobs),
    }[kind]


def _quotas(account: Account) -> dict[str, int]:
    """The account's own quotas; the defaults if they cannot be read."""
    quotas = dict(limits.GLUE_QUOTAS)
    try:
        pages = (
            account.client("service-quotas")
            .get_paginator("list_service_quotas")
            .paginate(ServiceCode="glue")
        )
        for quota in (quota for page in pages for quota in page["Quotas"]):
            named = re.fullmatch(r"(?i)max (?:number of )?(\w+) per account", quota["QuotaName"])
            if named and named[1].lower() in quotas:
                quotas[named[1].lower()] = int(quota["Value"])
    except NotAws:
        return quotas
    except Exception as error:
        if aws_errors.explain(error) is None:
            raise
    return quotas


def _exports(account: Account) -> tuple[str, str, str]:
    """Exports with job scripts of another version, and those on an ended Glue version."""
    deployed = exports.find_all(account)
    jobs = side_by_side(lambda export: _job(account, export), deployed)
    version, today = assets.scripts_version(), datetime.now(timezone.utc).date()
    ended = [
        export.table
        for export, job in zip(deployed, jobs, strict=True)
        if limits.GLUE_END_OF_LIFE.get(str(job.get("GlueVersion")), today) < today
    ]
    if ended:
        version_option = f"--set GlueVersion={settings.DEFAULT_GLUE_VERSION.value}"
        return (
            FAILED,
            f"AWS no longer runs jobs on the Glue version of {', '.join(ended)}",
            f"deploy them again: dynoexport deploy {ended[0]} {version_option}",
        )
    behind = [
        export.table
        for export, job in zip(deployed, jobs, strict=True)
        if job.get("DefaultArguments", {}).get(f"--{settings.SCRIPTS_VERSION}") != version
    ]
    if behind:
        return (
            WARNING,
            f"{len(behind)} of {len(deployed)} exports run job scripts of another version",
            f"deploy them again: dynoexport deploy {' '.join(behind[:5])}",
        )
    return (
        OK,
        f"{count(len(deployed), 'export')} with the job scripts {version}"
        if deployed
        else "none yet",
        "",
    )


def _snapshots(account: Account) -> tuple[str, str, str]:
    """Whether the files of the current snapshots match their manifests."""
    statuses = status(account)
    damaged = [export for export in statuses if export.faults]
    if not damaged:
        shown = sum(export.snapshot is not None for export in statuses)
        return OK, f"{count(shown, 'current snapshot')}, undamaged" if shown else "none yet", ""
    first = damaged[0]
    what = f"{len(damaged)} of {len(statuses)} damaged: snapshot {first.snapshot} of {first.table}"
    again = f"create a new one: dynoexport run {first.table} --format {first.format.value}"
    return FAILED, f"{what}: {first.faults[0]}", again


def _alarms(account: Account) -> tuple[str, str, str]:
    """Missing-snapshot alarms; those of switched-off schedules have their actions disabled."""
    pages = account.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=naming.ALARM_PREFIX
    )
    watching = [
        alarm
        for page in pages
        for alarm in page["MetricAlarms"]
        # A former version had one namespace for all tables.
        if f"{alarm.get('Namespace', '')}/".startswith(naming.METRIC_NAMESPACES)
        and alarm.get("ActionsEnabled")
    ]
    late = [alarm for alarm in watching if alarm.get("StateValue") == "ALARM"]
    if late:
        descriptions = "; ".join(alarm.get("AlarmDescription", "") for alarm in late)
        return WARNING, descriptions, "see why: dynoexport status"
    return OK, f"{count(len(watching), 'alarm')}, 0 in state ALARM" if watching else "none", ""


def _job(account: Account, export: exports.DeployedExport) -> Mapping[str, Any]:
    name = naming.export_job(export.table, export.format.value)
    return account.glue.get_job(JobName=name)["Job"]

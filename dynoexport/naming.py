"""Every name and S3 key of the project, as functions of what is exported.

A physical name can only be computed by CloudFormation itself, which knows the parameters. So
each function here takes plain text, and the templates call it with ``${TableName}`` in place of
the table's name: one definition serves ``Fn::Sub``, the command line and the tests. The names that
the jobs use are defined in ``dynoexport.jobs.names``.

Job and crawler names, the database, the table prefix and the data layout are those of the
Step Functions design that people run today: their data and their queries keep working.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport import limits
from dynoexport.errors import NameRefused
from dynoexport.jobs.names import (
    ATHENA_RESULTS_PREFIX,
    MANIFESTS_PREFIX,
    METRIC_FORMAT,
    METRIC_NAMESPACES,
    METRIC_SNAPSHOTS,
    METRIC_TABLE,
    PARTITION_KEY,
    SNAPSHOTS_PREFIX,
    TEMP_PREFIX,
    TIMESTAMP_FORMAT,
    claim_key,
    data_prefix,
    fold,
    manifest_key,
    manifest_prefix,
    metric_namespace,
    snapshot_prefix,
    snapshots_table,
    temp_prefix,
    view,
    view_results_prefix,
)
from dynoexport.model import CatalogUpdate, OutputFormat, ScheduleState

if TYPE_CHECKING:
    from collections.abc import Iterable

# Imported, so that this module has every name.
__all__ = [
    "ATHENA_RESULTS_PREFIX",
    "MANIFESTS_PREFIX",
    "METRIC_FORMAT",
    "METRIC_NAMESPACES",
    "METRIC_SNAPSHOTS",
    "METRIC_TABLE",
    "PARTITION_KEY",
    "SNAPSHOTS_PREFIX",
    "TEMP_PREFIX",
    "TIMESTAMP_FORMAT",
    "claim_key",
    "data_prefix",
    "fold",
    "manifest_key",
    "manifest_prefix",
    "metric_namespace",
    "snapshot_prefix",
    "snapshots_table",
    "temp_prefix",
    "view",
    "view_results_prefix",
]

# --- one per account and region ---------------------------------------------------------------
DATABASE = "dynamodb_exports"
WORK_GROUP = "dynamodb-exports"
VIEW_WORK_GROUP = f"{WORK_GROUP}-views"

# The permissions boundary that deployers need, unless they say otherwise.
BOUNDARY = "dynoexport-boundary"
SCRIPTS_PREFIX = "scripts/"
TEMPLATES_PREFIX = f"{SCRIPTS_PREFIX}templates/"

EXPORT_SCRIPT = "export_table.py"
VIEW_SCRIPT = "create_current_view.py"


def security_configuration(key_id: str) -> str:
    """The Glue security configuration that encrypts with the key of that ID."""
    return f"dynamodb-exports-{key_id}"


# --- tags and alarms ---------------------------------------------------------------------------
# Tags by which an export is found again in an account. The first two are on everything that an
# export consists of, the others on its export job alone, one record for each export.
TAG_TABLE = "dynoexport:table"
TAG_FORMAT = "dynoexport:format"
TAG_CATALOG_PREFIX = "dynoexport:catalog-prefix"
TAG_STACK = "dynoexport:stack"
TAG_WORKFLOW = "dynoexport:workflow"

ALARM_PREFIX = "dynoexport-"

CATALOG_PREFIX_MAX = 32
CATALOG_PREFIX_PATTERN = rf"([a-z_][a-z0-9_]{{0,{CATALOG_PREFIX_MAX - 1}}})?"


@dataclass(frozen=True)
class Exports:
    """The names under which the common stack exports what table stacks import."""

    stack: str

    @property
    def bucket(self) -> str:
        return f"{self.stack}-BucketName"

    @property
    def database(self) -> str:
        return f"{self.stack}-DatabaseName"

    @property
    def work_group(self) -> str:
        return f"{self.stack}-WorkGroup"

    @property
    def view_work_group(self) -> str:
        return f"{self.stack}-ViewWorkGroup"

    @property
    def security_configuration(self) -> str:
        return f"{self.stack}-SecurityConfiguration"

    @property
    def kms_key_arn(self) -> str:
        return f"{self.stack}-KmsKeyArn"

    @property
    def topic_arn(self) -> str:
        return f"{self.stack}-TopicArn"


def bucket(account: str, region: str) -> str:
    """The bucket that holds every snapshot of an account and region."""
    return f"dynamodb-exports-{account}-{region}"


# --- one per table and format ------------------------------------------------------------------
def table_stack(table: str, fmt: str) -> str:
    """The suggested name of a table stack; CloudFormation allows letters, digits and hyphens.

    If the table's name must be changed or cut for that, a hash of it keeps two tables apart.

    >>> table_stack("Reviews", "csv")
    'dynoexport-Reviews-csv'
    >>> table_stack("shop.orders", "csv")
    'dynoexport-shop-orders-csv-7458f44c'
    """
    plain = re.sub(r"[._]", "-", table)
    name = f"dynoexport-{plain}-{fmt}"
    if plain == table and len(name) <= limits.STACK_NAME_MAX:
        return name
    suffix = f"-{fmt}-{hashlib.sha256(table.encode()).hexdigest()[:8]}"
    return f"dynoexport-{plain}"[: limits.STACK_NAME_MAX - len(suffix)] + suffix


def export_job(table: str, fmt: str) -> str:
    return f"{table}ExportTo{fmt}"


def crawler(table: str, fmt: str) -> str:
    return f"{table}{fmt}Crawler"


def view_job(table: str, fmt: str) -> str:
    return f"{table}{fmt}CurrentView"


def csv_classifier(table: str, fmt: str) -> str:
    return f"{table}{fmt}Classifier"


def snapshot_alarm(table: str, fmt: str) -> str:
    """The alarm that goes off when there has been no new snapshot for too long."""
    return f"{ALARM_PREFIX}{table}-{fmt}-snapshot-age"


def workflow(table: str, fmt: str, *, scheduled: bool) -> str:
    """The workflow's name says whether its schedule is on.

    CloudFormation activates a trigger only when it creates it
    (https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1474). So
    a schedule that is switched on or off needs a new start trigger. CloudFormation creates the new
    trigger before it deletes the old one, and Glue refuses it: "Workflow ... already has a starting
    trigger". Therefore the name carries the state, and a new state replaces the workflow together
    with its triggers.
    """
    return f"dynoexport-{table}-{fmt}" + ("-scheduled" if scheduled else "")


def start_trigger(workflow_name: str) -> str:
    return f"{workflow_name}-start"


def crawl_trigger(workflow_name: str) -> str:
    return f"{workflow_name}-crawl"


def publish_trigger(workflow_name: str) -> str:
    return f"{workflow_name}-publish"


def script_key(script: str, version: str) -> str:
    return f"{SCRIPTS_PREFIX}{version}/{script}"


def template_key(text: str) -> str:
    """The key of a template that is too long for a request, by its content.

    >>> template_key("{}")
    'scripts/templates/44136fa355b3678a.yaml'
    """
    return f"{TEMPLATES_PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:16]}.yaml"


# --- names that cannot work ----------------------------------------------------------------------
@dataclass(frozen=True)
class Export:
    """One table in one format: what one table stack is made for."""

    table: str
    format: OutputFormat
    catalog_prefix: str = ""
    catalog_update: CatalogUpdate = CatalogUpdate.CRAWLER

    def names(self) -> dict[str, str]:
        """Every physical name of the export by its kind, longest variant first."""
        fmt = self.format.value
        workflows = [
            workflow(self.table, fmt, scheduled=state is ScheduleState.ENABLED)
            for state in (ScheduleState.ENABLED, ScheduleState.DISABLED)
        ]
        names = {
            "workflow (scheduled)": workflows[0],
            "workflow": workflows[1],
            "start trigger": start_trigger(workflows[0]),
            "crawl trigger": crawl_trigger(workflows[0]),
            "export job": export_job(self.table, fmt),
            "crawler": crawler(self.table, fmt),
            "snapshots table": snapshots_table(self.table, self.catalog_prefix),
            "alarm": snapshot_alarm(self.table, fmt),
        }
        if self.format is OutputFormat.CSV:
            names["classifier"] = csv_classifier(self.table, fmt)
        if self.catalog_update is CatalogUpdate.DIRECT:
            for kind in ("crawl trigger", "crawler", "classifier"):
                names.pop(kind, None)
            if not self.format.queryable:
                del names["snapshots table"]
        if self.format.queryable:
            names["publish trigger"] = publish_trigger(workflows[0])
            names["view job"] = view_job(self.table, fmt)
            names["view"] = view(self.table, self.catalog_prefix)
        return names

    @property
    def catalog_names(self) -> frozenset[str]:
        """The names this export owns in the Glue database; no other export may share one."""
        names = {snapshots_table(self.table, self.catalog_prefix)}
        if self.format.queryable:
            names.add(view(self.table, self.catalog_prefix))
        return frozenset(names)


def table_name_max() -> int:
    """The longest DynamoDB table name for which every physical name fits AWS Glue's limit.

    Computed from the names in the longest format, so that it stays right when a name changes.
    Glue's limit of 255 makes it smaller than DynamoDB's own 255.
    """
    longest = max(
        len(name)
        for fmt in OutputFormat
        for name in Export("", fmt, catalog_prefix="x" * CATALOG_PREFIX_MAX).names().values()
    )
    return limits.GLUE_NAME_MAX - longest


def check(export: Export) -> None:
    """Refuse an export with a name that a service would refuse.

    Raises:
        NameRefused: the table is not a DynamoDB table name, looks like an option, a name derived
            from it would be longer than AWS Glue allows, or the catalog prefix is malformed.
    """
    if not re.fullmatch(limits.DYNAMODB_TABLE_NAME_PATTERN, export.table):
        raise NameRefused(
            f"{export.table!r} is not a DynamoDB table name",
            hint="a name has 3 to 255 letters, digits, '_', '.' or '-'",
        )
    if export.table.startswith("--"):
        raise NameRefused(
            f"{export.table!r} looks like an option to the jobs that would export it",
            hint="export the table under another name, for example a copy of it",
        )
    if len(export.table) > table_name_max():
        raise NameRefused(
            f"the table name has {len(export.table)} characters; Glue's names fit only up to "
            f"{table_name_max()}",
            hint="export the table under a shorter name, for example a copy of it",
        )
    if not re.fullmatch(CATALOG_PREFIX_PATTERN, export.catalog_prefix):
        raise NameRefused(
            f"{export.catalog_prefix!r} cannot begin a catalog name",
            hint=f"use at most {CATALOG_PREFIX_MAX} of a-z, 0-9 and '_', not a digit first",
        )


def check_all(exports: Iterable[Export]) -> None:
    """Refuse exports of one account and region that would overwrite each other's catalog entries.

    Raises:
        NameRefused: a name cannot work, or two exports fold to one catalog name.
    """
    owners: dict[str, Export] = {}
    for export in exports:
        check(export)
        for name in sorted(export.catalog_names):
            other = owners.setdefault(name, export)
            if other != export:
                raise NameRefused(
                    f"{export.table} ({export.format.value}) and {other.table} "
                    f"({other.format.value}) would both own the catalog name {name!r}",
                    hint="give one of them a CatalogPrefix, for example "
                    f"'{fold(export.format.value)}_'",
                )

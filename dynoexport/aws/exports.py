"""The exports of an account: all by their tags, or one by its names."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynoexport import naming
from dynoexport.aws.account import chunks, side_by_side
from dynoexport.errors import DynoexportError
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynoexport.aws.account import Account

# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchGetWorkflows.html
_WORKFLOWS_PER_CALL = 25
# https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
_RESOURCES_PER_PAGE = 100


class NotExported(DynoexportError):
    """A table without an export, or without one in that format."""


class AmbiguousExport(DynoexportError):
    """A table that is exported in several formats, and no format was chosen."""

    exit_code = 2


@dataclass(frozen=True)
class DeployedExport:
    """A deployed export, read from the tags of its export job."""

    table: str
    format: OutputFormat
    catalog_prefix: str
    stack: str
    workflow: str

    @property
    def export(self) -> naming.Export:
        return naming.Export(self.table, self.format, self.catalog_prefix)

    @property
    def view(self) -> str:
        """The Athena view's name, without its database."""
        return naming.view(self.table, self.catalog_prefix)

    @property
    def snapshots_table(self) -> str:
        return naming.snapshots_table(self.table, self.catalog_prefix)

    @property
    def start_trigger(self) -> str:
        return naming.start_trigger(self.workflow)


def from_tags(tags: Mapping[str, str]) -> DeployedExport | None:
    """The export that an export job's tags describe; None if they describe none."""
    needed = (naming.TAG_TABLE, naming.TAG_FORMAT, naming.TAG_STACK, naming.TAG_WORKFLOW)
    formats = {fmt.value for fmt in OutputFormat}
    if any(name not in tags for name in needed) or tags[naming.TAG_FORMAT] not in formats:
        return None
    return DeployedExport(
        table=tags[naming.TAG_TABLE],
        format=OutputFormat(tags[naming.TAG_FORMAT]),
        catalog_prefix=tags.get(naming.TAG_CATALOG_PREFIX, ""),
        stack=tags[naming.TAG_STACK],
        workflow=tags[naming.TAG_WORKFLOW],
    )


def find_all(account: Account, tables: Sequence[str] = ()) -> list[DeployedExport]:
    """Every export of the account and region, or those of the tables, by name and format.

    The tagging service lists a new stack after some seconds.

    Raises:
        NotExported: one of ``tables`` is not exported.
    """
    return [export for export, _ in find_all_described(account, tables)]


def find_all_described(
    account: Account, tables: Sequence[str] = ()
) -> list[tuple[DeployedExport, Mapping[str, Any]]]:
    """As ``find_all``, each with its workflow as ``BatchGetWorkflows`` describes it.

    Raises:
        NotExported: one of ``tables`` is not exported.
    """
    tagged = _tagged(account)
    missing = sorted(set(tables) - {export.table for export in tagged})
    # Exports deployed a moment ago are found by their names.
    tagged += [export for table in missing for export in find(account, table)]
    wanted = [export for export in tagged if not tables or export.table in tables]
    # The tagging service still lists exports deleted a moment ago.
    there = workflows(account, [export.workflow for export in wanted])
    described = [(export, there[export.workflow]) for export in wanted if export.workflow in there]
    return sorted(described, key=lambda pair: (pair[0].table, pair[0].format.value))


def _tagged(account: Account) -> list[DeployedExport]:
    filters: list[Any] = [{"Key": naming.TAG_WORKFLOW}]
    pages = account.tagging.get_paginator("get_resources").paginate(
        TagFilters=filters,
        ResourceTypeFilters=["glue:job"],
        PaginationConfig={"PageSize": _RESOURCES_PER_PAGE},
    )
    tags = (
        {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
        for page in pages
        for resource in page["ResourceTagMappingList"]
    )
    return [export for export in map(from_tags, tags) if export is not None]


def find(account: Account, table: str) -> list[DeployedExport]:
    """The table's exports, one for each format.

    Raises:
        NotExported: there is no export.
    """
    naming.check(naming.Export(table, OutputFormat.PARQUET))
    formats = {
        naming.workflow(table, fmt.value, scheduled=scheduled): fmt
        for fmt in OutputFormat
        for scheduled in (False, True)
    }
    answer = account.glue.batch_get_workflows(Names=list(formats))
    deployed_formats = sorted(
        {formats[workflow["Name"]].value for workflow in answer.get("Workflows", ())}
    )
    exports = [_read_job_tags(account, naming.export_job(table, fmt)) for fmt in deployed_formats]
    known = [export for export in exports if export is not None]
    if not known:
        raise _not_exported(account, table)
    return known


def _not_exported(account: Account, table: str) -> NotExported:
    """The error; it suggests an exported table of similar name, if the caller may list them."""
    from botocore.exceptions import ClientError

    try:
        names = sorted({export.table for export in _tagged(account)})
    except ClientError:
        names = []
    near = difflib.get_close_matches(table, names, n=1)
    return NotExported(
        f"{table} is not exported in {account.region}",
        hint=f"did you mean {near[0]}?" if near else f"deploy it with: dynoexport deploy {table}",
    )


def find_one(account: Account, table: str, fmt: OutputFormat | None = None) -> DeployedExport:
    """The table's export in the format, or its only one.

    Raises:
        NotExported: there is no export.
        AmbiguousExport: there are several, and no format is given.
    """
    known = find(account, table)
    named = [export for export in known if fmt in {None, export.format}]
    shown = " and ".join(export.format.value for export in known)
    if not named:
        wanted = fmt.value if fmt else ""
        raise NotExported(
            f"{table} is exported as {shown}, not as {wanted}",
            hint=f"deploy it with: dynoexport deploy {table} --format {wanted}",
        )
    if len(named) > 1:
        raise AmbiguousExport(f"{table} is exported as {shown}", hint="choose one with --format")
    return named[0]


def _read_job_tags(account: Account, job: str) -> DeployedExport | None:
    arn = f"arn:{account.partition}:glue:{account.region}:{account.account_id}:job/{job}"
    try:
        return from_tags(account.glue.get_tags(ResourceArn=arn)["Tags"])
    except account.glue.exceptions.EntityNotFoundException:
        # Its workflow is still there: the stack is being deleted, or could not be.
        return None


def workflows(account: Account, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The workflows with their graphs from ``BatchGetWorkflows``, by name.

    Those that do not exist are missing from the answer.
    """

    def get(batch: list[str]) -> Sequence[Mapping[str, Any]]:
        answer = account.glue.batch_get_workflows(Names=batch, IncludeGraph=True)
        return answer.get("Workflows", ())

    batches = side_by_side(get, chunks(list(names), _WORKFLOWS_PER_CALL))
    return {workflow["Name"]: workflow for batch in batches for workflow in batch}

"""A table of the catalog, and its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dynoexport.jobs.failures import JobFailed

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import TableTypeDef


def get_table(glue: GlueClient, database: str, name: str) -> TableTypeDef | None:
    """The catalog's table or view; None if it does not exist."""
    try:
        return glue.get_table(DatabaseName=database, Name=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "EntityNotFoundException":
            return None
        raise


def is_own_table(table: TableTypeDef, own: str) -> bool:
    """Whether the catalog table belongs to the export whose data is under the URI ``own``."""
    location = table.get("StorageDescriptor", {}).get("Location", "")
    return location.rstrip("/") == own.rstrip("/")


def check_owner(table: TableTypeDef, database: str, own: str) -> None:
    """Check that the catalog table belongs to this export, whose data is under the URI ``own``.

    Raises:
        JobFailed: another table or format was exported under the same catalog name.
    """
    if not is_own_table(table, own):
        location = table.get("StorageDescriptor", {}).get("Location", "")
        raise JobFailed(
            f"the catalog table {database}.{table['Name']} belongs to {location!r}, not "
            f"to {own}: deploy this export with a CatalogPrefix"
        )

"""The columns of snapshots that another design wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dynoexport.jobs.checks import catalog_table
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.formats import TEXT_FORMATS
from dynoexport.jobs.names import data_prefix
from dynoexport.jobs.s3 import exists
from dynoexport.jobs.schema.catalog_types import parse_catalog_type
from dynoexport.jobs.schema.column_names import column_names
from dynoexport.jobs.schema.columns import Column
from dynoexport.jobs.schema.types import ARRAY, STRING, STRUCT, Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_glue.type_defs import TableTypeDef

    from dynoexport.jobs.clients import Clients
    from dynoexport.jobs.schema.profile import Profile
    from dynoexport.jobs.schema.types import Field
    from dynoexport.jobs.settings import Settings


def adopted_columns(clients: Clients, settings: Settings) -> tuple[Column, ...]:
    """The columns of a catalog table whose snapshots another design wrote; empty without one.

    Athena reads csv and orc by position, and the older files are in the order of this table. So
    its columns keep their positions, like the columns of a manifest. ``assign_attributes`` finds
    the attribute of each column once the table is read.

    Raises:
        JobFailed: a column has a type that no export writes.
    """
    if not exists(clients.s3, settings.bucket, data_prefix(settings.table, settings.format)):
        return ()
    table = catalog_table(clients.glue, settings)
    return () if table is None else table_columns(table, settings.database, settings.format)


def table_columns(table: TableTypeDef, database: str, fmt: str) -> tuple[Column, ...]:
    """The columns of the catalog table, without the attributes behind them.

    Raises:
        JobFailed: a column has a type that no export writes.
    """
    columns = []
    for column in table.get("StorageDescriptor", {}).get("Columns", []):
        name, declared = column["Name"], column.get("Type", STRING).lower()
        try:
            kind = Type(STRING) if fmt in TEXT_FORMATS else parse_catalog_type(declared)
        except ValueError:
            raise JobFailed(
                f"column {name!r} of the catalog table {database}.{table['Name']} has the "
                f"type {declared}, which no export writes: deploy this export with a CatalogPrefix"
            ) from None
        columns.append(Column(name, name, "", "", kind))
    return tuple(columns)


def assign_attributes(
    history: Sequence[Column], profiles: Mapping[str, Profile]
) -> tuple[Column, ...]:
    """The columns; each one without an attribute gets the attribute of its name, if one exists.

    A crawler writes the attribute's name in lower case. An export writes the name that every
    format can hold. An attribute belongs to one column: the one with the more similar name.
    """
    taken = {column.attribute for column in history}
    waiting = {column.name for column in history if not column.attribute and not column.group}
    attributes: dict[str, str] = {}
    for names in (
        {attribute.lower(): attribute for attribute in sorted(set(profiles) - taken)},
        {name: attribute for attribute, name in column_names(set(profiles) - taken).items()},
    ):
        free = set(profiles) - taken - set(attributes.values())
        candidates = {name: attribute for name, attribute in names.items() if attribute in free}
        attributes.update(
            (name, candidates[name]) for name in waiting & candidates.keys() - attributes.keys()
        )

    def with_attribute(column: Column) -> Column:
        attribute = attributes.get(column.name)
        if attribute is None or column.attribute or column.group:
            return column
        kind = assign_keys(column.type, profiles[attribute])
        return replace(column, attribute=attribute, type=kind)

    return tuple(map(with_attribute, history))


def assign_keys(kind: Type, profile: Profile) -> Type:
    """The type with the maps' own keys in DynamoDB, where the catalog has only their names."""
    if kind.kind == ARRAY and profile.element is not None:
        return replace(kind, element=assign_keys(kind.elements, profile.element))
    if kind.kind != STRUCT:
        return kind
    keys = {name: key for key, name in column_names(profile.fields).items()}

    def with_key(struct_field: Field) -> Field:
        key = keys.get(struct_field.name)
        if key is None:
            return struct_field
        return replace(
            struct_field, attribute=key, type=assign_keys(struct_field.type, profile.fields[key])
        )

    return replace(kind, fields=tuple(map(with_key, kind.fields)))

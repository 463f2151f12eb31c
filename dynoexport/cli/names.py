"""``dynoexport names``: every name an export creates, checked before anything is deployed."""

from __future__ import annotations

import json

import click

from dynoexport import naming, settings
from dynoexport.model import CatalogUpdate, OutputFormat

# Placeholders, because the command does not ask AWS for the account.
_BUCKET = naming.bucket("<account>", "<region>")


@click.command()
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True)
@click.option(
    "--format",
    "fmt",
    type=click.Choice([fmt.value for fmt in OutputFormat]),
    default=settings.DEFAULT_FORMAT.value,
    show_default=True,
    help="List the names for this file format.",
)
@click.option("--catalog-prefix", default="", help="List the names with this CatalogPrefix.")
@click.option(
    "--catalog-update",
    type=click.Choice([update.value for update in CatalogUpdate]),
    default=settings.DEFAULT_CATALOG_UPDATE.value,
    show_default=True,
    help="List the names with this CatalogUpdate.",
)
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Print text or JSON.",
)
def names(
    tables: tuple[str, ...], fmt: str, catalog_prefix: str, catalog_update: str, output: str
) -> None:
    """List every name an export creates.

    Does not call AWS. Exits 1 if AWS would refuse a name, or if two exports would get the same
    name.

    \b
    Examples:
      dynoexport names Reviews
      dynoexport names Orders orders --format csv
      dynoexport names Reviews --format csv --catalog-prefix csv_ --output json
    """
    exports = [
        naming.Export(table, OutputFormat(fmt), catalog_prefix, CatalogUpdate(catalog_update))
        for table in tables
    ]
    naming.check_all(exports)
    if output == "json":
        click.echo(json.dumps([_describe(export) for export in exports], indent=2))
        return
    for export in exports:
        _print(_describe(export))


def _describe(export: naming.Export) -> dict[str, object]:
    """The export as plain values; the keys are those of ``--output json``."""
    table, fmt = export.table, export.format.value
    prefixes = {
        "snapshots": naming.data_prefix(table, fmt),
        "manifests": naming.manifest_prefix(table, fmt),
        "temporary files": naming.temp_prefix(table, fmt),
    }
    if export.format.queryable:
        prefixes["view results"] = naming.view_results_prefix(table, fmt)
    return {
        "table": table,
        "format": fmt,
        "stack": naming.table_stack(table, fmt),
        "database": naming.DATABASE,
        "names": export.names(),
        "locations": {kind: f"s3://{_BUCKET}/{prefix}" for kind, prefix in prefixes.items()},
    }


def _print(described: dict[str, object]) -> None:
    """One name a line; never cut, so that it can be copied."""
    click.echo(f"{described['table']} as {described['format']}")
    lines = {kind: described[kind] for kind in ("stack", "database")}
    for group in ("names", "locations"):
        members = described[group]
        if isinstance(members, dict):
            lines |= members
    width = max(map(len, lines))
    for kind, name in lines.items():
        click.echo(f"  {kind:<{width}}  {name}")

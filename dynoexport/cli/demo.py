"""``dynoexport local demo``: the whole way on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import click

from dynoexport import limits, naming, settings
from dynoexport.cli import common
from dynoexport.errors import NameRefused
from dynoexport.model import Engine, OutputFormat


@click.command()
@click.option(
    "--format",
    "fmt",
    type=click.Choice([fmt.value for fmt in OutputFormat]),
    default=OutputFormat.PARQUET.value,
    show_default=True,
    help="Export in this file format.",
)
@click.option(
    "--items",
    "items_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Export the items of this file, one a line, in plain JSON or DynamoDB JSON; gzip or not.",
)
@click.option(
    "--key", type=common.Text(), help="Name the key attributes of your items: HASH or HASH:RANGE."
)
@click.option(
    "--engine",
    type=click.Choice([engine.value for engine in Engine]),
    default=settings.DEFAULT_ENGINE.value,
    show_default=True,
    help="Run the export job with Glue Spark, or as a Python shell job, which is the fast way.",
)
@click.option(
    "--table",
    type=common.Text(),
    help="Name the table.  [default: Reviews, or the name of the file]",
)
def demo(
    fmt: str, items_file: Path | None, key: str | None, engine: str, table: str | None
) -> None:
    """Export a table on this machine, without an AWS account.

    Starts an AWS endpoint on a free port, deploys both templates to it, puts items into a
    DynamoDB table, runs the Glue Workflow with real Spark, and queries the Athena view. With
    --engine python, the workflow has neither Spark nor a crawler. Stops everything at the end, also
    on Ctrl-C or when the terminal closes.

    \b
    Examples:
      dynoexport local demo
      dynoexport local demo --format csv
      dynoexport local demo --engine python
      dynoexport local demo --items orders.jsonl --key CustomerId:OrderId
    """
    if (items_file is None) != (key is None):
        raise click.UsageError("Give --items and --key together.")
    from rich.console import Console

    from dynoexport.local import items, loading
    from dynoexport.local.glue import processes

    given = None
    if items_file is not None and key is not None:
        parsed_key = items.parse_key(key)
        given = parsed_key, items.read_file(items_file, parsed_key)
    export = naming.Export(table or _table_name(items_file), OutputFormat(fmt))
    naming.check(export)
    common.unwind_on_signals()
    try:
        # It starts while the emulator is imported, which takes about a second.
        spark = engine == Engine.SPARK.value
        processes.reserve.fill(processes.SPARK if spark else processes.PYTHON_SHELL)
        with loading.quickly():
            from dynoexport.local import demo as local_demo

        own_key, own_items = given or (local_demo.REVIEWS_KEY, local_demo.REVIEWS)
        local_demo.run(
            local_demo.Demo(export=export, key=own_key, items=own_items, engine=Engine(engine)),
            Console(highlight=False),
        )
    finally:
        processes.end_all()


def _table_name(items_file: Path | None) -> str:
    """The file's name as a table name, ``Reviews`` without a file."""
    if items_file is None:
        return "Reviews"
    name = re.sub(r"[^a-zA-Z0-9_.-]", "-", items_file.stem)
    if re.fullmatch(limits.DYNAMODB_TABLE_NAME_PATTERN, name) is None:
        raise NameRefused(
            f"{items_file.name} cannot become a table name", hint="name the table with --table"
        )
    return name

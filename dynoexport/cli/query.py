"""``dynoexport query``: rows of a snapshot, as a table or for another program."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

import dynoexport
from dynoexport import units
from dynoexport.cli import common
from dynoexport.cli.waiting import waiting
from dynoexport.errors import DynoexportError
from dynoexport.presentation import terminal
from dynoexport.presentation.output_files import open_output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from dynoexport import Account, Execution, OutputFormat
# Rows. A person reads no more at once; programs get everything.
_SHOWN = 100


class NoPlace(DynoexportError):
    """A binary result that a terminal cannot show."""

    exit_code = 2


@click.command()
@common.table_argument
@click.argument("sql", required=False)
@click.option(
    "--limit",
    type=click.IntRange(0),
    help="Print at most this many rows; 0 prints all. Not with SQL.",
)
@click.option(
    "--output",
    type=click.Choice(["text", "json", "csv", "parquet"]),
    default="text",
    show_default=True,
    help="Print the first 100 rows as text, or all rows in another format.",
)
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of stdout.",
)
@common.aws_options
def query(
    account: Account,
    *,
    table: str,
    fmt: OutputFormat | None,
    sql: str | None,
    limit: int | None,
    output: str,
    to: Path | None,
) -> None:
    """Query a table's snapshots with Athena.

    In SQL, {view} stands for the view of the current snapshot and {snapshots} for the table of
    all snapshots. Without SQL the command prints the rows of the view. Athena bills the bytes that
    it scans.

    For --output parquet, first run in the clone of dynoexport: pip install '.[files]'

    \b
    Examples:
      dynoexport query Reviews
      dynoexport query Reviews "SELECT count(*) FROM {view} WHERE rating >= 4"
      dynoexport query Reviews "SELECT snapshot_timestamp, count(*) AS items
                                FROM {snapshots} GROUP BY 1 ORDER BY 1"
      dynoexport query Reviews --output csv > reviews.csv
      dynoexport query Reviews --output parquet --to reviews.parquet
    """
    if sql is not None and limit is not None:
        raise click.UsageError("--limit does not work with SQL. Write LIMIT in the SQL.")
    if sql is not None and not sql.strip():
        raise click.UsageError("The SQL is empty. Leave it out to print the rows of the view.")
    if output == "parquet" and to is None and sys.stdout.isatty():
        raise NoPlace("a terminal cannot show Parquet", hint="add --to FILE")
    cut = _SHOWN if limit is None and output == "text" else limit or None
    write = {"text": _text, "json": _json, "csv": _csv, "parquet": _parquet}[output]
    # First the file: do not pay for a query whose result cannot be written.
    with _target(to) as target:
        execution = _execute(account, table, sql, fmt, None if sql else cut)
        with _reading(target, output):
            rows = write(account, execution, target)
    _print_figures(execution, rows)
    if sql is None and limit is None and output == "text" and rows == cut:
        common.echo_err(f"The first {cut} rows; --limit 0 shows all.")


def _execute(
    account: Account, table: str, sql: str | None, fmt: OutputFormat | None, limit: int | None
) -> Execution:
    """Run the query; Ctrl-C stops it in Athena, too."""
    started: list[str] = []
    try:
        with waiting("Waiting for Athena"):
            return dynoexport.query(
                account, table, sql, fmt=fmt, limit=limit, on_started=started.append
            )
    except KeyboardInterrupt:
        for query_id in started:
            account.athena.stop_query_execution(QueryExecutionId=query_id)
            common.echo_err(f"\nAthena stops the query {query_id}.")
        raise


def _print_figures(execution: Execution, rows: int | None) -> None:

    shown = "" if rows is None else f"{units.count(rows, 'row')}, "
    scanned = units.size(execution.scanned_bytes)
    took = units.duration(execution.milliseconds / 1000)
    common.echo_err(f"{shown}{scanned} scanned in {took}")


@contextmanager
def _target(to: Path | None) -> Iterator[IO[bytes]]:
    """The file that the user names, or stdout."""
    if to is None:
        yield sys.stdout.buffer
        return
    with open_output(to) as file:
        yield file


def _reading(target: IO[bytes], output: str) -> AbstractContextManager[object]:
    """Show that rows are read; a terminal shows the rows themselves."""
    return nullcontext() if output == "text" or target.isatty() else waiting("Reading the rows")


# --- one function for each output; it returns the number of rows ---------------------------------
def _text(account: Account, execution: Execution, target: IO[bytes]) -> int:
    import io

    from rich.console import Console

    from dynoexport.aws import athena
    from dynoexport.presentation import display

    with waiting("Reading the rows"):
        pages = list(athena.pages(account.athena, execution))
    columns = [column.name for column in pages[0][0]]
    rows = [row for _, page_rows in pages for row in page_rows]
    console = common.out()
    if target is not sys.stdout.buffer:
        file = io.TextIOWrapper(target, encoding="utf-8", write_through=True)
        display.print_rows(Console(file=file, highlight=False), columns, rows)
        file.detach()
    elif console.is_terminal and len(rows) >= console.height:
        with console.pager(styles=True):
            display.print_rows(console, columns, rows)
    else:
        display.print_rows(console, columns, rows)
    return len(rows)


def _json(account: Account, execution: Execution, target: IO[bytes]) -> int:
    """A list, written as its rows arrive."""
    from dynoexport.aws import athena

    number = 0
    for columns, rows in athena.pages(account.athena, execution):
        for row in rows:
            record = {
                column.name: athena.plain(column.type, value)
                for column, value in zip(columns, row, strict=True)
            }
            text = terminal.json_text(record, allow_nan=False)
            target.write(("[\n  " if number == 0 else ",\n  ").encode() + text.encode())
            number += 1
    target.write(b"\n]\n" if number else b"[]\n")
    target.flush()
    return number


def _csv(account: Account, execution: Execution, target: IO[bytes]) -> None:
    """Athena's own result file: a header, every value quoted, NULL as nothing.

    On a terminal, control characters are escaped; a file or a pipe gets the bytes as they are.
    https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
    """
    bucket, _, key = execution.output.removeprefix("s3://").partition("/")
    body = account.s3.get_object(Bucket=bucket, Key=key)["Body"]
    chunks = body.iter_chunks(1 << 16)
    for chunk in terminal.printable_bytes(chunks) if target.isatty() else chunks:
        target.write(chunk)
    target.flush()


def _parquet(account: Account, execution: Execution, target: IO[bytes]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    from dynoexport.aws import athena

    writer: Any = None
    number = 0
    for columns, rows in athena.pages(account.athena, execution):
        schema = pa.schema([(column.name, _arrow_type(pa, column.type)) for column in columns])
        values = [
            [athena.typed(column.type, row[place]) for row in rows]
            for place, column in enumerate(columns)
        ]
        arrays = [
            pa.array(column_values, type=kind)
            for column_values, kind in zip(values, schema.types, strict=True)
        ]
        writer = writer or parquet.ParquetWriter(target, schema, compression="zstd")
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        number += len(rows)
    writer.close()
    return number


def _arrow_type(pa: Any, kind: str) -> Any:  # noqa: ANN401 - pyarrow carries no types
    """The Arrow type for a type of Athena; text, as Athena prints it, if Arrow has none."""
    if kind.startswith("decimal("):
        precision, scale = kind.removeprefix("decimal(").rstrip(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    known = {
        "boolean": pa.bool_(),
        "tinyint": pa.int8(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "float": pa.float32(),
        "real": pa.float32(),
        "double": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("ms"),
    }
    return known.get(kind, pa.string())

"""Parquet and ORC files, written with pyarrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.write.arrow import arrow_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.write.upload import PartUpload

# Bytes in memory that become one row group or stripe.
ROW_GROUP_BYTES = 64 * 1024 * 1024


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    return arrow().schema([(column.name, arrow_type(column.type)) for column in columns])


class ColumnarFile:
    """A parquet or orc file; nothing is uploaded before there is a row."""

    def __init__(
        self, columns: Sequence[Column], fmt: str, codec: str, open_file: Callable[[], PartUpload]
    ) -> None:
        self._schema, self._format, self._codec = arrow_schema(columns), fmt, codec
        self._open_file = open_file
        self._writer: Any = None
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        self._batches.append(batch)
        self._bytes += batch.nbytes
        self.rows += batch.num_rows
        if self._bytes >= ROW_GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        if self._batches:
            self._write_group()
        if self._writer is not None:
            self._writer.close()

    def _write_group(self) -> None:
        if self._writer is None:
            make = parquet_writer if self._format == "parquet" else orc_writer
            self._writer = make(self._open_file(), self._schema, self._codec)
        table = arrow().Table.from_batches(self._batches, schema=self._schema)
        if self._format == "parquet":
            # Else pyarrow begins a new row group after a number of rows.
            self._writer.write_table(table, row_group_size=len(table))
        else:
            self._writer.write(table)
        self._batches, self._bytes = [], 0


def parquet_writer(file: PartUpload, schema: pa.Schema, codec: str) -> Any:  # noqa: ANN401
    import pyarrow.parquet

    # Lists as the format's specification names them, which is not every version's default:
    # https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists
    return pyarrow.parquet.ParquetWriter(
        file, schema, compression=codec, use_compliant_nested_type=True
    )


def orc_writer(file: PartUpload, schema: pa.Schema, codec: str) -> Any:  # noqa: ANN401, ARG001
    import pyarrow.orc

    # Without a compression, it writes none.
    return pyarrow.orc.ORCWriter(file, compression=codec, stripe_size=ROW_GROUP_BYTES)

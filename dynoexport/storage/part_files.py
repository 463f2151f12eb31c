"""Read every row of a part file again, to check it.

Parquet, ORC and Avro need ``pip install '.[files]'``.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.etree import ElementTree as ET

from botocore.exceptions import BotoCoreError, ClientError

from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


# A value of DynamoDB has up to 400 KB, and more as the JSON text of what it nests; csv's own limit
# is 128 KB: https://docs.python.org/3/library/csv.html#csv.field_size_limit
_FIELD_MAX = 2**31 - 1


class FileBroken(Exception):
    """A part file that cannot be read to its end."""


def count_items(path: Path, fmt: OutputFormat, *, adopted: bool = False) -> int:
    """Decode the whole file; how many items it holds.

    ``adopted``: another design wrote it, with its own names and rules.

    Raises:
        FileBroken: with the reader's reason.
        ModuleNotFoundError: the format's reader is not installed.
    """
    try:
        return {**_READERS, **(_ADOPTED if adopted else {})}[fmt](path)
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise _as_broken(error) from error


def _parquet(path: Path) -> int:
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    return sum(batch.num_rows for batch in file.iter_batches())


def _orc(path: Path) -> int:
    from pyarrow import orc

    file = orc.ORCFile(path)
    return sum(file.read_stripe(number).num_rows for number in range(file.nstripes))


def _avro(path: Path) -> int:
    import fastavro

    with path.open("rb") as file:
        return sum(1 for _ in fastavro.reader(file))


def _json(path: Path) -> int:
    def check(line: str) -> int:
        if not isinstance(json.loads(line), dict):
            raise ValueError("a line is not a JSON object")  # noqa: TRY004 - not of the caller's
        return 1

    with path.open(encoding="utf-8", newline="\n") as lines:
        return sum(check(line) for line in lines)


def _csv(path: Path) -> int:
    """Every line is a row of its own, whatever quotes it holds: line breaks are escaped."""

    def rows(lines: Iterator[str]) -> Iterator[list[str]]:
        for line in lines:
            # Up to Python 3.10 the reader refuses a NUL, which an item may hold.
            text = line.replace("\0", " ")
            yield from csv.reader([text], strict=True, escapechar="\\", doublequote=True)

    csv.field_size_limit(_FIELD_MAX)
    with path.open(encoding="utf-8", newline="\n") as lines:
        parsed = rows(line.removesuffix("\n") for line in lines)
        header = next(parsed, None)
        if header is None:
            raise ValueError("there is no header")
        count = 0
        for values in parsed:
            # An empty line is a row of one empty value, as Athena reads it.
            row = values or [""]
            if len(row) != len(header):
                raise ValueError(f"row {count + 1} has {len(row)} values, not {len(header)}")
            count += 1
        return count


def _adopted_csv(path: Path) -> int:
    """As Athena counts the rows: each line after the header, whatever quotes it holds."""
    # Hadoop's text files end a line at \n, \r or \r\n, as "universal newlines" do:
    # https://hadoop.apache.org/docs/r3.4.1/api/org/apache/hadoop/util/LineReader.html
    with path.open(encoding="utf-8", newline=None) as lines:
        return max(0, sum(1 for _ in lines) - 1)


def _xml(path: Path) -> int:
    return _count_elements(path, {"item"})


def _adopted_xml(path: Path) -> int:
    """Whatever the other design called an item: each element below the root."""
    return _count_elements(path, None)


def _count_elements(path: Path, tags: set[str] | None) -> int:
    count = depth = 0
    # Expat fetches nothing, and bounds what entities expand to, since 2.4.1.
    for event, element in ET.iterparse(path, events=("start", "end")):  # noqa: S314
        depth += 1 if event == "start" else -1
        # Only below the root: an item may have an attribute of that name.
        if event == "end" and depth == 1:
            count += tags is None or element.tag in tags
            element.clear()
    return count


_READERS: Mapping[OutputFormat, Callable[[Any], int]] = {
    OutputFormat.AVRO: _avro,
    OutputFormat.CSV: _csv,
    OutputFormat.JSON: _json,
    OutputFormat.ORC: _orc,
    OutputFormat.PARQUET: _parquet,
    OutputFormat.XML: _xml,
}
_ADOPTED: Mapping[OutputFormat, Callable[[Any], int]] = {
    OutputFormat.CSV: _adopted_csv,
    OutputFormat.XML: _adopted_xml,
}


# --- footers --------------------------------------------------------------------------------------
def count_by_footer(file: BinaryIO, fmt: OutputFormat) -> int:
    """How many rows the footer of a parquet or orc file declares, without reading its data.

    Raises:
        FileBroken: with the reader's reason.
        ModuleNotFoundError: pyarrow is not installed.
    """
    from pyarrow import orc, parquet

    try:
        if fmt is OutputFormat.ORC:
            return int(orc.ORCFile(file).nrows)
        return int(parquet.ParquetFile(file).metadata.num_rows)
    except (BotoCoreError, ClientError):
        # The file may lie in S3, and is not broken.
        raise
    except Exception as error:
        raise _as_broken(error) from error


def _as_broken(error: Exception) -> FileBroken:
    """Each reader has exceptions of its own, and a broken file can raise any of them."""
    return FileBroken(" ".join(str(error).split()) or type(error).__name__)

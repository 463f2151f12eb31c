"""Part files of each format are read to their end: a broken one never counts as whole."""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dynoexport.jobs.write.counts import count_lines
from dynoexport.jobs.write.text import XML_REPLACED, csv_line, frame, xml_item
from dynoexport.model import OutputFormat
from dynoexport.storage.part_files import FileBroken, count_items

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ITEMS = [
    {"user": f"user {number}", "rating": number % 6, "review": f"\u201cgood\u201d, {number}"}
    for number in range(500)
]
ROWS = [[str(value) for value in item.values()] for item in ITEMS]


def parquet(items: list[dict[str, Any]]) -> bytes:
    """Of several row groups, as Spark writes a large file."""
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(items), out, row_group_size=100)
    return out.getvalue()


def orc(items: list[dict[str, Any]]) -> bytes:
    """Of several stripes."""
    out = io.BytesIO()
    table = pa.Table.from_pylist(items)
    pa.orc.write_table(table, out, stripe_size=1024, batch_size=100, compression="snappy")
    return out.getvalue()


def avro(items: list[dict[str, Any]]) -> bytes:
    """Of several blocks."""
    kinds = {"user": "string", "rating": "int", "review": "string"}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    schema = {"type": "record", "name": "items", "fields": fields}
    out = io.BytesIO()
    fastavro.writer(out, schema, items, codec="deflate", sync_interval=2_000)
    return out.getvalue()


def lines(*written: str) -> bytes:
    return "".join(f"{line}\n" for line in written).encode()


def json_lines(items: list[dict[str, Any]]) -> bytes:
    return lines(*map(json.dumps, items))


def csv(rows: list[list[str]]) -> bytes:
    """The job's own function writes it, as xml below."""
    return lines("user,rating,review", *map(csv_line, rows))


def xml(rows: list[list[str]], names: tuple[str, ...] = ("user", "rating", "review")) -> bytes:
    items = [xml_item(names, row).replace(XML_REPLACED, "\ufffd") for row in rows]
    first, last = frame(names, "xml")
    return lines(*first, *items, *last)


FILES = {
    OutputFormat.AVRO: avro(ITEMS),
    OutputFormat.CSV: csv(ROWS),
    OutputFormat.JSON: json_lines(ITEMS),
    OutputFormat.ORC: orc(ITEMS),
    OutputFormat.PARQUET: parquet(ITEMS),
    OutputFormat.XML: xml(ROWS),
}
EACH = pytest.mark.parametrize("fmt", OutputFormat, ids=lambda fmt: fmt.value)
COLUMNAR = pytest.mark.parametrize(
    "fmt", [OutputFormat.AVRO, OutputFormat.ORC, OutputFormat.PARQUET], ids=lambda fmt: fmt.value
)


@pytest.fixture
def count(tmp_path: Path) -> Callable[[bytes, OutputFormat], int]:
    """Counts the rows of a file with that content."""

    def count(content: bytes, fmt: OutputFormat) -> int:
        path = tmp_path / "part-0"
        path.write_bytes(content)
        return count_items(path, fmt)

    return count


# --- every format ---------------------------------------------------------------------------------
@EACH
def test_a_whole_file_has_all_its_rows(fmt: OutputFormat, count: Any) -> None:
    assert count(FILES[fmt], fmt) == 500


@EACH
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_file_that_was_cut_never_counts_as_whole(
    fmt: OutputFormat, count: Any, data: st.DataObject
) -> None:
    """Any cut is found. A text without its last line break still has all its rows."""
    content = FILES[fmt].rstrip(b"\n")
    end = data.draw(st.integers(0, len(content) - 1))
    with suppress(FileBroken):
        assert count(content[:end], fmt) < 500


@EACH
def test_a_file_that_was_cut_within_a_row_is_broken(fmt: OutputFormat, count: Any) -> None:
    with pytest.raises(FileBroken):
        count(FILES[fmt][:-9], fmt)


@EACH
def test_a_file_whose_middle_was_overwritten_is_broken(fmt: OutputFormat, count: Any) -> None:
    """With its beginning and its end in place, so that it looks whole."""
    content = FILES[fmt]
    third = len(content) // 3
    with pytest.raises(FileBroken):
        count(content[:third] + b"\xff" * third + content[2 * third :], fmt)


@EACH
def test_a_file_of_another_format_is_broken(fmt: OutputFormat, count: Any) -> None:
    other = OutputFormat.ORC if fmt is not OutputFormat.ORC else OutputFormat.PARQUET
    with pytest.raises(FileBroken):
        count(FILES[other], fmt)


@COLUMNAR
def test_an_empty_object_is_no_file(fmt: OutputFormat, count: Any) -> None:
    with pytest.raises(FileBroken):
        count(b"", fmt)


def test_the_reason_is_one_line_in_the_words_of_the_reader(count: Any) -> None:
    with pytest.raises(FileBroken) as broken:
        count(b"<items><item></items>", OutputFormat.XML)
    assert str(broken.value) == "mismatched tag: line 1, column 15"


def test_a_reader_that_gives_no_reason_is_quoted_by_its_error(count: Any) -> None:
    """Here a block that ends after the number of its rows."""
    with pytest.raises(FileBroken, match=r"^EOFError$"):
        count(FILES[OutputFormat.AVRO] + b"\x02", OutputFormat.AVRO)


@pytest.mark.parametrize(
    ("fmt", "module"),
    [
        (OutputFormat.AVRO, "fastavro"),
        (OutputFormat.ORC, "pyarrow"),
        (OutputFormat.PARQUET, "pyarrow"),
    ],
)
def test_a_reader_that_is_not_installed_is_no_broken_file(
    fmt: OutputFormat, module: str, count: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says then what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=module):
        count(FILES[fmt], fmt)


# --- json -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("line", ["[1]", "7", '"text"', "null"])
def test_a_line_of_another_json_value_is_broken(line: str, count: Any) -> None:
    with pytest.raises(FileBroken, match=r"^a line is not a JSON object$"):
        count(lines('{"a": 1}', line), OutputFormat.JSON)


@pytest.mark.parametrize("line", ["", "{}{}"])
def test_a_line_that_is_not_one_json_value_is_broken(line: str, count: Any) -> None:
    with pytest.raises(FileBroken):
        count(lines('{"a": 1}', line), OutputFormat.JSON)


def test_json_lines_end_at_line_feeds_only(count: Any) -> None:
    """Other line breaks may stand inside a value, which JSON does not escape."""
    assert count(lines('{"a": "x\u2028y\u0085z"}', "{}"), OutputFormat.JSON) == 2


# --- csv ------------------------------------------------------------------------------------------
TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=8) | st.text("a,\"'\\ \r\n\0")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.lists(TEXTS, min_size=2, max_size=2)))
def test_whatever_the_job_writes_as_csv_is_counted(rows: list[list[Any]], count: Any) -> None:
    assert count(lines("a,b", *map(csv_line, rows)), OutputFormat.CSV) == len(rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=st.lists(TEXTS))
@example(values=[None])
@example(values=[""])
@example(values=[None, "x"])
@example(values=["x", None])
@example(values=["x", "", None, "y"])
@example(values=[None, None])
def test_a_single_csv_column_has_a_row_for_each_item(values: list[Any], count: Any) -> None:
    """Empty values first, last, between and alone; the job, which counts lines, agrees."""
    content = lines("only", *(csv_line([value]) for value in values))
    assert b"\n\n" not in content
    assert count(content, OutputFormat.CSV) == len(values)
    assert count_lines([content], "csv") == len(values)


def test_an_empty_line_of_csv_is_a_row_of_one_empty_value(count: Any) -> None:
    """Older versions wrote such lines for a single column."""
    assert count(b"only\nx\n\n", OutputFormat.CSV) == 2


def test_a_csv_value_may_be_as_long_as_an_item(count: Any) -> None:
    """Python's reader stops at 128 KB by default."""
    assert count(lines("a,b", csv_line(["x" * 400_000, "y"])), OutputFormat.CSV) == 1


def test_a_csv_file_of_a_header_has_no_rows(count: Any) -> None:
    assert count(lines("a,b"), OutputFormat.CSV) == 0


def test_a_csv_file_without_a_header_is_broken(count: Any) -> None:
    with pytest.raises(FileBroken, match=r"^there is no header$"):
        count(b"", OutputFormat.CSV)


@pytest.mark.parametrize(("row", "values"), [("1", 1), ("1,2,3", 3)])
def test_a_csv_row_of_another_length_is_named(row: str, values: int, count: Any) -> None:
    with pytest.raises(FileBroken, match=f"^row 2 has {values} values, not 2$"):
        count(lines("a,b", "1,2", row, "1,2"), OutputFormat.CSV)


def test_a_csv_value_with_an_open_quote_is_broken(count: Any) -> None:
    """Athena reads line by line, too: the quote does not end in the next one."""
    with pytest.raises(FileBroken):
        count(lines("a,b", '1,"2', '3",4'), OutputFormat.CSV)


# --- xml ------------------------------------------------------------------------------------------
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.lists(TEXTS, min_size=2, max_size=2)))
def test_whatever_the_job_writes_as_xml_is_counted(rows: list[list[Any]], count: Any) -> None:
    assert count(xml(rows, names=("a", "b")), OutputFormat.XML) == len(rows)


def test_an_attribute_called_item_is_no_item(count: Any) -> None:
    assert count(xml([["x", "y"]], names=("item", "items")), OutputFormat.XML) == 1


def test_what_is_beside_the_items_is_not_counted(count: Any) -> None:
    assert count(b"<items><note/><item/></items>", OutputFormat.XML) == 1

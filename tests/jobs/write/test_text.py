"""Names of columns, lines of csv and xml files, blocks of Avro files: all without Spark."""

from __future__ import annotations

import csv
import io
import re
from xml.etree import ElementTree as ET

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.schema.column_names import column_names, fold_column
from dynoexport.jobs.write.counts import count_avro_rows
from dynoexport.jobs.write.text import XML_REPLACED, csv_line, xml_item

NAMES = st.text(min_size=1, max_size=300)
# Few letters, so that names often collide.
SIMILAR = st.lists(st.text(alphabet="aA.-_2é", min_size=1, max_size=4), unique=True)


# --- column names -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("attribute", "column"),
    [
        ("Rating", "rating"),
        ("first.name", "first_name"),
        ("2nd", "_2nd"),
        ("größe", "gr__e"),
        ('a`b"c;--', "a_b_c___"),
        ("select", "select"),
        ("😀", "_"),
        ("_id", "_id"),
        ("x" * 300, "x" * 240),
    ],
)
def test_a_name_becomes_what_every_format_can_hold(attribute: str, column: str) -> None:
    assert fold_column(attribute) == column


@given(st.lists(NAMES, unique=True))
def test_columns_are_avro_names_that_the_catalog_can_hold(attributes: list[str]) -> None:
    for column in column_names(attributes).values():
        assert re.fullmatch("[a-z_][a-z0-9_]{0,254}", column)


@given(SIMILAR)
def test_no_two_attributes_share_a_column(attributes: list[str]) -> None:
    columns = column_names(attributes, reserved=["a"])
    assert len({*columns.values(), "a"}) == len(attributes) + 1


@given(st.data(), SIMILAR)
def test_columns_do_not_depend_on_the_order_of_attributes(
    data: st.DataObject, attributes: list[str]
) -> None:
    assert column_names(data.draw(st.permutations(attributes))) == column_names(attributes)


@given(SIMILAR)
def test_an_attribute_that_needs_no_folding_keeps_its_name(attributes: list[str]) -> None:
    columns = column_names(attributes)
    assert all(columns[name] == name for name in attributes if fold_column(name) == name)


# --- csv --------------------------------------------------------------------------------------
def open_csv(line: str) -> list[str]:
    """A line as Hive's OpenCSVSerDe reads it.

    A backslash escapes a quote or itself, inside quotes only; any other one is dropped.
    """
    values, quoted, letters = [""], False, iter(enumerate(line))
    for at, letter in letters:
        following = line[at + 1 : at + 2]
        if letter == "\\":
            if quoted and following in {'"', "\\"}:
                values[-1] += next(letters)[1]
        elif letter == '"':
            if quoted and following == '"':
                values[-1] += next(letters)[1]
            else:
                quoted = not quoted
        elif letter == "," and not quoted:
            values.append("")
        else:
            values[-1] += letter
    return values


VALUES = st.lists(st.none() | st.text(alphabet='a ,"\\\n\r', max_size=6) | st.text(), min_size=1)


@given(VALUES)
def test_csv_comes_back_through_athenas_serde(values: list[str | None]) -> None:
    """Exceptions: line breaks, which become two characters, and null, which becomes empty."""
    line = csv_line(values)
    expected = [(v or "").replace("\n", "\\n").replace("\r", "\\r") for v in values]
    assert "\n" not in line
    assert "\r" not in line
    assert open_csv(line) == expected


@given(VALUES.filter(lambda values: values != [None]))
def test_csv_is_rfc_4180_with_backslashes_doubled(values: list[str | None]) -> None:
    (row,) = csv.reader(io.StringIO(csv_line(values), newline=""), strict=True)
    escaped = [(v or "").replace("\\", "\\\\") for v in values]
    assert row == [v.replace("\n", "\\\\\\n").replace("\r", "\\\\\\r") for v in escaped]


@given(VALUES.filter(lambda values: values != [None]))
@example(["a\nb", "a\\nb", "a\\\nb", "\r\n\\r\\n"])
def test_csv_file_distinguishes_line_breaks_from_texts_that_look_like_them(
    values: list[str | None],
) -> None:
    """docs/formats.md says how a program restores them."""
    restored = {"\\\\\\n": "\n", "\\\\\\r": "\r", "\\\\": "\\"}
    escape = re.compile(r"\\\\\\[nr]|\\\\")
    (row,) = csv.reader(io.StringIO(csv_line(values), newline=""), strict=True)
    assert [escape.sub(lambda match: restored[match[0]], value) for value in row] == [
        value or "" for value in values
    ]


@pytest.mark.parametrize("value", [None, ""])
def test_no_line_of_csv_is_empty(value: str | None) -> None:
    assert csv_line([value]) == '""'


def test_csv_distinguishes_null_from_empty_text_and_quotes_as_needed() -> None:
    assert csv_line(["plain", None, "", "a, b", 'say "x"', " pad", "C:\\x"]) == (
        r'plain,,"","a, b","say ""x"""," pad","C:\\x"'
    )


# --- xml --------------------------------------------------------------------------------------
@given(st.dictionaries(st.from_regex(r"\A[a-z_][a-z0-9_]{0,8}\Z"), st.none() | st.text()))
def test_xml_comes_back_through_a_parser(item: dict[str, str | None]) -> None:
    """The exceptions are null, which has no element, and characters that XML cannot hold."""
    line = xml_item(list(item), item.values()).replace(XML_REPLACED, "\ufffd")
    illegal = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    expected = {
        name: re.sub(illegal, "\ufffd", value) for name, value in item.items() if value is not None
    }
    assert {field.tag: field.text or "" for field in ET.fromstring(line)} == expected
    assert "\n" not in line
    assert "\r" not in line


# --- avro -------------------------------------------------------------------------------------
@pytest.mark.parametrize("codec", ["null", "deflate"])
@pytest.mark.parametrize("rows", [0, 1, 64, 20_000])
def test_avro_rows_are_counted_from_block_headers(rows: int, codec: str) -> None:
    schema = {
        "type": "record",
        "name": "item",
        "fields": [{"name": f"column_{n}", "type": "long"} for n in range(20)],
    }
    file = io.BytesIO()
    record = {f"column_{n}": n**9 for n in range(20)}
    fastavro.writer(file, schema, [record] * rows, codec=codec, sync_interval=1000)
    file.seek(0)
    assert count_avro_rows(file.read) == rows


@pytest.mark.parametrize("cut", [0, 3, 20, 60])
def test_a_cut_avro_file_is_refused(cut: int) -> None:
    """The reader neither loops for ever nor takes it for an empty file."""
    file = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "long"}]}
    fastavro.writer(file, schema, [{"n": number} for number in range(1_000)])
    with pytest.raises(JobFailed, match="not a complete Avro file"):
        count_avro_rows(io.BytesIO(file.getvalue()[:cut]).read)


def test_an_avro_file_with_more_bytes_than_an_object_can_have_is_refused() -> None:
    size = b"\x80" * 9 + b"\x02"
    with pytest.raises(JobFailed, match="not a complete Avro file"):
        count_avro_rows(io.BytesIO(b"Obj\x01\x02" + size).read)

"""The lines of csv and xml files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CSV_QUOTED = re.compile(r'^$|^\s|\s$|[,"\\]')
XML_CANNOT_HOLD = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]")
# Replaces each such character until they are counted; then no other one is left.
XML_REPLACED = "\x00"
# As references, line breaks keep an item on one line, and parsers do not normalize them.
XML_REFERENCES = {"\r": "&#13;", "\n": "&#10;"}


def csv_value(value: str | None) -> str:
    r"""A value as Athena's csv SerDe reads it back; null is nothing, the empty text is "".

    OpenCSVSerDe reads line by line, unescapes a doubled backslash only inside quotes, and drops a
    single one (https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html). So a backslash is
    doubled, and its value quoted. A line break becomes \\\n, which the SerDe reads as the two
    characters \n. It reads the same for the text \n, which is \\n in the file: only the file keeps
    the difference.
    """
    if value is None:
        return ""
    value = value.replace("\\", "\\\\").replace("\n", "\\\\\\n").replace("\r", "\\\\\\r")
    if CSV_QUOTED.search(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_line(values: Iterable[str | None]) -> str:
    # Readers disagree about an empty line: a row, or none.
    return ",".join(map(csv_value, values)) or '""'


def xml_item(names: Sequence[str], values: Iterable[str | None]) -> str:
    """One item on one line; an attribute that the item lacks has no element."""
    held = [
        (name, escape(XML_CANNOT_HOLD.sub(XML_REPLACED, value), XML_REFERENCES))
        for name, value in zip(names, values)
        if value is not None
    ]
    return f"<item>{''.join(f'<{name}>{text}</{name}>' for name, text in held)}</item>"


def frame(names: Sequence[str], fmt: str) -> tuple[list[str], list[str]]:
    """The lines before and after the items of a file."""
    if fmt == "csv":
        return [csv_line(names)], []
    if fmt == "xml":
        return ['<?xml version="1.0" encoding="UTF-8"?>', "<items>"], ["</items>"]
    return [], []

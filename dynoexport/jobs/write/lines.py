"""csv, json and xml files: a line for each item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynoexport.jobs.write.rows import line_converter
from dynoexport.jobs.write.text import XML_REPLACED, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.write.upload import PartUpload

# About how many characters are encoded at once: an item has at most 400 KB.
CHARACTERS_AT_ONCE = 1_000_000


class LineFile:
    """A file of text, which is a whole document; nothing is uploaded before there is a line.

    Attributes:
        replaced: how many characters XML could not hold.
    """

    def __init__(
        self, columns: Sequence[Column], fmt: str, open_file: Callable[[], PartUpload]
    ) -> None:
        self._first, self._last = frame([column.name for column in columns], fmt)
        self._is_xml = fmt == "xml"
        self._line = line_converter(columns, fmt)
        self._open_file = open_file
        self._file: PartUpload | None = None
        self._lines: list[str] = []
        self._characters = 0
        self.rows = self.replaced = 0

    def write(self, item: Mapping[str, Any]) -> None:
        line = self._line(item)
        self._lines.append(line)
        self._characters += len(line)
        self.rows += 1
        if self._characters >= CHARACTERS_AT_ONCE:
            self._write_lines()

    def close(self) -> None:
        if self.rows:
            self._lines += self._last
            self._write_lines()

    def _write_lines(self) -> None:
        if self._file is None:
            self._file = self._open_file()
            self._lines[:0] = self._first
        text = "".join(f"{line}\n" for line in self._lines)
        if self._is_xml:
            self.replaced += text.count(XML_REPLACED)
            text = text.replace(XML_REPLACED, "\ufffd")
        self._file.write(text.encode())
        self._lines, self._characters = [], 0

"""Lists of attributes, as the parameters Columns and Exclude have them.

    >>> parse_names('User," Email","a, b"')
    ('User', ' Email', 'a, b')
    >>> format_names(["User", " Email", "a, b"])
    'User," Email","a, b"'

The export job, which runs alone inside AWS Glue, parses them by the same rule (``names_of`` in
scripts/export_table.py); a test holds both together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Iterable

# A name up to its comma. What stands in double quotes is the name, exactly; a quote in it is
# doubled. Around a name without them, blanks are no part of it.
_NAME = re.compile(r'\s*(?:"((?:[^"]|"")+)"\s*|((?!\s*")[^,]*)),')
_NEEDS_QUOTES = re.compile(r'^[\s"]|,|\s$')
_LINE_BREAK = re.compile(r"[\r\n]")


class SelectionRefused(DynoexportError):
    """What is no list of attributes, or a list of none."""

    exit_code = 2


def parse_names(text: str) -> tuple[str, ...]:
    """The attributes that the parameter lists, each once; none if it is empty.

    Raises:
        SelectionRefused: it is no such list, or names no attribute.
    """
    if not text.strip():
        return ()
    names: list[str] = []
    rest = f"{text},"
    while rest:
        found = None if _LINE_BREAK.search(rest) else _NAME.match(rest)
        if found is None:
            raise SelectionRefused(
                f"{text!r}, which is no list of attributes",
                hint="separate names by commas, and put one that holds a comma, a quote or blanks "
                'at its ends into double quotes: User," Email","a, b"',
            )
        quoted, plain = found.groups()
        names.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        rest = rest[found.end() :]
    if not any(names):
        raise SelectionRefused(
            f"{text!r}, which names no attribute", hint="name one, or leave it empty to export all"
        )
    return tuple(dict.fromkeys(name for name in names if name))


def format_names(names: Iterable[str]) -> str:
    """The parameter that lists the attributes.

    Raises:
        SelectionRefused: a name is empty or holds a line break, which no parameter does.
    """
    listed = list(names)
    for name in listed:
        if not name or _LINE_BREAK.search(name):
            raise SelectionRefused(
                f"{name!r} cannot stand in a list of attributes", hint="export it, or all of them"
            )
    return ",".join(map(_quoted, listed))


def _quoted(name: str) -> str:
    if not _NEEDS_QUOTES.search(name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'

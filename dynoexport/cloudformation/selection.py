"""Lists of attributes, as the parameters Columns and Exclude have them.

>>> parse_names('User," Email","a, b"')
('User', ' Email', 'a, b')
>>> format_names(["User", " Email", "a, b"])
'User," Email","a, b"'
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dynoexport.errors import DynoexportError
from dynoexport.jobs.attribute_names import LINE_BREAK, NamesRefused, split_names

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEEDS_QUOTES = re.compile(r'^[\s"]|,|\s$')


class SelectionRefused(DynoexportError):
    """A text that is not a list of attributes, or lists none."""

    exit_code = 2


def parse_names(text: str) -> tuple[str, ...]:
    """The attributes that the parameter lists, each once; none if it is empty.

    Raises:
        SelectionRefused: the text is not such a list, or names no attribute.
    """
    try:
        return split_names(text)
    except NamesRefused as refused:
        raise SelectionRefused(f"{text!r}, {refused.reason}", hint=refused.remedy) from None


def format_names(names: Iterable[str]) -> str:
    """The parameter that lists the attributes.

    Raises:
        SelectionRefused: a name is empty or has a line break, which a parameter cannot have.
    """
    listed = list(names)
    for name in listed:
        if not name or LINE_BREAK.search(name):
            raise SelectionRefused(
                f"{name!r} cannot stand in a list of attributes", hint="export all attributes"
            )
    return ",".join(map(_quoted, listed))


def _quoted(name: str) -> str:
    if not _NEEDS_QUOTES.search(name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'

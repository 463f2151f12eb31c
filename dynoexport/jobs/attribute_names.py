"""Lists of attribute names, as the settings Columns and Exclude have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dynoexport.jobs.failures import JobFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

# A name up to its comma. Text in double quotes is the name, exactly; a quote in it is doubled.
# Spaces around a name without quotes are not part of it.
LISTED_NAME = re.compile(r'\s*(?:"((?:[^"]|"")+)"\s*|((?!\s*")[^,]*)),')
# A line break would end a parameter.
LINE_BREAK = re.compile(r"[\r\n]")


class NamesRefused(Exception):
    """The text is not a list of attributes, or lists none; with what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason = reason
        self.remedy = remedy


def split_names(text: str) -> tuple[str, ...]:
    """The attributes that the text lists, separated by commas, each once; none if it is empty.

    >>> split_names('User," Email","a, b"')
    ('User', ' Email', 'a, b')

    Raises:
        NamesRefused: it is not such a list, or it names no attribute, which must not mean all.
    """
    if not text.strip():
        return ()
    names: list[str] = []
    rest = f"{text},"
    while rest:
        match = None if LINE_BREAK.search(rest) else LISTED_NAME.match(rest)
        if match is None:
            raise NamesRefused(
                "which is not a list of attributes",
                "separate names by commas, and put double quotes around a name with a comma, a "
                "quote, or spaces at its ends",
            )
        quoted, plain = match.groups()
        names.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        rest = rest[match.end() :]
    if not any(names):
        raise NamesRefused("which names no attribute", "leave it empty to export all")
    return tuple(dict.fromkeys(name for name in names if name))


def parse_attribute_names(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The attributes that the setting lists.

    Raises:
        JobFailed: it is not such a list, or it names no attribute.
    """
    try:
        return split_names(values[name])
    except NamesRefused as refused:
        message = f"{name} is {values[name]!r}, {refused.reason}: {refused.remedy}"
        raise JobFailed(message) from None

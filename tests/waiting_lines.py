"""The lines that say what a command waits for, such as "Reading runs ...".

Without a terminal they come only if the command waits long: on a busy machine. Tests of other
output leave them out.
"""

from __future__ import annotations

import re

_LINE = re.compile(r"^[A-Z][^\n]* \.\.\.\n", re.MULTILINE)


def without_waiting(printed: str) -> str:
    return _LINE.sub("", printed)

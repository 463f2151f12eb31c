"""Text from outside, as a terminal may show it: nothing in it is obeyed."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Line breaks and tabs are layout. A terminal would obey other control characters, and would show
# text in another order: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
# And what cannot be written as UTF-8: the bytes of a file's name that are no text.
_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""The text with characters that a terminal would obey as escapes.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def printable_bytes(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """UTF-8 that may be cut anywhere, as ``printable`` text."""
    for text in codecs.iterdecode(chunks, "utf-8", errors="replace"):
        yield printable(text).encode()


def json_text(value: object, **options: Any) -> str:  # noqa: ANN401 - as json.dumps has them
    r"""The value as JSON for people and programs: escapes only what a terminal would obey.

    >>> json_text("é\x7f")
    '"é\\u007f"'
    """
    text = json.dumps(value, ensure_ascii=False, **options)
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)

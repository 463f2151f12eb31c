"""Parameters of statements: PREPARE, EXECUTE, and ``?`` with ExecutionParameters.

https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from dynoexport.local.services.trino_syntax import TrinoNames, fail, parse, without_first_comments

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = r"\"?([A-Za-z_]\w*)\"?"


class Prepare(NamedTuple):
    """PREPARE name FROM statement."""

    name: str
    statement: str


class Execute(NamedTuple):
    """EXECUTE name USING parameters."""

    name: str
    parameters: list[str]


class Deallocate(NamedTuple):
    """DEALLOCATE PREPARE name."""

    name: str


def read(sql: str) -> Prepare | Execute | Deallocate | None:
    """The statement, if it is about prepared ones."""
    text = without_first_comments(sql).rstrip().rstrip(";").rstrip()
    flags = re.IGNORECASE | re.DOTALL
    if found := re.fullmatch(rf"PREPARE\s+{_NAME}\s+FROM\s+(.*)", text, flags):
        return Prepare(found[1], found[2])
    if found := re.fullmatch(rf"EXECUTE\s+{_NAME}(?:\s+USING\s+(.*))?", text, flags):
        return Execute(found[1], _separate(found[2]) if found[2] else [])
    if found := re.fullmatch(rf"DEALLOCATE\s+PREPARE\s+{_NAME}", text, flags):
        return Deallocate(found[1])
    return None


def _separate(listed: str) -> list[str]:
    """The parameters between the commas."""
    parts, start, depth = [], 0, 0
    for token in sqlglot.tokenize(listed, read=TrinoNames):
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if token.token_type == TokenType.COMMA and not depth:
            parts.append(listed[start : token.start])
            start = token.end + 1
    return [*parts, listed[start:]]


def filled(sql: str, parameters: Sequence[str]) -> str:
    """The statement with a parameter, which is a literal, for each ``?``.

    Raises:
        QueryFailed: there are more or fewer of them, or one is no literal.
    """
    try:
        tokens = sqlglot.tokenize(sql, read=TrinoNames)
    except sqlglot.errors.SqlglotError:
        return sql
    places = [token for token in tokens if token.token_type == TokenType.PLACEHOLDER]
    if len(places) != len(parameters):
        fail(
            "INVALID_PARAMETER_USAGE",
            f"Incorrect number of parameters: expected {len(places)} but found {len(parameters)}",
        )
    text, start = "", 0
    for token, parameter in zip(places, parameters, strict=True):
        text += f"{sql[start : token.start]} {_literal(parameter)} "
        start = token.end + 1
    return text + sql[start:]


def _literal(parameter: str) -> str:
    query = parse(f"SELECT {parameter}")
    values = query.expressions if set(filter(query.args.get, query.args)) == {"expressions"} else []
    value = values[0].this if values and isinstance(values[0], exp.Neg) else values and values[0]
    is_literal = isinstance(value, (exp.Literal, exp.Boolean, exp.Null)) or (
        isinstance(value, exp.Cast) and isinstance(value.this, exp.Literal)
    )
    if len(values) != 1 or not is_literal:
        fail("INVALID_PARAMETER_USAGE", f"The parameter is not a literal: {parameter}")
    return parameter.strip()

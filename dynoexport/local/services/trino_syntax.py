"""What Trino's parser takes: the statement as sqlglot's tree, and the refusals in Athena's words.

sqlglot takes far more than Trino, so whatever the translation does not know is refused there.
https://github.com/trinodb/trino/blob/476/core/trino-grammar/src/main/antlr4/io/trino/grammar/sql/SqlBase.g4
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

_COMMENTS = re.compile(r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)


class QueryFailed(Exception):
    """A query that fails, with the reason that Athena gives."""


class TrinoNames(Trino):
    """Trino with each function under the name that the statement has for it."""

    INDEX_OFFSET = 0

    class Parser(Trino.Parser):  # type: ignore[misc,valid-type]
        FUNCTIONS: dict[str, Any] = {}  # noqa: RUF012 - sqlglot's own declaration
        # Those whose arguments have words between them.
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: parser
            for name, parser in Trino.Parser.FUNCTION_PARSERS.items()
            if name in {"CAST", "TRY_CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM", "LISTAGG"}
        }

        def _parse_cast(self, *args: Any, **options: Any) -> Any:
            """Mark it: a literal such as DATE '2026-01-01' is a Cast, too."""
            cast = super()._parse_cast(*args, **options)
            cast.meta["written"] = True
            return cast


# https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html: those of SELECT statements.
RESERVED = frozenset(
    """ALTER AND AS BETWEEN BY CASE CAST CONSTRAINT CREATE CROSS CUBE CURRENT_CATALOG CURRENT_DATE
    CURRENT_PATH CURRENT_ROLE CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DEALLOCATE
    DELETE DESCRIBE DISTINCT DROP ELSE END ESCAPE EXCEPT EXISTS EXTRACT FALSE FOR FROM FULL GROUP
    GROUPING HAVING IN INNER INSERT INTERSECT INTO IS JOIN JSON_ARRAY JSON_EXISTS JSON_OBJECT
    JSON_QUERY JSON_TABLE JSON_VALUE LEFT LIKE LISTAGG LOCALTIME LOCALTIMESTAMP NATURAL NORMALIZE
    NOT NULL ON OR ORDER OUTER PREPARE RECURSIVE RIGHT ROLLUP SELECT SKIP TABLE THEN TRIM TRUE
    UESCAPE UNION UNNEST USING VALUES WHEN WHERE WITH""".split()  # noqa: SIM905 - a list of words
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPE_TOKENS = Trino.Parser.TYPE_TOKENS - {TokenType.IDENTIFIER, TokenType.VAR}
# fmt: off
_TYPE_NAMES = frozenset(
    {
        "boolean", "tinyint", "smallint", "int", "integer", "bigint", "real", "double",
        "decimal", "varchar", "char", "varbinary", "json", "date", "time", "timestamp",
        "interval", "array", "map", "row", "ipaddress", "uuid",
    }
)
# fmt: on
# Tokens of other dialects.
_FOREIGN = {
    TokenType.DCOLON: "::",
    TokenType.COLON_EQ: ":=",
    TokenType.ARROW: "",
    TokenType.QUALIFY: "QUALIFY",
    TokenType.ILIKE: "ILIKE",
    TokenType.RLIKE: "RLIKE",
    TokenType.DSTAR: "**",
    TokenType.DIV: "DIV",
    TokenType.L_BRACE: "{",
    TokenType.PIVOT: "PIVOT",
    TokenType.UNPIVOT: "UNPIVOT",
    TokenType.ASOF: "ASOF",
    TokenType.SEMI: "SEMI",
    TokenType.ANTI: "ANTI",
    TokenType.NULLSAFE_EQ: "<=>",
    TokenType.AMP: "&",
    TokenType.PIPE: "|",
    TokenType.CARET: "^",
    TokenType.TILDE: "~",
    TokenType.HASH: "#",
    TokenType.DOLLAR: "$",
    TokenType.DPIPE: "",
}


def fail(name: str, words: str) -> NoReturn:
    """Refuse the statement, as Athena prints an error."""
    raise QueryFailed(f"{name}: line 1:1: {words}")


def unsupported(what: str) -> NoReturn:
    """Refuse, by its name, what Athena does and the endpoint does not."""
    raise QueryFailed(f"NOT_SUPPORTED: line 1:1: the endpoint does not run {what}")


def parse(sql: str) -> Any:
    """The statement.

    Raises:
        QueryFailed: it is not one that Athena would parse.
    """
    try:
        _check_tokens(sql)
        statement: Any = sqlglot.parse_one(sql, read=TrinoNames)
    except sqlglot.errors.SqlglotError as error:
        problem: dict[str, Any] = next(iter(getattr(error, "errors", ())), {})
        where = f"line {problem.get('line', 1)}:{problem.get('col', 1)}"
        raise QueryFailed(
            f"SYNTAX_ERROR: {where}: {problem.get('description', 'mismatched input')}"
        ) from error
    for name in statement.find_all(exp.Identifier):
        _check_name(name)
    return statement


def query_text(sql: str) -> str:  # noqa: RET503 - it raises
    """The query of a CREATE VIEW: what follows its first AS."""
    for token in sqlglot.tokenize(sql, read=TrinoNames):
        if token.token_type == TokenType.ALIAS:
            return sql[token.end + 1 :].strip().rstrip(";").rstrip()
    _mismatched("<EOF>")


def _mismatched(word: str, line: int = 1, column: int = 1) -> NoReturn:
    raise QueryFailed(f"SYNTAX_ERROR: line {line}:{column}: mismatched input '{word}'")


def _check_tokens(sql: str) -> None:
    """Refuse what only other dialects have and sqlglot's tree does not show."""
    tokens = sqlglot.tokenize(sql, read=TrinoNames)
    for token in tokens:
        quote = token.token_type == TokenType.IDENTIFIER and sql[token.start] == "`"
        if quote or _FOREIGN.get(token.token_type) or token.text in {"==", "//", "`"}:
            _mismatched(token.text, token.line, token.col)
        if token.token_type == TokenType.NUMBER and "_" in token.text:
            unsupported(f"the number {token.text}")
    for pair in pairwise([None, *tokens, None]):
        _check_pair(*pair)
    _check_order(tokens)


def _check_pair(before: Any, token: Any) -> None:
    """Refuse two tokens that never follow each other."""
    kinds = [one and one.token_type for one in (before, token)]
    if kinds[0] == TokenType.COMMA and kinds[1] in {None, TokenType.FROM, TokenType.R_PAREN}:
        _mismatched(token.text if token else "<EOF>")
    if kinds[0] in {None, TokenType.L_PAREN} and kinds[1] == TokenType.FROM:
        _mismatched(token.text, token.line, token.col)


def _check_order(tokens: list[Any]) -> None:
    """Refuse an OFFSET behind the LIMIT of its query, and types that Trino lacks in a CAST."""
    depth, limited, casts = 0, set[int](), set[int]()
    for token, after in pairwise([*tokens, None]):
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        limited = {inner for inner in limited if inner <= depth}
        casts = {
            inner for inner in casts if inner <= depth or token.token_type == TokenType.L_PAREN
        }
        if token.text.upper() in {"CAST", "TRY_CAST"}:
            casts.add(depth + 1)
        typed = token.token_type == TokenType.ALIAS and depth in casts
        if typed and after.token_type in _TYPE_TOKENS and after.text.lower() not in _TYPE_NAMES:
            fail("TYPE_MISMATCH", f"Unknown type: {after.text}")
        if token.token_type in {TokenType.LIMIT, TokenType.FETCH}:
            limited.add(depth)
        if token.token_type == TokenType.OFFSET and depth in limited:
            _mismatched(token.text, token.line, token.col)


def _check_name(name: exp.Identifier) -> None:
    """Refuse a name that needs quotes and has none."""
    if name.args.get("quoted"):
        return
    if name.name.upper() in RESERVED or not _PLAIN_NAME.fullmatch(name.name):
        _mismatched(name.name, name.meta.get("line", 1), name.meta.get("col", 1))


def without_first_comments(sql: str) -> str:
    """The statement without the comments before it, such as those of dbt."""
    return _COMMENTS.sub("", sql, count=1)

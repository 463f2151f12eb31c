"""Trino's expressions in DuckDB's SQL, with their types.

What Trino refuses is refused in its words; an expression that is not here, by its name.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

import pyarrow as pa
from sqlglot import exp

from dynoexport.local.services import trino_calls, trino_operators
from dynoexport.local.services import trino_types as types
from dynoexport.local.services.trino_casts import Functions, Typed, bounded, cast, field_of, text
from dynoexport.local.services.trino_scope import Scope
from dynoexport.local.services.trino_syntax import QueryFailed, fail, unsupported
from dynoexport.local.services.trino_udfs import Failure, to_date, to_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

_INT_MAX, _BIGINT_MAX = 2**31 - 1, 2**63 - 1

# What sqlglot's trees say of an expression. What else a tree says is refused, not left out.
# fmt: off
_KNOWN = frozenset(
    {
        "typed", "nested",
        "this", "expression", "expressions", "catalog", "db", "table", "quoted", "is_string",
        "to", "safe", "unit", "zone", "ifs", "true", "false", "default", "low", "high", "query",
        "substr", "start", "length", "position", "negate", "value_constructor", "offset",
        "alias", "partition_by", "order", "over", "spec", "separator", "with_", "joins",
        "where", "group", "having", "limit", "from_", "distinct", "nulls_first", "desc", "name",
        "form", "symmetric", "kind", "variant", "escape",
    }
)
# fmt: on


class Expressions:
    """Translates expressions; ``subquery`` translates the queries in them."""

    def __init__(self, subquery: Callable[[Any, Scope], tuple[str, list[types.Type]]]) -> None:
        self.subquery = subquery
        self.functions: Functions = {}
        self._number = 0

    def fresh(self, letter: str) -> str:
        """A name that nothing else has."""
        self._number += 1
        return f"{letter}{self._number}"

    def typed(self, node: Any, scope: Scope) -> Typed:
        """The expression."""
        for key, value in node.args.items():
            if value and key not in _KNOWN:
                unsupported(f"{key.strip('_').upper()} in {node.sql(dialect='trino')}")
        if node.args.get("negate"):
            without = node.copy()
            without.set("negate", False)
            return self.typed(exp.Not(this=without), scope)
        translate = getattr(self, f"_{type(node).__name__.lower()}", None)
        if translate is None:
            return trino_operators.typed(self, node, scope)
        found: Typed = translate(node, scope)
        return found

    def condition(self, node: Any, scope: Scope, clause: str) -> str:
        """A condition, which must be a boolean."""
        value = self.typed(node, scope)
        if value.kind not in {types.BOOLEAN, types.UNKNOWN}:
            fail(
                "TYPE_MISMATCH",
                f"{clause} must evaluate to a boolean: actual type {types.name(value.kind)}",
            )
        return value.sql

    def cast(self, value: Typed, kind: types.Type) -> str:
        return cast(value, kind, self.functions)

    # --- names and values ----------------------------------------------------------------------
    def _column(self, node: exp.Column, scope: Scope) -> Typed:
        if isinstance(node.this, exp.Star) or node.args.get("join_mark"):
            unsupported(f"{node.sql(dialect='trino')} here")
        return self._name([part.name for part in node.parts], scope)

    def _identifier(self, node: exp.Identifier, scope: Scope) -> Typed:
        return self._name([node.name], scope)

    def _name(self, parts: list[str], scope: Scope) -> Typed:
        found = scope.find(parts)
        if found is None:
            fail("COLUMN_NOT_FOUND", f"Column '{'.'.join(parts)}' cannot be resolved")
        value, fields = found
        for name in fields:
            value = _field(value, name)
        return value

    def _dot(self, node: exp.Dot, scope: Scope) -> Typed:
        if not isinstance(node.expression, exp.Identifier):
            unsupported(node.sql(dialect="trino"))
        return _field(self.typed(node.this, scope), node.expression.name)

    def _literal(self, node: exp.Literal, _: Scope) -> Typed:
        if node.is_string:
            return Typed(text(node.this), types.VARCHAR)
        written = node.this
        if "e" in written.lower():
            return Typed(f"CAST('{written}' AS DOUBLE)", types.DOUBLE)
        if "." in written:
            whole, _point, part = written.partition(".")
            digits = len(whole.lstrip("0")) + len(part)
            if digits > types.DIGITS_MAX:
                fail("NUMERIC_VALUE_OUT_OF_RANGE", f"Invalid decimal literal: {written}")
            kind = pa.decimal128(max(1, digits), len(part))
            return Typed(f"CAST('{written}' AS {types.in_duckdb(kind)})", kind)
        if int(written) > _BIGINT_MAX:
            fail("SYNTAX_ERROR", f"Invalid numeric literal: {written}")
        kind = types.INTEGER if int(written) <= _INT_MAX else types.BIGINT
        return Typed(f"CAST({int(written)} AS {types.in_duckdb(kind)})", kind)

    def _null(self, _: exp.Null, __: Scope) -> Typed:
        return Typed("NULL", types.UNKNOWN)

    def _boolean(self, node: exp.Boolean, _: Scope) -> Typed:
        return Typed(str(node.this).lower(), types.BOOLEAN)

    def _hexstring(self, node: exp.HexString, _: Scope) -> Typed:
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", node.this):
            fail("SYNTAX_ERROR", "Binary literal must contain an even number of hex digits")
        return Typed(f"unhex('{node.this}')", types.VARBINARY)

    def _paren(self, node: exp.Paren, scope: Scope) -> Typed:
        value = self.typed(node.this, scope)
        return Typed(f"({value.sql})", value.kind)

    def _array(self, node: exp.Array, scope: Scope) -> Typed:
        values = [self.typed(element, scope) for element in node.expressions]
        together, kind = trino_operators.together(values, "All ARRAY elements")
        return Typed(f"[{', '.join(together)}]", pa.list_(kind))

    def _tuple(self, node: exp.Tuple, scope: Scope) -> Typed:
        return self.row(node.expressions, scope)

    def row(self, parts: list[Any], scope: Scope) -> Typed:
        """A row, whose fields have no names in Trino; its clients number them."""
        values = [self.typed(part, scope) for part in parts]
        fields = [pa.field(f"field{number}", value.kind) for number, value in enumerate(values)]
        packed = (f"field{number} := {value.sql}" for number, value in enumerate(values))
        return Typed(f"struct_pack({', '.join(packed)})", pa.struct(fields))

    # --- types ---------------------------------------------------------------------------------
    def _cast(self, node: exp.Cast, scope: Scope) -> Typed:
        for key in ("format", "action", "default"):
            if node.args.get(key):
                unsupported(node.sql(dialect="trino"))
        to = node.to
        # sqlglot reads TIMESTAMP '...' as a CAST; only its literal has the precision of its text.
        literal = node.this if isinstance(node.this, exp.Literal) else None
        if literal is not None and literal.is_string and _is_literal(node):
            return self._typed_literal(literal.this, to)
        kind = types.from_tree(to)
        value = self.typed(node.this, scope)
        if kind == types.VARCHAR and to.expressions:
            size = int(to.expressions[0].this.name)
            return Typed(bounded(value, size, self.functions), kind)
        return Typed(self.cast(value, kind), kind)

    def _trycast(self, node: exp.TryCast, scope: Scope) -> Typed:
        value = self._cast(node, scope)
        return Typed(f"TRY({value.sql})", value.kind)

    def _typed_literal(self, written: str, to: exp.DataType) -> Typed:
        word = to.this.name
        if word == "DECIMAL":
            return self.typed(exp.Literal.number(written.strip()), Scope())
        if word == "DATE":
            return date_literal(written)
        if word not in {"TIMESTAMP", "TIMESTAMPTZ"}:
            kind = types.from_tree(to)
            return Typed(self.cast(Typed(text(written), types.VARCHAR), kind), kind)
        return timestamp_literal(written)

    def _interval(self, node: exp.Interval, _: Scope) -> Typed:
        unit = str(node.args["unit"] or "").lower().removesuffix("s")
        months = {"year": 12, "month": 1}.get(unit)
        days = {"day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1000}.get(unit)
        count = node.this.name if isinstance(node.this, exp.Literal) else ""
        if (months is None and days is None) or not re.fullmatch(r"-?\d{1,6}", count):
            unsupported(f"the interval {node.sql(dialect='trino')}")
        sql = f"CAST({int(count) * (months or days or 0)} AS BIGINT)"
        return Typed(sql, types.MONTHS if months else types.DAYS)

    def _attimezone(self, node: exp.AtTimeZone, scope: Scope) -> Typed:
        return at_zone(self.typed(node.this, scope), node.args["zone"])

    # --- queries -------------------------------------------------------------------------------
    def _subquery(self, node: exp.Subquery, scope: Scope) -> Typed:
        sql, kinds = self.subquery(node.this, scope)
        if len(kinds) != 1:
            unsupported("a subquery of several columns as a value")
        # DuckDB would take the first row.
        return Typed(trino_calls.guard_scalar(sql, self.fresh("s")), kinds[0])

    def _exists(self, node: exp.Exists, scope: Scope) -> Typed:
        sql, _kinds = self.subquery(node.this, scope)
        return Typed(f"EXISTS ({sql})", types.BOOLEAN)

    # --- what only other dialects have ---------------------------------------------------------
    def _jsonextract(self, _: exp.JSONExtract, __: Scope) -> Typed:
        fail("SYNTAX_ERROR", "mismatched input '->'")

    _jsonextractscalar = _jsonextract

    # --- functions -----------------------------------------------------------------------------
    def _anonymous(self, node: exp.Anonymous, scope: Scope) -> Typed:
        name = str(node.this).lower()
        if name == "unnest":
            fail("SYNTAX_ERROR", "mismatched input 'UNNEST'")
        return trino_calls.call(self, name, list(node.expressions), scope)

    def _filter(self, node: exp.Filter, scope: Scope) -> Typed:
        return trino_calls.aggregate(self, node, scope)

    def _window(self, node: exp.Window, scope: Scope) -> Typed:
        return trino_calls.aggregate(self, node, scope)

    def _groupconcat(self, node: exp.GroupConcat, scope: Scope) -> Typed:
        return trino_calls.aggregate(self, node, scope)

    def _extract(self, node: exp.Extract, scope: Scope) -> Typed:
        return trino_calls.extract(self, node, scope)

    def _trim(self, node: exp.Trim, scope: Scope) -> Typed:
        if node.args.get("expression") or node.args.get("collation"):
            unsupported("TRIM of characters")
        side = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position")), "trim")
        return trino_calls.call(self, side, [node.this], scope)

    def _strposition(self, node: exp.StrPosition, scope: Scope) -> Typed:
        return trino_calls.call(self, "strpos", [node.this, node.args["substr"]], scope)

    def _substring(self, node: exp.Substring, scope: Scope) -> Typed:
        parts = [node.args.get(key) for key in ("this", "start", "length")]
        return trino_calls.call(self, "substr", [part for part in parts if part], scope)

    def _currentdate(self, _: exp.CurrentDate, __: Scope) -> Typed:
        return trino_calls.now(types.DATE)

    def _currenttimestamp(self, _: exp.CurrentTimestamp, __: Scope) -> Typed:
        return trino_calls.now(pa.timestamp("ms", "UTC"))

    def _localtimestamp(self, _: exp.Localtimestamp, __: Scope) -> Typed:
        return trino_calls.now(types.TIMESTAMP)


def _is_literal(node: exp.Cast) -> bool:
    """Whether a type stands in front of the text."""
    return not node.meta.get("written")


def date_literal(written: str) -> Typed:
    """DATE '...'."""
    try:
        day = to_date(written)
    except Failure as error:
        raise QueryFailed(
            f"INVALID_LITERAL: line 1:1: '{written}' is not a valid DATE literal"
        ) from error
    return Typed(f"DATE '{day}'", types.DATE)


_MOMENT = re.compile(r"(\d+-\d+-\d+)(?: ([\d:.]*)\s*([A-Za-z+-].*)?)?")


def timestamp_literal(written: str) -> Typed:
    """TIMESTAMP '...', with as many digits as it shows."""
    found = _MOMENT.fullmatch(written.strip())
    stamp = f"{found[1]} {found[2] or ''}".strip() if found else written
    digits = len(stamp.partition(".")[2])
    zone = found[3] if found else None
    try:
        moment = to_timestamp(stamp if digits in _UNITS else stamp[: len(stamp) - digits + 1])
        if digits > _DIGITS_MAX:
            fail("NUMERIC_VALUE_OUT_OF_RANGE", f"TIMESTAMP precision must be at most 12: {digits}")
        if digits not in _UNITS:
            unsupported(f"a timestamp of {digits} digits")
        if zone is not None:
            zone = zone_named(zone)
            moment = _in_utc(moment, zone)
    except Failure as error:
        raise QueryFailed(
            f"INVALID_LITERAL: line 1:1: '{written}' is not a valid TIMESTAMP literal"
        ) from error
    return Typed(
        f"CAST('{moment.isoformat(' ')}' AS TIMESTAMP)", pa.timestamp(_UNITS[digits], zone)
    )


def _in_utc(moment: dt.datetime, zone: str) -> dt.datetime:
    """The moment of the zone in UTC; of the two that the end of summer time has, the first."""
    there = moment.replace(tzinfo=ZoneInfo(zone))
    try:
        utc = there.astimezone(dt.timezone.utc)
        back = utc.astimezone(there.tzinfo)
    except OverflowError:
        unsupported(f"the time {moment} in {zone}: it is outside the years 1 to 9999")
    if back.replace(tzinfo=None) != moment:
        raise Failure(f"{moment} is not in {zone}: summer time begins")
    return utc.replace(tzinfo=None)


_UNITS = {0: "s", 3: "ms", 6: "us"}
# https://trino.io/docs/476/language/types.html#date-and-time
_DIGITS_MAX = 12
# As Trino 476 answers to every name in the time zone database.
_UTC = re.compile(r"(Etc/)?(GMT([+-]?0)?|UCT|UTC|Universal)|Greenwich|UT|Z|Zulu")
_OFFSET = re.compile(r"(UTC?|(Etc/)?GMT)?[+-]\d[\d:]*")
_NOT_IN_TRINO = ("EST", "Etc/Greenwich", "Etc/Zulu", "Factory", "HST", "MST", "ROC", "localtime")
_zones = functools.cache(available_timezones)


def zone_named(name: str) -> str:
    """The name that Trino has for the time zone."""
    if _UTC.fullmatch(name):
        return "UTC"
    if _OFFSET.fullmatch(name):
        unsupported(f"the time zone {name}: it is no place's")
    if name in _NOT_IN_TRINO or name not in _zones():
        fail("INVALID_LITERAL", f"'{name}' is not a valid time zone")
    return name


def at_zone(value: Typed, zone: Any) -> Typed:
    """The timestamp in a zone."""
    if not isinstance(zone, exp.Literal) or not zone.is_string:
        unsupported("a time zone that is not the name of one")
    try:
        name = zone_named(zone.name)
    except QueryFailed as error:
        raise QueryFailed(
            str(error).replace("INVALID_LITERAL", "INVALID_FUNCTION_ARGUMENT")
        ) from error
    if not types.is_timestamp(value.kind):
        fail("TYPE_MISMATCH", "Type of value must be a time or timestamp with or without time zone")
    return Typed(value.sql, pa.timestamp(value.kind.unit, name))


def _field(value: Typed, name: str) -> Typed:  # noqa: RET503 - fail() raises
    if not pa.types.is_struct(value.kind):
        fail("TYPE_MISMATCH", f"Expression is not of type ROW: {types.name(value.kind)}")
    for part in value.kind:
        if part.name.lower() == name.lower():
            return Typed(field_of(value.sql, part.name), part.type)
    fail("INVALID_COLUMN_REFERENCE", f"Column reference '{name}' is invalid")

"""Trino's operators in DuckDB's SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
from sqlglot import exp

from dynoexport.local.services import trino_types as types
from dynoexport.local.services import trino_udfs
from dynoexport.local.services.trino_casts import Typed, coerced, field_of, text
from dynoexport.local.services.trino_overloads import guarded
from dynoexport.local.services.trino_syntax import fail, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynoexport.local.services.trino_scope import Scope, Translator

_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_COMPARISON = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}


def typed(self: Translator, node: Any, scope: Scope) -> Typed:
    """The operator with its operands."""
    kind = type(node)
    if kind in _ARITHMETIC or kind in _COMPARISON:
        left, right = self.typed(node.this, scope), self.typed(node.expression, scope)
        if kind in _ARITHMETIC:
            return _arithmetic(self, _ARITHMETIC[kind], left, right)
        return compare(_COMPARISON[kind], left, right)
    translate = _OTHERS.get(kind)
    if translate is None:
        unsupported(f"{type(node).__name__}: {node.sql(dialect='trino')}")
    found: Typed = translate(self, node, scope)
    return found


def _cannot_apply(sign: str, *values: Typed) -> NoReturn:
    shown = f" {sign} ".join(types.name(value.kind) for value in values)
    fail("TYPE_MISMATCH", f"Cannot apply operator: {shown}")


def require_one_zone(kind: types.Type, kinds: Iterable[types.Type]) -> None:
    """Refuse values of different zones: in Trino each keeps its own."""
    zones = {one.tz or "UTC" for one in (kind, *kinds) if types.is_timestamp(one)}
    if len(zones) > 1:
        unsupported(f"one column of the time zones {', '.join(sorted(zones))}")


def together(values: list[Typed], what: str) -> tuple[list[str], types.Type]:
    """The values as their common type, and that type."""
    kind = types.UNKNOWN
    for value in values:
        wider = types.common(kind, value.kind)
        if wider is None:
            fail(
                "TYPE_MISMATCH",
                f"{what} must be the same type or coercible to a common type. Cannot find common "
                f"type between {types.name(kind)} and {types.name(value.kind)}",
            )
        kind = wider
    require_one_zone(kind, [value.kind for value in values])
    if kind == types.UNKNOWN:
        return [value.sql for value in values], kind
    return [coerced(value, kind) for value in values], kind


# --- arithmetic ----------------------------------------------------------------------------------
def _arithmetic(  # noqa: PLR0911 - a group of types each
    self: Translator, sign: str, left: Typed, right: Typed
) -> Typed:
    kinds = {left.kind, right.kind}
    if types.DAYS in kinds or types.MONTHS in kinds:
        return _moved(sign, left, right)
    moments = all(kind == types.DATE or types.is_timestamp(kind) for kind in kinds)
    if sign == "-" and moments and types.common(left.kind, right.kind) is not None:
        return Typed(f"(epoch_ms({left.sql}) - epoch_ms({right.sql}))", types.DAYS)
    kind = types.common(left.kind, right.kind)
    if kind is None or not (types.is_numeric(kind) or kind == types.UNKNOWN):
        _cannot_apply(sign, left, right)
    if kind == types.UNKNOWN:
        return Typed("CAST(NULL AS INTEGER)", types.INTEGER)
    if types.is_decimal(kind):
        return _decimals(self, sign, left, right)
    first, second = coerced(left, kind), coerced(right, kind)
    if sign not in "/%":
        return Typed(f"({first} {sign} {second})", kind)
    if kind in types.INTEGERS:
        sql = f"({first} {'//' if sign == '/' else '%'} {second})"
        failing = guarded(f"{second} = 0", "DIVISION_BY_ZERO: Division by zero", sql)
        return Typed(f"({failing})", kind)
    if sign == "%":
        named = types.in_duckdb(kind)
        sql = f"CASE WHEN {second} = 0 THEN CAST('NaN' AS {named}) ELSE {first} % {second} END"
        return Typed(f"({sql})", kind)
    return Typed(f"({first} / {second})", kind)


def _decimals(self: Translator, sign: str, left: Typed, right: Typed) -> Typed:
    """The digits are those of https://trino.io/docs/476/functions/decimal.html ."""
    one, two = (
        types.as_decimal(value.kind if value.kind != types.UNKNOWN else other.kind)
        for value, other in ((left, right), (right, left))
    )
    whole = [kind.precision - kind.scale for kind in (one, two)]
    scale = max(one.scale, two.scale)
    precision = {
        "*": one.precision + two.precision,
        "/": one.precision + two.scale + max(0, two.scale - one.scale),
        "%": min(whole) + scale,
    }.get(sign, max(whole) + scale + 1)
    if sign == "*":
        scale = one.scale + two.scale
    if scale > types.DIGITS_MAX:
        fail("INVALID_FUNCTION_ARGUMENT", f"DECIMAL scale must be in range [0, 38]: {scale}")
    result = pa.decimal128(min(types.DIGITS_MAX, precision), scale)
    digits = "_".join(f"{kind.precision}_{kind.scale}" for kind in (one, two))
    word = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "remain"}[sign]
    self.functions[f"trino_{word}_{digits}"] = (
        trino_udfs.decimal_operation(sign, result.precision, result.scale),
        [types.in_duckdb(one), types.in_duckdb(two)],
        types.in_duckdb(result),
    )
    return Typed(f"trino_{word}_{digits}({coerced(left, one)}, {coerced(right, two)})", result)


def _moved(sign: str, left: Typed, right: Typed) -> Typed:
    """A date or timestamp and an interval."""
    if sign == "+" and left.kind in {types.DAYS, types.MONTHS}:
        left, right = right, left
    if sign not in "+-" or left.kind in {types.DAYS, types.MONTHS}:
        unsupported("arithmetic of intervals")
    return add(sign, left, right)


def add(sign: str, moment: Typed, interval: Typed) -> Typed:
    """The moment, moved by the interval."""
    in_date = moment.kind == types.DATE
    if (
        interval.kind not in {types.DAYS, types.MONTHS}
        or not (in_date or types.is_timestamp(moment.kind))
        or (types.is_timestamp(moment.kind) and moment.kind.tz not in {None, "UTC"})
    ):
        _cannot_apply(sign, moment, interval)
    if interval.kind == types.MONTHS:
        sql = f"({moment.sql} {sign} to_months(CAST({interval.sql} AS INTEGER)))"
    else:
        sql = f"({moment.sql} {sign} to_milliseconds({interval.sql}))"
    if not in_date:
        return Typed(sql, moment.kind)
    error = "INVALID_FUNCTION_ARGUMENT: Cannot add hour, minutes or seconds to a date"
    if interval.kind == types.DAYS:
        sql = guarded(f"{interval.sql} % 86400000 <> 0", error, sql)
    return Typed(f"CAST({sql} AS DATE)", types.DATE)


# --- conditions ----------------------------------------------------------------------------------
def compare(sign: str, left: Typed, right: Typed) -> Typed:
    """The comparison of two values of one type."""
    kind = types.common(left.kind, right.kind)
    if kind is None or (
        sign in {"<", "<=", ">", ">="} and (kind == types.JSON or pa.types.is_map(kind))
    ):
        _cannot_apply(sign, left, right)
    if pa.types.is_struct(kind) or pa.types.is_map(kind) or kind == types.JSON:
        unsupported(f"the comparison of values of type {types.name(kind)}")
    if kind == types.UNKNOWN:
        return Typed(f"({left.sql} {sign} {right.sql})", types.BOOLEAN)
    one, two = coerced(left, kind), coerced(right, kind)
    sql = f"({one} {sign} {two})"
    if kind in {types.REAL, types.DOUBLE} and "DISTINCT" not in sign:
        # For DuckDB, NaN is equal to itself and above all numbers.
        verdict = "true" if sign == "<>" else "false"
        sql = (
            f"(CASE WHEN {one} IS NOT NULL AND {two} IS NOT NULL AND (isnan({one}) OR "
            f"isnan({two})) THEN {verdict} ELSE {sql} END)"
        )
    if pa.types.is_list(kind) and "DISTINCT" not in sign:
        nulls = " OR ".join(f"list_count({side}) < len({side})" for side in (one, two))
        words = "NOT_SUPPORTED: the endpoint does not run the comparison of arrays with nulls"
        sql = f"({guarded(nulls, words, sql)})"
    return Typed(sql, types.BOOLEAN)


def _logical(word: str) -> Any:
    def translate(self: Translator, node: Any, scope: Scope) -> Typed:
        parts = [self.condition(side, scope, "Logical expression term") for side in node.flatten()]
        return Typed("(" + f" {word} ".join(parts) + ")", types.BOOLEAN)

    return translate


def _not(self: Translator, node: exp.Not, scope: Scope) -> Typed:
    return Typed(
        f"(NOT {self.condition(node.this, scope, 'Value of logical NOT expression')})",
        types.BOOLEAN,
    )


def _neg(self: Translator, node: exp.Neg, scope: Scope) -> Typed:
    value = self.typed(node.this, scope)
    if not types.is_numeric(value.kind) and value.kind not in {types.DAYS, types.MONTHS}:
        _cannot_apply("-", value)
    return Typed(f"(-{value.sql})", value.kind)


def _is(self: Translator, node: exp.Is, scope: Scope) -> Typed:
    if not isinstance(node.expression, exp.Null):
        fail("SYNTAX_ERROR", f"mismatched input '{node.expression.sql(dialect='trino')}'")
    return Typed(f"({self.typed(node.this, scope).sql} IS NULL)", types.BOOLEAN)


def _between(self: Translator, node: exp.Between, scope: Scope) -> Typed:
    value, low, high = (self.typed(node.args[key], scope) for key in ("this", "low", "high"))
    if node.args.get("symmetric"):
        unsupported("BETWEEN SYMMETRIC")
    parts = (compare(">=", value, low).sql, compare("<=", value, high).sql)
    return Typed(f"({' AND '.join(parts)})", types.BOOLEAN)


def _in(self: Translator, node: exp.In, scope: Scope) -> Typed:
    value = self.typed(node.this, scope)
    if node.args.get("unnest") or node.args.get("field") or node.args.get("is_global"):
        unsupported(node.sql(dialect="trino"))
    query = node.args.get("query")
    if query is None:
        listed = [self.typed(part, scope) for part in node.expressions]
        parts = [compare("=", value, part).sql for part in listed]
        return Typed(f"({' OR '.join(parts)})", types.BOOLEAN)
    sql, kinds = self.subquery(query.this, scope)
    if len(kinds) != 1:
        unsupported("IN of several columns")
    alias = self.fresh("i")
    kind = types.common(value.kind, kinds[0])
    if kind is None:
        _cannot_apply("IN", value, Typed("", kinds[0]))
    if pa.types.is_nested(kind) or kind == types.JSON:
        unsupported(f"IN a query of type {types.name(kind)}")
    inner = coerced(Typed(f"{alias}.c0", kinds[0]), kind)
    found = f"SELECT {inner} FROM ({sql}) AS {alias}(c0)"  # noqa: S608 - generated names
    return Typed(f"({coerced(value, kind)} IN ({found}))", types.BOOLEAN)


def _like(self: Translator, node: Any, scope: Scope, escape: str = "") -> Typed:
    value, pattern = self.typed(node.this, scope), self.typed(node.expression, scope)
    for side in (value, pattern):
        if side.kind not in {types.VARCHAR, types.UNKNOWN}:
            fail(
                "TYPE_MISMATCH",
                f"Left side of LIKE expression must evaluate to a varchar (actual: "
                f"{types.name(side.kind)})",
            )
    return Typed(f"({value.sql} LIKE {pattern.sql}{escape})", types.BOOLEAN)


def _escape(self: Translator, node: exp.Escape, scope: Scope) -> Typed:
    if not isinstance(node.this, exp.Like) or not isinstance(node.expression, exp.Literal):
        unsupported(node.sql(dialect="trino"))
    if len(node.expression.name) != 1:
        fail("INVALID_FUNCTION_ARGUMENT", "Escape string must be a single character")
    return _like(self, node.this, scope, f" ESCAPE {text(node.expression.name)}")


def _dpipe(self: Translator, node: Any, scope: Scope) -> Typed:
    return concatenated(self.typed(node.this, scope), self.typed(node.expression, scope))


def concatenated(left: Typed, right: Typed) -> Typed:
    """Two texts, or arrays and elements, one after the other."""
    kinds = [left.kind, right.kind]
    for one, other in ((left, right), (right, left)):
        if pa.types.is_list(one.kind) and not pa.types.is_list(other.kind):
            kind = types.common(one.kind.value_type, other.kind)
            if kind is None:
                _cannot_apply("||", left, right)
            many = coerced(one, pa.list_(kind))
            alone = f"[{coerced(other, kind)}]"
            parts = (many, alone) if one is left else (alone, many)
            return Typed(_whole("list_concat", *parts, many), pa.list_(kind))
    kind = types.common(*kinds)
    if types.UNKNOWN in kinds and kind is not None and not pa.types.is_list(kind):
        # Trino takes the NULL for an array.
        return Typed(f"CAST(NULL AS {types.in_duckdb(kind)}[])", pa.list_(kind))
    if kind is not None and pa.types.is_list(kind):
        one_, two = coerced(left, kind), coerced(right, kind)
        return Typed(_whole("list_concat", one_, two, one_, two), kind)
    if kind not in {types.VARCHAR, types.VARBINARY}:
        shown = ", ".join(types.name(value.kind) for value in (left, right))
        fail("FUNCTION_NOT_FOUND", f"Unexpected parameters ({shown}) for function concat")
    return Typed(f"({coerced(left, kind)} || {coerced(right, kind)})", kind)


def _whole(function: str, first: str, second: str, *needed: str) -> str:
    """DuckDB takes a null array for an empty one."""
    missing = " OR ".join(f"{part} IS NULL" for part in needed)
    return f"(CASE WHEN {missing} THEN NULL ELSE {function}({first}, {second}) END)"


def _case(self: Translator, node: exp.Case, scope: Scope) -> Typed:
    subject = node.this and self.typed(node.this, scope)
    conditions, values = [], []
    for branch in node.args["ifs"]:
        if subject:
            conditions.append(compare("=", subject, self.typed(branch.this, scope)).sql)
        else:
            conditions.append(self.condition(branch.this, scope, "CASE WHEN clause"))
        values.append(self.typed(branch.args["true"], scope))
    default = node.args.get("default")
    values.append(self.typed(default, scope) if default else Typed("NULL", types.UNKNOWN))
    parts, kind = together(values, "All CASE results")
    whens = "".join(
        f" WHEN {when} THEN {then}" for when, then in zip(conditions, parts, strict=False)
    )
    return Typed(f"(CASE{whens} ELSE {parts[-1]} END)", kind)


def _if(self: Translator, node: exp.If, scope: Scope) -> Typed:
    return _case(self, exp.Case(ifs=[node], default=node.args.get("false")), scope)


def _bracket(self: Translator, node: exp.Bracket, scope: Scope) -> Typed:
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        fail("SYNTAX_ERROR", f"mismatched input in {node.sql(dialect='trino')}")
    value, index = self.typed(node.this, scope), self.typed(node.expressions[0], scope)
    if pa.types.is_map(value.kind):
        return _at_key(value, index)
    if pa.types.is_struct(value.kind):
        return _at_position(value, node.expressions[0])
    if not pa.types.is_list(value.kind) or not types.coerces(index.kind, types.BIGINT):
        _cannot_apply("[]", value, index)
    number = coerced(index, types.BIGINT)
    sql = f"list_extract({value.sql}, {number})"
    for condition, words in (
        (
            f"{number} > len({value.sql})",
            "Array subscript must be less than or equal to array length",
        ),
        (f"{number} < 0", "Array subscript is negative"),
        (f"{number} = 0", "SQL array indices start at 1"),
    ):
        sql = guarded(condition, f"INVALID_FUNCTION_ARGUMENT: {words}", sql)
    return Typed(f"({sql})", value.kind.value_type)


def _at_key(value: Typed, key: Typed) -> Typed:
    kind = types.common(value.kind.key_type, key.kind)
    if kind != value.kind.key_type:
        _cannot_apply("[]", value, key)
    wanted = coerced(key, kind)
    error = "INVALID_FUNCTION_ARGUMENT: Key not present in map"
    found = f"map_extract_value({value.sql}, {wanted})"
    sql = guarded(f"NOT map_contains({value.sql}, {wanted})", error, found)
    return Typed(f"({sql})", value.kind.item_type)


def _at_position(value: Typed, index: Any) -> Typed:
    if not isinstance(index, exp.Literal) or not index.name.isdigit():
        unsupported("a row's field by an expression")
    if not 0 < int(index.name) <= value.kind.num_fields:
        fail("INVALID_FUNCTION_ARGUMENT", "ROW subscript is out of range")
    part = value.kind[int(index.name) - 1]
    return Typed(field_of(value.sql, part.name), part.type)


_OTHERS: dict[Any, Any] = {
    exp.And: _logical("AND"),
    exp.Or: _logical("OR"),
    exp.Not: _not,
    exp.Neg: _neg,
    exp.Is: _is,
    exp.Between: _between,
    exp.In: _in,
    exp.Like: _like,
    exp.Escape: _escape,
    exp.DPipe: _dpipe,
    exp.Case: _case,
    exp.If: _if,
    exp.Bracket: _bracket,
}

"""Calls of Trino's functions: those of the table, aggregates, and those with words of their own."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from dynoexport.local.services import trino_operators, trino_overloads, trino_udfs
from dynoexport.local.services import trino_types as types
from dynoexport.local.services.trino_casts import Typed, coerced, local, text
from dynoexport.local.services.trino_overloads import guarded
from dynoexport.local.services.trino_syntax import fail, unsupported

if TYPE_CHECKING:
    from dynoexport.local.services.trino_scope import Scope, Translator

_DAY_UNITS = ("day", "week", "month", "quarter", "year")
_UNITS = ("millisecond", "second", "minute", "hour", *_DAY_UNITS)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def call(self: Translator, name: str, nodes: list[Any], scope: Scope) -> Typed:
    """The call of the function."""
    special = _SPECIAL.get(name)
    if special is not None:
        found: Typed = special(self, nodes, scope)
        return found
    if trino_overloads.kind_of(name) == "aggregate":
        return aggregate(self, exp.Anonymous(this=name, expressions=nodes), scope)
    if trino_overloads.kind_of(name) == "window":
        fail("MISSING_OVER", f"Window function {name} requires an OVER clause")
    return _call(name, [self.typed(node, scope) for node in nodes])


def _call(name: str, values: list[Typed], over: str = "", distinct: str = "") -> Typed:
    overload, wanted, gives = trino_overloads.find(name, [value.kind for value in values])
    takes = overload.takes
    parts = [
        local(value) if take == "timestamp" and value.kind == kind else coerced(value, kind)
        for take, value, kind in zip([*takes, *[""] * len(values)], values, wanted, strict=False)
    ]
    if parts:
        parts[0] = distinct + parts[0]
    sql = overload.sql
    if "{over}" not in sql:
        sql = f"({sql})" if overload.kind == "scalar" else sql + "{over}"
    written = sql.format(
        *parts,
        over=over,
        all=", ".join(parts),
        joined=_joined(parts),
        type=types.in_duckdb(gives),
    )
    return Typed(written, gives)


def _joined(parts: list[str]) -> str:
    missing = " OR ".join(f"{part} IS NULL" for part in parts)
    return f"CASE WHEN {missing} THEN NULL ELSE {' || '.join(parts)} END"


# --- aggregates ----------------------------------------------------------------------------------
def aggregate(self: Translator, node: Any, scope: Scope) -> Typed:
    """An aggregate or window function with what follows it."""
    over, suffix = "", ""
    if isinstance(node, exp.Window):
        over = f" OVER ({_window(self, node, scope)})"
        node = node.this
    if isinstance(node, exp.Filter):
        condition = self.condition(node.expression.this, scope, "FILTER")
        over, node = f" FILTER (WHERE {condition}){over}", node.this
    if isinstance(node, (exp.IgnoreNulls, exp.RespectNulls)):
        suffix, node = " IGNORE NULLS" if isinstance(node, exp.IgnoreNulls) else "", node.this
    if isinstance(node, exp.GroupConcat):
        return _listagg(self, node, scope, over)
    if not isinstance(node, exp.Anonymous):
        unsupported(node.sql(dialect="trino"))
    name, nodes = str(node.this).lower(), list(node.expressions)
    kind = trino_overloads.kind_of(name)
    if kind == "scalar" or (kind == "window" and " OVER (" not in over):
        fail("FUNCTION_NOT_AGGREGATE", f"{name} is not an aggregate function")
    return _aggregate(self, name, nodes, scope, (suffix, over))


def _aggregate(
    self: Translator, name: str, nodes: list[Any], scope: Scope, after: tuple[str, str]
) -> Typed:
    suffix, over = after
    distinct, order = "", ""
    if len(nodes) == 1 and isinstance(nodes[0], exp.Star):
        nodes = []
    if nodes and isinstance(nodes[-1], exp.Order):
        order = " " + ordering(self, nodes[-1], scope)
        nodes = [*nodes[:-1], nodes[-1].this]
    if nodes and isinstance(nodes[0], exp.Distinct):
        if len(nodes[0].expressions) != 1 or len(nodes) != 1:
            unsupported("an aggregate of several distinct values")
        distinct, nodes = "DISTINCT ", nodes[0].expressions
    values = [self.typed(node, scope) for node in nodes]
    kind = values[0].kind if len(values) == 1 and name in {"sum", "avg"} else None
    if types.is_decimal(kind):
        return _of_decimals(self, name, Typed(distinct + values[0].sql, kind), over)
    if kind == types.REAL:
        found = _call(name, values, over, distinct)
        return Typed(f"CAST({found.sql} AS FLOAT)", types.REAL)
    if name == "map_agg":
        return _map_agg(values, over + order + distinct)
    if order or suffix:
        if (order and name != "array_agg") or (suffix and name not in _BY_POSITION):
            unsupported(f"ORDER BY or IGNORE NULLS in {name}")
        values[-1] = Typed(values[-1].sql + order + suffix, values[-1].kind)
    return _call(name, values, over, distinct)


_BY_POSITION = ("lag", "lead", "first_value", "last_value", "nth_value")


def _of_decimals(self: Translator, name: str, value: Typed, over: str) -> Typed:
    scale = value.kind.scale
    total = Typed(
        f"CAST(sum({value.sql}){over} AS DECIMAL({types.DIGITS_MAX},{scale}))",
        pa.decimal128(types.DIGITS_MAX, scale),
    )
    if name == "sum":
        return total
    digits = f"{value.kind.precision}_{scale}"
    self.functions[f"trino_average_{digits}"] = (
        trino_udfs.decimal_operation("/", value.kind.precision, scale),
        [types.in_duckdb(total.kind), "DECIMAL(19,0)"],
        types.in_duckdb(value.kind),
    )
    count = f"CAST(count({value.sql}){over} AS DECIMAL(19,0))"
    sql = f"CASE WHEN {count} > 0 THEN trino_average_{digits}({total.sql}, {count}) END"
    return Typed(f"({sql})", value.kind)


def _map_agg(values: list[Typed], more: str) -> Typed:
    if more:
        unsupported("map_agg with FILTER, OVER, ORDER BY or DISTINCT")
    _overload, (key, item), kind = trino_overloads.find("map_agg", [value.kind for value in values])
    keys, items = coerced(values[0], key), coerced(values[1], item)
    only = f"FILTER (WHERE {keys} IS NOT NULL)"
    made = f"map(list({keys}) {only}, list({items}) {only})"
    return Typed(f"(CASE WHEN count({keys}) > 0 THEN {made} END)", kind)


def _listagg(self: Translator, node: exp.GroupConcat, scope: Scope, over: str) -> Typed:
    order = node.this
    separator = node.args.get("separator")
    if not isinstance(order, exp.Order) or node.args.get("on_overflow"):
        unsupported("this form of LISTAGG")
    inner = order.this
    value = self.typed(inner, scope)
    if value.kind != types.VARCHAR:
        fail("FUNCTION_NOT_FOUND", f"Unexpected parameters ({types.name(value.kind)}) for listagg")
    between = self.typed(separator, scope).sql if separator else "''"
    sql = f"string_agg({value.sql}, {between} {ordering(self, order, scope)}){over}"
    return Typed(sql, types.VARCHAR)


def ordering(self: Translator, node: exp.Order, scope: Scope) -> str:
    """ORDER BY, with nulls last unless they are said to be first, as in Trino."""
    return "ORDER BY " + ", ".join(
        f"{self.typed(one.this, scope).sql} {direction(one)}" for one in node.expressions
    )


def direction(one: exp.Ordered) -> str:
    """How a column is ordered."""
    if one.args.get("with_fill"):
        unsupported("WITH FILL")
    nulls = "FIRST" if one.args.get("nulls_first") else "LAST"
    return f"{'DESC' if one.args.get('desc') else 'ASC'} NULLS {nulls}"


def _window(self: Translator, node: exp.Window, scope: Scope) -> str:
    if node.alias or node.args.get("first"):
        unsupported("a named window")
    parts = []
    partition = node.args.get("partition_by") or []
    if partition:
        listed = ", ".join(self.typed(one, scope).sql for one in partition)
        parts.append(f"PARTITION BY {listed}")
    if node.args.get("order"):
        parts.append(ordering(self, node.args["order"], scope))
    spec = node.args.get("spec")
    if spec is not None:
        if spec.args.get("exclude") or spec.args.get("kind") == "GROUPS":
            unsupported("this frame of a window")
        start, end = (_bound(self, spec, side, scope) for side in ("start", "end"))
        parts.append(
            f"{spec.args['kind']} BETWEEN {start} AND {end}"
            if end
            else f"{spec.args['kind']} {start}"
        )
    return " ".join(parts)


def _bound(self: Translator, spec: Any, side: str, scope: Scope) -> str:
    value = spec.args.get(side)
    if value is None or isinstance(value, str):
        return f"{value or ''} {spec.args.get(f'{side}_side') or ''}".strip()
    return f"{self.typed(value, scope).sql} {spec.args[f'{side}_side']}"


# --- functions with words of their own -----------------------------------------------------------
def _array_join(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    values = [self.typed(node, scope) for node in nodes]
    texts = pa.list_(types.VARCHAR)
    if values and pa.types.is_list(values[0].kind):
        if pa.types.is_nested(values[0].kind.value_type):
            fail("FUNCTION_NOT_FOUND", "Unexpected parameters for function array_join")
        values[0] = Typed(self.cast(values[0], texts), texts)
    return _call("array_join", values)


def _concat(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    values = [self.typed(node, scope) for node in nodes]
    kinds = {value.kind for value in values}
    if types.UNKNOWN in kinds and not any(map(pa.types.is_list, kinds)):
        return trino_operators.concatenated(*(Typed("NULL", kind) for kind in list(kinds)[:2]))
    return _call("concat", values)


def _coalesce(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    if len(nodes) < 2:  # noqa: PLR2004 - Trino's own limit
        fail(
            "INVALID_FUNCTION_ARGUMENT", "The 'coalesce' function must have at least two arguments"
        )
    parts, kind = trino_operators.together(
        [self.typed(node, scope) for node in nodes], "All COALESCE operands"
    )
    return Typed(f"coalesce({', '.join(parts)})", kind)


def _extreme(name: str) -> Any:
    def translate(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
        values = [self.typed(node, scope) for node in nodes]
        parts, kind = trino_operators.together(values, f"All {name} arguments")
        missing = " OR ".join(f"{part} IS NULL" for part in parts)
        return Typed(f"(CASE WHEN {missing} THEN NULL ELSE {name}({', '.join(parts)}) END)", kind)

    return translate


def _nullif(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    _count(nodes, 2, "nullif")
    first, second = (self.typed(node, scope) for node in nodes)
    same = trino_operators.compare("=", first, second).sql
    return Typed(f"(CASE WHEN {same} THEN NULL ELSE {first.sql} END)", first.kind)


def _try(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    _count(nodes, 1, "try")
    value = self.typed(nodes[0], scope)
    return Typed(f"TRY({value.sql})", value.kind)


def _count(nodes: list[Any], count: int, name: str) -> None:
    if len(nodes) != count:
        fail("INVALID_FUNCTION_ARGUMENT", f"Invalid number of arguments for '{name}' function")


def _row(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    return self.row(nodes, scope)


def _unit(node: Any, units: tuple[str, ...]) -> str:
    if not isinstance(node, exp.Literal) or not node.is_string:
        unsupported("a unit of time that is no literal")
    unit = str(node.this).lower()
    if unit not in units:
        fail("INVALID_FUNCTION_ARGUMENT", f"'{unit}' is not a valid unit")
    return unit


def _moment(self: Translator, node: Any, scope: Scope, name: str) -> Typed:
    value = self.typed(node, scope)
    if value.kind != types.DATE and not types.is_timestamp(value.kind):
        fail("FUNCTION_NOT_FOUND", f"Unexpected parameters ({types.name(value.kind)}) for {name}")
    return value


def _date_add(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    _count(nodes, 3, "date_add")
    number, moment = self.typed(nodes[1], scope), _moment(self, nodes[2], scope, "date_add")
    unit = _unit(nodes[0], _DAY_UNITS if moment.kind == types.DATE else _UNITS)
    if not types.coerces(number.kind, types.BIGINT):
        fail(
            "FUNCTION_NOT_FOUND", f"Unexpected parameters ({types.name(number.kind)}) for date_add"
        )
    size = _MONTHS.get(unit) or trino_udfs.MILLISECONDS[unit]
    kind = types.MONTHS if unit in _MONTHS else types.DAYS
    return trino_operators.add(
        "+", moment, Typed(f"({coerced(number, types.BIGINT)} * CAST({size} AS BIGINT))", kind)
    )


def _date_diff(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    _count(nodes, 3, "date_diff")
    values = [_moment(self, node, scope, "date_diff") for node in nodes[1:]]
    parts, kind = trino_operators.together(values, "Arguments of date_diff")
    if types.is_timestamp(kind) and kind.tz not in {None, "UTC"}:
        unsupported("date_diff outside UTC")
    unit = _unit(nodes[0], _DAY_UNITS if kind == types.DATE else _UNITS)
    first, second = (f"CAST({part} AS TIMESTAMP)" for part in parts)
    return Typed(f"trino_date_diff({text(unit)}, {first}, {second})", types.BIGINT)


def _date_trunc(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    _count(nodes, 2, "date_trunc")
    moment = _moment(self, nodes[1], scope, "date_trunc")
    if types.is_timestamp(moment.kind) and moment.kind.tz not in {None, "UTC"}:
        unsupported("date_trunc outside UTC")
    unit = _unit(nodes[0], _DAY_UNITS if moment.kind == types.DATE else _UNITS)
    sql = f"CAST(date_trunc({text(unit)}, {moment.sql}) AS {types.in_duckdb(moment.kind)})"
    return Typed(sql, moment.kind)


def now(kind: types.Type) -> Typed:
    """The time of the query, as a date or a timestamp."""
    stamp = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None).isoformat(" ", "milliseconds")
    return Typed(f"CAST(TIMESTAMP '{stamp}' AS {types.in_duckdb(kind)})", kind)


def _now(_: Translator, nodes: list[Any], __: Scope) -> Typed:
    _count(nodes, 0, "now")
    return now(pa.timestamp("ms", "UTC"))


# --- functions of functions ----------------------------------------------------------------------
def _lambda(
    self: Translator, node: Any, kinds: list[types.Type], scope: Scope
) -> tuple[str, Typed]:
    """The lambda's arguments and its value, with DuckDB's names of the arguments."""
    if not isinstance(node, exp.Lambda) or len(node.expressions) != len(kinds):
        unsupported("an argument that is no lambda")
    names = [self.fresh("l") for _ in kinds]
    arguments = {
        argument.name.lower(): Typed(name, kind)
        for argument, name, kind in zip(node.expressions, names, kinds, strict=True)
    }
    return ", ".join(names), self.typed(node.this, scope.with_arguments(arguments))


def _array(self: Translator, node: Any, scope: Scope) -> Typed:
    value = self.typed(node, scope)
    if not pa.types.is_list(value.kind):
        fail("FUNCTION_NOT_FOUND", f"Unexpected parameters ({types.name(value.kind)}, function)")
    return value


def _transform(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    _count(nodes, 2, "transform")
    array = _array(self, nodes[0], scope)
    names, value = _lambda(self, nodes[1], [array.kind.value_type], scope)
    return Typed(f"list_transform({array.sql}, lambda {names}: {value.sql})", pa.list_(value.kind))


def _filter(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    _count(nodes, 2, "filter")
    array = _array(self, nodes[0], scope)
    names, value = _lambda(self, nodes[1], [array.kind.value_type], scope)
    if value.kind != types.BOOLEAN:
        fail("FUNCTION_NOT_FOUND", "Unexpected parameters for function filter")
    return Typed(f"list_filter({array.sql}, lambda {names}: {value.sql})", array.kind)


def _match(template: str) -> Any:
    def translate(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
        _count(nodes, 2, "match")
        array = _array(self, nodes[0], scope)
        names, value = _lambda(self, nodes[1], [array.kind.value_type], scope)
        if value.kind != types.BOOLEAN:
            fail("FUNCTION_NOT_FOUND", "Unexpected parameters for a match function")
        listed = f"list_transform({array.sql}, lambda {names}: {value.sql})"
        return Typed(f"({template.format(listed, array.sql)})", types.BOOLEAN)

    return translate


_ANY = (
    "CASE WHEN {1} IS NULL THEN NULL WHEN list_contains({0}, true) THEN true "
    "WHEN list_count({0}) < len({0}) THEN NULL ELSE false END"
)
_ALL = (
    "CASE WHEN {1} IS NULL THEN NULL WHEN list_contains({0}, false) THEN false "
    "WHEN list_count({0}) < len({0}) THEN NULL ELSE true END"
)


def _reduce(self: Translator, nodes: list[Any], scope: Scope) -> Typed:
    _count(nodes, 4, "reduce")
    array, start = _array(self, nodes[0], scope), self.typed(nodes[1], scope)
    names, step = _lambda(self, nodes[2], [start.kind, array.kind.value_type], scope)
    if step.kind != start.kind or array.kind.value_type != start.kind:
        unsupported("reduce whose state has another type than the elements")
    reduced = f"list_reduce({array.sql}, lambda {names}: {step.sql}, {start.sql})"
    name, last = _lambda(self, nodes[3], [start.kind], scope)
    sql = last.sql.replace(name, reduced) if last.sql == name else ""
    if not sql:
        unsupported("reduce with an output function")
    return Typed(sql, last.kind)


_SPECIAL: dict[str, Any] = {
    "array_join": _array_join,
    "concat": _concat,
    "coalesce": _coalesce,
    "greatest": _extreme("greatest"),
    "least": _extreme("least"),
    "nullif": _nullif,
    "try": _try,
    "row": _row,
    "now": _now,
    "date_add": _date_add,
    "date_diff": _date_diff,
    "date_trunc": _date_trunc,
    "transform": _transform,
    "filter": _filter,
    "any_match": _match(_ANY),
    "all_match": _match(_ALL),
    "none_match": _match(f"NOT ({_ANY})"),
    "reduce": _reduce,
}
# Functions that sqlglot reads by a rule of its own, with the units of EXTRACT.
# fmt: off
FIELDS = frozenset(
    {
        "year", "quarter", "month", "week", "day", "day_of_month", "day_of_week", "dow",
        "day_of_year", "doy", "hour", "minute", "second",
    }
)
# fmt: on


def extract(self: Translator, node: exp.Extract, scope: Scope) -> Typed:
    """EXTRACT(unit FROM moment)."""
    name = node.this.name.lower()
    if name not in FIELDS:
        fail("SYNTAX_ERROR", f"Invalid EXTRACT field: {name}")
    return call(self, name, [node.expression], scope)


def guard_scalar(sql: str, alias: str) -> str:
    """A subquery of at most one row; DuckDB would take the first of several."""
    words = "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows"
    value = guarded("count(*) > 1", words, f"any_value({alias}.c0)")
    return f"(SELECT {value} FROM ({sql}) AS {alias}(c0))"  # noqa: S608 - generated names

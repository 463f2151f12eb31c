"""Queries of Athena, whose SQL is Trino's, in DuckDB's SQL.

Every name is resolved here. DuckDB sees generated names only, so that a query reaches no more
than the tables that ``lookup`` gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from dynoexport.local.services import trino_operators
from dynoexport.local.services import trino_types as types
from dynoexport.local.services.trino_calls import direction
from dynoexport.local.services.trino_casts import Typed, coerced, field_of
from dynoexport.local.services.trino_expressions import Expressions
from dynoexport.local.services.trino_scope import Column, Relation, Scope
from dynoexport.local.services.trino_syntax import fail, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    Lookup = Callable[[exp.Table], "tuple[str, Relation]"]


@dataclass(frozen=True)
class Output:
    """A column of a query's result; one without a name gets it from its position."""

    name: str | None
    kind: types.Type


@dataclass(frozen=True)
class Query:
    """DuckDB's SQL, whose columns are c0, c1 and so on."""

    sql: str
    outputs: list[Output]


# fmt: off
_CLAUSES = frozenset(
    {
        "expressions", "distinct", "from_", "from", "joins", "where", "group", "having",
        "order", "limit", "offset", "with_", "with", "this", "expression", "side", "kind",
        "by_name", "alias",
    }
)
# fmt: on


class Queries:
    """Translates one query with the queries in it."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self.expressions = Expressions(self._inner)
        self._with: list[dict[str, tuple[str, list[Output]]]] = [{}]

    def _inner(self, node: Any, scope: Scope) -> tuple[str, list[types.Type]]:
        query = self.query(node, scope)
        return query.sql, [output.kind for output in query.outputs]

    def query(self, node: Any, parent: Scope | None = None) -> Query:
        """The query, which can use the names of the query around it."""
        for key, value in node.args.items():
            if value and key not in _CLAUSES:
                unsupported(f"{key.strip('_').upper()} in {node.sql(dialect='trino')}")
        self._with.append(dict(self._with[-1]))
        head = self._with_queries(node, parent)
        query = self._body(node, parent)
        self._with.pop()
        return replace(query, sql=head + query.sql)

    def _with_queries(self, node: Any, parent: Scope | None) -> str:
        clause = node.args.get("with_") or node.args.get("with")
        if clause is None:
            return ""
        if clause.args.get("recursive"):
            unsupported("WITH RECURSIVE")
        parts = []
        for cte in clause.expressions:
            inner = self.query(cte.this, parent)
            names = [column.name for column in cte.args["alias"].args.get("columns") or []]
            outputs = _renamed(inner.outputs, names, cte.alias)
            name = self.expressions.fresh("w")
            self._with[-1][cte.alias.lower()] = (name, outputs)
            listed = ", ".join(f"c{number}" for number in range(len(outputs)))
            parts.append(f"{name}({listed}) AS ({inner.sql})")
        return f"WITH {', '.join(parts)} "

    def _body(self, node: Any, parent: Scope | None) -> Query:  # noqa: RET503 - it raises
        if isinstance(node, exp.Select):
            return self._select(node, parent)
        if isinstance(node, exp.SetOperation):
            return self._combined(node, parent)
        if isinstance(node, exp.Subquery):
            inner = self.query(node.this, parent)
            return self._around(inner, node, parent)
        if isinstance(node, exp.Values):
            return self._around(self._values(node, parent), node, parent)
        if isinstance(node, exp.Table):
            unsupported("TABLE")
        unsupported(f"{type(node).__name__}: {node.sql(dialect='trino')}")

    # --- SELECT ----------------------------------------------------------------------------------
    def _select(self, node: exp.Select, parent: Scope | None) -> Query:
        if node.args.get("kind"):
            fail("SYNTAX_ERROR", "mismatched input 'AS'")
        scope, source = self._from(node, parent)
        outputs, values = self._outputs(node, scope)
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            fail("SYNTAX_ERROR", "mismatched input 'ON'")
        listed = ", ".join(f"{value.sql} AS c{number}" for number, value in enumerate(values))
        sql = f"SELECT {'DISTINCT ' if distinct else ''}{listed}{source}"
        if node.args.get("where"):
            condition = self.expressions.condition(node.args["where"].this, scope, "WHERE clause")
            sql += f" WHERE {condition}"
        sql += self._grouping(node, scope, values)
        if node.args.get("having"):
            condition = self.expressions.condition(node.args["having"].this, scope, "HAVING clause")
            sql += f" HAVING {condition}"
        named: dict[str, list[Typed]] = {}
        for output, value in zip(outputs, values, strict=True):
            if output.name is not None:
                named.setdefault(output.name.lower(), []).append(value)
        ordered = Scope(scope.relations, scope.parent, named)
        order = self._order(node, ordered, values, distinct=distinct is not None)
        return Query(sql + order + _limits(node), outputs)

    def _outputs(self, node: exp.Select, scope: Scope) -> tuple[list[Output], list[Typed]]:
        outputs, values = [], []
        for part in node.expressions:
            star = _star(part)
            if star is not None:
                columns = _starred(star, scope)
                outputs += [Output(column.name, column.kind) for column in columns]
                values += [Typed(column.sql, column.kind) for column in columns]
                continue
            inner = part.this if isinstance(part, exp.Alias) else part
            value = self.expressions.typed(inner, scope)
            outputs.append(Output(_name(part), value.kind))
            values.append(value)
        if not values:
            fail("SYNTAX_ERROR", "mismatched input. Expecting: <expression>")
        return outputs, values

    def _grouping(self, node: exp.Select, scope: Scope, values: list[Typed]) -> str:
        group = node.args.get("group")
        if group is None:
            return ""
        every: list[Any] = []
        for key, value in group.args.items():
            if value and key != "expressions":
                if key == "all":
                    # In Trino it is a quantifier, or the name of a column.
                    every = [] if group.expressions else [exp.column("all")]
                    continue
                unsupported(f"GROUP BY {key.replace('_', ' ').upper()}")
        parts = []
        for part in [*group.expressions, *every]:
            position = _ordinal(part, len(values), "GROUP BY")
            value = self.expressions.typed(part, scope) if position is None else values[position]
            parts.append(value.sql)
        return f" GROUP BY {', '.join(parts)}"

    def _order(
        self, node: Any, scope: Scope, values: list[Typed], *, distinct: bool = False
    ) -> str:
        order = node.args.get("order")
        if order is None:
            return ""
        parts = []
        for one in order.expressions:
            position = _ordinal(one.this, len(values), "ORDER BY")
            value = (
                self.expressions.typed(one.this, scope) if position is None else values[position]
            )
            if pa.types.is_map(value.kind) or value.kind == types.JSON:
                fail("TYPE_MISMATCH", f"Type {types.name(value.kind)} is not orderable")
            sql = value.sql
            if distinct:
                sql = str(_selected(node, one.this, value, values) + 1)
            parts.append(f"{sql} {direction(one)}")
        return f" ORDER BY {', '.join(parts)}"

    def _around(self, inner: Query, node: Any, parent: Scope | None) -> Query:
        """A finished query, with ORDER BY and LIMIT of its outputs."""
        if not any(node.args.get(key) for key in ("order", "limit", "offset")):
            return inner
        alias = self.expressions.fresh("q")
        columns = _columns(alias, inner.outputs)
        values = [Typed(column.sql, column.kind) for column in columns]
        order = self._order(node, Scope([Relation("", columns)], parent), values)
        listed = ", ".join(f"{value.sql} AS c{number}" for number, value in enumerate(values))
        sql = f"SELECT {listed} FROM ({inner.sql}) AS {_aliased(alias, inner.outputs)}"  # noqa: S608
        return Query(sql + order + _limits(node), inner.outputs)

    # --- UNION and VALUES ------------------------------------------------------------------------
    def _combined(self, node: exp.SetOperation, parent: Scope | None) -> Query:
        if any(node.args.get(key) for key in ("side", "kind", "by_name")):
            unsupported(node.sql(dialect="trino"))
        left, right = self.query(node.this, parent), self.query(node.expression, parent)
        word = type(node).__name__.upper()
        if len(left.outputs) != len(right.outputs):
            fail("TYPE_MISMATCH", f"{word} query has different number of fields")
        outputs = []
        for number, (one, other) in enumerate(zip(left.outputs, right.outputs, strict=True)):
            kind = types.common(one.kind, other.kind)
            if kind is None:
                fail(
                    "TYPE_MISMATCH",
                    f"column {number + 1} in {word} query has incompatible types: "
                    f"{types.name(one.kind)}, {types.name(other.kind)}",
                )
            trino_operators.require_one_zone(kind, (one.kind, other.kind))
            outputs.append(Output(one.name, kind))
        parts = [self._widened(query, outputs) for query in (left, right)]
        every = "" if node.args.get("distinct") else " ALL"
        sql = f"({parts[0]}) {word}{every} ({parts[1]})"
        return self._around(Query(sql, outputs), node, parent)

    def _widened(self, query: Query, outputs: list[Output]) -> str:
        alias = self.expressions.fresh("u")
        listed = ", ".join(
            f"{coerced(Typed(column.sql, column.kind), output.kind)} AS c{number}"
            for number, (column, output) in enumerate(
                zip(_columns(alias, query.outputs), outputs, strict=True)
            )
        )
        return f"SELECT {listed} FROM ({query.sql}) AS {_aliased(alias, query.outputs)}"  # noqa: S608

    def _values(self, node: exp.Values, parent: Scope | None) -> Query:
        scope = parent or Scope()
        rows = [
            [self.expressions.typed(value, scope) for value in row.expressions]
            if isinstance(row, exp.Tuple)
            else [self.expressions.typed(row, scope)]
            for row in node.expressions
        ]
        if len({len(row) for row in rows}) != 1:
            fail("TYPE_MISMATCH", "Values rows have mismatched types")
        columns = [
            trino_operators.together(list(column), "Values") for column in zip(*rows, strict=True)
        ]
        listed = ", ".join(
            f"({', '.join(row)})" for row in zip(*(c[0] for c in columns), strict=True)
        )
        return Query(f"VALUES {listed}", [Output(None, kind) for _, kind in columns])

    # --- FROM ------------------------------------------------------------------------------------
    def _from(self, node: exp.Select, parent: Scope | None) -> tuple[Scope, str]:
        scope = Scope([], parent)
        clause = node.args.get("from_") or node.args.get("from")
        if clause is None:
            if node.args.get("joins"):
                fail("SYNTAX_ERROR", "mismatched input 'JOIN'")
            return scope, ""
        sql, relation = self._source(clause.this, scope)
        scope.relations.append(relation)
        text = f" FROM {sql}"
        for join in [*(clause.this.args.get("joins") or []), *(node.args.get("joins") or [])]:
            text += self._join(join, scope)
        return scope, text

    def _join(self, join: exp.Join, scope: Scope) -> str:
        known = {"this", "side", "kind", "on", "using"}
        if any(value and key not in known for key, value in join.args.items()):
            unsupported(join.sql(dialect="trino").strip())
        side, kind = (str(join.args.get(key) or "").upper() for key in ("side", "kind"))
        on, using = join.args.get("on"), join.args.get("using")
        if side not in {"", "LEFT", "RIGHT", "FULL"} or kind not in {"", "INNER", "OUTER", "CROSS"}:
            fail("SYNTAX_ERROR", f"mismatched input '{side or kind}'")
        sql, relation = self._source(join.this, scope)
        left = list(scope.relations)
        scope.relations.append(relation)
        if on is None and using is None:
            if side or kind in {"INNER", "OUTER"} or not (kind or join.args.get("kind") is None):
                fail("SYNTAX_ERROR", "mismatched input. Expecting: 'ON', 'USING'")
            return f" CROSS JOIN {sql}"
        word = f"{side or 'INNER'} JOIN"
        if using is not None:
            return f" {word} {sql} ON {self._using(using, left, relation, scope, side)}"
        return f" {word} {sql} ON {self.expressions.condition(on, scope, 'JOIN ON clause')}"

    def _using(
        self, using: list[Any], left: list[Relation], right: Relation, scope: Scope, side: str
    ) -> str:
        """The condition; each of the columns stands once in front of the others."""
        conditions, merged, names = [], [], {name.name.lower() for name in using}
        for name in using:
            found = [Scope(relations).find([name.name]) for relations in (left, [right])]
            if None in found:
                fail("COLUMN_NOT_FOUND", f"Column '{name.name}' is missing from a side of the join")
            one, other = (value[0] for value in found if value is not None)
            conditions.append(trino_operators.compare("=", one, other).sql)
            parts, kind = trino_operators.together([one, other], "Columns of USING")
            both = f"coalesce({', '.join(parts)})"
            sql = both if side == "FULL" else parts[side == "RIGHT"]
            merged.append(Column(name.name, sql, kind))
        scope.relations[:] = [
            Relation("", merged),
            *(
                replace(one, columns=[c for c in one.columns if c.name.lower() not in names])
                for one in [*left, right]
            ),
        ]
        return " AND ".join(conditions)

    def _source(self, node: Any, scope: Scope) -> tuple[str, Relation]:
        alias = node.args.get("alias")
        name = (alias.name if alias is not None else "") or ""
        names = [column.name for column in (alias.args.get("columns") if alias else None) or []]
        if isinstance(node, exp.Table):
            return self._table(node, name, names)
        own = self.expressions.fresh("r")
        if isinstance(node, exp.Unnest):
            query = self._unnest(node, scope)
            # sqlglot takes the last name off the list.
            if names and isinstance(node.args.get("offset"), exp.Identifier):
                names.append(node.args["offset"].name)
            lateral = "LATERAL "
        elif isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            query, lateral = self.query(node.this.this, scope), "LATERAL "
        elif isinstance(node, exp.Values):
            query, lateral = self._values(node, scope.parent), ""
        elif isinstance(node, exp.Subquery):
            if node.args.get("joins") or node.args.get("sample") or node.args.get("pivots"):
                unsupported(node.sql(dialect="trino"))
            if not isinstance(node.this, (exp.Query, exp.Values)):
                unsupported(f"the source {node.sql(dialect='trino')}")
            query, lateral = self.query(node.this, scope.parent), ""
        else:
            unsupported(f"table functions: {node.sql(dialect='trino')}")
        outputs = _renamed(query.outputs, names, name)
        sql = f"{lateral}({query.sql}) AS {_aliased(own, outputs)}"
        return sql, Relation(name.lower(), _columns(own, outputs))

    def _table(self, node: exp.Table, name: str, names: list[str]) -> tuple[str, Relation]:
        if not isinstance(node.this, exp.Identifier):
            unsupported(f"table functions: {node.this.sql(dialect='trino')}")
        known = {"this", "db", "catalog", "alias", "joins"}
        for key, value in node.args.items():
            if value and key not in known:
                unsupported(f"{key.upper()} of a table")
        own = self.expressions.fresh("r")
        common = None if node.db else self._with[-1].get(node.name.lower())
        if common is not None:
            outputs = _renamed(common[1], names, name or node.name)
            sql = f"{common[0]} AS {_aliased(own, outputs)}"
            return sql, Relation((name or node.name).lower(), _columns(own, outputs))
        sql, found = self._lookup(node)
        listed = ", ".join(f"c{number}" for number in range(len(found.columns)))
        shown = [Output(column.name, column.kind) for column in found.columns if not column.hidden]
        titles = [output.name or "" for output in _renamed(shown, names, name)]
        columns = [
            replace(
                column,
                name=titles[number] if number < len(titles) else column.name,
                sql=f"{own}.c{number}",
            )
            for number, column in enumerate(found.columns)
            if not (names and column.hidden)
        ]
        database = "" if name else found.database
        return f"{sql} AS {own}({listed})", Relation((name or node.name).lower(), columns, database)

    def _unnest(self, node: exp.Unnest, scope: Scope) -> Query:
        values = [self.expressions.typed(part, scope) for part in node.expressions]
        parts, outputs, sizes = [], [], []
        for value in values:
            kind = value.kind
            if pa.types.is_map(kind):
                sides = [("map_keys", kind.key_type), ("map_values", kind.item_type)]
                parts += [f"{function}({value.sql})" for function, _ in sides]
                outputs += [Output(None, inner) for _, inner in sides]
                sizes.append(f"cardinality({value.sql})")
            elif pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
                # A row becomes a column for each of its fields.
                for field in kind.value_type:
                    one = field_of("e", field.name)
                    parts.append(f"list_transform({value.sql}, lambda e: {one})")
                    outputs.append(Output(field.name, field.type))
                sizes.append(f"len({value.sql})")
            elif pa.types.is_list(kind):
                parts.append(value.sql)
                outputs.append(Output(None, kind.value_type))
                sizes.append(f"len({value.sql})")
            else:
                fail("INVALID_FUNCTION_ARGUMENT", f"Cannot unnest type: {types.name(kind)}")
        if node.args.get("offset"):
            longest = ", ".join(f"coalesce({size}, 0)" for size in sizes)
            parts.append(f"generate_series(CAST(1 AS BIGINT), greatest({longest}))")
            outputs.append(Output("ordinality", types.BIGINT))
        listed = ", ".join(f"unnest({part}) AS c{number}" for number, part in enumerate(parts))
        return Query(f"SELECT {listed}", outputs)


def _columns(alias: str, outputs: list[Output]) -> list[Column]:
    return [
        Column(output.name or "", f"{alias}.c{number}", output.kind)
        for number, output in enumerate(outputs)
    ]


def _aliased(alias: str, outputs: list[Output]) -> str:
    return f"{alias}({', '.join(f'c{number}' for number in range(len(outputs)))})"


def _renamed(outputs: list[Output], names: list[str], alias: str) -> list[Output]:
    if not names:
        return outputs
    if len(names) != len(outputs):
        fail(
            "MISMATCHED_COLUMN_ALIASES",
            f"Column alias list has {len(names)} entries but '{alias}' has {len(outputs)} columns "
            "available",
        )
    return [Output(name, output.kind) for name, output in zip(names, outputs, strict=True)]


def _name(part: Any) -> str | None:
    if isinstance(part, exp.Alias):
        return str(part.alias)
    inner = part.unnest()
    if isinstance(inner, exp.Column):
        return str(inner.name)
    return str(inner.expression.name) if isinstance(inner, exp.Dot) else None


def _star(part: Any) -> Any:
    """The ``*`` or ``t.*``, with none of the words of other dialects."""
    star = part.this if isinstance(part, exp.Column) else part
    if not isinstance(star, exp.Star):
        return None
    for key, value in star.args.items():
        if value:
            fail("SYNTAX_ERROR", f"mismatched input '{key.strip('_').upper()}'")
    return part


def _starred(star: Any, scope: Scope) -> list[Column]:
    parts = [part.name.lower() for part in star.parts[:-1]] if isinstance(star, exp.Column) else []
    found = [
        relation
        for relation in scope.relations
        if not parts or [relation.database, relation.name][-len(parts) :] == parts
    ]
    if not found:
        fail("TABLE_NOT_FOUND" if parts else "COLUMN_NOT_FOUND", "SELECT * not allowed from this")
    return [column for relation in found for column in relation.columns if not column.hidden]


def _ordinal(part: Any, count: int, clause: str) -> int | None:
    """The position that a whole number stands for."""
    if not isinstance(part, exp.Literal) or part.is_string or not part.name.isdigit():
        return None
    if not 1 <= int(part.name) <= count:
        fail("INVALID_COLUMN_REFERENCE", f"{clause} position {part.name} is not in select list")
    return int(part.name) - 1


def _selected(node: Any, written: Any, value: Typed, values: list[Typed]) -> int:
    """The position of the value among those that a SELECT DISTINCT has."""
    if value in values:
        return values.index(value)
    # Each translation of a lambda or a subquery has names of its own.
    parts = [part.unalias() for part in node.expressions]
    if written not in parts or len(parts) != len(values):
        fail(
            "EXPRESSION_NOT_IN_DISTINCT",
            "For SELECT DISTINCT, ORDER BY expressions must appear in select list",
        )
    return parts.index(written)


def _limits(node: Any) -> str:
    text = ""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if limit is not None:
        count: Any = limit.expression if isinstance(limit, exp.Limit) else limit.args.get("count")
        if isinstance(limit, exp.Fetch) and limit.args.get("limit_options"):
            options = limit.args["limit_options"]
            if options.args.get("with_ties") or options.args.get("percent"):
                unsupported("FETCH FIRST with WITH TIES or PERCENT")
        text += f" LIMIT {_whole(count)}"
    if offset is not None:
        text += f" OFFSET {_whole(offset.expression)}"
    return text


def _whole(count: Any) -> int:
    if not isinstance(count, exp.Literal) or count.is_string or not count.name.isdigit():
        unsupported(f"LIMIT or OFFSET of {count.sql(dialect='trino') if count else 'nothing'}")
    return int(count.name)

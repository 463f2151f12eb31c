"""The endpoint answers statements as Trino 476 does, or refuses them by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trino_statements
from trino_statements import Answer, plain, type_name

from dynoexport.local.services import hive_types
from dynoexport.local.services.query import Engine, QueryFailed

if TYPE_CHECKING:
    import pyarrow as pa

RECORDED = trino_statements.recorded()
STATEMENTS_MIN = 300
# What Trino answers and the endpoint refuses, as "the endpoint does not run ...".
REFUSED = (
    "SELECT to_base(255, 16) AS t",
    "SELECT width_bucket(5.5e0, 0e0, 10e0, 5) AS n",
    "SELECT (1, 2) = (1, 2) AS b",
    "SELECT 1 = ANY (VALUES 1, 2) AS b",
    "SELECT 3 > ALL (VALUES 1, 2) AS b",
    "SELECT trim(BOTH 'x' FROM 'xax') AS t",
    "SELECT word_stem('running') AS t",
    "SELECT format('%s-%d', 'a', 5) AS t",
    "SELECT CAST('a' AS char(3)) AS t",
    "SELECT DATE '2026-01-31' - DATE '2026-01-01' AS i",
    "SELECT from_iso8601_timestamp('2026-01-02T03:04:05+02:00') AS s",
    "SELECT format_datetime(TIMESTAMP '2026-01-02 03:04:05', 'yyyy') AS t",
    "SELECT TIME '10:00:00' AS s",
    "SELECT typeof(1) AS t",
    "SELECT array_union(ARRAY[1, 2], ARRAY[2, 3]) AS l",
    "SELECT zip(ARRAY[1], ARRAY['a']) AS l",
    "SELECT cardinality(MAP(ARRAY['a'], ARRAY[1])) AS n, cardinality(MAP()) AS k",
    "SELECT map_filter(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> v > 1) AS m",
    "SELECT map_from_entries(ARRAY[('a', 1)]) AS m",
    "SELECT CAST(json_parse('[1, 2]') AS array(bigint)) AS l",
    "SELECT approx_distinct(x) AS n FROM (VALUES 1, 2) t (x)",
    "SELECT x FROM (VALUES 1) t (x) TABLESAMPLE BERNOULLI (100)",
    "SELECT INTERVAL '1' DAY AS i",
    "SELECT TIMESTAMP '2026-07-01 12:00:00 +02:00' AS s",
    "SELECT TIMESTAMP '2026-07-01 12:00:00+2' AS s",
    "SELECT TIMESTAMP '2026-07-01 12:00:00 Etc/GMT-2' AS s",
    "SELECT TIMESTAMP '2026-07-01 12:00:00 UTC' AT TIME ZONE '+02:00' AS s",
    "SELECT TIMESTAMP '2026-07-01 12:00:00.1234567' AS s",
    "SELECT CAST(TIMESTAMP '0001-01-01 00:00:00 Asia/Tokyo' AS varchar) AS t",
)


# Trino has no such function; the endpoint does not know the names of those that it lacks.
UNKNOWN_FUNCTIONS = (
    "SELECT hex('a') AS t",
    "SELECT nvl(1, 2) AS n",
    "SELECT ifnull(1, 2) AS n",
    "SELECT nothing(1) AS n",
    "SELECT list_value(1, 2) AS l",
    "SELECT strftime(DATE '2026-01-01', '%Y') AS t",
    "SELECT string_agg('a', ',') AS t",
    "SELECT epoch(TIMESTAMP '2026-01-01 00:00:00') AS n",
    "SELECT range(3) AS l",
)


def answer(sql: str) -> Answer:
    """What the endpoint answers; these statements read nothing from the catalog."""
    nothing: Any = None
    try:
        found = Engine(nothing, nothing, "default").run(sql)
    except QueryFailed as error:
        return Answer(sql, error=str(error).partition(":")[0])
    assert found is not None
    columns = [[field.name, type_name(type_of(field.type))] for field in found.schema]
    values = [column.to_pylist() for column in found.columns]
    rows = [[plain(unnamed(value)) for value in row] for row in zip(*values, strict=True)]
    return Answer(sql, columns=columns, rows=rows)


def unnamed(value: Any) -> Any:
    """The value with rows as lists and maps as mappings, as Trino's client has them."""
    if isinstance(value, dict):
        return [unnamed(inner) for inner in value.values()]
    if isinstance(value, list) and value and all(isinstance(pair, tuple) for pair in value):
        return {key: unnamed(inner) for key, inner in value}
    return [unnamed(inner) for inner in value] if isinstance(value, list) else value


def type_of(kind: pa.DataType) -> str:
    return hive_types.view_type(kind)


def test_the_table_has_enough_statements() -> None:
    assert len({recorded.sql for recorded in RECORDED}) >= STATEMENTS_MIN


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.sql[:60])
def test_statement_is_answered_as_by_trino_or_refused(recorded: Answer) -> None:
    found = answer(recorded.sql)
    if recorded.sql in REFUSED:
        assert recorded.error is None
        assert found.error == "NOT_SUPPORTED"
    elif recorded.sql in UNKNOWN_FUNCTIONS:
        assert (recorded.error, found.error) == ("FUNCTION_NOT_FOUND", "NOT_SUPPORTED")
    else:
        assert found == recorded

"""The endpoint's Athena answers statements as Trino 476 does, or refuses what Trino refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from comparer import same
from lake import DATABASE, sorted_maps
from trino.exceptions import TrinoQueryError
from trino_server import plain

from dynoexport.local.services.query import Engine, QueryFailed

if TYPE_CHECKING:
    from lake import Lake
    from trino_server import Trino

JUDGE = "Trino 476"
REFUSED = "refused"

AGREED = (
    "SELECT 1 AS n, 'a' AS t, true AS b, CAST(null AS varchar) AS x",
    "SELECT CAST('12345678901234567890.12' AS decimal(38,2)) AS n",
    "SELECT ARRAY[1, 2][1] AS n",
    "SELECT element_at(ARRAY[1, 2], 3) AS n",
    "SELECT concat('a', 'b') AS t",
    "SELECT count(*) AS n FROM (VALUES 1, 2) t (x)",
    "SELECT json_extract_scalar('{\"a\": \"x\"}', '$.a') AS t",
    'SELECT "order" FROM (SELECT 1 AS "order")',
)
# As field tests found them.
DIFFERENT = (
    "SELECT x / 2 AS n FROM (VALUES 5) t (x)",
    "SELECT 1 / 0 AS n",
    "SELECT ARRAY[1, 2][3] AS n",
    "SELECT substr('abc', 0, 2) AS t",
    "SELECT json_extract_scalar('{\"a\": 1E3}', '$.a') AS t",
    "SELECT date_add('day', 1, DATE '2026-01-01') AS d",
    'SELECT order FROM (SELECT 1 AS "order")',
    "SELECT 1 = '1' AS b",
    "SELECT 'a' || 1 AS t",
    "SELECT '1'::bigint AS n",
    "SELECT * EXCLUDE (y) FROM (SELECT 1 AS x, 2 AS y)",
    "SELECT x, count(*) AS n FROM (VALUES 1) t (x) GROUP BY ALL",
    "FROM (SELECT 1 AS x) SELECT x",
    "SELECT 1 AS x WHERE x = 1",
    "SELECT 1 AS x LIMIT 1 OFFSET 0",
    "SELECT map_agg(k, v) AS m FROM (VALUES ('a', 1)) t (k, v)",
    "SELECT cardinality(MAP(ARRAY['a'], ARRAY[1])) AS n",
)


def of_trino(trino: Trino, sql: str) -> Any:
    try:
        rows = trino.query(sql, DATABASE).rows
    except TrinoQueryError:
        return REFUSED
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def of_endpoint(lake: Lake, sql: str) -> Any:
    try:
        found = Engine(lake.glue, lake.s3, DATABASE).run(sql)
    except QueryFailed:
        return REFUSED
    return [] if found is None else [sorted_maps(row) for row in found.to_pylist()]


@pytest.mark.parametrize(
    "sql",
    [
        *AGREED,
        *(
            pytest.param(
                sql,
                marks=pytest.mark.xfail(
                    strict=True, raises=AssertionError, reason="D16: not as Trino"
                ),
            )
            for sql in DIFFERENT
        ),
    ],
)
def test_the_endpoint_agrees_with_trino(lake: Lake, trino: Trino, sql: str) -> None:
    answers = of_trino(trino, sql), of_endpoint(lake, sql)
    if REFUSED in answers:
        assert answers == (REFUSED, REFUSED)
    else:
        assert same(*answers)

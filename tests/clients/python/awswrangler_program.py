"""awswrangler: queries with and without CTAS, UNLOAD, parameters, the catalog, files in S3."""

from __future__ import annotations

from typing import Any

import answers
import awswrangler as wr

NAMES = {"database": answers.DATABASE, "workgroup": answers.GROUP}
ONE = "SELECT orderid, number, price, paid, note FROM orders WHERE number = "


def query(sql: str, **options: Any) -> Any:
    return wr.athena.read_sql_query(sql, **{"ctas_approach": False, **NAMES, **options})


def records(frame: Any) -> Any:
    return frame.to_dict("records")


def prepared() -> Any:
    """A prepared statement, made, run and deleted."""
    names = {"statement_name": "one_order", "workgroup": answers.GROUP}
    wr.athena.create_prepared_statement(sql=f"{ONE} ?", **names)
    found = records(query("EXECUTE one_order USING 4"))
    wr.athena.delete_prepared_statement(**names)
    return found


data = f"s3://{answers.BUCKET}/parquet/Orders/"
answers.answer(
    {
        "`read_sql_query` (`ctas_approach=False`)": lambda: records(query(f"{ONE} 2")),
        "in chunks": lambda: [
            len(part) for part in query("SELECT orderid FROM orders", chunksize=20)
        ],
        "`params` (named)": lambda: records(query(f"{ONE} :n", params={"n": 2})),
        "`params` (qmark)": lambda: records(query(f"{ONE} ?", params=["2"], paramstyle="qmark")),
        "a prepared statement": prepared,
        "`describe_table`": lambda: records(
            wr.athena.describe_table("snapshots_orders", **NAMES)[["Column Name", "Type"]]
        )[:2],
        "`wr.catalog`": lambda: [
            list(wr.catalog.databases()["Database"]),
            wr.catalog.get_table_types(answers.DATABASE, "snapshots_orders")["price"],
            wr.catalog.does_table_exist(answers.DATABASE, "thin_air"),
        ],
        "`wr.s3.read_parquet`": lambda: len(wr.s3.read_parquet(data, dataset=True)),
        "`read_sql_query` (`ctas_approach=True`)": lambda: records(
            query(f"{ONE} 2", ctas_approach=True)
        ),
        "`unload`": lambda: str(
            wr.athena.unload(sql=ONE + "2", path=f"s3://{answers.BUCKET}/unloaded/", **NAMES)
        ),
        "`repair_table`": lambda: wr.athena.repair_table("snapshots_orders", **NAMES),
    }
)

"""PyAthena: cursors, parameters, metadata, SQLAlchemy's reflection."""

from __future__ import annotations

from typing import Any

import answers
from pyathena import connect
from pyathena.cursor import DictCursor
from sqlalchemy import MetaData, Table, create_engine, inspect, select

connection = connect(work_group=answers.GROUP, schema_name=answers.DATABASE)
engine = create_engine(
    f"awsathena+rest://@athena.us-east-1.amazonaws.com:443/{answers.DATABASE}"
    f"?work_group={answers.GROUP}"
)
inspector = inspect(engine)


def rows(sql: str, *given: Any, **options: Any) -> list[Any]:
    with connection.cursor() as cursor:
        return list(cursor.execute(sql, *given, **options).fetchall())


def dictionaries() -> list[Any]:
    sql = "SELECT orderid, paid FROM orders WHERE number < 3 ORDER BY 1"
    return list(connection.cursor(DictCursor).execute(sql).fetchall())


def reflected() -> list[Any]:
    orders = Table("orders", MetaData(), autoload_with=engine)
    query = select(orders.c.orderid, orders.c.price).where(orders.c.number > 28)
    with engine.connect() as opened:
        return [list(row) for row in opened.execute(query.order_by(orders.c.orderid))]


def view() -> list[str]:
    return str(inspector.get_view_definition("orders")).splitlines()[:1]


answers.answer(
    {
        "a cursor's types": lambda: rows(
            "SELECT orderid, price, paid, tags, customer, note FROM orders ORDER BY 1 LIMIT 1"
        ),
        "`DictCursor`": dictionaries,
        "parameters (pyformat)": lambda: rows(
            "SELECT orderid FROM orders WHERE number = %(n)s AND orderid = %(id)s",
            {"n": 3, "id": "order-03"},
        ),
        "parameters (qmark)": lambda: rows(
            "SELECT orderid FROM orders WHERE number = ?", ["3"], paramstyle="qmark"
        ),
        "table metadata": lambda: [
            table.name for table in connection.cursor().list_table_metadata()
        ],
        "schemas, tables and views of SQLAlchemy": lambda: [
            inspector.get_schema_names(),
            inspector.get_table_names(),
            inspector.get_view_names(),
            inspector.has_table("thin_air"),
        ],
        "columns of SQLAlchemy": lambda: {
            column["name"]: repr(column["type"]) for column in inspector.get_columns("orders")
        },
        "a view's definition": view,
        "a query of a reflected table": reflected,
        "`CREATE TABLE AS`": lambda: rows("CREATE TABLE copied AS SELECT 1 AS n"),
    }
)

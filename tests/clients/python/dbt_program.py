"""dbt-athena: a view as a model, its tests, the documentation, and a model that is a table."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import answers
from dbt.cli.main import dbtRunner

FILES = {
    "dbt_project.yml": {"name": "shop", "version": "1.0", "profile": "shop"},
    "profiles.yml": {
        "shop": {
            "target": "local",
            "outputs": {
                "local": {
                    "type": "athena",
                    "region_name": "us-east-1",
                    "database": "awsdatacatalog",
                    "schema": answers.DATABASE,
                    "work_group": answers.GROUP,
                    "s3_staging_dir": f"s3://{answers.BUCKET}/athena-results/",
                    "threads": 1,
                }
            },
        }
    },
    "models/schema.yml": {
        "sources": [
            {"name": "exports", "schema": answers.DATABASE, "tables": [{"name": "orders"}]}
        ],
        "models": [
            {
                "name": "paid_orders",
                "columns": [{"name": "orderid", "data_tests": ["unique", "not_null"]}],
            }
        ],
    },
}
QUERY = "select orderid, price from {{ source('exports', 'orders') }} where paid"
OPTIONS = ["--profiles-dir", ".", "--log-level", "none"]


def dbt(*words: str) -> Any:
    """The state and message of each node; a command's own error is raised."""
    with contextlib.redirect_stdout(io.StringIO()):
        done = dbtRunner().invoke([*words, *OPTIONS])
    if done.exception is not None:
        raise done.exception
    return [[node.node.name, str(node.status), node.message] for node in done.result]


def documented() -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        dbtRunner().invoke(["docs", "generate", *OPTIONS])
    catalog = json.loads(Path("target/catalog.json").read_text(encoding="utf-8"))
    found = {**catalog["nodes"], **catalog["sources"]}
    return {name: sorted(table["columns"]) for name, table in found.items()}


def main() -> None:
    """Write the project and run dbt."""
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "0"
    Path("models").mkdir()
    for name, content in FILES.items():
        # JSON is YAML.
        Path(name).write_text(json.dumps(content), encoding="utf-8")
    Path("models/paid_orders.sql").write_text(
        "{{ config(materialized='view') }}\n" + QUERY, encoding="utf-8"
    )
    Path("models/copied_orders.sql").write_text(
        "{{ config(materialized='table') }}\n" + QUERY, encoding="utf-8"
    )
    answers.answer(
        {
            "`run` (a view)": lambda: dbt("run", "--select", "paid_orders"),
            "`test`": lambda: dbt("test", "--select", "paid_orders"),
            "`docs generate`": documented,
            "`run` (a table)": lambda: dbt("run", "--select", "copied_orders"),
        }
    )


# dbt's own processes import this module.
if __name__ == "__main__":
    main()

"""DuckDB with its extension httpfs, which comes from PyPI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import answers
import duckdb
import duckdb_extension_httpfs

FILES = f"s3://{answers.BUCKET}/parquet/Orders/**/*.parquet"
SECRET = f"""CREATE SECRET (TYPE s3, KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}',
    SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}', REGION 'us-east-1', URL_STYLE 'path',
    ENDPOINT '{urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc}', USE_SSL false)"""

connection = duckdb.connect()
(extension,) = Path(duckdb_extension_httpfs.__path__[0]).rglob("httpfs.duckdb_extension")
connection.execute(f"LOAD '{extension}'")
connection.execute(SECRET)


def rows(sql: str) -> list[Any]:
    return connection.execute(sql).fetchall()


answers.answer(
    {
        "`read_parquet` of a bucket": lambda: rows(
            f"SELECT orderid, number FROM read_parquet('{FILES}') ORDER BY number LIMIT 2"
        ),
        "a sum over all files": lambda: rows(
            f"SELECT sum(number)::INT FROM read_parquet('{FILES}')"
        ),
    }
)

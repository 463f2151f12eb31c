"""Polars, which reads the bucket by its own S3 client."""

from __future__ import annotations

import os

import answers
import polars as pl

FILES = f"s3://{answers.BUCKET}/parquet/Orders/**/*.parquet"
OPTIONS = {"aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"], "aws_allow_http": "true"}


def scan() -> pl.LazyFrame:
    return pl.scan_parquet(FILES, storage_options=OPTIONS, hive_partitioning=True)


answers.answer(
    {
        "`scan_parquet` of a bucket": lambda: (
            scan().select("orderid", "number").sort("number").head(2).collect().rows()
        ),
        "a sum over all files": lambda: scan().select(pl.col("number").sum()).collect().item(),
    }
)

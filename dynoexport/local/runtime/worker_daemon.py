"""Spark's own daemon, having imported what each of the workers that it forks would import."""

from __future__ import annotations

import boto3  # noqa: F401
from pyspark.daemon import manager

if __name__ == "__main__":
    manager()  # type: ignore[no-untyped-call]

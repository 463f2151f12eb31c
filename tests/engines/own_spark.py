"""A user's own Spark that reads snapshots through S3A; prints what it has found as JSON.

    python own_spark.py ROOT SNAPSHOT

``ROOT`` is the prefix of all snapshots as an ``s3a://`` path, ``SNAPSHOT`` one of their timestamps.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame


def rows(frame: DataFrame) -> list[dict[str, Any]]:
    return [json.loads(row) for row in frame.orderBy("snapshot_timestamp", "n").toJSON().collect()]


def refusal(action: Callable[[], object]) -> str:
    """Why Spark cannot do it."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        return str(error)
    return ""


def main(root: str, snapshot: str) -> None:
    spark = SparkSession.builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    every = spark.read.parquet(root)
    one = every.where(every.snapshot_timestamp == snapshot)
    path = f"{root}snapshot_timestamp={snapshot}"
    items = spark.createDataFrame(one.drop("snapshot_timestamp").collect(), "id string, n long")
    answer = {
        "every": rows(every),
        "one": rows(one),
        "path": rows(spark.read.option("basePath", root).parquet(path)),
        "glob": refusal(lambda: spark.read.parquet(f"{root}snapshot_timestamp=2026*/")),
        "overwrite": refusal(lambda: items.write.mode("overwrite").parquet(path)),
    }
    print(json.dumps(answer))  # noqa: T201
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])

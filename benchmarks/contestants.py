"""One contestant of benchmarks/reader.py: scans the recorded table into Parquet, in this process.

    python benchmarks/contestants.py NAME --url URL --out DIRECTORY

prints its figures as JSON. Peers run in an environment of their own (benchmarks/peers.txt). Pyarrow
writes the rows that they return. This is part of their time, because the goal is Parquet.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import resource
import sys
import time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TABLE = "Recorded"
REGION = "eu-west-1"
SEGMENTS = 32


def write_rows(rows: list[dict[str, Any]], out: Path) -> int:
    """Write rows of Python values as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: pa.array([row.get(name) for row in rows]) for name in names}
    pq.write_table(pa.table(columns), out / "rows.parquet", compression="snappy")
    return len(rows)


# --- peers ----------------------------------------------------------------------------------------
def awswrangler(_: str, out: Path) -> int:
    """Its documented way to read a whole table: a Scan with a thread for each core."""
    import awswrangler as wr

    frame = wr.dynamodb.read_items(table_name=TABLE, allow_full_scan=True)
    frame.to_parquet(out / "rows.parquet", compression="snappy", index=False)
    return len(frame)


def parallel_scan(_: str, out: Path) -> int:
    """aws-dynamodb-parallel-scan: a thread for each segment; boto3's own TypeDeserializer."""
    import aws_dynamodb_parallel_scan
    import boto3
    from boto3.dynamodb.types import TypeDeserializer

    paginator = aws_dynamodb_parallel_scan.get_paginator(boto3.client("dynamodb"))
    plain = TypeDeserializer().deserialize
    rows = [
        {name: plain(value) for name, value in item.items()}
        for page in paginator.paginate(TableName=TABLE, TotalSegments=8)
        for item in page["Items"]
    ]
    return write_rows(rows, out)


def dynamodump(url: str, out: Path) -> int:
    """Dumps pages as JSON files, one Scan after another; they are turned into rows here."""
    from dynamodump import dynamodump as peer

    address = urlsplit(url)
    given = ["--mode", "backup", "--region", REGION, "--srcTable", TABLE, "--host"]
    given += [str(address.hostname), "--port", str(address.port), "--accessKey", "a"]
    given += ["--secretKey", "b", "--dumpPath", str(out / "dump"), "--log", "ERROR"]
    sys.argv = ["dynamodump", *given]
    peer.main()
    rows = [
        {name: typed(value) for name, value in item.items()}
        for file in sorted((out / "dump").rglob("data/*.json"))
        for item in json.loads(file.read_text())["Items"]
    ]
    return write_rows(rows, out)


def typed(value: dict[str, Any]) -> Any:
    ((code, content),) = value.items()
    if code == "N":
        return Decimal(content)
    if code == "M":
        return {name: typed(inner) for name, inner in content.items()}
    return [typed(element) for element in content] if code == "L" else content


def dynamodb_csv(_: str, out: Path) -> int:
    """Writes the listed columns as csv: nested values as JSON, numbers as doubles."""
    import boto3
    import pyarrow.csv as pc
    import pyarrow.parquet as pq
    from app.dynamodb import csv_export

    table = boto3.resource("dynamodb").Table(TABLE)
    file = out / "rows.csv"
    item = {name: value for row in table.scan()["Items"] for name, value in row.items()}
    whole = set(json.loads(os.environ["WHOLE_NUMBERS"]))
    spec = "".join(f"{name} = {kind_of(name, item[name], whole)}\n" for name in item)
    file.with_name("rows.csv.spec").write_text(
        f"[CSV_SPEC]\n{spec}\n[DELIMITER_OPTION]\nDelimiterCharacter = ,\n"
    )
    message, code = csv_export(table, str(file))
    if code:
        raise SystemExit(message)
    read = pc.read_csv(file, convert_options=pc.ConvertOptions(timestamp_parsers=["none"]))
    pq.write_table(read, out / "rows.parquet", compression="snappy")
    return int(read.num_rows)


def kind_of(name: str, value: Any, whole: set[str]) -> str:
    if isinstance(value, bool):
        return "B"
    if isinstance(value, Decimal):
        return "I" if name in whole else "D"
    return "S" if isinstance(value, str) else "J"


# --- the limit ------------------------------------------------------------------------------------
def raw(url: str, _: Path) -> int:
    """Reads every page over one connection and discards its body, except the next key."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    items, start = 0, None
    headers = {"x-amz-target": "DynamoDB_20120810.Scan"}
    while True:
        asked = {"TableName": TABLE, **({"ExclusiveStartKey": start} if start else {})}
        connection.request("POST", "/", json.dumps(asked), headers)
        body = connection.getresponse().read()
        place = body.rfind(b'"LastEvaluatedKey":')
        if place < 0:
            return items
        tail = json.loads(b"{" + body[place:])
        items += tail["ScannedCount"]
        start = tail["LastEvaluatedKey"]


# --- ours -----------------------------------------------------------------------------------------
class Files:
    """The part of S3 that the reader needs, on this disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        path = self.root / Bucket / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": (self.root / Bucket / Key).open("rb")}


def dynoexport(_: str, out: Path, processes: int) -> int:
    """Calls the job's own functions in several processes, in the order of the job's tasks.

    Without Spark, and with the disk in place of S3: benchmarks/transform.py measures their cost.
    """
    from multiprocessing import get_context

    job = our_job()
    limit = job.RateLimiter(1e9, time.monotonic() - 60)
    coordinator = job.CoordinatorServer(job.Scheduler(range(SEGMENTS), limit, 0), "127.0.0.1")
    coordinator.open()
    with get_context("fork").Pool(processes) as pool:
        parts = pool.map(partial(read, address=coordinator.address, out=out), range(processes), 1)
        dumps = [pair for _, own in parts for pair in own]
        merged = dict(job.merge_profiles(dumps, 200))
        items = merged.pop(job.ITEMS)[0]["M"]
        profiles = {name: job.Profile.load(dumped) for name, dumped in merged.items()}
        rules = job.Rules("parquet", "string", "struct", 200)
        columns = job.settle_columns(profiles, (), rules, others=False)
        pool.starmap(
            partial(write, columns=columns, out=out),
            [(number, pieces) for number, (pieces, _) in enumerate(parts)],
            1,
        )
    coordinator.close()
    return int(items)


def our_job() -> Any:
    sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
    import export_table

    return export_table


def everything(_: str) -> bool:
    return True


def read(_: int, address: Any, out: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """What one task reads, with its profiles."""
    job = our_job()
    scan = job.ScanSpecification(
        table=TABLE,
        region=REGION,
        segments=SEGMENTS,
        columns=(),
        selected=everything,
        whole=True,
        columnar=True,
        hot_units=float("inf"),
        bucket="b",
        prefix="",
        address=address,
    )
    line, files = job.CoordinatorClient(address), Files(out)
    first = line.ask("take")
    records = (
        job.SegmentReader(scan, line, first, job.PageReader(scan), files).run()
        if first is not None
        else []
    )
    line.close()
    pieces = [piece for record in records for piece in record["pieces"]]
    return pieces, list(job.profile_batches(found_in(pieces, files), 200))


def found_in(pieces: Iterable[dict[str, Any]], files: Files) -> Iterable[Any]:
    for piece in pieces:
        yield from our_job().read_piece(piece, "b", files)


def write(number: int, pieces: list[dict[str, Any]], columns: Any, out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    job = our_job()
    schema = pa.schema([(column.name, job.arrow_type(column.type)) for column in columns])
    with pq.ParquetWriter(out / f"rows-{number}.parquet", schema, compression="snappy") as writer:
        for batch in found_in(pieces, Files(out)):
            writer.write_batch(job.record_batch(columns, batch))


CONTESTANTS: dict[str, Callable[[str, Path], int]] = {
    "dynoexport, 1 process": partial(dynoexport, processes=1),
    "dynoexport, 2 processes": partial(dynoexport, processes=2),
    "awswrangler": awswrangler,
    "aws-dynamodb-parallel-scan": parallel_scan,
    "dynamodump": dynamodump,
    "dynamodb-csv": dynamodb_csv,
    "raw HTTP, body discarded": raw,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    began = time.monotonic()
    rows = CONTESTANTS[given.name](given.url, given.out)
    seconds = time.monotonic() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in used)
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main()

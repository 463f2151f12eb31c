"""Start a job's script as Glue does: ``launch.py glueetl|pythonshell``.

``launch.py java`` starts the Java that Spark jobs use, one after the other.

Runs in the process of the job itself, which may start before its job. The job comes on
standard input, as a line of JSON: ``script``, ``arguments``, and the ``environment`` that has the
credentials of the job's role. In it, ``DYNOEXPORT_BUCKETS`` lists the buckets that ``s3://`` paths
can name. Until the line comes, Spark or boto3 warms up. The endpoint keeps the other side of
standard input open while it lives. When the endpoint is gone, the process ends with everything it
started.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import shutil
import signal
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping


def main(kind: str) -> None:
    lifeline = os.dup(sys.stdin.fileno())
    threading.Thread(target=_end_with_endpoint, args=(lifeline,), daemon=True).start()
    if kind == "java":
        _run_java(Path.cwd())
        return
    if kind == "glueetl":
        _run_with_spark()
        return
    import boto3_endpoint

    # What is imported stays: there is nothing that a search for unused objects could find.
    gc.disable()
    boto3_endpoint.install()
    _until_asked(boto3_endpoint.warm_up())
    gc.freeze()
    gc.enable()
    order = _order()
    if order is not None:
        os.environ.update(order["environment"])
        _run_as_python_shell(order)


def _run_as_python_shell(order: dict[str, Any]) -> None:
    """Run the script, and raise its errors as Glue does: as ``type(error)(error)``.

    See the traceback in https://github.com/aws-samples/amazon-deequ-glue/issues/5
    """
    try:
        _run(order)
    except Exception as error:
        raise type(error)(error) from error


def _run_java(directory: Path) -> None:
    import spark_jvm
    import used_java

    try:
        spark_jvm.start(directory).wait()
    finally:
        (directory / used_java.ENDED).touch()


def _run_with_spark() -> None:
    import boto3_endpoint
    import spark_jvm
    import used_java

    given = os.environ.get(used_java.DIRECTORY)
    java = Path(given or Path.cwd())
    if given is None:
        threading.Thread(target=_run_java, args=(java,), daemon=True).start()
    boto3_endpoint.install()
    spark_jvm.connect(java)
    # One directory for the script, its workers and Java, so that they agree on relative paths.
    os.chdir(java / used_java.WORK)
    if given is None or used_java.remember(java):
        # The workers of the rehearsal belong to this job, too.
        spark_jvm.set_environment({})
        with closing(_rehearsal(Path("rehearsal").absolute())) as steps:
            _until_asked(steps)
    import pyspark.sql  # noqa: F401 - before the job comes

    order = _order()
    if order is None:
        return
    os.environ.update(order["environment"])
    spark_jvm.set_defaults(_file_system(order["environment"]))
    spark_jvm.set_environment(order["environment"])
    spark_jvm.set_conf(order["arguments"])
    try:
        _run(order)
    finally:
        # Also after an error, which Python's side of Spark leaves behind as any other end.
        (java / used_java.DONE).touch()


def _file_system(environment: Mapping[str, str]) -> dict[str, str]:
    """Spark's settings for ``s3://``."""
    import s3a
    import spark_jvm

    configuration: dict[str, str]
    if s3a.JARS in os.environ:
        configuration = s3a.settings(environment)
        return configuration
    import boto3
    import s3_gateway

    s3 = boto3.client("s3")
    buckets = [name for name in os.environ["DYNOEXPORT_BUCKETS"].split(",") if name]
    configuration = spark_jvm.mounts({name: s3_gateway.serve(s3, name) for name in buckets})
    return configuration


def _end_with_endpoint(lifeline: int) -> None:
    """Wait until the other side closes the pipe, whether or not it was read."""
    ended = select.poll()
    ended.register(lifeline, 0)
    ended.poll()
    directory = Path(os.environ["DYNOEXPORT_JOB_DIRECTORY"])
    for group in directory.glob("group-*"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(int(group.name.removeprefix("group-")), signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _until_asked(steps: Iterator[str]) -> None:
    """Take one step after the other, until the job comes."""
    while not _is_asked() and next(steps, None):
        continue


def _is_asked() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def _order() -> dict[str, Any] | None:
    """The job to run, or None at the end of the endpoint; the script finds standard input empty."""
    line = sys.stdin.readline()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
    return json.loads(line) if line else None


def _rehearsal(directory: Path) -> Generator[str]:
    """Do what exports do, so that Java loads its classes; without credentials, on files only."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    yield "import"
    spark = SparkSession(SparkContext.getOrCreate())
    text, parquet = (str(directory / name) for name in ("text", "parquet"))
    try:
        yield "context"
        lines = spark.sparkContext.parallelize(range(2), 2).map(str)
        spark.createDataFrame(lines, "string").write.text(text)
        yield "write text"
        pairs = spark.read.text(text).rdd.map(lambda row: (row[0], len(row)))
        shuffled = pairs.partitionBy(2).collect()
        yield "read text, shuffle"
        rows = spark.createDataFrame(shuffled, "word string, length bigint", verifySchema=False)
        rows.write.parquet(parquet)
        yield "write parquet"
        spark.read.parquet(parquet).count()
        yield "read parquet"
    finally:
        spark.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _run(order: dict[str, Any]) -> None:
    import missing_packages

    missing_packages.hide()
    sys.argv = [order["script"], *order["arguments"]]
    runpy.run_path(order["script"], run_name="__main__")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    finally:
        # At its end Python would search all objects once more, for a fifth of a second.
        gc.freeze()

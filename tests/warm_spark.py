"""One Spark with a bucket mounted, in which the job scripts run again and again."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynoexport.local.glue import class_sharing

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence


# As jobs have it on the endpoint.
MASTER = "local[2,4]"
_GATEWAY = ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET")


@functools.cache
def java() -> subprocess.Popen[bytes]:
    """Java as the endpoint starts it for a job, one for this process, with JAVA_HOME of now.

    It uses the archive of Spark's classes that a job has made, and ends with this process.
    """
    import spark_jvm
    from pyspark import SparkContext

    directory = Path(tempfile.mkdtemp(prefix="warm-spark-"))
    shared = class_sharing.environment()
    os.environ.update(shared)
    try:
        process: subprocess.Popen[bytes] = spark_jvm.start(directory)
        spark_jvm.connect(directory)
        SparkContext._ensure_initialized()  # noqa: SLF001 - it connects to Java
    finally:
        # Not for the jobs of an endpoint that a test starts.
        for name in (*shared, *_GATEWAY):
            os.environ.pop(name, None)
    atexit.register(_end, process, directory)
    return process


def _end(process: subprocess.Popen[bytes], directory: Path) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
    shutil.rmtree(directory, ignore_errors=True)


def make(
    env: Mapping[str, str], path: Sequence[str], *, bucket: str, port: int, master: str = MASTER
) -> Any:
    """Start the session. Its workers find the endpoint by ``env``, and modules on ``path``.

    The path has the runtime of jobs, whose daemon imports once what each worker needs.
    """
    from pyspark.sql import SparkSession

    java()
    builder = (
        SparkSession.builder.master(master)
        .config("spark.driver.memory", "1g")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.adaptive.enabled", "false")
        .config(
            f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback",
            f"webhdfs://127.0.0.1:{port}/",
        )
    )
    for name, value in {**env, "PYTHONPATH": ":".join(path)}.items():
        builder = builder.config(f"spark.executorEnv.{name}", value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session

"""One Spark with a bucket mounted, in which the job scripts run again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


# As jobs have it on the endpoint.
MASTER = "local[2,4]"


def make(
    env: Mapping[str, str], path: Sequence[str], *, bucket: str, port: int, master: str = MASTER
) -> Any:
    """Start the session. Its workers find the endpoint by ``env``, and modules on ``path``."""
    from pyspark.sql import SparkSession

    builder = (
        SparkSession.builder.master(master)
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "1g")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version", "2")
        .config(
            "spark.hadoop.fs.s3.impl", "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
        )
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

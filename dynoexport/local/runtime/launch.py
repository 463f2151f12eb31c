"""Start a job's script as Glue would: ``launch.py glueetl|pythonshell SCRIPT ARGUMENTS...``.

Runs in the process of the job itself. What the endpoint has to tell comes by environment:
``DYNOEXPORT_BUCKETS``, the buckets that ``s3://`` paths can name.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

# Spark waits this long for nothing on a laptop.
_SPARK_DEFAULTS = {
    "spark.master": "local[2]",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData",
    "spark.sql.codegen.wholeStage": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
}


def configure_spark(directory: Path, ports: dict[str, int]) -> None:
    """Write the defaults that every SparkContext of this process starts with."""
    settings = dict(_SPARK_DEFAULTS)
    for bucket, port in ports.items():
        # linkMergeSlash, the obvious choice, loses the root of renamed paths in Hadoop 3.3.
        key = f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback"
        settings[key] = f"webhdfs://127.0.0.1:{port}/"
    lines = "".join(f"{key} {value}\n" for key, value in settings.items())
    (directory / "spark-defaults.conf").write_text(lines)
    os.environ["SPARK_CONF_DIR"] = str(directory)


def main(kind: str, script: str, arguments: list[str]) -> None:
    if kind == "glueetl":
        import boto3
        import s3_gateway

        s3 = boto3.client("s3")
        buckets = [name for name in os.environ["DYNOEXPORT_BUCKETS"].split(",") if name]
        configure_spark(Path.cwd(), {name: s3_gateway.serve(s3, name) for name in buckets})
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

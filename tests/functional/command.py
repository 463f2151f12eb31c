"""The ``dynoexport`` command as a process, and exports that need no Spark to have snapshots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import click
import warm_process
from waiting_lines import without_waiting

from dynoexport import cli, naming
from dynoexport.aws.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from dynoexport.local.context import Endpoint

COMMAND = str(Path(sys.executable).with_name("dynoexport"))


@dataclass(frozen=True)
class Command:
    """``dynoexport`` in the environment of an endpoint."""

    endpoint: Endpoint
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        home = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
        return {**home, **self.endpoint.env, **self.extra}

    def __call__(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        done = warm_process.run("dynoexport", *words, env=self.env, stdin=stdin or "")
        done.stderr = without_waiting(done.stderr)
        return done

    def ok(self, *words: str) -> str:
        """Run it and return its output. The test fails if the command does."""
        done = self(*words)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "--output", "json"))

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *words],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command, the groups' among them."""

    def below(group: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        if isinstance(group, click.Group):
            context = click.Context(group)
            for name in group.list_commands(context):
                command = group.get_command(context, name)
                assert command is not None
                yield from below(command, (*path, name))

    return below(cli.main, ())


def library(endpoint: Endpoint) -> Account:
    """The account as a program sees it, by ``import dynoexport``."""
    session = boto3.Session(
        aws_access_key_id=endpoint.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=endpoint.env["AWS_SECRET_ACCESS_KEY"],
    )
    return Account(session, endpoint.region, endpoint.url)


@contextmanager
def sleeping(endpoint: Endpoint, job: str) -> Iterator[None]:
    """In this block, runs of the Glue job end only when they are stopped."""
    command = endpoint.client("glue").get_job(JobName=job)["Job"]["Command"]
    bucket, _, key = command["ScriptLocation"].removeprefix("s3://").partition("/")
    s3 = endpoint.client("s3")
    kept = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=b"import time; time.sleep(600)")
    try:
        yield
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=kept)


def create_table(endpoint: Endpoint, table: str, **options: Any) -> None:
    """On demand, unless the options provision it."""
    billing = {} if "ProvisionedThroughput" in options else {"BillingMode": "PAY_PER_REQUEST"}
    endpoint.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        **billing,
        **options,
    )


def consume(endpoint: Endpoint, table: str, metric: str, at: datetime, units: float) -> None:
    """As DynamoDB reports it to CloudWatch; the endpoint's DynamoDB does not."""
    endpoint.client("cloudwatch").put_metric_data(
        Namespace="AWS/DynamoDB",
        MetricData=[
            {
                "MetricName": metric,
                "Dimensions": [{"Name": "TableName", "Value": table}],
                "Timestamp": at,
                "Value": units,
            }
        ],
    )


def exports_bucket(endpoint: Endpoint) -> str:
    return naming.bucket(endpoint.account, endpoint.region)


def put_snapshot(
    endpoint: Endpoint,
    table: str,
    timestamp: str,
    items: Sequence[Mapping[str, Any]],
    **more: Any,
) -> None:
    """A json snapshot as the export job leaves one: a part file if it has items, its manifest."""
    s3, bucket = endpoint.client("s3"), exports_bucket(endpoint)
    body = "".join(json.dumps(item) + "\n" for item in items).encode()
    key = f"{naming.snapshot_prefix(table, 'json', timestamp)}part-00000.json"
    files = []
    if items:
        etag = s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')
        files.append({"key": key, "bytes": len(body), "etag": etag})
    manifest = {
        "table": table,
        "format": "json",
        "snapshot_timestamp": timestamp,
        "items": len(items),
        "bytes": len(body),
        "files": files,
        "workflow_run_id": "wr_of_this_test",
        **more,
    }
    s3.put_object(
        Bucket=bucket,
        Key=naming.manifest_key(table, "json", timestamp),
        Body=json.dumps(manifest).encode(),
    )


def crawl(endpoint: Endpoint, table: str) -> None:
    """Run the deployed crawler."""
    glue, name = endpoint.client("glue"), naming.crawler(table, "json")
    glue.start_crawler(Name=name)
    while glue.get_crawler(Name=name)["Crawler"]["State"] != "READY":
        time.sleep(0.1)
    assert glue.get_crawler(Name=name)["Crawler"]["LastCrawl"]["Status"] == "SUCCEEDED"


# --- an AWS of a test's own -----------------------------------------------------------------------
class Quiet(BaseHTTPRequestHandler):
    """Serves without a log."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Where the handler answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""How long ``dynoexport status`` takes over many exports, as a ratio to a plain boto3 script.

Both run alternately as processes against one endpoint and one account, and must find the same.
API calls fill the account: stacks would take longer than the measurement.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from dynoexport import naming, settings
from dynoexport.jobs.view import shown_timestamp, view_sql
from dynoexport.local import context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

COMMAND = str(Path(sys.executable).with_name("dynoexport"))
PARQUET = "parquet"
TIMESTAMP = "2026-11-23T10:00"
ITEMS, BYTES = 1000, 65536
# The last run of one in so many exports has failed, and its view shows an earlier snapshot.
FAILED_ONE_IN = 10


@contextmanager
def serving() -> Iterator[Endpoint]:
    """An endpoint with an empty account."""
    words = [COMMAND, "local", "start", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        match = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert match is not None
        yield context.connect(match[0])
        process.terminate()


def table(number: int) -> str:
    return f"Table-{number:05}"


# --- the account ----------------------------------------------------------------------------------
def fill(endpoint: Endpoint, exports: int) -> None:
    """Create exports with a schedule, a current snapshot, and a last run that has ended."""
    bucket = naming.bucket(endpoint.account, endpoint.region)
    endpoint.client("s3").create_bucket(Bucket=bucket)
    endpoint.client("glue").create_database(DatabaseInput={"Name": naming.DATABASE})
    for service in ("s3", "glue"):  # created here, while one thread runs
        endpoint.client(service)
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda number: add_export(endpoint, bucket, number), range(exports)))


def add_export(endpoint: Endpoint, bucket: str, number: int) -> None:
    name = table(number)
    glue = endpoint.client("glue")
    workflow = naming.workflow(name, PARQUET, scheduled=True)
    job = naming.export_job(name, PARQUET)
    glue.create_workflow(Name=workflow, MaxConcurrentRuns=1)
    glue.create_job(
        Name=job,
        Role="none",
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{bucket}/none.py"},
        # No run of the job may start, so the run of the workflow ends at once.
        ExecutionProperty={"MaxConcurrentRuns": 0},
        Tags={
            naming.TAG_TABLE: name,
            naming.TAG_FORMAT: PARQUET,
            naming.TAG_STACK: naming.table_stack(name, PARQUET),
            naming.TAG_WORKFLOW: workflow,
        },
    )
    glue.create_trigger(
        Name=naming.start_trigger(workflow),
        WorkflowName=workflow,
        Type="SCHEDULED",
        Schedule=settings.DEFAULT_SCHEDULE,
        Actions=[{"JobName": job}],
        StartOnCreation=True,
    )
    written = {
        settings.SNAPSHOT_TIMESTAMP: TIMESTAMP,
        settings.SNAPSHOT_ITEMS: str(ITEMS),
        settings.SNAPSHOT_BYTES: str(BYTES),
    }
    properties = {} if number % FAILED_ONE_IN == 0 else written
    glue.start_workflow_run(Name=workflow, RunProperties=properties)
    add_view(glue, name)
    endpoint.client("s3").put_object(
        Bucket=bucket,
        Key=naming.manifest_key(name, PARQUET, TIMESTAMP),
        Body=json.dumps(
            {
                "table": name,
                "format": PARQUET,
                "snapshot_timestamp": TIMESTAMP,
                "items": ITEMS,
                "bytes": BYTES,
                "files": [],
                "workflow_run_id": "wr_1",
            }
        ),
    )


def add_view(glue: Any, name: str) -> None:
    columns = {name: name for name in ("id", naming.PARTITION_KEY)}
    names = (naming.DATABASE, naming.view(name), naming.snapshots_table(name))
    sql = view_sql(*names, columns, TIMESTAMP)
    stored = base64.b64encode(json.dumps({"originalSql": sql}).encode()).decode()
    glue.create_table(
        DatabaseName=naming.DATABASE,
        TableInput={
            "Name": naming.view(name),
            "TableType": "VIRTUAL_VIEW",
            "StorageDescriptor": {
                "Columns": [{"Name": column, "Type": "string"} for column in columns]
            },
            "ViewOriginalText": f"/* Presto View: {stored} */",
        },
    )


# --- the peer -------------------------------------------------------------------------------------
def plain_script() -> list[list[Any]]:
    """The script that a user would write: export after export, call after call."""
    glue, s3 = boto3.client("glue"), boto3.client("s3")
    account = boto3.client("sts").get_caller_identity()["Account"]
    bucket = naming.bucket(account, os.environ["AWS_REGION"])
    pages = (
        boto3.client("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(TagFilters=[{"Key": naming.TAG_WORKFLOW}], ResourceTypeFilters=["glue:job"])
    )
    rows = []
    for resource in (mapping for page in pages for mapping in page["ResourceTagMappingList"]):
        tags = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
        name, workflow = tags[naming.TAG_TABLE], tags[naming.TAG_WORKFLOW]
        last = glue.get_workflow(Name=workflow)["Workflow"]["LastRun"]
        trigger = glue.get_trigger(Name=naming.start_trigger(workflow))["Trigger"]
        view = glue.get_table(DatabaseName=naming.DATABASE, Name=naming.view(name))["Table"]
        snapshot = shown_timestamp(view)
        key = naming.manifest_key(name, PARQUET, snapshot or "")
        manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        rows.append(
            [
                name,
                last["WorkflowRunId"],
                snapshot,
                manifest["items"],
                manifest["bytes"],
                trigger["Schedule"],
                trigger["State"] == "ACTIVATED",
            ]
        )
    return sorted(rows)


# --- the measurement ------------------------------------------------------------------------------
def timed(endpoint: Endpoint, *words: str) -> tuple[float, Any]:
    """The wall-clock seconds of the process, and the JSON that it prints."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **endpoint.env}
    began = time.perf_counter()
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - began, json.loads(done.stdout)


def rows_of(status: list[dict[str, Any]]) -> list[list[Any]]:
    keys = ("table", "snapshot", "items", "bytes", "schedule", "enabled")
    rows = []
    for export in status:
        name, *others = (export[key] for key in keys)
        rows.append([name, export["last_run"]["run_id"], *others])
    return sorted(rows)


def measure(exports: int, rounds: int) -> None:
    ours, theirs = [], []
    with serving() as endpoint:
        fill(endpoint, exports)
        for _ in range(rounds):
            seconds, status = timed(endpoint, COMMAND, "status", "--output", "json")
            ours.append(seconds)
            seconds, rows = timed(endpoint, sys.executable, __file__, "--plain-script")
            theirs.append(seconds)
            assert len(rows) == exports
            assert rows_of(status) == rows
    print(f"{exports} exports, median of {rounds} rounds, {os.cpu_count()} CPUs")
    for name, times in (("dynoexport status", ours), ("plain boto3 script", theirs)):
        print(f"  {name:<20} {statistics.median(times):6.1f} s  (slowest {max(times):.1f} s)")
    print(f"  ratio                {statistics.median(theirs) / statistics.median(ours):6.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--exports", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (default: 3)")
    parser.add_argument("--plain-script", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plain_script:
        json.dump(plain_script(), sys.stdout)
    else:
        measure(given.exports, given.rounds)


if __name__ == "__main__":
    main()

"""The memory of the local endpoint over many runs of a job and a crawler.

Each run has credentials of its own, as on AWS. The job is a Python shell job that prints some
lines: Spark runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from dynoexport.local import context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

COMMAND = str(Path(sys.executable).with_name("dynoexport"))
NAME = "memory"
SCRIPT = b"for number in range(20):\n    print(number)\n"


@contextmanager
def serving() -> Iterator[tuple[Endpoint, int]]:
    """An endpoint with an empty account, and its process."""
    words = [COMMAND, "local", "start", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        match = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert match is not None
        yield context.connect(match[0]), process.pid
        process.terminate()


def fill(endpoint: Endpoint) -> None:
    """Create a job, and a crawler of one file."""
    s3, glue, iam = (endpoint.client(service) for service in ("s3", "glue", "iam"))
    s3.create_bucket(Bucket=NAME)
    s3.put_object(Bucket=NAME, Key="job.py", Body=SCRIPT)
    s3.put_object(Bucket=NAME, Key="data/rows.json", Body=b'{"a": 1}\n')
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    trust = {**statement, "Principal": {"Service": "glue.amazonaws.com"}}
    iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=policy(trust))
    everything = policy({"Effect": "Allow", "Action": "*", "Resource": "*"})
    iam.put_role_policy(RoleName=NAME, PolicyName=NAME, PolicyDocument=everything)
    script = f"s3://{NAME}/job.py"
    glue.create_job(Name=NAME, Role=NAME, Command={"Name": "pythonshell", "ScriptLocation": script})
    glue.create_database(DatabaseInput={"Name": NAME})
    glue.create_crawler(
        Name=NAME,
        Role=NAME,
        DatabaseName=NAME,
        Targets={"S3Targets": [{"Path": f"s3://{NAME}/data/"}]},
    )


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def run(glue: Any) -> None:
    """Run the job, then the crawler."""
    run_id = glue.start_job_run(JobName=NAME)["JobRunId"]
    while (state := glue.get_job_run(JobName=NAME, RunId=run_id)["JobRun"]["JobRunState"]) in {
        "WAITING",
        "STARTING",
        "RUNNING",
    }:
        time.sleep(0.1)
    assert state == "SUCCEEDED", state
    glue.start_crawler(Name=NAME)
    while glue.get_crawler(Name=NAME)["Crawler"]["State"] != "READY":
        time.sleep(0.1)


def resident(process: int) -> float:
    """The memory of a process in MB."""
    ps = ["/bin/ps", "-o", "rss=", "-p", str(process)]
    answer = subprocess.run(ps, capture_output=True, text=True, check=True)
    return int(answer.stdout) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    given = parser.parse_args()
    grid = Table("runs", "MB")
    with serving() as (endpoint, process):
        fill(endpoint)
        glue = endpoint.client("glue")
        for number in range(given.runs + 1):
            if number in {0, 1} or number % 10 == 0:
                grid.add_row(str(number), f"{resident(process):.0f}")
            run(glue)
    Console().print(grid)


if __name__ == "__main__":
    main()

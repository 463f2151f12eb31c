"""An account on an endpoint whose Spark reads and writes ``s3://`` with Hadoop's S3A."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import artifacts
from command import library

import dynoexport
from dynoexport import naming
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from dynoexport.aws import workflow_runs
    from dynoexport.local.context import Endpoint

# What a job's --conf adds for each committer. The magic one is for s3a:// unless another scheme is
# bound to it, and Spark's own protocol would rename:
# https://hadoop.apache.org/docs/r3.4.1/hadoop-aws/tools/hadoop-aws/committers.html
# https://spark.apache.org/docs/3.5.6/cloud-integration.html#hadoop-s3a-committers
_FACTORY = "spark.hadoop.mapreduce.outputcommitter.factory.scheme"
_CLOUD = "org.apache.spark.internal.io.cloud"
COMMITTERS: Mapping[str, Mapping[str, str]] = {
    "file": {},
    "magic": {
        "spark.hadoop.fs.s3a.committer.name": "magic",
        "spark.hadoop.fs.s3a.committer.magic.enabled": "true",
        f"{_FACTORY}.s3": "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory",
        "spark.sql.sources.commitProtocolClass": f"{_CLOUD}.PathOutputCommitProtocol",
        "spark.sql.parquet.output.committer.class": f"{_CLOUD}.BindingParquetOutputCommitter",
    },
}
# What UpdateJob takes of GetJob's answer; what is left out would be reset.
_JOB = (
    "Role",
    "Command",
    "DefaultArguments",
    "GlueVersion",
    "WorkerType",
    "NumberOfWorkers",
    "ExecutionProperty",
)


def jars() -> Path:
    """The directory of S3A's jars.

    Raises:
        UnavailableError: they cannot be had.
    """
    return artifacts.part("s3a-3.4.1", _keep)


def _keep(files: Iterable[Path], directory: Path) -> None:
    for file in files:
        shutil.move(file, directory)


@dataclass
class S3AAccount:
    """The account; ``exports`` has the table of each format and committer."""

    endpoint: Endpoint
    exports: dict[tuple[str, str], Export] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.account = library(self.endpoint)
        dynoexport.init(self.account)

    def export(self, fmt: str, committer: str) -> tuple[Export, bool]:
        """The export in a format by a committer, and whether it is new and not deployed yet."""
        key = (fmt, committer)
        is_new = key not in self.exports
        return self.exports.setdefault(key, Export(self, fmt, committer)), is_new


@dataclass
class Export:
    """A table, and its export in a format, written by a committer."""

    owner: S3AAccount
    format: str
    committer: str
    name: str = "Orders"

    @property
    def table(self) -> str:
        return f"{self.name}-{self.format}-{self.committer}"

    @property
    def job(self) -> str:
        return naming.export_job(self.table, self.format)

    @property
    def bucket(self) -> str:
        return self.owner.account.bucket

    @property
    def data(self) -> str:
        return naming.data_prefix(self.table, self.format)

    @property
    def temp(self) -> str:
        return naming.temp_prefix(self.table, self.format)

    def client(self, service: str) -> Any:
        return self.owner.endpoint.client(service)

    def deploy(self, reader: str, **parameters: str) -> None:
        self.client("dynamodb").create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        settings = {"ReadMode": reader, "NumberOfWorkers": "2", "MaxRetries": "0", **parameters}
        fmt = OutputFormat(self.format)
        dynoexport.deploy(self.owner.account, self.table, fmt=fmt, parameters=settings)
        if COMMITTERS[self.committer]:
            self.add_conf(COMMITTERS[self.committer])

    def add_conf(self, settings: Mapping[str, str]) -> None:
        """Let the job's ``--conf`` say more than the template's."""
        arguments = dict(self._job()["DefaultArguments"])
        added = [f"{key}={value}" for key, value in settings.items()]
        arguments["--conf"] = " --conf ".join([arguments["--conf"], *added])
        self._update_job(DefaultArguments=arguments)

    def replace_script(self, text: str) -> None:
        """Let the job run another script, which its role may read."""
        key = f"scripts/of-tests/{self.table}.py"
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=text.encode())
        command = {**self._job()["Command"], "ScriptLocation": f"s3://{self.bucket}/{key}"}
        self._update_job(Command=command)
        reads = {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self.bucket}/{key}",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
        role = self._job()["Role"].rpartition("/")[2]
        self.client("iam").put_role_policy(
            RoleName=role, PolicyName="ReadsScriptOfTest", PolicyDocument=document
        )

    def _job(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client("glue").get_job(JobName=self.job)["Job"]
        return found

    def _update_job(self, **changed: Any) -> None:
        job = self._job()
        kept = {key: job[key] for key in _JOB}
        self.client("glue").update_job(JobName=self.job, JobUpdate={**kept, **changed})

    def run_job(self, **arguments: str) -> str:
        """Run the export job alone to its end; the state in which it ends."""
        glue, given = self.client("glue"), {f"--{key}": arguments[key] for key in arguments}
        run_id = glue.start_job_run(JobName=self.job, Arguments=given)["JobRunId"]
        while True:
            run = glue.get_job_run(JobName=self.job, RunId=run_id)["JobRun"]
            if "CompletedOn" in run:
                return str(run["JobRunState"])
            time.sleep(0.2)

    def put(self, items: Iterable[Mapping[str, Any]]) -> None:
        for item in items:
            self.client("dynamodb").put_item(TableName=self.table, Item=item)

    def run(self) -> workflow_runs.Run:
        """A run of the workflow to its end."""
        account = self.owner.account
        *_, last = dynoexport.watch(account, dynoexport.run(account, self.table))
        return last

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the view."""
        account = self.owner.account
        found = dynoexport.query(account, self.table, "SELECT * FROM {view}")
        return list(dynoexport.rows(account, found))

    # --- what is there -------------------------------------------------------------------------
    def keys(self, prefix: str) -> set[str]:
        pages = self.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=prefix)
        return {entry["Key"] for page in found for entry in page.get("Contents", ())}

    def part_files(self) -> set[str]:
        """The files in the manifests of all snapshots."""
        s3, prefix = self.client("s3"), naming.manifest_prefix(self.table, self.format)
        manifests = [
            json.loads(s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
            for key in self.keys(prefix)
            if key.endswith(".json")
        ]
        return {file["key"] for manifest in manifests for file in manifest["files"]}

    def markers(self) -> set[str]:
        """Directory markers above and below what the export writes."""
        return {
            key
            for key in self.keys("")
            for own in (self.data, self.temp)
            if key.endswith("/") and (own.startswith(key) or key.startswith(own))
        }

    def open_uploads(self) -> list[str]:
        found = self.client("s3").list_multipart_uploads(Bucket=self.bucket)
        return [
            upload["Key"]
            for upload in found.get("Uploads", ())
            if upload["Key"].startswith(self.data)
        ]

    def refused(self) -> set[tuple[str, str]]:
        """Actions and resources that the export's roles were refused, without the bucket's ARN."""
        stack = naming.table_stack(self.table, self.format)
        resources = self.client("cloudformation").describe_stack_resources(StackName=stack)
        roles = {
            resource["PhysicalResourceId"]
            for resource in resources["StackResources"]
            if resource.get("ResourceType") == "AWS::IAM::Role"
        }
        return {
            (decision["action"], decision["resource"].removeprefix(f"arn:aws:s3:::{self.bucket}"))
            for decision in self.owner.endpoint.authorizations()
            if not decision["allowed"] and decision["holder"].rpartition("/")[2] in roles
        }

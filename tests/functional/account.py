"""An account as a user of the stock ``aws`` command sees it, and the items of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynoexport import naming
from dynoexport.aws import athena, workflow_runs
from dynoexport.local import demo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynoexport.local.items import Item

ROOT = Path(__file__).parents[2]
# A run of four Spark tasks is enough here, and quicker than one of the default's 36.
WORKERS = "2"


@dataclass(frozen=True)
class Account:
    """The endpoint as a user of the stock ``aws`` command sees it."""

    endpoint: Any

    def aws(self, *words: str) -> Any:
        """What ``aws WORDS`` answers; fails the test with the command's own error."""
        done = subprocess.run(
            [Path(sys.executable).with_name("aws"), *words, "--output", "json"],
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **self.endpoint.env},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"aws {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def client(self, service: str) -> Any:
        return self.endpoint.client(service)

    @property
    def bucket(self) -> str:
        return naming.bucket(self.endpoint.account, self.endpoint.region)

    def deploy(self, stack: str, template: str, **parameters: str) -> None:
        """``aws cloudformation deploy`` as docs/command.md shows it."""
        overrides = [f"{key}={value}" for key, value in parameters.items()]
        self.aws(
            "cloudformation",
            "deploy",
            "--stack-name",
            stack,
            "--template-file",
            f"templates/{template}",
            "--capabilities",
            "CAPABILITY_IAM",
            *(["--parameter-overrides", *overrides] if overrides else []),
        )

    def deploy_table(self, table: str, fmt: str = "parquet", **parameters: str) -> None:
        self.deploy(
            naming.table_stack(table, fmt),
            "table.yaml",
            TableName=table,
            OutputFormat=fmt,
            **{"NumberOfWorkers": WORKERS, **parameters},
        )

    def publish_script(self, script: str, text: str, *, version: str) -> None:
        self.client("s3").put_object(
            Bucket=self.bucket, Key=naming.script_key(script, version), Body=text.encode()
        )

    def create_table(self, table: str, key: Sequence[str], items: Sequence[dict[str, Any]]) -> None:
        dynamodb = self.client("dynamodb")
        dynamodb.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(key, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in key],
            ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
        )
        for item in items:
            dynamodb.put_item(TableName=table, Item=item)

    def run(self, table: str, fmt: str = "parquet", **properties: str) -> workflow_runs.Run:
        """Start the workflow and wait until it ended, however it ended."""
        glue = self.client("glue")
        name = naming.workflow(table, fmt, scheduled=False)
        run_id = glue.start_workflow_run(Name=name, RunProperties=properties)["RunId"]
        *_, last = workflow_runs.watch(glue, name, run_id, seconds=0.3)
        return last

    def rows(self, sql: str) -> list[dict[str, str | None]]:
        result = athena.run(
            self.client("athena"),
            sql,
            work_group=naming.WORK_GROUP,
            database=naming.DATABASE,
            seconds=0.2,
        )
        return list(athena.records(result))

    def listed(self, operation: str, path: str) -> set[str]:
        """What all pages of a listing of Glue have at this path."""
        return set(self.client("glue").get_paginator(operation).paginate().search(path))

    def keys(self, prefix: str) -> dict[str, int]:
        """Object sizes by key."""
        pages = self.client("s3").get_paginator("list_objects_v2")
        return {
            entry["Key"]: entry["Size"]
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix)
            for entry in page.get("Contents", ())
        }

    def manifests(self, table: str, fmt: str = "parquet") -> list[dict[str, Any]]:
        """The manifests, oldest first."""
        s3 = self.client("s3")
        return [
            json.loads(s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
            for key in sorted(self.keys(naming.manifest_prefix(table, fmt)))
            if key.endswith(".json")
        ]


REVIEWS: list[Item] = list(demo.REVIEWS)


def values(item: dict[str, Any]) -> dict[str, str]:
    """An item as Athena prints it: lower-case names, every value as text."""
    return {name.lower(): next(iter(value.values())) for name, value in item.items()}


def without_timestamp(rows: list[dict[str, str | None]]) -> list[dict[str, str | None]]:
    kept = [
        {name: value for name, value in row.items() if name != naming.PARTITION_KEY} for row in rows
    ]
    return sorted(kept, key=lambda row: str(row["user"]))

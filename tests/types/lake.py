"""The job scripts in this process, on the session's endpoint: export, crawl, publish, read back."""

from __future__ import annotations

import itertools
import json
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from job_arguments import ARGUMENTS

from dynoexport import naming
from dynoexport.local.glue import crawler, processes
from dynoexport.local.services.query import Engine

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
BUCKET, DATABASE, GROUP = "types-lake", "types_lake", "types-lake"
ROLE = "arn:aws:iam::123456789012:role/types"
KEY = "id"
CONFIGURATION = {
    "Version": 1.0,
    "CrawlerOutput": {
        "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
        "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
    },
    "Grouping": {
        "TableGroupingPolicy": "CombineCompatibleSchemas",
        "TableLevelConfiguration": 3,
    },
}
QUERYABLE = ("avro", "csv", "json", "orc", "parquet")
_numbers = itertools.count()

for directory in (SCRIPTS, processes.RUNTIME):
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))


@dataclass
class Table:
    """One DynamoDB table and its export in one format."""

    lake: Lake
    name: str
    format: str
    settings: dict[str, str] = field(default_factory=dict)
    work_group: str = GROUP

    # --- DynamoDB ------------------------------------------------------------------------------
    def put(self, items: list[dict[str, Any]]) -> None:
        """Replace all items."""
        dynamodb = self.lake.dynamodb
        for item in self.scan():
            dynamodb.delete_item(TableName=self.name, Key={KEY: item[KEY]})
        for item in items:
            dynamodb.put_item(TableName=self.name, Item=item)

    def scan(self) -> list[dict[str, Any]]:
        """Every item as boto3 gives it: what the export is compared with."""
        pages = self.lake.dynamodb.get_paginator("scan").paginate(TableName=self.name)
        return [item for page in pages for item in page["Items"]]

    # --- a run ---------------------------------------------------------------------------------
    def run(self, **settings: str) -> dict[str, Any]:
        """Export, crawl and publish; the manifest."""
        run_id = self.lake.start_run()
        manifest = self.export(run_id, **settings)
        self.show(run_id, manifest)
        return manifest

    def show(self, run_id: str, manifest: dict[str, Any]) -> None:
        """Crawl and publish the snapshot of a run."""
        if manifest["items"] or manifest["schema"]:
            self.crawl()
        if self.format != "xml":
            self.publish(run_id)

    def crawl(self) -> None:
        crawler.crawl(self._crawler(), glue=self.lake.glue, s3=self.lake.s3)

    def export_words(self, run_id: str, **given: str) -> list[str]:
        """The arguments of the export job."""
        arguments = {
            **ARGUMENTS,
            **self._arguments(run_id),
            "ScriptsVersion": "v1",
            "MaxConsumedReadThroughput": "1.0",
            "Splits": "1",
            "WorkerType": "G.1X",
            "NumberOfWorkers": "2",
            "ReadMode": "native",
            "JOB_NAME": "none",
            "JOB_RUN_ID": "jr_none",
            **self.settings,
            **given,
        }
        return words(arguments)

    def export(self, run_id: str, **given: str) -> dict[str, Any]:
        import export_table
        from awsglue.context import GlueContext

        clients = export_table.Clients(
            self.lake.dynamodb, self.lake.glue, self.lake.s3, self.lake.cloudwatch
        )
        spark = self.lake.spark
        export_table.export(
            self.export_words(run_id, **given),
            clients,
            lambda: GlueContext(spark.sparkContext),
            self.lake.now,
        )
        return self.manifest_of_run(run_id)

    def manifest_of_run(self, run_id: str) -> dict[str, Any]:
        return self.manifest(self.lake.properties(run_id)["SnapshotTimestamp"])

    def publish(self, run_id: str, athena: Any = None) -> None:
        """Run the view job; ``athena`` replaces the endpoint's Athena."""
        import create_current_view

        clients = create_current_view.PublishClients(
            athena or self.lake.athena, self.lake.glue, self.lake.s3, self.lake.cloudwatch
        )
        create_current_view.run(
            self.view_words(run_id), clients, self.lake.now, lambda _: time.sleep(0.02)
        )

    def view_words(self, run_id: str) -> list[str]:
        """The arguments of the view job."""
        arguments = {
            **self._arguments(run_id),
            "WorkGroup": self.work_group,
            "SnapshotRetentionDays": "0",
        }
        return words(arguments)

    def _arguments(self, run_id: str) -> dict[str, str]:
        return {
            "TableName": self.name,
            "OutputFormat": self.format,
            "BucketName": BUCKET,
            "DatabaseName": DATABASE,
            "CatalogPrefix": f"{self.format}_",
            "WORKFLOW_NAME": self.lake.workflow,
            "WORKFLOW_RUN_ID": run_id,
        }

    def _crawler(self) -> str:
        name = f"{self.name}{self.format}Crawler"
        glue = self.lake.glue
        if name not in self.lake.crawlers:
            classifiers = []
            if self.format == "csv":
                classifiers = [f"{name}-csv"]
                glue.create_classifier(
                    CsvClassifier={
                        "Name": classifiers[0],
                        "Delimiter": ",",
                        "QuoteSymbol": '"',
                        "ContainsHeader": "PRESENT",
                    }
                )
            path = f"s3://{BUCKET}/{naming.data_prefix(self.name, self.format)}"
            glue.create_crawler(
                Name=name,
                Role=ROLE,
                DatabaseName=DATABASE,
                TablePrefix=f"{self.format}_snapshots_",
                Targets={"S3Targets": [{"Path": path}]},
                Classifiers=classifiers,
                Configuration=json.dumps(CONFIGURATION),
                SchemaChangePolicy={
                    "UpdateBehavior": "UPDATE_IN_DATABASE",
                    "DeleteBehavior": "DELETE_FROM_DATABASE",
                },
            )
            self.lake.crawlers.add(name)
        return name

    # --- what is there -------------------------------------------------------------------------
    def manifest(self, timestamp: str) -> dict[str, Any]:
        key = naming.manifest_key(self.name, self.format, timestamp)
        body = self.lake.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        found: dict[str, Any] = json.loads(body)
        return found

    def contents(self, manifest: dict[str, Any]) -> list[bytes]:
        """Every part file."""
        keys = [file["key"] for file in manifest["files"]]
        return [self.lake.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]

    def view(self) -> list[dict[str, Any]]:
        """The rows of the view, without the partition's column."""
        return self._rows(f'SELECT * FROM "{naming.view(self.name, f"{self.format}_")}"')

    def rows(self, manifest: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of the view, or of the files of xml, which Athena cannot read."""
        if self.format != "xml":
            return self.view()
        names = [column["name"] for column in manifest["schema"]]
        rows = []
        for content in self.contents(manifest):
            for item in ET.fromstring(content):
                held = {element.tag: element.text or "" for element in item}
                rows.append({name: held.get(name) for name in names})
        return rows

    def snapshot(self, timestamp: str) -> list[dict[str, Any]]:
        """The rows of a snapshot, through the table of all."""
        table = naming.snapshots_table(self.name, f"{self.format}_")
        where = f"WHERE snapshot_timestamp = '{timestamp}'"
        return self._rows(f'SELECT * FROM "{table}" {where}')

    def catalog(self) -> list[dict[str, Any]]:
        """The columns of the table of all snapshots."""
        name = naming.snapshots_table(self.name, f"{self.format}_")
        found = self.lake.glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]
        columns: list[dict[str, Any]] = found["StorageDescriptor"]["Columns"]
        return columns

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        found = Engine(self.lake.glue, self.lake.s3, DATABASE).run(sql)
        assert found is not None
        rows: list[dict[str, Any]] = found.drop_columns(["snapshot_timestamp"]).to_pylist()
        return [{name: sorted_maps(value) for name, value in row.items()} for row in rows]


def sorted_maps(value: Any) -> Any:
    """The value with maps, which Arrow gives as pairs, in order."""
    if isinstance(value, dict):
        return {name: sorted_maps(inner) for name, inner in value.items()}
    if isinstance(value, list):
        pairs = value and all(isinstance(element, tuple) for element in value)
        return sorted(value) if pairs else [sorted_maps(element) for element in value]
    return value


def words(arguments: dict[str, str]) -> list[str]:
    return [word for name, value in arguments.items() for word in (f"--{name}", value)]


class Lake:
    """A bucket, a database and a workgroup on the endpoint, and Spark."""

    def __init__(self, endpoint: Endpoint, spark: Any) -> None:
        self.spark = spark
        self.dynamodb = endpoint.client("dynamodb")
        self.glue = endpoint.client("glue")
        self.s3 = endpoint.client("s3")
        self.athena = endpoint.client("athena")
        self.cloudwatch = endpoint.client("cloudwatch")
        self.crawlers: set[str] = set()
        self.workflow = f"types-{next(_numbers)}"
        self.glue.create_workflow(Name=self.workflow)
        self._clock = datetime(2026, 1, 1, tzinfo=timezone.utc)

    @property
    def bucket(self) -> str:
        return BUCKET

    def keys(self, prefix: str) -> dict[str, int]:
        """Bytes by key."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", ())}

    def content(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def now(self) -> datetime:
        """A clock that advances a minute with every call, so that no snapshot waits."""
        self._clock += timedelta(minutes=1)
        return self._clock

    def start_run(self) -> str:
        return str(self.glue.start_workflow_run(Name=self.workflow)["RunId"])

    def properties(self, run_id: str) -> dict[str, str]:
        answer = self.glue.get_workflow_run_properties(Name=self.workflow, RunId=run_id)
        return dict(answer["RunProperties"])

    def table(self, fmt: str, items: list[dict[str, Any]], **settings: str) -> Table:
        """A new DynamoDB table with the items. Each item has an ``id``."""
        # DynamoDB asks for three letters at least.
        name = f"Table{next(_numbers)}"
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        table = Table(self, name, fmt, settings)
        table.put(items)
        return table

    def same_table(self, table: Table, fmt: str, **settings: str) -> Table:
        """Another export of a table."""
        return Table(self, table.name, fmt, settings)

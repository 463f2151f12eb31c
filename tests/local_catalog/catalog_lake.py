"""A bucket, a database, a workgroup and a role on the endpoint, with a call for each use."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import fastavro
import pyarrow as pa
import pyarrow.parquet

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

BUCKET, DATABASE, GROUP = "lake-tests", "lake_tests", "lake-tests"
# As templates/table.yaml configures the crawler.
CONFIGURATION = (
    '{"Version":1.0,"CrawlerOutput":{"Partitions":{"AddOrUpdateBehavior":"InheritFromTable"},'
    '"Tables":{"AddOrUpdateBehavior":"MergeNewColumns"}},"Grouping":{"TableGroupingPolicy":'
    '"CombineCompatibleSchemas","TableLevelConfiguration":3}}'
)
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
SECONDS = 30


def parquet(*rows: dict[str, Any], schema: pa.Schema | None = None) -> bytes:
    out = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist(list(rows), schema=schema), out)
    return out.getvalue()


def avro(fields: dict[str, Any], *rows: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    schema = {
        "type": "record",
        "name": "item",
        "fields": [{"name": name, "type": kind} for name, kind in fields.items()],
    }
    fastavro.writer(out, schema, rows)
    return out.getvalue()


class Lake:
    """Clients of the endpoint with everything in place for crawls and queries."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.s3 = endpoint.client("s3")
        self.glue = endpoint.client("glue")
        self.athena = endpoint.client("athena")
        self.s3.create_bucket(Bucket=BUCKET)
        self.glue.create_database(DatabaseInput={"Name": DATABASE})
        results = {"OutputLocation": f"s3://{BUCKET}/results/"}
        self.athena.create_work_group(Name=GROUP, Configuration={"ResultConfiguration": results})
        name, version = "lake-crawler", {"Version": "2012-10-17"}
        service = {"Service": "glue.amazonaws.com"}
        trust = {"Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole"}
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        iam = endpoint.client("iam")
        role = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({**version, "Statement": [trust]})
        )
        iam.put_role_policy(
            RoleName=name,
            PolicyName="everything",
            PolicyDocument=json.dumps({**version, "Statement": [everything]}),
        )
        self.role = role["Role"]["Arn"]

    # --- S3 --------------------------------------------------------------------------------
    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def snapshot(self, folder: str, stamp: str, content: bytes, *, name: str = "part-0") -> str:
        """Put a part file of a snapshot; returns its key."""
        key = f"{folder}/snapshot_timestamp={stamp}/{name}"
        self.put(key, content)
        return key

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=BUCKET, Key=key)

    # --- crawls --------------------------------------------------------------------------------
    def crawl(self, folder: str, **options: Any) -> dict[str, Any]:
        """Crawl ``<format>/<table>`` to the end; returns the LastCrawl."""
        name = options.pop("name", folder.replace("/", "-"))
        known = self.glue.get_paginator("get_crawlers").paginate().search("Crawlers[].Name")
        if name not in set(known):
            definition = {
                "Role": self.role,
                "DatabaseName": DATABASE,
                "TablePrefix": "snapshots_",
                "Targets": {"S3Targets": [{"Path": f"s3://{BUCKET}/{folder}/"}]},
                "Configuration": CONFIGURATION,
                "SchemaChangePolicy": {
                    "UpdateBehavior": "UPDATE_IN_DATABASE",
                    "DeleteBehavior": "DELETE_FROM_DATABASE",
                },
            }
            self.glue.create_crawler(Name=name, **{**definition, **options})
        self.glue.start_crawler(Name=name)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            crawler = self.glue.get_crawler(Name=name)["Crawler"]
            if crawler["State"] == "READY":
                return dict(crawler["LastCrawl"])
            time.sleep(0.05)
        raise AssertionError(f"crawler {name} still runs")

    def table(self, name: str) -> dict[str, Any]:
        return dict(self.glue.get_table(DatabaseName=DATABASE, Name=name)["Table"])

    def tables(self) -> set[str]:
        found = self.glue.get_tables(DatabaseName=DATABASE)["TableList"]
        return {table["Name"] for table in found}

    def columns(self, name: str) -> dict[str, str]:
        found = self.table(name)["StorageDescriptor"]["Columns"]
        return {column["Name"]: column["Type"] for column in found}

    def partitions(self, name: str) -> list[str]:
        found = self.glue.get_partitions(DatabaseName=DATABASE, TableName=name)["Partitions"]
        return sorted(partition["Values"][0] for partition in found)

    # --- catalog --------------------------------------------------------------------------------
    def declare(
        self, name: str, columns: dict[str, str], *, serde: str = PARQUET_SERDE, **parameters: str
    ) -> None:
        """Create the table, or replace it; its data lies under ``tables/<name>/``."""
        stated = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": parameters,
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [{"Name": key, "Type": kind} for key, kind in columns.items()],
                "Location": f"s3://{BUCKET}/tables/{name}/",
                "InputFormat": "",
                "OutputFormat": "",
                "SerdeInfo": {"SerializationLibrary": serde},
            },
        }
        write = self.glue.update_table if name in self.tables() else self.glue.create_table
        write(DatabaseName=DATABASE, TableInput=stated)

    # --- queries --------------------------------------------------------------------------------
    def start(self, sql: str) -> str:
        started = self.athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": DATABASE},
            WorkGroup=GROUP,
        )
        return str(started["QueryExecutionId"])

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait for the execution to end, in any state."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = self.athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]
            if found["Status"]["State"] not in {"QUEUED", "RUNNING"}:
                return dict(found)
            time.sleep(0.05)
        raise AssertionError(f"the query still runs: {found['Query']}")

    def run(self, sql: str) -> str:
        """Run to success; returns the execution's id."""
        execution = self.start(sql)
        status = self.ended(execution)["Status"]
        assert status["State"] == "SUCCEEDED", status
        return execution

    def rows(self, sql: str) -> list[list[str | None]]:
        """The first page of the result, the header row first."""
        answer = self.athena.get_query_results(QueryExecutionId=self.run(sql))
        return [
            [datum.get("VarCharValue") for datum in row["Data"]]
            for row in answer["ResultSet"]["Rows"]
        ]

    def reason(self, sql: str) -> str:
        """Why the query failed."""
        status = self.ended(self.start(sql))["Status"]
        assert status["State"] == "FAILED", status
        return str(status["StateChangeReason"])

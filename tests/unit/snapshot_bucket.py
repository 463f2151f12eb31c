"""A bucket and a database, filled as the jobs and the crawler fill them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from dynoexport import naming
from dynoexport.aws.exports import DeployedExport
from dynoexport.jobs.s3 import list_objects
from dynoexport.jobs.snapshots import list_marks
from dynoexport.jobs.view import view_sql
from dynoexport.model import OutputFormat
from dynoexport.storage import snapshot_store
from dynoexport.storage.snapshot_store import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynoexport import Account

EXPORT = DeployedExport("Reviews", OutputFormat.CSV, "", "a-stack", "a-workflow")
OLDEST, OLDER, NEWER, NEWEST = (f"2026-01-{day:02}T10:00" for day in (1, 8, 15, 22))


def stored_view(sql: str) -> dict[str, str]:
    """A view's entry in the catalog, as Athena writes it."""
    kept = base64.b64encode(json.dumps({"originalSql": sql}).encode()).decode()
    return {"TableType": "VIRTUAL_VIEW", "ViewOriginalText": f"/* Presto View: {kept} */"}


@dataclass(frozen=True)
class Store:
    """The bucket and the database of an account, filled as the jobs and the crawler fill them."""

    account: Account

    def put(self, *keys: str, body: bytes = b"seven b") -> None:
        """Put objects straight into moto: a thousand calls would take ten seconds."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for key in keys:
            backend.put_object(self.account.bucket, key, body)

    def foreign(self, *timestamps: str, files: int = 1) -> None:
        """Put folders that dynoexport did not write."""
        for timestamp in timestamps:
            prefix = naming.snapshot_prefix("Reviews", "csv", timestamp)
            self.put(*(f"{prefix}part-{number:04}" for number in range(files)))

    def half(self, *timestamps: str, files: int = 1) -> None:
        """Put snapshots of runs that did not finish."""
        for timestamp in timestamps:
            self.put(naming.claim_key("Reviews", "csv", timestamp))
            self.foreign(timestamp, files=files)

    def whole(self, *timestamps: str, items: int = 3, files: int = 1) -> None:
        for timestamp in timestamps:
            self.half(timestamp, files=files)
            prefix = naming.snapshot_prefix("Reviews", "csv", timestamp)
            manifest = {
                "table": "Reviews",
                "format": "csv",
                "snapshot_timestamp": timestamp,
                "items": items,
                "bytes": 7 * files,
                "files": [{"key": f"{prefix}part-{n:04}", "bytes": 7} for n in range(files)],
                "workflow_run_id": f"run of {timestamp}",
            }
            key = naming.manifest_key("Reviews", "csv", timestamp)
            self.put(key, body=json.dumps(manifest).encode())

    def crawl(self, *timestamps: str) -> None:
        """Create the catalog table with a partition for each snapshot."""
        glue = self.account.glue
        name = {"DatabaseName": naming.DATABASE, "TableName": EXPORT.snapshots_table}
        location = f"s3://{self.account.bucket}/{naming.data_prefix('Reviews', 'csv')}"
        glue.create_table(
            DatabaseName=naming.DATABASE,
            TableInput={
                "Name": EXPORT.snapshots_table,
                "StorageDescriptor": {"Location": location},
            },
        )
        inputs: list[Any] = [
            {
                "Values": [timestamp],
                "StorageDescriptor": {"Location": f"{location}snapshot_timestamp={timestamp}/"},
            }
            for timestamp in timestamps
        ]
        glue.batch_create_partition(**name, PartitionInputList=inputs)

    def show(self, timestamp: str) -> None:
        """Create the view of the snapshot."""
        sql = view_sql(
            naming.DATABASE, EXPORT.view, EXPORT.snapshots_table, {"user": "user"}, timestamp
        )
        table: Any = {"Name": EXPORT.view, **stored_view(sql)}
        self.account.glue.create_table(DatabaseName=naming.DATABASE, TableInput=table)

    def keys(self, prefix: str = "") -> set[str]:
        return set(list_objects(self.account.s3, self.account.bucket, prefix))

    def partitions(self) -> set[str]:
        found = self.account.glue.get_partitions(
            DatabaseName=naming.DATABASE, TableName=EXPORT.snapshots_table
        )["Partitions"]
        return {partition["Values"][0] for partition in found}

    def sizes(self, operation: str, listed: Callable[[Any], Sequence[Any]]) -> list[int]:
        """Record the length of the list in each call."""
        found: list[int] = []
        client = getattr(self.account, operation.partition(".")[0])
        client.meta.events.register(
            f"provide-client-params.{operation}",
            lambda params, **_: found.append(len(listed(params))),
        )
        return found

    def list_all(self, **more: Any) -> list[Snapshot]:
        return snapshot_store.list_all(self.account, EXPORT, **more)

    def delete(self, *timestamps: str, **more: Any) -> int:
        marks = list_marks(self.account.s3, self.account.bucket, EXPORT.table, EXPORT.format.value)
        goes = [
            Snapshot(timestamp, complete=True, claimed=timestamp in marks.claimed)
            for timestamp in timestamps
        ]
        return snapshot_store.delete(self.account, EXPORT, goes, **more)

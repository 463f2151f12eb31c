"""Every reader by every format, with the Python, libraries and Spark of each Glue version."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import comparer
import expected
import judges
import pytest
from glue_versions import VERSIONS, Jobs, interpreter, packaged_interpreter
from hard_items import hard_items
from lake import QUERYABLE, Lake

if TYPE_CHECKING:
    from pathlib import Path

    from lake import Table

    from dynoexport.local.context import Endpoint

JUDGE = "libraries of Glue {version}"
READERS = ("native", "export", "connector")
FORMATS = (*QUERYABLE, "xml")
# The default, and the one whose libraries differ most from it; the others in test-engines-all.
USUAL = ("4.0", "5.1")


@dataclass
class Export:
    """A job that has run: the table, the run, and why it has failed, if it has."""

    table: Table
    run_id: str
    outcome: str | None


@pytest.fixture(scope="module")
def jobs(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    return Jobs(endpoint, tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def exports(endpoint: Endpoint, prepared: int, jobs: Jobs) -> dict[str, dict[str, Export]]:
    """By version what has run; a version runs when its first test asks for it."""
    return {}


def exported(
    exports: dict[str, dict[str, Export]], endpoint: Endpoint, jobs: Jobs, version: str
) -> dict[str, Export]:
    """All exports of a version, by reader and format."""
    if version not in exports:
        lake = Lake(endpoint, None)
        tables = {reader: lake.table("", hard_items(), ReadMode=reader) for reader in READERS}
        lake.dynamodb.update_continuous_backups(
            TableName=tables["export"].name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        runs = {
            f"{reader} {fmt}": lake.same_table(tables[reader], fmt, ReadMode=reader)
            for reader in READERS
            for fmt in FORMATS
        }
        started = {name: lake.start_run() for name in runs}
        orders = [
            table.export_words(started[name], GlueVersion=version) for name, table in runs.items()
        ]
        with judges.required(f"Glue {version}"):
            outcomes = jobs.export(VERSIONS[version], orders)
        exports[version] = {
            name: Export(table, started[name], outcome)
            for (name, table), outcome in zip(runs.items(), outcomes, strict=True)
        }
    return exports[version]


def case(version: str, reader: str, fmt: str) -> Any:
    """The parameters of a test with its marks."""
    marks = [] if version in USUAL else [pytest.mark.deep]
    return pytest.param(version, reader, fmt, marks=marks)


@pytest.mark.parametrize(
    ("version", "reader", "fmt"),
    [case(*parameters) for parameters in itertools.product(VERSIONS, READERS, FORMATS)],
)
def test_every_reader_writes_every_format(  # noqa: PLR0917 - fixtures
    exports: dict[str, Any], endpoint: Endpoint, jobs: Jobs, version: str, reader: str, fmt: str
) -> None:
    """The schema and the rows that docs/types.md promises, whatever the version."""
    export = exported(exports, endpoint, jobs, version)[f"{reader} {fmt}"]
    assert export.outcome is None, export.outcome
    table = export.table
    manifest = table.manifest_of_run(export.run_id)
    table.show(export.run_id, manifest)
    items = table.scan()
    if reader == "connector":
        items = [expected.through_connector(item) for item in items]
    reported = "text" if fmt == "xml" else fmt
    assert comparer.recorded_schema(manifest) == comparer.promised_schema(items, reported)
    assert comparer.differences(items, table.rows(manifest), reported) == []


@pytest.mark.parametrize(
    ("version", "find_python"),
    [
        ("5.1", interpreter),
        # Of these the machine may have its own, and the others would never be tried.
        pytest.param("3.0", packaged_interpreter, marks=pytest.mark.deep),
        pytest.param("4.0", packaged_interpreter, marks=pytest.mark.deep),
    ],
)
def test_the_view_job_runs_on_the_python_shell(
    endpoint: Endpoint, prepared: int, tmp_path: Path, version: str, find_python: Any
) -> None:
    """After an export: Python 3.9 with boto3 1.21, which knows no AWS_ENDPOINT_URL."""
    jobs = Jobs(endpoint, tmp_path, find_python)
    lake = Lake(endpoint, None)
    table = lake.table("parquet", hard_items())
    run_id = lake.start_run()
    with judges.required(f"Glue {version}"):
        (outcome,) = jobs.export(
            VERSIONS[version], [table.export_words(run_id, GlueVersion=version)]
        )
    assert outcome is None
    table.crawl()
    with judges.required("the Python shell"):
        jobs.view(table.view_words(run_id))
    # As the table returns them: 1E+125 with all its zeros.
    assert comparer.differences(table.scan(), table.view(), "parquet") == []

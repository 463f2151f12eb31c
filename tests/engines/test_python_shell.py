"""The export job without Spark, on Python 3.9 with the analytics libraries of a Python shell job.

boto3 1.21.21 and numpy 1.22.3 are those of
https://docs.aws.amazon.com/glue/latest/dg/add-job-python.html; pyarrow 7.0.0 is the newest that
awswrangler 2.15.1, which is on the same list, takes:
https://github.com/aws/aws-sdk-pandas/blob/2.15.1/pyproject.toml
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import comparer
import judges
import pytest
from glue_versions import Jobs, interpreter
from hard_items import hard_items
from lake import QUERYABLE, Lake

if TYPE_CHECKING:
    from pathlib import Path

    from dynoexport.local.context import Endpoint

JUDGE = "libraries of the Python shell"


@pytest.mark.parametrize("reader", ["native", "export"])
@pytest.mark.parametrize("fmt", [*QUERYABLE, "xml"])
def test_a_job_without_spark_writes_every_format(
    endpoint: Endpoint, prepared: int, tmp_path: Path, reader: str, fmt: str
) -> None:
    """The schema and the rows that docs/types.md promises, read by several processes."""
    lake = Lake(endpoint, None)
    table = lake.table(fmt, hard_items(), ReadMode=reader)
    lake.dynamodb.update_continuous_backups(
        TableName=table.name,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    run_id = lake.start_run()
    words = table.export_words(run_id, Engine="python", Splits="3")
    with judges.required(JUDGE):
        Jobs(endpoint, tmp_path, interpreter).export_without_spark(words)
    manifest = table.manifest_of_run(run_id)
    table.show(run_id, manifest)
    items = table.scan()
    reported = "text" if fmt == "xml" else fmt
    assert comparer.recorded_schema(manifest) == comparer.promised_schema(items, reported)
    assert comparer.differences(items, table.rows(manifest), reported) == []

"""Where the job scripts lie, and the names of the export that the tests run."""

from __future__ import annotations

from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"

BUCKET = "dynamodb-exports-123456789012-eu-west-1"
DATABASE = "dynamodb_exports"
WORKFLOW = "dynoexport-Reviews-parquet"

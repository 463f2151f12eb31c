"""Outcomes of tests, which tests/faults/outcome_report.py sums up for docs/reliability.md."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

DIRECTORY = os.environ.get("DYNOEXPORT_OUTCOMES")


def record(outcome: dict[str, Any]) -> None:
    """Write the outcome where ``make test-deep`` wants it, if it is what runs the tests."""
    if DIRECTORY is not None:
        with (Path(DIRECTORY) / f"{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps(outcome) + "\n")

"""Statements with Trino's own answers, in local_catalog/trino_statements.jsonl.

tests/engines/record_trino_statements.py records the answers.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "local_catalog" / "trino_statements.jsonl"


@dataclass(frozen=True)
class Answer:
    """Columns with their types, and rows; or the name of an error."""

    sql: str
    error: str | None = None
    columns: list[list[str]] | None = None
    rows: list[list[Any]] | None = None

    def line(self) -> str:
        """The answer as a line of the file."""
        found = {key: value for key, value in vars(self).items() if value is not None}
        return json.dumps(found, ensure_ascii=False)


def recorded() -> list[Answer]:
    return [Answer(**json.loads(line)) for line in FILE.read_text().splitlines()]


def type_name(name: str) -> str:
    """Trino's name of a type, without the lengths of texts and the digits of times."""
    # Athena's results have neither json nor unknown.
    name = re.sub(r"\b(json|unknown)\b", "varchar", name)
    return re.sub(r"(varchar|timestamp)\(\d+\)", r"\1", name).replace('"', "").replace(", ", ",")


def plain(value: Any) -> Any:  # noqa: PLR0911 - a type each
    """A value of Trino's client, or of Arrow, as JSON has it."""
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return str(value)
        # The last digits of functions such as ln depend on the machine.
        return float(f"{value:.14g}")
    if isinstance(value, Decimal):
        return f"decimal {value:f}"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return f"{value.astimezone(timezone.utc).isoformat()} {value.tzinfo}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return sorted([plain(key), plain(inner)] for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    return value if isinstance(value, (str, int, type(None))) else str(value)

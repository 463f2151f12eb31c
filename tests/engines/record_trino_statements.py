"""Record what Trino 476 answers to the statements of tests/local_catalog/trino_statements.jsonl.

    .venv/bin/python tests/engines/record_trino_statements.py

Add a statement as a line ``{"sql": "SELECT ..."}`` first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "types")]

import started_endpoint  # noqa: E402
import trino_statements  # noqa: E402
from trino.exceptions import TrinoQueryError  # noqa: E402
from trino_server import Trino  # noqa: E402
from trino_statements import Answer, plain, type_name  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable


def ask(trino: Trino, sql: str) -> Answer:
    """What Trino answers to the statement."""
    try:
        result = trino.query(sql)
    except TrinoQueryError as error:
        return Answer(sql, error=error.error_name)
    columns = [
        [name, type_name(kind)] for name, kind in zip(result.columns, result.types, strict=True)
    ]
    rows = [[plain(value) for value in row.values()] for row in result.rows]
    return Answer(sql, columns=columns, rows=rows)


def record(answers: Iterable[Answer], trino: Trino) -> None:
    lines = [ask(trino, answer.sql).line() for answer in answers]
    trino_statements.FILE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    with started_endpoint.start() as endpoint, tempfile.TemporaryDirectory() as directory:
        server = Trino(endpoint, Path(directory))
        server.start()
        try:
            record(trino_statements.recorded(), server)
        finally:
            server.close()

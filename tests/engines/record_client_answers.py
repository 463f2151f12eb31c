"""Write tests/clients/answers.json and the table of docs/local.md anew; read the difference."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "functional")]

import clients_table  # noqa: E402
import python_clients  # noqa: E402


def main() -> None:
    """Run every client once."""
    found = {}
    with python_clients.exported() as endpoint:
        for name, run in python_clients.RUNS.items():
            with tempfile.TemporaryDirectory() as scratch:
                found[name] = run(endpoint, Path(scratch))
    text = json.dumps(found, indent=1, ensure_ascii=False)
    clients_table.RECORD.write_text(text + "\n", encoding="utf-8")
    page = clients_table.with_section(clients_table.PAGE.read_text(encoding="utf-8"))
    clients_table.PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

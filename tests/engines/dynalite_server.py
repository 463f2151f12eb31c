"""A dynalite of one's own."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import artifacts
import judges
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

JUDGE = "dynalite"


@contextmanager
def serve() -> Iterator[str]:
    """Its URL; tables are there as soon as they are created."""
    with judges.required(JUDGE):
        node = shutil.which("node")
        if node is None:
            raise judges.UnavailableError("node is not installed")
        modules = artifacts.node_modules(Path(__file__).with_name("dynalite"))
    port = str(free_port())
    command = [node, str(modules / "dynalite" / "cli.js"), "--host", "127.0.0.1", "--port", port]
    command += ["--createTableMs", "0", "--deleteTableMs", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert port in process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()

"""The endpoint in a process of its own, as a user starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dynoexport.local import context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

DYNOEXPORT = str(Path(sys.executable).with_name("dynoexport"))


@contextmanager
def start(*options: str) -> Iterator[Endpoint]:
    """Serve it on a free port until the block ends."""
    command = [DYNOEXPORT, "local", "start", "--port", "0", *options]
    environment = {**os.environ, "SECRET_OF_THE_USER": "x"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            match = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert match is not None, line
            yield context.connect(match[0])
        finally:
            process.terminate()

"""The endpoint, one for a whole test session."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Endpoint]:
    """An AWS endpoint on a free port, in a process of its own as a user starts it."""
    from dynoexport.local.context import Endpoint

    command = [str(Path(sys.executable).with_name("dynoexport")), "local", "start", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "SECRET_OF_THE_USER": "x"}
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert match is not None, line
        yield Endpoint(match[0])
        process.terminate()

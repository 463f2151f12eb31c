"""A client of AWS as a program, which knows the endpoint by its environment alone."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynoexport.local.context import Endpoint

SECONDS_MAX = 600


def run(
    command: Sequence[str | Path],
    endpoint: Endpoint,
    directory: Path,
    *,
    home: Path,
    variables: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **endpoint.env, **(variables or {})},
        cwd=directory,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS_MAX,
        check=False,
    )

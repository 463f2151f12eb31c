"""Commands of a client that is a program."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(module: str, *words: str) -> str:
    """What the command of a package prints.

    Raises:
        RuntimeError: it failed, with its last words.
    """
    return execute([sys.executable, "-m", module, *words])


def execute(command: Sequence[str], stdin: str | None = None) -> str:
    """What the command prints; ``stdin`` is its standard input.

    Raises:
        RuntimeError: it failed, with its last words.
    """
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise RuntimeError((done.stderr + done.stdout).strip()[-500:])
    return done.stdout

"""Commands of a client that is a program."""

from __future__ import annotations

import subprocess
import sys


def run(module: str, *words: str) -> str:
    """What the command prints.

    Raises:
        RuntimeError: it failed, with its last words.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise RuntimeError((done.stderr + done.stdout).strip()[-500:])
    return done.stdout

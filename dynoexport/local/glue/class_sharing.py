"""Where the archives of Spark's classes are kept, and when one is made.

``dynoexport/local/runtime/class_archive.py`` has the rest.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dynoexport.local.runtime import class_archive

if TYPE_CHECKING:
    from collections.abc import Mapping


_WRITER = "org/apache/spark/sql/execution/datasources/FileFormatWriter$OutputSpec"


def environment() -> dict[str, str]:
    """The variable that lets a job's Java use an archive, if the archives have a safe place."""
    try:
        directory = _directory()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.lstat()
    except (OSError, RuntimeError):
        return {}
    safe = status.st_uid == os.geteuid() and not status.st_mode & 0o022
    return {class_archive.CACHE: str(directory)} if safe and stat.S_ISDIR(status.st_mode) else {}


def _directory() -> Path:
    # https://specifications.freedesktop.org/basedir-spec/latest/
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base / "dynoexport"


def make(directory: Path, environment: Mapping[str, str]) -> None:
    """Make an archive of the classes that a Java has listed in its directory, in the background.

    It takes longer than a short job, so it goes on when the endpoint ends. A job that wrote nothing
    by Spark SQL has loaded a third of the classes, and its archive would serve no other job.
    """
    classes, cache = directory / class_archive.LIST, environment.get(class_archive.CACHE)
    if cache is None or not classes.is_file() or _WRITER not in classes.read_text():
        return
    # Without it, later jobs run as this one did.
    with suppress(OSError), classes.open() as listed:
        maker = subprocess.Popen(
            [sys.executable, class_archive.__file__],
            env={**environment, "HOME": cache, "TMPDIR": cache},
            cwd=cache,
            stdin=listed,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Java's next job lists no more.
        classes.unlink()
        # Else it would stay as a zombie until the endpoint ends.
        threading.Thread(target=maker.wait, daemon=True).start()

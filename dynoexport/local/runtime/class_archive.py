"""The archive of Spark's classes, which a job's Java maps instead of loading each class again.

Java lists the classes that the first job loads. After that job, ``class_archive.py`` makes the
archive of the list, which comes on standard input. It is code that jobs run: only a directory of
this user holds it.

https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# The directory of archives; without it, a job's Java neither uses nor lists anything.
CACHE = "DYNOEXPORT_CACHE"
# In the directory of a job.
LIST = "classes"
_SUFFIX = ".jsa"
# Each has 130 MB.
_KEPT = 8
_USE = (
    # An archive that is damaged or of another Java is not used. Nothing about it reaches the
    # job's log: Java 25 logs errors.
    "-XX:+VerifySharedSpaces",
    "-Xlog:disable",
)


def options(directory: Path, key: str) -> list[str]:
    """Java's options for a job in the directory: use the archive, or list the classes for one."""
    if CACHE not in os.environ:
        return []
    archive = _find(Path(os.environ[CACHE]), key)
    if archive is None:
        return [f"-XX:DumpLoadedClassList={directory / LIST}"]
    with suppress(OSError):
        os.utime(archive)
    return [f"-XX:SharedArchiveFile={archive}", *_USE] if archive.stat().st_size else []


def key(java_home: Path, jars: Sequence[Path], command: Sequence[str]) -> str:
    """A name for all that an archive depends on; Java itself checks its version and the jars."""
    parts = [str(java_home.resolve()), *command]
    release = java_home / "release"
    files = [release, *(jar for directory in jars for jar in sorted(directory.glob("*.jar")))]
    for file in files:
        with suppress(FileNotFoundError):
            status = file.stat()
            parts.append(f"{file} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def _find(cache: Path, key: str) -> Path | None:
    """The whole archive. An empty one says that this Java can make none.

    Its name has its size, because Java 17 crashes with a file that was cut.
    """
    for file in cache.glob(f"{key}-*{_SUFFIX}"):
        with suppress(OSError):
            status = file.lstat()
            private = status.st_uid == os.geteuid() and not status.st_mode & 0o022
            if private and file.name == _name(key, status.st_size):
                return file
    return None


def _name(key: str, size: int) -> str:
    return f"{key}-{size}{_SUFFIX}"


def _make(cache: Path, key: str, java: Sequence[str], classes: Sequence[str]) -> None:
    """Make the archive, unless another process makes one or has made it."""
    directory = os.open(cache, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    if _find(cache, key) is not None:
        return
    for left in cache.glob("new-*"):
        _remove(left)
    with tempfile.NamedTemporaryFile("w", prefix="new-", dir=cache) as listed:
        listed.writelines(classes)
        listed.flush()
        _put(cache, key, [*java, f"-XX:SharedClassListFile={listed.name}"])
    _forget(cache, key)


def _put(cache: Path, key: str, java: Sequence[str]) -> None:
    descriptor, name = tempfile.mkstemp(prefix="new-", dir=cache)
    new = Path(name)
    command = [*java, "-Xshare:dump", "-Xlog:disable", f"-XX:SharedArchiveFile={new}"]
    quiet = subprocess.DEVNULL
    done = subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, check=False)
    os.close(descriptor)
    if done.returncode < 0:
        # Killed, which says nothing about this Java.
        _remove(new)
        return
    if done.returncode or not new.exists():
        _remove(new)
        new.touch()
    new.chmod(0o600)
    # A name must not outlive a crash of the machine without its content.
    descriptor = os.open(new, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    new.replace(cache / _name(key, new.stat().st_size))


def _remove(file: Path) -> None:
    with suppress(FileNotFoundError):
        file.unlink()


def _forget(cache: Path, key: str) -> None:
    """Remove what replaced archives left, and the archives that were not used for the longest."""
    whole = _find(cache, key)
    for old in cache.glob(f"{key}-*{_SUFFIX}"):
        if old != whole:
            _remove(old)
    archives = sorted(cache.glob(f"*{_SUFFIX}"), key=lambda file: file.stat().st_mtime)
    for unused in archives[:-_KEPT]:
        _remove(unused)


def main() -> None:
    import spark_jvm

    # Ctrl-C ends the endpoint, not this; and it leaves more time to others than it takes.
    os.setpgid(0, 0)
    os.nice(5)
    # A Java that was killed has not written the whole last line.
    classes = [line for line in sys.stdin if line.endswith("\n")]
    _make(Path(os.environ[CACHE]), spark_jvm.archive_key(), spark_jvm.java(), classes)


if __name__ == "__main__":
    main()

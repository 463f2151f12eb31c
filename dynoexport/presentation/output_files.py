"""Write the files that a user names."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Other errors while a file is open are not the file's fault: a lost connection, for example.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
# Names of what is open already. To open it once more would truncate it.
_OPEN_ALREADY = re.compile(r"/dev/fd/(\d+)|/proc/self/fd/(\d+)|/dev/(stdout)|/dev/(stderr)")


class NotWritten(DynoexportError):
    """A file that cannot be written."""


@contextmanager
def open_output(path: Path) -> Iterator[IO[bytes]]:
    """Open what the user named for writing; links are followed.

    A regular file is replaced only when it is complete, and keeps its mode. A device or a pipe
    stays what it is, and gets the bytes.

    Raises:
        NotWritten: it cannot be written, with the reason.
    """
    try:
        with _open(path) as file:
            yield file
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise _refusal(path, error) from error


def write_files(files: Mapping[Path, str]) -> list[Path]:
    """Write the texts to files, each replaced as a whole; create missing folders.

    Raises:
        NotWritten: a directory cannot be made, or a file in it not be written.
    """
    for path, content in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotWritten(f"cannot write {path.parent}", hint=str(error.strerror)) from error
        with open_output(path) as file:
            file.write(content.encode())
    return list(files)


def _refusal(path: Path, error: OSError) -> NotWritten:
    return NotWritten(f"cannot write {path}", hint=str(error.strerror))


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    already = _OPEN_ALREADY.fullmatch(str(path))
    temporary = None
    try:
        if already:
            number = next(filter(None, already.groups()))
            descriptor = os.dup({"stdout": 1, "stderr": 2}.get(number) or int(number))
        else:
            status = _stat(path)
            if status is None or stat.S_ISREG(status.st_mode):
                target = Path(os.path.realpath(path))
                descriptor, temporary = _open_beside(target, status)
            else:
                descriptor = os.open(path, os.O_WRONLY)
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        if temporary is not None:
            _put_in_place(temporary, target)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _put_in_place(temporary: Path, target: Path) -> None:
    """Move the finished file to the name that the user gave.

    A file that is a mount point, or another user's file in a directory such as /tmp, cannot be
    replaced. Then write into it.
    """
    try:
        temporary.replace(target)
    except OSError as error:
        if error.errno not in {errno.EBUSY, errno.EPERM, errno.EXDEV}:
            raise
        with temporary.open("rb") as source, target.open("r+b") as destination:
            destination.truncate()
            shutil.copyfileobj(source, destination)


def _stat(path: Path) -> os.stat_result | None:
    with suppress(FileNotFoundError):
        return path.stat()
    return None


def _open_beside(target: Path, status: os.stat_result | None) -> tuple[int, Path]:
    """A new file in the directory of the one that it is to replace, with that one's mode."""
    if status is None:
        # As any program's new file: what the umask leaves.
        mode = 0o666 & ~_umask()
    elif os.access(target, os.W_OK):
        mode = stat.S_IMODE(status.st_mode)
    else:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".dynoexport-")
    if status is not None:
        # Only root may give a file to another owner.
        with suppress(PermissionError):
            os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, mode)
    return descriptor, Path(name)


def _umask() -> int:
    # The only way to read the umask is to set it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

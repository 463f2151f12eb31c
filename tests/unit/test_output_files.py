"""Output files that a user names."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dynoexport.presentation.output_files import NotWritten, open_output


def write(path: Path, text: bytes = b"new") -> None:
    with open_output(path) as file:
        file.write(text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "new")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new") == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("kept", [0o600, 0o644, 0o755])
def test_file_keeps_its_mode(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(kept)
    write(file)
    assert (file.read_bytes(), mode(file)) == (b"new", kept)


def test_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    """This holds even for a missing file, and by a second link in another directory."""
    (tmp_path / "elsewhere").mkdir()
    file, link, second = tmp_path / "elsewhere" / "file", tmp_path / "link", tmp_path / "second"
    link.symlink_to("elsewhere/file")
    second.symlink_to(link)
    for path, text in ((link, b"one"), (second, b"two")):
        write(path, text)
        assert (path.is_symlink(), file.is_symlink(), file.read_bytes()) == (True, False, text)
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def half() -> None:
        with open_output(file) as stream:
            stream.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_device_stays_a_device() -> None:
    write(Path("/dev/null"))
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_named_pipe_gets_the_bytes(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert got == [b"new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("redirect", ["| cat", ">> {file} && cat {file}"])
def test_writing_to_standard_output_keeps_what_is_before_and_after(
    tmp_path: Path, name: str, redirect: str
) -> None:
    """Earlier and later output is not lost."""
    code = f"""
from pathlib import Path
from dynoexport.presentation.output_files import open_output
print("before", flush=True)
with open_output(Path("{name}")) as file:
    file.write(b"new\\n")
print("after")
"""
    command = f"{sys.executable} - {redirect.format(file=tmp_path / 'file')}"
    done = subprocess.run(
        ["bash", "-c", command], input=code, capture_output=True, text=True, check=True
    )
    assert done.stdout == "before\nnew\nafter\n"


def test_full_disk_is_one_line() -> None:
    with pytest.raises(NotWritten, match="cannot write /dev/full: No space left on device"):
        write(Path("/dev/full"))


def test_an_unwritable_file_is_one_line(tmp_path: Path) -> None:
    """A directory, a directory that is missing, a loop of links, a file as a directory."""
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "directory").mkdir()
    for name, reason in (
        ("directory", "Is a directory"),
        ("missing/file", "No such file or directory"),
        ("loop", "Too many levels of symbolic links"),
        ("file/file", "Not a directory"),
        ("n" * 300, "File name too long"),
    ):
        with pytest.raises(NotWritten, match=reason):
            write(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "loop", "directory"}


def test_an_error_elsewhere_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), open_output(tmp_path / "file"):
        raise ConnectionResetError(errno.ECONNRESET, "a connection")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everything")
def test_file_that_is_write_protected_stays(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o444)
    with pytest.raises(NotWritten, match="Permission denied"):
        write(file)
    assert file.read_bytes() == b"old"

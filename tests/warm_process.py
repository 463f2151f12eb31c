"""Installed Python commands in processes that need not import first what all of them import.

Tests run more than a thousand commands, and each would spend most of its time on imports. Here a
process is forked from one that has imported the modules below. All else is as a shell starts it: a
process of its own with its words, environment, directory and files, which runs the installed
script. What depends on how Python itself starts needs ``subprocess``.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SCRIPTS = Path(sys.executable).parent
STDIN, STDOUT, STDERR = range(3)
_forked = multiprocessing.get_context("forkserver")
_forked.set_forkserver_preload(
    [
        "boto3",
        "dynoexport.cli",
        "dynoexport.cloudformation.render",
        "dynoexport.operations.deploy",
        "rich.console",
        "s3transfer.manager",
    ]
)


class Running:
    """A command that has been started."""

    def __init__(
        self, words: Sequence[str], env: Mapping[str, str], cwd: Path, files: Sequence[Path]
    ) -> None:
        self._words, self._files = words, files
        self._process = _forked.Process(target=_become, args=(words, dict(env), cwd, files))
        self._process.start()

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def wait(self, timeout: float = 180) -> int:
        """Its exit status; as ``subprocess`` has it, negative if a signal ended it.

        Raises:
            TimeoutExpired: it has not ended after this many seconds.
        """
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(list(self._words), timeout)
        return status

    def end(self) -> None:
        """Kill it if it still runs."""
        self._process.kill()
        self._process.join()

    def text(self, file: int) -> str:
        """What it has written to STDOUT or STDERR."""
        return self._files[file].read_text(encoding="utf-8")


@contextmanager
def started(
    *words: str,
    env: Mapping[str, str],
    cwd: Path = Path(),
    stdin: str = "",
    stderr: str | None = None,
) -> Iterator[Running]:
    """The installed command ``words[0]``, killed at the end; ``stderr`` may name a terminal."""
    with tempfile.TemporaryDirectory() as directory:
        files = [Path(directory) / name for name in ("stdin", "stdout", "stderr")]
        for file in files:
            file.write_text(stdin if file == files[STDIN] else "", encoding="utf-8")
        if stderr is not None:
            files[STDERR] = Path(stderr)
        running = Running([str(SCRIPTS / words[0]), *words[1:]], env, cwd.absolute(), files)
        try:
            yield running
        finally:
            running.end()


def run(
    *words: str, env: Mapping[str, str], cwd: Path = Path(), stdin: str = "", timeout: float = 180
) -> subprocess.CompletedProcess[str]:
    """The installed command ``words[0]`` from start to end.

    Raises:
        TimeoutExpired: it has not ended after this many seconds; it is killed.
    """
    with started(*words, env=env, cwd=cwd, stdin=stdin) as running:
        status = running.wait(timeout)
        stdout, stderr = running.text(STDOUT), running.text(STDERR)
    return subprocess.CompletedProcess(list(words), status, stdout, stderr)


def _become(words: Sequence[str], env: Mapping[str, str], cwd: Path, files: Sequence[Path]) -> None:
    """Run the script as the program of this process."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, file in enumerate(files):
        flags = os.O_RDONLY if number == STDIN else os.O_WRONLY | os.O_APPEND | os.O_NOCTTY
        opened = os.open(file, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", errors=errors, closefd=False)
        for number, mode, errors in (
            (STDIN, "r", "strict"),
            (STDOUT, "w", "strict"),
            (STDERR, "w", "backslashreplace"),
        )
    )
    sys.argv = list(words)
    runpy.run_path(words[0], run_name="__main__")

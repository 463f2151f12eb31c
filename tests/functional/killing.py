"""Processes that end by SIGKILL at one of their calls to AWS.

Run as a program, it reads a JSON object a line from standard input, forks itself, and answers with
the exit code of that process. The fork has loaded everything already, as a process of its own would
only after a second. It counts two places a call: before the request is sent, and after AWS has
carried it out and the answer has arrived. It kills itself at the wanted place, or ends by itself.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COMMAND, VIEW_JOB = "command", "view job"
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, what it printed, and its calls in order."""

    code: int
    output: str
    calls: tuple[str, ...]


@dataclass
class Killer:
    """Runs programs in the environment, and kills them."""

    env: Mapping[str, str]
    directory: Path
    _process: subprocess.Popen[str]
    runs: Iterator[int] = field(default_factory=itertools.count)

    def run(self, program: str, *words: str, place: int = 0) -> Ended:
        """Run it; SIGKILL at the place, counted from 1. Place 0 is nowhere."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        paths = [self.directory / f"{next(self.runs)}.{kind}" for kind in ("output", "calls")]
        asked = {
            "program": program,
            "words": words,
            "place": place,
            "env": dict(self.env),
            "paths": list(map(str, paths)),
        }
        self._process.stdin.write(f"{json.dumps(asked)}\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        output, calls = (path.read_text() for path in paths)
        return Ended(code, output, tuple(calls.splitlines()))


@contextmanager
def killer(env: Mapping[str, str], directory: Path) -> Iterator[Killer]:
    """A process that forks itself until the block ends."""
    with subprocess.Popen(
        [sys.executable, __file__],
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Killer(env, directory, process)
        assert process.stdin is not None
        process.stdin.close()


# --- in the process that forks itself -------------------------------------------------------------
def serve() -> None:
    load()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            be(asked)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def load() -> None:
    """Load what each fork needs, so that none spends a second on it."""
    import boto3
    import botocore.session

    import dynoexport.cli
    import dynoexport.jobs.publish  # noqa: F401

    shared = botocore.session.create_loader()
    botocore.session.create_loader = lambda *_: shared
    for service in ("athena", "cloudformation", "cloudwatch", "glue", "s3", "sts"):
        boto3.client(service).close()
    # Each fork is a process of its own, with a session of its own.
    boto3.DEFAULT_SESSION = None


def be(asked: Mapping[str, Any]) -> None:
    """Become the program. Never returns."""
    output, calls = (os.open(path, os.O_WRONLY | os.O_CREAT) for path in asked["paths"])
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output, stream.fileno())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(asked["env"])
    kill_at(asked["place"], calls)
    code = 1
    try:
        start(asked["program"], asked["words"])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except Exception as error:  # noqa: BLE001 - as Python ends a program
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def start(program: str, words: list[str]) -> None:
    if program == COMMAND:
        from dynoexport import __main__

        sys.argv = ["dynoexport", *words]
        __main__.run()
    else:
        from dynoexport.jobs import publish

        publish.main(words)


def kill_at(place: int, calls: int) -> None:
    """Register with every botocore session that this process makes.

    https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
    """
    import botocore

    places = itertools.count(1)

    def reached(event_name: str, **_: object) -> None:
        os.write(calls, f"{event_name}\n".encode())
        if next(places) == place:
            os.kill(os.getpid(), signal.SIGKILL)

    def listen(session: Any) -> None:
        for event in ("before-send", "response-received"):
            session.register(event, reached)

    botocore.register_initializer(listen)


if __name__ == "__main__":
    serve()

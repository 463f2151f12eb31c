"""A command that takes long shows what it waits for; after Ctrl-C it says how to return."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

import click
import pytest
import warm_process
from click.testing import CliRunner

from dynoexport.cli import main
from dynoexport.cli.snapshots import show_files
from dynoexport.cli.waiting import PATIENCE, Wait, returning, waiting, waiting_for_each

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
# What each command shows while AWS does not answer its first call.
FIRST = {
    "init --yes": "Preparing the change set",
    "deploy Reviews --yes": "Checking everything, and preparing the change sets",
    "destroy Reviews --yes": "Listing what the export has",
    "run Reviews": "Checking the export, and starting the run",
    "runs Reviews": "Reading runs",
    "runs Reviews --explain": "Reading runs and manifests",
    "query Reviews": "Waiting for Athena",
    "publish Reviews 2026-01-31T10:00": "Waiting for Athena, which makes the view",
    "prune Reviews --keep 1 --yes": "Checking the snapshots",
    "verify Reviews": "Reading the files of the snapshot",
    "adopt Reviews --yes": "Listing snapshots of another design",
    "snapshots Reviews": "Reading the snapshots",
    "status": "Reading the exports",
    "watch Reviews": "Reading the run",
    "logs Reviews": "Reading the run",
    "stop Reviews": "Stopping the run",
    "enable Reviews": "Switching the schedule on",
    "disable Reviews": "Switching the schedule off",
    "doctor": "Making the next check",
    "permissions run": "Reading the account's ID",
}
# Ctrl-C would wait for the call that has begun in another thread.
KILLED = {"plan Reviews": "Reading what AWS knows about the tables"}
# These have no --output.
WITHOUT_OUTPUT = {"query", "permissions"}
# What these say after Ctrl-C; the others have changed nothing.
RETURN = {
    "init --yes": "Repeat the command when it has ended.",
    "deploy Reviews --yes": "Repeat the command when it has ended.",
    "destroy Reviews --yes": "Finish it with: dynoexport destroy Reviews",
    "prune Reviews --keep 1 --yes": "Repeat the command to delete the other snapshots.",
    "adopt Reviews --yes": "Adopt the others with: dynoexport adopt Reviews",
}


@pytest.fixture(scope="module")
def silent_aws() -> Iterator[str]:
    """The URL of an AWS that takes every request and does not answer."""
    ended = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            ended.wait()

        do_GET = do_HEAD = do_POST  # noqa: N815 - as http.server calls it

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def after_ctrl_c(silent_aws: str) -> dict[str, Interrupted]:
    """Every command, interrupted when it shows what it waits for: all at once, each takes long."""

    def interrupt(words: str) -> Interrupted:
        with started(printing_json(words), silent_aws) as (command, terminal):
            shown = terminal.read(FIRST[words])
            command.send_signal(signal.SIGINT)
            status = command.wait()
            return Interrupted(shown, status, terminal.rest(), command.text(warm_process.STDOUT))

    with ThreadPoolExecutor(len(FIRST)) as pool:
        return dict(zip(FIRST, pool.map(interrupt, FIRST), strict=True))


class Interrupted(NamedTuple):
    """What a command has shown before and after Ctrl-C, its status, and what it has printed."""

    shown: str
    status: int
    said: str
    printed: str


@contextmanager
def started(words: str, url: str) -> Iterator[tuple[warm_process.Running, Terminal]]:
    """The command, and the terminal on which it writes to stderr."""
    terminal = Terminal(*pty.openpty())
    shown = {"AWS_ENDPOINT_URL": url, "TERM": "xterm", "COLUMNS": "200"}
    env, stderr = {**os.environ, **KEYS, **shown}, os.ttyname(terminal.its)
    with warm_process.started("dynoexport", *words.split(), env=env, stderr=stderr) as command:
        yield command, terminal
    os.close(terminal.ours)
    os.close(terminal.its)


class Terminal(NamedTuple):
    """Its end here, and the command's."""

    ours: int
    its: int

    def read(self, until: str) -> str:
        """What is written there until this text."""
        shown = b""
        while until.encode() not in shown:
            shown += os.read(self.ours, 10_000)
        return shown.decode()

    def rest(self) -> str:
        """What an ended command has written and nobody has read."""
        os.set_blocking(self.ours, False)
        shown = b""
        with suppress(BlockingIOError):
            while True:
                shown += os.read(self.ours, 10_000)
        return shown.decode()


@pytest.mark.parametrize("words", FIRST)
def test_long_command_shows_what_it_waits_for_and_ctrl_c_says_how_to_return(
    words: str, after_ctrl_c: dict[str, Interrupted]
) -> None:
    found = after_ctrl_c[words]
    assert FIRST[words] in found.shown
    assert found.status == 130
    assert found.printed == ""
    assert RETURN.get(words, "") in found.said
    assert "Traceback" not in found.said


def printing_json(words: str) -> str:
    return words if command_of(words) in WITHOUT_OUTPUT else f"{words} --output json"


@pytest.mark.parametrize("words", KILLED)
def test_command_with_several_calls_at_once_shows_what_it_waits_for(
    words: str, silent_aws: str
) -> None:
    with started(words, silent_aws) as (_, terminal):
        assert KILLED[words] in terminal.read(KILLED[words])


def command_of(words: str) -> str:
    return words.partition(" ")[0]


def test_every_command_that_calls_aws_is_waited_for_here() -> None:
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    calling = {
        name
        for name, command in commands.items()
        if command is not None and "profile" in {parameter.name for parameter in command.params}
    }
    assert {command_of(words) for words in FIRST | KILLED} == calling


def test_without_a_terminal_a_line_comes_soon_and_stdout_stays_clean(silent_aws: str) -> None:
    words = [sys.executable, "-m", "dynoexport", *printing_json("runs Reviews").split()]
    environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": silent_aws}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=environment, stdout=pipe, stderr=pipe, text=True) as command:
        assert command.stderr is not None
        assert command.stdout is not None
        assert command.stderr.readline() == "Reading runs ...\n"
        command.send_signal(signal.SIGINT)
        assert (command.stdout.read(), command.stderr.read()) == ("", "\n")
    assert PATIENCE == 2


def join_timers() -> None:
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()


def test_log_gets_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("Waiting for Athena", 0):
        join_timers()
    assert capsys.readouterr() == ("", "Waiting for Athena ...\n")


def test_log_gets_a_line_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("Reading files", 0) as wait:
        join_timers()
        for text in ("Read 1 of 2", "Read 1 of 2", "Read 2 of 2"):
            wait.update(text)
    assert capsys.readouterr().err == "Reading files ...\nRead 1 of 2 ...\nRead 2 of 2 ...\n"


def test_change_before_the_first_line_replaces_it(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("Reading files", 3600) as wait:
        wait.update("Read 1 of 2")
    assert capsys.readouterr().err == ""


def test_log_has_no_line_twice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynoexport.cli.waiting.PATIENCE", 0)

    def slow() -> Iterator[str]:
        for value in "ab":
            join_timers()
            yield value

    assert list(waiting_for_each(slow(), "Waiting for log lines")) == ["a", "b"]
    assert capsys.readouterr() == ("", "Waiting for log lines ...\n")


def test_nothing_is_shown_while_a_value_is_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynoexport.cli.waiting.PATIENCE", 10)
    for _ in waiting_for_each("a", "Waiting for log lines"):
        # No timer is left that could begin now.
        join_timers()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("of", "shown"), [(3, [1, 2, 3]), (20, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]), (0, [])]
)
def test_log_gets_a_line_for_each_tenth_of_the_files(of: int, shown: list[int]) -> None:
    class Recorded(Wait):
        def update(self, what: str) -> None:
            texts.append(what)

    texts: list[str] = []
    show = show_files(Recorded())
    for number in range(1, of + 1):
        show(number, of)
    assert [int(text.split()[1]) for text in texts] == shown


def test_terminal_has_a_live_line_that_vanishes() -> None:
    program = (
        "from dynoexport.cli.waiting import waiting\n"
        "with waiting('Counting rows', 0) as wait:\n"
        "    while not wait._status: pass\n"
        "    wait.update('Counted 1 of 2')\n"
        "    wait._status._live.refresh()\n"
    )
    ours, its = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    subprocess.run([sys.executable, "-c", program], stderr=its, env=env, check=True)
    os.close(its)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "Counted 1 of 2" in shown
    # The last line is erased.
    assert "\x1b[2K" in shown.rpartition("Counted 1 of 2")[2]


def test_quick_command_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("Waiting for Athena", 3600):
        pass
    assert capsys.readouterr() == ("", "")


def test_nothing_is_shown_after_the_wait_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("First", 3600) as wait:
        wait.show("Second")
        wait.stop()
    # It was cancelled: it does not wait for an hour.
    join_timers()
    assert capsys.readouterr() == ("", "")


def interrupted(error: BaseException, *, on_error: bool) -> tuple[int, str]:
    @click.command()
    def command() -> None:
        with returning("The run continues.", on_error=on_error):
            raise error

    done = CliRunner().invoke(command)
    return done.exit_code, done.stderr


@pytest.mark.parametrize("on_error", [False, True])
def test_ctrl_c_prints_the_way_back_and_exits_130(on_error: bool) -> None:
    assert interrupted(KeyboardInterrupt(), on_error=on_error) == (130, "\nThe run continues.\n")


@pytest.mark.parametrize(("on_error", "said"), [(False, ""), (True, "The run continues.\n")])
def test_error_comes_after_the_way_back_if_asked(on_error: bool, said: str) -> None:
    assert interrupted(ValueError("x"), on_error=on_error) == (1, said)

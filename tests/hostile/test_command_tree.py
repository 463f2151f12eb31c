"""Every option and argument of every command, with hostile values.

The commands come from click's own tree, so a new one is tested without a change here.
"""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING, Any, NoReturn

import click
import hostile
import pytest
from click.testing import CliRunner
from command_tree import COMMANDS, usual
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynoexport.cli import main
from dynoexport.errors import DynoexportError
from dynoexport.local import server
from dynoexport.local.glue import processes

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path

INPUTS = int(os.environ.get("DYNOEXPORT_INPUTS", "100")) // 5

# Nobody answers, and nothing is repeated.
AWS: dict[str, str | None] = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_PROFILE": None,
}
# As a process gets its arguments: without null bytes, and with lone surrogates for other bytes.
ARGUMENTS = (
    hostile.texts
    | st.sampled_from(
        ["/", ".", "-", "/dev/null", "/dev/full", "/nonexistent/file", "http://[::1", "a" * 300]
    )
    | st.sampled_from(["0", "-1", "1e99", "inf", "nan", "9" * 30, "=", "a=b", "\x1b[31m", "\udcff"])
).map(lambda text: os.fsdecode(text.replace("\0", "").encode("utf-8", "surrogatepass")))


class NotStarted(DynoexportError):
    """What a test does not start for real."""


@pytest.fixture(autouse=True)
def _nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No endpoint, no job; files are written below a folder of the test's own."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise NotStarted("the endpoint is not started")

    monkeypatch.setattr(server, "serve", refuse)
    monkeypatch.setattr(processes.reserve, "fill", lambda _: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    inside = tmp_path / "a" / "b" / "c" / "d"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    signals = (signal.SIGTERM, signal.SIGHUP)
    handlers = [signal.getsignal(number) for number in signals]
    yield
    for number, handler in zip(signals, handlers, strict=True):
        signal.signal(number, handler)


@st.composite
def lines(draw: st.DrawFn, path: tuple[str, ...]) -> list[str]:
    """The words of a command with garbage for one to three of its parameters."""
    parameters = COMMANDS[path].params
    chosen = draw(st.lists(st.sampled_from(parameters), min_size=1, max_size=3, unique=True))
    words = list(path)
    for parameter in chosen:
        if isinstance(parameter, click.Option):
            words.append(draw(st.sampled_from([*parameter.opts, *parameter.secondary_opts])))
            if not parameter.is_flag:
                words[-1] += f"={draw(ARGUMENTS)}"
    # What begins with "-" would be an option.
    values = [
        draw(ARGUMENTS) if parameter in chosen else usual(parameter)
        for parameter in parameters
        if isinstance(parameter, click.Argument) and (parameter.required or parameter in chosen)
    ]
    return [*words, "--", *values]


def check(done: Any) -> None:
    """Success, or one line that says what is wrong, with the next step below."""
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code in {0, 1, 2}
    assert "Traceback" not in done.output
    reported = done.stderr.split("\n")
    errors = [number for number, line in enumerate(reported) if line.startswith("Error: ")]
    assert len(errors) == (done.exit_code != 0), done.stderr
    for line in reported[errors[0] :] if errors else ():
        assert line.isprintable(), line
        assert not line.startswith("Error: unexpected"), line
    for line in reported[errors[0] + 1 :] if errors else ():
        assert not line or line.startswith("  "), done.stderr


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_any_value_is_accepted_or_refused_in_one_line(
    path: tuple[str, ...], lines_called: Counter[str]
) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]

    @settings(max_examples=max(INPUTS, 1), suppress_health_check=checks)
    @given(lines(path))
    def call(words: list[str]) -> None:
        lines_called[" ".join(path)] += 1
        check(CliRunner().invoke(main, words, env=AWS))

    call()


def test_every_command_of_the_help_is_tested() -> None:
    assert {path[0] for path in COMMANDS} == set(main.list_commands(click.Context(main)))
    assert ("local", "start") in COMMANDS

"""The endpoint, one for a whole test session."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import pytest
import started_endpoint
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

# A busy machine fails no test: speed is measured in benchmarks/ alone.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# Each session of botocore would read the descriptions of the services, megabytes of JSON, for
# itself, and nearly each test of an account has one.
botocore.session.create_loader = cache(botocore.session.create_loader)

# A shell lets what it starts in the background ignore Ctrl-C, which the tests send to theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# So does nohup with a hangup. The tests themselves go on when one comes; what they start does not.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Endpoint]:
    """An AWS endpoint on a free port, in a process of its own as a user starts it."""
    with started_endpoint.start() as started:
        yield started


class Clock:
    """The clock of an endpoint of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def forward(self, **time: float) -> None:
        """Move the clock forward by this time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{timedelta(**time).total_seconds()}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline()


@pytest.fixture(scope="module")
def clocked() -> Iterator[tuple[Endpoint, Clock]]:
    """An endpoint for a module, in a process of its own, with its clock."""
    from dynoexport.local import context

    script = Path(__file__).with_name("clocked_endpoint.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield context.connect(process.stdout.readline().strip()), Clock(process)
        process.terminate()


@pytest.hookimpl(tryfirst=True, specname="pytest_collection_modifyitems")
def pytest_mark_tests_of_the_endpoint(items: list[pytest.Item]) -> None:
    """A test that asks for the endpoint runs on it, whether or not it says so."""
    for item in items:
        if {"endpoint", "clocked"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.endpoint)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run Spark come first: a long one at the end would leave one worker idle."""
    long = {item.path for item in items if item.get_closest_marker("spark")}
    items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish() -> None:
    """What thousands of collected tests hold stays: no later search for unused objects sees it.

    Tests of Spark search after each test, which would take a third of a second with them.
    """
    gc.collect()
    gc.freeze()

"""README and docs/tour.md: every command runs, and prints what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import shell_session
import started_endpoint
from shell_session import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

pytestmark = [pytest.mark.endpoint, pytest.mark.spark]

README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
# A page does not say in which order these come.
UNORDERED = {"dynoexport query Reviews"}
REPLACED = {
    # The committed files; what the page calls REPOSITORY is its own address.
    "git clone REPOSITORY dynoexport": f"git clone --quiet '{ROOT}' dynoexport",
    # test_local_command.py runs the demo; here it would install Spark once more.
    "make demo": "make --dry-run demo",
    # Nobody answers the question here.
    "dynoexport init": "dynoexport init --yes",
    "dynoexport deploy Reviews --read-mode native --auto --enable": (
        "dynoexport deploy Reviews --read-mode native --auto --enable --yes"
    ),
}
# The fixture serves the endpoint on a free port; test_local_command.py evaluates `local env`.
BY_FIXTURE = [
    ". .venv/bin/activate",
    "dynoexport local start",
    ". .venv/bin/activate",
    'eval "$(dynoexport local env)"',
]


@pytest.fixture
def empty() -> Iterator[Endpoint]:
    with started_endpoint.start() as endpoint:
        yield endpoint


def comparable(step: shell_session.Step, lines: list[str]) -> list[str]:
    """What must be equal, of what a command prints."""
    if "--explain" in step.command:
        # How far a laptop is off, and by which figures, differs from run to run.
        end = next(i for i, line in enumerate(lines) if "Off by more than" in line)
        lines = [re.split(r"\s{2,}", line.strip())[0] for line in lines[:end]]
    found = shell_session.normalise(lines)
    return sorted(found) if step.command in UNORDERED else found


def test_tour_shows_what_its_commands_print(empty: Endpoint) -> None:
    """Write it anew with: python tests/functional/shell_session.py docs/tour.md."""
    steps = shell_session.read_steps(TOUR)
    assert len(steps) > 20
    for step in steps:
        printed = shell_session.run_command(step.command, empty.env)
        assert comparable(step, printed) == comparable(step, step.output), step.command


def unprompted(page: str) -> list[str]:
    """The commands in the page's blocks of code without a prompt."""
    without_sessions = shell_session.STEP.sub("", page)
    lines = re.findall(r"^ {4}(\S.*?)(?:\s{2,}#.*)?$", without_sessions, re.MULTILINE)
    return [line.strip() for line in lines]


def test_fixture_runs_the_other_commands_of_the_tour() -> None:
    assert unprompted(TOUR) == BY_FIXTURE


def test_readme_commands_install_deploy_run_and_query(empty: Endpoint, tmp_path: Path) -> None:
    """From a clone and an environment of its own to rows."""
    empty.client("dynamodb").create_table(
        TableName="Reviews",
        KeySchema=[{"AttributeName": "user", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "user", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    empty.client("dynamodb").put_item(TableName="Reviews", Item={"user": {"S": "Adeline"}})
    commands = unprompted(README)
    assert set(REPLACED) <= set(commands)
    script = "\n".join(["set -e", *(REPLACED.get(command, command) for command in commands)])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, **empty.env, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Adeline" in done.stdout

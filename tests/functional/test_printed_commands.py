"""README, tutorial and tour: every command runs, and prints what the page shows."""

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
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
LAPTOP, _, AWS = TUTORIAL.partition("\n## On AWS\n")
# A page does not say in which order these come.
UNORDERED = {
    "dynoexport query Reviews",
    "dynoexport local demo --items docs/examples/books.jsonl --key User:Book",
}
REPLACED = {
    # The committed files; what the page calls REPOSITORY is its own address.
    "git clone REPOSITORY dynoexport": f"git clone --quiet '{ROOT}' dynoexport",
    # test_local_command.py runs the demo; here it would install Spark once more.
    "make demo": "make --dry-run demo",
    # Nobody answers the question here.
    "dynoexport init": "dynoexport init --yes",
    "dynoexport deploy Reviews --read-mode native --enable": (
        "dynoexport deploy Reviews --read-mode native --enable --yes"
    ),
}
REPLACED_ON_AWS = {
    # `aws` and `dynoexport` are those of the tests.
    ". .venv/bin/activate": "",
    # Nobody answers the questions here.
    "dynoexport init": "dynoexport init --yes",
    "dynoexport deploy Books --read-mode native --auto --enable": (
        "dynoexport deploy Books --read-mode native --auto --enable --yes"
    ),
    "dynoexport destroy Books --data": "dynoexport destroy Books --data --yes",
    # For somebody with the policy `deploy`, which needs the boundary; test_callers.py deploys so.
    "dynoexport permissions boundary > boundary.json": "",
    "aws iam create-policy --policy-name dynoexport-boundary "
    "--policy-document file://boundary.json": "",
    "dynoexport deploy Books --read-mode native --auto --enable "
    "--set PermissionsBoundaryArn=arn:aws:iam::123456789012:policy/dynoexport-boundary": "",
}
# Their own test runs them, on a file of CSV.
CONVERT = (
    "python -c \"import duckdb; duckdb.sql(\\\"COPY (FROM 'orders.csv') "
    "TO 'orders.jsonl' (FORMAT json)\\\")\""
)
OWN_FILE = [CONVERT, "dynoexport local demo --items orders.jsonl --key CustomerId:OrderId"]
ORDERS = """\
CustomerId,OrderId,Placed,Total,Gift,Note
c1,1,2026-01-30,12.50,true,
c2,2,2026-01-31,3,false,"two, please"
"""
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


@pytest.mark.parametrize(("page", "least"), [(TOUR, 21), (LAPTOP, 8)], ids=["tour", "tutorial"])
def test_page_shows_what_its_commands_print(empty: Endpoint, page: str, least: int) -> None:
    """Write it anew with: python tests/functional/shell_session.py docs/tour.md."""
    steps = shell_session.read_steps(page)
    assert len(steps) >= least
    for step in steps:
        printed = shell_session.run_command(step.command, empty.env)
        assert comparable(step, printed) == comparable(step, step.output), step.command


def unprompted(page: str) -> list[str]:
    """The commands in the page's blocks of code without a prompt."""
    without_sessions = re.sub(r"\\\n\s+", "", shell_session.STEP.sub("", page))
    lines = re.findall(r"^ {4}(\S.*?)(?:\s{2,}#.*)?$", without_sessions, re.MULTILINE)
    return [line.strip() for line in lines]


def test_fixture_runs_the_other_commands_of_the_tour_and_the_tutorial() -> None:
    assert unprompted(TOUR) == BY_FIXTURE
    # What README's test runs comes before.
    assert set(unprompted(LAPTOP)[:3]) <= set(unprompted(README))
    assert unprompted(LAPTOP)[3:] == [BY_FIXTURE[0], *OWN_FILE, *BY_FIXTURE[1:]]


def test_file_of_csv_is_exported_as_the_tutorial_says(empty: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    printed = run_script("\n".join(OWN_FILE), empty, tmp_path)
    words = printed.partition("Query the Athena view dynamodb_exports.orders")[2].split()
    assert {"c1", "12.5", "true", "2026-01-30", "c2", "two,", "please"} <= set(words)


def run_script(script: str, endpoint: Endpoint, cwd: Path) -> str:
    """What the script prints on stdout; the test fails if a command of it fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"set -e\n{script}"],
        cwd=cwd,
        env={**os.environ, **endpoint.env, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_tutorial_commands_export_a_table_on_aws_and_delete_it(empty: Endpoint) -> None:
    """The table that exists on AWS is the one that the first part makes on the laptop."""
    for step in shell_session.read_steps(LAPTOP):
        if "aws dynamodb" in step.command:
            shell_session.run_command(step.command, empty.env)
    commands = unprompted(AWS)
    assert set(REPLACED_ON_AWS) <= set(commands)
    script = "\n".join(REPLACED_ON_AWS.get(command, command) for command in commands)
    printed = run_script(script, empty, ROOT)
    assert "Tristan" in printed
    assert "Deleted the export of Books as parquet" in printed


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
    script = "\n".join(REPLACED.get(command, command) for command in commands)
    assert "Adeline" in run_script(script, empty, tmp_path)

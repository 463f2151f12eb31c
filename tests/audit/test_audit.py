"""``make audit``: what it checks, and that docs/security.md shows its results."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import audit
import pytest
from audit import FOUND, OK, UNKNOWN, Result

if TYPE_CHECKING:
    from pathlib import Path

UNREACHED = "the advisories cannot be reached from this machine"


def tool(venv: Path, name: str, output: str) -> None:
    """A program that prints the output and fails."""
    path = venv / name
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\ncat <<'EOF'\n{output}\nEOF\nexit 1\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_page_shows_the_results() -> None:
    page = audit.PAGE.read_text(encoding="utf-8")
    assert audit.with_section(page, audit.saved()) == page


def test_packages_are_those_that_the_wheel_needs() -> None:
    found = audit.runtime_packages()
    assert {"boto3", "botocore", "click", "troposphere", "s3transfer"} <= found.keys()
    assert not {"moto", "pyspark", "pytest", "mypy"} & found.keys()


@pytest.mark.parametrize(
    ("output", "state", "line"),
    [
        ('{"dependencies": [{"name": "a", "vulns": [{"id": "CVE-1"}]}]}', FOUND, "a CVE-1"),
        # It does not even know the vulnerability that everybody knows.
        ('{"dependencies": [{"name": "a", "vulns": []}]}', UNKNOWN, UNREACHED),
        ("no route to host", UNKNOWN, UNREACHED),
    ],
)
def test_vulnerabilities_are_named_or_not_checked(
    tmp_path: Path, output: str, state: str, line: str
) -> None:
    tool(tmp_path, "audit/bin/pip-audit", output)
    found = audit.vulnerabilities(tmp_path)
    assert (found.state, found.line) == (state, line)


@pytest.mark.parametrize(
    ("output", "state", "line"),
    [
        ('{"results": []}', OK, "none, and 0 with a reason"),
        (
            '{"results": [{"filename": "a.py", "line_number": 7, "test_id": "B608"}]}',
            FOUND,
            "a.py:7 B608",
        ),
        ("", UNKNOWN, "bandit has not run"),
    ],
)
def test_findings_in_the_code_are_named(tmp_path: Path, output: str, state: str, line: str) -> None:
    tool(tmp_path, "audit/bin/bandit", output)
    found = audit.code(tmp_path)
    assert (found.state, found.line) == (state, line)


@pytest.mark.parametrize(("failed", "state"), [(0, OK), (2, FOUND)])
def test_findings_in_the_templates_are_counted(tmp_path: Path, failed: int, state: str) -> None:
    tool(
        tmp_path,
        "checkov/bin/checkov",
        f'{{"summary": {{"passed": 9, "failed": {failed}, "skipped": 3}}}}',
    )
    found = audit.templates(tmp_path)
    assert found.state == state
    assert found.line == f"9 passed, {failed} failed, 3 with a reason"


def test_generated_part_is_replaced_and_the_rest_stays() -> None:
    first = audit.section([Result("a", OK, "none")], "2026-01-31")
    page = f"before\n{audit.BEGIN}old{audit.END}after\n"
    assert audit.with_section(page, first) == f"before\n{first}after\n"
    assert audit.with_section(f"before\n{first}after\n", first) == f"before\n{first}after\n"

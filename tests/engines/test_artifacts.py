"""A judge runs with the listed parts only; otherwise it says why it does not run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import artifacts
import judges
import pytest

if TYPE_CHECKING:
    from pathlib import Path

JUDGE = "parts"
CONTENT = b"as listed"
FAKE_CLIENT = """#!/bin/sh
for word in "$@"; do case $word in -DoutputDirectory=*) directory=${word#*=};; esac; done
printf '%s' "$SERVED" > "$directory/part-1.jar"
echo called >> "$CALLS"
"""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A ``mvn`` that brings what ``$SERVED`` says; the file counts its calls."""
    command = tmp_path / "bin" / "mvn"
    command.parent.mkdir()
    command.write_text(FAKE_CLIENT)
    command.chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")
    monkeypatch.setenv("SERVED", CONTENT.decode())
    monkeypatch.setenv("CALLS", str(calls))
    monkeypatch.setattr(artifacts, "CACHE", tmp_path / "cache")
    listed: dict[str, Any] = {
        "kind": "maven",
        "package": "group:part:jar",
        "version": "1",
        "file": "part-1.jar",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size": len(CONTENT),
    }
    monkeypatch.setitem(artifacts.LISTED, "part", [listed])
    return calls


def copy(files: list[Path], directory: Path) -> None:
    (directory / "kept").write_bytes(files[0].read_bytes())


def write_pom(directory: Path, sha256: str) -> None:
    (directory / "pom.xml").write_text("<project/>")
    (directory / "checksums.txt").write_text(f"{sha256}  part-1.jar\n")


def test_a_part_is_fetched_once(registry: Path) -> None:
    for _ in range(2):
        assert (artifacts.part("part", copy) / "kept").read_bytes() == CONTENT
    assert registry.read_text().splitlines() == ["called"]


def test_a_file_that_is_not_the_listed_one_is_refused_and_not_kept(
    registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVED", "not listed")
    for _ in range(2):
        with pytest.raises(judges.UnavailableError, match=r"part-1\.jar is not the listed file"):
            artifacts.part("part", copy)
    assert len(registry.read_text().splitlines()) == 2


def test_jars_are_those_of_the_checksums_and_fetched_once(registry: Path, tmp_path: Path) -> None:
    write_pom(tmp_path, hashlib.sha256(CONTENT).hexdigest())
    for _ in range(2):
        assert (artifacts.jars(tmp_path) / "part-1.jar").read_bytes() == CONTENT
    assert registry.read_text().splitlines() == ["called"]


@pytest.mark.usefixtures("registry")
def test_a_jar_that_the_checksums_lack_is_refused(tmp_path: Path) -> None:
    write_pom(tmp_path, hashlib.sha256(b"another").hexdigest())
    with pytest.raises(judges.UnavailableError, match=r"checksums.txt lists it: part-1\.jar"):
        artifacts.jars(tmp_path)


def test_a_missing_client_is_named(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(judges.UnavailableError, match="mvn is not installed"):
        artifacts.part("part", copy)


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip), ("true", pytest.fail)])
def test_a_judge_that_cannot_run_is_skipped_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: Any
) -> None:
    monkeypatch.setenv("CI", ci)
    with (
        pytest.raises(outcome.Exception, match=r"^Trino cannot run: mvn is not installed$"),
        judges.required("Trino"),
    ):
        raise judges.UnavailableError("mvn is not installed")

"""How the programs in tests/clients are built, each with the SDK that its lock file pins."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import artifacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CLIENTS = Path(__file__).parents[1] / "clients"
# The first build of the Go SDK takes minutes, later ones take it from Go's own cache.
BUILD_SECONDS_MAX = 900


def javascript(scratch: Path) -> list[str]:
    """The command of the program in JavaScript.

    Raises:
        UnavailableError: node, npm or a package cannot be had.
    """
    source = CLIENTS / "javascript"
    node = artifacts.client("node")
    # An import looks for packages beside the program.
    (scratch / "node_modules").symlink_to(artifacts.node_modules(source))
    for name in ("package.json", "export.js"):
        shutil.copy(source / name, scratch)
    return [node, str(scratch / "export.js")]


def go(scratch: Path) -> list[str]:
    """The command of the program in Go, formatted and without a finding of ``go vet``.

    Raises:
        UnavailableError: go or a module cannot be had.
    """
    source, binary = CLIENTS / "go", scratch / "export"
    command = [artifacts.client("go"), "-C", str(source)]
    artifacts.run([*command, "mod", "download"])
    _build([artifacts.client("gofmt"), "-d", str(source)])
    _build([*command, "vet", "."])
    _build([*command, "build", "-o", str(binary), "."])
    return [str(binary)]


def java(scratch: Path) -> list[str]:
    """The command of the program in Java, compiled without a warning.

    Raises:
        UnavailableError: a JDK, mvn or a jar cannot be had.
    """
    compiler, machine = artifacts.client("javac"), artifacts.client("java")
    jars = f"{artifacts.jars(CLIENTS / 'java')}/*"
    options = ["-Xlint:all", "-Werror", "-encoding", "UTF-8", "-d", str(scratch)]
    _build([compiler, *options, "-cp", jars, str(CLIENTS / "java" / "Export.java")])
    return [machine, "-cp", f"{scratch}:{jars}", "Export"]


PROGRAMS: Mapping[str, Callable[[Path], list[str]]] = {
    "AWS SDK for JavaScript v3": javascript,
    "AWS SDK for Java v2": java,
    "AWS SDK for Go v2": go,
}


def _build(command: Sequence[str]) -> None:
    """Run a step of the build. An error or a warning fails the test."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command

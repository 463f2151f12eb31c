"""The judges' parts: fetched once by the machine's own mvn, pip and npm, checked, kept.

``artifacts.json`` lists every part with its version, its size and its SHA-256. A package-lock.json
lists npm's packages, and a checksums.txt the jars that Maven resolves from a pom.xml. Each part is
kept unpacked in ``${XDG_CACHE_HOME:-~/.cache}/dynoexport-engines``, in a directory that is named
after its entry in the list. A changed version is therefore another directory.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judges import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LISTED: dict[str, Any] = json.loads(Path(__file__).with_name("artifacts.json").read_text())
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dynoexport-engines"
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
MAVEN_COPY_ALL = f"{MAVEN_COPY}-dependencies"
# glibc 2.28 is that of Debian 10; newer wheels ask for it, older ones for less.
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
FETCH_SECONDS_MAX = 900


@dataclass(frozen=True)
class Artifact:
    """A file of a registry; ``package`` as the registry's client names it."""

    kind: str
    package: str
    version: str
    file: str
    sha256: str
    size: int


def listed(name: str) -> list[Artifact]:
    """The artifacts that make up a part."""
    return [Artifact(**artifact) for artifact in LISTED[name]]


def part(name: str, unpack: Callable[[list[Path], Path], None]) -> Path:
    """The directory of a part; ``unpack`` fills it from the part's files the first time.

    Raises:
        UnavailableError: a file cannot be had, or is not the listed one.
    """

    def make(directory: Path) -> None:
        with tempfile.TemporaryDirectory(dir=CACHE) as downloads:
            files = [_fetch(artifact, Path(downloads)) for artifact in listed(name)]
            unpack(files, directory)

    return _kept(name, json.dumps(LISTED[name]), make)


def wheels(name: str, python: str) -> Path:
    """A directory with the packages of a part, as ``pip`` installs them for that Python.

    Raises:
        UnavailableError: a package cannot be had, or is not the listed one.
    """
    return _kept(
        name,
        json.dumps([LISTED[name], python]),
        lambda directory: _pip_install(listed(name), python, directory),
    )


def node_modules(directory: Path) -> Path:
    """The packages of a directory's package-lock.json, which has their checksums.

    Raises:
        UnavailableError: a package cannot be had, or is not the listed one.
    """
    names = ("package.json", "package-lock.json")

    def make(made: Path) -> None:
        for name in names:
            shutil.copy(directory / name, made)
        words = ["ci", "--prefix", str(made), "--ignore-scripts", "--no-audit", "--no-fund"]
        run([client("npm"), *words])

    described = "".join((directory / name).read_text() for name in names)
    return _kept(directory.name, described, make) / "node_modules"


def environment(requirements: Path) -> Path:
    """A virtual environment of this Python with the packages that a file pins.

    Raises:
        UnavailableError: a package cannot be had.
    """
    pins = requirements.read_text(encoding="utf-8")

    def make(made: Path) -> None:
        run([sys.executable, "-m", "venv", str(made)])
        words = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
        run([str(made / "bin" / "python"), *words, "--requirement", str(requirements)])

    # A virtual environment is of one Python, and its programs name its own place: use python -m.
    return _kept(f"client-{requirements.stem}", f"{sys.version}\n{pins}", make)


def jars(directory: Path) -> Path:
    """The jars of a directory's pom.xml; its checksums.txt lists them as ``sha256sum`` does.

    Raises:
        UnavailableError: a jar cannot be had, or is not the listed one.
    """
    pom, checksums = directory / "pom.xml", (directory / "checksums.txt").read_text()

    def make(made: Path) -> None:
        words = ["--batch-mode", "--quiet", "--file", str(pom), MAVEN_COPY_ALL]
        run([client("mvn"), *words, f"-DoutputDirectory={made}"])
        sums = {f"{_sha256(file)}  {file.name}" for file in made.iterdir()}
        unlike = sums ^ set(checksums.splitlines())
        if unlike:
            names = ", ".join(sorted({line.split()[1] for line in unlike}))
            raise UnavailableError(f"not as checksums.txt lists it: {names}")

    return _kept(directory.name, pom.read_text() + checksums, make)


def _kept(name: str, described: str, make: Callable[[Path], None]) -> Path:
    """The directory of a part, made if it is not there; it is there once it is complete."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise UnavailableError("its parts are pinned for Linux on x86_64")
    directory = CACHE / f"{name}-{hashlib.sha256(described.encode()).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            unfinished = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=CACHE))
            try:
                make(unfinished)
                unfinished.rename(directory)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return directory


def _pip_install(artifacts: Sequence[Artifact], python: str, directory: Path) -> None:
    lines = [
        f"{artifact.package}=={artifact.version} --hash=sha256:{artifact.sha256}"
        for artifact in artifacts
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(lines) + "\n")
        requirements.flush()
        words = ["install", "--target", str(directory), "--no-deps", "--no-compile"]
        words += ["--require-hashes", "--only-binary", ":all:", "--python-version", python]
        words += [word for tag in PLATFORMS for word in ("--platform", tag)]
        run([*_pip(), *words, "--requirement", requirements.name])


def _fetch(artifact: Artifact, directory: Path) -> Path:
    run(_COMMANDS[artifact.kind](artifact, directory))
    file = directory / artifact.file
    if not file.is_file():
        raise UnavailableError(f"{artifact.package} {artifact.version} has no {artifact.file}")
    found = _sha256(file)
    if (found, file.stat().st_size) != (artifact.sha256, artifact.size):
        raise UnavailableError(f"{artifact.file} is not the listed file: its SHA-256 is {found}")
    return file


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _maven(artifact: Artifact, directory: Path) -> list[str]:
    """``package`` is group:artifact:packaging, with a classifier if it has one."""
    group, name, *kind = artifact.package.split(":")
    coordinates = ":".join((group, name, artifact.version, *kind))
    options = [f"-Dartifact={coordinates}", f"-DoutputDirectory={directory}"]
    return [client("mvn"), "--batch-mode", "--quiet", MAVEN_COPY, *options]


def _sdist(artifact: Artifact, directory: Path) -> list[str]:
    words = ["download", "--dest", str(directory), "--no-deps", "--no-binary", ":all:"]
    return [*_pip(), *words, f"{artifact.package}=={artifact.version}"]


def _wheel(artifact: Artifact, directory: Path) -> list[str]:
    words = ["download", "--dest", str(directory), "--no-deps", "--only-binary", ":all:"]
    return [*_pip(), *words, f"{artifact.package}=={artifact.version}"]


_COMMANDS = {"maven": _maven, "sdist": _sdist, "wheel": _wheel}


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def client(name: str) -> str:
    """The path of a program of this machine.

    Raises:
        UnavailableError: it has no such program.
    """
    program = shutil.which(name)
    if program is None:
        raise UnavailableError(f"{name} is not installed")
    return program


def run(command: Sequence[str]) -> None:
    """Run what fetches a part.

    Raises:
        UnavailableError: it failed, in its own words.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{Path(command[0]).name} did not answer") from None
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        said = next((line for line in lines if "ERROR" in line), "it did not say why")
        raise UnavailableError(f"{' '.join(command[:4])} ... failed: {said.strip()}")

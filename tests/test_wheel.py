"""What is published: ``pip install dynoexport`` alone is enough to deploy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from configparser import ConfigParser
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dynoexport

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).parents[1]
SOURCES = ("dynoexport", "scripts", "templates", "docs")
FILES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
# What a checkout also has, and what nobody should download.
LEFT_OUT = ("tests/test_x.py", "dynoexport/__pycache__/x.cpython-311.pyc", "scripts/.ruff_cache/x")
LISTING = """
import json
from dynoexport import assets
print(json.dumps({
    "templates": {name: assets.template(name) for name in assets.templates()},
    "scripts": {name: assets.script(name) for name in assets.scripts()},
}))
"""
# The local endpoint has an extra, with libraries that are compiled for one Python.
IMPORTING = """
import importlib, pathlib, pkgutil
import dynoexport
for path in pathlib.Path(dynoexport.__file__).parent.rglob("*.py"):
    compile(path.read_text(encoding="utf-8"), path, "exec")
for module in pkgutil.walk_packages(dynoexport.__path__, "dynoexport."):
    if not module.name.startswith(("dynoexport.local", "dynoexport.bundled")):
        importlib.import_module(module.name)
for name in dynoexport.__all__:
    getattr(dynoexport, name)
"""


def declared() -> ConfigParser:
    found = ConfigParser()
    found.read(ROOT / "setup.cfg", encoding="utf-8")
    return found


CLASSIFIERS = declared()["metadata"]["classifiers"].split("\n")
PYTHONS = [found[1] for line in CLASSIFIERS if (found := re.search(r"Python :: (3\.\d+)", line))]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, and the wheel that was built from it, not from the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    for name in LEFT_OUT:
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", source / "dist", source],
        check=True,
        capture_output=True,
        timeout=180,
    )
    return source / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which there is the wheel and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    executable = environment / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", executable, "install", "--no-deps", wheel],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return executable


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment that had nothing, with all that the wheel asks for."""
    environment = tmp_path_factory.mktemp("installed")
    wanted = f"{wheel}[local]"
    if not install_by_uv(environment, wanted):
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        done = subprocess.run(
            [environment / "bin" / "pip", "install", "--no-compile", wanted],
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
        assert done.returncode == 0, done.stderr
    return environment / "bin" / "dynoexport"


def install_by_uv(environment: Path, wanted: str) -> bool:
    """Install it as the Makefile does, in half of pip's time; False where only pip can."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        return False
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    words = [uv, "pip", "install", "--python", environment / "bin" / "python", wanted]
    return subprocess.run(words, capture_output=True, check=False, timeout=1200).returncode == 0


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (
            member for member in archive.namelist() if member.endswith(".dist-info/METADATA")
        )
        return message_from_bytes(archive.read(name))


def run(python: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it outside the checkout, so that it finds nothing there by accident."""
    return subprocess.run(
        [python, *words],
        cwd=python.parent,
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_an_empty_environment_has_templates_and_scripts(python: Path) -> None:
    """Byte for byte those of the repository."""
    import json

    done = run(python, "-c", LISTING)
    assert done.returncode == 0, done.stderr
    for kind, pattern in (("templates", "*.yaml"), ("scripts", "*.py")):
        expected = {path.name: path.read_bytes().decode() for path in (ROOT / kind).glob(pattern)}
        assert expected
        assert json.loads(done.stdout)[kind] == expected


def test_the_installed_command_writes_the_repositorys_templates(
    python: Path, tmp_path: Path
) -> None:
    """The dependencies are those of this environment; the package is the wheel's."""
    lent = sysconfig.get_path("purelib")
    where = run(python, "-c", "import dynoexport; print(dynoexport.__file__)", PYTHONPATH=lent)
    assert Path(where.stdout.strip()).is_relative_to(python.parents[1])
    command = str(python.with_name("dynoexport"))
    folders = ("--output-dir", str(tmp_path), "--scripts-dir", str(tmp_path))
    done = run(python, command, "templates", *folders, PYTHONPATH=lent)
    assert done.returncode == 0, done.stderr
    for path in (*(ROOT / "templates").glob("*.yaml"), *(ROOT / "scripts").glob("*.py")):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.endpoint
@pytest.mark.spark
def test_wheel_in_an_empty_environment_writes_templates_and_runs_the_demo(
    installed: Path, tmp_path: Path
) -> None:
    """By an installation alone: no file of the checkout, no package of this environment.

    Without a directory for it, no archive of Spark's classes is made, which takes longer than the
    demo; test_class_sharing.py has it.
    """
    nothing = {"PATH": os.defpath, "HOME": str(tmp_path), "XDG_CACHE_HOME": os.devnull}
    for words, seconds in ((("templates",), 120), (("local", "demo"), 900)):
        done = subprocess.run(
            [installed, *words],
            cwd=tmp_path,
            env=nothing,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Harry Potter and the Sorcerer's Stone" in done.stdout
    written = tmp_path / "templates" / "table.yaml"
    assert written.read_bytes() == (ROOT / "templates" / "table.yaml").read_bytes()


def test_the_wheel_carries_every_module_and_its_data(wheel: Path) -> None:
    """A package that was forgotten in setup.cfg would be missing."""
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if name.startswith("dynoexport/")}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "dynoexport").rglob("*.py")}
    bundled = {name for name in carried if name.startswith("dynoexport/bundled/")}
    names = ("py.typed", "planning/prices.json", "presentation/plan.html")
    data = {f"dynoexport/{name}" for name in names}
    assert carried - bundled == modules | data


def test_the_wheel_has_only_the_package_its_data_and_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    info = f"dynoexport-{dynoexport.__version__}.dist-info"
    names = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt")
    beside = {name for name in carried if not name.startswith("dynoexport/")}
    assert beside == {f"{info}/{name}" for name in names}
    bundled = {
        f"dynoexport/bundled/{kind}/{path.name}"
        for kind, pattern in (("templates", "*.yaml"), ("scripts", "*.py"))
        for path in (ROOT / kind).glob(pattern)
    }
    assert {name for name in carried if "/bundled/" in name} == bundled


def test_the_registry_accepts_both_files(dist: Path) -> None:
    files = sorted(dist.iterdir())
    assert [path.suffix for path in files] == [".whl", ".gz"]
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


def source_files(dist: Path) -> set[str]:
    (source,) = dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_source_distribution_has_neither_tests_nor_caches(dist: Path) -> None:
    carried = source_files(dist)
    assert not {name for name in carried if name.startswith("tests") or "cache" in name}


def test_the_source_distribution_carries_what_the_wheel_is_built_from(dist: Path) -> None:
    carried = source_files(dist)
    for kind, pattern in (("templates", "*.yaml"), ("scripts", "*.py")):
        assert {f"{kind}/{path.name}" for path in (ROOT / kind).glob(pattern)} <= carried
    assert {"LICENSE", "README.md", "setup.cfg"} <= carried


def test_metadata_has_version_licence_and_python(wheel: Path) -> None:
    found = metadata(wheel)
    assert found["Name"] == "dynoexport"
    assert found["Version"] == dynoexport.__version__
    assert found["License-Expression"] == "Apache-2.0"
    assert found["License-File"] == "LICENSE"
    assert found["Requires-Python"] == ">=3.10"


def test_version_is_stated_once() -> None:
    """setup.cfg reads it from the package, and the changelog's newest release equals it."""
    assert declared()["metadata"]["version"] == "attr: dynoexport.__version__"
    unreleased, *releases = re.findall(r"^## (.+)$", CHANGES, re.MULTILINE)
    assert unreleased == "[Unreleased]"
    assert releases[0].startswith(f"[{dynoexport.__version__}] - ")


def test_changelog_has_the_form_of_keep_a_changelog() -> None:
    """https://keepachangelog.com: each release with its date, its changes by kind."""
    for part in CHANGES.split("\n## ")[2:]:
        assert re.match(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d\n\n", part)
    for part in CHANGES.split("\n## ")[1:]:
        kinds = re.findall(r"^### (.+)$", part, re.MULTILINE)
        assert len(kinds) == len(set(kinds) & KINDS)


# --- the Pythons that setup.cfg names -------------------------------------------------------------
def interpreter(version: str, running: Path) -> Path | None:
    """The Python of that version: the running one, one of pyenv, or one on the path."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return running
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    on_path = shutil.which(f"python{version}")
    return installed[-1] if installed else Path(on_path) if on_path else None


def test_oldest_python_is_that_of_the_classifiers() -> None:
    assert declared()["options"]["python_requires"] == f">={PYTHONS[0]}"


def test_no_module_needs_a_newer_python_than_the_oldest() -> None:
    """The test needs no such Python. importlib.resources.abc is for type checkers only."""
    words = (f"--target={PYTHONS[0]}-", "--violations", "--exclude", "importlib.resources.abc")
    done = subprocess.run(
        [Path(sys.executable).with_name("vermin"), *words, ROOT / "dynoexport"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", PYTHONS)
def test_each_installed_python_runs_the_wheel(python: Path, tmp_path: Path, version: str) -> None:
    """Every module compiles, those without the local endpoint are imported, templates are written.

    Its dependencies are those of this environment.
    """
    executable = interpreter(version, python)
    if executable is None:
        pytest.skip(f"no Python {version} here")
    installed = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    lent = os.pathsep.join((installed.stdout.strip(), sysconfig.get_path("purelib")))
    folders = ("--output-dir", str(tmp_path), "--scripts-dir", str(tmp_path))
    for words in (("-c", IMPORTING), ("-m", "dynoexport", "templates", *folders)):
        done = run(executable, "-B", "-W", "error", *words, PYTHONPATH=lent)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "table.yaml").read_bytes() == (ROOT / "templates/table.yaml").read_bytes()


def test_deploying_needs_no_emulator(wheel: Path) -> None:
    """The packages that only the local endpoint needs are in its extra."""
    needed = [
        requirement
        for requirement in metadata(wheel).get_all("Requires-Dist", [])
        if "extra" not in requirement
    ]
    names = {requirement.split(">")[0].split("[")[0].strip() for requirement in needed}
    assert names == {"troposphere", "awacs", "PyYAML", "boto3", "click", "rich", "Jinja2"}

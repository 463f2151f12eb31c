"""What is published: ``pip install dynoexport`` alone is enough to deploy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dynoexport

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).parents[1]
SOURCES = ("dynoexport", "scripts", "templates", "docs")
FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
LISTING = """
import json
from dynoexport import assets
print(json.dumps({
    "templates": {name: assets.template(name) for name in assets.templates()},
    "scripts": {name: assets.script(name) for name in assets.scripts()},
}))
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, and the wheel that was built from it, not from the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, source)
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
    found = environment / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", found, "install", "--no-deps", wheel],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return found


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def run(python: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Away from the checkout, so that nothing is found in it by accident."""
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
    """With its dependencies lent from this environment; the package is the wheel's."""
    lent = sysconfig.get_path("purelib")
    where = run(python, "-c", "import dynoexport; print(dynoexport.__file__)", PYTHONPATH=lent)
    assert Path(where.stdout.strip()).is_relative_to(python.parents[1])
    command = str(python.with_name("dynoexport"))
    folders = ("--output-dir", str(tmp_path), "--scripts-dir", str(tmp_path))
    done = run(python, command, "templates", *folders, PYTHONPATH=lent)
    assert done.returncode == 0, done.stderr
    for path in (*(ROOT / "templates").glob("*.yaml"), *(ROOT / "scripts").glob("*.py")):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_the_wheel_carries_every_module_and_its_data(wheel: Path) -> None:
    """A package that was forgotten in setup.cfg would be missing."""
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if name.startswith("dynoexport/")}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "dynoexport").rglob("*.py")}
    bundled = {name for name in carried if name.startswith("dynoexport/bundled/")}
    names = ("py.typed", "planning/prices.json", "presentation/plan.html")
    data = {f"dynoexport/{name}" for name in names}
    assert carried - bundled == modules | data


def test_the_source_distribution_carries_what_the_wheel_is_built_from(dist: Path) -> None:
    (source,) = dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        carried = {name.partition("/")[2] for name in archive.getnames()}
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


def test_deploying_needs_no_emulator(wheel: Path) -> None:
    """What only the local endpoint needs is in its extra."""
    needed = [each for each in metadata(wheel).get_all("Requires-Dist", []) if "extra" not in each]
    names = {each.split(">")[0].split("[")[0].strip() for each in needed}
    assert names == {"troposphere", "awacs", "PyYAML", "boto3", "click", "rich", "Jinja2"}

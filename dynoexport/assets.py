"""Where templates and job scripts are: in a checkout, or inside the installed package."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_TEMPLATES = "templates"
_SCRIPTS = "scripts"


class AssetMissing(DynoexportError):
    """A file of the project is missing."""


def template(name: str) -> str:
    """The text of a template, for example of ``table.yaml``.

    Raises:
        AssetMissing: it does not exist.
    """
    return _text(_TEMPLATES, name)


def script(name: str) -> str:
    """The text of a job script, for example of ``export_table.py``.

    Raises:
        AssetMissing: it does not exist.
    """
    return _text(_SCRIPTS, name)


def templates() -> list[str]:
    """The templates' file names, sorted."""
    return _names(_TEMPLATES, ".yaml")


def scripts() -> list[str]:
    """The job scripts' file names, sorted."""
    return _names(_SCRIPTS, ".py")


def scripts_version() -> str:
    """A hash of the job scripts, which changes with their contents.

    So a script in S3 never changes, and a running job keeps its script.
    """
    digest = hashlib.sha256()
    for name in scripts():
        text = script(name).encode()
        digest.update(f"{name}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()[:16]


def _folder(kind: str) -> Traversable:
    """In a wheel the folders are in ``dynoexport/bundled``, in a checkout beside the package."""
    bundled = resources.files("dynoexport") / "bundled" / kind
    return bundled if bundled.is_dir() else Path(__file__).parents[1] / kind


def _names(kind: str, suffix: str) -> list[str]:
    folder = _folder(kind)
    if not folder.is_dir():
        return []
    return sorted(item.name for item in folder.iterdir() if item.name.endswith(suffix))


def _text(kind: str, name: str) -> str:
    file = _folder(kind) / name
    if not file.is_file():
        raise AssetMissing(f"there is no {kind}/{name}", hint="install dynoexport again")
    return file.read_bytes().decode()

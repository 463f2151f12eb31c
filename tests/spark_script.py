"""A script as a Spark job without an endpoint, in a process as the endpoint starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from dynoexport.local.glue.processes import JobProcess

_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "DYNOEXPORT_BUCKETS": "",
}


def run(job: JobProcess, script: Path) -> tuple[str, str]:
    """Run it to its end, which must be a good one; what it printed, and its errors."""
    job.order(script, [], _ENVIRONMENT)
    assert job.process.stdout is not None
    assert job.process.stderr is not None
    printed, errors = job.process.stdout.read(), job.process.stderr.read()
    assert job.process.wait() == 0, errors
    return printed.strip(), errors

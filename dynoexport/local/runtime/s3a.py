"""``s3://`` for Spark by Hadoop's own S3A, as on Glue 5.1 and later.

The Python registry ships Spark without S3A. To use it, name the directory of its jars in the
variable ``JARS``; they come before Spark's own, so that a newer Hadoop replaces Spark's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

JARS = "DYNOEXPORT_S3A_JARS"
# https://hadoop.apache.org/docs/r3.4.1/hadoop-aws/tools/hadoop-aws/index.html
FILE_SYSTEM = {
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
}
_OF_ENVIRONMENT = {
    "AWS_ENDPOINT_URL": "endpoint",
    "AWS_ACCESS_KEY_ID": "access.key",
    "AWS_SECRET_ACCESS_KEY": "secret.key",
    "AWS_SESSION_TOKEN": "session.token",
}


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Spark's settings for the endpoint and the credentials of an environment.

    Not the region: the job sets it, as it must on AWS.
    """
    return {
        **FILE_SYSTEM,
        **{
            f"spark.hadoop.fs.s3a.{setting}": environment[name]
            for name, setting in _OF_ENVIRONMENT.items()
            if name in environment
        },
    }

"""Errors that end a job in one line."""

from __future__ import annotations

import re


class JobFailed(Exception):
    """What failed, why, and what to do, in one line.

    Glue shows the message of an exception as the run's error. For sys.exit it shows only
    "Command failed with exit code"
    (https://github.com/awslabs/aws-glue-libs/issues/221).
    """

    def __init__(self, message: object) -> None:
        # A name in it may contain line breaks. A Python shell job raises type(error)(error):
        # https://github.com/aws-samples/amazon-deequ-glue/issues/5
        super().__init__(" ".join(str(message).splitlines()))


MESSAGE_MAX = 300


def first_line(error: Exception) -> str:
    """What an exception of Spark says, without the Java around it."""
    text = str(getattr(error, "desc", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Before 3.3, Spark lists every word that it knows.
    return lines[0][:MESSAGE_MAX] if lines else type(error).__name__


def spark_cause(error: Exception) -> str | None:
    """The cause of an error of Spark, in one line; None if the error is not Spark's.

    An error in a Python worker has it in the last line of its traceback. Any other has it in the
    last Java cause with a message.
    """
    if not type(error).__module__.startswith(("py4j.", "pyspark.")):
        return None
    text = str(error)
    traceback = text.rpartition("Traceback (most recent call last):\n")[2]
    said = re.findall(r"^(\w[\w.]*(?:: .*)?)$", traceback, re.MULTILINE)
    causes = re.findall(r"^(?:Caused by)?: (\S+: .*)$", text, re.MULTILINE)
    cause = said[0] if traceback != text and said else (causes or [first_line(error)])[-1]
    return " ".join(cause.split())[:MESSAGE_MAX]

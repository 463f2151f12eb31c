"""Errors that end a job in one line."""

from __future__ import annotations

import re


class JobFailed(Exception):
    """Something that the owner of the export can mend, in one line.

    Raised and not exited with: of an exception Glue shows the message as the run's error, of
    sys.exit only "Command failed with exit code"
    (https://github.com/awslabs/aws-glue-libs/issues/221).
    """

    def __init__(self, message: str) -> None:
        # What is named in it may hold line breaks.
        super().__init__(" ".join(message.splitlines()))


MESSAGE_MAX = 300


def first_line(error: Exception) -> str:
    """What an exception of Spark says, without the Java around it."""
    text = str(getattr(error, "desc", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Spark before 3.3 lists all words that it knows.
    return lines[0][:MESSAGE_MAX] if lines else type(error).__name__


def spark_cause(error: Exception) -> str | None:
    """What an error of Spark's comes down to, in one line; None if it is no error of Spark's.

    Of what happened in a Python worker that is the last line of its traceback, else the last
    cause in Java that says something.
    """
    if not type(error).__module__.startswith(("py4j.", "pyspark.")):
        return None
    text = str(error)
    traceback = text.rpartition("Traceback (most recent call last):\n")[2]
    said = re.findall(r"^(\w[\w.]*(?:: .*)?)$", traceback, re.MULTILINE)
    causes = re.findall(r"^(?:Caused by)?: (\S+: .*)$", text, re.MULTILINE)
    cause = said[0] if traceback != text and said else (causes or [first_line(error)])[-1]
    return " ".join(cause.split())[:MESSAGE_MAX]

"""Errors that end a job in one line."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


class TaskFailed(Exception):
    """What a task says of its error: nothing that quotes a value of an item."""


MESSAGE_MAX = 300


def first_line(error: Exception) -> str:
    """What an exception of Spark says, without the Java around it."""
    text = str(getattr(error, "desc", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Before 3.3, Spark lists every word that it knows.
    return lines[0][:MESSAGE_MAX] if lines else type(error).__name__


# Errors whose text the job, AWS, the network or the file system wrote. Any other text may quote a
# value of an item.
QUOTE_NOTHING = (JobFailed, TaskFailed, ImportError, MemoryError, OSError)
# By name: the command imports this module, and its --help does not wait for botocore.
AWS_QUOTES_NOTHING = {"BotoCoreError", "ClientError"}
AWS_QUOTES_PARAMETERS = {"ParamValidationError"}
# The same by the names that a text has.
NAMES_QUOTE_NOTHING = re.compile(
    r"([\w.]+\.)?JobFailed|botocore\.[\w.]*(?<!ParamValidationError)|MemoryError"
    r"|urllib3\.exceptions\.\w+"
    r"|(OS|IO|Connection\w*|BrokenPipe|FileNotFound|Permission|Timeout|Import|ModuleNotFound)Error"
    r"|(java\.(io|net|nio)|org\.apache\.hadoop|com\.amazonaws|software\.amazon)\.[\w.$]+"
    r"|java\.lang\.OutOfMemoryError"
)
SPARK_EXCEPTION = "org.apache.spark.SparkException"
# How Spark 3.3 and later name what is wrong with SQL: [DIVIDE_BY_ZERO] Division by zero. The rest
# of the message may quote the item's value.
ERROR_CLASS = re.compile(r"\[[A-Z][A-Z_0-9.]+\]")
EXCEPTION = re.compile(
    r"((?:[a-z_][\w$]*\.)+[A-Z][\w$]*|[A-Z]\w*(?:Error|Exception|Failed|Failure))(?:: (.*))?"
)
FRAME = re.compile(r"\s*(at |File \"|\.\.\. \d+ more)|Traceback \(most recent call last\):$")


def quotes_nothing(error: BaseException) -> bool:
    """Whether the error's text has no value of an item."""
    kinds = {
        kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "botocore.exceptions"
    }
    by_aws = bool(kinds & AWS_QUOTES_NOTHING) and not kinds & AWS_QUOTES_PARAMETERS
    # botocore hands some of urllib3's on: an answer that ends too early, read in chunks.
    by_network = type(error).__module__ == "urllib3.exceptions"
    return by_aws or by_network or isinstance(error, QUOTE_NOTHING)


def describe_error(error: BaseException) -> str:
    """What the error is, without a value of an item that its text may quote."""
    if quotes_nothing(error):
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def without_values(said: str) -> str:
    """The exception in a text, without a value of an item that its message may quote."""
    found = EXCEPTION.fullmatch(said)
    if found is None:
        known = ERROR_CLASS.match(said)
        return known.group() if known else "an error"
    name, message = found.group(1), found.group(2) or ""
    if NAMES_QUOTE_NOTHING.fullmatch(name):
        return said
    known = ERROR_CLASS.match(message)
    if known:
        return f"{name}: {known.group()}"
    if name == SPARK_EXCEPTION:
        # It says which task failed, and then quotes the error of the task.
        return re.sub(rf"{EXCEPTION.pattern}.*", r"\1", said[len(name) + 2 :]) or name
    return name


def frames_without_values(text: str) -> str:
    """The places in tracebacks of Python and Java, and the exceptions without their values."""
    kept = []
    for line in text.splitlines():
        said = line.removeprefix("Caused by: ")
        if FRAME.match(line):
            kept.append(line)
        elif EXCEPTION.fullmatch(said):
            kept.append(line[: len(line) - len(said)] + without_values(said))
    return "\n".join(kept)


def run_without_values(function: Callable[..., Iterator[Any]], *values: object) -> Iterator[Any]:
    """The function's results; its errors quote no value of an item.

    Spark logs the error of a task before the job sees it.

    Raises:
        JobFailed: in place of an error whose text may quote a value.
    """
    try:
        yield from function(*values)
    except Exception as error:
        if quotes_nothing(error):
            raise
        raise JobFailed(describe_error(error)) from None


def spark_cause(error: Exception) -> str | None:
    """The cause of an error of Spark, in one line without values; None if it is not Spark's.

    An error in a Python worker has it in the last line of its traceback. Any other has it in the
    last Java cause with a message.
    """
    if not type(error).__module__.startswith(("py4j.", "pyspark.")):
        return None
    text = str(error)
    worker = text.rpartition("Traceback (most recent call last):\n")[2]
    said = re.findall(r"^(\w[\w.]*(?:: .*)?)$", worker, re.MULTILINE)
    causes = re.findall(r"^(?:Caused by)?: (\S+: .*)$", text, re.MULTILINE)
    cause = said[0] if worker != text and said else (causes or [first_line(error)])[-1]
    return " ".join(without_values(cause).split())[:MESSAGE_MAX]

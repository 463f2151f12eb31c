"""No error, log line or debug output has a value of an item, whatever fails on it."""

from __future__ import annotations

import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from click.testing import CliRunner
from old_design import old_file
from urllib3.exceptions import ProtocolError

import dynoexport
from dynoexport.cli import main
from dynoexport.jobs.failures import (
    JobFailed,
    describe_error,
    frames_without_values,
    run_without_values,
    without_values,
)
from dynoexport.local import items
from dynoexport.local.items import ItemsRefused, Key
from dynoexport.model import OutputFormat
from dynoexport.storage.part_files import FileBroken, count_items

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK = "ada@example.org"
JAVA = "java.lang.NumberFormatException"
LOST = "Job aborted due to stage failure: Lost task 0.3 in stage 1.0"
HADOOP = "org.apache.hadoop.security.AccessControlException: Permission denied: s3a://b/k"


# --- jobs -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"ValueError: could not convert string to float: '{MARK}'", "ValueError"),
        (f"decimal.InvalidOperation: {MARK}", "decimal.InvalidOperation"),
        (f'{JAVA}: For input string: "{MARK}"', JAVA),
        (f"pyarrow.lib.ArrowInvalid: Could not convert '{MARK}'", "pyarrow.lib.ArrowInvalid"),
        (f"[CAST_INVALID_INPUT] The value '{MARK}' of the type", "[CAST_INVALID_INPUT]"),
        (
            f"org.apache.spark.SparkNumberFormatException: [CAST_INVALID_INPUT] The value '{MARK}'",
            "org.apache.spark.SparkNumberFormatException: [CAST_INVALID_INPUT]",
        ),
        (
            f"org.apache.spark.SparkException: {LOST}: {JAVA}: For input string: '{MARK}'",
            f"{LOST}: {JAVA}",
        ),
        (
            f"botocore.exceptions.ParamValidationError: Invalid value: {MARK}",
            "botocore.exceptions.ParamValidationError",
        ),
        (HADOOP, HADOOP),
        (
            "OSError: [Errno 28] No space left on device",
            "OSError: [Errno 28] No space left on device",
        ),
        ("__main__.JobFailed: start a new run", "__main__.JobFailed: start a new run"),
    ],
)
def test_exception_in_a_text_keeps_only_what_quotes_nothing(said: str, kept: str) -> None:
    assert without_values(said) == kept


def test_traceback_in_a_text_keeps_its_places() -> None:
    text = "\n".join(
        [
            f"An error occurred while calling o1.collect. {MARK}",
            f': org.apache.spark.SparkException: Job aborted: {JAVA}: "{MARK}"',
            "Traceback (most recent call last):",
            '  File "/tmp/export_table.py", line 7, in convert',
            f"    raise ValueError('{MARK}')",
            f"ValueError: {MARK}",
            f"and {MARK}",
            "\tat org.apache.spark.api.python.BasePythonRunner.read(PythonRunner.scala:5)",
            f"Caused by: java.lang.IllegalArgumentException: {MARK}",
            "\t... 9 more",
        ]
    )
    assert frames_without_values(text).splitlines() == [
        "Traceback (most recent call last):",
        '  File "/tmp/export_table.py", line 7, in convert',
        "ValueError",
        "\tat org.apache.spark.api.python.BasePythonRunner.read(PythonRunner.scala:5)",
        "Caused by: java.lang.IllegalArgumentException",
        "\t... 9 more",
    ]


def test_task_fails_with_the_place_and_without_the_value() -> None:
    def numbers(texts: list[str]) -> Iterator[int]:
        yield from map(int, texts)

    results = run_without_values(numbers, ["1", MARK])
    assert next(results) == 1
    with pytest.raises(JobFailed) as failed:
        next(results)
    assert str(failed.value).startswith("ValueError in numbers, line ")
    assert MARK not in "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject"),
        ConnectionResetError("reset by peer"),
        JobFailed("start a new run"),
        ProtocolError("Connection broken"),
    ],
)
def test_error_that_quotes_nothing_stays_as_it_is(error: Exception) -> None:
    def fail() -> Iterator[Any]:
        raise error
        yield

    with pytest.raises(type(error)) as failed:
        list(run_without_values(fail))
    assert failed.value is error
    assert str(error) in describe_error(error)


def test_refused_parameter_is_not_quoted() -> None:
    error = ParamValidationError(report=f"Invalid type for parameter Body, value: {MARK}")
    assert describe_error(error) == "ParamValidationError"


# --- the command ----------------------------------------------------------------------------------
@pytest.mark.parametrize("words", [[], ["--debug"]], ids=["plain", "debug"])
def test_unexpected_error_of_a_command_quotes_no_value(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        try:
            int(MARK)
        except ValueError as error:
            raise KeyError(MARK) from error

    monkeypatch.setattr(dynoexport, "snapshots", fail, raising=False)
    done = CliRunner().invoke(main, ["snapshots", "Reviews", "--region", "eu-west-1", *words])
    assert done.exit_code == 1
    assert "unexpected KeyError in fail, line " in done.output
    assert MARK not in done.output


@pytest.mark.parametrize(
    "line",
    [
        f'{{"id": {MARK}}}',
        f'["{MARK}"]',
        f'{{"id": {{"B": "{MARK}"}}}}',
        f'{{"id": {{"S": "a"}}, "n": {{"N": "{MARK}"}}}}',
        f'{{"id": {{"S": "a"}}, "n": {{"BOOL": "{MARK}"}}}}',
        f'{{"id": {{"S": "a"}}, "n": {{"L": "{MARK}"}}}}',
        f'{{"id": {{"S": "a"}}, "n": {{"M": "{MARK}"}}}}',
        f'{{"id": {{"S": "a"}}, "n": {{"NS": ["{MARK}"]}}}}',
        f'{{"id": {{"S": "a"}}, "n": {{"SS": ["{MARK}", "{MARK}"]}}}}',
        f'{{"id": "{MARK}", "n": 1e200}}',
        f'{{"other": "{MARK}"}}',
        f'{{"id": ["{MARK}"]}}',
        f'{{"id": "{MARK}{"x" * 2_100}"}}',
        f'{{"id": "{MARK}"}}\n{{"id": "{MARK}"}}',
    ],
)
def test_item_that_is_refused_is_named_by_its_line_alone(line: str) -> None:
    with pytest.raises(ItemsRefused, match="line ") as refused:
        list(items.read(line.splitlines(), Key("id")))
    assert MARK not in str(refused.value)


@pytest.mark.parametrize("fmt", OutputFormat)
def test_broken_part_file_is_named_without_its_values(tmp_path: Path, fmt: OutputFormat) -> None:
    """Cut off, with a value in the wrong place, and something else altogether."""
    whole = old_file(fmt.value)
    value = MARK.encode()
    path = tmp_path / "part"
    for number, broken in enumerate(
        [
            whole[: len(whole) // 2] + value,
            value + whole,
            whole[:-9] + value + whole[-9:],
            value,
            f'{{"a": "{MARK}'.encode(),
            f'a\n"{MARK}\n'.encode(),
            f"<items><item>{MARK}</x></items>".encode(),
        ]
    ):
        path.write_bytes(broken)
        with suppress(FileBroken):
            count_items(path, fmt)
            continue
        with pytest.raises(FileBroken) as failed:
            count_items(path, fmt)
        assert MARK not in str(failed.value), number

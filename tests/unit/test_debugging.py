"""``--debug``: what the log of AWS calls says and never says, and how the unexpected ends."""

from __future__ import annotations

import http.server
import logging
import os
import re
import threading
from typing import TYPE_CHECKING, Any

import boto3
import click
import pytest
import warm_process
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from waiting_lines import without_waiting

from dynoexport.aws.call_log import log_calls
from dynoexport.cli import main

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

SECRET = "IQoJb3JpZ2luX2VjEXAMPLE"


def client(service: Any) -> Any:
    made = boto3.client(
        service,
        region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
    )
    log_calls(made)
    return made


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, "dynoexport"):
        yield caplog


def test_a_call_is_logged_with_its_duration_and_request_id(log: pytest.LogCaptureFixture) -> None:
    glue = client("glue")
    with Stubber(glue) as stub:
        about = {"HTTPStatusCode": 200, "RequestId": "4f1", "RetryAttempts": 2}
        stub.add_response("get_database", {"ResponseMetadata": about})
        glue.get_database(Name="dynamodb_exports")
    (line,) = log.messages
    assert re.fullmatch(r"glue\.GetDatabase 200 in \d+ ms, request 4f1, retries 2", line)


def test_an_error_is_logged_without_what_was_signed(log: pytest.LogCaptureFixture) -> None:
    glue = client("glue")
    message = f"The signature does not match.\n\nCanonical String: x-amz-security-token:{SECRET}"
    with Stubber(glue) as stub:
        stub.add_client_error("get_database", "InvalidSignatureException", message, 403)
        with pytest.raises(ClientError):
            glue.get_database(Name="dynamodb_exports")
    assert log.messages[0].endswith("InvalidSignatureException: The signature does not match.")
    assert SECRET not in log.text


def test_no_item_gets_into_the_log(log: pytest.LogCaptureFixture) -> None:
    dynamodb = client("dynamodb")
    with Stubber(dynamodb) as stub:
        stub.add_client_error("put_item", "ValidationException", f"invalid number {SECRET}", 400)
        with pytest.raises(ClientError):
            dynamodb.put_item(TableName="T", Item={"n": {"N": SECRET}})
    assert log.messages[0].endswith(", ValidationException")
    assert SECRET not in log.text


# --- the command ----------------------------------------------------------------------------------
def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *commands(main)], ids=" ".join)
def test_every_command_takes_debug(path: tuple[str, ...]) -> None:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        subcommand = command.get_command(click.Context(command), name)
        assert subcommand is not None
        command = subcommand
    assert [parameter.opts for parameter in command.params if parameter.name == "debug"] == [
        ["--debug"]
    ]


class Page(http.server.BaseHTTPRequestHandler):
    """An answer without what it has to have."""

    def do_POST(self) -> None:
        body = b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def dynoexport(*words: str) -> subprocess.CompletedProcess[str]:
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}
    words = ("dynoexport", *words, "--region", "eu-west-1")
    done = warm_process.run(*words, env={**os.environ, **keys}, timeout=60)
    done.stderr = without_waiting(done.stderr)
    return done


def test_the_unexpected_is_one_line_that_names_debug(proxy: str) -> None:
    done = dynoexport("status", "--endpoint-url", proxy)
    assert (done.returncode, done.stdout) == (1, "")
    what, hint = done.stderr.splitlines()
    assert what.startswith("Error: unexpected KeyError in ")
    assert "--debug" in hint


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after it"])
def test_with_debug_the_unexpected_has_its_traceback(proxy: str, *, before: bool) -> None:
    words = ["status", "--endpoint-url", proxy]
    done = dynoexport(*(["--debug", *words] if before else [*words, "--debug"]))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback (most recent call last):" in done.stderr
    assert "dynoexport.aws.call_log: resourcegroupstaggingapi.GetResources 200 in " in (done.stderr)
    assert SECRET not in done.stderr

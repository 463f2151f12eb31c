"""What goes wrong with AWS or on the command line is a line, a cure and an exit code."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import warm_process
from command import Command, Quiet, serving
from waiting_lines import without_waiting

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dynoexport.local.context import Endpoint

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in an environment without any AWS configuration but the given."""
    bare = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = warm_process.run("dynoexport", *words, env={**bare, **env}, timeout=60)
    done.stderr = without_waiting(done.stderr)
    return done


def refused(done: subprocess.CompletedProcess[str], code: int = 1) -> list[str]:
    """The lines on stderr; nothing is on stdout."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return done.stderr.splitlines()


# --- what AWS and botocore raise ------------------------------------------------------------------
@contextmanager
def answering(code: str, message: str, status: int = 400) -> Iterator[str]:
    """An AWS that answers everything with one error, in the words of each protocol."""

    class Refusing(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - as http.server calls it
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "json" in self.headers.get("Content-Type", ""):
                body = json.dumps({"__type": code, "message": message})
            else:
                error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
                body = f"<ErrorResponse>{error}</ErrorResponse>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_PUT = do_POST  # noqa: N815 - http.server's names

    with serving(Refusing) as url:
        yield url


ME = "arn:aws:iam::123456789012:user/me"
DESCRIBE = "cloudformation:DescribeStacks"
STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/dynoexport-common/*"
NEW_CREDENTIALS = "  get new ones, for example with 'aws sso login' or 'aws configure'"


@pytest.mark.parametrize(
    ("words", "code", "message", "reported"),
    [
        (
            ("status",),
            "AccessDeniedException",
            f"User: {ME} is not authorized to perform: tag:GetResources",
            [
                f"Error: access denied: {ME} lacks tag:GetResources",
                "  allow tag:GetResources in that user's or role's policy",
            ],
        ),
        (
            ("init", "--yes"),
            "AccessDenied",
            f"User: {ME} is not authorized to perform: {DESCRIBE} on resource: {STACK}",
            [
                f"Error: access denied: {ME} lacks {DESCRIBE} on {STACK}",
                f"  allow {DESCRIBE} in that user's or role's policy",
            ],
        ),
        (
            ("runs", "Reviews"),
            "ExpiredTokenException",
            "The security token included in the request is expired",
            ["Error: the AWS credentials have expired at BatchGetWorkflows", NEW_CREDENTIALS],
        ),
        (
            ("init", "--yes"),
            "ExpiredToken",
            "The security token included in the request is expired",
            ["Error: the AWS credentials have expired at DescribeStacks", NEW_CREDENTIALS],
        ),
        (
            ("status",),
            "ThrottledException",
            "Rate exceeded",
            [
                "Error: AWS is throttling GetResources, after several attempts",
                "  wait a minute and try again",
            ],
        ),
        (
            ("runs", "Reviews"),
            "ValidationException",
            "1 validation error detected",
            [
                "Error: AWS refused BatchGetWorkflows: 1 validation error detected",
                "  correct the value it names",
            ],
        ),
        (
            ("runs", "Reviews"),
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            ["Error: AWS does not know these credentials", NEW_CREDENTIALS],
        ),
    ],
)
def test_an_error_of_aws_is_a_line_with_cause_and_cure(
    words: tuple[str, ...], code: str, message: str, reported: list[str]
) -> None:
    with answering(code, message) as url:
        done = run(*words, AWS_ENDPOINT_URL=url, AWS_REGION="us-east-1", **KEYS)
    assert refused(done) == reported


@contextmanager
def web_page(status: int) -> Iterator[str]:
    """A proxy that answers everything with a page for people."""

    class Proxy(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - as http.server calls it
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b"<!DOCTYPE html>\n<html><body>Log in\nfirst</body></html>"
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST  # noqa: N815 - as http.server calls it

    with serving(Proxy) as url:
        yield url


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("status",), 200),
        (("runs", "Reviews"), 403),
        (("query", "Reviews"), 200),
        (("init", "--yes"), 403),
        (("deploy", "Reviews", "--yes"), 200),
        (("plan", "Reviews"), 200),
        (("doctor",), 200),
    ],
)
def test_a_web_page_in_place_of_an_answer_is_one_line(words: tuple[str, ...], status: int) -> None:
    with web_page(status) as url:
        done = run(*words, AWS_ENDPOINT_URL=url, AWS_REGION="us-east-1", **KEYS)
    text = done.stdout + done.stderr
    assert done.returncode == 1, text
    assert f"was answered with a web page, not by AWS (HTTP {status})" in text
    assert "unexpected" not in text
    assert "Traceback" not in text


def test_missing_credentials() -> None:
    assert refused(run("status", AWS_REGION="us-east-1")) == [
        "Error: no AWS credentials were found",
        "  run 'aws configure', or set --profile",
    ]


def test_half_of_the_credentials() -> None:
    done = run("status", AWS_REGION="us-east-1", AWS_ACCESS_KEY_ID="testing")
    what, cure = refused(done)
    assert what.startswith("Error: Partial credentials found in env, missing:")
    assert cure == "  set both the access key and the secret key"


def test_no_region() -> None:
    assert refused(run("status", **KEYS)) == [
        "Error: no AWS region is set",
        "  add --region, or set AWS_REGION, for example to us-east-1",
    ]


def test_an_unknown_profile() -> None:
    what, cure = refused(run("status", "--profile", "nobody", "--region", "us-east-1"))
    assert what == "Error: The config profile (nobody) could not be found"
    assert "aws configure list-profiles" in cure


def test_an_endpoint_that_does_not_answer() -> None:
    done = run("status", AWS_REGION="us-east-1", AWS_ENDPOINT_URL="http://127.0.0.1:9", **KEYS)
    what, cure = refused(done)
    assert (
        what
        == 'Error: GetResources failed: Could not connect to the endpoint URL: "http://127.0.0.1:9/"'
    )
    assert "'dynoexport local start' is running" in cure


def test_a_failure_has_another_exit_code_than_a_stale_snapshot() -> None:
    """Exit code 3 is for snapshots alone."""
    done = run("status", "--stale", "26h", AWS_REGION="us-east-1")
    assert done.returncode == 1


# --- where to work --------------------------------------------------------------------------------
def asked(words: tuple[str, ...], **env: str) -> dict[str, str]:
    """What doctor says of region and credentials."""
    done = run(*words, "--output", "json", **env)
    return {check["name"]: check["detail"] for check in json.loads(done.stdout)}


def keys(endpoint: Endpoint) -> dict[str, str]:
    """The access key of the endpoint's root, as ``KEYS`` has one of nobody."""
    return {name: endpoint.env[name] for name in KEYS}


@pytest.fixture
def config(endpoint: Endpoint, tmp_path: Path) -> Mapping[str, str]:
    """A profile with region and keys of its own, as ``aws configure`` writes it."""
    file = tmp_path / "config"
    lines = ["[profile work]", "region = eu-west-3"]
    lines += [f"{name.lower()} = {value}" for name, value in keys(endpoint).items()]
    file.write_text("\n".join(lines))
    return {"AWS_CONFIG_FILE": str(file)}


@pytest.mark.endpoint
@pytest.mark.parametrize(
    ("words", "env", "region"),
    [
        (("doctor",), {**KEYS, "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        (
            ("doctor",),
            {**KEYS, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-2"},
            "eu-west-2",
        ),
        (("doctor",), {"AWS_PROFILE": "work"}, "eu-west-3"),
        (("doctor", "--profile", "work"), {}, "eu-west-3"),
        (("--profile", "work", "doctor"), {}, "eu-west-3"),
        (("doctor", "--region", "us-west-2"), {"AWS_PROFILE": "work"}, "us-west-2"),
        (("--region", "us-west-2", "doctor"), {**KEYS, "AWS_REGION": "eu-west-2"}, "us-west-2"),
        (("--region", "us-west-1", "doctor", "--region", "us-west-2"), KEYS, "us-west-2"),
    ],
)
def test_settings_override_each_other_as_in_the_aws_command(
    endpoint: Endpoint,
    config: Mapping[str, str],
    words: tuple[str, ...],
    env: Mapping[str, str],
    region: str,
) -> None:
    """An option before the environment before the profile; the command's own option first."""
    given = {**env, **keys(endpoint)} if KEYS.keys() <= env.keys() else env
    done = asked(words, AWS_ENDPOINT_URL=endpoint.url, **config, **given)
    assert done["region"] == region
    assert done["credentials"].startswith("arn:aws:sts::")


@pytest.mark.endpoint
def test_the_endpoint_option_overrides_the_environment(
    endpoint: Endpoint,
) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "us-east-1"}
    nowhere.update(keys(endpoint))
    assert "credentials" in asked(("doctor", "--endpoint-url", endpoint.url), **nowhere)
    for words in (
        ("--endpoint-url", endpoint.url, "runs"),
        ("runs", "--endpoint-url", endpoint.url),
    ):
        reported = refused(run(*words, "NotExported", **nowhere))
        assert reported[0] == "Error: NotExported is not exported in us-east-1"


# --- wrong usage ----------------------------------------------------------------------------------
@pytest.mark.endpoint
@pytest.mark.parametrize(
    ("words", "reported"),
    [
        (("deploy", "Reviews", "--set", "Splits"), "'Splits' is not NAME=VALUE"),
        (("deploy",), "Missing argument 'TABLE...'"),
        (("deploy", "Reviews", "--format", "xlsx"), "'xlsx' is not one of"),
        (("status", "--stale", "late"), "'late' is not a duration"),
        (("prune", "Reviews"), "--keep"),
        (("prune", "Reviews", "--keep", "1", "--older-than", "30d"), "--older-than"),
        (("prune", "Reviews", "--keep", "-1"), "-1 is not in the range"),
        (
            ("query", "Reviews", "SELECT 1", "--limit", "5"),
            "--limit does not work with SQL. Write LIMIT in the SQL.",
        ),
        (("query", "Reviews", "--output", "yaml"), "'yaml' is not one of"),
        (("runs",), "Missing argument 'TABLE'"),
        (("exprot",), "No such command 'exprot'"),
        (("logs", "Reviews", "--node", "import"), "'import' is not one of"),
    ],
)
def test_wrong_usage_is_reported_with_exit_code_2(
    endpoint: Endpoint, words: tuple[str, ...], reported: str
) -> None:
    lines = refused(Command(endpoint)(*words), 2)
    assert reported in " ".join(lines)
    assert "Traceback" not in "".join(lines)

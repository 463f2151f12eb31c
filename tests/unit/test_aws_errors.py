"""What AWS and botocore raise is shown with cause and remedy, without a traceback."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore import exceptions
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config
from botocore.exceptions import ClientError

from dynoexport.aws.account import NotAws
from dynoexport.aws.errors import AwsFailed, explain
from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.aws.account import Account

USER = "arn:aws:iam::123456789012:user/ada"
ROLE = "arn:aws:sts::123456789012:assumed-role/Admin/ada"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/Reviews"
NEW_CREDENTIALS = "get new ones, for example with 'aws sso login' or 'aws configure'"


def explained(error: Exception) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    found = explain(error)
    assert isinstance(found, AwsFailed)
    return found.what, found.hint


def refused(code: str, message: str = "", operation: str = "GetTable") -> tuple[str, str]:
    return explained(ClientError({"Error": {"Code": code, "Message": message}}, operation))


def test_an_error_of_another_library_is_not_explained() -> None:
    """It is a fault of this program, so the traceback is needed."""
    assert explain(KeyError("x")) is None


def sts(**credentials: str) -> Any:
    """A client of a new session, for boto3 keeps its first one; nobody listens on port 1."""
    return boto3.Session(**credentials).client(
        "sts",
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:1",
        config=Config(retries={"total_max_attempts": 1}),
    )


# --- before AWS is reached, as botocore really raises it -----------------------------------------
@pytest.mark.usefixtures("no_settings")
def test_missing_credentials() -> None:
    with pytest.raises(exceptions.NoCredentialsError) as raised:
        sts().get_caller_identity()
    assert explained(raised.value) == (
        "no AWS credentials were found",
        "run 'aws configure', or set --profile",
    )


@pytest.mark.usefixtures("no_settings")
def test_half_of_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message of botocore says which half."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    with pytest.raises(exceptions.PartialCredentialsError) as raised:
        sts().get_caller_identity()
    what, hint = explained(raised.value)
    assert "AWS_SECRET_ACCESS_KEY" in what
    assert hint == "set both the access key and the secret key"


@pytest.mark.usefixtures("no_settings")
def test_a_profile_that_does_not_exist() -> None:
    with pytest.raises(exceptions.ProfileNotFound) as raised:
        boto3.Session(profile_name="nobody")
    what, hint = explained(raised.value)
    assert "nobody" in what
    assert hint.startswith("'aws configure list-profiles'")


@pytest.mark.usefixtures("no_settings")
def test_no_region() -> None:
    with pytest.raises(exceptions.NoRegionError) as raised:
        boto3.Session().client("glue")
    assert explained(raised.value) == (
        "no AWS region is set",
        "add --region, or set AWS_REGION",
    )


@pytest.mark.usefixtures("no_settings")
def test_an_endpoint_that_does_not_answer() -> None:
    with pytest.raises(exceptions.EndpointConnectionError) as raised:
        sts(aws_access_key_id="x", aws_secret_access_key="x").get_caller_identity()
    what, hint = explained(raised.value)
    assert what == 'Could not connect to the endpoint URL: "http://127.0.0.1:1/"'
    assert "'dynoexport local start'" in hint


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectTimeoutError(endpoint_url="http://x"),
        exceptions.ConnectionClosedError(endpoint_url="http://x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_endpoint_that_does_not_answer_in_time(error: Exception) -> None:
    what, hint = explained(error)
    assert what.endswith('"http://x"')
    assert hint.startswith("check the network")


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (
            exceptions.CredentialRetrievalError(provider="x", error_msg="exit 1"),
            "AWS credentials could not be fetched",
        ),
        (
            exceptions.TokenRetrievalError(provider="sso", error_msg="x"),
            "the AWS login has expired",
        ),
        (exceptions.SSOTokenLoadError(error_msg="x"), "there is no AWS login"),
        (exceptions.UnauthorizedSSOTokenError(), "the AWS login has expired"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_expired_login_has_the_command_that_renews_it(error: Exception, what: str) -> None:
    assert explained(error) == (what, NEW_CREDENTIALS)


def test_a_subclass_of_an_error_is_explained_like_the_error() -> None:
    """Newer versions of botocore add subclasses."""

    class RefinedError(exceptions.NoCredentialsError):
        pass

    assert explained(RefinedError())[0] == "no AWS credentials were found"


def test_any_other_error_of_botocore_keeps_its_message() -> None:
    """In one line."""
    what, hint = explained(exceptions.ParamValidationError(report="Unknown\n  parameter"))
    assert what == "Parameter validation failed: Unknown parameter"
    assert hint.startswith("see https://docs.aws.amazon.com/boto3")


# --- access denied, in the wordings of several services ------------------------------------------
@pytest.mark.parametrize(
    ("message", "what"),
    [
        pytest.param(
            f"User: {ROLE} is not authorized to perform: dynamodb:DescribeTable on resource: "
            f"{TABLE} because no identity-based policy allows the dynamodb:DescribeTable action",
            f"{ROLE} lacks dynamodb:DescribeTable on {TABLE}",
            id="DynamoDB",
        ),
        pytest.param(
            f"User: {USER} is not authorized to perform: s3:ListBucket on resource: "
            '"arn:aws:s3:::exports" because no identity-based policy allows it',
            f"{USER} lacks s3:ListBucket on arn:aws:s3:::exports",
            id="S3",
        ),
        pytest.param(
            f"API: iam:CreateRole User: {USER} is not authorized to perform: iam:CreateRole",
            f"{USER} lacks iam:CreateRole",
            id="CloudFormation",
        ),
        pytest.param(
            "You are not authorized to perform: athena:StartQueryExecution on the resource. "
            "After your AWS administrator has updated your permissions, please try again.",
            "you lack athena:StartQueryExecution",
            id="Athena",
        ),
    ],
)
def test_a_denied_action_is_named_as_in_a_policy(message: str, what: str) -> None:
    action = next(word for word in what.split() if ":" in word and not word.startswith("arn:"))
    assert refused("AccessDeniedException", message) == (
        f"access denied: {what}",
        f"allow {action} in that user's or role's policy",
    )


def test_an_explicit_deny_is_pointed_out() -> None:
    """In that case, allowing the action does not help."""
    _, hint = refused(
        "AccessDenied",
        f"User: {USER} is not authorized to perform: glue:GetTable on resource: x with an "
        "explicit deny in a service control policy",
    )
    assert hint.endswith("; a policy denies it explicitly")


@pytest.mark.parametrize(
    ("code", "message", "what"),
    [
        ("403", "Forbidden", "access denied to GetTable: Forbidden"),
        ("AccessDenied", "Access\n Denied", "access denied to GetTable: Access Denied"),
        ("AccessDeniedException", "", "access denied to GetTable"),
        ("AccessDeniedByTheOwner", "no", "access denied to GetTable: no"),
        ("UnauthorizedOperation", "no", "access denied to GetTable: no"),
        ("AuthorizationError", "no", "access denied to GetTable: no"),
    ],
)
def test_a_denial_that_names_no_action_names_the_operation(
    code: str, message: str, what: str
) -> None:
    hint = "allow the action GetTable in the policy of your user or role"
    assert refused(code, message) == (what, hint)


# --- what else a service answers -----------------------------------------------------------------
@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired"])
def test_expired_credentials(code: str) -> None:
    assert refused(code, "x") == ("the AWS credentials have expired at GetTable", NEW_CREDENTIALS)


@pytest.mark.parametrize(
    "code",
    [
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AuthFailure",
    ],
)
def test_unknown_credentials(code: str) -> None:
    assert refused(code, "x") == ("AWS does not know these credentials", NEW_CREDENTIALS)


@pytest.mark.parametrize(
    "code",
    [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
        "ProvisionedThroughputExceededException",
    ],
)
def test_throttling_advises_to_try_later(code: str) -> None:
    what, hint = refused(code, "Rate exceeded")
    assert what == "AWS is throttling GetTable, after several attempts"
    assert hint.startswith("wait a minute and try again")


@pytest.mark.parametrize(
    "code", ["ValidationError", "ValidationException", "InvalidInputException", "InvalidRequest"]
)
def test_a_value_that_aws_refuses_is_reported_in_its_words(code: str) -> None:
    assert refused(code, "Splits must\n be a number") == (
        "AWS refused GetTable: Splits must be a number",
        "correct the value it names",
    )


def test_an_unknown_code_is_reported_with_its_message() -> None:
    what = "AWS answered Brew with Teapot: I am one"
    assert refused("Teapot", "I am one", "Brew") == (what, "log every call with --debug")


def test_an_answer_without_an_error_in_it_is_still_one_line() -> None:
    what = "AWS answered Brew with Unknown: "
    assert explained(ClientError({}, "Brew")) == (what, "log every call with --debug")


# --- answers that are not from AWS ----------------------------------------------------------------
class Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


def answering(account: Account, service: str, body: bytes, **headers: str) -> Any:
    """A client whose calls have this answer, with status 200."""
    client = account.client(service)
    client.meta.events.register_first(
        "before-send.*",
        lambda **_: AWSResponse("", 200, HeadersDict(headers), Raw(body)),  # type: ignore[arg-type]
    )
    return client


def answered(account: Account, service: str, call: str, body: bytes, **headers: str) -> str:
    """What the call raises if this answer comes with status 200."""
    client = answering(account, service, body, **headers)
    asked = {"Bucket": "b", "Key": "k"} if service == "s3" else {}
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the test compares it
        getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", call).lower())(**asked)
    shown = raised.value if isinstance(raised.value, NotAws) else explain(raised.value)
    assert isinstance(shown, DynoexportError)
    assert "--endpoint-url" in shown.hint
    return shown.what


@pytest.mark.parametrize(
    ("service", "call", "body", "what"),
    [
        ("glue", "GetTriggers", b"OK", "a text"),
        ("glue", "GetTriggers", b"", "nothing"),
        ("glue", "GetTriggers", b'{"Triggers": [', "broken JSON"),
        ("glue", "GetTriggers", b"\n<HTML>Log in</HTML>", "a web page"),
        ("cloudformation", "DescribeStacks", b"OK", "a text"),
        ("cloudwatch", "DescribeAlarms", b"OK", "a text"),
        ("s3", "GetObject", b"OK", "an object without an ETag"),
    ],
)
def test_answer_that_is_not_from_aws_is_refused(
    account: Account, service: str, call: str, body: bytes, what: str
) -> None:
    """Botocore would take it for an empty answer."""
    said = answered(account, service, call, body)
    assert said == f"{call} was answered with {what}, not by AWS (HTTP 200)"


@pytest.mark.parametrize(
    ("service", "call", "asked"),
    [
        ("logs", "delete_log_stream", {"logGroupName": "g", "logStreamName": "s"}),
        ("glue", "delete_table", {"DatabaseName": "d", "Name": "t"}),
        ("s3", "delete_object", {"Bucket": "b", "Key": "k"}),
    ],
)
def test_call_with_nothing_to_answer_may_have_an_empty_answer(
    account: Account, service: str, call: str, asked: dict[str, str]
) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogStream.html"""
    client = answering(account, service, b"")
    assert getattr(client, call)(**asked)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_broken_xml_names_the_call(account: Account) -> None:
    said = answered(account, "cloudformation", "DescribeStacks", b"<DescribeStacksResponse><")
    assert said == "DescribeStacks failed: its answer cannot be read"


def test_object_whose_connection_breaks_names_the_call() -> None:
    broken = exceptions.ResponseStreamingError(error="Connection broken")
    what, hint = explained(broken)
    assert what == (
        "GetObject failed: An error occurred while reading from response stream: Connection broken"
    )
    assert hint.startswith("check the network")

"""Errors of AWS and botocore, each as one line with its cause and the next step."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError


class AwsFailed(DynoexportError):
    """AWS refused a call, or could not be reached."""


_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN_KEYS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthFailure",
}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "ProvisionedThroughputExceededException",
}
_INVALID = {"ValidationError", "ValidationException", "InvalidInputException", "InvalidRequest"}

# The connection, or the body of an object, broke. Others inherit from the first two.
_NETWORK = {"ConnectionError", "HTTPClientError", "IncompleteReadError"}
_IN_A_BODY = {"ResponseStreamingError", "IncompleteReadError"}

_NEW_CREDENTIALS = "get new ones, for example with 'aws sso login' or 'aws configure'"

# By the exception's name in botocore.exceptions, so that this module does not import botocore.
_OF_BOTOCORE = {
    "NoCredentialsError": (
        "no AWS credentials were found",
        "run 'aws configure', or set --profile",
    ),
    "CredentialRetrievalError": ("AWS credentials could not be fetched", _NEW_CREDENTIALS),
    "TokenRetrievalError": ("the AWS login has expired", _NEW_CREDENTIALS),
    "SSOTokenLoadError": ("there is no AWS login", _NEW_CREDENTIALS),
    "UnauthorizedSSOTokenError": ("the AWS login has expired", _NEW_CREDENTIALS),
    "NoRegionError": ("no AWS region is set", "add --region, or set AWS_REGION"),
}


def is_denied(error: ClientError) -> bool:
    """Whether the caller may not make the call, so that another try would not help."""
    return _is_denied(error.response.get("Error", {}).get("Code", ""))


def _is_denied(code: str) -> bool:
    return code in _DENIED or code.startswith("AccessDenied") or code == "403"


def explain(error: Exception) -> AwsFailed | None:
    """The error for people; None if it comes from neither AWS nor botocore.

    The hint is the next step. AWS's own message is kept where it says more than its code.
    """
    names = [kind.__name__ for kind in type(error).__mro__]
    if "ClientError" in names:
        return _explain_service_error(error)  # type: ignore[arg-type]
    if "BotoCoreError" in names:
        return _explain_botocore_error(error)  # type: ignore[arg-type]
    if "ResponseParserError" in names:
        return AwsFailed(
            f"{_failed(error)}its answer cannot be read",
            hint="check the proxy, the network and --endpoint-url",
        )
    return None


def _failed(error: Exception) -> str:
    """The name of the call, which ``call_log`` adds. A body is read after it: that of an object."""
    of_body = "GetObject" if type(error).__name__ in _IN_A_BODY else ""
    operation = getattr(error, "operation_name", of_body)
    return f"{operation} failed: " if operation else ""


def _explain_botocore_error(error: BotoCoreError) -> AwsFailed:
    text = " ".join(str(error).split())
    for kind in type(error).__mro__:
        if kind.__name__ in _OF_BOTOCORE:
            what, cure = _OF_BOTOCORE[kind.__name__]
            return AwsFailed(what, hint=cure)
    name = type(error).__name__
    if name == "ProfileNotFound":
        return AwsFailed(text, hint="'aws configure list-profiles' shows those that exist")
    if name == "PartialCredentialsError":
        return AwsFailed(text, hint="set both the access key and the secret key")
    if _NETWORK & {kind.__name__ for kind in type(error).__mro__}:
        return AwsFailed(
            _failed(error) + text.rstrip("."),
            hint="check the network, --region and --endpoint-url; for the local endpoint, check "
            "that 'dynoexport local start' is running",
        )
    return AwsFailed(
        _failed(error) + text,
        hint="see https://docs.aws.amazon.com/boto3 about this error of botocore",
    )


def _explain_service_error(error: ClientError) -> AwsFailed:  # noqa: PLR0911 - a kind each
    code = error.response.get("Error", {}).get("Code", "Unknown")
    said = " ".join(error.response.get("Error", {}).get("Message", "").split())
    operation = error.operation_name
    if _is_denied(code):
        return _denied(said, operation)
    if code in _EXPIRED:
        return AwsFailed(f"the AWS credentials have expired at {operation}", hint=_NEW_CREDENTIALS)
    if code in _UNKNOWN_KEYS:
        return AwsFailed("AWS does not know these credentials", hint=_NEW_CREDENTIALS)
    if code in _THROTTLED:
        return AwsFailed(
            f"AWS is throttling {operation}, after several attempts",
            hint="wait a minute and try again",
        )
    if code in _INVALID:
        return AwsFailed(f"AWS refused {operation}: {said}", hint="correct the value it names")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return AwsFailed(
            f"AWS failed at {operation} with {code}: {said}",
            hint="try again; if it lasts, look at https://health.aws.amazon.com",
        )
    return AwsFailed(
        f"AWS answered {operation} with {code}: {said}", hint="log every call with --debug"
    )


def _denied(said: str, operation: str) -> AwsFailed:
    """The missing action, as a policy names it, if the message has it.

    S3 quotes the resource; Athena does not name the caller.
    """
    match = re.search(
        r"(?:(?P<who>arn:\S+) is|You are) not authorized to perform: (?P<action>[\w-]+:\w+)"
        r"(?: on resource: \"?(?P<resource>[^\s\"]+))?",
        said,
    )
    if match is None:
        words = f": {said}" if said else ""
        return AwsFailed(
            f"access denied to {operation}{words}",
            hint=f"allow the action {operation} in the policy of your user or role",
        )
    lacks = f"{match['who']} lacks" if match["who"] else "you lack"
    on = f" on {match['resource']}" if match["resource"] else ""
    return AwsFailed(
        f"access denied: {lacks} {match['action']}{on}",
        hint=f"allow {match['action']} in that user's or role's policy"
        + ("; a policy denies it explicitly" if "explicit deny" in said else ""),
    )

"""The outermost middleware of the endpoint: it refuses requests that are not signed.

moto checks no signature, lets every web page read its answers, and serves a page of its own from
which everything can be deleted. This middleware prevents all three.
"""

from __future__ import annotations

import functools
import json
from datetime import datetime, timezone
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response
from werkzeug.wsgi import get_input_stream

from dynoexport.local import cbor, context
from dynoexport.local.iam import authentication, identities
from dynoexport.local.iam.authentication import Received, Scope, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Keys in a request's WSGI environment: its headers and, once it is known, its scope.
HEADERS, SCOPE = "dynoexport.headers", "dynoexport.scope"
# The authorization decisions; ``authorization_middleware`` answers it.
RECORD = "/moto-api/authorizations"
# What moto serves beside AWS: its own pages, and the instance metadata of EC2.
_CONTROL = ("/moto-api", "/favicon.ico", "/latest/meta-data", "/latest/api")
# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
_QUERY_CODES = {
    "InvalidAccessKeyId": "InvalidClientTokenId",
    "InvalidToken": "InvalidClientTokenId",
    "RequestTimeTooSkewed": "SignatureDoesNotMatch",
}
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_JSON_CODES = {
    "AccessDenied": "MissingAuthenticationTokenException",
    "InvalidAccessKeyId": "UnrecognizedClientException",
    "InvalidToken": "UnrecognizedClientException",
    "RequestTimeTooSkewed": "InvalidSignatureException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}


class AuthenticationMiddleware:
    """Pass signed requests to the WSGI application; remove headers that let web pages read."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            environ[SCOPE] = self._authenticate(environ)
        except Unauthenticated as error:
            refusal: Iterable[bytes] = _refuse(environ, error)(environ, start_response)
            return refusal

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            kept = [
                header for header in headers if not header[0].lower().startswith("access-control-")
            ]
            return start_response(status, kept, *more)

        answer: Iterable[bytes] = self._app(environ, start)
        return answer

    def _authenticate(self, environ: dict[str, Any]) -> Scope:
        request = Received(
            environ["REQUEST_METHOD"], environ["REQUEST_URI"], environ[HEADERS], _reader(environ)
        )
        authentication.check_sender(request)
        scope = authentication.authenticate(request, identities.secret, datetime.now(timezone.utc))
        if scope.region not in _regions():
            # In AWS's words. moto cannot answer for a region that is not on its list.
            raise Unauthenticated(
                "SignatureDoesNotMatch",
                f"Credential should be scoped to a valid region, not '{scope.region}'.",
            )
        path = environ["PATH_INFO"]
        if path.startswith(_CONTROL):
            root = scope.access_key == context.ROOT_ACCESS_KEY
            if path != RECORD or request.method != "GET" or not root:
                raise Unauthenticated("AccessDenied", "The endpoint has no such page.")
        return scope


@functools.cache
def _regions() -> frozenset[str]:
    """All regions of all partitions; the older signatures name none."""
    session = context.session()
    return frozenset(
        {
            "",
            *(
                region
                for partition in session.get_available_partitions()
                for region in session.get_available_regions("dynamodb", partition)
            ),
        }
    )


def _reader(environ: dict[str, Any]) -> Callable[[], bytes]:
    """The body, so that the application can read it again."""
    read: list[bytes] = []

    def body() -> bytes:
        if not read:
            try:
                read.append(get_input_stream(environ, safe_fallback=True).read())
            except OSError as error:
                raise Unauthenticated("IncompleteBody", "The body is not complete.") from error
            environ["wsgi.input"] = BytesIO(read[0])
        return read[0]

    return body


def _refuse(environ: dict[str, Any], error: Unauthenticated) -> Response:
    """The error in the form of the call's protocol."""
    json_code = _JSON_CODES.get(error.code, error.code)
    if cbor.is_call(environ):
        return cbor.refusal(json_code, str(error), HTTPStatus.FORBIDDEN)
    if "HTTP_X_AMZ_TARGET" in environ or "json" in environ.get("CONTENT_TYPE", ""):
        body = json.dumps({"__type": json_code, "message": str(error)})
        return Response(body, HTTPStatus.FORBIDDEN, mimetype="application/x-amz-json-1.1")
    s3 = "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "/s3/aws4_request")
    code = error.code if s3 else _QUERY_CODES.get(error.code, error.code)
    body = f"<Error><Code>{code}</Code><Message>{escape(str(error))}</Message></Error>"
    if not s3:
        body = f"<ErrorResponse>{body}</ErrorResponse>"
    return Response(body, HTTPStatus.FORBIDDEN, mimetype="application/xml")

"""Calls in Smithy's RPC v2 CBOR protocol, which moto does not have.

The AWS SDKs for Java and Go call CloudWatch in it. Here such a call becomes the JSON call that
means the same, and the JSON answer becomes CBOR. botocore does both conversions.
https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

from botocore.model import DenormalizedStructureBuilder
from botocore.parsers import ResponseParserError, create_parser
from botocore.serialize import create_serializer
from moto.core.utils import get_service_model
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PROTOCOL, _PLAIN = "smithy-rpc-v2-cbor", "json"
# What botocore, gzip and Python raise for a body that is not such a call.
_NO_CALL = (
    ResponseParserError,
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    OverflowError,
    zlib.error,
)
_PATH = re.compile(r"/service/[^/]+/operation/(\w+)")
_ERROR = (
    DenormalizedStructureBuilder()
    .with_members({"__type": {"type": "string"}, "message": {"type": "string"}})
    .build_model()
)


def is_call(environ: Mapping[str, Any]) -> bool:
    """Whether the request names this protocol."""
    return environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor"


def refusal(code: str, message: str, status: int) -> Response:
    """An error in the form of the protocol."""
    return _answer({"__type": code, "message": message}, _ERROR, status)


class CborMiddleware:
    """Put this protocol in front of a service's application."""

    def __init__(self, app: Any, service: str) -> None:
        self._app = app
        self._service = service

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        app = self._call(environ) if is_call(environ) else self._app
        answer: Iterable[bytes] = app(environ, start_response)
        return answer

    def _call(self, environ: dict[str, Any]) -> Response:
        model: Any = get_service_model(self._service)
        path = _PATH.fullmatch(environ["PATH_INFO"])
        known = path is not None and path[1] in model.operation_names
        if path is None or not known or _PLAIN not in model.metadata.get("protocols", ()):
            what = f"not on the local endpoint: {self._service} {environ['PATH_INFO']} in CBOR"
            return refusal("NotImplementedException", what, 501)
        operation = model.operation_model(path[1])
        try:
            call = _as_json(environ, operation)
        except _NO_CALL as error:
            return refusal("SerializationException", str(error), 400)
        return _as_cbor(Response.from_app(self._app, call, buffered=True), operation)


def _as_json(environ: dict[str, Any], operation: Any) -> dict[str, Any]:
    """The same call in JSON."""
    body = Request(environ).get_data()
    if environ.get("HTTP_CONTENT_ENCODING") == "gzip":
        body = gzip.decompress(body)
    answer = {"status_code": 200, "headers": {}, "body": body}
    parameters: Any = create_parser(_PROTOCOL).parse(answer, operation.input_shape)
    parameters.pop("ResponseMetadata", None)
    request = create_serializer(_PLAIN, include_validation=False).serialize_to_request(
        parameters, operation
    )
    headers, sent = request["headers"], request["body"]
    return {
        **{name: value for name, value in environ.items() if name != "HTTP_CONTENT_ENCODING"},
        "PATH_INFO": "/",
        "REQUEST_URI": "/",
        "RAW_URI": "/",
        "QUERY_STRING": "",
        "CONTENT_TYPE": headers["Content-Type"],
        "HTTP_X_AMZ_TARGET": headers["X-Amz-Target"],
        "CONTENT_LENGTH": str(len(sent)),
        "wsgi.input": BytesIO(sent),
    }


def _as_cbor(plain: Response, operation: Any) -> Response:
    """The same answer in CBOR."""
    body = plain.get_data()
    if plain.status_code >= 300:  # noqa: PLR2004
        answer = _error_as_cbor(body, plain.status_code)
    else:
        received: Any = {"status_code": 200, "headers": {}, "body": body}
        shape = operation.output_shape
        parsed: Any = create_parser(_PLAIN).parse(received, shape)
        parsed.pop("ResponseMetadata", None)
        answer = _answer(parsed, shape or _ERROR, plain.status_code)
    for name in ("x-amzn-RequestId", "x-amzn-query-error"):
        if name in plain.headers:
            answer.headers[name] = plain.headers[name]
    return answer


def _error_as_cbor(body: bytes, status: int) -> Response:
    try:
        error = json.loads(body)
    except ValueError:
        # moto failed, and answered with an HTML page.
        return refusal("InternalFailure", "The endpoint failed.", status)
    return refusal(error["__type"], error.get("message") or error.get("Message", ""), status)


def _answer(value: Mapping[str, Any], shape: Any, status: int) -> Response:
    serializer: Any = create_serializer(_PROTOCOL, include_validation=False)
    body = serializer._serialize_body_params(value, shape)
    return Response(
        body, status, headers={"smithy-protocol": "rpc-v2-cbor"}, mimetype="application/cbor"
    )

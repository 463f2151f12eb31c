"""Authenticate requests: they must be signed with a secret access key of this endpoint. Pure.

Jobs run with the rights of the user who started the endpoint, so a web page or another user of
the machine must not be able to start one. AWS signatures are computed by botocore, from what
was received and the secret that belongs to the access key.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ALGORITHM = "AWS4-HMAC-SHA256"
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
_SKEW = timedelta(minutes=15)
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
_LONGEST = timedelta(days=7)
_EMPTY = sha256(b"").hexdigest()
_UNSIGNED = "UNSIGNED-PAYLOAD"
_TRAILER_ONLY = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_CHUNKED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_CHUNKED_TRAILER = f"{_CHUNKED}-TRAILER"


class Unauthenticated(Exception):
    """A refused request; ``code`` is S3's name for the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Received:
    """A request as it was received: ``target`` has the path and query as they were sent."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: Callable[[], bytes]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """The only header of that name, empty without one.

        Raises:
            Unauthenticated: there are two, and other code may read the other one.
        """
        values = [value for key, value in self.headers if key.lower() == name]
        if len(values) > 1:
            raise Unauthenticated("InvalidRequest", f"The request has two headers {name}.")
        return values[0] if values else ""


@dataclass(frozen=True)
class Scope:
    """Region, service and date of a signature, and its access key."""

    access_key: str
    region: str
    service: str


@dataclass(frozen=True)
class Secret:
    """The secret of an access key; a session also has a token."""

    key: str = field(repr=False)
    token: str = field(default="", repr=False)


# --- the browser's part ---------------------------------------------------------------------------
def check_sender(request: Received) -> None:
    """Refuse requests of web pages, and requests to another host name than this machine's.

    If its DNS entry changes, a page also reaches a loopback port by its own name. The port is not
    compared, because a tunnel listens on another one. Clients of S3 that put the bucket into the
    host name use ``<bucket>.localhost``.

    Raises:
        Unauthenticated: with the reason.
    """
    host = request.header("host").lower()
    # An absolute target has a host of its own, which would decide about the answer.
    if not re.match(r"/", request.target):
        raise Unauthenticated("AccessDenied", "The endpoint takes no absolute request target.")
    if not re.fullmatch(r"(127\.0\.0\.1|\[::1\]|([a-z0-9.-]+\.)?localhost)(:[0-9]+)?", host):
        raise Unauthenticated("AccessDenied", f"The endpoint does not answer to the host {host!r}.")
    # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    if request.header("origin") or request.header("sec-fetch-site") not in {"", "none"}:
        raise Unauthenticated("AccessDenied", "The endpoint does not answer to web pages.")


# --- signatures -----------------------------------------------------------------------------------
def authenticate(request: Received, secret: Callable[[str], Secret | None], now: datetime) -> Scope:
    """The caller that signed the request.

    Raises:
        Unauthenticated: the signature is missing, wrong or expired.
    """
    query = dict(request.query)
    if request.header("authorization"):
        return _check_header(request, secret, now)
    if "X-Amz-Signature" in query:
        return _check_presigned(request, query, secret, now)
    if "Signature" in query:
        return _check_presigned_v2(request, query, secret, now)
    raise Unauthenticated("AccessDenied", "The request is not signed.")


@dataclass(frozen=True)
class _Signed:
    """A signature of version 4 with its fields."""

    scope: Scope
    timestamp: str
    names: tuple[str, ...]
    signature: str
    token: str


def _check_header(
    request: Received, secret: Callable[[str], Secret | None], now: datetime
) -> Scope:
    algorithm, _, rest = request.header("authorization").partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if algorithm != _ALGORITHM or not {"Credential", "SignedHeaders", "Signature"} <= set(parts):
        raise Unauthenticated("InvalidRequest", f"The endpoint takes {_ALGORITHM} only.")
    timestamp = request.header("x-amz-date")
    signed = _Signed(
        _parse_scope(parts["Credential"], timestamp),
        timestamp,
        tuple(parts["SignedHeaders"].split(";")),
        parts["Signature"],
        request.header("x-amz-security-token"),
    )
    if abs(now - _parse_time(timestamp)) > _SKEW:
        raise Unauthenticated(
            "RequestTimeTooSkewed", f"Signature expired: {timestamp} is not within 15 minutes."
        )
    content = request.header("x-amz-content-sha256") or sha256(request.body()).hexdigest()
    _verify(request, signed, secret, content)
    return signed.scope


def _check_presigned(
    request: Received, query: dict[str, str], secret: Callable[[str], Secret | None], now: datetime
) -> Scope:
    needed = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires")
    if query.get("X-Amz-Algorithm") != _ALGORITHM or not all(name in query for name in needed):
        raise Unauthenticated("AuthorizationQueryParametersError", "A query parameter is missing.")
    timestamp, expires = query["X-Amz-Date"], query["X-Amz-Expires"]
    signed = _Signed(
        _parse_scope(query["X-Amz-Credential"], timestamp),
        timestamp,
        tuple(query["X-Amz-SignedHeaders"].split(";")),
        query["X-Amz-Signature"],
        query.get("X-Amz-Security-Token", ""),
    )
    seconds = int(expires) if re.fullmatch(r"\d{1,6}", expires) else 0
    lasts = min(timedelta(seconds=seconds), _LONGEST)
    if not -_SKEW <= now - _parse_time(timestamp) <= lasts:
        raise Unauthenticated("AccessDenied", "Request has expired.")
    content = request.header("x-amz-content-sha256")
    if not content:
        s3 = signed.scope.service == "s3"
        content = _UNSIGNED if s3 else sha256(request.body()).hexdigest()
    _verify(request, signed, secret, content)
    return signed.scope


def _parse_scope(credential: str, timestamp: str) -> Scope:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request" or parts[1] != timestamp[:8]:  # noqa: PLR2004
        raise Unauthenticated("SignatureDoesNotMatch", "The credential's scope is not valid.")
    return Scope(parts[0], parts[2], parts[3])


def _parse_time(timestamp: str) -> datetime:
    try:
        return datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise Unauthenticated("AccessDenied", "The request has no valid x-amz-date.") from error


def _find_secret(
    access_key: str, token: str, secret: Callable[[str], Secret | None]
) -> Credentials:
    known = secret(access_key)
    if known is None:
        raise Unauthenticated(
            "InvalidAccessKeyId", f"The endpoint has no access key {access_key!r} that is active."
        )
    if not hmac.compare_digest(known.token.encode(), token.encode()):
        raise Unauthenticated("InvalidToken", "The session token is not that of the access key.")
    return Credentials(access_key, known.key, known.token or None)


class _AsSigned(SigV4Auth):
    """botocore's signature over the headers and the content that the sender has signed."""

    def headers_to_sign(self, request: Any) -> Any:
        return request.headers

    def payload(self, request: Any) -> str:
        return str(request.context["content"])


class _S3AsSigned(_AsSigned, S3SigV4Auth):
    """S3 does not normalize paths."""


def _verify(
    request: Received, signed: _Signed, secret: Callable[[str], Secret | None], content: str
) -> None:
    """Compare the signature with the one that the secret makes, and the body with its hash."""
    sent = {name.lower() for name, _ in request.headers}
    must = {"host", *(name for name in sent if name.startswith("x-amz-"))}
    if not must <= set(signed.names):
        raise Unauthenticated("AccessDenied", "There were headers which were not signed.")
    credentials = _find_secret(signed.scope.access_key, signed.token, secret)
    s3 = signed.scope.service == "s3"
    make = _S3AsSigned if s3 else _AsSigned
    auth: Any = make(credentials, signed.scope.service, signed.scope.region)
    rebuilt = _rebuild(request, signed.names)
    rebuilt.context.update(timestamp=signed.timestamp, content=content)
    text = auth.string_to_sign(rebuilt, auth.canonical_request(rebuilt))
    _compare(auth.signature(text, rebuilt), signed.signature)
    if s3 and content in {_UNSIGNED, _TRAILER_ONLY}:
        return
    if s3 and content in {_CHUNKED, _CHUNKED_TRAILER}:
        scope = auth.credential_scope(rebuilt)
        _check_chunks(
            request.body(),
            f"{signed.timestamp}\n{scope}",
            signed.signature,
            lambda text: str(auth.signature(text, rebuilt)),
        )
    elif not hmac.compare_digest(sha256(request.body()).hexdigest(), content.lower()):
        raise Unauthenticated(
            "XAmzContentSHA256Mismatch", "The body does not match its x-amz-content-sha256."
        )


def _rebuild(request: Received, names: Sequence[str]) -> AWSRequest:
    """The request as its sender signed it: in canonical form, with only the signed headers."""
    path = quote(unquote_to_bytes(request.path), safe="/~")
    pairs = (pair.partition("=")[::2] for pair in urlsplit(request.target).query.split("&") if pair)
    query = "&".join(
        f"{_encode(name)}={_encode(value)}" for name, value in pairs if name != "X-Amz-Signature"
    )
    headers = HTTPHeaders()
    for name, value in request.headers:
        if name.lower() in names:
            headers[name.lower()] = value
    return AWSRequest(
        method=request.method,
        url=f"http://{request.header('host')}{path}?{query}",
        headers=headers,  # type: ignore[arg-type]
    )


def _encode(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _compare(expected: str, signature: str) -> None:
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Unauthenticated(
            "SignatureDoesNotMatch",
            "The signature is not made with the secret access key of this endpoint. "
            'After each start: eval "$(dynoexport local env)"',
        )


def _check_chunks(body: bytes, scope: str, seed: str, sign: Callable[[str], str]) -> None:
    """Each chunk is signed together with the signature before it, and trailing headers, too.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
    """
    rest, previous, size = body, seed, -1
    while size != 0:
        head, _, rest = rest.partition(b"\r\n")
        match = re.fullmatch(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})", head)
        if match is None:
            raise Unauthenticated("IncompleteBody", "The body is not in signed chunks.")
        size, signature = int(match[1], 16), match[2].decode()
        chunk, rest = rest[:size], rest[size:]
        digest = sha256(chunk).hexdigest()
        text = f"{_ALGORITHM}-PAYLOAD\n{scope}\n{previous}\n{_EMPTY}\n{digest}"
        _compare(sign(text), signature)
        previous = signature
        if size:
            rest = rest.removeprefix(b"\r\n")
    lines = [line for line in rest.split(b"\r\n") if line]
    if lines:
        *trailers, last = lines
        digest = sha256(b"".join(line + b"\n" for line in trailers)).hexdigest()
        text = f"{_ALGORITHM}-TRAILER\n{scope}\n{previous}\n{digest}"
        _compare(sign(text), last.decode("latin-1").partition(":")[2])


# --- the older signature of URLs ------------------------------------------------------------------
class _V2(HmacV1QueryAuth):
    """botocore's signature of a URL that is valid until the time in the URL."""

    def __init__(self, credentials: Credentials, expires: str) -> None:
        super().__init__(credentials)
        self._until = expires

    def _get_date(self) -> str:
        return self._until


def _check_presigned_v2(
    request: Received, query: dict[str, str], secret: Callable[[str], Secret | None], now: datetime
) -> Scope:
    """Check the older signature, which ``generate_presigned_url`` of boto3 makes by default.

    https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
    """
    access_key, expires = query.get("AWSAccessKeyId", ""), query.get("Expires", "")
    if not re.fullmatch(r"\d{1,12}", expires) or now.timestamp() > int(expires):
        raise Unauthenticated("AccessDenied", "Request has expired.")
    token = query.get("x-amz-security-token", "")
    credentials = _find_secret(access_key, token, secret)
    headers = HTTPHeaders()
    for name, value in (*query.items(), *request.headers):
        lower = name.lower()
        signed = lower.startswith("x-amz-") or lower in {"content-type", "content-md5"}
        if signed and lower not in headers:
            headers[lower] = value
    auth: Any = _V2(credentials, expires)
    host = request.header("host").partition(":")[0]
    bucket = host.removesuffix(".localhost") if host.endswith(".localhost") else ""
    path = f"/{bucket}{request.path}" if bucket else request.path
    expected = auth.get_signature(request.method, urlsplit(request.target), headers, auth_path=path)
    _compare(expected, query["Signature"])
    return Scope(access_key, "us-east-1", "s3")

"""The endpoint admits only callers with a secret access key of this start."""

from __future__ import annotations

import http.client
import json
import socket
import stat
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import boto3
import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from moto.athena.models import AthenaBackend, athena_backends

from dynoexport.local import credentials, server
from dynoexport.local.context import ROOT_ACCESS_KEY
from dynoexport.local.iam import authentication
from dynoexport.local.iam.authentication import Received, Secret, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dynoexport.local.context import Endpoint

BUCKET = "doors"
JSON = {"Content-Type": "application/x-amz-json-1.1"}
GLUE = {**JSON, "X-Amz-Target": "AWSGlue.GetDatabases"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LIST_STACKS = urlencode({"Action": "ListStacks", "Version": "2010-05-15"}).encode()


@pytest.fixture(scope="module")
def s3(endpoint: Endpoint) -> Any:
    """A bucket with an object, and rules that let every web page read it."""
    client = endpoint.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="mine", Body=b"mine")
    every = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"]}
    client.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [every]})
    return client


def send(
    endpoint: Endpoint, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of the response to exactly this request."""
    port = urlsplit(endpoint.url).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": f"127.0.0.1:{port}", **headers}.items():
        connection.putheader(name, value)
    if method != "GET" or body:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body or None)
    answer = connection.getresponse()
    answered = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return answered


def sign(
    endpoint: Endpoint,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    service: str = "s3",
    secret: str | None = None,
) -> dict[str, str]:
    """The headers of the request when botocore has signed it."""
    host = f"127.0.0.1:{urlsplit(endpoint.url).port}"
    given = {"Host": host, **(headers or {})}
    request = AWSRequest(method, f"http://{given['Host']}{path}", given, body)
    keys = Credentials(ROOT_ACCESS_KEY, secret or endpoint.secret)
    make = S3SigV4Auth if service == "s3" else SigV4Auth
    make(keys, service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


# --- web pages ------------------------------------------------------------------------------------
@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "localhost.evil.example:{port}",
        "127.0.0.1:{port}.evil.example",
        "127.0.0.1.evil.example",
        ".localhost.:{port}",
        "",
    ],
)
def test_foreign_host_is_refused(endpoint: Endpoint, host: str) -> None:
    """Even if it is signed: a page whose name now resolves to 127.0.0.1 reaches the port."""
    foreign = {"Host": host.format(port=urlsplit(endpoint.url).port)}
    headers = sign(endpoint, "GET", f"/{BUCKET}/mine", foreign)
    status, _, body = send(endpoint, "GET", f"/{BUCKET}/mine", headers)
    assert (status, "does not answer to the host" in body) == (403, True)


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    "host", ["localhost:{port}", "[::1]:{port}", "127.0.0.1:{port}", "127.0.0.1:1", "localhost"]
)
def test_every_name_of_this_machine_is_answered(endpoint: Endpoint, host: str) -> None:
    """With any port: a tunnel listens on another one."""
    own = {"Host": host.format(port=urlsplit(endpoint.url).port)}
    path = f"/{BUCKET}/mine"
    assert send(endpoint, "GET", path, sign(endpoint, "GET", path, own))[::2] == (200, "mine")


@pytest.mark.usefixtures("s3")
def test_absolute_target_is_refused(endpoint: Endpoint) -> None:
    """It names its own host, which the signature does not cover."""
    path = f"/{BUCKET}/mine"
    headers = sign(endpoint, "GET", path)
    assert send(endpoint, "GET", f"http://other.localhost{path}", headers)[0] == 403


@pytest.mark.usefixtures("s3")
def test_bucket_in_the_host_name_is_answered(endpoint: Endpoint) -> None:
    own = {"Host": f"{BUCKET}.localhost:{urlsplit(endpoint.url).port}"}
    found = send(endpoint, "GET", "/mine", sign(endpoint, "GET", "/mine", own))
    assert found[::2] == (200, "mine")


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_web_page_is_refused(endpoint: Endpoint, sent: dict[str, str]) -> None:
    """Even if it is signed, and whatever the bucket's own rules allow."""
    headers = {**sign(endpoint, "GET", f"/{BUCKET}/mine"), **sent}
    status, answered, body = send(endpoint, "GET", f"/{BUCKET}/mine", headers)
    assert (status, "web pages" in body) == (403, True)
    assert not [name for name in answered if name.lower().startswith("access-control-")]


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize("origin", [{}, {"Origin": "https://evil.example"}])
def test_preflight_is_refused(endpoint: Endpoint, origin: dict[str, str]) -> None:
    """No response lets a page go on, even if the bucket's own rules do."""
    asked = {**origin, "Access-Control-Request-Method": "PUT"}
    for path in ("/", f"/{BUCKET}/mine", "/moto-api/reset"):
        status, answered, _ = send(endpoint, "OPTIONS", path, asked)
        assert status == 403
        assert not [name for name in answered if name.lower().startswith("access-control-")]


def test_no_answer_lets_a_page_read_it(endpoint: Endpoint, s3: Any) -> None:
    answers = [s3.get_object(Bucket=BUCKET, Key="mine"), endpoint.client("glue").get_databases()]
    for answer in answers:
        names = answer["ResponseMetadata"]["HTTPHeaders"]
        assert not [name for name in names if name.startswith("access-control-")]


def test_endpoint_listens_on_loopback_only(endpoint: Endpoint) -> None:
    port = urlsplit(endpoint.url).port
    # Any address of the loopback network reaches a socket that listens on all addresses.
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port)):
        pass


# --- pages of the emulator ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/moto-api/reset"),
        ("POST", "/%6doto-api/reset"),
        ("POST", "//moto-api/reset"),
        ("GET", "/moto-api/"),
        ("GET", "/moto-api/data.json"),
        ("POST", "/moto-api/seed?a=1"),
        ("POST", "/moto-api/authorizations"),
        ("GET", "/latest/meta-data/iam/security-credentials/x"),
    ],
)
def test_emulators_own_pages_are_gone(endpoint: Endpoint, s3: Any, method: str, path: str) -> None:
    """Unsigned and signed."""
    for headers in ({}, sign(endpoint, method, path)):
        assert send(endpoint, method, path, headers)[0] in {403, 404}
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_record_of_authorizations_is_for_root_alone(endpoint: Endpoint) -> None:
    path = "/moto-api/authorizations"
    assert send(endpoint, "GET", path, {})[0] == 403
    assert send(endpoint, "GET", path, sign(endpoint, "GET", path))[0] == 200
    user = make_user(endpoint, "reads-the-record")
    keys = Credentials(user["AccessKeyId"], user["SecretAccessKey"])
    request = AWSRequest("GET", f"{endpoint.url}{path}", {"Host": endpoint.url[7:]})
    S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
    assert send(endpoint, "GET", path, dict(request.headers.items()))[0] == 403


# --- signatures -----------------------------------------------------------------------------------
@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    ("request_line", "headers", "body", "code"),
    [
        ("POST /", GLUE, b"{}", "MissingAuthenticationTokenException"),
        ("POST /", {**GLUE, "Content-Type": "text/plain"}, b"{}", "MissingAuthentication"),
        ("POST /cloudformation_us-east-1/", FORM, LIST_STACKS, "AccessDenied"),
        (f"PUT /{BUCKET}/theirs", {"Content-Type": "text/plain"}, b"x", "AccessDenied"),
        (f"POST /{BUCKET}", {"Content-Type": "multipart/form-data"}, b"x", "AccessDenied"),
        (f"GET /{BUCKET}/mine", {}, b"", "AccessDenied"),
        (f"GET /{BUCKET}/mine", {"Authorization": "AWS testing:x"}, b"", "InvalidRequest"),
        (f"GET /{BUCKET}/mine", {"Authorization": "AWS4-HMAC-SHA256"}, b"", "InvalidRequest"),
    ],
)
def test_unsigned_request_is_refused(
    endpoint: Endpoint, request_line: str, headers: dict[str, str], body: bytes, code: str
) -> None:
    """A form on any page can send such a request."""
    method, path = request_line.split()
    status, _, answered = send(endpoint, method, path, headers, body)
    assert (status, code in answered) == (403, True), answered


def test_wrong_secret_is_refused(endpoint: Endpoint) -> None:
    """The response follows each protocol, so that clients raise their own error."""
    wrong = {"AWS_SECRET_ACCESS_KEY": "testing"}
    for service, call, code in (
        ("s3", "list_buckets", "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
        ("glue", "get_databases", "InvalidSignatureException"),
    ):
        with pytest.raises(ClientError) as error:
            getattr(endpoint.client(service, wrong), call)()
        assert error.value.response["Error"]["Code"] == code


def test_access_key_that_was_not_issued_is_refused(endpoint: Endpoint) -> None:
    for service, call, code in (
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("glue", "get_databases", "UnrecognizedClientException"),
    ):
        with pytest.raises(ClientError) as error:
            getattr(endpoint.client(service, {"AWS_ACCESS_KEY_ID": "AKIANOBODY"}), call)()
        assert error.value.response["Error"]["Code"] == code


@pytest.mark.usefixtures("s3")
def test_tampered_request_is_refused(endpoint: Endpoint) -> None:
    """Another body, path, query or header than the signed one."""
    path = f"/{BUCKET}/theirs"
    headers = sign(endpoint, "PUT", path, {}, b"mine")
    assert send(endpoint, "PUT", path, headers, b"evil")[0] == 403
    assert send(endpoint, "PUT", f"/{BUCKET}/other", headers, b"mine")[0] == 403
    assert send(endpoint, "PUT", f"{path}?tagging", headers, b"mine")[0] == 403
    assert send(endpoint, "PUT", path, {**headers, "X-Amz-Acl": "public-read"}, b"mine")[0] == 403
    body = b'{"Name": "a"}'
    headers = sign(endpoint, "POST", "/", GLUE, body, service="glue")
    assert send(endpoint, "POST", "/", headers, b'{"Name": "b"}')[0] == 403
    # A hash that the sender has signed is compared with the body for every service.
    named = {**GLUE, "X-Amz-Content-Sha256": sha256(body).hexdigest()}
    headers = sign(endpoint, "POST", "/", named, body, service="glue")
    assert send(endpoint, "POST", "/", headers, b'{"Name": "b"}')[0] == 403
    unsigned = {**GLUE, "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}
    headers = sign(endpoint, "POST", "/", unsigned, body, service="glue")
    assert send(endpoint, "POST", "/", headers, body)[0] == 403


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(("minutes", "status"), [(-16, 403), (-14, 200), (14, 200), (16, 403)])
def test_request_is_valid_for_a_quarter_of_an_hour(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, minutes: int, status: int
) -> None:
    then = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: then)
    headers = sign(endpoint, "GET", f"/{BUCKET}/mine")
    assert send(endpoint, "GET", f"/{BUCKET}/mine", headers)[0] == status


def refusal(request: str | urllib.request.Request) -> int:
    """The status of a refused request."""
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    with error.value:
        return error.value.code


@pytest.mark.parametrize("version", ["s3v4", None])
def test_presigned_url_allows_only_its_own_request(
    endpoint: Endpoint, s3: Any, version: str | None
) -> None:
    """This covers the current signature and the older one, which is boto3's default."""
    presigning = boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        region_name=endpoint.region,
        aws_access_key_id=ROOT_ACCESS_KEY,
        aws_secret_access_key=endpoint.secret,
        config=Config(signature_version=version, s3={"addressing_style": "path"}),
    )
    s3.put_object(Bucket=BUCKET, Key="a b/ä+(1)~", Body=b"found")
    asked = {"Bucket": BUCKET, "Key": "a b/ä+(1)~", "ResponseContentType": "text/x"}
    url = presigning.generate_presigned_url("get_object", asked)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"found"
    s3.delete_object(Bucket=BUCKET, Key=asked["Key"])
    expired = presigning.generate_presigned_url("get_object", asked, ExpiresIn=-1)
    for wrong in (url.replace("text%2Fx", "text%2Fy"), url.replace("%281", "%282"), expired):
        assert refusal(wrong) == 403
    put = presigning.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "put"})
    # The older signature is over the type, too, and urllib has one of its own.
    upload = urllib.request.Request(put, b"put", {"Content-Type": ""}, method="PUT")
    with urllib.request.urlopen(upload) as answer:
        assert answer.status == 200
    assert refusal(urllib.request.Request(put, method="DELETE")) == 403
    s3.delete_object(Bucket=BUCKET, Key="put")


def make_user(endpoint: Endpoint, name: str) -> dict[str, str]:
    iam = endpoint.client("iam")
    iam.create_user(UserName=name)
    key: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
    return key


def test_users_access_key_has_its_own_secret(endpoint: Endpoint) -> None:
    key = make_user(endpoint, "signs")
    own = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    assert endpoint.client("sts", own).get_caller_identity()["Arn"].endswith(":user/signs")
    roots = {**own, "AWS_SECRET_ACCESS_KEY": endpoint.secret}
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        endpoint.client("sts", roots).get_caller_identity()
    endpoint.client("iam").update_access_key(
        UserName="signs", AccessKeyId=key["AccessKeyId"], Status="Inactive"
    )
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        endpoint.client("sts", own).get_caller_identity()


def test_session_has_its_own_secret_and_token(endpoint: Endpoint) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = endpoint.client("iam").create_role(
        RoleName="signs", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )["Role"]["Arn"]
    one, other = (endpoint.assume(role, name) for name in ("one", "other"))
    assert endpoint.client("sts", one).get_caller_identity()["Arn"].endswith("/one")
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        with pytest.raises(ClientError, match=r"SignatureDoesNotMatch|InvalidClientTokenId"):
            endpoint.client("sts", {**one, name: other[name]}).get_caller_identity()


# --- bodies in chunks -----------------------------------------------------------------------------
# The examples of AWS's own pages, with its example credentials:
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
DOCUMENTED = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SIGNED = "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
SCOPE = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
TRAILER = (
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
)
CHUNKED = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    {"Content-Length": "66824"},
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    (
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ),
    b"",
)
WITH_TRAILER = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    {"X-Amz-Trailer": "x-amz-checksum-crc32c"},
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    (
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ),
    TRAILER,
)


def documented(example: Any) -> Received:
    content, more, seed, signatures, trailer = example
    headers = {
        "Host": "s3.amazonaws.com",
        "x-amz-date": "20130524T000000Z",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": content,
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        **more,
    }
    names = ";".join(sorted(name.lower() for name in headers))
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders={names},Signature={seed}"
    )
    chunks = (b"a" * 65536, b"a" * 1024, b"")
    framed = (
        f"{len(chunk):x};chunk-signature={signature}\r\n".encode() + chunk + b"\r\n" * bool(chunk)
        for chunk, signature in zip(chunks, signatures, strict=True)
    )
    body = b"".join(framed) + trailer + b"\r\n"
    target = "/examplebucket/chunkObject.txt"
    return Received("PUT", target, tuple(headers.items()), lambda: body)


@pytest.mark.parametrize("example", [CHUNKED, WITH_TRAILER])
def test_each_chunk_is_verified(example: Any) -> None:
    request = documented(example)
    now = datetime(2013, 5, 24, tzinfo=timezone.utc)

    def authenticate(body: bytes) -> str:
        sent = Received(request.method, request.target, request.headers, lambda: body)
        return authentication.authenticate(sent, lambda _: DOCUMENTED, now).access_key

    body = request.body()
    assert authenticate(body) == "AKIAIOSFODNN7EXAMPLE"
    changed = [
        body.replace(b"aaaa", b"aaab", 1),
        body[:-400],
        body.replace(b"\r\n400;", b"\r\n3ff;"),
    ]
    if example is WITH_TRAILER:
        changed.append(body.replace(b"sOO8", b"sOO9"))
    for altered in changed:
        with pytest.raises(Unauthenticated):
            authenticate(altered)


@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_uploads_with_a_trailing_checksum_arrive(endpoint: Endpoint, s3: Any, size: int) -> None:
    """The uploads are unsigned streams, as clients send files."""
    path = f"/{BUCKET}/streamed"
    data = b"a" * size
    framed = (f"{size:x}\r\n".encode() + data + b"\r\n" if size else b"") + b"0\r\n\r\n"
    headers = {
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X-Amz-Decoded-Content-Length": str(size),
        "Content-Encoding": "aws-chunked",
    }
    host = f"127.0.0.1:{urlsplit(endpoint.url).port}"
    request = AWSRequest("PUT", f"{endpoint.url}{path}", {"Host": host, **headers}, b"")
    SigV4Auth.add_auth(
        S3PathAuth(Credentials(ROOT_ACCESS_KEY, endpoint.secret), "s3", "us-east-1"), request
    )
    assert send(endpoint, "PUT", path, dict(request.headers.items()), framed)[0] == 200
    assert s3.get_object(Bucket=BUCKET, Key="streamed")["Body"].read() == data
    s3.delete_object(Bucket=BUCKET, Key="streamed")


class S3PathAuth(SigV4Auth):
    """Takes the content's hash from the header."""

    def _normalize_url_path(self, path: str) -> str:
        return path


# --- the secret's file ----------------------------------------------------------------------------
@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Any]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_secret_is_in_a_file_of_the_user_while_the_endpoint_runs(state: Any) -> None:
    with credentials.publish(1) as secret:
        file = credentials.path(1)
        assert state in file.parents
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert credentials.read(1).secret == secret
    assert not file.exists()
    with pytest.raises(credentials.NoCredentials, match="no endpoint runs on port 1"):
        credentials.read(1)


@pytest.mark.usefixtures("state")
def test_each_start_has_its_own_secret() -> None:
    """This holds even if a killed endpoint has left its file."""
    with credentials.publish(1) as first, credentials.publish(1) as second:
        assert first != second
        assert credentials.read(1).secret == second


def test_state_directory_that_cannot_be_made_is_one_line(state: Any) -> None:
    state.write_text("a file")
    refused = pytest.raises(credentials.NoCredentials, match="cannot write the endpoint's")
    with refused, server.serve(0):
        pass


def test_an_endpoint_that_cannot_start_leaves_moto_as_it_is(state: Any) -> None:
    """Tests of other services in this process use moto's own Athena."""
    state.write_text("a file")
    with pytest.raises(credentials.NoCredentials), server.serve(0):
        pass
    with socket.create_server((server.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(server.PortTaken), server.serve(port):
            pass
    assert athena_backends.backend is AthenaBackend

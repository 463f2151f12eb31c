"""How calls of AWS fail: one of a command's calls, in one of these ways."""

from __future__ import annotations

import functools
import io
import json
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import botocore.loaders
import botocore.session
import pytest
import urllib3
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from dynoexport.local import cbor
from dynoexport.local.glue import jobs, processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

# Codes as JSON services, others and S3 write them, and the status.
SERVICE_FAULTS = {
    "throttled": ("ThrottlingException", "Throttling", "SlowDown", 400),
    "denied": ("AccessDeniedException", "AccessDenied", "AccessDenied", 403),
    "server error": ("InternalServerError", "InternalFailure", "InternalError", 500),
    "expired": ("ExpiredTokenException", "ExpiredToken", "ExpiredToken", 400),
}
# "answer lost": AWS does what is asked, and the answer does not arrive in time.
# "connection closed": before the call is sent, or in the middle of an object.
# "no answer": a success with a text that no service sends.
FAULTS = (*SERVICE_FAULTS, "answer lost", "connection closed", "no answer")
# A call that is repeated fails in these ways in its last place, too.
LATE_FAULTS = ("throttled", "answer lost")
_SENT = "this call was made to fail"


class Raw(io.BytesIO):
    """The body of an answer, as urllib3 gives it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


class Cut(Raw):
    """A body whose connection closes in the middle."""

    def read(self, *_: object, **__: object) -> bytes:
        raise urllib3.exceptions.ProtocolError("Connection broken: InvalidChunkLength")


class Injector:
    """Lets one call of the command fail, or only writes down which calls there are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin()

    def begin(self, call: str = "", number: int = 0, fault: str = "") -> None:
        """Start a command whose ``number``-th call of that name fails."""
        self.calls: Counter[str] = Counter()
        self._call, self._number, self._fault = call, number, fault
        self.hit = False

    def before_send(self, client: Any, request: Any, event_name: str) -> AWSResponse | None:
        name = ".".join(event_name.split(".")[1:])
        with self._lock:
            self.calls[name] += 1
            if (name, self.calls[name]) != (self._call, self._number):
                return None
            self.hit = True
        return self._fail(client, name.rpartition(".")[2], request)

    def _fail(self, client: Any, operation: str, request: Any) -> AWSResponse:
        service = client.meta.service_model
        if self._fault == "answer lost":
            URLLib3Session().send(request)
            raise ReadTimeoutError(endpoint_url=request.url)
        if self._fault == "connection closed":
            if not service.operation_model(operation).has_streaming_output:
                raise ConnectionClosedError(endpoint_url=request.url)
            sent = URLLib3Session().send(request)
            return AWSResponse(request.url, sent.status_code, sent.headers, Cut())  # type: ignore[arg-type]
        if self._fault == "no answer":
            headers, body, status = {"Content-Type": "text/plain"}, b"OK", 200
        else:
            headers, body, status = answer(service.resolved_protocol, *SERVICE_FAULTS[self._fault])
        return AWSResponse(request.url, status, HeadersDict(headers), Raw(body))  # type: ignore[arg-type]


def answer(
    protocol: str, of_json: str, of_query: str, of_s3: str, status: int
) -> tuple[dict[str, str], bytes, int]:
    """Headers, body and status with which a service of that protocol refuses a call."""
    if protocol == "rest-xml":
        body = f"<Error><Code>{of_s3}</Code><Message>{_SENT}</Message></Error>".encode()
        return {"Content-Type": "application/xml"}, body, 503 if of_s3 == "SlowDown" else status
    if protocol == "smithy-rpc-v2-cbor":
        refusal = cbor.refusal(of_json, _SENT, status)
        return dict(refusal.headers), refusal.get_data(), status
    if protocol == "query":
        error = f"<Error><Code>{of_query}</Code><Message>{_SENT}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>".encode()
        return {"Content-Type": "text/xml"}, body, status
    body = json.dumps({"__type": of_json, "message": _SENT}).encode()
    return {"Content-Type": "application/x-amz-json-1.1"}, body, status


class Jobs:
    """Jobs without processes: they succeed at once, or wait until they are stopped."""

    def __init__(self) -> None:
        self.wait = False

    def execute(self, _: Endpoint, run: jobs.JobRun) -> None:
        run.state = "RUNNING"
        while self.wait and not run.stopping:
            threading.Event().wait(0.02)
        run.completed = datetime.now(timezone.utc)
        run.state = "STOPPED" if run.stopping else "SUCCEEDED"


@contextmanager
def hooked(injector: Injector, stand_in: Jobs) -> Iterator[None]:
    """Every client of the command, and no other one, asks the injector before it sends."""
    create = botocore.session.Session.create_client

    @functools.wraps(create)
    def create_client(session: Any, *args: Any, **options: Any) -> Any:
        client = create(session, *args, **options)
        if "dynoexport/" in (getattr(options.get("config"), "user_agent_extra", None) or ""):
            client.meta.events.register_first(
                "before-send", functools.partial(_ask, injector, client)
            )
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session.Session, "create_client", create_client)
        # Each command has a session of its own, which would read the services' models again.
        loader = functools.cache(botocore.loaders.create_loader)
        patch.setattr(botocore.session, "create_loader", loader)
        patch.setattr(processes.reserve, "fill", lambda _: None)
        patch.setattr(jobs, "execute", stand_in.execute)
        yield


def _ask(injector: Injector, client: Any, request: Any, event_name: str, **_: Any) -> Any:
    return injector.before_send(client, request, event_name)

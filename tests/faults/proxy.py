"""Stands between AWS's callers and the endpoint, and lets calls fail as AWS and networks do."""

from __future__ import annotations

import http.client
import json
import random
import re
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import schedules
from schedules import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# No run depends on these.
LEFT_ALONE = frozenset({"logs", "sts", "events", "sns", "cloudformation", "monitoring"})


@dataclass(frozen=True)
class Call:
    """One call of AWS: the caller, the service, the operation."""

    place: str
    service: str
    operation: str


# --- what to do to a call -------------------------------------------------------------------------
class Injector:
    """Decides what happens to each call, by the faults of a schedule and its seed.

    ``events`` do what the kinds do that are not about a call; each gets the fault.
    """

    def __init__(self) -> None:
        self.events: Mapping[str, Callable[[Fault], None]] = {}
        self._lock = threading.Lock()
        self.begin(0, ())

    def begin(self, seed: int, faults: Iterable[Fault]) -> None:
        """Forget earlier faults; inject these from now on."""
        with self._lock:
            self._chance = random.Random(seed)
            self._faults = tuple(faults)
            self._seen: Counter[Fault] = Counter()
            self._done: Counter[Fault] = Counter()
            self.injected: Counter[str] = Counter()
            self.calls = 0

    def stop(self, kind: str) -> None:
        """Stop the faults of the kind, if one of them has happened."""
        with self._lock:
            if self.injected[kind]:
                self._faults = tuple(fault for fault in self._faults if fault.kind != kind)

    def decide(self, call: Call) -> list[Fault]:
        """The faults that happen to the call."""
        if call.service in LEFT_ALONE:
            return []
        with self._lock:
            self.calls += 1
            faults = [fault for fault in self._faults if self._happens(fault, call)]
        for fault in faults:
            event = self.events.get(fault.kind)
            if event is not None:
                event(fault)
        return faults

    def _happens(self, fault: Fault, call: Call) -> bool:
        if fault.place not in {"", call.place} or fault.service not in {"", call.service}:
            return False
        if fault.operation not in {"", call.operation}:
            return False
        self._seen[fault] += 1
        if self._seen[fault] <= fault.after or (fault.most and self._done[fault] >= fault.most):
            return False
        if self._chance.random() >= fault.probability:
            return False
        self._done[fault] += 1
        self.injected[fault.kind] += 1
        return True


THROTTLES = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "s3": ("SlowDown", 503),
}
ERRORS = {"dynamodb": "InternalServerError", "s3": "InternalError"}
OUT = {
    schedules.THROTTLE,
    schedules.SLOW_DOWN,
    schedules.INTERNAL,
    schedules.OUTAGE,
    schedules.CRAWLER_FAILS,
    schedules.TABLE_LOCKED,
}


def refusal(kind: str, service: str) -> tuple[str, int] | None:
    """The error code and status with which AWS refuses; None if the kind is no refusal."""
    if kind in {schedules.THROTTLE, schedules.SLOW_DOWN}:
        return THROTTLES.get(service, ("ThrottlingException", 400))
    if kind == schedules.TABLE_LOCKED:
        return "ConcurrentModificationException", 400
    if kind in {schedules.INTERNAL, schedules.OUTAGE}:
        return ERRORS.get(service, "InternalServiceException"), 500
    if kind == schedules.CRAWLER_FAILS:
        return ("AccessDenied", 403) if service == "s3" else ("AccessDeniedException", 400)
    return None


# --- the wire -------------------------------------------------------------------------------------
S3_OPERATIONS = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "POST": "PostObject",
    "DELETE": "DeleteObject",
}
# By the query's parameters, the first that is there.
QUERIED = {
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "uploads"): "ListMultipartUploads",
    ("POST", "delete"): "DeleteObjects",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}


def call_of(place: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
    """The call, as far as the request shows it."""
    scope = re.search(r"Credential=[^/]*/\d+/[^/]*/([^/]+)/", headers.get("Authorization", ""))
    service = scope[1] if scope else "s3"
    action = headers.get("X-Amz-Target", "")
    if action:
        return Call(place, service, action.rpartition(".")[2])
    if service != "s3":
        return Call(
            place, service, dict(parse_qsl(body.decode(errors="replace"))).get("Action", "")
        )
    query = {name for name, _ in parse_qsl(urlsplit(target).query, keep_blank_values=True)}
    operations = [
        name for (verb, given), name in QUERIED.items() if verb == method and given in query
    ]
    return Call(place, service, (*operations, S3_OPERATIONS[method])[0])


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


def refuse(code: str, status: int, service: str) -> Answer:
    what = "injected by the schedule of faults"
    if service == "s3":
        text = f"<Error><Code>{code}</Code><Message>{what}</Message></Error>"
        return Answer(status, code, [("Content-Type", "application/xml")], text.encode())
    text = json.dumps({"__type": code, "message": what})
    return Answer(status, code, [("Content-Type", "application/x-amz-json-1.1")], text.encode())


class Proxy:
    """Listens for each place at a port of its own."""

    def __init__(self, upstream: str, injector: Injector) -> None:
        self.upstream = urlsplit(upstream).netloc
        # While it is not set, crawls wait: that keeps a crawler busy.
        self.crawls = threading.Event()
        self.crawls.set()
        self.injector = injector
        self._servers = {place: _Server(place, self) for place in schedules.PLACES}
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def url(self, place: str) -> str:
        return f"http://127.0.0.1:{self._servers[place].server_address[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, place: str, proxy: Proxy) -> None:
        self.place, self.proxy = place, proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """Ignore callers that hang up."""


# Of one connection alone, or rewritten here.
HOPS = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return None
        body = self._body()
        call = call_of(self.server.place, self.command, self.path, dict(self.headers.items()), body)
        faults = self.server.proxy.injector.decide(call)
        kinds = {fault.kind for fault in faults}
        for fault in faults:
            if fault.kind == schedules.DELAY:
                time.sleep(fault.seconds)
        if kinds & {schedules.RESET, schedules.CUT_OFF}:
            return self._reset()
        refused = [error for kind in kinds if (error := refusal(kind, call.service))]
        if refused:
            return self._answer(refuse(*refused[0], call.service))
        if call.operation == "GetCrawler" and call.place == schedules.ENGINE:
            self.server.proxy.crawls.wait(timeout=60)
        answer = self._forward(body)
        if schedules.LOST in kinds:
            return self._reset()
        return self._answer(answer, cut=schedules.TRUNCATED in kinds)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _forward(self, body: bytes) -> Answer:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
        headers.pop("Expect", None)
        connection = http.client.HTTPConnection(self.server.proxy.upstream, timeout=300)
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.reason, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def _answer(self, answer: Answer, *, cut: bool = False) -> None:
        head = [f"HTTP/1.1 {answer.status} {answer.reason}\r\n"]
        kept = [header for header in answer.headers if header[0].lower() not in HOPS]
        length = len(answer.body)
        if self.command == "HEAD":
            headers = {name.lower(): value for name, value in answer.headers}
            length = int(headers.get("content-length", 0))
        kept.append(("Content-Length", str(length)))
        head += [f"{name}: {value}\r\n" for name, value in kept]
        body = b"" if self.command == "HEAD" else answer.body
        if cut and body:
            self.wfile.write("".join(head).encode("latin-1") + b"\r\n" + body[: len(body) // 2])
            return self._reset()
        self.wfile.write("".join(head).encode("latin-1") + b"\r\n" + body)
        return None

    def _reset(self) -> None:
        """Hang up without a word, as a network does."""
        self.close_connection = True
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""

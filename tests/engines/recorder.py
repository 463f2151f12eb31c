"""A proxy in front of DynamoDB that records each request and its sender."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# Of one connection alone, or written here.
HOPS = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})


@dataclass(frozen=True)
class Call:
    """A request, its response, and the SDK that sent it."""

    sdk: str
    operation: str
    request: dict[str, Any]
    answer: dict[str, Any]


class Recorder(ThreadingHTTPServer):
    """Listens on a port of its own; requests keep the host that they are signed for."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.calls: list[Call] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
        # The answer is to be read here, too.
        headers.pop("Accept-Encoding", None)
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        connection.request("POST", self.path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        sdk = self.headers["User-Agent"].split("/", 1)[0]
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.server.calls.append(Call(sdk, operation, json.loads(body), json.loads(answer)))
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in HOPS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""

"""What the endpoint's server does with HTTP, whatever the service."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

EXPECTS = (
    b"PUT /bucket/key HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n"
    b"Content-Length: 4\r\nConnection: close\r\n\r\nbody"
)


def test_continue_is_sent_once(endpoint: Endpoint) -> None:
    """The asynchronous S3 client of the AWS SDK for Java takes a second one for the answer."""
    with socket.create_connection(("127.0.0.1", urlsplit(endpoint.url).port or 0)) as connection:
        connection.sendall(EXPECTS)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert received.count(b"HTTP/1.1 100 Continue") == 1

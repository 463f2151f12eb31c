"""TCP connections of tasks: proved, limited in number, and noticed when lost."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# A task proves within milliseconds that it knows the key. Anybody else in the network, such as a
# scanner of ports, may say nothing or rubbish; so many may do so at once, and who has done it for
# so many seconds goes when more come.
HANDSHAKE_SECONDS = 10.0
STRANGERS_MAX = 256
STRANGER_SECONDS = 1.0
# When a connection that says nothing is asked whether its host is there, seconds between further
# questions, and how many may stay without an answer.
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}
# The same for what was sent and is not acknowledged, in milliseconds.
UNACKNOWLEDGED_MAX = 90_000


def duplicate_socket(connection: Connection) -> socket.socket:
    """A second handle of the connection's socket; closing it leaves the connection open."""
    return socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)


def set_timeouts(connection: Connection, seconds: float) -> None:
    """End a wait for the other side with an OSError after so many seconds; 0 is never."""
    whole = int(seconds)
    limit = struct.pack("ll", whole, int((seconds - whole) * 1e6))
    with duplicate_socket(connection) as handle:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def enable_keepalive(connection: Connection) -> None:
    """Let the system find out within two minutes that the other side's host is gone.

    https://man7.org/linux/man-pages/man7/tcp.7.html
    """
    options = {**KEEPALIVE, "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MAX}
    with duplicate_socket(connection) as handle:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            # Not every system has all of them.
            if hasattr(socket, name):
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class PendingConnections:
    """Connections that have not proved yet that they know the key: few at a time."""

    def __init__(self) -> None:
        self._since: dict[Connection, float] = {}
        self._changed = threading.Condition()

    def add(self, connection: Connection) -> None:
        """Wait, for a moment at most, until there is room for one more."""
        with self._changed:
            while len(self._since) >= STRANGERS_MAX:
                oldest, since = next(iter(self._since.items()))
                patience = since + STRANGER_SECONDS - time.monotonic()
                if patience <= 0:
                    self._hang_up(oldest)
                else:
                    self._changed.wait(patience)
            self._since[connection] = time.monotonic()

    def remove(self, connection: Connection) -> None:
        with self._changed:
            self._since.pop(connection, None)
            self._changed.notify_all()

    def _hang_up(self, connection: Connection) -> None:
        """Wake its thread, which closes it."""
        del self._since[connection]
        with suppress(OSError), duplicate_socket(connection) as handle:
            handle.shutdown(socket.SHUT_RDWR)

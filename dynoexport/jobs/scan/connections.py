"""TCP connections of tasks: authenticated, limited in number, and noticed when lost."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# A task proves within milliseconds that it knows the key. A stranger, such as a port scanner, may
# send nothing or rubbish. STRANGERS_MAX of them may be connected at once. When more come, the
# oldest one is disconnected after STRANGER_SECONDS.
HANDSHAKE_SECONDS = 10.0
STRANGERS_MAX = 256
STRANGER_SECONDS = 1.0
# Seconds until a silent connection is probed, seconds between further probes, and how many probes
# may stay without an answer.
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}
# How long sent data may stay unacknowledged, in milliseconds.
UNACKNOWLEDGED_MAX = 90_000


def duplicate_socket(connection: Connection) -> socket.socket:
    """A second handle of the connection's socket; closing it leaves the connection open."""
    return socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)


def set_timeouts(connection: Connection, seconds: float) -> None:
    """End a wait for the other side with an OSError after ``seconds``; 0 means never."""
    whole = int(seconds)
    limit = struct.pack("ll", whole, int((seconds - whole) * 1e6))
    with duplicate_socket(connection) as handle:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def enable_keepalive(connection: Connection) -> None:
    """Let the system notice within two minutes that the other side's host is gone.

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
    """Connections that have not yet proved that they know the key: few at a time."""

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
        """Shut it down, so that its thread wakes and closes it."""
        del self._since[connection]
        with suppress(OSError), duplicate_socket(connection) as handle:
            handle.shutdown(socket.SHUT_RDWR)
